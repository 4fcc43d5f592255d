//! `report DIR`: draws a finished run again, for pictures that were lost or changed, or that a newer
//! papertape draws better. The figures must come out as they were: pictures of other figures are not
//! the run's.

use crate::cli::rerun::{Again, Difference, again, list};
use crate::cli::{Context, Exit, Format};
use papertape::error::{Problem, Result};
use papertape::report::{contents, folder, manifest};
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
    let Again {
        dir,
        files,
        different,
        causes,
    } = again(&args.dir, io)?;
    let shown = contents::shown(&args.dir);
    let pictures: Vec<&str> = files
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| is_picture(name))
        .collect();
    let changed: Vec<Difference> = different.into_iter().filter(is_figure).collect();
    let drawn = changed.is_empty() && !pictures.is_empty();
    if drawn {
        folder::write(&dir, &files)?;
    }
    let written: &[&str] = if drawn { &pictures } else { &[] };
    match io.format {
        Format::Json => {
            let object = json!({
                "schema": 1,
                "written": written,
                "different": list(&changed),
                "causes": list(&causes),
            });
            io.print(format!("{object}\n"));
        }
        Format::Csv => {
            io.print("file\n");
            written
                .iter()
                .for_each(|name| io.print(format!("{name}\n")));
        }
        Format::Table => {
            written
                .iter()
                .for_each(|name| io.print(format!("{shown}/{name}\n")));
            for difference in causes.iter().chain(&changed) {
                io.print(format!("{} {}\n", difference.what, difference.how));
            }
            if !changed.is_empty() {
                io.print(format!(
                    "{shown}: not drawn, the figures would not be those of the run\n"
                ));
            }
        }
    }
    if pictures.is_empty() {
        let problem = Problem::new("this run draws no pictures").in_file(shown);
        return Err(problem
            .help("run the strategy with [report] charts = true")
            .into());
    }
    Ok(if drawn { Exit::Done } else { Exit::CheckFailed })
}

fn is_picture(name: &str) -> bool {
    name.ends_with(".png")
}

/// The manifest has the hashes of the pictures, and the program that drew them.
fn is_figure(difference: &Difference) -> bool {
    !is_picture(&difference.what) && difference.what != manifest::FILE_NAME
}
