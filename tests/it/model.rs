//! Models: fits against scikit-learn's, what is found and what is not, nothing learned from the future,
//! and what is refused.

use crate::readme::clone;
use papertape::backtest;
use papertape::engine::{backtest_bare, learned, read_market};
use papertape::learning::{
    Forecast, Growth, Learner, Moments, Parts, Rows, boosted, fit, logistic,
};
use papertape::market::{Action, ActionKind, Bars, Calendar, MODEL, Market};
use papertape::strategy::{Overrides, Severity, Strategy};
use papertape::study::{Ask, ParamAxis, Trials, causality, learning};
use papertape::units::{DAY_MICROS, Micros};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What scikit-learn made of the same rows (`tests/peers/model.py`).
fn peer() -> Value {
    serde_json::from_str(include_str!("../peers/model.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap()).collect()
}

fn rows(peer: &Value, target: &str) -> Rows {
    let mut rows = Rows::new(4);
    let y = numbers(&peer[target]);
    for (x, y) in peer["x"].as_array().unwrap().iter().zip(y) {
        rows.push(&numbers(x), y);
    }
    rows
}

#[track_caller]
fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance, "{ours:?} is not {theirs:?}");
    }
}

#[test]
fn ridge_is_scikit_learns() {
    let peer = peer();
    let moments = Moments::of(&rows(&peer, "y"));
    for case in peer["ridge"].as_array().unwrap() {
        let ours = moments.ridge(case["penalty"].as_f64().unwrap()).unwrap();
        assert_close(&ours.weights, &numbers(&case["weights"]), 1e-10);
        assert_close(
            &[ours.intercept],
            &[case["intercept"].as_f64().unwrap()],
            1e-12,
        );
    }
}

#[test]
fn logistic_regression_is_scikit_learns() {
    let peer = peer();
    let rows = rows(&peer, "yes");
    for case in peer["logistic"].as_array().unwrap() {
        let ours = logistic(&rows, case["penalty"].as_f64().unwrap()).unwrap();
        assert_close(&ours.weights, &numbers(&case["weights"]), 1e-6);
        assert_close(
            &[ours.intercept],
            &[case["intercept"].as_f64().unwrap()],
            1e-6,
        );
        let forecast = Forecast::Chance(ours);
        let chances: Vec<f64> = rows.rows().take(5).map(|x| forecast.of(x)).collect();
        assert_close(&chances, &numbers(&case["chances"]), 1e-6);
    }
}

fn growth(rounds: usize, depth: u32, leaf_min: usize) -> Growth {
    Growth {
        rounds,
        depth,
        shrinkage: 0.1,
        leaf_min,
        share: 1.0,
        seed: 42,
    }
}

