//! An order that waits for its fill.

use crate::execution::{OrderType, Reason, Side};
use crate::portfolio::Protection;
use crate::units::Micros;

/// How much an order asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ask {
    /// Money fixed at the decision.
    Money(f64),
    /// Shares fixed at the decision, in today's shares.
    Shares(f64),
}

/// An order between its decision and its outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    /// Index into the run's orders.
    pub(crate) order: usize,
    pub(crate) slot: usize,
    pub(crate) side: Side,
    pub(crate) kind: OrderType,
    /// Limit or stop price.
    pub(crate) price: f64,
    /// Closes what is held, or this many shares of it.
    pub(crate) closes: Option<f64>,
    /// Opens a position (after closing, when both are given).
    pub(crate) opens: Option<Ask>,
    pub(crate) protection: Protection,
    pub(crate) reason: Reason,
    /// Good for one session only.
    pub(crate) day_only: bool,
    /// That session, once the order saw a bar.
    pub(crate) day: Option<Micros>,
    /// Shares opened and money spent on them so far.
    pub(crate) opened: f64,
    pub(crate) spent: f64,
    /// Ended; taken off the list at the end of the phase.
    pub(crate) done: bool,
}

impl Pending {
    /// The same order after a split of `ratio` new shares for one old.
    pub(crate) fn split(&mut self, ratio: f64) {
        self.price /= ratio;
        self.opened *= ratio;
        self.closes = self.closes.map(|n| n * ratio);
        self.opens = self.opens.map(|ask| match ask {
            Ask::Money(money) => Ask::Money(money),
            Ask::Shares(shares) => Ask::Shares(shares * ratio),
        });
        self.protection = self.protection.after_split(ratio);
    }
}
