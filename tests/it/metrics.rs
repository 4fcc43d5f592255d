//! Metrics against published numbers, against a second way of computing them, and against
//! whatever numbers a tape may hold.

// A test may fail by unwrapping, and two of them are tables of rows.
#![allow(clippy::unwrap_used, clippy::too_many_lines)]

use papertape::engine::Run;
use papertape::metrics::bootstrap;
use papertape::metrics::caveats::{Caveat, CaveatInputs, caveats};
use papertape::metrics::table::{self, Table};
use papertape::metrics::{self, ClosedTrade, Inputs, Metrics, Money};
use papertape::portfolio::{Entry, EntryKind};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/metrics")
        .join(name)
}

fn rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(golden(name)).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn golden_table() -> (Table, Vec<ClosedTrade>) {
    let table = table::read(&golden("returns.csv")).unwrap();
    (table, table::read_trades(&golden("trades.csv")).unwrap())
}

fn without_rate<'a>(inputs: &Inputs<'a>) -> Inputs<'a> {
    Inputs {
        rate: &[],
        hurdle: &[],
        ..*inputs
    }
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1e-300)
}

fn date(time: Micros) -> String {
    papertape::market::date_of(time).to_string()
}

/// What ours is for a row of `expected.csv`, or why the product has no such figure.
fn ours(name: &str, table: &Table, computed: &[Metrics; 3]) -> Result<String, &'static str> {
    let [m, no_rate, bench] = computed;
    let r = &table.returns;
    let key = |m: &Metrics, k: &str| Ok(format!("{:?}", m.get(k).unwrap()));
    let number = |v: f64| Ok(format!("{v:?}"));
    let episodes = metrics::drawdown_episodes(r);
    let deepest = *episodes
        .iter()
        .min_by(|a, b| a.depth.total_cmp(&b.depth))
        .unwrap();
    let (peak, end) = (deepest.peak.unwrap(), deepest.recovery.unwrap());
    let days = |from: usize, to: usize| ((table.time[to] - table.time[from]) / DAY_MICROS) as f64;
    let series = metrics::drawdown_series(r);
    let month = |best: bool| {
        let months = metrics::monthly_returns(&table.time, r);
        let by = |a: &&(i32, u32, f64), b: &&(i32, u32, f64)| a.2.total_cmp(&b.2);
        let found = if best {
            months.iter().max_by(by)
        } else {
            months.iter().min_by(by)
        };
        let (year, month, _) = found.unwrap();
        Ok(format!("{year}-{month:02}"))
    };
    let day_of = |value: f64| {
        Ok(date(
            table.time[r.iter().position(|x| *x == value).unwrap()],
        ))
    };
    let psr = |s: f64| metrics::probabilistic_sharpe(r, s).unwrap();
    match name {
        "n" => number(m.observations as f64),
        "total_return" => key(m, "total_return"),
        "bench_total_return" => key(bench, "total_return"),
        "years_calendar" => number(days(0, r.len() - 1) / 365.25),
        "cagr_calendar" => key(m, "cagr"),
        "ann_vol" => key(m, "volatility"),
        "sharpe_rf0" => key(no_rate, "sharpe"),
        "sharpe_rf_series" => key(m, "sharpe"),
        "sortino_mar0" => key(no_rate, "sortino"),
        "sortino_rf_series" => key(m, "sortino"),
        "omega_0" | "profit_factor_days" => key(m, "omega"),
        "max_drawdown" => key(m, "max_drawdown"),
        "max_dd_peak_date" => Ok(date(table.time[peak])),
        "max_dd_trough_date" => Ok(date(table.time[deepest.trough])),
        "max_dd_recovery_date" => Ok(date(table.time[end])),
        "max_dd_bars_peak_to_trough" => number((deepest.trough - peak) as f64),
        "max_dd_bars_trough_to_recovery" => number((end - deepest.trough) as f64),
        "max_dd_bars_peak_to_recovery" => number((end - peak) as f64),
        "max_dd_days_peak_to_trough" => number(days(peak, deepest.trough)),
        "max_dd_days_peak_to_recovery" => key(m, "max_drawdown_days"),
        "n_drawdowns" => number(episodes.len() as f64),
        "longest_dd_bars" => {
            let length = |e: &metrics::Episode| {
                e.recovery.unwrap_or(r.len() - 1) as i64 - e.peak.map_or(-1, |p| p as i64)
            };
            number(episodes.iter().map(length).max().unwrap() as f64)
        }
        "avg_drawdown_of_episodes" => key(m, "avg_drawdown"),
        "avg_drawdown_of_days" => number(series.iter().sum::<f64>() / r.len() as f64),
        "ulcer_index" => key(m, "ulcer_index"),
        "time_under_water" => {
            number(series.iter().filter(|d| **d < 0.0).count() as f64 / r.len() as f64)
        }
        "calmar_calendar" => key(m, "calmar"),
        "var95_hist" => key(m, "var_95"),
        "cvar95_hist" => key(m, "cvar_95"),
        "skew_biased" => key(m, "skew"),
        "kurt_excess_biased" => key(m, "kurtosis"),
        "tail_ratio" => key(m, "tail_ratio"),
        "beta_rf0" => key(no_rate, "beta"),
        "beta_excess" => key(m, "beta"),
        "alpha_ann_arith_rf0" => key(no_rate, "alpha"),
        "alpha_ann_arith_excess" => key(m, "alpha"),
        "correlation" => key(m, "correlation"),
        "r_squared" => number(m.get("correlation").unwrap().powi(2)),
        "tracking_error" => key(m, "tracking_error"),
        "information_ratio" => key(m, "information_ratio"),
        "up_capture_monthly" => key(m, "up_capture"),
        "down_capture_monthly" => key(m, "down_capture"),
        "best_day" => key(m, "best_day"),
        "best_day_date" => day_of(m.get("best_day").unwrap()),
        "worst_day" => key(m, "worst_day"),
        "worst_day_date" => day_of(m.get("worst_day").unwrap()),
        "best_month" => key(m, "best_month"),
        "best_month_key" => month(true),
        "worst_month" => key(m, "worst_month"),
        "worst_month_key" => month(false),
        "positive_months_share" => key(m, "positive_months"),
        "exposure_time" => key(m, "exposure"),
        "turnover_ann_one_sided" => key(m, "turnover"),
        "turnover_ann_two_sided" => number(2.0 * m.get("turnover").unwrap()),
        "trades_n" => key(m, "trades"),
        "trades_win_rate" => key(m, "win_rate"),
        "trades_profit_factor" => key(m, "profit_factor"),
        "trades_expectancy" => key(m, "expectancy"),
        "trades_avg_win" => key(m, "avg_win"),
        "trades_avg_loss" => key(m, "avg_loss"),
        "trades_payoff_ratio" => key(m, "payoff_ratio"),
        "trades_sqn" => key(m, "sqn"),
        "trades_kelly" => key(m, "kelly"),
        "trades_best_pct" => key(m, "best_trade"),
        "trades_worst_pct" => key(m, "worst_trade"),
        "trades_avg_bars_held" => key(m, "avg_bars_held"),
        "sr_per_period" => number(metrics::sharpe_per_period(r).unwrap()),
        "psr_0" => key(no_rate, "psr"),
        "psr_0p5_annual" => number(psr(0.5 / 252.0_f64.sqrt())),
        "min_trl_0_95" => number(metrics::min_track_record(r, 0.0, 0.95).unwrap()),
        "ann_return_arith" => {
            let (sharpe, vol) = (no_rate.get("sharpe"), no_rate.get("volatility"));
            number(sharpe.unwrap() * vol.unwrap())
        }
        "cagr_252" | "calmar_252" => Err("ours is by calendar"),
        "rf_const_annual" | "sharpe_rf_const" | "sortino_rf_const" => {
            Err("a constant rate is a series here; the series is checked")
        }
        "downside_dev_ann" | "recovery_factor" | "omega_5pct" => Err("no key of that kind"),
        "var95_normal" => Err("ours is historical"),
        "skew_adjusted" | "kurt_excess_adjusted" => Err("ours are the biased ones"),
        "alpha_ann_geom_rf0" => Err("ours is arithmetic"),
        "information_ratio_daily" => Err("ours is annual"),
        "up_capture_daily" | "down_capture_daily" => Err("ours are monthly"),
        "win_rate_days_nonzero" | "win_rate_days_all" | "payoff_ratio_days" => {
            Err("ours count trades")
        }
        "exposure_avg_weight" => Err("ours is the share of days"),
        "trades_expectancy_pct" => Err("ours is money"),
        "trades_max_bars_held" | "trades_max_consec_wins" | "trades_max_consec_losses" => {
            Err("no key of that kind")
        }
        _ if ["dsr", "pbo_", "rc_", "spa_"]
            .iter()
            .any(|p| name.starts_with(p)) =>
        {
            Err("of many trials: checked in overfitting.rs")
        }
        _ => panic!("{name} is neither checked nor excused"),
    }
}

