//! The close under `[rank]` and `[weights]`: which share of equity each symbol is to have, and the
//! orders that lead there.
//!
//! A selection sees the account at its close and columns at its bar. `rank.rs` chooses names,
//! `weights.rs` computes shares; here it is decided when that happens, and the difference between
//! what is held and what is wanted becomes wishes, which the loop places and fills like any other:
//! sales first, purchases in their order, the last cut by cash.

mod explain;
mod rank;
mod schedule;
mod spots;
mod weights;

pub(crate) use explain::because;
pub(crate) use schedule::decisions;
pub(crate) use spots::Spots;

use crate::engine::decide::{Decider, Want};
use crate::engine::pending::Ask;
use crate::engine::simulate::Sim;
use crate::execution::cost::whole_lots;
use crate::execution::{OrderType, Outcome, Reason, Side};
use crate::rules::{ExprId, Held};
use crate::units::BarIndex;

/// Differences below this share of equity are rounding.
const ROUNDING: f64 = 1e-12;

/// What a selection left behind for the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// The first decision was made.
    pub(crate) started: bool,
    /// Share of equity that each slot is to have, as of the last decision.
    pub(crate) targets: Vec<f64>,
    /// Slots that were to be bought at some time.
    pub(crate) bought: Vec<bool>,
    /// A weight left its band at the close before; kept where decisions come one bar later.
    pub(crate) drifted: bool,
}

/// Shares of equity by slot, and the order in which they are bought.
#[derive(Debug, Clone, Default)]
pub(crate) struct Targets {
    /// By slot; negative for shorts.
    pub(crate) weights: Vec<f64>,
    /// By slot, where trading leads to: the weight, or an edge of its band.
    pub(crate) aims: Vec<f64>,
    /// Slots with a weight, the first to be bought first.
    pub(crate) order: Vec<usize>,
    /// Slots that are traded; the others are left as they are.
    pub(crate) trades: Vec<bool>,
}

impl Targets {
    pub(crate) fn none(slots: usize) -> Self {
        Targets {
            weights: vec![0.0; slots],
            aims: vec![0.0; slots],
            order: Vec::new(),
            trades: vec![true; slots],
        }
    }

    pub(crate) fn set(&mut self, slot: usize, weight: f64) {
        self.weights[slot] = weight;
        self.aims[slot] = weight;
        self.order.push(slot);
    }
}

impl Sim<'_, '_> {
    /// Whether `[rank]` or `[weights]` decides.
    pub(crate) fn selects(&self) -> bool {
        matches!(self.decider, Decider::Rules) && self.input.strategy.portfolio_table().is_some()
    }

    /// Share of equity that each slot is to have, as of the last decision; empty before the first.
    pub(crate) fn current_targets(&self) -> &[f64] {
        &self.selection.targets
    }

    /// Decides at the close of `bar`.
    pub(crate) fn decide_selection(&mut self, bar: BarIndex, wants: &mut Vec<Want>) {
        let strategy = self.input.strategy;
        let targets = match (&strategy.rank, &strategy.weights) {
            (Some(rank), _) => self.rank_targets(bar, rank),
            (_, Some(weights)) => self.weight_targets(bar, weights),
            (None, None) => None,
        };
        let called = wants.len();
        let decided = targets.is_some();
        if let Some(mut targets) = targets {
            self.cancel_earlier();
            // What is meant is remembered, not who stands in for it.
            let meant = self.taxes.is_some().then(|| targets.weights.clone());
            if meant.is_some() {
                self.tell_taxes(bar);
                self.with_stand_ins(&mut targets);
            }
            self.lead_to(&targets, bar, wants);
            targets.weights = meant.unwrap_or(targets.weights);
            let bought = &mut self.selection.bought;
            bought.resize(targets.weights.len(), false);
            for (bought, weight) in bought.iter_mut().zip(&targets.weights) {
                *bought |= *weight != 0.0;
            }
            self.selection.targets = targets.weights;
            self.selection.started = true;
        }
        if !decided && self.input.is_dated() {
            self.sell_leavers(bar, wants);
        }
        // A margin call comes first and stands alone.
        if called > 0 {
            let forced: Vec<usize> = wants[..called].iter().map(|want| want.slot).collect();
            let mut at = 0;
            wants.retain(|want| {
                at += 1;
                at <= called || !forced.contains(&want.slot)
            });
        }
    }

    /// A bar at or after `bar`, before which nothing is decided.
    pub(crate) fn next_selection(&self, bar: BarIndex) -> BarIndex {
        let weights = self.input.strategy.weights.as_ref();
        let watches = weights.is_some_and(|w| w.watches_drift() || !self.all_bought());
        let watches = watches || self.input.is_dated();
        if let Some(spots) = self
            .input
            .spots
            .as_ref()
            .filter(|_| !self.selection.started)
        {
            return bar.max(spots.first);
        }
        if watches || !self.selection.started {
            return bar;
        }
        let decides = self.input.decides.get(bar..).unwrap_or_default();
        let next = decides.iter().position(|d| *d);
        next.map_or(self.input.end, |next| bar + next)
    }

