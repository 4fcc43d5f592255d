//! Parquet to rows, and to columns of any table: the one reader that names polars.
//!
//! Columns are read one after the other: those of numbers and moments page by page by `pages`, the
//! others by polars, changing hands without a copy where they can. What the rows mean is decided in
//! `layout` and `rows`, as for text.

use crate::error::{Error, Problem, Result};
use crate::market::delimited::{self, Request};
use crate::market::layout::{Field, PLAIN, Plan, Role, Sample, normal_name, shorten};
use crate::market::load::pages::{Pages, Stop};
use crate::market::moment;
use crate::market::rows::{Group, Lines, PROBLEMS_MAX, Parsed};
use crate::market::zone::Zone;
use crate::units::{DAY_MICROS, Micros};
use polars::io::mmap::MmapBytesReader;
use polars::prelude as pl;
use polars::prelude::SerReader;
use polars_parquet::parquet::metadata::{ColumnChunkMetadata, RowGroupMetadata};
use polars_parquet::parquet::schema::types::{PhysicalType, PrimitiveLogicalType, TimeUnit};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::SeekFrom;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Reads a Parquet file with polars. Its decoder stops some damaged files by a panic; that ends
/// here, as an error.
pub(super) fn read<R: MmapBytesReader>(
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
        let mut parquet = Parquet::open(&open)?;
        let mut cells = ParquetCells::default();
        for &i in moments_at {
            let column = parquet.moments(i)?;
            let present = |t: Micros| Some(t).filter(|t| *t != MISSING);
            cells
                .moments
                .push(column.into_iter().map(present).collect());
        }
        for &i in numbers_at {
            cells.numbers.push(parquet.numbers(i, &mut Vec::new())?);
        }
        for &i in texts_at {
            cells.texts.push(parquet.texts(i)?);
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

/// What `pages` read; `None` for polars to try.
fn read_here<T>(column: std::result::Result<T, Stop>) -> Result<Option<T>> {
    match column {
        Ok(column) => Ok(Some(column)),
        Err(Stop::Unknown) => Ok(None),
        Err(Stop::Damaged) => Err(Error::msg("the Parquet file is damaged")),
    }
}

/// A Parquet file whose columns are read one after the other, so that at no time more than one is
/// there twice.
struct Parquet<'a, R> {
    open: &'a dyn Fn() -> Result<R>,
    metadata: std::sync::Arc<pl::FileMetadata>,
    names: Vec<String>,
    types: Vec<pl::DataType>,
    pages: Pages<R>,
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
            pages: Pages::new(open()?),
            open,
            metadata,
            names,
            types,
        })
    }

    /// The parts of a column that is no list and no group, one a row group, if they are all of that
    /// physical type (`None` for any).
    fn chunks<'m>(
        metadata: &'m pl::FileMetadata,
        name: &str,
        physical: Option<PhysicalType>,
    ) -> Option<Vec<&'m ColumnChunkMetadata>> {
        let one = |group: &'m RowGroupMetadata| {
            let mut under = group.columns_under_root_iter(name)?;
            let chunk = under.next().filter(|_| under.len() == 0)?;
            let descriptor = chunk.descriptor();
            let flat =
                descriptor.path_in_schema.len() == 1 && descriptor.descriptor.max_rep_level == 0;
            let fits = physical.is_none_or(|physical| chunk.physical_type() == physical);
            (flat && fits).then_some(chunk)
        };
        metadata.row_groups.iter().map(one).collect()
    }

    /// A column of one physical type, read page by page; `None` when that is not how it is written.
    fn paged<T: Copy, const W: usize>(
        &mut self,
        index: usize,
        physical: PhysicalType,
        missing: T,
        of: impl Fn([u8; W]) -> T,
    ) -> Result<Option<Vec<T>>> {
        let Some(chunks) = Self::chunks(&self.metadata, &self.names[index], Some(physical)) else {
            return Ok(None);
        };
        let rows = self.metadata.num_rows;
        read_here(self.pages.numbers(&chunks, rows, missing, of))
    }

    /// A column of texts.
    fn texts(&mut self, index: usize) -> Result<Vec<Option<String>>> {
        let chunks = Self::chunks(
            &self.metadata,
            &self.names[index],
            Some(PhysicalType::ByteArray),
        );
        let is_text = |chunk: &&ColumnChunkMetadata| {
            let of = &chunk.descriptor().descriptor.primitive_type.logical_type;
            *of == Some(PrimitiveLogicalType::String)
        };
        if let Some(chunks) = chunks.filter(|chunks| chunks.iter().all(is_text)) {
            let rows = self.metadata.num_rows;
            if let Some(column) = read_here(self.pages.texts(&chunks, rows))? {
                return Ok(column);
            }
        }
        texts(&self.column(index)?, &self.names[index])
    }

    /// A column of numbers, NaN where it has none.
    fn numbers(&mut self, index: usize, problems: &mut Vec<Problem>) -> Result<Vec<f64>> {
        let nan = f64::NAN;
        let column = match self.types[index] {
            pl::DataType::Float64 => {
                self.paged(index, PhysicalType::Double, nan, f64::from_le_bytes)?
            }
            pl::DataType::Float32 => self.paged(index, PhysicalType::Float, nan, |four| {
                f64::from(f32::from_le_bytes(four))
            })?,
            pl::DataType::Int64 => self.paged(index, PhysicalType::Int64, nan, |eight| {
                i64::from_le_bytes(eight) as f64
            })?,
            pl::DataType::UInt64 => self.paged(index, PhysicalType::Int64, nan, |eight| {
                u64::from_le_bytes(eight) as f64
            })?,
            pl::DataType::Int8 | pl::DataType::Int16 | pl::DataType::Int32 => {
                self.paged(index, PhysicalType::Int32, nan, |four| {
                    f64::from(i32::from_le_bytes(four))
                })?
            }
            pl::DataType::UInt8 | pl::DataType::UInt16 | pl::DataType::UInt32 => {
                self.paged(index, PhysicalType::Int32, nan, |four| {
                    f64::from(u32::from_le_bytes(four))
                })?
            }
            _ => None,
        };
        match column {
            Some(column) => Ok(column),
            None => numbers(self.column(index)?, &self.names[index], problems),
        }
    }

    /// A column of moments, [`MISSING`] where it has none.
    fn moments(&mut self, index: usize) -> Result<Vec<Micros>> {
        let header = self.names[index].clone();
        let column = match self.types[index].clone() {
            pl::DataType::Date => self.paged(index, PhysicalType::Int32, MISSING, |four| {
                let days = i64::from(i32::from_le_bytes(four));
                midnight_of(days).unwrap_or(MISSING)
            })?,
            pl::DataType::Datetime(unit, zone) if self.is_stored_in(index, unit) => {
                let wall_clock = wall_clocks(unit, zone.as_ref(), &header)?;
                self.paged(index, PhysicalType::Int64, MISSING, move |eight| {
                    wall_clock(i64::from_le_bytes(eight)).unwrap_or(MISSING)
                })?
            }
            _ => None,
        };
        match column {
            Some(column) => Ok(column),
            None => moments(self.column(index)?, &header),
        }
    }

    /// Whether the numbers of a column of moments count the unit of its type.
    fn is_stored_in(&self, index: usize, unit: pl::TimeUnit) -> bool {
        let chunks = Self::chunks(
            &self.metadata,
            &self.names[index],
            Some(PhysicalType::Int64),
        );
        chunks.unwrap_or_default().iter().all(|chunk| {
            let of = &chunk.descriptor().descriptor.primitive_type.logical_type;
            let Some(PrimitiveLogicalType::Timestamp { unit: stored, .. }) = of else {
                return false;
            };
            match stored {
                TimeUnit::Milliseconds => unit == pl::TimeUnit::Milliseconds,
                TimeUnit::Microseconds => unit == pl::TimeUnit::Microseconds,
                TimeUnit::Nanoseconds => unit == pl::TimeUnit::Nanoseconds,
            }
        })
    }

    /// One column of the file, read by polars.
    fn column(&mut self, index: usize) -> Result<pl::Column> {
        let Some(chunks) = Self::chunks(&self.metadata, &self.names[index], None) else {
            let message = format!("a column of type {} holds no numbers", self.types[index]);
            return Err(column_error(&self.names[index], message));
        };
        if self.pages.check(&chunks) == Err(Stop::Damaged) {
            return Err(Error::msg("the Parquet file is damaged"));
        }
        let mut reader = pl::ParquetReader::new((self.open)()?)
            .with_projection(Some(vec![index]))
            .read_parallel(pl::ParallelStrategy::None);
        reader.set_metadata(self.metadata.clone());
        let frame = reader.finish().map_err(|e| unreadable(&e))?;
        let column = frame.columns().first().cloned();
        column.ok_or_else(|| Error::msg("the Parquet file lacks a column of its own list"))
    }

    fn read(&mut self, request: &Request<'_>) -> Result<Parsed> {
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
                Role::Date => rows.time = self.moments(index)?,
                Role::Clock => rows.clock = Some(clocks(self.column(index)?, header)?),
                Role::Symbol => rows.symbol = Some(self.texts(index)?),
                Role::Number(slot) => {
                    rows.columns[slot] = self.numbers(index, &mut parsed.problems)?;
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
        pl::DataType::Date => integers(column, midnight_of),
        pl::DataType::Datetime(unit, zone) => {
            integers(column, wall_clocks(unit, zone.as_ref(), header)?)
        }
        dtype if dtype.is_integer() => {
            integers(column, |x| moment::parse(x.to_string().as_bytes()))
        }
        pl::DataType::String => read_texts(&column, header, moment::parse),
        dtype => Err(column_error(
            header,
            format!("a column of type {dtype} is not a date"),
        )),
    }
}

