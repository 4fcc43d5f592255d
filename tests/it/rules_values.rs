//! Values of expressions, worked out by hand on small columns: every function and its edges.

#![allow(clippy::unwrap_used)]

use papertape::market::{Action, ActionKind, Bars, Calendar, Interval, Market, midnight};
use papertape::rules::{
    Columns, EvalOptions, Held, Kind, Mask, Program, Request, Value, Vocabulary, functions,
};
use papertape::units::{DAY_MICROS, Micros};

pub(crate) const OPTIONS: EvalOptions = EvalOptions {
    periods_a_year: 252.0,
    total_return: false,
};

/// Midnight of a date.
pub(crate) fn date(year: i32, month: u32, day: u32) -> Micros {
    midnight(chrono::NaiveDate::from_ymd_opt(year, month, day).unwrap())
}

/// Days one after another from 1970-01-05, a Monday.
fn days(n: usize) -> Vec<Micros> {
    (0..n as i64).map(|d| (4 + d) * DAY_MICROS).collect()
}

/// One symbol `A` of closes on consecutive days, each day a session.
fn closes(close: &[f64]) -> Market {
    let bars = Bars::of_closes(days(close.len()), close.to_vec()).unwrap();
    let mut market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    market.calendar = Calendar::AllDays;
    market.interval = Interval::Day;
    market
}

pub(crate) fn request(text: &str) -> Request<'_> {
    Request {
        key: "rules.exit",
        text,
        offset: None,
        expects: Kind::Any,
        position: true,
    }
}

pub(crate) fn compiled(market: &Market, params: &[(String, f64)], text: &str) -> Program {
    Program::compile(params, &[], &[request(text)], &Vocabulary::of(market))
        .unwrap_or_else(|problems| panic!("{text}: {problems:#?}"))
}

fn columns(market: &Market, text: &str) -> (Program, Vec<Columns>) {
    let program = compiled(market, &[], text);
    let columns = program.evaluate(market, &OPTIONS).unwrap();
    (program, columns)
}

/// The numbers of an expression on a tape; `None` where it is absent.
fn numbers_of(market: &Market, tape: usize, text: &str) -> Vec<Option<f64>> {
    let (program, columns) = columns(market, text);
    let column = columns[tape].number(program.wanted(0));
    assert_eq!(column.len(), market.tapes[tape].bars.len(), "{text}");
    column.iter().map(|x| (!x.is_nan()).then_some(*x)).collect()
}

fn numbers(market: &Market, text: &str) -> Vec<Option<f64>> {
    numbers_of(market, 0, text)
}

/// The answers of a condition on a tape: `y`, `n`, or `.` where it is absent.
fn answers_of(market: &Market, tape: usize, text: &str) -> String {
    let (program, columns) = columns(market, text);
    let mask = columns[tape].condition(program.wanted(0));
    assert_eq!(mask.len(), market.tapes[tape].bars.len(), "{text}");
    shown(mask)
}

fn shown(mask: &Mask) -> String {
    let shown = |i| match mask.get(i) {
        Some(true) => 'y',
        Some(false) => 'n',
        None => '.',
    };
    (0..mask.len()).map(shown).collect()
}

fn answers(market: &Market, text: &str) -> String {
    answers_of(market, 0, text)
}

/// A column with the given cells; NaN is a missing one.
fn with_column(market: Market, name: &str, cells: &[f64]) -> Market {
    let bars = market.tapes[0]
        .bars
        .clone()
        .with_extra(name, cells.to_vec())
        .unwrap();
    let mut wider = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    wider.calendar = market.calendar;
    wider.interval = market.interval;
    wider
}

const NAN: f64 = f64::NAN;

