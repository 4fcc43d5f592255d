//! The close: what is wished from here on, by rules or by a plan to hold.
//!
//! A decision sees the account at this close and columns at this bar, nothing else. Every wish
//! becomes an order; orders that cannot be placed are recorded with their reason.

use crate::engine::fills::Moment;
use crate::engine::flows::Earned;
use crate::engine::input::{Distances, Signals};
use crate::engine::pending::{Ask, Pending};
use crate::engine::simulate::Sim;
use crate::execution::cost::fee;
use crate::execution::{OrderType, Outcome, Reason, Side};
use crate::portfolio::{Offset, Protection};
use crate::rules::Held;
use crate::strategy::{AccountKind, Amount, FillAt, OrderKind, Situation, amount};
use crate::units::BarIndex;

/// Who decides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Decider<'a> {
    /// The strategy's rules.
    Rules,
    /// Weights by slot, bought on the first bar.
    Hold(&'a Plan),
}

/// A plan to hold.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Share of equity by slot.
    pub(crate) weights: Vec<f64>,
    /// Bars on which the weights are restored; empty for never.
    pub(crate) rebalance: Vec<bool>,
}

impl Decider<'_> {
    /// Dividends buy more of the payer at the next open.
    pub(crate) fn reinvests(&self) -> bool {
        matches!(self, Decider::Hold(_))
    }
}

/// A wish of one close.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) slot: usize,
    pub(crate) side: Side,
    /// Shares of the holding to close.
    pub(crate) closes: Option<f64>,
    /// Opens a position.
    pub(crate) opens: bool,
    /// Amount fixed elsewhere than by `[size]`.
    pub(crate) ask: Option<Ask>,
    pub(crate) reason: Reason,
    pub(crate) priority: f64,
}

/// What a slot does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Says {
    enter: bool,
    exit: bool,
    short: bool,
    cover: bool,
    time: bool,
}

impl Sim<'_, '_> {
    /// Decides at the close of `bar`, and places or fills what was decided.
    pub(crate) fn decide(&mut self, bar: BarIndex) {
        let mut wants = std::mem::take(&mut self.wants);
        wants.clear();
        for (_, trade) in &self.account.trades[self.closed_seen..] {
            self.closed.add(trade.pnl);
            self.purse.earn(Earned::Gains, trade.pnl);
        }
        self.closed_seen = self.account.trades.len();
        if self.input.later {
            self.note_live(bar);
        }
        if self.taxes.is_some() {
            self.end_stand_ins(bar);
        }
        self.margin_call(bar, &mut wants);
        match self.decider {
            Decider::Rules if self.selects() => self.decide_selection(bar, &mut wants),
            Decider::Rules => self.decide_rules(bar, &mut wants),
            Decider::Hold(plan) => self.decide_plan(bar, plan, &mut wants),
        }
        if self.taxes.is_some() {
            self.harvest(bar, &mut wants);
        }
        if self.input.desk.is_some() {
            self.option_stock_wants(bar, &mut wants);
        }
        if !wants.is_empty() {
            self.place(bar, &wants);
        }
        if self.input.desk.is_some() {
            self.options_decide(bar);
        }
        self.wants = wants;
    }

    /// The next bar at which a rule could fire for what is held now; `None` when that cannot be
    /// told from bit sets alone.
    pub(crate) fn next_decision(&self, bar: BarIndex) -> Option<BarIndex> {
        let rules = &self.input.strategy.rules;
        if let Decider::Hold(plan) = self.decider {
            let first = self.orders.is_empty() && bar == self.input.first;
            return (!first && plan.rebalance.is_empty()).then_some(self.input.end);
        }
        if self.selects() {
            return Some(self.next_selection(bar));
        }
        if rules.hold_bars_max.is_some() {
            return None;
        }
        let mut next = self.input.end;
        for (slot, symbol) in self.input.symbols.iter().enumerate() {
            let signals = &symbol.signals;
            if signals.exit_live.is_some() || signals.cover_live.is_some() {
                return None;
            }
            let shares = self.account.positions[slot].shares;
            let adds = self.input.strategy.size.pyramid;
            let mut look = |mask: &Option<crate::rules::Mask>| {
                if let Some(at) = mask.as_ref().and_then(|m| m.next_yes(bar)) {
                    next = next.min(at);
                }
            };
            if shares >= 0.0 {
                look(&signals.short);
            }
            if shares <= 0.0 || adds {
                look(&signals.enter);
            }
            if shares > 0.0 {
                look(&signals.exit);
            }
            if shares < 0.0 {
                look(&signals.cover);
            }
            if shares < 0.0 && adds {
                look(&signals.short);
            }
        }
        Some(next)
    }

