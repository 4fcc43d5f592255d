//! Layers: strategies on parts of one account, each simulated by the same loop, bar by bar together.
//!
//! A bar of all layers has the order of the simulated day: splits and interest of each, then money from
//! outside and between the layers, then the rest of the bar of each. What a layer gives away is set
//! aside as it comes in and moves in the third phase of the next bar; what rebalancing takes waits
//! until the layer has the cash, for which it sells at the open. Every transfer is an entry on both
//! sides, on one bar, of one amount.
//!
//! The layers are one taxpayer. The book goes from hand to hand, so that each layer sees the lots and
//! the wash sales of all; what a year owes falls due between the close and the decisions of a bar, and
//! each layer owes in proportion to what its own gains and income of that year would owe alone.

use crate::engine::decide::Decider;
use crate::engine::flows::{Earned, Flow};
use crate::engine::input::Input;
use crate::engine::prepare::Prepared;
use crate::engine::run::{Ambiguous, Layers, Run, of_record};
use crate::engine::simulate::{Detail, Sim};
use crate::engine::taxes::{AtEnd, falls_due, report};
use crate::error::{Error, Problem, Result};
use crate::market::{Period, date_of, period_ends_of};
use crate::portfolio::TaxBook;
use crate::strategy::{Ambiguity, Every, Feeds};
use crate::units::BarIndex;

/// Money that one layer owes another.
#[derive(Debug, Clone)]
struct Move {
    from: usize,
    to: usize,
    amount: f64,
    note: String,
}

/// How a run of layers differs from what their files say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Under {
    /// In place of each layer's own.
    pub(crate) ambiguity: Option<Ambiguity>,
    /// Whether losses are harvested where `[tax.harvest]` says so.
    pub(crate) harvests: bool,
    pub(crate) detail: Detail,
}

impl Under {
    /// As the files say.
    pub(crate) fn files(detail: Detail) -> Self {
        Under {
            ambiguity: None,
            harvests: true,
            detail,
        }
    }
}

/// A strategy of layers and what each of them reads.
pub(crate) struct Parts<'a> {
    pub(crate) outer: &'a Prepared<'a>,
    pub(crate) inputs: Vec<Input<'a>>,
}

impl<'a> Parts<'a> {
    /// What the layers of a strategy read under their own rules; `layers` are those of [`prepared`].
    ///
    /// # Errors
    /// As [`crate::engine::backtest`].
    pub(crate) fn of(outer: &'a Prepared<'a>, layers: &'a [Prepared<'a>]) -> Result<Self> {
        let read = |layer: &'a Prepared<'a>| layer.rules_input(&layer.universe);
        let inputs = layers.iter().map(read).collect::<Result<_>>()?;
        Ok(Parts { outer, inputs })
    }
}

/// The layers of a strategy on its clock and days.
///
/// # Errors
/// As [`crate::engine::backtest`], for each layer; a pair of `[tax.harvest]` that no layer has both of.
pub(crate) fn prepared<'m>(outer: &Prepared<'m>) -> Result<Vec<Prepared<'m>>> {
    let layers = outer.strategy.layers.iter();
    let beside = layers.map(|layer| {
        let prepared = Prepared::beside(outer, &layer.strategy);
        prepared.map_err(|error| named(&layer.name, error))
    });
    let layers: Vec<Prepared<'m>> = beside.collect::<Result<_>>()?;
    if !layers.is_empty() {
        check_pairs(outer, &layers)?;
    }
    Ok(layers)
}

/// A swap stays in its layer.
fn check_pairs(outer: &Prepared<'_>, layers: &[Prepared<'_>]) -> Result<()> {
    let tax = outer.strategy.tax.as_ref();
    let pairs = tax.and_then(|tax| tax.harvest.as_ref());
    let has = |layer: &Prepared<'_>, symbol: &str| {
        let name = |tape: &usize| layer.market.tapes[*tape].symbol.as_str();
        layer.universe.iter().any(|tape| name(tape) == symbol)
    };
    let apart = |(a, b): &&(String, String)| !layers.iter().any(|l| has(l, a) && has(l, b));
    let problems = pairs
        .iter()
        .flat_map(|harvest| &harvest.pairs)
        .filter(apart);
    let problem = |(a, b): &(String, String)| {
        Problem::new(format!("no layer trades both {a} and {b}"))
            .at_column("tax.harvest.pairs")
            .help("a loss is swapped inside its layer: name both in the data.symbols of one")
    };
    let problems: Vec<Problem> = problems.map(problem).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::all(problems)),
    }
}

