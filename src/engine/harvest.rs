//! The close: losses that are sold for their tax, and the partner that stands in for what was sold.
//!
//! A lot that lost enough is sold at the next fill, and its pair is bought with the money. From then on
//! the partner stands in: what rules, ranks or weights wish for the one is held in the other, until a
//! loss of the partner is harvested the same way back. Nothing is swapped back while that would be a
//! wash sale. What the swaps were worth is left to the comparison with the run without them.

use crate::engine::decide::{Decider, Want};
use crate::engine::pending::Ask;
use crate::engine::select::Targets;
use crate::engine::simulate::Sim;
use crate::execution::cost::{fee, slipped};
use crate::execution::{Reason, Side};
use crate::market::date_of;
use crate::portfolio::{Lot, Realized, TaxBook, is_long_term};
use crate::rules::Mask;
use crate::strategy::{Harvest, Strategy};
use crate::units::BarIndex;
use chrono::{Days, NaiveDate};

/// Pairs, who stands in for whom, and when a pair was swapped last.
#[derive(Debug, Clone)]
pub(crate) struct Harvesting {
    rules: Harvest,
    /// Slots of each pair.
    pairs: Vec<(usize, usize)>,
    /// The newest sale of each pair that harvested a loss: what was sold, and when.
    swapped: Vec<Option<(usize, NaiveDate)>>,
    /// The slot that stands in for each slot.
    stands_in: Vec<Option<usize>>,
    /// Slots that stood in for the one that stands in for them now: what they have still is held for it.
    came_back: Vec<bool>,
    /// Sales of the tax book that were looked at.
    seen: usize,
}

/// Lots of a slot that lost enough.
struct Losers {
    shares: f64,
    /// Tax that their loss saves at the rates of their holding periods.
    saves: f64,
}

impl Harvesting {
    /// The harvest of a strategy that trades slots of these names, if it has one.
    pub(crate) fn of(strategy: &Strategy, names: &[&str]) -> Option<Harvesting> {
        let rules = strategy.tax.as_ref()?.harvest.clone()?;
        let slot = |name: &String| names.iter().position(|known| known == name);
        let pairs = rules.pairs.iter();
        let pairs: Vec<(usize, usize)> = pairs
            .filter_map(|(a, b)| Some((slot(a)?, slot(b)?)))
            .collect();
        Some(Harvesting {
            swapped: vec![None; pairs.len()],
            stands_in: vec![None; names.len()],
            came_back: vec![false; names.len()],
            pairs,
            rules,
            seen: 0,
        })
    }

    /// Notes the sales that harvested a loss since the last look; `slot_of` says which slot was sold.
    fn look_at(&mut self, realized: &[Realized], slot_of: impl Fn(&Realized) -> Option<usize>) {
        for sale in realized[self.seen..].iter().filter(|sale| sale.is_harvest) {
            let Some(slot) = slot_of(sale) else { continue };
            let is_of = |&(a, b): &(usize, usize)| slot == a || slot == b;
            if let Some(pair) = self.pairs.iter().position(is_of) {
                self.swapped[pair] = Some((slot, sale.sold));
            }
        }
        self.seen = realized.len();
    }

    /// Whether a pair rests on a day after its last swap.
    fn rests(&self, pair: usize, window_days: u32, day: NaiveDate) -> bool {
        let rest = window_days.max(self.rules.cooldown_days);
        let until = |swapped: NaiveDate| swapped + Days::new(u64::from(rest));
        self.swapped[pair].is_some_and(|(_, swapped)| day <= until(swapped))
    }

    /// Whether a slot was the last of its pair to be sold for its loss, and not longer ago than the
    /// window.
    fn was_sold(&self, slot: usize, window_days: u32, day: NaiveDate) -> bool {
        let window = Days::new(u64::from(window_days));
        let mut swapped = self.swapped.iter().flatten();
        swapped.any(|(sold, on)| *sold == slot && day <= *on + window)
    }
}

impl Sim<'_, '_> {
    /// The slot that stands in for a slot; `None` when it stands for itself.
    pub(crate) fn stand_in(&self, slot: usize) -> Option<usize> {
        let taxes = self.taxes.as_ref()?;
        taxes.harvesting.as_ref()?.stands_in[slot]
    }

