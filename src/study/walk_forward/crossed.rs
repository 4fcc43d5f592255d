//! Combinatorial purged cross-validation: not one path through time but many.
//!
//! The bars are cut into groups. Each way of testing some of them chooses its parameters on the
//! others, and the tested groups of all ways are put together to paths that cover all bars, each
//! group traded with parameters that were not chosen on it. A path is one account, like a walk forward,
//! so what it changes at the border of a group it pays for. Unlike a walk forward, a choice may have seen the
//! bars after its test: the paths say how much luck there was in one order of time, not what could
//! have been earned.
//!
//! Source: Marcos Lopez de Prado, Advances in Financial Machine Learning, 2018, chapters 7.4 (purging,
//! embargo) and 12 (the combinatorial method).

use crate::engine::simulate_scheduled_bare;
use crate::error::{Error, Problem, Result};
use crate::market::date_of;
use crate::metrics::returns_of_run;
use crate::metrics::trial::{
    Scale, SpanSessions, Trial, by_session, of_tally, sessions_of, tally_of_sessions,
};
use crate::study::batch::each;
use crate::study::overfitting::INTERRUPTED;
use crate::study::sweep::Watch;
use crate::study::walk_forward::candidates::{Candidates, Objective};
use crate::units::BarIndex;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Ways of testing that are tried at most.
pub const SPLITS_MAX: usize = 5_000;
/// Combinations that one thread measures before it asks for more.
const CHUNK: usize = 16;

/// How the bars are crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Groups that the bars are cut into.
    pub groups: usize,
    /// Groups that are tested at a time.
    pub tested: usize,
    /// Bars left out of training before each tested group.
    pub purge_bars: usize,
    /// Bars left out of training after each tested group.
    pub embargo_bars: usize,
}

/// One way of testing some groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The tested groups, ascending.
    pub tested: Vec<usize>,
    /// Index of the combination that was best on the others; `None` when none had the figure.
    pub chosen: Option<usize>,
}

/// One path over all bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Index of the combination that traded each group.
    pub chosen: Vec<usize>,
    /// Figures of the account; those of trades are absent.
    pub figures: Trial,
}

/// The paths of a crossing.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossed {
    /// What was asked for.
    pub crossing: Crossing,
    /// Clock bars of each group.
    pub groups: Vec<Range<BarIndex>>,
    /// Ways of testing.
    pub splits: Vec<Split>,
    /// The paths, in a fixed order.
    pub paths: Vec<Path>,
    /// Sharpe ratios of the paths: lowest, median, highest; `None` when no path has one.
    pub sharpe: Option<(f64, f64, f64)>,
    /// Share of the paths with a Sharpe ratio above 0.
    pub above_zero: f64,
}

impl Crossing {
    /// Ways of testing: N over k. `None` when they are more than a `usize` counts.
    pub fn splits(&self) -> Option<usize> {
        binomial(self.groups, self.tested)
    }

    /// Paths: (N - 1) over (k - 1), the times that each group is tested.
    pub fn paths(&self) -> Option<usize> {
        binomial(self.groups.checked_sub(1)?, self.tested.checked_sub(1)?)
    }

    /// Reads `6/2`: groups and how many of them are tested at a time.
    ///
    /// # Errors
    /// Other text, fewer than two groups, nothing or everything tested, too many ways.
    pub fn parse(text: &str, purge_bars: usize) -> std::result::Result<Crossing, String> {
        let example = "expected groups and how many are tested at a time, for example 6/2";
        let (groups, tested) = text.split_once('/').ok_or(example)?;
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| example.to_owned());
        let crossing = Crossing {
            groups: number(groups)?,
            tested: number(tested)?,
            purge_bars,
            embargo_bars: purge_bars,
        };
        if crossing.groups < 2 || crossing.tested == 0 || crossing.tested >= crossing.groups {
            return Err(format!(
                "{example}; some groups are tested and some are not"
            ));
        }
        match crossing.splits() {
            Some(n) if n <= SPLITS_MAX => Ok(crossing),
            _ => Err(format!(
                "more than {SPLITS_MAX} ways of testing: take fewer groups"
            )),
        }
    }
}

