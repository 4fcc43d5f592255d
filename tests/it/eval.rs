//! The verb `eval`: rows, cells, files and errors.

#![allow(clippy::unwrap_used)]

use papertape::market::{Market, ReadOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn eval(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_papertape"))
        .arg("eval")
        .args(args)
        .current_dir(repository("."))
        .output()
        .unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = eval(args);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("eval");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

#[test]
fn a_row_a_bar_and_symbol_a_column_an_expression() {
    let args = [
        "close",
        "close > sma(close, 3)",
        "volume[1]",
        "--data",
        "data/stocks",
        "--symbols",
        "MSFT,AAPL",
    ];
    let all = printed(&args);
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(
        lines[0],
        "date,symbol,close,\"close > sma(close, 3)\",volume[1]"
    );
    assert_eq!(lines[1], "2000-03-01,AAPL,130.31,,");
    assert_eq!(lines[2], "2000-03-01,MSFT,90.81,,");
    assert_eq!(lines[3], "2000-03-02,AAPL,122,,9616100");
    assert_eq!(lines.len(), 1 + 2 * 3270);
    // A window of days is cut out of the same rows: warm-up lies before it.
    let range = ["--start", "2005-02-25", "--end", "2005-02-28"];
    let some = printed(&[&args[..], &range].concat());
    let rows: Vec<&str> = some.lines().skip(1).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| lines.contains(row)));
    // AAPL split two for one that Monday: yesterday's volume is seen doubled.
    let friday = lines
        .iter()
        .position(|l| l.starts_with("2005-02-25,AAPL"))
        .unwrap();
    let traded = printed(&["raw_volume", "--data", "data/stocks", "--symbols", "AAPL"]);
    let traded = traded
        .lines()
        .find(|l| l.starts_with("2005-02-25"))
        .unwrap();
    let volume: f64 = traded.rsplit(',').next().unwrap().parse().unwrap();
    let seen: f64 = lines[friday + 2]
        .rsplit(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(seen, 2.0 * volume);
}

#[test]
fn files_hold_what_is_printed() {
    let source = [
        "--data",
        "data/stocks",
        "--symbols",
        "AAPL,GOOG",
        "--end",
        "2004-09-30",
    ];
    let expressions = ["close", "sma(close, 20)", "rank(close) == 1"];
    let csv = printed(&[&expressions[..], &source].concat());
    let file = scratch("values.csv");
    let out = ["--out", file.to_str().unwrap()];
    assert_eq!(printed(&[&expressions[..], &source, &out].concat()), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), csv);
    let json = printed(&[&expressions[..], &source, &["--format", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["columns"][3], "sma(close, 20)");
    assert_eq!(
        json["rows"].as_array().unwrap().len(),
        csv.lines().count() - 1
    );
    assert_eq!(
        json["rows"][0],
        serde_json::json!(["2000-03-01", "AAPL", 130.31, null, true])
    );
    // Parquet reads back as prices, its other numbers as further columns.
    let file = scratch("values.parquet");
    printed(
        &[
            &expressions[..2],
            &source,
            &["--out", file.to_str().unwrap()],
        ]
        .concat(),
    );
    let read = Market::read(&file, &ReadOptions::default()).unwrap();
    assert_eq!(read.tapes.len(), 2);
    let cells: Vec<&str> = csv.lines().filter(|l| l.contains(",GOOG,")).collect();
    assert_eq!(read.tapes[1].bars.len(), cells.len());
    let (_, averages) = &read.tapes[1].bars.extra[0];
    for (row, average) in cells.iter().zip(averages.iter()) {
        let cell = row.split(',').nth(3).unwrap();
        assert_eq!(
            cell.parse::<f64>().ok(),
            (!average.is_nan()).then_some(*average)
        );
    }
    let other = eval(&[&expressions[..], &source, &["--out", "values.txt"]].concat());
    assert_eq!(other.status.code(), Some(2));
}

#[test]
fn mistakes_of_all_expressions_are_shown_with_carets() {
    let output = eval(&["closs > 3", "sma(0)", "--data", "data/stocks"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for part in [
        "unknown name `closs`",
        "did you mean `close`?",
        "`n` of `sma`",
        "expression:2:5",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(output.stdout.is_empty());
    let missing = eval(&["close", "--data", "data/nowhere"]);
    assert_eq!(missing.status.code(), Some(2));
}
