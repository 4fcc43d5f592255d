//! Which column of a file is what: the table of vendor layouts, and the mapping made from it.
//!
//! A vendor layout is one row of [`LAYOUTS`]. A file that matches none is read by the usual names
//! of columns ([`PLAIN`]). Cells are parsed elsewhere.

use crate::error::{Error, Problem, Result, nearest};
use crate::market::moment;

/// What a column of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// Date, or date and time in one.
    Date,
    /// Time of day, beside a date.
    Clock,
    /// Symbol, in files of many.
    Symbol,
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Shares traded.
    Volume,
    /// A further number under this name.
    Extra(&'static str),
    /// Of no use here.
    Skip,
}

use Field::{Clock, Close, Date, Extra, High, Low, Open, Skip, Symbol, Volume};

/// One vendor's file: how it is recognised and what its columns are.
///
/// Names are compared after [`normal_name`]. Columns that a layout does not list become further
/// columns under their own names when they hold numbers.
#[derive(Debug)]
pub(crate) struct Layout {
    /// What notes and the audit call it.
    pub(crate) name: &'static str,
    /// Columns that must all be there for a header to be of this layout.
    pub(crate) marks: &'static [&'static str],
    /// Column to field. For files without a header, the columns in file order.
    pub(crate) fields: &'static [(&'static str, Field)],
    /// The file has no header line; it must have exactly the columns of `fields`.
    pub(crate) headerless: bool,
}

const O: (&str, Field) = ("open", Open);
const H: (&str, Field) = ("high", High);
const L: (&str, Field) = ("low", Low);
const C: (&str, Field) = ("close", Close);

