//! One account of one symbol, from event to event: the same meaning as the engine's loop.
//!
//! Why jumping is allowed: a cash account of one symbol with market entries has one thing to wait
//! for at a time. Flat, that is the next bar on which the rules enter; holding, it is the next bar
//! on which they exit, time is up, or a level is reached. On every bar in between the engine only
//! marks the position, which `sums` does for a whole stretch. Fills, fees, levels and sizes are
//! computed by the engine's own functions, so that cash and shares are the same to the last bit.

use crate::engine::kernel::sums::{Marks, Running};
use crate::engine::kernel::tally::Counted;
use crate::execution::Side;
use crate::execution::cost::{affordable, fee, slipped, whole_lots};
use crate::execution::fill::{BarPrices, Levels, Touch, gapped, touched};
use crate::market::Bars;
use crate::portfolio::{Offset, Protection, settled_gain};
use crate::rules::{Cursor, Values};
use crate::strategy::{Amount, ClosedTrades, FillAt, Situation, Strategy, amount};
use crate::units::BarIndex;

/// Bars that are looked at together for a level that none of them may have reached.
const GLANCE: usize = 16;

/// What a strategy says about one symbol, as the walk asks for it.
pub(crate) struct Says<'a> {
    /// The bars on which the rules enter, and exit; where they do both they exit.
    pub(crate) enter: Cursor<'a>,
    pub(crate) exit: Cursor<'a>,
    pub(crate) stop: Option<Distance<'a>>,
    pub(crate) target: Option<Distance<'a>>,
    pub(crate) trail: Option<Distance<'a>>,
    pub(crate) volatility: Option<&'a Values<'a>>,
}

/// A distance of `[stops]`.
pub(crate) enum Distance<'a> {
    Fraction(f64),
    /// Money a share at the deciding bar.
    Money(&'a Values<'a>),
}

/// Lowest and highest price of each bar, open included; implausible bars open beyond their range.
pub(crate) struct Reach {
    pub(crate) least: Vec<f64>,
    pub(crate) most: Vec<f64>,
}

impl Reach {
    pub(crate) fn of(bars: &Bars) -> Self {
        let pairs = |a: &[f64], b: &[f64], f: fn(f64, f64) -> f64| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
        };
        Reach {
            least: pairs(&bars.low, &bars.open, f64::min),
            most: pairs(&bars.high, &bars.open, f64::max),
        }
    }
}

/// What all trials of one symbol share.
pub(crate) struct Lane<'a> {
    pub(crate) bars: &'a Bars,
    pub(crate) marks: Marks<'a>,
    /// Empty when no level is watched.
    pub(crate) reach: Option<&'a Reach>,
    /// Sessions that end before each bar, one more than there are bars; empty when a bar is a
    /// session.
    pub(crate) ends_before: &'a [u32],
    pub(crate) first: BarIndex,
    pub(crate) end: BarIndex,
}

impl Lane<'_> {
    /// Sessions that end before a bar.
    #[inline]
    pub(crate) fn session(&self, bar: BarIndex) -> usize {
        match self.ends_before {
            [] => bar,
            ends => ends[bar] as usize,
        }
    }
}

/// A stretch of bars at whose closes the same is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: BarIndex,
    pub(crate) to: BarIndex,
    pub(crate) cash: f64,
    pub(crate) shares: f64,
}

/// A position.
struct Held {
    shares: f64,
    entry_price: f64,
    entry_value: f64,
    entry_fee: f64,
    protection: Protection,
    entry_bar: BarIndex,
    /// First bar whose high moves the trailing stop.
    watched_from: BarIndex,
    live_from: BarIndex,
}

/// An account on its way.
pub(crate) struct Walk<'a> {
    strategy: &'a Strategy,
    says: Says<'a>,
    lane: &'a Lane<'a>,
    slots: f64,
    /// What a price is multiplied by when shares are bought, and sold, at it.
    slips: (f64, f64),
    cash: f64,
    closed: ClosedTrades,
    pub(crate) counts: Counted,
    /// The first bar from the last decided entry on at which the rules exit.
    exit: BarIndex,
    /// Last bar on which no entry is decided after an exit.
    blocked_through: Option<BarIndex>,
    /// The first bar at whose close an entry may be decided, and since when the account is flat.
    at: BarIndex,
    flat_since: BarIndex,
}

