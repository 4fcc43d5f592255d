//! Figures by other programs' definitions: against what those programs returned for the same returns, and
//! against figures of their formulas that were worked out elsewhere.

// A test may fail by unwrapping.
#![allow(clippy::unwrap_used)]

use papertape::metrics::profile::{Profiled, find_profile, profiles};
use papertape::metrics::table;
use papertape::report::returns::Returns;
use papertape::strategy::vocabulary;
use papertape::{Strategy, metrics};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/metrics");
    folder.join(name)
}

fn by_golden_returns(program: &str) -> Profiled {
    let table = table::read(&golden("returns.csv")).unwrap();
    let trades = table::read_trades(&golden("trades.csv")).unwrap();
    let profile = find_profile(program).unwrap();
    let mut inputs = table.inputs(Some(&trades), 42);
    inputs.start_equity = Some(100_000.0);
    Profiled::of(profile, &inputs)
}

/// The rows of a golden table that has the metric's name first.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(golden(name)).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(cells).collect()
}

fn expected(metric: &str) -> f64 {
    let rows = rows("expected.csv");
    let row = rows.iter().find(|row| row[0] == metric).unwrap();
    row[1].parse().unwrap()
}

fn same(found: Option<f64>, expected: f64, tolerance: f64, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what} is absent"));
    let away = (found - expected).abs() / expected.abs();
    assert!(away <= tolerance, "{what}: {found}, expected {expected}");
}

/// What the programs themselves returned (`crosscheck.csv`), by our key.
#[test]
fn the_programs_own_results_are_reproduced() {
    let keys = [
        ("total_return", "total_return"),
        ("cagr_252", "cagr"),
        ("ann_vol", "volatility"),
        ("sharpe_rf0", "sharpe"),
        ("sortino_mar0", "sortino"),
        ("omega_0", "omega"),
        ("max_drawdown", "max_drawdown"),
        ("calmar_252", "calmar"),
        ("ulcer_index", "ulcer_index"),
        ("var95_hist", "var_95"),
        ("cvar95_hist", "cvar_95"),
        ("skew_adjusted", "skew"),
        ("kurt_excess_adjusted", "kurtosis"),
        ("tail_ratio", "tail_ratio"),
        ("beta_rf0", "beta"),
        ("alpha_ann_arith_rf0", "alpha"),
        ("alpha_ann_geom_rf0", "alpha"),
        ("information_ratio_daily", "information_ratio"),
        ("up_capture_daily", "up_capture"),
        ("down_capture_daily", "down_capture"),
        ("best_day", "best_day"),
        ("win_rate_days_nonzero", "win_rate"),
        ("profit_factor_days", "profit_factor"),
        ("payoff_ratio_days", "payoff_ratio"),
        ("psr_0", "psr"),
        ("exposure_time", "exposure"),
    ];
    let (empyrical, quantstats) = (
        by_golden_returns("empyrical"),
        by_golden_returns("quantstats"),
    );
    let mut compared = 0;
    for row in rows("crosscheck.csv") {
        let (program, key) = match row[1].as_str() {
            "empyrical" | "empyrical(excess_sharpe)" => (&empyrical, &keys),
            "quantstats" | "quantstats(default)" => (&quantstats, &keys),
            _ => continue,
        };
        let Some((_, key)) = key.iter().find(|(metric, _)| *metric == row[0]) else {
            continue;
        };
        let what = format!("{} of {}", row[0], row[1]);
        same(program.get(key), row[2].parse().unwrap(), 1e-9, &what);
        compared += 1;
    }
    assert_eq!(compared, 39, "rows of the programs that have a figure here");
}

#[test]
fn pyfolio_has_the_shape_of_scipy_and_two_deviations() {
    let pyfolio = by_golden_returns("pyfolio");
    same(pyfolio.get("skew"), expected("skew_biased"), 1e-9, "skew");
    same(
        pyfolio.get("kurtosis"),
        expected("kurt_excess_biased"),
        1e-9,
        "kurtosis",
    );
    let days = 252.0_f64;
    let var = expected("ann_return_arith") / days - 2.0 * expected("ann_vol") / days.sqrt();
    same(pyfolio.get("var_95"), var, 1e-9, "var_95");
}

#[test]
fn trades_are_those_of_backtesting_py() {
    let program = by_golden_returns("backtesting.py");
    for (key, metric) in [
        ("trades", "trades_n"),
        ("win_rate", "trades_win_rate"),
        ("expectancy", "trades_expectancy_pct"),
        ("best_trade", "trades_best_pct"),
        ("worst_trade", "trades_worst_pct"),
        ("sqn", "trades_sqn"),
        ("kelly", "trades_kelly"),
    ] {
        same(program.get(key), expected(metric), 1e-9, key);
    }
    // In returns of trades, where ours is money: another number.
    let ours = expected("trades_profit_factor");
    let theirs = program.get("profit_factor").unwrap();
    assert!((theirs - ours).abs() > 1e-3, "{theirs} and {ours}");
}

