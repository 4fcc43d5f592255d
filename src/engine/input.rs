//! What the loop reads: signals as columns and bit sets, corporate actions by bar, rates by bar.
//!
//! Everything here is computed before time begins to pass and is causal column by column; the
//! loop itself only looks things up at its own bar.

use crate::engine::flows::Flow;
use crate::engine::options::Desk;
use crate::engine::progress::Progress;
use crate::engine::select::Spots;
use crate::market::{Bars, Column};
use crate::rules::{Columns, ExprId, Held, Mask, Program};
use crate::strategy::Strategy;
use crate::units::{BarIndex, Micros};
use std::sync::Arc;

/// Marks a moment at which a symbol has no bar.
pub(crate) const NO_BAR: u32 = u32::MAX;

/// A corporate action, at the clock bar on which it takes effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum EventKind {
    /// New shares for one old.
    Split(f64),
    /// Money a share; cash on the pay-date.
    Dividend {
        amount: f64,
        pay: Micros,
        /// Out of the ordinary: it lowers the strikes of options.
        special: bool,
    },
    /// The symbol stops trading.
    Delist,
}

/// An event of one slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Event {
    pub(crate) bar: BarIndex,
    pub(crate) slot: usize,
    pub(crate) kind: EventKind,
}

/// A distance of `[stops]`, as a number or a column on the symbol's own bars.
#[derive(Debug, Clone)]
pub(crate) enum Distances {
    Fraction(f64),
    Column(ExprId),
}

/// What the rules say about one symbol, on its own bars.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    pub(crate) enter: Option<Mask>,
    pub(crate) exit: Option<Mask>,
    pub(crate) short: Option<Mask>,
    pub(crate) cover: Option<Mask>,
    /// Exits that depend on the position are evaluated bar by bar.
    pub(crate) exit_live: Option<ExprId>,
    pub(crate) cover_live: Option<ExprId>,
    /// Conditions of the legs of `[options]`.
    pub(crate) call_when: Option<Mask>,
    pub(crate) put_when: Option<Mask>,
    pub(crate) priority: Option<ExprId>,
    pub(crate) price: Option<ExprId>,
    pub(crate) volatility: Option<ExprId>,
    pub(crate) stop: Option<Distances>,
    pub(crate) target: Option<Distances>,
    pub(crate) trail: Option<Distances>,
    /// `[rank]`: score, `where` and `absolute`.
    pub(crate) score: Option<ExprId>,
    pub(crate) eligible: Option<ExprId>,
    pub(crate) absolute: Option<ExprId>,
    /// What the method of `[weights]` reads.
    pub(crate) measure: Option<ExprId>,
    /// The evaluated columns that the ids point into.
    pub(crate) columns: Option<Columns>,
}

/// One symbol of the account.
#[derive(Debug, Clone)]
pub(crate) struct SymbolInput<'m> {
    /// Index in the market.
    pub(crate) tape: usize,
    /// Its name.
    pub(crate) name: &'m str,
    pub(crate) bars: &'m Bars,
    /// Clock bar -> own bar ([`NO_BAR`] where there is none); `None` when both are one.
    pub(crate) own: Option<Arc<Vec<u32>>>,
    /// Whether it belongs to the dated universe, by clock bar; `None` when it always does.
    pub(crate) member: Option<Arc<Vec<bool>>>,
    pub(crate) signals: Signals,
}

impl SymbolInput<'_> {
    /// The symbol's own bar at a clock bar.
    pub(crate) fn own_bar(&self, bar: BarIndex) -> Option<usize> {
        match &self.own {
            None => Some(bar),
            Some(own) => Some(own[bar]).filter(|&i| i != NO_BAR).map(|i| i as usize),
        }
    }

    /// Volume of an own bar, 0 when it is unknown.
    pub(crate) fn volume(&self, own: usize) -> f64 {
        self.bars.volume.as_ref().map_or(0.0, |v: &Column| {
            let volume = v[own];
            if volume.is_nan() { 0.0 } else { volume }
        })
    }
}

