//! Which days are sessions, where weeks and months end, how many bars make a year.
//!
//! Everything here follows from dates alone and is known beforehand, so nothing looks at the next
//! bar: the last bar of a month is known by the calendar's rule, and where no rule helps (no
//! calendar, a closure nobody planned, a missing bar) a period ends on the first bar of the next
//! one. Prices are no business of this file; `resample.rs` builds coarse bars with its rules.

use crate::units::{DAY_MICROS, Micros};
use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

mod expiries;
mod nyse;

pub use expiries::third_friday;

/// Microseconds in a minute.
pub(crate) const MINUTE_MICROS: Micros = 60_000_000;

/// Days from 0001-01-01 (day 1) to 1970-01-01.
const EPOCH_DAY_FROM_CE: i32 = 719_163;

/// Share of a tape's dates that must be NYSE sessions for the tape to be taken for one of that
/// exchange: London or Toronto share about 97% of its dates, a vendor's stray row costs far less
/// than 1%.
const NYSE_SHARE_MIN: f64 = 0.99;

/// Which days are sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Calendar {
    /// New York Stock Exchange, with its historical holidays, half days, Saturday sessions and
    /// closures.
    Nyse,
    /// Monday to Friday.
    Weekdays,
    /// Every day.
    AllDays,
    /// Nothing is known: periods end when the next one begins.
    #[default]
    None,
}

/// A stretch of the calendar that schedules and coarse bars speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// One session.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

/// The size of a bar; finer sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Interval {
    /// n minutes, less than a day.
    Minutes(u32),
    /// A session.
    #[default]
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

/// Bars a year, and why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeriodsAYear {
    /// `sessions_a_year * bars_a_session`, or 52, 12, 4, 1 for coarser bars.
    pub bars_a_year: f64,
    /// The commonest number of bars on a weekday; 1 for daily and coarser bars.
    pub bars_a_session: f64,
    /// 252, 260 or 365; for weekly and coarser bars the same as `bars_a_year`.
    pub sessions_a_year: f64,
    /// Bars are shorter than a day.
    pub is_intraday: bool,
    /// The rule in words, for reports.
    pub rule: String,
}

/// The calendar date of a moment.
pub fn date_of(time: Micros) -> NaiveDate {
    let day = time.div_euclid(DAY_MICROS) + i64::from(EPOCH_DAY_FROM_CE);
    i32::try_from(day)
        .ok()
        .and_then(NaiveDate::from_num_days_from_ce_opt)
        .unwrap_or(if day < 0 {
            NaiveDate::MIN
        } else {
            NaiveDate::MAX
        })
}

/// Midnight of a date.
pub fn midnight(date: NaiveDate) -> Micros {
    i64::from(date.num_days_from_ce() - EPOCH_DAY_FROM_CE) * DAY_MICROS
}

/// The moments of each day in turn, of sorted ones. Days are leapt over: a million minutes are
/// looked at a few thousand times.
pub(crate) fn days_of(time: &[Micros]) -> impl Iterator<Item = &[Micros]> {
    const LEAP: usize = 2048;
    let mut rest = time;
    std::iter::from_fn(move || {
        let number = rest.first()?.div_euclid(DAY_MICROS);
        let within =
            |times: &[Micros]| times.partition_point(|t| t.div_euclid(DAY_MICROS) == number);
        let near = &rest[..rest.len().min(LEAP)];
        let count = match near {
            [_, next, ..] if next.div_euclid(DAY_MICROS) != number => 1,
            _ => within(near),
        };
        let count = if count == LEAP { within(rest) } else { count };
        let (day, after) = rest.split_at(count);
        rest = after;
        Some(day)
    })
}

/// Microseconds since midnight.
pub fn time_of_day(time: Micros) -> Micros {
    time.rem_euclid(DAY_MICROS)
}

/// The day after; the last representable day is its own successor.
fn day_after(date: NaiveDate) -> NaiveDate {
    date.succ_opt().unwrap_or(date)
}

/// The day before; the first representable day is its own predecessor.
fn day_before(date: NaiveDate) -> NaiveDate {
    date.pred_opt().unwrap_or(date)
}

fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

