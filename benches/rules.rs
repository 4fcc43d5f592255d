//! What expressions cost: microseconds to compile a strategy, nanoseconds a bar to evaluate one.
//!
//! `cargo bench --bench rules`. Times are the best of several passes on one core; CPU time of
//! other programs on the machine only makes them worse.

#![allow(clippy::print_stdout)]

use papertape::market::{Action, ActionKind, Bars, Market};
use papertape::rules::{EvalOptions, Kind, Program, Request, Vocabulary};
use papertape::units::DAY_MICROS;
use std::hint::black_box;
use std::time::Instant;

fn request(text: &str) -> Request<'_> {
    Request {
        key: "rules.enter",
        text,
        offset: Some(0),
        expects: Kind::Any,
        position: false,
    }
}

/// Seconds of the quickest of `passes`.
fn best(passes: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..passes {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// A walk of `n` minute bars.
fn market(n: usize) -> Market {
    let mut state = 1_u64;
    let mut price = 100.0;
    let closes = (0..n).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        price *= 1.0 + ((state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.001;
        price
    });
    let time = (0..n as i64).map(|i| i * DAY_MICROS / 1440).collect();
    let bars = Bars::of_closes(time, closes.collect());
    let bars = bars.unwrap_or_else(|error| panic!("{error}"));
    let market = Market::from_tapes(vec![("A".into(), bars)]);
    market.unwrap_or_else(|error| panic!("{error}"))
}

fn compiled(texts: &[&str], vocabulary: &Vocabulary) -> Program {
    let requests: Vec<_> = texts.iter().map(|text| request(text)).collect();
    let params = [("fast".to_string(), 20.0), ("slow".to_string(), 50.0)];
    Program::compile(&params, &[], &requests, vocabulary)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

const CROSS: [&str; 2] = [
    "crosses_above(sma(fast), sma(slow))",
    "crosses_below(sma(fast), sma(slow))",
];

fn main() {
    let bars = 1_000_000;
    let market = market(bars);
    let vocabulary = Vocabulary::of(&market);
    let names = best(7, || {
        black_box(Vocabulary::of(&market));
    });
    println!("names of the data: {:.1} us", names * 1e6);
    let options = EvalOptions {
        periods_a_year: 252.0,
        total_return: false,
    };
    let compile = best(200, || {
        black_box(compiled(&CROSS, &vocabulary));
    });
    println!(
        "compile two rules of moving averages: {:.1} us",
        compile * 1e6
    );
    println!("evaluate on {bars} bars, ns a bar");
    let averages = ["sma(fast)", "sma(slow)"];
    let expressions: [(&str, &[&str]); 9] = [
        ("two moving averages", &averages),
        ("… and the two crossings", &CROSS),
        ("close > open", &["close > open[1]", "close < 100"]),
        ("rsi(14) < 30, > 70", &["rsi(14) < 30", "rsi(14) > 70"]),
        (
            "(close - sma) / close",
            &["(close - sma(fast)) / close > 0.01"],
        ),
        ("highest(20)[1]", &["close > highest(high, 20)[1]"]),
        (
            "count and bars_since",
            &["count(close > open[1], 5) > bars_since(close < 99)"],
        ),
        ("coarser bars", &["close > sma(close, 20) @ \"1h\""]),
        ("random", &["random(1) < 0.01"]),
    ];
    for (name, texts) in expressions {
        let program = compiled(texts, &vocabulary);
        let seconds = best(7, || {
            black_box(program.evaluate_one(&market, 0, &options));
        });
        println!("{:>8.2}  {name}", seconds / bars as f64 * 1e9);
    }
    total_return(&options);
}

/// Twenty years of days with quarterly dividends: every dividend begins a segment that looks back
/// at its own scale.
fn total_return(options: &EvalOptions) {
    let mut market = market(5_000);
    let time: Vec<i64> = (0..5_000).map(|d| d * DAY_MICROS).collect();
    let bars = Bars::of_closes(time, market.tapes.remove(0).bars.close.to_vec());
    let bars = bars.unwrap_or_else(|error| panic!("{error}"));
    let market = Market::from_tapes(vec![("A".into(), bars)]);
    let market = market.unwrap_or_else(|error| panic!("{error}"));
    let dividend = |at: i64| Action {
        time: at * DAY_MICROS,
        symbol: "A".into(),
        kind: ActionKind::Dividend,
        value: 0.5,
        pay: None,
        declared: None,
    };
    let market = market.with_actions((1..80).map(|k| dividend(63 * k)).collect());
    let texts = [
        CROSS[0],
        CROSS[1],
        "rsi(14) < 30",
        "close < sma(200) - 2 * atr(14)",
    ];
    let program = compiled(&texts, &Vocabulary::of(&market));
    let total_return = EvalOptions {
        total_return: true,
        ..*options
    };
    for (name, options) in [("splits only", options), ("total return", &total_return)] {
        let seconds = best(5, || {
            black_box(program.evaluate_one(&market, 0, options));
        });
        println!(
            "{:>8.2} ms for 5,000 bars with 79 dividends, {name}",
            seconds * 1e3
        );
    }
}
