//! Lots: what was bought (or sold short) in one fill, and in which order a sale takes them.

use crate::strategy::{LotRule, Tax};
use chrono::{Months, NaiveDate};

/// Shares of one purchase that are still open. Shares are in today's shares, money in money.
#[derive(Debug, Clone, PartialEq)]
pub struct Lot {
    /// Number of the purchase, in order; pieces of one purchase share it.
    pub purchase: u32,
    /// Layer of the account.
    pub layer: usize,
    /// Slot of the symbol.
    pub slot: usize,
    /// Day of the purchase (of the short sale).
    pub bought: NaiveDate,
    /// Day from which the holding period counts: earlier than `bought` where that of shares sold in
    /// a wash sale was added.
    pub held_since: NaiveDate,
    /// Shares, positive.
    pub shares: f64,
    /// What they cost, fees included; what a short sale brought, net of fees. Disallowed losses
    /// are added (taken off, when short).
    pub basis: f64,
    /// Losses of wash sales that are in the basis.
    pub deferred: f64,
    /// Sold short.
    pub is_short: bool,
    /// Already the replacement of shares sold at a loss.
    pub is_replacement: bool,
}

impl Lot {
    /// Gain (loss, when negative) if the shares were closed for `money` net of fees.
    pub fn gain(&self, money: f64) -> f64 {
        if self.is_short {
            self.basis - money
        } else {
            money - self.basis
        }
    }

    /// Splits off `shares` of it, as a lot of their own.
    pub(super) fn take(&mut self, shares: f64) -> Lot {
        let part = shares / self.shares;
        let taken = Lot {
            shares,
            basis: self.basis * part,
            deferred: self.deferred * part,
            ..self.clone()
        };
        self.shares -= taken.shares;
        self.basis -= taken.basis;
        self.deferred -= taken.deferred;
        taken
    }
}

/// Whether a sale on `sold` is long-term: after the same date `years` later. The 29th of February
/// is the 28th in a year without one. Shares sold short are never held.
pub fn is_long_term(lot: &Lot, sold: NaiveDate, years: u32) -> bool {
    let same_date = lot.held_since.checked_add_months(Months::new(12 * years));
    !lot.is_short && same_date.is_some_and(|date| sold > date)
}

/// Indices of `lots` in the order in which a sale at `price` a share takes them; ties by purchase.
/// `lots` stand in the order of purchase.
pub(super) fn order(
    tax: &Tax,
    rule: LotRule,
    lots: &[Lot],
    sold: NaiveDate,
    price: f64,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lots.len()).collect();
    let gain = |lot: &Lot| lot.gain(price * lot.shares) / lot.shares;
    let tax_a_share = |lot: &Lot| {
        let is_long = is_long_term(lot, sold, tax.long_after_years);
        gain(lot)
            * if is_long {
                tax.long_rate
            } else {
                tax.short_rate
            }
    };
    match rule {
        LotRule::Fifo => {}
        LotRule::Lifo => order.reverse(),
        // The highest basis is the least gain, for shorts the lowest proceeds.
        LotRule::Hifo => order.sort_by(|&a, &b| gain(&lots[a]).total_cmp(&gain(&lots[b]))),
        LotRule::MinTax => {
            order.sort_by(|&a, &b| tax_a_share(&lots[a]).total_cmp(&tax_a_share(&lots[b])));
        }
    }
    order
}
