//! Nodes to columns, one pass over the bars a node, each column freed after its last use.
//!
//! Free functions over slices; a missing number is NaN, a missing answer neither yes nor no.
//! [`super::seen`] gives the columns that everything starts from.

use super::functions::Clock;
use super::plan::{Arithmetic, Base, ExprId, Kind, Op, Plan, Unary, arithmetic, unary};
use super::seen::{History, View};
use super::{Columns, EvalOptions, Mask};
use crate::indicators::Inputs;
use crate::market::{Column, Market, date_of, time_of_day};
use crate::units::Micros;
use chrono::Datelike;
use std::borrow::Cow;
use std::sync::Arc;

/// What a node is worth on all bars of its frame.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// At least as many numbers as the frame has bars.
    Number(Column),
    /// As many answers as the frame has bars.
    Condition(Mask),
    /// The same number on every bar.
    Level(f64),
    /// The same answer on every bar.
    Truth(Option<bool>),
}

/// Columns that were computed before, on the tape's own bars, by node.
pub(super) type Given = Vec<Option<Column>>;

/// A tape's columns for the nodes `keep`, which stand on its own bars.
pub(super) fn columns(
    plan: &Plan,
    market: &Market,
    tape: usize,
    options: &EvalOptions,
    keep: &[ExprId],
    given: &Given,
) -> Columns {
    let order = plan.needed(keep.iter().copied(), |id| given_column(given, id).is_some());
    let history = History::new(plan, market, tape, options, &order);
    let len = history.tape.bars.len();
    let mut kept: Vec<Option<Data>> = vec![None; plan.nodes.len()];
    let segments = history.segments();
    let mut from = 0;
    for end in &segments {
        let seen = run(plan, history.view(*end), &order, keep, given);
        for id in keep {
            let Some(data) = &seen[id.index()] else {
                continue;
            };
            let slot = &mut kept[id.index()];
            if segments.len() == 1 {
                *slot = Some(whole(data, len));
            } else {
                let into = slot.take().unwrap_or_else(|| blank(data, len));
                *slot = Some(merged(into, data, from, *end));
            }
        }
        from = *end;
    }
    Columns { len, slots: kept }
}

/// The same, as it looks from the end of each stretch that looks back at one scale: the ends, and
/// the nodes over all bars before.
pub(super) fn stretches(
    plan: &Plan,
    market: &Market,
    tape: usize,
    options: &EvalOptions,
    keep: &[ExprId],
    given: &Given,
) -> Vec<(usize, Vec<Option<Data>>)> {
    let order = plan.needed(keep.iter().copied(), |id| given_column(given, id).is_some());
    let history = History::new(plan, market, tape, options, &order);
    let segments = history.segments().into_iter();
    let seen = |end| (end, run(plan, history.view(end), &order, keep, given));
    segments.map(seen).collect()
}

fn given_column(given: &Given, id: ExprId) -> Option<&Column> {
    given.get(id.index())?.as_ref()
}

/// Constants written out for every bar.
fn whole(data: &Data, len: usize) -> Data {
    match data {
        Data::Level(value) => Data::Number(Arc::new(vec![*value; len])),
        Data::Truth(value) => Data::Condition(Mask::constant(len, *value)),
        data => data.clone(),
    }
}

/// No value on any bar.
pub(super) fn blank(data: &Data, len: usize) -> Data {
    match data {
        Data::Number(_) | Data::Level(_) => Data::Number(Arc::new(vec![f64::NAN; len])),
        Data::Condition(_) | Data::Truth(_) => Data::Condition(Mask::absent(len)),
    }
}

/// `into` with the bars `from..end` of `data`.
pub(super) fn merged(into: Data, data: &Data, from: usize, end: usize) -> Data {
    match (into, data) {
        (Data::Number(mut column), Data::Number(part)) => {
            Arc::make_mut(&mut column)[from..end].copy_from_slice(&part[from..end]);
            Data::Number(column)
        }
        (Data::Number(mut column), Data::Level(value)) => {
            Arc::make_mut(&mut column)[from..end].fill(*value);
            Data::Number(column)
        }
        (Data::Condition(mut mask), Data::Condition(part)) => {
            mask.copy_range(part, from, end);
            Data::Condition(mask)
        }
        (Data::Condition(mut mask), Data::Truth(value)) => {
            mask.copy_range(&Mask::constant(end, *value), from, end);
            Data::Condition(mask)
        }
        (into, _) => into,
    }
}

