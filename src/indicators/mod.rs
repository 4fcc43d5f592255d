//! BARS -> SERIES: rows in a table beside their functions, one file a family.
//!
//! A row names an indicator, its arguments, formula, warm-up and source; the parser of rules,
//! `list indicators`, the documents and the causality test read the table. Functions are free
//! functions over slices; a value that does not exist (warm-up, missing input) is NaN here and
//! becomes "absent" in the rules. This folder is the only place that names `ta`, the crate of
//! streaming indicators: its numbers are used where they are TA-Lib's and cost O(1) a bar (the
//! exponential average given TA-Lib's seed, the true range, the rate of change, on-balance volume);
//! the rest is ours, O(1) a bar, or O(log n) where a window must be kept in order.
//!
//! Conditions, calendar functions, events and whatever needs other symbols are left to the rules.

mod averages;
mod bands;
mod gaps;
mod ordered;
mod oscillators;
mod sliding;
mod trend;
mod volatility;
mod volume;
mod windows;

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
    /// Bars of memory of what forgets: computed on columns that begin at a multiple of so many bars,
    /// it is the whole column to the last bit from as many bars on, where no input is missing. `None`
    /// when it remembers everything.
    pub memory: fn(&[f64]) -> Option<usize>,
    /// A relation between arguments that ranges cannot say: `None` when they are fine, else why
    /// not (for example "fast must be smaller than slow").
    pub check: fn(&[f64]) -> Option<&'static str>,
    /// The column: same length as the inputs, NaN where there is no value.
    pub compute: fn(&Inputs<'_>, &[f64]) -> Vec<f64>,
}

impl Indicator {
    /// The column of this indicator: as long as `inputs.close`, NaN where there is no value, which
    /// is also what a number beyond the range of f64 becomes.
    ///
    /// `args` holds one number for each of [`Indicator::args`], within its range and past
    /// [`Indicator::check`]; whoever reads them from a user has checked that. A missing volume
    /// column gives a column without values.
    ///
    /// # Panics
    /// If there are fewer numbers in `args` than [`Indicator::args`] names.
    pub fn run(&self, inputs: &Inputs<'_>, args: &[f64]) -> Vec<f64> {
        (self.compute)(inputs, args)
    }
}

/// The families in reading order: title and rows.
pub fn families() -> [(&'static str, &'static [Indicator]); 7] {
    [
        ("averages", averages::ROWS),
        ("oscillators", oscillators::ROWS),
        ("trend", trend::ROWS),
        ("bands", bands::ROWS),
        ("volatility", volatility::ROWS),
        ("volume", volume::ROWS),
        ("windows", windows::ROWS),
    ]
}

/// Every row, family by family.
pub fn all() -> impl Iterator<Item = &'static Indicator> {
    families().into_iter().flat_map(|(_, rows)| rows.iter())
}

/// The row of that name.
pub fn find(name: &str) -> Option<&'static Indicator> {
    all().find(|row| row.name == name)
}

/// What rows have in common: a series argument, one whole number `n`, a result in its unit.
const SERIES_ROW: Indicator = Indicator {
    name: "",
    takes_series: true,
    needs_volume: false,
    args: &[bars("n", 1)],
    scale: Scale::OfInput,
    title: "",
    formula: "",
    source: "",
    warmup: |a| whole(a, 0) - 1,
    memory: |_| None,
    check: |_| None,
    compute: |inputs, _| vec![f64::NAN; inputs.close.len()],
};

/// The same for what reads bars, a price a share.
const BARS_ROW: Indicator = Indicator {
    takes_series: false,
    scale: Scale::Price,
    ..SERIES_ROW
};

/// The longest window, TA-Lib's.
const BARS_MAX: u32 = 100_000;

/// An argument that counts bars, at least `min`.
const fn bars(name: &'static str, min: u32) -> Arg {
    Arg {
        name,
        kind: ArgKind::Whole { min, max: BARS_MAX },
    }
}

/// An argument that is any number of a range.
const fn real(name: &'static str, min: f64, max: f64) -> Arg {
    Arg {
        name,
        kind: ArgKind::Real { min, max },
    }
}

/// Argument `k` as a count of bars; never 0, so that warm-ups cannot underflow.
fn whole(args: &[f64], k: usize) -> usize {
    (args[k] as usize).max(1)
}

/// For rows of a fast and a slow average.
fn fast_below_slow(args: &[f64]) -> Option<&'static str> {
    (args[0] >= args[1]).then_some("fast must be smaller than slow")
}
