//! Money from outside, told as stories: on which day it comes, what a withdrawal sells, what a deposit
//! buys, and what the returns make of it.

use chrono::NaiveDate;
use papertape::Market;
use papertape::engine::{Run, backtest, backtest_bare, simulate};
use papertape::execution::Reason;
use papertape::market::{Bars, Calendar, midnight};
use papertape::metrics::{bare_of_run, of_run, returns_of_run};
use papertape::portfolio::{EntryKind, Stream};
use papertape::strategy::{Overrides, Strategy};
use std::path::Path;

/// Weekdays from Monday 2024-01-08 on, without the 15th, a holiday.
fn days(n: usize) -> Vec<NaiveDate> {
    let first: NaiveDate = "2024-01-08".parse().unwrap();
    let open = first
        .iter_days()
        .filter(|day| Calendar::Nyse.is_session(*day));
    open.take(n).collect()
}

fn bars(prices: &[f64], wishes: &[(&str, &[usize])]) -> Bars {
    let time = days(prices.len()).into_iter().map(midnight).collect();
    let column = || prices.to_vec();
    let volume = Some(vec![1e6; prices.len()]);
    let mut bars = Bars::new(time, column(), column(), column(), column(), volume).unwrap();
    for (name, at) in wishes {
        let flags = (0..prices.len()).map(|i| f64::from(at.contains(&i)));
        bars = bars.with_extra(name, flags.collect()).unwrap();
    }
    bars
}

fn market(tapes: &[(&str, &[f64], &[usize])]) -> Market {
    let tapes = tapes.iter().map(|(name, prices, buys)| {
        let none: &[usize] = &[];
        let tape = bars(prices, &[("buy", buys), ("sell", none)]);
        ((*name).to_owned(), tape)
    });
    let mut market = Market::from_tapes(tapes.collect()).unwrap();
    market.calendar = Calendar::Nyse;
    market
}

const RULES: &str =
    "[data]\nsource = \"unused\"\n[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n";
const FREE: &str = "[costs]\npreset = \"none\"\n";