/// The vendor layouts, the more specific first. Sources: each vendor's own export or
/// documentation of its columns.
#[rustfmt::skip]
pub(crate) const LAYOUTS: &[Layout] = &[
    // Stooq's archive: <TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>.
    Layout {
        name: "Stooq",
        marks: &["ticker", "per", "date", "time", "open", "high", "low", "close", "vol"],
        fields: &[("ticker", Symbol), ("per", Skip), ("date", Date), ("time", Clock), O, H, L, C, ("vol", Volume), ("openint", Skip)],
        headerless: false,
    },
    // Stooq's download page in Polish.
    Layout {
        name: "Stooq (Polish)",
        marks: &["data", "otwarcie", "najwyzszy", "najnizszy", "zamkniecie"],
        fields: &[("data", Date), ("czas", Clock), ("otwarcie", Open), ("najwyzszy", High), ("najnizszy", Low), ("zamkniecie", Close), ("wolumen", Volume)],
        headerless: false,
    },
    // MetaTrader 5: <DATE>\t<TIME>\t<OPEN>…; <TIME> is absent in daily files, <VOL> is 0 for FX.
    Layout {
        name: "MetaTrader 5",
        marks: &["date", "open", "high", "low", "close", "tickvol"],
        fields: &[("date", Date), ("time", Clock), O, H, L, C, ("tickvol", Volume), ("vol", Extra("real_volume")), ("spread", Extra("spread"))],
        headerless: false,
    },
    // MetaTrader 4: 2020.01.02,00:00,open,high,low,close,volume.
    Layout {
        name: "MetaTrader 4",
        marks: &[],
        fields: &[("date", Date), ("time", Clock), O, H, L, C, ("volume", Volume)],
        headerless: true,
    },
    // Binance's monthly and daily kline archives: twelve columns, times in epoch ms, since 2025 us.
    Layout {
        name: "Binance",
        marks: &[],
        fields: BINANCE,
        headerless: true,
    },
    // The same archives of its futures have a header.
    Layout {
        name: "Binance (with header)",
        marks: &["open_time", "open", "high", "low", "close", "volume", "close_time"],
        fields: &[
            ("open_time", Date), O, H, L, C, ("volume", Volume), ("close_time", Skip), ("quote_volume", Extra("quote_volume")),
            ("quote_asset_volume", Extra("quote_volume")), ("count", Extra("trades")), ("number_of_trades", Extra("trades")),
            ("ignore", Skip),
        ],
        headerless: false,
    },
    // Polygon's aggregates as its REST interface names them; t is epoch ms.
    Layout {
        name: "Polygon",
        marks: &["v", "o", "c", "h", "l", "t"],
        fields: &[("t", Date), ("o", Open), ("h", High), ("l", Low), ("c", Close), ("v", Volume), ("vw", Extra("vwap")), ("n", Extra("trades")), ("otc", Skip)],
        headerless: false,
    },
    // Polygon's flat files; window_start is epoch ns.
    Layout {
        name: "Polygon (flat file)",
        marks: &["ticker", "window_start", "open", "high", "low", "close"],
        fields: &[("ticker", Symbol), ("window_start", Date), O, H, L, C, ("volume", Volume), ("transactions", Extra("trades"))],
        headerless: false,
    },
    // Tiingo's end-of-day prices: adjClose, divCash, splitFactor.
    Layout {
        name: "Tiingo",
        marks: &["date", "open", "high", "low", "close", "volume", "adj_close", "div_cash", "split_factor"],
        fields: &[("date", Date), ("symbol", Symbol), ("ticker", Symbol), O, H, L, C, ("volume", Volume)],
        headerless: false,
    },
    // Alpha Vantage, daily adjusted.
    Layout {
        name: "Alpha Vantage (adjusted)",
        marks: &["timestamp", "open", "high", "low", "close", "adj_close", "dividend_amount", "split_coefficient"],
        fields: &[("timestamp", Date), O, H, L, C, ("volume", Volume)],
        headerless: false,
    },
    // Alpha Vantage's JSON names, as data frames write them out.
    Layout {
        name: "Alpha Vantage (numbered)",
        marks: &["1_open", "2_high", "3_low", "4_close"],
        fields: &[
            ("index", Date), ("date", Date), ("timestamp", Date), ("1_open", Open), ("2_high", High), ("3_low", Low), ("4_close", Close),
            ("5_volume", Volume), ("6_volume", Volume), ("5_adjusted_close", Extra("adj_close")), ("7_dividend_amount", Extra("dividend_amount")),
            ("8_split_coefficient", Extra("split_coefficient")),
        ],
        headerless: false,
    },
    // Nasdaq's historical quotes: newest first, Close/Last, $, MM/DD/YYYY.
    Layout {
        name: "Nasdaq",
        marks: &["date", "close_last", "volume", "open", "high", "low"],
        fields: &[("date", Date), O, H, L, ("close_last", Close), ("volume", Volume)],
        headerless: false,
    },
    // Quandl's WIKI prices: Ex-Dividend, Split Ratio, Adj. Open …
    Layout {
        name: "Quandl WIKI",
        marks: &["date", "open", "high", "low", "close", "ex_dividend", "split_ratio", "adj_close"],
        fields: &[("ticker", Symbol), ("date", Date), O, H, L, C, ("volume", Volume)],
        headerless: false,
    },
    // Yahoo's download page and its successors.
    Layout {
        name: "Yahoo",
        marks: &["date", "open", "high", "low", "close", "adj_close", "volume"],
        fields: &[("date", Date), O, H, L, C, ("volume", Volume)],
        headerless: false,
    },
    // Yahoo through Python: Dividends and Stock Splits beside prices adjusted for splits.
    Layout {
        name: "Yahoo (with actions)",
        marks: &["open", "high", "low", "close", "volume", "dividends", "stock_splits"],
        fields: &[("date", Date), ("datetime", Date), O, H, L, C, ("volume", Volume)],
        headerless: false,
    },
    // Interactive Brokers' bars: average (WAP) and bar count.
    Layout {
        name: "Interactive Brokers",
        marks: &["date", "open", "high", "low", "close", "volume", "average", "bar_count"],
        fields: &[("date", Date), O, H, L, C, ("volume", Volume), ("average", Extra("vwap")), ("bar_count", Extra("trades"))],
        headerless: false,
    },
    Layout {
        name: "Interactive Brokers (WAP)",
        marks: &["date", "open", "high", "low", "close", "volume", "wap", "count"],
        fields: &[("date", Date), O, H, L, C, ("volume", Volume), ("wap", Extra("vwap")), ("count", Extra("trades")), ("has_gaps", Skip)],
        headerless: false,
    },
    // Investing.com: Price is the close, volumes such as 12.3M.
    Layout {
        name: "Investing.com",
        marks: &["date", "price", "open", "high", "low", "vol", "change"],
        fields: &[("date", Date), ("price", Close), O, H, L, ("vol", Volume), ("change", Skip)],
        headerless: false,
    },
];

