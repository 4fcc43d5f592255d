//! Findings about data before anyone trusts it: what is wrong, in which rows, and the cure.
//!
//! Nothing is mended here. Prices are judged in `tape.rs`, `gaps.rs` and `moves.rs`, option chains
//! in `chain.rs`, files that hold no prices in `table.rs`. Repeated findings of a kind are one
//! finding with a count and its first rows, so that a file has a handful of lines.

mod arbitrage;
mod chain;
mod gaps;
mod moves;
mod table;
mod tape;
mod underlying;

use crate::error::{Error, Problem, Result};
use crate::market::actions::{Action, read_actions};
use crate::market::calendar::Calendar;
use crate::market::chain::is_chain;
use crate::market::load::{RawTape, ReadOptions, read_raw};
use crate::units::Micros;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use underlying::Spots;

/// Rows that a finding names.
const ROWS_NAMED: usize = 5;
/// Symbols with the same finding in one file are one finding from this number on.
const SYMBOLS_MERGED: usize = 3;
/// Findings of one kind and file, not severe, that stay apart.
const KINDS_MERGED: usize = 3;
/// Endings of files that are looked at in a folder.
const ENDINGS: [&str; 5] = ["csv", "tsv", "txt", "gz", "parquet"];

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// A run on these rows is impossible or its result is wrong.
    Severe,
    /// A run is possible; some of its fills or signals rest on doubtful rows.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// `severe warning note`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Severe => "severe",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// What a finding is about, with its word in reports and how much it matters.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $severity:ident;)*) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FindingKind { $($(#[$doc])* $kind,)* }

        impl FindingKind {
            /// All kinds, in the order in which they are listed.
            pub const ALL: &[FindingKind] = &[$(FindingKind::$kind,)*];

            /// The word in reports.
            pub fn name(self) -> &'static str {
                match self { $(FindingKind::$kind => $name,)* }
            }

            /// How much a finding of this kind matters.
            pub fn severity(self) -> Severity {
                match self { $(FindingKind::$kind => Severity::$severity,)* }
            }
        }
    };
}

