//! The integration tests: one binary, a module a theme.

mod calendar;
mod architecture;
mod indicators;
mod chart;
