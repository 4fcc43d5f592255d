//! One account through time, one bar after the other, in the order of the simulated day.
//!
//! [`Sim::step`] is that order, phase by phase; deciding is in `decide.rs`, filling in `fills.rs`.
//! A stretch in which nothing can happen is walked at once by [`Sim::coast`].

use crate::engine::decide::Decider;
use crate::engine::fills::Moment;
use crate::engine::flows::{Earned, Purse, Unpaid};
use crate::engine::input::{Event, EventKind, Input};
use crate::engine::options::DeskState;
use crate::engine::pending::Pending;
use crate::engine::run::Protected;
use crate::engine::select::Selection;
use crate::engine::taxes::Taxes;
use crate::execution::fill::{BarPrices, gapped, touched};
use crate::execution::{Order, Outcome, Reason};
use crate::market::date_of;
use crate::portfolio::{Account, EntryKind, OPENING_CASH, Trade};
use crate::strategy::{AccountKind, Ambiguity, ClosedTrades, FillAt};
use crate::units::{BarIndex, Micros};

/// How much of a run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Equity, orders and trades.
    Bare,
    /// All columns, ledger and income.
    Full,
}

/// What one account leaves behind. Columns other than `equity` are empty in bare runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) equity: Vec<f64>,
    pub(crate) cash: Vec<f64>,
    pub(crate) holdings: Vec<f64>,
    pub(crate) exposure: Vec<f64>,
    pub(crate) traded: Vec<f64>,
    pub(crate) orders: Vec<Order>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) ledger: Vec<crate::portfolio::Entry>,
    pub(crate) income: Vec<crate::portfolio::IncomeRow>,
    pub(crate) books_error: f64,
    pub(crate) ambiguous: u32,
    pub(crate) stale: Vec<usize>,
    /// What protects the holdings after the last bar.
    pub(crate) levels: Vec<Protected>,
    pub(crate) tax: Option<crate::engine::run::TaxReport>,
    /// External flows by bar.
    pub(crate) flows: Vec<(BarIndex, f64)>,
    pub(crate) unpaid: Vec<Unpaid>,
    pub(crate) options: crate::engine::options::OptionRecord,
}

/// A dividend between ex-date and pay-date.
#[derive(Debug, Clone, Copy)]
struct Receivable {
    pay: Micros,
    slot: usize,
    amount: f64,
}

/// How a bar is gone about.
enum Pace {
    /// Nothing happens before the bar given.
    Coast(BarIndex),
    /// Nothing happens before the close, where rules decide.
    Decide,
    /// In the order of the simulated day.
    Step,
}

/// The state of one account's simulation.
pub(crate) struct Sim<'a, 'm> {
    pub(crate) input: &'a Input<'m>,
    pub(crate) decider: Decider<'a>,
    pub(crate) ambiguity: Ambiguity,
    pub(crate) account: Account,
    pub(crate) orders: Vec<Order>,
    pub(crate) pending: Vec<Pending>,
    receivables: Vec<Receivable>,
    next_event: usize,
    /// Session of the last bar of each slot, for delistings; empty when every slot always has one.
    last_session: Vec<u32>,
    /// Own bar of each slot through which no entry is decided.
    pub(crate) blocked_through: Vec<Option<u32>>,
    /// Proceeds of exits inside this bar, which serve only from its close on.
    pub(crate) freed_inside: f64,
    /// Slots entered inside this bar, whose high and low came partly before the entry.
    pub(crate) entered_inside: Vec<usize>,
    /// Dividends of this bar that buy more of the payer.
    pub(crate) reinvest: Vec<(usize, f64)>,
    /// Money from outside, and what waits to be paid.
    pub(crate) purse: Purse,
    pub(crate) ambiguous: u32,
    /// Running figures of closed trades, and how many of them are in.
    pub(crate) closed: ClosedTrades,
    pub(crate) closed_seen: usize,
    pub(crate) wants: Vec<crate::engine::decide::Want>,
    /// What the rules about open positions said, by slot; empty unless decisions come later.
    pub(crate) live_said: Vec<crate::engine::later::LiveSaid>,
    /// Lots and taxes; `None` without `[tax]`.
    pub(crate) taxes: Option<Taxes>,
    /// What the selections of `[rank]` and `[weights]` left behind.
    pub(crate) selection: Selection,
    /// See [`is_plain`].
    plain: bool,
    /// What options remember, where the strategy has any.
    pub(crate) options: DeskState,
    record: Record,
}

