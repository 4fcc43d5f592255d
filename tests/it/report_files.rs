//! A run told as a story, by hand: what its files say, that its books hold, and that a changed cell
//! does not go unseen.

use papertape::engine::{self, Ambiguous, Run};
use papertape::execution::{Order, OrderType, Outcome, Reason, Side};
use papertape::market::{Bars, Market};
use papertape::metrics;
use papertape::portfolio::{
    Entry, EntryKind, IncomeRow, OPENING_CASH, PositionSide, Stream, Trade, TradeStatus,
};
use papertape::report::manifest::{FileHash, Flags, Manifest, Program, SCHEMA, StrategyFile};
use papertape::report::{self, Summary, csv, folder, manifest, verify};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{self, Judged};
use papertape::units::DAY_MICROS;
use std::fs;
use std::path::{Path, PathBuf};

/// 2024-01-29, a Monday.
const MONDAY: i64 = 19_751;

fn entry(bar: usize, symbol: Option<usize>, kind: EntryKind, quantity: f64, price: f64) -> Entry {
    Entry {
        bar: bar + 10,
        symbol,
        kind,
        quantity,
        price,
        amount: -quantity * price,
        cash: 0.0,
        trade: None,
        note: String::new(),
    }
}

/// The opening cash of 10,000; 50 A bought on Tuesday, a dividend on Wednesday, sold in February; on
/// the last day interest, and 10 B bought that stay.
fn ledger() -> Vec<Entry> {
    let cash = |bar, kind, amount| Entry {
        amount,
        ..entry(bar, None, kind, 0.0, 0.0)
    };
    let of_a = |bar, kind, amount| Entry {
        symbol: Some(0),
        trade: Some(0),
        ..cash(bar, kind, amount)
    };
    let fill = |bar, symbol, kind, quantity, price, trade| Entry {
        trade: Some(trade),
        ..entry(bar, Some(symbol), kind, quantity, price)
    };
    let mut entries = vec![
        Entry {
            note: OPENING_CASH.to_string(),
            ..cash(0, EntryKind::Deposit, 10_000.0)
        },
        fill(1, 0, EntryKind::Buy, 50.0, 100.0, 0),
        of_a(1, EntryKind::Commission, -5.0),
        of_a(1, EntryKind::Slippage, -1.0),
        of_a(2, EntryKind::Dividend, 25.0),
        fill(3, 0, EntryKind::Sell, -50.0, 110.0, 0),
        of_a(3, EntryKind::Commission, -5.5),
        of_a(3, EntryKind::Slippage, -1.0),
        cash(4, EntryKind::Interest, 1.0),
        fill(4, 1, EntryKind::Buy, 10.0, 20.0, 1),
    ];
    let mut cash = 0.0;
    for entry in &mut entries {
        if entry.kind != EntryKind::Slippage {
            cash += entry.amount;
        }
        entry.cash = cash;
    }
    entries
}

fn trades() -> Vec<Trade> {
    let a = Trade {
        symbol: 0,
        side: PositionSide::Long,
        entry_bar: 11,
        entry_price: 100.0,
        shares: 50.0,
        entry_fee: 5.0,
        exit_bar: 13,
        exit_price: 110.0,
        exit_fee: 5.5,
        pnl: 489.5,
        pnl_pct: 489.5 / 5005.0,
        bars_held: 2,
        reason: Reason::Signal,
        status: TradeStatus::Closed,
        stop: None,
        target: None,
        ambiguous: false,
    };
    let b = Trade {
        symbol: 1,
        entry_bar: 14,
        entry_price: 20.0,
        shares: 10.0,
        entry_fee: 0.0,
        exit_bar: 14,
        exit_price: 21.0,
        exit_fee: 0.0,
        pnl: 10.0,
        pnl_pct: 0.05,
        bars_held: 0,
        status: TradeStatus::Open,
        ..a.clone()
    };
    vec![a, b]
}

