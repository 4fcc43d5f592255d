//! How a number looks to people: per cent with one decimal, money with thousands separators, ratios
//! with two decimals. Files take the exact number instead (`cell.rs`).

use crate::metrics::{Metrics, Unit, find};

/// Stands for a number that does not exist.
pub const ABSENT: &str = "–";

/// Money from here on is shown without cents.
const WHOLE_MONEY: f64 = 1e7;

/// A number of decimals with commas between thousands. A result that rounds to nothing carries no
/// minus.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    let is_zero = text.bytes().all(|b| b == b'0' || b == b'.');
    if value < 0.0 && !is_zero {
        out.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Money: cents below ten million, whole above.
pub fn money(value: f64) -> String {
    grouped(value, if value.abs() < WHOLE_MONEY { 2 } else { 0 })
}

/// A fraction as per cent with one decimal, two below 10%, none above 1,000%.
pub fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let decimals = match percent.abs() {
        p if p >= 1000.0 => 0,
        p if p >= 9.995 => 1,
        _ => 2,
    };
    grouped(percent, decimals) + "%"
}

/// A fraction that somebody gave, as per cent with as many decimals as it needs, at most four.
pub fn given_percent(fraction: f64) -> String {
    let text = grouped(fraction * 100.0, 4);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short}%")
}

/// A number of a metric's unit.
pub fn of_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Fraction => percent(value),
        Unit::Money => money(value),
        Unit::Count | Unit::Days => grouped(value, 0),
        Unit::Bars => grouped(value, 1),
        Unit::Ratio => grouped(value, 2),
    }
}

/// The figure of a key, or [`ABSENT`].
pub fn of_key(metrics: &Metrics, key: &str) -> String {
    match (metrics.get(key), find(key)) {
        (Some(value), Some(metric)) => of_unit(value, metric.unit),
        _ => ABSENT.to_string(),
    }
}

/// `word` for one and `words` for any other number.
pub fn plural(count: usize, word: &str, words: &str) -> String {
    let word = if count == 1 { word } else { words };
    format!("{} {word}", grouped(count as f64, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_and_nothing_has_no_sign() {
        assert_eq!(grouped(1234567.891, 2), "1,234,567.89");
        assert_eq!(grouped(-999.0, 0), "-999");
        assert_eq!(grouped(-0.001, 2), "0.00");
        assert_eq!(money(12_345_678.9), "12,345,679");
        assert_eq!(percent(0.01234), "1.23%");
        assert_eq!(percent(-0.4954), "-49.5%");
        assert_eq!(percent(123.456), "12,346%");
        assert_eq!(given_percent(0.001), "0.1%");
        assert_eq!(given_percent(0.05), "5%");
        assert_eq!(given_percent(1.0), "100%");
        assert_eq!(plural(1, "bar", "bars"), "1 bar");
        assert_eq!(plural(1200, "bar", "bars"), "1,200 bars");
    }
}
