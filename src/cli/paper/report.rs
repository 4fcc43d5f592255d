//! `paper report`: the books and the picture of an account in a folder, or one page over all accounts.

use crate::cli::paper::{Place, name_of};
use crate::cli::{Context, Exit, Format, page};
use papertape::error::{Error, Problem, Result};
use papertape::paper::{self, Status};
use papertape::report::contents::shown;
use papertape::report::paper::{all_text, files, json, list_csv, picture_of_all, status as words};
use std::path::{Path, PathBuf};

/// Where reports go unless `--out` says otherwise.
const REPORTS: &str = "reports/paper";

/// Arguments of `paper report`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Names of accounts
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// One page over all accounts: what each made, from which stream, against cash
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Where to write; every account has a folder of its name in it
    #[arg(long, value_name = "DIR", default_value = REPORTS)]
    out: PathBuf,
}

pub(super) fn report(args: &ReportArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    if args.all {
        return all(args, place, io);
    }
    for name in &args.names {
        let path = place.file(name)?;
        let (status, account, run) = Status::read(&path, place.now())?;
        let market = account.market(&account.strategy()?.data)?;
        let (Some(run), Some(market)) = (run, market) else {
            return Err(
                Problem::new(format!("{} has not traded a bar yet", status.name))
                    .in_file(path.display().to_string())
                    .help("step it first")
                    .into(),
            );
        };
        let folder = args.out.join(name_of(&path));
        for (name, bytes) in files(&account, &run, &status, &market)? {
            write(&folder.join(name), &bytes)?;
        }
        match io.format {
            Format::Json => io.print(json::status(&status)),
            Format::Csv => io.print(list_csv(&[status])),
            Format::Table => {
                io.print(page::painted(&words(&status), io.color));
                io.print(format!("\nWritten to {}\n", shown(&folder)));
            }
        }
    }
    Ok(Exit::Done)
}

fn all(args: &ReportArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let mut accounts = Vec::new();
    for path in paper::find(&place.dir)? {
        let (status, _, run) = Status::read(&path, place.now())?;
        accounts.push((status, run));
    }
    if accounts.is_empty() {
        return Err(Error::new(
            Problem::new(format!("there are no accounts in {}", place.dir.display()))
                .help("`papertape paper open NAME --strategy FILE` makes one"),
        ));
    }
    let picture = args.out.join("accounts.png");
    write(&picture, &picture_of_all(&accounts)?)?;
    let all: Vec<Status> = accounts.into_iter().map(|(status, _)| status).collect();
    write(&args.out.join("accounts.csv"), list_csv(&all).as_bytes())?;
    match io.format {
        Format::Json => io.print(json::list(&all)),
        Format::Csv => io.print(list_csv(&all)),
        Format::Table => {
            io.print(all_text(&all));
            io.print(format!("\nWritten to {}\n", shown(&picture)));
        }
    }
    Ok(Exit::Done)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|cause| Problem::new(format!("cannot write {}: {cause}", path.display())).into())
}
