//! Trend: which way the price goes, how strongly, and where it would have turned.

use crate::indicators::averages::started;
use crate::indicators::gaps::{BarRun, on_bars, on_series};
use crate::indicators::sliding::{larger, slide, smaller};
use crate::indicators::volatility::{atr, true_ranges};
use crate::indicators::{Arg, BARS_ROW, Indicator, SERIES_ROW, Scale, bars, real, whole};
use ta::Next;

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "adx",
        title: "average directional index, 0 to 100",
        formula: "Wilder's average of dx(n); starts as the mean of its first n values",
        warmup: |a| 2 * whole(a, 0) - 1,
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, 2 * n - 1, |bars, out| adx(bars, n, out))
        },
        ..DIRECTION_ROW
    },
    Indicator {
        name: "dx",
        title: "directional movement index, 0 to 100",
        formula: "100 |plus_di - minus_di| / (plus_di + minus_di) (0/0: the value before)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| dx(bars, n, |i, dx| out[i] = dx))
        },
        ..DIRECTION_ROW
    },
    Indicator {
        name: "plus_di",
        title: "upward directional indicator, 0 to 100",
        formula: "100 s(+dm) / s(true range) (0/0: 0), +dm = rise of the high where it exceeds the fall of the low, s Wilder's running sum",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                directions(bars, n, |i, plus, _| out[i] = plus)
            })
        },
        ..DIRECTION_ROW
    },
    Indicator {
        name: "minus_di",
        title: "downward directional indicator, 0 to 100",
        formula: "100 s(-dm) / s(true range) (0/0: 0), -dm = fall of the low where it exceeds the rise of the high, s Wilder's running sum",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                directions(bars, n, |i, _, minus| out[i] = minus)
            })
        },
        ..DIRECTION_ROW
    },
    Indicator {
        name: "aroon_up",
        title: "Aroon up, 0 to 100",
        formula: "100 (n - bars since the highest high of n + 1 bars) / n, the latest of equals",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                aroon(bars.high, n, |new, old| new >= old, out)
            })
        },
        ..AROON_ROW
    },
    Indicator {
        name: "aroon_down",
        title: "Aroon down, 0 to 100",
        formula: "100 (n - bars since the lowest low of n + 1 bars) / n, the latest of equals",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                aroon(bars.low, n, |new, old| new <= old, out)
            })
        },
        ..AROON_ROW
    },
    Indicator {
        name: "psar",
        args: &[real("step", 0.0, 1.0), real("max", 0.0, 1.0)],
        title: "parabolic stop and reverse",
        formula: "sar + af (extreme - sar), af grows by step to max at each new extreme, turns where the price touches it",
        source: "Wilder 1978, TA-Lib SAR; ours (ta has none)",
        warmup: |_| 1,
        check: |a| (a[0] > a[1]).then_some("step must not exceed max"),
        compute: |inputs, a| on_bars(inputs, 1, |bars, out| psar(bars, a[0], a[1], out)),
        ..BARS_ROW
    },
    Indicator {
        name: "supertrend",
        title: "supertrend line",
        formula: "(high + low) / 2 -/+ k atr(n), moving with the trend only; below the price in an up-trend, above it in a down-trend",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                supertrend(bars, n, a[1], |i, line, _| out[i] = line);
            })
        },
        ..SUPERTREND_ROW
    },
    Indicator {
        name: "supertrend_dir",
        scale: Scale::Pure,
        title: "supertrend direction, 1 up and -1 down",
        formula: "turns down at a close below the lower line, up at a close above the upper line; starts up",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n, |bars, out| {
                supertrend(bars, n, a[1], |i, _, direction| out[i] = direction);
            })
        },
        ..SUPERTREND_ROW
    },
    Indicator {
        name: "linreg_slope",
        args: &[bars("n", 2)],
        title: "slope of the least-squares line, a bar",
        formula: "sum of (i - mean i) (x_i - m) / sum of (i - mean i)^2 over the last n values",
        source: "TA-Lib LINEARREG_SLOPE; ours, block sums (ta has none)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| linreg_slope(x, n, out))
        },
        ..SERIES_ROW
    },
];

