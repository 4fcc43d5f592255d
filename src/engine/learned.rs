//! The forecast of `[model]`, as a column of the market: fitted again and again before time begins,
//! each fit on what was known at the close after which it was made.
//!
//! A row is a bar of a symbol of the universe: its features as they look from that close, and the target,
//! which is later prices. A fit reads the rows of all symbols whose bar lies in the window that ends at
//! its close and whose target was known by then: `purge + embargo` bars of the symbol have come after
//! it. Its forecasts are for its own close and the closes up to the next fit, so the column is as causal
//! as any other, and cutting the future off changes none of it. Scaling and tuning happen inside the
//! rows of the fit (`learning::fit`). What it was worth is counted afterwards, in [`LearnedFit::out_of_sample`].

use crate::engine::input::NO_BAR;
use crate::engine::prepare::{clock_of, own_on, periods_of, universe};
use crate::error::{Error, Problem, Result};
use crate::learning::{
    Fitted, Forecast, Learner, Moments, Parts, Rows, Score, correlation, fit, logistic, of_chances,
    of_numbers,
};
use crate::market::{
    Learned, LearnedFit, MODEL, Market, Period, date_of, midnight, period_ends_of,
};
use crate::rules::{EvalOptions, ExprId, Kind, Vocabulary, draw, stream};
use crate::strategy::{CompiledModel, Every, Model, Refit, Signals, Strategy, Stretch};
use crate::units::{BarIndex, DAY_MICROS, Micros};
use chrono::{Days, Months};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Rows below which a fit is not made, and rows a feature; the larger holds.
const ROWS_MIN: usize = 60;
const ROWS_A_FEATURE: usize = 20;
/// Part of a window's bars after which those begin that penalties and trees are chosen by.
const EARLIER: f64 = 0.75;
/// Steps at which the forecasts of a fit's own rows are kept.
const SPREAD: usize = 101;
/// Marks a row whose target is never known.
const NEVER: u32 = u32::MAX;

/// The market with the column that the strategy's `[model]` forecasts: the market itself without a
/// model, or when it was learned for the same model before.
///
/// # Errors
/// Expressions of the model that do not type against the data, a target that does not look ahead, a
/// purge below its horizon, data that have a column `model` already.
pub fn learned<'m>(market: &'m Market, strategy: &Strategy) -> Result<Cow<'m, Market>> {
    let (Some(model), Some(key)) = (&strategy.model, strategy.model_key()) else {
        return Ok(Cow::Borrowed(market));
    };
    if market
        .learned
        .as_ref()
        .is_some_and(|known| known.key == key)
    {
        return Ok(Cow::Borrowed(market));
    }
    let observed = market.without_learned();
    let course = Course::new(&observed, strategy, model)?;
    let (columns, learned) = course.walk(key);
    Ok(Cow::Owned(
        observed.with_learned(columns, Arc::new(learned)),
    ))
}

/// One row, before it is known to which fits it belongs.
struct Row {
    /// Clock bar of its close.
    bar: u32,
    /// Index of its symbol in the market, and its bar on that tape.
    tape: u32,
    own: u32,
    /// Clock bar at whose close a fit may read it; [`NEVER`] when the data end before.
    known: u32,
}

/// All rows of a model, and the closes after which it is fitted.
struct Course<'a> {
    market: &'a Market,
    model: &'a Model,
    compiled: CompiledModel,
    clock: Arc<Vec<Micros>>,
    rows: Vec<Row>,
    /// Features of the rows, one row after the other, and their targets; NaN where not known.
    table: Rows,
    /// First row of each clock bar, and one past the last.
    first_row: Vec<usize>,
    /// Bars before each clock bar that are no rows for want of a feature.
    without_value: Vec<usize>,
    /// First bar of the window and the close, of each refit.
    refits: Vec<(BarIndex, BarIndex)>,
}

