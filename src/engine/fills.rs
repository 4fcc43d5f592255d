//! Filling: how many shares an order gets, what it pays, and the outcome it ends in.

use crate::engine::pending::{Ask, Pending};
use crate::engine::simulate::Sim;
use crate::execution::cost::{affordable, fee, slipped, whole_lots};
use crate::execution::fill::{Touch, limit_gapped, limit_touched, stop_gapped, stop_touched};
use crate::execution::{Order, OrderType, Outcome, Reason, Side};
use crate::portfolio::{Booking, Protection};
use crate::strategy::{AccountKind, FillAt};
use crate::units::{BarIndex, DAY_MICROS};

/// Whose price a market order gets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    Open,
    Close,
}

/// How a fill came about.
#[derive(Debug, Clone, Copy)]
struct Terms {
    bar: BarIndex,
    own: usize,
    /// Price before slippage.
    reference: f64,
    slips: bool,
    /// First bar on which the stops of an entry are live.
    live_from: BarIndex,
    inside: bool,
}

/// An exit that no order waited for.
#[derive(Debug, Clone, Copy)]
struct Exit {
    side: Side,
    kind: OrderType,
    /// Level of the stop or target.
    level: Option<f64>,
    shares: f64,
    /// Price before slippage.
    reference: f64,
    price: f64,
    fee: f64,
    reason: Reason,
    ambiguous: bool,
}

impl Sim<'_, '_> {
    /// Fills waiting market orders of symbols that have a bar: those that close something, or the
    /// others, in their order of priority.
    pub(crate) fn fill_market(&mut self, bar: BarIndex, closing: bool, at: Moment) {
        let fill = &self.input.strategy.fill;
        let entry_bar = fill.at == FillAt::NextOpen && self.input.strategy.stops.entry_bar;
        for k in 0..self.pending.len() {
            let p = &self.pending[k];
            if p.done || p.kind != OrderType::Market || p.closes.is_some() != closing {
                continue;
            }
            let price = match at {
                Moment::Open => self.prices(p.slot, bar).map(|(own, p)| (own, p.open)),
                Moment::Close => self.input.close(p.slot, bar),
            };
            if let Some((own, reference)) = price {
                let terms = Terms {
                    bar,
                    own,
                    reference,
                    slips: true,
                    live_from: if entry_bar { bar } else { bar + 1 },
                    inside: false,
                };
                self.fill_pending(k, &terms);
            }
        }
    }

    /// Limit and stop entries that the open already reached, or (`inside`) that the rest of the bar
    /// reaches; those for one session only end with it.
    pub(crate) fn fill_resting(&mut self, bar: BarIndex, inside: bool) {
        let through = self.input.strategy.fill.limit_through;
        let live_at_once = self.input.strategy.stops.entry_bar && !inside;
        for k in 0..self.pending.len() {
            let p = self.pending[k];
            let Some((own, prices)) = self.prices(p.slot, bar).filter(|_| !p.done) else {
                continue;
            };
            let reached = match (p.kind, inside) {
                (OrderType::Market, _) => continue,
                (OrderType::Limit, false) => limit_gapped(&prices, p.side, p.price),
                (OrderType::Limit, true) => limit_touched(&prices, p.side, p.price, through),
                (OrderType::Stop, false) => stop_gapped(&prices, p.side, p.price),
                (OrderType::Stop, true) => stop_touched(&prices, p.side, p.price),
            };
            if let Some(reference) = reached {
                let terms = Terms {
                    bar,
                    own,
                    reference,
                    slips: p.kind == OrderType::Stop,
                    live_from: if live_at_once { bar } else { bar + 1 },
                    inside,
                };
                self.fill_pending(k, &terms);
            }
            // A daily bar is its session. Of intraday bars nobody knows which is the last, so their
            // orders end at the first bar of another session, before it can fill them.
            if inside && p.day_only && !self.input.intraday && !self.pending[k].done {
                self.end_order(k, self.unfilled(k, Outcome::Expired), Reason::NotReached);
            }
        }
    }