fn binomial(n: usize, k: usize) -> Option<usize> {
    (0..k.min(n.checked_sub(k)?)).try_fold(1_usize, |product, i| {
        Some(product.checked_mul(n - i)? / (i + 1))
    })
}

/// All ascending choices of `k` out of `n`, in lexical order.
fn choices(n: usize, k: usize) -> Vec<Vec<usize>> {
    let mut found = Vec::new();
    let mut now: Vec<usize> = (0..k).collect();
    loop {
        found.push(now.clone());
        let Some(at) = (0..k).rev().find(|&i| now[i] < n - k + i) else {
            return found;
        };
        now[at] += 1;
        for later in at + 1..k {
            now[later] = now[later - 1] + 1;
        }
    }
}

/// Crosses the bars `span` of the candidates. `watch` is told how many more combinations and paths are
/// done.
///
/// # Errors
/// Fewer bars than groups need, an objective that needs trades, combinations that cannot be
/// simulated; and it was cancelled.
pub fn crossed(
    candidates: &Candidates<'_>,
    crossing: Crossing,
    objective: &Objective,
    threads: Option<usize>,
    watch: Watch<'_>,
) -> Result<Crossed> {
    if ["trades", "win_rate", "exposure"].contains(&objective.key.as_str()) {
        let what = format!("{} is not a figure of returns alone", objective.key);
        return Err(Error::new(
            Problem::new(what)
                .at_column("walk_forward.objective")
                .help("cross-validation needs one of total_return cagr volatility sharpe sortino max_drawdown calmar"),
        ));
    }
    let bars = Bars::of(candidates, crossing)?;
    let splits = splits(candidates, &bars, objective, threads, watch)?;
    let chosen = routes(&splits, crossing);
    let path = |chosen: &Vec<usize>| -> Result<Path> {
        unless_cancelled(watch)?;
        let stages = bars.groups.iter().zip(chosen);
        let stages = stages.map(|(group, at)| candidates.stage(*at, group.clone()));
        let run = simulate_scheduled_bare(candidates.market(), &stages.collect::<Vec<_>>())?;
        let returns = by_session(returns_of_run(&run), &bars.sessions);
        let tally = tally_of_sessions(&returns, &bars.rate, &[], false);
        (watch.progress)(1);
        Ok(Path {
            chosen: chosen.clone(),
            figures: of_tally(&tally, bars.sessions.scale),
        })
    };
    let paths = each(&chosen, threads, path);
    let paths = paths.into_iter().collect::<Result<Vec<_>>>()?;
    let mut sharpes: Vec<f64> = paths
        .iter()
        .filter_map(|p| p.figures.get("sharpe"))
        .collect();
    sharpes.sort_unstable_by(f64::total_cmp);
    let above = sharpes.iter().filter(|s| **s > 0.0).count();
    Ok(Crossed {
        crossing,
        above_zero: above as f64 / paths.len().max(1) as f64,
        sharpe: spread(&sharpes),
        groups: bars.groups,
        splits,
        paths,
    })
}

fn unless_cancelled(watch: Watch<'_>) -> Result<()> {
    match watch.cancel.load(Ordering::Relaxed) {
        true => Err(Error::msg(INTERRUPTED)),
        false => Ok(()),
    }
}

/// Lowest, median and highest of sorted numbers.
fn spread(sorted: &[f64]) -> Option<(f64, f64, f64)> {
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        n if n % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    Some((*sorted.first()?, median, *sorted.last()?))
}

