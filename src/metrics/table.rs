//! Anybody's returns or equity, and trades, from CSV files.
//!
//! Columns are found by name in any order and case; others are ignored. Prices and vendor layouts
//! are left to `market`; a column of prices is not a column of returns, and nothing here guesses.

mod trials;

pub use trials::{TrialTable, read_returns_of_trials};

use crate::error::{Error, Problem, Result};
use crate::market::{PeriodsAYear, periods_a_year, show_time};
use crate::metrics::{ClosedTrade, Inputs};
use crate::units::Micros;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use std::path::Path;

/// The mistakes of a file that are shown at once.
const PROBLEMS_SHOWN: usize = 20;

/// Names of the columns, the first being ours.
const DATE: &[&str] = &["date", "time", "timestamp", "datetime"];
const RETURN: &[&str] = &["return", "returns", "ret"];
const EQUITY: &[&str] = &["equity"];
const BENCHMARK: &[&str] = &["benchmark", "bench"];
const RATE: &[&str] = &["rate", "rf", "risk_free"];
const WEIGHT: &[&str] = &["weight", "exposure"];
const FLOW: &[&str] = &["flow"];
const TURNOVER: &[&str] = &["turnover"];
const PNL: &[&str] = &["pnl"];
const PNL_PCT: &[&str] = &["pnl_pct"];
const BARS_HELD: &[&str] = &["bars_held"];
const STATUS: &[&str] = &["status"];

/// Columns of a file of returns or equity, one element a return.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The file's stem.
    pub name: String,
    /// When each return was earned, ascending.
    pub time: Vec<Micros>,
    /// Simple returns; NaN where equity before was not positive.
    pub returns: Vec<f64>,
    /// Returns of the benchmark, if the file has any.
    pub benchmark: Option<Vec<f64>>,
    /// Risk-free returns; empty when the file has none.
    pub rate: Vec<f64>,
    /// Position weights; empty when the file has none.
    pub weight: Vec<f64>,
    /// Two-sided turnover; empty when the file has none.
    pub turnover: Vec<f64>,
    /// External flows before each return, deposits positive; empty without.
    pub flows: Vec<f64>,
    /// The first and the last equity, for a file of equity.
    pub equity: Option<(f64, f64)>,
    /// Bars a year, from the dates.
    pub periods: PeriodsAYear,
}

impl Table {
    /// The inputs of metrics. Savings are those of the `rate` column; `seed` is the bootstrap's.
    pub fn inputs<'a>(&'a self, trades: Option<&'a [ClosedTrade]>, seed: u64) -> Inputs<'a> {
        Inputs {
            time: &self.time,
            returns: &self.returns,
            rate: &self.rate,
            hurdle: &self.rate,
            benchmark: self.benchmark.as_deref(),
            periods_a_year: self.periods.bars_a_year,
            bars_a_session: self.periods.bars_a_session,
            start_equity: self.equity.map(|e| e.0),
            end_equity: self.equity.map(|e| e.1),
            flows: &self.flows,
            weight: &self.weight,
            turnover: &self.turnover,
            trades,
            money: None,
            ambiguous_trades: None,
            seed,
        }
    }
}