impl Calendar {
    /// The name that a strategy file uses.
    pub fn name(self) -> &'static str {
        match self {
            Calendar::Nyse => "nyse",
            Calendar::Weekdays => "weekdays",
            Calendar::AllDays => "24/7",
            Calendar::None => "none",
        }
    }

    /// The calendar of a name in a strategy file: `nyse`, `weekdays`, `24/7`, `none`.
    pub fn parse(name: &str) -> Option<Calendar> {
        [
            Calendar::Nyse,
            Calendar::Weekdays,
            Calendar::AllDays,
            Calendar::None,
        ]
        .into_iter()
        .find(|calendar| calendar.name() == name)
    }

    /// The calendar that fits a tape's dates (sorted moments).
    ///
    /// Weekly and coarser bars: `None`, their dates say nothing about sessions. At least 99% of the
    /// dates NYSE sessions: `Nyse`. Saturday bars in most weeks: `AllDays`. Else `Weekdays`.
    pub fn infer(time: &[Micros]) -> Calendar {
        if Interval::infer(time) > Interval::Day {
            return Calendar::None;
        }
        let (mut dates, mut sessions, mut saturdays, mut weeks) =
            (0_usize, 0_usize, 0_usize, 0_usize);
        let mut last_week = None;
        for day in days_of(time) {
            let date = date_of(day[0]);
            dates += 1;
            sessions += usize::from(nyse::is_session(date));
            saturdays += usize::from(date.weekday() == Weekday::Sat);
            let week = Period::Week.index(date);
            weeks += usize::from(last_week != Some(week));
            last_week = Some(week);
        }
        if dates == 0 {
            Calendar::None
        } else if sessions as f64 >= NYSE_SHARE_MIN * dates as f64 {
            Calendar::Nyse
        } else if 2 * saturdays > weeks {
            Calendar::AllDays
        } else {
            Calendar::Weekdays
        }
    }

    /// Whether the date was a session, unplanned closures known. `None` says yes to every day.
    pub fn is_session(self, date: NaiveDate) -> bool {
        match self {
            Calendar::Nyse => nyse::is_session(date),
            _ => self.is_scheduled_session(date),
        }
    }

    /// Whether the date was expected to be a session by those who only knew the exchange's rules
    /// and what it had announced: a closure for a funeral or a storm is still a scheduled session.
    pub fn is_scheduled_session(self, date: NaiveDate) -> bool {
        match self {
            Calendar::Nyse => nyse::is_scheduled_session(date),
            Calendar::Weekdays => !is_weekend(date),
            Calendar::AllDays | Calendar::None => true,
        }
    }

    /// The first session after `date`.
    pub fn next_session(self, date: NaiveDate) -> NaiveDate {
        step(date, day_after, |d| self.is_session(d))
    }

    /// The last session before `date`.
    pub fn prev_session(self, date: NaiveDate) -> NaiveDate {
        step(date, day_before, |d| self.is_session(d))
    }

    /// The first scheduled session after `date`.
    pub fn next_scheduled_session(self, date: NaiveDate) -> NaiveDate {
        step(date, day_after, |d| self.is_scheduled_session(d))
    }

    /// The last scheduled session before `date`.
    pub fn prev_scheduled_session(self, date: NaiveDate) -> NaiveDate {
        step(date, day_before, |d| self.is_scheduled_session(d))
    }

    /// Sessions after `from` up to and including `to`; 0 when `to <= from`, and 0 for `None`, which
    /// knows no sessions to count.
    pub fn sessions_between(self, from: NaiveDate, to: NaiveDate) -> usize {
        if self == Calendar::None || to <= from {
            return 0;
        }
        if self == Calendar::AllDays {
            return usize::try_from((to - from).num_days()).unwrap_or(0);
        }
        let mut count = 0;
        let mut date = from;
        while date < to {
            date = day_after(date);
            count += usize::from(self.is_session(date));
        }
        count
    }

    /// Sessions without a bar between the dates of two neighbouring bars; weeks or months when the
    /// bars are of that size. 0 for daily bars without a calendar.
    pub fn missing_between(self, interval: Interval, from: NaiveDate, to: NaiveDate) -> usize {
        let between = |period: Period| {
            usize::try_from(period.index(to) - period.index(from) - 1).unwrap_or(0)
        };
        match interval {
            Interval::Month => between(Period::Month),
            Interval::Week => between(Period::Week),
            Interval::Day | Interval::Minutes(_) => {
                let at_end = usize::from(self.is_session(to));
                self.sessions_between(from, to).saturating_sub(at_end)
            }
        }
    }

    /// The session that lies `n` sessions before `date`.
    pub fn sessions_before(self, date: NaiveDate, n: usize) -> NaiveDate {
        (0..n).fold(date, |d, _| self.prev_session(d))
    }

    /// Time of day at which the session of `date` closes: 16:00 or 13:00 at the NYSE, midnight of
    /// the next day on calendars that trade around the clock, `None` without a calendar. (The NYSE
    /// closed at other hours before 1985; no intraday tape is that old.)
    pub fn session_close(self, date: NaiveDate) -> Option<Micros> {
        match self {
            Calendar::Nyse if nyse::is_half_day(date) => Some(13 * 60 * MINUTE_MICROS),
            Calendar::Nyse => Some(16 * 60 * MINUTE_MICROS),
            Calendar::Weekdays | Calendar::AllDays => Some(DAY_MICROS),
            Calendar::None => None,
        }
    }

    /// The session that a bar belongs to: its own date, but the coming Monday for a weekend bar
    /// under `Weekdays` (currencies open on Sunday evening, and that evening is Monday's session).
    pub fn session_of(self, time: Micros) -> NaiveDate {
        let date = date_of(time);
        if self == Calendar::Weekdays && is_weekend(date) {
            self.next_session(date)
        } else {
            date
        }
    }
}