impl<'a> Course<'a> {
    fn new(market: &'a Market, strategy: &Strategy, model: &'a Model) -> Result<Course<'a>> {
        let vocabulary = Vocabulary::of(market);
        let has = |name: &String| name == MODEL;
        if vocabulary.columns.iter().any(has) {
            return Err(Error::new(
                Problem::new(format!(
                    "the data has a column `{MODEL}`, which is the name of the forecast"
                ))
                .in_file(&strategy.source.name)
                .at_column("model")
                .help(format!(
                    "rename the column of the data, or leave [{MODEL}] out"
                )),
            ));
        }
        let Some(compiled) = strategy.compile_model(&vocabulary)? else {
            return Err(Error::msg("a strategy without a [model] learns nothing"));
        };
        let tapes = universe(market, strategy)?;
        let clock = clock_of(market, &tapes);
        let mut course = Course {
            market,
            model,
            compiled,
            rows: Vec::new(),
            table: Rows::new(model.features.len()),
            first_row: Vec::with_capacity(clock.len() + 1),
            without_value: Vec::with_capacity(clock.len() + 1),
            refits: refits(model, market, &clock),
            clock,
        };
        course.read(strategy, &tapes)?;
        Ok(course)
    }

    /// Evaluates features and target and puts the rows into the order of time, then of symbols.
    fn read(&mut self, strategy: &Strategy, tapes: &[usize]) -> Result<()> {
        let options = EvalOptions {
            periods_a_year: periods_of(self.market, &self.clock).bars_a_year,
            total_return: strategy.data.signals == Signals::TotalReturn,
        };
        let columns = self.compiled.program.evaluate(self.market, &options)?;
        let features: Vec<Vec<&[f64]>> = tapes
            .iter()
            .map(|&tape| {
                self.compiled
                    .features
                    .iter()
                    .map(|id| columns[tape].number(*id))
                    .collect()
            })
            .collect();
        let targets: Vec<Vec<f64>> = tapes
            .iter()
            .map(|&tape| self.target(&columns[tape], self.compiled.target))
            .collect();
        let times = |tape: usize| &self.market.tapes[tape].bars.time;
        let on_clock: Vec<_> = tapes
            .iter()
            .map(|&t| own_on(&self.clock, times(t)))
            .collect();
        let known: Vec<Vec<u32>> = (0..tapes.len())
            .map(|k| {
                known_at(
                    on_clock[k].as_deref(),
                    times(tapes[k]).len(),
                    self.compiled.left_out,
                )
            })
            .collect();
        let mut x = vec![0.0; self.model.features.len()];
        let mut lacking = 0;
        for bar in 0..self.clock.len() {
            self.first_row.push(self.rows.len());
            self.without_value.push(lacking);
            for (k, &tape) in tapes.iter().enumerate() {
                let own = on_clock[k].as_ref().map_or(bar as u32, |map| map[bar]);
                if own == NO_BAR {
                    continue;
                }
                for (x, feature) in x.iter_mut().zip(&features[k]) {
                    *x = feature.get(own as usize).copied().unwrap_or(f64::NAN);
                }
                if x.iter().any(|x| !x.is_finite()) {
                    lacking += 1;
                    continue;
                }
                self.table.push(&x, targets[k][own as usize]);
                self.rows.push(Row {
                    bar: bar as u32,
                    tape: tape as u32,
                    own,
                    known: known[k][own as usize],
                });
            }
        }
        self.first_row.push(self.rows.len());
        self.without_value.push(lacking);
        Ok(())
    }

    /// The target as numbers: yes is 1, and so is a number above 0 for a logistic regression.
    fn target(&self, columns: &crate::rules::Columns, id: ExprId) -> Vec<f64> {
        let is_yes = |yes: bool| if yes { 1.0 } else { 0.0 };
        if self.compiled.program.kind(id) == Kind::Condition {
            let mask = columns.condition(id);
            let answer = |bar: usize| mask.get(bar).map_or(f64::NAN, is_yes);
            return (0..columns.len()).map(answer).collect();
        }
        let numbers = columns.number(id);
        match self.model.learner {
            Learner::Logistic => {
                let sign = |y: &f64| {
                    if y.is_nan() {
                        f64::NAN
                    } else {
                        is_yes(*y > 0.0)
                    }
                };
                numbers.iter().map(sign).collect()
            }
            _ => numbers.to_vec(),
        }
    }

    /// The rows that a fit at the close `refit` may read.
    fn parts(&self, (from, refit): (BarIndex, BarIndex)) -> Parts {
        let border = from + (EARLIER * (refit + 1 - from) as f64) as usize;
        let width = self.table.width;
        let mut parts = Parts {
            whole: Rows::new(width),
            earlier: Rows::new(width),
            later: Rows::new(width),
        };
        for at in self.first_row[from]..self.first_row[refit + 1] {
            let (row, y) = (&self.rows[at], self.table.y[at]);
            if row.known as usize > refit || !y.is_finite() {
                continue;
            }
            let x = self.table.row(at);
            parts.whole.push(x, y);
            if row.bar as usize >= border {
                parts.later.push(x, y);
            } else if row.known as usize <= border {
                parts.earlier.push(x, y);
            }
        }
        parts
    }

    /// Rows that a fit needs at least.
    fn rows_min(&self) -> usize {
        ROWS_MIN.max(ROWS_A_FEATURE * (self.table.width + 1))
    }

    /// Bars that the fit at place `k` forecasts.
    fn forecast_bars(&self, k: usize) -> Range<BarIndex> {
        let next = self.refits.get(k + 1).map(|(_, refit)| *refit);
        self.refits[k].1..next.unwrap_or(self.clock.len())
    }

    /// No forecast anywhere.
    fn blank(&self) -> Vec<Vec<f64>> {
        let tapes = self.market.tapes.iter();
        tapes.map(|tape| vec![f64::NAN; tape.bars.len()]).collect()
    }

    /// Writes the forecasts of rows on clock bars.
    fn write(
        &self,
        into: &mut [Vec<f64>],
        bars: Range<BarIndex>,
        of: impl Fn(&Row, &[f64]) -> f64,
    ) {
        for at in self.first_row[bars.start]..self.first_row[bars.end] {
            let row = &self.rows[at];
            into[row.tape as usize][row.own as usize] = of(row, self.table.row(at));
        }
    }

    /// Fits from close to close.
    fn walk(&self, key: String) -> (Vec<Vec<f64>>, Learned) {
        let mut columns = self.blank();
        let mut learned = Learned {
            key,
            features: self.model.features.iter().map(|f| f.text.clone()).collect(),
            learner: self.model.learner_name(),
            horizon: self.compiled.horizon,
            purge: self.compiled.left_out,
            fits: Vec::new(),
            not_made: 0,
            rows_min: self.rows_min(),
            rows_most: 0,
            out_of_sample: Score::default(),
        };
        let mut met = Met::default();
        let mut last: Option<(Forecast, f64)> = None;
        for k in 0..self.refits.len() {
            let bars = self.forecast_bars(k);
            let parts = self.parts(self.refits[k]);
            let enough = parts.whole.len() >= self.rows_min();
            let seed = u64::from(self.model.seed);
            match enough
                .then(|| fit(self.model.learner, &parts, seed))
                .flatten()
            {
                Some(fitted) => {
                    learned.fits.push(self.record(k, &parts.whole, &fitted));
                    last = Some((fitted.forecast, parts.whole.mean()));
                }
                None => {
                    learned.not_made += 1;
                    learned.rows_most = learned.rows_most.max(parts.whole.len());
                }
            }
            let (Some((forecast, guess)), Some(record)) = (&last, learned.fits.last_mut()) else {
                continue;
            };
            self.write(&mut columns, bars.clone(), |_, x| forecast.of(x));
            record.until = self.clock[bars.end - 1];
            let own = self.meet(bars, forecast, *guess);
            record.out_of_sample = own.score(self.model.learner);
            met.add(own);
        }
        learned.out_of_sample = met.score(self.model.learner);
        (columns, learned)
    }

    fn record(&self, k: usize, rows: &Rows, fitted: &Fitted) -> LearnedFit {
        let (from, refit) = self.refits[k];
        let is_read =
            |at: &usize| self.rows[*at].known as usize <= refit && self.table.y[*at].is_finite();
        let range = self.first_row[from]..self.first_row[refit + 1];
        let moment = |at: Option<usize>| {
            at.map_or(self.clock[refit], |at| {
                self.clock[self.rows[at].bar as usize]
            })
        };
        let ends = (
            moment(range.clone().find(is_read)),
            moment(range.rev().find(is_read)),
        );
        let feature = |k: usize| -> Vec<f64> { rows.rows().map(|row| row[k]).collect() };
        let correlations = (0..rows.width)
            .map(|k| correlation(&feature(k), &rows.y).unwrap_or(0.0))
            .collect();
        LearnedFit {
            refit: self.clock[refit],
            until: self.clock[refit],
            rows: ends,
            without_value: self.without_value[refit + 1] - self.without_value[from],
            setting: fitted.setting,
            weights: fitted.forecast.weights().to_vec(),
            correlations,
            in_sample: fitted.in_sample,
            out_of_sample: Score::default(),
            spread: spread(rows.rows().map(|x| fitted.forecast.of(x)).collect()),
        }
    }

    /// What became of the forecasts on clock bars, where the data say.
    fn meet(&self, bars: Range<BarIndex>, forecast: &Forecast, guess: f64) -> Met {
        let mut met = Met::default();
        for at in self.first_row[bars.start]..self.first_row[bars.end] {
            let y = self.table.y[at];
            if y.is_finite() {
                met.said.push(forecast.of(self.table.row(at)));
                met.came.push(y);
                met.guessed.push(guess);
            }
        }
        met
    }
}

