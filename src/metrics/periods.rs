//! Sessions, months and years: which bars belong together, and their compounded returns.
//!
//! Dates come from the wall clock of the tape alone; calendars and holidays are left to the
//! market.

use crate::market::date_of;
use crate::units::{DAY_MICROS, Micros};
use chrono::{Datelike, NaiveDate};

/// Days since 1970-01-01 of a moment.
pub(crate) fn day_of(time: Micros) -> i64 {
    time.div_euclid(DAY_MICROS)
}

/// The date of a day number.
pub(crate) fn date_of_day(day: i64) -> NaiveDate {
    date_of(day.saturating_mul(DAY_MICROS))
}

/// Year and month of a day number.
fn month_of(day: i64) -> (i32, u32) {
    let date = date_of_day(day);
    (date.year(), date.month())
}

/// The bars of each session as (day number, end), `end` being the index after its last bar.
///
/// A session is a date. Where the year has no weekend sessions (`sessions_a_year` below 300), bars
/// of a Saturday or Sunday, as the Sunday evening of currencies, open Monday's session.
pub(crate) fn sessions(time: &[Micros], sessions_a_year: f64) -> Vec<(i64, usize)> {
    let mut found: Vec<(i64, usize)> = Vec::new();
    for (i, moment) in time.iter().enumerate() {
        let mut day = day_of(*moment);
        if sessions_a_year < 300.0 {
            // Day 0 is a Thursday, so Saturday is 2 and Sunday 3 of each week counted from there.
            day += match day.rem_euclid(7) {
                2 => 2,
                3 => 1,
                _ => 0,
            };
        }
        match found.last_mut() {
            Some(last) if last.0 == day => last.1 = i + 1,
            _ => found.push((day, i + 1)),
        }
    }
    found
}

/// Returns a session of returns a bar: the moments of the last bars and the compounded returns.
///
/// `bars_a_session` at most 1 means that a bar is a session already. Charts of long intraday runs
/// are drawn from these.
pub fn session_returns(
    time: &[Micros],
    returns: &[f64],
    periods_a_year: f64,
    bars_a_session: f64,
) -> (Vec<Micros>, Vec<f64>) {
    if bars_a_session <= 1.0 {
        return (time.to_vec(), returns.to_vec());
    }
    let found = sessions(time, periods_a_year / bars_a_session);
    let last = found.iter().map(|(_, end)| time[end - 1]).collect();
    (last, compounded(returns, found.iter().map(|(_, end)| *end)))
}

/// Compounds `x` over groups that end before each of `ends`.
pub(crate) fn compounded(x: &[f64], ends: impl Iterator<Item = usize>) -> Vec<f64> {
    let mut start = 0;
    ends.map(|end| {
        let growth = x[start..end].iter().fold(1.0, |w, r| w * (1.0 + r));
        start = end;
        growth - 1.0
    })
    .collect()
}

/// Ends (index after the last element) of the runs of equal `key`.
fn runs<K: PartialEq>(days: &[i64], key: impl Fn(i64) -> K) -> Vec<(K, usize)> {
    let mut found: Vec<(K, usize)> = Vec::new();
    for (i, day) in days.iter().enumerate() {
        let k = key(*day);
        match found.last_mut() {
            Some(last) if last.0 == k => last.1 = i + 1,
            _ => found.push((k, i + 1)),
        }
    }
    found
}

/// Returns compounded by calendar month, from days.
pub(crate) fn months(days: &[i64], returns: &[f64]) -> Vec<(i32, u32, f64)> {
    let found = runs(days, month_of);
    let by_month = compounded(returns, found.iter().map(|(_, end)| *end));
    found
        .iter()
        .zip(by_month)
        .map(|(((year, month), _), r)| (*year, *month, r))
        .collect()
}

/// Returns compounded by calendar month: (year, month 1 to 12, return) in order of time.
///
/// `time` and `returns` hold one element a bar. Months cut short by the ends of the tape count as
/// they are; a month without a bar does not appear.
pub fn monthly_returns(time: &[Micros], returns: &[f64]) -> Vec<(i32, u32, f64)> {
    let days: Vec<i64> = time.iter().map(|t| day_of(*t)).collect();
    months(&days, returns)
}

/// Returns compounded by calendar year: (year, return) in order of time.
///
/// `time` and `returns` hold one element a bar; years cut short count as they are.
pub fn yearly_returns(time: &[Micros], returns: &[f64]) -> Vec<(i32, f64)> {
    let days: Vec<i64> = time.iter().map(|t| day_of(*t)).collect();
    let found = runs(&days, |day| month_of(day).0);
    let by_year = compounded(returns, found.iter().map(|(_, end)| *end));
    found
        .iter()
        .zip(by_year)
        .map(|((year, _), r)| (*year, r))
        .collect()
}
