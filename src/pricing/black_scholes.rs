//! European options in closed form.
//!
//! Source: Black & Scholes, The Pricing of Options and Corporate Liabilities (1973); Merton, Theory
//! of Rational Option Pricing (1973), with a continuous dividend yield. Cash dividends are escrowed:
//! the formula is given the spot less their present value. Functions here take numbers that were
//! checked ([`super::Inputs::check`]); [`super::value`] checks them.

use super::normal::{normal_cdf, normal_density};
use super::{CashDividend, Inputs, Valuation, present_value};
use crate::instrument::Right;

/// The value; a volatility or time of 0 gives the limit, [`certain_price`].
pub fn price(inputs: &Inputs, volatility: f64) -> f64 {
    let deviation = volatility * inputs.years.sqrt();
    if deviation <= 0.0 {
        return certain_price(inputs);
    }
    let spot = inputs.spot * inputs.discount_yield();
    let strike = inputs.strike * inputs.discount();
    let sign = inputs.right.sign();
    let (d1, d2) = d1_d2(inputs, deviation);
    let value = sign * (spot * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2));
    value.max(0.0)
}

/// `d1` and `d2` of the formula; `deviation` is the volatility over the life, above 0.
pub(super) fn d1_d2(inputs: &Inputs, deviation: f64) -> (f64, f64) {
    let drift = (inputs.rate - inputs.dividend_yield) * inputs.years;
    let z = (libm::log(inputs.spot / inputs.strike) + drift) / deviation;
    (z + 0.5 * deviation, z - 0.5 * deviation)
}

/// The value when nothing is uncertain: the discounted intrinsic value of the forward.
pub fn certain_price(inputs: &Inputs) -> f64 {
    inputs.right.intrinsic(
        inputs.spot * inputs.discount_yield(),
        inputs.strike * inputs.discount(),
    )
}

/// The value and the six greeks.
///
/// At a volatility or time of 0 they are the limits: gamma and vega 0, and the others those of
/// a forward when the option ends in the money, 0 when it does not; delta is half of that when the
/// forward is the strike.
pub fn value(inputs: &Inputs, volatility: f64) -> Valuation {
    let root_years = inputs.years.sqrt();
    let deviation = volatility * root_years;
    let spot = inputs.spot * inputs.discount_yield();
    let strike = inputs.strike * inputs.discount();
    let sign = inputs.right.sign();
    let (held, paid, density) = if deviation > 0.0 {
        let (d1, d2) = d1_d2(inputs, deviation);
        (
            normal_cdf(sign * d1),
            normal_cdf(sign * d2),
            normal_density(d1),
        )
    } else {
        let ahead = sign * (spot - strike);
        let share = if ahead > 0.0 {
            1.0
        } else if ahead == 0.0 {
            0.5
        } else {
            0.0
        };
        (share, share, 0.0)
    };
    let carried = sign * (inputs.dividend_yield * spot * held - inputs.rate * strike * paid);
    let decay = if deviation > 0.0 {
        spot * density * volatility / (2.0 * root_years)
    } else {
        0.0
    };
    Valuation {
        price: (sign * (spot * held - strike * paid)).max(0.0),
        delta: sign * inputs.discount_yield() * held,
        gamma: if deviation > 0.0 {
            inputs.discount_yield() * density / (inputs.spot * deviation)
        } else {
            0.0
        },
        vega: spot * density * root_years,
        theta: carried - decay,
        rho: sign * inputs.years * strike * paid,
        epsilon: -sign * inputs.years * spot * held,
    }
}

/// The inputs with the present value of the dividends taken from the spot.
pub(super) fn escrowed(inputs: &Inputs, dividends: &[CashDividend]) -> Inputs {
    inputs.at_spot(inputs.spot - present_value(dividends, inputs.rate, 0.0, inputs.years))
}

/// [`price`] with escrowed cash dividends, which must be worth less than the spot.
pub fn escrowed_price(inputs: &Inputs, volatility: f64, dividends: &[CashDividend]) -> f64 {
    price(&escrowed(inputs, dividends), volatility)
}

/// [`value`] with escrowed cash dividends: theta and rho know that their present value grows as
/// they come nearer and falls as the rate rises.
pub fn escrowed_value(inputs: &Inputs, volatility: f64, dividends: &[CashDividend]) -> Valuation {
    let mut value = value(&escrowed(inputs, dividends), volatility);
    let within = dividends
        .iter()
        .filter(|d| d.years > 0.0 && d.years <= inputs.years);
    for dividend in within {
        let present = dividend.amount * libm::exp(-inputs.rate * dividend.years);
        value.theta -= value.delta * inputs.rate * present;
        value.rho += value.delta * dividend.years * present;
    }
    value
}

/// What the option is worth with unlimited volatility: a price must lie below it.
pub fn upper_bound(inputs: &Inputs) -> f64 {
    match inputs.right {
        Right::Call => inputs.spot * inputs.discount_yield(),
        Right::Put => inputs.strike * inputs.discount(),
    }
}
