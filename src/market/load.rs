//! Files to [`Market`]: CSV and Parquet in the layouts of many vendors.

use crate::error::Problem;
use crate::units::Micros;
use std::path::PathBuf;

/// What to read and how; the default reads all symbols under the columns' usual names.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The symbols wanted, all when empty. Only files that hold them are read.
    pub symbols: Vec<String>,
    /// Overrides of the column mapping as (field, header): `("close", "Last")`. Fields are `date`,
    /// `time` (of day, beside a date), `symbol`, `open`, `high`, `low`, `close`, `volume`; any
    /// other name makes the column a further one under that name.
    pub columns: Vec<(String, String)>,
    /// Dividends and splits; `actions.csv` beside the data when `None`.
    pub actions: Option<PathBuf>,
    /// Compute the SHA-256 of every file read.
    pub hash: bool,
}

/// The rows of one symbol as they stand in a file, for the audit: nothing sorted, nothing refused.
///
/// All columns have one element a row whose time could be read; the rest are in `problems`.
#[derive(Debug, Clone, Default)]
pub struct RawTape {
    /// The symbol.
    pub symbol: String,
    /// The file, as a path to show.
    pub file: String,
    /// 1-based line of each row in a text file (the header is line 1), 1-based row in Parquet.
    pub line: Vec<u64>,
    /// Time of each row, in file order (a file that is newest first throughout is turned round).
    pub time: Vec<Micros>,
    /// First price, NaN when missing.
    pub open: Vec<f64>,
    /// Highest price, NaN when missing.
    pub high: Vec<f64>,
    /// Lowest price, NaN when missing.
    pub low: Vec<f64>,
    /// Last price, NaN when missing.
    pub close: Vec<f64>,
    /// Shares traded, NaN when missing.
    pub volume: Vec<f64>,
    /// Further numeric columns by lower-case name, NaN when missing.
    pub extra: Vec<(String, Vec<f64>)>,
    /// The file has closes only: open, high and low repeat the close.
    pub closes_only: bool,
    /// The file has a volume column.
    pub has_volume: bool,
    /// Cells and rows that could not be read, with their lines.
    pub problems: Vec<Problem>,
    /// The vendor layout that was recognised.
    pub layout: &'static str,
}
