//! `[rank]` and `[weights]` told as stories: a small tape, one decision, the orders and the books
//! after it; and what must hold whatever the tape.

use papertape::engine::{Run, backtest, backtest_bare};
use papertape::execution::{Order, Outcome, Reason, Side};
use papertape::market::{Bars, Calendar, Market, midnight};
use papertape::strategy::{Overrides, Strategy};
use papertape::units::Micros;
use std::path::Path;

/// Weekdays from Monday 2024-01-08 on.
fn weekdays(count: usize) -> Vec<Micros> {
    let first: chrono::NaiveDate = "2024-01-08".parse().unwrap();
    let days = first.iter_days().filter(|d| {
        use chrono::Datelike;
        d.weekday().number_from_monday() < 6
    });
    days.take(count).map(midnight).collect()
}

/// A market of closes on weekdays; `NaN` is a missing bar. The open is the close of the bar before,
/// so that a fill at the next open has the price that decided it.
fn market(tapes: &[(&str, &[f64])]) -> Market {
    let days = weekdays(tapes[0].1.len());
    let of_closes = |closes: &[f64]| {
        let here: Vec<usize> = (0..closes.len()).filter(|i| !closes[*i].is_nan()).collect();
        let close: Vec<f64> = here.iter().map(|i| closes[*i]).collect();
        let open: Vec<f64> = (0..close.len())
            .map(|k| if k == 0 { close[0] } else { close[k - 1] })
            .collect();
        let high = open.iter().zip(&close).map(|(a, b)| a.max(*b)).collect();
        let low = open.iter().zip(&close).map(|(a, b)| a.min(*b)).collect();
        let time = here.iter().map(|i| days[*i]).collect();
        let volume = Some(vec![1000.0; close.len()]);
        Bars::new(time, open, high, low, close, volume).unwrap()
    };
    let tapes = tapes
        .iter()
        .map(|(name, closes)| ((*name).into(), of_closes(closes)));
    let mut market = Market::from_tapes(tapes.collect()).unwrap();
    market.calendar = Calendar::Weekdays;
    market
}

fn strategy(text: &str) -> Strategy {
    let text = format!("[data]\nsource = \"unused\"\n{text}");
    Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(market: &Market, text: &str) -> Run {
    let run = backtest(market, &strategy(text)).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert!(run.books_error < 1e-9, "{}", run.books_error);
    run
}

/// Orders as (decided, symbol, side, shares filled), in order of decision.
fn fills(run: &Run) -> Vec<(usize, &str, Side, f64)> {
    let name = |o: &Order| run.symbols[o.symbol].as_str();
    run.orders
        .iter()
        .map(|o| (o.decided, name(o), o.side, o.filled))
        .collect()
}

const NO_COSTS: &str = "[costs]\npreset = \"none\"\n[account]\ncash = 1000\n";

#[test]
fn the_best_are_bought_on_the_first_day_with_a_score_and_again_on_schedule() {
    // Five bars are a week; the score exists from bar 2 on.
    let market = market(&[
        (
            "A",
            &[
                10.0, 10.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0, 12.0,
            ],
        ),
        (
            "B",
            &[
                10.0, 10.0, 11.0, 11.0, 20.0, 20.0, 20.0, 20.0, 20.0, 40.0, 40.0,
            ],
        ),
        (
            "C",
            &[10.0, 10.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0],
        ),
    ]);
    let text =
        format!("[rank]\nscore = \"close / close[2]\"\nhold = 1\nevery = \"week\"\n{NO_COSTS}");
    let run = run(&market, &text);
    let buy_a = 1000.0 / 12.0;
    assert_eq!(
        fills(&run),
        [
            (2, "A", Side::Buy, buy_a),
            // Friday, bar 4: A scores 1, B 20/11.
            (4, "A", Side::Sell, buy_a),
            (4, "B", Side::Buy, 50.0),
        ]
    );
    assert_eq!(run.orders[0].fill_bar, Some(3));
    assert_eq!(*run.equity.last().unwrap(), 2000.0);
}

#[test]
fn each_slot_weighs_its_share_and_an_empty_one_stays_cash() {
    let market = market(&[("A", &[10.0; 4]), ("B", &[20.0; 4])]);
    let run = run(
        &market,
        &format!("[rank]\nscore = \"close\"\nhold = 4\n{NO_COSTS}"),
    );
    assert_eq!(
        fills(&run),
        [(0, "B", Side::Buy, 12.5), (0, "A", Side::Buy, 25.0)]
    );
    assert_eq!(*run.cash.last().unwrap(), 500.0);
}

#[test]
fn a_name_that_fails_the_absolute_test_leaves_its_slot_to_the_refuge() {
    let market = market(&[("A", &[10.0; 4]), ("B", &[20.0; 4]), ("R", &[50.0; 4])]);
    let rank = "score = \"close\"\nhold = 2\nabsolute = \"close > 15\"\n";
    // The refuge itself is not ranked, though its close is the highest.
    let with = run(
        &market,
        &format!("[rank]\n{rank}refuge = \"R\"\n{NO_COSTS}"),
    );
    assert_eq!(
        fills(&with),
        [(0, "B", Side::Buy, 25.0), (0, "R", Side::Buy, 10.0)]
    );
    let without = run(
        &market,
        &format!("[rank]\n{rank}where = \"close < 50\"\n{NO_COSTS}"),
    );
    assert_eq!(fills(&without), [(0, "B", Side::Buy, 25.0)]);
}

#[test]
fn a_holding_stays_within_the_buffer() {
    let a = [12.0, 12.0, 11.0, 10.0, 10.0];
    let b = [11.0, 11.0, 12.0, 12.0, 12.0];
    let c = [10.0, 10.0, 10.5, 11.0, 11.0];
    let market = market(&[("A", &a), ("B", &b), ("C", &c)]);
    let rank = "[rank]\nscore = \"close\"\nhold = 1\nevery = \"day\"\nreweight = false\n";
    let strict = run(&market, &format!("{rank}{NO_COSTS}"));
    assert_eq!(strict.orders[1].decided, 2, "A is second on bar 2");
    let patient = run(&market, &format!("{rank}buffer = 1\n{NO_COSTS}"));
    assert_eq!(patient.orders[1].decided, 3, "A is third on bar 3");
}

#[test]
fn ties_go_by_symbol_and_weights_by_score_and_rank() {
    let market = market(&[("A", &[10.0; 3]), ("B", &[10.0; 3]), ("C", &[30.0; 3])]);
    let money = |weight: &str, hold: u32| {
        let text =
            format!("[rank]\nscore = \"close\"\nhold = {hold}\nweight = \"{weight}\"\n{NO_COSTS}");
        let run = run(&market, &text);
        let value = |o: &Order| {
            (
                run.symbols[o.symbol].clone(),
                o.filled * o.fill_price.unwrap(),
            )
        };
        run.orders.iter().map(value).collect::<Vec<_>>()
    };
    let c = |x: f64| ("C".to_owned(), x);
    let a = |x: f64| ("A".to_owned(), x);
    let same = |got: &[(String, f64)], want: [(String, f64); 2]| {
        let pairs = got.iter().zip(&want);
        assert_eq!(got.len(), 2);
        assert!(
            pairs
                .into_iter()
                .all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-9),
            "{got:?}"
        );
    };
    same(&money("equal", 2), [c(500.0), a(500.0)]);
    same(&money("score", 2), [c(750.0), a(250.0)]);
    let by_rank = money("rank", 2);
    assert!((by_rank[0].1 - 2000.0 / 3.0).abs() < 1e-9 && by_rank.len() == 2);
    // Three names in six slots weigh one half together.
    let half = money("score", 6);
    assert!((half.iter().map(|m| m.1).sum::<f64>() - 500.0).abs() < 1e-9);
}

