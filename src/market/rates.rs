//! Dated rates: what cash earns, what savings would have paid, the yield of an index.

use crate::error::{Error, Problem, Result};
use crate::units::Micros;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use std::path::Path;

/// A step function of dates: each value holds from its date until the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct DatedRate {
    dates: Vec<Micros>,
    annual: Vec<f64>,
}

impl DatedRate {
    /// The same rate for ever, a fraction a year.
    pub fn constant(annual: f64) -> Self {
        DatedRate {
            dates: vec![Micros::MIN],
            annual: vec![annual],
        }
    }

    /// The rate in force at `time`, a fraction a year (APY); the first value before the file begins.
    pub fn at(&self, time: Micros) -> f64 {
        let after = self.dates.partition_point(|&d| d <= time);
        self.annual[after.saturating_sub(1)]
    }

    /// `true` when the rate is 0 throughout.
    pub fn is_zero(&self) -> bool {
        self.annual.iter().all(|&r| r == 0.0)
    }

    /// `true` when the rate never changes.
    pub fn is_constant(&self) -> bool {
        self.annual.len() == 1
    }

    /// The dates and the rates that hold from them, a fraction a year.
    pub fn steps(&self) -> impl Iterator<Item = (Micros, f64)> + '_ {
        self.dates.iter().copied().zip(self.annual.iter().copied())
    }

    /// First date of a file, `None` for a constant.
    pub fn begins(&self) -> Option<Micros> {
        self.dates.first().copied().filter(|&d| d != Micros::MIN)
    }
}

/// Reads a dated rate file: a header, a column `date` or `month`, and one column of rates.
///
/// Values are per cent a year; a header ending in `_1m` says per cent a month, which is compounded
/// twelve times. Empty cells (holidays) are skipped. With several numeric columns the one
/// named `rate`, `yield` or `close` is taken.
///
/// # Errors
/// A file that cannot be read, a date or number that cannot be parsed (with line and cell), dates
/// out of order, no rate column or no value at all.
pub fn read_rate(path: &Path) -> Result<DatedRate> {
    let name = path.display().to_string();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|e| {
            Error::new(Problem::new(format!("cannot read the rate file: {e}")).in_file(&name))
        })?;
    let header = reader
        .headers()
        .map_err(|e| Error::new(Problem::new(e.to_string()).in_file(&name).at_line(1)))?
        .iter()
        .map(|h| h.trim_start_matches('\u{feff}').to_lowercase())
        .collect::<Vec<_>>();
    let (date_column, rate_column) = columns(&header, &name)?;
    let monthly = header[rate_column].ends_with("_1m");
    let (mut dates, mut annual) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(|e| Error::new(Problem::new(e.to_string()).in_file(&name)))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = &record[rate_column];
        if cell.is_empty() {
            continue;
        }
        let place = |what: &str, column: &str| {
            Error::new(
                Problem::new(what)
                    .in_file(&name)
                    .at_line(line)
                    .at_column(column),
            )
        };
        let date = parse_date(&record[date_column]).ok_or_else(|| {
            place(
                &format!("`{}` is no date", &record[date_column]),
                &header[date_column],
            )
        })?;
        let value = cell
            .parse::<f64>()
            .ok()
            .filter(|v| v.is_finite() && *v > -100.0)
            .ok_or_else(|| {
                place(
                    &format!("`{cell}` is no rate in per cent"),
                    &header[rate_column],
                )
            })?;
        if dates.last().is_some_and(|&last| last >= date) {
            return Err(place("dates must increase", &header[date_column]));
        }
        dates.push(date);
        annual.push(if monthly {
            libm::pow(1.0 + value / 100.0, 12.0) - 1.0
        } else {
            value / 100.0
        });
    }
    if dates.is_empty() {
        return Err(Error::new(
            Problem::new("no rate in the file").in_file(&name),
        ));
    }
    Ok(DatedRate { dates, annual })
}

/// Reads a file of days: a header, and dates in the first column. Sorted, each once.
///
/// # Errors
/// A file that cannot be read, a cell that is no date (with its line), no day at all.
pub fn read_days(path: &Path) -> Result<Vec<Micros>> {
    let name = path.display().to_string();
    let broken = |what: String| Error::new(Problem::new(what).in_file(&name));
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|e| broken(format!("cannot read the file of days: {e}")))?;
    let mut days = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| broken(e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = record.get(0).unwrap_or("");
        let day = parse_date(cell).ok_or_else(|| {
            Error::new(
                Problem::new(format!("`{cell}` is no date"))
                    .in_file(&name)
                    .at_line(line)
                    .help("the first column holds days as 2018-11-16, below a header"),
            )
        })?;
        days.push(day);
    }
    if days.is_empty() {
        return Err(broken("no day in the file".to_string()));
    }
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

fn columns(header: &[String], name: &str) -> Result<(usize, usize)> {
    let find = |wanted: &[&str]| header.iter().position(|h| wanted.contains(&h.as_str()));
    let date = find(&["date", "month", "timestamp", "observation_date"]).ok_or_else(|| {
        Error::new(
            Problem::new("no date column in the rate file")
                .in_file(name)
                .at_line(1)
                .help("name it `date` or `month`"),
        )
    })?;
    let others = (0..header.len()).filter(|&i| i != date).collect::<Vec<_>>();
    let rate = find(&["rate", "yield", "rate_1m", "close"])
        .or_else(|| (others.len() == 1).then(|| others[0]))
        .ok_or_else(|| {
            Error::new(
                Problem::new("cannot tell which column is the rate")
                    .in_file(name)
                    .at_line(1)
                    .help("name it `rate` (per cent a year) or `rate_1m` (per cent a month)"),
            )
        })?;
    Ok((date, rate))
}

fn parse_date(text: &str) -> Option<Micros> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .or_else(|| {
            let digits = text.len() >= 6 && text.bytes().all(|b| b.is_ascii_digit());
            let number = digits.then(|| text.parse::<u32>().ok()).flatten()?;
            match text.len() {
                6 => NaiveDate::from_ymd_opt((number / 100) as i32, number % 100, 1),
                8 => NaiveDate::from_ymd_opt(
                    (number / 10_000) as i32,
                    number / 100 % 100,
                    number % 100,
                ),
                _ => None,
            }
        })
        .or_else(|| NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok())?;
    Some(
        NaiveDateTime::new(date, NaiveTime::MIN)
            .and_utc()
            .timestamp_micros(),
    )
}
