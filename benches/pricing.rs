//! Options a second, on one thread, over strikes, times and volatilities as chains have them.
//!
//! `cargo bench --bench pricing`. The fastest of five, in seconds of this thread's CPU.

#![allow(clippy::print_stdout)]

use papertape::instrument::{Right, Style};
use papertape::pricing::{CashDividend, Inputs, Surface, delta, implied_volatility, price, value};
use std::hint::black_box;

/// CPU seconds of this thread, from the scheduler's count in nanoseconds.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// `count` options around a price of 100, calls and puts in turn.
fn options(count: usize) -> Vec<(Inputs, f64)> {
    let option = |i: usize| {
        let inputs = Inputs {
            right: if i.is_multiple_of(2) {
                Right::Call
            } else {
                Right::Put
            },
            spot: 100.0,
            strike: 80.0 + (i * 7 % 400) as f64 * 0.1,
            years: (5 + i * 13 % 360) as f64 / 365.0,
            rate: 0.03,
            dividend_yield: 0.015,
        };
        (inputs, 0.1 + (i * 11 % 500) as f64 * 0.001)
    };
    (0..count).map(option).collect()
}

/// Prints how many a second `work` does, which gets every option and gives a number.
fn timed(what: &str, all: &[(Inputs, f64)], work: impl Fn(&Inputs, f64) -> f64) {
    let once = || {
        let start = cpu_seconds();
        let sum: f64 = all.iter().map(|(inputs, sigma)| work(inputs, *sigma)).sum();
        black_box(sum);
        cpu_seconds() - start
    };
    let least = (0..5).map(|_| once()).fold(f64::INFINITY, f64::min);
    let each = least / all.len() as f64;
    println!(
        "{what:<44} {:>12.0} a second {:>9.3} us",
        1.0 / each,
        each * 1e6
    );
}

fn main() {
    let many = options(500_000);
    let some = options(5_000);
    let dividends = [CashDividend {
        years: 0.05,
        amount: 0.7,
    }];
    let or_nan = |found: Result<f64, _>| found.unwrap_or(f64::NAN);
    timed("european price", &many, |i, sigma| {
        or_nan(price(Style::European, i, sigma, &[]))
    });
    timed("european price and greeks", &many, |i, sigma| {
        value(Style::European, i, sigma, &[]).map_or(f64::NAN, |v| v.price + v.gamma)
    });
    let priced: Vec<(Inputs, f64)> = many
        .iter()
        .map(|(i, sigma)| (*i, or_nan(price(Style::European, i, *sigma, &[]))))
        .collect();
    timed("european implied volatility", &priced, |i, price| {
        implied_volatility(Style::European, i, price, &[]).unwrap_or(0.0)
    });
    timed(
        "strike of a delta on the skewed surface",
        &some,
        |i, sigma| {
            let wanted = 0.3 * i.right.sign();
            or_nan(delta::strike_from_delta_on(
                Surface::INDEX,
                sigma,
                i,
                wanted,
            ))
        },
    );
    timed("american price, 201 steps", &some, |i, sigma| {
        or_nan(price(Style::American, i, sigma, &[]))
    });
    timed("american price with a cash dividend", &some, |i, sigma| {
        or_nan(price(Style::American, i, sigma, &dividends))
    });
    timed("american price and greeks", &some, |i, sigma| {
        value(Style::American, i, sigma, &[]).map_or(f64::NAN, |v| v.price + v.gamma)
    });
    let few: Vec<(Inputs, f64)> = some[..1_000]
        .iter()
        .map(|(i, sigma)| (*i, or_nan(price(Style::American, i, *sigma, &[]))))
        .collect();
    timed("american implied volatility", &few, |i, price| {
        implied_volatility(Style::American, i, price, &[]).unwrap_or(0.0)
    });
}
