//! `list indicators`, `list metrics`: what expressions can call and what a run is measured by. The
//! tables are the library's; here they are only laid out.

use crate::cli::{Context, Exit, Format, page};
use papertape::indicators::{self, Arg, ArgKind, Indicator};
use papertape::metrics::{self, Better, Unit};
use serde_json::{Value, json};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Functions of expressions, with arguments, formula, warm-up and source
    Indicators,
    /// Figures of a run, with definition and source
    Metrics,
}

pub(crate) fn run(args: Args, io: &mut Context) -> papertape::error::Result<Exit> {
    match (args.what, io.format) {
        (What::Indicators, Format::Table) => io.print(indicators_text()),
        (What::Indicators, Format::Csv) => io.print(indicators_csv()),
        (What::Indicators, Format::Json) => io.print(format_args!("{:#}\n", indicators_json())),
        (What::Metrics, Format::Table) => io.print(metrics_text()),
        (What::Metrics, Format::Csv) => io.print(metrics_csv()),
        (What::Metrics, Format::Json) => io.print(format_args!("{:#}\n", metrics_json())),
    }
    Ok(Exit::Done)
}

/// Usual arguments, to show a warm-up as a number of bars.
fn usual(row: &Indicator) -> Vec<f64> {
    let usual = |arg: &Arg| -> f64 {
        match arg.name {
            "fast" => 12.0,
            "slow" => 26.0,
            "signal" => 9.0,
            "slow_k" | "slow_d" | "d" => 3.0,
            "a" => 7.0,
            "b" => 14.0,
            "c" => 28.0,
            "k" => 2.0,
            "step" => 0.02,
            "max" => 0.2,
            "atr_n" => 10.0,
            _ => 14.0,
        }
    };
    let within = |arg: &Arg| match arg.kind {
        ArgKind::Whole { min, max } => usual(arg).clamp(f64::from(min), f64::from(max)),
        ArgKind::Real { min, max } => usual(arg).clamp(min, max),
    };
    row.args.iter().map(within).collect()
}

/// "bar 13 with n = 14": the first bar with a value, counted from 0.
fn warmup(row: &Indicator) -> String {
    let args = usual(row);
    let named: Vec<String> = row
        .args
        .iter()
        .zip(&args)
        .map(|(arg, x)| format!("{} = {x}", arg.name))
        .collect();
    let bars = (row.warmup)(&args);
    match named.is_empty() {
        true => format!("{bars} bars"),
        false => format!("{bars} bars with {}", named.join(", ")),
    }
}

fn range(arg: &Arg) -> String {
    match arg.kind {
        ArgKind::Whole { min, max } => format!("{} {min} to {max}", arg.name),
        ArgKind::Real { min, max } => format!("{} {min} to {max} (any number)", arg.name),
    }
}

fn indicators_text() -> String {
    let mut text = String::from(
        "Functions of expressions. A leading x may be left out and is then the close.\n",
    );
    for (family, rows) in indicators::families() {
        text.push_str(&format!("\n{family}\n"));
        for row in rows {
            let signature = papertape::rules::signature(row);
            text.push_str(&format!("  {signature}\n"));
            page::paragraph(&mut text, 6, "", row.title);
            page::paragraph(&mut text, 6, "", row.formula);
            let ranges: Vec<String> = row.args.iter().map(range).collect();
            let mut facts = vec![format!("warm-up {}", warmup(row))];
            if !ranges.is_empty() {
                facts.push(ranges.join(", "));
            }
            facts.push(row.source.to_owned());
            page::paragraph(&mut text, 6, "", &facts.join("; "));
        }
    }
    let mut family = "";
    for row in papertape::rules::functions() {
        if row.family != family {
            family = row.family;
            text.push_str(&format!("\n{family}\n"));
        }
        text.push_str(&format!("  {}\n", row.signature));
        page::paragraph(&mut text, 6, "", row.title);
        page::paragraph(&mut text, 6, "", row.formula);
        page::paragraph(&mut text, 6, "", &format!("value: {}", row.warmup));
    }
    text
}

fn indicators_csv() -> String {
    let mut text = String::from("name,family,signature,title,formula,warmup,source\n");
    for (family, rows) in indicators::families() {
        for row in rows {
            let signature = papertape::rules::signature(row);
            let cells = [
                family,
                &signature,
                row.title,
                row.formula,
                &warmup(row),
                row.source,
            ];
            text.push_str(&page::csv_row(row.name, &cells));
        }
    }
    for row in papertape::rules::functions() {
        let cells = [
            row.family,
            row.signature,
            row.title,
            row.formula,
            row.warmup,
            "",
        ];
        text.push_str(&page::csv_row(row.name, &cells));
    }
    text
}

fn indicators_json() -> Value {
    let arg = |arg: &Arg| match arg.kind {
        ArgKind::Whole { min, max } => {
            json!({ "name": arg.name, "type": "integer", "minimum": min, "maximum": max })
        }
        ArgKind::Real { min, max } => {
            json!({ "name": arg.name, "type": "number", "minimum": min, "maximum": max })
        }
    };
    let mut list = Vec::new();
    for (family, rows) in indicators::families() {
        for row in rows {
            let usual = usual(row);
            list.push(json!({
                "name": row.name,
                "family": family,
                "signature": papertape::rules::signature(row),
                "takes_series": row.takes_series,
                "needs_volume": row.needs_volume,
                "args": row.args.iter().map(arg).collect::<Vec<_>>(),
                "title": row.title,
                "formula": row.formula,
                "warmup": { "args": usual, "bars": (row.warmup)(&usual) },
                "source": row.source,
            }));
        }
    }
    for row in papertape::rules::functions() {
        list.push(json!({
            "name": row.name,
            "family": row.family,
            "signature": row.signature,
            "title": row.title,
            "formula": row.formula,
            "warmup": row.warmup,
        }));
    }
    json!({ "schema": 1, "indicators": list })
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Fraction => "fraction",
        Unit::Money => "money",
        Unit::Count => "count",
        Unit::Days => "days",
        Unit::Bars => "bars",
        Unit::Ratio => "ratio",
    }
}

fn better(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
        Better::Neither => "neither",
    }
}

fn metrics_text() -> String {
    let mut text = String::from("Figures of a run. Absent is a reason, never 0.\n\n");
    for row in metrics::all() {
        let facts = match row.better {
            Better::Neither => format!("{} ({})", row.label, unit(row.unit)),
            side => format!(
                "{} ({}, {} is better)",
                row.label,
                unit(row.unit),
                better(side)
            ),
        };
        page::paragraph(&mut text, 20, row.key, &facts);
        page::paragraph(&mut text, 20, "", row.formula);
        page::paragraph(&mut text, 20, "", row.source);
    }
    text
}

fn metrics_csv() -> String {
    let mut text = String::from("key,label,unit,better,formula,source\n");
    for row in metrics::all() {
        let cells = [
            row.label,
            unit(row.unit),
            better(row.better),
            row.formula,
            row.source,
        ];
        text.push_str(&page::csv_row(row.key, &cells));
    }
    text
}

fn metrics_json() -> Value {
    let row = |row: &metrics::Metric| {
        json!({
            "key": row.key,
            "label": row.label,
            "unit": unit(row.unit),
            "better": better(row.better),
            "formula": row.formula,
            "source": row.source,
        })
    };
    let list: Vec<Value> = metrics::all().map(row).collect();
    json!({ "schema": 1, "metrics": list })
}
