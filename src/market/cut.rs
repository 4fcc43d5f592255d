//! The market as it was known at an earlier moment: for tests of what looks ahead.

use crate::market::{Market, Tape};
use crate::units::Micros;
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
