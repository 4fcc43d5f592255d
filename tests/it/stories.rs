//! Accounting and fills told as stories: a small tape, one thing that happens, the books after it.
//!
//! Signals come from columns of the tape (`buy`, `sell`, …), so that every story says exactly when
//! it wishes what.

use papertape::engine::{Run, backtest, simulate};
use papertape::execution::{Outcome, Reason};
use papertape::market::{Action, ActionKind, Bars, Market, midnight};
use papertape::portfolio::{EntryKind, Stream, TradeStatus};
use papertape::strategy::{Overrides, Strategy};
use papertape::units::Micros;
use std::path::Path;

fn day(text: &str) -> Micros {
    midnight(text.parse().expect("a date"))
}

/// Ten consecutive weekdays from Monday 2024-01-08.
const DAYS: [&str; 10] = [
    "2024-01-08",
    "2024-01-09",
    "2024-01-10",
    "2024-01-11",
    "2024-01-12",
    "2024-01-16",
    "2024-01-17",
    "2024-01-18",
    "2024-01-19",
    "2024-01-22",
];

/// Bars `[open, high, low, close]` on the first weekdays, with columns of wishes: `"buy"` on bar 0
/// is `("buy", &[0])`.
fn tape(bars: &[[f64; 4]], wishes: &[(&str, &[usize])]) -> Bars {
    let time = DAYS[..bars.len()].iter().map(|d| day(d)).collect();
    let column = |k: usize| bars.iter().map(|b| b[k]).collect::<Vec<_>>();
    let volume = Some(vec![1000.0; bars.len()]);
    let mut tape =
        Bars::new(time, column(0), column(1), column(2), column(3), volume).expect("bars");
    for (name, at) in wishes {
        let flags = (0..bars.len())
            .map(|i| f64::from(at.contains(&i)))
            .collect();
        tape = tape.with_extra(name, flags).expect("a column");
    }
    tape
}

fn flat(price: f64) -> [f64; 4] {
    [price; 4]
}

fn strategy(text: &str) -> Strategy {
    let text = format!("[data]\nsource = \"unused\"\n{text}");
    Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn run(market: &Market, text: &str) -> Run {
    backtest(market, &strategy(text)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn one(bars: Bars) -> Market {
    Market::from_tapes(vec![("A".to_string(), bars)]).expect("one tape")
}

const RULES: &str =
    "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[costs]\npreset = \"none\"\n";

fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} is not {b}");
}

#[test]
fn a_decision_fills_at_the_next_open() {
    let bars = [
        flat(10.0),
        [11.0, 12.0, 10.5, 12.0],
        [13.0, 13.0, 13.0, 13.0],
    ];
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[1])])), RULES);
    let trade = &run.trades[0];
    assert_eq!(
        (trade.entry_bar, trade.exit_bar, trade.bars_held),
        (1, 2, 1)
    );
    near(trade.entry_price, 11.0);
    near(trade.exit_price, 13.0);
    near(run.equity[2], 100_000.0 * 13.0 / 11.0);
    assert_eq!(run.orders[0].decided, 0);
    assert_eq!(run.orders[0].fill_bar, Some(1));
}

#[test]
fn an_order_of_the_last_bar_expires() {
    let run = run(
        &one(tape(
            &[flat(10.0), flat(10.0)],
            &[("buy", &[1]), ("sell", &[])],
        )),
        RULES,
    );
    assert_eq!(run.orders.len(), 1);
    assert_eq!(run.orders[0].outcome, Outcome::Expired);
    assert_eq!(run.orders[0].reason, Reason::LastBar);
}

#[test]
fn exit_beats_enter_and_both_sides_are_neither() {
    let bars = [flat(10.0); 4];
    let run1 = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[0])])), RULES);
    assert!(run1.orders.is_empty());
    let both = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\nshort = \"buy > 0\"\ncover = \"sell > 0\"\n\
                [costs]\nborrow_rate = 0.0\n[account]\nkind = \"margin\"\nmargin_rate = 0.0\n";
    let run2 = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), both);
    assert!(run2.orders.is_empty());
}

