//! Corporate actions: reading them, and prices seen through them.

use papertape::market::{
    Action, ActionKind, Bars, Calendar, Market, adjusted, date_of, midnight, read_actions,
    seen_splits,
};
use papertape::units::Micros;
use std::path::PathBuf;

fn day(text: &str) -> Micros {
    midnight(text.parse().unwrap())
}

fn shipped(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(file)
}

/// Reads a text as an actions file of its own name.
fn read(name: &str, text: &str) -> papertape::error::Result<Vec<Action>> {
    let folder = std::env::temp_dir().join(format!("papertape-actions-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let actions = read_actions(&path);
    std::fs::remove_file(&path).unwrap();
    actions
}

#[test]
fn shipped_actions_are_read() {
    let actions = read_actions(&shipped("stocks/actions.csv")).unwrap();
    assert_eq!(actions.len(), 96);
    let splits: Vec<(String, f64)> = actions
        .iter()
        .filter(|a| a.kind == ActionKind::Split)
        .map(|a| (a.symbol.clone(), a.value))
        .collect();
    assert_eq!(
        splits,
        [
            ("AAPL".into(), 2.0),
            ("MSFT".into(), 2.0),
            ("AAPL".into(), 2.0)
        ]
    );
    let special: Vec<&Action> = actions
        .iter()
        .filter(|a| a.kind == ActionKind::SpecialDividend)
        .collect();
    assert_eq!((special.len(), special[0].value), (1, 3.0));
    assert!(actions.windows(2).all(|w| w[0].time <= w[1].time));
}

#[test]
fn columns_stand_in_any_order_and_case() {
    let text = "\u{feff}Symbol;DECLARED;Kind;Value;Date;Pay_Date\r\nA;2020-01-02;Dividend;0.5;2020-02-03;2020-02-10\r\n\r\nB;;DELIST;;2020-01-06;\r\n";
    let actions = read("order.csv", text).unwrap();
    assert_eq!(actions.len(), 2);
    assert_eq!(
        (actions[0].symbol.as_str(), actions[0].kind),
        ("B", ActionKind::Delist)
    );
    let dividend = &actions[1];
    assert_eq!(dividend.time, day("2020-02-03"));
    assert_eq!(dividend.pay, Some(day("2020-02-10")));
    assert_eq!(dividend.known_from(Calendar::Nyse), day("2020-01-02"));
    // Ten sessions before Monday 2020-01-06, New Year and Christmas left out.
    assert_eq!(actions[0].known_from(Calendar::Nyse), day("2019-12-19"));
}

#[test]
fn every_faulty_row_is_named_with_its_cell() {
    let text = "date,symbol,kind,value,pay_date\n\
        2020-01-02,A,divident,0.5,\n\
        2020-13-02,A,dividend,0.5,\n\
        2020-01-02,A,split,0,\n\
        2020-01-02,,split,2,\n\
        2020-01-02,A,split,2:1,\n\
        2020-01-02,A,dividend,0.5,2019-12-31\n\
        2020-01-03,A,split,2,\n\
        2020-01-03,A,split,2,\n\
        2020-01-03,A,split\n";
    let error = read("faulty.csv", text).unwrap_err();
    let lines: Vec<u64> = error.problems().iter().filter_map(|p| p.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 9, 10]);
    let text = error.to_string();
    for expected in [
        "faulty.csv:2",
        "\"divident\"",
        "did you mean dividend?",
        "\"2020-13-02\" is not a date",
        "\"2:1\"",
        "before its ex-date",
        "second split",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let missing = read("missing.csv", "date,symbol,amount\n2020-01-02,A,1\n")
        .unwrap_err()
        .to_string();
    assert!(missing.contains("kind: the column is missing"), "{missing}");
    assert!(read("empty.csv", "").is_err());
    assert!(
        read(
            "binary.csv",
            "date,symbol,kind,value\n\u{0}\u{1},\u{fffd},split,NaN\n"
        )
        .is_err()
    );
}

fn action(date: &str, kind: ActionKind, value: f64) -> Action {
    Action {
        time: day(date),
        symbol: "A".into(),
        kind,
        value,
        pay: None,
        declared: None,
    }
}

/// Four days: 100, then a 2-for-1 split, then a dividend of 1 on 50.
fn story() -> (Bars, Vec<Action>) {
    let time = ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"]
        .map(day)
        .to_vec();
    let close = vec![98.0, 100.0, 50.0, 49.0];
    let bars = Bars::new(
        time,
        close.clone(),
        close.clone(),
        close.clone(),
        close,
        Some(vec![10.0; 4]),
    )
    .unwrap();
    let actions = vec![
        action("2020-01-07", ActionKind::Dividend, 1.0),
        action("2020-01-06", ActionKind::Split, 2.0),
        action("2020-01-02", ActionKind::Split, 7.0),
        action("2020-03-02", ActionKind::Split, 3.0),
    ];
    (bars, actions)
}

#[test]
fn splits_and_dividends_change_the_scale_of_earlier_prices() {
    let (bars, actions) = story();
    let market = Market::from_tapes(vec![("A".into(), bars)])
        .unwrap()
        .with_actions(actions);
    assert_eq!(seen_splits(&market, 0, false), [(2, 2.0)]);
    assert_eq!(seen_splits(&market, 0, true), [(2, 2.0), (3, 50.0 / 49.0)]);
}

#[test]
fn a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares() {
    let (bars, _) = story();
    let actions = vec![
        action("2020-01-06", ActionKind::SpecialDividend, 10.0),
        action("2020-01-06", ActionKind::Split, 2.0),
    ];
    let market = Market::from_tapes(vec![("A".into(), bars)])
        .unwrap()
        .with_actions(actions);
    // 100 before is 50 in new shares, of which 10 are paid: 40 of 50 remain.
    assert_eq!(seen_splits(&market, 0, true), [(2, 2.0 * 50.0 / 40.0)]);
}

#[test]
fn adjusted_prices_earn_what_a_holder_earned() {
    let (bars, actions) = story();
    let market = Market::from_tapes(vec![("A".into(), bars)])
        .unwrap()
        .with_actions(actions);
    let seen = market.adjusted().unwrap();
    let close = &seen.tapes[0].bars.close;
    assert_eq!(close[3], 49.0, "the last bar is as traded");
    let returns: Vec<f64> = close.windows(2).map(|w| w[1] / w[0] - 1.0).collect();
    for (found, expected) in returns.iter().zip([100.0 / 98.0 - 1.0, 0.0, 0.0]) {
        assert!((found - expected).abs() < 1e-12, "{returns:?}");
    }
    assert_eq!(
        **seen.tapes[0].bars.volume.as_ref().unwrap(),
        vec![20.0, 20.0, 10.0, 10.0]
    );
    assert!(
        seen.actions.is_empty(),
        "what is in the prices is not paid again"
    );
}

#[test]
fn an_adjusted_close_of_the_file_is_taken_before_actions() {
    let (bars, actions) = story();
    let bars = bars
        .with_extra("adj_close", vec![9.8, 10.0, 10.0, 10.0])
        .unwrap();
    let actions: Vec<Action> = actions
        .into_iter()
        .filter(|a| a.time == day("2020-01-06"))
        .collect();
    let seen = adjusted(&bars, "A", &actions).unwrap();
    for (found, expected) in seen.open.iter().zip([9.8, 10.0, 10.0, 10.0]) {
        assert!((found - expected).abs() < 1e-12);
    }
    assert_eq!(
        **seen.volume.as_ref().unwrap(),
        vec![20.0, 20.0, 10.0, 10.0]
    );
    let holes = bars
        .with_extra("adj_close", vec![9.8, f64::NAN, 10.0, 10.0])
        .unwrap();
    let error = adjusted(&holes, "A", &actions).unwrap_err().to_string();
    assert!(
        error.contains("A has no adjusted close on 2020-01-03"),
        "{error}"
    );
}

#[test]
fn shipped_actions_explain_the_shipped_adjusted_closes() {
    // Two methods that must agree: the vendor's adj_close, and ours from raw closes and actions.
    let actions = read_actions(&shipped("stocks/actions.csv")).unwrap();
    for symbol in ["AAPL", "IBM", "MSFT"] {
        let text = std::fs::read_to_string(shipped(&format!("stocks/{symbol}.csv"))).unwrap();
        let (mut time, mut close, mut vendor) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            time.push(day(cells[0]));
            close.push(cells[4].parse().unwrap());
            vendor.push(cells[6].parse::<f64>().unwrap());
        }
        let bars = Bars::of_closes(time, close).unwrap();
        let own: Vec<Action> = actions
            .iter()
            .filter(|a| a.symbol == symbol)
            .cloned()
            .collect();
        let seen = adjusted(&bars, symbol, &own).unwrap();
        for i in 1..vendor.len() {
            let ours = seen.close[i] / seen.close[i - 1];
            let theirs = vendor[i] / vendor[i - 1];
            // The vendor reinvests at the close of the ex-date, we at the price the dividend left
            // behind: second order in the dividend, so it shows on the day when 3.08 of 29.97 were
            // paid and on no other.
            let special = symbol == "MSFT" && seen.time[i] == day("2004-11-15");
            let tolerance = if special { 2e-3 } else { 5e-4 };
            assert!(
                (ours / theirs - 1.0).abs() < tolerance,
                "{symbol} {}: {ours} against {theirs}",
                date_of(seen.time[i])
            );
        }
    }
}