    /// Equity below the maintenance margin: the largest positions are sold until it is enough.
    fn margin_call(&self, _bar: BarIndex, wants: &mut Vec<Want>) {
        let account = &self.input.strategy.account;
        if account.kind != AccountKind::Margin {
            return;
        }
        let equity = self.account.equity();
        let mut gross = self.account.gross();
        if equity >= account.maintenance_margin * gross {
            return;
        }
        let value =
            |slot: usize| (self.account.positions[slot].shares * self.account.marks[slot]).abs();
        let mut slots = self.account.held.clone();
        slots.sort_by(|&a, &b| value(b).total_cmp(&value(a)).then(a.cmp(&b)));
        for slot in slots {
            if equity >= account.maintenance_margin * gross && gross >= 0.0 && equity > 0.0 {
                break;
            }
            if !self.waits(slot, true) {
                wants.push(self.closing(slot, Reason::MarginCall));
                gross -= value(slot);
            }
        }
    }

    /// A wish to close all of a position.
    pub(crate) fn closing(&self, slot: usize, reason: Reason) -> Want {
        let position = &self.account.positions[slot];
        Want {
            slot,
            side: position.closing_side(),
            closes: Some(position.shares.abs()),
            opens: false,
            ask: None,
            reason,
            priority: 0.0,
        }
    }

    /// An order of the slot waits: one that closes, or one that only opens.
    pub(crate) fn waits(&self, slot: usize, closes: bool) -> bool {
        self.pending
            .iter()
            .any(|p| p.slot == slot && p.closes.is_some() == closes)
    }

    fn decide_rules(&mut self, bar: BarIndex, wants: &mut Vec<Want>) {
        let scheduled = self.input.decides.is_empty() || self.input.decides[bar];
        let dated = self.input.is_dated();
        if !scheduled && !dated && self.input.strategy.rules.hold_bars_max.is_none() {
            return;
        }
        let called = wants.len();
        for slot in 0..self.input.symbols.len() {
            let Some(own) = self.input.symbols[slot].own_bar(bar) else {
                continue;
            };
            if let Some(partner) = self.stand_in(slot) {
                self.decide_through((slot, own), partner, bar, scheduled, wants);
                continue;
            }
            if self.is_stand_in(slot) {
                continue;
            }
            let mut says = self.says(slot, own);
            if !scheduled {
                // Rules wait for their day; the time that a position may be held does not.
                says = Says {
                    time: says.time,
                    ..Says::default()
                };
            }
            if dated && !self.input.is_member(slot, bar) {
                // What left the universe is sold, and not bought.
                says = Says {
                    exit: true,
                    cover: true,
                    ..Says::default()
                };
            }
            if says == Says::default() || wants[..called].iter().any(|w| w.slot == slot) {
                continue;
            }
            if (says.exit || says.cover) && !self.pending.is_empty() {
                self.cancel_entries(slot, &says);
            }
            if let Some(want) = self.want(slot, own, &says) {
                wants.push(want);
            }
        }
    }

    /// What the rules say at an own bar.
    fn says(&self, slot: usize, own: usize) -> Says {
        let signals = &self.input.symbols[slot].signals;
        let yes = |mask: &Option<crate::rules::Mask>| mask.as_ref().is_some_and(|m| m.is_yes(own));
        let mut says = Says {
            enter: yes(&signals.enter),
            exit: yes(&signals.exit),
            short: yes(&signals.short),
            cover: yes(&signals.cover),
            time: false,
        };
        let position = &self.account.positions[slot];
        if position.is_flat() {
            return says;
        }
        if let Some(most) = self.input.strategy.rules.hold_bars_max {
            says.time = own as u32 - position.entry_own >= most;
        }
        if signals.exit_live.is_some() || signals.cover_live.is_some() {
            let leaves = if self.input.later {
                self.said_a_bar_ago(slot)
            } else {
                self.live_says(slot, own)
            };
            says.exit |= position.is_long() && leaves;
            says.cover |= !position.is_long() && leaves;
        }
        says
    }

