//! Expressions at a few bars instead of all: prices, lags, arithmetic, comparisons and the calendar.
//!
//! A selection that decides once a month reads its score on one bar of twenty. What looks at a whole
//! window (an indicator), at other symbols or at a coarser frame is left to [`super::eval`].

use super::Program;
use super::eval::{is_equal, is_greater, reading};
use super::functions::Clock;
use super::plan::{Base, ExprId, Op, Plan, Source, arithmetic, unary};
use crate::market::{Bars, Market};
use std::collections::BTreeMap;

impl Program {
    /// Whether [`Program::at_bars`] can tell these expressions for a market: they are made of
    /// prices, lags, arithmetic, comparisons and calendar words, every symbol has a bar at every
    /// moment, and no corporate action changes how history looks.
    pub fn is_told_by_spots(&self, market: &Market, ids: &[ExprId]) -> bool {
        let whole = market.tapes.iter().all(|tape| tape.on_clock.is_none());
        whole && market.actions.is_empty() && ids.iter().all(|id| is_spot(&self.plan, *id))
    }

    /// Whether an expression reads prices: else it is the same for all tapes of one clock.
    pub fn reads_prices(&self, id: ExprId) -> bool {
        let op = self.plan.op(id);
        matches!(op, Op::Column(_)) || op.inputs().any(|input| self.reads_prices(input))
    }

    /// An expression at some bars of the clock, for each of `tapes` in turn: a number, or 1 and 0 for
    /// a condition; NaN where it is absent. The values are those of [`Program::evaluate`].
    pub fn at_bars(
        &self,
        market: &Market,
        id: ExprId,
        bars: &[usize],
        tapes: &[usize],
        mut put: impl FnMut(usize, &[f64]),
    ) {
        let mut spots = Spots {
            program: self,
            bars,
            known: BTreeMap::new(),
        };
        let span = bars.last().map_or(0, |last| last + 1 - bars[0]);
        let is_dense = self.reads_prices(id) && span <= BARS_APART_MAX * bars.len();
        for (place, &tape) in tapes.iter().enumerate() {
            let bars = &market.tapes[tape].bars;
            if is_dense {
                fetch(&bars.close);
            }
            put(place, &spots.values(bars, id, 0));
        }
    }
}

/// Bars between two that are read, up to which [`fetch`] pays.
const BARS_APART_MAX: usize = 32;

/// Looks at a column once from end to end, one number a cache line. The processor sees such a walk
/// coming and has the next lines ready; months are not evenly long, and so it does not see the bars
/// coming that are read afterwards.
fn fetch(column: &[f64]) {
    const LINE: usize = 8;
    let bits = column.iter().step_by(LINE).map(|x| x.to_bits());
    std::hint::black_box(bits.fold(0, |all, bits| all | bits));
}

fn is_spot(plan: &Plan, id: ExprId) -> bool {
    let node = plan.node(id);
    let itself = match node.op {
        Op::Number(_) | Op::Truth(_) | Op::Unary(..) | Op::Arithmetic(..) | Op::Greater(..) => true,
        Op::Equal(..) | Op::Not(_) | Op::And(..) | Op::Or(..) | Op::Choose(..) | Op::Lag(..) => {
            true
        }
        Op::Column(Source::Seen(base) | Source::Traded(base)) => base != Base::Volume,
        Op::Clock(clock) => !matches!(clock, Clock::MonthEnd | Clock::MonthStart),
        _ => false,
    };
    itself && node.frame == 0 && node.op.inputs().all(|input| is_spot(plan, input))
}

/// Nodes at some bars.
struct Spots<'a> {
    program: &'a Program,
    bars: &'a [usize],
    /// Nodes that read no prices are the same for every tape of one clock.
    known: BTreeMap<(ExprId, usize), Vec<f64>>,
}

impl Spots<'_> {
    /// A node `lag` bars before each of the bars.
    fn values(&mut self, tape: &Bars, id: ExprId, lag: usize) -> Vec<f64> {
        if self.program.reads_prices(id) {
            return self.computed(tape, id, lag);
        }
        if let Some(known) = self.known.get(&(id, lag)) {
            return known.clone();
        }
        let values = self.computed(tape, id, lag);
        self.known.insert((id, lag), values.clone());
        values
    }

    fn computed(&mut self, tape: &Bars, id: ExprId, lag: usize) -> Vec<f64> {
        let at = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let then = |bar: &usize| bar.checked_sub(lag).map_or(f64::NAN, value);
            self.bars.iter().map(then).collect()
        };
        let truth = |answer: Option<bool>| answer.map_or(f64::NAN, |yes| f64::from(u8::from(yes)));
        match self.program.plan.op(id) {
            Op::Number(bits) => at(&|_| f64::from_bits(bits)),
            Op::Truth(value) => at(&|_| truth(value)),
            Op::Column(Source::Seen(base) | Source::Traded(base)) => {
                let column = match base {
                    Base::Open => &tape.open,
                    Base::High => &tape.high,
                    Base::Low => &tape.low,
                    Base::Close | Base::Volume => &tape.close,
                };
                let then = |bar: &usize| bar.checked_sub(lag).map_or(f64::NAN, |b| column[b]);
                self.bars.iter().map(then).collect()
            }
            Op::Clock(clock) => at(&|bar| reading(clock, tape.time[bar])),
            Op::Lag(a, n) => self.values(tape, a, lag + n as usize),
            Op::Unary(f, a) => self.each(tape, a, lag, |a| unary(f, a)),
            Op::Not(a) => self.each(tape, a, lag, |a| 1.0 - a),
            Op::Arithmetic(f, a, b) => self.pairs(tape, (a, b), lag, |a, b| arithmetic(f, a, b)),
            Op::Greater(a, b) => self.pairs(tape, (a, b), lag, |a, b| truth(is_greater(a, b))),
            Op::Equal(a, b) => self.pairs(tape, (a, b), lag, |a, b| truth(is_equal(a, b))),
            // Three values: a no settles `and`, a yes settles `or`, whatever the other is.
            Op::And(a, b) => self.pairs(tape, (a, b), lag, |a, b| match (a, b) {
                (0.0, _) | (_, 0.0) => 0.0,
                _ => a * b,
            }),
            Op::Or(a, b) => self.pairs(tape, (a, b), lag, |a, b| match (a, b) {
                (1.0, _) | (_, 1.0) => 1.0,
                _ => a + b,
            }),
            Op::Choose(c, a, b) => {
                let (c, a) = (self.values(tape, c, lag), self.values(tape, a, lag));
                let b = self.values(tape, b, lag);
                let pick = |k: usize| match c[k] {
                    1.0 => a[k],
                    0.0 => b[k],
                    _ => f64::NAN,
                };
                (0..self.bars.len()).map(pick).collect()
            }
            _ => vec![f64::NAN; self.bars.len()],
        }
    }

    fn each(&mut self, tape: &Bars, a: ExprId, lag: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut values = self.values(tape, a, lag);
        values.iter_mut().for_each(|a| *a = f(*a));
        values
    }

    fn pairs(
        &mut self,
        tape: &Bars,
        (a, b): (ExprId, ExprId),
        lag: usize,
        f: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let mut values = self.values(tape, a, lag);
        let others = self.values(tape, b, lag);
        for (a, b) in values.iter_mut().zip(&others) {
            *a = f(*a, *b);
        }
        values
    }
}
