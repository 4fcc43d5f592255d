//! Logistic regression with a penalty on squared weights, by Newton's method.

use super::Rows;
use super::linear::{Linear, place, solved, standard, standardise};

/// Steps after which the search gives up; it needs five to ten.
const STEPS_MAX: usize = 50;
/// Largest slope of the loss at which the search has arrived.
const FLAT: f64 = 1e-10;

/// The chance that belongs to a sum of weights: `1 / (1 + exp(-sum))`.
pub(super) fn chance(sum: f64) -> f64 {
    if sum >= 0.0 {
        1.0 / (1.0 + libm::exp(-sum))
    } else {
        let e = libm::exp(sum);
        e / (1.0 + e)
    }
}

/// `-ln(chance)` of what happened, without rounding to infinity.
pub(super) fn loss(sum: f64, y: f64) -> f64 {
    let against = if y > 0.5 { -sum } else { sum };
    against.max(0.0) + libm::log1p(libm::exp(-against.abs()))
}

/// The weights of standardised features that minimise the mean log loss plus half of `penalty` times
/// the sum of their squares; the intercept is not penalised. With n rows it is scikit-learn's
/// `LogisticRegression(C = 1 / (n x penalty))` on standardised features. `None` when all rows have
/// the same answer, or the search does not arrive: without a penalty a feature that tells yes from no
/// without a mistake has no largest weight.
pub fn logistic(rows: &Rows, penalty: f64) -> Option<Linear> {
    let share = rows.mean();
    if rows.is_empty() || share <= 0.0 || share >= 1.0 {
        return None;
    }
    let (mean, scale) = standard(rows);
    let mut z = vec![0.0; rows.x.len()];
    for (row, into) in rows.rows().zip(z.chunks_mut(rows.width.max(1))) {
        standardise(row, &mean, &scale, into);
    }
    // The intercept comes last.
    let mut weights = vec![0.0; rows.width + 1];
    weights[rows.width] = libm::log(share / (1.0 - share));
    let mut now = total_loss(&z, &rows.y, &weights, penalty);
    for _ in 0..STEPS_MAX {
        let (slope, mut curvature) = derivatives(&z, &rows.y, &weights, penalty);
        if slope.iter().all(|s| s.abs() <= FLAT) {
            let intercept = weights.pop()?;
            return Some(Linear {
                mean,
                scale,
                weights,
                intercept,
            });
        }
        let step = solved(&mut curvature, &slope)?;
        (weights, now) = lower(&z, &rows.y, (&weights, now), &step, penalty)?;
    }
    None
}

/// The weights after the longest of the halved steps that does not raise the loss.
fn lower(
    z: &[f64],
    y: &[f64],
    (weights, now): (&[f64], f64),
    step: &[f64],
    penalty: f64,
) -> Option<(Vec<f64>, f64)> {
    const HALVINGS: usize = 30;
    let mut part = 1.0;
    for _ in 0..HALVINGS {
        let pairs = weights.iter().zip(step);
        let next: Vec<f64> = pairs.map(|(w, s)| w - part * s).collect();
        let loss = total_loss(z, y, &next, penalty);
        // At the bottom a step changes nothing but rounding.
        if loss <= now + 1e-14 * now.abs() {
            return Some((next, loss));
        }
        part /= 2.0;
    }
    None
}

fn sum_of(row: &[f64], weights: &[f64]) -> f64 {
    let width = row.len();
    let mut sum = weights[width];
    for (x, w) in row.iter().zip(weights) {
        sum += x * w;
    }
    sum
}

fn total_loss(z: &[f64], y: &[f64], weights: &[f64], penalty: f64) -> f64 {
    let width = weights.len() - 1;
    let mut sum = 0.0;
    for (at, y) in y.iter().enumerate() {
        sum += loss(sum_of(&z[at * width..(at + 1) * width], weights), *y);
    }
    let squares: f64 = weights[..width].iter().map(|w| w * w).sum();
    sum / y.len() as f64 + penalty * squares / 2.0
}

/// Slope of the loss, and its curvature as a lower triangle by row.
fn derivatives(z: &[f64], y: &[f64], weights: &[f64], penalty: f64) -> (Vec<f64>, Vec<f64>) {
    let width = weights.len() - 1;
    let n = y.len() as f64;
    let mut slope = vec![0.0; width + 1];
    let mut curvature = vec![0.0; (width + 1) * (width + 2) / 2];
    for (at, y) in y.iter().enumerate() {
        let row = &z[at * width..(at + 1) * width];
        let p = chance(sum_of(row, weights));
        let (off, bend) = (p - y, p * (1.0 - p));
        for k in 0..=width {
            let a = row.get(k).copied().unwrap_or(1.0);
            slope[k] += off * a;
            for (j, b) in row[..k.min(width)].iter().enumerate() {
                curvature[place(k, j)] += bend * a * b;
            }
            curvature[place(k, k)] += bend * a * a;
        }
    }
    slope.iter_mut().for_each(|s| *s /= n);
    curvature.iter_mut().for_each(|s| *s /= n);
    for k in 0..width {
        slope[k] += penalty * weights[k];
        curvature[place(k, k)] += penalty;
    }
    (slope, curvature)
}
