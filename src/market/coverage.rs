//! What a market holds, symbol by symbol: range, bars, sessions without a bar, actions.
//!
//! Faults are the audit's business; this only counts.

use crate::market::actions::ActionKind;
use crate::market::calendar::date_of;
use crate::market::{Calendar, Interval, Market, Tape};
use crate::units::Micros;
use chrono::NaiveDate;

/// One symbol's bars and actions, counted.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolCoverage {
    /// The symbol.
    pub symbol: String,
    /// The file it came from, as a path to show.
    pub file: String,
    /// Time of the first bar; `None` when there is none.
    pub first: Option<Micros>,
    /// Time of the last bar.
    pub last: Option<Micros>,
    /// Bars in all.
    pub bars: usize,
    /// Sessions (weeks, months) between the first and the last bar without one.
    pub missing: usize,
    /// The longest run of them, and the dates of the bars around it.
    pub longest_gap: Option<(usize, NaiveDate, NaiveDate)>,
    /// Ordinary dividends among the actions.
    pub dividends: usize,
    /// Special dividends among the actions.
    pub special_dividends: usize,
    /// Splits among the actions.
    pub splits: usize,
    /// A delisting is among the actions.
    pub is_delisted: bool,
    /// Only closes are known.
    pub closes_only: bool,
    /// Names of the columns: `open high low close`, `volume` when there is one, further ones.
    pub columns: Vec<String>,
}

/// A market, counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// The symbols in order.
    pub symbols: Vec<SymbolCoverage>,
    /// The calendar that sessions are counted by.
    pub calendar: Calendar,
    /// The size of a bar.
    pub interval: Interval,
    /// Moments at which at least one symbol has a bar.
    pub moments: usize,
    /// What the reader did that is worth knowing.
    pub notes: Vec<String>,
}

/// Counts what a market holds.
pub fn coverage(market: &Market) -> Coverage {
    Coverage {
        symbols: market
            .tapes
            .iter()
            .map(|tape| symbol_coverage(market, tape))
            .collect(),
        calendar: market.calendar,
        interval: market.interval,
        moments: market.clock.len(),
        notes: market.notes.clone(),
    }
}

fn symbol_coverage(market: &Market, tape: &Tape) -> SymbolCoverage {
    let time = &tape.bars.time;
    let mut missing = 0;
    let mut longest: Option<(usize, NaiveDate, NaiveDate)> = None;
    for pair in time.windows(2) {
        let (from, to) = (date_of(pair[0]), date_of(pair[1]));
        if from == to {
            continue;
        }
        let gap = market.calendar.missing_between(market.interval, from, to);
        missing += gap;
        if gap > longest.map_or(0, |(n, _, _)| n) {
            longest = Some((gap, from, to));
        }
    }
    let count = |kind: ActionKind| {
        market
            .actions_of(&tape.symbol)
            .filter(|a| a.kind == kind)
            .count()
    };
    let bars = &tape.bars;
    let volume = bars.volume.as_ref().map(|_| "volume".to_owned());
    let prices = ["open", "high", "low", "close"].map(str::to_owned);
    SymbolCoverage {
        symbol: tape.symbol.clone(),
        file: tape.file.clone(),
        first: time.first().copied(),
        last: time.last().copied(),
        bars: bars.len(),
        missing,
        longest_gap: longest,
        dividends: count(ActionKind::Dividend),
        special_dividends: count(ActionKind::SpecialDividend),
        splits: count(ActionKind::Split),
        is_delisted: count(ActionKind::Delist) > 0,
        closes_only: bars.closes_only,
        columns: prices
            .into_iter()
            .filter(|name| !bars.closes_only || name == "close")
            .chain(volume)
            .chain(bars.extra.iter().map(|(name, _)| name.clone()))
            .collect(),
    }
}
