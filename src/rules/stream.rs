//! Columns that are computed a piece at a time, so that those of a long tape are never whole in memory.
//!
//! An indicator that forgets ([`Indicator::memory`]) gives the same bits from a piece of its inputs
//! that begins early enough as from all of them. What is compared while a piece lies in the cache
//! costs no room for a million bars a value. [`super::bits`] asks for the pieces.

use super::EvalOptions;
use super::plan::{Base, ExprId, Op, Plan, Source};
use crate::indicators::{Indicator, Inputs};
use crate::market::{Bars, Column};
use std::ops::Range;
use std::sync::Arc;

/// Shorter tapes are kept whole: their columns stay in the cache.
const BARS_MIN: usize = 32_768;
/// Longest memory of which a piece can afford to bring twice as much along.
const MEMORY_MAX: usize = 1_024;

/// A column that is computed piece by piece.
#[derive(Clone)]
pub(super) struct Stream {
    row: &'static Indicator,
    args: Vec<f64>,
    memory: usize,
    /// Series argument, open, high, low, close.
    columns: [Column; 5],
    periods_a_year: f64,
}

/// A piece of a column: its first bar, and the values from there on.
#[derive(Default)]
pub(super) struct Window {
    pub(super) first: usize,
    pub(super) values: Vec<f64>,
}

impl Stream {
    /// The node as a stream; `None` when it has to be computed whole. The prices of `bars` must look
    /// the same from every later bar.
    pub(super) fn of(plan: &Plan, id: ExprId, bars: &Bars, options: &EvalOptions) -> Option<Self> {
        let Op::Indicator(call, x) = plan.op(id) else {
            return None;
        };
        let call = &plan.calls[call as usize];
        let memory = (call.row.memory)(&call.args).filter(|bars| *bars <= MEMORY_MAX)?;
        if bars.len() < BARS_MIN || plan.node(id).frame != 0 || call.row.needs_volume {
            return None;
        }
        let x = match x.map(|x| plan.op(x)) {
            None => &bars.close,
            Some(Op::Column(Source::Seen(base) | Source::Traded(base))) => match base {
                Base::Open => &bars.open,
                Base::High => &bars.high,
                Base::Low => &bars.low,
                Base::Close => &bars.close,
                Base::Volume => return None,
            },
            _ => return None,
        };
        let columns = [x, &bars.open, &bars.high, &bars.low, &bars.close].map(Arc::clone);
        Some(Stream {
            row: call.row,
            args: call.args.clone(),
            memory,
            columns,
            periods_a_year: options.periods_a_year,
        })
    }

    /// A piece that holds `bars`.
    pub(super) fn window(&self, bars: Range<usize>) -> Window {
        let block = bars.start / self.memory * self.memory;
        let first = block.saturating_sub(self.memory);
        let [x, open, high, low, close] = self.columns.each_ref().map(|c| &c[first..bars.end]);
        let inputs = Inputs {
            x,
            open,
            high,
            low,
            close,
            volume: &[],
            periods_a_year: self.periods_a_year,
        };
        Window {
            first,
            values: self.row.run(&inputs, &self.args),
        }
    }
}
