//! MANY RUNS -> JUDGEMENT: what a run is worth beside its benchmarks, several files at once, and
//! whether the best of many trials is luck.
//! The only place where threads are started; parallel across runs, never inside one.

mod allocation;
mod batch;
mod drawn;
mod judged;
mod learning;
mod trials;
pub mod sweep;
pub mod trial_ledger;
pub mod overfitting;
mod stream;
mod stress;
pub mod walk_forward;
mod causality;

pub use allocation::{Allocated, Holder};
pub use batch::each;
pub use causality::{Causality, Decision, Difference, causality, causality_of, first_difference};
pub use drawn::{DrawnSeries, series};
pub use judged::{AmongTrials, Curves, Judged, Rolling, judge, judge_as_it_is, judge_watched};
pub use learning::{Learning, learning};
pub use stress::{Stress, StressLine, StressResult, bars_to_simulate, stress, stress_through};
pub use trials::{Ask, ParamAxis, Trials, bare_figures};