#[test]
fn shorts_come_from_the_bottom_of_a_margin_account() {
    let market = market(&[("A", &[10.0; 4]), ("B", &[20.0; 4]), ("C", &[40.0; 4])]);
    let text = "[rank]\nscore = \"close\"\nhold = 1\nshort_hold = 1\n[costs]\nborrow_rate = 0.01\n[account]\ncash = 1000\nkind = \"margin\"\nmargin_rate = 0.05\n";
    let run = run(&market, text);
    assert_eq!(
        fills(&run),
        [(0, "C", Side::Buy, 25.0), (0, "A", Side::Sell, 100.0)]
    );
}

#[test]
fn fixed_targets_are_bought_once() {
    let market = market(&[
        ("A", &[10.0, 10.0, 20.0, 20.0]),
        ("B", &[5.0; 4]),
        ("C", &[1.0; 4]),
    ]);
    let run = run(
        &market,
        &format!("[weights]\ntargets = {{ A = 0.5, B = 0.3 }}\n{NO_COSTS}"),
    );
    assert_eq!(
        fills(&run),
        [(0, "A", Side::Buy, 50.0), (0, "B", Side::Buy, 60.0)]
    );
    assert_eq!(*run.equity.last().unwrap(), 1500.0);
}

#[test]
fn a_weight_beyond_its_band_leads_back_to_the_target_or_to_the_edge() {
    let a = [10.0, 10.0, 15.0, 15.0, 15.0];
    let market = market(&[("A", &a), ("B", &[10.0; 5])]);
    let mix = "[weights]\ntargets = { A = 0.5, B = 0.5 }\ndrift_abs = 0.05\n";
    // 50 shares each; on bar 2 A is worth 750 of 1,250: 60%.
    let target = run(&market, &format!("{mix}{NO_COSTS}"));
    let sold = 125.0 / 15.0;
    assert_eq!(target.orders[2].decided, 2);
    assert_eq!(
        fills(&target)[2..],
        [(2, "A", Side::Sell, sold), (2, "B", Side::Buy, 12.5)]
    );
    let band = run(&market, &format!("{mix}toward = \"band\"\n{NO_COSTS}"));
    // To 55% of 1,250 and to 45%.
    let edge = (750.0 - 0.55 * 1250.0) / 15.0;
    let orders = fills(&band);
    assert_eq!(orders[2].1, "A");
    assert!((orders[2].3 - edge).abs() < 1e-9, "{orders:?}");
    assert!(
        (orders[3].3 - (0.45 * 1250.0 - 500.0) / 10.0).abs() < 1e-9,
        "{orders:?}"
    );
    let relative = "[weights]\ntargets = { A = 0.5, B = 0.5 }\ndrift_rel = 0.25\n";
    let quiet = run(&market, &format!("{relative}{NO_COSTS}"));
    assert_eq!(quiet.orders.len(), 2, "20% of the target is within 25%");
}

