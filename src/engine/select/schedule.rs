//! On which bars a schedule decides: at the close of the first or the last session of each period, or
//! of the first from a calendar day on.

use crate::market::{Calendar, Interval, Market, Period, date_of, period_ends_of, period_starts};
use crate::strategy::{Every, ScheduleDay};
use crate::units::Micros;
use chrono::Datelike;

/// For each bar of a clock whether the schedule decides at its close, judged from the bars up to it;
/// empty when it decides at every bar.
///
/// A period that has no session from the wanted day on decides on its last; where no calendar says
/// that it is the last, nothing is decided then.
pub(crate) fn decisions(
    market: &Market,
    clock: &[Micros],
    every: Every,
    day: ScheduleDay,
) -> Vec<bool> {
    let period = match every {
        Every::Bar => return Vec::new(),
        Every::Day => Period::Day,
        Every::Week => Period::Week,
        Every::Month => Period::Month,
        Every::Quarter => Period::Quarter,
        Every::Year => Period::Year,
    };
    let (calendar, interval) = (market.calendar, market.interval);
    let ends = period_ends_of(clock, period, calendar, interval);
    let wanted = match day {
        ScheduleDay::Last => return ends,
        ScheduleDay::First => 1,
        ScheduleDay::Nth(n) => n,
    };
    let starts = period_starts(clock, period, calendar);
    let closes = session_ends(clock, calendar, interval);
    let mut waits = false;
    let fires = (0..clock.len()).map(|bar| {
        // The data may begin in the middle of a period, whose day is then past or to come.
        let begins = bar == 0 && number_in(period, clock[bar]) <= wanted;
        waits |= starts[bar] || begins;
        // Where nobody knew of an end before, it fires on the first bar of the next period.
        let is_last = ends[bar] && !starts[bar];
        let is_due = number_in(period, clock[bar]) >= wanted || is_last;
        let fires = waits && closes[bar] && is_due;
        waits &= !fires;
        fires
    });
    fires.collect()
}

/// Number of a moment's calendar day in its period, from 1.
fn number_in(period: Period, time: Micros) -> u32 {
    let date = date_of(time);
    match period {
        Period::Day => 1,
        Period::Week => date.weekday().number_from_monday(),
        Period::Month => date.day(),
        Period::Quarter => {
            let first = date
                .with_day(1)
                .and_then(|d| d.with_month(date.month0() / 3 * 3 + 1));
            first.map_or(1, |first| date.ordinal() - first.ordinal() + 1)
        }
        Period::Year => date.ordinal(),
    }
}

/// For each bar whether it is known to be the last of its session.
fn session_ends(clock: &[Micros], calendar: Calendar, interval: Interval) -> Vec<bool> {
    match interval.is_intraday() {
        true => period_ends_of(clock, Period::Day, calendar, interval),
        false => vec![true; clock.len()],
    }
}
