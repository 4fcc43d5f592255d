//! Axes: where a moment or a value stands, and which of them are named.
//!
//! The automatic ticks of plotting libraries fall on odd dates, so ours are years, quarters,
//! months, weeks, days and hours, each at the first bar of its period. Daily and coarser bars
//! stand at their date; intraday bars one beside the other, so that nights leave no gap. Drawing
//! is left to the panel.

use crate::report::chart::number::{Words, tick_labels};
use crate::units::{DAY_MICROS, Micros};
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use std::borrow::Cow;

const MINUTE_MICROS: Micros = 60_000_000;
/// Smallest distance between two labels of the time axis, in points.
const LABEL_GAP: f64 = 14.0;
/// Smallest distance between two labels of a value axis, in points.
const VALUE_GAP: f64 = 23.0;
/// Ticks of a log scale within a decade, densest first.
const MANTISSAS: [&[f64]; 5] = [
    &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
    &[1.0, 2.0, 3.0, 5.0],
    &[1.0, 2.0, 5.0],
    &[1.0, 3.0],
    &[1.0],
];

/// The time axis of a chart.
pub(super) struct Clock<'a> {
    time: Cow<'a, [Micros]>,
    /// Bars stand one beside the other.
    by_bar: bool,
}

/// A named moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Place on the axis.
    pub(super) at: f64,
    /// Its name.
    pub(super) label: String,
}