/// What the rows of Wilder's directional movement share.
const DIRECTION_ROW: Indicator = Indicator {
    args: &[bars("n", 2)],
    scale: Scale::Pure,
    source: "Wilder 1978, TA-Lib ADX, DX, PLUS_DI, MINUS_DI; on ta EMA of 2n - 1 and TrueRange",
    warmup: |a| whole(a, 0),
    ..BARS_ROW
};

const AROON_ROW: Indicator = Indicator {
    args: &[bars("n", 2)],
    scale: Scale::Pure,
    source: "Chande 1995, TA-Lib AROON; ours (ta has none)",
    warmup: |a| whole(a, 0),
    ..BARS_ROW
};

const SUPERTREND_ARGS: &[Arg] = &[bars("n", 1), real("k", 0.0, 1000.0)];

const SUPERTREND_ROW: Indicator = Indicator {
    args: SUPERTREND_ARGS,
    source: "Seban, TA-Lib SUPERTREND; on Wilder's ATR",
    warmup: |a| whole(a, 0),
    ..BARS_ROW
};

/// Calls `emit(i, plus_di, minus_di)` for the bars from `n` on.
///
/// Wilder's running sums start as plain sums of n - 1 bars and then go s - s/n + x. As the same
/// factor 1/n in all three cancels, they are kept as averages: s/n is an exponential average of
/// 2n - 1.
fn directions(bars: BarRun<'_>, n: usize, mut emit: impl FnMut(usize, f64, f64)) {
    let mut moves = bars
        .high
        .windows(2)
        .zip(bars.low.windows(2))
        .zip(true_ranges(bars))
        .map(|((high, low), range)| {
            let (up, down) = (high[1] - high[0], low[0] - low[1]);
            (
                if up > down && up > 0.0 { up } else { 0.0 },
                if down > up && down > 0.0 { down } else { 0.0 },
                range,
            )
        });
    let mut start = (0.0, 0.0, 0.0);
    for (up, down, range) in moves.by_ref().take(n - 1) {
        start = (start.0 + up, start.1 + down, start.2 + range);
    }
    let count = n as f64;
    let mut ups = started(2 * n - 1, start.0 / count);
    let mut downs = started(2 * n - 1, start.1 / count);
    let mut ranges = started(2 * n - 1, start.2 / count);
    for (i, (up, down, range)) in (n..).zip(moves) {
        let (up, down, range) = (ups.next(up), downs.next(down), ranges.next(range));
        let share = |part: f64| {
            if range > 0.0 {
                100.0 * (part / range)
            } else {
                0.0
            }
        };
        emit(i, share(up), share(down));
    }
}

/// Calls `emit(i, dx)` for the bars from `n` on.
fn dx(bars: BarRun<'_>, n: usize, mut emit: impl FnMut(usize, f64)) {
    let mut last = 0.0;
    directions(bars, n, |i, plus, minus| {
        let total = plus + minus;
        if total > 0.0 {
            last = 100.0 * ((plus - minus).abs() / total);
        }
        emit(i, last);
    });
}

fn adx(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    let first = 2 * n - 1;
    let mut sum = 0.0;
    let mut average = started(first, 0.0);
    dx(bars, n, |i, dx| {
        if i < first {
            sum += dx;
        } else if i == first {
            let start = (sum + dx) / n as f64;
            average = started(first, start);
            out[i] = start;
        } else {
            out[i] = average.next(dx);
        }
    });
}

