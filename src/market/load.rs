//! Files to [`Market`]: CSV and Parquet in the layouts of many vendors, alone or in folders.
//!
//! Finds the files, tells text from Parquet, and puts the tapes together. Text is read in
//! `delimited`, Parquet in `load/parquet`; columns are named in `layout`, rows are judged in `rows`.
//! A text file is read without touching polars.

mod pages;
mod parquet;

pub(crate) use parquet::{parquet_cells, parquet_names};

use crate::error::{Error, Problem, Result, nearest};
use crate::market::delimited::{self, Request};
use crate::market::layout::{Shape, shorten};
use crate::market::rows::{self, Parsed};
use crate::market::{Bars, Market, Members, Tape, clock, read_actions};
use crate::units::Micros;
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
                    [b'P', b'A', b'R', b'1', ..] => {
                        parquet::read(&|| Ok(Cursor::new(bytes)), &request)
                    }
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
        return parquet::read(&open, request);
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

impl Market {
    /// The market with the dated universe of a file ([`Members::read`]); it says which members have
    /// no prices. `hash` asks for the file's SHA-256.
    ///
    /// # Errors
    /// As [`Members::read`], and when no symbol of the data is ever a member.
    pub fn with_members(mut self, path: &Path, hash: bool) -> Result<Market> {
        let shown = path.display().to_string();
        let members = Members::read(path)?;
        let named = members.symbols();
        let lacks = |symbol: &&&str| self.index_of(symbol).is_none();
        let lacking: Vec<&str> = named.iter().filter(lacks).copied().collect();
        if lacking.len() == named.len() {
            return Err(Error::new(
                Problem::new("no symbol of the data is ever a member")
                    .in_file(shown)
                    .help("symbols of members are written as the data has them"),
            ));
        }
        if !lacking.is_empty() {
            const SHOWN: usize = 5;
            let some = lacking[..lacking.len().min(SHOWN)].join(", ");
            let more = if lacking.len() > SHOWN { " …" } else { "" };
            self.notes.push(format!(
                "{shown}: {} of {} members have no prices in the data and are missing from the past: {some}{more}",
                lacking.len(),
                named.len()
            ));
        }
        let hash = match hash {
            true => hash_of(path).map_err(|error| in_file(&error, &shown))?,
            false => String::new(),
        };
        self.files.push((shown, hash));
        self.members = Some(Arc::new(members));
        Ok(self)
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
