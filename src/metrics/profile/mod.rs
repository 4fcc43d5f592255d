//! What other programs call by the same names: their definitions, to be printed beside ours.
//!
//! A profile is a program at one version, a row in it one figure under the key of ours that it is to be
//! compared with. Everything is computed from the inputs of our own metrics, with the program's defaults (a
//! risk-free rate of 0 above all), so that a difference in a figure is a difference in its definition and
//! never one in what was simulated. Which profile is wanted is the strategy's `[report] profile`.

mod rows;

use crate::metrics::prepared::{OBSERVATIONS_MIN, OBSERVATIONS_TAIL_MIN, Prepared, Value};
use crate::metrics::{Absent, Inputs, Unit, finite, moments};
use std::fmt;

/// One figure as another program defines it.
pub struct Definition {
    /// Key of our figure beside it.
    pub key: &'static str,
    /// What the program calls it.
    pub name: &'static str,
    /// What the number is.
    pub unit: Unit,
    /// Its definition; names as in the formulas of our own, n session returns, W their wealth.
    pub formula: &'static str,
    compute: fn(&Prepared) -> Value<f64>,
}

/// A program and its definitions.
pub struct Profile {
    /// Its name in `[report] profile`.
    pub name: &'static str,
    /// The version or commit that the definitions were read in.
    pub version: &'static str,
    /// The file that they stand in.
    pub source: &'static str,
    /// The figures, in the order of our own.
    pub rows: &'static [&'static [Definition]],
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({} {})", self.name, self.version)
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.version) == (other.name, other.version)
    }
}

impl Profile {
    /// Every definition, in order.
    pub fn definitions(&self) -> impl Iterator<Item = &'static Definition> {
        self.rows.iter().flat_map(|rows| rows.iter())
    }
}

/// Every profile, in the order of the vocabulary.
pub fn profiles() -> &'static [Profile] {
    &rows::PROFILES
}

/// The profile of a name.
pub fn find_profile(name: &str) -> Option<&'static Profile> {
    profiles().iter().find(|profile| profile.name == name)
}

/// The figures of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profiled {
    /// Whose they are.
    pub profile: &'static Profile,
    /// The numbers, or why they are absent, one a definition.
    pub values: Vec<std::result::Result<f64, String>>,
}

impl Profiled {
    /// Measures `inputs` by the definitions of a profile.
    ///
    /// # Panics
    /// As [`Prepared::new`], if the columns differ in length.
    pub fn of(profile: &'static Profile, inputs: &Inputs) -> Self {
        let inputs = Inputs {
            rate: &[],
            ..*inputs
        };
        let prepared = Prepared::new(&inputs);
        let values = profile
            .definitions()
            .map(|row| finite((row.compute)(&prepared)));
        Profiled {
            profile,
            values: values.collect(),
        }
    }

    /// Each definition with its number or reason.
    pub fn rows(
        &self,
    ) -> impl Iterator<Item = (&'static Definition, &std::result::Result<f64, String>)> {
        self.profile.definitions().zip(&self.values)
    }

    /// The number beside our figure of a key; `None` when it is absent or the program has none.
    pub fn get(&self, key: &str) -> Option<f64> {
        let (_, value) = self.rows().find(|(row, _)| row.key == key)?;
        value.as_ref().ok().copied()
    }
}

/// Session returns, enough of them for a spread.
fn returns<'p>(p: &'p Prepared<'_>) -> Value<&'p [f64]> {
    p.returns_of(OBSERVATIONS_MIN)
}

/// Growth a year of `wealth` after so many of the `a_year` periods.
fn annual(wealth: f64, periods: usize, a_year: f64) -> Value<f64> {
    if wealth < 0.0 {
        return Err(Absent::new("more than everything was lost"));
    }
    Ok(libm::pow(wealth, a_year / periods as f64) - 1.0)
}

/// W^(a_year / n) - 1.
fn annual_return(p: &Prepared, a_year: f64) -> Value<f64> {
    annual(p.growth()?, returns(p)?.len(), a_year)
}

/// The quotient, absent where the divisor is nothing.
fn over(a: f64, b: f64, why: &'static str) -> Value<f64> {
    match b.abs() <= moments::FLAT || !b.is_finite() {
        true => Err(Absent::new(why)),
        false => Ok(a / b),
    }
}

const FLAT: &str = "the returns do not vary";
const STILL: &str = "the benchmark does not vary";
const NO_LOSS: &str = "no losing session";
const NO_DRAWDOWN: &str = "no drawdown";

fn volatility(p: &Prepared, a_year: f64) -> Value<f64> {
    Ok(moments::deviation(returns(p)?) * a_year.sqrt())
}

fn sharpe(p: &Prepared, a_year: f64) -> Value<f64> {
    let r = returns(p)?;
    Ok(over(moments::mean(r), moments::deviation(r), FLAT)? * a_year.sqrt())
}

