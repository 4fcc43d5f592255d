//! RUNS -> PAGES: the terminal summary, JSON, CSV files, the run's folder, charts. It computes
//! nothing.

pub mod cell;
pub mod chart;
pub mod csv;
pub mod folder;
pub mod manifest;
pub mod verify;
