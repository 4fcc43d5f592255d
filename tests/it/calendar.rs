//! Sessions, period ends and bars a year, held against published dates and real tapes.

use chrono::{Datelike, NaiveDate, Weekday};
use papertape::instrument::Convention;
use papertape::market::{
    Calendar, Interval, Period, date_of, midnight, period_ends, period_ends_of, period_starts,
    periods_a_year,
};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const MINUTE: Micros = 60_000_000;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn dates(from: &str, to: &str) -> impl Iterator<Item = NaiveDate> {
    let to = day(to);
    day(from).iter_days().take_while(move |d| *d <= to)
}

fn sessions(calendar: Calendar, from: &str, to: &str) -> Vec<Micros> {
    dates(from, to)
        .filter(|d| calendar.is_session(*d))
        .map(midnight)
        .collect()
}

/// First cell of every row of a CSV file, as a date.
fn dates_of_file(path: &Path) -> Vec<NaiveDate> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| day(&line[..10])).collect()
}

#[test]
fn published_monthly_expirations_follow_from_the_sessions() {
    let text = std::fs::read_to_string(root().join("tests/golden/options/monthly_expirations.csv"))
        .unwrap();
    let mut rows = 0;
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let (year, month) = (cells[0].parse().unwrap(), cells[1].parse().unwrap());
        let third_friday = papertape::market::third_friday(year, month).unwrap();
        assert_eq!(third_friday, day(cells[2]), "{line}");
        assert_eq!(third_friday.weekday(), Weekday::Fri);
        let expiration = Calendar::Nyse.monthly_expiration(year, month).unwrap();
        assert_eq!(expiration, day(cells[3]), "{line}");
        assert!(Calendar::Nyse.is_monthly_expiration(expiration));
        assert_eq!(expiration != third_friday, cells[5] == "1", "{line}");
        let [am, pm] = ["SPX", "IBM"]
            .map(|root| Calendar::Nyse.last_trade(expiration, Convention::of_root(root)));
        assert_eq!(am, day(cells[4]), "{line}");
        assert_eq!(pm, expiration, "{line}");
        rows += 1;
    }
    assert_eq!(rows, 492);
}