/// The bars of a crossing.
struct Bars {
    groups: Vec<Range<BarIndex>>,
    /// Clock bars of the whole run.
    span: Range<BarIndex>,
    sessions: SpanSessions,
    /// Risk-free return of each session; empty for a rate of 0.
    rate: Vec<f64>,
    /// For each split its groups, and the sessions that it trains on with their calendar days.
    splits: Vec<(Vec<usize>, Vec<Range<usize>>, i64)>,
}

impl Bars {
    fn of(candidates: &Candidates<'_>, crossing: Crossing) -> Result<Bars> {
        let span = candidates.span();
        let n = crossing.groups;
        if span.len() < 2 * n {
            return Err(Error::new(
                Problem::new(format!("{} bars are too few for {n} groups", span.len()))
                    .help("take fewer groups, or give more data"),
            ));
        }
        let border = |k: usize| span.start + span.len() * k / n;
        let groups: Vec<_> = (0..n).map(|k| border(k)..border(k + 1)).collect();
        let run = candidates.run(0, &span)?;
        let time = &candidates.clock()[span.clone()];
        let sessions = sessions_of(time, run.periods_a_year, run.bars_a_session);
        let rate = run.rate;
        let rate = if rate.is_empty() {
            rate
        } else {
            by_session(rate, &sessions)
        };
        let session = |bar: BarIndex| match sessions.ends.as_slice() {
            [] => bar - span.start,
            ends => ends.partition_point(|end| *end <= bar - span.start),
        };
        let train = |tested: Vec<usize>| {
            let bars = trained(&groups, &span, &tested, crossing);
            let days = bars.iter().map(|part| {
                let clock = candidates.clock();
                (date_of(clock[part.end - 1]) - date_of(clock[part.start])).num_days()
            });
            let days = days.sum();
            let parts = bars
                .iter()
                .map(|part| session(part.start)..session(part.end));
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
            (tested, parts, days)
        };
        let splits: Vec<_> = choices(n, crossing.tested).into_iter().map(train).collect();
        if splits.iter().any(|(_, parts, _)| parts.is_empty()) {
            return Err(Error::new(
                Problem::new("purge and embargo leave nothing to train on")
                    .at_column("walk_forward.purge_bars")
                    .help("purge fewer bars, or take fewer groups"),
            ));
        }
        Ok(Bars {
            groups,
            span,
            sessions,
            rate,
            splits,
        })
    }
}

/// The bars of the groups that are not tested, less those purged before and embargoed after each
/// tested one.
fn trained(
    groups: &[Range<BarIndex>],
    span: &Range<BarIndex>,
    tested: &[usize],
    crossing: Crossing,
) -> Vec<Range<BarIndex>> {
    let mut parts = Vec::new();
    let mut from = span.start;
    for group in tested.iter().map(|&at| &groups[at]) {
        parts.push(from..group.start.saturating_sub(crossing.purge_bars));
        from = group.end + crossing.embargo_bars;
    }
    parts.push(from..span.end);
    // Neighbouring tested groups leave parts that are empty or turned round.
    parts.retain(|part| part.start < part.end);
    parts
}

