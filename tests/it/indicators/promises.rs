//! What every row promises: its warm-up, its length, gaps that heal, and no look into the future.

use super::{Step, Tape, arguments, is_same, row, run, run_on, tape};
use papertape::indicators::{Indicator, all};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The functions of series and bars that a strategy file may call.
const CONTRACT: &str = "sma ema wma dema tema rma kama macd macd_signal macd_hist \
    rsi stoch_k stoch_d stochf_k stochf_d cci mfi willr ultosc roc mom trix ppo \
    adx dx plus_di minus_di aroon_up aroon_down psar supertrend supertrend_dir linreg_slope \
    bb_upper bb_middle bb_lower keltner_upper keltner_middle keltner_lower \
    donchian_upper donchian_mid donchian_lower true_range atr natr stdev realized_vol obv vwap \
    highest lowest sum zscore percentile drawdown";

/// Rows whose value may be absent after the warm-up on clean data: nothing traded.
const MAY_BE_ABSENT: &[&str] = &["vwap"];

/// Rows that carry something over a gap, and why.
const OUTLIVES_GAPS: &[&str] = &["drawdown"]; // the highest since the start

fn walk(len: usize) -> Tape {
    let mut state = 7_u64;
    let steps: Vec<Step> = (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (9, (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0)
        })
        .collect();
    tape(100.0, &steps)
}

/// Small arguments in the middle of the range.
fn usual(row: &Indicator) -> Vec<f64> {
    arguments(row, &[0.3, 0.6, 0.4], 12)
}

fn first_value(values: &[f64]) -> usize {
    values
        .iter()
        .position(|v| !v.is_nan())
        .unwrap_or(values.len())
}

#[test]
fn the_table_is_the_contract() {
    let rows: Vec<&str> = all().map(|row| row.name).collect();
    let names: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(names.len(), rows.len(), "a name appears twice");
    assert_eq!(names, CONTRACT.split_whitespace().collect());
    for row in all() {
        for text in [row.title, row.formula, row.source] {
            assert!(
                !text.is_empty() && text.len() <= 150,
                "{}: {text:?}",
                row.name
            );
            assert!(
                !text.ends_with('.') && text.is_ascii(),
                "{}: {text:?}",
                row.name
            );
        }
        assert!(row.args.len() <= 3, "{}", row.name);
    }
}

#[test]
fn the_first_value_stands_where_the_warm_up_says() {
    let tape = walk(400);
    for row in all() {
        let shortest = arguments(row, &[0.0; 3], 1);
        let longest = arguments(row, &[0.99; 3], 60);
        for args in [shortest, usual(row), longest] {
            let values = row.run(&tape.inputs(), &args);
            assert_eq!(values.len(), 400);
            assert_eq!(
                first_value(&values),
                (row.warmup)(&args),
                "{} {args:?}",
                row.name
            );
            let is_whole = values[(row.warmup)(&args)..].iter().all(|v| v.is_finite());
            assert!(is_whole, "{} {args:?}: holes after the warm-up", row.name);
        }
    }
}

#[test]
fn short_columns_give_no_value_and_no_panic() {
    for row in all() {
        let args = arguments(row, &[0.5, 0.7, 0.6], 9);
        let warmup = (row.warmup)(&args);
        for len in 0..warmup + 3 {
            let values = row.run(&walk(60).cut(len).inputs(), &args);
            assert_eq!(values.len(), len);
            assert_eq!(
                first_value(&values),
                warmup.min(len),
                "{} at {len}",
                row.name
            );
        }
        let far = arguments(row, &[1.0; 3], 100_000);
        assert!((row.warmup)(&far) <= 300_000);
        assert_eq!(row.run(&walk(60).inputs(), &far).len(), 60);
    }
}

#[test]
fn a_missing_volume_column_gives_no_values() {
    let mut tape = walk(60);
    tape.volume.clear();
    for row in all() {
        let values = row.run(&tape.inputs(), &usual(row));
        assert_eq!(values.len(), 60);
        assert_eq!(
            row.needs_volume,
            values.iter().all(|v| v.is_nan()),
            "{}",
            row.name
        );
    }
}

/// After a gap an indicator is what it would be if its column began there.
#[test]
fn what_forgets_has_the_same_bits_from_a_piece() {
    let tape = walk(1_500);
    let mut forgets = 0;
    for row in all() {
        for longest in [2, 7, 64, 150] {
            let args = arguments(row, &[0.9, 0.6, 0.4], longest);
            let Some(memory) = (row.memory)(&args) else {
                continue;
            };
            forgets += 1;
            let whole = row.run(&tape.inputs(), &args);
            for (start, end) in [(memory, 1_500), (3 * memory, 1_201), (5 * memory, 1_024)] {
                let mut piece = tape.cut(end);
                for column in piece.columns_mut() {
                    column.drain(..start);
                }
                let piece = row.run(&piece.inputs(), &args);
                for (i, value) in piece.iter().enumerate().skip(memory) {
                    let same = value.to_bits() == whole[start + i].to_bits();
                    assert!(same, "{} {args:?} from {start}, bar {i}", row.name);
                }
            }
        }
    }
    assert!(forgets >= 4, "no row forgets");
}

