//! A sweep as a whole: its best trials run in full beside the benchmark, how good their neighbours
//! are, what maps and charts show of it, and whether the best is more than luck. Words and files are
//! left to `report`.

use crate::engine::{BlockSums, Outcome, simulate};
use crate::error::{Error, Result};
use crate::market::{Market, date_of};
use crate::metrics::trial::{by_session, sessions_of};
use crate::metrics::{Metrics, of_run, returns_of_run};
use crate::strategy::{Strategy, SweepMethod};
use crate::study::batch::each;
use crate::study::overfitting::{
    BLOCKS, BlockFigure, Blocks, Evidence, INTERRUPTED, Judgement, Sharpes, TRIALS_MAX,
    judge_trials,
};
use crate::study::sweep::course::{Course, Plan, Rows, Stage, rank};
use crate::study::sweep::field::{Field, Row, Watch};
use crate::study::sweep::ranking::{Goal, Heat, Ranking, neighbours};
use crate::study::trials::{Ask, Trials};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// Trials that are run in full at most.
const RUNS_MAX: usize = 12;
/// Trials of the sample that charts of all trials show.
const SAMPLE_MAX: u64 = 2_000;
/// Groups whose compiled trials the second pass keeps.
const GROUPS_KEPT: usize = 64;
/// Trials whose block sums are made from their returns before they are put together.
const SUMMED_AT_ONCE: usize = 4096;

/// A sweep and what is to be thought of it.
pub struct Swept {
    /// What ranked.
    pub goal: Goal,
    /// How points were chosen.
    pub method: SweepMethod,
    /// Combinations of the axes, whether they met the constraint or not.
    pub total: u64,
    /// Trials that were planned.
    pub planned: u64,
    /// All of them were made, and judged.
    pub is_complete: bool,
    /// Trials of each round and its share of the bars in eighths; one round unless halving.
    pub rounds: Vec<(u64, u32, u32)>,
    /// The best rows, the number of trials and of those without the figure.
    pub ranking: Ranking,
    /// How good the neighbours of the best are; `None` when it has none or its figure is not above 0.
    pub plateau: Option<Plateau>,
    /// Maps of pairs of axes.
    pub heat: Vec<Heat>,
    /// Rows drawn at random from all trials, for charts; all of them while they are few.
    pub sample: Vec<Row>,
    /// Sharpe ratios a year of all trials.
    pub sharpes: Sharpes,
    /// The best trials run in full, best first.
    pub runs: Vec<TopRun>,
    /// Why trials went through the engine bar by bar; `None` when the kernel carried them.
    pub fallback: Option<&'static str>,
    /// Is the best more than luck? A reason where that was not asked.
    pub judgement: std::result::Result<Judgement, String>,
}

/// One of the best trials, run in full.
pub struct TopRun {
    /// Number of its point.
    pub index: u64,
    /// Its strategy, params filled in.
    pub strategy: Strategy,
    /// The run; benchmarks for the best only.
    pub outcome: Outcome,
    /// Its figures; without the bootstrap but for the best.
    pub metrics: Metrics,
}

/// The neighbours of the best trial: the trials one step away on each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// Mean objective of the neighbours over the objective of the best: near 1 on a plateau, far
    /// below on a lonely peak. Of an objective whose least is best, the other way round.
    pub score: f64,
    /// Number of neighbours that were tried and have the figure.
    pub neighbours: usize,
}

/// What a judgement is made with.
pub struct Judging<'a> {
    /// Rows kept of the ranking.
    pub top: usize,
    /// Every Sharpe ratio a year ever found on these data, this sweep's included.
    pub sharpes_all: Option<Sharpes>,
    /// Seed of the bootstraps.
    pub seed: u64,
    /// Stops what takes long.
    pub watch: Watch<'a>,
}

impl Judging<'_> {
    fn is_cancelled(&self) -> bool {
        self.watch.cancel.load(Ordering::Relaxed)
    }
}

