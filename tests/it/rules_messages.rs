//! Mistakes in expressions: what is said, where, and that all of them are said at once.

#![allow(clippy::unwrap_used)]

use papertape::error::Problem;
use papertape::market::Interval;
use papertape::rules::{Kind, Program, Request, Vocabulary};

fn vocabulary() -> Vocabulary {
    let columns = ["open", "high", "low", "close", "volume", "adj_close", "iv"];
    Vocabulary {
        columns: columns.map(String::from).to_vec(),
        has_volume: true,
        symbols: ["AAPL", "BRK.B", "SPY", "^VIX"].map(String::from).to_vec(),
        interval: Interval::Day,
        bars_a_session: 1.0,
        is_open: false,
    }
}

fn params() -> Vec<(String, f64)> {
    vec![("period".into(), 14.0), ("low".into(), 30.0)]
}

fn enter(text: &str) -> Request<'_> {
    Request {
        key: "rules.enter",
        text,
        offset: Some(0),
        expects: Kind::Condition,
        position: false,
    }
}

fn problems(text: &str) -> Vec<Problem> {
    match Program::compile(&params(), &[], &[enter(text)], &vocabulary()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems,
    }
}

/// A row is the expression, then for every problem the underlined bytes and a part of message and
/// help, both parts joined by ` | `.
const MISTAKES: &[(&str, &[(&str, &str)])] = &[
    // Names and functions.
    (
        "close > smaa(200) and rs(14) < 3",
        &[
            ("smaa", "unknown function `smaa` | did you mean `sma`?"),
            ("rs", "unknown function `rs` | did you mean `rsi`?"),
        ],
    ),
    (
        "closse[1] > 3",
        &[("closse", "unknown name `closse` | did you mean `close`?")],
    ),
    (
        "Close > 3",
        &[("Close", "unknown name `Close` | did you mean `close`?")],
    ),
    (
        "x > 3",
        &[("x", "unknown name `x` | did you mean `close`?")],
    ),
    (
        "perid > 3",
        &[("perid", "unknown name `perid` | did you mean `period`?")],
    ),
    (
        "RSI(14) < 30",
        &[("RSI", "unknown function `RSI` | did you mean `rsi`?")],
    ),
    (
        "stddev(20) > 3",
        &[("stddev", "unknown function | `stdev(x, n)`")],
    ),
    (
        "crossover(close, open)",
        &[("crossover", "unknown function | `crosses_above(a, b)`")],
    ),
    (
        "nonsense > 3",
        &[(
            "nonsense",
            "unknown name | columns are open high low close volume adj_close iv",
        )],
    ),
    (
        "qqqqqqq(3) > 3",
        &[("qqqqqqq", "unknown function | list indicators")],
    ),
    ("obv > 3", &[("obv", "`obv` is a function | write `obv()`")]),
    ("close(1) > 3", &[("close", "not a function | `close[1]`")]),
    (
        "period(1) > 3",
        &[("period", "not a function | `period[1]`")],
    ),
    (
        "SPI:close > 3",
        &[("SPI", "no symbol `SPI` | did you mean `SPY`?")],
    ),
    (
        "SPY:clos > 3",
        &[("clos", "unknown column `clos` | did you mean `close`?")],
    ),
    (
        "SPY: > 3",
        &[(
            "SPY:",
            "expected a column after `SPY:`, found `>` | write `SPY:close`",
        )],
    ),
    (
        "SPY:sma(20) > 3",
        &[("SPY:sma", "only a column | `sma(SPY:close, …)`")],
    ),
    // Operators of other languages.
    (
        "rsi(close, 14) << 30",
        &[("<<", "unknown operator `<<` | did you mean `<`?")],
    ),
    (
        "close = 5",
        &[("=", "unknown operator `=` | did you mean `==`?")],
    ),
    ("close => 5", &[("=>", "unknown operator | `>=`")]),
    ("close <> 5", &[("<>", "unknown operator | `!=`")]),
    (
        "close > 5 && open < 3 || !(high > 3)",
        &[
            ("&&", "unknown operator | `and`"),
            ("||", "unknown operator | `or`"),
            ("!", "unknown operator | `not`"),
        ],
    ),
    ("close ≥ 5", &[("≥", "unknown operator | `>=`")]),
    (
        "close ** 2 > 4",
        &[("**", "unknown operator | no power operator")],
    ),
    (
        "close ^ 2 > 4",
        &[("^", "unknown operator | no power operator")],
    ),
    ("close > 5 AND open < 3", &[("AND", "lower case | `and`")]),
    ("close > 5%", &[("5%", "no place | 5% is 0.05")]),
    (
        "close > 3 # why",
        &[("#", "unexpected character `#` | outside the quotes")],
    ),
    (
        "“close” > 3",
        &[("“", "unexpected character"), ("”", "unexpected character")],
    ),
    ("14d > 3", &[("14d", "neither a number nor a name")]),
    ("close > 1e999", &[("1e999", "too large a number")]),
    // Brackets and missing pieces.
    (
        "crosses_above(sma(10), sma(20)",
        &[(")", "expected `)`, found the end | column 14")],
    ),
    (
        "(close > 3",
        &[("3", "expected `)`, found the end | column 1")],
    ),
    ("close > 3)", &[(")", "`)` closes nothing that was opened")]),
    (
        "close[1 > 3",
        &[
            ("3", "expected `]`, found the end | column 6"),
            ("1 > 3", "n in `x[n]` must be a number"),
        ],
    ),
    (
        "close >",
        &[(">", "expected a value after `>`, found the end")],
    ),
    ("> close", &[(">", "expected a value, found `>`")]),
    (
        "close > 3 rsi(14) < 30",
        &[("rsi", "expected an operator before `rsi` | `and` or `or`")],
    ),
    ("rsi 14 < 30", &[("14", "expected an operator before `14`")]),
    (
        "close > 3, open < 2",
        &[(",", "only between the arguments of a call")],
    ),
    (
        "sma(close, ) > 2",
        &[(")", "expected a value after `,`, found `)`")],
    ),
    (
        "\"close\" > 3",
        &[("close", "quoted text stands only after `@`")],
    ),
    (
        "close @ \"1w > 3",
        &[("\"1w > 3", "never ends"), ("1w > 3", "unknown bar size")],
    ),
    ("", &[("", "the expression is empty")]),
    ("  ", &[(" ", "the expression is empty")]),
    // Kinds.
    (
        "1 < close < 3",
        &[(
            "1 < close < 3",
            "cannot be chained | `1 < close and close < …`",
        )],
    ),
    (
        "close and 5 > 3",
        &[(
            "close",
            "`and` needs a condition on each side | `close > 0`",
        )],
    ),
    (
        "5 > 3 or close",
        &[("close", "`or` needs a condition on each side")],
    ),
    ("not close", &[("close", "`not` needs a condition")]),
    ("-(close > 3) > 3", &[("(close > 3)", "`-` needs a number")]),
    (
        "(close > 3) + 5 > 3",
        &[(
            "(close > 3)",
            "`+` needs a number on each side | if(condition, 1, 0)",
        )],
    ),
    (
        "close == (open > 3)",
        &[("(open > 3)", "`==` needs a number on each side")],
    ),
    (
        "rsi(14)",
        &[(
            "rsi(14)",
            "`rules.enter` needs a condition (yes or no), this is a number | rsi(14) < 30",
        )],
    ),
    (
        "if(close > 3, 1, open > 2) > 1",
        &[("open > 2", "both choices of `if`")],
    ),
    (
        "if(close, 1, 2) > 1",
        &[("close", "`if` needs a condition first")],
    ),
    (
        "count(close, 3) > 1",
        &[("close", "`count` needs a condition first")],
    ),
    (
        "sma(close > 1, 3) > 1",
        &[("close > 1", "`x` of `sma` needs a number")],
    ),
    (
        "abs(close > 1) > 1",
        &[("close > 1", "`abs` needs numbers")],
    ),
    // Arguments.
    (
        "sma(close, 20, 3) > 3",
        &[(
            "sma(close, 20, 3)",
            "expected `sma(x, n)`, found 3 arguments | left out",
        )],
    ),
    (
        "sma() > 3",
        &[("sma()", "expected `sma(x, n)`, found no arguments")],
    ),
    (
        "atr() > 3",
        &[("atr()", "expected `atr(n)`, found no arguments")],
    ),
    (
        "min(close) > 3",
        &[("min(close)", "expected `min(a, b, …)`, found 1 argument")],
    ),
    (
        "weekday(3) > 3",
        &[("weekday(3)", "expected `weekday`, found 1 argument")],
    ),
    (
        "sma(0) > 3",
        &[("0", "`n` of `sma` must be a whole number from 1 to 100000")],
    ),
    (
        "sma(2.5) > 3",
        &[("2.5", "`n` of `sma` must be a whole number")],
    ),
    (
        "sma(close) > 3",
        &[(
            "close",
            "`n` of `sma` must be a constant | written `sma(x, n)`",
        )],
    ),
    (
        "sma(close, rsi(3)) > 3",
        &[("rsi(3)", "must be a constant | [params]")],
    ),
    (
        "sma(close, 1 / 0) > 3",
        &[("1 / 0", "`n` of `sma` has no value")],
    ),
    (
        "bb_upper(20, -1) > 3",
        &[("-1", "`k` of `bb_upper` must be")],
    ),
    (
        "macd(26, 12, 9) > 0",
        &[("macd(26, 12, 9)", "fast must be smaller than slow")],
    ),
    (
        "rising(close, 0)",
        &[("0", "`n` of `rising` must be a whole number from 1 to")],
    ),
    (
        "random(close) < 0.1",
        &[("close", "argument of `random` must be a constant")],
    ),
    // Looking back, ahead and at coarser bars.
    (
        "close[-1] > 5",
        &[("-1", "cannot look ahead | x n bars ago")],
    ),
    (
        "close[1.5] > 5",
        &[("1.5", "must be a whole number of bars")],
    ),
    (
        "close[volume] > 5",
        &[("volume", "n in `x[n]` must be a constant")],
    ),
    (
        "low[1] > 5",
        &[("low", "needs the column `low`, but a param hides it")],
    ),
    (
        "sma(low, 3) > 5",
        &[("low", "needs the column `low`, but a param hides it")],
    ),
    ("close @ 1w > 3", &[("1w", "in quotes | `@ \"1w\"`")]),
    (
        "close @ week > 3",
        &[("@", "expected a bar size after `@`, found `week`")],
    ),
    (
        "close @ \"1x\" > 3",
        &[("1x", "unknown bar size `1x` | 1d, 1w, 1mo")],
    ),
    (
        "close @ \"1h\" > 3",
        &[("1h", "bars of 1h cannot be made of the data's bars of 1d")],
    ),
    (
        "(sma(5) @ \"1w\") @ \"1mo\" > 3",
        &[("1w", "one `@` stands inside another")],
    ),
    (
        "rank(close) @ \"1w\" > 3",
        &[("rank(close)", "`rank` compares symbols | rank(x @ \"1w\")")],
    ),
    (
        "pnl_pct > 0.05",
        &[("pnl_pct", "only while a position is open")],
    ),
    // Several at once, across the expression.
    (
        "nonsense > 3 and qqqqqqq(3) < 5 and sma(0) > 2 and close[-1] > 3",
        &[
            ("nonsense", "unknown name"),
            ("qqqqqqq", "unknown function"),
            ("0", "`n` of `sma`"),
            ("-1", "cannot look ahead"),
        ],
    ),
];

