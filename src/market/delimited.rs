//! Delimited text to rows: comma, semicolon, tab or bar, quoted or not, BOM, CRLF, UTF-16.
//!
//! The first lines decide the delimiter and the layout; then blocks of the file are read line by
//! line. A line of the plain kind goes through a fast path that reads its cells while scanning
//! them; any line that is not plain is read again by the general path, which also words the
//! problems. What the rows mean is decided in `layout` and `rows`.

use crate::error::{Problem, Result};
use crate::market::layout::{Plan, Role, Sample, Shape, shorten};
use crate::market::moment::{self, IsoDates};
use crate::market::rows::{Group, Lines, PROBLEMS_MAX, Parsed};
use crate::units::Micros;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

/// What a reader of text needs to know beside the text.
pub(crate) struct Request<'a> {
    /// Column overrides, as in [`crate::market::ReadOptions::columns`].
    pub(crate) overrides: &'a [(String, String)],
    /// Symbols wanted, all when empty.
    pub(crate) wanted: &'a [String],
    /// The symbol of a file that names none.
    pub(crate) stem: &'a str,
    /// Read on after problems (for the audit), up to [`LENIENT_MAX`] of them.
    pub(crate) lenient: bool,
    /// Bytes of text if known: room for the rows is made at once.
    pub(crate) size: Option<u64>,
}

/// The audit reads on until so many problems of one file.
const LENIENT_MAX: usize = 1000;
/// First lines that are looked at before the columns are decided.
const SAMPLE_LINES: usize = 50;
/// Cells that are looked at in all, so that very wide files do not take long to begin.
const SAMPLE_CELLS: usize = 20_000;
const BLOCK: usize = 1 << 18;

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads a whole text.
///
/// # Errors
/// No layout fits, or the source cannot be read.
pub(crate) fn read(source: impl Read, request: &Request<'_>) -> Result<Parsed> {
    let mut blocks = Blocks::new(source, request.size)?;
    let dialect = Dialect::detect(blocks.text());
    let head = Head::read(blocks.text(), dialect, request)?;
    let mut parsed = Parsed {
        plan: head.plan.clone(),
        groups: Vec::new(),
        problems: Vec::new(),
        symbols: Vec::new(),
    };
    if parsed.passed_over(request) {
        return Ok(parsed);
    }
    let mut reader = Reader::new(&head, request);
    reader.reserve(blocks.text(), &head, request.size);
    blocks.skip(head.bytes);
    reader.line = head.lines;
    loop {
        let used = reader.block(blocks.text());
        if reader.full() || !blocks.next(used)? {
            break;
        }
    }
    Ok(reader.finish(parsed))
}

/// Whole lines of the source, block by block; the last line always ends in a line feed.
struct Blocks<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    /// End of the last whole line.
    lines_end: usize,
    filled: usize,
    done: bool,
}

