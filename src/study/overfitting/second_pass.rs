//! What needs the returns of every trial: White's reality check, Hansen's test for superior
//! predictive ability (SPA), and how much the trials resemble each other.
//!
//! Both tests ask how often the best of all trials would look as good as it does if no trial earned
//! more than cash. The resamples string together blocks of days, the same days for all trials, so
//! that trials that resemble each other count for as many as they are.
//!
//! **Cost.** Returns are asked for trial by trial and forgotten. A resample of a trial is summed by
//! its blocks from running sums, 16 trials side by side: some T / 10 steps of T returns, 5,000 times.
//! Ten years of days take half a millisecond of one core a trial beside the trial itself, 20,000
//! trials ten seconds; memory does not grow with the trials.

use crate::error::{Error, Result};
use crate::metrics::bootstrap::{Draws, REPLICATES};
use crate::study::each;
use std::ops::Range;

/// Trials whose running sums lie side by side.
const LANES: usize = 16;
/// Most parts that the trials are cut into for the threads. It does not depend on the number of
/// threads, so that sums over trials are added in one order.
const PARTS_MAX: usize = 64;
/// Standard deviations up to this are rounding.
const FLAT: f64 = 1e-12;

/// The excess returns of a trial by its number.
pub(super) type Returns<'a> = dyn Fn(usize) -> Result<Vec<f64>> + Sync + 'a;

/// What the returns of all trials say together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuperiorAbility {
    /// White's statistic: sqrt(T) times the highest mean excess return.
    pub reality_check_statistic: f64,
    /// White's p value: of no trial being better than cash.
    pub reality_check_p: f64,
    /// Hansen's statistic: the highest sqrt(T) mean / omega, omega^2 the long-run variance; at least 0.
    pub spa_statistic: f64,
    /// Hansen's p value when trials that lose are left as bad as they look: a lower bound.
    pub spa_p_lower: f64,
    /// Hansen's consistent p value: trials that lose too much to matter are left as they are.
    pub spa_p: f64,
    /// Hansen's p value when every trial is taken as equal to cash: an upper bound.
    pub spa_p_upper: f64,
    /// Mean length of a block of the resamples, in returns.
    pub block: f64,
}

/// The two tests, and the mean correlation of two trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) ability: SuperiorAbility,
    pub(super) likeness: Likeness,
}

/// How much trials resemble each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likeness {
    /// Trials that were asked.
    pub(super) trials: usize,
    /// Those whose returns vary.
    pub(super) varying: usize,
    /// Mean correlation of two different ones of them; 0 for fewer than two.
    pub(super) mean_correlation: f64,
}

/// Tests `trials` trials, each with `n` excess returns over the same sessions, against 0.
///
/// The stationary bootstrap has blocks of mean length `block`. p = (1 + resamples whose highest
/// statistic is at least the observed one) / (1 + resamples). Sources: White (2000), A Reality
/// Check for Data Snooping, Econometrica 68(5); Hansen (2005), A Test for Superior Predictive
/// Ability, Journal of Business & Economic Statistics 23(4).
///
/// # Errors
/// What `returns` says, for the first trial that fails; trials of another length.
pub(super) fn test(
    trials: usize,
    n: usize,
    block: f64,
    seed: u64,
    threads: Option<usize>,
    returns: &Returns,
) -> Result<Found> {
    let draws = Draws::new(n, block, seed);
    let parts = each(&parts(trials), threads, |part| -> Result<Part> {
        let mut found = Part::new(n, REPLICATES);
        for first in part.clone().step_by(LANES) {
            let group = Group::read(first..part.end.min(first + LANES), n, block, returns)?;
            found.resample(&group, &draws);
            found.count(&group);
        }
        Ok(found)
    });
    let mut all = Part::new(n, REPLICATES);
    for part in parts {
        all.merge(&part?);
    }
    Ok(Found {
        ability: all.ability(n, block),
        likeness: all.likeness(trials, n),
    })
}

/// How much the trials of these numbers resemble each other.
///
/// # Errors
/// As [`test`].
pub(super) fn likeness(
    numbers: &[usize],
    n: usize,
    threads: Option<usize>,
    returns: &Returns,
) -> Result<Likeness> {
    let chosen = |at: usize| returns(numbers[at]);
    let parts = each(&parts(numbers.len()), threads, |part| -> Result<Part> {
        let mut found = Part::new(n, 0);
        for first in part.clone().step_by(LANES) {
            found.count(&Group::read(
                first..part.end.min(first + LANES),
                n,
                1.0,
                &chosen,
            )?);
        }
        Ok(found)
    });
    let mut all = Part::new(n, 0);
    for part in parts {
        all.merge(&part?);
    }
    Ok(all.likeness(numbers.len(), n))
}

