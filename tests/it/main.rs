//! The integration tests: one binary, a module a theme.

mod actions;
mod calendar;
mod architecture;
mod indicators;
mod chart;
mod resample;
