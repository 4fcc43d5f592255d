//! papertape tests rules-based trading strategies on real prices before money is at risk.
//!
//! The modules below stand in the order of the data's journey, and **a module uses only
//! modules above it in this list** (`tests/it/architecture.rs` enforces it). Prices are read
//! into a [`market::Market`]; [`pricing`] says what an option is worth; [`indicators`] turn its columns
//! into series; [`rules`] turn series into yes, no or a number, and [`learning`] into a forecast; a
//! [`strategy::Strategy`] says what to hold; [`execution`] turns
//! that into orders and fills; the [`portfolio`] keeps the books; the [`engine`] is the loop,
//! the only place where time passes, with a leaner way for the trials of a sweep that is held equal
//! to it; [`metrics`] turn its record into numbers; [`study`] runs many and says what the best of
//! them is worth; [`paper`] steps a durable account forward by the same loop; [`report`] shows them and computes nothing.

pub mod error;
pub mod units;
mod lanes;
pub mod instrument;
pub mod learning;
pub mod market;
pub mod pricing;
pub mod indicators;
pub mod rules;
pub mod strategy;
pub mod execution;
pub mod portfolio;
pub mod engine;
pub mod metrics;
pub mod study;
pub mod paper;
pub mod report;

pub use crate::engine::{Run, backtest};
pub use crate::error::Error;
pub use crate::market::Market;
pub use crate::strategy::Strategy;

/// The README's example, so that it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
