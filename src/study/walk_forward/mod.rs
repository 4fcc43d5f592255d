//! Parameters chosen on the past and judged on the future, again and again: what a strategy would
//! have earned if its parameters had been chosen as they are chosen today.
//!
//! Each training window measures every combination (flat at its first bar, indicators warmed up on
//! the bars before it, only its own returns counted), and the best one trades the test window. The test
//! windows are one account: what was held goes on, and changing it costs what orders cost. Where
//! the windows lie is in `windows.rs`, which combinations there are in `candidates.rs`.

mod candidates;
mod crossed;
mod parts;
mod windows;

pub use candidates::{Candidates, Objective, Varied, whole};
pub use crossed::{Crossed, Crossing, Path, SPLITS_MAX, Split, crossed};
pub use parts::WalkPart;
pub use windows::{Window, Windows};

use crate::engine::{Outcome, Run, simulate_scheduled};
use crate::error::{Error, Problem, Result};
use crate::metrics::caveats::Caveat;
use crate::metrics::trial::Trial;
use crate::metrics::{ClosedTrade, Inputs, Metrics, OwnedInputs, bootstrap, compute_only};
use crate::portfolio::TradeStatus;
use crate::study::judged::excess_by_session;
use crate::study::learning::{Learning, learning_of_stages};
use crate::study::overfitting::{Sharpes, deflated_sharpe};
use crate::study::sweep::Watch;
use crate::study::walk_forward::parts::{Chosen, Parts};
use crate::units::{BarIndex, Micros};
use std::ops::Range;

/// Combinations up to which all of them are measured on the test windows too, to say where the
/// chosen one stands among them.
pub const RANKED_MAX: usize = 20_000;

/// One training window, what it chose, and how that went on.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// The bars.
    pub window: Window,
    /// Moments of the first and the last bar of the training window.
    pub trained: (Micros, Micros),
    /// Moments of the first and the last bar of the test window.
    pub tested: (Micros, Micros),
    /// Index of the chosen combination.
    pub chosen: usize,
    /// `false` when no combination had the objective's figure, so that the choice of the window
    /// before (or the first combination) was kept.
    pub is_decided: bool,
    /// Figures of the chosen combination on the training window.
    pub in_sample: Trial,
    /// Figures of the stitched account on the test window.
    pub out_of_sample: Metrics,
    /// Share of the other combinations that the chosen one beat on the test window, each measured
    /// alone and flat at its start; `None` when none can be told, or there are more than
    /// [`RANKED_MAX`].
    pub rank: Option<f64>,
}

/// Out of sample over in sample: how much of what was seen on the training windows came to pass.
///
/// Source: Robert Pardo, The Evaluation and Optimization of Trading Strategies, 2nd edition, 2008,
/// chapter 11 (walk-forward efficiency). In sample is the mean over the folds of the chosen
/// combinations' figures on their training windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Efficiency {
    /// Of the annual return (`cagr`); or why there is none.
    pub annual_return: std::result::Result<f64, String>,
    /// Of the Sharpe ratio; or why there is none.
    pub sharpe: std::result::Result<f64, String>,
    /// Mean annual return in sample; NaN when no fold has one.
    pub in_sample_cagr: f64,
    /// Mean Sharpe ratio in sample; NaN when no fold has one.
    pub in_sample_sharpe: f64,
}

/// What the folds chose for one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// The parameter.
    pub varied: Varied,
    /// Index of the chosen value, fold by fold.
    pub chosen: Vec<usize>,
    /// Index of the value that was chosen most often (the first of several), and how often.
    pub most_often: (usize, usize),
    /// Different values among them.
    pub distinct: usize,
    /// Folds that chose another value than the fold before.
    pub changes: usize,
}

/// The best combination of the whole out-of-sample period, chosen with hindsight.
#[derive(Debug, Clone, PartialEq)]
pub struct Hindsight {
    /// Index of the combination.
    pub chosen: usize,
    /// Its varied values, by name.
    pub values: Vec<(String, String)>,
    /// Its figures over that period.
    pub figures: Trial,
    /// Its equity at each bar of the stitched run.
    pub equity: Vec<f64>,
    /// Probability that its Sharpe ratio is above what luck gives the best of all combinations.
    pub deflated_sharpe: std::result::Result<f64, String>,
    /// The same of every trial ever made on these data, see [`Walk::judge_by_all`].
    pub deflated_sharpe_all: std::result::Result<f64, String>,
    /// Its session returns in excess of the rate.
    excess: Vec<f64>,
    sessions_a_year: f64,
}