#[test]
fn a_gap_below_the_stop_sells_at_the_open_and_a_stop_never_improves() {
    let bars = [
        flat(100.0),
        flat(100.0),
        [90.0, 92.0, 88.0, 91.0],
        flat(91.0),
    ];
    let text = format!("{RULES}[stops]\nstop = 0.05\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    near(run.trades[0].exit_price, 90.0);
    assert_eq!(run.trades[0].reason, Reason::StopGap);
    assert_eq!(run.trades[0].stop, Some(95.0));
}

#[test]
fn an_ambiguous_bar_is_settled_by_the_convention_and_the_band_tells_all_three() {
    // From 100: the stop at 95 and the target at 105 both lie inside the bar; the low is nearer.
    let bars = [
        flat(100.0),
        flat(100.0),
        [99.0, 106.0, 94.0, 100.0],
        flat(100.0),
    ];
    let market = one(tape(&bars, &[("buy", &[0]), ("sell", &[])]));
    let text =
        |how: &str| format!("{RULES}[stops]\nstop = 0.05\ntarget = 0.05\nambiguity = \"{how}\"\n");
    for (how, price) in [("worst", 95.0), ("path", 95.0), ("best", 105.0)] {
        let run = run(&market, &text(how));
        near(run.trades[0].exit_price, price);
        assert!(run.trades[0].ambiguous);
        let band = run.ambiguous.expect("a band");
        assert_eq!(band.trades, 1);
        near(band.worst, 95_000.0);
        near(band.path, 95_000.0);
        near(band.best, 105_000.0);
    }
}

#[test]
fn a_part_is_sold_at_the_target_and_the_rest_goes_on() {
    let bars = [
        flat(100.0),
        flat(100.0),
        [100.0, 111.0, 100.0, 108.0],
        flat(108.0),
        flat(120.0),
    ];
    let text = format!("{RULES}[stops]\ntarget = 0.10\ntarget_share = 0.5\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[3])])), &text);
    assert_eq!(run.trades.len(), 1);
    near(run.equity[4], 500.0 * 110.0 + 500.0 * 120.0);
    near(run.trades[0].exit_price, 115.0);
    near(run.trades[0].pnl, 15_000.0);
}

#[test]
fn a_trailing_stop_follows_completed_highs_only() {
    // The bar that makes the high of 120 also falls to 100: its own high does not stop it out.
    let bars = [
        flat(100.0),
        flat(100.0),
        [101.0, 120.0, 100.0, 110.0],
        [110.0, 110.0, 107.0, 109.0],
    ];
    let text = format!("{RULES}[stops]\ntrail = 0.10\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    assert_eq!(run.trades[0].exit_bar, 3);
    near(run.trades[0].exit_price, 108.0);
    assert_eq!(run.trades[0].reason, Reason::Trail);
}

#[test]
fn breakeven_moves_the_stop_to_the_entry() {
    let bars = [
        flat(100.0),
        flat(100.0),
        [100.0, 106.0, 100.0, 105.0],
        [105.0, 105.0, 99.0, 99.0],
    ];
    let text = format!("{RULES}[stops]\nstop = 0.10\nbreakeven = 0.05\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    near(run.trades[0].exit_price, 100.0);
    assert_eq!(run.trades[0].reason, Reason::Stop);
}

#[test]
fn a_limit_needs_to_be_traded_through_unless_a_touch_is_enough() {
    let bars = [flat(100.0), [100.0, 100.0, 99.0, 100.0], flat(100.0)];
    let market = one(tape(&bars, &[("buy", &[0]), ("sell", &[])]));
    let text =
        |more: &str| format!("{RULES}[fill]\norder = \"limit\"\nprice = \"close * 0.99\"\n{more}");
    let through = run(&market, &text(""));
    assert_eq!(through.orders[0].outcome, Outcome::Expired);
    assert_eq!(through.orders[0].reason, Reason::NotReached);
    let touch = run(&market, &text("limit_touch = \"touch\"\n"));
    near(touch.trades[0].entry_price, 99.0);
}

#[test]
fn a_limit_below_which_the_bar_opens_fills_at_the_open() {
    let bars = [flat(100.0), [97.0, 98.0, 96.0, 98.0], flat(98.0)];
    let text = format!("{RULES}[fill]\norder = \"limit\"\nprice = \"close * 0.99\"\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    near(run.trades[0].entry_price, 97.0);
}

#[test]
fn a_waiting_limit_is_cancelled_when_its_exit_fires() {
    let bars = [flat(100.0); 4];
    let text =
        format!("{RULES}[fill]\norder = \"limit\"\nprice = \"close * 0.9\"\ntif = \"gtc\"\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[2])])), &text);
    assert_eq!(run.orders[0].outcome, Outcome::Cancelled);
    assert_eq!(run.orders[0].reason, Reason::ExitFirst);
}

#[test]
fn the_volume_cap_fills_in_parts_until_the_order_is_done() {
    let bars = [flat(10.0); 6];
    let text =
        format!("{RULES}[fill]\nvolume_cap = 0.1\n[size]\nmethod = \"shares\"\nvalue = 250\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    assert_eq!(run.orders.len(), 1);
    assert_eq!(run.orders[0].outcome, Outcome::Filled);
    assert_eq!(run.orders[0].fill_bar, Some(3));
    near(run.orders[0].filled, 250.0);
    near(run.trades[0].shares, 250.0);
}

#[test]
fn an_order_that_the_volume_cut_short_says_so_at_the_end() {
    let bars = [flat(10.0); 3];
    let text =
        format!("{RULES}[fill]\nvolume_cap = 0.1\n[size]\nmethod = \"shares\"\nvalue = 250\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), &text);
    assert_eq!(run.orders[0].outcome, Outcome::PartlyFilled);
    near(run.orders[0].filled, 200.0);
}

#[test]
fn fees_are_per_order_per_share_and_a_fraction_within_their_bounds() {
    let bars = [flat(10.0), flat(10.0), flat(10.0), flat(10.0)];
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[size]\nmethod = \"shares\"\nvalue = 100\n\
                [costs]\nper_share = 0.005\nmin = 1.0\nmax = 0.01\n";
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[1])])), text);
    near(run.trades[0].entry_fee, 1.0);
    near(run.equity[3], 100_000.0 - 2.0);
}

#[test]
fn all_the_cash_is_spent_fees_included_and_none_is_left() {
    let bars = [flat(33.3), flat(37.7), flat(37.7)];
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[size]\nmethod = \"fraction\"\nvalue = 1.0\n\
                [costs]\ncommission = 0.001\nper_share = 0.01\nper_order = 3\n";
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), text);
    assert_eq!(run.cash[1], 0.0);
    let shares = run.trades[0].shares;
    near(shares * 37.7 * 1.001 + shares * 0.01 + 3.0, 100_000.0);
}

#[test]
fn slots_go_by_priority_and_who_gets_none_is_told_why() {
    let bars = [flat(10.0); 3];
    let tapes = ["A", "B", "C"].iter().enumerate().map(|(i, name)| {
        let wish = tape(&bars, &[("buy", &[0]), ("sell", &[])])
            .with_extra("score", vec![[1.0, 3.0, 2.0][i]; 3])
            .expect("a column");
        ((*name).to_string(), wish)
    });
    let market = Market::from_tapes(tapes.collect()).expect("tapes");
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\npriority = \"score\"\n[size]\nmax_positions = 2\n[costs]\npreset = \"none\"\n";
    let run = run(&market, text);
    let held = run.trades.iter().map(|t| t.symbol).collect::<Vec<_>>();
    assert_eq!(held, [1, 2]);
    let refused = run.orders.iter().find(|o| o.symbol == 0).expect("an order");
    assert_eq!(
        (refused.outcome, refused.reason),
        (Outcome::Rejected, Reason::Slots)
    );
    near(run.trades[0].shares, 5_000.0);
}

#[test]
fn a_position_is_sold_after_its_time_and_no_entry_follows_at_once() {
    let bars = [flat(10.0); 8];
    let every = (0..8).collect::<Vec<_>>();
    let text = "[rules]\nenter = \"buy > 0\"\nhold_bars_max = 2\ncooldown_bars = 1\n[costs]\npreset = \"none\"\n";
    let run = run(&one(tape(&bars, &[("buy", &every)])), text);
    let trade = &run.trades[0];
    // Bought on bar 1, held two bars at the close of bar 3, sold on bar 4.
    assert_eq!(
        (trade.entry_bar, trade.exit_bar, trade.reason),
        (1, 4, Reason::Time)
    );
    // The closes of bars 4 and 5 decide nothing, that of bar 6 does.
    assert_eq!(run.trades[1].entry_bar, 7);
}

#[test]
fn a_dividend_is_owed_on_its_ex_date_and_cash_on_its_pay_date() {
    let bars = [flat(10.0); 6];
    let market = one(tape(&bars, &[("buy", &[0]), ("sell", &[])])).with_actions(vec![Action {
        time: day(DAYS[2]),
        symbol: "A".to_string(),
        kind: ActionKind::Dividend,
        value: 0.5,
        pay: Some(day(DAYS[4])),
        declared: None,
    }]);
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[costs]\npreset = \"none\"\n[size]\nmethod = \"shares\"\nvalue = 100\n";
    let run = run(&market, text);
    near(run.equity[1], 100_000.0);
    near(run.equity[2], 100_050.0);
    near(run.cash[3], 99_000.0);
    near(run.cash[4], 99_050.0);
    let booked = run
        .ledger
        .iter()
        .find(|e| e.kind == EntryKind::Dividend)
        .expect("an entry");
    assert_eq!(booked.bar, 4);
    let income: f64 = run
        .income
        .iter()
        .filter(|r| r.stream == Stream::Dividends)
        .map(|r| r.amount)
        .sum();
    near(income, 50.0);
}

#[test]
fn a_split_moves_shares_and_stops_and_keeps_the_value() {
    // 100 before, a two for one split on bar 3, the stop of 95 stands at 47.5 and is hit there.
    let bars = [
        flat(100.0),
        flat(100.0),
        flat(100.0),
        flat(50.0),
        [49.0, 49.0, 47.0, 48.0],
        flat(48.0),
    ];
    let market = one(tape(&bars, &[("buy", &[0]), ("sell", &[])])).with_actions(vec![Action {
        time: day(DAYS[3]),
        symbol: "A".to_string(),
        kind: ActionKind::Split,
        value: 2.0,
        pay: None,
        declared: None,
    }]);
    let run = run(&market, &format!("{RULES}[stops]\nstop = 0.05\n"));
    near(run.equity[3], run.equity[2]);
    near(run.trades[0].exit_price, 47.5);
    near(run.trades[0].shares, 1_000.0);
    near(run.equity[4], 95_000.0);
    assert!(
        run.ledger
            .iter()
            .any(|e| e.kind == EntryKind::Split && e.quantity == 1_000.0)
    );
}

#[test]
fn idle_cash_earns_for_calendar_days_and_nothing_on_the_first_bar() {
    let bars = [flat(10.0); 6];
    let text = "[rules]\nenter = \"buy > 0\"\n[cash]\nyield = 0.0365\n";
    let run = run(&one(tape(&bars, &[("buy", &[])])), text);
    near(run.equity[0], 100_000.0);
    near(run.equity[1], 100_000.0 * 1.0365_f64.powf(1.0 / 365.0));
    // From Friday the 12th over a holiday Monday to Tuesday the 16th: four days.
    near(run.equity[5] / run.equity[4], 1.0365_f64.powf(4.0 / 365.0));
}

#[test]
fn proceeds_that_have_not_settled_cannot_be_spent() {
    let bars = [flat(10.0); 8];
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[size]\nmethod = \"fraction\"\nvalue = 1.0\n\
                [costs]\npreset = \"none\"\n[account]\nsettlement_days = 2\n";
    let wishes: &[(&str, &[usize])] = &[("buy", &[0, 2, 3]), ("sell", &[1])];
    let run = run(&one(tape(&bars, wishes)), text);
    // Sold on bar 2, settles on bar 4: the order filled on bar 3 finds no cash, that of bar 4 does.
    assert_eq!(run.orders[2].outcome, Outcome::Rejected);
    assert_eq!(run.orders[2].reason, Reason::Cash);
    assert_eq!(run.orders[3].fill_bar, Some(4));
}

#[test]
fn a_symbol_that_stops_trading_is_closed_at_its_last_price_less_the_haircut() {
    let long = tape(&[flat(10.0); 10], &[("buy", &[]), ("sell", &[])]);
    let short = tape(&[flat(20.0); 3], &[("buy", &[0]), ("sell", &[])]);
    let market = Market::from_tapes(vec![("A".into(), long), ("B".into(), short)]).expect("tapes");
    let text = "[data]\nsource = \"unused\"\ndelist_after = 4\ndelist_haircut = 0.5\n[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[costs]\npreset = \"none\"\n";
    let strategy =
        Strategy::parse(text, "story", Path::new("."), &Overrides::default()).expect("parses");
    let run = backtest(&market, &strategy).expect("runs");
    let trade = &run.trades[0];
    // Last bar on session 2; four sessions later is session 6.
    assert_eq!((trade.exit_bar, trade.reason), (6, Reason::Delisted));
    near(trade.exit_price, 10.0);
}

#[test]
fn short_while_long_closes_and_reverses_at_one_fill() {
    let bars = [flat(10.0), flat(10.0), flat(10.0), flat(10.0), flat(8.0)];
    let text = "[rules]\nenter = \"buy > 0\"\nshort = \"sell > 0\"\n[size]\nmethod = \"shares\"\nvalue = 100\n\
                [costs]\nborrow_rate = 0.0\n[account]\nkind = \"margin\"\nmargin_rate = 0.0\n";
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[2])])), text);
    assert_eq!(run.orders.len(), 2);
    near(run.orders[1].filled, 200.0);
    assert_eq!(run.trades.len(), 2);
    assert_eq!(run.trades[1].side.name(), "short");
    assert_eq!(run.trades[1].status, TradeStatus::Open);
    near(run.equity[4], 100_200.0);
}

