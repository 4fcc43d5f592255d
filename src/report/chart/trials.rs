//! What pictures of many trials share: the objective, the values of what was varied, and which of
//! those values are named beside an axis.
//!
//! Values come as words in their order, one slot each whatever their distance, so that ranges,
//! log ranges, symbols and dates need no scale of their own.

use crate::report::chart::backend::{Canvas, Type};
use crate::report::chart::number::{Words, amount, grouped, percent};

/// What trials are ranked by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objective {
    /// Its name: `Sharpe ratio`.
    pub name: String,
    /// It is a fraction and shown as per cent.
    pub percent: bool,
    /// Zero parts good from bad (returns, Sharpe): colours part there.
    pub diverging: bool,
}

/// A param, or another key of the strategy, that was varied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Varied {
    /// Its name: `period`.
    pub name: String,
    /// Its values as words, in their order: `10`, `20`; `AAPL`, `IBM`.
    pub values: Vec<String>,
}

impl Objective {
    /// One value as a label shows it.
    pub(super) fn words(&self, value: f64) -> String {
        if self.percent && value.abs() < 100.0 {
            percent(value, 1)
        } else if value.abs() < 1000.0 {
            grouped(value, 2)
        } else {
            amount(value)
        }
    }

    /// The labels of an axis of this objective.
    pub(super) fn axis_words(&self) -> Words {
        if self.percent {
            Words::Percent
        } else {
            Words::Plain
        }
    }
}

impl Varied {
    /// Every value is a number, so that larger ones belong higher up.
    pub(super) fn is_numeric(&self) -> bool {
        self.values.iter().all(|v| v.trim().parse::<f64>().is_ok())
    }
}

/// Every how many slots one is named, finest first.
const STEPS: [usize; 15] = [
    1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000,
];

/// The slots to be named so that neighbours, `slot` points apart and as long as `length` says,
/// leave `gap` points between them. Of evenly spaced numbers the round ones are named.
pub(super) fn named_slots(
    values: &[String],
    slot: f64,
    gap: f64,
    length: impl Fn(&str) -> f64,
) -> Vec<usize> {
    for step in STEPS {
        let slots: Vec<usize> = (round_start(values, step)..values.len())
            .step_by(step)
            .collect();
        let apart = |pair: &[usize]| {
            let room = (pair[1] - pair[0]) as f64 * slot;
            room >= (length(&values[pair[0]]) + length(&values[pair[1]])) / 2.0 + gap
        };
        if slots.windows(2).all(apart) {
            return slots;
        }
    }
    vec![0]
}

/// The first slot whose value is a multiple of `step` distances, where values are evenly spaced
/// numbers; else the first of all.
fn round_start(values: &[String], step: usize) -> usize {
    if step == 1 || values.len() <= step {
        return 0;
    }
    let numbers: Option<Vec<f64>> = values.iter().map(|v| v.trim().parse().ok()).collect();
    let Some(numbers) = numbers else {
        return 0;
    };
    let distance = (numbers[numbers.len() - 1] - numbers[0]) / (numbers.len() - 1) as f64;
    let even = |pair: &[f64]| ((pair[1] - pair[0]) / distance - 1.0).abs() < 1e-6;
    if !(distance.abs() > 0.0 && numbers.windows(2).all(even)) {
        return 0;
    }
    let whole = |slot: &usize| {
        let multiple = numbers[*slot] / (distance * step as f64);
        (multiple - multiple.round()).abs() < 1e-6
    };
    (0..step).find(whole).unwrap_or(0)
}

/// Width of the widest of some words, each no longer than `most` points.
pub(super) fn widest(canvas: &Canvas, words: &[String], most: f64, style: Type) -> f64 {
    // A name of a megabyte need not be measured to the end.
    let width = |w: &String| {
        let head: String = w.chars().take(200).collect();
        canvas.width(&head, style).min(most)
    };
    words.iter().map(width).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &[String], slot: f64) -> Vec<String> {
        let length = |s: &str| s.chars().count() as f64 * 6.0;
        let slots = named_slots(values, slot, 8.0, length);
        slots.into_iter().map(|i| values[i].clone()).collect()
    }

    #[test]
    fn round_values_of_a_range_are_named() {
        let range: Vec<String> = (3..=60).map(|v| v.to_string()).collect();
        assert_eq!(named(&range, 5.0)[..3], ["5", "10", "15"]);
        assert_eq!(named(&range, 30.0).len(), 58);
        let tenths: Vec<String> = (1..=40)
            .map(|v| format!("{:.3}", f64::from(v) / 40.0))
            .collect();
        assert_eq!(named(&tenths, 8.0)[..2], ["0.125", "0.250"]);
    }

    #[test]
    fn uneven_values_and_words_are_named_from_the_first() {
        let words: Vec<String> = ["AAPL", "IBM", "MSFT"].map(String::from).into();
        assert_eq!(named(&words, 40.0), ["AAPL", "IBM", "MSFT"]);
        assert_eq!(named(&words, 10.0), ["AAPL"]);
        let log: Vec<String> = ["1", "10", "100", "1000"].map(String::from).into();
        assert_eq!(named(&log, 20.0), ["1", "100"]);
        assert_eq!(named(&[], 20.0), Vec::<String>::new());
    }
}
