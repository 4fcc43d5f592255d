//! `check FILE…`: is a strategy file sound, does its data carry it, and does nothing in it see the
//! future? What is looked at is the library's `strategy::review` and `study::causality`; no result
//! of a simulation is shown.

use crate::cli::flags::StrategyFlags;
use crate::cli::{Context, Exit, Format, holdout, page};
use papertape::engine::read_market;
use papertape::error::Result;
use papertape::market::show_time;
use papertape::strategy::{Review, Severity, Strategy, review};
use papertape::study::causality;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Strategy files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    flags: StrategyFlags,
}

/// Every file is looked at, whatever is wrong with the others.
pub(crate) fn run(args: Args, io: &mut Context) -> Result<Exit> {
    let mut exit = Exit::Done;
    let mut failed = None;
    if io.format == Format::Csv {
        io.print("file,severity,code,message,help\n");
    }
    for file in &args.files {
        match look(file, &args.flags, io) {
            Ok(looked) => {
                if !looked.review.passed() {
                    exit = Exit::CheckFailed;
                }
                show(file, &looked, io);
            }
            // The last error is returned, and so printed by the caller.
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    io.report(&before);
                }
            }
        }
    }
    failed.map_or(Ok(exit), Err)
}

/// A strategy and what was found about it.
struct Looked {
    strategy: Strategy,
    /// The findings of the look-ahead audit are among its own.
    review: Review,
    /// Moments at which the audit cut the future off.
    cuts: usize,
}

fn look(file: &Path, flags: &StrategyFlags, io: &mut Context) -> Result<Looked> {
    let strategy = holdout::read(file, flags, "check")?;
    let market = read_market(&strategy, false)?;
    for note in &market.notes {
        io.detail(note);
    }
    let mut review = review(&strategy, &market)?;
    // Without a bar to decide on there is nothing to audit, and the review has said so.
    let can_run = review
        .symbols
        .iter()
        .any(|symbol| symbol.bars_in_period > 0);
    let mut cuts = 0;
    if can_run {
        let audit = causality(&market, &strategy, io.seed, io.jobs)?;
        cuts = audit.cuts.len();
        review.findings.extend(audit.findings);
        let is_warning = |severity| severity != Severity::Failure;
        review.findings.sort_by_key(|f| is_warning(f.severity));
    }
    Ok(Looked {
        strategy,
        review,
        cuts,
    })
}

fn show(file: &Path, looked: &Looked, io: &mut Context) {
    let file = file.display().to_string();
    match io.format {
        Format::Table => io.print(text(&file, looked)),
        Format::Json => io.print(format_args!("{}\n", json(&file, looked))),
        Format::Csv => {
            for found in &looked.review.findings {
                let severity = severity(found.severity);
                let cells = [severity, found.code, &found.message, &found.help];
                io.print(page::csv_row(&file, &cells));
            }
        }
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Failure => "failure",
    }
}

/// Column where values begin.
const INDENT: usize = 14;

