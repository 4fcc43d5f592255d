//! Files to [`Market`]: CSV and Parquet in the layouts of many vendors, alone or in folders.
//!
//! Finds the files, tells text from Parquet, and puts the tapes together. Text is read in
//! `delimited`, columns are named in `layout`, rows are judged in `rows`. This file and `save` are
//! the only ones that name polars, and a text file is read without touching it.

use crate::error::{Error, Problem, Result, nearest};
use crate::market::delimited::{self, Request};
use crate::market::layout::{Field, PLAIN, Plan, Role, Sample, Shape, normal_name, shorten};
use crate::market::moment;
use crate::market::rows::{self, Group, Lines, PROBLEMS_MAX, Parsed};
use crate::market::zone::Zone;
use crate::market::{Bars, Market, Tape, clock, read_actions};
use crate::units::{DAY_MICROS, Micros};
use flate2::read::MultiGzDecoder;
use polars::io::mmap::MmapBytesReader;
use polars::prelude as pl;
use polars::prelude::SerReader;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What to read and how; the default reads all symbols under the columns' usual names.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The symbols wanted, all when empty. Only files that hold them are read.
    pub symbols: Vec<String>,
    /// Overrides of the column mapping as (field, header): `("close", "Last")`. Fields are `date`,
    /// `time` (of day, beside a date), `symbol`, `open`, `high`, `low`, `close`, `volume`; any
    /// other name makes the column a further one under that name.
    pub columns: Vec<(String, String)>,
    /// Dividends and splits; `actions.csv` beside the data when `None`.
    pub actions: Option<PathBuf>,
    /// Compute the SHA-256 of every file read.
    pub hash: bool,
}

/// The rows of one symbol as they stand in a file, for the audit: nothing sorted, nothing refused.
///
/// All columns have one element a row whose time could be read; the rest are in `problems`.
#[derive(Debug, Clone, Default)]
pub struct RawTape {
    /// The symbol.
    pub symbol: String,
    /// The file, as a path to show.
    pub file: String,
    /// 1-based line of each row in a text file (the header is line 1), 1-based row in Parquet.
    pub line: Vec<u64>,
    /// Time of each row, in file order (a file that is newest first throughout is turned round).
    pub time: Vec<Micros>,
    /// First price, NaN when missing.
    pub open: Vec<f64>,
    /// Highest price, NaN when missing.
    pub high: Vec<f64>,
    /// Lowest price, NaN when missing.
    pub low: Vec<f64>,
    /// Last price, NaN when missing.
    pub close: Vec<f64>,
    /// Shares traded, NaN when missing.
    pub volume: Vec<f64>,
    /// Further numeric columns by lower-case name, NaN when missing.
    pub extra: Vec<(String, Vec<f64>)>,
    /// The file has closes only: open, high and low repeat the close.
    pub closes_only: bool,
    /// The file has a volume column.
    pub has_volume: bool,
    /// Cells and rows that could not be read, with their lines.
    pub problems: Vec<Problem>,
    /// The vendor layout that was recognised.
    pub layout: &'static str,
}

/// A file of prices, or bytes that stand for one.
enum Source<'a> {
    File(&'a Path),
    Bytes(&'a str, &'a [u8]),
}

impl Source<'_> {
    /// The path to show.
    fn shown(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Bytes(name, _) => (*name).to_string(),
        }
    }

    /// The symbol of a file that names none: its name without `.csv`, `.csv.gz`, `.parquet` …
    fn stem(&self) -> String {
        let name = match self {
            Source::File(path) => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            Source::Bytes(name, _) => (*name).to_string(),
        };
        stem_of(&name)
    }

    /// Reads the file in whatever format it is. Problems of rows are in the answer; those of the
    /// file as a whole are errors.
    fn parse(
        &self,
        columns: &[(String, String)],
        wanted: &[String],
        lenient: bool,
    ) -> Result<Parsed> {
        let stem = self.stem();
        let mut request = Request {
            overrides: columns,
            wanted,
            stem: &stem,
            lenient,
            size: None,
        };
        let parsed = match self {
            Source::Bytes(_, bytes) => {
                request.size = Some(bytes.len() as u64);
                match bytes {
                    [b'P', b'A', b'R', b'1', ..] => parquet(&|| Ok(Cursor::new(bytes)), &request),
                    [0x1f, 0x8b, ..] => {
                        request.size = None;
                        delimited::read(MultiGzDecoder::new(*bytes), &request)
                    }
                    _ => delimited::read(*bytes, &request),
                }
            }
            Source::File(path) => parse_file(path, &mut request),
        };
        parsed.map_err(|error| in_file(&error, &self.shown()))
    }
}

