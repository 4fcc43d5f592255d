//! What must hold for any tape and any strategy: the books balance, no order is lost, the future
//! changes nothing, cost never helps, units don't matter, a split changes nothing.

use papertape::engine::{Run, backtest, backtest_bare};
use papertape::execution::Outcome;
use papertape::market::{Action, ActionKind, Bars, Market};
use papertape::portfolio::EntryKind;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::first_difference;
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use std::path::Path;

/// One symbol's random bars: moments are days, some of them missing.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    days: Vec<i64>,
    bars: Vec<[f64; 5]>,
}

/// Days from Monday 2001-01-01 on, weekends left out, so that calendars agree with them.
fn day(i: usize) -> i64 {
    11_323 + (i / 5 * 7 + i % 5) as i64
}

pub(crate) fn walk(bars_max: usize) -> impl Generate<Value = Walk> {
    let step = prop_oneof![
        8 => -0.05..0.05f64,
        1 => Just(0.0),
        1 => prop_oneof![Just(-0.6), Just(1.5)],
    ];
    let bar = (
        step,
        0.0..0.03f64,
        0.0..0.03f64,
        -0.02..0.02f64,
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.9),
    );
    (1.0..200.0f64, prop::collection::vec(bar, 1..bars_max)).prop_map(|(start, steps)| {
        let mut close = start;
        let (mut days, mut bars) = (Vec::new(), Vec::new());
        for (i, (step, up, down, gap, present, traded)) in steps.into_iter().enumerate() {
            let open = close * (1.0 + gap);
            close *= 1.0 + step;
            let high = open.max(close) * (1.0 + up);
            let low = open.min(close) * (1.0 - down);
            if present || i == 0 {
                days.push(day(i));
                bars.push([open, high, low, close, if traded { 1000.0 } else { 0.0 }]);
            }
        }
        Walk { days, bars }
    })
}

use proptest::strategy::Strategy as Generate;

fn tape(walk: &Walk, to: usize, scale: f64) -> Option<Bars> {
    let keep = walk.days.iter().filter(|&&d| d <= day(to)).count();
    if keep == 0 {
        return None;
    }
    let time = walk.days[..keep]
        .iter()
        .map(|d| d * DAY_MICROS)
        .collect::<Vec<Micros>>();
    let column = |k: usize| {
        walk.bars[..keep]
            .iter()
            .map(|b| b[k] * scale)
            .collect::<Vec<_>>()
    };
    let volume = walk.bars[..keep].iter().map(|b| b[4]).collect();
    Some(
        Bars::new(
            time,
            column(0),
            column(1),
            column(2),
            column(3),
            Some(volume),
        )
        .expect("sound"),
    )
}

pub(crate) fn market(walks: &[Walk], to: usize, scale: f64) -> Market {
    let tapes = walks
        .iter()
        .enumerate()
        .filter_map(|(i, w)| Some((format!("S{i}"), tape(w, to, scale)?)))
        .collect();
    Market::from_tapes(tapes).expect("tapes")
}

