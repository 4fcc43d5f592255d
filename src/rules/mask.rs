//! A condition over all bars: yes, no or absent a bar, as two bit sets.
//!
//! Three-valued logic (Kleene) is done a word of 64 bars at a time, and [`Mask::next_yes`] jumps
//! from one event to the next without visiting the bars in between. What a condition means is
//! [`super::eval`]'s business.

use crate::lanes;
use crate::lanes::WORD;

/// Yes, no or absent for every bar of a column.
///
/// Invariants: no bar is both yes and no; bits at and beyond `len` are zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mask {
    len: usize,
    yes: Vec<u64>,
    no: Vec<u64>,
}

/// The bits of `len` that the last word of a set may use.
fn tail(len: usize) -> u64 {
    if len.is_multiple_of(64) {
        u64::MAX
    } else {
        (1 << (len % 64)) - 1
    }
}

/// What a column is compared with.
#[derive(Clone, Copy)]
enum Right<'a> {
    Column(&'a [f64]),
    Level(f64),
}

/// Compares a column, 64 bars a step: `yes` and `no` of the words "at least" and "at most" make
/// the two words of a mask. Both bits are 0 where a side is NaN.
#[inline(always)]
fn compared(
    a: &[f64],
    b: Right<'_>,
    yes: impl Fn(u64, u64) -> u64,
    no: impl Fn(u64, u64) -> u64,
) -> Mask {
    let mut mask = Mask::absent(a.len());
    ordered(a, b, (&mut mask.yes, &mut mask.no));
    for (a, b) in mask.yes.iter_mut().zip(&mut mask.no) {
        (*a, *b) = (yes(*a, *b), no(*a, *b));
    }
    mask
}

/// The words "at least" and "at most" of a column against another one or a level.
#[inline(always)]
fn ordered(a: &[f64], b: Right<'_>, (at_least, at_most): (&mut [u64], &mut [u64])) {
    let (words, rest) = a.as_chunks::<WORD>();
    let mut last = [[f64::NAN; WORD]; 2];
    last[0][..rest.len()].copy_from_slice(rest);
    let (at_least, last_least) = at_least.split_at_mut(words.len());
    let (at_most, last_most) = at_most.split_at_mut(words.len());
    let into = (at_least, at_most);
    match b {
        Right::Column(b) => {
            let (others, rest) = b.as_chunks::<WORD>();
            last[1][..rest.len()].copy_from_slice(rest);
            lanes::compare(words.iter().zip(others), into);
        }
        Right::Level(level) => {
            last[1] = [level; WORD];
            lanes::compare(words.iter().map(|word| (word, &last[1])), into);
        }
    }
    if !rest.is_empty() {
        let into = (last_least, last_most);
        lanes::compare(std::iter::once((&last[0], &last[1])), into);
    }
}

impl Mask {
    /// A mask without bars.
    pub(super) const fn none() -> Self {
        Mask {
            len: 0,
            yes: Vec::new(),
            no: Vec::new(),
        }
    }

    /// A mask of `len` bars that are all absent.
    pub fn absent(len: usize) -> Self {
        let words = len.div_ceil(64);
        Mask {
            len,
            yes: vec![0; words],
            no: vec![0; words],
        }
    }

    /// The same answer on every bar; `None` is absent.
    pub fn constant(len: usize, value: Option<bool>) -> Self {
        let mut mask = Mask::absent(len);
        let words = match value {
            Some(true) => &mut mask.yes,
            Some(false) => &mut mask.no,
            None => return mask,
        };
        words.fill(u64::MAX);
        if let Some(last) = words.last_mut() {
            *last = tail(len);
        }
        mask
    }

    /// A mask of the bars on which a condition holds, `yes` being laid out like
    /// [`Mask::yes_words`]; all others are absent.
    pub fn of_yes(len: usize, yes: Vec<u64>) -> Self {
        let words = len.div_ceil(WORD);
        let mut mask = Mask {
            len,
            yes,
            no: vec![0; words],
        };
        mask.yes.resize(words, 0);
        if let Some(last) = mask.yes.last_mut() {
            *last &= tail(len);
        }
        mask
    }

    /// A mask from the answer of each bar.
    pub fn from_fn(len: usize, mut answer: impl FnMut(usize) -> Option<bool>) -> Self {
        let mut mask = Mask::absent(len);
        for i in 0..len {
            mask.set(i, answer(i));
        }
        mask
    }

