//! `manifest.json`: all that a run depended on, so that it can be made again and checked.
//!
//! It holds the program's version and the hash of its `Cargo.lock`, the strategy file's text, the
//! hash of every data file, every assumption (given or defaulted), the flags that changed the result,
//! the seed, and the hash of every file of the folder. It holds no date, no user and no machine:
//! the same inputs give the same bytes.

use crate::error::{Error, Problem, Result};
use crate::study::overfitting::Sharpes;
use crate::study::sweep::AllTrials;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// File name of the manifest in a run's folder.
pub const FILE_NAME: &str = "manifest.json";

/// Version of the manifest's and the JSON output's layout.
pub const SCHEMA: u32 = 1;

/// The lock file that this program was built with.
static CARGO_LOCK: &[u8] = include_bytes!("../../Cargo.lock");

/// Everything that a run depended on, and what it wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of this file.
    pub schema: u32,
    /// The program that wrote it.
    pub program: Program,
    /// The strategy.
    pub strategy: StrategyFile,
    /// Files that prices, actions and rates were read from.
    pub data: Vec<FileHash>,
    /// Every assumption, given or defaulted.
    pub assumptions: Vec<Assumption>,
    /// Flags of the command line that changed the result.
    pub flags: Flags,
    /// Seed of every random stream.
    pub seed: u64,
    /// Trials on the same data that the statistics account for; `None` for a single run.
    pub trials: Option<u64>,
    /// What a sweep varied; `None` for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepRecord>,
    /// Every trial ever made on these data when a run or a walk forward was judged; that of a sweep is
    /// in its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerCopy>,
    /// The folder's other files.
    pub files: Vec<FileHash>,
}

/// All that a sweep depended on beside its strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// The axes, slowest first.
    pub axes: Vec<AxisRecord>,
    /// The constraint.
    pub constraint: Option<String>,
    /// What ranked.
    pub objective: String,
    /// `grid`, `random` or `halving`.
    pub method: String,
    /// How many points were asked for.
    pub samples: Option<u32>,
    /// Seed of the sample, when the file names one.
    pub seed: Option<u32>,
    /// Trials that were planned.
    pub planned: u64,
    /// Part and number of parts, counted from 1.
    pub shard: Option<(u64, u64)>,
    /// The best trials that were shown.
    pub top: u64,
    /// Every trial ever made on these data when this sweep was judged.
    pub ledger: Option<LedgerCopy>,
}

/// One axis of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisRecord {
    /// The full key.
    pub key: String,
    /// Its values as text.
    pub values: Vec<String>,
}

/// The Sharpe ratios a year of all trials of a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerCopy {
    /// Distinct trials.
    pub trials: u64,
    /// Mean of their Sharpe ratios, as text so that it reads back to the same bits.
    pub mean: String,
    /// Sum of squared deviations from the mean, as text too.
    pub squares: String,
    /// SHA-256 of the ledgers that it was read from.
    pub sha256: String,
}

impl LedgerCopy {
    /// What is kept of all trials.
    pub fn of(all: &AllTrials) -> Self {
        LedgerCopy {
            trials: all.sharpes.count(),
            mean: all.sharpes.mean().to_string(),
            squares: all.sharpes.squares().to_string(),
            sha256: all.sha256.clone(),
        }
    }

    /// All trials again; `None` when the copy was changed to what is no number.
    pub fn trials(&self) -> Option<AllTrials> {
        let (mean, squares) = (self.mean.parse().ok()?, self.squares.parse().ok()?);
        Some(AllTrials {
            sharpes: Sharpes::of_sums(self.trials, mean, squares),
            sha256: self.sha256.clone(),
        })
    }
}

/// The program that made a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// SHA-256 of the `Cargo.lock` it was built with.
    pub cargo_lock_sha256: String,
}

impl Program {
    /// This program.
    pub fn this() -> Self {
        Program {
            version: env!("CARGO_PKG_VERSION").to_string(),
            cargo_lock_sha256: sha256(CARGO_LOCK),
        }
    }
}

/// The strategy file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyFile {
    /// Name of the strategy.
    pub name: String,
    /// Its path as given on the command line, with `/` between folders.
    pub file: String,
    /// Its text, so that the run can be made again when the file has changed.
    pub text: String,
    /// SHA-256 of the text.
    pub sha256: String,
}

/// A file and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// Path as given or as derived from the strategy file; a bare name for files of the folder.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// One key of the strategy's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumption {
    /// `table.key`.
    pub key: String,
    /// Its value as TOML text.
    pub value: String,
    /// Given by the file or a flag, or a default.
    pub given: bool,
}

/// Flags that change the result of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Flags {
    /// `--set key=value`, in order.
    pub set: Vec<String>,
    /// `--data`.
    pub data: Option<String>,
    /// `--start`, as a date.
    pub start: Option<String>,
    /// `--end`, as a date.
    pub end: Option<String>,
    /// `--columns ours=theirs`, in order.
    pub columns: Vec<String>,
    /// `--open-holdout`: the sealed days were read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_holdout: bool,
    /// Flags of `walk-forward`, when the folder is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<WalkFlags>,
}

/// Flags of `walk-forward` that change its result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WalkFlags {
    /// `--vary key=values`, in order.
    pub vary: Vec<String>,
    /// `--cpcv`.
    pub cpcv: Option<String>,
    /// `--embargo`.
    pub embargo: Option<u32>,
    /// Folds after which the walk was interrupted; `None` of a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
}

impl Manifest {
    /// The text of the file, two spaces an indent, with a newline at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings and numbers always has a JSON text.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the manifest of a run's folder.
    ///
    /// # Errors
    /// The folder has no manifest, or one that this program cannot read.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Problem::new(format!("cannot read the manifest: {cause}"))
                .in_file(&shown)
                .help("give the folder of a finished run, for example reports/rsi-30-70")
        })?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|cause| {
            Problem::new(format!("not a manifest: {cause}"))
                .in_file(&shown)
                .help("the file was changed or written by another version: run the strategy again")
        })?;
        if manifest.schema != SCHEMA {
            return Err(Error::new(
                Problem::new(format!(
                    "layout {} of the manifest, but this program reads {SCHEMA}",
                    manifest.schema
                ))
                .in_file(&shown)
                .help("run the strategy again with this version"),
            ));
        }
        Ok(manifest)
    }
}

/// SHA-256 of bytes, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

/// SHA-256 of a file, read in pieces.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let failed = |cause: std::io::Error| {
        Error::new(
            Problem::new(format!("cannot be read: {cause}")).in_file(path.display().to_string()),
        )
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            return Ok(hex(hasher.finalize().as_slice()));
        }
        hasher.update(&piece[..read]);
    }
}

fn hex(digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    digest
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_is_the_published_one() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
