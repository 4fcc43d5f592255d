//! A run as `compare` sees it: a name, its figures and its curve, from a fresh simulation or read
//! back from the folder of a finished one.

use crate::error::{Problem, Result};
use crate::metrics::bootstrap::{GrowthIntervals, Interval};
use crate::metrics::{Metrics, all, returns_of_run};
use crate::report::cell;
use crate::study::Judged;
use crate::units::Micros;
use serde_json::Value;
use std::path::Path;

/// A run, ready to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Name of the strategy.
    pub name: String,
    /// Its figures.
    pub metrics: Metrics,
    /// Moments of its bars.
    pub time: Vec<Micros>,
    /// Time-weighted return of each bar; NaN where there is none.
    pub returns: Vec<f64>,
    /// Bars a year.
    pub periods_a_year: f64,
}

impl Record {
    /// Of a run that was just simulated.
    pub fn of(judged: &Judged) -> Self {
        let run = &judged.outcome.run;
        Record {
            name: run.name.clone(),
            metrics: judged.metrics.clone(),
            time: run.time.clone(),
            returns: returns_of_run(run),
            periods_a_year: run.periods_a_year,
        }
    }

    /// Of a finished run, from its `metrics.json` and `equity.csv`.
    ///
    /// # Errors
    /// A file that is missing or does not say what a run's file says, with its place.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("metrics.json");
        let shown = path.display().to_string();
        let bad = |what: String| {
            Problem::new(what)
                .in_file(&shown)
                .help("give a strategy file, or the folder of a finished run")
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|cause| bad(format!("cannot be read: {cause}")))?;
        let object: Value =
            serde_json::from_str(&text).map_err(|cause| bad(format!("is no JSON: {cause}")))?;
        let name = object["name"].as_str();
        let name = name
            .ok_or_else(|| bad("has no name".to_string()))?
            .to_string();
        let periods_a_year = object["period"]["periods_a_year"].as_f64();
        let periods_a_year =
            periods_a_year.ok_or_else(|| bad("has no period.periods_a_year".to_string()))?;
        let start = object["metrics"]["start_equity"].as_f64();
        let start = start.ok_or_else(|| bad("has no metrics.start_equity".to_string()))?;
        let (time, returns) = curve(&dir.join("equity.csv"), start)?;
        Ok(Record {
            name,
            metrics: figures(&object),
            time,
            returns,
            periods_a_year,
        })
    }

    /// Wealth that 100 became at each bar.
    pub fn index(&self) -> Vec<f64> {
        let mut wealth = 100.0;
        let grow = |r: &f64| {
            wealth *= 1.0 + r;
            wealth
        };
        self.returns.iter().map(grow).collect()
    }
}

/// The metrics of a JSON object, with the reasons of those that are null.
fn figures(object: &Value) -> Metrics {
    let figure = |key: &str| match object["metrics"][key].as_f64() {
        Some(value) => Ok(value),
        None => Err(object["absent"][key]
            .as_str()
            .unwrap_or("not in the file")
            .to_string()),
    };
    Metrics {
        values: all().map(|row| (row.key, figure(row.key))).collect(),
        growth: growth(&object["intervals"]),
        ..Metrics::default()
    }
}

/// The intervals as `json.rs` writes them.
fn growth(object: &Value) -> Option<GrowthIntervals> {
    let interval = |key: &str| {
        let number = |end: &str| object[key][end].as_f64();
        Some(Interval {
            low: number("low")?,
            high: number("high")?,
            block: number("block")?,
        })
    };
    Some(GrowthIntervals {
        cagr: interval("cagr")?,
        max_drawdown: interval("max_drawdown")?,
    })
}

/// Moments and time-weighted returns of an `equity.csv`.
fn curve(path: &Path, start: f64) -> Result<(Vec<Micros>, Vec<f64>)> {
    let shown = path.display().to_string();
    let bad = |line: usize, what: String| Problem::new(what).in_file(&shown).at_line(line as u64);
    let unreadable = |cause: ::csv::Error| bad(1, format!("cannot be read: {cause}"));
    let mut reader = ::csv::Reader::from_path(path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let place = |name: &str| {
        let found = header.iter().position(|column| column == name);
        found.ok_or_else(|| bad(1, format!("has no column {name}")))
    };
    let (date, equity, flow) = (place("date")?, place("equity")?, place("flow")?);
    let (mut time, mut returns) = (Vec::new(), Vec::new());
    let mut before = start;
    for (index, row) in reader.records().enumerate() {
        let line = index + 2;
        let row = row.map_err(|cause| bad(line, format!("cannot be read: {cause}")))?;
        let number = |at: usize| {
            let cell = row.get(at).unwrap_or_default();
            let value = cell.parse::<f64>().ok().filter(|v| v.is_finite());
            value.ok_or_else(|| bad(line, format!("\"{cell}\" is no number")))
        };
        let moment = row.get(date).and_then(cell::parse_moment);
        time.push(moment.ok_or_else(|| bad(line, "has no date".to_string()))?);
        let (now, from) = (number(equity)?, before + number(flow)?);
        returns.push(if from > 0.0 {
            now / from - 1.0
        } else {
            f64::NAN
        });
        before = now;
    }
    Ok((time, returns))
}
