//! RUNS -> PAGES: the terminal summary, JSON, CSV files, the run's folder, charts. It computes
//! nothing.

pub mod cell;
pub mod chart;
pub mod comparison;
pub mod contents;
pub mod conventions;
pub mod csv;
pub mod figure;
pub mod folder;
pub mod json;
pub mod judgement;
pub mod learning;
pub mod manifest;
pub mod options;
pub mod paper;
pub mod returns;
pub mod pictures;
pub mod profile;
pub mod record;
pub mod stress;
pub mod summary;
pub mod sweep;
pub mod taxes;
pub mod text;
pub mod verify;
pub mod walk_forward;

pub use summary::Summary;
