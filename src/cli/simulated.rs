//! From a strategy file to a finished run: what `run`, `rerun` and `compare` do alike.

use crate::cli::flags::StrategyFlags;
use papertape::engine;
use papertape::error::Result;
use papertape::report::folder::NewFile;
use papertape::report::manifest::Flags;
use papertape::report::{Summary, contents};
use papertape::strategy::Strategy;
use papertape::study::{self, Judged};

/// A run, and what is said about it.
pub(crate) struct Simulated {
    pub(crate) summary: Summary,
    pub(crate) judged: Judged,
    pub(crate) notes: Vec<String>,
    /// Files of the data with their SHA-256; empty when no files were asked for.
    pub(crate) data: Vec<(String, String)>,
    /// The files of its folder; empty when none were asked for.
    pub(crate) files: Vec<NewFile>,
}

/// Reads the data, simulates and measures. `flags` asks for the files of the run's folder.
pub(crate) fn simulated(strategy: &Strategy, flags: Option<Flags>, seed: u64) -> Result<Simulated> {
    let market = engine::read_market(strategy, flags.is_some())?;
    let outcome = engine::simulate(&market, strategy)?;
    let judged = study::judge(&market, strategy, outcome, seed);
    let summary = Summary::of(strategy, &judged);
    let files = match flags {
        Some(flags) => contents::of_run(strategy, &market, &judged, &summary, flags)?,
        None => Vec::new(),
    };
    Ok(Simulated {
        summary,
        judged,
        data: market.files,
        notes: market.notes,
        files,
    })
}

/// The flags as the manifest keeps them.
pub(crate) fn kept(flags: &StrategyFlags) -> Flags {
    let pair = |(a, b): &(String, String)| format!("{a}={b}");
    Flags {
        set: flags.set.iter().map(pair).collect(),
        data: flags.data.as_deref().map(contents::shown),
        start: flags.start.map(|day| day.to_string()),
        end: flags.end.map(|day| day.to_string()),
        columns: flags.columns.iter().map(pair).collect(),
        open_holdout: flags.open_holdout,
        walk_forward: None,
    }
}
