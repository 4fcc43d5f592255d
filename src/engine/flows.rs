//! Money from outside: on which bar a deposit or a withdrawal is due, what is sold for a withdrawal
//! that cash does not cover, and what a deposit buys at once.
//!
//! A withdrawal is paid in the third phase of a bar, as every flow, so that the flow of a bar stands
//! before its open. Where settled cash does not cover it, `[account] raise_cash` sells at the open of
//! that bar, and the withdrawal is paid on the first later bar that begins with the cash; until then
//! nothing is bought with that money. Where nothing is left to sell, what is there is paid.

use crate::engine::decide::Decider;
use crate::engine::pending::{Ask, Pending};
use crate::engine::simulate::Sim;
use crate::error::Result;
use crate::execution::cost::{fee, raising, slipped, whole_lots};
use crate::execution::{OrderType, Reason, Side};
use crate::market::amounts::read_amounts;
use crate::market::{Calendar, date_of, midnight};
use crate::portfolio::EntryKind;
use crate::strategy::{AccountKind, Cashflow, Every, Invest, RaiseCash, ScheduleDay, Strategy};
use crate::units::{BarIndex, Micros};
use chrono::{Datelike, Days, Months, NaiveDate};

/// A flow, at the clock bar on which it is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Flow {
    pub(crate) bar: BarIndex,
    /// Money, negative for withdrawals.
    pub(crate) amount: f64,
    /// Its row of `[[cashflow]]`.
    pub(crate) of: usize,
}

/// A withdrawal that was not paid, or not all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpaid {
    /// Clock index of the bar on which it was given up.
    pub bar: BarIndex,
    /// Money that was not paid, positive.
    pub amount: f64,
    /// The name of the flow.
    pub stream: String,
}

/// The flows of a strategy on the bars `first..end` of a clock, in the order of bars and of the file.
/// One that is due on a day without a bar is moved to the next bar.
///
/// # Errors
/// A file of amounts that cannot be read.
pub(crate) fn schedule(
    strategy: &Strategy,
    clock: &[Micros],
    (first, end): (BarIndex, BarIndex),
    calendar: Calendar,
) -> Result<Vec<Flow>> {
    let mut flows = Vec::new();
    if first >= end {
        return Ok(flows);
    }
    let (from, to) = (date_of(clock[first]), date_of(clock[end - 1]));
    for (of, cashflow) in strategy.cashflows.iter().enumerate() {
        let dated = match &cashflow.file {
            Some(path) => read_amounts(path)?,
            None => {
                let starts = cashflow.start.unwrap_or(from);
                let last = cashflow.end.map_or(to, |end| end.min(to));
                let due = due_days(cashflow, (starts, last), &clock[first..end], calendar);
                grown(cashflow, &due)
            }
        };
        for (day, amount) in dated {
            let is_within = cashflow.start.is_none_or(|start| start <= day)
                && cashflow.end.is_none_or(|end| day <= end)
                && from <= day;
            let bar = first + clock[first..end].partition_point(|t| *t < midnight(day));
            if is_within && bar < end && amount != 0.0 {
                flows.push(Flow { bar, amount, of });
            }
        }
    }
    flows.sort_by_key(|flow| (flow.bar, flow.of));
    Ok(flows)
}

/// Days with the amount of each, which grows from year to year since the first of them.
fn grown(cashflow: &Cashflow, due: &[NaiveDate]) -> Vec<(NaiveDate, f64)> {
    let Some(&first) = due.first() else {
        return Vec::new();
    };
    let amount = cashflow.amount.unwrap_or(0.0);
    let on = |day: &NaiveDate| {
        let years = day.years_since(first).unwrap_or(0);
        let growth = libm::pow(1.0 + cashflow.grow, f64::from(years));
        (*day, if years == 0 { amount } else { amount * growth })
    };
    due.iter().map(on).collect()
}

