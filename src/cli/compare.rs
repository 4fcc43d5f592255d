//! `compare A B …`: strategies, finished runs and paper accounts side by side.

use crate::cli::flags::StrategyFlags;
use crate::cli::progress::Bar;
use crate::cli::simulated::simulated;
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::error::{Error, Problem, Result};
use papertape::paper::Journal;
use papertape::report::comparison::Comparison;
use papertape::report::contents;
use papertape::report::record::Record;
use papertape::study;
use std::path::{Path, PathBuf};

/// Name of the chart in the folder.
const PICTURE: &str = "compare.png";

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Strategy files, folders of finished runs and files of paper accounts, in any mix
    #[arg(required = true, num_args = 2.., value_name = "FILE|DIR|ACCOUNT")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    strategy: StrategyFlags,
    /// Folder of compare.png
    #[arg(long, value_name = "DIR", default_value = "reports/compare")]
    out: PathBuf,
    /// Write into a folder that holds something else
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    claim(&args.out, args.force)?;
    let seed = io.seed;
    let bar = Bar::new(0, "bars", io);
    let records = study::each(&args.runs, io.jobs, |path| {
        record(path, &args.strategy, seed, &bar)
    });
    bar.finish();
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for record in records {
        match record {
            Ok(record) => good.push(record),
            Err(error) => problems.push(error),
        }
    }
    // The first error is told whole, with its carets; the others would need their own texts.
    if let Some(error) = problems.into_iter().next() {
        return Err(error);
    }
    let comparison = Comparison::of(good, io.seed);
    let picture = comparison.picture()?;
    write(&args.out, &picture)?;
    match io.format {
        Format::Table => {
            io.print(page::painted(&comparison.text(), io.color));
            io.print(format!(
                "\nWritten to {}\n",
                contents::shown(&args.out.join(PICTURE))
            ));
        }
        Format::Json => io.print(comparison.json()),
        Format::Csv => io.print(comparison.csv()),
    }
    Ok(Exit::Done)
}

fn record(path: &Path, flags: &StrategyFlags, seed: u64, bar: &Bar) -> Result<Record> {
    if path.is_dir() {
        return Record::read(path);
    }
    if path.extension().is_some_and(|e| e == "db") {
        let account = Journal::open_to_read(path)?.account()?;
        let judged = account.judged()?.ok_or_else(|| {
            Problem::new("the account has not traded a bar yet")
                .in_file(path.display().to_string())
                .help("step it first")
        })?;
        return Ok(Record::of(&judged));
    }
    let strategy = holdout::read(path, flags, "compare")?;
    Ok(Record::of(&simulated(&strategy, false, seed, bar)?.judged))
}

/// The folder may hold an earlier chart, and nothing else unless `--force` is given.
fn claim(dir: &Path, force: bool) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(());
    };
    let is_other = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name() != PICTURE)
    };
    if force || !entries.into_iter().any(is_other) {
        return Ok(());
    }
    Err(Error::new(
        Problem::new(format!(
            "{} holds something else than a comparison",
            dir.display()
        ))
        .help("give another folder with --out, or --force to write into this one"),
    ))
}

fn write(dir: &Path, picture: &[u8]) -> Result<()> {
    let path = dir.join(PICTURE);
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&path, picture))
        .map_err(|cause| Problem::new(format!("cannot write {}: {cause}", path.display())).into())
}
