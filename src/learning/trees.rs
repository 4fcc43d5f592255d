//! Boosted regression trees: squared error, limited depth (Friedman 2001, "Greedy function
//! approximation", algorithm 3; drawing a part of the rows for each tree: Friedman 2002), split
//! between bins of each feature's values (Ke et al. 2017, "LightGBM", algorithm 1).
//!
//! Each feature is cut into at most 256 bins once a fit, of as many rows each; up to 256 different
//! values have a bin each, and then the splits are exact. A level of a tree is one pass over its drawn
//! rows and features. Ties go to the earlier feature and the lower threshold.

use super::Rows;

/// How trees are grown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Number of trees.
    pub rounds: usize,
    /// Splits from the root to a leaf, at most.
    pub depth: u32,
    /// Part of a tree's correction that is taken.
    pub shrinkage: f64,
    /// Fewest drawn rows in a leaf.
    pub leaf_min: usize,
    /// Share of the rows that each tree is grown on, drawn anew for each; 1 is all of them.
    pub share: f64,
    /// Seed of the draws.
    pub seed: u64,
}

/// Trees whose corrections add up.
#[derive(Debug, Clone, PartialEq)]
pub struct Trees {
    /// The mean of the target, which the first tree corrects.
    pub start: f64,
    /// Squared error that the splits on each feature took away, as shares of all; 0 without a split.
    pub importances: Vec<f64>,
    trees: Vec<Vec<Node>>,
}

/// A node of a tree that is stored as a heap: the children of `i` are `2i + 1` and `2i + 2`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    /// Feature and threshold: at or below it to the left.
    Split(u32, f64),
    Leaf(f64),
    Nothing,
}

impl Trees {
    /// The forecast for one row of features.
    pub fn of(&self, x: &[f64]) -> f64 {
        self.trees
            .iter()
            .map(|tree| leaf_of(tree, x))
            .fold(self.start, |sum, value| sum + value)
    }

    /// Number of trees.
    pub fn rounds(&self) -> usize {
        self.trees.len()
    }
}

fn leaf_of(tree: &[Node], x: &[f64]) -> f64 {
    let mut at = 0;
    loop {
        match tree[at] {
            Node::Split(feature, threshold) => {
                at = 2 * at + 1 + usize::from(x[feature as usize] > threshold);
            }
            Node::Leaf(value) => return value,
            Node::Nothing => return 0.0,
        }
    }
}

/// Grows trees on `rows`; `after` is called with the sum of squared errors on the rows before the
/// first tree and after each, and with the tree, so that others can follow.
pub fn boosted(rows: &Rows, growth: &Growth, mut after: impl FnMut(f64, &Trees)) -> Trees {
    let start = rows.mean();
    let mut trees = Trees {
        start,
        importances: vec![0.0; rows.width],
        trees: Vec::with_capacity(growth.rounds),
    };
    let mut left: Vec<f64> = rows.y.iter().map(|y| y - start).collect();
    let squares = |left: &[f64]| left.iter().map(|r| r * r).sum::<f64>();
    after(squares(&left), &trees);
    let bins: Vec<Binned> = (0..rows.width).map(|k| Binned::of(rows, k)).collect();
    let mut gains = vec![0.0; rows.width];
    for round in 0..growth.rounds {
        let drawn = drawn(rows.len(), growth, round as u64);
        let mut grower = Grower {
            bins: &bins,
            left: drawn.iter().map(|row| left[*row as usize]).collect(),
            nodes: vec![0; drawn.len()],
            drawn,
            growth,
            splits: vec![None; (2 << growth.depth) - 1],
            tree: vec![Node::Nothing; (2 << growth.depth) - 1],
        };
        grower.grow(&mut gains);
        for (row, left) in left.iter_mut().enumerate() {
            *left -= grower.value(row);
        }
        trees.trees.push(grower.tree);
        after(squares(&left), &trees);
    }
    let all: f64 = gains.iter().sum();
    if all > 0.0 {
        trees.importances = gains.iter().map(|gain| gain / all).collect();
    }
    trees
}

