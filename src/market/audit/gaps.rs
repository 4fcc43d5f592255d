//! Findings about bars that are not there.

use super::tape::Rows;
use super::{Finding, FindingKind, Findings, counted};
use crate::market::calendar::{Calendar, Interval, date_of, midnight};
use crate::market::load::RawTape;
use crate::units::{DAY_MICROS, Micros};
use chrono::{Datelike, NaiveDate, Weekday};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions without a bar after which a run takes a symbol for delisted, by default.
const LONG_SESSIONS: usize = 10;
/// Sessions without a bar, about a year, from which on the ticker may have changed hands.
const REUSE_SESSIONS: usize = 250;
/// And from which on it is said whatever the prices look like: about ten years.
const REUSE_SESSIONS_SURE: usize = 2_500;
/// A price that many times higher or lower after such a gap is another security's.
const REUSE_PRICE_RATIO: f64 = 3.0;
/// Likewise the median volume of the bars around it.
const REUSE_VOLUME_RATIO: f64 = 50.0;
/// Bars on each side of a gap whose median volume is compared.
const REUSE_BARS: usize = 20;
/// Long gaps that are reported one by one.
const LONG_GAPS_NAMED: usize = 5;
/// Days with less than this share of the usual number of bars are short.
const SHORT_SHARE: f64 = 0.5;
/// Symbols that a source must have before one can be behind the others.
const OTHERS_MIN: usize = 3;
/// And the share of those alive that have a bar.
const OTHERS_SHARE: f64 = 0.8;
/// Symbols that a panel must have for one of its rows to be called empty.
const PANEL_MIN: usize = 5;
/// Share of them below which a row is.
const HARDLY_ANY_SHARE: f64 = 0.2;

/// A stretch without bars.
struct Gap {
    /// Index of the row after it.
    after: usize,
    /// Sessions (weeks, months) without a bar.
    missing: usize,
}

/// Sessions without a bar: long gaps one by one, short ones together.
pub(super) fn gaps(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    let missing = |i: usize| {
        let (from, to) = (date_of(rows.time(i - 1)), date_of(rows.time(i)));
        let missing = rows.calendar.missing_between(rows.interval, from, to);
        missing.saturating_sub(rows.unusable_between(i))
    };
    let gaps: Vec<Gap> = (1..rows.len())
        .map(|i| Gap {
            after: i,
            missing: missing(i),
        })
        .filter(|gap| gap.missing > 0)
        .collect();
    let noun = match rows.interval {
        Interval::Week => "week",
        Interval::Month => "month",
        _ if rows.calendar == Calendar::AllDays => "day",
        _ => "session",
    };
    let limit = match rows.interval {
        Interval::Week | Interval::Month => 2,
        _ => LONG_SESSIONS,
    };
    let (long, short): (Vec<&Gap>, Vec<&Gap>) = gaps.iter().partition(|gap| gap.missing > limit);
    for gap in long.iter().take(LONG_GAPS_NAMED) {
        long_gap(rows, gap, noun, findings);
    }
    if long.len() > LONG_GAPS_NAMED {
        let rest = &long[LONG_GAPS_NAMED..];
        let lines: Vec<u64> = rest.iter().map(|gap| rows.line(gap.after)).collect();
        let missing: usize = rest.iter().map(|gap| gap.missing).sum();
        let what = format!(
            "{} more of over {limit} {noun}s without a bar",
            counted(rest.len(), "gap")
        );
        findings.add_counted(FindingKind::Gap, &lines, missing, what, CURE_GAP);
    }
    if let Some(longest) = short.iter().max_by_key(|gap| gap.missing) {
        let missing: usize = short.iter().map(|gap| gap.missing).sum();
        let lines: Vec<u64> = short.iter().map(|gap| rows.line(gap.after)).collect();
        let (from, to) = (
            date_of(rows.time(longest.after - 1)),
            date_of(rows.time(longest.after)),
        );
        let what = if missing == 1 {
            format!("1 {noun} without a bar, between {from} and {to}")
        } else {
            format!(
                "{missing} {noun}s without a bar in {}, the longest of {} between {from} and {to}",
                counted(short.len(), "gap"),
                longest.missing
            )
        };
        let cure = "no order fills on such days; get the rows, or accept that the symbol waits";
        findings.add_counted(FindingKind::MissingSessions, &lines, missing, what, cure);
    }
    short_sessions(rows, findings);
}

