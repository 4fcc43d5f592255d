//! When and at what price an order fills within a bar. The intrabar conventions live here.
//!
//! Prices are before slippage; [`Touch::slips`] says whether slippage is added.

use crate::execution::{Reason, Side};
use crate::strategy::Ambiguity;

/// One bar's prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarPrices {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// A protective exit that a bar reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Touch {
    /// Price before slippage.
    pub price: f64,
    /// Stop, target or trail, inside the bar or by a gap.
    pub reason: Reason,
    /// Stops slip, targets don't.
    pub slips: bool,
    /// The bar reached both stop and target, and the convention decided.
    pub ambiguous: bool,
}

/// The levels that protect a position, in the money of the bar.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Levels {
    /// Fixed stop (moved to the entry by `breakeven`).
    pub stop: Option<f64>,
    /// Trailing stop as of before the bar.
    pub trail: Option<f64>,
    /// Target.
    pub target: Option<f64>,
}

impl Levels {
    /// The stop that is reached first and its name inside the bar; the fixed stop wins a tie.
    fn effective(&self, long: bool) -> Option<(f64, Reason)> {
        match (self.stop, self.trail) {
            (Some(stop), Some(trail)) => {
                let trail_first = if long { trail > stop } else { trail < stop };
                Some(if trail_first {
                    (trail, Reason::Trail)
                } else {
                    (stop, Reason::Stop)
                })
            }
            (Some(stop), None) => Some((stop, Reason::Stop)),
            (None, Some(trail)) => Some((trail, Reason::Trail)),
            (None, None) => None,
        }
    }
}

fn gap_of(reason: Reason) -> Reason {
    match reason {
        Reason::Trail => Reason::TrailGap,
        Reason::Target => Reason::TargetGap,
        _ => Reason::StopGap,
    }
}

/// A stop or target that the bar opened beyond: sold (bought back) at the open.
pub fn gapped(bar: &BarPrices, levels: &Levels, long: bool) -> Option<Touch> {
    let beyond = |level: f64, below: bool| {
        if below {
            bar.open <= level
        } else {
            bar.open >= level
        }
    };
    if let Some((stop, reason)) = levels.effective(long)
        && beyond(stop, long)
    {
        return Some(Touch {
            price: bar.open,
            reason: gap_of(reason),
            slips: true,
            ambiguous: false,
        });
    }
    let target = levels.target?;
    beyond(target, !long).then_some(Touch {
        price: bar.open,
        reason: Reason::TargetGap,
        slips: false,
        ambiguous: false,
    })
}

/// A stop or target reached inside a bar that did not open beyond either.
pub fn touched(
    bar: &BarPrices,
    levels: &Levels,
    long: bool,
    ambiguity: Ambiguity,
) -> Option<Touch> {
    let stop = levels.effective(long).filter(|&(level, _)| {
        if long {
            bar.low <= level
        } else {
            bar.high >= level
        }
    });
    let target = levels.target.filter(|&level| {
        if long {
            bar.high >= level
        } else {
            bar.low <= level
        }
    });
    let ambiguous = stop.is_some() && target.is_some();
    let target_first = match ambiguity {
        Ambiguity::Worst => false,
        Ambiguity::Best => true,
        Ambiguity::Path => {
            let (up, down) = (bar.high - bar.open, bar.open - bar.low);
            if long { up < down } else { down < up }
        }
    };
    match (stop, target) {
        (Some((price, reason)), None) => Some(Touch {
            price,
            reason,
            slips: true,
            ambiguous,
        }),
        (Some((price, reason)), Some(_)) if !target_first => Some(Touch {
            price,
            reason,
            slips: true,
            ambiguous,
        }),
        (_, Some(price)) => Some(Touch {
            price,
            reason: Reason::Target,
            slips: false,
            ambiguous,
        }),
        (None, None) => None,
    }
}

/// A limit order at the open: the open itself when it is better than the limit.
pub fn limit_gapped(bar: &BarPrices, side: Side, limit: f64) -> Option<f64> {
    let better = match side {
        Side::Buy => bar.open < limit,
        Side::Sell => bar.open > limit,
    };
    better.then_some(bar.open)
}

/// A limit order inside the bar: the limit, when the bar traded through it (or touched it).
pub fn limit_touched(bar: &BarPrices, side: Side, limit: f64, through: bool) -> Option<f64> {
    let reached = match (side, through) {
        (Side::Buy, true) => bar.low < limit,
        (Side::Buy, false) => bar.low <= limit,
        (Side::Sell, true) => bar.high > limit,
        (Side::Sell, false) => bar.high >= limit,
    };
    reached.then_some(limit)
}

/// A stop entry at the open: the open, when it is at or beyond the stop.
pub fn stop_gapped(bar: &BarPrices, side: Side, stop: f64) -> Option<f64> {
    let beyond = match side {
        Side::Buy => bar.open >= stop,
        Side::Sell => bar.open <= stop,
    };
    beyond.then_some(bar.open)
}

/// A stop entry inside the bar: the stop, when the bar reached it.
pub fn stop_touched(bar: &BarPrices, side: Side, stop: f64) -> Option<f64> {
    let reached = match side {
        Side::Buy => bar.high >= stop,
        Side::Sell => bar.low <= stop,
    };
    reached.then_some(stop)
}