impl<'a> Walk<'a> {
    #[inline]
    pub(crate) fn new(strategy: &'a Strategy, says: Says<'a>, lane: &'a Lane<'a>) -> Self {
        Walk {
            strategy,
            says,
            lane,
            slots: strategy.size.max_positions.map_or(1.0, f64::from),
            slips: (
                slipped(1.0, Side::Buy, &strategy.costs),
                slipped(1.0, Side::Sell, &strategy.costs),
            ),
            cash: strategy.account.cash,
            closed: ClosedTrades::default(),
            counts: Counted::default(),
            exit: usize::MAX,
            blocked_through: None,
            at: lane.first,
            flat_since: lane.first,
        }
    }

    /// Lets time pass up to the entries that are decided before bar `until`, and all that follows from
    /// them; `None` is the end.
    #[inline(always)]
    pub(crate) fn advance(&mut self, until: Option<BarIndex>, mut sink: impl FnMut(Stretch)) {
        while let Some((decided, bar)) = self.next_entry(self.at) {
            if until.is_some_and(|until| decided >= until) {
                self.at = decided;
                return;
            }
            let flat = self.cash;
            let Some(held) = self.enter(decided, bar) else {
                self.at = decided + 1;
                continue;
            };
            sink(Stretch {
                from: self.flat_since,
                to: bar,
                cash: flat,
                shares: 0.0,
            });
            let (cash, shares) = (self.cash, held.shares);
            let (exit, next) = self.leave(&held);
            sink(Stretch {
                from: bar,
                to: exit,
                cash,
                shares,
            });
            (self.flat_since, self.at) = (exit, next);
        }
        self.at = self.lane.end;
        if until.is_none() {
            sink(Stretch {
                from: self.flat_since,
                to: self.lane.end,
                cash: self.cash,
                shares: 0.0,
            });
        }
    }

    /// The bar that decides the next entry, and the bar that fills it.
    #[inline(always)]
    fn next_entry(&mut self, at: BarIndex) -> Option<(BarIndex, BarIndex)> {
        let mut from = self.blocked_through.map_or(at, |last| at.max(last + 1));
        let decided = loop {
            let enter = self.says.enter.next(from);
            let decided = enter.filter(|d| *d < self.lane.end)?;
            self.exit = self.says.exit.next(decided).unwrap_or(usize::MAX);
            if self.exit != decided {
                break decided;
            }
            from = decided + 1;
        };
        let bar = match self.strategy.fill.at {
            FillAt::Close => decided,
            FillAt::NextOpen | FillAt::NextClose => decided + 1,
        };
        (bar < self.lane.end).then_some((decided, bar))
    }

    /// Buys at `bar` what was decided at the close of `decided`; `None` when nothing can be bought.
    #[inline(always)]
    fn enter(&mut self, decided: BarIndex, bar: BarIndex) -> Option<Held> {
        let strategy = self.strategy;
        let bars = self.lane.bars;
        let close = bars.close[decided];
        let protection = self.protection(decided)?;
        let situation = Situation {
            equity: self.cash + 0.0 + 0.0,
            close,
            slots: self.slots,
            risk_a_share: protection.stop.map(|stop| match stop {
                Offset::Fraction(f) => f * close,
                Offset::Money(m) => m,
            }),
            volatility: self
                .says
                .volatility
                .map(|v| v.number(decided))
                .filter(|v| v.is_finite()),
            closed: self.closed,
        };
        let at_open = strategy.fill.at == FillAt::NextOpen;
        let reference = if at_open {
            bars.open[bar]
        } else {
            bars.close[bar]
        };
        let price = reference * self.slips.0;
        let wanted = match amount(&strategy.size, &situation)? {
            Amount::Money(money) => money / price,
            Amount::Shares(shares) => shares,
        };
        let cash = self.cash;
        let lot = strategy.size.lot;
        let shares = whole_lots(wanted.min(affordable(cash, price, &strategy.costs)), lot);
        if shares.is_nan() || shares <= 0.0 || shares * price < strategy.size.min_order {
            return None;
        }
        let mut charge = fee(shares, price, &strategy.costs);
        let mut value = shares * price;
        // All the cash leaves exactly none, as in the engine.
        if lot == 0.0 && (cash - value - charge).abs() <= 1e-12 * cash {
            value = cash - charge;
            charge = cash - value;
        }
        self.cash = cash - value - charge;
        self.counts.entries += 1;
        Some(Held {
            shares,
            entry_price: price,
            entry_value: value,
            entry_fee: charge,
            protection,
            entry_bar: bar,
            watched_from: if at_open { bar } else { bar + 1 },
            live_from: if at_open && strategy.stops.entry_bar {
                bar
            } else {
                bar + 1
            },
        })
    }

