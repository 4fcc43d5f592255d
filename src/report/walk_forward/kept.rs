//! What an unfinished walk keeps beside its folder: a record of what it is, and its parts, one a line, each
//! written as it is done, so that whatever ends the process leaves whole lines to go on from.
//!
//! Numbers are kept by their bits, so that a walk that goes on ends with the same bytes.

use crate::error::{Error, Problem, Result};
use crate::report::manifest::Manifest;
use crate::study::walk_forward::WalkPart;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The record in the folder of an unfinished walk.
const RECORD: &str = "walk.json";
/// Its parts.
const PARTS: &str = "parts.jsonl";

/// The parts of an unfinished walk on disk.
pub struct KeptWalk {
    folder: PathBuf,
    file: File,
    /// The folder above was made for it.
    is_alone: bool,
}

/// A part as a line has it.
#[derive(Serialize, Deserialize)]
enum Line {
    Fold {
        best: Option<usize>,
        rank: Option<u64>,
    },
    Tested {
        best: Option<usize>,
        trials: u64,
        mean: u64,
        squares: u64,
    },
    Whole(Vec<u64>),
}

impl Line {
    fn of(part: &WalkPart) -> Line {
        match part {
            WalkPart::Fold { best, rank } => Line::Fold {
                best: *best,
                rank: rank.map(f64::to_bits),
            },
            WalkPart::Tested { best, sharpes } => Line::Tested {
                best: *best,
                trials: sharpes.0,
                mean: sharpes.1.to_bits(),
                squares: sharpes.2.to_bits(),
            },
            WalkPart::Whole(sharpes) => Line::Whole(sharpes.iter().map(|s| s.to_bits()).collect()),
        }
    }

    fn part(self) -> WalkPart {
        match self {
            Line::Fold { best, rank } => WalkPart::Fold {
                best,
                rank: rank.map(f64::from_bits),
            },
            Line::Tested {
                best,
                trials,
                mean,
                squares,
            } => WalkPart::Tested {
                best,
                sharpes: (trials, f64::from_bits(mean), f64::from_bits(squares)),
            },
            Line::Whole(bits) => WalkPart::Whole(bits.into_iter().map(f64::from_bits).collect()),
        }
    }
}

/// Where the walk of a folder keeps its parts until it is done.
pub fn folder_of(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".unfinished");
    dir.with_file_name(name)
}

/// Opens what is kept for the walk of `dir`, and the parts that are there: those of an earlier attempt with
/// `resume`, none with `force` or at the first attempt.
///
/// # Errors
/// An earlier attempt and neither `resume` nor `force`, an attempt at another walk, files that cannot be
/// read or written.
pub fn open(
    dir: &Path,
    record: &Manifest,
    resume: bool,
    force: bool,
) -> Result<(KeptWalk, Vec<WalkPart>)> {
    let folder = folder_of(dir);
    let is_alone = folder.parent().is_some_and(|above| !above.exists());
    let shown = folder.display();
    let failed = |cause: io::Error| cannot(&folder, &cause);
    let old = fs::read(folder.join(RECORD)).ok();
    let bytes = fs::read(folder.join(PARTS)).unwrap_or_default();
    // An attempt that has no part to show is in nobody's way.
    let begins = old.is_none() || parts_of(&bytes).0.is_empty() || (force && !resume);
    if let Some(old) = old.filter(|_| !begins) {
        let refuse = |what: String, cure: &str| Err(Error::new(Problem::new(what).help(cure)));
        if old != record.to_bytes() {
            return refuse(
                format!(
                    "{shown} keeps parts of another walk: strategy, data, flags or program differ"
                ),
                "give another folder with --out, or --force without --resume to begin anew",
            );
        }
        if !resume {
            return refuse(
                format!("{shown} keeps an unfinished attempt at this walk"),
                "--resume goes on from its last fold, --force begins anew",
            );
        }
    }
    if begins {
        fs::create_dir_all(&folder).map_err(failed)?;
        // The record last: without it nothing is gone on from.
        let _ = fs::remove_file(folder.join(RECORD));
        File::create(folder.join(PARTS)).map_err(failed)?;
        let beside = folder.join("walk.json.tmp");
        fs::write(&beside, record.to_bytes()).map_err(failed)?;
        fs::rename(&beside, folder.join(RECORD)).map_err(failed)?;
    }
    let bytes = fs::read(folder.join(PARTS)).map_err(failed)?;
    let (parts, whole) = parts_of(&bytes);
    let mut file = OpenOptions::new()
        .write(true)
        .open(folder.join(PARTS))
        .map_err(failed)?;
    file.set_len(whole).map_err(failed)?;
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    let kept = KeptWalk {
        folder,
        file,
        is_alone,
    };
    Ok((kept, parts))
}

/// The parts of whole lines, and how many bytes those are. The first line that is none ends them.
fn parts_of(bytes: &[u8]) -> (Vec<WalkPart>, u64) {
    let (mut parts, mut whole) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        let Ok(line_of) = serde_json::from_slice::<Line>(text) else {
            break;
        };
        parts.push(line_of.part());
        whole += line.len() as u64;
    }
    (parts, whole)
}

fn cannot(path: &Path, cause: &io::Error) -> Error {
    Problem::new(format!("the folds cannot be kept: {cause}"))
        .in_file(path.display().to_string())
        .help("make room, or give another folder with --out; --resume goes on from the last fold")
        .into()
}

impl KeptWalk {
    /// Keeps one more part.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn keep(&self, part: &WalkPart) -> Result<()> {
        // Names and numbers always have a JSON text.
        let mut line = serde_json::to_vec(&Line::of(part)).unwrap_or_default();
        line.push(b'\n');
        (&self.file)
            .write_all(&line)
            .map_err(|cause| cannot(&self.folder, &cause))
    }

    /// The walk is done and needs them no more.
    pub fn done(self) {
        for name in [RECORD, PARTS] {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(self.folder.join(name));
        }
        let _ = fs::remove_dir(&self.folder);
        if let Some(above) = self.folder.parent().filter(|_| self.is_alone) {
            // It stays when there is anything in it.
            let _ = fs::remove_dir(above);
        }
    }
}