    /// Intraday orders of an earlier session end.
    pub(crate) fn expire_day_orders(&mut self, bar: BarIndex) {
        // The first test spares bars without orders a look at the clock, which is far away in memory.
        if self.pending.is_empty() || !self.input.intraday {
            return;
        }
        let today = self.input.clock[bar].div_euclid(DAY_MICROS);
        for k in 0..self.pending.len() {
            let p = &mut self.pending[k];
            let waits = p.day_only && self.input.symbols[p.slot].own_bar(bar).is_some();
            if waits && *p.day.get_or_insert(today) != today {
                self.end_order(k, self.unfilled(k, Outcome::Expired), Reason::NotReached);
            }
        }
        self.sweep_pending();
    }

    /// Drops the orders that ended.
    pub(crate) fn sweep_pending(&mut self) {
        self.pending.retain(|p| !p.done);
    }

    /// The outcome of an order that ends before all of it was filled.
    pub(crate) fn unfilled(&self, k: usize, otherwise: Outcome) -> Outcome {
        if self.orders[self.pending[k].order].filled > 0.0 {
            Outcome::PartlyFilled
        } else {
            otherwise
        }
    }

    /// Ends an order with an outcome.
    pub(crate) fn end_order(&mut self, k: usize, outcome: Outcome, reason: Reason) {
        let p = &mut self.pending[k];
        p.done = true;
        let order = &mut self.orders[p.order];
        order.outcome = outcome;
        if outcome != Outcome::Filled {
            order.reason = reason;
        }
    }

    /// Shares that the volume cap lets one order take on a bar.
    pub(crate) fn volume_limit(&self, slot: usize, own: usize) -> f64 {
        match self.input.strategy.fill.volume_cap {
            None => f64::INFINITY,
            Some(cap) => whole_lots(
                cap * self.input.symbols[slot].volume(own),
                self.input.strategy.size.lot,
            ),
        }
    }

    fn fill_pending(&mut self, k: usize, terms: &Terms) {
        let p = self.pending[k];
        let costs = &self.input.strategy.costs;
        let price = if terms.slips {
            slipped(terms.reference, p.side, costs)
        } else {
            terms.reference
        };
        let limit = self.volume_limit(p.slot, terms.own);
        if limit <= 0.0 {
            return;
        }
        let held = self.account.positions[p.slot].shares;
        let against = match p.side {
            Side::Buy => held < 0.0,
            Side::Sell => held > 0.0,
        };
        let closing = match p.closes {
            Some(shares) if against => shares.min(held.abs()),
            _ => 0.0,
        };
        if closing > 0.0 && self.is_locked(p.slot, closing) {
            // It waits for the calls on these shares to be bought back.
            return;
        }
        if closing == 0.0 && p.opens.is_none() {
            let outcome = self.unfilled(k, Outcome::Cancelled);
            self.end_order(k, outcome, Reason::Flat);
            return;
        }
        let opening = match p.opens {
            Some(ask) => self.opening_shares(&p, ask, price, closing, terms),
            None => Ok(0.0),
        };
        let (opening, refused) = match opening {
            Ok(shares) => (shares, None),
            Err(reason) => (0.0, Some(reason)),
        };
        let wanted = closing + opening;
        let shares = wanted.min(limit);
        if shares <= 0.0 {
            let outcome = self.unfilled(k, Outcome::Rejected);
            self.end_order(k, outcome, refused.unwrap_or(Reason::Cash));
            return;
        }
        self.book(k, terms, price, shares, closing);
        let p = &mut self.pending[k];
        if shares < wanted {
            p.closes = p
                .closes
                .map(|n| n - shares.min(closing))
                .filter(|n| *n > 0.0);
        } else {
            self.end_order(k, Outcome::Filled, Reason::Signal);
        }
    }

