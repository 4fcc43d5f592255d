//! Random numbers that depend on a seed and a counter alone, so that no order of work and no number
//! of threads changes them.

/// Random numbers of one round: SplitMix64 over a counter.
/// Source: Steele, Lea & Flood (2014), Fast Splittable Pseudorandom Number Generators.
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The stream of a seed and a round's number.
    pub(crate) fn new(seed: u64, round: u64) -> Self {
        let state = mixed(seed.wrapping_add(Self::STEP)) ^ mixed(round.wrapping_mul(Self::STEP));
        Stream { state }
    }

    /// A number from 0 up to, not including, `bound`, which is above 0 and below 2^32.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(Self::STEP);
        let upper = mixed(self.state) >> 32;
        ((upper * bound as u64) >> 32) as usize
    }
}

fn mixed(word: u64) -> u64 {
    let mut z = word;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
