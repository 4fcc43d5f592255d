//! What was observed: bars of each symbol on one clock, corporate actions, calendars.

mod actions;
mod bars;
mod calendar;
mod clock;
mod cut;
pub mod rates;
mod delimited;
mod layout;
mod moment;
mod rows;
mod zone;
pub mod load;
mod save;
mod resample;
mod seal;
pub mod audit;
mod coverage;
mod learned;

pub use actions::{Action, ActionKind, DECLARED_SESSIONS, adjusted, read_actions, seen_splits};
pub use bars::{Bars, Column, show_time};
pub use calendar::{
    Calendar, Interval, Period, PeriodsAYear, date_of, midnight, period_ends, period_ends_of,
    period_starts, periods_a_year, time_of_day,
};
pub use coverage::{Coverage, SymbolCoverage, coverage};
pub use learned::{Learned, LearnedFit, MODEL};
pub use load::{RawTape, ReadOptions, read_raw};
pub use resample::{Resampled, resample};
pub use save::{Cells, Imported, import, write_table, write_table_in_parts};
pub use seal::Holdout;

use crate::error::Result;
use crate::instrument::Symbol;
use crate::units::Micros;
use std::sync::Arc;

/// One symbol's bars, and where each stands on the market's clock.
#[derive(Debug, Clone)]
pub struct Tape {
    /// The symbol.
    pub symbol: Symbol,
    /// Its bars, on its own clock.
    pub bars: Bars,
    /// `on_clock[i]` is the index in [`Market::clock`] of bar `i`; `None` when the symbol has a bar
    /// at every moment of the clock, so that the two indices are one.
    pub on_clock: Option<Arc<Vec<u32>>>,
    /// The file it came from, as a path to show.
    pub file: String,
}

/// Everything that was observed: tapes in symbol order on one clock.
#[derive(Debug, Clone, Default)]
pub struct Market {
    /// Sorted, unique moments: the union of all tapes' clocks.
    pub clock: Arc<Vec<Micros>>,
    /// The tapes, sorted by symbol.
    pub tapes: Vec<Tape>,
    /// Corporate actions by time, symbol and kind.
    pub actions: Vec<Action>,
    /// Which days are sessions; told from the clock unless a strategy names one.
    pub calendar: Calendar,
    /// The size of a bar; told from the clock.
    pub interval: Interval,
    /// Bars a year; told from the clock.
    pub periods: PeriodsAYear,
    /// The files that were read, as paths to show, each with its SHA-256 in hexadecimal when
    /// [`ReadOptions::hash`] asked for it (else empty).
    pub files: Vec<(String, String)>,
    /// What the reader did that the user may want to know: rows turned round, files skipped.
    pub notes: Vec<String>,
    /// The stretch at the end that a strategy keeps for one last look, if it keeps one.
    pub holdout: Option<Holdout>,
    /// How the column [`MODEL`] was learned, if there is one.
    pub learned: Option<Arc<Learned>>,
}

impl Market {
    /// A market of these tapes: sorted by symbol, on the union of their clocks.
    ///
    /// # Errors
    /// If there is no tape, a symbol appears twice, a tape breaks an invariant of [`Bars`], or
    /// there are more moments than a `u32` counts.
    ///
    /// ```
    /// use papertape::market::{Bars, Market};
    /// let a = Bars::of_closes(vec![0, 10, 20], vec![1.0, 2.0, 3.0])?;
    /// let b = Bars::of_closes(vec![10, 30], vec![4.0, 5.0])?;
    /// let market = Market::from_tapes(vec![("B".into(), b), ("A".into(), a)])?;
    /// assert_eq!(*market.clock, vec![0, 10, 20, 30]);
    /// assert_eq!(market.index_of("B"), Some(1));
    /// assert_eq!(market.tapes[1].on_clock.as_deref(), Some(&vec![1, 3]));
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn from_tapes(tapes: Vec<(Symbol, Bars)>) -> Result<Market> {
        let tapes = tapes
            .into_iter()
            .map(|(symbol, bars)| {
                Ok(Tape {
                    symbol,
                    bars: bars.checked()?,
                    on_clock: None,
                    file: String::new(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        clock::align(tapes)
    }

    /// Index in [`Market::tapes`] of a symbol, written exactly as the data has it.
    pub fn index_of(&self, symbol: &str) -> Option<usize> {
        self.tapes
            .binary_search_by(|tape| tape.symbol.as_str().cmp(symbol))
            .ok()
    }
}
