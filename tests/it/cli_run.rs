//! The verbs around a run, by the real binary in a folder of its own: what is written, what is
//! printed, what is refused, and how a changed folder is found out.

use crate::readme::clone;
use papertape::metrics;
use papertape::report::csv;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const STRATEGY: &str = "strategies/rsi-30-70.toml";

fn output(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn stdout(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

/// What is said on stderr by a command that ends with `code`.
fn refused(dir: &Path, args: &[&str], code: i32) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{args:?}: {errors}");
    errors
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn header(dir: &Path, file: &str) -> String {
    let text = fs::read_to_string(dir.join(file)).unwrap();
    text.lines().next().unwrap().to_string()
}

#[test]
fn a_run_writes_its_folder() {
    let dir = clone("run-folder");
    let page = stdout(&dir, &["run", STRATEGY]);
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "wider than the page: {line}");
    }
    let folder = dir.join("reports/rsi-30-70");
    let object = json(&fs::read_to_string(folder.join("metrics.json")).unwrap());
    for file in object["files"].as_array().unwrap() {
        let bytes = fs::read(folder.join(file.as_str().unwrap())).unwrap();
        assert!(!bytes.is_empty(), "{file} is empty");
    }
    assert_eq!(object["files"].as_array().unwrap().len(), 10);
    let columns =
        "date,equity,cash,exposure,drawdown,universe,cash_benchmark,holdings,receivable,flow";
    assert_eq!(header(&folder, "equity.csv"), columns);
    assert_eq!(header(&folder, "trades.csv"), csv::TRADE_COLUMNS.join(","));
    assert_eq!(header(&folder, "orders.csv"), csv::ORDER_COLUMNS.join(","));
    assert_eq!(header(&folder, "ledger.csv"), csv::LEDGER_COLUMNS.join(","));
    assert_eq!(header(&folder, "income.csv"), csv::INCOME_COLUMNS.join(","));
    let equity = fs::read_to_string(folder.join("equity.csv")).unwrap();
    assert_eq!(
        equity.lines().count() as u64,
        object["period"]["bars"].as_u64().unwrap() + 1
    );
    for file in ["tearsheet.png", "trades.png", "income.png"] {
        assert!(fs::read(folder.join(file)).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn json_is_one_object_a_strategy_with_every_key() {
    let dir = clone("run-json");
    let args = ["run", STRATEGY, "strategies/macd.toml", "--format", "json"];
    let lines = stdout(&dir, &args);
    assert_eq!(lines.lines().count(), 2);
    for line in lines.lines() {
        let object = json(line);
        assert_eq!(object["schema"], 1);
        for key in [
            "name",
            "period",
            "assumptions",
            "metrics",
            "benchmarks",
            "income",
            "orders",
            "caveats",
            "files",
        ] {
            assert!(object.get(key).is_some(), "no {key}");
        }
        for key in ["start", "end", "bars"] {
            assert!(object["period"].get(key).is_some(), "no period.{key}");
        }
        for row in metrics::all() {
            let value = &object["metrics"][row.key];
            assert!(
                value.is_number() || object["absent"][row.key].is_string(),
                "{}",
                row.key
            );
        }
        let first = object["files"][0].as_str().unwrap();
        assert!(dir.join(first).exists(), "{first}");
        let total = object["income"]["total"].as_f64().unwrap();
        let streams = object["income"].as_object().unwrap().iter();
        let sum: f64 = streams
            .filter(|(name, _)| *name != "total")
            .map(|(_, amount)| amount.as_f64().unwrap())
            .sum();
        assert!((sum - total).abs() < 1e-6, "{sum} is not {total}");
    }
}

#[test]
fn bare_is_five_figures_and_no_file() {
    let dir = clone("run-bare");
    let bare = json(&stdout(
        &dir,
        &["run", STRATEGY, "--bare", "--format", "json"],
    ));
    assert!(!dir.join("reports").exists());
    let keys: Vec<&String> = bare["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["total_return", "cagr", "sharpe", "max_drawdown", "trades"]
    );
    let csv = stdout(&dir, &["run", STRATEGY, "--bare", "--format", "csv"]);
    let heads: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.rsplit_once(',').map(|(head, _)| head))
        .collect();
    assert_eq!(heads[0], "name,metric");
    assert_eq!(heads[1], "RSI 30/70,total_return");
    assert_eq!(heads.len(), 6);
    let whole = json(&stdout(&dir, &["run", STRATEGY, "--format", "json"]));
    for key in keys {
        let (a, b) = (&bare["metrics"][key], &whole["metrics"][key]);
        let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
        assert!((a - b).abs() <= 1e-9 * b.abs(), "{key}: {a} is not {b}");
    }
}

#[test]
fn every_shipped_strategy_runs_and_its_books_hold() {
    let dir = clone("run-all");
    let mut files: Vec<String> = fs::read_dir(dir.join("strategies"))
        .unwrap()
        .map(|entry| format!("strategies/{}", entry.unwrap().file_name().display()))
        .filter(|file| file.ends_with(".toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 8);
    let mut args = vec!["run", "--out", "all"];
    args.extend(files.iter().map(String::as_str));
    stdout(&dir, &args);
    for file in &files {
        let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
        stdout(&dir, &["verify", &format!("all/{stem}")]);
    }
}

#[test]
fn books_hold_under_other_assumptions() {
    let dir = clone("run-variants");
    let variants: [&[&str]; 9] = [
        &["account.each=true"],
        &[
            "stops.stop=0.05",
            "stops.target=0.1",
            "stops.target_share=0.5",
        ],
        &["stops.trail=0.08", "account.settlement_days=2"],
        &[
            "account.kind=margin",
            "account.margin_rate=0.05",
            "costs.borrow_rate=0.02",
            "rules.short=\"rsi(14) > 70\"",
            "size.method=fraction",
            "size.value=0.6",
        ],
        &["fill.volume_cap=0.0001", "account.cash=100000000"],
        &[
            "size.lot=1",
            "size.pyramid=true",
            "size.method=cash",
            "size.value=5000",
        ],
        &["fill.at=close", "fill.close_at_end=true", "data.bar=1w"],
        &[
            "fill.order=limit",
            "fill.price=\"close * 0.98\"",
            "cash.yield=0.03",
        ],
        &["account.dividends=reinvest", "rules.exit=\"close < 0\""],
    ];
    for sets in variants {
        let mut args = vec!["run", STRATEGY, "--out", "variant"];
        for set in sets {
            args.extend(["--set", set]);
        }
        stdout(&dir, &args);
        let verified = output(&dir, &["verify", "variant"]);
        let page = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.code(), Some(0), "{sets:?}:\n{page}");
    }
}

#[test]
fn a_folder_is_replaced_only_by_its_own_strategy() {
    let dir = clone("run-replace");
    let run = ["run", STRATEGY, "--out", "mine"];
    stdout(&dir, &run);
    stdout(&dir, &run);
    let other = ["run", "strategies/macd.toml", "--out", "mine"];
    let said = refused(&dir, &other, 2);
    assert!(
        said.contains("RSI 30/70") && said.contains("--force"),
        "{said}"
    );
    fs::write(dir.join("mine/notes.txt"), "do not lose me").unwrap();
    stdout(
        &dir,
        &["run", "strategies/macd.toml", "--out", "mine", "--force"],
    );
    assert_eq!(
        fs::read_to_string(dir.join("mine/notes.txt")).unwrap(),
        "do not lose me"
    );
    fs::create_dir_all(dir.join("photos")).unwrap();
    fs::write(dir.join("photos/cat.jpg"), "a cat").unwrap();
    let said = refused(&dir, &["run", STRATEGY, "--out", "photos"], 2);
    assert!(said.contains("not the folder of a run"), "{said}");
    assert_eq!(fs::read_dir(dir.join("photos")).unwrap().count(), 1);
}

#[test]
fn mistakes_are_told_and_write_nothing() {
    let dir = clone("run-mistakes");
    let said = refused(&dir, &["run", "strategies/nothing.toml"], 2);
    assert!(said.contains("strategies/nothing.toml"), "{said}");
    let said = refused(&dir, &["run", STRATEGY, "--set", "stops.stop=5"], 2);
    assert!(said.contains("stops.stop"), "{said}");
    let said = refused(&dir, &["run", STRATEGY, "--data", "nowhere"], 2);
    assert!(said.contains("nowhere"), "{said}");
    let said = refused(&dir, &["run", STRATEGY, "--start", "2050-01-01"], 2);
    assert!(!said.contains("bug"), "{said}");
    let said = refused(&dir, &["run", STRATEGY, STRATEGY], 2);
    assert!(said.contains("two runs would go to"), "{said}");
    assert!(!dir.join("reports").exists());
    // One bad file does not keep the others from running, but the status says so.
    fs::write(
        dir.join("strategies/bad.toml"),
        "[rules]\nenter = \"close >\"",
    )
    .unwrap();
    let said = refused(&dir, &["run", "strategies/bad.toml"], 2);
    assert!(said.contains("bad.toml"), "{said}");
}

#[test]
fn rerun_tells_the_same_from_the_changed() {
    let dir = clone("rerun");
    let set = [
        "run",
        STRATEGY,
        "--set",
        "params.low=25",
        "--start",
        "2005-01-01",
    ];
    stdout(&dir, &set);
    let said = stdout(&dir, &["rerun", "reports/rsi-30-70"]);
    assert!(said.contains("all 10 files byte for byte"), "{said}");
    // From elsewhere too: the paths are found from the folder.
    let said = stdout(&dir.join("data"), &["rerun", "../reports/rsi-30-70"]);
    assert!(said.contains("all 10 files byte for byte"), "{said}");

    let prices = dir.join("data/stocks/IBM.csv");
    let text = fs::read_to_string(&prices).unwrap();
    let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&prices, format!("{kept}\n")).unwrap();
    let out = output(&dir, &["rerun", "reports/rsi-30-70"]);
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("data/stocks/IBM.csv has changed since the run"),
        "{said}"
    );
    assert!(said.contains("equity.csv differs from line"), "{said}");
}

#[test]
fn report_draws_again_what_comes_out_the_same() {
    let dir = clone("report");
    stdout(&dir, &["run", STRATEGY]);
    let folder = dir.join("reports/rsi-30-70");
    let before = fs::read(folder.join("tearsheet.png")).unwrap();
    let equity = fs::read(folder.join("equity.csv")).unwrap();
    fs::remove_file(folder.join("tearsheet.png")).unwrap();
    fs::write(folder.join("income.png"), "scribbled over").unwrap();
    let said = stdout(&dir, &["report", "reports/rsi-30-70"]);
    assert!(said.contains("reports/rsi-30-70/tearsheet.png"), "{said}");
    assert_eq!(fs::read(folder.join("tearsheet.png")).unwrap(), before);
    assert_eq!(fs::read(folder.join("equity.csv")).unwrap(), equity);
    assert!(stdout(&dir, &["verify", "reports/rsi-30-70"]).contains("hold"));

    // Other prices give other figures, whose pictures are not the run's: nothing is written.
    let prices = dir.join("data/stocks/IBM.csv");
    let text = fs::read_to_string(&prices).unwrap();
    let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&prices, format!("{kept}\n")).unwrap();
    fs::remove_file(folder.join("tearsheet.png")).unwrap();
    let out = output(&dir, &["report", "reports/rsi-30-70"]);
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("IBM.csv has changed since the run"), "{said}");
    assert!(!folder.join("tearsheet.png").exists());

    stdout(
        &dir,
        &[
            "run",
            STRATEGY,
            "--set",
            "report.charts=false",
            "--out",
            "plain",
        ],
    );
    assert!(refused(&dir, &["report", "plain"], 2).contains("draws no pictures"));
    assert!(refused(&dir, &["report", "data"], 2).contains("manifest"));
}

