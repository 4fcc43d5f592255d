//! The stationary bootstrap: how far the Sharpe ratio, the growth and the drawdown of a record could
//! have been others.
//!
//! Blocks of the record, of random start and geometric length, are strung together to records of
//! the same length (Politis & Romano 1994). Every replicate draws from a stream of its own, which
//! depends on the seed and its number alone: replicates may be computed in any order, on any
//! number of threads, and give the same bits. Percentiles are taken over all of them.

mod draws;

pub use draws::{Draws, uniform};

use crate::metrics::moments::{self, FLAT, FLAT_OF_WHOLE};
use crate::metrics::prepared::Value;
use crate::metrics::{Absent, returns};

/// Replicates of an interval.
pub const REPLICATES: usize = 5_000;
/// Seed of the streams.
pub const SEED: u64 = 42;
/// Shortest mean block, in returns.
pub const BLOCK_MIN: f64 = 5.0;

/// A 90% percentile interval of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// 5th percentile of the replicates.
    pub low: f64,
    /// 95th percentile.
    pub high: f64,
    /// Mean length of a block, in returns.
    pub block: f64,
}

/// The 90% interval of the annual Sharpe ratio of `excess` returns: 5,000 replicates,
/// mean block by [`block_length`] but at least 5, percentiles of type 7.
///
/// A replicate whose returns do not vary has no Sharpe ratio and is left out.
///
/// # Errors
/// The reason why there is none: the returns do not vary, or so few of them do that more than a
/// twentieth of the replicates are flat.
pub fn sharpe_interval(excess: &[f64], periods_a_year: f64, seed: u64) -> Value<Interval> {
    returns::sharpe_per_period(excess)?;
    let block = block_length(excess).max(BLOCK_MIN);
    let resampler = Resampler::new(excess, block, seed);
    let mut ratios: Vec<f64> = (0..REPLICATES as u64)
        .filter_map(|replicate| resampler.sharpe(replicate))
        .collect();
    if ratios.len() * 20 < REPLICATES * 19 {
        return Err(Absent::new("too few returns that are not alike"));
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let scale = periods_a_year.sqrt();
    Ok(Interval {
        low: moments::percentile(&ratios, 0.05) * scale,
        high: moments::percentile(&ratios, 0.95) * scale,
        block,
    })
}

/// The 90% intervals of growth and of the deepest drawdown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrowthIntervals {
    /// Growth a year, a fraction.
    pub cagr: Interval,
    /// Deepest drawdown, a fraction of at most 0: `low` is the deeper one.
    pub max_drawdown: Interval,
}

/// The 90% intervals of the growth a year and of the deepest drawdown of an account with net
/// `returns` over `days` calendar days: 5,000 replicates of the stationary bootstrap, mean block by
/// [`block_length`] but at least 5, percentiles of type 7.
///
/// Replicates have the record's length, so a drawdown is one of as long a time. Logarithms of
/// growth are added, which is exact to some n * 1e-16. Costs a step a block: 20 ms of one core for ten
/// years of days.
///
/// # Errors
/// The reason why there are none: fewer than two returns, returns that do not vary, a return of
/// -100% or less, no days.
pub fn growth_intervals(returns: &[f64], days: f64, seed: u64) -> Value<GrowthIntervals> {
    returns::sharpe_per_period(returns)?;
    if returns.iter().any(|r| *r <= -1.0) {
        return Err(Absent::new("a session lost everything"));
    }
    if days <= 0.0 {
        return Err(Absent::new("no days"));
    }
    let block = block_length(returns).max(BLOCK_MIN);
    let logs: Vec<f64> = returns.iter().map(|r| libm::log1p(*r)).collect();
    let paths = Paths::new(&logs, block, seed);
    let paths = (0..REPLICATES as u64).map(|replicate| paths.path(replicate));
    let (mut growth, mut depth): (Vec<f64>, Vec<f64>) = paths.unzip();
    growth.sort_unstable_by(f64::total_cmp);
    depth.sort_unstable_by(f64::total_cmp);
    let years = days / returns::DAYS_A_YEAR;
    let interval = |sorted: &[f64], scale: f64| Interval {
        low: libm::expm1(moments::percentile(sorted, 0.05) * scale),
        high: libm::expm1(moments::percentile(sorted, 0.95) * scale),
        block,
    };
    Ok(GrowthIntervals {
        cagr: interval(&growth, 1.0 / years),
        max_drawdown: interval(&depth, 1.0),
    })
}

/// Longest piece of a block whose path is known beforehand.
const PIECE: usize = 8;

