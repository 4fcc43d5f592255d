//! The expressions of a strategy whose params vary: what many points share is computed once.
//!
//! An expression is cut where its parts depend on few params: `crosses_above(sma(fast), sma(slow))`
//! becomes a crossing of two columns, of which there is one for each value of `fast` and one for
//! each value of `slow`. The parts of all values stand in one plan and are evaluated once a tape
//! ([`Family::tape`]); what is left on top is evaluated anew for each point ([`Family::at`]).
//!
//! Why this is allowed: the same functions compute the same nodes from the same columns as when the
//! expression is compiled with the params of one point, so that every bit is the same. A
//! test holds both equal. Expressions that read the open position, and those whose windows depend
//! on the params of a whole point, are left to [`super::Program`].

use super::bits::{Bits, Operand};
use super::check::Compiler;
use super::eval::{self, Data, Given};
use super::functions;
use super::packed::{BLOCK, BarSet, Room};
use super::parse::{Syntax, Tree};
use super::plan::{ExprId, Kind, Op, Plan, arithmetic, unary};
use super::stream::Stream;
use super::{EvalOptions, Mask, Request, Vocabulary, cross, names};
use crate::error::Problem;
use crate::lanes::WORD;
use crate::market::Market;
use std::borrow::Cow;

/// Most params that one family varies.
const AXES_MAX: usize = 64;
/// Most combinations of values that one part is computed for.
const TUPLES_MAX: usize = 65_536;
/// Most bytes that all values of one part may take.
const BYTES_MAX: usize = 1 << 28;

/// Expressions compiled for all values of the params that vary.
pub struct Family {
    shared: Plan,
    cuts: Vec<Cut>,
    top: Plan,
    wanted: Vec<ExprId>,
    /// Nodes of `top` below `wanted`, inputs first.
    order: Vec<ExprId>,
    /// The same as words, when everything on top is comparisons and logic.
    bits: Option<Bits>,
    /// Whether something on top looks at an earlier bar, in the money of the bar that looks.
    looks_back: bool,
}

/// A part that is computed once for each combination of the few params it reads.
struct Cut {
    /// The axes it reads, ascending; the last one counts fastest.
    axes: Vec<usize>,
    sizes: Vec<usize>,
    /// Its node in the shared plan by combination, or the mistakes.
    nodes: Vec<Decided<ExprId>>,
}

impl Cut {
    fn place(&self, point: &[usize]) -> usize {
        let digits = self.axes.iter().zip(&self.sizes);
        digits.fold(0, |place, (&axis, size)| place * size + point[axis])
    }
}

/// What is cut from an expression while it is compiled.
pub(super) struct Cutter<'a> {
    axes: &'a [(String, Vec<f64>)],
    points: usize,
    bars: usize,
    /// Parts cut so far: the text they stand in, the part, its axes.
    found: Vec<(Request<'a>, Tree, Vec<usize>)>,
    /// Kinds of the same.
    kinds: Vec<Kind>,
    /// Inside a constant nothing is cut.
    pub(super) in_constant: usize,
    /// Why the expressions are no family.
    broken: Option<String>,
}

/// What a part depends on.
#[derive(Clone, Copy, Default)]
struct Reads {
    /// Bit set of axes.
    axes: u64,
    position: bool,
}

impl Reads {
    fn and(self, other: Reads) -> Reads {
        Reads {
            axes: self.axes | other.axes,
            position: self.position || other.position,
        }
    }
}

