//! `paper status`, `list`, `verify`: what shows accounts and checks them.

use crate::cli::paper::{Place, name_of};
use crate::cli::{Context, Exit, Format, page};
use papertape::error::{Error, Result};
use papertape::paper::{self, Status, Verdict};
use papertape::report::figure;
use papertape::report::paper::{json, list as listed, list_csv, orders_csv, status as words};

/// Arguments of `paper status`.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Names of accounts
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(super) fn status(args: &StatusArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let mut all = Vec::new();
    for name in &args.names {
        all.push(Status::read(&place.file(name)?, place.now())?.0);
    }
    match io.format {
        Format::Json => all.iter().for_each(|s| io.print(json::status(s))),
        Format::Csv => io.print(orders_csv(&all)),
        Format::Table => {
            for (at, status) in all.iter().enumerate() {
                if at > 0 {
                    io.print("\n\n");
                }
                io.print(page::painted(&words(status), io.color));
            }
        }
    }
    Ok(ended(&all))
}

/// An alarm that is up fails the check.
fn ended(all: &[Status]) -> Exit {
    match all.iter().any(|status| !status.alarms().is_empty()) {
        true => Exit::CheckFailed,
        false => Exit::Done,
    }
}

/// Arguments of `paper list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {}

pub(super) fn list(_: &ListArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let mut all = Vec::new();
    let mut failed: Option<Error> = None;
    for path in paper::find(&place.dir)? {
        match Status::read(&path, place.now()) {
            Ok((status, ..)) => all.push(status),
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    io.report(&before);
                }
            }
        }
    }
    match io.format {
        Format::Json => io.print(json::list(&all)),
        Format::Csv => io.print(list_csv(&all)),
        Format::Table if all.is_empty() && failed.is_none() => {
            io.print(format!(
                "there are no accounts in {}\n",
                place.dir.display()
            ));
        }
        Format::Table => io.print(listed(&all)),
    }
    failed.map_or(Ok(ended(&all)), Err)
}

/// Arguments of `paper verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Names of accounts
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

pub(super) fn verify(args: &VerifyArgs, place: &Place, io: &mut Context) -> Result<Exit> {
    let mut all_hold = true;
    if io.format == Format::Csv {
        io.print("account,difference\n");
    }
    for name in &args.names {
        let path = place.file(name)?;
        let verdict = paper::verify(&path)?;
        all_hold &= verdict.holds();
        match io.format {
            Format::Json => io.print(json::verdict(&verdict)),
            Format::Csv => {
                for difference in &verdict.differences {
                    io.print(page::csv_row(&name_of(&path), &[difference]));
                }
            }
            Format::Table => table(&verdict, io),
        }
    }
    Ok(match all_hold {
        true => Exit::Done,
        false => Exit::CheckFailed,
    })
}

fn table(verdict: &Verdict, io: &mut Context) {
    let bars = figure::plural(verdict.bars, "bar", "bars");
    io.print(format!("{}: {bars} run again\n", verdict.name));
    for (table, rows) in &verdict.rows {
        let differs = verdict
            .differences
            .iter()
            .any(|d| d.starts_with(&format!("{table}:")));
        let mark = if differs { "FAILED" } else { "ok    " };
        let rows = figure::plural(*rows, "row", "rows");
        io.print(format!("{mark}  {table} ({rows})\n"));
    }
    for difference in &verdict.differences {
        io.print(format!("        {difference}\n"));
    }
    io.print(match verdict.holds() {
        true => "\nThe account is what its bars make of it.\n",
        false => "\nThe account is not what its bars make of it.\n",
    });
}
