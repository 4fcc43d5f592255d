//! One symbol's holding: shares, what they cost, what protects them, and the trade in progress.

use crate::execution::fill::Levels;
use crate::execution::{Reason, Side};
use crate::portfolio::{PositionSide, Trade, TradeStatus};
use crate::units::BarIndex;

/// A distance fixed at the decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Offset {
    /// Fraction of the price it hangs on.
    Fraction(f64),
    /// Money a share.
    Money(f64),
}

impl Offset {
    fn below(self, price: f64) -> f64 {
        match self {
            Offset::Fraction(f) => price * (1.0 - f),
            Offset::Money(m) => price - m,
        }
    }

    fn above(self, price: f64) -> f64 {
        match self {
            Offset::Fraction(f) => price * (1.0 + f),
            Offset::Money(m) => price + m,
        }
    }

    fn split(self, ratio: f64) -> Self {
        match self {
            Offset::Fraction(_) => self,
            Offset::Money(m) => Offset::Money(m / ratio),
        }
    }
}

/// What protects a position, as decided with its entry.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Protection {
    /// Fixed stop, from the fill price.
    pub stop: Option<Offset>,
    /// Target, from the fill price.
    pub target: Option<Offset>,
    /// Trailing stop, from the best price known.
    pub trail: Option<Offset>,
    /// Gain (fraction of the fill price) after which the stop moves to the entry.
    pub breakeven: Option<f64>,
}

impl Protection {
    /// `true` when no level has to be watched.
    pub fn is_none(&self) -> bool {
        self.stop.is_none()
            && self.target.is_none()
            && self.trail.is_none()
            && self.breakeven.is_none()
    }

    /// The levels of a position entered at `entry`, when `best` is the best price known.
    pub fn levels(&self, entry: f64, best: f64, long: bool) -> Levels {
        let against = |o: Offset, p: f64| if long { o.below(p) } else { o.above(p) };
        let with = |o: Offset, p: f64| if long { o.above(p) } else { o.below(p) };
        let mut stop = self.stop.map(|o| against(o, entry));
        if let Some(gain) = self.breakeven {
            let reached = with(Offset::Fraction(gain), entry);
            let moved = if long {
                best >= reached
            } else {
                best <= reached
            };
            if moved {
                stop = Some(stop.map_or(entry, |s| if long { s.max(entry) } else { s.min(entry) }));
            }
        }
        Levels {
            stop,
            trail: self.trail.map(|o| against(o, best)),
            target: self.target.map(|o| with(o, entry)),
        }
    }

    /// The same protection in the money after a split of `ratio` new shares for one old.
    #[must_use]
    pub fn after_split(self, ratio: f64) -> Self {
        Protection {
            stop: self.stop.map(|o| o.split(ratio)),
            target: self.target.map(|o| o.split(ratio)),
            trail: self.trail.map(|o| o.split(ratio)),
            breakeven: self.breakeven,
        }
    }
}

/// A holding; flat when `shares` is 0. Prices are in the money of the current bar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Position {
    /// Number of its trade, in the order of opening.
    pub number: usize,
    /// Shares, negative when sold short.
    pub shares: f64,
    /// Average fill price.
    pub entry_price: f64,
    /// What protects it.
    pub protection: Protection,
    /// First clock bar on which stops are live inside the bar.
    pub live_from: BarIndex,
    /// Best price known: the fill and the highs (lows) of bars completed since.
    pub best: f64,
    /// Worst price known, likewise.
    pub worst: f64,
    /// Clock bar of the first fill.
    pub entry_bar: BarIndex,
    /// The symbol's own bar of the first fill.
    pub entry_own: u32,
    /// Signed cost at prices before slippage.
    pub reference_cost: f64,
    /// Money paid (received, when short) at the entry without fees.
    pub entry_value: f64,
    /// Shares entered, in shares of the entry bar.
    pub entry_shares: f64,
    /// New shares for one of the entry bar, by the splits since.
    pub splits_since: f64,
    /// Average entry price in the money of the entry bar.
    pub entry_price_then: f64,
    /// Fees of the entry.
    pub entry_fee: f64,
    /// Money received (paid, when short) by exits so far.
    pub exit_value: f64,
    /// Shares exited, in today's shares.
    pub exit_shares: f64,
    /// Fees of exits so far.
    pub exit_fee: f64,
    /// A bar reached both stop and target.
    pub ambiguous: bool,
    /// Stop level at the entry, for charts.
    pub first_stop: Option<f64>,
    /// Target level at the entry, for charts.
    pub first_target: Option<f64>,
}