fn parse_file(path: &Path, request: &mut Request<'_>) -> Result<Parsed> {
    let open = || File::open(path).map_err(|e| Error::msg(format!("it cannot be opened: {e}")));
    let mut file = open()?;
    let mut magic = Vec::with_capacity(4);
    let read = file.by_ref().take(4).read_to_end(&mut magic);
    read.map_err(|e| Problem::new(format!("it cannot be read: {e}")))?;
    if magic == b"PAR1" {
        return parquet(&open, request);
    }
    let gzip = magic.starts_with(&[0x1f, 0x8b]);
    let whole = Cursor::new(magic).chain(&file);
    if gzip {
        return delimited::read(MultiGzDecoder::new(whole), request);
    }
    request.size = file.metadata().ok().map(|about| about.len());
    delimited::read(whole, request)
}

/// The same problems, each naming the file.
fn in_file(error: &Error, file: &str) -> Error {
    let named = error.problems().iter().map(|problem| Problem {
        file: problem.file.clone().or_else(|| Some(file.to_string())),
        ..problem.clone()
    });
    Error::all(named.collect())
}

/// The symbol that a file name stands for; `%2F` and its like are characters that names of files
/// cannot have.
fn stem_of(name: &str) -> String {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let kinds = [".csv", ".txt", ".tsv", ".parquet", ".pq"];
    let lower = name.to_ascii_lowercase();
    let kind = kinds.iter().find(|kind| lower.ends_with(*kind));
    let stem = kind.map_or(name, |kind| &name[..name.len() - kind.len()]);
    let mut symbol = stem.to_string();
    for (escape, c) in ESCAPES {
        symbol = symbol.replace(escape, &c.to_string());
    }
    symbol
}

/// Characters of symbols that names of files cannot have, as they are written there. The per cent
/// sign comes last when reading and first when writing.
pub(crate) const ESCAPES: [(&str, char); 4] =
    [("%2F", '/'), ("%5C", '\\'), ("%3A", ':'), ("%25", '%')];

impl Market {
    /// Reads prices: a file of one symbol (named by the file), of many symbols in rows or in
    /// columns (closes), or a folder of such files. CSV (comma, semicolon, tab, bar; gz) and
    /// Parquet, in the layouts of the usual vendors.
    ///
    /// Dividends and splits come from [`ReadOptions::actions`], by default `actions.csv` beside the
    /// prices. A folder's `actions.csv` is not prices; its other files that are not are skipped and named in
    /// [`Market::notes`].
    ///
    /// # Errors
    /// The source does not exist or holds no prices, a symbol asked for is not there, a cell cannot
    /// be read, a price is missing or not positive, moments do not increase: all problems of a file
    /// (at most twenty) with file, line and column.
    ///
    /// ```
    /// # use papertape::market::{Market, ReadOptions};
    /// let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks");
    /// let wanted = ReadOptions { symbols: vec!["AAPL".into()], ..ReadOptions::default() };
    /// let market = Market::read(&folder, &wanted)?;
    /// assert_eq!(market.tapes[0].bars.len(), 3270);
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn read(source: &Path, options: &ReadOptions) -> Result<Market> {
        let mut reading = Reading::new(options);
        let folder = if source.is_dir() {
            reading.folder(source)?;
            source
        } else {
            reading.file(&Source::File(&existing(source)?))?;
            source.parent().unwrap_or(Path::new(""))
        };
        let beside = folder.join("actions.csv");
        let given = options.actions.clone();
        let actions = given.or_else(|| Some(beside).filter(|beside| beside.is_file()));
        let market = reading.finish(&source.display().to_string())?;
        match actions {
            Some(path) => act(market, &path, options.hash),
            None => Ok(market),
        }
    }

    /// Reads prices from bytes that stand for a file of this name, as [`Market::read`] does.
    ///
    /// # Errors
    /// As [`Market::read`].
    ///
    /// ```
    /// # use papertape::market::{Market, ReadOptions};
    /// let market = Market::from_bytes("X.csv", b"date,close\n2020-01-02,10\n", &ReadOptions::default())?;
    /// assert_eq!(market.tapes[0].symbol, "X");
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn from_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Market> {
        let mut reading = Reading::new(options);
        reading.file(&Source::Bytes(name, bytes))?;
        reading.finish(name)
    }
}

