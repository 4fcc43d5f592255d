//! The text and numbers that files write for moments, read to wall-clock microseconds.
//!
//! Offsets and zone names are read over: a time keeps the wall clock that the file shows
//! (`09:30-04:00` is 09:30, `14:30Z` is 14:30). Epoch numbers are UTC. Whether a column of moments
//! is daily is not decided here.

use crate::units::{DAY_MICROS, Micros};

const SECOND: Micros = 1_000_000;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, `None` when there is no
/// such date. Years 1000 to 9999.
///
/// Formula: days are counted in 400-year cycles of 146,097 days whose years begin in March, so
/// that the leap day is the last of its year.
pub(crate) fn days_from_date(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [i64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if !(1000..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = if month == 2 && !leap {
        28
    } else {
        LENGTHS[month as usize - 1]
    };
    if day > last {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let (cycle, year_of_cycle) = (y.div_euclid(400), y.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    Some(cycle * 146_097 + day_of_cycle - 719_468)
}

/// One- and two-digit helpers of the fixed-width fast path.
fn two(bytes: &[u8]) -> Option<i64> {
    let (a, b) = (bytes[0].wrapping_sub(b'0'), bytes[1].wrapping_sub(b'0'));
    (a < 10 && b < 10).then(|| i64::from(a) * 10 + i64::from(b))
}

/// Remembers the last date: minute files write the same ten bytes hundreds of times.
#[derive(Debug, Default)]
pub(crate) struct IsoDates {
    text: [u8; 10],
    micros: Micros,
}

impl IsoDates {
    /// `YYYY-MM-DD` with ` HH:MM[:SS]` or `THH:MM[:SS]`, when it is followed by an end of cell
    /// (`delimiter`, CR or LF): the moment and the length read. Anything else is `None` and may
    /// still be a moment for [`parse`].
    pub(crate) fn read(&mut self, bytes: &[u8], delimiter: u8) -> Option<(Micros, usize)> {
        let date = bytes.first_chunk::<10>()?;
        if self.text != *date {
            if date[4] != b'-' || date[7] != b'-' {
                return None;
            }
            let year = two(&date[0..2])? * 100 + two(&date[2..4])?;
            let days = days_from_date(year, two(&date[5..7])?, two(&date[8..10])?)?;
            self.text = *date;
            self.micros = days * DAY_MICROS;
        }
        let ends = |at: usize| {
            bytes
                .get(at)
                .is_some_and(|&b| b == delimiter || b == b'\n' || b == b'\r')
        };
        if ends(10) {
            return Some((self.micros, 10));
        }
        let clock = bytes.get(10..16)?;
        if !(clock[0] == b' ' || clock[0] == b'T') || clock[3] != b':' {
            return None;
        }
        let (hour, minute) = (two(&clock[1..3])?, two(&clock[4..6])?);
        let (second, length) = if ends(16) {
            (0, 16)
        } else {
            let rest = bytes.get(16..19)?;
            if rest[0] != b':' || !ends(19) {
                return None;
            }
            (two(&rest[1..3])?, 19)
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = hour * 3600 + minute * 60 + second;
        Some((self.micros + seconds * SECOND, length))
    }
}

/// A moment in any of the forms that the loader knows; a date alone is its midnight, a month alone
/// its first day.
///
/// `2020-01-02`, `2020/01/02`, `2020.01.02`, `20200102`, `2020-01`, `202001`, `01/02/2020`
/// (month first), `02.01.2020` (day first), `2-Jan-2020`, `Jan 2, 2020`; with a time of day after
/// a space or `T`; epoch seconds, milli-, micro- or nanoseconds by magnitude.
pub(crate) fn parse(cell: &[u8]) -> Option<Micros> {
    let cell = cell.trim_ascii();
    if let Some(number) = parse_integer(cell) {
        return from_number(number, cell.len());
    }
    let (days, used) = parse_date(cell)?;
    let rest = cell[used..].trim_ascii_start();
    let midnight = days * DAY_MICROS;
    if rest.is_empty() {
        return Some(midnight);
    }
    let separated = rest.len() < cell.len() - used || matches!(rest[0], b'T' | b't' | b',' | b';');
    let clock = rest
        .strip_prefix(b"T")
        .or_else(|| rest.strip_prefix(b"t"))
        .or_else(|| rest.strip_prefix(b","))
        .or_else(|| rest.strip_prefix(b";"))
        .unwrap_or(rest);
    if !separated {
        return None;
    }
    Some(midnight + parse_clock(clock)?)
}

/// An integer, or a float without a fraction (`1577923200.0`).
fn parse_integer(cell: &[u8]) -> Option<i64> {
    let whole = match cell.iter().position(|&b| b == b'.') {
        Some(dot) if cell[dot + 1..].iter().all(|&b| b == b'0') => &cell[..dot],
        Some(_) => return None,
        None => cell,
    };
    if whole.is_empty() || whole.len() > 20 {
        return None;
    }
    std::str::from_utf8(whole).ok()?.parse().ok()
}

/// A number as a moment: `YYYYMM`, `YYYYMMDD`, `YYYYMMDDHHMM`, `YYYYMMDDHHMMSS` when it is one,
/// else an epoch whose unit follows from its magnitude.
fn from_number(number: i64, digits: usize) -> Option<Micros> {
    let n = number;
    let day = |n: i64| days_from_date(n / 10_000, n / 100 % 100, n % 100).map(|d| d * DAY_MICROS);
    let clock = |h: i64, m: i64, s: i64| {
        (h < 24 && m < 60 && s < 60).then_some((h * 3600 + m * 60 + s) * SECOND)
    };
    match digits {
        6 => return days_from_date(n / 100, n % 100, 1).map(|d| d * DAY_MICROS),
        8 => return day(n),
        12 | 14 if n > 0 => {
            let to_seconds = if digits == 12 { n.checked_mul(100)? } else { n };
            let date = day(to_seconds / 1_000_000)
                .filter(|_| (1900..2100).contains(&(to_seconds / 10_000_000_000)));
            let time = clock(
                to_seconds / 10_000 % 100,
                to_seconds / 100 % 100,
                to_seconds % 100,
            );
            if let (Some(date), Some(time)) = (date, time) {
                return Some(date + time);
            }
        }
        _ => {}
    }
    from_epoch(n)
}

/// An epoch number in seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude
/// (seconds reach from 1973 to 5138, the others from 1973 on).
pub(crate) fn from_epoch(n: i64) -> Option<Micros> {
    match n.unsigned_abs() {
        0..100_000_000 => None,
        100_000_000..100_000_000_000 => n.checked_mul(SECOND),
        100_000_000_000..100_000_000_000_000 => n.checked_mul(1000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(n),
        _ => Some(n.div_euclid(1000)),
    }
}

/// A date at the start of a cell: days since 1970 and the bytes read.
fn parse_date(cell: &[u8]) -> Option<(i64, usize)> {
    if cell.first()?.is_ascii_alphabetic() {
        return parse_month_first(cell);
    }
    let (a, a_digits) = digits(cell, 0)?;
    if a_digits == 8 {
        let days = days_from_date(a / 10_000, a / 100 % 100, a % 100)?;
        return Some((days, 8));
    }
    let separator = *cell.get(a_digits)?;
    if a_digits <= 2 && matches!(separator, b'-' | b' ') {
        return parse_named_month(cell, a, a_digits + 1);
    }
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let at = a_digits + 1;
    let (b, b_digits) = digits(cell, at)?;
    let at = at + b_digits;
    if b_digits > 2 {
        return None;
    }
    if cell.get(at) != Some(&separator) {
        // A month: its first day.
        let whole = a_digits == 4 && separator == b'-' && at == cell.len();
        return whole
            .then(|| days_from_date(a, b, 1))
            .flatten()
            .map(|d| (d, at));
    }
    let (c, c_digits) = digits(cell, at + 1)?;
    let at = at + 1 + c_digits;
    let days = match (a_digits, separator, c_digits) {
        (4, _, 1..=2) => days_from_date(a, b, c),
        (1..=2, b'/', 4) => days_from_date(c, a, b),
        (1..=2, b'.', 4) => days_from_date(c, b, a),
        _ => None,
    }?;
    Some((days, at))
}

/// `Jan 2, 2020` and `January 2, 2020`.
fn parse_month_first(cell: &[u8]) -> Option<(i64, usize)> {
    let (month, used) = month_name(cell)?;
    let at = skip_spaces(cell, used);
    let (day, day_digits) = digits(cell, at)?;
    let at = at + day_digits;
    let at = skip_spaces(
        cell,
        if cell.get(at) == Some(&b',') {
            at + 1
        } else {
            at
        },
    );
    let (year, year_digits) = digits(cell, at)?;
    let days = days_from_date(year, month, day)?;
    (year_digits == 4).then_some((days, at + year_digits))
}

/// The rest of `2-Jan-2020` or `2 January 2020`, from the month on.
fn parse_named_month(cell: &[u8], day: i64, at: usize) -> Option<(i64, usize)> {
    let (month, used) = month_name(cell.get(at..)?)?;
    let at = at + used;
    if !matches!(cell.get(at)?, b'-' | b' ') {
        return None;
    }
    let (year, year_digits) = digits(cell, at + 1)?;
    let days = days_from_date(year, month, day)?;
    (year_digits == 4).then_some((days, at + 1 + year_digits))
}

/// An English month, in full or by its first three letters: its number and the bytes read.
fn month_name(cell: &[u8]) -> Option<(i64, usize)> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let length = cell.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let word = cell[..length].to_ascii_lowercase();
    let matches = |name: &str| word == name.as_bytes() || word == name.as_bytes()[..3];
    let index = MONTHS.iter().position(|name| matches(name))?;
    Some((index as i64 + 1, length))
}

fn skip_spaces(cell: &[u8], at: usize) -> usize {
    at + cell[at..].iter().take_while(|&&b| b == b' ').count()
}

/// The run of at most nine digits at `at`: its value and how many.
fn digits(cell: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut value = 0;
    let mut count = 0;
    for &b in cell.get(at..)? {
        if !b.is_ascii_digit() {
            break;
        }
        if count == 9 {
            return None;
        }
        value = value * 10 + i64::from(b - b'0');
        count += 1;
    }
    (count > 0).then_some((value, count))
}

/// A time of day: `09:30`, `9:30:00.123`, `093000`, `0930`, with AM or PM, with an offset or a zone
/// name that is read over. Microseconds since midnight.
pub(crate) fn parse_clock(cell: &[u8]) -> Option<Micros> {
    let cell = cell.trim_ascii();
    let (a, a_digits) = digits(cell, 0)?;
    let (mut hour, minute, second, mut at) = if cell.get(a_digits) == Some(&b':') && a_digits <= 2 {
        let (minute, used) = digits(cell, a_digits + 1)?;
        let at = a_digits + 1 + used;
        if used != 2 {
            return None;
        }
        if cell.get(at) == Some(&b':') {
            let (second, used) = digits(cell, at + 1)?;
            (a, minute, (used == 2).then_some(second)?, at + 1 + used)
        } else {
            (a, minute, 0, at)
        }
    } else {
        match a_digits {
            // Stooq writes midnight as 0 and 09:30 as 93000 in some files.
            1 if a == 0 => (0, 0, 0, 1),
            3..=4 => (a / 100, a % 100, 0, a_digits),
            5..=6 => (a / 10_000, a / 100 % 100, a % 100, a_digits),
            _ => return None,
        }
    };
    let mut micros = 0;
    if cell.get(at) == Some(&b'.') {
        let (fraction, used) = fraction_micros(cell, at + 1)?;
        micros = fraction;
        at += 1 + used;
    }
    let mut rest = cell[at..].trim_ascii_start();
    if rest.len() >= 2 && rest[1].eq_ignore_ascii_case(&b'm') {
        let afternoon = rest[0].eq_ignore_ascii_case(&b'p');
        if !(afternoon || rest[0].eq_ignore_ascii_case(&b'a')) || !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if afternoon { 12 } else { 0 };
        rest = rest[2..].trim_ascii_start();
    }
    let valid = hour < 24 && minute < 60 && second < 60 && is_zone(rest);
    valid.then_some((hour * 3600 + minute * 60 + second) * SECOND + micros)
}

/// Digits after the point of a second, cut to microseconds.
fn fraction_micros(cell: &[u8], at: usize) -> Option<(Micros, usize)> {
    let (value, count) = digits(cell, at)?;
    let micros = if count <= 6 {
        value * 10_i64.pow(6 - count as u32)
    } else {
        value / 10_i64.pow(count as u32 - 6)
    };
    Some((micros, count))
}

/// Nothing, `Z`, an offset, or the name of a zone: all that may follow a time of day.
fn is_zone(rest: &[u8]) -> bool {
    let Some(first) = rest.first() else {
        return true;
    };
    if matches!(first, b'+' | b'-') {
        let body = &rest[1..];
        return (2..=8).contains(&body.len())
            && body.iter().all(|b| b.is_ascii_digit() || *b == b':')
            && body[..2].iter().all(u8::is_ascii_digit);
    }
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'-');
    first.is_ascii_alphabetic() && rest.len() <= 40 && rest.iter().all(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(y: i64, mo: i64, d: i64, h: i64, mi: i64, s: i64) -> Option<Micros> {
        days_from_date(y, mo, d).map(|days| days * DAY_MICROS + (h * 3600 + mi * 60 + s) * SECOND)
    }

    #[test]
    fn dates_agree_with_chrono() {
        for days in (-350_000..400_000).step_by(7) {
            let date = chrono::NaiveDate::from_num_days_from_ce_opt(days + 719_163).unwrap();
            let text = date.to_string();
            if text.len() == 10 && &text[..1] != "0" && &text[..1] != "-" {
                assert_eq!(
                    parse(text.as_bytes()),
                    Some(i64::from(days) * DAY_MICROS),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn the_forms_of_vendors() {
        let day = at(2020, 1, 2, 0, 0, 0);
        for text in [
            "2020-01-02",
            "2020/1/2",
            "2020.01.02",
            "20200102",
            "01/02/2020",
            "1/2/2020",
            "02.01.2020",
            "2-Jan-2020",
            "2 January 2020",
            "Jan 2, 2020",
            "Jan 02, 2020",
            " 2020-01-02 ",
            "2020-01-02T00:00:00.000Z",
            "2020-01-02 00:00:00-05:00",
            "20200102000000",
            "1577923200",
            "1577923200000",
            "1577923200000000",
            "1577923200000000000",
            "1577923200.0",
        ] {
            assert_eq!(parse(text.as_bytes()), day, "{text}");
        }
        let open = at(2020, 1, 2, 9, 30, 0);
        for text in [
            "2020-01-02 09:30",
            "2020-01-02T09:30:00",
            "2020-01-02 09:30:00.000000",
            "2020-01-02T09:30:00-05:00",
            "20200102 09:30:00",
            "20200102  09:30:00",
            "20200102 09:30:00 US/Eastern",
            "20200102T093000",
            "202001020930",
            "20200102093000",
            "01/02/2020 9:30 AM",
            "2020.01.02 09:30",
            "2020-01-02 09:30:00 EST",
        ] {
            assert_eq!(parse(text.as_bytes()), open, "{text}");
        }
        assert_eq!(parse(b"01/02/2020 9:30 PM"), at(2020, 1, 2, 21, 30, 0));
        assert_eq!(parse(b"2020-01-02 09:30:00.25"), open.map(|t| t + 250_000));
        assert_eq!(parse(b"2020-01"), at(2020, 1, 1, 0, 0, 0));
        assert_eq!(parse(b"192607"), at(1926, 7, 1, 0, 0, 0));
        assert_eq!(parse_clock(b"0"), Some(0));
        assert_eq!(parse_clock(b"153500"), at(1970, 1, 1, 15, 35, 0));
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            "x",
            "2020-13-01",
            "2020-02-30",
            "31/12/2020",
            "02-01-2020",
            "1/2/20",
            "2020-01-02x",
            "2020-01-02 25:00",
            "2020-01-02 09:30 !",
            "43831",
            "20201301",
            "99999999999999999999",
            "2020-01-02 0930x:",
            "Foo 2, 2020",
            "-",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_fast_path_agrees_with_the_general_one() {
        let mut fast = IsoDates::default();
        for text in [
            "2020-01-02",
            "2020-01-02 09:30",
            "2020-01-02T09:30:15",
            "2021-12-31 23:59:59",
        ] {
            let line = format!("{text},1.0\n");
            assert_eq!(
                fast.read(line.as_bytes(), b','),
                parse(text.as_bytes()).map(|t| (t, text.len()))
            );
        }
        assert_eq!(fast.read(b"2020-01-02 09:30:00Z,1\n", b','), None);
        assert_eq!(fast.read(b"2020-01-02", b','), None);
    }
}