/// The path of wealth over a few returns in a row, in logarithms from its start.
#[derive(Clone, Copy)]
struct Piece {
    /// Growth over all of it.
    growth: f64,
    /// Highest and lowest point after a return.
    highest: f64,
    lowest: f64,
    /// Deepest fall from one point after a return to a later one, at most 0.
    fall: f64,
}

/// Draws replicates of one record of growth and follows their wealth by pieces of blocks, so that a
/// block costs a step and not one a return.
struct Paths {
    /// Pieces of 1 to [`PIECE`] returns from each return of the record laid in a circle.
    pieces: Vec<[Piece; PIECE]>,
    draws: Draws,
}

impl Paths {
    /// `logs` holds the logarithm of 1 + r of each return.
    fn new(logs: &[f64], block: f64, seed: u64) -> Self {
        let pieces = (0..logs.len()).map(|start| pieces(logs, start));
        Paths {
            pieces: pieces.collect(),
            draws: Draws::new(logs.len(), block, seed),
        }
    }

    /// Logarithms of the growth and of the deepest drawdown of one replicate; wealth before the
    /// first return counts as a peak.
    fn path(&self, replicate: u64) -> (f64, f64) {
        let (mut wealth, mut peak, mut deepest) = (0.0_f64, 0.0_f64, 0.0_f64);
        self.draws.blocks(replicate, |mut start, mut left| {
            while left > 0 {
                let length = left.min(PIECE);
                let piece = &self.pieces[start][length - 1];
                let depth = wealth + piece.lowest - peak;
                let depth = if piece.fall < depth {
                    piece.fall
                } else {
                    depth
                };
                deepest = if depth < deepest { depth } else { deepest };
                let highest = wealth + piece.highest;
                peak = if highest > peak { highest } else { peak };
                wealth += piece.growth;
                left -= length;
                start += length;
                if start >= self.pieces.len() {
                    start -= self.pieces.len();
                }
            }
        });
        (wealth, deepest)
    }
}

/// The pieces from one return on.
fn pieces(logs: &[f64], start: usize) -> [Piece; PIECE] {
    let mut so_far = Piece {
        growth: 0.0,
        highest: f64::NEG_INFINITY,
        lowest: f64::INFINITY,
        fall: 0.0,
    };
    std::array::from_fn(|i| {
        so_far.growth += logs[(start + i) % logs.len()];
        so_far.highest = so_far.highest.max(so_far.growth);
        so_far.lowest = so_far.lowest.min(so_far.growth);
        so_far.fall = so_far.fall.min(so_far.growth - so_far.highest);
        so_far
    })
}

/// How far two Sharpe ratios a year are apart, and whether that is more than chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The first ratio.
    pub first: f64,
    /// The second ratio.
    pub second: f64,
    /// Two-sided p value of no difference.
    pub p: f64,
    /// Mean length of a block, in returns.
    pub block: f64,
}

/// The difference of the annual Sharpe ratios of two records of `excess` returns over the same
/// moments, tested by a paired stationary bootstrap: both records are drawn by the same blocks, so
/// that what moves both together does not count.
///
/// p = (1 + number of replicates whose difference lies at least as far from the observed one as
/// that lies from 0) / (1 + replicates). 5,000 replicates, mean block the longer one of
/// the two by [`block_length`], at least 5. Source: Ledoit & Wolf (2008), Robust Performance
/// Hypothesis Testing with the Sharpe Ratio, Journal of Empirical Finance 15(5), without their
/// studentisation.
///
/// # Errors
/// The reason why there is none: records of different length, returns that do not vary.
pub fn sharpe_difference(
    a: &[f64],
    b: &[f64],
    periods_a_year: f64,
    seed: u64,
) -> Value<Difference> {
    if a.len() != b.len() {
        return Err(Absent::new("the records differ in length"));
    }
    let (first, second) = (
        returns::sharpe_per_period(a)?,
        returns::sharpe_per_period(b)?,
    );
    let observed = first - second;
    let block = block_length(a).max(block_length(b)).max(BLOCK_MIN);
    // Draws depend on seed, number and length alone: two resamplers of one length are paired.
    let (of_a, of_b) = (
        Resampler::new(a, block, seed),
        Resampler::new(b, block, seed),
    );
    let differences: Vec<f64> = (0..REPLICATES as u64)
        .filter_map(|replicate| Some(of_a.sharpe(replicate)? - of_b.sharpe(replicate)?))
        .collect();
    if differences.len() * 20 < REPLICATES * 19 {
        return Err(Absent::new("too few returns that are not alike"));
    }
    let is_far = |drawn: &&f64| (**drawn - observed).abs() >= observed.abs();
    let far = differences.iter().filter(is_far).count();
    Ok(Difference {
        first: first * periods_a_year.sqrt(),
        second: second * periods_a_year.sqrt(),
        p: (1 + far) as f64 / (1 + differences.len()) as f64,
        block,
    })
}

