//! THE LOOP: `backtest(market, strategy) -> Run`, the only place where time passes.
//!
//! `prepare` turns market and strategy into columns, `simulate` walks one account through them
//! bar by bar (`decide` and `fills` are its close and its open), `benchmark` runs what the
//! strategy is measured against through the same loop, `explain` looks at one close of it, `learned`
//! fits its model before time begins, each fit on what was known by then.

mod run;
mod input;
mod pending;
mod flows;
mod layers;
mod simulate;
mod fills;
mod decide;
mod later;
mod learned;
mod prepare;
mod progress;
mod benchmark;
mod source;
mod explain;
mod kernel;
mod scheduled;
mod options;
mod placed;
mod repeated;
mod select;
mod taxes;
mod harvest;
mod variation;

pub use benchmark::{Outcome, savings_of, simulate, simulate_watched};
pub use explain::{DatedOrder, Explained, Explanation, OpenPosition, explain};
pub use flows::{Unpaid, flows_before};
pub use kernel::{BLOCKS, BlockSums, Counted, Kernel, Moments, Signals, Tally};
pub use learned::{Rivals, learned, rows_of_model, with_rivals};
pub use options::{NotDone, NotDoneAt, OptionRecord};
pub use placed::Placement;
pub use progress::Progress;
pub use repeated::{Conditions, Repeated};
pub use run::{Ambiguous, HarvestReport, LayerRun, Layers, Protected, Run, SymbolRun, TaxReport};
pub use scheduled::{Stage, backtest_scheduled, simulate_scheduled, simulate_scheduled_bare};
pub use source::{held_out, observe, read_market};
pub use variation::{CostChange, Variation, Variations};

use crate::engine::decide::Decider;
use crate::engine::input::Input;
use crate::engine::prepare::Prepared;
use crate::engine::run::of_record;
use crate::engine::simulate::{Detail, Record, Sim};
use crate::error::Result;
use crate::market::Market;
use crate::strategy::{Ambiguity, Strategy};
use crate::units::{BarIndex, Micros};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Simulates a strategy over a market and keeps everything: columns, orders, trades, ledger,
/// income.
///
/// # Errors
/// Symbols that the market lacks, expressions that do not type against it, a period without
/// bars, rate files that cannot be read.
pub fn backtest(market: &Market, strategy: &Strategy) -> Result<Run> {
    let prepared = Prepared::new(market, strategy)?;
    run_rules(&prepared, Detail::Full)
}

/// The same simulation, keeping equity, orders and trades only.
///
/// # Errors
/// As [`backtest`].
pub fn backtest_bare(market: &Market, strategy: &Strategy) -> Result<Run> {
    let prepared = Prepared::new(market, strategy)?;
    run_rules(&prepared, Detail::Bare)
}

/// The bare simulation over a span of clock bars instead of `data.start` to `data.end`: flat at its
/// first bar, with indicators that have read the bars before it.
///
/// # Errors
/// As [`backtest`], and a span without bars or beyond the clock.
pub fn backtest_over(
    market: &Market,
    strategy: &Strategy,
    span: Option<Range<BarIndex>>,
) -> Result<Run> {
    let mut prepared = Prepared::new(market, strategy)?;
    if let Some(span) = span {
        prepared.restrict(span)?;
    }
    run_rules(&prepared, Detail::Bare)
}

/// What a simulation would run over, without running it.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Moments of the clock's bars.
    pub clock: Arc<Vec<Micros>>,
    /// First and one past the last clock bar under `data.start` and `data.end`.
    pub span: Range<BarIndex>,
    /// Bars a year and bars a session.
    pub periods: (f64, f64),
    /// Market indices of the symbols that trade, ascending.
    pub universe: Vec<usize>,
    /// Keys of the expressions, in the order in which the strategy compiles them.
    pub wanted: Vec<String>,
    /// What of the strategy the kernel does not carry, in a few words; `None` when it carries it.
    pub not_carried: Option<&'static str>,
    /// The forecast of the strategy's `[model]` is not a column of the market: each run fits anew.
    pub refits: bool,
}

