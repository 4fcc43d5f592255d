//! What a file holds by its header, and findings about files that hold no prices: returns,
//! rates, lists of actions.

use super::{Finding, FindingKind, Findings, counted};
use crate::market::load::parquet_names;
use crate::market::moment;
use crate::units::Micros;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes in which the header must be found.
const HEADER_BYTES: u64 = 1 << 16;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Prices,
    Chain,
    Returns,
    Rates,
    Actions,
}

impl Holds {
    pub(super) fn name(self) -> &'static str {
        match self {
            Holds::Prices => "prices",
            Holds::Chain => "option chain",
            Holds::Returns => "returns",
            Holds::Rates => "rates",
            Holds::Actions => "actions",
        }
    }
}

/// The header of a file.
pub(super) struct Table {
    /// Lower-case names with underscores.
    pub(super) names: Vec<String>,
    /// Between the cells of a text file; `None` is a Parquet file.
    pub(super) delimiter: Option<u8>,
    pub(super) holds: Holds,
}

impl Table {
    /// The column that has one of these names, the first name that is there.
    pub(super) fn find(&self, known: &[&str]) -> Option<usize> {
        known
            .iter()
            .find_map(|k| self.names.iter().position(|name| name == k))
    }

    /// A reader of the rows of a text file.
    pub(super) fn rows(&self, path: &Path) -> std::io::Result<csv::Reader<Box<dyn Read>>> {
        Ok(csv::ReaderBuilder::new()
            .delimiter(self.delimiter.unwrap_or(b','))
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(open(path)?))
    }
}

