//! `[weights]`: when holdings are led back to their weights, and what these are.

use super::Targets;
use crate::engine::simulate::Sim;
use crate::strategy::{Mix, WeightMethod, Weights, covariance, min_variance, risk_parity};
use crate::units::BarIndex;

impl Sim<'_, '_> {
    /// Targets at the close of `bar`; `None` when nothing is decided there.
    pub(super) fn weight_targets(&mut self, bar: BarIndex, weights: &Weights) -> Option<Targets> {
        let started = self.selection.started;
        let scheduled =
            weights.every.is_some() && self.input.decides.get(bar).copied().unwrap_or(false);
        if self.input.later && bar == self.input.first {
            return None;
        }
        let breached = self.breached(weights);
        if started && !scheduled && !breached {
            return self.late_arrivals(bar, weights);
        }
        let fresh = self.fresh_weights(bar, weights);
        if !started && fresh.iter().all(|w| *w == 0.0) {
            return None;
        }
        let mut targets = Targets::none(fresh.len());
        let most = self.input.strategy.size.max_weight.unwrap_or(f64::INFINITY);
        for (slot, weight) in fresh.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            targets.set(slot, weight.min(most));
        }
        if weights.toward_band && started {
            self.to_the_edge(&mut targets, weights);
        }
        Some(targets)
    }

    /// Every symbol with a target was bought at some time.
    pub(super) fn all_bought(&self) -> bool {
        let bought = &self.selection.bought;
        let waits = |slot: usize| {
            self.input.fixed.get(slot).is_some_and(|w| *w > 0.0)
                && !bought.get(slot).copied().unwrap_or(false)
        };
        !(0..self.input.symbols.len()).any(waits)
    }

    /// A symbol with a fixed target that had no bar before is bought once it has one.
    fn late_arrivals(&self, bar: BarIndex, weights: &Weights) -> Option<Targets> {
        if weights.targets().is_empty() || self.all_bought() {
            return None;
        }
        let mut targets = Targets::none(self.input.symbols.len());
        targets.weights.clone_from(&self.selection.targets);
        targets.trades.fill(false);
        for slot in 0..targets.weights.len() {
            let target = self.input.fixed[slot];
            let has_bar = self.input.symbols[slot].own_bar(bar).is_some();
            let bought = self.selection.bought.get(slot).copied().unwrap_or(false);
            if target > 0.0 && has_bar && !bought && self.input.is_member(slot, bar) {
                targets.set(slot, target);
                targets.trades[slot] = true;
            }
        }
        (!targets.order.is_empty()).then_some(targets)
    }

    /// Whether a breach is acted on at this close: the one that is seen there, or, where decisions come
    /// one bar later, the one that was seen a bar ago.
    fn breached(&mut self, weights: &Weights) -> bool {
        let seen = self.selection.started && self.has_drifted(weights);
        if !self.input.later {
            return seen;
        }
        let due = std::mem::take(&mut self.selection.drifted);
        // What is acted on now is not seen again before it is filled.
        self.selection.drifted = seen && !due;
        due
    }

    /// A weight is further from its target than allowed.
    fn has_drifted(&self, weights: &Weights) -> bool {
        if !weights.watches_drift() {
            return false;
        }
        let equity = self.account.equity();
        let targets = self.current_targets().iter().enumerate();
        targets.filter(|(_, t)| **t != 0.0).any(|(slot, &target)| {
            let weight = self.weight(slot, equity);
            let far = (weight - target).abs();
            weights.drift_abs.is_some_and(|most| far > most)
                || weights
                    .drift_rel
                    .is_some_and(|most| (weight / target - 1.0).abs() > most)
        })
    }

    /// A holding's share of equity.
    fn weight(&self, slot: usize, equity: f64) -> f64 {
        self.value_for(slot, self.current_targets()) / equity
    }

    /// Only what is outside its band is traded, to the nearer edge.
    fn to_the_edge(&self, targets: &mut Targets, weights: &Weights) {
        let equity = self.account.equity();
        for k in 0..targets.order.len() {
            let slot = targets.order[k];
            let (low, high) = weights.band(targets.weights[slot]);
            let weight = self.weight(slot, equity);
            targets.trades[slot] = weight < low || weight > high;
            targets.aims[slot] = weight.clamp(low, high);
        }
    }

    /// Shares of equity at the close of `bar`, 0 where nothing is to be held.
    pub(super) fn fresh_weights(&self, bar: BarIndex, weights: &Weights) -> Vec<f64> {
        let slots = self.input.symbols.len();
        let mut shares = vec![0.0; slots];
        let takes_part = |slot: &usize| {
            let has_bar = self.input.symbols[*slot].own_bar(bar).is_some();
            let held = !self.account.positions[*slot].is_flat();
            (has_bar || held) && self.input.is_member(*slot, bar)
        };
        let present: Vec<usize> = (0..slots).filter(takes_part).collect();
        let method = match &weights.mix {
            Mix::Targets(_) => {
                for slot in present {
                    shares[slot] = self.input.fixed[slot];
                }
                return shares;
            }
            Mix::Method(method) => *method,
        };
        let (slots, parts) = match method {
            WeightMethod::Equal => {
                let parts = vec![1.0 / present.len() as f64; present.len()];
                (present, parts)
            }
            WeightMethod::InverseVol => self.by_volatility(&present, bar),
            WeightMethod::RiskParity | WeightMethod::MinVariance => {
                let (slots, returns) = self.returns(&present, bar, weights.window as usize);
                let matrix = covariance(&returns);
                let parts = match method {
                    WeightMethod::RiskParity => risk_parity(&matrix, slots.len()),
                    _ => min_variance(&matrix, slots.len()),
                };
                (slots, parts)
            }
        };
        for (slot, part) in slots.into_iter().zip(parts) {
            shares[slot] = part;
        }
        shares
    }

    /// In proportion to 1 / volatility.
    fn by_volatility(&self, present: &[usize], bar: BarIndex) -> (Vec<usize>, Vec<f64>) {
        let of_slot = |&slot: &usize| {
            let id = self.input.symbols[slot].signals.measure;
            let volatility = self.read(slot, id, bar).filter(|v| *v > 0.0)?;
            Some((slot, 1.0 / volatility))
        };
        let (slots, parts): (Vec<usize>, Vec<f64>) = present.iter().filter_map(of_slot).unzip();
        let sum: f64 = parts.iter().sum();
        (slots, parts.iter().map(|p| p / sum).collect())
    }

    /// The last `window` returns on the clock of every slot that has so many, and that moved; a bar
    /// that is missing in between is a return of 0.
    fn returns(
        &self,
        present: &[usize],
        bar: BarIndex,
        window: usize,
    ) -> (Vec<usize>, Vec<Vec<f64>>) {
        let bar = if self.input.later {
            bar.saturating_sub(1)
        } else {
            bar
        };
        let of_slot = |&slot: &usize| {
            let symbol = &self.input.symbols[slot];
            let (columns, id) = (symbol.signals.columns.as_ref()?, symbol.signals.measure?);
            let column = columns.number(id);
            let from = (bar + 1).checked_sub(window)?;
            let first = (0..=bar).find_map(|b| symbol.own_bar(b).map(|_| b))?;
            if first >= from {
                return None;
            }
            let value = |b: BarIndex| symbol.own_bar(b).map_or(0.0, |own| column[own]);
            let returns: Vec<f64> = (from..=bar).map(value).collect();
            let moves = returns.iter().any(|r| *r != returns[0]);
            (moves && returns.iter().all(|r| r.is_finite())).then_some((slot, returns))
        };
        present.iter().filter_map(of_slot).unzip()
    }
}