/// Walks from `date`, not looking at it, to the first day that `wanted` accepts.
fn step(
    date: NaiveDate,
    walk: fn(NaiveDate) -> NaiveDate,
    wanted: impl Fn(NaiveDate) -> bool,
) -> NaiveDate {
    let mut next = walk(date);
    while !wanted(next) {
        let beyond = walk(next);
        if beyond == next {
            break;
        }
        next = beyond;
    }
    next
}

impl Period {
    /// A number that is the same for all dates of one period and grows with time.
    pub fn index(self, date: NaiveDate) -> i32 {
        match self {
            Period::Day => date.num_days_from_ce(),
            // 0001-01-01, day 1, was a Monday.
            Period::Week => (date.num_days_from_ce() - 1).div_euclid(7),
            Period::Month => date.year() * 12 + date.month0() as i32,
            Period::Quarter => date.year() * 4 + (date.month0() / 3) as i32,
            Period::Year => date.year(),
        }
    }
}

impl Interval {
    /// The size of the bars that stand at these sorted moments.
    ///
    /// The median step decides between intraday, daily, weekly and monthly (anything coarser is
    /// called a month); minutes are the commonest step within a day, the shorter of equals. A single bar is daily.
    pub fn infer(time: &[Micros]) -> Interval {
        let step = median_step(time);
        if step == 0 || (20 * 60 * MINUTE_MICROS..5 * DAY_MICROS).contains(&step) {
            Interval::Day
        } else if step < 20 * 60 * MINUTE_MICROS {
            let minutes = commonest_step(time) / MINUTE_MICROS;
            Interval::Minutes(u32::try_from(minutes.max(1)).unwrap_or(1))
        } else if step < 20 * DAY_MICROS {
            Interval::Week
        } else {
            Interval::Month
        }
    }

    /// Reads `1m 5m 1h 1d 1w 1mo`: minutes and hours in any number, one of the others.
    pub fn parse(text: &str) -> Option<Interval> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let n: u32 = text[..digits].parse().ok()?;
        match (&text[digits..], n) {
            ("m", 1..1440) => Some(Interval::Minutes(n)),
            ("h", 1..24) => Some(Interval::Minutes(60 * n)),
            ("d", 1) => Some(Interval::Day),
            ("w", 1) => Some(Interval::Week),
            ("mo", 1) => Some(Interval::Month),
            _ => None,
        }
    }

    /// The word for it in strategy files and reports: `5m 1h 1d 1w 1mo`.
    pub fn name(self) -> String {
        match self {
            Interval::Minutes(n) if n % 60 == 0 => format!("{}h", n / 60),
            Interval::Minutes(n) => format!("{n}m"),
            Interval::Day => "1d".to_owned(),
            Interval::Week => "1w".to_owned(),
            Interval::Month => "1mo".to_owned(),
        }
    }

    /// Bars are shorter than a day.
    pub fn is_intraday(self) -> bool {
        matches!(self, Interval::Minutes(_))
    }
}

/// The steps between sorted moments: all of them up to a limit, beyond it stretches of neighbours
/// spread evenly over the tape, so that a million bars cost what eight thousand do.
fn steps(time: &[Micros]) -> impl Iterator<Item = Micros> + '_ {
    const STRETCHES: usize = 16;
    const STRETCH: usize = 512;
    let few = time.len() <= STRETCHES * STRETCH;
    let (count, length) = if few {
        (1, time.len())
    } else {
        (STRETCHES, STRETCH)
    };
    (0..count).flat_map(move |i| {
        let start = i * (time.len() - length) / count.saturating_sub(1).max(1);
        time[start..start + length].windows(2).map(|w| w[1] - w[0])
    })
}

/// Median of the steps between sorted moments; 0 when there are fewer than two.
fn median_step(time: &[Micros]) -> Micros {
    let mut steps: Vec<Micros> = steps(time).collect();
    if steps.is_empty() {
        return 0;
    }
    let middle = (steps.len() - 1) / 2;
    *steps.select_nth_unstable(middle).1
}

