//! The integration tests: one binary, a module a theme.

// Tests may fail at the spot, say what they skip, and tell long tables of cases.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines
)]

mod actions;
mod allocation;
mod architecture;
mod audit;
mod calendar;
mod calibration;
mod causality;
mod chain;
mod chart;
mod chart_trials;
mod cli;
mod eval;
mod explain;
mod flows;
mod fuzz_rules;
mod golden_runs;
mod indicators;
mod kernel;
mod kernel_accounts;
mod layers;
mod load;
mod load_fuzz;
mod metrics;
mod model;
mod overfit_verb;
mod overfitting;
mod price_verb;
mod pricing;
mod peers;
mod properties;
mod report_files;
mod resample;
mod rules_grammar;
mod rules_messages;
mod rules_properties;
mod rules_values;
mod selectors;
mod stories;
mod stress;
mod strategy_file;
mod tables;
mod taxes;
mod walk_forward;
mod trials;
mod readme;
mod determinism;
mod drawn;
mod cli_run;
mod sweep;
