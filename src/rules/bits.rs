//! The conditions on top of a family's shared columns, as words of 64 bars.
//!
//! What a sweep asks of a condition is where it holds, so that only the answers that reach the root
//! are computed: of `a and b` the yes, of `not a` the no of `a`. A comparison and its mirror image
//! (`fast > slow`, `slow > fast`) are one look at both columns. Long tapes are taken a piece at a
//! time for many points, so that a piece of a column is read from memory once for all of them.

use super::plan::{ExprId, Op, Plan};
use super::stream::{Stream, Window};
use crate::lanes::{self, WORD};

/// Words of a piece: the columns of some tens of points stay in the second cache.
const PIECE: usize = 32;
/// The same where columns are computed piece by piece: what each brings along is then a small part.
const PIECE_STREAMED: usize = 64;
/// Farthest look back, in bars, that a piece brings along.
const LAG_MAX: u32 = 4_096;

/// Conditions compiled to words.
pub(super) struct Bits {
    steps: Vec<Step>,
    registers: usize,
    /// Words before a piece that are computed with it, for looking back.
    halo: usize,
    /// The register of each wanted condition's yes; `None` for numbers.
    roots: Vec<Option<usize>>,
}

/// A number that is compared: a part of the family, or a constant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Part(u32),
    Level(f64),
}

/// One step from registers to a register. A register holds one answer (yes or no) of a node.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// `a > b`, known not, `b > a`, known not.
    Order(Side, Side, [Option<usize>; 4]),
    /// `a == b`, known not.
    Same(Side, Side, [Option<usize>; 2]),
    /// Yes and no of a part that is a condition.
    Part(u32, [Option<usize>; 2]),
    And(usize, usize, usize),
    Or(usize, usize, usize),
    Shift(usize, usize, u32),
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
const YES: usize = 0;
const NO: usize = 1;

impl Bits {
    /// Compiles `wanted`; `None` when something on top is more than comparisons and logic.
    pub(super) fn new(top: &Plan, order: &[ExprId], wanted: &[ExprId]) -> Option<Self> {
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
            steps: Vec::new(),
            registers: 0,
            halo: 0,
            roots: Vec::new(),
        };
        let mut places: Vec<[Option<usize>; 2]> = vec![[None; 2]; top.nodes.len()];
        let mut looks_back = vec![0_usize; top.nodes.len()];
        for id in order {
            bits.step(top, *id, &needs, &mut places)?;
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
        top: &Plan,
        id: ExprId,
        needs: &[Needs],
        places: &mut [[Option<usize>; 2]],
    ) -> Option<()> {
        let side = |id: ExprId| match top.op(id) {
            Op::Part(part) => Some(Side::Part(part)),
            Op::Number(bits) => Some(Side::Level(f64::from_bits(bits))),
            _ => None,
        };
        let at = id.index();
        let mut own = [None; 2];
        for answer in [YES, NO] {
            if needs[at][answer] && !matches!(top.op(id), Op::Not(_)) {
                own[answer] = Some(self.registers);
                self.registers += 1;
            }
        }
        match top.op(id) {
            Op::Greater(a, b) => self.order(side(a)?, side(b)?, own),
            Op::Equal(a, b) => self.steps.push(Step::Same(side(a)?, side(b)?, own)),
            Op::Part(part) if own != [None; 2] => self.steps.push(Step::Part(part, own)),
            Op::Truth(value) => {
                for (answer, place) in own.into_iter().enumerate() {
                    let holds = value == Some(answer == YES);
                    self.steps.extend(place.map(|to| Step::Fill(to, holds)));
                }
            }
            Op::Not(a) => own = [places[a.index()][NO], places[a.index()][YES]],
            Op::And(a, b) | Op::Or(a, b) => {
                let is_and = matches!(top.op(id), Op::And(..));
                for answer in [YES, NO] {
                    let inputs = (places[a.index()][answer], places[b.index()][answer]);
                    if let (Some(to), (Some(a), Some(b))) = (own[answer], inputs) {
                        // Yes of `and` is both, no of it is either; of `or` the other way round.
                        let both = is_and == (answer == YES);
                        self.steps.push(match both {
                            true => Step::And(to, a, b),
                            false => Step::Or(to, a, b),
                        });
                    }
                }
            }
            Op::Lag(a, n) => {
                for answer in [YES, NO] {
                    if let (Some(to), Some(a)) = (own[answer], places[a.index()][answer]) {
                        self.steps.push(Step::Shift(to, a, n));
                    }
                }
            }
            _ => {}
        }
        places[at] = own;
        Some(())
    }

