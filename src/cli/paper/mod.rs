//! `paper …`: durable accounts that a strategy runs forward on, a bar at a time. One file a part:
//! `open` what begins, changes and ends an account, `step` what moves it, `look` what shows it.

mod look;
mod open;
mod report;
mod step;

use crate::cli::flags::date;
use crate::cli::{Context, Exit};
use chrono::NaiveDate;
use papertape::error::{Problem, Result};
use papertape::market::midnight;
use papertape::units::Micros;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    place: Place,
}

/// Where accounts are, and what day it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// Folder of the accounts
    #[arg(long, global = true, value_name = "DIR", default_value = "paper")]
    dir: PathBuf,
    /// The day that it is, instead of the clock's: no bar of this day or later is taken
    #[arg(long, global = true, value_name = "YYYY-MM-DD", value_parser = date)]
    today: Option<NaiveDate>,
}

/// What to do with accounts.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Open an account under a strategy
    Open(open::OpenArgs),
    /// Take every complete bar that is newer than the last: decide, fill, book, watch
    Step(step::StepArgs),
    /// Show what an account has, waits for and made
    Status(look::StatusArgs),
    /// Run the recorded bars again and compare every row of the books
    Verify(look::VerifyArgs),
    /// Close an account: it takes no further bar, and nothing is sold
    Close(open::CloseArgs),
    /// Step whenever the files of a folder change
    Watch(step::WatchArgs),
    /// Show all accounts
    List(look::ListArgs),
    /// Write the books and the picture of an account, or a page over all of them
    Report(report::ReportArgs),
    /// Go on under another text of the strategy, from the next bar on
    Amend(open::AmendArgs),
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let place = &args.place;
    match args.what {
        What::Open(args) => open::open(&args, place, io),
        What::Step(args) => step::step(&args, place, io),
        What::Status(args) => look::status(&args, place, io),
        What::Verify(args) => look::verify(&args, place, io),
        What::Close(args) => open::close(&args, place, io),
        What::Watch(args) => step::watch(&args, place, io),
        What::List(args) => look::list(&args, place, io),
        What::Report(args) => report::report(&args, place, io),
        What::Amend(args) => open::amend(&args, place, io),
    }
}

impl Place {
    /// The file of an account: `NAME.db` in the folder, or the path of one.
    fn file(&self, name: &str) -> Result<PathBuf> {
        if name.ends_with(".db") {
            return Ok(PathBuf::from(name));
        }
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        if name.starts_with('.') || name.is_empty() || !name.chars().all(is_plain) {
            return Err(
                Problem::new(format!("\"{name}\" cannot be the name of an account"))
                    .help("letters, digits, - and _; or the path of a file that ends in .db")
                    .into(),
            );
        }
        Ok(self.dir.join(format!("{name}.db")))
    }

    /// The moment in UTC.
    fn now(&self) -> Micros {
        match self.today {
            Some(day) => midnight(day),
            None => clock(),
        }
    }
}

/// Name of the account in a file.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The system's clock, in UTC.
fn clock() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| {
        Micros::try_from(d.as_micros()).unwrap_or(Micros::MAX)
    })
}
