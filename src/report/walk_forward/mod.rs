//! A walk forward as pages: the terminal's, JSON, `folds.csv`, `walk-forward.png`. What is said of
//! the stitched run itself is its summary's, as of any run.

pub mod kept;
mod picture;
mod words;

pub use picture::picture;
pub use words::text;

use crate::metrics::find;
use crate::metrics::trial::Trial;
use crate::report::summary::Summary;
use crate::report::{cell, json};
use crate::study::walk_forward::{Crossed, Fold, Objective, Path, Split, Stability, Walk};
use serde_json::{Map, Value, json};

/// The columns of `folds.csv` before the chosen values.
const COLUMNS: [&str; 6] = [
    "fold",
    "train_start",
    "train_end",
    "test_start",
    "test_end",
    "decided",
];

/// One row a fold: its windows, what it chose, and the figures in and out of sample. An absent figure
/// is an empty cell.
pub fn csv(walk: &Walk, is_intraday: bool) -> Vec<u8> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let inside = Trial::KEYS.iter().map(|key| format!("in_sample_{key}"));
    let outside = Trial::KEYS.iter().map(|key| format!("out_of_sample_{key}"));
    let varied = walk.stability.iter().map(|s| s.varied.name.clone());
    let header = COLUMNS.iter().map(ToString::to_string).chain(varied);
    let header = header
        .chain(inside)
        .chain(outside)
        .chain(["rank".to_owned()]);
    // Writing to memory cannot fail, and the rows have one length.
    let _ = writer.write_record(header);
    let figure = |value: Option<f64>| value.map_or_else(String::new, cell::number);
    for (at, fold) in walk.folds.iter().enumerate() {
        let days = [fold.trained.0, fold.trained.1, fold.tested.0, fold.tested.1];
        let mut row = vec![(at + 1).to_string()];
        row.extend(days.map(|day| cell::moment(day, is_intraday)));
        row.push(fold.is_decided.to_string());
        row.extend(walk.stability.iter().map(|s| chosen(s, at).to_owned()));
        row.extend(Trial::KEYS.map(|key| figure(fold.in_sample.get(key))));
        row.extend(Trial::KEYS.map(|key| figure(fold.out_of_sample.get(key))));
        row.push(figure(fold.rank));
        let _ = writer.write_record(row);
    }
    writer.into_inner().unwrap_or_default()
}

/// The object of a run with a further key `walk_forward`: its metrics are those out of sample.
pub fn object(walk: &Walk, summary: &Summary, files: &[String]) -> Value {
    let mut object = json::object(summary, files);
    if let Some(map) = object.as_object_mut() {
        map.insert("walk_forward".to_owned(), of_walk(walk, summary));
    }
    object
}

fn of_walk(walk: &Walk, summary: &Summary) -> Value {
    let is_intraday = summary.period.is_intraday;
    let windows = &walk.windows;
    let efficiency = &walk.efficiency;
    let value = |of: &Result<f64, String>| json!(of.as_ref().ok());
    let reason = |of: &Result<f64, String>| of.as_ref().err().cloned();
    let absent = [
        (
            "efficiency_annual_return",
            reason(&efficiency.annual_return),
        ),
        ("efficiency_sharpe", reason(&efficiency.sharpe)),
    ];
    let absent = absent
        .into_iter()
        .filter_map(|(key, why)| Some((key.to_owned(), json!(why?))));
    let folds = walk.folds.iter().enumerate();
    let folds = folds.map(|(at, fold)| of_fold(walk, at, fold, is_intraday));
    let hindsight = walk.hindsight.as_ref().map(|seen| {
        json!({
            "trial": seen.chosen,
            "params": params(&seen.values),
            "metrics": figures(&seen.figures),
            "deflated_sharpe": seen.deflated_sharpe.as_ref().ok(),
            "deflated_sharpe_all": seen.deflated_sharpe_all.as_ref().ok(),
        })
    });
    json!({
        "complete": walk.is_complete,
        "folds_planned": walk.planned,
        "objective": walk.objective.key,
        "train": windows.train.to_string(),
        "test": windows.test.to_string(),
        "step": windows.step.to_string(),
        "anchored": windows.anchored,
        "purge_bars": windows.purge_bars,
        "trials": walk.trials,
        "trials_all": walk.trials_all,
        "simulations": walk.simulations,
        "fallback": walk.fallback,
        "efficiency_annual_return": value(&efficiency.annual_return),
        "efficiency_sharpe": value(&efficiency.sharpe),
        "in_sample_cagr": number(efficiency.in_sample_cagr),
        "in_sample_sharpe": number(efficiency.in_sample_sharpe),
        "absent": Value::Object(absent.collect()),
        "folds": folds.collect::<Vec<_>>(),
        "stability": walk.stability.iter().map(of_stability).collect::<Vec<_>>(),
        "hindsight": hindsight,
        "cpcv": walk.crossed.as_ref().map(|crossed| of_crossed(crossed, walk)),
    })
}