/// A walk forward. The stitched run itself is beside it, as an [`Outcome`].
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    /// The windows asked for.
    pub windows: Windows,
    /// Folds that there are; fewer were walked when it was interrupted.
    pub planned: usize,
    /// It was not interrupted.
    pub is_complete: bool,
    /// What was optimised.
    pub objective: Objective,
    /// Combinations that each window chose from.
    pub trials: usize,
    /// Sharpe ratio a year of each combination over the whole run, training and test windows alike,
    /// 0 where it has none: what the ledger of trials is told. Empty when it was interrupted.
    pub sharpes: Vec<f64>,
    /// Distinct trials ever made on these data, these included; `None` when they were not counted.
    pub trials_all: Option<u64>,
    /// Simulations made to choose: combinations times windows and both whole
    /// periods, out of sample and all.
    pub simulations: u64,
    /// Why they were simulated bar by bar, which takes longer; `None` when the kernel carried them.
    pub fallback: Option<String>,
    /// The folds in order of time.
    pub folds: Vec<Fold>,
    /// The stitched run beside the same choices with other forecasts; `None` without a `[model]`, and
    /// where the folds chose different ones.
    pub learning: Option<Learning>,
    /// Parameter by parameter, what they chose.
    pub stability: Vec<Stability>,
    /// Out of sample over in sample.
    pub efficiency: Efficiency,
    /// The best with hindsight; `None` when no combination has the figure.
    pub hindsight: Option<Hindsight>,
    /// The paths of a combinatorial cross-validation, when one was asked for.
    pub crossed: Option<Crossed>,
}

/// How a walk is done.
pub struct WalkOptions<'a> {
    /// Windows.
    pub windows: Windows,
    /// What is optimised.
    pub objective: Objective,
    /// Combinatorial cross-validation beside the walk.
    pub crossing: Option<Crossing>,
    /// Threads; `None` is all cores. The result is the same for any number.
    pub threads: Option<usize>,
    /// Stops it after the combinations under way, and is told how many more simulations are done, from
    /// any thread.
    pub watch: Watch<'a>,
    /// What an earlier attempt at the same walk had done, in order; it is not done again.
    pub kept: &'a [WalkPart],
    /// Told each further part as it is done.
    pub keep: &'a dyn Fn(&WalkPart) -> Result<()>,
    /// Stops after so many folds, as an interruption did.
    pub folds_max: Option<usize>,
}

/// Simulations that a walk of so many folds makes.
pub fn simulations(candidates: &Candidates<'_>, folds: usize, crossing: Option<Crossing>) -> u64 {
    let passes = 2 + usize::from(crossing.is_some());
    let paths = crossing.and_then(|c| c.paths()).unwrap_or(0);
    simulations_of(candidates, folds) + (candidates.len() * passes + paths) as u64
}

/// Those that so many folds alone take.
fn simulations_of(candidates: &Candidates<'_>, folds: usize) -> u64 {
    let is_ranked = candidates.len() <= RANKED_MAX;
    (candidates.len() * folds * (1 + usize::from(is_ranked))) as u64
}

/// The walk's folds, without simulating.
///
/// # Errors
/// Windows longer than the data, or training windows without a bar.
pub fn folds_of(candidates: &Candidates<'_>, windows: &Windows) -> Result<Vec<Window>> {
    windows.over(candidates.clock(), candidates.span())
}

/// Folds below which one window decides.
const FOLDS_MIN: usize = 5;

impl Walk {
    /// Deflates the Sharpe ratio of hindsight by every trial ever made on these data too; `all` are
    /// their ratios a year.
    pub fn judge_by_all(&mut self, all: &Sharpes) {
        self.trials_all = Some(all.count());
        if let Some(seen) = &mut self.hindsight {
            let all = all.scaled(1.0 / seen.sessions_a_year.sqrt());
            let deflated = deflated_sharpe(&seen.excess, &all);
            seen.deflated_sharpe_all = deflated.map_err(|why| why.to_string());
        }
    }

