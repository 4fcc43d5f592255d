//! Pro-rata units: the strategy as a published index holds it, every cent in the same mix.
//!
//! A buy-write of Cboe's kind is V_t = V_{t-1} (S_t + D_t - C_t) / (S_{t-1} - C_{t-1}): dividends and
//! premiums buy more of shares and calls together, so that the account is always the same number of
//! covered shares. A put-write holds N = V / (K exp(-rT) - P) puts between two rolls, and all of its
//! money earns the rate. Settled and written anew at the close of the expiration day.

use crate::engine::options::choose::{Chosen, Limits};
use crate::engine::options::input::Desk;
use crate::engine::options::{NotDone, quote::Moment};
use crate::engine::simulate::Sim;
use crate::execution::{Reason, Side};
use crate::instrument::Right;
use crate::portfolio::{Booking, OptionFill, Protection};
use crate::strategy::Structure;
use crate::units::BarIndex;

impl<'a> Sim<'a, '_> {
    /// Brings every slot to its mix at this close.
    pub(super) fn hold_units(&mut self, desk: &'a Desk, bar: BarIndex) {
        let slots = self.input.symbols.len();
        for slot in 0..slots {
            if self.input.symbols[slot].own_bar(bar).is_none() {
                continue;
            }
            let structure = desk.terms.structure;
            if structure == Structure::CashSecuredPut {
                self.put_units(desk, bar, slot, slots);
            } else {
                self.share_units(desk, bar, slot, slots);
            }
        }
        self.reserve(bar);
        self.end_campaigns(bar);
    }

    /// Options of a slot on one side, by place in the book.
    fn of_side(&self, slot: usize, right: Right) -> Option<usize> {
        let contracts = &self.account.options.contracts;
        let is = |o: &crate::portfolio::OpenOption| {
            o.slot == slot && contracts[o.contract].right == right
        };
        self.account.options.open.iter().position(is)
    }

    fn chosen(
        &mut self,
        desk: &'a Desk,
        at: &Moment,
        place: (usize, Right),
        is_bought: bool,
    ) -> Option<Chosen> {
        let leg = self.leg(desk, place.1)?;
        let limits = Limits {
            is_bought,
            ..Limits::FREE
        };
        match desk.choose(at, place, leg, &limits) {
            Ok(chosen) => Some(chosen),
            Err(why) => {
                self.not_done(at.bar, place, false, why);
                None
            }
        }
    }

    /// Puts against cash: as many as their present strikes less what they bring in allow.
    fn put_units(&mut self, desk: &'a Desk, bar: BarIndex, slot: usize, slots: usize) {
        if self.of_side(slot, Right::Put).is_some() {
            return;
        }
        let at = self.moment(slot, bar);
        let Some(chosen) = self.chosen(desk, &at, (slot, Right::Put), false) else {
            return;
        };
        let years = desk.years(bar, chosen.listed.expiration);
        let premium = chosen.quote.sold_at(desk.terms.fill.give_up);
        let kept = chosen.listed.strike * libm::exp(-desk.rate[bar] * years) - premium;
        let value = self.account.equity() / slots as f64;
        if kept <= 0.0 || value <= 0.0 {
            self.not_done(bar, (slot, Right::Put), false, NotDone::Cash);
            return;
        }
        let count = value / kept / desk.terms.contract.multiplier;
        let campaign = self.campaign(bar, slot);
        self.trade_new(bar, &chosen, -count, campaign, false, None);
    }

    /// Shares with what is written and held on them, one of each a unit.
    fn share_units(&mut self, desk: &'a Desk, bar: BarIndex, slot: usize, slots: usize) {
        let structure = desk.terms.structure;
        let at = self.moment(slot, bar);
        let mut fresh: Vec<(Chosen, f64)> = Vec::new();
        let writes = matches!(structure, Structure::CoveredCall | Structure::Collar);
        if writes && self.of_side(slot, Right::Call).is_none() {
            fresh.extend(
                self.chosen(desk, &at, (slot, Right::Call), false)
                    .map(|c| (c, -1.0)),
            );
        }
        if structure.buys_puts() {
            self.cross_roll(desk, bar, slot, &fresh);
            if self.of_side(slot, Right::Put).is_none() {
                fresh.extend(
                    self.chosen(desk, &at, (slot, Right::Put), true)
                        .map(|c| (c, 1.0)),
                );
            }
        }
        let cover = desk.terms.call.as_ref().map_or(1.0, |leg| leg.cover);
        let give_up = desk.terms.fill.give_up;
        let mut unit = at.spot;
        for (chosen, sign) in &fresh {
            let price = match *sign < 0.0 {
                true => chosen.quote.sold_at(give_up),
                false => chosen.quote.bought_at(give_up),
            };
            unit += sign * self.share_of(*sign, cover) * price;
        }
        for option in self.account.options.open.iter().filter(|o| o.slot == slot) {
            let sign = option.count.signum();
            unit += sign * self.share_of(sign, cover) * option.mark;
        }
        let value = self.account.equity() / slots as f64;
        if unit <= 0.0 || value <= 0.0 {
            return;
        }
        let units = value / unit;
        self.trade_shares(bar, slot, units);
        self.trade_open(desk, bar, slot, units, cover);
        for (chosen, sign) in fresh {
            let campaign = self.campaign(bar, slot);
            let count = sign * units * self.share_of(sign, cover) / desk.terms.contract.multiplier;
            self.trade_new(bar, &chosen, count, campaign, sign > 0.0, None);
        }
    }

    /// Share of the holding that an option stands against.
    fn share_of(&self, sign: f64, cover: f64) -> f64 {
        if sign < 0.0 { cover } else { 1.0 }
    }

    /// When a new call lies below the strike of the put that is held, the put is replaced.
    fn cross_roll(&mut self, desk: &'a Desk, bar: BarIndex, slot: usize, fresh: &[(Chosen, f64)]) {
        let Some(put) = self.of_side(slot, Right::Put) else {
            return;
        };
        let strike = self.account.options.open[put].strike;
        let crosses = |(chosen, sign): &(Chosen, f64)| *sign < 0.0 && chosen.listed.strike < strike;
        if fresh.iter().any(crosses) {
            self.close_at(bar, put, Reason::Rolled, None);
        }
        debug_assert!(desk.terms.index_units);
    }

    /// Shares to a number, at the close and without cost.
    fn trade_shares(&mut self, bar: BarIndex, slot: usize, units: f64) {
        const LEAST: f64 = 1e-12;
        let held = self.account.positions[slot].shares;
        let change = units - held;
        if change.abs() <= LEAST * units {
            return;
        }
        let price = self.account.marks[slot];
        let booking = Booking {
            bar,
            own: self.input.symbols[slot].own_bar(bar).unwrap_or(0) as u32,
            slot,
            side: if change > 0.0 { Side::Buy } else { Side::Sell },
            shares: change.abs(),
            reference: price,
            price,
            value: change.abs() * price,
            fee: 0.0,
            reason: Reason::Signal,
            ambiguous: false,
            protection: Protection::default(),
            live_from: bar + 1,
        };
        self.account.fill(&booking, self.input.session(bar));
    }

    /// Open options to the same number, at their marks.
    fn trade_open(&mut self, desk: &Desk, bar: BarIndex, slot: usize, units: f64, cover: f64) {
        for at in 0..self.account.options.open.len() {
            let option = &self.account.options.open[at];
            if option.slot != slot {
                continue;
            }
            let sign = option.count.signum();
            let wanted = sign * units * self.share_of(sign, cover) / desk.terms.contract.multiplier;
            let fill = OptionFill {
                bar,
                own: self.input.symbols[slot].own_bar(bar).unwrap_or(0) as u32,
                price: option.mark,
                mid: option.mark,
                fee: 0.0,
                reason: Reason::Signal,
            };
            self.account.resize_option(at, wanted, &fill);
        }
    }
}