/// The days between `from` and `to` on which a flow is due.
fn due_days(
    cashflow: &Cashflow,
    (from, to): (NaiveDate, NaiveDate),
    time: &[Micros],
    calendar: Calendar,
) -> Vec<NaiveDate> {
    let is_within = |day: &NaiveDate| from <= *day && *day <= to;
    let Some(every) = cashflow.every else {
        return cashflow.start.into_iter().filter(is_within).collect();
    };
    if matches!(every, Every::Day | Every::Bar) {
        // Without a calendar the days are those that have a bar.
        let mut days: Vec<NaiveDate> = match calendar {
            Calendar::None => time.iter().map(|t| date_of(*t)).collect(),
            _ => {
                let days = from.iter_days().take_while(|day| *day <= to);
                days.filter(|day| calendar.is_scheduled_session(*day))
                    .collect()
            }
        };
        days.dedup();
        days.retain(is_within);
        return days;
    }
    let mut days = Vec::new();
    let mut begins = first_of_period(every, from);
    while begins <= to {
        let Some(next) = next_period(every, begins) else {
            break;
        };
        let day = day_of_period(cashflow.day, (begins, next), calendar);
        days.extend(Some(day).filter(is_within));
        begins = next;
    }
    days
}

fn first_of_period(every: Every, day: NaiveDate) -> NaiveDate {
    let of_month = |month: u32| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    match every {
        Every::Bar | Every::Day => day,
        Every::Week => {
            let since_monday = day.weekday().num_days_from_monday();
            day.checked_sub_days(Days::new(u64::from(since_monday)))
                .unwrap_or(day)
        }
        Every::Month => of_month(day.month()),
        Every::Quarter => of_month(day.month0() / 3 * 3 + 1),
        Every::Year => of_month(1),
    }
}

fn next_period(every: Every, begins: NaiveDate) -> Option<NaiveDate> {
    match every {
        Every::Bar | Every::Day => begins.succ_opt(),
        Every::Week => begins.checked_add_days(Days::new(7)),
        Every::Month => begins.checked_add_months(Months::new(1)),
        Every::Quarter => begins.checked_add_months(Months::new(3)),
        Every::Year => begins.checked_add_months(Months::new(12)),
    }
}

/// The day of a period that ends before `next`. Of unscheduled closures nobody knows beforehand:
/// they are days without a bar.
fn day_of_period(
    day: ScheduleDay,
    (begins, next): (NaiveDate, NaiveDate),
    calendar: Calendar,
) -> NaiveDate {
    let last = next.pred_opt().unwrap_or(begins);
    let is_open = |day| calendar == Calendar::None || calendar.is_scheduled_session(day);
    match day {
        ScheduleDay::First if is_open(begins) => begins,
        ScheduleDay::First => calendar.next_scheduled_session(begins),
        ScheduleDay::Last if is_open(last) => last,
        ScheduleDay::Last => calendar.prev_scheduled_session(last),
        ScheduleDay::Nth(n) => {
            let ahead = u64::from(n.saturating_sub(1));
            let day = begins.checked_add_days(Days::new(ahead)).unwrap_or(last);
            day.min(last)
        }
    }
}

/// Money that has to be paid as soon as the cash is there.
#[derive(Debug, Clone)]
struct Debt {
    amount: f64,
    kind: EntryKind,
    note: String,
}

/// Income that a layer may give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earned {
    /// Dividends paid.
    Dividends,
    /// Interest on cash.
    Interest,
    /// Gains of closed trades.
    Gains,
    /// Option premium received less what options were bought back for.
    Premium,
}

/// What an account knows about money from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Purse {
    /// The next flow of the input.
    next: usize,
    debts: Vec<Debt>,
    /// Sum of the debts.
    owed: f64,
    /// Money that other layers wait for, and what of this bar's income is theirs.
    aside: f64,
    /// Income of this bar by [`Earned`], kept for layers that give some away.
    earned: Option<[f64; 4]>,
    gives: [bool; 4],
    /// Money from other layers by bar.
    pub(crate) transfers: Vec<(BarIndex, f64)>,
    /// Deposits of this bar that buy at its open: money, and how.
    spend: Vec<(f64, Invest)>,
    /// Flows by bar.
    pub(crate) flows: Vec<(BarIndex, f64)>,
    pub(crate) unpaid: Vec<Unpaid>,
}

impl Purse {
    /// A purse whose first flow is not before the bar.
    pub(crate) fn from(flows: &[Flow], first: BarIndex) -> Self {
        Purse {
            next: flows.partition_point(|flow| flow.bar < first),
            ..Purse::default()
        }
    }

