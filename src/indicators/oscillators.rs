//! Oscillators: where the price stands in its recent range, how fast it moves.

use crate::indicators::averages::{ema, nested_emas, sma, started};
use crate::indicators::gaps::{BarRun, on_bars, on_series, on_traded_bars};
use crate::indicators::ordered::Ordered;
use crate::indicators::sliding::{larger, means, ranges, slide, smaller};
use crate::indicators::{
    Arg, BARS_ROW, Indicator, SERIES_ROW, Scale, bars, fast_below_slow, whole,
};
use ta::Next;
use ta::indicators::RateOfChange;

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "rsi",
        scale: Scale::Pure,
        title: "relative strength index, 0 to 100",
        formula: "100 g / (g + l), g and l Wilder's averages of gains and losses (0/0: 0)",
        source: "Wilder 1978, TA-Lib RSI; on ta EMA of 2n - 1 (ta RSI is not Wilder's)",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n, |x, out| rsi(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "stoch_k",
        args: STOCH_ARGS,
        title: "slow stochastic %K, 0 to 100",
        formula: "sma(fast %K, slow_k)",
        source: STOCH_SOURCE,
        warmup: stoch_first,
        compute: |inputs, a| on_bars(inputs, stoch_first(a), |bars, out| stoch_k(bars, a, out)),
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "stoch_d",
        args: STOCH_ARGS,
        title: "slow stochastic %D, 0 to 100",
        formula: "sma(slow %K, slow_d)",
        source: STOCH_SOURCE,
        warmup: stoch_first,
        compute: |inputs, a| {
            on_bars(inputs, stoch_first(a), |bars, out| {
                let mut k = vec![0.0; bars.len()];
                stoch_k(bars, a, &mut k);
                let first = whole(a, 0) + whole(a, 1) - 2;
                sma(&k[first..], whole(a, 2), &mut out[first..]);
            })
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "stochf_k",
        args: STOCHF_ARGS,
        title: "fast stochastic %K, 0 to 100",
        formula: "100 (close - lowest low of n) / (highest high of n - lowest low of n) (0/0: 0)",
        source: STOCHF_SOURCE,
        warmup: |a| whole(a, 0) + whole(a, 1) - 2,
        compute: |inputs, a| {
            let first = whole(a, 0) + whole(a, 1) - 2;
            on_bars(inputs, first, |bars, out| fast_k(bars, whole(a, 0), out))
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "stochf_d",
        args: STOCHF_ARGS,
        title: "fast stochastic %D, 0 to 100",
        formula: "sma(fast %K, d)",
        source: STOCHF_SOURCE,
        warmup: |a| whole(a, 0) + whole(a, 1) - 2,
        compute: |inputs, a| {
            let (n, d) = (whole(a, 0), whole(a, 1));
            on_bars(inputs, n + d - 2, |bars, out| {
                let mut k = vec![0.0; bars.len()];
                fast_k(bars, n, &mut k);
                sma(&k[n - 1..], d, &mut out[n - 1..]);
            })
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "cci",
        args: &[bars("n", 2)],
        title: "commodity channel index",
        formula: "(tp - m) / (0.015 d), tp = (high + low + close) / 3, m its mean of n, d mean of |tp_i - m| (0/0: 0)",
        source: "Lambert 1980, TA-Lib CCI; ours (ta CCI takes d of the close)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n - 1, |bars, out| cci(bars, n, out))
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "mfi",
        needs_volume: true,
        title: "money flow index, 0 to 100",
        formula: "100 up / (up + down), tp x volume summed over n bars where tp rose and where it fell (sum below 1: 0)",
        source: "Quong and Soudack 1989, TA-Lib MFI; ours (ta MFI adds tp in another order, so ties differ)",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_traded_bars(inputs, n, |bars, out| mfi(bars, n, out))
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "willr",
        title: "Williams %R, -100 to 0",
        formula: "-100 (highest high of n - close) / (highest high of n - lowest low of n) (0/0: 0)",
        source: "Williams 1973, TA-Lib WILLR; ours (ta has none)",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_bars(inputs, n - 1, |bars, out| willr(bars, n, out))
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "ultosc",
        args: &[bars("a", 1), bars("b", 1), bars("c", 1)],
        title: "ultimate oscillator, 0 to 100",
        formula: "100 (4 A_a + 2 A_b + A_c) / 7, A_n = sum of (close - min(low, close[1])) / sum of true range over n (0/0: 0), a <= b <= c",
        source: "Williams 1985, TA-Lib ULTOSC; ours (ta has none)",
        warmup: |a| whole(a, 0).max(whole(a, 1)).max(whole(a, 2)),
        check: |a| {
            let is_rising = a[0] <= a[1] && a[1] <= a[2];
            (!is_rising).then_some("the lengths must go from the shortest to the longest")
        },
        compute: |inputs, a| {
            let lengths = [whole(a, 0), whole(a, 1), whole(a, 2)];
            let first = lengths.into_iter().fold(0, usize::max);
            on_bars(inputs, first, |bars, out| ultosc(bars, lengths, out))
        },
        ..PURE_BARS_ROW
    },
    Indicator {
        name: "roc",
        scale: Scale::Pure,
        title: "rate of change, per cent",
        formula: "100 (x / x[n] - 1) (x[n] = 0: 0)",
        source: "TA-Lib ROC; ta RateOfChange",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n, |x, out| roc(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "mom",
        title: "momentum",
        formula: "x - x[n]",
        source: "TA-Lib MOM; ours (ta has none)",
        warmup: |a| whole(a, 0),
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, n, |x, out| {
                for ((out, now), then) in out[n..].iter_mut().zip(&x[n..]).zip(x) {
                    *out = now - then;
                }
            })
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "trix",
        scale: Scale::Pure,
        title: "one-bar change of a triple exponential average, per cent",
        formula: "roc(ema(ema(ema(x, n), n), n), 1)",
        source: "Hutson 1983, TA-Lib TRIX; on ta EMA and RateOfChange",
        warmup: |a| 3 * whole(a, 0) - 2,
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_series(inputs.x, 3 * n - 2, |x, out| trix(x, n, out))
        },
        ..SERIES_ROW
    },
    Indicator {
        name: "ppo",
        args: &[bars("fast", 1), bars("slow", 2)],
        scale: Scale::Pure,
        title: "percentage price oscillator, per cent",
        formula: "100 (ema(x, fast) - ema(x, slow)) / ema(x, slow) (slow average 0: 0)",
        source: "TA-Lib PPO with EMA; on ta EMA (ta PPO starts each average with the first value)",
        warmup: |a| whole(a, 0).max(whole(a, 1)) - 1,
        check: fast_below_slow,
        compute: |inputs, a| {
            let (fast, slow) = (whole(a, 0), whole(a, 1));
            on_series(inputs.x, fast.max(slow) - 1, |x, out| {
                ppo(x, fast, slow, out)
            })
        },
        ..SERIES_ROW
    },
];

/// A pure number from bars.
const PURE_BARS_ROW: Indicator = Indicator {
    scale: Scale::Pure,
    ..BARS_ROW
};

const STOCH_ARGS: &[Arg] = &[bars("n", 1), bars("slow_k", 1), bars("slow_d", 1)];
const STOCHF_ARGS: &[Arg] = &[bars("n", 1), bars("d", 1)];
const STOCH_SOURCE: &str =
    "Lane 1984, TA-Lib STOCH with SMA; ours (ta SlowStochastic smooths by EMA)";
const STOCHF_SOURCE: &str =
    "Lane 1984, TA-Lib STOCHF with SMA; ours (ta FastStochastic rescans its window)";

fn stoch_first(args: &[f64]) -> usize {
    whole(args, 0) + whole(args, 1) + whole(args, 2) - 3
}

fn rsi(x: &[f64], n: usize, out: &mut [f64]) {
    let (mut gains, mut losses) = (0.0, 0.0);
    for pair in x[..=n].windows(2) {
        gains += larger(pair[1] - pair[0], 0.0);
        losses += larger(pair[0] - pair[1], 0.0);
    }
    let share = |gain: f64, loss: f64| {
        let total = gain + loss;
        if total > 0.0 {
            100.0 * gain / total
        } else {
            0.0
        }
    };
    let (gain, loss) = (gains / n as f64, losses / n as f64);
    out[n] = share(gain, loss);
    let mut gain = started(2 * n - 1, gain);
    let mut loss = started(2 * n - 1, loss);
    for (out, pair) in out[n + 1..].iter_mut().zip(x[n..].windows(2)) {
        let change = pair[1] - pair[0];
        let up = gain.next(larger(change, 0.0));
        let down = loss.next(larger(-change, 0.0));
        *out = share(up, down);
    }
}

/// 100 (part / whole), 0 when the whole is 0.
fn percent(part: f64, whole: f64) -> f64 {
    if whole == 0.0 {
        0.0
    } else {
        100.0 * (part / whole)
    }
}

/// Fast %K into `out[n - 1..]`.
fn fast_k(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    ranges(bars.high, bars.low, n, |i, highest, lowest| {
        out[i] = percent(bars.close[i] - lowest, highest - lowest);
    });
}

/// Slow %K into `out[n + slow_k - 2..]`.
fn stoch_k(bars: BarRun<'_>, args: &[f64], out: &mut [f64]) {
    let n = whole(args, 0);
    let mut k = vec![0.0; bars.len()];
    fast_k(bars, n, &mut k);
    sma(&k[n - 1..], whole(args, 1), &mut out[n - 1..]);
}

fn willr(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    ranges(bars.high, bars.low, n, |i, highest, lowest| {
        out[i] = -percent(highest - bars.close[i], highest - lowest);
    });
}

/// Windows up to this length are summed value by value for the mean deviation: that is quicker than
/// keeping them in order, and a constant bound on the work of a bar all the same.
const PLAIN_MAX: usize = 512;

fn cci(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    let typical: Vec<f64> = (0..bars.len()).map(|i| bars.typical(i)).collect();
    let count = n as f64;
    let index = |above: f64, distances: f64| {
        if above == 0.0 || distances == 0.0 {
            0.0
        } else {
            above / (0.015 * (distances / count))
        }
    };
    if n <= PLAIN_MAX {
        means(&typical, n, |i, pivot, offset| {
            let distances = sum_of_distances(&typical[i + 1 - n..=i], pivot, offset);
            out[i] = index((typical[i] - pivot) - offset, distances);
        });
        return;
    }
    let mut window = Ordered::new(n);
    for (bar, value) in typical[..n - 1].iter().enumerate() {
        window.push(bar, *value);
    }
    means(&typical, n, |i, pivot, offset| {
        window.push(i, typical[i]);
        // Deviations above and below a mean cancel, so those above are half of the distances.
        let distances = 2.0 * window.sum_above(pivot, offset);
        out[i] = index((typical[i] - pivot) - offset, distances);
    });
}

/// Sum of |x - (pivot + offset)|, in four partial sums.
fn sum_of_distances(x: &[f64], pivot: f64, offset: f64) -> f64 {
    let mut sums = [0.0; 4];
    let fours = x.chunks_exact(4);
    for (sum, v) in sums.iter_mut().zip(fours.remainder()) {
        *sum += ((v - pivot) - offset).abs();
    }
    for four in fours {
        for (sum, v) in sums.iter_mut().zip(four) {
            *sum += ((v - pivot) - offset).abs();
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

fn mfi(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    // Element i is the flow of bar i + 1: into the first when the price rose, the second when it
    // fell.
    let mut flows = Vec::with_capacity(bars.len() - 1);
    let mut last = bars.typical(0);
    for i in 1..bars.len() {
        let typical = bars.typical(i);
        let flow = typical * bars.volume[i];
        flows.push((
            if typical > last { flow } else { 0.0 },
            if typical < last { flow } else { 0.0 },
        ));
        last = typical;
    }
    slide(
        flows.len(),
        n,
        |i, _| flows[i],
        |a, b| (a.0 + b.0, a.1 + b.1),
        |i, _, (up, down)| {
            let total = up + down;
            out[i + 1] = if total < 1.0 {
                0.0
            } else {
                100.0 * (up / total)
            };
        },
    );
}

fn ultosc(bars: BarRun<'_>, lengths: [usize; 3], out: &mut [f64]) {
    let first = lengths.into_iter().fold(0, usize::max);
    // Element i is bar i + 1: buying pressure and true range.
    let pressures: Vec<(f64, f64)> = (1..bars.len())
        .map(|i| {
            let last = bars.close[i - 1];
            let floor = smaller(bars.low[i], last);
            (bars.close[i] - floor, larger(bars.high[i], last) - floor)
        })
        .collect();
    out[first..].fill(0.0);
    for (length, weight) in lengths.into_iter().zip([4.0, 2.0, 1.0]) {
        slide(
            pressures.len(),
            length,
            |i, _| pressures[i],
            |a, b| (a.0 + b.0, a.1 + b.1),
            |i, _, (pressure, range)| {
                if i + 1 >= first {
                    out[i + 1] += weight * percent(pressure, range) / 7.0;
                }
            },
        );
    }
}

/// Rate of change in per cent into `out[n..]`; TA-Lib's is 0 where `x[n]` is.
fn roc(x: &[f64], n: usize, out: &mut [f64]) {
    let mut rate = RateOfChange::new(n.max(1)).unwrap_or_default();
    for x in &x[..n] {
        rate.next(*x);
    }
    for ((out, now), then) in out[n..].iter_mut().zip(&x[n..]).zip(x) {
        let change = rate.next(*now);
        *out = if *then == 0.0 { 0.0 } else { change };
    }
}

fn trix(x: &[f64], n: usize, out: &mut [f64]) {
    let mut rate = RateOfChange::new(1).unwrap_or_default();
    nested_emas(x, n, |i, [_, _, e3]| out[i] = rate.next(e3));
}

fn ppo(x: &[f64], fast: usize, slow: usize, out: &mut [f64]) {
    let mut slow_average = vec![0.0; x.len()];
    ema(x, slow, slow - 1, &mut slow_average);
    ema(x, fast, fast - 1, out);
    for (out, slow) in out.iter_mut().zip(&slow_average).skip(slow.max(fast) - 1) {
        *out = percent(*out - slow, *slow);
    }
}
