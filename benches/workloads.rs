//! Times the workloads W1 to W5 (in process, from the columns to the metrics) and W6 (files to
//! columns), and prints what they computed, so that numbers can be seen to agree before times count.
//!
//! `cargo bench --bench workloads -- DIR [w1] [w3] [w5] [w6csv] [w6parquet]`, where DIR holds the
//! columns as little-endian f64 files (`goog_close.f64`, `w3_close.f64`, `w45_close.f64`) and
//! `minute.csv`, `minute.parquet`. One JSON line a workload: CPU seconds are those of the whole
//! process while the workload ran, a run's mean over two seconds or more after a warm-up.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use papertape::engine::{Run, backtest_bare};
use papertape::market::{Bars, Market, ReadOptions};
use papertape::metrics::trial::Trial;
use papertape::metrics::{Metrics, bare_of_run};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Ask, ParamAxis, Trials, each};
use papertape::units::{DAY_MICROS, Micros};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const RUNS_MIN: usize = 11;
const SECONDS_MIN: f64 = 2.0;
const MINUTE: Micros = 60_000_000;

fn main() -> ExitCode {
    let args = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect::<Vec<_>>();
    let Some((folder, cases)) = args.split_first() else {
        eprintln!(
            "usage: workloads DIR [w1 w2 w2stop w2trail w3 w3sweep w4 w5 w5kernel w6csv w6parquet]"
        );
        return ExitCode::from(2);
    };
    let folder = PathBuf::from(folder);
    let wanted = |case: &str| cases.is_empty() || cases.iter().any(|c| c == case);
    for (case, work, run) in [
        ("w1", 2_148.0, w1 as fn(&Path) -> Box<dyn Fn() -> String>),
        ("w2", 2_500.0 * 14_751.0, |d| w2(d, W2, 14_751)),
        ("w2stop", 2_500.0 * 14_751.0, |d| {
            w2(d, &with_stop("stop = 0.05"), 14_751)
        }),
        ("w2trail", 2_500.0 * 14_751.0, |d| {
            w2(d, &with_stop("trail = 0.1"), 14_751)
        }),
        ("w3", 1e6, w3),
        ("w3sweep", 1e8, w3_sweep),
        ("w4", 2.5e6, w4),
        ("w5", 2.5e6, w5),
        ("w5kernel", 2.5e6, w5_kernel),
        ("w6csv", 1e6, |d| read(d.join("minute.csv"))),
        ("w6parquet", 1e6, |d| read(d.join("minute.parquet"))),
    ] {
        if wanted(case) {
            // A sweep holds more than what is kept, which would only make it ask anew each time.
            if case != "w3sweep" {
                keep_pages();
            }
            time(case, work, &run(&folder));
        }
    }
    ExitCode::SUCCESS
}

/// Has glibc keep memory that is freed, as a process that reads file after file would have it: it
/// gives back what lies free beyond twice the largest block that it ever mapped by itself and
/// unmapped. Without this every run is handed the same pages anew, which the peers' allocators spare
/// them. `PAPERTAPE_BENCH_TRIM=1` leaves it out.
fn keep_pages() {
    if std::env::var_os("PAPERTAPE_BENCH_TRIM").is_none() {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
    }
}

/// CPU seconds of all threads so far.
fn cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

fn time(case: &str, work: f64, run: &dyn Fn() -> String) {
    let mut result = run();
    let mut walls = Vec::new();
    // The kernel counts CPU time in steps of some milliseconds: only a long stretch tells.
    let (start, before) = (Instant::now(), cpu());
    while walls.len() < RUNS_MIN || start.elapsed().as_secs_f64() < SECONDS_MIN {
        let begun = Instant::now();
        result = run();
        walls.push(begun.elapsed().as_secs_f64());
    }
    let runs = walls.len();
    let cpu = (cpu() - before) / runs as f64;
    walls.sort_by(f64::total_cmp);
    println!(
        "{{\"case\":\"{case}\",\"runs\":{runs},\"median_s\":{:.9},\"min_s\":{:.9},\"max_s\":{:.9},\"cpu_s\":{cpu:.9},\"ns_per\":{:.3},\"peak_mb\":{:.0},\"result\":{result}}}",
        walls[runs / 2],
        walls[0],
        walls[runs - 1],
        cpu / work * 1e9,
        peak_mb(),
    );
}

