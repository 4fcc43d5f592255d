//! FILLS -> TAX: open lots, realised gains, wash sales, and what each year owes.
//!
//! [`TaxBook`] observes fills, splits, dividends and interest in the order in which they happen,
//! across all layers of an account, and never changes the account: it says what is due, and whoever
//! pays it tells the book. It is a model of the rules that the strategy file names, with the user's
//! rates. What it leaves out: dividends that shorts owe, borrow fees and margin interest are not
//! deducted; option gains come with options.

mod lot;
mod year;

pub use lot::{Lot, is_long_term};
pub use year::{YearSums, YearTax, assess};

use crate::execution::Side;
use crate::portfolio::tax::lot::order;
use crate::portfolio::tax::year::assess_all;
use crate::strategy::{LotRule, Tax};
use chrono::{Datelike, Days, NaiveDate};
use std::collections::BTreeMap;

/// Something that the book must know of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TaxEvent {
    /// Shares bought or sold.
    Fill {
        /// Slot of the symbol.
        slot: usize,
        /// Buy or sell.
        side: Side,
        /// Shares that close a position.
        closing: f64,
        /// Shares that open one, after closing.
        opening: f64,
        /// Money that changed hands, fee excluded.
        value: f64,
        /// Fee.
        fee: f64,
        /// Nothing is left of the position that was closed.
        closes_all: bool,
        /// The sale harvests a loss: it takes the lots that lose most.
        is_harvest: bool,
    },
    /// New shares for one old.
    Split {
        /// Slot of the symbol.
        slot: usize,
        /// New shares for one old.
        ratio: f64,
    },
    /// Cash from a dividend; negative when owed by a short.
    Dividend(f64),
    /// Interest on cash.
    Interest(f64),
}

impl TaxEvent {
    /// The same event of another slot; dividends and interest have none.
    pub fn of_slot(self, number: usize) -> Self {
        let mut event = self;
        if let TaxEvent::Fill { slot, .. } | TaxEvent::Split { slot, .. } = &mut event {
            *slot = number;
        }
        event
    }
}

/// Shares of one lot that were closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Realized {
    /// Layer of the account.
    pub layer: usize,
    /// Slot of the symbol.
    pub slot: usize,
    /// Sold short and bought back.
    pub is_short: bool,
    /// Day of the purchase (of the short sale).
    pub bought: NaiveDate,
    /// Day from which the holding period counts.
    pub held_since: NaiveDate,
    /// Day of the sale (of the purchase that closed the short).
    pub sold: NaiveDate,
    /// Shares, in shares of the day of the sale.
    pub shares: f64,
    /// Net of fees.
    pub proceeds: f64,
    /// Fees and deferred losses included.
    pub basis: f64,
    /// Losses of earlier wash sales that are in the basis.
    pub deferred: f64,
    /// `proceeds - basis`.
    pub gain: f64,
    /// Held long.
    pub is_long_term: bool,
    /// Part of the loss that a wash sale disallows, a positive number.
    pub disallowed: f64,
    /// Sold to harvest the loss.
    pub is_harvest: bool,
}

/// A loss whose window is open: shares that a purchase may still replace.
#[derive(Debug, Clone)]
struct Loss {
    /// Index of its [`Realized`].
    realized: usize,
    purchase: u32,
    slot: usize,
    is_short: bool,
    sold: NaiveDate,
    days_held: i64,
    /// Shares without a replacement, in today's shares.
    shares: f64,
    /// Money a share.
    a_share: f64,
}

/// What would be owed if everything were sold now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Liquidation {
    /// Tax on what was realised and is not yet paid.
    pub unpaid: f64,
    /// What selling everything would add to it; negative where losses would lower it.
    pub on_sale: f64,
}

/// Shares below this part of a lot or sale are the rounding of a division.
const ROUNDING: f64 = 1e-9;