    /// Money that waits to be paid: it is in the equity, and nothing is bought with it.
    pub(crate) fn owed(&self) -> f64 {
        self.owed + self.aside
    }

    /// Sets money aside for other layers; it is in the equity, and nothing is bought with it.
    pub(crate) fn set_aside(&mut self, money: f64) {
        self.aside = money;
    }

    /// Says which income of the account goes to other layers.
    pub(crate) fn give(&mut self, gives: [bool; 4]) {
        (self.gives, self.earned) = (gives, Some([0.0; 4]));
    }

    /// Notes income, and sets aside what is not this layer's own.
    pub(crate) fn earn(&mut self, stream: Earned, amount: f64) {
        let Some(earned) = &mut self.earned else {
            return;
        };
        earned[stream as usize] += amount;
        let at_close = [Earned::Gains, Earned::Premium].contains(&stream);
        if self.gives[stream as usize] && amount > 0.0 && !at_close {
            self.aside += amount;
        }
    }

    /// Income since the last call.
    pub(crate) fn take_earned(&mut self) -> [f64; 4] {
        match &mut self.earned {
            Some(earned) => std::mem::take(earned),
            None => [0.0; 4],
        }
    }

    /// The bar of the next flow; none while a debt waits, which may be paid on any bar.
    pub(crate) fn next_bar(&self, flows: &[Flow]) -> Option<BarIndex> {
        flows.get(self.next).map(|flow| flow.bar)
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.debts.is_empty() && self.spend.is_empty() && self.aside == 0.0
    }

    fn note(&mut self, bar: BarIndex, amount: f64) {
        match self.flows.last_mut() {
            Some((last, sum)) if *last == bar => *sum += amount,
            _ => self.flows.push((bar, amount)),
        }
    }
}

impl Sim<'_, '_> {
    /// Deposits and withdrawals due on a bar, and what waits to be paid.
    pub(crate) fn flows(&mut self, bar: BarIndex) {
        let input = self.input;
        self.purse.spend.clear();
        while let Some(flow) = input.flows.get(self.purse.next).filter(|f| f.bar <= bar) {
            self.purse.next += 1;
            let cashflow = &input.strategy.cashflows[flow.of];
            if flow.amount > 0.0 {
                self.deposit(bar, flow.amount, cashflow);
            } else {
                self.withdraw(bar, -flow.amount, cashflow);
            }
        }
        if !self.purse.debts.is_empty() {
            self.pay_debts(bar);
        }
    }

    /// Money put into the account.
    pub(crate) fn deposit(&mut self, bar: BarIndex, amount: f64, cashflow: &Cashflow) {
        let kind = EntryKind::Deposit;
        self.account
            .book_cash(bar, None, kind, amount, &cashflow.stream);
        self.purse.note(bar, amount);
        match (self.decider, cashflow.invest) {
            (Decider::Hold(plan), _) => self.share_out(bar, amount, &plan.weights),
            (_, Invest::NextDecision) => {}
            (_, how) => self.purse.spend.push((amount, how)),
        }
    }

    /// A deposit of a plan buys by its weights at the next open, like a dividend: what is held, or
    /// where nothing is held what has a bar.
    fn share_out(&mut self, bar: BarIndex, amount: f64, weights: &[f64]) {
        let none_held = self.account.held.is_empty();
        let takes = |slot: usize| match none_held {
            true => self.input.symbols[slot].own_bar(bar).is_some(),
            false => !self.account.positions[slot].is_flat(),
        };
        let shares: Vec<(usize, f64)> = weights
            .iter()
            .enumerate()
            .filter(|(slot, weight)| **weight > 0.0 && takes(*slot))
            .map(|(slot, weight)| (slot, *weight))
            .collect();
        let sum: f64 = shares.iter().map(|(_, weight)| weight).sum();
        let parts = shares.into_iter().map(|(slot, w)| (slot, amount * w / sum));
        self.reinvest.extend(parts);
    }

    /// Money asked for from the account.
    pub(crate) fn withdraw(&mut self, bar: BarIndex, amount: f64, cashflow: &Cashflow) {
        let covered = self.free_cash() - self.purse.owed() >= amount;
        let refuses = self.input.strategy.account.raise_cash == RaiseCash::Refuse;
        if refuses && !covered {
            self.purse.unpaid.push(Unpaid {
                bar,
                amount,
                stream: cashflow.stream.clone(),
            });
            return;
        }
        self.owe(amount, EntryKind::Withdrawal, &cashflow.stream);
    }

