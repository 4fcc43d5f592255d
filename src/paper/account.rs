//! What an account is: the text of its strategy, what it saw, and the run that follows from it.

use crate::engine::{self, Outcome, Run, Stage};
use crate::error::{Error, Problem, Result};
use crate::market::{Action, Market, Members, midnight};
use crate::paper::cone::Cone;
use crate::paper::tape::{self, Facts, Recorded};
use crate::strategy::{Data, ImpliedVol, Overrides, Rate, Strategy};
use crate::study::{Judged, judge_as_it_is};
use crate::units::{DAY_MICROS, Micros};
use chrono::NaiveDate;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What an account is opened with.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Its name.
    pub name: String,
    /// The strategy file.
    pub file: PathBuf,
    /// What the command line says over the file; its `start` is the account's first day.
    pub overrides: Overrides,
    /// Starting cash, instead of `[account] cash`.
    pub cash: Option<f64>,
    /// Seed of the cone's bootstrap.
    pub seed: u64,
    /// The moment of opening, in UTC.
    pub now: Micros,
}

/// The strategy of an account from some bar on.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// It decides on the bars after this moment; the first one on all.
    pub after: Micros,
    /// When it was given, in UTC.
    pub made: Micros,
    /// The strategy file, as an absolute path.
    pub file: String,
    /// Its text.
    pub text: String,
    /// `--set` of then.
    pub set: Vec<(String, String)>,
    /// Other files that it read, each with the SHA-256 of its bytes: those of layers, then rates and
    /// dated amounts.
    pub files: Vec<(String, String)>,
    /// Why, in the words of the user.
    pub note: String,
}

/// An action with the moment at which it came.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownAction {
    /// As it is booked: on the bar of its arrival when it came late.
    pub action: Action,
    /// As it was announced.
    pub announced: Action,
    /// Last moment of the tape when it came; `Micros::MIN` for the first bars.
    pub arrived: Micros,
}

/// Everything that an account holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Version of the program that opened it.
    pub version: String,
    /// When it was opened, in UTC.
    pub opened: Micros,
    /// When it was closed.
    pub closed: Option<Micros>,
    /// First day on which it trades; `None` is its first bar.
    pub start: Option<NaiveDate>,
    /// Last day of `[data] end`.
    pub end: Option<NaiveDate>,
    /// Starting cash, if it is not that of the file.
    pub cash: Option<f64>,
    /// `--data` of the opening.
    pub data: Option<PathBuf>,
    /// `--columns` of the opening.
    pub columns: Vec<(String, String)>,
    /// Seed of the cone.
    pub seed: u64,
    /// From which moment to which bars are held out and not traded.
    pub sealed: Option<(Micros, Micros)>,
    /// What is known of the data as a whole; `None` before the first bar.
    pub facts: Option<Facts>,
    /// Its strategies, the first one first.
    pub epochs: Vec<Epoch>,
    /// Its symbols in order, with their bars.
    pub tape: Vec<Recorded>,
    /// Its actions, in the order in which they came.
    pub actions: Vec<KnownAction>,
    /// Equity of the strategy's backtest before the account began.
    pub before: Vec<(Micros, f64)>,
    /// Its returns since it began are held against this, or the reason why there is none.
    pub cone: std::result::Result<Cone, String>,
}

impl Account {
    /// Last moment of the tape; `Micros::MIN` without a bar.
    pub fn last(&self) -> Micros {
        let last = self.tape.iter().filter_map(|r| r.time.last());
        last.copied().max().unwrap_or(Micros::MIN)
    }

    /// Bars recorded, over all symbols.
    pub fn bars(&self) -> usize {
        self.tape.iter().map(|r| r.time.len()).sum()
    }

    /// The first moment on which it trades.
    pub fn begins(&self) -> Micros {
        self.start.map_or(Micros::MIN, midnight)
    }

    /// The strategy that decides now.
    ///
    /// # Errors
    /// As [`Account::strategy_of`].
    pub fn strategy(&self) -> Result<Strategy> {
        self.strategy_of(self.epochs.last().ok_or_else(damaged)?)
    }

