//! A strategy's own `[series]` as columns, for the charts and for nothing that decides.

use crate::engine::Run;
use crate::indicators::{self, Scale};
use crate::market::Market;
use crate::rules::{EvalOptions, Kind, Program, Request, Vocabulary};
use crate::strategy::{Signals, Strategy};

/// Share of the bars on which a series must be near the close to be drawn over the price.
const NEAR_SHARE: f64 = 0.95;
/// Near is between a third of the close and three times it.
const NEAR_RATIO: f64 = 3.0;

/// One series of a strategy on one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnSeries {
    /// Its name in the strategy file.
    pub name: String,
    /// Index of the symbol in the market.
    pub tape: usize,
    /// It is a price and belongs over the price.
    pub is_price: bool,
    /// One value a bar of the symbol, NaN where there is none, in the money of that bar.
    pub values: Vec<f64>,
}

/// The numbers of `[series]` on every symbol that the run traded. Conditions are left out.
pub fn series(market: &Market, strategy: &Strategy, run: &Run) -> Vec<DrawnSeries> {
    if strategy.series.is_empty() {
        return Vec::new();
    }
    let request = |text| Request {
        key: "series",
        text,
        offset: None,
        expects: Kind::Any,
        position: false,
    };
    let keys: Vec<String> = strategy
        .series
        .iter()
        .map(|(name, _)| format!("series.{name}"))
        .collect();
    let requests: Vec<Request<'_>> = strategy
        .series
        .iter()
        .zip(&keys)
        .map(|((_, text), key)| Request {
            key,
            ..request(text.text.as_str())
        })
        .collect();
    let vocabulary = Vocabulary::of(market);
    // The run has compiled the same expressions, so there is nothing to report here.
    let Ok(program) = Program::compile(&strategy.params, &requests, &[], &vocabulary) else {
        return Vec::new();
    };
    let options = EvalOptions {
        periods_a_year: run.periods_a_year,
        total_return: strategy.data.signals == Signals::TotalReturn,
    };
    let Ok(columns) = program.evaluate(market, &options) else {
        return Vec::new();
    };
    let mut traded: Vec<usize> = run.trades.iter().map(|trade| trade.symbol).collect();
    traded.sort_unstable();
    traded.dedup();
    let mut drawn = Vec::new();
    for tape in traded {
        for (at, (name, text)) in strategy.series.iter().enumerate() {
            let values = columns[tape].number(program.series(at));
            if values.iter().any(|v| v.is_finite()) {
                drawn.push(DrawnSeries {
                    name: name.clone(),
                    tape,
                    is_price: is_price(&text.text, values, &market.tapes[tape].bars.close),
                    values: values.to_vec(),
                });
            }
        }
    }
    drawn
}

/// Whether a series reads like a price: no call in it gives a pure number or volume, nothing is
/// divided, and it stays near the close.
fn is_price(text: &str, values: &[f64], close: &[f64]) -> bool {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let is_other = |word: &str| {
        let row = indicators::find(word);
        word == "volume" || row.is_some_and(|r| matches!(r.scale, Scale::Pure | Scale::Volume))
    };
    if text.contains('/') || words.into_iter().any(is_other) {
        return false;
    }
    let pairs = values.iter().zip(close).filter(|(v, _)| v.is_finite());
    let near = |(v, c): (&f64, &f64)| (1.0 / NEAR_RATIO..=NEAR_RATIO).contains(&(v / c));
    let (mut known, mut close_by) = (0, 0);
    for pair in pairs {
        known += 1;
        close_by += usize::from(near(pair));
    }
    known > 0 && close_by as f64 >= NEAR_SHARE * known as f64
}
