//! Which column of a chain is what: one table of the names that vendors use.
//!
//! Names are compared lower-case, without brackets, blanks and underscores. A file is long (a row a
//! contract) or wide (a call and a put a row).

use super::read::{ALL_FIELDS, Field};
use crate::instrument::OccSymbol;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const TIMES: &[&str] = &[
    "quotereadtime",
    "quotedate",
    "quotetime",
    "timestamp",
    "datetime",
    "tradedate",
    "datadate",
    "date",
    "created",
    "windowstart",
];
const EXPIRATIONS: &[&str] = &[
    "expiration",
    "expiry",
    "expiredate",
    "expirationdate",
    "expdate",
    "expirdate",
];
const STRIKES: &[&str] = &["strike", "strikeprice"];
const RIGHTS: &[&str] = &[
    "type",
    "optiontype",
    "right",
    "callput",
    "putcall",
    "cpflag",
    "cp",
];
const UNDERLYINGS: &[&str] = &[
    "underlying",
    "underlyingsymbol",
    "ticker",
    "actsymbol",
    "symbol",
    "root",
];
const ROOTS: &[&str] = &["root", "optionroot"];
/// Columns of a contract's symbol in the style of the clearing corporation.
const SYMBOLS: &[&str] = &[
    "optionsymbol",
    "contractsymbol",
    "contractname",
    "contract",
    "occsymbol",
    "ticker",
    "symbol",
];

/// Names of the columns of numbers, the better first.
fn names_of(field: Field) -> &'static [&'static str] {
    match field {
        Field::Bid => &["bid1545", "bid", "bidprice", "bideod"],
        Field::Ask => &["ask1545", "ask", "askprice", "askeod"],
        Field::Last => &["last", "lastprice", "lasttradeprice", "close"],
        Field::Volume => &["volume", "tradevolume"],
        Field::OpenInterest => &["openinterest", "oi"],
        Field::Volatility => &[
            "impliedvolatility1545",
            "impliedvolatility",
            "impliedvol",
            "iv",
            "ivmean",
            "midiv",
            "smvvol",
            "smoothsmvvol",
        ],
        Field::Delta => &["delta1545", "delta"],
        Field::UnderlyingPrice => &[
            "activeunderlyingprice1545",
            "underlyingprice",
            "underlyinglast",
            "stockprice",
            "stkpx",
            "spotprice",
            "spot",
        ],
        Field::Open => &["open"],
    }
}

/// Endings of the names of one side of a wide file, after `c` or `call`, `p` or `put`.
fn side_names_of(field: Field) -> &'static [&'static str] {
    match field {
        Field::Bid => &["bid", "bidprice", "bidpx"],
        Field::Ask => &["ask", "askprice", "askpx"],
        Field::Last => &["last", "lastprice"],
        Field::Volume => &["volume", "volu"],
        Field::OpenInterest => &["openinterest", "oi"],
        Field::Volatility => &["iv", "midiv"],
        Field::Delta => &["delta"],
        Field::UnderlyingPrice | Field::Open => &[],
    }
}

/// A header's name in one spelling.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '[' | ']' | '_' | '-' | '"' | '\u{feff}') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Where the numbers of a row, or of one side of it, stand.
pub(super) type Places = [Option<usize>; ALL_FIELDS.len()];

/// Where the columns of a chain stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    pub(super) time: usize,
    pub(super) expiration: Option<usize>,
    pub(super) strike: Option<usize>,
    pub(super) right: Option<usize>,
    pub(super) underlying: Option<usize>,
    pub(super) root: Option<usize>,
    /// The contract's symbol.
    pub(super) symbol: Option<usize>,
    /// One for a long file; of the call and of the put for a wide one.
    pub(super) sides: Vec<Places>,
    /// What strikes are divided by.
    pub(super) strike_scale: f64,
    /// A wide file with one delta, the call's.
    pub(super) call_delta_only: bool,
    pub(super) layout: &'static str,
}

