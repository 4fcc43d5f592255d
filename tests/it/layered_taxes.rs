//! One taxpayer with several layers, told as stories: a loss in one layer and its replacement in
//! another, losses that offset the gains of others, whose tax is whose, losses that are harvested; and
//! what must hold for any taxed strategy of layers.

use crate::layers::{adds_up, day, hold, market, near, read};
use papertape::engine::{Run, backtest, backtest_bare};
use papertape::market::{Action, ActionKind, Market};
use papertape::portfolio::EntryKind;
use papertape::strategy::Strategy;
use papertape::study::first_difference;
use proptest::prelude::*;
use proptest::strategy::Strategy as Generate;

/// Bars of the year 2001; its last is bar 260.
const YEAR: usize = 261;
const TWO: &str = "[account]\ncash = 1000\n\
                   [[layer]]\nname = \"core\"\nstrategy = \"core.toml\"\nweight = 3\n\
                   [[layer]]\nname = \"rest\"\nstrategy = \"rest.toml\"\n";
const RATES: &str =
    "[tax]\nshort_rate = 0.3\nlong_rate = 0.1\ndividend_rate = 0.2\ninterest_rate = 0.4\n";

/// Prices by the bar from which on each holds.
fn steps(bars: usize, at: &[(usize, f64)]) -> Vec<f64> {
    let price = |bar: usize| {
        at.iter()
            .rev()
            .find(|(from, _)| *from <= bar)
            .expect("a price")
            .1
    };
    (0..bars).map(price).collect()
}

/// A layer that is in a symbol between days of January 2001 or of `month`; decided at their closes.
fn between(symbol: &str, enter: &str, exit: &str) -> String {
    format!(
        "[data]\nsource = \"data\"\nsymbols = [\"{symbol}\"]\n[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n\
         [costs]\npreset = \"none\"\n"
    )
}

fn january(day: u32) -> String {
    format!("year == 2001 and month == 1 and day == {day}")
}

fn taxed(outer: &str, core: &str, rest: &str) -> Strategy {
    let outer = format!("{TWO}{RATES}{outer}");
    read(&outer, &[("core", core), ("rest", rest)]).unwrap_or_else(|e| panic!("{e}"))
}

/// Tax entries as bar, layer and money.
fn taxes(run: &Run) -> Vec<(usize, &str, f64)> {
    let entries = run.ledger.iter().enumerate();
    let taxes = entries.filter(|(_, entry)| entry.kind == EntryKind::Tax);
    let of = |(place, entry): (usize, &papertape::portfolio::Entry)| {
        (
            entry.bar,
            run.layers.name(&run.layers.ledger, place),
            entry.amount,
        )
    };
    taxes.map(of).collect()
}

#[test]
fn a_loss_of_one_layer_is_washed_by_what_another_buys_within_the_window() {
    // The core buys 75 shares at 10 and sells them at 8, six days later the rest buys at 8.
    let a = steps(YEAR + 20, &[(0, 10.0), (5, 8.0), (YEAR, 12.0)]);
    let market = market(&[("A", &a), ("B", &a)]);
    let core = between("A", &january(2), &january(8));
    let rest = |symbol: &str| {
        between(
            symbol,
            &january(15),
            "year == 2002 and month == 1 and day == 2",
        )
    };
    let run = backtest(&market, &taxed("", &core, &rest("A"))).unwrap();
    adds_up(&run);
    let tax = run.tax.as_ref().unwrap();
    let [loss, sale] = tax.realized.as_slice() else {
        panic!("two sales: {:?}", tax.realized)
    };
    // 250 buy 31.25 shares, which replace as many of the 75 that lost 2 each.
    assert_eq!((loss.layer, sale.layer), (0, 1));
    near(loss.gain, -150.0);
    near(loss.disallowed, 62.5);
    near(sale.basis, 250.0 + 62.5);
    near(sale.deferred, 62.5);
    assert_eq!(
        (sale.bought - sale.held_since).num_days(),
        (loss.sold - loss.bought).num_days()
    );
    // The year ends with a loss of 87.50, which the core made and which offsets the gain of the rest.
    near(tax.years[0].carry_short, 87.5);
    near(tax.years[1].sums.short, 31.25 * 12.0 - 312.5);
    near(tax.years[1].tax, 0.0);
    assert!(taxes(&run).is_empty());
    // Another security replaces nothing.
    let other = backtest(&market, &taxed("", &core, &rest("B"))).unwrap();
    near(other.tax.as_ref().unwrap().realized[0].disallowed, 0.0);
    // But one that is called identical does.
    let same = taxed("identical = [[\"A\", \"B\"]]\n", &core, &rest("B"));
    near(
        backtest(&market, &same).unwrap().tax.unwrap().realized[0].disallowed,
        62.5,
    );
}

