//! `stress FILE…`: the same strategy under each assumption that flatters it.

use crate::cli::flags::StrategyFlags;
use crate::cli::progress::Bar;
use crate::cli::simulated::{Simulated, simulated};
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::error::Result;
use papertape::report::stress;
use papertape::study;
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Strategy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    strategy: StrategyFlags,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let seed = io.seed;
    let bar = Bar::new(0, "bars", io);
    let done = study::each(&args.files, io.jobs, |file| {
        one(file, &args.strategy, seed, &bar)
    });
    bar.finish();
    if io.format == Format::Csv {
        io.print(stress::CSV_HEADER);
    }
    let mut failed = None;
    let mut shown = 0;
    for outcome in done {
        match outcome {
            Ok(run) => {
                run.market.notes.iter().for_each(|note| io.note(note));
                show(&run, shown > 0, io);
                shown += 1;
            }
            // The last error is returned, and so printed by the caller.
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    io.report(&before);
                }
            }
        }
    }
    failed.map_or(Ok(Exit::Done), Err)
}

fn one(file: &Path, flags: &StrategyFlags, seed: u64, bar: &Bar) -> Result<Simulated> {
    simulated(&holdout::read(file, flags, "stress")?, false, seed, bar)
}

fn show(run: &Simulated, is_further: bool, io: &mut Context) {
    let (name, found) = (&run.summary.name, &run.judged.stress);
    match io.format {
        Format::Table => {
            if is_further {
                io.print("\n\n");
            }
            io.print(page::painted(&stress::text(name, found), io.color));
        }
        Format::Json => io.print(stress::json(name, found)),
        Format::Csv => io.print(stress::csv(name, found)),
    }
}
