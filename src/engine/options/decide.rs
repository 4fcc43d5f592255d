//! The decision at a close: which options are rolled, which are written, which shares they need.

use crate::engine::decide::{Decider, Want};
use crate::engine::options::input::Desk;
use crate::engine::options::{NotDone, Wish, WishKind};
use crate::engine::pending::Ask;
use crate::engine::simulate::Sim;
use crate::execution::{OrderType, Reason, Side};
use crate::instrument::Right;
use crate::portfolio::OpenOption;
use crate::strategy::Structure;
use crate::units::BarIndex;

/// What of the cash is left over for costs and a higher open when shares are bought by the lot.
const OPEN_MARGIN: f64 = 0.01;

impl<'a> Sim<'a, '_> {
    /// Shares that the structure itself buys or sells, where no selector does.
    pub(crate) fn option_stock_wants(&self, bar: BarIndex, wants: &mut Vec<Want>) {
        let Some(desk) = self.desk() else { return };
        if desk.terms.index_units || !matches!(self.decider, Decider::Rules) || self.has_selector()
        {
            return;
        }
        for slot in 0..self.input.symbols.len() {
            if self.input.symbols[slot].own_bar(bar).is_none() {
                continue;
            }
            let structure = desk.terms.structure;
            let shares = self.account.positions[slot].shares;
            if structure.holds_shares() {
                wants.extend(self.shares_wanted(desk, bar, slot));
            } else if structure != Structure::Wheel && shares > 0.0 && !self.waits(slot, true) {
                // Assigned shares are no part of the structure.
                wants.push(Want {
                    slot,
                    side: Side::Sell,
                    closes: Some(shares),
                    opens: false,
                    ask: None,
                    reason: Reason::Assigned,
                    priority: 0.0,
                });
            }
        }
    }

    /// Something else than the structure decides about shares.
    fn has_selector(&self) -> bool {
        !self.input.strategy.decides_by_options_alone()
    }

    /// Shares for the slot's part of the equity: whole lots of a contract where contracts are whole.
    fn shares_wanted(&self, desk: &Desk, bar: BarIndex, slot: usize) -> Option<Want> {
        if self.waits(slot, false) || self.waits(slot, true) {
            return None;
        }
        let own = self.input.symbols[slot].own_bar(bar)?;
        let close = self.input.symbols[slot].bars.close[own];
        let held = self.account.positions[slot].shares.max(0.0);
        let budget = self.account.equity() / self.slots().max(1.0);
        let free = self.account.settled_cash() - self.account.reserved;
        let money = (budget - held * close).min(free);
        let least = match self.share_lot(slot) {
            0.0 => 0.02 * budget,
            lot => lot * close * (1.0 + OPEN_MARGIN),
        };
        let puts = desk.terms.structure.buys_puts();
        // Puts are bought with cash: a part stays for them.
        let kept = if puts { 0.03 * budget } else { 0.0 };
        let money = money - kept;
        (money >= least && money > 0.0).then_some(Want {
            slot,
            side: Side::Buy,
            closes: None,
            opens: true,
            ask: Some(Ask::Money(money)),
            reason: Reason::Signal,
            priority: 0.0,
        })
    }

    /// Lot in which shares of a slot are bought: whole contracts need whole hundreds.
    pub(crate) fn share_lot(&self, _slot: usize) -> f64 {
        let lot = self.input.strategy.size.lot;
        let Some(desk) = self.desk() else { return lot };
        let leg = desk.terms.call.as_ref().or(desk.terms.put.as_ref());
        let whole = leg.is_some_and(|leg| !leg.fractional);
        let of_structure = desk.terms.structure.holds_shares() && !self.has_selector();
        if whole && of_structure && !desk.terms.index_units {
            desk.terms.contract.multiplier.max(lot)
        } else {
            lot
        }
    }

    /// Rolls and entries at this close.
    pub(crate) fn options_decide(&mut self, bar: BarIndex) {
        let Some(desk) = self.desk() else { return };
        if desk.terms.index_units {
            self.hold_units(desk, bar);
            return;
        }
        self.decide_rolls(desk, bar);
        self.free_shares(bar);
        for slot in 0..self.input.symbols.len() {
            if self.input.symbols[slot].own_bar(bar).is_none() {
                continue;
            }
            // Calls before puts: the order of the published procedure.
            for right in [Right::Call, Right::Put] {
                self.decide_entry(desk, bar, slot, right);
            }
        }
    }

    fn is_call(&self, option: &OpenOption) -> bool {
        self.account.options.contracts[option.contract].right == Right::Call
    }

    fn is_wished(&self, slot: usize, kind: WishKind) -> bool {
        let same = |w: &Wish| w.slot == slot && w.kind == kind;
        self.options.wishes.iter().any(same)
    }

    fn wish(&mut self, bar: BarIndex, slot: usize, kind: WishKind, side: Side, count: f64) {
        let reason = match kind {
            WishKind::Open(_) => Reason::Signal,
            WishKind::Roll(_) => Reason::Rolled,
            WishKind::Close(_) => Reason::Closed,
        };
        let order = self.new_order(bar, slot, side, OrderType::Market, count, None, reason);
        let traded = match kind {
            // Until its fill it has no contract yet.
            WishKind::Open(_) => None,
            WishKind::Roll(number) | WishKind::Close(number) => {
                let open = &self.account.options.open;
                open.iter().find(|o| o.number == number)
            }
        };
        if let Some(option) = traded {
            self.orders[order].symbol = self.account.first_contract + option.contract;
        }
        self.orders[order].outcome = crate::execution::Outcome::Expired;
        self.orders[order].reason = Reason::LastBar;
        self.options.wishes.push(Wish { order, slot, kind });
    }

    /// Options whose roll has come: by the calendar now, by a price on the next day's quotes.
    fn decide_rolls(&mut self, desk: &'a Desk, bar: BarIndex) {
        if desk.terms.roll.is_none() {
            return;
        }
        let written: Vec<usize> = self
            .account
            .options
            .open
            .iter()
            .filter(|o| o.is_short() && o.entry_bar < bar && !self.options.left.contains(&o.number))
            .map(|o| o.number)
            .collect();
        for number in written {
            let open = &self.account.options.open;
            let Some(at) = open.iter().position(|o| o.number == number) else {
                continue;
            };
            let slot = open[at].slot;
            let has_bar = self.input.symbols[slot].own_bar(bar).is_some();
            let kind = WishKind::Roll(number);
            let Some(known) = self.roll_due(desk, bar, at).filter(|_| has_bar) else {
                continue;
            };
            if self.is_wished(slot, kind) {
                continue;
            }
            if known || desk.terms.fill.same_close {
                if !known {
                    self.options.record.same_close_fills += 1;
                }
                self.roll_one(bar, number, None);
            } else {
                let count = self.account.options.open[at].count.abs();
                self.wish(bar, slot, kind, Side::Buy, count);
            }
        }
    }

    /// Whether the option at `at` is to be rolled, and whether the calendar alone said so. The first
    /// trigger that is true, in the order of the file's keys.
    fn roll_due(&self, desk: &Desk, bar: BarIndex, at: usize) -> Option<bool> {
        let roll = desk.terms.roll.as_ref()?;
        let option = &self.account.options.open[at];
        let listed = self.listed(desk, at);
        let moment = self.moment(option.slot, bar);
        let quote = desk.quote(&moment, &listed);
        let cost = quote.map(|q| q.bought_at(desk.terms.fill.give_up));
        let credit = option.entry_price;
        let earned = cost.map(|cost| 1.0 - cost / credit);
        if roll
            .profit
            .zip(earned)
            .is_some_and(|(x, earned)| earned >= x)
        {
            return Some(false);
        }
        let days = desk.days(bar, listed.expiration);
        if roll.dte.is_some_and(|n| days <= i64::from(n)) {
            return Some(true);
        }
        let delta = quote.map(|q| q.delta.abs());
        if roll.delta.zip(delta).is_some_and(|(x, delta)| delta >= x) {
            return Some(false);
        }
        let depth = listed.right.intrinsic(moment.spot, listed.strike) / moment.spot;
        if roll.itm.is_some_and(|x| depth > 0.0 && depth >= x) {
            return Some(false);
        }
        if roll
            .loss
            .zip(cost)
            .is_some_and(|(x, cost)| cost - credit >= x * credit)
        {
            return Some(false);
        }
        (roll.ex_dividend && self.dividend_threatens(desk, bar, at)).then_some(false)
    }

    /// A dividend of the session after the next one would have the call exercised: a roll that is
    /// decided now still fills before it.
    fn dividend_threatens(&self, desk: &Desk, bar: BarIndex, at: usize) -> bool {
        let option = &self.account.options.open[at];
        let listed = self.listed(desk, at);
        if listed.right != Right::Call {
            return false;
        }
        let today = desk.dates[bar];
        let next = desk.calendar.next_session(today);
        let after = desk.calendar.next_session(next);
        let moment = self.moment(option.slot, bar);
        let time_value = option.mark - listed.right.intrinsic(moment.spot, listed.strike);
        desk.underlyings[option.slot].dividends.iter().any(|d| {
            d.ex > next
                && d.ex <= after
                && d.known <= moment.now
                && !d.special
                && d.amount > time_value
        })
    }

    /// Calls on shares that are about to be sold are bought back first.
    fn free_shares(&mut self, bar: BarIndex) {
        for slot in 0..self.input.symbols.len() {
            let leaving: f64 = self
                .pending
                .iter()
                .filter(|p| p.slot == slot && !p.done)
                .filter_map(|p| p.closes)
                .sum();
            if leaving <= 0.0 || !self.is_locked(slot, leaving) {
                continue;
            }
            let calls: Vec<(usize, f64)> = self
                .account
                .options
                .open
                .iter()
                .filter(|o| o.slot == slot && o.is_short() && self.is_call(o))
                .map(|o: &OpenOption| (o.number, o.count.abs()))
                .collect();
            for (number, count) in calls {
                let kind = WishKind::Close(number);
                if !self.is_wished(slot, kind) {
                    self.wish(bar, slot, kind, Side::Buy, count);
                }
            }
        }
    }

    /// A sale (a purchase, where the structure buys) of one leg.
    fn decide_entry(&mut self, desk: &'a Desk, bar: BarIndex, slot: usize, right: Right) {
        let Some(leg) = self.leg(desk, right) else {
            return;
        };
        if self.is_wished(slot, WishKind::Open(right)) || !self.has_room(desk, bar, slot, right) {
            return;
        }
        if self.purse.owed() > 0.0 {
            self.not_done(bar, (slot, right), false, NotDone::Owed);
            return;
        }
        if desk.blackout.get(bar).copied().unwrap_or(false) {
            self.not_done(bar, (slot, right), false, NotDone::Blackout);
            return;
        }
        let Some(when) = &leg.when else {
            self.open_leg(bar, (slot, right), None);
            return;
        };
        debug_assert!(!when.text.is_empty());
        let signals = &self.input.symbols[slot].signals;
        let mask = match right {
            Right::Call => &signals.call_when,
            Right::Put => &signals.put_when,
        };
        let own = self.input.symbols[slot].own_bar(bar);
        let is_yes = own.is_some_and(|own| mask.as_ref().is_some_and(|m| m.is_yes(own)));
        if !is_yes {
            self.not_done(bar, (slot, right), false, NotDone::Condition);
        } else if desk.terms.fill.same_close {
            self.options.record.same_close_fills += 1;
            self.open_leg(bar, (slot, right), None);
        } else {
            let buys = right == Right::Put && desk.terms.structure.buys_puts();
            let side = if buys { Side::Buy } else { Side::Sell };
            self.wish(bar, slot, WishKind::Open(right), side, 0.0);
        }
    }

    /// There is something left to write on, or to protect, and its day has come.
    fn has_room(&self, desk: &Desk, bar: BarIndex, slot: usize, right: Right) -> bool {
        let Some(leg) = self.leg(desk, right) else {
            return false;
        };
        let contracts = &self.account.options.contracts;
        let open = self.account.options.open.iter();
        let mut same =
            open.filter(|o| o.slot == slot && !o.is_wing && contracts[o.contract].right == right);
        let tranches = desk.terms.tranches;
        if tranches > 1 {
            let spacing = i64::from(leg.days_max().min(60)) / i64::from(tranches);
            let last = self.options.slots[slot].last_sale[right as usize];
            let since = last.map(|last| (desk.dates[bar] - desk.dates[last]).num_days());
            if since.is_some_and(|days| days < spacing.max(1)) {
                return false;
            }
        }
        let least = if leg.fractional {
            1e-6
        } else {
            desk.terms.contract.multiplier
        };
        let structure = desk.terms.structure;
        if structure.is_spread() {
            return same.next().is_none() || tranches > 1;
        }
        if right == Right::Call || structure.buys_puts() {
            return self.uncovered(desk, (slot, right), leg) >= least * (1.0 - 1e-9);
        }
        let spot = self.account.marks[slot];
        let one = spot * desk.terms.contract.multiplier;
        let least = if leg.fractional {
            0.001 * one
        } else {
            0.5 * one
        };
        self.free_money(desk, slot, leg) >= least
    }
}