impl<R: Read> Blocks<R> {
    fn new(source: R, size: Option<u64>) -> Result<Self> {
        let room = size
            .and_then(|size| usize::try_from(size).ok())
            .map_or(BLOCK, |size| size.saturating_add(2).min(BLOCK));
        let mut blocks = Blocks {
            source,
            buffer: vec![0; room.max(16)],
            start: 0,
            lines_end: 0,
            filled: 0,
            done: false,
        };
        blocks.fill()?;
        if matches!(
            blocks.buffer[..blocks.filled],
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..]
        ) {
            blocks.decode_utf16()?;
        }
        if blocks.text().starts_with(&[0xef, 0xbb, 0xbf]) {
            blocks.start = 3;
        }
        Ok(blocks)
    }

    /// The whole lines at hand.
    fn text(&self) -> &[u8] {
        &self.buffer[self.start..self.lines_end]
    }

    fn skip(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Goes on behind the `used` bytes; false at the end of the source.
    fn next(&mut self, used: usize) -> Result<bool> {
        self.start += used;
        if self.done && self.start >= self.filled {
            return Ok(false);
        }
        self.fill()?;
        Ok(self.start < self.lines_end)
    }

    /// Moves the rest to the front and reads until a whole line is at hand or the source ends.
    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        loop {
            while !self.done && self.filled < self.buffer.len() {
                let read = self.source.read(&mut self.buffer[self.filled..]);
                match read {
                    Ok(0) => self.done = true,
                    Ok(n) => self.filled += n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(Problem::new(format!("reading failed: {e}")).into()),
                }
            }
            if self.done && self.filled > 0 && self.buffer[self.filled - 1] != b'\n' {
                self.buffer.truncate(self.filled);
                self.buffer.push(b'\n');
                self.filled += 1;
            }
            let last = self.buffer[..self.filled].iter().rposition(|&b| b == b'\n');
            self.lines_end = last.map_or(0, |at| at + 1);
            if self.lines_end > 0 || self.done {
                return Ok(());
            }
            // A line longer than the buffer.
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// Replaces a UTF-16 text, which some terminals export, by UTF-8: these files are small, so it
    /// is done in one go.
    fn decode_utf16(&mut self) -> Result<()> {
        let mut bytes = self.buffer[..self.filled].to_vec();
        if bytes.ends_with(b"\n") && bytes.len() % 2 == 1 && self.done {
            bytes.pop();
        }
        let rest = self.source.read_to_end(&mut bytes);
        rest.map_err(|e| Problem::new(format!("reading failed: {e}")))?;
        let big = bytes[0] == 0xfe;
        let units = bytes[2..].chunks_exact(2).map(|pair| {
            let pair = [pair[0], pair[1]];
            if big {
                u16::from_be_bytes(pair)
            } else {
                u16::from_le_bytes(pair)
            }
        });
        let text: String = char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.buffer = text.into_bytes();
        self.filled = self.buffer.len();
        self.done = true;
        self.fill()
    }
}

/// How this text writes its cells.
#[derive(Debug, Clone, Copy)]
struct Dialect {
    delimiter: u8,
    /// `1,5` is one and a half.
    decimal_comma: bool,
}

impl Dialect {
    /// From the first line that is not empty: a tab, semicolon or bar outside quotes is the
    /// delimiter, else the comma.
    fn detect(text: &[u8]) -> Self {
        let line = text
            .split(|&b| b == b'\n')
            .find(|line| !line.trim_ascii().is_empty());
        let mut quoted = false;
        let mut counts = [0_usize; 256];
        for &b in line.unwrap_or_default() {
            quoted ^= b == b'"';
            if !quoted {
                counts[usize::from(b)] += 1;
            }
        }
        let most = [b'\t', b';', b'|', b',']
            .into_iter()
            .rev()
            .max_by_key(|&b| {
                // A semicolon file may hold decimal commas, a comma file no semicolons.
                let weight = if b == b',' { 1 } else { 2 };
                counts[usize::from(b)] * weight
            });
        Dialect {
            delimiter: most.filter(|&b| counts[usize::from(b)] > 0).unwrap_or(b','),
            decimal_comma: false,
        }
    }
}

/// The header and what the first rows show.
struct Head {
    plan: Plan,
    dialect: Dialect,
    /// Bytes and lines before the first row.
    bytes: usize,
    lines: u64,
}

impl Head {
    fn read(text: &[u8], mut dialect: Dialect, request: &Request<'_>) -> Result<Head> {
        let (header, at, line_number) = header_line(text)?;
        dialect = Dialect {
            delimiter: Dialect::detect(header).delimiter,
            ..dialect
        };
        let header = split(header, dialect.delimiter).unwrap_or_default();
        let width = header.len();
        let mut rows = sample_rows(&text[at..], width, dialect.delimiter);
        let is_value = |cell: &Cow<'_, [u8]>| {
            let cell = cell.trim_ascii();
            cell.is_empty()
                || moment::parse(cell).is_some()
                || moment::parse_clock(cell).is_some()
                || is_number(cell, true)
                || is_number(cell, false)
        };
        let headerless = header.iter().all(is_value);
        if headerless {
            rows.insert(0, header.clone());
        }
        dialect.decimal_comma = decimal_comma(&rows, dialect.delimiter);
        let samples: Vec<Sample> = (0..width)
            .map(|i| {
                let cells = rows.iter().map(|cells| &*cells[i]);
                Sample::of(cells, |cell| is_number(cell, dialect.decimal_comma))
            })
            .collect();
        let plan = if headerless {
            Plan::of_headerless(&samples)?
        } else {
            let headers: Vec<String> = header
                .iter()
                .map(|cell| String::from_utf8_lossy(cell).into_owned())
                .collect();
            Plan::of_header(&headers, &samples, request.overrides, request.wanted)?
        };
        let before = if headerless {
            header_start(text, line_number)
        } else {
            at
        };
        Ok(Head {
            plan,
            dialect,
            bytes: before,
            lines: line_number - u64::from(headerless),
        })
    }
}

