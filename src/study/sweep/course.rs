//! The course of a sweep: which points are measured on how much of the data, in which order, from
//! the first one or from where an earlier attempt stopped. Successive halving measures all its points
//! on the first eighth of the bars, the better half on the first quarter, and so on to the whole.
//!
//! Source of halving: Jamieson & Talwalkar (2016), Non-stochastic best arm identification and
//! hyperparameter optimization, AISTATS.

use crate::engine::BlockSums;
use crate::error::{Error, Problem, Result, nearest};
use crate::metrics::trial::Trial;
use crate::strategy::SweepMethod;
use crate::study::overfitting::{Blocks, TRIALS_MAX};
use crate::study::sweep::choice::Choice;
use crate::study::sweep::field::{Field, Row, Share, Watch};
use crate::study::sweep::ranking::{Goal, Ranking};
use crate::study::trials::Ask;
use std::ops::Range;

/// Shares of the bars that halving measures on, in eighths.
const HALVING: [u32; 4] = [1, 2, 4, 8];
/// Fewer points than these are measured on all bars at once.
const HALVED_MIN: u64 = 8;
/// Most points that halving keeps a list of.
const HALVED_MAX: u64 = 10_000_000;

/// Where the rows of a sweep are kept, in the order in which they were measured.
pub trait Rows {
    /// How many there are.
    fn count(&self) -> u64;

    /// Adds rows at the end.
    ///
    /// # Errors
    /// When there is no room for them.
    fn append(&mut self, rows: &[Row]) -> Result<()>;

    /// Shows the rows of a range, in order.
    ///
    /// # Errors
    /// When they cannot be read back, and what `see` says.
    fn each(&mut self, range: Range<u64>, see: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()>;
}

/// Rows in memory.
impl Rows for Vec<Row> {
    fn count(&self) -> u64 {
        self.len() as u64
    }

    fn append(&mut self, rows: &[Row]) -> Result<()> {
        self.extend_from_slice(rows);
        Ok(())
    }

    fn each(&mut self, range: Range<u64>, see: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        let range = range.start as usize..range.end as usize;
        self[range].iter().try_for_each(see)
    }
}

/// Only the best rows are kept, and there is no looking back.
impl Rows for Ranking {
    fn count(&self) -> u64 {
        self.count
    }

    fn append(&mut self, rows: &[Row]) -> Result<()> {
        rows.iter().for_each(|row| self.push(row));
        Ok(())
    }

    fn each(&mut self, _: Range<u64>, _: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

/// What is to be tried, and what ranks it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What ranks.
    pub goal: Goal,
    /// How points were chosen.
    pub method: SweepMethod,
    /// The points.
    pub choice: Choice,
}

/// Some points on a share of their bars.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The points.
    pub choice: Choice,
    /// The share.
    pub share: Share,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Course {
    /// The stages, one unless the method is halving. A point's last row is the one that counts.
    pub stages: Vec<Stage>,
    /// Nothing is left to be measured.
    pub is_complete: bool,
    /// Block sums of all trials, when they were asked for, fit, and all were measured just now.
    pub blocks: Option<Blocks>,
}

impl Plan {
    /// The plan of a field's strategy. `seed` is used where the file names none.
    ///
    /// # Errors
    /// An objective that rows do not have, and as [`Choice::of`].
    pub fn of(field: &Field, seed: u64) -> Result<Plan> {
        let table = &field.strategy.sweep;
        let goal = Goal::of(&table.objective).ok_or_else(|| unknown(&table.objective))?;
        let seed = table.seed.map_or(seed, u64::from);
        let samples = table.samples.map(u64::from);
        let choice = Choice::of(&field.space, table.method, samples, seed)?;
        if table.method == SweepMethod::Halving && choice.len() > HALVED_MAX {
            return Err(Error::new(
                Problem::new(format!("halving of {} points", choice.len())).help(format!(
                    "at most {HALVED_MAX}: begin with a sample, --samples 100000"
                )),
            ));
        }
        Ok(Plan {
            goal,
            method: table.method,
            choice,
        })
    }

    /// Part `part` of `parts`, counted from 0.
    ///
    /// # Errors
    /// Halving, whose later rounds need all trials of the earlier ones.
    pub fn part(&self, field: &Field, part: u64, parts: u64) -> Result<Plan> {
        if self.method == SweepMethod::Halving {
            return Err(Error::new(
                Problem::new("halving cannot be cut into shards")
                    .help("each round compares all trials of the one before: leave out --shard, or take --method grid or random"),
            ));
        }
        Ok(Plan {
            choice: self.choice.part(&field.space, part, parts),
            ..self.clone()
        })
    }

