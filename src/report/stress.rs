//! The table of assumptions that flatter a strategy: terminal text, JSON, CSV, and the sentences
//! that a run's summary and tear sheet take from it.

use crate::metrics::Metrics;
use crate::report::cell;
use crate::report::figure;
use crate::report::manifest::SCHEMA;
use crate::report::text::{left, paragraph, right};
use crate::study::{Stress, StressLine, StressResult};
use serde_json::{Value, json};

/// The figures of a line that is a run: key and heading of its column.
const FIGURES: [(&str, &str); 5] = [
    ("total_return", "return"),
    ("cagr", "a year"),
    ("sharpe", "Sharpe"),
    ("max_drawdown", "drawdown"),
    ("trades", "trades"),
];

/// Width of the labels.
const LABEL: usize = 37;
/// Widths of the columns of figures.
const WIDTHS: [usize; 5] = [9, 8, 7, 10, 7];

/// The worst line in a sentence, with the run as it is beside it; `None` when there is no other
/// run to compare with.
pub fn headline(stress: &Stress) -> Option<String> {
    let worst = stress.worst_line()?;
    let as_run = stress.line("as_run")?;
    let usual = as_run.figure("cagr").map(figure::percent);
    let usual = usual.or_else(|| as_run.figure("total_return").map(figure::percent));
    Some(format!(
        "Worst: {}: {} instead of {}.",
        worst.label,
        in_brief(worst),
        usual.unwrap_or_else(|| figure::ABSENT.to_owned())
    ))
}

/// CAGR, or the whole return of a run too short for one.
fn yearly(metrics: &Metrics) -> String {
    match (metrics.get("cagr"), metrics.get("total_return")) {
        (Some(_), _) => format!("CAGR {}", figure::of_key(metrics, "cagr")),
        (None, Some(_)) => format!("return {}", figure::of_key(metrics, "total_return")),
        (None, None) => "everything lost".to_owned(),
    }
}

/// Starts and random entries in a sentence; empty when neither could be told.
pub fn shares(stress: &Stress) -> String {
    let of = |key: &str| match &stress.line(key)?.result {
        Ok(StressResult::Share { share, of }) => Some((whole_percent(*share), *of)),
        _ => None,
    };
    let starts = of("three_year_starts")
        .map(|(share, of)| format!("{share} of {} beat cash", plural_starts(of)));
    let entries = of("random_entries").map(|(share, of)| {
        let of = figure::grouped(of as f64, 0);
        format!("{share} of {of} random entries did worse")
    });
    let said: Vec<String> = starts.into_iter().chain(entries).collect();
    match said.is_empty() {
        true => String::new(),
        false => said.join("; ") + ".",
    }
}

fn plural_starts(of: usize) -> String {
    figure::plural(of, "3-year start", "3-year starts")
}

fn whole_percent(share: f64) -> String {
    // Not all is not 100%, and not none is not 0%.
    let percent = match 100.0 * share {
        p if p > 99.0 && p < 100.0 => 99.0,
        p if p > 0.0 && p < 1.0 => 1.0,
        p => p,
    };
    format!("{percent:.0}%")
}

/// What a line found in a few words: `CAGR 2.10%`, `43.1 bp a side`, `38% of 121`, or the reason
/// why there is nothing.
pub fn in_brief(line: &StressLine) -> String {
    match &line.result {
        Ok(StressResult::Figures(metrics)) => yearly(metrics),
        Ok(result) => other(result),
        Err(reason) => reason.clone(),
    }
}

fn other(result: &StressResult) -> String {
    match result {
        StressResult::Figures(_) => String::new(),
        StressResult::BreakEven {
            bps,
            beyond,
            paid_bps,
        } => {
            let over = if *beyond { "over " } else { "" };
            let paid = paid_bps.map_or(String::new(), |paid| format!(", pays {paid:.1}"));
            format!("{over}{} bp a side{paid}", figure::grouped(*bps, 1))
        }
        StressResult::Share { share, of } => {
            let of = figure::grouped(*of as f64, 0);
            format!("{} of {of}", whole_percent(*share))
        }
    }
}

