//! What a fill costs: slipped prices, fees, and how many shares an amount of cash can buy.

use crate::execution::Side;
use crate::strategy::Costs;

/// The price of a market or stop fill: slippage and half the spread against the trader.
/// Never clamped to the bar, since a clamp would hide cost.
#[inline]
pub fn slipped(price: f64, side: Side, costs: &Costs) -> f64 {
    let drag = (costs.slippage_bps + costs.spread_bps / 2.0) / 10_000.0;
    match side {
        Side::Buy => price * (1.0 + drag),
        Side::Sell => price * (1.0 - drag),
    }
}

/// Fee of one fill of `shares` at `price`: per order plus per share plus a fraction of value, at
/// least `min`, at most `max` of the value.
#[inline]
pub fn fee(shares: f64, price: f64, costs: &Costs) -> f64 {
    let value = shares * price;
    if value <= 0.0 {
        return 0.0;
    }
    let linear = costs.per_order + costs.per_share * shares + costs.commission * value;
    let floored = linear.max(costs.min);
    match costs.max {
        Some(share) => floored.min(share * value),
        None => floored,
    }
}

/// The most shares whose price and fee together fit into `cash`.
///
/// The fee is the smaller of `max(min, linear)` and the cap, so an amount fits when it fits under
/// either; each of the three bounds is linear and solved exactly.
#[inline]
pub fn affordable(cash: f64, price: f64, costs: &Costs) -> f64 {
    let linear = (cash - costs.per_order) / (price * (1.0 + costs.commission) + costs.per_share);
    // Without a minimum and without rebates the second bound is never the tighter one.
    let pays = costs.commission >= 0.0 && costs.per_order >= 0.0 && costs.per_share >= 0.0;
    let floored = if costs.min > 0.0 || !pays {
        linear.min((cash - costs.min) / price)
    } else {
        linear
    };
    let shares = match costs.max {
        Some(share) => floored.max(cash / (price * (1.0 + share))),
        None => floored,
    };
    shares.max(0.0)
}

/// The shares whose price less their fee comes to `money`, when so many can be sold.
///
/// The fee depends on the shares: what they must bring beyond `money` is found by putting the fee of
/// the last guess on top of it, each time nearer since a fee is a small part of what it is paid on.
pub fn raising(money: f64, price: f64, costs: &Costs) -> f64 {
    const STEPS_MAX: usize = 64;
    let mut shares = money / price;
    for _ in 0..STEPS_MAX {
        let next = (money + fee(shares, price, costs)) / price;
        if next == shares || !next.is_finite() {
            break;
        }
        shares = next;
    }
    shares
}

/// Rounds down to a multiple of `lot`; 0 leaves fractions. A quotient within 1e-9 of the next
/// whole number is that number: it was one before a division rounded it.
#[inline]
pub fn whole_lots(shares: f64, lot: f64) -> f64 {
    if lot <= 0.0 {
        return shares;
    }
    let lots = shares / lot;
    let nearest = lots.round();
    let count = if (lots - nearest).abs() < 1e-9 {
        nearest
    } else {
        lots.floor()
    };
    count * lot
}