/// A share of GOOG, bought at the first close and held to the last: every formula applied by hand to the same
/// 2,148 closes, to the digits that were written down.
#[test]
fn one_curve_by_every_program() {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks/GOOG.csv");
    let text = std::fs::read_to_string(stocks).unwrap();
    let mut curve = String::from("date,equity\n");
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        curve.push_str(&format!("{},{}\n", cells[0], cells[4]));
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile-goog.csv");
    std::fs::write(&path, curve).unwrap();
    let table = table::read(&path).unwrap();
    // backtesting.py begins at the first close, before which the account stood still.
    let mut from_first_close = table.clone();
    let first = "2004-08-19".parse::<chrono::NaiveDate>().unwrap();
    let midnight = first.and_hms_opt(0, 0, 0).unwrap().and_utc();
    from_first_close.time.insert(0, midnight.timestamp_micros());
    from_first_close.returns.insert(0, 0.0);
    let of = |program: &str, key: &str| {
        let profile = find_profile(program).unwrap();
        let table = match program {
            "backtesting.py" => &from_first_close,
            _ => &table,
        };
        Profiled::of(profile, &table.inputs(None, 42))
            .get(key)
            .unwrap()
    };
    for (program, key, expected, digits) in [
        ("quantstats", "cagr", 0.2771, 1e-4),
        ("vectorbt", "cagr", 0.4251, 2e-4),
        ("lean", "cagr", 0.2765, 1e-4),
        ("backtesting.py", "cagr", 0.2767, 3e-4),
        ("empyrical", "sharpe", 0.882, 5e-4),
        ("quantstats", "sharpe", 0.882, 5e-4),
        ("vectorbt", "sharpe", 1.061, 1e-3),
        ("lean", "sharpe", 1.029, 1e-3),
        ("backtesting.py", "sharpe", 0.613, 1e-3),
        ("empyrical", "sortino", 1.354, 1e-3),
        ("vectorbt", "sortino", 1.630, 1e-3),
        ("backtesting.py", "sortino", 1.237, 2e-3),
        ("lean", "sortino", 1.503, 1e-3),
        ("vectorbt", "calmar", 0.651, 1e-3),
        ("empyrical", "var_95", -0.0308, 1e-4),
        ("quantstats", "var_95", -0.0344, 1e-4),
        ("lean", "var_95", -0.0212, 1e-4),
        ("empyrical", "cvar_95", -0.0481, 1e-4),
    ] {
        let found = of(program, key);
        assert!(
            (found - expected).abs() <= digits,
            "{key} of {program}: {found}, not {expected}"
        );
    }
}

#[test]
fn the_vocabulary_names_the_profiles_and_each_figure_is_one_of_ours() {
    let names: Vec<&str> = profiles().iter().map(|profile| profile.name).collect();
    assert_eq!(names, vocabulary::PROFILES);
    for profile in profiles() {
        let mut seen = Vec::new();
        for row in profile.definitions() {
            assert!(
                metrics::find(row.key).is_some(),
                "{}: {}",
                profile.name,
                row.key
            );
            assert!(
                !seen.contains(&row.key),
                "{}: {} twice",
                profile.name,
                row.key
            );
            seen.push(row.key);
        }
    }
}

#[test]
fn a_strategy_prints_them_beside_ours() {
    let file = "[data]\nsource = \"data/stocks\"\nsymbols = [\"GOOG\"]\n[rules]\nenter = \"rsi(14) < 30\"\nexit = \"rsi(14) > 70\"\n[report]\nprofile = \"vectorbt\"\n";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let strategy = Strategy::parse(file, "x.toml", root, &Default::default()).unwrap();
    let market = papertape::engine::read_market(&strategy, true).unwrap();
    let outcome = papertape::engine::simulate(&market, &strategy).unwrap();
    let judged = papertape::study::judge(&market, &strategy, outcome, 42);
    let summary = papertape::report::Summary::of(&strategy, &judged);
    let page = papertape::report::text::summary(&summary, None);
    assert!(page.contains("As vectorbt 1.2.0"), "{page}");
    assert!(
        page.lines()
            .all(|line| line.chars().count() <= 80 || line.contains("https:")),
        "{page}"
    );
    let object = papertape::report::json::object(&summary, &[]);
    let theirs = object["profile"]["metrics"]["sharpe"].as_f64().unwrap();
    let ours = object["metrics"]["sharpe"].as_f64().unwrap();
    // The file pays no interest on cash, so that the rate is 0 and only the year differs.
    assert!((theirs / ours - (365.0_f64 / 252.0).sqrt()).abs() < 1e-12);
    assert_eq!(
        object["profile"]["definitions"]["sharpe"]["formula"],
        "mean(r) / sd(r) * sqrt(365)"
    );
    let names: Vec<String> = papertape::report::contents::of_run(
        &strategy,
        &market,
        &judged,
        &summary,
        Default::default(),
    )
    .unwrap()
    .into_iter()
    .map(|(name, _)| name)
    .collect();
    assert!(names.contains(&"profile.csv".to_owned()), "{names:?}");
}

#[test]
fn anybodys_returns_have_them_too() {
    let table = table::read(&golden("returns.csv")).unwrap();
    let returns = Returns::of(table, None, 42).beside(find_profile("quantstats").unwrap(), None);
    let header = returns.csv().lines().next().unwrap().to_owned();
    assert_eq!(header, "metric,value,benchmark,absent,quantstats");
    let object: Value = returns.json();
    assert_eq!(object["profile"]["version"], "quantstats 0.0.86");
    same(
        object["profile"]["metrics"]["ulcer_index"].as_f64(),
        0.094_581_770_234_024_31,
        1e-9,
        "ulcer_index",
    );
    assert!(returns.text().contains("As quantstats 0.0.86 defines it"));
}