    /// Between decisions, what left the universe is sold.
    fn sell_leavers(&mut self, bar: BarIndex, wants: &mut Vec<Want>) {
        for k in 0..self.account.held.len() {
            let slot = self.account.held[k];
            let left = !self.input.is_member(slot, bar) && self.input.refuge != Some(slot);
            if left && !self.waits(slot, true) {
                wants.push(self.closing(slot, Reason::Signal));
                if let Some(target) = self.selection.targets.get_mut(slot) {
                    *target = 0.0;
                }
            }
        }
    }

    /// Orders of an earlier decision that wait still are withdrawn: this one knows better.
    fn cancel_earlier(&mut self) {
        for k in 0..self.pending.len() {
            let p = self.pending[k];
            if p.reason == Reason::Signal && p.kind == OrderType::Market {
                let outcome = self.unfilled(k, Outcome::Cancelled);
                self.end_order(k, outcome, Reason::NewTarget);
            }
        }
        self.sweep_pending();
    }

    /// Wishes that turn what is held into the targets.
    fn lead_to(&self, targets: &Targets, bar: BarIndex, wants: &mut Vec<Want>) {
        let equity = self.account.equity();
        let leavers = self.account.held.iter().copied();
        for slot in leavers.filter(|&slot| targets.trades[slot] && targets.weights[slot] == 0.0) {
            if !self.waits(slot, true) {
                wants.push(self.closing(slot, Reason::Signal));
            }
        }
        for (place, &slot) in targets.order.iter().enumerate() {
            if !targets.trades[slot] || self.waits(slot, true) {
                continue;
            }
            let want = self.adjusting(slot, bar, targets.aims[slot] * equity, equity);
            wants.extend(want.map(|want| Want {
                priority: -(place as f64),
                ..want
            }));
        }
    }

    /// The wish that brings a slot's value to `money`; `None` when it is there, or nearly.
    fn adjusting(&self, slot: usize, bar: BarIndex, money: f64, equity: f64) -> Option<Want> {
        let strategy = self.input.strategy;
        let shares = self.account.positions[slot].shares;
        let price = match self.input.close(slot, bar) {
            Some((_, close)) => close,
            None if shares != 0.0 => self.account.marks[slot],
            None => return None,
        };
        let gap = money - shares * price;
        let least = strategy.weights.as_ref().map_or(0.0, |w| w.min_trade);
        let least = least
            .max(strategy.size.min_order)
            .max(ROUNDING * equity.abs());
        if gap.abs() <= ROUNDING * equity.abs() || gap.abs() < least {
            return None;
        }
        let side = if gap > 0.0 { Side::Buy } else { Side::Sell };
        let want = Want {
            slot,
            side,
            closes: None,
            opens: true,
            ask: None,
            reason: Reason::Signal,
            priority: 0.0,
        };
        if shares * money < 0.0 {
            return Some(Want {
                closes: Some(shares.abs()),
                ask: Some(Ask::Money(money.abs())),
                ..want
            });
        }
        if money.abs() >= (shares * price).abs() {
            return Some(Want {
                ask: Some(Ask::Money(gap.abs())),
                ..want
            });
        }
        let part = whole_lots(gap.abs() / price, strategy.size.lot).min(shares.abs());
        let is_taxed = strategy.weights.as_ref().is_some_and(|w| w.tax_aware);
        let shares_of_equity = (shares * price / equity, money / equity);
        if is_taxed && !self.is_worth_its_tax((slot, part, price), shares_of_equity, bar) {
            return None;
        }
        (part > 0.0).then_some(Want {
            closes: Some(part),
            opens: false,
            ..want
        })
    }

    /// The symbol's own bar whose columns a decision at `bar` reads.
    pub(crate) fn read_bar(&self, slot: usize, bar: BarIndex) -> Option<usize> {
        let own = self.input.symbols[slot].own_bar(bar)?;
        match self.input.later {
            true => own.checked_sub(1),
            false => Some(own),
        }
    }

    /// A number of the selector for a slot at a close; `None` when it has none there.
    pub(crate) fn read(&self, slot: usize, id: Option<ExprId>, bar: BarIndex) -> Option<f64> {
        let own = self.read_bar(slot, bar)?;
        self.input.number(slot, id?, own, &Held::default())
    }

    /// A condition of the selector for a slot at a close; what is not asked holds.
    pub(crate) fn meets(&self, slot: usize, id: Option<ExprId>, bar: BarIndex) -> bool {
        let Some(id) = id else { return true };
        self.read_bar(slot, bar)
            .is_some_and(|own| self.input.holds(slot, id, own, &Held::default()))
    }
}
