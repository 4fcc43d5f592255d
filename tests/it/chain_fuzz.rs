//! Damaged option chains of every layout, text, zip and Parquet: reading and judging them ends in
//! quotes, findings or an error, never in a panic, and takes no more memory than their rows do.
//!
//! The bytes are the golden chains, mutated, cut and spliced by a seeded stream, so that a failure can
//! be had again from its number. `benches/fuzz_load.rs` runs the same with any count.

use crate::load_fuzz::{PIECES, Stream, damaged, seeds, words};
use papertape::instrument::Right;
use papertape::market::ReadOptions;
use papertape::market::audit::audit;
use papertape::market::chain::{ChainOptions, Chains};
use papertape::market::import_chains;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Texts that break readers of chains more often than random bytes do.
const OF_CHAINS: &[&str] = &[
    "call",
    "put",
    "C",
    "2014-01-18",
    "1900-01-01",
    "99999999",
    "20210332",
    "XYZ   210319C00100000",
    "O:XYZ210319P00100000",
    "XYZ_031921C100",
    "0.0001",
    "-100",
    "99999999999",
    "10 x 12",
    "[STRIKE]",
    "strike",
    "expiration",
    "underlying_price",
];
/// More than this a chain of some hundred rows must not take.
const BYTES_MAX: usize = 4 << 20;

/// Chains as text and zip.
pub(crate) fn text_seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/options/chains");
    let mut all = seeds(&folder);
    all.retain(|(name, _)| name != "expected.csv");
    all
}

/// The same in the native layout as Parquet, written by `data import`.
pub(crate) fn parquet_seeds(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/options/chains");
    let mut all = Vec::new();
    for (nth, file) in ["cboe_eod_calcs.csv", "optopsy.csv", "polygon_day_aggs.csv"]
        .iter()
        .enumerate()
    {
        let into = folder.join(format!("seed{nth}"));
        let done = import_chains(&golden.join(file), &into, &ChainOptions::default()).unwrap();
        for file in done.files {
            let bytes = std::fs::read(file).unwrap();
            all.push((format!("{nth}.parquet"), bytes));
        }
    }
    all
}

/// Everything that a reader of quotes asks them.
fn ask(chains: &Chains) {
    assert!(chains.bytes() < BYTES_MAX, "{} bytes", chains.bytes());
    assert!(chains.moments().is_sorted_by(|a, b| a < b));
    let mut seen = 0;
    for moment in chains.moments() {
        let quotes = chains.at(*moment).unwrap();
        for expiration in quotes.expirations() {
            for right in [Right::Call, Right::Put] {
                let Some(series) = quotes.series(expiration, right, None) else {
                    continue;
                };
                let found = [
                    series.at_or_above(100.0),
                    series.at_or_below(100.0),
                    series.nearest_delta(0.3, |quote| quote.delta),
                    series.nearest_premium(1.0),
                ];
                for quote in found.into_iter().flatten() {
                    assert!(quote.mid().is_none_or(|mid| !mid.is_nan()));
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 0 || chains.is_empty());
}

/// Reads and judges `count` damaged files; how many were read and how many refused.
///
/// # Errors
/// The first input that made a reader panic.
pub(crate) fn fuzz_chains(
    seeds: &[(String, Vec<u8>)],
    count: u64,
    folder: &Path,
) -> Result<(u64, u64), String> {
    let pieces = [PIECES, OF_CHAINS].concat();
    let (mut read, mut refused) = (0, 0);
    for number in 0..count {
        let mut stream = Stream(number.wrapping_mul(0xa076_1d64_78bd_642f));
        let (name, bytes) = damaged(&mut stream, seeds, &pieces);
        let file = folder.join(&name);
        let is_parquet = name.ends_with(".parquet");
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // Files are slower than bytes: of texts one in eight goes through one.
            if is_parquet || number % 8 == 0 {
                std::fs::write(&file, &bytes).unwrap();
                let judged = audit(&file, &ReadOptions::default(), None);
                assert!(judged.is_ok());
            }
            let chains = match is_parquet {
                true => Chains::read(&file, &ChainOptions::default()),
                false => Chains::from_bytes(&name, &bytes, &ChainOptions::default()),
            };
            if let Ok(chains) = &chains {
                ask(chains);
            }
            chains.is_ok()
        }));
        match outcome {
            Ok(true) => read += 1,
            Ok(false) => refused += 1,
            Err(why) => {
                let text = String::from_utf8_lossy(&bytes);
                return Err(format!(
                    "input {number} ({name}): {}: {text:?}",
                    words(&*why)
                ));
            }
        }
    }
    Ok((read, refused))
}

/// A folder that is removed with the value.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("papertape-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn damaged_chains_never_panic() {
    let scratch = Scratch::new("chain-fuzz");
    let (read, refused) = fuzz_chains(&text_seeds(), 6_000, &scratch.0).unwrap();
    assert!(
        read > 300 && refused > 300,
        "{read} read, {refused} refused"
    );
}

#[test]
fn damaged_parquet_chains_never_panic() {
    let scratch = Scratch::new("chain-fuzz-parquet");
    let seeds = parquet_seeds(&scratch.0);
    let (read, refused) = fuzz_chains(&seeds, 1_500, &scratch.0).unwrap();
    assert!(read > 20 && refused > 300, "{read} read, {refused} refused");
}
