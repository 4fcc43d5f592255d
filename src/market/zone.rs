//! Wall clocks of named zones, for Parquet columns that store UTC and name a zone.
//!
//! Text files show their wall clock and need none of this. The zones are those of the large
//! exchanges; rules reach back to 1967 (United States) and 1981 (Europe), which is earlier than
//! anyone's intraday prices. Sources: Uniform Time Act of 1966 with its amendments of 1973, 1986
//! and 2005; directives of the European Communities and Union on summer time.

use crate::market::moment::days_from_date;
use crate::units::{DAY_MICROS, Micros};

const HOUR: Micros = 3_600_000_000;

/// How a zone's clock differs from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// The same offset all year, in microseconds east of Greenwich.
    Fixed(Micros),
    /// Standard offset; an hour more in the summer time of the United States.
    UnitedStates(Micros),
    /// Standard offset; an hour more in European summer time.
    Europe(Micros),
}

/// Makes a zone of its standard offset.
type Rule = fn(Micros) -> Zone;

/// The zones known by name: (name, hours east, rule).
const NAMES: [(&str, i64, Rule); 23] = [
    ("UTC", 0, Zone::Fixed),
    ("Etc/UTC", 0, Zone::Fixed),
    ("GMT", 0, Zone::Fixed),
    ("Z", 0, Zone::Fixed),
    ("America/New_York", -5, Zone::UnitedStates),
    ("US/Eastern", -5, Zone::UnitedStates),
    ("America/Toronto", -5, Zone::UnitedStates),
    ("America/Chicago", -6, Zone::UnitedStates),
    ("US/Central", -6, Zone::UnitedStates),
    ("America/Denver", -7, Zone::UnitedStates),
    ("America/Los_Angeles", -8, Zone::UnitedStates),
    ("Europe/London", 0, Zone::Europe),
    ("Europe/Paris", 1, Zone::Europe),
    ("Europe/Berlin", 1, Zone::Europe),
    ("Europe/Amsterdam", 1, Zone::Europe),
    ("Europe/Zurich", 1, Zone::Europe),
    ("Europe/Madrid", 1, Zone::Europe),
    ("Europe/Stockholm", 1, Zone::Europe),
    ("Europe/Warsaw", 1, Zone::Europe),
    ("Asia/Tokyo", 9, Zone::Fixed),
    ("Asia/Hong_Kong", 8, Zone::Fixed),
    ("Asia/Shanghai", 8, Zone::Fixed),
    ("Asia/Singapore", 8, Zone::Fixed),
];

impl Zone {
    /// A zone by its name in the IANA data base, or an offset such as `+05:30`.
    pub(crate) fn find(name: &str) -> Option<Zone> {
        if let Some((_, hours, rule)) = NAMES.iter().find(|(known, _, _)| *known == name) {
            return Some(rule(hours * HOUR));
        }
        let sign = match name.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let digits: Vec<i64> = name
            .chars()
            .skip(1)
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(10).map(i64::from))
            .collect::<Option<_>>()?;
        let [h1, h0, m1, m0] = digits[..] else {
            return None;
        };
        Some(Zone::Fixed(
            sign * ((h1 * 10 + h0) * HOUR + (m1 * 10 + m0) * HOUR / 60),
        ))
    }

    /// The wall clock of the zone at a moment in UTC.
    pub(crate) fn wall_clock(self, utc: Micros) -> Micros {
        match self {
            Zone::Fixed(offset) => utc + offset,
            Zone::UnitedStates(offset) => {
                let (from, to) = summer_united_states(year_of(utc + offset));
                // The clock goes forward at 2:00 standard and back at 2:00 summer time.
                let standard = utc + offset;
                let summer = from + 2 * HOUR <= standard && standard < to + HOUR;
                standard + if summer { HOUR } else { 0 }
            }
            Zone::Europe(offset) => {
                let (from, to) = summer_europe(year_of(utc));
                // Both changes are at 1:00 UTC in every zone.
                let summer = from + HOUR <= utc && utc < to + HOUR;
                utc + offset + if summer { HOUR } else { 0 }
            }
        }
    }
}

