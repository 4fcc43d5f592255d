//! What a simulation leaves behind: columns a bar, orders, trades, ledger, income.

use crate::execution::Order;
use crate::instrument::Symbol;
use crate::portfolio::{Entry, IncomeRow, Trade};
use crate::units::Micros;

/// The ambiguity band: trades whose bar reached both stop and target, and the equity at the end
/// under each way of settling it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ambiguous {
    /// Number of ambiguous trades of this run.
    pub trades: u32,
    /// Equity at the end with `ambiguity = "worst"`.
    pub worst: f64,
    /// … `"path"`.
    pub path: f64,
    /// … `"best"`.
    pub best: f64,
}

/// One symbol's own account, with `[account] each`.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolRun {
    /// Index of the symbol in the market.
    pub symbol: usize,
    /// Equity at each bar of the run.
    pub equity: Vec<f64>,
    /// Cash before the first bar.
    pub start_equity: f64,
    /// Closed trades.
    pub trades: u32,
}

/// The record of one simulation. Columns have one element a bar of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Name of the strategy or benchmark.
    pub name: String,
    /// Names of the market's symbols, which indices in orders, trades and entries point into.
    pub symbols: Vec<Symbol>,
    /// Clock index in the market of the run's first bar. Bar indices in orders, trades and
    /// entries are clock indices: subtract this to index the columns below.
    pub first_bar: usize,
    /// Bars before the first bar that warm-up could read.
    pub warmup_bars: usize,
    /// Moments of the bars.
    pub time: Vec<Micros>,
    /// Bars a year and how it came about.
    pub periods_a_year: f64,
    /// Bars a session (1 for daily and coarser bars).
    pub bars_a_session: f64,
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at each close, net of everything booked on that bar.
    pub equity: Vec<f64>,
    /// Cash at each close.
    pub cash: Vec<f64>,
    /// Market value of holdings at each close (shorts negative).
    pub holdings: Vec<f64>,
    /// External flows of each bar, before its open: deposits positive.
    pub flows: Vec<f64>,
    /// Gross value of positions over equity at each close.
    pub exposure: Vec<f64>,
    /// Value traded on each bar, both sides.
    pub traded: Vec<f64>,
    /// Risk-free return of each bar (for the metrics that name a rate).
    pub rate: Vec<f64>,
    /// Return of savings at `[cash] hurdle` on each bar.
    pub hurdle: Vec<f64>,
    /// Every order decided.
    pub orders: Vec<Order>,
    /// Every round trip and open position.
    pub trades: Vec<Trade>,
    /// The ledger, in order of booking.
    pub ledger: Vec<Entry>,
    /// Income by month, symbol and stream; sums to the change of equity.
    pub income: Vec<IncomeRow>,
    /// The ambiguity band; `None` when no trade was ambiguous.
    pub ambiguous: Option<Ambiguous>,
    /// With `[account] each`: every symbol's own account.
    pub each: Vec<SymbolRun>,
    /// Symbols whose last bar is before the run's last bar and that are still held.
    pub stale: Vec<usize>,
}