impl<'a> Clock<'a> {
    /// The axis of rising moments.
    pub(super) fn new(time: Cow<'a, [Micros]>) -> Clock<'a> {
        let by_bar = match (time.first(), time.last()) {
            (Some(&first), Some(&last)) if time.len() > 1 => {
                (last - first) / (time.len() as i64 - 1) < DAY_MICROS / 2
            }
            _ => false,
        };
        Clock { time, by_bar }
    }

    /// Place of element `i`.
    pub(super) fn place(&self, i: usize) -> f64 {
        if self.by_bar {
            i as f64
        } else {
            self.time.get(i).map_or(0.0, |&t| t as f64)
        }
    }

    /// Element `i` by month, or by day where the axis is shorter than a year.
    pub(super) fn name(&self, i: usize) -> String {
        let moment = self.time.get(i).copied().unwrap_or_default();
        let span = self.time.last().zip(self.time.first());
        if span.is_some_and(|(last, first)| last - first > 365 * DAY_MICROS) {
            month_text(moment)
        } else {
            date_text(moment, true)
        }
    }

    /// Place of any moment: that of the first bar not before it on an axis of bars.
    pub(super) fn place_of(&self, moment: Micros) -> f64 {
        if self.by_bar {
            let after = self.time.partition_point(|&t| t < moment);
            after.min(self.time.len().saturating_sub(1)) as f64
        } else {
            moment as f64
        }
    }

    /// First and last place, never the same.
    pub(super) fn range(&self) -> (f64, f64) {
        if self.time.is_empty() {
            return (0.0, 1.0);
        }
        let (first, last) = (self.place(0), self.place(self.time.len() - 1));
        if first < last {
            (first, last)
        } else {
            let half = DAY_MICROS as f64 / 2.0;
            (first - half, first + half)
        }
    }

    /// The densest set of ticks whose labels fit into `width` points with air between them;
    /// `measure` gives the width of a label.
    pub(super) fn ticks(&self, width: f64, measure: impl Fn(&str) -> f64) -> Vec<Tick> {
        let (Some(&first), Some(&last)) = (self.time.first(), self.time.last()) else {
            return Vec::new();
        };
        let range = self.range();
        let most = (width / 26.0).max(1.0);
        let mut best: Vec<Tick> = Vec::new();
        for level in levels(self.by_bar) {
            if (last - first) as f64 / level.length() as f64 > most * 4.0 {
                continue;
            }
            let ticks = self.ticks_of(level);
            if ticks.len() as f64 > most {
                continue;
            }
            let (kept, dropped) = spaced(ticks, range, width, &measure);
            if dropped <= 1 && kept.len() > 1 {
                return kept;
            }
            if best.is_empty() {
                best = kept;
            }
        }
        if best.is_empty() {
            best.push(Tick {
                at: self.place(0),
                label: date_text(first, true),
            });
        }
        best
    }

    /// The first bar of each period of `level`; the first period counts only when the bars begin
    /// with it.
    fn ticks_of(&self, level: Level) -> Vec<Tick> {
        let (Some(&first), Some(&last)) = (self.time.first(), self.time.last()) else {
            return Vec::new();
        };
        let mut ticks = Vec::new();
        let mut start = level.floor(first);
        let mut shown: Option<Micros> = None;
        while start <= last {
            let next = level.after(start);
            if next <= start {
                break;
            }
            let i = self.time.partition_point(|&t| t < start);
            let begins = first - start <= level.slack();
            if i < self.time.len() && self.time[i] < next && begins {
                ticks.push(Tick {
                    at: self.place(i),
                    label: level.label(start.max(first), shown),
                });
                shown = Some(start);
            }
            start = next;
        }
        // A year that is named later need not widen the first month.
        if level.unit == Unit::Month
            && ticks.iter().skip(1).any(|t| t.label.len() == 4)
            && let Some(tick) = ticks.first_mut()
            && let Some((month, _)) = tick.label.split_once(' ')
        {
            tick.label = month.to_string();
        }
        ticks
    }
}

/// Drops ticks whose labels come too near to the one before, and counts them.
fn spaced(
    ticks: Vec<Tick>,
    range: (f64, f64),
    width: f64,
    measure: &impl Fn(&str) -> f64,
) -> (Vec<Tick>, usize) {
    let scale = width / (range.1 - range.0);
    let mut kept: Vec<Tick> = Vec::with_capacity(ticks.len());
    let mut dropped = 0;
    let mut end = f64::NEG_INFINITY;
    for tick in ticks {
        let half = measure(&tick.label) / 2.0;
        let middle = (tick.at - range.0) * scale;
        if middle - half < end + LABEL_GAP {
            dropped += 1;
            continue;
        }
        end = middle + half;
        kept.push(tick);
    }
    (kept, dropped)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Minute,
    Day,
    Month,
    Year,
}

/// A kind of tick: every `count` units.
#[derive(Debug, Clone, Copy)]
struct Level {
    unit: Unit,
    count: i64,
}

/// All levels from the finest that makes sense to the coarsest.
fn levels(intraday: bool) -> impl Iterator<Item = Level> {
    let minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
    let fine = minutes.into_iter().filter(move |_| intraday);
    let days = [1, 2, 7, 14];
    let months = [1, 3, 6];
    let years = [1, 2, 5, 10, 20, 25, 50, 100];
    let of = |unit| move |count| Level { unit, count };
    fine.map(of(Unit::Minute))
        .chain(days.into_iter().map(of(Unit::Day)))
        .chain(months.into_iter().map(of(Unit::Month)))
        .chain(years.into_iter().map(of(Unit::Year)))
}

fn clock_of(t: Micros) -> NaiveDateTime {
    DateTime::from_timestamp_micros(t)
        .unwrap_or_default()
        .naive_utc()
}

/// Midnight of the first day of month `index` (months since year 0).
fn month_start(index: i64) -> Micros {
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let date = chrono::NaiveDate::from_ymd_opt(year as i32, month as u32, 1).unwrap_or_default();
    date.and_time(chrono::NaiveTime::MIN)
        .and_utc()
        .timestamp_micros()
}

fn month_index(t: Micros) -> i64 {
    let date = clock_of(t);
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// `3 Mar` or `3 Mar 2014`.
fn date_text(t: Micros, with_year: bool) -> String {
    let format = if with_year { "%-d %b %Y" } else { "%-d %b" };
    clock_of(t).format(format).to_string()
}

/// `May 2018`.
fn month_text(t: Micros) -> String {
    clock_of(t).format("%b %Y").to_string()
}

impl Level {
    /// Length in microseconds, about.
    fn length(self) -> Micros {
        self.count
            * match self.unit {
                Unit::Minute => MINUTE_MICROS,
                Unit::Day => DAY_MICROS,
                Unit::Month => 30 * DAY_MICROS,
                Unit::Year => 365 * DAY_MICROS,
            }
    }

    /// How late into a period the bars may begin and still show its start.
    fn slack(self) -> Micros {
        match self.unit {
            // Named by its date, the first bar is always worth a tick.
            Unit::Minute | Unit::Day => DAY_MICROS,
            Unit::Month => 4 * DAY_MICROS,
            Unit::Year => 6 * DAY_MICROS,
        }
    }

    /// Start of the period that holds `t`.
    fn floor(self, t: Micros) -> Micros {
        let months = |count: i64| {
            let index = month_index(t);
            month_start(index - index.rem_euclid(count))
        };
        match self.unit {
            Unit::Minute => t - t.rem_euclid(self.count * MINUTE_MICROS),
            Unit::Day => {
                // Day 4 of the epoch was a Monday: weeks begin there.
                let day = t.div_euclid(DAY_MICROS);
                (day - (day - 4).rem_euclid(self.count)) * DAY_MICROS
            }
            Unit::Month => months(self.count),
            Unit::Year => months(12 * self.count),
        }
    }

    /// Start of the period after the one that begins at `start`.
    fn after(self, start: Micros) -> Micros {
        match self.unit {
            Unit::Minute | Unit::Day => start + self.length(),
            Unit::Month => month_start(month_index(start) + self.count),
            Unit::Year => month_start(month_index(start) + 12 * self.count),
        }
    }

    /// Name of the tick at `t`; `before` is the tick before, whose larger units need no repeat.
    fn label(self, t: Micros, before: Option<Micros>) -> String {
        let now = clock_of(t);
        let before = before.map(clock_of);
        let same_year = before.is_some_and(|b| b.year() == now.year());
        let same_day = before.is_some_and(|b| b.date() == now.date());
        match self.unit {
            Unit::Year => now.year().to_string(),
            Unit::Month if now.month() == 1 => now.year().to_string(),
            Unit::Month if before.is_some() => now.format("%b").to_string(),
            Unit::Month => month_text(t),
            Unit::Day => date_text(t, !same_year),
            Unit::Minute if !same_day => date_text(t, false),
            Unit::Minute => format!("{}:{:02}", now.hour(), now.minute()),
        }
    }
}

/// The value axis of a panel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    /// Equal ratios are equally far apart.
    pub(super) log: bool,
    /// Bottom and top, as drawn (logarithms on a log scale).
    pub(super) range: (f64, f64),
    /// Named values.
    pub(super) ticks: Vec<(f64, String)>,
}

impl ValueAxis {
    /// An axis for values of `extent` on `height` points, with a little air above and below.
    pub(super) fn new(extent: (f64, f64), log: bool, height: f64, words: Words) -> ValueAxis {
        let (low, high) = widened(extent);
        let log = log && low > 0.0;
        let drawn = |v: f64| if log { libm::log10(v) } else { v };
        let (bottom, top) = (drawn(low), drawn(high));
        let air = (top - bottom) * 0.05;
        ValueAxis::of((bottom - air, top + air), log, height, words)
    }

