//! Rows as read, of each symbol of a file, and what becomes of them: checked [`Bars`], or the raw
//! rows of an audit.
//!
//! Both readers (delimited text and Parquet) end here, so that what is refused, turned round or
//! made daily is decided once.

use crate::error::{Error, Problem, Result};
use crate::lanes::wide;
use crate::market::bars::{is_price, show_time};
use crate::market::delimited::Request;
use crate::market::layout::{NumberColumn, Plan, Shape};
use crate::market::{Bars, RawTape};
use crate::units::{DAY_MICROS, Micros};
use std::sync::Arc;

/// More problems of one file than this are not read any further.
pub(crate) const PROBLEMS_MAX: usize = 20;

const CURE: &str = "`papertape data check` lists every such row with its cure";

/// Which line each row came from, as runs of consecutive lines: nearly all files are one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    /// First row of the run and its 1-based line.
    runs: Vec<(usize, u64)>,
    rows: usize,
    next: u64,
}

impl Lines {
    /// Rows 0..n on the lines 1..=n.
    pub(crate) fn of_rows(rows: usize) -> Self {
        Lines {
            runs: vec![(0, 1)],
            rows,
            next: rows as u64 + 1,
        }
    }

    /// Says that the next row stands on this line.
    pub(crate) fn push(&mut self, line: u64) {
        if line != self.next || self.runs.is_empty() {
            self.runs.push((self.rows, line));
        }
        self.rows += 1;
        self.next = line + 1;
    }

    /// The line of a row.
    pub(crate) fn get(&self, row: usize) -> u64 {
        let run = self.runs.partition_point(|(first, _)| *first <= row);
        match run.checked_sub(1).map(|i| self.runs[i]) {
            Some((first, line)) => line + (row - first) as u64,
            None => 0,
        }
    }
}

/// The rows of one symbol in file order (of all symbols of a wide file).
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// Empty unless the file names it.
    pub(crate) symbol: String,
    pub(crate) time: Vec<Micros>,
    /// One a column of [`Plan::numbers`], NaN where the cell was empty or unreadable.
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) lines: Lines,
}

/// A file as read.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) plan: Plan,
    pub(crate) groups: Vec<Group>,
    pub(crate) problems: Vec<Problem>,
    /// All symbols of a long or wide file, wanted or not.
    pub(crate) symbols: Vec<String>,
}

impl Parsed {
    /// A file of one symbol that is not wanted is not read: it only says which symbol it is of.
    pub(crate) fn passed_over(&mut self, request: &Request<'_>) -> bool {
        let stem = request.stem.to_string();
        let passed = self.plan.shape == Shape::One
            && !request.wanted.is_empty()
            && !request.wanted.contains(&stem);
        if self.plan.shape == Shape::One {
            self.symbols.push(stem);
        } else if self.plan.shape == Shape::Wide {
            self.symbols.clone_from(&self.plan.symbols);
        }
        passed
    }
}

impl Group {
    /// A file that is newest first throughout is turned round; whether it was.
    fn turn_round(&mut self) -> bool {
        let newest_first = self.time.len() > 1 && self.time.windows(2).all(|w| w[1] < w[0]);
        if newest_first {
            self.time.reverse();
            for column in &mut self.columns {
                column.reverse();
            }
            let n = self.lines.rows;
            let mut turned = Lines::default();
            for row in (0..n).rev() {
                turned.push(self.lines.get(row));
            }
            self.lines = turned;
        }
        newest_first
    }
}

