//! BARS -> SERIES: rows in a table beside their functions, one file a family.
//!
//! A row names an indicator, its arguments, formula, warm-up and source; the parser of rules,
//! `list indicators`, the documents and the causality test read the table. Functions are free
//! functions over slices; a value that does not exist (warm-up, missing input) is NaN here and
//! becomes "absent" in [`crate::rules`]. This folder is the only place that names `ta`.

/// What kind of number an argument is, and its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ArgKind {
    /// A whole number of bars in `min..=max`.
    Whole { min: u32, max: u32 },
    /// Any finite number in `min..=max`.
    Real { min: f64, max: f64 },
}

/// One argument of an indicator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arg {
    /// Name shown in documents, for example `n`.
    pub name: &'static str,
    /// Its kind and range.
    pub kind: ArgKind,
}

/// How many powers of price and of volume a result carries: how it scales when the price of a
/// share is halved by a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Same unit as the input series `x` (averages, highest, stdev).
    OfInput,
    /// Money a share (atr, keltner, psar).
    Price,
    /// A pure number (rsi, roc, zscore).
    Pure,
    /// Shares (obv).
    Volume,
}

/// The columns that an indicator reads, all of one length.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The series argument `x`; the close when it was left out or the indicator takes none.
    pub x: &'a [f64],
    /// First prices.
    pub open: &'a [f64],
    /// Highest prices.
    pub high: &'a [f64],
    /// Lowest prices.
    pub low: &'a [f64],
    /// Last prices.
    pub close: &'a [f64],
    /// Volume; empty when the data has none.
    pub volume: &'a [f64],
    /// Bars a year, for what is annualised.
    pub periods_a_year: f64,
}

/// A row: one function that rules can call.
pub struct Indicator {
    /// Name in expressions.
    pub name: &'static str,
    /// `true` when the first argument is a series `x` that may be left out (then the close).
    pub takes_series: bool,
    /// `true` when it reads volume, so that data without volume is refused.
    pub needs_volume: bool,
    /// The numeric arguments, in order, after `x`.
    pub args: &'static [Arg],
    /// Unit of the result.
    pub scale: Scale,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The formula, as in `list indicators`.
    pub formula: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
    /// 0-based index of the first value on a column without gaps.
    pub warmup: fn(&[f64]) -> usize,
    /// A relation between arguments that ranges cannot say: `None` when they are fine, else why
    /// not (for example "fast must be smaller than slow").
    pub check: fn(&[f64]) -> Option<&'static str>,
    /// The column: same length as the inputs, NaN where there is no value.
    pub compute: fn(&Inputs<'_>, &[f64]) -> Vec<f64>,
}