impl<'a, 'm> Sim<'a, 'm> {
    /// A fresh account with the strategy's cash.
    pub(crate) fn new(input: &'a Input<'m>, decider: Decider<'a>, detail: Detail) -> Self {
        let strategy = input.strategy;
        let symbols = input.symbols.iter().map(|s| s.tape).collect::<Vec<_>>();
        let slots = symbols.len();
        let bars = input.end - input.first;
        let mut record = Record::default();
        record.equity.reserve_exact(bars);
        let gaps = input.symbols.iter().any(|s| s.own.is_some());
        let mut account = Account::new(
            strategy.account.cash,
            symbols,
            strategy.account.settlement_days,
            detail == Detail::Full,
        );
        let taxes = Taxes::of(input);
        account.notes_taxes = taxes.is_some();
        let trips = trips_max(input);
        account.trades.reserve(trips);
        account.first_contract = input.tapes;
        Sim {
            input,
            decider,
            ambiguity: strategy.stops.ambiguity,
            account,
            orders: Vec::with_capacity(2 * trips),
            pending: Vec::new(),
            receivables: Vec::new(),
            next_event: input.events.partition_point(|e| e.bar < input.first),
            last_session: if gaps { vec![0; slots] } else { Vec::new() },
            blocked_through: vec![None; slots],
            freed_inside: 0.0,
            entered_inside: Vec::new(),
            reinvest: Vec::new(),
            purse: Purse::from(input.flows, input.first),
            ambiguous: 0,
            closed: ClosedTrades::default(),
            closed_seen: 0,
            wants: Vec::new(),
            live_said: Vec::new(),
            taxes,
            selection: Selection::default(),
            plain: is_plain(input, detail == Detail::Full),
            options: DeskState::new(if input.desk.is_some() { slots } else { 0 }),
            record,
        }
    }

    /// Lets time pass from the first bar to the last.
    pub(crate) fn run(self) -> Record {
        self.run_through(&[])
    }

    /// The same, reading another input from each of `changes` on: the account, its positions and
    /// its waiting orders go on as they are, and the new rules decide from that bar's close.
    pub(crate) fn run_through(mut self, changes: &[(BarIndex, &'a Input<'m>)]) -> Record {
        self.book_opening_cash();
        let mut bar = self.input.first;
        for &(at, input) in changes {
            self.pass(bar, at);
            (bar, self.input) = (at, input);
            self.plain = is_plain(input, self.account.keeps_books());
        }
        self.pass(bar, self.input.end);
        self.finish()
    }

    /// Lets time pass over the bars `from..to`.
    fn pass(&mut self, from: BarIndex, to: BarIndex) {
        let progress = self.input.progress;
        let mut at = from;
        while at < to {
            let next = progress.next(at, to);
            self.pass_quietly(at, next);
            progress.done((next - at) as u64);
            at = next;
        }
    }

    fn pass_quietly(&mut self, from: BarIndex, to: BarIndex) {
        let mut bar = from;
        while bar < to {
            match self.pace(bar) {
                Pace::Coast(next) => {
                    let next = next.min(to);
                    self.coast(bar, next);
                    bar = next;
                }
                Pace::Decide => {
                    self.mark(bar);
                    self.decide(bar);
                    self.record(bar);
                    bar += 1;
                }
                Pace::Step => {
                    self.step(bar);
                    bar += 1;
                }
            }
        }
    }

    pub(crate) fn book_opening_cash(&mut self) {
        if self.account.keeps_books() {
            let cash = self.account.cash;
            self.account.cash = 0.0;
            let first = self.input.first;
            self.account
                .book_cash(first, None, EntryKind::Deposit, cash, OPENING_CASH);
            // The opening cash is the base of the income table, not a part of it.
            self.account
                .income
                .add(None, crate::portfolio::Stream::Flows, -cash);
        }
    }

    /// The account at the close of `bar`, before anything is decided there.
    pub(crate) fn at_close(mut self, bar: BarIndex) -> Self {
        self.book_opening_cash();
        for earlier in self.input.first..bar {
            self.step(earlier);
        }
        self.until_close(bar);
        self
    }

    /// One bar, in the order of the simulated day.
    fn step(&mut self, bar: BarIndex) {
        self.until_close(bar);
        self.end_bar(bar);
    }