/// Judges a course whose rows are `rows`. Cancelled, it leaves out what takes long, says so in the
/// judgement, and is not complete.
///
/// # Errors
/// As the engine's for the best trials, and what `rows` says.
pub fn judge(
    field: &Field,
    plan: &Plan,
    course: &Course,
    rows: &mut dyn Rows,
    judging: &Judging<'_>,
) -> Result<Swept> {
    let ranking = rank(course, plan.goal, judging.top.max(RUNS_MAX), rows)?;
    let mut seen = Seen::new(field, course, course.longest(rows)?);
    let near = ranking
        .best
        .first()
        .map(|best| neighbours(&field.space, best.index));
    let near = near.unwrap_or_default();
    let mut around = Vec::new();
    course.each(rows, &mut |row| {
        if near.contains(&row.index) {
            around.push(plan.goal.value(row));
        }
        seen.push(field, &plan.goal, row);
        Ok(())
    })?;
    let best = ranking
        .best
        .iter()
        .filter(|row| !plan.goal.value(row).is_nan());
    let runs: Vec<TopRun> = best
        .take(judging.top.min(RUNS_MAX))
        .enumerate()
        .take_while(|(at, _)| *at == 0 || !course.is_complete || !judging.is_cancelled())
        .map(|(at, row)| top_run(field, row, at == 0, judging.seed))
        .collect::<Result<_>>()?;
    let plateau = ranking
        .best
        .first()
        .and_then(|best| plateau(&plan.goal, plan.goal.value(best), &around));
    let judgement = match runs.first() {
        None => Err(format!("no trial has a {}", plan.goal.key)),
        Some(_) if !course.is_complete => Err("the sweep is not complete".to_owned()),
        Some(run) => judgement(field, plan, course, rows, &seen, run, judging)?,
    };
    let is_judged = !judgement
        .as_ref()
        .is_ok_and(|j| !j.interrupted().is_empty());
    let round = |stage: &Stage| (stage.choice.len(), stage.share.0, stage.share.1);
    let fallback = match ranking.best.first() {
        Some(best) => field
            .trials_of(&*field.market_of(best.index)?, best.index)?
            .fallback(),
        None => None,
    };
    Ok(Swept {
        fallback,
        goal: plan.goal,
        method: plan.method,
        total: field.space.total,
        planned: course.planned(),
        is_complete: course.is_complete && is_judged,
        rounds: course.stages.iter().map(round).collect(),
        ranking,
        plateau,
        heat: seen.heat,
        sample: seen.sample,
        sharpes: seen.sharpes,
        runs,
        judgement,
    })
}

/// What one look at all rows leaves.
struct Seen {
    heat: Vec<Heat>,
    sample: Vec<Row>,
    sharpes: Sharpes,
    /// Numbers of the trials in order, as long as a second pass may ask for them.
    numbers: Vec<u64>,
    /// Most and fewest bars of a trial.
    bars: (u32, u32),
    stride: u64,
    /// Bars of the longest trial after halving, else 0.
    longest: u32,
    count: u64,
    point: Vec<usize>,
}

impl Seen {
    fn new(field: &Field, course: &Course, longest: u32) -> Self {
        Seen {
            longest,
            heat: Heat::of_pairs(&field.space),
            sample: Vec::new(),
            sharpes: Sharpes::default(),
            numbers: Vec::new(),
            bars: (0, u32::MAX),
            stride: course.planned().div_ceil(SAMPLE_MAX).max(1),
            count: 0,
            point: vec![0; field.space.axes.len()],
        }
    }

    fn push(&mut self, field: &Field, goal: &Goal, row: &Row) {
        field.space.point(row.index, &mut self.point);
        for map in &mut self.heat {
            map.push(goal, &self.point, row);
        }
        if stirred(self.count).is_multiple_of(self.stride) {
            self.sample.push(row.clone());
        }
        if self.count < NUMBERS_MAX {
            self.numbers.push(row.index);
        }
        self.sharpes.push(row.sharpe(self.longest));
        self.bars = (self.bars.0.max(row.bars), self.bars.1.min(row.bars));
        self.count += 1;
    }
}

