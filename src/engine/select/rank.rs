//! `[rank]`: which names are held, and with which share of equity.

use super::Targets;
use crate::engine::simulate::Sim;
use crate::strategy::{Rank, RankWeight};
use crate::units::BarIndex;

/// What becomes of a ranked symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is held.
    Long,
    /// It is sold short.
    Short,
    /// It was chosen, but fails `absolute` or has no volatility: its slot is the refuge's.
    Refused,
    /// It is not among the chosen.
    Out,
}

/// A symbol that takes part at a close, the best first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ranked {
    pub(crate) slot: usize,
    pub(crate) score: f64,
    pub(crate) place: Place,
    /// Share of equity; negative for a short.
    pub(crate) weight: f64,
}

impl Sim<'_, '_> {
    /// Targets at the close of `bar`; `None` when nothing is decided there.
    pub(super) fn rank_targets(&mut self, bar: BarIndex, rank: &Rank) -> Option<Targets> {
        let scheduled = self.input.decides.get(bar).copied().unwrap_or(true);
        if self.selection.started && !scheduled {
            return None;
        }
        let (ranked, count) = self.ranked(bar, rank, false);
        if !self.selection.started && count == 0 && !self.any_score(bar) {
            return None;
        }
        Some(self.targets_of(&ranked, rank, rank.hold.slots(count)))
    }

    /// Shares of equity of the ranked, and of the refuge.
    fn targets_of(&self, ranked: &[Ranked], rank: &Rank, slots: usize) -> Targets {
        let mut targets = Targets::none(self.input.symbols.len());
        for one in ranked.iter().filter(|one| one.weight != 0.0) {
            targets.set(one.slot, one.weight);
        }
        if let Some(refuge) = self.input.refuge {
            let filled = ranked.iter().filter(|one| one.place == Place::Long).count();
            let share = slots.saturating_sub(filled) as f64 / slots as f64;
            let most = self.input.strategy.size.max_weight.unwrap_or(f64::INFINITY);
            if share > 0.0 {
                targets.set(refuge, share.min(most));
            }
        }
        if !rank.reweight && self.selection.started {
            for slot in 0..targets.weights.len() {
                let before = self.selection.targets.get(slot).copied().unwrap_or(0.0);
                let stays = self.held_for(slot) * targets.weights[slot] > 0.0;
                let same = self.input.refuge != Some(slot) || before == targets.weights[slot];
                targets.trades[slot] = !(stays && same);
            }
        }
        targets
    }

    /// Whether a symbol has a score, whatever else it meets.
    fn any_score(&self, bar: BarIndex) -> bool {
        let mut slots = 0..self.input.symbols.len();
        slots.any(|slot| self.is_ranked(slot, bar) && self.score(slot, bar).is_some())
    }

    /// Whether a slot takes part at all.
    fn is_ranked(&self, slot: usize, bar: BarIndex) -> bool {
        self.input.refuge != Some(slot) && self.input.is_member(slot, bar)
    }

    /// The score of a slot at a close; `None` when it has none there.
    pub(super) fn score(&self, slot: usize, bar: BarIndex) -> Option<f64> {
        match &self.input.spots {
            Some(spots) => spots.score(slot, bar),
            None => self.read(slot, self.input.symbols[slot].signals.score, bar),
        }
    }

    fn is_eligible(&self, slot: usize, bar: BarIndex) -> bool {
        match &self.input.spots {
            Some(spots) => spots.is_eligible(slot, bar),
            None => self.meets(slot, self.input.symbols[slot].signals.eligible, bar),
        }
    }

    fn passes(&self, slot: usize, bar: BarIndex) -> bool {
        match &self.input.spots {
            Some(spots) => spots.passes(slot, bar),
            None => self.meets(slot, self.input.symbols[slot].signals.absolute, bar),
        }
    }

    /// The symbols with a score that meet `where`, and what becomes of them, the best first: as far
    /// as the places matter, or all of them when `whole`. Beside them how many there are.
    pub(crate) fn ranked(&self, bar: BarIndex, rank: &Rank, whole: bool) -> (Vec<Ranked>, usize) {
        let mut keys = self.keys(bar);
        let count = keys.len();
        let hold = rank.hold.slots(count);
        let within = hold + rank.buffer as usize;
        // Nobody asks for the order of the rest.
        if !(whole || rank.shorts() || within >= count) {
            keys.select_nth_unstable(within);
            keys.truncate(within);
        }
        keys.sort_unstable();
        let one = |key: u128| Ranked {
            slot: slot_of(key),
            score: score_of(key),
            place: Place::Out,
            weight: 0.0,
        };
        let mut ranked: Vec<Ranked> = keys.into_iter().map(one).collect();
        self.choose(&mut ranked, rank, hold, bar);
        self.weigh(&mut ranked, rank, hold, bar);
        (ranked, count)
    }

