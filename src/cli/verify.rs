//! `verify DIR`: checks the books of a finished run from its files alone.

use crate::cli::{Context, Exit, Format};
use papertape::error::Result;
use papertape::report::verify::{Check, verify};
use papertape::report::{contents, figure};
use serde_json::json;
use std::path::PathBuf;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a run
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let checks = verify(&args.dir)?;
    let found: usize = checks.iter().map(|check| check.found).sum();
    match io.format {
        Format::Table => table(&args, &checks, found, io),
        Format::Json => {
            let checks: Vec<_> = checks.iter().map(object).collect();
            let ok = found == 0;
            io.print(format!(
                "{}\n",
                json!({"schema": 1, "ok": ok, "checks": checks})
            ));
        }
        Format::Csv => {
            io.print("file,line,message\n");
            for finding in checks.iter().flat_map(|check| &check.findings) {
                let line = finding.line.map_or(String::new(), |line| line.to_string());
                let message = finding.message.replace('"', "\"\"");
                io.print(format!("{},{line},\"{message}\"\n", finding.file));
            }
        }
    }
    Ok(if found == 0 {
        Exit::Done
    } else {
        Exit::CheckFailed
    })
}

fn object(check: &Check) -> serde_json::Value {
    let findings = check.findings.iter();
    let findings = findings.map(|f| json!({"file": f.file, "line": f.line, "message": f.message}));
    json!({
        "check": check.what,
        "rows": check.rows,
        "found": check.found,
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn table(args: &Args, checks: &[Check], found: usize, io: &mut Context) {
    for check in checks {
        let mark = if check.found == 0 { "ok    " } else { "FAILED" };
        let rows = figure::plural(check.rows, "row", "rows");
        io.print(format!("{mark}  {} ({rows})\n", check.what));
        for finding in &check.findings {
            let line = finding
                .line
                .map_or(String::new(), |line| format!(":{line}"));
            io.print(format!(
                "        {}{line}: {}\n",
                finding.file, finding.message
            ));
        }
        let more = check.found - check.findings.len();
        if more > 0 {
            io.print(format!("        and {more} more\n"));
        }
    }
    let folder = contents::shown(&args.dir);
    io.print(match found {
        0 => format!("\nThe books of {folder} hold.\n"),
        _ => format!("\nThe books of {folder} do not hold.\n"),
    });
}
