//! THE SAME LOOP, ONE BAR AT A TIME: durable accounts that step forward as the backtest did.
//!
//! An account is the record of what it saw, in the order in which it came: the strategy's text, the
//! bars, the actions ([`account`], [`tape`]). What it did follows from that record by the engine
//! alone, so an account cannot disagree with a backtest over its own tape. A step ([`step`]) takes
//! the bars that are new (`arrival`), lets the loop pass over the tape, holds what it says of the
//! past against what was booked before, and commits bars, bookings and alarms together (`journal`,
//! one SQLite file an account). History is never rewritten: what arrives changed or late is
//! recorded and said, and not traded on.
//!
//! The library reads no clock: callers say what time it is.

pub mod account;
pub mod cone;
pub mod monitor;
pub mod status;
pub mod step;
mod arrival;
mod booked;
mod feed;
mod journal;
mod tape;
mod verify;

pub use account::{Account, Epoch, Opening};
pub use arrival::{Remark, RemarkKind};
pub use cone::Cone;
pub use feed::read_feed;
pub use journal::{Journal, find};
pub use monitor::{Alarm, Monitor};
pub use status::{Holding, OpenOrder, Status};
pub use step::{Source, Stepped, amend, close, open, step};
pub use verify::{Verdict, verify};
