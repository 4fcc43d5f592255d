//! ROWS -> A FORECAST: ridge regression, logistic regression and boosted trees, each fitted on one
//! table of rows and tuned inside it.
//!
//! Pure functions of numbers: which rows may be read, when a fit is made again and what becomes of
//! its forecast is `engine`'s business. The crates that do this were looked at and left: they add up
//! in an order that the processor chooses, take `exp` from the system, draw from threads, or keep the
//! importances to themselves (`docs/model.md` has the list). Every sum here runs in the order of the
//! rows, so a fit has the same bits everywhere.

mod linear;
mod logistic;
mod score;
mod trees;
mod tuned;

pub use linear::{Linear, Moments};
pub use logistic::logistic;
pub use score::{Score, correlation, of_chances, of_numbers};
pub use trees::{Growth, Trees, boosted};
pub use tuned::{Fitted, Learner, PENALTIES, Parts, ROUNDS_MAX, fit};

/// Rows of features and what each led to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Features a row.
    pub width: usize,
    /// The features, row after row; all finite.
    pub x: Vec<f64>,
    /// The target of each row; finite, 0 or 1 for a logistic regression.
    pub y: Vec<f64>,
}

impl Rows {
    /// No rows of so many features.
    pub fn new(width: usize) -> Rows {
        Rows {
            width,
            ..Rows::default()
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// Adds a row; `x` has `width` numbers.
    pub fn push(&mut self, x: &[f64], y: f64) {
        debug_assert_eq!(x.len(), self.width);
        self.x.extend_from_slice(x);
        self.y.push(y);
    }

    /// The features of a row.
    pub fn row(&self, at: usize) -> &[f64] {
        &self.x[at * self.width..(at + 1) * self.width]
    }

    /// The rows one by one.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.len()).map(|at| self.row(at))
    }

    /// One feature of every row, as rows of their own.
    pub fn only(&self, feature: usize) -> Rows {
        Rows {
            width: 1,
            x: self.rows().map(|row| row[feature]).collect(),
            y: self.y.clone(),
        }
    }

    /// The mean of the target; 0 without rows.
    pub fn mean(&self) -> f64 {
        match self.y.is_empty() {
            true => 0.0,
            false => self.y.iter().sum::<f64>() / self.y.len() as f64,
        }
    }
}

/// What a fit says of rows that it has not seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Forecast {
    /// A number.
    Linear(Linear),
    /// The chance of yes.
    Chance(Linear),
    /// A number.
    Trees(Trees),
}

impl Forecast {
    /// The forecast for one row of features: the target's expected value, or the chance that it is
    /// yes.
    pub fn of(&self, x: &[f64]) -> f64 {
        match self {
            Forecast::Linear(linear) => linear.of(x),
            Forecast::Chance(linear) => logistic::chance(linear.of(x)),
            Forecast::Trees(trees) => trees.of(x),
        }
    }

    /// What each feature contributes: its weight a standard deviation of it, or for trees its share
    /// of the squared error that they took away, adding up to 1.
    pub fn weights(&self) -> &[f64] {
        match self {
            Forecast::Linear(linear) | Forecast::Chance(linear) => &linear.weights,
            Forecast::Trees(trees) => &trees.importances,
        }
    }
}
