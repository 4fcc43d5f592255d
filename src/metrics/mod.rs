//! EQUITY AND TRADES -> NUMBERS: rows in a table beside their functions.
//!
//! [`Inputs`] is all that a metric may read, so that the metrics of a run, of a benchmark and of
//! anybody's CSV are one function set. Absent is `None` with a reason, never 0, NaN or infinity.

use crate::units::Micros;

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

/// Money totals of a run; all zero for anybody's returns.
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
}

/// What metrics may read. Slices hold one element a bar unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Moments of the bars.
    pub time: &'a [Micros],
    /// Time-weighted net return of each bar; NaN where the denominator was not positive.
    pub returns: &'a [f64],
    /// Risk-free return of each bar.
    pub rate: &'a [f64],
    /// Return of savings at the hurdle of each bar.
    pub hurdle: &'a [f64],
    /// Returns of the benchmark that beta, alpha and captures are against.
    pub benchmark: Option<&'a [f64]>,
    /// Bars a year.
    pub periods_a_year: f64,
    /// Bars a session: intraday returns are compounded to session ends first.
    pub bars_a_session: f64,
    /// Equity before the first bar and at each bar; `None` for bare returns.
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
    /// Trades whose bar reached both stop and target.
    pub ambiguous_trades: Option<u32>,
}