#[test]
fn a_gap_is_a_fresh_start() {
    let whole = walk(200);
    for row in all() {
        let args = usual(row);
        let expected = row.run(&whole.inputs(), &args);
        for (column, gap) in [(0, 90), (1, 90), (2, 91), (3, 92), (4, 93)] {
            let mut holed = whole.clone();
            holed.columns_mut()[column][gap] = f64::NAN;
            let values = row.run(&holed.inputs(), &args);
            assert_eq!(values.len(), 200);
            if !values[gap].is_nan() {
                let same = values.iter().zip(&expected).all(|(a, b)| is_same(*a, *b));
                assert!(
                    same,
                    "{} does not read column {column}, yet differs",
                    row.name
                );
                continue;
            }
            let before = values
                .iter()
                .zip(&expected)
                .take(gap)
                .all(|(a, b)| is_same(*a, *b));
            assert!(before, "{}: a gap changed the past", row.name);
            if OUTLIVES_GAPS.contains(&row.name) {
                continue;
            }
            let mut after = whole.clone();
            for column in after.columns_mut() {
                column.drain(..=gap);
            }
            let fresh = row.run(&after.inputs(), &args);
            assert!(fresh.iter().any(|v| !v.is_nan()), "{}: poisoned", row.name);
            // Log returns need the value before, so the gap costs them the bar after it too.
            let same = values[gap + 1..]
                .iter()
                .zip(&fresh)
                .all(|(a, b)| is_same(*a, *b));
            assert!(
                same,
                "{}: not a fresh start after the gap in column {column}",
                row.name
            );
        }
    }
}

#[test]
fn a_nested_warm_up_moves_the_first_value() {
    let tape = walk(300);
    let inner = run("ema", &tape, &[10.0]);
    for row in all().filter(|row| row.takes_series) {
        let args = usual(row);
        let values = row.run(&tape.inputs_of(&inner), &args);
        assert_eq!(
            first_value(&values),
            9 + (row.warmup)(&args),
            "{}",
            row.name
        );
    }
}

#[test]
fn a_flat_tape_is_flat() {
    // 100.1 is not a binary number: twenty of it do not add up to 2002 in floating point.
    let tape = Tape::around(vec![100.1; 1300], vec![5.0; 1300], 0.0);
    for (name, args, value) in [
        ("sma", &[20.0][..], 100.1),
        ("wma", &[20.0], 100.1),
        ("bb_upper", &[20.0, 2.0], 100.1),
        ("bb_lower", &[20.0, 2.0], 100.1),
        ("stdev", &[20.0], 0.0),
        ("zscore", &[20.0], 0.0),
        ("realized_vol", &[20.0], 0.0),
        ("linreg_slope", &[20.0], 0.0),
        ("kama", &[20.0], 100.1),
        ("rsi", &[14.0], 0.0),
        ("cci", &[20.0], 0.0),
        ("cci", &[700.0], 0.0),
        ("stoch_k", &[14.0, 3.0, 3.0], 0.0),
        ("atr", &[14.0], 0.0),
        ("adx", &[14.0], 0.0),
        ("percentile", &[20.0], 1.0),
        ("percentile", &[1200.0], 1.0),
        ("drawdown", &[], 0.0),
    ] {
        assert_eq!(run(name, &tape, args)[1299], value, "{name}");
    }
}

#[test]
fn a_huge_tick_is_forgotten_when_it_leaves_the_window() {
    let clean = walk(1500);
    let mut struck = clean.clone();
    for column in struck.columns_mut() {
        column[100] = 1e16;
    }
    for (name, args) in [
        ("sma", &[50.0][..]),
        ("sum", &[50.0]),
        ("wma", &[50.0]),
        ("stdev", &[50.0]),
        ("zscore", &[50.0]),
        ("linreg_slope", &[50.0]),
        ("realized_vol", &[50.0]),
        ("cci", &[50.0]),
        ("cci", &[600.0]),
        ("mfi", &[50.0]),
        ("vwap", &[50.0]),
        ("percentile", &[50.0]),
        ("percentile", &[1100.0]),
        ("ultosc", &[7.0, 14.0, 28.0]),
        ("stoch_d", &[14.0, 3.0, 3.0]),
        ("highest", &[50.0]),
    ] {
        let (clean, struck) = (run(name, &clean, args), run(name, &struck, args));
        let same = clean[1250..]
            .iter()
            .zip(&struck[1250..])
            .all(|(a, b)| is_same(*a, *b));
        assert!(same, "{name} remembers");
    }
}