    /// Distances fixed at the decision; `None` when one of them does not exist or is not positive.
    fn protection(&self, decided: BarIndex) -> Option<Protection> {
        if self.lane.reach.is_none() {
            return Some(Protection::default());
        }
        let offset = |distance: &Option<Distance<'_>>| match distance {
            None => Some(None),
            Some(Distance::Fraction(fraction)) => Some(Some(Offset::Fraction(*fraction))),
            Some(Distance::Money(values)) => Some(values.number(decided))
                .filter(|d| *d > 0.0 && d.is_finite())
                .map(|d| Some(Offset::Money(d))),
        };
        Some(Protection {
            stop: offset(&self.says.stop)?,
            target: offset(&self.says.target)?,
            trail: offset(&self.says.trail)?,
            breakeven: self.strategy.stops.breakeven,
        })
    }

    /// Holds until a level, the rules or the end of time: the first bar at whose close nothing is
    /// held any more (the end when it still is), and the first that may decide an entry.
    #[inline(always)]
    fn leave(&mut self, held: &Held) -> (BarIndex, BarIndex) {
        let (end, fill) = (self.lane.end, &self.strategy.fill);
        let bars = self.lane.bars;
        let from = match fill.at {
            FillAt::Close => held.entry_bar + 1,
            FillAt::NextOpen | FillAt::NextClose => held.entry_bar,
        };
        // No exit is said on the bar that decided the entry, so that the first one after it counts.
        let signal = self.exit;
        let time = self.strategy.rules.hold_bars_max;
        let time = time.map_or(end, |most| from.max(held.entry_bar + most as usize));
        let decided = signal.min(time).min(end);
        let (bar, last_watched) = match fill.at {
            FillAt::Close => (decided, decided),
            FillAt::NextOpen => (decided + 1, decided),
            FillAt::NextClose => (decided + 1, decided + 1),
        };
        if let Some((bar, touch)) = self.reached(held, (last_watched + 1).min(end)) {
            let price = if touch.slips {
                touch.price * self.slips.1
            } else {
                touch.price
            };
            self.sell(held, bar, price);
            return (bar, bar);
        }
        if bar >= end {
            return self.hold_to_the_end(held);
        }
        let reference = match fill.at {
            FillAt::NextOpen => bars.open[bar],
            FillAt::Close | FillAt::NextClose => bars.close[bar],
        };
        self.sell(held, bar, reference * self.slips.1);
        let next = if fill.at == FillAt::Close {
            bar + 1
        } else {
            bar
        };
        (bar, next)
    }

    /// An open position is marked, or sold at the last close.
    fn hold_to_the_end(&mut self, held: &Held) -> (BarIndex, BarIndex) {
        let end = self.lane.end;
        if !self.strategy.fill.close_at_end {
            // What is left of the account stands in its last stretch; nothing follows it.
            return (end, end);
        }
        let close = self.lane.bars.close[end - 1];
        self.sell(held, end - 1, close * self.slips.1);
        (end - 1, end)
    }

    /// Books a sale of everything at `price`.
    #[inline(always)]
    fn sell(&mut self, held: &Held, bar: BarIndex, price: f64) {
        let charge = fee(held.shares, price, &self.strategy.costs);
        let value = held.shares * price;
        self.cash = self.cash + value - charge;
        // One fill opened it and one closes it, so that its share of both is all of them.
        let net = value - held.entry_value - held.entry_fee - charge;
        let pnl = settled_gain(net, held.entry_value + held.entry_fee);
        self.closed.add(pnl);
        self.counts.trades += 1;
        self.counts.wins += u32::from(pnl > 0.0);
        let bars = self.strategy.rules.cooldown_bars as usize;
        if bars > 0 {
            self.blocked_through = Some(bar + bars);
        }
    }

    /// The first bar before `to` on which a stop or target is reached, and how.
    fn reached(&self, held: &Held, to: BarIndex) -> Option<(BarIndex, Touch)> {
        let reach = self.lane.reach?;
        if held.protection.is_none() {
            return None;
        }
        let moves = held.protection.trail.is_some() || held.protection.breakeven.is_some();
        let mut best = held.entry_price;
        if !moves {
            let levels = held.levels(best);
            let mut bar = held.live_from;
            loop {
                bar = glance(reach, bar, to, &levels)?;
                if let Some(touch) = self.touch(held, bar, &levels) {
                    return Some((bar, touch));
                }
                bar += 1;
            }
        }
        let high = &self.lane.bars.high;
        for bar in held.watched_from..held.live_from.min(to) {
            best = best.max(high[bar]);
        }
        for bar in held.live_from..to {
            let levels = held.levels(best);
            let low = levels.stop.unwrap_or(0.0).max(levels.trail.unwrap_or(0.0));
            let high_level = levels.target.unwrap_or(f64::INFINITY);
            if (reach.least[bar] <= low || reach.most[bar] >= high_level)
                && let Some(touch) = self.touch(held, bar, &levels)
            {
                return Some((bar, touch));
            }
            best = best.max(high[bar]);
        }
        None
    }

    /// What the bar does to the levels, by the engine's conventions.
    fn touch(&self, held: &Held, bar: BarIndex, levels: &Levels) -> Option<Touch> {
        let bars = self.lane.bars;
        let prices = BarPrices {
            open: bars.open[bar],
            high: bars.high[bar],
            low: bars.low[bar],
            close: bars.close[bar],
        };
        let gap = (held.entry_bar < bar)
            .then(|| gapped(&prices, levels, true))
            .flatten();
        gap.or_else(|| touched(&prices, levels, true, self.strategy.stops.ambiguity))
    }
}

