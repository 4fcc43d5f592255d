//! A sweep as one JSON object with `"schema": 1`: the best trial, the probabilities, and the rows as
//! far as they are few; where the rest is, it says.

use crate::error::Result;
use crate::metrics::trial::Trial;
use crate::report::json::{absent, metrics};
use crate::report::judgement;
use crate::report::manifest::SCHEMA;
use crate::report::sweep::folder::PARQUET;
use crate::report::sweep::{record, text};
use crate::study::sweep::{Course, Field, Ranking, Row, Rows, Swept};
use serde_json::{Map, Value, json};

/// Most rows of the object; of more trials, it has the best ones.
pub const ROWS_MAX: u64 = 10_000;

/// The object. `files` are the paths of what was written.
///
/// # Errors
/// Rows that cannot be read.
pub fn object(
    field: &Field,
    swept: &Swept,
    course: &Course,
    rows: &mut dyn Rows,
    files: &[String],
) -> Result<Value> {
    let best = swept.runs.first().map(|run| {
        json!({
            "params": params(field, run.index),
            "metrics": metrics(&run.metrics),
            "absent": absent(&run.metrics),
        })
    });
    let count = swept.ranking.count;
    let mut listed: Vec<Value> = Vec::new();
    if count <= ROWS_MAX {
        course.each(rows, &mut |one| {
            listed.push(row(field, one));
            Ok(())
        })?;
    } else {
        listed.extend(swept.ranking.best.iter().map(|one| row(field, one)));
    }
    let mut object = json!({
        "schema": SCHEMA,
        "name": field.strategy.name,
        "trials": count,
        "combinations": swept.total,
        "planned": swept.planned,
        "complete": swept.is_complete,
        "objective": swept.goal.key,
        "method": record::method(swept.method),
        "without_objective": swept.ranking.absent,
        "best": best,
        "plateau": swept.plateau.map(|plateau| plateau.score),
        "plateau_neighbours": swept.plateau.map(|plateau| plateau.neighbours),
    });
    if let Some(object) = object.as_object_mut() {
        object.extend(luck(swept));
    }
    let tail = json!({
        "rows_shown": listed.len(),
        "rows_file": PARQUET,
        "rows": listed,
        "files": files,
    });
    if let (Some(object), Value::Object(tail)) = (object.as_object_mut(), tail) {
        object.extend(tail);
    }
    Ok(object)
}

/// Keys of a judgement where there is none.
const LUCK: [&str; 7] = [
    "trials_effective",
    "deflated_sharpe",
    "deflated_sharpe_all",
    "pbo",
    "spa_p",
    "reality_check_p",
    "min_track_record",
];

/// The figures that say whether the best is luck, `null` where one is absent, and the reasons.
fn luck(swept: &Swept) -> Map<String, Value> {
    let found = match &swept.judgement {
        Ok(judged) => judgement::values(judged),
        Err(reason) => LUCK.iter().map(|key| (*key, Err(reason.clone()))).collect(),
    };
    let mut map = Map::new();
    let mut reasons = Map::new();
    for (key, value) in found {
        match value {
            Ok(value) => map.insert(key.to_owned(), text::number(value)),
            Err(reason) => {
                reasons.insert(key.to_owned(), Value::from(reason));
                map.insert(key.to_owned(), Value::Null)
            }
        };
    }
    if let Ok(judged) = &swept.judgement {
        let luck = text::number(judged.sharpe_of_luck);
        map.insert("sharpe_of_luck".to_owned(), luck);
        map.insert("trials_all".to_owned(), Value::from(judged.trials_all));
        let sentence = judgement::sentence(judged);
        map.insert("sentence".to_owned(), Value::from(sentence));
    }
    map.insert("absent".to_owned(), Value::Object(reasons));
    map
}

/// What a bare sweep prints.
pub fn bare(field: &Field, ranking: &Ranking, top: usize) -> Value {
    let rows: Vec<Value> = ranking
        .best
        .iter()
        .take(top)
        .map(|one| row(field, one))
        .collect();
    json!({
        "schema": SCHEMA,
        "name": field.strategy.name,
        "trials": ranking.count,
        "objective": ranking.goal.key,
        "without_objective": ranking.absent,
        "best": ranking.best.first().map(|one| params(field, one.index)),
        "rows_shown": rows.len(),
        "rows": rows,
    })
}

fn params(field: &Field, index: u64) -> Value {
    let point = field.space.point_of(index);
    let axes = field.space.axes.iter().zip(point);
    let pairs = axes.map(|(axis, at)| (axis.name().to_owned(), text::value(&axis.values[at])));
    Value::Object(pairs.collect())
}

fn row(field: &Field, row: &Row) -> Value {
    let mut object: Map<String, Value> = match params(field, row.index) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for (key, value) in Trial::KEYS.iter().zip(row.figures) {
        let value = match *key {
            "trades" => Value::from(value as u64),
            _ => text::number(value),
        };
        object.insert((*key).to_owned(), value);
    }
    Value::Object(object)
}