/// Adds the actions of a file to a market that has their symbols; those of others are left out.
fn act(mut market: Market, path: &Path, hash: bool) -> Result<Market> {
    let mut actions = read_actions(path)?;
    actions.retain(|action| market.index_of(&action.symbol).is_some());
    let shown = path.display().to_string();
    let hash = if hash {
        hash_of(path).map_err(|error| in_file(&error, &shown))?
    } else {
        String::new()
    };
    market.files.push((shown, hash));
    Ok(market.with_actions(actions))
}

/// The path if it is there; else an error that names its nearest neighbour.
pub(crate) fn existing(source: &Path) -> Result<PathBuf> {
    if source.exists() {
        return Ok(source.to_path_buf());
    }
    let mut problem = Problem::new("no such file or folder").in_file(source.display().to_string());
    let name = source
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let folder = source
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let (Some(name), Ok(entries)) = (name, entries(folder.unwrap_or(Path::new(".")))) {
        let names: Vec<String> = entries.iter().map(|path| file_name(path)).collect();
        if let Some(near) = nearest(&name, names.iter().map(String::as_str)) {
            problem = problem.help(format!("did you mean {near}?"));
        }
    }
    Err(problem.into())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// What stands in a folder, in the order of names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| {
        Problem::new(format!("the folder cannot be read: {e}"))
            .in_file(folder.display().to_string())
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        found.push(entry.map_err(failed)?.path());
    }
    found.sort();
    Ok(found)
}

/// The files of a folder that may hold prices, in the order of names; the rest is noted.
fn price_files(
    folder: &Path,
    actions: Option<&Path>,
    notes: &mut Vec<String>,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        let name = file_name(&path);
        let lower = name.to_ascii_lowercase();
        let bare = lower.strip_suffix(".gz").unwrap_or(&lower);
        let kind = bare.rsplit_once('.').map(|(_, kind)| kind);
        if lower.starts_with('.')
            || bare == "actions.csv"
            || actions.is_some_and(|actions| actions == path)
        {
            continue;
        }
        if path.is_dir() {
            notes.push(format!("{}: skipped, a folder", path.display()));
        } else if matches!(kind, Some("csv" | "txt" | "tsv" | "parquet" | "pq")) {
            files.push(path);
        } else {
            notes.push(format!(
                "{}: skipped, neither CSV nor Parquet by its name",
                path.display()
            ));
        }
    }
    Ok(files)
}

/// A market while its files are being read.
struct Reading<'a> {
    options: &'a ReadOptions,
    tapes: Vec<Tape>,
    files: Vec<(String, String)>,
    notes: Vec<String>,
    /// All symbols seen, wanted or not, for "did you mean".
    known: Vec<String>,
}

impl<'a> Reading<'a> {
    fn new(options: &'a ReadOptions) -> Self {
        Reading {
            options,
            tapes: Vec::new(),
            files: Vec::new(),
            notes: Vec::new(),
            known: Vec::new(),
        }
    }

    fn file(&mut self, source: &Source<'_>) -> Result<()> {
        let parsed = source.parse(&self.options.columns, &self.options.symbols, false)?;
        self.take(source, parsed)
    }

