//! The plan of a program: every distinct sub-expression once, inputs before what uses them.
//!
//! [`Plan::add`] folds constants and gives equal sub-expressions one node, so that a column is
//! computed once however often it is written. What a node's column holds is [`super::eval`]'s
//! business, reading text into nodes [`super::check`]'s.

use super::functions::{Clock, Position};
use crate::indicators::Indicator;
use crate::market::Interval;
use std::collections::HashMap;

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number a bar.
    Number,
    /// Yes, no or absent a bar.
    Condition,
    /// Either; only in [`super::Request::expects`].
    Any,
}

/// A sub-expression of a [`super::Program`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub(super) u32);

impl ExprId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column of bars that splits scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Base {
    Open,
    High,
    Low,
    Close,
    Volume,
}

impl Base {
    pub(super) const ALL: [Base; 5] =
        [Base::Open, Base::High, Base::Low, Base::Close, Base::Volume];

    pub(super) fn name(self) -> &'static str {
        match self {
            Base::Open => "open",
            Base::High => "high",
            Base::Low => "low",
            Base::Close => "close",
            Base::Volume => "volume",
        }
    }
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// As it looks from the deciding close.
    Seen(Base),
    /// As traded (`raw_close`).
    Traded(Base),
    /// A further column of the data, by its place in [`Plan::extras`].
    Extra(u32),
}

/// Functions of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Unary {
    Negate,
    Abs,
    Log,
    Exp,
    Sqrt,
}

/// Functions of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Min,
    Max,
}

/// What a node computes. Inputs are nodes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// The bits of a constant number; NaN is a constant without a value.
    Number(u64),
    /// A constant condition.
    Truth(Option<bool>),
    Column(Source),
    /// Another symbol's column, by its place in [`Plan::symbols`].
    Foreign(u32, Source),
    Position(Position),
    Clock(Clock),
    /// The bits of the seed.
    Random(u64),
    /// The return over that many bars to come; only a model's target may hold one.
    Forward(u32),
    Unary(Unary, ExprId),
    Arithmetic(Arithmetic, ExprId, ExprId),
    Greater(ExprId, ExprId),
    Equal(ExprId, ExprId),
    Not(ExprId),
    And(ExprId, ExprId),
    Or(ExprId, ExprId),
    /// Condition, then, otherwise.
    Choose(ExprId, ExprId, ExprId),
    Lag(ExprId, u32),
    BarsSince(ExprId),
    CountOfLast(ExprId, u32),
    AllOfLast(ExprId, u32),
    /// By its place in [`Plan::calls`], with its series.
    Indicator(u32, Option<ExprId>),
    Rank(ExprId),
    ZRank(ExprId),
    /// A node on the bars of a coarser frame, as of its last completed bar.
    Coarse(ExprId, u8),
    /// What stands in another plan, by its place in a family's cuts; see [`super::family`].
    Part(u32),
}

impl Op {
    /// The nodes it reads.
    pub(super) fn inputs(self) -> impl Iterator<Item = ExprId> {
        let three = match self {
            Op::Number(_)
            | Op::Truth(_)
            | Op::Column(_)
            | Op::Foreign(..)
            | Op::Position(_)
            | Op::Clock(_)
            | Op::Random(_)
            | Op::Forward(_)
            | Op::Part(_) => [None; 3],
            Op::Unary(_, a)
            | Op::Not(a)
            | Op::Lag(a, _)
            | Op::BarsSince(a)
            | Op::CountOfLast(a, _)
            | Op::AllOfLast(a, _)
            | Op::Rank(a)
            | Op::ZRank(a)
            | Op::Coarse(a, _) => [Some(a), None, None],
            Op::Indicator(_, x) => [x, None, None],
            Op::Arithmetic(_, a, b)
            | Op::Greater(a, b)
            | Op::Equal(a, b)
            | Op::And(a, b)
            | Op::Or(a, b) => [Some(a), Some(b), None],
            Op::Choose(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        three.into_iter().flatten()
    }
}

/// A call of an indicator with its constants.
pub(super) struct Call {
    pub(super) row: &'static Indicator,
    pub(super) args: Vec<f64>,
}

/// A node and what is known of it before any bar is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) kind: Kind,
    /// The bars it stands on: 0 the tape's own, else 1 + place in [`Plan::intervals`].
    pub(super) frame: u8,
    /// Reads the open position.
    pub(super) position: bool,
    /// Reads other symbols.
    pub(super) crosses: bool,
    /// Bars of its frame before the first value on a column without gaps.
    pub(super) warmup: usize,
    /// Number of `rank` below and at it: a rank needs every symbol's input first.
    pub(super) ranks: u32,
}

/// All nodes of a program.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) calls: Vec<Call>,
    pub(super) extras: Vec<String>,
    pub(super) symbols: Vec<String>,
    pub(super) intervals: Vec<Interval>,
    /// What [`Op::Part`] gives, by its place.
    parts: Vec<Kind>,
    /// Bars of the data in a session, for estimates of warm-up.
    pub(super) bars_a_session: f64,
    known: HashMap<(Op, u8), ExprId>,
}

