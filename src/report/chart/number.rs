//! Numbers as words on a chart: thousands apart, a true minus, as many decimals as are needed.
//!
//! What is rounded here is ink only. Which numbers are shown is left to the callers.

/// The minus sign of typography.
const MINUS: char = '\u{2212}';

/// What the labels of a value axis mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    /// Plain numbers, also money and prices.
    Plain,
    /// Fractions shown as per cent.
    Percent,
}

/// Puts the sign of typography before digits unless all of them are zero.
fn signed(negative: bool, digits: &str) -> String {
    if negative && digits.chars().any(|c| ('1'..='9').contains(&c)) {
        format!("{MINUS}{digits}")
    } else {
        digits.to_string()
    }
}

/// A number with `decimals` decimals and its thousands apart: `−1,234.5`.
pub(super) fn grouped(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_string();
    }
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut digits = String::with_capacity(plain.len() + plain.len() / 3);
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            digits.push(',');
        }
        digits.push(c);
    }
    if !rest.is_empty() {
        digits.push('.');
        digits.push_str(rest);
    }
    signed(value < 0.0, &digits)
}

/// A fraction as per cent: `−12.5%`.
pub(super) fn percent(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "n/a".to_string();
    }
    format!("{}%", grouped(value * 100.0, decimals))
}

/// Mantissa and power of ten: `1.2e−7`.
fn scientific(value: f64) -> String {
    let plain = format!("{:.2e}", value.abs());
    let (mantissa, power) = plain.split_once('e').unwrap_or((&plain, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let power = power.replace('-', &MINUS.to_string());
    signed(value < 0.0, &format!("{mantissa}e{power}"))
}

/// Divisor and letter for a size: millions and up get a letter.
fn magnitude(size: f64) -> (f64, &'static str) {
    if size >= 1e12 {
        (1e12, "T")
    } else if size >= 1e9 {
        (1e9, "B")
    } else if size >= 1e6 {
        (1e6, "M")
    } else {
        (1.0, "")
    }
}

/// One amount at the end of a line or a bar: five or so digits, whatever its size.
pub(super) fn amount(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "n/a".to_string()
    } else if size >= 1e16 || (size > 0.0 && size < 1e-4) {
        scientific(value)
    } else if size >= 1e7 {
        let (divisor, letter) = magnitude(size);
        format!("{}{letter}", grouped(value / divisor, 2))
    } else if size >= 1000.0 {
        grouped(value, 0)
    } else if size >= 100.0 {
        grouped(value, 1)
    } else if size >= 1.0 || size == 0.0 {
        grouped(value, 2)
    } else {
        grouped(value, 4)
    }
}

/// Decimals that tell `values` from each other and from what they are not, at most nine.
fn decimals_for(values: &[f64], step: f64) -> usize {
    let mut power = 1.0;
    for decimals in 0..9 {
        let exact = |v: &f64| ((v * power).round() / power - v).abs() <= step * 1e-4;
        if values.iter().all(exact) {
            return decimals;
        }
        power *= 10.0;
    }
    9
}

/// The smallest distance between neighbours of a rising list, its size where there is only one.
fn smallest_step(values: &[f64]) -> f64 {
    let step = values
        .windows(2)
        .map(|w| (w[1] - w[0]).abs())
        .fold(f64::INFINITY, f64::min);
    if step.is_finite() && step > 0.0 {
        step
    } else {
        values.first().map_or(1.0, |v| v.abs().max(1e-9))
    }
}

/// Labels of the ticks of one axis, of one form as far as their sizes allow.
pub(super) fn tick_labels(ticks: &[f64], words: Words, log: bool) -> Vec<String> {
    let factor = if words == Words::Percent { 100.0 } else { 1.0 };
    let suffix = if words == Words::Percent { "%" } else { "" };
    let values: Vec<f64> = ticks.iter().map(|v| v * factor).collect();
    let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let smallest = values
        .iter()
        .map(|v| v.abs())
        .filter(|v| *v > 0.0)
        .fold(f64::INFINITY, f64::min);
    let wide = log && size / smallest > 10.0;
    let label = |v: f64, divisor: f64, decimals: usize, letter: &str| {
        if v == 0.0 && !letter.is_empty() {
            return "0".to_string();
        }
        format!("{}{letter}{suffix}", grouped(v / divisor, decimals))
    };
    if size >= 1e16 || (size > 0.0 && size < 1e-5) || (wide && smallest < 1e-4) {
        return values
            .iter()
            .map(|&v| {
                format!(
                    "{}{suffix}",
                    if v == 0.0 { "0".into() } else { scientific(v) }
                )
            })
            .collect();
    }
    if wide {
        return values
            .iter()
            .map(|&v| {
                let (divisor, letter) = if size >= 1e7 {
                    magnitude(v.abs())
                } else {
                    (1.0, "")
                };
                let shown = v / divisor;
                label(v, divisor, decimals_for(&[shown], shown.abs()), letter)
            })
            .collect();
    }
    let (divisor, letter) = if size >= 1e7 {
        magnitude(size)
    } else {
        (1.0, "")
    };
    let shown: Vec<f64> = values.iter().map(|v| v / divisor).collect();
    let decimals = decimals_for(&shown, smallest_step(&shown));
    values
        .iter()
        .map(|&v| label(v, divisor, decimals, letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_print() {
        assert_eq!(grouped(-1234567.891, 1), "−1,234,567.9");
        assert_eq!(grouped(-0.04, 1), "0.0");
        assert_eq!(percent(-0.1249, 1), "−12.5%");
        assert_eq!(amount(515455.4), "515,455");
        assert_eq!(amount(12_345_678.0), "12.35M");
        assert_eq!(amount(-1e12), "−1.00T");
        assert_eq!(amount(1.25e-7), "1.25e−7");
        assert_eq!(amount(f64::NAN), "n/a");
    }

    #[test]
    fn ticks_of_an_axis_share_their_form() {
        let plain = |v: &[f64]| tick_labels(v, Words::Plain, false).join(" ");
        assert_eq!(plain(&[0.0, 0.25, 0.5]), "0.00 0.25 0.50");
        assert_eq!(plain(&[0.0, 5e6, 1e7]), "0 5M 10M");
        assert_eq!(plain(&[100_000.0, 150_000.0]), "100,000 150,000");
        let percent = tick_labels(&[-0.05, 0.0], Words::Percent, false);
        assert_eq!(percent.join(" "), "−5% 0%");
        let log = tick_labels(&[1e3, 1e6, 1e9], Words::Plain, true);
        assert_eq!(log.join(" "), "1,000 1M 1B");
    }
}
