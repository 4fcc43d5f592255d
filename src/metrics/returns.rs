//! Rows and functions of growth, and of growth over risk.
//!
//! Throughout, r are net session returns, W the wealth they compound to from 1, x = r less the
//! risk-free return of the session, n their number, P sessions a year, sd the standard deviation
//! with divisor n - 1. Drawdowns, tails and the benchmark have files of their own.

use crate::metrics::moments::{self, FLAT, FLAT_OF_WHOLE};
use crate::metrics::prepared::{OBSERVATIONS_MIN, OBSERVATIONS_TAIL_MIN, Prepared, Value};
use crate::metrics::{
    Absent, Better, Metric, Unit, drawdown, money_weighted, normal_cdf, normal_quantile,
};

/// Days of a year, as calendars count them on average.
pub(crate) const DAYS_A_YEAR: f64 = 365.25;

/// The rows of this family.
pub(crate) static ROWS: [Metric; 13] = [
    Metric {
        key: "start_equity",
        label: "Start equity",
        unit: Unit::Money,
        better: Better::Neither,
        formula: "equity before the first bar",
        source: "the account",
        compute: start_equity,
    },
    Metric {
        key: "end_equity",
        label: "End equity",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "equity at the last close, flows included",
        source: "the account",
        compute: end_equity,
    },
    Metric {
        key: "total_return",
        label: "Total return",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "W - 1, time-weighted: the product of (1 + r), less 1",
        source: "CFA Institute, Global Investment Performance Standards (2020), time-weighted return",
        compute: total_return,
    },
    Metric {
        key: "cagr",
        label: "CAGR",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "W^(1/y) - 1, y = calendar days from the first session to the last / 365.25",
        source: "compound annual growth rate by the calendar",
        compute: cagr,
    },
    Metric {
        key: "mwr",
        label: "Money-weighted return",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "XIRR (actual days / 365) of opening cash, flows, and closing equity; without flows the growth a year over 365 days",
        source: "Dietz (1966), Pension Funds: Measuring Investment Performance; day count of the spreadsheets' XIRR",
        compute: mwr,
    },
    Metric {
        key: "volatility",
        label: "Volatility",
        unit: Unit::Fraction,
        better: Better::Lower,
        formula: "sd(r) * sqrt(P)",
        source: "Hull (2017), Options, Futures, and Other Derivatives, ch. 15",
        compute: volatility,
    },
    Metric {
        key: "sharpe",
        label: "Sharpe ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "mean(x) / sd(x) * sqrt(P)",
        source: "Sharpe (1994), The Sharpe Ratio, Journal of Portfolio Management 21(1)",
        compute: sharpe,
    },
    Metric {
        key: "sharpe_low",
        label: "Sharpe, low",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "5th percentile of the Sharpe ratio over 5,000 stationary bootstrap resamples of x",
        source: "Politis & Romano (1994); mean block by Politis & White (2004), Patton, Politis & White (2009), at least 5",
        compute: sharpe_low,
    },
    Metric {
        key: "sharpe_high",
        label: "Sharpe, high",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "95th percentile of the same resamples",
        source: "as sharpe_low",
        compute: sharpe_high,
    },
    Metric {
        key: "psr",
        label: "Probabilistic Sharpe",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "Phi(S * sqrt(n - 1) / sqrt(1 - g3 * S + (g4 - 1) / 4 * S^2)), S = mean(x) / sd(x), g3 skewness, g4 kurtosis (normal: 3)",
        source: "Bailey & Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2), against 0",
        compute: psr,
    },
    Metric {
        key: "sortino",
        label: "Sortino ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "mean(x) / sqrt(sum of min(x, 0)^2 / n) * sqrt(P)",
        source: "Sortino & Price (1994), Performance Measurement in a Downside Risk Framework, Journal of Investing 3(3)",
        compute: sortino,
    },
    Metric {
        key: "calmar",
        label: "Calmar ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "cagr / |max_drawdown|, over the whole period",
        source: "Young (1991), Calmar Ratio: A Smoother Tool, Futures 20(1)",
        compute: calmar,
    },
    Metric {
        key: "omega",
        label: "Omega ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "sum of max(r, 0) / sum of max(-r, 0)",
        source: "Keating & Shadwick (2002), A Universal Performance Measure, threshold 0",
        compute: omega,
    },
];

