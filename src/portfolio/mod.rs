//! FILLS -> LOTS -> EQUITY: the books.

mod entry;

pub use entry::{Entry, EntryKind, IncomeRow, PositionSide, Stream, Trade, TradeStatus};
