//! The fast functions against plain ones: each value from its own window by the textbook formula,
//! recursions as they are printed. Prices are walks with flat stretches, gaps and one-bar ticks of
//! 1e12 times the price, from 1e-9 to 1e6.

use super::{Step, Tape, arguments, tape};
use papertape::indicators::all;
use proptest::prelude::*;

/// Plain values, and the size of the largest number that was subtracted on the way to each: a
/// difference cannot be better than the rounding of its terms.
struct Plain {
    values: Vec<f64>,
    terms: Vec<f64>,
}

/// Values that no cancellation spoils.
fn exact(values: Vec<f64>) -> Plain {
    let terms = values.iter().map(|v| v.abs()).collect();
    Plain { values, terms }
}

/// Values from terms of a known size.
fn of_size(values: Vec<f64>, size: f64) -> Plain {
    let terms = vec![size; values.len()];
    Plain { values, terms }
}

/// `f` of each window of `n` values.
fn windows(x: &[f64], n: usize, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    (0..x.len())
        .map(|i| {
            if i + 1 < n {
                f64::NAN
            } else {
                f(&x[i + 1 - n..=i])
            }
        })
        .collect()
}

/// The same with the largest size in the window as the size of terms.
fn over_windows(x: &[f64], n: usize, f: impl Fn(&[f64]) -> f64) -> Plain {
    Plain {
        values: windows(x, n, f),
        terms: windows(x, n, |w| w.iter().fold(0.0, |a, v| a.max(v.abs()))),
    }
}

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

/// Mean as distance from the newest value, so that the plain formula does not itself cancel.
fn mean_from_last(w: &[f64]) -> f64 {
    let last = w[w.len() - 1];
    w.iter().map(|v| v - last).sum::<f64>() / w.len() as f64
}

fn mean(w: &[f64]) -> f64 {
    w.iter().sum::<f64>() / w.len() as f64
}

fn variance(w: &[f64], ddof: f64) -> f64 {
    let last = w[w.len() - 1];
    let mean = mean_from_last(w);
    w.iter().map(|v| ((v - last) - mean).powi(2)).sum::<f64>() / (w.len() as f64 - ddof)
}