#[test]
fn every_mistake_is_said_where_it_is() {
    for (text, wanted) in MISTAKES {
        let found = problems(text);
        assert_eq!(found.len(), wanted.len(), "{text}: {found:#?}");
        for (problem, (underlined, parts)) in found.iter().zip(*wanted) {
            let span = problem.span.clone().unwrap();
            assert_eq!(&text[span], *underlined, "{text}: {problem:?}");
            let said = format!(
                "{} {}",
                problem.message,
                problem.help.as_deref().unwrap_or_default()
            );
            for part in parts.split(" | ") {
                assert!(said.contains(part), "{text}: `{part}` is not in `{said}`");
            }
            assert_eq!(problem.column.as_deref(), Some("rules.enter"));
        }
    }
}

#[test]
fn what_is_right_is_accepted() {
    for text in [
        "rsi(14) < 30",
        "rsi(period) < low and close > sma(200)",
        "not close > 3 or -close[1] * 2 >= +open",
        "BRK.B:close > ^VIX:close - SPY:close",
        "sma(SPY:close, 20) > SPY:raw_close[3]",
        "sma(close, 20) @ \"1w\" > close @ '1mo'",
        "(close > sma(5)) @ \"1w\"",
        "close @ \"1d\" == close",
        "if(close > 3, open > 1, true) and count(close > 1, 3)[2] > min(1, 2, 3)",
        "is_month_end or is_month_start() and weekday == 1 and hour() < 3",
        "rising(3) and falling(close / open, period)",
        "rank(roc(close, 20)) <= 3 and zrank(volume) > 1 and rank() < 2",
        "iv_rank(252) > .5 and random(1) < 1e-1 and 1_000 > bars_since(close > open)",
        "true",
        "sma(period + 2 * 3) > period / 4",
        "macd_hist(12, 26, 9) > 0 and macd(open, 12, 26, 9) > 0 and drawdown() < -0.1",
    ] {
        let found = problems(text);
        assert!(found.is_empty(), "{text}: {found:#?}");
    }
}

