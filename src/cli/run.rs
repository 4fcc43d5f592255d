//! `run FILE…`: simulate, print the summary, write the run's folder.

use crate::cli::flags::StrategyFlags;
use crate::cli::progress::Bar;
use crate::cli::simulated::{Simulated, kept, simulated};
use crate::cli::sweep::LEDGERS;
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::engine;
use papertape::error::{Error, Problem, Result};
use papertape::report::manifest::LedgerCopy;
use papertape::report::{contents, folder, json, text};
use papertape::strategy::Strategy;
use papertape::study::{self, trial_ledger};
use std::path::{Path, PathBuf};

/// Where runs go unless `--out` says otherwise.
const REPORTS: &str = "reports";

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Strategy files; several run in parallel
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    strategy: StrategyFlags,
    /// The run's folder, or the parent of all when there are several [default: reports/<file>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write into a folder that holds something else than a run of this strategy
    #[arg(long)]
    force: bool,
    /// Five figures and nothing else: no files, no benchmarks, no bootstrap
    #[arg(long)]
    bare: bool,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    if args.bare {
        return bare(&args, io);
    }
    let jobs = jobs(&args, io)?;
    let bar = Bar::new(0, "bars", io);
    let seed = io.seed;
    let done = study::each(&jobs, io.jobs, |job| {
        simulated(&job.strategy, true, seed, &bar)
    });
    bar.finish();
    let several = jobs.len() > 1;
    let mut failures = Vec::new();
    let mut runs = Vec::new();
    for (job, outcome) in jobs.iter().zip(done) {
        match outcome {
            Ok(run) => runs.push((job, run)),
            Err(error) => failures.push(error),
        }
    }
    for (_, run) in &runs {
        run.market.notes.iter().for_each(|note| io.note(note));
    }
    count(&mut runs, io);
    let written = study::each(&runs, io.jobs, |(job, run)| job.write(run, &args));
    let mut finished = Vec::new();
    for ((job, run), outcome) in runs.into_iter().zip(written) {
        match outcome {
            Ok(names) => finished.push((job, run, names)),
            Err(error) => failures.push(error),
        }
    }
    print(&finished, several, io);
    failed(failures, io)
}

/// A strategy and the folder that its run goes to.
struct Job {
    strategy: Strategy,
    folder: PathBuf,
}

impl Job {
    /// Writes the folder of a run; the names of its files.
    fn write(&self, run: &Simulated, args: &Args) -> Result<Vec<String>> {
        let files = run.files(&self.strategy, kept(&args.strategy))?;
        folder::write(&self.folder, &files)?;
        Ok(files.into_iter().map(|(name, _)| name).collect())
    }

    /// Path of a file of the folder, to show.
    fn shown(&self, name: &str) -> String {
        contents::shown(&self.folder.join(name))
    }
}

/// Reads all strategies and checks their folders before anything is computed.
fn jobs(args: &Args, io: &mut Context) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut failures = Vec::new();
    for file in &args.files {
        match job(file, args) {
            Ok(job) if jobs.iter().any(|other| other.folder == job.folder) => {
                failures.push(same_folder(file, &job.folder));
            }
            Ok(job) => jobs.push(job),
            Err(error) => failures.push(error),
        }
    }
    failed(failures, io).map(|_| jobs)
}

fn job(file: &Path, args: &Args) -> Result<Job> {
    let strategy = Strategy::read(file, &args.strategy.overrides())?;
    let folder = match &args.out {
        Some(out) if args.files.len() == 1 => out.clone(),
        Some(out) => out.join(&strategy.stem),
        None => Path::new(REPORTS).join(&strategy.stem),
    };
    folder::claim(&folder, &strategy.name, &contents::shown(file), args.force)?;
    holdout::record(&strategy, "run", Some(&folder))?;
    Ok(Job { strategy, folder })
}