/// Everything that one account's simulation reads.
pub(crate) struct Input<'m> {
    pub(crate) strategy: &'m Strategy,
    pub(crate) progress: Progress<'m>,
    pub(crate) program: Option<&'m Program>,
    pub(crate) clock: &'m [Micros],
    /// Bars are shorter than a day.
    pub(crate) intraday: bool,
    /// First and one past the last clock bar of the simulation.
    pub(crate) first: BarIndex,
    pub(crate) end: BarIndex,
    pub(crate) symbols: Vec<SymbolInput<'m>>,
    /// Events of all slots by bar, splits before dividends.
    pub(crate) events: Vec<Event>,
    /// Deposits and withdrawals by bar; empty when there are none.
    pub(crate) flows: &'m [Flow],
    /// Number of each bar's session, counted from the clock's first; empty when nobody asks.
    pub(crate) sessions: &'m [u32],
    /// Interest factor less one earned by idle cash from the bar before; empty when 0 throughout.
    pub(crate) interest: &'m [f64],
    /// The same for `dividend_yield`; empty when there is none.
    pub(crate) index_yield: &'m [f64],
    /// Bars on which lots are looked at for losses; empty when on every bar.
    pub(crate) harvest_checks: &'m [bool],
    /// Bars on which a calendar year ends; empty without `[tax]`.
    pub(crate) year_ends: &'m [bool],
    /// Bars on which rules decide; empty when at every bar.
    pub(crate) decides: &'m [bool],
    /// `[weights] targets` by slot; empty without.
    pub(crate) fixed: Vec<f64>,
    /// The expressions of `[rank]` on deciding bars, in place of columns.
    pub(crate) spots: Option<Spots>,
    /// Slot of `[rank] refuge`, when it is a symbol.
    pub(crate) refuge: Option<usize>,
    /// What the rules say is decided one bar later. The columns above are shifted already; this
    /// concerns the rules about the open position, which are asked bar by bar.
    pub(crate) later: bool,
    /// Tapes of the market: contracts of options are numbered behind them.
    pub(crate) tapes: usize,
    /// What options read, where the strategy has any.
    pub(crate) desk: Option<Arc<Desk>>,
}

impl Input<'_> {
    /// Number of a bar's session; 0 when no rule of the run depends on sessions.
    pub(crate) fn session(&self, bar: BarIndex) -> u32 {
        self.sessions.get(bar).copied().unwrap_or(0)
    }

    /// A slot's own bar and its close at a clock bar; `None` when it has none.
    pub(crate) fn close(&self, slot: usize, bar: BarIndex) -> Option<(usize, f64)> {
        // Spots exist only where every symbol has a bar at every moment.
        if let Some(close) = self.spots.as_ref().and_then(|s| s.close(slot, bar)) {
            return Some((bar, close));
        }
        let symbol = &self.symbols[slot];
        let own = symbol.own_bar(bar)?;
        Some((own, symbol.bars.close[own]))
    }

    /// Whether a slot belongs to the dated universe at a bar.
    pub(crate) fn is_member(&self, slot: usize, bar: BarIndex) -> bool {
        let member = self.symbols[slot].member.as_ref();
        member.is_none_or(|member| member[bar])
    }

    /// Whether symbols come into the universe and leave it.
    pub(crate) fn is_dated(&self) -> bool {
        self.symbols.iter().any(|symbol| symbol.member.is_some())
    }

    /// A number of an expression at an own bar, `None` when absent.
    pub(crate) fn number(&self, slot: usize, id: ExprId, own: usize, held: &Held) -> Option<f64> {
        let columns = self.symbols[slot].signals.columns.as_ref()?;
        self.program?.number_at(columns, id, own, held)
    }

    /// A condition that depends on the position, at an own bar.
    pub(crate) fn holds(&self, slot: usize, id: ExprId, own: usize, held: &Held) -> bool {
        let columns = self.symbols[slot].signals.columns.as_ref();
        match (self.program, columns) {
            (Some(program), Some(columns)) => {
                program.condition_at(columns, id, own, held) == Some(true)
            }
            _ => false,
        }
    }
}
