//! Sets of bars as bits, of one or of many points at once.
//!
//! On long tapes words that are 0 take no room: where a condition seldom holds, which is what crossings
//! do, a tape's bars cost a fraction of a bit each. Short tapes are kept as they are, which is quicker.
//! Whoever walks from event to event asks for later and later bars, so that a [`Cursor`] finds the next
//! one where it found the last.

use crate::lanes::WORD;

/// Words of a block.
pub(super) const BLOCK: usize = 64;
/// Sets of more words than this are packed.
const WORDS_PLAIN: usize = 512;

/// So many words: bit `k` says that word `k` is not 0; those words stand one after the other.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    which: u64,
    /// Place of the first of them.
    at: usize,
}

/// Sets of bars, and room that is used again for the next ones.
#[derive(Debug)]
pub struct Room {
    /// Of packed sets; else empty.
    blocks: Vec<Block>,
    words: Vec<u64>,
    /// Blocks of each set, words where they are not packed.
    length: usize,
    is_packed: bool,
    spare: [u64; BLOCK],
    /// Words that conditions are worked out in: of comparisons, and of the steps that follow.
    pub(super) work: (Vec<u64>, Vec<u64>),
}

impl Default for Room {
    fn default() -> Self {
        Room {
            blocks: Vec::new(),
            words: Vec::new(),
            length: 0,
            is_packed: false,
            spare: [0; BLOCK],
            work: (Vec::new(), Vec::new()),
        }
    }
}

impl Room {
    /// Makes room for `sets` empty sets over so many bars.
    pub(super) fn clear(&mut self, sets: usize, bars: usize) {
        let words = bars.div_ceil(WORD);
        self.is_packed = words > WORDS_PLAIN;
        self.words.clear();
        self.blocks.clear();
        if self.is_packed {
            self.length = words.div_ceil(BLOCK);
            self.blocks.resize(sets * self.length, Block::default());
        } else {
            self.length = words;
            self.words.resize(sets * words, 0);
        }
    }

    /// The words of a set from word `from` on, which begins a block; at most a block of them.
    #[inline]
    pub(super) fn put(&mut self, set: usize, from: usize, words: &[u64]) {
        if !self.is_packed {
            let at = set * self.length + from;
            self.words[at..at + words.len()].copy_from_slice(words);
            return;
        }
        let (mut count, mut which) = (0, 0_u64);
        for (k, &word) in words.iter().enumerate() {
            // Overwritten by the next one when it is 0.
            self.spare[count % BLOCK] = word;
            let is_some = u64::from(word != 0);
            which |= is_some << k;
            count += is_some as usize;
        }
        self.blocks[set * self.length + from / BLOCK] = Block {
            which,
            at: self.words.len(),
        };
        self.words.extend_from_slice(&self.spare[..count]);
    }

    /// One of the sets.
    #[inline]
    pub(super) fn set(&self, set: usize) -> BarSet<'_> {
        let own = set * self.length..(set + 1) * self.length;
        match self.is_packed {
            true => BarSet {
                blocks: &self.blocks[own],
                words: &self.words,
            },
            false => BarSet {
                blocks: &[],
                words: &self.words[own],
            },
        }
    }
}

/// A set of bars.
#[derive(Debug, Clone, Copy)]
pub struct BarSet<'a> {
    /// None where every word stands in its place.
    blocks: &'a [Block],
    /// Words, of packed sets those of all sets of the room.
    words: &'a [u64],
}

impl<'a> BarSet<'a> {
    /// The bits, bar `i` at bit `i % 64` of word `i / 64`, `words` of them.
    pub fn words(&self, words: usize) -> Vec<u64> {
        if self.blocks.is_empty() {
            return self.words.to_vec();
        }
        let mut all = vec![0; words];
        for (block, into) in self.blocks.iter().zip(all.chunks_mut(BLOCK)) {
            let mut at = block.at;
            for (k, word) in into.iter_mut().enumerate() {
                if block.which >> k & 1 == 1 {
                    *word = self.words[at];
                    at += 1;
                }
            }
        }
        all
    }

