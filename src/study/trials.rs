//! The trials of one strategy whose params vary: the figures of each point, without its curve.
//!
//! The kernel carries them where it can; the engine's loop runs the others ([`Trials::fallback`] says
//! why). Both read columns that all points share. Which points are tried, in which order and on how many
//! threads is left to sweeps and walk-forward studies. A trial is a pure function of its point and
//! span, so that any number of threads gives the same figures.

use crate::engine::{
    Conditions, Counted, Kernel, Outline, Repeated, Run, Signals as Spoken, Tally, backtest_bare,
    backtest_over, outline,
};
use crate::error::{Error, Result};
use crate::market::Market;
use crate::metrics::trial::{
    Scale, SpanSessions, Trial, bare_metrics, by_session, of_tally, returns_of_equity, sessions_of,
    tally_of_sessions,
};
use crate::metrics::{Metrics, bare_of_run, returns_of_run};
use crate::portfolio::TradeStatus;
use crate::rules::{EvalOptions, Family, Mask, Parts, Room, Values, Vocabulary};
use crate::strategy::{Compiled, Signals, Strategy};
use crate::units::{BarIndex, Micros};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Bytes of decided bars that one batch of points may take.
const BATCH_BYTES: usize = 32 << 20;
/// Tapes longer than this do not stay in the cache.
const LONG_BARS: usize = 16_384;
/// Points of a short tape that are decided together.
const SHORT_BATCH: usize = 64;
/// Values of an axis whose points come together.
const TILE: usize = 16;
/// Values of the first axis among these that are taken by turns.
const NEAR: usize = 4;

/// One axis that varies a param.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamAxis {
    /// Name in `[params]`.
    pub name: String,
    /// The values that are tried.
    pub values: Vec<f64>,
}

/// How much of a trial is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Total return, CAGR, Sharpe ratio, maximum drawdown and trades, by bar as in bare runs.
    Bare,
    /// All figures of a row.
    Figures,
    /// The figures, and the sums in blocks.
    Blocks,
}

/// The trials of one strategy over one market.
pub struct Trials<'m> {
    market: &'m Market,
    strategy: Strategy,
    axes: Arc<Vec<ParamAxis>>,
    outline: Outline,
    whole: OnceLock<SpanSessions>,
    columns: Arc<Columns>,
    /// Over bars, and over sessions where these are longer.
    by_bar: OnceLock<Option<Kernel<'m>>>,
    by_session: OnceLock<Option<Kernel<'m>>>,
}

/// Where the columns of a point come from.
enum Columns {
    /// Parts that all points share, by account.
    Shared(Box<Family>, Vec<Parts>),
    /// Each point compiles and evaluates its own.
    Own,
}

impl<'m> Trials<'m> {
    /// Compiles a strategy whose params vary along `axes`. A point is one index into the values of
    /// each axis, in the order of `axes`; no axis is one trial, the strategy as it stands.
    ///
    /// # Errors
    /// As [`crate::backtest`]: symbols that the market lacks, expressions that do not type, a period
    /// without bars, rate files that cannot be read.
    pub fn new(market: &'m Market, strategy: &Strategy, axes: Vec<ParamAxis>) -> Result<Self> {
        Trials::on(market, strategy, Arc::new(axes), None)
    }

