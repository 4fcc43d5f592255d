//! How a number and a moment become text in files, and nothing about how they look to people
//! (`text.rs` does that).
//!
//! Numbers are the shortest decimals that read back to the same f64, without an exponent; a number
//! that does not exist is an empty cell. Moments are ISO 8601: a date for daily and coarser bars, a
//! date and a time for bars inside a day.

use crate::units::{DAY_MICROS, Micros};
use chrono::{DateTime, NaiveDateTime};
use std::fmt::Write;

/// The shortest decimal that reads back to `value`, without exponent; empty when it is not finite.
/// Negative zero is written as `0`.
pub fn number(value: f64) -> String {
    let mut text = String::new();
    push_number(&mut text, value);
    text
}

/// Appends [`number`] of `value` to `text`.
pub fn push_number(text: &mut String, value: f64) {
    if value.is_finite() {
        // Adding zero turns -0.0 into 0.0 and changes no other value. Writing to a String cannot
        // fail.
        let _ = write!(text, "{}", value + 0.0);
    }
}

/// Whether any of `time` stands inside a day, so that files need the time of day too.
pub fn is_intraday(time: &[Micros]) -> bool {
    time.iter().any(|t| t.rem_euclid(DAY_MICROS) != 0)
}

/// `YYYY-MM-DD`, or `YYYY-MM-DDTHH:MM:SS` when `intraday` (with the fraction of the second only where
/// there is one).
pub fn moment(time: Micros, intraday: bool) -> String {
    let mut text = String::new();
    push_moment(&mut text, time, intraday);
    text
}

/// Appends [`moment`] of `time` to `text`.
pub fn push_moment(text: &mut String, time: Micros, intraday: bool) {
    let Some(stamp) = DateTime::from_timestamp_micros(time) else {
        return;
    };
    let format = if !intraday {
        "%Y-%m-%d"
    } else if time.rem_euclid(1_000_000) == 0 {
        "%Y-%m-%dT%H:%M:%S"
    } else {
        "%Y-%m-%dT%H:%M:%S%.6f"
    };
    let _ = write!(text, "{}", stamp.naive_utc().format(format));
}

/// `YYYY-MM` of a moment.
pub fn month(time: Micros) -> String {
    let mut text = moment(time, false);
    text.truncate("YYYY-MM".len());
    text
}

/// Reads what [`moment`] wrote; `None` when the text is neither a date nor a date and time.
pub fn parse_moment(text: &str) -> Option<Micros> {
    let full = if text.len() == 10 {
        format!("{text}T00:00:00")
    } else {
        text.to_string()
    };
    let stamp = NaiveDateTime::parse_from_str(&full, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(stamp.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_has_no_exponent_and_no_negative_zero() {
        assert_eq!(number(1e-7), "0.0000001");
        assert_eq!(number(1e21), "1000000000000000000000");
        assert_eq!(number(-0.0), "0");
        assert_eq!(number(0.1), "0.1");
        assert_eq!(number(f64::NAN), "");
        assert_eq!(number(f64::INFINITY), "");
    }

    #[test]
    fn a_moment_reads_back() {
        let noon = 12 * 3_600_000_000;
        assert_eq!(moment(0, false), "1970-01-01");
        assert_eq!(moment(noon, true), "1970-01-01T12:00:00");
        assert_eq!(moment(noon + 5, true), "1970-01-01T12:00:00.000005");
        for time in [0, noon, noon + 5, -DAY_MICROS] {
            assert_eq!(parse_moment(&moment(time, true)), Some(time));
        }
        assert_eq!(parse_moment("yesterday"), None);
        assert!(is_intraday(&[0, noon]));
        assert!(!is_intraday(&[0, DAY_MICROS]));
    }

    proptest! {
        #[test]
        fn a_number_reads_back_to_the_same_bits(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite() && value != 0.0);
            let text = number(value);
            prop_assert!(!text.contains(['e', 'E']));
            prop_assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(bits));
        }
    }
}
