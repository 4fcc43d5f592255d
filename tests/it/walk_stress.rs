//! Several strategies one after the other on one account, under stress: every assumption is that of the stages
//! themselves under it, by the loop.

// A test may fail by unwrapping.
#![allow(clippy::unwrap_used)]

use papertape::engine::{
    CostChange, Outcome, Run, Stage, Variation, Variations, simulate_scheduled,
    simulate_scheduled_bare,
};
use papertape::metrics::of_run;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Stress, stress, stress_through};
use papertape::{Market, engine};
use std::path::Path;

fn market() -> Market {
    engine::read_market(&strategy(20, "commission = 0.001", ""), false).unwrap()
}

fn strategy(fast: u32, costs: &str, more: &str) -> Strategy {
    let text = format!(
        "[data]\nsource = \"data/stocks\"\nsymbols = [\"AAPL\", \"IBM\"]\nstart = 2003-01-02\n\
         [rules]\nenter = \"sma({fast}) > sma(80)\"\nexit = \"sma({fast}) < sma(80)\"\n{more}\n\
         [stops]\nstop = 0.08\ntarget = 0.2\n[costs]\n{costs}\n"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Strategy::parse(&text, "x.toml", root, &Overrides::default()).unwrap()
}

/// The bars of the run in `strategies` equal parts.
fn stages(market: &Market, strategies: Vec<Strategy>) -> Vec<Stage> {
    let span = engine::outline(market, &strategies[0]).unwrap().span;
    let part = span.len() / strategies.len();
    let last = strategies.len() - 1;
    let bars = |at: usize| {
        let start = span.start + at * part;
        start..if at == last { span.end } else { start + part }
    };
    let stages = strategies.into_iter().enumerate();
    stages
        .map(|(at, strategy)| Stage {
            bars: bars(at),
            strategy,
            held: Vec::new(),
        })
        .collect()
}

fn with(stages: &[Stage], change: impl Fn(&mut Strategy)) -> Vec<Stage> {
    let mut changed = stages.to_vec();
    changed.iter_mut().for_each(|s| change(&mut s.strategy));
    changed
}

fn under_stress(market: &Market, stages: &[Stage]) -> (Outcome, Stress) {
    let outcome = simulate_scheduled(market, stages).unwrap();
    let metrics = of_run(&outcome.run, None, 42);
    let found = stress_through(market, stages, &outcome, &metrics, 42);
    (outcome, found)
}

fn total(run: &Run) -> f64 {
    run.equity.last().unwrap() / run.start_equity - 1.0
}

fn of_line(found: &Stress, key: &str) -> f64 {
    found.line(key).unwrap().figure("total_return").unwrap()
}

#[test]
fn a_schedule_of_one_strategy_is_that_strategy_under_stress() {
    let market = market();
    let one = strategy(20, "commission = 0.001", "");
    let (_, scheduled) = under_stress(&market, &stages(&market, vec![one.clone(), one.clone()]));
    let outcome = engine::simulate(&market, &one).unwrap();
    let metrics = of_run(&outcome.run, None, 42);
    let plain = stress(&market, &one, &outcome, &metrics, 42);
    assert!(plain.lines.len() > 10);
    assert_eq!(scheduled, plain);
}

#[test]
fn every_assumption_changes_all_stages() {
    let market = market();
    let of = |every: &str| {
        stages(
            &market,
            vec![
                strategy(10, "commission = 0.001", every),
                strategy(30, "commission = 0.004\nslippage_bps = 3", every),
                strategy(20, "per_order = 5", every),
            ],
        )
    };
    let given = of("");
    let (outcome, found) = under_stress(&market, &given);
    let as_run = of_line(&found, "as_run");
    assert!((as_run - total(&outcome.run)).abs() < 1e-12);

    let doubled = with(&given, |s| s.costs = CostChange::Twice.of(&s.costs));
    let doubled = simulate_scheduled_bare(&market, &doubled).unwrap();
    assert!((of_line(&found, "costs_doubled") - total(&doubled)).abs() < 1e-12);
    assert!(of_line(&found, "costs_doubled") < as_run);

    // The same rules read one bar late, written out; a stage begins to speak one bar later, too.
    let late = with(&given, |s| {
        let late = |rule: &str| format!("({rule})[1]");
        for rule in [&mut s.rules.enter, &mut s.rules.exit]
            .into_iter()
            .flatten()
        {
            rule.text = late(&rule.text);
        }
    });
    let mut late = late;
    for at in 1..late.len() {
        late[at].bars.start += 1;
        late[at - 1].bars.end += 1;
    }
    let late = simulate_scheduled_bare(&market, &late).unwrap();
    assert!((of_line(&found, "one_bar_later") - total(&late)).abs() < 1e-12);

    // Where costs change on the way, random entries have none that they could be charged.
    let why = found
        .line("random_entries")
        .unwrap()
        .result
        .clone()
        .unwrap_err();
    assert!(why.contains("change on the way"), "{why}");
    let flat = with(&given, |s| s.costs = CostChange::Flat(0.002).of(&s.costs));
    let varied = Variations::through(&market, &given)
        .unwrap()
        .run(&Variation {
            costs: Some(CostChange::Flat(0.002)),
            ..Variation::default()
        });
    let flat = simulate_scheduled_bare(&market, &flat).unwrap();
    assert_eq!(varied.equity, flat.equity);
    assert_eq!(varied.orders, flat.orders);

    // On another day of the month.
    let monthly = of("every = \"month\"");
    let (_, found) = under_stress(&market, &monthly);
    let worst = of_line(&found, "rebalance_day_min");
    assert!(worst <= of_line(&found, "rebalance_day_max"));
    assert!(worst <= of_line(&found, "as_run"));
}
