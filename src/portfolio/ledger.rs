//! The books of one account: cash, holdings, and an entry for everything that changes either.
//!
//! The account does what it is told and keeps the sum right; who decides and at what price is
//! settled before a [`Booking`] reaches it.

use crate::execution::{Reason, Side};
use crate::portfolio::income::Income;
use crate::portfolio::tax::TaxEvent;
use crate::portfolio::{
    Entry, EntryKind, OptionBook, Position, Protection, Stream, Trade, TradeStatus, settled_gain,
};
use crate::units::BarIndex;
use std::collections::VecDeque;

/// One fill, ready to be booked.
#[derive(Debug, Clone, Copy)]
pub struct Booking {
    /// Clock bar.
    pub bar: BarIndex,
    /// The symbol's own bar.
    pub own: u32,
    /// Slot of the symbol in the account.
    pub slot: usize,
    /// Buy or sell.
    pub side: Side,
    /// Shares, positive.
    pub shares: f64,
    /// Price before slippage.
    pub reference: f64,
    /// Fill price.
    pub price: f64,
    /// Money that changes hands, fee excluded: `shares * price`, up to the last bit.
    pub value: f64,
    /// Fee.
    pub fee: f64,
    /// Why, for the part that closes.
    pub reason: Reason,
    /// The convention decided between stop and target.
    pub ambiguous: bool,
    /// For the part that opens: what protects it, and from which clock bar.
    pub protection: Protection,
    /// First clock bar on which stops are live.
    pub live_from: BarIndex,
}

/// An account and its books.
#[derive(Debug, Clone)]
pub struct Account {
    /// Cash, settled or not.
    pub cash: f64,
    /// Dividends whose ex-date has passed and whose pay-date has not.
    pub receivable: f64,
    /// Holdings by slot.
    pub positions: Vec<Position>,
    /// Slots that are held, ascending.
    pub held: Vec<usize>,
    /// Last price of each slot, in today's money.
    pub marks: Vec<f64>,
    /// Finished round trips with their number in the order of opening.
    pub trades: Vec<(usize, Trade)>,
    /// Entries, when the run keeps books.
    pub ledger: Vec<Entry>,
    /// Income by stream, when the run keeps books.
    pub income: Income,
    /// Value traded on the current bar.
    pub traded: f64,
    /// What a tax book has not been told yet; stays empty unless [`Account::notes_taxes`].
    pub tax_events: Vec<TaxEvent>,
    /// Events are noted for a tax book.
    pub notes_taxes: bool,
    /// Sale proceeds by the session on which they settle.
    unsettled: VecDeque<(u32, f64)>,
    unsettled_sum: f64,
    /// Sessions until sale proceeds settle.
    settlement_days: u32,
    keeps_books: bool,
    /// Market index of each slot, for the books.
    symbols: Vec<usize>,
    trades_opened: usize,
    /// Options held and written.
    pub options: OptionBook,
    /// Cash that is kept for what written options may cost.
    pub reserved: f64,
    /// Index of the first contract behind the market's symbols, for the books.
    pub first_contract: usize,
}

impl Account {
    /// An account with `cash` and a slot for each of `symbols` (market indices).
    pub fn new(cash: f64, symbols: Vec<usize>, settlement_days: u32, keeps_books: bool) -> Self {
        let slots = symbols.len();
        Account {
            cash,
            receivable: 0.0,
            positions: vec![Position::default(); slots],
            held: Vec::new(),
            marks: vec![0.0; slots],
            trades: Vec::new(),
            ledger: Vec::new(),
            income: Income::new(symbols.clone(), cash),
            traded: 0.0,
            tax_events: Vec::new(),
            notes_taxes: false,
            unsettled: VecDeque::new(),
            unsettled_sum: 0.0,
            settlement_days,
            keeps_books,
            symbols,
            trades_opened: 0,
            options: OptionBook::default(),
            reserved: 0.0,
            first_contract: 0,
        }
    }

    /// `true` when entries and income are kept.
    pub fn keeps_books(&self) -> bool {
        self.keeps_books
    }

    /// Cash that can be spent.
    pub fn settled_cash(&self) -> f64 {
        self.cash - self.unsettled_sum
    }

    /// Value of the holdings at their marks, shorts negative.
    pub fn holdings(&self) -> f64 {
        self.held
            .iter()
            .map(|&s| self.positions[s].shares * self.marks[s])
            .sum()
    }

    /// Value of the holdings at their marks, shorts positive.
    pub fn gross(&self) -> f64 {
        self.held
            .iter()
            .map(|&s| (self.positions[s].shares * self.marks[s]).abs())
            .sum()
    }

    /// Cash, dividends receivable and holdings.
    pub fn equity(&self) -> f64 {
        self.cash + self.receivable + self.holdings() + self.options.value
    }

    /// Proceeds that settle on or before `session` become spendable.
    pub fn settle(&mut self, session: u32) {
        while let Some(&(due, amount)) = self.unsettled.front() {
            if due > session {
                break;
            }
            self.unsettled.pop_front();
            self.unsettled_sum -= amount;
        }
        if self.unsettled.is_empty() {
            self.unsettled_sum = 0.0;
        }
    }

