//! Damaged files of every layout: reading ends in bars or in an error, never in a panic.
//!
//! The bytes are the golden layout files, mutated, cut and spliced by a seeded stream, so that a
//! failure can be had again from its number. `benches/fuzz_load.rs` runs the same with any count.

use papertape::market::load::read_raw_bytes;
use papertape::market::{Market, ReadOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// SplitMix64: one number a step from a counter (Steele, Lea, Flood 2014).
pub(crate) struct Stream(pub(crate) u64);

impl Stream {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Texts that break readers more often than random bytes do.
pub(crate) const PIECES: &[&str] = &[
    ",",
    ";",
    "\t",
    "|",
    "\"",
    "\"\"",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "-",
    ".",
    "..",
    "1e308",
    "1e999",
    "-0",
    "NaN",
    "inf",
    "null",
    "$",
    "%",
    "1,000",
    "99999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "0000-00-00",
    "2020-02-30",
    "9999-12-31",
    "1000-01-01",
    "2020-01-02T09:30:00+99:99",
    "24:00",
    "12:00 PM",
    "\u{feff}",
    "é",
    "\u{1F4C8}",
    "date",
    "close",
    "symbol",
    "<",
    ">",
    "sep=;\n",
    "#\n",
];

/// One damaged text or file from the seeds, some of `pieces` put in.
pub(crate) fn damaged(
    stream: &mut Stream,
    seeds: &[(String, Vec<u8>)],
    pieces: &[&str],
) -> (String, Vec<u8>) {
    let (name, seed) = &seeds[stream.below(seeds.len())];
    let mut bytes = seed.clone();
    for _ in 0..=stream.below(3) {
        let at = stream.below(bytes.len() + 1);
        match stream.below(8) {
            0 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] = stream.next() as u8;
            }
            1 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1 << stream.below(8);
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + stream.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let piece = pieces[stream.below(pieces.len())].bytes();
                bytes.splice(at..at, piece);
            }
            5 => {
                let end = (at + stream.below(60)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = stream.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            6 => {
                let other = &seeds[stream.below(seeds.len())].1;
                let from = stream.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let piece = pieces[stream.below(pieces.len())].bytes();
                let end = (at + stream.below(12)).min(bytes.len());
                bytes.splice(at..end, piece);
            }
        }
    }
    (name.clone(), bytes)
}

/// The golden files of a folder, in the order of names.
pub(crate) fn seeds(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let name = |path: &Path| {
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    paths
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap_or_default()))
        .collect()
}

/// Reads `count` damaged files; the numbers of how many were read and how many refused.
///
/// # Errors
/// The first input that made the reader panic, or that gave bars which break what
/// [`papertape::market::Bars`] promises.
pub(crate) fn fuzz(seeds: &[(String, Vec<u8>)], count: u64) -> Result<(u64, u64), String> {
    let (mut read, mut refused) = (0, 0);
    for number in 0..count {
        let mut stream = Stream(number.wrapping_mul(0xd134_2543_de82_ef95));
        let (name, bytes) = damaged(&mut stream, seeds, PIECES);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let raw = read_raw_bytes(&name, &bytes, &[]);
            if let Ok(tapes) = &raw {
                for tape in tapes {
                    assert_eq!(tape.time.len(), tape.line.len());
                    assert_eq!(tape.time.len(), tape.close.len());
                    assert_eq!(tape.time.len(), tape.volume.len());
                }
            }
            let market = Market::from_bytes(&name, &bytes, &ReadOptions::default());
            if let Ok(market) = &market {
                assert!(raw.is_ok());
                for tape in &market.tapes {
                    assert!(tape.bars.clone().checked().is_ok());
                }
            }
            market.is_ok()
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

/// What a panic said.
pub(crate) fn words(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    let text = text.or_else(|| why.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_default()
}

#[test]
fn damaged_text_never_panics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/layouts");
    let (read, refused) = fuzz(&seeds(&folder), 20_000).unwrap();
    assert!(
        read > 1_000 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn damaged_parquet_never_panics() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/layouts/parquet");
    let (read, refused) = fuzz(&seeds(&folder), 4_000).unwrap();
    assert!(
        read > 100 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}