    /// The strategy of an epoch, as the account runs it: from its own first day, with its own cash,
    /// and nothing sold because the bars end.
    ///
    /// # Errors
    /// As [`Strategy::parse`].
    pub fn strategy_of(&self, epoch: &Epoch) -> Result<Strategy> {
        let mut set = epoch.set.clone();
        set.extend(
            self.cash
                .map(|cash| ("account.cash".into(), cash.to_string())),
        );
        let overrides = Overrides {
            set,
            data: self.data.clone(),
            start: self.start,
            end: self.end,
            columns: self.columns.clone(),
            open_holdout: false,
        };
        let folder = Path::new(&epoch.file).parent().unwrap_or(Path::new(""));
        let mut strategy = Strategy::parse(&epoch.text, &epoch.file, folder, &overrides)?;
        goes_on(&mut strategy);
        Ok(strategy)
    }

    /// The market that its tape makes; `None` while there is no bar.
    ///
    /// # Errors
    /// A damaged record, a file of members that cannot be read.
    pub fn market(&self, data: &Data) -> Result<Option<Market>> {
        let Some(facts) = &self.facts else {
            return Ok(None);
        };
        let actions = self.actions.iter().map(|known| known.action.clone());
        let Some(mut market) = tape::market(&self.tape, actions.collect(), facts)? else {
            return Ok(None);
        };
        if let Some(path) = &data.members {
            market.members = Some(std::sync::Arc::new(Members::read(path)?));
        }
        Ok(Some(market))
    }

    /// The run over everything recorded; `None` while no bar was traded.
    ///
    /// # Errors
    /// As [`engine::backtest`].
    pub fn run(&self) -> Result<Option<Run>> {
        let stages = |market: &Market, stages: &[Stage]| engine::backtest_scheduled(market, stages);
        self.simulated(engine::backtest, stages)
    }

    /// The same beside its benchmarks.
    ///
    /// # Errors
    /// As [`engine::simulate`].
    pub fn outcome(&self) -> Result<Option<Outcome>> {
        self.simulated(engine::simulate, engine::simulate_scheduled)
    }

    /// The account as a judged run, to be set beside others; `None` while no bar was traded.
    ///
    /// # Errors
    /// As [`Account::outcome`].
    pub fn judged(&self) -> Result<Option<Judged>> {
        let strategy = self.strategy()?;
        let (Some(market), Some(mut outcome)) = (self.market(&strategy.data)?, self.outcome()?)
        else {
            return Ok(None);
        };
        outcome.run.name.clone_from(&self.name);
        Ok(Some(judge_as_it_is(&market, &strategy, outcome, self.seed)))
    }

    fn simulated<T>(
        &self,
        of_one: fn(&Market, &Strategy) -> Result<T>,
        of_several: impl Fn(&Market, &[Stage]) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.last() < self.begins() {
            return Ok(None);
        }
        let strategies = self.epochs.iter().map(|epoch| self.strategy_of(epoch));
        let strategies = strategies.collect::<Result<Vec<_>>>()?;
        let first = strategies.first().ok_or_else(damaged)?;
        let Some(market) = self.market(&first.data)? else {
            return Ok(None);
        };
        if let [only] = &strategies[..] {
            return of_one(&market, only).map(Some);
        }
        let outline = engine::outline(&market, first)?;
        let mut stages: Vec<Stage> = Vec::new();
        let from = |epoch: &Epoch| {
            let bar = outline.clock.partition_point(|t| *t <= epoch.after);
            bar.max(outline.span.start)
        };
        for (k, strategy) in strategies.iter().enumerate() {
            let until = self.epochs.get(k + 1).map_or(outline.span.end, from);
            let bars = from(&self.epochs[k])..until.min(outline.span.end);
            if !bars.is_empty() {
                let strategy = strategy.clone();
                stages.push(Stage {
                    bars,
                    strategy,
                    held: Vec::new(),
                });
            }
        }
        if stages.is_empty() {
            return Ok(None);
        }
        of_several(&market, &stages).map(Some)
    }

    /// Whether bars of this moment are held out.
    pub(crate) fn is_sealed(&self, time: Micros) -> bool {
        self.sealed
            .is_some_and(|(from, to)| from <= time && time <= to)
    }

