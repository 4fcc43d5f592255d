//! Rows of a chain as they stand in a file, from text, Parquet or a zip of Lean.

use super::layout::{Columns, Places, header_of};
use super::lean;
use crate::error::{Error, Problem, Result};
use crate::instrument::{OccSymbol, Right, Symbol, expiration_day, strike_milli};
use crate::market::calendar::{date_of, midnight};
use crate::market::load::{parquet_cells, parquet_names};
use crate::market::moment;
use crate::units::{DAY_MICROS, Micros};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Bid,
    Ask,
    Last,
    Volume,
    OpenInterest,
    Volatility,
    Delta,
    UnderlyingPrice,
    /// First price of the day, of chains that have bars instead of quotes.
    Open,
}

/// All of them, in the order of their numbers.
pub(super) const ALL_FIELDS: [Field; 9] = [
    Field::Bid,
    Field::Ask,
    Field::Last,
    Field::Volume,
    Field::OpenInterest,
    Field::Volatility,
    Field::Delta,
    Field::UnderlyingPrice,
    Field::Open,
];

/// The rows of files in file order. Columns have one element a row that is a quote, or none when no
/// file has them.
#[derive(Debug, Default)]
pub(crate) struct RawQuotes {
    pub(crate) layout: &'static str,
    /// Underlyings and roots.
    pub(crate) names: Vec<Symbol>,
    pub(super) places: BTreeMap<Symbol, u16>,
    /// 1-based line of a text (the header is line 1), 1-based row of Parquet.
    pub(crate) line: Vec<u32>,
    pub(crate) time: Vec<Micros>,
    pub(crate) underlying: Vec<u16>,
    pub(crate) root: Vec<u16>,
    /// Days since 1970-01-01, never a Saturday.
    pub(crate) expiration: Vec<i32>,
    pub(crate) right: Vec<Right>,
    pub(crate) strike: Vec<f64>,
    /// In the order of [`Field`]; NaN where a cell is empty or no number.
    pub(crate) numbers: [Vec<f64>; ALL_FIELDS.len()],
    /// Rows that are no quotes: line, and what they lack.
    pub(crate) bad: Vec<(u64, &'static str)>,
}

/// What tells a quote, and its numbers.
pub(super) struct Row<'a> {
    pub(super) line: u64,
    pub(super) time: Option<Micros>,
    pub(super) expiration: Option<Micros>,
    pub(super) strike: f64,
    pub(super) right: Option<Right>,
    pub(super) underlying: &'a str,
    pub(super) root: &'a str,
    pub(super) symbol: &'a str,
    pub(super) numbers: [f64; ALL_FIELDS.len()],
}

impl RawQuotes {
    pub(crate) fn len(&self) -> usize {
        self.strike.len()
    }

    /// The order of the store.
    pub(crate) fn key(&self, row: usize) -> (Micros, u16, i32, u16, Right, u64) {
        (
            self.time[row],
            self.underlying[row],
            self.expiration[row],
            self.root[row],
            self.right[row],
            // Strikes are above 0, and the bits of such numbers are in their order.
            self.strike[row].to_bits(),
        )
    }

    /// Whether the files have a column.
    pub(crate) fn has(&self, field: Field) -> bool {
        !self.numbers[field as usize].is_empty()
    }

    /// Makes room for so many rows.
    fn reserve(&mut self, rows: usize) {
        self.line.reserve_exact(rows);
        self.time.reserve_exact(rows);
        self.underlying.reserve_exact(rows);
        self.root.reserve_exact(rows);
        self.expiration.reserve_exact(rows);
        self.right.reserve_exact(rows);
        self.strike.reserve_exact(rows);
    }

