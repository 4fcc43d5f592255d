//! The conditions on top of a family's shared columns, as words of 64 bars.
//!
//! What a sweep asks of a condition is where it holds, so that only the answers that reach the root
//! are computed: of `a and b` the yes, of `not a` the no of `a`. A comparison and its mirror image
//! (`fast > slow`, `slow > fast`) are one look at both columns. Tapes are taken a piece at a time for
//! many points, so that a piece of a column is read from memory once for all of them.

use super::packed::{BLOCK, Room};
use super::plan::{ExprId, Op, Plan};
use super::stream::{Stream, Window};
use crate::lanes::{self, Loop, WORD, wide};
use std::ops::Range;

/// Words of a piece: the columns of some tens of points stay in the second cache, and what streams
/// bring along is a small part.
const PIECE: usize = BLOCK;
/// Farthest look back, in bars, that a piece brings along.
const LAG_MAX: u32 = 4_096;

/// Conditions compiled to words.
pub(super) struct Bits {
    /// Comparisons; the first two registers of each hold "at least" and "at most".
    looks: Vec<(Side, Side)>,
    steps: Vec<Step>,
    registers: usize,
    /// Words before a piece that are computed with it, for looking back.
    halo: usize,
    /// The register of each wanted condition's yes; `None` for numbers.
    roots: Vec<Option<Register>>,
}

/// A number that is compared: a part of the family, or a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Part(u32),
    Level(f64),
}

/// One answer (yes or no) of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Register {
    /// Of a look: where the first side is at least, or at most, the second. Both are 0 where one of
    /// them is absent.
    Look(usize, usize),
    Own(usize),
}

/// One step from registers to a register.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Yes or no of a part that is a condition.
    Part(usize, u32, usize),
    And(usize, Register, Register),
    Or(usize, Register, Register),
    /// The first and not the second.
    Less(usize, Register, Register),
    /// One of the two alone.
    Differ(usize, Register, Register),
    Shift(usize, Register, u32),
    Fill(usize, bool),
}

/// A part at a point.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a> {
    /// Numbers, and the bar of the first.
    Column(&'a [f64], usize),
    /// Numbers that are computed piece by piece, by place.
    Window(usize),
    Level(f64),
    /// Yes words and no words.
    Condition(&'a [u64], &'a [u64]),
    Truth(Option<bool>),
}

/// Which answers of a node are asked for.
type Needs = [bool; 2];
/// Where the answers of a node are.
type Places = [Option<Register>; 2];
const YES: usize = 0;
const NO: usize = 1;
const AT_LEAST: usize = 0;
const AT_MOST: usize = 1;

impl Bits {
    /// Compiles `wanted`; `None` when something on top is more than comparisons and logic.
    /// `alike` names for each part the first one that is the same.
    pub(super) fn new(
        top: &Plan,
        order: &[ExprId],
        wanted: &[ExprId],
        alike: &[u32],
    ) -> Option<Self> {
        let is_condition = |id: &ExprId| top.node(*id).kind == super::Kind::Condition;
        let mut needs: Vec<Needs> = vec![[false; 2]; top.nodes.len()];
        for root in wanted.iter().filter(|id| is_condition(id)) {
            needs[root.index()][YES] = true;
        }
        for id in order.iter().rev() {
            let [yes, no] = needs[id.index()];
            let mut ask = |id: ExprId, ask: Needs| {
                needs[id.index()][YES] |= ask[YES];
                needs[id.index()][NO] |= ask[NO];
            };
            match top.op(*id) {
                Op::Not(a) => ask(a, [no, yes]),
                Op::And(a, b) | Op::Or(a, b) => {
                    ask(a, [yes, no]);
                    ask(b, [yes, no]);
                }
                Op::Lag(a, n) if is_condition(&a) && n <= LAG_MAX => ask(a, [yes, no]),
                Op::Greater(..) | Op::Equal(..) | Op::Part(_) | Op::Number(_) | Op::Truth(_) => {}
                _ => return None,
            }
        }
        let mut bits = Bits {
            looks: Vec::new(),
            steps: Vec::new(),
            registers: 0,
            halo: 0,
            roots: Vec::new(),
        };
        let mut places: Vec<Places> = vec![[None; 2]; top.nodes.len()];
        let mut looks_back = vec![0_usize; top.nodes.len()];
        for id in order {
            bits.step((top, alike), *id, &needs, &mut places)?;
            let inputs = top.op(*id).inputs();
            let below = inputs.map(|a| looks_back[a.index()]).max().unwrap_or(0);
            let own = match top.op(*id) {
                Op::Lag(_, n) => (n as usize).div_ceil(64),
                _ => 0,
            };
            looks_back[id.index()] = below + own;
            bits.halo = bits.halo.max(below + own);
        }
        for id in wanted {
            let is_plain = matches!(top.op(*id), Op::Part(_) | Op::Number(_));
            match is_condition(id) {
                true => bits.roots.push(places[id.index()][YES]),
                false if is_plain => bits.roots.push(None),
                false => return None,
            }
        }
        Some(bits)
    }