    /// `a > b` for every bar; absent where either is NaN. The columns have one length.
    pub fn greater(a: &[f64], b: &[f64]) -> Self {
        let len = a.len().min(b.len());
        compared(
            &a[..len],
            Right::Column(&b[..len]),
            |ge, le| ge & !le,
            |_, le| le,
        )
    }

    /// `a > b` and `b > a`, in one look at the columns.
    pub fn greater_both_ways(a: &[f64], b: &[f64]) -> [Self; 2] {
        let len = a.len().min(b.len());
        let [mut more, mut less] = [Mask::absent(len), Mask::absent(len)];
        let into = (&mut less.no[..], &mut more.no[..]);
        ordered(&a[..len], Right::Column(&b[..len]), into);
        let yes = more.yes.iter_mut().zip(&mut less.yes);
        for ((more, less), (ge, le)) in yes.zip(less.no.iter().zip(&more.no)) {
            (*more, *less) = (ge & !le, le & !ge);
        }
        [more, less]
    }

    /// `a > level` for every bar; absent where either is NaN.
    pub fn above(a: &[f64], level: f64) -> Self {
        compared(a, Right::Level(level), |ge, le| ge & !le, |_, le| le)
    }

    /// `a < level` for every bar; absent where either is NaN.
    pub fn below(a: &[f64], level: f64) -> Self {
        compared(a, Right::Level(level), |ge, le| le & !ge, |ge, _| ge)
    }

    /// `a == b` for every bar, exactly; absent where either is NaN.
    pub fn equal(a: &[f64], b: &[f64]) -> Self {
        let len = a.len().min(b.len());
        compared(
            &a[..len],
            Right::Column(&b[..len]),
            |ge, le| ge & le,
            |ge, le| ge ^ le,
        )
    }

    /// `a == level` for every bar, exactly; absent where either is NaN.
    pub fn equal_to(a: &[f64], level: f64) -> Self {
        compared(a, Right::Level(level), |ge, le| ge & le, |ge, le| ge ^ le)
    }

    /// Number of bars.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bar.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The yes bits, bar `i` at bit `i % 64` of word `i / 64`; bits beyond the last bar are 0.
    pub fn yes_words(&self) -> &[u64] {
        &self.yes
    }

    /// The no bits, laid out like [`Mask::yes_words`].
    pub fn no_words(&self) -> &[u64] {
        &self.no
    }