    fn code(&mut self, name: &str) -> Option<u16> {
        let name = name.trim().trim_start_matches(['^', '$']);
        if let Some(code) = self.places.get(name) {
            return Some(*code);
        }
        let code = u16::try_from(self.names.len()).ok()?;
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), code);
        Some(code)
    }

    /// Takes a row, or notes what it lacks. `filled` says which columns the file has.
    pub(super) fn push(&mut self, row: &Row<'_>, stem: &str, filled: &Places) {
        let named = if row.symbol.is_empty() {
            None
        } else {
            OccSymbol::parse(row.symbol).map(|(symbol, _)| symbol)
        };
        let lacks = |what| (row.line, what);
        let Some(time) = row.time else {
            return self.bad.push(lacks("no date that can be read"));
        };
        let date = |t: Micros| midnight(expiration_day(date_of(t)));
        let symbol_date = named
            .as_ref()
            .map(|s| midnight(expiration_day(s.expiration)));
        let Some(expiration) = row.expiration.map(date).or(symbol_date) else {
            return self.bad.push(lacks("no expiration that can be read"));
        };
        let Some(right) = row.right.or(named.as_ref().map(|s| s.right)) else {
            return self.bad.push(lacks("neither a call nor a put"));
        };
        let strike = if row.strike.is_nan() {
            named.as_ref().map_or(f64::NAN, OccSymbol::strike_price)
        } else {
            row.strike
        };
        let Some(strike) = strike_milli(strike) else {
            return self.bad.push(lacks("no strike above 0 in thousandths"));
        };
        let first = |names: [&str; 4]| {
            let given = names.into_iter().find(|name| !name.trim().is_empty());
            given.unwrap_or("?").to_owned()
        };
        let of_symbol = named.as_ref().map_or("", |s| s.root.as_str());
        let root = first([row.root, of_symbol, row.underlying, stem]);
        let underlying = first([row.underlying, row.root, of_symbol, stem]);
        let (Some(underlying), Some(root)) = (self.code(&underlying), self.code(&root)) else {
            return self
                .bad
                .push(lacks("more than 65,535 underlyings and roots"));
        };
        let count = self.len();
        self.line.push(u32::try_from(row.line).unwrap_or(u32::MAX));
        self.time.push(time);
        self.underlying.push(underlying);
        self.root.push(root);
        self.expiration
            .push((expiration / DAY_MICROS).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32);
        self.right.push(right);
        self.strike.push(f64::from(strike) / 1000.0);
        for ((column, value), place) in self.numbers.iter_mut().zip(row.numbers).zip(filled) {
            if place.is_some() {
                column.resize(count, f64::NAN);
                column.push(value);
            }
        }
    }

    /// All columns that are there get the length of the others; moments lose their time of day when
    /// each date has one moment: they are quotes of the day's end.
    fn finish(&mut self) {
        let count = self.len();
        for column in self.numbers.iter_mut().filter(|c| !c.is_empty()) {
            column.resize(count, f64::NAN);
        }
        let mut clocks: BTreeMap<i64, Micros> = BTreeMap::new();
        let mut last = None;
        let is_daily = self.time.iter().all(|&time| {
            if last == Some(time) {
                return true;
            }
            last = Some(time);
            let (day, clock) = (time.div_euclid(DAY_MICROS), time.rem_euclid(DAY_MICROS));
            *clocks.entry(day).or_insert(clock) == clock
        });
        if is_daily {
            for time in &mut self.time {
                *time = time.div_euclid(DAY_MICROS) * DAY_MICROS;
            }
        }
    }

    /// Adds the rows of another file.
    pub(crate) fn append(&mut self, other: RawQuotes) {
        let codes: Vec<u16> = other
            .names
            .iter()
            .map(|name| self.code(name).unwrap_or(u16::MAX))
            .collect();
        let before = self.len();
        let recoded = |column: &[u16]| -> Vec<u16> {
            column
                .iter()
                .map(|code| codes[usize::from(*code)])
                .collect()
        };
        self.underlying.extend(recoded(&other.underlying));
        self.root.extend(recoded(&other.root));
        self.line.extend(other.line);
        self.time.extend(other.time);
        self.expiration.extend(other.expiration);
        self.right.extend(other.right);
        self.strike.extend(other.strike);
        let count = self.len();
        for (column, more) in self.numbers.iter_mut().zip(other.numbers) {
            if !column.is_empty() || !more.is_empty() {
                column.resize(before, f64::NAN);
                column.extend(more);
                column.resize(count, f64::NAN);
            }
        }
        self.bad.extend(other.bad);
    }

    /// Codes in the order of names.
    pub(crate) fn sort_names(&mut self) {
        let sorted: Vec<Symbol> = self.places.keys().cloned().collect();
        let mut codes = vec![0_u16; self.names.len()];
        for (new, name) in sorted.iter().enumerate() {
            if let Some(old) = self.places.get(name) {
                codes[usize::from(*old)] = new as u16;
            }
        }
        for column in [&mut self.underlying, &mut self.root] {
            for code in column {
                *code = codes[usize::from(*code)];
            }
        }
        for (name, code) in self.places.iter_mut().zip(0_u16..) {
            *name.1 = code;
        }
        self.names = sorted;
    }
}

