//! FILLS -> LOTS -> EQUITY: the books.
//!
//! [`Account`] holds cash and positions and writes an [`Entry`] for everything that changes
//! either; `income` adds the same changes up by stream, so that equity can be explained to the cent.

mod entry;
mod position;
mod income;
mod ledger;

pub use entry::{
    Entry, EntryKind, IncomeRow, OPENING_CASH, PositionSide, Stream, Trade, TradeStatus,
};
pub use income::Income;
pub use ledger::{Account, Booking};
pub use position::{Offset, Position, Protection};