/// Compiles a strategy against a market and says what its simulation would run over.
///
/// # Errors
/// As [`backtest`].
pub fn outline(market: &Market, strategy: &Strategy) -> Result<Outline> {
    let prepared = Prepared::new(market, strategy)?;
    let periods = &prepared.periods;
    // Whoever reads this market's columns would not find the forecast.
    let is_learned = matches!(prepared.market, Cow::Owned(_));
    let refits = is_learned.then_some("a [model] that the market was not read with");
    Ok(Outline {
        not_carried: kernel::not_carried(&prepared).or(refits),
        refits: is_learned,
        span: prepared.first..prepared.end,
        periods: (periods.bars_a_year, periods.bars_a_session),
        wanted: strategy
            .requests()
            .iter()
            .map(|r| r.key.to_string())
            .collect(),
        universe: prepared.universe,
        clock: prepared.clock,
    })
}

fn run_rules(prepared: &Prepared<'_>, detail: Detail) -> Result<Run> {
    run_stages(std::slice::from_ref(prepared), &[], detail)
}

/// One run that begins under the first of `all` and goes on, from each of `changes` on, under the
/// one that it names. All have one clock, one universe, and the run's first and last bar.
fn run_stages(all: &[Prepared<'_>], changes: &[(BarIndex, usize)], detail: Detail) -> Result<Run> {
    if !all[0].strategy.layers.is_empty() {
        return layers::run_layers(all, changes, detail);
    }
    run_inputs(&all[0], changes, detail, |tapes| {
        let inputs = all.iter().map(|prepared| match detail {
            Detail::Bare => prepared.bare_rules_input(tapes),
            Detail::Full => prepared.rules_input(tapes),
        });
        inputs.collect()
    })
}

/// The same from what `inputs` gives each account to read: one input for each stage.
fn run_inputs<'p>(
    prepared: &Prepared<'_>,
    changes: &[(BarIndex, usize)],
    detail: Detail,
    inputs: impl Fn(&[usize]) -> Result<Vec<Input<'p>>>,
) -> Result<Run> {
    let strategy = prepared.strategy;
    let accounts = if strategy.account.each {
        prepared.universe.iter().map(|&tape| vec![tape]).collect()
    } else {
        vec![prepared.universe.clone()]
    };
    let mut run: Option<Run> = None;
    for tapes in &accounts {
        let inputs = inputs(tapes)?;
        let changes = changes
            .iter()
            .map(|&(bar, of)| (bar, &inputs[of]))
            .collect::<Vec<_>>();
        let simulate = |ambiguity: Ambiguity, detail: Detail| {
            let mut sim = Sim::new(&inputs[0], Decider::Rules, detail);
            sim.ambiguity = ambiguity;
            sim.run_through(&changes)
        };
        let record = simulate(strategy.stops.ambiguity, detail);
        let end = |ambiguity: Ambiguity| {
            let same = ambiguity == strategy.stops.ambiguity || record.ambiguous == 0;
            let equity = if same {
                record.equity.last().copied()
            } else {
                simulate(ambiguity, Detail::Bare).equity.last().copied()
            };
            equity.unwrap_or(strategy.account.cash)
        };
        // The band takes two more simulations, which bare runs do not owe anybody.
        let band = (detail == Detail::Full).then(|| Ambiguous {
            trades: record.ambiguous,
            worst: end(Ambiguity::Worst),
            path: end(Ambiguity::Path),
            best: end(Ambiguity::Best),
        });
        let mut part = of_record(prepared, record, band, detail);
        if detail == Detail::Full
            && let Some(tax) = part.tax.as_mut().filter(|tax| tax.harvest.is_some())
        {
            let mut sim = Sim::new(&inputs[0], Decider::Rules, Detail::Bare);
            sim.without_harvest();
            tax.compare(sim.run_through(&changes).tax.as_ref());
        }
        let symbol = tapes.first().copied().filter(|_| strategy.account.each);
        run = Some(match (run, symbol) {
            (Some(all), Some(symbol)) => all.joined(symbol, part),
            (None, Some(symbol)) => part.first_of_each(symbol),
            (_, None) => part,
        });
    }
    run.unwrap_or_default()
        .sharing(prepared, &strategy.name, detail)
        .map(Run::finished)
}

/// A record without a band, for runs that have no stops.
pub(crate) fn plain(prepared: &Prepared<'_>, name: &str, record: Record) -> Result<Run> {
    of_record(prepared, record, None, Detail::Full)
        .sharing(prepared, name, Detail::Full)
        .map(Run::finished)
}
