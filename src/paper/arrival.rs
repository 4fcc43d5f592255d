//! What of a source is new to an account, what it had before, and what came changed or late.
//!
//! Only bars after the last recorded moment are taken. A recorded bar that now reads otherwise is a
//! restatement, a bar of an earlier moment that was not there is late; both are remarked once and
//! never traded on. An action after its ex-date is booked on the bar of its arrival. At adjusted
//! prices a vendor rescales history with every dividend: a constant ratio between what was recorded
//! and what reads now is booked as an adjustment, as if it were a split of that ratio.

use crate::engine::Run;
use crate::error::Result;
use crate::market::{Action, ActionKind, Bars, Market, show_time};
use crate::paper::account::{Account, KnownAction};
use crate::paper::booked::moment;
use crate::paper::tape::{Facts, Recorded};
use crate::strategy::{Prices, Strategy};
use crate::units::Micros;

/// Relative difference from which on a ratio of adjusted prices is one.
const RATIO_MIN: f64 = 1e-6;
/// Rounding of adjusted prices: a share of the price, and money.
const ROUNDING: (f64, f64) = (1e-4, 0.006);
/// Ratios of splits that a jump over night is held against, and how near it must be. New shares for
/// old come in halves, old for new in whole numbers.
const SPLITS: [f64; 9] = [2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 1.5, 2.5, 25.0];
const WHOLE_SPLITS: usize = 6;
const SPLIT_TOLERANCE: f64 = 0.02;

/// Kind of a remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemarkKind {
    /// A recorded bar reads otherwise now.
    Restated,
    /// A bar of an earlier moment.
    Late,
    /// History was rescaled by one ratio.
    Adjusted,
    /// An action came after its ex-date.
    LateAction,
    /// A recorded action reads otherwise now.
    ChangedAction,
    /// A price moved as a split moves it, and no action says so.
    Jump,
}

impl RemarkKind {
    const ALL: [RemarkKind; 6] = [
        RemarkKind::Restated,
        RemarkKind::Late,
        RemarkKind::Adjusted,
        RemarkKind::LateAction,
        RemarkKind::ChangedAction,
        RemarkKind::Jump,
    ];

    /// Name in files, and of the alarm that goes with it.
    pub fn name(self) -> &'static str {
        match self {
            RemarkKind::Restated => "restated",
            RemarkKind::Late => "late_bar",
            RemarkKind::Adjusted => "adjusted",
            RemarkKind::LateAction => "late_action",
            RemarkKind::ChangedAction => "changed_action",
            RemarkKind::Jump => "price_jump",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        RemarkKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that came otherwise than it should.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// Last moment of the tape when it was remarked.
    pub arrived: Micros,
    /// What it is.
    pub kind: RemarkKind,
    /// Its symbol.
    pub symbol: String,
    /// The moment that it is about.
    pub moment: Micros,
    /// What was recorded, or announced.
    pub was: String,
    /// What reads now, or was booked.
    pub now: String,
}

impl Remark {
    /// One sentence without a full stop.
    pub fn words(&self) -> String {
        let (symbol, date) = (&self.symbol, show_time(self.moment));
        let (was, now) = (&self.was, &self.now);
        match self.kind {
            RemarkKind::Restated => format!(
                "{symbol}: the bar of {date} now reads {now}, it was {was}; the account keeps what it traded on"
            ),
            RemarkKind::Late => format!(
                "{symbol}: the bar of {date} came after later bars and was not taken ({now})"
            ),
            RemarkKind::Adjusted => format!(
                "{symbol}: all earlier prices now read {now} times what they were; booked on {date} as a split of {was}"
            ),
            RemarkKind::LateAction => {
                format!("{symbol}: {was} came after its ex-date; {now} on {date}")
            }
            RemarkKind::ChangedAction => {
                format!("{symbol}: {was} now reads {now}; the account keeps what it booked")
            }
            RemarkKind::Jump => format!(
                "{symbol}: the price went from {was} to {now} by {date}, which looks like a split that no action records"
            ),
        }
    }

