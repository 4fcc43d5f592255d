//! The probability of backtest overfitting: how often the trial that was best on one half of the
//! history is below the median of all trials on the other half.
//!
//! Combinatorially symmetric cross-validation (CSCV): the history is cut into blocks of equal
//! length, and every choice of half of them is once in-sample while the rest is out-of-sample.
//! Two sums a block are all that the Sharpe ratio of a half needs, and the other figures of
//! `block_figure.rs`, so that a trial is kept as 16 pairs of numbers, whatever the length of its history.
//!
//! Source: Bailey, Borwein, Lopez de Prado & Zhu (2017), The Probability of Backtest Overfitting,
//! Journal of Computational Finance 20(4).
//!
//! **Cost.** 16 blocks give 12,870 splits. A trial takes 256 bytes, and about 50 microseconds of one
//! core: 10,000 trials half a second, a million 250 MB and a minute. All trials take part, since the
//! question is about the best of them; beyond [`TRIALS_MAX`] there is no answer rather than one about
//! some of them.

use crate::engine::{BLOCKS, BlockSums};
use crate::metrics::{Absent, Value};
use crate::study::each;
use crate::study::overfitting::block_figure::BlockFigure;
use std::ops::Range;

/// Most trials that are kept: 256 MB of them.
pub const TRIALS_MAX: usize = 1_000_000;

/// Trials that are worked on at a time: what a level of the walk holds stays in the nearest cache.
const TILE: usize = 128;
/// Blocks whose sides make a task of their own: up to 2^5 tasks.
const TASK_BLOCKS: usize = 6;

/// The returns of block `block` of `blocks`: equal lengths from the first return on; what does not
/// fill a last row of blocks is left out at the end.
pub fn block_range(returns: usize, block: usize, blocks: usize) -> Range<usize> {
    let length = returns / blocks;
    block * length..(block + 1) * length
}

/// Blocks of all trials, in the order of the trials.
#[derive(Debug, Clone)]
pub struct Blocks {
    figure: BlockFigure,
    /// Returns of each block; all trials have the same.
    n: Vec<u32>,
    /// The two sums of each block, trial after trial.
    cells: Vec<[f64; 2]>,
    trials: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Blocks::new(BLOCKS, BlockFigure::Sharpe)
    }
}

impl Blocks {
    /// No trials yet, of `blocks` blocks whose halves are judged by `figure`.
    ///
    /// # Panics
    /// If `blocks` is not an even number from 2 to 20: beyond, the splits are millions.
    pub fn new(blocks: usize, figure: BlockFigure) -> Self {
        assert!(
            blocks.is_multiple_of(2) && (2..=20).contains(&blocks),
            "an even number of blocks, at most 20"
        );
        Blocks {
            figure,
            n: vec![0; blocks],
            cells: Vec::new(),
            trials: 0,
        }
    }

    /// Whether a trial's blocks are as many and as long as those of the trials before it.
    pub fn fits(&self, sums: &[BlockSums]) -> bool {
        let is_first = self.trials == 0;
        match sums {
            [] => is_first || self.n.iter().all(|n| *n == 0),
            sums if is_first => sums.len() == self.n.len(),
            sums => sums
                .iter()
                .map(|block| block.count)
                .eq(self.n.iter().copied()),
        }
    }

    /// Adds the next trial. No sums at all stand for a history that is too short to be cut. A trial
    /// whose sums are no numbers, since it lost everything, counts as the worst in every block.
    ///
    /// # Panics
    /// If its blocks are not as many and as long as those of the first trial: they are of one
    /// history.
    pub fn push(&mut self, sums: &[BlockSums]) {
        let none = vec![BlockSums::default(); self.n.len()];
        let sums = if sums.is_empty() { &none } else { sums };
        let lengths = sums.iter().map(|block| block.count);
        if self.trials == 0 && sums.len() == self.n.len() {
            self.n = lengths.clone().collect();
        }
        assert!(lengths.eq(self.n.iter().copied()), "trials of one history");
        self.trials += 1;
        if self.trials > TRIALS_MAX {
            // There is no answer any more: the memory is of use elsewhere.
            self.cells = Vec::new();
        } else {
            let is_defined = |b: &BlockSums| b.sum.is_finite() && b.squares.is_finite();
            let is_defined = sums.iter().all(is_defined);
            let cell = |block: &BlockSums| match is_defined {
                true => [block.sum, block.squares],
                false => self.figure.worst(block.count),
            };
            self.cells.extend(sums.iter().map(cell));
        }
    }