    /// An axis that ends exactly at the given values of a linear scale.
    pub(super) fn exact(range: (f64, f64), height: f64, words: Words) -> ValueAxis {
        ValueAxis::of(widened(range), false, height, words)
    }

    fn of(range: (f64, f64), log: bool, height: f64, words: Words) -> ValueAxis {
        let values = if log {
            log_ticks(range, height)
        } else {
            linear_ticks(range, height)
        };
        let labels = tick_labels(&values, words, log);
        ValueAxis {
            log,
            range,
            ticks: values.into_iter().zip(labels).collect(),
        }
    }

    /// Names these values instead of round ones, leaving out what would touch another's name.
    pub(super) fn name_only(&mut self, values: &[f64], height: f64) {
        let mut values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let scale = height / (self.range.1 - self.range.0);
        let mut kept: Vec<f64> = Vec::with_capacity(values.len());
        for value in values {
            if kept.last().is_none_or(|k| (value - k) * scale >= 12.0) {
                kept.push(value);
            }
        }
        let labels = tick_labels(&kept, Words::Plain, false);
        self.ticks = kept.into_iter().zip(labels).collect();
    }

    /// Where a value stands on the axis, in units of `range` and never outside.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.log {
            libm::log10(value.max(1e-300))
        } else {
            value
        };
        place.clamp(self.range.0, self.range.1)
    }
}

/// Whether values ask for a log scale: all positive and the highest over three times the lowest.
pub(super) fn asks_for_log((low, high): (f64, f64)) -> bool {
    low > 0.0 && high / low > 3.0
}

/// An extent that is finite, ordered and wide enough to be divided into ticks.
fn widened((low, high): (f64, f64)) -> (f64, f64) {
    let (low, high) = (low.clamp(-1e200, 1e200), high.clamp(-1e200, 1e200));
    let size = low.abs().max(high.abs());
    if high - low > size * 1e-6 {
        return (low, high);
    }
    let half = if size > 0.0 { size * 0.02 } else { 1.0 };
    (low - half, high + half)
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(rough)));
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(rough)
}

fn linear_ticks((low, high): (f64, f64), height: f64) -> Vec<f64> {
    let most = (height / 25.0).clamp(2.0, 8.0);
    let step = nice_step((high - low) / most);
    let first = libm::ceil(low / step - 1e-9);
    let last = libm::floor(high / step + 1e-9);
    let count = (last - first).clamp(0.0, 20.0) as i64;
    (0..=count)
        .map(|k| {
            let value = (first + k as f64) * step;
            // The multiple nearest to zero is zero itself.
            if value.abs() < step * 1e-9 {
                0.0
            } else {
                value
            }
        })
        .collect()
}

