//! Layers: one account in parts. What one earns moves to another, each has its own returns, and the
//! whole adds up at every bar.

use papertape::Market;
use papertape::engine::{Run, backtest, backtest_bare};
use papertape::market::{Action, ActionKind, Bars};
use papertape::metrics::returns_of_layer;
use papertape::portfolio::EntryKind;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::first_difference;
use papertape::units::DAY_MICROS;
use proptest::prelude::*;
use proptest::strategy::Strategy as Generate;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Weekdays from Monday 2001-01-01 on.
pub(crate) fn day(i: usize) -> i64 {
    (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS
}

pub(crate) fn market(tapes: &[(&str, &[f64])]) -> Market {
    let tapes = tapes.iter().map(|(name, prices)| {
        let time = (0..prices.len()).map(day).collect();
        let column = || prices.to_vec();
        let volume = Some(vec![1e6; prices.len()]);
        let bars = Bars::new(time, column(), column(), column(), column(), volume).unwrap();
        ((*name).to_owned(), bars)
    });
    Market::from_tapes(tapes.collect()).unwrap()
}

/// A folder of its own for the files of layers.
fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("papertape-layers-{}-{number}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub(crate) fn read(outer: &str, layers: &[(&str, &str)]) -> Result<Strategy, papertape::Error> {
    let dir = folder();
    for (name, text) in layers {
        std::fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    }
    std::fs::write(dir.join("outer.toml"), outer).unwrap();
    let strategy = Strategy::read(&dir.join("outer.toml"), &Overrides::default());
    std::fs::remove_dir_all(&dir).unwrap();
    strategy
}

pub(crate) fn hold(symbol: &str) -> String {
    format!(
        "[data]\nsource = \"data\"\nsymbols = [\"{symbol}\"]\n[rules]\nenter = \"close > 0\"\n[costs]\npreset = \"none\"\n"
    )
}

const NEVER: &str =
    "[data]\nsource = \"data\"\nsymbols = [\"B\"]\n[rules]\nenter = \"close < 0\"\n";

const TWO: &str = "[account]\ncash = 1000\n[[layer]]\nname = \"core\"\nstrategy = \"core.toml\"\nweight = 3\nCORE\n\
                   [[layer]]\nname = \"rest\"\nstrategy = \"rest.toml\"\nREST\n";

pub(crate) fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

pub(crate) fn adds_up(run: &Run) {
    let size = run
        .equity
        .iter()
        .fold(run.start_equity, |a, b| a.max(b.abs()));
    assert!(run.books_error <= 1e-9 * size, "{}", run.books_error);
    for bar in 0..run.equity.len() {
        let sum: f64 = run.layers.runs.iter().map(|layer| layer.equity[bar]).sum();
        assert!((sum - run.equity[bar]).abs() <= 1e-9 * size);
        let moved: f64 = run
            .layers
            .runs
            .iter()
            .map(|layer| layer.transfers[bar])
            .sum();
        assert!(moved.abs() <= 1e-9 * size, "{moved}");
        let flows: f64 = run.layers.runs.iter().map(|layer| layer.flows[bar]).sum();
        assert!((flows - run.flows[bar]).abs() <= 1e-9 * size);
        assert!(run.cash[bar] >= -1e-9 * size);
    }
    let income: f64 = run.income.iter().map(|row| row.amount).sum();
    let change = run.equity.last().unwrap() - run.start_equity;
    assert!((income - change).abs() <= 1e-9 * size);
    for (of, layer) in run.layers.runs.iter().enumerate() {
        let rows = run.income.iter().zip(&run.layers.income);
        let own: f64 = rows
            .filter(|(_, l)| **l == of)
            .map(|(row, _)| row.amount)
            .sum();
        let change = layer.equity.last().unwrap() - layer.start_equity;
        assert!((own - change).abs() <= 1e-9 * size, "{own} {change}");
    }
    assert_eq!(run.layers.ledger.len(), run.ledger.len());
    assert_eq!(run.layers.orders.len(), run.orders.len());
}

#[test]
fn dividends_of_one_layer_move_to_another_on_the_next_bar() {
    let market = market(&[("A", &[10.0; 6]), ("B", &[10.0; 6])]);
    let market = market.with_actions(vec![Action {
        time: day(2),
        symbol: "A".into(),
        kind: ActionKind::Dividend,
        value: 0.4,
        pay: None,
        declared: None,
    }]);
    let text = TWO
        .replace("CORE", "feeds = { dividends = \"rest\" }")
        .replace("REST", "");
    let strategy = read(&text, &[("core", &hold("A")), ("rest", NEVER)]).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    adds_up(&run);
    // Before: 75 shares in the core and 250 in cash. The dividend of 30 comes on bar 2.
    let [core, rest] = run.layers.runs.as_slice() else {
        panic!("two layers")
    };
    assert_eq!((core.start_equity, rest.start_equity), (750.0, 250.0));
    near(core.equity[2], 780.0);
    // The transfer: before the open of bar 3, on both sides.
    assert_eq!(core.transfers, [0.0, 0.0, 0.0, -30.0, 0.0, 0.0]);
    assert_eq!(rest.transfers, [0.0, 0.0, 0.0, 30.0, 0.0, 0.0]);
    // After: the core earned 4%, the rest nothing.
    near(rest.equity[5], 280.0);
    near(returns_of_layer(core)[2], 30.0 / 750.0);
    assert!(returns_of_layer(rest).iter().all(|r| *r == 0.0));
    let moves: Vec<f64> = run
        .ledger
        .iter()
        .filter(|entry| entry.kind == EntryKind::Transfer)
        .map(|entry| entry.amount)
        .collect();
    assert_eq!(moves, [-30.0, 30.0]);
    assert_eq!(
        backtest_bare(&market, &strategy).unwrap().equity,
        run.equity
    );
}

#[test]
fn rebalancing_sells_what_is_too_much_and_moves_it() {
    let mut rising = vec![10.0; 3];
    rising.extend([20.0; 7]);
    let market = market(&[("A", &rising), ("B", &[10.0; 10])]);
    let text = TWO
        .replace("CORE", "rebalance = \"week\"")
        .replace("REST", "");
    let strategy = read(&text, &[("core", &hold("A")), ("rest", NEVER)]).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    adds_up(&run);
    let (core, rest) = (&run.layers.runs[0], &run.layers.runs[1]);
    // 1,500 and 250 at the end of the week; 187.50 is sold on Monday and moves on Tuesday.
    near(core.equity[4], 1500.0);
    near(core.transfers[6], -187.5);
    near(rest.equity[6], 437.5);
    near(core.equity[6] / run.equity[6], 0.75);
}

#[test]
fn one_layer_is_the_strategy_itself() {
    let prices: Vec<f64> = (0..60)
        .map(|i| 10.0 + libm::sin(f64::from(i) * 0.7) * 2.0)
        .collect();
    let market = market(&[("A", &prices)]);
    let rules = "[data]\nsource = \"data\"\nsymbols = [\"A\"]\n[rules]\nenter = \"rsi(3) < 40\"\nexit = \"rsi(3) > 60\"\n[stops]\nstop = 0.05\n";
    let outer = "[cash]\nyield = 0.03\n[[cashflow]]\namount = 700\nevery = \"week\"\n";
    let layer = "[[layer]]\nname = \"all\"\nstrategy = \"all.toml\"\n";
    let layered = read(&format!("{outer}{layer}"), &[("all", rules)]).unwrap();
    let plain = read(&format!("{rules}{outer}"), &[]).unwrap();
    let (layered, plain) = (
        backtest(&market, &layered).unwrap(),
        backtest(&market, &plain).unwrap(),
    );
    adds_up(&layered);
    assert_eq!(layered.equity, plain.equity);
    assert_eq!(layered.orders, plain.orders);
    assert_eq!(layered.ledger, plain.ledger);
}

#[test]
fn the_shipped_plan_adds_up() {
    let file =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies/layered/plan.toml");
    let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
    let market = papertape::engine::read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    adds_up(&run);
    let fed: f64 = run.layers.runs[1].transfers.iter().sum();
    assert!(fed > 1000.0, "{fed}");
}

#[test]
fn mistakes_of_layers_name_the_cure() {
    let core = hold("A");
    let mistake = |outer: &str, rest: &str, words: &str| {
        let outer = TWO.replace("CORE", "").replace("REST", "") + outer;
        let error = read(&outer, &[("core", &core), ("rest", rest)]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    mistake(
        "feeds = { dividends = \"cores\" }",
        NEVER,
        "no layer is called `cores` (did you mean `core`?)",
    );
    mistake(
        "feeds = { dividends = \"rest\" }",
        NEVER,
        "cannot feed itself",
    );
    mistake(
        "feeds = { rent = \"core\" }",
        NEVER,
        "there is no stream `rent`",
    );
    mistake("[rules]\nenter = \"1 > 0\"", NEVER, "both say what to hold");
    mistake(
        "[[layer]]\nname = \"core\"\nstrategy = \"core.toml\"",
        NEVER,
        "two layers have this name",
    );
    mistake("[[layer]]\nweight = 2", NEVER, "this [[layer]] has no name");
    mistake(
        "[[cashflow]]\namount = 1\nevery = \"day\"\ninto = \"rst\"",
        NEVER,
        "no layer is called `rst`",
    );
    let other = NEVER.replace("\"data\"", "\"elsewhere\"");
    mistake("", &other, "read different [data]");
    mistake("", "[rules]\nentr = \"1 > 0\"", "no key `entr`");
    let nested = "[[layer]]\nname = \"x\"\nstrategy = \"core.toml\"\n";
    mistake("", nested, "it has layers of its own");
}

fn walk() -> impl Generate<Value = Vec<f64>> {
    (5.0..50.0f64, prop::collection::vec(-0.06..0.06f64, 45)).prop_map(|(start, steps)| {
        let mut price = start;
        let grown = steps.into_iter().map(|step| {
            price *= 1.0 + step;
            price
        });
        grown.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_whole_adds_up_at_every_bar(
        a in walk(), b in walk(), c in walk(), feeds in 0..4usize, rebalance in 0..3usize,
        flow in prop::sample::select(vec![200.0, -150.0, -2000.0]), into in any::<bool>(), cut in 10..40usize,
    ) {
        let pays = |symbol: &str, bar: usize| Action {
            time: day(bar),
            symbol: symbol.into(),
            kind: ActionKind::Dividend,
            value: 0.3,
            pay: Some(day(bar + 2)),
            declared: None,
        };
        let actions = vec![pays("A", 5), pays("B", 11), pays("C", 17), pays("A", 29)];
        let market = market(&[("A", &a), ("B", &b), ("C", &c)]).with_actions(actions);
        let feeds = ["", "feeds = { dividends = \"rest\", interest = \"rest\" }", "feeds = { gains = \"rest\" }",
            "feeds = { dividends = \"rest\", gains = \"rest\", interest = \"rest\" }"][feeds];
        let rebalance = ["", "rebalance = \"week\"", "rebalance = \"month\""][rebalance];
        let into = if into { "into = \"core\"\n" } else { "" };
        let text = format!("{}[[cashflow]]\namount = {flow}\nevery = \"week\"\n{into}[cash]\nyield = 0.05\n",
            TWO.replace("CORE", feeds).replace("REST", rebalance));
        let rules = "[data]\nsource = \"data\"\nsymbols = [\"A\", \"B\"]\n[rules]\nenter = \"rsi(3) < 45\"\nexit = \"rsi(3) > 55\"\n[stops]\nstop = 0.04\n";
        let rest = "[data]\nsource = \"data\"\nsymbols = [\"B\", \"C\"]\n[rules]\nenter = \"rising(close, 1)\"\nexit = \"falling(close, 2)\"\n[costs]\ncommission = 0.001\n";
        let strategy = read(&text, &[("core", rules), ("rest", rest)]).unwrap();
        let run = backtest(&market, &strategy).unwrap();
        adds_up(&run);
        prop_assert_eq!(&backtest_bare(&market, &strategy).unwrap().equity, &run.equity);
        let known = market.until(day(cut));
        let part = backtest(&known, &strategy).unwrap();
        prop_assert_eq!(first_difference(&run, &part), None);
    }
}
