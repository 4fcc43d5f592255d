//! `rerun DIR`: makes a finished run again from its manifest, and compares byte for byte.

use crate::cli::progress::Bar;
use crate::cli::simulated::simulated;
use crate::cli::{Context, Exit, Format, sweep, walk_forward};
use papertape::error::{Error, Problem, Result};
use papertape::report::contents;
use papertape::report::folder::NewFile;
use papertape::report::manifest::{
    self, FileHash, Flags, Manifest, Program, StrategyFile, sha256_of_file,
};
use papertape::strategy::{Overrides, Strategy};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder of a run
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// One thing that is not as it was.
pub(crate) struct Difference {
    pub(crate) what: String,
    pub(crate) how: String,
}

/// A finished run, made once more.
pub(crate) struct Again {
    /// Its folder, from the root.
    pub(crate) dir: PathBuf,
    /// All files, new.
    pub(crate) files: Vec<NewFile>,
    /// Files that are not as they were.
    pub(crate) different: Vec<Difference>,
    /// What may be why.
    pub(crate) causes: Vec<Difference>,
}

pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let Again {
        files,
        different,
        causes,
        ..
    } = again(&args.dir, io)?;
    let same = different.is_empty();
    let shown = contents::shown(&args.dir);
    match io.format {
        Format::Json => {
            let object = json!({
                "schema": 1,
                "same": same,
                "different": list(&different),
                "causes": list(&causes),
            });
            io.print(format!("{object}\n"));
        }
        _ => io.print(told(&shown, files.len(), &different, &causes)),
    }
    Ok(if same { Exit::Done } else { Exit::CheckFailed })
}

/// Differences as JSON.
pub(crate) fn list(all: &[Difference]) -> Vec<serde_json::Value> {
    all.iter()
        .map(|d| json!({"file": d.what, "difference": d.how}))
        .collect()
}

/// Makes the run of a folder once more, from its manifest, and compares.
pub(crate) fn again(given: &Path, io: &mut Context) -> Result<Again> {
    let manifest = Manifest::read(given)?;
    let dir = given.canonicalize().unwrap_or_else(|_| given.to_path_buf());
    go_to_start(&dir, &manifest);
    let mut causes = changed_inputs(&manifest);
    let overrides = overrides(&manifest.flags)?;
    let strategy = Strategy::parse(
        &manifest.strategy.text,
        &manifest.strategy.file,
        Path::new(&manifest.strategy.file)
            .parent()
            .unwrap_or(Path::new("")),
        &overrides,
    )?;
    causes.extend(changed_strategy(&manifest.strategy));
    let files = match (&manifest.flags.walk_forward, &manifest.sweep) {
        (Some(_), _) => walk_forward::again(strategy, overrides, &manifest, io)?,
        (None, Some(_)) => sweep::again_beside(&dir, &manifest, io)?,
        (None, None) => {
            let mut run = {
                let bar = Bar::new(0, "bars", io);
                let run = simulated(&strategy, true, manifest.seed, &bar);
                bar.finish();
                run?
            };
            run.among(&strategy, manifest.ledger.clone());
            run.files(&strategy, manifest.flags.clone())?
        }
    };
    let different = compared(&dir, &files);
    Ok(Again {
        dir,
        files,
        different,
        causes,
    })
}

/// Paths of the manifest start from the folder that the run was made in: the current one, or one
/// above the run's folder. The first from which all data can be found is taken.
pub(crate) fn go_to_start(dir: &Path, manifest: &Manifest) {
    let has_data = |start: &Path| manifest.data.iter().all(|d| start.join(&d.file).exists());
    if !has_data(Path::new(""))
        && let Some(start) = dir.ancestors().find(|start| has_data(start))
    {
        // When it cannot be entered, reading the data will say so.
        let _ = std::env::set_current_dir(start);
    }
}

pub(crate) fn overrides(flags: &Flags) -> Result<Overrides> {
    let pairs = |all: &[String]| -> Vec<(String, String)> {
        let pair = |text: &String| text.split_once('=').map(|(a, b)| (a.into(), b.into()));
        all.iter().filter_map(pair).collect()
    };
    let day = |text: &Option<String>| -> Result<Option<chrono::NaiveDate>> {
        let Some(text) = text else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Error::new(
                Problem::new(format!("`{text}` is no day"))
                    .in_file(manifest::FILE_NAME)
                    .help("the manifest was changed: run the strategy again"),
            )
        })
    };
    Ok(Overrides {
        set: pairs(&flags.set),
        data: flags.data.as_ref().map(PathBuf::from),
        start: day(&flags.start)?,
        end: day(&flags.end)?,
        columns: pairs(&flags.columns),
        open_holdout: flags.open_holdout,
    })
}

/// Data and program that are not those of the run.
fn changed_inputs(manifest: &Manifest) -> Vec<Difference> {
    let changed = |file: &FileHash| match sha256_of_file(Path::new(&file.file)) {
        Ok(hash) if hash == file.sha256 => None,
        Ok(_) => Some("has changed since the run"),
        Err(_) => Some("cannot be read"),
    };
    let mut causes: Vec<Difference> = manifest
        .data
        .iter()
        .filter_map(|file| {
            Some(Difference {
                what: file.file.clone(),
                how: changed(file)?.to_string(),
            })
        })
        .collect();
    let this = Program::this();
    if this != manifest.program {
        let how = match &manifest.program.version {
            version if *version == this.version => "was built with other dependencies".to_string(),
            version => format!("is {}, the run was made by {version}", this.version),
        };
        causes.push(Difference {
            what: "papertape".to_string(),
            how,
        });
    }
    causes
}

/// The strategy is taken from the manifest; that its file says something else now is worth a word.
fn changed_strategy(kept: &StrategyFile) -> Option<Difference> {
    let hash = sha256_of_file(Path::new(&kept.file)).ok()?;
    (hash != kept.sha256).then(|| Difference {
        what: kept.file.clone(),
        how: "has changed since; the text in the manifest was run".to_string(),
    })
}

fn compared(dir: &Path, files: &[(String, Vec<u8>)]) -> Vec<Difference> {
    let mut different = Vec::new();
    for (name, bytes) in files {
        let how = match std::fs::read(dir.join(name)) {
            Ok(before) if before == *bytes => continue,
            Ok(before) => first_difference(&before, bytes),
            Err(_) => "is missing".to_string(),
        };
        different.push(Difference {
            what: name.clone(),
            how,
        });
    }
    different
}

/// Where two files part, for text by line.
fn first_difference(before: &[u8], after: &[u8]) -> String {
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return "differs".to_string();
    };
    let equal = |(a, b): &(&str, &str)| a == b;
    let lines = before.lines().zip(after.lines()).take_while(equal).count();
    format!("differs from line {}", lines + 1)
}

fn told(dir: &str, files: usize, different: &[Difference], causes: &[Difference]) -> String {
    let mut text = String::new();
    for difference in causes.iter().chain(different) {
        text.push_str(&format!("{} {}\n", difference.what, difference.how));
    }
    if different.is_empty() {
        text.push_str(&format!(
            "{dir}: the same again, all {files} files byte for byte\n"
        ));
    } else {
        let count = different.len();
        text.push_str(&format!("{dir}: {count} of {files} files differ\n"));
    }
    text
}
