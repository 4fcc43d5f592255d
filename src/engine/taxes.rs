//! The close: what the tax book says is due, and paying it.
//!
//! A year's tax is owed in full from the close on which it falls due: equity is net of it from there
//! on, as it counts a dividend from its ex-date. What cash does not cover waits for the sales of the
//! next open.

use crate::engine::harvest::Harvesting;
use crate::engine::input::Input;
use crate::engine::run::{HarvestReport, TaxReport};
use crate::engine::simulate::Sim;
use crate::error::{Error, Problem, Result, nearest};
use crate::market::{ActionKind, Market, date_of};
use crate::portfolio::TaxBook;
use crate::strategy::{AccountKind, PayTax, Prices, Strategy};
use crate::units::BarIndex;
use chrono::{Datelike, NaiveDate};

/// The one layer of an account without layers.
pub(crate) const LAYER: usize = 0;

/// The tax book of a simulation, and what is due and not yet paid.
pub(crate) struct Taxes {
    pub(crate) book: TaxBook,
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
            book: TaxBook::new(tax, &symbols, LAYER + 1),
            owed: Vec::new(),
            harvesting: Harvesting::of(input.strategy, &symbols),
        })
    }
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
            taxes.book.observe(day, LAYER, &event);
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
        let Some(taxes) = &mut self.taxes else { return };
        let closed = taxes.book.closed_through();
        let through = match taxes.book.tax().pay {
            // What did not end in its own year is known to have ended in the next.
            PayTax::YearEnd if year_ends && day.month() == 12 => Some(day.year()),
            PayTax::YearEnd if year_ends => Some(day.year() - 1),
            PayTax::April if (day.month(), day.day()) >= (4, 15) => Some(day.year() - 1),
            PayTax::YearEnd | PayTax::April => None,
        };
        let through = through.filter(|year| closed.is_none_or(|closed| *year > closed));
        let through = through.or(closed.filter(|_| taxes.book.is_amended()));
        for (year, amount) in through.map_or_else(Vec::new, |year| taxes.book.due(year)) {
            taxes.book.pay(year, amount);
            taxes.owed.push((year, amount));
            self.account.accrue_tax(amount);
        }
        self.pay_taxes(bar);
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
        let tax = taxes.book.tax_if_sold((LAYER, slot), shares, price, day);
        tax <= shares * price * (weight / target - 1.0)
    }

    /// Pays what is owed as far as cash goes; on margin all of it.
    pub(crate) fn pay_taxes(&mut self, bar: BarIndex) {
        let Some(taxes) = &mut self.taxes else { return };
        let is_margin = self.input.strategy.account.kind == AccountKind::Margin;
        while let Some((year, owed)) = taxes.owed.first().copied() {
            let cash = (self.account.settled_cash() - self.account.reserved).max(0.0);
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
        owes.flat_map(|taxes| &taxes.owed)
            .map(|(_, money)| money)
            .sum()
    }

    /// The book at the end of the run, as its report.
    pub(crate) fn tax_report(&mut self) -> Option<TaxReport> {
        let last = self.input.end - 1;
        self.tell_taxes(last);
        let day = self.day(last);
        let taxes = self.taxes.take()?;
        let tape = |slot: usize| self.input.symbols[slot].tape;
        let liquidation = taxes
            .book
            .liquidation(day, |_, slot| self.account.marks[slot]);
        let mut realized = taxes.book.realized().to_vec();
        realized.iter_mut().for_each(|r| r.slot = tape(r.slot));
        let mut open: Vec<_> = taxes.book.open_lots().cloned().collect();
        let marks: Vec<f64> = open.iter().map(|l| self.account.marks[l.slot]).collect();
        open.iter_mut().for_each(|lot| lot.slot = tape(lot.slot));
        let equity = self.account.equity();
        Some(TaxReport {
            equity_after: equity - liquidation.unpaid - liquidation.on_sale,
            harvest: taxes
                .harvesting
                .is_some()
                .then(|| HarvestReport::of(&realized)),
            years: taxes.book.years(day.year()),
            realized,
            open: open.into_iter().zip(marks).collect(),
            owed: taxes.owed.iter().map(|(_, amount)| amount).sum(),
            liquidation,
        })
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
