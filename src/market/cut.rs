//! The market as it was known at an earlier moment: for tests of what looks ahead.

use crate::error::Result;
use crate::market::{Calendar, Interval, Market, Tape, date_of, midnight};
use crate::units::{DAY_MICROS, Micros};
use std::sync::Arc;

impl Market {
    /// The market without its future: bars up to `moment`, and the actions that had been declared.
    /// A learned column is taken out, so that it has to be learned anew from what is left.
    ///
    /// Symbols without a bar so far stay, without bars, as they take part in the size of a
    /// position. Calendar, bar size and bars a year are facts about the data, not prices: they stay
    /// those of the whole.
    #[must_use]
    pub fn until(&self, moment: Micros) -> Market {
        let upto = |time: &[Micros]| time.partition_point(|t| *t <= moment);
        let bars = upto(&self.clock);
        let clock = Arc::new(self.clock[..bars].to_vec());
        let observed = self.without_learned();
        let tape = |tape: &Tape| {
            let mut own = tape.bars.slice(0..upto(&tape.bars.time));
            if own.len() == bars {
                own.time = clock.clone();
            }
            let on_clock = tape.on_clock.as_ref().filter(|_| own.len() < bars);
            Tape {
                symbol: tape.symbol.clone(),
                on_clock: on_clock.map(|places| Arc::new(places[..own.len()].to_vec())),
                bars: own,
                file: tape.file.clone(),
            }
        };
        let actions = self.actions.iter();
        Market {
            tapes: observed.tapes.iter().map(tape).collect(),
            clock: clock.clone(),
            actions: actions
                .filter(|action| action.known_from(self.calendar) <= moment)
                .cloned()
                .collect(),
            ..observed.clone()
        }
    }
}

/// Time of day, in UTC, at which a session of New York is over at any time of the year.
const NEW_YORK_CLOSES: Micros = 21 * 3_600_000_000;

impl Market {
    /// The market without bars that were not complete at the moment `now`, in UTC: an intraday bar
    /// is complete when a later one has come or its day is over, a daily one when its session is,
    /// a weekly or monthly one when a later one has come or its length has passed. Actions stay,
    /// since they may be announced.
    ///
    /// # Errors
    /// No bar is complete.
    pub fn completed(&self, now: Micros) -> Result<Market> {
        let whole = self.complete_bars(now);
        if whole == self.clock.len() {
            return Ok(self.clone());
        }
        Ok(Market {
            actions: self.actions.clone(),
            ..self.before(self.clock[whole])?
        })
    }

    /// How many moments of the clock have complete bars at `now`.
    fn complete_bars(&self, now: Micros) -> usize {
        let is_over = |time: Micros| match self.interval {
            Interval::Minutes(_) => date_of(time) < date_of(now),
            Interval::Day => {
                let session = midnight(self.calendar.session_of(time));
                let lasts = match self.calendar {
                    Calendar::Nyse => NEW_YORK_CLOSES,
                    _ => DAY_MICROS,
                };
                session + lasts <= now
            }
            Interval::Week => time + 7 * DAY_MICROS <= now,
            Interval::Month => time + 31 * DAY_MICROS <= now,
        };
        let comes_later = !matches!(self.interval, Interval::Day);
        let last = self.clock.len().saturating_sub(1);
        let is_complete = |at: usize| {
            let time = self.clock[at];
            let later_one = comes_later && at < last && self.clock[at + 1] <= now;
            is_over(time) || later_one
        };
        // Those that are not stand at the end: the walk ends after a bar or two.
        (0..self.clock.len())
            .rev()
            .find(|at| is_complete(*at))
            .map_or(0, |at| at + 1)
    }
}
