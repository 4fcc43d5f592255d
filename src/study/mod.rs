//! MANY RUNS -> JUDGEMENT: what a run is worth beside its benchmarks, and several files at once.
//! The only place where threads are started; parallel across runs, never inside one.

mod batch;
mod drawn;
mod judged;
mod trials;

pub use batch::each;
pub use drawn::{DrawnSeries, series};
pub use judged::{Curves, Judged, Rolling, judge};
pub use trials::{Ask, ParamAxis, Trials};