    /// Shares that an entry gets: what was asked for, cut by cash or margin, rounded to lots.
    fn opening_shares(
        &self,
        p: &Pending,
        ask: Ask,
        price: f64,
        closing: f64,
        terms: &Terms,
    ) -> Result<f64, Reason> {
        let strategy = self.input.strategy;
        let wanted = match ask {
            Ask::Money(money) => (money - p.spent) / price,
            Ask::Shares(shares) => shares - p.opened,
        };
        let power = self.buying_power(p, price, closing, terms.inside);
        let shares = wanted.min(affordable(power, price, &strategy.costs));
        let shares = whole_lots(shares, self.share_lot(p.slot));
        // NaN is refused like nothing at all.
        if shares.is_nan() || shares <= 0.0 {
            return Err(Reason::Cash);
        }
        if shares * price < strategy.size.min_order {
            return Err(Reason::MinOrder);
        }
        Ok(shares)
    }

    /// Money that an entry may use: settled cash, or what the margin rules leave.
    fn buying_power(&self, p: &Pending, price: f64, closing: f64, inside: bool) -> f64 {
        let account = &self.input.strategy.account;
        let freed = if inside { self.freed_inside } else { 0.0 };
        match account.kind {
            AccountKind::Cash => {
                let settled = self.account.settled_cash() - self.to_reinvest();
                settled - self.account.reserved - freed - self.purse.owed()
            }
            AccountKind::Margin => {
                let closes = closing * self.account.marks[p.slot];
                let gross = self.account.gross() - closes;
                let cost = fee(closing, price, &self.input.strategy.costs);
                (self.equity_to_invest() - cost) / account.initial_margin - gross
            }
        }
    }

    /// Dividends of this bar that buy more of their payers at its close: cash that serves nothing else.
    pub(crate) fn to_reinvest(&self) -> f64 {
        let waits = self.input.strategy.account.reinvest_dividends && !self.decider.reinvests();
        let is_held = |slot: usize| self.account.positions[slot].is_long();
        let waiting = self.reinvest.iter();
        let waiting = waiting.filter(|(slot, _)| waits && is_held(*slot));
        waiting.map(|(_, amount)| amount).sum()
    }

    /// Books one fill of a waiting order.
    fn book(&mut self, k: usize, terms: &Terms, price: f64, shares: f64, closing: f64) {
        let p = self.pending[k];
        let costs = &self.input.strategy.costs;
        let mut charge = fee(shares, price, costs);
        let mut value = shares * price;
        let cash = self.account.cash;
        // An entry that takes all the cash leaves exactly none: without this the rounding of the
        // division would leave a few billionths of a cent, positive or negative.
        let all_in = p.side == Side::Buy
            && self.purse.owed() == 0.0
            && self.input.strategy.account.kind == AccountKind::Cash
            && self.input.strategy.size.lot == 0.0
            && (cash - value - charge).abs() <= 1e-12 * cash;
        if all_in {
            value = cash - charge;
            charge = cash - value;
        }
        let booking = Booking {
            bar: terms.bar,
            own: terms.own as u32,
            slot: p.slot,
            side: p.side,
            shares,
            reference: terms.reference,
            price,
            value,
            fee: charge,
            reason: p.reason,
            ambiguous: false,
            protection: p.protection,
            live_from: terms.live_from,
        };
        self.account.marks[p.slot] = terms.reference;
        self.account.fill(&booking, self.input.session(terms.bar));
        let opened = shares > closing;
        if opened && terms.inside {
            self.entered_inside.push(p.slot);
        }
        if self.account.positions[p.slot].is_flat() || (closing > 0.0 && opened) {
            self.block_entries(p.slot, terms.own);
        }
        let p = &mut self.pending[k];
        let entered = (shares - closing).max(0.0);
        p.opened += entered;
        p.spent += entered * price;
        note_fill(&mut self.orders[p.order], shares, price, terms.bar);
    }

    /// After an exit no entry is decided for a while.
    fn block_entries(&mut self, slot: usize, own: usize) {
        let bars = self.input.strategy.rules.cooldown_bars;
        if bars > 0 {
            self.blocked_through[slot] = Some(own as u32 + bars);
        }
    }