/// High-water mark of the process's memory.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .unwrap_or_default();
    let kilobytes = line
        .split_whitespace()
        .nth(1)
        .and_then(|k| k.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

fn column(folder: &Path, name: &str) -> Vec<f64> {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    bytes
        .chunks_exact(8)
        .map(|c| f64::from_le_bytes(c.try_into().expect("8 bytes")))
        .collect()
}

/// Weekdays from 2000-01-03 on.
fn weekdays(bars: usize) -> Vec<Micros> {
    (0..bars as i64)
        .map(|i| (10_959 + i / 5 * 7 + i % 5) * DAY_MICROS)
        .collect()
}

fn strategy(text: &str) -> Strategy {
    Strategy::parse(text, "workload", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}"))
}

fn show(metrics: &Metrics) -> String {
    let figures = ["total_return", "cagr", "sharpe", "max_drawdown", "trades"]
        .map(|key| format!("\"{key}\":{:?}", metrics.get(key).unwrap_or(f64::NAN)));
    format!("{{{}}}", figures.join(","))
}

fn single(text: &str, time: Vec<Micros>, close: Vec<f64>) -> Box<dyn Fn() -> String> {
    let bars = Bars::of_closes(time, close).expect("sound columns");
    let market = Market::from_tapes(vec![("X".to_string(), bars)]).expect("one tape");
    let strategy = strategy(text);
    Box::new(move || {
        let run = backtest_bare(&market, &strategy).unwrap_or_else(|e| panic!("{e}"));
        show(&bare_of_run(&run))
    })
}

fn w1(folder: &Path) -> Box<dyn Fn() -> String> {
    let close = column(folder, "goog_close.f64");
    single(include_str!("w1.toml"), weekdays(close.len()), close)
}

const W2: &str = include_str!("w3.toml");

fn with_stop(stop: &str) -> String {
    format!("{W2}\n[stops]\n{stop}\n")
}

/// Every pair of a fast average of 2 to 100 bars below a slow one of 3 to 200, on 2,500 daily bars.
fn w2(folder: &Path, text: &str, pairs: usize) -> Box<dyn Fn() -> String> {
    let close = column(folder, "w2_close.f64");
    let values = |to: u32| (2..=to).map(f64::from).collect();
    let points: Vec<[usize; 2]> = (0..99)
        .flat_map(|fast| (fast + 1..199).map(move |slow| [fast, slow]))
        .collect();
    assert_eq!(points.len(), pairs);
    sweep(
        text,
        weekdays(close.len()),
        close,
        [values(100), values(200)],
        points,
    )
}

/// A hundred pairs on a million minutes.
fn w3_sweep(folder: &Path) -> Box<dyn Fn() -> String> {
    let close = column(folder, "w3_close.f64");
    let fast = (1..=10).map(|f| f64::from(10 * f)).collect();
    let slow = (0..10).map(|s| f64::from(120 + 20 * s)).collect();
    let points = (0..100).map(|i| [i / 10, i % 10]).collect();
    sweep(
        include_str!("w3.toml"),
        minutes(close.len()),
        close,
        [fast, slow],
        points,
    )
}

/// Measures every point and prints the sums of the figures.
fn sweep(
    text: &str,
    time: Vec<Micros>,
    close: Vec<f64>,
    [fast, slow]: [Vec<f64>; 2],
    points: Vec<[usize; 2]>,
) -> Box<dyn Fn() -> String> {
    let bars = Bars::of_closes(time, close).expect("sound columns");
    let market = Market::from_tapes(vec![("X".to_string(), bars)]).expect("one tape");
    let strategy = strategy(text);
    let axis = |name: &str, values: &[f64]| ParamAxis {
        name: name.to_string(),
        values: values.to_vec(),
    };
    let threads = std::env::var("THREADS").ok().and_then(|n| n.parse().ok());
    Box::new(move || {
        let axes = vec![axis("fast", &fast), axis("slow", &slow)];
        let trials = Trials::new(&market, &strategy, axes).unwrap_or_else(|e| panic!("{e}"));
        let chunks: Vec<&[[usize; 2]]> = points.chunks(1024).collect();
        let rows = each(&chunks, threads.or(Some(1)), |chunk| {
            let points: Vec<&[usize]> = chunk.iter().map(<[usize; 2]>::as_slice).collect();
            let measured = trials.measure_each(&points, None, Ask::Bare).into_iter();
            measured
                .map(|trial| trial.unwrap_or_else(|e| panic!("{e}")))
                .collect::<Vec<_>>()
        });
        let mut sums = [0.0; 3];
        let mut entries = 0;
        for trial in rows.iter().flatten() {
            let figures = [trial.total_return, trial.sharpe, trial.max_drawdown];
            for (sum, figure) in sums.iter_mut().zip(figures) {
                *sum += if figure.is_nan() { 0.0 } else { figure };
            }
            entries += trial.entries;
        }
        format!(
            "{{\"sum_total_return\":{:?},\"sum_sharpe\":{:?},\"sum_max_drawdown\":{:?},\"sum_trades\":{entries}}}",
            sums[0], sums[1], sums[2]
        )
    })
}

/// Sessions of 390 minutes, so that bars a year are 252 x 390 as in the workload.
fn minutes(bars: usize) -> Vec<Micros> {
    weekdays(bars / 390 + 1)
        .into_iter()
        .flat_map(|day| (0..390).map(move |m| day + (570 + m) * MINUTE))
        .take(bars)
        .collect()
}

fn w3(folder: &Path) -> Box<dyn Fn() -> String> {
    let close = column(folder, "w3_close.f64");
    single(include_str!("w3.toml"), minutes(close.len()), close)
}

/// Fills are counted as orders, and the account is the sum of what it holds.
fn w4(folder: &Path) -> Box<dyn Fn() -> String> {
    let market = w5_market(folder);
    let strategy = strategy(include_str!("w4.toml"));
    Box::new(move || {
        let run = backtest_bare(&market, &strategy).unwrap_or_else(|e| panic!("{e}"));
        let fills = run.orders.iter().filter(|o| o.filled > 0.0).count();
        format!(
            "{{\"portfolio\":{},\"fills\":{fills}}}",
            show(&bare_of_run(&run))
        )
    })
}

fn w5_market(folder: &Path) -> Market {
    let closes = column(folder, "w45_close.f64");
    let time = weekdays(5_000);
    let tapes = closes
        .chunks_exact(5_000)
        .enumerate()
        .map(|(i, close)| {
            let bars = Bars::of_closes(time.clone(), close.to_vec()).expect("sound columns");
            (format!("S{i:03}"), bars)
        })
        .collect();
    Market::from_tapes(tapes).expect("500 tapes")
}

fn w5(folder: &Path) -> Box<dyn Fn() -> String> {
    let market = w5_market(folder);
    let strategy = strategy(include_str!("w5.toml"));
    Box::new(move || {
        let run = backtest_bare(&market, &strategy).unwrap_or_else(|e| panic!("{e}"));
        let sum = sums(&run);
        format!(
            "{{\"symbols\":{sum},\"portfolio\":{}}}",
            show(&bare_of_run(&run))
        )
    })
}

/// The same through the kernel.
fn w5_kernel(folder: &Path) -> Box<dyn Fn() -> String> {
    let market = w5_market(folder);
    let strategy = strategy(include_str!("w5.toml"));
    Box::new(move || {
        let trials = Trials::new(&market, &strategy, Vec::new()).unwrap_or_else(|e| panic!("{e}"));
        let measured = trials
            .measure_accounts(&[])
            .unwrap_or_else(|e| panic!("{e}"));
        let (all, each) = measured.expect("the kernel carries it");
        let sum = |figure: fn(&Trial) -> f64| -> f64 {
            let figures = each.iter().map(figure);
            figures.map(|f| if f.is_nan() { 0.0 } else { f }).sum()
        };
        format!(
            "{{\"symbols\":{{\"sum_total_return\":{:?},\"sum_sharpe\":{:?},\"sum_max_drawdown\":{:?},\"sum_trades\":{}}},\"portfolio\":{{\"total_return\":{:?},\"sharpe\":{:?},\"max_drawdown\":{:?}}}}}",
            sum(|t| t.total_return),
            sum(|t| t.sharpe),
            sum(|t| t.max_drawdown),
            all.entries,
            all.total_return,
            all.sharpe,
            all.max_drawdown,
        )
    })
}

/// Sums of the symbols' figures, as the other programs print them.
fn sums(run: &Run) -> String {
    let mut sums = [0.0; 3];
    let mut trades = 0;
    for figures in papertape::metrics::bare_of_each(run) {
        for (sum, key) in sums
            .iter_mut()
            .zip(["total_return", "sharpe", "max_drawdown"])
        {
            *sum += figures.get(key).unwrap_or(0.0);
        }
    }
    for account in &run.each {
        trades += account.entries;
    }
    format!(
        "{{\"sum_total_return\":{:?},\"sum_sharpe\":{:?},\"sum_max_drawdown\":{:?},\"sum_trades\":{trades}}}",
        sums[0], sums[1], sums[2]
    )
}

fn read(path: PathBuf) -> Box<dyn Fn() -> String> {
    Box::new(move || {
        let market = Market::read(&path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        let close: f64 = market.tapes[0].bars.close.iter().sum();
        format!(
            "{{\"rows\":{},\"sum_close\":{close:?}}}",
            market.clock.len()
        )
    })
}
