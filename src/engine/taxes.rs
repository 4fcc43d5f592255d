//! The close: what the tax book says is due, and paying it.
//!
//! A year's tax is owed in full from the close on which it falls due: equity is net of it from there
//! on, as it counts a dividend from its ex-date. What cash does not cover waits for the sales of the
//! next open.
//!
//! The layers of an account are one taxpayer: they have one book, which each has in its turn, and
//! each pays its part of a year's tax.

use crate::engine::harvest::Harvesting;
use crate::engine::input::Input;
use crate::engine::run::{HarvestReport, TaxReport};
use crate::engine::simulate::Sim;
use crate::error::{Error, Problem, Result, nearest};
use crate::market::{ActionKind, Market, date_of};
use crate::portfolio::{Lot, Realized, TaxBook, TaxEvent};
use crate::strategy::{AccountKind, PayTax, Prices, Strategy};
use crate::units::BarIndex;
use chrono::{Datelike, NaiveDate};

/// The tax book of a simulation, and what is due and not yet paid.
pub(crate) struct Taxes {
    /// Of the account; empty while another layer has it.
    pub(crate) book: TaxBook,
    /// The layer of the account, 0 where there is one.
    layer: usize,
    /// The slots of the simulation as the book numbers them.
    slots: Vec<usize>,
    /// The book is that of several layers, and whoever lets them step says when tax is due.
    is_shared: bool,
    /// Year and money, in the order in which they fell due.
    owed: Vec<(i32, f64)>,
    /// `None` where no losses are harvested.
    pub(crate) harvesting: Option<Harvesting>,
}

impl Taxes {
    /// A fresh book, if the strategy has taxes.
    pub(crate) fn of(input: &Input<'_>) -> Option<Taxes> {
        let tax = input.strategy.tax.as_ref()?;
        let symbols: Vec<&str> = input.symbols.iter().map(|s| s.name).collect();
        Some(Taxes {
            book: TaxBook::new(tax, &symbols, 1),
            layer: 0,
            slots: (0..symbols.len()).collect(),
            is_shared: false,
            owed: Vec::new(),
            harvesting: Harvesting::of(input.strategy, &symbols),
        })
    }

    /// The layer and the slot of a symbol as the book numbers them.
    pub(crate) fn place(&self, slot: usize) -> (usize, usize) {
        (self.layer, self.slots[slot])
    }

    /// Open lots of a slot, in the order of purchase.
    pub(crate) fn lots(&self, slot: usize) -> &[Lot] {
        let (layer, slot) = self.place(slot);
        self.book.lots(layer, slot)
    }

    /// Whether buying a slot on `day` would make a sale at a loss a wash sale, whichever layer sold.
    pub(crate) fn has_open_loss(&self, slot: usize, day: NaiveDate) -> bool {
        self.book.has_open_loss(self.slots[slot], day)
    }

    /// The simulation's slot of a sale; `None` when another layer sold.
    pub(crate) fn slot_of(&self, sale: &Realized) -> Option<usize> {
        let is_ours = sale.layer == self.layer;
        let slot = self.slots.iter().position(|slot| *slot == sale.slot);
        slot.filter(|_| is_ours)
    }

    /// What fell due and waits for cash.
    pub(crate) fn owed(&self) -> f64 {
        self.owed.iter().map(|(_, money)| money).sum()
    }

    fn told(&mut self, day: NaiveDate, event: TaxEvent) {
        let event = match event {
            TaxEvent::Fill { slot, .. } | TaxEvent::Split { slot, .. } => {
                event.of_slot(self.slots[slot])
            }
            TaxEvent::Dividend(_) | TaxEvent::Interest(_) => event,
        };
        self.book.observe(day, self.layer, &event);
    }
}

/// What of each year falls due at a close, noted in the book as paid: `year_ends` says whether it is
/// the last close of a calendar year.
pub(crate) fn falls_due(book: &mut TaxBook, day: NaiveDate, year_ends: bool) -> Vec<(i32, f64)> {
    let closed = book.closed_through();
    let through = match book.tax().pay {
        // What did not end in its own year is known to have ended in the next.
        PayTax::YearEnd if year_ends && day.month() == 12 => Some(day.year()),
        PayTax::YearEnd if year_ends => Some(day.year() - 1),
        PayTax::April if (day.month(), day.day()) >= (4, 15) => Some(day.year() - 1),
        PayTax::YearEnd | PayTax::April => None,
    };
    let through = through.filter(|year| closed.is_none_or(|closed| *year > closed));
    let through = through.or(closed.filter(|_| book.is_amended()));
    let due = through.map_or_else(Vec::new, |year| book.due(year));
    for (year, amount) in &due {
        book.pay(*year, *amount);
    }
    due
}

