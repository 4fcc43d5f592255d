//! `[[layer]]`: reads the strategies of the layers and lays the outer file's account over them.
//!
//! The outer file decides the account, cash, flows, tax, benchmark and days; a layer's file decides
//! which symbols trade, when, how much, under which stops, fills and costs. What a layer's file says
//! of its account holds where it runs alone.

use crate::error::{Problem, nearest};
use crate::strategy::file::Value;
use crate::strategy::resolve::{Parts, Values, every, rows_of};
use crate::strategy::{AccountKind, Feeds, Layer, Overrides, Prices, Strategy};
use std::collections::HashSet;

/// Fills in the layers of a strategy; mistakes are added to `problems`.
pub(super) fn resolve(
    values: &Values<'_>,
    parts: &Parts<'_>,
    strategy: &mut Strategy,
    problems: &mut Vec<Problem>,
) {
    let count = rows_of(parts, "layer");
    let into = |row: usize| values.text(&format!("cashflow.{row}.into"));
    if count == 0 {
        for row in 0..strategy.cashflows.len() {
            if into(row).is_some() {
                let key = format!("cashflow.{row}.into");
                let problem = values.problem(&key, "`into` without a [[layer]]");
                problems.push(problem.help("leave it out: there is one account"));
            }
        }
        return;
    }
    let names: Vec<Option<String>> = (0..count)
        .map(|row| values.text(&format!("layer.{row}.name")))
        .collect();
    let named = |name: &str| names.iter().position(|n| n.as_deref() == Some(name));
    check_rows(values, parts, &names, problems);
    let sum: f64 = (0..count).map(|row| weight(values, row)).sum();
    for (row, name) in names.iter().enumerate() {
        let feeds = feeds(values, row, &names, problems);
        let Some(inner) = read(values, parts, strategy, row, problems) else {
            continue;
        };
        strategy.layers.push(Layer {
            name: name.clone().unwrap_or_default(),
            file: values
                .path(&format!("layer.{row}.strategy"))
                .unwrap_or_default(),
            weight: weight(values, row) / sum,
            feeds,
            strategy: inner,
        });
    }
    for row in 0..strategy.cashflows.len() {
        let Some(name) = into(row) else { continue };
        strategy.cashflows[row].into = named(&name);
        if named(&name).is_none() {
            problems.push(unknown(
                values,
                &format!("cashflow.{row}.into"),
                &name,
                &names,
            ));
        }
    }
    rebalance(values, count, strategy, problems);
    if strategy.layers.len() == count {
        share_data(values, strategy, problems);
        share_account(values, strategy, problems);
    }
}

fn weight(values: &Values<'_>, row: usize) -> f64 {
    values.number_or(&format!("layer.{row}.weight"), 1.0)
}

fn unknown(values: &Values<'_>, key: &str, name: &str, names: &[Option<String>]) -> Problem {
    let known = || names.iter().flatten().map(String::as_str);
    let problem = values.problem(key, format!("no layer is called `{name}`"));
    match nearest(name, known()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!(
            "the layers are {}",
            known().collect::<Vec<_>>().join(" ")
        )),
    }
}

/// Names and files that must be there, names that stand twice.
fn check_rows(
    values: &Values<'_>,
    parts: &Parts<'_>,
    names: &[Option<String>],
    problems: &mut Vec<Problem>,
) {
    for (row, name) in names.iter().enumerate() {
        let heading = parts
            .headings
            .iter()
            .find(|h| h.name == format!("layer.{row}"));
        for key in ["name", "strategy"] {
            if !parts.tried.contains(&format!("layer.{row}.{key}")) {
                let problem = Problem::new(format!("this [[layer]] has no {key}"));
                let problem = problem.help("name = \"core\", strategy = \"core.toml\"");
                problems.push(match heading {
                    Some(heading) => problem.at(heading.span.clone()),
                    None => problem,
                });
            }
        }
        if name.is_some() && names[..row].contains(name) {
            let key = format!("layer.{row}.name");
            let problem = values.problem(&key, "two layers have this name");
            problems.push(problem.help("give one of them another"));
        }
    }
}

fn feeds(
    values: &Values<'_>,
    row: usize,
    names: &[Option<String>],
    problems: &mut Vec<Problem>,
) -> Feeds {
    let key = format!("layer.{row}.feeds");
    let mut feeds = Feeds::default();
    let Some(Value::Feeds(given)) = values.value(&key) else {
        return feeds;
    };
    for (stream, layer) in given {
        let to = names.iter().position(|name| name.as_ref() == Some(layer));
        if to == Some(row) {
            let what = format!("{stream} of a layer cannot feed itself");
            problems.push(
                values
                    .problem(&key, what)
                    .help("leave it out: it keeps what it earns"),
            );
        } else if to.is_none() {
            problems.push(unknown(values, &key, layer, names));
        }
        match stream.as_str() {
            "dividends" => feeds.dividends = to,
            "premium" => feeds.premium = to,
            "interest" => feeds.interest = to,
            _ => feeds.gains = to,
        }
    }
    feeds
}

/// The strategy of a layer, as its own file has it.
fn read(
    values: &Values<'_>,
    parts: &Parts<'_>,
    outer: &Strategy,
    row: usize,
    problems: &mut Vec<Problem>,
) -> Option<Strategy> {
    let key = format!("layer.{row}.strategy");
    let path = values.path(&key)?;
    let overrides = Overrides {
        data: outer.data.source.clone(),
        columns: parts.overrides.columns.clone(),
        ..Overrides::default()
    };
    let mut refuse = |what: String, help: &str| {
        let what = format!("the layer\u{2019}s file {}: {what}", path.display());
        problems.push(values.problem(&key, what).help(help.to_owned()));
    };
    match Strategy::read(&path, &overrides) {
        Err(error) => {
            let found = error.problems();
            let more = match found.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            let first = found
                .first()
                .map_or_else(|| error.to_string(), |p| p.message.clone());
            refuse(
                format!("{first}{more}"),
                "papertape check FILE shows all of it",
            );
            None
        }
        Ok(inner) if !inner.layers.is_empty() => {
            refuse(
                "it has layers of its own".to_owned(),
                "a layer\u{2019}s file has one selector",
            );
            None
        }
        Ok(inner) => Some(inner),
    }
}