const BINANCE: &[(&str, Field)] = &[
    ("open_time", Date),
    O,
    H,
    L,
    C,
    ("volume", Volume),
    ("close_time", Skip),
    ("quote_volume", Extra("quote_volume")),
    ("trades", Extra("trades")),
    ("taker_buy_volume", Extra("taker_buy_volume")),
    ("taker_buy_quote_volume", Extra("taker_buy_quote_volume")),
    ("ignore", Skip),
];

/// The usual names of columns, the preferred first: our own layout, and any file like it.
pub(crate) const PLAIN: &[(Field, &[&str])] = &[
    (
        Date,
        &[
            "date",
            "timestamp",
            "datetime",
            "date_time",
            "time",
            "trade_date",
            "trading_day",
            "open_time",
            "window_start",
            "unix",
            "day",
            "month",
            "dt",
            "index",
            "index_level_0",
            "unnamed_0",
        ],
    ),
    (Clock, &["time", "time_of_day", "clock"]),
    (
        Symbol,
        &[
            "symbol",
            "ticker",
            "sym",
            "instrument",
            "security",
            "code",
            "name",
        ],
    ),
    (Open, &["open", "open_price"]),
    (High, &["high", "high_price"]),
    (Low, &["low", "low_price"]),
    (
        Close,
        &[
            "close",
            "close_last",
            "close_price",
            "price",
            "last",
            "last_price",
            "settle",
        ],
    ),
    (Volume, &["volume", "vol", "tick_volume", "tickvol"]),
];

/// What mapping a file by its usual names is called.
pub(crate) const PLAIN_NAME: &str = "plain";

/// What our own layout is called, as `data import` writes it.
pub(crate) const NATIVE_NAME: &str = "native";

/// Our own layout: a date or timestamp, then these, to the letter; further columns may follow.
fn is_native(headers: &[String]) -> bool {
    let native = ["open", "high", "low", "close"];
    headers
        .first()
        .is_some_and(|first| first == "date" || first == "timestamp")
        && headers
            .iter()
            .skip(1)
            .zip(native)
            .filter(|(header, name)| *header == name)
            .count()
            == native.len()
        && headers.iter().all(|header| *header == normal_name(header))
}

/// What mapping a date and one column a symbol is called.
pub(crate) const WIDE_NAME: &str = "wide closes";

/// A column that tells when or whose, and is therefore no number to trade on.
fn tells_when_or_whose(name: &str) -> bool {
    let row = |(field, aliases): &(Field, &[&str])| {
        matches!(field, Date | Clock | Symbol) && aliases.contains(&name)
    };
    PLAIN.iter().any(row)
}

/// Numbers that files have beside prices: a file of a date and only these is not a table of
/// closes.
const NOT_SYMBOLS: &[&str] = &[
    "adj_close",
    "amount",
    "ask",
    "bid",
    "dividend",
    "dividends",
    "equity",
    "expiration",
    "implied_vol",
    "iv",
    "open_interest",
    "quote_date",
    "rate",
    "ratio",
    "return",
    "returns",
    "split",
    "splits",
    "strike",
    "trades",
    "type",
    "underlying",
    "value",
    "vwap",
    "weight",
    "yield",
];

