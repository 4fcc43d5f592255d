//! A look at a strategy and its data before anything is simulated: do the expressions type, when
//! can the first rule fire, do the bars cover the days asked for, are the costs sane. Faults of the
//! data itself are the market's audit; no result of trading is computed here.

use crate::error::{Error, Problem, Result};
use crate::market::{Calendar, Interval, Market, date_of, midnight, periods_a_year, show_time};
use crate::rules::{Columns, EvalOptions, Value, Vocabulary};
use crate::strategy::program::Compiled;
use crate::strategy::{Distance, OrderKind, Signals, SizeMethod, Strategy, Weights};
use crate::units::{DAY_MICROS, Micros};

/// Share of a position's value that a round trip may cost before it deserves a remark.
const ROUND_TRIP_MAX: f64 = 0.02;
/// Share of a symbol's sessions that may be missing before it deserves a remark.
const MISSING_MAX: f64 = 0.005;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The strategy runs, but perhaps not as meant.
    Warning,
    /// The strategy cannot do what it says.
    Failure,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable name, for example `adjusted_prices`.
    pub code: &'static str,
    /// What it is, one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// The bars of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// The symbol.
    pub symbol: String,
    /// All its bars.
    pub bars: usize,
    /// Moments of its first and last bar; `None` without bars.
    pub range: Option<(Micros, Micros)>,
    /// Its bars within the simulation.
    pub bars_in_period: usize,
    /// Sessions of the calendar between its first and last bar on which it has none; `None` when
    /// its bars are not daily or there is no calendar.
    pub missing_sessions: Option<usize>,
    /// Moment of the first bar of the simulation on which every rule has a value.
    pub first_decision: Option<Micros>,
}

/// What a round trip of a typical position costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundTrip {
    /// Money of the position.
    pub value: f64,
    /// Price of a share: the median close of the simulation's bars.
    pub price: f64,
    /// Commissions, slippage and half-spreads of buying and selling, as a fraction of `value`.
    pub cost: f64,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// Bars before the first value of each expression, by key.
    pub warmup: Vec<(String, usize)>,
    /// The symbols that trade.
    pub symbols: Vec<Coverage>,
    /// Calendar of the data.
    pub calendar: Calendar,
    /// Size of a bar.
    pub interval: Interval,
    /// Cost of a round trip; `None` without bars.
    pub round_trip: Option<RoundTrip>,
    /// What was found, failures first.
    pub findings: Vec<Finding>,
}

impl Review {
    /// No finding is a failure.
    pub fn passed(&self) -> bool {
        self.findings
            .iter()
            .all(|f| f.severity == Severity::Warning)
    }
}

/// Reviews a strategy against the data that it names.
///
/// # Errors
/// Symbols that the data lacks, and expressions that do not type against it.
pub fn review(strategy: &Strategy, market: &Market) -> Result<Review> {
    let tapes = universe(strategy, market)?;
    let compiled = strategy.compile(&Vocabulary::of(market))?;
    let program = &compiled.program;
    let named = compiled.wanted.iter();
    let warmup: Vec<(String, usize)> = named
        .map(|(key, id)| (key.clone(), program.warmup(*id)))
        .collect();
    let options = EvalOptions {
        periods_a_year: periods_a_year(&market.clock).bars_a_year,
        total_return: strategy.data.signals == Signals::TotalReturn,
    };
    let columns = program.evaluate(market, &options)?;
    let coverage: Vec<Coverage> = tapes
        .iter()
        .map(|&tape| {
            let first = match strategy.portfolio_table() {
                Some(_) => first_chosen(strategy, &compiled, &columns[tape]),
                None if strategy.decides_by_options_alone() => Some(0),
                None => first_value(market, tape, &compiled, &columns[tape], &options),
            };
            coverage(strategy, market, tape, first)
        })
        .collect();
    let round_trip = round_trip(strategy, market, &tapes);
    let mut findings = Vec::new();
    check_names(strategy, market, &tapes, &compiled, &mut findings);
    check_coverage(strategy, &coverage, &mut findings);
    check_costs(strategy, round_trip, &mut findings);
    findings.sort_by_key(|f| f.severity != Severity::Failure);
    Ok(Review {
        warmup,
        symbols: coverage,
        calendar: market.calendar,
        interval: market.interval,
        round_trip,
        findings,
    })
}

