//! The sessions of the New York Stock Exchange: rules with the years they held, and the days that
//! followed no rule.
//!
//! Weekdays are complete from 1900; Saturday sessions (to 1952) follow their rules and the known
//! exceptions from 1928 on. Sources: the exchange's own list of holidays and special closings
//! since 1885; the tests hold it against real tapes and published expiry dates.

// Dates are written as year_month_day.
#![allow(clippy::inconsistent_digit_grouping)]

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Whether the exchange opened on that date.
pub(super) fn is_session(date: NaiveDate) -> bool {
    is_scheduled_session(date) && !is_unplanned_closure(date)
}

/// Whether the exchange was to open on that date by its rules and announcements.
pub(super) fn is_scheduled_session(date: NaiveDate) -> bool {
    !is_closed_weekend(date) && !is_regular_holiday(date) && !is_announced_closure(date)
}

/// The Saturday before the summer after which Saturdays stayed closed (key of a date).
const LAST_SATURDAY_SESSION: u32 = 1952_05_24;

/// The date as a number: year, month, day.
fn key(date: NaiveDate) -> u32 {
    (date.year().max(0) as u32) * 10_000 + date.month() * 100 + date.day()
}

/// Sundays, and Saturdays after the last Saturday session.
fn is_closed_weekend(date: NaiveDate) -> bool {
    match date.weekday() {
        Weekday::Sun => true,
        Weekday::Sat => key(date) > LAST_SATURDAY_SESSION || is_closed_saturday(date),
        _ => false,
    }
}

/// Saturdays without a session while Saturdays had one: the summers of 1945 to 1951 (five-day
/// weeks), and single days before a holiday or while the paperwork was caught up with.
fn is_closed_saturday(date: NaiveDate) -> bool {
    let day = date.month() * 100 + date.day();
    match date.year() {
        1945 if (707..=901).contains(&day) => true,
        1946..=1951 if (528..=930).contains(&day) => true,
        _ => CLOSED_SATURDAYS.binary_search(&key(date)).is_ok(),
    }
}

/// The nth weekday of a month.
fn is_nth(date: NaiveDate, month: u32, weekday: Weekday, n: u32) -> bool {
    date.month() == month && date.weekday() == weekday && (date.day() - 1) / 7 + 1 == n
}

/// The last such weekday of a month.
fn is_last(date: NaiveDate, month: u32, weekday: Weekday) -> bool {
    date.month() == month
        && date.weekday() == weekday
        && date
            .checked_add_days(Days::new(7))
            .is_none_or(|d| d.month() != month)
}

/// A fixed date, kept on the Monday when it is a Sunday, and on the Friday when it is a Saturday
/// and `on_friday`.
fn is_kept(date: NaiveDate, month: u32, day: u32, on_friday: bool) -> bool {
    let is_it = |d: Option<NaiveDate>| d.is_some_and(|d| d.month() == month && d.day() == day);
    is_it(Some(date))
        || (date.weekday() == Weekday::Mon && is_it(date.pred_opt()))
        || (on_friday && date.weekday() == Weekday::Fri && is_it(date.succ_opt()))
}

/// The holidays of the year's rules.
fn is_regular_holiday(date: NaiveDate) -> bool {
    let year = date.year();
    match date.month() {
        // Never the Friday before: the last session of a year closes its books.
        1 => is_kept(date, 1, 1, false) || (year >= 1998 && is_nth(date, 1, Weekday::Mon, 3)),
        2 if year >= 1971 => is_nth(date, 2, Weekday::Mon, 3),
        2 => {
            is_kept(date, 2, 22, year >= 1964)
                || ((1896..=1953).contains(&year) && is_kept(date, 2, 12, false))
        }
        3 | 4 => is_good_friday(date) && !matches!(year, 1898 | 1906 | 1907),
        5 if year >= 1971 => is_last(date, 5, Weekday::Mon),
        5 | 6 => {
            (year < 1971 && is_kept(date, 5, 30, year == 1964))
                || (year >= 2022 && is_kept(date, 6, 19, true))
        }
        7 => is_kept(date, 7, 4, year >= 1954),
        9 => is_nth(date, 9, Weekday::Mon, 1),
        10 => (1909..=1953).contains(&year) && is_kept(date, 10, 12, false),
        11 => is_november_holiday(date),
        12 => is_kept(date, 12, 25, year >= 1954),
        _ => false,
    }
}

/// Election day, Armistice day, Thanksgiving.
fn is_november_holiday(date: NaiveDate) -> bool {
    let year = date.year();
    let is_election = date.weekday() == Weekday::Tue && (2..=8).contains(&date.day());
    let thanksgiving = match year {
        ..=1938 => is_last(date, 11, Weekday::Thu),
        1939..=1941 => is_last_thursday_but_one(date),
        _ => is_nth(date, 11, Weekday::Thu, 4),
    };
    thanksgiving
        || (is_election && (year <= 1968 || matches!(year, 1972 | 1976 | 1980)))
        || ((1934..=1953).contains(&year) && is_kept(date, 11, 11, false))
}

/// The Thursday a week before the last one, which was Thanksgiving from 1939 to 1941.
fn is_last_thursday_but_one(date: NaiveDate) -> bool {
    date.checked_add_days(Days::new(7))
        .is_some_and(|d| is_last(d, 11, Weekday::Thu))
}

