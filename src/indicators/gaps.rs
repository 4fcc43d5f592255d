//! Missing values, dealt with once for all indicators.
//!
//! A column is cut into its runs of finite values and each run is a fresh start: nothing is carried
//! over a gap, and a run shorter than the warm-up gives nothing. The functions of the families thus
//! see finite numbers only. A column without gaps costs one scan and is one run.

use crate::indicators::Inputs;
use crate::lanes::wide;
use std::ops::Range;

/// The bars of one run, all columns of one length; `volume` is empty unless it was asked for.
#[derive(Clone, Copy)]
pub(super) struct BarRun<'a> {
    pub(super) high: &'a [f64],
    pub(super) low: &'a [f64],
    pub(super) close: &'a [f64],
    pub(super) volume: &'a [f64],
}

impl BarRun<'_> {
    /// Number of bars.
    pub(super) fn len(&self) -> usize {
        self.close.len()
    }

    /// Typical price of bar `i`. The order of the sum is TA-Lib's: the money flow index compares
    /// typical prices that may differ by rounding only.
    pub(super) fn typical(&self, i: usize) -> f64 {
        (self.high[i] + self.low[i] + self.close[i]) / 3.0
    }
}

/// A column computed run by run from one series.
///
/// `kernel(run, out)` is called for each run longer than `first` and fills `out[first..]`; what
/// stands before is scratch space for it and masked here.
pub(super) fn on_series(x: &[f64], first: usize, kernel: impl Fn(&[f64], &mut [f64])) -> Vec<f64> {
    by_run(&[x], first, |run, out| kernel(&x[run], out))
}

/// The same from high, low and close.
pub(super) fn on_bars(
    inputs: &Inputs<'_>,
    first: usize,
    kernel: impl Fn(BarRun<'_>, &mut [f64]),
) -> Vec<f64> {
    let (high, low, close) = (inputs.high, inputs.low, inputs.close);
    by_run(&[close, high, low], first, |run, out| {
        let bars = BarRun {
            high: &high[run.clone()],
            low: &low[run.clone()],
            close: &close[run],
            volume: &[],
        };
        kernel(bars, out);
    })
}

/// The same from high, low, close and volume.
pub(super) fn on_traded_bars(
    inputs: &Inputs<'_>,
    first: usize,
    kernel: impl Fn(BarRun<'_>, &mut [f64]),
) -> Vec<f64> {
    let (high, low, close, volume) = (inputs.high, inputs.low, inputs.close, inputs.volume);
    by_run(&[close, high, low, volume], first, |run, out| {
        let bars = BarRun {
            high: &high[run.clone()],
            low: &low[run.clone()],
            close: &close[run.clone()],
            volume: &volume[run],
        };
        kernel(bars, out);
    })
}

fn by_run(columns: &[&[f64]], first: usize, kernel: impl Fn(Range<usize>, &mut [f64])) -> Vec<f64> {
    let len = columns[0].len();
    if columns.iter().any(|column| column.len() != len) {
        return vec![f64::NAN; len];
    }
    if columns.iter().all(|column| all_finite(column)) {
        // Zeroed memory costs nothing where NaN would cost a pass; the kernel overwrites it.
        let mut out = vec![0.0; len];
        if len > first {
            kernel(0..len, &mut out);
            without_infinities(&mut out[first..]);
        }
        out[..first.min(len)].fill(f64::NAN);
        return out;
    }
    let mut out = vec![f64::NAN; len];
    let whole = |i: usize| columns.iter().all(|column| column[i].is_finite());
    let mut start = 0;
    while start < len {
        let end = (start..len).find(|&i| !whole(i)).unwrap_or(len);
        if end - start > first {
            kernel(start..end, &mut out[start..end]);
            without_infinities(&mut out[start + first..end]);
            out[start..start + first].fill(f64::NAN);
        }
        start = end + 1;
    }
    out
}

/// Whether no value is missing. Blocks without an early exit, so that it compiles to vectors.
fn all_finite(x: &[f64]) -> bool {
    let fine = |block: &[f64]| block.iter().fold(true, |fine, v| fine & v.is_finite());
    wide(|| x.chunks(64).all(fine))
}

/// Numbers that grew beyond what an f64 holds become "no value". Ordinary prices never get there,
/// so that looking is all this costs.
fn without_infinities(column: &mut [f64]) {
    let any = |block: &[f64]| block.iter().fold(false, |any, x| any | x.is_infinite());
    if wide(|| column.chunks(64).any(any)) {
        for x in column.iter_mut().filter(|x| x.is_infinite()) {
            *x = f64::NAN;
        }
    }
}
