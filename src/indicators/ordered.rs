//! The last n values in order of size, for what a sum cannot say: how many are at or below a value,
//! how far those above it lie. O(log n) a bar.
//!
//! A treap whose priorities are a hash of the bar's index. Its shape follows from the values in the
//! window alone, not from the way they came and went, and totals of a node are rebuilt from its
//! children, never subtracted from: a result is the same to the last bit whatever came before the
//! window or comes after it. For short windows a plain loop is quicker; the callers choose.

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Node {
    value: f64,
    bar: usize,
    priority: u64,
    left: u32,
    right: u32,
    /// Nodes of the subtree.
    count: u32,
    /// Sum over the subtree of (its values - `value`).
    spread: f64,
}

/// A window of at most `n` values in order.
pub(super) struct Ordered {
    nodes: Vec<Node>,
    n: usize,
    root: u32,
}

impl Ordered {
    /// An empty window of `n` values.
    pub(super) fn new(n: usize) -> Self {
        Ordered {
            nodes: Vec::with_capacity(n),
            n,
            root: NONE,
        }
    }

    /// Takes in the value of bar `bar` (0, 1, 2, ... in turn) and drops that of bar `bar - n`.
    pub(super) fn push(&mut self, bar: usize, value: f64) {
        let slot = bar % self.n;
        let fresh = Node {
            value,
            bar,
            priority: mix(bar as u64),
            left: NONE,
            right: NONE,
            count: 1,
            spread: 0.0,
        };
        if let Some(old) = self.nodes.get(slot).copied() {
            self.root = self.without(self.root, old.value, old.bar);
            self.nodes[slot] = fresh;
        } else {
            self.nodes.push(fresh);
        }
        self.root = self.with(self.root, slot as u32);
    }

    /// How many values are at or below `value`.
    pub(super) fn count_up_to(&self, value: f64) -> u32 {
        let mut count = 0;
        let mut at = self.root;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.value <= value {
                count += 1 + self.count(node.left);
                at = node.right;
            } else {
                at = node.left;
            }
        }
        count
    }

    /// Sum of (v - level) over the values v above the level `pivot + offset`, which is taken in two
    /// parts so that small distances from it keep their precision.
    pub(super) fn sum_above(&self, pivot: f64, offset: f64) -> f64 {
        let mut sum = 0.0;
        let mut at = self.root;
        while let Some(node) = self.nodes.get(at as usize) {
            let distance = (node.value - pivot) - offset;
            if distance > 0.0 {
                sum += distance + self.sum_around(node.right, pivot, offset);
                at = node.left;
            } else {
                at = node.right;
            }
        }
        sum
    }

    fn count(&self, at: u32) -> u32 {
        self.nodes.get(at as usize).map_or(0, |node| node.count)
    }

    /// Sum over a subtree of (value - level), level = `pivot + offset`.
    fn sum_around(&self, at: u32, pivot: f64, offset: f64) -> f64 {
        self.nodes.get(at as usize).map_or(0.0, |node| {
            node.spread + f64::from(node.count) * ((node.value - pivot) - offset)
        })
    }

    /// Rebuilds the totals of a node from its children.
    fn refresh(&mut self, at: u32) {
        let node = self.nodes[at as usize];
        let spread = self.sum_around(node.left, node.value, 0.0)
            + self.sum_around(node.right, node.value, 0.0);
        let count = 1 + self.count(node.left) + self.count(node.right);
        let node = &mut self.nodes[at as usize];
        node.spread = spread;
        node.count = count;
    }

    /// Whether node `at` stands before (`value`, `bar`).
    fn is_before(&self, at: u32, value: f64, bar: usize) -> bool {
        let node = &self.nodes[at as usize];
        node.value < value || (node.value == value && node.bar < bar)
    }

    /// The subtree with node `new` in it.
    fn with(&mut self, at: u32, new: u32) -> u32 {
        let Node {
            value,
            bar,
            priority,
            ..
        } = self.nodes[new as usize];
        if at == NONE || self.nodes[at as usize].priority < priority {
            let (left, right) = self.split(at, value, bar);
            self.nodes[new as usize].left = left;
            self.nodes[new as usize].right = right;
            self.refresh(new);
            return new;
        }
        if self.is_before(at, value, bar) {
            let right = self.with(self.nodes[at as usize].right, new);
            self.nodes[at as usize].right = right;
        } else {
            let left = self.with(self.nodes[at as usize].left, new);
            self.nodes[at as usize].left = left;
        }
        self.refresh(at);
        at
    }

    /// The subtree without (`value`, `bar`).
    fn without(&mut self, at: u32, value: f64, bar: usize) -> u32 {
        if at == NONE {
            return NONE;
        }
        let node = self.nodes[at as usize];
        if node.bar == bar {
            return self.merge(node.left, node.right);
        }
        if self.is_before(at, value, bar) {
            let right = self.without(node.right, value, bar);
            self.nodes[at as usize].right = right;
        } else {
            let left = self.without(node.left, value, bar);
            self.nodes[at as usize].left = left;
        }
        self.refresh(at);
        at
    }

    /// What stands before (`value`, `bar`), and the rest.
    fn split(&mut self, at: u32, value: f64, bar: usize) -> (u32, u32) {
        if at == NONE {
            return (NONE, NONE);
        }
        if self.is_before(at, value, bar) {
            let (left, right) = self.split(self.nodes[at as usize].right, value, bar);
            self.nodes[at as usize].right = left;
            self.refresh(at);
            (at, right)
        } else {
            let (left, right) = self.split(self.nodes[at as usize].left, value, bar);
            self.nodes[at as usize].left = right;
            self.refresh(at);
            (left, at)
        }
    }

    /// One subtree of two, all of `a` before all of `b`.
    fn merge(&mut self, a: u32, b: u32) -> u32 {
        if a == NONE {
            return b;
        }
        if b == NONE {
            return a;
        }
        if self.nodes[a as usize].priority > self.nodes[b as usize].priority {
            let right = self.merge(self.nodes[a as usize].right, b);
            self.nodes[a as usize].right = right;
            self.refresh(a);
            a
        } else {
            let left = self.merge(a, self.nodes[b as usize].left);
            self.nodes[b as usize].left = left;
            self.refresh(b);
            b
        }
    }
}

/// A bijection that scatters (splitmix64's finaliser, Steele et al. 2014), so priorities are
/// distinct and look random.
fn mix(bar: u64) -> u64 {
    let z = bar.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
