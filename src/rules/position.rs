//! Expressions that read the open position, asked bar by bar.
//!
//! Whatever does not depend on the position was computed as a column before; only the spine from
//! the position words up to the expression is walked here.

use super::Columns;
use super::eval::{is_equal, is_greater};
use super::functions::Position;
use super::plan::{ExprId, Kind, Op, Plan, arithmetic, unary};

/// The open position at the close of a bar, in the money of that bar.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Held {
    /// Bars since the entry: this bar - entry bar.
    pub bars_held: u32,
    /// Price of the entry fill.
    pub entry_price: f64,
    /// Open profit in money.
    pub pnl: f64,
    /// Open profit as a fraction of what the entry cost.
    pub pnl_pct: f64,
    /// Largest loss since the entry, a fraction <= 0.
    pub mae: f64,
    /// Largest gain since the entry, a fraction >= 0.
    pub mfe: f64,
}

impl Held {
    fn word(&self, word: Position) -> f64 {
        match word {
            Position::BarsHeld => f64::from(self.bars_held),
            Position::EntryPrice => self.entry_price,
            Position::Pnl => self.pnl,
            Position::PnlPct => self.pnl_pct,
            Position::Mae => self.mae,
            Position::Mfe => self.mfe,
        }
    }
}

/// The nodes next to the spine of `root` that do not read the position: what must be computed as
/// columns. `root` itself when it reads no position.
pub(super) fn beside(plan: &Plan, root: ExprId, into: &mut Vec<ExprId>) {
    if !plan.node(root).position {
        into.push(root);
        return;
    }
    let spine = plan.needed([root], |id| !plan.node(id).position);
    for input in spine.iter().flat_map(|id| plan.op(*id).inputs()) {
        if !plan.node(input).position {
            into.push(input);
        }
    }
}

/// A bar, the open position on it, and the columns of the tape.
pub(super) struct Decision<'a> {
    pub(super) plan: &'a Plan,
    pub(super) columns: &'a Columns,
    pub(super) bar: usize,
    pub(super) held: &'a Held,
}

impl Decision<'_> {
    /// The number, NaN when it is absent.
    pub(super) fn number(&self, id: ExprId) -> f64 {
        let node = self.plan.node(id);
        match node.op {
            Op::Number(bits) => f64::from_bits(bits),
            _ if !node.position => {
                let column = self.columns.number(id);
                column.get(self.bar).copied().unwrap_or(f64::NAN)
            }
            Op::Position(word) => self.held.word(word),
            Op::Unary(f, a) => unary(f, self.number(a)),
            Op::Arithmetic(f, a, b) => arithmetic(f, self.number(a), self.number(b)),
            Op::Choose(c, a, b) => match self.condition(c) {
                Some(true) => self.number(a),
                Some(false) => self.number(b),
                None => f64::NAN,
            },
            // Nothing else may stand above a position word.
            _ => f64::NAN,
        }
    }

    /// The answer; `None` when it is absent.
    pub(super) fn condition(&self, id: ExprId) -> Option<bool> {
        let node = self.plan.node(id);
        match node.op {
            Op::Truth(value) => value,
            _ if !node.position => self.columns.condition(id).get(self.bar),
            Op::Greater(a, b) => is_greater(self.number(a), self.number(b)),
            Op::Equal(a, b) => is_equal(self.number(a), self.number(b)),
            Op::Not(a) => self.condition(a).map(|v| !v),
            Op::And(a, b) => match (self.condition(a), self.condition(b)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Op::Or(a, b) => match (self.condition(a), self.condition(b)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Op::Choose(c, a, b) => match self.condition(c) {
                Some(true) => self.condition(a),
                Some(false) => self.condition(b),
                None => None,
            },
            _ => None,
        }
    }

    /// Whichever the node gives.
    pub(super) fn value(&self, id: ExprId) -> super::Value {
        match self.plan.node(id).kind {
            Kind::Condition => super::Value::of_condition(self.condition(id)),
            _ => super::Value::of_number(self.number(id)),
        }
    }
}