/// Friday before Easter Sunday of the Gregorian calendar (the anonymous computus of 1876).
fn is_good_friday(date: NaiveDate) -> bool {
    if date.weekday() != Weekday::Fri {
        return false;
    }
    let year = date.year();
    let (a, b, c) = (
        year.rem_euclid(19),
        year.div_euclid(100),
        year.rem_euclid(100),
    );
    let (d, e) = (b / 4, b % 4);
    let f = (b + 8) / 25;
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15).rem_euclid(30);
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (a + 11 * h + 22 * l) / 451;
    let march_days = h + l - 7 * m + 22;
    NaiveDate::from_ymd_opt(year, 3, 1)
        .and_then(|d| d.checked_add_days(Days::new(u64::try_from(march_days - 3).ok()?)))
        .is_some_and(|friday| friday == date)
}

/// Closures beyond the rules that were announced weeks ahead.
fn is_announced_closure(date: NaiveDate) -> bool {
    ANNOUNCED.binary_search(&key(date)).is_ok()
}

/// Closures that no one could plan with.
fn is_unplanned_closure(date: NaiveDate) -> bool {
    let key = key(date);
    UNPLANNED.binary_search(&key).is_ok()
        || (1914_07_31..=1914_12_11).contains(&key)
        || (1933_03_04..=1933_03_14).contains(&key)
}

/// Bridging days, and the Wednesdays of 1968 on which the paperwork was caught up with.
const ANNOUNCED: &[u32] = &[
    1900_12_24, 1901_07_05, 1929_11_01, 1929_11_29, 1945_12_24, 1956_12_24, 1958_12_26, 1961_05_29,
    1968_02_12, 1968_06_12, 1968_06_19, 1968_06_26, 1968_07_05, 1968_07_10, 1968_07_17, 1968_07_24,
    1968_07_31, 1968_08_07, 1968_08_14, 1968_08_21, 1968_08_28, 1968_09_11, 1968_09_18, 1968_09_25,
    1968_10_02, 1968_10_09, 1968_10_16, 1968_10_23, 1968_10_30, 1968_11_11, 1968_11_20, 1968_12_04,
    1968_12_11, 1968_12_18,
];

/// Single Saturdays from 1928 on.
const CLOSED_SATURDAYS: &[u32] = &[
    1928_04_07, 1928_04_21, 1928_05_05, 1928_05_12, 1928_05_19, 1928_05_26, 1928_11_24, 1929_02_09,
    1929_02_23, 1929_03_30, 1929_08_31, 1929_11_02, 1929_11_09, 1929_11_16, 1929_11_23, 1929_11_30,
    1930_04_19, 1930_05_31, 1930_07_05, 1930_08_30, 1931_09_05, 1931_12_26, 1932_07_02, 1933_01_07,
    1933_07_29, 1933_08_05, 1933_08_12, 1933_08_19, 1933_08_26, 1933_09_02, 1936_12_26, 1937_05_29,
    1937_07_03, 1944_08_19, 1944_08_26, 1944_09_02, 1945_04_14, 1945_10_13, 1945_10_27, 1946_02_23,
    1946_05_25, 1948_01_03, 1949_12_24, 1950_12_23,
];

/// Wars, funerals, storms, failures, victories.
const UNPLANNED: &[u32] = &[
    1901_09_19, // funeral of President McKinley
    1903_04_22, // opening of the new building
    1917_06_05, // draft registration
    1918_01_28, // coal shortage: heatless Mondays
    1918_02_04, 1918_02_11, 1918_09_12, // draft registration
    1918_11_11, // armistice
    1919_03_25, // return of the 27th Division
    1919_05_06, // return of the 77th Division
    1919_09_10, // return of General Pershing
    1921_11_11, // burial of the Unknown Soldier
    1923_08_03, // death of President Harding
    1923_08_10, // his funeral
    1927_06_13, // parade for Lindbergh
    1945_08_15, // victory over Japan
    1945_08_16, 1963_11_25, // funeral of President Kennedy
    1968_04_09, // mourning for Martin Luther King
    1969_02_10, // snow
    1969_03_31, // funeral of President Eisenhower
    1969_07_21, // moon landing
    1972_12_28, // funeral of President Truman
    1973_01_25, // funeral of President Johnson
    1977_07_14, // blackout
    1985_09_27, // hurricane Gloria
    1994_04_27, // funeral of President Nixon
    2001_09_11, // attack on the World Trade Center
    2001_09_12, 2001_09_13, 2001_09_14, 2004_06_11, // mourning for President Reagan
    2007_01_02, // mourning for President Ford
    2012_10_29, // hurricane Sandy
    2012_10_30, 2018_12_05, // mourning for President G. H. W. Bush
    2025_01_09, // mourning for President Carter
];

/// Sessions that close at 13:00: the day after Thanksgiving (from 1992), Christmas Eve, the day
/// before Independence Day, and the Fridays after a Thursday holiday in four years. Two o'clock
/// closes before 1993 count too.
pub(super) fn is_half_day(date: NaiveDate) -> bool {
    let year = date.year();
    let weekday = date.weekday();
    let is_midweek = !matches!(weekday, Weekday::Fri | Weekday::Sat | Weekday::Sun);
    match (date.month(), date.day()) {
        (11, 23..=29) => year >= 1992 && weekday == Weekday::Fri,
        (12, 24) => year >= 1990 && is_midweek,
        (7, 3) => year >= 1995 && is_midweek && (year >= 2013 || weekday != Weekday::Wed),
        (7, 5) => matches!(year, 1996 | 2002) && weekday == Weekday::Fri,
        (12, 26) => matches!(year, 1997 | 2003),
        _ => false,
    }
}
