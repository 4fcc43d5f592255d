//! Reads damaged files of every layout: `cargo bench --bench fuzz_load -- COUNT [chains] [parquet]`.
//!
//! Ends with the peak memory, which damaged headers must not drive up.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../tests/it/chain_fuzz.rs"]
mod chain_fuzz;
#[path = "../tests/it/load_fuzz.rs"]
mod load_fuzz;

use std::path::Path;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"));
    let count = arguments
        .next()
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(100_000);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/layouts");
    let words: Vec<String> = arguments.collect();
    let (parquet, chains) = (
        words.iter().any(|w| w == "parquet"),
        words.iter().any(|w| w == "chains"),
    );
    let folder = if parquet { root.join("parquet") } else { root };
    if parquet {
        // The decoder's own panics end as errors; their words would only fill the screen.
        std::panic::set_hook(Box::new(|_| {}));
    }
    let outcome = if chains {
        let scratch = chain_fuzz::Scratch::new("fuzz-bench");
        let seeds = match parquet {
            true => chain_fuzz::parquet_seeds(&scratch.0),
            false => chain_fuzz::text_seeds(),
        };
        chain_fuzz::fuzz_chains(&seeds, count, &scratch.0)
    } else {
        load_fuzz::fuzz(&load_fuzz::seeds(&folder), count)
    };
    let (read, refused) = match outcome {
        Ok(counts) => counts,
        Err(failure) => {
            println!("{failure}");
            std::process::exit(1);
        }
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap_or_default();
    println!("{count} inputs: {read} read, {refused} refused; {peak}");
}
