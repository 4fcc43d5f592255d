//! From a market and a strategy to what the loop reads: universe, clock, signals, events, rates.

use crate::engine::flows::{self, Flow};
use crate::engine::input::{Distances, Event, EventKind, Input, NO_BAR, Signals, SymbolInput};
use crate::engine::learned::learned;
use crate::engine::options::Desk;
use crate::engine::progress::Progress;
use crate::engine::select::{Spots, decisions};
use crate::engine::taxes::check_taxes;
use crate::error::{Error, Problem, Result};
use crate::instrument::Symbol;
use crate::market::rates::{DatedRate, read_rate};
use crate::market::{
    ActionKind, Calendar, Interval, Market, Period, PeriodsAYear, date_of, midnight,
    period_ends_of, periods_a_year,
};
use crate::rules::{Columns, EvalOptions, ExprId, Mask, Program, Vocabulary};
use crate::strategy::{
    Distance, Every, HarvestCheck, Rate, ScheduleDay, Signals as Sees, Strategy,
};
use crate::units::{BarIndex, DAY_MICROS, Micros};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

/// What all accounts of one run share.
pub(crate) struct Prepared<'m> {
    /// The market, with the forecast of the strategy's model if it has one.
    pub(crate) market: Cow<'m, Market>,
    pub(crate) strategy: &'m Strategy,
    /// Told of the bars of every simulation of it.
    pub(crate) progress: Progress<'m>,
    /// Market indices of the symbols that trade, ascending.
    pub(crate) universe: Vec<usize>,
    pub(crate) clock: Arc<Vec<Micros>>,
    pub(crate) first: BarIndex,
    pub(crate) end: BarIndex,
    pub(crate) periods: PeriodsAYear,
    pub(crate) program: Option<Program>,
    wanted: Vec<(Slot, ExprId)>,
    /// Deposits and withdrawals within the run.
    pub(crate) flows: Vec<Flow>,
    pub(crate) sessions: Vec<u32>,
    pub(crate) interest: Vec<f64>,
    pub(crate) index_yield: Vec<f64>,
    pub(crate) harvest_checks: Vec<bool>,
    pub(crate) year_ends: Vec<bool>,
    pub(crate) decides: Vec<bool>,
    /// By market index and clock bar; empty when the universe is not dated.
    pub(crate) members: Vec<Arc<Vec<bool>>>,
    /// Columns of every tape, once an expression that crosses symbols was evaluated.
    crossed: OnceCell<Vec<Columns>>,
}

/// The place in the strategy that an expression was wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Enter,
    Exit,
    Short,
    Cover,
    Priority,
    Price,
    Volatility,
    Stop,
    Target,
    Trail,
    Score,
    Eligible,
    Absolute,
    Measure,
    CallWhen,
    PutWhen,
}

impl<'m> Prepared<'m> {
    /// Compiles the rules against the market and works out everything that is the same for all
    /// accounts.
    ///
    /// # Errors
    /// Symbols that the market lacks, expressions that do not type, a period without bars, rate
    /// files that cannot be read.
    pub(crate) fn new(market: &'m Market, strategy: &'m Strategy) -> Result<Self> {
        let market = learned(market, strategy)?;
        let universe = universe(&market, strategy)?;
        let clock = clock_of(&market, &universe);
        if strategy.data.members.is_some() && market.members.is_none() {
            return Err(Error::new(
                Problem::new("the market was read without its members")
                    .at_column("data.members")
                    .help("read it with Market::with_members, or by engine::read_market"),
            ));
        }
        let (first, end) = bounds(&clock, strategy)?;
        check_taxes(&market, strategy, &universe)?;
        let flows = flows::schedule(strategy, &clock, (first, end), market.calendar)?;
        Prepared {
            flows,
            ..Prepared::over(market, strategy, universe, (clock, first..end))?
        }
        .with_columns()
    }

