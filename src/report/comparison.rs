//! Several runs side by side: one table, one chart, and whether their Sharpe ratios differ by more
//! than chance. The test itself is `metrics::bootstrap`'s.

use crate::error::Result;
use crate::metrics::bootstrap::{Difference, sharpe_difference};
use crate::metrics::{Value, drawdown_series};
use crate::report::chart::{self, CompareChart, Curve};
use crate::report::record::Record;
use crate::report::{cell, figure, json, pictures, text};
use crate::units::Micros;
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// What a curve's row of the chart's table shows: heading and metric.
const CHART_COLUMNS: [(&str, &str); 8] = [
    ("CAGR", "cagr"),
    ("Volatility", "volatility"),
    ("Sharpe", "sharpe"),
    ("Drawdown", "max_drawdown"),
    ("Calmar", "calmar"),
    ("Exposure", "exposure"),
    ("Trades", "trades"),
    ("Win rate", "win_rate"),
];

/// Two runs and the difference of their Sharpe ratios over the dates that both have.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// Name of the first run.
    pub a: String,
    /// Name of the second.
    pub b: String,
    /// Number of dates that both have.
    pub dates: usize,
    /// The difference (first less second), or why there is none.
    pub sharpe: std::result::Result<Difference, String>,
}

/// Runs side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The runs, names made distinct.
    pub records: Vec<Record>,
    /// Every run after the first against the first.
    pub tests: Vec<Test>,
}

impl Comparison {
    /// Puts runs side by side. Runs of one name get a number behind it; `seed` is the bootstrap's.
    pub fn of(mut records: Vec<Record>, seed: u64) -> Self {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for record in &mut records {
            let count = seen.entry(record.name.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                record.name = format!("{} ({count})", record.name);
            }
        }
        let tests = match records.split_first() {
            Some((first, others)) => others
                .iter()
                .map(|other| test(first, other, seed))
                .collect(),
            None => Vec::new(),
        };
        Comparison { records, tests }
    }

    /// The table in the terminal.
    pub fn text(&self) -> String {
        let mut page = self.periods();
        for some in self.records.chunks(text::COLUMNS) {
            let columns = some.iter().map(|r| (r.name.as_str(), &r.metrics));
            page.push_str(&text::figures_text(&columns.collect::<Vec<_>>()));
        }
        page.push_str("\nDo the Sharpe ratios differ by more than chance? (paired bootstrap)\n");
        for test in &self.tests {
            page.push_str(&text::paragraph("  ", &test.words()));
        }
        page
    }

    /// One object for all.
    pub fn json(&self) -> String {
        let runs: Map<String, serde_json::Value> = self
            .records
            .iter()
            .map(|r| (r.name.clone(), json::metrics(&r.metrics)))
            .collect();
        let tests: Vec<serde_json::Value> = self
            .tests
            .iter()
            .map(|test| {
                let sharpe = test.sharpe.as_ref();
                json!({
                    "a": test.a,
                    "b": test.b,
                    "dates": test.dates,
                    "sharpe_a": sharpe.map(|d| d.first).ok(),
                    "sharpe_b": sharpe.map(|d| d.second).ok(),
                    "sharpe_difference": sharpe.map(|d| d.first - d.second).ok(),
                    "p": sharpe.map(|d| d.p).ok(),
                    "absent": sharpe.err(),
                })
            })
            .collect();
        format!("{}\n", json!({"schema": 1, "runs": runs, "tests": tests}))
    }

    /// A row a run, a column a metric.
    pub fn csv(&self) -> String {
        let mut table = text::csv_header();
        for record in &self.records {
            table.push_str(&text::csv_line(&record.name, &record.metrics));
        }
        table
    }