/// The trials in at most [`PARTS_MAX`] parts of whole groups.
fn parts(trials: usize) -> Vec<Range<usize>> {
    let length = trials
        .div_ceil(PARTS_MAX)
        .next_multiple_of(LANES)
        .max(LANES);
    let starts = (0..trials).step_by(length);
    starts
        .map(|start| start..trials.min(start + length))
        .collect()
}

/// A few trials side by side. Lanes without a trial, and trials whose returns do not vary, are
/// zeros.
struct Group {
    /// Running sums of the deviations from the mean over the record laid twice end to end.
    sums: Vec<[f64; LANES]>,
    /// Sum of the standardised returns of the trials, a number a session.
    together: Vec<f64>,
    varying: usize,
    /// Trials in the group, the first lanes.
    trials: usize,
    /// Mean excess return.
    mean: [f64; LANES],
    /// 1 / omega; 0 where there is no spread.
    weight: [f64; LANES],
    /// What the consistent null leaves of the mean: 0, or the mean of a trial that loses too much.
    left: [f64; LANES],
}

impl Group {
    fn read(trials: Range<usize>, n: usize, block: f64, returns: &Returns) -> Result<Group> {
        let mut group = Group {
            sums: vec![[0.0; LANES]; 2 * n + 1],
            together: vec![0.0; n],
            varying: 0,
            trials: trials.len(),
            mean: [0.0; LANES],
            weight: [0.0; LANES],
            left: [0.0; LANES],
        };
        for (lane, trial) in trials.enumerate() {
            let x = returns(trial)?;
            if x.len() != n {
                let message = format!("trial {trial} has {} returns, the best one {n}", x.len());
                return Err(Error::msg(message));
            }
            if x.iter().all(|v| v.is_finite()) {
                group.take(lane, x, block);
            } else {
                // It lost everything, so that its returns have no meaning: never the best.
                group.mean[lane] = -1.0;
            }
        }
        Ok(group)
    }

    fn take(&mut self, lane: usize, mut x: Vec<f64>, block: f64) {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        x.iter_mut().for_each(|v| *v -= mean);
        let deviation = (x.iter().map(|v| v * v).sum::<f64>() / (n - 1.0)).sqrt();
        self.mean[lane] = mean;
        if deviation <= FLAT {
            return;
        }
        self.varying += 1;
        for (together, v) in self.together.iter_mut().zip(&x) {
            *together += v / deviation;
        }
        let mut sum = 0.0;
        for (at, v) in x.iter().chain(&x).enumerate() {
            sum += v;
            self.sums[at + 1][lane] = sum;
        }
        let variance = long_run_variance(&x, block);
        if variance <= FLAT * FLAT {
            return;
        }
        self.weight[lane] = 1.0 / variance.sqrt();
        let worst = -(variance / n * 2.0 * libm::log(libm::log(n))).sqrt();
        self.left[lane] = if mean < worst { mean } else { 0.0 };
    }
}

/// The variance of sqrt(n) times the mean of a resample of `x`, which has mean 0, in blocks of mean
/// length `block`: sum of x^2 / n + 2 sum over lags i of (1 - i/n) q^i C(i), q = 1 - 1/block, C(i)
/// the autocovariance around the circle. Source: Politis & Romano (1994), lemma 1; Hansen (2005).
///
/// Both sums over earlier returns, of q^i x and of i q^i x, follow from those of the session
/// before, so that all n lags cost n steps.
fn long_run_variance(x: &[f64], block: f64) -> f64 {
    let (n, q) = (x.len() as f64, 1.0 - 1.0 / block);
    let (mut near, mut far, mut power) = (0.0, 0.0, 1.0);
    for (i, v) in x.iter().rev().take(x.len() - 1).enumerate() {
        power *= q;
        near += power * v;
        far += (i + 1) as f64 * power * v;
    }
    let around = power * q;
    let (mut squares, mut lagged) = (0.0, 0.0);
    for (at, v) in x.iter().enumerate() {
        if let Some(before) = at.checked_sub(1).map(|before| x[before]) {
            // Every lag is one more; what would be a full circle ago is the return itself.
            (near, far) = (
                q * (near + before) - around * v,
                q * (far + near + before) - n * around * v,
            );
        }
        squares += v * v;
        lagged += v * (near - far / n);
    }
    (squares + 2.0 * lagged) / n
}

/// What some of the trials give, to be put together with the others.
struct Part {
    /// Of each resample the highest mean, and the highest mean over omega under the lower, the
    /// consistent and the upper null.
    highest: Vec<[f64; 4]>,
    /// The highest observed mean, and mean over omega.
    observed: [f64; 2],
    together: Vec<f64>,
    varying: usize,
}