    /// What the rules about the open position say at an own bar.
    pub(crate) fn live_says(&self, slot: usize, own: usize) -> bool {
        let signals = &self.input.symbols[slot].signals;
        let id = if self.account.positions[slot].is_long() {
            signals.exit_live
        } else {
            signals.cover_live
        };
        id.is_some_and(|id| self.input.holds(slot, id, own, &self.held(slot, own)))
    }

    /// The position as expressions see it at an own bar.
    pub(crate) fn held(&self, slot: usize, own: usize) -> Held {
        let position = &self.account.positions[slot];
        let pnl = position.pnl_at(self.account.marks[slot]);
        let excursion = |price: f64| {
            let move_ = price / position.entry_price - 1.0;
            if position.is_long() { move_ } else { -move_ }
        };
        Held {
            bars_held: own as u32 - position.entry_own,
            entry_price: position.entry_price,
            pnl,
            pnl_pct: pnl / position.money_in(),
            mae: excursion(position.worst).min(0.0),
            mfe: excursion(position.best).max(0.0),
        }
    }

    /// A waiting entry is cancelled when its exit fires.
    fn cancel_entries(&mut self, slot: usize, says: &Says) {
        for k in 0..self.pending.len() {
            let p = self.pending[k];
            let contradicted = match p.side {
                Side::Buy => says.exit,
                Side::Sell => says.cover,
            };
            if p.slot == slot && p.opens.is_some() && p.closes.is_none() && contradicted {
                self.end_order(k, self.unfilled(k, Outcome::Cancelled), Reason::ExitFirst);
            }
        }
        self.sweep_pending();
    }

    /// The wish that follows, if the state of the slot allows one.
    fn want(&self, slot: usize, own: usize, says: &Says) -> Option<Want> {
        let position = &self.account.positions[slot];
        let blocked = self.blocked_through[slot].is_some_and(|through| own as u32 <= through);
        let enter = says.enter && !says.exit && !says.short && !blocked;
        let short = says.short && !says.cover && !says.enter && !blocked;
        let adds = self.input.strategy.size.pyramid;
        let (leave, back, again) = if position.is_long() {
            (says.exit, short, enter && adds)
        } else {
            (says.cover, enter, short && adds)
        };
        if position.is_flat() {
            let side = match (enter, short) {
                (true, _) => Side::Buy,
                (_, true) => Side::Sell,
                _ => return None,
            };
            return (!self.waits(slot, false)).then(|| self.opening(slot, own, side, None));
        }
        if self.waits(slot, true) {
            return None;
        }
        if back {
            let side = position.closing_side();
            return Some(self.opening(slot, own, side, Some(position.shares.abs())));
        }
        if leave {
            return Some(self.closing(slot, Reason::Signal));
        }
        if says.time {
            return Some(self.closing(slot, Reason::Time));
        }
        let side = if position.is_long() {
            Side::Buy
        } else {
            Side::Sell
        };
        (again && !self.waits(slot, false)).then(|| self.opening(slot, own, side, None))
    }

    pub(crate) fn opening(&self, slot: usize, own: usize, side: Side, closes: Option<f64>) -> Want {
        let priority = self.input.symbols[slot]
            .signals
            .priority
            .and_then(|id| self.input.number(slot, id, own, &Held::default()))
            .unwrap_or(f64::NEG_INFINITY);
        Want {
            slot,
            side,
            closes,
            opens: true,
            ask: None,
            reason: Reason::Signal,
            priority,
        }
    }

    /// Weights: bought on the first bar, restored on schedule; dividends buy more of the payer.
    fn decide_plan(&mut self, bar: BarIndex, plan: &Plan, wants: &mut Vec<Want>) {
        let first = bar == self.input.first;
        let restore = plan.rebalance.get(bar).copied().unwrap_or(false) && !first;
        let equity = self.equity_to_invest();
        if !first && !restore {
            self.reinvest_at_open(bar, wants);
            return;
        }
        self.reinvest.clear();
        for (slot, weight) in plan.weights.iter().enumerate() {
            let Some(own) = self.input.symbols[slot].own_bar(bar) else {
                continue;
            };
            let close = self.input.symbols[slot].bars.close[own];
            let shares = self.account.positions[slot].shares;
            let gap = weight * equity - shares * close;
            if gap > 0.0 {
                wants.push(Want {
                    ask: Some(Ask::Money(gap)),
                    ..self.opening(slot, own, Side::Buy, None)
                });
            } else if gap < 0.0 && shares > 0.0 {
                wants.push(Want {
                    closes: Some((-gap / close).min(shares)),
                    ..self.closing(slot, Reason::Signal)
                });
            }
        }
    }

