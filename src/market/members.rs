//! Dated membership of an index: which symbols belonged to the universe on which days, so that a
//! test of the past does not choose among those who are known today to have stayed.

use crate::error::{Error, Problem, Result, nearest};
use crate::instrument::Symbol;
use crate::market::midnight;
use crate::units::Micros;
use chrono::NaiveDate;
use std::path::Path;

/// Days of membership, from the first (included) to the day on which it ended (not included).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: Micros,
    to: Micros,
}

/// Who belonged to the universe when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Sorted by symbol, then by day.
    spans: Vec<(Symbol, Span)>,
}

impl Members {
    /// Reads a file of `symbol,from,to`: days as `2004-08-19`, one row a stretch of membership. An
    /// empty `from` is since ever, an empty `to` is still. On the day `to` the symbol leaves: at the
    /// close of that day it is no member any more.
    ///
    /// # Errors
    /// A file that cannot be read, lacks a column, or has rows that are no such stretch, each with
    /// its line.
    pub fn read(path: &Path) -> Result<Members> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| {
            Problem::new(format!("the members can't be read: {e}"))
                .in_file(file.as_str())
                .help("data.members is a CSV file with the columns symbol, from and to")
        })?;
        Members::parse(&text).map_err(|e| {
            let place = |p: &Problem| p.clone().in_file(file.as_str());
            Error::all(e.problems().iter().map(place).collect())
        })
    }

    /// [`Members::read`] on the text of a file; problems carry lines but no file.
    ///
    /// # Errors
    /// As [`Members::read`].
    ///
    /// ```
    /// use papertape::market::{Members, midnight};
    /// let members = Members::parse("symbol,from,to\nA,2020-01-02,2021-06-30\nB,,\n")?;
    /// let day = |text: &str| midnight(text.parse().unwrap_or_default());
    /// assert!(members.is_member("A", day("2021-06-29")) && !members.is_member("A", day("2021-06-30")));
    /// assert!(members.is_member("B", day("1990-01-01")) && !members.is_member("C", day("1990-01-01")));
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Members> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(|e| Error::msg(e.to_string()))?;
        let header: Vec<String> = header.iter().map(str::to_ascii_lowercase).collect();
        let column = |name: &str| {
            header.iter().position(|h| h == name).ok_or_else(|| {
                let near = nearest(name, header.iter().map(String::as_str));
                let found = near.map_or(String::new(), |near| format!("; is it `{near}`?"));
                Problem::new(format!("no column `{name}`{found}"))
                    .at_line(1)
                    .help("the columns of members are symbol, from and to")
            })
        };
        let places = [column("symbol")?, column("from")?, column("to")?];
        let mut members = Members::default();
        let mut problems = Vec::new();
        for row in reader.records() {
            match row {
                Ok(row) if row.iter().all(str::is_empty) => {}
                Ok(row) => {
                    let line = row.position().map_or(0, csv::Position::line);
                    match span_of(places.map(|k| row.get(k).unwrap_or(""))) {
                        Ok(span) => members.spans.push(span),
                        Err(problem) => problems.push(problem.at_line(line)),
                    }
                }
                Err(e) => {
                    let line = e.position().map_or(0, csv::Position::line);
                    let problem = Problem::new(format!("not a row of a CSV file: {e}"));
                    problems.push(problem.at_line(line));
                }
            }
        }
        if !problems.is_empty() {
            return Err(Error::all(problems));
        }
        members
            .spans
            .sort_by(|a, b| (&a.0, a.1.from).cmp(&(&b.0, b.1.from)));
        Ok(members)
    }

    /// Whether a symbol is a member at the close of a moment's bar.
    pub fn is_member(&self, symbol: &str, time: Micros) -> bool {
        self.of(symbol)
            .iter()
            .any(|(_, s)| s.from <= time && time < s.to)
    }

    /// The same at each moment of a clock.
    pub fn along(&self, symbol: &str, clock: &[Micros]) -> Vec<bool> {
        let mut along = vec![false; clock.len()];
        for (_, span) in self.of(symbol) {
            let from = clock.partition_point(|t| *t < span.from);
            let to = clock.partition_point(|t| *t < span.to).max(from);
            along[from..to].fill(true);
        }
        along
    }

    /// The symbols that were members at any time, sorted, each once.
    pub fn symbols(&self) -> Vec<&str> {
        let mut symbols: Vec<&str> = self.spans.iter().map(|(s, _)| s.as_str()).collect();
        symbols.dedup();
        symbols
    }

    fn of(&self, symbol: &str) -> &[(Symbol, Span)] {
        let from = self.spans.partition_point(|(s, _)| s.as_str() < symbol);
        let to = self.spans.partition_point(|(s, _)| s.as_str() <= symbol);
        &self.spans[from..to]
    }
}

fn span_of([symbol, from, to]: [&str; 3]) -> std::result::Result<(Symbol, Span), Problem> {
    if symbol.is_empty() {
        return Err(Problem::new("a member without a symbol").at_column("symbol"));
    }
    let day = |text: &str, name: &str, otherwise: Micros| match text {
        "" => Ok(otherwise),
        text => NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(midnight)
            .map_err(|_| {
                Problem::new(format!("`{text}` is no day"))
                    .at_column(name)
                    .help("a day is written 2004-08-19")
            }),
    };
    let span = Span {
        from: day(from, "from", Micros::MIN)?,
        to: day(to, "to", Micros::MAX)?,
    };
    if span.to <= span.from {
        return Err(Problem::new(format!(
            "{symbol} leaves on {to}, not after it came on {from}"
        ))
        .at_column("to")
        .help("from is the first day, to the day on which it leaves"));
    }
    Ok((symbol.into(), span))
}
