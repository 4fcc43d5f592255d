//! Paper accounts: stepping gives what the backtest gives, whatever the batches; history is never
//! rewritten; a dead process loses nothing.

use crate::properties::{Walk, file, market, walk};
use papertape::engine::{self, Run, backtest};
use papertape::market::{Action, ActionKind, Bars, Market, midnight};
use papertape::paper::{self, Account, Journal, Opening, RemarkKind, Source, Status, Stepped};
use papertape::report::csv;
use papertape::strategy::{Overrides, Strategy};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Long after every shipped bar: 2026-01-01.
const NOW: Micros = 20_454 * DAY_MICROS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("paper-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn opening(file: &Path) -> Opening {
    Opening {
        name: "test".into(),
        file: file.to_path_buf(),
        seed: 42,
        now: NOW,
        ..Opening::default()
    }
}

fn open(db: &Path, file: &Path) {
    paper::open(db, &opening(file)).unwrap();
}

fn step(db: &Path, market: &Market) -> Stepped {
    paper::step(db, Source::Market(market), NOW).unwrap()
}

fn account(db: &Path) -> Account {
    Journal::open_to_read(db).unwrap().account().unwrap()
}

/// The books of a run as the files that `run` writes.
fn books(run: &Run) -> [Vec<u8>; 5] {
    [
        csv::ledger(run),
        csv::orders(run),
        csv::equity(run, &[], &[]),
        csv::trades(run),
        csv::income(run),
    ]
}

fn assert_same_books(a: &Run, b: &Run, what: &str) {
    for (name, (a, b)) in ["ledger", "orders", "equity", "trades", "income"]
        .iter()
        .zip(books(a).iter().zip(&books(b)))
    {
        assert!(a == b, "{what}: {name} differs");
    }
    let bits = |run: &Run| run.equity.iter().map(|e| e.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(a), bits(b), "{what}");
}

/// Steps over `market` in batches that end at `cuts` (shares of the clock), and compares with the
/// backtest over the same bars; every batch is stepped twice.
fn parity(db: &Path, file: &Path, market: &Market, cuts: &[f64]) {
    open(db, file);
    let bars = market.clock.len();
    let mut at: Vec<usize> = cuts.iter().map(|c| (c * bars as f64) as usize).collect();
    at.push(bars - 1);
    at.sort_unstable();
    for cut in at {
        let seen = market.until(market.clock[cut.min(bars - 1)]);
        step(db, &seen);
        let again = step(db, &seen);
        assert_eq!(again.bars, 0);
        assert!(again.remarks.is_empty(), "{:?}", again.remarks);
    }
    let what = file.display().to_string();
    let account = account(db);
    let strategy = account.strategy().unwrap();
    let run = backtest(market, &strategy).unwrap();
    let stepped = account.run().unwrap().unwrap();
    assert_same_books(&run, &stepped, &what);
    // The rows of the file are those of the run, too.
    let verdict = paper::verify(db).unwrap();
    assert!(verdict.holds(), "{what}: {:?}", verdict.differences);
    let of = |table: &str| verdict.rows.iter().find(|(t, _)| *t == table).unwrap().1;
    assert_eq!(of("ledger"), run.ledger.len());
    assert_eq!(of("equity"), run.equity.len());
}

fn shipped() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["strategies", "strategies/layered"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 20);
    files
}

#[test]
fn every_shipped_strategy_steps_as_it_runs() {
    let dir = folder("shipped");
    for (nth, file) in shipped().iter().enumerate() {
        let mut strategy = Strategy::read(file, &Overrides::default()).unwrap();
        if strategy.data.source.is_none() {
            continue; // A layer that gets its data from the file that names it.
        }
        strategy.walk_forward.holdout = None;
        let mut market = engine::observe(&strategy, false, None).unwrap();
        if let Some(from) = engine::held_out(
            &market,
            &Strategy::read(file, &Overrides::default()).unwrap(),
        ) {
            // What is held out is no part of the account either.
            market = market.before(from).unwrap();
        }
        let shift = nth as f64 * 0.013;
        let db = dir.join(format!("{nth}.db"));
        parity(
            &db,
            file,
            &market,
            &[0.11 + shift, 0.4, 0.4 + shift, 0.97, 0.999],
        );
    }
}