/// Forecasts, what came, and the constant guess beside them.
#[derive(Default)]
struct Met {
    said: Vec<f64>,
    came: Vec<f64>,
    guessed: Vec<f64>,
}

impl Met {
    fn add(&mut self, other: Met) {
        self.said.extend(other.said);
        self.came.extend(other.came);
        self.guessed.extend(other.guessed);
    }

    fn score(&self, learner: Learner) -> Score {
        if learner == Learner::Logistic {
            return of_chances(&self.said, &self.came);
        }
        // The guess changes with the fits: it is taken out of both sides.
        let less = |of: &[f64]| -> Vec<f64> {
            of.iter()
                .zip(&self.guessed)
                .map(|(x, guess)| x - guess)
                .collect()
        };
        let score = of_numbers(&less(&self.said), &less(&self.came), 0.0);
        Score {
            ic: correlation(&self.said, &self.came),
            ..score
        }
    }
}

/// Numbers in ascending order, at even steps from the smallest to the largest.
fn spread(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().saturating_sub(1);
    let step = |k: usize| numbers.get(k * last / (SPREAD - 1)).copied();
    (0..SPREAD).filter_map(step).collect()
}

/// For each bar of a tape the clock bar of the bar that comes `later` bars after it.
fn known_at(own_of_clock: Option<&Vec<u32>>, bars: usize, later: u32) -> Vec<u32> {
    let clock_of_own: Vec<u32> = match own_of_clock {
        None => (0..bars as u32).collect(),
        Some(map) => (0..map.len() as u32)
            .filter(|bar| map[*bar as usize] != NO_BAR)
            .collect(),
    };
    let at = |own: usize| clock_of_own.get(own + later as usize).copied();
    (0..bars).map(|own| at(own).unwrap_or(NEVER)).collect()
}

