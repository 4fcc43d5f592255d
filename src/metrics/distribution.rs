//! Rows and functions of how session and monthly returns are spread: tails, shape, extremes.
//!
//! r are net session returns. Growth and ratios are left to `returns.rs`.

use crate::metrics::moments::{self, FLAT};
use crate::metrics::prepared::{OBSERVATIONS_TAIL_MIN, Prepared, Value};
use crate::metrics::{Absent, Better, Metric, Unit};

/// The rows of this family.
pub(crate) static ROWS: [Metric; 10] = [
    Metric {
        key: "var_95",
        label: "VaR 95%",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "5th percentile of r (linear interpolation), negative for a loss",
        source: "historical value at risk: Jorion (2006), Value at Risk; percentile type 7 of Hyndman & Fan (1996)",
        compute: var_95,
    },
    Metric {
        key: "cvar_95",
        label: "CVaR 95%",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "mean of the r that are at most var_95",
        source: "Rockafellar & Uryasev (2000), Optimization of Conditional Value-at-Risk",
        compute: cvar_95,
    },
    Metric {
        key: "skew",
        label: "Skewness",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "m3 / m2^1.5, moments with divisor n",
        source: "Joanes & Gill (1998), Comparing Measures of Sample Skewness and Kurtosis, g1",
        compute: skew,
    },
    Metric {
        key: "kurtosis",
        label: "Excess kurtosis",
        unit: Unit::Ratio,
        better: Better::Lower,
        formula: "m4 / m2^2 - 3, moments with divisor n",
        source: "Joanes & Gill (1998), g2",
        compute: kurtosis,
    },
    Metric {
        key: "tail_ratio",
        label: "Tail ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "|95th percentile of r| / |5th percentile of r|",
        source: "usage of the field; percentile type 7 of Hyndman & Fan (1996)",
        compute: tail_ratio,
    },
    Metric {
        key: "best_day",
        label: "Best day",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "max r (of a bar, where bars are longer than a session)",
        source: "order statistic",
        compute: best_day,
    },
    Metric {
        key: "worst_day",
        label: "Worst day",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "min r (of a bar, where bars are longer than a session)",
        source: "order statistic",
        compute: worst_day,
    },
    Metric {
        key: "best_month",
        label: "Best month",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "max of r compounded by calendar month, months at the ends as they are",
        source: "order statistic",
        compute: best_month,
    },
    Metric {
        key: "worst_month",
        label: "Worst month",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "min of r compounded by calendar month, months at the ends as they are",
        source: "order statistic",
        compute: worst_month,
    },
    Metric {
        key: "positive_months",
        label: "Positive months",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "share of calendar months whose compounded r is above 0",
        source: "share",
        compute: positive_months,
    },
];

fn var_95(p: &Prepared) -> Value<f64> {
    Ok(moments::percentile(p.sorted()?, 0.05))
}

fn cvar_95(p: &Prepared) -> Value<f64> {
    let sorted = p.sorted()?;
    let limit = moments::percentile(sorted, 0.05);
    Ok(moments::mean(
        &sorted[..sorted.partition_point(|r| *r <= limit)],
    ))
}

fn shape(p: &Prepared) -> Value<(f64, f64)> {
    moments::shape(p.returns_of(OBSERVATIONS_TAIL_MIN)?)
        .ok_or_else(|| Absent::new("the returns do not vary"))
}

fn skew(p: &Prepared) -> Value<f64> {
    Ok(shape(p)?.0)
}

fn kurtosis(p: &Prepared) -> Value<f64> {
    Ok(shape(p)?.1 - 3.0)
}

fn tail_ratio(p: &Prepared) -> Value<f64> {
    let sorted = p.sorted()?;
    let low = moments::percentile(sorted, 0.05).abs();
    if low <= FLAT {
        return Err(Absent::new("the 5th percentile of returns is zero"));
    }
    Ok(moments::percentile(sorted, 0.95).abs() / low)
}

fn best_day(p: &Prepared) -> Value<f64> {
    Ok(highest(p.returns()?.iter().copied()))
}

fn worst_day(p: &Prepared) -> Value<f64> {
    Ok(lowest(p.returns()?.iter().copied()))
}

fn best_month(p: &Prepared) -> Value<f64> {
    Ok(highest(p.months()?.iter().map(|m| m.2)))
}

fn worst_month(p: &Prepared) -> Value<f64> {
    Ok(lowest(p.months()?.iter().map(|m| m.2)))
}

fn positive_months(p: &Prepared) -> Value<f64> {
    let months = p.months()?;
    let positive = months.iter().filter(|m| m.2 > 0.0).count();
    Ok(positive as f64 / months.len() as f64)
}

fn highest(x: impl Iterator<Item = f64>) -> f64 {
    x.fold(f64::NEG_INFINITY, f64::max)
}

fn lowest(x: impl Iterator<Item = f64>) -> f64 {
    x.fold(f64::INFINITY, f64::min)
}
