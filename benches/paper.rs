//! What a step of a paper account costs: one daily bar of 50 symbols on ten years of history, as lines
//! and from files, and a million bars in one batch. Wall and CPU time of the library call, with the
//! commit.
//!
//! `cargo bench --bench paper`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use papertape::market::{Bars, Market, show_time};
use papertape::paper::{self, Opening, Source};
use papertape::units::{DAY_MICROS, Micros};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// CPU seconds of this thread, from the scheduler's count in nanoseconds.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split_whitespace().next();
    let nanos = first.and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// A call, and its wall and CPU seconds.
fn timed<T>(call: impl FnOnce() -> T) -> (T, [f64; 2]) {
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let done = call();
    let seconds = [begin.elapsed().as_secs_f64(), cpu_seconds() - cpu];
    (done, seconds)
}

const SYMBOLS: usize = 50;
const BARS: usize = 2_520;
const DAYS: usize = 12;
const STRATEGY: &str = "[rules]\nenter = \"rsi(14) < 30\"\nexit = \"rsi(14) > 70\"\n[costs]\ncommission = 0.001\nslippage_bps = 2\n[monitor]\ndeep = \"drawdown > 0.5\"\n";

/// A random walk of one symbol.
fn walk(symbol: usize, bars: usize, step: Micros) -> Bars {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(symbol as u64 + 1);
    let mut close = 100.0;
    let (mut time, mut columns) = (Vec::new(), [const { Vec::new() }; 5]);
    for bar in 0..bars {
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let open = close * (1.0 + 0.004 * (draw() - 0.5));
        close *= 1.0 + 0.03 * (draw() - 0.4995);
        let (high, low) = (f64::max(open, close) * 1.005, f64::min(open, close) * 0.995);
        let day = match step == DAY_MICROS {
            true => 11_323 + (bar / 5 * 7 + bar % 5) as i64,
            false => bar as i64,
        };
        time.push(day * step);
        for (column, value) in columns.iter_mut().zip([open, high, low, close, 1e6]) {
            column.push(value);
        }
    }
    let [open, high, low, close, volume] = columns;
    Bars::new(time, open, high, low, close, Some(volume)).unwrap()
}

fn market(symbols: usize, bars: usize, step: Micros) -> Market {
    let tapes = (0..symbols).map(|s| (format!("S{s:02}"), walk(s, bars, step)));
    Market::from_tapes(tapes.collect()).unwrap()
}

fn csv(bars: &Bars, symbol: Option<&str>, range: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for i in range {
        if let Some(symbol) = symbol {
            let _ = write!(text, "{symbol},");
        }
        let volume = bars.volume.as_ref().unwrap();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}",
            show_time(bars.time[i]),
            bars.open[i],
            bars.high[i],
            bars.low[i],
            bars.close[i],
            volume[i]
        );
    }
    text
}

/// The median of wall and CPU milliseconds, each for itself.
fn median(seconds: &[[f64; 2]]) -> String {
    let middle = |k: usize| {
        let mut column: Vec<f64> = seconds.iter().map(|s| s[k]).collect();
        column.sort_by(f64::total_cmp);
        column[column.len() / 2] * 1e3
    };
    format!("{:7.1} ms, CPU {:6.1} ms", middle(0), middle(1))
}

fn fresh(dir: &Path, name: &str) -> std::path::PathBuf {
    let file = dir.join("bench.toml");
    fs::write(&file, STRATEGY).unwrap();
    let db = dir.join(format!("{name}.db"));
    let opening = Opening {
        name: name.to_owned(),
        file,
        seed: 42,
        ..Opening::default()
    };
    paper::open(&db, &opening).unwrap();
    db
}

fn main() {
    let dir = std::env::temp_dir().join(format!("papertape-bench-paper-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    // The day after the last bar of all tapes, which end in 2010 and 1971.
    let daily = market(SYMBOLS, BARS, DAY_MICROS);
    let far = daily.clock[BARS - 1] + 2 * DAY_MICROS;
    let known = daily.until(daily.clock[BARS - 2 * DAYS - 1]);
    let db = fresh(&dir, "daily");
    paper::step(&db, Source::Market(&known), far).unwrap();
    let mut by_feed = Vec::new();
    for bar in BARS - 2 * DAYS..BARS - DAYS {
        let mut lines = "symbol,date,open,high,low,close,volume\n".to_owned();
        for tape in &daily.tapes {
            lines += &csv(&tape.bars, Some(&tape.symbol), bar..bar + 1);
        }
        let (stepped, seconds) =
            timed(|| paper::step(&db, Source::Feed(lines.as_bytes()), far).unwrap());
        by_feed.push(seconds);
        assert_eq!(stepped.bars, SYMBOLS);
    }
    let source = dir.join("data");
    fs::create_dir_all(&source).unwrap();
    let mut by_folder = Vec::new();
    for bar in BARS - DAYS..BARS {
        for tape in &daily.tapes {
            let text = csv(&tape.bars, None, 0..bar + 1);
            let text = format!("date,open,high,low,close,volume\n{text}");
            fs::write(source.join(format!("{}.csv", tape.symbol)), text).unwrap();
        }
        let (stepped, seconds) =
            timed(|| paper::step(&db, Source::Data(Some(&source)), far).unwrap());
        by_folder.push(seconds);
        assert_eq!(stepped.bars, SYMBOLS);
    }
    println!(
        "one daily bar of {SYMBOLS} symbols on {BARS} bars of history, commit included (median of {DAYS}):"
    );
    println!("  as lines                   {}", median(&by_feed));
    println!("  from a folder of all bars  {}", median(&by_folder));
    for (name, symbols, bars) in [
        ("50 symbols x 20,000 minutes", 50, 20_000),
        ("1 symbol x 1,000,000 minutes", 1, 1_000_000),
    ] {
        let minutes = market(symbols, bars, 60_000_000);
        let db = fresh(&dir, &format!("batch{symbols}"));
        let (stepped, [seconds, cpu]) =
            timed(|| paper::step(&db, Source::Market(&minutes), far).unwrap());
        assert_eq!(stepped.bars, symbols * bars);
        println!(
            "{name} in one batch: {seconds:.1} s (CPU {cpu:.1}), {:.1} million bars a minute",
            stepped.bars as f64 / seconds * 60.0 / 1e6
        );
    }
    fs::remove_dir_all(&dir).unwrap();
}