    /// Adds the next trial by its net returns; `rate` is the risk-free return beside each, empty for 0.
    ///
    /// # Panics
    /// As [`Blocks::push`].
    pub fn push_returns(&mut self, returns: &[f64], rate: &[f64]) {
        self.push(&self.figure.sums(returns, rate, self.n.len()));
    }

    /// Number of trials.
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Every split into halves, on at most `threads` threads (`None`: all cores).
    ///
    /// # Errors
    /// The reason why there are none: a single trial, more than [`TRIALS_MAX`], blocks without
    /// a return.
    pub fn splits(&self, threads: Option<usize>) -> Value<Splits> {
        self.splits_unless(&|| false, threads)
    }

    /// The same, given up as soon as `stop` says so.
    ///
    /// # Errors
    /// As [`Blocks::splits`], and [`INTERRUPTED`](super::INTERRUPTED).
    pub fn splits_unless(
        &self,
        stop: &(dyn Fn() -> bool + Sync),
        threads: Option<usize>,
    ) -> Value<Splits> {
        if self.trials < 2 {
            return Err(Absent::new("there are no two trials to choose from"));
        }
        if self.trials > TRIALS_MAX {
            return Err(Absent::new(format!(
                "more than {TRIALS_MAX} trials, and the best of some says nothing of the best of all"
            )));
        }
        if self.n.contains(&0) || self.n.len() == 2 && self.n.contains(&1) {
            return Err(Absent::new(format!(
                "fewer returns than the {} blocks need",
                self.n.len()
            )));
        }
        let found = each(&self.tasks(), threads, |task| self.work(task, stop));
        if stop() {
            return Err(Absent::new(super::INTERRUPTED));
        }
        let mut splits: Vec<Split> = found.into_iter().flatten().collect();
        // As people list combinations: 0+1 before 0+2 before 1+2.
        splits.sort_unstable_by_key(|split| std::cmp::Reverse(split.in_sample.reverse_bits()));
        Ok(Splits {
            trials: self.trials,
            splits,
        })
    }

    /// The sides of the first blocks, block 0 always on the first side: which side is in-sample
    /// makes two splits of one division.
    fn tasks(&self) -> Vec<Vec<usize>> {
        let half = self.n.len() / 2;
        let depth = TASK_BLOCKS.min(self.n.len());
        let sides = |bits: usize| -> Vec<usize> { (0..depth).map(|d| bits >> d & 1).collect() };
        let all = (0..1_usize << depth)
            .filter(|bits| bits & 1 == 0)
            .map(sides);
        all.filter(|sides| {
            let second: usize = sides.iter().sum();
            second <= half && sides.len() - second <= half
        })
        .collect()
    }

    /// The splits whose first blocks lie on these sides: once over all trials for the best of each
    /// half, once more for where it stands in the other half.
    fn work(&self, task: &[usize], stop: &(dyn Fn() -> bool + Sync)) -> Vec<Split> {
        let mut walk = Walk::new(self.figure, &self.n, task);
        let mut best: Vec<[Best; 2]> = Vec::new();
        for first in (0..self.trials).step_by(TILE) {
            if stop() {
                return Vec::new();
            }
            walk.load(self.tile(first), first, self.trials);
            walk.divisions(|leaf, halves| {
                if leaf == best.len() {
                    best.push(halves.each_ref().map(|half| Best::none(half.mask, half.n)));
                }
                best[leaf][0].consider(first, &halves[0], &halves[1]);
                best[leaf][1].consider(first, &halves[1], &halves[0]);
            });
        }
        let mut lower = vec![[0_u64; 2]; best.len()];
        for first in (0..self.trials).step_by(TILE) {
            if stop() {
                return Vec::new();
            }
            walk.load(self.tile(first), first, self.trials);
            walk.divisions(|leaf, halves| {
                lower[leaf][0] += below(halves[1].keys, best[leaf][0].key_out);
                lower[leaf][1] += below(halves[0].keys, best[leaf][1].key_out);
            });
        }
        let pairs = best.iter().flatten().zip(lower.iter().flatten());
        pairs.map(|(best, lower)| best.split(*lower)).collect()
    }

    fn tile(&self, first: usize) -> &[[f64; 2]] {
        let end = (first + TILE).min(self.trials);
        &self.cells[first * self.n.len()..end * self.n.len()]
    }
}

