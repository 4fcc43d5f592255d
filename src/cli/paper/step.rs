//! `paper step`, `paper watch`: what moves accounts forward.

use crate::cli::paper::Place;
use crate::cli::{Context, Exit, Format};
use papertape::error::{Error, Problem, Result};
use papertape::paper::{self, Source, Stepped};
use papertape::report::paper::{json, orders_csv, step as words};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Arguments of `paper step`.
#[derive(Debug, clap::Args)]
pub(crate) struct StepArgs {
    /// Names of accounts
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Data file or folder, instead of the strategy's
    #[arg(long, value_name = "SOURCE", conflicts_with = "feed")]
    data: Option<PathBuf>,
    /// Bars as lines of CSV or JSON from a file; `-` is standard input
    #[arg(long, value_name = "FILE|-")]
    feed: Option<PathBuf>,
}

pub(super) fn step(args: &StepArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let feed = args.feed.as_deref().map(read).transpose()?;
    let source = match &feed {
        Some(bytes) => Source::Feed(bytes),
        None => Source::Data(args.data.as_deref()),
    };
    steps(&args.names, source, place, io)
}

/// Bytes of a file, or of standard input.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        false => std::fs::read(path).map(|all| bytes = all),
    };
    read.map_err(|cause| {
        Problem::new(format!("the feed cannot be read: {cause}"))
            .in_file(path.display().to_string())
    })?;
    Ok(bytes)
}

/// Steps accounts one after the other; one that cannot be stepped does not stop the others.
fn steps(names: &[String], source: Source<'_>, place: &Place, io: &mut Context) -> Result<Exit> {
    let mut failed: Option<Error> = None;
    let mut done: Vec<Stepped> = Vec::new();
    for name in names {
        let stepped = place
            .file(name)
            .and_then(|path| paper::step(&path, source, place.now()));
        match stepped {
            Ok(stepped) => {
                stepped.notes.iter().for_each(|note| io.note(note));
                done.push(stepped);
            }
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    io.report(&before);
                }
            }
        }
    }
    match io.format {
        Format::Table => done.iter().for_each(|stepped| io.print(words(stepped))),
        Format::Json => done
            .iter()
            .for_each(|stepped| io.print(json::step(stepped))),
        Format::Csv => {
            let all: Vec<_> = done.iter().map(|s| s.status.clone()).collect();
            io.print(orders_csv(&all));
        }
    }
    match failed {
        Some(error) => Err(error),
        None if done.iter().any(|s| !s.status.alarms().is_empty()) => Ok(Exit::CheckFailed),
        None => Ok(Exit::Done),
    }
}

/// Arguments of `paper watch`.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Names of accounts
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Data file or folder
    #[arg(long, value_name = "SOURCE")]
    data: PathBuf,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    every: f64,
    /// Looks after which to stop; never unless given
    #[arg(long, value_name = "N")]
    looks: Option<u64>,
}

/// Follows files until it is interrupted. A step that fails, for example because a file is being
/// written, is said and tried again when the files change.
pub(super) fn watch(args: &WatchArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    if !(args.every.is_finite() && args.every >= 0.0) {
        return Err(
            Problem::new(format!("{} seconds cannot be waited", args.every))
                .in_file("--every")
                .help("a number of seconds, 0 or more")
                .into(),
        );
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|cause| Error::msg(format!("signals cannot be heard: {cause}")))?;
    }
    let mut seen = None;
    let mut exit = Exit::Done;
    let mut looks = 0;
    while !stop.load(Ordering::Relaxed) {
        let now = stamps(&args.data);
        if seen.as_ref() != Some(&now) {
            match steps(&args.names, Source::Data(Some(&args.data)), place, io) {
                Ok(ended) => exit = ended,
                Err(error) => io.report(&error),
            }
            let _ = std::io::Write::flush(io);
            seen = Some(now);
        }
        looks += 1;
        if args.looks.is_some_and(|most| looks >= most) {
            break;
        }
        wait(Duration::from_secs_f64(args.every), &stop);
    }
    Ok(exit)
}

/// Waits in short pieces, so that an interruption is heard.
fn wait(time: Duration, stop: &AtomicBool) {
    let piece = Duration::from_millis(100);
    let mut left = time;
    while !left.is_zero() && !stop.load(Ordering::Relaxed) {
        let now = left.min(piece);
        std::thread::sleep(now);
        left -= now;
    }
}

/// Name, size and time of change of every file of a source.
fn stamps(source: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let mut files = match std::fs::read_dir(source) {
        Ok(entries) => entries.filter_map(|e| Some(e.ok()?.path())).collect(),
        Err(_) => vec![source.to_path_buf()],
    };
    files.sort();
    let stamp = |path: PathBuf| {
        let about = path.metadata().ok();
        let size = about.as_ref().map_or(0, |a| a.len());
        (path, size, about.and_then(|a| a.modified().ok()))
    };
    files.into_iter().map(stamp).collect()
}