    /// Sells (buys back) under protection. `true` when the whole share that was due was filled.
    pub(crate) fn fill_protective(
        &mut self,
        bar: BarIndex,
        slot: usize,
        own: usize,
        touch: &Touch,
    ) -> bool {
        let strategy = self.input.strategy;
        let position = &self.account.positions[slot];
        let side = position.closing_side();
        let is_target = matches!(touch.reason, Reason::Target | Reason::TargetGap);
        let held = position.shares.abs();
        let share = if is_target {
            strategy.stops.target_share
        } else {
            1.0
        };
        let due = if share < 1.0 {
            Some(whole_lots(held * share, strategy.size.lot))
                .filter(|&n| n > 0.0)
                .unwrap_or(held)
        } else {
            held
        };
        let shares = due.min(self.volume_limit(slot, own));
        if shares <= 0.0 {
            return false;
        }
        if touch.ambiguous {
            self.ambiguous += 1;
        }
        if is_target && due < held {
            self.account.positions[slot].protection.target = None;
        }
        self.sell_now(bar, slot, own, side, shares, touch);
        if shares < due {
            self.rest_waits(bar, slot, side, due - shares, touch.reason);
        }
        shares == due
    }

    /// A protective fill.
    fn sell_now(
        &mut self,
        bar: BarIndex,
        slot: usize,
        own: usize,
        side: Side,
        shares: f64,
        touch: &Touch,
    ) {
        let costs = &self.input.strategy.costs;
        let price = if touch.slips {
            slipped(touch.price, side, costs)
        } else {
            touch.price
        };
        let kind = if touch.slips {
            OrderType::Stop
        } else {
            OrderType::Limit
        };
        let exit = Exit {
            side,
            kind,
            level: Some(touch.price),
            shares,
            reference: touch.price,
            price,
            fee: fee(shares, price, costs),
            reason: touch.reason,
            ambiguous: touch.ambiguous,
        };
        self.exit_now(bar, slot, own, &exit);
        if self.account.positions[slot].is_flat() {
            self.block_entries(slot, own);
        }
    }

    /// Sells a part of a long position at the market now, whatever the rules say.
    pub(crate) fn sell_at_market(
        &mut self,
        bar: BarIndex,
        (slot, own): (usize, usize),
        shares: f64,
        reference: f64,
        reason: Reason,
    ) {
        let costs = &self.input.strategy.costs;
        let price = slipped(reference, Side::Sell, costs);
        let exit = Exit {
            side: Side::Sell,
            kind: OrderType::Market,
            level: None,
            shares,
            reference,
            price,
            fee: fee(shares, price, costs),
            reason,
            ambiguous: false,
        };
        self.exit_now(bar, slot, own, &exit);
        if self.account.positions[slot].is_flat() {
            self.block_entries(slot, own);
        }
    }

    /// An order that is decided and filled on one bar: protection, delisting, end of the run.
    fn exit_now(&mut self, bar: BarIndex, slot: usize, own: usize, exit: &Exit) {
        let (shares, price) = (exit.shares, exit.price);
        let order = self.new_order(
            bar,
            slot,
            exit.side,
            exit.kind,
            shares,
            exit.level,
            exit.reason,
        );
        let booking = Booking {
            bar,
            own: own as u32,
            slot,
            side: exit.side,
            shares,
            reference: exit.reference,
            price,
            value: shares * price,
            fee: exit.fee,
            reason: exit.reason,
            ambiguous: exit.ambiguous,
            protection: Protection::default(),
            live_from: bar,
        };
        self.account.marks[slot] = exit.reference;
        self.account.fill(&booking, self.input.session(bar));
        note_fill(&mut self.orders[order], shares, price, bar);
    }

    /// The part of a protective exit that the volume left over is sold at the market.
    fn rest_waits(&mut self, bar: BarIndex, slot: usize, side: Side, shares: f64, reason: Reason) {
        if self
            .pending
            .iter()
            .any(|p| p.slot == slot && p.side == side && p.closes.is_some())
        {
            return;
        }
        let order = self.new_order(bar, slot, side, OrderType::Market, shares, None, reason);
        self.pending.push(Pending {
            order,
            slot,
            side,
            kind: OrderType::Market,
            price: 0.0,
            closes: Some(shares),
            opens: None,
            protection: Protection::default(),
            reason,
            day_only: false,
            day: None,
            opened: 0.0,
            spent: 0.0,
            done: false,
        });
    }

