//! The integration tests: one binary, a module a theme.

mod actions;
mod architecture;
mod calendar;
mod chart;
mod cli;
mod indicators;
mod resample;
mod strategy_file;
mod report_files;
