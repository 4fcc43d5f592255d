//! The look-ahead audit: honest strategies pass, planted peeks are caught.

use papertape::engine::read_market;
use papertape::market::{Action, ActionKind, Bars, Calendar, Market};
use papertape::strategy::{Overrides, Severity, Strategy};
use papertape::study::{Causality, causality, causality_of};
use papertape::units::{DAY_MICROS, Micros};
use std::path::{Path, PathBuf};
use std::process::Command;

fn day(i: usize) -> Micros {
    (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS
}

fn strategy(rules: &str) -> Strategy {
    let text =
        format!("[data]\nsource = \"unused\"\n[rules]\n{rules}\n[costs]\npreset = \"none\"\n");
    Strategy::parse(&text, "audit", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// A walk without pattern.
fn prices(bars: usize, seed: u64) -> Vec<f64> {
    let mut state = seed * 7919 + 1;
    let mut price = 100.0;
    let step = |_| {
        state = (state * 1_103_515_245 + 12345) % 2_147_483_648_u64;
        price *= 1.0 + (state as f64 / 2_147_483_648.0 - 0.5) * 0.04;
        price
    };
    (0..bars).map(step).collect()
}

fn bars(from: usize, seed: u64) -> Bars {
    Bars::of_closes((from..400).map(day).collect(), prices(400 - from, seed)).unwrap()
}

fn market(tapes: Vec<Bars>) -> Market {
    let tapes = tapes.into_iter().enumerate();
    let mut market =
        Market::from_tapes(tapes.map(|(i, bars)| (format!("S{i}"), bars)).collect()).unwrap();
    market.calendar = Calendar::Weekdays;
    market
}

fn codes(audit: &Causality) -> Vec<(&str, Severity)> {
    audit
        .findings
        .iter()
        .map(|f| (f.code, f.severity))
        .collect()
}

/// A market whose column `tip` is made from its own closes, as a loader would make it.
fn with_tip(market: &Market, tip: impl Fn(&[f64], usize) -> f64) -> Market {
    let mut market = market.clone();
    for tape in &mut market.tapes {
        let close = tape.bars.close.clone();
        let column = (0..close.len()).map(|i| tip(&close, i)).collect();
        tape.bars = tape.bars.clone().with_extra("tip", column).unwrap();
    }
    market
}

#[test]
fn every_shipped_strategy_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let strategy = Strategy::read(&path, &Overrides::default()).unwrap();
        let market = read_market(&strategy, false).unwrap();
        let audit = causality(&market, &strategy, 42, None).unwrap();
        assert!(
            audit.findings.is_empty(),
            "{}: {:?}",
            path.display(),
            audit.findings
        );
        assert!(audit.cuts.len() >= 8);
    }
}

#[test]
fn other_symbols_coarser_bars_and_own_columns_pass() {
    let late = bars(120, 3);
    let flag = (0..late.len()).map(|i| f64::from(i % 9 == 0)).collect();
    let all = vec![
        bars(0, 1).with_extra("flag", flags(400)).unwrap(),
        bars(0, 2).with_extra("flag", flags(400)).unwrap(),
        late.with_extra("flag", flag).unwrap(),
    ];
    let market = market(all);
    for rules in [
        "enter = \"flag > 0 and close > S1:close\"\nexit = \"close < sma(close, 3) @ '1w'\"",
        "enter = \"rank(roc(5)) == 1\"\nexit = \"rank(roc(5)) > 1\"",
        "enter = \"close > highest(close, 9)[1]\"\nexit = \"bars_held > 4 or pnl_pct < -0.02\"",
        "enter = \"close > sma(close, 2) @ '1mo'\"\nexit = \"is_month_end\"\nevery = \"week\"",
    ] {
        let strategy = strategy(&rules.replace('\'', "\\\""));
        let audit = causality(&market, &strategy, 42, None).unwrap();
        assert!(audit.findings.is_empty(), "{rules}: {:?}", audit.findings);
        // The number of threads changes nothing, the seed moves the cuts.
        assert_eq!(audit, causality(&market, &strategy, 42, Some(1)).unwrap());
        assert_ne!(
            audit.cuts,
            causality(&market, &strategy, 7, None).unwrap().cuts
        );
    }
}

fn flags(bars: usize) -> Vec<f64> {
    (0..bars).map(|i| f64::from(i % 7 == 0)).collect()
}

#[test]
fn a_planted_peek_is_caught() {
    let plain = market(vec![bars(0, 1), bars(60, 2)]);
    let audit = |rules: &str, tip: fn(&[f64], usize) -> f64| {
        let made = |market: &Market| with_tip(market, tip);
        causality_of(&made(&plain), &strategy(rules), 42, None, |cut| {
            made(&plain.until(cut))
        })
        .unwrap()
    };
    let rules = "enter = \"tip > close\"\nexit = \"tip < close\"";
    let rare = "enter = \"tip > 1.018 * close\"\nexit = \"tip < 0.99 * close\"";
    let tomorrow = |close: &[f64], i: usize| close.get(i + 1).copied().unwrap_or(f64::NAN);
    let next_month = |close: &[f64], i: usize| close.get(i + 21).copied().unwrap_or(f64::NAN);
    // Scaled by the mean of all prices, those to come too.
    let scaled =
        |close: &[f64], i: usize| close[i] * 100.0 * close.len() as f64 / close.iter().sum::<f64>();
    let yesterday = |close: &[f64], i: usize| close[i.max(1) - 1];
    for (rules, tip) in [
        (rules, tomorrow as fn(&[f64], usize) -> f64),
        (rare, tomorrow),
        (rules, next_month),
        ("enter = \"tip > 102\"\nexit = \"tip < 99\"", scaled),
    ] {
        let audit = audit(rules, tip);
        assert_eq!(codes(&audit), [("look_ahead", Severity::Failure)]);
    }
    assert_eq!(codes(&audit(rules, yesterday)), []);
}

#[test]
fn a_column_that_is_a_later_price_is_recognised() {
    let plain = market(vec![bars(0, 1), bars(60, 2)]);
    let reads = strategy("enter = \"tip > 1\"\nexit = \"tip < 0\"");
    let ignores = strategy("enter = \"rsi(5) < 30\"\nexit = \"rsi(5) > 60\"");
    type Tip = fn(&[f64], usize) -> f64;
    let tips: [(Tip, &str); 4] = [
        (
            |c, i| c.get(i + 1).copied().unwrap_or(f64::NAN),
            "the close one bar later",
        ),
        (
            |c, i| c.get(i + 5).copied().unwrap_or(f64::NAN),
            "the close 5 bars later",
        ),
        (
            |c, i| c.get(i + 21).map_or(f64::NAN, |p| p / c[i] - 1.0),
            "the return to the close 21 bars later",
        ),
        (
            |c, i| c.get(i + 1).map_or(f64::NAN, |p| (p / c[i]).ln()),
            "the return to the close one bar later",
        ),
    ];
    for (tip, words) in tips {
        let market = with_tip(&plain, tip);
        let audit = causality(&market, &reads, 42, None).unwrap();
        assert_eq!(codes(&audit), [("future_column", Severity::Failure)]);
        assert!(
            audit.findings[0].message.ends_with(words),
            "{:?}",
            audit.findings
        );
        let audit = causality(&market, &ignores, 42, None).unwrap();
        assert_eq!(codes(&audit), [("future_column", Severity::Warning)]);
    }
    let honest: [Tip; 4] = [
        |c, i| c[i.max(1) - 1],
        |c, i| c[i],
        |_, _| 100.0,
        |c, i| c[i] / c[i.max(5) - 5] - 1.0,
    ];
    for tip in honest {
        let audit = causality(&with_tip(&plain, tip), &reads, 42, None).unwrap();
        assert_eq!(codes(&audit), []);
    }
    // Prices that never move tell nothing.
    let still = Bars::of_closes((0..400).map(day).collect(), vec![5.0; 400]).unwrap();
    let still = with_tip(&market(vec![still]), |c, i| c[i]);
    assert_eq!(codes(&causality(&still, &reads, 42, None).unwrap()), []);
}

#[test]
fn the_market_at_a_moment_knows_what_was_declared() {
    let action = |bar: usize, declared: Option<usize>| Action {
        time: day(bar),
        symbol: "S0".to_owned(),
        kind: ActionKind::Split,
        value: 2.0,
        pay: None,
        declared: declared.map(day),
    };
    let whole = market(vec![bars(0, 1), bars(300, 2)]);
    let whole = whole.with_actions(vec![
        action(50, None),
        action(100, Some(40)),
        action(200, Some(199)),
    ]);
    let known = |bar: usize| whole.until(day(bar)).actions.len();
    // Without a date of its own an action is known ten sessions before.
    assert_eq!([39, 40, 41, 198, 199].map(known), [0, 2, 2, 2, 3]);
    assert_eq!(known(38), 0);
    let part = whole.until(day(120));
    assert_eq!(part.clock.len(), 121);
    assert_eq!(part.tapes[0].bars.len(), 121);
    assert!(part.tapes[1].bars.is_empty());
    assert_eq!(
        (part.interval, part.calendar),
        (whole.interval, whole.calendar)
    );
    let late = whole.until(day(310));
    assert_eq!(
        late.tapes[1].on_clock.as_deref(),
        Some(&(300..=310).collect())
    );
}

/// A folder of one CSV file and one strategy.
fn folder(name: &str, column: impl Fn(&[f64], usize) -> String, rules: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let close: Vec<f64> = prices(300, 5)
        .iter()
        .map(|p| (p * 100.0).round() / 100.0)
        .collect();
    let mut csv = "date,close,tip\n".to_owned();
    for i in 0..close.len() {
        let date = papertape::market::date_of(day(i));
        csv.push_str(&format!("{date},{},{}\n", close[i], column(&close, i)));
    }
    std::fs::write(dir.join("A.csv"), csv).unwrap();
    let text = format!(
        "[data]\nsource = \"A.csv\"\ncalendar = \"weekdays\"\n[rules]\n{rules}\n[costs]\ncommission = 0.001\n"
    );
    std::fs::write(dir.join("peek.toml"), text).unwrap();
    dir.join("peek.toml")
}

fn check(file: &Path, format: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(["check", "--format", format])
        .arg(file)
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn check_fails_a_column_that_knows_tomorrow() {
    let rules = "enter = \"tip > close\"\nexit = \"tip < close\"";
    let tomorrow = |c: &[f64], i: usize| c.get(i + 1).map_or(String::new(), f64::to_string);
    let (code, text) = check(&folder("peeks", tomorrow, rules), "table");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("the column tip of A is the close one bar"),
        "{text}"
    );
    assert!(text.contains("not sound"), "{text}");
    let yesterday = |c: &[f64], i: usize| c[i.max(1) - 1].to_string();
    let (code, text) = check(&folder("honest", yesterday, rules), "json");
    assert_eq!(code, Some(0), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json["look_ahead_cuts"].as_u64().unwrap() >= 16, "{text}");
}
