//! Anybody's returns, from a CSV: their figures as text, JSON and CSV, and their tear sheet.
//!
//! There is no strategy here, no account and no order; pages of a run are those of `summary.rs`.

use crate::error::Result;
use crate::market::show_time;
use crate::metrics::bootstrap::Interval;
use crate::metrics::profile::{Profile, Profiled};
use crate::metrics::table::Table;
use crate::metrics::{self, ClosedTrade, Inputs, Metric, Metrics};
use crate::report::chart::{self, MonthReturn, Role, Series, TearSheet};
use crate::report::{cell, figure, json, manifest, profile};
use serde_json::{Value, json};

/// Width of a name and of a figure in the text.
const NAME: usize = 24;
const FIGURE: usize = 14;
/// Keys of the tear sheet's headline figures.
const HEADLINES: [&str; 8] = [
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "worst_month",
];

/// The metrics of a table, beside those of its benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    /// What was read.
    pub table: Table,
    /// Its metrics.
    pub metrics: Metrics,
    /// The benchmark's metrics, when the table has its returns.
    pub benchmark: Option<Metrics>,
    /// The figures by another program's definitions, when they are asked for.
    pub profiled: Option<Profiled>,
}

impl Returns {
    /// Measures a table, with the closed trades that go with it; `seed` is the bootstrap's.
    pub fn of(table: Table, trades: Option<&[ClosedTrade]>, seed: u64) -> Self {
        let inputs = table.inputs(trades, seed);
        let benchmark = table.benchmark.as_deref().map(|returns| {
            metrics::compute(&Inputs {
                returns,
                benchmark: None,
                start_equity: None,
                end_equity: None,
                weight: &[],
                turnover: &[],
                trades: None,
                ..inputs
            })
        });
        Returns {
            metrics: metrics::compute(&inputs),
            benchmark,
            profiled: None,
            table,
        }
    }

    /// The same with the figures by another program's definitions.
    pub fn beside(mut self, profile: &'static Profile, trades: Option<&[ClosedTrade]>) -> Self {
        let inputs = self.table.inputs(trades, metrics::bootstrap::SEED);
        self.profiled = Some(Profiled::of(profile, &inputs));
        self
    }

    /// The first and last moment in words; empty without rows.
    fn period(&self) -> (String, String) {
        let shown = |time: Option<&i64>| time.map_or_else(String::new, |t| show_time(*t));
        let time = &self.table.time;
        (shown(time.first()), shown(time.last()))
    }

    /// A page of at most 80 columns: every figure there is, then why the others are absent.
    pub fn text(&self) -> String {
        let (start, end) = self.period();
        let bars = figure::plural(self.table.time.len(), "return", "returns");
        let mut page = format!(
            "{}\n{start} to {end}, {bars}, {}\n\n",
            self.table.name, self.table.periods.rule
        );
        if self.benchmark.is_some() {
            let heads = format!("{:>FIGURE$}{:>FIGURE$}", "returns", "benchmark");
            page.push_str(&format!("{:NAME$}{heads}\n", ""));
        }
        for row in metrics::all() {
            if self.metrics.get(row.key).is_some() {
                page.push_str(&self.line(row));
            }
        }
        if let Some(block) = self.metrics.block {
            page.push_str(&format!(
                "\nSharpe, low and high: 90% interval of {} resamples in blocks of {block:.1}.\n",
                figure::grouped(metrics::bootstrap::REPLICATES as f64, 0)
            ));
        }
        if let Some(growth) = self.metrics.growth {
            let of = |found: Interval| {
                let (low, high) = (figure::percent(found.low), figure::percent(found.high));
                format!("{low}..{high}")
            };
            page.push_str(&format!(
                "90% intervals of CAGR and max drawdown: {}, {}.\n",
                of(growth.cagr),
                of(growth.max_drawdown)
            ));
        }
        page.push_str(&self.absent());
        if let Some(profiled) = &self.profiled {
            page.push_str(&profile::text(profiled, &self.metrics));
        }
        page
    }

    fn line(&self, row: &Metric) -> String {
        let mut line = format!("{:NAME$}", row.label);
        for metrics in std::iter::once(&self.metrics).chain(&self.benchmark) {
            line.push_str(&format!("{:>FIGURE$}", figure::of_key(metrics, row.key)));
        }
        line + "\n"
    }

