//! A sweep on disk and on the screen: the rows as they come, the record that says which sweep they
//! are of, the finished folder, the page of the terminal, JSON and pictures.

pub mod folder;
pub mod json;
pub mod pictures;
pub mod record;
pub mod rows;
pub mod text;

pub use folder::{CSV, JSON, PAGE, PARQUET};