/// The first rows of a text that have as many cells as the header: what the columns are told from.
fn sample_rows(text: &[u8], width: usize, delimiter: u8) -> Vec<Vec<Cow<'_, [u8]>>> {
    let lines = SAMPLE_LINES.min(SAMPLE_CELLS / width.max(1)).max(2);
    let mut rows = Vec::new();
    let mut from = 0;
    while rows.len() < lines
        && let Some(line) = line_at(text, from)
    {
        from += line.len() + 1;
        rows.extend(split(line, delimiter).filter(|cells| cells.len() == width));
    }
    rows
}

/// The header, the byte behind it and its 1-based line: empty lines, comments and a spreadsheet's
/// `sep=;` may stand before it.
fn header_line(text: &[u8]) -> Result<(&[u8], usize, u64)> {
    let mut at = 0;
    let mut line_number = 0;
    while let Some(line) = line_at(text, at) {
        at += line.len() + 1;
        line_number += 1;
        let bare = line.trim_ascii();
        let hint = bare.len() <= 6 && bare.starts_with(b"sep=");
        if !(bare.is_empty() || bare[0] == b'#' || hint) {
            return Ok((line, at, line_number));
        }
    }
    Err(Problem::new("the file is empty").into())
}

/// Bytes before the line with this 1-based number.
fn header_start(text: &[u8], line: u64) -> usize {
    (1..line).fold(0, |at, _| {
        at + line_at(text, at).map_or(0, |line| line.len() + 1)
    })
}

/// The line that starts at a byte, without its line feed.
fn line_at(text: &[u8], at: usize) -> Option<&[u8]> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    Some(&rest[..end])
}

/// The cells of a line, quotes removed and doubled quotes made single; `None` when a quote is not
/// closed on its line, or text follows it in its cell.
fn split(line: &[u8], delimiter: u8) -> Option<Vec<Cow<'_, [u8]>>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let lead = line[at..].iter().take_while(|&&b| b == b' ').count();
        if line.get(at + lead) == Some(&b'"') {
            let (cell, end) = quoted_cell(line, at + lead + 1, delimiter)?;
            cells.push(cell);
            let rest = &line[end..];
            at = end
                + rest
                    .iter()
                    .position(|&b| b == delimiter)
                    .unwrap_or(rest.len());
        } else {
            let rest = &line[at..];
            let length = rest
                .iter()
                .position(|&b| b == delimiter)
                .unwrap_or(rest.len());
            cells.push(Cow::Borrowed(&rest[..length]));
            at += length;
        }
        if at >= line.len() {
            return Some(cells);
        }
        at += 1;
    }
}

/// The cell whose opening quote stands before `start`, and the byte behind its closing quote.
fn quoted_cell(line: &[u8], start: usize, delimiter: u8) -> Option<(Cow<'_, [u8]>, usize)> {
    let mut text: Option<Vec<u8>> = None;
    let mut from = start;
    loop {
        let close = from + line[from..].iter().position(|&b| b == b'"')?;
        if line.get(close + 1) != Some(&b'"') {
            let rest = line[close + 1..].trim_ascii_start();
            if rest.first().is_some_and(|b| *b != delimiter) {
                return None;
            }
            let cell = match text {
                None => Cow::Borrowed(&line[start..close]),
                Some(mut text) => {
                    text.extend_from_slice(&line[from..close]);
                    Cow::Owned(text)
                }
            };
            return Some((cell, close + 1));
        }
        text.get_or_insert_default()
            .extend_from_slice(&line[from..=close]);
        from = close + 2;
    }
}

