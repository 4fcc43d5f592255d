//! American options on a binomial tree.
//!
//! The tree is that of Leisen & Reimer, Binomial Models for Option Valuation: Examining and
//! Improving Convergence (1996), with the second inversion of Peizer & Pratt (1968), which puts the
//! strike in the middle of the last row. The European option is valued on the same tree, and what
//! the tree gets wrong of it, known in closed form, is taken from the American one (control
//! variate: Hull & White, 1988). Cash dividends are escrowed: the spot less their present value
//! walks the tree, and exercise before a date gets the full spot. Functions here take numbers that
//! were checked; [`super::value`] checks them.

use super::{CashDividend, Inputs, Valuation, black_scholes, present_value};
use crate::instrument::Right;
use crate::lanes;

/// Steps of the trees that the crate uses: the largest error on the published grid is 1.5e-4 of the
/// strike, the median 6e-7.
pub const STEPS: usize = 201;

/// Volatility over the life of an option from which on more makes no difference.
const DEVIATION_MAX: f64 = 25.0;

/// The value on a tree of `steps` steps (made odd). A volatility or time of 0 gives the limit: what
/// exercise at the best moment gives for certain.
pub fn price(inputs: &Inputs, volatility: f64, dividends: &[CashDividend], steps: usize) -> f64 {
    if is_never_early(inputs, dividends) {
        return black_scholes::escrowed_price(inputs, volatility, dividends);
    }
    let Some(tree) = Tree::new(inputs, volatility, dividends, steps) else {
        return Certain::best(inputs, dividends).value;
    };
    let closed_form = black_scholes::price(&tree.inputs, tree.volatility);
    let raw = tree.american::<1>()[0];
    if raw <= tree.exercised {
        // Exercise at once is best, and its value is known exactly.
        return tree.exercised.max(closed_form);
    }
    (raw + closed_form - tree.european())
        .max(closed_form)
        .max(tree.exercised)
}

/// The value and the greeks on a tree of `steps` steps. Delta and gamma are read from its second
/// and third row, theta follows from them (Black & Scholes' equation), vega, rho and epsilon are
/// central differences. Where exercise at once is best, delta is 1 or -1 and the others 0.
pub fn value(
    inputs: &Inputs,
    volatility: f64,
    dividends: &[CashDividend],
    steps: usize,
) -> Valuation {
    if is_never_early(inputs, dividends) {
        return black_scholes::escrowed_value(inputs, volatility, dividends);
    }
    let Some(tree) = Tree::new(inputs, volatility, dividends, steps) else {
        return Certain::best(inputs, dividends).valuation(inputs, dividends);
    };
    let price = price(inputs, volatility, dividends, steps);
    if price <= tree.exercised {
        return Valuation {
            price,
            delta: inputs.right.sign(),
            ..Valuation::default()
        };
    }
    let closed_form = black_scholes::value(&tree.inputs, tree.volatility);
    let american = tree.slopes(tree.american::<3>());
    let european = tree.slopes(tree.european_rows());
    let delta = american.0 - european.0 + closed_form.delta;
    let gamma = (american.1 - european.1 + closed_form.gamma).max(0.0);
    let spot = tree.inputs.spot;
    let escrow = inputs.spot - spot;
    let variance = tree.volatility * tree.volatility;
    let theta = inputs.rate * price
        - (inputs.rate - inputs.dividend_yield) * spot * delta
        - 0.5 * variance * spot * spot * gamma
        - delta * inputs.rate * escrow;
    let at = |inputs: Inputs, volatility: f64| self::price(&inputs, volatility, dividends, steps);
    let slope = |up: f64, down: f64, step: f64| (up - down) / (2.0 * step);
    let step = (0.1 * volatility).min(0.005);
    let vega = slope(
        at(*inputs, volatility + step),
        at(*inputs, volatility - step),
        step,
    );
    let step = 0.001;
    let rated = |rate| Inputs { rate, ..*inputs };
    let rho = slope(
        at(rated(inputs.rate + step), volatility),
        at(rated(inputs.rate - step), volatility),
        step,
    );
    let paying = |dividend_yield| Inputs {
        dividend_yield,
        ..*inputs
    };
    let epsilon = slope(
        at(paying(inputs.dividend_yield + step), volatility),
        at(paying(inputs.dividend_yield - step), volatility),
        step,
    );
    Valuation {
        price,
        delta,
        gamma,
        vega,
        theta,
        rho,
        epsilon,
    }
}