    fn is_same(&self, other: &Remark) -> bool {
        (self.kind, self.moment) == (other.kind, other.moment)
            && self.symbol == other.symbol
            && self.now == other.now
    }
}

/// What a source brought.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Arrival {
    /// New bars, over all symbols.
    pub(crate) bars: usize,
    /// First and last moment of them.
    pub(crate) span: Option<(Micros, Micros)>,
    /// What is to be remarked for the first time.
    pub(crate) remarks: Vec<Remark>,
    /// Symbols that are not the account's.
    pub(crate) unknown: Vec<String>,
    /// Bars after `[data] end`.
    pub(crate) beyond: usize,
    /// Bars that `[walk_forward] holdout` seals.
    pub(crate) sealed: usize,
    /// Actions of the account that were replaced before they came into force, by number.
    pub(crate) replaced: Vec<usize>,
}

/// Symbols that a strategy names, whatever its data hold.
fn named(strategy: &Strategy) -> Vec<String> {
    let benchmark = &strategy.benchmark;
    let mut symbols = strategy.data.symbols.clone();
    symbols.extend(
        strategy
            .symbols_of_selector()
            .into_iter()
            .map(str::to_owned),
    );
    symbols.extend(benchmark.symbols.iter().cloned());
    symbols.extend(benchmark.blend.iter().map(|(symbol, _)| symbol.clone()));
    symbols
}

/// Gives an account its symbols and what is known of its data, from the first data that it sees.
pub(crate) fn acquaint(account: &mut Account, market: &Market, strategy: &Strategy) {
    if account.facts.is_none() {
        account.facts = Some(Facts::of(market));
    }
    if account.tape.is_empty() {
        account.tape = market.tapes.iter().map(Recorded::of).collect();
        for symbol in named(strategy) {
            if !account.tape.iter().any(|known| known.symbol == symbol) {
                account.tape.push(Recorded::named(&symbol));
            }
        }
        account.tape.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    }
}

/// Takes what is new of a market into the account.
///
/// # Errors
/// When shares held at the ex-date of a late action have to be told, as [`Account::run`].
pub(crate) fn take(
    account: &mut Account,
    market: &Market,
    strategy: &Strategy,
    known: &[Remark],
) -> Result<Arrival> {
    acquaint(account, market, strategy);
    let mut arrival = Arrival::default();
    let last = account.last();
    // Before its first day nothing was done that an action could come too late for.
    let has_traded = last > Micros::MIN && last >= account.begins();
    let before = (has_traded && !market.actions.is_empty()).then(|| account.clone());
    let is_adjusted = strategy.data.prices == Prices::Adjusted;
    for tape in &market.tapes {
        let Some(at) = account.tape.iter().position(|r| r.symbol == tape.symbol) else {
            arrival.unknown.push(tape.symbol.clone());
            continue;
        };
        account.tape[at].widen(&tape.bars);
        match is_adjusted {
            true => compare_adjusted(account, at, &tape.bars, last, &mut arrival),
            false => compare(&account.tape[at], &tape.bars, last, &mut arrival),
        }
        append(account, at, &tape.bars, last, &mut arrival);
    }
    if let Some((from, _)) = arrival.span {
        take_actions(account, market, before.as_ref(), (last, from), &mut arrival)?;
        jumps(account, last, &mut arrival);
    }
    let arrived = account.last();
    // A jump is news on its own bar, whatever came with it.
    for remark in &mut arrival.remarks {
        remark.arrived = match remark.kind {
            RemarkKind::Jump => remark.moment,
            _ => arrived,
        };
    }
    let is_new = |remark: &Remark| !known.iter().any(|old| old.is_same(remark));
    arrival.remarks.retain(is_new);
    Ok(arrival)
}

/// Appends the bars after `last`.
fn append(account: &mut Account, at: usize, bars: &Bars, last: Micros, arrival: &mut Arrival) {
    for i in bars.time.partition_point(|t| *t <= last)..bars.len() {
        let time = bars.time[i];
        if account.is_beyond(time) {
            arrival.beyond += 1;
        } else if account.is_sealed(time) {
            arrival.sealed += 1;
        } else {
            let values = account.tape[at].values(bars, i);
            account.tape[at].push(time, &values);
            arrival.bars += 1;
            arrival.span = Some(match arrival.span {
                None => (time, time),
                Some((from, to)) => (from.min(time), to.max(time)),
            });
        }
    }
}