    /// The close of a bar and what is recorded of it.
    pub(crate) fn end_bar(&mut self, bar: BarIndex) {
        self.decide(bar);
        if bar + 1 == self.input.end && self.input.strategy.fill.close_at_end {
            self.close_at_end(bar);
        }
        self.record(bar);
    }

    /// The part of a bar that comes before its decision.
    fn until_close(&mut self, bar: BarIndex) {
        let events = self.begin(bar);
        if !(self.input.flows.is_empty() && self.purse.is_calm()) {
            self.flows(bar);
        }
        self.go_on(bar, &events);
    }

    /// Splits, and interest for the days since the bar before.
    pub(crate) fn begin(&mut self, bar: BarIndex) -> Vec<Event> {
        self.account.traded = 0.0;
        self.account.settle(self.input.session(bar));
        self.freed_inside = 0.0;
        self.entered_inside.clear();
        let events = self.events_of(bar);
        if self.input.desk.is_some() {
            self.options_overnight(bar);
        }
        self.splits(bar, &events);
        self.interest(bar);
        events
    }

    /// From the dividends to the close.
    pub(crate) fn go_on(&mut self, bar: BarIndex, events: &[Event]) {
        self.dividends(bar, events);
        self.delistings(bar, events);
        self.open(bar);
        self.inside(bar);
        self.close(bar);
    }

    fn events_of(&mut self, bar: BarIndex) -> Vec<Event> {
        let all = &self.input.events;
        let from = self.next_event;
        while self.next_event < all.len() && all[self.next_event].bar <= bar {
            self.next_event += 1;
        }
        all[from..self.next_event].to_vec()
    }

    /// New shares for old, in holdings and in waiting orders alike.
    fn splits(&mut self, bar: BarIndex, events: &[Event]) {
        for event in events {
            if let EventKind::Split(ratio) = event.kind {
                self.account.split(bar, event.slot, ratio);
                self.split_options(bar, event.slot, ratio);
                for pending in self.pending.iter_mut().filter(|p| p.slot == event.slot) {
                    pending.split(ratio);
                }
            }
        }
    }

    /// Interest for the calendar days since the bar before, on the balances of that bar.
    fn interest(&mut self, bar: BarIndex) {
        if bar == self.input.first {
            return;
        }
        let strategy = self.input.strategy;
        let settled = self.account.settled_cash();
        if let Some(&factor) = self.input.interest.get(bar)
            && settled > 0.0
            && factor != 0.0
        {
            self.purse.earn(Earned::Interest, settled * factor);
            self.account
                .book_cash(bar, None, EntryKind::Interest, settled * factor, "");
        }
        if strategy.account.kind == AccountKind::Margin {
            self.margin_cost(bar);
        }
        if let Some(&factor) = self.input.index_yield.get(bar)
            && factor != 0.0
        {
            for k in 0..self.account.held.len() {
                let slot = self.account.held[k];
                let value = self.account.positions[slot].shares * self.account.marks[slot];
                self.account.accrue_dividend(slot, value * factor);
                self.pay(bar, slot, value * factor, "index yield");
            }
        }
    }

    fn margin_cost(&mut self, bar: BarIndex) {
        let strategy = self.input.strategy;
        let clock = self.input.clock;
        let days = (date_of(clock[bar]) - date_of(clock[bar - 1])).num_days() as f64;
        let growth = |rate: f64| libm::pow(1.0 + rate, days / 365.0) - 1.0;
        if let Some(rate) = strategy.account.margin_rate
            && self.account.cash < 0.0
        {
            let cost = self.account.cash * growth(rate);
            self.account
                .book_cash(bar, None, EntryKind::MarginInterest, cost, "");
        }
        if let Some(rate) = strategy.costs.borrow_rate {
            for k in 0..self.account.held.len() {
                let slot = self.account.held[k];
                let value = self.account.positions[slot].shares * self.account.marks[slot];
                if value < 0.0 {
                    let cost = value * growth(rate);
                    self.account
                        .book_cash(bar, Some(slot), EntryKind::Borrow, cost, "");
                }
            }
        }
    }