/// Ticks of a log scale whose `range` is in powers of ten.
fn log_ticks(range: (f64, f64), height: f64) -> Vec<f64> {
    let decade = height / (range.1 - range.0);
    let within = |v: &f64| {
        let place = libm::log10(*v);
        place >= range.0 && place <= range.1
    };
    for mantissas in MANTISSAS {
        let next = mantissas.iter().skip(1).chain(std::iter::once(&10.0));
        let ratio = mantissas
            .iter()
            .zip(next)
            .map(|(a, b)| libm::log10(b / a))
            .fold(f64::INFINITY, f64::min);
        if ratio * decade < VALUE_GAP {
            continue;
        }
        let powers = (libm::floor(range.0) as i32)..=(libm::ceil(range.1) as i32);
        let ticks: Vec<f64> = powers
            .flat_map(|p| {
                mantissas
                    .iter()
                    .map(move |m| m * libm::pow(10.0, f64::from(p)))
            })
            .filter(within)
            .collect();
        if ticks.len() >= 3 {
            return ticks;
        }
        // Less than a decade: steps of equal size tell more, as far apart as at the top.
        let (low, high) = (libm::pow(10.0, range.0), libm::pow(10.0, range.1));
        let share = (high - low) / (high * (range.1 - range.0) * std::f64::consts::LN_10);
        return linear_ticks((low, high), height * share);
    }
    let every = libm::ceil(VALUE_GAP / decade) as i32;
    let first = libm::ceil(range.0 / f64::from(every)) as i32;
    let last = libm::floor(range.1 / f64::from(every)) as i32;
    (first..=last)
        .map(|k| libm::pow(10.0, f64::from(k * every)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: (i32, u32, u32), count: i64) -> Vec<Micros> {
        let start = chrono::NaiveDate::from_ymd_opt(from.0, from.1, from.2).unwrap();
        let start = start.and_time(chrono::NaiveTime::MIN).and_utc();
        (0..count)
            .map(|i| start.timestamp_micros() + i * DAY_MICROS)
            .collect()
    }

    fn labels(time: &[Micros], width: f64) -> Vec<String> {
        let clock = Clock::new(Cow::Borrowed(time));
        let ticks = clock.ticks(width, |s| s.chars().count() as f64 * 6.0);
        ticks.into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn years_months_and_days_are_named_at_their_starts() {
        let years = labels(&days((2013, 1, 2), 365 * 12), 600.0);
        assert_eq!(years.first().map(String::as_str), Some("2013"));
        assert_eq!(years.len(), 12);
        let months = labels(&days((2014, 3, 20), 300), 600.0);
        assert_eq!(months[..3], ["Apr", "May", "Jun"]);
        assert!(months.contains(&"2015".to_string()));
        assert_eq!(
            labels(&days((2014, 3, 3), 3), 600.0),
            ["3 Mar 2014", "4 Mar", "5 Mar"]
        );
        assert_eq!(labels(&days((2014, 3, 3), 1), 600.0), ["3 Mar 2014"]);
        let fifty = labels(&days((1970, 1, 1), 365 * 50), 600.0);
        assert!(
            fifty.contains(&"1980".to_string()) && fifty.len() <= 12,
            "{fifty:?}"
        );
    }

    #[test]
    fn intraday_bars_stand_side_by_side() {
        let mut time = Vec::new();
        for day in days((2024, 5, 6), 3) {
            time.extend((0..78).map(|k| day + (570 + 5 * k) * MINUTE_MICROS));
        }
        let clock = Clock::new(Cow::Borrowed(&time[..]));
        assert_eq!(clock.place(78) - clock.place(77), 1.0);
        let all = labels(&time, 600.0);
        assert!(
            all.contains(&"7 May".to_string()) && all.contains(&"12:00".to_string()),
            "{all:?}"
        );
    }

    #[test]
    fn value_ticks_are_round_and_few() {
        let ticks = linear_ticks((-0.4, 0.0), 135.0);
        assert_eq!(
            tick_labels(&ticks, Words::Percent, false),
            ["−40%", "−30%", "−20%", "−10%", "0%"]
        );
        assert_eq!(log_ticks((3.0, 6.0), 100.0), [1e3, 1e4, 1e5, 1e6]);
        assert!(linear_ticks((1e12, 1e12 + 4e6), 200.0).len() <= 9);
        assert!(
            ValueAxis::new((5.0, 5.0), true, 200.0, Words::Plain)
                .ticks
                .len()
                >= 2
        );
    }
}