/// Bars that are a day or more apart and all stand at one time of day, or at 04:00 and 05:00 (the
/// midnight of New York in UTC), are daily: each moves to the midnight of its date. One bar alone
/// stays where it is, since nothing shows its spacing.
fn to_midnights(time: &mut [Micros]) {
    const APART: Micros = 20 * 3_600_000_000;
    const NEW_YORK: [Micros; 2] = [4 * 3_600_000_000, 5 * 3_600_000_000];
    let Some(first) = time.first().map(|t| t.rem_euclid(DAY_MICROS)) else {
        return;
    };
    let new_york = NEW_YORK.contains(&first);
    let at_one_time = |t: &Micros| {
        let of_day = t.rem_euclid(DAY_MICROS);
        of_day == first || (new_york && NEW_YORK.contains(&of_day))
    };
    let apart = |w: &[Micros]| w[1] == w[0] || w[1].abs_diff(w[0]) >= APART as u64;
    let spread = time.iter().any(|t| *t != time[0]);
    if spread && time.windows(2).all(apart) && time.iter().all(at_one_time) {
        for t in time {
            *t -= t.rem_euclid(DAY_MICROS);
        }
    }
}

/// Turns the rows of a file into bars of each symbol, in the order of the file.
///
/// # Errors
/// Cells that could not be read, prices missing or not positive, moments that do not increase: the
/// first of each, at most twenty, with file and line.
pub(crate) fn to_bars(
    parsed: Parsed,
    file: &str,
    stem: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, Bars)>> {
    let Parsed {
        plan,
        groups,
        problems,
        ..
    } = parsed;
    if !problems.is_empty() {
        return Err(located(problems, file));
    }
    notes.extend(plan.notes.iter().map(|note| format!("{file}: {note}")));
    let mut tapes = Vec::new();
    let mut problems = Vec::new();
    for mut group in groups {
        if group.turn_round() {
            notes.push(format!("{file}: newest first, turned round"));
        }
        to_midnights(&mut group.time);
        match plan.shape {
            Shape::Wide => {
                check_order(&group, &mut problems);
                wide_bars(group, &plan.numbers, &mut tapes, &mut problems);
            }
            Shape::One | Shape::Long => {
                if group.symbol.is_empty() {
                    group.symbol = stem.to_string();
                }
                let symbol = group.symbol.clone();
                let skipped = drop_empty_rows(&mut group, &plan.numbers);
                if let Some((count, line)) = skipped {
                    notes.push(format!("{file}: {symbol}: {count} rows without any price are no bars, the first in line {line}"));
                }
                check_order(&group, &mut problems);
                if !group.time.is_empty() {
                    tapes.push((symbol, field_bars(group, &plan.numbers, &mut problems)));
                }
            }
        }
        if problems.len() >= PROBLEMS_MAX {
            break;
        }
    }
    if !problems.is_empty() {
        return Err(located(problems, file));
    }
    if tapes.is_empty() {
        return Err(Problem::new("the file has no rows of prices")
            .in_file(file)
            .into());
    }
    Ok(tapes)
}

/// The rows of each symbol for the audit.
pub(crate) fn to_raw(parsed: Parsed, file: &str, stem: &str) -> Vec<RawTape> {
    let Parsed {
        plan,
        groups,
        mut problems,
        ..
    } = parsed;
    for problem in &mut problems {
        problem.file = Some(file.to_string());
    }
    let mut tapes = Vec::new();
    for mut group in groups {
        group.turn_round();
        to_midnights(&mut group.time);
        if group.symbol.is_empty() {
            group.symbol = stem.to_string();
        }
        let start = RawTape {
            file: file.to_string(),
            layout: plan.layout,
            ..RawTape::default()
        };
        match plan.shape {
            Shape::Wide => {
                for (number, column) in plan.numbers.iter().zip(&group.columns) {
                    tapes.push(raw_closes(&group, &number.name, column, start.clone()));
                }
            }
            Shape::One | Shape::Long => tapes.push(raw_fields(group, &plan.numbers, start)),
        }
    }
    let whole = RawTape {
        symbol: stem.to_string(),
        file: file.to_string(),
        layout: plan.layout,
        ..RawTape::default()
    };
    if tapes.is_empty() && !problems.is_empty() {
        tapes.push(whole);
    }
    if let Some(first) = tapes.first_mut() {
        first.problems = problems;
    }
    tapes
}

