//! Trials are the engine's runs: every figure of a trial is that of the run of its strategy.

use papertape::engine::{backtest, read_market};
use papertape::metrics::of_run;
use papertape::metrics::trial::Trial;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Ask, ParamAxis, Trials};
use std::path::Path;

fn shipped() -> Vec<std::path::PathBuf> {
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
fn assert_close(what: &str, ours: f64, theirs: Option<f64>) {
    let theirs = theirs.unwrap_or(f64::NAN);
    let scale = 1.0_f64.max(ours.abs()).max(theirs.abs());
    let same = ours.is_nan() && theirs.is_nan() || (ours - theirs).abs() <= 1e-12 * scale;
    assert!(same, "{what}: trial {ours:?}, run {theirs:?}");
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
            for (key, figure) in Trial::KEYS.iter().zip(trial.figures()) {
                let what = format!("{} {point:?} {key}", file.display());
                assert_close(&what, figure, metrics.get(key));
            }
        }
    }
}