impl Family {
    /// Compiles `wanted` for the values of `axes` (names of params); the other params are
    /// constants. `bars` is the number of bars of all tapes, which bounds what is kept.
    ///
    /// # Errors
    /// Why the expressions are no family, in a few words.
    pub fn compile(
        params: &[(String, f64)],
        axes: &[(String, Vec<f64>)],
        series: &[Request<'_>],
        wanted: &[Request<'_>],
        (vocabulary, bars): (&Vocabulary, usize),
    ) -> std::result::Result<Family, String> {
        if axes.len() > AXES_MAX || axes.iter().any(|(_, values)| values.is_empty()) {
            return Err(format!("{} params vary", axes.len()));
        }
        let values = |at: &dyn Fn(usize) -> usize| valued(params, axes, at);
        let first = values(&|_| 0);
        let mut compiler = Compiler::new(&first, series, vocabulary);
        let points = axes.iter().map(|(_, v)| v.len());
        compiler.cutter = Some(Cutter {
            axes,
            points: points.fold(1, |n: usize, size| n.saturating_mul(size)),
            bars,
            found: Vec::new(),
            kinds: Vec::new(),
            in_constant: 0,
            broken: None,
        });
        let roots: Option<Vec<_>> = wanted.iter().map(|r| compiler.wanted(r)).collect();
        let cutter = compiler.cutter.take();
        let (Some(roots), Some(cutter)) = (roots, cutter) else {
            return Err("an expression has a mistake".to_string());
        };
        if let Some(why) = cutter.broken {
            return Err(why);
        }
        let mut family = Family {
            shared: Plan::for_sessions_of(vocabulary.bars_a_session),
            cuts: Vec::new(),
            wanted: roots.iter().map(|(id, _)| *id).collect(),
            order: Vec::new(),
            bits: None,
            looks_back: false,
            top: compiler.plan,
        };
        family.order = family.top.needed(family.wanted.iter().copied(), |_| false);
        family.check_top()?;
        let is_lag = |id: &ExprId| matches!(family.top.op(*id), Op::Lag(..));
        family.looks_back = family.order.iter().any(is_lag);
        for (request, tree, of) in cutter.found {
            let sizes: Vec<usize> = of.iter().map(|&a| axes[a].1.len()).collect();
            let tuples: usize = sizes.iter().product();
            let node = |tuple: usize| {
                let digits = digits(tuple, &sizes);
                let at = |axis: usize| of.iter().position(|&a| a == axis).map_or(0, |k| digits[k]);
                let params = values(&at);
                let mut compiler = Compiler::new(&params, series, vocabulary);
                compiler.plan = std::mem::take(&mut family.shared);
                let id = compiler.part(&request, &tree);
                family.shared = std::mem::take(&mut compiler.plan);
                id.ok_or(compiler.problems)
            };
            let nodes = (0..tuples).map(node).collect();
            family.cuts.push(Cut {
                axes: of,
                sizes,
                nodes,
            });
        }
        let alike = alike(&family.cuts);
        family.bits = Bits::new(&family.top, &family.order, &family.wanted, &alike);
        Ok(family)
    }

    /// Everything on top must be computable from columns alone.
    fn check_top(&self) -> std::result::Result<(), String> {
        for id in &self.order {
            match self.top.op(*id) {
                Op::Number(_)
                | Op::Truth(_)
                | Op::Part(_)
                | Op::Unary(..)
                | Op::Arithmetic(..)
                | Op::Greater(..)
                | Op::Equal(..)
                | Op::Not(_)
                | Op::And(..)
                | Op::Or(..)
                | Op::Lag(..)
                | Op::Choose(..) => {}
                Op::Position(_) => return Err("an exit reads the open position".to_string()),
                _ => return Err("a window depends on several params at once".to_string()),
            }
        }
        Ok(())
    }

    /// Number of shared columns and conditions.
    pub fn parts(&self) -> usize {
        self.cuts.iter().map(|cut| cut.nodes.len()).sum()
    }

    /// Evaluates the shared parts on the bars of every one of `tapes`.
    pub fn evaluate(&self, market: &Market, tapes: &[usize], options: &EvalOptions) -> Vec<Parts> {
        let nodes = self.cuts.iter().flat_map(|cut| &cut.nodes);
        let mut keep: Vec<ExprId> = nodes.filter_map(|n| n.as_ref().ok().copied()).collect();
        keep.sort_unstable();
        keep.dedup();
        let given = cross::ranks(&self.shared, market, options, &keep);
        let parts = |&tape: &usize| self.parts_of(market, tape, options, &keep, &given[tape]);
        tapes.iter().map(parts).collect()
    }

    fn parts_of(
        &self,
        market: &Market,
        tape: usize,
        options: &EvalOptions,
        keep: &[ExprId],
        given: &Given,
    ) -> Parts {
        let streams = self.streams(market, tape, options, keep);
        let is_whole = |id: &ExprId| streams.iter().all(|(streamed, _)| streamed != id);
        let keep: Vec<ExprId> = keep.iter().copied().filter(is_whole).collect();
        let len = market.tapes[tape].bars.len();
        let stretches = eval::stretches(&self.shared, market, tape, options, &keep, given);
        if stretches.len() == 1 {
            return Parts {
                len,
                stretches,
                streams,
                numbers: Vec::new(),
            };
        }
        if !self.looks_back {
            // What is on top asks each bar about itself alone, so that one column says it all.
            let whole = keep.iter().map(|id| (*id, joined(&stretches, *id, len)));
            let mut slots = vec![None; self.shared.nodes.len()];
            whole.for_each(|(id, data)| slots[id.index()] = data);
            return Parts {
                len,
                stretches: vec![(len, slots)],
                streams,
                numbers: Vec::new(),
            };
        }
        let mut numbers = vec![None; self.shared.nodes.len()];
        for id in &self.wanted {
            if let (Op::Part(cut), Kind::Number) = (self.top.op(*id), self.top.node(*id).kind) {
                for node in self.cuts[cut as usize].nodes.iter().flatten() {
                    numbers[node.index()] = joined(&stretches, *node, len);
                }
            }
        }
        Parts {
            len,
            stretches,
            streams,
            numbers,
        }
    }

    /// The parts of a long tape that are computed piece by piece while they are compared.
    fn streams(
        &self,
        market: &Market,
        tape: usize,
        options: &EvalOptions,
        keep: &[ExprId],
    ) -> Vec<(ExprId, Stream)> {
        // A wanted number is asked for on single bars.
        let is_compared = self.bits.as_ref().is_some_and(Bits::gives_conditions);
        if !is_compared || !eval::has_one_scale(&self.shared, market, tape, options, keep) {
            return Vec::new();
        }
        let bars = &market.tapes[tape].bars;
        let stream = |id: &ExprId| Some((*id, Stream::of(&self.shared, *id, bars, options)?));
        keep.iter().filter_map(stream).collect()
    }

    /// The values of the wanted expressions at a point, on the bars that `parts` are of, where these
    /// have no streams.
    fn at<'a>(&self, parts: &'a Parts, point: &[usize]) -> Decided<Vec<Values<'a>>> {
        let nodes = self.nodes(point)?;
        if let [(end, slots)] = parts.stretches.as_slice() {
            return Ok(self.stretch(*end, slots, &nodes));
        }
        let mut merged: Vec<Values<'a>> = self.wanted.iter().map(|_| Values::Truth(None)).collect();
        let mut from = 0;
        for (end, slots) in &parts.stretches {
            let part = self.stretch(*end, slots, &nodes);
            for (into, part) in merged.iter_mut().zip(part) {
                into.take(&part, from..*end, parts.len);
            }
            from = *end;
        }
        Ok(merged)
    }