#[test]
fn boosted_trees_are_scikit_learns_and_every_tree_takes_error_away() {
    let peer = peer();
    let rows = rows(&peer, "y");
    for case in peer["trees"].as_array().unwrap() {
        let of = |key: &str| case[key].as_u64().unwrap() as usize;
        let growth = growth(of("rounds"), of("depth") as u32, of("leaf_min"));
        let mut losses = Vec::new();
        let trees = boosted(&rows, &growth, |loss, _| losses.push(loss));
        let ours: Vec<f64> = rows.rows().map(|x| trees.of(x)).collect();
        assert_close(&ours, &numbers(&case["forecasts"]), 1e-9);
        assert_close(&losses[1..], &numbers(&case["losses"]), 1e-9);
        assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
        assert!((trees.importances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn drawn_rows_depend_on_the_seed_alone() {
    let rows = rows(&peer(), "y");
    let of = |seed: u64| {
        let growth = Growth {
            share: 0.5,
            seed,
            ..growth(10, 2, 4)
        };
        boosted(&rows, &growth, |_, _| {})
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn dependent_features_need_a_penalty_and_one_answer_cannot_be_learned() {
    let mut rows = Rows::new(2);
    (0..50).for_each(|k| rows.push(&[f64::from(k), 2.0 * f64::from(k)], f64::from(k % 7)));
    assert_eq!(Moments::of(&rows).ridge(0.0), None);
    assert!(Moments::of(&rows).ridge(0.1).is_some());
    let mut yes = Rows::new(1);
    (0..50).for_each(|k| yes.push(&[f64::from(k)], 1.0));
    assert_eq!(logistic(&yes, 0.1), None);
    let whole = Parts {
        whole: yes,
        ..Parts::default()
    };
    assert_eq!(fit(Learner::Logistic, &whole, 1), None);
    // A feature that never changes says nothing, whatever the penalty.
    let mut constant = Rows::new(2);
    (0..50).for_each(|k| constant.push(&[0.1, f64::from(k)], f64::from(k)));
    let linear = Moments::of(&constant).ridge(1e-6).unwrap();
    assert_eq!(linear.weights[0], 0.0);
}

fn day(i: usize) -> Micros {
    (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS
}

/// Even draws from [-0.5, 0.5).
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed * 7919 + 1;
    move || {
        for _ in 0..3 {
            state = (state * 1_103_515_245 + 12345) % 2_147_483_648_u64;
        }
        state as f64 / 2_147_483_648.0 - 0.5
    }
}

const BARS: usize = 900;

/// Symbols whose return of a bar is noise plus `edge` times the column `tip` of the bar before.
fn market(edge: f64) -> Market {
    let tapes = (0..3).map(|symbol| {
        let (mut step, mut tip) = (noise(3 * symbol + 1), noise(3 * symbol + 2));
        let from = 40 * symbol as usize;
        let tips: Vec<f64> = (from..BARS).map(|_| tip()).collect();
        let mut price = 100.0;
        let mut close = vec![price];
        for tip in &tips[..tips.len() - 1] {
            price *= 1.0 + 0.04 * step() + edge * tip;
            close.push(price);
        }
        let bars = Bars::of_closes((from..BARS).map(day).collect(), close).unwrap();
        (format!("S{symbol}"), bars.with_extra("tip", tips).unwrap())
    });
    let mut market = Market::from_tapes(tapes.collect()).unwrap();
    market.calendar = Calendar::Weekdays;
    market
}

fn text(model: &str) -> String {
    format!(
        "[data]\nsource = \"unused\"\n[params]\nn = 5\n[model]\n{model}\n\
         [rules]\nenter = \"model > 0\"\nexit = \"model < 0\"\n\
         [fill]\nat = \"close\"\n[costs]\npreset = \"none\"\n"
    )
}

fn parsed(text: &str) -> papertape::error::Result<Strategy> {
    Strategy::parse(text, "model.toml", Path::new("."), &Overrides::default())
}

fn strategy(model: &str) -> Strategy {
    let text = text(model);
    parsed(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

const TIPPED: &str = "features = [\"tip\", \"roc(close, n)\"]\ntarget = \"forward_return(1)\"\n\
                      fit_window = 250\nrefit = \"month\"";

#[test]
fn a_planted_edge_is_found() {
    let market = market(0.02);
    for learner in ["ridge", "boosted_trees"] {
        let strategy = strategy(&format!("{TIPPED}\nlearner = \"{learner}\""));
        let market = learned(&market, &strategy).unwrap();
        let record = market.learned.as_ref().unwrap();
        let score = record.out_of_sample;
        assert!(score.ic.unwrap() > 0.35, "{learner}: {score:?}");
        assert!(score.r2.unwrap() > 0.1, "{learner}: {score:?}");
        for fit in &record.fits {
            assert!(
                fit.weights[0] > fit.weights[1].abs(),
                "{learner}: {:?}",
                fit.weights
            );
        }
        let run = backtest(&market, &strategy).unwrap();
        let beside = learning(&market, &strategy, &run).unwrap().unwrap();
        assert_eq!(beside.feature, "tip");
        assert_eq!(beside.coins_beaten(), 20, "{:?}", beside.coin_equities);
        assert!(beside.end_equity > 2.0 * beside.coin_median());
    }
    let chance = strategy(
        "features = [\"tip\"]\ntarget = \"forward_return(1) > 0\"\nlearner = \"logistic\"\nfit_window = 250",
    );
    let market = learned(&market, &chance).unwrap();
    let score = market.learned.as_ref().unwrap().out_of_sample;
    assert!(
        score.log_loss.unwrap() < 0.66 && score.ic.unwrap() > 0.25,
        "{score:?}"
    );
    let said = market.tapes[0].bars.column(MODEL).unwrap();
    assert!(said.iter().all(|p| p.is_nan() || (0.0..=1.0).contains(p)));
}

#[test]
fn nothing_is_found_in_noise() {
    let market = market(0.0);
    for learner in ["ridge", "boosted_trees"] {
        let strategy = strategy(&format!("{TIPPED}\nlearner = \"{learner}\""));
        let market = learned(&market, &strategy).unwrap();
        let score = market.learned.as_ref().unwrap().out_of_sample;
        assert!(score.rows > 1_500);
        assert!(score.r2.unwrap() < 0.005, "{learner}: {score:?}");
        assert!(score.ic.unwrap_or(0.0).abs() < 0.08, "{learner}: {score:?}");
    }
}

/// The column `model` of every tape.
fn forecasts(market: &Market) -> Vec<Vec<f64>> {
    let column = |tape: &papertape::market::Tape| tape.bars.column(MODEL).unwrap().to_vec();
    market.tapes.iter().map(column).collect()
}

#[test]
fn a_model_of_the_cut_tape_says_the_same_bit_for_bit() {
    let mut market = market(0.01);
    market.actions = vec![
        Action {
            symbol: "S1".into(),
            time: day(500),
            declared: Some(day(480)),
            ..split("S1", day(500), 4.0)
        },
        split("S0", day(700), 2.0),
    ];
    for (learner, more) in [
        ("ridge", "refit = \"month\""),
        ("boosted_trees", "refit = \"13w\"\nembargo = 3"),
        ("logistic", "refit = 50\npurge = 9"),
    ] {
        let strategy = strategy(&format!(
            "features = [\"tip\", \"roc(close, n)\", \"rank(close / close[9])\"]\ntarget = \"forward_return(5)\"\n\
             fit_window = \"1y\"\nlearner = \"{learner}\"\n{more}"
        ));
        let whole = learned(&market, &strategy).unwrap();
        assert!(!whole.learned.as_ref().unwrap().fits.is_empty());
        let whole = forecasts(&whole);
        for cut in [300, 301, 400, 499, 500, 523, 650, 702, 850] {
            let part = learned(&market.until(day(cut)), &strategy)
                .unwrap()
                .into_owned();
            for (whole, part) in whole.iter().zip(forecasts(&part)) {
                let bits = |of: &[f64]| of.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(
                    bits(&whole[..part.len()]),
                    bits(&part),
                    "{learner}, cut at {cut}"
                );
            }
        }
    }
}

fn split(symbol: &str, time: Micros, value: f64) -> Action {
    Action {
        symbol: symbol.into(),
        time,
        kind: ActionKind::Split,
        value,
        pay: None,
        declared: None,
    }
}

#[test]
fn a_row_trains_only_once_its_target_is_known() {
    let market = market(0.0);
    let strategy = strategy(
        "features = [\"tip\"]\ntarget = \"forward_return(10)\"\nfit_window = 200\nrefit = 60\nembargo = 4",
    );
    let market = learned(&market, &strategy).unwrap();
    let record = market.learned.as_ref().unwrap();
    assert_eq!((record.horizon, record.purge), (10, 14));
    let first = &record.fits[0];
    assert_eq!(
        (first.refit, first.rows.0, first.rows.1),
        (day(199), day(0), day(185))
    );
    // S0 has bars 0 to 185, S1 from 40, S2 from 80 on.
    assert_eq!(first.in_sample.rows, 186 + 146 + 106);
    assert_eq!(record.fits[1].refit, day(259));
    assert_eq!(record.fits[1].rows, (day(60), day(245)));
    // Nothing is forecast before the first fit.
    let said = market.tapes[0].bars.column(MODEL).unwrap();
    assert!(said[..199].iter().all(|x| x.is_nan()) && said[199..].iter().all(|x| !x.is_nan()));
}

#[test]
fn a_split_is_no_forward_return() {
    let plain = market(0.0);
    let strategy = strategy(
        "features = [\"roc(close, n)\"]\ntarget = \"forward_return(5)\"\nfit_window = 250",
    );
    let expected = learned(&plain, &strategy).unwrap().into_owned();
    let mut halved = plain.clone();
    halved.actions = vec![split("S0", day(400), 2.0)];
    let close = &mut halved.tapes[0].bars.close;
    let traded: Vec<f64> = close
        .iter()
        .enumerate()
        .map(|(i, x)| if i < 400 { x * 2.0 } else { *x })
        .collect();
    let time = halved.tapes[0].bars.time.to_vec();
    let tip = halved.tapes[0].bars.column("tip").unwrap().to_vec();
    halved.tapes[0].bars = Bars::of_closes(time, traded)
        .unwrap()
        .with_extra("tip", tip)
        .unwrap();
    let got = learned(&halved, &strategy).unwrap().into_owned();
    let pairs = expected
        .learned
        .unwrap()
        .fits
        .clone()
        .into_iter()
        .zip(got.learned.unwrap().fits.clone());
    for (a, b) in pairs {
        assert_close(&a.weights, &b.weights, 1e-12);
    }
}

fn codes(market: &Market, strategy: &Strategy) -> Vec<(&'static str, Severity)> {
    let audit = causality(market, strategy, 7, Some(2)).unwrap();
    audit
        .findings
        .iter()
        .map(|f| (f.code, f.severity))
        .collect()
}

#[test]
fn the_audit_passes_honest_models_and_catches_leaks() {
    let honest = market(0.01);
    assert_eq!(codes(&honest, &strategy(TIPPED)), []);
    // The target itself, as a column of the data.
    let model = "features = [\"tip\", \"leak\"]\ntarget = \"forward_return(5)\"\nfit_window = 250";
    let leaky = |leak: &dyn Fn(&[f64], usize, f64) -> f64| {
        let mut market = honest.clone();
        let mut step = noise(99);
        for tape in &mut market.tapes {
            let close = tape.bars.close.clone();
            let column = (0..close.len()).map(|i| leak(&close, i, step())).collect();
            tape.bars = tape.bars.clone().with_extra("leak", column).unwrap();
        }
        market
    };
    let ahead =
        |close: &[f64], i: usize, n: usize| close[(i + n).min(close.len() - 1)] / close[i] - 1.0;
    let plain = leaky(&|close, i, _| ahead(close, i, 5));
    let found = codes(&plain, &strategy(model));
    assert!(
        found.contains(&("future_column", Severity::Failure)),
        "{found:?}"
    );
    assert!(
        found.contains(&("leaked_target", Severity::Failure)),
        "{found:?}"
    );
    // In disguise: over other bars, scaled, with noise on top.
    let hidden = leaky(&|close, i, noise| 3.0 * ahead(close, i, 5) + 0.02 * noise);
    assert_eq!(
        codes(&hidden, &strategy(model)),
        [("leaked_target", Severity::Failure)]
    );
    let part = leaky(&|close, i, noise| ahead(close, i, 5) + 0.05 * noise);
    let found = codes(&part, &strategy(model));
    assert!(
        found.iter().any(|(code, _)| *code == "leaked_target"),
        "{found:?}"
    );
}

#[test]
fn a_run_has_the_same_bits_whether_the_market_was_learned_before() {
    let market = market(0.01);
    let strategy = strategy(TIPPED);
    let raw = backtest(&market, &strategy).unwrap();
    let known = learned(&market, &strategy).unwrap();
    assert_eq!(raw, backtest(&known, &strategy).unwrap());
    assert!(raw.orders.len() > 20);
    // A market that was learned for another model is learned again.
    let other = strategy_with_n(&strategy, 20.0);
    let fresh = backtest(&market, &other).unwrap();
    assert_eq!(fresh, backtest(&known, &other).unwrap());
    assert_ne!(fresh.equity, raw.equity);
}

fn strategy_with_n(strategy: &Strategy, n: f64) -> Strategy {
    let mut other = strategy.clone();
    other.params[0].1 = n;
    other
}

#[test]
fn trials_fit_again_when_a_param_of_the_features_varies() {
    let market = market(0.01);
    let base = strategy(TIPPED);
    let market = learned(&market, &base).unwrap();
    let axis = |name: &str, values: &[f64]| ParamAxis {
        name: name.to_string(),
        values: values.to_vec(),
    };
    let trials = Trials::new(&market, &base, vec![axis("n", &[5.0, 20.0])]).unwrap();
    assert!(trials.fallback().unwrap().contains("[model]"));
    for (at, n) in [(0, 5.0), (1, 20.0)] {
        let run = backtest_bare(&market, &strategy_with_n(&base, n)).unwrap();
        let trial = trials.measure(&[at], None, Ask::Figures).unwrap();
        let end = run.equity.last().unwrap() / 100_000.0 - 1.0;
        assert!((trial.total_return - end).abs() < 1e-9);
    }
    // A param of the rules alone: the forecast is a column like any other.
    let text = text(TIPPED)
        .replace("n = 5", "n = 5\nleast = 0")
        .replace("model > 0", "model > least");
    let base = parsed(&text).unwrap();
    let market = learned(&market, &base).unwrap();
    let trials = Trials::new(&market, &base, vec![axis("least", &[0.0, 0.002])]).unwrap();
    assert!(trials.fallback().is_none_or(|why| !why.contains("[model]")));
    for (at, least) in [(0, 0.0), (1, 0.002)] {
        let mut one = base.clone();
        one.params[1].1 = least;
        let run = backtest_bare(&market, &one).unwrap();
        let trial = trials.measure(&[at], None, Ask::Figures).unwrap();
        let end = run.equity.last().unwrap() / 100_000.0 - 1.0;
        assert!((trial.total_return - end).abs() < 1e-9);
    }
}

#[track_caller]
fn assert_refused(model: &str, expected: &str) {
    let market = market(0.0);
    let text = text(model);
    let error = match parsed(&text) {
        Err(error) => error,
        Ok(strategy) => backtest(&market, &strategy).expect_err(&text),
    };
    let message = error.to_string();
    assert!(message.contains(expected), "{message}\nlacks: {expected}");
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let model =
        |more: &str| format!("features = [\"tip\"]\ntarget = \"forward_return(21)\"\n{more}");
    assert_refused(
        "target = \"forward_return(21)\"",
        "[model] has no `features`",
    );
    assert_refused("features = [\"tip\"]", "[model] has no `target`");
    assert_refused(
        &model("purge = 20"),
        "a purge of 20 bars is shorter than the 21 bars",
    );
    assert_refused(&model("learner = \"forest\""), "\"forest\" is unknown");
    assert_refused(&model("refit = \"months\""), "did you mean \"month\"?");
    assert_refused(&model("refit = \"6m\""), "months are \"6mo\"");
    assert_refused(
        "features = \"tip\"\ntarget = \"forward_return(21)\"",
        "expected a list of expressions",
    );
    assert_refused(
        "features = [\"tip\", \"tip\"]\ntarget = \"forward_return(21)\"",
        "listed twice",
    );
    assert_refused(
        "features = [\"tip\"]\ntarget = \"close / close[21] - 1\"",
        "nothing to forecast",
    );
    assert_refused(
        "features = [\"tip\"]\ntarget = \"forward_return(21) > 0\"",
        "learner = \"logistic\"",
    );
    assert_refused(
        "features = [\"tip > 0\"]\ntarget = \"forward_return(21)\"",
        "`model.features` needs a number",
    );
    assert_refused(
        "features = [\"model[1]\"]\ntarget = \"forward_return(21)\"",
        "cannot read the forecast",
    );
    assert_refused(
        "features = [\"forward_return(5)\"]\ntarget = \"forward_return(21)\"",
        "which `model.features` must not see",
    );
    assert_refused(
        "features = [\"tip\"]\ntarget = \"forward_return(0)\"",
        "whole number from 1",
    );
    assert_refused(
        "features = [\"tip\"]\ntarget = \"forward_return(5) @ \\\"1w\\\"\"",
        "counts the bars of the data",
    );
    for rule in [
        "enter = \"forward_return(5) > 0\"",
        "enter = \"model > 0 and peek > 0\"\n[series]\npeek = \"forward_return(5)\"",
    ] {
        let text = format!(
            "[data]\nsource = \"x\"\n[model]\n{}\n[rules]\n{rule}\n",
            model("")
        );
        let strategy = parsed(&text).unwrap();
        let message = backtest(&market(0.0), &strategy).unwrap_err().to_string();
        assert!(message.contains("is the future"), "{message}");
    }
    let text = "[data]\nsource = \"x\"\n[rules]\nenter = \"model > 0\"\n";
    let message = backtest(&market(0.0), &parsed(text).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("unknown name `model`") && message.contains("[model]"),
        "{message}"
    );
    let taken = text_with_param(&model(""));
    let message = parsed(&taken).unwrap_err().to_string();
    assert!(
        message.contains("`model` is the forecast of [model]"),
        "{message}"
    );
    let mut own = market(0.0);
    for tape in &mut own.tapes {
        let column = vec![1.0; tape.bars.len()];
        tape.bars = tape.bars.clone().with_extra("model", column).unwrap();
    }
    let message = backtest(&own, &strategy(&model("")))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("the data has a column `model`"),
        "{message}"
    );
}

fn text_with_param(model: &str) -> String {
    text(model).replace("n = 5", "n = 5\nmodel = 1")
}

const LEARNED: &str = "strategies/learned-momentum.toml";

/// A run of the shipped strategy over a few years, with changes.
fn run(dir: &Path, more: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
    command.args([
        "run",
        LEARNED,
        "--end",
        "1998-12-31",
        "--set",
        "report.charts=false",
    ]);
    command.args(more).current_dir(dir).output().unwrap()
}

#[test]
fn a_walk_stands_beside_the_rivals_of_its_model() {
    let dir = clone("model-walk");
    let walk = |vary: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
        command.args(["walk-forward", LEARNED, "--end", "1999-12-31"]);
        for set in [
            "walk_forward.train=2y",
            "walk_forward.test=1y",
            "report.charts=false",
        ] {
            command.args(["--set", set]);
        }
        let out = command.args(["--format", "json"]).args(vary);
        let out = out.current_dir(&dir).output().unwrap();
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{errors}");
        serde_json::from_slice(&out.stdout).unwrap()
    };
    // What is chosen does not change what is learned: one model, one set of rivals.
    let json = walk(&["--vary", "rank.hold=2,4"]);
    let model = &json["model"];
    assert_eq!(model["end_equity"], json["metrics"]["end_equity"]);
    assert_eq!(model["coins"], 20, "{model}");
    // Every value of `months` has a model of its own: one rival stands beside a choice that stays, none
    // beside one that changes.
    let json = walk(&["--vary", "months=3,12"]);
    let folds = json["walk_forward"]["folds"].as_array().unwrap();
    let stays = folds
        .iter()
        .all(|fold| fold["params"] == folds[0]["params"]);
    assert_eq!(json["model"].is_null(), !stays, "{folds:?}");
}

#[test]
fn features_of_many_values_are_cut_into_bins_that_lose_little() {
    // 2,000 different values fall into 256 bins; the step that is to be found lies between two.
    let mut draw = noise(5);
    let mut rows = Rows::new(2);
    for _ in 0..2_000 {
        let x = [draw(), draw()];
        rows.push(&x, f64::from(u8::from(x[0] > 0.1)) + 0.1 * draw());
    }
    let trees = boosted(&rows, &growth(60, 1, 20), |_, _| {});
    let of = |x: f64| trees.of(&[x, 0.0]);
    assert!(of(-0.3).abs() < 0.02 && (of(0.3) - 1.0).abs() < 0.02);
    assert!(of(0.09).abs() < 0.1 && (of(0.11) - 1.0).abs() < 0.1);
    assert!(trees.importances[0] > 0.99, "{:?}", trees.importances);
}

#[test]
fn a_run_says_what_the_model_learned() {
    let dir = clone("model-run");
    let out = run(&dir, &[]);
    let page = String::from_utf8(out.stdout).unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    for words in [
        "What the model learned",
        "seed 42",
        "Out of sample",
        "with a coin",
        "alone",
        "fits.csv",
    ] {
        assert!(page.contains(words), "{page}\nlacks {words}");
    }
    let folder = dir.join("reports/learned-momentum");
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("metrics.json")).unwrap())
            .unwrap();
    let fits = std::fs::read_to_string(folder.join("fits.csv")).unwrap();
    assert_eq!(
        json["model"]["fits"].as_u64().unwrap() as usize,
        fits.lines().count() - 1
    );
    assert_eq!(json["model"]["end_equity"], json["metrics"]["end_equity"]);
    assert!(fits.starts_with("refit,until,first_row,last_row,rows,"));
    // The manifest makes it again.
    let mut again = Command::new(env!("CARGO_BIN_EXE_papertape"));
    let again = again
        .args(["rerun", "reports/learned-momentum"])
        .current_dir(&dir)
        .output()
        .unwrap();
    assert_eq!(
        again.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
}

#[test]
fn data_too_short_to_fit_once_are_refused() {
    let dir = clone("model-short");
    for (set, expected) in [
        ("model.fit_window=50y", "never reach back 50 years"),
        ("model.fit_window=25", "could not be fitted once"),
    ] {
        let out = run(&dir, &["--set", set]);
        let errors = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(2), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn the_shipped_model_is_causal() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(LEARNED);
    let overrides = Overrides {
        end: chrono::NaiveDate::from_ymd_opt(1998, 12, 31),
        ..Overrides::default()
    };
    let strategy = Strategy::read(&path, &overrides).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let market = market.until((10_592) * DAY_MICROS);
    let found = codes(&market, &strategy);
    assert!(
        !found
            .iter()
            .any(|(_, severity)| *severity == Severity::Failure),
        "{found:?}"
    );
}