kinds! {
    /// A file, row or cell could not be read.
    Unreadable "unreadable" Severe;
    /// A file of returns: it has no prices to trade at.
    Returns "returns" Severe;
    /// Rates, actions or another table: no prices, and none expected.
    NoPrices "no_prices" Note;
    /// Empty cells of such a table.
    EmptyCells "empty_cells" Note;
    /// Times that go back.
    Unsorted "unsorted" Severe;
    /// Two rows of one moment that say the same.
    Duplicate "duplicate" Severe;
    /// Two rows of one moment that differ.
    ConflictingDuplicate "conflicting_duplicate" Severe;
    /// A row has some prices and lacks others.
    MissingPrice "missing_price" Severe;
    /// A row without any price, or a row of a panel with hardly any.
    EmptyRow "empty_row" Warning;
    /// A price of 0.
    ZeroPrice "zero_price" Severe;
    /// A price below 0.
    NegativePrice "negative_price" Severe;
    /// High below low.
    HighBelowLow "high_below_low" Severe;
    /// Open above the high or below the low.
    OpenOutside "open_outside" Warning;
    /// Close above the high or below the low.
    CloseOutside "close_outside" Severe;
    /// So long without a bar that a run would take the symbol for delisted.
    Gap "gap" Severe;
    /// A long gap after which price, volume or a decade say that it is another security.
    TickerReuse "ticker_reuse" Severe;
    /// Sessions without a bar.
    MissingSessions "missing_sessions" Warning;
    /// Moments at which the other symbols of the source have bars and this one has not.
    BehindOthers "behind_others" Warning;
    /// Bars on weekdays when the exchange was closed.
    ClosedDay "closed_day" Warning;
    /// Bars on Saturdays or Sundays of a market that rests then.
    Weekend "weekend" Warning;
    /// Days with far fewer bars than usual.
    ShortSessions "short_sessions" Note;
    /// A jump by about n or 1/n that no action explains.
    Split "split" Severe;
    /// A split among the actions that the prices do not show.
    SplitNotInPrices "split_not_in_prices" Severe;
    /// A move far out of the tape's scale.
    Jump "jump" Warning;
    /// A price far away that is back at once.
    Spike "spike" Warning;
    /// A bar that repeats the one before to the last digit.
    Stale "stale" Warning;
    /// Bars of one price in a file of four.
    Flat "flat" Warning;
    /// Opens that are the close before, year after year.
    OpenIsPreviousClose "open_is_previous_close" Warning;
    /// Only closes are there.
    ClosesOnly "closes_only" Note;
    /// Bars without volume.
    ZeroVolume "zero_volume" Warning;
    /// Volume cells that are empty.
    MissingVolume "missing_volume" Warning;
    /// Volume below 0.
    NegativeVolume "negative_volume" Severe;
    /// Days on which next to nothing was traded.
    ThinTrading "thin_trading" Warning;
    /// A further column that turns to 0 and stays there.
    ZeroColumn "zero_column" Warning;
    /// An option chain: what it holds.
    Chain "chain" Note;
    /// Quotes in another order than that of time.
    ChainUnsorted "chain_unsorted" Note;
    /// One contract quoted twice at one moment.
    ChainDuplicate "chain_duplicate" Severe;
    /// Quotes dated on a day when the exchange was closed.
    ChainClosedDay "chain_closed_day" Severe;
    /// Contracts quoted after their expiry.
    ChainExpired "chain_expired" Severe;
    /// Quotes that repeat those of an earlier date.
    ChainStale "chain_stale" Severe;
    /// An underlying price that stands still while quotes move on.
    ChainUnderlyingStale "chain_underlying_stale" Severe;
    /// An underlying price that jumps as by a split.
    ChainSplit "chain_split" Severe;
    /// A date on which every quote is 0.
    ChainAllZero "chain_all_zero" Severe;
    /// Contracts with a bid and an ask of 0, or a price of 0.
    ChainNoQuote "chain_no_quote" Warning;
    /// A bid of 0: the contract cannot be sold.
    ChainZeroBid "chain_zero_bid" Note;
    /// An ask of 0 beside a bid.
    ChainZeroAsk "chain_zero_ask" Warning;
    /// A bid above the ask.
    ChainCrossed "chain_crossed" Warning;
    /// Sessions without quotes between the first and the last.
    ChainMissingDates "chain_missing_dates" Warning;
    /// Implied volatilities of 0: not computed.
    ChainNoVolatility "chain_no_volatility" Note;
    /// An underlying price that puts and calls deny.
    ChainSpotMismatch "chain_spot_mismatch" Severe;
    /// An underlying price that the underlying's own bars deny.
    ChainTapeMismatch "chain_tape_mismatch" Severe;
    /// Quotes that contradict each other or the underlying.
    ChainArbitrage "chain_arbitrage" Warning;
    /// Cells that could not be read.
    ChainUnreadable "chain_unreadable" Severe;
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: Severity,
    /// The file, as a path to show.
    pub file: String,
    /// The symbol, or `A, B and 3 more`; empty when it is about the whole file.
    pub symbol: String,
    /// The first rows concerned: lines of a text file (the header is line 1), rows of a Parquet file.
    pub rows: Vec<u64>,
    /// How many rows or cells are concerned.
    pub count: usize,
    /// What is wrong, one sentence.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedFile {
    /// As a path to show.
    pub file: String,
    /// `prices`, `option chain`, `returns`, `rates`, `actions`, `table` or `unreadable`.
    pub holds: &'static str,
    /// Rows in all.
    pub rows: usize,
    /// Symbols in all.
    pub symbols: usize,
}

/// All findings about a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Audit {
    /// The files looked at, in the order of their names.
    pub files: Vec<AuditedFile>,
    /// By file, the severe ones first.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Whether a check failed: any finding is severe.
    pub fn has_severe(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Severe)
    }
}

/// Looks at a file, or at every file of a folder (not of folders in it), for whatever may spoil a
/// run: see [`FindingKind`]. `options` are those that the run would read with; its symbols limit
/// what is looked at. Splits and dividends of the actions file count as explanations.
///
/// # Errors
/// Only when the source itself is not there; whatever is wrong inside is a finding.
pub fn audit(source: &Path, options: &ReadOptions, calendar: Option<Calendar>) -> Result<Audit> {
    audit_all(&[source.to_owned()], options, calendar)
}

/// The same of several sources, in their order; the bars of one are what the underlying prices of a
/// chain in another are held against.
///
/// # Errors
/// As [`audit`].
pub fn audit_all(
    sources: &[PathBuf],
    options: &ReadOptions,
    calendar: Option<Calendar>,
) -> Result<Audit> {
    let mut seen: Vec<Seen> = Vec::with_capacity(sources.len());
    for source in sources {
        seen.push(look(source, options, calendar)?);
    }
    let mut mismatches: Vec<Vec<Finding>> = Vec::with_capacity(seen.len());
    {
        let tapes: Vec<&RawTape> = seen.iter().flat_map(|one| &one.tapes).collect();
        for one in &seen {
            let mut found = Vec::new();
            for (path, spots) in &one.spots {
                underlying::compare(path, spots, &tapes, options, &mut found);
            }
            mismatches.push(found);
        }
    }
    let mut all = Audit::default();
    for (mut one, found) in seen.into_iter().zip(mismatches) {
        one.audit.findings.extend(found);
        let mut findings = merge_symbols(one.audit.findings);
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.file.clone(), f.severity, f.kind, f.rows.first().copied());
            key(a).cmp(&key(b)).then_with(|| a.symbol.cmp(&b.symbol))
        });
        one.audit.files.sort_by(|a, b| a.file.cmp(&b.file));
        all.files.extend(one.audit.files);
        all.findings.extend(findings);
    }
    Ok(all)
}

