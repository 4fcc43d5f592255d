//! A summary as JSON: one object a strategy, on one line, with `"schema": 1`.
//!
//! Every metric is a bare number or `null`, and why it is null stands in `absent`. Numbers are the
//! shortest that read back to the same f64.

use crate::metrics::bootstrap::Interval;
use crate::metrics::{Metrics, all};
use crate::portfolio::Stream;
use crate::report::learning;
use crate::report::manifest::SCHEMA;
use crate::report::profile;
use crate::report::stress;
use crate::report::summary::{Figures, Summary, Warning};
use crate::report::taxes;
use crate::study::AmongTrials;
use serde_json::{Map, Value, json};

/// The object of a strategy. `files` are the paths of what was written.
pub fn object(summary: &Summary, files: &[String]) -> Value {
    let period = &summary.period;
    let given = summary.assumptions.iter().filter(|(_, _, given)| *given);
    let given: Vec<&String> = given.map(|(key, ..)| key).collect();
    let mut object = json!({
        "schema": SCHEMA,
        "name": summary.name,
        "period": {
            "start": period.start_text(),
            "end": period.end_text(),
            "bars": period.bars,
            "warmup_bars": period.warmup_bars,
            "periods_a_year": period.periods_a_year,
        },
        "assumptions": assumptions(summary),
        "given": given,
        "metrics": metrics(&summary.metrics),
        "absent": absent(&summary.metrics),
        "intervals": intervals(&summary.metrics),
        "benchmarks": by_name(&summary.benchmarks),
        "income": income(summary),
        "savings": summary.savings.as_ref().map(|savings| json!({
            "hurdle": savings.hurdle,
            "excess": number(Some(savings.excess)),
        })),
        "orders": orders(summary),
        "ambiguity": ambiguity(summary),
        "caveats": caveats(&summary.caveats),
        "stress": stress::object(&summary.stress),
        "files": files,
    });
    let Some(map) = object.as_object_mut() else {
        return object;
    };
    if !summary.each.is_empty() {
        map.insert("each".to_string(), by_name(&summary.each));
    }
    if !summary.layers.is_empty() {
        map.insert("layers".to_string(), layers(summary));
    }
    if let Some(learning) = &summary.learning {
        map.insert("model".to_string(), learning::object(learning));
    }
    if let Some(among) = &summary.among {
        map.extend(among_trials(among));
    }
    if let Some(profiled) = &summary.profiled {
        map.insert("profile".to_string(), profile::object(profiled));
    }
    if let Some(tax) = &summary.tax {
        map.insert("tax".to_string(), taxes::object(tax));
    }
    object
}

/// The run among all trials ever made on its data; the reason where there is no figure.
fn among_trials(among: &AmongTrials) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("trials_all".to_string(), json!(among.trials));
    let deflated = number(among.deflated_sharpe.as_ref().ok().copied());
    map.insert("deflated_sharpe_all".to_string(), deflated);
    if let Err(reason) = &among.deflated_sharpe {
        let reasons = json!({ "deflated_sharpe_all": reason.to_string() });
        map.insert("absent_overfitting".to_string(), reasons);
    }
    map
}

/// The object on one line, with a newline at the end.
pub fn line(summary: &Summary, files: &[String]) -> String {
    object(summary, files).to_string() + "\n"
}

/// What `--bare` knows, on one line.
pub fn bare_line(name: &str, figures: &Metrics) -> String {
    let computed = |value: &Value| {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.retain(|key, _| figures.values.iter().any(|(known, _)| known == key));
        }
        value
    };
    let object = json!({
        "schema": SCHEMA,
        "name": name,
        "metrics": computed(&metrics(figures)),
        "absent": absent(figures),
    });
    object.to_string() + "\n"
}

/// The object over several lines, for a file.
pub fn pretty(summary: &Summary, files: &[String]) -> String {
    format!("{:#}\n", object(summary, files))
}

/// Every key of the table in its order; a metric that was not computed is null.
pub fn metrics(metrics: &Metrics) -> Value {
    let pairs = all().map(|row| (row.key.to_string(), number(metrics.get(row.key))));
    Value::Object(pairs.collect())
}