fn raw_closes(group: &Group, symbol: &str, column: &[f64], mut tape: RawTape) -> RawTape {
    let rows: Vec<usize> = (0..column.len()).filter(|&i| !column[i].is_nan()).collect();
    tape.symbol = symbol.to_string();
    tape.line = rows.iter().map(|&i| group.lines.get(i)).collect();
    tape.time = rows.iter().map(|&i| group.time[i]).collect();
    tape.close = rows.iter().map(|&i| column[i]).collect();
    tape.open = tape.close.clone();
    tape.high = tape.close.clone();
    tape.low = tape.close.clone();
    tape.volume = vec![f64::NAN; rows.len()];
    tape.closes_only = true;
    tape
}

fn raw_fields(mut group: Group, numbers: &[NumberColumn], mut tape: RawTape) -> RawTape {
    let rows = group.time.len();
    let mut take = |name: &str| {
        let index = numbers.iter().position(|number| number.name == name)?;
        Some(std::mem::take(&mut group.columns[index]))
    };
    let close = take("close").unwrap_or_else(|| vec![f64::NAN; rows]);
    let open = take("open");
    tape.closes_only = open.is_none();
    tape.open = open.unwrap_or_else(|| close.clone());
    tape.high = take("high").unwrap_or_else(|| close.clone());
    tape.low = take("low").unwrap_or_else(|| close.clone());
    let volume = take("volume");
    tape.has_volume = volume.is_some();
    tape.volume = volume.unwrap_or_else(|| vec![f64::NAN; rows]);
    tape.line = (0..rows).map(|i| group.lines.get(i)).collect();
    let is_own = |name: &str| matches!(name, "open" | "high" | "low" | "close" | "volume");
    tape.extra = numbers
        .iter()
        .zip(group.columns)
        .filter(|(number, _)| !is_own(&number.name))
        .map(|(number, column)| (number.name.clone(), column))
        .collect();
    tape.symbol = group.symbol;
    tape.time = group.time;
    tape.close = close;
    tape
}

/// Names the file in every problem, and says when reading stopped at the limit.
fn located(mut problems: Vec<Problem>, file: &str) -> Error {
    if problems.len() >= PROBLEMS_MAX {
        problems.truncate(PROBLEMS_MAX);
        problems.push(Problem::new(format!("stopped after {PROBLEMS_MAX} problems")).help(CURE));
    }
    for problem in &mut problems {
        problem.file = Some(file.to_string());
    }
    Error::all(problems)
}

/// Moments must increase: each that does not is a problem at its line.
fn check_order(group: &Group, problems: &mut Vec<Problem>) {
    for i in 1..group.time.len() {
        let (before, now) = (group.time[i - 1], group.time[i]);
        if now > before {
            continue;
        }
        if problems.len() >= PROBLEMS_MAX {
            return;
        }
        let earlier = group.lines.get(i - 1);
        let message = if now == before {
            format!("{} is in line {earlier} already", show_time(now))
        } else {
            format!(
                "{} stands after {} in line {earlier}",
                show_time(now),
                show_time(before)
            )
        };
        let whose = if group.symbol.is_empty() {
            message
        } else {
            format!("{}: {message}", group.symbol)
        };
        problems.push(Problem::new(whose).at_line(group.lines.get(i)).help(CURE));
    }
}

fn price_columns(numbers: &[NumberColumn]) -> Vec<usize> {
    let is_price = |name: &str| matches!(name, "open" | "high" | "low" | "close");
    (0..numbers.len())
        .filter(|&i| is_price(&numbers[i].name))
        .collect()
}

