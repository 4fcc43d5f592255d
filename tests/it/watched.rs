//! Who watches a simulation is told of its bars, and changes none of its bits.

// A test may fail by unwrapping.
#![allow(clippy::unwrap_used)]

use papertape::engine::{Progress, simulate, simulate_watched};
use papertape::market::{Bars, Calendar, Market};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{bars_to_simulate, judge, judge_watched};
use papertape::units::{DAY_MICROS, Micros};
use std::path::Path;
use std::sync::Mutex;

const BARS: usize = 30_000;

/// A walk of prices that has no pattern, on every day.
fn market() -> Market {
    let mut state = 88_172_645_463_325_252_u64;
    let mut price = 100.0;
    let closes = (0..BARS).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        price *= 1.0 + ((state % 2001) as f64 - 1000.0) / 50_000.0;
        price
    });
    let closes: Vec<f64> = closes.collect();
    let time: Vec<Micros> = (0..BARS).map(|i| i as Micros * DAY_MICROS).collect();
    let mut market = Market::from_tapes(vec![(
        "S".to_owned(),
        Bars::of_closes(time, closes).unwrap(),
    )])
    .unwrap();
    market.calendar = Calendar::AllDays;
    market
}

fn strategy(text: &str) -> Strategy {
    let text = format!("[data]\nsource = \"unused\"\n{text}");
    Strategy::parse(&text, "watched", Path::new("."), &Overrides::default()).unwrap()
}

const RULES: &str = "[rules]\nenter = \"close > sma(40)\"\nexit = \"close < sma(40)\"\n";

#[test]
fn every_bar_of_every_simulation_is_reported_in_small_parts() {
    let market = market();
    for more in ["", "[stops]\nstop = 0.03\n", "[cash]\nyield = 0.03\n"] {
        let strategy = strategy(&format!("{RULES}{more}"));
        let told = Mutex::new(Vec::new());
        let tell = |bars: u64| told.lock().unwrap().push(bars);
        let outcome = simulate_watched(&market, &strategy, Progress::to(&tell)).unwrap();
        let plain = simulate(&market, &strategy).unwrap();
        assert_eq!(outcome.run, plain.run);
        assert_eq!(outcome.benchmarks, plain.benchmarks);
        let of_run: Vec<u64> = std::mem::take(&mut *told.lock().unwrap());
        // The run and the universe held.
        assert_eq!(of_run.iter().sum::<u64>(), 2 * BARS as u64);
        assert!(
            of_run.len() >= 8 && of_run.iter().all(|bars| *bars <= 10_000),
            "{of_run:?}"
        );

        let judged = judge_watched(&market, &strategy, outcome, (42, Progress::to(&tell)));
        let unwatched = judge(&market, &strategy, plain, 42);
        assert_eq!(judged.stress, unwatched.stress);
        assert_eq!(judged.metrics, unwatched.metrics);
        let all: u64 = of_run.iter().chain(&*told.lock().unwrap()).sum();
        let expected = bars_to_simulate(&market, &strategy).unwrap();
        // Bars that reached both stop and target take more runs, which nobody can tell beforehand.
        let ratio = all as f64 / expected as f64;
        assert!((1.0..1.25).contains(&ratio), "{all} of {expected}");
    }
}

#[test]
fn days_of_a_schedule_are_expected() {
    let market = market();
    let strategy = strategy(&format!("{RULES}every = \"month\"\n"));
    let told = Mutex::new(0);
    let tell = |bars: u64| *told.lock().unwrap() += bars;
    let progress = Progress::to(&tell);
    let outcome = simulate_watched(&market, &strategy, progress).unwrap();
    judge_watched(&market, &strategy, outcome, (42, progress));
    let told = *told.lock().unwrap() as f64;
    let expected = bars_to_simulate(&market, &strategy).unwrap() as f64;
    assert!(
        (0.8..1.25).contains(&(told / expected)),
        "{told} of {expected}"
    );
}