/// Waiting never costs anything, so the American option is the European one: a call without
/// dividends while rates are not negative, a put while cash earns nothing.
fn is_never_early(inputs: &Inputs, dividends: &[CashDividend]) -> bool {
    let pays = || {
        let within = |d: &CashDividend| d.years > 0.0 && d.years <= inputs.years && d.amount > 0.0;
        dividends.iter().any(within)
    };
    match inputs.right {
        Right::Call => inputs.rate >= 0.0 && inputs.dividend_yield <= 0.0 && !pays(),
        Right::Put => inputs.rate <= 0.0 && inputs.dividend_yield >= 0.0,
    }
}

/// Probability of a step up such that `n` steps end above the strike with the probability of a
/// normal variable below `z`, and its complement, both to full relative precision.
/// Source: Peizer & Pratt (1968), method 2.
fn inverted(z: f64, n: f64) -> (f64, f64) {
    let scaled = z / (n + 1.0 / 3.0 + 0.1 / (n + 1.0));
    let exponent = scaled * scaled * (n + 1.0 / 6.0);
    let root = (-libm::expm1(-exponent)).sqrt();
    let small = 0.5 * libm::exp(-exponent) / (1.0 + root);
    if z >= 0.0 {
        (1.0 - small, small)
    } else {
        (small, 1.0 - small)
    }
}

struct Tree {
    steps: usize,
    /// With the present value of the dividends taken from the spot.
    inputs: Inputs,
    volatility: f64,
    /// What exercise at once gives.
    exercised: f64,
    /// Probabilities of a step up and down, each discounted over the step.
    up: f64,
    down: f64,
    /// Probability of a step up, and what a step discounts by.
    share: f64,
    discount: f64,
    /// Powers of the square root of (up move / down move) with exponents of the parity of the
    /// index, from the lowest to the highest.
    powers: [Vec<f64>; 2],
    /// The middle of row i.
    centres: Vec<f64>,
    /// Exercise in row i gives the node's price less this (calls), or this less the node's price.
    strikes: Vec<f64>,
}

impl Tree {
    /// `None` when nothing is uncertain, to the precision of the numbers.
    fn new(
        inputs: &Inputs,
        volatility: f64,
        dividends: &[CashDividend],
        steps: usize,
    ) -> Option<Tree> {
        let steps = steps.max(3) | 1;
        let root_years = inputs.years.sqrt();
        let deviation = (volatility * root_years).min(DEVIATION_MAX);
        if deviation <= 0.0 {
            return None;
        }
        let escrowed = black_scholes::escrowed(inputs, dividends);
        let (d1, d2) = black_scholes::d1_d2(&escrowed, deviation);
        let n = steps as f64;
        let (share, rest) = inverted(d2, n);
        let (share_held, rest_held) = inverted(d1, n);
        if share.min(rest).min(share_held).min(rest_held) < 1e-290 {
            return None;
        }
        let step = inputs.years / n;
        let growth = libm::exp((inputs.rate - inputs.dividend_yield) * step);
        let discount = libm::exp(-inputs.rate * step);
        let up_move = growth * (share_held / share);
        let down_move = growth * (rest_held / rest);
        let ratio = (up_move / down_move).sqrt();
        let middle = (up_move * down_move).sqrt();
        let mut centres = Vec::with_capacity(steps + 1);
        let mut centre = escrowed.spot;
        for _ in 0..=steps {
            centres.push(centre);
            centre *= middle;
        }
        Some(Tree {
            steps,
            inputs: escrowed,
            volatility: deviation / root_years,
            exercised: inputs.right.intrinsic(inputs.spot, inputs.strike),
            up: discount * share,
            down: discount * rest,
            share,
            discount,
            powers: powers(ratio, steps),
            centres,
            strikes: strikes(inputs, dividends, steps),
        })
    }

    /// The relative prices of the nodes of row `i`, `i + 1` of them.
    fn row(&self, i: usize) -> &[f64] {
        let powers = &self.powers[i % 2];
        let start = (powers.len() - 1 - i) / 2;
        &powers[start..=start + i]
    }