    /// The bytes of `compare.png`.
    ///
    /// # Errors
    /// When a curve's columns differ in length.
    pub fn picture(&self) -> Result<Vec<u8>> {
        let curve = |record: &Record| Curve {
            name: record.name.clone(),
            time: record.time.clone(),
            index: record.index(),
            drawdown: drawdown_series(&record.returns),
            cells: CHART_COLUMNS
                .iter()
                .map(|(_, key)| pictures::typeset(&figure::of_key(&record.metrics, key)))
                .collect(),
        };
        let names: Vec<&str> = self.records.iter().map(|r| r.name.as_str()).collect();
        chart::compare(&CompareChart {
            title: "Comparison".to_string(),
            subtitle: format!("{}  ·  {}", self.period(), names.join(", ")),
            curves: self.records.iter().map(curve).collect(),
            metrics: CHART_COLUMNS
                .iter()
                .map(|(heading, _)| (*heading).to_string())
                .collect(),
            notes: self
                .tests
                .iter()
                .map(|test| format!("Sharpe ratio: {}", pictures::typeset(&test.words())))
                .collect(),
        })
    }

    /// Each run's days, when they are not the same for all.
    fn periods(&self) -> String {
        let days = |r: &Record| match (r.time.first(), r.time.last()) {
            (Some(first), Some(last)) => {
                format!(
                    "{} to {}",
                    cell::moment(*first, false),
                    cell::moment(*last, false)
                )
            }
            _ => "no bars".to_string(),
        };
        let all: Vec<String> = self.records.iter().map(days).collect();
        if all.windows(2).all(|pair| pair[0] == pair[1]) {
            return text::paragraph("Period: ", all.first().map_or("", String::as_str));
        }
        let mut page = "The runs cover different days, and so do their figures:\n".to_string();
        for (record, days) in self.records.iter().zip(&all) {
            page.push_str(&text::paragraph("  ", &format!("{}: {days}", record.name)));
        }
        page
    }

    fn period(&self) -> String {
        let first = self.records.iter().filter_map(|r| r.time.first()).min();
        let last = self.records.iter().filter_map(|r| r.time.last()).max();
        let day = |time: Option<&Micros>| time.map_or(String::new(), |t| cell::moment(*t, false));
        format!("{} to {}", day(first), day(last))
    }
}

impl Test {
    /// The outcome as a sentence.
    pub fn words(&self) -> String {
        let Test { a, b, dates, .. } = self;
        match &self.sharpe {
            Ok(test) => format!(
                "{a} {:.2}, {b} {:.2} over {} common dates: {:+.2}, p = {}{}",
                test.first,
                test.second,
                figure::grouped(*dates as f64, 0),
                test.first - test.second,
                p_value(test.p),
                if test.p < 0.05 {
                    "."
                } else {
                    ", so chance will do."
                }
            ),
            Err(reason) => format!("{a}, {b}: not tested, {reason}."),
        }
    }
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "0.001 or less".to_string()
    } else {
        format!("{p:.3}")
    }
}

/// The returns that both runs have, date by date.
fn test(a: &Record, b: &Record, seed: u64) -> Test {
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    let mut other = b.time.iter().zip(&b.returns).peekable();
    for (time, value) in a.time.iter().zip(&a.returns) {
        while other.next_if(|(t, _)| *t < time).is_some() {}
        if let Some((_, r)) = other.next_if(|(t, _)| *t == time)
            && value.is_finite()
            && r.is_finite()
        {
            of_a.push(*value);
            of_b.push(*r);
        }
    }
    let sharpe: Value<Difference> = sharpe_difference(&of_a, &of_b, a.periods_a_year, seed);
    let sharpe = match of_a.len() {
        dates if dates < DATES_MIN => {
            Err(format!("they share {dates} dates, {DATES_MIN} are needed"))
        }
        _ => sharpe.map_err(|absent| absent.to_string()),
    };
    Test {
        a: a.name.clone(),
        b: b.name.clone(),
        dates: of_a.len(),
        sharpe,
    }
}

/// Fewest common dates that a difference is tested on: as many as an interval needs.
const DATES_MIN: usize = 60;