/// All nodes of `order` as seen from a view; only those of `keep` are still there at the end.
pub(super) fn run(
    plan: &Plan,
    mut view: View<'_>,
    order: &[ExprId],
    keep: &[ExprId],
    given: &Given,
) -> Vec<Option<Data>> {
    let mut uses = vec![0_u32; plan.nodes.len()];
    for id in keep {
        uses[id.index()] += 1;
    }
    for input in order.iter().flat_map(|id| plan.op(*id).inputs()) {
        uses[input.index()] += 1;
    }
    let mut slots: Vec<Option<Data>> = vec![None; plan.nodes.len()];
    for (slot, column) in slots.iter_mut().zip(given) {
        *slot = column.clone().map(Data::Number);
    }
    for id in order {
        // A comparison may have come with its mirror image.
        if slots[id.index()].is_none() {
            let bench = Bench {
                plan,
                slots: &slots,
                len: view.len(plan.node(*id).frame),
            };
            let mirrored = plan.mirrored(*id).filter(|other| uses[other.index()] > 0);
            match mirrored.and_then(|other| Some((other, bench.both_ways(*id)?))) {
                Some((other, [this, that])) => {
                    slots[id.index()] = Some(this);
                    slots[other.index()] = Some(that);
                }
                None => slots[id.index()] = Some(bench.compute(*id, &mut view)),
            }
        }
        for input in plan.op(*id).inputs() {
            uses[input.index()] -= 1;
            if uses[input.index()] == 0 {
                slots[input.index()] = None;
            }
        }
    }
    slots
}

/// What one node is computed from.
struct Bench<'a> {
    plan: &'a Plan,
    slots: &'a [Option<Data>],
    /// Bars of the node's frame.
    len: usize,
}

/// A number a bar, or one for all.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a> {
    Level(f64),
    Column(&'a [f64]),
}

