//! Trades at bars that were fixed beforehand, straight from prices: what an account would have
//! made with them. Many thousands of them take milliseconds.
//!
//! Why this shortcut is allowed: between fills an account only earns interest, dividends and price
//! changes, and all three are sums or products over bars that are made once. At fills the prices,
//! fees, lots and cuts by cash are those of `execution/cost.rs` in the order of the simulated day
//! (exits first, then entries in the order of symbols, money fixed at the close that decides), so
//! that the result is the loop's own; a test holds both equal. What it leaves out: stops, waiting
//! settlements and margin calls, and dividends serve for new entries only after the exit of their
//! payer.

use crate::engine::input::{EventKind, SymbolInput};
use crate::engine::prepare::Prepared;
use crate::engine::variation::{Account, Variations};
use crate::execution::Side;
use crate::execution::cost::{affordable, fee, slipped, whole_lots};
use crate::market::date_of;
use crate::strategy::{AccountKind, FillAt, Strategy};
use crate::units::BarIndex;

/// A trade whose bars are fixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Position of the symbol in its account, in symbol order.
    pub slot: usize,
    /// Long, or short.
    pub long: bool,
    /// The symbol's own bar of the entry's fill.
    pub entry: usize,
    /// Own bars from entry to exit. With 0 it is left at the close of the bar of its entry.
    pub bars: usize,
    /// Money of the entry as a fraction of the equity that decided it.
    pub weight: f64,
    /// Sold at the end, at a cost; else only marked at the last close.
    pub sold: bool,
}

/// One symbol's prices and what a share of the first bar earns, as sums over the clock.
struct Path<'a> {
    symbol: &'a SymbolInput<'a>,
    /// Clock bar of each own bar; `None` when both are one.
    on_clock: Option<Vec<u32>>,
    /// Newest close at each clock bar; `None` when the symbol has one on all of them.
    newest: Option<Vec<f64>>,
    /// Shares that one share of the first bar has become by splits; empty without splits.
    shares: Vec<f64>,
    /// Dividends so far of one share of the first bar; empty without any.
    income: Vec<f64>,
    /// Borrow fees so far of one share of the first bar sold short; empty without any.
    borrow: Vec<f64>,
}

/// One account's paths and its growth of cash.
pub(crate) struct Course<'a> {
    strategy: &'a Strategy,
    paths: Vec<Path<'a>>,
    first: BarIndex,
    end: BarIndex,
    /// Growth of cash, and of borrowed cash, from the clock's first bar; empty for none.
    cash: Vec<f64>,
    debt: Vec<f64>,
}

/// Placements of many rounds of one account after the other, without new memory.
#[derive(Default)]
struct Books {
    /// Clock bar, phase and number of each placement's entry and exit, packed to be sorted.
    events: Vec<u64>,
    /// Placements that are held: number, shares of the first bar (negative when short), bar.
    held: Vec<(usize, f64, BarIndex)>,
}

/// Exits at the open, entries, exits at the close: the order within a bar.
const EXIT: u64 = 0;
const ENTRY: u64 = 1;
const EXIT_AT_CLOSE: u64 = 2;

impl Variations<'_> {
    /// Number of accounts: one, or one a symbol with `[account] each`.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Market indices of an account's symbols by slot.
    pub fn tapes_of(&self, account: usize) -> Vec<usize> {
        let symbols = self.accounts[account].symbols.iter();
        symbols.map(|symbol| symbol.tape).collect()
    }

    /// The symbol's own bars of the run from a clock bar on, first and one past the last.
    pub fn own_bars(&self, account: usize, slot: usize, from: BarIndex) -> (usize, usize) {
        let symbol = &self.accounts[account].symbols[slot];
        let time = &symbol.bars.time;
        let clock = &self.prepared.clock;
        let end = clock[self.prepared.end - 1];
        let begin = clock[from.clamp(self.prepared.first, self.prepared.end - 1)];
        let first = time.partition_point(|t| *t < begin);
        (first, time.partition_point(|t| *t <= end).max(first))
    }

    /// Equity at the end of an account with each round of placements in turn, under the strategy's
    /// costs, lots and interest. `rounds` fills the list for each round's number.
    ///
    /// # Panics
    /// If a placement lies outside its symbol's bars of the run.
    pub fn placed(
        &self,
        account: usize,
        rounds: usize,
        mut place: impl FnMut(usize, &mut Vec<Placement>),
    ) -> Vec<f64> {
        let course = Course::new(&self.prepared, &self.accounts[account]);
        let mut placements = Vec::new();
        let mut books = Books::default();
        (0..rounds)
            .map(|round| {
                placements.clear();
                place(round, &mut placements);
                course.end_equity(&placements, &mut books)
            })
            .collect()
    }
}