/// The commonest step shorter than a day, the shortest of equals; 0 when there is none.
fn commonest_step(time: &[Micros]) -> Micros {
    let mut steps: Vec<Micros> = steps(time)
        .filter(|step| (1..DAY_MICROS).contains(step))
        .collect();
    steps.sort_unstable();
    commonest_of_sorted(&steps).unwrap_or(0)
}

/// The commonest of sorted values, the first of equals.
fn commonest_of_sorted(sorted: &[Micros]) -> Option<Micros> {
    let mut best: Option<(usize, Micros)> = None;
    for run in sorted.chunk_by(|a, b| a == b) {
        if best.is_none_or(|(count, _)| run.len() > count) {
            best = Some((run.len(), run[0]));
        }
    }
    best.map(|(_, value)| value)
}

/// Says, bar after bar, where periods end, without ever knowing the next bar.
///
/// Two rules, in this order: a bar that the calendar knows to be the period's last ends it; a bar
/// of a new period ends the one before if nothing has yet. Bars that arrive in a period after its
/// end (a stray evening bar) end nothing more.
#[derive(Debug, Clone)]
pub(crate) struct PeriodClock {
    calendar: Calendar,
    interval: Interval,
    /// Date of the last bar, its session, and the facts that hold for all bars of that date.
    day: Option<Day>,
    /// Regular hours were kept on every finished day so far, and on one at least the last bar
    /// ended with the session.
    kept_hours: bool,
    broke_hours: bool,
    reached_close: bool,
}

/// What is known of one date.
#[derive(Debug, Clone, Copy)]
struct Day {
    number: i64,
    session: NaiveDate,
    next: NaiveDate,
    close: Option<Micros>,
}

impl PeriodClock {
    pub(crate) fn new(calendar: Calendar, interval: Interval) -> Self {
        PeriodClock {
            calendar,
            interval,
            day: None,
            kept_hours: false,
            broke_hours: false,
            reached_close: false,
        }
    }

    /// Takes the next bar. Gives its session, and the first session that can follow when the
    /// calendar knows that no further bar belongs to this one.
    pub(crate) fn advance(&mut self, time: Micros) -> (NaiveDate, Option<NaiveDate>) {
        match self.interval {
            Interval::Month => {
                let date = date_of(time);
                let next = date
                    .with_day(1)
                    .and_then(|d| d.checked_add_months(Months::new(1)));
                (date, next)
            }
            Interval::Week => {
                let date = date_of(time);
                (date, date.checked_add_days(Days::new(7)))
            }
            Interval::Day => {
                let day = self.enter(time);
                (
                    day.session,
                    (self.calendar != Calendar::None).then_some(day.next),
                )
            }
            Interval::Minutes(minutes) => {
                let day = self.enter(time);
                let bar_end = time_of_day(time) + i64::from(minutes) * MINUTE_MICROS;
                let known = self.closes_day(time, bar_end, day);
                (day.session, known.then_some(day.next))
            }
        }
    }

    /// The facts of the bar's date, looked up once a date.
    fn enter(&mut self, time: Micros) -> Day {
        let number = time.div_euclid(DAY_MICROS);
        if let Some(day) = self.day
            && day.number == number
        {
            return day;
        }
        let session = self.calendar.session_of(time);
        let day = Day {
            number,
            session,
            next: self.calendar.next_scheduled_session(session),
            close: self.calendar.session_close(session),
        };
        self.day = Some(day);
        self.kept_hours |= self.reached_close;
        self.reached_close = false;
        day
    }

    /// Whether an intraday bar is known to be the last of its day.
    ///
    /// Around the clock the bar that reaches midnight is. At the NYSE it is the bar that reaches
    /// the close, once an earlier day has shown that this tape ends with the session, and as long
    /// as no bar has ever stood outside regular hours (extended hours, or a clock in another zone).
    fn closes_day(&mut self, time: Micros, bar_end: Micros, day: Day) -> bool {
        let Some(close) = day.close else {
            return false;
        };
        if self.calendar != Calendar::Nyse {
            return bar_end >= close;
        }
        let start = time_of_day(time);
        if start >= close || bar_end <= NYSE_OPEN_MICROS {
            self.broke_hours = true;
        }
        self.reached_close |= bar_end >= close;
        bar_end >= close && self.kept_hours && !self.broke_hours
    }
}

/// 09:30.
const NYSE_OPEN_MICROS: Micros = (9 * 60 + 30) * MINUTE_MICROS;