/// Takes out rows whose prices are all missing: how many, and the line of the first.
fn drop_empty_rows(group: &mut Group, numbers: &[NumberColumn]) -> Option<(usize, u64)> {
    let prices = price_columns(numbers);
    let close = *prices.first()?;
    let empty = |row: usize| prices.iter().all(|&c| group.columns[c][row].is_nan());
    // One pass over one column tells that most files have no such row.
    if !group.columns[close].iter().any(|x| x.is_nan()) {
        return None;
    }
    let rows = group.time.len();
    let keep: Vec<usize> = (0..rows).filter(|&row| !empty(row)).collect();
    let first = (0..rows).find(|&row| empty(row))?;
    let line = group.lines.get(first);
    let mut lines = Lines::default();
    for &row in &keep {
        lines.push(group.lines.get(row));
    }
    group.lines = lines;
    group.time = keep.iter().map(|&row| group.time[row]).collect();
    for column in &mut group.columns {
        *column = keep.iter().map(|&row| column[row]).collect();
    }
    Some((rows - keep.len(), line))
}

/// Every price that is missing or not positive is a problem at its line.
fn check_prices(column: &[f64], number: &NumberColumn, lines: &Lines, problems: &mut Vec<Problem>) {
    // No early exit: nearly every column is sound, and this runs in vectors.
    let all = |column: &[f64]| column.iter().fold(true, |all, x| all & is_price(*x));
    if wide(|| all(column)) {
        return;
    }
    for (row, &x) in column.iter().enumerate().filter(|(_, x)| !is_price(**x)) {
        if problems.len() >= PROBLEMS_MAX {
            return;
        }
        let message = if x.is_nan() {
            "the price is missing while the bar has others".to_string()
        } else {
            format!("{x} is not a price")
        };
        problems.push(
            Problem::new(message)
                .at_line(lines.get(row))
                .at_column(number.header.clone())
                .help(CURE),
        );
    }
}

fn field_bars(mut group: Group, numbers: &[NumberColumn], problems: &mut Vec<Problem>) -> Bars {
    for index in price_columns(numbers) {
        check_prices(
            &group.columns[index],
            &numbers[index],
            &group.lines,
            problems,
        );
    }
    let mut columns: Vec<(String, Arc<Vec<f64>>)> = numbers
        .iter()
        .zip(group.columns.iter_mut())
        .map(|(number, column)| (number.name.clone(), Arc::new(std::mem::take(column))))
        .collect();
    let mut take = |name: &str| {
        let index = columns.iter().position(|(known, _)| known == name)?;
        Some(columns.remove(index).1)
    };
    let close = take("close").unwrap_or_default();
    let mut bars = Bars::of_shared_closes(Arc::new(group.time), close);
    if let (Some(open), Some(high), Some(low)) = (take("open"), take("high"), take("low")) {
        (bars.open, bars.high, bars.low) = (open, high, low);
        bars.closes_only = false;
    }
    bars.volume = take("volume").filter(|column| column.iter().any(|x| !x.is_nan()));
    bars.extra = columns;
    bars
}

/// One tape a symbol; symbols that have a close in every row share one time column.
fn wide_bars(
    group: Group,
    numbers: &[NumberColumn],
    tapes: &mut Vec<(String, Bars)>,
    problems: &mut Vec<Problem>,
) {
    let all = Arc::new(group.time);
    for (column, number) in group.columns.into_iter().zip(numbers) {
        let missing = column.iter().filter(|x| x.is_nan()).count();
        if missing == column.len() {
            continue;
        }
        let there: Vec<f64> = column.iter().copied().filter(|x| !x.is_nan()).collect();
        if !there.iter().all(|&x| is_price(x)) {
            let filled = column.iter().map(|&x| if x.is_nan() { 1.0 } else { x });
            check_prices(&filled.collect::<Vec<_>>(), number, &group.lines, problems);
            continue;
        }
        let bars = if missing == 0 {
            Bars::of_shared_closes(all.clone(), Arc::new(column))
        } else {
            let rows = (0..column.len()).filter(|&i| !column[i].is_nan());
            let time: Vec<Micros> = rows.map(|i| all[i]).collect();
            Bars::of_shared_closes(Arc::new(time), Arc::new(there))
        };
        tapes.push((number.name.clone(), bars));
    }
}
