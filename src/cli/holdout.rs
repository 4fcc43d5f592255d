//! The record of opened holdouts: `holdout.csv` beside the results, a row for each strategy that was
//! shown the days it had held out. Looking once is honest; the file says how often it was.

use crate::cli::flags::StrategyFlags;
use papertape::error::{Problem, Result};
use papertape::report::contents::shown;
use papertape::report::manifest::sha256;
use papertape::strategy::Strategy;
use std::io::Write;
use std::path::Path;

/// Name of the file.
const FILE: &str = "holdout.csv";
/// Its first line.
const HEADER: &str = "strategy,file,verb,holdout,strategy_sha256";

/// Results of verbs that write none stand here.
const RESULTS: &str = "reports";

/// Reads a strategy for a verb that writes no results of its own, and notes an opened holdout.
pub(crate) fn read(file: &Path, flags: &StrategyFlags, verb: &str) -> Result<Strategy> {
    let strategy = Strategy::read(file, &flags.overrides())?;
    record(&strategy, verb, None)?;
    Ok(strategy)
}

/// Notes that `verb` opens the strategy's holdout, if it does, in the folder that the results
/// `out` stand in. The same opening of the same text is noted once.
pub(crate) fn record(strategy: &Strategy, verb: &str, out: Option<&Path>) -> Result<()> {
    let walk = &strategy.walk_forward;
    let Some(holdout) = walk.holdout.filter(|_| walk.holdout_open) else {
        return Ok(());
    };
    let folder = out.map_or(Some(Path::new(RESULTS)), Path::parent);
    let folder = folder.unwrap_or(Path::new(""));
    let path = folder.join(FILE);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row = format!(
        "{},{},{verb},{},{}",
        quoted(&strategy.name),
        quoted(&shown(Path::new(&strategy.source.name))),
        quoted(&holdout.to_string()),
        sha256(strategy.source.text.as_bytes())
    );
    let failed = |cause: std::io::Error| {
        Problem::new(format!("the opened holdout cannot be recorded: {cause}"))
            .in_file(path.display().to_string())
            .help("a holdout is opened only where that can be written down; give --out")
    };
    let known = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(failed(cause).into()),
    };
    if known.lines().any(|line| line == row) {
        return Ok(());
    }
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    let header = if known.is_empty() {
        HEADER.to_owned() + "\n"
    } else {
        String::new()
    };
    file.write_all(format!("{header}{row}\n").as_bytes())
        .map_err(failed)?;
    Ok(())
}
