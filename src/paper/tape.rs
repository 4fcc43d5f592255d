//! The bars that an account saw, as they came, and the market that they make.
//!
//! What a market infers from the whole of its data (calendar, size of a bar, bars a year) is a fact
//! that the account keeps from its first bars on: a tape that grows must not change its own past.

use crate::error::{Error, Result};
use crate::market::{Action, Bars, Calendar, Column, Interval, Market, PeriodsAYear, Tape};
use crate::units::Micros;
use std::sync::Arc;

/// Columns of prices and volume that every bar has, before the further ones.
pub(crate) const BASE: usize = 5;

/// What is known of the data as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Which days are sessions.
    pub calendar: Calendar,
    /// The size of a bar.
    pub interval: Interval,
    /// Bars a year.
    pub periods: PeriodsAYear,
}

impl Facts {
    /// Those of a market.
    pub fn of(market: &Market) -> Self {
        Facts {
            calendar: market.calendar,
            interval: market.interval,
            periods: market.periods.clone(),
        }
    }
}

/// A symbol of the account and its recorded bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    /// The symbol.
    pub symbol: String,
    /// Names of its columns beyond open, high, low, close and volume.
    pub extra: Vec<String>,
    /// Its data had a column of volume.
    pub has_volume: bool,
    /// Its data had closes only.
    pub closes_only: bool,
    /// Moments of its bars, increasing.
    pub time: Vec<Micros>,
    /// Open, high, low, close, volume and the further columns; NaN where a cell was empty.
    pub columns: Vec<Vec<f64>>,
}

impl Recorded {
    /// The symbol of a tape, without bars.
    pub(crate) fn of(tape: &Tape) -> Self {
        let extra: Vec<String> = tape.bars.extra.iter().map(|(n, _)| n.clone()).collect();
        Recorded {
            symbol: tape.symbol.clone(),
            has_volume: tape.bars.volume.is_some(),
            closes_only: tape.bars.closes_only,
            columns: vec![Vec::new(); BASE + extra.len()],
            extra,
            ..Recorded::default()
        }
    }

    /// A symbol that is only known by name so far.
    pub(crate) fn named(symbol: &str) -> Self {
        Recorded {
            symbol: symbol.to_owned(),
            columns: vec![Vec::new(); BASE],
            ..Recorded::default()
        }
    }

    /// Takes on the columns that a tape has and the record does not yet.
    pub(crate) fn widen(&mut self, bars: &Bars) {
        if self.time.is_empty() {
            self.closes_only = bars.closes_only;
        }
        self.has_volume |= bars.volume.is_some();
        for (name, _) in &bars.extra {
            if !self.extra.contains(name) {
                self.extra.push(name.clone());
                self.columns.push(vec![f64::NAN; self.time.len()]);
            }
        }
    }

    /// The values of bar `i` of a tape in the order of this record's columns.
    pub(crate) fn values(&self, bars: &Bars, i: usize) -> Vec<f64> {
        let optional = |column: Option<&Column>| column.map_or(f64::NAN, |c| c[i]);
        let mut values = vec![bars.open[i], bars.high[i], bars.low[i], bars.close[i]];
        values.push(optional(bars.volume.as_ref()));
        values.extend(self.extra.iter().map(|name| optional(bars.column(name))));
        values
    }

    /// The values of a recorded bar.
    pub(crate) fn at(&self, i: usize) -> impl Iterator<Item = f64> {
        self.columns.iter().map(move |column| column[i])
    }

    /// Appends a bar; cells that it does not have are empty.
    pub(crate) fn push(&mut self, time: Micros, values: &[f64]) {
        self.time.push(time);
        for (k, column) in self.columns.iter_mut().enumerate() {
            column.push(values.get(k).copied().unwrap_or(f64::NAN));
        }
    }

    /// The close before a moment.
    pub(crate) fn close_before(&self, time: Micros) -> Option<f64> {
        let at = self.time.partition_point(|t| *t < time);
        Some(self.columns[3][at.checked_sub(1)?])
    }

    fn bars(&self) -> Bars {
        let column = |k: usize| Arc::new(self.columns[k].clone());
        let close = column(3);
        let price = |k: usize| match self.closes_only {
            true => close.clone(),
            false => column(k),
        };
        let extra = self.extra.iter().enumerate();
        Bars {
            time: Arc::new(self.time.clone()),
            open: price(0),
            high: price(1),
            low: price(2),
            volume: self.has_volume.then(|| column(4)),
            extra: extra
                .map(|(k, name)| (name.clone(), column(BASE + k)))
                .collect(),
            closes_only: self.closes_only,
            close,
        }
    }
}

/// The market of recorded bars and actions; `None` while there is no bar.
///
/// # Errors
/// Bars that are none, which a record that was tampered with may hold.
pub(crate) fn market(
    tape: &[Recorded],
    actions: Vec<Action>,
    facts: &Facts,
) -> Result<Option<Market>> {
    if tape.iter().all(|symbol| symbol.time.is_empty()) {
        return Ok(None);
    }
    let tapes = tape.iter().map(|r| (r.symbol.clone(), r.bars())).collect();
    let broken = |error: Error| Error::msg(format!("the recorded bars are damaged: {error}"));
    let market = Market::from_tapes(tapes).map_err(broken)?;
    let market = Market {
        calendar: facts.calendar,
        interval: facts.interval,
        periods: facts.periods.clone(),
        ..market
    };
    Ok(Some(market.with_actions(actions)))
}