fn start_equity(p: &Prepared) -> Value<f64> {
    p.inputs().start_equity.ok_or_else(no_equity)
}

fn end_equity(p: &Prepared) -> Value<f64> {
    p.inputs().end_equity.ok_or_else(no_equity)
}

fn no_equity() -> Absent {
    Absent::new("returns without an account")
}

pub(crate) fn total_return(p: &Prepared) -> Value<f64> {
    Ok(p.growth()? - 1.0)
}

pub(crate) fn cagr(p: &Prepared) -> Value<f64> {
    annual(p.growth()?, p.span_days()?)
}

/// Growth a year of wealth that became `growth` times as much within `days`.
pub(crate) fn annual(growth: f64, days: f64) -> Value<f64> {
    if growth < 0.0 {
        return Err(Absent::new("more than everything was lost"));
    }
    Ok(libm::pow(growth, DAYS_A_YEAR / days) - 1.0)
}

fn mwr(p: &Prepared) -> Value<f64> {
    let (start, end) = (start_equity(p)?, end_equity(p)?);
    p.span_days()?;
    money_weighted::of_account(start, end, p.inputs().time, p.inputs().flows)
}

fn volatility(p: &Prepared) -> Value<f64> {
    let spread = moments::deviation(p.returns_of(OBSERVATIONS_MIN)?);
    Ok(spread * p.a_year()?.sqrt())
}

fn sharpe(p: &Prepared) -> Value<f64> {
    Ok(sharpe_per_period(p.excess_that_varies()?)? * p.a_year()?.sqrt())
}

/// Mean over standard deviation (ddof 1) of excess returns, not annualised.
///
/// # Errors
/// The reason why there is none: fewer than two returns, or all of them alike.
/// Source: Sharpe (1994).
pub fn sharpe_per_period(excess: &[f64]) -> Value<f64> {
    if excess.len() < 2 {
        return Err(Absent::new("fewer than two returns"));
    }
    let spread = moments::spread(excess).ok_or_else(flat)?;
    Ok(moments::mean(excess) / spread)
}

fn flat() -> Absent {
    Absent::new("the returns do not vary")
}

fn sharpe_low(p: &Prepared) -> Value<f64> {
    Ok(p.interval()?.low)
}

fn sharpe_high(p: &Prepared) -> Value<f64> {
    Ok(p.interval()?.high)
}

fn psr(p: &Prepared) -> Value<f64> {
    p.returns_of(OBSERVATIONS_TAIL_MIN)?;
    probabilistic_sharpe(p.excess_that_varies()?, 0.0)
}

/// Probability that the true Sharpe ratio exceeds `threshold`, given `excess` returns.
///
/// Both Sharpe ratios are those of one period. Skewness and kurtosis are the biased ones.
/// Source: Bailey & Lopez de Prado (2012), equation 5.
///
/// # Errors
/// The reason why there is none: the returns do not vary, or take two values only.
pub fn probabilistic_sharpe(excess: &[f64], threshold: f64) -> Value<f64> {
    let s = sharpe_per_period(excess)?;
    let variance = sharpe_variance(excess, s)?;
    let n = excess.len() as f64;
    Ok(normal_cdf(
        (s - threshold) * (n - 1.0).sqrt() / variance.sqrt(),
    ))
}

/// Fewest periods after which a Sharpe ratio as that of `excess` is above `threshold` with
/// probability `confidence`.
///
/// Source: Bailey & Lopez de Prado (2012), equation 11 (minimum track record length).
///
/// # Errors
/// The reason why there is none: as [`probabilistic_sharpe`], or the ratio is not above the
/// threshold, so that no length would do.
pub fn min_track_record(excess: &[f64], threshold: f64, confidence: f64) -> Value<f64> {
    let s = sharpe_per_period(excess)?;
    if s <= threshold {
        return Err(Absent::new("the Sharpe ratio is not above the threshold"));
    }
    let z = normal_quantile(confidence) / (s - threshold);
    Ok(1.0 + sharpe_variance(excess, s)? * z * z)
}