    /// Whether a slot stands in for another.
    pub(crate) fn is_stand_in(&self, slot: usize) -> bool {
        let harvesting = self.taxes.as_ref().and_then(|t| t.harvesting.as_ref());
        harvesting.is_some_and(|h| h.stands_in.contains(&Some(slot)))
    }

    /// Value of what is held for a slot, `targets` being shares of equity by slot: a slot and the
    /// partner that stands in for it hold together, each in proportion to its target.
    pub(crate) fn value_for(&self, slot: usize, targets: &[f64]) -> f64 {
        let value = |s: usize| self.account.positions[s].shares * self.account.marks[s];
        let target = |s: usize| targets.get(s).copied().unwrap_or(0.0);
        let Some(other) = self.stand_in(slot).or_else(|| self.stands_for(slot)) else {
            return value(slot);
        };
        let both = target(slot) + target(other);
        if both == 0.0 {
            return value(slot);
        }
        (value(slot) + value(other)) * (target(slot) / both)
    }

    /// The slot that a slot stands in for.
    pub(crate) fn stands_for(&self, slot: usize) -> Option<usize> {
        let harvesting = self.taxes.as_ref()?.harvesting.as_ref()?;
        let stands_in = &harvesting.stands_in;
        stands_in.iter().position(|partner| *partner == Some(slot))
    }

    /// Lays the targets of a slot on the partner that stands in for it: the slot keeps what it holds
    /// as far as its target goes, the partner has the rest, so that nothing of the slot is bought. After
    /// a swap back what gained is kept as far as both targets go: to sell it would be a gain realised
    /// for a loss.
    pub(crate) fn with_stand_ins(&self, targets: &mut Targets) {
        let equity = self.account.equity();
        for slot in 0..targets.weights.len() {
            let Some(partner) = self.stand_in(slot) else {
                continue;
            };
            if !targets.trades[slot] && !targets.trades[partner] {
                continue;
            }
            let aim = |s: usize| match targets.trades[s] {
                true => targets.aims[s],
                false => self.value_for(s, &targets.weights) / equity,
            };
            let both = aim(slot) + aim(partner);
            let held = self.account.positions[slot].shares * self.account.marks[slot] / equity;
            let harvesting = self.taxes.as_ref().and_then(|t| t.harvesting.as_ref());
            let most = match harvesting.is_some_and(|h| h.came_back[slot]) {
                true => both,
                false => aim(slot),
            };
            let kept = held.clamp(0.0, most.max(0.0));
            let place = targets.order.iter().position(|s| *s == slot);
            targets.order.retain(|s| *s != slot && *s != partner);
            let mut at = place.unwrap_or(0).min(targets.order.len());
            for (s, share) in [(slot, kept), (partner, both - kept)] {
                (targets.weights[s], targets.aims[s]) = (share, share);
                targets.trades[s] = true;
                if share != 0.0 {
                    targets.order.insert(at, s);
                    at += 1;
                }
            }
        }
    }

    /// Wishes that harvest losses at this close. They come after what else was wished and stand back
    /// behind it where it sells; a purchase of what is harvested is dropped, it would be a wash sale.
    pub(crate) fn harvest(&mut self, bar: BarIndex, wants: &mut Vec<Want>) {
        self.drop_washing(bar, wants);
        let checks = self.input.harvest_checks;
        if !checks.is_empty() && !checks[bar] {
            return;
        }
        let pairs = self.taxes.as_ref().and_then(|t| t.harvesting.as_ref());
        let pairs = pairs.map_or_else(Vec::new, |h| h.pairs.clone());
        for (pair, &(a, b)) in pairs.iter().enumerate() {
            let swap = [(a, b), (b, a)].into_iter();
            let swap = swap
                .filter(|&(from, to)| self.may_swap(pair, (from, to), bar, wants))
                .find_map(|(from, to)| Some((from, to, self.losers(from, to, bar)?)));
            if let Some((from, to, losers)) = swap {
                self.swap((from, to), bar, &losers, wants);
            }
        }
    }

