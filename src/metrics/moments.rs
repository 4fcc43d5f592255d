//! Sums, moments and percentiles of a column of numbers, in a fixed order of addition.
//!
//! What the numbers mean, and when there are too few of them, is left to the rows that use them.

/// Running sums kept side by side: the compiler turns them into vector registers, and the order
/// of additions is the same on every machine.
pub(crate) const LANES: usize = 16;

/// Standard deviations up to this are the rounding of `1 + r`, not a spread of returns: a ratio
/// to one of them would be noise.
pub(crate) const FLAT: f64 = 1e-12;

/// A part of a column whose variance is no more than this share of the variance of the whole does
/// not vary: so much is the rounding of [`running_sums`].
pub(crate) const FLAT_OF_WHOLE: f64 = 1e-9;

/// Running sums of z and z^2, one more than there are numbers, the first 0.
pub(crate) fn running_sums(z: impl Iterator<Item = f64>) -> Vec<[f64; 2]> {
    let mut running = [0.0, 0.0];
    let mut sums = vec![running];
    sums.extend(z.map(|z| {
        running = [running[0] + z, running[1] + z * z];
        running
    }));
    sums
}

/// Adds `term(x)` of every element into 16 running sums, which are then added pairwise.
#[inline]
pub(crate) fn sum_of(x: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    add_into(&mut lanes, x, term);
    fold(lanes)
}

/// One step of [`sum_of`] over a block: element `i` of the block goes to lane `i % 16`.
#[inline]
pub(crate) fn add_into(lanes: &mut [f64; LANES], x: &[f64], term: impl Fn(f64) -> f64) {
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += term(chunk[i]);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane += term(*v);
    }
}

/// The sum of the lanes, pairwise.
#[inline]
pub(crate) fn fold(mut lanes: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum.
pub(crate) fn sum(x: &[f64]) -> f64 {
    sum_of(x, |v| v)
}

/// Arithmetic mean; NaN of nothing.
pub(crate) fn mean(x: &[f64]) -> f64 {
    sum(x) / x.len() as f64
}

/// Standard deviation with divisor n - 1, about the mean found first (two passes); NaN of fewer
/// than two.
pub(crate) fn deviation(x: &[f64]) -> f64 {
    let m = mean(x);
    (sum_of(x, |v| (v - m) * (v - m)) / (x.len() as f64 - 1.0)).sqrt()
}

/// Standard deviation as the divisor of a ratio: `None` when it is no number or no more than
/// [`FLAT`], so that the ratio would be nothing or noise.
pub(crate) fn spread(x: &[f64]) -> Option<f64> {
    let spread = deviation(x);
    (spread > FLAT && spread.is_finite()).then_some(spread)
}

/// Covariance with divisor n - 1 of two columns of one length.
pub(crate) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let products: Vec<f64> = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).collect();
    sum(&products) / (a.len() as f64 - 1.0)
}

/// Skewness m3 / m2^1.5 and kurtosis m4 / m2^2 (3 for the normal law) with moments of divisor n.
/// `None` when the numbers do not vary.
pub(crate) fn shape(x: &[f64]) -> Option<(f64, f64)> {
    let n = x.len() as f64;
    let m = mean(x);
    let m2 = sum_of(x, |v| (v - m) * (v - m)) / n;
    let scale = m2.sqrt();
    if x.len() < 2 || scale <= FLAT || !scale.is_finite() {
        return None;
    }
    let z = |v: f64| (v - m) / scale;
    let skewness = sum_of(x, |v| z(v) * z(v) * z(v)) / n;
    let kurtosis = sum_of(x, |v| z(v) * z(v) * z(v) * z(v)) / n;
    Some((skewness, kurtosis))
}

/// Percentile of sorted numbers by linear interpolation between order statistics, the position
/// being `p * (n - 1)` counted from 0. Source: Hyndman & Fan (1996), type 7.
///
/// `sorted` holds at least one number.
pub(crate) fn percentile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}