/// The midnight of a day counted from 1970.
fn midnight_of(day: i64) -> Option<Micros> {
    day.checked_mul(DAY_MICROS).filter(|t| in_range(*t))
}

/// What turns the numbers behind a column of moments into wall clocks.
fn wall_clocks(
    unit: pl::TimeUnit,
    zone: Option<&pl::TimeZone>,
    header: &str,
) -> Result<impl Fn(i64) -> Option<Micros> + Copy + use<>> {
    let zone = match zone.map(|zone| zone.as_str()) {
        None => Zone::Fixed(0),
        Some(name) => Zone::find(name).ok_or_else(|| {
            let message =
                format!("the time zone {name} is not known here; write the column without a zone");
            column_error(header, message)
        })?,
    };
    let to_micros = move |x: i64| match unit {
        pl::TimeUnit::Nanoseconds => Some(x.div_euclid(1000)),
        pl::TimeUnit::Microseconds => Some(x),
        pl::TimeUnit::Milliseconds => x.checked_mul(1000),
    };
    // The common zone is looked at first, where it costs an addition.
    let wall_clock = move |t: Micros| match zone {
        Zone::Fixed(offset) => t + offset,
        zone => zone.wall_clock(t),
    };
    Ok(move |x: i64| to_micros(x).filter(|t| in_range(*t)).map(wall_clock))
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
        pl::DataType::String => read_texts(&column, header, moment::parse_clock),
        dtype => Err(column_error(
            header,
            format!("a column of type {dtype} is not a time of day"),
        )),
    }
}

/// A column of text, each cell read by `read`; what it cannot read is missing.
fn read_texts(
    column: &pl::Column,
    header: &str,
    read: fn(&[u8]) -> Option<Micros>,
) -> Result<Vec<Micros>> {
    let read = |text: Option<String>| read(text?.as_bytes());
    let texts = texts(column, header)?.into_iter();
    Ok(texts.map(|text| read(text).unwrap_or(MISSING)).collect())
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