/// A strategy file of random pieces. `free`: no literal that has the unit of a price or of money.
pub(crate) fn file(free: bool) -> impl Generate<Value = String> {
    let enter = prop::sample::select(vec![
        "rsi(3) < 40",
        "crosses_above(sma(2), sma(5))",
        "close > highest(high, 4)[1]",
        "random(7) < 0.3",
        "falling(close, 2)",
    ]);
    let exit = prop::sample::select(vec![
        "rsi(3) > 60",
        "crosses_below(sma(2), sma(5))",
        "random(9) < 0.2",
        "bars_held >= 3 or pnl_pct > 0.1",
        "close < lowest(low, 3)[1]",
    ]);
    let short = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            ("random(3) < 0.1", "random(4) < 0.3"),
            ("rsi(3) > 80", "rsi(3) < 50"),
        ]),
    );
    let size = if free {
        vec![
            "method = \"equal\"",
            "method = \"fraction\"\nvalue = 0.7",
            "method = \"equal\"\nmax_positions = 2",
        ]
    } else {
        vec![
            "method = \"equal\"",
            "method = \"fraction\"\nvalue = 1.0\nlot = 1",
            "method = \"cash\"\nvalue = 3000\nmin_order = 50",
            "method = \"shares\"\nvalue = 7",
            "method = \"equal\"\nmax_positions = 2\npyramid = true",
            "method = \"fraction\"\nvalue = 0.5\nmax_weight = 0.3",
        ]
    };
    let stops = prop::sample::select(vec![
        "",
        "stop = 0.05",
        "stop = 0.05\ntarget = 0.08\nambiguity = \"path\"",
        "trail = 0.1\nstop = 0.07\ntarget = 0.1\ntarget_share = 0.5",
        "stop = \"1.5 * atr(2)\"\nbreakeven = 0.04",
        "trail = 0.06\nentry_bar = false\nambiguity = \"best\"\ntarget = 0.05",
    ]);
    let fill = prop::sample::select(vec![
        "",
        "at = \"close\"",
        "at = \"next_close\"",
        "order = \"limit\"\nprice = \"close * 0.99\"",
        "order = \"limit\"\nprice = \"close * 0.98\"\ntif = \"gtc\"\nlimit_touch = \"touch\"",
        "order = \"stop\"\nprice = \"close * 1.01\"",
        "close_at_end = true",
    ]);
    let costs = if free {
        vec!["preset = \"none\"", "commission = 0.001\nslippage_bps = 5"]
    } else {
        vec![
            "preset = \"none\"",
            "commission = 0.001\nslippage_bps = 5",
            "per_share = 0.01\nmin = 1\nmax = 0.02",
            "per_order = 2\nspread_bps = 10",
        ]
    };
    (
        enter,
        exit,
        short,
        prop::sample::select(size),
        stops,
        fill,
        prop::sample::select(costs),
        0..3u32,
        prop::option::weighted(0.3, 1..6u32),
        prop::bool::weighted(0.3),
        prop::collection::vec(flow(), if free { 0..1 } else { 0..3 }),
    )
        .prop_map(|(enter, exit, short, size, stops, fill, costs, cooldown, hold, yields, flows)| {
            let (shorts, account, borrow) = match short {
                Some((short, cover)) => (
                    format!("short = \"{short}\"\ncover = \"{cover}\"\n"),
                    "kind = \"margin\"\nmargin_rate = 0.06\n",
                    "\nborrow_rate = 0.02",
                ),
                None => (String::new(), "", ""),
            };
            let hold = hold.map_or(String::new(), |n| format!("hold_bars_max = {n}\n"));
            let yields = if yields { "[cash]\nyield = 0.03\n" } else { "" };
            let flows = flows.concat();
            format!(
                "[data]\nsource = \"unused\"\n[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n{shorts}{hold}cooldown_bars = {cooldown}\n\
                 [size]\n{size}\n[stops]\n{stops}\n[fill]\n{fill}\n[costs]\n{costs}{borrow}\n[account]\ncash = 10000\n{account}{yields}{flows}"
            )
        })
}

/// A `[[cashflow]]`, small or large beside the account.
fn flow() -> impl Generate<Value = String> {
    let amount = prop::sample::select(vec![50.0, 3000.0, -20.0, -700.0, -6000.0]);
    let when = prop::sample::select(vec![
        "every = \"day\"",
        "every = \"week\"\nday = 3",
        "every = \"week\"\nday = \"last\"",
        "every = \"month\"\ngrow = 0.1",
        "start = 2001-01-20",
        "start = 2001-02-07",
    ]);
    let invest = prop::sample::select(vec!["next_decision", "now", "most_underweight"]);
    (amount, when, invest).prop_map(|(amount, when, invest)| {
        let invest = match amount > 0.0 {
            true => format!("invest = \"{invest}\"\n"),
            false => String::new(),
        };
        format!("[[cashflow]]\namount = {amount}\n{when}\n{invest}")
    })
}