    /// The node of each part at a point.
    fn nodes(&self, point: &[usize]) -> Decided<Vec<ExprId>> {
        let at = |cut: &Cut| cut.nodes[cut.place(point)].clone();
        self.cuts.iter().map(at).collect()
    }

    /// Where the wanted conditions hold at each of `points`, and the wanted numbers, on the bars
    /// that `parts` are of: the values of all sound points one after the other, as many for each as
    /// are wanted, and for each point whether it is sound. What was in `room` is gone.
    ///
    /// # Errors
    /// Point by point the mistakes of one whose params an expression refuses (a window of 0).
    pub fn decide<'a>(
        &'a self,
        parts: &'a Parts,
        points: &[&[usize]],
        room: &'a mut Room,
    ) -> (Vec<Values<'a>>, Vec<Decided<()>>) {
        let mut values = Vec::with_capacity(points.len() * self.wanted.len());
        let Some(bits) = &self.bits else {
            let at = |point: &&[usize]| self.at(parts, point).map(|own| values.extend(own));
            let sound = points.iter().map(at).collect();
            return (values, sound);
        };
        let [(len, slots)] = parts.stretches.as_slice() else {
            let sound = self.decide_stretches(bits, parts, points, (room, &mut values));
            return (values, sound);
        };
        let count = self.cuts.len();
        let mut streams: Vec<&Stream> = Vec::new();
        let mut places = vec![None; parts.streams.len()];
        let mut operand = |id: ExprId| match &slots[id.index()] {
            Some(Data::Number(column)) => Operand::Column(&column[..*len], 0),
            Some(Data::Condition(mask)) => Operand::Condition(mask.yes_words(), mask.no_words()),
            Some(Data::Level(value)) => Operand::Level(*value),
            Some(Data::Truth(value)) => Operand::Truth(*value),
            None => match parts.streams.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(at) => Operand::Window(*places[at].get_or_insert_with(|| {
                    streams.push(&parts.streams[at].1);
                    streams.len() - 1
                })),
                Err(_) => Operand::Truth(None),
            },
        };
        // The operands of all sound points, one after the other.
        let mut operands: Vec<Operand<'a>> = Vec::with_capacity(count * points.len());
        let operands_of = |point: &&[usize]| -> Decided<()> {
            let first = operands.len();
            for cut in &self.cuts {
                match &cut.nodes[cut.place(point)] {
                    Ok(id) => operands.push(operand(*id)),
                    Err(problems) => {
                        operands.truncate(first);
                        return Err(problems.clone());
                    }
                }
            }
            Ok(())
        };
        let sound: Vec<Decided<()>> = points.iter().map(operands_of).collect();
        let count_sound = sound.iter().filter(|sound| sound.is_ok()).count();
        bits.pack((&operands, count_sound), &streams, *len, room);
        let room = &*room;
        for point in 0..count_sound {
            let number = |cut: u32| match operands[point * count + cut as usize] {
                Operand::Column(column, _) => Values::Column(Cow::Borrowed(column)),
                Operand::Level(value) => Values::Level(value),
                _ => Values::Truth(None),
            };
            self.values(point, &number, room, &mut values);
        }
        (values, sound)
    }

    /// The wanted expressions of the `point`th sound point, from the parts that are numbers and the
    /// sets of bars in `room`.
    fn values<'a>(
        &self,
        point: usize,
        number: &dyn Fn(u32) -> Values<'a>,
        room: &'a Room,
        into: &mut Vec<Values<'a>>,
    ) {
        for (set, id) in (point * self.wanted.len()..).zip(&self.wanted) {
            into.push(match self.top.op(*id) {
                Op::Part(cut) if self.top.node(*id).kind == Kind::Number => number(cut),
                Op::Number(bits) => Values::Level(f64::from_bits(bits)),
                _ => Values::Yes(room.set(set)),
            });
        }
    }

    /// [`Family::decide`] on a tape whose history changes its scale.
    fn decide_stretches<'a>(
        &self,
        bits: &Bits,
        parts: &'a Parts,
        points: &[&[usize]],
        (room, into): (&'a mut Room, &mut Vec<Values<'a>>),
    ) -> Vec<Decided<()>> {
        let nodes: Vec<_> = points.iter().map(|point| self.nodes(point)).collect();
        let sound: Vec<&Vec<ExprId>> = nodes.iter().flatten().collect();
        let words = self.by_stretch(bits, &parts.stretches, &sound);
        room.clear(words.len(), parts.len);
        for (set, words) in words.iter().enumerate() {
            let blocks = words.chunks(BLOCK).enumerate();
            blocks.for_each(|(k, words)| room.put(set, k * BLOCK, words));
        }
        let room = &*room;
        for (point, nodes) in sound.into_iter().enumerate() {
            let number = |cut: u32| parts.number(nodes[cut as usize]);
            self.values(point, &number, room, into);
        }
        nodes.into_iter().map(|nodes| nodes.map(|_| ())).collect()
    }

    /// Where the wanted conditions hold, each stretch by the columns as they look from its end.
    fn by_stretch(
        &self,
        bits: &Bits,
        stretches: &[(usize, Vec<Option<Data>>)],
        points: &[&Vec<ExprId>],
    ) -> Vec<Vec<u64>> {
        let mut all: Vec<Vec<u64>> = Vec::new();
        let mut from = 0;
        for (end, slots) in stretches {
            let start = (from / WORD).saturating_sub(bits.halo());
            let operands = operands(points, slots, WORD * start..*end);
            let part = bits.words((&operands, points.len()), end - WORD * start);
            if all.is_empty() {
                all = part;
            } else {
                let roots = all.iter_mut().zip(part.iter());
                for (into, part) in roots.filter(|(_, part)| !part.is_empty()) {
                    let mut new = part[from / WORD - start..].iter();
                    let first = new.next().map_or(0, |w| w & (u64::MAX << (from % WORD)));
                    // The last word of the stretch before ends where this one begins.
                    match into.last_mut().filter(|_| from % WORD > 0) {
                        Some(last) => *last |= first,
                        None => into.push(first),
                    }
                    into.extend(new);
                }
            }
            from = *end;
        }
        all
    }

    /// The wanted expressions over the bars before `len`, as they look from there.
    fn stretch<'a>(
        &self,
        len: usize,
        slots: &'a [Option<Data>],
        nodes: &[ExprId],
    ) -> Vec<Values<'a>> {
        let mut at: Vec<Option<Values<'a>>> = vec![None; self.top.nodes.len()];
        for id in &self.order {
            let value = match self.top.op(*id) {
                Op::Part(cut) => part(&slots[nodes[cut as usize].index()], len),
                op => combined(op, &at, len),
            };
            at[id.index()] = Some(value);
        }
        let wanted = self.wanted.iter();
        wanted
            .map(|id| at[id.index()].clone().unwrap_or(Values::Truth(None)))
            .collect()
    }
}