/// `beats(newer, older)` says which of two prices is the extreme.
fn aroon(x: &[f64], n: usize, beats: impl Fn(f64, f64) -> bool, out: &mut [f64]) {
    let count = n as f64;
    slide(
        x.len(),
        n + 1,
        |i, _| (x[i], i),
        |old, new| if beats(new.0, old.0) { new } else { old },
        |i, _, (_, extreme)| out[i] = 100.0 * ((n - (i - extreme)) as f64 / count),
    );
}

/// The stop of a long run. A short run is a long one of the negated prices, which is exact.
struct Sar {
    is_short: bool,
    /// Level for the bar to come.
    level: f64,
    /// Highest high of the run.
    extreme: f64,
    acceleration: f64,
}

/// Parabolic stop and reverse from bar 1 on; it starts short when bar 1 moved down, else long.
fn psar(bars: BarRun<'_>, step: f64, max: f64, out: &mut [f64]) {
    let (high, low) = (bars.high, bars.low);
    let (up, down) = (high[1] - high[0], low[0] - low[1]);
    let is_short = down > up && down > 0.0;
    let mut sar = Sar {
        is_short,
        level: if is_short { -high[0] } else { low[0] },
        extreme: if is_short { -low[1] } else { high[1] },
        acceleration: step,
    };
    for i in 1..bars.len() {
        // On its first bar the bar before it counts as the bar itself.
        let before = if i == 1 { 1 } else { i - 1 };
        let sign = if sar.is_short { -1.0 } else { 1.0 };
        let level = if sar.is_short {
            sar.next(
                [-low[before], -low[i]],
                [-high[before], -high[i]],
                step,
                max,
            )
        } else {
            sar.next([high[before], high[i]], [low[before], low[i]], step, max)
        };
        out[i] = sign * level;
    }
}

impl Sar {
    /// This bar's level, given the highs and lows of the bar before and of this one.
    fn next(&mut self, high: [f64; 2], low: [f64; 2], step: f64, max: f64) -> f64 {
        if low[1] <= self.level {
            let ceiling = larger(high[0], high[1]);
            let level = larger(self.extreme, ceiling);
            let following = larger(level + step * (low[1] - level), ceiling);
            *self = Sar {
                is_short: !self.is_short,
                level: -following,
                extreme: -low[1],
                acceleration: step,
            };
            return level;
        }
        let level = self.level;
        if high[1] > self.extreme {
            self.extreme = high[1];
            self.acceleration = smaller(self.acceleration + step, max);
        }
        let following = level + self.acceleration * (self.extreme - level);
        self.level = smaller(following, smaller(low[0], low[1]));
        level
    }
}

/// Calls `emit(i, line, direction)` for the bars from `n` on.
fn supertrend(bars: BarRun<'_>, n: usize, k: f64, mut emit: impl FnMut(usize, f64, f64)) {
    let (mut upper, mut lower) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut is_up = true;
    atr(bars, n, |i, atr| {
        let middle = (bars.high[i] + bars.low[i]) / 2.0;
        let (above, below) = (middle + k * atr, middle - k * atr);
        let (last, close) = (bars.close[i - 1], bars.close[i]);
        if above < upper || last > upper {
            upper = above;
        }
        if below > lower || last < lower {
            lower = below;
        }
        if i > n {
            is_up = if is_up { close >= lower } else { close > upper };
        }
        if is_up {
            emit(i, lower, 1.0);
        } else {
            emit(i, upper, -1.0);
        }
    });
}

/// Slope of the least-squares line into `out[n - 1..]`.
fn linreg_slope(x: &[f64], n: usize, out: &mut [f64]) {
    let count = n as f64;
    let spread = count * (count * count - 1.0) / 12.0;
    slide(
        x.len(),
        n,
        |i, p| {
            let d = x[i] - x[p];
            (d, d * (i as f64 - p as f64))
        },
        |a, b| (a.0 + b.0, a.1 + b.1),
        |i, p, (sum, by_place)| {
            let middle = (i as f64 - p as f64) - (count - 1.0) / 2.0;
            out[i] = (by_place - middle * sum) / spread;
        },
    );
}
