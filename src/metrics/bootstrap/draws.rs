//! Where the blocks of a replicate start and how long they are, and nothing about what is summed
//! over them.

/// The blocks of the stationary bootstrap over a record of `n` returns laid in a circle.
///
/// Every replicate draws from a stream of its own, which depends on the seed and its number
/// alone; records of one length that are drawn with one seed and block are paired.
/// Source: Politis & Romano (1994), The Stationary Bootstrap, JASA 89.
#[derive(Debug, Clone)]
pub struct Draws {
    /// Chances of 2^32 that a block is longer than 1, 2, 3 … returns.
    longer: Vec<u32>,
    /// Shortest length of the draws with each of the 256 leading bytes.
    shortest: Vec<u32>,
    n: usize,
    seed: u64,
}

impl Draws {
    /// Blocks of mean length `block` (at least 1, in returns) over `n` returns.
    pub fn new(n: usize, block: f64, seed: u64) -> Self {
        let longer = chances_longer(block);
        let shortest = (0..=255_u32)
            .map(|byte| 1 + longer.partition_point(|l| byte << 24 | 0x00ff_ffff < *l) as u32)
            .collect();
        Draws {
            longer,
            shortest,
            n,
            seed,
        }
    }

    /// Calls `take(start, length)` for each block of a replicate in order. Starts are below `n`;
    /// a block may run over the end, where the record begins again; lengths add up to `n`.
    #[inline]
    pub fn blocks(&self, replicate: u64, mut take: impl FnMut(usize, usize)) {
        let stream = mix(self.seed.wrapping_add(mix(replicate.wrapping_add(GOLDEN))));
        let mut draw = stream;
        let mut left = self.n;
        while left > 0 {
            draw = draw.wrapping_add(GOLDEN);
            let bits = mix(draw);
            // The upper half says where the block starts, the lower how long it is.
            let start = (((bits >> 32) * self.n as u64) >> 32) as usize;
            let length = self.length(bits as u32).min(left);
            take(start, length);
            left -= length;
        }
    }

    /// Length of a block. Most draws of equal leading bits have one length, so that the walk
    /// starts where it ends.
    #[inline]
    fn length(&self, chance: u32) -> usize {
        let mut length = self.shortest[(chance >> 24) as usize] as usize;
        while self.longer.get(length - 1).is_some_and(|l| chance < *l) {
            length += 1;
        }
        length
    }
}

/// Of a geometric law with mean `block`: chances of 2^32 that a draw exceeds 1, 2, 3 …
fn chances_longer(block: f64) -> Vec<u32> {
    let go_on = 1.0 - 1.0 / block;
    let mut chance = 4_294_967_296.0;
    let mut chances = Vec::new();
    loop {
        chance *= go_on;
        if chance < 1.0 {
            return chances;
        }
        chances.push(chance as u32);
    }
}

/// A number evenly from [0, 1), in steps of 2^-53, that depends on the seed and a counter alone.
pub fn uniform(seed: u64, counter: u64) -> f64 {
    let bits = mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(counter.wrapping_mul(GOLDEN)));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Step of the counter: 2^64 over the golden ratio, odd.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Scrambles a counter to 64 random bits.
/// Source: Steele, Lea & Flood (2014), Fast Splittable Pseudorandom Number Generators (SplitMix64).
fn mix(counter: u64) -> u64 {
    let mut z = counter;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