    /// What to beware of beside the caveats of the stitched run.
    pub fn caveats(&self) -> Vec<Caveat> {
        let folds = self.folds.len();
        let planned = self.planned;
        if !self.is_complete {
            return vec![Caveat::Interrupted { folds, planned }];
        }
        let few = (folds < FOLDS_MIN).then_some(Caveat::FewFolds { folds });
        let learned = self.learning.iter().flat_map(Learning::caveats);
        few.into_iter().chain(learned).collect()
    }
}

/// Walks forward: the stitched out-of-sample run with its benchmarks, and how it came about.
///
/// # Errors
/// No combination, windows that do not fit the data, combinations that cannot be simulated.
pub fn walk_forward(
    candidates: &Candidates<'_>,
    options: &WalkOptions<'_>,
) -> Result<(Walk, Outcome)> {
    if candidates.is_empty() {
        return Err(Error::new(
            Problem::new("there is no combination of parameters to choose from")
                .help("give [sweep] or --vary values that meet its condition"),
        ));
    }
    let mut windows = folds_of(candidates, &options.windows)?;
    let planned = windows.len();
    let mut parts = Parts::new(candidates, options);
    let chosen = parts.chosen(&windows)?;
    if chosen.is_empty() {
        return Err(Error::new(
            Problem::new("interrupted before the first fold was walked")
                .help("the same command begins anew"),
        ));
    }
    windows.truncate(chosen.len());
    let tested = tested(&windows);
    let after = match chosen.len() == planned {
        true => parts.after(&tested)?,
        false => None,
    };
    let stages = windows.iter().zip(&chosen);
    let stages = stages.map(|(window, fold)| candidates.stage(fold.at, window.test.clone()));
    let stages: Vec<_> = stages.collect();
    let outcome = simulate_scheduled(candidates.market(), &stages)?;
    let learning = learning_of_stages(candidates.market(), &stages, &outcome.run)?;
    let inputs = OwnedInputs::of(&outcome.run);
    let folds = folds(candidates, windows, &chosen, (&outcome.run, &inputs))?;
    let (is_complete, after) = (after.is_some(), after.unwrap_or_default());
    let seen = after
        .best
        .map(|at| seen_after(candidates, at, (&tested, &after.of_tested)));
    let walk = Walk {
        windows: options.windows,
        planned,
        is_complete,
        objective: options.objective.clone(),
        trials: candidates.len(),
        sharpes: after.overall,
        trials_all: None,
        fallback: candidates.fallback().map(str::to_owned),
        simulations: match is_complete {
            true => simulations(candidates, planned, options.crossing),
            false => simulations_of(candidates, folds.len()),
        },
        stability: stability(candidates, &folds),
        efficiency: efficiency(&folds, &of_part(&outcome.run, &inputs, &tested)),
        hindsight: seen.transpose()?,
        crossed: after.crossed,
        folds,
        learning,
    };
    Ok((walk, outcome))
}

/// The folds with their figures in and out of sample.
fn folds(
    candidates: &Candidates<'_>,
    windows: Vec<Window>,
    chosen: &[Chosen],
    (run, inputs): (&Run, &OwnedInputs),
) -> Result<Vec<Fold>> {
    let pairs = windows.into_iter().zip(chosen);
    let fold = |(window, chosen): (Window, &Chosen)| {
        Ok(Fold {
            in_sample: candidates.measure(chosen.at, &window.train)?,
            out_of_sample: of_part(run, inputs, &window.test),
            trained: ends(candidates.clock(), &window.train),
            tested: ends(candidates.clock(), &window.test),
            window,
            chosen: chosen.at,
            is_decided: chosen.is_decided,
            rank: chosen.rank,
        })
    };
    pairs.map(fold).collect()
}

/// Moments of the first and the last bar of a window, which has one.
fn ends(clock: &[Micros], bars: &Range<BarIndex>) -> (Micros, Micros) {
    (clock[bars.start], clock[bars.end - 1])
}

/// All bars of all test windows.
fn tested(windows: &[Window]) -> Range<BarIndex> {
    match (windows.first(), windows.last()) {
        (Some(first), Some(last)) => first.test.start..last.test.end,
        _ => 0..0,
    }
}