/// One split of the history: the best trial in-sample, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// A bit a block that is in-sample.
    pub in_sample: u32,
    /// The trial with the best figure in-sample, the first of equals.
    pub best: usize,
    /// Its figure in-sample, ratios and spreads a period: a Sharpe ratio is 0 when its returns do not vary
    /// there.
    pub inside: f64,
    /// Its figure out-of-sample.
    pub outside: f64,
    /// Its rank out-of-sample: 1 and the number of trials with a strictly worse figure.
    pub rank: u64,
}

/// Every split of a history, and what they say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// Number of trials.
    pub trials: usize,
    /// The splits by their in-sample blocks, as combinations are listed.
    pub splits: Vec<Split>,
}

impl Splits {
    /// Relative rank w of the best trial out-of-sample: its rank over trials + 1, 0.5 the median.
    pub fn relative_rank(&self, split: &Split) -> f64 {
        split.rank as f64 / (self.trials as f64 + 1.0)
    }

    /// ln(w / (1 - w)) of the relative rank: at most 0 when the best is no better than the median.
    pub fn logit(&self, split: &Split) -> f64 {
        let w = self.relative_rank(split);
        libm::log(w / (1.0 - w))
    }

    /// The probability of backtest overfitting: the share of splits whose logit is at most 0.
    pub fn probability(&self) -> f64 {
        // 2 rank <= N + 1 says the same as logit <= 0 without rounding.
        self.share(|split| 2 * split.rank <= self.trials as u64 + 1)
    }

    /// Share of splits in which the best trial's figure is below 0 out-of-sample.
    pub fn loss_share(&self) -> f64 {
        self.share(|split| split.outside < 0.0)
    }

    /// Mean of the logits.
    pub fn mean_logit(&self) -> f64 {
        let sum: f64 = self.splits.iter().map(|split| self.logit(split)).sum();
        sum / self.splits.len() as f64
    }

    /// Slope of the least-squares line of out-of-sample on in-sample figures: below 0 where
    /// more in-sample means less out-of-sample. NaN when all in-sample figures are one.
    pub fn slope(&self) -> f64 {
        let n = self.splits.len() as f64;
        let mean = |of: fn(&Split) -> f64| self.splits.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|s| s.inside), mean(|s| s.outside));
        let away = self.splits.iter().map(|s| (s.inside - x, s.outside - y));
        let (xy, xx) = away.fold((0.0, 0.0), |(xy, xx), (a, b)| (xy + a * b, xx + a * a));
        xy / xx
    }

    fn share(&self, is: impl Fn(&Split) -> bool) -> f64 {
        let count = self.splits.iter().filter(|split| is(split)).count();
        count as f64 / self.splits.len() as f64
    }
}

/// Sums of a tile's trials over some blocks.
#[derive(Clone)]
struct Level {
    sum: [f64; TILE],
    squares: [f64; TILE],
}

impl Level {
    const EMPTY: Level = Level {
        sum: [0.0; TILE],
        squares: [0.0; TILE],
    };
}

fn add(target: &mut Level, a: &Level, b: &Level) {
    for i in 0..TILE {
        target.sum[i] = a.sum[i] + b.sum[i];
        target.squares[i] = a.squares[i] + b.squares[i];
    }
}

/// The highest key.
fn highest(keys: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let (chunks, rest) = keys.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = if chunk[i] > lanes[i] {
                chunk[i]
            } else {
                lanes[i]
            };
        }
    }
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f64::NEG_INFINITY, f64::max)
}

/// How many keys are strictly below.
fn below(keys: &[f64], key: f64) -> u64 {
    keys.iter().map(|k| u64::from(*k < key)).sum()
}

/// One half of a division of the history, for a tile of trials.
struct Half<'a> {
    /// A bit a block.
    mask: u32,
    /// Returns in it.
    n: f64,
    sums: &'a Level,
    /// A key a trial of the tile.
    keys: &'a [f64],
    figure: BlockFigure,
}

impl Half<'_> {
    /// The figure of the tile's trial `at`.
    fn value(&self, at: usize) -> f64 {
        self.figure
            .value(self.sums.sum[at], self.sums.squares[at], self.n)
    }
}

/// The best trial so far on one half.
struct Best {
    in_sample: u32,
    n: [f64; 2],
    trial: usize,
    key: f64,
    key_out: f64,
    inside: f64,
    outside: f64,
}

impl Best {
    fn none(in_sample: u32, n: f64) -> Self {
        Best {
            in_sample,
            n: [n, n],
            trial: 0,
            key: f64::NEG_INFINITY,
            key_out: 0.0,
            inside: 0.0,
            outside: 0.0,
        }
    }