/// Reads a file of quotes.
///
/// # Errors
/// It cannot be read, or is no chain.
pub(crate) fn read_raw(path: &Path, underlying: Option<&str>) -> Result<RawQuotes> {
    let file = path.display().to_string();
    let cannot = |e: std::io::Error| {
        Error::from(Problem::new(format!("it cannot be read: {e}")).in_file(&file))
    };
    let mut magic = Vec::new();
    let opened = File::open(path).map_err(cannot)?;
    opened.take(4).read_to_end(&mut magic).map_err(cannot)?;
    if magic == b"PAR1" {
        let stem = stem_of(path);
        return read_parquet(path, underlying.unwrap_or(&stem));
    }
    if magic.starts_with(b"PK") {
        let bytes = std::fs::read(path).map_err(cannot)?;
        return read_bytes(&file, &bytes, underlying);
    }
    let source = File::open(path).map_err(cannot)?;
    let stem = stem_of(path);
    let stem = underlying.unwrap_or(&stem);
    if magic.starts_with(&[0x1f, 0x8b]) {
        read_text(MultiGzDecoder::new(source), &file, stem)
    } else {
        read_text(source, &file, stem)
    }
}

/// Reads bytes that stand for a file, text or zip.
pub(super) fn read_bytes(name: &str, bytes: &[u8], underlying: Option<&str>) -> Result<RawQuotes> {
    let stem = stem_of(Path::new(name));
    let stem = underlying.unwrap_or(&stem);
    if bytes.starts_with(b"PK") {
        let mut raw = lean::read(bytes, name)?;
        raw.finish();
        return Ok(raw);
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return read_text(MultiGzDecoder::new(bytes), name, stem);
    }
    read_text(bytes, name, stem)
}

fn stem_of(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}

fn no_chain(file: &str, header: &[String]) -> Error {
    let columns = header.join(", ");
    let columns: String = columns.chars().take(200).collect();
    Problem::new(format!("no option chain (columns {columns})"))
        .in_file(file)
        .at_line(1)
        .help(
            "expected quote_date, expiration, strike, type, bid, ask, or a vendor's names of them",
        )
        .into()
}

fn read_text(source: impl Read, file: &str, stem: &str) -> Result<RawQuotes> {
    let mut source = std::io::BufReader::with_capacity(1 << 17, source);
    let start = std::io::BufRead::fill_buf(&mut source)
        .map_err(|e| Error::from(Problem::new(format!("it cannot be read: {e}")).in_file(file)))?;
    let Some((header, delimiter)) = header_of(start) else {
        return Err(no_chain(file, &[]));
    };
    let Some(columns) = Columns::of(&header) else {
        return Err(no_chain(file, &header));
    };
    let mut raw = RawQuotes {
        layout: columns.layout,
        ..RawQuotes::default()
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(source);
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                let problem = Problem::new(format!("it cannot be read: {e}"));
                return Err(problem.in_file(file).at_line(line).into());
            }
        }
        push_record(&mut raw, &record, &columns, stem);
    }
    raw.finish();
    Ok(raw)
}

/// A cell as a number; NaN when it is none. Sizes such as `10 x 12` are none.
fn number(cell: &[u8]) -> f64 {
    fast_float2::parse(cell).unwrap_or(f64::NAN)
}

fn push_record(raw: &mut RawQuotes, record: &csv::ByteRecord, columns: &Columns, stem: &str) {
    let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default();
    let text = |at: Option<usize>| std::str::from_utf8(cell(at)).unwrap_or_default();
    let line = record.position().map_or(0, csv::Position::line);
    for (side, places) in columns.sides.iter().enumerate() {
        let row = Row {
            line,
            time: moment::parse(cell(Some(columns.time))),
            expiration: moment::parse(cell(columns.expiration)),
            strike: number(cell(columns.strike)) / columns.strike_scale,
            right: right_of(columns, side, text(columns.right)),
            underlying: text(columns.underlying),
            root: text(columns.root),
            symbol: text(columns.symbol),
            numbers: places.map(|at| number(cell(at))),
        };
        raw.push(&of_side(row, columns, side), stem, places);
    }
}