/// n times the variance of the estimate `s` of the Sharpe ratio (Mertens 2002).
fn sharpe_variance(excess: &[f64], s: f64) -> Value<f64> {
    let (skewness, kurtosis) = moments::shape(excess).ok_or_else(flat)?;
    let variance = 1.0 - skewness * s + (kurtosis - 1.0) / 4.0 * s * s;
    if variance <= FLAT {
        return Err(Absent::new("the Sharpe ratio has no spread"));
    }
    Ok(variance)
}

fn sortino(p: &Prepared) -> Value<f64> {
    let x = p.excess_that_varies()?;
    let squares = moments::sum_of(x, |v| v.min(0.0) * v.min(0.0));
    let downside = (squares / x.len() as f64).sqrt();
    if downside <= FLAT || !downside.is_finite() {
        return Err(Absent::new("no return below the risk-free rate"));
    }
    Ok(moments::mean(x) / downside * p.a_year()?.sqrt())
}

fn calmar(p: &Prepared) -> Value<f64> {
    let worst = drawdown::max_drawdown(p)?;
    if worst > -FLAT {
        return Err(Absent::new("no drawdown"));
    }
    Ok(cagr(p)? / -worst)
}

fn omega(p: &Prepared) -> Value<f64> {
    let r = p.returns_of(OBSERVATIONS_MIN)?;
    let losses = moments::sum_of(r, |v| (-v).max(0.0));
    if losses <= FLAT {
        return Err(Absent::new("no losing session"));
    }
    Ok(moments::sum_of(r, |v| v.max(0.0)) / losses)
}

/// Sharpe ratio of the last `window` returns at each return, annualised with `periods_a_year`.
///
/// `returns` and `rate` hold one element a period; `rate` may be empty for a rate of 0. The result
/// has one element a period, NaN before the first full window and where the standard deviation of
/// a window's returns is below a fifth of that of all: an account that was invested on fewer than
/// ten days of a year, whose ratio would judge the rate of cash. For charts: a window costs a few
/// subtractions of running sums, which are exact to some n * 1e-16.
pub fn rolling_sharpe(
    returns: &[f64],
    rate: &[f64],
    window: usize,
    periods_a_year: f64,
) -> Vec<f64> {
    let excess: Vec<f64> = returns
        .iter()
        .enumerate()
        .map(|(i, r)| r - rate.get(i).copied().unwrap_or(0.0))
        .collect();
    let (Some(of_returns), Some(of_excess)) = (Windows::of(returns), Windows::of(&excess)) else {
        return vec![f64::NAN; returns.len()];
    };
    let scale = periods_a_year.sqrt();
    (1..=returns.len())
        .map(|end| {
            let start = end.checked_sub(window)?;
            of_returns
                .moments(start, end)
                .filter(|(_, deviation)| *deviation >= INVESTED_MIN)?;
            let (mean, deviation) = of_excess.moments(start, end)?;
            Some(mean / deviation * scale)
        })
        .map(|ratio| ratio.unwrap_or(f64::NAN))
        .collect()
}

/// Share of the whole standard deviation that a window needs.
const INVESTED_MIN: f64 = 0.2;

/// Running sums of a column, in deviations from its mean and in units of its standard deviation.
struct Windows {
    mean: f64,
    spread: f64,
    sums: Vec<[f64; 2]>,
}

impl Windows {
    /// `None` when the column does not vary.
    fn of(x: &[f64]) -> Option<Self> {
        let (mean, spread) = (moments::mean(x), moments::spread(x)?);
        let sums = moments::running_sums(x.iter().map(|v| (v - mean) / spread));
        Some(Windows { mean, spread, sums })
    }

    /// Mean and standard deviation (ddof 1) of `start..end`, in units of the column's standard
    /// deviation; `None` when they do not vary there.
    fn moments(&self, start: usize, end: usize) -> Option<(f64, f64)> {
        let n = (end - start) as f64;
        let sum = self.sums[end][0] - self.sums[start][0];
        let squares = self.sums[end][1] - self.sums[start][1];
        let variance = (squares - sum * sum / n) / (n - 1.0);
        (variance > FLAT_OF_WHOLE).then(|| (sum / n + self.mean / self.spread, variance.sqrt()))
    }
}