fn seen_after(
    candidates: &Candidates<'_>,
    chosen: usize,
    (tested, sharpes): (&Range<BarIndex>, &Sharpes),
) -> Result<Hindsight> {
    let run = candidates.run(chosen, tested)?;
    let (excess, sessions_a_year) = excess_by_session(&run);
    Ok(Hindsight {
        chosen,
        values: candidates.values(chosen),
        figures: candidates.measure(chosen, tested)?,
        deflated_sharpe: deflated_sharpe(&excess, sharpes).map_err(|why| why.to_string()),
        deflated_sharpe_all: Err("no ledger of trials".to_owned()),
        sessions_a_year,
        excess,
        equity: run.equity,
    })
}

/// The figures of a trial, of a part of a run: its returns, and the trades that were closed in it.
fn of_part(run: &Run, inputs: &OwnedInputs, clock_bars: &Range<BarIndex>) -> Metrics {
    let bars = clock_bars.start - run.first_bar..clock_bars.end - run.first_bar;
    let part = |column: &'_ [f64]| -> Vec<f64> {
        column
            .get(bars.clone())
            .map(<[f64]>::to_vec)
            .unwrap_or_default()
    };
    let closed = run.trades.iter().filter(|trade| {
        trade.status == TradeStatus::Closed && clock_bars.contains(&trade.exit_bar)
    });
    let trades: Vec<ClosedTrade> = closed.map(ClosedTrade::from).collect();
    let (returns, rate) = (part(&inputs.returns), part(&run.rate));
    let (hurdle, weight) = (part(&run.hurdle), part(&run.exposure));
    let before = bars.start.checked_sub(1).map(|bar| run.equity[bar]);
    compute_only(
        &Inputs {
            time: &run.time[bars.clone()],
            returns: &returns,
            rate: &rate,
            hurdle: &hurdle,
            benchmark: None,
            periods_a_year: run.periods_a_year,
            bars_a_session: run.bars_a_session,
            start_equity: before.or(Some(run.start_equity)),
            end_equity: bars.end.checked_sub(1).map(|bar| run.equity[bar]),
            flows: &[],
            weight: &weight,
            turnover: &[],
            trades: Some(&trades),
            money: None,
            ambiguous_trades: None,
            seed: bootstrap::SEED,
        },
        &Trial::KEYS,
    )
}

fn efficiency(folds: &[Fold], stitched: &Metrics) -> Efficiency {
    let mean = |key: &str| {
        let known: Vec<f64> = folds.iter().filter_map(|f| f.in_sample.get(key)).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let over = |key: &str, what: &str| {
        let (inside, outside) = (mean(key), stitched.get(key));
        match outside {
            _ if inside.is_nan() => Err(format!("no fold has {what} in sample")),
            _ if inside <= 0.0 => Err(format!("{what} in sample is not above 0")),
            Some(outside) => Ok(outside / inside),
            None => Err(stitched.reason(key).unwrap_or("not computed").to_owned()),
        }
    };
    Efficiency {
        annual_return: over("cagr", "the annual return"),
        sharpe: over("sharpe", "the Sharpe ratio"),
        in_sample_cagr: mean("cagr"),
        in_sample_sharpe: mean("sharpe"),
    }
}

fn stability(candidates: &Candidates<'_>, folds: &[Fold]) -> Vec<Stability> {
    let points = folds.iter().map(|fold| candidates.point(fold.chosen));
    let points: Vec<Vec<usize>> = points.collect();
    let of_axis = |(axis, varied): (usize, &Varied)| {
        let chosen: Vec<usize> = points.iter().map(|point| point[axis]).collect();
        let mut distinct = chosen.clone();
        distinct.sort_unstable();
        let most_often = distinct
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len()))
            .fold((0, 0), |most, one| if one.1 > most.1 { one } else { most });
        distinct.dedup();
        Stability {
            varied: varied.clone(),
            most_often,
            distinct: distinct.len(),
            changes: chosen.windows(2).filter(|pair| pair[0] != pair[1]).count(),
            chosen,
        }
    };
    let varied = candidates.varied().iter().enumerate();
    varied.map(of_axis).collect()
}
