//! Filling: how many shares an order gets, what it pays, and what that leaves of a position.

use super::{Account, Position};
use crate::engine::pending::Ask;
use crate::execution::cost::{affordable, fee, slipped, whole_lots};
use crate::execution::fill::{
    BarPrices, Touch, limit_gapped, limit_touched, stop_gapped, stop_touched,
};
use crate::execution::{OrderType, Reason, Side};
use crate::portfolio::{Protection, settled_gain};
use crate::strategy::{AccountKind, FillAt};
use crate::units::{BarIndex, DAY_MICROS};

/// When and at what price a fill comes about.
#[derive(Clone, Copy)]
struct Terms {
    bar: BarIndex,
    own: usize,
    /// Price before slippage.
    reference: f64,
    slips: bool,
    /// First bar on which the stops of an entry are live, and first own bar that moves them.
    live_from: BarIndex,
    seen: usize,
    inside: bool,
}

/// One fill, ready to be booked.
struct Booking {
    bar: BarIndex,
    own: usize,
    slot: usize,
    is_buy: bool,
    shares: f64,
    price: f64,
    value: f64,
    fee: f64,
    protection: Protection,
    live_from: BarIndex,
    seen: usize,
}

fn side(is_buy: bool) -> Side {
    if is_buy { Side::Buy } else { Side::Sell }
}

