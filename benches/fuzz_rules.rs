//! Hostile expressions by the million: `cargo bench --bench fuzz_rules [COUNT [FIRST_SEED]]`.
//!
//! The inputs are those of the test suite (`tests/it/fuzz_rules.rs`). Without a count 100,000 are
//! tried. A panic prints its input and ends with status 1; what was tried is printed at the end.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/it/fuzz_rules.rs"]
mod fuzz_rules;
#[path = "../tests/it/rules_grammar.rs"]
mod rules_grammar;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.parse::<u64>().ok());
    let count = numbers.next().unwrap_or(100_000);
    let first = numbers.next().unwrap_or(0);
    let markets = fuzz_rules::markets();
    let start = Instant::now();
    let mut compiled = 0_u64;
    for seed in first..first + count {
        match std::panic::catch_unwind(|| fuzz_rules::attempt(seed, &markets)) {
            Ok(fine) => compiled += u64::from(fine),
            Err(_) => {
                println!("panic at seed {seed}: {:?}", fuzz_rules::input(seed));
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} inputs from seed {first} in {seconds:.0} s: no panic; {compiled} compiled and evaluated"
    );
    ExitCode::SUCCESS
}