    /// The steps of one node.
    fn step(
        &mut self,
        (top, alike): (&Plan, &[u32]),
        id: ExprId,
        needs: &[Needs],
        places: &mut [Places],
    ) -> Option<()> {
        let side = |id: ExprId| match top.op(id) {
            Op::Part(part) => Some(Side::Part(alike[part as usize])),
            Op::Number(bits) => Some(Side::Level(f64::from_bits(bits))),
            _ => None,
        };
        let asked = needs[id.index()];
        let mut own: Places = [None; 2];
        match top.op(id) {
            Op::Greater(a, b) => {
                let (least, most) = self.look(side(a)?, side(b)?);
                own[YES] = asked[YES].then(|| self.add(|to| Step::Less(to, least, most)));
                own[NO] = Some(most);
            }
            Op::Equal(a, b) => {
                let (least, most) = self.look(side(a)?, side(b)?);
                own[YES] = asked[YES].then(|| self.add(|to| Step::And(to, least, most)));
                own[NO] = asked[NO].then(|| self.add(|to| Step::Differ(to, least, most)));
            }
            Op::Not(a) => own = [places[a.index()][NO], places[a.index()][YES]],
            op => {
                for answer in [YES, NO] {
                    let at = |id: ExprId| places[id.index()][answer];
                    // Yes of `and` is both, no of it is either; of `or` the other way round.
                    let both = matches!(op, Op::And(..)) == (answer == YES);
                    let step = |to: usize| match op {
                        Op::Part(part) => Some(Step::Part(to, part, answer)),
                        Op::Truth(value) => Some(Step::Fill(to, value == Some(answer == YES))),
                        Op::And(a, b) | Op::Or(a, b) if both => Some(Step::And(to, at(a)?, at(b)?)),
                        Op::And(a, b) | Op::Or(a, b) => Some(Step::Or(to, at(a)?, at(b)?)),
                        Op::Lag(a, n) => Some(Step::Shift(to, at(a)?, n)),
                        _ => None,
                    };
                    if asked[answer]
                        && let Some(step) = step(self.registers)
                    {
                        own[answer] = Some(self.add(|_| step));
                    }
                }
            }
        }
        places[id.index()] = own;
        Some(())
    }

    /// Adds a step with a register of its own.
    fn add(&mut self, step: impl FnOnce(usize) -> Step) -> Register {
        let to = self.registers;
        self.registers += 1;
        self.steps.push(step(to));
        Register::Own(to)
    }

    /// Where one side is at least, and at most, the other; a look serves its mirror image, too.
    fn look(&mut self, a: Side, b: Side) -> (Register, Register) {
        let found = |look: &(Side, Side)| *look == (a, b) || *look == (b, a);
        let at = self.looks.iter().position(found).unwrap_or_else(|| {
            self.looks.push((a, b));
            self.looks.len() - 1
        });
        let (least, most) = (Register::Look(at, AT_LEAST), Register::Look(at, AT_MOST));
        match self.looks[at] == (a, b) {
            true => (least, most),
            false => (most, least),
        }
    }

    /// Whether all that is wanted is conditions.
    pub(super) fn gives_conditions(&self) -> bool {
        self.roots.iter().all(Option::is_some)
    }

    /// Words before a piece whose bars its answers may depend on.
    pub(super) fn halo(&self) -> usize {
        self.halo
    }

