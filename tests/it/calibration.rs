//! Is the judgement of many trials right as often as it says? Sweeps of strategies that are luck by
//! construction, over real prices, and sweeps in which some trials have an edge that was put there.

use papertape::engine::read_market;
use papertape::market::{Bars, Market};
use papertape::metrics::bootstrap::uniform;
use papertape::metrics::{normal_quantile, probabilistic_sharpe, sharpe_per_period};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::overfitting::{Blocks, Evidence, Sharpes, deflated_sharpe, judge_trials};
use papertape::study::{ParamAxis, Trials};
use papertape::units::DAY_MICROS;
use std::path::Path;

/// Returns of every point along one axis.
fn returns_of(market: &Market, text: &str, axis: ParamAxis) -> Vec<Vec<f64>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    let strategy = Strategy::parse(text, "calibration", &folder, &Overrides::default()).unwrap();
    let points = axis.values.len();
    let trials = Trials::new(market, &strategy, vec![axis]).unwrap();
    (0..points)
        .map(|point| trials.returns(&[point], None).unwrap())
        .collect()
}

/// What is said about the best of some trials.
struct Said {
    deflated: f64,
    /// The same without the knowledge that there were others.
    undeflated: f64,
    pbo: f64,
    /// SPA and reality check, where they were asked for.
    p: Option<[f64; 2]>,
}

fn judged(columns: &[Vec<f64>], tests: bool) -> Said {
    let ratio = |c: &Vec<f64>| sharpe_per_period(c).unwrap_or(0.0);
    let ratios: Vec<f64> = columns.iter().map(ratio).collect();
    let best = (0..ratios.len())
        .max_by(|a, b| ratios[*a].total_cmp(&ratios[*b]))
        .unwrap();
    let sharpes: Sharpes = ratios.iter().copied().collect();
    let mut blocks = Blocks::default();
    columns
        .iter()
        .for_each(|column| blocks.push_returns(column, &[]));
    let p = || {
        let trial = |number: usize| Ok(columns[number].clone());
        let judgement = judge_trials(&Evidence {
            best,
            returns: &columns[best],
            rate: &[],
            days: columns[best].len() as f64 * 365.25 / 252.0,
            periods_a_year: 252.0,
            sharpes: &sharpes,
            sharpes_all: None,
            blocks: Err("asked for elsewhere"),
            trial: Some(&trial),
            seed: 42,
            threads: None,
            cancel: None,
        });
        let ability = judgement.unwrap().ability.unwrap();
        [ability.spa_p, ability.reality_check_p]
    };
    Said {
        deflated: deflated_sharpe(&columns[best], &sharpes).unwrap(),
        undeflated: probabilistic_sharpe(&columns[best], 0.0).unwrap(),
        pbo: blocks.splits(None).unwrap().probability(),
        p: tests.then(p),
    }
}

fn share(all: &[Said], is: impl Fn(&Said) -> bool) -> f64 {
    all.iter().filter(|said| is(said)).count() as f64 / all.len() as f64
}

fn mean_pbo(all: &[Said]) -> f64 {
    all.iter().map(|said| said.pbo).sum::<f64>() / all.len() as f64
}

/// Share of the sweeps that a test was made for in which it rejects at 5%.
fn rejected(all: &[Said], test: usize) -> f64 {
    let made: Vec<f64> = all.iter().filter_map(|said| Some(said.p?[test])).collect();
    made.iter().filter(|p| **p < 0.05).count() as f64 / made.len() as f64
}

