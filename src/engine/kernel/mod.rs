//! The same meaning, lean, for sweeps: a trial leaves sums behind and no curve.
//!
//! [`Tally`] is what a trial leaves. What the sums mean as figures is left to `metrics`, which
//! points are tried to `study`.

mod tally;

pub use tally::{BLOCKS, BlockSums, Moments, Tally};