    /// The trials of another strategy that differs in costs, stops, sizes, cash or dates; columns
    /// are shared when both have the same expressions and params.
    ///
    /// # Errors
    /// As [`Trials::new`].
    pub fn with(&self, strategy: &Strategy) -> Result<Trials<'m>> {
        let same = texts(&self.strategy) == texts(strategy)
            && self.strategy.params == strategy.params
            && self.strategy.data.signals == strategy.data.signals
            && self.strategy.data.symbols == strategy.data.symbols;
        let columns = same.then(|| self.columns.clone());
        Trials::on(self.market, strategy, self.axes.clone(), columns)
    }

    fn on(
        market: &'m Market,
        strategy: &Strategy,
        axes: Arc<Vec<ParamAxis>>,
        columns: Option<Arc<Columns>>,
    ) -> Result<Self> {
        let mut outline = outline(market, strategy)?;
        let of_model = strategy.model_params();
        if axes.iter().any(|axis| of_model.contains(&axis.name)) {
            outline.not_carried = Some("params in the features or the target of [model]");
            outline.refits = true;
        }
        let mut trials = Trials {
            market,
            strategy: strategy.clone(),
            axes,
            columns: Arc::new(Columns::Own),
            by_bar: OnceLock::new(),
            by_session: OnceLock::new(),
            whole: OnceLock::new(),
            outline,
        };
        let shares = trials.outline.not_carried.is_none() || Repeated::can_run(strategy);
        if shares && !trials.outline.refits {
            trials.columns = columns.unwrap_or_else(|| Arc::new(trials.shared()));
        }
        Ok(trials)
    }

    /// Points of the axes.
    fn points(&self) -> usize {
        let sizes = self.axes.iter().map(|axis| axis.values.len());
        sizes.fold(1, |n: usize, size| n.saturating_mul(size))
    }

    /// The columns that all points share.
    fn shared(&self) -> Columns {
        if self.points() < 2 {
            return Columns::Own;
        }
        let axes: Vec<(String, Vec<f64>)> = self
            .axes
            .iter()
            .map(|axis| (axis.name.clone(), axis.values.clone()))
            .collect();
        let tapes = &self.outline.universe;
        let bars = tapes.iter().map(|&t| self.market.tapes[t].bars.len()).sum();
        match self
            .strategy
            .family(&axes, &Vocabulary::of(self.market), bars)
        {
            Ok(family) => {
                let parts = family.evaluate(self.market, tapes, &self.options());
                Columns::Shared(Box::new(family), parts)
            }
            Err(_) => Columns::Own,
        }
    }

    fn options(&self) -> EvalOptions {
        EvalOptions {
            periods_a_year: self.outline.periods.0,
            total_return: self.strategy.data.signals == Signals::TotalReturn,
        }
    }

    /// Why the trials go through the engine's loop, `None` when the kernel carries them.
    pub fn fallback(&self) -> Option<&'static str> {
        self.outline.not_carried
    }

    /// Columns and conditions that all points share; 0 when each point computes its own.
    pub fn shared_parts(&self) -> usize {
        match self.columns.as_ref() {
            Columns::Shared(family, _) => family.parts(),
            Columns::Own => 0,
        }
    }

    /// First and one past the last clock bar of the run.
    pub fn span(&self) -> Range<BarIndex> {
        self.outline.span.clone()
    }

    /// Moments of the clock's bars.
    pub fn clock(&self) -> &[Micros] {
        &self.outline.clock
    }

    /// The axes.
    pub fn axes(&self) -> &[ParamAxis] {
        &self.axes
    }

    /// The strategy of a point, with its params filled in.
    ///
    /// # Panics
    /// If `point` is not one index for each axis.
    pub fn strategy(&self, point: &[usize]) -> Strategy {
        assert_eq!(point.len(), self.axes.len(), "one index for each axis");
        let mut strategy = self.strategy.clone();
        for (axis, &at) in self.axes.iter().zip(point) {
            match strategy
                .params
                .iter_mut()
                .find(|(name, _)| *name == axis.name)
            {
                Some((_, value)) => *value = axis.values[at],
                None => strategy.params.push((axis.name.clone(), axis.values[at])),
            }
        }
        strategy
    }

    /// The figures of a point over a span of clock bars (`None`: the whole run). A span starts
    /// flat; indicators have read the bars before it.
    ///
    /// # Errors
    /// A point whose params an expression refuses (a window of 0).
    pub fn measure(
        &self,
        point: &[usize],
        span: Option<Range<BarIndex>>,
        ask: Ask,
    ) -> Result<Trial> {
        if let Some(trial) = self.lean(point, span.as_ref(), ask)? {
            return Ok(trial);
        }
        let run = self.looped(point, span.as_ref())?;
        Ok(figures(&run, &self.sessions(span.as_ref()), ask))
    }

    /// The bare run of a point in the engine's loop, on shared columns where there are any.
    fn looped(&self, point: &[usize], span: Option<&Range<BarIndex>>) -> Result<Run> {
        match self.repeated(span)? {
            Some(repeated) => self.repeat(&repeated, point),
            None => backtest_over(self.market, &self.strategy(point), span.cloned()),
        }
    }

    /// The engine's loop over shared columns; `None` when each point has to compile its own.
    fn repeated(&self, span: Option<&Range<BarIndex>>) -> Result<Option<Repeated<'_>>> {
        if self.shared_parts() == 0 || !Repeated::can_run(&self.strategy) {
            return Ok(None);
        }
        Repeated::new(self.market, &self.strategy, span.cloned()).map(Some)
    }

    /// The bare run of a point in the engine's loop.
    fn repeat(&self, repeated: &Repeated<'_>, point: &[usize]) -> Result<Run> {
        let own = self.compiled(point)?;
        let universe = self.outline.universe.iter().enumerate();
        let conditions = universe.map(|(account, &tape)| {
            let len = self.market.tapes[tape].bars.len();
            self.with_signals(point, account..account + 1, own.as_ref(), |signals| {
                let pairs = signals.iter().flat_map(|s| s.keys.iter().zip(s.values));
                let mask = |(key, values): (&&str, &Values<'_>)| {
                    ((*key).to_string(), values.clone().into_mask(len))
                };
                pairs.map(mask).collect::<Conditions>()
            })
        });
        repeated.run(&conditions.collect::<Result<Vec<_>>>()?)
    }

    /// The figures of several points, as [`Trials::measure`] gives them one by one: on long tapes a
    /// column is read once for all of them.
    pub fn measure_each(
        &self,
        points: &[&[usize]],
        span: Option<&Range<BarIndex>>,
        ask: Ask,
    ) -> Vec<Result<Trial>> {
        let whole = self.span();
        let bars = span.unwrap_or(&whole);
        let alone = || {
            if self.kernel(ask == Ask::Bare).is_none()
                && let Ok(Some(repeated)) = self.repeated(span)
            {
                let sessions = self.sessions(span);
                let measure = |point: &&[usize]| {
                    let run = self.repeat(&repeated, point)?;
                    Ok(figures(&run, &sessions, ask))
                };
                return points.iter().map(measure).collect();
            }
            let measure = |point: &&[usize]| self.measure(point, span.cloned(), ask);
            points.iter().map(measure).collect()
        };
        let (Some(kernel), Columns::Shared(family, parts)) =
            (self.kernel(ask == Ask::Bare), self.columns.as_ref())
        else {
            return alone();
        };
        if self.accounts() > 1 || !kernel.fits(bars) {
            return alone();
        }
        if self.outline.universe.len() > 1 {
            return self.shared_each(points, (kernel, family, parts), (bars, span), ask);
        }
        let scale = self.scale(span, ask);
        let keys = self.keys();
        let mut trials: Vec<Option<Result<Trial>>> = points.iter().map(|_| None).collect();
        let mut room = Room::default();
        let order = by_tile(points);
        for order in order.chunks(self.batch()) {
            let points: Vec<&[usize]> = order.iter().map(|&k| points[k]).collect();
            let (values, sound) = family.decide(&parts[0], &points, &mut room);
            let mut places = Vec::with_capacity(points.len());
            for (&k, sound) in order.iter().zip(sound) {
                match sound {
                    Ok(()) => places.push(k),
                    Err(problems) => trials[k] = Some(Err(self.refused(problems))),
                }
            }
            let spoken = spoken(&keys, &values, places.len());
            let tallies = kernel.tally(0, &spoken, bars, ask == Ask::Blocks);
            for (k, tally) in places.into_iter().zip(tallies) {
                trials[k] = tally.map(|tally| Ok(asked(of_tally(&tally, scale), ask)));
            }
        }
        let pairs = trials.into_iter().zip(points);
        pairs
            .map(|(trial, point)| trial.unwrap_or_else(|| self.measure(point, span.cloned(), ask)))
            .collect()
    }

    /// The figures of several points of an account that several symbols share.
    fn shared_each(
        &self,
        points: &[&[usize]],
        (kernel, family, parts): (&Kernel<'m>, &Family, &[Parts]),
        (bars, span): (&Range<BarIndex>, Option<&Range<BarIndex>>),
        ask: Ask,
    ) -> Vec<Result<Trial>> {
        let scale = self.scale(span, ask);
        let keys = self.keys();
        let mut trials: Vec<Option<Result<Trial>>> = points.iter().map(|_| None).collect();
        let mut rooms: Vec<Room> = parts.iter().map(|_| Room::default()).collect();
        let order = by_tile(points);
        for order in order.chunks(self.batch().div_ceil(parts.len())) {
            let points: Vec<&[usize]> = order.iter().map(|&k| points[k]).collect();
            let tapes = parts.iter().zip(&mut rooms);
            let decided: Vec<_> = tapes
                .map(|(parts, room)| family.decide(parts, &points, room))
                .collect();
            // The same params are sound, or not, on all tapes.
            let sound = decided
                .first()
                .map_or(&[][..], |(_, sound)| sound.as_slice());
            let count = sound.iter().filter(|sound| sound.is_ok()).count();
            let by_tape = decided
                .iter()
                .map(|(values, _)| spoken(&keys, values, count));
            let by_tape: Vec<Vec<Spoken<'_>>> = by_tape.collect();
            let mut nth = 0;
            for (&k, sound) in order.iter().zip(sound) {
                trials[k] = match sound {
                    Err(problems) => Some(Err(self.refused(problems.clone()))),
                    Ok(()) => {
                        let signals: Vec<_> = by_tape.iter().map(|tape| tape[nth]).collect();
                        nth += 1;
                        kernel
                            .tally_shared(&signals, bars, ask == Ask::Blocks)
                            .map(|tally| Ok(asked(of_tally(&tally, scale), ask)))
                    }
                };
            }
        }
        let pairs = trials.into_iter().zip(points);
        pairs
            .map(|(trial, point)| trial.unwrap_or_else(|| self.measure(point, span.cloned(), ask)))
            .collect()
    }

    /// Keys of the expressions, in the order of their values.
    fn keys(&self) -> Vec<&str> {
        self.outline.wanted.iter().map(String::as_str).collect()
    }

    /// Accounts of a trial.
    fn accounts(&self) -> usize {
        match self.strategy.account.each {
            true => self.outline.universe.len(),
            false => 1,
        }
    }

    /// Points that are decided together: on long tapes as many as memory allows, on short ones so
    /// few that what was decided stays in the cache.
    fn batch(&self) -> usize {
        let bars = self.outline.clock.len();
        match bars > LONG_BARS {
            true => (BATCH_BYTES / (bars / 4)).max(1),
            false => SHORT_BATCH,
        }
    }

    fn refused(&self, problems: Vec<crate::error::Problem>) -> Error {
        let source = &self.strategy.source;
        Error::all(problems).with_source(&source.name, &source.text)
    }

    /// Session returns of a point over a span, net.
    ///
    /// # Errors
    /// As [`Trials::measure`].
    pub fn returns(&self, point: &[usize], span: Option<Range<BarIndex>>) -> Result<Vec<f64>> {
        let sessions = self.sessions(span.as_ref());
        let bars = span.clone().unwrap_or_else(|| self.span());
        let returns = match self.kernel(true) {
            None => returns_of_run(&self.looped(point, span.as_ref())?),
            Some(kernel) => {
                let curve = self.curve(kernel, point, &bars)?;
                returns_of_equity(curve.start, &curve.equity)
            }
        };
        Ok(by_session(returns, &sessions))
    }

    fn sessions(&self, span: Option<&Range<BarIndex>>) -> Cow<'_, SpanSessions> {
        match span {
            None => Cow::Borrowed(self.whole()),
            Some(span) => {
                let (bars_a_year, bars_a_session) = self.outline.periods;
                let time = &self.outline.clock[span.clone()];
                Cow::Owned(sessions_of(time, bars_a_year, bars_a_session))
            }
        }
    }

    /// The sessions of the whole run.
    fn whole(&self) -> &SpanSessions {
        self.whole.get_or_init(|| {
            let (bars_a_year, bars_a_session) = self.outline.periods;
            let time = &self.outline.clock[self.outline.span.clone()];
            sessions_of(time, bars_a_year, bars_a_session)
        })
    }

    /// The kernel over bars or over sessions, made at its first use; `None` when it does not carry
    /// the strategy.
    fn kernel(&self, by_bar: bool) -> Option<&Kernel<'m>> {
        if self.outline.not_carried.is_some() {
            return None;
        }
        let (bars_a_year, bars_a_session) = self.outline.periods;
        let by_bar = by_bar || bars_a_session <= 1.0;
        let cell = if by_bar {
            &self.by_bar
        } else {
            &self.by_session
        };
        let make = || {
            let ends = match by_bar {
                true => Vec::new(),
                false => sessions_of(&self.outline.clock, bars_a_year, bars_a_session).ends,
            };
            // Bars shorter than sessions are asked for by bare runs alone.
            let bare = by_bar && bars_a_session > 1.0;
            Kernel::new(self.market, &self.strategy, &ends, (self.points(), bare)).ok()
        };
        cell.get_or_init(make).as_ref()
    }

    /// A trial on the kernel; `None` when the engine has to run it.
    fn lean(
        &self,
        point: &[usize],
        span: Option<&Range<BarIndex>>,
        ask: Ask,
    ) -> Result<Option<Trial>> {
        let Some(kernel) = self.kernel(ask == Ask::Bare) else {
            return Ok(None);
        };
        let whole = self.span();
        let bars = span.unwrap_or(&whole);
        if self.accounts() > 1 {
            return self.lean_each(kernel, point, (bars, span), ask);
        }
        if !kernel.fits(bars) {
            return Ok(None);
        }
        let own = self.compiled(point)?;
        let blocks = ask == Ask::Blocks;
        let universe = 0..self.outline.universe.len();
        let tally = self.with_signals(point, universe, own.as_ref(), |signals| match signals {
            [_] => kernel.tally(0, signals, bars, blocks).pop().flatten(),
            signals => kernel.tally_shared(signals, bars, blocks),
        })?;
        let scale = self.scale(span, ask);
        Ok(tally.map(|tally| asked(of_tally(&tally, scale), ask)))
    }

    fn scale(&self, span: Option<&Range<BarIndex>>, ask: Ask) -> Scale {
        let span = span.cloned().unwrap_or_else(|| self.span());
        // The dates of both ends are all that is asked of the sessions here.
        let time = &self.outline.clock[span];
        let ends = [time[0], time[time.len() - 1]];
        let (bars_a_year, bars_a_session) = self.outline.periods;
        let scale = sessions_of(&ends, bars_a_year, bars_a_session).scale;
        if ask == Ask::Bare {
            Scale {
                sessions_a_year: self.outline.periods.0,
                ..scale
            }
        } else {
            scale
        }
    }

    /// The sum of the symbols' own accounts.
    fn lean_each(
        &self,
        kernel: &Kernel<'m>,
        point: &[usize],
        (bars, span): (&Range<BarIndex>, Option<&Range<BarIndex>>),
        ask: Ask,
    ) -> Result<Option<Trial>> {
        let rate = kernel.rate(bars);
        if !rate.is_empty() && !kernel.fits(bars) {
            return Ok(None);
        }
        let curve = self.curve(kernel, point, bars)?;
        let returns = returns_of_equity(curve.start, &curve.equity);
        if returns.iter().any(|r| !r.is_finite()) {
            return Ok(None);
        }
        let tally = if ask == Ask::Bare {
            tally_of_sessions(&returns, rate, &curve.is_held, false)
        } else {
            let sessions = self.sessions(span);
            let held = by_session_any(&curve.is_held, &sessions);
            let returns = by_session(returns, &sessions);
            tally_of_sessions(&returns, rate, &held, ask == Ask::Blocks)
        };
        let tally = Tally {
            trades: curve.counted.trades,
            wins: curve.counted.wins,
            entries: curve.counted.entries,
            ..tally
        };
        Ok(Some(asked(of_tally(&tally, self.scale(span, ask)), ask)))
    }

    /// The five bare figures of a point whose symbols have an account each: those of all accounts
    /// together, and those of each in the order of the universe. `None` when the kernel does not
    /// carry the strategy.
    ///
    /// # Errors
    /// As [`Trials::measure`].
    pub fn measure_accounts(&self, point: &[usize]) -> Result<Option<(Trial, Vec<Trial>)>> {
        let Some(kernel) = self.kernel(true) else {
            return Ok(None);
        };
        let bars = self.span();
        let curve = self.curve(kernel, point, &bars)?;
        let scale = self.scale(None, Ask::Bare);
        let returns = returns_of_equity(curve.start, &curve.equity);
        let all = Tally {
            trades: curve.counted.trades,
            wins: curve.counted.wins,
            entries: curve.counted.entries,
            ..tally_of_sessions(&returns, kernel.rate(&bars), &curve.is_held, false)
        };
        let Some(each) = curve.each.into_iter().collect::<Option<Vec<Tally>>>() else {
            return Ok(None);
        };
        let figures = |tally: &Tally| asked(of_tally(tally, scale), Ask::Bare);
        Ok(Some((figures(&all), each.iter().map(figures).collect())))
    }

    /// Equity of all accounts together at each bar.
    fn curve(&self, kernel: &Kernel<'m>, point: &[usize], bars: &Range<BarIndex>) -> Result<Curve> {
        let mut curve = Curve {
            start: self.strategy.account.cash * self.accounts() as f64,
            equity: vec![0.0; bars.len()],
            is_held: vec![false; bars.len()],
            counted: Counted::default(),
            each: Vec::new(),
        };
        let own = self.compiled(point)?;
        let symbols = self.outline.universe.len() / self.accounts();
        for account in 0..self.accounts() {
            let of = account * symbols..(account + 1) * symbols;
            let (counted, tally) = self.with_signals(point, of, own.as_ref(), |signals| {
                let into = (curve.equity.as_mut_slice(), curve.is_held.as_mut_slice());
                kernel.equity(account, signals, bars, into)
            })?;
            curve.counted.trades += counted.trades;
            curve.counted.wins += counted.wins;
            curve.counted.entries += counted.entries;
            curve.each.push(tally);
        }
        Ok(curve)
    }

    /// A point's own program, when points do not share columns.
    fn compiled(&self, point: &[usize]) -> Result<Option<Compiled>> {
        assert_eq!(point.len(), self.axes.len(), "one index for each axis");
        match self.columns.as_ref() {
            Columns::Shared(..) => Ok(None),
            Columns::Own => {
                let strategy = self.strategy(point);
                strategy.compile(&Vocabulary::of(self.market)).map(Some)
            }
        }
    }

    /// Calls `work` with the expressions of a point on the bars of some of the universe's symbols, one
    /// list for each; `own` is what [`Trials::compiled`] gives.
    fn with_signals<R>(
        &self,
        point: &[usize],
        symbols: Range<usize>,
        own: Option<&Compiled>,
        work: impl FnOnce(&[Spoken<'_>]) -> R,
    ) -> Result<R> {
        if let Columns::Shared(family, parts) = self.columns.as_ref() {
            let keys = self.keys();
            let mut rooms: Vec<Room> = symbols.clone().map(|_| Room::default()).collect();
            let tapes = symbols.zip(&mut rooms).map(|(symbol, room)| {
                let (values, sound) = family.decide(&parts[symbol], &[point], room);
                let sound = sound.into_iter().collect::<std::result::Result<(), _>>();
                sound.map_err(|problems| self.refused(problems))?;
                Ok(values)
            });
            let tapes = tapes.collect::<Result<Vec<_>>>()?;
            let signals = tapes.iter().map(|values| Spoken {
                keys: &keys,
                values,
            });
            return Ok(work(&signals.collect::<Vec<_>>()));
        }
        let Some(own) = own else {
            return Ok(work(&[]));
        };
        let tapes = symbols.map(|symbol| self.outline.universe[symbol]);
        let columns = tapes.map(|tape| own.columns(self.market, tape, &self.options()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let keys: Vec<&str> = own.wanted.iter().map(|(key, _)| key.as_str()).collect();
        let values = columns.iter().map(|columns| {
            let value = own.wanted.iter().map(|(_, id)| {
                let mask: &Mask = columns.condition(*id);
                if mask.is_empty() {
                    Values::Column(Cow::Borrowed(columns.number(*id)))
                } else {
                    Values::Condition(Cow::Borrowed(mask))
                }
            });
            value.collect()
        });
        let values: Vec<Vec<Values<'_>>> = values.collect();
        let signals = values.iter().map(|values| Spoken {
            keys: &keys,
            values,
        });
        Ok(work(&signals.collect::<Vec<_>>()))
    }
}

/// The five figures that speed is measured with. Accounts of their own go through the kernel where it
/// carries them: it keeps no orders, and sums what the engine would keep.
///
/// # Errors
/// As [`crate::engine::backtest_bare`].
pub fn bare_figures(market: &Market, strategy: &Strategy) -> Result<Metrics> {
    if strategy.account.each {
        let trials = Trials::new(market, strategy, Vec::new())?;
        if trials.fallback().is_none() {
            let trial = trials.measure(&[], None, Ask::Bare)?;
            if let Some(metrics) = bare_metrics(&trial, trials.span().len()) {
                return Ok(metrics);
            }
        }
    }
    backtest_bare(market, strategy).map(|run| bare_of_run(&run))
}

/// The sum of accounts.
struct Curve {
    /// Cash that they started with.
    start: f64,
    /// Equity, and whether anything is held, at each bar.
    equity: Vec<f64>,
    is_held: Vec<bool>,
    counted: Counted,
    /// Sums of each.
    each: Vec<Option<Tally>>,
}

/// The values of point after point by their keys.
fn spoken<'a>(keys: &'a [&'a str], values: &'a [Values<'a>], points: usize) -> Vec<Spoken<'a>> {
    let count = keys.len();
    let of = |point: usize| Spoken {
        keys,
        values: &values[point * count..(point + 1) * count],
    };
    (0..points).map(of).collect()
}

/// Indices of `points`, those that share columns together, so that these stay in the cache.
fn by_tile(points: &[&[usize]]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    if order.len() > TILE {
        // The place of the tile, up to four axes; further ones keep the order that was given.
        let tile = |k: usize| {
            let axes = points[k].iter().take(4);
            let tile = axes.fold(0_u64, |key, at| key << 16 | (at / TILE).min(0xFFFF) as u64);
            // A few values of the first axis come together for each of the others.
            let first = points[k].first().map_or(0, |at| at % TILE / NEAR);
            let others = points[k].iter().skip(1).take(3);
            let within = others.fold(first as u64, |key, at| key << 16 | (at % TILE) as u64);
            (tile, within)
        };
        order.sort_by_cached_key(|&k| tile(k));
    }
    order
}

/// What the expressions of a strategy are made of.
fn texts(strategy: &Strategy) -> Vec<(String, String)> {
    let requests = strategy.requests();
    let wanted = requests
        .iter()
        .map(|r| (r.key.to_string(), r.text.to_string()));
    let series = strategy.series.iter();
    wanted
        .chain(series.map(|(name, text)| (name.clone(), text.text.clone())))
        .collect()
}

/// The figures that were asked for.
fn asked(trial: Trial, ask: Ask) -> Trial {
    match ask {
        Ask::Figures | Ask::Blocks => trial,
        Ask::Bare => Trial {
            volatility: f64::NAN,
            sortino: f64::NAN,
            calmar: f64::NAN,
            win_rate: f64::NAN,
            exposure: f64::NAN,
            ..trial
        },
    }
}

/// The figures of a bare run.
fn figures(run: &Run, sessions: &SpanSessions, ask: Ask) -> Trial {
    if ask == Ask::Bare {
        return bare(run);
    }
    let tally = tally_of_run(run, sessions, ask == Ask::Blocks);
    of_tally(&tally, sessions.scale)
}

/// The five figures of a bare run.
fn bare(run: &Run) -> Trial {
    let figures = bare_of_run(run);
    let get = |key| figures.get(key).unwrap_or(f64::NAN);
    Trial {
        total_return: get("total_return"),
        cagr: get("cagr"),
        volatility: f64::NAN,
        sharpe: get("sharpe"),
        sortino: f64::NAN,
        max_drawdown: get("max_drawdown"),
        calmar: f64::NAN,
        trades: get("trades") as u32,
        entries: run.trades.len() as u32,
        win_rate: f64::NAN,
        exposure: f64::NAN,
        blocks: Vec::new(),
    }
}

/// The sums of a run that kept its equity.
fn tally_of_run(run: &Run, sessions: &SpanSessions, blocks: bool) -> Tally {
    let held = by_session_any(&by_bar(run), sessions);
    let rate = by_session(run.rate.clone(), sessions);
    let returns = by_session(returns_of_run(run), sessions);
    let closed = || {
        run.trades
            .iter()
            .filter(|t| t.status == TradeStatus::Closed)
    };
    let tally = tally_of_sessions(&returns, &rate, &held, blocks);
    Tally {
        trades: closed().count() as u32,
        wins: closed().filter(|t| t.pnl > 0.0).count() as u32,
        entries: run.trades.len() as u32,
        ..tally
    }
}

/// Whether any bar of each session has the flag.
fn by_session_any(flags: &[bool], sessions: &SpanSessions) -> Vec<bool> {
    let mut start = 0;
    let any = |end: &usize| {
        let any = flags[start..*end].contains(&true);
        start = *end;
        any
    };
    match sessions.ends.as_slice() {
        [] => flags.to_vec(),
        ends => ends.iter().map(any).collect(),
    }
}

/// Whether a position was held at each close of a run.
fn by_bar(run: &Run) -> Vec<bool> {
    let mut held = vec![false; run.equity.len()];
    for trade in &run.trades {
        let from = trade.entry_bar - run.first_bar;
        let to = match trade.status {
            TradeStatus::Closed => trade.exit_bar - run.first_bar,
            TradeStatus::Open => held.len(),
        };
        held[from..to].fill(true);
    }
    held
}