    /// Reads the files whose names are the symbols wanted; the other files only when that leaves
    /// symbols to find, because one of them may hold many.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let files = price_files(folder, self.options.actions.as_deref(), &mut self.notes)?;
        let wanted = &self.options.symbols;
        let named = |path: &PathBuf| wanted.contains(&Source::File(path).stem());
        let (first, rest): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(named);
        for path in &first {
            self.try_file(path)?;
        }
        let found = |symbol: &String| self.tapes.iter().any(|tape| tape.symbol == *symbol);
        if wanted.is_empty() || !wanted.iter().all(found) {
            for path in &rest {
                self.try_file(path)?;
            }
        }
        if self.tapes.is_empty() && self.known.is_empty() {
            let mut problem = Problem::new("no file of prices in this folder")
                .in_file(folder.display().to_string());
            if !self.notes.is_empty() {
                problem = problem.help(self.notes.join("; "));
            }
            return Err(problem.into());
        }
        Ok(())
    }

    /// A file of a folder: skipped with a note when it is no table of prices, refused when it is
    /// one with mistakes.
    fn try_file(&mut self, path: &Path) -> Result<()> {
        let source = Source::File(path);
        match source.parse(&self.options.columns, &self.options.symbols, false) {
            Ok(parsed) => self.take(&source, parsed),
            Err(error) => {
                let why: Vec<String> = error
                    .problems()
                    .iter()
                    .map(|problem| problem.message.clone())
                    .collect();
                self.notes
                    .push(format!("{}: skipped, {}", source.shown(), why.join("; ")));
                Ok(())
            }
        }
    }

    fn take(&mut self, source: &Source<'_>, parsed: Parsed) -> Result<()> {
        let (file, stem) = (source.shown(), source.stem());
        self.known.extend(parsed.symbols.iter().cloned());
        let unwanted = parsed.groups.is_empty()
            || (parsed.plan.shape == Shape::Wide && parsed.plan.numbers.is_empty());
        if unwanted && parsed.problems.is_empty() && !parsed.symbols.is_empty() {
            return Ok(());
        }
        let tapes = rows::to_bars(parsed, &file, &stem, &mut self.notes)?;
        let hash = match (self.options.hash, source) {
            (false, _) => String::new(),
            (true, Source::Bytes(_, bytes)) => hexadecimal(&Sha256::digest(bytes)),
            (true, Source::File(path)) => hash_of(path).map_err(|error| in_file(&error, &file))?,
        };
        self.files.push((file.clone(), hash));
        self.tapes.extend(
            tapes
                .into_iter()
                .map(|(symbol, bars): (String, Bars)| Tape {
                    symbol,
                    bars,
                    on_clock: None,
                    file: file.clone(),
                }),
        );
        Ok(())
    }

    fn finish(mut self, source: &str) -> Result<Market> {
        let lacking: Vec<Problem> = self
            .options
            .symbols
            .iter()
            .filter(|symbol| !self.tapes.iter().any(|tape| tape.symbol == **symbol))
            .map(|symbol| self.not_found(symbol, source))
            .collect();
        if !lacking.is_empty() {
            return Err(Error::all(lacking));
        }
        let mut market = clock::align(std::mem::take(&mut self.tapes))?;
        market.files = self.files;
        market.notes = self.notes;
        Ok(market)
    }

    fn not_found(&self, symbol: &str, source: &str) -> Problem {
        let problem = Problem::new(format!("no prices of {symbol}")).in_file(source);
        let known = || self.known.iter().map(String::as_str);
        match nearest(symbol, known()) {
            Some(near) => problem.help(format!("did you mean {near}?")),
            None => problem.help(format!(
                "it has {}",
                shorten(&known().collect::<Vec<_>>().join(", "))
            )),
        }
    }
}

/// SHA-256 of a file in hexadecimal.
fn hash_of(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Problem::new(format!("it cannot be read: {e}"));
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut block).map_err(failed)?;
        if read == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(&block[..read]);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The rows of a file, or of every file of prices in a folder, as they stand there: nothing is
