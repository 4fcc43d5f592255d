//! `papertape overfit`: its three formats, what it takes for a trial, and its errors.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn overfit(file: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_papertape"))
        .arg("overfit")
        .arg(file)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(file: &Path, more: &[&str]) -> String {
    let out = overfit(file, more);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{errors}");
    String::from_utf8(out.stdout).unwrap()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/metrics/trials.csv")
}

/// A file of the test's own in the folder for such.
fn written(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("overfit-{name}.csv"));
    std::fs::write(&path, text).unwrap();
    path
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_object_has_what_it_says_and_nothing_else() {
    let object = json(&said(&golden(), &["--format", "json"]));
    let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "schema",
            "trials",
            "best",
            "deflated_sharpe",
            "pbo",
            "pbo_blocks",
            "spa_p",
            "reality_check_p"
        ]
    );
    let near = |key: &str, expected: f64, tolerance: f64| {
        let ours = object[key].as_f64().unwrap();
        assert!((ours - expected).abs() <= tolerance, "{key}: {ours}");
    };
    near("schema", 1.0, 0.0);
    near("trials", 12.0, 0.0);
    near("pbo_blocks", 16.0, 0.0);
    assert_eq!(object["best"], "sma_5_30");
    near("deflated_sharpe", 0.979_976_765_261_027_2, 1e-9);
    near("pbo", 0.394_327_894_327_894_33, 1e-9);
    near("spa_p", 0.0184, 0.02);
    near("reality_check_p", 0.0184, 0.02);
}

#[test]
fn the_page_says_it_in_a_sentence_and_fits() {
    let page = said(&golden(), &[]);
    assert!(
        page.contains("Best of 12 trials. A Sharpe this high comes up by luck 2% of the time.\n")
    );
    assert!(page.contains("Best trial: sma_5_30"));
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let csv = said(&golden(), &["--format", "csv"]);
    assert!(csv.starts_with("figure,value,absent\ntrials,12,\nbest,sma_5_30,\n"));
    assert!(csv.contains("\npbo,0.39432789432789433,\n"));
    assert!(csv.contains("\ndeflated_sharpe_all,,no ledger of trials\n"));
}

#[test]
fn threads_and_seed_do_what_they_say() {
    let one = said(&golden(), &["-j", "1"]);
    assert_eq!(one, said(&golden(), &["-j", "3"]));
    assert_ne!(one, said(&golden(), &["--seed", "7"]));
}

/// Days, and two trials of which the second is the better.
fn plain() -> Vec<String> {
    let row = |i: usize| {
        let noise = [0.01, -0.008, 0.003, -0.004, 0.002][i * 7 % 5];
        format!(
            "2001-{:02}-{:02},{},{}",
            1 + i / 28,
            1 + i % 28,
            noise,
            noise + 0.001
        )
    };
    (0..100).map(row).collect()
}

#[test]
fn columns_that_are_no_trials_are_left_out_and_named() {
    let rows = plain();
    let file = written("plain", &format!("date,a,B\n{}\n", rows.join("\n")));
    let wide: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| format!("{i},{row},note {i},0.0001,0.002"))
        .collect();
    let wide = format!(",Date,a,B,remark,rate,benchmark\n{}\n", wide.join("\n"));
    let wide = written("wide", &wide);
    let out = overfit(&wide, &["--format", "json"]);
    let object = String::from_utf8(out.stdout).unwrap();
    assert_eq!(object, said(&file, &["--format", "json"]));
    assert_eq!(json(&object)["best"], "B");
    let note = String::from_utf8(out.stderr).unwrap();
    assert_eq!(
        note,
        "columns that are no trials: column 1 without a name, remark, rate, benchmark\n"
    );
    assert!(overfit(&wide, &["--quiet"]).stderr.is_empty());
}

#[test]
fn what_cannot_be_said_is_null_with_a_reason() {
    let rows: Vec<String> = plain()
        .iter()
        .map(|row| row.rsplit_once(',').unwrap().0.into())
        .collect();
    let one = written("one", &format!("date,a\n{}\n", rows.join("\n")));
    let object = json(&said(&one, &["--format", "json"]));
    assert!(object["pbo"].is_null() && object["deflated_sharpe"].is_number());
    let reason = "there are no two trials to choose from";
    assert_eq!(object["absent"], serde_json::json!({ "pbo": reason }));
    let page = said(&one, &[]);
    assert!(page.contains("One trial. A Sharpe this high comes up by luck"));
    assert!(page.contains(reason));
    let short = written("short", &format!("date,a,b\n{}\n", plain()[..5].join("\n")));
    let object = json(&said(&short, &["--format", "json"]));
    for key in ["deflated_sharpe", "pbo", "spa_p", "reality_check_p"] {
        assert!(object[key].is_null(), "{key}");
        assert!(object["absent"][key].is_string(), "{key}");
    }
    assert!(said(&short, &[]).contains("Whether it is luck cannot be said: 5 returns"));
}

#[test]
fn mistakes_have_a_place_and_a_cure() {
    let missing = PathBuf::from("no-such-file.csv");
    for (file, words) in [
        (missing, vec!["no-such-file.csv", "cannot be read"]),
        (written("empty", ""), vec!["the file is empty"]),
        (
            written("dateless", "a,b\n0.1,0.2\n"),
            vec!["no column `date`", "its columns are a, b"],
        ),
        (
            written("columnless", "date,remark\n2001-01-01,hello\n"),
            vec!["no column of returns", "its columns are date, remark"],
        ),
        (
            written("gap", "date,a\n2001-01-01,0.01\n2001-01-02,\n"),
            vec![":3", "a day without a position is a return of 0"],
        ),
        (
            written("percent", "date,a\n2001-01-01,0.01\n2001-01-02,1.2%\n"),
            vec![":3", "0.012 for 1.2%"],
        ),
        (
            written("points", "date,a\n2001-01-01,0.2\n2001-01-02,-1.5\n"),
            vec![":3", "loses more than everything", "-0.012"],
        ),
        (
            written("prices", "date,a\n2001-01-01,100\n2001-01-02,101\n"),
            vec![":1", "no daily returns", "prices and equity"],
        ),
        (
            written("twice", "date,a,a\n2001-01-01,0.1,0.2\n"),
            vec!["two columns have this name", "a name of its own"],
        ),
        (
            written("unsorted", "date,a\n2001-01-02,0.1\n2001-01-01,0.1\n"),
            vec![":3", "does not come after", "sort the rows"],
        ),
        (
            written("ragged", "date,a\n2001-01-02,0.1,3\n"),
            vec![":2", "3 cells where the header has 2"],
        ),
    ] {
        let out = overfit(&file, &[]);
        assert_eq!(out.status.code(), Some(2), "{file:?}");
        assert!(out.stdout.is_empty(), "{file:?}");
        let error = String::from_utf8(out.stderr).unwrap();
        let flat = error.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "{word}: {error}");
        }
    }
}
