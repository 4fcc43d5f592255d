//! The expressions of `[rank]` on the bars that decide, for bare runs that read them nowhere else.

use crate::engine::input::NO_BAR;
use crate::engine::prepare::Prepared;
use crate::rules::{ExprId, Program};
use crate::units::BarIndex;

/// Values by decision and slot.
pub(crate) struct Spots {
    /// Clock bar -> number of the decision; [`NO_BAR`] where nothing is decided.
    place: Vec<u32>,
    slots: usize,
    /// First bar on which a symbol has a score.
    pub(crate) first: BarIndex,
    score: Vec<f64>,
    /// Closes, so that a decision and what fills at its close find all prices in one place.
    close: Vec<f64>,
    eligible: Told,
    absolute: Told,
}

/// A condition at the decisions: 1, 0 or NaN.
enum Told {
    /// Nobody asks; it holds.
    Unasked,
    /// It reads no prices: one answer a decision.
    Once(Vec<f64>),
    /// By decision and slot.
    Each(Vec<f64>),
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
        let (mut scores, mut closes) =
            (vec![0.0; bars.len() * slots], vec![0.0; bars.len() * slots]);
        program.at_bars(&prepared.market, score, &bars, tapes, |slot, column| {
            let close = &prepared.market.tapes[tapes[slot]].bars.close;
            let places = (slot..).step_by(slots);
            for ((at, value), bar) in places.zip(column).zip(&bars) {
                scores[at] = *value;
                closes[at] = close[*bar];
            }
        });
        // The warm-up is the least that it takes; where one takes more, columns find the first score.
        if !scores[..slots].iter().all(|s| s.is_finite()) {
            return None;
        }
        let told = |id| Told::of(id, program, prepared, &bars, tapes);
        Some(Spots {
            place,
            slots,
            first,
            score: scores,
            close: closes,
            eligible: told(eligible),
            absolute: told(absolute),
        })
    }

    /// Number of the decision at a bar.
    fn number(&self, bar: BarIndex) -> Option<usize> {
        let number = self.place[bar];
        (number != NO_BAR).then_some(number as usize)
    }

    /// Scores by slot at a bar; empty where nothing is decided.
    pub(crate) fn scores(&self, bar: BarIndex) -> &[f64] {
        let row = |n: usize| &self.score[n * self.slots..(n + 1) * self.slots];
        self.number(bar).map_or(&[], row)
    }

    pub(crate) fn score(&self, slot: usize, bar: BarIndex) -> Option<f64> {
        let score = self.scores(bar).get(slot)?;
        score.is_finite().then_some(*score)
    }

    /// The close of a slot; `None` where nothing is decided.
    pub(crate) fn close(&self, slot: usize, bar: BarIndex) -> Option<f64> {
        let number = self.number(bar)?;
        Some(self.close[number * self.slots + slot])
    }

    pub(crate) fn is_eligible(&self, slot: usize, bar: BarIndex) -> bool {
        self.holds(&self.eligible, slot, bar)
    }

    pub(crate) fn passes(&self, slot: usize, bar: BarIndex) -> bool {
        self.holds(&self.absolute, slot, bar)
    }

    /// Every slot with a score meets `where` at a bar, as far as that can be said at once.
    pub(crate) fn all_eligible(&self, bar: BarIndex) -> bool {
        match &self.eligible {
            Told::Unasked => true,
            Told::Once(values) => self.number(bar).is_some_and(|n| values[n] == 1.0),
            Told::Each(_) => false,
        }
    }

    fn holds(&self, told: &Told, slot: usize, bar: BarIndex) -> bool {
        let Some(number) = self.number(bar) else {
            return matches!(told, Told::Unasked);
        };
        match told {
            Told::Unasked => true,
            Told::Once(values) => values[number] == 1.0,
            Told::Each(values) => values[number * self.slots + slot] == 1.0,
        }
    }
}

impl Told {
    fn of(
        id: Option<ExprId>,
        program: &Program,
        prepared: &Prepared<'_>,
        bars: &[BarIndex],
        tapes: &[usize],
    ) -> Told {
        let (Some(id), slots) = (id, tapes.len()) else {
            return Told::Unasked;
        };
        let market = &prepared.market;
        if !program.reads_prices(id) {
            let mut values = Vec::new();
            let any = &tapes[..slots.min(1)];
            program.at_bars(market, id, bars, any, |_, column| values = column.to_vec());
            return Told::Once(values);
        }
        let mut values = vec![0.0; bars.len() * slots];
        program.at_bars(market, id, bars, tapes, |slot, column| {
            for (at, value) in (slot..).step_by(slots).zip(column) {
                values[at] = *value;
            }
        });
        Told::Each(values)
    }
}