#[test]
fn what_the_contract_defines_beyond_talib() {
    let x = [2.0, 4.0, 3.0, 3.0, 5.0, 1.0];
    assert_eq!(
        run_on("drawdown", &x, &[]),
        [0.0, 0.0, -0.25, -0.25, 0.0, -0.8]
    );
    let percentile = run_on("percentile", &x, &[4.0]);
    assert!(percentile[..3].iter().all(|v| v.is_nan()));
    assert_eq!(percentile[3..], [0.75, 1.0, 0.25]);
    assert_eq!(run_on("sum", &x, &[3.0])[2..], [9.0, 10.0, 11.0, 9.0]);
    let gap = [2.0, f64::NAN, 1.0];
    assert_eq!(run_on("drawdown", &gap, &[])[2], -0.5);
    assert!(
        run_on("drawdown", &[-1.0, -2.0], &[])
            .iter()
            .all(|v| v.is_nan())
    );

    let tape = Tape {
        open: vec![1.0; 4],
        high: vec![10.0, 13.0, 10.0, 10.0],
        low: vec![10.0, 10.0, 10.0, 10.0],
        close: vec![10.0, 13.0, 10.0, 10.0],
        volume: vec![1.0, 3.0, 0.0, 0.0],
    };
    let vwap = run("vwap", &tape, &[2.0]);
    assert_eq!(vwap[1..3], [11.5, 12.0]);
    assert!(vwap[0].is_nan() && vwap[3].is_nan());

    // Doubling and halving: log returns +-ln 2, and the year has as many bars as we are told.
    let doubling = [1.0, 2.0, 1.0, 2.0, 1.0];
    let vol = run_on("realized_vol", &doubling, &[4.0])[4];
    let expected = 2.0_f64.ln() * (4.0_f64 / 3.0).sqrt() * 252.0_f64.sqrt();
    assert!((vol / expected - 1.0).abs() < 1e-14);
    // No logarithm at or below 0.
    let crossed = [1.0, 2.0, -1.0, 2.0, 1.0, 3.0];
    let vol = run_on("realized_vol", &crossed, &[2.0]);
    assert!(vol[..5].iter().all(|v| v.is_nan()) && vol[5].is_finite());
}

#[test]
fn relations_between_arguments_are_checked() {
    for (name, args) in [
        ("macd", &[26.0, 12.0, 9.0][..]),
        ("macd_hist", &[12.0, 12.0, 9.0]),
        ("ppo", &[26.0, 12.0]),
        ("psar", &[0.3, 0.2]),
        ("ultosc", &[14.0, 7.0, 28.0]),
    ] {
        assert!((row(name).check)(args).is_some(), "{name}");
    }
    assert_eq!((row("macd").check)(&[12.0, 26.0, 9.0]), None);
}

/// The same promise as below where windows are long enough to be kept in order.
#[test]
fn long_windows_do_not_see_the_future() {
    let whole = walk(3000);
    for row in all() {
        for picks in [[0.9; 3], [0.5, 0.8, 0.6]] {
            let args = arguments(row, &picks, 1300);
            let long = row.run(&whole.inputs(), &args);
            for len in [1250, 1999, 2711] {
                let short = row.run(&whole.cut(len).inputs(), &args);
                let same = short.iter().zip(&long).all(|(a, b)| is_same(*a, *b));
                assert!(same, "{} {args:?} cut at {len}", row.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cutting the future off changes no value, to the last bit; and clean bars give values
    /// without holes.
    #[test]
    fn no_row_sees_the_future(
        steps in prop::collection::vec((0_u8..25, -1.0..1.0_f64), 1..260),
        picks in prop::array::uniform3(0.0..1.0_f64),
        at in 0.0..1.0_f64,
        longest in prop::sample::select(vec![3_u32, 20, 130, 700]),
    ) {
        let whole = tape(100.0, &steps);
        let cut = whole.cut(1 + (at * (steps.len() - 1) as f64) as usize);
        for row in all() {
            let args = arguments(row, &picks, longest);
            let long = row.run(&whole.inputs(), &args);
            let short = row.run(&cut.inputs(), &args);
            prop_assert_eq!(long.len(), steps.len());
            prop_assert_eq!(short.len(), cut.close.len());
            for (i, (a, b)) in short.iter().zip(&long).enumerate() {
                prop_assert!(is_same(*a, *b), "{} {:?} at {}: {} then {}", row.name, args, i, a, b);
            }
            if !MAY_BE_ABSENT.contains(&row.name) {
                let warmup = (row.warmup)(&args);
                let fine = long.iter().skip(warmup).all(|v| v.is_finite());
                prop_assert!(fine, "{} {:?}: {:?}", row.name, args, long);
            }
        }
    }
}