/// For each bar whether "the last bar of the period" fires on it, judged from the bars up to it.
///
/// `time`: sorted moments of one clock, all of its bars. A daily bar fires when the next scheduled
/// session lies in another period. An intraday bar fires only when it is also known to be the last
/// of its day: at the NYSE when it reaches the close (16:00, 13:00 on half days), an earlier day of
/// the tape ended with its session too and no bar stood outside regular hours; around the clock
/// when it reaches midnight. A weekly bar covers the seven days from its date and a monthly bar its
/// month, so that each of them ends at least its own. Whatever did not fire in its own period (no
/// calendar, an unplanned closure, a missing bar) fires on the first bar of the next.
pub fn period_ends_of(
    time: &[Micros],
    period: Period,
    calendar: Calendar,
    interval: Interval,
) -> Vec<bool> {
    let mut clock = PeriodClock::new(calendar, interval);
    let mut open: Option<i32> = None;
    let mut ended: Option<i32> = None;
    time.iter()
        .map(|&t| {
            let (session, next) = clock.advance(t);
            let index = period.index(session);
            let by_next_period = open.is_some_and(|o| o != index);
            let by_rule = ended != Some(index) && next.is_some_and(|n| period.index(n) != index);
            if by_rule {
                ended = Some(index);
            }
            open = (ended != Some(index)).then_some(index);
            by_next_period || by_rule
        })
        .collect()
}

/// [`period_ends_of`] with the bar size that the moments themselves show.
pub fn period_ends(time: &[Micros], period: Period, calendar: Calendar) -> Vec<bool> {
    period_ends_of(time, period, calendar, Interval::infer(time))
}

/// For each bar whether it is the first of its period.
///
/// The first bar of the tape counts when the calendar says that the session before it lies in
/// another period; without a calendar it does not, nobody knows what came before.
pub fn period_starts(time: &[Micros], period: Period, calendar: Calendar) -> Vec<bool> {
    let mut last: Option<i32> = None;
    time.iter()
        .map(|&t| {
            let session = calendar.session_of(t);
            let index = period.index(session);
            let starts = match last {
                Some(before) => before != index,
                None => {
                    calendar != Calendar::None
                        && period.index(calendar.prev_scheduled_session(session)) != index
                }
            };
            last = Some(index);
            starts
        })
        .collect()
}

/// How many bars of this clock make a year, for annualising.
///
/// Sessions a year: 365 with Saturday bars in most weeks; 260 when weekday bars run around the
/// clock (the commonest bar count of a weekday covers 20 hours or more); else 252. Bars a session:
/// the commonest bar count of a weekday. Weekly 52, monthly 12, quarterly 4, yearly 1.
pub fn periods_a_year(time: &[Micros]) -> PeriodsAYear {
    let coarse = |bars: f64, rule: &str| PeriodsAYear {
        bars_a_year: bars,
        bars_a_session: 1.0,
        sessions_a_year: bars,
        is_intraday: false,
        rule: rule.to_owned(),
    };
    let interval = Interval::infer(time);
    match interval {
        Interval::Week => coarse(52.0, "52 weekly bars"),
        Interval::Month => match median_step(time) / DAY_MICROS {
            0..60 => coarse(12.0, "12 monthly bars"),
            60..200 => coarse(4.0, "4 quarterly bars"),
            _ => coarse(1.0, "1 yearly bar"),
        },
        Interval::Day if Calendar::infer(time) == Calendar::AllDays => {
            coarse(365.0, "365 days, Saturdays included")
        }
        Interval::Day => coarse(252.0, "252 sessions"),
        Interval::Minutes(_) => intraday_periods(time),
    }
}

/// Bars a year of bars shorter than a day.
fn intraday_periods(time: &[Micros]) -> PeriodsAYear {
    let mut counts: Vec<Micros> = days_of(time)
        .filter(|day| !is_weekend(date_of(day[0])))
        // Negated, so that of two equally common counts the larger wins.
        .map(|day| -(day.len() as i64))
        .collect();
    counts.sort_unstable();
    let bars = -commonest_of_sorted(&counts).unwrap_or(-1);
    let covered = bars * commonest_step(time);
    let (sessions, why) = if Calendar::infer(time) == Calendar::AllDays {
        (365.0, "days, Saturdays included")
    } else if covered >= 20 * 60 * MINUTE_MICROS {
        (260.0, "weekdays around the clock")
    } else {
        (252.0, "sessions")
    };
    PeriodsAYear {
        bars_a_year: sessions * bars as f64,
        bars_a_session: bars as f64,
        sessions_a_year: sessions,
        is_intraday: true,
        rule: format!("{bars} bars a session x {sessions} {why}"),
    }
}