    /// A layer of `outer`: another strategy on the clock and the bars of the whole, whose model, if it
    /// has one, is its own.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub(crate) fn beside(outer: &Prepared<'m>, strategy: &'m Strategy) -> Result<Self> {
        let market = match &outer.market {
            Cow::Borrowed(market) => learned(market, strategy)?,
            Cow::Owned(market) => Cow::Owned(learned(market, strategy)?.into_owned()),
        };
        let universe = universe(&market, strategy)?;
        let time = (outer.clock.clone(), outer.first..outer.end);
        Prepared {
            progress: outer.progress,
            ..Prepared::over(market, strategy, universe, time)?
        }
        .with_columns()
    }

    /// The rules compiled against the market, without flows and columns.
    fn over(
        market: Cow<'m, Market>,
        strategy: &'m Strategy,
        universe: Vec<usize>,
        (clock, span): (Arc<Vec<Micros>>, Range<BarIndex>),
    ) -> Result<Self> {
        check_volume(&market, strategy, &universe)?;
        if strategy.data.missing_is_error {
            let days = (clock[span.start], clock[span.end - 1]);
            check_missing(&market, &universe, days)?;
        }
        let periods = periods_of(&market, &clock);
        let (program, wanted) = compile(&market, strategy)?;
        Ok(Prepared {
            market,
            strategy,
            progress: Progress::default(),
            universe,
            clock,
            first: span.start,
            end: span.end,
            periods,
            program,
            wanted,
            flows: Vec::new(),
            sessions: Vec::new(),
            interest: Vec::new(),
            index_yield: Vec::new(),
            harvest_checks: Vec::new(),
            year_ends: Vec::new(),
            decides: Vec::new(),
            members: Vec::new(),
            crossed: OnceCell::new(),
        })
    }

    /// Bounds the simulation by clock bars instead of dates.
    ///
    /// # Errors
    /// A span without bars or beyond the clock.
    pub(crate) fn restrict(&mut self, span: Range<BarIndex>) -> Result<()> {
        if span.is_empty() || span.end > self.clock.len() {
            return Err(Error::new(
                Problem::new(format!("no bars {} to {}", span.start, span.end))
                    .help(format!("the clock has {} bars", self.clock.len())),
            ));
        }
        self.flows.retain(|flow| span.contains(&flow.bar));
        (self.first, self.end) = (span.start, span.end);
        Ok(())
    }

    fn with_columns(mut self) -> Result<Self> {
        self.fill_columns()?;
        Ok(self)
    }

    /// Of the universe only `symbols` may be held, beside what a dated universe says; none is all.
    pub(crate) fn hold_only(&mut self, symbols: &[Symbol]) {
        if symbols.is_empty() {
            return;
        }
        let bars = self.clock.len();
        let tapes = self.market.tapes.iter().enumerate();
        let members = tapes.map(|(tape, of)| match symbols.contains(&of.symbol) {
            false => Arc::new(vec![false; bars]),
            true => match self.members.get(tape) {
                Some(dated) => Arc::clone(dated),
                None => Arc::new(vec![true; bars]),
            },
        });
        self.members = members.collect();
    }

    /// The whole universe may be held again.
    pub(crate) fn hold_all(&mut self) {
        self.members = self.dated_members();
    }

    /// By market index and clock bar; empty when the universe is not dated.
    fn dated_members(&self) -> Vec<Arc<Vec<bool>>> {
        let Some(members) = &self.market.members else {
            return Vec::new();
        };
        let tapes = self.market.tapes.iter();
        let along = tapes.map(|tape| Arc::new(members.along(&tape.symbol, &self.clock)));
        along.collect()
    }

    fn fill_columns(&mut self) -> Result<()> {
        let strategy = self.strategy;
        let gaps = self
            .universe
            .iter()
            .any(|&t| !same_clock(&self.market.tapes[t].bars.time, &self.clock));
        if strategy.account.settlement_days > 0 || gaps {
            self.sessions = sessions(&self.clock);
        }
        let cash = rate(&strategy.cash.yield_)?;
        if !cash.is_zero() {
            self.interest = growth(&self.clock, &cash);
        }
        if let Some(index) = &strategy.data.dividend_yield {
            self.index_yield = simple(&self.clock, &rate(index)?);
        }
        let (calendar, interval) = (self.market.calendar, self.market.interval);
        if let Some(tax) = &strategy.tax {
            let ends = |period| period_ends_of(&self.clock, period, calendar, interval);
            self.year_ends = ends(Period::Year);
            self.harvest_checks = match tax.harvest.as_ref().map(|h| h.check) {
                Some(HarvestCheck::Day) if interval.is_intraday() => ends(Period::Day),
                Some(HarvestCheck::Week) => ends(Period::Week),
                Some(HarvestCheck::Month) => ends(Period::Month),
                Some(HarvestCheck::Day) | None => Vec::new(),
            };
        }
        self.members = self.dated_members();
        let last = ScheduleDay::Last;
        let (every, day) = match (&strategy.rank, &strategy.weights) {
            (Some(rank), _) => (rank.every, rank.day),
            (_, Some(weights)) => (weights.every.unwrap_or(Every::Bar), weights.day),
            (None, None) => (strategy.rules.every, last),
        };
        self.decides = decisions(&self.market, &self.clock, every, day);
        Ok(())
    }

    /// `[weights] targets` by slot of an account.
    fn fixed_targets(&self, tapes: &[usize]) -> Vec<f64> {
        let Some(weights) = &self.strategy.weights else {
            return Vec::new();
        };
        let of_tape = |tape: &usize| {
            let symbol = &self.market.tapes[*tape].symbol;
            let target = weights.targets().iter().find(|(name, _)| name == symbol);
            target.map_or(0.0, |(_, weight)| *weight)
        };
        tapes.iter().map(of_tape).collect()
    }

    /// Slot of `[rank] refuge`.
    fn refuge(&self, tapes: &[usize]) -> Option<usize> {
        let symbol = self.strategy.rank.as_ref()?.refuge_symbol()?;
        let of_tape = |tape: &usize| self.market.tapes[*tape].symbol == symbol;
        tapes.iter().position(of_tape)
    }

    /// Bars on which rules decide; empty when at every bar.
    pub(crate) fn decides(&self) -> &[bool] {
        &self.decides
    }

    /// Whether an expression reads the open position.
    pub(crate) fn wants_position(&self) -> bool {
        let program = self.program.as_ref();
        let reads = |(_, id): &(Slot, ExprId)| program.is_some_and(|p| p.needs_position(*id));
        self.wanted.iter().any(reads)
    }

    /// Options of evaluating expressions.
    pub(crate) fn eval_options(&self) -> EvalOptions {
        EvalOptions {
            periods_a_year: self.periods.bars_a_year,
            total_return: self.strategy.data.signals == Sees::TotalReturn,
        }
    }

    /// The input of one account that trades `tapes` (market indices) by the rules.
    pub(crate) fn rules_input(&self, tapes: &[usize]) -> Result<Input<'_>> {
        let mut input = self.bare_input(tapes);
        input.desk = Desk::new(self, &input)?.map(Arc::new);
        let Some(program) = &self.program else {
            return Ok(input);
        };
        for (symbol, &tape) in input.symbols.iter_mut().zip(tapes) {
            let columns = self.columns(program, tape)?;
            symbol.signals = self.signals(program, columns);
        }
        Ok(input)
    }

    /// The same for a bare run, which reads no column where a few bars are all that decides.
    pub(crate) fn bare_rules_input(&self, tapes: &[usize]) -> Result<Input<'_>> {
        match Spots::of(self, tapes) {
            Some(spots) => {
                let mut input = self.bare_input(tapes);
                let symbols = input.symbols.iter_mut();
                symbols.for_each(|symbol| self.fixed_distances(&mut symbol.signals));
                input.spots = Some(spots);
                Ok(input)
            }
            None => self.rules_input(tapes),
        }
    }

    /// Score, `where` and `absolute` of `[rank]`, when nothing else is wanted.
    pub(crate) fn rank_expressions(&self) -> Option<[Option<ExprId>; 3]> {
        let of = |slot| {
            self.wanted
                .iter()
                .find(|(s, _)| *s == slot)
                .map(|(_, id)| *id)
        };
        let told = [Slot::Score, Slot::Eligible, Slot::Absolute].map(of);
        (told.iter().flatten().count() == self.wanted.len()).then_some(told)
    }

    /// The same from conditions that were evaluated elsewhere, by key, for each of `tapes`.
    pub(crate) fn given_input(&self, tapes: &[usize], given: &[&[(String, Mask)]]) -> Input<'_> {
        let mut input = self.bare_input(tapes);
        for (symbol, conditions) in input.symbols.iter_mut().zip(given) {
            let find = |key: &str| conditions.iter().find(|(k, _)| k == key);
            let mask = |key: &str| find(key).map(|(_, mask)| mask.clone());
            symbol.signals = Signals {
                enter: mask("rules.enter"),
                exit: mask("rules.exit"),
                short: mask("rules.short"),
                cover: mask("rules.cover"),
                ..Signals::default()
            };
            self.fixed_distances(&mut symbol.signals);
        }
        input
    }

    /// The columns of one tape. What crosses symbols is evaluated once for all accounts.
    fn columns(&self, program: &Program, tape: usize) -> Result<Columns> {
        let options = self.eval_options();
        if !program.crosses_symbols() {
            return Ok(program.evaluate_one(&self.market, tape, &options));
        }
        let all = match self.crossed.get() {
            Some(all) => all,
            None => {
                let all = program.evaluate(&self.market, &options)?;
                self.crossed.get_or_init(|| all)
            }
        };
        Ok(all[tape].clone())
    }

    /// The input of one account that holds `tapes` by a plan, not by rules.
    pub(crate) fn bare_input(&self, tapes: &[usize]) -> Input<'_> {
        let symbols = tapes
            .iter()
            .map(|&tape| {
                let bars = &self.market.tapes[tape].bars;
                SymbolInput {
                    tape,
                    name: &self.market.tapes[tape].symbol,
                    bars,
                    own: own_on(&self.clock, &bars.time),
                    member: self.members.get(tape).cloned(),
                    signals: Signals::default(),
                }
            })
            .collect::<Vec<_>>();
        let events = events(&self.market, &self.clock, &symbols);
        Input {
            strategy: self.strategy,
            progress: self.progress,
            program: self.program.as_ref(),
            clock: &self.clock,
            intraday: self.market.interval.is_intraday(),
            first: self.first,
            end: self.end,
            symbols,
            events,
            flows: &self.flows,
            sessions: &self.sessions,
            interest: &self.interest,
            index_yield: &self.index_yield,
            harvest_checks: &self.harvest_checks,
            year_ends: &self.year_ends,
            decides: &self.decides,
            fixed: self.fixed_targets(tapes),
            refuge: self.refuge(tapes),
            spots: None,
            later: false,
            tapes: self.market.tapes.len(),
            desk: None,
        }
    }

    fn signals(&self, program: &Program, columns: Columns) -> Signals {
        let mut signals = Signals::default();
        for &(slot, id) in &self.wanted {
            let live = program.needs_position(id);
            let mask = || (!live).then(|| columns.condition(id).clone());
            match slot {
                Slot::Enter => signals.enter = mask(),
                Slot::Short => signals.short = mask(),
                Slot::Exit => {
                    signals.exit = mask();
                    signals.exit_live = live.then_some(id);
                }
                Slot::Cover => {
                    signals.cover = mask();
                    signals.cover_live = live.then_some(id);
                }
                Slot::CallWhen => signals.call_when = mask(),
                Slot::PutWhen => signals.put_when = mask(),
                Slot::Priority => signals.priority = Some(id),
                Slot::Price => signals.price = Some(id),
                Slot::Volatility => signals.volatility = Some(id),
                Slot::Stop => signals.stop = Some(Distances::Column(id)),
                Slot::Target => signals.target = Some(Distances::Column(id)),
                Slot::Trail => signals.trail = Some(Distances::Column(id)),
                Slot::Score => signals.score = Some(id),
                Slot::Eligible => signals.eligible = Some(id),
                Slot::Absolute => signals.absolute = Some(id),
                Slot::Measure => signals.measure = Some(id),
            }
        }
        self.fixed_distances(&mut signals);
        signals.columns = Some(columns);
        signals
    }

    /// Distances of stops that are fractions.
    fn fixed_distances(&self, signals: &mut Signals) {
        let stops = &self.strategy.stops;
        for (place, distance) in [
            (&mut signals.stop, &stops.stop),
            (&mut signals.target, &stops.target),
            (&mut signals.trail, &stops.trail),
        ] {
            if let Some(Distance::Fraction(fraction)) = distance {
                *place = Some(Distances::Fraction(*fraction));
            }
        }
    }

    /// The risk-free rate of the metrics that name one.
    fn risk_free(&self) -> &Rate {
        let own = self.strategy.benchmark.rate.as_ref();
        own.unwrap_or(&self.strategy.cash.yield_)
    }

    /// Risk-free return of each bar of the run: the annual rate in force, a bar's share of it by
    /// compounding over the bars of a year.
    pub(crate) fn rate_column(&self) -> Result<Vec<f64>> {
        let rates = rate(self.risk_free())?;
        let mut last = (f64::NAN, 0.0);
        Ok(self.clock[self.first..self.end]
            .iter()
            .map(|&time| {
                let annual = rates.at(time);
                if annual != last.0 {
                    last = (
                        annual,
                        libm::pow(1.0 + annual, 1.0 / self.periods.bars_a_year) - 1.0,
                    );
                }
                last.1
            })
            .collect())
    }

    /// `true` when a metric of a bare run needs the rate column.
    pub(crate) fn has_rate(&self) -> bool {
        *self.risk_free() != Rate::Constant(0.0)
    }

    /// Return of savings at the hurdle on each bar of the run; the first bar earns none.
    pub(crate) fn hurdle_column(&self) -> Result<Vec<f64>> {
        let cash = &self.strategy.cash;
        let rates = rate(cash.hurdle.as_ref().unwrap_or(&cash.yield_))?;
        let mut column = growth(&self.clock[self.first..self.end], &rates);
        if let Some(first) = column.first_mut() {
            *first = 0.0;
        }
        Ok(column)
    }
}