    /// Takes note of money that has to be paid, in the third phase of the first bar that begins with
    /// the cash for it. What cash lacks is raised at the next open.
    pub(crate) fn owe(&mut self, amount: f64, kind: EntryKind, note: &str) {
        self.purse.owed += amount;
        self.purse.debts.push(Debt {
            amount,
            kind,
            note: note.to_string(),
        });
    }

    /// Cash that may leave the account now: settled, and in a margin account beyond what the
    /// positions need.
    fn free_cash(&self) -> f64 {
        let settled = self.account.settled_cash() - self.account.reserved;
        let account = &self.input.strategy.account;
        let free = match account.kind {
            AccountKind::Cash => settled,
            AccountKind::Margin => {
                let needed = account.initial_margin * self.account.gross();
                settled.min(self.account.equity() - needed)
            }
        };
        free.max(0.0)
    }

    /// Pays debts in their order while the cash is there. Where no position is left that could be
    /// sold and no proceeds are on their way, what is there is paid and the rest given up.
    pub(crate) fn pay_debts(&mut self, bar: BarIndex) {
        // A sale raised the money but for the rounding of a division.
        const ROUNDING: f64 = 1e-9;
        while let Some(debt) = self.purse.debts.first() {
            let free = (self.free_cash() - self.purse.aside).max(0.0);
            let can_wait = self.can_raise();
            let pays = debt.amount.min(free);
            let is_all = debt.amount - free <= ROUNDING * debt.amount;
            if !is_all && can_wait {
                break;
            }
            let debt = self.purse.debts.remove(0);
            if pays > 0.0 {
                self.account
                    .book_cash(bar, None, debt.kind, -pays, &debt.note);
            }
            if debt.kind == EntryKind::Withdrawal && pays > 0.0 {
                self.purse.note(bar, -pays);
            }
            if !is_all {
                self.purse.unpaid.push(Unpaid {
                    bar,
                    amount: debt.amount - pays,
                    stream: debt.note,
                });
            }
        }
        self.purse.owed = self.purse.debts.iter().map(|debt| debt.amount).sum();
    }

    /// What still waits when the run ends was not paid.
    pub(crate) fn give_up_debts(&mut self) {
        let bar = self.input.end - 1;
        for debt in std::mem::take(&mut self.purse.debts) {
            self.purse.unpaid.push(Unpaid {
                bar,
                amount: debt.amount,
                stream: debt.note,
            });
        }
    }

    /// Whether a sale could still bring cash, or one is on its way.
    fn can_raise(&self) -> bool {
        let is_on_its_way = self.account.settled_cash() < self.account.cash;
        // What is kept for written puts, and shares under written calls, come free when these end.
        let is_bound = !self.account.options.open.is_empty();
        is_on_its_way || is_bound || self.account.held.iter().any(|&s| self.sells(s))
    }

    /// What of a transfer the account pays now: all of it, nothing while it waits for cash (`None`), or
    /// what is there when no more will come.
    pub(crate) fn payable(&self, amount: f64) -> Option<f64> {
        const ROUNDING: f64 = 1e-9;
        let free = self.free_cash() - self.purse.owed;
        let refuses = self.input.strategy.account.raise_cash == RaiseCash::Refuse;
        if amount - free <= ROUNDING * amount {
            Some(amount.min(free))
        } else {
            (refuses || !self.can_raise()).then_some(free.max(0.0))
        }
    }

    /// Books money from another layer, or to it when it is negative.
    pub(crate) fn book_transfer(&mut self, bar: BarIndex, amount: f64, note: &str) {
        let kind = EntryKind::Transfer;
        self.account.book_cash(bar, None, kind, amount, note);
        self.purse.transfers.push((bar, amount));
    }

    /// Equity without what is owed to the world outside.
    pub(crate) fn equity_to_share(&self) -> f64 {
        self.account.equity() - self.purse.owed
    }

