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
mod chain_fuzz;
mod chart;
mod chart_options;
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
mod layered_runs;
mod layered_taxes;
mod layers;
mod load;
mod load_fuzz;
mod metrics;
mod mistakes;
mod model;
mod options_account;
mod option_chain_2019;
mod option_indices;
mod option_report;
mod overfit_verb;
mod overfitting;
mod paper;
mod paper_verb;
mod price_verb;
mod pricing;
mod peers;
mod profile;
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
mod tax_peer;
mod taxes;
mod walk_forward;
mod walk_stress;
mod walk_symbols;
mod watched;
mod trials;
mod readme;
mod determinism;
mod drawn;
mod cli_run;
mod sweep;
