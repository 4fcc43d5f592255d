//! Costs doubled, and the cost at which nothing is left of the advantage.

use crate::engine::{CostChange, Variation, savings_of};
use crate::metrics::OwnedInputs;
use crate::strategy::Costs;
use crate::study::stress::{Found, StressLine, StressResult, Subject, line};
use std::cell::Cell;

/// Highest cost a side that is tried, as a fraction of the value traded.
const HIGHEST: f64 = 0.1;
/// A cost is found to this fraction of the value traded: a thousandth of a basis point.
const PRECISION: f64 = 1e-7;
/// Runs that a search is expected to take, at most; those of shipped strategies take up to so many.
pub(super) const STEPS: u64 = 20;
/// Runs of a search, which end long before.
const STEPS_MAX: usize = 60;
/// Basis points of a fraction.
const BPS: f64 = 10_000.0;

/// The three lines.
pub(super) fn lines(subject: &Subject<'_>) -> [StressLine; 3] {
    let run = subject.run();
    let savings = savings_of(run).last().copied().unwrap_or(run.start_equity);
    let benchmark = subject.outcome.reference();
    let held = benchmark.and_then(|run| run.equity.last().copied());
    [
        line("costs_doubled", "costs doubled", doubled(subject)),
        line(
            "break_even_cash",
            "break-even cost against cash",
            break_even(subject, Some(savings), "cash"),
        ),
        line(
            "break_even_benchmark",
            "break-even cost against the benchmark",
            break_even(subject, held, "the benchmark"),
        ),
    ]
}

fn doubled(subject: &Subject<'_>) -> Found {
    subject.traded()?;
    let pays = |costs: &Costs| CostChange::Twice.of(costs) != *costs;
    if !subject.variations.deciders().any(|s| pays(&s.costs)) {
        return Err("the strategy pays no costs".to_owned());
    }
    Ok(subject.figures(&Variation {
        costs: Some(CostChange::Twice),
        ..Variation::default()
    }))
}

/// The flat cost a side at which the equity at the end is `target`, by false position between
/// nothing and [`HIGHEST`].
/// Source of the step: Dowell and Jarratt (1971), A modified regula falsi method ("Illinois").
fn break_even(subject: &Subject<'_>, target: Option<f64>, name: &str) -> Found {
    let simulated = Cell::new(0);
    let found = searched(subject, target, name, &simulated);
    // What was not needed is done, too.
    let saved = STEPS.saturating_sub(simulated.get());
    let bars = subject.run().equity.len() as u64 * subject.variations.accounts() as u64;
    subject.progress.done(saved * bars);
    found
}

fn searched(
    subject: &Subject<'_>,
    target: Option<f64>,
    name: &str,
    simulated: &Cell<u64>,
) -> Found {
    subject.traded()?;
    if subject.strategy.options.is_some() {
        return Err("options cost by the contract and by their spread, not by value".to_owned());
    }
    let target = target.ok_or_else(|| "no benchmark".to_owned())?;
    let ahead = |cost: f64| {
        simulated.set(simulated.get() + 1);
        let run = subject.variations.run(&Variation {
            costs: Some(CostChange::Flat(cost)),
            ..Variation::default()
        });
        run.equity.last().map_or(0.0, |equity| equity - target)
    };
    let paid_bps = paid(subject);
    let at = |cost: f64, beyond: bool| StressResult::BreakEven {
        bps: BPS * cost,
        beyond,
        paid_bps,
    };
    let (mut low, mut high) = ((0.0, ahead(0.0)), (HIGHEST, ahead(HIGHEST)));
    if low.1 <= 0.0 {
        return Err(format!("behind {name} even without costs"));
    }
    if high.1 > 0.0 {
        return Ok(at(HIGHEST, true));
    }
    let mut kept_low = None;
    for _ in 0..STEPS_MAX {
        if high.0 - low.0 <= PRECISION {
            break;
        }
        let cost = low.0 + (high.0 - low.0) * low.1 / (low.1 - high.1);
        // Never so near to an end that the other one can stay where it is for ever.
        let margin = PRECISION / 2.0;
        let cost = cost.clamp(low.0 + margin, high.0 - margin);
        let left = ahead(cost);
        if left > 0.0 {
            low = (cost, left);
            if kept_low == Some(false) {
                high.1 /= 2.0;
            }
            kept_low = Some(false);
        } else {
            high = (cost, left);
            if kept_low == Some(true) {
                low.1 /= 2.0;
            }
            kept_low = Some(true);
        }
    }
    Ok(at(low.0, false))
}

/// Commissions, slippage and spread of the run in basis points of the value traded.
fn paid(subject: &Subject<'_>) -> Option<f64> {
    let run = subject.run();
    let money = OwnedInputs::of(run).money;
    let traded: f64 = run.traded.iter().sum();
    (traded > 0.0).then(|| BPS * (money.fees + money.slippage) / traded)
}
