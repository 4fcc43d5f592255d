//! Portfolios beside bt 1.4.1: equity and fills of `tests/peers/bt_portfolios.py`, to 1e-9.
//!
//! Compared where the semantics are the same: no commission, fractional shares, filled at the close
//! that decided. With a commission bt solves it into every quantity, we cut the last purchase by
//! cash.

use papertape::engine::{backtest, read_market};
use papertape::market::date_of;
use papertape::strategy::{Overrides, Strategy};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Rows by date of a table with a header: date and one number for each of `names`.
fn table(file: &str) -> (Vec<String>, Vec<(String, Vec<f64>)>) {
    let text = std::fs::read_to_string(root().join("tests/peers").join(file)).unwrap();
    let mut lines = text.lines();
    let names = lines
        .next()
        .unwrap()
        .split(',')
        .skip(1)
        .map(str::to_owned)
        .collect();
    let row = |line: &str| {
        let (date, rest) = line.split_once(',').unwrap();
        let values = rest.split(',').map(|x| x.parse().unwrap()).collect();
        (date.to_owned(), values)
    };
    (names, lines.map(row).collect())
}

#[test]
fn weights_and_momentum_agree_with_bt() {
    let (names, equity) = table("bt_portfolios.csv");
    let (_, fills) = table("bt_fills.csv");
    let keys = HashMap::from([
        (
            "sixty_forty",
            "[weights]\ntargets = { JNJ = 0.6, XOM = 0.4 }\nevery = \"month\"\n",
        ),
        (
            "equal",
            "[weights]\nmethod = \"equal\"\nevery = \"month\"\n",
        ),
        (
            "momentum",
            "[rank]\nscore = \"close[21] / close[252] - 1\"\nhold = 3\nevery = \"month\"\n",
        ),
    ]);
    assert_eq!(names.len(), keys.len());
    for (column, name) in names.iter().enumerate() {
        let text = format!(
            "[data]\nsource = \"data/stocks20\"\n{}[fill]\nat = \"close\"\n[costs]\npreset = \"none\"\n",
            keys[name.as_str()]
        );
        let strategy = Strategy::parse(&text, name, &root(), &Overrides::default()).unwrap();
        let market = read_market(&strategy, false).unwrap();
        let run = backtest(&market, &strategy).unwrap();
        let dates: Vec<String> = run.time.iter().map(|t| date_of(*t).to_string()).collect();
        let bar = |date: &String| dates.iter().position(|d| d == date).unwrap();
        assert!(equity.len() > 800);
        for (date, values) in &equity {
            let (ours, theirs) = (run.equity[bar(date)], values[column]);
            assert!(
                (ours / theirs - 1.0).abs() < 1e-9,
                "{name} {date}: {ours} {theirs}"
            );
        }
        let mut filled = vec![0.0; dates.len()];
        for order in run.orders.iter().filter(|o| o.filled > 0.0) {
            // As there: a trade smaller than rounding is none.
            let at = order.fill_bar.unwrap() - run.first_bar;
            let value = order.filled * order.fill_price.unwrap();
            filled[at] += f64::from(value > 1e-9 * run.equity[at]);
        }
        let mut theirs = vec![0.0; dates.len()];
        fills
            .iter()
            .for_each(|(date, values)| theirs[bar(date)] = values[column]);
        assert_eq!(filled, theirs, "{name}");
        assert!(filled.iter().sum::<f64>() > 700.0);
    }
}

#[test]
fn the_scripts_pin_what_they_need() {
    let pins =
        std::fs::read_to_string(Path::new(&root()).join("tests/peers/requirements.txt")).unwrap();
    assert!(pins.lines().all(|l| l.contains("==")) && pins.contains("bt==1.4.1"));
}