/// A header's name in one spelling: lower case, words joined by `_`, brackets and footnote stars
/// dropped (`<CLOSE>` close, `Adj. Close**` adj_close, `barCount` bar_count, `Vol.` vol).
pub(crate) fn normal_name(raw: &str) -> String {
    let mut name = String::with_capacity(raw.len());
    let mut lower_before = false;
    for c in raw.chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && lower_before {
                name.push('_');
            }
            name.extend(c.to_lowercase());
            lower_before = c.is_lowercase();
        } else {
            lower_before = false;
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    match name.as_str() {
        "adjusted_close"
        | "adjclose"
        | "close_adj"
        | "close_adjusted"
        | "adjusted_closing_price" => "adj_close".to_string(),
        _ => name,
    }
}

/// What a column of this file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Not read.
    Skip,
    /// Date, or date and time.
    Date,
    /// Time of day.
    Clock,
    /// Symbol of the row.
    Symbol,
    /// The number column with this index in [`Plan::numbers`].
    Number(usize),
}

/// How symbols are laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All rows are of one symbol, named by the file.
    One,
    /// A symbol a row.
    Long,
    /// A symbol a column, closes only.
    Wide,
}

/// A column of numbers that is read.
#[derive(Debug, Clone)]
pub(crate) struct NumberColumn {
    /// `open high low close volume`, the lower-case name of a further column, or a symbol.
    pub(crate) name: String,
    /// What the file calls it.
    pub(crate) header: String,
    /// The first rows show numbers in it. Where they show nothing, later text drops the column.
    pub(crate) sure: bool,
}

/// How to read a file: made once from its header and first rows.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) layout: &'static str,
    pub(crate) shape: Shape,
    /// One a column of the file, in file order.
    pub(crate) roles: Vec<Role>,
    /// What the file calls its columns.
    pub(crate) headers: Vec<String>,
    /// The number columns that [`Role::Number`] counts.
    pub(crate) numbers: Vec<NumberColumn>,
    /// All symbols of a wide file, wanted or not.
    pub(crate) symbols: Vec<String>,
    /// What the user may want to know.
    pub(crate) notes: Vec<String>,
}

/// What the first rows show about a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Some cell holds something.
    pub(crate) filled: bool,
    /// All that it holds can be read as numbers.
    pub(crate) numeric: bool,
    /// All that it holds can be read as a time of day and not as a date.
    pub(crate) clock: bool,
}

impl Sample {
    /// What these cells show.
    pub(crate) fn of<'a>(
        cells: impl Iterator<Item = &'a [u8]>,
        is_number: impl Fn(&[u8]) -> bool,
    ) -> Sample {
        let mut sample = Sample {
            filled: false,
            numeric: true,
            clock: true,
        };
        for cell in cells
            .map(<[u8]>::trim_ascii)
            .filter(|cell| !cell.is_empty())
        {
            sample.filled = true;
            sample.numeric &= is_number(cell);
            sample.clock &= moment::parse_clock(cell).is_some();
        }
        sample.clock &= sample.filled;
        sample
    }
}

impl Plan {
    /// Maps a file with a header.
    ///
    /// # Errors
    /// No date column, no close and no symbols as columns, an override that names no column.
    pub(crate) fn of_header(
        headers: &[String],
        samples: &[Sample],
        overrides: &[(String, String)],
        wanted: &[String],
    ) -> Result<Plan> {
        let names: Vec<String> = headers
            .iter()
            .enumerate()
            .map(|(i, raw)| match normal_name(raw) {
                // Data frames write their index first and without a name.
                name if name.is_empty() && i == 0 => "index".to_string(),
                name => name,
            })
            .collect();
        let mut fields = vec![None; headers.len()];
        let named = find_overrides(headers, &names, overrides)?;
        for (column, field, _) in &named {
            fields[*column] = Some(*field);
        }
        let has = |mark: &str| names.iter().any(|name| name == mark);
        let layout = LAYOUTS
            .iter()
            .find(|layout| !layout.headerless && layout.marks.iter().all(|mark| has(mark)))
            .filter(|_| !is_native(headers));
        let usual = if is_native(headers) {
            NATIVE_NAME
        } else {
            PLAIN_NAME
        };
        if let Some(layout) = layout {
            for (name, field) in layout.fields {
                claim(&mut fields, &names, *field, &[name]);
            }
        }
        for (field, aliases) in PLAIN {
            claim_plain(&mut fields, &names, samples, *field, aliases);
        }
        let draft = Draft {
            layout: layout.map_or(usual, |layout| layout.name),
            headers,
            names: &names,
            samples,
            renamed: &named,
            fields,
        };
        draft.finish(wanted)
    }

