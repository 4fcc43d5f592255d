//! One account under one strategy after the other: what walk-forward stitches together.
//!
//! At the border of two stages nothing is sold and nothing is bought: what is held and what waits
//! goes on, the next strategy decides from the first close of its stage, and what it changes is
//! traded at the price and the cost of any other order. Which strategies these are, and how they
//! were chosen, is left to the caller.

use crate::engine::benchmark::beside_benchmarks;
use crate::engine::prepare::Prepared;
use crate::engine::simulate::Detail;
use crate::engine::{Outcome, Run, run_stages};
use crate::error::{Error, Problem, Result};
use crate::instrument::Symbol;
use crate::market::Market;
use crate::strategy::{Layer, Strategy};
use crate::units::BarIndex;
use std::ops::Range;

/// A strategy and the bars that it decides on.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Clock bars: the moments at which any symbol of the strategy has a bar.
    pub bars: Range<BarIndex>,
    /// Who decides. All stages have the same `[data]`, `[account]`, `[cash]`
    /// and `[[cashflow]]`.
    pub strategy: Strategy,
    /// Symbols of the strategy that may be held in it; what else is held is sold as one that left the
    /// universe. Empty: all of them.
    pub held: Vec<Symbol>,
}

/// Simulates one account through all stages, and its benchmarks over the same bars. Under one
/// strategy throughout it is the run of [`crate::engine::simulate`] over those bars, bit for bit.
/// Name and everything that is not decided bar by bar (cash, benchmarks) are the first stage's.
///
/// # Errors
/// No stages, stages that do not follow one another without a gap, differ in what must be the
/// same, or lie outside the data; else as [`crate::engine::simulate`].
pub fn simulate_scheduled(market: &Market, stages: &[Stage]) -> Result<Outcome> {
    let mut schedule = Schedule::new(market, stages)?;
    let run = run_stages(&schedule.all, &schedule.changes, Detail::Full)?;
    // Benchmarks know nothing of what a stage chose to hold.
    schedule.all[0].hold_all();
    beside_benchmarks(&schedule.all[0], run)
}

/// The same simulation without benchmarks, keeping equity, orders and trades only.
///
/// # Errors
/// As [`simulate_scheduled`].
pub fn simulate_scheduled_bare(market: &Market, stages: &[Stage]) -> Result<Run> {
    let schedule = Schedule::new(market, stages)?;
    run_stages(&schedule.all, &schedule.changes, Detail::Bare)
}

/// The same simulation without benchmarks, keeping everything else.
///
/// # Errors
/// As [`simulate_scheduled`].
pub fn backtest_scheduled(market: &Market, stages: &[Stage]) -> Result<Run> {
    let schedule = Schedule::new(market, stages)?;
    run_stages(&schedule.all, &schedule.changes, Detail::Full)
}

/// The distinct strategies of a schedule, prepared, and who follows at which bar.
pub(crate) struct Schedule<'m> {
    pub(crate) all: Vec<Prepared<'m>>,
    pub(crate) changes: Vec<(BarIndex, usize)>,
}

impl<'m> Schedule<'m> {
    pub(crate) fn new(market: &'m Market, stages: &'m [Stage]) -> Result<Self> {
        let (Some(first), Some(last)) = (stages.first(), stages.last()) else {
            return Err(Error::msg("a schedule without a stage"));
        };
        check(stages)?;
        let mut distinct: Vec<&Stage> = Vec::new();
        let mut changes: Vec<(BarIndex, usize)> = Vec::new();
        for stage in stages {
            let same = |s: &&Stage| s.strategy == stage.strategy && s.held == stage.held;
            let known = distinct.iter().position(same);
            let of = known.unwrap_or(distinct.len());
            if known.is_none() {
                distinct.push(stage);
            }
            if changes.last().map_or(0, |(_, before)| *before) != of {
                changes.push((stage.bars.start, of));
            }
        }
        let mut all = Vec::with_capacity(distinct.len());
        for stage in distinct {
            let mut prepared = Prepared::new(market, &stage.strategy)?;
            prepared.restrict(first.bars.start..last.bars.end)?;
            prepared.hold_only(&stage.held);
            all.push(prepared);
        }
        Ok(Schedule { all, changes })
    }
}

/// What the layers are and give one another stays; their weights and what their files say may change.
fn same_layers(a: &Strategy, b: &Strategy) -> bool {
    let is_same = |(a, b): (&Layer, &Layer)| {
        a.name == b.name && a.feeds == b.feeds && a.strategy.data == b.strategy.data
    };
    a.layers.len() == b.layers.len() && a.layers.iter().zip(&b.layers).all(is_same)
}

/// Stages follow one another and trade the same data in the same account.
fn check(stages: &[Stage]) -> Result<()> {
    let Some(first) = stages.first() else {
        return Ok(());
    };
    let mut next = first.bars.start;
    for stage in stages {
        if stage.bars.start != next || stage.bars.is_empty() {
            return Err(Error::msg(format!(
                "a stage has the bars {} to {}, where one from {next} on was expected",
                stage.bars.start, stage.bars.end
            )));
        }
        next = stage.bars.end;
        let (a, b) = (&first.strategy, &stage.strategy);
        for (table, same) in [
            ("data", a.data == b.data),
            ("account", a.account == b.account),
            ("cash", a.cash == b.cash),
            ("tax", a.tax == b.tax),
            ("cashflow", a.cashflows == b.cashflows),
            ("benchmark", a.benchmark == b.benchmark),
            ("[layer]", same_layers(a, b)),
        ] {
            if !same {
                return Err(Error::new(
                    Problem::new(format!("[{table}] changes in the middle of a run"))
                        .in_file(&first.strategy.source.name)
                        .help("vary parameters, rules, sizes, stops, fills or costs"),
                ));
            }
        }
    }
    Ok(())
}
