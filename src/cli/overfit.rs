//! `overfit FILE`: whether the best of anybody's trials is luck.

use crate::cli::{Context, Exit, Format};
use papertape::error::Result;
use papertape::metrics::table::read_returns_of_trials;
use papertape::report::judgement::JudgedTable;
use papertape::study::overfitting::judge_table;
use std::path::PathBuf;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV with `date` and one column of daily returns a trial, all trials that were made: the best
    /// of them alone says nothing. Returns are fractions, less the rate if one is to count
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let table = read_returns_of_trials(&args.file)?;
    if !table.ignored.is_empty() {
        let ignored = table.ignored.join(", ");
        io.note(format_args!("columns that are no trials: {ignored}"));
    }
    let judgement = judge_table(&table, io.seed, io.jobs)?;
    let judged = JudgedTable { table, judgement };
    match io.format {
        Format::Table => {
            let page = super::page::painted(&judged.text(), io.color);
            io.print(page);
        }
        Format::Json => io.print(format_args!("{}\n", judged.json())),
        Format::Csv => io.print(judged.csv()),
    }
    Ok(Exit::Done)
}
