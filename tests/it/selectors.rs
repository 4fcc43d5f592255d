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
fn a_partner_that_stands_in_counts_as_the_holding_within_the_buffer() {
    // A loses an eighth on bar 2: it is sold for its loss, and P stands in. On Friday, bar 4, C ranks
    // first and A second, which is within the buffer: what is held for A stays.
    let mut falls = [120.0; 10];
    falls[2..].fill(105.0);
    let market = market(&[("A", &falls), ("C", &[110.0; 10]), ("P", &[10.0; 10])]);
    let text = |buffer: u32| {
        format!(
            "[rank]\nscore = \"close\"\nwhere = \"close > 50\"\nhold = 1\nbuffer = {buffer}\nevery = \"week\"\n[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvest]\nloss_over = 0.1\npairs = [[\"A\", \"P\"]]\n{NO_COSTS}"
        )
    };
    let shares = 1000.0 / 120.0;
    let swap = [
        (0, "A", Side::Buy, shares),
        (2, "A", Side::Sell, shares),
        (2, "P", Side::Buy, shares * 105.0 / 10.0),
    ];
    let stays = run(&market, &text(1));
    assert_eq!(fills(&stays), swap);
    // Without a buffer the first takes the slot, and the partner is sold for it.
    let moves = run(&market, &text(0));
    assert_eq!(fills(&moves)[..3], swap);
    let then: Vec<_> = fills(&moves)[3..5]
        .iter()
        .map(|f| (f.0, f.1, f.2))
        .collect();
    assert_eq!(then, [(4, "P", Side::Sell), (4, "C", Side::Buy)]);
}