/// A number without a pattern that follows from another (splitmix64). Trials at equal distances in a
/// grid would show some values of an axis and never the others.
fn stirred(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers of trials that are kept for a second pass: 80 MB.
const NUMBERS_MAX: u64 = 10_000_000;

fn top_run(field: &Field, row: &Row, is_best: bool, seed: u64) -> Result<TopRun> {
    let strategy = field.strategy_of(row.index)?;
    let market = field.market_of(row.index)?;
    let mut outcome = simulate(&market, &strategy)?;
    let reference = outcome.reference().map(returns_of_run);
    let metrics = of_run(&outcome.run, reference.as_deref(), seed);
    if !is_best {
        outcome.benchmarks.clear();
    }
    Ok(TopRun {
        index: row.index,
        strategy,
        outcome,
        metrics,
    })
}

fn plateau(goal: &Goal, best: f64, around: &[f64]) -> Option<Plateau> {
    let known: Vec<f64> = around.iter().copied().filter(|x| x.is_finite()).collect();
    if known.is_empty() || best.is_nan() || best == 0.0 || (best < 0.0 && !goal.is_negative()) {
        return None;
    }
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    // Of a negative figure (a drawdown) and of one whose least is best, more is worse.
    let score = match goal.least || goal.is_negative() {
        true => best / mean,
        false => mean / best,
    };
    score.is_finite().then_some(Plateau {
        score,
        neighbours: known.len(),
    })
}

/// Judges the best trial against all others.
fn judgement(
    field: &Field,
    plan: &Plan,
    course: &Course,
    rows: &mut dyn Rows,
    seen: &Seen,
    best: &TopRun,
    judging: &Judging<'_>,
) -> Result<std::result::Result<Judgement, String>> {
    let run = &best.outcome.run;
    let sessions = sessions_of(&run.time, run.periods_a_year, run.bars_a_session);
    let returns = by_session(returns_of_run(run), &sessions);
    let rate = match run.rate.iter().all(|r| *r == 0.0) {
        true => Vec::new(),
        false => by_session(run.rate.clone(), &sessions),
    };
    let scale = 1.0 / sessions.scale.sessions_a_year.sqrt();
    let reason = unlike(field, plan, course, seen);
    let can_pass = reason.is_none() && seen.count <= NUMBERS_MAX;
    let numbers = if can_pass { &seen.numbers[..] } else { &[] };
    let markets = markets(field, numbers)?;
    let can_pass = can_pass && markets.is_ok();
    let passes = Passes {
        field,
        numbers,
        markets: &markets.unwrap_or_default(),
        groups: Mutex::new(BTreeMap::new()),
    };
    let blocks = match (reason, BlockFigure::of(plan.goal.key)) {
        (Some(reason), _) => Err(reason),
        (None, None) => Err("no sums over blocks give this objective"),
        (None, Some(BlockFigure::Sharpe)) => blocks(field, plan, course, rows, judging)?,
        (None, Some(_)) if !can_pass => Err("the returns of the trials are not at hand"),
        (None, Some(figure)) => of_returns(figure, &passes, &rate, judging)?,
    };
    let trial = |number: usize| passes.returns(number);
    let (days, sharpes) = (days(run), seen.sharpes.scaled(scale));
    let sharpes_all = judging.sharpes_all.map(|all| all.scaled(scale));
    let judged = judge_trials(&Evidence {
        best: seen
            .numbers
            .iter()
            .position(|n| *n == best.index)
            .unwrap_or(0),
        returns: &returns,
        rate: &rate,
        days,
        periods_a_year: sessions.scale.sessions_a_year,
        sharpes: &sharpes,
        sharpes_all: sharpes_all.as_ref(),
        blocks: blocks.as_deref().map_err(|reason| *reason),
        trial: can_pass.then_some(&trial),
        seed: judging.seed,
        threads: field.threads,
        cancel: Some(judging.watch.cancel),
    });
    judged.map(Ok)
}

fn days(run: &crate::engine::Run) -> f64 {
    match run.time.as_slice() {
        [first, .., last] => (date_of(*last) - date_of(*first)).num_days() as f64,
        _ => 0.0,
    }
}

/// Why the returns of the trials cannot stand side by side, day by day.
fn unlike(field: &Field, plan: &Plan, course: &Course, seen: &Seen) -> Option<&'static str> {
    let axes = field.space.axes.iter();
    let mut keys = axes
        .filter(|a| a.values.len() > 1)
        .map(|axis| axis.key.as_str());
    if plan.method == SweepMethod::Halving && course.stages.len() > 1 {
        return Some("halving measures trials on unlike spans of the data");
    }
    if keys.any(|key| matches!(key, "data.start" | "data.end" | "data.bar")) {
        return Some(UNLIKE_DAYS);
    }
    (seen.bars.0 != seen.bars.1).then_some(UNLIKE_DAYS)
}

type BlocksOrReason<'a> = std::result::Result<Cow<'a, Blocks>, &'static str>;

/// Too many for every split.
const TOO_MANY: &str = "too many trials for every split of the history";
const UNLIKE_DAYS: &str = "the trials are of different days";