#[test]
fn every_golden_figure_is_met_or_excused() {
    let (table, trades) = golden_table();
    let inputs = table.inputs(Some(&trades), bootstrap::SEED);
    let of_benchmark = Inputs {
        returns: table.benchmark.as_ref().unwrap(),
        benchmark: None,
        ..inputs
    };
    let computed = [inputs, without_rate(&inputs), of_benchmark].map(|i| metrics::compute(&i));
    let mut checked = 0;
    for row in rows("expected.csv") {
        let (name, expected, tolerance) = (&row[0], &row[1], &row[2]);
        let Ok(value) = ours(name, &table, &computed) else {
            continue;
        };
        checked += 1;
        match (value.parse::<f64>(), expected.parse::<f64>()) {
            (Ok(a), Ok(b)) if tolerance == "exact" => assert_eq!(a, b, "{name}"),
            (Ok(a), Ok(b)) => {
                let tolerance: f64 = tolerance.parse().unwrap();
                assert!(close(a, b, tolerance), "{name}: {a} but {b}");
            }
            _ => assert_eq!(&value, expected, "{name}"),
        }
    }
    assert_eq!(checked, 72);
}

#[test]
fn golden_months_years_and_drawdowns() {
    let (table, _) = golden_table();
    let bench = table.benchmark.as_ref().unwrap();
    let months = metrics::monthly_returns(&table.time, &table.returns);
    let theirs = metrics::monthly_returns(&table.time, bench);
    let expected = rows("monthly.csv");
    assert_eq!(months.len(), expected.len());
    for ((row, ours), their) in expected.iter().zip(&months).zip(&theirs) {
        assert_eq!(row[0], format!("{}-{:02}", ours.0, ours.1));
        assert!((ours.2 - row[1].parse::<f64>().unwrap()).abs() < 1e-12);
        assert!((their.2 - row[2].parse::<f64>().unwrap()).abs() < 1e-12);
    }
    let years = metrics::yearly_returns(&table.time, &table.returns);
    let expected = rows("yearly.csv");
    assert_eq!(years.len(), expected.len());
    for (row, ours) in expected.iter().zip(&years) {
        assert_eq!(row[0], ours.0.to_string());
        assert!((ours.1 - row[1].parse::<f64>().unwrap()).abs() < 1e-12);
    }
    let episodes = metrics::drawdown_episodes(&table.returns);
    let expected = rows("drawdowns.csv");
    assert_eq!(episodes.len(), expected.len());
    let index = |i: Option<usize>| i.map_or("-1".to_owned(), |i| i.to_string());
    for (row, e) in expected.iter().zip(&episodes) {
        assert_eq!(row[3], index(e.peak));
        assert_eq!(row[4], e.trough.to_string());
        let recovery = e.recovery.map_or(String::new(), |i| i.to_string());
        assert!(
            row[5] == recovery || (row[5] == "-1" && recovery.is_empty()),
            "{row:?}"
        );
        assert!((e.depth - row[6].parse::<f64>().unwrap()).abs() < 1e-12);
    }
}

