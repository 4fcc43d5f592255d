//! Coarser bars from finer ones, and when each of them was known.
//!
//! A coarse bar is known at the close of the fine bar that the calendar knows to be its last, else
//! at the close of the first fine bar of the next period (`calendar.rs` holds the rules). The last
//! coarse bar of a tape that is not known to be complete does not exist yet.

use crate::error::{Error, Problem, Result};
use crate::market::actions::{Action, ActionKind, scaled};
use crate::market::calendar::{
    Calendar, Interval, MINUTE_MICROS, Period, PeriodClock, midnight, time_of_day,
};
use crate::market::{Bars, Column, Market, Tape, clock};
use crate::units::{DAY_MICROS, Micros};
use std::ops::Range;
use std::sync::Arc;

/// Coarse bars of one symbol.
#[derive(Debug, Clone)]
pub struct Resampled {
    /// The coarse bars that are complete; their time is that of their first fine bar, or its
    /// midnight when they are daily or coarser.
    pub bars: Bars,
    /// For each coarse bar the index of the fine bar at whose close it is complete. Two coarse bars
    /// can share it: a bar that shows the one before to be over may itself be the last of its own.
    pub completed_at: Vec<u32>,
}

/// A complete coarse bar as a stretch of fine ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    /// Time of the coarse bar.
    time: Micros,
    /// Fine bars that it is made of.
    bars: Range<usize>,
    /// Fine bar at whose close it is complete; the one after `bars` when the calendar had no rule.
    completed_at: usize,
}

/// Coarse bars of size `to` from bars of size `from`: open of the first, highest high, lowest low,
/// close of the last, sum of the volumes, last of further columns.
///
/// Weeks run from Monday; hours and minutes are cut from midnight. A fine bar that arrives in a
/// period already complete counts to the next one, so that nothing known is changed afterwards.
///
/// # Errors
/// If `to` is finer than `from`.
///
/// ```
/// use papertape::market::{Bars, Calendar, Interval, resample};
/// let day = papertape::units::DAY_MICROS;
/// // Thursday 1970-01-01 was no session; Friday ends the week, and so on.
/// let bars = Bars::of_closes((1..9).filter(|d| d % 7 != 2 && d % 7 != 3).map(|d| d * day).collect(),
///     vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let weekly = resample(&bars, Interval::Day, Interval::Week, Calendar::Nyse)?;
/// assert_eq!(*weekly.bars.close, vec![1.0, 6.0]);
/// assert_eq!(weekly.completed_at, vec![0, 5]);
/// # Ok::<(), papertape::Error>(())
/// ```
pub fn resample(
    bars: &Bars,
    from: Interval,
    to: Interval,
    calendar: Calendar,
) -> Result<Resampled> {
    check_coarser(from, to)?;
    if from == to {
        let completed_at = (0..bars.len()).map(index).collect();
        return Ok(Resampled {
            bars: bars.clone(),
            completed_at,
        });
    }
    let stretches = stretches(&bars.time, from, to, calendar);
    let ranges: Vec<(Micros, Range<usize>)> =
        stretches.iter().map(|s| (s.time, s.bars.clone())).collect();
    Ok(Resampled {
        bars: aggregate(bars, &ranges),
        completed_at: stretches.iter().map(|s| index(s.completed_at)).collect(),
    })
}

/// A market has at most `u32::MAX` bars, so that this never saturates.
fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

fn check_coarser(from: Interval, to: Interval) -> Result<()> {
    if to >= from {
        return Ok(());
    }
    let what = format!(
        "bars of {} can't be made from bars of {}",
        to.name(),
        from.name()
    );
    let help = format!("use bar = \"{}\" or coarser, or finer data", from.name());
    Err(Error::new(Problem::new(what).help(help)))
}

