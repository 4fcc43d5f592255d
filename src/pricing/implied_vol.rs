//! The volatility that a price implies.
//!
//! European prices: Jaeckel, Let's Be Rational (2015), by the crate `implied-vol`. American prices:
//! the method of Brent (1973) on the tree. Functions here take inputs that were checked;
//! [`super::implied_volatility`] checks them.

use super::{CashDividend, Inputs, Unpriced, black_scholes, tree};
use crate::instrument::Right;
use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatility};

/// Volatilities that are looked for in American prices.
const RANGE: (f64, f64) = (1e-4, 5.0);

/// The volatility of a European price, with escrowed cash dividends.
///
/// # Errors
/// [`Unpriced::BelowIntrinsic`] at or below the discounted intrinsic value of the forward,
/// [`Unpriced::AboveMax`] at or above what no option can cost, [`Unpriced::Invalid`] for a price that
/// is no number or a time of 0.
pub fn european(inputs: &Inputs, price: f64, dividends: &[CashDividend]) -> Result<f64, Unpriced> {
    check(inputs, price)?;
    let inputs = black_scholes::escrowed(inputs, dividends);
    if price <= black_scholes::certain_price(&inputs) {
        return Err(Unpriced::BelowIntrinsic);
    }
    if price >= black_scholes::upper_bound(&inputs) {
        return Err(Unpriced::AboveMax);
    }
    let discount = inputs.discount();
    let undiscounted = price / discount;
    let forward = inputs.forward();
    let implied = ImpliedBlackVolatility::builder()
        .option_price(undiscounted)
        .forward(forward)
        .strike(inputs.strike)
        .expiry(inputs.years)
        .is_call(inputs.right == Right::Call)
        .build()
        .and_then(|option| option.calculate::<DefaultSpecialFn>())
        .filter(|volatility| volatility.is_finite() && *volatility > 0.0);
    // The bounds were met above; what is left is the last bit of a bound after discounting.
    implied.ok_or_else(|| {
        if undiscounted <= inputs.right.intrinsic(forward, inputs.strike) * (1.0 + 1e-12) {
            Unpriced::BelowIntrinsic
        } else {
            Unpriced::AboveMax
        }
    })
}

/// The volatility of an American price, with escrowed cash dividends, to 1e-9.
///
/// # Errors
/// As [`european`], with the bounds of American options: [`Unpriced::BelowIntrinsic`] where exercise
/// at the best moment is certain to give as much.
pub fn american(inputs: &Inputs, price: f64, dividends: &[CashDividend]) -> Result<f64, Unpriced> {
    check(inputs, price)?;
    let excess = |volatility: f64| tree::price(inputs, volatility, dividends, tree::STEPS) - price;
    let bound = match inputs.right {
        Right::Call => inputs.spot,
        Right::Put => inputs.strike,
    };
    if price >= bound {
        return Err(Unpriced::AboveMax);
    }
    if excess(0.0) >= 0.0 || excess(RANGE.0) >= 0.0 {
        return Err(Unpriced::BelowIntrinsic);
    }
    // The American option is worth more at the same volatility, so it implies less.
    let guess = european(inputs, price, dividends).unwrap_or(RANGE.1);
    let mut high = (guess * 1.000_001).clamp(2.0 * RANGE.0, RANGE.1);
    if excess(high) < 0.0 {
        high = RANGE.1;
        if excess(high) < 0.0 {
            return Err(Unpriced::AboveMax);
        }
    }
    let low = [0.9, 0.5].into_iter().map(|share| share * high);
    let low = low
        .filter(|low| *low > RANGE.0)
        .find(|low| excess(*low) < 0.0);
    Ok(brent(excess, low.unwrap_or(RANGE.0), high))
}

fn check(inputs: &Inputs, price: f64) -> Result<(), Unpriced> {
    if !price.is_finite() {
        return Err(Unpriced::Invalid("the price must be a number"));
    }
    if inputs.years <= 0.0 {
        return Err(Unpriced::Invalid(
            "a price implies a volatility only while there is time to expiry",
        ));
    }
    Ok(())
}

/// A root of a function with a change of sign between `low` and `high`, to 1e-10.
/// Source: Brent, Algorithms for Minimization without Derivatives (1973), chapter 4.
fn brent(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    const TOLERANCE: f64 = 1e-10;
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (f(a), f(b));
    let (mut c, mut fc) = (a, fa);
    let (mut step, mut before) = (b - a, b - a);
    for _ in 0..100 {
        if (fb > 0.0) == (fc > 0.0) {
            (c, fc) = (a, fa);
            step = b - a;
            before = step;
        }
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let half = 0.5 * (c - b);
        if half.abs() <= TOLERANCE || fb == 0.0 {
            break;
        }
        let mut is_bisected = true;
        if before.abs() >= TOLERANCE && fa.abs() > fb.abs() {
            let s = fb / fa;
            let (mut p, mut q) = if a == c {
                (2.0 * half * s, 1.0 - s)
            } else {
                let (q, r) = (fa / fc, fb / fc);
                (
                    s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0)),
                    (q - 1.0) * (r - 1.0) * (s - 1.0),
                )
            };
            if p > 0.0 {
                q = -q;
            }
            p = p.abs();
            let least = (3.0 * half * q - (TOLERANCE * q).abs()).min((before * q).abs());
            if 2.0 * p < least {
                before = step;
                step = p / q;
                is_bisected = false;
            }
        }
        if is_bisected {
            step = half;
            before = half;
        }
        (a, fa) = (b, fb);
        b += if step.abs() > TOLERANCE {
            step
        } else {
            TOLERANCE.copysign(half)
        };
        fb = f(b);
    }
    b
}