impl Account<'_> {
    /// Fills waiting market orders of symbols that have a bar: those that close something, or the
    /// others, in their order of priority.
    pub(super) fn fill_market(
        &mut self,
        bar: BarIndex,
        closing: bool,
        price: impl Fn(&BarPrices) -> f64,
    ) {
        let at_open = self.all.strategy.fill.at == FillAt::NextOpen;
        let entry_bar = at_open && self.all.strategy.stops.entry_bar;
        for k in 0..self.pending.len() {
            let p = self.pending[k];
            if p.is_done || p.kind != OrderType::Market || p.closes.is_some() != closing {
                continue;
            }
            if let Some((own, prices)) = self.prices(p.slot, bar) {
                let terms = Terms {
                    bar,
                    own,
                    reference: price(&prices),
                    slips: true,
                    live_from: if entry_bar { bar } else { bar + 1 },
                    seen: if at_open { own } else { own + 1 },
                    inside: false,
                };
                self.fill_pending(k, &terms);
            }
        }
    }

    /// Limit and stop entries that the open already reached, or (`inside`) that the rest of the bar
    /// reaches; those for one session only end with it.
    pub(super) fn fill_resting(&mut self, bar: BarIndex, inside: bool) {
        let through = self.all.strategy.fill.limit_through;
        let live_at_once = self.all.strategy.stops.entry_bar && !inside;
        for k in 0..self.pending.len() {
            let p = self.pending[k];
            let Some((own, prices)) = self.prices(p.slot, bar).filter(|_| !p.is_done) else {
                continue;
            };
            let side = side(p.is_buy);
            let reached = match (p.kind, inside) {
                (OrderType::Market, _) => continue,
                (OrderType::Limit, false) => limit_gapped(&prices, side, p.price),
                (OrderType::Limit, true) => limit_touched(&prices, side, p.price, through),
                (OrderType::Stop, false) => stop_gapped(&prices, side, p.price),
                (OrderType::Stop, true) => stop_touched(&prices, side, p.price),
            };
            if let Some(reference) = reached {
                let terms = Terms {
                    bar,
                    own,
                    reference,
                    slips: p.kind == OrderType::Stop,
                    live_from: if live_at_once { bar } else { bar + 1 },
                    seen: own,
                    inside,
                };
                self.fill_pending(k, &terms);
            }
            if inside && p.day_only && !self.all.ground.is_intraday {
                self.pending[k].is_done = true;
            }
        }
    }

    /// Intraday orders of an earlier session end.
    pub(super) fn expire_day_orders(&mut self, bar: BarIndex) {
        if !self.all.ground.is_intraday {
            return;
        }
        let today = self.all.ground.clock[bar].div_euclid(DAY_MICROS);
        let tracks = &self.all.place.tracks;
        self.pending.retain_mut(|p| {
            let waits = p.day_only && tracks[p.slot].own(bar).is_some();
            !(waits && *p.day.get_or_insert(today) != today)
        });
    }

    fn fill_pending(&mut self, k: usize, terms: &Terms) {
        let p = self.pending[k];
        self.pending[k].is_done = true;
        let costs = &self.all.strategy.costs;
        let price = if terms.slips {
            slipped(terms.reference, side(p.is_buy), costs)
        } else {
            terms.reference
        };
        let held = self.slots[p.slot].position.shares;
        let against = if p.is_buy { held < 0.0 } else { held > 0.0 };
        let closing = match p.closes {
            Some(shares) if against => shares.min(held.abs()),
            _ => 0.0,
        };
        if closing == 0.0 && p.opens.is_none() {
            return;
        }
        let opening = p.opens.and_then(|ask| {
            let inside = terms.inside;
            self.opening_shares(p.slot, ask, price, closing, inside)
        });
        let shares = closing + opening.unwrap_or(0.0);
        if shares <= 0.0 {
            return;
        }
        self.book_order(k, terms, price, shares, closing);
    }

    /// Shares that an entry gets: what was asked for, cut by cash or margin, rounded to lots; `None`
    /// when that is nothing.
    fn opening_shares(
        &self,
        slot: usize,
        ask: Ask,
        price: f64,
        closing: f64,
        inside: bool,
    ) -> Option<f64> {
        let strategy = self.all.strategy;
        let wanted = match ask {
            Ask::Money(money) => money / price,
            Ask::Shares(shares) => shares,
        };
        let account = &strategy.account;
        let freed = if inside { self.freed_inside } else { 0.0 };
        let power = match account.kind {
            AccountKind::Cash => self.cash - self.to_reinvest() - freed,
            AccountKind::Margin => {
                let gross = self.gross() - closing * self.slots[slot].mark;
                let cost = fee(closing, price, &strategy.costs);
                (self.equity() - cost) / account.initial_margin - gross
            }
        };
        let shares = wanted.min(affordable(power, price, &strategy.costs));
        let shares = whole_lots(shares, strategy.size.lot);
        let is_some = shares > 0.0 && shares * price >= strategy.size.min_order;
        is_some.then_some(shares)
    }

    /// Books the fill of a waiting order.
    fn book_order(&mut self, k: usize, terms: &Terms, price: f64, shares: f64, closing: f64) {
        let p = self.pending[k];
        let strategy = self.all.strategy;
        let mut charge = fee(shares, price, &strategy.costs);
        let mut value = shares * price;
        let cash = self.cash;
        // All the cash leaves exactly none, as in the engine.
        let all_in = p.is_buy
            && strategy.account.kind == AccountKind::Cash
            && strategy.size.lot == 0.0
            && (cash - value - charge).abs() <= 1e-12 * cash;
        if all_in {
            value = cash - charge;
            charge = cash - value;
        }
        self.slots[p.slot].mark = terms.reference;
        self.fill(&Booking {
            bar: terms.bar,
            own: terms.own,
            slot: p.slot,
            is_buy: p.is_buy,
            shares,
            price,
            value,
            fee: charge,
            protection: p.protection,
            live_from: terms.live_from,
            seen: terms.seen,
        });
        let opened = shares > closing;
        if opened && terms.inside {
            self.entered_inside.push(p.slot);
        }
        if self.slots[p.slot].position.is_flat() || (closing > 0.0 && opened) {
            self.block_entries(p.slot, terms.own);
        }
    }

    /// After an exit no entry is decided for a while.
    fn block_entries(&mut self, slot: usize, own: usize) {
        let bars = self.all.strategy.rules.cooldown_bars as usize;
        if bars > 0 {
            self.slots[slot].blocked_through = Some(own + bars);
        }
    }

    /// Sells (buys back) under protection.
    pub(super) fn fill_protective(
        &mut self,
        bar: BarIndex,
        slot: usize,
        own: usize,
        touch: &Touch,
    ) {
        let strategy = self.all.strategy;
        let position = &self.slots[slot].position;
        let is_buy = !position.is_long();
        let is_target = matches!(touch.reason, Reason::Target | Reason::TargetGap);
        let held = position.shares.abs();
        let share = match is_target {
            true => strategy.stops.target_share,
            false => 1.0,
        };
        let due = if share < 1.0 {
            Some(whole_lots(held * share, strategy.size.lot))
                .filter(|&n| n > 0.0)
                .unwrap_or(held)
        } else {
            held
        };
        if is_target && due < held {
            self.slots[slot].position.protection.target = None;
        }
        let price = if touch.slips {
            slipped(touch.price, side(is_buy), &strategy.costs)
        } else {
            touch.price
        };
        let charge = fee(due, price, &strategy.costs);
        self.exit_now((bar, own), slot, (due, touch.price), (price, charge));
        if self.slots[slot].position.is_flat() {
            self.block_entries(slot, own);
        }
    }

    /// An exit that no order waited for: protection, end of trading, end of the run.
    fn exit_now(
        &mut self,
        (bar, own): (BarIndex, usize),
        slot: usize,
        (shares, reference): (f64, f64),
        (price, fee): (f64, f64),
    ) {
        self.slots[slot].mark = reference;
        let position = &self.slots[slot].position;
        self.fill(&Booking {
            bar,
            own,
            slot,
            is_buy: !position.is_long(),
            shares,
            price,
            value: shares * price,
            fee,
            protection: Protection::default(),
            live_from: bar,
            seen: own,
        });
    }

    /// A symbol that stopped trading: its orders end, its position is closed at the last price less
    /// the haircut.
    pub(super) fn delist(&mut self, bar: BarIndex, slot: usize) {
        self.pending.retain(|p| p.slot != slot);
        if !self.slots[slot].position.is_flat() {
            let price = self.slots[slot].mark * (1.0 - self.all.strategy.data.delist_haircut);
            self.close_now(bar, slot, price, false);
        }
    }

    /// Closes a position now, whatever the rules say; `traded` when that costs what trading costs.
    pub(super) fn close_now(&mut self, bar: BarIndex, slot: usize, price: f64, traded: bool) {
        let costs = &self.all.strategy.costs;
        let position = &self.slots[slot].position;
        let shares = position.shares.abs();
        let (fill, charge) = match traded {
            true => {
                let fill = slipped(price, side(!position.is_long()), costs);
                (fill, fee(shares, fill, costs))
            }
            false => (price, 0.0),
        };
        let own = position.entry_own;
        self.exit_now((bar, own), slot, (shares, price), (fill, charge));
    }

    /// Dividends of this bar that buy more of their payers at its close: cash that serves nothing else.
    fn to_reinvest(&self) -> f64 {
        let is_held = |slot: usize| self.slots[slot].position.is_long();
        let waiting = self.reinvest.iter().filter(|(slot, _)| is_held(*slot));
        waiting.map(|(_, amount)| amount).sum()
    }

    /// Dividends buy more of the payer at this bar's close.
    pub(super) fn reinvest_at_close(&mut self, bar: BarIndex) {
        for (slot, amount) in std::mem::take(&mut self.reinvest) {
            let position = &self.slots[slot].position;
            let Some((own, prices)) = self.prices(slot, bar).filter(|_| position.is_long()) else {
                continue;
            };
            let booking = Booking {
                bar,
                own,
                slot,
                is_buy: true,
                shares: amount / prices.close,
                price: prices.close,
                value: amount,
                fee: 0.0,
                protection: position.protection,
                live_from: position.live_from,
                seen: position.seen,
            };
            self.fill(&booking);
        }
    }

    /// Books a fill: the part that closes a position first, then the part that opens one.
    fn fill(&mut self, b: &Booking) {
        let slot = &mut self.slots[b.slot];
        slot.next = 0;
        let position = &mut slot.position;
        let against = match b.is_buy {
            true => position.shares < 0.0,
            false => position.shares > 0.0,
        };
        let closing = match against {
            true => b.shares.min(position.shares.abs()),
            false => 0.0,
        };
        let share = closing / b.shares;
        self.cash += if b.is_buy { -b.value } else { b.value };
        self.cash -= b.fee;
        if closing > 0.0 {
            position.exit_value += b.value * share;
            position.exit_fee += b.fee * share;
            if closing == position.shares.abs() {
                self.finish_trade(b.slot);
            } else {
                position.shares -= if position.is_long() {
                    closing
                } else {
                    -closing
                };
            }
        }
        if closing < b.shares {
            self.enter(b, b.shares - closing, 1.0 - share);
        }
    }

    fn finish_trade(&mut self, slot: usize) {
        let position = &mut self.slots[slot].position;
        let gain = if position.is_long() {
            position.exit_value - position.entry_value
        } else {
            position.entry_value - position.exit_value
        };
        let net = gain - position.entry_fee - position.exit_fee;
        let pnl = settled_gain(net, position.entry_value + position.entry_fee);
        *position = Position::default();
        self.held.retain(|&s| s != slot);
        self.closed.add(pnl);
        self.counts.trades += 1;
        self.counts.wins += u32::from(pnl > 0.0);
    }

    fn enter(&mut self, b: &Booking, shares: f64, share: f64) {
        let position = &mut self.slots[b.slot].position;
        if position.is_flat() {
            *position = Position {
                entry_price: b.price,
                best: b.price,
                seen: b.seen,
                live_from: b.live_from,
                entry_bar: b.bar,
                entry_own: b.own,
                ..Position::default()
            };
            self.counts.entries += 1;
            let at = self.held.partition_point(|&s| s < b.slot);
            self.held.insert(at, b.slot);
        } else {
            let before = position.shares.abs();
            let value = position.entry_price * before + b.price * shares;
            position.entry_price = value / (before + shares);
        }
        position.shares += if b.is_buy { shares } else { -shares };
        position.protection = b.protection;
        position.entry_value += b.value * share;
        position.entry_fee += b.fee * share;
    }
}
