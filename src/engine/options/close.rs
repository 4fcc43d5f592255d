//! The close before decisions: marks, the wishes of the day before, expiry and early exercise.

use crate::engine::options::WishKind;
use crate::engine::options::input::Desk;
use crate::engine::options::quote::{Listed, Moment};
use crate::engine::simulate::Sim;
use crate::execution::{Reason, Side};
use crate::instrument::{Right, Settlement, Style};
use crate::portfolio::{Booking, EntryKind, MarkedBy, Protection};
use crate::pricing::early::{ExDividend, before_ex_dividend};
use crate::strategy::Assignment;
use crate::units::BarIndex;

/// The clearing house exercises what is in the money by at least this.
const EXERCISED_FROM: f64 = 0.01;
/// A put whose price is within this of what exercise gives may be exercised early.
const NO_TIME_VALUE: f64 = 0.01;

/// What exercise comes to.
#[derive(Debug, Clone, Copy)]
struct Exercise {
    /// Price of the underlying that settles.
    spot: f64,
    /// It happened before the last day.
    early: bool,
}

impl<'a> Sim<'a, '_> {
    /// Before the day begins: what expired since the last bar is settled at its close.
    pub(crate) fn options_overnight(&mut self, bar: BarIndex) {
        let Some(desk) = self.desk() else { return };
        let today = desk.dates[bar];
        let mut at = 0;
        while at < self.account.options.open.len() {
            let slot = self.account.options.open[at].slot;
            if self.listed(desk, at).expiration < today {
                let spot = self.account.marks[slot];
                self.settle(desk, bar, at, Exercise { spot, early: false });
            } else {
                at += 1;
            }
        }
    }

    /// Marks, fills of wishes, expiry and early exercise, at the close of `bar`.
    pub(crate) fn options_close(&mut self, bar: BarIndex) {
        let Some(desk) = self.desk() else { return };
        self.mark_underlyings(bar);
        self.mark_options(desk, bar);
        self.carry_out(bar);
        let today = desk.dates[bar];
        let mut at = 0;
        while at < self.account.options.open.len() {
            let slot = self.account.options.open[at].slot;
            if self.listed(desk, at).expiration <= today {
                let spot = self.account.marks[slot];
                self.settle(desk, bar, at, Exercise { spot, early: false });
            } else {
                at += 1;
            }
        }
        self.early(desk, bar);
        self.reserve(bar);
        self.end_campaigns(bar);
    }

    /// The close of every symbol with a bar, held or not: strikes hang on it.
    fn mark_underlyings(&mut self, bar: BarIndex) {
        for slot in 0..self.input.symbols.len() {
            let symbol = &self.input.symbols[slot];
            if let Some(own) = symbol.own_bar(bar) {
                self.account.marks[slot] = symbol.bars.close[own];
            }
        }
    }

    /// Values at this close.
    fn mark_options(&mut self, desk: &Desk, bar: BarIndex) {
        for at in 0..self.account.options.open.len() {
            let listed = self.listed(desk, at);
            let moment = self.moment(listed.slot, bar);
            let intrinsic = listed.right.intrinsic(moment.spot, listed.strike);
            let style = desk.underlyings[listed.slot].convention.style;
            let expired = desk.days(bar, listed.expiration) <= 0;
            let priced = if expired {
                None
            } else {
                desk.model(&moment, &listed)
            };
            let (mark, by) = match priced {
                Some((price, volatility)) => {
                    self.account.options.open[at].last_volatility = volatility;
                    let floored = match style {
                        Style::American => price.max(intrinsic),
                        Style::European => price,
                    };
                    (floored, MarkedBy::Model)
                }
                None => (intrinsic, MarkedBy::Intrinsic),
            };
            let option = &mut self.account.options.open[at];
            option.mark = mark;
            option.marked_by = by;
            let gain = option.count * option.multiplier * (mark - option.entry_price);
            option.worst = option.worst.min(gain);
            self.options.record.marks[by as usize] += 1;
        }
        self.account.options.revalue();
    }

    /// Fills what was wished at an earlier close.
    fn carry_out(&mut self, bar: BarIndex) {
        let wishes = std::mem::take(&mut self.options.wishes);
        for wish in wishes {
            if self.input.symbols[wish.slot].own_bar(bar).is_none() {
                // No bar, no trade: the wish waits.
                self.options.wishes.push(wish);
                continue;
            }
            match wish.kind {
                WishKind::Open(right) => {
                    self.open_leg(bar, (wish.slot, right), Some(wish.order));
                }
                WishKind::Roll(number) => self.roll_one(bar, number, Some(wish.order)),
                WishKind::Close(number) => {
                    let open = &self.account.options.open;
                    match open.iter().position(|o| o.number == number) {
                        Some(at) => {
                            self.close_at(bar, at, Reason::Closed, Some(wish.order));
                        }
                        None => self.end_wish(wish.order),
                    }
                }
            }
        }
    }

    /// The option ended before its wish could be carried out.
    fn end_wish(&mut self, order: usize) {
        self.orders[order].outcome = crate::execution::Outcome::Cancelled;
        self.orders[order].reason = Reason::Flat;
    }

    /// The last day of the option at `at`: worthless, settled in cash, or turned into shares.
    fn settle(&mut self, desk: &Desk, bar: BarIndex, at: usize, exercise: Exercise) {
        let option = self.account.options.open[at].clone();
        let listed = self.listed(desk, at);
        let own = self.own_of(listed.slot, bar);
        let intrinsic = listed.right.intrinsic(exercise.spot, listed.strike);
        if intrinsic < EXERCISED_FROM {
            let (kind, reason) = (EntryKind::Expiry, Reason::Expired);
            self.account
                .settle_option(at, (bar, own), 0.0, 0.0, kind, reason);
            return;
        }
        let (kind, reason) = match (option.is_short(), listed.right) {
            (false, _) => (EntryKind::Exercise, Reason::Exercised),
            (true, Right::Put) => (EntryKind::Assignment, Reason::Assigned),
            (true, Right::Call) => (EntryKind::Assignment, Reason::Called),
        };
        let physical = desk.underlyings[listed.slot].convention.settlement == Settlement::Physical;
        let covered = self.has_cover(&option, &listed);
        if !physical || self.in_spread() || desk.terms.index_units || !covered {
            let reason = if physical { reason } else { Reason::Settled };
            self.account
                .settle_option(at, (bar, own), intrinsic, 0.0, kind, reason);
        } else {
            let given_up = match option.is_short() {
                true => intrinsic * option.shares(),
                false => 0.0,
            };
            self.account
                .settle_option(at, (bar, own), 0.0, given_up, kind, reason);
            self.deliver(
                bar,
                &listed,
                option.shares(),
                option.is_short(),
                exercise,
                reason,
            );
        }
        if option.is_short() {
            self.account.options.campaigns[option.campaign].assignments += 1;
        }
        if exercise.early {
            self.options.record.early_assignments += 1;
        }
    }

    /// Shares or cash for delivery are there.
    fn has_cover(&self, option: &crate::portfolio::OpenOption, listed: &Listed) -> bool {
        let held = self.account.positions[listed.slot].shares;
        let sells = option.is_short() == (listed.right == Right::Call);
        match sells {
            true => held >= option.shares() * (1.0 - 1e-9),
            false => self.account.cash >= option.shares() * listed.strike * (1.0 - 1e-9),
        }
    }

    fn own_of(&self, slot: usize, bar: BarIndex) -> u32 {
        let symbol = &self.input.symbols[slot];
        let own = (0..=bar).rev().find_map(|b| symbol.own_bar(b));
        own.unwrap_or(0) as u32
    }

    /// Shares change hands at the strike.
    fn deliver(
        &mut self,
        bar: BarIndex,
        listed: &Listed,
        shares: f64,
        written: bool,
        exercise: Exercise,
        reason: Reason,
    ) {
        let slot = listed.slot;
        let side = match (written, listed.right) {
            (true, Right::Call) | (false, Right::Put) => Side::Sell,
            (true, Right::Put) | (false, Right::Call) => Side::Buy,
        };
        let held = self.account.positions[slot].shares;
        let shares = if side == Side::Sell {
            shares.min(held)
        } else {
            shares
        };
        let booking = Booking {
            bar,
            own: self.own_of(slot, bar),
            slot,
            side,
            shares,
            reference: exercise.spot,
            price: listed.strike,
            value: shares * listed.strike,
            fee: 0.0,
            reason,
            ambiguous: false,
            protection: Protection::default(),
            live_from: bar + 1,
        };
        if side == Side::Buy {
            let state = &mut self.options.slots[slot];
            let before = if held > 0.0 { state.assigned_at } else { None };
            let old = before.unwrap_or(self.account.positions[slot].entry_price);
            let sum = held.max(0.0) * old + shares * listed.strike;
            state.assigned_at = Some(sum / (held.max(0.0) + shares));
            if held <= 0.0 {
                state.premium_since = 0.0;
            }
        }
        self.account.fill(&booking, self.input.session(bar));
        self.account.marks[slot] = exercise.spot;
    }

    /// Holders who gain by it exercise tonight.
    fn early(&mut self, desk: &Desk, bar: BarIndex) {
        if desk.terms.fill.assignment == Assignment::NeverEarly {
            return;
        }
        let mut at = 0;
        while at < self.account.options.open.len() {
            let listed = self.listed(desk, at);
            let moment = self.moment(listed.slot, bar);
            let option = &self.account.options.open[at];
            let american = desk.underlyings[listed.slot].convention.style == Style::American;
            let has_bar = self.input.symbols[listed.slot].own_bar(bar).is_some();
            let number = option.number;
            let shares = option.shares();
            let exercised = american
                && has_bar
                && option.is_short()
                && self.is_exercised(desk, &moment, &listed, option.mark)
                && self.is_drawn(desk, bar, number);
            if !exercised {
                at += 1;
                continue;
            }
            if listed.right == Right::Call {
                let lost = desk.dividend_tomorrow(listed.slot, bar, moment.now);
                self.options.record.dividends_lost += lost.unwrap_or(0.0) * shares;
            }
            let spot = moment.spot;
            self.settle(desk, bar, at, Exercise { spot, early: true });
        }
    }

    /// Exercise tonight is worth more to the holder than the option.
    fn is_exercised(&self, desk: &Desk, at: &Moment, listed: &Listed, mark: f64) -> bool {
        let intrinsic = listed.right.intrinsic(at.spot, listed.strike);
        if intrinsic < EXERCISED_FROM {
            return false;
        }
        let years = desk.years(at.bar, listed.expiration);
        let Some((inputs, volatility)) = desk.inputs(at, listed) else {
            return false;
        };
        match listed.right {
            Right::Call => {
                let Some(dividend) = desk.dividend_tomorrow(listed.slot, at.bar, at.now) else {
                    return false;
                };
                let choice = before_ex_dividend(&ExDividend {
                    spot_cum: at.spot,
                    strike: listed.strike,
                    years,
                    rate: inputs.rate,
                    volatility,
                    dividend,
                });
                choice.is_ok_and(|choice| choice.is_exercise())
            }
            Right::Put => {
                let interest = -listed.strike * libm::expm1(-inputs.rate * years);
                let call = Listed {
                    right: Right::Call,
                    ..*listed
                };
                let call = desk
                    .model(at, &call)
                    .map_or(f64::INFINITY, |(value, _)| value);
                mark - intrinsic <= NO_TIME_VALUE && interest > call
            }
        }
    }

    /// With `assignment = "probability"` half of the holders who gain by it exercise, drawn by the
    /// number of the trade and the bar.
    fn is_drawn(&self, desk: &Desk, bar: BarIndex, number: usize) -> bool {
        if desk.terms.fill.assignment != Assignment::Probability {
            return true;
        }
        let mut x = (number as u64) << 32 ^ bar as u64 ^ 0x9e37_79b9_7f4a_7c15;
        for shift in [30, 27, 31] {
            x = (x ^ (x >> shift)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        }
        x >> 63 == 0
    }

    /// New shares for old, in contracts and in what is remembered of them.
    pub(crate) fn split_options(&mut self, bar: BarIndex, slot: usize, ratio: f64) {
        if self.input.desk.is_none() {
            return;
        }
        self.account.split_options(bar, slot, ratio);
        let state = &mut self.options.slots[slot];
        state.assigned_at = state.assigned_at.map(|strike| strike / ratio);
        state.premium_since /= ratio;
    }

    /// A symbol ends: its options are settled at its last price.
    pub(crate) fn settle_delisted(&mut self, bar: BarIndex, slot: usize, spot: f64) {
        let Some(desk) = self.desk() else { return };
        while let Some(at) = self
            .account
            .options
            .open
            .iter()
            .position(|o| o.slot == slot)
        {
            self.settle(desk, bar, at, Exercise { spot, early: false });
        }
        self.reserve(bar);
    }
}