#[test]
fn what_gained_in_a_partner_stays_when_a_later_lot_of_it_is_harvested() {
    // S loses a fifth on bar 2, and P stands in at 10. It doubles; the deposit of February, bar 18, buys
    // more of it at 20. On bar 35 it falls to 15: the new lot is sold for its loss and S bought back,
    // the old one, half in profit, stays though S alone has a target.
    let mut s = [80.0; 44];
    s[..2].fill(100.0);
    let mut p = [10.0; 44];
    p[10..35].fill(20.0);
    p[35..].fill(15.0);
    let market = market(&[("P", &p), ("S", &s)]);
    let text = format!(
        "symbols = [\"P\", \"S\"]\n[weights]\ntargets = {{ S = 1.0 }}\nevery = \"week\"\n[[cashflow]]\namount = 1000\nevery = \"month\"\n[tax]\nshort_rate = 0.3\nlong_rate = 0.1\n[tax.harvest]\nloss_over = 0.1\npairs = [[\"S\", \"P\"]]\n{NO_COSTS}"
    );
    let run = run(&market, &text);
    let filled: Vec<_> = fills(&run).into_iter().filter(|f| f.3 > 0.0).collect();
    let near = [
        (0, "S", Side::Buy, 10.0),
        (2, "S", Side::Sell, 10.0),
        (2, "P", Side::Buy, 80.0),
        (19, "P", Side::Buy, 50.0),
        (35, "P", Side::Sell, 50.0),
        (35, "S", Side::Buy, 750.0 / 80.0),
        // The deposit of March, bar 39.
        (39, "S", Side::Buy, 1000.0 / 80.0),
    ];
    assert_eq!(filled.len(), near.len(), "{filled:?}");
    for (ours, wanted) in filled.iter().zip(near) {
        assert_eq!((ours.0, ours.1, ours.2), (wanted.0, wanted.1, wanted.2));
        assert!((ours.3 - wanted.3).abs() < 1e-9, "{ours:?} {wanted:?}");
    }
    let tax = run.tax.as_ref().unwrap();
    let gains: f64 = tax.realized.iter().map(|r| r.gain.max(0.0)).sum();
    assert_eq!(gains, 0.0, "nothing was realised but losses");
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

/// A market whose symbols belong to it as `members` says.
fn dated(mut market: Market, members: &str) -> Market {
    let members = papertape::market::Members::parse(members).unwrap();
    market.members = Some(std::sync::Arc::new(members));
    market
}

#[test]
fn a_member_that_leaves_is_sold_at_the_next_open_and_counts_no_more() {
    let market = market(&[("A", &[30.0; 6]), ("B", &[20.0; 6]), ("C", &[10.0; 6])]);
    // A leaves on Wednesday 10 January, bar 2; C comes on that day.
    let market = dated(
        market,
        "symbol,from,to\nA,,2024-01-10\nB,2020-01-01,\nC,2024-01-10,\n",
    );
    let run = run(
        &market,
        &format!("[rank]\nscore = \"close\"\nhold = 1\n{NO_COSTS}"),
    );
    let a = 1000.0 / 30.0;
    assert_eq!(
        fills(&run),
        [(0, "A", Side::Buy, a), (2, "A", Side::Sell, a)]
    );
    assert_eq!(run.orders[1].fill_bar, Some(3));
    // By rules: nothing outside is bought, and what left is sold on whatever day.
    let rules = "[rules]\nenter = \"close > 15\"\nevery = \"month\"\n";
    let by_rules = backtest(&market, &strategy(&format!("{rules}{NO_COSTS}"))).unwrap();
    assert!(by_rules.orders.is_empty(), "no month ends");
    let always = format!("[rules]\nenter = \"close > 5\"\n{NO_COSTS}");
    let always = backtest(&market, &strategy(&always)).unwrap();
    let third = 1000.0 / 3.0;
    let told = fills(&always);
    assert_eq!(
        told[..3]
            .iter()
            .map(|o| (o.0, o.1, o.2))
            .collect::<Vec<_>>(),
        [
            (0, "A", Side::Buy),
            (0, "B", Side::Buy),
            (2, "A", Side::Sell)
        ]
    );
    assert_eq!((told[3].0, told[3].1, told.len()), (2, "C", 4));
    assert!((told[0].3 * 30.0 - third).abs() < 1e-9);
    // Ranks count members alone: B is second while A is in, first afterwards.
    let first = format!("[rules]\nenter = \"rank(close) == 1 and close == 20\"\n{NO_COSTS}");
    let first = backtest(&market, &strategy(&first)).unwrap();
    assert_eq!(first.orders[0].decided, 2);
}

#[test]
fn a_symbol_that_dies_while_it_is_held_leaves_cash_until_the_next_decision() {
    let mut dies = [30.0; 30];
    dies[9..].fill(f64::NAN);
    let market = market(&[("A", &dies), ("B", &[20.0; 30])]);
    let text = "[rank]\nscore = \"close\"\nhold = 1\nevery = \"month\"\n";
    let run = run(&market, &format!("{text}{NO_COSTS}"));
    assert_eq!(run.trades[0].reason, Reason::Delisted);
    // The end of January, bar 17, comes before the tenth session without a bar: it is sold for lack
    // of a score, an order that the delisting cancels.
    let told: Vec<(usize, Outcome)> = run.orders.iter().map(|o| (o.decided, o.outcome)).collect();
    assert_eq!(told[0], (0, Outcome::Filled));
    assert!(told.contains(&(17, Outcome::Cancelled)), "{told:?}");
}

#[test]
fn days_of_a_period_are_counted_on_the_calendar() {
    let market = market(&[("A", &[10.0; 60])]);
    // A weight that is always off, so that every decision trades.
    let decided = |day: &str| -> Vec<usize> {
        let text = format!(
            "[rank]\nscore = \"close\"\nhold = 1\nwhere = \"day < 40\"\nabsolute = \"month > 0\"\nreweight = true\nevery = \"month\"\nday = {day}\n[fill]\nvolume_cap = 0.00001\n{NO_COSTS}"
        );
        let run = run(&market, &text);
        run.orders.iter().map(|o| o.decided).collect()
    };
    // Bars: 0 is 8 January, 17 is 31 January, 18 is 1 February, 38 is 29 February, 39 is 1 March.
    assert_eq!(decided("\"last\""), [0, 17, 38, 59]);
    assert_eq!(decided("\"first\""), [0, 18, 39]);
    // The 17th of February is a Saturday: Monday the 19th, bar 30; 17 January is bar 7.
    assert_eq!(decided("17"), [0, 7, 30, 50]);
    // February has no 30th: its last session.
    assert_eq!(decided("30"), [0, 16, 38, 59]);
}

#[test]
fn risk_parity_and_least_variance_meet_their_conditions() {
    use papertape::strategy::{covariance, min_variance, risk_parity};
    let mut seed = 7_u64;
    let mut draw = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    for n in [1, 2, 3, 7, 20] {
        for _ in 0..20 {
            let common: Vec<f64> = (0..60).map(|_| draw()).collect();
            let series: Vec<Vec<f64>> = (0..n)
                .map(|k| {
                    common
                        .iter()
                        .map(|c| 0.02 * (c + (1.0 + k as f64) * draw()))
                        .collect()
                })
                .collect();
            let c = covariance(&series);
            let times = |w: &[f64], i: usize| (0..n).map(|j| c[i * n + j] * w[j]).sum::<f64>();
            let parity = risk_parity(&c, n);
            assert!((parity.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let variance: f64 = (0..n).map(|i| parity[i] * times(&parity, i)).sum();
            for i in 0..n {
                let share = parity[i] * times(&parity, i) / variance * n as f64;
                assert!(parity[i] > 0.0 && (share - 1.0).abs() < 1e-12, "{share}");
            }
            // Kuhn and Tucker, for the least variance.
            let least = min_variance(&c, n);
            assert!((least.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let variance: f64 = (0..n).map(|i| least[i] * times(&least, i)).sum();
            for i in 0..n {
                let slope = times(&least, i) / variance - 1.0;
                assert!(least[i] >= 0.0 && slope > -1e-6, "{slope}");
                assert!(least[i] == 0.0 || slope.abs() < 1e-6, "{slope}");
            }
        }
    }
    // Two uncorrelated: risk parity by 1 / volatility, least variance by 1 / variance.
    let c = [0.04, 0.0, 0.0, 0.01];
    let near = |a: &[f64], b: [f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(near(&risk_parity(&c, 2), [1.0 / 3.0, 2.0 / 3.0]));
    assert!(near(&min_variance(&c, 2), [0.2, 0.8]));
    // Three, against a search of the whole simplex.
    let c = [0.04, 0.018, 0.002, 0.018, 0.02, 0.001, 0.002, 0.001, 0.09];
    let var = |w: &[f64]| -> f64 { (0..9).map(|k| w[k / 3] * c[k] * w[k % 3]).sum() };
    let mut best = f64::INFINITY;
    for a in 0..=400 {
        for b in 0..=400 - a {
            let w = [
                f64::from(a) / 400.0,
                f64::from(b) / 400.0,
                f64::from(400 - a - b) / 400.0,
            ];
            best = best.min(var(&w));
        }
    }
    let found = var(&min_variance(&c, 3));
    assert!(found <= best && best - found < 1e-5, "{found} {best}");
}

#[test]
fn explain_says_why_a_symbol_is_held_or_not() {
    let market = market(&[("A", &[10.0; 4]), ("B", &[20.0; 4]), ("C", &[30.0; 4])]);
    let text =
        format!("[rank]\nscore = \"close\"\nhold = 2\nabsolute = \"close > 25\"\n{NO_COSTS}");
    let strategy = strategy(&text);
    let day = "2024-01-08".parse().unwrap();
    let said = |symbol: &str| {
        let all = papertape::engine::explain(&market, &strategy, day, Some(symbol)).unwrap();
        all[0].because.join("; ")
    };
    assert!(
        said("C").contains("ranks 1 of 3: among the 2 that are held, at 50% of equity"),
        "{}",
        said("C")
    );
    assert!(said("C").contains("market buy"), "{}", said("C"));
    assert!(said("B").contains("its slot goes to cash"), "{}", said("B"));
    assert!(
        said("A").contains("ranks 3 of 3: beyond the 2 that are held; no order"),
        "{}",
        said("A")
    );
}

#[test]
fn mistakes_of_the_selectors_are_told_with_their_cure() {
    let told = |text: &str| {
        let text = format!("[data]\nsource = \"unused\"\n{text}");
        let read = Strategy::parse(&text, "s", Path::new("."), &Overrides::default());
        match read {
            Ok(_) => String::new(),
            Err(e) => {
                let problems = e.problems().iter();
                problems
                    .map(|p| format!("{}|{}\n", p.message, p.help.as_deref().unwrap_or("")))
                    .collect()
            }
        }
    };
    for (text, says) in [
        ("[rank]\n", "[rank] has no score"),
        ("[rank]\nscore = \"close\"", "does not say how many"),
        (
            "[rank]\nscore = \"close\"\nhold = 2\nquantile = 0.1",
            "both say how many",
        ),
        (
            "[rank]\nscore = \"close\"\nquantile = 10",
            "fractions are fractions",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = \"20%\"",
            "quantile = 0.2 holds that part",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 0.25",
            "quantile = 0.25 holds that part",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\nshort_hold = 1",
            "cannot sell short",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\nday = 40",
            "no month has 40 days",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\nvol_window = 9",
            "vol_window without",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\n[size]\nmethod = \"fraction\"",
            "size.method is of [rules]",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\n[rules]\nenter = \"close > 1\"",
            "both say what to hold",
        ),
        (
            "[rank]\nscore = \"close\"\nhold = 2\n[account]\neach = true",
            "nothing to choose from",
        ),
        ("[weights]\n", "neither `targets` nor `method`"),
        ("[weights]\ntargets = { A = 0.6, B = 0.6 }", "add up to 1.2"),
        (
            "[weights]\ntargets = { A = 60, B = 40 }",
            "fractions are fractions",
        ),
        (
            "[weights]\ntargets = { A = 1 }\nmethod = \"equal\"",
            "both say what the weights are",
        ),
        (
            "[weights]\ntargets = { A = 1 }\ntoward = \"band\"",
            "needs a band",
        ),
        (
            "[weights]\ntargets = { A = 1 }\ntax_aware = true",
            "needs [tax]",
        ),
        (
            "[weights]\ntargets = { A = 1 }\nday = \"first\"",
            "`day` without `every`",
        ),
        (
            "[weights]\nmethod = \"equal\"\nwindow = 20",
            "looks at no window",
        ),
        ("[weights]\nmethod = \"equl\"", "did you mean \"equal\""),
    ] {
        let said = told(text);
        assert!(said.contains(says), "{text}\n{said}");
    }
    assert_eq!(
        told("[weights]\ntargets = { A = 0.5 }\ndrift_abs = 0.05\n"),
        ""
    );
}

/// A stream of numbers from 0 to 1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[(self.next() * words.len() as f64) as usize]
    }
}

/// Walks of several symbols; with gaps, symbols that come late and symbols that die.
fn random_market(draw: &mut Draw, gaps: bool) -> Market {
    let names = ["A", "B", "C", "D", "E", "F"];
    let walks: Vec<Vec<f64>> = (0..names.len())
        .map(|k| {
            let mut price = 20.0 + 10.0 * k as f64;
            let (from, to) = match (gaps, k) {
                (true, 1) => (40, 160),
                (true, 2) => (0, 110),
                _ => (0, 160),
            };
            (0..160)
                .map(|bar| {
                    price *= 1.0 + 0.06 * (draw.next() - 0.48);
                    let absent = bar < from || bar >= to || (gaps && draw.next() < 0.03);
                    if absent { f64::NAN } else { price }
                })
                .collect()
        })
        .collect();
    let tapes: Vec<(&str, &[f64])> = names
        .iter()
        .zip(&walks)
        .map(|(n, w)| (*n, w.as_slice()))
        .collect();
    market(&tapes)
}

fn random_strategy(draw: &mut Draw, gaps: bool) -> String {
    let mut text = String::new();
    let margin = draw.next() < 0.4;
    if draw.next() < 0.6 {
        let score = draw.pick(&[
            "close / close[10] - 1",
            "-rsi(5)",
            "roc(8)",
            "zrank(close / close[5])",
        ]);
        text.push_str(&format!(
            "[rank]\nscore = \"{score}\"\nhold = {}\n",
            draw.pick(&["1", "2", "3", "9"])
        ));
        text.push_str(&format!(
            "weight = \"{}\"\n",
            draw.pick(&["equal", "score", "rank"])
        ));
        text.push_str(&format!(
            "every = \"{}\"\nday = {}\n",
            draw.pick(&["day", "week", "month"]),
            draw.pick(&["\"last\"", "\"first\""])
        ));
        text.push_str(&format!(
            "buffer = {}\nreweight = {}\n",
            draw.pick(&["0", "2"]),
            draw.pick(&["true", "false"])
        ));
        text.push_str(draw.pick(&[
            "",
            "absolute = \"close > close[10]\"\n",
            "where = \"close < 60\"\n",
        ]));
        text.push_str(draw.pick(&["", "refuge = \"F\"\n"]));
        if margin {
            text.push_str("short_hold = 1\n");
        }
    } else {
        text.push_str(&format!(
            "[weights]\n{}\n",
            draw.pick(&[
                "targets = { A = 0.5, B = 0.3, C = 0.1 }",
                "method = \"equal\"",
                "method = \"inverse_vol\"\nwindow = 10",
                "method = \"risk_parity\"\nwindow = 20",
                "method = \"min_variance\"\nwindow = 20",
            ])
        ));
        text.push_str(draw.pick(&["", "every = \"week\"\n", "every = \"month\"\nday = 12\n"]));
        text.push_str(draw.pick(&[
            "",
            "drift_abs = 0.03\n",
            "drift_rel = 0.2\ntoward = \"band\"\n",
        ]));
        text.push_str(draw.pick(&["", "min_trade = 500\n"]));
    }
    text.push_str(&format!(
        "[fill]\nat = \"{}\"\n",
        draw.pick(&["next_open", "close", "next_close"])
    ));
    text.push_str(draw.pick(&["", "volume_cap = 0.2\n"]));
    text.push_str("[size]\n");
    text.push_str(draw.pick(&["", "lot = 1\n", "max_weight = 0.3\n", "min_order = 200\n"]));
    text.push_str(draw.pick(&[
        "",
        "[stops]\nstop = 0.08\n",
        "[stops]\ntrail = 0.1\ntarget = 0.2\n",
    ]));
    text.push_str("[costs]\ncommission = 0.001\nslippage_bps = 3\nborrow_rate = 0.01\n");
    text.push_str("[account]\ncash = 50000\n");
    if margin {
        text.push_str("kind = \"margin\"\nmargin_rate = 0.05\n");
    }
    if gaps {
        text.push_str("[cash]\nyield = 0.02\n");
    }
    text
}

#[test]
fn the_books_hold_and_nothing_looks_ahead_whatever_the_tape_and_the_strategy() {
    let mut draw = Draw(11);
    let mut orders = 0;
    for round in 0..150 {
        let gaps = round % 2 == 0;
        let mut market = random_market(&mut draw, gaps);
        if round % 5 == 0 {
            market = dated(
                market,
                "symbol,from,to\nA,,2024-04-01\nB,,\nC,2024-02-01,\nD,,2024-03-01\nD,2024-05-01,\nE,,\nF,,\n",
            );
        }
        let text = random_strategy(&mut draw, gaps);
        let strategy = strategy(&text);
        let full = run(&market, &text);
        orders += full.orders.len();
        for order in &full.orders {
            let is_filled = matches!(order.outcome, Outcome::Filled | Outcome::PartlyFilled);
            assert_eq!(is_filled, order.filled > 0.0, "{text}\n{order:?}");
            assert_eq!(order.fill_bar.is_some(), is_filled, "{text}\n{order:?}");
        }
        if strategy.account.kind == papertape::strategy::AccountKind::Cash {
            let low = full.cash.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(low > -1e-6, "{text}\n{low}");
        }
        let bare = backtest_bare(&market, &strategy).unwrap();
        assert_eq!(full.orders, bare.orders, "{text}");
        assert_eq!(full.equity, bare.equity, "{text}");
        for cut in [60, 95, 130] {
            let part = backtest_bare(&market.until(market.clock[cut]), &strategy).unwrap();
            let differs = papertape::study::first_difference(&full, &part);
            assert!(differs.is_none(), "{text}\n{cut}: {differs:?}");
        }
    }
    assert!(orders > 10_000, "{orders}");
}