/// Gains of a closed trade up to this share of the money put in are the rounding of its sums.
const EVEN: f64 = 1e-12;

/// What a closed trade gained, net of fees: exactly nothing where it is no more than the rounding of sums
/// (shares sold where they were bought, over a split). Loop and kernel add up in their own order, so that the
/// last bit would otherwise say whether such a trade was won.
pub fn settled_gain(gain: f64, money_in: f64) -> f64 {
    if gain.abs() <= EVEN * money_in.abs() {
        0.0
    } else {
        gain
    }
}

impl Position {
    /// `true` when nothing is held.
    pub fn is_flat(&self) -> bool {
        self.shares == 0.0
    }

    /// `true` for a holding that gains when the price rises.
    pub fn is_long(&self) -> bool {
        self.shares > 0.0
    }

    /// The side of an order that closes it.
    pub fn closing_side(&self) -> Side {
        if self.is_long() {
            Side::Sell
        } else {
            Side::Buy
        }
    }

    /// The levels that protect it, from what was known before the bar.
    pub fn levels(&self) -> Levels {
        self.protection
            .levels(self.entry_price, self.best, self.is_long())
    }

    /// A completed bar moves the best and the worst price known.
    pub fn bar_completed(&mut self, high: f64, low: f64) {
        if self.is_long() {
            self.best = self.best.max(high);
            self.worst = self.worst.min(low);
        } else {
            self.best = self.best.min(low);
            self.worst = self.worst.max(high);
        }
    }

    /// `ratio` new shares for one old: everything in shares or money a share changes here, and the
    /// value of the holding stays.
    pub fn split(&mut self, ratio: f64) {
        self.shares *= ratio;
        self.splits_since *= ratio;
        self.exit_shares *= ratio;
        self.entry_price /= ratio;
        self.best /= ratio;
        self.worst /= ratio;
        self.protection = self.protection.after_split(ratio);
    }

    /// Gain of the trade in progress if it ended at `price` without an exit fee.
    pub fn pnl_at(&self, price: f64) -> f64 {
        let exit = self.exit_value + self.shares.abs() * price;
        let gain = if self.shares < 0.0 {
            self.entry_value - exit
        } else {
            exit - self.entry_value
        };
        gain - self.entry_fee - self.exit_fee
    }

    /// Money put into the trade, fees included: the denominator of `pnl_pct`.
    pub fn money_in(&self) -> f64 {
        self.entry_value + self.entry_fee
    }

    /// The trade in progress as a row of the trade table, marked at `price`.
    pub fn open_trade(&self, symbol: usize, bar: BarIndex, own: u32, price: f64) -> Trade {
        let pnl = self.pnl_at(price);
        let sold = self.exit_shares + self.shares.abs();
        Trade {
            symbol,
            side: if self.shares < 0.0 {
                PositionSide::Short
            } else {
                PositionSide::Long
            },
            entry_bar: self.entry_bar,
            entry_price: self.entry_price_then,
            shares: self.entry_shares,
            entry_fee: self.entry_fee,
            exit_bar: bar,
            exit_price: (self.exit_value + self.shares.abs() * price) / sold,
            exit_fee: self.exit_fee,
            pnl,
            pnl_pct: pnl / self.money_in(),
            bars_held: own - self.entry_own,
            reason: Reason::Signal,
            status: TradeStatus::Open,
            stop: self.first_stop,
            target: self.first_target,
            ambiguous: self.ambiguous,
        }
    }
}
