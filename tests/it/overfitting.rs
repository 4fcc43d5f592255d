//! Judging many trials: published figures, a plain second way of computing each, and experiments on
//! strategies that are luck by construction and on some that are not.

use papertape::metrics;
use papertape::metrics::bootstrap::SEED;
use papertape::metrics::min_track_record;
use papertape::study::overfitting::{
    BLOCKS, BlockFigure, Blocks, Evidence, Judgement, Sharpes, Splits, block_range, block_sums,
    deflated_sharpe, judge_trials,
};
use proptest::prelude::*;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/metrics")
        .join(name)
}

/// The columns of a golden file of trials, without its dates.
fn columns(name: &str) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(golden(name)).unwrap();
    let dated = usize::from(text.starts_with("date"));
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .skip(dated)
                .map(|c| c.parse().unwrap())
                .collect()
        })
        .collect();
    (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column]).collect())
        .collect()
}

fn sharpe(x: &[f64]) -> f64 {
    papertape::metrics::sharpe_per_period(x).unwrap_or(0.0)
}

fn splits(columns: &[Vec<f64>], blocks: usize) -> Splits {
    let mut sums = Blocks::new(blocks, BlockFigure::Sharpe);
    let push = |column: &Vec<f64>| sums.push_returns(column, &[]);
    columns.iter().for_each(push);
    sums.splits(Some(1)).unwrap()
}

/// The first of the highest.
fn best_of(ratios: &[f64]) -> usize {
    let highest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    ratios.iter().position(|ratio| *ratio == highest).unwrap()
}

fn judged(columns: &[Vec<f64>], seed: u64, threads: Option<usize>) -> Judgement {
    let ratios: Vec<f64> = columns.iter().map(|column| sharpe(column)).collect();
    let best = best_of(&ratios);
    let sharpes: Sharpes = ratios.into_iter().collect();
    let mut blocks = Blocks::default();
    columns
        .iter()
        .for_each(|column| blocks.push(&block_sums(column)));
    let trial = |number: usize| Ok(columns[number].clone());
    judge_trials(&Evidence {
        best,
        returns: &columns[best],
        rate: &[],
        days: columns[best].len() as f64 * 365.25 / 252.0,
        periods_a_year: 252.0,
        sharpes: &sharpes,
        sharpes_all: None,
        blocks: Ok(&blocks),
        trial: Some(&trial),
        seed,
        threads,
        cancel: None,
    })
    .unwrap()
}

#[test]
fn every_golden_figure_of_many_trials_is_met() {
    let trials = columns("trials.csv");
    let small = splits(&columns("pbo_small.csv"), 4);
    let ratios: Vec<f64> = trials.iter().map(|t| sharpe(t)).collect();
    let sharpes: Sharpes = ratios.iter().copied().collect();
    let best = best_of(&ratios);
    let by_blocks: Vec<(usize, Splits)> = [4, 8, 16]
        .into_iter()
        .map(|s| (s, splits(&trials, s)))
        .collect();
    let ability = judged(&trials, SEED, Some(1)).ability.unwrap();
    let of_splits = |name: &str| {
        let (blocks, what) = name[5..].split_once('_').unwrap_or((&name[5..], ""));
        let found = by_blocks
            .iter()
            .find(|(s, _)| s.to_string() == blocks)
            .unwrap();
        match what {
            "" => found.1.probability(),
            "combos" => found.1.splits.len() as f64,
            "prob_loss" => found.1.loss_share(),
            "mean_logit" => found.1.mean_logit(),
            "slope" => found.1.slope(),
            _ => panic!("{name} is not checked"),
        }
    };
    let mut checked = 0;
    for line in std::fs::read_to_string(golden("expected.csv"))
        .unwrap()
        .lines()
    {
        let [name, expected, tolerance] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let ours = match name {
            "dsr_n_trials" => sharpes.count() as f64,
            "dsr_trial_sr_std" => sharpes.deviation(),
            "dsr_best_trial" => best as f64,
            "dsr_best_sr" => ratios[best],
            "dsr_sr0" => sharpes.expected_maximum(),
            "dsr" => deflated_sharpe(&trials[best], &sharpes).unwrap(),
            "pbo_small_s4" => small.probability(),
            "rc_stat_sqrtT_max_mean" => ability.reality_check_statistic,
            "spa_p_lower" => ability.spa_p_lower,
            "spa_p_consistent" => ability.spa_p,
            "spa_p_upper" => ability.spa_p_upper,
            _ if name.starts_with("pbo_s") => of_splits(name),
            _ if ["dsr", "pbo", "rc_", "spa"]
                .iter()
                .any(|p| name.starts_with(p)) =>
            {
                panic!("{name} is not checked")
            }
            _ => continue,
        };
        checked += 1;
        let expected: f64 = expected.parse().unwrap();
        let tolerance = match tolerance {
            "exact" => 0.0,
            "abs 0.02 (bootstrap)" => 0.02,
            relative => relative.parse::<f64>().unwrap() * expected.abs().max(1e-12),
        };
        assert!(
            (ours - expected).abs() <= tolerance,
            "{name}: {ours} but {expected}"
        );
    }
    assert_eq!(checked, 26);
}