/// The Python package arch 8.0.0 gives these mean blocks for the same columns
/// (`optimal_block_length`, stationary).
#[test]
fn mean_block_is_that_of_another_program() {
    let (table, _) = golden_table();
    let bench = table.benchmark.as_ref().unwrap();
    let excess: Vec<f64> = table
        .returns
        .iter()
        .zip(&table.rate)
        .map(|(r, rate)| r - rate)
        .collect();
    let sizes: Vec<f64> = bench.iter().map(|b| b.abs()).collect();
    let squares: Vec<f64> = bench.iter().map(|b| b * b).collect();
    for (x, block) in [
        (&table.returns, 2.180923),
        (&excess, 2.153032),
        (bench, 8.548842),
        (&sizes, 97.187748),
        (&squares, 92.664664),
    ] {
        let ours = bootstrap::block_length(x);
        assert!((ours - block).abs() < 1e-6, "{ours} but {block}");
    }
}

/// Resampled by that package with 5,000 replicates of mean block 5 and 20, the 5th and 95th
/// percentiles of the golden excess returns' Sharpe ratio are -0.233, 0.780 and -0.235, 0.771: two
/// Monte Carlo runs of standard error 0.01 each.
#[test]
fn interval_is_that_of_another_program() {
    let (table, _) = golden_table();
    let m = metrics::compute(&table.inputs(None, bootstrap::SEED));
    assert!((m.get("sharpe_low").unwrap() + 0.233).abs() < 0.04);
    assert!((m.get("sharpe_high").unwrap() - 0.780).abs() < 0.04);
    assert_eq!(m.block, Some(5.0));
}