#[test]
fn spans_count_from_the_start_of_the_file() {
    let request = |offset| Request {
        offset,
        ..enter("close > opne")
    };
    let of = |offset| {
        let compiled = Program::compile(&[], &[], &[request(offset)], &vocabulary());
        compiled.err().unwrap().remove(0).span
    };
    assert_eq!(of(Some(100)), Some(108..112));
    assert_eq!(of(None), None);
}

fn series<'a>(key: &'a str, text: &'a str) -> Request<'a> {
    Request {
        key,
        expects: Kind::Any,
        ..enter(text)
    }
}

#[test]
fn series_name_each_other_in_any_order_but_not_in_a_circle() {
    let of = |series: &[Request<'_>], text: &str| -> Vec<String> {
        match Program::compile(&[], series, &[enter(text)], &vocabulary()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|p| p.message).collect(),
        }
    };
    let fine = [
        series("series.spread", "fast - slow"),
        series("series.fast", "sma(10)"),
        series("series.slow", "sma(20)"),
        series("series.up", "spread > 0"),
    ];
    assert_eq!(of(&fine, "up and spread @ \"1w\" > 0"), [""; 0]);
    let circle = [
        series("series.a", "b + 1"),
        series("series.b", "c[1]"),
        series("series.c", "a * 2"),
    ];
    let said = of(&circle, "a > 1");
    assert_eq!(said, ["series go round in a circle: a → b → c → a"]);
    // One mistake in a series is one message, however often it is used.
    let broken = [series("series.a", "clse + 1")];
    assert_eq!(
        of(&broken, "a > 1 and a @ \"1w\" > 2"),
        ["unknown name `clse`"]
    );
    let position = [series("series.a", "pnl * 2")];
    assert_eq!(of(&position, "close > 1").len(), 1);
}

