//! Prices at session ends, summed up so that a stretch of holding costs the same however long it is.
//!
//! While shares are held and no cash lies beside them, the equity is a multiple of the price: its
//! returns are the price's, and sums over a stretch are differences of running sums. How far it fell
//! follows from the extremes of the price, unless a new peak lies inside the stretch. The tables are
//! small, since what they take of the cache the columns of indicators lack.

use crate::lanes::{Loop, wide};

/// Session returns of a price, summed from the first on.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
pub(crate) struct Sums {
    pub(crate) sum: f64,
    pub(crate) squares: f64,
    /// Sum of min(r, 0)^2.
    pub(crate) downside: f64,
}

/// The highest and the lowest of a stretch of prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extremes {
    pub(crate) most: f64,
    pub(crate) least: f64,
}

impl Extremes {
    /// Of no price.
    const NONE: Extremes = Extremes {
        most: f64::NEG_INFINITY,
        least: f64::INFINITY,
    };

    /// Of one price.
    #[inline(always)]
    fn one(price: f64) -> Self {
        Extremes {
            most: price,
            least: price,
        }
    }

    /// Of both stretches.
    #[inline(always)]
    fn and(self, other: Extremes) -> Self {
        Extremes {
            most: if other.most > self.most {
                other.most
            } else {
                self.most
            },
            least: if other.least < self.least {
                other.least
            } else {
                self.least
            },
        }
    }
}

/// Prices of a block whose extremes are known, on tapes up to [`SHORT`] and on longer ones.
const BLOCKS: [usize; 2] = [32, 64];
/// Tapes up to this length know their extremes up to each price of a block, and from it on, too.
const SHORT: usize = 8_192;

/// Running sums and extremes of one tape's prices at session ends.
pub(crate) struct Table {
    returns: Returns,
    /// Of whole blocks.
    extremes: Sparse,
    /// Of a block's prices from each on, and up to each; empty on long tapes.
    from: Vec<Extremes>,
    upto: Vec<Extremes>,
    /// Prices a block.
    block: usize,
}

/// Running sums of the session returns.
enum Returns {
    Whole(Vec<Sums>),
    /// Sums and squares alone, half as large: what bare runs of long tapes ask for.
    Bare(Vec<[f64; 2]>),
}

impl Table {
    /// `bare`: the sums of falls are not asked for, and are 0.
    pub(crate) fn new(marks: &[f64], bare: bool) -> Self {
        let is_short = marks.len() <= SHORT;
        let block = BLOCKS[usize::from(!is_short)];
        let blocks: Vec<Extremes> = marks.chunks(block).map(extremes_of).collect();
        let short = if is_short { marks } else { &[] };
        let (mut from, mut upto): (Vec<_>, Vec<_>) = short
            .iter()
            .map(|m| (Extremes::one(*m), Extremes::one(*m)))
            .unzip();
        for (from, upto) in from.chunks_mut(block).zip(upto.chunks_mut(block)) {
            for i in 1..upto.len() {
                upto[i] = upto[i - 1].and(upto[i]);
            }
            for i in (1..from.len()).rev() {
                from[i - 1] = from[i - 1].and(from[i]);
            }
        }
        Table {
            returns: match bare {
                true => Returns::Bare(running_sums(marks).map(|s| [s.sum, s.squares]).collect()),
                false => Returns::Whole(running_sums(marks).collect()),
            },
            extremes: Sparse::new(&blocks),
            from,
            upto,
            block,
        }
    }

    /// Sums of the returns from price `from` to price `to`.
    #[inline]
    pub(crate) fn between(&self, from: usize, to: usize) -> Sums {
        match &self.returns {
            Returns::Whole(sums) => {
                let (a, b) = (sums[from], sums[to]);
                Sums {
                    sum: b.sum - a.sum,
                    squares: b.squares - a.squares,
                    downside: b.downside - a.downside,
                }
            }
            Returns::Bare(sums) => {
                let (a, b) = (sums[from], sums[to]);
                Sums {
                    sum: b[0] - a[0],
                    squares: b[1] - a[1],
                    downside: 0.0,
                }
            }
        }
    }

