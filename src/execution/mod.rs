//! WHAT TO HOLD -> ORDERS -> FILLS.

mod order;

pub use order::{Order, OrderType, Outcome, Reason, Side};
