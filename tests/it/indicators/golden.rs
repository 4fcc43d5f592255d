//! Every column of the golden vectors (TA-Lib 0.8 through Python; three data sets), at 1e-9 of the
//! value or of the column's median, warm-up included.

use super::{Tape, row, run, run_on};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The numbers of a CSV by column; an empty cell is NaN.
fn read(path: &PathBuf) -> BTreeMap<String, Vec<f64>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(String::from).collect();
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in reader.records() {
        for (name, cell) in names.iter().zip(record.unwrap().iter()).skip(1) {
            let value = if cell.is_empty() {
                f64::NAN
            } else {
                cell.parse().unwrap()
            };
            columns.entry(name.clone()).or_default().push(value);
        }
    }
    columns
}

/// `bb_10_1p5_upper` to `bb_upper` and [10, 1.5].
fn name_and_numbers(column: &str) -> (String, Vec<f64>) {
    let mut words = Vec::new();
    let mut numbers = Vec::new();
    for part in column.split('_') {
        match part.replace('p', ".").parse::<f64>() {
            Ok(number) => numbers.push(number),
            Err(_) => words.push(part),
        }
    }
    (words.join("_"), numbers)
}

/// A golden column as our function, or as an expression of our functions. The flag says which.
fn ours(column: &str, tape: &Tape) -> Option<(Vec<f64>, bool)> {
    let (name, args) = name_and_numbers(column);
    let direct = |name: &str, args: &[f64]| {
        let values = run(name, tape, args);
        let first = values
            .iter()
            .position(|v| !v.is_nan())
            .unwrap_or(values.len());
        assert_eq!(
            first,
            (row(name).warmup)(args).min(values.len()),
            "{column}: warm-up"
        );
        Some((values, true))
    };
    let composed = |values: Vec<f64>| Some((values, false));
    match name.as_str() {
        "macd_line" => direct("macd", &args),
        "trange" => direct("true_range", &[]),
        "stddev" => direct("stdev", &args),
        "realised_vol" => direct("realized_vol", &args),
        "sar" => direct("psar", &[0.02, 0.2]),
        "ppo_ema" => direct("ppo", &args),
        "zscore_ddof0" => direct("zscore", &args),
        "keltner_close_upper" => direct("keltner_upper", &args),
        "keltner_close_middle" => direct("keltner_middle", &args),
        "keltner_close_lower" => direct("keltner_lower", &args),
        "mom" if args.len() == 2 => composed(shifted_ratio(
            &tape.close,
            args[1] as usize,
            args[0] as usize,
        )),
        "max_high" => {
            let values = run_on("highest", &tape.high, &args);
            assert_eq!(bits(&values), bits(&run("donchian_upper", tape, &args)));
            Some((values, true))
        }
        "min_low" => {
            let values = run_on("lowest", &tape.low, &args);
            assert_eq!(bits(&values), bits(&run("donchian_lower", tape, &args)));
            Some((values, true))
        }
        "donchian_prev_upper" => composed(shifted(&run("donchian_upper", tape, &args), 1)),
        "donchian_prev_lower" => composed(shifted(&run("donchian_lower", tape, &args), 1)),
        "ppo_sma" => {
            let fast = run("sma", tape, &args[..1]);
            let slow = run("sma", tape, &args[1..]);
            composed(zipped(&fast, &slow, |fast, slow| {
                100.0 * (fast - slow) / slow
            }))
        }
        "zscore_ddof1" => {
            let correction = ((args[0] - 1.0) / args[0]).sqrt();
            composed(
                run("zscore", tape, &args)
                    .iter()
                    .map(|z| z * correction)
                    .collect(),
            )
        }
        "keltner_typical_upper" => composed(keltner_typical(tape, &args, 1.0)),
        "keltner_typical_middle" => composed(keltner_typical(tape, &args, 0.0)),
        "keltner_typical_lower" => composed(keltner_typical(tape, &args, -1.0)),
        name if papertape::indicators::find(name).is_some() => direct(name, &args),
        _ => None,
    }
}

/// ema((h + l + c) / 3, n) + side k atr(atr_n).
fn keltner_typical(tape: &Tape, args: &[f64], side: f64) -> Vec<f64> {
    let bars = tape.high.iter().zip(&tape.low).zip(&tape.close);
    let typical: Vec<f64> = bars.map(|((h, l), c)| (h + l + c) / 3.0).collect();
    let middle = run_on("ema", &typical, &args[..1]);
    let range = run("atr", tape, &args[1..2]);
    zipped(&middle, &range, |middle, range| {
        middle + side * args[2] * range
    })
}

fn zipped(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

fn shifted(x: &[f64], n: usize) -> Vec<f64> {
    (0..x.len())
        .map(|i| if i < n { f64::NAN } else { x[i - n] })
        .collect()
}

fn shifted_ratio(x: &[f64], near: usize, far: usize) -> Vec<f64> {
    zipped(&shifted(x, near), &shifted(x, far), |near, far| {
        near / far - 1.0
    })
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|v| v.to_bits()).collect()
}

fn check_set(set: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/indicators")
        .join(set);
    let prices = read(&folder.join("ohlcv.csv"));
    let tape = Tape {
        open: prices["open"].clone(),
        high: prices["high"].clone(),
        low: prices["low"].clone(),
        close: prices["close"].clone(),
        volume: prices["volume"].clone(),
    };
    let mut manifest = csv::Reader::from_path(folder.join("manifest.csv")).unwrap();
    let (mut direct, mut composed, mut faults) = (0, 0, Vec::new());
    let mut files = BTreeMap::new();
    for record in manifest.records() {
        let record = record.unwrap();
        let (file, column) = (&record[0], &record[1]);
        let first: usize = record[5].parse().unwrap();
        let scale: f64 = record[7].parse().unwrap();
        let golden = files
            .entry(file.to_string())
            .or_insert_with(|| read(&folder.join(file)));
        let Some((values, is_direct)) = ours(column, &tape) else {
            faults.push(format!("{column}: no function for it"));
            continue;
        };
        if is_direct {
            direct += 1
        } else {
            composed += 1
        }
        assert_eq!(values.len(), tape.close.len(), "{set} {column}");
        for (i, (ours, golden)) in values.iter().zip(&golden[column]).enumerate() {
            let allowed = 1e-9
                * if scale == 0.0 {
                    1.0
                } else {
                    golden.abs().max(scale)
                };
            let is_right = match i < first {
                true => ours.is_nan() && golden.is_nan(),
                false => (ours - golden).abs() <= allowed,
            };
            if !is_right {
                faults.push(format!("{column}[{i}]: {ours}, TA-Lib {golden}"));
                break;
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{set}: {} columns: {faults:#?}",
        faults.len()
    );
    assert_eq!(
        (direct, composed),
        (102, 10),
        "{set}: every column of the manifest is compared"
    );
}

#[test]
fn every_golden_column_of_goog_daily() {
    check_set("goog_d");
}

#[test]
fn every_golden_column_of_flat_and_jumping_prices() {
    check_set("edge_flat");
}

#[test]
fn every_golden_column_of_fourteen_bars() {
    check_set("short");
}
