//! What the model says of real quotes: the S&P 500 chain of April to July 2019, day by day.
//!
//! A covered call and a put-write are sold at the quotes of the day, marked at every close by the
//! market and by the model that only knows the VIX, and settled; and every quote near the money is
//! held against the surface. The chain is no part of this repository: where it is absent the experiment
//! says so and ends. `cargo test --release --test it -- option_chain_2019 --nocapture` prints its table.

use chrono::NaiveDate;
use papertape::instrument::{Right, Style};
use papertape::market::chain::{ChainOptions, Chains, DaysToExpiry, Quote};
use papertape::market::{Calendar, date_of};
use papertape::pricing::{Inputs, Surface, implied_volatility, price};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Three-month bills (2.38% on a discount basis in April) and the dividends of the index, a year.
const RATE: f64 = 0.0243;
const DIVIDENDS: f64 = 0.019;
/// Of the half-spread, what a seller gives up.
const GIVE_UP: f64 = 0.5;
/// Only the AM-settled root, which the monthly indices are written on.
const ROOT: &str = "SPX";

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}

/// Last column of a dated file.
fn closes(file: &str) -> BTreeMap<NaiveDate, f64> {
    let text = std::fs::read_to_string(shared().join(file)).unwrap();
    let row = |line: &str| {
        let (date, _) = line.split_once(',').unwrap();
        let (_, close) = line.rsplit_once(',').unwrap();
        (date.parse().unwrap(), close.parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

fn chain() -> Option<Chains> {
    let path = shared().join("options/SPX_chain_20190425_20190722.parquet");
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(Chains::read(&path, &ChainOptions::default()).unwrap())
}

/// The day as the model sees it.
struct Day {
    date: NaiveDate,
    spot: f64,
    vix: f64,
}

impl Day {
    fn inputs(&self, right: Right, strike: f64, expiration: NaiveDate) -> Inputs {
        Inputs {
            right,
            spot: self.spot,
            strike,
            years: (expiration - self.date).num_days() as f64 / 365.0,
            rate: RATE,
            dividend_yield: DIVIDENDS,
        }
    }

    /// The model's value, from the VIX and the default surface alone.
    fn model(&self, right: Right, strike: f64, expiration: NaiveDate) -> f64 {
        let inputs = self.inputs(right, strike, expiration);
        let volatility =
            Surface::INDEX.volatility(self.vix, inputs.forward(), strike, inputs.years);
        price(Style::European, &inputs, volatility, &[]).unwrap()
    }
}

/// Sessions that have quotes, with the close of the index and the VIX.
fn days(chains: &Chains) -> Vec<Day> {
    let spots = closes("index/sp500_close_1990_2022.csv");
    let vix = closes("vix/vix_daily_1990_2026.csv");
    let dates = chains.moments().iter().map(|m| date_of(*m));
    let sessions = dates.filter(|date| Calendar::Nyse.is_session(*date));
    sessions
        .map(|date| Day {
            date,
            spot: spots[&date],
            vix: vix[&date] / 100.0,
        })
        .collect()
}

fn sides(quote: &Quote<'_>) -> Option<(f64, f64)> {
    let (bid, ask) = (quote.bid?, quote.ask?);
    (bid > 0.0 && ask >= bid).then_some((bid, ask))
}

/// An option that was sold.
struct Sold {
    right: Right,
    strike: f64,
    expiration: NaiveDate,
    price: f64,
}

fn sell(chains: &Chains, day: &Day, right: Right) -> Option<Sold> {
    let quotes = chains.on(day.date)?;
    let wanted = DaysToExpiry {
        min: 15,
        max: 45,
        target: 28,
        monthly_only: true,
    };
    let expiration = quotes.nearest_expiration(&wanted)?;
    let series = quotes.series(expiration, right, Some(ROOT))?;
    let quote = match right {
        Right::Call => series.at_or_above(day.spot)?,
        Right::Put => series.at_or_below(day.spot)?,
    };
    let (bid, ask) = sides(&quote)?;
    let fill = 0.5 * (bid + ask) - GIVE_UP * 0.5 * (ask - bid);
    assert!(
        bid <= fill && fill <= ask,
        "{fill} is not within {bid} to {ask}"
    );
    let strike = f64::from(quote.strike) / 1000.0;
    assert!((strike - day.spot).abs() < 30.0, "{strike}");
    Some(Sold {
        right,
        strike,
        expiration,
        price: fill,
    })
}

/// How far the model's marks of what was sold were from the market's, of each day.
#[derive(Default)]
struct Marks {
    ratios: Vec<f64>,
    /// Where the worst of them was.
    worst_at: String,
    /// The same as shares of the index.
    of_spot: Vec<f64>,
    sales: usize,
    /// Money a unit of the index: taken in, and paid at the end.
    received: f64,
    paid: f64,
    /// What is open at the end is worth.
    open: f64,
    /// Equity a unit by day, of the option alone.
    equity: Vec<f64>,
}

/// Sells one, holds it to its end by the calendar, sells the next.
fn roll(chains: &Chains, days: &[Day], right: Right) -> Marks {
    let mut found = Marks::default();
    let mut open: Option<Sold> = None;
    for day in days {
        if let Some(sold) = open.take_if(|sold| sold.expiration <= day.date) {
            // The opening prices that settle it are not in the file: the close stands in.
            found.paid += sold.right.intrinsic(day.spot, sold.strike);
        }
        if open.is_none() {
            open = sell(chains, day, right);
            if let Some(sold) = &open {
                found.received += sold.price;
                found.sales += 1;
            }
        }
        let Some(sold) = &open else { continue };
        let quotes = chains.on(day.date).unwrap();
        let series = quotes.series(sold.expiration, right, Some(ROOT)).unwrap();
        let quote = series.at_strike(sold.strike);
        let Some((bid, ask)) = quote.as_ref().and_then(sides) else {
            continue;
        };
        let market = 0.5 * (bid + ask);
        let model = day.model(right, sold.strike, sold.expiration);
        // Below a point the price is its own noise.
        if market >= 1.0 {
            let ratio: f64 = model / market - 1.0;
            if ratio.abs() > worst(&found.ratios) {
                let left = (sold.expiration - day.date).num_days();
                found.worst_at = format!(
                    "{}, {left} days left, strike {}, index {:.1}, market {market:.2}, model {model:.2}",
                    day.date, sold.strike, day.spot
                );
            }
            found.ratios.push(ratio);
        }
        found.of_spot.push((model - market) / day.spot);
        found.open = market;
        found.equity.push(found.received - found.paid - market);
    }
    found
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn worst(values: &[f64]) -> f64 {
    let far = values.iter().copied().map(f64::abs);
    far.fold(0.0, f64::max)
}

#[test]
fn a_covered_call_and_a_put_write_are_sold_marked_and_settled_on_real_quotes() {
    let Some(chains) = chain() else { return };
    let days = days(&chains);
    assert_eq!(days.len(), 56);
    println!(
        "| sold | sales | median of model / market - 1 | worst | median, of the index | worst |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, right) in [("calls", Right::Call), ("puts", Right::Put)] {
        let found = roll(&chains, &days, right);
        assert!(found.sales >= 3, "{name}: {}", found.sales);
        let end = found.received - found.paid - found.open;
        assert!((found.equity[found.equity.len() - 1] - end).abs() < 1e-9);
        println!(
            "| {name} | {} | {:+.1}% | {:.1}% | {:+.3}% | {:.3}% |",
            found.sales,
            100.0 * median(&found.ratios),
            100.0 * worst(&found.ratios),
            100.0 * median(&found.of_spot),
            100.0 * worst(&found.of_spot),
        );
        println!("worst of {name}: {}", found.worst_at);
        // The model is no more than a guide, and no less.
        assert!(median(&found.ratios).abs() < 0.25, "{name}");
        assert!(worst(&found.of_spot) < 0.015, "{name}");
    }
}

#[test]
fn the_surface_is_held_against_every_quote_near_the_money() {
    let Some(chains) = chain() else { return };
    // Deviations from the forward, as the surface counts them, and what is traded there.
    let buckets = [
        ("put, 1.5 deviations down", Right::Put, -1.5),
        ("put, 0.75 down", Right::Put, -0.75),
        ("put at the money", Right::Put, 0.0),
        ("call at the money", Right::Call, 0.0),
        ("call, 0.5 up (30 delta)", Right::Call, 0.5),
        ("call, 1 up", Right::Call, 1.0),
    ];
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); buckets.len()];
    for day in days(&chains) {
        for quote in chains.on(day.date).unwrap().iter() {
            let ahead = (quote.expiration - day.date).num_days();
            let Some((bid, ask)) = sides(&quote).filter(|_| (20..=45).contains(&ahead)) else {
                continue;
            };
            let strike = f64::from(quote.strike) / 1000.0;
            let inputs = day.inputs(quote.right, strike, quote.expiration);
            let x = (strike / inputs.forward()).ln() / (day.vix * inputs.years.sqrt());
            let near = |b: &(&str, Right, f64)| b.1 == quote.right && (b.2 - x).abs() < 0.1;
            let mid = 0.5 * (bid + ask);
            let implied = implied_volatility(Style::European, &inputs, mid, &[]);
            if let (Some(at), Ok(implied)) = (buckets.iter().position(near), implied) {
                ratios[at].push(implied / day.vix);
            }
        }
    }
    println!("| option of 20 to 45 days | quotes | implied volatility / VIX | surface |");
    println!("| --- | --- | --- | --- |");
    for ((name, _, x), found) in buckets.iter().zip(&ratios) {
        let surface = Surface::INDEX.volatility(1.0, 1.0, x.exp(), 1.0);
        let market = median(found);
        println!("| {name} | {} | {market:.3} | {surface:.3} |", found.len());
        assert!(found.len() > 200, "{name}: {}", found.len());
        assert!((market - surface).abs() < 0.2, "{name}: {market}");
    }
}
