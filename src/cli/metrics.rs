//! `metrics FILE`: the figures of anybody's returns or equity, and on request their tear sheet.

use crate::cli::{Context, Exit, Format};
use papertape::error::{Problem, Result};
use papertape::metrics::profile::find_profile;
use papertape::metrics::table;
use papertape::report::returns::Returns;
use papertape::strategy::vocabulary::PROFILES;
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// CSV with `date` and `return` or `equity`, optionally `benchmark` (returns), `rate` (a
    /// day's risk-free return), `weight`, `turnover`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// CSV of closed trades with `pnl`, `pnl_pct`, `bars_held`
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Another program's definitions beside ours
    #[arg(long, value_name = "PROGRAM", value_parser = PROFILES.to_vec())]
    profile: Option<String>,
    /// Folder to write tearsheet.png to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a tearsheet.png that is there
    #[arg(long, requires = "out")]
    force: bool,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let table = table::read(&args.file)?;
    let trades = args.trades.as_deref().map(table::read_trades).transpose()?;
    let mut returns = Returns::of(table, trades.as_deref(), io.seed);
    if let Some(profile) = args.profile.as_deref().and_then(find_profile) {
        returns = returns.beside(profile, trades.as_deref());
    }
    if let Some(dir) = &args.out {
        let path = dir.join("tearsheet.png");
        write(dir, &path, args.force, &returns)?;
        io.note(format_args!("wrote {}", path.display()));
    }
    match io.format {
        Format::Table => io.print(returns.text()),
        Format::Json => io.print(format_args!("{}\n", returns.json())),
        Format::Csv => io.print(returns.csv()),
    }
    Ok(Exit::Done)
}

fn write(dir: &Path, path: &Path, force: bool, returns: &Returns) -> Result<()> {
    if path.exists() && !force {
        let problem = Problem::new(format!("{} exists", path.display()));
        return Err(problem
            .help("give another folder with --out, or --force to replace it")
            .into());
    }
    let png = returns.tearsheet()?;
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(path, png))
        .map_err(|cause| Problem::new(format!("cannot write {}: {cause}", path.display())).into())
}
