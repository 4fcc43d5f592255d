//! Sweeps by the real binary: the same bytes for any number of threads, after a kill, and from
//! shards; every kind of axis; what is refused; and a row that is what a single run says.

use crate::readme::clone;
use papertape::engine::read_market;
use papertape::metrics::trial::Trial;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::Ask;
use papertape::study::sweep::{Choice, Field, Judging, Plan, Points, Row, Watch, judge, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const RSI: &str = "strategies/rsi-30-70.toml";

fn output(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
    command.arg("sweep").args(args).current_dir(dir);
    command.output().unwrap()
}

fn swept(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

fn refused(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    assert_eq!(out.status.code(), Some(2), "{args:?}");
    String::from_utf8(out.stderr).unwrap()
}

/// All files of a folder.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn assert_same(dir: &Path, a: &str, b: &str) {
    let (a, b) = (files(&dir.join(a)), files(&dir.join(b)));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&a), names(&b));
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{name} differs");
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The strategy with axes and further flags.
fn with<'a>(axes: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&[RSI], axes, more].concat()
}

const GRID: [&str; 4] = ["--vary", "period=6..30:4", "--vary", "low=20,25,30"];

#[test]
fn any_number_of_threads_and_any_shards_give_the_same_bytes() {
    let dir = clone("sweep-same");
    let with = |more| with(&GRID, more);
    swept(&dir, &with(&["-j", "1", "--out", "one"]));
    swept(&dir, &with(&["-j", "8", "--out", "eight"]));
    assert_same(&dir, "one", "eight");
    for shard in ["1/3", "2/3", "3/3"] {
        let out = format!("part{}", &shard[..1]);
        let args = [&[RSI][..], &GRID, &["--shard", shard, "--out", &out]].concat();
        swept(&dir, &args);
    }
    swept(
        &dir,
        &["merge", "part3", "part1", "part2", "--out", "merged"],
    );
    assert_same(&dir, "one", "merged");
    assert!(refused(&dir, &["merge", "part1", "part2"]).contains("each of 1/3 to 3/3"));
    assert!(refused(&dir, &["merge", "part1", "one"]).contains("no shard of a sweep"));
    // Nothing that is hidden or half-written stays behind.
    assert!(
        files(&dir.join("one"))
            .keys()
            .all(|name| !name.starts_with('.'))
    );
    let again = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(["rerun", "one"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
}

#[test]
fn a_sweep_that_was_killed_goes_on_to_the_same_bytes() {
    let dir = clone("sweep-killed");
    let wide = [
        "--vary",
        "period=2..121",
        "--vary",
        "low=20,25,30,35",
        "--vary",
        "high=65,70,75",
    ];
    let with = |more| with(&wide, more);
    let mut child = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .arg("sweep")
        .args(with(&["-j", "1", "--out", "killed"]))
        .current_dir(&dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let _ = child.kill();
    let _ = child.wait();
    let rows = dir.join("killed/unfinished.rows");
    // Whatever was cut in the middle of a row is of no account.
    if rows.exists() {
        let mut bytes = fs::read(&rows).unwrap();
        bytes.truncate(bytes.len().saturating_sub(11));
        fs::write(&rows, bytes).unwrap();
        assert!(refused(&dir, &with(&["--out", "killed"])).contains("unfinished"));
    }
    swept(&dir, &with(&["--resume", "--out", "killed"]));
    swept(&dir, &with(&["--out", "whole"]));
    assert_same(&dir, "killed", "whole");
    let shown = swept(&dir, &with(&["--resume", "--out", "whole"]));
    assert!(shown.contains("1,440 trials"), "{shown}");
    let other = refused(
        &dir,
        &[RSI, "--vary", "period=5,6", "--resume", "--out", "whole"],
    );
    assert!(other.contains("holds another sweep"), "{other}");
    let run = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(["run", RSI, "--out", "whole"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("whole holds a sweep"), "{said}");
    assert!(dir.join("whole/trials.parquet").exists());
}

/// A full disk, as a limit on the size of every file: whatever does not fit, the first rows or the
/// last picture, is said, and nothing that was written stands in the way of going on.
#[test]
fn a_sweep_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    if !cfg!(target_os = "linux") {
        println!("skipped: limits on the size of files are those of Linux");
        return;
    }
    let dir = clone("sweep-full-disk");
    let wide = ["--vary", "period=2..121", "--vary", "low=20,25,30,35"];
    let with = |more| with(&wide, more);
    let limited = |blocks: u32, args: &[&str]| {
        // Ignored, the signal turns into the error of the write.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_papertape"), "sweep"]);
        command.args(args).current_dir(&dir).output().unwrap()
    };
    let mut places = Vec::new();
    for blocks in [1, 16, 44, 120] {
        let out = limited(blocks, &with(&["--resume", "--out", "full"]));
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        if out.status.success() {
            assert!(
                blocks > 44,
                "rows and pictures are larger than {blocks} blocks"
            );
            break;
        }
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(out.stdout.is_empty(), "no page of an unfinished sweep");
        assert!(said.contains("File too large"), "{said}");
        assert!(
            said.contains("--resume") && said.contains("--out"),
            "{said}"
        );
        places.push(["rows cannot be kept", "cannot write"].map(|words| said.contains(words)));
        let left = files(&dir.join("full"));
        assert!(!left.contains_key("manifest.json"), "it is not finished");
        let beside = left.keys().find(|name| name.ends_with(".tmp"));
        assert_eq!(beside, None, "half-written");
    }
    assert_eq!(places[0], [false, true], "the record does not fit");
    assert!(
        places.contains(&[true, false]),
        "rows do not fit: {places:?}"
    );
    swept(&dir, &with(&["--resume", "--out", "full"]));
    swept(&dir, &with(&["--out", "whole"]));
    assert_same(&dir, "full", "whole");
}

#[test]
fn a_row_is_what_a_run_of_its_settings_says() {
    let dir = clone("sweep-row");
    let axes = [
        "--vary",
        "data.symbols=AAPL,IBM",
        "--vary",
        "data.start=2003-01-02,2005-01-03",
        "--vary",
        "stops.stop=0.05..0.1:0.05",
        "--vary",
        "rules.exit=rsi(period) > high;close > sma(50)",
        "--vary",
        "period=7,14",
    ];
    swept(&dir, &[&[RSI][..], &axes, &["--out", "out"]].concat());
    let table = fs::read_to_string(dir.join("out/trials.csv")).unwrap();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(
        header[..5],
        [
            "data.symbols",
            "rules.exit",
            "data.start",
            "stops.stop",
            "period"
        ]
    );
    assert_eq!(header[5..], Trial::KEYS);
    assert_eq!(lines.clone().count(), 32);
    for line in lines.step_by(7) {
        let cells: Vec<&str> = line.split(',').collect();
        let mut args = vec!["run", RSI, "--format", "json", "--force", "--out", "run"];
        let keys = [cells[0], cells[1], cells[2], cells[3], cells[4]];
        let mut sets = Vec::new();
        for (key, value) in header[..5].iter().zip(keys) {
            let key = if *key == "period" {
                "params.period"
            } else {
                key
            };
            sets.push(format!("{key}={value}"));
        }
        for set in &sets {
            args.extend(["--set", set]);
        }
        let out = Command::new(env!("CARGO_BIN_EXE_papertape"))
            .args(&args)
            .current_dir(&dir)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let object = json(std::str::from_utf8(&out.stdout).unwrap());
        for (key, cell) in Trial::KEYS.iter().zip(&cells[5..]) {
            match object["metrics"][key].as_f64() {
                Some(value) => {
                    let cell: f64 = cell.parse().unwrap();
                    let near = (value - cell).abs() <= 1e-12 * value.abs().max(1.0);
                    assert!(near, "{key} of {line}: {value}");
                }
                None => assert_eq!(*cell, "", "{key} of {line}"),
            }
        }
    }
}

#[test]
fn the_object_and_the_page_say_what_was_found() {
    let dir = clone("sweep-json");
    let with = |more| with(&GRID, more);
    let object = json(&swept(&dir, &with(&["--format", "json"])));
    assert_eq!(
        (&object["schema"], &object["trials"]),
        (&json("1"), &json("21"))
    );
    assert_eq!(object["rows"].as_array().unwrap().len(), 21);
    for key in [
        "trials_effective",
        "deflated_sharpe",
        "deflated_sharpe_all",
        "pbo",
        "plateau",
    ] {
        assert!(object[key].is_number(), "{key}: {object}");
    }
    let best = &object["best"];
    let sharpe = best["metrics"]["sharpe"].as_f64().unwrap();
    for row in object["rows"].as_array().unwrap() {
        assert!(row["sharpe"].as_f64().is_none_or(|s| s <= sharpe + 1e-12));
    }
    assert!(best["params"]["period"].is_number() && best["params"]["low"].is_number());
    let folder = dir.join("reports/rsi-30-70-sweep");
    for picture in ["heatmap.png", "parallel.png", "equity.png"] {
        assert!(
            fs::read(folder.join(picture))
                .unwrap()
                .starts_with(b"\x89PNG")
        );
    }
    let page = swept(&dir, &with(&["--sort", "cagr", "--top", "5"]));
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
    assert!(page.contains("Best of 21 trials. A Sharpe this high comes up by luck"));
    let bare = json(&swept(
        &dir,
        &with(&["--bare", "--format", "json", "--top", "3"]),
    ));
    assert_eq!(bare["best"], best["params"]);
    assert_eq!(bare["rows"].as_array().unwrap().len(), 3);
}

#[test]
fn repeated_trials_are_counted_once_and_runs_count_too() {
    let dir = clone("sweep-ledger");
    let all = |args: &[&str]| {
        let object = json(&swept(&dir, &[args, &["--format", "json"]].concat()));
        object["trials_all"].as_u64().unwrap()
    };
    assert_eq!(all(&[RSI, "--vary", "period=10,14"]), 2);
    assert_eq!(all(&[RSI, "--vary", "period=10,14"]), 2);
    // 14 and 70 are the file's own values, so that one of these was tried before.
    assert_eq!(
        all(&[RSI, "--vary", "period=14,18", "--vary", "high=70,75"]),
        5
    );
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
        assert!(
            command
                .args(args)
                .current_dir(&dir)
                .output()
                .unwrap()
                .status
                .success()
        );
    };
    run(&["run", RSI]);
    assert_eq!(all(&[RSI, "--vary", "period=10,14"]), 5);
    run(&["run", RSI, "--set", "params.period=99"]);
    run(&["run", RSI, "--set", "params.period=99"]);
    assert_eq!(all(&[RSI, "--vary", "period=10,14"]), 6);
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let dir = clone("sweep-mistakes");
    fs::create_dir_all(dir.join("full")).unwrap();
    fs::write(dir.join("full/thesis.doc"), "mine").unwrap();
    let cases: [(&[&str], &[&str]); 15] = [
        (&[], &["nothing varies", "--vary period=5..30:5"]),
        (
            &["--vary", "perid=1,2"],
            &["`perid`", "did you mean \"period\"?"],
        ),
        (&["--vary", "stop=0.1"], &["did you mean \"stops.stop\"?"]),
        (
            &["--vary", "stops.stop=5,10"],
            &["5 is 500%", "10 is 1000%"],
        ),
        (
            &["--vary", "costs.preset=none,retial"],
            &["did you mean \"retail\"?"],
        ),
        (&["--vary", "period=5..1"], &["never lead from 5 to 1"]),
        (&["--vary", "period=a,b"], &["a param is a number"]),
        (&["--vary", "period=0,5"], &["at period = 0"]),
        (
            &["--vary", "period=5,6", "--where", "period > 9"],
            &["none of 2", "loosen"],
        ),
        (
            &["--vary", "period=5,6", "--where", "perod > 9"],
            &["no param `perod`"],
        ),
        (
            &["--vary", "period=5,6", "--objective", "sharp"],
            &["did you mean sharpe?"],
        ),
        (
            &["--vary", "period=5,6", "--sort", "beta"],
            &["there are total_return cagr"],
        ),
        (
            &["--vary", "period=5,6", "--method", "random"],
            &["--samples 1000"],
        ),
        (&["--vary", "data.symbols=XX"], &["no prices of XX"]),
        (
            &["--vary", "period=5,6", "--out", "full"],
            &["not the folder of a sweep"],
        ),
    ];
    for (args, expected) in cases {
        let said = refused(&dir, &[&[RSI], args].concat());
        for words in expected {
            assert!(said.contains(words), "{args:?}: {said}");
        }
    }
    assert_eq!(
        fs::read_to_string(dir.join("full/thesis.doc")).unwrap(),
        "mine"
    );
    let halving = ["--method", "halving", "--shard", "1/2"];
    let said = refused(
        &dir,
        &[&[RSI, "--vary", "period=2..40"][..], &halving].concat(),
    );
    assert!(said.contains("cannot be cut into shards"));
}

/// A field of a file that ships.
fn field(name: &str, axes: &[(&str, &str)], sets: &[(&str, &str)], threads: usize) -> Field {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("strategies")
        .join(name);
    let set = sets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let overrides = Overrides {
        set: set.collect(),
        ..Overrides::default()
    };
    let mut strategy = Strategy::read(&path, &overrides).unwrap();
    for (key, values) in axes {
        strategy.vary(key, values).unwrap();
    }
    Field::new(strategy, overrides, Some(threads), false).unwrap()
}

#[test]
fn halving_keeps_the_better_half_of_each_round() {
    let axes = [("fast", "5..60:5"), ("slow", "20..240:20")];
    let sets = [("sweep.method", "halving"), ("sweep.where", "fast < slow")];
    let field = field("golden-cross.toml", &axes, &sets, 2);
    let plan = Plan::of(&field, 1).unwrap();
    let cancel = AtomicBool::new(false);
    let watch = Watch {
        cancel: &cancel,
        progress: &|_| {},
    };
    let mut rows: Vec<Row> = Vec::new();
    let course = run(&field, &plan, Ask::Figures, &mut rows, watch).unwrap();
    let sizes: Vec<u64> = course
        .stages
        .iter()
        .map(|stage| stage.choice.len())
        .collect();
    let first = sizes[0];
    let half = |n: u64| n.div_ceil(2);
    assert_eq!(
        sizes,
        [
            first,
            half(first),
            half(half(first)),
            half(half(half(first)))
        ]
    );
    assert_eq!(rows.len() as u64, sizes.iter().sum::<u64>());
    let (mut start, mut bars) = (0, 0);
    for (stage, next) in course.stages.iter().zip(&course.stages[1..]) {
        let round = &rows[start..start + stage.choice.len() as usize];
        start += round.len();
        assert!(round[0].bars > bars);
        bars = round[0].bars;
        let score = |row: &Row| plan.goal.score(row);
        let kept: Vec<u64> = Points::new(&field.space, &next.choice).collect();
        let (kept, gone): (Vec<&Row>, Vec<&Row>) =
            round.iter().partition(|row| kept.contains(&row.index));
        let worst = kept
            .iter()
            .map(|row| score(row))
            .fold(f64::INFINITY, f64::min);
        assert!(gone.iter().all(|row| score(row) <= worst));
    }
    let mut seen = Vec::new();
    course
        .each(&mut rows, &mut |row| {
            seen.push(row.index);
            Ok(())
        })
        .unwrap();
    assert_eq!(seen.len() as u64, first, "each trial counts once");
    // Half of the rows, as an interruption leaves them, lead to the same rows.
    let whole = rows.clone();
    rows.truncate(whole.len() / 2 + 1);
    run(&field, &plan, Ask::Figures, &mut rows, watch).unwrap();
    let bits = |rows: &[Row]| -> Vec<(u64, u32, [u64; 10])> {
        let bits = |row: &Row| (row.index, row.bars, row.figures.map(f64::to_bits));
        rows.iter().map(bits).collect()
    };
    assert!(bits(&rows) == bits(&whole));
}

#[test]
fn a_cancelled_sweep_leaves_the_first_trials() {
    let field = field(
        "golden-cross.toml",
        &[("fast", "5..60"), ("slow", "61..120")],
        &[],
        4,
    );
    let plan = Plan::of(&field, 1).unwrap();
    let (cancel, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let progress = |n: u64| {
        if done.fetch_add(n, Ordering::Relaxed) > 200 {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let watch = Watch {
        cancel: &cancel,
        progress: &progress,
    };
    let mut rows: Vec<Row> = Vec::new();
    let course = run(&field, &plan, Ask::Figures, &mut rows, watch).unwrap();
    assert!(!course.is_complete);
    assert!(rows.len() < 3360);
    let numbers: Vec<u64> = rows.iter().map(|row| row.index).collect();
    let first: Vec<u64> = Points::new(&field.space, &plan.choice)
        .take(rows.len())
        .collect();
    assert_eq!(numbers, first);
    assert!(matches!(plan.choice, Choice::All(..)));
    assert!(read_market(&field.strategy, false).is_ok());
}

#[test]
fn a_cancelled_judgement_says_what_is_missing() {
    let axes = [("fast", "5..30:5"), ("slow", "40..200:40")];
    let field = field("golden-cross.toml", &axes, &[], 2);
    let plan = Plan::of(&field, 1).unwrap();
    let cancel = AtomicBool::new(false);
    let watch = Watch {
        cancel: &cancel,
        progress: &|_| {},
    };
    let mut rows: Vec<Row> = Vec::new();
    let course = run(&field, &plan, Ask::Blocks, &mut rows, watch).unwrap();
    assert!(course.is_complete);
    let judging = Judging {
        top: 3,
        sharpes_all: None,
        seed: 42,
        watch,
    };
    let whole = judge(&field, &plan, &course, &mut rows, &judging).unwrap();
    assert!(whole.is_complete && whole.judgement.unwrap().interrupted().is_empty());
    cancel.store(true, Ordering::Relaxed);
    let part = judge(&field, &plan, &course, &mut rows, &judging).unwrap();
    assert!(!part.is_complete);
    let judged = part.judgement.unwrap();
    let missing = [
        "pbo",
        "spa_p",
        "reality_check_p",
        "trials_effective",
        "intervals",
    ];
    assert_eq!(judged.interrupted(), missing);
    // What costs nothing is there, and so is the best run.
    assert!(judged.deflated_sharpe.is_ok() && part.runs.len() == 1);
    // Objectives whose block sums need the trials once more are heeded there too.
    let plan = Plan {
        goal: papertape::study::sweep::Goal::of("cagr").unwrap(),
        ..plan
    };
    let part = judge(&field, &plan, &course, &mut rows, &judging).unwrap();
    assert_eq!(part.judgement.unwrap().interrupted(), missing);
}

#[test]
fn pbo_is_of_what_ranks_where_blocks_give_it() {
    let dir = clone("sweep-pbo");
    let pbo = |objective: &str| {
        let more = [
            "--objective",
            objective,
            "--format",
            "json",
            "--out",
            objective,
        ];
        let object = json(&swept(&dir, &with(&GRID, &more)));
        (object["pbo"].as_f64(), object["absent"]["pbo"].clone())
    };
    for objective in ["sharpe", "sortino", "volatility", "total_return", "cagr"] {
        let (found, why) = pbo(objective);
        assert!(
            found.is_some_and(|p| (0.0..=1.0).contains(&p)),
            "{objective}: {why}"
        );
    }
    assert_eq!(pbo("total_return").0, pbo("cagr").0);
    for objective in ["max_drawdown", "calmar", "win_rate", "exposure"] {
        let (found, why) = pbo(objective);
        assert_eq!(found, None);
        assert_eq!(why, "no sums over blocks give this objective");
    }
}

#[test]
fn values_that_no_key_takes_are_refused_with_what_it_takes() {
    let dir = clone("sweep-messages");
    let said = |vary: &str| refused(&dir, &[RSI, "--vary", vary, "--out", "none"]);
    let none = said("period=");
    assert!(none.contains("for example period=5..30:5"), "{none}");
    let impossible = said("stops.stop=-0.1,0.2");
    assert!(
        impossible.contains("help: expected a number above 0, at most 0.99"),
        "{impossible}"
    );
    assert!(!dir.join("none").exists());
}
