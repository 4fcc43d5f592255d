//! The folder of a sweep: who may write into it, the tables of all rows, and how the finished files
//! get there whole. While a sweep runs, the folder has its record and its rows; when it is done,
//! they make way for the tables, and the manifest comes last.

use crate::error::{Error, Problem, Result};
use crate::market::{Cells, write_table_in_parts};
use crate::metrics::trial::Trial;
use crate::report::cell;
use crate::report::folder::NewFile;
use crate::report::manifest::{self, FileHash, Manifest, sha256, sha256_of_file};
use crate::report::sweep::record::{self, ROWS, UNFINISHED};
use crate::strategy::SweepAxis;
use crate::study::sweep::{Course, Field, Row, Rows};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// All rows as Parquet.
pub const PARQUET: &str = "trials.parquet";
/// All rows as CSV.
pub const CSV: &str = "trials.csv";
/// What `--format json` prints.
pub const JSON: &str = "sweep.json";
/// What the terminal shows.
pub const PAGE: &str = "sweep.txt";

/// Rows of a part of the Parquet file.
const PART: u64 = 1 << 18;
/// Most rows that are also written as CSV.
pub const CSV_MAX: u64 = 2_000_000;

/// What a folder is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A fresh start.
    Fresh,
    /// Going on where an earlier attempt stopped.
    Resume,
    /// There is a finished one of the same sweep, and going on was asked for.
    Finished,
}

/// Checks what a sweep may do in a folder, before anything is computed.
///
/// # Errors
/// A folder that holds something else, another sweep, or an unfinished one when neither `resume`
/// nor `force` was given.
pub fn claim(dir: &Path, record: &Manifest, resume: bool, force: bool) -> Result<Claim> {
    let shown = dir.display();
    let refuse = |message: String, help: &str| Err(Error::new(Problem::new(message).help(help)));
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries.count(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => 0,
        Err(cause) => {
            let message = format!("cannot use {shown} as the sweep's folder: {cause}");
            return refuse(message, "give another folder with --out");
        }
    };
    if entries == 0 || (force && !resume) {
        return Ok(Claim::Fresh);
    }
    let elsewhere = "give another folder with --out, or --force to begin anew in this one";
    if let Some(old) = record::unfinished(dir)? {
        return match record::difference(&old, record) {
            Some(why) => refuse(format!("{shown} holds another sweep: {why}"), elsewhere),
            None if old.sweep.as_ref().map(|s| s.shard)
                != record.sweep.as_ref().map(|s| s.shard) =>
            {
                refuse(
                    format!("{shown} holds another shard of this sweep"),
                    elsewhere,
                )
            }
            None if resume => Ok(Claim::Resume),
            None => refuse(
                format!("{shown} holds an unfinished attempt at this sweep"),
                "--resume goes on from its last trial, --force begins anew",
            ),
        };
    }
    match record::finished(dir) {
        Some(old) if resume => match record::difference(&old, record) {
            Some(why) => refuse(format!("{shown} holds another sweep: {why}"), elsewhere),
            None => Ok(Claim::Finished),
        },
        Some(old) if old.strategy.name == record.strategy.name => Ok(Claim::Fresh),
        Some(old) => refuse(
            format!(
                "{shown} holds a sweep of another strategy, \"{}\"",
                old.strategy.name
            ),
            elsewhere,
        ),
        None => refuse(
            format!("{shown} is not empty and not the folder of a sweep"),
            elsewhere,
        ),
    }
}

/// Makes the folder ready: with `Claim::Fresh` what an earlier sweep left is removed.
///
/// # Errors
/// The folder or the record cannot be written.
pub fn prepare(dir: &Path, record: &Manifest, claim: Claim) -> Result<PathBuf> {
    fs::create_dir_all(dir).map_err(|cause| cannot(dir, &cause))?;
    if claim == Claim::Fresh {
        for name in own_files(dir) {
            let path = dir.join(name);
            if path.is_file() {
                fs::remove_file(&path).map_err(|cause| cannot(&path, &cause))?;
            }
        }
        put(dir, UNFINISHED, &record.to_bytes())?;
    }
    Ok(dir.join(ROWS))
}

/// Files that sweeps have written into a folder, the manifest first: without it the folder is no
/// finished sweep.
fn own_files(dir: &Path) -> Vec<String> {
    let mut names = vec![manifest::FILE_NAME.to_owned()];
    if let Some(old) = record::finished(dir) {
        let bare = |name: &String| Path::new(name).file_name() == Some(name.as_ref());
        names.extend(old.files.into_iter().map(|file| file.file).filter(bare));
    } else {
        names.clear();
    }
    names.extend([UNFINISHED.to_owned(), ROWS.to_owned()]);
    names
}

/// Writes a file beside its place and renames it.
///
/// # Errors
/// The file cannot be written.
pub fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    through(dir, name, |out| {
        out.write_all(bytes)
            .map_err(|cause| cannot(&dir.join(name), &cause))
    })
}

fn through(
    dir: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let (path, beside) = (dir.join(name), dir.join(format!(".{name}.tmp")));
    let failed = |cause: io::Error| cannot(&path, &cause);
    let outcome = File::create(&beside).map_err(failed).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        write(&mut out)?;
        out.flush().map_err(failed)?;
        fs::rename(&beside, &path).map_err(failed)
    });
    if outcome.is_err() {
        // Best effort: the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    outcome
}

fn cannot(path: &Path, cause: &io::Error) -> Error {
    Problem::new(format!("cannot write {}: {cause}", path.display()))
        .help(
            "make room, or give another folder with --out; the trials so far are kept for --resume",
        )
        .into()
}