/// Tapes of the symbols that trade.
fn universe(strategy: &Strategy, market: &Market) -> Result<Vec<usize>> {
    let of_selector = strategy.symbols_of_selector();
    let fixed = strategy
        .weights
        .as_ref()
        .is_some_and(|w| !w.targets().is_empty());
    if strategy.data.symbols.is_empty() && !fixed {
        return Ok((0..market.tapes.len()).collect());
    }
    let known: Vec<&str> = market.tapes.iter().map(|t| t.symbol.as_str()).collect();
    let mut tapes = Vec::new();
    let mut problems = Vec::new();
    let named = strategy.data.symbols.iter().map(String::as_str);
    for symbol in named.chain(of_selector) {
        match market.index_of(symbol) {
            Some(tape) if tapes.contains(&tape) => {}
            Some(tape) => tapes.push(tape),
            None => problems.push(
                Problem::new(format!("the data has no symbol {symbol}"))
                    .at_column("data.symbols")
                    .help(format!("it has {}", known.join(" "))),
            ),
        }
    }
    match problems.is_empty() {
        true => Ok(tapes),
        false => Err(Error::all(problems)),
    }
}

/// First and one past the last bar of a tape within the simulation.
fn period(strategy: &Strategy, time: &[Micros]) -> (usize, usize) {
    let start = strategy.data.start.map_or(Micros::MIN, midnight);
    let end = strategy
        .data
        .end
        .map_or(Micros::MAX, |d| midnight(d) + DAY_MICROS - 1);
    let first = time.partition_point(|t| *t < start);
    (first, time.partition_point(|t| *t <= end).max(first))
}

fn coverage(
    strategy: &Strategy,
    market: &Market,
    tape: usize,
    first_value: Option<usize>,
) -> Coverage {
    let time = &market.tapes[tape].bars.time;
    let range = time.first().copied().zip(time.last().copied());
    let (first, end) = period(strategy, time);
    let missing_sessions = range
        .filter(|_| market.interval == Interval::Day && market.calendar != Calendar::None)
        .map(|(a, b)| {
            let sessions = 1 + market.calendar.sessions_between(date_of(a), date_of(b));
            sessions.saturating_sub(time.len())
        });
    let first_decision = first_value
        .map(|bar| bar.max(first))
        .filter(|bar| *bar < end)
        .and_then(|bar| time.get(bar).copied());
    Coverage {
        symbol: market.tapes[tape].symbol.clone(),
        bars: time.len(),
        range,
        bars_in_period: end - first,
        missing_sessions,
        first_decision,
    }
}

/// First bar of a tape on which an entry rule and every part of it have a value. Searched by
/// halves, as values that exist go on existing; where some part never has one, the first bar on
/// which the rule as a whole has.
fn first_value(
    market: &Market,
    tape: usize,
    compiled: &Compiled,
    columns: &Columns,
    options: &EvalOptions,
) -> Option<usize> {
    let entries = ["rules.enter", "rules.short"];
    let ids = entries.iter().filter_map(|key| compiled.find(key));
    let first = |id| {
        let from = (0..columns.len()).find(|bar| columns.condition(id).get(*bar).is_some())?;
        let is_whole = |bar: usize| {
            let steps = compiled
                .program
                .trace(market, id, (tape, bar), options, None);
            steps.iter().all(|step| step.value != Value::Absent)
        };
        let (mut without, mut with) = (from, columns.len() - 1);
        if !is_whole(with) {
            return Some(from);
        }
        while without < with {
            let middle = without + (with - without) / 2;
            match is_whole(middle) {
                true => with = middle,
                false => without = middle + 1,
            }
        }
        Some(with)
    };
    ids.filter_map(first).min()
}

/// First bar of a tape on which a selector can choose it: its score, or what its weight is computed
/// from, has a value.
fn first_chosen(strategy: &Strategy, compiled: &Compiled, columns: &Columns) -> Option<usize> {
    let keys = ["rank.score", "weights.method"];
    let Some(id) = keys.iter().find_map(|key| compiled.find(key)) else {
        return Some(0);
    };
    let first = columns.number(id).iter().position(|x| x.is_finite())?;
    let looks_back = strategy
        .weights
        .as_ref()
        .is_some_and(Weights::reads_returns);
    let window = strategy.weights.as_ref().map_or(1, |w| w.window as usize);
    let bar = first + if looks_back { window - 1 } else { 0 };
    (bar < columns.len()).then_some(bar)
}

