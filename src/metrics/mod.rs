//! EQUITY AND TRADES -> NUMBERS: rows in a table beside their functions.
//!
//! [`Inputs`] is all that a metric may read, so that the metrics of a run, of a benchmark and of
//! anybody's CSV are one function set. A metric is one row, in its family's file, and [`all`]
//! lists every row in the order in which reports print them. Absent is a reason, never 0, NaN or
//! infinity. The base of every figure but those of trades and money is the time-weighted net
//! return of a session; intraday bars are compounded first.
//!
//! Formatting is left to `report`; where the columns come from is left to the engine and to
//! [`table`].

pub mod bootstrap;
pub mod caveats;
pub mod options;
pub mod profile;
pub mod table;
pub mod trial;

mod bare;
mod benchmark;
mod distribution;
mod drawdown;
mod exposure;
mod moments;
mod money_weighted;
mod periods;
mod prepared;
mod returns;
mod run;
mod trades;

pub use crate::pricing::{normal_cdf, normal_quantile};
pub use bare::{bare, bare_of_each, bare_of_run};
pub use drawdown::{Episode, drawdown_episodes, drawdown_series};
pub use money_weighted::xirr;
pub use periods::{monthly_returns, session_returns, yearly_returns};
pub use prepared::{Prepared, Value};
pub use returns::{min_track_record, probabilistic_sharpe, rolling_sharpe, sharpe_per_period};
pub use run::{OwnedInputs, of_run, returns_of_account, returns_of_layer, returns_of_run};

use crate::portfolio::Trade;
use crate::units::Micros;
use std::borrow::Cow;
use std::fmt;

/// A closed trade as the trade metrics see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedTrade {
    /// Money gained, net of fees.
    pub pnl: f64,
    /// Gain as a fraction of the money put in.
    pub pnl_pct: f64,
    /// Bars held.
    pub bars_held: f64,
}

impl From<&Trade> for ClosedTrade {
    fn from(trade: &Trade) -> Self {
        ClosedTrade {
            pnl: trade.pnl,
            pnl_pct: trade.pnl_pct,
            bars_held: f64::from(trade.bars_held),
        }
    }
}

/// Money totals of a run; unknown for anybody's returns.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Money {
    /// Commissions paid, as a positive number.
    pub fees: f64,
    /// Slippage and spread paid, as a positive number.
    pub slippage: f64,
    /// Dividends received.
    pub dividends: f64,
    /// Interest received less margin interest and borrow fees paid.
    pub interest: f64,
    /// Option premium received, and the same less what was bought back and given up; `None` without
    /// options.
    pub premium: Option<(f64, f64)>,
    /// Taxes paid; `None` without `[tax]`.
    pub taxes: Option<f64>,
    /// What would be owed beyond them if everything were sold at the end; `None` without `[tax]`.
    pub tax_at_end: Option<f64>,
}

/// What metrics may read. Slices hold one element a bar unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Moments of the bars.
    pub time: &'a [Micros],
    /// Time-weighted net return of each bar; NaN where the denominator was not positive.
    pub returns: &'a [f64],
    /// Risk-free return of each bar; empty for a rate of 0.
    pub rate: &'a [f64],
    /// Return of savings at the hurdle of each bar; empty when unknown.
    pub hurdle: &'a [f64],
    /// Returns of the benchmark that beta, alpha and captures are against.
    pub benchmark: Option<&'a [f64]>,
    /// Bars a year.
    pub periods_a_year: f64,
    /// Bars a session: intraday returns are compounded to session ends first.
    pub bars_a_session: f64,
    /// Equity before the first bar; `None` for bare returns.
    pub start_equity: Option<f64>,
    /// Equity at the end.
    pub end_equity: Option<f64>,
    /// External flows of each bar; empty when there are none.
    pub flows: &'a [f64],
    /// Position weight of each bar; empty when unknown.
    pub weight: &'a [f64],
    /// Two-sided turnover of each bar as a fraction of equity (sum of |dw|); empty when unknown.
    pub turnover: &'a [f64],
    /// Closed trades; `None` when trades are unknown.
    pub trades: Option<&'a [ClosedTrade]>,
    /// Money totals; `None` when unknown.
    pub money: Option<Money>,
    /// Trades whose bar reached both stop and target; `None` when unknown.
    pub ambiguous_trades: Option<u32>,
    /// Seed of the bootstrap; [`bootstrap::SEED`] unless the user gives one.
    pub seed: u64,
}

/// What a metric's number is, so that reports can print it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction: 0.05 is 5%.
    Fraction,
    /// Money of the account.
    Money,
    /// A whole number.
    Count,
    /// Calendar days.
    Days,
    /// Bars.
    Bars,
    /// A pure number.
    Ratio,
}

