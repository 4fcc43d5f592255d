//! Layers: strategies on parts of one account, each simulated by the same loop, bar by bar together.
//!
//! A bar of all layers has the order of the simulated day: splits and interest of each, then money from
//! outside and between the layers, then the rest of the bar of each. What a layer gives away is set
//! aside as it comes in and moves in the third phase of the next bar; what rebalancing takes waits
//! until the layer has the cash, for which it sells at the open. Every transfer is an entry on both
//! sides, on one bar, of one amount.

use crate::engine::Run;
use crate::engine::decide::Decider;
use crate::engine::flows::Flow;
use crate::engine::input::Input;
use crate::engine::prepare::Prepared;
use crate::engine::run::{Layers, of_record};
use crate::engine::simulate::{Detail, Sim};
use crate::error::{Error, Problem, Result};
use crate::market::{Period, period_ends_of};
use crate::strategy::Every;
use crate::units::BarIndex;

/// Money that one layer owes another.
#[derive(Debug, Clone)]
struct Move {
    from: usize,
    to: usize,
    amount: f64,
    note: String,
}

/// Runs a strategy of layers.
///
/// # Errors
/// As [`crate::engine::backtest`], for each layer.
pub(crate) fn run_layers(outer: &Prepared<'_>, detail: Detail) -> Result<Run> {
    let mut all = Vec::with_capacity(outer.strategy.layers.len());
    for layer in &outer.strategy.layers {
        let named = |error: Error| named(&layer.name, error);
        all.push(Prepared::beside(outer, &layer.strategy).map_err(named)?);
    }
    let inputs: Vec<Input<'_>> = all
        .iter()
        .map(|prepared| prepared.rules_input(&prepared.universe))
        .collect::<Result<_>>()?;
    let sims = inputs
        .iter()
        .map(|input| Sim::new(input, Decider::Rules, detail))
        .collect();
    let mut together = Together {
        outer,
        sims,
        moves: Vec::new(),
        next_flow: 0,
        rebalances: rebalances(outer),
    };
    for (sim, layer) in together.sims.iter_mut().zip(&outer.strategy.layers) {
        let feeds = layer.feeds;
        let gives = [feeds.dividends, feeds.interest, feeds.gains, feeds.premium];
        sim.purse.give(gives.map(|to| to.is_some()));
        sim.book_opening_cash();
    }
    for bar in outer.first..outer.end {
        together.step(bar);
    }
    let mut run: Option<Run> = None;
    for ((layer, prepared), sim) in outer.strategy.layers.iter().zip(&all).zip(together.sims) {
        let (record, transfers) = sim.finish_layer();
        let part = of_record(prepared, record, None, detail);
        let of = Layers::of(&layer.name, layer.weight, &part, (outer.first, &transfers));
        run = Some(match run {
            None => Run { layers: of, ..part },
            Some(run) => run.beside_layer(part, of),
        });
    }
    run.unwrap_or_default()
        .sharing(outer, &outer.strategy.name, detail)
        .map(Run::finished)
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

/// All layers at one bar.
struct Together<'a, 'm> {
    outer: &'a Prepared<'m>,
    sims: Vec<Sim<'a, 'm>>,
    /// What was asked to move and has not, in the order of asking.
    moves: Vec<Move>,
    next_flow: usize,
    rebalances: Vec<bool>,
}

impl Together<'_, '_> {
    fn step(&mut self, bar: BarIndex) {
        let events: Vec<_> = self.sims.iter_mut().map(|sim| sim.begin(bar)).collect();
        self.transfer(bar);
        for (of, sim) in self.sims.iter_mut().enumerate() {
            let owed = self.moves.iter().filter(|m| m.from == of).map(|m| m.amount);
            sim.purse.set_aside(owed.sum());
        }
        self.flows(bar);
        for (sim, events) in self.sims.iter_mut().zip(&events) {
            sim.pay_debts(bar);
            sim.go_on(bar, events);
            sim.end_bar(bar);
        }
        self.feed();
        if self.rebalances.get(bar).copied().unwrap_or(false) && bar + 1 < self.outer.end {
            self.rebalance();
        }
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
            let [dividends, interest, gains, premium] = earned;
            for (to, amount, stream) in [
                (feeds.dividends, dividends, "dividends"),
                (feeds.interest, interest, "interest"),
                (feeds.gains, gains, "gains"),
                (feeds.premium, premium, "premium"),
            ] {
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
                        note: format!("{stream} to {}", self.outer.strategy.layers[to].name),
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