    /// Whether a position is one that is sold for money.
    fn sells(&self, slot: usize) -> bool {
        let position = &self.account.positions[slot];
        position.is_long() && position.shares > self.locked_shares(slot)
    }

    /// Sells at the open of a bar what the debts lack, after the exits that were decided.
    pub(crate) fn raise_cash(&mut self, bar: BarIndex) {
        let is_refused = self.input.strategy.account.raise_cash == RaiseCash::Refuse;
        if is_refused || self.lacking() <= 0.0 {
            return;
        }
        let mut holdings: Vec<(usize, usize, f64, f64)> = Vec::new();
        for &slot in &self.account.held {
            if let Some((own, prices)) = self.prices(slot, bar).filter(|_| self.sells(slot)) {
                let free = self.account.positions[slot].shares - self.locked_shares(slot);
                let value = free * prices.open;
                holdings.push((slot, own, prices.open, value));
            }
        }
        let largest = self.input.strategy.account.raise_cash == RaiseCash::Largest;
        if largest {
            holdings.sort_by(|a, b| b.3.total_cmp(&a.3).then(a.0.cmp(&b.0)));
        }
        let mut left: f64 = holdings.iter().map(|holding| holding.3).sum();
        for (slot, own, open, value) in holdings {
            let lacks = self.lacking();
            if lacks <= 0.0 {
                break;
            }
            let part = if largest {
                1.0
            } else {
                (value / left).min(1.0)
            };
            left -= value;
            self.sell_for(bar, (slot, own), open, lacks * part);
        }
    }

    /// Money that the debts lack, tax that is due among them; proceeds on their way count as there.
    fn lacking(&self) -> f64 {
        let on_the_way = self.account.cash - self.account.settled_cash();
        self.purse.owed() + self.tax_to_pay() - self.free_cash() - on_the_way
    }

    /// Sells as many shares as leave `money` after costs, whole lots, at most what is held.
    fn sell_for(&mut self, bar: BarIndex, (slot, own): (usize, usize), open: f64, money: f64) {
        let strategy = self.input.strategy;
        let held = self.account.positions[slot].shares - self.locked_shares(slot);
        let price = slipped(open, Side::Sell, &strategy.costs);
        let exact = raising(money, price, &strategy.costs);
        let lot = strategy.size.lot;
        let mut shares = whole_lots(exact, lot);
        if lot > 0.0 && shares < exact {
            shares += lot;
        }
        let shares = shares.min(held).min(self.volume_limit(slot, own));
        if shares > 0.0 && shares * price > fee(shares, price, &strategy.costs) {
            self.sell_at_market(bar, (slot, own), shares, open, Reason::RaiseCash);
        }
    }

    /// Places the buys of deposits that are spent at the open of their bar.
    pub(crate) fn spend_deposits(&mut self, bar: BarIndex) {
        for (amount, how) in std::mem::take(&mut self.purse.spend) {
            // What is about to be sold takes no deposit.
            let kept = self.account.held.iter().copied();
            let kept = kept.filter(|&s| self.sells(s) && !self.waits(s, true));
            let values: Vec<(usize, f64)> = kept
                .map(|s| (s, self.account.positions[s].shares * self.account.marks[s]))
                .collect();
            let sum: f64 = values.iter().map(|(_, value)| value).sum();
            if how == Invest::Now {
                for (slot, value) in values {
                    self.buy_more(bar, slot, amount * value / sum);
                }
            } else {
                let least = values
                    .into_iter()
                    .min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
                if let Some((slot, _)) = least {
                    self.buy_more(bar, slot, amount);
                }
            }
        }
    }

    /// An order that adds money to a position, which keeps its protection.
    fn buy_more(&mut self, bar: BarIndex, slot: usize, money: f64) {
        let quantity = money / self.account.marks[slot];
        let (side, kind) = (Side::Buy, OrderType::Market);
        let reason = Reason::Signal;
        let order = self.new_order(bar, slot, side, kind, quantity, None, reason);
        self.pending.push(Pending {
            order,
            slot,
            side,
            kind,
            price: 0.0,
            closes: None,
            opens: Some(Ask::Money(money)),
            protection: self.account.positions[slot].protection,
            reason,
            day_only: false,
            day: None,
            opened: 0.0,
            spent: 0.0,
            done: false,
        });
    }
}
