//! Dated amounts of money: a file of what is put in and taken out on which day.

use crate::error::{Error, Problem, Result};
use chrono::NaiveDate;
use std::path::Path;

/// Reads a file of dated amounts: a header with the columns `date` and `amount`, a row a flow, dates
/// `2004-08-19` in any order, amounts below 0 for money that is taken out.
///
/// # Errors
/// A file that cannot be read, a column that is missing, a date or an amount that cannot be parsed
/// (all of them, with their lines), and a file without a row.
pub fn read_amounts(path: &Path) -> Result<Vec<(NaiveDate, f64)>> {
    let name = path.display().to_string();
    let fail = |message: String| Error::new(Problem::new(message).in_file(&name));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|e| fail(format!("cannot read the file of amounts: {e}")))?;
    let header = reader.headers().map_err(|e| fail(e.to_string()))?.clone();
    let find = |wanted: &str| {
        let is_it = |h: &str| {
            h.trim_start_matches('\u{feff}')
                .eq_ignore_ascii_case(wanted)
        };
        header.iter().position(is_it).ok_or_else(|| {
            let problem = Problem::new(format!("no column `{wanted}` in the file of amounts"));
            Error::new(
                problem
                    .in_file(&name)
                    .at_line(1)
                    .help("its columns are date,amount"),
            )
        })
    };
    let (date_column, amount_column) = (find("date")?, find("amount")?);
    let (mut amounts, mut problems) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|e| fail(e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let place = |what: String, column: &str| {
            let problem = Problem::new(what).in_file(&name);
            problem.at_line(line).at_column(column)
        };
        let (date, amount) = (&record[date_column], &record[amount_column]);
        let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok();
        let money = amount.parse::<f64>().ok().filter(|x| x.is_finite());
        match (day, money) {
            (Some(day), Some(money)) => amounts.push((day, money)),
            (None, _) => problems.push(place(format!("`{date}` is no date"), "date")),
            (_, None) => problems.push(place(format!("`{amount}` is no amount"), "amount")),
        }
    }
    if amounts.is_empty() && problems.is_empty() {
        problems.push(Problem::new("no amount in the file").in_file(&name));
    }
    match problems.is_empty() {
        true => Ok(amounts),
        false => Err(Error::all(problems)),
    }
}