/// Columns of a row: axes, figures, and the bars of a trial when not all have the same.
pub fn columns(field: &Field, with_bars: bool) -> Vec<String> {
    let axes = field.space.axes.iter().map(SweepAxis::name);
    let figures = Trial::KEYS.into_iter().chain(with_bars.then_some("bars"));
    axes.chain(figures).map(str::to_owned).collect()
}

/// Writes the tables of all rows.
///
/// # Errors
/// A file cannot be written, rows cannot be read.
pub fn write_tables(
    dir: &Path,
    field: &Field,
    course: &Course,
    rows: &mut dyn Rows,
) -> Result<Vec<String>> {
    let with_bars = course.stages.len() > 1;
    let mut names = vec![PARQUET.to_owned()];
    parquet(&dir.join(PARQUET), field, course, rows, with_bars)?;
    if course.planned() <= CSV_MAX {
        through(dir, CSV, |out| csv(out, field, course, rows, with_bars))?;
        names.push(CSV.to_owned());
    }
    Ok(names)
}

fn csv(
    out: &mut BufWriter<File>,
    field: &Field,
    course: &Course,
    rows: &mut dyn Rows,
    with_bars: bool,
) -> Result<()> {
    let failed = |cause: io::Error| Error::msg(format!("{CSV} cannot be written: {cause}"));
    let header = columns(field, with_bars).join(",");
    writeln!(out, "{header}").map_err(failed)?;
    let mut point = vec![0; field.space.axes.len()];
    let mut line = String::new();
    course.each(rows, &mut |row| {
        line.clear();
        push_row(&mut line, field, row, &mut point, with_bars);
        line.push('\n');
        out.write_all(line.as_bytes()).map_err(failed)
    })
}

/// One row as a line of CSV without its end.
pub fn push_row(line: &mut String, field: &Field, row: &Row, point: &mut [usize], with_bars: bool) {
    field.space.point(row.index, point);
    for (axis, at) in field.space.axes.iter().zip(&*point) {
        let text = &axis.values[*at].text;
        match text.contains([',', '"', '\n']) {
            true => line.push_str(&format!("\"{}\"", text.replace('"', "\"\""))),
            false => line.push_str(text),
        }
        line.push(',');
    }
    for (place, figure) in row.figures.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        cell::push_number(line, *figure);
    }
    if with_bars {
        line.push_str(&format!(",{}", row.bars));
    }
}

fn parquet(
    path: &Path,
    field: &Field,
    course: &Course,
    rows: &mut dyn Rows,
    with_bars: bool,
) -> Result<()> {
    let names = columns(field, with_bars);
    let total = rows.count();
    let mut at = 0;
    let mut is_first = true;
    write_table_in_parts(path, &mut || {
        if at >= total && !is_first {
            return Ok(None);
        }
        is_first = false;
        let part = at..(at + PART).min(total);
        at = part.end;
        let mut cells = empty(field, with_bars);
        let mut point = vec![0; field.space.axes.len()];
        course.each_of(rows, part, &mut |row| {
            field.space.point(row.index, &mut point);
            fill(&mut cells, field, row, &point);
            Ok(())
        })?;
        Ok(Some(names.iter().cloned().zip(cells).collect()))
    })
}

/// Columns without rows: an axis of numbers has numbers, another has texts.
fn empty(field: &Field, with_bars: bool) -> Vec<Cells> {
    let of_axis = |axis: &SweepAxis| match axis.values.iter().all(|v| v.number.is_some()) {
        true => Cells::Numbers(Vec::new()),
        false => Cells::Texts(Vec::new()),
    };
    let figures = Trial::KEYS.len() + usize::from(with_bars);
    let axes = field.space.axes.iter().map(of_axis);
    axes.chain((0..figures).map(|_| Cells::Numbers(Vec::new())))
        .collect()
}

fn fill(cells: &mut [Cells], field: &Field, row: &Row, point: &[usize]) {
    let axes = field.space.axes.len();
    for (place, cell) in cells.iter_mut().enumerate() {
        let value = (place < axes).then(|| &field.space.axes[place].values[point[place]]);
        match (cell, value) {
            (Cells::Texts(texts), Some(value)) => texts.push(value.text.clone()),
            (Cells::Numbers(numbers), Some(value)) => {
                numbers.push(value.number.unwrap_or(f64::NAN));
            }
            (Cells::Numbers(numbers), None) => {
                let figure = row.figures.get(place - axes).copied();
                numbers.push(figure.unwrap_or(f64::from(row.bars)) + 0.0);
            }
            _ => {}
        }
    }
}

/// Puts the small files of a finished sweep in place, the manifest last, and removes what was there
/// to go on from. `tables` are files of the folder that are there already.
///
/// # Errors
/// A file cannot be written.
pub fn finish(
    dir: &Path,
    manifest: &mut Manifest,
    tables: &[String],
    files: &[NewFile],
) -> Result<()> {
    for name in tables {
        manifest.files.push(FileHash {
            file: name.clone(),
            sha256: sha256_of_file(&dir.join(name))?,
        });
    }
    for (name, bytes) in files {
        put(dir, name, bytes)?;
        manifest.files.push(FileHash {
            file: name.clone(),
            sha256: sha256(bytes),
        });
    }
    put(dir, manifest::FILE_NAME, &manifest.to_bytes())?;
    for name in [ROWS, UNFINISHED] {
        // The folder is complete without them; what cannot be removed is in nobody's way.
        let _ = fs::remove_file(dir.join(name));
    }
    Ok(())
}