    /// Keys of the symbols that take part at a close, in symbol order.
    fn keys(&self, bar: BarIndex) -> Vec<u128> {
        let slots = self.input.symbols.len();
        let spots = self.input.spots.as_ref();
        // The same at once, where it is told from one row of numbers who takes part.
        if let Some(spots) = spots.filter(|s| self.input.refuge.is_none() && s.all_eligible(bar)) {
            let scores = spots.scores(bar).iter().enumerate();
            let finite = scores.filter(|(_, score)| score.is_finite());
            return finite.map(|(slot, score)| key(*score, slot)).collect();
        }
        let takes_part = |slot: usize| {
            let score = self
                .score(slot, bar)
                .filter(|_| self.is_ranked(slot, bar))?;
            self.is_eligible(slot, bar).then(|| key(score, slot))
        };
        (0..slots).filter_map(takes_part).collect()
    }

    /// What is held for a slot, in it or in a partner that stands in for it: positive when long.
    fn held_for(&self, slot: usize) -> f64 {
        match &self.taxes {
            None => self.account.positions[slot].shares,
            Some(_) => self.value_for(slot, self.current_targets()),
        }
    }

    /// Longs from the top, shorts from the bottom; holdings within the buffer first.
    fn choose(&self, ranked: &mut [Ranked], rank: &Rank, hold: usize, bar: BarIndex) {
        let within = hold + rank.buffer as usize;
        let mut free = hold;
        for wants_held in [true, false] {
            // Without a buffer all within are chosen, held or not.
            for one in ranked.iter_mut().take(within) {
                let takes = free > 0
                    && one.place == Place::Out
                    && (rank.buffer == 0 || (self.held_for(one.slot) > 0.0) == wants_held);
                if takes {
                    one.place = Place::Long;
                    free -= 1;
                }
            }
        }
        let mut free = rank.short_hold as usize;
        let within = free + rank.buffer as usize;
        for wants_held in [true, false] {
            for one in ranked.iter_mut().rev().take(within) {
                let takes = free > 0
                    && one.place == Place::Out
                    && (self.held_for(one.slot) < 0.0) == wants_held;
                if takes {
                    one.place = Place::Short;
                    free -= 1;
                }
            }
        }
        for one in ranked.iter_mut().filter(|one| one.place == Place::Long) {
            if !self.passes(one.slot, bar) {
                one.place = Place::Refused;
            }
        }
    }

    /// The shares of equity of both sides.
    fn weigh(&self, ranked: &mut [Ranked], rank: &Rank, hold: usize, bar: BarIndex) {
        let slots = hold as f64;
        let most = self.input.strategy.size.max_weight.unwrap_or(f64::INFINITY);
        if rank.weight == RankWeight::InverseVol {
            for one in ranked.iter_mut() {
                let chosen = matches!(one.place, Place::Long | Place::Short);
                if chosen && self.volatility(one.slot, bar).is_none() {
                    one.place = Place::Refused;
                }
            }
        }
        for (side, sign, slots) in [
            (Place::Long, 1.0, slots),
            (Place::Short, -1.0, f64::from(rank.short_hold)),
        ] {
            let count = ranked.iter().filter(|one| one.place == side).count();
            let part = |one: &Ranked, nth: usize| match rank.weight {
                RankWeight::Equal => 1.0,
                RankWeight::Score => (sign * one.score).max(0.0),
                RankWeight::InverseVol => self.volatility(one.slot, bar).map_or(0.0, |v| 1.0 / v),
                RankWeight::Rank => (count - nth) as f64,
            };
            // The best of the shorts is the last of all.
            let mut members: Vec<usize> = (0..ranked.len())
                .filter(|&k| ranked[k].place == side)
                .collect();
            if side == Place::Short {
                members.reverse();
            }
            let mut parts: Vec<f64> = members
                .iter()
                .enumerate()
                .map(|(nth, &k)| part(&ranked[k], nth))
                .collect();
            let mut sum: f64 = parts.iter().sum();
            if rank.weight == RankWeight::Score && sum <= 0.0 {
                parts.iter_mut().for_each(|p| *p = 1.0);
                sum = count as f64;
            }
            for (&k, part) in members.iter().zip(&parts) {
                let share = match rank.weight {
                    RankWeight::Equal => 1.0 / slots,
                    _ => part / sum * (count as f64 / slots),
                };
                ranked[k].weight = sign * share.min(most);
            }
        }
    }

    /// Positive volatility of a slot.
    fn volatility(&self, slot: usize, bar: BarIndex) -> Option<f64> {
        let id = self.input.symbols[slot].signals.volatility;
        self.read(slot, id, bar).filter(|v| *v > 0.0)
    }
}

/// A number that is the smaller, the earlier a symbol ranks: the higher score first, then the earlier
/// slot. Whole numbers are sorted without a jump that the processor has to guess.
fn key(score: f64, slot: usize) -> u128 {
    // Both zeros are one score.
    let bits = (score + 0.0).to_bits();
    let ascending = match bits >> 63 {
        0 => bits | SIGN,
        _ => !bits,
    };
    u128::from(!ascending) << 64 | slot as u128
}

const SIGN: u64 = 1 << 63;

fn slot_of(key: u128) -> usize {
    key as u64 as usize
}

fn score_of(key: u128) -> f64 {
    let ascending = !((key >> 64) as u64);
    f64::from_bits(match ascending & SIGN {
        0 => !ascending,
        _ => ascending ^ SIGN,
    })
}