    /// Maps a file without a header by its number of columns and what they look like.
    ///
    /// # Errors
    /// No layout without a header fits.
    pub(crate) fn of_headerless(samples: &[Sample]) -> Result<Plan> {
        let fits = |layout: &&Layout| {
            layout.headerless
                && layout.fields.len() == samples.len()
                && layout
                    .fields
                    .iter()
                    .zip(samples)
                    .all(|((_, field), sample)| match field {
                        Date => true,
                        Clock => sample.clock,
                        _ => sample.numeric,
                    })
        };
        let Some(layout) = LAYOUTS.iter().find(fits) else {
            return Err(Error::new(
                Problem::new("the first line does not name the columns")
                    .at_line(1)
                    .help("add a header line such as date,open,high,low,close,volume"),
            ));
        };
        let headers: Vec<String> = layout
            .fields
            .iter()
            .map(|(name, _)| (*name).to_string())
            .collect();
        let draft = Draft {
            layout: layout.name,
            headers: &headers,
            names: &headers,
            samples,
            renamed: &[],
            fields: layout
                .fields
                .iter()
                .map(|(_, field)| Some(*field))
                .collect(),
        };
        draft.finish(&[])
    }
}

/// An override: column, field, and the name of a further column.
type Named = (usize, Field, String);