/// For each part the first one that is the same column at every point: an entry and an exit that speak
/// of one average are cut apart.
fn alike(cuts: &[Cut]) -> Vec<u32> {
    let is_same = |a: &Cut, b: &Cut| {
        let pairs = || a.nodes.iter().zip(&b.nodes);
        let same = |(a, b): (&Decided<ExprId>, &Decided<ExprId>)| matches!((a, b), (Ok(a), Ok(b)) if a == b);
        a.axes == b.axes && a.nodes.len() == b.nodes.len() && pairs().all(same)
    };
    let first = |cut: &Cut| cuts.iter().position(|other| is_same(other, cut));
    let own = cuts.iter().enumerate();
    own.map(|(k, cut)| first(cut).unwrap_or(k) as u32).collect()
}

/// The params at one value of each axis.
fn valued(
    params: &[(String, f64)],
    axes: &[(String, Vec<f64>)],
    at: &dyn Fn(usize) -> usize,
) -> Vec<(String, f64)> {
    let mut all = params.to_vec();
    for (axis, (name, values)) in axes.iter().enumerate() {
        let value = values[at(axis)];
        match all.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => all.push((name.clone(), value)),
        }
    }
    all
}

fn digits(mut place: usize, sizes: &[usize]) -> Vec<usize> {
    let mut digits = vec![0; sizes.len()];
    for (digit, size) in digits.iter_mut().zip(sizes).rev() {
        *digit = place % size;
        place /= size;
    }
    digits
}