    /// Whether the condition holds on bar `i`; false beyond the last bar.
    pub fn is_yes(&self, i: usize) -> bool {
        self.yes.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// Whether the condition is known not to hold on bar `i`; false beyond the last bar.
    pub fn is_no(&self, i: usize) -> bool {
        self.no.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// The answer on bar `i`; `None` where it is absent and beyond the last bar.
    pub fn get(&self, i: usize) -> Option<bool> {
        if self.is_yes(i) {
            Some(true)
        } else if self.is_no(i) {
            Some(false)
        } else {
            None
        }
    }

    /// Sets the answer of bar `i`, which must be below [`Mask::len`].
    pub fn set(&mut self, i: usize, answer: Option<bool>) {
        let bit = 1 << (i % 64);
        self.yes[i / 64] &= !bit;
        self.no[i / 64] &= !bit;
        match answer {
            Some(true) => self.yes[i / 64] |= bit,
            Some(false) => self.no[i / 64] |= bit,
            None => {}
        }
    }

    /// The answer of the bar before on every bar; absent on the first.
    #[must_use]
    pub fn one_bar_later(&self) -> Mask {
        let later = |words: &[u64]| {
            let mut carry = 0;
            let mut shifted: Vec<u64> = words
                .iter()
                .map(|word| (word << 1) | std::mem::replace(&mut carry, word >> 63))
                .collect();
            if let Some(last) = shifted.last_mut() {
                *last &= tail(self.len);
            }
            shifted
        };
        Mask {
            len: self.len,
            yes: later(&self.yes),
            no: later(&self.no),
        }
    }

    /// The first bar at or after `from` on which the condition holds.
    pub fn next_yes(&self, from: usize) -> Option<usize> {
        let mut index = from / 64;
        let mut word = self.yes.get(index)? & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = *self.yes.get(index)?;
        }
        Some(64 * index + word.trailing_zeros() as usize)
    }

    /// Number of bars on which the condition holds.
    pub fn count_yes(&self) -> usize {
        self.yes.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Yes becomes no and no yes; absent stays absent.
    #[must_use]
    pub fn negated(&self) -> Self {
        Mask {
            len: self.len,
            yes: self.no.clone(),
            no: self.yes.clone(),
        }
    }

    /// Kleene `and`: no when either is no, yes when both are yes, else absent. One length.
    #[must_use]
    pub fn and(&self, other: &Mask) -> Self {
        Mask {
            len: self.len,
            yes: zip(&self.yes, &other.yes, |a, b| a & b),
            no: zip(&self.no, &other.no, |a, b| a | b),
        }
    }

    /// Kleene `or`: yes when either is yes, no when both are no, else absent. One length.
    #[must_use]
    pub fn or(&self, other: &Mask) -> Self {
        Mask {
            len: self.len,
            yes: zip(&self.yes, &other.yes, |a, b| a | b),
            no: zip(&self.no, &other.no, |a, b| a & b),
        }
    }

    /// `then` where `self` is yes, `otherwise` where it is no, absent where it is absent.
    #[must_use]
    pub fn choose(&self, then: &Mask, otherwise: &Mask) -> Self {
        let pick = |then: &[u64], otherwise: &[u64]| {
            let chosen = zip(&self.yes, then, |c, t| c & t);
            let other = zip(&self.no, otherwise, |c, o| c & o);
            zip(&chosen, &other, |a, b| a | b)
        };
        Mask {
            len: self.len,
            yes: pick(&then.yes, &otherwise.yes),
            no: pick(&then.no, &otherwise.no),
        }
    }

    /// The answer of `lag` bars ago; absent on the first `lag` bars.
    #[must_use]
    pub fn lagged(&self, lag: usize) -> Self {
        Mask {
            len: self.len,
            yes: shifted(&self.yes, lag, self.len),
            no: shifted(&self.no, lag, self.len),
        }
    }

    /// Kleene `and` over the last `n` bars, this one included; bars before the first are absent.
    #[must_use]
    pub fn all_of_last(&self, n: usize) -> Self {
        let mut run = 0;
        let mut last_no = None;
        Mask::from_fn(self.len, |i| {
            match self.get(i) {
                Some(true) => run += 1,
                Some(false) => {
                    run = 0;
                    last_no = Some(i);
                }
                None => run = 0,
            }
            if run >= n {
                Some(true)
            } else if last_no.is_some_and(|at: usize| i - at < n) {
                Some(false)
            } else {
                None
            }
        })
    }

    /// Number of yes in the last `n` bars, this one included; NaN unless all `n` are known.
    pub fn count_of_last(&self, n: usize) -> Vec<f64> {
        let bit = |words: &[u64], i: usize| (words[i / 64] >> (i % 64) & 1) as usize;
        let (mut yes, mut known) = (0, 0);
        (0..self.len)
            .map(|i| {
                yes += bit(&self.yes, i);
                known += bit(&self.yes, i) + bit(&self.no, i);
                if i >= n {
                    yes -= bit(&self.yes, i - n);
                    known -= bit(&self.yes, i - n) + bit(&self.no, i - n);
                }
                if known == n { yes as f64 } else { f64::NAN }
            })
            .collect()
    }

    /// Bars since the condition last held: 0 on such a bar, NaN before the first.
    pub fn bars_since(&self) -> Vec<f64> {
        let mut last = None;
        (0..self.len)
            .map(|i| {
                if self.is_yes(i) {
                    last = Some(i);
                }
                last.map_or(f64::NAN, |at| (i - at) as f64)
            })
            .collect()
    }

    /// Takes the bars `from..to` over from `source`, which stands on the same bars.
    pub fn copy_range(&mut self, source: &Mask, from: usize, to: usize) {
        let to = to.min(self.len).min(source.len);
        if from >= to {
            return;
        }
        for word in from / 64..=(to - 1) / 64 {
            let low = u64::MAX << from.saturating_sub(64 * word).min(63);
            let within = low & tail((to - 64 * word).min(64));
            self.yes[word] = self.yes[word] & !within | source.yes[word] & within;
            self.no[word] = self.no[word] & !within | source.no[word] & within;
        }
    }
}

/// `f` of every pair of words.
fn zip(a: &[u64], b: &[u64], f: impl Fn(u64, u64) -> u64) -> Vec<u64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// Bits moved up by `lag`, zeros moving in, cut at `len`.
fn shifted(words: &[u64], lag: usize, len: usize) -> Vec<u64> {
    let mut moved = vec![0; words.len()];
    let (skip, by) = (lag / 64, lag % 64);
    for (at, out) in moved.iter_mut().enumerate().skip(skip) {
        *out = words[at - skip] << by;
        if by > 0 && at > skip {
            *out |= words[at - skip - 1] >> (64 - by);
        }
    }
    if let Some(last) = moved.last_mut() {
        *last &= tail(len);
    }
    moved
}
