//! Prices to Parquet in the native layout: one file a symbol, `date` or `timestamp`, then
//! `open high low close volume` and further columns. Reading such a file gives the same bars.

use crate::error::{Error, Problem, Result};
use crate::market::chain::{ChainOptions, Chains};
use crate::market::load::{ESCAPES, existing};
use crate::market::{Bars, Market, ReadOptions};
use crate::units::{DAY_MICROS, Micros};
use polars::prelude as pl;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What [`import`] wrote.
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// The files, in symbol order; last the actions when there were some beside the source.
    pub files: Vec<PathBuf>,
    /// How many symbols.
    pub symbols: usize,
    /// How many bars of all symbols together.
    pub bars: usize,
    /// Notes of the reader.
    pub notes: Vec<String>,
}

/// Reads prices in any layout that [`Market::read`] knows and writes each symbol to
/// `out/SYMBOL.parquet` (zstd), replacing such a file in one step. The `actions.csv` beside the
/// source, or the one that the options name, goes along unless `out` has one.
///
/// # Errors
/// As [`Market::read`], or a file cannot be written.
pub fn import(source: &Path, out: &Path, options: &ReadOptions) -> Result<Imported> {
    let market = Market::read(source, options)?;
    std::fs::create_dir_all(out).map_err(|e| cannot(&e, out))?;
    let mut done = Imported {
        symbols: market.tapes.len(),
        notes: market.notes,
        ..Imported::default()
    };
    for tape in &market.tapes {
        let path = out.join(format!("{}.parquet", file_stem(&tape.symbol)));
        in_one_step(&path, |file| write_bars(file, &tape.bars))?;
        done.bars += tape.bars.len();
        done.files.push(path);
    }
    let folder = if source.is_dir() {
        source
    } else {
        source.parent().unwrap_or(Path::new(""))
    };
    let actions = options
        .actions
        .clone()
        .unwrap_or_else(|| folder.join("actions.csv"));
    let target = out.join("actions.csv");
    if actions.is_file() && !target.exists() {
        let from = existing(&actions)?;
        in_one_step(&target, |file| {
            let mut source = File::open(&from).map_err(|e| cannot(&e, &from))?;
            std::io::copy(&mut source, file).map_err(|e| cannot(&e, &target))?;
            Ok(())
        })?;
        done.files.push(target);
    }
    Ok(done)
}

/// Reads chains in any layout that [`Chains::read`] knows and writes those of each underlying to
/// `out/UNDERLYING_chain.parquet` (zstd) in the native layout, replacing such a file in one step.
/// [`Imported::bars`] counts quotes.
///
/// # Errors
/// As [`Chains::read`], or a file cannot be written.
pub fn import_chains(source: &Path, out: &Path, options: &ChainOptions) -> Result<Imported> {
    let chains = Chains::read(source, options)?;
    std::fs::create_dir_all(out).map_err(|e| cannot(&e, out))?;
    let mut done = Imported {
        notes: chains.notes().to_vec(),
        bars: chains.len(),
        ..Imported::default()
    };
    for underlying in chains.underlyings() {
        let path = out.join(format!("{}_chain.parquet", file_stem(underlying)));
        write_table(&path, &chains.table(underlying))?;
        done.files.push(path);
        done.symbols += 1;
    }
    Ok(done)
}

/// A file name for a symbol: characters that names cannot have are written as `%2F` and the like.
fn file_stem(symbol: &str) -> String {
    ESCAPES
        .iter()
        .rev()
        .fold(symbol.to_string(), |stem, (escape, c)| {
            stem.replace(*c, escape)
        })
}

fn cannot(error: &std::io::Error, path: &Path) -> Error {
    Problem::new(format!("it cannot be written: {error}"))
        .in_file(path.display().to_string())
        .into()
}

/// Writes beside the target, then renames: whoever reads meanwhile sees the old file or the new,
/// and an interrupted import leaves no half file under the name.
fn in_one_step(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let outcome = File::create(&temporary)
        .map_err(|e| cannot(&e, path))
        .and_then(|mut file| {
            write(&mut file)?;
            file.sync_all().map_err(|e| cannot(&e, path))?;
            std::fs::rename(&temporary, path).map_err(|e| cannot(&e, path))
        });
    if outcome.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
    }
    outcome
}

