//! Averages of a series, and the differences of averages that are read with them (MACD).

use crate::indicators::gaps::on_series;
use crate::indicators::sliding::{averaged, mean, means, slide, smaller};
use crate::indicators::{Arg, Indicator, SERIES_ROW, bars, fast_below_slow, whole};
use ta::Next;
use ta::indicators::ExponentialMovingAverage;

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "sma",
        title: "simple moving average",
        formula: "mean of the last n values",
        source: "TA-Lib SMA; ours, block sums (a running sum as in ta keeps the error of a huge tick)",
        // The sums begin anew at every block of n.
        memory: |a| Some(whole(a, 0)),
        compute: |inputs, a| {
            let n = whole(a, 0);
            let plain = || on_series(inputs.x, n - 1, |x, out| sma(x, n, out));
            averaged(inputs.x, n).unwrap_or_else(plain)
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "ema",
        title: "exponential moving average",
        formula: "e + k (x - e), k = 2 / (n + 1); starts as the mean of the first n values",
        source: "TA-Lib EMA; ta EMA, given that start",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| ema(x, n, n - 1, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "wma",
        title: "linearly weighted moving average",
        formula: "sum of i x_i / sum of i, i = 1 for the oldest to n for the newest",
        source: "TA-Lib WMA; ours (ta 0.5 has none)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| wma(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "dema",
        title: "double exponential moving average",
        formula: "2 e1 - e2, e1 = ema(x, n), e2 = ema(e1, n)",
        source: "Mulloy 1994, TA-Lib DEMA; on ta EMA",
        warmup: |a| 2 * (whole(a, 0) - 1),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, 2 * (n - 1), |x, out| {
                nested_emas(x, n, |i, [e1, e2]| out[i] = 2.0 * e1 - e2);
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "tema",
        title: "triple exponential moving average",
        formula: "3 e1 - 3 e2 + e3, e1 = ema(x, n), e2 = ema(e1, n), e3 = ema(e2, n)",
        source: "Mulloy 1994, TA-Lib TEMA; on ta EMA",
        warmup: |a| 3 * (whole(a, 0) - 1),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, 3 * (n - 1), |x, out| {
                nested_emas(x, n, |i, [e1, e2, e3]| out[i] = 3.0 * e1 - 3.0 * e2 + e3);
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "rma",
        title: "Wilder's moving average",
        formula: "(previous (n - 1) + x) / n; starts as the mean of the first n values",
        source: "Wilder 1978, the smoothing of TA-Lib's RSI and ATR; ta EMA of 2n - 1, given that start",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| rma(x, n, n - 1, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "kama",
        args: &[bars("n", 2)],
        title: "Kaufman's adaptive moving average",
        formula: "k + c (x - k), c = (er (2/3 - 2/31) + 2/31)^2, er = |x - x[n]| / sum of |x - x[1]| over n (0/0: 1)",
        source: "Kaufman 1995, TA-Lib KAMA; ours (ta EfficiencyRatio is O(n) a bar)",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n, |x, out| kama(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "macd",
        title: "moving average convergence divergence: the line",
        formula: "ema(x, fast) - ema(x, slow), both started on the bar where the slow one starts",
        compute: |inputs, a| {
            on_series(inputs.x, macd_first(a), |x, out| {
                macd(x, a, |i, line, _| out[i] = line)
            })
        },
        ..MACD_ROW
    },
    Indicator {
        name: "macd_signal",
        title: "moving average convergence divergence: the signal",
        formula: "ema(macd line, signal)",
        compute: |inputs, a| {
            on_series(inputs.x, macd_first(a), |x, out| {
                macd(x, a, |i, _, signal| out[i] = signal)
            })
        },
        ..MACD_ROW
    },
    Indicator {
        name: "macd_hist",
        title: "moving average convergence divergence: the histogram",
        formula: "macd line - macd signal",
        compute: |inputs, a| {
            on_series(inputs.x, macd_first(a), |x, out| {
                macd(x, a, |i, line, signal| out[i] = line - signal)
            })
        },
        ..MACD_ROW
    },
];

const MACD_ARGS: &[Arg] = &[bars("fast", 1), bars("slow", 2), bars("signal", 1)];

/// What the three MACD rows share: all begin with the signal.
const MACD_ROW: Indicator = Indicator {
    args: MACD_ARGS,
    source: "Appel 1979, TA-Lib MACD; on ta EMA (ta MACD starts each average with the first value)",
    warmup: macd_first,
    check: fast_below_slow,
    ..SERIES_ROW
};

fn macd_first(args: &[f64]) -> usize {
    whole(args, 1) + whole(args, 2) - 2
}

/// Mean of the last `n` values, into `out[n - 1..]`.
pub(super) fn sma(x: &[f64], n: usize, out: &mut [f64]) {
    means(x, n, |i, pivot, offset| out[i] = pivot + offset);
}

/// `ta`'s exponential average of smoothing 2 / (`period` + 1), its first sample the given start:
/// from there on it is TA-Lib's.
pub(super) fn started(period: usize, start: f64) -> ExponentialMovingAverage {
    // The only period that is refused is 0.
    let mut average = ExponentialMovingAverage::new(period.max(1)).unwrap_or_default();
    average.next(start);
    average
}

/// Exponential average into `out[first..]`; it starts as the mean of the `n` values that end at
/// `first`.
pub(super) fn ema(x: &[f64], n: usize, first: usize, out: &mut [f64]) {
    smooth(x, n, n, first, out);
}

/// Wilder's average into `out[first..]`, started as [`ema`]: (e (n - 1) + x) / n is e + (x - e) / n,
/// an exponential average of 2n - 1.
pub(super) fn rma(x: &[f64], n: usize, first: usize, out: &mut [f64]) {
    smooth(x, n, 2 * n - 1, first, out);
}

fn smooth(x: &[f64], n: usize, period: usize, first: usize, out: &mut [f64]) {
    let start = mean(&x[first + 1 - n..=first]);
    let mut average = started(period, start);
    out[first] = start;
    for (out, x) in out[first + 1..].iter_mut().zip(&x[first + 1..]) {
        *out = average.next(*x);
    }
}

fn wma(x: &[f64], n: usize, out: &mut [f64]) {
    let weights = (n * (n + 1) / 2) as f64;
    slide(
        x.len(),
        n,
        |i, p| {
            let d = x[i] - x[p];
            (d, d * (i as f64 - p as f64))
        },
        |a, b| (a.0 + b.0, a.1 + b.1),
        |i, p, (sum, by_place)| {
            // The weight of bar j is (j - p) + (p - oldest + 1).
            let shift = (p + n - i) as f64;
            out[i] = x[p] + (by_place + shift * sum) / weights;
        },
    );
}

/// Calls `emit(i, [e1, e2, ...])` for the bars from `D (n - 1)` on, e1 the exponential average of x
/// and each further one that of the one before.
pub(super) fn nested_emas<const D: usize>(
    x: &[f64],
    n: usize,
    mut emit: impl FnMut(usize, [f64; D]),
) {
    let first = D * (n - 1);
    // Each average starts when the one before it has n values: column by column up to there.
    let mut values = [0.0; D];
    let mut column = x[..=first].to_vec();
    for (depth, value) in (1..).zip(&mut values) {
        let mut average = vec![0.0; column.len()];
        ema(&column, n, depth * (n - 1), &mut average);
        *value = average[first];
        column = average;
    }
    emit(first, values);
    // From there on bar by bar: an average goes on from its value as from a start.
    let mut averages = values.map(|value| started(n, value));
    for (i, x) in (first + 1..).zip(&x[first + 1..]) {
        let mut value = *x;
        for (average, out) in averages.iter_mut().zip(&mut values) {
            value = average.next(value);
            *out = value;
        }
        emit(i, values);
    }
}

fn kama(x: &[f64], n: usize, out: &mut [f64]) {
    const FAST: f64 = 2.0 / 3.0;
    const SLOW: f64 = 2.0 / 31.0;
    let mut average = x[n - 1];
    slide(
        x.len() - 1,
        n,
        |i, _| (x[i + 1] - x[i]).abs(),
        |a, b| a + b,
        |i, _, path| {
            let now = x[i + 1];
            let net = (now - x[i + 1 - n]).abs();
            // The way is never shorter than its net length but for rounding.
            let efficiency = if path > 0.0 {
                smaller(net / path, 1.0)
            } else {
                1.0
            };
            let c = efficiency * (FAST - SLOW) + SLOW;
            average += c * c * (now - average);
            out[i + 1] = average;
        },
    );
}

/// Calls `emit(i, line, signal)` from the first signal on.
///
/// TA-Lib starts the fast average on the bar where the slow one starts, so it is not the fast
/// average as it stands by itself.
fn macd(x: &[f64], args: &[f64], mut emit: impl FnMut(usize, f64, f64)) {
    let (fast_n, slow_n, signal_n) = (whole(args, 0), whole(args, 1), whole(args, 2));
    let first = macd_first(args);
    let fast_start = mean(&x[slow_n - fast_n..slow_n]);
    let slow_start = mean(&x[..slow_n]);
    let mut fast = started(fast_n, fast_start);
    let mut slow = started(slow_n, slow_start);
    let mut lines = vec![fast_start - slow_start];
    lines.extend(
        x[slow_n..=first]
            .iter()
            .map(|x| fast.next(*x) - slow.next(*x)),
    );
    let signal = mean(&lines);
    emit(first, lines[signal_n - 1], signal);
    let mut signal = started(signal_n, signal);
    for (i, x) in (first + 1..).zip(&x[first + 1..]) {
        let line = fast.next(*x) - slow.next(*x);
        emit(i, line, signal.next(line));
    }
}