    /// Where the wanted conditions hold on `len` bars, as sets of bars in `room`: for each of several
    /// points one for each that is wanted, empty for numbers.
    ///
    /// `parts` are the operands of point after point, by part, and how many points there are.
    pub(super) fn pack(
        &self,
        (parts, points): (&[Operand<'_>], usize),
        streams: &[&Stream],
        len: usize,
        room: &mut Room,
    ) {
        room.clear(points * self.roots.len(), len);
        let mut work = std::mem::take(&mut room.work);
        let put = |set, from, words: &[u64]| room.put(set, from, words);
        self.run((parts, points), streams, len, &mut work, put);
        room.work = work;
    }

    /// The same as words, those of numbers empty.
    pub(super) fn words(
        &self,
        (parts, points): (&[Operand<'_>], usize),
        len: usize,
    ) -> Vec<Vec<u64>> {
        let mut all: Vec<Vec<u64>> = vec![Vec::new(); points * self.roots.len()];
        let mut work = (Vec::new(), Vec::new());
        let put = |set: usize, from, words: &[u64]| {
            if from == 0 {
                all[set].reserve(len.div_ceil(WORD));
            }
            all[set].extend_from_slice(words);
        };
        self.run((parts, points), &[], len, &mut work, put);
        all
    }

    /// Calls `put` with the words of each set of [`Bits::pack`] from some word on, piece by piece.
    fn run(
        &self,
        (parts, points): (&[Operand<'_>], usize),
        streams: &[&Stream],
        len: usize,
        (compared, registers): &mut (Vec<u64>, Vec<u64>),
        mut put: impl FnMut(usize, usize, &[u64]),
    ) {
        let words = len.div_ceil(WORD);
        let piece = PIECE.min(words.max(1));
        let count = parts.len() / points.max(1);
        let stride = piece + self.halo;
        let looks = 2 * stride * self.looks.len();
        compared.resize(looks * points, 0);
        registers.resize(self.registers * stride, 0);
        for from in (0..words).step_by(piece) {
            let to = (from + piece).min(words);
            let start = from.saturating_sub(self.halo);
            let bars = WORD * start..(WORD * to).min(len);
            let windows = streams.iter().map(|stream| stream.window(bars.clone()));
            let windows: Vec<Window> = windows.collect();
            let piece = |point: usize| Piece {
                operands: &parts[point * count..(point + 1) * count],
                windows: &windows,
                len,
                words: (start, to),
                stride,
            };
            for point in 0..points {
                let piece = piece(point);
                let compared = &mut compared[point * looks..(point + 1) * looks];
                let pairs = compared.chunks_mut(2 * stride).zip(&self.looks);
                for (compared, sides) in pairs {
                    piece.compare(*sides, compared);
                }
            }
            for point in 0..points {
                let compared = &compared[point * looks..(point + 1) * looks];
                let piece = piece(point);
                wide(Take {
                    piece: &piece,
                    steps: &self.steps,
                    compared,
                    registers,
                });
                for (set, root) in (point * self.roots.len()..).zip(&self.roots) {
                    if let Some(root) = root {
                        let words = piece.register(*root, (compared, registers));
                        put(set, from, &words[from - start..]);
                    }
                }
            }
        }
    }
}

/// A piece of the bars of one point.
struct Piece<'a> {
    operands: &'a [Operand<'a>],
    windows: &'a [Window],
    len: usize,
    /// Words of the piece.
    words: (usize, usize),
    /// Words between registers.
    stride: usize,
}

/// All steps of a piece.
struct Take<'a> {
    piece: &'a Piece<'a>,
    steps: &'a [Step],
    compared: &'a [u64],
    registers: &'a mut [u64],
}

impl Loop for Take<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        for step in self.steps {
            self.piece.take(*step, self.compared, self.registers);
        }
    }
}

impl<'a> Piece<'a> {
    #[inline(always)]
    fn count(&self) -> usize {
        self.words.1 - self.words.0
    }

