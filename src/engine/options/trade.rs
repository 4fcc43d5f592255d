//! Carrying a wish out on the day's quotes: sales, purchases, rolls, with their fees and cover.

use crate::engine::flows::Earned;
use crate::engine::options::choose::{Chosen, Limits};
use crate::engine::options::input::Desk;
use crate::engine::options::quote::{Listed, Moment};
use crate::engine::options::{NotDone, NotDoneAt};
use crate::engine::simulate::Sim;
use crate::execution::{OrderType, Outcome, Reason, Side};
use crate::instrument::{OptionContract, Right, strike_milli};
use crate::portfolio::{Campaign, ClosedPart, MarkedBy, OpenOption, OptionFill, SaleDay};
use crate::strategy::{Leg, RollTo, StrikeFloor, Structure, Unable};
use crate::units::BarIndex;

/// A quotient this close below a whole number of contracts is that number.
const WHOLE: f64 = 1e-9;

impl Desk {
    /// What a listed contract is.
    fn contract(&self, listed: &Listed) -> OptionContract {
        let symbol = self.underlyings[listed.slot].name.clone();
        OptionContract {
            underlying: symbol.clone(),
            root: symbol,
            expiration: listed.expiration,
            right: listed.right,
            strike: strike_milli(listed.strike).unwrap_or(0),
            convention: self.underlyings[listed.slot].convention,
            multiplier: self.terms.contract.multiplier as u32,
        }
    }
}

