//! FILLS -> LOTS -> EQUITY: the books.
//!
//! [`Account`] holds cash and positions and writes an [`Entry`] for everything that changes
//! either; `income` adds the same changes up by stream, so that equity can be explained to the cent.

mod entry;
mod position;
mod income;
mod ledger;
mod tax;
mod option;

pub use entry::{
    Entry, EntryKind, IncomeRow, OPENING_CASH, PositionSide, Stream, Trade, TradeStatus,
};
pub use income::Income;
pub use ledger::{Account, Booking};
pub use option::{
    Campaign, ClosedPart, MarkedBy, OpenOption, OptionBook, OptionFill, OptionTrade, SaleDay,
};
pub use position::{Offset, Position, Protection, settled_gain};
pub use tax::{
    Liquidation, Lot, Realized, TaxBook, TaxEvent, YearSums, YearTax, assess, is_long_term,
};