#[test]
fn a_loss_beyond_the_maintenance_margin_is_sold_at_the_next_open() {
    let bars = [flat(100.0), flat(100.0), flat(60.0), flat(58.0), flat(58.0)];
    let text = "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[size]\nmethod = \"fraction\"\nvalue = 2.0\n\
                [costs]\npreset = \"none\"\n[account]\nkind = \"margin\"\nmargin_rate = 0.0\ninitial_margin = 0.5\nmaintenance_margin = 0.35\n";
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[])])), text);
    // 2,000 shares on 100,000 of debt: at 60 the equity is 20,000 of 120,000.
    near(run.cash[1], -100_000.0);
    let trade = &run.trades[0];
    assert_eq!((trade.exit_bar, trade.reason), (3, Reason::MarginCall));
    near(run.equity[4], 16_000.0);
}

#[test]
fn each_symbol_has_its_own_cash() {
    let a = tape(
        &[flat(10.0), flat(10.0), flat(20.0)],
        &[("buy", &[0]), ("sell", &[])],
    );
    let b = tape(
        &[flat(10.0), flat(10.0), flat(5.0)],
        &[("buy", &[0]), ("sell", &[])],
    );
    let market = Market::from_tapes(vec![("A".into(), a), ("B".into(), b)]).expect("tapes");
    let run = run(
        &market,
        &format!("{RULES}[account]\ncash = 1000\neach = true\n"),
    );
    near(run.start_equity, 2_000.0);
    near(run.equity[2], 2_500.0);
    near(run.each[0].equity[2], 2_000.0);
    near(run.each[1].equity[2], 500.0);
}

