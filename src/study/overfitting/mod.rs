//! Is the best of many trials good, or is it the luckiest of many? The deflated Sharpe ratio, the
//! probability of backtest overfitting, White's reality check, Hansen's SPA, and how far the best
//! trial's own figures can be trusted.
//!
//! Trials are fed as they are measured: each one's Sharpe ratio of one session (the annual one over
//! the root of sessions a year) into a [`Sharpes`], its 16 block sums into a [`Blocks`]; a second pass asks for the returns of each trial once more. What a trial
//! is, which trials there are, and the words for the reader are left to others.

mod block_figure;
mod cscv;
mod deflated;
mod second_pass;

pub use crate::engine::{BLOCKS, BlockSums};
pub use crate::metrics::trial::block_sums;
pub use block_figure::BlockFigure;
pub use cscv::{Blocks, Split, Splits, TRIALS_MAX, block_range};
pub use deflated::{Sharpes, deflated_sharpe};
pub use second_pass::SuperiorAbility;

use crate::error::{Error, Result};
use crate::metrics::bootstrap::{self, GrowthIntervals, Interval};
use crate::metrics::table::TrialTable;
use crate::metrics::{Absent, Value, drawdown_series, min_track_record, sharpe_per_period};
use crate::units::DAY_MICROS;
use second_pass::{Likeness, likeness, test};
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a figure is absent that was being computed when somebody stopped it.
pub const INTERRUPTED: &str = "interrupted";

/// Most trials that the reality check and the SPA are made for.
pub const SECOND_PASS_MAX: usize = 20_000;
/// Trials that are asked for their likeness when there are more than [`SECOND_PASS_MAX`].
pub const SAMPLE: usize = 2_000;
/// Fewest returns that are resampled: a dozen blocks of the shortest mean length.
const RETURNS_MIN: usize = 60;
/// Shortest mean block of the reality check and the SPA, in returns: two weeks of sessions.
const BLOCK_MIN: f64 = 10.0;
/// Calendar days in a year, on average.
const DAYS_A_YEAR: f64 = 365.25;
/// Confidence of the minimum track record.
const CONFIDENCE: f64 = 0.95;

/// What a sweep knows of its trials and its best one.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// Number of the best trial.
    pub best: usize,
    /// Its net returns, one a session.
    pub returns: &'a [f64],
    /// Risk-free return of each session; empty for a rate of 0.
    pub rate: &'a [f64],
    /// Calendar days from the first session to the last.
    pub days: f64,
    /// Sessions a year.
    pub periods_a_year: f64,
    /// Sharpe ratios a session of all trials.
    pub sharpes: &'a Sharpes,
    /// Those of every trial ever made on these data, this sweep's included.
    pub sharpes_all: Option<&'a Sharpes>,
    /// Block sums of all trials, or why there are none.
    pub blocks: std::result::Result<&'a Blocks, &'a str>,
    /// Net returns of a trial by its number, one a session; `None` leaves out what needs them.
    pub trial: Option<&'a (dyn Fn(usize) -> Result<Vec<f64>> + Sync)>,
    /// Seed of all resamples.
    pub seed: u64,
    /// Threads; `None` for all cores.
    pub threads: Option<usize>,
    /// Set from outside to give up what takes long.
    pub cancel: Option<&'a AtomicBool>,
}

impl Evidence<'_> {
    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// What is to be thought of the best of many trials. Probabilities are fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Number of trials.
    pub trials: u64,
    /// As how many independent trials they count.
    pub trials_effective: Value<f64>,
    /// Number of the best trial.
    pub best: usize,
    /// Its Sharpe ratio a year.
    pub sharpe: Value<f64>,
    /// Its growth a year.
    pub cagr: Value<f64>,
    /// Its deepest drawdown, a fraction of at most 0.
    pub max_drawdown: f64,
    /// What luck alone is expected to make of the best of so many: a Sharpe ratio a year.
    pub sharpe_of_luck: f64,
    /// Probability that its Sharpe ratio is above what luck gives the best of this sweep.
    pub deflated_sharpe: Value<f64>,
    /// Trials ever made on these data, when they are known.
    pub trials_all: Option<u64>,
    /// The same probability against the best of all of them.
    pub deflated_sharpe_all: Value<f64>,
    /// Probability of backtest overfitting.
    pub pbo: Value<f64>,
    /// White's reality check and Hansen's SPA.
    pub ability: Value<SuperiorAbility>,
    /// Fewest sessions after which such a Sharpe ratio is above 0 with 95% confidence.
    pub min_track_record: Value<f64>,
    /// Sessions that there are.
    pub sessions: usize,
    /// 90% interval of the best trial's Sharpe ratio a year.
    pub sharpe_interval: Value<Interval>,
    /// 90% intervals of its growth a year and of its deepest drawdown.
    pub growth_intervals: Value<GrowthIntervals>,
}