/// One symbol's bars as Parquet. Midnights throughout make a `date` column.
fn write_bars(file: &mut File, bars: &Bars) -> Result<()> {
    let daily = bars.time.iter().all(|t| t.rem_euclid(DAY_MICROS) == 0);
    let name = if daily { "date" } else { "timestamp" };
    let failed = |e: pl::PolarsError| Error::msg(e.to_string());
    let mut columns = vec![moments_column(name.into(), &bars.time).map_err(failed)?];
    let mut add = |name: &str, values: &[f64]| columns.push(pl::Column::new(name.into(), values));
    if !bars.closes_only {
        add("open", &bars.open);
        add("high", &bars.high);
        add("low", &bars.low);
    }
    add("close", &bars.close);
    if let Some(volume) = &bars.volume {
        add("volume", volume);
    }
    for (name, column) in &bars.extra {
        add(name, column);
    }
    let mut frame = pl::DataFrame::new(bars.len(), columns).map_err(failed)?;
    write_frame(file, &mut frame)
}

/// A column of a table, one cell a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Moments: dates when all stand at midnight, else dates with times.
    Moments(Vec<Micros>),
    /// Words.
    Texts(Vec<String>),
    /// Numbers; NaN is an empty cell.
    Numbers(Vec<f64>),
    /// Answers; `None` is an empty cell.
    Answers(Vec<Option<bool>>),
}

/// Writes any table as Parquet (zstd), replacing such a file in one step. All columns have one
/// length.
///
/// # Errors
/// If two columns have one name or unlike lengths, or the file cannot be written.
pub fn write_table(path: &Path, columns: &[(String, Cells)]) -> Result<()> {
    let mut frame = frame(columns)?;
    in_one_step(path, |file| write_frame(file, &mut frame))
}

/// Writes a table that comes in parts, all with the same columns, so that only one part is in memory
/// at a time; at the end the file takes the place of such a file in one step. `part` gives the next
/// part until there is none; the first one may be empty but must be there.
///
/// # Errors
/// As [`write_table`], and what `part` says.
pub fn write_table_in_parts(
    path: &Path,
    part: &mut dyn FnMut() -> Result<Option<Vec<(String, Cells)>>>,
) -> Result<()> {
    let failed = |e: pl::PolarsError| {
        Error::from(
            Problem::new(format!("Parquet cannot be written: {e}"))
                .in_file(path.display().to_string()),
        )
    };
    in_one_step(path, |file| {
        let Some(first) = part()? else {
            return Ok(());
        };
        let mut frame = frame(&first)?;
        let mut writer = pl::ParquetWriter::new(file)
            .with_compression(pl::ParquetCompression::Zstd(None))
            .set_parallel(false)
            .batched(frame.schema())
            .map_err(failed)?;
        loop {
            writer.write_batch(&frame).map_err(failed)?;
            let Some(next) = part()? else { break };
            frame = self::frame(&next)?;
        }
        writer.finish().map(|_| ()).map_err(failed)
    })
}

fn frame(columns: &[(String, Cells)]) -> Result<pl::DataFrame> {
    let failed = |e: pl::PolarsError| Error::msg(format!("Parquet cannot be written: {e}"));
    let mut made = Vec::with_capacity(columns.len());
    for (name, cells) in columns {
        let name = pl::PlSmallStr::from_str(name);
        made.push(match cells {
            Cells::Moments(moments) => moments_column(name, moments).map_err(failed)?,
            Cells::Texts(texts) => pl::Column::new(name, texts.as_slice()),
            Cells::Numbers(numbers) => {
                let present = numbers.iter().map(|x| (!x.is_nan()).then_some(*x));
                pl::Column::new(name, present.collect::<Vec<_>>())
            }
            Cells::Answers(answers) => pl::Column::new(name, answers.as_slice()),
        });
    }
    let rows = made.first().map_or(0, pl::Column::len);
    pl::DataFrame::new(rows, made).map_err(failed)
}

/// Dates when all moments stand at midnight, else dates with times.
fn moments_column(name: pl::PlSmallStr, time: &[Micros]) -> pl::PolarsResult<pl::Column> {
    let moments = pl::Column::new(name, time)
        .cast(&pl::DataType::Datetime(pl::TimeUnit::Microseconds, None))?;
    let daily = time.iter().all(|t| t.rem_euclid(DAY_MICROS) == 0);
    if daily {
        moments.cast(&pl::DataType::Date)
    } else {
        Ok(moments)
    }
}

fn write_frame(file: &mut File, frame: &mut pl::DataFrame) -> Result<()> {
    pl::ParquetWriter::new(file)
        .with_compression(pl::ParquetCompression::Zstd(None))
        .set_parallel(false)
        .finish(frame)
        .map_err(|e| Error::msg(format!("Parquet cannot be written: {e}")))?;
    Ok(())
}
