//! Volatility: how far the price moves.

use crate::indicators::averages::started;
use crate::indicators::gaps::{BarRun, on_bars, on_series};
use crate::indicators::sliding::moments;
use crate::indicators::{BARS_ROW, Indicator, SERIES_ROW, Scale, bars, whole};
use ta::indicators::TrueRange;
use ta::{Close, High, Low, Next};

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "true_range",
        args: &[],
        title: "true range",
        formula: "max(high - low, |high - close[1]|, |low - close[1]|)",
        source: "Wilder 1978, TA-Lib TRANGE; ta TrueRange",
        warmup: |_| 1,
        compute: |inputs, _| {
            on_bars(inputs, 1, |bars, out| {
                for (out, range) in out[1..].iter_mut().zip(true_ranges(bars)) {
                    *out = range;
                }
            })
        },
        ..BARS_ROW
    },
    Indicator {
        name: "atr",
        title: "average true range",
        formula: "Wilder's average of the true range; starts as the mean of bars 1 to n",
        source: "Wilder 1978, TA-Lib ATR; on ta EMA of 2n - 1 (ta ATR is not Wilder's)",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| atr(bars, n, |i, atr| out[i] = atr))
        },
        ..BARS_ROW
    },
    Indicator {
        name: "natr",
        scale: Scale::Pure,
        title: "average true range in per cent of the close",
        formula: "100 atr(n) / close (close 0: 0)",
        source: "TA-Lib NATR; on ta EMA of 2n - 1",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                atr(bars, n, |i, atr| {
                    let close = bars.close[i];
                    out[i] = if close == 0.0 {
                        0.0
                    } else {
                        100.0 * (atr / close)
                    };
                });
            })
        },
        ..BARS_ROW
    },
    Indicator {
        name: "stdev",
        args: &[bars("n", 2)],
        title: "standard deviation",
        formula: "sqrt(mean of (x_i - m)^2), m the mean of the last n values",
        source: "TA-Lib STDDEV (ddof 0); ours, block sums (ta's is not 0 on a flat window)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            let share = 1.0 / n as f64;
            on_series(inputs.x, n - 1, |x, out| {
                moments(x, n, |i, window| out[i] = window.deviation(share));
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "realized_vol",
        args: &[bars("n", 2)],
        scale: Scale::Pure,
        title: "realised volatility, a fraction a year",
        formula: "standard deviation (ddof 1) of the last n values of ln(x / x[1]) x sqrt(bars a year)",
        source: "close-to-close estimator, Hull ch. 15; ours",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            let share = inputs.periods_a_year / (n as f64 - 1.0);
            on_series(&log_returns(inputs.x), n - 1, |x, out| {
                moments(x, n, |i, window| out[i] = window.deviation(share));
            })
        },
        ..SERIES_ROW
    },
];

/// A bar as `ta` reads it.
struct Bar {
    high: f64,
    low: f64,
    close: f64,
}

impl High for Bar {
    fn high(&self) -> f64 {
        self.high
    }
}

impl Low for Bar {
    fn low(&self) -> f64 {
        self.low
    }
}

impl Close for Bar {
    fn close(&self) -> f64 {
        self.close
    }
}

/// True ranges of the bars from 1 on: bar 0 has no close before it.
pub(super) fn true_ranges(bars: BarRun<'_>) -> impl Iterator<Item = f64> {
    let mut range = TrueRange::new();
    let columns = bars.high.iter().zip(bars.low).zip(bars.close);
    columns
        .map(move |((&high, &low), &close)| range.next(&Bar { high, low, close }))
        .skip(1)
}

/// Calls `emit(i, atr)` for the bars from `n` on.
pub(super) fn atr(bars: BarRun<'_>, n: usize, mut emit: impl FnMut(usize, f64)) {
    let mut ranges = true_ranges(bars);
    let start = ranges.by_ref().take(n).sum::<f64>() / n as f64;
    let mut average = started(2 * n - 1, start);
    emit(n, start);
    for (i, range) in (n + 1..).zip(ranges) {
        emit(i, average.next(range));
    }
}

/// ln(x / x[1]), NaN where there is none: the first value, and next to values at or below 0.
fn log_returns(x: &[f64]) -> Vec<f64> {
    let mut returns = vec![f64::NAN; x.len()];
    for (out, pair) in returns.iter_mut().skip(1).zip(x.windows(2)) {
        if pair[0] > 0.0 && pair[1] > 0.0 {
            *out = libm::log(pair[1] / pair[0]);
        }
    }
    returns
}