    /// Dividends that arrived buy more of their payer at the next open, as soon as the fee is small
    /// beside them: a daily index yield would otherwise be eaten by the minimum of every order.
    fn reinvest_at_open(&mut self, bar: BarIndex, wants: &mut Vec<Want>) {
        const FEE_SHARE_MAX: f64 = 0.01;
        let mut pool = std::mem::take(&mut self.reinvest);
        pool.sort_by_key(|(slot, _)| *slot);
        let mut arrived: Vec<(usize, f64)> = Vec::with_capacity(pool.len());
        for (slot, amount) in pool {
            match arrived.last_mut() {
                Some((last, sum)) if *last == slot => *sum += amount,
                _ => arrived.push((slot, amount)),
            }
        }
        for (slot, amount) in arrived {
            let own = self.input.symbols[slot].own_bar(bar);
            let worth_it = own.is_some_and(|own| {
                let close = self.input.symbols[slot].bars.close[own];
                let costs = &self.input.strategy.costs;
                let fixed = fee(amount / close, close, costs) - costs.commission * amount;
                fixed <= FEE_SHARE_MAX * amount
            });
            match own.filter(|_| worth_it) {
                Some(own) => wants.push(Want {
                    ask: Some(Ask::Money(amount)),
                    ..self.opening(slot, own, Side::Buy, None)
                }),
                None => self.reinvest.push((slot, amount)),
            }
        }
    }

    /// Places what was decided: exits first, then entries by priority while slots are free.
    fn place(&mut self, bar: BarIndex, wants: &[Want]) {
        for want in wants.iter().filter(|w| w.closes.is_some() && !w.opens) {
            self.place_one(bar, want);
        }
        let mut entries = wants.iter().filter(|w| w.opens).collect::<Vec<_>>();
        entries.sort_by(|a, b| b.priority.total_cmp(&a.priority).then(a.slot.cmp(&b.slot)));
        let counts = matches!(self.decider, Decider::Rules) && !self.selects();
        let slots = self.slots();
        let mut taken = if counts { self.slots_taken() } else { 0.0 };
        for want in entries {
            // Adding to a position, and turning one round, take no further slot.
            let is_swap = want.reason == Reason::Harvest;
            let needs_slot = self.account.positions[want.slot].is_flat() && !is_swap;
            if needs_slot && taken >= slots && counts {
                self.refuse(bar, want, Reason::Slots);
                continue;
            }
            if self.place_one(bar, want) && needs_slot {
                taken += 1.0;
            }
        }
        if self.input.strategy.fill.at == FillAt::Close {
            self.fill_at_this_close(bar);
        }
    }

    /// Slots of the account.
    pub(crate) fn slots(&self) -> f64 {
        let account = &self.input.strategy.account;
        let symbols = if account.each {
            1
        } else {
            self.input.symbols.len()
        };
        let most = self.input.strategy.size.max_positions;
        most.map_or(symbols as f64, f64::from)
    }

    /// Held and not about to be sold, plus about to be bought.
    fn slots_taken(&self) -> f64 {
        let leaving = |slot: usize| {
            self.pending
                .iter()
                .any(|p| p.slot == slot && p.closes.is_some() && p.opens.is_none())
        };
        let held = self.account.held.iter().filter(|&&s| !leaving(s)).count();
        let coming = self
            .pending
            .iter()
            .filter(|p| p.opens.is_some() && self.account.positions[p.slot].is_flat())
            .count();
        (held + coming) as f64
    }