impl Sim<'_, '_> {
    fn day(&self, bar: BarIndex) -> NaiveDate {
        date_of(self.input.clock[bar])
    }

    /// Tells the book what happened since it was told last.
    pub(crate) fn tell_taxes(&mut self, bar: BarIndex) {
        let Some(taxes) = &mut self.taxes else { return };
        let log = &mut self.account.tax_events;
        if log.is_empty() {
            return;
        }
        let day = date_of(self.input.clock[bar]);
        for event in log.drain(..) {
            taxes.told(day, event);
        }
    }

    /// The same simulation that harvests nothing.
    pub(crate) fn without_harvest(&mut self) {
        if let Some(taxes) = &mut self.taxes {
            taxes.harvesting = None;
        }
    }

    /// Tax that falls due at this close.
    pub(crate) fn taxes_due(&mut self, bar: BarIndex) {
        self.tell_taxes(bar);
        let day = self.day(bar);
        let year_ends = self.input.year_ends.get(bar).copied().unwrap_or(false);
        let Some(taxes) = self.taxes.as_mut().filter(|taxes| !taxes.is_shared) else {
            return;
        };
        for (year, amount) in falls_due(&mut taxes.book, day, year_ends) {
            self.owe_tax(year, amount);
        }
        self.pay_taxes(bar);
    }

    /// Owes tax of a year from now on.
    pub(crate) fn owe_tax(&mut self, year: i32, amount: f64) {
        if let Some(taxes) = &mut self.taxes {
            taxes.owed.push((year, amount));
            self.account.accrue_tax(amount);
        }
    }

    /// Makes the simulation a layer of a taxpayer whose book numbers its slots so; its own book is
    /// empty from here on but while it has that of all.
    pub(crate) fn share_taxes(&mut self, layer: usize, slots: Vec<usize>) {
        if let Some(taxes) = &mut self.taxes {
            taxes.book = TaxBook::new(taxes.book.tax(), &[], 0);
            (taxes.layer, taxes.slots, taxes.is_shared) = (layer, slots, true);
        }
    }

    /// Takes the book of all layers, or gives it back.
    pub(crate) fn swap_book(&mut self, book: &mut Option<TaxBook>) {
        if let (Some(taxes), Some(book)) = (&mut self.taxes, book) {
            std::mem::swap(&mut taxes.book, book);
        }
    }

    /// Whether selling shares of a holding that weighs more than its target is worth the tax: the tax
    /// is at most the money sold times the part by which the holding is too heavy, so that a tax of a
    /// tenth of the money needs a holding a tenth above its target. What loses saves tax, and what is
    /// to be left is left whatever it costs.
    pub(crate) fn is_worth_its_tax(
        &self,
        (slot, shares, price): (usize, f64, f64),
        (weight, target): (f64, f64),
        bar: BarIndex,
    ) -> bool {
        let (Some(taxes), true) = (&self.taxes, target > 0.0) else {
            return true;
        };
        let day = self.day(bar);
        let place = taxes.place(slot);
        let tax = taxes.book.tax_if_sold(place, shares, price, day);
        tax <= shares * price * (weight / target - 1.0)
    }

    /// Pays what is owed as far as cash goes; on margin all of it.
    pub(crate) fn pay_taxes(&mut self, bar: BarIndex) {
        let kept = self.to_reinvest();
        let Some(taxes) = &mut self.taxes else { return };
        let is_margin = self.input.strategy.account.kind == AccountKind::Margin;
        while let Some((year, owed)) = taxes.owed.first().copied() {
            let cash = (self.account.settled_cash() - self.account.reserved - kept).max(0.0);
            let paid = if is_margin { owed } else { owed.min(cash) };
            if paid == 0.0 {
                return;
            }
            self.account.pay_tax(bar, paid, &year.to_string());
            if paid < owed {
                taxes.owed[0].1 -= paid;
                return;
            }
            taxes.owed.remove(0);
        }
    }