#[test]
fn shipped_tapes_have_a_row_on_every_session_and_on_no_other_day() {
    for file in [
        "indices/SPX.csv",
        "indices/IXIC.csv",
        "stocks/AAPL.csv",
        "stocks/GOOG.csv",
        "stocks/IBM.csv",
        "stocks/MSFT.csv",
        "stocks20/closes.csv",
    ] {
        let found = dates_of_file(&root().join("data").join(file));
        let (first, last) = (found[0], found[found.len() - 1]);
        let expected: Vec<NaiveDate> = first
            .iter_days()
            .take_while(|d| *d <= last)
            .filter(|d| Calendar::Nyse.is_session(*d))
            .collect();
        assert_eq!(found.len(), expected.len(), "{file}");
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn long_public_tapes_agree_with_the_sessions() {
    let shared = root().join("../shared/data");
    // What the tapes are known to have wrong: EEM lacks one session, the Dow panel has an empty
    // row on the day of hurricane Gloria.
    for (file, wrong) in [
        ("index/sp500_close_1990_2022.csv", 0),
        ("equities/ohlcv/SPY.csv", 0),
        ("equities/ohlcv/EEM.csv", 1),
        ("gpl/dow30_adjclose_1980_2015.csv", 1),
    ] {
        let path = shared.join(file);
        if !path.exists() {
            println!("skipped: {} is absent", path.display());
            continue;
        }
        let found = dates_of_file(&path);
        let (first, last) = (found[0], found[found.len() - 1]);
        let mut differences = Vec::new();
        for date in first.iter_days().take_while(|d| *d <= last) {
            if Calendar::Nyse.is_session(date) != found.binary_search(&date).is_ok() {
                differences.push(date);
            }
        }
        assert_eq!(differences.len(), wrong, "{file}: {differences:?}");
    }
}

#[test]
fn years_have_the_number_of_sessions_that_the_exchange_counts() {
    // Sessions a year as the exchange publishes them, with their reasons for being odd.
    for (year, expected) in [
        (1953, 251),
        (1968, 226), // paperwork Wednesdays
        (1996, 254),
        (2001, 248), // four days in September
        (2008, 253),
        (2012, 250), // hurricane Sandy
        (2018, 251), // one day of mourning
        (2022, 251), // the first Juneteenth
        (2025, 250), // one day of mourning
        (2026, 251),
    ] {
        let count = dates(&format!("{year}-01-01"), &format!("{year}-12-31"))
            .filter(|d| Calendar::Nyse.is_session(*d))
            .count();
        assert_eq!(count, expected, "{year}");
    }
}

#[test]
fn holidays_fall_as_their_rules_say() {
    let nyse = Calendar::Nyse;
    for closed in [
        "1954-12-24",
        "1956-12-24",
        "1963-11-25",
        "1969-07-21",
        "1970-07-03",
        "1985-09-27",
        "1999-12-24",
        "2001-09-14",
        "2010-12-24",
        "2012-10-29",
        "2022-06-20",
        "2023-01-02",
        "2027-06-18",
        "1952-06-07",
        "1972-11-07",
        "2000-11-23",
        "1939-11-23",
    ] {
        assert!(!nyse.is_session(day(closed)), "{closed}");
    }
    for open in [
        "2010-12-31",
        "2021-12-31",
        "1997-01-20",
        "2021-06-18",
        "1976-11-03",
        "1984-11-06",
        "1952-05-24",
        "1953-07-03",
        "1970-05-29",
        "2020-06-19",
        "1958-02-21",
        "1939-11-30",
    ] {
        assert!(nyse.is_session(day(open)), "{open}");
    }
    assert!(nyse.is_scheduled_session(day("2001-09-11")));
    assert_eq!(nyse.next_session(day("2001-09-10")), day("2001-09-17"));
    assert_eq!(
        nyse.next_scheduled_session(day("2001-09-10")),
        day("2001-09-11")
    );
    assert_eq!(nyse.prev_session(day("2007-01-03")), day("2006-12-29"));
    assert_eq!(
        nyse.sessions_between(day("2001-09-10"), day("2001-09-18")),
        2
    );
    assert_eq!(
        nyse.sessions_between(day("2001-09-10"), day("2001-09-10")),
        0
    );
    assert_eq!(
        nyse.sessions_before(day("2001-09-18"), 2),
        day("2001-09-10")
    );
}

#[test]
fn half_days_close_at_one() {
    let one = Some(13 * 60 * MINUTE);
    for half in [
        "2013-11-29",
        "2013-07-03",
        "2014-12-24",
        "2023-07-03",
        "2002-07-05",
        "2024-12-24",
    ] {
        assert_eq!(Calendar::Nyse.session_close(day(half)), one, "{half}");
    }
    for whole in [
        "2013-11-27",
        "2012-07-02",
        "1996-07-03",
        "2015-07-02",
        "2021-12-23",
        "2002-07-03",
    ] {
        assert_eq!(
            Calendar::Nyse.session_close(day(whole)),
            Some(16 * 60 * MINUTE),
            "{whole}"
        );
    }
}

#[test]
fn calendars_are_told_from_dates() {
    let nyse = sessions(Calendar::Nyse, "2001-01-01", "2004-12-31");
    assert_eq!(Calendar::infer(&nyse), Calendar::Nyse);
    let weekdays = sessions(Calendar::Weekdays, "2001-01-01", "2004-12-31");
    assert_eq!(Calendar::infer(&weekdays), Calendar::Weekdays);
    let all = sessions(Calendar::AllDays, "2001-01-01", "2001-03-31");
    assert_eq!(Calendar::infer(&all), Calendar::AllDays);
    let saturdays = sessions(Calendar::Nyse, "1930-01-01", "1935-12-31");
    assert_eq!(Calendar::infer(&saturdays), Calendar::Nyse);
    let weekly: Vec<Micros> = nyse
        .iter()
        .copied()
        .filter(|t| date_of(*t).weekday() == Weekday::Fri)
        .collect();
    assert_eq!(Interval::infer(&weekly), Interval::Week);
    assert_eq!(Calendar::infer(&weekly), Calendar::None);
    let monthly: Vec<Micros> = dates("2001-01-01", "2009-12-31")
        .filter(|d| d.day() == 1)
        .map(midnight)
        .collect();
    assert_eq!(Interval::infer(&monthly), Interval::Month);
    assert_eq!(Calendar::infer(&monthly), Calendar::None);
    assert_eq!(Calendar::infer(&[]), Calendar::None);
    for calendar in [
        Calendar::Nyse,
        Calendar::Weekdays,
        Calendar::AllDays,
        Calendar::None,
    ] {
        assert_eq!(Calendar::parse(calendar.name()), Some(calendar));
    }
    assert_eq!(Calendar::parse("lse"), None);
}

fn fired(time: &[Micros], period: Period, calendar: Calendar) -> Vec<String> {
    period_ends(time, period, calendar)
        .iter()
        .zip(time)
        .filter(|(ends, _)| **ends)
        .map(|(_, t)| date_of(*t).to_string())
        .collect()
}

#[test]
fn months_and_weeks_end_on_their_last_scheduled_session() {
    let time = sessions(Calendar::Nyse, "2013-03-01", "2013-06-05");
    assert_eq!(
        fired(&time, Period::Month, Calendar::Nyse),
        ["2013-03-28", "2013-04-30", "2013-05-31"],
        "Good Friday was 2013-03-29"
    );
    assert_eq!(
        fired(&time, Period::Quarter, Calendar::Nyse),
        ["2013-03-28"]
    );
    let weeks = fired(&time, Period::Week, Calendar::Nyse);
    assert_eq!(
        weeks[..5],
        [
            "2013-03-01",
            "2013-03-08",
            "2013-03-15",
            "2013-03-22",
            "2013-03-28"
        ]
    );
    assert_eq!(
        fired(&time, Period::Month, Calendar::None),
        ["2013-04-01", "2013-05-01", "2013-06-03"]
    );
    assert_eq!(
        fired(&time, Period::Day, Calendar::Nyse).len(),
        time.len(),
        "every daily bar is the last of its day"
    );
}

#[test]
fn a_closure_nobody_planned_moves_the_end_to_the_next_bar() {
    // Friday 2001-09-14 was closed: the week of Monday 10 had one bar and was known complete on
    // Monday 17. Monday 1969-03-31 was closed: the quarter was known complete on April 1.
    let september = sessions(Calendar::Nyse, "2001-09-04", "2001-09-28");
    assert_eq!(
        fired(&september, Period::Week, Calendar::Nyse),
        ["2001-09-07", "2001-09-17", "2001-09-21", "2001-09-28"]
    );
    let spring = sessions(Calendar::Nyse, "1969-03-03", "1969-04-30");
    assert_eq!(
        fired(&spring, Period::Quarter, Calendar::Nyse),
        ["1969-04-01"]
    );
    assert_eq!(
        fired(&spring, Period::Month, Calendar::Nyse),
        ["1969-04-01", "1969-04-30"]
    );
}

#[test]
fn a_missing_last_bar_moves_the_end_to_the_next_bar() {
    let mut time = sessions(Calendar::Nyse, "2013-04-01", "2013-06-28");
    time.retain(|t| date_of(*t) != day("2013-04-30"));
    assert_eq!(
        fired(&time, Period::Month, Calendar::Nyse),
        ["2013-05-01", "2013-05-31", "2013-06-28"]
    );
}

#[test]
fn weekly_and_monthly_bars_end_at_least_their_own_period() {
    let monthly: Vec<Micros> = dates("2001-01-01", "2002-12-31")
        .filter(|d| d.day() == 1)
        .map(midnight)
        .collect();
    assert!(
        period_ends(&monthly, Period::Month, Calendar::None)
            .iter()
            .all(|e| *e)
    );
    assert!(
        period_ends(&monthly, Period::Week, Calendar::None)
            .iter()
            .all(|e| *e)
    );
    assert_eq!(
        fired(&monthly, Period::Year, Calendar::None),
        ["2001-12-01", "2002-12-01"]
    );
    let weekly: Vec<Micros> = dates("2001-01-01", "2001-03-31")
        .filter(|d| d.weekday() == Weekday::Mon)
        .map(midnight)
        .collect();
    assert!(
        period_ends(&weekly, Period::Week, Calendar::None)
            .iter()
            .all(|e| *e)
    );
    assert_eq!(
        fired(&weekly, Period::Month, Calendar::None),
        ["2001-01-29", "2001-02-26", "2001-03-26"]
    );
}

/// Bars of `minutes` from `open` to `close` (minutes after midnight) on each date.
fn intraday(dates: &[Micros], minutes: i64, open: i64, close: i64) -> Vec<Micros> {
    dates
        .iter()
        .flat_map(|d| {
            (open..close)
                .step_by(minutes as usize)
                .map(move |m| d + m * MINUTE)
        })
        .collect()
}

#[test]
fn an_intraday_day_ends_with_its_session_once_a_day_has_shown_it() {
    let days = sessions(Calendar::Nyse, "2013-11-25", "2013-12-03");
    let mut time = intraday(&days, 60, 570, 960);
    // The half day after Thanksgiving closes at 13:00.
    time.retain(|t| {
        date_of(*t) != day("2013-11-29") || t.rem_euclid(DAY_MICROS) < 13 * 60 * MINUTE
    });
    let ends = period_ends(&time, Period::Day, Calendar::Nyse);
    let fired: Vec<String> = time
        .iter()
        .zip(&ends)
        .filter(|(_, e)| **e)
        .map(|(t, _)| papertape::market::show_time(*t))
        .collect();
    assert_eq!(
        fired
            .iter()
            .map(|s| s[..16].replace('T', " "))
            .collect::<Vec<_>>(),
        [
            "2013-11-26 09:30", // the first day shows the hours, so it ends with the next one
            "2013-11-26 15:30",
            "2013-11-27 15:30",
            "2013-11-29 12:30",
            "2013-12-02 15:30",
            "2013-12-03 15:30",
        ]
    );
    let months = period_ends(&time, Period::Month, Calendar::Nyse);
    assert_eq!(months.iter().filter(|e| **e).count(), 1);
    let extended = intraday(&days, 30, 240, 1200);
    let ends = period_ends(&extended, Period::Day, Calendar::Nyse);
    let firsts: Vec<bool> = period_starts(&extended, Period::Day, Calendar::Nyse);
    assert!(!ends[0]);
    assert_eq!(
        ends[1..],
        firsts[1..],
        "with extended hours the next day's first bar tells"
    );
}

#[test]
fn currencies_trade_around_the_clock_and_open_on_sunday() {
    let mut time = Vec::new();
    for date in dates("2017-01-02", "2017-03-31") {
        let hours = match date.weekday() {
            Weekday::Sat => 0..0,
            Weekday::Sun => 22..24,
            Weekday::Fri => 0..22,
            _ => 0..24,
        };
        time.extend(hours.map(|h| midnight(date) + h * 60 * MINUTE));
    }
    let year = periods_a_year(&time);
    assert_eq!(year.bars_a_year, 6240.0);
    assert_eq!((year.sessions_a_year, year.bars_a_session), (260.0, 24.0));
    assert!(year.is_intraday);
    assert_eq!(Calendar::infer(&time), Calendar::Weekdays);
    let ends = period_ends(&time, Period::Week, Calendar::Weekdays);
    let first_end = time[ends.iter().position(|e| *e).unwrap()];
    // Friday's last bar does not reach midnight, so Sunday evening, Monday's session, tells.
    assert_eq!(first_end, midnight(day("2017-01-08")) + 22 * 60 * MINUTE);
}

#[test]
fn bars_a_year_of_the_usual_tapes() {
    let days = sessions(Calendar::Nyse, "2013-10-01", "2013-12-31");
    let minutes = periods_a_year(&intraday(&days, 1, 570, 960));
    assert_eq!(minutes.bars_a_year, 98_280.0);
    assert_eq!(minutes.sessions_a_year, 252.0);
    assert_eq!(periods_a_year(&days).bars_a_year, 252.0);
    let all = sessions(Calendar::AllDays, "2013-10-01", "2013-12-31");
    assert_eq!(periods_a_year(&all).bars_a_year, 365.0);
    assert_eq!(
        periods_a_year(&intraday(&all, 60, 0, 1440)).bars_a_year,
        8760.0
    );
    let weekly: Vec<Micros> = (0..60).map(|w| w * 7 * DAY_MICROS).collect();
    assert_eq!(periods_a_year(&weekly).bars_a_year, 52.0);
    let monthly: Vec<Micros> = dates("2001-01-01", "2009-12-31")
        .filter(|d| d.day() == 1)
        .map(midnight)
        .collect();
    assert_eq!(periods_a_year(&monthly).bars_a_year, 12.0);
    // Ten-second bars: 2,340 in a session.
    let open = |d: &Micros| d + 570 * MINUTE;
    let seconds: Vec<Micros> = days
        .iter()
        .flat_map(|d| (0..2340).map(move |i| open(d) + i * MINUTE / 6))
        .collect();
    assert_eq!(periods_a_year(&seconds).bars_a_year, 252.0 * 2340.0);
    // One stray Saturday makes no seven-day market.
    let mut stray = days.clone();
    stray.push(midnight(day("2013-11-02")));
    stray.sort_unstable();
    assert_eq!(periods_a_year(&stray).bars_a_year, 252.0);
    assert_eq!(periods_a_year(&[]).bars_a_year, 252.0);
}

#[test]
fn intervals_are_read_and_told() {
    for (text, interval) in [
        ("1m", Interval::Minutes(1)),
        ("5m", Interval::Minutes(5)),
        ("1h", Interval::Minutes(60)),
        ("1d", Interval::Day),
        ("1w", Interval::Week),
        ("1mo", Interval::Month),
    ] {
        assert_eq!(Interval::parse(text), Some(interval));
        assert_eq!(interval.name(), text);
    }
    for wrong in [
        "",
        "m",
        "0m",
        "2d",
        "1y",
        "-1m",
        "1440m",
        "99999999999m",
        "1 d",
        "é",
    ] {
        assert_eq!(Interval::parse(wrong), None, "{wrong}");
    }
    assert!(Interval::Minutes(1) < Interval::Minutes(5) && Interval::Minutes(600) < Interval::Day);
    assert!(Interval::Day < Interval::Week && Interval::Week < Interval::Month);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cutting the tape changes nothing before the cut: no rule looks at the next bar.
    #[test]
    fn period_ends_see_no_future(
        steps in prop::collection::vec(prop_oneof![Just(30_i64), 1_i64..3000, 1000_i64..30_000], 2..200),
        cut in 0.0_f64..1.0,
        start in 0_i64..20_000,
    ) {
        let mut at = start * DAY_MICROS;
        let time: Vec<Micros> = steps.iter().map(|s| { at += s * MINUTE; at }).collect();
        let cut = 1 + (cut * (time.len() - 1) as f64) as usize;
        for calendar in [Calendar::Nyse, Calendar::Weekdays, Calendar::AllDays, Calendar::None] {
            for interval in [Interval::Minutes(30), Interval::Day, Interval::Week, Interval::Month] {
                for period in [Period::Day, Period::Week, Period::Month, Period::Quarter, Period::Year] {
                    let whole = period_ends_of(&time, period, calendar, interval);
                    let part = period_ends_of(&time[..cut], period, calendar, interval);
                    prop_assert_eq!(&whole[..cut], &part[..]);
                }
            }
        }
    }

    /// Every finished period fires once: as often as a new period begins, one more or less.
    #[test]
    fn each_period_ends_once(steps in prop::collection::vec(1_i64..9, 2..300), start in 0_i64..18_000) {
        let mut at = start;
        let time: Vec<Micros> = steps.iter().map(|s| { at += s; at * DAY_MICROS }).collect();
        for calendar in [Calendar::Nyse, Calendar::Weekdays, Calendar::AllDays, Calendar::None] {
            let ends = period_ends_of(&time, Period::Month, calendar, Interval::Day);
            let months = time.chunk_by(|a, b| {
                Period::Month.index(calendar.session_of(*a)) == Period::Month.index(calendar.session_of(*b))
            }).count();
            let fired = ends.iter().filter(|e| **e).count();
            prop_assert!(fired <= months);
            // Two ends fall on one bar when a period's only bar tells of the one before.
            prop_assert!(2 * fired + 1 >= months, "{} of {}", fired, months);
        }
    }
}