/// Whether numbers of a file that is not comma-separated are written with a decimal comma: some
/// end in a comma and digits that are no thousands, and none in a point and digits. In semicolon
/// files a group of three after the comma is a fraction too.
fn decimal_comma(rows: &[Vec<Cow<'_, [u8]>>], delimiter: u8) -> bool {
    if delimiter == b',' {
        return false;
    }
    let mut commas = false;
    for cell in rows.iter().flatten() {
        let cell = cell.trim_ascii();
        if !is_number(cell, true) && !is_number(cell, false) {
            continue;
        }
        let Some(at) = cell.iter().rposition(|&b| b == b',' || b == b'.') else {
            continue;
        };
        if cell[at] == b'.' {
            return false;
        }
        commas |= delimiter == b';' || cell.len() - at != 4;
    }
    commas
}

/// What a cell of a number column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cell {
    Value(f64),
    Missing,
    Bad,
}

/// A number as text files write it, `Some(NaN)` for a word that means nothing is there.
pub(crate) fn number_of(cell: &[u8]) -> Option<f64> {
    match number(cell, false, false) {
        Cell::Value(x) => Some(x),
        Cell::Missing => Some(f64::NAN),
        Cell::Bad => None,
    }
}

fn is_number(cell: &[u8], decimal_comma: bool) -> bool {
    number(cell, decimal_comma, false) != Cell::Bad
}

/// Reads a number as vendors write it: `$1,234.50`, `1.234,50` with a decimal comma, `0.35%`,
/// `12.3M`; an empty cell or a word for nothing is missing. Prices take no per cent and no K, M,
/// B.
fn number(cell: &[u8], decimal_comma: bool, price: bool) -> Cell {
    const NOTHING: [&str; 11] = [
        "null", "nan", "na", "n/a", "#n/a", "none", "-", "--", ".", "nil", "nat",
    ];
    let mut cell = cell.trim_ascii();
    let Ok(text) = std::str::from_utf8(cell) else {
        return Cell::Bad;
    };
    if text.is_empty() || NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Cell::Missing;
    }
    for sign in ["$", "€", "£", "US$"] {
        cell = cell
            .strip_prefix(sign.as_bytes())
            .unwrap_or(cell)
            .trim_ascii_start();
    }
    let mut scale = 1.0;
    if !price && let Some((last, rest)) = cell.split_last() {
        scale = match last {
            b'%' => 0.01,
            b'K' | b'k' => 1e3,
            b'M' | b'm' => 1e6,
            b'B' | b'b' => 1e9,
            _ => 1.0,
        };
        if scale != 1.0 {
            cell = rest;
        }
    }
    match plain_number(cell, decimal_comma) {
        Some(x) if x.is_finite() => Cell::Value(x * scale),
        _ => Cell::Bad,
    }
}

/// Digits with at most one decimal mark, grouping marks in threes, and an exponent.
fn plain_number(cell: &[u8], decimal_comma: bool) -> Option<f64> {
    let (mark, group) = if decimal_comma {
        (b',', b'.')
    } else {
        (b'.', b',')
    };
    let unsigned = cell
        .strip_prefix(b"-")
        .or_else(|| cell.strip_prefix(b"+"))
        .unwrap_or(cell);
    let starts = unsigned
        .first()
        .is_some_and(|b| b.is_ascii_digit() || *b == mark);
    if !starts || cell.len() > 400 {
        return None;
    }
    let whole = unsigned
        .iter()
        .position(|&b| b == mark)
        .unwrap_or(unsigned.len());
    if unsigned[whole..].contains(&group) {
        return None;
    }
    if unsigned[..whole].contains(&group) {
        let mut groups = unsigned[..whole].split(|&b| b == group);
        let first = groups.next()?.len();
        if !(1..=3).contains(&first) || !groups.all(|digits| digits.len() == 3) {
            return None;
        }
    }
    let clean: Vec<u8> = cell
        .iter()
        .filter(|&&b| b != group)
        .map(|&b| if b == mark { b'.' } else { b })
        .collect();
    fast_float2::parse(&clean).ok()
}