/// Values of a bar in words.
fn words(values: &[f64]) -> String {
    let shown = values.iter().map(|x| match x.is_nan() {
        true => "-".to_owned(),
        false => x.to_string(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Bars up to `last` by recorded bar: the number of the bar in the record and in `bars`.
fn overlap(
    recorded: &Recorded,
    bars: &Bars,
    last: Micros,
    mut both: impl FnMut(usize, usize),
    mut late: impl FnMut(usize),
) {
    let mut at = 0;
    for i in 0..bars.time.partition_point(|t| *t <= last) {
        let time = bars.time[i];
        while recorded.time.get(at).is_some_and(|t| *t < time) {
            at += 1;
        }
        match recorded.time.get(at) == Some(&time) {
            true => both(at, i),
            false => late(i),
        }
    }
}

fn remark(kind: RemarkKind, symbol: &str, moment: Micros, was: String, now: String) -> Remark {
    Remark {
        arrived: 0,
        kind,
        symbol: symbol.to_owned(),
        moment,
        was,
        now,
    }
}

/// Bars that came late. What lies before the first bar of the record is history that the account
/// never had.
fn late(recorded: &Recorded, bars: &Bars, i: usize) -> Option<Remark> {
    let time = bars.time[i];
    let begins = recorded.time.first()?;
    (time > *begins).then(|| {
        let now = words(&recorded.values(bars, i));
        remark(RemarkKind::Late, &recorded.symbol, time, String::new(), now)
    })
}

/// Holds overlapping bars against the record, bit for bit.
fn compare(recorded: &Recorded, bars: &Bars, last: Micros, arrival: &mut Arrival) {
    let mut remarks = Vec::new();
    let mut late_ones = Vec::new();
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let both = |at: usize, i: usize| {
        let now = recorded.values(bars, i);
        if !recorded.at(at).zip(&now).all(|(a, b)| same(a, *b)) {
            let was = words(&recorded.at(at).collect::<Vec<_>>());
            let moment = bars.time[i];
            let kind = RemarkKind::Restated;
            remarks.push(remark(kind, &recorded.symbol, moment, was, words(&now)));
        }
    };
    overlap(recorded, bars, last, both, |i| {
        late_ones.extend(late(recorded, bars, i));
    });
    arrival.remarks.append(&mut remarks);
    arrival.remarks.append(&mut late_ones);
}

/// Holds overlapping bars against the record by their ratio, and books one that is constant.
fn compare_adjusted(
    account: &mut Account,
    at: usize,
    bars: &Bars,
    last: Micros,
    arrival: &mut Arrival,
) {
    let recorded = &account.tape[at];
    let booked: Vec<(Micros, f64)> = account
        .actions
        .iter()
        .map(|known| &known.action)
        .filter(|a| a.kind == ActionKind::Split && a.symbol == recorded.symbol)
        .map(|a| (a.time, a.value))
        .collect();
    let scale = |time: Micros| -> f64 {
        let later = booked.iter().filter(|(from, _)| *from > time);
        later.map(|(_, ratio)| 1.0 / ratio).product()
    };
    let mut pairs: Vec<(usize, usize, f64)> = Vec::new();
    let mut late_ones = Vec::new();
    let both = |k: usize, i: usize| {
        pairs.push((k, i, recorded.columns[3][k] * scale(recorded.time[k])));
    };
    overlap(recorded, bars, last, both, |i| {
        late_ones.extend(late(recorded, bars, i));
    });
    arrival.remarks.append(&mut late_ones);
    let mut ratios: Vec<f64> = pairs
        .iter()
        .map(|(_, i, was)| bars.close[*i] / was)
        .collect();
    ratios.sort_by(f64::total_cmp);
    let Some(&ratio) = ratios.get(ratios.len() / 2) else {
        return;
    };
    let rescaled = (ratio - 1.0).abs() > RATIO_MIN;
    for (k, i, was) in pairs {
        let now = bars.close[i];
        let expected = if rescaled { was * ratio } else { was };
        let allowed = ROUNDING.0 * expected + ROUNDING.1;
        if (now - expected).abs() > allowed {
            let was = recorded.columns[3][k].to_string();
            let moment = bars.time[i];
            let kind = RemarkKind::Restated;
            let now = format!("{now} where {expected} was expected");
            arrival
                .remarks
                .push(remark(kind, &recorded.symbol, moment, was, now));
        }
    }
    let from = bars.time.partition_point(|t| *t <= last);
    if let (true, Some(&time)) = (rescaled, bars.time.get(from)) {
        book_ratio(account, at, (ratio, time, last), arrival);
    }
}

/// Books that all earlier prices of a symbol now read `ratio` times what they were, on the bar of
/// `time`, as a split that leaves the value of a holding as it is.
fn book_ratio(
    account: &mut Account,
    at: usize,
    (ratio, time, last): (f64, Micros, Micros),
    arrival: &mut Arrival,
) {
    let symbol = account.tape[at].symbol.clone();
    let split = Action {
        time,
        symbol: symbol.clone(),
        kind: ActionKind::Split,
        value: 1.0 / ratio,
        pay: None,
        declared: Some(time),
    };
    let (was, now) = (split.value.to_string(), ratio.to_string());
    let kind = RemarkKind::Adjusted;
    arrival.remarks.push(remark(kind, &symbol, time, was, now));
    account.actions.push(KnownAction {
        announced: split.clone(),
        action: split,
        arrived: last,
    });
}

/// Takes the actions of a market; `span` is the last moment before this arrival and the first of it.
fn take_actions(
    account: &mut Account,
    market: &Market,
    before: Option<&Account>,
    span: (Micros, Micros),
    arrival: &mut Arrival,
) -> Result<()> {
    let mut left: Vec<usize> = (0..account.actions.len()).collect();
    let mut new: Vec<&Action> = Vec::new();
    for action in &market.actions {
        if !account
            .tape
            .iter()
            .any(|known| known.symbol == action.symbol)
        {
            continue;
        }
        let same = |k: &usize| {
            let said = &account.actions[*k].announced;
            said.time == action.time
                && said.symbol == action.symbol
                && said.kind == action.kind
                && said.value == action.value
                && said.pay == action.pay
        };
        match left.iter().position(same) {
            Some(at) => {
                left.remove(at);
            }
            None => new.push(action),
        }
    }
    let mut run: Option<Option<Run>> = None;
    for action in new {
        let is_of = |k: &usize| {
            let said = &account.actions[*k].announced;
            (said.time, &said.symbol, said.kind) == (action.time, &action.symbol, action.kind)
        };
        if let Some(at) = left.iter().position(is_of) {
            let number = left.remove(at);
            change_action(account, number, action, span.0, arrival);
            continue;
        }
        let known = match before {
            Some(earlier) if action.time <= span.0 => {
                let run = match &mut run {
                    Some(run) => run,
                    None => run.insert(earlier.run()?),
                };
                late_action(action, run.as_ref(), span, arrival)
            }
            Some(_) => announced(account, action, span),
            None => KnownAction {
                action: action.clone(),
                announced: action.clone(),
                arrived: Micros::MIN,
            },
        };
        account.actions.push(known);
    }
    Ok(())
}

/// An action that is announced in time: nobody knew it before its arrival.
fn announced(account: &Account, action: &Action, (last, from): (Micros, Micros)) -> KnownAction {
    let calendar = account.facts.as_ref().map(|facts| facts.calendar);
    let known_from = action.known_from(calendar.unwrap_or_default());
    let declared = match known_from < from {
        true => Some(from.min(action.time)),
        false => action.declared,
    };
    KnownAction {
        action: Action {
            declared,
            ..action.clone()
        },
        announced: action.clone(),
        arrived: last,
    }
}

/// An action in a few words.
fn action_words(action: &Action) -> String {
    let date = show_time(action.time);
    format!(
        "the {} of {} on {date}",
        action.kind.name().replace('_', " "),
        action.value
    )
}

/// An action that came after its ex-date, as it is booked on the bar of its arrival. A dividend is
/// that of the shares held at the ex-date, spread over the shares held now.
fn late_action(
    action: &Action,
    run: Option<&Run>,
    (last, from): (Micros, Micros),
    arrival: &mut Arrival,
) -> KnownAction {
    let mut booked = action.clone();
    booked.time = from;
    booked.declared = Some(from);
    booked.pay = action.pay.map(|pay| pay.max(from));
    let mut now = format!("booked as {}", action.value);
    if action.kind.is_dividend() {
        let (then, held) = run.map_or((0.0, 0.0), |run| {
            let shares = |upto: Micros| shares_before(run, &action.symbol, upto);
            (shares(action.time), shares(Micros::MAX))
        });
        booked.value = if held == 0.0 {
            0.0
        } else {
            action.value * then / held
        };
        now = match booked.value == 0.0 {
            true => format!("nothing was booked for {then} shares at the ex-date and {held} now,"),
            false => format!("booked as {} a share of {held}", booked.value),
        };
    }
    let was = action_words(action);
    let kind = RemarkKind::LateAction;
    arrival
        .remarks
        .push(remark(kind, &action.symbol, from, was, now));
    KnownAction {
        action: booked,
        announced: action.clone(),
        arrived: last,
    }
}

/// Shares held before the bar of a moment.
fn shares_before(run: &Run, symbol: &str, upto: Micros) -> f64 {
    let is_of = |s: Option<usize>| s.is_some_and(|s| run.symbols[s] == symbol);
    let entries = run.ledger.iter().filter(|e| is_of(e.symbol));
    let before = entries.filter(|e| moment(run, e.bar) < upto);
    let moves = before.filter(|e| e.kind != crate::portfolio::EntryKind::Slippage);
    moves.map(|e| e.quantity).sum()
}

/// A recorded action that reads otherwise: replaced while it lies ahead, else only remarked.
fn change_action(
    account: &mut Account,
    number: usize,
    action: &Action,
    last: Micros,
    arrival: &mut Arrival,
) {
    let known = &mut account.actions[number];
    if known.action.time > last && known.announced.time > last {
        known.announced = action.clone();
        known.action = Action {
            declared: known.action.declared,
            ..action.clone()
        };
        known.announced.declared = known.action.declared;
        arrival.replaced.push(number);
        return;
    }
    let (was, now) = (action_words(&known.announced), action.value.to_string());
    let kind = RemarkKind::ChangedAction;
    arrival
        .remarks
        .push(remark(kind, &action.symbol, action.time, was, now));
}

/// New bars whose price jumped over night as a split makes it, without an action that says so.
fn jumps(account: &Account, last: Micros, arrival: &mut Arrival) {
    for recorded in &account.tape {
        for i in recorded.time.partition_point(|t| *t <= last).max(1)..recorded.time.len() {
            let (time, earlier) = (recorded.time[i], recorded.time[i - 1]);
            let (before, open) = (recorded.columns[3][i - 1], recorded.columns[0][i]);
            let (ratio, splits) = match open < before {
                true => (before / open, &SPLITS[..]),
                false => (open / before, &SPLITS[..WHOLE_SPLITS]),
            };
            let near = |split: &f64| (ratio / split - 1.0).abs() <= SPLIT_TOLERANCE;
            if before < 1.0 || !splits.iter().any(near) {
                continue;
            }
            let says_so = account.actions.iter().map(|known| &known.action).any(|a| {
                a.symbol == recorded.symbol
                    && a.kind == ActionKind::Split
                    && earlier < a.time
                    && a.time <= time
            });
            if !says_so {
                let (was, now) = (before.to_string(), open.to_string());
                let kind = RemarkKind::Jump;
                arrival
                    .remarks
                    .push(remark(kind, &recorded.symbol, time, was, now));
            }
        }
    }
}
