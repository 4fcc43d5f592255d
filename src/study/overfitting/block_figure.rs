//! What the halves of a history are judged by: the figures that sums over its blocks give exactly.
//!
//! Two sums a block are enough for a mean over a spread, a spread, and growth. What a curve's path or
//! its trades say (drawdowns, exposure, win rate) is not the sum of what its parts say, and has no place
//! here. How the history is cut and who is best is left to `cscv.rs`.

use crate::engine::BlockSums;
use crate::study::overfitting::cscv::block_range;

/// A spread below this share of the mean is rounding.
const FLAT_SHARE: f64 = 1e-12;
/// Mean square of returns that are nothing but rounding.
const FLAT_SQUARE: f64 = 1e-24;
/// What stands for a loss of everything: far below the logarithm of any number above 0.
const LOST: f64 = -1e6;

/// What a half of the history is judged by. Of each block it keeps two sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BlockFigure {
    /// Mean over standard deviation of the excess returns: their sum and sum of squares. 0 where they do
    /// not vary.
    #[default]
    Sharpe,
    /// Mean over downside deviation of the excess returns, all of them in its divisor: their sum and the
    /// sum of squares of those below 0. 0 where none is below 0.
    Sortino,
    /// Standard deviation of the returns, the least best: their sum and sum of squares.
    Volatility,
    /// Growth: the sum of ln(1 + r). Halves of one length rank trials alike by their total and by their
    /// annual return.
    Growth,
}

impl BlockFigure {
    /// The figure of an objective; `None` for those that sums over blocks do not give.
    pub fn of(objective: &str) -> Option<BlockFigure> {
        match objective {
            "sharpe" => Some(BlockFigure::Sharpe),
            "sortino" => Some(BlockFigure::Sortino),
            "volatility" => Some(BlockFigure::Volatility),
            "total_return" | "cagr" => Some(BlockFigure::Growth),
            _ => None,
        }
    }

    /// The two sums of each of `blocks` blocks of a trial's net `returns`; `rate` is the risk-free return
    /// beside each, empty for 0.
    pub fn sums(self, returns: &[f64], rate: &[f64], blocks: usize) -> Vec<BlockSums> {
        let parts = (0..blocks).map(|block| block_range(returns.len(), block, blocks));
        let of_part = |part: std::ops::Range<usize>| {
            let rate = rate.get(part.clone()).unwrap_or_default();
            self.sums_of(&returns[part], rate)
        };
        parts.map(of_part).collect()
    }

    fn sums_of(self, returns: &[f64], rate: &[f64]) -> BlockSums {
        let mut sums = BlockSums::default();
        for (at, r) in returns.iter().enumerate() {
            let x = r - rate.get(at).unwrap_or(&0.0);
            let (first, second) = match self {
                BlockFigure::Sharpe => (x, x * x),
                BlockFigure::Sortino => (x, x.min(0.0) * x.min(0.0)),
                BlockFigure::Volatility => (*r, r * r),
                BlockFigure::Growth => (libm::log1p(*r), 0.0),
            };
            sums.count += 1;
            sums.sum += first;
            sums.squares += second;
        }
        sums
    }

    /// The sums of a block of `count` returns that are no numbers, since the account lost everything:
    /// worse than any other.
    pub(super) fn worst(self, count: u32) -> [f64; 2] {
        let n = f64::from(count);
        match self {
            // Mean -1 and a spread of 1: a Sharpe ratio a period that nothing else has.
            BlockFigure::Sharpe => [-n, 2.0 * n],
            // Whatever is always lost is -1 downside deviation.
            BlockFigure::Sortino => [-n, n / 4.0],
            BlockFigure::Volatility => [0.0, LOST * LOST * n],
            BlockFigure::Growth => [LOST, 0.0],
        }
    }

    /// The figure of `n` returns with these sums.
    pub(super) fn value(self, sum: f64, second: f64, n: f64) -> f64 {
        let variance = || match is_flat(sum * sum, second, n) {
            true => 0.0,
            false => (second - sum * sum / n) / (n - 1.0),
        };
        match self {
            BlockFigure::Sharpe => match variance() {
                0.0 => 0.0,
                variance => sum / n / variance.sqrt(),
            },
            BlockFigure::Sortino if second <= n * FLAT_SQUARE => 0.0,
            BlockFigure::Sortino => sum / n / (second / n).sqrt(),
            BlockFigure::Volatility => variance().sqrt(),
            BlockFigure::Growth => libm::expm1(sum),
        }
    }

    /// A number a trial that orders trials as the figure of the same `n` returns does, the highest best.
    /// It needs no root, and trials with equal sums have equal ones to the last bit, so that ties are ties.
    pub(super) fn keys(self, sums: &[f64], seconds: &[f64], n: f64, keys: &mut [f64]) {
        let pairs = sums.iter().zip(seconds);
        let all = keys.iter_mut().zip(pairs);
        match self {
            // The ratio grows with sum |sum| / squares.
            BlockFigure::Sharpe => all.for_each(|(key, (sum, squares))| {
                let ratio = sum * sum.abs() / squares;
                let flat = is_flat(sum * sum, *squares, n);
                *key = if flat { 0.0 } else { ratio };
            }),
            BlockFigure::Sortino => all.for_each(|(key, (sum, down))| {
                let ratio = sum * sum.abs() / down;
                *key = if *down <= n * FLAT_SQUARE { 0.0 } else { ratio };
            }),
            BlockFigure::Volatility => all.for_each(|(key, (sum, squares))| {
                let spread = sum * sum / n - squares;
                let flat = is_flat(sum * sum, *squares, n);
                *key = if flat { 0.0 } else { spread };
            }),
            BlockFigure::Growth => all.for_each(|(key, (sum, _))| *key = *sum),
        }
    }
}

/// Whether returns with this squared sum and sum of squares do not vary but for rounding.
#[inline]
fn is_flat(sum_squared: f64, squares: f64, n: f64) -> bool {
    // Not short-circuited: both sides become vector comparisons.
    (sum_squared >= n * squares * (1.0 - FLAT_SHARE)) | (squares <= n * FLAT_SQUARE)
}
