//! The few units that have names of their own.

/// A moment on the tape: microseconds since 1970-01-01 00:00 of the wall clock of the file.
///
/// A time with an offset keeps its local wall clock (`09:30-04:00` is 09:30); a time in UTC or an
/// epoch number is UTC. A daily bar stands at midnight of its date. Wall clocks are what sessions,
/// month ends and `hour` mean; nothing in the crate compares clocks of two zones.
pub type Micros = i64;

/// Microseconds in a calendar day.
pub const DAY_MICROS: Micros = 86_400_000_000;

/// Index of a bar: on the market's clock unless the name says whose bars are meant.
pub type BarIndex = usize;