/// The bytes of a file, decompressed when it ends in `.gz`.
fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    let is_gz = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    Ok(if is_gz {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

/// Reads the header of a file; `None` when it has none that can be read.
pub(super) fn sniff(path: &Path) -> Option<Table> {
    let clean = |cell: &str| {
        cell.trim()
            .trim_matches('"')
            .trim()
            .to_lowercase()
            .replace([' ', '-'], "_")
    };
    let mut bytes = Vec::new();
    // A broken end of the sample does not matter, a broken start shows in the header.
    let _ = open(path).ok()?.take(HEADER_BYTES).read_to_end(&mut bytes);
    let mut table = if bytes.starts_with(b"PAR1") {
        let names = parquet_names(path)?
            .iter()
            .map(|name| clean(name))
            .collect();
        Table {
            names,
            delimiter: None,
            holds: Holds::Prices,
        }
    } else {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let end = text
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r'))
            .unwrap_or(text.len());
        let header = std::str::from_utf8(&text[..end]).ok()?;
        let count = |d: &u8| header.bytes().filter(|b| b == d).count();
        let delimiter = [b'\t', b';', b','].into_iter().max_by_key(count)?;
        let names = header.split(char::from(delimiter)).map(clean).collect();
        Table {
            names,
            delimiter: Some(delimiter),
            holds: Holds::Prices,
        }
    };
    table.holds = table.classify();
    // Of Parquet files only chains are looked at here.
    (table.delimiter.is_some() || table.holds == Holds::Chain).then_some(table)
}

const EXPIRATIONS: &[&str] = &[
    "expiration",
    "expiry",
    "expire_date",
    "expiration_date",
    "exp_date",
    "expirationdate",
];
const STRIKES: &[&str] = &["strike", "strike_price"];
const PRICES: &[&str] = &[
    "close",
    "close/last",
    "last",
    "price",
    "adj_close",
    "adj._close",
    "adjclose",
    "open",
];

impl Table {
    fn classify(&self) -> Holds {
        let has = |known: &[&str]| self.find(known).is_some();
        let dated = has(&["date", "month", "timestamp", "time", "ex_date"]);
        let rest = || {
            self.names
                .iter()
                .filter(|n| !matches!(n.as_str(), "date" | "month" | "timestamp"))
        };
        // m1, m3, y10: tenors of a yield curve.
        let is_tenor = |name: &String| {
            name.starts_with(['d', 'w', 'm', 'y'])
                && name.len() > 1
                && name[1..].bytes().all(|b| b.is_ascii_digit())
        };
        if has(STRIKES) && has(EXPIRATIONS) {
            Holds::Chain
        } else if !dated || has(PRICES) {
            Holds::Prices
        } else if has(&["ex_date", "kind", "ratio"]) {
            Holds::Actions
        } else if has(&["return", "returns", "ret", "total_return", "daily_return"]) {
            Holds::Returns
        } else if rest().count() > 0
            && rest().all(|n| is_tenor(n) || n.starts_with("rate") || n.starts_with("yield"))
        {
            Holds::Rates
        } else {
            Holds::Prices
        }
    }
}

/// Findings about a file of returns, rates or actions, and how many rows it has.
pub(super) fn audit_table(path: &Path, file: &str, table: &Table) -> (Vec<Finding>, usize) {
    let mut found = Vec::new();
    let mut findings = Findings {
        file,
        symbol: "",
        found: &mut found,
    };
    let columns = table.names.join(", ");
    let (kind, what, cure) = match table.holds {
        Holds::Returns => (
            FindingKind::Returns,
            format!("returns, not prices (columns {columns}): nothing can be bought at a return"),
            "use `papertape metrics` on it; whether it holds price or total returns throughout is not in the file: compare with a known series",
        ),
        Holds::Rates => (
            FindingKind::NoPrices,
            format!("rates, not prices (columns {columns})"),
            "name it as a rate: [cash] yield, [benchmark] rate or pricing.rate",
        ),
        _ => (
            FindingKind::NoPrices,
            format!("actions, not prices (columns {columns})"),
            "actions of all symbols go into one actions.csv: date,symbol,kind,value",
        ),
    };
    let Scan {
        rows,
        empty,
        unsorted,
        duplicate,
        unreadable,
    } = scan(path, table);
    findings.add_counted(kind, &[], rows, what, cure);
    findings.add(
        FindingKind::EmptyCells,
        &empty,
        |n| format!("{} with an empty cell", counted(n, "row")),
        "the value before is carried forward there",
    );
    findings.add(
        FindingKind::Unsorted,
        &unsorted,
        |n| format!("dates go back {}", counted(n, "time")),
        "sort the rows by date",
    );
    findings.add(
        FindingKind::Duplicate,
        &duplicate,
        |n| format!("{} with the date of the row before", counted(n, "row")),
        "keep one of each date",
    );
    findings.add(
        FindingKind::Unreadable,
        &unreadable,
        |n| format!("{} without a date that can be read", counted(n, "row")),
        "mend the cells",
    );
    (found, rows)
}

/// Lines of a table with something wrong.
#[derive(Default)]
struct Scan {
    rows: usize,
    empty: Vec<u64>,
    unsorted: Vec<u64>,
    duplicate: Vec<u64>,
    unreadable: Vec<u64>,
}

fn scan(path: &Path, table: &Table) -> Scan {
    let mut scan = Scan::default();
    let date = table
        .find(&["date", "month", "timestamp", "time", "ex_date"])
        .unwrap_or(0);
    let Ok(mut reader) = table.rows(path) else {
        return scan;
    };
    let mut last: Option<Micros> = None;
    for record in reader.byte_records() {
        let Ok(row) = record else {
            scan.unreadable.push(scan.rows as u64 + 2);
            // The reader can't go on behind a broken stream.
            break;
        };
        scan.rows += 1;
        let line = row.position().map_or(0, csv::Position::line);
        if row.iter().any(<[u8]>::is_empty) {
            scan.empty.push(line);
        }
        let Some(time) = row.get(date).and_then(moment::parse) else {
            scan.unreadable.push(line);
            continue;
        };
        match last {
            Some(before) if time < before => scan.unsorted.push(line),
            // Actions may share a day.
            Some(before) if time == before && table.holds != Holds::Actions => {
                scan.duplicate.push(line)
            }
            _ => {}
        }
        last = Some(time);
    }
    scan
}
