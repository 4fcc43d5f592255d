//! `[rank]`: which names are held, and with which share of equity.

use super::Targets;
use crate::engine::simulate::Sim;
use crate::strategy::{Rank, RankWeight};
use crate::units::BarIndex;
use std::cmp::Ordering;

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
        let ranked = self.ranked(bar, rank, false);
        if !self.selection.started && ranked.is_empty() && !self.any_score(bar) {
            return None;
        }
        Some(self.targets_of(&ranked, rank))
    }

    /// Shares of equity of the ranked, and of the refuge.
    fn targets_of(&self, ranked: &[Ranked], rank: &Rank) -> Targets {
        let mut targets = Targets::none(self.input.symbols.len());
        for one in ranked.iter().filter(|one| one.weight != 0.0) {
            targets.set(one.slot, one.weight);
        }
        let eligible = ranked.len();
        let slots = rank.hold.slots(eligible);
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
                let stays = self.account.positions[slot].shares * targets.weights[slot] > 0.0;
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

    /// Every symbol with a score that meets `where`, and what becomes of it: the best first, as far
    /// as the places matter, and all of them when `whole`.
    pub(crate) fn ranked(&self, bar: BarIndex, rank: &Rank, whole: bool) -> Vec<Ranked> {
        let takes_part = |slot: usize| {
            let score = self
                .score(slot, bar)
                .filter(|_| self.is_ranked(slot, bar))?;
            self.is_eligible(slot, bar).then_some(Ranked {
                slot,
                score,
                place: Place::Out,
                weight: 0.0,
            })
        };
        let slots = 0..self.input.symbols.len();
        let mut ranked: Vec<Ranked> = slots.filter_map(takes_part).collect();
        // Slots are in symbol order, which settles ties. Nobody asks for the order of the rest.
        let within = rank.hold.slots(ranked.len()) + rank.buffer as usize;
        if whole || rank.shorts() || within >= ranked.len() {
            ranked.sort_unstable_by(better);
        } else {
            ranked.select_nth_unstable_by(within, better);
            ranked[..within].sort_unstable_by(better);
        }
        self.choose(&mut ranked, rank, bar);
        self.weigh(&mut ranked, rank, bar);
        ranked
    }

    /// Longs from the top, shorts from the bottom; holdings within the buffer first.
    fn choose(&self, ranked: &mut [Ranked], rank: &Rank, bar: BarIndex) {
        let hold = rank.hold.slots(ranked.len());
        let within = hold + rank.buffer as usize;
        let shares = |one: &Ranked| self.account.positions[one.slot].shares;
        let mut free = hold;
        for wants_held in [true, false] {
            for one in ranked.iter_mut().take(within) {
                let takes = (shares(one) > 0.0) == wants_held && one.place == Place::Out;
                if takes && free > 0 {
                    one.place = Place::Long;
                    free -= 1;
                }
            }
        }
        let mut free = rank.short_hold as usize;
        let within = free + rank.buffer as usize;
        for wants_held in [true, false] {
            for one in ranked.iter_mut().rev().take(within) {
                let takes = (shares(one) < 0.0) == wants_held && one.place == Place::Out;
                if takes && free > 0 {
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
    fn weigh(&self, ranked: &mut [Ranked], rank: &Rank, bar: BarIndex) {
        let slots = rank.hold.slots(ranked.len()) as f64;
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

/// The higher score first, then the earlier slot.
fn better(a: &Ranked, b: &Ranked) -> Ordering {
    let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
    by_score.then(a.slot.cmp(&b.slot))
}
