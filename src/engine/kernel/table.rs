//! Prices at session ends, summed up so that a stretch of holding costs the same however long it is.
//!
//! While shares are held and no cash lies beside them, the equity is a multiple of the price: its
//! returns are the price's, and sums over a stretch are differences of running sums. How far it fell
//! follows from the extremes of the price, unless a new peak lies inside the stretch.

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
    /// Of both stretches.
    #[inline]
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

/// Prices of a block whose extremes are summed up ahead, on long tapes.
const BLOCK: usize = 64;
/// Tapes up to this length are summed up price by price.
const SHORT: usize = 8_192;

/// Running sums and extremes of one tape's prices at session ends.
pub(crate) struct Table {
    returns: Returns,
    extremes: Sparse,
    /// Prices a leaf of `extremes`.
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
        let block = if marks.len() <= SHORT { 1 } else { BLOCK };
        let leaves = marks.chunks(block).map(extremes_of).collect();
        Table {
            returns: match bare {
                true => Returns::Bare(running_sums(marks).map(|s| [s.sum, s.squares]).collect()),
                false => Returns::Whole(running_sums(marks).collect()),
            },
            extremes: Sparse::new(leaves),
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
        if self.block == 1 {
            return self.extremes.over(from, to);
        }
        let (first, last) = (from.div_ceil(self.block), to / self.block);
        if first >= last {
            return extremes_of(&marks[from..to]);
        }
        let mut all = self.extremes.over(first, last);
        if from < first * self.block {
            all = all.and(extremes_of(&marks[from..first * self.block]));
        }
        if last * self.block < to {
            all = all.and(extremes_of(&marks[last * self.block..to]));
        }
        all
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

/// The extremes of some prices; the lanes are what the compiler makes vectors of.
fn extremes_of(marks: &[f64]) -> Extremes {
    const LANES: usize = 8;
    let (mut most, mut least) = ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]);
    for part in marks.chunks(LANES) {
        for ((most, least), &mark) in most.iter_mut().zip(&mut least).zip(part) {
            *most = if mark > *most { mark } else { *most };
            *least = if mark < *least { mark } else { *least };
        }
    }
    Extremes {
        most: most.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b)),
        least: least.iter().fold(f64::INFINITY, |a, &b| a.min(b)),
    }
}

/// Extremes of every stretch from two joins: on each level, the extremes from and to the middle of
/// each block of twice the size (a disjoint sparse table).
struct Sparse {
    levels: Vec<Vec<Extremes>>,
}

impl Sparse {
    fn new(leaves: Vec<Extremes>) -> Self {
        let n = leaves.len();
        let mut levels = vec![leaves];
        let mut half = 1;
        while half < n {
            let leaves = &levels[0];
            let mut level = leaves.clone();
            for start in (0..n).step_by(2 * half) {
                let middle = (start + half).min(n);
                for i in (start..middle.saturating_sub(1)).rev() {
                    level[i] = leaves[i].and(level[i + 1]);
                }
                for i in middle + 1..(middle + half).min(n) {
                    level[i] = level[i - 1].and(leaves[i]);
                }
            }
            levels.push(level);
            half *= 2;
        }
        Sparse { levels }
    }

    #[inline]
    fn over(&self, from: usize, to: usize) -> Extremes {
        let last = to - 1;
        if from == last {
            return self.levels[0][from];
        }
        // The highest bit in which both ends differ names the level whose middle lies between.
        let bit = (usize::BITS - 1 - (from ^ last).leading_zeros()) as usize;
        let level = &self.levels[bit + 1];
        level[from].and(level[last])
    }
}