    /// Before the first bar.
    #[inline]
    pub fn cursor(self) -> Cursor<'a> {
        match self.blocks {
            [] => Cursor::Plain(self.words),
            [first, ..] => Cursor::Packed(Packed {
                block: 0,
                left: first.which,
                at: first.at,
                set: self,
            }),
        }
    }
}

/// A set of bars whose members are asked for in their order.
#[derive(Debug)]
pub enum Cursor<'a> {
    /// Bits, bar `i` at bit `i % 64` of word `i / 64`.
    Plain(&'a [u64]),
    /// The same.
    Own(Vec<u64>),
    /// Without the words that are 0.
    Packed(Packed<'a>),
}

impl Cursor<'_> {
    /// The first member at or after bar `from`, which is not before those asked for earlier.
    #[inline(always)]
    pub fn next(&mut self, from: usize) -> Option<usize> {
        match self {
            Cursor::Plain(words) => next_bar(words, from),
            Cursor::Own(words) => next_bar(words, from),
            Cursor::Packed(packed) => packed.next(from),
        }
    }
}

/// The first set bit at or after `from`.
#[inline]
pub(crate) fn next_bar(words: &[u64], from: usize) -> Option<usize> {
    let mut index = from / WORD;
    let mut word = words.get(index)? & (u64::MAX << (from % WORD));
    while word == 0 {
        index += 1;
        word = *words.get(index)?;
    }
    Some(WORD * index + word.trailing_zeros() as usize)
}

/// Where a cursor stands in a packed set: a block, which of its words it has not passed, and the place
/// of the first of these.
#[derive(Debug)]
pub struct Packed<'a> {
    set: BarSet<'a>,
    block: usize,
    left: u64,
    at: usize,
}

impl Packed<'_> {
    fn next(&mut self, from: usize) -> Option<usize> {
        let (word, block) = (from / WORD, from / (WORD * BLOCK));
        if block > self.block {
            self.enter(block)?;
        }
        loop {
            while self.left == 0 {
                self.enter(self.block + 1)?;
            }
            let here = BLOCK * self.block + self.left.trailing_zeros() as usize;
            if here >= word {
                let passed = if here == word { from % WORD } else { 0 };
                let bits = self.set.words[self.at] & (u64::MAX << passed);
                if bits != 0 {
                    return Some(WORD * here + bits.trailing_zeros() as usize);
                }
            }
            self.left &= self.left - 1;
            self.at += 1;
        }
    }

    fn enter(&mut self, block: usize) -> Option<()> {
        let new = self.set.blocks.get(block)?;
        (self.block, self.left, self.at) = (block, new.which, new.at);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_finds_what_plain_bits_say() {
        // Dense, sparse, empty and full stretches over several blocks, not packed and packed.
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        for (kind, count) in [(0, 300), (1, 300), (0, 700), (1, 700), (2, 700), (3, 700)] {
            let words: Vec<u64> = (0..count)
                .map(|k| match (kind, k / 70 % 3) {
                    (0, _) => draw() << 40 ^ draw(),
                    (1, _) if draw() % 9 == 0 => 1 << (draw() % 64),
                    (2, 0) => u64::MAX,
                    (3, 1) => draw(),
                    _ => 0,
                })
                .collect();
            let bars = WORD * words.len();
            let mut room = Room::default();
            room.clear(2, bars);
            for (k, part) in words.chunks(BLOCK).enumerate() {
                room.put(0, k * BLOCK, &vec![u64::MAX; part.len()]);
                room.put(1, k * BLOCK, part);
            }
            assert_eq!(room.is_packed, count > WORDS_PLAIN);
            assert_eq!(room.set(1).words(words.len()), words);
            assert_eq!(room.set(0).words(words.len()), vec![u64::MAX; count]);
            let holds = |bar: usize| words[bar / WORD] >> (bar % WORD) & 1 == 1;
            for step in [1, 7, 64, 1_000, 9_000] {
                let mut cursor = room.set(1).cursor();
                let mut plain = 0;
                for from in (0..bars + 100).step_by(step) {
                    plain = plain.max(from);
                    while plain < bars && !holds(plain) {
                        plain += 1;
                    }
                    let expected = (plain < bars).then_some(plain);
                    assert_eq!(cursor.next(from), expected, "from {from}");
                }
            }
        }
    }
}
