//! The volatility of a strike when only an index of volatility is known.
//!
//! An index such as the VIX is the level of a variance swap: it weighs puts of low strikes, which are
//! dear. Calls of the same underlying sell below it. Taking the index for every strike flatters a
//! covered call by 4 to 6% of return a year, so the skewed surface is the default and the flat one
//! says so. Every function here looks at the numbers that it is given and no further.

use super::DAYS_A_YEAR;

/// How the volatility of a strike follows from the index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Surface {
    /// sigma(K) = V (level + slope x + curvature x^2), x = ln(K / F) / (V sqrt(T)), x held within
    /// [-3, 3] and the factor at 0.2 or more.
    Skew {
        /// Factor of the strike at the forward.
        level: f64,
        /// What a standard deviation up adds to it; negative for equities.
        slope: f64,
        /// What its square adds.
        curvature: f64,
    },
    /// sigma(K) = V.
    Flat,
}

/// Beyond so many standard deviations the skew is not continued.
const DEVIATIONS_MAX: f64 = 3.0;
/// The least factor of a skewed surface.
const FACTOR_MIN: f64 = 0.2;
/// The index is taken as it is for so many days.
const FLAT_DAYS: f64 = 60.0;
/// How fast variance returns to its median, a year.
const REVERSION: f64 = 4.0;

impl Surface {
    /// The default for an index and its volatility index: with it the returns of Cboe's buy-write,
    /// put-write and collar indices come out, and the smile's own model-free volatility is the index
    /// again.
    pub const INDEX: Surface = Surface::Skew {
        level: 0.86,
        slope: -0.25,
        curvature: 0.02,
    };

    /// The default for a single stock, whose skew is flatter.
    pub const STOCK: Surface = Surface::Skew {
        level: 0.86,
        slope: -0.10,
        curvature: 0.02,
    };

    /// The volatility of a strike, a fraction a year. `index_volatility` is the level of the index
    /// as a fraction (VIX 20 is 0.2), for that expiry ([`at_term`]); `forward` is the underlying's.
    ///
    /// ```
    /// use papertape::pricing::Surface;
    /// let at = |strike| Surface::INDEX.volatility(0.2, 100.0, strike, 30.0 / 365.0);
    /// assert!((at(100.0) - 0.86 * 0.2).abs() < 1e-12);
    /// assert!(at(95.0) > at(100.0) && at(100.0) > at(105.0));
    /// ```
    pub fn volatility(self, index_volatility: f64, forward: f64, strike: f64, years: f64) -> f64 {
        let Surface::Skew {
            level,
            slope,
            curvature,
        } = self
        else {
            return index_volatility;
        };
        let deviation = index_volatility * years.sqrt();
        let away = libm::log(strike / forward);
        let x = if deviation > 0.0 {
            (away / deviation).clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX)
        } else if away == 0.0 {
            0.0
        } else {
            DEVIATIONS_MAX.copysign(away)
        };
        let factor = level + slope * x + curvature * x * x;
        index_volatility * factor.max(FACTOR_MIN)
    }

    /// What the user of this surface must be told.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Surface::Skew { .. } => None,
            Surface::Flat => Some(
                "flat surface: every strike is priced at the index of volatility, which is dearer than the calls it stands for; a covered call looks 4 to 6% of return a year better than it was",
            ),
        }
    }

    /// The surface with its level moved by `premium` (-0.05, 0.05): the volatility premium is an
    /// assumption, and this is how it is varied. A flat surface becomes one without a skew.
    #[must_use]
    pub fn shifted(self, premium: f64) -> Surface {
        match self {
            Surface::Skew {
                level,
                slope,
                curvature,
            } => Surface::Skew {
                level: level + premium,
                slope,
                curvature,
            },
            Surface::Flat => Surface::Skew {
                level: 1.0 + premium,
                slope: 0.0,
                curvature: 0.0,
            },
        }
    }
}

/// The level of the index for an expiry: as it is up to 60 days; beyond, variance returns to
/// `median_variance` (of the squares of the index up to now):
/// var(T) = theta + (v0 - theta) (1 - exp(-kappa T)) / (kappa T), kappa 4, and total variance
/// is at least that of 60 days, because a later expiry is never worth less.
pub fn at_term(index_volatility: f64, median_variance: f64, years: f64) -> f64 {
    let flat_years = FLAT_DAYS / DAYS_A_YEAR;
    if years <= flat_years {
        return index_volatility;
    }
    let now = index_volatility * index_volatility;
    let share = -libm::expm1(-REVERSION * years) / (REVERSION * years);
    let variance = median_variance + (now - median_variance) * share;
    variance.max(now * flat_years / years).sqrt()
}

