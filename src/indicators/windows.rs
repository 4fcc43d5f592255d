//! Windows: the extremes, sums and ranks of the last n values.

use crate::indicators::gaps::on_series;
use crate::indicators::ordered::Ordered;
use crate::indicators::sliding::{larger, moments, slide, smaller};
use crate::indicators::{Indicator, SERIES_ROW, Scale, bars, whole};

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "highest",
        title: "highest value of the last n, this one included",
        formula: "max of x_i over the last n values",
        source: "TA-Lib MAX; ours, block maxima (ta Maximum rescans its window)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| highest(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "lowest",
        title: "lowest value of the last n, this one included",
        formula: "min of x_i over the last n values",
        source: "TA-Lib MIN; ours, block minima (ta Minimum rescans its window)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| lowest(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "sum",
        title: "sum of the last n values",
        formula: "sum of x_i over the last n values",
        source: "TA-Lib SUM; ours, block sums",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| {
                slide(
                    x.len(),
                    n,
                    |i, _| x[i],
                    |a, b| a + b,
                    |i, _, sum| out[i] = sum,
                );
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "zscore",
        args: &[bars("n", 2)],
        scale: Scale::Pure,
        title: "distance from the mean in standard deviations",
        formula: "(x - sma(x, n)) / stdev(x, n) (stdev 0: 0)",
        source: "standard score, ddof 0; ours, block sums",
        compute: |inputs, a| {
            let n = whole(a, 0);
            let share = 1.0 / n as f64;
            on_series(inputs.x, n - 1, |x, out| {
                moments(x, n, |i, window| {
                    let deviation = window.deviation(share);
                    let is_flat = deviation == 0.0;
                    out[i] = if is_flat {
                        0.0
                    } else {
                        window.above_mean(x[i]) / deviation
                    };
                });
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "percentile",
        scale: Scale::Pure,
        title: "share of the last n values at or below this one, a fraction",
        formula: "count of x_i <= x over the last n values, this one included, / n",
        source: "empirical distribution function; ours, an ordered window",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| percentile(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "drawdown",
        args: &[],
        scale: Scale::Pure,
        title: "distance below the highest value since the start, a fraction <= 0",
        formula: "x / (highest x so far) - 1 (highest <= 0: no value)",
        source: "standard; ours",
        warmup: |_| 0,
        compute: |inputs, _| drawdown(inputs.x),
        ..SERIES_ROW
    },
];

/// Highest of the last `n` values into `out[n - 1..]`.
pub(super) fn highest(x: &[f64], n: usize, out: &mut [f64]) {
    slide(
        x.len(),
        n,
        |i, _| x[i],
        larger,
        |i, _, highest| out[i] = highest,
    );
}

/// Lowest of the last `n` values into `out[n - 1..]`.
pub(super) fn lowest(x: &[f64], n: usize, out: &mut [f64]) {
    slide(
        x.len(),
        n,
        |i, _| x[i],
        smaller,
        |i, _, lowest| out[i] = lowest,
    );
}

/// Windows up to this length are counted value by value: quicker than keeping them in order, and a
/// constant bound on the work of a bar all the same.
const PLAIN_MAX: usize = 1024;

fn percentile(x: &[f64], n: usize, out: &mut [f64]) {
    let share = |count: u32| f64::from(count) / n as f64;
    if n <= PLAIN_MAX {
        for (out, window) in out[n - 1..].iter_mut().zip(x.windows(n)) {
            let now = window[n - 1];
            *out = share(window.iter().map(|v| u32::from(*v <= now)).sum());
        }
        return;
    }
    let mut window = Ordered::new(n);
    for (i, value) in x.iter().enumerate() {
        window.push(i, *value);
        if i + 1 >= n {
            out[i] = share(window.count_up_to(*value));
        }
    }
}

/// The highest value outlives a gap, since it is the highest since the start; only the missing bars
/// themselves have no value.
fn drawdown(x: &[f64]) -> Vec<f64> {
    let mut highest = f64::NEG_INFINITY;
    x.iter()
        .map(|&value| {
            if !value.is_finite() {
                return f64::NAN;
            }
            highest = larger(value, highest);
            if highest > 0.0 {
                value / highest - 1.0
            } else {
                f64::NAN
            }
        })
        .collect()
}