impl Trees {
    /// What the last tree says of a row.
    pub(super) fn last_of(&self, x: &[f64]) -> f64 {
        self.trees.last().map_or(0.0, |tree| leaf_of(tree, x))
    }
}

/// Most bins of a feature: their numbers fit into a byte.
const BINS_MAX: usize = 256;

/// One feature of all rows in bins, ascending.
struct Binned {
    /// The bin of each row.
    of_row: Vec<u8>,
    /// Lowest and highest value of each bin.
    ends: Vec<(f64, f64)>,
}

impl Binned {
    /// Bins of as many rows each, as far as equal values allow, that stay together.
    fn of(rows: &Rows, feature: usize) -> Binned {
        let mut sorted: Vec<(f64, u32)> = (0..)
            .zip(rows.rows())
            .map(|(row, x)| (x[feature], row))
            .collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let is_new = |at: usize| at == 0 || sorted[at].0 > sorted[at - 1].0;
        let values = (0..sorted.len()).filter(|at| is_new(*at)).count();
        let mut binned = Binned {
            of_row: vec![0; sorted.len()],
            ends: Vec::with_capacity(values.min(BINS_MAX)),
        };
        for (at, &(x, row)) in sorted.iter().enumerate() {
            // The next bin begins where its share of the rows does.
            let is_due = at * BINS_MAX >= binned.ends.len() * sorted.len();
            match binned.ends.last_mut() {
                Some(ends) if !(is_new(at) && (values <= BINS_MAX || is_due)) => ends.1 = x,
                _ => binned.ends.push((x, x)),
            }
            binned.of_row[row as usize] = (binned.ends.len() - 1) as u8;
        }
        binned
    }
}

/// The rows that a tree is grown on, ascending.
fn drawn(rows: usize, growth: &Growth, round: u64) -> Vec<u32> {
    if growth.share >= 1.0 {
        return (0..rows as u32).collect();
    }
    let stream = mixed(mixed(growth.seed) ^ round);
    let draw = |row: u32| (mixed(stream ^ u64::from(row)) >> 11) as f64 / (1_u64 << 53) as f64;
    (0..rows as u32)
        .filter(|row| draw(*row) < growth.share)
        .collect()
}

/// SplitMix64's mixing of a counter (Steele, Lea and Flood 2014).
fn mixed(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One tree while it grows.
struct Grower<'a> {
    bins: &'a [Binned],
    growth: &'a Growth,
    /// The rows that it is grown on, what is left to be explained of each, and the node of each.
    drawn: Vec<u32>,
    left: Vec<f64>,
    nodes: Vec<u32>,
    /// Feature and last bin that goes to the left, by node.
    splits: Vec<Option<(usize, u8)>>,
    tree: Vec<Node>,
}

/// Count and sum of rows.
#[derive(Clone, Copy, Default)]
struct Pile {
    count: u32,
    sum: f64,
}

impl Pile {
    /// The squared error that a mean of its own takes away from the pile.
    fn worth(&self) -> f64 {
        self.sum * self.sum / f64::from(self.count)
    }

    fn add(&mut self, other: Pile) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// The best split of a node so far.
#[derive(Clone, Copy)]
struct Best {
    gain: f64,
    feature: usize,
    /// Last bin of the left side.
    bin: u8,
    threshold: f64,
}

impl Grower<'_> {
    fn grow(&mut self, gains: &mut [f64]) {
        let squares: f64 = self.left.iter().map(|left| left * left).sum();
        // Gains below rounding are none.
        let least = 1e-12 * squares;
        for level in 0..=self.growth.depth {
            let first = (1_usize << level) - 1;
            let piles = self.piles(first);
            let best = match level < self.growth.depth {
                true => self.best(first, &piles, least),
                false => vec![None; piles.len()],
            };
            for (at, (pile, best)) in piles.iter().zip(&best).enumerate() {
                let node = first + at;
                self.splits[node] = best.map(|best| (best.feature, best.bin));
                self.tree[node] = match best {
                    Some(best) => {
                        gains[best.feature] += best.gain;
                        Node::Split(best.feature as u32, best.threshold)
                    }
                    None if pile.count > 0 => {
                        Node::Leaf(self.growth.shrinkage * (pile.sum / f64::from(pile.count)))
                    }
                    None => Node::Nothing,
                };
            }
            self.descend();
        }
    }