/// The page in the terminal, 80 columns.
pub fn text(name: &str, stress: &Stress) -> String {
    let mut page = format!("{name}, under stress\n\n");
    if let Some(headline) = headline(stress) {
        page.push_str(&paragraph("", &headline));
        page.push('\n');
    }
    let mut row = |label: &str, cells: &str| {
        let row = format!("  {}{cells}", left(label, LABEL));
        page.push_str(row.trim_end());
        page.push('\n');
    };
    let headings = FIGURES.iter().zip(WIDTHS);
    let headings: String = headings
        .map(|((_, name), width)| right(name, width))
        .collect();
    row("Assumption", &headings);
    for line in &stress.lines {
        if let Ok(StressResult::Figures(metrics)) = &line.result {
            let cells = FIGURES.iter().zip(WIDTHS);
            let cells: String = cells
                .map(|((key, _), width)| right(&figure::of_key(metrics, key), width))
                .collect();
            row(&line.label, &cells);
        }
    }
    page.push('\n');
    for line in &stress.lines {
        let first = format!("  {} ", left(&line.label, LABEL + 8));
        match &line.result {
            Ok(StressResult::Figures(_)) => {}
            Ok(result) => page.push_str(&paragraph(&first, &other(result))),
            Err(reason) => {
                let reason = format!("{} {reason}", figure::ABSENT);
                page.push_str(&paragraph(&first, &reason));
            }
        }
    }
    page
}

/// The table as one JSON object on one line.
pub fn json(name: &str, stress: &Stress) -> String {
    let mut object = object(stress);
    if let Some(object) = object.as_object_mut() {
        object.insert("schema".to_owned(), json!(SCHEMA));
        object.insert("name".to_owned(), json!(name));
    }
    object.to_string() + "\n"
}

/// The table as JSON, for the object of a run too.
pub fn object(stress: &Stress) -> Value {
    json!({
        "worst": stress.worst_line().map(|line| line.key),
        "headline": headline(stress),
        "lines": stress.lines.iter().map(line_object).collect::<Vec<_>>(),
    })
}

fn line_object(line: &StressLine) -> Value {
    let mut object = json!({ "key": line.key, "label": line.label });
    let mut insert = |key: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    };
    match &line.result {
        Ok(StressResult::Figures(metrics)) => {
            for (key, _) in FIGURES {
                insert(key, json!(metrics.get(key)));
            }
        }
        Ok(StressResult::BreakEven {
            bps,
            beyond,
            paid_bps,
        }) => {
            insert("bps", json!(bps));
            insert("beyond", json!(beyond));
            insert("paid_bps", json!(paid_bps));
        }
        Ok(StressResult::Share { share, of }) => {
            insert("share", json!(share));
            insert("of", json!(of));
        }
        Err(reason) => insert("absent", json!(reason)),
    }
    object
}

/// Header of the CSV.
pub const CSV_HEADER: &str =
    "name,key,label,total_return,cagr,sharpe,max_drawdown,trades,bps,share,of,absent\n";

/// The table as CSV, a row a line, without the header. Cells that a line has no figure for are
/// empty.
pub fn csv(name: &str, stress: &Stress) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row = |line: &StressLine| {
        let figures = FIGURES.map(|(key, _)| line.figure(key).map_or(String::new(), cell::number));
        let (mut bps, mut share, mut of, mut absent) = Default::default();
        match &line.result {
            Ok(StressResult::Figures(_)) => {}
            Ok(StressResult::BreakEven { bps: found, .. }) => bps = cell::number(*found),
            Ok(StressResult::Share { share: s, of: n }) => {
                (share, of) = (cell::number(*s), n.to_string());
            }
            Err(reason) => absent = quoted(reason),
        }
        let label = quoted(&line.label);
        let figures = figures.join(",");
        let name = quoted(name);
        format!(
            "{name},{},{label},{figures},{bps},{share},{of},{absent}\n",
            line.key
        )
    };
    stress.lines.iter().map(row).collect()
}
