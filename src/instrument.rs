//! What is traded. Options follow with the option strategies; today it is a symbol's name.

/// A symbol as the data names it, for example `AAPL`.
pub type Symbol = String;
