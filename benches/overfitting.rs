//! Judging many trials: CPU seconds of each figure, on one thread, over ten years of days.
//!
//! `cargo bench --bench overfitting [TRIALS]` (1,000 unless given). The trials are noise; giving
//! their returns costs a copy.

#![allow(clippy::print_stdout)]

use papertape::metrics::bootstrap::{SEED, growth_intervals, sharpe_interval, uniform};
use papertape::study::overfitting::{Blocks, Evidence, Sharpes, block_sums, judge_trials};

const SESSIONS: usize = 2520;

fn returns(trial: u64) -> Vec<f64> {
    let draw = |i: usize| 0.02 * (uniform(trial, i as u64) - 0.5);
    (0..SESSIONS).map(draw).collect()
}

/// CPU seconds of this thread, from the scheduler's count in nanoseconds.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// Prints and gives the seconds of the fastest of three.
fn timed(what: &str, trials: usize, mut work: impl FnMut()) -> f64 {
    let seconds = (0..3).map(|_| {
        let start = cpu_seconds();
        work();
        cpu_seconds() - start
    });
    let least = seconds.fold(f64::INFINITY, f64::min);
    let each = least / trials as f64 * 1e6;
    println!("{what:<44} {least:>9.3} s {each:>10.1} us a trial");
    least
}

fn main() {
    let given = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    let trials: usize = given.unwrap_or(1000);
    let columns: Vec<Vec<f64>> = (0..trials as u64).map(returns).collect();
    let mut blocks = Blocks::default();
    timed("block sums from returns", trials, || {
        blocks = Blocks::default();
        for column in &columns {
            blocks.push(&block_sums(column));
        }
    });
    timed("overfitting, 12,870 splits", trials, || {
        let splits = blocks.splits(Some(1)).map(|splits| splits.probability());
        assert!(splits.is_ok());
    });
    let sharpes: Sharpes = (0..trials).map(|trial| trial as f64).collect();
    let trial = |number: usize| Ok(columns[number].clone());
    let intervals = timed("intervals of the best: Sharpe", 1, || {
        assert!(sharpe_interval(&columns[0], 252.0, SEED).is_ok());
    }) + timed("intervals of the best: CAGR, drawdown", 1, || {
        assert!(growth_intervals(&columns[0], 3650.0, SEED).is_ok());
    });
    let all = timed("all but overfitting", trials, || {
        let judgement = judge_trials(&Evidence {
            best: 0,
            returns: &columns[0],
            rate: &[],
            days: 3650.0,
            periods_a_year: 252.0,
            sharpes: &sharpes,
            sharpes_all: None,
            blocks: Err("measured above"),
            trial: Some(&trial),
            seed: SEED,
            threads: Some(1),
            cancel: None,
        });
        assert!(judgement.is_ok_and(|found| found.ability.is_ok()));
    });
    let each = (all - intervals) / trials as f64 * 1e6;
    println!("of which reality check, SPA and likeness {each:.1} us a trial");
}
