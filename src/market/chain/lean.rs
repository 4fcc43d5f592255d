//! Quotes of Lean (QuantConnect): a zip of text files, one a contract, whose names say which.
//!
//! `aapl_quote_american_call_6450000_20140621.csv` in a file of a year, and with a date before it in a
//! file of a day. Rows are a time, bid open, high, low, close, size, and the same of the ask; prices
//! and strikes are in ten-thousandths. Only what such files use of the zip format is read: entries
//! that are stored or deflated. Source: PKWARE, APPNOTE.TXT 6.3.

use super::layout::Places;
use super::read::{ALL_FIELDS, Field, RawQuotes, Row};
use crate::error::{Error, Problem, Result};
use crate::instrument::Right;
use crate::market::moment;
use crate::units::Micros;
use flate2::read::DeflateDecoder;
use std::io::Read;

/// Bytes that an entry may unpack to.
const ENTRY_BYTES_MAX: u64 = 1 << 28;

/// Whether a zip holds files of quotes by Lean.
pub(super) fn is_lean(bytes: &[u8]) -> bool {
    entries(bytes).is_some_and(|all| all.iter().any(|entry| Contract::of(&entry.name).is_some()))
}

/// Reads the quotes of a zip.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<RawQuotes> {
    let damaged = |what: &str| Error::from(Problem::new(what).in_file(file));
    let all = entries(bytes).ok_or_else(|| damaged("the zip file is damaged"))?;
    let mut raw = RawQuotes {
        layout: "Lean",
        ..RawQuotes::default()
    };
    let mut known = false;
    for entry in &all {
        let Some(contract) = Contract::of(&entry.name) else {
            continue;
        };
        known = true;
        let text = entry
            .unpack(bytes)
            .ok_or_else(|| damaged("an entry of the zip file is damaged"))?;
        contract.push(&mut raw, &text);
    }
    if known {
        Ok(raw)
    } else {
        Err(damaged("no quotes of options in this zip file"))
    }
}

struct Entry {
    name: String,
    deflated: bool,
    size: usize,
    offset: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes([two[0], two[1]])))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes([four[0], four[1], four[2], four[3]])).ok()
}

/// The entries of the central directory; `None` when it is damaged.
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    // The end record has 22 bytes and a comment of at most 65,535.
    let last = bytes.len().checked_sub(22)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let end = (first..=last)
        .rev()
        .find(|at| bytes[*at..].starts_with(b"PK\x05\x06"))?;
    let count = u16_at(bytes, end + 10)?;
    let mut at = u32_at(bytes, end + 16)?;
    let mut all = Vec::new();
    for _ in 0..count {
        if !bytes.get(at..)?.starts_with(b"PK\x01\x02") {
            return None;
        }
        let method = u16_at(bytes, at + 10)?;
        let (name_length, extra, comment) = (
            u16_at(bytes, at + 28)?,
            u16_at(bytes, at + 30)?,
            u16_at(bytes, at + 32)?,
        );
        let name = bytes.get(at + 46..at + 46 + name_length)?;
        if matches!(method, 0 | 8) {
            all.push(Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                deflated: method == 8,
                size: u32_at(bytes, at + 20)?,
                offset: u32_at(bytes, at + 42)?,
            });
        }
        at += 46 + name_length + extra + comment;
    }
    Some(all)
}

impl Entry {
    fn unpack(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let header = bytes.get(self.offset..)?;
        if !header.starts_with(b"PK\x03\x04") {
            return None;
        }
        let start = 30 + u16_at(header, 26)? + u16_at(header, 28)?;
        let packed = header.get(start..start.checked_add(self.size)?)?;
        if !self.deflated {
            return Some(packed.to_vec());
        }
        let mut text = Vec::new();
        let mut decoder = DeflateDecoder::new(packed).take(ENTRY_BYTES_MAX);
        decoder.read_to_end(&mut text).ok()?;
        Some(text)
    }
}

/// What the name of an entry says.
struct Contract {
    root: String,
    right: Right,
    strike: f64,
    expiration: Micros,
    /// The date of a file of one day, whose rows count milliseconds from its midnight.
    day: Option<Micros>,
}

impl Contract {
    fn of(name: &str) -> Option<Contract> {
        let name = name.rsplit(['/', '\\']).next()?.strip_suffix(".csv")?;
        let words: Vec<&str> = name.split('_').collect();
        let [before @ .., kind, _style, right, strike, expiration] = words.as_slice() else {
            return None;
        };
        if *kind != "quote" {
            return None;
        }
        let (root, day) = match before {
            [root] => (root, None),
            [day, root, _resolution] => (root, Some(moment::parse(day.as_bytes())?)),
            _ => return None,
        };
        Some(Contract {
            root: root.to_uppercase(),
            right: Right::parse(right)?,
            strike: strike.parse::<u64>().ok()? as f64 / SCALE,
            expiration: moment::parse(expiration.as_bytes())?,
            day,
        })
    }

    fn push(&self, raw: &mut RawQuotes, text: &[u8]) {
        let mut filled: Places = [None; ALL_FIELDS.len()];
        filled[Field::Bid as usize] = Some(4);
        filled[Field::Ask as usize] = Some(9);
        for (number, line) in (1_u64..).zip(text.split(|b| *b == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let cells: Vec<&[u8]> = line.split(|b| *b == b',').collect();
            let price = |at: usize| {
                let cell = cells.get(at).copied().unwrap_or_default();
                fast_float2::parse::<f64, _>(cell).map_or(f64::NAN, |price| price / SCALE)
            };
            let time = match self.day {
                None => moment::parse(cells[0]),
                Some(day) => fast_float2::parse::<f64, _>(cells[0])
                    .ok()
                    .filter(|ms| (0.0..86_400_000.0).contains(ms))
                    .map(|ms| day + (ms * 1000.0) as Micros),
            };
            let mut numbers = [f64::NAN; ALL_FIELDS.len()];
            numbers[Field::Bid as usize] = price(4);
            numbers[Field::Ask as usize] = price(9);
            let row = Row {
                line: number,
                time,
                expiration: Some(self.expiration),
                strike: self.strike,
                right: Some(self.right),
                underlying: &self.root,
                root: &self.root,
                symbol: "",
                numbers,
            };
            raw.push(&row, &self.root, &filled);
        }
    }
}

/// What prices and strikes are multiplied by.
const SCALE: f64 = 10_000.0;