#[test]
fn a_replacement_that_another_layer_held_before_the_loss_counts_and_after_the_window_none_does() {
    let a = steps(80, &[(0, 10.0), (8, 8.0)]);
    let market = market(&[("A", &a)]);
    let washed = |days: (u32, u32), keys: &str| {
        let rest = between(
            "A",
            &format!("month == {} and day == {}", days.0, days.1),
            "1 < 0",
        );
        let run = backtest(
            &market,
            &taxed(keys, &between("A", &january(2), &january(12)), &rest),
        );
        let run = run.unwrap();
        adds_up(&run);
        run.tax.unwrap().realized[0].disallowed
    };
    // Sold on Monday the 15th. Bought ten days before it at 10: 25 shares.
    near(washed((1, 4), ""), 25.0 * 2.0);
    // The window ends on 14 February; decided on the 13th is bought on the 14th, at 8.
    near(washed((2, 13), ""), 31.25 * 2.0);
    near(washed((2, 14), ""), 0.0);
    near(washed((2, 13), "wash_window_days = 29\n"), 0.0);
}

#[test]
fn a_split_comes_before_what_any_layer_buys_on_its_day() {
    // Two for one on the day on which the rest buys what the core sold at a loss.
    let a = steps(40, &[(0, 10.0), (5, 8.0), (11, 4.0)]);
    let market = market(&[("A", &a)]).with_actions(vec![Action {
        time: day(11),
        symbol: "A".into(),
        kind: ActionKind::Split,
        value: 2.0,
        pay: None,
        declared: None,
    }]);
    // Whichever layer comes first.
    for swapped in [false, true] {
        let (sells, buys) = (
            between("A", &january(2), &january(8)),
            between("A", &january(15), "1 < 0"),
        );
        let (core, rest) = if swapped {
            (buys, sells)
        } else {
            (sells, buys)
        };
        let run = backtest(&market, &taxed("", &core, &rest)).unwrap();
        adds_up(&run);
        let tax = run.tax.unwrap();
        // 75 (25) shares lost 2 each and are 150 (50) now; 62.5 (187.5) new ones replace them.
        let expected = if swapped { 50.0 } else { 62.5 };
        near(tax.realized[0].disallowed, expected);
        let basis: f64 = tax.open.iter().map(|(lot, _)| lot.basis).sum();
        near(basis, if swapped { 750.0 + 50.0 } else { 250.0 + 62.5 });
    }
}