impl<'a> Course<'a> {
    pub(crate) fn new(prepared: &'a Prepared<'_>, account: &'a Account<'_>) -> Self {
        let slots = 0..account.symbols.len();
        let strategy = prepared.strategy;
        let is_margin = strategy.account.kind == AccountKind::Margin;
        let debt = strategy.account.margin_rate.filter(|_| is_margin);
        let borrow = strategy.costs.borrow_rate.filter(|_| is_margin);
        let compounded = |growth: &[f64]| {
            let mut wealth = 1.0;
            let step = growth.iter().map(|f| {
                wealth *= 1.0 + f;
                wealth
            });
            step.collect::<Vec<f64>>()
        };
        Course {
            strategy,
            paths: slots
                .map(|slot| Path::new(prepared, account, slot, borrow))
                .collect(),
            first: prepared.first,
            end: prepared.end,
            cash: compounded(&prepared.interest),
            debt: debt.map_or_else(Vec::new, |rate| compounded(&growth_by_days(prepared, rate))),
        }
    }

    /// Equity at the last bar after these trades.
    fn end_equity(&self, placements: &[Placement], books: &mut Books) -> f64 {
        self.lay_out(placements, books);
        books.held.clear();
        let mut cash = self.strategy.account.cash;
        let mut now = self.first;
        let at_close = self.strategy.fill.at == FillAt::Close;
        let mut next = 0;
        while next < books.events.len() {
            let bar = (books.events[next] >> 32) as BarIndex;
            // Entries are for a share of the equity at the close that decided them.
            let decided = if at_close {
                bar
            } else {
                bar.max(self.first + 1) - 1
            };
            let before = self.grown(cash, now, decided.max(now));
            let equity = before + self.value(&books.held, placements, decided);
            cash = self.grown(cash, now, bar);
            now = bar;
            while next < books.events.len() && (books.events[next] >> 32) as BarIndex == bar {
                let event = books.events[next];
                let number = (event & 0x3fff_ffff) as usize;
                let placement = &placements[number];
                match event >> 30 & 3 {
                    ENTRY => {
                        cash += self.enter(placement, number, bar, (equity, cash), &mut books.held);
                    }
                    phase => {
                        let held = books.held.iter().position(|(n, ..)| *n == number);
                        if let Some(held) = held {
                            let (_, shares, since) = books.held.swap_remove(held);
                            cash += self.leave(placement, (shares, since), bar, phase);
                        }
                    }
                }
                next += 1;
            }
        }
        self.grown(cash, now, self.end - 1)
    }

    /// Entries and exits in the order of time.
    fn lay_out(&self, placements: &[Placement], books: &mut Books) {
        books.events.clear();
        for (number, placement) in placements.iter().enumerate() {
            let path = &self.paths[placement.slot];
            let event = |own: usize, phase: u64| {
                (path.clock_bar(own) as u64) << 32 | phase << 30 | number as u64
            };
            let at_close = placement.bars == 0 || !placement.sold;
            let exit = if at_close { EXIT_AT_CLOSE } else { EXIT };
            books.events.push(event(placement.entry, ENTRY));
            books
                .events
                .push(event(placement.entry + placement.bars, exit));
        }
        books.events.sort_unstable();
    }

    /// Cash at a later bar.
    fn grown(&self, cash: f64, from: BarIndex, to: BarIndex) -> f64 {
        let growth = if cash < 0.0 { &self.debt } else { &self.cash };
        match (growth.get(from), growth.get(to)) {
            (Some(before), Some(after)) if to > from => cash * (after / before),
            _ => cash,
        }
    }

    /// Value of what is held at the close of a clock bar.
    fn value(
        &self,
        held: &[(usize, f64, BarIndex)],
        placements: &[Placement],
        bar: BarIndex,
    ) -> f64 {
        let value = |&(number, shares, since): &(usize, f64, BarIndex)| {
            let path = &self.paths[placements[number].slot];
            shares * (path.split(bar) * path.close(bar) + path.income_since(since, bar, shares))
        };
        held.iter().map(value).sum()
    }

    /// Change of cash at an entry.
    fn enter(
        &self,
        placement: &Placement,
        number: usize,
        bar: BarIndex,
        (equity, cash): (f64, f64),
        held: &mut Vec<(usize, f64, BarIndex)>,
    ) -> f64 {
        let strategy = self.strategy;
        let path = &self.paths[placement.slot];
        let side = if placement.long {
            Side::Buy
        } else {
            Side::Sell
        };
        let price = slipped(
            self.fill_price(path, placement.entry),
            side,
            &strategy.costs,
        );
        let wanted = placement.weight * equity / price;
        let shares = match strategy.account.kind {
            AccountKind::Cash => wanted.min(affordable(cash, price, &strategy.costs)),
            AccountKind::Margin => wanted,
        };
        let shares = whole_lots(shares, strategy.size.lot);
        if shares.is_nan() || shares <= 0.0 || shares * price < strategy.size.min_order {
            return 0.0;
        }
        let charge = fee(shares, price, &strategy.costs);
        let signed = if placement.long { shares } else { -shares };
        held.push((number, signed / path.split(bar), bar));
        -signed * price - charge
    }