impl Market {
    /// The market in coarser bars (`[data] bar`), all symbols cut at the same moments.
    ///
    /// Only bars that are known to be complete at the end of the data are there. A split inside a
    /// coarse bar moves to its start, and the fine bars before it are brought to the new price. A
    /// dividend with its ex-date inside a coarse bar moves to the next one: who bought at the open
    /// of the coarse bar is paid, who sold there is not.
    ///
    /// # Errors
    /// If `to` is finer than the market's bars, or no coarse bar is complete.
    pub fn resampled(&self, to: Interval) -> Result<Market> {
        check_coarser(self.interval, to)?;
        if self.interval == to {
            return Ok(self.clone());
        }
        let stretches = stretches(&self.clock, self.interval, to, self.calendar);
        if stretches.is_empty() {
            let what = format!("there is not one complete bar of {}", to.name());
            return Err(Error::new(
                Problem::new(what).help("use finer bars or more data"),
            ));
        }
        let tapes = self
            .tapes
            .iter()
            .map(|t| self.coarse_tape(t, &stretches))
            .collect();
        let market = clock::align(tapes)?;
        Ok(Market {
            calendar: self.calendar,
            interval: to,
            files: self.files.clone(),
            notes: self.notes.clone(),
            holdout: self.holdout,
            members: self.members.clone(),
            ..market
        }
        .with_actions(self.coarse_actions(&stretches)))
    }

    fn coarse_tape(&self, tape: &Tape, stretches: &[Stretch]) -> Tape {
        let place = |clock_index: usize| match &tape.on_clock {
            Some(on_clock) => on_clock.partition_point(|&c| (c as usize) < clock_index),
            None => clock_index,
        };
        let ranges: Vec<(Micros, Range<usize>)> = stretches
            .iter()
            .map(|s| (s.time, place(s.bars.start)..place(s.bars.end)))
            .filter(|(_, bars)| !bars.is_empty())
            .collect();
        let bars = match self.inner_splits(tape, &ranges) {
            Some(factors) => {
                let inverse: Vec<f64> = factors.iter().map(|f| 1.0 / f).collect();
                aggregate(&scaled(&tape.bars, &inverse, &factors), &ranges)
            }
            None => aggregate(&tape.bars, &ranges),
        };
        Tape {
            symbol: tape.symbol.clone(),
            bars,
            on_clock: None,
            file: tape.file.clone(),
        }
    }

    /// What the prices of each fine bar are to be divided by because a split happens later in the
    /// same coarse bar; `None` when there is no such split.
    fn inner_splits(&self, tape: &Tape, ranges: &[(Micros, Range<usize>)]) -> Option<Vec<f64>> {
        let time = &tape.bars.time;
        let mut factors: Option<Vec<f64>> = None;
        for split in self
            .actions_of(&tape.symbol)
            .filter(|a| a.kind == ActionKind::Split)
        {
            let bar = time.partition_point(|&t| t < split.time);
            let at = ranges.partition_point(|(_, bars)| bars.end <= bar);
            if let Some((_, bars)) = ranges.get(at)
                && bars.start < bar
                && bars.contains(&bar)
            {
                let factors = factors.get_or_insert_with(|| vec![1.0; time.len()]);
                factors[bars.start..bar]
                    .iter_mut()
                    .for_each(|f| *f *= split.value);
            }
        }
        factors
    }

    /// The actions at the moments of coarse bars; those beyond the last stay where they are.
    fn coarse_actions(&self, stretches: &[Stretch]) -> Vec<Action> {
        let stretch_of = |time: Micros| {
            let bar = self.clock.partition_point(|&t| t < time);
            let at = stretches.partition_point(|s| s.bars.end <= bar);
            (bar, at)
        };
        self.actions
            .iter()
            .map(|action| {
                let mut moved = action.clone();
                let (bar, at) = stretch_of(action.time);
                let Some(stretch) = stretches.get(at).filter(|s| bar > s.bars.start) else {
                    // On the first fine bar of a coarse one, or beyond the last.
                    if let Some(stretch) = stretches.get(at) {
                        moved.time = moved.time.min(stretch.time);
                    }
                    return moved;
                };
                moved.declared = Some(action.known_from(self.calendar).min(stretch.time));
                if action.kind != ActionKind::Dividend && action.kind != ActionKind::SpecialDividend
                {
                    moved.time = stretch.time;
                    return moved;
                }
                if let Some(next) = stretches.get(at + 1) {
                    moved.time = next.time;
                    moved.value /= self.splits_between(action, self.clock[stretch.bars.end - 1]);
                }
                moved
            })
            .collect()
    }

    /// New shares for one old through the splits after a dividend's ex-date up to `until`.
    fn splits_between(&self, dividend: &Action, until: Micros) -> f64 {
        self.actions_of(&dividend.symbol)
            .filter(|a| a.kind == ActionKind::Split && a.time > dividend.time && a.time <= until)
            .map(|a| a.value)
            .product()
    }
}