fn parse(text: &str) -> Strategy {
    Strategy::parse(text, "random", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(market: &Market, text: &str) -> Run {
    backtest(market, &parse(text)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn largest(run: &Run) -> f64 {
    let gross = run
        .equity
        .iter()
        .zip(&run.exposure)
        .map(|(e, x)| (e * (1.0 + x)).abs());
    gross.fold(run.start_equity, f64::max)
}

fn books_balance(run: &Run) {
    let size = largest(run);
    assert!(
        run.books_error <= 1e-9 * size,
        "streams differ from equity by {}",
        run.books_error
    );
    let income: f64 = run.income.iter().map(|r| r.amount).sum();
    let change = run.equity.last().expect("a bar") - run.start_equity;
    assert!(
        (income - change).abs() <= 1e-9 * size,
        "income {income}, change {change}"
    );
    let mut cash = 0.0;
    for entry in &run.ledger {
        if entry.kind != EntryKind::Slippage {
            cash += entry.amount;
        }
        assert!(
            (cash - entry.cash).abs() <= 1e-9 * size,
            "the ledger's cash does not add up"
        );
    }
    assert!((cash - run.cash.last().expect("a bar")).abs() <= 1e-9 * size);
    for bar in 0..run.equity.len() {
        let sum = run.cash[bar] + run.holdings[bar];
        assert!((run.equity[bar] - sum).abs() <= 1e-9 * size);
    }
}

/// Flows are those of the ledger, and money that is not there is not paid out.
fn flows_are_paid(run: &Run, is_cash_account: bool) {
    let size = largest(run);
    let mut booked = vec![0.0; run.equity.len()];
    for entry in &run.ledger {
        let is_flow = matches!(entry.kind, EntryKind::Deposit | EntryKind::Withdrawal);
        if is_flow && entry.note != papertape::portfolio::OPENING_CASH {
            booked[entry.bar - run.first_bar] += entry.amount;
        }
        assert!(!is_cash_account || entry.cash >= -1e-9 * size, "{entry:?}");
    }
    assert_eq!(booked, run.flows);
}

fn orders_are_whole(run: &Run) {
    for (i, order) in run.orders.iter().enumerate() {
        assert_eq!(order.id as usize, i + 1);
        match order.outcome {
            Outcome::Filled | Outcome::PartlyFilled => {
                assert!(
                    order.filled > 0.0 && order.fill_bar.is_some() && order.fill_price.is_some()
                );
                assert!(order.fill_bar >= Some(order.decided));
            }
            Outcome::Cancelled | Outcome::Rejected | Outcome::Expired => {
                assert!(order.filled == 0.0 && order.fill_bar.is_none(), "{order:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn books_balance_and_no_order_is_lost(walks in prop::collection::vec(walk(60), 1..4), text in file(false)) {
        let market = market(&walks, 1000, 1.0);
        let run = run(&market, &text);
        books_balance(&run);
        orders_are_whole(&run);
        flows_are_paid(&run, !text.contains("margin"));
        let bare = backtest_bare(&market, &parse(&text)).expect("runs");
        prop_assert_eq!(&bare.equity, &run.equity);
        prop_assert_eq!(&bare.orders, &run.orders);
    }

    #[test]
    fn cutting_the_future_changes_no_order(walks in prop::collection::vec(walk(50), 1..4), text in file(false), cut in 2..45usize) {
        let text = text.replace("close_at_end = true", "");
        let market = market(&walks, 1000, 1.0);
        let known = market.until(day(cut) * DAY_MICROS);
        let whole = run(&market, &text);
        let part = run(&known, &text);
        let last = part.equity.len() - 1;
        prop_assert_eq!(first_difference(&whole, &part), None);
        prop_assert_eq!(&whole.equity[..=last], &part.equity[..]);
    }

    #[test]
    fn cost_never_helps_on_the_same_fills(walks in prop::collection::vec(walk(60), 1..3), more in 0.0..0.01f64) {
        let text = |commission: f64, slip: f64| format!(
            "[data]\nsource = \"unused\"\n[rules]\nenter = \"rsi(3) < 40\"\nexit = \"rsi(3) > 60\"\n[size]\nmethod = \"shares\"\nvalue = 1\n\
             [costs]\ncommission = {commission}\nslippage_bps = {slip}\n[account]\ncash = 1000000\n");
        let market = market(&walks, 1000, 1.0);
        let cheap = run(&market, &text(0.001, 1.0));
        let dear = run(&market, &text(0.001 + more, 1.0 + more * 1000.0));
        prop_assert_eq!(cheap.trades.len(), dear.trades.len());
        for (c, d) in cheap.equity.iter().zip(&dear.equity) {
            prop_assert!(d <= c);
        }
    }

    #[test]
    fn units_do_not_matter(walks in prop::collection::vec(walk(60), 1..4), text in file(true)) {
        let once = run(&market(&walks, 1000, 1.0), &text);
        let twice = run(&market(&walks, 1000, 2.0), &text.replace("cash = 10000", "cash = 20000"));
        for (a, b) in once.equity.iter().zip(&twice.equity) {
            prop_assert_eq!(a * 2.0, *b);
        }
    }

    #[test]
    fn a_split_changes_nothing(walks in prop::collection::vec(walk(60), 1..3), text in file(true), at in 1..40usize) {
        let plain = run(&market(&walks, 1000, 1.0), &text);
        let mut split = walks.clone();
        let mut actions = Vec::new();
        for (i, walk) in split.iter_mut().enumerate() {
            for (day_, bar) in walk.days.iter().zip(walk.bars.iter_mut()) {
                if *day_ >= day(at) {
                    bar[..4].iter_mut().for_each(|p| *p /= 2.0);
                    bar[4] *= 2.0;
                }
            }
            actions.push(Action {
                time: day(at) * DAY_MICROS,
                symbol: format!("S{i}"),
                kind: ActionKind::Split,
                value: 2.0,
                pay: None,
                declared: None,
            });
        }
        let after = run(&market(&split, 1000, 1.0).with_actions(actions), &text);
        for (a, b) in plain.equity.iter().zip(&after.equity) {
            prop_assert_eq!(a, b);
        }
        books_balance(&after);
    }
}