fn of_fold(walk: &Walk, at: usize, fold: &Fold, is_intraday: bool) -> Value {
    let day = |time| cell::moment(time, is_intraday);
    let window = &fold.window;
    let values = walk.stability.iter();
    let values: Vec<(String, String)> = values
        .map(|s| (s.varied.name.clone(), chosen(s, at).to_owned()))
        .collect();
    let outside = Trial::KEYS.map(|key| (key.to_owned(), json!(fold.out_of_sample.get(key))));
    json!({
        "fold": at + 1,
        "train": { "start": day(fold.trained.0), "end": day(fold.trained.1), "bars": window.train.len() },
        "test": { "start": day(fold.tested.0), "end": day(fold.tested.1), "bars": window.test.len(), "cut": window.is_cut },
        "trial": fold.chosen,
        "params": params(&values),
        "decided": fold.is_decided,
        "in_sample": figures(&fold.in_sample),
        "out_of_sample": Value::Object(outside.into_iter().collect()),
        "rank": fold.rank,
    })
}

fn of_crossed(crossed: &Crossed, walk: &Walk) -> Value {
    let path = |path: &Path| json!({ "trials": path.chosen, "metrics": of_returns(&path.figures) });
    let split = |split: &Split| json!({ "tested": split.tested, "trial": split.chosen });
    json!({
        "groups": crossed.crossing.groups,
        "tested": crossed.crossing.tested,
        "purge_bars": crossed.crossing.purge_bars,
        "embargo_bars": crossed.crossing.embargo_bars,
        "objective": walk.objective.key,
        "splits": crossed.splits.iter().map(split).collect::<Vec<_>>(),
        "paths": crossed.paths.iter().map(path).collect::<Vec<_>>(),
        "sharpe_low": crossed.sharpe.map(|s| s.0),
        "sharpe_median": crossed.sharpe.map(|s| s.1),
        "sharpe_high": crossed.sharpe.map(|s| s.2),
        "above_zero": crossed.above_zero,
    })
}

/// Figures that need no trades.
fn of_returns(trial: &Trial) -> Value {
    let keys = Trial::KEYS[..7].iter();
    let pairs = keys.map(|key| ((*key).to_owned(), json!(trial.get(key))));
    Value::Object(pairs.collect())
}

fn of_stability(stability: &Stability) -> Value {
    json!({
        "name": stability.varied.name,
        "values": stability.varied.values.len(),
        "distinct": stability.distinct,
        "changes": stability.changes,
    })
}

fn figures(trial: &Trial) -> Value {
    let pairs = Trial::KEYS.map(|key| (key.to_owned(), json!(trial.get(key))));
    Value::Object(pairs.into_iter().collect())
}

/// Values as numbers where they are.
fn params(values: &[(String, String)]) -> Value {
    let value = |text: &String| match text.parse::<f64>() {
        Ok(x) if x.is_finite() => json!(x),
        _ => json!(text),
    };
    let pairs = values
        .iter()
        .map(|(name, text)| (name.clone(), value(text)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

fn number(x: f64) -> Value {
    json!(Some(x).filter(|x| x.is_finite()))
}

/// The value that a fold chose.
fn chosen(stability: &Stability, fold: usize) -> &str {
    stability
        .chosen
        .get(fold)
        .and_then(|at| stability.varied.values.get(*at))
        .map_or("", String::as_str)
}

/// What was optimised, as tables call it.
fn label(objective: &Objective) -> &'static str {
    find(&objective.key).map_or("objective", |metric| metric.label)
}