#[test]
fn bootstrap_of_two_runs_is_one() {
    let (table, _) = golden_table();
    let a = bootstrap::sharpe_interval(&table.returns, 252.0, bootstrap::SEED);
    assert_eq!(
        a,
        bootstrap::sharpe_interval(&table.returns, 252.0, bootstrap::SEED)
    );
    let other = bootstrap::sharpe_interval(&table.returns, 252.0, 7);
    assert_ne!(a, other, "another seed, other draws");
}

/// The example in the documentation of the spreadsheet function XIRR: 37.3362535%.
#[test]
fn money_weighted_return_is_that_of_spreadsheets() {
    let day = |y, m, d| {
        let date = chrono::NaiveDate::from_ymd_opt(y, m, d).unwrap();
        papertape::market::midnight(date) / DAY_MICROS
    };
    let flows = [
        (day(2008, 1, 1), -10_000.0),
        (day(2008, 3, 1), 2_750.0),
        (day(2008, 10, 30), 4_250.0),
        (day(2009, 2, 15), 3_250.0),
        (day(2009, 4, 1), 2_750.0),
    ];
    let rate = metrics::xirr(&flows).unwrap();
    assert!((rate - 0.373_362_535).abs() < 1e-8, "{rate}");
    assert!(metrics::xirr(&[(0, -1.0), (10, -1.0)]).is_err());
    assert!(metrics::xirr(&[(0, -1.0), (0, 1.0)]).is_err());
    let doubled = metrics::xirr(&[(0, -1.0), (365, 2.0)]).unwrap();
    assert!((doubled - 1.0).abs() < 1e-14);
}

/// A deposit before a fall: time-weighted 0, money-weighted a loss, and both known by hand.
#[test]
fn both_returns_of_an_account_with_a_deposit() {
    let time: Vec<Micros> = [0, 365, 730].map(|d| d * DAY_MICROS).to_vec();
    let returns = [0.0, 1.0, -0.5];
    // 100 doubles to 200; 800 more make 1,000, of which half is lost.
    let flows = [0.0, 0.0, 800.0];
    let m = metrics::compute(&Inputs {
        start_equity: Some(100.0),
        end_equity: Some(500.0),
        flows: &flows,
        ..plain(&time, &returns)
    });
    assert_eq!(m.get("total_return"), Some(0.0));
    // The deposit stands on the day of the closing equity: 100 in, 500 - 800 back.
    assert_eq!(m.get("mwr"), None);
    assert_eq!(m.reason("mwr"), Some("the flows balance at no rate"));
    let m = metrics::compute(&Inputs {
        start_equity: Some(100.0),
        end_equity: Some(500.0),
        flows: &[0.0, 300.0, 0.0],
        ..plain(&time, &returns)
    });
    // 100 v^2 + 300 v = 500 with v = 1 + mwr.
    let v = (-300.0 + (300.0_f64 * 300.0 + 4.0 * 100.0 * 500.0).sqrt()) / 200.0;
    assert!((m.get("mwr").unwrap() - (v - 1.0)).abs() < 1e-12);
}

fn plain<'a>(time: &'a [Micros], returns: &'a [f64]) -> Inputs<'a> {
    Inputs {
        time,
        returns,
        rate: &[],
        hurdle: &[],
        benchmark: None,
        periods_a_year: 252.0,
        bars_a_session: 1.0,
        start_equity: None,
        end_equity: None,
        flows: &[],
        weight: &[],
        turnover: &[],
        trades: None,
        money: None,
        ambiguous_trades: None,
        seed: bootstrap::SEED,
    }
}

fn days(n: usize) -> Vec<Micros> {
    (0..n as i64).map(|i| i * DAY_MICROS).collect()
}

const KEYS: &str = "start_equity end_equity total_return cagr mwr volatility sharpe sharpe_low \
    sharpe_high psr sortino calmar omega max_drawdown max_drawdown_days avg_drawdown ulcer_index \
    var_95 cvar_95 skew kurtosis tail_ratio best_day worst_day best_month worst_month \
    positive_months exposure turnover beta alpha correlation tracking_error information_ratio \
    up_capture down_capture trades win_rate profit_factor expectancy payoff_ratio avg_trade \
    avg_win avg_loss best_trade worst_trade avg_bars_held sqn kelly fees slippage dividends \
    interest premium premium_net taxes after_tax_cagr ambiguous_trades excess_over_cash";

#[test]
fn the_table_holds_every_key_once_and_in_order() {
    let keys: Vec<&str> = metrics::all().map(|m| m.key).collect();
    assert_eq!(keys, KEYS.split_whitespace().collect::<Vec<_>>());
    for m in metrics::all() {
        assert!(m.label.len() <= 22 && !m.formula.is_empty() && !m.source.is_empty());
    }
}