/// refused that has a readable time. For the audit. A file of a folder that is no table of prices
/// is left out.
///
/// # Errors
/// The source does not exist, or is a file that is no table of prices.
pub fn read_raw(source: &Path, columns: &[(String, String)]) -> Result<Vec<RawTape>> {
    let read = |path: &Path| {
        let source = Source::File(path);
        let parsed = source.parse(columns, &[], true)?;
        Ok(rows::to_raw(parsed, &source.shown(), &source.stem()))
    };
    if !source.is_dir() {
        return read(&existing(source)?);
    }
    let mut tapes = Vec::new();
    let mut reasons = Vec::new();
    for path in price_files(source, None, &mut Vec::new())? {
        match read(&path) {
            Ok(found) => tapes.extend(found),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if tapes.is_empty() {
        let problem =
            Problem::new("no file of prices in this folder").in_file(source.display().to_string());
        return Err(problem.help(reasons.join("; ")).into());
    }
    Ok(tapes)
}

/// The rows of bytes that stand for a file of this name, as [`read_raw`] reads a file.
///
/// # Errors
/// The bytes are no table of prices.
pub fn read_raw_bytes(
    name: &str,
    bytes: &[u8],
    columns: &[(String, String)],
) -> Result<Vec<RawTape>> {
    let source = Source::Bytes(name, bytes);
    let parsed = source.parse(columns, &[], true)?;
    Ok(rows::to_raw(parsed, name, &source.stem()))
}

/// Reads a Parquet file with polars. Its decoder stops some damaged files by a panic; that ends
/// here, as an error.
fn parquet<R: MmapBytesReader>(
    open: &dyn Fn() -> Result<R>,
    request: &Request<'_>,
) -> Result<Parsed> {
    let outcome = catch_unwind(AssertUnwindSafe(|| Parquet::open(open)?.read(request)));
    outcome.unwrap_or_else(|_| Err(Error::msg("the Parquet file is damaged")))
}

/// The names of the columns of a Parquet file; `None` when it is none or is damaged.
pub(crate) fn parquet_names(path: &Path) -> Option<Vec<String>> {
    let open = || File::open(path).map_err(|e| Error::msg(e.to_string()));
    let names = || Parquet::open(&open).ok().map(|parquet| parquet.names);
    catch_unwind(AssertUnwindSafe(names)).ok().flatten()
}

/// Columns of a Parquet file that holds no prices, each list in the order of the indices asked for.
#[derive(Debug, Default)]
pub(crate) struct ParquetCells {
    pub(crate) moments: Vec<Vec<Option<Micros>>>,
    /// NaN where a cell is empty.
    pub(crate) numbers: Vec<Vec<f64>>,
    pub(crate) texts: Vec<Vec<Option<String>>>,
}

/// Reads these columns of a Parquet file: some as moments, some as numbers, some as text.
///
/// # Errors
/// The file is no Parquet file, is damaged, or a column has another type.
pub(crate) fn parquet_cells(
    path: &Path,
    moments_at: &[usize],
    numbers_at: &[usize],
    texts_at: &[usize],
) -> Result<ParquetCells> {
    let open = || File::open(path).map_err(|e| Error::msg(e.to_string()));
    let read = || {
        let parquet = Parquet::open(&open)?;
        let mut cells = ParquetCells::default();
        for &i in moments_at {
            let column = moments(parquet.column(i)?, &parquet.names[i])?;
            let present = |t: Micros| Some(t).filter(|t| *t != MISSING);
            cells
                .moments
                .push(column.into_iter().map(present).collect());
        }
        for &i in numbers_at {
            let column = numbers(parquet.column(i)?, &parquet.names[i], &mut Vec::new())?;
            cells.numbers.push(column);
        }
        for &i in texts_at {
            cells
                .texts
                .push(texts(&parquet.column(i)?, &parquet.names[i])?);
        }
        Ok(cells)
    };
    let outcome = catch_unwind(AssertUnwindSafe(read));
    outcome.unwrap_or_else(|_| Err(Error::msg("the Parquet file is damaged")))
}

fn unreadable(error: &pl::PolarsError) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Error::msg(format!(
        "the Parquet file cannot be read: {}",
        shorten(first)
    ))
}

/// Whether the counts in the footer of a file of `end` bytes can be true. The decoder makes room for
/// whatever they say, so a damaged count would end the process.
fn is_plausible(metadata: &pl::FileMetadata, end: u64) -> bool {
    // The best ratio that a compressor reaches on rows of eight bytes.
    let rows_max = end.saturating_mul(256);
    let within = |count: i64| u64::try_from(count).is_ok_and(|count| count <= rows_max);
    let chunks = metadata
        .row_groups
        .iter()
        .flat_map(|group| group.parquet_columns());
    let rows = metadata
        .row_groups
        .iter()
        .map(|group| group.num_rows() as u64);
    let sum = rows.fold(0_u64, u64::saturating_add);
    sum == metadata.num_rows as u64
        && sum <= rows_max
        && chunks.clone().all(|chunk| within(chunk.num_values()))
        && chunks
            .clone()
            .all(|chunk| chunk.compressed_size() >= 0 && chunk.data_page_offset() >= 0)
        && chunks.clone().all(|chunk| chunk.uncompressed_size() >= 0)
        && chunks
            .map(|chunk| chunk.byte_range())
            .all(|range| range.start <= range.end && range.end <= end)
}

/// A Parquet file whose columns are read one after the other, so that at no time more than one is
/// there twice.
struct Parquet<'a, R> {
    open: &'a dyn Fn() -> Result<R>,
    metadata: std::sync::Arc<pl::FileMetadata>,
    names: Vec<String>,
    types: Vec<pl::DataType>,
}