/// Reads a CSV with `date` and `return` or `equity`, and optionally `benchmark` (returns), `rate`
/// (risk-free return of the row's period), `weight` or `exposure` (of positions) and `turnover` (two-sided,
/// fraction of equity).
///
/// With `equity`, the first row's equity is what the account started with, and the first return
/// is that of the second row; the other columns of the first row are not used. Deposits and
/// withdrawals stand in a column `flow`, before the row's return is earned: E_t / (E_{t-1} + F_t)
/// - 1. A file with both is read by its returns.
///
/// # Errors
/// The file cannot be read; a column is missing; a cell is no number or no date; dates do not
/// ascend: each with its line.
pub fn read(path: &Path) -> Result<Table> {
    let sheet = Sheet::read(path)?;
    let mut faults = Vec::new();
    let time = sheet.times(sheet.column(DATE)?, &mut faults);
    let returns = sheet.find(RETURN).map(|c| sheet.numbers(c, &mut faults));
    let mut optional = |names| match sheet.find(names) {
        Some(column) => sheet.numbers(column, &mut faults),
        None => Vec::new(),
    };
    let equity = optional(EQUITY);
    let columns = [BENCHMARK, RATE, WEIGHT, TURNOVER, FLOW].map(optional);
    sheet.fail_on(faults)?;
    let (time, returns, equity, columns) = match returns {
        Some(returns) => (time, returns, None, columns),
        None if equity.is_empty() => {
            let missing = "the file has neither a column `return` nor `equity`";
            return Err(sheet.problem(missing).into());
        }
        None => {
            let ends = (equity[0], equity[equity.len() - 1]);
            let columns = columns.map(|c| c.into_iter().skip(1).collect::<Vec<f64>>());
            let returns = growth(&equity, &columns[4]);
            (time[1..].to_vec(), returns, Some(ends), columns)
        }
    };
    let [benchmark, rate, weight, turnover, flows] = columns;
    Ok(Table {
        name: sheet.name(path),
        periods: periods_a_year(&time),
        time,
        returns,
        benchmark: (!benchmark.is_empty()).then_some(benchmark),
        rate,
        weight,
        turnover,
        flows: if equity.is_some() { flows } else { Vec::new() },
        equity,
    })
}

/// Returns from one equity to the next, one fewer, flows (of the later row; may be empty) taken
/// out; NaN after equity that is not positive.
fn growth(equity: &[f64], flows: &[f64]) -> Vec<f64> {
    let steps = equity.windows(2).enumerate();
    steps
        .map(|(i, w)| {
            let before = w[0] + flows.get(i).copied().unwrap_or(0.0);
            if before > 0.0 {
                w[1] / before - 1.0
            } else {
                f64::NAN
            }
        })
        .collect()
}

/// Reads a CSV of trades with `pnl` (money), `pnl_pct` (fraction) and `bars_held`. With a column
/// `status`, rows that say `open` are left out.
///
/// # Errors
/// As [`read`].
pub fn read_trades(path: &Path) -> Result<Vec<ClosedTrade>> {
    let mut sheet = Sheet::read(path)?;
    if let Some(status) = sheet.find(STATUS) {
        sheet
            .rows
            .retain(|(_, row)| !cell(row, status).eq_ignore_ascii_case("open"));
    }
    let mut faults = Vec::new();
    let pnl = sheet.numbers(sheet.column(PNL)?, &mut faults);
    let pnl_pct = sheet.numbers(sheet.column(PNL_PCT)?, &mut faults);
    let bars_held = sheet.numbers(sheet.column(BARS_HELD)?, &mut faults);
    sheet.fail_on(faults)?;
    let trades = pnl.into_iter().zip(pnl_pct).zip(bars_held);
    Ok(trades
        .map(|((pnl, pnl_pct), bars_held)| ClosedTrade {
            pnl,
            pnl_pct,
            bars_held,
        })
        .collect())
}

/// A file's header and rows as text, each row with its line.
struct Sheet {
    file: String,
    /// Names as they are written.
    names: Vec<String>,
    /// Names in lower case.
    header: Vec<String>,
    rows: Vec<(u64, csv::StringRecord)>,
}