    /// Under rules each symbol stands for itself again on the way back: what was sold last is not
    /// bought while that would undo the harvest.
    fn drop_washing(&self, bar: BarIndex, wants: &mut Vec<Want>) {
        let harvesting = self
            .taxes
            .as_ref()
            .and_then(|t| Some((t, t.harvesting.as_ref()?)));
        let Some((taxes, harvesting)) = harvesting.filter(|_| self.is_ruled()) else {
            return;
        };
        let day = date_of(self.input.clock[bar]);
        let window = taxes.book.tax().wash_window_days;
        let is_bought = |want: &Want| want.opens && want.closes.is_none() && want.side == Side::Buy;
        wants.retain(|want| !is_bought(want) || !harvesting.was_sold(want.slot, window, day));
    }

    /// Before anything is decided at this close: a partner that is not held any more stops standing
    /// in once the loss is safe.
    pub(crate) fn end_stand_ins(&mut self, bar: BarIndex) {
        self.tell_taxes(bar);
        let day = date_of(self.input.clock[bar]);
        let Some(taxes) = &mut self.taxes else { return };
        let Some(mut harvesting) = taxes.harvesting.take() else {
            return;
        };
        harvesting.look_at(taxes.book.realized(), |sale| taxes.slot_of(sale));
        for (slot, stands_in) in harvesting.stands_in.iter_mut().enumerate() {
            let is_over = stands_in.is_some_and(|partner| {
                let waits = self.pending.iter().any(|p| p.slot == partner);
                let is_flat = self.account.positions[partner].is_flat();
                is_flat && !waits && !taxes.has_open_loss(slot, day)
            });
            if is_over {
                *stands_in = None;
            }
        }
        taxes.harvesting = Some(harvesting);
    }

    /// Whether positions are those of rules, each symbol's own.
    fn is_ruled(&self) -> bool {
        matches!(self.decider, Decider::Rules) && !self.selects()
    }

    /// Whether nothing stands against selling `from` and buying `to` at this close.
    fn may_swap(
        &self,
        pair: usize,
        (from, to): (usize, usize),
        bar: BarIndex,
        wants: &[Want],
    ) -> bool {
        let Some((taxes, harvesting)) = self
            .taxes
            .as_ref()
            .and_then(|t| Some((t, t.harvesting.as_ref()?)))
        else {
            return false;
        };
        let day = date_of(self.input.clock[bar]);
        let window = taxes.book.tax().wash_window_days;
        let positions = &self.account.positions;
        let has_bar = |slot: usize| self.input.symbols[slot].own_bar(bar).is_some();
        let is_busy = |slot: usize| self.pending.iter().any(|p| p.slot == slot);
        let is_sold = |slot: usize| {
            let mut wants = wants.iter().filter(|w| w.slot == slot);
            wants.any(|w| w.closes.is_some())
        };
        // Under rules a position is one rule's: the partner has to be free.
        let is_free = positions[to].shares >= 0.0 && (!self.is_ruled() || positions[to].is_flat());
        let is_wanted = self.is_ruled() && wants.iter().any(|w| w.slot == to);
        positions[from].shares > 0.0
            && is_free
            && !is_wanted
            && [from, to]
                .iter()
                .all(|&s| has_bar(s) && !is_busy(s) && !is_sold(s))
            && !harvesting.rests(pair, window, day)
            && !taxes.has_open_loss(to, day)
    }

    /// Lots of `from` that lost enough to be worth a swap.
    fn losers(&self, from: usize, to: usize, bar: BarIndex) -> Option<Losers> {
        let day = date_of(self.input.clock[bar]);
        let taxes = self.taxes.as_ref()?;
        let harvest = &taxes.harvesting.as_ref()?.rules;
        let (book, price) = (&taxes.book, self.account.marks[from]);
        let mut losers = Losers {
            shares: 0.0,
            saves: 0.0,
        };
        let gain = |lot: &Lot| lot.gain(price * lot.shares);
        let is_loser = |lot: &Lot| gain(lot) < 0.0 && -gain(lot) > harvest.loss_over * lot.basis;
        for lot in taxes.lots(from).iter().filter(|lot| is_loser(lot)) {
            losers.shares += lot.shares;
            losers.saves -= gain(lot) * rate(book, lot, day);
        }
        let washed = book.stays_replace(taxes.place(from), day, is_loser);
        let cost = self.cost_of_swap(losers.shares, price, self.close_of(to, bar));
        let is_worth_it = losers.saves - cost >= harvest.min_benefit;
        (losers.shares > 0.0 && !washed && is_worth_it).then_some(losers)
    }

