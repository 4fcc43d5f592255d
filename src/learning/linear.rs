//! Ridge regression by the normal equations, for one penalty or many from the same sums.

use super::Rows;

/// A weighted sum of standardised features.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Mean of each feature over the rows of the fit.
    pub mean: Vec<f64>,
    /// Standard deviation of each (ddof 0); infinite where the feature is the same in every row, so that
    /// it says nothing.
    pub scale: Vec<f64>,
    /// Weight of each feature a standard deviation.
    pub weights: Vec<f64>,
    /// The sum where every feature is at its mean.
    pub intercept: f64,
}

impl Linear {
    /// The sum for one row of features.
    pub fn of(&self, x: &[f64]) -> f64 {
        let mut sum = self.intercept;
        for (k, value) in x.iter().enumerate() {
            sum += self.weights[k] * ((value - self.mean[k]) / self.scale[k]);
        }
        sum
    }
}

/// Everything that a ridge regression needs to know of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    pub(super) mean: Vec<f64>,
    pub(super) scale: Vec<f64>,
    /// Means of products of standardised features, the lower triangle by row.
    products: Vec<f64>,
    /// Means of products of standardised features and the target.
    with_target: Vec<f64>,
    target: f64,
}

impl Moments {
    /// Reads the rows; there is at least one.
    pub fn of(rows: &Rows) -> Moments {
        let (mean, scale) = standard(rows);
        let width = rows.width;
        let n = rows.len() as f64;
        let target = rows.mean();
        let mut products = vec![0.0; width * (width + 1) / 2];
        let mut with_target = vec![0.0; width];
        let mut z = vec![0.0; width];
        for (row, y) in rows.rows().zip(&rows.y) {
            standardise(row, &mean, &scale, &mut z);
            let mut at = 0;
            for (k, a) in z.iter().enumerate() {
                with_target[k] += a * (y - target);
                for b in &z[..=k] {
                    products[at] += a * b;
                    at += 1;
                }
            }
        }
        products.iter_mut().for_each(|sum| *sum /= n);
        with_target.iter_mut().for_each(|sum| *sum /= n);
        Moments {
            mean,
            scale,
            products,
            with_target,
            target,
        }
    }

    /// The weights that minimise the mean squared error plus `penalty` times the sum of their squares;
    /// the intercept is not penalised. With n rows it is scikit-learn's `Ridge(alpha = n x penalty)` on
    /// standardised features. `None` when the features depend on each other and nothing is
    /// penalised.
    pub fn ridge(&self, penalty: f64) -> Option<Linear> {
        let mut matrix = self.products.clone();
        for k in 0..self.mean.len() {
            matrix[place(k, k)] += penalty;
        }
        let weights = solved(&mut matrix, &self.with_target)?;
        Some(Linear {
            mean: self.mean.clone(),
            scale: self.scale.clone(),
            weights,
            intercept: self.target,
        })
    }
}

/// Mean and standard deviation of each feature; infinite for one that never changes.
pub(super) fn standard(rows: &Rows) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; rows.width];
    for row in rows.rows() {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    let mut scale = vec![0.0; rows.width];
    for row in rows.rows() {
        for ((sum, x), mean) in scale.iter_mut().zip(row).zip(&mean) {
            *sum += (x - mean) * (x - mean);
        }
    }
    for (scale, mean) in scale.iter_mut().zip(&mean) {
        let deviation = (*scale / n).sqrt();
        // What is left of a constant column after rounding is no deviation.
        let says = deviation > 1e-12 * mean.abs() && deviation.is_finite();
        *scale = if says { deviation } else { f64::INFINITY };
    }
    (mean, scale)
}

pub(super) fn standardise(row: &[f64], mean: &[f64], scale: &[f64], into: &mut [f64]) {
    for (k, z) in into.iter_mut().enumerate() {
        *z = (row[k] - mean[k]) / scale[k];
    }
}

/// Place of an element of a lower triangle that is stored by row; `column <= row`.
pub(super) fn place(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

/// Solves `matrix x = right` by Cholesky's decomposition, which takes the place of the matrix, a lower
/// triangle by row. `None` when the matrix is not positive definite.
pub(super) fn solved(matrix: &mut [f64], right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let mut sum = matrix[place(row, column)];
            for k in 0..column {
                sum -= matrix[place(row, k)] * matrix[place(column, k)];
            }
            let value = match row == column {
                true if sum > 1e-12 => sum.sqrt(),
                true => return None,
                false => sum / matrix[place(column, column)],
            };
            matrix[place(row, column)] = value;
        }
    }
    let mut x = right.to_vec();
    for row in 0..n {
        for k in 0..row {
            x[row] -= matrix[place(row, k)] * x[k];
        }
        x[row] /= matrix[place(row, row)];
    }
    for row in (0..n).rev() {
        for k in row + 1..n {
            x[row] -= matrix[place(k, row)] * x[k];
        }
        x[row] /= matrix[place(row, row)];
    }
    x.iter().all(|v| v.is_finite()).then_some(x)
}