/// Cuts fine bars into coarse ones; the last one only if it is known to be complete.
fn stretches(time: &[Micros], from: Interval, to: Interval, calendar: Calendar) -> Vec<Stretch> {
    let mut cutter = Cutter {
        clock: PeriodClock::new(calendar, from),
        from,
        to,
    };
    let mut done: Vec<Stretch> = Vec::new();
    let mut start = 0;
    // Period and label of the coarse bar under way; none while it has only late bars.
    let mut open: Option<(i64, Micros)> = None;
    let mut ended: Option<i64> = None;
    for (i, &t) in time.iter().enumerate() {
        let bar = cutter.place(t);
        if let Some((period, label)) = open
            && period != bar.period
        {
            done.push(Stretch {
                time: label,
                bars: start..i,
                completed_at: i,
            });
            start = i;
            open = None;
        }
        if open.is_none() && ended != Some(bar.period) {
            open = Some((bar.period, bar.label));
        }
        if let Some((period, label)) = open
            && bar.is_last
        {
            done.push(Stretch {
                time: label,
                bars: start..i + 1,
                completed_at: i,
            });
            start = i + 1;
            open = None;
            ended = Some(period);
        }
    }
    done
}

/// Says of each fine bar which coarse bar it falls into.
struct Cutter {
    clock: PeriodClock,
    from: Interval,
    to: Interval,
}

struct Placed {
    /// The same for all bars of a coarse one, growing with time.
    period: i64,
    /// What the time of the coarse bar is if this bar is its first.
    label: Micros,
    /// The calendar knows that no further bar belongs to it.
    is_last: bool,
}

impl Cutter {
    fn place(&mut self, time: Micros) -> Placed {
        let (session, next) = self.clock.advance(time);
        let period = match self.to {
            Interval::Minutes(minutes) => return self.place_in_day(time, minutes, next.is_some()),
            Interval::Day => Period::Day,
            Interval::Week => Period::Week,
            Interval::Month => Period::Month,
        };
        let number = period.index(session);
        Placed {
            period: i64::from(number),
            label: midnight(session),
            is_last: next.is_some_and(|n| period.index(n) != number),
        }
    }

    /// Minutes are cut from midnight; the last bar of a day ends whatever is under way.
    fn place_in_day(&self, time: Micros, minutes: u32, ends_day: bool) -> Placed {
        let size = i64::from(minutes.max(1)) * MINUTE_MICROS;
        let slots_a_day = (DAY_MICROS + size - 1) / size;
        let slot = time_of_day(time) / size;
        let fine = match self.from {
            Interval::Minutes(n) => i64::from(n) * MINUTE_MICROS,
            _ => DAY_MICROS,
        };
        let slot_end = ((slot + 1) * size).min(DAY_MICROS);
        Placed {
            period: time.div_euclid(DAY_MICROS) * slots_a_day + slot,
            label: time,
            is_last: ends_day || time_of_day(time) + fine >= slot_end,
        }
    }
}

/// Coarse bars, each from a range of fine ones that is not empty.
fn aggregate(bars: &Bars, ranges: &[(Micros, Range<usize>)]) -> Bars {
    let make = |column: &Column, of: fn(&[f64]) -> f64| -> Column {
        Arc::new(ranges.iter().map(|(_, r)| of(&column[r.clone()])).collect())
    };
    let last = |values: &[f64]| values.last().copied().unwrap_or(f64::NAN);
    Bars {
        time: Arc::new(ranges.iter().map(|(time, _)| *time).collect()),
        open: make(&bars.open, |v| v.first().copied().unwrap_or(f64::NAN)),
        high: make(&bars.high, |v| {
            v.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        }),
        low: make(&bars.low, |v| {
            v.iter().copied().fold(f64::INFINITY, f64::min)
        }),
        close: make(&bars.close, last),
        volume: bars
            .volume
            .as_ref()
            .map(|column| make(column, sum_of_present)),
        extra: bars
            .extra
            .iter()
            .map(|(name, column)| (name.clone(), make(column, last)))
            .collect(),
        closes_only: bars.closes_only,
    }
}

/// Sum of what is not missing; missing when all is.
fn sum_of_present(values: &[f64]) -> f64 {
    let mut present = values.iter().copied().filter(|v| !v.is_nan()).peekable();
    if present.peek().is_none() {
        f64::NAN
    } else {
        present.sum()
    }
}