    fn dividends(&mut self, bar: BarIndex, events: &[Event]) {
        for event in events {
            if let EventKind::Dividend {
                amount,
                pay,
                special,
            } = event.kind
            {
                if special {
                    self.account.lower_strikes(bar, event.slot, amount);
                }
                let due = self.account.positions[event.slot].shares * amount;
                if due != 0.0 {
                    self.account.accrue_dividend(event.slot, due);
                    self.receivables.push(Receivable {
                        pay,
                        slot: event.slot,
                        amount: due,
                    });
                }
            }
        }
        // The clock is far away in memory: it is asked only when a dividend waits for its day.
        if self.receivables.is_empty() {
            return;
        }
        let now = self.input.clock[bar];
        let mut waiting = std::mem::take(&mut self.receivables);
        waiting.retain(|r| {
            if r.pay <= now {
                self.pay(bar, r.slot, r.amount, "");
            }
            r.pay > now
        });
        self.receivables = waiting;
    }

    /// Pays a dividend in cash and notes it for those who reinvest.
    fn pay(&mut self, bar: BarIndex, slot: usize, amount: f64, note: &str) {
        self.account.pay_dividend(bar, slot, amount, note);
        self.purse.earn(Earned::Dividends, amount);
        if amount > 0.0
            && (self.input.strategy.account.reinvest_dividends || self.decider.reinvests())
        {
            self.reinvest.push((slot, amount));
        }
    }

    /// The equity that positions are sized by: without what is owed.
    pub(crate) fn equity_to_invest(&self) -> f64 {
        self.account.equity() - self.purse.owed()
    }

    /// Symbols that stopped trading are closed at their last price less the haircut.
    fn delistings(&mut self, bar: BarIndex, events: &[Event]) {
        for event in events {
            if event.kind == EventKind::Delist {
                self.delist(bar, event.slot);
            }
        }
        if self.last_session.is_empty() {
            return;
        }
        let session = self.input.session(bar);
        for slot in 0..self.last_session.len() {
            if self.input.symbols[slot].own_bar(bar).is_some() {
                self.last_session[slot] = session;
            } else if session - self.last_session[slot] >= self.input.strategy.data.delist_after {
                self.delist(bar, slot);
            }
        }
    }

    /// Prices of a slot's bar, or `None` when it has none.
    pub(crate) fn prices(&self, slot: usize, bar: BarIndex) -> Option<(usize, BarPrices)> {
        let symbol = &self.input.symbols[slot];
        let own = symbol.own_bar(bar)?;
        let bars = symbol.bars;
        Some((
            own,
            BarPrices {
                open: bars.open[own],
                high: bars.high[own],
                low: bars.low[own],
                close: bars.close[own],
            },
        ))
    }

    /// Decided exits, gapped stops and targets, decided entries, gapped limits.
    fn open(&mut self, bar: BarIndex) {
        self.expire_day_orders(bar);
        let at_open = self.input.strategy.fill.at == FillAt::NextOpen;
        if at_open {
            self.fill_market(bar, true, Moment::Open);
        }
        if !self.purse.is_calm() || self.taxes.is_some() {
            self.raise_cash(bar);
        }
        self.protect(bar, |sim, slot, prices| {
            let position = &sim.account.positions[slot];
            (position.entry_bar < bar)
                .then(|| gapped(prices, &position.levels(), position.is_long()))
                .flatten()
        });
        // Tax that waited for the sales comes before what is bought with them.
        self.pay_taxes(bar);
        if !self.purse.is_calm() {
            self.spend_deposits(bar);
        }
        if at_open {
            self.fill_market(bar, false, Moment::Open);
        }
        self.fill_resting(bar, false);
        self.sweep_pending();
    }

    /// Stops, targets and trailing stops, then limits and stop entries.
    fn inside(&mut self, bar: BarIndex) {
        let cash = self.account.cash;
        let ambiguity = self.ambiguity;
        self.protect(bar, |sim, slot, prices| {
            let position = &sim.account.positions[slot];
            touched(prices, &position.levels(), position.is_long(), ambiguity)
        });
        self.freed_inside = (self.account.cash - cash).max(0.0);
        self.fill_resting(bar, true);
        self.freed_inside = 0.0;
        self.sweep_pending();
        for k in 0..self.account.held.len() {
            let slot = self.account.held[k];
            if let Some((_, prices)) = self.prices(slot, bar)
                && !self.entered_inside.contains(&slot)
            {
                self.account.positions[slot].bar_completed(prices.high, prices.low);
            }
        }
    }