const CURE_GAP: &str =
    "get the rows, start after the gap, or raise delist_after: a run sells the symbol as delisted";

/// One long gap, and whether what follows is another security.
fn long_gap(rows: &Rows<'_>, gap: &Gap, noun: &str, findings: &mut Findings<'_>) {
    let i = gap.after;
    let (from, to) = (date_of(rows.time(i - 1)), date_of(rows.time(i)));
    let ratio = rows.close(i) / rows.close(i - 1);
    let before = median((i.saturating_sub(REUSE_BARS)..i).map(|k| rows.volume(k)));
    let after = median((i..(i + REUSE_BARS).min(rows.len())).map(|k| rows.volume(k)));
    let volume_ratio = after / before;
    let far = |ratio: f64, limit: f64| ratio > limit || ratio < 1.0 / limit;
    let is_reuse = gap.missing >= REUSE_SESSIONS
        && (gap.missing >= REUSE_SESSIONS_SURE
            || far(ratio, REUSE_PRICE_RATIO)
            || far(volume_ratio, REUSE_VOLUME_RATIO));
    let mut what = format!(
        "{} {noun}s without a bar between {from} and {to}; the price after is {ratio:.2} times that before",
        gap.missing
    );
    if volume_ratio.is_finite() && volume_ratio > 0.0 {
        what.push_str(&format!(", the volume {volume_ratio:.2} times"));
    }
    let line = [rows.line(i)];
    if is_reuse {
        what.push_str(": another security under the same ticker");
        let cure =
            format!("keep only the rows of the security you mean: start = {to}, or cut the file");
        findings.add_counted(FindingKind::TickerReuse, &line, gap.missing, what, &cure);
    } else {
        findings.add_counted(FindingKind::Gap, &line, gap.missing, what, CURE_GAP);
    }
}

/// The middle value of those that are not missing; NaN when there is none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    if values.is_empty() {
        return f64::NAN;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Days of an intraday tape with far fewer bars than usual; half days, the days on which a week
/// begins and ends around the clock, and the first and last day of the tape are not counted.
fn short_sessions(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    if !rows.interval.is_intraday() {
        return;
    }
    let indices: Vec<usize> = (0..rows.len()).collect();
    let number = |i: usize| rows.time(i).div_euclid(DAY_MICROS);
    let days: Vec<&[usize]> = indices.chunk_by(|a, b| number(*a) == number(*b)).collect();
    if days.len() < 3 {
        return;
    }
    let mut counts: Vec<usize> = days.iter().map(|day| day.len()).collect();
    counts.sort_unstable();
    let usual = counts[counts.len() / 2];
    let is_short = |day: &&&[usize]| {
        let date = date_of(rows.time(day[0]));
        let edge = match rows.calendar {
            Calendar::Weekdays => {
                matches!(date.weekday(), Weekday::Fri | Weekday::Sat | Weekday::Sun)
            }
            Calendar::Nyse => rows.calendar.session_close(date) == Some(13 * 3600 * 1_000_000),
            _ => false,
        };
        !edge && (day.len() as f64) < SHORT_SHARE * usual as f64
    };
    let lines: Vec<u64> = days[1..days.len() - 1]
        .iter()
        .filter(is_short)
        .map(|day| rows.line(day[0]))
        .collect();
    findings.add(
        FindingKind::ShortSessions,
        &lines,
        |n| {
            format!(
                "{} with less than half of the usual {usual} bars",
                counted(n, "day")
            )
        },
        "bars are missing inside these days; get them, or treat the days with care",
    );
}