impl Judgement {
    /// p value of White's reality check.
    pub fn reality_check_p(&self) -> Value<f64> {
        let ability = self.ability.as_ref();
        ability.map(|a| a.reality_check_p).map_err(Clone::clone)
    }

    /// Keys of the figures that are missing since the judgement was interrupted; none of a whole one.
    pub fn interrupted(&self) -> Vec<&'static str> {
        let is = |why: Option<String>| why.as_deref() == Some(INTERRUPTED);
        let why = |value: &Value<f64>| value.as_ref().err().map(ToString::to_string);
        let found = [
            ("pbo", why(&self.pbo)),
            ("spa_p", why(&self.spa_p())),
            ("reality_check_p", why(&self.reality_check_p())),
            ("trials_effective", why(&self.trials_effective)),
            (
                "intervals",
                self.growth_intervals
                    .as_ref()
                    .err()
                    .map(ToString::to_string),
            ),
        ];
        let missing = found.into_iter().filter(|(_, why)| is(why.clone()));
        missing.map(|(key, _)| key).collect()
    }

    /// Hansen's consistent p value.
    pub fn spa_p(&self) -> Value<f64> {
        let ability = self.ability.as_ref();
        ability.map(|a| a.spa_p).map_err(Clone::clone)
    }
}

/// Judges the best of many trials.
///
/// The deflated Sharpe ratio costs nothing, the probability of backtest overfitting 50 microseconds
/// a trial, the second pass half a millisecond and the trial itself for each trial, up to
/// [`SECOND_PASS_MAX`]; beyond, the tests are absent and the likeness of trials comes from a sample
/// of [`SAMPLE`] of them, drawn evenly over their numbers. All of it is the same for any number of
/// threads.
///
/// # Errors
/// What `trial` says, for the first trial that fails. What cannot be said is no error but absent.
pub fn judge_trials(evidence: &Evidence) -> Result<Judgement> {
    let excess = excess(evidence.returns, evidence.rate);
    let root = evidence.periods_a_year.sqrt();
    let trials = evidence.sharpes.count();
    let blocks = evidence
        .blocks
        .map_err(|reason| Absent::new(reason.to_owned()));
    let stop = || evidence.is_cancelled();
    let splits = blocks.and_then(|blocks| blocks.splits_unless(&stop, evidence.threads));
    let (ability, trials_effective) = second_pass(evidence, &excess)?;
    let (returns, seed) = (evidence.returns, evidence.seed);
    let enough = enough(excess.len()).and_then(|()| match stop() {
        true => Err(Absent::new(INTERRUPTED)),
        false => Ok(()),
    });
    let all = evidence.sharpes_all;
    Ok(Judgement {
        trials,
        trials_effective,
        best: evidence.best,
        sharpe: sharpe_per_period(&excess).map(|sharpe| sharpe * root),
        cagr: cagr(returns, evidence.days),
        max_drawdown: drawdown_series(returns).into_iter().fold(0.0, f64::min),
        sharpe_of_luck: evidence.sharpes.expected_maximum() * root,
        deflated_sharpe: deflated_sharpe(&excess, evidence.sharpes),
        trials_all: all.map(Sharpes::count),
        deflated_sharpe_all: match all {
            Some(all) => deflated_sharpe(&excess, all),
            None => Err(Absent::new("no ledger of trials")),
        },
        pbo: splits.map(|splits| splits.probability()),
        ability,
        min_track_record: min_track_record(&excess, 0.0, CONFIDENCE),
        sessions: excess.len(),
        sharpe_interval: enough
            .clone()
            .and_then(|()| bootstrap::sharpe_interval(&excess, evidence.periods_a_year, seed)),
        growth_intervals: enough
            .and_then(|()| bootstrap::growth_intervals(returns, evidence.days, seed)),
    })
}

fn excess(returns: &[f64], rate: &[f64]) -> Vec<f64> {
    match rate {
        [] => returns.to_vec(),
        rate => returns.iter().zip(rate).map(|(r, rate)| r - rate).collect(),
    }
}

/// As the metric of that name.
fn cagr(returns: &[f64], days: f64) -> Value<f64> {
    let growth: f64 = returns.iter().map(|r| 1.0 + r).product();
    match growth.is_finite() && growth >= 0.0 && days > 0.0 {
        true => Ok(libm::pow(growth, DAYS_A_YEAR / days) - 1.0),
        false => Err(Absent::new("no growth a year")),
    }
}