fn strategy(text: &str) -> Strategy {
    let text = format!("{RULES}{text}");
    Strategy::parse(&text, "saver", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(market: &Market, text: &str) -> Run {
    let strategy = strategy(text);
    let run = backtest(market, &strategy).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let bare = backtest_bare(market, &strategy).unwrap();
    assert_eq!(bare.equity, run.equity);
    assert_eq!(bare.orders, run.orders);
    if run.flows.iter().any(|f| *f != 0.0) {
        assert_eq!(bare.flows, run.flows);
    }
    assert!(run.books_error < 1e-9 * run.equity[0].max(1.0));
    run
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

fn booked(run: &Run, kind: EntryKind) -> Vec<(usize, f64, &str)> {
    let of_kind = run.ledger.iter().filter(|entry| entry.kind == kind);
    of_kind
        .map(|entry| (entry.bar, entry.amount, entry.note.as_str()))
        .collect()
}

#[test]
fn a_flow_on_a_day_without_a_bar_moves_to_the_next_bar() {
    let market = market(&[("A", &[10.0; 10], &[])]);
    // Saturday the 13th; the market opens again on Tuesday the 16th, bar 5.
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = 500\nstart = 2024-01-13\nstream = \"gift\"\n";
    let run = run(&market, &format!("{text}{FREE}"));
    let mut flows = [0.0; 10];
    flows[5] = 500.0;
    assert_eq!(run.flows, flows);
    assert_eq!(booked(&run, EntryKind::Deposit)[1], (5, 500.0, "gift"));
    assert_eq!((run.equity[4], run.equity[5]), (1000.0, 1500.0));
    let flow = run.income.iter().find(|row| row.stream == Stream::Flows);
    assert_eq!(flow.unwrap().amount, 500.0);
    // Nothing was earned: the deposit is no return.
    assert!(returns_of_run(&run).iter().all(|r| *r == 0.0));
}

#[test]
fn the_days_of_a_schedule() {
    let market = market(&[("A", &[10.0; 300], &[])]);
    let due = |keys: &str| -> Vec<String> {
        let text = format!("[[cashflow]]\namount = 10\n{keys}\n{FREE}");
        let run = run(&market, &text);
        let at = run.flows.iter().enumerate().filter(|(_, f)| **f != 0.0);
        at.map(|(bar, _)| days(300)[bar].to_string()).collect()
    };
    // The first session of January was before the first bar.
    let monthly = due("every = \"month\"");
    assert_eq!(monthly[..3], ["2024-02-01", "2024-03-01", "2024-04-01"]);
    let last = due("every = \"month\"\nday = \"last\"");
    // Good Friday was the 29th of March.
    assert_eq!(last[..3], ["2024-01-31", "2024-02-29", "2024-03-28"]);
    // The 15th is a holiday in January and a Saturday in June; February has no 31st.
    let middle = due("every = \"month\"\nday = 15");
    assert_eq!(
        (middle[0].as_str(), middle[5].as_str()),
        ("2024-01-16", "2024-06-17")
    );
    let end = due("every = \"month\"\nday = 31");
    assert_eq!(end[..2], ["2024-01-31", "2024-02-29"]);
    let weekly = due("every = \"week\"\nday = 1");
    assert_eq!(weekly[..3], ["2024-01-08", "2024-01-16", "2024-01-22"]);
    let quarterly = due("every = \"quarter\"\nstart = 2024-04-01\nend = 2024-10-01");
    assert_eq!(quarterly, ["2024-04-01", "2024-07-01", "2024-10-01"]);
    assert_eq!(due("every = \"year\"\nday = \"last\""), ["2024-12-31"]);
    assert_eq!(due("every = \"day\"").len(), 300);
    assert_eq!(due("start = 2023-06-01"), [""; 0]);
}

#[test]
fn an_amount_grows_from_year_to_year() {
    let market = market(&[("A", &[10.0; 800], &[])]);
    let text = "[[cashflow]]\namount = 100\nevery = \"year\"\nday = 40\ngrow = 0.1\n";
    let run = run(&market, &format!("{text}{FREE}"));
    let paid: Vec<f64> = run.flows.iter().copied().filter(|f| *f != 0.0).collect();
    assert_eq!(paid.len(), 4);
    near(paid[0], 100.0);
    near(paid[1], 110.0);
    near(paid[3], 133.1);
}

#[test]
fn a_withdrawal_above_cash_sells_at_the_open_and_is_paid_when_the_money_is_there() {
    // Before: 1,000 became 100 shares at 10.
    let market = market(&[("A", &[10.0, 10.0, 10.0, 12.0, 12.0, 15.0], &[0])]);
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = -300\nstart = 2024-01-11\nstream = \"rent\"\n";
    let run = run(&market, &format!("{text}{FREE}"));
    // The flow: 25 shares are sold at the open of the day it is due on, the 11th, at 12.
    let sale = &run.orders[1];
    assert_eq!((sale.decided, sale.fill_bar), (3, Some(3)));
    assert_eq!(sale.reason, Reason::RaiseCash);
    near(sale.filled, 25.0);
    near(run.cash[3], 300.0);
    // After: it is paid before the next open, so that the return of the 11th is that of the price.
    assert_eq!(booked(&run, EntryKind::Withdrawal), [(4, -300.0, "rent")]);
    assert_eq!(run.flows, [0.0, 0.0, 0.0, 0.0, -300.0, 0.0]);
    near(run.cash[4], 0.0);
    near(run.equity[5], 75.0 * 15.0);
    let returns = returns_of_run(&run);
    near(returns[3], 0.2);
    near(returns[4], 0.0);
    near(returns[5], 0.25);
}

#[test]
fn what_is_sold_pays_the_costs_too() {
    let prices = [10.0; 6];
    let market = market(&[("A", &prices, &[0])]);
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = -300\nstart = 2024-01-11\n";
    let costs = "[costs]\ncommission = 0.01\nper_share = 0.02\nper_order = 1\nslippage_bps = 50\n";
    let run1 = run(&market, &format!("{text}{costs}"));
    near(run1.cash[3] - run1.cash[2], 300.0 - run1.cash[2]);
    near(run1.cash[4], 0.0);
    // Whole shares raise a little more than is needed.
    let whole = run(&market, &format!("{text}{costs}[size]\nlot = 1\n"));
    assert_eq!(whole.orders[1].filled.fract(), 0.0);
    assert!(whole.cash[3] >= 300.0 && whole.cash[3] < 300.0 + 10.0);
}

#[test]
fn every_holding_or_the_largest_pays() {
    let rising = [10.0, 10.0, 20.0, 20.0, 20.0, 20.0];
    let market = market(&[("A", &rising, &[0]), ("B", &[10.0; 6], &[0])]);
    let text = "[account]\ncash = 1000\nraise_cash = \"RAISE\"\n[[cashflow]]\namount = -300\nstart = 2024-01-11\n";
    let sold = |raise: &str| -> Vec<(usize, f64)> {
        let run = run(&market, &format!("{}{FREE}", text.replace("RAISE", raise)));
        let sales = run.orders.iter().filter(|o| o.reason == Reason::RaiseCash);
        sales.map(|o| (o.symbol, o.filled)).collect()
    };
    // Worth 1,000 and 500.
    let both = sold("pro_rata");
    assert_eq!((both[0].0, both[1].0), (0, 1));
    near(both[0].1 * 20.0, 200.0);
    near(both[1].1 * 10.0, 100.0);
    assert_eq!(sold("largest"), [(0, 15.0)]);
    assert_eq!(sold("refuse"), []);
    let refused = run(
        &market,
        &format!("{}{FREE}", text.replace("RAISE", "refuse")),
    );
    assert_eq!(refused.flows, [0.0; 6]);
    assert_eq!(
        (refused.unpaid[0].bar, refused.unpaid[0].amount),
        (3, 300.0)
    );
}

#[test]
fn an_empty_account_pays_what_it_has() {
    let market = market(&[("A", &[10.0; 8], &[0])]);
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = -400\nevery = \"day\"\nstart = 2024-01-10\n";
    let run = run(&market, &format!("{text}{FREE}"));
    let paid: f64 = run.flows.iter().sum();
    near(paid, -1000.0);
    let missing: f64 = run.unpaid.iter().map(|one| one.amount).sum();
    near(missing, 6.0 * 400.0 - 1000.0);
    near(run.equity[7], 0.0);
    assert!(run.cash.iter().all(|cash| *cash >= 0.0));
    let metrics = of_run(&run, None, 1);
    assert!(
        metrics
            .reason("cagr")
            .is_some_and(|why| why.contains("not positive"))
    );
}

#[test]
fn a_deposit_is_spent_as_it_is_asked() {
    let rising = [10.0, 10.0, 20.0, 20.0, 20.0, 20.0];
    let market = market(&[("A", &rising, &[0]), ("B", &[10.0; 6], &[0])]);
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = 300\nstart = 2024-01-11\ninvest = \"HOW\"\n";
    let bought = |how: &str| -> Vec<(usize, usize, f64)> {
        let run = run(&market, &format!("{}{FREE}", text.replace("HOW", how)));
        let buys = run.orders.iter().skip(2);
        buys.map(|o| (o.symbol, o.fill_bar.unwrap(), o.filled))
            .collect()
    };
    assert_eq!(bought("next_decision"), []);
    assert_eq!(bought("now"), [(0, 3, 10.0), (1, 3, 10.0)]);
    assert_eq!(bought("most_underweight"), [(1, 3, 30.0)]);
}

#[test]
fn benchmarks_have_the_same_flows() {
    let prices = [10.0, 10.0, 10.0, 20.0, 20.0, 20.0];
    let market = market(&[("A", &prices, &[])]);
    let text = "[account]\ncash = 1000\n[[cashflow]]\namount = 300\nstart = 2024-01-10\n\
                [[cashflow]]\namount = -600\nstart = 2024-01-11\n[cash]\nhurdle = 0.05\n";
    let outcome = simulate(&market, &strategy(&format!("{text}{FREE}"))).unwrap();
    let (_, held) = &outcome.benchmarks[0];
    // 100 shares, 15 more for the deposit at the next open, then 30 sold for the withdrawal.
    near(held.equity[3], 115.0 * 20.0);
    assert_eq!(held.flows[2], 300.0);
    assert_eq!(held.flows[4], -600.0);
    near(held.equity[5], 85.0 * 20.0);
    let (name, cash) = &outcome.benchmarks[1];
    assert_eq!(name, "cash");
    let grown = |days: f64| libm::pow(1.05, days / 365.0);
    let mut savings = 1000.0 * grown(1.0);
    savings = savings * grown(1.0) + 300.0;
    near(cash.equity[2], savings);
    savings = savings * grown(1.0) - 600.0;
    near(cash.equity[3], savings);
    assert_eq!(cash.flows[3], -600.0);
}

#[test]
fn each_account_has_every_flow() {
    let market = market(&[("A", &[10.0; 6], &[0]), ("B", &[10.0; 6], &[0])]);
    let text = "[account]\ncash = 1000\neach = true\n[[cashflow]]\namount = 50\nevery = \"day\"\n";
    let outcome = simulate(&market, &strategy(&format!("{text}{FREE}"))).unwrap();
    let run = &outcome.run;
    assert_eq!(run.flows, [100.0; 6]);
    assert_eq!(run.each[0].flows, [50.0; 6]);
    near(run.equity[5], 2600.0);
    assert_eq!(outcome.benchmarks[0].1.flows, [100.0; 6]);
    assert_eq!(bare_of_run(run).get("total_return"), Some(0.0));
}

#[test]
fn a_file_has_days_and_amounts() {
    let dir = std::env::temp_dir().join(format!("papertape-flows-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("flows.csv");
    std::fs::write(
        &path,
        "date,amount\n2024-01-10,250\n2024-01-14,-50.5\n2030-01-01,7\n",
    )
    .unwrap();
    let market = market(&[("A", &[10.0; 8], &[])]);
    let text = format!("[[cashflow]]\nfile = \"{}\"\n{FREE}", path.display());
    let run = run(&market, &text);
    assert_eq!(run.flows, [0.0, 0.0, 250.0, 0.0, 0.0, -50.5, 0.0, 0.0]);
    std::fs::write(&path, "date,amount\n2024-13-10,250\n2024-01-14,much\n").unwrap();
    let error = backtest(&market, &strategy(&text)).unwrap_err().to_string();
    assert!(error.contains("`2024-13-10` is no date") && error.contains("`much` is no amount"));
    std::fs::write(&path, "day,amount\n").unwrap();
    let error = backtest(&market, &strategy(&text)).unwrap_err().to_string();
    assert!(error.contains("no column `date`"), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn both_returns_stand_side_by_side() {
    // Doubles on the first 100 and halves on 1,000 more: the time-weighted return is 0.
    let mut prices = vec![10.0; 5];
    prices.extend([20.0; 200]);
    prices.extend([10.0; 60]);
    let market = market(&[("A", &prices, &[0, 10])]);
    let text = "[account]\ncash = 100\n[size]\nmethod = \"fraction\"\npyramid = true\n\
                [[cashflow]]\namount = 1000\nstart = 2024-01-22\n";
    let run = run(&market, &format!("{text}{FREE}"));
    let metrics = of_run(&run, None, 1);
    near(metrics.get("total_return").unwrap(), 0.0);
    assert!(
        metrics.get("mwr").unwrap() < -0.4,
        "{:?}",
        metrics.get("mwr")
    );
    assert!(metrics.has_flows());
    near(run.equity[264], 600.0);
}
