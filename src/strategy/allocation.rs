//! Weights out of a covariance matrix: equal contributions to risk, and the least variance.
//!
//! Matrices are n x n, row by row, symmetric. Sums run in a fixed order, so that the same numbers
//! give the same bits. Which returns go in, and which symbols, is decided by the caller.

/// Sweeps after which [`risk_parity`] gives up on a nearly singular matrix and takes what it has.
const SWEEPS_MAX: usize = 100_000;
/// Largest relative difference between two contributions to risk that still counts as none.
const EQUAL: f64 = 1e-13;

/// Sample covariance (ddof 1) of series of equal length, at least two values each: n x n.
pub fn covariance(series: &[Vec<f64>]) -> Vec<f64> {
    let n = series.len();
    let count = series.first().map_or(0, Vec::len) as f64;
    let centred: Vec<Vec<f64>> = series
        .iter()
        .map(|values| {
            let mean = values.iter().sum::<f64>() / count;
            values.iter().map(|v| v - mean).collect()
        })
        .collect();
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        for first in (0..=i).step_by(4) {
            // Beyond the diagonal the last one is summed again, for nothing.
            let others = [0, 1, 2, 3].map(|k| &centred[(first + k).min(i)][..]);
            for (j, sum) in (first..=i).zip(products(&centred[i], others)) {
                let cov = sum / (count - 1.0);
                matrix[i * n + j] = cov;
                matrix[j * n + i] = cov;
            }
        }
    }
    matrix
}

/// The sums of products of a series with four others. Each is added up in order of time; four at once
/// do not wait for one another.
fn products(series: &[f64], [a, b, c, d]: [&[f64]; 4]) -> [f64; 4] {
    let mut sums = [0.0; 4];
    for ((((x, a), b), c), d) in series.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sum, y) in sums.iter_mut().zip([a, b, c, d]) {
            *sum += x * y;
        }
    }
    sums
}

/// Long-only weights, adding up to 1, that contribute equally to the variance:
/// `w_i (C w)_i` is the same for all i.
///
/// They are the normalised minimum of `x'Cx / 2 - sum ln x_i` (Maillard, Roncalli and Teiletche
/// 2010; Spinu 2013), found by cyclical coordinate descent (Griveau-Billion, Richard and Roncalli
/// 2013, eq. 7): each `x_i` in turn solves `C_ii x^2 + b x - 1 = 0`, b the covariance of i with the
/// rest. It runs until the contributions differ by less than 1e-13 of their mean or no longer come
/// closer. Every variance must be positive.
pub fn risk_parity(matrix: &[f64], n: usize) -> Vec<f64> {
    let variance = |i: usize| matrix[i * n + i];
    let mut x: Vec<f64> = (0..n).map(|i| 1.0 / variance(i).sqrt()).collect();
    let mut best = (f64::INFINITY, x.clone());
    let mut stalled = 0;
    for _ in 0..SWEEPS_MAX {
        for i in 0..n {
            let rest = dot(&matrix[i * n..(i + 1) * n], &x) - variance(i) * x[i];
            let root = (rest * rest + 4.0 * variance(i)).sqrt();
            // The two forms of the root are one; this one does not cancel.
            x[i] = match rest > 0.0 {
                true => 2.0 / (rest + root),
                false => (root - rest) / (2.0 * variance(i)),
            };
        }
        let error = contributions_differ(matrix, n, &x);
        match error < best.0 {
            true => (best, stalled) = ((error, x.clone()), 0),
            false => stalled += 1,
        }
        // Within the rounding of sums it wanders: ten sweeps without progress are the end.
        if error < EQUAL || stalled >= 10 {
            break;
        }
    }
    normalised(&best.1)
}

/// Largest difference of a contribution to the variance from the mean, as a fraction of the mean.
fn contributions_differ(matrix: &[f64], n: usize, x: &[f64]) -> f64 {
    let parts: Vec<f64> = (0..n)
        .map(|i| x[i] * dot(&matrix[i * n..(i + 1) * n], x))
        .collect();
    let mean = parts.iter().sum::<f64>() / n as f64;
    let far = parts.iter().map(|p| (p - mean).abs()).fold(0.0, f64::max);
    far / mean.abs()
}

