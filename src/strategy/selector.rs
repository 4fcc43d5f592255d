//! The selectors that say how much of many symbols to hold: `[rank]` and `[weights]` as values.
//!
//! `read.rs` fills them in and checks their keys against each other; what they mean on a bar is the
//! engine's, and the mathematics of weights is in `allocation.rs`.

mod read;

pub(super) use read::{check, rank, weights};

use crate::strategy::{Every, ExprText, ScheduleDay};

/// How many names `[rank]` holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hold {
    /// So many.
    Count(u32),
    /// This share of the symbols that are eligible, at least one.
    Quantile(f64),
}

/// `[rank] weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankWeight {
    /// Each slot weighs the same.
    Equal,
    /// In proportion to the score; one at or below 0 weighs nothing.
    Score,
    /// In proportion to 1 / volatility.
    InverseVol,
    /// The best weighs as many parts as there are names, the last one part.
    Rank,
}

/// Where the weight of a slot goes that holds no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refuge {
    /// It stays cash.
    Cash,
    /// Into this symbol, which is not ranked itself.
    Symbol(String),
}

/// `[rank]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rank {
    /// Number that symbols are ranked by, the highest first.
    pub score: ExprText,
    /// Condition of taking part.
    pub condition: Option<ExprText>,
    /// How many are held.
    pub hold: Hold,
    /// How many of the lowest are sold short.
    pub short_hold: u32,
    /// How the slots weigh.
    pub weight: RankWeight,
    /// `realized_vol(close, vol_window)`, for `weight = "inverse_vol"`.
    pub volatility: ExprText,
    /// Length of a period.
    pub every: Every,
    /// Which session of the period decides.
    pub day: ScheduleDay,
    /// A holding stays while it ranks within `hold + buffer`.
    pub buffer: u32,
    /// Condition that a chosen name must meet; its slot goes to the refuge otherwise.
    pub absolute: Option<ExprText>,
    /// Where empty slots go.
    pub refuge: Refuge,
    /// Every decision resets all holdings to their targets.
    pub reweight: bool,
}

/// `[weights] method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightMethod {
    /// 1 / n.
    Equal,
    /// In proportion to 1 / volatility.
    InverseVol,
    /// Each contributes the same to the variance.
    RiskParity,
    /// The least variance, long only.
    MinVariance,
}

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Mix {
    /// Symbols with the share of equity that each is to have.
    Targets(Vec<(String, f64)>),
    /// Computed from the past of the universe.
    Method(WeightMethod),
}

/// `[weights]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// What the weights are.
    pub mix: Mix,
    /// Returns that a method looks back on.
    pub window: u32,
    /// What a method reads of each symbol; `None` when it reads nothing.
    pub measure: Option<ExprText>,
    /// Length of a period; `None` without a schedule.
    pub every: Option<Every>,
    /// Which session of the period decides.
    pub day: ScheduleDay,
    /// Largest distance of a weight from its target.
    pub drift_abs: Option<f64>,
    /// Largest distance as a fraction of the target.
    pub drift_rel: Option<f64>,
    /// Trade the weights that left their band to its nearer edge only.
    pub toward_band: bool,
    /// Smaller trades, in money, are left out.
    pub min_trade: f64,
    /// Trades whose tax exceeds their benefit are left out.
    pub tax_aware: bool,
}

impl Rank {
    /// Whether the lowest are sold short.
    pub fn shorts(&self) -> bool {
        self.short_hold > 0
    }

    /// The symbol that empty slots go to.
    pub fn refuge_symbol(&self) -> Option<&str> {
        match &self.refuge {
            Refuge::Cash => None,
            Refuge::Symbol(symbol) => Some(symbol),
        }
    }
}

impl Hold {
    /// Slots when so many symbols are eligible.
    pub fn slots(self, eligible: usize) -> usize {
        match self {
            Hold::Count(n) => n as usize,
            // A product such as 0.29 x 100 lies a rounding below its whole number.
            Hold::Quantile(share) => ((share * eligible as f64 + 1e-9).floor() as usize).max(1),
        }
    }
}

impl Weights {
    /// Symbols with fixed targets; empty for a method.
    pub fn targets(&self) -> &[(String, f64)] {
        match &self.mix {
            Mix::Targets(targets) => targets,
            Mix::Method(_) => &[],
        }
    }

    /// Whether the method reads the returns of its window, not a number of each symbol.
    pub fn reads_returns(&self) -> bool {
        let method = match self.mix {
            Mix::Method(method) => method,
            Mix::Targets(_) => return false,
        };
        matches!(method, WeightMethod::RiskParity | WeightMethod::MinVariance)
    }

    /// Whether weights are compared with their targets at every close.
    pub fn watches_drift(&self) -> bool {
        self.drift_abs.is_some() || self.drift_rel.is_some()
    }

    /// The weights between which one with this target is left alone.
    pub fn band(&self, target: f64) -> (f64, f64) {
        let width = self.drift_abs.unwrap_or(f64::INFINITY);
        let width = width.min(self.drift_rel.map_or(f64::INFINITY, |r| r * target.abs()));
        match width.is_finite() {
            true => (target - width, target + width),
            false => (target, target),
        }
    }
}
