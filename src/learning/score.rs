//! How well forecasts met what happened.

use super::logistic;

/// Scores of forecasts on rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Score {
    /// Number of rows.
    pub rows: usize,
    /// Share of the squared error of a constant guess that the forecasts take away: `1 - Σ(y - f)² /
    /// Σ(y - guess)²`; below 0 the guess was better. `None` for chances, or when nothing varies.
    pub r2: Option<f64>,
    /// Correlation of forecast and outcome (Pearson's), the field's information coefficient; `None` when
    /// either is the same in all rows.
    pub ic: Option<f64>,
    /// Mean of `-ln(chance given to what happened)`; `None` for numbers.
    pub log_loss: Option<f64>,
}

/// Scores of forecast numbers; `guess` is the mean that was known when the forecasts were made.
pub fn of_numbers(forecasts: &[f64], outcomes: &[f64], guess: f64) -> Score {
    let squares = |of: &dyn Fn(usize) -> f64| (0..outcomes.len()).map(|k| of(k) * of(k)).sum();
    let error: f64 = squares(&|k| outcomes[k] - forecasts[k]);
    let whole: f64 = squares(&|k| outcomes[k] - guess);
    Score {
        rows: outcomes.len(),
        r2: (whole > 0.0).then(|| 1.0 - error / whole),
        ic: correlation(forecasts, outcomes),
        log_loss: None,
    }
}

/// Scores of forecast chances against outcomes of 0 and 1.
pub fn of_chances(chances: &[f64], outcomes: &[f64]) -> Score {
    // A chance of exactly 0 or 1 is rounding, and is taken as the nearest number that is not.
    let sum = |p: f64| {
        let p = p.clamp(1e-15, 1.0 - 1e-15);
        libm::log(p / (1.0 - p))
    };
    let loss: f64 = chances
        .iter()
        .zip(outcomes)
        .map(|(p, y)| logistic::loss(sum(*p), *y))
        .sum();
    Score {
        rows: outcomes.len(),
        r2: None,
        ic: correlation(chances, outcomes),
        log_loss: (!outcomes.is_empty()).then(|| loss / outcomes.len() as f64),
    }
}

/// Pearson's correlation; `None` when either side is the same throughout.
pub fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let varies = |of: &[f64]| of.windows(2).any(|pair| pair[0] != pair[1]);
    if !varies(a) || !varies(b) {
        return None;
    }
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    let r = ab / (aa * bb).sqrt();
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}
