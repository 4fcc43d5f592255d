//! Rows and functions of a strategy beside another: beta, alpha, captures, and savings.
//!
//! r are net session returns, b those of the benchmark, x and y the same less the risk-free
//! return, P sessions a year.

use crate::metrics::moments::{self, FLAT};
use crate::metrics::prepared::{Prepared, Value};
use crate::metrics::{Absent, Better, Metric, Unit, periods, returns};

/// The rows of this family.
pub(crate) static ROWS: [Metric; 7] = [
    Metric {
        key: "beta",
        label: "Beta",
        unit: Unit::Ratio,
        better: Better::Neither,
        formula: "cov(x, y) / var(y)",
        source: "Sharpe (1964), Capital Asset Prices; on excess returns as Jensen (1968)",
        compute: beta,
    },
    Metric {
        key: "alpha",
        label: "Alpha a year",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "(mean(x) - beta * mean(y)) * P",
        source: "Jensen (1968), The Performance of Mutual Funds in the Period 1945-1964",
        compute: alpha,
    },
    Metric {
        key: "correlation",
        label: "Correlation",
        unit: Unit::Ratio,
        better: Better::Neither,
        formula: "cov(r, b) / (sd(r) * sd(b))",
        source: "Pearson (1895)",
        compute: correlation,
    },
    Metric {
        key: "tracking_error",
        label: "Tracking error",
        unit: Unit::Fraction,
        better: Better::Neither,
        formula: "sd(r - b) * sqrt(P)",
        source: "Grinold & Kahn (2000), Active Portfolio Management, ch. 5",
        compute: tracking_error,
    },
    Metric {
        key: "information_ratio",
        label: "Information ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "mean(r - b) / sd(r - b) * sqrt(P)",
        source: "Grinold & Kahn (2000), ch. 5",
        compute: information_ratio,
    },
    Metric {
        key: "up_capture",
        label: "Up capture",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "over calendar months with b > 0: annual geometric return of r / that of b",
        source: "Bacon (2008), ch. 3, on compounded months",
        compute: up_capture,
    },
    Metric {
        key: "down_capture",
        label: "Down capture",
        unit: Unit::Ratio,
        better: Better::Lower,
        formula: "over calendar months with b < 0: annual geometric return of r / that of b",
        source: "Bacon (2008), ch. 3, on compounded months",
        compute: down_capture,
    },
];

/// The row of savings, which stands last in the table.
pub(crate) static SAVINGS: [Metric; 1] = [Metric {
    key: "excess_over_cash",
    label: "Excess over cash",
    unit: Unit::Fraction,
    better: Better::Higher,
    formula: "cagr less that of savings at the hurdle rate over the same sessions",
    source: "difference of two growth rates",
    compute: excess_over_cash,
}];

fn beta(p: &Prepared) -> Value<f64> {
    let (y, x) = (p.benchmark_excess()?, p.excess()?);
    beta_of(x, &y)
}

fn beta_of(x: &[f64], y: &[f64]) -> Value<f64> {
    let spread = moments::spread(y).ok_or_else(still)?;
    // Divided twice, since the variance of huge returns may not be a number.
    Ok(moments::covariance(x, y) / spread / spread)
}

fn alpha(p: &Prepared) -> Value<f64> {
    let (y, x) = (p.benchmark_excess()?, p.excess()?);
    let daily = moments::mean(x) - beta_of(x, &y)? * moments::mean(&y);
    Ok(daily * p.a_year()?)
}

fn correlation(p: &Prepared) -> Value<f64> {
    let (r, b) = (p.returns()?, p.benchmark()?);
    let own = moments::spread(r).ok_or_else(|| Absent::new("the returns do not vary"))?;
    let theirs = moments::spread(b).ok_or_else(still)?;
    // Rounding must not carry a perfect correlation beyond 1.
    Ok((moments::covariance(r, b) / own / theirs).clamp(-1.0, 1.0))
}

fn still() -> Absent {
    Absent::new("the benchmark does not vary")
}

fn active(p: &Prepared) -> Value<Vec<f64>> {
    let (r, b) = (p.returns()?, p.benchmark()?);
    Ok(r.iter().zip(b).map(|(x, y)| x - y).collect())
}

fn tracking_error(p: &Prepared) -> Value<f64> {
    Ok(moments::deviation(&active(p)?) * p.a_year()?.sqrt())
}

fn information_ratio(p: &Prepared) -> Value<f64> {
    let active = active(p)?;
    let alike = || Absent::new("the difference to the benchmark does not vary");
    let spread = moments::spread(&active).ok_or_else(alike)?;
    Ok(moments::mean(&active) / spread * p.a_year()?.sqrt())
}

fn up_capture(p: &Prepared) -> Value<f64> {
    capture(p, |b| b > 0.0, "no month in which the benchmark rose")
}

fn down_capture(p: &Prepared) -> Value<f64> {
    capture(p, |b| b < 0.0, "no month in which the benchmark fell")
}

fn capture(p: &Prepared, counts: impl Fn(f64) -> bool, none: &'static str) -> Value<f64> {
    let ours = p.months()?;
    let theirs = periods::months(p.days()?, p.benchmark()?);
    let (mut w, mut v, mut months) = (1.0, 1.0, 0.0);
    for (our, their) in ours.iter().zip(&theirs) {
        if counts(their.2) {
            w *= 1.0 + our.2;
            v *= 1.0 + their.2;
            months += 1.0;
        }
    }
    if months == 0.0 {
        return Err(Absent::new(none));
    }
    if w < 0.0 || v < 0.0 {
        return Err(Absent::new("more than everything was lost"));
    }
    let ours = libm::pow(w, 12.0 / months) - 1.0;
    let theirs = libm::pow(v, 12.0 / months) - 1.0;
    if theirs.abs() <= FLAT {
        return Err(Absent::new(none));
    }
    Ok(ours / theirs)
}

fn excess_over_cash(p: &Prepared) -> Value<f64> {
    if p.inputs().hurdle.is_empty() {
        return Err(Absent::new("no rate of savings given"));
    }
    let own = returns::cagr(p)?;
    let savings = p.inputs().hurdle.iter().fold(1.0, |w, h| w * (1.0 + h));
    Ok(own - returns::annual(savings, p.span_days()?)?)
}