/// What a point gives, or the mistakes of its params.
pub type Decided<T> = std::result::Result<T, Vec<Problem>>;

/// The shared parts of one tape.
pub struct Parts {
    len: usize,
    /// Ends of the stretches that look back at one scale, and the parts as they look from there.
    stretches: Vec<(usize, Vec<Option<Data>>)>,
    /// Those that are computed while they are compared, by node.
    streams: Vec<(ExprId, Stream)>,
    /// Of several stretches: the numbers that are wanted as they are, each bar as it looks from there.
    numbers: Vec<Option<Data>>,
}

impl Parts {
    /// A part that is a number.
    fn number(&self, node: ExprId) -> Values<'_> {
        match self.stretches.as_slice() {
            [(len, slots)] => part(&slots[node.index()], *len),
            _ => part(&self.numbers[node.index()], self.len),
        }
    }
}

/// The parts of point after point on some bars, which begin with a word.
fn operands<'a>(
    points: &[&Vec<ExprId>],
    slots: &'a [Option<Data>],
    bars: std::ops::Range<usize>,
) -> Vec<Operand<'a>> {
    let word = bars.start / WORD;
    let operand = |id: &ExprId| match &slots[id.index()] {
        Some(Data::Number(column)) => Operand::Column(&column[bars.clone()], 0),
        Some(Data::Condition(mask)) => {
            Operand::Condition(&mask.yes_words()[word..], &mask.no_words()[word..])
        }
        Some(Data::Level(value)) => Operand::Level(*value),
        Some(Data::Truth(value)) => Operand::Truth(*value),
        None => Operand::Truth(None),
    };
    let nodes = points.iter().flat_map(|nodes| nodes.iter());
    nodes.map(operand).collect()
}