impl<'a> Bench<'a> {
    fn number(&self, id: ExprId) -> Operand<'a> {
        match &self.slots[id.index()] {
            Some(Data::Number(column)) => Operand::Column(&column[..self.len]),
            Some(Data::Level(value)) => Operand::Level(*value),
            _ => Operand::Level(f64::NAN),
        }
    }

    /// A number written out for every bar.
    fn series(&self, id: ExprId) -> Cow<'a, [f64]> {
        match self.number(id) {
            Operand::Column(column) => Cow::Borrowed(column),
            Operand::Level(value) => Cow::Owned(vec![value; self.len]),
        }
    }

    fn mask(&self, id: ExprId) -> Cow<'a, Mask> {
        match &self.slots[id.index()] {
            Some(Data::Condition(mask)) => Cow::Borrowed(mask),
            Some(Data::Truth(value)) => Cow::Owned(Mask::constant(self.len, *value)),
            _ => Cow::Owned(Mask::absent(self.len)),
        }
    }

    fn compute(&self, id: ExprId, view: &mut View<'_>) -> Data {
        let node = self.plan.node(id);
        let frame = node.frame;
        let number = |values: Vec<f64>| Data::Number(Arc::new(values));
        match node.op {
            Op::Number(bits) => Data::Level(f64::from_bits(bits)),
            Op::Truth(value) => Data::Truth(value),
            Op::Column(source) => Data::Number(view.column(frame, source)),
            Op::Foreign(symbol, source) => Data::Number(view.foreign(frame, symbol, source)),
            Op::Clock(clock) => self.clock(clock, frame, view),
            Op::Random(seed) => number(view.random(frame, seed)),
            Op::Unary(f, a) => number(each(f, self.number(a), self.len)),
            Op::Arithmetic(f, a, b) => number(pairs(f, self.number(a), self.number(b), self.len)),
            Op::Greater(a, b) => Data::Condition(greater(self.number(a), self.number(b), self.len)),
            Op::Equal(a, b) => Data::Condition(equal(self.number(a), self.number(b), self.len)),
            Op::Not(a) => Data::Condition(self.mask(a).negated()),
            Op::And(a, b) => Data::Condition(self.mask(a).and(&self.mask(b))),
            Op::Or(a, b) => Data::Condition(self.mask(a).or(&self.mask(b))),
            Op::Choose(c, a, b) => self.choose(c, a, b),
            Op::Lag(a, n) => self.lag(a, n as usize),
            Op::BarsSince(c) => number(self.mask(c).bars_since()),
            Op::CountOfLast(c, n) => number(self.mask(c).count_of_last(n as usize)),
            Op::AllOfLast(c, n) => Data::Condition(self.mask(c).all_of_last(n as usize)),
            Op::Indicator(call, x) => number(self.indicator(call, x, frame, view)),
            Op::Coarse(inner, frame) => self.spread(inner, frame, view),
            // A rank is given, what reads a position is asked bar by bar, and a part stands in
            // another plan.
            // So is a return to come.
            Op::Rank(_) | Op::ZRank(_) | Op::Position(_) | Op::Part(_) | Op::Forward(_) => {
                Data::Level(f64::NAN)
            }
        }
    }

    /// `a > b` and `b > a` of two columns; `None` for anything else.
    fn both_ways(&self, id: ExprId) -> Option<[Data; 2]> {
        let Op::Greater(a, b) = self.plan.op(id) else {
            return None;
        };
        match (self.number(a), self.number(b)) {
            (Operand::Column(a), Operand::Column(b)) => {
                Some(Mask::greater_both_ways(a, b).map(Data::Condition))
            }
            _ => None,
        }
    }

    fn clock(&self, clock: Clock, frame: u8, view: &View<'_>) -> Data {
        if matches!(clock, Clock::MonthEnd | Clock::MonthStart) {
            let edges = view.month_edges(frame, clock == Clock::MonthEnd);
            return Data::Condition(Mask::from_fn(self.len, |i| Some(edges[i])));
        }
        let times = view.time(frame).iter();
        Data::Number(Arc::new(times.map(|time| reading(clock, *time)).collect()))
    }

    fn choose(&self, c: ExprId, a: ExprId, b: ExprId) -> Data {
        let condition = self.mask(c);
        if self.plan.node(a).kind == Kind::Condition {
            return Data::Condition(condition.choose(&self.mask(a), &self.mask(b)));
        }
        let (a, b) = (self.series(a), self.series(b));
        let pick = |i: usize| match condition.get(i) {
            Some(true) => a[i],
            Some(false) => b[i],
            None => f64::NAN,
        };
        Data::Number(Arc::new((0..self.len).map(pick).collect()))
    }

    fn lag(&self, a: ExprId, n: usize) -> Data {
        if self.plan.node(a).kind == Kind::Condition {
            return Data::Condition(self.mask(a).lagged(n));
        }
        let values = self.series(a);
        let n = n.min(self.len);
        let mut moved = vec![f64::NAN; n];
        moved.extend_from_slice(&values[..self.len - n]);
        Data::Number(Arc::new(moved))
    }

    fn indicator(&self, call: u32, x: Option<ExprId>, frame: u8, view: &mut View<'_>) -> Vec<f64> {
        let call = &self.plan.calls[call as usize];
        let [open, high, low, close] =
            [Base::Open, Base::High, Base::Low, Base::Close].map(|base| view.base(frame, base));
        let volume = call
            .row
            .needs_volume
            .then(|| view.base(frame, Base::Volume));
        let x = match x {
            Some(x) => self.series(x),
            None => Cow::Borrowed(&close[..self.len]),
        };
        let inputs = Inputs {
            x: &x,
            open: &open[..self.len],
            high: &high[..self.len],
            low: &low[..self.len],
            close: &close[..self.len],
            volume: volume.as_ref().map_or(&[], |v| &v[..self.len]),
            periods_a_year: view.periods_a_year(frame),
        };
        call.row.run(&inputs, &call.args)
    }

    /// A coarse node on the tape's own bars: its value at the last completed coarse bar.
    fn spread(&self, inner: ExprId, frame: u8, view: &View<'_>) -> Data {
        let places = view.completed(frame);
        let numbers = |value: &dyn Fn(usize) -> f64| {
            let value = |place: &Option<u32>| place.map_or(f64::NAN, |at| value(at as usize));
            Data::Number(Arc::new(places.iter().map(value).collect()))
        };
        let answers = |answer: &dyn Fn(usize) -> Option<bool>| {
            let answer = |bar: usize| places[bar].and_then(|at| answer(at as usize));
            Data::Condition(Mask::from_fn(self.len, answer))
        };
        match &self.slots[inner.index()] {
            Some(Data::Number(column)) => numbers(&|at| column[at]),
            Some(Data::Level(value)) => numbers(&|_| *value),
            Some(Data::Condition(mask)) => answers(&|at| mask.get(at)),
            Some(Data::Truth(value)) => answers(&|_| *value),
            None => Data::Level(f64::NAN),
        }
    }
}

