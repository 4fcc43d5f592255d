//! The assumptions that flatter a strategy: stories with figures worked out by hand, variations
//! that must equal another strategy's ordinary run, and random entries that must equal the loop.

use papertape::engine::{Placement, Run, Variation, Variations, backtest, simulate};
use papertape::market::{
    Action, ActionKind, Bars, Calendar, Interval, Market, Period, date_of, period_ends_of,
};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Stress, StressResult, judge};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use std::path::Path;

/// Weekdays from Monday 2001-01-01 on.
fn day(i: usize) -> Micros {
    (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS
}

fn strategy(text: &str) -> Strategy {
    let text = format!("[data]\nsource = \"unused\"\n{text}");
    Strategy::parse(&text, "story", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn flags(bars: usize, at: &[usize]) -> Vec<f64> {
    (0..bars).map(|i| f64::from(at.contains(&i))).collect()
}

/// One symbol known by its closes, with wishes to buy and to sell decided on those bars.
fn closes(prices: &[f64], buy: &[usize], sell: &[usize]) -> Bars {
    let time = (0..prices.len()).map(day).collect();
    Bars::of_closes(time, prices.to_vec())
        .and_then(|bars| bars.with_extra("buy", flags(prices.len(), buy)))
        .and_then(|bars| bars.with_extra("sell", flags(prices.len(), sell)))
        .unwrap()
}

fn market(bars: Vec<Bars>) -> Market {
    let tapes = bars.into_iter().enumerate();
    let mut market =
        Market::from_tapes(tapes.map(|(i, bars)| (format!("S{i}"), bars)).collect()).unwrap();
    market.calendar = Calendar::Weekdays;
    market
}

fn stressed(market: &Market, text: &str) -> Stress {
    let strategy = strategy(text);
    let outcome = simulate(market, &strategy).unwrap();
    judge(market, &strategy, outcome, 42).stress
}

const FREE: &str =
    "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n[costs]\npreset = \"none\"\n";

fn bps(stress: &Stress, key: &str) -> f64 {
    match stress.line(key).unwrap().result.clone() {
        Ok(StressResult::BreakEven { bps, beyond, .. }) => {
            assert!(!beyond);
            bps
        }
        other => panic!("{other:?}"),
    }
}

fn reason(stress: &Stress, key: &str) -> String {
    stress.line(key).unwrap().result.clone().unwrap_err()
}

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

#[test]
fn break_even_of_one_trade_is_worked_out_by_hand() {
    // Bought at 100, sold at 110, while holding ends at 105. A cost c a side leaves
    // (1 - c) 110 / ((1 + c) 100): 1 at c = 10 / 210, and 1.05 at c = 5 / 215.
    let bars = closes(&[100.0, 100.0, 110.0, 110.0, 105.0, 105.0], &[0], &[2]);
    let stress = stressed(&market(vec![bars]), FREE);
    near(bps(&stress, "break_even_cash"), 1e4 * 10.0 / 210.0, 2e-3);
    near(
        bps(&stress, "break_even_benchmark"),
        1e4 * 5.0 / 215.0,
        2e-3,
    );
}

#[test]
fn break_even_of_two_trades_replaces_all_costs_of_the_file() {
    // 100 to 110, then 100 to 120: ((1 - c) / (1 + c))^2 x 1.32 = 1.
    let prices = [100.0, 100.0, 110.0, 110.0, 100.0, 100.0, 120.0, 120.0, 90.0];
    let bars = closes(&prices, &[0, 4], &[2, 6]);
    let costs = "[costs]\ncommission = 0.001\nslippage_bps = 7\nper_share = 0.01\n";
    let text = FREE.replace("[costs]\npreset = \"none\"\n", costs);
    let stress = stressed(&market(vec![bars]), &text);
    let root = 1.32_f64.sqrt();
    near(
        bps(&stress, "break_even_cash"),
        1e4 * (root - 1.0) / (root + 1.0),
        2e-3,
    );
    // 10 + 7 bp, and a cent of some hundred dollars.
    let line = stress.line("break_even_cash").unwrap();
    let Ok(StressResult::BreakEven { paid_bps, .. }) = line.result else {
        panic!("{line:?}")
    };
    near(paid_bps.unwrap(), 18.0, 0.1);
}

#[test]
fn break_even_says_when_there_is_none() {
    let falls = closes(&[100.0, 100.0, 90.0, 90.0, 95.0], &[0], &[2]);
    let stress = stressed(&market(vec![falls]), FREE);
    assert_eq!(
        reason(&stress, "break_even_cash"),
        "behind cash even without costs"
    );
    let soars = closes(&[1.0, 1.0, 9.0, 9.0, 9.0], &[0], &[2]);
    let stress = stressed(&market(vec![soars]), FREE);
    let beyond = |line: &papertape::study::StressLine| {
        matches!(
            line.result,
            Ok(StressResult::BreakEven { beyond: true, .. })
        )
    };
    assert!(beyond(stress.line("break_even_cash").unwrap()));
    let never = closes(&[1.0, 2.0, 3.0], &[], &[]);
    let stress = stressed(&market(vec![never]), FREE);
    for key in [
        "break_even_cash",
        "one_bar_later",
        "without_best_days",
        "random_entries",
    ] {
        assert_eq!(reason(&stress, key), "no trades", "{key}");
    }
    assert_eq!(stress.worst, None);
}

/// Seven trades, one after the other, each all in: bought at 100, sold at 100 + gain per cent.
fn seven_trades(gains: [f64; 7]) -> Bars {
    let mut prices = vec![];
    let (mut buy, mut sell) = (vec![], vec![]);
    for gain in gains {
        let at = prices.len();
        buy.push(at);
        sell.push(at + 2);
        prices.extend([100.0, 100.0, 100.0 + gain, 100.0 + gain]);
    }
    prices.push(100.0);
    closes(&prices, &buy, &sell)
}

#[test]
fn without_the_best_five_trades_the_others_are_left() {
    let bars = seven_trades([10.0, -3.0, 20.0, 2.0, 5.0, 8.0, 12.0]);
    let stress = stressed(&market(vec![bars]), FREE);
    let line = stress.line("without_best_trades").unwrap();
    // 10, 20, 5, 8 and 12 per cent are taken out; -3 and 2 are left.
    near(
        line.figure("total_return").unwrap(),
        0.97 * 1.02 - 1.0,
        1e-12,
    );
    assert_eq!(line.figure("trades"), Some(2.0));
    assert_eq!(line.figure("sharpe"), None);
    let as_run = stress
        .line("as_run")
        .unwrap()
        .figure("total_return")
        .unwrap();
    let all = 1.1 * 0.97 * 1.2 * 1.02 * 1.05 * 1.08 * 1.12 - 1.0;
    near(as_run, all, 1e-12);
    // Fewer winners than five: losers are never taken out.
    let bars = seven_trades([10.0, -3.0, -5.0, -2.0, -4.0, -1.0, 12.0]);
    let stress = stressed(&market(vec![bars]), FREE);
    let line = stress.line("without_best_trades").unwrap();
    let left = 0.97 * 0.95 * 0.98 * 0.96 * 0.99 - 1.0;
    near(line.figure("total_return").unwrap(), left, 1e-12);
    assert_eq!(line.figure("trades"), Some(5.0));
}

#[test]
fn five_trades_cannot_do_without_five() {
    let prices = [100.0, 100.0, 110.0, 110.0, 105.0, 105.0];
    let stress = stressed(&market(vec![closes(&prices, &[0], &[2])]), FREE);
    assert_eq!(
        reason(&stress, "without_best_trades"),
        "only 1 trade: nothing would be left"
    );
}

#[test]
fn without_the_best_ten_days_the_others_are_left() {
    // Held from bar 1 on: gains of 1 to 12 per cent, and a day of -5 per cent.
    let gains = [
        3.0, 1.0, 7.0, -5.0, 12.0, 2.0, 9.0, 4.0, 10.0, 5.0, 8.0, 6.0, 11.0,
    ];
    let mut prices = vec![100.0, 100.0];
    for gain in gains {
        prices.push(prices.last().unwrap() * (1.0 + gain / 100.0));
    }
    let stress = stressed(&market(vec![closes(&prices, &[0], &[])]), FREE);
    let line = stress.line("without_best_days").unwrap();
    near(
        line.figure("total_return").unwrap(),
        1.01 * 1.02 * 0.95 - 1.0,
        1e-12,
    );
    assert_eq!(stress.worst_line().unwrap().key, "without_best_days");
    // Nothing can be drawn elsewhere of a trade that fills the run.
    assert_eq!(
        reason(&stress, "random_entries"),
        "its trades leave no other bars to draw"
    );
}

#[test]
fn three_year_starts_are_counted_by_hand() {
    // Sixty months. Invested from the second on: the price rises by 1% a month for 24 months and
    // then stands still, while savings make 6% a year. A window of 36 months that holds n rising
    // months makes 1.01^n against 1.06^3 = 1.191: ahead with n >= 18 (1.01^18 = 1.196).
    let months = 60;
    let first = chrono::NaiveDate::from_ymd_opt(2001, 1, 31).unwrap();
    let time = (0..months)
        .map(|i| {
            let date = first.checked_add_months(chrono::Months::new(i)).unwrap();
            papertape::market::midnight(date)
        })
        .collect::<Vec<Micros>>();
    let prices = (0..months)
        .map(|i| 100.0 * 1.01_f64.powi((i as i32 - 1).clamp(0, 24)))
        .collect();
    let bars = Bars::of_closes(time, prices).unwrap();
    let bars = bars.with_extra("buy", flags(60, &[0])).unwrap();
    let bars = bars.with_extra("sell", flags(60, &[])).unwrap();
    let market = Market::from_tapes(vec![("S".to_owned(), bars)]).unwrap();
    assert_eq!(market.interval, Interval::Month);
    let stress = stressed(&market, &(FREE.to_owned() + "[cash]\nhurdle = 0.06\n"));
    // Windows begin with months 0 to 24. Returns of months 2 to 25 rise, so the window that begins
    // with month m holds 26 - m of them for m >= 2 (and 24 for 0 and 1): m <= 8 is ahead, 9 of 25.
    assert_eq!(
        stress.line("three_year_starts").unwrap().result,
        Ok(StressResult::Share {
            share: 9.0 / 25.0,
            of: 25
        })
    );
}

#[test]
fn the_schedule_moves_by_sessions() {
    // Rules that are always true but decide once a month: bought on the month's end, or later.
    let prices: Vec<f64> = (0..300).map(|i| 100.0 + f64::from(i)).collect();
    let market = market(vec![closes(&prices, &[], &[])]);
    let strategy =
        strategy("[rules]\nenter = \"close > 0\"\nevery = \"month\"\n[costs]\npreset = \"none\"\n");
    let variations = Variations::new(&market, &strategy).unwrap();
    assert_eq!(variations.schedule_days(), Some(22));
    for schedule_later in [0, 1, 5, 20] {
        let run = variations.run(&Variation {
            schedule_later,
            ..Variation::default()
        });
        // The last weekday of January 2001 is bar 22.
        assert_eq!(run.orders[0].decided, 22 + schedule_later);
    }
}

#[test]
fn rules_about_the_position_are_obeyed_one_bar_later() {
    let prices: Vec<f64> = (0..40).map(|i| 100.0 + f64::from(i % 7)).collect();
    let market = market(vec![closes(&prices, &[2, 20], &[])]);
    let text = |bars: u32| {
        format!(
            "[rules]\nenter = \"buy > 0\"\nexit = \"bars_held >= {bars}\"\n[costs]\ncommission = 0.001\n"
        )
    };
    let now = strategy(&text(3));
    let later = Variations::new(&market, &now).unwrap().run(&Variation {
        one_bar_later: true,
        ..Variation::default()
    });
    let fills: Vec<_> = later
        .trades
        .iter()
        .map(|t| (t.entry_bar, t.exit_bar))
        .collect();
    // Decided on 3, filled on 4; three bars are over on 7, decided on 8, filled on 9.
    assert_eq!(fills, [(4, 9), (22, 27)]);
    // A limit on the time held is one bar longer, too.
    let held =
        strategy("[rules]\nenter = \"buy > 0\"\nhold_bars_max = 3\n[costs]\ncommission = 0.001\n");
    let limited = Variations::new(&market, &held).unwrap().run(&Variation {
        one_bar_later: true,
        ..Variation::default()
    });
    assert_eq!(limited.equity, later.equity);
}

/// Random closes of several symbols: the first from the first day on, others perhaps later.
fn paths() -> impl proptest::strategy::Strategy<Value = Vec<(usize, Vec<[f64; 2]>)>> {
    let bars = prop::collection::vec([-0.05..0.05_f64, -0.03..0.03], 40..90);
    prop::collection::vec((0..20_usize, bars), 1..4)
}

/// Bars of a path; the first symbol begins at 0 and is as long as the longest.
fn tapes(paths: &[(usize, Vec<[f64; 2]>)]) -> Vec<Bars> {
    let end = paths
        .iter()
        .map(|(late, steps)| late + steps.len())
        .max()
        .unwrap();
    let of_path = |(at, (late, steps)): (usize, &(usize, Vec<[f64; 2]>))| {
        let late = if at == 0 { 0 } else { *late };
        let (mut open, mut close) = (vec![], vec![]);
        let mut price = 50.0;
        for i in 0..end - late {
            let [step, gap] = steps[i % steps.len()];
            open.push(price * (1.0 + gap));
            price *= 1.0 + step;
            close.push(price);
        }
        let extreme = |pick: fn(f64, f64) -> f64| {
            open.iter()
                .zip(&close)
                .map(|(a, b)| pick(*a, *b))
                .collect::<Vec<f64>>()
        };
        let (high, low) = (extreme(f64::max), extreme(f64::min));
        let time = (late..end).map(day).collect();
        Bars::new(time, open, high, low, close, None).unwrap()
    };
    paths.iter().enumerate().map(of_path).collect()
}

/// Trades of each symbol: entries, times held and pauses, as far as there are bars.
fn trades(bars: usize, draws: &[(usize, usize, bool)], both: bool) -> Vec<(usize, usize, bool)> {
    let mut at = 1;
    let mut trades = vec![];
    for (pause, held, long) in draws {
        let entry = at + pause;
        if entry + held >= bars {
            break;
        }
        trades.push((entry, *held, *long || !both));
        at = entry + held + 1;
    }
    trades
}

fn with_wishes(bars: Bars, trades: &[(usize, usize, bool)], shift: usize) -> Bars {
    let n = bars.len();
    let at = |long: bool, exit: bool| {
        let of = trades.iter().filter(|(.., l)| *l == long);
        of.map(|(entry, held, _)| if exit { entry + held } else { *entry } - shift)
            .collect::<Vec<usize>>()
    };
    bars.with_extra("buy", flags(n, &at(true, false)))
        .and_then(|bars| bars.with_extra("sell", flags(n, &at(true, true))))
        .and_then(|bars| bars.with_extra("short", flags(n, &at(false, false))))
        .and_then(|bars| bars.with_extra("cover", flags(n, &at(false, true))))
        .unwrap()
}

const FILLS: [&str; 3] = ["next_open", "close", "next_close"];
const COSTS: [&str; 3] = [
    "preset = \"none\"",
    "commission = 0.001\nslippage_bps = 5",
    "per_order = 2\nspread_bps = 10\nmin = 3",
];
/// Sizes, accounts and what idle money or holdings earn. Where dividends are paid no entry needs
/// their cash.
const ACCOUNTS: [&str; 5] = [
    "[size]\nmethod = \"fraction\"\nvalue = 1.0\n[cash]\nyield = 0.04\n",
    "[size]\nmethod = \"fraction\"\nvalue = 0.4\nlot = 1\n",
    "[size]\nmethod = \"fraction\"\nvalue = 0.2\n",
    "[size]\nmethod = \"fraction\"\nvalue = 0.9\n[account]\neach = true\n",
    "[size]\nmethod = \"fraction\"\nvalue = 0.2\n[account]\nkind = \"margin\"\nmargin_rate = 0.06\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn placed_trades_are_those_of_the_loop(
        paths in paths(),
        draws in prop::collection::vec((0..9_usize, 1..12_usize, prop::bool::ANY), 3..20),
        fill in 0..3_usize,
        costs in 0..3_usize,
        account in 0..5_usize,
        split in prop::option::of((5..30_usize, prop::sample::select(vec![2.0, 0.5]))),
    ) {
        let is_margin = account == 4;
        let shift = usize::from(FILLS[fill] != "close");
        let mut bars = tapes(&paths);
        let mut placements = vec![];
        let value = [1.0, 0.4, 0.2, 0.9, 0.2][account];
        for (slot, bars) in bars.iter_mut().enumerate() {
            // Every symbol trades at its own times.
            let mut own = draws.clone();
            own.rotate_left(slot % draws.len());
            let trades = trades(bars.len(), &own, is_margin);
            *bars = with_wishes(bars.clone(), &trades, shift);
            placements.extend(trades.iter().map(|&(entry, bars, long)| Placement {
                slot, long, entry, bars, weight: value, sold: true,
            }));
        }
        let count = bars.len();
        let mut market = market(bars);
        let mut actions = vec![];
        if let Some((at, value)) = split {
            let action = |symbol: &str, bar: usize, kind, value| Action {
                time: day(bar), symbol: symbol.to_owned(), kind, value, pay: None, declared: None,
            };
            actions.push(action("S0", at, ActionKind::Split, value));
            if account == 2 || account == 4 {
                actions.push(action("S0", at + 3, ActionKind::Dividend, 0.7));
                actions.push(action("S0", at + 9, ActionKind::Dividend, 0.2));
            }
        }
        market = market.with_actions(actions);
        let sides = if is_margin { "short = \"short > 0\"\ncover = \"cover > 0\"\n" } else { "" };
        let borrow = if is_margin { "\nborrow_rate = 0.03" } else { "" };
        let strategy = strategy(&format!(
            "[rules]\nenter = \"buy > 0\"\nexit = \"sell > 0\"\n{sides}[fill]\nat = \"{}\"\n[costs]\n{}{borrow}\n{}",
            FILLS[fill], COSTS[costs], ACCOUNTS[account],
        ));
        let run = backtest(&market, &strategy).unwrap();
        let variations = Variations::new(&market, &strategy).unwrap();
        let mut placed = 0.0;
        for account in 0..variations.accounts() {
            let own = placements.iter().filter(|p| variations.accounts() == 1 || p.slot == account);
            let own: Vec<_> = own
                .map(|p| Placement { slot: if variations.accounts() == 1 { p.slot } else { 0 }, ..*p })
                .collect();
            placed += variations.placed(account, 1, |_, list| list.extend(&own))[0];
        }
        let end = *run.equity.last().unwrap();
        prop_assert!((placed - end).abs() <= 1e-9 * end, "{} symbols: {} is not {}", count, placed, end);
    }

    #[test]
    fn decided_later_is_the_same_rule_a_bar_ago(paths in paths(), kind in 0..4_usize) {
        let market = market(tapes(&paths));
        let text = |enter: &str, exit: &str, rest: &str| strategy(&format!(
            "[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n{rest}\n[costs]\ncommission = 0.001\n[stops]\nstop = 0.06\ntarget = 0.1\n"
        ));
        let (enter, exit) = [
            ("rsi(3) < 40", "rsi(3) > 60"),
            ("crosses_above(sma(2), sma(5))", "close < lowest(low, 3)[1]"),
            ("close > SX:close", "close < SX:close"),
            ("random(3) < 0.2", "random(4) < 0.2"),
        ][kind];
        let (enter, exit) = (enter.replace("SX", "S0"), exit.replace("SX", "S0"));
        let later = Variation { one_bar_later: true, ..Variation::default() };
        let run = |strategy: &Strategy, variation: &Variation| {
            Variations::new(&market, strategy).unwrap().run(variation)
        };
        let a = run(&text(&enter, &exit, ""), &later);
        let b = run(&text(&format!("({enter})[1]"), &format!("({exit})[1]"), ""), &Variation::default());
        prop_assert_eq!(&a.orders, &b.orders);
        prop_assert_eq!(&a.equity, &b.equity);
    }

    #[test]
    fn no_variation_is_the_run_itself(paths in paths(), each in prop::bool::ANY) {
        let market = market(tapes(&paths));
        let strategy = strategy(&format!(
            "[rules]\nenter = \"rsi(3) < 40\"\nexit = \"rsi(3) > 60 or bars_held > 9\"\n[stops]\nstop = 0.03\ntarget = 0.02\n\
             [account]\neach = {each}\n[cash]\nyield = 0.02\n"
        ));
        let plain: Run = backtest(&market, &strategy).unwrap();
        let varied = Variations::new(&market, &strategy).unwrap().run(&Variation::default());
        prop_assert_eq!(&plain.orders, &varied.orders);
        prop_assert_eq!(&plain.equity, &varied.equity);
        prop_assert_eq!(&plain.trades, &varied.trades);
        prop_assert_eq!(&plain.time, &varied.time);
    }
}

#[test]
fn a_moved_schedule_is_that_of_a_column_that_says_so() {
    let prices: Vec<f64> = (0..700)
        .map(|i| 100.0 + 20.0 * libm::sin(f64::from(i) / 17.0))
        .collect();
    let bars = closes(&prices, &[], &[]);
    let ends = period_ends_of(&bars.time, Period::Month, Calendar::Weekdays, Interval::Day);
    let rules = |enter: &str, exit: &str, every: &str| {
        strategy(&format!(
            "[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n{every}\n[costs]\ncommission = 0.001\n"
        ))
    };
    for later in [3, 11] {
        let mut moved = vec![0.0; prices.len()];
        for bar in (0..prices.len() - later).filter(|bar| ends[*bar]) {
            moved[bar + later] = 1.0;
        }
        let bars = bars.clone().with_extra("today", moved).unwrap();
        let market = market(vec![bars]);
        let scheduled = rules("close < sma(20)", "close > sma(20)", "every = \"month\"");
        let spelled = rules(
            "today > 0 and close < sma(20)",
            "today > 0 and close > sma(20)",
            "",
        );
        let varied = Variations::new(&market, &scheduled)
            .unwrap()
            .run(&Variation {
                schedule_later: later,
                ..Variation::default()
            });
        let plain = backtest(&market, &spelled).unwrap();
        assert!(plain.trades.len() > 5);
        assert_eq!(varied.orders, plain.orders);
        assert_eq!(varied.equity, plain.equity);
    }
}

#[test]
fn foresight_beats_random_entries_and_a_mirror_of_it_does_not() {
    // A saw: buying in the valleys is what no draw does, buying on the peaks neither.
    let prices: Vec<f64> = (0..400)
        .map(|i| [100.0, 104.0, 108.0, 104.0][i % 4])
        .collect();
    let valleys: Vec<usize> = (8..390).step_by(8).map(|i| i - 1).collect();
    let peaks: Vec<usize> = valleys.iter().map(|i| i + 2).collect();
    let share = |buy: &[usize]| {
        let sell: Vec<usize> = buy.iter().map(|i| i + 2).collect();
        let stress = stressed(&market(vec![closes(&prices, buy, &sell)]), FREE);
        match stress.line("random_entries").unwrap().result {
            Ok(StressResult::Share { share, of: 1000 }) => share,
            ref other => panic!("{other:?}"),
        }
    };
    near(share(&valleys), 1.0, 0.0);
    near(share(&peaks), 0.0, 0.0);
}

#[test]
fn ordinary_draws_lie_anywhere_among_random_entries() {
    // Entries that are themselves random: their places among a thousand others are spread evenly,
    // so that the mean of many is near a half.
    let (mut sum, runs) = (0.0, 60);
    for seed in 0..runs {
        let mut price = 100.0;
        let mut state = seed * 7919 + 1;
        let mut prices = vec![];
        for _ in 0..500 {
            state = (state * 1_103_515_245 + 12345) % 2_147_483_648_u64;
            price *= 1.0 + (state as f64 / 2_147_483_648.0 - 0.5) * 0.04;
            prices.push(price);
        }
        let text = format!(
            "[rules]\nenter = \"random({seed}) < 0.1\"\nhold_bars_max = 5\n[costs]\ncommission = 0.001\n"
        );
        let stress = stressed(&market(vec![closes(&prices, &[], &[])]), &text);
        match stress.line("random_entries").unwrap().result {
            Ok(StressResult::Share { share, .. }) => sum += share,
            ref other => panic!("{other:?}"),
        }
    }
    near(sum / runs as f64, 0.5, 0.12);
}

#[test]
fn every_shipped_strategy_is_stressed_and_the_run_is_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let strategy = Strategy::read(&path, &Overrides::default()).unwrap();
        let market = papertape::engine::read_market(&strategy, false).unwrap();
        let outcome = simulate(&market, &strategy).unwrap();
        let before = outcome.run.clone();
        let judged = judge(&market, &strategy, outcome, 42);
        assert_eq!(judged.outcome.run, before);
        let stress = &judged.stress;
        // Premiums of a model have two lines more.
        let lines = if strategy.options.is_some() { 18 } else { 16 };
        assert_eq!(stress.lines.len(), lines, "{}", path.display());
        let as_run = stress.line("as_run").unwrap();
        for key in ["total_return", "cagr", "sharpe", "max_drawdown", "trades"] {
            assert_eq!(as_run.figure(key), judged.metrics.get(key));
        }
        let worst = stress.worst_line().unwrap().figure("total_return");
        for line in &stress.lines[1..] {
            if let Ok(StressResult::Figures(_)) = line.result {
                assert!(line.figure("total_return") >= worst, "{line:?}");
            }
        }
        let years = date_of(before.time[before.time.len() - 1]) - date_of(before.time[0]);
        assert!(years.num_days() > 3 * 366);
        assert!(stress.line("three_year_starts").unwrap().result.is_ok());
        let again = judge(
            &market,
            &strategy,
            simulate(&market, &strategy).unwrap(),
            42,
        );
        assert_eq!(&again.stress, stress);
    }
}

