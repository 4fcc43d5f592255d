//! MANY RUNS -> JUDGEMENT: what a run is worth beside its benchmarks, several files at once, and
//! whether the best of many trials is luck.
//! The only place where threads are started; parallel across runs, never inside one.

mod batch;
mod drawn;
mod judged;
mod trials;
pub mod sweep;
pub mod overfitting;
mod stress;
pub mod walk_forward;

pub use batch::each;
pub use drawn::{DrawnSeries, series};
pub use judged::{Curves, Judged, Rolling, judge};
pub use stress::{Stress, StressLine, StressResult, stress};
pub use trials::{Ask, ParamAxis, Trials};