fn right_of(columns: &Columns, side: usize, text: &str) -> Option<Right> {
    match (columns.sides.len(), side) {
        (1, _) => Right::parse(text),
        (_, 0) => Some(Right::Call),
        _ => Some(Right::Put),
    }
}

/// The delta of a put where the file has the call's alone.
fn of_side<'a>(mut row: Row<'a>, columns: &Columns, side: usize) -> Row<'a> {
    if columns.call_delta_only && side == 1 {
        // To the ten decimals that no vendor exceeds, so that 0.6764 - 1 is -0.3236.
        let delta = &mut row.numbers[Field::Delta as usize];
        *delta = ((*delta - 1.0) * 1e10).round() / 1e10;
    }
    row
}

/// A column of texts as numbers of its different words.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    codes: Vec<u32>,
}

impl Words {
    fn of(column: impl Iterator<Item = Option<String>>) -> Words {
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        let mut all = Words::default();
        let mut before: Option<u32> = None;
        for cell in column {
            let word = cell.unwrap_or_default();
            // Neighbours are mostly alike.
            let same = before.filter(|code| all.words[*code as usize] == word);
            let code = same.or_else(|| places.get(&word).copied());
            let code = code.unwrap_or_else(|| {
                let code = all.words.len() as u32;
                all.words.push(word.clone());
                places.insert(word, code);
                code
            });
            all.codes.push(code);
            before = Some(code);
        }
        all
    }

    fn at(&self, row: usize) -> &str {
        let code = self.codes.get(row).copied().unwrap_or(u32::MAX);
        self.words.get(code as usize).map_or("", String::as_str)
    }
}

fn read_parquet(path: &Path, stem: &str) -> Result<RawQuotes> {
    let file = path.display().to_string();
    let names = parquet_names(path).ok_or_else(|| no_chain(&file, &[]))?;
    let columns = Columns::of(&names).ok_or_else(|| no_chain(&file, &names))?;
    let mut raw = RawQuotes {
        layout: columns.layout,
        ..RawQuotes::default()
    };
    let moments_at: Vec<usize> = [Some(columns.time), columns.expiration]
        .into_iter()
        .flatten()
        .collect();
    let all = columns.sides.iter().flatten().copied().flatten();
    let mut numbers_at: Vec<usize> = columns.strike.into_iter().chain(all).collect();
    numbers_at.sort_unstable();
    numbers_at.dedup();
    let in_file = |e: Error| Error::from(Problem::new(e.to_string()).in_file(&file));
    // Each column of texts becomes numbers of its few words before the next one is read.
    let mut texts: BTreeMap<usize, Words> = BTreeMap::new();
    let texts_at = [
        columns.right,
        columns.underlying,
        columns.root,
        columns.symbol,
    ];
    for at in texts_at.into_iter().flatten() {
        if let Entry::Vacant(place) = texts.entry(at) {
            let column = parquet_cells(path, &[], &[], &[at]).map_err(in_file)?.texts;
            place.insert(Words::of(column.into_iter().flatten()));
        }
    }
    let text = |at: Option<usize>, row: usize| {
        let words = at.and_then(|at| texts.get(&at));
        words.map_or("", |words| words.at(row))
    };
    let cells = parquet_cells(path, &moments_at, &numbers_at, &[]).map_err(in_file)?;
    let value = |at: Option<usize>, row: usize| {
        let place = at.and_then(|at| numbers_at.iter().position(|n| *n == at));
        let cell = place.and_then(|place| cells.numbers[place].get(row));
        cell.copied().unwrap_or(f64::NAN)
    };
    let moment = |at: usize, row: usize| cells.moments.get(at).and_then(|c| *c.get(row)?);
    raw.reserve(cells.moments[0].len() * columns.sides.len());
    for row in 0..cells.moments[0].len() {
        for (side, places) in columns.sides.iter().enumerate() {
            let quote = Row {
                line: row as u64 + 1,
                time: moment(0, row),
                expiration: moment(1, row),
                strike: value(columns.strike, row) / columns.strike_scale,
                right: right_of(&columns, side, text(columns.right, row)),
                underlying: text(columns.underlying, row),
                root: text(columns.root, row),
                symbol: text(columns.symbol, row),
                numbers: places.map(|at| value(at, row)),
            };
            raw.push(&of_side(quote, &columns, side), stem, places);
        }
    }
    raw.finish();
    Ok(raw)
}
