//! The combinations of parameters that every window chooses from, and the best of them on a window.
//!
//! How a combination is measured is left to the trials, what windows there are to the walk. The best
//! is the first of those with the best figure, so that the number of threads changes nothing.

use crate::engine::{Run, Stage, backtest_over, outline, simulate_scheduled_bare};
use crate::error::{Error, Problem, Result};
use crate::market::Market;
use crate::metrics::trial::Trial;
use crate::strategy::Strategy;
use crate::study::batch::each;
use crate::study::overfitting::Sharpes;
use crate::study::sweep::{AllTrials, Choice, Field, Points, Watch, count_points};
use crate::study::trials::{Ask, Trials};
use crate::study::walk_forward::Walk;
use crate::units::{BarIndex, Micros};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Combinations that one thread measures before it asks for more.
const CHUNK: usize = 32;

/// What a window can choose from, in a fixed order.
pub struct Candidates<'m> {
    field: &'m Field,
    market: &'m Market,
    /// Number and trials of each group of combinations that differ in their params alone, in order.
    groups: Vec<(u64, Trials<'m>)>,
    /// The combinations' numbers in the field's space, ascending.
    points: Vec<u64>,
    varied: Vec<Varied>,
    /// What all combinations trade together, when symbols vary.
    union: Option<Union>,
}

/// The one account of combinations that trade different symbols.
struct Union {
    /// The strategy with all their symbols.
    strategy: Strategy,
    /// Moments at which any of these has a bar.
    clock: Arc<Vec<Micros>>,
    /// Clock bars of the run.
    span: Range<BarIndex>,
    /// Every symbol has a bar at each of them.
    is_one_clock: bool,
}

/// Keys that no window may choose, the first that fits, and why.
const FIXED: [(&str, &str); 8] = [
    ("data.start", "the windows say which days are trained on"),
    ("data.end", "the windows say which days are trained on"),
    (
        "data.bar",
        "all windows are of one clock; walk each bar on its own",
    ),
    (
        "data.",
        "one account trades one set of prices from end to end",
    ),
    (
        "account.",
        "the terms of an account stand when it is opened",
    ),
    (
        "cash.",
        "what cash earns is a fact and no choice: the highest rate would always win",
    ),
    ("cashflow.", "what is paid in is a fact and no choice"),
    ("benchmark.", "it is what choices are measured by"),
];

/// A parameter, or another key of the strategy file, and the values that it can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Varied {
    /// Its name.
    pub name: String,
    /// Its values as the file has them, in the order of the sweep.
    pub values: Vec<String>,
}

/// The figure that is to be best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// Its key, one of [`Trial::KEYS`].
    pub key: String,
}

impl Objective {
    /// That of `[walk_forward]`, else that of `[sweep]`.
    pub fn of(strategy: &Strategy) -> Objective {
        let own = strategy.walk_forward.objective.as_ref();
        Objective {
            key: own.unwrap_or(&strategy.sweep.objective).clone(),
        }
    }

    /// Larger is better of the number that comes back; `None` where a trial has no such figure.
    pub fn score(&self, trial: &Trial) -> Option<f64> {
        let value = trial.get(&self.key)?;
        Some(if self.is_least() { -value } else { value })
    }

    /// The smallest figure is the best one.
    pub fn is_least(&self) -> bool {
        self.key == "volatility"
    }
}

/// The combination with the best score on a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub(super) at: usize,
    score: f64,
}

