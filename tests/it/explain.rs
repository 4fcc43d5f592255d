//! `explain` against the run itself: the orders that it reports for a close are the run's, and the
//! position that it shows is the one that the trades say was held.

use papertape::engine::{backtest, explain, read_market};
use papertape::market::date_of;
use papertape::rules::Value;
use papertape::strategy::{Overrides, Strategy};
use std::path::{Path, PathBuf};

fn strategy(name: &str) -> Strategy {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("strategies")
        .join(name);
    Strategy::read(&path, &Overrides::default()).unwrap()
}

#[test]
fn orders_of_a_close_are_those_of_the_run() {
    for name in [
        "rsi-30-70.toml",
        "index-dip-buyer.toml",
        "trend-long-short.toml",
    ] {
        let strategy = strategy(name);
        let market = read_market(&strategy, false).unwrap();
        let run = backtest(&market, &strategy).unwrap();
        assert!(run.orders.len() > 10, "{name}");
        for order in run.orders.iter().step_by(7) {
            let time = run.time[order.decided - run.first_bar];
            let symbol = &run.symbols[order.symbol];
            let explained = explain(&market, &strategy, date_of(time), Some(symbol)).unwrap();
            let [one] = explained.as_slice() else {
                panic!("one symbol was asked for");
            };
            assert_eq!((&one.symbol, one.time), (symbol, time));
            let here = |o: &&papertape::execution::Order| {
                o.decided == order.decided && o.symbol == order.symbol
            };
            let of_run: Vec<_> = run.orders.iter().filter(here).cloned().collect();
            let told: Vec<_> = one.decided.iter().map(|d| d.order.clone()).collect();
            assert_eq!(told, of_run, "{name} {symbol} {}", date_of(time));
            assert_eq!(one.because.len(), told.len());
            // The equity after the decision's bar is that of the run, unless it filled right there.
            let equity = run.equity[order.decided - run.first_bar];
            assert!((one.equity - equity).abs() <= 1e-9 * equity);
        }
    }
}

#[test]
fn the_position_is_the_one_that_trades_tell_of() {
    let strategy = strategy("rsi-30-70.toml");
    let market = read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    for (bar, time) in run.time.iter().enumerate().step_by(211) {
        let clock = bar + run.first_bar;
        for one in explain(&market, &strategy, date_of(*time), None).unwrap() {
            let tape = market.index_of(&one.symbol).unwrap();
            let open = run.trades.iter().find(|t| {
                let closed = t.status == papertape::portfolio::TradeStatus::Closed;
                t.symbol == tape && t.entry_bar <= clock && (!closed || clock < t.exit_bar)
            });
            assert_eq!(
                one.position.is_some(),
                open.is_some(),
                "{} {}",
                one.symbol,
                date_of(*time)
            );
            if let (Some(position), Some(trade)) = (one.position, open) {
                assert_eq!(position.entry, run.time[trade.entry_bar - run.first_bar]);
                assert_eq!(position.held.bars_held as usize, clock - trade.entry_bar);
            }
            let orders = run
                .orders
                .iter()
                .filter(|o| o.symbol == tape && o.decided == clock);
            assert_eq!(one.decided.len(), orders.count());
            let enter = one.says("rules.enter").unwrap();
            if enter == Value::Condition(false) && open.is_none() {
                assert!(one.decided.is_empty());
            }
        }
    }
}

#[test]
fn cooldown_and_a_rule_against_are_named() {
    let text = "[data]\nsource = \"data/stocks\"\nsymbols = [\"IBM\"]\n[rules]\nenter = \"close > 0\"\nexit = \"bars_held >= 3\"\ncooldown_bars = 5\n";
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let strategy = Strategy::parse(text, "x.toml", &folder, &Overrides::default()).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    let exit = run.trades[0].exit_bar;
    let day = |bar: usize| date_of(run.time[bar - run.first_bar]);
    let because = |bar: usize| {
        explain(&market, &strategy, day(bar), None).unwrap()[0]
            .because
            .join("; ")
    };
    assert!(
        because(exit + 2).contains("nothing is entered on this close and the next 3"),
        "{}",
        because(exit + 2)
    );
    assert!(because(exit - 1).contains("sell"), "{}", because(exit - 1));
    let text = text
        .replace("bars_held >= 3", "close > 1")
        .replace("cooldown_bars = 5\n", "");
    let both = Strategy::parse(&text, "x.toml", Path::new(&folder), &Overrides::default()).unwrap();
    let said = explain(&market, &both, day(exit), None).unwrap()[0]
        .because
        .join("; ");
    assert!(
        said.contains("rules.enter is true, but rules.exit holds too"),
        "{said}"
    );
}

#[test]
fn every_shipped_strategy_trades() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("strategies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".toml") {
            continue;
        }
        let strategy = strategy(&name);
        let market = read_market(&strategy, false).unwrap();
        let run = backtest(&market, &strategy).unwrap();
        let (trades, orders) = (run.trades.len(), run.orders.len());
        assert!(trades >= 3 || orders >= 6, "{name}: {trades} trades");
        let end = run.equity.last().copied().unwrap();
        assert!(end.is_finite() && end > 0.0, "{name}");
        println!("{name}: {} trades, {end:.0}", run.trades.len());
    }
}
