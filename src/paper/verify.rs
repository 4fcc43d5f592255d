//! Whether an account is what its record says: the recorded bars are run again and every row of the
//! books is held against the run, number by number.

use crate::error::Result;
use crate::paper::booked::{Cell, TABLES, rows};
use crate::paper::journal::Journal;
use std::path::Path;

/// Differences named a table.
const NAMED: usize = 5;

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Name of the account.
    pub name: String,
    /// Bars recorded, over all symbols.
    pub bars: usize,
    /// Rows compared, by table.
    pub rows: Vec<(&'static str, usize)>,
    /// What differs, a sentence each; a table names its first few.
    pub differences: Vec<String>,
    /// Largest difference at any bar between equity and the sum of the streams, over equity.
    pub books_error: f64,
}

impl Verdict {
    /// Nothing differs, and the books balance.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Runs an account's bars again and compares.
///
/// # Errors
/// No such account, a damaged one, a strategy that does not run.
pub fn verify(path: &Path) -> Result<Verdict> {
    let mut journal = Journal::open_to_read(path)?;
    let reading = journal.reading()?;
    let account = reading.account()?;
    let run = account.run()?.unwrap_or_default();
    let mut verdict = Verdict {
        name: account.name.clone(),
        bars: account.bars(),
        rows: Vec::new(),
        differences: Vec::new(),
        books_error: 0.0,
    };
    let largest = run.equity.iter().fold(0.0_f64, |a, e| a.max(e.abs()));
    if largest > 0.0 {
        verdict.books_error = run.books_error / largest;
    }
    for table in TABLES {
        let booked = reading.booked(table.name)?;
        let again = rows(&run, table.name, 0);
        if booked.len() != again.len() {
            verdict.differences.push(format!(
                "{}: {} rows are booked, the run gives {}",
                table.name,
                booked.len(),
                again.len()
            ));
        }
        let pairs = booked.iter().zip(&again);
        let differing = pairs.filter(|(a, b)| !is_same_row(a, b));
        for (a, b) in differing.take(NAMED) {
            verdict.differences.push(format!(
                "{}: booked {}, the run gives {}",
                table.name,
                shown(a),
                shown(b)
            ));
        }
        verdict.rows.push((table.name, booked.len()));
    }
    if verdict.books_error > 1e-9 {
        let what = format!("the income is {:e} of equity off", verdict.books_error);
        verdict.differences.push(what);
    }
    Ok(verdict)
}

fn is_same_row(a: &[Cell], b: &[Cell]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

/// The database has one kind of nothing, and one zero.
fn is_same(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Nothing, Cell::Number(x)) => x.is_nan(),
        (Cell::Whole(n), Cell::Number(x)) => *n as f64 == *x,
        (a, b) => a == b,
    }
}

fn shown(row: &[Cell]) -> String {
    let cells = row.iter().map(|cell| match cell {
        Cell::Whole(n) => n.to_string(),
        Cell::Number(x) => x.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Nothing => String::new(),
    });
    cells.collect::<Vec<_>>().join(",")
}
