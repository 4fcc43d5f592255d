//! Anybody's trials: a CSV with a date and one column of returns a trial.
//!
//! Every column of numbers is a trial, except those that say they are something else: the names of
//! a benchmark, a rate and the like, and a column without a name (row numbers).

use crate::error::{Error, Problem, Result};
use crate::market::{PeriodsAYear, periods_a_year};
use crate::metrics::table::{BENCHMARK, DATE, EQUITY, FLOW, RATE, Sheet, TURNOVER, WEIGHT, cell};
use crate::units::Micros;
use std::path::Path;

/// A column whose lowest number is above this holds prices or equity, not returns.
const LOWEST_RETURN_MAX: f64 = 0.5;

/// Returns of trials over the same days.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialTable {
    /// The file's stem.
    pub name: String,
    /// When each return was earned, ascending.
    pub time: Vec<Micros>,
    /// Names of the trials, as the file writes them.
    pub names: Vec<String>,
    /// Simple returns of each trial, one element a row.
    pub returns: Vec<Vec<f64>>,
    /// Columns that are no trials.
    pub ignored: Vec<String>,
    /// Bars a year, from the dates.
    pub periods: PeriodsAYear,
}

/// Reads a CSV with a column `date` and one column of returns (fractions) a trial. Columns without
/// any number are left out, and those that [`crate::metrics::table::read`] knows by another name
/// than `return`.
///
/// # Errors
/// A file that cannot be read, without dates or trials; with line and column: dates that are none or
/// do not ascend, cells that are no numbers in a column of numbers, returns below -100%, columns of
/// prices, two trials of one name.
pub fn read_returns_of_trials(path: &Path) -> Result<TrialTable> {
    let sheet = Sheet::read(path)?;
    let date = sheet.column(DATE)?;
    let mut faults = Vec::new();
    let time = sheet.times(date, &mut faults);
    let mut table = TrialTable {
        name: sheet.name(path),
        periods: periods_a_year(&time),
        time,
        names: Vec::new(),
        returns: Vec::new(),
        ignored: Vec::new(),
    };
    for column in (0..sheet.header.len()).filter(|column| *column != date) {
        let name = &sheet.names[column];
        if is_no_trial(&sheet, column) {
            table.ignored.push(match name.as_str() {
                "" => format!("column {} without a name", column + 1),
                name => name.to_owned(),
            });
            continue;
        }
        if table.names.contains(name) {
            let message = "two columns have this name";
            let fault = sheet.fault(1, column, message.to_owned());
            faults.push(fault.help("give each trial a name of its own"));
        }
        table.returns.push(returns(&sheet, column, &mut faults));
        table.names.push(name.clone());
    }
    sheet.fail_on(faults)?;
    if table.names.is_empty() {
        let problem = sheet.problem("the file has no column of returns beside its date");
        return Err(Error::new(problem));
    }
    Ok(table)
}

/// Whether a column has another meaning, or no number at all.
fn is_no_trial(sheet: &Sheet, column: usize) -> bool {
    let name = sheet.header[column].as_str();
    let known = [DATE, BENCHMARK, RATE, WEIGHT, TURNOVER, FLOW, EQUITY];
    let is_number = |text: &str| fast_float2::parse::<f64, _>(text).is_ok_and(f64::is_finite);
    name.is_empty()
        || known.iter().any(|names| names.contains(&name))
        || !sheet
            .rows
            .iter()
            .any(|(_, row)| is_number(cell(row, column)))
}

fn returns(sheet: &Sheet, column: usize, faults: &mut Vec<Problem>) -> Vec<f64> {
    let before = faults.len();
    let returns = sheet.numbers(column, faults);
    for fault in &mut faults[before..] {
        if fault.help.is_none() {
            fault.help = Some("a day without a position is a return of 0".to_owned());
        }
    }
    if faults.len() > before {
        return returns;
    }
    if returns.iter().all(|r| *r > LOWEST_RETURN_MAX) {
        let fault = sheet.fault(1, column, "these are no daily returns".to_owned());
        faults.push(fault.help("prices and equity are not taken: 0.012 stands for 1.2% a day"));
        return returns;
    }
    for ((line, row), r) in sheet.rows.iter().zip(&returns) {
        if *r < -1.0 {
            let message = format!("`{}` loses more than everything", cell(row, column));
            let fault = sheet.fault(*line, column, message);
            faults.push(fault.help("fractions are expected: -0.012 for -1.2%"));
        }
    }
    returns
}