fn enough(returns: usize) -> Value<()> {
    if returns < RETURNS_MIN {
        return Err(Absent::new(format!(
            "{returns} returns, at least {RETURNS_MIN} needed"
        )));
    }
    Ok(())
}

/// The tests over all trials, and as how many independent ones these count.
fn second_pass(evidence: &Evidence, best: &[f64]) -> Result<(Value<SuperiorAbility>, Value<f64>)> {
    let absent = |reason: Absent| Ok((Err(reason.clone()), Err(reason)));
    let Some(trial) = evidence.trial else {
        return absent(Absent::new("the returns of the trials are not at hand"));
    };
    if let Err(reason) = enough(best.len()) {
        return absent(reason);
    }
    let (n, threads) = (best.len(), evidence.threads);
    let interrupted = || Absent::new(INTERRUPTED);
    let returns = |number: usize| match evidence.is_cancelled() {
        true => Err(Error::msg(INTERRUPTED)),
        false => Ok(excess(&trial(number)?, evidence.rate)),
    };
    let trials = evidence.sharpes.count();
    let count = usize::try_from(trials).unwrap_or(usize::MAX);
    if count <= SECOND_PASS_MAX {
        let block = bootstrap::block_length(best).max(BLOCK_MIN);
        let found = test(count, n, block, evidence.seed, threads, &returns);
        if evidence.is_cancelled() {
            return absent(interrupted());
        }
        let found = found?;
        return Ok((Ok(found.ability), effective(&found.likeness, trials)));
    }
    let found = likeness(&sample(count, evidence.seed), n, threads, &returns);
    let reason = Absent::new(format!("more than {SECOND_PASS_MAX} trials"));
    if evidence.is_cancelled() {
        return Ok((Err(reason), Err(interrupted())));
    }
    Ok((Err(reason), effective(&found?, trials)))
}

/// As how many independent trials `trials` count: c + (1 - c) m, c the mean correlation of two of
/// the m trials whose returns vary. Those that never vary are one trial together.
///
/// Source: Bailey & Lopez de Prado (2014), The Deflated Sharpe Ratio, appendix 3.
fn effective(found: &Likeness, trials: u64) -> Value<f64> {
    if found.varying == 0 {
        return Err(Absent::new("no trial's returns vary"));
    }
    let varying = trials as f64 * found.varying as f64 / found.trials as f64;
    let correlation = found.mean_correlation.clamp(0.0, 1.0);
    let flat = if found.varying < found.trials {
        1.0
    } else {
        0.0
    };
    Ok(correlation + (1.0 - correlation) * varying + flat)
}

/// [`SAMPLE`] of the trials: their numbers are cut into as many equal parts, and one is drawn from
/// each, so that every trial is as likely as another.
fn sample(trials: usize, seed: u64) -> Vec<usize> {
    let part = trials as f64 / SAMPLE as f64;
    let draw = |i: usize| {
        let within = bootstrap::uniform(seed, i as u64);
        (((i as f64 + within) * part) as usize).min(trials - 1)
    };
    (0..SAMPLE).map(draw).collect()
}

/// Judges the best of a table's trials: the one with the highest Sharpe ratio, the first of equals;
/// the rate is 0. Costs and errors as [`judge_trials`].
///
/// # Errors
/// None of its own.
pub fn judge_table(table: &TrialTable, seed: u64, threads: Option<usize>) -> Result<Judgement> {
    let ratio = |returns: &Vec<f64>| sharpe_per_period(returns).unwrap_or(0.0);
    let ratios: Vec<f64> = table.returns.iter().map(ratio).collect();
    // The last of the highest seen from the end is the first of them.
    let best = (0..ratios.len())
        .rev()
        .max_by(|a, b| ratios[*a].total_cmp(&ratios[*b]));
    let best = best.unwrap_or_default();
    let mut blocks = Blocks::default();
    for returns in &table.returns {
        blocks.push(&block_sums(returns));
    }
    let days = match table.time.as_slice() {
        [first, .., last] => (last - first) as f64 / DAY_MICROS as f64,
        _ => 0.0,
    };
    let trial = |number: usize| Ok(table.returns[number].clone());
    judge_trials(&Evidence {
        best,
        returns: table.returns.get(best).map_or(&[], Vec::as_slice),
        rate: &[],
        days,
        periods_a_year: table.periods.bars_a_year,
        sharpes: &ratios.iter().copied().collect(),
        sharpes_all: None,
        blocks: Ok(&blocks),
        trial: Some(&trial),
        seed,
        threads,
        cancel: None,
    })
}
