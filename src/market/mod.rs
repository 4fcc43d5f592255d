//! What was observed: bars of each symbol on one clock, corporate actions, calendars.

mod bars;

pub use bars::{Bars, Column};

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
#[derive(Debug, Clone)]
pub struct Market {
    /// Sorted, unique moments: the union of all tapes' clocks.
    pub clock: Arc<Vec<Micros>>,
    /// The tapes, sorted by symbol.
    pub tapes: Vec<Tape>,
}
