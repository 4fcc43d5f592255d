//! Everything that a run's folder holds, as bytes: the same inputs give the same bytes. Where they
//! are written is left to `folder.rs`.

use crate::engine::Run;
use crate::error::Result;
use crate::market::Market;
use crate::report::folder::NewFile;
use crate::report::manifest::{
    self, Assumption, FileHash, Flags, LedgerCopy, Manifest, Program, SCHEMA, StrategyFile,
};
use crate::report::summary::Summary;
use crate::report::{chart, csv, json, learning, options, pictures, profile, taxes, walk_forward};
use crate::strategy::{ImpliedVol, Rate, Strategy};
use crate::study::walk_forward::Walk;
use crate::study::{Judged, series};
use serde_json::Value;
use std::path::Path;

/// The files of a run, the manifest last. `flags` are those of the command line that changed the
/// result, `ledger` is what all trials on these data were when the run was judged.
///
/// # Errors
/// A rate file that was read a moment ago can no longer be read, or a chart cannot be drawn.
pub fn of_run(
    strategy: &Strategy,
    market: &Market,
    judged: &Judged,
    summary: &Summary,
    (flags, ledger): (Flags, Option<LedgerCopy>),
) -> Result<Vec<NewFile>> {
    let files = tables_and_charts(strategy, market, judged, summary)?;
    let object = |names: &[String]| json::object(summary, names);
    let settings = (flags, judged.seed, None, ledger);
    finished(strategy, market, settings, files, object)
}

/// The files of a walk forward: those of its stitched run, the folds, and their chart.
///
/// # Errors
/// As [`of_run`].
pub fn of_walk_forward(
    strategy: &Strategy,
    market: &Market,
    (walk, judged): (&Walk, &Judged),
    summary: &Summary,
    (flags, ledger): (Flags, Option<LedgerCopy>),
) -> Result<Vec<NewFile>> {
    let mut files = tables_and_charts(strategy, market, judged, summary)?;
    let folds = walk_forward::csv(walk, summary.period.is_intraday);
    files.push(("folds.csv".to_string(), folds));
    if strategy.report.charts {
        let chart = walk_forward::picture(walk, summary, judged)?;
        files.push(("walk-forward.png".to_string(), chart));
    }
    let object = |names: &[String]| walk_forward::object(walk, summary, names);
    let settings = (flags, judged.seed, Some(walk.trials as u64), ledger);
    finished(strategy, market, settings, files, object)
}

/// What a walk forward depends on, to be told from another one before it is walked.
///
/// # Errors
/// A rate file that can no longer be read.
pub fn record_of_walk(
    strategy: &Strategy,
    market: &Market,
    flags: Flags,
    seed: u64,
) -> Result<Manifest> {
    manifest(strategy, market, (flags, seed, None, None), &[])
}

/// What a run's folder holds beside its figures and its manifest.
fn tables_and_charts(
    strategy: &Strategy,
    market: &Market,
    judged: &Judged,
    summary: &Summary,
) -> Result<Vec<NewFile>> {
    let run = &judged.outcome.run;
    let benchmarks = judged.outcome.benchmarks.iter();
    let benchmarks: Vec<(&str, &[f64])> = benchmarks
        .map(|(name, run)| (name.as_str(), run.equity.as_slice()))
        .collect();
    let drawdown = &judged.curves.drawdown;
    let mut files = vec![
        (
            "equity.csv".to_string(),
            csv::equity(run, drawdown, &benchmarks),
        ),
        ("trades.csv".to_string(), csv::trades(run)),
        ("orders.csv".to_string(), csv::orders(run)),
        ("ledger.csv".to_string(), csv::ledger(run)),
        ("income.csv".to_string(), csv::income(run)),
    ];
    if let Some(learned) = &market.learned {
        let fits = learning::csv(learned, summary.period.is_intraday);
        files.push(("fits.csv".to_string(), fits));
    }
    if let Some(profiled) = &summary.profiled {
        let table = profile::csv(profiled, &summary.metrics);
        files.push(("profile.csv".to_string(), table.into_bytes()));
    }
    if !run.each.is_empty() {
        let name = "equity_by_symbol.csv".to_string();
        files.push((name, csv::equity_by_symbol(run)));
    }
    for (place, layer) in run.layers.runs.iter().enumerate() {
        if let Some(learned) = &layer.learned {
            let fits = learning::csv(learned, summary.period.is_intraday);
            files.push((fits_of_layer(run, place), fits));
        }
    }
    if !run.layers.runs.is_empty() {
        files.push(("equity_by_layer.csv".to_string(), csv::equity_by_layer(run)));
    }
    if let Some(tax) = &run.tax {
        files.push(("tax.csv".to_string(), taxes::tax_csv(tax)));
        files.push(("lots.csv".to_string(), taxes::lots_csv(run, tax)));
    }
    if let Some(page) = &summary.options {
        let rolls = options::rolls_csv(run, &page.figures);
        files.push(("options.csv".to_string(), options::options_csv(run)));
        files.push(("rolls.csv".to_string(), rolls));
        files.push(("campaigns.csv".to_string(), options::campaigns_csv(run)));
    }
    if strategy.report.charts {
        let drawn = series(market, strategy, run);
        files.extend(pictures::of_run(summary, judged, market, &drawn)?);
        if let Some(chart) = options::options_chart(strategy, summary, run, market) {
            files.push(("options.png".to_string(), chart::options(&chart)?));
        }
    }
    Ok(files)
}