    /// What the last row pays.
    fn payoffs(&self) -> Vec<f64> {
        let (sign, strike) = (self.inputs.right.sign(), self.inputs.strike);
        let centre = self.centres[self.steps];
        let pay = |power: &f64| (sign * (centre * power - strike)).max(0.0);
        self.row(self.steps).iter().map(pay).collect()
    }

    /// The American option in the first rows, the `R` nodes of row `R - 1` last: with 1 the value
    /// alone, with 3 those of row 2 as well: `[v, down, up, down down, middle, up up]` has its places
    /// 0, 1, 2, 3, 4, 5.
    fn american<const R: usize>(&self) -> [f64; 6] {
        let mut values = self.payoffs();
        let mut next = values.clone();
        let mut first = [0.0; 6];
        for i in (0..self.steps).rev() {
            let stage = Stage {
                up: self.up,
                down: self.down,
                sign: self.inputs.right.sign(),
                centre: self.centres[i],
                strike: self.strikes[i],
            };
            let (values_of, into, row) = (&values[..=i + 1], &mut next[..=i], self.row(i));
            lanes::wide(|| stage.step_back(values_of, into, row));
            std::mem::swap(&mut values, &mut next);
            if i < R.max(1) {
                keep(&mut first, i, &values);
            }
        }
        first
    }

    /// The European option in the first rows, as [`Tree::american`] gives them.
    fn european_rows(&self) -> [f64; 6] {
        let mut values = self.payoffs();
        let mut first = [0.0; 6];
        for i in (0..self.steps).rev() {
            for j in 0..=i {
                values[j] = self.up * values[j + 1] + self.down * values[j];
            }
            if i < 3 {
                keep(&mut first, i, &values);
            }
        }
        first
    }

    /// The European option at the root, by the probabilities of the last row.
    fn european(&self) -> f64 {
        let n = self.steps;
        let (p, q) = (self.share, self.down / self.discount);
        let mode = ((n as f64 + 1.0) * p).floor().min(n as f64) as usize;
        let mut weights = vec![0.0; n + 1];
        weights[mode] = 1.0;
        for j in mode..n {
            weights[j + 1] = weights[j] * ((n - j) as f64 / (j + 1) as f64) * (p / q);
        }
        for j in (0..mode).rev() {
            weights[j] = weights[j + 1] * ((j + 1) as f64 / (n - j) as f64) * (q / p);
        }
        let total: f64 = weights.iter().sum();
        let payoffs = self.payoffs();
        let expected: f64 = weights.iter().zip(&payoffs).map(|(w, v)| w * v).sum();
        expected / total * self.inputs.discount()
    }

    /// Delta and gamma from the first three rows.
    fn slopes(&self, first: [f64; 6]) -> (f64, f64) {
        let [_, down, up, low, middle, high] = first;
        let price = |i: usize, j: usize| self.centres[i] * self.row(i)[j];
        let delta = (up - down) / (price(1, 1) - price(1, 0));
        let above = (high - middle) / (price(2, 2) - price(2, 1));
        let below = (middle - low) / (price(2, 1) - price(2, 0));
        let gamma = (above - below) / (0.5 * (price(2, 2) - price(2, 0)));
        (delta, gamma)
    }
}

/// Puts row `i` of the tree, at most the third, to its place among the first rows.
fn keep(first: &mut [f64; 6], i: usize, values: &[f64]) {
    let place = i * (i + 1) / 2;
    first[place..=place + i].copy_from_slice(&values[..=i]);
}

/// One row of the tree from the row after it.
struct Stage {
    up: f64,
    down: f64,
    sign: f64,
    centre: f64,
    strike: f64,
}

impl Stage {
    #[inline(always)]
    fn step_back(&self, after: &[f64], into: &mut [f64], row: &[f64]) {
        let pairs = after.iter().zip(&after[1..]);
        for ((value, (low, high)), power) in into.iter_mut().zip(pairs).zip(row) {
            let held = self.up * high + self.down * low;
            let exercised = self.sign * (self.centre * power - self.strike);
            *value = if held > exercised { held } else { exercised };
        }
    }
}