/// sqrt(mean of min(r, 0)^2).
fn downside(r: &[f64]) -> f64 {
    (moments::sum_of(r, |v| v.min(0.0) * v.min(0.0)) / r.len() as f64).sqrt()
}

fn sortino(p: &Prepared, a_year: f64) -> Value<f64> {
    let r = returns(p)?;
    Ok(over(moments::mean(r), downside(r), NO_LOSS)? * a_year.sqrt())
}

fn omega(p: &Prepared) -> Value<f64> {
    let r = returns(p)?;
    let losses = moments::sum_of(r, |v| (-v).max(0.0));
    over(moments::sum_of(r, |v| v.max(0.0)), losses, NO_LOSS)
}

/// Adjusted skewness and excess kurtosis, as pandas and spreadsheets have them.
/// Source: Joanes & Gill (1998), G1 and G2.
fn adjusted_shape(r: &[f64]) -> Value<(f64, f64)> {
    let (g1, kurtosis) = moments::shape(r).ok_or_else(|| Absent::new(FLAT))?;
    let (n, g2) = (r.len() as f64, kurtosis - 3.0);
    let skew = g1 * (n * (n - 1.0)).sqrt() / (n - 2.0);
    let excess = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g2 + 6.0);
    Ok((skew, excess))
}

fn tail<'p>(p: &'p Prepared<'_>) -> Value<&'p [f64]> {
    p.returns_of(OBSERVATIONS_TAIL_MIN)
}

/// Mean of the floor(5% of (n - 1)) + 1 worst returns.
fn mean_of_worst(p: &Prepared) -> Value<f64> {
    let sorted = p.sorted()?;
    let worst = ((sorted.len() - 1) as f64 * 0.05) as usize + 1;
    Ok(moments::mean(&sorted[..worst]))
}

/// Mean plus `z` standard deviations.
fn normal_quantile_of(r: &[f64], z: f64) -> f64 {
    moments::mean(r) + z * moments::deviation(r)
}

/// Slope of the returns on the benchmark's.
fn beta(p: &Prepared) -> Value<f64> {
    let (r, b) = (p.returns()?, p.benchmark()?);
    let spread = moments::spread(b).ok_or_else(|| Absent::new(STILL))?;
    Ok(moments::covariance(r, b) / spread / spread)
}

/// mean(r) - beta * mean(b), of one session.
fn alpha_of_session(p: &Prepared) -> Value<f64> {
    Ok(moments::mean(p.returns()?) - beta(p)? * moments::mean(p.benchmark()?))
}

fn alpha_compounded(p: &Prepared, a_year: f64) -> Value<f64> {
    Ok(libm::pow(1.0 + alpha_of_session(p)?, a_year) - 1.0)
}

/// r - b.
fn active(p: &Prepared) -> Value<Vec<f64>> {
    let (r, b) = (p.returns()?, p.benchmark()?);
    Ok(r.iter().zip(b).map(|(x, y)| x - y).collect())
}

/// mean(r - b) / sd(r - b), not annualised.
fn information_of_session(p: &Prepared) -> Value<f64> {
    let active = active(p)?;
    let alike = "the difference to the benchmark does not vary";
    over(moments::mean(&active), moments::deviation(&active), alike)
}

/// Annual geometric return of r over the same of b on sessions that count.
fn capture(p: &Prepared, counts: fn(f64) -> bool) -> Value<f64> {
    let (r, b) = (p.returns()?, p.benchmark()?);
    let (mut own, mut theirs, mut sessions) = (1.0, 1.0, 0);
    for (r, b) in r.iter().zip(b).filter(|(_, b)| counts(**b)) {
        own *= 1.0 + r;
        theirs *= 1.0 + b;
        sessions += 1;
    }
    if sessions == 0 {
        return Err(Absent::new("no session in which the benchmark moved so"));
    }
    let theirs = annual(theirs, sessions, A_YEAR)?;
    over(annual(own, sessions, A_YEAR)?, theirs, STILL)
}

/// Trading days a year in most programs, whatever the calendar of the market.
const A_YEAR: f64 = 252.0;

/// Deepest fall from the highest wealth, the money at the start not counting as a peak: a loss on the first
/// session is not seen.
fn drawdown_without_start(p: &Prepared) -> Value<f64> {
    let mut peak = 0.0_f64;
    let falls = p.wealth()?.iter().map(|w| {
        peak = peak.max(*w);
        w / peak - 1.0
    });
    Ok(falls.fold(0.0, f64::min))
}

fn drawdown(p: &Prepared) -> Value<f64> {
    Ok(p.drawdowns()?.iter().copied().fold(0.0, f64::min))
}

/// Sum of the positive numbers, and of the negative ones.
fn both_sides(x: impl Iterator<Item = f64>) -> (f64, f64) {
    x.fold((0.0, 0.0), |(up, down), v| {
        (up + v.max(0.0), down + v.min(0.0))
    })
}
