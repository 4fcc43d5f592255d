//! The underlying price of a chain against the bars of that underlying: on either side of a split
//! that one of the two files knows and the other does not, strikes and prices live in different worlds.

use super::chain::some;
use super::{Finding, FindingKind, Findings, counted, moves};
use crate::market::calendar::date_of;
use crate::market::load::{RawTape, ReadOptions, read_raw};
use crate::units::{DAY_MICROS, Micros};
use std::collections::BTreeMap;
use std::path::Path;

/// A price may lie so far outside the range of the day's bars: it was taken a little earlier or later.
const SLACK: f64 = 0.01;
/// Endings of a file of bars beside a chain.
const BESIDE: [&str; 4] = ["csv", "parquet", "csv.gz", "txt"];

/// What a chain says of one underlying: line, moment and price, once a moment.
#[derive(Debug, Default)]
pub(super) struct Spots {
    /// The underlying.
    pub(super) symbol: String,
    /// Rows in the order of time.
    pub(super) rows: Vec<(u64, Micros, f64)>,
}

/// Lowest and highest price of each date.
fn ranges(tape: &RawTape) -> BTreeMap<i64, (f64, f64)> {
    let mut all: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (row, time) in tape.time.iter().enumerate() {
        let of_day = all.entry(time.div_euclid(DAY_MICROS));
        let range = of_day.or_insert((f64::INFINITY, f64::NEG_INFINITY));
        for price in [tape.low[row], tape.high[row], tape.close[row]] {
            if price > 0.0 {
                *range = (range.0.min(price), range.1.max(price));
            }
        }
    }
    all
}

/// Compares the chain at `path` with the bars of its underlyings: those that were looked at with it,
/// else a file of the underlying's name beside it. Underlyings without bars are passed over.
pub(super) fn compare(
    path: &Path,
    spots: &[Spots],
    tapes: &[&RawTape],
    options: &ReadOptions,
    found: &mut Vec<Finding>,
) {
    let file = path.display().to_string();
    for of in spots {
        let given = tapes.iter().find(|tape| tape.symbol == of.symbol);
        let beside = match given {
            Some(_) => None,
            None => tape_beside(path, &of.symbol, options),
        };
        if let Some(tape) = given.copied().or(beside.as_ref()) {
            let mut findings = Findings {
                file: &file,
                symbol: &of.symbol,
                found,
            };
            tell(of, tape, &mut findings);
        }
    }
}

fn tape_beside(path: &Path, symbol: &str, options: &ReadOptions) -> Option<RawTape> {
    // A name with a separator in it would lead elsewhere.
    if symbol.contains(['/', '\\']) {
        return None;
    }
    let files = BESIDE.map(|ending| path.with_file_name(format!("{symbol}.{ending}")));
    let mut files = files
        .into_iter()
        .filter(|file| file.is_file() && file != path);
    let tapes = read_raw(&files.next()?, &options.columns).ok()?;
    tapes.into_iter().find(|tape| tape.symbol == symbol)
}

fn tell(spots: &Spots, tape: &RawTape, findings: &mut Findings<'_>) {
    let ranges = ranges(tape);
    let (mut lines, mut shown, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for (line, time, price) in &spots.rows {
        let Some((low, high)) = ranges.get(&time.div_euclid(DAY_MICROS)) else {
            continue;
        };
        if *price < low * (1.0 - SLACK) || *price > high * (1.0 + SLACK) {
            lines.push(*line);
            // How many times the bars the chain is, or the other way round.
            ratios.push(price / (0.5 * (low + high)));
            let date = date_of(*time).to_string();
            if shown.last() != Some(&date) {
                shown.push(date);
            }
        }
    }
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.get(ratios.len() / 2).copied().unwrap_or(1.0);
    // Which of the two knows the split cannot be told: the ratio is that of old to new prices.
    let far = libm::log(middle).abs() > 0.25;
    let split = moves::nearest_ratio(middle.min(1.0 / middle), None).filter(|_| far);
    let as_by = split.map_or(String::new(), |ratio| {
        format!(", as by a {} between them", moves::split_name(ratio))
    });
    findings.add(
        FindingKind::ChainTapeMismatch,
        &lines,
        |_| {
            format!(
                "the underlying price is more than 1% outside the bars of {} on {}: {}{as_by}",
                tape.file,
                counted(shown.len(), "date"),
                some(&shown)
            )
        },
        "strikes are in the money of the quotes: use bars as traded beside a chain, with the splits in actions.csv",
    );
}