/// A part on all bars, each as it looks from its own stretch.
fn joined(stretches: &[(usize, Vec<Option<Data>>)], id: ExprId, len: usize) -> Option<Data> {
    let mut of = stretches
        .iter()
        .map(|(_, slots)| slots[id.index()].as_ref());
    let first = of.next()??;
    let same = |other: Option<&Data>| match (first, other) {
        (Data::Level(a), Some(Data::Level(b))) => a.to_bits() == b.to_bits(),
        (Data::Truth(a), Some(Data::Truth(b))) => a == b,
        _ => false,
    };
    if of.all(same) {
        return Some(first.clone());
    }
    let (mut all, mut from) = (eval::blank(first, len), 0);
    for (end, slots) in stretches {
        all = eval::merged(all, slots[id.index()].as_ref()?, from, *end);
        from = *end;
    }
    Some(all)
}

/// An expression on all bars of a tape.
#[derive(Debug, Clone)]
pub enum Values<'a> {
    /// A number a bar, NaN where it is absent.
    Column(Cow<'a, [f64]>),
    /// Yes, no or absent a bar.
    Condition(Cow<'a, Mask>),
    /// The bars on which a condition holds; whether it is known not to hold on the others was not
    /// asked.
    Yes(BarSet<'a>),
    /// The same number on every bar.
    Level(f64),
    /// The same answer on every bar.
    Truth(Option<bool>),
}

impl Values<'_> {
    /// The number on a bar; NaN when it is absent or no number.
    pub fn number(&self, bar: usize) -> f64 {
        match self {
            Values::Column(column) => column[bar],
            Values::Level(value) => *value,
            _ => f64::NAN,
        }
    }

    /// The bars on which a condition holds; none for numbers. `len` is the number of bars.
    pub fn into_mask(self, len: usize) -> Mask {
        match self {
            Values::Condition(mask) => mask.into_owned(),
            Values::Yes(bars) => Mask::of_yes(len, bars.words(len.div_ceil(WORD))),
            Values::Truth(value) => Mask::constant(len, value),
            Values::Column(_) | Values::Level(_) => Mask::absent(len),
        }
    }

    /// Takes the bars of `part` over, growing to `len` bars.
    fn take(&mut self, part: &Values<'_>, bars: std::ops::Range<usize>, len: usize) {
        if let Values::Truth(None) = self {
            *self = match part {
                Values::Column(_) | Values::Level(_) => {
                    Values::Column(Cow::Owned(vec![f64::NAN; len]))
                }
                _ => Values::Condition(Cow::Owned(Mask::absent(len))),
            };
        }
        match (self, part) {
            (Values::Column(into), Values::Column(part)) => {
                into.to_mut()[bars.clone()].copy_from_slice(&part[bars]);
            }
            (Values::Column(into), Values::Level(value)) => into.to_mut()[bars].fill(*value),
            (Values::Condition(into), Values::Condition(part)) => {
                into.to_mut().copy_range(part, bars.start, bars.end);
            }
            (Values::Condition(into), Values::Truth(value)) => {
                let part = Mask::constant(bars.end, *value);
                into.to_mut().copy_range(&part, bars.start, bars.end);
            }
            _ => {}
        }
    }
}

fn part(data: &Option<Data>, len: usize) -> Values<'_> {
    match data {
        Some(Data::Number(column)) => Values::Column(Cow::Borrowed(&column[..len])),
        Some(Data::Condition(mask)) => Values::Condition(Cow::Borrowed(mask)),
        Some(Data::Level(value)) => Values::Level(*value),
        Some(Data::Truth(value)) => Values::Truth(*value),
        None => Values::Truth(None),
    }
}