    /// Books a change of cash that is no trade.
    pub fn book_cash(
        &mut self,
        bar: BarIndex,
        slot: Option<usize>,
        kind: EntryKind,
        amount: f64,
        note: &str,
    ) {
        self.cash += amount;
        if self.notes_taxes {
            self.note_income(kind, amount);
        }
        if !self.keeps_books {
            return;
        }
        self.entry(bar, slot, kind, (0.0, 0.0), amount, note);
        let stream = match kind {
            EntryKind::Interest => Some(Stream::Interest),
            EntryKind::MarginInterest => Some(Stream::MarginInterest),
            EntryKind::Borrow => Some(Stream::Borrow),
            EntryKind::Deposit | EntryKind::Withdrawal | EntryKind::Transfer => Some(Stream::Flows),
            _ => None,
        };
        if let Some(stream) = stream {
            self.income.add(slot, stream, amount);
        }
    }

    /// A dividend of `amount` money becomes receivable (owed, when negative) on its ex-date.
    pub fn accrue_dividend(&mut self, slot: usize, amount: f64) {
        self.receivable += amount;
        if self.keeps_books {
            self.income.add(Some(slot), Stream::Dividends, amount);
        }
    }

    /// A receivable dividend turns into cash.
    pub fn pay_dividend(&mut self, bar: BarIndex, slot: usize, amount: f64, note: &str) {
        self.receivable -= amount;
        self.book_cash(bar, Some(slot), EntryKind::Dividend, amount, note);
    }

    /// A tax of `amount` falls due (negative: is paid back) and is owed until it is paid.
    pub fn accrue_tax(&mut self, amount: f64) {
        self.receivable -= amount;
        if self.keeps_books {
            self.income.add(None, Stream::Tax, -amount);
        }
    }

    /// A tax that was owed is paid.
    pub fn pay_tax(&mut self, bar: BarIndex, amount: f64, note: &str) {
        self.receivable += amount;
        self.book_cash(bar, None, EntryKind::Tax, -amount, note);
    }

    fn note_income(&mut self, kind: EntryKind, amount: f64) {
        match kind {
            EntryKind::Dividend => self.tax_events.push(TaxEvent::Dividend(amount)),
            EntryKind::Interest => self.tax_events.push(TaxEvent::Interest(amount)),
            _ => {}
        }
    }

    /// `ratio` new shares for one old.
    pub fn split(&mut self, bar: BarIndex, slot: usize, ratio: f64) {
        self.marks[slot] /= ratio;
        if self.notes_taxes {
            // Shares that were sold at a loss and may be replaced yet are split, too.
            self.tax_events.push(TaxEvent::Split { slot, ratio });
        }
        let before = self.positions[slot].shares;
        if before == 0.0 {
            return;
        }
        self.positions[slot].split(ratio);
        if self.keeps_books {
            let added = self.positions[slot].shares - before;
            let note = format!("{ratio} for 1");
            self.entry(bar, Some(slot), EntryKind::Split, (added, 0.0), 0.0, &note);
        }
    }

    /// Books a fill: the part that closes a position first, then the part that opens one.
    ///
    /// `session` is the number of the bar's session, for settlement.
    pub fn fill(&mut self, booking: &Booking, session: u32) {
        let slot = booking.slot;
        let position = &self.positions[slot];
        let against = match booking.side {
            Side::Buy => position.shares < 0.0,
            Side::Sell => position.shares > 0.0,
        };
        let closing = if against {
            booking.shares.min(position.shares.abs())
        } else {
            0.0
        };
        let share = closing / booking.shares;
        if self.notes_taxes {
            self.tax_events.push(TaxEvent::Fill {
                slot,
                side: booking.side,
                closing,
                opening: booking.shares - closing,
                value: booking.value,
                fee: booking.fee,
                closes_all: closing == self.positions[slot].shares.abs(),
                is_harvest: booking.reason == Reason::Harvest,
            });
        }
        if self.positions[slot].is_flat() {
            self.positions[slot].number = self.next_trade();
        }
        self.book_fill(booking, session);
        if closing > 0.0 {
            self.close(booking, closing, share);
        }
        if closing < booking.shares {
            self.open(booking, booking.shares - closing, 1.0 - share);
        }
        self.traded += booking.value;
    }

    pub(crate) fn next_trade(&mut self) -> usize {
        self.trades_opened += 1;
        self.trades_opened - 1
    }