#[test]
fn names_that_are_taken_are_refused() {
    let of = |params: &[(&str, f64)], keys: &[&str]| -> Vec<String> {
        let params: Vec<_> = params.iter().map(|(n, v)| (n.to_string(), *v)).collect();
        let series: Vec<_> = keys.iter().map(|key| series(key, "open")).collect();
        match Program::compile(&params, &series, &[], &vocabulary()) {
            Ok(_) => Vec::new(),
            Err(problems) => {
                let shown = problems.iter().map(ToString::to_string);
                shown.collect()
            }
        }
    };
    let said = of(
        &[("sma", 1.0), ("fast-n", 2.0), ("pnl", 3.0)],
        &["series.close", "series.and"],
    );
    assert_eq!(said.len(), 5, "{said:#?}");
    assert!(said[0].starts_with("params.sma: the param `sma` has the name of a function"));
    assert!(said[1].starts_with("params.fast-n: `fast-n` cannot be a name"));
    assert!(said[3].starts_with("series.close: the series `close` has the name of a column"));
    assert_eq!(of(&[("a", 1.0)], &["series.a"]).len(), 1);
    // A param may hide a column: `low` and `high` are what people call thresholds.
    assert_eq!(of(&[("low", 30.0), ("high", 70.0)], &[]), [""; 0]);
}

