//! What an expression shows of itself to a reader: the indicator calls that stand in it, and what
//! it compares with what. For charts; nothing here decides.

use super::plan::{ExprId, Op};
use super::{Kind, Program};

impl Program {
    /// The outermost indicator calls of `wanted[at]` as they are written, in reading order, with
    /// `@ "1w"` where they have it. Series that it names are not unfolded.
    pub fn calls(&self, at: usize) -> Vec<&str> {
        let record = &self.traces[self.wanted[at].1];
        let mut calls = Vec::new();
        let mut inside: Option<usize> = None;
        for step in &record.steps {
            if inside.is_some_and(|depth| step.depth > depth) {
                continue;
            }
            let is_call = step.expands.is_none() && step.id.is_some_and(|id| self.is_call(id));
            inside = is_call.then_some(step.depth);
            if is_call {
                calls.push(&record.text[step.span.clone()]);
            }
        }
        calls
    }

    fn is_call(&self, id: ExprId) -> bool {
        match self.plan.op(id) {
            Op::Indicator(..) => true,
            Op::Coarse(base, _) => self.is_call(base),
            _ => false,
        }
    }

    /// The pairs of numbers that are compared anywhere in an expression, series unfolded.
    pub fn comparisons(&self, id: ExprId) -> Vec<(ExprId, ExprId)> {
        let below = self.plan.needed([id], |_| false);
        let pairs = below.into_iter().filter_map(|id| match self.plan.op(id) {
            Op::Greater(a, b) | Op::Equal(a, b) => Some((a, b)),
            _ => None,
        });
        pairs
            .filter(|(a, _)| self.kind(*a) == Kind::Number)
            .collect()
    }

    /// The value of an expression that is the same on every bar.
    pub fn constant(&self, id: ExprId) -> Option<f64> {
        match self.plan.op(id) {
            Op::Number(bits) => Some(f64::from_bits(bits)).filter(|value| value.is_finite()),
            _ => None,
        }
    }
}
