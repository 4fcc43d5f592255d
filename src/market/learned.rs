//! A column that was not observed but learned from the others: the forecast of `[model]`, and the
//! record of the fits that made it. How it is learned is `engine`'s business.

use crate::learning::Score;
use crate::market::{Market, Tape};
use crate::units::Micros;
use std::sync::Arc;

/// The name of the column that a model's forecast stands in.
pub const MODEL: &str = "model";

/// One fit of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedFit {
    /// Close after which it was made; its first forecast is for that bar.
    pub refit: Micros,
    /// Last bar that it forecasts.
    pub until: Micros,
    /// Bars of its first and last row.
    pub rows: (Micros, Micros),
    /// Bars in its window that are no rows for want of a feature's value, over all symbols.
    pub without_value: usize,
    /// The penalty a row, or the number of trees.
    pub setting: f64,
    /// What each feature contributes: the weight a standard deviation of it, or a tree's importance.
    pub weights: Vec<f64>,
    /// Correlation of each feature with the target over the rows; 0 where there is none.
    pub correlations: Vec<f64>,
    /// Scores on its own rows; their number is that of the rows.
    pub in_sample: Score,
    /// Scores on the rows from `refit` to `until` whose outcomes the data has.
    pub out_of_sample: Score,
    /// The forecasts of its own rows in ascending order, at even steps from the smallest to the largest.
    pub spread: Vec<f64>,
}

/// How the column [`MODEL`] came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Everything that the column depends on beside the data; the same for the same model.
    pub key: String,
    /// Texts of the features.
    pub features: Vec<String>,
    /// `ridge`, `logistic` or `boosted_trees`.
    pub learner: &'static str,
    /// Bars that the target looks ahead.
    pub horizon: u32,
    /// Bars left out between the last row of a fit and the close after which it is made.
    pub purge: u32,
    /// The fits, in order of time.
    pub fits: Vec<LearnedFit>,
    /// Refits that could not be made: too few rows, or one answer only. The fit before stays.
    pub not_made: usize,
    /// Rows that a fit needs at least.
    pub rows_min: usize,
    /// Most rows that were there at a refit that could not be made.
    pub rows_most: usize,
    /// Scores of all fits together on the rows that they had not seen.
    pub out_of_sample: Score,
}

impl Market {
    /// The market with a learned column: one element a bar of each tape, NaN where there is no
    /// forecast. An earlier one is replaced.
    #[must_use]
    pub fn with_learned(&self, columns: Vec<Vec<f64>>, learned: Arc<Learned>) -> Market {
        let mut market = self.without_learned();
        for (tape, column) in market.tapes.iter_mut().zip(columns) {
            tape.bars.extra.push((MODEL.to_owned(), Arc::new(column)));
        }
        market.learned = Some(learned);
        market
    }

    /// The market as it was observed.
    #[must_use]
    pub fn without_learned(&self) -> Market {
        let mut market = self.clone();
        if market.learned.take().is_some() {
            market.tapes.iter_mut().for_each(forget);
        }
        market
    }
}

/// Takes the learned column out of a tape.
pub(super) fn forget(tape: &mut Tape) {
    tape.bars.extra.retain(|(name, _)| name != MODEL);
}