    /// Change of cash at an exit: its proceeds, and what it earned meanwhile.
    fn leave(
        &self,
        placement: &Placement,
        (base, since): (f64, BarIndex),
        bar: BarIndex,
        phase: u64,
    ) -> f64 {
        let path = &self.paths[placement.slot];
        let own = placement.entry + placement.bars;
        let shares = base * path.split(bar);
        let earned = base * path.income_since(since, bar, base);
        let reference = if phase == EXIT_AT_CLOSE {
            path.symbol.bars.close[own]
        } else {
            self.fill_price(path, own)
        };
        if !placement.sold {
            return shares * reference + earned;
        }
        let costs = &self.strategy.costs;
        let side = if placement.long {
            Side::Sell
        } else {
            Side::Buy
        };
        let price = slipped(reference, side, costs);
        shares * price - fee(shares.abs(), price, costs) + earned
    }

    fn fill_price(&self, path: &Path<'_>, own: usize) -> f64 {
        match self.strategy.fill.at {
            FillAt::NextOpen => path.symbol.bars.open[own],
            FillAt::Close | FillAt::NextClose => path.symbol.bars.close[own],
        }
    }
}

impl<'a> Path<'a> {
    fn new(
        prepared: &Prepared<'_>,
        account: &'a Account<'_>,
        slot: usize,
        borrow: Option<f64>,
    ) -> Self {
        let symbol = &account.symbols[slot];
        let bars = prepared.clock.len();
        let mut path = Path {
            symbol,
            on_clock: None,
            newest: None,
            shares: Vec::new(),
            income: Vec::new(),
            borrow: Vec::new(),
        };
        if symbol.own.is_some() {
            let mut newest = f64::NAN;
            let mut on_clock = Vec::with_capacity(symbol.bars.len());
            let closes = (0..bars).map(|bar| {
                if let Some(own) = symbol.own_bar(bar) {
                    newest = symbol.bars.close[own];
                    on_clock.push(bar as u32);
                }
                newest
            });
            path.newest = Some(closes.collect());
            path.on_clock = Some(on_clock);
        }
        path.add_events(account, slot, bars);
        let fees = borrow.map(|rate| growth_by_days(prepared, rate));
        let dividends = std::mem::take(&mut path.income);
        path.income = path.earned(&prepared.index_yield, dividends);
        path.borrow = path.earned(&fees.unwrap_or_default(), Vec::new());
        path
    }

    /// Splits as running products, dividends as running sums.
    fn add_events(&mut self, account: &Account<'_>, slot: usize, bars: usize) {
        let mut shares = vec![1.0; bars];
        let mut income = vec![0.0; bars];
        let (mut has_splits, mut has_income) = (false, false);
        for event in account.events.iter().filter(|event| event.slot == slot) {
            match event.kind {
                EventKind::Split(ratio) => {
                    shares[event.bar..].iter_mut().for_each(|s| *s *= ratio);
                    has_splits = true;
                }
                EventKind::Dividend { amount, .. } => {
                    let paid = amount * shares[event.bar];
                    income[event.bar..].iter_mut().for_each(|i| *i += paid);
                    has_income = true;
                }
                EventKind::Delist => {}
            }
        }
        if has_splits {
            self.shares = shares;
        }
        if has_income {
            self.income = income;
        }
    }

    /// Adds a rate on the value of each bar before to running sums.
    fn earned(&self, rate: &[f64], sums: Vec<f64>) -> Vec<f64> {
        if rate.is_empty() {
            return sums;
        }
        let mut sum = 0.0;
        let earned = rate.iter().enumerate().map(|(bar, rate)| {
            if bar > 0 && *rate != 0.0 {
                let value = self.split(bar - 1) * self.close(bar - 1);
                sum += if value.is_finite() { value * rate } else { 0.0 };
            }
            sum + sums.get(bar).copied().unwrap_or(0.0)
        });
        earned.collect()
    }

    fn clock_bar(&self, own: usize) -> BarIndex {
        match &self.on_clock {
            Some(on_clock) => on_clock[own] as BarIndex,
            None => own,
        }
    }

    fn close(&self, bar: BarIndex) -> f64 {
        match &self.newest {
            Some(newest) => newest[bar],
            None => self.symbol.bars.close[bar],
        }
    }

    fn split(&self, bar: BarIndex) -> f64 {
        self.shares.get(bar).copied().unwrap_or(1.0)
    }

    /// What a share of the first bar earned after `since` up to `bar`; a short pays its lender too.
    fn income_since(&self, since: BarIndex, bar: BarIndex, shares: f64) -> f64 {
        let change = |sums: &[f64]| match (sums.get(since), sums.get(bar)) {
            (Some(before), Some(after)) => after - before,
            _ => 0.0,
        };
        let borrow = if shares < 0.0 {
            change(&self.borrow)
        } else {
            0.0
        };
        change(&self.income) + borrow
    }
}

/// `(1 + rate)^(days / 365) - 1` for the calendar days since the bar before.
pub(crate) fn growth_by_days(prepared: &Prepared<'_>, rate: f64) -> Vec<f64> {
    let mut known = (-1, 0.0);
    let mut before = None;
    let growth = prepared.clock.iter().map(|time| {
        let day = date_of(*time);
        let days = before.replace(day).map_or(0, |b| (day - b).num_days());
        if days != known.0 {
            known = (days, libm::pow(1.0 + rate, days as f64 / 365.0) - 1.0);
        }
        known.1
    });
    growth.collect()
}
