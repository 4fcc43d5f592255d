//! What an option is worth: pure functions of numbers.
//!
//! Everything here is per unit of the underlying (no multiplier), with annual continuously
//! compounded rates and yields, volatilities as fractions a year (0.2 is 20%) and times in years
//! (calendar days / 365). Greeks are raw derivatives: vega per 1.00 of volatility, theta per year.
//!
//! | file | answers |
//! | --- | --- |
//! | `black_scholes` | European value and greeks, in closed form |
//! | `tree` | American value and greeks, on a tree of Leisen and Reimer |
//! | `implied_vol` | the volatility that a price implies |
//! | `delta` | the strike that has a given delta |
//! | `surface` | the volatility of a strike when only an index of volatility is known |
//! | `early` | whether a call is exercised before the stock goes ex dividend |
//! | `income` | what writing an option yields, by the usual words |
//! | `payoff` | what a structure of shares and options pays at expiration |
//! | `normal` | the normal distribution |
//!
//! [`value`], [`price`] and [`implied_volatility`] choose by the style of the option. What was
//! quoted is in `market/chain`, what is done with it in `strategy` and `portfolio`.

pub mod black_scholes;
pub mod delta;
pub mod early;
pub mod implied_vol;
pub mod income;
pub mod normal;
pub mod payoff;
pub mod surface;
pub mod tree;

use crate::instrument::{Right, Style};
use std::fmt;

pub use delta::strike_from_delta;
pub use normal::{normal_cdf, normal_quantile};
pub use surface::Surface;

/// Days in a year, everywhere in this module: Act/365 fixed.
pub const DAYS_A_YEAR: f64 = 365.0;

/// Everything that the value of an option depends on but its volatility and cash dividends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    /// Call or put.
    pub right: Right,
    /// Price of the underlying, above 0.
    pub spot: f64,
    /// Strike, above 0.
    pub strike: f64,
    /// Years to expiry; at 0 the option is worth what exercise gives.
    pub years: f64,
    /// Risk-free rate, a year, continuously compounded; may be negative.
    pub rate: f64,
    /// Dividend yield, a year, continuously compounded.
    pub dividend_yield: f64,
}

impl Inputs {
    /// The first thing that is wrong with the numbers.
    ///
    /// # Errors
    /// [`Unpriced::Invalid`]: a number that is not finite, a spot or strike of 0 or less, a
    /// negative time, or a rate or yield so large that it overflows over that time.
    pub fn check(&self) -> Result<(), Unpriced> {
        let checks = [
            (
                self.spot > 0.0 && self.spot < f64::INFINITY,
                "the spot must be above 0",
            ),
            (
                self.strike > 0.0 && self.strike < f64::INFINITY,
                "the strike must be above 0",
            ),
            (
                self.years >= 0.0 && self.years < f64::INFINITY,
                "the time to expiry must be 0 or more",
            ),
            (
                (self.rate * self.years).abs() <= EXPONENT_MAX,
                "the rate must be a finite number a year",
            ),
            (
                (self.dividend_yield * self.years).abs() <= EXPONENT_MAX,
                "the dividend yield must be a finite number a year",
            ),
        ];
        // A comparison with NaN is false, so NaN fails its check.
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(Unpriced::Invalid(why)),
            None => Ok(()),
        }
    }

    /// What 1 paid at expiry is worth today.
    pub fn discount(&self) -> f64 {
        libm::exp(-self.rate * self.years)
    }

    /// What the underlying, bought today without its dividends, is worth a unit.
    pub fn discount_yield(&self) -> f64 {
        libm::exp(-self.dividend_yield * self.years)
    }

    /// The price at which the underlying is sold forward to expiry.
    pub fn forward(&self) -> f64 {
        self.spot * libm::exp((self.rate - self.dividend_yield) * self.years)
    }

    /// The same inputs at another spot.
    #[must_use]
    pub fn at_spot(self, spot: f64) -> Inputs {
        Inputs { spot, ..self }
    }

    /// The same inputs at another strike.
    #[must_use]
    pub fn at_strike(self, strike: f64) -> Inputs {
        Inputs { strike, ..self }
    }
}

/// Growth or discount over the life of an option beyond `exp` of this is a mistake of units.
const EXPONENT_MAX: f64 = 100.0;

/// A cash dividend with a known date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CashDividend {
    /// Years from today to the day the stock trades without it.
    pub years: f64,
    /// Cash a share.
    pub amount: f64,
}

/// The dividends that fall into the life of an option, valued at a moment: those with
/// `from < years <= to`, discounted to `from`.
pub fn present_value(dividends: &[CashDividend], rate: f64, from: f64, to: f64) -> f64 {
    let within = dividends.iter().filter(|d| d.years > from && d.years <= to);
    within
        .map(|d| d.amount * libm::exp(-rate * (d.years - from)))
        .sum()
}

