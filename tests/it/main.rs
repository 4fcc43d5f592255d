//! The integration tests: one binary, a module a theme.

mod actions;
mod architecture;
mod audit;
mod calendar;
mod golden_runs;
mod tables;
mod properties;
mod stories;
mod chart;
mod cli;
mod eval;
mod indicators;
mod metrics;
mod report_files;
mod resample;
mod rules_grammar;
mod rules_messages;
mod rules_properties;
mod rules_values;
mod strategy_file;
mod load;
mod load_fuzz;