/// Long-only weights, adding up to 1, with the least variance.
///
/// The minimum of `x'Cx / 2 - sum x_i` over `x >= 0`, normalised, by the active set method of Lawson
/// and Hanson (Solving Least Squares Problems, 1974, ch. 23) on the normal equations: it ends after
/// finitely many steps on weights that meet the Kuhn-Tucker conditions, `(C w)_i = w'Cw` where
/// `w_i > 0` and `(C w)_i >= w'Cw` elsewhere. So that a matrix of more symbols than returns has one
/// answer, 1e-10 of the mean variance is added to every variance.
pub fn min_variance(matrix: &[f64], n: usize) -> Vec<f64> {
    let mean = (0..n).map(|i| matrix[i * n + i]).sum::<f64>() / n as f64;
    let mut c = matrix.to_vec();
    (0..n).for_each(|i| c[i * n + i] += 1e-10 * mean);
    let mut x = vec![0.0; n];
    let mut free: Vec<usize> = Vec::new();
    // Each round frees one symbol; rounding could cycle, so the rounds are bounded.
    for _ in 0..10 * n {
        let gain = |i: usize| 1.0 - dot(&c[i * n..(i + 1) * n], &x);
        let bound = (0..n).filter(|i| !free.contains(i));
        let best = bound.map(|i| (gain(i), i)).filter(|(g, _)| *g > 1e-11);
        let Some((_, enters)) = best.reduce(|a, b| if b.0 > a.0 { b } else { a }) else {
            break;
        };
        free.push(enters);
        free.sort_unstable();
        while let Some(leaves) = step(&c, n, &free, &mut x) {
            free.retain(|i| !leaves.contains(i));
        }
    }
    normalised(&x)
}

/// Moves to the minimum over the free symbols, or as far as none becomes negative; then those that
/// reached 0.
fn step(c: &[f64], n: usize, free: &[usize], x: &mut [f64]) -> Option<Vec<usize>> {
    let aim = solved(c, n, free);
    let blocks = |k: &usize| aim[*k] <= 0.0;
    let share = (0..free.len())
        .filter(blocks)
        .map(|k| x[free[k]] / (x[free[k]] - aim[k]))
        .fold(1.0, f64::min);
    let mut leaves = Vec::new();
    let blocked = (0..free.len()).any(|k| blocks(&k));
    for (k, &i) in free.iter().enumerate() {
        let moved = x[i] + share * (aim[k] - x[i]);
        let is_out = blocked && blocks(&k) && moved <= 1e-14 * moved.abs().max(x[i]).max(1e-300);
        x[i] = if is_out { 0.0 } else { moved };
        if is_out {
            leaves.push(i);
        }
    }
    blocked.then_some(leaves).filter(|l| !l.is_empty())
}

/// Solution of `C x = 1` over the free symbols, by Cholesky.
fn solved(c: &[f64], n: usize, free: &[usize]) -> Vec<f64> {
    let m = free.len();
    let mut lower = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..=i {
            let below = dot(&lower[i * m..i * m + j], &lower[j * m..j * m + j]);
            let rest = c[free[i] * n + free[j]] - below;
            lower[i * m + j] = match i == j {
                true => rest.max(f64::MIN_POSITIVE).sqrt(),
                false => rest / lower[j * m + j],
            };
        }
    }
    let mut y = vec![0.0; m];
    for i in 0..m {
        y[i] = (1.0 - dot(&lower[i * m..i * m + i], &y[..i])) / lower[i * m + i];
    }
    for i in (0..m).rev() {
        let above: f64 = (i + 1..m).map(|k| lower[k * m + i] * y[k]).sum();
        y[i] = (y[i] - above) / lower[i * m + i];
    }
    y
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn normalised(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().sum();
    x.iter().map(|v| v / sum).collect()
}
