//! What an account is watched for: the conditions of `[monitor]`, and alarms that every account has
//! unless its file names one of the same name.

use crate::engine::Run;
use crate::error::{Error, Result};
use crate::market::{Bars, Calendar, Interval, Market, date_of, show_time};
use crate::metrics::{drawdown_series, returns_of_run};
use crate::paper::account::Account;
use crate::rules::EvalOptions;
use crate::strategy::{MONITOR_COLUMNS, Strategy, watched};
use crate::units::{DAY_MICROS, Micros};

/// Sessions without a bar after which the data are called stale.
pub const SESSIONS_WITHOUT_BAR: usize = 3;
/// Drawdown that is an alarm where no backtest says how deep they go.
pub const DRAWDOWN_MAX: f64 = 0.25;
/// Age of the last bar at the opening from which on an account is a replay.
const REPLAY: Micros = 30 * DAY_MICROS;
/// Share of paths inside the cone of the built-in alarm.
pub const CONE_SHARE: f64 = 0.95;

/// An alarm: a condition that came true, and when it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The monitor.
    pub name: String,
    /// The bar on which it came true.
    pub raised: Micros,
    /// The bar on which it was no longer true; `None` while it is up.
    pub cleared: Option<Micros>,
    /// What it means, one sentence without a full stop.
    pub words: String,
}

/// A condition and its answers, one a bar of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// Its name.
    pub name: String,
    /// Its condition as the file has it, or in words.
    pub condition: String,
    /// Whether the program has it of its own.
    pub built_in: bool,
    /// Whether it holds at each bar.
    pub holds: Vec<bool>,
}

/// Sessions that have ended since the bar of `last` without another one.
pub fn sessions_without_bar(
    (calendar, interval): (Calendar, Interval),
    last: Micros,
    now: Micros,
) -> usize {
    if interval > Interval::Day || now <= last {
        return 0;
    }
    // The session of today is not missed while it lasts.
    let yesterday = date_of(now).pred_opt().unwrap_or(date_of(now));
    let from = date_of(last);
    let mut day = from;
    let mut missed = 0;
    while day < yesterday {
        day = day.succ_opt().unwrap_or(yesterday);
        missed += usize::from(match calendar {
            Calendar::None => Calendar::Weekdays.is_session(day),
            calendar => calendar.is_session(day),
        });
        if day == yesterday {
            break;
        }
    }
    missed
}

/// Everything that is watched, over the bars of a run; `now` is the moment of asking, in UTC.
///
/// # Errors
/// Conditions that do not compile, which a strategy file that was read has none of.
pub fn watch(
    account: &Account,
    strategy: &Strategy,
    run: &Run,
    now: Option<Micros>,
) -> Result<Vec<Monitor>> {
    let returns = returns_of_run(run);
    let drawdown: Vec<f64> = drawdown_series(&returns).iter().map(|d| -d).collect();
    let waited = waited(account, strategy, run, now);
    let mut monitors = of_file(account, strategy, run, (&returns, &drawdown, &waited))?;
    let named: Vec<String> = monitors.iter().map(|m| m.name.clone()).collect();
    let mut built_in = |name: &str, condition: String, holds: Vec<bool>| {
        if !named.iter().any(|known| known == name) {
            monitors.push(Monitor {
                name: name.to_owned(),
                condition,
                built_in: true,
                holds,
            });
        }
    };
    let limit = SESSIONS_WITHOUT_BAR as f64;
    built_in(
        "days_without_bar",
        format!("days_without_bar > {limit}"),
        waited.iter().map(|n| *n > limit).collect(),
    );
    let (deepest, of) = deepest(account);
    built_in(
        "drawdown",
        format!("drawdown > {deepest:.4}, {of}"),
        drawdown.iter().map(|d| *d > deepest).collect(),
    );
    if let Ok(cone) = &account.cone {
        built_in(
            "outside_cone",
            format!("outside_cone({CONE_SHARE})"),
            cone.outside(&returns, CONE_SHARE),
        );
    }
    Ok(monitors)
}

/// How deep a drawdown may be, and who says so.
fn deepest(account: &Account) -> (f64, &'static str) {
    let mut peak = f64::NEG_INFINITY;
    let mut deepest = 0.0_f64;
    for (_, equity) in &account.before {
        peak = peak.max(*equity);
        deepest = deepest.max(1.0 - equity / peak);
    }
    match account.cone.is_ok() && deepest > 0.0 {
        true => (deepest, "the deepest of the backtest before it"),
        false => (DRAWDOWN_MAX, "as no backtest says how deep they go"),
    }
}

/// The moment by which an account's data should reach: now, but its own last bar where the tape ended
/// long before the account was opened, which makes it a replay of history.
pub(crate) fn due(account: &Account, now: Micros) -> Micros {
    match is_replay(account) {
        true => account.last(),
        false => now,
    }
}

