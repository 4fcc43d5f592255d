//! The tax book beside a second method: the sales, years and open lots of `tests/peers/tax_lots.py`,
//! which keeps every share by itself and counts in exact fractions.

use chrono::NaiveDate;
use papertape::execution::Side;
use papertape::portfolio::{TaxBook, TaxEvent};
use papertape::strategy::{Overrides, Strategy};
use serde_json::Value;
use std::path::Path;

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];

fn peers(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    std::fs::read_to_string(path.join(file)).unwrap()
}

fn book(rule: &str) -> TaxBook {
    let text = format!(
        "[rules]\nenter = \"close > 0\"\n[tax]\nlots = \"{rule}\"\nshort_rate = 0.3\nlong_rate = 0.1\ndividend_rate = 0.2\n\
         interest_rate = 0.4\nloss_cap_ordinary = 300\nidentical = [[\"A\", \"C\"]]\n"
    );
    let strategy = Strategy::parse(&text, "peer", Path::new("."), &Overrides::default()).unwrap();
    TaxBook::new(&strategy.tax.unwrap(), &SYMBOLS, 2)
}

/// Plays the trades and says which sales of the book each closing trade made.
fn play(book: &mut TaxBook) -> Vec<(NaiveDate, std::ops::Range<usize>)> {
    let mut held = [[0.0_f64; 4]; 2];
    let mut sales = Vec::new();
    for line in peers("tax_trades.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let day: NaiveDate = cells[0].parse().unwrap();
        let number = |at: usize| cells[at].parse::<f64>().unwrap();
        let slot = SYMBOLS.iter().position(|s| *s == cells[2]);
        let layer = cells[1].parse().unwrap_or(0);
        match (cells[3], slot) {
            ("split", Some(slot)) => {
                for (layer, held) in held.iter_mut().enumerate() {
                    held[slot] *= 2.0;
                    book.observe(day, layer, &TaxEvent::Split { slot, ratio: 2.0 });
                }
            }
            ("dividend", _) => book.observe(day, layer, &TaxEvent::Dividend(number(5) / 100.0)),
            ("interest", _) => book.observe(day, layer, &TaxEvent::Interest(number(5) / 100.0)),
            (kind, Some(slot)) => {
                let (side, sign) = match kind {
                    "buy" => (Side::Buy, 1.0),
                    _ => (Side::Sell, -1.0),
                };
                let (shares, have) = (number(4), held[layer][slot]);
                let closing = if have * sign < 0.0 {
                    shares.min(have.abs())
                } else {
                    0.0
                };
                held[layer][slot] += sign * shares;
                let before = book.realized().len();
                let fill = TaxEvent::Fill {
                    slot,
                    side,
                    closing,
                    opening: shares - closing,
                    value: shares * number(5) / 100.0,
                    fee: number(6) / 100.0,
                    closes_all: closing == have.abs(),
                    is_harvest: false,
                };
                book.observe(day, layer, &fill);
                if closing > 0.0 {
                    sales.push((day, before..book.realized().len()));
                }
            }
            (kind, None) => panic!("{kind} of nothing"),
        }
    }
    sales
}

fn near(ours: f64, theirs: f64, what: &str) {
    let scale = theirs.abs().max(1.0);
    assert!(
        (ours - theirs).abs() <= 1e-9 * scale,
        "{what}: {ours} is not {theirs}"
    );
}

fn numbers(row: &Value) -> Vec<f64> {
    let cells = row.as_array().unwrap().iter().skip(1);
    cells.map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn sales_years_and_open_lots_are_those_of_every_share_by_itself() {
    let expected: Value = serde_json::from_str(&peers("tax_lots.json")).unwrap();
    for rule in ["fifo", "lifo", "hifo", "min_tax"] {
        let expected = &expected[rule];
        let mut book = book(rule);
        let sales = play(&mut book);
        let rows = expected["sales"].as_array().unwrap();
        assert_eq!(sales.len(), rows.len());
        assert!(rows.len() > 150);
        for ((day, pieces), row) in sales.into_iter().zip(rows) {
            assert_eq!(day.to_string(), row[0].as_str().unwrap());
            let pieces = &book.realized()[pieces];
            let sum = |of: &dyn Fn(&papertape::portfolio::Realized) -> f64| -> f64 {
                pieces.iter().map(of).sum()
            };
            let counts = |long: bool| {
                sum(&|r| {
                    if r.is_long_term == long {
                        r.gain + r.disallowed
                    } else {
                        0.0
                    }
                })
            };
            let ours = [
                sum(&|r| r.gain),
                sum(&|r| r.disallowed),
                counts(false),
                counts(true),
            ];
            for (ours, theirs) in ours.into_iter().zip(numbers(row)) {
                near(ours, theirs, &format!("{rule}, sale of {day}"));
            }
        }
        let rows = expected["years"].as_array().unwrap();
        let years = book.years(rows.last().unwrap()[0].as_i64().unwrap() as i32);
        assert_eq!(years.len(), rows.len());
        for (year, row) in years.iter().zip(rows) {
            assert_eq!(i64::from(year.year), row[0].as_i64().unwrap());
            let ours = [
                year.sums.short,
                year.sums.long,
                year.deducted,
                year.carry_short,
                year.carry_long,
                year.tax,
            ];
            for (ours, theirs) in ours.into_iter().zip(numbers(row)) {
                near(ours, theirs, &format!("{rule}, {}", year.year));
            }
        }
        let signed = |lot: &papertape::portfolio::Lot, x: f64| if lot.is_short { -x } else { x };
        let basis: f64 = book.open_lots().map(|lot| signed(lot, lot.basis)).sum();
        let shares: f64 = book.open_lots().map(|lot| signed(lot, lot.shares)).sum();
        near(
            basis,
            expected["open_basis"].as_f64().unwrap(),
            "open basis",
        );
        near(
            shares,
            expected["open_shares"].as_f64().unwrap(),
            "open shares",
        );
    }
}