#[test]
fn golden_splits_of_a_small_matrix() {
    let found = splits(&columns("pbo_small.csv"), 4);
    let text = std::fs::read_to_string(golden("pbo_small_combos.csv")).unwrap();
    assert_eq!(text.lines().count(), 1 + found.splits.len());
    for (line, split) in text.lines().skip(1).zip(&found.splits) {
        let cells: Vec<&str> = line.split(',').collect();
        let inside = (0..4).filter(|b| split.in_sample >> b & 1 == 1);
        let inside: Vec<String> = inside.map(|b: u32| b.to_string()).collect();
        assert_eq!(cells[0], inside.join("+"));
        assert_eq!(cells[1], split.best.to_string());
        assert_eq!(cells[4], split.rank.to_string());
        for (cell, ours) in [
            (cells[2], split.inside),
            (cells[3], split.outside),
            (cells[5], found.relative_rank(split)),
            (cells[6], found.logit(split)),
        ] {
            let expected: f64 = cell.parse().unwrap();
            assert!(
                (ours - expected).abs() < 1e-9,
                "{line}: {ours} but {expected}"
            );
        }
    }
}

/// CSCV as its definition says it: matrices of returns, no sums.
fn plain_splits(columns: &[Vec<f64>], blocks: usize) -> Vec<(u32, usize, u64)> {
    let returns = columns[0].len();
    let half = |column: &[f64], mask: u32| -> f64 {
        let inside = (0..blocks).filter(|b| mask >> b & 1 == 1);
        let rows = inside.flat_map(|b| block_range(returns, b, blocks));
        sharpe(&rows.map(|row| column[row]).collect::<Vec<f64>>())
    };
    let mut found = Vec::new();
    for mask in (0_u32..1 << blocks).filter(|m| m.count_ones() as usize == blocks / 2) {
        let ratios = |mask| columns.iter().map(|c| half(c, mask)).collect::<Vec<f64>>();
        let (inside, outside) = (ratios(mask), ratios(!mask & ((1 << blocks) - 1)));
        let best = best_of(&inside);
        let lower = outside.iter().filter(|r| **r < outside[best]).count();
        found.push((mask, best, 1 + lower as u64));
    }
    found.sort_by_key(|(mask, ..)| std::cmp::Reverse(mask.reverse_bits()));
    found
}

/// A figure of each trial on each half and on the other one, the highest best, from the returns of the
/// half as one series; what has no figure, since it lost everything, is worse than all.
fn plain_halves(
    columns: &[Vec<f64>],
    rates: &[f64],
    blocks: usize,
    key: &str,
) -> Vec<(u32, Vec<f64>, Vec<f64>)> {
    let figure = |column: &[f64], mask: u32| -> f64 {
        let inside = (0..blocks).filter(|b| mask >> b & 1 == 1);
        let rows = inside.flat_map(|b| block_range(column.len(), b, blocks));
        let rows: Vec<usize> = rows.collect();
        let of = |column: &[f64]| rows.iter().map(|row| column[*row]).collect::<Vec<f64>>();
        if column.iter().any(|r| !r.is_finite()) {
            return f64::MIN;
        }
        // Far enough apart for a growth a year.
        let day = |at: usize| at as i64 * 60 * 86_400_000_000;
        let time: Vec<i64> = (0..rows.len()).map(day).collect();
        let (returns, rate) = (of(column), of(rates));
        let inputs = metrics::Inputs {
            time: &time,
            returns: &returns,
            rate: &rate,
            hurdle: &[],
            benchmark: None,
            periods_a_year: 1.0,
            bars_a_session: 1.0,
            start_equity: None,
            end_equity: None,
            flows: &[],
            weight: &[],
            turnover: &[],
            trades: None,
            money: None,
            ambiguous_trades: None,
            seed: SEED,
        };
        let found = metrics::compute_only(&inputs, &[key]);
        let sign = if key == "volatility" { -1.0 } else { 1.0 };
        sign * found.get(key).unwrap_or(0.0)
    };
    let mut found = Vec::new();
    for mask in (0_u32..1 << blocks).filter(|m| m.count_ones() as usize == blocks / 2) {
        let all = |mask| {
            columns
                .iter()
                .map(|c| figure(c, mask))
                .collect::<Vec<f64>>()
        };
        found.push((mask, all(mask), all(!mask & ((1 << blocks) - 1))));
    }
    found.sort_by_key(|(mask, ..)| std::cmp::Reverse(mask.reverse_bits()));
    found
}