    /// Fills every protective exit that `reached` finds, until none is left for the bar.
    fn protect(
        &mut self,
        bar: BarIndex,
        reached: impl Fn(&Self, usize, &BarPrices) -> Option<crate::execution::fill::Touch>,
    ) {
        let mut k = 0;
        while k < self.account.held.len() {
            let slot = self.account.held[k];
            let position = &self.account.positions[slot];
            let watched = !position.protection.is_none() && bar >= position.live_from;
            let touch = self
                .prices(slot, bar)
                .filter(|_| watched)
                .and_then(|(own, prices)| Some((own, reached(self, slot, &prices)?)));
            let Some((own, touch)) = touch else {
                k += 1;
                continue;
            };
            let all_filled = self.fill_protective(bar, slot, own, &touch);
            // A partial target leaves the rest under its stop: look at the slot again. A fill cut
            // by the volume leaves a rest that waits.
            if !all_filled {
                k += 1;
            }
        }
    }

    /// Holdings at this close.
    fn mark(&mut self, bar: BarIndex) {
        for &slot in &self.account.held {
            let symbol = &self.input.symbols[slot];
            if let Some(own) = symbol.own_bar(bar) {
                self.account.marks[slot] = symbol.bars.close[own];
            }
        }
    }

    /// Marks, fills of `next_close`, and dividends that are reinvested.
    fn close(&mut self, bar: BarIndex) {
        self.mark(bar);
        if self.input.strategy.fill.at != FillAt::NextOpen {
            self.fill_market(bar, true, Moment::Close);
            self.fill_market(bar, false, Moment::Close);
            self.sweep_pending();
        }
        if self.input.strategy.account.reinvest_dividends && !self.decider.reinvests() {
            self.reinvest_at_close(bar);
        }
        if self.taxes.is_some() {
            self.taxes_due(bar);
        }
        if self.input.desk.is_some() {
            self.options_close(bar);
        }
    }

    fn record(&mut self, bar: BarIndex) {
        self.tell_taxes(bar);
        let holdings = self.account.holdings() + self.account.options.value;
        let equity = self.account.equity();
        self.record.equity.push(equity);
        if !self.account.keeps_books() {
            return;
        }
        self.record.cash.push(self.account.cash);
        self.record.holdings.push(holdings);
        let exposure = if equity > 0.0 {
            let options = self.account.options.open.iter();
            let options: f64 = options.map(|o| o.value().abs()).sum();
            (self.account.gross() + options) / equity
        } else {
            0.0
        };
        self.record.exposure.push(exposure);
        self.record.traded.push(self.account.traded);
        let account = &mut self.account;
        account.income.check(
            equity,
            &account.positions,
            &account.held,
            &account.marks,
            account.options.value,
        );
        let date = date_of(self.input.clock[bar]);
        let last = bar + 1 == self.input.end;
        if last || month_of(date_of(self.input.clock[bar + 1])) != month_of(date) {
            let name = date.format("%Y-%m").to_string();
            let options = account.options.month_changes(account.positions.len());
            account
                .income
                .end_month(&name, &account.positions, &account.marks, &options);
        }
    }

    /// How the bar is gone about: the bars before the next one on which a rule could fire or a
    /// corporate action falls are passed at once, and where only rules have something to say there
    /// is nothing to do before the close.
    ///
    /// Allowed in bare runs, which keep no books, while no order waits, no level is watched, no
    /// interest is booked, and every symbol has a bar at every moment: then equity is cash plus
    /// shares times close, and only a rule or a corporate action can change that.
    fn pace(&self, bar: BarIndex) -> Pace {
        let calm = self.plain
            && self.pending.is_empty()
            && self.receivables.is_empty()
            && self.reinvest.is_empty()
            && self.purse.is_calm();
        let watched = |&slot: &usize| !self.account.positions[slot].protection.is_none();
        if !calm || self.account.held.iter().any(watched) {
            return Pace::Step;
        }
        let Some(decision) = self.next_decision(bar) else {
            return Pace::Step;
        };
        // The last bar is stepped when something is done on it.
        let last = if self.input.strategy.fill.close_at_end {
            self.input.end - 1
        } else {
            self.input.end
        };
        let event = self
            .input
            .events
            .get(self.next_event)
            .map_or(last, |e| e.bar)
            .min(self.purse.next_bar(self.input.flows).unwrap_or(last))
            .min(last);
        if event <= bar {
            Pace::Step
        } else if decision <= bar {
            Pace::Decide
        } else {
            Pace::Coast(decision.min(event))
        }
    }