/// Block sums of all trials: those at hand, else of a second look at them.
fn blocks<'a>(
    field: &Field,
    plan: &Plan,
    course: &'a Course,
    rows: &mut dyn Rows,
    judging: &Judging<'_>,
) -> Result<BlocksOrReason<'a>> {
    if let Some(blocks) = &course.blocks {
        return Ok(Ok(Cow::Borrowed(blocks)));
    }
    if rows.count() > TRIALS_MAX as u64 {
        return Ok(Err(TOO_MANY));
    }
    let (mut blocks, mut fits) = (Blocks::default(), true);
    let quiet = Watch {
        progress: &|_| {},
        ..judging.watch
    };
    let whole = field.measure(&plan.choice, (1, 1), Ask::Blocks, quiet, &mut |measured| {
        for one in measured {
            fits = fits && blocks.fits(&one.blocks);
            if fits {
                blocks.push(&one.blocks);
            }
        }
        Ok(())
    })?;
    Ok(match (whole, fits) {
        (true, true) => Ok(Cow::Owned(blocks)),
        (true, false) => Err(UNLIKE_DAYS),
        (false, _) => Err(INTERRUPTED),
    })
}

/// Block sums of a figure that trials do not sum up on their way: from the returns of each, once more.
fn of_returns<'a>(
    figure: BlockFigure,
    passes: &Passes<'_>,
    rate: &[f64],
    judging: &Judging<'_>,
) -> Result<BlocksOrReason<'a>> {
    let count = passes.numbers.len();
    if count > TRIALS_MAX {
        return Ok(Err(TOO_MANY));
    }
    let mut blocks = Blocks::new(BLOCKS, figure);
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(SUMMED_AT_ONCE) {
        let sums = each(some, passes.field.threads, |&number| -> Result<_> {
            if judging.is_cancelled() {
                return Ok(None);
            }
            let returns = passes.returns(number)?;
            Ok(Some(figure.sums(&returns, rate, BLOCKS)))
        });
        for sums in sums {
            let sums: Option<Vec<BlockSums>> = sums?;
            let Some(sums) = sums else {
                return Ok(Err(INTERRUPTED));
            };
            if !blocks.fits(&sums) {
                return Ok(Err(UNLIKE_DAYS));
            }
            blocks.push(&sums);
        }
    }
    Ok(Ok(Cow::Owned(blocks)))
}

/// Markets that a second pass keeps at hand.
const MARKETS_MAX: usize = 256;

/// The markets of all trials, by number; a reason when they are too many.
fn markets(
    field: &Field,
    numbers: &[u64],
) -> Result<std::result::Result<BTreeMap<u64, Arc<Market>>, &'static str>> {
    let mut markets = BTreeMap::new();
    for number in numbers {
        let id = number / field.space.points_a_market();
        if markets.contains_key(&id) {
            continue;
        }
        if markets.len() == MARKETS_MAX {
            return Ok(Err("the trials are of too many markets for a second pass"));
        }
        markets.insert(id, field.market_of(*number)?);
    }
    Ok(Ok(markets))
}

/// Returns of trials by their number, for those who ask for all of them once more.
struct Passes<'a> {
    field: &'a Field,
    numbers: &'a [u64],
    markets: &'a BTreeMap<u64, Arc<Market>>,
    /// Compiled trials by group.
    groups: Mutex<BTreeMap<u64, Arc<Trials<'a>>>>,
}

impl<'a> Passes<'a> {
    fn returns(&self, number: usize) -> Result<Vec<f64>> {
        let index = self.numbers[number];
        let trials = self.group(index)?;
        trials.returns(&self.field.params_of(index), None)
    }

    /// The trials of a point's group. Groups of one market share what they have compiled.
    fn group(&self, index: u64) -> Result<Arc<Trials<'a>>> {
        let space = &self.field.space;
        let group = index / space.points_a_group();
        // Whole values go in and out, so that a thread that died left whole ones.
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = groups.get(&group) {
            return Ok(Arc::clone(known));
        }
        let id = index / space.points_a_market();
        let a_market = space.points_a_market() / space.points_a_group();
        let sibling = groups.range(id * a_market..(id + 1) * a_market).next();
        let trials = match (sibling, self.markets.get(&id)) {
            (Some((_, sibling)), _) => self.field.with_keys(sibling, index)?,
            (None, Some(market)) => self.field.trials_of(market, index)?,
            (None, None) => return Err(Error::msg("a trial's market is not at hand")),
        };
        if groups.len() >= GROUPS_KEPT {
            groups.pop_first();
        }
        let trials = Arc::new(trials);
        groups.insert(group, Arc::clone(&trials));
        Ok(trials)
    }
}
