//! Symbols against each other: `rank` and `zrank` over all symbols with a bar and a value at a
//! moment.
//!
//! Each symbol's number is taken in the money of that bar, and what comes out is a column like any
//! other: looking back at a rank gives the rank of that day.

use super::EvalOptions;
use super::eval::{self, Given};
use super::future;
use super::plan::{ExprId, Op, Plan};
use crate::market::{Column, Market};
use std::sync::Arc;

/// The ranks, and the returns to come, that `roots` need, by tape and node.
pub(super) fn ranks(
    plan: &Plan,
    market: &Market,
    options: &EvalOptions,
    roots: &[ExprId],
) -> Vec<Given> {
    let needed = plan.needed(roots.iter().copied(), |_| false);
    let ahead = future::returns(plan, market, options, &needed);
    let is_rank = |id: &ExprId| matches!(plan.op(*id), Op::Rank(_) | Op::ZRank(_));
    let ranks: Vec<ExprId> = needed.into_iter().filter(is_rank).collect();
    let is_plain = ranks.is_empty() && ahead.is_empty();
    if is_plain {
        return vec![Given::new(); market.tapes.len()];
    }
    let mut given: Vec<Given> = vec![vec![None; plan.nodes.len()]; market.tapes.len()];
    for (tape, id, column) in ahead {
        given[tape][id.index()] = Some(column);
    }
    // A rank of a rank needs the inner one of every symbol first.
    let deepest = ranks
        .iter()
        .map(|id| plan.node(*id).ranks)
        .max()
        .unwrap_or(0);
    for level in 1..=deepest {
        let level: Vec<ExprId> = ranks
            .iter()
            .copied()
            .filter(|id| plan.node(*id).ranks == level)
            .collect();
        let inputs: Vec<ExprId> = level.iter().flat_map(|id| plan.op(*id).inputs()).collect();
        let columns: Vec<_> = (0..market.tapes.len())
            .map(|tape| eval::columns(plan, market, tape, options, &inputs, &given[tape]))
            .collect();
        for id in level {
            let inputs = || plan.op(id).inputs();
            let values: Vec<&[f64]> = columns
                .iter()
                .flat_map(|columns| inputs().map(|input| columns.number(input)))
                .collect();
            let placed = across(market, &values, matches!(plan.op(id), Op::Rank(_)));
            for (given, column) in given.iter_mut().zip(placed) {
                given[id.index()] = Some(column);
            }
        }
    }
    given
}

/// Ranks (or z-scores) of every tape's values at each moment of the clock, on the tapes' bars.
fn across(market: &Market, values: &[&[f64]], by_rank: bool) -> Vec<Column> {
    let mut placed: Vec<Vec<f64>> = values.iter().map(|v| vec![f64::NAN; v.len()]).collect();
    let mut bars = vec![0; market.tapes.len()];
    // Value, tape and bar of those that have a value at the moment.
    let mut here: Vec<(f64, usize, usize)> = Vec::with_capacity(values.len());
    for moment in 0..market.clock.len() {
        here.clear();
        for (place, tape) in market.tapes.iter().enumerate() {
            let bar = bars[place];
            let stands = match &tape.on_clock {
                Some(on_clock) => on_clock.get(bar).is_some_and(|c| *c as usize == moment),
                None => true,
            };
            if stands {
                bars[place] += 1;
                let value = values[place].get(bar).copied().unwrap_or(f64::NAN);
                if !value.is_nan() {
                    here.push((value, place, bar));
                }
            }
        }
        let mut put =
            |(_, place, bar): &(f64, usize, usize), value: f64| placed[*place][*bar] = value;
        if by_rank {
            here.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));
            let mut better = 0;
            for equal in here.chunk_by(|a, b| a.0 == b.0) {
                let place = better as f64 + (equal.len() + 1) as f64 / 2.0;
                equal.iter().for_each(|one| put(one, place));
                better += equal.len();
            }
        } else {
            let n = here.len() as f64;
            let mean = here.iter().map(|one| one.0).sum::<f64>() / n;
            let squares = here
                .iter()
                .map(|one| (one.0 - mean) * (one.0 - mean))
                .sum::<f64>();
            let stdev = (squares / n).sqrt();
            for one in &here {
                let z = (one.0 - mean) / stdev;
                put(one, if z.is_finite() { z } else { f64::NAN });
            }
        }
    }
    placed.into_iter().map(Arc::new).collect()
}
