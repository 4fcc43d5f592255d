//! A walk whose windows choose what they trade: the symbol that did best on the past is held on the future,
//! by one account that sells the one and buys the other.

// A test may fail by unwrapping.
#![allow(clippy::unwrap_used)]

use papertape::engine::Run;
use papertape::execution::{Outcome, Side};
use papertape::market::{Bars, Calendar, Market};
use papertape::strategy::{Overrides, Strategy, Stretch};
use papertape::study::sweep::{Choice, Field, Watch};
use papertape::study::walk_forward::{
    Candidates, Objective, Walk, WalkOptions, Windows, walk_forward, whole,
};
use papertape::units::{DAY_MICROS, Micros};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// Closes on consecutive days from the `from`th on.
fn tape(from: usize, closes: &[f64]) -> Bars {
    let time: Vec<Micros> = (from..from + closes.len())
        .map(|i| (12_000 + i as i64) * DAY_MICROS)
        .collect();
    Bars::of_closes(time, closes.to_vec()).unwrap()
}

/// A price that grows by one rate on its first `turn` bars and by another after them.
fn prices(bars: usize, turn: usize, rates: [f64; 2]) -> Vec<f64> {
    let mut price = 100.0;
    let step = |i: usize| {
        price *= 1.0 + rates[usize::from(i >= turn)];
        price
    };
    (0..bars).map(step).collect()
}

fn market(tapes: Vec<(&str, Bars)>) -> Market {
    let tapes = tapes
        .into_iter()
        .map(|(name, bars)| (name.to_owned(), bars));
    let mut market = Market::from_tapes(tapes.collect()).unwrap();
    market.calendar = Calendar::AllDays;
    market
}

fn strategy(more: &str) -> Strategy {
    strategy_of("", more)
}

fn strategy_of(data: &str, more: &str) -> Strategy {
    let text = format!(
        "[data]\nsource = \"unused\"\n{data}\n[rules]\nenter = \"close > 0\"\n[costs]\ncommission = 0.001\n{more}"
    );
    Strategy::parse(&text, "story.toml", Path::new("."), &Overrides::default()).unwrap()
}

fn walk(market: &Market, strategy: &Strategy, symbols: &str) -> (Walk, Run) {
    walk_over(market, strategy, ("data.symbols", symbols))
}

fn walk_over(market: &Market, strategy: &Strategy, (key, values): (&str, &str)) -> (Walk, Run) {
    let mut strategy = strategy.clone();
    strategy.vary(key, values).unwrap();
    let field = Field::new(strategy, Overrides::default(), Some(1), false).unwrap();
    let choice = Choice::of(&field.space, field.strategy.sweep.method, None, 1).unwrap();
    let candidates = Candidates::new(&field, market, &choice).unwrap();
    let options = WalkOptions {
        windows: Windows {
            train: Stretch::Bars(40),
            test: Stretch::Bars(20),
            step: Stretch::Bars(20),
            anchored: false,
            purge_bars: 0,
        },
        objective: Objective {
            key: "total_return".to_owned(),
        },
        crossing: None,
        threads: Some(1),
        watch: Watch {
            cancel: &AtomicBool::new(false),
            progress: &|_| {},
        },
        kept: &[],
        keep: &|_| Ok(()),
        folds_max: None,
    };
    let (walk, outcome) = walk_forward(&candidates, &options).unwrap();
    (walk, outcome.run)
}

fn chosen(walk: &Walk) -> Vec<&str> {
    let of = &walk.stability[0];
    of.chosen
        .iter()
        .map(|at| of.varied.values[*at].as_str())
        .collect()
}

#[test]
fn the_better_symbol_of_the_past_is_held_on_the_future() {
    // A is the better one on bars 0 to 79, B from then on: the window of bars 60 to 99 is the first that says so.
    let a = prices(120, 80, [0.01, -0.005]);
    let b = prices(120, 80, [0.001, 0.02]);
    let market = market(vec![("A", tape(0, &a)), ("B", tape(0, &b))]);
    let (walk, run) = walk(&market, &strategy(""), "A,B");
    assert_eq!(chosen(&walk), ["A", "A", "A", "B"]);

    // Decided on the first close of a fold and filled on the next bar: A bought on 41, sold on 101 as B is bought.
    let filled = run.orders.iter().filter(|o| o.outcome == Outcome::Filled);
    let fills: Vec<_> = filled
        .map(|o| (o.symbol, o.side, o.decided, o.fill_bar.unwrap()))
        .collect();
    assert_eq!(
        fills,
        [
            (0, Side::Buy, 40, 41),
            (0, Side::Sell, 100, 101),
            (1, Side::Buy, 100, 101)
        ]
    );
    // All the cash each time, a commission at every fill.
    let shares = 100_000.0 / (a[41] * 1.001);
    let cash = shares * a[101] * 0.999;
    let end = cash / (b[101] * 1.001) * b[119];
    assert!(
        (run.equity.last().unwrap() - end).abs() < 1e-6 * end,
        "{end}"
    );
    // Never both.
    assert!(run.exposure.iter().all(|e| *e <= 1.0 + 1e-9));
    // The benchmark is what was there to choose from, not what was chosen.
    assert_eq!(walk.trials, 2);
}