impl Sheet {
    fn read(path: &Path) -> Result<Sheet> {
        let file = path.display().to_string();
        let fault = |message: String| Problem::new(message).in_file(file.clone());
        let bytes = std::fs::read(path).map_err(|e| fault(format!("cannot be read: {e}")))?;
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(text))
            .trim(csv::Trim::All)
            .from_reader(text);
        let header = reader.headers().map_err(|e| located(&file, &e))?;
        let names: Vec<String> = header.iter().map(str::to_owned).collect();
        let header = names.iter().map(|name| name.to_lowercase()).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| located(&file, &e))?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record));
        }
        Ok(Sheet {
            file,
            names,
            header,
            rows,
        })
    }

    fn name(&self, path: &Path) -> String {
        path.file_stem()
            .map_or_else(|| self.file.clone(), |s| s.to_string_lossy().into_owned())
    }

    fn problem(&self, message: impl Into<String>) -> Problem {
        let has = match self.header.join(", ") {
            header if header.trim().is_empty() => "the file is empty".to_owned(),
            header => format!("its columns are {header}"),
        };
        Problem::new(message)
            .in_file(self.file.clone())
            .at_line(1)
            .help(has)
    }

    /// Index of the first column that has one of the names.
    fn find(&self, names: &[&str]) -> Option<usize> {
        let of = |name: &&str| self.header.iter().position(|h| h == name);
        names.iter().find_map(of)
    }

    fn column(&self, names: &[&str]) -> Result<usize> {
        self.find(names).ok_or_else(|| {
            let wanted = names.first().copied().unwrap_or_default();
            Error::new(self.problem(format!("the file has no column `{wanted}`")))
        })
    }

    fn fault(&self, line: u64, column: usize, message: String) -> Problem {
        Problem::new(message)
            .in_file(self.file.clone())
            .at_line(line)
            .at_column(self.header[column].clone())
    }

    fn numbers(&self, column: usize, faults: &mut Vec<Problem>) -> Vec<f64> {
        let mut numbers = Vec::with_capacity(self.rows.len());
        for (line, row) in &self.rows {
            let text = cell(row, column);
            match fast_float2::parse::<f64, _>(text) {
                Ok(number) if number.is_finite() => numbers.push(number),
                _ => {
                    let fault = self.fault(*line, column, format!("`{text}` is not a number"));
                    faults.push(if text.ends_with('%') {
                        fault.help("fractions are expected: 0.012 for 1.2%")
                    } else {
                        fault
                    });
                }
            }
        }
        numbers
    }

    fn times(&self, column: usize, faults: &mut Vec<Problem>) -> Vec<Micros> {
        let mut times: Vec<Micros> = Vec::with_capacity(self.rows.len());
        for (line, row) in &self.rows {
            let text = cell(row, column);
            let Some(time) = moment(text) else {
                let fault = self.fault(*line, column, format!("`{text}` is not a date"));
                faults.push(fault.help("expected YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"));
                continue;
            };
            if let Some(before) = times.last().filter(|before| **before >= time) {
                let message = format!("`{text}` does not come after {}", show_time(*before));
                let fault = self.fault(*line, column, message);
                faults.push(fault.help("sort the rows by date, one row a date"));
            }
            times.push(time);
        }
        times
    }

    fn fail_on(&self, mut faults: Vec<Problem>) -> Result<()> {
        if self.rows.is_empty() {
            return Err(self.problem("the file has no rows").into());
        }
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort_by_key(|fault| fault.line);
        let more = faults.len().saturating_sub(PROBLEMS_SHOWN);
        faults.truncate(PROBLEMS_SHOWN);
        if more > 0 {
            let rest = format!("and {more} more like these");
            faults.push(Problem::new(rest).in_file(self.file.clone()));
        }
        Err(Error::all(faults))
    }
}

fn cell(row: &csv::StringRecord, column: usize) -> &str {
    row.get(column).unwrap_or_default()
}

fn located(file: &str, error: &csv::Error) -> Error {
    let problem = Problem::new(match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} cells where the header has {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => error.to_string(),
    })
    .in_file(file);
    match error.position() {
        Some(position) => problem.at_line(position.line()).into(),
        None => problem.into(),
    }
}

/// The commonest of comma, semicolon and tab in the first line.
fn delimiter(text: &[u8]) -> u8 {
    let header = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |d: u8| header.iter().filter(|b| **b == d).count();
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|d| count(*d))
        .unwrap_or(b',')
}

/// The wall clock of a date or date-time.
fn moment(text: &str) -> Option<Micros> {
    let naive = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .or_else(|| {
            let forms = [
                "%Y-%m-%d %H:%M:%S%.f",
                "%Y-%m-%dT%H:%M:%S%.f",
                "%Y-%m-%d %H:%M",
                "%Y-%m-%dT%H:%M",
            ];
            let parse = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
            forms.iter().find_map(parse)
        })
        .or_else(|| Some(DateTime::parse_from_rfc3339(text).ok()?.naive_local()))?;
    Some(naive.and_utc().timestamp_micros())
}