/// Dates on which most symbols of the source have a bar and one has none, where its own calendar
/// has not told already (the exchange's sessions are judged by `gaps`).
pub(super) fn behind_others(
    tapes: &[RawTape],
    calendar: Option<Calendar>,
    found: &mut Vec<Finding>,
) {
    let days_of = |tape: &RawTape| -> BTreeSet<i64> {
        let usable = tape
            .time
            .iter()
            .zip(&tape.close)
            .filter(|(_, c)| c.is_finite());
        usable.map(|(t, _)| t.div_euclid(DAY_MICROS)).collect()
    };
    let days: Vec<BTreeSet<i64>> = tapes.iter().map(days_of).collect();
    if days.iter().filter(|d| d.len() > 1).count() < OTHERS_MIN {
        return;
    }
    let all: BTreeSet<Micros> = days.iter().flatten().map(|day| day * DAY_MICROS).collect();
    let all: Vec<Micros> = all.into_iter().collect();
    let calendar = calendar.unwrap_or_else(|| Calendar::infer(&all));
    let living = living(&days);
    let expected: BTreeSet<i64> = living
        .iter()
        .filter(|(_, alive, present)| {
            *alive >= OTHERS_MIN && *present as f64 >= OTHERS_SHARE * *alive as f64
        })
        .map(|(day, _, _)| *day)
        .collect();
    hardly_any(tapes, &living, found);
    for (tape, set) in tapes.iter().zip(&days) {
        let (Some(&first), Some(&last)) = (set.first(), set.last()) else {
            continue;
        };
        let absent: Vec<NaiveDate> = expected
            .range(first..=last)
            .filter(|day| !set.contains(day))
            .map(|day| date_of(day * DAY_MICROS))
            .filter(|date| calendar == Calendar::None || !calendar.is_session(*date))
            .collect();
        if let Some(date) = absent.first() {
            let after = tape.time.iter().position(|t| *t > midnight(*date));
            let lines: Vec<u64> = after.map(|i| tape.line[i]).into_iter().collect();
            let what = format!(
                "{} without a bar while most other symbols have one, the first on {date}",
                counted(absent.len(), "date")
            );
            let cure = "get the rows, or accept that the symbol waits on these days";
            let mut findings = Findings {
                file: &tape.file,
                symbol: &tape.symbol,
                found,
            };
            findings.add_counted(FindingKind::BehindOthers, &lines, absent.len(), what, cure);
        }
    }
}

/// For each date how many symbols are between their first and last bar, and how many have one.
fn living(days: &[BTreeSet<i64>]) -> Vec<(i64, usize, usize)> {
    let mut present: BTreeMap<i64, usize> = BTreeMap::new();
    let mut alive: BTreeMap<i64, i64> = BTreeMap::new();
    for day in days.iter().flatten() {
        *present.entry(*day).or_default() += 1;
    }
    for set in days {
        if let (Some(first), Some(last)) = (set.first(), set.last()) {
            *alive.entry(*first).or_default() += 1;
            *alive.entry(*last + 1).or_default() -= 1;
        }
    }
    let mut changes = alive.iter().peekable();
    let mut living = 0_i64;
    let mut dates = Vec::with_capacity(present.len());
    for (&day, &count) in &present {
        while let Some((_, change)) = changes.next_if(|(at, _)| **at <= day) {
            living += change;
        }
        dates.push((day, usize::try_from(living).unwrap_or(0), count));
    }
    dates
}

/// Rows of one file of many symbols in which hardly any has a price.
fn hardly_any(tapes: &[RawTape], living: &[(i64, usize, usize)], found: &mut Vec<Finding>) {
    if tapes.iter().any(|tape| tape.file != tapes[0].file) {
        return;
    }
    let empty: Vec<&(i64, usize, usize)> = living
        .iter()
        .filter(|(_, alive, present)| {
            *alive >= PANEL_MIN && (*present as f64) < HARDLY_ANY_SHARE * *alive as f64
        })
        .collect();
    let Some((day, alive, present)) = empty.first() else {
        return;
    };
    let line_of = |day: i64| {
        tapes.iter().find_map(|tape| {
            let row = tape
                .time
                .iter()
                .position(|t| t.div_euclid(DAY_MICROS) == day)?;
            tape.line.get(row).copied()
        })
    };
    let lines: Vec<u64> = empty
        .iter()
        .filter_map(|(day, _, _)| line_of(*day))
        .collect();
    let what = format!(
        "{} with a price for hardly any symbol, the first on {} for {present} of {alive}",
        counted(empty.len(), "row"),
        date_of(day * DAY_MICROS)
    );
    let mut findings = Findings {
        file: &tapes[0].file,
        symbol: "",
        found,
    };
    findings.add(
        FindingKind::EmptyRow,
        &lines,
        |_| what,
        "the exchange was closed or the row is broken: take it out",
    );
}
