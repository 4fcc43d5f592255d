//! Columns of one symbol, checked when made.

use crate::units::Micros;
use std::sync::Arc;

/// A column of numbers, shared when several columns are the same (closes-only files).
pub type Column = Arc<Vec<f64>>;

/// The bars of one symbol, one element a bar in every column.
///
/// Invariants, checked by [`Bars::new`]: all columns have the length of `time`; `time` is strictly
/// increasing; open, high, low and close are finite and positive.
#[derive(Debug, Clone)]
pub struct Bars {
    /// Moments at which the bars stand (their start for intraday bars, midnight for daily ones).
    pub time: Arc<Vec<Micros>>,
    /// First price.
    pub open: Column,
    /// Highest price.
    pub high: Column,
    /// Lowest price.
    pub low: Column,
    /// Last price.
    pub close: Column,
    /// Shares traded, `None` when the file has no such column. A missing cell is NaN.
    pub volume: Option<Column>,
    /// Further numeric columns by lower-case name; a missing cell is NaN.
    pub extra: Vec<(String, Column)>,
    /// The file had closes only, so open, high and low are the close.
    pub closes_only: bool,
}