    /// The nodes of a level, counted.
    fn piles(&self, first: usize) -> Vec<Pile> {
        let mut piles = vec![Pile::default(); first + 1];
        for (node, left) in self.nodes.iter().zip(&self.left) {
            if let Some(pile) = (*node as usize).checked_sub(first).map(|at| &mut piles[at]) {
                pile.add(Pile {
                    count: 1,
                    sum: *left,
                });
            }
        }
        piles
    }

    /// The best split of every node of a level, where one is worth it.
    fn best(&self, first: usize, piles: &[Pile], least: f64) -> Vec<Option<Best>> {
        let mut best: Vec<Option<Best>> = vec![None; piles.len()];
        let mut filled = vec![Pile::default(); piles.len() * BINS_MAX];
        for (feature, bins) in self.bins.iter().enumerate() {
            filled.fill(Pile::default());
            for ((row, node), left) in self.drawn.iter().zip(&self.nodes).zip(&self.left) {
                let bin = bins.of_row[*row as usize] as usize;
                // A row that stays in a leaf above has no node here.
                if let Some(at) = (*node as usize).checked_sub(first) {
                    filled[at * BINS_MAX + bin].add(Pile {
                        count: 1,
                        sum: *left,
                    });
                }
            }
            let nodes = filled.chunks_exact(BINS_MAX).zip(piles).zip(&mut best);
            for ((filled, pile), best) in nodes {
                self.split_by((feature, bins), filled, *pile, (best, least));
            }
        }
        best
    }

    /// Looks whether a node is better split by a feature than as known so far.
    fn split_by(
        &self,
        (feature, bins): (usize, &Binned),
        filled: &[Pile],
        pile: Pile,
        (best, least): (&mut Option<Best>, f64),
    ) {
        let leaf_min = self.growth.leaf_min as u32;
        let mut low = Pile::default();
        let mut last = 0;
        for (bin, here) in filled[..bins.ends.len()].iter().enumerate() {
            if here.count == 0 {
                continue;
            }
            let high = Pile {
                count: pile.count - low.count,
                sum: pile.sum - low.sum,
            };
            if low.count > 0 && low.count >= leaf_min && high.count >= leaf_min {
                let gain = low.worth() + high.worth() - pile.worth();
                if gain > best.map_or(least, |best| best.gain) {
                    *best = Some(Best {
                        gain,
                        feature,
                        bin: last as u8,
                        threshold: between(bins.ends[last].1, bins.ends[bin].0),
                    });
                }
            }
            low.add(*here);
            last = bin;
        }
    }

    /// Every drawn row of a node that was split goes to the child that it belongs to.
    fn descend(&mut self) {
        for (row, node) in self.drawn.iter().zip(&mut self.nodes) {
            if let Some((feature, bin)) = self.splits[*node as usize] {
                let is_right = self.bins[feature].of_row[*row as usize] > bin;
                *node = 2 * *node + 1 + u32::from(is_right);
            }
        }
    }

    /// What the tree says of any row, drawn or not.
    fn value(&self, row: usize) -> f64 {
        let mut node = 0;
        while let Some((feature, bin)) = self.splits[node] {
            node = 2 * node + 1 + usize::from(self.bins[feature].of_row[row] > bin);
        }
        match self.tree[node] {
            Node::Leaf(value) => value,
            _ => 0.0,
        }
    }
}

/// The middle of two values, never the upper one.
fn between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    if middle < high { middle } else { low }
}