/// Numbers that look like returns, from a seed.
fn noise(seed: u64, n: usize) -> Vec<f64> {
    let uniform = |i: usize| papertape::metrics::bootstrap::uniform(seed, i as u64);
    (0..n)
        .map(|i| 0.01 * papertape::metrics::normal_quantile(uniform(i).max(1e-12)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any number of trials, more than a tile of them too, some of them equal and some flat.
    #[test]
    fn splits_from_sums_are_those_of_the_returns(
        seed in any::<u64>(),
        trials in prop_oneof![2_usize..12, 120_usize..140],
        rows in 24_usize..60,
        copies in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
        flat in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut columns: Vec<Vec<f64>> =
            (0..trials).map(|t| noise(seed.wrapping_add(t as u64), rows)).collect();
        for (from, to) in copies {
            columns[to.index(trials)] = columns[from.index(trials)].clone();
        }
        if let Some(flat) = flat {
            columns[flat.index(trials)] = vec![0.0; rows];
        }
        for blocks in [4, 6] {
            let ours = splits(&columns, blocks).splits;
            let ours: Vec<_> = ours.iter().map(|s| (s.in_sample, s.best, s.rank)).collect();
            prop_assert_eq!(ours, plain_splits(&columns, blocks));
        }
    }

    /// The other figures of halves, by the metrics of whole series put together row by row.
    #[test]
    fn splits_by_other_figures_are_those_of_the_returns(
        seed in any::<u64>(),
        trials in prop_oneof![2_usize..9, 126_usize..131],
        rows in 24_usize..60,
        rate in prop_oneof![Just(0.0), 1e-5..1e-3],
        lost in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut columns: Vec<Vec<f64>> =
            (0..trials).map(|t| noise(seed.wrapping_add(t as u64), rows)).collect();
        if let Some(lost) = lost {
            let column = &mut columns[lost.index(trials)];
            column[rows / 2] = -1.0;
            column[rows / 2 + 1..].fill(f64::NAN);
        }
        let rates: Vec<f64> = (0..rows).map(|at| rate * (1.0 + (at % 3) as f64)).collect();
        for key in ["sortino", "volatility", "total_return", "cagr"] {
            let figure = BlockFigure::of(key).unwrap();
            let mut sums = Blocks::new(4, figure);
            columns.iter().for_each(|column| sums.push_returns(column, &rates));
            let ours = sums.splits(Some(1)).unwrap();
            let plain = plain_halves(&columns, &rates, 4, key);
            prop_assert_eq!(ours.splits.len(), plain.len());
            for (ours, (mask, inside, outside)) in ours.splits.iter().zip(plain) {
                let best = best_of(&inside);
                prop_assert_eq!(ours.in_sample, mask);
                // Two ways of rounding may part trials that are equal but for the last bits.
                prop_assert!((inside[ours.best] - inside[best]).abs() <= 1e-12, "{}", key);
                let sign = if key == "volatility" { -1.0 } else { 1.0 };
                if key != "cagr" {
                    prop_assert!((sign * ours.inside - inside[ours.best]).abs() < 1e-9, "{}", key);
                    prop_assert!((sign * ours.outside - outside[ours.best]).abs() < 1e-9, "{}", key);
                }
                let than = |r: &&f64| **r < outside[ours.best];
                let lower = outside.iter().filter(than).count() as u64;
                prop_assert_eq!(ours.rank, 1 + lower, "{}", key);
            }
        }
    }

    /// Counting trials one by one or in parts, in any order, is counting them all at once.
    #[test]
    fn sharpes_are_counted_in_any_parts(ratios in proptest::collection::vec(-3.0_f64..3.0, 2..50), cut in any::<prop::sample::Index>()) {
        let whole: Sharpes = ratios.iter().copied().collect();
        let (a, b) = ratios.split_at(cut.index(ratios.len()));
        let mut merged: Sharpes = a.iter().copied().collect();
        merged.merge(&b.iter().copied().collect());
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        let squares: f64 = ratios.iter().map(|r| (r - mean).powi(2)).sum();
        let deviation = (squares / (ratios.len() as f64 - 1.0)).sqrt();
        for counted in [whole, merged] {
            prop_assert_eq!(counted.count(), ratios.len() as u64);
            prop_assert!((counted.mean() - mean).abs() < 1e-12);
            prop_assert!((counted.deviation() - deviation).abs() < 1e-12);
        }
    }
}

/// The likeness of trials by the definition, over every pair.
#[test]
fn effective_trials_are_those_of_every_pair() {
    let market = noise(1, 300);
    let mut columns: Vec<Vec<f64>> = (0..20)
        .map(|t| {
            noise(100 + t, 300)
                .iter()
                .zip(&market)
                .map(|(a, b)| a + b)
                .collect()
        })
        .collect();
    let correlation = |a: &[f64], b: &[f64]| {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let dot = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
            x.iter().zip(y).map(|(p, q)| (p - mx) * (q - my)).sum()
        };
        dot(a, ma, b, mb) / (dot(a, ma, a, ma) * dot(b, mb, b, mb)).sqrt()
    };
    let pairs = (0..20).flat_map(|i| (0..i).map(move |j| (i, j)));
    let all: Vec<f64> = pairs
        .map(|(i, j)| correlation(&columns[i], &columns[j]))
        .collect();
    let c = all.iter().sum::<f64>() / all.len() as f64;
    let effective = judged(&columns, SEED, None).trials_effective.unwrap();
    assert!(
        (effective - (c + (1.0 - c) * 20.0)).abs() < 1e-9,
        "{effective}"
    );
    assert!(
        effective > 9.0 && effective < 12.0,
        "half of each is shared: {effective}"
    );
    // Trials that never traded are one more together; copies are none.
    columns.push(vec![0.0; 300]);
    columns.push(vec![0.0; 300]);
    let with_flat = judged(&columns, SEED, None).trials_effective.unwrap();
    assert!((with_flat - effective - 1.0).abs() < 1e-9, "{with_flat}");
    let copies = vec![columns[0].clone(); 7];
    let one = judged(&copies, SEED, None).trials_effective.unwrap();
    assert!((one - 1.0).abs() < 1e-9, "{one}");
}

#[test]
fn a_judgement_is_the_same_for_any_number_of_threads() {
    let columns: Vec<Vec<f64>> = (0..150).map(|t| noise(t, 200)).collect();
    let one = judged(&columns, SEED, Some(1));
    assert_eq!(one, judged(&columns, SEED, Some(3)));
    assert_ne!(one.ability, judged(&columns, 7, Some(1)).ability);
}

/// A resample by days, as the definition says it, must reject as often.
#[test]
fn p_values_of_one_trial_are_those_of_its_mean() {
    // One trial: the three p values are one, and near that of a t test of its mean.
    for (seed, drift) in [(3, 0.0), (4, 0.0005), (5, 0.001), (6, 0.002)] {
        let x: Vec<f64> = noise(seed, 500).iter().map(|r| r + drift).collect();
        let t = sharpe(&x) * 500.0_f64.sqrt();
        let expected = if t > 0.0 {
            1.0 - papertape::metrics::normal_cdf(t)
        } else {
            1.0
        };
        let ability = judged(&[x], SEED, Some(1)).ability.unwrap();
        assert!(
            (ability.spa_p - expected).abs() < 0.05,
            "{} but {expected}",
            ability.spa_p
        );
        assert!((ability.reality_check_p - ability.spa_p).abs() < 1e-12);
        assert_eq!(ability.spa_p_lower, ability.spa_p_upper);
    }
}

#[test]
fn hopeless_trials_weigh_in_the_reality_check_and_not_in_the_consistent_p() {
    let mut columns: Vec<Vec<f64>> = (0..40)
        .map(|t| noise(t, 500).iter().map(|r| 3.0 * r - 0.02).collect())
        .collect();
    columns.push(noise(99, 500).iter().map(|r| r + 0.0016).collect());
    let ability = judged(&columns, SEED, None).ability.unwrap();
    assert!(ability.spa_p_lower <= ability.spa_p && ability.spa_p <= ability.spa_p_upper);
    assert!(ability.spa_p < 0.05, "{ability:?}");
    assert!(
        ability.spa_p_upper > 0.05 && ability.reality_check_p > 0.5,
        "{ability:?}"
    );
}

#[test]
fn one_trial_is_deflated_by_nothing_and_split_by_nothing() {
    let x: Vec<f64> = noise(1, 300).iter().map(|r| r + 0.001).collect();
    let judgement = judged(std::slice::from_ref(&x), SEED, None);
    let psr = papertape::metrics::probabilistic_sharpe(&x, 0.0).unwrap();
    assert_eq!(judgement.deflated_sharpe, Ok(psr));
    assert!(judgement.pbo.is_err());
    assert_eq!(judgement.min_track_record, min_track_record(&x, 0.0, 0.95));
    assert!(judgement.deflated_sharpe_all.is_err() && judgement.trials_all.is_none());
}

#[test]
fn what_cannot_be_said_has_a_reason() {
    let short: Vec<Vec<f64>> = (0..3).map(|t| noise(t, 19)).collect();
    let judgement = judged(&short, SEED, None);
    let reason = |value: Result<f64, papertape::metrics::Absent>| value.unwrap_err().to_string();
    assert_eq!(
        reason(judgement.deflated_sharpe),
        "19 returns, at least 20 needed"
    );
    let ability = judgement.ability.unwrap_err().to_string();
    assert_eq!(ability, "19 returns, at least 60 needed");
    let shorter: Vec<Vec<f64>> = (0..3).map(|t| noise(t, 15)).collect();
    assert_eq!(
        reason(judged(&shorter, SEED, None).pbo),
        "fewer returns than the 16 blocks need"
    );
    let flat = vec![vec![0.0; 100]; 3];
    let judgement = judged(&flat, SEED, None);
    assert_eq!(reason(judgement.deflated_sharpe), "the returns do not vary");
    assert_eq!(
        reason(judgement.trials_effective),
        "no trial's returns vary"
    );
    assert_eq!(judgement.ability.unwrap().spa_p, 1.0);
}

#[test]
fn blocks_leave_out_what_fills_no_row() {
    assert_eq!(block_range(35, 0, BLOCKS), 0..2);
    assert_eq!(block_range(35, 15, BLOCKS), 30..32);
    let sums = block_sums(&noise(1, 35));
    assert!(sums.iter().all(|block| block.count == 2));
}

/// The same blocks strung together return by return.
#[test]
fn growth_intervals_are_those_of_the_paths_themselves() {
    use papertape::metrics::bootstrap::{Draws, REPLICATES, block_length, growth_intervals};
    for (seed, n, smooth) in [(1, 300, 1), (2, 61, 1), (3, 400, 15)] {
        let noise = noise(seed, n + smooth);
        let x: Vec<f64> = (0..n)
            .map(|i| 0.0005 + noise[i..i + smooth].iter().sum::<f64>())
            .collect();
        let block = block_length(&x).max(5.0);
        let draws = Draws::new(n, block, SEED);
        let (mut growth, mut depth) = (Vec::new(), Vec::new());
        for replicate in 0..REPLICATES as u64 {
            let (mut wealth, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
            let mut length_of_all = 0;
            draws.blocks(replicate, |start, length| {
                length_of_all += length;
                for at in start..start + length {
                    wealth *= 1.0 + x[at % n];
                    peak = peak.max(wealth);
                    deepest = deepest.min(wealth / peak - 1.0);
                }
            });
            assert_eq!(length_of_all, n);
            growth.push(wealth);
            depth.push(deepest);
        }
        let years = 2.0;
        let found = growth_intervals(&x, years * 365.25, SEED).unwrap();
        assert_eq!(found.cagr.block, block);
        let percentile = |x: &mut Vec<f64>, p: f64| {
            x.sort_by(f64::total_cmp);
            let position = p * (x.len() - 1) as f64;
            let (below, part) = (position as usize, position.fract());
            x[below] + part * (x[below + 1] - x[below])
        };
        for (ours, theirs) in [
            (
                found.cagr.low,
                percentile(&mut growth, 0.05).powf(1.0 / years) - 1.0,
            ),
            (
                found.cagr.high,
                percentile(&mut growth, 0.95).powf(1.0 / years) - 1.0,
            ),
            (found.max_drawdown.low, percentile(&mut depth, 0.05)),
            (found.max_drawdown.high, percentile(&mut depth, 0.95)),
        ] {
            assert!((ours - theirs).abs() < 1e-5, "{ours} but {theirs}");
        }
    }
}