#[test]
fn position_words_stand_only_where_a_position_is() {
    let exit = |text| Request {
        key: "rules.exit",
        position: true,
        ..enter(text)
    };
    let of = |text| match Program::compile(&[], &[], &[exit(text)], &vocabulary()) {
        Ok(_) => String::new(),
        Err(problems) => problems[0].message.clone(),
    };
    assert_eq!(
        of("bars_held >= 5 or pnl_pct < -0.05 or close < entry_price * 0.9"),
        ""
    );
    assert_eq!(of("if(mfe > 0.1, pnl > 1, close < max(mae, sma(20)))"), "");
    for text in [
        "sma(pnl, 5) > 0",
        "pnl[1] > 0",
        "(pnl > 0) @ \"1w\"",
        "rising(pnl, 3)",
        "count(pnl > 0, 3) > 1",
        "bars_since(pnl > 0) > 1",
        "crosses_above(pnl_pct, 0.1)",
        "rank(pnl) > 1",
    ] {
        assert!(
            of(text).contains("the position is known only at the bar"),
            "{text}: {}",
            of(text)
        );
    }
}

#[test]
fn without_volume_nothing_may_read_it() {
    let vocabulary = Vocabulary {
        columns: ["open", "high", "low", "close"].map(String::from).to_vec(),
        has_volume: false,
        ..vocabulary()
    };
    for text in [
        "volume > 3",
        "raw_volume > 3",
        "mfi(14) > 3",
        "obv() > 3",
        "iv_rank(20) > 1",
    ] {
        let compiled = Program::compile(&[], &[], &[enter(text)], &vocabulary);
        assert_eq!(compiled.err().map(|p| p.len()), Some(1), "{text}");
    }
}

#[test]
fn size_and_depth_are_limited() {
    let deep = format!("{}close{} > 3", "(".repeat(3_000), ")".repeat(3_000));
    assert!(problems(&deep)[0].message.contains("levels deep"));
    let minus = format!("{}close > 3", "-".repeat(15_000));
    assert!(problems(&minus)[0].message.contains("levels deep"));
    let wide = vec!["close"; 2_000].join(" + ") + " > 3";
    assert!(problems(&wide)[0].message.contains("levels deep"));
    let long = vec!["close"; 20_000].join(" + ");
    assert!(problems(&long)[0].message.contains("at most"));
    let many = vec!["close > 3"; 150].join(" and ");
    assert_eq!(problems(&many).len(), 0);
    let brackets = ")".repeat(10_000);
    assert!(problems(&brackets).len() <= 10);
}

#[test]
fn series_that_nest_through_each_other_are_limited_too() {
    let key = |at: usize| format!("series.s{at}");
    let text = |at: usize| format!("{}s{}", "-".repeat(190), at + 1);
    let keys: Vec<String> = (0..12).map(key).collect();
    let mut texts: Vec<String> = (0..11).map(text).collect();
    texts.push("close".into());
    let all: Vec<_> = keys
        .iter()
        .zip(&texts)
        .map(|(key, text)| series(key, text))
        .collect();
    let problems = Program::compile(&[], &all, &[], &vocabulary())
        .err()
        .unwrap();
    assert!(
        problems[0].message.contains("series nest more than"),
        "{problems:?}"
    );
    // In the order of their use they are read one after another, however many there are.
    let last: Vec<_> = all.into_iter().rev().collect();
    assert!(Program::compile(&[], &last, &[], &vocabulary()).is_ok());
}
