//! Bands and channels around the price.

use crate::indicators::averages::{ema, sma};
use crate::indicators::gaps::{BarRun, on_bars, on_series};
use crate::indicators::sliding::{moments, ranges};
use crate::indicators::volatility::atr;
use crate::indicators::windows::{highest, lowest};
use crate::indicators::{Arg, BARS_ROW, Indicator, SERIES_ROW, bars, real, whole};

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "bb_upper",
        title: "upper Bollinger band",
        formula: "sma(x, n) + k stdev(x, n)",
        compute: |inputs, a| bollinger(inputs.x, whole(a, 0), a[1]),
        ..BOLLINGER_ROW
    },
    Indicator {
        name: "bb_middle",
        title: "middle Bollinger band",
        formula: "sma(x, n)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n - 1, |x, out| sma(x, n, out))
        },
        ..BOLLINGER_ROW
    },
    Indicator {
        name: "bb_lower",
        title: "lower Bollinger band",
        formula: "sma(x, n) - k stdev(x, n)",
        compute: |inputs, a| bollinger(inputs.x, whole(a, 0), -a[1]),
        ..BOLLINGER_ROW
    },
    Indicator {
        name: "keltner_upper",
        title: "upper Keltner band",
        formula: "ema(close, n) + k atr(atr_n)",
        compute: |inputs, a| {
            on_bars(inputs, keltner_first(a), |bars, out| {
                keltner(bars, a, a[2], out)
            })
        },
        ..KELTNER_ROW
    },
    Indicator {
        name: "keltner_middle",
        title: "middle of the Keltner bands",
        formula: "ema(close, n)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, keltner_first(a), |bars, out| {
                ema(bars.close, n, n - 1, out)
            })
        },
        ..KELTNER_ROW
    },
    Indicator {
        name: "keltner_lower",
        title: "lower Keltner band",
        formula: "ema(close, n) - k atr(atr_n)",
        compute: |inputs, a| {
            on_bars(inputs, keltner_first(a), |bars, out| {
                keltner(bars, a, -a[2], out)
            })
        },
        ..KELTNER_ROW
    },
    Indicator {
        name: "donchian_upper",
        title: "upper Donchian channel",
        formula: "highest high of the last n bars, this one included",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n - 1, |bars, out| highest(bars.high, n, out))
        },
        ..DONCHIAN_ROW
    },
    Indicator {
        name: "donchian_mid",
        title: "middle of the Donchian channel",
        formula: "(donchian_upper(n) + donchian_lower(n)) / 2",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n - 1, |bars, out| {
                ranges(bars.high, bars.low, n, |i, highest, lowest| {
                    out[i] = (highest + lowest) / 2.0;
                });
            })
        },
        ..DONCHIAN_ROW
    },
    Indicator {
        name: "donchian_lower",
        title: "lower Donchian channel",
        formula: "lowest low of the last n bars, this one included",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n - 1, |bars, out| lowest(bars.low, n, out))
        },
        ..DONCHIAN_ROW
    },
];

const BOLLINGER_ROW: Indicator = Indicator {
    args: BOLLINGER_ARGS,
    source: "Bollinger 2001, TA-Lib BBANDS with SMA; ours, block sums (ta's have width on a flat window)",
    ..SERIES_ROW
};
const BOLLINGER_ARGS: &[Arg] = &[bars("n", 2), real("k", 0.0, 1000.0)];

const KELTNER_ROW: Indicator = Indicator {
    args: KELTNER_ARGS,
    source: "Keltner 1960 as changed by Raschke; on ta EMA and Wilder's ATR (ta KeltnerChannel is not Wilder's)",
    warmup: keltner_first,
    ..BARS_ROW
};
const KELTNER_ARGS: &[Arg] = &[bars("n", 1), bars("atr_n", 1), real("k", 0.0, 1000.0)];

const DONCHIAN_ROW: Indicator = Indicator {
    source: "Donchian, TA-Lib MAX and MIN; ours (ta rescans its window)",
    ..BARS_ROW
};

fn bollinger(x: &[f64], n: usize, k: f64) -> Vec<f64> {
    let share = 1.0 / n as f64;
    on_series(x, n - 1, |x, out| {
        moments(x, n, |i, window| {
            out[i] = window.mean() + k * window.deviation(share)
        });
    })
}

/// All three begin where both the average and the range exist.
fn keltner_first(args: &[f64]) -> usize {
    (whole(args, 0) - 1).max(whole(args, 1))
}

fn keltner(bars: BarRun<'_>, args: &[f64], k: f64, out: &mut [f64]) {
    let n = whole(args, 0);
    ema(bars.close, n, n - 1, out);
    atr(bars, whole(args, 1), |i, atr| out[i] += k * atr);
}
