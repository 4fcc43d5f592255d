//! The strike that has a given delta.

use super::{Inputs, Surface, Unpriced, black_scholes, normal_quantile};

/// The strike at which the European option has this spot delta (negative for puts).
///
/// `inputs.strike` is not looked at. Solving delta = phi exp(-qT) N(phi d1) for the strike:
/// K = F exp(-phi N^-1(|delta| exp(qT)) sigma sqrt(T) + sigma^2 T / 2). Source: Wystup, FX Options
/// and Structured Products (2006), 1.5.
///
/// # Errors
/// [`Unpriced::Invalid`] when the inputs describe no option, a time or volatility is 0, or no
/// strike has that delta: it has the wrong sign, or is not below exp(-qT).
pub fn strike_from_delta(inputs: &Inputs, volatility: f64, delta: f64) -> Result<f64, Unpriced> {
    inputs.at_strike(inputs.spot).check()?;
    super::check_volatility(volatility)?;
    let deviation = volatility * inputs.years.sqrt();
    if deviation <= 0.0 {
        return Err(Unpriced::Invalid(
            "a delta picks a strike only with time and volatility above 0",
        ));
    }
    let sign = inputs.right.sign();
    let share = sign * delta / inputs.discount_yield();
    if !(share > 0.0 && share < 1.0) {
        return Err(Unpriced::Invalid(
            "the delta must be above 0 and below 1 for a call, above -1 and below 0 for a put",
        ));
    }
    let z = normal_quantile(share);
    let strike = inputs.forward() * libm::exp(-sign * z * deviation + 0.5 * deviation * deviation);
    if strike > 0.0 && strike.is_finite() {
        Ok(strike)
    } else {
        Err(Unpriced::Invalid("no strike has that delta"))
    }
}

/// Standard deviations of the index, either way from the forward, within which a strike is looked
/// for: no volatility of the surface is more than twice the index.
const DEVIATIONS_MAX: f64 = 20.0;
/// Halvings of that range: to the last bits of a strike.
const ROUNDS: usize = 70;

/// [`strike_from_delta`] where each strike has a volatility of its own: the strike whose delta,
/// at the surface's volatility of that strike (sticky strike), is the one that was asked for.
/// Found by halving: the delta of a call falls, and that of a put falls towards -1, as the strike
/// rises.
///
/// # Errors
/// As [`strike_from_delta`].
pub fn strike_from_delta_on(
    surface: Surface,
    index_volatility: f64,
    inputs: &Inputs,
    delta: f64,
) -> Result<f64, Unpriced> {
    // Says what is wrong with the question, if anything is.
    strike_from_delta(inputs, index_volatility, delta)?;
    let forward = inputs.forward();
    let deviation = index_volatility * inputs.years.sqrt();
    let strike_at = |x: f64| forward * libm::exp(x * deviation);
    let delta_at = |strike: f64| {
        let volatility = surface.volatility(index_volatility, forward, strike, inputs.years);
        black_scholes::value(&inputs.at_strike(strike), volatility).delta
    };
    let (mut low, mut high) = (-DEVIATIONS_MAX, DEVIATIONS_MAX);
    for _ in 0..ROUNDS {
        let middle = 0.5 * (low + high);
        if delta_at(strike_at(middle)) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    let strike = strike_at(0.5 * (low + high));
    if strike > 0.0 && strike.is_finite() {
        Ok(strike)
    } else {
        Err(Unpriced::Invalid("no strike has that delta"))
    }
}
