//! The same strategy under each assumption that flatters it: decided later, on another day, at
//! higher costs, without its luckiest trades and days, from other starts, and beside entries drawn
//! at random.
//!
//! None of it is a choice to be made, so none of these runs is a trial. Every run here is a bare one
//! of the engine over columns that are computed once; the words of the table are left to `report`.

mod costs;
mod luck;
mod options;
mod random_entries;

use crate::engine::{Outcome, Progress, Run, Stage, Variation, Variations, outline};
use crate::market::Market;
use crate::metrics::{Metrics, OwnedInputs, compute_only};
use crate::strategy::{Ambiguity, Every, Strategy};

/// The figures of a line that is a run.
const KEYS: [&str; 5] = ["total_return", "cagr", "sharpe", "max_drawdown", "trades"];

/// What a line found.
#[derive(Debug, Clone, PartialEq)]
pub enum StressResult {
    /// Another run: `total_return cagr sharpe max_drawdown trades`, some of them absent.
    Figures(Metrics),
    /// The cost a side, in basis points of the value traded, at which the end equity is that of
    /// cash or of the benchmark.
    BreakEven {
        /// Basis points a side, in place of all costs of the file.
        bps: f64,
        /// The strategy is ahead even there, and nothing higher was tried.
        beyond: bool,
        /// What the run paid on average, basis points a side; `None` when nothing was traded.
        paid_bps: Option<f64>,
    },
    /// A share of so many: of starts that beat cash, or of random entries that did worse.
    Share {
        /// Fraction from 0 to 1.
        share: f64,
        /// Of how many.
        of: usize,
    },
}

/// One assumption and what comes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StressLine {
    /// Stable name in JSON and CSV, for example `one_bar_later`.
    pub key: &'static str,
    /// The assumption in words, without a capital, for example `decided one bar later`.
    pub label: String,
    /// What it found, or why there is nothing to find.
    pub result: Result<StressResult, String>,
}

/// All assumptions, the run as it is first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stress {
    /// One line an assumption, always in the same order; the first is the run as it is.
    pub lines: Vec<StressLine>,
    /// The line with the lowest return of those that are runs, the first left out.
    pub worst: Option<usize>,
}

impl Stress {
    /// The line of a key.
    pub fn line(&self, key: &str) -> Option<&StressLine> {
        self.lines.iter().find(|line| line.key == key)
    }

    /// The line with the lowest return; `None` when no other run was possible.
    pub fn worst_line(&self) -> Option<&StressLine> {
        self.lines.get(self.worst?)
    }
}

impl StressLine {
    /// A figure of a line that is a run; `None` where it is absent.
    pub fn figure(&self, key: &str) -> Option<f64> {
        match &self.result {
            Ok(StressResult::Figures(metrics)) => metrics.get(key),
            _ => None,
        }
    }
}

/// What every line is made from.
struct Subject<'a> {
    strategy: &'a Strategy,
    outcome: &'a Outcome,
    variations: Variations<'a>,
    seed: u64,
    progress: Progress<'a>,
}

type Found = Result<StressResult, String>;

/// Runs a strategy under every assumption. `outcome` is its run, `metrics` are the run's figures,
/// and `seed` is that of the random entries. There are no lines for a run that is not the strategy's
/// own over its own days; one that changes its parameters on the way is put under stress by
/// [`stress_through`].
pub fn stress(
    market: &Market,
    strategy: &Strategy,
    outcome: &Outcome,
    metrics: &Metrics,
    seed: u64,
) -> Stress {
    let watched = (seed, Progress::default());
    stress_watched(market, strategy, (outcome, metrics), watched)
}