/// The best combination of each split.
fn splits(
    candidates: &Candidates<'_>,
    bars: &Bars,
    objective: &Objective,
    threads: Option<usize>,
    watch: Watch<'_>,
) -> Result<Vec<Split>> {
    let of_chunk = |chunk: &Range<usize>| -> Result<Vec<Option<(f64, usize)>>> {
        unless_cancelled(watch)?;
        let mut best: Vec<Option<(f64, usize)>> = vec![None; bars.splits.len()];
        let (mut returns, mut rate) = (Vec::new(), Vec::new());
        for at in chunk.clone() {
            let whole = candidates.returns(at, &bars.span)?;
            for (best, (_, parts, days)) in best.iter_mut().zip(&bars.splits) {
                returns.clear();
                rate.clear();
                for part in parts {
                    returns.extend_from_slice(&whole[part.clone()]);
                    rate.extend_from_slice(bars.rate.get(part.clone()).unwrap_or_default());
                }
                let scale = Scale {
                    days: *days,
                    ..bars.sessions.scale
                };
                let tally = tally_of_sessions(&returns, &rate, &[], false);
                if let Some(score) = objective.score(&of_tally(&tally, scale))
                    && best.is_none_or(|(known, _)| score > known)
                {
                    *best = Some((score, at));
                }
            }
        }
        (watch.progress)(chunk.len() as u64);
        Ok(best)
    };
    let starts = (0..candidates.len()).step_by(CHUNK);
    let chunks: Vec<_> = starts
        .map(|s| s..(s + CHUNK).min(candidates.len()))
        .collect();
    let mut best: Vec<Option<(f64, usize)>> = vec![None; bars.splits.len()];
    for found in each(&chunks, threads, of_chunk) {
        for (best, found) in best.iter_mut().zip(found?) {
            if let Some((score, _)) = found
                && best.is_none_or(|(known, _)| score > known)
            {
                *best = found;
            }
        }
    }
    let pairs = bars.splits.iter().zip(best);
    let split = |((tested, ..), best): (&(Vec<usize>, _, _), Option<(f64, usize)>)| Split {
        tested: tested.clone(),
        chosen: best.map(|(_, at)| at),
    };
    Ok(pairs.map(split).collect())
}

/// For each path the combination of each group: path j trades a group with what the j-th split that
/// tests it has chosen. A split without a choice trades the first combination.
fn routes(splits: &[Split], crossing: Crossing) -> Vec<Vec<usize>> {
    let tests = |group: usize| {
        let of_group = splits
            .iter()
            .filter(move |split| split.tested.contains(&group));
        of_group
            .map(|split| split.chosen.unwrap_or(0))
            .collect::<Vec<_>>()
    };
    let by_group: Vec<Vec<usize>> = (0..crossing.groups).map(tests).collect();
    let paths = by_group.first().map_or(0, Vec::len);
    let path = |j: usize| by_group.iter().map(|chosen| chosen[j]).collect();
    (0..paths).map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_and_paths_are_those_of_the_book() {
        // Lopez de Prado (2018), 12.3: N = 6, k = 2 is 15 splits and 5 paths.
        let crossing = Crossing::parse("6/2", 0).unwrap();
        assert_eq!((crossing.splits(), crossing.paths()), (Some(15), Some(5)));
        let all = choices(6, 2);
        assert_eq!(
            (all.len(), &all[0], &all[14]),
            (15, &vec![0, 1], &vec![4, 5])
        );
        let splits = all.iter().enumerate().map(|(at, tested)| Split {
            tested: tested.clone(),
            chosen: Some(at),
        });
        let routes = routes(&splits.collect::<Vec<_>>(), crossing);
        assert_eq!(routes.len(), 5);
        // Figure 12.2 of the book: the first path takes the first split of each group, and so on.
        assert_eq!(routes[0], [0, 0, 1, 2, 3, 4]);
        assert_eq!(routes[1], [1, 5, 5, 6, 7, 8]);
        assert_eq!(routes[4], [4, 8, 11, 13, 14, 14]);
        for bad in ["6", "6/6", "1/0", "0/0", "a/2", "60/30"] {
            assert!(Crossing::parse(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn bars_beside_tested_groups_are_left_out() {
        let groups: Vec<_> = (0..5).map(|k| k * 10..(k + 1) * 10).collect();
        let crossing = Crossing {
            groups: 5,
            tested: 2,
            purge_bars: 2,
            embargo_bars: 3,
        };
        let parts = |tested: &[usize]| trained(&groups, &(0..50), tested, crossing);
        assert_eq!(parts(&[1, 3]), [0..8, 23..28, 43..50]);
        assert_eq!(parts(&[1, 2]), [0..8, 33..50]);
        let middle = parts(&[0, 4]);
        assert_eq!((middle.len(), middle[0].clone()), (1, 13..38));
    }
}