/// The tax book of one taxpayer.
#[derive(Debug, Clone)]
pub struct TaxBook {
    tax: Tax,
    /// Security of each slot: slots of one `identical` group share it.
    security: Vec<usize>,
    /// Open lots by layer and slot, in the order of purchase.
    lots: Vec<Vec<Lot>>,
    losses: Vec<Loss>,
    sums: BTreeMap<i32, YearSums>,
    /// What of them came from each layer.
    by_layer: Vec<BTreeMap<i32, YearSums>>,
    paid: BTreeMap<i32, f64>,
    realized: Vec<Realized>,
    purchases: u32,
    /// Newest year whose tax was asked for.
    closed_through: Option<i32>,
    /// A closed year changed.
    is_amended: bool,
}

impl TaxBook {
    /// An empty book of `layers` accounts that trade `symbols`.
    pub fn new(tax: &Tax, symbols: &[&str], layers: usize) -> Self {
        let group = |symbol: &str| {
            let has = |group: &Vec<String>| group.iter().any(|s| s == symbol);
            tax.identical.iter().position(has)
        };
        let security = symbols
            .iter()
            .enumerate()
            .map(|(slot, symbol)| group(symbol).map_or(slot, |g| symbols.len() + g));
        TaxBook {
            security: security.collect(),
            lots: vec![Vec::new(); symbols.len() * layers],
            tax: tax.clone(),
            losses: Vec::new(),
            sums: BTreeMap::new(),
            by_layer: vec![BTreeMap::new(); layers],
            paid: BTreeMap::new(),
            realized: Vec::new(),
            purchases: 0,
            closed_through: None,
            is_amended: false,
        }
    }

    /// Observes an event of one layer. Events come in the order of time.
    pub fn observe(&mut self, day: NaiveDate, layer: usize, event: &TaxEvent) {
        match *event {
            TaxEvent::Fill { .. } => self.fill(day, layer, event),
            TaxEvent::Split { slot, ratio } => self.split(layer, slot, ratio),
            TaxEvent::Dividend(amount) => {
                self.add(day, layer, |sums| sums.dividends += amount.max(0.0));
            }
            TaxEvent::Interest(amount) => self.add(day, layer, |sums| sums.interest += amount),
        }
    }

    /// Open lots of a layer's slot, in the order of purchase.
    pub fn lots(&self, layer: usize, slot: usize) -> &[Lot] {
        &self.lots[layer * self.security.len() + slot]
    }