fn orders() -> Vec<Order> {
    let order = |id, decided, symbol, side, quantity, price| Order {
        id,
        decided,
        symbol,
        side,
        kind: OrderType::Market,
        quantity,
        price: None,
        outcome: Outcome::Filled,
        reason: Reason::Signal,
        filled: quantity,
        fill_bar: Some(decided + 1),
        fill_price: Some(price),
    };
    let rejected = Order {
        outcome: Outcome::Rejected,
        reason: Reason::Cash,
        filled: 0.0,
        fill_bar: None,
        fill_price: None,
        ..order(2, 10, 1, Side::Buy, 400.0, 0.0)
    };
    vec![
        order(1, 10, 0, Side::Buy, 50.0, 100.0),
        rejected,
        order(3, 12, 0, Side::Sell, 50.0, 110.0),
        order(4, 13, 1, Side::Buy, 10.0, 20.0),
    ]
}

fn income() -> Vec<IncomeRow> {
    let row = |month: &str, symbol, stream, amount| IncomeRow {
        month: month.to_string(),
        symbol,
        stream,
        amount,
    };
    vec![
        row("2024-01", Some(0), Stream::Unrealized, 51.0),
        row("2024-01", Some(0), Stream::Dividends, 25.0),
        row("2024-01", Some(0), Stream::Fees, -5.0),
        row("2024-01", Some(0), Stream::Slippage, -1.0),
        row("2024-02", None, Stream::Interest, 1.0),
        row("2024-02", Some(0), Stream::Realized, 502.0),
        row("2024-02", Some(0), Stream::Unrealized, -51.0),
        row("2024-02", Some(0), Stream::Fees, -5.5),
        row("2024-02", Some(0), Stream::Slippage, -1.0),
        row("2024-02", Some(1), Stream::Unrealized, 10.0),
    ]
}

fn story() -> Run {
    let cash = vec![10_000.0, 4_995.0, 5_020.0, 10_514.5, 10_315.5];
    let holdings = vec![0.0, 5_100.0, 5_050.0, 0.0, 210.0];
    let equity: Vec<f64> = cash.iter().zip(&holdings).map(|(c, h)| c + h).collect();
    let exposure = holdings.iter().zip(&equity).map(|(h, e)| h / e).collect();
    Run {
        tax: None,
        options: papertape::engine::OptionRecord::default(),
        name: "Story".into(),
        symbols: vec!["A".into(), "B, Inc".into()],
        first_bar: 10,
        warmup_bars: 10,
        time: (0..5).map(|day| (MONDAY + day) * DAY_MICROS).collect(),
        periods_a_year: 252.0,
        bars_a_session: 1.0,
        start_equity: 10_000.0,
        equity,
        cash,
        holdings,
        flows: vec![0.0; 5],
        unpaid: Vec::new(),
        layers: papertape::engine::Layers::default(),
        exposure,
        traded: vec![0.0, 5_000.0, 0.0, 5_500.0, 200.0],
        rate: vec![0.0; 5],
        hurdle: vec![0.0; 5],
        orders: orders(),
        trades: trades(),
        ledger: ledger(),
        income: income(),
        ambiguous: None,
        each: Vec::new(),
        stale: Vec::new(),
        levels: Vec::new(),
        books_error: 0.0,
    }
}

fn files(run: &Run) -> Vec<folder::NewFile> {
    let drawdown = metrics::drawdown_series(&metrics::returns_of_run(run));
    let savings = [10_000.0; 5];
    let mut files = vec![
        (
            "equity.csv".to_string(),
            csv::equity(run, &drawdown, &[("cash", &savings)]),
        ),
        ("trades.csv".to_string(), csv::trades(run)),
        ("orders.csv".to_string(), csv::orders(run)),
        ("ledger.csv".to_string(), csv::ledger(run)),
        ("income.csv".to_string(), csv::income(run)),
    ];
    let hashes = files.iter().map(|(name, bytes)| FileHash {
        file: name.clone(),
        sha256: manifest::sha256(bytes),
    });
    let manifest = Manifest {
        schema: SCHEMA,
        program: Program::this(),
        strategy: StrategyFile {
            name: "Story".into(),
            file: "strategies/story.toml".into(),
            text: String::new(),
            sha256: manifest::sha256(b""),
        },
        data: Vec::new(),
        assumptions: Vec::new(),
        flags: Flags::default(),
        seed: 42,
        sweep: None,
        ledger: None,
        trials: None,
        files: hashes.collect(),
    };
    files.push((manifest::FILE_NAME.to_string(), manifest.to_bytes()));
    files
}