/// What a node on top is worth, from its inputs.
fn combined<'a>(op: Op, at: &[Option<Values<'a>>], len: usize) -> Values<'a> {
    let number = |id: ExprId| match &at[id.index()] {
        Some(Values::Column(column)) => eval::Operand::Column(column),
        Some(Values::Level(value)) => eval::Operand::Level(*value),
        _ => eval::Operand::Level(f64::NAN),
    };
    let mask = |id: ExprId| match &at[id.index()] {
        Some(Values::Condition(mask)) => Cow::Borrowed(mask.as_ref()),
        Some(Values::Truth(value)) => Cow::Owned(Mask::constant(len, *value)),
        _ => Cow::Owned(Mask::absent(len)),
    };
    let column = |values: Vec<f64>| Values::Column(Cow::Owned(values));
    let condition = |mask: Mask| Values::Condition(Cow::Owned(mask));
    match op {
        Op::Number(bits) => Values::Level(f64::from_bits(bits)),
        Op::Truth(value) => Values::Truth(value),
        Op::Unary(f, a) => match number(a) {
            eval::Operand::Level(a) => Values::Level(unary(f, a)),
            a => column(eval::each(f, a, len)),
        },
        Op::Arithmetic(f, a, b) => match (number(a), number(b)) {
            (eval::Operand::Level(a), eval::Operand::Level(b)) => {
                Values::Level(arithmetic(f, a, b))
            }
            (a, b) => column(eval::pairs(f, a, b, len)),
        },
        Op::Greater(a, b) => condition(eval::greater(number(a), number(b), len)),
        Op::Equal(a, b) => condition(eval::equal(number(a), number(b), len)),
        Op::Not(a) => condition(mask(a).negated()),
        Op::And(a, b) => condition(mask(a).and(&mask(b))),
        Op::Or(a, b) => condition(mask(a).or(&mask(b))),
        Op::Lag(a, n) => match &at[a.index()] {
            Some(Values::Condition(mask)) => condition(mask.lagged(n as usize)),
            Some(Values::Truth(_)) => condition(mask(a).lagged(n as usize)),
            _ => column(lagged(number(a), n as usize, len)),
        },
        Op::Choose(c, a, b) => match (&at[a.index()], &at[b.index()]) {
            (Some(Values::Column(_) | Values::Level(_)), _) => {
                column(chosen(&mask(c), number(a), number(b), len))
            }
            _ => condition(mask(c).choose(&mask(a), &mask(b))),
        },
        _ => Values::Truth(None),
    }
}

fn lagged(a: eval::Operand<'_>, n: usize, len: usize) -> Vec<f64> {
    let n = n.min(len);
    let mut moved = vec![f64::NAN; n];
    match a {
        eval::Operand::Column(column) => moved.extend_from_slice(&column[..len - n]),
        eval::Operand::Level(value) => moved.resize(len, value),
    }
    moved
}

fn chosen(c: &Mask, a: eval::Operand<'_>, b: eval::Operand<'_>, len: usize) -> Vec<f64> {
    let value = |x: eval::Operand<'_>, bar: usize| match x {
        eval::Operand::Column(column) => column[bar],
        eval::Operand::Level(value) => value,
    };
    let pick = |bar: usize| match c.get(bar) {
        Some(true) => value(a, bar),
        Some(false) => value(b, bar),
        None => f64::NAN,
    };
    (0..len).map(pick).collect()
}