#[test]
fn verify_finds_a_changed_row() {
    let dir = clone("verify");
    stdout(&dir, &["run", STRATEGY]);
    let ledger = dir.join("reports/rsi-30-70/ledger.csv");
    let text = fs::read_to_string(&ledger).unwrap();
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    lines[9] = lines[9].replacen("commission,0,0,-", "commission,0,0,-1", 1);
    assert_ne!(
        lines.join("\n"),
        text.trim_end(),
        "line 10 is no commission"
    );
    fs::write(&ledger, lines.join("\n")).unwrap();
    let out = output(&dir, &["verify", "reports/rsi-30-70"]);
    let said = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.contains("ledger.csv: was changed since the run"),
        "{said}"
    );
    assert!(said.contains("ledger.csv:10: cash is"), "{said}");
    let said = refused(&dir, &["verify", "strategies"], 2);
    assert!(said.contains("manifest"), "{said}");
}

#[test]
fn compare_puts_files_and_folders_in_one_table() {
    let dir = clone("compare");
    stdout(&dir, &["run", STRATEGY]);
    let args = [
        "compare",
        "strategies/macd.toml",
        "reports/rsi-30-70",
        STRATEGY,
    ];
    let page = stdout(&dir, &args);
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "wider than the page: {line}");
    }
    for part in ["MACD", "RSI 30/70 (2)", "common dates", "compare.png"] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    let picture = fs::read(dir.join("reports/compare/compare.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG"));
    let mut args = args.to_vec();
    args.extend(["--format", "json"]);
    let object = json(&stdout(&dir, &args));
    // A run read back from its folder is the run.
    assert_eq!(object["runs"]["RSI 30/70"], object["runs"]["RSI 30/70 (2)"]);
    assert_eq!(object["tests"].as_array().unwrap().len(), 2);
    let p = object["tests"][0]["p"].as_f64().unwrap();
    assert!(p > 0.0 && p <= 1.0);
}