/// Key and reason of every metric that is null.
pub fn absent(metrics: &Metrics) -> Value {
    let absent = all().filter_map(|row| {
        let reason = metrics.reason(row.key)?;
        Some((row.key.to_string(), Value::from(reason)))
    });
    Value::Object(absent.collect())
}

/// The 90% intervals of growth and drawdown, or null; that of the Sharpe ratio is among the metrics.
pub fn intervals(metrics: &Metrics) -> Value {
    let interval = |found: Interval| {
        let (low, high) = (number(Some(found.low)), number(Some(found.high)));
        json!({ "low": low, "high": high, "block": found.block })
    };
    metrics.growth.map_or(Value::Null, |growth| {
        json!({
            "cagr": interval(growth.cagr),
            "max_drawdown": interval(growth.max_drawdown),
        })
    })
}

fn by_name(all: &[Figures]) -> Value {
    let pairs = all
        .iter()
        .map(|one| (one.name.clone(), metrics(&one.metrics)));
    Value::Object(pairs.collect())
}

/// A number, or null when there is none.
fn number(value: Option<f64>) -> Value {
    // Adding zero turns -0.0 into 0.0.
    value.map_or(Value::Null, |v| Value::from(v + 0.0))
}

/// Keys as `table.key`; values as JSON where the TOML text is a value, else the words for "unset".
fn assumptions(summary: &Summary) -> Value {
    let pairs = summary
        .assumptions
        .iter()
        .map(|(key, value, _)| (key.clone(), of_toml(value)));
    Value::Object(pairs.collect())
}

fn of_toml(text: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}"));
    let value = parsed.ok().and_then(|mut table| table.remove("value"));
    value.map_or_else(|| Value::from(text), from_toml)
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(whole) => Value::from(whole),
        toml::Value::Float(float) => number(Some(float)),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::Datetime(date) => Value::from(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect(),
        toml::Value::Table(table) => {
            let pairs = table.into_iter().map(|(k, v)| (k, from_toml(v)));
            Value::Object(pairs.collect())
        }
    }
}

/// Every stream, zero ones too, and their total, the change of equity.
fn income(summary: &Summary) -> Value {
    let amount = |stream: Stream| {
        let found = summary.income.iter().find(|(s, _)| *s == stream);
        number(Some(found.map_or(0.0, |(_, amount)| *amount)))
    };
    let streams = Stream::ALL.map(|stream| (stream.name().to_string(), amount(stream)));
    let mut object: Map<String, Value> = streams.into_iter().collect();
    let total = number(Some(summary.change_of_equity()));
    object.insert("total".to_string(), total);
    Value::Object(object)
}

/// Figures and income of each layer by name.
fn layers(summary: &Summary) -> Value {
    let incomes = summary.income_by_layer.iter();
    let pairs = summary
        .layers
        .iter()
        .zip(incomes)
        .map(|(one, (_, income))| {
            let streams = income.iter();
            let streams = streams.map(|(s, a)| (s.name().to_string(), number(Some(*a))));
            let object = json!({
                "metrics": metrics(&one.metrics),
                "income": Value::Object(streams.collect()),
            });
            (one.name.clone(), object)
        });
    Value::Object(pairs.collect())
}

fn orders(summary: &Summary) -> Value {
    let counts = summary.orders_by_outcome();
    let pairs = counts
        .into_iter()
        .map(|(outcome, count)| (outcome.name().to_string(), Value::from(count)));
    Value::Object(pairs.collect())
}

fn ambiguity(summary: &Summary) -> Value {
    summary.ambiguous.map_or(Value::Null, |band| {
        json!({
            "trades": band.trades,
            "worst": number(Some(band.worst)),
            "path": number(Some(band.path)),
            "best": number(Some(band.best)),
        })
    })
}

fn caveats(caveats: &[Warning]) -> Value {
    caveats
        .iter()
        .map(|c| json!({"code": c.code, "text": c.text}))
        .collect()
}