/// Which way is better, for tables that mark the best and for objectives of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither.
    Neither,
}

/// Why a number does not exist, in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent(Cow<'static, str>);

impl Absent {
    /// A reason: a few words in lower case without a full stop.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Absent(reason.into())
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row of the table: one figure and its one definition.
pub struct Metric {
    /// Name in JSON and on the command line.
    pub key: &'static str,
    /// Name in tables, at most 22 characters.
    pub label: &'static str,
    /// What the number is.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// The definition.
    pub formula: &'static str,
    /// Who defined it so.
    pub source: &'static str,
    /// The definition in code.
    pub compute: fn(&Prepared) -> Value<f64>,
}

/// The families of rows in the order of reports.
static FAMILIES: [&[Metric]; 9] = [
    &returns::ROWS,
    &drawdown::ROWS,
    &distribution::ROWS,
    &exposure::ROWS,
    &benchmark::ROWS,
    &trades::ROWS,
    &trades::MONEY,
    &trades::AMBIGUOUS,
    &benchmark::SAVINGS,
];

/// Every metric, in the order of reports and of JSON.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    FAMILIES.iter().flat_map(|rows| rows.iter())
}

/// The metric of a key.
pub fn find(key: &str) -> Option<&'static Metric> {
    all().find(|metric| metric.key == key)
}

/// Numbers, or the reasons why they are absent, in the order of [`all`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// Key, and the number or the reason.
    pub values: Vec<(&'static str, std::result::Result<f64, String>)>,
    /// Mean block, in session returns, of the bootstrap behind `sharpe_low` and `sharpe_high`;
    /// `None` when none was made.
    pub block: Option<f64>,
    /// Number of session returns; 0 when they are not defined.
    pub observations: usize,
    /// 90% intervals of `cagr` and `max_drawdown`; only with all metrics, and where there are
    /// returns enough.
    pub growth: Option<bootstrap::GrowthIntervals>,
}

impl Metrics {
    /// The number of a key; `None` when it is absent or was not computed.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.value(key)?.as_ref().ok().copied()
    }

    /// Why a number is absent; `None` when it is there or was not computed.
    pub fn reason(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_ref().err().map(String::as_str)
    }

    /// Whether money came from outside or went there: then equity grew otherwise than wealth did,
    /// and the money-weighted return says something of its own.
    pub fn has_flows(&self) -> bool {
        const ROUNDING: f64 = 1e-9;
        let figures = ["start_equity", "end_equity", "total_return"].map(|key| self.get(key));
        let [Some(start), Some(end), Some(growth)] = figures else {
            // Without a return there may have been flows: what made it absent is beside it.
            return self.get("mwr").is_some();
        };
        (end / start - 1.0 - growth).abs() > ROUNDING * (1.0 + growth.abs())
    }

    /// A key with its number or reason; `None` when it was not computed.
    pub(crate) fn entry(
        &self,
        key: &str,
    ) -> Option<&(&'static str, std::result::Result<f64, String>)> {
        self.values.iter().find(|(k, _)| *k == key)
    }

    fn value(&self, key: &str) -> Option<&std::result::Result<f64, String>> {
        let found = self.values.iter().find(|(k, _)| *k == key);
        found.map(|(_, value)| value)
    }
}

/// Every metric of the table.
///
/// # Panics
/// As [`Prepared::new`], if the columns differ in length.
pub fn compute(inputs: &Inputs) -> Metrics {
    let prepared = Prepared::new(inputs);
    Metrics {
        growth: prepared.growth_intervals().ok(),
        ..compute_rows(&prepared, all())
    }
}

/// The metrics of `keys`, in the order of the table; unknown keys are left out. What only the
/// others need (the bootstrap above all) is not computed.
///
/// # Panics
/// As [`Prepared::new`], if the columns differ in length.
pub fn compute_only(inputs: &Inputs, keys: &[&str]) -> Metrics {
    let rows = all().filter(|metric| keys.contains(&metric.key));
    compute_rows(&Prepared::new(inputs), rows)
}

fn compute_rows(prepared: &Prepared, rows: impl Iterator<Item = &'static Metric>) -> Metrics {
    let values = rows
        .map(|metric| (metric.key, finite((metric.compute)(prepared))))
        .collect();
    Metrics {
        values,
        block: prepared.block_used(),
        observations: prepared.observations(),
        growth: None,
    }
}

/// The last gate: what is no number is absent, and zero has no sign.
fn finite(value: Value<f64>) -> std::result::Result<f64, String> {
    match value {
        Ok(v) if v.is_finite() => Ok(v + 0.0),
        Ok(_) => Err("beyond the range of numbers".to_owned()),
        Err(absent) => Err(absent.to_string()),
    }
}