/// Long or short by a coin that is tossed every few weeks, at no cost: no trial is worth anything,
/// whatever the market did. The trials of a sweep differ in the seed alone.
#[test]
fn luck_over_real_prices_is_called_luck() {
    let mut all = Vec::new();
    let symbols = ["AAPL", "IBM", "MSFT", "GOOG"].map(|s| ("stocks", s));
    let symbols = symbols
        .into_iter()
        .chain([("indices", "SPX"), ("indices", "IXIC")]);
    for (number, (folder, symbol)) in symbols.enumerate() {
        let text = format!(
            "[data]\nsource = \"../data/{folder}\"\nsymbols = [\"{symbol}\"]\n\
             [params]\nseed = 1\n\
             [rules]\nenter = \"random(seed) < 0.05\"\nexit = \"random(seed) > 0.95\"\n\
             short = \"random(seed) > 0.95\"\ncover = \"random(seed) < 0.05\"\n\
             [account]\nkind = \"margin\"\nmargin_rate = 0\n\
             [costs]\ncommission = 0\nborrow_rate = 0\n"
        );
        let read = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
        let strategy = Strategy::parse(&text, "luck", &read, &Overrides::default()).unwrap();
        let market = read_market(&strategy, false).unwrap();
        for sweep in 0..20 {
            let first = 1 + 1000 * (20 * number + sweep);
            let axis = ParamAxis {
                name: "seed".to_owned(),
                values: (first..first + 30).map(|seed| seed as f64).collect(),
            };
            all.push(judged(&returns_of(&market, &text, axis), sweep % 2 == 0));
        }
    }
    let deflated = share(&all, |said| said.deflated > 0.95);
    let undeflated = share(&all, |said| said.undeflated > 0.95);
    let (spa, check) = (rejected(&all, 0), rejected(&all, 1));
    let pbo = mean_pbo(&all);
    println!(
        "{} sweeps of luck: deflated Sharpe above 0.95 in {deflated:.3}, undeflated in \
         {undeflated:.3}, SPA p below 0.05 in {spa:.3}, reality check in {check:.3}, mean PBO {pbo:.3}",
        all.len()
    );
    // 5% of 120 sweeps is 6, and 11 or more of them come by chance in one case of 25.
    assert!(deflated <= 10.0 / 120.0, "{deflated}");
    // The tests are made for half of the sweeps: 7 of 60 by chance in one case of 25.
    assert!(spa <= 6.0 / 60.0, "{spa}");
    assert!(check <= 6.0 / 60.0, "{check}");
    assert!((0.4..=0.6).contains(&pbo), "{pbo}");
    // What the same sweeps look like to somebody who forgets that they were sweeps.
    assert!(undeflated > 0.5, "{undeflated}");
}

/// Ten years of days whose volume tells the next day: after much of it the price rises, after little
/// it falls as much.
fn planted(seed: u64, edge: f64) -> Market {
    let n = 2500;
    let volume: Vec<f64> = (0..n).map(|i| 100.0 * uniform(seed, i)).collect();
    let mut close = vec![100.0];
    for i in 1..n as usize {
        let noise = 0.012 * normal_quantile(uniform(seed + 1, i as u64).max(1e-12));
        let told = if volume[i - 1] > 50.0 { edge } else { -edge };
        close.push(close[i - 1] * (1.0 + noise + told));
    }
    let time = (0..n as i64).map(|i| (11_323 + i / 5 * 7 + i % 5) * DAY_MICROS);
    let bars = Bars::new(
        time.collect(),
        close.clone(),
        close.clone(),
        close.clone(),
        close,
        Some(volume),
    );
    Market::from_tapes(vec![("TAPE".to_owned(), bars.unwrap())]).unwrap()
}

/// Six of forty trials read the volume, each with a threshold of its own; the others toss coins.
#[test]
fn a_planted_edge_is_seen() {
    let text = "[data]\nsource = \"../data/stocks\"\n[params]\ntrial = 0\n\
        [rules]\n\
        enter = \"if(trial < 6, volume, 100 * random(trial)) > if(trial < 6, 35 + 5 * trial, 50)\"\n\
        exit = \"if(trial < 6, volume, 100 * random(trial)) <= if(trial < 6, 35 + 5 * trial, 50)\"\n\
        [fill]\nat = \"close\"\n[costs]\ncommission = 0\n";
    for (edge, seeds) in [(0.0, 0..6), (0.003, 6..12)] {
        let all: Vec<Said> = seeds
            .map(|seed| {
                let axis = ParamAxis {
                    name: "trial".to_owned(),
                    values: (0..40).map(f64::from).collect(),
                };
                judged(&returns_of(&planted(100 * seed, edge), text, axis), true)
            })
            .collect();
        let deflated = share(&all, |said| said.deflated > 0.95);
        let spa = rejected(&all, 0);
        let pbo = mean_pbo(&all);
        println!("edge {edge}: deflated Sharpe above 0.95 in {deflated}, SPA in {spa}, PBO {pbo}");
        if edge > 0.0 {
            assert_eq!(deflated, 1.0);
            assert_eq!(spa, 1.0);
            assert!(pbo < 0.1, "{pbo}");
        } else {
            assert_eq!(deflated, 0.0);
            assert!(pbo > 0.25, "{pbo}");
        }
    }
}