#[test]
fn absent_has_a_reason() {
    let reasons = |inputs: &Inputs, keys: &[&str]| -> Vec<String> {
        let m = metrics::compute(inputs);
        let reason = |k: &&str| m.reason(k).unwrap_or("present").to_owned();
        keys.iter().map(reason).collect()
    };
    let flat = vec![0.0; 300];
    let time = days(300);
    let ratios = [
        "sharpe",
        "sharpe_low",
        "psr",
        "sortino",
        "calmar",
        "omega",
        "skew",
    ];
    for (key, reason) in ratios.iter().zip(reasons(&plain(&time, &flat), &ratios)) {
        assert_ne!(reason, "present", "{key}");
    }
    let m = metrics::compute(&plain(&time, &flat));
    for key in [
        "total_return",
        "cagr",
        "volatility",
        "max_drawdown",
        "max_drawdown_days",
    ] {
        assert_eq!(m.get(key), Some(0.0), "{key}");
    }
    assert_eq!(m.reason("trades"), Some("no trades given"));
    let three = [0.01, -0.02, 0.03];
    let m = metrics::compute(&plain(&time[..3], &three));
    assert!((m.get("total_return").unwrap() - 0.019_494).abs() < 1e-12);
    assert_eq!(m.reason("sharpe"), Some("3 returns, at least 10 needed"));
    assert_eq!(m.reason("kurtosis"), Some("3 returns, at least 20 needed"));
    assert!(m.reason("cagr").unwrap().starts_with("2 days are too few"));
    let one = [ClosedTrade {
        pnl: 5.0,
        pnl_pct: 0.05,
        bars_held: 3.0,
    }];
    let m = metrics::compute(&Inputs {
        trades: Some(&one),
        ..plain(&time, &flat)
    });
    assert_eq!(m.get("trades"), Some(1.0));
    assert_eq!(m.get("win_rate"), Some(1.0));
    assert_eq!(m.reason("sqn"), Some("one closed trade, at least 2 needed"));
    assert_eq!(m.reason("profit_factor"), Some("no losing trade"));
    assert_eq!(m.reason("kelly"), Some("no losing trade"));
    let m = metrics::compute(&Inputs {
        trades: Some(&[]),
        ..plain(&time, &flat)
    });
    assert_eq!(m.get("trades"), Some(0.0));
    assert_eq!(m.reason("win_rate"), Some("no closed trade"));
    let m = metrics::compute(&Inputs {
        benchmark: Some(&flat),
        ..plain(&time, &flat)
    });
    assert_eq!(m.reason("beta"), Some("the benchmark does not vary"));
    let none = metrics::compute(&plain(&[], &[]));
    assert_eq!(none.reason("total_return"), Some("no bars"));
    let ruined = [0.1, -1.5, f64::NAN];
    let m = metrics::compute(&plain(&time[..3], &ruined));
    assert!(m.reason("max_drawdown").unwrap().contains("1970-01-03"));
    let lost = [0.1, -1.0];
    let m = metrics::compute(&plain(&time[..2], &lost));
    assert_eq!(m.get("total_return"), Some(-1.0));
}

/// Interest of one rate less that rate leaves rounding, and rounding has no Sharpe ratio.
#[test]
fn rounding_is_no_spread() {
    let returns: Vec<f64> = (0..500)
        .map(|i| (100.0 + f64::from(i)) * 1.0001 / (100.0 + f64::from(i)) - 1.0)
        .collect();
    let rate = vec![0.0001; 500];
    let m = metrics::compute(&Inputs {
        rate: &rate,
        ..plain(&days(500), &returns)
    });
    assert_eq!(m.reason("sharpe"), Some("the returns do not vary"));
}

/// Two bars a session, the second of each at 12:00: sessions are what metrics see, and bars of
/// Sunday evening belong to Monday.
#[test]
fn intraday_bars_are_compounded_to_sessions() {
    let daily: Vec<f64> = (0..60).map(|i| f64::from(i % 7) * 0.01 - 0.025).collect();
    let mut time = Vec::new();
    let mut returns = Vec::new();
    let mut dates = Vec::new();
    for (i, r) in daily.iter().enumerate() {
        // Day 4 is a Monday; five sessions a week.
        let day = (4 + i / 5 * 7 + i % 5) as i64;
        let evening_before = if i % 5 == 0 {
            day * DAY_MICROS - 3_600_000_000
        } else {
            day * DAY_MICROS
        };
        time.extend([evening_before, day * DAY_MICROS + DAY_MICROS / 2]);
        returns.extend([0.01, (1.0 + r) / 1.01 - 1.0]);
        dates.push(day * DAY_MICROS);
    }
    let intraday = metrics::compute(&Inputs {
        periods_a_year: 520.0,
        bars_a_session: 2.0,
        ..plain(&time, &returns)
    });
    let by_day = metrics::compute(&Inputs {
        periods_a_year: 260.0,
        ..plain(&dates, &daily)
    });
    assert_eq!(intraday.observations, 60);
    for (key, value) in &by_day.values {
        match (value, intraday.get(key)) {
            (Ok(a), Some(b)) => assert!((a - b).abs() < 1e-9 * a.abs().max(1.0), "{key} {a} {b}"),
            (Err(_), None) => {}
            (a, b) => panic!("{key} {a:?} {b:?}"),
        }
    }
}

