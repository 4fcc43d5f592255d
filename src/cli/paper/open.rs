//! `paper open`, `amend`, `close`: how an account begins, changes and ends.

use crate::cli::flags::{date, pair};
use crate::cli::paper::{Place, name_of};
use crate::cli::{Context, Exit, Format, holdout};
use chrono::NaiveDate;
use papertape::error::{Problem, Result};
use papertape::market::show_time;
use papertape::paper::{self, Opening};
use papertape::strategy::{Overrides, Strategy};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `paper open`.
#[derive(Debug, clap::Args)]
pub(crate) struct OpenArgs {
    /// Name of the account
    #[arg(value_name = "NAME")]
    name: String,
    /// The strategy file
    #[arg(long, value_name = "FILE")]
    strategy: PathBuf,
    /// Starting cash, instead of `[account] cash`
    #[arg(long, value_name = "N")]
    cash: Option<f64>,
    /// First day on which it trades, instead of `[data] start`; earlier bars are warm-up
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    start: Option<NaiveDate>,
    /// Data file or folder, instead of `[data] source`
    #[arg(long, value_name = "SOURCE")]
    data: Option<PathBuf>,
    /// Any key of the strategy file, for example `stops.stop=0.05`
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Which column of the data is meant, for example `close=Last`
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair, value_delimiter = ',')]
    columns: Vec<(String, String)>,
    /// Trade the days that `[walk_forward] holdout` seals, too; this is recorded
    #[arg(long)]
    open_holdout: bool,
}

pub(super) fn open(args: &OpenArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let path = place.file(&args.name)?;
    if let Some(cash) = args.cash.filter(|cash| !(cash.is_finite() && *cash > 0.0)) {
        return Err(Problem::new(format!("{cash} is no starting cash"))
            .in_file("--cash")
            .help("a number above 0")
            .into());
    }
    let overrides = Overrides {
        set: args.set.clone(),
        data: args.data.clone(),
        start: args.start,
        end: None,
        columns: args.columns.clone(),
        open_holdout: args.open_holdout,
    };
    if args.open_holdout {
        let strategy = Strategy::read(&args.strategy, &overrides)?;
        holdout::record(&strategy, "paper", Some(&path))?;
    }
    let opening = Opening {
        name: name_of(&path),
        file: args.strategy.clone(),
        overrides,
        cash: args.cash,
        seed: io.seed,
        now: place.now(),
    };
    let (account, notes) = paper::open(&path, &opening)?;
    notes.iter().for_each(|note| io.note(note));
    let first = account
        .start
        .map_or("its first bar".to_owned(), |day| day.to_string());
    match io.format {
        Format::Json => io.print(format!(
            "{}\n",
            json!({
                "schema": 1, "name": account.name, "file": path.display().to_string(),
                "start": account.start.map(|day| day.to_string()), "recorded_bars": account.bars(),
                "backtest_bars": account.before.len(), "cone": account.cone.is_ok(),
                "no_cone": account.cone.as_ref().err(),
            })
        )),
        Format::Csv => io.print(format!(
            "account,file\n{},{}\n",
            account.name,
            path.display()
        )),
        Format::Table => {
            io.print(format!("{} is open: {}\n", account.name, path.display()));
            io.print(format!("  trades from {first} on\n"));
            if account.bars() > 0 {
                let last = show_time(account.last());
                io.print(format!(
                    "  {} bars to {last} recorded for warm-up\n",
                    account.bars()
                ));
            }
            match &account.cone {
                Ok(cone) => io.print(format!(
                    "  watched against the cone of a backtest of {} bars (mean block {:.1}, seed {})\n",
                    cone.returns, cone.block, cone.seed
                )),
                Err(why) => io.print(format!("  no cone: {why}\n")),
            }
        }
    }
    Ok(Exit::Done)
}

/// Arguments of `paper close`.
#[derive(Debug, clap::Args)]
pub(crate) struct CloseArgs {
    /// Name of the account
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn close(args: &CloseArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let account = paper::close(&place.file(&args.name)?, place.now())?;
    io.print(match io.format {
        Format::Json => format!(
            "{}\n",
            json!({"schema": 1, "name": account.name, "state": "closed"})
        ),
        Format::Csv => format!("account,state\n{},closed\n", account.name),
        Format::Table => format!("{} is closed; what it holds was not sold\n", account.name),
    });
    Ok(Exit::Done)
}

/// Arguments of `paper amend`.
#[derive(Debug, clap::Args)]
pub(crate) struct AmendArgs {
    /// Name of the account
    #[arg(value_name = "NAME")]
    name: String,
    /// The strategy file, if it is another one
    #[arg(long, value_name = "FILE")]
    strategy: Option<PathBuf>,
    /// Any key of the strategy file, instead of those given before, for example `stops.stop=0.05`
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

pub(super) fn amend(args: &AmendArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let path = place.file(&args.name)?;
    let why = (args.note.as_str(), place.now());
    let account = paper::amend(&path, args.strategy.as_deref(), &args.set, why)?;
    let from = match account.epochs.last() {
        Some(epoch) if account.epochs.len() > 1 => {
            format!("the bars after {}", show_time(epoch.after))
        }
        _ => "its first bar".to_owned(),
    };
    let number = account.epochs.len();
    io.print(match io.format {
        Format::Json => format!(
            "{}\n",
            json!({"schema": 1, "name": account.name, "epoch": number, "from": from})
        ),
        Format::Csv => format!("account,epoch\n{},{number}\n", account.name),
        Format::Table => format!(
            "{} goes on under text {number} of its strategy, from {from} on\n",
            account.name
        ),
    });
    Ok(Exit::Done)
}