/// One source, looked at by itself.
#[derive(Default)]
struct Seen {
    audit: Audit,
    tapes: Vec<RawTape>,
    /// Chains and what they say of their underlyings.
    spots: Vec<(PathBuf, Vec<Spots>)>,
}

fn look(source: &Path, options: &ReadOptions, calendar: Option<Calendar>) -> Result<Seen> {
    let files = files_of(source)?;
    let mut seen = Seen::default();
    let actions = actions_of(source, options, &mut seen.audit);
    for file in &files {
        audit_file(file, options, &mut seen);
    }
    if !options.symbols.is_empty() {
        seen.tapes
            .retain(|tape| options.symbols.contains(&tape.symbol));
    }
    let of_tapes = audit_tapes(&seen.tapes, &actions, calendar);
    seen.audit.findings.extend(of_tapes);
    Ok(seen)
}

/// Findings about the rows of symbols that belong together (a folder, a wide or a long file).
/// Without a `calendar` each file's own dates tell it.
pub fn audit_tapes(
    tapes: &[RawTape],
    actions: &[Action],
    calendar: Option<Calendar>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut calendars: BTreeMap<&str, Calendar> = BTreeMap::new();
    for tape in tapes {
        let own: Vec<&Action> = actions.iter().filter(|a| a.symbol == tape.symbol).collect();
        let calendar = calendar.unwrap_or_else(|| {
            *calendars
                .entry(tape.file.as_str())
                .or_insert_with(|| tape::calendar_of_file(tapes, &tape.file))
        });
        tape::audit_tape(tape, &own, calendar, &mut findings);
    }
    gaps::behind_others(tapes, calendar, &mut findings);
    findings
}