impl<'a, R: MmapBytesReader> Parquet<'a, R> {
    fn open(open: &'a dyn Fn() -> Result<R>) -> Result<Self> {
        let mut file = open()?;
        let end = file
            .seek(SeekFrom::End(0))
            .map_err(|e| Problem::new(format!("it cannot be read: {e}")))?;
        let mut reader = pl::ParquetReader::new(file);
        let metadata = reader.get_metadata().map_err(|e| unreadable(&e))?.clone();
        if !is_plausible(&metadata, end) {
            return Err(Error::msg(
                "the Parquet file is damaged: it promises more rows than it can hold",
            ));
        }
        let schema = reader.schema().map_err(|e| unreadable(&e))?;
        let names = schema.iter_names().map(ToString::to_string).collect();
        let types = schema
            .iter_values()
            .map(pl::DataType::from_arrow_field)
            .collect();
        Ok(Parquet {
            open,
            metadata,
            names,
            types,
        })
    }

    /// One column of the file.
    fn column(&self, index: usize) -> Result<pl::Column> {
        let mut reader = pl::ParquetReader::new((self.open)()?)
            .with_projection(Some(vec![index]))
            .read_parallel(pl::ParallelStrategy::None);
        reader.set_metadata(self.metadata.clone());
        let frame = reader.finish().map_err(|e| unreadable(&e))?;
        let column = frame.columns().first().cloned();
        column.ok_or_else(|| Error::msg("the Parquet file lacks a column of its own list"))
    }

    fn read(&self, request: &Request<'_>) -> Result<Parsed> {
        let plan = self.plan(request)?;
        let mut parsed = Parsed {
            plan,
            groups: Vec::new(),
            problems: Vec::new(),
            symbols: Vec::new(),
        };
        if parsed.passed_over(request) {
            return Ok(parsed);
        }
        let mut rows = ParquetRows::default();
        rows.columns.resize(parsed.plan.numbers.len(), Vec::new());
        for (index, role) in parsed.plan.roles.iter().enumerate() {
            let header = &parsed.plan.headers[index];
            match *role {
                Role::Skip => {}
                Role::Date => rows.time = moments(self.column(index)?, header)?,
                Role::Clock => rows.clock = Some(clocks(self.column(index)?, header)?),
                Role::Symbol => rows.symbol = Some(texts(&self.column(index)?, header)?),
                Role::Number(slot) => {
                    rows.columns[slot] =
                        numbers(self.column(index)?, header, &mut parsed.problems)?;
                }
            }
        }
        if !rows.is_even() {
            return Err(Error::msg(
                "the Parquet file is damaged: its columns differ in length",
            ));
        }
        rows.into_groups(&mut parsed, request);
        Ok(parsed)
    }

    fn plan(&self, request: &Request<'_>) -> Result<Plan> {
        let samples: Vec<Sample> = self
            .types
            .iter()
            .map(|dtype| Sample {
                filled: true,
                numeric: dtype.is_primitive_numeric(),
                clock: matches!(dtype, pl::DataType::Time | pl::DataType::String),
            })
            .collect();
        // A column of moments is the date under whatever name, unless a usual name is there.
        let mut overrides = request.overrides.to_vec();
        let usual = |name: &String| {
            let name = normal_name(name);
            PLAIN
                .iter()
                .any(|(field, aliases)| *field == Field::Date && aliases.contains(&name.as_str()))
        };
        let temporal =
            |dtype: &pl::DataType| matches!(dtype, pl::DataType::Date | pl::DataType::Datetime(..));
        let named = overrides
            .iter()
            .any(|(field, _)| matches!(field.as_str(), "date" | "timestamp"));
        if !named
            && !self.names.iter().any(usual)
            && let Some(index) = self.types.iter().position(temporal)
        {
            overrides.push(("date".to_string(), self.names[index].clone()));
        }
        Plan::of_header(&self.names, &samples, &overrides, request.wanted).map_err(|error| {
            // There is no line of names to point at.
            let unplaced = |problem: &Problem| Problem {
                line: None,
                ..problem.clone()
            };
            Error::all(error.problems().iter().map(unplaced).collect())
        })
    }
}

/// No moment: an empty or unreadable cell of a Parquet column.
const MISSING: Micros = Micros::MIN;

/// The rows of a Parquet file before they are told apart by symbol.
#[derive(Default)]
struct ParquetRows {
    /// [`MISSING`] where the file has none.
    time: Vec<Micros>,
    clock: Option<Vec<Micros>>,
    symbol: Option<Vec<Option<String>>>,
    columns: Vec<Vec<f64>>,
}