/// Finds the columns that overrides name, by the exact header first, then by its normal name.
fn find_overrides(
    headers: &[String],
    names: &[String],
    overrides: &[(String, String)],
) -> Result<Vec<Named>> {
    let mut found = Vec::new();
    for (field, header) in overrides {
        let wanted = normal_name(header);
        let column = headers
            .iter()
            .position(|raw| raw.trim() == header.trim())
            .or_else(|| {
                names
                    .iter()
                    .position(|name| *name == wanted && !wanted.is_empty())
            });
        let Some(column) = column else {
            let near = nearest(header, headers.iter().map(|raw| raw.trim()));
            let help = near.map_or_else(
                || format!("it has {}", headers.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            return Err(
                Problem::new(format!("the file has no column {header} to use as {field}"))
                    .help(help)
                    .into(),
            );
        };
        let target = match field.trim().to_lowercase().as_str() {
            "date" | "timestamp" => Date,
            "time" => Clock,
            "symbol" => Symbol,
            "open" => Open,
            "high" => High,
            "low" => Low,
            "close" => Close,
            "volume" => Volume,
            _ => Extra(""),
        };
        found.push((column, target, field.trim().to_string()));
    }
    Ok(found)
}

/// Gives a field to the first free column of these names, unless some column has it.
fn claim(fields: &mut [Option<Field>], names: &[String], field: Field, aliases: &[&str]) {
    let taken = !matches!(field, Skip) && fields.contains(&Some(field));
    let free =
        |alias: &&str| (0..names.len()).find(|&i| fields[i].is_none() && names[i] == **alias);
    if !taken && let Some(column) = aliases.iter().find_map(free) {
        fields[column] = Some(field);
    }
}

/// As [`claim`], and looks at the cells where names alone mislead.
fn claim_plain(
    fields: &mut [Option<Field>],
    names: &[String],
    samples: &[Sample],
    field: Field,
    aliases: &[&str],
) {
    if field == Symbol {
        // `name` holds symbols only where it holds text.
        let text = |i: usize| samples[i].filled && !samples[i].numeric;
        let usable: Vec<&str> = aliases
            .iter()
            .filter(|alias| {
                **alias != "name" || (0..names.len()).any(|i| names[i] == **alias && text(i))
            })
            .copied()
            .collect();
        claim(fields, names, field, &usable);
    } else if field == Clock {
        let clock =
            |alias: &&&str| (0..names.len()).any(|i| names[i] == ***alias && samples[i].clock);
        let usable: Vec<&str> = aliases
            .iter()
            .filter(|alias| clock(alias))
            .copied()
            .collect();
        claim(fields, names, field, &usable);
    } else {
        claim(fields, names, field, aliases);
    }
}

/// A mapping under construction.
struct Draft<'a> {
    layout: &'static str,
    headers: &'a [String],
    names: &'a [String],
    samples: &'a [Sample],
    renamed: &'a [Named],
    fields: Vec<Option<Field>>,
}

impl Draft<'_> {
    fn has(&self, field: Field) -> bool {
        self.fields.contains(&Some(field))
    }

    /// Whether an override gives this name to a column.
    fn is_renamed(&self, name: &str) -> bool {
        let mut named = self.renamed.iter();
        named.any(|(_, _, ours)| ours.eq_ignore_ascii_case(name))
    }

    /// Columns that no field has claimed and whose cells are numbers as far as they show.
    fn further(&self, column: usize) -> bool {
        self.samples[column].numeric && !self.headers[column].trim().is_empty()
    }

    fn finish(mut self, wanted: &[String]) -> Result<Plan> {
        if !self.has(Date) {
            return Err(self.missing("date"));
        }
        let mut notes = Vec::new();
        if self.is_wide() {
            return Ok(self.finish_wide(wanted, notes));
        }
        if !self.has(Close) {
            return Err(self.missing("close"));
        }
        let priced = [Open, High, Low].map(|field| self.has(field));
        if priced != [true; 3] && priced != [false; 3] {
            let absent: Vec<&str> = ["open", "high", "low"]
                .into_iter()
                .zip(priced)
                .filter_map(|(name, there)| (!there).then_some(name))
                .collect();
            notes.push(format!(
                "no column for {}: only the closes are used",
                absent.join(" and ")
            ));
            for slot in &mut self.fields {
                if matches!(slot, Some(Open | High | Low)) {
                    *slot = Some(Skip);
                }
            }
        }
        let shape = if self.has(Symbol) {
            Shape::Long
        } else {
            Shape::One
        };
        Ok(self.finish_fields(shape, notes))
    }

    /// A date, no close, not two other fields, and columns that are not known words.
    fn is_wide(&self) -> bool {
        // LOW, OPEN and T are symbols where the file writes its other names otherwise.
        let shouts = |column: usize| !self.headers[column].chars().any(char::is_lowercase);
        let date = self.fields.iter().position(|field| *field == Some(Date));
        let ticker = |column: usize| shouts(column) && !date.is_some_and(shouts);
        let claimed = |column: &usize| {
            matches!(
                self.fields[*column],
                Some(Open | High | Low | Volume | Symbol)
            ) && !ticker(*column)
        };
        if self.has(Close) || self.is_chain() || (0..self.headers.len()).filter(claimed).count() > 1
        {
            return false;
        }
        let unknown = |column: usize| {
            let name = self.names[column].as_str();
            let word = NOT_SYMBOLS.contains(&name)
                || name.starts_with("rate_")
                || tells_when_or_whose(name);
            self.fields[column].is_none() && self.further(column) && !word
        };
        (0..self.headers.len()).any(unknown)
    }

    /// A symbol a column: LOW and OPEN are symbols here, as every name but the date's.
    fn finish_wide(self, wanted: &[String], mut notes: Vec<String>) -> Plan {
        let mut numbers = Vec::new();
        let mut symbols = Vec::new();
        let mut text = Vec::new();
        let mut roles = Vec::with_capacity(self.headers.len());
        for (column, raw) in self.headers.iter().enumerate() {
            let renamed = self
                .renamed
                .iter()
                .find(|(at, field, _)| *at == column && *field == Extra(""));
            let symbol = renamed.map_or(raw.trim(), |(_, _, name)| name.as_str());
            let index =
                tells_when_or_whose(&self.names[column]) && symbol.chars().any(char::is_lowercase);
            roles.push(match self.fields[column] {
                Some(Date) => Role::Date,
                Some(Clock) => Role::Clock,
                Some(Skip) => Role::Skip,
                _ if symbol.is_empty() || index => Role::Skip,
                _ if !self.samples[column].numeric => {
                    text.push(symbol.to_string());
                    Role::Skip
                }
                _ => {
                    symbols.push(symbol.to_string());
                    if !wanted.is_empty() && !wanted.iter().any(|w| w == symbol) {
                        roles.push(Role::Skip);
                        continue;
                    }
                    numbers.push(NumberColumn {
                        name: symbol.to_string(),
                        header: raw.trim().to_string(),
                        sure: true,
                    });
                    Role::Number(numbers.len() - 1)
                }
            });
        }
        if !text.is_empty() {
            notes.push(format!("left out, not numbers: {}", text.join(", ")));
        }
        Plan {
            layout: WIDE_NAME,
            shape: Shape::Wide,
            roles,
            headers: self.headers.to_vec(),
            numbers,
            symbols,
            notes,
        }
    }

    fn finish_fields(self, shape: Shape, notes: Vec<String>) -> Plan {
        let mut numbers: Vec<NumberColumn> = Vec::new();
        let mut roles = Vec::with_capacity(self.headers.len());
        for (column, raw) in self.headers.iter().enumerate() {
            let renamed = self.renamed.iter().find(|(at, _, _)| *at == column);
            let name = match self.fields[column] {
                Some(Date) => Err(Role::Date),
                Some(Clock) => Err(Role::Clock),
                Some(Symbol) => Err(Role::Symbol),
                Some(Skip) => Err(Role::Skip),
                Some(Open) => Ok("open".to_string()),
                Some(High) => Ok("high".to_string()),
                Some(Low) => Ok("low".to_string()),
                Some(Close) => Ok("close".to_string()),
                Some(Volume) => Ok("volume".to_string()),
                Some(Extra("")) => {
                    Ok(renamed.map_or_else(String::new, |(_, _, name)| name.to_lowercase()))
                }
                Some(Extra(name)) => Ok(name.to_string()),
                None if tells_when_or_whose(&self.names[column]) => Err(Role::Skip),
                // Its name went to the column that an override calls so.
                None if self.is_renamed(&self.names[column]) => Err(Role::Skip),
                None if self.further(column) => Ok(self.names[column].clone()),
                None => Err(Role::Skip),
            };
            roles.push(match name {
                Err(role) => role,
                Ok(name) if name.is_empty() || numbers.iter().any(|known| known.name == name) => {
                    Role::Skip
                }
                Ok(name) => {
                    let claimed = self.fields[column].is_some();
                    numbers.push(NumberColumn {
                        name,
                        header: raw.trim().to_string(),
                        sure: claimed || self.samples[column].filled,
                    });
                    Role::Number(numbers.len() - 1)
                }
            });
        }
        Plan {
            layout: self.layout,
            shape,
            roles,
            headers: self.headers.to_vec(),
            numbers,
            symbols: Vec::new(),
            notes,
        }
    }

    /// Quotes of options are no prices of the underlying.
    fn is_chain(&self) -> bool {
        let has = |mark: &str| self.names.iter().any(|name| name == mark);
        has("strike") && (has("expiration") || has("expiry"))
    }

    fn missing(&self, field: &str) -> Error {
        let headers: Vec<&str> = self.headers.iter().map(|raw| raw.trim()).collect();
        let help = if self.is_chain() {
            "this is a table of option quotes, not of prices".to_string()
        } else {
            format!("name it with --columns {field}=NAME")
        };
        Problem::new(format!(
            "no column for the {field} among {}",
            shorten(&headers.join(", "))
        ))
        .at_line(1)
        .help(help)
        .into()
    }
}

/// A text cut to what fits in a message, control characters shown as escapes.
pub(crate) fn shorten(text: &str) -> String {
    const LIMIT: usize = 60;
    let mut shown: String = text.chars().take(LIMIT).flat_map(show_char).collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push('…');
    }
    shown
}

fn show_char(c: char) -> Vec<char> {
    if c.is_control() {
        c.escape_default().collect()
    } else {
        vec![c]
    }
}
