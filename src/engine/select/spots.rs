//! The expressions of `[rank]` on the bars that decide, for bare runs that read them nowhere else.

use crate::engine::input::NO_BAR;
use crate::engine::prepare::Prepared;
use crate::units::BarIndex;

/// Values by decision and slot.
pub(crate) struct Spots {
    /// Clock bar -> number of the decision; [`NO_BAR`] where nothing is decided.
    place: Vec<u32>,
    slots: usize,
    /// First bar on which a symbol has a score.
    pub(crate) first: BarIndex,
    score: Vec<f64>,
    /// 1, 0 or NaN; empty when it is not asked.
    eligible: Vec<f64>,
    absolute: Vec<f64>,
}

impl Spots {
    /// The spots of an account, when a few bars are all that has to be read; `None` to read columns.
    pub(crate) fn of(prepared: &Prepared<'_>, tapes: &[usize]) -> Option<Spots> {
        let strategy = prepared.strategy;
        strategy.rank.as_ref()?;
        let program = prepared.program.as_ref()?;
        let told = prepared.rank_expressions()?;
        let asked: Vec<_> = told.into_iter().flatten().collect();
        let [score, eligible, absolute] = told;
        let score = score?;
        let is_told = program.is_told_by_spots(&prepared.market, &asked);
        if prepared.decides.is_empty() || !prepared.members.is_empty() || !is_told {
            return None;
        }
        let first = prepared.first.max(program.warmup(score));
        let due = |bar: &BarIndex| *bar == first || prepared.decides[*bar];
        let bars: Vec<BarIndex> = (first..prepared.end).filter(due).collect();
        // Decisions on every bar read every bar: columns are quicker.
        if bars.is_empty() || 4 * bars.len() > prepared.end - first {
            return None;
        }
        let mut place = vec![NO_BAR; prepared.clock.len()];
        for (number, &bar) in bars.iter().enumerate() {
            place[bar] = number as u32;
        }
        let slots = tapes.len();
        let told = |id| {
            let mut values = vec![0.0; bars.len() * slots];
            program.at_bars(&prepared.market, id, &bars, tapes, |slot, column| {
                for (number, value) in column.iter().enumerate() {
                    values[number * slots + slot] = *value;
                }
            });
            values
        };
        let spots = Spots {
            place,
            slots,
            first,
            score: told(score),
            eligible: eligible.map(told).unwrap_or_default(),
            absolute: absolute.map(told).unwrap_or_default(),
        };
        // The warm-up is the least that it takes; where one takes more, columns find the first score.
        spots.score[..slots]
            .iter()
            .all(|s| s.is_finite())
            .then_some(spots)
    }

    /// Place of a slot's values at a bar.
    fn at(&self, slot: usize, bar: BarIndex) -> Option<usize> {
        let number = self.place[bar];
        (number != NO_BAR).then(|| number as usize * self.slots + slot)
    }

    pub(crate) fn score(&self, slot: usize, bar: BarIndex) -> Option<f64> {
        let score = self.score[self.at(slot, bar)?];
        score.is_finite().then_some(score)
    }

    pub(crate) fn is_eligible(&self, slot: usize, bar: BarIndex) -> bool {
        self.holds(&self.eligible, slot, bar)
    }

    pub(crate) fn passes(&self, slot: usize, bar: BarIndex) -> bool {
        self.holds(&self.absolute, slot, bar)
    }

    fn holds(&self, values: &[f64], slot: usize, bar: BarIndex) -> bool {
        values.is_empty() || self.at(slot, bar).is_some_and(|at| values[at] == 1.0)
    }
}