/// Rows as they come in.
struct Reader<'a> {
    roles: Vec<Role>,
    prices: Vec<bool>,
    dropped: Vec<bool>,
    plan: Plan,
    dialect: Dialect,
    wanted: &'a [String],
    problems_max: usize,
    dates: IsoDates,
    /// The cells of the row being read, one a number column.
    row: Vec<f64>,
    groups: Vec<Group>,
    /// Index in `groups` by symbol; `None` for symbols not wanted.
    by_symbol: BTreeMap<Vec<u8>, Option<usize>>,
    /// Symbol of the row before, and its group.
    current: (Vec<u8>, Option<usize>),
    /// Lines read so far.
    line: u64,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(head: &Head, request: &Request<'a>) -> Self {
        let plan = head.plan.clone();
        let width = plan.numbers.len();
        let is_price = |name: &str| matches!(name, "open" | "high" | "low" | "close");
        let wide = plan.shape == Shape::Wide;
        let mut reader = Reader {
            roles: plan.roles.clone(),
            prices: plan
                .numbers
                .iter()
                .map(|number| wide || is_price(&number.name))
                .collect(),
            dropped: vec![false; width],
            dialect: head.dialect,
            wanted: request.wanted,
            problems_max: if request.lenient {
                LENIENT_MAX
            } else {
                PROBLEMS_MAX
            },
            dates: IsoDates::default(),
            row: vec![f64::NAN; width],
            groups: Vec::new(),
            by_symbol: BTreeMap::new(),
            current: (Vec::new(), None),
            line: 0,
            problems: Vec::new(),
            plan,
        };
        if reader.plan.shape != Shape::Long {
            let index = reader.new_group(String::new());
            reader.current.1 = Some(index);
        }
        reader
    }

    fn new_group(&mut self, symbol: String) -> usize {
        self.groups.push(Group {
            symbol,
            columns: vec![Vec::new(); self.row.len()],
            lines: Lines::default(),
            time: Vec::new(),
        });
        self.groups.len() - 1
    }

    /// Makes room for as many rows as the size of the file promises, by the length of the first.
    /// Memory that is not written to is not taken, so a little too much costs nothing.
    fn reserve(&mut self, text: &[u8], head: &Head, size: Option<u64>) {
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
            return;
        };
        let rest = &text[head.bytes.min(text.len())..];
        let sample = &rest[..rest.len().min(BLOCK)];
        let lines = sample.iter().filter(|&&b| b == b'\n').count();
        if lines == 0 || self.plan.shape == Shape::Long {
            return;
        }
        // A row has a byte a column at least.
        let by_width = size / self.roles.len().max(1);
        let rows = (size / (sample.len() / lines).max(1)).min(by_width);
        let rows = rows + rows / 32 + 1;
        for group in &mut self.groups {
            group.time.reserve_exact(rows);
            for column in &mut group.columns {
                column.reserve_exact(rows);
            }
        }
    }

    /// Enough problems: nothing more is read.
    fn full(&self) -> bool {
        self.problems.len() >= self.problems_max
    }

    /// Reads all lines of a block; the bytes read.
    fn block(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while at < text.len() {
            self.line += 1;
            at = match self.plain_row(text, at) {
                Some(next) => next,
                None => {
                    let line = line_at(text, at).unwrap_or_default();
                    self.general_row(line);
                    at + line.len() + 1
                }
            };
            if self.full() {
                break;
            }
        }
        at
    }

    /// The fast path: reads a row while scanning it once, for rows without quotes whose numbers are
    /// plain decimals. It is exact: see [`plain_decimal`] and [`IsoDates::read`]. `None` sends the
    /// row to [`Reader::general_row`], and nothing of it has been kept.
    fn plain_row(&mut self, text: &[u8], start: usize) -> Option<usize> {
        let delimiter = self.dialect.delimiter;
        let mut at = start;
        let mut time = 0;
        let mut clock = 0;
        let mut symbol = 0..0;
        let last = self.roles.len() - 1;
        for (index, role) in self.roles.iter().enumerate() {
            let end = match *role {
                Role::Number(slot) => {
                    let (x, end) = plain_decimal(text, at, delimiter)?;
                    self.row[slot] = x;
                    end
                }
                Role::Date => {
                    if let Some((moment, length)) = self.dates.read(&text[at..], delimiter) {
                        time = moment;
                        at + length
                    } else {
                        let end = plain_end(text, at, delimiter)?;
                        time = moment::parse(&text[at..end])?;
                        end
                    }
                }
                Role::Clock => {
                    let end = plain_end(text, at, delimiter)?;
                    clock = moment::parse_clock(&text[at..end])?;
                    end
                }
                Role::Symbol => {
                    let end = plain_end(text, at, delimiter)?;
                    symbol = at..end;
                    end
                }
                Role::Skip => plain_end(text, at, delimiter)?,
            };
            at = end;
            if index < last {
                if text[at] != delimiter {
                    return None;
                }
                at += 1;
            }
        }
        if text[at] == b'\r' {
            at += 1;
        }
        if text.get(at) != Some(&b'\n') {
            return None;
        }
        if self.plan.shape == Shape::Long {
            let cell = &text[symbol];
            if cell.is_empty() || cell.trim_ascii().len() != cell.len() {
                return None;
            }
            self.select(cell);
        }
        self.keep(time + clock);
        Some(at + 1)
    }

    /// Makes the group of a symbol the current one.
    fn select(&mut self, symbol: &[u8]) {
        if self.current.0 == symbol {
            return;
        }
        self.current.0.clear();
        self.current.0.extend_from_slice(symbol);
        if let Some(known) = self.by_symbol.get(symbol) {
            self.current.1 = *known;
            return;
        }
        let name = String::from_utf8_lossy(symbol).into_owned();
        let wanted = self.wanted.is_empty() || self.wanted.contains(&name);
        let group = wanted.then(|| self.new_group(name));
        self.by_symbol.insert(symbol.to_vec(), group);
        self.current.1 = group;
    }

    /// Adds the row that was read to the current group.
    fn keep(&mut self, time: Micros) {
        let Some(group) = self.current.1.map(|index| &mut self.groups[index]) else {
            return;
        };
        group.time.push(time);
        for (column, x) in group.columns.iter_mut().zip(&self.row) {
            column.push(*x);
        }
        group.lines.push(self.line);
    }

    /// Reads any line, and words what is wrong with it.
    fn general_row(&mut self, line: &[u8]) {
        let Some(cells) = split(line, self.dialect.delimiter) else {
            let text = shorten(&String::from_utf8_lossy(line));
            self.problem(
                format!("a quote is not closed on its line, or text follows it: `{text}`"),
                None,
            );
            return;
        };
        if cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return;
        }
        if cells.len() != self.roles.len() {
            let text = shorten(String::from_utf8_lossy(line).trim_end());
            let message = format!(
                "{} cells where there are {} columns: `{text}`",
                cells.len(),
                self.roles.len()
            );
            self.problem(message, None);
            return;
        }
        let Some(time) = self.general_time(&cells) else {
            return;
        };
        for (column, cell) in cells.iter().enumerate() {
            if let Role::Number(slot) = self.roles[column] {
                self.row[slot] = self.general_number(cell, column, slot);
            }
        }
        if let Some(column) = self.roles.iter().position(|role| *role == Role::Symbol) {
            let symbol = cells[column].trim_ascii();
            if symbol.is_empty() {
                self.problem("the symbol is empty".to_string(), Some(column));
                return;
            }
            self.select(symbol);
        }
        self.keep(time);
    }

    /// The moment of a row from its date and its time of day.
    fn general_time(&mut self, cells: &[Cow<'_, [u8]>]) -> Option<Micros> {
        let mut time = 0;
        for (column, cell) in cells.iter().enumerate() {
            let (read, what) = match self.roles[column] {
                Role::Date => (moment::parse(cell), "date"),
                Role::Clock => (moment::parse_clock(cell), "time of day"),
                _ => continue,
            };
            let Some(read) = read else {
                let text = shorten(&String::from_utf8_lossy(cell));
                self.problem(format!("`{text}` is not a {what}"), Some(column));
                return None;
            };
            time += read;
        }
        Some(time)
    }

    fn general_number(&mut self, cell: &[u8], column: usize, slot: usize) -> f64 {
        match number(cell, self.dialect.decimal_comma, self.prices[slot]) {
            Cell::Value(x) => x,
            Cell::Missing => f64::NAN,
            Cell::Bad => {
                if self.plan.numbers[slot].sure {
                    let text = shorten(&String::from_utf8_lossy(cell));
                    self.problem(format!("`{text}` is not a number"), Some(column));
                } else {
                    self.dropped[slot] = true;
                }
                f64::NAN
            }
        }
    }

    fn problem(&mut self, message: String, column: Option<usize>) {
        let mut problem = Problem::new(message).at_line(self.line);
        if let Some(column) = column {
            problem = problem.at_column(shorten(self.plan.headers[column].trim()));
        }
        self.problems.push(problem);
    }

    fn finish(mut self, mut parsed: Parsed) -> Parsed {
        for slot in (0..self.dropped.len())
            .rev()
            .filter(|&slot| self.dropped[slot])
        {
            let number = self.plan.numbers.remove(slot);
            self.plan
                .notes
                .push(format!("left out, not numbers: {}", number.header));
            for group in &mut self.groups {
                group.columns.remove(slot);
            }
        }
        // Room that was made for rows that did not come is given back when it is worth it.
        for group in &mut self.groups {
            let spare = |length: usize, room: usize| room - length > length / 8;
            if spare(group.time.len(), group.time.capacity()) {
                group.time.shrink_to_fit();
            }
            for column in &mut group.columns {
                if spare(column.len(), column.capacity()) {
                    column.shrink_to_fit();
                }
            }
        }
        let name = |symbol: &Vec<u8>| String::from_utf8_lossy(symbol).into_owned();
        parsed.symbols.extend(self.by_symbol.keys().map(name));
        parsed.plan = self.plan;
        parsed.groups = self.groups;
        parsed.problems = self.problems;
        parsed
    }
}