#[test]
fn each_layer_pays_for_its_own_gains() {
    let a = steps(YEAR + 5, &[(0, 10.0), (5, 14.0)]);
    let pay = |b: f64, keys: &str| {
        let b = steps(YEAR + 5, &[(0, 10.0), (5, b)]);
        let market = market(&[("A", &a), ("B", &b)]);
        let layer = |symbol| between(symbol, &january(2), &january(8));
        let run = backtest(&market, &taxed(keys, &layer("A"), &layer("B"))).unwrap();
        adds_up(&run);
        let taxes = taxes(&run);
        let own = taxes.iter().map(|(bar, layer, money)| {
            assert_eq!(*bar, YEAR - 1);
            ((*layer).to_owned(), (money * 1e9).round() / 1e9)
        });
        own.collect::<Vec<_>>()
    };
    let named = |parts: &[(&str, f64)]| -> Vec<(String, f64)> {
        parts
            .iter()
            .map(|(name, money)| ((*name).to_owned(), *money))
            .collect()
    };
    // Gains of 300 and 50 at 30%.
    assert_eq!(pay(12.0, ""), named(&[("core", -90.0), ("rest", -15.0)]));
    // A loss of 50 lowers the tax of the layer that gained.
    assert_eq!(pay(8.0, ""), named(&[("core", -75.0)]));
    // Nothing is owed when both lose; what the deduction saves goes to those who lost.
    let a = steps(YEAR + 5, &[(0, 10.0), (5, 8.0)]);
    let market = market(&[("A", &a), ("B", &a)]);
    let layer = |symbol| between(symbol, &january(2), &january(8));
    let strategy = taxed("loss_cap_ordinary = 3000\n", &layer("A"), &layer("B"));
    let run = backtest(&market, &strategy).unwrap();
    adds_up(&run);
    let [(_, core, saved), (_, rest, as_well)] = taxes(&run)[..] else {
        panic!("two refunds")
    };
    assert_eq!((core, rest), ("core", "rest"));
    near(saved, 150.0 * 0.3);
    near(as_well, 50.0 * 0.3);
}

#[test]
fn tax_beyond_the_cash_of_a_layer_is_sold_for_in_that_layer() {
    // The core gains 300, buys again with all it has, and owes 90 at the end of the year.
    let a = steps(YEAR + 5, &[(0, 10.0), (5, 14.0)]);
    let market = market(&[("A", &a), ("B", &a)]);
    let enter = format!("({}) or ({})", january(2), january(15));
    let core = between("A", &enter, &january(8));
    let run = backtest(&market, &taxed("", &core, &between("B", "1 < 0", "1 < 0"))).unwrap();
    adds_up(&run);
    // Before: all in shares. Due: equity is net of it. After: sold at the next open and paid there.
    near(run.layers.runs[0].equity[YEAR - 2], 1050.0);
    near(run.layers.runs[0].equity[YEAR - 1], 960.0);
    let [(bar, layer, money)] = taxes(&run)[..] else {
        panic!("one payment")
    };
    assert_eq!((bar, layer), (YEAR, "core"));
    near(money, -90.0);
    near(run.layers.runs[0].equity[YEAR], 960.0);
    near(run.layers.runs[1].equity[YEAR], 250.0);
}

#[test]
fn a_loss_is_harvested_inside_its_layer_and_not_while_another_layer_bought_the_same() {
    let a = steps(40, &[(0, 100.0), (3, 90.0)]);
    let b = steps(40, &[(0, 50.0)]);
    let market = market(&[("A", &a), ("B", &b)]);
    let core = "[data]\nsource = \"data\"\nsymbols = [\"A\", \"B\"]\n[rules]\nenter = \"close >= 90 and day == 1 and month == 1\"\n\
                exit = \"1 < 0\"\n[costs]\npreset = \"none\"\n";
    let keys = "[tax.harvest]\nloss_over = 0.05\npairs = [[\"A\", \"B\"]]\n";
    let swaps = |rest: &str| {
        let strategy = taxed(keys, core, rest);
        let run = backtest(&market, &strategy).unwrap();
        adds_up(&run);
        assert_eq!(
            backtest_bare(&market, &strategy).unwrap().equity,
            run.equity
        );
        let harvested = run.orders.iter().zip(&run.layers.orders);
        let harvested = harvested.filter(|(o, _)| o.reason.name() == "harvest" && o.filled > 0.0);
        let orders: Vec<(usize, usize, usize)> = harvested
            .map(|(o, layer)| (*layer, o.symbol, o.fill_bar.unwrap()))
            .collect();
        let report = run.tax.unwrap();
        let washed: f64 = report.realized.iter().map(|r| r.disallowed).sum();
        (orders, report.harvest.unwrap().swaps, washed)
    };
    // Seen at the close of bar 3 and swapped at the open of bar 4, in the core alone.
    let never = between("B", "1 < 0", "1 < 0");
    assert_eq!(swaps(&never), (vec![(0, 0, 4), (0, 1, 4)], 1, 0.0));
    // The rest bought A on bar 2: the loss would be washed, so it waits until the window is over.
    let (orders, count, washed) = swaps(&between("A", &january(2), "1 < 0"));
    assert_eq!((count, washed), (1, 0.0), "{orders:?}");
    assert_eq!((orders[0].0, orders[0].1), (0, 0));
    assert!(orders[0].2 > 22, "{orders:?}");
}