/// The volatility for an expiry from indices of several terms, as `(years, volatility)` in the order
/// of years: total variance is linear between them, volatility is flat outside. `None` when there is
/// none.
pub fn between_terms(terms: &[(f64, f64)], years: f64) -> Option<f64> {
    let after = terms.partition_point(|(term, _)| *term < years);
    let (Some(before), Some(next)) = (
        after.checked_sub(1).and_then(|i| terms.get(i)),
        terms.get(after),
    ) else {
        return terms.get(after).or(terms.last()).map(|(_, v)| *v);
    };
    let total = |(term, volatility): &(f64, f64)| term * volatility * volatility;
    let share = (years - before.0) / (next.0 - before.0);
    let variance = total(before) + share * (total(next) - total(before));
    Some((variance / years).sqrt())
}

/// The median of the squares of the index from its beginning to each day, for [`at_term`]: place
/// `i` of the answer looks at the days up to `i` and at none after. Values that are not finite are
/// left out; `NaN` where there was none before.
pub fn expanding_median_variance(index_volatility: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = Vec::with_capacity(index_volatility.len());
    let mut medians = Vec::with_capacity(index_volatility.len());
    for volatility in index_volatility {
        let variance = volatility * volatility;
        if variance.is_finite() {
            let place = sorted.partition_point(|v| *v < variance);
            sorted.insert(place, variance);
        }
        let half = sorted.len() / 2;
        medians.push(match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[half],
            _ => 0.5 * (sorted[half - 1] + sorted[half]),
        });
    }
    medians
}

/// What realised volatility is multiplied by when no index is known.
pub const REALISED_TO_IMPLIED: f64 = 1.15;
/// The least implied volatility that is made from a realised one.
pub const IMPLIED_MIN: f64 = 0.08;
/// What the user of a realised volatility must be told.
pub const REALISED_WARNING: &str = "model-priced: realised volatility times a factor stands in for implied volatility; what option writers are paid above it is the factor, an assumption";

/// Realised volatility of closes, a fraction a year: the sample deviation of their log returns times
/// the square root of `bars_a_year`. `None` with fewer than 3 closes or one that is not above 0.
pub fn realised(closes: &[f64], bars_a_year: f64) -> Option<f64> {
    if closes.len() < 3 || !closes.iter().all(|close| *close > 0.0) {
        return None;
    }
    let returns = || closes.windows(2).map(|w| libm::log(w[1] / w[0]));
    let n = (closes.len() - 1) as f64;
    let mean = returns().sum::<f64>() / n;
    let squares: f64 = returns().map(|r| (r - mean) * (r - mean)).sum();
    let volatility = (squares / (n - 1.0) * bars_a_year).sqrt();
    volatility.is_finite().then_some(volatility)
}

/// Open, high, low and close of one bar.
pub type Ohlc = [f64; 4];

/// Realised volatility of bars by Yang and Zhang, a fraction a year: the variance of the overnight
/// returns, and k of the variance of the returns from open to close with 1 - k of the mean of Rogers
/// and Satchell's h (h - c) + l (l - c), k = 0.34 / (1.34 + (n + 1) / (n - 1)) over n bars. It is
/// free of drift, counts overnight jumps, and varies about 1 + 1 / k times less than the deviation of
/// closes. The first bar gives only its close. `None` with fewer than 3 bars or a price that is not
/// above 0 or outside its bar.
///
/// Source: Yang and Zhang, Drift-Independent Volatility Estimation Based on High, Low, Open, and
/// Close Prices, Journal of Business 73 (2000), equations 6 to 10.
pub fn yang_zhang(bars: &[Ohlc], bars_a_year: f64) -> Option<f64> {
    let n = bars.len().saturating_sub(1) as f64;
    let is_bar = |[o, h, l, c]: &Ohlc| *l > 0.0 && l <= o && o <= h && l <= c && c <= h;
    if n < 2.0 || !bars.iter().all(is_bar) {
        return None;
    }
    let overnight: Vec<f64> = bars
        .windows(2)
        .map(|w| libm::log(w[1][0] / w[0][3]))
        .collect();
    let by_day: Vec<f64> = bars[1..]
        .iter()
        .map(|bar| libm::log(bar[3] / bar[0]))
        .collect();
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        squares / (n - 1.0)
    };
    let rogers_satchell = bars[1..].iter().map(|[open, high, low, close]| {
        let (h, l, c) = (
            libm::log(high / open),
            libm::log(low / open),
            libm::log(close / open),
        );
        h * (h - c) + l * (l - c)
    });
    let ranges = rogers_satchell.sum::<f64>() / n;
    let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
    let daily = variance(&overnight) + k * variance(&by_day) + (1.0 - k) * ranges;
    let volatility = (daily * bars_a_year).sqrt();
    volatility.is_finite().then_some(volatility)
}

/// The implied volatility that stands in for a realised one: times `rv_to_iv`, at least 8%.
pub fn from_realised(realised: f64, rv_to_iv: f64) -> f64 {
    (realised * rv_to_iv).max(IMPLIED_MIN)
}

/// The level of an index of another underlying's volatility for this one: times the ratio of their
/// realised volatilities (of the last 252 days), which is held within [0.5, 4].
pub fn scaled(index_volatility: f64, realised: f64, realised_of_index: f64) -> f64 {
    index_volatility * (realised / realised_of_index).clamp(0.5, 4.0)
}
