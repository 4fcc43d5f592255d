//! What a model learned and what that was worth: the same strategy with the forecast replaced by its
//! best single feature, and by coins.

use crate::engine::{Run, Stage, backtest_bare, simulate_scheduled_bare, with_rivals};
use crate::error::Result;
use crate::market::{Learned, Market};
use crate::metrics::caveats::Caveat;
use crate::strategy::Strategy;
use std::sync::Arc;

/// Coins that are thrown beside a model.
const COINS: u64 = 20;
/// Bars of all symbols beyond which fewer are.
const BARS_MANY: usize = 1_000_000;
const COINS_MANY: u64 = 5;
/// Correlation of forecast and outcome, out of sample, that nobody has.
const TOO_GOOD: f64 = 0.3;

/// A model beside its rivals.
#[derive(Debug, Clone, PartialEq)]
pub struct Learning {
    /// The fits, with their scores.
    pub record: Arc<Learned>,
    /// The target, as written.
    pub target: String,
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at the end, with the model.
    pub end_equity: f64,
    /// The feature that went with the target most closely in sample.
    pub feature: String,
    /// Equity at the end of the same strategy with the forecast of that feature alone.
    pub feature_equity: f64,
    /// Equity at the end of the same strategy with forecasts drawn at random, ascending.
    pub coin_equities: Vec<f64>,
}

impl Learning {
    /// The middle of the coins' equities; NaN without a coin.
    pub fn coin_median(&self) -> f64 {
        let coins = &self.coin_equities;
        match (
            coins.get((coins.len().saturating_sub(1)) / 2),
            coins.get(coins.len() / 2),
        ) {
            (Some(a), Some(b)) => (a + b) / 2.0,
            _ => f64::NAN,
        }
    }

    /// Coins that ended below the model.
    pub fn coins_beaten(&self) -> usize {
        let below = |equity: &&f64| **equity < self.end_equity;
        self.coin_equities.iter().filter(below).count()
    }

    /// What to beware of.
    pub(super) fn caveats(&self) -> Vec<Caveat> {
        let record = &self.record;
        let mut found = Vec::new();
        if record.not_made > 0 {
            found.push(Caveat::ModelFitsMissing {
                missing: record.not_made,
                refits: record.not_made + record.fits.len(),
                rows: record.rows_most,
                rows_min: record.rows_min,
            });
        }
        let score = record.out_of_sample;
        if let Some(ic) = score.ic.filter(|ic| *ic > TOO_GOOD) {
            found.push(Caveat::ModelTooGood { ic });
        }
        let says_nothing = score.ic.is_none_or(|ic| ic <= 0.0);
        if says_nothing {
            found.push(Caveat::ModelSaysNothing { ic: score.ic });
        }
        let coins = self.coin_equities.len();
        let behind_feature = self.end_equity <= self.feature_equity;
        let behind_coins = 10 * self.coins_beaten() < 9 * coins;
        if behind_feature || behind_coins {
            found.push(Caveat::ModelBeaten {
                by_feature: behind_feature.then(|| self.feature.clone()),
                coins_beaten: self.coins_beaten(),
                coins,
            });
        }
        found
    }
}

/// Sets the run of a strategy beside the same strategy with other forecasts; `None` without a `[model]`
/// or without a fit.
///
/// # Errors
/// As [`crate::backtest`].
pub fn learning(market: &Market, strategy: &Strategy, run: &Run) -> Result<Option<Learning>> {
    beside_rivals(market, strategy, run, |market| {
        backtest_bare(market, strategy)
    })
}

/// The same of the stitched run of a walk: its stages as they were chosen, with other forecasts. `None`
/// as well where stages learn from different models, whose forecasts no one rival stands beside.
///
/// # Errors
/// As [`crate::engine::simulate_scheduled`].
pub(super) fn learning_of_stages(
    market: &Market,
    stages: &[Stage],
    run: &Run,
) -> Result<Option<Learning>> {
    let Some(first) = stages.first() else {
        return Ok(None);
    };
    let key = first.strategy.model_key();
    if stages.iter().any(|stage| stage.strategy.model_key() != key) {
        return Ok(None);
    }
    beside_rivals(market, &first.strategy, run, |market| {
        simulate_scheduled_bare(market, stages)
    })
}

/// A run beside what `simulate` makes of the markets of its model's rivals.
fn beside_rivals(
    market: &Market,
    strategy: &Strategy,
    run: &Run,
    simulate: impl Fn(&Market) -> Result<Run>,
) -> Result<Option<Learning>> {
    let Some(model) = &strategy.model else {
        return Ok(None);
    };
    let end = |run: &Run| run.equity.last().copied().unwrap_or(run.start_equity);
    let bars: usize = market.tapes.iter().map(|tape| tape.bars.len()).sum();
    let coins = if bars > BARS_MANY { COINS_MANY } else { COINS };
    with_rivals(market, strategy, |rivals| {
        let feature = rivals.best_feature();
        let alone = simulate(&rivals.of_feature(feature))?;
        let coin = |k: u64| simulate(&rivals.of_coin(k)).map(|run| end(&run));
        let mut coin_equities = (0..coins).map(coin).collect::<Result<Vec<f64>>>()?;
        coin_equities.sort_by(f64::total_cmp);
        let record = rivals.record().clone();
        Ok(Learning {
            target: model.target.text.clone(),
            start_equity: run.start_equity,
            end_equity: end(run),
            feature: record.features[feature].clone(),
            feature_equity: end(&alone),
            coin_equities,
            record,
        })
    })
}