#[test]
fn a_pair_that_no_layer_has_both_of_is_refused() {
    let market = market(&[("A", &[10.0; 5]), ("B", &[10.0; 5])]);
    let keys = "[tax.harvest]\nloss_over = 0.05\npairs = [[\"A\", \"B\"]]\n";
    let error = backtest(&market, &taxed(keys, &hold("A"), &hold("B"))).unwrap_err();
    assert!(
        error.to_string().contains("no layer trades both A and B"),
        "{error}"
    );
}

#[test]
fn one_taxed_layer_is_the_strategy_itself() {
    let prices: Vec<f64> = (0..600)
        .map(|i| 10.0 + libm::sin(f64::from(i) * 0.37) * 2.0)
        .collect();
    let other: Vec<f64> = prices.iter().rev().copied().collect();
    let market = market(&[("A", &prices), ("B", &other)]);
    let rules = "[data]\nsource = \"data\"\nsymbols = [\"A\", \"B\"]\n[rules]\nenter = \"rsi(3) < 40\"\nexit = \"rsi(3) > 70\"\n";
    let account = format!(
        "[cash]\nyield = 0.03\n{RATES}loss_cap_ordinary = 100\n[tax.harvest]\nloss_over = 0.01\npairs = [[\"A\", \"B\"]]\n"
    );
    let layer = "[[layer]]\nname = \"all\"\nstrategy = \"all.toml\"\n";
    let layered = read(&format!("{account}{layer}"), &[("all", rules)]).unwrap();
    let plain = read(&format!("{rules}{account}"), &[]).unwrap();
    let (layered, plain) = (
        backtest(&market, &layered).unwrap(),
        backtest(&market, &plain).unwrap(),
    );
    assert!(plain.tax.as_ref().unwrap().harvest.unwrap().swaps > 0);
    assert!(
        plain
            .ledger
            .iter()
            .any(|entry| entry.kind == EntryKind::Tax)
    );
    adds_up(&layered);
    assert_eq!(layered.equity, plain.equity);
    assert_eq!(layered.orders, plain.orders);
    assert_eq!(layered.ledger, plain.ledger);
    assert_eq!(layered.tax, plain.tax);
}

fn walk(bars: usize) -> impl Generate<Value = Vec<f64>> {
    (5.0..50.0f64, prop::collection::vec(-0.06..0.06f64, bars)).prop_map(|(start, steps)| {
        let mut price = start;
        let grown = steps.into_iter().map(|step| {
            price *= 1.0 + step;
            price
        });
        grown.collect()
    })
}