/// One schedule for all layers.
fn rebalance(
    values: &Values<'_>,
    count: usize,
    strategy: &mut Strategy,
    problems: &mut Vec<Problem>,
) {
    for row in 0..count {
        let key = format!("layer.{row}.rebalance");
        let Some(given) = values.text(&key) else {
            continue;
        };
        let schedule = every(&given);
        match strategy.rebalance_layers {
            Some(before) if Some(before) != schedule => {
                let problem = values.problem(&key, "the layers are rebalanced together");
                problems.push(problem.help("give one schedule, on one layer or on all"));
            }
            _ => strategy.rebalance_layers = schedule,
        }
    }
}

/// Layers read one source, whose symbols they may share out among them.
fn share_data(values: &Values<'_>, strategy: &mut Strategy, problems: &mut Vec<Problem>) {
    let Some(first) = strategy.layers.first() else {
        return;
    };
    let mut common = first.strategy.data.clone();
    (common.start, common.end) = (strategy.data.start, strategy.data.end);
    let mut symbols: Vec<String> = Vec::new();
    let mut all = false;
    for (row, layer) in strategy.layers.iter().enumerate() {
        let mut own = layer.strategy.data.clone();
        all |= own.symbols.is_empty();
        symbols.append(&mut own.symbols);
        (own.start, own.end) = (common.start, common.end);
        own.symbols.clone_from(&common.symbols);
        if own != common {
            let what = format!(
                "the layers {} and {} read different [data]",
                first.name, layer.name
            );
            let problem = values.problem(&format!("layer.{row}.strategy"), what);
            problems.push(problem.help(
                "all but symbols, start and end must be the same in their files: put the prices into one folder",
            ));
        }
    }
    let mut seen = HashSet::new();
    symbols.retain(|symbol| seen.insert(symbol.clone()));
    common.symbols = if all { Vec::new() } else { symbols };
    for layer in &mut strategy.layers {
        let data = &mut layer.strategy.data;
        (data.start, data.end) = (common.start, common.end);
    }
    strategy.data = common;
}

/// What of `[options]` a layer cannot have.
fn check_options(
    values: &Values<'_>,
    key: &str,
    (name, inner): (&str, &Strategy),
    is_cash: bool,
    problems: &mut Vec<Problem>,
) {
    let Some(options) = &inner.options else {
        return;
    };
    if options.contract.scale != 1.0 {
        let what = format!("the layer {name} scales prices, which all layers share");
        let help = "leave options.contract.scale out of its file";
        problems.push(values.problem(key, what).help(help));
    }
    if !is_cash {
        let what = format!("the layer {name} has [options] in a margin account");
        let help = "[account] kind = \"cash\" in this file";
        problems.push(values.problem(key, what).help(help));
    }
}

/// The account of the outer file, in parts.
fn share_account(values: &Values<'_>, strategy: &mut Strategy, problems: &mut Vec<Problem>) {
    if strategy.account.each {
        let problem = values.problem("account.each", "`each` beside [[layer]]");
        problems.push(problem.help("each layer has an account of its own already"));
    }
    if strategy.tax.is_some() {
        problems.push(
            Problem::new("[tax] beside [[layer]] is not yet part of papertape")
                .at_column("tax")
                .help("run the layers without taxes"),
        );
    }
    let is_cash = strategy.account.kind == AccountKind::Cash;
    let (account, cash) = (strategy.account.clone(), strategy.cash.clone());
    for (row, layer) in strategy.layers.iter_mut().enumerate() {
        let key = format!("layer.{row}.strategy");
        let inner = &mut layer.strategy;
        if inner.rules.short.is_some() && is_cash {
            let what = format!("the layer {} sells short in a cash account", layer.name);
            let help = "[account] kind = \"margin\" and margin_rate = \u{2026} in this file";
            problems.push(values.problem(&key, what).help(help));
        }
        check_options(values, &key, (&layer.name, inner), is_cash, problems);
        if account.reinvest_dividends && layer.feeds.dividends.is_some() {
            let what = format!(
                "dividends of the layer {} are reinvested and cannot be given away",
                layer.name
            );
            problems.push(
                values
                    .problem("account.dividends", what)
                    .help("dividends = \"cash\""),
            );
        }
        let is_adjusted = inner.data.prices == Prices::Adjusted;
        if is_adjusted && layer.feeds.dividends.is_some() {
            let what = format!(
                "the layer {} has adjusted prices, which pay no dividends",
                layer.name
            );
            problems.push(
                values
                    .problem(&key, what)
                    .help("prices = \"raw\" in its [data]"),
            );
        }
        if inner.model.is_some() {
            let what = format!(
                "the layer {} has a [model], which layers do not carry yet",
                layer.name
            );
            problems.push(
                values
                    .problem(&key, what)
                    .help("write its rules without `model`"),
            );
        }
        inner.account = account.clone();
        inner.account.cash = account.cash * layer.weight;
        inner.cash = cash.clone();
        inner.tax = None;
        inner.cashflows.clear();
        inner.fill.close_at_end = strategy.fill.close_at_end;
    }
}