impl<'m> Candidates<'m> {
    /// The chosen points of a field, over the market that its strategy names.
    ///
    /// # Errors
    /// Axes that change the data or the account, and strategies that do not compile.
    ///
    /// Where `data.symbols` varies, the market holds all symbols, those of [`whole`].
    pub fn new(field: &'m Field, market: &'m Market, choice: &Choice) -> Result<Self> {
        check_axes(field)?;
        let space = &field.space;
        let points: Vec<u64> = Points::new(space, choice).collect();
        let mut groups: Vec<(u64, Trials<'m>)> = Vec::new();
        for &index in &points {
            let id = index / space.points_a_group();
            let Some((last, trials)) = groups.last() else {
                groups.push((id, field.trials_of(market, index)?));
                continue;
            };
            let first = |id: u64| id * space.points_a_group() / space.points_a_market();
            if *last == id {
                continue;
            }
            let trials = match first(*last) == first(id) {
                true => trials.with(&field.strategy_of(index)?)?,
                false => field.trials_of(market, index)?,
            };
            groups.push((id, trials));
        }
        let varied = space.axes.iter().map(|axis| Varied {
            name: axis.name().to_owned(),
            values: axis.values.iter().map(|v| v.text.clone()).collect(),
        });
        Ok(Candidates {
            union: Union::of(field, market, &groups)?,
            field,
            market,
            groups,
            varied: varied.collect(),
            points,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// What varies.
    pub fn varied(&self) -> &[Varied] {
        &self.varied
    }

    /// Index of each varied value of a combination.
    pub fn point(&self, at: usize) -> Vec<usize> {
        self.field.space.point_of(self.points[at])
    }

    /// Why combinations are simulated bar by bar and not by the kernel; `None` when it carries all.
    pub fn fallback(&self) -> Option<&str> {
        self.groups.iter().find_map(|(_, trials)| trials.fallback())
    }

    /// The varied values of a combination, by name.
    pub fn values(&self, at: usize) -> Vec<(String, String)> {
        let pairs = self.varied.iter().zip(self.point(at));
        pairs
            .map(|(varied, at)| (varied.name.clone(), varied.values[at].clone()))
            .collect()
    }

    /// Moments of the clock's bars; none without a combination.
    pub fn clock(&self) -> &[Micros] {
        if let Some(union) = &self.union {
            return &union.clock;
        }
        self.groups
            .first()
            .map_or(&[], |(_, trials)| trials.clock())
    }

    /// Clock bars of the run.
    pub fn span(&self) -> Range<BarIndex> {
        if let Some(union) = &self.union {
            return union.span.clone();
        }
        self.groups
            .first()
            .map_or(0..0, |(_, trials)| trials.span())
    }

    /// Figures of a combination over a span, flat at its first bar.
    ///
    /// # Errors
    /// Values that an expression refuses.
    pub fn measure(&self, at: usize, span: &Range<BarIndex>) -> Result<Trial> {
        let (trials, params) = self.trial(at);
        match self.own(trials, span) {
            Some(own) => trials.measure(&params, Some(own), Ask::Figures),
            None => Ok(Trial::none()),
        }
    }

    /// Session returns of a combination over a span.
    ///
    /// # Errors
    /// As [`Candidates::measure`]; and symbols that vary and have different days.
    pub fn returns(&self, at: usize, span: &Range<BarIndex>) -> Result<Vec<f64>> {
        let (trials, params) = self.trial(at);
        if self.union.as_ref().is_some_and(|union| !union.is_one_clock) {
            return Err(Error::new(
                Problem::new("the symbols that vary have bars on different days")
                    .at_column("sweep.data.symbols")
                    .help("leave --cpcv out, or bound the run with data.start and data.end to days that all have"),
            ));
        }
        match self.own(trials, span) {
            Some(own) => trials.returns(&params, Some(own)),
            None => Ok(Vec::new()),
        }
    }

    /// A span of the clock as bars of the clock of some trials, which has fewer where their symbols lack bars.
    /// `None` when it has none of them.
    fn own(&self, trials: &Trials<'_>, span: &Range<BarIndex>) -> Option<Range<BarIndex>> {
        let Some(union) = &self.union else {
            return Some(span.clone());
        };
        let (clock, whole) = (trials.clock(), trials.span());
        let (first, last) = (union.clock[span.start], union.clock[span.end - 1]);
        let start = clock.partition_point(|t| *t < first).max(whole.start);
        let end = clock.partition_point(|t| *t <= last).min(whole.end);
        (start < end).then_some(start..end)
    }

    /// The strategy of a combination.
    pub fn strategy(&self, at: usize) -> Strategy {
        let (trials, params) = self.trial(at);
        trials.strategy(&params)
    }

    /// The trials of a combination's group, and its place among them.
    fn trial(&self, at: usize) -> (&Trials<'m>, Vec<usize>) {
        let index = self.points[at];
        let id = index / self.field.space.points_a_group();
        let group = self.groups.partition_point(|(known, _)| *known < id);
        (&self.groups[group].1, self.field.params_of(index))
    }

    /// Adds every combination, once, to the ledger of the trials on its data in `folder`, and says
    /// what that then holds. `sharpes` are those of a year over the whole run, as a sweep of the same
    /// combinations counts them; their order is that of the combinations.
    ///
    /// # Errors
    /// A ledger that cannot be read or written.
    pub fn count(&self, sharpes: &[f64], folder: &Path) -> Result<AllTrials> {
        let points = self.points.iter().copied().zip(sharpes.iter().copied());
        // Symbols that vary are counted on their own data, as a sweep counts them.
        let market = self.union.is_none().then_some(self.market);
        count_points(self.field, market, points, folder)
    }

    /// A combination's turn in a schedule.
    pub(super) fn stage(&self, at: usize, bars: Range<BarIndex>) -> Stage {
        let strategy = self.strategy(at);
        let Some(union) = &self.union else {
            return Stage {
                bars,
                strategy,
                held: Vec::new(),
            };
        };
        let held = strategy.data.symbols.clone();
        let mut of_all = Strategy {
            data: union.strategy.data.clone(),
            ..strategy
        };
        // As many positions as it had symbols when it was trained.
        let most = u32::try_from(held.len()).unwrap_or(u32::MAX);
        of_all.size.max_positions.get_or_insert(most);
        Stage {
            bars,
            strategy: of_all,
            held,
        }
    }

    /// Who decided when: what a finished walk's one account was simulated with.
    pub fn stages(&self, walk: &Walk) -> Vec<Stage> {
        let folds = walk.folds.iter();
        folds
            .map(|fold| self.stage(fold.chosen, fold.window.test.clone()))
            .collect()
    }

    /// Equity, orders and trades of a combination over a span.
    pub(super) fn run(&self, at: usize, span: &Range<BarIndex>) -> Result<Run> {
        match &self.union {
            None => backtest_over(self.market, &self.strategy(at), Some(span.clone())),
            Some(_) => simulate_scheduled_bare(self.market, &[self.stage(at, span.clone())]),
        }
    }

    /// The market that all of them trade.
    pub(super) fn market(&self) -> &'m Market {
        self.market
    }

    /// Goes over all combinations on a span, each flat at its first bar: what `see` makes of the figures of
    /// each chunk, which is told the number of its first, in order. `None` when it was cancelled.
    fn over<T: Send>(
        &self,
        span: &Range<BarIndex>,
        threads: Option<usize>,
        watch: Watch<'_>,
        see: impl Fn(usize, &[Trial]) -> T + Sync,
    ) -> Result<Option<Vec<T>>> {
        let of_chunk = |chunk: &Range<usize>| -> Result<Option<T>> {
            if watch.cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let trials = self.measure_each(chunk, span)?;
            (watch.progress)(chunk.len() as u64);
            Ok(Some(see(chunk.start, &trials)))
        };
        let mut found = Vec::new();
        for of_chunk in each(&self.chunks(), threads, of_chunk) {
            match of_chunk? {
                Some(seen) => found.push(seen),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Figures of neighbouring combinations over a span.
    fn measure_each(&self, chunk: &Range<usize>, span: &Range<BarIndex>) -> Result<Vec<Trial>> {
        let a_group = self.field.space.points_a_group();
        let mut measured = Vec::with_capacity(chunk.len());
        for group in self.points[chunk.clone()].chunk_by(|a, b| a / a_group == b / a_group) {
            let (trials, _) = self.trial(chunk.start + measured.len());
            let params: Vec<Vec<usize>> = group.iter().map(|i| self.field.params_of(*i)).collect();
            let params: Vec<&[usize]> = params.iter().map(Vec::as_slice).collect();
            let Some(own) = self.own(trials, span) else {
                measured.extend(params.iter().map(|_| Trial::none()));
                continue;
            };
            for trial in trials.measure_each(&params, Some(&own), Ask::Figures) {
                measured.push(trial?);
            }
        }
        Ok(measured)
    }

    /// The best combination on a span, the first of equals, and the Sharpe ratios a session of all.
    /// `None` when it was cancelled.
    ///
    /// # Errors
    /// The first combination that cannot be measured.
    pub(super) fn best(
        &self,
        span: &Range<BarIndex>,
        objective: &Objective,
        threads: Option<usize>,
        watch: Watch<'_>,
    ) -> Result<Option<(Option<usize>, Sharpes)>> {
        let root = self.sessions_a_year().sqrt();
        let found = self.over(span, threads, watch, |first, trials| {
            let (mut best, mut sharpes) = (None, Sharpes::default());
            for (at, trial) in trials.iter().enumerate() {
                sharpes.push(trial.sharpe / root);
                if let Some(score) = objective.score(trial) {
                    let at = first + at;
                    best = better(best, Some(Best { at, score }));
                }
            }
            (best, sharpes)
        })?;
        let Some(found) = found else { return Ok(None) };
        let (mut best, mut sharpes) = (None, Sharpes::default());
        for (of_chunk, more) in found {
            best = better(best, of_chunk);
            sharpes.merge(&more);
        }
        Ok(Some((best.map(|best| best.at), sharpes)))
    }

    /// Sharpe ratio a year of each combination over the whole run, 0 where it has none; `None` when it
    /// was cancelled.
    ///
    /// # Errors
    /// The first combination that cannot be measured.
    pub(super) fn sharpes(
        &self,
        threads: Option<usize>,
        watch: Watch<'_>,
    ) -> Result<Option<Vec<f64>>> {
        let sharpe = |trial: &Trial| trial.get("sharpe").unwrap_or(0.0);
        let found = self.over(&self.span(), threads, watch, |_, trials| {
            trials.iter().map(sharpe).collect::<Vec<f64>>()
        })?;
        Ok(found.map(|chunks| chunks.concat()))
    }

    /// Sessions a year of the market, as annual figures are scaled with.
    fn sessions_a_year(&self) -> f64 {
        let periods = &self.market.periods;
        periods.bars_a_year / periods.bars_a_session.max(1.0)
    }

    /// The share of the other combinations that one beats on a span, one that is as good counting half:
    /// NaN without a figure or without others. `None` when it was cancelled.
    ///
    /// # Errors
    /// The first combination that cannot be measured.
    pub(super) fn rank(
        &self,
        (span, of): (&Range<BarIndex>, usize),
        objective: &Objective,
        threads: Option<usize>,
        watch: Watch<'_>,
    ) -> Result<Option<f64>> {
        let own = objective.score(&self.measure(of, span)?);
        let found = self.over(span, threads, watch, |first, trials| {
            let (mut beaten, mut others) = (0.0, 0.0);
            for (at, trial) in trials.iter().enumerate() {
                if let (Some(own), Some(theirs)) = (own, objective.score(trial))
                    && first + at != of
                {
                    beaten += f64::from(u8::from(theirs < own));
                    beaten += 0.5 * f64::from(u8::from(theirs == own));
                    others += 1.0;
                }
            }
            (beaten, others)
        })?;
        let sum = |(a, b): (f64, f64), (c, d): (f64, f64)| (a + c, b + d);
        Ok(found.map(|chunks| {
            let (beaten, others) = chunks.into_iter().fold((0.0, 0.0), sum);
            beaten / others
        }))
    }

    fn chunks(&self) -> Vec<Range<usize>> {
        let starts = (0..self.len()).step_by(CHUNK);
        starts.map(|s| s..(s + CHUNK).min(self.len())).collect()
    }
}

/// The strategy of a field with every symbol that any of its combinations may hold: what a walk reads the data
/// of, and what its one account trades.
///
/// # Errors
/// Values of `data.symbols` that the key refuses.
pub fn whole(field: &Field) -> Result<Strategy> {
    let mut strategy = field.strategy.clone();
    let axes = &field.space.axes;
    let Some(at) = axes.iter().position(|axis| axis.key == SYMBOLS) else {
        return Ok(strategy);
    };
    let mut point = vec![0; axes.len()];
    let mut symbols = Vec::new();
    for value in 0..axes[at].values.len() {
        point[at] = value;
        symbols.extend(field.strategy_of(field.space.index(&point))?.data.symbols);
    }
    symbols.sort_unstable();
    symbols.dedup();
    let mut lines = strategy.assumptions.iter_mut();
    if let Some((_, value, given)) = lines.find(|(key, ..)| key == SYMBOLS) {
        (*value, *given) = (format!("{symbols:?}"), true);
    }
    strategy.data.symbols = symbols;
    Ok(strategy)
}

/// The axis that lets a window choose what it trades.
const SYMBOLS: &str = "data.symbols";

impl Union {
    /// `None` when symbols do not vary.
    fn of(field: &Field, market: &Market, groups: &[(u64, Trials<'_>)]) -> Result<Option<Union>> {
        if field.space.axes.iter().all(|axis| axis.key != SYMBOLS) {
            return Ok(None);
        }
        let strategy = whole(field)?;
        if strategy.account.each {
            return Err(Error::new(
                Problem::new("`data.symbols` varies, and every symbol has an account of its own")
                    .in_file(&strategy.source.name)
                    .at_column("account.each")
                    .help(
                        "a walk has one account that changes what it holds: leave account.each out",
                    ),
            ));
        }
        let outline = outline(market, &strategy)?;
        let is_one_clock = groups
            .iter()
            .all(|(_, trials)| trials.clock() == outline.clock.as_slice());
        Ok(Some(Union {
            clock: outline.clock,
            span: outline.span,
            is_one_clock,
            strategy,
        }))
    }
}

/// What varies must be what an account can change while it runs.
fn check_axes(field: &Field) -> Result<()> {
    let axes = field.space.axes.iter();
    let problems: Vec<Problem> = axes
        .filter_map(|axis| {
            let is_fixed = |(key, _): &&(&str, &str)| axis.key.starts_with(key) && axis.key != SYMBOLS;
            let (_, why) = FIXED.iter().find(is_fixed)?;
            let problem = Problem::new(format!(
                "`{}` cannot change in the middle of a walk: {why}",
                axis.key
            ));
            Some(problem.in_file(axis.origin.as_str()).help(
                "vary parameters, symbols, rules, sizes, stops, fills or costs; `sweep` takes this axis",
            ))
        })
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::all(problems)),
    }
}

/// The better of two, the first when they are as good.
fn better(a: Option<Best>, b: Option<Best>) -> Option<Best> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.score > a.score { b } else { a }),
        (a, b) => a.or(b),
    }
}