    /// Takes the tile's best if it is better; `first` is the number of the tile's first trial.
    fn consider(&mut self, first: usize, inside: &Half, outside: &Half) {
        let key = highest(inside.keys);
        if key > self.key
            && let Some(at) = inside.keys.iter().position(|k| *k == key)
        {
            self.trial = first + at;
            self.key = key;
            self.key_out = outside.keys[at];
            self.n = [inside.n, outside.n];
            self.inside = inside.value(at);
            self.outside = outside.value(at);
        }
    }

    fn split(&self, lower: u64) -> Split {
        Split {
            in_sample: self.in_sample,
            best: self.trial,
            inside: self.inside,
            outside: self.outside,
            rank: 1 + lower,
        }
    }
}

/// One side of a division that is being made.
#[derive(Clone, Copy)]
struct Side {
    mask: u32,
    blocks: usize,
    n: u32,
    /// The level that holds its sums.
    level: usize,
}

/// Goes through the divisions of a history into halves, block after block, each block to one side
/// or the other. The sums of a side are those of its parent and one block more, in the order of the
/// blocks: the cost is about two additions a division, and equal trials have equal sums.
struct Walk<'a> {
    figure: BlockFigure,
    n: &'a [u32],
    task: &'a [usize],
    /// Sums of each block.
    blocks: Vec<Level>,
    /// Sums after each step of the walk; level 0 stays empty.
    levels: Vec<Level>,
    keys: [[f64; TILE]; 2],
    /// Trials in the tile.
    trials: usize,
    leaf: usize,
}

impl<'a> Walk<'a> {
    fn new(figure: BlockFigure, n: &'a [u32], task: &'a [usize]) -> Self {
        Walk {
            figure,
            n,
            task,
            blocks: vec![Level::EMPTY; n.len()],
            levels: vec![Level::EMPTY; n.len() + 1],
            keys: [[0.0; TILE]; 2],
            trials: 0,
            leaf: 0,
        }
    }

    /// Takes the next tile of trials, cells trial after trial.
    fn load(&mut self, cells: &[[f64; 2]], first: usize, trials: usize) {
        self.trials = TILE.min(trials - first);
        for (at, trial) in cells.chunks_exact(self.n.len()).enumerate() {
            for (block, [sum, squares]) in self.blocks.iter_mut().zip(trial) {
                block.sum[at] = *sum;
                block.squares[at] = *squares;
            }
        }
    }

    /// Calls `visit(number, halves)` for each division of the task, always in the same order.
    fn divisions(&mut self, mut visit: impl FnMut(usize, [Half; 2])) {
        let none = Side {
            mask: 0,
            blocks: 0,
            n: 0,
            level: 0,
        };
        self.leaf = 0;
        self.descend(0, [none; 2], &mut visit);
    }

    fn descend(
        &mut self,
        block: usize,
        sides: [Side; 2],
        visit: &mut impl FnMut(usize, [Half; 2]),
    ) {
        if block == self.n.len() {
            self.visit(sides, visit);
            return;
        }
        for side in 0..2 {
            let is_of_task = self.task.get(block).is_none_or(|only| *only == side);
            if !is_of_task || sides[side].blocks == self.n.len() / 2 {
                continue;
            }
            let level = block + 1;
            let (before, after) = self.levels.split_at_mut(level);
            add(
                &mut after[0],
                &before[sides[side].level],
                &self.blocks[block],
            );
            let mut next = sides;
            next[side] = Side {
                mask: sides[side].mask | 1 << block,
                blocks: sides[side].blocks + 1,
                n: sides[side].n + self.n[block],
                level,
            };
            self.descend(block + 1, next, visit);
        }
    }

    fn visit(&mut self, sides: [Side; 2], visit: &mut impl FnMut(usize, [Half; 2])) {
        for (side, key) in sides.iter().zip(&mut self.keys) {
            let level = &self.levels[side.level];
            let n = f64::from(side.n);
            self.figure.keys(&level.sum, &level.squares, n, key);
        }
        let half = |i: usize| Half {
            mask: sides[i].mask,
            n: f64::from(sides[i].n),
            sums: &self.levels[sides[i].level],
            keys: &self.keys[i][..self.trials],
            figure: self.figure,
        };
        visit(self.leaf, [half(0), half(1)]);
        self.leaf += 1;
    }
}