    /// Marks the bars `from..to`, in which nothing happens.
    fn coast(&mut self, from: BarIndex, to: BarIndex) {
        let base = self.account.cash + self.account.receivable;
        let equity = &mut self.record.equity;
        match self.account.held.as_slice() {
            [] => equity.resize(equity.len() + (to - from), base + 0.0),
            [slot] => {
                let shares = self.account.positions[*slot].shares;
                let close = &self.input.symbols[*slot].bars.close[from..to];
                equity.extend(close.iter().map(|c| base + shares * c));
            }
            held => {
                // Symbol by symbol, since closes of one symbol lie side by side; each bar's sum has
                // the order of the holdings all the same.
                let start = equity.len();
                equity.resize(start + (to - from), -0.0);
                let sums = &mut equity[start..];
                for &slot in held {
                    let shares = self.account.positions[slot].shares;
                    let close = &self.input.symbols[slot].bars.close[from..to];
                    for (sum, close) in sums.iter_mut().zip(close) {
                        *sum += shares * close;
                    }
                }
                sums.iter_mut().for_each(|sum| *sum += base);
            }
        }
        for &slot in &self.account.held {
            self.account.marks[slot] = self.input.symbols[slot].bars.close[to - 1];
        }
    }

    /// Open positions become open trades, waiting orders end.
    /// The record of a layer, and what it received from the others by bar.
    pub(crate) fn finish_layer(mut self) -> (Record, Vec<(BarIndex, f64)>) {
        let transfers = std::mem::take(&mut self.purse.transfers);
        (self.finish(), transfers)
    }

    fn finish(mut self) -> Record {
        self.give_up_debts();
        for k in 0..self.pending.len() {
            let outcome = self.unfilled(k, Outcome::Expired);
            self.end_order(k, outcome, Reason::LastBar);
        }
        let last = self.input.end - 1;
        for &slot in &self.account.held {
            let symbol = &self.input.symbols[slot];
            let position = &self.account.positions[slot];
            let own = (0..=last)
                .rev()
                .find_map(|b| symbol.own_bar(b))
                .unwrap_or(0);
            if symbol.own_bar(last).is_none() {
                self.record.stale.push(symbol.tape);
            }
            if !position.protection.is_none() {
                let levels = position.levels();
                let protected = Protected::of(symbol.tape, &levels, position.is_long());
                self.record.levels.push(protected);
            }
            let trade =
                position.open_trade(symbol.tape, last, own as u32, self.account.marks[slot]);
            self.account.trades.push((position.number, trade));
        }
        let open = self.open_options(last);
        self.account.trades.extend(open);
        let (options, tax) = (self.option_record(), self.tax_report());
        let mut record = self.record;
        record.tax = tax;
        record.options = options;
        self.account.trades.sort_by_key(|(number, _)| *number);
        record.trades = self
            .account
            .trades
            .into_iter()
            .map(|(_, trade)| trade)
            .collect();
        record.orders = self.orders;
        record.ledger = self.account.ledger;
        record.books_error = self.account.income.worst_error;
        record.income = self.account.income.rows;
        record.ambiguous = self.ambiguous;
        record.flows = self.purse.flows;
        record.unpaid = self.purse.unpaid;
        record
    }
}

/// Whether nothing that the strategy or the data ask for happens bar by bar, as far as can be told
/// before time begins.
fn is_plain(input: &Input<'_>, keeps_books: bool) -> bool {
    let account = &input.strategy.account;
    !keeps_books
        && input.symbols.iter().all(|s| s.own.is_none())
        && !input.is_dated()
        && input.interest.is_empty()
        && input.index_yield.is_empty()
        && account.kind == AccountKind::Cash
        && account.settlement_days == 0
        && input.strategy.tax.is_none()
        && input.desk.is_none()
}

/// About how many round trips to make room for: each needs a bar that lets in and a bar that lets
/// out. Not more than grows cheaply.
fn trips_max(input: &Input<'_>) -> usize {
    const ROOM_MAX: usize = 1 << 14;
    let yes = |mask: &Option<crate::rules::Mask>| mask.as_ref().map_or(0, |m| m.count_yes());
    let of = |symbol: &crate::engine::input::SymbolInput<'_>| {
        let signals = &symbol.signals;
        let entries = yes(&signals.enter) + yes(&signals.short);
        entries.min(yes(&signals.exit) + yes(&signals.cover))
    };
    input.symbols.iter().map(of).sum::<usize>().min(ROOM_MAX)
}

fn month_of(date: chrono::NaiveDate) -> (i32, u32) {
    use chrono::Datelike;
    (date.year(), date.month())
}