    /// Reasons, each with the keys that it holds for.
    fn absent(&self) -> String {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in metrics::all() {
            let Some(reason) = self.metrics.reason(row.key) else {
                continue;
            };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, keys)) => keys.push(row.key),
                None => reasons.push((reason, vec![row.key])),
            }
        }
        let mut page = String::new();
        for (reason, keys) in reasons {
            page.push_str(&format!("\nAbsent, {reason}:\n"));
            for keys in keys.chunks(4) {
                page.push_str(&format!("  {}\n", keys.join(" ")));
            }
        }
        page
    }

    /// One object: period, metrics, reasons, and the benchmark's metrics if there are any.
    pub fn json(&self) -> Value {
        let (start, end) = self.period();
        let mut object = json!({
            "schema": manifest::SCHEMA,
            "name": self.table.name,
            "period": {
                "start": start,
                "end": end,
                "bars": self.table.time.len(),
                "periods_a_year": self.table.periods.bars_a_year,
            },
            "metrics": json::metrics(&self.metrics),
            "absent": json::absent(&self.metrics),
            "intervals": json::intervals(&self.metrics),
        });
        if let (Some(benchmark), Some(object)) = (&self.benchmark, object.as_object_mut()) {
            let benchmarks = json!({ "benchmark": json::metrics(benchmark) });
            object.insert("benchmarks".to_owned(), benchmarks);
        }
        if let (Some(profiled), Some(object)) = (&self.profiled, object.as_object_mut()) {
            object.insert("profile".to_owned(), profile::object(profiled));
        }
        object
    }

    /// A row a metric: key, number (empty when absent), the benchmark's, and why it is absent; then the
    /// number by another program's definition in a column that has its name, when it is asked for.
    pub fn csv(&self) -> String {
        let mut text = String::from("metric,value,benchmark,absent");
        if let Some(profiled) = &self.profiled {
            text.push(',');
            text.push_str(profiled.profile.name);
        }
        text.push('\n');
        for row in metrics::all() {
            let number = |m: &Metrics| m.get(row.key).map_or_else(String::new, cell::number);
            let theirs = self.benchmark.as_ref().map_or_else(String::new, number);
            let reason = self.metrics.reason(row.key).unwrap_or_default();
            let reason = match reason.contains([',', '"']) {
                true => format!("\"{}\"", reason.replace('"', "\"\"")),
                false => reason.to_owned(),
            };
            let value = number(&self.metrics);
            text.push_str(&format!("{},{value},{theirs},{reason}", row.key));
            if let Some(profiled) = &self.profiled {
                text.push(',');
                text.push_str(&profiled.get(row.key).map_or_else(String::new, cell::number));
            }
            text.push('\n');
        }
        text
    }

    /// The bytes of `tearsheet.png`, drawn by the session.
    ///
    /// # Errors
    /// As [`TearSheet::draw`].
    pub fn tearsheet(&self) -> Result<Vec<u8>> {
        let table = &self.table;
        let periods = &table.periods;
        let by_session = |x: &[f64]| {
            let (bars, session) = (periods.bars_a_year, periods.bars_a_session);
            metrics::session_returns(&table.time, x, bars, session)
        };
        let (time, returns) = by_session(&table.returns);
        let rate = match table.rate.as_slice() {
            [] => Vec::new(),
            rate => by_session(rate).1,
        };
        let theirs = table.benchmark.as_deref().map(|b| by_session(b).1);
        let start = table.equity.map_or(100.0, |e| e.0);
        let mut equity = vec![grown(&table.name, Role::Strategy, start, &returns)];
        let mut drawdown = vec![fallen(&table.name, Role::Strategy, &returns)];
        if let Some(theirs) = &theirs {
            equity.push(grown("benchmark", Role::Benchmark, start, theirs));
            drawdown.push(fallen("benchmark", Role::Benchmark, theirs));
        }
        let a_year = periods.sessions_a_year;
        let (from, to) = self.period();
        chart::tearsheet(&TearSheet {
            title: table.name.clone(),
            subtitle: format!("{from} to {to}, starting from {}", figure::money(start)),
            figures: HEADLINES.iter().map(|key| self.headline(key)).collect(),
            equity,
            drawdown,
            months: metrics::monthly_returns(&time, &returns)
                .into_iter()
                .map(|(year, month, value)| MonthReturn { year, month, value })
                .collect(),
            years: metrics::yearly_returns(&time, &returns),
            rolling_sharpe: metrics::rolling_sharpe(&returns, &rate, a_year as usize, a_year),
            rolling_window: "one year".to_owned(),
            assumptions: format!(
                "Returns as given, taken as net of costs and free of deposits. Annualised with {}.",
                periods.rule
            ),
            time,
            ..TearSheet::default()
        })
    }

    fn headline(&self, key: &str) -> chart::Figure {
        let theirs = self.benchmark.as_ref();
        chart::Figure {
            label: metrics::find(key).map_or(key, |m| m.label).to_owned(),
            value: figure::of_key(&self.metrics, key),
            note: theirs.map_or_else(String::new, |m| {
                format!("vs {} benchmark", figure::of_key(m, key))
            }),
        }
    }
}

fn grown(name: &str, role: Role, start: f64, returns: &[f64]) -> Series {
    let mut equity = start;
    let value = returns.iter().map(|r| {
        equity *= 1.0 + r;
        equity
    });
    Series {
        name: name.to_owned(),
        role,
        value: value.collect(),
    }
}

fn fallen(name: &str, role: Role, returns: &[f64]) -> Series {
    Series {
        name: name.to_owned(),
        role,
        value: metrics::drawdown_series(returns),
    }
}