impl Part {
    fn new(n: usize, replicates: usize) -> Part {
        Part {
            highest: vec![[f64::NEG_INFINITY; 4]; replicates],
            observed: [f64::NEG_INFINITY, 0.0],
            together: vec![0.0; n],
            varying: 0,
        }
    }

    fn resample(&mut self, group: &Group, draws: &Draws) {
        let n = group.together.len() as f64;
        for (mean, weight) in group.mean.iter().zip(group.weight).take(group.trials) {
            self.observed[0] = self.observed[0].max(*mean);
            self.observed[1] = self.observed[1].max(mean * weight);
        }
        let losing = group.mean.map(|mean| mean.min(0.0));
        for (number, highest) in self.highest.iter_mut().enumerate() {
            let mut sum = [0.0; LANES];
            draws.blocks(number as u64, |start, length| {
                let (a, b) = (&group.sums[start], &group.sums[start + length]);
                for lane in 0..LANES {
                    sum[lane] += b[lane] - a[lane];
                }
            });
            for lane in 0..LANES {
                let (mean, weight) = (sum[lane] / n, group.weight[lane]);
                let found = [
                    mean,
                    (mean + losing[lane]) * weight,
                    (mean + group.left[lane]) * weight,
                    mean * weight,
                ];
                for (highest, found) in highest.iter_mut().zip(found) {
                    *highest = if found > *highest { found } else { *highest };
                }
            }
        }
    }

    fn count(&mut self, group: &Group) {
        self.varying += group.varying;
        for (all, of_group) in self.together.iter_mut().zip(&group.together) {
            *all += of_group;
        }
    }

    fn merge(&mut self, other: &Part) {
        for (mine, theirs) in self.highest.iter_mut().zip(&other.highest) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = mine.max(*theirs);
            }
        }
        for (mine, theirs) in self.observed.iter_mut().zip(other.observed) {
            *mine = mine.max(theirs);
        }
        self.varying += other.varying;
        for (mine, theirs) in self.together.iter_mut().zip(&other.together) {
            *mine += theirs;
        }
    }

    fn ability(&self, n: usize, block: f64) -> SuperiorAbility {
        let [mean, ratio] = self.observed;
        let p = |at: usize, observed: f64| {
            // A best trial that earns nothing is no evidence, however unlikely the others.
            let reaches = |highest: &&[f64; 4]| observed <= 0.0 || highest[at] >= observed;
            let count = self.highest.iter().filter(reaches).count();
            (1 + count) as f64 / (1 + self.highest.len()) as f64
        };
        let root = (n as f64).sqrt();
        SuperiorAbility {
            reality_check_statistic: root * mean,
            reality_check_p: p(0, mean),
            spa_statistic: root * ratio,
            spa_p_lower: p(1, ratio),
            spa_p: p(2, ratio),
            spa_p_upper: p(3, ratio),
            block,
        }
    }

    /// The variance of the sum of standardised returns is their number plus twice the sum of
    /// correlations of all pairs.
    fn likeness(&self, trials: usize, n: usize) -> Likeness {
        let m = self.varying as f64;
        let variance = self.together.iter().map(|z| z * z).sum::<f64>() / (n as f64 - 1.0);
        Likeness {
            trials,
            varying: self.varying,
            mean_correlation: match self.varying {
                0 | 1 => 0.0,
                _ => (variance - m) / (m * (m - 1.0)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_run_variance_is_the_sum_over_lags() {
        let mut state = 1_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        for n in [2_usize, 3, 17, 200] {
            let mut x: Vec<f64> = (0..n).map(|_| draw()).collect();
            let mean = x.iter().sum::<f64>() / n as f64;
            x.iter_mut().for_each(|v| *v -= mean);
            for block in [1.0, 2.5, 10.0] {
                let (t, q) = (n as f64, 1.0 - 1.0 / block);
                let mut expected = x.iter().map(|v| v * v).sum::<f64>() / t;
                for i in 1..n {
                    let lag = i as f64;
                    let kernel =
                        (1.0 - lag / t) * libm::pow(q, lag) + lag / t * libm::pow(q, t - lag);
                    let products = x[i..].iter().zip(&x).map(|(a, b)| a * b);
                    expected += 2.0 * kernel * products.sum::<f64>() / t;
                }
                let ours = long_run_variance(&x, block);
                assert!(
                    (ours - expected).abs() < 1e-12,
                    "{n} {block}: {ours} but {expected}"
                );
            }
        }
    }
}