    /// A new order, filled until something else happens to it.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new_order(
        &mut self,
        bar: BarIndex,
        slot: usize,
        side: Side,
        kind: OrderType,
        quantity: f64,
        price: Option<f64>,
        reason: Reason,
    ) -> usize {
        self.orders.push(Order {
            id: self.orders.len() as u32 + 1,
            decided: bar,
            symbol: self.input.symbols[slot].tape,
            side,
            kind,
            quantity,
            price,
            outcome: Outcome::Filled,
            reason,
            filled: 0.0,
            fill_bar: None,
            fill_price: None,
        });
        self.orders.len() - 1
    }

    /// Closes a position now, whatever the rules say: delisting, end of the run.
    fn close_now(&mut self, bar: BarIndex, slot: usize, price: f64, reason: Reason) {
        let costs = &self.input.strategy.costs;
        let position = &self.account.positions[slot];
        let shares = position.shares.abs();
        let side = position.closing_side();
        let traded = reason != Reason::Delisted;
        let fill_price = if traded {
            slipped(price, side, costs)
        } else {
            price
        };
        let charge = if traded {
            fee(shares, fill_price, costs)
        } else {
            0.0
        };
        let symbol = &self.input.symbols[slot];
        let own = (0..=bar).rev().find_map(|b| symbol.own_bar(b)).unwrap_or(0);
        let exit = Exit {
            side,
            kind: OrderType::Market,
            level: None,
            shares,
            reference: price,
            price: fill_price,
            fee: charge,
            reason,
            ambiguous: false,
        };
        self.exit_now(bar, slot, own, &exit);
    }

    /// A symbol that stopped trading: its orders end, its position is closed at the last price
    /// less the haircut.
    pub(crate) fn delist(&mut self, bar: BarIndex, slot: usize) {
        for k in 0..self.pending.len() {
            if self.pending[k].slot == slot && !self.pending[k].done {
                let outcome = self.unfilled(k, Outcome::Cancelled);
                self.end_order(k, outcome, Reason::Delisted);
            }
        }
        self.sweep_pending();
        self.settle_delisted(bar, slot, self.account.marks[slot]);
        if !self.account.positions[slot].is_flat() {
            let price = self.account.marks[slot] * (1.0 - self.input.strategy.data.delist_haircut);
            self.close_now(bar, slot, price, Reason::Delisted);
        }
    }

    /// Sells what is held at the last close.
    pub(crate) fn close_at_end(&mut self, bar: BarIndex) {
        self.close_options(bar);
        for slot in self.account.held.clone() {
            if self.input.symbols[slot].own_bar(bar).is_some() {
                let price = self.account.marks[slot];
                self.close_now(bar, slot, price, Reason::End);
            }
        }
    }

    /// Dividends buy more of the payer at this bar's close.
    pub(crate) fn reinvest_at_close(&mut self, bar: BarIndex) {
        for (slot, amount) in std::mem::take(&mut self.reinvest) {
            let position = &self.account.positions[slot];
            let Some((own, prices)) = self.prices(slot, bar).filter(|_| position.is_long()) else {
                continue;
            };
            let booking = Booking {
                bar,
                own: own as u32,
                slot,
                side: Side::Buy,
                shares: amount / prices.close,
                reference: prices.close,
                price: prices.close,
                value: amount,
                fee: 0.0,
                reason: Reason::Signal,
                ambiguous: false,
                protection: position.protection,
                live_from: position.live_from,
            };
            self.account.fill(&booking, self.input.session(bar));
        }
    }
}

/// Adds a fill to an order: quantity, average price, bar.
fn note_fill(order: &mut Order, shares: f64, price: f64, bar: BarIndex) {
    let before = order.filled;
    order.fill_price = Some(match order.fill_price {
        Some(average) => (average * before + price * shares) / (before + shares),
        None => price,
    });
    order.filled = before + shares;
    order.fill_bar = Some(bar);
}
