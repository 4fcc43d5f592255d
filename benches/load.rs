//! Reading a million minute bars, or option chains: CPU seconds and peak memory, the columns of the
//! bars alone being 48 MB.
//!
//! `cargo bench --bench load -- FILE...` reads each file in turn, three times, and prints the
//! least. Run it with one file at a time for the peak, which is the process's.

#![allow(clippy::print_stdout)]

use papertape::market::chain::{ChainOptions, Chains, holds_chains};
use papertape::market::{Market, ReadOptions};
use std::path::Path;
use std::time::Instant;

/// CPU seconds of the threads of this process, from the scheduler's count in nanoseconds.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

/// Peak resident memory in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kb| kb.parse::<f64>().ok())
        .map_or(f64::NAN, |kb| kb / 1024.0)
}

/// Reads bars, or quotes of a chain, and says how many.
fn rows(path: &Path) -> papertape::error::Result<usize> {
    if holds_chains(path) {
        return Ok(Chains::read(path, &ChainOptions::default())?.len());
    }
    let market = Market::read(path, &ReadOptions::default())?;
    Ok(market.tapes.iter().map(|tape| tape.bars.len()).sum())
}

fn main() {
    let files: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    if files.is_empty() {
        println!("no file given: nothing measured");
    }
    println!(
        "{:<40} {:>8} {:>8} {:>10} {:>10}",
        "file", "wall s", "cpu s", "bars", "peak MB"
    );
    for file in files {
        let (mut wall, mut cpu, mut bars) = (f64::INFINITY, f64::INFINITY, 0);
        let small =
            std::fs::metadata(&file).is_ok_and(|about| about.is_file() && about.len() < 1_000_000);
        let repeats = if small { 1000 } else { 1 };
        for _ in 0..5 {
            let (start, cpu_start) = (Instant::now(), cpu_seconds());
            for _ in 0..repeats {
                match rows(Path::new(&file)) {
                    Ok(rows) => bars = rows,
                    Err(error) => println!("{error}"),
                }
            }
            wall = wall.min(start.elapsed().as_secs_f64() / f64::from(repeats));
            cpu = cpu.min((cpu_seconds() - cpu_start) / f64::from(repeats));
        }
        println!(
            "{file:<40} {wall:>8.4} {cpu:>8.4} {bars:>10} {:>10.1}",
            peak_mb()
        );
    }
}