/// First bar of the window, and the close, of each fit: those of the schedule from which on the
/// data reach back as far as the window does.
fn refits(model: &Model, market: &Market, clock: &[Micros]) -> Vec<(BarIndex, BarIndex)> {
    let start = |refit: BarIndex| window_start(model.fit_window, clock, refit);
    let at = |refit: BarIndex| Some((start(refit)?, refit));
    match model.refit {
        Refit::Period(every) => {
            let period = match every {
                Every::Bar | Every::Day => Period::Day,
                Every::Week => Period::Week,
                Every::Month => Period::Month,
                Every::Quarter => Period::Quarter,
                Every::Year => Period::Year,
            };
            let ends = period_ends_of(clock, period, market.calendar, market.interval);
            let ends = ends.iter().enumerate().filter(|(_, ends)| **ends);
            ends.filter_map(|(bar, _)| at(bar)).collect()
        }
        Refit::After(stretch) => {
            let mut found: Vec<(BarIndex, BarIndex)> = Vec::new();
            let mut next = 0;
            while next < clock.len() {
                match at(next) {
                    Some(refit) => {
                        found.push(refit);
                        next = after(stretch, clock, next);
                    }
                    None => next += 1,
                }
            }
            found
        }
    }
}

/// First bar of the window that ends with the bar `refit`; `None` when the data begin later.
fn window_start(window: Stretch, clock: &[Micros], refit: BarIndex) -> Option<BarIndex> {
    let day = date_of(clock[refit]);
    let before = match window {
        Stretch::Bars(n) => return (refit + 1).checked_sub(n as usize),
        Stretch::Days(n) => day.checked_sub_days(Days::new(u64::from(n)))?,
        Stretch::Months(n) => day.checked_sub_months(Months::new(n))?,
    };
    // The day itself lies outside, so that a year holds no date twice.
    let from = midnight(before) + DAY_MICROS;
    let first = *clock.first()?;
    (first < from).then(|| clock.partition_point(|t| *t < from))
}

/// The first bar a stretch after another.
fn after(stretch: Stretch, clock: &[Micros], bar: BarIndex) -> BarIndex {
    let day = date_of(clock[bar]);
    let then = match stretch {
        Stretch::Bars(n) => return bar + n as usize,
        Stretch::Days(n) => day.checked_add_days(Days::new(u64::from(n))),
        Stretch::Months(n) => day.checked_add_months(Months::new(n)),
    };
    let then = then.map_or(Micros::MAX, midnight);
    clock.partition_point(|t| *t < then).max(bar + 1)
}