fn warning(code: &'static str, message: String, help: &str) -> Finding {
    Finding {
        severity: Severity::Warning,
        code,
        message,
        help: help.to_owned(),
    }
}

fn failure(code: &'static str, message: String, help: &str) -> Finding {
    Finding {
        severity: Severity::Failure,
        ..warning(code, message, help)
    }
}

/// Columns that look ahead, and columns that are not what they seem.
fn check_names(
    strategy: &Strategy,
    market: &Market,
    tapes: &[usize],
    compiled: &Compiled,
    findings: &mut Vec<Finding>,
) {
    let all = compiled.wanted.iter().chain(&compiled.series);
    for (key, id) in all.clone() {
        if compiled.program.uses_adj_close(*id) {
            findings.push(warning(
                "adjusted_prices",
                format!(
                    "{key} names a column of adjusted prices, which know later splits and dividends"
                ),
                "use close: expressions see history scaled by the splits up to the deciding close",
            ));
        }
    }
    let closes: Vec<&str> = tapes
        .iter()
        .map(|t| &market.tapes[*t])
        .filter(|t| t.bars.closes_only)
        .map(|t| t.symbol.as_str())
        .collect();
    let ranges = ["open", "high", "low"];
    let reads = all.clone().any(|(_, id)| {
        ranges
            .iter()
            .any(|name| compiled.program.reads_column(*id, name))
    });
    let stops = &strategy.stops;
    let protects = stops.stop.is_some() || stops.target.is_some() || stops.trail.is_some();
    if !closes.is_empty() && (reads || protects || strategy.fill.order != OrderKind::Market) {
        findings.push(warning(
            "closes_only",
            format!(
                "{} of {} symbols have closes only, and the strategy uses the prices within a bar",
                closes.len(),
                tapes.len()
            ),
            "open, high and low are the close there: stops and limits fill at closes",
        ));
    }
}

/// Do the bars cover the days, and does the warm-up leave any?
fn check_coverage(strategy: &Strategy, coverage: &[Coverage], findings: &mut Vec<Finding>) {
    for symbol in coverage {
        let name = &symbol.symbol;
        if symbol.bars_in_period == 0 {
            findings.push(failure(
                "no_bars",
                format!("{name} has no bar in the days of the simulation"),
                "mend [data] start and end, or leave the symbol out",
            ));
            continue;
        }
        // What the layers decide is looked at in their own files.
        if symbol.first_decision.is_none() && strategy.layers.is_empty() {
            findings.push(failure(
                "warmup",
                format!(
                    "{name}: {} has a value on any of {} bars",
                    match strategy.portfolio_table() {
                        Some("rank") => "no score",
                        Some(_) => "no weight",
                        None => "no entry rule",
                    },
                    symbol.bars_in_period
                ),
                "the longest warm-up above needs that many bars before the end: give more data or shorter periods",
            ));
        }
        let sessions = symbol.bars + symbol.missing_sessions.unwrap_or(0);
        let missing = symbol.missing_sessions.unwrap_or(0);
        if missing as f64 > MISSING_MAX * sessions as f64 {
            findings.push(warning(
                "missing_bars",
                format!("{name} has no bar on {missing} of {sessions} sessions"),
                "papertape data check says where",
            ));
        }
    }
    check_ends(strategy, coverage, findings);
}