    /// Whether bars of this moment lie after `[data] end`.
    pub(crate) fn is_beyond(&self, time: Micros) -> bool {
        self.end
            .is_some_and(|end| time >= midnight(end) + DAY_MICROS)
    }
}

/// The strategy without what only makes sense when a test ends.
fn goes_on(strategy: &mut Strategy) {
    strategy.fill.close_at_end = false;
    strategy.walk_forward.holdout = None;
    for layer in &mut strategy.layers {
        goes_on(&mut layer.strategy);
    }
}

fn damaged() -> Error {
    Error::msg("the account has no strategy: its file is damaged")
}

impl Epoch {
    /// An epoch of a strategy file as it stands now.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn of(
        strategy: &Strategy,
        set: &[(String, String)],
        (after, made): (Micros, Micros),
        note: &str,
    ) -> Result<Epoch> {
        let files = files_of(strategy).into_iter();
        let hashed = files.map(|path| Ok((path.display().to_string(), hash_of(&path)?)));
        Ok(Epoch {
            after,
            made,
            file: strategy.source.name.clone(),
            text: strategy.source.text.clone(),
            set: set.to_vec(),
            files: hashed.collect::<Result<_>>()?,
            note: note.to_owned(),
        })
    }

    /// Refuses a strategy file, or the file of a layer, that is not what it was. One that is gone is
    /// no obstacle where its text is in the account.
    ///
    /// # Errors
    /// The file was edited.
    pub(crate) fn check_unedited(&self, name: &str) -> Result<()> {
        let edited = |file: &str| {
            Error::new(
                Problem::new("the strategy was edited after the account took it")
                    .in_file(file)
                    .help(format!(
                        "`papertape paper amend {name}` goes on under the new text and keeps a record of the change; or restore the old text"
                    )),
            )
        };
        match std::fs::read(&self.file) {
            Ok(bytes) if bytes != self.text.as_bytes() => return Err(edited(&self.file)),
            _ => {}
        }
        for (file, hash) in &self.files {
            if file.ends_with(".toml") && hash_of(Path::new(file))? != *hash {
                return Err(edited(file));
            }
        }
        Ok(())
    }

    /// Files of rates and amounts that are not what they were when the epoch began.
    pub(crate) fn changed_files(&self) -> Vec<&str> {
        let is_other = |(file, hash): &&(String, String)| {
            !hash_of(Path::new(file)).is_ok_and(|now| now == *hash)
        };
        let changed = self.files.iter().filter(is_other);
        changed.map(|(file, _)| file.as_str()).collect()
    }
}

/// The files beside the prices that a strategy reads.
fn files_of(strategy: &Strategy) -> Vec<PathBuf> {
    let of_rate = |rate: Option<&Rate>| match rate {
        Some(Rate::File(path)) => Some(path.clone()),
        _ => None,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for layer in &strategy.layers {
        files.push(layer.file.clone());
        files.extend(files_of(&layer.strategy));
    }
    files.extend(of_rate(Some(&strategy.cash.yield_)));
    files.extend(of_rate(strategy.cash.hurdle.as_ref()));
    files.extend(of_rate(strategy.benchmark.rate.as_ref()));
    files.extend(of_rate(strategy.data.dividend_yield.as_ref()));
    files.extend(strategy.data.members.clone());
    if let Some(options) = &strategy.options {
        files.extend(of_rate(options.pricing.rate.as_ref()));
        files.extend(options.blackout.clone());
        if let ImpliedVol::File(path) = &options.pricing.iv {
            files.push(path.clone());
        }
    }
    files.extend(
        strategy
            .cashflows
            .iter()
            .filter_map(|flow| flow.file.clone()),
    );
    let mut seen: Vec<PathBuf> = Vec::new();
    files.retain(|file| {
        let is_new = !seen.contains(file);
        seen.push(file.clone());
        is_new
    });
    files
}

/// SHA-256 of a file in hexadecimal.
fn hash_of(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|cause| {
        Problem::new(format!("it cannot be read: {cause}")).in_file(path.display().to_string())
    })?;
    Ok(hexadecimal(&Sha256::digest(bytes)))
}

/// Bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