#[test]
fn arithmetic_and_its_edges() {
    let market = with_column(
        closes(&[1.0, 2.0, 4.0, 8.0]),
        "z",
        &[0.0, -1.0, NAN, 1000.0],
    );
    let of = |text| numbers(&market, text);
    assert_eq!(
        of("close + z * 2 - 1"),
        [Some(0.0), Some(-1.0), None, Some(2007.0)]
    );
    assert_eq!(
        of("-close"),
        [Some(-1.0), Some(-2.0), Some(-4.0), Some(-8.0)]
    );
    assert_eq!(of("2 - 3 - 4"), [Some(-5.0); 4]);
    assert_eq!(of("close / z"), [None, Some(-2.0), None, Some(0.008)]);
    assert_eq!(of("z / z"), [None, Some(1.0), None, Some(1.0)]);
    assert_eq!(of("1 / 0"), [None; 4]);
    assert_eq!(of("log(z)"), [None, None, None, Some(libm::log(1000.0))]);
    assert_eq!(
        of("sqrt(z)"),
        [Some(0.0), None, None, Some(1000_f64.sqrt())]
    );
    assert_eq!(of("exp(z)"), [Some(1.0), Some(libm::exp(-1.0)), None, None]);
    assert_eq!(of("exp(z) * exp(z) * 1e300 * 1e300")[0], None);
    assert_eq!(of("abs(z)"), [Some(0.0), Some(1.0), None, Some(1000.0)]);
    assert_eq!(
        of("min(close, 3, z)"),
        [Some(0.0), Some(-1.0), None, Some(3.0)]
    );
    assert_eq!(
        of("max(z, close)"),
        [Some(1.0), Some(2.0), None, Some(1000.0)]
    );
    assert_eq!(
        of("max(close, z)"),
        [Some(1.0), Some(2.0), None, Some(1000.0)]
    );
    assert_eq!(
        of("if(z >= 0, close, z * 10)"),
        [Some(1.0), Some(-10.0), None, Some(8.0)]
    );
    assert_eq!(
        of("if(close > 3, 5, z)"),
        [Some(0.0), Some(-1.0), Some(5.0), Some(5.0)]
    );
}

#[test]
fn comparisons_with_an_absent_side_are_neither() {
    let market = with_column(closes(&[1.0, 2.0, 3.0, 4.0]), "z", &[2.0, 2.0, NAN, 2.0]);
    for (text, wanted) in [
        ("close < z", "yn.n"),
        ("close <= z", "yy.n"),
        ("close > z", "nn.y"),
        ("close >= z", "ny.y"),
        ("close == z", "ny.n"),
        ("close != z", "yn.y"),
        ("z == 2", "yy.y"),
        ("2 != z", "nn.n"),
        ("z > 1", "yy.y"),
        ("3 > z", "yy.y"),
        ("z[1] == 2", ".yy."),
        ("not z > 1", "nn.n"),
        ("true", "yyyy"),
        ("1 / 0 > 3", "...."),
        ("3 < 2 or false", "nnnn"),
    ] {
        assert_eq!(answers(&market, text), wanted, "{text}");
    }
}

#[test]
fn logic_is_kleenes() {
    let market = closes(&[1.0]);
    let (yes, no, absent) = ("close > 0", "close < 0", "close[9] > 0");
    let table = [
        (yes, yes, "y", "y"),
        (yes, no, "n", "y"),
        (yes, absent, ".", "y"),
        (no, no, "n", "n"),
        (no, absent, "n", "."),
        (absent, absent, ".", "."),
    ];
    for (a, b, and, or) in table {
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(
                answers(&market, &format!("{a} and {b}")),
                and,
                "{a} and {b}"
            );
            assert_eq!(answers(&market, &format!("{a} or {b}")), or, "{a} or {b}");
            // A constant on a side is folded and must agree.
            for (name, text) in [("true", yes), ("false", no)] {
                let (a, b) = (a.replace(text, name), b.replace(text, name));
                assert_eq!(
                    answers(&market, &format!("{a} and {b}")),
                    and,
                    "{a} and {b}"
                );
                assert_eq!(answers(&market, &format!("{a} or {b}")), or, "{a} or {b}");
            }
        }
    }
    assert_eq!(answers(&market, &format!("not ({absent})")), ".");
    assert_eq!(
        answers(&market, &format!("if({absent}, {yes}, {yes})")),
        "."
    );
    assert_eq!(answers(&market, &format!("if({yes}, {no}, {absent})")), "n");
    assert_eq!(answers(&market, &format!("if({no}, {no}, {absent})")), ".");
}

