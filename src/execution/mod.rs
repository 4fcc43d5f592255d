//! WHAT TO HOLD -> ORDERS -> FILLS.
//!
//! [`order`] is the record of a wish and its outcome, [`fill`] says when and at what price it
//! fills inside a bar, [`cost`] what that costs. Who decides is above, who keeps the books below.

mod order;
pub mod cost;
pub mod fill;

pub use order::{Order, OrderType, Outcome, Reason, Side};
