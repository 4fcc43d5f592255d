//! Hostile expressions: whatever the text, it compiles and evaluates or is refused with problems
//! that point into it; nothing panics.
//!
//! Inputs are random expressions of the grammar, mutations of them and of a small corpus, and soups
//! of tokens. The suite runs some thousands; `benches/fuzz_rules.rs` runs millions.

#![allow(clippy::unwrap_used)]

use crate::rules_grammar::{Draw, Grammar, Unit};
use papertape::market::{Action, ActionKind, Bars, Calendar, Interval, Market};
use papertape::rules::{Columns, EvalOptions, Held, Kind, Program, Request, Value, Vocabulary};
use papertape::units::DAY_MICROS;

const VALID: &str = include_str!("../corpus/rules/valid.txt");
const BROKEN: &str = include_str!("../corpus/rules/broken.txt");

fn days(n: i64) -> Vec<i64> {
    (0..n).map(|d| (4 + d + d / 5) * DAY_MICROS).collect()
}

fn walk(n: i64, by: f64) -> Vec<f64> {
    (0..n).map(|i| by * (10 + i * i % 7) as f64).collect()
}

/// Bars with volume and two columns with missing cells.
fn full(time: Vec<i64>, by: f64) -> Bars {
    let n = time.len() as i64;
    let close = walk(n, by);
    let high = close.iter().map(|c| c * 1.25).collect();
    let low = close.iter().map(|c| c * 0.5).collect();
    let volume = (0..n).map(|i| (i % 4 * 100) as f64).collect();
    let gaps = |every: i64| {
        let cell = |i: i64| {
            if i % every == 3 {
                f64::NAN
            } else {
                0.1 * i as f64
            }
        };
        (0..n).map(cell).collect::<Vec<_>>()
    };
    let bars = Bars::new(time, close.clone(), high, low, close, Some(volume));
    let bars = bars.and_then(|bars| bars.with_extra("iv", gaps(5)));
    bars.and_then(|bars| bars.with_extra("z", gaps(4))).unwrap()
}

/// Five symbols that have little in common, with splits and a dividend.
fn several() -> Market {
    let action = |symbol: &str, kind, day: i64, value| Action {
        time: day * DAY_MICROS,
        symbol: symbol.into(),
        kind,
        value,
        pay: None,
        declared: None,
    };
    let small = Bars::of_closes(days(11), walk(11, 1e-300)).unwrap();
    let tapes = vec![
        ("A".into(), full(days(14), 1.0)),
        ("B".into(), full(days(9), 10.0).slice(2..9)),
        ("C".into(), small),
        ("SPY".into(), Bars::of_closes(days(1), vec![1e300]).unwrap()),
        ("BRK.B".into(), full(days(12), 1e306)),
    ];
    let mut market = Market::from_tapes(tapes).unwrap().with_actions(vec![
        action("A", ActionKind::Split, 9, 3.0),
        action("A", ActionKind::Dividend, 12, 0.5),
        action("B", ActionKind::Split, 10, 0.1),
    ]);
    market.calendar = Calendar::Nyse;
    market.interval = Interval::Day;
    market
}

/// Small markets that differ in all that expressions look at, with their names.
pub(crate) fn markets() -> Vec<(Market, Vocabulary)> {
    let three = |bars: [Bars; 3]| {
        let named = ["A", "B", "C"].map(String::from).into_iter().zip(bars);
        Market::from_tapes(named.collect()).unwrap()
    };
    let flat = Bars::of_closes(days(8), vec![5.0; 8]).unwrap();
    let flat = flat.with_extra("z", vec![2.0; 8]).unwrap();
    let minutes = |n: i64| full((0..n).map(|i| i * 600_000_000).collect(), 1.0);
    let all = [
        several(),
        three([flat.clone(), flat.slice(1..5), flat]),
        three([minutes(30), minutes(12).slice(3..12), minutes(1)]),
    ];
    let named = all.into_iter().map(|market| {
        let vocabulary = Vocabulary::of(&market);
        (market, vocabulary)
    });
    named.collect()
}

