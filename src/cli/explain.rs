//! `explain FILE --at DATE`: why did it (not) trade on that day? What is explained is the
//! library's `engine::explain`; here it is laid out.

use crate::cli::flags::{StrategyFlags, date};
use crate::cli::{Context, Exit, Format, holdout, page};
use chrono::NaiveDate;
use papertape::engine::{DatedOrder, Explanation, explain, read_market};
use papertape::error::{Error, Problem, nearest};
use papertape::market::show_time;
use papertape::rules::{Step, Value};
use papertape::strategy::Strategy;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A strategy file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The day: its last bar is explained
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    at: NaiveDate,
    /// One symbol; all that trade unless given
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// One layer of a strategy of layers; all of them unless given
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    #[command(flatten)]
    flags: StrategyFlags,
}

pub(crate) fn run(args: Args, io: &mut Context) -> papertape::error::Result<Exit> {
    let strategy = holdout::read(&args.file, &args.flags, "explain")?;
    let market = read_market(&strategy, false)?;
    let explained = explain(&market, &strategy, args.at, args.symbol.as_deref())?;
    let explained = of_layer(explained, &strategy, args.layer.as_deref())?;
    match io.format {
        Format::Table => {
            for (i, one) in explained.iter().enumerate() {
                let gap = if i > 0 { "\n" } else { "" };
                io.print(format_args!("{gap}{}", text(one)));
            }
        }
        Format::Json => {
            let symbols: Vec<serde_json::Value> = explained.iter().map(json).collect();
            let page = json!({ "schema": 1, "name": strategy.name, "symbols": symbols });
            io.print(format_args!("{page}\n"));
        }
        Format::Csv => {
            let layer = if strategy.layers.is_empty() {
                ""
            } else {
                ",layer"
            };
            io.print(format_args!(
                "symbol,date,key,depth,expression,value{layer}\n"
            ));
            for one in &explained {
                io.print(csv(one));
            }
        }
    }
    Ok(Exit::Done)
}

/// What one layer decided, where one was asked for.
fn of_layer(
    explained: Vec<Explanation>,
    strategy: &Strategy,
    layer: Option<&str>,
) -> papertape::error::Result<Vec<Explanation>> {
    let Some(layer) = layer else {
        return Ok(explained);
    };
    let names: Vec<&str> = strategy.layers.iter().map(|l| l.name.as_str()).collect();
    if !names.contains(&layer) {
        let problem = Problem::new(format!("no layer is called `{layer}`")).in_file("--layer");
        return Err(Error::new(match nearest(layer, names.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => problem.help("this strategy has no [[layer]]"),
            None => problem.help(format!("the layers are {}", names.join(" "))),
        }));
    }
    let found: Vec<Explanation> = explained
        .into_iter()
        .filter(|one| one.layer.as_deref() == Some(layer))
        .collect();
    match found.is_empty() {
        true => Err(Error::new(
            Problem::new(format!("the layer {layer} does not trade that symbol"))
                .help("leave --layer or --symbol out"),
        )),
        false => Ok(found),
    }
}

