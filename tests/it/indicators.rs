//! Indicators against TA-Lib's numbers, against plain formulas, and against their own promises:
//! warm-up, gaps, no look into the future.

#![allow(clippy::unwrap_used)]

mod golden;
mod plain;
mod promises;

use papertape::indicators::{ArgKind, Indicator, Inputs, find};

/// Columns of one symbol.
#[derive(Debug, Clone, Default)]
struct Tape {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

impl Tape {
    fn inputs(&self) -> Inputs<'_> {
        self.inputs_of(&self.close)
    }

    fn inputs_of<'a>(&'a self, x: &'a [f64]) -> Inputs<'a> {
        Inputs {
            x,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
            periods_a_year: 252.0,
        }
    }

    fn columns_mut(&mut self) -> [&mut Vec<f64>; 5] {
        [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
            &mut self.volume,
        ]
    }

    fn cut(&self, len: usize) -> Tape {
        let mut tape = self.clone();
        for column in tape.columns_mut() {
            column.truncate(len);
        }
        tape
    }

    /// Bars around a path of closes: `spread` is the share of the price by which high and low stand
    /// off.
    fn around(closes: Vec<f64>, volume: Vec<f64>, spread: f64) -> Tape {
        let mut tape = Tape {
            volume,
            ..Tape::default()
        };
        let mut last = closes.first().copied().unwrap_or(1.0);
        for (i, &close) in closes.iter().enumerate() {
            let wiggle = spread * ((i * 7 % 5) as f64) / 5.0;
            tape.open.push(last);
            tape.high.push(last.max(close) * (1.0 + wiggle));
            tape.low.push(last.min(close) * (1.0 - wiggle * 0.5));
            last = close;
        }
        tape.close = closes;
        tape
    }
}

fn row(name: &str) -> &'static Indicator {
    find(name).unwrap_or_else(|| panic!("no indicator {name}"))
}

fn run(name: &str, tape: &Tape, args: &[f64]) -> Vec<f64> {
    row(name).run(&tape.inputs(), args)
}

fn run_on(name: &str, x: &[f64], args: &[f64]) -> Vec<f64> {
    let tape = Tape {
        close: x.to_vec(),
        ..Tape::default()
    };
    row(name).run(&tape.inputs_of(x), args)
}

/// Arguments for a row out of numbers in 0..1, whole ones up to `longest`, in an order that the
/// row's check accepts.
fn arguments(row: &Indicator, picks: &[f64], longest: u32) -> Vec<f64> {
    let mut args: Vec<f64> = row
        .args
        .iter()
        .zip(picks)
        .map(|(arg, pick)| match arg.kind {
            ArgKind::Whole { min, max } => {
                let max = max.min(longest).max(min);
                (f64::from(min) + pick * f64::from(max - min + 1))
                    .floor()
                    .min(f64::from(max))
            }
            ArgKind::Real { min, max } => min + pick * (max.min(5.0) - min),
        })
        .collect();
    if (row.check)(&args).is_some() {
        args.sort_by(f64::total_cmp);
    }
    if (row.check)(&args).is_some() {
        // fast = slow
        args[1] += 1.0;
    }
    assert_eq!((row.check)(&args), None, "{}: {args:?}", row.name);
    args
}

fn is_same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// One bar of a random path: a draw that picks what happens, and a number in -1..1.
type Step = (u8, f64);

/// A path of positive prices: mostly a walk, with flat stretches, gaps, and ticks a million million
/// times too high that last one bar.
fn path(start: f64, steps: &[Step]) -> Vec<f64> {
    let mut price = start;
    steps
        .iter()
        .map(|&(what, size)| {
            match what {
                0..4 => {}
                4 => price *= 1.0 + 0.4 * size,
                5 => return price * 1e12 * (2.0 + size),
                _ => price *= 1.0 + 0.02 * size,
            }
            price
        })
        .collect()
}

/// Bars around such a path, every fifth of them on average without trade.
fn tape(start: f64, steps: &[Step]) -> Tape {
    let volume = steps.iter().map(|&(what, size)| match what {
        0..2 => 0.0,
        _ => (1000.0 * (1.5 + size)).round(),
    });
    let spread = if steps.len().is_multiple_of(2) {
        0.02
    } else {
        0.0
    };
    Tape::around(path(start, steps), volume.collect(), spread)
}
