//! Measures points of a space: reads the data that they ask for, compiles what they share once, and
//! spreads the trials over threads. A trial is a pure function of its point, and answers come in the
//! order of the points, so that the number of threads changes nothing but the time.
//!
//! Memory: one market at a time, the [`Trials`] of at most [`GROUPS_A_BATCH`] groups and the rows of
//! one batch. What becomes of the rows is the caller's.

use crate::engine::{BlockSums, read_market};
use crate::error::{Error, Problem, Result};
use crate::market::Market;
use crate::strategy::{Overrides, Strategy};
use crate::study::sweep::choice::{Choice, Points};
use crate::study::sweep::space::Space;
use crate::study::trials::{Ask, ParamAxis, Trials};
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Points that are measured before their rows are handed on.
const POINTS_A_BATCH: usize = 4096;
/// Groups (choices of all keys but params) whose trials are alive at once.
const GROUPS_A_BATCH: usize = 256;
/// Bars that one task goes through: enough points to share what they read, few enough for Ctrl-C to
/// be heard soon.
const BARS_A_TASK: usize = 1 << 22;
/// Fewest and most points of a task.
const POINTS_A_TASK: (usize, usize) = (16, 512);

/// One trial of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Number of its point in the space.
    pub index: u64,
    /// Bars that it was measured on.
    pub bars: u32,
    /// Its figures in the order of [`Trial::KEYS`](crate::metrics::trial::Trial::KEYS); NaN where
    /// there is none.
    pub figures: [f64; 10],
}

impl Row {
    /// Its Sharpe ratio a year as the statistics of many trials count it: 0 where there is none.
    ///
    /// A trial on fewer bars than `longest`, since halving gave it up, counts with what its ratio
    /// would scatter by on all bars if it were worth nothing: times sqrt(bars / `longest`), as the
    /// standard error of a Sharpe ratio is 1 / sqrt(T).
    pub fn sharpe(&self, longest: u32) -> f64 {
        let sharpe = self.figures[3];
        match sharpe.is_finite() {
            true if self.bars < longest => {
                sharpe * (f64::from(self.bars) / f64::from(longest)).sqrt()
            }
            true => sharpe,
            false => 0.0,
        }
    }
}

/// A row, and the sums of its returns in blocks when they were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The row.
    pub row: Row,
    /// Sums in 16 blocks, or none.
    pub blocks: Vec<BlockSums>,
}

/// What a sweep is watched through.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Set from outside to stop after the trials under way.
    pub cancel: &'a AtomicBool,
    /// Called with the number of trials that have just been measured, from any thread.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Part `0` of `1` of a run's bars, from the first on; the whole run is 1 of 1.
pub type Share = (u32, u32);

/// A strategy with its axes, and the data that its points ask for.
pub struct Field {
    /// The strategy as the file and the flags have it.
    pub strategy: Strategy,
    /// The flags, for strategies that differ in further keys.
    pub overrides: Overrides,
    /// The points.
    pub space: Space,
    /// Threads; `None` is all cores.
    pub threads: Option<usize>,
    /// The data's files are hashed as they are read.
    pub hash: bool,
    market: Mutex<Option<(u64, Arc<Market>)>>,
}

impl Field {
    /// The field of a strategy that has axes; `overrides` are those that it was read with.
    ///
    /// # Errors
    /// As [`Space::of`], and every value of an axis that its key refuses.
    pub fn new(
        strategy: Strategy,
        overrides: Overrides,
        threads: Option<usize>,
        hash: bool,
    ) -> Result<Field> {
        let field = Field {
            space: Space::of(&strategy)?,
            strategy,
            overrides,
            threads,
            hash,
            market: Mutex::new(None),
        };
        field.check_values()?;
        Ok(field)
    }