#[test]
fn a_run_says_how_many_trials_it_stands_among() {
    let dir = clone("among-trials");
    let first = stdout(&dir, &["run", STRATEGY]);
    assert!(!first.contains("Is it luck?"), "{first}");
    let again = stdout(&dir, &["run", STRATEGY, "--set", "params.period=10"]);
    let said = again.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("Is it luck? One of 2 trials made on these data. The best of so many shows"),
        "{again}"
    );
    let folder = dir.join("reports/rsi-30-70");
    let object = json(&fs::read_to_string(folder.join("metrics.json")).unwrap());
    assert_eq!(object["trials_all"], 2);
    let deflated = object["deflated_sharpe_all"].as_f64().unwrap();
    assert!(deflated > 0.0 && deflated < object["metrics"]["psr"].as_f64().unwrap());
    let manifest = json(&fs::read_to_string(folder.join("manifest.json")).unwrap());
    assert_eq!(manifest["ledger"]["trials"], 2);
    // The same settings again are no new trial; a third one is, and the copy is what rerun judges by.
    assert_eq!(
        stdout(&dir, &["run", STRATEGY, "--set", "params.period=10"]),
        again
    );
    stdout(
        &dir,
        &[
            "run",
            STRATEGY,
            "--set",
            "params.period=11",
            "--out",
            "other",
        ],
    );
    stdout(&dir, &["rerun", "reports/rsi-30-70"]);
    // Files of one command are counted before any is judged.
    let both = [
        "run",
        STRATEGY,
        "strategies/macd.toml",
        "--out",
        "both",
        "--format",
        "json",
    ];
    let lines = stdout(&dir, &both);
    for line in lines.lines() {
        assert!(json(line)["trials_all"].as_u64().is_some_and(|n| n >= 1));
    }
}
