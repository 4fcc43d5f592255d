//! Trials are the engine's runs: every figure of a trial is that of the run of its strategy.

use papertape::engine::{backtest, read_market};
use papertape::metrics::trial::Trial;
use papertape::metrics::{Metrics, of_run};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Ask, ParamAxis, Trials};
use std::path::Path;

pub(crate) fn shipped() -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

/// Close to 1e-12 of the larger, or both absent.
pub(crate) fn assert_close(what: &str, ours: Option<f64>, theirs: Option<f64>) {
    assert_near(what, ours, theirs, 1e-12);
}

pub(crate) fn assert_near(what: &str, ours: Option<f64>, theirs: Option<f64>, tolerance: f64) {
    let (ours, theirs) = (ours.unwrap_or(f64::NAN), theirs.unwrap_or(f64::NAN));
    let scale = 1.0_f64.max(ours.abs()).max(theirs.abs());
    let same = ours.is_nan() && theirs.is_nan() || (ours - theirs).abs() <= tolerance * scale;
    assert!(same, "{what}: trial {ours:?}, run {theirs:?}");
}

/// Every figure of a trial against those of a run. Returns carry the rounding of `1 + r`, 1e-16, and
/// so do their means: a ratio to a small deviation or drawdown is off by as many times that as the
/// divisor is small.
pub(crate) fn assert_figures(what: &str, trial: &Trial, metrics: &Metrics) {
    let deviation = trial.volatility / 16.0;
    let downside = deviation * (trial.sharpe / trial.sortino).abs();
    for key in Trial::KEYS {
        let rounding = match key {
            "calmar" => 1e-14 / trial.max_drawdown.abs(),
            "sharpe" => 1e-14 / deviation,
            "sortino" if downside.is_finite() => 1e-14 / downside.min(deviation),
            _ => 0.0,
        };
        let tolerance = if rounding.is_finite() {
            1e-12 + rounding
        } else {
            1e-12
        };
        let what = format!("{what} {key}");
        assert_near(&what, trial.get(key), metrics.get(key), tolerance);
    }
}

#[test]
fn figures_of_a_trial_are_those_of_the_run_on_every_shipped_strategy() {
    for file in shipped() {
        let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
        let market = read_market(&strategy, false).unwrap();
        // The first two params are tried a little below and above their values.
        let axes: Vec<ParamAxis> = strategy
            .params
            .iter()
            .take(2)
            .map(|(name, value)| ParamAxis {
                name: name.clone(),
                values: vec![
                    (value * 0.8).round().max(1.0),
                    *value,
                    (value * 1.2).round(),
                ],
            })
            .collect();
        let points: Vec<Vec<usize>> = match axes.len() {
            0 => vec![vec![]],
            1 => (0..3).map(|i| vec![i]).collect(),
            _ => (0..9).map(|i| vec![i / 3, i % 3]).collect(),
        };
        let trials = Trials::new(&market, &strategy, axes).unwrap();
        for point in points {
            let trial = trials.measure(&point, None, Ask::Figures).unwrap();
            let run = backtest(&market, &trials.strategy(&point)).unwrap();
            let metrics = of_run(&run, None, 42);
            assert_figures(&format!("{} {point:?}", file.display()), &trial, &metrics);
        }
    }
}