/// A number for people: eight significant digits.
fn number(x: f64) -> String {
    let whole = format!("{:.0}", x.abs()).len() - 1;
    let text = format!("{x:.*}", 7usize.saturating_sub(whole));
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn value(value: Value) -> String {
    match value {
        Value::Number(x) => number(x),
        Value::Condition(true) => "true".to_owned(),
        Value::Condition(false) => "false".to_owned(),
        Value::Absent => "no value yet".to_owned(),
    }
}

fn text(e: &Explanation) -> String {
    let layer = e
        .layer
        .as_ref()
        .map_or_else(String::new, |l| format!("{l}: "));
    let mut text = format!(
        "{layer}{} on {}, close {}\n",
        e.symbol,
        show_time(e.time),
        number(e.close)
    );
    for expression in &e.expressions {
        text.push_str(&format!("\n  {}\n", expression.key));
        let shown = |s: &Step| format!("    {}{}", "  ".repeat(s.depth), s.text.trim());
        let width = expression
            .steps
            .iter()
            .map(|s| shown(s).chars().count())
            .max();
        let width = width.unwrap_or(0).min(60);
        for step in &expression.steps {
            let line = format!("{:<width$}  {}\n", shown(step), value(step.value));
            text.push_str(&line);
        }
    }
    text.push('\n');
    match &e.position {
        Some(p) => {
            let held = format!(
                "{} {} shares since {} at {}, {} bars, profit {:.2} ({:.2}%){}{}",
                p.side.name(),
                number(p.shares),
                show_time(p.entry),
                number(p.held.entry_price),
                p.held.bars_held,
                p.held.pnl,
                100.0 * p.held.pnl_pct,
                p.stop
                    .map_or(String::new(), |x| format!(", stop {}", number(x))),
                p.target
                    .map_or(String::new(), |x| format!(", target {}", number(x))),
            );
            page::paragraph(&mut text, INDENT, "position", &held);
        }
        None => page::paragraph(&mut text, INDENT, "position", "none"),
    }
    let money = format!("equity {:.2}, cash {:.2}", e.equity, e.cash);
    page::paragraph(&mut text, INDENT, "account", &money);
    for order in &e.filled {
        page::paragraph(&mut text, INDENT, "filled", &fill(order));
    }
    for (i, sentence) in e.because.iter().enumerate() {
        let name = if i == 0 { "decision" } else { "" };
        page::paragraph(&mut text, INDENT, name, sentence);
    }
    text
}

/// Column where values begin.
const INDENT: usize = 13;

/// An order of an earlier close that was filled on this bar.
fn fill(dated: &DatedOrder) -> String {
    let order = &dated.order;
    format!(
        "{} {} shares at {}, decided on {}",
        order.side.name(),
        number(order.filled),
        number(order.fill_price.unwrap_or(f64::NAN)),
        show_time(dated.decided)
    )
}

fn csv(e: &Explanation) -> String {
    let mut text = String::new();
    let time = show_time(e.time);
    for expression in &e.expressions {
        for step in &expression.steps {
            let value = match step.value {
                Value::Number(x) => x.to_string(),
                Value::Condition(yes) => yes.to_string(),
                Value::Absent => String::new(),
            };
            let depth = step.depth.to_string();
            let cells = [&time, &expression.key, &depth, &step.text, &value];
            let cells: Vec<&str> = cells
                .into_iter()
                .chain(&e.layer)
                .map(String::as_str)
                .collect();
            text.push_str(&page::csv_row(&e.symbol, &cells));
        }
    }
    text
}

fn json(e: &Explanation) -> serde_json::Value {
    let step = |s: &Step| {
        let value = match s.value {
            Value::Number(x) => json!(x),
            Value::Condition(yes) => json!(yes),
            Value::Absent => serde_json::Value::Null,
        };
        json!({ "expression": s.text, "depth": s.depth, "value": value })
    };
    let expressions: serde_json::Map<String, serde_json::Value> = e
        .expressions
        .iter()
        .map(|x| (x.key.clone(), x.steps.iter().map(step).collect()))
        .collect();
    let position = e.position.map(|p| {
        json!({
            "side": p.side.name(),
            "shares": p.shares,
            "entry": show_time(p.entry),
            "entry_price": p.held.entry_price,
            "bars_held": p.held.bars_held,
            "pnl": p.held.pnl,
            "pnl_pct": p.held.pnl_pct,
            "mae": p.held.mae,
            "mfe": p.held.mfe,
            "stop": p.stop,
            "target": p.target,
        })
    });
    let mut object = json!({
        "symbol": e.symbol,
        "date": show_time(e.time),
        "close": e.close,
        "equity": e.equity,
        "cash": e.cash,
        "expressions": expressions,
        "position": position,
        "decided": e.decided.iter().map(order).collect::<Vec<_>>(),
        "filled": e.filled.iter().map(order).collect::<Vec<_>>(),
        "because": e.because,
    });
    if let Some(layer) = &e.layer {
        object["layer"] = json!(layer);
    }
    object
}

fn order(dated: &DatedOrder) -> serde_json::Value {
    let order = &dated.order;
    json!({
        "id": order.id,
        "decided": show_time(dated.decided),
        "side": order.side.name(),
        "kind": order.kind.name(),
        "quantity": order.quantity,
        "price": order.price,
        "outcome": order.outcome.name(),
        "reason": order.reason.name(),
        "filled": order.filled,
        "fill_date": dated.filled.map(show_time),
        "fill_price": order.fill_price,
    })
}