/// A market of three with dividends and a split.
fn paying(a: &[f64], b: &[f64], c: &[f64]) -> Market {
    let action = |symbol: &str, bar: usize, kind: ActionKind, value: f64| Action {
        time: day(bar),
        symbol: symbol.into(),
        kind,
        value,
        pay: None,
        declared: None,
    };
    let pays = |symbol: &str, bar: usize| action(symbol, bar, ActionKind::Dividend, 0.3);
    let actions = vec![
        pays("A", 5),
        pays("B", 31),
        action("B", 60, ActionKind::Split, 1.5),
        pays("C", 117),
        pays("A", 259),
    ];
    market(&[("A", a), ("B", b), ("C", c)]).with_actions(actions)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Under random rules, flows and feeds a taxed account in layers adds up at every bar, its lots are
    /// its positions, what fell due is what was paid and is owed, and nothing knows the future.
    #[test]
    fn a_taxed_account_in_layers_adds_up(
        a in walk(290), b in walk(290), c in walk(290),
        feeds in prop::sample::select(vec!["", "feeds = { dividends = \"rest\", gains = \"rest\" }\n"]),
        rebalance in prop::sample::select(vec!["", "rebalance = \"month\"\n"]),
        flow in prop::sample::select(vec![200.0, -150.0, -1500.0]),
        lots in prop::sample::select(vec!["fifo", "lifo", "hifo", "min_tax"]),
        pay in prop::sample::select(vec!["year_end", "april"]),
        reinvest in any::<bool>(), harvest in any::<bool>(), same in any::<bool>(), cut in 30..280usize,
    ) {
        let market = paying(&a, &b, &c);
        let feeds = if reinvest { "" } else { feeds };
        let dividends = if reinvest { "dividends = \"reinvest\"\n" } else { "" };
        let harvest = if harvest { "[tax.harvest]\nloss_over = 0.02\npairs = [[\"A\", \"B\"]]\n" } else { "" };
        let same = if same { "identical = [[\"B\", \"C\"]]\n" } else { "" };
        let outer = TWO
            .replace("cash = 1000\n", &format!("cash = 1000\n{dividends}"))
            .replace("weight = 3\n", &format!("weight = 3\n{feeds}{rebalance}"));
        let outer = format!(
            "{outer}{RATES}lots = \"{lots}\"\npay = \"{pay}\"\nlong_after_years = 0\nloss_cap_ordinary = 50\n{same}{harvest}\
             [[cashflow]]\namount = {flow}\nevery = \"month\"\n[cash]\nyield = 0.05\n"
        );
        let core = "[data]\nsource = \"data\"\nsymbols = [\"A\", \"B\"]\n[rules]\nenter = \"rsi(3) < 45\"\nexit = \"rsi(3) > 60\"\n[stops]\nstop = 0.04\n";
        let rest = "[data]\nsource = \"data\"\nsymbols = [\"B\", \"C\"]\n[weights]\nmethod = \"equal\"\nevery = \"week\"\n[costs]\ncommission = 0.001\n";
        let strategy = read(&outer, &[("core", core), ("rest", rest)]).unwrap();
        let run = backtest(&market, &strategy).unwrap();
        adds_up(&run);
        prop_assert_eq!(&backtest_bare(&market, &strategy).unwrap().equity, &run.equity);
        let report = run.tax.as_ref().unwrap();
        let value: f64 = report.open.iter().map(|(lot, price)| lot.shares * price).sum();
        let held = run.holdings.last().copied().unwrap();
        prop_assert!((value - held).abs() <= 1e-9 * held.max(1000.0), "{value} in lots, {held} held");
        let paid: f64 = taxes(&run).iter().map(|(.., money)| -money).sum();
        prop_assert!((paid + report.owed - report.due()).abs() < 1e-7);
        let disallowed: f64 = report.realized.iter().map(|r| r.disallowed).sum();
        let back: f64 = report.realized.iter().map(|r| r.deferred).sum();
        let waiting: f64 = report.open.iter().map(|(lot, _)| lot.deferred).sum();
        prop_assert!((disallowed - back - waiting).abs() < 1e-7);
        let part = backtest(&market.until(day(cut)), &strategy).unwrap();
        prop_assert_eq!(first_difference(&run, &part), None);
    }
}
