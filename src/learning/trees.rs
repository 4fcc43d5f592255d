//! Boosted regression trees: squared error, exact splits, limited depth (Friedman 2001, "Greedy
//! function approximation", algorithm 3; drawing a part of the rows for each tree: Friedman 2002).
//!
//! Each feature is sorted once a fit, and a tree grows level by level with one pass over each order,
//! so that a tree costs rows x features x depth. Ties go to the earlier feature and the lower
//! threshold.

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
    let orders = orders(rows);
    let mut gains = vec![0.0; rows.width];
    for round in 0..growth.rounds {
        let drawn = drawn(rows.len(), growth, round as u64);
        let mut grower = Grower {
            rows,
            orders: &orders,
            left: &left,
            drawn: &drawn,
            growth,
            node_of: vec![0; rows.len()],
            tree: vec![Node::Nothing; (2 << growth.depth) - 1],
        };
        grower.grow(&mut gains);
        let (tree, node_of) = (grower.tree, grower.node_of);
        for (left, node) in left.iter_mut().zip(&node_of) {
            if let Node::Leaf(value) = tree[*node as usize] {
                *left -= value;
            }
        }
        trees.trees.push(tree);
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

/// The rows of each feature in the order of its values, equal ones in the order of the rows.
fn orders(rows: &Rows) -> Vec<Vec<u32>> {
    let order = |feature: usize| {
        let value = |row: u32| rows.x[row as usize * rows.width + feature];
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
        order
    };
    (0..rows.width).map(order).collect()
}

/// Which rows a tree is grown on.
fn drawn(rows: usize, growth: &Growth, round: u64) -> Vec<bool> {
    if growth.share >= 1.0 {
        return vec![true; rows];
    }
    let stream = mixed(mixed(growth.seed) ^ round);
    let draw = |row: usize| (mixed(stream ^ row as u64) >> 11) as f64 / (1_u64 << 53) as f64;
    (0..rows).map(|row| draw(row) < growth.share).collect()
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
    rows: &'a Rows,
    orders: &'a [Vec<u32>],
    /// What is left to be explained.
    left: &'a [f64],
    drawn: &'a [bool],
    growth: &'a Growth,
    node_of: Vec<u32>,
    tree: Vec<Node>,
}

/// Count and sum of a node's drawn rows.
#[derive(Clone, Copy, Default)]
struct Pile {
    count: usize,
    sum: f64,
    /// The largest value so far of the feature that is passed over.
    last: f64,
}

impl Pile {
    /// The squared error that a mean of its own takes away from the pile.
    fn worth(&self) -> f64 {
        self.sum * self.sum / self.count as f64
    }
}

/// The best split of a node so far.
#[derive(Clone, Copy)]
struct Best {
    gain: f64,
    feature: u32,
    threshold: f64,
}

impl Grower<'_> {
    fn grow(&mut self, gains: &mut [f64]) {
        let squares = (0..self.left.len()).filter(|row| self.drawn[*row]);
        let squares: f64 = squares.map(|row| self.left[row] * self.left[row]).sum();
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
                self.tree[first + at] = match best {
                    Some(best) => {
                        gains[best.feature as usize] += best.gain;
                        Node::Split(best.feature, best.threshold)
                    }
                    None if pile.count > 0 => {
                        Node::Leaf(self.growth.shrinkage * (pile.sum / pile.count as f64))
                    }
                    None => Node::Nothing,
                };
            }
            self.descend(first);
        }
    }

    /// The nodes of a level, counted.
    fn piles(&self, first: usize) -> Vec<Pile> {
        let mut piles = vec![Pile::default(); first + 1];
        for (row, node) in self.node_of.iter().enumerate() {
            let node = *node as usize;
            if self.drawn[row] && node >= first {
                piles[node - first].count += 1;
                piles[node - first].sum += self.left[row];
            }
        }
        piles
    }

    /// The best split of every node of a level, where one is worth it.
    fn best(&self, first: usize, piles: &[Pile], least: f64) -> Vec<Option<Best>> {
        let mut best: Vec<Option<Best>> = vec![None; piles.len()];
        let mut below = vec![Pile::default(); piles.len()];
        for (feature, order) in self.orders.iter().enumerate() {
            below.fill(Pile::default());
            for row in order {
                let row = *row as usize;
                let node = self.node_of[row] as usize;
                if !self.drawn[row] || node < first {
                    continue;
                }
                let (pile, low) = (&piles[node - first], &mut below[node - first]);
                let x = self.rows.x[row * self.rows.width + feature];
                let above = pile.count - low.count;
                let may = low.count >= self.growth.leaf_min && above >= self.growth.leaf_min;
                if may && x > low.last {
                    let high = Pile {
                        count: above,
                        sum: pile.sum - low.sum,
                        last: 0.0,
                    };
                    let gain = low.worth() + high.worth() - pile.worth();
                    let known = best[node - first].map_or(least, |best| best.gain);
                    if gain > known {
                        best[node - first] = Some(Best {
                            gain,
                            feature: feature as u32,
                            threshold: between(low.last, x),
                        });
                    }
                }
                low.count += 1;
                low.sum += self.left[row];
                low.last = x;
            }
        }
        best
    }

    /// Every row of a level's nodes goes to the child that it belongs to.
    fn descend(&mut self, first: usize) {
        for (row, node) in self.node_of.iter_mut().enumerate() {
            if (*node as usize) < first {
                continue;
            }
            if let Node::Split(feature, threshold) = self.tree[*node as usize] {
                let x = self.rows.x[row * self.rows.width + feature as usize];
                *node = 2 * *node + 1 + u32::from(x > threshold);
            }
        }
    }
}

/// The middle of two values, never the upper one.
fn between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    if middle < high { middle } else { low }
}