#[test]
fn bare_figures_are_those_of_the_table() {
    let (table, trades) = golden_table();
    let inputs = table.inputs(Some(&trades), bootstrap::SEED);
    let bare = metrics::bare(&inputs);
    let full = metrics::compute(&inputs);
    let keys: Vec<&str> = bare.values.iter().map(|v| v.0).collect();
    assert_eq!(
        keys,
        ["total_return", "cagr", "sharpe", "max_drawdown", "trades"]
    );
    for key in keys {
        assert!(
            close(bare.get(key).unwrap(), full.get(key).unwrap(), 1e-12),
            "{key}"
        );
    }
    assert_eq!(
        metrics::compute_only(&inputs, &["sharpe"]).get("sharpe"),
        full.get("sharpe")
    );
}

/// What a tape may hold at its worst: ordinary returns, ruin, and numbers near the largest.
fn any_return() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -0.1..0.1,
        1 => Just(0.0),
        1 => Just(-1.0),
        1 => -3.0..5.0,
        1 => any::<f64>().prop_filter("finite", |v| v.is_finite()),
        1 => Just(f64::NAN),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => -1e4..1e4,
        1 => Just(0.0),
        1 => any::<f64>().prop_filter("finite", |v| v.is_finite()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_figure_is_ever_nan_or_infinite(
        bars in prop::collection::vec(
            (any_return(), any_return(), -0.001..0.001, number(), number(), 1_i64..4),
            0..90,
        ),
        tame in any::<bool>(),
        trades in prop::collection::vec((number(), number(), 0.0..1e3), 0..6),
        ends in (number(), number()),
        bars_a_session in prop_oneof![Just(1.0), Just(7.0)],
    ) {
        let tamed = |r: f64| if tame && !(-1.0..10.0).contains(&r) { 0.01 } else { r };
        let returns: Vec<f64> = bars.iter().map(|b| tamed(b.0)).collect();
        let benchmark: Vec<f64> = bars.iter().map(|b| tamed(b.1)).collect();
        let rate: Vec<f64> = bars.iter().map(|b| b.2).collect();
        let flows: Vec<f64> = bars.iter().map(|b| b.3).collect();
        let weight: Vec<f64> = bars.iter().map(|b| b.4).collect();
        let step = DAY_MICROS / if bars_a_session > 1.0 { 7 } else { 1 };
        let time: Vec<Micros> = bars
            .iter()
            .scan(0, |t, b| { *t += b.5 * step; Some(*t) })
            .collect();
        let trades: Vec<ClosedTrade> = trades
            .iter()
            .map(|t| ClosedTrade { pnl: t.0, pnl_pct: t.1, bars_held: t.2 })
            .collect();
        let inputs = Inputs {
            time: &time,
            returns: &returns,
            rate: &rate,
            hurdle: &rate,
            benchmark: Some(&benchmark),
            periods_a_year: 252.0 * bars_a_session,
            bars_a_session,
            start_equity: Some(ends.0),
            end_equity: Some(ends.1),
            flows: &flows,
            weight: &weight,
            turnover: &weight,
            trades: Some(&trades),
            money: Some(Money::default()),
            ambiguous_trades: Some(1),
            seed: bootstrap::SEED,
        };
        for (key, value) in metrics::compute(&inputs).values.iter().chain(&metrics::bare(&inputs).values) {
            match value {
                Ok(v) => prop_assert!(v.is_finite() && !(*v == 0.0 && v.is_sign_negative()), "{} {}", key, v),
                Err(reason) => prop_assert!(!reason.is_empty(), "{}", key),
            }
        }
        for depth in metrics::drawdown_series(&returns) {
            prop_assert!(depth.is_nan() || depth <= 0.0);
        }
    }
}