    fn close_of(&self, slot: usize, bar: BarIndex) -> f64 {
        let symbol = &self.input.symbols[slot];
        let own = symbol.own_bar(bar);
        own.map_or(self.account.marks[slot], |own| symbol.bars.close[own])
    }

    /// Fees and slippage of selling shares and buying the partner with the money.
    fn cost_of_swap(&self, shares: f64, price: f64, price_of_partner: f64) -> f64 {
        let costs = &self.input.strategy.costs;
        let leg = |shares: f64, price: f64, side: Side| {
            fee(shares, price, costs) + shares * (slipped(price, side, costs) - price).abs()
        };
        let bought = shares * price / price_of_partner;
        leg(shares, price, Side::Sell) + leg(bought, price_of_partner, Side::Buy)
    }

    fn swap(
        &mut self,
        (from, to): (usize, usize),
        bar: BarIndex,
        losers: &Losers,
        wants: &mut Vec<Want>,
    ) {
        let is_ruled = self.is_ruled();
        wants.retain(|want| want.slot != from);
        let held = self.account.positions[from].shares;
        let shares = losers.shares.min(held);
        wants.push(Want {
            closes: Some(shares),
            ..self.closing(from, Reason::Harvest)
        });
        wants.push(Want {
            slot: to,
            side: Side::Buy,
            closes: None,
            opens: true,
            ask: Some(Ask::Money(shares * self.close_of(from, bar))),
            reason: Reason::Harvest,
            priority: f64::INFINITY,
        });
        let harvesting = self.taxes.as_mut().and_then(|t| t.harvesting.as_mut());
        if let Some(harvesting) = harvesting {
            // Under rules the way back is the way home: each symbol stands for itself again.
            let is_back = harvesting.stands_in[to] == Some(from);
            // Another lot may follow the same way back.
            let follows = harvesting.stands_in[from] == Some(to) && harvesting.came_back[from];
            harvesting.came_back[from] = is_back || follows;
            harvesting.stands_in[from] = Some(to).filter(|_| !(is_back && is_ruled));
            harvesting.stands_in[to] = None;
        }
    }

    /// What the rules of a slot wish while its partner stands in for it: its exit sells both, and
    /// what it enters meanwhile is the partner. Rules about the position read that of the partner.
    pub(crate) fn decide_through(
        &mut self,
        (slot, own): (usize, usize),
        partner: usize,
        bar: BarIndex,
        is_scheduled: bool,
        wants: &mut Vec<Want>,
    ) {
        let Some(partners) = self.input.symbols[partner].own_bar(bar) else {
            return;
        };
        let signals = &self.input.symbols[slot].signals;
        let yes = |mask: &Option<Mask>| mask.as_ref().is_some_and(|m| m.is_yes(own));
        let position = &self.account.positions[partner];
        let holds = !position.is_flat();
        let live = || {
            let held = self.held(partner, partners);
            let exit = signals.exit_live;
            exit.is_some_and(|id| self.input.holds(slot, id, own, &held))
        };
        let leaves = is_scheduled && (yes(&signals.exit) || holds && live());
        let most = self.input.strategy.rules.hold_bars_max;
        let is_over = |most: u32| holds && partners as u32 - position.entry_own >= most;
        let reason = match (leaves, most.is_some_and(is_over)) {
            (true, _) => Some(Reason::Signal),
            (false, true) => Some(Reason::Time),
            (false, false) => None,
        };
        let are_flat = !holds && self.account.positions[slot].is_flat();
        let may_enter = are_flat || self.input.strategy.size.pyramid;
        if let Some(reason) = reason {
            for slot in [slot, partner] {
                if !self.account.positions[slot].is_flat() && !self.waits(slot, true) {
                    wants.push(self.closing(slot, reason));
                }
            }
        } else if is_scheduled && yes(&signals.enter) && may_enter && !self.waits(partner, false) {
            wants.push(Want {
                slot: partner,
                ..self.opening(slot, own, Side::Buy, None)
            });
        }
    }
}

/// The rate at which a lot's loss counts.
fn rate(book: &TaxBook, lot: &Lot, day: NaiveDate) -> f64 {
    let tax = book.tax();
    match is_long_term(lot, day, tax.long_after_years) {
        true => tax.long_rate,
        false => tax.short_rate,
    }
}