    /// Tries each value of each key alone, so that no sweep stops at its end by a typing mistake.
    fn check_values(&self) -> Result<()> {
        const CHECKED: usize = 1000;
        let keys = self.space.market_axes + self.space.key_axes;
        let mut problems: Vec<Problem> = Vec::new();
        let mut point = vec![0; self.space.axes.len()];
        for at in 0..keys {
            for value in 0..self.space.axes[at].values.len().min(CHECKED) {
                point[at] = value;
                if let Err(error) = self.keyed(&point) {
                    let new = error.problems().iter().filter(|p| !problems.contains(p));
                    problems.extend(new.cloned().collect::<Vec<_>>());
                }
            }
            point[at] = 0;
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::all(problems)),
        }
    }

    /// The strategy of a point's keys; its params are those of the file.
    fn keyed(&self, point: &[usize]) -> Result<Strategy> {
        let keys = self.space.market_axes + self.space.key_axes;
        if keys == 0 {
            return Ok(self.strategy.clone());
        }
        let mut overrides = self.overrides.clone();
        let settings = self.space.settings(point);
        overrides.set.extend(settings.into_iter().take(keys));
        // A day of a flag of its own would win over the axis.
        for axis in &self.space.axes[..keys] {
            match axis.key.as_str() {
                "data.start" => overrides.start = None,
                "data.end" => overrides.end = None,
                "data.source" => overrides.data = None,
                _ => {}
            }
        }
        let source = &self.strategy.source;
        let strategy = Strategy::parse(
            &source.text,
            &source.name,
            &self.strategy.folder,
            &overrides,
        );
        strategy.map_err(|error| self.told_by_axis(&error))
    }

    /// An error of a setting with the axis as its place.
    fn told_by_axis(&self, error: &Error) -> Error {
        let told = |problem: &Problem| {
            let mut problem = problem.clone();
            let setting = problem
                .file
                .as_deref()
                .and_then(|f| f.strip_prefix("--set "));
            let axis = setting.and_then(|setting| {
                let key = setting.split_once('=')?.0;
                self.space.axes.iter().find(|axis| axis.key == key)
            });
            if let (Some(setting), Some(axis)) = (setting, axis) {
                let value = setting.split_once('=').map_or("", |(_, value)| value);
                problem.file = Some(format!("{} = {value}", axis.origin));
            }
            problem
        };
        let problems = error.problems().iter().map(told).collect();
        let source = &self.strategy.source;
        Error::all(problems).with_source(&source.name, &source.text)
    }

    /// The whole strategy of a point, params filled in.
    ///
    /// # Errors
    /// Keys that do not go together (`data.end` before `data.start`).
    pub fn strategy_of(&self, index: u64) -> Result<Strategy> {
        let point = self.space.point_of(index);
        let mut strategy = self.keyed(&point)?;
        for (axis, at) in self.space.axes.iter().zip(&point) {
            let Some(name) = axis.key.strip_prefix("params.") else {
                continue;
            };
            let value = &axis.values[*at];
            if let Some(param) = strategy.params.iter_mut().find(|(n, _)| n == name) {
                param.1 = value.number.unwrap_or(param.1);
            }
            if let Some(line) = strategy
                .assumptions
                .iter_mut()
                .find(|(k, ..)| *k == axis.key)
            {
                line.1.clone_from(&value.text);
            }
        }
        Ok(strategy)
    }

    /// The data of a point; the last one read is kept.
    ///
    /// # Errors
    /// Files that cannot be read, symbols that are not there.
    pub fn market_of(&self, index: u64) -> Result<Arc<Market>> {
        let id = index / self.space.points_a_market();
        if let Some((known, market)) = &*self.kept()
            && *known == id
        {
            return Ok(Arc::clone(market));
        }
        let strategy = self.keyed(&self.space.point_of(index))?;
        let read = read_market(&strategy, self.hash).map_err(|e| self.told_by_axis(&e))?;
        let market = Arc::new(read);
        *self.kept() = Some((id, Arc::clone(&market)));
        Ok(market)
    }

    fn kept(&self) -> MutexGuard<'_, Option<(u64, Arc<Market>)>> {
        // The value is replaced as a whole, so that a thread that died left a whole one.
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The axes that vary params, in their order.
    fn param_axes(&self) -> Vec<ParamAxis> {
        let keys = self.space.market_axes + self.space.key_axes;
        let axes = self.space.axes[keys..].iter();
        let axis = |axis: &crate::strategy::SweepAxis| ParamAxis {
            name: axis.name().to_owned(),
            values: axis.values.iter().filter_map(|v| v.number).collect(),
        };
        axes.map(axis).collect()
    }

    /// The trials of a point's group, compiled on their own.
    ///
    /// # Errors
    /// As [`Trials::new`].
    pub fn trials_of<'m>(&self, market: &'m Market, index: u64) -> Result<Trials<'m>> {
        let strategy = self.keyed(&self.space.point_of(index))?;
        Trials::new(market, &strategy, self.param_axes()).map_err(|e| self.told_by_axis(&e))
    }

    /// The trials of a point's group, sharing what another group of the same market has compiled.
    ///
    /// # Errors
    /// As [`Trials::with`].
    pub fn with_keys<'m>(&self, sibling: &Trials<'m>, index: u64) -> Result<Trials<'m>> {
        let strategy = self.keyed(&self.space.point_of(index))?;
        sibling.with(&strategy).map_err(|e| self.told_by_axis(&e))
    }

    /// Where a point's params stand in their axes.
    pub fn params_of(&self, index: u64) -> Vec<usize> {
        let keys = self.space.market_axes + self.space.key_axes;
        self.space.point_of(index).split_off(keys)
    }

    /// Measures the points of a choice on a share of their runs' bars and hands rows on in order,
    /// batch by batch. `false` when it was cancelled: the rows handed on are then the first ones.
    ///
    /// # Errors
    /// What the data, a strategy or a point refuses, and the error of `sink`.
    pub fn measure(
        &self,
        choice: &Choice,
        share: Share,
        ask: Ask,
        watch: Watch<'_>,
        sink: &mut dyn FnMut(Vec<Measured>) -> Result<()>,
    ) -> Result<bool> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0))
            .build()
            .ok();
        let mut points = Points::new(&self.space, choice).peekable();
        while let Some(first) = points.peek().copied() {
            let market = self.market_of(first)?;
            let end = (first / self.space.points_a_market() + 1) * self.space.points_a_market();
            let mut part = Part {
                field: self,
                base: self.trials_of(&market, first)?,
                groups: Vec::new(),
                share,
                ask,
                watch,
            };
            loop {
                let batch = self.batch(&mut points, end);
                if batch.is_empty() {
                    break;
                }
                part.compile(&batch)?;
                let rows = match &pool {
                    Some(pool) => pool.install(|| part.measure(&batch)),
                    // No thread could be started: the answers are the same, only later.
                    None => part.measure(&batch),
                }?;
                let whole = rows.len() == batch.len();
                sink(rows)?;
                if !whole {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The next points of one market, of a bounded number of groups.
    fn batch(&self, points: &mut std::iter::Peekable<Points<'_>>, end: u64) -> Vec<u64> {
        let a_group = self.space.points_a_group();
        let mut batch: Vec<u64> = Vec::new();
        let mut groups = 0;
        while let Some(&index) = points.peek() {
            let is_new = batch
                .last()
                .is_none_or(|last| last / a_group != index / a_group);
            groups += usize::from(is_new);
            if index >= end || groups > GROUPS_A_BATCH || batch.len() == POINTS_A_BATCH {
                break;
            }
            batch.push(index);
            points.next();
        }
        batch
    }
}

/// The trials over one market.
struct Part<'a, 'm> {
    field: &'a Field,
    /// Of the first group; the others share what it has compiled.
    base: Trials<'m>,
    /// Number and trials of the groups of the batch, in order.
    groups: Vec<(u64, Trials<'m>)>,
    share: Share,
    ask: Ask,
    watch: Watch<'a>,
}

impl Part<'_, '_> {
    /// Makes the trials of the batch's groups; the last group of the batch before is kept.
    fn compile(&mut self, batch: &[u64]) -> Result<()> {
        let field = self.field;
        let a_group = field.space.points_a_group();
        let mut ids: Vec<u64> = batch.iter().map(|index| index / a_group).collect();
        ids.dedup();
        self.groups.retain(|(known, _)| ids.contains(known));
        for id in ids {
            if self.groups.iter().any(|(known, _)| *known == id) {
                continue;
            }
            let trials = field.with_keys(&self.base, id * a_group)?;
            self.groups.push((id, trials));
        }
        Ok(())
    }

    /// Rows of the batch in order; fewer when it was cancelled.
    fn measure(&self, batch: &[u64]) -> Result<Vec<Measured>> {
        let a_group = self.field.space.points_a_group();
        let task = |points: &[u64]| {
            let groups = points.chunk_by(|a, b| a / a_group == b / a_group);
            let rows: Result<Vec<Vec<Option<Measured>>>> =
                groups.map(|points| self.of_group(points)).collect();
            rows.map(|rows| rows.into_iter().flatten().collect::<Vec<_>>())
        };
        let chunks: Vec<Vec<Option<Measured>>> = batch
            .par_chunks(self.points_a_task())
            .map(task)
            .collect::<Result<_>>()?;
        Ok(chunks.into_iter().flatten().map_while(|row| row).collect())
    }

    /// Points of a task.
    fn points_a_task(&self) -> usize {
        let bars = self.base.span().len().max(1);
        (BARS_A_TASK / bars).clamp(POINTS_A_TASK.0, POINTS_A_TASK.1)
    }

    /// Rows of points of one group, none after the sweep was cancelled.
    fn of_group(&self, points: &[u64]) -> Result<Vec<Option<Measured>>> {
        let none = || Ok(points.iter().map(|_| None).collect());
        if self.watch.cancel.load(Ordering::Relaxed) {
            return none();
        }
        let group = points
            .first()
            .map_or(0, |index| index / self.field.space.points_a_group());
        let at = self.groups.partition_point(|(id, _)| *id < group);
        let Some((_, trials)) = self.groups.get(at) else {
            return none();
        };
        let whole = trials.span();
        let (part, parts) = (self.share.0 as usize, self.share.1 as usize);
        let bars = (whole.len() * part).div_ceil(parts).max(1);
        let span = (part < parts).then(|| whole.start..whole.start + bars);
        let params: Vec<Vec<usize>> = points.iter().map(|i| self.field.params_of(*i)).collect();
        let params: Vec<&[usize]> = params.iter().map(Vec::as_slice).collect();
        let measured = trials.measure_each(&params, span.as_ref(), self.ask);
        (self.watch.progress)(points.len() as u64);
        let rows = points.iter().zip(measured).map(|(&index, trial)| {
            let trial = trial.map_err(|error| self.field.at_point(index, &error))?;
            Ok(Some(Measured {
                row: Row {
                    index,
                    bars: u32::try_from(bars.min(whole.len())).unwrap_or(u32::MAX),
                    figures: trial.figures(),
                },
                blocks: trial.blocks,
            }))
        });
        rows.collect()
    }
}

impl Field {
    /// An error of one point, with its values.
    fn at_point(&self, index: u64, error: &Error) -> Error {
        let words = self.words(index);
        let told = |problem: &Problem| Problem {
            message: format!("{}, at {words}", problem.message),
            ..problem.clone()
        };
        let problems = error.problems().iter().map(told).collect();
        let source = &self.strategy.source;
        Error::all(problems).with_source(&source.name, &source.text)
    }

    /// `period = 14, low = 30`.
    pub fn words(&self, index: u64) -> String {
        let point = self.space.point_of(index);
        let pairs = self.space.axes.iter().zip(point);
        let words = pairs.map(|(axis, at)| format!("{} = {}", axis.name(), axis.values[at].text));
        words.collect::<Vec<_>>().join(", ")
    }
}
