//! What the chart of trades shows of a strategy: its own series, the indicators of its rules, and
//! the levels that they are compared with.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

use papertape::engine::backtest;
use papertape::market::{Bars, Market};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{DrawnSeries, series};
use papertape::units::DAY_MICROS;
use std::path::Path;

/// What is drawn for rules (lines of the file) on 400 bars of a wave on a slope.
fn drawn(rules: &str) -> Vec<DrawnSeries> {
    let time = (0..400).map(|d| d * DAY_MICROS).collect();
    let close = (0..400).map(|d| 100.0 + 0.05 * f64::from(d) + 8.0 * (f64::from(d) / 9.0).sin());
    let bars = Bars::of_closes(time, close.collect()).unwrap();
    let market = Market::from_tapes(vec![("ABC".into(), bars)]).unwrap();
    let text = format!("[data]\nsource = \"abc.csv\"\n{rules}\n[costs]\nslippage_bps = 1\n");
    let strategy = Strategy::parse(&text, "abc", Path::new("."), &Overrides::default()).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    assert!(!run.trades.is_empty(), "{rules}");
    series(&market, &strategy, &run)
}

fn told(drawn: &[DrawnSeries]) -> Vec<String> {
    let one = |d: &DrawnSeries| {
        let place = if d.is_price { "over" } else { "below" };
        format!("{} {place} {:?}", d.name, d.levels)
    };
    drawn.iter().map(one).collect()
}

#[test]
fn calls_of_the_rules_are_drawn_with_the_levels_they_are_compared_with() {
    let rsi = drawn(
        "[params]\nperiod = 14\nlow = 40\nhigh = 60\n\
         [rules]\nenter = \"rsi(period) < low\"\nexit = \"not (rsi(period) <= high)\"",
    );
    assert_eq!(told(&rsi), ["rsi(14) below [40.0, 60.0]"]);
    let crossing = drawn(
        "[rules]\nenter = \"crosses_above(rsi(close, 7)[1], 35) or close > 1.02 * sma(50)\"\n\
         exit = \"rsi(7) > 70\"",
    );
    let told = told(&crossing);
    assert_eq!(told, ["rsi(close, 7) below [70.0]", "sma(50) over []"]);
}

#[test]
fn a_series_is_drawn_under_its_own_name_and_once() {
    let named = drawn(
        "[series]\nstrength = \"rsi(5)\"\n\
         [rules]\nenter = \"strength < 30\"\nexit = \"rsi(5) > 70 and close > 0\"",
    );
    assert_eq!(told(&named), ["strength below [30.0, 70.0]"]);
}

#[test]
fn series_that_are_compared_share_a_panel() {
    let macd = drawn(
        "[series]\nline = \"macd(close, 12, 26, 9)\"\n\
         [rules]\nenter = \"crosses_above(line, macd_signal(close, 12, 26, 9))\"\n\
         exit = \"crosses_below(line, macd_signal(close, 12, 26, 9)) or rsi(14) > 90\"",
    );
    let panels: Vec<usize> = macd.iter().map(|d| d.panel).collect();
    assert_eq!(told(&macd).len(), 3, "{:?}", told(&macd));
    assert_eq!((panels[0], panels[1]), (0, 0));
    assert_ne!(panels[2], 0);
}
