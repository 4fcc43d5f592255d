//! The close of a bar: wishes, and the orders that come of them.

use super::{Account, Pending, Says};
use crate::engine::kernel::walk::Distance;
use crate::engine::pending::Ask;
use crate::execution::OrderType;
use crate::portfolio::{Offset, Protection};
use crate::rules::Values;
use crate::strategy::{Amount, FillAt, OrderKind, Situation, amount};
use crate::units::BarIndex;

/// A wish of one close.
#[derive(Clone, Copy)]
pub(super) struct Want {
    slot: usize,
    is_buy: bool,
    /// Shares of the holding to close.
    closes: Option<f64>,
    opens: bool,
    priority: f64,
}

/// What the rules say about a slot now.
#[derive(Clone, Copy, PartialEq, Default)]
struct Said {
    enter: bool,
    exit: bool,
    short: bool,
    cover: bool,
    time: bool,
}

impl Account<'_> {
    /// Decides at the close of `bar`, and places or fills what was decided.
    pub(super) fn decide(&mut self, bar: BarIndex) {
        let mut wants = std::mem::take(&mut self.wants);
        wants.clear();
        if self.is_called() {
            self.margin_call(&mut wants);
        }
        let called = wants.len();
        for slot in 0..self.slots.len() {
            // Without orders that wait, a slot of which nothing is known to be said now is silent.
            if self.pending.is_empty() && self.slots[slot].next > bar {
                continue;
            }
            let Some(own) = self.track(slot).own(bar) else {
                continue;
            };
            let said = self.said(slot, own);
            if said == Said::default() || wants[..called].iter().any(|w| w.slot == slot) {
                continue;
            }
            if (said.exit || said.cover) && !self.pending.is_empty() {
                self.cancel_entries(slot, &said);
            }
            if let Some(want) = self.want(slot, own, &said) {
                wants.push(want);
            }
        }
        if !wants.is_empty() {
            self.place(bar, &mut wants);
        }
        self.wants = wants;
    }

    fn said(&self, slot: usize, own: usize) -> Said {
        let says: &Says<'_> = &self.says[slot];
        let at = |words: &[u64]| {
            words
                .get(own / 64)
                .is_some_and(|w| w >> (own % 64) & 1 == 1)
        };
        let position = &self.slots[slot].position;
        let most = self.all.strategy.rules.hold_bars_max;
        Said {
            enter: at(&says.enter),
            exit: at(&says.exit),
            short: at(&says.short),
            cover: at(&says.cover),
            time: !position.is_flat()
                && most.is_some_and(|most| own - position.entry_own >= most as usize),
        }
    }

    /// A waiting entry is cancelled when its exit fires.
    fn cancel_entries(&mut self, slot: usize, said: &Said) {
        self.pending.retain(|p| {
            let contradicted = if p.is_buy { said.exit } else { said.cover };
            !(p.slot == slot && p.opens.is_some() && p.closes.is_none() && contradicted)
        });
    }

    fn waits(&self, slot: usize, closes: bool) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|p| p.slot == slot && p.closes.is_some() == closes)
    }

    /// The wish that follows, if the state of the slot allows one.
    fn want(&self, slot: usize, own: usize, said: &Said) -> Option<Want> {
        let position = &self.slots[slot].position;
        let blocked = self.slots[slot].blocked_through.is_some_and(|b| own <= b);
        let (enter, short) = (said.enter && !blocked, said.short && !blocked);
        if position.is_flat() {
            if !enter && !short || self.waits(slot, false) {
                return None;
            }
            return Some(self.opening(slot, own, enter, None));
        }
        if self.waits(slot, true) {
            return None;
        }
        let (leave, back) = match position.is_long() {
            true => (said.exit, short),
            false => (said.cover, enter),
        };
        if back {
            let shares = position.shares.abs();
            return Some(self.opening(slot, own, !position.is_long(), Some(shares)));
        }
        (leave || said.time).then(|| self.closing(slot))
    }

    fn closing(&self, slot: usize) -> Want {
        let position = &self.slots[slot].position;
        Want {
            slot,
            is_buy: !position.is_long(),
            closes: Some(position.shares.abs()),
            opens: false,
            priority: 0.0,
        }
    }

    fn opening(&self, slot: usize, own: usize, is_buy: bool, closes: Option<f64>) -> Want {
        let priority = number(self.says[slot].priority, own);
        Want {
            slot,
            is_buy,
            closes,
            opens: true,
            priority: priority.unwrap_or(f64::NEG_INFINITY),
        }
    }

    /// Equity below the maintenance margin: the largest positions are closed until it is enough.
    fn margin_call(&self, wants: &mut Vec<Want>) {
        let account = &self.all.strategy.account;
        let (equity, mut gross) = (self.equity(), self.gross());
        let value = |slot: usize| (self.slots[slot].position.shares * self.slots[slot].mark).abs();
        let mut slots = self.held.clone();
        slots.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        for slot in slots {
            if equity >= account.maintenance_margin * gross && gross >= 0.0 && equity > 0.0 {
                break;
            }
            if !self.waits(slot, true) {
                wants.push(self.closing(slot));
                gross -= value(slot);
            }
        }
    }

    /// Places what was decided: exits first, then entries by priority while slots are free.
    fn place(&mut self, bar: BarIndex, wants: &mut [Want]) {
        for want in wants.iter().filter(|w| w.closes.is_some() && !w.opens) {
            self.place_one(bar, want, 0.0);
        }
        let entries = wants.iter().filter(|w| w.opens).count();
        if entries > 0 {
            if entries > 1 {
                wants.sort_by(|a, b| b.priority.total_cmp(&a.priority).then(a.slot.cmp(&b.slot)));
            }
            let equity = self.equity();
            let mut taken = self.slots_taken();
            for want in wants.iter().filter(|w| w.opens) {
                // Turning a position round takes no further slot.
                let needs_slot = self.slots[want.slot].position.is_flat();
                if needs_slot && taken >= self.most {
                    continue;
                }
                if self.place_one(bar, want, equity) && needs_slot {
                    taken += 1.0;
                }
            }
        }
        if self.all.strategy.fill.at == FillAt::Close && !self.pending.is_empty() {
            self.fill_market(bar, true, |p| p.close);
            self.fill_market(bar, false, |p| p.close);
            self.pending.retain(|p| !p.is_done);
        }
    }

    /// Held and not about to be sold, plus about to be bought.
    fn slots_taken(&self) -> f64 {
        let pending = || self.pending.iter();
        let leaving = |slot: usize| {
            pending().any(|p| p.slot == slot && p.closes.is_some() && p.opens.is_none())
        };
        let held = self.held.iter().filter(|&&s| !leaving(s)).count();
        let coming = pending()
            .filter(|p| p.opens.is_some() && self.slots[p.slot].position.is_flat())
            .count();
        (held + coming) as f64
    }

    /// Turns a wish into a waiting order. `false` when it had to be refused.
    fn place_one(&mut self, bar: BarIndex, want: &Want, equity: f64) -> bool {
        let mut pending = Pending {
            slot: want.slot,
            is_buy: want.is_buy,
            kind: OrderType::Market,
            price: 0.0,
            closes: want.closes,
            opens: None,
            protection: Protection::default(),
            day_only: false,
            day: None,
            is_done: false,
        };
        if want.opens
            && self
                .prepare_entry(bar, want, equity, &mut pending)
                .is_none()
        {
            return false;
        }
        self.pending.push(pending);
        true
    }

    /// Amount, protection and price of an entry; `None` when a value that it needs is absent.
    fn prepare_entry(
        &self,
        bar: BarIndex,
        want: &Want,
        equity: f64,
        pending: &mut Pending,
    ) -> Option<()> {
        let strategy = self.all.strategy;
        let track = self.track(want.slot);
        let says = &self.says[want.slot];
        let own = track.own(bar).unwrap_or(0);
        let close = track.bars.close[own];
        pending.protection = self.protection(says, own)?;
        let situation = Situation {
            equity,
            close,
            slots: self.most,
            risk_a_share: pending.protection.stop.map(|stop| match stop {
                Offset::Fraction(f) => f * close,
                Offset::Money(m) => m,
            }),
            volatility: number(says.volatility, own),
            closed: self.closed,
        };
        pending.opens = Some(match amount(&strategy.size, &situation)? {
            Amount::Money(money) => Ask::Money(money),
            Amount::Shares(shares) => Ask::Shares(shares),
        });
        if strategy.fill.order != OrderKind::Market && want.closes.is_none() {
            pending.price = number(says.price, own).filter(|p| *p > 0.0)?;
            pending.kind = match strategy.fill.order {
                OrderKind::Limit => OrderType::Limit,
                _ => OrderType::Stop,
            };
            pending.day_only = !strategy.fill.good_till_cancelled;
        }
        Some(())
    }

    /// Distances fixed at the decision; `None` when one of them does not exist or is not positive.
    fn protection(&self, says: &Says<'_>, own: usize) -> Option<Protection> {
        let offset = |distance: &Option<Distance<'_>>| match distance {
            None => Some(None),
            Some(Distance::Fraction(fraction)) => Some(Some(Offset::Fraction(*fraction))),
            Some(Distance::Money(values)) => number(Some(values), own)
                .filter(|d| *d > 0.0)
                .map(|d| Some(Offset::Money(d))),
        };
        Some(Protection {
            stop: offset(&says.stop)?,
            target: offset(&says.target)?,
            trail: offset(&says.trail)?,
            breakeven: self.all.strategy.stops.breakeven,
        })
    }
}

/// The number of an expression at an own bar, `None` when it is absent.
fn number(values: Option<&Values<'_>>, own: usize) -> Option<f64> {
    values.map(|v| v.number(own)).filter(|v| v.is_finite())
}