impl ParquetRows {
    /// All columns have a cell for every row.
    fn is_even(&self) -> bool {
        let rows = self.time.len();
        self.columns.iter().all(|column| column.len() == rows)
            && self.clock.as_ref().is_none_or(|clock| clock.len() == rows)
            && self
                .symbol
                .as_ref()
                .is_none_or(|symbol| symbol.len() == rows)
    }

    /// Fills the groups. A row without a moment or symbol is a problem at its row.
    fn into_groups(self, parsed: &mut Parsed, request: &Request<'_>) {
        let rows = self.time.len();
        let clock = self.clock.as_ref();
        let complete = clock.is_none() && self.symbol.is_none() && !self.time.contains(&MISSING);
        if complete {
            // The common file: its columns are the tape's.
            parsed.groups.push(Group {
                symbol: String::new(),
                lines: Lines::of_rows(rows),
                time: self.time,
                columns: self.columns,
            });
            return;
        }
        let mut by_symbol: BTreeMap<&str, Option<usize>> = BTreeMap::new();
        for row in 0..rows {
            let day = Some(self.time[row]).filter(|day| *day != MISSING);
            let time = match clock {
                None => day,
                Some(clock) if clock[row] == MISSING => None,
                Some(clock) => day.map(|day| day + clock[row]),
            };
            let symbol = match &self.symbol {
                None => Some(""),
                Some(symbols) => symbols[row].as_deref().filter(|symbol| !symbol.is_empty()),
            };
            let (Some(time), Some(symbol)) = (time, symbol) else {
                let lacking = if symbol.is_none() { "symbol" } else { "date" };
                parsed
                    .problems
                    .push(Problem::new(format!("the {lacking} is empty")).at_line(row as u64 + 1));
                if parsed.problems.len() >= PROBLEMS_MAX && !request.lenient {
                    break;
                }
                continue;
            };
            let group = *by_symbol.entry(symbol).or_insert_with(|| {
                let wanted = request.wanted.is_empty()
                    || symbol.is_empty()
                    || request.wanted.iter().any(|w| w == symbol);
                wanted.then(|| {
                    parsed.groups.push(Group {
                        symbol: symbol.to_string(),
                        columns: vec![Vec::new(); self.columns.len()],
                        ..Group::default()
                    });
                    parsed.groups.len() - 1
                })
            });
            let Some(group) = group.map(|index| &mut parsed.groups[index]) else {
                continue;
            };
            group.time.push(time);
            group.lines.push(row as u64 + 1);
            for (column, values) in group.columns.iter_mut().zip(&self.columns) {
                column.push(values[row]);
            }
        }
        if self.symbol.is_some() {
            parsed.symbols = by_symbol.keys().map(ToString::to_string).collect();
        }
    }
}

/// A problem of a whole Parquet column.
fn column_error(header: &str, message: String) -> Error {
    Problem::new(message).at_column(header.to_string()).into()
}

/// A column of moments: dates, date-times of any unit and zone, text, epoch numbers.
fn moments(column: pl::Column, header: &str) -> Result<Vec<Micros>> {
    match column.dtype().clone() {
        pl::DataType::Date => integers(column, |day| {
            day.checked_mul(DAY_MICROS).filter(|t| in_range(*t))
        }),
        pl::DataType::Datetime(unit, zone) => {
            let zone = match zone.as_ref().map(|zone| zone.as_str()) {
                None => Zone::Fixed(0),
                Some(name) => Zone::find(name).ok_or_else(|| {
                    let message = format!(
                        "the time zone {name} is not known here; write the column without a zone"
                    );
                    column_error(header, message)
                })?,
            };
            let to_micros = |x: i64| match unit {
                pl::TimeUnit::Nanoseconds => Some(x.div_euclid(1000)),
                pl::TimeUnit::Microseconds => Some(x),
                pl::TimeUnit::Milliseconds => x.checked_mul(1000),
            };
            integers(column, |x| {
                to_micros(x)
                    .filter(|t| in_range(*t))
                    .map(|t| zone.wall_clock(t))
            })
        }
        dtype if dtype.is_integer() => {
            integers(column, |x| moment::parse(x.to_string().as_bytes()))
        }
        pl::DataType::String => {
            let read = |text: Option<String>| moment::parse(text?.as_bytes());
            Ok(texts(&column, header)?
                .into_iter()
                .map(|text| read(text).unwrap_or(MISSING))
                .collect())
        }
        dtype => Err(column_error(
            header,
            format!("a column of type {dtype} is not a date"),
        )),
    }
}

