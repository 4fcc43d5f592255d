//! Whether holders of an American call exercise it before the stock goes ex dividend.
//!
//! At the last close before the date they compare what exercise gives with what the call is worth
//! to those who keep it. Source: Merton (1973), theorem 2; Cox & Rubinstein, Options Markets (1985),
//! 4.2. What a writer loses by it is the dividend.

use super::{Inputs, Unpriced, black_scholes};
use crate::instrument::Right;

/// The last close before a stock trades without a dividend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExDividend {
    /// The close, dividend included.
    pub spot_cum: f64,
    /// Strike of the call.
    pub strike: f64,
    /// Years to expiry.
    pub years: f64,
    /// Risk-free rate, a year, continuously compounded.
    pub rate: f64,
    /// Volatility, a fraction a year.
    pub volatility: f64,
    /// Cash a share, the last one before expiry.
    pub dividend: f64,
}

/// What the two choices are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Spot less strike; negative out of the money.
    pub exercise_value: f64,
    /// The European call on the spot less the dividend.
    pub hold_value: f64,
}

impl Choice {
    /// Exercise is worth more.
    pub fn is_exercise(self) -> bool {
        self.exercise_value > self.hold_value
    }
}

/// The two choices of the holder of a call.
///
/// # Errors
/// [`Unpriced::Invalid`] for numbers that describe no option, a dividend that is not below the spot
/// among them.
pub fn before_ex_dividend(at: &ExDividend) -> Result<Choice, Unpriced> {
    if at.dividend.is_nan() || at.dividend < 0.0 {
        return Err(Unpriced::Invalid("the dividend must be 0 or more"));
    }
    let after = Inputs {
        right: Right::Call,
        spot: at.spot_cum - at.dividend,
        strike: at.strike,
        years: at.years,
        rate: at.rate,
        dividend_yield: 0.0,
    };
    after.check()?;
    super::check_volatility(at.volatility)?;
    Ok(Choice {
        exercise_value: at.spot_cum - at.strike,
        hold_value: black_scholes::price(&after, at.volatility),
    })
}

/// The same rule from quotes: with `put` the value, after the dividend, of the put of the same strike
/// and expiry, a call in the money is exercised when the dividend is worth more than the put and
/// the interest on the strike.
pub fn is_exercised_for_dividend(at: &ExDividend, put: f64) -> bool {
    let interest = -at.strike * libm::expm1(-at.rate * at.years);
    at.spot_cum > at.strike && at.dividend > put + interest
}