/// Windows spent in cash have no value: their ratio would judge the rate.
#[test]
fn rolling_sharpe_is_that_of_each_window() {
    let (table, _) = golden_table();
    let (r, rate) = (&table.returns, &table.rate);
    let rolling = metrics::rolling_sharpe(r, rate, 126, 252.0);
    assert_eq!(rolling.len(), r.len());
    assert!(rolling[..125].iter().all(|s| s.is_nan()));
    let mut compared = 0;
    for end in 126..=r.len() {
        let window = end - 126..end;
        let nearly_all =
            |days: usize| r[window.clone()].iter().filter(|r| **r == 0.0).count() >= days;
        if nearly_all(126) {
            assert!(rolling[end - 1].is_nan(), "{end}");
        }
        if rolling[end - 1].is_nan() && nearly_all(116) {
            continue;
        }
        let excess: Vec<f64> = window.map(|i| r[i] - rate[i]).collect();
        let alone = metrics::sharpe_per_period(&excess).unwrap() * 252.0_f64.sqrt();
        assert!((rolling[end - 1] - alone).abs() < 1e-9, "{end}");
        compared += 1;
    }
    assert!(compared > 2_000);
}

#[test]
fn caveats_are_deserved() {
    let fine = CaveatInputs {
        years: 10.0,
        observations: 2_500,
        closed_trades: 100,
        symbols: 2,
        ..CaveatInputs::default()
    };
    assert_eq!(caveats(&fine), []);
    let codes = |facts: CaveatInputs| -> Vec<&'static str> {
        caveats(&facts).iter().map(Caveat::code).collect()
    };
    assert_eq!(
        codes(CaveatInputs {
            closed_trades: 29,
            ..fine.clone()
        }),
        ["few_trades"]
    );
    assert_eq!(
        codes(CaveatInputs {
            years: 2.9,
            ..fine.clone()
        }),
        ["short_sample"]
    );
    assert_eq!(
        codes(CaveatInputs {
            symbols: 20,
            ..fine.clone()
        }),
        ["survivors"]
    );
    let ended = CaveatInputs {
        symbols: 20,
        symbols_ended: 1,
        ..fine.clone()
    };
    assert_eq!(codes(ended), [""; 0]);
    let rate = CaveatInputs {
        cash_yield: Some(0.045),
        ..fine.clone()
    };
    assert_eq!(
        caveats(&rate)[0].to_string(),
        "Cash pays 4.5% for all 10.0 years. Give [cash] a dated file of rates."
    );
    let all = CaveatInputs {
        costs_are_zero: true,
        fills_at_deciding_close: true,
        closes_only: vec!["A".into()],
        without_dividends: (0..7).map(|i| format!("S{i}")).collect(),
        stale: vec![("A".into(), "2010-01-04".into())],
        ambiguous_trades: 2,
        ambiguous_equity: Some((1.0, 2.0, 3.0)),
        in_sample_trials: Some(9),
        adjusted_columns: vec!["adj_close".into()],
        benchmark_left_out: vec!["B".into()],
        ..fine
    };
    assert_eq!(codes(all.clone()).len(), 9);
    for caveat in caveats(&all) {
        println!("{caveat}");
    }
}