const TOKENS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    ",",
    "+",
    "-",
    "*",
    "/",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "@",
    "\"1w\"",
    "'1mo'",
    "\"5m\"",
    "\"1h\"",
    " and ",
    " or ",
    " not ",
    "1",
    "0",
    "2.5",
    "1e9",
    "-1",
    ".5",
    "close",
    "open",
    "volume",
    "iv",
    "raw_close",
    "a",
    "b",
    "c",
    "period",
    "low",
    "sma",
    "rsi(3)",
    "rank(",
    "if(",
    "count(",
    "crosses_above(",
    "SPY:",
    "BRK.B:close",
    "pnl",
    "bars_held",
    "weekday",
    "is_month_end",
    "random(1)",
    "bars_since(",
    "=",
    "&&",
    "!",
    "#",
    "é",
    "≤",
    "\"",
    "_",
    " ",
];

/// The expression of a seed.
pub(crate) fn input(seed: u64) -> String {
    let mut draw = Draw::new(seed);
    match draw.below(10) {
        0..4 => grammatical(&mut draw),
        4 => {
            let n = draw.below(25);
            (0..n).map(|_| draw.pick(TOKENS)).collect()
        }
        5 => {
            let n = draw.below(40);
            let bytes: Vec<u8> = (0..n).map(|_| draw.below(256) as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => {
            let mut bytes = seeded(&mut draw).into_bytes();
            for _ in 0..1 + draw.below(4) {
                mutate(&mut draw, &mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }
}

fn grammatical(draw: &mut Draw) -> String {
    let mut grammar = Grammar::new(draw.word());
    let depth = draw.below(5);
    match draw.chance(50) {
        true => grammar.number(Unit::Any, depth).to_string(),
        false => grammar.condition(Unit::Any, depth).to_string(),
    }
}

/// A line of the corpus, or an expression of the grammar.
fn seeded(draw: &mut Draw) -> String {
    if draw.chance(20) {
        return grammatical(draw);
    }
    let corpus = if draw.chance(70) { VALID } else { BROKEN };
    let lines: Vec<&str> = corpus.lines().collect();
    draw.pick(&lines).to_string()
}

fn mutate(draw: &mut Draw, bytes: &mut Vec<u8>) {
    let at = draw.below(bytes.len() + 1);
    let end = (at + 1 + draw.below(8)).min(bytes.len());
    match draw.below(6) {
        0 => drop(bytes.drain(at.min(end)..end)),
        1 => {
            let token = draw.pick(TOKENS).bytes();
            bytes.splice(at..at, token);
        }
        2 if !bytes.is_empty() => {
            let at = draw.below(bytes.len());
            bytes[at] = draw.below(256) as u8;
        }
        3 => {
            let again = bytes[at.min(end)..end].repeat(1 + draw.below(3));
            bytes.splice(at..at, again);
        }
        4 => {
            let other = seeded(draw).into_bytes();
            let from = draw.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            let token = draw.pick(TOKENS).bytes();
            bytes.splice(at.min(end)..end, token);
        }
    }
}

const HELD: Held = Held {
    bars_held: 3,
    entry_price: 12.0,
    pnl: -5.0,
    pnl_pct: -0.1,
    mae: -0.2,
    mfe: 0.1,
};

/// Compiles the expression of a seed beside two more as series, evaluates it, explains it.
/// Says whether it compiled.
pub(crate) fn attempt(seed: u64, markets: &[(Market, Vocabulary)]) -> bool {
    let text = input(seed);
    let (first, second) = match seed % 16 {
        0 => (input(seed ^ 1 << 62), input(seed ^ 1 << 63)),
        1 => ("b + 1".to_string(), "close @ \"1w\"".to_string()),
        2 => ("b[1]".to_string(), "c or a > 1".to_string()),
        _ => ("close".to_string(), "sma(a, 2)".to_string()),
    };
    let request = |key, text| Request {
        key,
        text,
        offset: Some(7),
        expects: Kind::Any,
        position: key == "rules.exit",
    };
    let series = [request("series.a", &first), request("series.b", &second)];
    let wanted = [request("rules.exit", &text)];
    let params = [("period".to_string(), 3.0), ("low".to_string(), 30.0)];
    let (market, vocabulary) = &markets[(seed / 16) as usize % markets.len()];
    match Program::compile(&params, &series, &wanted, vocabulary) {
        Ok(program) => {
            evaluate(&program, market, seed);
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                let of = match problem.column.as_deref() {
                    Some("series.a") => &first,
                    Some("series.b") => &second,
                    _ => &text,
                };
                let span = problem.span.clone().unwrap();
                assert!(
                    of.get(span.start - 7..span.end - 7).is_some(),
                    "{problem:?}"
                );
                assert!(!problem.to_string().is_empty());
            }
            false
        }
    }
}

fn evaluate(program: &Program, market: &Market, seed: u64) {
    let options = EvalOptions {
        periods_a_year: 252.0,
        total_return: seed.is_multiple_of(3),
    };
    let id = program.wanted(0);
    let columns = program.evaluate(market, &options).unwrap();
    assert_eq!(columns.len(), market.tapes.len());
    let mut draw = Draw::new(seed);
    for (tape, columns) in columns.iter().enumerate() {
        let bars = market.tapes[tape].bars.len();
        for id in [id, program.series(0), program.series(1)] {
            if !program.needs_position(id) {
                check_column(program.kind(id) == Kind::Condition, columns, id, bars);
            }
        }
        let bar = draw.below(bars);
        let steps = program.trace(market, id, (tape, bar), &options, Some(&HELD));
        let asked = match program.kind(id) {
            Kind::Condition => program
                .condition_at(columns, id, bar, &HELD)
                .map_or(Value::Absent, Value::Condition),
            _ => program
                .number_at(columns, id, bar, &HELD)
                .map_or(Value::Absent, Value::Number),
        };
        // A plain number leaves no step. What is explained is what is decided.
        assert!(
            steps.first().is_none_or(|step| step.value == asked),
            "{steps:?} but {asked:?}"
        );
    }
    assert!(program.warmup(id) < usize::MAX);
    let _ = (
        program.uses_adj_close(id),
        program.reads_column(id, "close"),
    );
}

fn check_column(is_condition: bool, columns: &Columns, id: papertape::rules::ExprId, bars: usize) {
    if !is_condition {
        let column = columns.number(id);
        assert_eq!(column.len(), bars);
        assert!(
            column.iter().all(|x| !x.is_infinite()),
            "an infinite number"
        );
        return;
    }
    let mask = columns.condition(id);
    assert_eq!(mask.len(), bars);
    let pairs = mask.yes_words().iter().zip(mask.no_words());
    assert!(
        pairs.clone().all(|(yes, no)| yes & no == 0),
        "yes and no at once"
    );
    let used = |at: usize| match bars - 64 * at {
        n if n >= 64 => u64::MAX,
        n => (1 << n) - 1,
    };
    assert!(
        pairs
            .enumerate()
            .all(|(at, (yes, no))| (yes | no) & !used(at) == 0)
    );
}

#[test]
fn no_text_makes_it_panic() {
    let markets = markets();
    let mut compiled = 0;
    for seed in 0..50_000 {
        match std::panic::catch_unwind(|| attempt(seed, &markets)) {
            Ok(fine) => compiled += usize::from(fine),
            Err(_) => panic!("seed {seed}: {}", input(seed)),
        }
    }
    assert!(compiled > 10_000, "only {compiled} inputs compiled");
}
