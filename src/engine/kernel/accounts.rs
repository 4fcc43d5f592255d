//! The accounts that [`Account`] walks, ready for any number of trials.

use crate::engine::kernel::Signals;
use crate::engine::kernel::account::{Account, Shared};
use crate::engine::kernel::ahead::Ahead;
use crate::engine::kernel::ground::Ground;
use crate::engine::kernel::stream::{Kept, Sessions, Stream};
use crate::engine::kernel::tally::{Counted, Tally};
use crate::engine::prepare::Prepared;
use crate::error::Result;
use crate::market::Market;
use crate::strategy::Strategy;
use crate::units::BarIndex;
use std::ops::Range;

/// What all trials of all accounts share.
pub(crate) struct Accounts<'m> {
    ground: Ground<'m>,
    idle: Option<Ahead>,
}

/// A strategy over a span of bars, and the sessions that end before each bar (empty: every bar is one).
#[derive(Clone, Copy)]
pub(crate) struct Over<'a> {
    pub(crate) strategy: &'a Strategy,
    pub(crate) ends_before: &'a [u32],
    pub(crate) span: &'a Range<BarIndex>,
    /// Whether sums in blocks are wanted.
    pub(crate) blocks: bool,
}

impl<'m> Accounts<'m> {
    /// Of a strategy over sessions that end after bars `ends` (empty: every bar is one).
    ///
    /// # Errors
    /// Rate files that cannot be read.
    pub(crate) fn new(
        market: &'m Market,
        prepared: &mut Prepared<'_>,
        ends: &[usize],
    ) -> Result<Self> {
        let ground = Ground::new(market, prepared, ends)?;
        let growth = ground.growth_column(true);
        let idle = match (growth, ground.rate.as_slice()) {
            ([], []) => None,
            ([], rate) => Some(Ahead::new(&vec![1.0; rate.len()], rate)),
            (growth, rate) => Some(Ahead::new(growth, rate)),
        };
        Ok(Accounts { ground, idle })
    }

    /// Risk-free return of each session of the clock; empty for none.
    pub(crate) fn rate(&self) -> &[f64] {
        &self.ground.rate
    }

    /// The sums of one account, `signals` one for each of its symbols; `None` when its equity fell to
    /// nothing.
    pub(crate) fn tally<'a>(
        &'a self,
        account: usize,
        signals: &'a [Signals<'a>],
        over: Over<'a>,
    ) -> Option<Tally> {
        self.run(account, signals, over, None).1
    }

    /// The same, its equity added to what is kept.
    pub(crate) fn run<'a>(
        &'a self,
        account: usize,
        signals: &'a [Signals<'a>],
        over: Over<'a>,
        kept: Option<Kept<'a>>,
    ) -> (Counted, Option<Tally>) {
        let all = Shared {
            strategy: over.strategy,
            ground: &self.ground,
            place: &self.ground.accounts[account],
            idle: self.idle.as_ref(),
        };
        let sessions = Sessions {
            ends_before: over.ends_before,
            rate: &self.ground.rate,
        };
        let cash = over.strategy.account.cash;
        let mut stream = Stream::new(cash, sessions, over.span, over.blocks);
        stream.kept = kept;
        let counts = Account::new(all, signals, over.span.clone()).run(&mut stream);
        let tally = stream.finish(over.span).map(|tally| Tally {
            trades: counts.trades,
            wins: counts.wins,
            entries: counts.entries,
            ..tally
        });
        (counts, tally)
    }
}
