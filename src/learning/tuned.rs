//! A fit with its penalty, or its number of trees, chosen inside its own rows: by the later part of
//! them, with rows between the parts left out whose targets reach into it. Then fitted on all.

use super::{Forecast, Growth, Linear, Moments, Rows, boosted, logistic};
use super::{Score, of_chances, of_numbers};

/// Penalties that are tried, a row.
pub const PENALTIES: [f64; 7] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0];
/// The penalty where there is nothing to choose by.
const PENALTY: f64 = 0.1;
/// Trees of a fit at most.
pub const ROUNDS_MAX: usize = 100;
/// Trees where there is nothing to choose by.
const ROUNDS: usize = 30;
/// Rows below which a part is too small to choose by.
const PART_MIN: usize = 30;
/// Fewest drawn rows in a leaf, and as a share of all rows; the larger holds.
const LEAF_MIN: usize = 20;
const LEAF_SHARE: f64 = 0.01;

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learner {
    /// Least squares with a penalty on squared weights.
    Ridge,
    /// Chances of yes, with a penalty on squared weights.
    Logistic,
    /// Boosted regression trees.
    BoostedTrees,
}

/// The rows of a fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// All of them.
    pub whole: Rows,
    /// The earlier part, without rows whose targets reach into the later one.
    pub earlier: Rows,
    /// The later part.
    pub later: Rows,
}

/// A fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What it says.
    pub forecast: Forecast,
    /// The penalty a row, or the number of trees.
    pub setting: f64,
    /// How it does on its own rows.
    pub in_sample: Score,
}

/// Fits a learner; `None` when the rows cannot be fitted: too few, or all with one answer.
pub fn fit(learner: Learner, parts: &Parts, seed: u64) -> Option<Fitted> {
    let rows = &parts.whole;
    if rows.len() <= rows.width + 1 {
        return None;
    }
    let (forecast, setting) = match learner {
        Learner::Ridge => {
            let penalty = penalty(parts, ridges, squared);
            let linear = Moments::of(rows).ridge(penalty)?;
            (Forecast::Linear(linear), penalty)
        }
        Learner::Logistic => {
            let penalty = penalty(parts, chances, |model, rows| {
                let said = rows.rows().zip(&rows.y);
                said.map(|(x, y)| super::logistic::loss(model.of(x), *y))
                    .sum()
            });
            (Forecast::Chance(logistic(rows, penalty)?), penalty)
        }
        Learner::BoostedTrees => {
            let rounds = rounds(parts, seed);
            let trees = boosted(rows, &growth(rows.len(), rounds, seed), |_, _| {});
            (Forecast::Trees(trees), rounds as f64)
        }
    };
    let said: Vec<f64> = rows.rows().map(|x| forecast.of(x)).collect();
    let in_sample = match learner {
        Learner::Logistic => of_chances(&said, &rows.y),
        _ => of_numbers(&said, &rows.y, rows.mean()),
    };
    Some(Fitted {
        forecast,
        setting,
        in_sample,
    })
}

/// The fits under every penalty.
fn ridges(rows: &Rows) -> Vec<Option<Linear>> {
    let moments = Moments::of(rows);
    PENALTIES.map(|penalty| moments.ridge(penalty)).to_vec()
}

fn chances(rows: &Rows) -> Vec<Option<Linear>> {
    PENALTIES.map(|penalty| logistic(rows, penalty)).to_vec()
}

/// The penalty under which the earlier part says most of the later one; of equal ones the largest.
fn penalty(
    parts: &Parts,
    fits: impl Fn(&Rows) -> Vec<Option<Linear>>,
    loss: impl Fn(&Linear, &Rows) -> f64,
) -> f64 {
    if parts.earlier.len() < PART_MIN || parts.later.len() < PART_MIN {
        return PENALTY;
    }
    let mut best = (f64::INFINITY, PENALTY);
    for (penalty, model) in PENALTIES.iter().zip(fits(&parts.earlier)).rev() {
        if let Some(loss) = model.map(|model| loss(&model, &parts.later))
            && loss < best.0
        {
            best = (loss, *penalty);
        }
    }
    best.1
}

fn squared(model: &Linear, rows: &Rows) -> f64 {
    let said = rows.rows().zip(&rows.y);
    said.map(|(x, y)| (y - model.of(x)) * (y - model.of(x)))
        .sum()
}

/// The number of trees after which the earlier part says most of the later one; of equal ones the
/// smallest, none included.
fn rounds(parts: &Parts, seed: u64) -> usize {
    if parts.earlier.len() < PART_MIN || parts.later.len() < PART_MIN {
        return ROUNDS;
    }
    let later = &parts.later;
    let mut left: Vec<f64> = Vec::new();
    let mut best = (f64::INFINITY, 0);
    let growth = growth(parts.earlier.len(), ROUNDS_MAX, seed);
    boosted(&parts.earlier, &growth, |_, trees| {
        if left.is_empty() {
            left = later.y.iter().map(|y| y - trees.start).collect();
        }
        for (left, x) in left.iter_mut().zip(later.rows()) {
            *left -= trees.last_of(x);
        }
        let loss: f64 = left.iter().map(|r| r * r).sum();
        if loss < best.0 {
            best = (loss, trees.rounds());
        }
    });
    best.1
}

fn growth(rows: usize, rounds: usize, seed: u64) -> Growth {
    Growth {
        rounds,
        depth: 3,
        shrinkage: 0.1,
        leaf_min: LEAF_MIN.max((LEAF_SHARE * rows as f64) as usize),
        share: 0.5,
        seed,
    }
}