/// The mean block length that is best for the variance of the mean of `x`, for the stationary
/// bootstrap.
///
/// b = (2 G^2 / D)^(1/3) n^(1/3) with G = sum of w(k) |k| R(k), D = 2 (sum of w(k) R(k))^2, R the
/// autocovariance, w the flat-top window of width M = 2m, where m is the first lag from which on
/// K = max(5, ceil(sqrt(log10 n))) autocorrelations in a row are below 2 sqrt(log10 n / n). At
/// most min(3 sqrt n, n / 3). Source: Politis & White (2004), Econometric Reviews 23(1), with the
/// correction of Patton, Politis & White (2009), Econometric Reviews 28(4).
///
/// 1 for fewer than three numbers or numbers that do not vary.
pub fn block_length(x: &[f64]) -> f64 {
    let n = x.len() as f64;
    if x.len() < 3 || moments::deviation(x) <= FLAT {
        return 1.0;
    }
    let m = moments::mean(x);
    let centred: Vec<f64> = x.iter().map(|v| v - m).collect();
    let log_n = libm::log10(n);
    let run = 5.max(log_n.sqrt().ceil() as usize);
    let lag_max = (n.sqrt().ceil() as usize + run).min(x.len() - 1);
    let covariance: Vec<f64> = (0..=lag_max).map(|k| lagged(&centred, k) / n).collect();
    let band = 2.0 * (log_n / n).sqrt() * covariance[0];
    let width = window_width(&covariance, band, run);
    let (mut g, mut spectrum) = (0.0, covariance[0]);
    for (k, r) in covariance.iter().enumerate().take(width + 1).skip(1) {
        let lag = k as f64;
        let w = (2.0 * (1.0 - lag / width as f64)).min(1.0);
        g += 2.0 * w * lag * r;
        spectrum += 2.0 * w * r;
    }
    let longest = (3.0 * n.sqrt()).min(n / 3.0).ceil();
    let length = libm::cbrt(g * g / (spectrum * spectrum) * n);
    if length.is_nan() {
        return 1.0;
    }
    length.clamp(1.0, longest)
}

fn lagged(x: &[f64], lag: usize) -> f64 {
    let products: Vec<f64> = x[lag..].iter().zip(x).map(|(a, b)| a * b).collect();
    moments::sum(&products)
}

/// Twice the first lag from which on `run` covariances lie inside the band, at most all lags.
fn window_width(covariance: &[f64], band: f64, run: usize) -> usize {
    let lag_max = covariance.len() - 1;
    let inside = |m: usize| {
        let from = covariance.get(m..m + run);
        from.is_some_and(|c| c.iter().all(|r| r.abs() < band))
    };
    (1..=lag_max)
        .find(|m| inside(*m))
        .map_or(lag_max, |m| (2 * m).min(lag_max))
}

/// Draws replicates of one record and sums them by blocks.
///
/// A replicate costs time by the block, not by the return: a Sharpe ratio needs only the sum and
/// the sum of squares, and those of a block are differences of running sums over the record laid
/// twice end to end. The numbers are taken as deviations from the mean in units of the standard
/// deviation, so the running sums stay of the order of n and a difference of them is exact to
/// some n * 1e-16, far below what a bootstrap can tell.
struct Resampler {
    /// Running sums of z and z^2 over twice the record, from 0.
    sums: Vec<[f64; 2]>,
    draws: Draws,
    /// Mean of the record in its standard deviations.
    centre: f64,
    n: usize,
}

impl Resampler {
    fn new(x: &[f64], block: f64, seed: u64) -> Self {
        let (mean, deviation) = (moments::mean(x), moments::deviation(x));
        let twice = x.iter().chain(x);
        Resampler {
            sums: moments::running_sums(twice.map(|v| (v - mean) / deviation)),
            draws: Draws::new(x.len(), block, seed),
            centre: mean / deviation,
            n: x.len(),
        }
    }

    /// The Sharpe ratio, not annualised, of one replicate; `None` when its returns are alike.
    fn sharpe(&self, replicate: u64) -> Option<f64> {
        let (mut sum, mut squares) = (0.0, 0.0);
        self.draws.blocks(replicate, |start, length| {
            let (a, b) = (self.sums[start], self.sums[start + length]);
            sum += b[0] - a[0];
            squares += b[1] - a[1];
        });
        let n = self.n as f64;
        let mean = sum / n;
        let variance = (squares - n * mean * mean) / (n - 1.0);
        (variance > FLAT_OF_WHOLE).then(|| (mean + self.centre) / variance.sqrt())
    }
}
