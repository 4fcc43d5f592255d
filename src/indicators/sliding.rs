//! Totals over the last n values in O(1) a bar, without ever subtracting what leaves the window.
//!
//! A running sum that adds the newest and subtracts the oldest value keeps the rounding error of
//! every value it ever saw: one tick of 1e16 spoils it for good. Here the values are cut into blocks
//! of n; the window that ends in a block is a tail of the block before and a head of this one, so
//! its total is the join of a suffix total and a prefix total (van Herk 1992, Gil and Werman 1993,
//! there for maxima). It holds for whatever can be joined: sums, moments, extremes.
//!
//! The first value of the current block lies in each of the block's windows. It is the pivot:
//! deviations from it are small, exact for prices within a factor of two, and all zero when the
//! window is flat, so that a flat window has mean exactly its price and deviation exactly 0. Sums of
//! squares around a member of the window lose at most a factor n + 1 of the precision of the
//! two-pass formula, since (pivot - mean)^2 <= n * variance.

use crate::lanes::Loop;
use crate::lanes::wide;
use std::array;

/// Calls `emit(i, pivot, total)` for each `i` in `n - 1..len`, in order, with the total of the
/// elements `i + 1 - n..=i`; `pivot` is the index of one of them.
///
/// `lift(i, pivot)` is element `i` by itself, `join(older, newer)` the total of two neighbours.
pub(super) fn slide<T: Copy>(
    len: usize,
    n: usize,
    lift: impl Fn(usize, usize) -> T,
    join: impl Fn(T, T) -> T,
    mut emit: impl FnMut(usize, usize, T),
) {
    if len < n {
        return;
    }
    let mut head = lift(0, 0);
    for i in 1..n {
        head = join(head, lift(i, 0));
    }
    emit(n - 1, 0, head);
    if len == n {
        return;
    }
    // Totals of the tails of the block before, around the pivot of this block.
    let mut tails = vec![head; n];
    fill_tails(&mut tails, 0, &lift, &join);
    let mut next_tails = tails.clone();
    let mut start = n;
    // Whole blocks that are followed by another: heads of this block and tails for the next are
    // two independent chains, so they share a loop.
    while start + n < len {
        let next = start + n;
        let mut head = lift(start, start);
        let mut tail = lift(next - 1, next);
        next_tails[n - 1] = tail;
        for j in 1..n {
            emit(start + j - 1, start, join(tails[j], head));
            head = join(head, lift(start + j, start));
            tail = join(lift(next - 1 - j, next), tail);
            next_tails[n - 1 - j] = tail;
        }
        emit(next - 1, start, head);
        std::mem::swap(&mut tails, &mut next_tails);
        start = next;
    }
    let mut head = lift(start, start);
    for (i, tail) in (start..len - 1).zip(&tails[1..]) {
        emit(i, start, join(*tail, head));
        head = join(head, lift(i + 1, start));
    }
    let last = match tails.get(len - start) {
        Some(tail) => join(*tail, head),
        None => head,
    };
    emit(len - 1, start, last);
}

/// Fills the totals of the tails of the block that begins at `start`, around the block after it.
fn fill_tails<T: Copy>(
    tails: &mut [T],
    start: usize,
    lift: &impl Fn(usize, usize) -> T,
    join: &impl Fn(T, T) -> T,
) {
    let next = start + tails.len();
    let mut tail = lift(next - 1, next);
    for (j, slot) in tails.iter_mut().enumerate().rev() {
        if start + j + 1 < next {
            tail = join(lift(start + j, next), tail);
        }
        *slot = tail;
    }
}

/// Mean and squared deviations of a window.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    pivot: f64,
    /// Mean less the pivot.
    offset: f64,
    /// Sum of the squared deviations from the mean.
    squares: f64,
}

impl Moments {
    /// Mean of the window.
    pub(super) fn mean(&self) -> f64 {
        self.pivot + self.offset
    }

    /// `value` less the mean.
    pub(super) fn above_mean(&self, value: f64) -> f64 {
        (value - self.pivot) - self.offset
    }

    /// Square root of `share` times the sum of squared deviations: a standard deviation with
    /// `share` 1 / n (ddof 0) or 1 / (n - 1) (ddof 1).
    pub(super) fn deviation(&self, share: f64) -> f64 {
        (self.squares * share).sqrt()
    }
}

/// Calls `emit(i, moments)` for the windows of `n` values that end at `i` in `n - 1..x.len()`.
pub(super) fn moments(x: &[f64], n: usize, mut emit: impl FnMut(usize, Moments)) {
    let share = 1.0 / n as f64;
    slide(
        x.len(),
        n,
        |i, p| {
            let d = x[i] - x[p];
            (d, d * d)
        },
        |a, b| (a.0 + b.0, a.1 + b.1),
        |i, p, (sum, squares)| {
            let offset = sum * share;
            let squares = squares - sum * offset;
            let window = Moments {
                pivot: x[p],
                offset,
                squares: if squares < 0.0 { 0.0 } else { squares },
            };
            emit(i, window);
        },
    );
}

/// Calls `emit(i, pivot, offset)` for the windows of `n` values that end at `i` in `n - 1..x.len()`:
/// the mean is pivot + offset, kept in two so that (x - pivot) - offset is x less the mean to full
/// precision.
pub(super) fn means(x: &[f64], n: usize, mut emit: impl FnMut(usize, f64, f64)) {
    let count = n as f64;
    slide(
        x.len(),
        n,
        |i, p| x[i] - x[p],
        |a, b| a + b,
        |i, p, sum| emit(i, x[p], sum / count),
    );
}

