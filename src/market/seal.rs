//! The market as it stood before a moment, and the stretch at its end that is kept for one last
//! look. Which stretch that is, the strategy says.

use crate::error::{Error, Problem, Result};
use crate::market::{Market, Tape, clock, show_time};
use crate::units::Micros;

/// The stretch at the end of the data that strategies are not to be chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdout {
    /// Its first moment.
    pub from: Micros,
    /// It was asked for, and its bars are there.
    pub is_open: bool,
}

impl Market {
    /// The market without the bars and actions from `moment` on; symbols that begin later are not
    /// there. Calendar and size of a bar stay what they are.
    ///
    /// # Errors
    /// No symbol has a bar before `moment`.
    pub fn before(&self, moment: Micros) -> Result<Market> {
        let kept = |tape: &Tape| {
            let bars = tape.bars.time.partition_point(|t| *t < moment);
            (bars > 0).then(|| Tape {
                bars: tape.bars.slice(0..bars),
                on_clock: None,
                ..tape.clone()
            })
        };
        let observed = self.without_learned();
        let tapes: Vec<Tape> = observed.tapes.iter().filter_map(kept).collect();
        if tapes.is_empty() {
            return Err(Error::new(
                Problem::new(format!("no bar before {}", show_time(moment)))
                    .help(format!("the data begins on {}", self.begins())),
            ));
        }
        let actions = self.actions.iter().filter(|action| action.time < moment);
        Ok(Market {
            actions: actions.cloned().collect(),
            calendar: self.calendar,
            interval: self.interval,
            files: self.files.clone(),
            notes: self.notes.clone(),
            holdout: self.holdout,
            ..clock::align(tapes)?
        })
    }

    /// Moment of the first bar, to show.
    fn begins(&self) -> String {
        self.clock
            .first()
            .map_or_else(|| "no day".to_owned(), |first| show_time(*first))
    }
}