/// What a model has to be better than: markets with another column in the place of its forecast.
pub struct Rivals<'a> {
    course: Course<'a>,
    record: Arc<Learned>,
}

/// Asks about the rivals of a strategy's model; `None` without a model or without a fit.
///
/// # Errors
/// As [`learned`], and what `ask` fails with.
pub fn with_rivals<R>(
    market: &Market,
    strategy: &Strategy,
    ask: impl FnOnce(&Rivals<'_>) -> Result<R>,
) -> Result<Option<R>> {
    let Some(model) = &strategy.model else {
        return Ok(None);
    };
    let market = learned(market, strategy)?;
    let Some(record) = market.learned.clone().filter(|l| !l.fits.is_empty()) else {
        return Ok(None);
    };
    let observed = market.without_learned();
    let course = Course::new(&observed, strategy, model)?;
    ask(&Rivals { course, record }).map(Some)
}

impl Rivals<'_> {
    /// How the model was learned.
    pub fn record(&self) -> &Arc<Learned> {
        &self.record
    }

    /// The feature that went with the target most closely inside the fits' windows, on average over
    /// the fits: its place among the features.
    pub fn best_feature(&self) -> usize {
        let fits = &self.record.fits;
        let closeness = |k: usize| -> f64 { fits.iter().map(|f| f.correlations[k].abs()).sum() };
        let features = 1..self.record.features.len();
        features.fold(0, |best, k| {
            if closeness(k) > closeness(best) {
                k
            } else {
                best
            }
        })
    }

    /// The market whose column `model` is learned from one feature alone, at the same closes from the
    /// same rows, so that its sign is the one it had in sample.
    pub fn of_feature(&self, feature: usize) -> Market {
        self.market(self.course.alone(feature))
    }

    /// The market whose column `model` is drawn: at each bar one of the forecasts that the fit in force
    /// gave its own rows, whatever the features say.
    pub fn of_coin(&self, coin: u64) -> Market {
        self.market(self.course.drawn(&self.record, coin))
    }

    fn market(&self, columns: Vec<Vec<f64>>) -> Market {
        self.course
            .market
            .with_learned(columns, self.record.clone())
    }
}

impl Course<'_> {
    /// The forecasts of one feature alone, without a penalty.
    fn alone(&self, feature: usize) -> Vec<Vec<f64>> {
        let mut columns = self.blank();
        let mut last: Option<Forecast> = None;
        for k in 0..self.refits.len() {
            let rows = self.parts(self.refits[k]).whole;
            if rows.len() >= self.rows_min() {
                let rows = rows.only(feature);
                let fitted = match self.model.learner {
                    Learner::Logistic => logistic(&rows, 0.0).map(Forecast::Chance),
                    _ => Moments::of(&rows).ridge(0.0).map(Forecast::Linear),
                };
                last = fitted.or(last);
            }
            if let Some(forecast) = &last {
                let bars = self.forecast_bars(k);
                self.write(&mut columns, bars, |_, x| {
                    forecast.of(&x[feature..=feature])
                });
            }
        }
        columns
    }

    /// The forecasts of a coin.
    fn drawn(&self, record: &Learned, coin: u64) -> Vec<Vec<f64>> {
        let seed = f64::from(self.model.seed) + coin as f64;
        let tapes = self.market.tapes.iter();
        let streams: Vec<u64> = tapes
            .map(|tape| stream(seed.to_bits(), &tape.symbol))
            .collect();
        let mut columns = self.blank();
        for fit in &record.fits {
            let of = |moment: Micros| self.clock.partition_point(|t| *t < moment);
            let bars = of(fit.refit)..of(fit.until) + 1;
            self.write(&mut columns, bars, |row, _| {
                let u = draw(streams[row.tape as usize], self.clock[row.bar as usize]);
                fit.spread[((u * fit.spread.len() as f64) as usize).min(fit.spread.len() - 1)]
            });
        }
        columns
    }
}

/// Each feature and the target on every row whose outcome the data have: what the look-ahead audit
/// compares. `None` without a model.
///
/// # Errors
/// As [`learned`].
pub fn rows_of_model(market: &Market, strategy: &Strategy) -> Result<Option<Rows>> {
    let Some(model) = &strategy.model else {
        return Ok(None);
    };
    let observed = market.without_learned();
    let course = Course::new(&observed, strategy, model)?;
    let mut rows = Rows::new(course.table.width);
    for (at, y) in course.table.y.iter().enumerate() {
        if y.is_finite() {
            rows.push(course.table.row(at), *y);
        }
    }
    Ok(Some(rows))
}