    /// Cash, fee and memo entries of a fill.
    fn book_fill(&mut self, b: &Booking, session: u32) {
        let (signed, amount, kind) = match b.side {
            Side::Buy => (b.shares, -b.value, EntryKind::Buy),
            Side::Sell => (-b.shares, b.value, EntryKind::Sell),
        };
        let kind = if b.reason == Reason::Delisted {
            EntryKind::Delisted
        } else {
            kind
        };
        self.cash += amount;
        if b.side == Side::Sell && self.settlement_days > 0 {
            self.unsettled
                .push_back((session + self.settlement_days, b.value));
            self.unsettled_sum += b.value;
        }
        if self.keeps_books {
            self.entry(
                b.bar,
                Some(b.slot),
                kind,
                (signed, b.price),
                amount,
                b.reason.name(),
            );
        }
        self.cash -= b.fee;
        if !self.keeps_books {
            return;
        }
        if b.fee != 0.0 {
            self.entry(
                b.bar,
                Some(b.slot),
                EntryKind::Commission,
                (0.0, 0.0),
                -b.fee,
                "",
            );
            self.income.add(Some(b.slot), Stream::Fees, -b.fee);
        }
        let slippage = -signed * b.reference - amount;
        let at_strike = matches!(
            b.reason,
            Reason::Assigned | Reason::Called | Reason::Exercised
        );
        if b.price != b.reference && !at_strike {
            let memo = -slippage;
            self.entry(
                b.bar,
                Some(b.slot),
                EntryKind::Slippage,
                (0.0, b.reference),
                memo,
                "memo",
            );
        }
        // Shares that change hands at a strike lose to the strike, not to the market.
        let stream = match b.reason {
            Reason::Assigned | Reason::Called => Stream::GivenUp,
            Reason::Exercised => Stream::Protection,
            _ => Stream::Slippage,
        };
        self.income.add(Some(b.slot), stream, -slippage);
    }

    fn close(&mut self, b: &Booking, shares: f64, share: f64) {
        let position = &mut self.positions[b.slot];
        let all = shares == position.shares.abs();
        let part = if all {
            1.0
        } else {
            shares / position.shares.abs()
        };
        let released = position.reference_cost * part;
        let signed = if position.is_long() { shares } else { -shares };
        let realized = signed * b.reference - released;
        position.reference_cost -= released;
        position.exit_value += b.value * share;
        position.exit_fee += b.fee * share;
        position.exit_shares += shares;
        position.ambiguous |= b.ambiguous;
        if self.keeps_books {
            self.income.add(Some(b.slot), Stream::Realized, realized);
        }
        if !all {
            position.shares -= signed;
            return;
        }
        self.finish_trade(b);
    }

    fn finish_trade(&mut self, b: &Booking) {
        let position = &mut self.positions[b.slot];
        let mut trade = position.open_trade(self.symbols[b.slot], b.bar, b.own, 0.0);
        let gain = if position.is_long() {
            position.exit_value - position.entry_value
        } else {
            position.entry_value - position.exit_value
        };
        let net = gain - position.entry_fee - position.exit_fee;
        trade.pnl = settled_gain(net, position.money_in());
        trade.pnl_pct = trade.pnl / position.money_in();
        trade.exit_price = position.exit_value / position.exit_shares;
        // One fill closed it all: its price, not a quotient that may differ in the last bit.
        if position.exit_shares == b.shares {
            trade.exit_price = b.price;
        }
        trade.reason = b.reason;
        trade.status = TradeStatus::Closed;
        let number = position.number;
        *position = Position::default();
        self.held.retain(|&s| s != b.slot);
        self.trades.push((number, trade));
    }

    fn open(&mut self, b: &Booking, shares: f64, share: f64) {
        let signed = match b.side {
            Side::Buy => shares,
            Side::Sell => -shares,
        };
        // The second half of a reversal is a new trade.
        let number = if share < 1.0 {
            self.next_trade()
        } else {
            self.positions[b.slot].number
        };
        let position = &mut self.positions[b.slot];
        if position.is_flat() {
            *position = Position {
                number,
                entry_price: b.price,
                entry_price_then: b.price,
                splits_since: 1.0,
                best: b.price,
                worst: b.price,
                live_from: b.live_from,
                entry_bar: b.bar,
                entry_own: b.own,
                ..Position::default()
            };
            let at = self.held.partition_point(|&s| s < b.slot);
            self.held.insert(at, b.slot);
        } else {
            let before = position.shares.abs();
            let value = position.entry_price * before + b.price * shares;
            position.entry_price = value / (before + shares);
        }
        position.shares += signed;
        position.protection = b.protection;
        position.reference_cost += signed * b.reference;
        let is_first = position.entry_shares == 0.0;
        position.entry_value += b.value * share;
        position.entry_shares += shares / position.splits_since;
        if !is_first {
            position.entry_price_then = position.entry_value / position.entry_shares;
        }
        position.entry_fee += b.fee * share;
        let levels = position.levels();
        position.first_stop = levels.stop.or(levels.trail);
        position.first_target = levels.target;
    }

    fn entry(
        &mut self,
        bar: BarIndex,
        slot: Option<usize>,
        kind: EntryKind,
        (quantity, price): (f64, f64),
        amount: f64,
        note: &str,
    ) {
        self.ledger.push(Entry {
            bar,
            symbol: slot.map(|s| self.symbols[s]),
            kind,
            quantity,
            price,
            amount,
            cash: self.cash,
            trade: slot
                .filter(|&s| kind.is_of_trade() || !self.positions[s].is_flat())
                .map(|s| self.positions[s].number),
            note: note.to_string(),
        });
    }
}