fn highest(w: &[f64]) -> f64 {
    w.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn lowest(w: &[f64]) -> f64 {
    w.iter().copied().fold(f64::INFINITY, f64::min)
}

/// e + k (x - e), started at `first` as the mean of the `n` values before.
fn recursion(x: &[f64], n: usize, k: f64, first: usize) -> Vec<f64> {
    let mut e = f64::NAN;
    (0..x.len())
        .map(|i| {
            if i == first {
                e = mean(&x[i + 1 - n..=i]);
            } else if i > first {
                // Of one value: e + (x - e) would lose x beside a huge e.
                e = if k == 1.0 { x[i] } else { e + k * (x[i] - e) };
            }
            e
        })
        .collect()
}

fn ema(x: &[f64], n: usize, first: usize) -> Vec<f64> {
    recursion(x, n, 2.0 / (n as f64 + 1.0), first)
}

fn rma(x: &[f64], n: usize, first: usize) -> Vec<f64> {
    recursion(x, n, 1.0 / n as f64, first)
}

fn changes(x: &[f64], n: usize) -> Vec<f64> {
    (0..x.len())
        .map(|i| if i < n { f64::NAN } else { x[i] - x[i - n] })
        .collect()
}

fn true_range(tape: &Tape) -> Vec<f64> {
    (0..tape.close.len())
        .map(|i| {
            if i == 0 {
                return f64::NAN;
            }
            let (high, low, last) = (tape.high[i], tape.low[i], tape.close[i - 1]);
            (high - low)
                .max((high - last).abs())
                .max((low - last).abs())
        })
        .collect()
}

fn typical(tape: &Tape) -> Vec<f64> {
    let bars = tape.high.iter().zip(&tape.low).zip(&tape.close);
    bars.map(|((h, l), c)| (h + l + c) / 3.0).collect()
}

fn masked(mut values: Vec<f64>, first: usize) -> Vec<f64> {
    let end = first.min(values.len());
    values[..end].fill(f64::NAN);
    values
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

fn averages(name: &str, x: &[f64], a: &[f64]) -> Option<Plain> {
    let n = a[0] as usize;
    Some(match name {
        "sma" | "bb_middle" => exact(windows(x, n, mean)),
        "sum" => exact(windows(x, n, |w| w.iter().sum())),
        "wma" => over_windows(x, n, |w| {
            let weighted: f64 = w.iter().zip(1..).map(|(v, i)| v * f64::from(i)).sum();
            weighted / (n * (n + 1) / 2) as f64
        }),
        "ema" => exact(ema(x, n, n - 1)),
        "rma" => exact(rma(x, n, n - 1)),
        "dema" => {
            let e1 = ema(x, n, n - 1);
            let e2 = ema(&e1, n, 2 * (n - 1));
            let values = zip(&e1, &e2, |e1, e2| 2.0 * e1 - e2);
            Plain {
                terms: zip(&e1, &e2, |e1, e2| 2.0 * e1.abs() + e2.abs()),
                values,
            }
        }
        "tema" => {
            let e1 = ema(x, n, n - 1);
            let e2 = ema(&e1, n, 2 * (n - 1));
            let e3 = ema(&e2, n, 3 * (n - 1));
            let values = zip(&zip(&e1, &e2, |e1, e2| 3.0 * (e1 - e2)), &e3, |d, e3| {
                d + e3
            });
            let terms = zip(&zip(&e1, &e2, |e1, e2| 3.0 * (e1 + e2)), &e3, |d, e3| {
                d + e3
            });
            Plain { values, terms }
        }
        "kama" => {
            let steps = changes(x, 1);
            let mut k = f64::NAN;
            exact(
                (0..x.len())
                    .map(|t| {
                        if t < n {
                            k = x[t];
                            return f64::NAN;
                        }
                        let path: f64 = steps[t + 1 - n..=t].iter().map(|d| d.abs()).sum();
                        let er = if path == 0.0 {
                            1.0
                        } else {
                            (x[t] - x[t - n]).abs() / path
                        };
                        let c = (er * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0_f64).powi(2);
                        k += c * (x[t] - k);
                        k
                    })
                    .collect(),
            )
        }
        "macd" | "macd_signal" | "macd_hist" => macd(name, x, a),
        _ => return None,
    })
}

fn macd(name: &str, x: &[f64], a: &[f64]) -> Plain {
    let [fast, slow, signal] = [a[0] as usize, a[1] as usize, a[2] as usize];
    let first = slow + signal - 2;
    let fast = ema(x, fast, slow - 1);
    let slow = ema(x, slow, slow - 1);
    let line = zip(&fast, &slow, |f, s| f - s);
    let signals = ema(&line, signal, first);
    let values = match name {
        "macd" => line.clone(),
        "macd_signal" => signals.clone(),
        _ => zip(&line, &signals, |l, s| l - s),
    };
    // The signal remembers the rounding of terms that have decayed since.
    let mut terms = zip(&fast, &slow, |f, s| f.abs() + s.abs());
    for i in first.min(x.len())..x.len() {
        if i > first {
            terms[i] = terms[i].max(terms[i - 1] * (1.0 - 2.0 / (signal as f64 + 1.0)));
        } else {
            terms[i] = terms[i + 1 - signal..=i]
                .iter()
                .copied()
                .fold(0.0, f64::max);
        }
    }
    Plain {
        values: masked(values, first),
        terms,
    }
}

fn statistics(name: &str, x: &[f64], a: &[f64]) -> Option<Plain> {
    let n = a.first().map_or(0, |n| *n as usize);
    Some(match name {
        "stdev" => exact(windows(x, n, |w| variance(w, 0.0).sqrt())),
        "bb_upper" => over_windows(x, n, |w| mean(w) + a[1] * variance(w, 0.0).sqrt()),
        "bb_lower" => over_windows(x, n, |w| mean(w) - a[1] * variance(w, 0.0).sqrt()),
        "zscore" => of_size(
            windows(x, n, |w| ratio(-mean_from_last(w), variance(w, 0.0).sqrt())),
            n as f64,
        ),
        "realized_vol" => {
            let logs: Vec<f64> = (0..x.len())
                .map(|i| {
                    if i == 0 {
                        f64::NAN
                    } else {
                        (x[i] / x[i - 1]).ln()
                    }
                })
                .collect();
            exact(windows(&logs, n, |w| (variance(w, 1.0) * 252.0).sqrt()))
        }
        "linreg_slope" => over_windows(x, n, |w| {
            let middle = (n as f64 - 1.0) / 2.0;
            let last = w[n - 1];
            let (mut up, mut down) = (0.0, 0.0);
            for (i, v) in w.iter().enumerate() {
                up += (i as f64 - middle) * (v - last);
                down += (i as f64 - middle).powi(2);
            }
            up / down
        }),
        "highest" => exact(windows(x, n, highest)),
        "lowest" => exact(windows(x, n, lowest)),
        "percentile" => exact(windows(x, n, |w| {
            w.iter().filter(|v| **v <= w[n - 1]).count() as f64 / n as f64
        })),
        "drawdown" => of_size(
            (0..x.len())
                .map(|i| x[i] / highest(&x[..=i]) - 1.0)
                .collect(),
            1.0,
        ),
        "mom" => exact(changes(x, n)),
        _ => return None,
    })
}

fn rates(name: &str, x: &[f64], a: &[f64]) -> Option<Plain> {
    let n = a.first().map_or(0, |n| *n as usize);
    Some(match name {
        "rsi" => {
            let change = changes(x, 1);
            let gain = rma(&change.iter().map(|d| d.max(0.0)).collect::<Vec<_>>(), n, n);
            let loss = rma(
                &change.iter().map(|d| (-d).max(0.0)).collect::<Vec<_>>(),
                n,
                n,
            );
            exact(masked(zip(&gain, &loss, |g, l| 100.0 * ratio(g, g + l)), n))
        }
        "roc" => exact(zip(&changes(x, n), &shift(x, n), |d, then| {
            100.0 * (d / then)
        })),
        "trix" => {
            let e1 = ema(x, n, n - 1);
            let e2 = ema(&e1, n, 2 * (n - 1));
            let e3 = ema(&e2, n, 3 * (n - 1));
            let values = zip(&changes(&e3, 1), &shift(&e3, 1), |d, then| {
                100.0 * (d / then)
            });
            Plain {
                terms: values.iter().map(|v| v.abs() + 100.0).collect(),
                values,
            }
        }
        "ppo" => {
            let fast = ema(x, n, n - 1);
            let slow = ema(x, a[1] as usize, a[1] as usize - 1);
            let values = zip(&fast, &slow, |f, s| 100.0 * ratio(f - s, s));
            Plain {
                terms: values.iter().map(|v| v.abs() + 100.0).collect(),
                values,
            }
        }
        _ => return None,
    })
}

fn shift(x: &[f64], n: usize) -> Vec<f64> {
    (0..x.len())
        .map(|i| if i < n { f64::NAN } else { x[i - n] })
        .collect()
}

/// Highest highs and lowest lows of `n` bars.
fn channel(tape: &Tape, n: usize) -> (Vec<f64>, Vec<f64>) {
    (
        windows(&tape.high, n, highest),
        windows(&tape.low, n, lowest),
    )
}

fn ranges(name: &str, tape: &Tape, a: &[f64]) -> Option<Plain> {
    let n = a.first().map_or(0, |n| *n as usize);
    let fast_k = || {
        let (high, low) = channel(tape, n);
        let parts = zip(&tape.close, &low, |c, l| c - l);
        zip(&parts, &zip(&high, &low, |h, l| h - l), |part, range| {
            100.0 * ratio(part, range)
        })
    };
    Some(match name {
        "stochf_k" => of_size(masked(fast_k(), n + a[1] as usize - 2), 100.0),
        "stochf_d" => of_size(windows(&fast_k(), a[1] as usize, mean), 100.0),
        "stoch_k" | "stoch_d" => {
            let slow_k = windows(&fast_k(), a[1] as usize, mean);
            let slow_d = windows(&slow_k, a[2] as usize, mean);
            let first = n + a[1] as usize + a[2] as usize - 3;
            let values = if name == "stoch_k" { slow_k } else { slow_d };
            of_size(masked(values, first), 100.0)
        }
        "willr" => {
            let (high, low) = channel(tape, n);
            let parts = zip(&high, &tape.close, |h, c| h - c);
            let all = zip(&high, &low, |h, l| h - l);
            exact(zip(&parts, &all, |part, all| -100.0 * ratio(part, all)))
        }
        "donchian_upper" => exact(channel(tape, n).0),
        "donchian_lower" => exact(channel(tape, n).1),
        "donchian_mid" => {
            let (high, low) = channel(tape, n);
            exact(zip(&high, &low, |h, l| (h + l) / 2.0))
        }
        "aroon_up" | "aroon_down" => {
            let x = if name == "aroon_up" {
                &tape.high
            } else {
                &tape.low
            };
            let pick = if name == "aroon_up" { highest } else { lowest };
            exact(windows(x, n + 1, |w| {
                let extreme = pick(w);
                let since = w.iter().rev().position(|v| *v == extreme).unwrap();
                100.0 * (n - since) as f64 / n as f64
            }))
        }
        "true_range" => exact(true_range(tape)),
        "atr" => exact(rma(&true_range(tape), n, n)),
        "natr" => {
            let atr = rma(&true_range(tape), n, n);
            exact(zip(&atr, &tape.close, |atr, close| 100.0 * atr / close))
        }
        "keltner_upper" | "keltner_middle" | "keltner_lower" => {
            let side = match name {
                "keltner_upper" => a[2],
                "keltner_lower" => -a[2],
                _ => 0.0,
            };
            let middle = ema(&tape.close, n, n - 1);
            let atr = rma(&true_range(tape), a[1] as usize, a[1] as usize);
            let values = zip(&middle, &atr, |m, atr| m + side * atr);
            Plain {
                values,
                terms: zip(&middle, &atr, |m, atr| m + side.abs() * atr),
            }
        }
        _ => return None,
    })
}

fn flows(name: &str, tape: &Tape, a: &[f64]) -> Option<Plain> {
    let n = a.first().map_or(0, |n| *n as usize);
    let price = typical(tape);
    Some(match name {
        "cci" => of_size(
            windows(&price, n, |w| {
                let (last, mean) = (w[n - 1], mean_from_last(w));
                let distances = w.iter().map(|v| ((v - last) - mean).abs()).sum::<f64>() / n as f64;
                ratio(-mean, 0.015 * distances)
            }),
            100.0 * n as f64,
        ),
        "mfi" => {
            let rises = changes(&price, 1);
            exact(
                (0..price.len())
                    .map(|i| {
                        if i < n {
                            return f64::NAN;
                        }
                        let flow = |sign: f64| -> f64 {
                            let bars = (i + 1 - n..=i).filter(|j| rises[*j] * sign > 0.0);
                            bars.map(|j| price[j] * tape.volume[j]).sum()
                        };
                        let (up, down) = (flow(1.0), flow(-1.0));
                        if up + down < 1.0 {
                            0.0
                        } else {
                            100.0 * up / (up + down)
                        }
                    })
                    .collect(),
            )
        }
        "vwap" => {
            let money = zip(&price, &tape.volume, |p, v| p * v);
            let sum = |x: &[f64]| windows(x, n, |w| w.iter().sum());
            exact(zip(&sum(&money), &sum(&tape.volume), |m, v| m / v))
        }
        "obv" => {
            let mut sum = tape.volume[0];
            of_size(
                (0..price.len())
                    .map(|i| {
                        if i > 0 && tape.close[i] > tape.close[i - 1] {
                            sum += tape.volume[i];
                        } else if i > 0 && tape.close[i] < tape.close[i - 1] {
                            sum -= tape.volume[i];
                        }
                        sum
                    })
                    .collect(),
                1e6,
            )
        }
        "ultosc" => exact(
            (0..price.len())
                .map(|i| {
                    let longest = a.iter().copied().fold(0.0, f64::max) as usize;
                    if i < longest {
                        return f64::NAN;
                    }
                    let average = |n: f64| {
                        let (mut pressure, mut range) = (0.0, 0.0);
                        for j in i + 1 - n as usize..=i {
                            let floor = tape.low[j].min(tape.close[j - 1]);
                            pressure += tape.close[j] - floor;
                            range += tape.high[j].max(tape.close[j - 1]) - floor;
                        }
                        ratio(pressure, range)
                    };
                    100.0 * (4.0 * average(a[0]) + 2.0 * average(a[1]) + average(a[2])) / 7.0
                })
                .collect(),
        ),
        _ => return None,
    })
}

/// Wilder's directional movement with his running sums: +DI, -DI and DX.
fn directions(tape: &Tape, n: usize) -> [Vec<f64>; 3] {
    let len = tape.close.len();
    let range = true_range(tape);
    let mut out = [
        vec![f64::NAN; len],
        vec![f64::NAN; len],
        vec![f64::NAN; len],
    ];
    let (mut sums, mut dx) = ([0.0; 3], 0.0);
    for i in 1..len {
        let (up, down) = (
            tape.high[i] - tape.high[i - 1],
            tape.low[i - 1] - tape.low[i],
        );
        let plus = if up > down && up > 0.0 { up } else { 0.0 };
        let minus = if down > up && down > 0.0 { down } else { 0.0 };
        for (sum, x) in sums.iter_mut().zip([plus, minus, range[i]]) {
            *sum = if i < n {
                *sum + x
            } else {
                *sum - *sum / n as f64 + x
            };
        }
        if i >= n {
            let (p, m) = (
                100.0 * ratio(sums[0], sums[2]),
                100.0 * ratio(sums[1], sums[2]),
            );
            if p + m > 0.0 {
                dx = 100.0 * (p - m).abs() / (p + m);
            }
            (out[0][i], out[1][i], out[2][i]) = (p, m, dx);
        }
    }
    out
}

fn trends(name: &str, tape: &Tape, a: &[f64]) -> Option<Plain> {
    let n = a.first().map_or(0, |n| *n as usize);
    Some(match name {
        "plus_di" => of_size(directions(tape, n)[0].clone(), 100.0),
        "minus_di" => of_size(directions(tape, n)[1].clone(), 100.0),
        "dx" => of_size(directions(tape, n)[2].clone(), 100.0),
        "adx" => of_size(rma(&directions(tape, n)[2], n, 2 * n - 1), 100.0),
        "psar" => exact(psar(tape, a[0], a[1])),
        "supertrend" => {
            let (line, _, terms) = supertrend(tape, n, a[1]);
            Plain {
                values: line,
                terms,
            }
        }
        "supertrend_dir" => exact(supertrend(tape, n, a[1]).1),
        _ => return None,
    })
}

fn psar(tape: &Tape, step: f64, max: f64) -> Vec<f64> {
    let (h, l) = (&tape.high, &tape.low);
    let mut out = vec![f64::NAN; h.len()];
    if h.len() < 2 {
        return out;
    }
    let (up, down) = (h[1] - h[0], l[0] - l[1]);
    let mut long = !(down > up && down > 0.0);
    let (mut sar, mut ep, mut af) = if long {
        (l[0], h[1], step)
    } else {
        (h[0], l[1], step)
    };
    for i in 1..h.len() {
        let j = if i == 1 { 1 } else { i - 1 };
        if long && l[i] <= sar {
            out[i] = ep.max(h[j]).max(h[i]);
            (long, ep, af) = (false, l[i], step);
            sar = (out[i] + af * (ep - out[i])).max(h[j]).max(h[i]);
        } else if !long && h[i] >= sar {
            out[i] = ep.min(l[j]).min(l[i]);
            (long, ep, af) = (true, h[i], step);
            sar = (out[i] + af * (ep - out[i])).min(l[j]).min(l[i]);
        } else if long {
            out[i] = sar;
            if h[i] > ep {
                (ep, af) = (h[i], (af + step).min(max));
            }
            sar = (sar + af * (ep - sar)).min(l[j]).min(l[i]);
        } else {
            out[i] = sar;
            if l[i] < ep {
                (ep, af) = (l[i], (af + step).min(max));
            }
            sar = (sar + af * (ep - sar)).max(h[j]).max(h[i]);
        }
    }
    out
}

/// Line, direction, and the size of the terms of the line.
fn supertrend(tape: &Tape, n: usize, k: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let atr = rma(&true_range(tape), n, n);
    let len = tape.close.len();
    let (mut line, mut dir) = (vec![f64::NAN; len], vec![f64::NAN; len]);
    let mut terms = vec![f64::NAN; len];
    let (mut fu, mut fl, mut up) = (0.0, 0.0, true);
    for i in n..len {
        let mid = (tape.high[i] + tape.low[i]) / 2.0;
        let (bu, bl) = (mid + k * atr[i], mid - k * atr[i]);
        let last = tape.close[i - 1];
        fu = if i == n || bu < fu || last > fu {
            bu
        } else {
            fu
        };
        fl = if i == n || bl > fl || last < fl {
            bl
        } else {
            fl
        };
        if i > n {
            up = if up {
                tape.close[i] >= fl
            } else {
                tape.close[i] > fu
            };
        }
        line[i] = if up { fl } else { fu };
        dir[i] = if up { 1.0 } else { -1.0 };
        terms[i] = mid + k * atr[i];
    }
    // A level is carried along, and with it the rounding of the bar that set it.
    for i in n + 1..len {
        terms[i] = terms[i].max(terms[i - 1]);
    }
    (line, dir, terms)
}

fn plain(name: &str, tape: &Tape, a: &[f64]) -> Plain {
    let x = &tape.close;
    if a.is_empty() && matches!(name, "true_range" | "obv" | "drawdown") {
        let found = ranges(name, tape, a).or_else(|| flows(name, tape, a));
        return found.or_else(|| statistics(name, x, a)).unwrap();
    }
    averages(name, x, a)
        .or_else(|| statistics(name, x, a))
        .or_else(|| rates(name, x, a))
        .or_else(|| ranges(name, tape, a))
        .or_else(|| flows(name, tape, a))
        .or_else(|| trends(name, tape, a))
        .unwrap_or_else(|| panic!("no plain formula for {name}"))
}

fn agree(tape: &Tape, picks: &[f64], longest: u32) -> Result<(), TestCaseError> {
    for row in all() {
        let args = arguments(row, picks, longest);
        let fast = row.run(&tape.inputs(), &args);
        let plain = plain(row.name, tape, &args);
        for (i, (ours, theirs)) in fast.iter().zip(&plain.values).enumerate() {
            let allowed = 1e-9 * theirs.abs() + 1e-13 * plain.terms[i];
            let is_right = (ours.is_nan() && theirs.is_nan()) || (ours - theirs).abs() <= allowed;
            prop_assert!(
                is_right,
                "{} {:?} at {}: {} but plainly {} (within {})",
                row.name,
                args,
                i,
                ours,
                theirs,
                allowed
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fast_and_plain_agree(
        start in prop::sample::select(vec![1e-9, 0.01, 1.0, 100.0, 1e6]),
        steps in prop::collection::vec((0_u8..120, -1.0..1.0_f64), 2..300),
        picks in prop::array::uniform3(0.0..1.0_f64),
        longest in prop::sample::select(vec![3_u32, 8, 30, 120]),
    ) {
        agree(&tape(start, &steps), &picks, longest)?;
    }
}

/// Windows long enough for the ordered window, and many blocks of short ones.
#[test]
fn fast_and_plain_agree_on_long_windows() {
    let mut state = 99_u64;
    let steps: Vec<Step> = (0..3000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let size = (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0;
            (((state >> 20) % 400) as u8, size)
        })
        .collect();
    let tape = tape(50.0, &steps);
    for (picks, longest) in [
        ([1.0, 1.0, 1.0], 1300),
        ([1.0, 0.5, 0.2], 600),
        ([0.3, 0.4, 0.5], 12),
    ] {
        agree(&tape, &picks, longest).unwrap();
    }
}