#[test]
fn looking_back() {
    let market = closes(&[1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(
        numbers(&market, "close[2]"),
        [None, None, Some(1.0), Some(2.0), Some(3.0)]
    );
    assert_eq!(numbers(&market, "close[0] + close[1][1]")[2], Some(4.0));
    assert_eq!(numbers(&market, "close[99]"), [None; 5]);
    assert_eq!(answers(&market, "(close > 1)[1]"), ".nyyy");
    assert_eq!(answers(&market, "(close > 1)[99]"), ".....");
}

#[test]
fn crossings() {
    let market = closes(&[1.0, 2.0, 3.0, 2.0, 2.0, 3.0]);
    assert_eq!(answers(&market, "crosses_above(close, 2)"), "nnynny");
    // Bar 0 is below, but nobody knows where it came from.
    assert_eq!(answers(&market, "crosses_below(close, 2.5)"), ".nnynn");
    let closes = closes(&[1.0, 3.0, 1.0, 3.0, 3.0, 1.0]);
    let market = with_column(closes, "z", &[2.0, 2.0, NAN, 2.0, 2.0, 2.0]);
    // Bar 3: no value one bar ago; bar 4: was above already.
    assert_eq!(answers(&market, "crosses_above(close, z)"), "nyn.nn");
    assert_eq!(answers(&market, "crosses_below(close, z)"), ".n.nny");
}

#[test]
fn runs_counts_and_events() {
    let market = closes(&[1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 4.0]);
    assert_eq!(answers(&market, "rising(1)"), ".yynyyn");
    assert_eq!(answers(&market, "rising(close, 2)"), "..ynnyn");
    assert_eq!(answers(&market, "falling(1)"), ".nnnnny");
    assert_eq!(answers(&market, "falling(2)"), ".nnnnnn");
    let market = with_column(closes(&[1.0; 6]), "z", &[1.0, NAN, 5.0, 5.0, 1.0, 5.0]);
    let of = |text| numbers(&market, text);
    assert_eq!(
        of("bars_since(z > 3)"),
        [None, None, Some(0.0), Some(0.0), Some(1.0), Some(0.0)]
    );
    assert_eq!(of("bars_since(z > 9)"), [None; 6]);
    assert_eq!(
        of("count(z > 3, 2)"),
        [None, None, None, Some(2.0), Some(1.0), Some(1.0)]
    );
    assert_eq!(of("count(z > 3, 7)"), [None; 6]);
    assert_eq!(of("count(close > 0, 6)")[5], Some(6.0));
    assert_eq!(
        of("count(true, 2)"),
        [None, Some(2.0), Some(2.0), Some(2.0), Some(2.0), Some(2.0)]
    );
}

#[test]
fn the_calendar() {
    let time = vec![
        date(2023, 12, 28),
        date(2023, 12, 29),
        date(2024, 1, 2),
        date(2024, 1, 3) + 9 * 3_600_000_000 + 35 * 60_000_000,
    ];
    let bars = Bars::of_closes(time, vec![1.0; 4]).unwrap();
    let mut market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    market.calendar = Calendar::Nyse;
    market.interval = Interval::Day;
    let of = |text| {
        numbers(&market, text)
            .into_iter()
            .flatten()
            .collect::<Vec<f64>>()
    };
    assert_eq!(of("year"), [2023.0, 2023.0, 2024.0, 2024.0]);
    assert_eq!(of("month()"), [12.0, 12.0, 1.0, 1.0]);
    assert_eq!(of("day"), [28.0, 29.0, 2.0, 3.0]);
    assert_eq!(of("weekday"), [4.0, 5.0, 2.0, 3.0]);
    assert_eq!(of("hour * 100 + minute"), [0.0, 0.0, 0.0, 935.0]);
    assert_eq!(answers(&market, "is_month_end"), "nynn");
    assert_eq!(answers(&market, "is_month_start"), "nnyn");
}

/// Three symbols; `B` has no second bar, `C` no value of `z` on the third.
fn three() -> Market {
    let all = days(4);
    let tape = |times: &[usize], close: &[f64], z: &[f64]| {
        let time = times.iter().map(|t| all[*t]).collect();
        Bars::of_closes(time, close.to_vec())
            .unwrap()
            .with_extra("z", z.to_vec())
            .unwrap()
    };
    let a = tape(&[0, 1, 2, 3], &[1.0, 2.0, 3.0, 4.0], &[3.0, 1.0, 5.0, 2.0]);
    let b = tape(&[0, 2, 3], &[10.0, 30.0, 40.0], &[3.0, 2.0, 2.0]);
    let c = tape(&[0, 1, 2, 3], &[5.0, 6.0, 7.0, 8.0], &[1.0, 4.0, NAN, 2.0]);
    let tapes = vec![("A".into(), a), ("B".into(), b), ("C".into(), c)];
    Market::from_tapes(tapes).unwrap()
}

#[test]
fn ranks_across_symbols() {
    let market = three();
    assert_eq!(
        numbers_of(&market, 0, "rank(z)"),
        [Some(1.5), Some(2.0), Some(1.0), Some(2.0)]
    );
    assert_eq!(
        numbers_of(&market, 1, "rank(z)"),
        [Some(1.5), Some(2.0), Some(2.0)]
    );
    assert_eq!(
        numbers_of(&market, 2, "rank(z)"),
        [Some(3.0), Some(1.0), None, Some(2.0)]
    );
    assert_eq!(
        numbers_of(&market, 1, "rank()"),
        [Some(1.0), Some(1.0), Some(1.0)]
    );
    // z of 3, 3, 1: mean 7/3, stdev sqrt(8/9).
    let z = numbers_of(&market, 2, "zrank(z)");
    let wanted = (1.0 - 7.0 / 3.0) / (8.0_f64 / 9.0).sqrt();
    assert!((z[0].unwrap() - wanted).abs() < 1e-15);
    assert_eq!((z[2], z[3]), (None, None));
    // A rank is a column like any other, and ranks can be ranked.
    assert_eq!(numbers_of(&market, 0, "rank(z)[1] + 1")[1], Some(2.5));
    assert_eq!(numbers_of(&market, 0, "rank(-rank(z))")[2], Some(1.0));
    assert_eq!(
        answers_of(&market, 0, "rank(z) <= 1.5 and close > 0"),
        "ynyn"
    );
    let (program, _) = columns(&market, "rank(z)");
    assert!(program.crosses_symbols());
}

#[test]
fn other_symbols_are_absent_where_they_have_no_bar() {
    let market = three();
    assert_eq!(
        numbers_of(&market, 0, "B:close"),
        [Some(10.0), None, Some(30.0), Some(40.0)]
    );
    assert_eq!(
        numbers_of(&market, 1, "A:close - C:z"),
        [Some(0.0), None, Some(2.0)]
    );
    assert_eq!(numbers_of(&market, 1, "B:close - close"), [Some(0.0); 3]);
    assert_eq!(answers_of(&market, 0, "close < B:close"), "y.yy");
    // On this symbol's own bars: the bar before for B is A's first.
    assert_eq!(
        numbers_of(&market, 1, "A:close[1]"),
        [None, Some(1.0), Some(3.0)]
    );
}

#[test]
fn coarser_bars_are_seen_once_complete() {
    // Monday 1970-01-05 and the 11 days after it; a week ends on its Sunday (24/7).
    let close: Vec<f64> = (1..=15).map(f64::from).collect();
    let market = closes(&close);
    let weekly = numbers(&market, "close @ \"1w\"");
    assert_eq!(weekly[5], None);
    assert_eq!(weekly[6..13], [Some(7.0); 7]);
    assert_eq!(weekly[13..], [Some(14.0); 2]);
    assert_eq!(numbers(&market, "open @ \"1w\"")[6], Some(1.0));
    assert_eq!(numbers(&market, "(high - low)[1] @ \"1w\"")[13], Some(6.0));
    assert_eq!(
        numbers(&market, "sma(2) @ \"1w\"")[12..],
        [None, Some(10.5), Some(10.5)]
    );
    assert_eq!(
        answers(&market, "(close > open) @ \"1w\""),
        "......yyyyyyyyy"
    );
    // `[1]` behind `@` is one bar of the data ago.
    assert_eq!(
        numbers(&market, "(close @ \"1w\")[1]")[6..8],
        [None, Some(7.0)]
    );
    assert_eq!(numbers(&market, "3 @ \"1w\"")[5..7], [None, Some(3.0)]);
    // Other symbols keep their own open, high, low and close in the week.
    let market = three();
    assert_eq!(
        numbers_of(&market, 0, "B:close @ \"1d\""),
        numbers_of(&market, 0, "B:close")
    );
}

#[test]
fn annualising_knows_the_coarser_bar() {
    let close: Vec<f64> = (0..90).map(|i| 100.0 + f64::from(i * i % 17)).collect();
    let market = closes(&close);
    let weekly = numbers(&market, "realized_vol(3) @ \"1w\"");
    // The same from the weekly closes themselves.
    let ends: Vec<f64> = close.iter().skip(6).step_by(7).copied().collect();
    let r: Vec<f64> = ends.windows(2).map(|w| (w[1] / w[0]).ln()).collect();
    let last = &r[r.len() - 3..];
    let mean = last.iter().sum::<f64>() / 3.0;
    let variance = last.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2.0;
    let wanted = variance.sqrt() * 52_f64.sqrt();
    assert!((weekly[89].unwrap() / wanted - 1.0).abs() < 1e-12);
}

#[test]
fn implied_volatility_rank() {
    let market = with_column(closes(&[1.0; 5]), "iv", &[0.2, 0.3, 0.25, 0.2, 0.2]);
    let rank = numbers(&market, "iv_rank(3)");
    assert_eq!(rank[..2], [None; 2]);
    assert!((rank[2].unwrap() - 0.5).abs() < 1e-12);
    assert_eq!(rank[3], Some(0.0));
    let flat = with_column(closes(&[1.0; 3]), "implied_vol", &[0.2; 3]);
    assert_eq!(numbers(&flat, "iv_rank(2)"), [None; 3]);
}

#[test]
fn random_numbers_depend_on_seed_symbol_and_time() {
    let market = three();
    let of = |tape, text| numbers_of(&market, tape, text);
    let a = of(0, "random(1)");
    assert!(a.iter().all(|x| (0.0..1.0).contains(&x.unwrap())));
    assert_eq!(a, of(0, "random(1)"));
    assert_ne!(a[0], of(0, "random(2)")[0]);
    assert_ne!(a[0], of(1, "random(1)")[0]);
    assert_ne!(a[0], a[1]);
    // The other symbols, and bars before, do not matter.
    let alone = Market::from_tapes(vec![("A".into(), market.tapes[0].bars.slice(2..4))]).unwrap();
    assert_eq!(numbers(&alone, "random(1)"), a[2..]);
}

#[test]
fn indicators_take_the_close_unless_told_otherwise() {
    let time = days(3);
    let (open, high) = (vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]);
    let (low, close) = (vec![1.0, 1.0, 2.0], vec![2.0, 4.0, 6.0]);
    let volume = vec![10.0, 30.0, 10.0];
    let bars = Bars::new(time, open, high, low, close, Some(volume)).unwrap();
    let market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    assert_eq!(numbers(&market, "sma(2)"), [None, Some(3.0), Some(5.0)]);
    assert_eq!(
        numbers(&market, "sma(open, 2)"),
        [None, Some(1.5), Some(2.5)]
    );
    assert_eq!(numbers(&market, "sma(sma(2), 2)"), [None, None, Some(4.0)]);
    assert_eq!(
        numbers(&market, "highest(high, 2)"),
        [None, Some(5.0), Some(6.0)]
    );
    assert_eq!(numbers(&market, "sma(7, 2)"), [None, Some(7.0), Some(7.0)]);
    assert_eq!(
        numbers(&market, "volume[1]"),
        [None, Some(10.0), Some(30.0)]
    );
    assert_eq!(answers(&market, "close > highest(high, 2)[1]"), "..y");
}

#[test]
fn params_are_constants() {
    let market = closes(&[1.0, 2.0, 3.0, 4.0]);
    let params = [("n".to_string(), 1.0), ("close".to_string(), 50.0)];
    let program = compiled(&market, &params, "sma(n + 1)[n] + close");
    let columns = program.evaluate_one(&market, 0, &OPTIONS);
    let column = columns.number(program.wanted(0));
    assert_eq!(column[2..], [51.5, 52.5]);
    assert_eq!(program.warmup(program.wanted(0)), 2);
}

/// A 3-for-1 split on the third day.
fn split(dividend: Option<f64>) -> Market {
    let bars = Bars::new(
        days(4),
        vec![30.0, 33.0, 12.0, 13.0],
        vec![30.0, 33.0, 12.0, 13.0],
        vec![30.0, 33.0, 12.0, 13.0],
        vec![30.0, 33.0, 12.0, 13.0],
        Some(vec![100.0, 200.0, 900.0, 600.0]),
    );
    let other = Bars::of_closes(days(4), vec![5.0; 4]).unwrap();
    let tapes = vec![("A".into(), bars.unwrap()), ("B".into(), other)];
    let action = |kind, value, day: i64| Action {
        time: (4 + day) * DAY_MICROS,
        symbol: "A".into(),
        kind,
        value,
        pay: None,
        declared: None,
    };
    let mut actions = vec![action(ActionKind::Split, 3.0, 2)];
    actions.extend(dividend.map(|d| action(ActionKind::Dividend, d, 3)));
    Market::from_tapes(tapes).unwrap().with_actions(actions)
}

#[test]
fn history_is_seen_in_the_money_of_the_deciding_close() {
    let market = split(None);
    let of = |text| numbers(&market, text);
    // The newest bar is always as traded; what lies before the split is seen divided by 3.
    assert_eq!(
        of("close"),
        [Some(30.0), Some(33.0), Some(12.0), Some(13.0)]
    );
    assert_eq!(of("close[1]"), [None, Some(30.0), Some(11.0), Some(12.0)]);
    assert_eq!(of("close[2]"), [None, None, Some(10.0), Some(11.0)]);
    assert_eq!(
        of("raw_close[1]"),
        [None, Some(30.0), Some(33.0), Some(12.0)]
    );
    assert_eq!(of("sma(2)"), [None, Some(31.5), Some(11.5), Some(12.5)]);
    assert_eq!(
        of("volume[1]"),
        [None, Some(100.0), Some(600.0), Some(900.0)]
    );
    assert_eq!(
        of("raw_volume[1]"),
        [None, Some(100.0), Some(200.0), Some(900.0)]
    );
    assert_eq!(answers(&market, "close > close[1]"), ".yyy");
    assert_eq!(answers(&market, "(close > 20)[1]"), ".ynn");
    // Another symbol looks at it with its own money of that moment.
    let b = |text| numbers_of(&market, 1, text);
    assert_eq!(b("A:close[1]"), [None, Some(30.0), Some(11.0), Some(12.0)]);
    assert_eq!(
        b("A:raw_close"),
        [Some(30.0), Some(33.0), Some(12.0), Some(13.0)]
    );
    assert_eq!(
        b("A:volume[1]"),
        [None, Some(100.0), Some(600.0), Some(900.0)]
    );
}

#[test]
fn total_return_signals_see_dividends_too() {
    let market = split(Some(2.0));
    let program = compiled(&market, &[], "close[1]");
    let options = EvalOptions {
        total_return: true,
        ..OPTIONS
    };
    let columns = program.evaluate(&market, &options).unwrap();
    let column = columns[0].number(program.wanted(0));
    // 12 before a dividend of 2 is seen as 10 afterwards; volume knows the split alone.
    assert!((column[3] - 10.0).abs() < 1e-12);
    assert_eq!(column[2], 11.0);
    let program = compiled(&market, &[], "volume[2]");
    let columns = program.evaluate(&market, &options).unwrap();
    assert_eq!(columns[0].number(program.wanted(0))[2..], [300.0, 600.0]);
}

const HELD: Held = Held {
    bars_held: 5,
    entry_price: 2.0,
    pnl: 10.0,
    pnl_pct: 0.5,
    mae: -0.1,
    mfe: 0.7,
};

#[test]
fn the_open_position() {
    let market = closes(&[1.0, 2.0, 3.0]);
    let at = |text: &str, bar| {
        let (program, columns) = columns(&market, text);
        let id = program.wanted(0);
        assert!(program.needs_position(id), "{text}");
        match program.kind(id) {
            Kind::Condition => match program.condition_at(&columns[0], id, bar, &HELD) {
                Some(true) => Value::Condition(true),
                Some(false) => Value::Condition(false),
                None => Value::Absent,
            },
            _ => program
                .number_at(&columns[0], id, bar, &HELD)
                .map_or(Value::Absent, Value::Number),
        }
    };
    let (yes, no) = (Value::Condition(true), Value::Condition(false));
    assert_eq!(at("bars_held >= 5", 0), yes);
    assert_eq!(at("bars_held > 5 or close < sma(2) - pnl_pct", 2), no);
    assert_eq!(at("close > entry_price", 2), yes);
    assert_eq!(at("close > entry_price", 1), no);
    assert_eq!(at("pnl_pct > 0.4 and close[2] > 0", 1), Value::Absent);
    assert_eq!(at("pnl_pct < 0.4 and close[2] > 0", 1), no);
    assert_eq!(at("not (pnl == 10)", 1), no);
    assert_eq!(at("pnl != 10 or false", 1), no);
    assert_eq!(at("if(close > 1, mfe > 0.5, mae > 0)", 1), yes);
    assert_eq!(at("if(close > 1, mfe > 0.5, mae > 0)", 0), no);
    assert_eq!(at("if(pnl > 0, close * 2, -mae)", 2), Value::Number(6.0));
    assert_eq!(
        at("max(entry_price, close, 1) + abs(mae) * 10", 2),
        Value::Number(4.0)
    );
    assert_eq!(at("pnl / (close - 3)", 2), Value::Absent);
    // Beyond the data there is nothing.
    assert_eq!(at("pnl + close", 99), Value::Absent);
}

#[test]
fn explained_step_by_step() {
    let market = closes(&[1.0, 2.0, 3.0, 4.0]);
    let series = [Request {
        key: "series.trend",
        ..request("sma(n)")
    }];
    let params = [("n".to_string(), 2.0)];
    let text = "close > trend and (close @ \"1d\" > 9 or trend[1] > 2) and bars_held > 3";
    let vocabulary = Vocabulary::of(&market);
    let program = Program::compile(&params, &series, &[request(text)], &vocabulary).unwrap();
    let steps = program.trace(&market, program.wanted(0), (0, 2), &OPTIONS, Some(&HELD));
    let shown: Vec<String> = steps
        .iter()
        .map(|step| {
            format!(
                "{}{} = {:?}",
                "  ".repeat(step.depth),
                step.text,
                step.value
            )
        })
        .collect();
    let wanted = [
        &format!("{text} = Condition(false)"),
        "  close > trend and (close @ \"1d\" > 9 or trend[1] > 2) = Condition(false)",
        "    close > trend = Condition(true)",
        "      close = Number(3.0)",
        "      trend = Number(2.5)",
        "        sma(n) = Number(2.5)",
        "          n = Number(2.0)",
        "    (close @ \"1d\" > 9 or trend[1] > 2) = Condition(false)",
        "      close @ \"1d\" > 9 = Condition(false)",
        "        close @ \"1d\" = Number(3.0)",
        "          close = Number(3.0)",
        "      trend[1] > 2 = Condition(false)",
        "        trend[1] = Number(1.5)",
        "          trend = Number(2.5)",
        "  bars_held > 3 = Condition(true)",
        "    bars_held = Number(5.0)",
    ];
    assert_eq!(shown, wanted);
    let flat = program.trace(&market, program.wanted(0), (0, 0), &OPTIONS, None);
    assert_eq!(flat[0].value, Value::Absent);
    assert_eq!(flat[15].value, Value::Absent);
    // Coarse bars show their last complete one, ranks their place.
    let market = three();
    let program = compiled(&market, &[], "rank(z) > 1");
    let steps = program.trace(&market, program.wanted(0), (2, 0), &OPTIONS, None);
    assert_eq!(steps[1].value, Value::Number(3.0));
    assert_eq!(steps[2].value, Value::Number(1.0));
}

#[test]
fn what_is_read_and_warmed_up() {
    let bars = Bars::of_closes(days(3), vec![1.0; 3]).unwrap();
    let bars = bars.with_extra("adj_close", vec![1.0; 3]).unwrap();
    let market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    for (text, warmup) in [
        ("close", 0),
        ("sma(20)", 19),
        ("sma(sma(20), 10)[5] > close", 33),
        ("rsi(14) < 30", 14),
        ("crosses_above(sma(3), 4)", 3),
        ("count(close > 1, 5)", 4),
        ("rising(3)", 3),
        ("sma(3) @ \"1w\"", 15),
    ] {
        let program = compiled(&market, &[], text);
        assert_eq!(program.warmup(program.wanted(0)), warmup, "{text}");
    }
    let reads = |text, name| {
        let program = compiled(&market, &[], text);
        program.reads_column(program.wanted(0), name)
    };
    assert!(reads("sma(3)", "close") && !reads("sma(3)", "high") && reads("atr(3)", "high"));
    assert!(reads("sma(adj_close, 3) > 1", "adj_close"));
    let adjusted = |text| {
        let program = compiled(&market, &[], text);
        program.uses_adj_close(program.wanted(0))
    };
    assert!(adjusted("sma(adj_close, 3) > 1") && !adjusted("sma(3) > 1"));
}

#[test]
fn equal_parts_are_one_expression() {
    let market = closes(&[1.0, 2.0, 3.0]);
    let requests = [
        request("sma(2) > 1"),
        request("1 < sma(close, 4 / 2)"),
        request("sma(2) >= 1"),
    ];
    let program = Program::compile(&[], &[], &requests, &Vocabulary::of(&market)).unwrap();
    assert_eq!(program.wanted(0), program.wanted(1));
    assert_ne!(program.wanted(0), program.wanted(2));
}

#[test]
fn every_row_of_the_table_is_documented_and_works() {
    let market = with_column(closes(&[1.0, 2.0, 3.0]), "iv", &[0.1; 3]);
    for row in functions() {
        assert!(!row.title.is_empty() && !row.formula.is_empty() && !row.warmup.is_empty());
        assert!(row.signature.starts_with(row.name), "{}", row.signature);
        if row.name == "forward_return" {
            // It stands in a model's target alone: `model.rs` has its tests.
            continue;
        }
        let call = row
            .signature
            .replace("condition", "close > 1")
            .replace(", …", "");
        let call = call.replace("seed", "1").replace("n)", "2)");
        let call = call
            .replace("(a", "(close")
            .replace(" a,", " close,")
            .replace("b)", "open)");
        let call = call.replace("(x", "(close");
        compiled(&market, &[], &call);
    }
}

#[test]
fn a_tape_without_bars_or_with_one() {
    let market = closes(&[1.0]);
    assert_eq!(answers(&market, "crosses_above(close, 1)"), "n");
    assert_eq!(numbers(&market, "close @ \"1w\" + atr(14)"), [None]);
    let empty = Bars::of_closes(Vec::new(), Vec::new()).unwrap();
    let Ok(market) = Market::from_tapes(vec![("A".into(), empty)]) else {
        return;
    };
    assert_eq!(
        answers(&market, "close @ \"1w\" > atr(14) or rank() > 1"),
        ""
    );
}

#[test]
fn bars_of_a_session_are_counted_as_the_calendar_counts_them() {
    let minute = DAY_MICROS / 1440;
    for (bars, days, step) in [(390, 20, 1), (24, 30, 60), (7, 9, 60), (1440, 11, 1)] {
        let time = (0..days)
            .filter(|d| d % 7 < 5)
            .flat_map(|d| {
                let short = if d % 4 == 0 { bars / 2 } else { bars };
                (0..short).map(move |i| (4 + d) * DAY_MICROS + i * step * minute)
            })
            .collect::<Vec<_>>();
        let n = time.len();
        let bars = Bars::of_closes(time, vec![1.0; n]).unwrap();
        let market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
        let wanted = papertape::market::periods_a_year(&market.clock).bars_a_session;
        assert_eq!(Vocabulary::of(&market).bars_a_session, wanted);
    }
}
