//! What a structure of shares and options pays at expiration: straight lines between its strikes.
//!
//! All options are taken to expire on one day, exercised when they are in the money.

use crate::instrument::Right;

/// Options of one contract within a structure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PayoffLeg {
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: f64,
    /// Shares that they are for, negative when written.
    pub shares: f64,
    /// Price a share at which they were written or bought.
    pub premium: f64,
}

/// Shares and options that were entered together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payoff {
    /// Shares held.
    pub shares: f64,
    /// Price of a share at the entry.
    pub spot: f64,
    /// Options.
    pub legs: Vec<PayoffLeg>,
    /// Fees, money.
    pub fees: f64,
}

impl Payoff {
    /// Profit when the underlying ends at `price`, money.
    ///
    /// ```
    /// use papertape::instrument::Right;
    /// use papertape::pricing::payoff::{Payoff, PayoffLeg};
    /// let call = PayoffLeg { right: Right::Call, strike: 105.0, shares: -100.0, premium: 1.8 };
    /// let covered = Payoff { shares: 100.0, spot: 100.0, legs: vec![call], fees: 0.0 };
    /// assert_eq!(covered.profit(120.0), 680.0);
    /// assert!((covered.break_even()[0] - 98.2).abs() < 1e-12);
    /// ```
    pub fn profit(&self, price: f64) -> f64 {
        let of_leg =
            |leg: &PayoffLeg| leg.shares * (leg.right.intrinsic(price, leg.strike) - leg.premium);
        let legs: f64 = self.legs.iter().map(of_leg).sum();
        self.shares * (price - self.spot) + legs - self.fees
    }

    /// What a unit of price adds beyond the highest strike.
    fn slope_above(&self) -> f64 {
        let calls = self.legs.iter().filter(|leg| leg.right == Right::Call);
        self.shares + calls.map(|leg| leg.shares).sum::<f64>()
    }

    /// Prices at which lines bend, 0 first, ascending.
    fn bends(&self) -> Vec<f64> {
        let strikes = self.legs.iter().map(|leg| leg.strike);
        let mut all: Vec<f64> = strikes.chain([0.0]).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }

    /// Prices above 0 at which nothing is gained or lost, ascending.
    pub fn break_even(&self) -> Vec<f64> {
        let bends = self.bends();
        let mut found = Vec::new();
        for pair in bends.windows(2) {
            let (a, b) = (self.profit(pair[0]), self.profit(pair[1]));
            if (a < 0.0) != (b < 0.0) {
                found.push(pair[0] + (pair[1] - pair[0]) * (a / (a - b)));
            }
        }
        let last = bends.last().copied().unwrap_or(0.0);
        let (at_last, slope) = (self.profit(last), self.slope_above());
        let flat = slope.abs() <= 1e-9 * self.shares.abs().max(1.0);
        if !flat && (at_last < 0.0) == (slope > 0.0) && at_last != 0.0 {
            found.push(last - at_last / slope);
        }
        found
    }

    /// Least and most profit; infinite where it has no bound.
    pub fn bounds(&self) -> (f64, f64) {
        let profits = self.bends().into_iter().map(|price| self.profit(price));
        let (low, high) = profits.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
            (low.min(p), high.max(p))
        });
        let slope = self.slope_above();
        let least = 1e-9 * self.shares.abs().max(1.0);
        match slope {
            s if s > least => (low, f64::INFINITY),
            s if s < -least => (f64::NEG_INFINITY, high),
            _ => (low, high),
        }
    }
}
