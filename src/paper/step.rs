//! What can be done with an account: open it, step it, amend its strategy, close it.

use crate::engine::{self, Run};
use crate::error::{Error, Problem, Result};
use crate::market::{Market, date_of, midnight, show_time};
use crate::metrics::returns_of_run;
use crate::paper::account::{Account, Epoch, Opening};
use crate::paper::arrival::{self, Arrival, Remark};
use crate::paper::booked::Progress;
use crate::paper::cone::Cone;
use crate::paper::feed::read_feed;
use crate::paper::journal::{Journal, Writing};
use crate::paper::monitor::{self, Alarm};
use crate::paper::status::Status;
use crate::rules::Vocabulary;
use crate::strategy::{Overrides, Strategy};
use crate::units::Micros;
use std::path::Path;

/// Where the bars of a step come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file or folder; `None` is that of the strategy.
    Data(Option<&'a Path>),
    /// Lines of CSV or JSON.
    Feed(&'a [u8]),
    /// A market in memory, all of whose bars are complete.
    Market(&'a Market),
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct Stepped {
    /// New bars, over all symbols.
    pub bars: usize,
    /// First and last moment of them.
    pub span: Option<(Micros, Micros)>,
    /// What came otherwise than it should, for the first time.
    pub remarks: Vec<Remark>,
    /// What the user may want to know of the source.
    pub notes: Vec<String>,
    /// The account after it.
    pub status: Status,
}

/// Opens an account: reads the strategy and, where there are data, what they say before its first
/// day (warm-up, backtest and cone), and makes its file. Gives notes for the user.
///
/// # Errors
/// A strategy or data with mistakes, a first day that lies in what is held out, an account of that
/// name, a folder that cannot be written to.
pub fn open(path: &Path, opening: &Opening) -> Result<(Account, Vec<String>)> {
    let file = std::path::absolute(&opening.file)
        .map_err(|cause| Error::msg(format!("the strategy file has no place: {cause}")))?;
    let data = opening.overrides.data.as_ref();
    let data = data.map(|data| std::path::absolute(data).unwrap_or_else(|_| data.clone()));
    let whole = Overrides {
        start: None,
        end: None,
        data: data.clone(),
        ..opening.overrides.clone()
    };
    let strategy = Strategy::read(&file, &whole)?;
    let market = match &strategy.data.source {
        Some(_) => Some(engine::observe(&strategy, false, Some(opening.now))?),
        None => None,
    };
    let set = &opening.overrides.set;
    let mut account = Account {
        name: opening.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        opened: opening.now,
        closed: None,
        start: opening.overrides.start.or(strategy.data.start),
        end: strategy.data.end,
        cash: opening.cash,
        data,
        columns: opening.overrides.columns.clone(),
        seed: opening.seed,
        sealed: None,
        facts: None,
        epochs: vec![Epoch::of(&strategy, set, (Micros::MIN, opening.now), "")?],
        tape: Vec::new(),
        actions: Vec::new(),
        before: Vec::new(),
        cone: Err("the account was opened without data before its first day".to_owned()),
    };
    check_days(&account, &strategy)?;
    account.strategy()?;
    let mut notes = Vec::new();
    if let Some(market) = market {
        notes.extend(market.notes.iter().cloned());
        seal(&mut account, &market, &strategy)?;
        look_back(&mut account, &market, &strategy, &mut notes)?;
    }
    Journal::create(path, &account)?;
    Ok((account, notes))
}

fn check_days(account: &Account, strategy: &Strategy) -> Result<()> {
    match (account.start, account.end) {
        (Some(start), Some(end)) if start > end => Err(Problem::new(format!(
            "the account would begin on {start}, after data.end = {end}"
        ))
        .in_file(&strategy.source.name)
        .at_column("data.end")
        .help("leave data.end out of the file, or begin earlier")
        .into()),
        _ => Ok(()),
    }
}

/// Keeps what the strategy holds out of the account.
fn seal(account: &mut Account, market: &Market, strategy: &Strategy) -> Result<()> {
    let (Some(from), Some(to)) = (
        engine::held_out(market, strategy).filter(|_| !strategy.walk_forward.holdout_open),
        market.clock.last().copied(),
    ) else {
        return Ok(());
    };
    let begins = account.begins();
    if begins > to {
        return Ok(());
    }
    if begins >= from {
        return Err(Problem::new(format!(
            "the account would begin on {}, in the days that walk_forward.holdout keeps for one last look",
            show_time(begins)
        ))
        .in_file(&strategy.source.name)
        .at_column("walk_forward.holdout")
        .help(format!(
            "begin after {}, or open the holdout with --open-holdout, which is recorded",
            show_time(to)
        ))
        .into());
    }
    account.sealed = Some((from, to));
    Ok(())
}

/// Records what the data say before the account's first day, and holds the strategy against it.
fn look_back(
    account: &mut Account,
    market: &Market,
    strategy: &Strategy,
    notes: &mut Vec<String>,
) -> Result<()> {
    arrival::acquaint(account, market, strategy);
    if strategy.model.is_none() && strategy.layers.is_empty() {
        strategy.compile(&Vocabulary::of(market))?;
    }
    let Some(start) = account.start else {
        return Ok(());
    };
    let until = account.sealed.map_or(Micros::MAX, |(from, _)| from);
    let Ok(earlier) = market.before(midnight(start).min(until)) else {
        return Ok(());
    };
    let mine = account.strategy()?;
    arrival::take(account, &earlier, &mine, &[])?;
    let from = strategy.data.start.map_or(Micros::MIN, midnight);
    if earlier.clock.last().is_none_or(|last| *last < from) {
        account.cone = Err("there are no bars of a backtest before its first day".to_owned());
        return Ok(());
    }
    let mut tested = strategy.clone();
    tested.fill.close_at_end = false;
    let run = engine::backtest(&earlier, &tested)?;
    account.before = run
        .time
        .iter()
        .copied()
        .zip(run.equity.iter().copied())
        .collect();
    account.cone = Cone::of(&returns_of_run(&run), account.seed);
    if account.cone.is_ok() && is_in_sample(strategy) {
        notes.push(IN_SAMPLE.to_owned());
    }
    Ok(())
}

/// The caveat of a cone under parameters that a search may have chosen on the same bars.
pub(crate) const IN_SAMPLE: &str = "in-sample cone: the file has a [sweep], and parameters that it chose look better on the bars that chose them than on others";

/// Whether the file says that its parameters were searched for.
pub(crate) fn is_in_sample(strategy: &Strategy) -> bool {
    !strategy.sweep.axes.is_empty()
}

/// Steps an account over every complete bar that is newer than its last one, all of them or, when
/// anything fails, none. `now` is the moment of the step, in UTC.
///
/// # Errors
/// No such account, a closed one, an edited strategy, data with mistakes, another process that is
/// writing, a file that cannot be written; the account is then what it was.
pub fn step(path: &Path, source: Source<'_>, now: Micros) -> Result<Stepped> {
    let mut journal = Journal::open(path)?;
    let writing = journal.writing()?;
    let mut account = writing.account()?;
    let epoch = account.epochs.last().cloned();
    let epoch = epoch.ok_or_else(|| Error::msg("the account has no strategy"))?;
    if let Some(closed) = account.closed {
        return Err(
            Problem::new(format!("the account was closed on {}", date_of(closed)))
                .in_file(path.display().to_string())
                .help("open another one")
                .into(),
        );
    }
    epoch.check_unedited(&account.name)?;
    let strategy = account.strategy()?;
    let (market, notes) = observed(&account, &strategy, source, now)?;
    let known = writing.remarks()?;
    let (after, actions) = (account.last(), account.actions.len());
    let arrival = match market {
        Some(market) => arrival::take(&mut account, &market, &strategy, &known)?,
        None => Arrival::default(),
    };
    let run = account.run()?;
    let mut alarms = writing.alarms()?;
    if arrival.bars > 0 {
        let progress = writing.progress()?;
        writing.record(&account, after, actions)?;
        for number in &arrival.replaced {
            writing.replace_action(*number, &account.actions[*number])?;
        }
        if let Some(run) = &run {
            book(&writing, &account, run, &progress)?;
            alarms = watched(&account, &strategy, run, alarms, progress.bars)?;
            writing.set_alarms(&alarms)?;
        }
    }
    writing.remark(&arrival.remarks)?;
    let remarks: Vec<Remark> = known.into_iter().chain(arrival.remarks.clone()).collect();
    let status = Status::of(&account, &strategy, run.as_ref(), (&alarms, &remarks), now)?;
    match arrival.bars > 0 || !arrival.remarks.is_empty() {
        true => writing.commit()?,
        false => drop(writing),
    }
    Ok(Stepped {
        bars: arrival.bars,
        span: arrival.span,
        notes: said(&account, &arrival, notes),
        remarks: arrival.remarks,
        status,
    })
}

/// The market of a source, and notes about it.
fn observed(
    account: &Account,
    strategy: &Strategy,
    source: Source<'_>,
    now: Micros,
) -> Result<(Option<Market>, Vec<String>)> {
    match source {
        Source::Market(market) => Ok((Some(market.clone()), Vec::new())),
        Source::Data(given) => {
            let mut strategy = strategy.clone();
            if let Some(data) = given {
                strategy.data.source = Some(data.to_path_buf());
            }
            let market = engine::observe(&strategy, false, Some(now))?;
            let notes = market.notes.clone();
            Ok((Some(market), notes))
        }
        Source::Feed(bytes) => {
            let only = match &account.tape[..] {
                [one] => Some(one.symbol.as_str()),
                _ => None,
            };
            let (market, notes) = read_feed(bytes, &account.columns, only)?;
            let Some(mut market) = market else {
                return Ok((None, notes));
            };
            if let Some(facts) = &account.facts {
                (market.calendar, market.interval) = (facts.calendar, facts.interval);
            }
            let whole = market.clock.len();
            let Ok(complete) = market.completed(now) else {
                let note = "no bar of the feed is complete yet".to_owned();
                return Ok((None, vec![note]));
            };
            let left = whole - complete.clock.len();
            let mut notes = notes;
            if left > 0 {
                notes.push(format!("{left} moments of the feed are not over yet"));
            }
            Ok((Some(complete), notes))
        }
    }
}

/// Holds the run against the books, and books what is new.
fn book(writing: &Writing<'_>, account: &Account, run: &Run, progress: &Progress) -> Result<()> {
    let epochs = account.epochs.iter();
    let changed: Vec<&str> = epochs.flat_map(Epoch::changed_files).collect();
    progress.check(run, &changed)?;
    writing.book(run, progress)
}

fn watched(
    account: &Account,
    strategy: &Strategy,
    run: &Run,
    alarms: Vec<Alarm>,
    from: usize,
) -> Result<Vec<Alarm>> {
    let monitors = monitor::watch(account, strategy, run, None)?;
    Ok(monitor::alarms(alarms, &monitors, &run.time, from))
}

/// What a source held beside new bars.
fn said(account: &Account, arrival: &Arrival, mut notes: Vec<String>) -> Vec<String> {
    if !arrival.unknown.is_empty() {
        notes.push(format!(
            "not symbols of this account, which has had its symbols since its first bar: {}",
            arrival.unknown.join(", ")
        ));
    }
    if let (Some(end), true) = (account.end, arrival.beyond > 0) {
        notes.push(format!(
            "{} bars after data.end = {end} were left out",
            arrival.beyond
        ));
    }
    if let (Some((from, to)), true) = (account.sealed, arrival.sealed > 0) {
        notes.push(format!(
            "{} bars of {} to {} are held out and were left out",
            arrival.sealed,
            show_time(from),
            show_time(to)
        ));
    }
    notes
}

/// Puts an account under another text of its strategy, from its next bar on. `note` says why; an
/// empty `set` keeps that of before.
///
/// # Errors
/// A strategy with mistakes, or one that changes what an account cannot change: its data, its cash,
/// its flows, its taxes, its benchmark.
pub fn amend(
    path: &Path,
    file: Option<&Path>,
    set: &[(String, String)],
    (note, now): (&str, Micros),
) -> Result<Account> {
    let mut journal = Journal::open(path)?;
    let writing = journal.writing()?;
    let mut account = writing.account()?;
    let last = account.epochs.last().cloned();
    let last = last.ok_or_else(|| Error::msg("the account has no strategy"))?;
    let file = match file {
        Some(file) => std::path::absolute(file)
            .map_err(|cause| Error::msg(format!("the strategy file has no place: {cause}")))?,
        None => Path::new(&last.file).to_path_buf(),
    };
    let set = if set.is_empty() { &last.set[..] } else { set };
    let flags = Overrides {
        set: set.to_vec(),
        data: account.data.clone(),
        columns: account.columns.clone(),
        ..Overrides::default()
    };
    let strategy = Strategy::read(&file, &flags)?;
    let epoch = Epoch::of(&strategy, set, (account.last(), now), note)?;
    if (&epoch.text, &epoch.set, &epoch.files) == (&last.text, &last.set, &last.files) {
        return Err(
            Problem::new("nothing has changed since the account took it")
                .in_file(file.display().to_string())
                .help("edit the file, or give --set, and amend then")
                .into(),
        );
    }
    let traded = writing.progress()?.bars > 0;
    // Texts that decided nothing leave no trace in the run.
    let replaces = !traded || last.after == account.last();
    if replaces {
        account.epochs.pop();
    }
    let after = if account.epochs.is_empty() {
        Micros::MIN
    } else {
        epoch.after
    };
    let epoch = Epoch { after, ..epoch };
    account.epochs.push(epoch.clone());
    check_amended(&account)?;
    if replaces {
        writing.drop_epoch()?;
    }
    writing.add_epoch(&epoch)?;
    writing.commit()?;
    Ok(account)
}

/// An amended strategy runs on the same data in the same account.
fn check_amended(account: &Account) -> Result<()> {
    let new = account.strategy()?;
    let Some(first) = account.epochs.first().filter(|_| account.epochs.len() > 1) else {
        return Ok(());
    };
    let old = account.strategy_of(first)?;
    let problems: Vec<Problem> = [
        ("data", old.data == new.data),
        ("account", old.account == new.account),
        ("cash", old.cash == new.cash),
        ("cashflow", old.cashflows == new.cashflows),
        ("tax", old.tax == new.tax),
        ("benchmark", old.benchmark == new.benchmark),
        ("layer", old.layers.is_empty() && new.layers.is_empty()),
    ]
    .into_iter()
    .filter(|(_, same)| !same)
    .map(|(table, _)| {
        Problem::new(format!(
            "[{table}] cannot change in the middle of an account"
        ))
        .in_file(&new.source.name)
        .at_column(table)
        .help("open another account under the new file")
    })
    .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::all(problems)),
    }
}

/// Closes an account: it stays as it is and takes no further bar. Nothing is sold.
///
/// # Errors
/// It is closed already.
pub fn close(path: &Path, now: Micros) -> Result<Account> {
    let mut journal = Journal::open(path)?;
    let writing = journal.writing()?;
    let mut account = writing.account()?;
    if let Some(closed) = account.closed {
        return Err(Problem::new(format!(
            "the account was closed on {} already",
            date_of(closed)
        ))
        .in_file(path.display().to_string())
        .into());
    }
    writing.close(now)?;
    writing.commit()?;
    account.closed = Some(now);
    Ok(account)
}
