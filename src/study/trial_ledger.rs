//! The ledger of trials: every distinct set of settings that was ever tried on some data, with its
//! Sharpe ratio, so that the best of all of them is judged against as many trials as there were,
//! not against the last sweep alone.
//!
//! One file for each set of data files, records of 16 bytes: a 64-bit key of the resolved settings
//! and the Sharpe ratio a year. A single run adds a record at the end; a sweep reads the file, adds
//! its trials and writes it again, each key once. Up to [`EXACT_MAX`] distinct trials are kept.
//! Beyond, the file is a distinct sample: at level k only keys whose last k bits are 0 stay, each
//! standing for 2^k trials. The number of trials is then right within about 0.1%, whatever order
//! they came in; and a repeated point is never counted twice.
//!
//! Source of the sample: Gibbons & Tirthapura (2001), Estimating simple functions on the union of
//! data streams, SPAA.

use crate::error::{Error, Problem, Result};
use crate::strategy::Strategy;
use crate::study::overfitting::Sharpes;
use crate::study::sweep::{AllTrials, mixed};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Distinct trials that are kept as they are.
pub const EXACT_MAX: usize = 1 << 20;

/// First bytes of the file; the level follows.
const MAGIC: &[u8; 15] = b"papertape tries";
const HEADER: usize = MAGIC.len() + 1;
const RECORD: usize = 16;

/// The trials of one set of data files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Key and Sharpe ratio a year, by key once settled; a later one of equal keys wins.
    trials: Vec<(u64, f64)>,
    settled: usize,
    level: u32,
}