    /// Adds a comparison, to its mirror image when that is there already.
    fn order(&mut self, a: Side, b: Side, own: [Option<usize>; 2]) {
        let mirror = self.steps.iter_mut().find_map(|step| match step {
            Step::Order(x, y, [.., yes, no]) if (*x, *y) == (b, a) => Some([yes, no]),
            _ => None,
        });
        match mirror {
            Some([yes, no]) => [*yes, *no] = own,
            None => self
                .steps
                .push(Step::Order(a, b, [own[YES], own[NO], None, None])),
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

    /// Where the wanted conditions hold on `len` bars: for each of several points the words of each,
    /// none for numbers.
    ///
    /// `parts` are the operands of point after point, by part, and how many points there are.
    pub(super) fn run(
        &self,
        (parts, points): (&[Operand<'_>], usize),
        streams: &[&Stream],
        len: usize,
    ) -> Vec<Vec<u64>> {
        let words = len.div_ceil(64);
        let blank = |at: usize| match self.roots[at % self.roots.len()] {
            Some(_) => Vec::with_capacity(words),
            None => Vec::new(),
        };
        let mut out: Vec<Vec<u64>> = (0..points * self.roots.len()).map(blank).collect();
        // One point reads nothing twice, and short columns stay in the cache anyhow.
        let piece = if !streams.is_empty() {
            PIECE_STREAMED
        } else if points == 1 || words <= 2 * PIECE {
            words.max(1)
        } else {
            PIECE
        };
        let count = parts.len() / points.max(1);
        let stride = piece + self.halo;
        // Two more than there are answers, for comparisons.
        let mut registers = vec![0; (self.registers + 2) * stride];
        for from in (0..words).step_by(piece) {
            let to = (from + piece).min(words);
            let start = from.saturating_sub(self.halo);
            let bars = WORD * start..(WORD * to).min(len);
            let windows = streams.iter().map(|stream| stream.window(bars.clone()));
            let windows: Vec<Window> = windows.collect();
            for (point, out) in out.chunks_mut(self.roots.len().max(1)).enumerate() {
                let piece = Piece {
                    operands: &parts[point * count..(point + 1) * count],
                    windows: &windows,
                    len,
                    words: (start, to),
                    stride,
                };
                for step in &self.steps {
                    piece.take(*step, &mut registers);
                }
                for (root, out) in self.roots.iter().zip(out) {
                    if let Some(root) = root {
                        let at = root * stride + (from - start);
                        out.extend_from_slice(&registers[at..at + (to - from)]);
                    }
                }
            }
        }
        out
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

impl Piece<'_> {
    fn count(&self) -> usize {
        self.words.1 - self.words.0
    }

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

    fn take(&self, step: Step, registers: &mut [u64]) {
        let n = self.count();
        let register = |k: usize| k * self.stride..k * self.stride + n;
        match step {
            Step::Order(a, b, to) => self.order(a, b, to, registers),
            Step::Same(a, b, to) => self.same(a, b, to, registers),
            Step::Part(part, to) => self.part(part, to, registers),
            Step::And(to, a, b) => combine(
                registers,
                register(to),
                [register(a), register(b)],
                |a, b| a & b,
            ),
            Step::Or(to, a, b) => combine(
                registers,
                register(to),
                [register(a), register(b)],
                |a, b| a | b,
            ),
            Step::Fill(to, holds) => {
                for (word, out) in (self.words.0..).zip(&mut registers[register(to)]) {
                    *out = if holds { within(word, self.len) } else { 0 };
                }
            }
            Step::Shift(to, a, lag) => {
                let (before, after) = registers.split_at_mut(register(to).start);
                let (a, out) = (&before[register(a)], &mut after[..n]);
                shift(a, out, lag);
                if let Some(last) = out.last_mut() {
                    *last &= within(self.words.1 - 1, self.len);
                }
            }
        }
    }

    /// Compares two sides: the answers are more, known not more, less, known not less.
    fn order(&self, a: Side, b: Side, to: [Option<usize>; 4], registers: &mut [u64]) {
        self.compared(a, b, registers);
        self.answer(registers, to, |at_least, at_most| {
            [at_least & !at_most, at_most, at_most & !at_least, at_least]
        });
    }

    /// Compares two sides: the answers are equal, known to differ.
    fn same(&self, a: Side, b: Side, to: [Option<usize>; 2], registers: &mut [u64]) {
        self.compared(a, b, registers);
        self.answer(registers, to, |at_least, at_most| {
            [at_least & at_most, at_least ^ at_most]
        });
    }

    /// Writes the answers that somebody asks for, from the words of the last comparison.
    fn answer<const N: usize>(
        &self,
        registers: &mut [u64],
        to: [Option<usize>; N],
        answers: impl Fn(u64, u64) -> [u64; N],
    ) {
        let n = self.count();
        let (registers, spare) = registers.split_at_mut(registers.len() - 2 * self.stride);
        let (at_least, at_most) = spare.split_at(self.stride);
        for (answer, to) in to.into_iter().enumerate() {
            let Some(to) = to else {
                continue;
            };
            let out = &mut registers[to * self.stride..to * self.stride + n];
            for ((out, at_least), at_most) in out.iter_mut().zip(at_least).zip(at_most) {
                *out = answers(*at_least, *at_most)[answer];
            }
        }
    }

    /// Puts the words "at least" and "at most" of two sides into the last two registers; both bits
    /// are 0 where one of the sides is absent.
    fn compared(&self, a: Side, b: Side, registers: &mut [u64]) {
        let at = registers.len() - 2 * self.stride;
        let (at_least, at_most) = registers[at..].split_at_mut(self.stride);
        let mut words = at_least.iter_mut().zip(at_most);
        let mut put = |more: u64, less: u64| {
            if let Some((at_least, at_most)) = words.next() {
                (*at_least, *at_most) = (more, less);
            }
        };
        match (self.side(a), self.side(b)) {
            (Operand::Column(a, a_first), Operand::Column(b, b_first)) => {
                let ((a, a_last), (b, b_last)) = (self.bars(a, a_first), self.bars(b, b_first));
                lanes::compare(a.iter().zip(b), &mut put);
                lanes::compare(a_last.iter().zip(&b_last), put);
            }
            (Operand::Column(a, first), Operand::Level(level)) => {
                let ((a, a_last), b) = (self.bars(a, first), [level; WORD]);
                lanes::compare(a.iter().map(|a| (a, &b)), &mut put);
                lanes::compare(a_last.iter().map(|a| (a, &b)), put);
            }
            (Operand::Level(level), Operand::Column(b, first)) => {
                let (a, (b, b_last)) = ([level; WORD], self.bars(b, first));
                lanes::compare(b.iter().map(|b| (&a, b)), &mut put);
                lanes::compare(b_last.iter().map(|b| (&a, b)), put);
            }
            (Operand::Level(a), Operand::Level(b)) => {
                for word in self.words.0..self.words.1 {
                    let all = within(word, self.len);
                    put(if a >= b { all } else { 0 }, if a <= b { all } else { 0 });
                }
            }
            _ => (self.words.0..self.words.1).for_each(|_| put(0, 0)),
        }
    }

    /// The bars of the whole words of the piece, and those of a word that is not whole, absent
    /// beyond the last bar. The column begins at bar `first`.
    fn bars<'c>(
        &self,
        column: &'c [f64],
        first: usize,
    ) -> (&'c [[f64; WORD]], Option<[f64; WORD]>) {
        let to = (WORD * self.words.1).min(self.len);
        let (whole, rest) = column[WORD * self.words.0 - first..to - first].as_chunks::<WORD>();
        let last = (!rest.is_empty()).then(|| {
            let mut bars = [f64::NAN; WORD];
            bars[..rest.len()].copy_from_slice(rest);
            bars
        });
        (whole, last)
    }

    fn part(&self, part: u32, to: [Option<usize>; 2], registers: &mut [u64]) {
        for (answer, to) in to.into_iter().enumerate() {
            let Some(to) = to else {
                continue;
            };
            for k in 0..self.count() {
                let word = self.words.0 + k;
                registers[to * self.stride + k] = match self.operands[part as usize] {
                    Operand::Condition(yes, no) => [yes, no][answer][word],
                    Operand::Truth(value) if value == Some(answer == YES) => within(word, self.len),
                    _ => 0,
                };
            }
        }
    }
}

/// `f` of two registers into a third, which comes after both.
fn combine(
    registers: &mut [u64],
    to: std::ops::Range<usize>,
    [a, b]: [std::ops::Range<usize>; 2],
    f: impl Fn(u64, u64) -> u64,
) {
    let (before, after) = registers.split_at_mut(to.start);
    let out = &mut after[..to.len()];
    for ((out, a), b) in out.iter_mut().zip(&before[a]).zip(&before[b]) {
        *out = f(*a, *b);
    }
}

/// Bits moved up by `lag`, zeros moving in.
fn shift(a: &[u64], out: &mut [u64], lag: u32) {
    let (skip, by) = (lag as usize / 64, lag % 64);
    let skip = skip.min(out.len());
    out[..skip].fill(0);
    let moved = &a[..a.len() - skip];
    let mut carry = 0;
    for (out, word) in out[skip..].iter_mut().zip(moved) {
        *out = word << by | carry;
        carry = if by > 0 { word >> (64 - by) } else { 0 };
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