/// An empty folder of this test's own.
fn empty(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn text(files: &[folder::NewFile], name: &str) -> String {
    let (_, bytes) = files.iter().find(|(n, _)| n == name).unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

#[test]
fn csv_files_say_what_happened() {
    let files = files(&story());
    let equity = text(&files, "equity.csv");
    let lines: Vec<&str> = equity.lines().collect();
    assert_eq!(
        lines[0],
        "date,equity,cash,exposure,drawdown,cash_benchmark,holdings,receivable,flow"
    );
    assert_eq!(lines[1], "2024-01-29,10000,10000,0,0,10000,0,0,0");
    assert_eq!(lines.len(), 6);
    let trades = text(&files, "trades.csv");
    assert_eq!(trades.lines().next().unwrap(), csv::TRADE_COLUMNS.join(","));
    assert!(trades.contains("\"B, Inc\",long,2024-02-02,20,10,0,2024-02-02,21,0,10,0.05,0,,open"));
    let orders = text(&files, "orders.csv");
    assert!(orders.contains("2,2024-01-29,\"B, Inc\",buy,market,400,,rejected,cash,0,,\n"));
    let ledger = text(&files, "ledger.csv");
    assert!(ledger.contains("2024-01-30,,A,buy,50,100,-5000,5000,1,\n"));
    let income = text(&files, "income.csv");
    assert!(income.contains("2024-02,,,interest,1\n"));
}

fn found(dir: &Path) -> Vec<String> {
    let checks = verify::verify(dir).unwrap();
    let findings = checks.iter().flat_map(|check| &check.findings);
    findings
        .map(|f| format!("{}:{} {}", f.file, f.line.unwrap_or(0), f.message))
        .collect()
}

#[test]
fn the_books_of_the_story_hold() {
    let dir = empty("story-holds");
    folder::write(&dir, &files(&story())).unwrap();
    assert_eq!(found(&dir), Vec::<String>::new());
}

/// Writes the story with `from` replaced by `to` in one file, and the manifest's hashes forgotten, so
/// that only the books can tell.
fn tampered(name: &str, file: &str, from: &str, to: &str) -> Vec<String> {
    let dir = empty(name);
    let mut all = files(&story());
    for (name, bytes) in &mut all {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if name == file {
            assert!(text.contains(from), "{file} has no {from}");
            *bytes = text.replacen(from, to, 1).into_bytes();
        }
        if name == manifest::FILE_NAME {
            let mut manifest: Manifest = serde_json::from_str(&text).unwrap();
            manifest.files.clear();
            *bytes = manifest.to_bytes();
        }
    }
    folder::write(&dir, &all).unwrap();
    found(&dir)
}

#[test]
fn a_changed_cell_is_found_with_its_row() {
    let cases = [
        (
            "ledger.csv",
            "commission,0,0,-5,4995",
            "commission,0,0,-4,4995",
            "ledger.csv:4",
        ),
        (
            "ledger.csv",
            "commission,0,0,-5,4995",
            "commission,0,0,-5,4996",
            "ledger.csv:4",
        ),
        ("ledger.csv", "buy,50,100", "buy,51,100", "ledger.csv:3"),
        (
            "ledger.csv",
            "dividend,0,0,25",
            "interest,0,0,25",
            "income.csv",
        ),
        ("equity.csv", "10095,4995", "10096,4995", "equity.csv:3"),
        (
            "equity.csv",
            "10514.5,10514.5",
            "10515.5,10515.5",
            "equity.csv:5",
        ),
        ("equity.csv", "210,0,0", "211,0,0", "equity.csv:6"),
        ("trades.csv", "489.5", "589.5", "trades.csv:2"),
        ("trades.csv", "0.05,0,,open", "0.06,0,,open", "trades.csv:3"),
        ("orders.csv", "rejected", "filled", "orders.csv:3"),
        ("orders.csv", "rejected", "lost", "orders.csv:3"),
        ("income.csv", "dividends,25", "dividends,26", "income.csv"),
        ("income.csv", "fees,-5.5", "fees,5.5", "income.csv"),
        ("income.csv", "interest,1", "interest,", "income.csv:6"),
    ];
    for (i, (file, from, to, place)) in cases.into_iter().enumerate() {
        let findings = tampered(&format!("story-{i}"), file, from, to);
        let all = findings.join("\n");
        assert!(all.contains(place), "{file}: {from} -> {to} gave:\n{all}");
    }
}

#[test]
fn a_changed_file_is_found_by_its_hash() {
    let dir = empty("story-hash");
    folder::write(&dir, &files(&story())).unwrap();
    fs::write(dir.join("trades.csv"), "symbol\n").unwrap();
    assert!(found(&dir)[0].contains("trades.csv:0 was changed since the run"));
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let dir = empty("story-foreign");
    let claim = |name: &str, force| folder::claim(&dir, name, "strategies/other.toml", force);
    claim("Story", false).unwrap();
    fs::create_dir_all(&dir).unwrap();
    claim("Story", false).unwrap();
    fs::write(dir.join("thesis.txt"), "mine").unwrap();
    let refused = claim("Story", false).unwrap_err().to_string();
    assert!(
        refused.contains("--out") && refused.contains("--force"),
        "{refused}"
    );
    claim("Story", true).unwrap();

    let files = files(&story());
    folder::write(&dir, &files).unwrap();
    assert_eq!(fs::read_to_string(dir.join("thesis.txt")).unwrap(), "mine");
    claim("Story", false).unwrap();
    let refused = claim("Another", false).unwrap_err().to_string();
    assert!(refused.contains("another strategy, \"Story\""), "{refused}");

    // A second run with fewer files takes the old ones away and leaves the stranger.
    let fewer: Vec<_> = files
        .into_iter()
        .filter(|(n, _)| n != "income.csv")
        .collect();
    folder::write(&dir, &fewer).unwrap();
    assert!(!dir.join("income.csv").exists());
    assert_eq!(fs::read_to_string(dir.join("thesis.txt")).unwrap(), "mine");
}

#[test]
fn an_earlier_run_is_exchanged_whole() {
    let dir = empty("story-again");
    let files = files(&story());
    folder::write(&dir, &files).unwrap();
    let fewer: Vec<_> = files
        .into_iter()
        .filter(|(n, _)| n != "income.csv")
        .collect();
    folder::write(&dir, &fewer).unwrap();
    let mut names: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "equity.csv",
        "ledger.csv",
        "manifest.json",
        "orders.csv",
        "trades.csv",
    ];
    assert_eq!(names, expected);
    // Nothing is left beside it.
    let beside = fs::read_dir(dir.parent().unwrap()).unwrap();
    let names = beside.map(|e| e.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|n| n.starts_with(".story-again")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// The story as a judged run of a small strategy.
fn judged() -> (Strategy, Market, Judged) {
    let text = "name = \"Story\"\nabout = \"Buy A, then B.\"\n[rules]\nenter = \"close > 1\"\n\
                [costs]\ncommission = 0.001\n[stops]\nstop = 0.05\ntarget = 0.1";
    let overrides = Overrides::default();
    let strategy = Strategy::parse(text, "strategies/story.toml", Path::new(""), &overrides);
    let time: Vec<i64> = (0..15)
        .map(|day| (MONDAY - 10 + day) * DAY_MICROS)
        .collect();
    let bars = |price| Bars::of_closes(time.clone(), vec![price; 15]).unwrap();
    let tapes = vec![
        ("A".to_string(), bars(100.0)),
        ("B, Inc".to_string(), bars(21.0)),
    ];
    let market = Market::from_tapes(tapes).unwrap();
    let run = story();
    let cash = Run {
        name: "cash".into(),
        equity: vec![10_000.0; 5],
        trades: Vec::new(),
        ledger: Vec::new(),
        orders: Vec::new(),
        income: Vec::new(),
        ..run.clone()
    };
    let mut run = run;
    run.ambiguous = Some(Ambiguous {
        trades: 1,
        worst: 10_525.5,
        path: 10_600.0,
        best: 10_700.0,
    });
    let outcome = engine::Outcome {
        run,
        benchmarks: vec![("cash".to_string(), cash)],
        left_out: Vec::new(),
    };
    let strategy = strategy.unwrap();
    let judged = study::judge(&market, &strategy, outcome, 42);
    (strategy, market, judged)
}

#[test]
fn the_summary_fits_the_page_and_adds_up() {
    let (strategy, _, judged) = judged();
    let summary = Summary::of(&strategy, &judged);
    let names = vec!["manifest.json".to_string(), "equity.csv".to_string()];
    let page = report::text::summary(&summary, Some(("reports/story", &names)));
    println!("{page}");
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line.trim_end(), line);
    }
    for part in [
        "2024-01-29 to 2024-02-02, 5 bars",
        "dividends                                    25.00",
        "change of equity                            525.50  10,000.00 to 10,525.50",
        "filled               3   signal 3",
        "rejected             1   cash 1",
        "Written to reports/story",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    let sum: f64 = summary.income.iter().map(|(_, amount)| amount).sum();
    assert!((sum - summary.change_of_equity()).abs() < 1e-9);
}

#[test]
fn json_has_every_key_and_no_nan() {
    let (strategy, _, judged) = judged();
    let summary = Summary::of(&strategy, &judged);
    let line = report::json::line(&summary, &["reports/story/equity.csv".to_string()]);
    assert_eq!(line.matches('\n').count(), 1);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    for key in [
        "schema",
        "name",
        "period",
        "assumptions",
        "metrics",
        "absent",
        "benchmarks",
        "income",
        "orders",
        "caveats",
        "files",
    ] {
        assert!(object.get(key).is_some(), "no {key}");
    }
    assert_eq!(object["schema"], 1);
    assert_eq!(object["period"]["start"], "2024-01-29");
    assert_eq!(object["orders"]["filled"], 3);
    assert_eq!(object["income"]["dividends"], 25.0);
    assert_eq!(object["assumptions"]["costs.commission"], 0.001);
    for metrics in [&object["metrics"], &object["benchmarks"]["cash"]] {
        for row in metrics::all() {
            let value = &metrics[row.key];
            assert!(value.is_number() || value.is_null(), "{}: {value}", row.key);
        }
    }
    // What is null has a reason.
    for (key, value) in object["metrics"].as_object().unwrap() {
        assert_eq!(
            value.is_null(),
            object["absent"].get(key).is_some(),
            "{key}"
        );
    }
}

#[test]
fn the_contents_of_a_folder_are_the_same_twice() {
    let (strategy, market, judged) = judged();
    let summary = Summary::of(&strategy, &judged);
    let contents = || {
        let flags = Flags::default();
        report::contents::of_run(&strategy, &market, &judged, &summary, (flags, None)).unwrap()
    };
    let names: Vec<String> = contents().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "metrics.json",
        "equity.csv",
        "trades.csv",
        "orders.csv",
        "ledger.csv",
        "income.csv",
        "tearsheet.png",
        "trades.png",
        "income.png",
        "manifest.json",
    ];
    assert_eq!(names, expected);
    assert!(contents() == contents(), "two writings of one run differ");
}