#[test]
fn one_symbol_to_choose_from_is_the_walk_on_that_symbol() {
    let b = prices(120, 50, [0.002, -0.003]);
    let market = market(vec![
        ("A", tape(0, &prices(120, 50, [0.0, 0.01]))),
        ("B", tape(0, &b)),
    ]);
    let sizes = "[size]\nmethod = \"fraction\"\nvalue = 0.5\n";
    let (_, chosen) = walk(&market, &strategy(sizes), "B");
    let alone = strategy_of("symbols = [\"B\"]", sizes);
    let (_, plain) = walk_over(&market, &alone, ("size.value", "0.5"));
    assert_eq!(chosen.equity, plain.equity);
    assert_eq!(chosen.orders, plain.orders);
}

#[test]
fn a_symbol_that_does_not_trade_yet_is_not_chosen() {
    // B begins on bar 70, so that the windows of bars 0 to 39 and 20 to 59 know A alone.
    let a = prices(140, 200, [0.001, 0.0]);
    let b = prices(70, 200, [0.01, 0.0]);
    let market = market(vec![("A", tape(0, &a)), ("B", tape(70, &b))]);
    let (walk, run) = walk(&market, &strategy(""), "A,B");
    assert_eq!(chosen(&walk), ["A", "A", "B", "B", "B"]);
    assert_eq!(run.equity.len(), 100);
    let of_hindsight = walk.hindsight.unwrap();
    assert_eq!(
        of_hindsight.equity.len(),
        100,
        "on the days of the stitched account"
    );
}

#[test]
fn an_account_each_is_refused() {
    let market = market(vec![("A", tape(0, &prices(120, 50, [0.0, 0.01])))]);
    let mut each = strategy("[account]\neach = true\n");
    each.vary("data.symbols", "A").unwrap();
    let field = Field::new(each, Overrides::default(), Some(1), false).unwrap();
    assert_eq!(whole(&field).unwrap().data.symbols, ["A"]);
    let choice = Choice::of(&field.space, field.strategy.sweep.method, None, 1).unwrap();
    let error = Candidates::new(&field, &market, &choice)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("account of its own"), "{error}");
}

fn stdout(dir: &Path, args: &[&str]) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn the_verb_walks_over_symbols_and_counts_them_as_a_sweep_does() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = &Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk-symbols");
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).unwrap();
    let file = format!(
        "[data]\nsource = {:?}\nstart = 2001-01-02\n[params]\nfast = 20\n\
         [rules]\nenter = \"sma(fast) > sma(100)\"\nexit = \"sma(fast) < sma(100)\"\n\
         [costs]\ncommission = 0.001\n[walk_forward]\ntrain = \"3y\"\ntest = \"1y\"\n",
        root.join("data/stocks").display().to_string()
    );
    std::fs::write(dir.join("x.toml"), file).unwrap();
    let vary = [
        "--vary",
        "data.symbols=AAPL,IBM,MSFT",
        "--vary",
        "fast=10,20",
    ];
    let json = |verb: &str| -> serde_json::Value {
        let args = [&[verb, "x.toml"], &vary[..], &["--format", "json"]].concat();
        serde_json::from_str(&stdout(dir, &args)).unwrap()
    };
    let walked = json("walk-forward");
    let walk = &walked["walk_forward"];
    assert_eq!(walk["trials"], 6);
    let names: Vec<&str> = walk["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| fold["params"]["data.symbols"].as_str().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| ["AAPL", "IBM", "MSFT"].contains(name)),
        "{names:?}"
    );
    let folder = "reports/x-walk-forward";
    assert!(stdout(dir, &["verify", folder]).contains("hold"));
    assert!(stdout(dir, &["rerun", folder]).contains("byte for byte"));
    // One ledger a symbol, each with what a sweep would count on it, and nothing new for the sweep.
    assert_eq!(walk["trials_all"], 6);
    let swept = json("sweep");
    assert_eq!(swept["trials_all"], 6);
}