/// A value and its derivatives.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Valuation {
    /// Value of the option, per unit of the underlying.
    pub price: f64,
    /// Per 1.00 of spot.
    pub delta: f64,
    /// Per 1.00 of spot, twice.
    pub gamma: f64,
    /// Per 1.00 of volatility.
    pub vega: f64,
    /// Per year that passes; negative is decay.
    pub theta: f64,
    /// Per 1.00 of the rate.
    pub rho: f64,
    /// Per 1.00 of the dividend yield.
    pub epsilon: f64,
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpriced {
    /// The price is at or below what the option is worth without any volatility, so none implies
    /// it.
    BelowIntrinsic,
    /// The price is at or above what the option is worth with unlimited volatility.
    AboveMax,
    /// The inputs describe no option; the text says which and what was expected.
    Invalid(&'static str),
}

impl Unpriced {
    /// `below_intrinsic`, `above_max`, `invalid`.
    pub fn name(self) -> &'static str {
        match self {
            Unpriced::BelowIntrinsic => "below_intrinsic",
            Unpriced::AboveMax => "above_max",
            Unpriced::Invalid(_) => "invalid",
        }
    }
}

impl fmt::Display for Unpriced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unpriced::BelowIntrinsic => {
                "the price is not above what the option is worth without volatility"
            }
            Unpriced::AboveMax => {
                "the price is not below what the option is worth with unlimited volatility"
            }
            Unpriced::Invalid(why) => why,
        })
    }
}

/// Checks a volatility: 0 or more, and below 100 (10,000% a year).
fn check_volatility(volatility: f64) -> Result<(), Unpriced> {
    if (0.0..=100.0).contains(&volatility) {
        Ok(())
    } else {
        Err(Unpriced::Invalid(
            "the volatility must be a fraction from 0 to 100 a year",
        ))
    }
}

/// Checks cash dividends against the inputs: finite, not negative, and worth less than the spot.
fn check_dividends(inputs: &Inputs, dividends: &[CashDividend]) -> Result<(), Unpriced> {
    let is_number =
        |d: &CashDividend| d.amount >= 0.0 && d.amount.is_finite() && d.years.is_finite();
    if !dividends.iter().all(is_number) {
        return Err(Unpriced::Invalid(
            "a dividend must be 0 or more, on a date that is a number of days",
        ));
    }
    if present_value(dividends, inputs.rate, 0.0, inputs.years) < inputs.spot {
        Ok(())
    } else {
        Err(Unpriced::Invalid(
            "the dividends must be worth less than the spot",
        ))
    }
}

/// The value of an option, by its style.
///
/// Cash dividends within the life of the option are escrowed: the spot less their present value
/// follows the lognormal walk, and exercise before a date gets the full spot. At a volatility or a
/// time of 0 the value is the limit: what exercise, at the best moment, gives for certain.
///
/// # Errors
/// [`Unpriced::Invalid`] for numbers that describe no option; never a NaN.
///
/// ```
/// use papertape::instrument::{Right, Style};
/// use papertape::pricing::{Inputs, price};
/// let put = Inputs { right: Right::Put, spot: 100.0, strike: 110.0, years: 0.5, rate: 0.05, dividend_yield: 0.0 };
/// let european = price(Style::European, &put, 0.2, &[])?;
/// let american = price(Style::American, &put, 0.2, &[])?;
/// assert!(american > european && american >= 10.0);
/// assert!(price(Style::European, &Inputs { years: -1.0, ..put }, 0.2, &[]).is_err());
/// # Ok::<(), papertape::pricing::Unpriced>(())
/// ```
pub fn price(
    style: Style,
    inputs: &Inputs,
    volatility: f64,
    dividends: &[CashDividend],
) -> Result<f64, Unpriced> {
    check_all(inputs, volatility, dividends)?;
    Ok(match style {
        Style::European => black_scholes::escrowed_price(inputs, volatility, dividends),
        Style::American => tree::price(inputs, volatility, dividends, tree::STEPS),
    })
}

/// The value and the greeks of an option, by its style; as [`price`].
///
/// # Errors
/// As [`price`].
pub fn value(
    style: Style,
    inputs: &Inputs,
    volatility: f64,
    dividends: &[CashDividend],
) -> Result<Valuation, Unpriced> {
    check_all(inputs, volatility, dividends)?;
    Ok(match style {
        Style::European => black_scholes::escrowed_value(inputs, volatility, dividends),
        Style::American => tree::value(inputs, volatility, dividends, tree::STEPS),
    })
}

/// The volatility that a price implies, by the style of the option.
///
/// # Errors
/// [`Unpriced::BelowIntrinsic`] and [`Unpriced::AboveMax`] for prices that no volatility gives,
/// [`Unpriced::Invalid`] for numbers that describe no option. At a time of 0 no price implies a
/// volatility.
pub fn implied_volatility(
    style: Style,
    inputs: &Inputs,
    price: f64,
    dividends: &[CashDividend],
) -> Result<f64, Unpriced> {
    check_all(inputs, 0.0, dividends)?;
    match style {
        Style::European => implied_vol::european(inputs, price, dividends),
        Style::American => implied_vol::american(inputs, price, dividends),
    }
}

fn check_all(inputs: &Inputs, volatility: f64, dividends: &[CashDividend]) -> Result<(), Unpriced> {
    inputs.check()?;
    check_volatility(volatility)?;
    check_dividends(inputs, dividends)
}