impl Held {
    /// The levels when `best` is the best price known.
    fn levels(&self, best: f64) -> Levels {
        self.protection.levels(self.entry_price, best, true)
    }
}

/// The first bar of `from..to` that comes to a level which does not move.
fn glance(reach: &Reach, from: BarIndex, to: BarIndex, levels: &Levels) -> Option<BarIndex> {
    let low = levels.stop.unwrap_or(f64::NEG_INFINITY);
    let high = levels.target.unwrap_or(f64::INFINITY);
    glance_between(reach, (from, to), (low, high))
}

/// The first bar of `from..to` that falls to `low` or rises to `high`.
pub(crate) fn glance_between(
    reach: &Reach,
    (from, to): (BarIndex, BarIndex),
    (low, high): (f64, f64),
) -> Option<BarIndex> {
    if from >= to {
        return None;
    }
    let (least, most) = (&reach.least[from..to], &reach.most[from..to]);
    let hit = |(l, m): (&f64, &f64)| *l <= low || *m >= high;
    for (k, (least, most)) in least.chunks(GLANCE).zip(most.chunks(GLANCE)).enumerate() {
        let pairs = || least.iter().zip(most);
        if pairs().fold(false, |any, pair| any | hit(pair)) {
            let at = pairs().position(hit)?;
            return Some(from + k * GLANCE + at);
        }
    }
    None
}

/// The sums of an account, stretch by stretch.
#[inline(always)]
pub(crate) fn add(running: &mut Running, lane: &Lane<'_>, stretch: Stretch) {
    let sessions = (lane.session(stretch.from), lane.session(stretch.to));
    running.stretch(lane.marks, sessions, stretch.cash, stretch.shares);
}