/// The same, and `progress` is told of the bars that are simulated.
pub(super) fn stress_watched(
    market: &Market,
    strategy: &Strategy,
    found: (&Outcome, &Metrics),
    watched: (u64, Progress<'_>),
) -> Stress {
    // The run has compiled the same expressions over the same bars, so this fails only where rate
    // files have gone since.
    match Variations::new(market, strategy) {
        Ok(variations) => lines_of((market, strategy), found, variations, watched),
        Err(_) => Stress::default(),
    }
}

/// Bars that [`crate::engine::simulate`] and [`crate::study::judge`] go through, every simulation of them
/// counted, as far as that can be told beforehand: what a search for a break-even cost saves is reported as
/// done, and what only some runs need (both other ways to settle ambiguous bars) is left out.
///
/// # Errors
/// As [`crate::engine::backtest`].
pub fn bars_to_simulate(market: &Market, strategy: &Strategy) -> crate::error::Result<u64> {
    let outline = outline(market, strategy)?;
    let bars = outline.span.len() as u64;
    let accounts = match strategy.account.each {
        true => outline.universe.len() as u64,
        false => 1,
    };
    let wanted = &strategy.benchmark;
    let benchmarks =
        wanted.symbols.len() + usize::from(wanted.universe) + usize::from(!wanted.blend.is_empty());
    let every = match (&strategy.rank, &strategy.weights) {
        (Some(rank), _) => rank.every,
        (_, Some(weights)) => weights.every.unwrap_or(Every::Bar),
        (None, None) => strategy.rules.every,
    };
    let days = match every {
        Every::Bar | Every::Day => 0,
        Every::Week => 5,
        Every::Month => 21,
        Every::Quarter => 63,
        Every::Year => 252,
    };
    // The run; itself, one bar later and at twice the costs; both searches; each day of a schedule.
    let own = 1 + 3 + 2 * costs::STEPS + days;
    Ok(bars * (accounts * own + benchmarks as u64))
}

/// The same for strategies that decide one after the other on one account, as a walk forward has them: every
/// assumption changes all of them, and when each has its turn stays as it is.
pub fn stress_through(
    market: &Market,
    stages: &[Stage],
    outcome: &Outcome,
    metrics: &Metrics,
    seed: u64,
) -> Stress {
    let watched = (seed, Progress::default());
    match (stages.first(), Variations::through(market, stages)) {
        (Some(first), Ok(variations)) => lines_of(
            (market, &first.strategy),
            (outcome, metrics),
            variations,
            watched,
        ),
        _ => Stress::default(),
    }
}

/// Every line, when the variations' run is the one that is asked about.
fn lines_of(
    (market, strategy): (&Market, &Strategy),
    (outcome, metrics): (&Outcome, &Metrics),
    variations: Variations<'_>,
    (seed, progress): (u64, Progress<'_>),
) -> Stress {
    let variations = variations.watched(progress);
    let (run, own) = (&outcome.run, variations.run(&Variation::default()));
    if own.time != run.time || own.equity != run.equity {
        return Stress::default();
    }
    let subject = Subject {
        strategy,
        outcome,
        variations,
        seed,
        progress,
    };
    let values = KEYS.iter().filter_map(|key| metrics.entry(key)).cloned();
    let as_run = Metrics {
        values: values.collect(),
        observations: metrics.observations,
        ..Metrics::default()
    };
    let mut lines = vec![line("as_run", "as run", Ok(StressResult::Figures(as_run)))];
    lines.push(line(
        "one_bar_later",
        "decided one bar later",
        one_bar_later(&subject),
    ));
    lines.extend(rebalance_days(&subject));
    lines.extend(costs::lines(&subject));
    lines.extend(ambiguity(&subject));
    lines.extend(options::lines(&subject, market));
    lines.extend(luck::lines(&subject));
    lines.push(random_entries::line_of(&subject));
    let worst = worst(&lines);
    Stress { lines, worst }
}

fn line(key: &'static str, label: impl Into<String>, result: Found) -> StressLine {
    let label = label.into();
    StressLine { key, label, result }
}

/// The run with the lowest return; one without a return, since its equity was lost, is lower still.
fn worst(lines: &[StressLine]) -> Option<usize> {
    let total = |line: &StressLine| line.figure("total_return").unwrap_or(f64::NEG_INFINITY);
    let is_run = |line: &StressLine| matches!(line.result, Ok(StressResult::Figures(_)));
    let runs = lines.iter().enumerate().skip(1);
    runs.filter(|(_, line)| is_run(line))
        .min_by(|(_, a), (_, b)| total(a).total_cmp(&total(b)))
        .map(|(at, _)| at)
}

impl Subject<'_> {
    fn run(&self) -> &Run {
        &self.outcome.run
    }

    /// Nothing can be varied of a run that never traded.
    fn traded(&self) -> Result<(), String> {
        match self.run().trades.is_empty() {
            true => Err("no trades".to_owned()),
            false => Ok(()),
        }
    }

    /// The bare run of a variation, with the rates of the run itself.
    fn varied(&self, variation: &Variation) -> Run {
        let mut run = self.variations.run(variation);
        run.rate.clone_from(&self.run().rate);
        run
    }

    fn figures(&self, variation: &Variation) -> StressResult {
        StressResult::Figures(measured(&self.varied(variation)))
    }
}

fn measured(run: &Run) -> Metrics {
    let owned = OwnedInputs::of(run);
    compute_only(&owned.borrow(run, None, 0), &KEYS)
}

fn one_bar_later(subject: &Subject<'_>) -> Found {
    subject.traded()?;
    if subject.strategy.decides_by_options_alone() {
        return Err("options decide by the calendar and by their own prices".to_owned());
    }
    Ok(subject.figures(&Variation {
        one_bar_later: true,
        ..Variation::default()
    }))
}

/// Timing luck: the same schedule on each day of its period.
fn rebalance_days(subject: &Subject<'_>) -> Vec<StressLine> {
    const KEYS: [&str; 3] = [
        "rebalance_day_min",
        "rebalance_day_median",
        "rebalance_day_max",
    ];
    const WORDS: [&str; 3] = ["worst", "median", "best"];
    let days = subject.variations.schedule_days();
    let (Some(days), Ok(())) = (days, subject.traded()) else {
        let reason = match days {
            None => "decided at every bar",
            Some(_) => "no trades",
        };
        let absent = |(key, word): (&&'static str, &&str)| {
            line(
                key,
                format!("decided on the {word} rebalance day"),
                Err(reason.to_owned()),
            )
        };
        return KEYS.iter().zip(&WORDS).map(absent).collect();
    };
    let of_day = |schedule_later: usize| {
        let metrics = measured(&subject.varied(&Variation {
            schedule_later,
            ..Variation::default()
        }));
        (schedule_later, metrics)
    };
    let mut runs: Vec<(usize, Metrics)> = (0..days).map(of_day).collect();
    let total = |metrics: &Metrics| metrics.get("total_return").unwrap_or(f64::NEG_INFINITY);
    runs.sort_by(|(_, a), (_, b)| total(a).total_cmp(&total(b)));
    let places = [0, (days - 1) / 2, days - 1];
    let found = places.iter().zip(KEYS).zip(WORDS);
    found
        .map(|((place, key), word)| {
            let (later, metrics) = &runs[*place];
            // How many days later than in the file, where the label stays short enough to print it.
            let label = match days {
                0..100 => format!("decided on the {word} of {days} days (+{later})"),
                _ => format!("decided on the {word} of {days} days"),
            };
            line(key, label, Ok(StressResult::Figures(metrics.clone())))
        })
        .collect()
}

/// Bars that reached both stop and target, settled for and against the strategy.
fn ambiguity(subject: &Subject<'_>) -> [StressLine; 2] {
    let band = subject.run().ambiguous;
    let of = |ambiguity: Ambiguity| match band {
        None => Err("no bar reached both a stop and its target".to_owned()),
        Some(_) => Ok(subject.figures(&Variation {
            ambiguity: Some(ambiguity),
            ..Variation::default()
        })),
    };
    [
        line(
            "ambiguity_worst",
            "stop first where both were reached",
            of(Ambiguity::Worst),
        ),
        line(
            "ambiguity_best",
            "target first where both were reached",
            of(Ambiguity::Best),
        ),
    ]
}