/// Data that begins after or ends before the days asked for, as a whole or symbol by symbol.
fn check_ends(strategy: &Strategy, coverage: &[Coverage], findings: &mut Vec<Finding>) {
    let starts: Vec<Micros> = coverage.iter().filter_map(|c| Some(c.range?.0)).collect();
    let ends: Vec<Micros> = coverage.iter().filter_map(|c| Some(c.range?.1)).collect();
    let (Some(first), Some(last)) = (starts.iter().min(), ends.iter().max()) else {
        return;
    };
    if let Some(start) = strategy
        .data
        .start
        .filter(|d| midnight(*d) + 7 * DAY_MICROS < *first)
    {
        findings.push(warning(
            "starts_late",
            format!(
                "the data begins on {}, after the start {start}",
                show_time(*first)
            ),
            "the simulation begins with the data",
        ));
    }
    if let Some(end) = strategy
        .data
        .end
        .filter(|d| midnight(*d) > *last + 7 * DAY_MICROS)
    {
        findings.push(warning(
            "ends_early",
            format!(
                "the data ends on {}, before the end {end}",
                show_time(*last)
            ),
            "the simulation ends with the data",
        ));
    }
    for symbol in coverage {
        let Some((a, b)) = symbol.range else { continue };
        let begins = strategy
            .data
            .start
            .map_or(*first, |d| midnight(d).max(*first));
        if a > begins + 366 * DAY_MICROS {
            let help = "it cannot trade before; a universe that is chosen today knows who survived";
            let message = format!(
                "{} begins on {}, over a year late",
                symbol.symbol,
                show_time(a)
            );
            findings.push(warning("begins_late", message, help));
        }
        let ended = strategy.data.end.map_or(*last, |d| midnight(d).min(*last));
        if b + 31 * DAY_MICROS < ended {
            let help = "it is closed as delisted there unless its bars only pause";
            let message = format!("{} ends on {}", symbol.symbol, show_time(b));
            findings.push(warning("ends_before", message, help));
        }
    }
}

/// Costs of buying and selling a position of the size that the strategy takes.
fn round_trip(strategy: &Strategy, market: &Market, tapes: &[usize]) -> Option<RoundTrip> {
    let mut closes: Vec<f64> = tapes
        .iter()
        .flat_map(|tape| {
            let bars = &market.tapes[*tape].bars;
            let (first, end) = period(strategy, &bars.time);
            bars.close[first..end].iter().copied()
        })
        .collect();
    closes.sort_unstable_by(f64::total_cmp);
    let price = *closes.get(closes.len() / 2)?;
    let held = match strategy.rank.as_ref().map(|rank| rank.hold) {
        Some(hold) => Some(hold.slots(tapes.len()) as u32),
        None => strategy.size.max_positions,
    };
    let slots = held.unwrap_or(tapes.len() as u32).max(1);
    let share = strategy.account.cash / f64::from(if strategy.account.each { 1 } else { slots });
    let value = match strategy.size.method {
        SizeMethod::Fraction => strategy.account.cash * strategy.size.value,
        SizeMethod::Cash => strategy.size.value.min(strategy.account.cash),
        SizeMethod::Shares => strategy.size.value * price,
        SizeMethod::Risk => match &strategy.stops.stop {
            Some(Distance::Fraction(stop)) => {
                (strategy.account.cash * strategy.size.value / stop).min(strategy.account.cash)
            }
            _ => share,
        },
        SizeMethod::Equal | SizeMethod::TargetVol | SizeMethod::Kelly => share,
    };
    let costs = &strategy.costs;
    let shares = value / price;
    let fee = costs.commission * value + costs.per_share * shares + costs.per_order;
    let fee = fee.max(costs.min);
    let fee = costs.max.map_or(fee, |max| fee.min(max * value));
    let slips = (costs.slippage_bps + costs.spread_bps / 2.0) / 10_000.0;
    Some(RoundTrip {
        value,
        price,
        cost: 2.0 * (fee / value + slips),
    })
}

fn check_costs(strategy: &Strategy, round_trip: Option<RoundTrip>, findings: &mut Vec<Finding>) {
    let costs = &strategy.costs;
    if costs.defaulted {
        findings.push(warning(
            "costs_not_chosen",
            "nobody chose the costs: the preset \"retail\" holds".to_owned(),
            "write your broker's into [costs]",
        ));
    }
    let Some(trip) = round_trip else { return };
    if trip.cost == 0.0 && !strategy.decides_by_options_alone() {
        findings.push(warning(
            "no_costs",
            "trading costs nothing".to_owned(),
            "no market is like that: give at least slippage_bps in [costs]",
        ));
    }
    if trip.cost > ROUND_TRIP_MAX {
        findings.push(warning(
            "high_costs",
            format!(
                "buying and selling a position of {:.0} costs {:.1}% of it",
                trip.value,
                100.0 * trip.cost
            ),
            "look at min and per_order in [costs], or take fewer and larger positions",
        ));
    }
}