/// The end of a cell without quotes. The text ends in a line feed, so the scan ends.
fn plain_end(text: &[u8], mut at: usize, delimiter: u8) -> Option<usize> {
    loop {
        match *text.get(at)? {
            b'"' => return None,
            b'\r' if text.get(at + 1) == Some(&b'\n') => return Some(at),
            b'\n' => return Some(at),
            b if b == delimiter => return Some(at),
            _ => at += 1,
        }
    }
}

/// A decimal of at most 19 digits without exponent, or an empty cell (NaN): its value and its end.
///
/// Exact: where the digits make an integer below 2^53 and the scale is at most 10^22, both are
/// doubles without error, and one division of such numbers rounds correctly (Clinger 1990), so the
/// result is that of a full parser. Anything else is `None`.
fn plain_decimal(text: &[u8], start: usize, delimiter: u8) -> Option<(f64, usize)> {
    let ends = |b: u8| b == delimiter || b == b'\n' || b == b'\r';
    let mut at = start;
    let negative = text[at] == b'-';
    at += usize::from(negative);
    let mut digits: u64 = 0;
    let first = at;
    while let Some(digit) = digit(text[at]) {
        digits = digits.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let mut count = at - first;
    let mut scale = 0;
    if text[at] == b'.' {
        at += 1;
        let point = at;
        while let Some(digit) = digit(text[at]) {
            digits = digits.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        scale = at - point;
        count += scale;
    }
    if !ends(text[at]) {
        return None;
    }
    if count == 0 {
        return (at == start).then_some((f64::NAN, at));
    }
    if count > 19 || digits >= 1 << 53 {
        return None;
    }
    let x = digits as f64 / POWERS[scale];
    Some((if negative { -x } else { x }, at))
}

fn digit(b: u8) -> Option<u64> {
    let digit = b.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}