    /// Tax that is due and that sales have to pay: a margin account borrows it instead.
    pub(crate) fn tax_to_pay(&self) -> f64 {
        let owes = self.taxes.iter().filter(|_| {
            let account = &self.input.strategy.account;
            account.kind == AccountKind::Cash
        });
        owes.map(Taxes::owed).sum()
    }

    /// The book at the end of the run, as its report; `None` for a layer, whose book is that of all.
    pub(crate) fn tax_report(&mut self) -> Option<TaxReport> {
        let last = self.input.end - 1;
        self.tell_taxes(last);
        let day = self.day(last);
        let taxes = self.taxes.take().filter(|taxes| !taxes.is_shared)?;
        let tapes: Vec<usize> = self.input.symbols.iter().map(|s| s.tape).collect();
        let mark = |_: usize, slot: usize| self.account.marks[slot];
        let at_end = AtEnd {
            equity: self.account.equity(),
            owed: taxes.owed(),
            harvests: taxes.harvesting.is_some(),
        };
        Some(report(&taxes.book, day, &tapes, mark, at_end))
    }
}

/// What the accounts of a taxpayer come to at the end of a run.
pub(crate) struct AtEnd {
    pub(crate) equity: f64,
    /// Tax that fell due and waits for cash.
    pub(crate) owed: f64,
    /// Whether losses are harvested.
    pub(crate) harvests: bool,
}

/// A book on the last day of a run as its report. `tapes` are the book's slots as indices of the
/// market, `mark` is the price of a layer's slot.
pub(crate) fn report(
    book: &TaxBook,
    day: NaiveDate,
    tapes: &[usize],
    mark: impl Fn(usize, usize) -> f64,
    at_end: AtEnd,
) -> TaxReport {
    let liquidation = book.liquidation(day, &mark);
    let mut realized = book.realized().to_vec();
    realized.iter_mut().for_each(|r| r.slot = tapes[r.slot]);
    let mut open: Vec<_> = book.open_lots().cloned().collect();
    let marks: Vec<f64> = open.iter().map(|l| mark(l.layer, l.slot)).collect();
    open.iter_mut().for_each(|lot| lot.slot = tapes[lot.slot]);
    TaxReport {
        equity_after: at_end.equity - liquidation.unpaid - liquidation.on_sale,
        harvest: at_end.harvests.then(|| HarvestReport::of(&realized)),
        years: book.years(day.year()),
        realized,
        open: open.into_iter().zip(marks).collect(),
        owed: at_end.owed,
        liquidation,
    }
}

/// What of `[tax]` can only be told with the data: dividends without a rate, pairs without bars.
///
/// # Errors
/// All of them at once.
pub(crate) fn check_taxes(market: &Market, strategy: &Strategy, universe: &[usize]) -> Result<()> {
    let Some(tax) = &strategy.tax else {
        return Ok(());
    };
    let mut problems = Vec::new();
    let name = |tape: &usize| market.tapes[*tape].symbol.as_str();
    let pays = |kind: ActionKind| {
        let paid = [ActionKind::Dividend, ActionKind::SpecialDividend];
        paid.contains(&kind)
    };
    let is_ours = |symbol: &str| universe.iter().map(name).any(|known| known == symbol);
    let mut actions = market.actions.iter();
    let paid = actions.find(|a| pays(a.kind) && is_ours(&a.symbol));
    if let Some(action) = paid
        && tax.dividend_rate.is_none()
        && strategy.data.prices == Prices::Raw
    {
        problems.push(
            Problem::new(format!(
                "[tax] needs dividend_rate: the data has dividends, of {} among others",
                action.symbol
            ))
            .at_column("tax.dividend_rate")
            .help("rates are yours to give, none is law everywhere: dividend_rate = 0.2 taxes them at 20%"),
        );
    }
    let pairs = tax.harvest.iter().flat_map(|h| &h.pairs);
    for symbol in pairs.flat_map(|(a, b)| [a, b]) {
        if !is_ours(symbol) {
            let problem = Problem::new(format!("no bars of `{symbol}` to swap with"));
            let problem = problem.at_column("tax.harvest.pairs");
            problems.push(match nearest(symbol, universe.iter().map(name)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("both of a pair must be among data.symbols"),
            });
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::all(problems))
    }
}
