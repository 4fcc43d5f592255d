//! Decisions one bar late, for rules about the open position: what they said a bar ago. Conditions
//! over columns are shifted before time begins, in `variation.rs`.

use crate::engine::simulate::Sim;
use crate::units::BarIndex;

/// What the rules about one slot's position said at its newest bar and at the bar before.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LiveSaid {
    /// Number of the position's trade that the answers are about.
    number: usize,
    now: bool,
    before: bool,
}

impl Sim<'_, '_> {
    /// Asks the rules about open positions at this close, for a decision at the next.
    pub(crate) fn note_live(&mut self, bar: BarIndex) {
        let slots = self.input.symbols.len();
        self.live_said.resize(slots, LiveSaid::default());
        for slot in 0..slots {
            let position = &self.account.positions[slot];
            let Some(own) = self.input.symbols[slot].own_bar(bar) else {
                continue;
            };
            let (number, flat) = (position.number, position.is_flat());
            let said = self.live_said[slot];
            let is_same = !flat && said.number == number;
            self.live_said[slot] = LiveSaid {
                number,
                before: is_same && said.now,
                now: !flat && self.live_says(slot, own),
            };
        }
    }

    /// Whether they said a bar ago that the position should be left.
    pub(crate) fn said_a_bar_ago(&self, slot: usize) -> bool {
        self.live_said.get(slot).is_some_and(|said| said.before)
    }
}
