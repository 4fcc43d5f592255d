//! Another program's definitions beside ours: terminal text, JSON and CSV.

use crate::metrics::Metrics;
use crate::metrics::profile::{Definition, Profiled};
use crate::report::cell;
use crate::report::figure;
use crate::report::text::{left, paragraph, right};
use serde_json::{Map, Value, json};

/// Widths of a name and of a figure.
const NAME: usize = 27;
const FIGURE: usize = 10;

type Found = Result<f64, String>;

/// What a reader has to know: everything but the definitions is the same.
fn heading(profiled: &Profiled) -> String {
    format!("As {} defines it", profiled.profile.version)
}

/// A heading and a row a figure: its name there, ours, theirs, and their definition. At most 80 columns.
pub fn text(profiled: &Profiled, ours: &Metrics) -> String {
    let mut page = format!("\n{}\n", heading(profiled));
    page.push_str(&format!(
        "  {}{}{}\n",
        left("", NAME),
        right("ours", FIGURE),
        right("theirs", FIGURE)
    ));
    for (row, found) in profiled.rows() {
        let cells = format!(
            "  {}{}{}  ",
            left(row.name, NAME),
            right(&figure::of_key(ours, row.key), FIGURE),
            right(&shown(row, found), FIGURE)
        );
        page.push_str(&paragraph(&cells, row.formula));
    }
    page.push_str(&paragraph(
        "  ",
        &format!("Source: {}", profiled.profile.source),
    ));
    page
}

fn shown(row: &Definition, found: &Found) -> String {
    match found {
        Ok(value) => figure::of_unit(*value, row.unit),
        Err(_) => figure::ABSENT.to_owned(),
    }
}

/// Name, version and source; numbers by the keys of ours, reasons, and definitions.
pub fn object(profiled: &Profiled) -> Value {
    let by_key = |of: &dyn Fn(&Definition, &Found) -> Option<Value>| {
        let pairs = profiled
            .rows()
            .filter_map(|(row, found)| Some((row.key.to_owned(), of(row, found)?)));
        Value::Object(pairs.collect::<Map<String, Value>>())
    };
    json!({
        "name": profiled.profile.name,
        "version": profiled.profile.version,
        "source": profiled.profile.source,
        "metrics": by_key(&|_, found| Some(json!(found.as_ref().ok()))),
        "absent": by_key(&|_, found| found.as_ref().err().map(|why| json!(why))),
        "definitions": by_key(&|row, _| Some(json!({ "name": row.name, "formula": row.formula }))),
    })
}

/// `metric,name,ours,theirs,formula,absent`: a row a figure, under the key of ours.
pub fn csv(profiled: &Profiled, ours: &Metrics) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, cell::number);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = String::from("metric,name,ours,theirs,formula,absent\n");
    for (row, found) in profiled.rows() {
        let reason = found
            .as_ref()
            .err()
            .map_or_else(String::new, |why| quoted(why));
        text.push_str(&format!(
            "{},{},{},{},{},{reason}\n",
            row.key,
            quoted(row.name),
            number(ours.get(row.key)),
            number(found.as_ref().ok().copied()),
            quoted(row.formula),
        ));
    }
    text
}