    /// Turns a wish into a waiting order. `false` when it had to be refused.
    fn place_one(&mut self, bar: BarIndex, want: &Want) -> bool {
        let (own, close) = match self.input.close(want.slot, bar) {
            Some(known) => known,
            None => (0, self.account.marks[want.slot]),
        };
        let mut pending = Pending {
            order: 0,
            slot: want.slot,
            side: want.side,
            kind: OrderType::Market,
            price: 0.0,
            closes: want.closes,
            opens: None,
            protection: Protection::default(),
            reason: want.reason,
            day_only: false,
            day: None,
            opened: 0.0,
            spent: 0.0,
            done: false,
        };
        if want.opens && !self.prepare_entry(want, own, close, &mut pending) {
            self.refuse(bar, want, Reason::Size);
            return false;
        }
        let opening = match pending.opens {
            Some(Ask::Money(money)) => money / close,
            Some(Ask::Shares(shares)) => shares,
            None => 0.0,
        };
        let quantity = want.closes.unwrap_or(0.0) + opening;
        let price = (pending.kind != OrderType::Market).then_some(pending.price);
        let (slot, side, kind) = (want.slot, want.side, pending.kind);
        pending.order = self.new_order(bar, slot, side, kind, quantity, price, want.reason);
        self.pending.push(pending);
        true
    }

    /// Amount, protection and price of an entry. `false` when a value that it needs is absent.
    fn prepare_entry(&self, want: &Want, own: usize, close: f64, pending: &mut Pending) -> bool {
        let strategy = self.input.strategy;
        let signals = &self.input.symbols[want.slot].signals;
        if let Some(ask) = want.ask {
            pending.opens = Some(ask);
            if !self.selects() {
                return true;
            }
        }
        let Some(protection) = self.protection(want, signals, own, close) else {
            return false;
        };
        pending.protection = protection;
        if want.ask.is_some() {
            return true;
        }
        let at_entry = Held::default();
        let number = |id| self.input.number(want.slot, id, own, &at_entry);
        let situation = Situation {
            equity: self.equity_to_invest(),
            close,
            slots: self.slots(),
            risk_a_share: protection.stop.map(|stop| match stop {
                Offset::Fraction(f) => f * close,
                Offset::Money(m) => m,
            }),
            volatility: signals.volatility.and_then(number),
            closed: self.closed,
        };
        pending.opens = match amount(&strategy.size, &situation) {
            Some(Amount::Money(money)) => Some(Ask::Money(money)),
            Some(Amount::Shares(shares)) => Some(Ask::Shares(shares)),
            None => return false,
        };
        if strategy.fill.order != OrderKind::Market && want.closes.is_none() {
            let Some(price) = signals.price.and_then(number).filter(|p| *p > 0.0) else {
                return false;
            };
            pending.price = price;
            pending.kind = match strategy.fill.order {
                OrderKind::Limit => OrderType::Limit,
                _ => OrderType::Stop,
            };
            pending.day_only = !strategy.fill.good_till_cancelled;
        }
        true
    }

    /// Distances fixed at the decision; `None` when one of them does not exist or is not positive.
    fn protection(
        &self,
        want: &Want,
        signals: &Signals,
        own: usize,
        close: f64,
    ) -> Option<Protection> {
        let entry = Held {
            entry_price: close,
            ..Held::default()
        };
        let offset = |distances: &Option<Distances>| match distances {
            None => Some(None),
            Some(Distances::Fraction(fraction)) => Some(Some(Offset::Fraction(*fraction))),
            Some(Distances::Column(id)) => self
                .input
                .number(want.slot, *id, own, &entry)
                .filter(|d| *d > 0.0)
                .map(|d| Some(Offset::Money(d))),
        };
        Some(Protection {
            stop: offset(&signals.stop)?,
            target: offset(&signals.target)?,
            trail: offset(&signals.trail)?,
            breakeven: self.input.strategy.stops.breakeven,
        })
    }

    /// Records a wish that could not become an order.
    fn refuse(&mut self, bar: BarIndex, want: &Want, reason: Reason) {
        let closes = want.closes.unwrap_or(0.0);
        let order = self.new_order(
            bar,
            want.slot,
            want.side,
            OrderType::Market,
            closes,
            None,
            reason,
        );
        self.orders[order].outcome = Outcome::Rejected;
    }

    /// `fill.at = "close"`: market orders decided now fill at this close, exits before entries.
    fn fill_at_this_close(&mut self, bar: BarIndex) {
        self.fill_market(bar, true, Moment::Close);
        self.fill_market(bar, false, Moment::Close);
        self.sweep_pending();
    }
}