/// Years 1000 to 9999, as everywhere in the loader.
fn in_range(time: Micros) -> bool {
    (-30_610_224_000_000_000..253_402_300_800_000_000).contains(&time)
}

/// Times of day beside a date: a time column, or text.
fn clocks(column: pl::Column, header: &str) -> Result<Vec<Micros>> {
    match column.dtype().clone() {
        pl::DataType::Time => integers(column, |nanos| {
            Some(nanos.div_euclid(1000)).filter(|t| (0..DAY_MICROS).contains(t))
        }),
        pl::DataType::String => {
            let read = |text: Option<String>| moment::parse_clock(text?.as_bytes());
            Ok(texts(&column, header)?
                .into_iter()
                .map(|text| read(text).unwrap_or(MISSING))
                .collect())
        }
        dtype => Err(column_error(
            header,
            format!("a column of type {dtype} is not a time of day"),
        )),
    }
}

fn texts(column: &pl::Column, header: &str) -> Result<Vec<Option<String>>> {
    let cast = column.as_materialized_series().cast(&pl::DataType::String);
    let series = cast.map_err(|e| column_error(header, e.to_string()))?;
    let strings = series.str().map_err(|e| unreadable(&e))?;
    Ok(strings
        .iter()
        .map(|text| text.map(|text| text.trim().to_string()))
        .collect())
}

/// The integers behind a column of integers or moments, each read to a moment.
fn integers(column: pl::Column, read: impl Fn(i64) -> Option<Micros>) -> Result<Vec<Micros>> {
    let series = column.as_materialized_series();
    let physical = series.to_physical_repr().into_owned();
    drop(column);
    let cast = physical.cast(&pl::DataType::Int64);
    let cast = cast.map_err(|e| unreadable(&e))?;
    drop(physical);
    let numbers = cast.i64().map_err(|e| unreadable(&e))?.clone();
    drop(cast);
    let read = |x: i64| read(x).unwrap_or(MISSING);
    if numbers.null_count() > 0 {
        let read = |x: Option<i64>| x.map_or(MISSING, read);
        return Ok(numbers.iter().map(read).collect());
    }
    let mut moments: Vec<Micros> = taken_over(numbers);
    for moment in &mut moments {
        *moment = read(*moment);
    }
    Ok(moments)
}

/// The values of a column without holes. Where no one else holds them any more, as here when every
/// other handle has been dropped, they change hands without a copy.
fn taken_over<T: pl::PolarsNumericType>(column: pl::ChunkedArray<T>) -> Vec<T::Native> {
    let mut chunks = column.downcast_into_iter().map(|chunk| {
        let (_, values, _) = chunk.into_inner();
        values
            .into_mut()
            .either(|shared| shared.to_vec(), |owned| owned)
    });
    let mut values: Vec<T::Native> = chunks.next().unwrap_or_default();
    for more in chunks {
        values.extend_from_slice(&more);
    }
    values
}

/// A column of numbers, NaN where it has none.
fn numbers(column: pl::Column, header: &str, problems: &mut Vec<Problem>) -> Result<Vec<f64>> {
    let dtype = column.dtype().clone();
    if dtype == pl::DataType::String {
        let read = |(row, text): (usize, Option<String>)| {
            let Some(text) = text else { return f64::NAN };
            delimited::number_of(text.as_bytes()).unwrap_or_else(|| {
                if problems.len() < PROBLEMS_MAX {
                    let problem = Problem::new(format!("`{}` is not a number", shorten(&text)));
                    problems.push(
                        problem
                            .at_line(row as u64 + 1)
                            .at_column(header.to_string()),
                    );
                }
                f64::NAN
            })
        };
        return Ok(texts(&column, header)?
            .into_iter()
            .enumerate()
            .map(read)
            .collect());
    }
    if !dtype.is_primitive_numeric() {
        return Err(column_error(
            header,
            format!("a column of type {dtype} holds no numbers"),
        ));
    }
    let series = column.as_materialized_series().clone();
    drop(column);
    let cast = series
        .cast(&pl::DataType::Float64)
        .map_err(|e| unreadable(&e))?;
    drop(series);
    let floats = cast.f64().map_err(|e| unreadable(&e))?.clone();
    drop(cast);
    if floats.null_count() > 0 {
        return Ok(floats.iter().map(|x| x.unwrap_or(f64::NAN)).collect());
    }
    Ok(taken_over(floats))
}
