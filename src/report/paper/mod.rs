//! Paper accounts as pages, JSON and CSV: what an account has, what it waits for, what it made. What
//! is said here was computed in `paper`.

mod files;
mod picture;
mod words;
pub mod json;

pub use files::files;
pub use picture::{account as picture, all as picture_of_all, all_text};
pub use words::{list, list_csv, orders_csv, status, step};