impl<'a> Sim<'a, '_> {
    /// The desk of a run with options.
    pub(crate) fn desk(&self) -> Option<&'a Desk> {
        let input = self.input;
        input.desk.as_deref()
    }

    pub(super) fn moment(&self, slot: usize, bar: BarIndex) -> Moment {
        Moment {
            bar,
            now: self.input.clock[bar],
            spot: self.account.marks[slot],
        }
    }

    pub(super) fn listed(&self, desk: &Desk, at: usize) -> Listed {
        let option = &self.account.options.open[at];
        let contract = &self.account.options.contracts[option.contract];
        debug_assert!(option.slot < desk.underlyings.len());
        Listed {
            slot: option.slot,
            right: contract.right,
            strike: option.strike,
            expiration: contract.expiration,
        }
    }

    /// The leg of a side; every structure with that side has one.
    pub(super) fn leg(&self, desk: &'a Desk, right: Right) -> Option<&'a Leg> {
        match right {
            Right::Call => desk.terms.call.as_ref(),
            Right::Put => desk.terms.put.as_ref(),
        }
    }

    pub(super) fn not_done(
        &mut self,
        bar: BarIndex,
        (slot, right): (usize, Right),
        roll: bool,
        why: NotDone,
    ) {
        let symbol = self.input.symbols[slot].tape;
        self.options.record.not_done.push(NotDoneAt {
            bar,
            symbol,
            right,
            roll,
            why,
        });
    }

    /// Fee of a fill of so many contracts.
    pub(super) fn contract_fee(&self, contracts: f64) -> f64 {
        self.input.strategy.costs.per_contract * contracts.abs()
    }

    /// Shares of a slot that stand behind calls written on them.
    pub(crate) fn locked_shares(&self, slot: usize) -> f64 {
        if self.account.options.open.is_empty() {
            return 0.0;
        }
        let options = self.account.options.open.iter();
        let calls = options.filter(|o| o.slot == slot && o.is_short());
        let covered = calls.filter(|o| {
            self.account.options.contracts[o.contract].right == Right::Call && !self.in_spread()
        });
        covered.map(OpenOption::shares).sum()
    }

    /// Calls are written on some of so many shares.
    pub(crate) fn is_locked(&self, slot: usize, shares: f64) -> bool {
        const ROUNDING: f64 = 1e-9;
        let locked = self.locked_shares(slot);
        let free = self.account.positions[slot].shares - locked;
        locked > 0.0 && shares > free + ROUNDING * shares
    }

    /// Everything is traded back at the last close.
    pub(crate) fn close_options(&mut self, bar: BarIndex) {
        let mut at = 0;
        while at < self.account.options.open.len() {
            if !self.close_at(bar, at, Reason::End, None) {
                at += 1;
            }
        }
    }

    /// Written options have others beside them that limit what they may lose.
    pub(super) fn in_spread(&self) -> bool {
        self.desk().is_some_and(|d| d.terms.structure.is_spread())
    }

    /// What the cash is kept for, from scratch: strikes of puts, widths of spreads less what they
    /// brought in.
    pub(super) fn reserve(&mut self, bar: BarIndex) {
        let Some(desk) = self.desk() else { return };
        let mut sum = 0.0;
        for at in 0..self.account.options.open.len() {
            let option = &self.account.options.open[at];
            if option.is_short() {
                let listed = self.listed(desk, at);
                sum += option.shares() * self.collateral(desk, bar, &listed, option.entry_price);
            }
        }
        self.account.reserved = sum;
    }

    /// Cash a share that a written option keeps.
    pub(super) fn collateral(
        &self,
        desk: &Desk,
        bar: BarIndex,
        listed: &Listed,
        premium: f64,
    ) -> f64 {
        if let (true, Some(width)) = (desk.terms.structure.is_spread(), desk.terms.width) {
            return width;
        }
        match listed.right {
            Right::Call => 0.0,
            Right::Put if desk.terms.discounted_net => {
                let years = desk.years(bar, listed.expiration).max(0.0);
                listed.strike * libm::exp(-desk.rate[bar] * years) - premium
            }
            Right::Put => listed.strike,
        }
    }

    /// A new option of a leg on this close's quotes: `true` when something was traded.
    pub(super) fn open_leg(
        &mut self,
        bar: BarIndex,
        (slot, right): (usize, Right),
        order: Option<usize>,
    ) -> bool {
        let done = self.try_open(bar, (slot, right), order);
        match done {
            Ok(()) => true,
            Err(why) => {
                self.not_done(bar, (slot, right), false, why);
                if let Some(order) = order {
                    self.orders[order].outcome = Outcome::Rejected;
                    self.orders[order].reason = match why {
                        NotDone::Cash | NotDone::Shares => Reason::Cash,
                        NotDone::NoExpiration | NotDone::NoStrike => Reason::NoContract,
                        _ => Reason::NoQuote,
                    };
                }
                false
            }
        }
    }

    fn try_open(
        &mut self,
        bar: BarIndex,
        (slot, right): (usize, Right),
        order: Option<usize>,
    ) -> Result<(), NotDone> {
        let desk = self.desk().ok_or(NotDone::NoQuote)?;
        let leg = self.leg(desk, right).ok_or(NotDone::NoQuote)?;
        let is_bought = right == Right::Put && desk.terms.structure.buys_puts();
        let at = self.moment(slot, bar);
        let limits = Limits {
            strikes: (self.floor(slot, right, leg), f64::INFINITY),
            is_bought,
        };
        let chosen = desk.choose(&at, (slot, right), leg, &limits)?;
        let wing = self.wing(desk, &at, leg, &chosen)?;
        let count = self.contracts(desk, bar, (slot, right), leg, &chosen, wing.as_ref())?;
        let campaign = self.campaign(bar, slot);
        let signed = if is_bought { count } else { -count };
        self.trade_new(bar, &chosen, signed, campaign, false, order);
        if let Some(wing) = wing {
            self.trade_new(bar, &wing, count, campaign, true, None);
        }
        self.options.slots[slot].last_sale[right as usize] = Some(bar);
        self.reserve(bar);
        Ok(())
    }

    /// Lowest strike that the leg's floor allows.
    fn floor(&self, slot: usize, right: Right, leg: &Leg) -> f64 {
        let state = &self.options.slots[slot];
        let position = &self.account.positions[slot];
        if right == Right::Put || position.is_flat() {
            return 0.0;
        }
        let basis = state.assigned_at.unwrap_or(position.entry_price);
        match leg.floor {
            None => 0.0,
            Some(StrikeFloor::Basis) => basis,
            Some(StrikeFloor::NetBasis) => basis - state.premium_since,
        }
    }

    /// The option further out that stands beside a written one in a spread.
    fn wing(
        &self,
        desk: &Desk,
        at: &Moment,
        leg: &Leg,
        chosen: &Chosen,
    ) -> Result<Option<Chosen>, NotDone> {
        let (true, Some(width)) = (desk.terms.structure.is_spread(), desk.terms.width) else {
            return Ok(None);
        };
        let strike = chosen.listed.strike + chosen.listed.right.sign() * width;
        if strike <= 0.0 {
            return Err(NotDone::NoStrike);
        }
        let listed = Listed {
            strike,
            ..chosen.listed
        };
        desk.passes(at, leg, &listed, true).map(Some)
    }

    /// How many contracts shares or cash allow.
    fn contracts(
        &self,
        desk: &Desk,
        bar: BarIndex,
        (slot, right): (usize, Right),
        leg: &Leg,
        chosen: &Chosen,
        wing: Option<&Chosen>,
    ) -> Result<f64, NotDone> {
        let multiplier = desk.terms.contract.multiplier;
        let on_shares =
            wing.is_none() && (right == Right::Call || desk.terms.structure.buys_puts());
        let wanted = if on_shares {
            self.uncovered(desk, (slot, right), leg) / multiplier
        } else {
            let give_up = desk.terms.fill.give_up;
            let premium = chosen.quote.sold_at(give_up);
            let paid = wing.map_or(0.0, |w| w.quote.bought_at(give_up));
            let kept = self.collateral(desk, bar, &chosen.listed, premium) + paid;
            let per_contract = kept * multiplier + 2.0 * self.contract_fee(1.0);
            self.free_money(desk, slot, leg) / per_contract
        };
        let short = if on_shares {
            NotDone::Shares
        } else {
            NotDone::Cash
        };
        let part = self.tranche(desk, wanted);
        let count = if leg.fractional {
            part
        } else {
            (part + WHOLE).floor()
        };
        let least = if leg.fractional { 1e-9 } else { 1.0 };
        if count.is_nan() || count < least {
            return Err(short);
        }
        if right == Right::Put && desk.terms.structure.buys_puts() {
            let price = chosen.quote.bought_at(desk.terms.fill.give_up);
            let cost = count * multiplier * price + self.contract_fee(count);
            if cost > self.account.settled_cash() - self.account.reserved {
                return self
                    .affordable_puts(price, multiplier, leg)
                    .ok_or(NotDone::Cash);
            }
        }
        Ok(count)
    }

    /// As many puts as the cash can buy; shares are not sold for them.
    fn affordable_puts(&self, price: f64, multiplier: f64, leg: &Leg) -> Option<f64> {
        let free = self.account.settled_cash() - self.account.reserved;
        let count = free / (price * multiplier + self.contract_fee(1.0));
        let count = if leg.fractional {
            count
        } else {
            (count + WHOLE).floor()
        };
        (count > 0.0).then_some(count)
    }

    /// One of several parts, at least one contract as long as one is left.
    fn tranche(&self, desk: &Desk, left: f64) -> f64 {
        let tranches = f64::from(desk.terms.tranches);
        if tranches <= 1.0 {
            return left;
        }
        let open = self.account.options.open.iter();
        let written: f64 = open.filter(|o| o.is_short()).map(|o| o.count.abs()).sum();
        let part = (left + written) / tranches;
        part.max(1.0_f64.min(left)).min(left)
    }

    /// Shares of the holding that may be written on, or bought puts for, and are not yet.
    pub(super) fn uncovered(&self, desk: &Desk, (slot, right): (usize, Right), leg: &Leg) -> f64 {
        let leaving: f64 = self
            .pending
            .iter()
            .filter(|p| p.slot == slot && p.opens.is_none())
            .filter_map(|p| p.closes)
            .sum();
        let shares = (self.account.positions[slot].shares - leaving).max(0.0);
        let options = self.account.options.open.iter();
        let same = options.filter(|o| {
            o.slot == slot && self.account.options.contracts[o.contract].right == right
        });
        debug_assert!(!desk.terms.structure.is_spread() || right == Right::Call);
        shares * leg.cover - same.map(OpenOption::shares).sum::<f64>()
    }

    /// Cash that may stand behind new options of a slot: its part of the equity, less what is held
    /// there, and not more than what is free.
    pub(super) fn free_money(&self, desk: &Desk, slot: usize, leg: &Leg) -> f64 {
        let slots = self.slots().max(1.0);
        let budget = self.account.equity() / slots * leg.cover;
        let position = &self.account.positions[slot];
        let mut used = position.shares.max(0.0) * self.account.marks[slot];
        for at in 0..self.account.options.open.len() {
            let option = &self.account.options.open[at];
            if option.slot == slot && option.is_short() {
                let listed = self.listed(desk, at);
                let premium = option.entry_price;
                used += option.shares() * self.collateral(desk, option.entry_bar, &listed, premium);
            }
        }
        let both = desk.terms.structure == Structure::IronCondor;
        // The two sides of a condor share one half of the budget each.
        let budget = if both { 0.5 * budget } else { budget };
        let used = if both {
            used - self.other_side(desk, slot)
        } else {
            used
        };
        let free = self.account.settled_cash() - self.account.reserved - self.purse.owed();
        (budget - used).min(free * leg.cover)
    }

    /// Collateral of the sides of a condor that are open is counted once a side.
    fn other_side(&self, desk: &Desk, slot: usize) -> f64 {
        let width = desk.terms.width.unwrap_or(0.0);
        let open = self.account.options.open.iter();
        let shorts = open.filter(|o| o.slot == slot && o.is_short());
        shorts.map(|o| o.shares() * width).sum()
    }

    /// The campaign of a slot, begun when none goes on.
    pub(super) fn campaign(&mut self, bar: BarIndex, slot: usize) -> usize {
        if let Some(campaign) = self.options.slots[slot].campaign {
            return campaign;
        }
        let campaigns = &mut self.account.options.campaigns;
        campaigns.push(Campaign {
            symbol: self.input.symbols[slot].tape,
            bars: (bar, bar),
            credits: 0.0,
            debits: 0.0,
            given_up: 0.0,
            fees: 0.0,
            rolls: 0,
            assignments: 0,
            open: true,
        });
        let number = campaigns.len() - 1;
        self.options.slots[slot].campaign = Some(number);
        number
    }

    /// A campaign ends when no option of the slot is left, and in a wheel no share either.
    pub(super) fn end_campaigns(&mut self, bar: BarIndex) {
        let Some(desk) = self.desk() else { return };
        for slot in 0..self.options.slots.len() {
            let Some(campaign) = self.options.slots[slot].campaign else {
                continue;
            };
            let has_options = self.account.options.open.iter().any(|o| o.slot == slot);
            let has_shares = !self.account.positions[slot].is_flat();
            let goes_on = desk.terms.structure == Structure::Wheel && has_shares;
            self.account.options.campaigns[campaign].bars.1 = bar;
            if !has_options && !goes_on {
                self.account.options.campaigns[campaign].open = false;
                self.options.slots[slot].campaign = None;
                if !has_shares {
                    self.options.slots[slot].assigned_at = None;
                    self.options.slots[slot].premium_since = 0.0;
                }
            }
        }
    }

    /// Books a new option: `signed` contracts, negative when written.
    pub(super) fn trade_new(
        &mut self,
        bar: BarIndex,
        chosen: &Chosen,
        signed: f64,
        campaign: usize,
        is_wing: bool,
        order: Option<usize>,
    ) {
        let Some(desk) = self.desk() else { return };
        let slot = chosen.listed.slot;
        let give_up = desk.terms.fill.give_up;
        let price = match signed < 0.0 {
            true => chosen.quote.sold_at(give_up),
            false => chosen.quote.bought_at(give_up),
        };
        let contract = self.account.options.contract(desk.contract(&chosen.listed));
        let own = self.input.symbols[slot].own_bar(bar).unwrap_or(0) as u32;
        let fee = self.contract_fee(signed);
        let fill = OptionFill {
            bar,
            own,
            price,
            mid: chosen.quote.mid(),
            fee,
            reason: Reason::Signal,
        };
        let sale = SaleDay {
            premium: price,
            strike: chosen.listed.strike,
            spot: self.account.marks[slot],
            days: desk.days(bar, chosen.listed.expiration) as f64,
            delta: chosen.quote.delta,
            volatility: chosen.quote.volatility,
            basis: self.account.positions[slot].entry_price,
        };
        let option = OpenOption {
            contract,
            slot,
            count: signed,
            closed: ClosedPart::default(),
            strike: chosen.listed.strike,
            multiplier: desk.terms.contract.multiplier,
            entry_price: price,
            entry_fee: fee,
            entry_bar: bar,
            entry_own: own,
            number: 0,
            campaign,
            mark: chosen.quote.mid(),
            marked_by: MarkedBy::Model,
            last_volatility: chosen.quote.volatility,
            worst: 0.0,
            sale,
            is_wing,
        };
        self.account.open_option(option, &fill);
        let premium = -signed * desk.terms.contract.multiplier * price - fee;
        self.note_basis(slot, premium);
        self.purse.earn(Earned::Premium, premium);
        let side = if signed < 0.0 { Side::Sell } else { Side::Buy };
        self.option_order(
            bar,
            slot,
            (side, signed.abs(), price),
            contract,
            order,
            Reason::Signal,
        );
    }

    /// Premiums lower what the shares of a wheel cost, a share.
    fn note_basis(&mut self, slot: usize, premium: f64) {
        let shares = self.account.positions[slot].shares;
        if shares > 0.0 {
            self.options.slots[slot].premium_since += premium / shares;
        }
    }

    /// The order of an option fill: a waiting one is filled in, else one is written down that was
    /// decided and filled on this bar.
    pub(super) fn option_order(
        &mut self,
        bar: BarIndex,
        slot: usize,
        (side, contracts, price): (Side, f64, f64),
        contract: usize,
        order: Option<usize>,
        reason: Reason,
    ) {
        let order = order.unwrap_or_else(|| {
            self.new_order(bar, slot, side, OrderType::Market, contracts, None, reason)
        });
        let symbol = self.account.first_contract + contract;
        let order = &mut self.orders[order];
        order.symbol = symbol;
        order.side = side;
        order.quantity = contracts;
        order.outcome = Outcome::Filled;
        order.reason = reason;
        order.filled = contracts;
        order.fill_bar = Some(bar);
        order.fill_price = Some(price);
    }

    /// Trades the option at `at` back; `true` when there was a quote for it.
    pub(super) fn close_at(
        &mut self,
        bar: BarIndex,
        at: usize,
        reason: Reason,
        order: Option<usize>,
    ) -> bool {
        let Some(desk) = self.desk() else {
            return false;
        };
        let option = self.account.options.open[at].clone();
        let listed = self.listed(desk, at);
        let moment = self.moment(option.slot, bar);
        let Some(quote) = desk.quote(&moment, &listed) else {
            return false;
        };
        let give_up = desk.terms.fill.give_up;
        let (price, side) = match option.is_short() {
            true => (quote.bought_at(give_up), Side::Buy),
            false => (quote.sold_at(give_up), Side::Sell),
        };
        let fill = OptionFill {
            bar,
            own: self.input.symbols[option.slot].own_bar(bar).unwrap_or(0) as u32,
            price,
            mid: quote.mid(),
            fee: self.contract_fee(option.count),
            reason,
        };
        let count = option.count.abs();
        self.account.close_option(at, count, &fill);
        let paid = option.count * option.multiplier * price - fill.fee;
        self.note_basis(option.slot, paid);
        self.purse.earn(Earned::Premium, paid);
        self.option_order(
            bar,
            option.slot,
            (side, count, price),
            option.contract,
            order,
            reason,
        );
        self.reserve(bar);
        true
    }

    /// Replaces the option with that trade number by a later one, both on this close's quotes, or
    /// does what the file says when that cannot be.
    pub(super) fn roll_one(&mut self, bar: BarIndex, number: usize, order: Option<usize>) {
        let Some(desk) = self.desk() else { return };
        let open = &self.account.options.open;
        let Some(at) = open.iter().position(|o| o.number == number) else {
            self.call_off(order, Reason::Flat);
            return;
        };
        let option = self.account.options.open[at].clone();
        let listed = self.listed(desk, at);
        let place = (option.slot, listed.right);
        match self.replacement(desk, bar, at, &listed) {
            Ok((chosen, wing, count)) => {
                let wings = self.wings_of(&option);
                self.close_at(bar, at, Reason::Rolled, order);
                for wing in wings {
                    self.close_number(bar, wing, Reason::Rolled);
                }
                let campaign = option.campaign;
                self.account.options.campaigns[campaign].rolls += 1;
                self.trade_new(bar, &chosen, -count, campaign, false, None);
                if let Some(wing) = wing {
                    self.trade_new(bar, &wing, count, campaign, true, None);
                }
                if count < option.count.abs() * (1.0 - WHOLE) {
                    self.not_done(bar, place, true, NotDone::CashForAll);
                }
                self.reserve(bar);
            }
            Err(why) => {
                self.not_done(bar, place, true, why);
                self.unable(bar, at, order);
            }
        }
    }

    /// Trade numbers of the options that limit what a written one may lose.
    pub(super) fn wings_of(&self, option: &OpenOption) -> Vec<usize> {
        let contracts = &self.account.options.contracts;
        let of = &contracts[option.contract];
        let beside = self.account.options.open.iter().filter(|o| {
            let c = &contracts[o.contract];
            o.is_wing
                && c.right == of.right
                && c.expiration == of.expiration
                && o.slot == option.slot
        });
        beside.map(|o| o.number).collect()
    }

    pub(super) fn close_number(&mut self, bar: BarIndex, number: usize, reason: Reason) -> bool {
        let open = &self.account.options.open;
        let at = open.iter().position(|o| o.number == number);
        at.is_some_and(|at| self.close_at(bar, at, reason, None))
    }

    fn call_off(&mut self, order: Option<usize>, reason: Reason) {
        if let Some(order) = order {
            self.orders[order].outcome = Outcome::Cancelled;
            self.orders[order].reason = reason;
        }
    }

    /// What happens when no roll is possible: the first way of the list that can be gone.
    fn unable(&mut self, bar: BarIndex, at: usize, order: Option<usize>) {
        let Some(desk) = self.desk() else { return };
        let Some(roll) = &desk.terms.roll else { return };
        let option = self.account.options.open[at].clone();
        let expiration = self.account.options.contracts[option.contract].expiration;
        let place = (
            option.slot,
            self.account.options.contracts[option.contract].right,
        );
        let can_wait = desk.calendar.next_session(desk.dates[bar]) < expiration;
        for way in &roll.if_unable {
            match way {
                // There will be another close before it expires.
                Unable::Hold if can_wait => break,
                Unable::Hold => {}
                Unable::Close => {
                    let wings = self.wings_of(&option);
                    if self.close_at(bar, at, Reason::Closed, order) {
                        for wing in wings {
                            self.close_number(bar, wing, Reason::Closed);
                        }
                        return;
                    }
                }
                Unable::Assign => {
                    self.options.left.push(option.number);
                    self.not_done(bar, place, true, NotDone::LeftToAssign);
                    break;
                }
            }
        }
        self.call_off(order, Reason::NoContract);
    }

    /// The contract that an option is rolled into, with its wing in a spread.
    fn replacement(
        &self,
        desk: &'a Desk,
        bar: BarIndex,
        at: usize,
        old: &Listed,
    ) -> Result<(Chosen, Option<Chosen>, f64), NotDone> {
        let (Some(roll), Some(leg)) = (&desk.terms.roll, self.leg(desk, old.right)) else {
            return Err(NotDone::NoRoll);
        };
        let option = &self.account.options.open[at];
        let moment = self.moment(option.slot, bar);
        let give_up = desk.terms.fill.give_up;
        let close = desk.quote(&moment, old).ok_or(NotDone::NoQuote)?;
        let fees = 2.0 * self.contract_fee(1.0) / option.multiplier;
        let most = roll.max_dte.unwrap_or(leg.days_max().max(60));
        let mut later = desk.expirations_for(&moment, leg);
        let mut beyond = desk.expirations(bar, most);
        beyond
            .retain(|day| !later.contains(day) && desk.days(bar, *day) > i64::from(leg.days_max()));
        later.extend(
            beyond
                .iter()
                .filter(|d| !leg.monthly_only || desk.is_monthly(**d)),
        );
        later.retain(|day| *day > old.expiration && desk.days(bar, *day) <= i64::from(most));
        if later.is_empty() {
            return Err(NotDone::NoExpiration);
        }
        let limits = self.roll_limits(desk, leg, option, old, moment.spot);
        let mut why = NotDone::NoRoll;
        for expiration in later {
            let wanted = match roll.to {
                RollTo::SameStrike => Some(old.strike),
                _ => desk.strike_for(&moment, (old.slot, old.right), leg, expiration, &limits),
            };
            let Some(wanted) = wanted else { continue };
            for strike in self.roll_strikes(desk, moment.spot, wanted, &limits) {
                let listed = Listed {
                    strike,
                    expiration,
                    ..*old
                };
                let Ok(chosen) = desk.passes(&moment, leg, &listed, false) else {
                    continue;
                };
                let Ok(wing) = self.wing(desk, &moment, leg, &chosen) else {
                    continue;
                };
                let cost = close.bought_at(give_up);
                let net = chosen.quote.sold_at(give_up) - cost - fees;
                if roll.credit_only && net < roll.min_credit {
                    why = NotDone::NoCredit;
                    continue;
                }
                let count = self.affordable(desk, bar, at, &chosen, wing.as_ref(), cost);
                if count > 0.0 {
                    return Ok((chosen, wing, count));
                }
                why = NotDone::Cash;
            }
            if !roll.credit_only && roll.to != RollTo::SameStrike {
                break;
            }
        }
        Err(why)
    }

    /// Contracts of a roll that the cash covers once the old ones are bought back at `cost` a share,
    /// at most as many as those.
    fn affordable(
        &self,
        desk: &Desk,
        bar: BarIndex,
        at: usize,
        chosen: &Chosen,
        wing: Option<&Chosen>,
        cost: f64,
    ) -> f64 {
        let option = &self.account.options.open[at];
        let old = self.listed(desk, at);
        let count = option.count.abs();
        let give_up = desk.terms.fill.give_up;
        let premium = chosen.quote.sold_at(give_up);
        let kept = self.collateral(desk, bar, &chosen.listed, premium);
        if kept <= 0.0 {
            // Shares cover the new calls as they did the old ones.
            return count;
        }
        let was_kept = self.collateral(desk, bar, &old, option.entry_price) * option.shares();
        let free = self.account.settled_cash() - self.account.reserved + was_kept
            - cost * option.shares()
            - self.contract_fee(count);
        let paid = wing.map_or(0.0, |w| w.quote.bought_at(give_up));
        let money = (kept - premium + paid) * option.multiplier + self.contract_fee(1.0);
        let most = if money > 0.0 { free / money } else { count };
        let leg = self.leg(desk, old.right);
        let is_whole = leg.is_none_or(|leg| !leg.fractional);
        let most = most.min(count);
        let count = if is_whole {
            (most + WHOLE).floor()
        } else {
            most
        };
        count.max(0.0)
    }

    /// Strikes to try for a roll: the leg's own, and for a credit those nearer to the old one.
    fn roll_strikes(&self, desk: &Desk, spot: f64, wanted: f64, limits: &Limits) -> Vec<f64> {
        let Some(roll) = &desk.terms.roll else {
            return Vec::new();
        };
        if !roll.credit_only || roll.to == RollTo::SameStrike {
            return vec![wanted];
        }
        let mut strikes = desk.strikes(spot);
        strikes.retain(|k| *k >= limits.strikes.0 && *k <= limits.strikes.1);
        strikes.sort_by(|a, b| {
            let away = |k: &f64| (k - wanted).abs();
            away(a).total_cmp(&away(b)).then(a.total_cmp(b))
        });
        strikes
    }

    /// The strikes that a roll may go to.
    fn roll_limits(
        &self,
        desk: &Desk,
        leg: &Leg,
        option: &OpenOption,
        old: &Listed,
        spot: f64,
    ) -> Limits {
        let mut strikes = Limits::FREE.strikes;
        let Some(roll) = &desk.terms.roll else {
            return Limits::FREE;
        };
        strikes.0 = self.floor(option.slot, old.right, leg);
        let above = old.strike * (1.0 + WHOLE) + WHOLE;
        let below = old.strike * (1.0 - WHOLE) - WHOLE;
        match roll.to {
            RollTo::OutUp => strikes.0 = strikes.0.max(above),
            RollTo::OutDown => strikes.1 = strikes.1.min(below),
            RollTo::Out | RollTo::SameStrike => {}
        }
        let in_the_money = old.right.intrinsic(spot, old.strike) > 0.0;
        match old.right {
            // A roll never sells deeper in the money than what it replaces.
            Right::Call if roll.never_down || in_the_money => strikes.0 = strikes.0.max(old.strike),
            Right::Put if in_the_money => strikes.1 = strikes.1.min(old.strike),
            Right::Call => strikes.0 = strikes.0.max(old.strike.min(spot)),
            Right::Put => strikes.1 = strikes.1.min(old.strike.max(spot)),
        }
        Limits {
            strikes,
            is_bought: false,
        }
    }
}