    /// Extremes of the prices `from..to`, which must not be empty.
    #[inline]
    pub(crate) fn extremes(&self, marks: &[f64], from: usize, to: usize) -> Extremes {
        let last = to - 1;
        let (first_block, last_block) = (from / self.block, last / self.block);
        if first_block == last_block {
            return extremes_of(&marks[from..to]);
        }
        let ends = match (self.from.get(from), self.upto.get(last)) {
            (Some(from), Some(upto)) => from.and(*upto),
            _ => {
                let (head, tail) = ((first_block + 1) * self.block, last_block * self.block);
                extremes_of(&marks[from..head]).and(extremes_of(&marks[tail..to]))
            }
        };
        match last_block - first_block {
            1 => ends,
            _ => ends.and(self.extremes.over(first_block + 1, last_block)),
        }
    }
}

/// Running sums with what rounding loses carried along, so that a difference of two far along is as
/// exact as one at the start. Source: Neumaier (1974), ZAMM 54(1).
fn running_sums(marks: &[f64]) -> impl Iterator<Item = Sums> + '_ {
    let mut exact = [(0.0_f64, 0.0_f64); 3];
    let mut before = marks.first().copied().unwrap_or(1.0);
    marks.iter().map(move |&mark| {
        let r = mark / before - 1.0;
        let fall = if r < 0.0 { r } else { 0.0 };
        before = mark;
        for ((sum, lost), term) in exact.iter_mut().zip([r, r * r, fall * fall]) {
            let next = *sum + term;
            *lost += if sum.abs() >= term.abs() {
                (*sum - next) + term
            } else {
                (term - next) + *sum
            };
            *sum = next;
        }
        let [sum, squares, downside] = exact.map(|(sum, lost)| sum + lost);
        Sums {
            sum,
            squares,
            downside,
        }
    })
}

/// The extremes of some prices.
fn extremes_of(marks: &[f64]) -> Extremes {
    match marks.len() {
        // So few are gone through before vectors are set up.
        ..12 => marks
            .iter()
            .fold(Extremes::NONE, |all, m| all.and(Extremes::one(*m))),
        _ => wide(Look(marks)),
    }
}

/// Several prices abreast, which the compiler makes vectors of.
struct Look<'a>(&'a [f64]);

impl Loop for Look<'_> {
    type Out = Extremes;

    #[inline(always)]
    fn run(self) -> Extremes {
        const LANES: usize = 8;
        let (mut most, mut least) = ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        // The last eight once more, in stead of those that are left over.
        let last = self.0.last_chunk::<LANES>().filter(|_| !rest.is_empty());
        for part in chunks.iter().chain(last) {
            for ((most, least), &mark) in most.iter_mut().zip(&mut least).zip(part) {
                *most = if mark > *most { mark } else { *most };
                *least = if mark < *least { mark } else { *least };
            }
        }
        let lanes = most.iter().zip(&least);
        lanes.fold(Extremes::NONE, |all, (&most, &least)| {
            all.and(Extremes { most, least })
        })
    }
}

/// Extremes of every stretch from two joins: on each level, the extremes from and to the middle of
/// each block of twice the size (a disjoint sparse table).
struct Sparse {
    /// Level after level.
    all: Vec<Extremes>,
    /// Leaves, which are the first level.
    leaves: usize,
}

impl Sparse {
    fn new(leaves: &[Extremes]) -> Self {
        let n = leaves.len();
        let levels = 1 + n.next_power_of_two().trailing_zeros() as usize;
        let mut all = Vec::with_capacity(levels * n);
        all.extend_from_slice(leaves);
        let mut half = 1;
        while half < n {
            let start_of_level = all.len();
            all.extend_from_slice(leaves);
            let level = &mut all[start_of_level..];
            for start in (0..n).step_by(2 * half) {
                let middle = (start + half).min(n);
                for i in (start..middle.saturating_sub(1)).rev() {
                    level[i] = leaves[i].and(level[i + 1]);
                }
                for i in middle + 1..(middle + half).min(n) {
                    level[i] = level[i - 1].and(leaves[i]);
                }
            }
            half *= 2;
        }
        Sparse { all, leaves: n }
    }

    #[inline]
    fn over(&self, from: usize, to: usize) -> Extremes {
        let last = to - 1;
        // The highest bit in which both ends differ names the level whose middle lies between; none
        // does where they are one leaf.
        let level = (usize::BITS - (from ^ last).leading_zeros()) as usize;
        let at = level * self.leaves;
        self.all[at + from].and(self.all[at + last])
    }
}