/// A calendar word at a moment.
fn reading(clock: Clock, time: Micros) -> f64 {
    const HOUR: Micros = 3_600_000_000;
    const MINUTE: Micros = 60_000_000;
    let date = date_of(time);
    match clock {
        Clock::Year => f64::from(date.year()),
        Clock::Month => f64::from(date.month()),
        Clock::Day => f64::from(date.day()),
        Clock::Weekday => f64::from(date.weekday().number_from_monday()),
        Clock::Hour => (time_of_day(time) / HOUR) as f64,
        Clock::Minute => (time_of_day(time) / MINUTE % 60) as f64,
        Clock::MonthEnd | Clock::MonthStart => f64::NAN,
    }
}

/// A function of one number on every bar. The function is chosen outside the loop.
pub(super) fn each(f: Unary, a: Operand<'_>, len: usize) -> Vec<f64> {
    let column = match a {
        Operand::Level(value) => return vec![unary(f, value); len],
        Operand::Column(column) => column,
    };
    macro_rules! all {
        ($f:expr) => {
            column.iter().map(|a| unary($f, *a)).collect()
        };
    }
    match f {
        Unary::Negate => all!(Unary::Negate),
        Unary::Abs => all!(Unary::Abs),
        Unary::Log => all!(Unary::Log),
        Unary::Exp => all!(Unary::Exp),
        Unary::Sqrt => all!(Unary::Sqrt),
    }
}

/// A function of two numbers on every bar. The function is chosen outside the loop.
pub(super) fn pairs(f: Arithmetic, a: Operand<'_>, b: Operand<'_>, len: usize) -> Vec<f64> {
    macro_rules! all {
        ($f:expr) => {
            match (a, b) {
                (Operand::Column(a), Operand::Column(b)) => a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| arithmetic($f, *a, *b))
                    .collect(),
                (Operand::Column(a), Operand::Level(b)) => {
                    a.iter().map(|a| arithmetic($f, *a, b)).collect()
                }
                (Operand::Level(a), Operand::Column(b)) => {
                    b.iter().map(|b| arithmetic($f, a, *b)).collect()
                }
                (Operand::Level(a), Operand::Level(b)) => vec![arithmetic($f, a, b); len],
            }
        };
    }
    match f {
        Arithmetic::Add => all!(Arithmetic::Add),
        Arithmetic::Subtract => all!(Arithmetic::Subtract),
        Arithmetic::Multiply => all!(Arithmetic::Multiply),
        Arithmetic::Divide => all!(Arithmetic::Divide),
        Arithmetic::Min => all!(Arithmetic::Min),
        Arithmetic::Max => all!(Arithmetic::Max),
    }
}

/// `a > b`, absent where either is.
pub(super) fn is_greater(a: f64, b: f64) -> Option<bool> {
    (!a.is_nan() && !b.is_nan()).then_some(a > b)
}

/// `a == b`, absent where either is.
pub(super) fn is_equal(a: f64, b: f64) -> Option<bool> {
    (!a.is_nan() && !b.is_nan()).then_some(a == b)
}

pub(super) fn greater(a: Operand<'_>, b: Operand<'_>, len: usize) -> Mask {
    match (a, b) {
        (Operand::Column(a), Operand::Column(b)) => Mask::greater(a, b),
        (Operand::Column(a), Operand::Level(b)) => Mask::above(a, b),
        (Operand::Level(a), Operand::Column(b)) => Mask::below(b, a),
        (Operand::Level(a), Operand::Level(b)) => Mask::constant(len, is_greater(a, b)),
    }
}

pub(super) fn equal(a: Operand<'_>, b: Operand<'_>, len: usize) -> Mask {
    match (a, b) {
        (Operand::Column(a), Operand::Column(b)) => Mask::equal(a, b),
        (Operand::Column(a), Operand::Level(b)) | (Operand::Level(b), Operand::Column(a)) => {
            Mask::equal_to(a, b)
        }
        (Operand::Level(a), Operand::Level(b)) => Mask::constant(len, is_equal(a, b)),
    }
}
