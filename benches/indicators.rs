//! What each indicator costs: nanoseconds a bar on 1,000,000 and on 5,000 bars of a random walk,
//! allocation and writing of the column included, the best of several rounds.
//!
//! `cargo bench --bench indicators [NAME...]` prints the whole table or the rows named.

#![allow(clippy::print_stdout)]

use papertape::indicators::{Indicator, Inputs, all, find};
use std::hint::black_box;
use std::time::Instant;

/// Bars of the two tables: more than the caches hold, and a symbol's daily history.
const LONG: usize = 1_000_000;
const SHORT: usize = 5_000;
const ROUNDS: usize = 7;

/// Usual arguments, and for what slides over a window a short, a long and a very long one.
const CASES: &[(&str, &[&[f64]])] = &[
    ("sma", WINDOWS),
    ("ema", &[&[20.0]]),
    ("wma", WINDOWS),
    ("dema", &[&[20.0]]),
    ("tema", &[&[20.0]]),
    ("rma", &[&[14.0]]),
    ("kama", WINDOWS),
    ("macd", &[&[12.0, 26.0, 9.0]]),
    ("macd_signal", &[&[12.0, 26.0, 9.0]]),
    ("macd_hist", &[&[12.0, 26.0, 9.0]]),
    ("rsi", &[&[14.0]]),
    ("stoch_k", &[&[14.0, 3.0, 3.0]]),
    ("stoch_d", &[&[14.0, 3.0, 3.0]]),
    ("stochf_k", &[&[14.0, 3.0]]),
    ("stochf_d", &[&[14.0, 3.0]]),
    ("cci", ORDERED_WINDOWS),
    ("mfi", WINDOWS),
    ("willr", WINDOWS),
    ("ultosc", &[&[7.0, 14.0, 28.0]]),
    ("roc", &[&[10.0]]),
    ("mom", &[&[10.0]]),
    ("trix", &[&[15.0]]),
    ("ppo", &[&[12.0, 26.0]]),
    ("adx", &[&[14.0]]),
    ("dx", &[&[14.0]]),
    ("plus_di", &[&[14.0]]),
    ("minus_di", &[&[14.0]]),
    ("aroon_up", WINDOWS),
    ("aroon_down", &[&[25.0]]),
    ("psar", &[&[0.02, 0.2]]),
    ("supertrend", &[&[10.0, 3.0]]),
    ("supertrend_dir", &[&[10.0, 3.0]]),
    ("linreg_slope", WINDOWS),
    ("bb_upper", &[&[20.0, 2.0], &[200.0, 2.0]]),
    ("bb_middle", &[&[20.0, 2.0]]),
    ("bb_lower", &[&[20.0, 2.0]]),
    ("keltner_upper", &[&[20.0, 10.0, 2.0]]),
    ("keltner_middle", &[&[20.0, 10.0, 2.0]]),
    ("keltner_lower", &[&[20.0, 10.0, 2.0]]),
    ("donchian_upper", &[&[20.0]]),
    ("donchian_mid", &[&[20.0]]),
    ("donchian_lower", &[&[20.0]]),
    ("true_range", &[&[]]),
    ("atr", &[&[14.0]]),
    ("natr", &[&[14.0]]),
    ("stdev", WINDOWS),
    ("realized_vol", &[&[20.0]]),
    ("obv", &[&[]]),
    ("vwap", WINDOWS),
    ("highest", WINDOWS),
    ("lowest", &[&[20.0]]),
    ("sum", WINDOWS),
    ("zscore", WINDOWS),
    ("percentile", ORDERED_WINDOWS),
    ("drawdown", &[&[]]),
];
const WINDOWS: &[&[f64]] = &[&[5.0], &[20.0], &[200.0], &[5000.0]];
const ORDERED_WINDOWS: &[&[f64]] = &[&[14.0], &[20.0], &[60.0], &[252.0], &[1000.0], &[20_000.0]];

/// Prices on a grid of cents, as they are.
struct Walk {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

fn walk(bars: usize) -> Walk {
    let mut state = 1_u64;
    let mut draw = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let cents = |x: f64| (x * 100.0).round() / 100.0;
    let mut price = 100.0;
    let mut walk = Walk {
        open: Vec::new(),
        high: Vec::new(),
        low: Vec::new(),
        close: Vec::new(),
        volume: Vec::new(),
    };
    for _ in 0..bars {
        let open = price;
        price = cents(price * (1.0 + 0.02 * (draw() - 0.5)) + 0.001 * (100.0 - price));
        walk.open.push(open);
        walk.high
            .push(cents(price.max(open) * (1.0 + 0.004 * draw())));
        walk.low
            .push(cents(price.min(open) * (1.0 - 0.004 * draw())));
        walk.close.push(price);
        walk.volume.push((1e6 * draw()).round());
    }
    walk
}

fn nanoseconds_a_bar(row: &Indicator, inputs: &Inputs<'_>, args: &[f64]) -> f64 {
    let len = inputs.close.len();
    let repeats = (LONG / len / 4).max(1);
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..repeats {
                black_box(row.run(black_box(inputs), args));
            }
            start.elapsed().as_secs_f64() / repeats as f64
        })
        .fold(f64::INFINITY, f64::min);
    best * 1e9 / len as f64
}

/// The first `len` bars as inputs.
fn inputs(walk: &Walk, len: usize) -> Inputs<'_> {
    Inputs {
        x: &walk.close[..len],
        open: &walk.open[..len],
        high: &walk.high[..len],
        low: &walk.low[..len],
        close: &walk.close[..len],
        volume: &walk.volume[..len],
        periods_a_year: 252.0,
    }
}

fn main() {
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let walk = walk(LONG);
    let (long, short) = (inputs(&walk, LONG), inputs(&walk, SHORT));
    for row in all() {
        let is_listed = CASES.iter().any(|(name, _)| *name == row.name);
        assert!(is_listed, "{} has no case", row.name);
    }
    println!(
        "{:<16} {:<14} {:>10} {:>10}",
        "ns a bar", "arguments", LONG, SHORT
    );
    for (name, cases) in CASES {
        let is_wanted = named.is_empty() || named.iter().any(|n| n == name);
        let Some(row) = find(name).filter(|_| is_wanted) else {
            continue;
        };
        for args in *cases {
            let shown: Vec<String> = args.iter().map(f64::to_string).collect();
            let of_long = nanoseconds_a_bar(row, &long, args);
            let of_short = nanoseconds_a_bar(row, &short, args);
            println!(
                "{name:<16} {:<14} {of_long:>10.1} {of_short:>10.1}",
                shown.join(", ")
            );
        }
    }
}
