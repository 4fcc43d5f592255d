//! The next bar on which anything may happen to an account.

use super::{Account, Position, Slot, better, prices};
use crate::engine::kernel::ground::Track;
use crate::engine::kernel::walk::glance_between;
use crate::execution::fill::{gapped, touched};
use crate::rules::next_bar;
use crate::strategy::Ambiguity;
use crate::units::BarIndex;

impl Account<'_> {
    /// The first bar at or after `at` on which an order, a rule, a level, a corporate action or a
    /// payment has something to say; the end when there is none.
    pub(super) fn next_bar(&mut self, at: BarIndex) -> BarIndex {
        if !self.pending.is_empty() {
            return at;
        }
        let mut next = self.span.end;
        if self.all.strategy.fill.close_at_end && !self.held.is_empty() {
            next = next.min((self.span.end - 1).max(at));
        }
        for receivable in &self.receivables {
            next = next.min(receivable.pay.max(at));
        }
        let has_room = (self.held.len() as f64) < self.most;
        for slot in 0..self.slots.len() {
            let is_flat = self.slots[slot].position.is_flat();
            if is_flat && !has_room {
                continue;
            }
            if self.slots[slot].next < at || self.slots[slot].next == 0 {
                self.slots[slot].next = self.next_decision(slot, at);
            }
            next = next.min(self.slots[slot].next);
        }
        next = next.min(self.next_event(next));
        for k in 0..self.held.len() {
            next = next.min(self.next_touch(self.held[k], next));
        }
        next
    }

    /// The next bar on which the rules or the time held speak about a slot.
    fn next_decision(&self, slot: usize, at: BarIndex) -> BarIndex {
        let (says, track) = (&self.says[slot], self.track(slot));
        let Slot {
            position,
            blocked_through,
            ..
        } = &self.slots[slot];
        let own = track.own_from(at);
        let open_from = blocked_through.map_or(own, |through| own.max(through + 1));
        let end = usize::MAX;
        let first = |words: &[u64], from: usize| next_bar(words, from).unwrap_or(end);
        let decided = if position.is_flat() {
            first(&says.enter, open_from).min(first(&says.short, open_from))
        } else {
            let (leave, back) = match position.is_long() {
                true => (&says.exit, &says.short),
                false => (&says.cover, &says.enter),
            };
            let most = self.all.strategy.rules.hold_bars_max;
            let time = most.map_or(end, |most| own.max(position.entry_own + most as usize));
            let spoken = first(leave, own).min(first(back, open_from));
            spoken.min(time)
        };
        match decided {
            usize::MAX => usize::MAX,
            own => track.on_clock(own),
        }
    }

    /// The bar of the next corporate action of something held, if it comes before `until`.
    fn next_event(&self, until: BarIndex) -> BarIndex {
        let events = self.all.place.events[self.next_event..].iter();
        let mut early = events.take_while(|event| event.bar < until);
        let held = early.find(|event| !self.slots[event.slot].position.is_flat());
        held.map_or(until, |event| event.bar)
    }

    /// The bar before `until` on which a level of a slot is reached first; `until` when none is.
    fn next_touch(&mut self, slot: usize, until: BarIndex) -> BarIndex {
        let track = self.track(slot);
        let ambiguity = self.all.strategy.stops.ambiguity;
        let position = &mut self.slots[slot].position;
        if position.protection.is_none() {
            return until;
        }
        let to = track.own_from(until);
        let live = track.own_from(position.live_from);
        // Prices move the levels before these are live.
        while position.seen < live.min(to) {
            position.best = better(position, track, position.seen);
            position.seen += 1;
        }
        let moves = position.protection.trail.is_some() || position.protection.breakeven.is_some();
        if moves {
            moving(position, track, to, ambiguity);
        } else {
            fixed(position, track, to, ambiguity);
        }
        match position.seen < to {
            true => track.on_clock(position.seen),
            false => until,
        }
    }
}

/// Looks on to the first own bar before `to` that reaches a level which does not move.
fn fixed(position: &mut Position, track: &Track<'_>, to: usize, ambiguity: Ambiguity) {
    let Some(reach) = &track.reach else {
        return;
    };
    let levels = position.levels();
    let stop = levels.stop;
    let (low, high) = match position.is_long() {
        true => (stop, levels.target),
        false => (levels.target, stop),
    };
    let low = low.unwrap_or(f64::NEG_INFINITY);
    let high = high.unwrap_or(f64::INFINITY);
    while position.seen < to {
        let Some(own) = glance_between(reach, (position.seen, to), (low, high)) else {
            position.seen = to;
            return;
        };
        position.seen = own;
        if is_reached(position, track, own, ambiguity) {
            return;
        }
        position.seen += 1;
    }
}

/// The same of levels that move with the best price.
fn moving(position: &mut Position, track: &Track<'_>, to: usize, ambiguity: Ambiguity) {
    let Some(reach) = &track.reach else {
        return;
    };
    let is_long = position.is_long();
    while position.seen < to {
        let own = position.seen;
        let levels = position.levels();
        let stop = match (levels.stop, levels.trail) {
            (Some(a), Some(b)) if is_long => Some(a.max(b)),
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let (least, most) = (reach.least[own], reach.most[own]);
        let may = match is_long {
            true => {
                stop.is_some_and(|stop| least <= stop) || levels.target.is_some_and(|t| most >= t)
            }
            false => {
                stop.is_some_and(|stop| most >= stop) || levels.target.is_some_and(|t| least <= t)
            }
        };
        if may && is_reached(position, track, own, ambiguity) {
            return;
        }
        position.best = better(position, track, own);
        position.seen += 1;
    }
}

/// Whether a bar reaches a level, by the engine's conventions.
fn is_reached(position: &Position, track: &Track<'_>, own: usize, ambiguity: Ambiguity) -> bool {
    let (prices, levels) = (prices(track, own), position.levels());
    let is_long = position.is_long();
    position.entry_own < own && gapped(&prices, &levels, is_long).is_some()
        || touched(&prices, &levels, is_long, ambiguity).is_some()
}