#[test]
fn bar_by_bar_is_as_good_as_at_once() {
    let dir = folder("bar-by-bar");
    for name in ["rsi-30-70", "trend-long-short", "monthly-saver"] {
        let file = root().join(format!("strategies/{name}.toml"));
        let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
        let whole = engine::observe(&strategy, false, None).unwrap();
        let short = whole.until(whole.clock[330]);
        let cuts: Vec<f64> = (250..330).map(|bar| (bar as f64 + 0.5) / 331.0).collect();
        parity(&dir.join(format!("{name}.db")), &file, &short, &cuts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_strategies_step_as_they_run(
        walks in prop::collection::vec(walk(60), 1..4),
        text in file(false),
        cuts in prop::collection::vec(0.0..1.0f64, 0..6),
    ) {
        let walks: Vec<Walk> = walks;
        let market = market(&walks, 60, 1.0);
        let dir = folder("random");
        let strategy = dir.join("random.toml");
        // The bars come from memory.
        fs::write(&strategy, text.replace("source = \"unused\"\n", "")).unwrap();
        parity(&dir.join("random.db"), &strategy, &market, &cuts);
    }
}

/// Buys on the first bar and holds.
const HOLD: &str =
    "[data]\nsymbols = [\"A\"]\n[rules]\nenter = \"close > 0\"\n[costs]\npreset = \"none\"\n";

fn closes(from: usize, closes: &[f64]) -> Market {
    // Weekdays from Monday 2001-01-01 on, without its holiday.
    let day = |i: usize| (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS;
    let time = (from..from + closes.len()).map(|i| day(i + 1)).collect();
    let bars = Bars::of_closes(time, closes.to_vec()).unwrap();
    Market::from_tapes(vec![("A".into(), bars)]).unwrap()
}

/// An account of `text` in a folder of its own.
fn fresh(name: &str, text: &str) -> (PathBuf, PathBuf) {
    let dir = folder(name);
    let file = dir.join("s.toml");
    fs::write(&file, text).unwrap();
    let db = dir.join("a.db");
    open(&db, &file);
    (db, file)
}

#[test]
fn a_restated_bar_is_remarked_once_and_not_traded_on() {
    let (db, _) = fresh("restated", HOLD);
    step(&db, &closes(0, &[10.0, 11.0, 12.0]));
    let before = account(&db).run().unwrap().unwrap();
    let changed = closes(0, &[10.0, 11.5, 12.0, 13.0]);
    let stepped = step(&db, &changed);
    assert_eq!(stepped.bars, 1);
    assert_eq!(stepped.remarks.len(), 1);
    assert_eq!(stepped.remarks[0].kind, RemarkKind::Restated);
    assert!(!stepped.status.alarms().is_empty());
    assert!(step(&db, &changed).remarks.is_empty());
    let after = account(&db).run().unwrap().unwrap();
    assert_eq!(after.equity[..3], before.equity[..]);
    // With the next bar the alarm is history.
    let later = step(&db, &closes(0, &[10.0, 11.5, 12.0, 13.0, 13.0]));
    assert!(
        later.status.alarms().is_empty(),
        "{:?}",
        later.status.alarms()
    );
    assert!(paper::verify(&db).unwrap().holds());
}

#[test]
fn a_late_bar_is_remarked_and_not_taken() {
    let (db, _) = fresh("late", HOLD);
    let whole = closes(0, &[10.0, 11.0, 12.0]);
    let bars = &whole.tapes[0].bars;
    let gap = Bars::of_closes(vec![bars.time[0], bars.time[2]], vec![10.0, 12.0]).unwrap();
    step(&db, &Market::from_tapes(vec![("A".into(), gap)]).unwrap());
    let stepped = step(&db, &whole);
    assert_eq!(stepped.bars, 0);
    assert_eq!(stepped.remarks[0].kind, RemarkKind::Late);
    assert_eq!(account(&db).bars(), 2);
}

#[test]
fn a_constant_ratio_of_adjusted_prices_is_booked_as_an_adjustment() {
    let text = HOLD.replace("symbols", "prices = \"adjusted\"\nsymbols");
    let (db, _) = fresh("adjusted", &text);
    step(&db, &closes(0, &[10.0, 10.0, 10.0]));
    let shares = |db: &Path| Status::read(db, NOW).unwrap().0.holdings[0].shares;
    assert_eq!(shares(&db), 10_000.0);
    // A dividend of a tenth: the vendor now says that all was 9, and so is today.
    let stepped = step(&db, &closes(0, &[9.0, 9.0, 9.0, 9.0]));
    assert_eq!(stepped.remarks[0].kind, RemarkKind::Adjusted);
    assert!((shares(&db) - 10_000.0 / 0.9).abs() < 1e-6);
    let run = account(&db).run().unwrap().unwrap();
    assert!((run.equity[3] - 100_000.0).abs() < 1e-6);
    assert!(
        step(&db, &closes(0, &[9.0, 9.0, 9.0, 9.0]))
            .remarks
            .is_empty()
    );
    assert_eq!(
        step(&db, &closes(0, &[9.0, 9.0, 9.0, 9.0, 9.0])).remarks,
        vec![]
    );
    assert!(paper::verify(&db).unwrap().holds());
}

fn action(market: &Market, bar: usize, kind: ActionKind, value: f64) -> Action {
    Action {
        time: market.clock[bar],
        symbol: "A".into(),
        kind,
        value,
        pay: None,
        declared: None,
    }
}

#[test]
fn a_late_dividend_is_booked_on_the_bar_of_its_arrival() {
    let (db, _) = fresh("late-dividend", HOLD);
    step(&db, &closes(0, &[10.0, 10.0, 10.0]));
    let longer = closes(0, &[10.0, 10.0, 10.0, 10.0]);
    let paid = longer
        .clone()
        .with_actions(vec![action(&longer, 2, ActionKind::Dividend, 0.5)]);
    let stepped = step(&db, &paid);
    assert_eq!(stepped.remarks[0].kind, RemarkKind::LateAction);
    let run = account(&db).run().unwrap().unwrap();
    assert_eq!(run.equity, [100_000.0, 100_000.0, 100_000.0, 105_000.0]);
    let again = step(&db, &paid);
    assert!(again.remarks.is_empty());
    assert!(paper::verify(&db).unwrap().holds());
    // One that comes before its ex-date is no remark.
    let next = closes(0, &[10.0, 10.0, 10.0, 10.0, 10.0]);
    let both = next.clone().with_actions(vec![
        action(&next, 2, ActionKind::Dividend, 0.5),
        action(&next, 4, ActionKind::Dividend, 0.1),
    ]);
    assert!(step(&db, &both).remarks.is_empty());
    let run = account(&db).run().unwrap().unwrap();
    assert!((run.equity[4] - 106_000.0).abs() < 1e-6);
}

#[test]
fn a_jump_like_a_split_is_an_alarm_unless_an_action_says_so() {
    let (db, _) = fresh("jump", HOLD);
    step(&db, &closes(0, &[10.0, 10.0]));
    let stepped = step(&db, &closes(0, &[10.0, 10.0, 5.0]));
    assert_eq!(stepped.remarks[0].kind, RemarkKind::Jump);
    let (db, _) = fresh("split", HOLD);
    step(&db, &closes(0, &[10.0, 10.0]));
    let fallen = closes(0, &[10.0, 10.0, 5.0]);
    let split = fallen
        .clone()
        .with_actions(vec![action(&fallen, 2, ActionKind::Split, 2.0)]);
    assert!(step(&db, &split).remarks.is_empty());
    assert_eq!(account(&db).run().unwrap().unwrap().equity[2], 100_000.0);
}

#[test]
fn an_edited_strategy_is_refused_until_the_account_is_amended() {
    let two = "[data]\nsymbols = [\"A\"]\n[params]\nlevel = 0\n[rules]\nenter = \"close > level\"\nexit = \"close > 12\"\n[costs]\npreset = \"none\"\n";
    let (db, file) = fresh("amended", two);
    step(&db, &closes(0, &[10.0, 10.0, 10.0]));
    fs::write(&file, two.replace("> 12", "> 9")).unwrap();
    let tape = closes(0, &[10.0, 10.0, 10.0, 10.0, 10.0]);
    let refused = paper::step(&db, Source::Market(&tape), NOW).unwrap_err();
    assert!(refused.to_string().contains("edited"), "{refused}");
    assert_eq!(account(&db).bars(), 3);
    paper::amend(&db, None, &[], ("sooner out", NOW)).unwrap();
    step(&db, &tape);
    let amended = account(&db);
    assert_eq!(amended.epochs.len(), 2);
    assert_eq!(amended.epochs[1].note, "sooner out");
    let run = amended.run().unwrap().unwrap();
    // Bought on bar 1; the new exit decides on bar 3 and sells on bar 4.
    let kinds: Vec<(usize, &str)> = run
        .orders
        .iter()
        .map(|o| (o.decided, o.side.name()))
        .collect();
    assert_eq!(kinds, [(0, "buy"), (3, "sell")]);
    assert!(paper::verify(&db).unwrap().holds());
    // Amended once more before a bar came, the text in between has decided nothing.
    fs::write(&file, two.replace("> 12", "> 8")).unwrap();
    paper::amend(&db, None, &[], ("", NOW)).unwrap();
    fs::write(&file, two.replace("> 12", "> 7")).unwrap();
    paper::amend(&db, None, &[], ("", NOW)).unwrap();
    assert_eq!(account(&db).epochs.len(), 3);
    assert!(paper::verify(&db).unwrap().holds());
    // Another account, another file: what an account is made of cannot change.
    fs::write(
        &file,
        two.replace("[rules]", "[account]\ncash = 5\n[rules]"),
    )
    .unwrap();
    let refused = paper::amend(&db, None, &[], ("", NOW)).unwrap_err();
    assert!(refused.to_string().contains("account"), "{refused}");
}

#[test]
fn orders_after_the_last_bar_stay_open_and_are_shown() {
    let (db, _) = fresh("open-orders", HOLD);
    let stepped = step(&db, &closes(0, &[10.0]));
    let orders = &stepped.status.orders;
    assert_eq!(orders.len(), 1);
    assert_eq!((orders[0].symbol.as_str(), orders[0].side), ("A", "buy"));
    assert_eq!(orders[0].shares, 10_000.0);
    let stepped = step(&db, &closes(0, &[10.0, 10.0]));
    assert!(stepped.status.orders.is_empty());
    assert_eq!(stepped.status.holdings[0].value, 100_000.0);
}

#[test]
fn monitors_raise_and_clear_their_alarms() {
    let text = format!("{HOLD}[monitor]\ndeep = \"drawdown > 0.15\"\nrich = \"equity > 120000\"\n");
    let (db, _) = fresh("monitors", &text);
    step(&db, &closes(0, &[10.0, 10.0, 10.0]));
    let fallen = step(&db, &closes(0, &[10.0, 10.0, 10.0, 8.0]));
    let up = |stepped: &Stepped| {
        let up = stepped.status.monitors.iter().filter(|m| m.is_up);
        up.map(|m| m.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(up(&fallen), ["deep"]);
    let risen = step(&db, &closes(0, &[10.0, 10.0, 10.0, 8.0, 12.5]));
    assert_eq!(up(&risen), ["rich"]);
    // Opened long after its bars it is a replay, which waits for none.
    let late = Status::read(&db, NOW).unwrap().0;
    assert!(
        late.is_replay && late.alarms().len() == 1,
        "{:?}",
        late.alarms()
    );
    let last = account(&db).last();
    let db = db.with_file_name("live.db");
    let mut live = opening(&db.with_file_name("s.toml"));
    live.now = last;
    paper::open(&db, &live).unwrap();
    step(&db, &closes(0, &[10.0, 10.0, 10.0, 8.0, 12.5]));
    // Asked on the day after the last bar the data are fresh; a month later they are not.
    let fresh = Status::read(&db, last + DAY_MICROS).unwrap().0;
    assert_eq!(fresh.alarms().len(), 1, "{:?}", fresh.alarms());
    let stale = Status::read(&db, last + 30 * DAY_MICROS).unwrap().0;
    assert!(
        stale
            .alarms()
            .iter()
            .any(|a| a.starts_with("days_without_bar"))
    );
}

#[test]
fn mistakes_in_monitors_have_their_place() {
    for (text, says) in [
        ("x = \"drawdwn > 0.1\"", "drawdown"),
        ("x = \"outside_cone(95)\"", "between 0 and 1"),
        ("x = \"equity\"", "condition"),
    ] {
        let text = format!("{HOLD}[monitor]\n{text}\n");
        let error = Strategy::parse(&text, "s.toml", Path::new(""), &Overrides::default());
        let error = error.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.problems()[0].span.is_some(), "{error}");
    }
}

#[test]
fn the_cone_holds_the_share_of_paths_that_it_says() {
    let returns: Vec<f64> = (0..600)
        .map(|i| ((i * 7919 + 13) % 1009) as f64 / 1009.0 * 0.03 - 0.0145)
        .collect();
    let cone = paper::Cone::of(&returns, 42).unwrap();
    assert_eq!(cone, paper::Cone::of(&returns, 42).unwrap());
    for p in [0.5, 0.9, 0.95] {
        let inside = cone
            .reach
            .iter()
            .filter(|far| **far <= cone.width(p))
            .count();
        let share = inside as f64 / cone.reach.len() as f64;
        assert!((share - p).abs() < 0.001, "{p}: {share}");
    }
    // The band at the horizon is near the normal one of sums of independent returns.
    let n = returns.len() as f64;
    let logs: Vec<f64> = returns.iter().map(|r| r.ln_1p()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    assert!((cone.mean[251] - 252.0 * mean).abs() < 0.01);
    // Its own paths are outside as often as the share says, others always.
    assert!(cone.outside(&vec![0.02; 252], 0.95)[251]);
    assert!(
        !cone
            .outside(&vec![mean.exp_m1(); 252], 0.95)
            .contains(&true)
    );
    assert!(paper::Cone::of(&returns[..50], 42).is_err());
}

#[test]
fn an_account_like_its_backtest_leaves_the_cone_as_seldom_as_it_says() {
    // Sums of twelve uniform draws are as good as normal here.
    let mut state = 88_172_645_463_325_252_u64;
    let mut draw = move || {
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    };
    let mut path = |bars: usize| {
        let returns = (0..bars).map(|_| 0.0004 + 0.01 * draw());
        returns.collect::<Vec<f64>>()
    };
    let cone = paper::Cone::of(&path(4000), 42).unwrap();
    let stays = |p: f64, path: &[f64]| !cone.outside(path, p).contains(&true);
    let paths: Vec<Vec<f64>> = (0..500).map(|_| path(252)).collect();
    for p in [0.5, 0.8, 0.95] {
        let inside = paths.iter().filter(|path| stays(p, path)).count();
        let share = inside as f64 / paths.len() as f64;
        assert!((share - p).abs() < 0.07, "{p}: {share}");
    }
    // One whose edge is gone and whose days are twice as wild leaves it.
    let worse = path(252)
        .iter()
        .map(|r| 2.0 * (r - 0.0015))
        .collect::<Vec<_>>();
    assert!(!stays(0.95, &worse));
}

#[test]
fn an_account_after_its_backtest_has_warm_up_and_a_cone() {
    let dir = folder("cone");
    let file = root().join("strategies/rsi-30-70.toml");
    let mut begin = opening(&file);
    begin.overrides.start = Some("2010-01-04".parse().unwrap());
    let db = dir.join("a.db");
    let (opened, _) = paper::open(&db, &begin).unwrap();
    assert!(opened.cone.is_ok());
    assert!(opened.before.len() > 2000);
    assert!(opened.last() < midnight("2010-01-04".parse().unwrap()));
    let stepped = paper::step(&db, Source::Data(None), NOW).unwrap();
    let figures = stepped.status.figures.unwrap();
    assert!(figures.cone.is_some());
    // It is what `run --start` says.
    let flags = Overrides {
        start: begin.overrides.start,
        ..Overrides::default()
    };
    let strategy = Strategy::read(&file, &flags).unwrap();
    let market = engine::read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    let account = account(&db).run().unwrap().unwrap();
    assert_same_books(&run, &account, "started later");
}

#[test]
fn a_held_out_stretch_is_not_traded() {
    let dir = folder("holdout");
    let text = fs::read_to_string(root().join("strategies/rsi-30-70.toml")).unwrap();
    let text = text.replace("../data", root().join("data").to_str().unwrap());
    let file = dir.join("s.toml");
    fs::write(&file, format!("{text}\n[walk_forward]\nholdout = \"2y\"\n")).unwrap();
    let db = dir.join("a.db");
    open(&db, &file);
    let stepped = paper::step(&db, Source::Data(None), NOW).unwrap();
    assert!(
        stepped.notes.iter().any(|n| n.contains("held out")),
        "{:?}",
        stepped.notes
    );
    let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
    let market = engine::read_market(&strategy, false).unwrap();
    assert_eq!(account(&db).last(), *market.clock.last().unwrap());
    let mut inside = opening(&file);
    inside.overrides.start = Some("2012-06-01".parse().unwrap());
    let refused = paper::open(&dir.join("b.db"), &inside).unwrap_err();
    assert!(refused.to_string().contains("holdout"), "{refused}");
}

#[test]
fn feeds_of_lines_in_any_order_and_twice() {
    let (db, _) = fresh("feed", HOLD);
    let csv = b"symbol,date,open,high,low,close\nA,2001-01-03,11,11,11,11\nA,2001-01-02,10,10,10,10\nA,2001-01-03,11,11,11,11\n";
    let stepped = paper::step(&db, Source::Feed(csv), NOW).unwrap();
    assert_eq!(stepped.bars, 2);
    assert!(
        stepped.notes.iter().any(|n| n.contains("twice")),
        "{:?}",
        stepped.notes
    );
    let lines = b"{\"symbol\":\"A\",\"date\":\"2001-01-04\",\"open\":12,\"high\":12,\"low\":12,\"close\":12}\n{\"symbol\":\"A\",\"date\":\"2001-01-03\",\"open\":11,\"high\":11,\"low\":11,\"close\":99}\n";
    let bad = paper::step(&db, Source::Feed(b"{\"symbol\":\"A\"\n"), NOW).unwrap_err();
    assert_eq!(bad.problems()[0].line, Some(1));
    let stepped = paper::step(&db, Source::Feed(lines), NOW).unwrap();
    assert_eq!(stepped.bars, 1);
    assert_eq!(stepped.remarks[0].kind, RemarkKind::Restated);
    // A bar of today is not over.
    let today = midnight("2001-01-05".parse().unwrap());
    let csv = b"date,close\n2001-01-05,13\n";
    let stepped = paper::step(&db, Source::Feed(csv), today).unwrap();
    assert_eq!(stepped.bars, 0);
    let tomorrow = today + DAY_MICROS;
    assert_eq!(
        paper::step(&db, Source::Feed(csv), tomorrow).unwrap().bars,
        1
    );
    let odd = b"date,close\n2001-01-08,13\n2001-01-08,14\n";
    let two = paper::step(&db, Source::Feed(odd), NOW).unwrap_err();
    assert!(two.to_string().contains("differ"), "{two}");
}

#[test]
fn an_account_whose_books_were_touched_does_not_verify() {
    let (db, _) = fresh("touched", HOLD);
    step(&db, &closes(0, &[10.0, 10.0, 11.0]));
    assert!(paper::verify(&db).unwrap().holds());
    let bytes = fs::read(&db).unwrap();
    let place = bytes
        .windows(12)
        .position(|w| w == b"opening cash")
        .unwrap();
    let mut other = bytes.clone();
    other[place..place + 12].copy_from_slice(b"OPENING CASH");
    fs::write(&db, other).unwrap();
    let verdict = paper::verify(&db).unwrap();
    assert!(!verdict.holds());
    assert!(
        verdict.differences[0].starts_with("ledger"),
        "{:?}",
        verdict.differences
    );
    // The past is held against the books before anything is written.
    fs::write(&db, bytes).unwrap();
}

#[test]
fn a_rate_that_changes_the_past_is_refused_and_one_that_grows_is_not() {
    let dir = folder("rates");
    let rates = dir.join("rates.csv");
    fs::write(&rates, "date,rate\n2000-01-03,5\n").unwrap();
    let file = dir.join("s.toml");
    let text = HOLD.replace("close > 0", "close > 1000") + "[cash]\nyield = \"rates.csv\"\n";
    fs::write(&file, text).unwrap();
    let db = dir.join("a.db");
    open(&db, &file);
    step(&db, &closes(0, &[10.0, 10.0, 10.0]));
    fs::write(&rates, "date,rate\n2000-01-03,5\n2001-01-05,6\n").unwrap();
    assert_eq!(step(&db, &closes(0, &[10.0, 10.0, 10.0, 10.0])).bars, 1);
    fs::write(&rates, "date,rate\n2000-01-03,4\n2001-01-05,6\n").unwrap();
    let tape = closes(0, &[10.0, 10.0, 10.0, 10.0, 10.0]);
    let refused = paper::step(&db, Source::Market(&tape), NOW).unwrap_err();
    assert!(refused.to_string().contains("rates.csv"), "{refused}");
    assert_eq!(account(&db).bars(), 4);
}
