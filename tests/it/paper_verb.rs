//! `papertape paper` by the real binary: exit statuses, killed processes, full disks, two at once.

use crate::readme::clone;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const STRATEGY: &str = "strategies/rsi-30-70.toml";

fn output(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

/// Stdout and stderr of a command that ends with `code`.
fn said(dir: &Path, args: &[&str], code: i32) -> (String, String) {
    let out = output(dir, args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let errors = text(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{args:?}: {errors}");
    (text(&out.stdout), errors)
}

#[test]
fn an_account_from_its_opening_to_its_end() {
    let dir = clone("paper-life");
    said(
        &dir,
        &[
            "paper",
            "open",
            "a",
            "--strategy",
            STRATEGY,
            "--today",
            "2013-01-01",
        ],
        0,
    );
    let (_, twice) = said(&dir, &["paper", "open", "a", "--strategy", STRATEGY], 2);
    assert!(twice.contains("already"), "{twice}");
    let today = ["--today", "2013-03-02"];
    let args = |verb: &'static str| [&["paper", verb, "a"][..], &today[..]].concat();
    let (page, _) = said(&dir, &args("step"), 0);
    assert!(page.contains("bars of 2000-03-01 to 2013-03-01"), "{page}");
    let (again, _) = said(&dir, &args("step"), 0);
    assert!(again.contains("no new bar"), "{again}");
    let (status, _) = said(&dir, &args("status"), 0);
    for line in status.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    said(&dir, &args("verify"), 0);
    // Years after the last bar the data are stale, and cron hears of it.
    let (list, _) = said(&dir, &["paper", "list", "--today", "2020-01-01"], 1);
    assert!(list.contains("days_without_bar"), "{list}");
    let (csv, _) = said(
        &dir,
        &["paper", "list", "--format", "csv", "--today", "2013-03-02"],
        0,
    );
    assert!(csv.starts_with("account,strategy,state"), "{csv}");
    let (json, _) = said(
        &dir,
        &[
            "paper",
            "status",
            "a",
            "--format",
            "json",
            "--today",
            "2013-03-02",
        ],
        0,
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], 1);
    said(&dir, &["paper", "close", "a"], 0);
    let (_, closed) = said(&dir, &["paper", "step", "a"], 2);
    assert!(closed.contains("closed"), "{closed}");
    let (_, unknown) = said(&dir, &["paper", "status", "b"], 2);
    assert!(unknown.contains("no account"), "{unknown}");
    said(&dir, &["paper", "status", "../b"], 2);
}

#[test]
fn the_books_are_those_of_run() {
    let dir = clone("paper-run");
    said(&dir, &["run", STRATEGY, "--out", "run", "-q"], 0);
    said(&dir, &["paper", "open", "a", "--strategy", STRATEGY], 0);
    for day in ["2003-01-01", "2003-01-03", "2009-06-30", "2013-06-30"] {
        said(&dir, &["paper", "step", "a", "--today", day], 0);
    }
    said(&dir, &["paper", "verify", "a"], 0);
    said(&dir, &["paper", "report", "a", "--out", "books"], 0);
    for file in ["ledger.csv", "orders.csv", "trades.csv", "income.csv"] {
        let (ours, theirs) = (dir.join("books/a").join(file), dir.join("run").join(file));
        assert!(
            fs::read(ours).unwrap() == fs::read(theirs).unwrap(),
            "{file}"
        );
    }
}

/// Kills `paper step` at random moments until `kills` processes died while they ran, in rounds of
/// one tape, and holds the account against one that nobody killed.
fn killed(name: &str, kills: usize) {
    let dir = clone(name);
    said(&dir, &["paper", "open", "quiet", "--strategy", STRATEGY], 0);
    let begin = Instant::now();
    said(
        &dir,
        &["paper", "step", "quiet", "--today", "2013-03-02"],
        0,
    );
    // Moments from before the first byte is written to after the last one is.
    let longest = begin.elapsed().as_micros() as u64 * 13 / 10;
    let (quiet, _) = said(
        &dir,
        &[
            "paper",
            "status",
            "quiet",
            "--format",
            "json",
            "--today",
            "2013-03-02",
        ],
        0,
    );
    let quiet: serde_json::Value = serde_json::from_str(&quiet).unwrap();
    let mut died = 0;
    let mut round = 0;
    let mut seed = 7_u64;
    while died < kills {
        let account = format!("k{round}");
        said(
            &dir,
            &["paper", "open", &account, "--strategy", STRATEGY],
            0,
        );
        // Days of a few hundred bars each, so that there is always something to write.
        for year in 2000..=2013 {
            for day in ["03-02", "06-15", "09-20", "12-31"] {
                let today = format!("{year}-{day}");
                let today = if today.as_str() > "2013-03-02" {
                    "2013-03-02".to_owned()
                } else {
                    today
                };
                let mut child = Command::new(env!("CARGO_BIN_EXE_papertape"))
                    .args(["paper", "step", &account, "--today", &today])
                    .current_dir(&dir)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                std::thread::sleep(Duration::from_micros((seed >> 40) % longest));
                let _ = child.kill();
                // Death by a signal has no code.
                died += usize::from(child.wait().unwrap().code().is_none());
            }
        }
        said(&dir, &["paper", "verify", &account], 0);
        said(
            &dir,
            &["paper", "step", &account, "--today", "2013-03-02"],
            0,
        );
        said(&dir, &["paper", "verify", &account], 0);
        let (now, _) = said(
            &dir,
            &[
                "paper",
                "status",
                &account,
                "--format",
                "json",
                "--today",
                "2013-03-02",
            ],
            0,
        );
        let now: serde_json::Value = serde_json::from_str(&now).unwrap();
        for key in ["figures", "holdings", "orders", "recorded_bars", "last"] {
            assert_eq!(now[key], quiet[key], "{key}");
        }
        fs::remove_file(dir.join(format!("paper/{account}.db"))).unwrap();
        round += 1;
    }
    println!("{died} processes killed in {round} rounds; nothing lost, nothing doubled");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_doubled() {
    killed("paper-kill", 12);
}

#[test]
#[ignore = "some minutes"]
fn killed_a_thousand_times() {
    killed("paper-kill-long", 1000);
}

#[test]
fn two_processes_at_once_are_one_after_the_other() {
    let dir = clone("paper-two");
    said(&dir, &["paper", "open", "a", "--strategy", STRATEGY], 0);
    let spawn = || {
        Command::new(env!("CARGO_BIN_EXE_papertape"))
            .args(["paper", "step", "a", "--today", "2013-03-02"])
            .current_dir(&dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [spawn(), spawn(), spawn()];
    let mut took = 0;
    for child in both {
        let out = child.wait_with_output().unwrap();
        assert_eq!(
            out.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        took += usize::from(!String::from_utf8_lossy(&out.stdout).contains("no new bar"));
    }
    assert_eq!(took, 1);
    said(&dir, &["paper", "verify", "a"], 0);
}

#[test]
#[cfg(unix)]
fn a_full_disk_and_a_folder_that_cannot_be_written_leave_the_account_as_it_was() {
    let dir = clone("paper-full");
    said(&dir, &["paper", "open", "a", "--strategy", STRATEGY], 0);
    said(&dir, &["paper", "step", "a", "--today", "2003-01-01"], 0);
    let before = said(&dir, &["paper", "status", "a", "--today", "2003-01-01"], 0).0;
    // A limit on the size of files stands for a disk that is full; the signal that comes with it is
    // ignored, as a disk sends none.
    let binary = env!("CARGO_BIN_EXE_papertape");
    for blocks in [1, 40, 400, 900] {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {binary} paper step a --today 2013-03-02"
        );
        let out = Command::new("bash")
            .args(["-c", &script])
            .current_dir(&dir)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&out.stderr);
        if out.status.code() == Some(0) {
            break;
        }
        assert_eq!(out.status.code(), Some(2), "{blocks}: {errors}");
        let after = said(&dir, &["paper", "status", "a", "--today", "2003-01-01"], 0).0;
        assert_eq!(before, after, "{blocks}");
    }
    said(&dir, &["paper", "verify", "a"], 0);
    said(&dir, &["paper", "step", "a", "--today", "2013-03-02"], 0);
    said(&dir, &["paper", "verify", "a"], 0);
    let (_, nowhere) = said(
        &dir,
        &[
            "paper",
            "open",
            "a",
            "--strategy",
            STRATEGY,
            "--dir",
            "/proc/nowhere",
        ],
        2,
    );
    assert!(nowhere.contains("cannot"), "{nowhere}");
}

#[test]
fn watch_follows_a_folder() {
    let dir = clone("paper-watch");
    said(&dir, &["paper", "open", "a", "--strategy", STRATEGY], 0);
    let args = [
        "paper",
        "watch",
        "a",
        "--data",
        "data/stocks",
        "--looks",
        "2",
        "--every",
        "0",
        "--today",
        "2013-03-02",
    ];
    let (page, _) = said(&dir, &args, 0);
    assert_eq!(page.lines().count(), 1, "{page}");
    let (page, _) = said(&dir, &["paper", "step", "a", "--today", "2013-03-02"], 0);
    assert!(page.contains("no new bar"), "{page}");
}

/// A folder in which `papertape` is the binary under test.
fn shell(dir: &Path, script: &str) -> Output {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_papertape"), bin.join("papertape"));
    let path = format!(
        "{}:{}",
        bin.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new("bash")
        .args(["-c", &format!("set -e; {script}")])
        .env("PATH", path)
        .current_dir(dir)
        .output()
        .unwrap()
}

#[test]
#[cfg(unix)]
fn the_month_of_the_documents_runs_and_is_what_run_says() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/paper.md")).unwrap();
    let script = page
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let dir = clone("paper-month");
    let out = shell(&dir, script);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let steps = text
        .lines()
        .filter(|l| l.starts_with("rsi: ") && l.contains("bars of 2013-01"))
        .count();
    assert_eq!(steps, 21, "{text}");
    let books = dir.join("reports/paper/rsi");
    assert!(fs::read(books.join("account.png")).unwrap().len() > 10_000);
    // The recorded tape, run by anyone, has the account's books.
    let run = "papertape run reports/paper/rsi/strategy-1.toml --data reports/paper/rsi/tape --start 2013-01-02 --out again -q";
    let out = shell(&dir, run);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    for file in ["ledger.csv", "orders.csv", "trades.csv", "income.csv"] {
        let (ours, theirs) = (
            fs::read(books.join(file)),
            fs::read(dir.join("again").join(file)),
        );
        assert!(ours.unwrap() == theirs.unwrap(), "{file}");
    }
    let column = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let cells = text
            .lines()
            .map(|l| l.split(',').take(3).collect::<Vec<_>>().join(","));
        cells.collect::<Vec<_>>()
    };
    assert_eq!(
        column(&books.join("equity.csv")),
        column(&dir.join("again/equity.csv"))
    );
    // Accounts stand beside strategies and runs.
    let (table, _) = said(
        &dir,
        &[
            "compare",
            "paper/rsi.db",
            STRATEGY,
            "again",
            "--start",
            "2013-01-02",
        ],
        0,
    );
    assert!(table.contains("rsi"), "{table}");
    let (page, _) = said(
        &dir,
        &["paper", "report", "--all", "--today", "2013-02-01"],
        0,
    );
    assert!(page.contains("ahead of cash"), "{page}");
    assert!(dir.join("reports/paper/accounts.png").is_file());
}