/// Runs strategies of layers on one account, one after the other: the first of `all`, then from each of
/// `changes` on the one that it names. They have the same layers, clock, first and last bar.
///
/// # Errors
/// As [`crate::engine::backtest`], for each layer.
pub(crate) fn run_layers(
    all: &[Prepared<'_>],
    changes: &[(BarIndex, usize)],
    detail: Detail,
) -> Result<Run> {
    let layers: Vec<Vec<Prepared<'_>>> = all.iter().map(prepared).collect::<Result<_>>()?;
    let stages = all.iter().zip(&layers);
    let stages: Vec<Parts<'_>> = stages
        .map(|(outer, layers)| Parts::of(outer, layers))
        .collect::<Result<_>>()?;
    let simulate = |under: Under| Together::new(&stages[0], under).run(&stages, changes);
    let mut run = simulate(Under::files(detail));
    if detail == Detail::Full {
        run.ambiguous = Some(band(&run, &layers[0], &simulate));
        if let Some(tax) = run.tax.as_mut().filter(|tax| tax.harvest.is_some()) {
            let without = simulate(Under {
                harvests: false,
                ..Under::files(Detail::Bare)
            });
            tax.compare(without.tax.as_ref());
        }
    }
    for (one, layer) in run.layers.runs.iter_mut().zip(&layers[0]) {
        let own = layer.market.learned.clone();
        one.learned = own.filter(|_| layer.strategy.model.is_some());
    }
    let outer = &all[0];
    run.sharing(outer, &outer.strategy.name, detail)
        .map(Run::finished)
}

/// The equity at the end under each way of settling the bars that reached both stop and target.
fn band(run: &Run, layers: &[Prepared<'_>], simulate: &impl Fn(Under) -> Run) -> Ambiguous {
    let trades = run.layers.ambiguous;
    let end = |ambiguity: Ambiguity| {
        let is_own = |layer: &Prepared<'_>| layer.strategy.stops.ambiguity == ambiguity;
        let equity = match trades == 0 || layers.iter().all(is_own) {
            true => run.equity.last().copied(),
            false => {
                let under = Under {
                    ambiguity: Some(ambiguity),
                    ..Under::files(Detail::Bare)
                };
                simulate(under).equity.last().copied()
            }
        };
        equity.unwrap_or(run.start_equity)
    };
    Ambiguous {
        trades,
        worst: end(Ambiguity::Worst),
        path: end(Ambiguity::Path),
        best: end(Ambiguity::Best),
    }
}

/// An error of a layer, with the layer's name.
fn named(layer: &str, error: Error) -> Error {
    let problems = error.problems().iter().cloned().map(|problem| Problem {
        message: format!("layer {layer}: {}", problem.message),
        ..problem
    });
    Error::all(problems.collect())
}

/// Bars at whose close the layers are set back to their weights; empty for never.
fn rebalances(outer: &Prepared<'_>) -> Vec<bool> {
    let period = match outer.strategy.rebalance_layers {
        None => return Vec::new(),
        Some(Every::Bar | Every::Day) => Period::Day,
        Some(Every::Week) => Period::Week,
        Some(Every::Month) => Period::Month,
        Some(Every::Quarter) => Period::Quarter,
        Some(Every::Year) => Period::Year,
    };
    let market = &outer.market;
    period_ends_of(&outer.clock, period, market.calendar, market.interval)
}

/// The streams that a layer may give away, what transfers call them, and to whom they go.
fn fed(feeds: &Feeds) -> [(Earned, &'static str, Option<usize>); 4] {
    [
        (Earned::Dividends, "dividends", feeds.dividends),
        (Earned::Interest, "interest", feeds.interest),
        (Earned::Gains, "gains", feeds.gains),
        (Earned::Premium, "premium", feeds.premium),
    ]
}

/// All layers at one bar.
pub(crate) struct Together<'a> {
    outer: &'a Prepared<'a>,
    pub(crate) sims: Vec<Sim<'a, 'a>>,
    /// What was asked to move and has not, in the order of asking.
    moves: Vec<Move>,
    next_flow: usize,
    rebalances: Vec<bool>,
    /// The taxpayer's book while no layer has it; `None` without `[tax]`.
    book: Option<TaxBook>,
    detail: Detail,
}

impl<'a> Together<'a> {
    /// The layers before their first bar, with their cash.
    pub(crate) fn new(parts: &'a Parts<'a>, under: Under) -> Self {
        let outer = parts.outer;
        let sims = parts.inputs.iter();
        let sims = sims.map(|input| Sim::new(input, Decider::Rules, under.detail));
        let mut sims: Vec<Sim<'a, 'a>> = sims.collect();
        let layers = &outer.strategy.layers;
        for (of, (sim, layer)) in sims.iter_mut().zip(layers).enumerate() {
            sim.purse
                .give(fed(&layer.feeds).map(|(.., to)| to.is_some()));
            sim.ambiguity = under.ambiguity.unwrap_or(sim.ambiguity);
            if !under.harvests {
                sim.without_harvest();
            }
            let place = |tape: &usize| outer.universe.iter().position(|t| t == tape);
            let tapes = sim.input.symbols.iter().map(|s| s.tape);
            // Every symbol of a layer is one of the account's.
            let slots = tapes.filter_map(|tape| place(&tape)).collect();
            sim.share_taxes(of, slots);
            sim.book_opening_cash();
        }
        let name = |tape: &usize| outer.market.tapes[*tape].symbol.as_str();
        let names: Vec<&str> = outer.universe.iter().map(name).collect();
        let tax = outer.strategy.tax.as_ref();
        Together {
            outer,
            book: tax.map(|tax| TaxBook::new(tax, &names, sims.len())),
            sims,
            moves: Vec::new(),
            next_flow: 0,
            rebalances: rebalances(outer),
            detail: under.detail,
        }
    }

    /// From the first bar to the last, reading another of `stages` from each of `changes` on: accounts,
    /// positions, waiting orders and moves go on as they are.
    pub(crate) fn run(mut self, stages: &'a [Parts<'a>], changes: &[(BarIndex, usize)]) -> Run {
        let mut changes = changes.iter().peekable();
        let (progress, end) = (self.outer.progress, self.outer.end);
        let mut at = self.outer.first;
        while at < end {
            let next = progress.next(at, end);
            for bar in at..next {
                if let Some(&&(_, of)) = changes.peek().filter(|(at, _)| *at == bar) {
                    changes.next();
                    self.go_over_to(&stages[of]);
                }
                self.step(bar);
            }
            progress.done((next - at) as u64);
            at = next;
        }
        self.into_run()
    }

    fn go_over_to(&mut self, stage: &'a Parts<'a>) {
        self.outer = stage.outer;
        self.rebalances = rebalances(self.outer);
        for (sim, input) in self.sims.iter_mut().zip(&stage.inputs) {
            sim.input = input;
        }
    }

    /// The accounts at the close of `bar`, before anything is decided there.
    pub(crate) fn at_close(mut self, bar: BarIndex) -> Self {
        for earlier in self.outer.first..bar {
            self.step(earlier);
        }
        self.until_close(bar);
        self
    }

    fn into_run(mut self) -> Run {
        let tax = self.tax_report();
        let layers = &self.outer.strategy.layers;
        let mut all: Option<Run> = None;
        for (layer, sim) in layers.iter().zip(self.sims) {
            let cash = layer.strategy.account.cash;
            let (record, transfers) = sim.finish_layer();
            let ambiguous = record.ambiguous;
            let part = of_record(self.outer, record, None, self.detail);
            let mut part = Run {
                start_equity: cash,
                ..part
            };
            for level in &mut part.levels {
                level.layer.clone_from(&layer.name);
            }
            let of = Layers::of(
                &layer.name,
                layer.weight,
                &part,
                (self.outer.first, &transfers),
            );
            let of = Layers { ambiguous, ..of };
            all = Some(match all {
                None => Run { layers: of, ..part },
                Some(all) => all.beside_layer(part, of),
            });
        }
        Run {
            tax,
            ..all.unwrap_or_default()
        }
    }

    fn step(&mut self, bar: BarIndex) {
        self.until_close(bar);
        for sim in &mut self.sims {
            sim.swap_book(&mut self.book);
            sim.end_bar(bar);
            sim.swap_book(&mut self.book);
        }
        self.feed();
        if self.rebalances.get(bar).copied().unwrap_or(false) && bar + 1 < self.outer.end {
            self.rebalance();
        }
    }

    /// The part of a bar that comes before its decisions.
    fn until_close(&mut self, bar: BarIndex) {
        let events: Vec<_> = self.sims.iter_mut().map(|sim| sim.begin(bar)).collect();
        self.transfer(bar);
        for (of, sim) in self.sims.iter_mut().enumerate() {
            let owed = self.moves.iter().filter(|m| m.from == of).map(|m| m.amount);
            sim.purse.set_aside(owed.sum());
        }
        self.flows(bar);
        // Splits of all layers come before the first purchase of any.
        self.in_turn(|sim, _| sim.tell_taxes(bar));
        self.in_turn(|sim, of| {
            sim.pay_debts(bar);
            sim.go_on(bar, &events[of]);
        });
        self.taxes_due(bar);
    }

    /// Lets each layer do something with the tax book in its hands.
    pub(crate) fn in_turn(&mut self, mut act: impl FnMut(&mut Sim<'a, 'a>, usize)) {
        for (of, sim) in self.sims.iter_mut().enumerate() {
            sim.swap_book(&mut self.book);
            act(sim, of);
            sim.swap_book(&mut self.book);
        }
    }

    /// Tax that falls due at this close: each layer owes its part and pays as far as its cash goes.
    fn taxes_due(&mut self, bar: BarIndex) {
        let Some(book) = &mut self.book else { return };
        let day = date_of(self.outer.clock[bar]);
        let year_ends = self.outer.year_ends.get(bar).copied().unwrap_or(false);
        for (year, amount) in falls_due(book, day, year_ends) {
            let alone: Vec<f64> = (0..self.sims.len())
                .map(|of| book.alone(of, year))
                .collect();
            let equity: Vec<f64> = self.sims.iter().map(|s| s.account.equity()).collect();
            for (sim, part) in self
                .sims
                .iter_mut()
                .zip(parts_of_tax(amount, &alone, &equity))
            {
                if part != 0.0 {
                    sim.owe_tax(year, part);
                }
            }
        }
        self.sims.iter_mut().for_each(|sim| sim.pay_taxes(bar));
    }

    /// The book of all layers at the end of the run.
    fn tax_report(&mut self) -> Option<crate::engine::TaxReport> {
        let last = self.outer.end - 1;
        self.in_turn(|sim, _| sim.tell_taxes(last));
        let mut marks = vec![vec![f64::NAN; self.outer.universe.len()]; self.sims.len()];
        let mut owed = 0.0;
        let mut harvests = false;
        for (sim, marks) in self.sims.iter().zip(&mut marks) {
            let taxes = sim.taxes.as_ref()?;
            for (slot, mark) in sim.account.marks.iter().enumerate() {
                marks[taxes.place(slot).1] = *mark;
            }
            owed += taxes.owed();
            harvests |= taxes.harvesting.is_some();
        }
        let at_end = AtEnd {
            equity: self.sims.iter().map(|sim| sim.account.equity()).sum(),
            owed,
            harvests,
        };
        let day = date_of(self.outer.clock[last]);
        let mark = |layer: usize, slot: usize| marks[layer][slot];
        let book = self.book.as_ref()?;
        Some(report(book, day, &self.outer.universe, mark, at_end))
    }

    /// Moves what the payer has the cash for; where nothing is left to sell, what is there.
    fn transfer(&mut self, bar: BarIndex) {
        let mut waiting: Vec<Move> = Vec::new();
        for one in std::mem::take(&mut self.moves) {
            // Moves of one payer wait for one another.
            let waits = waiting.iter().any(|earlier| earlier.from == one.from);
            let paid = match waits {
                true => None,
                false => self.sims[one.from].payable(one.amount),
            };
            match paid {
                None => waiting.push(one),
                Some(amount) if amount > 0.0 => {
                    self.sims[one.from].book_transfer(bar, -amount, &one.note);
                    self.sims[one.to].book_transfer(bar, amount, &one.note);
                }
                Some(_) => {}
            }
        }
        self.moves = waiting;
    }

    /// Money from outside: into one layer, or into all by their weights; out of one, or out of all by
    /// what they are worth.
    fn flows(&mut self, bar: BarIndex) {
        let strategy = self.outer.strategy;
        while let Some(&Flow {
            bar: due,
            amount,
            of,
        }) = self.outer.flows.get(self.next_flow)
        {
            if due > bar {
                return;
            }
            self.next_flow += 1;
            let cashflow = &strategy.cashflows[of];
            let shares: Vec<f64> = match cashflow.into {
                Some(into) => (0..self.sims.len())
                    .map(|k| f64::from(u8::from(k == into)))
                    .collect(),
                None if amount > 0.0 => strategy.layers.iter().map(|l| l.weight).collect(),
                None => self.worth(),
            };
            for (sim, share) in self.sims.iter_mut().zip(shares) {
                if share > 0.0 && amount > 0.0 {
                    sim.deposit(bar, amount * share, cashflow);
                } else if share > 0.0 {
                    sim.withdraw(bar, -amount * share, cashflow);
                }
            }
        }
    }

    /// The part of each layer in the equity of all.
    fn worth(&self) -> Vec<f64> {
        let equity: Vec<f64> = self
            .sims
            .iter()
            .map(|sim| sim.account.equity().max(0.0))
            .collect();
        let sum: f64 = equity.iter().sum();
        equity
            .iter()
            .map(|e| if sum > 0.0 { e / sum } else { 0.0 })
            .collect()
    }

    /// What the layers earned on this bar and give away.
    fn feed(&mut self) {
        for of in 0..self.sims.len() {
            let feeds = self.outer.strategy.layers[of].feeds;
            let earned = self.sims[of].purse.take_earned();
            for (stream, name, to) in fed(&feeds) {
                let amount = earned[stream as usize];
                // What is not there is not given: a gain may have been spent at the same open.
                let owed = self.moves.iter().filter(|m| m.from == of).map(|m| m.amount);
                let account = &self.sims[of].account;
                let free = account.settled_cash() - account.reserved - owed.sum::<f64>();
                let amount = amount.min(free);
                if let Some(to) = to.filter(|_| amount > 0.0) {
                    self.moves.push(Move {
                        from: of,
                        to,
                        amount,
                        note: format!("{name} to {}", self.outer.strategy.layers[to].name),
                    });
                }
            }
        }
    }

    /// Asks the layers that are worth more than their weight to give to those that are worth less.
    fn rebalance(&mut self) {
        let layers = &self.outer.strategy.layers;
        let pending = |of: usize| -> f64 {
            let signed = |m: &Move| match (m.from == of, m.to == of) {
                (true, _) => -m.amount,
                (_, true) => m.amount,
                _ => 0.0,
            };
            self.moves.iter().map(signed).sum()
        };
        let equity: Vec<f64> = (0..self.sims.len())
            .map(|of| self.sims[of].equity_to_share() + pending(of))
            .collect();
        let sum: f64 = equity.iter().sum();
        let mut gaps: Vec<f64> = layers
            .iter()
            .zip(&equity)
            .map(|(l, e)| e - l.weight * sum)
            .collect();
        let dust = 1e-9 * sum.abs();
        for from in 0..layers.len() {
            for to in 0..layers.len() {
                let amount = gaps[from].min(-gaps[to]);
                if amount > dust {
                    gaps[from] -= amount;
                    gaps[to] += amount;
                    self.moves.push(Move {
                        from,
                        to,
                        amount,
                        note: format!("rebalance to {}", layers[to].name),
                    });
                }
            }
        }
    }
}

/// A year's tax (a refund, when negative) by layer: in proportion to `alone`, what each would owe on its
/// own (would get back, for a refund), by worth where none would. A layer owes no more than it is worth
/// while another can pay.
fn parts_of_tax(amount: f64, alone: &[f64], equity: &[f64]) -> Vec<f64> {
    let same_sign = |a: f64| if amount > 0.0 { a } else { -a }.max(0.0);
    let worth: Vec<f64> = equity.iter().map(|e| e.max(0.0)).collect();
    let by = |weights: &[f64], amount: f64| -> Vec<f64> {
        let sum: f64 = weights.iter().sum();
        let equal = 1.0 / weights.len() as f64;
        let part = |w: &f64| amount * if sum > 0.0 { w / sum } else { equal };
        weights.iter().map(part).collect()
    };
    let mut weights: Vec<f64> = alone.iter().map(|a| same_sign(*a)).collect();
    if weights.iter().all(|w| *w == 0.0) {
        weights.clone_from(&worth);
    }
    let mut parts = by(&weights, amount);
    let beyond = |(part, worth): (&f64, &f64)| (part - worth).max(0.0);
    let left: f64 = parts.iter().zip(&worth).map(beyond).sum();
    if amount > 0.0 && left > 0.0 && left < amount {
        let room = parts.iter().zip(&worth).map(|(p, w)| (w - p).max(0.0));
        let more = by(&room.collect::<Vec<_>>(), left);
        for ((part, worth), more) in parts.iter_mut().zip(&worth).zip(more) {
            *part = part.min(*worth) + more;
        }
    }
    parts
}
