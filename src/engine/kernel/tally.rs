//! What is left of a trial when its equity is not kept: the sums that its figures follow from.
//!
//! The figures themselves are left to `metrics`, which reads nothing else of a trial.

/// Blocks of a trial's sessions whose sums judge overfitting.
pub const BLOCKS: usize = 16;

/// The sums of one simulation over its sessions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at the last close.
    pub end_equity: f64,
    /// Session returns.
    pub sessions: usize,
    /// Moments of the session returns.
    pub returns: Moments,
    /// Moments of the session returns less the risk-free return.
    pub excess: Moments,
    /// Sum of min(x, 0)^2 over the excess returns x.
    pub downside: f64,
    /// Deepest fall of the equity at session ends from its peak, as a fraction <= 0.
    pub drawdown: f64,
    /// The equity was not positive somewhere, so that returns have no meaning.
    pub is_ruined: bool,
    /// Closed trades.
    pub trades: u32,
    /// Closed trades that gained money.
    pub wins: u32,
    /// Trades, open ones too.
    pub entries: u32,
    /// Sessions with a position at a close.
    pub held: usize,
    /// Sums of the excess returns in [`BLOCKS`] blocks of equal length (sessions beyond the last
    /// whole block are left out); empty unless asked for.
    pub blocks: Vec<BlockSums>,
}

/// Counts of one account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Closed trades.
    pub trades: u32,
    /// Closed trades that gained money.
    pub wins: u32,
    /// Trades, open ones too.
    pub entries: u32,
}

/// Mean, and sum of squares about it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// Arithmetic mean.
    pub mean: f64,
    /// Sum of (x - mean)^2.
    pub squares: f64,
}

/// Sums of one block of excess returns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BlockSums {
    /// Number of returns.
    pub count: u32,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}