fn year_of(time: Micros) -> i64 {
    let mut year = 1970 + time.div_euclid(DAY_MICROS) * 400 / 146_097;
    while midnight(year, 1, 1) > time {
        year -= 1;
    }
    while midnight(year + 1, 1, 1) <= time {
        year += 1;
    }
    year
}

/// Midnight of a date; the extreme ends of the axis stand for years outside 1000 to 9999.
fn midnight(year: i64, month: i64, day: i64) -> Micros {
    let outside = if year < 1000 {
        Micros::MIN
    } else {
        Micros::MAX
    };
    days_from_date(year, month, day).map_or(outside, |days| days * DAY_MICROS)
}

/// Midnight of the first Sunday on or after a date.
fn sunday_from(year: i64, month: i64, day: i64) -> Micros {
    let from = midnight(year, month, day);
    // 1970-01-01 was a Thursday: three days later came a Sunday.
    let weekday = (from.div_euclid(DAY_MICROS) + 4).rem_euclid(7);
    from.saturating_add((7 - weekday) % 7 * DAY_MICROS)
}

/// The Sundays between which the United States keep summer time.
fn summer_united_states(year: i64) -> (Micros, Micros) {
    match year {
        ..1967 => (Micros::MAX - 2 * HOUR, Micros::MAX - 2 * HOUR),
        1974 => (midnight(year, 1, 6), sunday_from(year, 10, 25)),
        1975 => (midnight(year, 2, 23), sunday_from(year, 10, 25)),
        1967..=1986 => (sunday_from(year, 4, 24), sunday_from(year, 10, 25)),
        1987..=2006 => (sunday_from(year, 4, 1), sunday_from(year, 10, 25)),
        2007.. => (sunday_from(year, 3, 8), sunday_from(year, 11, 1)),
    }
}

/// The Sundays between which Europe keeps summer time.
fn summer_europe(year: i64) -> (Micros, Micros) {
    match year {
        ..1981 => (Micros::MAX - HOUR, Micros::MAX - HOUR),
        1981..=1995 => (sunday_from(year, 3, 25), sunday_from(year, 9, 24)),
        1996.. => (sunday_from(year, 3, 25), sunday_from(year, 10, 25)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::moment::parse;

    fn wall(zone: &str, utc: &str) -> Micros {
        Zone::find(zone)
            .unwrap()
            .wall_clock(parse(utc.as_bytes()).unwrap())
    }

    #[test]
    fn changes_of_the_clock() {
        let cases = [
            ("America/New_York", "2020-01-02 14:30", "2020-01-02 09:30"),
            ("America/New_York", "2020-03-08 06:59", "2020-03-08 01:59"),
            ("America/New_York", "2020-03-08 07:00", "2020-03-08 03:00"),
            ("America/New_York", "2020-11-01 05:59", "2020-11-01 01:59"),
            ("America/New_York", "2020-11-01 06:00", "2020-11-01 01:00"),
            ("America/New_York", "2006-03-20 14:30", "2006-03-20 09:30"),
            ("America/New_York", "2006-04-03 13:30", "2006-04-03 09:30"),
            ("America/New_York", "1986-04-28 13:30", "1986-04-28 09:30"),
            ("America/Chicago", "2019-12-31 23:00", "2019-12-31 17:00"),
            ("Europe/London", "2020-03-29 00:59", "2020-03-29 00:59"),
            ("Europe/London", "2020-03-29 01:00", "2020-03-29 02:00"),
            ("Europe/Berlin", "2020-10-25 00:59", "2020-10-25 02:59"),
            ("Europe/Berlin", "2020-10-25 01:00", "2020-10-25 02:00"),
            ("Asia/Tokyo", "2020-06-01 00:00", "2020-06-01 09:00"),
            ("+05:30", "2020-06-01 04:00", "2020-06-01 09:30"),
        ];
        for (zone, utc, expected) in cases {
            assert_eq!(
                Some(wall(zone, utc)),
                parse(expected.as_bytes()),
                "{zone} {utc}"
            );
        }
        assert_eq!(Zone::find("Mars/Olympus"), None);
    }
}
