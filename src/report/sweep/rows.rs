//! The rows of a sweep on disk while it runs: records of equal length, added at the end, each with
//! its own check sum, so that whatever ends the process leaves whole rows behind.

use crate::error::{Error, Problem, Result};
use crate::study::sweep::{Row, Rows};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes of a record: number, bars, check sum, ten figures.
const RECORD: usize = 8 + 4 + 4 + 80;

/// A file of rows.
pub struct RowFile {
    path: PathBuf,
    file: File,
    count: u64,
}

impl RowFile {
    /// Opens a file of rows, made when it is not there. What is behind the last whole row is cut
    /// off.
    ///
    /// # Errors
    /// The file cannot be made, read or cut.
    pub fn open(path: &Path) -> Result<RowFile> {
        let failed = |cause| cannot(path, &cause);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut rows = RowFile {
            path: path.to_path_buf(),
            count: file.metadata().map_err(failed)?.len() / RECORD as u64,
            file,
        };
        let mut whole = 0;
        let all = 0..rows.count;
        // The first record that is not whole ends the look.
        let _ = rows.each(all, &mut |_| {
            whole += 1;
            Ok(())
        });
        rows.count = whole;
        rows.file
            .set_len(whole * RECORD as u64)
            .map_err(|cause| cannot(path, &cause))?;
        Ok(rows)
    }

    fn cannot(&self, cause: &std::io::Error) -> Error {
        cannot(&self.path, cause)
    }
}

fn cannot(path: &Path, cause: &std::io::Error) -> Error {
    Problem::new(format!("the rows cannot be kept: {cause}"))
        .in_file(path.display().to_string())
        .help(
            "make room or give another folder with --out; --resume goes on from the last whole row",
        )
        .into()
}

impl Rows for RowFile {
    fn count(&self) -> u64 {
        self.count
    }

    fn append(&mut self, rows: &[Row]) -> Result<()> {
        let bytes: Vec<u8> = rows.iter().flat_map(encoded).collect();
        let end = self.count * RECORD as u64;
        self.file
            .seek(SeekFrom::Start(end))
            .and_then(|_| self.file.write_all(&bytes))
            .map_err(|cause| self.cannot(&cause))?;
        self.count += rows.len() as u64;
        Ok(())
    }

    fn each(&mut self, range: Range<u64>, see: &mut dyn FnMut(&Row) -> Result<()>) -> Result<()> {
        let start = SeekFrom::Start(range.start * RECORD as u64);
        self.file.seek(start).map_err(|cause| self.cannot(&cause))?;
        let mut reader = BufReader::with_capacity(RECORD * 4096, &self.file);
        let mut record = [0; RECORD];
        for _ in range {
            reader
                .read_exact(&mut record)
                .map_err(|cause| cannot(&self.path, &cause))?;
            let Some(row) = decoded(&record) else {
                let problem = Problem::new("a row is damaged");
                let problem = problem.in_file(self.path.display().to_string());
                return Err(Error::new(problem.help("run the sweep again with --force")));
            };
            see(&row)?;
        }
        Ok(())
    }
}

fn encoded(row: &Row) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&row.index.to_le_bytes());
    record[8..12].copy_from_slice(&row.bars.to_le_bytes());
    for (place, figure) in record[16..].chunks_exact_mut(8).zip(row.figures) {
        place.copy_from_slice(&figure.to_le_bytes());
    }
    let sum = check_sum(&record);
    record[12..16].copy_from_slice(&sum.to_le_bytes());
    record
}

fn decoded(record: &[u8; RECORD]) -> Option<Row> {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[at..at + 8]);
        bytes
    };
    let half = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&record[at..at + 4]);
        u32::from_le_bytes(bytes)
    };
    if half(12) != check_sum(record) {
        return None;
    }
    let mut figures = [0.0; 10];
    for (at, figure) in figures.iter_mut().enumerate() {
        *figure = f64::from_le_bytes(word(16 + 8 * at));
    }
    Some(Row {
        index: u64::from_le_bytes(word(0)),
        bars: half(8),
        figures,
    })
}

/// FNV-1a of all bytes but those of the sum itself; a record of zeros does not pass.
fn check_sum(record: &[u8; RECORD]) -> u32 {
    let bytes = record[..12].iter().chain(&record[16..]);
    bytes.fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