/// The file itself, or the files of the folder that may hold data, by name.
fn files_of(source: &Path) -> Result<Vec<PathBuf>> {
    let show = source.display().to_string();
    let unreadable = |e: std::io::Error| {
        Error::new(Problem::new(format!("can't be read: {e}")).in_file(show.as_str()))
    };
    if !std::fs::metadata(source).map_err(unreadable)?.is_dir() {
        return Ok(vec![source.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(source).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        let ending = name.rsplit('.').next().unwrap_or_default();
        if path.is_file()
            && !name.starts_with('.')
            && name != "actions.csv"
            && (ENDINGS.contains(&ending) || (ending == "zip" && is_chain(&path)))
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        let problem = Problem::new("there is no data file in this folder")
            .in_file(show.as_str())
            .help(format!("files end in .{}", ENDINGS.join(", .")));
        return Err(problem.into());
    }
    Ok(files)
}

/// The actions beside the source, or those the options name; faulty ones are findings.
fn actions_of(source: &Path, options: &ReadOptions, audit: &mut Audit) -> Vec<Action> {
    let beside = if source.is_dir() {
        source.join("actions.csv")
    } else {
        source.with_file_name("actions.csv")
    };
    let path = match &options.actions {
        Some(path) => path.clone(),
        None if beside.is_file() && beside != source => beside,
        None => return Vec::new(),
    };
    let file = path.display().to_string();
    match read_actions(&path) {
        Ok(actions) => {
            audit.files.push(AuditedFile {
                file,
                holds: "actions",
                rows: actions.len(),
                symbols: 0,
            });
            actions
        }
        Err(error) => {
            cannot_read(audit, file, error.problems());
            Vec::new()
        }
    }
}

/// Looks at one file: prices are left in `seen.tapes`, anything else is judged at once.
fn audit_file(path: &Path, options: &ReadOptions, seen: &mut Seen) {
    let file = path.display().to_string();
    let audit = &mut seen.audit;
    if is_chain(path) {
        let (findings, rows, spots) = chain::audit_chain(path, &file);
        seen.spots.push((path.to_owned(), spots));
        audit.files.push(AuditedFile {
            file,
            holds: table::Holds::Chain.name(),
            rows,
            symbols: 0,
        });
        audit.findings.extend(findings);
        return;
    }
    if let Some(table) = table::sniff(path)
        && table.holds != table::Holds::Prices
    {
        let (findings, rows) = match table.holds {
            table::Holds::Chain => (chain::no_chain(&file, &table), 0),
            _ => table::audit_table(path, &file, &table),
        };
        audit.files.push(AuditedFile {
            file,
            holds: table.holds.name(),
            rows,
            symbols: 0,
        });
        audit.findings.extend(findings);
        return;
    }
    match read_raw(path, &options.columns) {
        Ok(read) => {
            let rows = read.iter().map(|tape| tape.time.len()).sum();
            audit.files.push(AuditedFile {
                file,
                holds: "prices",
                rows,
                symbols: read.len(),
            });
            seen.tapes.extend(read);
        }
        Err(error) => {
            cannot_read(audit, file, error.problems());
        }
    }
}

/// Notes a file that is no prices and nothing else that is known.
fn cannot_read(audit: &mut Audit, file: String, problems: &[Problem]) {
    audit.findings.extend(unreadable(&file, "", problems));
    audit.files.push(AuditedFile {
        file,
        holds: "unreadable",
        rows: 0,
        symbols: 0,
    });
}

/// Problems of reading as findings: the same problem in several rows is one.
fn unreadable(file: &str, symbol: &str, problems: &[Problem]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for problem in problems {
        let what = match &problem.column {
            Some(column) => format!("{column}: {}", problem.message),
            None => problem.message.clone(),
        };
        let known = findings.len();
        if known >= ROWS_NAMED
            && let Some(last) = findings.last_mut()
        {
            last.count += 1;
            last.rows
                .extend(problem.line.filter(|_| last.rows.len() < ROWS_NAMED));
            continue;
        }
        findings.push(Finding {
            kind: FindingKind::Unreadable,
            severity: Severity::Severe,
            file: problem.file.clone().unwrap_or_else(|| file.to_owned()),
            symbol: symbol.to_owned(),
            rows: problem.line.into_iter().collect(),
            count: 1,
            what,
            cure: problem
                .help
                .clone()
                .unwrap_or_else(|| "mend the cell or take the row out".to_owned()),
        });
    }
    findings
}

/// Gathers findings of one symbol of one file.
struct Findings<'a> {
    file: &'a str,
    symbol: &'a str,
    found: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    /// Adds a finding about these lines unless there are none.
    fn add(
        &mut self,
        kind: FindingKind,
        lines: &[u64],
        what: impl FnOnce(usize) -> String,
        cure: &str,
    ) {
        if !lines.is_empty() {
            self.add_counted(kind, lines, lines.len(), what(lines.len()), cure);
        }
    }

    /// Adds a finding whose count is not the number of lines.
    fn add_counted(
        &mut self,
        kind: FindingKind,
        lines: &[u64],
        count: usize,
        what: String,
        cure: &str,
    ) {
        self.found.push(Finding {
            kind,
            severity: kind.severity(),
            file: self.file.to_owned(),
            symbol: self.symbol.to_owned(),
            rows: lines.iter().copied().take(ROWS_NAMED).collect(),
            count,
            what,
            cure: cure.to_owned(),
        });
    }
}

/// Findings that several symbols of one file share word for word become one; so do more than
/// [`KINDS_MERGED`] of one kind that are not severe, which the largest speaks for.
fn merge_symbols(findings: Vec<Finding>) -> Vec<Finding> {
    let mut same: BTreeMap<(String, FindingKind, String), Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        let key = (finding.file.clone(), finding.kind, finding.what.clone());
        same.entry(key).or_default().push(finding);
    }
    let mut of_kind: BTreeMap<(String, FindingKind), Vec<Finding>> = BTreeMap::new();
    for ((file, kind, _), group) in same {
        let merged = of_kind.entry((file, kind)).or_default();
        if group.len() < SYMBOLS_MERGED {
            merged.extend(group);
        } else {
            merged.push(merge(&group));
        }
    }
    let mut all = Vec::new();
    for group in of_kind.into_values() {
        if group.len() <= KINDS_MERGED || group[0].severity == Severity::Severe {
            all.extend(group);
            continue;
        }
        let mut merged = merge(&group);
        if let Some(largest) = group.iter().max_by_key(|f| f.count) {
            merged.what = format!("{}: {}; the others alike", largest.symbol, largest.what);
        }
        all.push(merged);
    }
    all
}

/// One finding for several, in the words of the first.
fn merge(group: &[Finding]) -> Finding {
    let mut merged = group[0].clone();
    let mut names: Vec<&str> = group.iter().map(|f| f.symbol.as_str()).collect();
    names.sort_unstable();
    merged.symbol = match names.as_slice() {
        [a, b, rest @ ..] if rest.len() > 1 => format!("{a}, {b} and {} more", rest.len()),
        _ => names.join(", "),
    };
    merged.rows = group.iter().flat_map(|f| f.rows.iter().copied()).collect();
    merged.rows.sort_unstable();
    merged.rows.dedup();
    merged.rows.truncate(ROWS_NAMED);
    merged.count = group.iter().map(|f| f.count).sum();
    merged
}

/// `1 row`, `3 rows`.
fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// A moment as a date, or with its time of day when it has one.
fn show(time: Micros) -> String {
    crate::market::show_time(time)
}
