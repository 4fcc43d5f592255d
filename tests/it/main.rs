//! The integration tests: one binary, a module a theme.

mod actions;
mod architecture;
mod calendar;
mod chart;
mod cli;
mod indicators;
mod metrics;
mod report_files;
mod resample;
mod rules_messages;
mod strategy_file;