#[test]
fn small_trades_are_left_out() {
    let a = [10.0, 10.0, 15.0, 15.0, 15.0];
    let market = market(&[("A", &a), ("B", &[10.0; 5])]);
    let mix = "[weights]\ntargets = { A = 0.5, B = 0.5 }\nevery = \"day\"\n";
    let all = run(&market, &format!("{mix}{NO_COSTS}"));
    assert_eq!(all.orders.len(), 4);
    let few = run(&market, &format!("{mix}min_trade = 126\n{NO_COSTS}"));
    assert_eq!(few.orders.len(), 2);
    let least = run(
        &market,
        &format!("{mix}[size]\nmin_order = 126\n{NO_COSTS}"),
    );
    assert_eq!(least.orders.len(), 2);
}

#[test]
fn a_symbol_that_lists_late_is_bought_when_it_has_a_bar() {
    let late = [f64::NAN, f64::NAN, 5.0, 5.0, 5.0];
    let market = market(&[("A", &[10.0; 5]), ("B", &late)]);
    let run = run(
        &market,
        &format!("[weights]\ntargets = {{ A = 0.5, B = 0.5 }}\n{NO_COSTS}"),
    );
    assert_eq!(
        fills(&run),
        [(0, "A", Side::Buy, 50.0), (2, "B", Side::Buy, 100.0)]
    );
}

#[test]
fn the_last_purchase_is_cut_by_cash_and_an_order_that_waits_is_replaced() {
    // The open is the close before, so cost alone makes the money short.
    let market = market(&[("A", &[10.0; 4]), ("B", &[20.0; 4])]);
    let text =
        "[rank]\nscore = \"close\"\nhold = 2\n[costs]\ncommission = 0.01\n[account]\ncash = 1000\n";
    let cut = run(&market, text);
    assert_eq!(cut.orders[0].filled, 25.0);
    assert!((cut.orders[1].filled - 495.0 / 10.1).abs() < 1e-9);
    assert!(cut.cash.last().unwrap().abs() < 1e-9);
    // 100 shares a bar at most: the rest waits, and the next decision asks anew.
    let capped =
        "[rank]\nscore = \"close\"\nhold = 1\nevery = \"day\"\n[fill]\nvolume_cap = 0.01\n";
    let capped = run(&market, &format!("{capped}{NO_COSTS}"));
    let ends: Vec<(f64, Outcome, Reason)> = capped
        .orders
        .iter()
        .map(|o| (o.filled, o.outcome, o.reason))
        .collect();
    let part = (10.0, Outcome::PartlyFilled, Reason::NewTarget);
    assert_eq!(ends[..2], [part, part], "{ends:?}");
}

#[test]
fn bare_runs_have_the_same_equity_to_the_bit() {
    let wave = |phase: f64| -> Vec<f64> {
        (0..300)
            .map(|i| 50.0 + 10.0 * libm::sin(f64::from(i) / 9.0 + phase))
            .collect()
    };
    let waves: Vec<Vec<f64>> = (0..5).map(|k| wave(f64::from(k))).collect();
    let names = ["A", "B", "C", "D", "E"];
    let tapes: Vec<(&str, &[f64])> = names
        .iter()
        .zip(&waves)
        .map(|(n, w)| (*n, w.as_slice()))
        .collect();
    let market = market(&tapes);
    for text in [
        "[rank]\nscore = \"close / close[20] - 1\"\nhold = 2\n[costs]\ncommission = 0.001\n",
        "[rank]\nscore = \"close / close[20] - 1\"\nhold = 2\nevery = \"week\"\nweight = \"inverse_vol\"\n[fill]\nat = \"close\"\n[costs]\ncommission = 0.001\n",
        "[weights]\nmethod = \"risk_parity\"\nwindow = 30\nevery = \"month\"\n[costs]\nslippage_bps = 2\n",
        "[weights]\nmethod = \"min_variance\"\nwindow = 30\ndrift_abs = 0.03\n[costs]\nslippage_bps = 2\n",
    ] {
        let strategy = strategy(text);
        let full = run(&market, text);
        let bare = backtest_bare(&market, &strategy).unwrap();
        assert!(full.orders.len() > 10, "{text}: {}", full.orders.len());
        assert_eq!(full.orders, bare.orders, "{text}");
        assert_eq!(full.equity, bare.equity, "{text}");
    }
}