/// `fits_core.csv`: what else a name holds than letters, digits, `-` and `_` is `_` in it, and the
/// layer's number stands behind one that is not its own then.
fn fits_of_layer(run: &Run, place: usize) -> String {
    let plain = |c: char| match c.is_alphanumeric() || c == '-' {
        true => c,
        false => '_',
    };
    let slug = |k: usize| -> String { run.layers.runs[k].name.chars().map(plain).collect() };
    let own = slug(place);
    match (0..place).any(|k| slug(k) == own) {
        true => format!("fits_{own}_{}.csv", place + 1),
        false => format!("fits_{own}.csv"),
    }
}

/// Flags, seed, trials and their ledger of a manifest.
type Settings = (Flags, u64, Option<u64>, Option<LedgerCopy>);

/// The files with `metrics.json` before them and the manifest after them; `object` is told the names
/// of all.
fn finished(
    strategy: &Strategy,
    market: &Market,
    settings: Settings,
    mut files: Vec<NewFile>,
    object: impl Fn(&[String]) -> Value,
) -> Result<Vec<NewFile>> {
    files.insert(0, ("metrics.json".to_string(), Vec::new()));
    let mut names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    names.push(manifest::FILE_NAME.to_string());
    files[0].1 = format!("{:#}\n", object(&names)).into_bytes();
    let manifest = manifest(strategy, market, settings, &files)?;
    files.push((manifest::FILE_NAME.to_string(), manifest.to_bytes()));
    Ok(files)
}

fn manifest(
    strategy: &Strategy,
    market: &Market,
    (flags, seed, trials, ledger): Settings,
    files: &[NewFile],
) -> Result<Manifest> {
    let hashes = files.iter().map(|(name, bytes)| FileHash {
        file: name.clone(),
        sha256: manifest::sha256(bytes),
    });
    let assumptions = strategy.assumptions.iter();
    Ok(Manifest {
        schema: SCHEMA,
        program: Program::this(),
        strategy: strategy_file(strategy),
        data: data(strategy, market)?,
        assumptions: assumptions
            .map(|(key, value, given)| Assumption {
                key: key.clone(),
                value: value.clone(),
                given: *given,
            })
            .collect(),
        flags,
        seed,
        trials,
        sweep: None,
        ledger,
        files: hashes.collect(),
    })
}

/// Files of prices and actions as the reader hashed them, then those of rates and flows.
pub(crate) fn data(strategy: &Strategy, market: &Market) -> Result<Vec<FileHash>> {
    let read = market.files.iter().map(|(file, sha256)| FileHash {
        file: shown(Path::new(file)),
        sha256: sha256.clone(),
    });
    let mut data: Vec<FileHash> = read.collect();
    let options = strategy.options.as_ref();
    let rates = [
        Some(&strategy.cash.yield_),
        strategy.cash.hurdle.as_ref(),
        strategy.benchmark.rate.as_ref(),
        strategy.data.dividend_yield.as_ref(),
        options.and_then(|o| o.pricing.rate.as_ref()),
    ];
    let rates = rates.into_iter().flatten();
    let rates = rates.filter_map(|rate| match rate {
        Rate::File(path) => Some(path),
        Rate::Constant(_) => None,
    });
    let amounts = strategy.cashflows.iter().filter_map(|c| c.file.as_ref());
    let layers = strategy.layers.iter().map(|layer| &layer.file);
    let of_options = options.into_iter().flat_map(|o| {
        let volatility = match &o.pricing.iv {
            ImpliedVol::File(path) => Some(path),
            ImpliedVol::Constant(_) | ImpliedVol::Realized => None,
        };
        let read = if o.pricing.chain.is_some() {
            None
        } else {
            volatility
        };
        [read, o.blackout.as_ref()].into_iter().flatten()
    });
    for path in rates.chain(amounts).chain(layers).chain(of_options) {
        let file = shown(path);
        if data.iter().all(|known| known.file != file) {
            let sha256 = manifest::sha256_of_file(path)?;
            data.push(FileHash { file, sha256 });
        }
    }
    Ok(data)
}

/// A strategy file as a manifest names it.
pub(crate) fn strategy_file(strategy: &Strategy) -> StrategyFile {
    let text = &strategy.source.text;
    StrategyFile {
        name: strategy.name.clone(),
        file: shown(Path::new(&strategy.source.name)),
        text: text.clone(),
        sha256: manifest::sha256(text.as_bytes()),
    }
}

/// A path as every system writes it: `/` between folders, and `a/../b` as `b`.
pub fn shown(path: &Path) -> String {
    let text = path.display().to_string().replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match (part, parts.last()) {
            (".", _) => {}
            ("..", Some(&last)) if last != ".." && !last.is_empty() => {
                parts.pop();
            }
            ("", Some(_)) => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_detours() {
        let cases = [
            ("strategies/../data/stocks/AAPL.csv", "data/stocks/AAPL.csv"),
            ("./x.toml", "x.toml"),
            ("../../x.toml", "../../x.toml"),
            ("/a//b/./c", "/a/b/c"),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(Path::new(path)), expected);
        }
    }
}