#[test]
fn benchmarks_buy_at_the_next_open_and_reinvest() {
    let bars = [flat(10.0), flat(10.0), flat(10.0), flat(10.0), flat(10.0)];
    let market = one(tape(&bars, &[("buy", &[]), ("sell", &[])])).with_actions(vec![Action {
        time: day(DAYS[2]),
        symbol: "A".to_string(),
        kind: ActionKind::Dividend,
        value: 1.0,
        pay: None,
        declared: None,
    }]);
    let outcome = simulate(&market, &strategy(RULES)).expect("runs");
    let names = outcome
        .benchmarks
        .iter()
        .map(|(n, _)| n.as_str())
        .collect::<Vec<_>>();
    assert_eq!(names, ["universe", "cash"]);
    let held = &outcome.benchmarks[0].1;
    near(held.cash[1], 0.0);
    near(held.cash[2], 10_000.0);
    near(held.cash[3], 0.0);
    near(held.equity[4], 110_000.0);
}

#[test]
fn the_close_that_decides_may_fill_when_asked_for() {
    let bars = [flat(10.0), [20.0, 20.0, 20.0, 20.0], flat(30.0)];
    let text = format!("{RULES}[fill]\nat = \"close\"\n");
    let run = run(&one(tape(&bars, &[("buy", &[0]), ("sell", &[1])])), &text);
    near(run.trades[0].entry_price, 10.0);
    near(run.trades[0].exit_price, 20.0);
    assert_eq!(run.orders[0].fill_bar, Some(0));
}