    /// Every open lot, by layer, slot and purchase.
    pub fn open_lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.iter().flatten()
    }

    /// Everything that was closed, in order.
    pub fn realized(&self) -> &[Realized] {
        &self.realized
    }

    /// The rules and rates.
    pub fn tax(&self) -> &Tax {
        &self.tax
    }

    /// Tax paid so far.
    pub fn paid(&self) -> f64 {
        self.paid.values().sum()
    }

    /// Every year from the first event to `through`, with what was paid for it.
    pub fn years(&self, through: i32) -> Vec<YearTax> {
        let mut years = assess_all(&self.tax, &self.sums, through);
        for year in &mut years {
            year.paid = self.paid.get(&year.year).copied().unwrap_or(0.0);
        }
        years
    }

    /// What a layer would owe for what it realised and received in a year if it were a taxpayer of its
    /// own without losses of earlier years; negative where a deduction would save it more.
    pub fn alone(&self, layer: usize, year: i32) -> f64 {
        let sums = self.by_layer[layer].get(&year).copied();
        assess(&self.tax, year, sums.unwrap_or_default(), (0.0, 0.0)).tax
    }

    /// Closes the years to `through` and says what is owed for each beyond what was paid (negative:
    /// what was paid too much). A year that was closed before is among them when a purchase after
    /// its end amended it.
    pub fn due(&mut self, through: i32) -> Vec<(i32, f64)> {
        self.closed_through = self.closed_through.max(Some(through));
        self.is_amended = false;
        let owed = |y: YearTax| (y.year, y.tax - y.paid);
        let years = self.years(through).into_iter().map(owed);
        years.filter(|(_, owed)| *owed != 0.0).collect()
    }

    /// Newest year whose tax was asked for.
    pub fn closed_through(&self) -> Option<i32> {
        self.closed_through
    }

    /// Whether a closed year changed since it was asked for.
    pub fn is_amended(&self) -> bool {
        self.is_amended
    }

    /// Notes a payment for a year.
    pub fn pay(&mut self, year: i32, amount: f64) {
        *self.paid.entry(year).or_insert(0.0) += amount;
    }

    /// Whether buying a slot on `day` would make a sale at a loss a wash sale.
    pub fn has_open_loss(&self, slot: usize, day: NaiveDate) -> bool {
        let window = Days::new(u64::from(self.tax.wash_window_days));
        let is_of = |loss: &Loss| self.security[loss.slot] == self.security[slot] && !loss.is_short;
        let mut losses = self.losses.iter().filter(|loss| is_of(loss));
        losses.any(|loss| loss.shares > 0.0 && loss.sold + window >= day)
    }

    /// Whether shares that stay would replace lots of a slot that are sold at a loss on `day`: those
    /// for which `is_sold` holds.
    pub fn stays_replace(
        &self,
        (layer, slot): (usize, usize),
        day: NaiveDate,
        is_sold: impl Fn(&Lot) -> bool,
    ) -> bool {
        let window = Days::new(u64::from(self.tax.wash_window_days));
        let is_of = |lot: &&Lot| self.security[lot.slot] == self.security[slot] && !lot.is_short;
        let is_ours = |lot: &Lot| (lot.layer, lot.slot) == (layer, slot);
        let stays = self
            .open_lots()
            .filter(is_of)
            .filter(|lot| !(is_ours(lot) && is_sold(lot)));
        let mut recent = stays.filter(|lot| !lot.is_replacement && lot.bought + window >= day);
        recent.any(|stay| {
            let mut sold = self.lots(layer, slot).iter().filter(|lot| is_sold(lot));
            sold.any(|lot| lot.purchase != stay.purchase)
        })
    }

    /// Tax that selling `shares` of a layer's slot at `price` on `day` would add to the year, given
    /// what the year realised so far and the losses carried into it; negative where it would save
    /// some. Wash sales are not foreseen.
    pub fn tax_if_sold(
        &self,
        (layer, slot): (usize, usize),
        shares: f64,
        price: f64,
        day: NaiveDate,
    ) -> f64 {
        let lots = self.lots(layer, slot);
        let mut gains = (0.0, 0.0);
        let mut left = shares;
        for i in order(&self.tax, self.tax.lots, lots, day, price) {
            let taken = lots[i].shares.min(left);
            self.add_gain(&mut gains, &lots[i], taken, price, day);
            left -= taken;
        }
        self.tax_of(gains, day.year())
    }

    /// What would be owed on `day` if every lot were sold at the price of its slot, `marks` by
    /// layer and slot. Sold together, no share replaces another.
    pub fn liquidation(&self, day: NaiveDate, marks: impl Fn(usize, usize) -> f64) -> Liquidation {
        let mut gains = (0.0, 0.0);
        for lot in self.open_lots() {
            let price = marks(lot.layer, lot.slot);
            self.add_gain(&mut gains, lot, lot.shares, price, day);
        }
        let owed: f64 = self
            .years(day.year())
            .iter()
            .map(|year| year.tax - year.paid)
            .sum();
        Liquidation {
            unpaid: owed,
            on_sale: self.tax_of(gains, day.year()),
        }
    }

    fn add_gain(&self, to: &mut (f64, f64), lot: &Lot, shares: f64, price: f64, day: NaiveDate) {
        if lot.shares <= 0.0 {
            return;
        }
        let gain = lot.gain(price * lot.shares) * (shares / lot.shares);
        match is_long_term(lot, day, self.tax.long_after_years) {
            true => to.1 += gain,
            false => to.0 += gain,
        }
    }

    /// Tax that further short-term and long-term gains would add to a year.
    fn tax_of(&self, gains: (f64, f64), year: i32) -> f64 {
        let with = |gains: (f64, f64)| {
            let before = assess_all(&self.tax, &self.sums, year - 1);
            let carried = before
                .last()
                .map_or((0.0, 0.0), |y| (y.carry_short, y.carry_long));
            let mut sums = self.sums.get(&year).copied().unwrap_or_default();
            sums.short += gains.0;
            sums.long += gains.1;
            assess(&self.tax, year, sums, carried).tax
        };
        with(gains) - with((0.0, 0.0))
    }

    /// Adds to what a layer realised and received in the year of a day.
    fn add(&mut self, day: NaiveDate, layer: usize, to: impl Fn(&mut YearSums)) {
        let year = day.year();
        self.is_amended |= self.closed_through.is_some_and(|closed| year <= closed);
        to(self.sums.entry(year).or_default());
        to(self.by_layer[layer].entry(year).or_default());
    }

    fn split(&mut self, layer: usize, slot: usize, ratio: f64) {
        let slots = self.security.len();
        for lot in &mut self.lots[layer * slots + slot] {
            lot.shares *= ratio;
        }
        let realized = &self.realized;
        let is_of = |loss: &&mut Loss| loss.slot == slot && realized[loss.realized].layer == layer;
        for loss in self.losses.iter_mut().filter(is_of) {
            loss.shares *= ratio;
            loss.a_share /= ratio;
        }
    }

    fn fill(&mut self, day: NaiveDate, layer: usize, event: &TaxEvent) {
        let TaxEvent::Fill {
            slot,
            side,
            closing,
            opening,
            value,
            fee,
            closes_all,
            is_harvest,
        } = *event
        else {
            return;
        };
        let window = Days::new(u64::from(self.tax.wash_window_days));
        self.losses
            .retain(|loss| loss.shares > 0.0 && loss.sold + window >= day);
        // What changes hands, net of the fee: paid by a buyer, received by a seller.
        let money = match side {
            Side::Buy => value + fee,
            Side::Sell => value - fee,
        };
        let shares = closing + opening;
        if closing > 0.0 {
            let rule = if is_harvest {
                LotRule::Hifo
            } else {
                self.tax.lots
            };
            let all = closes_all.then_some(f64::INFINITY);
            let sale = Sale {
                day,
                shares: all.unwrap_or(closing),
                a_share: money / shares,
                rule,
                is_harvest,
            };
            self.close(layer, slot, closing * sale.a_share, &sale);
        }
        if opening > 0.0 {
            self.purchases += 1;
            let lot = Lot {
                purchase: self.purchases,
                layer,
                slot,
                bought: day,
                held_since: day,
                shares: opening,
                basis: money * (opening / shares),
                deferred: 0.0,
                is_short: side == Side::Sell,
                is_replacement: false,
            };
            self.open(lot);
        }
    }

    /// Closes lots, registers their gains, and finds the replacements that are already there.
    fn close(&mut self, layer: usize, slot: usize, money: f64, sale: &Sale) {
        let cell = layer * self.security.len() + slot;
        let mut lots = std::mem::take(&mut self.lots[cell]);
        let mut left = sale.shares;
        let mut taken = Vec::new();
        for i in order(&self.tax, sale.rule, &lots, sale.day, sale.a_share) {
            if left <= 0.0 {
                break;
            }
            let whole = lots[i].shares <= left * (1.0 + ROUNDING);
            let shares = if whole { lots[i].shares } else { left };
            left -= shares;
            taken.push(if whole {
                let whole = lots[i].clone();
                lots[i].shares = 0.0;
                whole
            } else {
                lots[i].take(shares)
            });
        }
        lots.retain(|lot| lot.shares > 0.0);
        self.lots[cell] = lots;
        // The last bits of what a position was divided into belong to no share more than another.
        let sold: f64 = taken.iter().map(|lot| lot.shares).sum();
        let first = self.losses.len();
        for lot in taken {
            self.realize(&lot, money * (lot.shares / sold), sale);
        }
        for loss in first..self.losses.len() {
            self.replace_from_before(loss);
        }
    }

    fn realize(&mut self, lot: &Lot, money: f64, sale: &Sale) {
        let gain = lot.gain(money);
        let (proceeds, basis) = if lot.is_short {
            (lot.basis, money)
        } else {
            (money, lot.basis)
        };
        let is_long = is_long_term(lot, sale.day, self.tax.long_after_years);
        self.add(sale.day, lot.layer, |sums| match is_long {
            true => sums.long += gain,
            false => sums.short += gain,
        });
        self.realized.push(Realized {
            layer: lot.layer,
            slot: lot.slot,
            is_short: lot.is_short,
            bought: lot.bought,
            held_since: lot.held_since,
            sold: sale.day,
            shares: lot.shares,
            proceeds,
            basis,
            deferred: lot.deferred,
            gain,
            is_long_term: is_long,
            disallowed: 0.0,
            is_harvest: sale.is_harvest,
        });
        if gain < 0.0 {
            self.losses.push(Loss {
                realized: self.realized.len() - 1,
                purchase: lot.purchase,
                slot: lot.slot,
                is_short: lot.is_short,
                sold: sale.day,
                days_held: (sale.day - lot.held_since).num_days(),
                shares: lot.shares,
                a_share: -gain / lot.shares,
            });
        }
    }

    /// Shares bought in the window before a sale at a loss, in the order of purchase. Those of the
    /// same purchase as the shares sold replace nothing: selling a part of one purchase reduces a
    /// holding (Revenue Ruling 56-602).
    fn replace_from_before(&mut self, loss: usize) {
        let window = Days::new(u64::from(self.tax.wash_window_days));
        let sold = &self.losses[loss];
        let security = self.security[sold.slot];
        let mut found: Vec<(u32, usize, usize)> = Vec::new();
        for (cell, lots) in self.lots.iter().enumerate() {
            if self.security[cell % self.security.len()] != security {
                continue;
            }
            for (i, lot) in lots.iter().enumerate() {
                let is_recent = lot.bought + window >= sold.sold;
                let is_free = !lot.is_replacement && lot.purchase != sold.purchase;
                if is_recent && is_free && lot.is_short == sold.is_short {
                    found.push((lot.purchase, cell, i));
                }
            }
        }
        found.sort_unstable();
        // A lot that is split in two moves those after it by one.
        let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
        for (_, cell, i) in found {
            if self.losses[loss].shares <= 0.0 {
                break;
            }
            let by = moved.entry(cell).or_insert(0);
            let at = i + *by;
            if self.disallow(loss, cell, at) {
                *by += 1;
            }
        }
    }

    /// A purchase (a short sale): a new lot, which replaces shares sold at a loss in the window
    /// before it, in the order of sale.
    fn open(&mut self, lot: Lot) {
        let cell = lot.layer * self.security.len() + lot.slot;
        let security = self.security[lot.slot];
        let is_short = lot.is_short;
        let mut at = self.lots[cell].len();
        self.lots[cell].push(lot);
        for loss in 0..self.losses.len() {
            let sold = &self.losses[loss];
            let is_same = self.security[sold.slot] == security && sold.is_short == is_short;
            if !is_same || sold.shares <= 0.0 {
                continue;
            }
            if self.disallow(loss, cell, at) {
                // The rest of the purchase stands after the piece that was used.
                at += 1;
            } else {
                break;
            }
        }
    }

    /// Lets a lot, or as much of it as is needed, replace shares sold at a loss: the loss of so many
    /// shares goes into its basis, and their holding period is added to its own. `true` when a rest
    /// of the lot was split off, which then stands after it.
    fn disallow(&mut self, loss: usize, cell: usize, at: usize) -> bool {
        let sold = &mut self.losses[loss];
        let lots = &mut self.lots[cell];
        let is_whole = lots[at].shares <= sold.shares * (1.0 + ROUNDING);
        let shares = sold.shares.min(lots[at].shares);
        if !is_whole {
            let piece = lots[at].take(shares);
            lots.insert(at, piece);
        }
        let amount = sold.a_share * shares;
        let lot = &mut lots[at];
        lot.basis += if lot.is_short { -amount } else { amount };
        lot.deferred += amount;
        lot.is_replacement = true;
        lot.held_since = lot.bought - chrono::Duration::days(sold.days_held);
        sold.shares -= shares;
        if sold.shares <= ROUNDING * shares {
            sold.shares = 0.0;
        }
        let realized = &mut self.realized[sold.realized];
        realized.disallowed += amount;
        let (day, layer, is_long) = (realized.sold, realized.layer, realized.is_long_term);
        self.add(day, layer, |sums| match is_long {
            true => sums.long += amount,
            false => sums.short += amount,
        });
        !is_whole
    }
}

/// A sale, or the purchase that closes a short.
struct Sale {
    day: NaiveDate,
    /// Shares; infinity for all that is left.
    shares: f64,
    /// Money a share, net of fees.
    a_share: f64,
    rule: LotRule,
    is_harvest: bool,
}