/// Blocks whose windows are averaged at the same time, one a lane: the sums of a block wait for one
/// another, those of different blocks do not.
const ABREAST: usize = 4;

/// The means of the windows of `n` values as a column, NaN before the first; `None` when a value is
/// missing or a mean is no finite number. To the bit what [`means`] gives.
pub(super) fn averaged(x: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut out = Vec::with_capacity(x.len());
    out.resize((n - 1).min(x.len()), f64::NAN);
    // Stays 0 while all is finite: 0 times infinity is NaN, as NaN is.
    let mut fine = 0.0;
    // The block before the first of several is needed for its tails.
    let groups = (x.len() / n).saturating_sub(1) / ABREAST;
    if groups > 0 {
        let first = mean(&x[..n]);
        fine += first * 0.0;
        out.push(first);
        let mut tails = vec![[0.0; ABREAST]; n];
        let mut together = vec![0.0; ABREAST * n];
        for start in (0..groups).map(|group| group * ABREAST * n) {
            fine += wide(Abreast {
                blocks: &x[start..start + (ABREAST + 1) * n],
                tails: &mut tails,
                out: &mut together,
            });
            out.extend_from_slice(&together);
        }
    }
    let done = groups * ABREAST * n;
    let skip = if groups > 0 { n } else { 0 };
    means(&x[done..], n, |i, pivot, offset| {
        if i >= skip {
            let mean = pivot + offset;
            fine += mean * 0.0;
            out.push(mean);
        }
    });
    // Every value is in a window, so that a missing one shows.
    (fine == 0.0).then_some(out)
}

/// One value a lane.
#[inline(always)]
fn lanes(value: impl Fn(usize) -> f64) -> [f64; ABREAST] {
    array::from_fn(value)
}

/// The means of the windows that end in all `blocks` but the first, `tails.len()` values each, into
/// `out`. What comes out is 0, or NaN if a mean is not finite.
struct Abreast<'a> {
    blocks: &'a [f64],
    tails: &'a mut [[f64; ABREAST]],
    out: &'a mut [f64],
}

impl Loop for Abreast<'_> {
    type Out = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let Abreast { blocks, tails, out } = self;
        let n = tails.len();
        let count = n as f64;
        let before: [&[f64]; ABREAST] = array::from_fn(|k| &blocks[k * n..][..n]);
        let here: [&[f64]; ABREAST] = array::from_fn(|k| &blocks[(k + 1) * n..][..n]);
        let mut parts = out.chunks_exact_mut(n);
        let mut out: [&mut [f64]; ABREAST] =
            array::from_fn(|_| &mut parts.next().unwrap_or_default()[..n]);
        let pivot = lanes(|k| here[k][0]);
        let mut tail = [0.0; ABREAST];
        for j in (1..n).rev() {
            let lift = lanes(|k| before[k][j] - pivot[k]);
            tail = lanes(|k| tail[k] + lift[k]);
            tails[j] = tail;
        }
        // Reads before it writes, or each lane would be done by itself.
        let mut head = [0.0; ABREAST];
        let mut fine = [0.0; ABREAST];
        for j in 1..=n {
            let lift = lanes(|k| here[k][j - 1] - pivot[k]);
            head = lanes(|k| head[k] + lift[k]);
            let sum = match tails.get(j) {
                Some(tail) => lanes(|k| tail[k] + head[k]),
                None => head,
            };
            let mean = lanes(|k| pivot[k] + sum[k] / count);
            fine = lanes(|k| fine[k] + mean[k] * 0.0);
            for (out, mean) in out.iter_mut().zip(mean) {
                out[j - 1] = mean;
            }
        }
        fine.iter().sum()
    }
}

/// Calls `emit(i, highest of highs, lowest of lows)` for the windows of `n` bars.
pub(super) fn ranges(high: &[f64], low: &[f64], n: usize, mut emit: impl FnMut(usize, f64, f64)) {
    slide(
        high.len().min(low.len()),
        n,
        |i, _| (high[i], low[i]),
        |a, b| (larger(a.0, b.0), smaller(a.1, b.1)),
        |i, _, (highest, lowest)| emit(i, highest, lowest),
    );
}

/// The larger of two finite numbers: one instruction, unlike `f64::max`, which minds NaN.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// The smaller of two finite numbers.
pub(super) fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

/// Mean of a non-empty slice, exactly its value when all are equal.
pub(super) fn mean(x: &[f64]) -> f64 {
    let pivot = x[0];
    let sum: f64 = x.iter().map(|v| v - pivot).sum();
    pivot + sum / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices that rise and fall without a pattern.
    fn prices(len: usize) -> Vec<f64> {
        (0..len)
            .map(|i| 100.0 + ((i * i * 7 + i * 13) % 101) as f64 / 7.0)
            .collect()
    }

    #[test]
    fn blocks_abreast_give_the_bits_of_one_after_the_other() {
        for n in [1_usize, 2, 3, 7, 20] {
            for len in (0..12 * n + 5).step_by(n.div_ceil(3)) {
                let x = prices(len);
                let mut expected = vec![f64::NAN; len];
                means(&x, n, |i, pivot, offset| expected[i] = pivot + offset);
                let bits = |column: &[f64]| column.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                let averaged = averaged(&x, n).expect("nothing is missing");
                assert_eq!(bits(&averaged), bits(&expected), "{n} of {len}");
            }
        }
    }

    #[test]
    fn a_missing_or_endless_value_anywhere_shows() {
        for at in 0..60 {
            for hole in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut x = prices(60);
                x[at] = hole;
                assert!(averaged(&x, 5).is_none(), "{hole} at {at}");
            }
        }
    }
}