/// Whether the tape ends so long before the account was opened that nobody waits for its next bar.
pub fn is_replay(account: &Account) -> bool {
    account.last() > Micros::MIN && account.last() + REPLAY < account.opened
}

/// Sessions missed before each bar, and at the last one those until now, of the symbol that waits
/// longest: one that is to be closed as delisted is waited for no more.
fn waited(account: &Account, strategy: &Strategy, run: &Run, now: Option<Micros>) -> Vec<f64> {
    let facts = account.facts.as_ref();
    let of = facts.map_or((Calendar::None, Interval::Day), |f| {
        (f.calendar, f.interval)
    });
    let mut waited = vec![0.0; run.time.len()];
    for (at, pair) in run.time.windows(2).enumerate() {
        // The sessions strictly between two bars.
        waited[at + 1] = sessions_without_bar(of, pair[0], pair[1]) as f64;
    }
    if let (Some(now), Some(last)) = (now, waited.last_mut()) {
        let due = due(account, now);
        let latest = account.last();
        let ends = account.tape.iter().filter_map(|symbol| symbol.time.last());
        let sessions = ends.filter_map(|end| {
            let behind = sessions_without_bar(of, *end, latest) as u32;
            (behind < strategy.data.delist_after).then(|| sessions_without_bar(of, *end, due))
        });
        *last = sessions.max().unwrap_or(0) as f64;
    }
    waited
}

/// The monitors of the file.
fn of_file(
    account: &Account,
    strategy: &Strategy,
    run: &Run,
    (returns, drawdown, waited): (&[f64], &[f64], &[f64]),
) -> Result<Vec<Monitor>> {
    if strategy.monitors.is_empty() {
        return Ok(Vec::new());
    }
    let source = &strategy.source;
    let watch = watched(&strategy.monitors, &strategy.params)
        .map_err(|p| Error::all(p).with_source(&source.name, &source.text))?;
    // A tape of prices takes positive numbers only; an account that lost more has its equity in the
    // further column all the same.
    let price = run
        .equity
        .iter()
        .map(|e| e.max(f64::MIN_POSITIVE))
        .collect();
    let mut bars = Bars::of_closes(run.time.clone(), price)?;
    let columns = [&run.equity, &run.cash, drawdown, &run.exposure, waited];
    for (name, column) in MONITOR_COLUMNS.iter().zip(columns) {
        bars = bars.with_extra(name, column.to_vec())?;
    }
    for (name, share) in &watch.shares {
        let outside = match &account.cone {
            Ok(cone) => cone.outside(returns, *share),
            Err(_) => vec![false; returns.len()],
        };
        let column = outside.iter().map(|o| f64::from(u8::from(*o))).collect();
        bars = bars.with_extra(name, column)?;
    }
    let market = Market::from_tapes(vec![("account".to_owned(), bars)])?;
    let options = EvalOptions {
        periods_a_year: run.periods_a_year,
        total_return: false,
    };
    let columns = watch.program.evaluate_one(&market, 0, &options);
    let of = |(at, monitor): (usize, &crate::strategy::Monitor)| {
        let answers = columns.condition(watch.program.wanted(at));
        Monitor {
            name: monitor.name.clone(),
            condition: monitor.expression.text.clone(),
            built_in: false,
            holds: (0..run.time.len()).map(|bar| answers.is_yes(bar)).collect(),
        }
    };
    Ok(strategy.monitors.iter().enumerate().map(of).collect())
}

/// The alarms after the bars from `from` on: those that were up end where their condition does, and
/// a condition that comes true raises one.
pub(crate) fn alarms(
    mut alarms: Vec<Alarm>,
    monitors: &[Monitor],
    time: &[Micros],
    from: usize,
) -> Vec<Alarm> {
    for (bar, now) in time.iter().enumerate().skip(from) {
        for monitor in monitors {
            let holds = monitor.holds.get(bar) == Some(&true);
            let is_of = |a: &&mut Alarm| a.name == monitor.name && a.cleared.is_none();
            match alarms.iter_mut().find(is_of) {
                Some(up) if !holds => up.cleared = Some(*now),
                None if holds => alarms.push(Alarm {
                    name: monitor.name.clone(),
                    raised: *now,
                    cleared: None,
                    words: format!("{} since {}", monitor.condition, show_time(*now)),
                }),
                _ => {}
            }
        }
        // A monitor that is no longer there cannot end by itself.
        for alarm in alarms.iter_mut().filter(|a| a.cleared.is_none()) {
            if !monitors.iter().any(|m| m.name == alarm.name) {
                alarm.cleared = Some(*now);
            }
        }
    }
    alarms
}