    fn shares(&self) -> Vec<Share> {
        if self.method != SweepMethod::Halving || self.choice.len() < HALVED_MIN {
            return vec![(1, 1)];
        }
        HALVING.iter().map(|eighths| (*eighths, 8)).collect()
    }
}

fn unknown(key: &str) -> Error {
    let problem = Problem::new(format!("`{key}` is no figure that trials are ranked by"));
    Error::new(match nearest(key, Trial::KEYS) {
        Some(near) => problem.help(format!("did you mean {near}?")),
        None => problem.help(format!("there are {}", Trial::KEYS.join(" "))),
    })
}

/// Measures what a plan asks for and `rows` does not have yet.
///
/// # Errors
/// What the data, a strategy or a point refuses, rows that are not of this plan, and what `rows`
/// says.
pub fn run(
    field: &Field,
    plan: &Plan,
    ask: Ask,
    rows: &mut dyn Rows,
    watch: Watch<'_>,
) -> Result<Course> {
    let shares = plan.shares();
    // Trials sum up on their way what the Sharpe ratio needs, and nothing else.
    let wants_blocks = ask == Ask::Blocks
        && plan.goal.key == "sharpe"
        && rows.count() == 0
        && shares.len() == 1
        && plan.choice.len() <= TRIALS_MAX as u64;
    let mut course = Course {
        stages: vec![Stage {
            choice: plan.choice.clone(),
            share: shares[0],
        }],
        is_complete: false,
        blocks: wants_blocks.then(Blocks::default),
    };
    let ask = match (ask, wants_blocks) {
        (Ask::Blocks, false) => Ask::Figures,
        (ask, _) => ask,
    };
    let mut start = 0;
    for round in 0..shares.len() {
        let stage = course.stages[round].clone();
        let whole = stage.choice.len();
        let have = rows.count().saturating_sub(start).min(whole);
        (watch.progress)(have);
        if !stretch(
            field,
            &stage,
            ask,
            rows,
            start..start + have,
            watch,
            &mut course.blocks,
        )? {
            return Ok(course);
        }
        if let Some(share) = shares.get(round + 1) {
            let list = better_half(plan.goal, rows, start..start + whole)?;
            course.stages.push(Stage {
                choice: Choice::These(list),
                share: *share,
            });
        }
        start += whole;
    }
    course.is_complete = true;
    Ok(course)
}

/// Measures what is left of a stage after the rows at `done`; `false` when it was cancelled.
fn stretch(
    field: &Field,
    stage: &Stage,
    ask: Ask,
    rows: &mut dyn Rows,
    done: Range<u64>,
    watch: Watch<'_>,
    blocks: &mut Option<Blocks>,
) -> Result<bool> {
    let count = done.end - done.start;
    if count == stage.choice.len() {
        return Ok(true);
    }
    let mut last = None;
    if count > 0 {
        rows.each(done.end - 1..done.end, &mut |row| {
            last = Some(row.index);
            Ok(())
        })?;
    }
    let rest = stage.choice.after(count, last);
    field.measure(&rest, stage.share, ask, watch, &mut |measured| {
        let fresh: Vec<Row> = measured.iter().map(|m| m.row.clone()).collect();
        rows.append(&fresh)?;
        if let Some(kept) = blocks
            && !measured.iter().all(|m| push(kept, &m.blocks))
        {
            *blocks = None;
        }
        Ok(())
    })
}

/// Adds a trial's blocks; `false` when they are not of the same history as the others.
fn push(blocks: &mut Blocks, sums: &[BlockSums]) -> bool {
    let fits = blocks.fits(sums);
    if fits {
        blocks.push(sums);
    }
    fits
}

/// The better half of the trials of a stage, by number.
fn better_half(goal: Goal, rows: &mut dyn Rows, range: Range<u64>) -> Result<Vec<u64>> {
    let most = (range.end - range.start).div_ceil(2) as usize;
    let mut scores: Vec<(f64, u64)> = Vec::with_capacity(2 * most);
    rows.each(range, &mut |row| {
        scores.push((goal.score(row), row.index));
        Ok(())
    })?;
    // Best first, of equals the lower number.
    scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    scores.truncate(most);
    let mut list: Vec<u64> = scores.into_iter().map(|(_, index)| index).collect();
    list.sort_unstable();
    Ok(list)
}

impl Course {
    /// Shows each trial once, by its last row, in the order of measuring.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub fn each(&self, rows: &mut dyn Rows, see: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        let all = 0..rows.count();
        self.each_of(rows, all, see)
    }

    /// The same for the trials whose last row is in a range of rows.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub fn each_of(
        &self,
        rows: &mut dyn Rows,
        range: Range<u64>,
        see: &mut dyn FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        let mut start = 0;
        let count = rows.count();
        for (at, stage) in self.stages.iter().enumerate() {
            let end = start + stage.choice.len();
            let part = start.max(range.start)..end.min(range.end);
            // Rows of the next stage that have been measured.
            let known = count.saturating_sub(end) as usize;
            let later = match self.stages.get(at + 1).map(|stage| &stage.choice) {
                Some(Choice::These(list)) => &list[..known.min(list.len())],
                _ => &[],
            };
            if part.start < part.end {
                rows.each(part, &mut |row| match later.binary_search(&row.index) {
                    Ok(_) => Ok(()),
                    Err(_) => see(row),
                })?;
            }
            start = end;
        }
        Ok(())
    }

    /// Bars of the longest trial after halving; 0 when all trials are of one round.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub fn longest(&self, rows: &mut dyn Rows) -> Result<u32> {
        let mut longest = 0;
        if self.stages.len() > 1 {
            self.each(rows, &mut |row| {
                longest = longest.max(row.bars);
                Ok(())
            })?;
        }
        Ok(longest)
    }

    /// Trials that were to be made in all: points, each once.
    pub fn planned(&self) -> u64 {
        self.stages.first().map_or(0, |stage| stage.choice.len())
    }
}

/// Counts and ranks the rows of a course; `most` of the best are kept. Only trials on all bars
/// compete.
///
/// # Errors
/// As [`Rows::each`].
pub fn rank(course: &Course, goal: Goal, most: usize, rows: &mut dyn Rows) -> Result<Ranking> {
    let mut ranking = Ranking::new(goal, most);
    let longest = course.longest(rows)?;
    course.each(rows, &mut |row| {
        match row.bars < longest {
            true => ranking.pass(row),
            false => ranking.push(row),
        }
        Ok(())
    })?;
    Ok(ranking)
}