/// Powers of `ratio` from `-steps` to `steps`: those with even exponents, those with odd ones.
fn powers(ratio: f64, steps: usize) -> [Vec<f64>; 2] {
    let square = ratio * ratio;
    let of = |parity: usize| {
        let highest = if steps % 2 == parity {
            steps
        } else {
            steps - 1
        };
        // Exponents -highest, -highest + 2, …, highest; the middle is a short way to either end.
        let mut all = vec![0.0; highest + 1];
        let (mut above, mut below) = if parity == 0 {
            (1.0, 1.0)
        } else {
            (ratio, 1.0 / ratio)
        };
        let upper = highest.div_ceil(2);
        let lower = highest / 2;
        for k in 0..=lower {
            all[upper + k] = above;
            all[lower - k] = below;
            above *= square;
            below /= square;
        }
        all
    };
    [of(0), of(1)]
}

/// What exercise in each row is measured against: the strike less the dividends that are still to
/// come. A call is exercised just before a date: a row whose step holds one pays the strike then.
fn strikes(inputs: &Inputs, dividends: &[CashDividend], steps: usize) -> Vec<f64> {
    if dividends.is_empty() {
        return vec![inputs.strike; steps + 1];
    }
    let step = inputs.years / steps as f64;
    let of_row = |i: usize| {
        let from = i as f64 * step;
        let still = present_value(dividends, inputs.rate, from, inputs.years);
        let next = dividends
            .iter()
            .map(|d| d.years)
            .filter(|years| *years > from && *years <= (from + step).min(inputs.years))
            .fold(f64::INFINITY, f64::min);
        let waits = inputs.right == Right::Call && inputs.rate > 0.0 && next.is_finite();
        let wait = if waits { next - from } else { 0.0 };
        inputs.strike * libm::exp(-inputs.rate * wait) - still
    };
    (0..=steps).map(of_row).collect()
}

/// The best moment of exercise when nothing is uncertain.
struct Certain {
    /// Years from now.
    moment: f64,
    /// What exercise then is worth now.
    value: f64,
}

impl Certain {
    /// Between dividends the value is a difference of two exponentials, so the best moment is
    /// an end of such a stretch, or where the yield on the stock is the interest on the strike.
    fn best(inputs: &Inputs, dividends: &[CashDividend]) -> Certain {
        let escrowed = black_scholes::escrowed(inputs, dividends).spot;
        let worth = |moment: f64, cum: bool| {
            let still = |d: &&CashDividend| {
                let later = d.years > moment || (cum && d.years == moment);
                d.years > 0.0 && later && d.years <= inputs.years
            };
            let coming: f64 = dividends
                .iter()
                .filter(still)
                .map(|d| d.amount * libm::exp(-inputs.rate * d.years))
                .sum();
            let stock = escrowed * libm::exp(-inputs.dividend_yield * moment) + coming;
            inputs
                .right
                .intrinsic(stock, inputs.strike * libm::exp(-inputs.rate * moment))
        };
        let mut best = Certain {
            moment: inputs.years,
            value: worth(inputs.years, false),
        };
        let dates = dividends.iter().map(|d| d.years);
        let balanced = {
            let earned = inputs.dividend_yield * escrowed;
            let saved = inputs.rate * inputs.strike;
            let between = libm::log(earned / saved) / (inputs.dividend_yield - inputs.rate);
            (earned * saved > 0.0).then_some(between)
        };
        let moments = dates.chain(balanced).chain([0.0]);
        for moment in moments.filter(|m| *m >= 0.0 && *m < inputs.years) {
            for cum in [true, false] {
                let value = worth(moment, cum);
                if value > best.value {
                    best = Certain { moment, value };
                }
            }
        }
        best
    }

    /// The greeks of exercise at that moment; time that passes changes nothing unless it is expiry.
    fn valuation(&self, inputs: &Inputs, dividends: &[CashDividend]) -> Valuation {
        let until = Inputs {
            years: self.moment,
            ..*inputs
        };
        let mut value = black_scholes::escrowed_value(&until, 0.0, dividends);
        value.price = self.value;
        if self.moment < inputs.years {
            value.theta = 0.0;
        }
        value
    }
}