    #[inline(always)]
    fn register<'r>(
        &self,
        register: Register,
        (compared, registers): (&'r [u64], &'r [u64]),
    ) -> &'r [u64] {
        let (all, at) = match register {
            Register::Look(look, which) => (compared, 2 * look + which),
            Register::Own(own) => (registers, own),
        };
        &all[at * self.stride..at * self.stride + self.count()]
    }

    #[inline(always)]
    fn take(&self, step: Step, compared: &[u64], registers: &mut [u64]) {
        let (Step::Part(to, ..)
        | Step::And(to, ..)
        | Step::Or(to, ..)
        | Step::Less(to, ..)
        | Step::Differ(to, ..)
        | Step::Shift(to, ..)
        | Step::Fill(to, ..)) = step;
        // What a step reads comes before what it writes.
        let (before, after) = registers.split_at_mut(to * self.stride);
        let out = &mut after[..self.count()];
        let of = |register| self.register(register, (compared, before));
        match step {
            Step::And(_, a, b) => combine(out, of(a), of(b), |a, b| a & b),
            Step::Or(_, a, b) => combine(out, of(a), of(b), |a, b| a | b),
            Step::Less(_, a, b) => combine(out, of(a), of(b), |a, b| a & !b),
            Step::Differ(_, a, b) => combine(out, of(a), of(b), |a, b| a ^ b),
            Step::Shift(_, a, lag) => {
                shift(of(a), out, lag);
                if let Some(last) = out.last_mut() {
                    *last &= within(self.words.1 - 1, self.len);
                }
            }
            Step::Fill(_, holds) => {
                for (word, out) in (self.words.0..).zip(out) {
                    *out = if holds { within(word, self.len) } else { 0 };
                }
            }
            Step::Part(_, part, answer) => self.part(part, answer, out),
        }
    }

    fn part(&self, part: u32, answer: usize, out: &mut [u64]) {
        match self.operands[part as usize] {
            Operand::Condition(yes, no) => {
                out.copy_from_slice(&[yes, no][answer][self.words.0..self.words.1]);
            }
            Operand::Truth(value) if value == Some(answer == YES) => {
                for (word, out) in (self.words.0..).zip(out) {
                    *out = within(word, self.len);
                }
            }
            _ => out.fill(0),
        }
    }

    #[inline]
    fn side(&self, side: Side) -> Operand<'_> {
        match side {
            Side::Part(part) => match self.operands[part as usize] {
                Operand::Window(place) => {
                    let window = &self.windows[place];
                    Operand::Column(&window.values, window.first)
                }
                operand => operand,
            },
            Side::Level(value) => Operand::Level(value),
        }
    }

    /// Puts "at least" and "at most" of two sides into two registers; both bits are 0 where one of the
    /// sides is absent.
    fn compare(&self, (a, b): (Side, Side), into: &mut [u64]) {
        let (at_least, at_most) = into.split_at_mut(self.stride);
        let count = self.count();
        let into = (&mut at_least[..count], &mut at_most[..count]);
        let bars = WORD * self.words.0..(WORD * self.words.1).min(self.len);
        match (self.side(a), self.side(b)) {
            (Operand::Column(a, a_first), Operand::Column(b, b_first)) => {
                let (a, a_rest) = whole(a, a_first, &bars);
                let (b, b_rest) = whole(b, b_first, &bars);
                let rest = a_rest.iter().copied().zip(b_rest.iter().copied());
                compared(a.iter().zip(b), rest, into);
            }
            (Operand::Column(a, first), Operand::Level(level)) => {
                let ((a, rest), b) = (whole(a, first, &bars), [level; WORD]);
                let rest = rest.iter().map(|a| (*a, level));
                compared(a.iter().map(|a| (a, &b)), rest, into);
            }
            (Operand::Level(level), Operand::Column(b, first)) => {
                let (a, (b, rest)) = ([level; WORD], whole(b, first, &bars));
                let rest = rest.iter().map(|b| (level, *b));
                compared(b.iter().map(|b| (&a, b)), rest, into);
            }
            (Operand::Level(a), Operand::Level(b)) => {
                for ((word, least), most) in (self.words.0..).zip(into.0).zip(into.1) {
                    let all = within(word, self.len);
                    (*least, *most) = (if a >= b { all } else { 0 }, if a <= b { all } else { 0 });
                }
            }
            _ => {
                into.0.fill(0);
                into.1.fill(0);
            }
        }
    }
}

/// Some bars of a column that begins at bar `first`: those of whole words, and the others.
#[inline]
fn whole<'c>(
    column: &'c [f64],
    first: usize,
    bars: &Range<usize>,
) -> (&'c [[f64; WORD]], &'c [f64]) {
    column[bars.start - first..bars.end - first].as_chunks::<WORD>()
}

/// Compares whole words, and the bars of a word that is not whole.
#[inline]
fn compared<'c>(
    pairs: impl Iterator<Item = (&'c [f64; WORD], &'c [f64; WORD])>,
    rest: impl ExactSizeIterator<Item = (f64, f64)>,
    (at_least, at_most): (&mut [u64], &mut [u64]),
) {
    if rest.len() > 0 {
        let (mut least, mut most) = (0, 0);
        for (k, (a, b)) in rest.enumerate() {
            least |= u64::from(a >= b) << k;
            most |= u64::from(a <= b) << k;
        }
        // It is the last one.
        if let (Some(at_least), Some(at_most)) = (at_least.last_mut(), at_most.last_mut()) {
            (*at_least, *at_most) = (least, most);
        }
    }
    lanes::compare(pairs, (at_least, at_most));
}

/// `f` of two registers into a third.
#[inline(always)]
fn combine(out: &mut [u64], a: &[u64], b: &[u64], f: impl Fn(u64, u64) -> u64) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = f(*a, *b);
    }
}

/// Bits moved up by `lag`, zeros moving in.
#[inline(always)]
fn shift(a: &[u64], out: &mut [u64], lag: u32) {
    let (skip, by) = (lag as usize / 64, lag % 64);
    let skip = skip.min(out.len());
    let (none, out) = out.split_at_mut(skip);
    none.fill(0);
    let moved = &a[..out.len()];
    if by == 0 {
        out.copy_from_slice(moved);
    } else if let (Some(first), Some(word)) = (out.first_mut(), moved.first()) {
        *first = word << by;
        for (out, words) in out[1..].iter_mut().zip(moved.windows(2)) {
            *out = words[1] << by | words[0] >> (64 - by);
        }
    }
}

/// The bits of a word that stand for bars.
fn within(word: usize, len: usize) -> u64 {
    match len.saturating_sub(64 * word) {
        0 => 0,
        bars @ 1..64 => (1 << bars) - 1,
        _ => u64::MAX,
    }
}