/// The symbols that the strategy, or any of its layers, trades, as market indices.
pub(crate) fn universe(market: &Market, strategy: &Strategy) -> Result<Vec<usize>> {
    if !strategy.layers.is_empty() {
        let layers = strategy.layers.iter();
        let each = layers.map(|layer| universe(market, &layer.strategy));
        let mut all = each.collect::<Result<Vec<_>>>()?.concat();
        all.sort_unstable();
        all.dedup();
        return Ok(all);
    }
    let of_selector = strategy.symbols_of_selector();
    let targets = strategy
        .weights
        .as_ref()
        .is_some_and(|w| !w.targets().is_empty());
    if strategy.data.symbols.is_empty() && !targets && of_selector.is_empty() {
        return Ok((0..market.tapes.len()).collect());
    }
    let known = || market.tapes.iter().map(|t| t.symbol.as_str());
    let mut problems = Vec::new();
    // Fixed targets are a universe of their own; a refuge joins all others.
    let mut universe: Vec<usize> = match strategy.data.symbols.is_empty() && !targets {
        true => (0..market.tapes.len()).collect(),
        false => Vec::new(),
    };
    let named = strategy.data.symbols.iter().map(String::as_str);
    for symbol in named.chain(of_selector) {
        match market.index_of(symbol) {
            Some(index) => universe.push(index),
            None => {
                let near = crate::error::nearest(symbol, known());
                let cure = near.map_or_else(
                    || format!("the data has {}", known().collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                problems
                    .push(Problem::new(format!("no bars of `{symbol}` in the data")).help(cure));
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::all(problems));
    }
    universe.sort_unstable();
    universe.dedup();
    Ok(universe)
}

/// A volume cap needs to know the volume: without one no order would ever fill.
fn check_volume(market: &Market, strategy: &Strategy, universe: &[usize]) -> Result<()> {
    let lacks = |&&tape: &&usize| market.tapes[tape].bars.volume.is_none();
    match universe.iter().find(lacks) {
        Some(&tape) if strategy.fill.volume_cap.is_some() => Err(Error::new(
            Problem::new(format!("`{}` has no volume", market.tapes[tape].symbol))
                .at_column("fill.volume_cap")
                .help("leave the cap out, or use data with a volume column"),
        )),
        _ => Ok(()),
    }
}

/// `missing = "error"`: every symbol has a bar on every session of the calendar from its first bar
/// to the end of the run. Coarser bars than daily, and data without a calendar, name no sessions.
fn check_missing(market: &Market, universe: &[usize], (from, to): (Micros, Micros)) -> Result<()> {
    const SHOWN: usize = 5;
    let calendar = market.calendar;
    if calendar == Calendar::None || market.interval > Interval::Day {
        return Ok(());
    }
    let mut problems = Vec::new();
    for &index in universe {
        let tape = &market.tapes[index];
        let days = tape
            .bars
            .time
            .iter()
            .map(|&t| calendar.session_of(t))
            .collect::<Vec<_>>();
        let Some(&begins) = days.first() else {
            continue;
        };
        let sessions = begins
            .max(date_of(from))
            .iter_days()
            .take_while(|d| *d <= date_of(to));
        let missing = sessions
            .filter(|day| calendar.is_session(*day) && days.binary_search(day).is_err())
            .collect::<Vec<_>>();
        if missing.is_empty() {
            continue;
        }
        let shown = missing
            .iter()
            .take(SHOWN)
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        let more = if missing.len() > SHOWN { " …" } else { "" };
        problems.push(
            Problem::new(format!(
                "`{}` has no bar on {} sessions: {}{more}",
                tape.symbol,
                missing.len(),
                shown.join(" ")
            ))
            .at_column("data.missing")
            .help("mend the data, or let missing bars be skipped: missing = \"skip\""),
        );
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::all(problems))
    }
}

/// The union of the universe's clocks.
pub(crate) fn clock_of(market: &Market, universe: &[usize]) -> Arc<Vec<Micros>> {
    if universe.len() == market.tapes.len() {
        return market.clock.clone();
    }
    let times = universe
        .iter()
        .map(|&t| &market.tapes[t].bars.time)
        .collect::<Vec<_>>();
    if let Some((first, rest)) = times.split_first()
        && rest.iter().all(|time| same_clock(time, first))
    {
        return (*first).clone();
    }
    let mut clock = times
        .iter()
        .flat_map(|t| t.iter().copied())
        .collect::<Vec<_>>();
    clock.sort_unstable();
    clock.dedup();
    Arc::new(clock)
}

/// Bars a year on a clock: a fact of the whole data where the clock is that of the market.
pub(crate) fn periods_of(market: &Market, clock: &Arc<Vec<Micros>>) -> PeriodsAYear {
    if same_clock(clock, &market.clock) {
        market.periods.clone()
    } else {
        periods_a_year(clock)
    }
}

fn same_clock(a: &Arc<Vec<Micros>>, b: &Arc<Vec<Micros>>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Clock bar -> own bar, `None` when the two clocks are one.
pub(crate) fn own_on(clock: &Arc<Vec<Micros>>, time: &Arc<Vec<Micros>>) -> Option<Arc<Vec<u32>>> {
    if same_clock(clock, time) {
        return None;
    }
    let mut own = 0;
    let map = clock
        .iter()
        .map(|&now| {
            while own < time.len() && time[own] < now {
                own += 1;
            }
            if time.get(own) == Some(&now) {
                own as u32
            } else {
                NO_BAR
            }
        })
        .collect();
    Some(Arc::new(map))
}

/// First and one past the last bar of the simulation.
fn bounds(clock: &[Micros], strategy: &Strategy) -> Result<(BarIndex, BarIndex)> {
    let first = strategy
        .data
        .start
        .map_or(0, |date| clock.partition_point(|&t| t < midnight(date)));
    let end = strategy.data.end.map_or(clock.len(), |date| {
        clock.partition_point(|&t| t < midnight(date) + DAY_MICROS)
    });
    if first < end {
        return Ok((first, end));
    }
    let range = match (clock.first(), clock.last()) {
        (Some(&a), Some(&b)) => format!("the data runs from {} to {}", date_of(a), date_of(b)),
        _ => "the data has no bar at all".to_string(),
    };
    Err(Error::new(
        Problem::new("no bar between `data.start` and `data.end`").help(range),
    ))
}

/// Number of each bar's session: dates counted from the clock's first.
fn sessions(clock: &[Micros]) -> Vec<u32> {
    let mut number = 0;
    let mut day = clock.first().map_or(0, |t| t.div_euclid(DAY_MICROS));
    clock
        .iter()
        .map(|t| {
            let now = t.div_euclid(DAY_MICROS);
            if now != day {
                (number, day) = (number + 1, now);
            }
            number
        })
        .collect()
}

/// A rate of the strategy file, read if it is a file.
pub(crate) fn rate(source: &Rate) -> Result<DatedRate> {
    match source {
        Rate::Constant(annual) => Ok(DatedRate::constant(*annual)),
        Rate::File(path) => read_rate(path),
    }
}

/// `(1 + rate)^(days / 365) - 1` for the calendar days since the bar before, at the rate in force
/// on the bar before; 0 for the first.
fn growth(clock: &[Micros], rates: &DatedRate) -> Vec<f64> {
    let mut last = (f64::NAN, -1, 0.0);
    let mut before = None;
    clock
        .iter()
        .map(|&time| {
            let Some(previous) = before.replace(time) else {
                return 0.0;
            };
            let days = time.div_euclid(DAY_MICROS) - Micros::div_euclid(previous, DAY_MICROS);
            let annual = rates.at(previous);
            if (annual, days) != (last.0, last.1) {
                let factor = libm::pow(1.0 + annual, days as f64 / 365.0) - 1.0;
                last = (annual, days, factor);
            }
            last.2
        })
        .collect()
}

/// `yield x days / 365` for the calendar days since the bar before: a dividend yield is what is paid
/// over the price, so that 2% pays 2% of a price that stands still. 0 for the first bar.
fn simple(clock: &[Micros], yields: &DatedRate) -> Vec<f64> {
    let days = |from: Micros, to: Micros| to.div_euclid(DAY_MICROS) - from.div_euclid(DAY_MICROS);
    let paid = clock.windows(2);
    let paid = paid.map(|w| yields.at(w[1]) * days(w[0], w[1]) as f64 / 365.0);
    clock.first().map(|_| 0.0).into_iter().chain(paid).collect()
}

/// Corporate actions of the account's symbols at the clock bars on which they take effect: the
/// symbol's first own bar on or after the date (the clock's, for a delisting).
fn events(market: &Market, clock: &[Micros], symbols: &[SymbolInput<'_>]) -> Vec<Event> {
    let mut events = Vec::new();
    for action in &market.actions {
        let Some(slot) = symbols
            .iter()
            .position(|s| market.tapes[s.tape].symbol == action.symbol)
        else {
            continue;
        };
        let from = clock.partition_point(|&t| t < action.time);
        let has_bar = |bar: &BarIndex| symbols[slot].own_bar(*bar).is_some();
        let kind = match action.kind {
            ActionKind::Split => EventKind::Split(action.value),
            ActionKind::Dividend | ActionKind::SpecialDividend => EventKind::Dividend {
                amount: action.value,
                pay: action.pay.unwrap_or(action.time),
                special: action.kind == ActionKind::SpecialDividend,
            },
            ActionKind::Delist => EventKind::Delist,
        };
        let bar = match kind {
            EventKind::Delist => (from..clock.len()).next(),
            _ => (from..clock.len()).find(has_bar),
        };
        if let Some(bar) = bar {
            events.push(Event { bar, slot, kind });
        }
    }
    let order = |kind: &EventKind| match kind {
        EventKind::Split(_) => 0,
        EventKind::Dividend { .. } => 1,
        EventKind::Delist => 2,
    };
    events.sort_by_key(|e| (e.bar, order(&e.kind), e.slot));
    events
}

type Compiled = (Option<Program>, Vec<(Slot, ExprId)>);

/// Types and plans every expression of the strategy.
fn compile(market: &Market, strategy: &Strategy) -> Result<Compiled> {
    if strategy.requests().is_empty() {
        return Ok((None, Vec::new()));
    }
    let compiled = strategy.compile(&Vocabulary::of(market))?;
    let slot = |(key, id): &(String, ExprId)| Some((slot_of(key)?, *id));
    let wanted = compiled.wanted.iter().filter_map(slot).collect();
    Ok((Some(compiled.program), wanted))
}

/// What the expression of a key is for.
fn slot_of(key: &str) -> Option<Slot> {
    Some(match key {
        "rules.enter" => Slot::Enter,
        "rules.exit" => Slot::Exit,
        "rules.short" => Slot::Short,
        "rules.cover" => Slot::Cover,
        "rules.priority" => Slot::Priority,
        "fill.price" => Slot::Price,
        "size.method" | "rank.weight" => Slot::Volatility,
        "rank.score" => Slot::Score,
        "rank.where" => Slot::Eligible,
        "rank.absolute" => Slot::Absolute,
        "weights.method" => Slot::Measure,
        "stops.stop" => Slot::Stop,
        "stops.target" => Slot::Target,
        "stops.trail" => Slot::Trail,
        "options.call.when" => Slot::CallWhen,
        "options.put.when" => Slot::PutWhen,
        _ => return None,
    })
}