/// The name of data by the SHA-256 of its files, whatever they are called.
pub fn data_key(files: &[(String, String)]) -> String {
    let mut hashes: Vec<&str> = files.iter().map(|(_, hash)| hash.as_str()).collect();
    hashes.sort_unstable();
    let digest = Sha256::digest(hashes.join("\n").as_bytes());
    hex(&digest[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key of everything in a strategy that changes its trials, but its params.
pub fn group_key(strategy: &Strategy) -> u64 {
    let is_of_trials = |key: &str| {
        let table = key.split_once('.').map_or(key, |(table, _)| table);
        let is_study = matches!(table, "params" | "report" | "walk_forward" | "sweep");
        let is_named = matches!(key, "data.source" | "data.actions" | "account.currency");
        !is_study && !is_named && (table != "benchmark" || key == "benchmark.rate")
    };
    let mut text = String::new();
    for (key, value, _) in strategy
        .assumptions
        .iter()
        .filter(|(k, ..)| is_of_trials(k))
    {
        let value = match value.trim().parse::<f64>() {
            Ok(number) => number.to_string(),
            Err(_) => value.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        text.push_str(&format!("{key}={value}\n"));
    }
    let digest = Sha256::digest(text.as_bytes());
    u64_of(&digest[..8])
}

fn u64_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The key of a trial: its group, and its params in the order of their names.
pub fn trial_key(group: u64, params: &[(String, f64)]) -> u64 {
    let mut sorted: Vec<&(String, f64)> = params.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted.iter().fold(group, |key, (name, value)| {
        let name = name.bytes().fold(key, |k, byte| mixed(k ^ u64::from(byte)));
        // Adding zero makes one of both zeros.
        mixed(name ^ (value + 0.0).to_bits())
    })
}

/// Where the ledger of some data is in a folder of ledgers.
pub fn path(folder: &Path, data_key: &str) -> PathBuf {
    folder.join(format!("{data_key}.ledger"))
}

fn cannot(path: &Path, what: &str, cause: &std::io::Error) -> Error {
    Problem::new(format!("the ledger of trials cannot be {what}: {cause}"))
        .in_file(path.display().to_string())
        .into()
}

/// Adds one trial at the end of a ledger.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, key: u64, sharpe_annual: f64) -> Result<()> {
    let failed = |cause| cannot(path, "written", &cause);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    if !path.exists() {
        let mut ledger = Ledger::default();
        ledger.add(key, sharpe_annual);
        return ledger.write(path);
    }
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(&record(key, known(sharpe_annual)))
        .map_err(failed)
}

fn record(key: u64, sharpe: f64) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..8].copy_from_slice(&key.to_be_bytes());
    bytes[8..].copy_from_slice(&sharpe.to_be_bytes());
    bytes
}

/// A trial without trades, or whose ratio is no number, counts with 0.
fn known(sharpe: f64) -> f64 {
    if sharpe.is_finite() { sharpe } else { 0.0 }
}

/// All trials of a ledger: their Sharpe ratios a year, and the hash of what it holds.
///
/// # Errors
/// As [`Ledger::read`].
pub fn all(path: &Path) -> Result<AllTrials> {
    let mut ledger = Ledger::read(path)?;
    let mut hash = Sha256::new();
    hash.update(ledger.sha256());
    Ok(AllTrials {
        sharpes: ledger.sharpes(),
        sha256: hex(&hash.finalize()),
    })
}

impl Ledger {
    /// Reads a ledger; one that is not there is empty. A record that was cut short is passed over.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Ledger> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Ledger::default());
            }
            Err(cause) => return Err(cannot(path, "read", &cause)),
        };
        let level = match bytes.split_at_checked(HEADER) {
            Some((header, _)) if header.starts_with(MAGIC) => u32::from(header[MAGIC.len()]),
            _ => {
                let problem = Problem::new("this is no ledger of trials");
                let problem = problem.in_file(path.display().to_string());
                return Err(problem.help("move it away; a new one is begun").into());
            }
        };
        let trial = |record: &[u8]| {
            let sharpe = f64::from_bits(u64_of(&record[8..]));
            (u64_of(&record[..8]), known(sharpe))
        };
        let mut ledger = Ledger {
            trials: bytes[HEADER..].chunks_exact(RECORD).map(trial).collect(),
            settled: 0,
            level,
        };
        ledger.settle();
        Ok(ledger)
    }

    /// Adds one trial.
    pub fn add(&mut self, key: u64, sharpe_annual: f64) {
        if self.is_kept(key) {
            self.trials.push((key, known(sharpe_annual)));
        }
        if self.trials.len() >= self.settled + EXACT_MAX {
            self.settle();
        }
    }

    fn is_kept(&self, key: u64) -> bool {
        key.trailing_zeros() >= self.level
    }

    /// Each key once, in order, and no more of them than are kept.
    fn settle(&mut self) {
        // Stable, so that of equal keys the one that came last stands last.
        self.trials.sort_by_key(|(key, _)| *key);
        self.trials.reverse();
        self.trials.dedup_by_key(|(key, _)| *key);
        self.trials.reverse();
        loop {
            let level = self.level;
            self.trials.retain(|(key, _)| key.trailing_zeros() >= level);
            if self.trials.len() <= EXACT_MAX {
                break;
            }
            self.level += 1;
        }
        self.settled = self.trials.len();
    }

    /// Number of distinct trials, exact up to [`EXACT_MAX`].
    pub fn count(&mut self) -> u64 {
        self.settle();
        (self.trials.len() as u64) << self.level
    }

    /// The Sharpe ratios a year of the distinct trials.
    pub fn sharpes(&mut self) -> Sharpes {
        self.settle();
        let mut sharpes = Sharpes::default();
        for (_, sharpe) in &self.trials {
            sharpes.push(*sharpe);
        }
        let weight = 1_u64 << self.level;
        let squares = sharpes.squares() * weight as f64;
        Sharpes::of_sums(sharpes.count() * weight, sharpes.mean(), squares)
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.settle();
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.level as u8);
        let records = self.trials.iter();
        bytes.extend(records.flat_map(|(key, sharpe)| record(*key, *sharpe)));
        bytes
    }

    /// SHA-256 of what [`Ledger::write`] writes.
    pub fn sha256(&mut self) -> String {
        hex(&Sha256::digest(self.bytes()))
    }

    /// Writes the ledger beside its place and renames it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, path: &Path) -> Result<()> {
        let failed = |cause| cannot(path, "written", &cause);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let beside = path.with_extension("ledger.tmp");
        fs::write(&beside, self.bytes())
            .and_then(|()| fs::rename(&beside, path))
            .inspect_err(|_| {
                // Best effort: the first error is the one to tell.
                let _ = fs::remove_file(&beside);
            })
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_points_count_once_and_the_last_ratio_holds() {
        let mut ledger = Ledger::default();
        for (key, sharpe) in [(3, 0.5), (9, 1.0), (3, 0.7), (5, f64::NAN)] {
            ledger.add(key, sharpe);
        }
        assert_eq!(ledger.count(), 3);
        let sharpes = ledger.sharpes();
        assert!((sharpes.mean() - 1.7 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn beyond_its_limit_it_is_a_sample_that_still_counts() {
        let mut ledger = Ledger::default();
        let distinct = 3 * EXACT_MAX as u64;
        for round in 0..2 {
            for trial in 0..distinct {
                ledger.add(mixed(trial), (trial % 7) as f64 + f64::from(round) * 0.0);
            }
        }
        let count = ledger.count() as f64;
        assert!((count / distinct as f64 - 1.0).abs() < 0.005, "{count}");
        let sharpes = ledger.sharpes();
        assert!((sharpes.mean() - 3.0).abs() < 0.02);
        assert!((sharpes.deviation() - 2.0).abs() < 0.02);
        assert!(ledger.trials.len() <= EXACT_MAX);
    }

    #[test]
    fn keys_depend_on_values_and_not_on_the_order_of_params() {
        let of = |pairs: &[(&str, f64)]| {
            let pairs: Vec<_> = pairs.iter().map(|(n, x)| ((*n).to_owned(), *x)).collect();
            trial_key(7, &pairs)
        };
        assert_eq!(of(&[("a", 1.0), ("b", 2.0)]), of(&[("b", 2.0), ("a", 1.0)]));
        assert_ne!(of(&[("a", 1.0), ("b", 2.0)]), of(&[("a", 2.0), ("b", 1.0)]));
        assert_eq!(of(&[("a", 0.0)]), of(&[("a", -0.0)]));
    }
}