impl Plan {
    /// An empty plan for data with that many bars in a session.
    pub(super) fn for_sessions_of(bars_a_session: f64) -> Self {
        Plan {
            bars_a_session,
            ..Plan::default()
        }
    }

    pub(super) fn node(&self, id: ExprId) -> &Node {
        &self.nodes[id.index()]
    }

    pub(super) fn op(&self, id: ExprId) -> Op {
        self.nodes[id.index()].op
    }

    /// The node that compares the same two numbers the other way round, if there is one.
    pub(super) fn mirrored(&self, id: ExprId) -> Option<ExprId> {
        let node = self.node(id);
        match node.op {
            Op::Greater(a, b) => self.known.get(&(Op::Greater(b, a), node.frame)).copied(),
            _ => None,
        }
    }

    /// The constant that a node is, if it is one; NaN when it never has a value.
    pub(super) fn constant(&self, id: ExprId) -> Option<f64> {
        match self.op(id) {
            Op::Number(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// A constant number; not finite is "no value".
    pub(super) fn number(&mut self, value: f64) -> ExprId {
        let value = if value.is_finite() {
            value + 0.0
        } else {
            f64::NAN
        };
        self.intern(Op::Number(value.to_bits()), 0)
    }

    /// A node for `op` on the bars of `frame`, simplified.
    pub(super) fn add(&mut self, op: Op, frame: u8) -> ExprId {
        match self.fold_number(op).or_else(|| self.fold_condition(op)) {
            Some(id) => id,
            None => self.intern(op, frame),
        }
    }

    /// Numbers whose inputs are constants, and `[n]` that says nothing.
    fn fold_number(&mut self, op: Op) -> Option<ExprId> {
        match op {
            Op::Unary(f, a) => {
                let a = self.constant(a)?;
                Some(self.number(unary(f, a)))
            }
            Op::Arithmetic(f, a, b) => {
                let (a, b) = (self.constant(a)?, self.constant(b)?);
                Some(self.number(arithmetic(f, a, b)))
            }
            Op::Lag(a, n) => match self.op(a) {
                _ if n == 0 => Some(a),
                Op::Lag(inner, m) => {
                    let frame = self.node(a).frame;
                    Some(self.intern(Op::Lag(inner, m.saturating_add(n)), frame))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Conditions that constants decide.
    fn fold_condition(&mut self, op: Op) -> Option<ExprId> {
        match op {
            Op::Greater(a, b) | Op::Equal(a, b) => {
                let (x, y) = (self.constant(a)?, self.constant(b)?);
                let holds = if matches!(op, Op::Greater(..)) {
                    x > y
                } else {
                    x == y
                };
                let known = !x.is_nan() && !y.is_nan();
                Some(self.truth(known.then_some(holds)))
            }
            Op::Not(a) => match self.op(a) {
                Op::Not(inner) => Some(inner),
                Op::Truth(value) => Some(self.truth(value.map(|v| !v))),
                _ => None,
            },
            Op::And(a, b) | Op::Or(a, b) => {
                let neutral = Op::Truth(Some(matches!(op, Op::And(..))));
                let decides = Op::Truth(Some(matches!(op, Op::Or(..))));
                if a == b || self.op(a) == neutral || self.op(b) == decides {
                    Some(b)
                } else if self.op(b) == neutral || self.op(a) == decides {
                    Some(a)
                } else {
                    None
                }
            }
            Op::Choose(c, a, b) => match self.op(c) {
                Op::Truth(Some(true)) => Some(a),
                Op::Truth(Some(false)) => Some(b),
                _ => None,
            },
            _ => None,
        }
    }

    /// The node of a part that is computed elsewhere.
    pub(super) fn add_part(&mut self, place: u32, kind: Kind) -> ExprId {
        let place_of = place as usize;
        if self.parts.len() <= place_of {
            self.parts.resize(place_of + 1, kind);
        }
        self.parts[place_of] = kind;
        self.intern(Op::Part(place), 0)
    }

    /// A constant condition.
    pub(super) fn truth(&mut self, value: Option<bool>) -> ExprId {
        self.intern(Op::Truth(value), 0)
    }

    /// The node that is `op`, made if there is none yet.
    fn intern(&mut self, op: Op, frame: u8) -> ExprId {
        if let Some(id) = self.known.get(&(op, frame)) {
            return *id;
        }
        let id = ExprId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let node = self.describe(op, frame);
        self.nodes.push(node);
        self.known.insert((op, frame), id);
        id
    }

    fn describe(&self, op: Op, frame: u8) -> Node {
        let inputs = || op.inputs().map(|id| self.node(id));
        let ranks = inputs().map(|n| n.ranks).max().unwrap_or(0);
        Node {
            op,
            frame,
            kind: self.kind_of(op),
            position: matches!(op, Op::Position(_)) || inputs().any(|n| n.position),
            crosses: matches!(op, Op::Foreign(..) | Op::Rank(_) | Op::ZRank(_))
                || inputs().any(|n| n.crosses),
            warmup: self.warmup_of(op),
            ranks: ranks + u32::from(matches!(op, Op::Rank(_) | Op::ZRank(_))),
        }
    }

    fn kind_of(&self, op: Op) -> Kind {
        match op {
            Op::Truth(_)
            | Op::Clock(Clock::MonthEnd | Clock::MonthStart)
            | Op::Greater(..)
            | Op::Equal(..)
            | Op::Not(_)
            | Op::And(..)
            | Op::Or(..)
            | Op::AllOfLast(..) => Kind::Condition,
            Op::Choose(_, a, _) | Op::Lag(a, _) | Op::Coarse(a, _) => self.node(a).kind,
            Op::Part(place) => self.parts[place as usize],
            _ => Kind::Number,
        }
    }

    fn warmup_of(&self, op: Op) -> usize {
        let below = op
            .inputs()
            .map(|id| self.node(id).warmup)
            .max()
            .unwrap_or(0);
        let own = match op {
            Op::Lag(_, n) => n as usize,
            Op::CountOfLast(_, n) | Op::AllOfLast(_, n) => n as usize - 1,
            Op::Indicator(call, _) => {
                let call = &self.calls[call as usize];
                (call.row.warmup)(&call.args)
            }
            Op::Coarse(_, frame) => return self.fine_bars(frame, below.saturating_add(1)),
            _ => 0,
        };
        below.saturating_add(own)
    }

    /// About how many bars of the data `bars` bars of a frame are.
    fn fine_bars(&self, frame: u8, bars: usize) -> usize {
        let Some(place) = usize::from(frame).checked_sub(1) else {
            return bars;
        };
        let sessions = match self.intervals[place] {
            Interval::Minutes(minutes) => f64::from(minutes) / 390.0,
            Interval::Day => 1.0,
            Interval::Week => 5.0,
            Interval::Month => 21.0,
        };
        let each = (sessions * self.bars_a_session).max(1.0);
        // A float that is too large becomes the largest integer.
        (bars as f64 * each).ceil() as usize
    }

    /// `roots` and everything below them that `given` does not hold, inputs first. Stops at
    /// nodes of which `given` says true.
    pub(super) fn needed(
        &self,
        roots: impl IntoIterator<Item = ExprId>,
        given: impl Fn(ExprId) -> bool,
    ) -> Vec<ExprId> {
        let mut wanted = vec![false; self.nodes.len()];
        for root in roots {
            wanted[root.index()] = true;
        }
        for at in (0..self.nodes.len()).rev() {
            if wanted[at] && !given(ExprId(at as u32)) {
                for input in self.nodes[at].op.inputs() {
                    wanted[input.index()] = true;
                }
            }
        }
        let ids = (0..self.nodes.len()).map(|at| ExprId(at as u32));
        ids.filter(|id| wanted[id.index()] && !given(*id)).collect()
    }
}

/// No value instead of an infinite one.
#[inline(always)]
pub(super) fn finite(x: f64) -> f64 {
    // x * 0 is 0 for a finite number and NaN for the others.
    x + x * 0.0
}

/// A function of one number; NaN where it has no value.
#[inline(always)]
pub(super) fn unary(f: Unary, a: f64) -> f64 {
    match f {
        Unary::Negate => -a,
        Unary::Abs => a.abs(),
        Unary::Log => finite(libm::log(a)),
        Unary::Exp => finite(libm::exp(a)),
        Unary::Sqrt => a.sqrt(),
    }
}

/// A function of two numbers; NaN where it has no value.
#[inline(always)]
pub(super) fn arithmetic(f: Arithmetic, a: f64, b: f64) -> f64 {
    match f {
        Arithmetic::Add => finite(a + b),
        Arithmetic::Subtract => finite(a - b),
        Arithmetic::Multiply => finite(a * b),
        Arithmetic::Divide => finite(a / b),
        // NaN on either side must win, which neither `f64::min` nor a bare comparison does.
        Arithmetic::Min => (if a < b { a } else { b }) + a * 0.0 + b * 0.0,
        Arithmetic::Max => (if a > b { a } else { b }) + a * 0.0 + b * 0.0,
    }
}