mod verb {
    use std::process::Command;

    fn stdout(args: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_papertape"))
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_table_begins_with_its_worst_line_and_fits_the_page() {
        for file in ["faber-ten-month", "rsi-30-70", "donchian-turtle"] {
            let text = stdout(&["stress", &format!("strategies/{file}.toml")]);
            let headline = text.lines().nth(2).unwrap();
            assert!(headline.starts_with("Worst: "), "{text}");
            assert!(headline.contains(": CAGR "), "{text}");
            assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
            assert!(text.contains("no options"));
            assert!(!text.contains('…'), "{text}");
        }
    }

    #[test]
    fn json_and_csv_say_the_same() {
        let file = "strategies/faber-ten-month.toml";
        let json: serde_json::Value =
            serde_json::from_str(&stdout(&["stress", "--format", "json", file])).unwrap();
        assert_eq!(json["schema"], 1);
        let lines = json["lines"].as_array().unwrap();
        assert!(lines.iter().any(|line| line["key"] == json["worst"]));
        let csv = stdout(&["stress", "--format", "csv", file]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), lines.len());
        for (row, line) in rows.iter().zip(lines) {
            for (name, cell) in headers.iter().zip(row) {
                match line.get(name) {
                    Some(serde_json::Value::Number(n)) => {
                        // The parser of JSON in this test is off by a last bit now and then.
                        let (a, b) = (cell.parse::<f64>().unwrap(), n.as_f64().unwrap());
                        assert!((a - b).abs() <= 1e-15 * b.abs(), "{name}: {a} is not {b}");
                    }
                    Some(serde_json::Value::String(text)) => assert_eq!(cell, text),
                    Some(serde_json::Value::Null) => assert_eq!(cell, ""),
                    _ if name == "name" => {}
                    _ => assert_eq!(cell, "", "{name}"),
                }
            }
        }
        // The seed is that of the random entries alone.
        let other = stdout(&["stress", "--seed", "7", "--format", "csv", file]);
        let differing = csv.lines().zip(other.lines()).filter(|(a, b)| a != b);
        let keys: Vec<_> = differing
            .map(|(a, _)| a.split(',').nth(1).unwrap().to_owned())
            .collect();
        assert!(keys.iter().all(|key| key == "random_entries"), "{keys:?}");
    }
}