impl Columns {
    /// The columns of a header; `None` when it is not that of a chain.
    pub(super) fn of(header: &[String]) -> Option<Columns> {
        let names: Vec<String> = header.iter().map(|name| plain(name)).collect();
        let find = |known: &[&str]| {
            let place = |name: &&str| names.iter().position(|n| n == *name);
            known.iter().find_map(place)
        };
        let time = find(TIMES)?;
        let (expiration, strike) = (find(EXPIRATIONS), find(STRIKES));
        let right = find(RIGHTS);
        let long = ALL_FIELDS.map(|field| find(names_of(field)));
        let side = |prefixes: [&str; 2]| {
            ALL_FIELDS.map(|field| {
                let mut all = prefixes.iter().flat_map(|prefix| {
                    let endings = side_names_of(field).iter();
                    endings.map(move |ending| format!("{prefix}{ending}"))
                });
                all.find_map(|name| names.iter().position(|n| *n == name))
            })
        };
        let (mut call, mut put) = (side(["c", "call"]), side(["p", "put"]));
        let bid = Field::Bid as usize;
        let is_wide = call[bid].is_some() && put[bid].is_some() && strike.is_some();
        let delta = Field::Delta as usize;
        let call_delta_only = is_wide && call[delta].is_none() && long[delta].is_some();
        let sides = if is_wide {
            // What a wide file says once holds for both.
            for field in [Field::UnderlyingPrice, Field::Volatility, Field::Delta] {
                let at = field as usize;
                call[at] = call[at].or(long[at]);
                put[at] = put[at].or(long[at]);
            }
            vec![call, put]
        } else {
            vec![long]
        };
        let is_told = expiration.is_some() && strike.is_some() && (right.is_some() || is_wide);
        let names_a_contract = |at: &usize| {
            !is_told || names[*at].contains("option") || names[*at].contains("contract")
        };
        let symbol = find(SYMBOLS).filter(names_a_contract);
        // Without expiration and strike the symbol must name the contract, and one mark of a
        // chain must be there besides: files of prices have a symbol and a close, too.
        if !is_told
            && !(symbol.is_some()
                && (find(&["windowstart"]).is_some()
                    || (sides[0][bid].is_some() && expiration.is_some())))
        {
            return None;
        }
        let is_theta = find(&["msofday"]).is_some() && find(ROOTS).is_some();
        Some(Columns {
            time,
            expiration,
            strike,
            right,
            underlying: find(UNDERLYINGS).filter(|at| is_told || Some(*at) != symbol),
            root: find(ROOTS),
            symbol,
            sides,
            strike_scale: if is_theta { 1000.0 } else { 1.0 },
            call_delta_only,
            layout: layout_of(&find, is_wide),
        })
    }

    /// The column that alone names the contracts: a file of stocks may have the same header, so its
    /// first row must be looked at.
    fn naming(&self) -> Option<usize> {
        self.symbol.filter(|_| self.strike.is_none())
    }
}

/// The name of a layout by its mark.
fn layout_of(find: &dyn Fn(&[&str]) -> Option<usize>, is_wide: bool) -> &'static str {
    let marks: &[(&str, &str)] = &[
        ("quotereadtime", "OptionsDX"),
        ("expirdate", "ORATS"),
        ("bid1545", "Cboe DataShop"),
        ("datadate", "HistoricalOptionData"),
        ("windowstart", "Polygon"),
        ("msofday", "ThetaData"),
        ("created", "ThetaData"),
        ("impliedvol", "native"),
    ];
    let known = marks.iter().find(|(mark, _)| find(&[mark]).is_some());
    known.map_or(if is_wide { "wide" } else { "long" }, |(_, name)| name)
}

/// Bytes in which a header must end.
const HEADER_BYTES: u64 = 1 << 16;

/// Whether a file is an option chain, by its header (text, Parquet) or its entries (zip).
pub fn is_chain(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let mut bytes = Vec::new();
    let _ = file.by_ref().take(HEADER_BYTES).read_to_end(&mut bytes);
    if bytes.starts_with(b"PAR1") {
        let columns =
            crate::market::load::parquet_names(path).and_then(|names| Columns::of(&names));
        return columns.is_some_and(|columns| match columns.naming() {
            None => true,
            Some(symbol) => first_symbol(path, symbol).is_some_and(|text| is_contract(&text)),
        });
    }
    if bytes.starts_with(b"PK") {
        return std::fs::read(path).is_ok_and(|bytes| super::lean::is_lean(&bytes));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let mut decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(HEADER_BYTES);
        let _ = decoder.read_to_end(&mut plain);
        bytes = plain;
    }
    let Some((header, delimiter)) = header_of(&bytes) else {
        return false;
    };
    Columns::of(&header).is_some_and(|columns| match columns.naming() {
        None => true,
        Some(symbol) => {
            let mut lines = bytes.split(|b| *b == b'\n').skip(1);
            let first = lines.next().unwrap_or_default();
            let cell = first.split(|b| *b == delimiter).nth(symbol);
            cell.and_then(|cell| std::str::from_utf8(cell).ok())
                .is_some_and(is_contract)
        }
    })
}

/// The first cell of a column of texts of a Parquet file.
fn first_symbol(path: &Path, column: usize) -> Option<String> {
    let cells = crate::market::load::parquet_cells(path, &[], &[], &[column]).ok()?;
    cells.texts.first()?.first()?.clone()
}

fn is_contract(text: &str) -> bool {
    OccSymbol::parse(text.trim().trim_matches('"')).is_some()
}

/// The names of a text's header, and what separates them.
pub(super) fn header_of(bytes: &[u8]) -> Option<(Vec<String>, u8)> {
    let end = bytes
        .iter()
        .position(|b| matches!(b, b'\n' | b'\r'))
        .unwrap_or(bytes.len());
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let count = |d: &u8| line.bytes().filter(|b| b == d).count();
    let delimiter = [b'|', b'\t', b';', b','].into_iter().max_by_key(count)?;
    let names = line.split(char::from(delimiter)).map(str::to_owned);
    Some((names.collect(), delimiter))
}