#[test]
fn a_position_is_sold_after_its_time_even_between_the_days_on_which_rules_decide() {
    // Rules decide on the last day of a week: Friday the 12th is bar 4, Friday the 19th bar 8.
    let text = "[rules]\nenter = \"buy > 0\"\nevery = \"week\"\nhold_bars_max = 1\n[costs]\npreset = \"none\"\n";
    let bars = [flat(10.0); 10];
    let run = run(&one(tape(&bars, &[("buy", &[0, 1, 2, 3, 4])])), text);
    let trade = &run.trades[0];
    assert_eq!(
        (trade.entry_bar, trade.exit_bar, trade.reason),
        (5, 7, Reason::Time)
    );
}

#[test]
fn small_dividends_of_a_benchmark_wait_until_their_purchase_is_worth_its_fee() {
    let bars = [flat(10.0); 6];
    let dividend = |at: usize, value: f64| Action {
        time: day(DAYS[at]),
        symbol: "A".to_string(),
        kind: ActionKind::Dividend,
        value,
        pay: None,
        declared: None,
    };
    let market = one(tape(&bars, &[("buy", &[])]))
        .with_actions(vec![dividend(2, 0.008), dividend(3, 0.008)]);
    let text = "[rules]\nenter = \"buy > 0\"\n[costs]\nmin = 1.0\n";
    let outcome = simulate(&market, &strategy(text)).expect("runs");
    let held = &outcome.benchmarks[0].1;
    // 80 dollars on bar 2 would lose more than a hundredth to the fee; 160 on bar 3 do not.
    near(held.cash[3], 2.0 * 0.008 * 9_999.9);
    near(held.cash[4], 0.0);
}