/// Counts all runs as trials on their data, and then judges each by all of them: threads and the order
/// of the files change no figure. A run that is not counted is still a run.
fn count(runs: &mut [(&Job, Simulated)], io: &mut Context) {
    let counted = runs
        .iter()
        .map(|(job, run)| counted(&job.strategy, run))
        .collect::<Vec<_>>();
    for ((job, run), counted) in runs.iter_mut().zip(counted) {
        match counted.and_then(|path| trial_ledger::all(&path)) {
            Ok(all) => run.among(&job.strategy, Some(LedgerCopy::of(&all))),
            Err(error) => io.note(format_args!("the trial is not counted: {error}")),
        }
    }
}

/// Adds a run to the ledger of the trials on its data; where that is.
fn counted(strategy: &Strategy, run: &Simulated) -> Result<PathBuf> {
    let data = trial_ledger::data_key(&run.market.files);
    let path = trial_ledger::path(Path::new(LEDGERS), &data);
    let group = trial_ledger::group_key(strategy);
    let sharpe = run.summary.metrics.get("sharpe").unwrap_or(0.0);
    trial_ledger::append(
        &path,
        trial_ledger::trial_key(group, &strategy.params),
        sharpe,
    )?;
    Ok(path)
}

fn same_folder(file: &Path, folder: &Path) -> Error {
    let (file, folder) = (file.display(), folder.display());
    Error::new(
        Problem::new(format!("two runs would go to {folder}"))
            .in_file(file.to_string())
            .help("rename one of the files, or run them apart with --out"),
    )
}

/// Prints all errors but the last, which is returned for the caller to print.
fn failed(mut failures: Vec<Error>, io: &mut Context) -> Result<Exit> {
    let Some(last) = failures.pop() else {
        return Ok(Exit::Done);
    };
    failures.iter().for_each(|error| io.report(error));
    Err(last)
}

fn print(finished: &[(&Job, Simulated, Vec<String>)], several: bool, io: &mut Context) {
    if io.format == Format::Csv {
        io.print(text::csv_header());
    }
    for (at, (job, run, names)) in finished.iter().enumerate() {
        match io.format {
            Format::Json => {
                let paths: Vec<String> = names.iter().map(|name| job.shown(name)).collect();
                io.print(json::line(&run.summary, &paths));
            }
            Format::Csv => io.print(text::csv_line(&run.summary.name, &run.summary.metrics)),
            Format::Table if several && io.verbose == 0 => {}
            Format::Table => {
                if at > 0 {
                    io.print("\n\n");
                }
                let folder = contents::shown(&job.folder);
                let page = text::summary(&run.summary, Some((&folder, names)));
                io.print(page::painted(&page, io.color));
            }
        }
    }
    if io.format == Format::Table && several {
        let rows = finished.iter().map(|(job, run, _)| {
            let folder = contents::shown(&job.folder);
            (
                run.summary.name.clone(),
                run.summary.metrics.clone(),
                folder,
            )
        });
        let page = text::several(&rows.collect::<Vec<_>>());
        io.print(page::painted(&page, io.color));
    }
}

/// The path that speed is measured with: the least that answers how a strategy did.
fn bare(args: &Args, io: &mut Context) -> Result<Exit> {
    let done = study::each(&args.files, io.jobs, |file| {
        let strategy = holdout::read(file, &args.strategy, "run")?;
        let market = engine::read_market(&strategy, false)?;
        let metrics = study::bare_figures(&market, &strategy)?;
        Ok((strategy.name, metrics))
    });
    let mut failures = Vec::new();
    if io.format == Format::Csv {
        io.print("name,metric,value\n");
    }
    for outcome in done {
        match outcome {
            Ok((name, metrics)) => io.print(match io.format {
                Format::Json => json::bare_line(&name, &metrics),
                Format::Csv => text::bare_csv(&name, &metrics),
                Format::Table => text::bare(&name, &metrics),
            }),
            Err(error) => failures.push(error),
        }
    }
    failed(failures, io)
}