fn text(file: &str, looked: &Looked) -> String {
    let Looked {
        strategy, review, ..
    } = looked;
    let mut text = format!("{file}: {}\n", strategy.name);
    let keys = review.warmup.iter().map(|(key, _)| key.as_str());
    let series = strategy.series.len();
    let rules = format!(
        "{} are sound{}",
        keys.collect::<Vec<_>>().join(", "),
        match series {
            0 => String::new(),
            1 => ", and so is 1 series".to_owned(),
            n => format!(", and so are {n} series"),
        }
    );
    page::paragraph(&mut text, INDENT, "expressions", &rules);
    let longest = review.warmup.iter().max_by_key(|(_, bars)| *bars);
    if let Some((key, bars)) = longest {
        let warmup = format!("{bars} bars before the first value of {key}");
        page::paragraph(&mut text, INDENT, "warm-up", &warmup);
    }
    let data = format!(
        "{}, bars of {}, calendar {}",
        match review.symbols.len() {
            1 => "1 symbol".to_owned(),
            n => format!("{n} symbols"),
        },
        review.interval.name(),
        review.calendar.name()
    );
    page::paragraph(&mut text, INDENT, "data", &data);
    text.push_str(&symbols(review));
    if let Some(trip) = review.round_trip {
        let costs = format!(
            "buying and selling {:.0} at {:.2} a share costs {:.3}% of it",
            trip.value,
            trip.price,
            100.0 * trip.cost
        );
        page::paragraph(&mut text, INDENT, "costs", &costs);
    }
    page::paragraph(&mut text, INDENT, "look-ahead", &look_ahead(looked));
    for found in &review.findings {
        let said = format!("{}: {}", found.message, found.help);
        page::paragraph(&mut text, INDENT, severity(found.severity), &said);
    }
    text.push_str(match (review.passed(), review.findings.is_empty()) {
        (true, true) => "  sound\n",
        (true, false) => "  sound, with warnings\n",
        (false, _) => "  not sound\n",
    });
    text
}

/// What the audit did; what it found stands among the findings.
fn look_ahead(looked: &Looked) -> String {
    let is_found = |code: &str| looked.review.findings.iter().any(|f| f.code == code);
    match looked.cuts {
        0 => "there is no future to cut off".to_owned(),
        cuts if is_found("look_ahead") => {
            format!("cut off at {cuts} moments, the future changes an order")
        }
        cuts => format!("cut off at {cuts} moments, the future changes no order"),
    }
}

/// A line a symbol; of a large universe only the first.
fn symbols(review: &Review) -> String {
    const SHOWN: usize = 20;
    let moment = |time| show_time(time);
    let mut text = format!(
        "    {:<8} {:>8}  {:<10} {:<10} {:>8}  {}\n",
        "symbol", "bars", "first", "last", "in run", "first decision"
    );
    for symbol in review.symbols.iter().take(SHOWN) {
        let (first, last) = match symbol.range {
            Some((first, last)) => (moment(first), moment(last)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let decision = symbol.first_decision.map_or("never".to_owned(), moment);
        text.push_str(&format!(
            "    {:<8} {:>8}  {first:<10} {last:<10} {:>8}  {decision}\n",
            symbol.symbol, symbol.bars, symbol.bars_in_period
        ));
    }
    if review.symbols.len() > SHOWN {
        text.push_str(&format!("    and {} more\n", review.symbols.len() - SHOWN));
    }
    text
}

fn json(file: &str, looked: &Looked) -> Value {
    let Looked {
        strategy,
        review,
        cuts,
    } = looked;
    let symbol = |s: &papertape::strategy::Coverage| {
        json!({
            "symbol": s.symbol,
            "bars": s.bars,
            "first": s.range.map(|r| show_time(r.0)),
            "last": s.range.map(|r| show_time(r.1)),
            "bars_in_run": s.bars_in_period,
            "missing_sessions": s.missing_sessions,
            "first_decision": s.first_decision.map(show_time),
        })
    };
    let finding = |f: &papertape::strategy::Finding| {
        json!({
            "severity": severity(f.severity),
            "code": f.code,
            "message": f.message,
            "help": f.help,
        })
    };
    let warmup: serde_json::Map<String, Value> = review
        .warmup
        .iter()
        .map(|(key, bars)| (key.clone(), json!(bars)))
        .collect();
    json!({
        "schema": 1,
        "file": file,
        "name": strategy.name,
        "passed": review.passed(),
        "interval": review.interval.name(),
        "calendar": review.calendar.name(),
        "warmup": warmup,
        "symbols": review.symbols.iter().map(symbol).collect::<Vec<_>>(),
        "round_trip": review.round_trip.map(|t| json!({ "value": t.value, "price": t.price, "cost": t.cost })),
        "look_ahead_cuts": cuts,
        "findings": review.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