#[test]
fn tables_of_equity_and_their_mistakes() {
    let folder = std::env::temp_dir().join(format!("papertape-metrics-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("t.csv");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        table::read(&file)
    };
    let table = read(
        "\u{feff}Date;Equity;Rate;note\r\n2020-01-02;1000;9;a\r\n2020-01-03;1010;0.1;b\r\n2020-01-06;-5;0.2;c\r\n2020-01-07;3;0.3;d\r\n",
    )
    .unwrap();
    assert_eq!(table.equity, Some((1000.0, 3.0)));
    assert_eq!(
        table.returns[..2],
        [0.010_000_000_000_000_009, -5.0 / 1010.0 - 1.0]
    );
    assert!(table.returns[2].is_nan());
    assert_eq!(table.rate, [0.1, 0.2, 0.3]);
    assert_eq!(date(table.time[0]), "2020-01-03");
    let problems = |text: &str| {
        read(text)
            .unwrap_err()
            .to_string()
            .replace(&file.display().to_string(), "F")
    };
    assert_eq!(
        problems("date,return\n2020-01-02,1.5%\n2020-01-02,0.1\n2020-13-01,x\n2020-01-05,\n"),
        "F:2: return: `1.5%` is not a number (fractions are expected: 0.012 for 1.2%)\n\
         F:3: date: `2020-01-02` does not come after 2020-01-02 (sort the rows by date, one row a date)\n\
         F:4: date: `2020-13-01` is not a date (expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS)\n\
         F:4: return: `x` is not a number\n\
         F:5: return: `` is not a number"
    );
    assert_eq!(
        problems("date,close\n2020-01-02,1\n"),
        "F:1: the file has neither a column `return` nor `equity` (its columns are date, close)"
    );
    assert_eq!(
        problems(""),
        "F:1: the file has no column `date` (the file is empty)"
    );
    assert_eq!(
        problems("date,return\n"),
        "F:1: the file has no rows (its columns are date, return)"
    );
    assert_eq!(
        problems("date,return\n2020-01-02,0.1,3\n"),
        "F:2: 3 cells where the header has 2"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The verb prints what the library computes, in every format.
#[test]
fn the_verb_prints_golden_figures() {
    let run = |format: &str| -> String {
        let out = std::process::Command::new(env!("CARGO_BIN_EXE_papertape"))
            .arg("metrics")
            .arg(golden("returns.csv"))
            .arg("--trades")
            .arg(golden("trades.csv"))
            .args(["--format", format])
            .output()
            .unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["period"]["bars"], 2517);
    assert_eq!(json["metrics"]["cagr"], 0.03882453101319805);
    assert_eq!(json["metrics"]["fees"], serde_json::Value::Null);
    assert_eq!(json["absent"]["fees"], "no ledger given");
    assert_eq!(
        json["metrics"].as_object().unwrap().len(),
        metrics::all().count()
    );
    assert!(run("csv").contains("\ntrades,32,,\n"));
    let text = run("table");
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    assert!(text.contains("Max drawdown                    -23.1%        -56.8%"));
}

/// A run told as a story: 1,000 of cash, bought for 500 at a fee of 1, 400 paid in, half sold.
#[test]
fn a_run_is_measured_from_its_books() {
    let entry = |kind, amount| Entry {
        bar: 1,
        symbol: Some(0),
        kind,
        quantity: 0.0,
        price: 0.0,
        amount,
        cash: 0.0,
        trade: None,
        note: String::new(),
    };
    let run = Run {
        tax: None,
        options: papertape::engine::OptionRecord::default(),
        name: "story".into(),
        symbols: vec!["A".into()],
        first_bar: 0,
        warmup_bars: 0,
        time: vec![0, 40 * DAY_MICROS, 80 * DAY_MICROS],
        periods_a_year: 252.0,
        bars_a_session: 1.0,
        start_equity: 1000.0,
        equity: vec![1000.0, 1050.0, 1740.0],
        cash: vec![1000.0, 499.0, 1120.0],
        holdings: vec![0.0, 551.0, 620.0],
        flows: vec![0.0, 0.0, 400.0],
        unpaid: Vec::new(),
        layers: papertape::engine::Layers::default(),
        exposure: vec![0.0, 0.52, 0.36],
        traded: vec![0.0, 500.0, 290.0],
        rate: vec![0.0; 3],
        hurdle: vec![0.0, 0.01, 0.0],
        orders: Vec::new(),
        trades: Vec::new(),
        ledger: vec![
            entry(EntryKind::Commission, -1.0),
            entry(EntryKind::Slippage, -2.0),
            entry(EntryKind::Dividend, 3.0),
            entry(EntryKind::Interest, 4.0),
            entry(EntryKind::MarginInterest, -0.5),
            entry(EntryKind::Borrow, -0.25),
            entry(EntryKind::Deposit, 400.0),
        ],
        income: Vec::new(),
        ambiguous: None,
        each: Vec::new(),
        stale: Vec::new(),
        levels: Vec::new(),
        books_error: 0.0,
    };
    let m = metrics::of_run(&run, None, bootstrap::SEED);
    let is = |key: &str, value: f64| {
        let got = m.get(key).unwrap();
        assert!((got - value).abs() < 1e-12, "{key} {got}");
    };
    let growth: f64 = 1.05 * (1740.0 / 1450.0);
    is("total_return", growth - 1.0);
    is("cagr", growth.powf(365.25 / 80.0) - 1.0);
    is(
        "excess_over_cash",
        growth.powf(365.25 / 80.0) - 1.01_f64.powf(365.25 / 80.0),
    );
    is("start_equity", 1000.0);
    is("end_equity", 1740.0);
    is("fees", 1.0);
    is("slippage", 2.0);
    is("dividends", 3.0);
    is("interest", 3.25);
    is("exposure", 2.0 / 3.0);
    is(
        "turnover",
        (500.0 / 1000.0 + 290.0 / 1450.0) / 2.0 * 252.0 / 3.0,
    );
    is("trades", 0.0);
    is("ambiguous_trades", 0.0);
    assert_eq!(m.reason("premium"), Some("no options in this strategy"));
    assert_eq!(m.reason("taxes"), Some("no [tax] table"));
    let bare = metrics::bare_of_run(&run);
    assert!((bare.get("total_return").unwrap() - (growth - 1.0)).abs() < 1e-15);
    assert_eq!(bare.get("max_drawdown"), Some(0.0));
}