#[test]
fn a_limit_for_the_day_waits_out_the_session_on_intraday_bars() {
    let minute = 60_000_000;
    let open = day(DAYS[0]) + 570 * minute;
    let next = day(DAYS[1]) + 570 * minute;
    let time = vec![open, open + minute, open + 2 * minute, next, next + minute];
    let low = vec![100.0, 100.0, 98.0, 100.0, 98.0];
    let column = |v: f64| vec![v; 5];
    let market = |wish: usize| {
        let mut flags = column(0.0);
        flags[wish] = 1.0;
        let bars = Bars::new(
            time.clone(),
            column(100.0),
            column(100.0),
            low.clone(),
            column(100.0),
            None,
        )
        .and_then(|b| b.with_extra("buy", flags))
        .and_then(|b| b.with_extra("sell", column(0.0)))
        .expect("bars");
        one(bars)
    };
    let text = format!("{RULES}[fill]\norder = \"limit\"\nprice = \"close * 0.99\"\n");
    // Decided on the first minute, reached on the third of the same session.
    assert_eq!(run(&market(0), &text).orders[0].fill_bar, Some(2));
    // Decided on the last minute, good for the next session only: reached in its second minute.
    assert_eq!(run(&market(2), &text).orders[0].fill_bar, Some(4));
    // Never reached in its session: it expires before the next one can fill it.
    let dear = text.replace("0.99", "0.97");
    let expired = &run(&market(0), &dear).orders[0];
    assert_eq!(
        (expired.outcome, expired.reason),
        (Outcome::Expired, Reason::NotReached)
    );
}

#[test]
fn a_missing_session_is_an_error_when_asked_for() {
    let strategy = |missing: &str| {
        let text = format!(
            "[data]\nsource = \"unused\"\nmissing = \"{missing}\"\ncalendar = \"nyse\"\n{RULES}"
        );
        Strategy::parse(&text, "story", Path::new("."), &Overrides::default()).expect("parses")
    };
    let whole = tape(&[flat(10.0); 8], &[("buy", &[]), ("sell", &[])]);
    let mut market = one(whole.clone());
    market.calendar = papertape::market::Calendar::Nyse;
    assert!(backtest(&market, &strategy("error")).is_ok());
    // Thursday the 11th is cut out.
    let times = [0, 1, 2, 4, 5, 6, 7].map(|i| day(DAYS[i])).to_vec();
    let gap = Bars::of_closes(times, vec![10.0; 7])
        .and_then(|b| b.with_extra("buy", vec![0.0; 7]))
        .and_then(|b| b.with_extra("sell", vec![0.0; 7]))
        .expect("bars");
    let mut market = one(gap);
    market.calendar = papertape::market::Calendar::Nyse;
    assert!(backtest(&market, &strategy("skip")).is_ok());
    let error = backtest(&market, &strategy("error")).expect_err("a session is missing");
    assert!(
        error
            .to_string()
            .contains("`A` has no bar on 1 sessions: 2024-01-11"),
        "{error}"
    );
}

#[test]
fn a_volume_cap_on_data_without_volume_is_an_error() {
    let bars = Bars::of_closes(vec![day(DAYS[0]), day(DAYS[1])], vec![10.0; 2])
        .and_then(|b| b.with_extra("buy", vec![0.0; 2]))
        .and_then(|b| b.with_extra("sell", vec![0.0; 2]))
        .expect("bars");
    let text = format!("{RULES}[fill]\nvolume_cap = 0.1\n");
    let error = backtest(&one(bars), &strategy(&text)).expect_err("there is no volume");
    assert!(error.to_string().contains("`A` has no volume"), "{error}");
}
