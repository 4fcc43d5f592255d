//! Puts tapes on one clock: the union of their moments, and where each bar stands on it.

use crate::error::{Error, Problem, Result};
use crate::market::{Calendar, Interval, Market, Tape, periods_a_year};
use crate::units::Micros;
use std::cmp::Ordering;
use std::sync::Arc;

/// A time column and where its moments stand on the clock.
type Placed = (Arc<Vec<Micros>>, Arc<Vec<u32>>);

/// Sorts the tapes by symbol, shares equal time columns, and builds the union clock.
///
/// # Errors
/// No tape, a symbol twice, or more moments than a `u32` counts.
pub(crate) fn align(mut tapes: Vec<Tape>) -> Result<Market> {
    if tapes.is_empty() {
        return Err(Error::msg("there are no prices"));
    }
    tapes.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    check_unique(&tapes)?;
    share_times(&mut tapes);
    let clock = union(&tapes);
    if u32::try_from(clock.len()).is_err() {
        return Err(Error::msg(format!(
            "{} moments are more than one market holds (4,294,967,295)",
            clock.len()
        )));
    }
    let mut placed: Vec<Placed> = Vec::new();
    for tape in &mut tapes {
        let time = &tape.bars.time;
        if time.len() == clock.len() {
            continue; // A subset of the clock that is as long as the clock is the clock.
        }
        let known = placed.iter().find(|(other, _)| Arc::ptr_eq(other, time));
        let indices = match known {
            Some((_, indices)) => indices.clone(),
            None => Arc::new(positions(time, &clock)),
        };
        if known.is_none() {
            placed.push((time.clone(), indices.clone()));
        }
        tape.on_clock = Some(indices);
    }
    Ok(Market {
        calendar: Calendar::infer(&clock),
        interval: Interval::infer(&clock),
        periods: periods_a_year(&clock),
        clock,
        tapes,
        ..Market::default()
    })
}

fn check_unique(tapes: &[Tape]) -> Result<()> {
    let Some(pair) = tapes.windows(2).find(|w| w[0].symbol == w[1].symbol) else {
        return Ok(());
    };
    let files = [pair[0].file.as_str(), pair[1].file.as_str()];
    let message = if files[0].is_empty() || files[0] == files[1] {
        format!("the symbol {} is there twice", pair[0].symbol)
    } else {
        format!(
            "the symbol {} is in {} and in {}",
            pair[0].symbol, files[0], files[1]
        )
    };
    Err(Error::new(Problem::new(message).help(
        "move one of the two away, or name one file as the source",
    )))
}

/// Symbols with the same rows hold one time column. Looks back over a few distinct columns only:
/// sharing saves memory, and nothing depends on it.
fn share_times(tapes: &mut [Tape]) {
    const LOOK_BACK: usize = 8;
    let mut recent: Vec<Arc<Vec<Micros>>> = Vec::new();
    for tape in tapes {
        let time = &tape.bars.time;
        match recent.iter().rev().find(|other| *other == time) {
            Some(same) => tape.bars.time = same.clone(),
            None => {
                if recent.len() == LOOK_BACK {
                    recent.remove(0);
                }
                recent.push(time.clone());
            }
        }
    }
}

/// The union of all time columns, in one pass a distinct column.
fn union(tapes: &[Tape]) -> Arc<Vec<Micros>> {
    let longest = tapes.iter().max_by_key(|tape| tape.bars.len());
    let mut clock = longest.map_or_else(Arc::default, |tape| tape.bars.time.clone());
    for tape in tapes {
        let time = &tape.bars.time;
        if !Arc::ptr_eq(time, &clock) && !is_subset(time, &clock) {
            clock = Arc::new(merge(time, &clock));
        }
    }
    clock
}

fn is_subset(time: &[Micros], clock: &[Micros]) -> bool {
    let mut at = clock.iter();
    time.iter()
        .all(|t| at.by_ref().find(|c| *c >= t).is_some_and(|c| c == t))
}

fn merge(a: &[Micros], b: &[Micros]) -> Vec<Micros> {
    let mut out = Vec::with_capacity(a.len().max(b.len()));
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let order = a[i].cmp(&b[j]);
        out.push(a[i].min(b[j]));
        i += usize::from(order != Ordering::Greater);
        j += usize::from(order != Ordering::Less);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// Where each moment of `time` stands on the clock that contains it.
fn positions(time: &[Micros], clock: &[Micros]) -> Vec<u32> {
    let mut at = 0_usize;
    time.iter()
        .map(|t| {
            while clock[at] < *t {
                at += 1;
            }
            // `align` has checked that the clock fits in u32.
            at as u32
        })
        .collect()
}
