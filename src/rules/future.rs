//! The one function that looks ahead, and the one place where it may stand: the target that a model
//! is trained on. Rules, series and features are columns of the past, and stay so because this file
//! refuses everything else.

use super::EvalOptions;
use super::check::{Compiler, Scope};
use super::plan::{ExprId, Op, Plan};
use crate::error::Problem;
use crate::market::{Column, Market, seen_splits};
use std::ops::Range;
use std::sync::Arc;

/// The key whose expression may look ahead.
pub const TARGET: &str = "model.target";

/// Reports a return to come anywhere but in a target, or on coarser bars.
pub(super) fn may_stand<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    span: &Range<usize>,
) -> Option<()> {
    let key = scope.request.key;
    let problem = if key != TARGET {
        Problem::new(format!("`forward_return` is the future, which `{key}` must not see"))
            .label("looks ahead")
            .help("it may stand in [model] target alone, written out; `close / close[21] - 1` is the return so far")
    } else if scope.frame != 0 {
        Problem::new("`forward_return` counts the bars of the data")
            .help("write it without `@`: a week of daily bars is `forward_return(5)`")
    } else {
        return Some(());
    };
    compiler.report(&scope.request, problem.at(span.clone()));
    None
}

/// The returns to come among the nodes, by tape and node.
pub(super) fn returns(
    plan: &Plan,
    market: &Market,
    options: &EvalOptions,
    nodes: &[ExprId],
) -> Vec<(usize, ExprId, Column)> {
    let mut found = Vec::new();
    for id in nodes {
        let Op::Forward(n) = plan.op(*id) else {
            continue;
        };
        for tape in 0..market.tapes.len() {
            let column = returns_of(market, tape, n as usize, options.total_return);
            found.push((tape, *id, Arc::new(column)));
        }
    }
    found
}

/// Return from each close to the one `n` bars later, with what splits (and dividends) took out of
/// the later price put back; NaN on the last `n` bars.
fn returns_of(market: &Market, tape: usize, n: usize, total_return: bool) -> Vec<f64> {
    let close = &market.tapes[tape].bars.close;
    let mut wealth = close.to_vec();
    // Grown forward from the first bar, so that a later event changes nothing before it.
    let mut factor = 1.0;
    let mut events = seen_splits(market, tape, total_return)
        .into_iter()
        .peekable();
    for (bar, wealth) in wealth.iter_mut().enumerate() {
        while let Some((_, step)) = events.next_if(|(at, _)| *at <= bar) {
            factor *= step;
        }
        *wealth *= factor;
    }
    let ahead = |bar: usize| match wealth.get(bar + n) {
        Some(later) => later / wealth[bar] - 1.0,
        None => f64::NAN,
    };
    (0..wealth.len()).map(ahead).collect()
}
