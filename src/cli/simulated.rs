//! From a strategy file to a finished run: what `run`, `rerun` and `compare` do alike.

use crate::cli::flags::StrategyFlags;
use crate::cli::progress::Bar;
use papertape::engine::{self, Progress};
use papertape::error::Result;
use papertape::market::Market;
use papertape::report::folder::NewFile;
use papertape::report::manifest::{Flags, LedgerCopy};
use papertape::report::{Summary, contents};
use papertape::strategy::Strategy;
use papertape::study::{self, Judged};

/// A run, and what is said about it.
pub(crate) struct Simulated {
    pub(crate) summary: Summary,
    pub(crate) judged: Judged,
    pub(crate) market: Market,
    /// What all trials on its data are; `None` when nobody counted them.
    ledger: Option<LedgerCopy>,
}

/// Reads the data, simulates and measures. `hash` asks for the SHA-256 of the data's files, which files
/// of a folder need; `bar` is told of the bars that there are and of those that are simulated.
pub(crate) fn simulated(
    strategy: &Strategy,
    hash: bool,
    seed: u64,
    bar: &Bar,
) -> Result<Simulated> {
    let market = engine::read_market(strategy, hash)?;
    bar.lengthen(study::bars_to_simulate(&market, strategy)?);
    let tell = |bars: u64| bar.done(bars);
    let progress = Progress::to(&tell);
    let outcome = engine::simulate_watched(&market, strategy, progress)?;
    let judged = study::judge_watched(&market, strategy, outcome, (seed, progress));
    let summary = Summary::of(strategy, &judged);
    Ok(Simulated {
        summary,
        judged,
        market,
        ledger: None,
    })
}

impl Simulated {
    /// Judges the run by all trials on its data.
    pub(crate) fn among(&mut self, strategy: &Strategy, ledger: Option<LedgerCopy>) {
        if let Some(all) = ledger.as_ref().and_then(LedgerCopy::trials) {
            self.judged.count_among(&all.sharpes);
            self.summary = Summary::of(strategy, &self.judged);
        }
        self.ledger = ledger;
    }

    /// The files of the run's folder.
    pub(crate) fn files(&self, strategy: &Strategy, flags: Flags) -> Result<Vec<NewFile>> {
        let settings = (flags, self.ledger.clone());
        contents::of_run(
            strategy,
            &self.market,
            &self.judged,
            &self.summary,
            settings,
        )
    }
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
