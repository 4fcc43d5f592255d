//! Rows and functions of how much was held and how much of it was turned over.

use crate::metrics::moments;
use crate::metrics::prepared::{Prepared, Value};
use crate::metrics::{Absent, Better, Metric, Unit};

/// The rows of this family.
pub(crate) static ROWS: [Metric; 2] = [
    Metric {
        key: "exposure",
        label: "Exposure",
        unit: Unit::Fraction,
        better: Better::Neither,
        formula: "share of sessions with a position on some bar",
        source: "usage of the field: time in the market",
        compute: exposure,
    },
    Metric {
        key: "turnover",
        label: "Turnover a year",
        unit: Unit::Ratio,
        better: Better::Lower,
        formula: "sum of |value traded| / equity, buys and sells, / 2, times P / n",
        source: "one-sided turnover: DeMiguel, Garlappi & Uppal (2009), Review of Financial Studies 22(5), halved",
        compute: turnover,
    },
];

fn exposure(p: &Prepared) -> Value<f64> {
    p.days()?;
    match p.inputs().weight {
        [] => Err(Absent::new("no weights given")),
        weight => p.share_of_sessions(weight),
    }
}

fn turnover(p: &Prepared) -> Value<f64> {
    let sessions = p.days()?.len() as f64;
    let column = p.inputs().turnover;
    if column.is_empty() {
        return Err(Absent::new("no turnover given"));
    }
    p.span_days()?;
    Ok(moments::sum(column) / 2.0 * p.a_year()? / sessions)
}