/// What the part `tree` of `request` reads.
fn reads(compiler: &Compiler<'_>, request: &Request<'_>, tree: &Tree, depth: usize) -> Reads {
    let below = |tree: &Tree| reads(compiler, request, tree, depth);
    let position = Reads {
        position: true,
        ..Reads::default()
    };
    match &tree.syntax {
        Syntax::Number(_) | Syntax::Foreign { .. } => Reads::default(),
        Syntax::Broken => position,
        Syntax::Name(span) => {
            let name = &request.text[span.clone()];
            let axes = compiler.cutter.iter().flat_map(|c| c.axes.iter());
            if let Some(axis) = axes.into_iter().position(|(axis, _)| axis == name) {
                return Reads {
                    axes: 1 << axis,
                    position: false,
                };
            }
            if compiler.params.iter().any(|(param, _)| param == name) {
                return Reads::default();
            }
            let of = |s: &Request<'_>| names::of_series(s.key) == name;
            match compiler.series.iter().position(of) {
                // A circle of series is a mistake that others report.
                Some(_) if depth > compiler.series.len() => position,
                Some(place) => compiler.tree_of(place).map_or(position, |tree| {
                    reads(compiler, &compiler.series[place], tree, depth + 1)
                }),
                None if functions::is_position(name) => position,
                None => Reads::default(),
            }
        }
        Syntax::Minus(a) | Syntax::Not(a) => below(a),
        Syntax::Binary(_, a, b) => below(a).and(below(b)),
        Syntax::Call { name, args } => {
            let word = functions::is_position(&request.text[name.clone()]);
            let own = if word { position } else { Reads::default() };
            args.iter().fold(own, |so_far, arg| so_far.and(below(arg)))
        }
        Syntax::Lag { base, by } => below(base).and(below(by)),
        Syntax::Coarse { base, .. } => below(base),
    }
}

/// Cuts `tree` off when its values are few enough to be computed once for all points: the node that
/// stands for it, or `None` when it is compiled like any other.
pub(super) fn cut<'a>(
    compiler: &mut Compiler<'a>,
    request: &Request<'a>,
    tree: &Tree,
) -> Option<ExprId> {
    let reads = reads(compiler, request, tree, 0);
    let cutter = compiler.cutter.as_ref()?;
    if cutter.in_constant > 0 {
        if reads.axes != 0 {
            compiler.cutter.as_mut()?.broken =
                Some("a window depends on several params at once".to_string());
        }
        return None;
    }
    if reads.position {
        return None;
    }
    let axes: Vec<usize> = (0..cutter.axes.len())
        .filter(|axis| reads.axes >> axis & 1 == 1)
        .collect();
    let sizes = axes.iter().map(|&axis| cutter.axes[axis].1.len());
    let tuples = sizes.fold(1, |n: usize, size| n.saturating_mul(size));
    // A part is worth keeping when several points share it.
    let is_shared = axes.len() <= 1 || tuples <= cutter.points / 2;
    if !is_shared || tuples > TUPLES_MAX {
        return None;
    }
    let kind = kind(compiler, request, tree)?;
    let cutter = compiler.cutter.as_mut()?;
    let bytes = match kind {
        Kind::Condition => tuples.saturating_mul(cutter.bars) / 4,
        _ => tuples.saturating_mul(cutter.bars).saturating_mul(8),
    };
    if bytes > BYTES_MAX {
        return None;
    }
    let same =
        |(r, t, _): &(Request<'_>, Tree, Vec<usize>)| r.key == request.key && t.span == tree.span;
    let place = cutter.found.iter().position(same).unwrap_or_else(|| {
        cutter.found.push((*request, tree.clone(), axes));
        cutter.kinds.push(kind);
        cutter.found.len() - 1
    });
    Some(compiler.plan.add_part(place as u32, kind))
}

/// What a part gives, found by compiling it with the params at hand.
fn kind<'a>(compiler: &Compiler<'a>, request: &Request<'a>, tree: &Tree) -> Option<Kind> {
    let mut apart = Compiler::new(compiler.params, compiler.series, compiler.vocabulary);
    let id = apart.part(request, tree)?;
    Some(apart.plan.node(id).kind)
}
