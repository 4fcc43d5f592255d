//! The stationary bootstrap: how far the Sharpe ratio of a record could have been another.
//!
//! Blocks of the record, of random start and geometric length, are strung together to records of
//! the same length (Politis & Romano 1994). Every replicate draws from a stream of its own, which
//! depends on the seed and its number alone: replicates may be computed in any order, on any
//! number of threads, and give the same bits. Percentiles are taken over all of them.

use crate::metrics::moments::{self, FLAT, FLAT_OF_WHOLE};
use crate::metrics::prepared::Value;
use crate::metrics::{Absent, returns};

/// Replicates of an interval.
pub const REPLICATES: usize = 5_000;
/// Seed of the streams.
pub const SEED: u64 = 42;
/// Shortest mean block, in returns.
pub const BLOCK_MIN: f64 = 5.0;

/// A 90% percentile interval of a Sharpe ratio a year.
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
    /// Chances of 2^32 that a block is longer than 1, 2, 3 … returns.
    longer: Vec<u32>,
    /// Shortest length of the draws with each of the 256 leading bytes.
    shortest: Vec<u32>,
    /// Mean of the record in its standard deviations.
    centre: f64,
    n: usize,
    seed: u64,
}

impl Resampler {
    fn new(x: &[f64], block: f64, seed: u64) -> Self {
        let (mean, deviation) = (moments::mean(x), moments::deviation(x));
        let twice = x.iter().chain(x);
        let sums = moments::running_sums(twice.map(|v| (v - mean) / deviation));
        let longer = chances_longer(block);
        let shortest = (0..=255_u32)
            .map(|byte| 1 + longer.partition_point(|l| byte << 24 | 0x00ff_ffff < *l) as u32)
            .collect();
        Resampler {
            sums,
            longer,
            shortest,
            centre: mean / deviation,
            n: x.len(),
            seed,
        }
    }

    /// The Sharpe ratio, not annualised, of one replicate; `None` when its returns are alike.
    fn sharpe(&self, replicate: u64) -> Option<f64> {
        let stream = mix(self.seed.wrapping_add(mix(replicate.wrapping_add(GOLDEN))));
        let mut draw = stream;
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut left = self.n;
        while left > 0 {
            draw = draw.wrapping_add(GOLDEN);
            let bits = mix(draw);
            // The upper half says where the block starts, the lower how long it is.
            let start = (((bits >> 32) * self.n as u64) >> 32) as usize;
            let length = self.length(bits as u32).min(left);
            let (a, b) = (self.sums[start], self.sums[start + length]);
            sum += b[0] - a[0];
            squares += b[1] - a[1];
            left -= length;
        }
        let n = self.n as f64;
        let mean = sum / n;
        let variance = (squares - n * mean * mean) / (n - 1.0);
        (variance > FLAT_OF_WHOLE).then(|| (mean + self.centre) / variance.sqrt())
    }

    /// Length of a block. Most draws of equal leading bits have one length, so that the walk
    /// starts where it ends.
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
