//! Sweeps: every combination of the values that some keys of a strategy may take, measured and
//! ranked. [`Space`] numbers the combinations, [`Choice`] says which are tried, [`Field`] measures
//! them, and the best of them are judged against luck. Rows are handed on as they come, so that ten
//! million trials fill no memory; files and words are left to others.

mod choice;
mod counted;
mod course;
mod field;
mod judged;
mod ranking;
mod space;

pub(crate) use choice::mixed;
pub use choice::{Choice, Points};
pub use counted::{AllTrials, count, count_points};
pub use course::{Course, Plan, Rows, Stage, rank, run};
pub use field::{Field, Measured, Row, Share, Watch};
pub use judged::{Judging, Plateau, Swept, TopRun, judge};
pub use ranking::{Goal, Heat, Ranking, neighbours};
pub use space::Space;
