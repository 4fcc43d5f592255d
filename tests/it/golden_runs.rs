//! Twenty-eight runs on GOOG, bar by bar and trade by trade, against an independent program whose
//! fills were checked against two other engines (`tests/golden/runs/README.md`).

use crate::tables::{Table, golden};
use papertape::engine::{Run, backtest, backtest_bare};
use papertape::market::{Bars, Market, date_of};
use papertape::portfolio::TradeStatus;
use papertape::strategy::{Overrides, Strategy};
use std::path::Path;

fn goog() -> Market {
    let table = Table::read(&golden("indicators/goog_d/ohlcv.csv"));
    let bars = Bars::new(
        table.times("date"),
        table.numbers("open"),
        table.numbers("high"),
        table.numbers("low"),
        table.numbers("close"),
        Some(table.numbers("volume")),
    )
    .expect("golden bars are sound");
    Market::from_tapes(vec![("GOOG".to_string(), bars)]).expect("one tape")
}

/// The strategy file of one row of `runs.csv`.
fn strategy(row: &dyn Fn(&str) -> String) -> Strategy {
    let params = row("params");
    let p = params.split(' ').collect::<Vec<_>>();
    let rules = match row("signal").as_str() {
        "rsi" => format!(
            "enter = \"rsi({}) < {}\"\nexit = \"rsi({}) > {}\"",
            p[0], p[1], p[0], p[2]
        ),
        _ => format!(
            "enter = \"crosses_above(sma({f}), sma({s}))\"\nexit = \"crosses_below(sma({f}), sma({s}))\"",
            f = p[0],
            s = p[1]
        ),
    };
    let mut stops = String::new();
    for (key, column) in [("stop", "sl"), ("target", "tp"), ("trail", "trail")] {
        if row(column) != "0.0" {
            stops += &format!("{key} = {}\n", row(column));
        }
    }
    let text = format!(
        "[data]\nsource = \"unused\"\n[rules]\n{rules}\n[size]\nmethod = \"fraction\"\nvalue = 1.0\nlot = {}\n\
         [stops]\n{stops}entry_bar = {}\n[fill]\nat = \"{}\"\nclose_at_end = {}\n[costs]\ncommission = {}\n\
         [account]\ncash = {}\n",
        i32::from(row("whole") == "True"),
        row("entry_bar_stops").to_lowercase(),
        row("fill"),
        row("close_at_end").to_lowercase(),
        row("fee"),
        row("cash"),
    );
    Strategy::parse(&text, &row("run"), Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{}: {e}", row("run")))
}

fn close(what: &str, ours: f64, theirs: f64) {
    assert!(
        (ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0),
        "{what}: ours {ours}, theirs {theirs}"
    );
}

fn check_equity(name: &str, run: &Run) {
    let table = Table::read(&golden(&format!("runs/{name}.equity.csv")));
    let (cash, equity) = (table.numbers("cash"), table.numbers("equity"));
    assert_eq!(run.equity.len(), equity.len(), "{name}");
    for (i, date) in table.texts("date").iter().enumerate() {
        assert_eq!(&date_of(run.time[i]).to_string(), date, "{name}");
        close(&format!("{name} {date} equity"), run.equity[i], equity[i]);
        close(&format!("{name} {date} cash"), run.cash[i], cash[i]);
    }
}

fn check_trades(name: &str, whole: bool, run: &Run) {
    let table = Table::read(&golden(&format!("runs/{name}.trades.csv")));
    let reasons = table.texts("reason");
    assert_eq!(run.trades.len(), reasons.len(), "{name}: number of trades");
    let column = |key: &str| table.numbers(key);
    for (i, trade) in run.trades.iter().enumerate() {
        let at = format!("{name} trade {i}");
        assert_eq!(
            trade.entry_bar as f64,
            column("entry_bar")[i],
            "{at} entry bar"
        );
        assert_eq!(
            trade.exit_bar as f64,
            column("exit_bar")[i],
            "{at} exit bar"
        );
        assert_eq!(
            f64::from(trade.bars_held),
            column("bars_held")[i],
            "{at} bars held"
        );
        close(
            &format!("{at} entry price"),
            trade.entry_price,
            column("entry_price")[i],
        );
        close(
            &format!("{at} exit price"),
            trade.exit_price,
            column("exit_price")[i],
        );
        close(
            &format!("{at} entry fee"),
            trade.entry_fee,
            column("entry_fee")[i],
        );
        close(
            &format!("{at} exit fee"),
            trade.exit_fee,
            column("exit_fee")[i],
        );
        close(&format!("{at} pnl"), trade.pnl, column("pnl")[i]);
        close(
            &format!("{at} pnl_pct"),
            trade.pnl_pct,
            column("pnl_pct")[i],
        );
        if whole {
            assert_eq!(trade.shares, column("shares")[i], "{at} shares");
        }
        close(&format!("{at} shares"), trade.shares, column("shares")[i]);
        let open = table.texts("status")[i] == "open";
        assert_eq!(trade.status == TradeStatus::Open, open, "{at} status");
        // The reference calls a target a "take".
        let theirs = reasons[i].replace("take", "target");
        if !open {
            assert_eq!(trade.reason.name(), theirs, "{at} reason");
        }
    }
}

#[test]
fn all_runs_equal_the_reference_to_the_cent() {
    let market = goog();
    let runs = Table::read(&golden("runs/runs.csv"));
    assert_eq!(runs.len(), 28);
    for i in 0..runs.len() {
        let row = |key: &str| runs.texts(key)[i].clone();
        let strategy = strategy(&row);
        let run = backtest(&market, &strategy).unwrap_or_else(|e| panic!("{}: {e}", row("run")));
        check_equity(&row("run"), &run);
        check_trades(&row("run"), row("whole") == "True", &run);
        assert!(
            run.books_error <= 1e-9 * run.start_equity,
            "{}: books",
            row("run")
        );
        let bare = backtest_bare(&market, &strategy).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            bare.equity,
            run.equity,
            "{}: bare and full differ",
            row("run")
        );
        assert_eq!(
            bare.trades,
            run.trades,
            "{}: bare and full differ",
            row("run")
        );
    }
}
