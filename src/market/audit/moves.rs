//! Findings about prices that move too far: splits nobody recorded, recorded splits the prices do
//! not show, jumps, spikes.
//!
//! "Too far" is judged against the tape's own scale, the median absolute log return, which no
//! number of jumps can move.

use super::tape::Rows;
use super::{FindingKind, Findings, counted, show};
use crate::market::actions::{Action, ActionKind};
use crate::market::calendar::{Calendar, date_of};
use crate::units::Micros;

/// Multiples of the robust standard deviation from which on a move is out of scale. Volatility
/// itself (VIX) moves by 7 of its own on wild days, single stocks by 10 once in decades.
const SCALE_MULTIPLE: f64 = 10.0;
/// No move below this is reported whatever the scale: natural log of 1.35.
const MOVE_LOG_MIN: f64 = 0.300_104_592_450_338_1;
/// Median absolute deviation to standard deviation, for a normal distribution.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;
/// Scale of a tape whose median return is 0.
const SIGMA_MIN: f64 = 0.0005;
/// How near to n or 1/n the open must be to the close before: overnight moves are small.
const OPEN_TOLERANCE: f64 = 0.04;
/// The same for 3-for-2 and 5-for-2, which are rarer than a bad day.
const RARE_TOLERANCE: f64 = 0.02;
/// The same for n of 4 and more: nothing else moves so far overnight.
const LARGE_TOLERANCE: f64 = 0.08;
/// How near the close must then be to the open: a day's own move.
const DAY_TOLERANCE: f64 = 0.25;
/// How near to n or 1/n the close must be to the close before when no open tells.
const CLOSE_TOLERANCE: f64 = 0.025;
/// Nobody splits shares that cost less, and their ticks alone look like ratios.
const SPLIT_PRICE_MIN: f64 = 1.0;
/// Jumps across more sessions than this are the gap's business.
const GAP_SESSIONS: usize = 250;
/// A recorded split is invisible when the move is nearer to 1 than this share of its logarithm.
const INVISIBLE_SHARE: f64 = 0.3;
/// Splits that are named one by one.
const SPLITS_NAMED: usize = 8;

/// What a row's move turned out to be.
enum Move {
    Split(String),
    Jump(f64),
    Spike(f64),
}

/// Judges every move of a tape.
pub(super) fn moves(rows: &Rows<'_>, actions: &[&Action], findings: &mut Findings<'_>) {
    let limit = (SCALE_MULTIPLE * robust_sigma(rows)).max(MOVE_LOG_MIN);
    let (mut splits, mut jumps, mut spikes) = (Vec::new(), Vec::new(), Vec::new());
    let invisible = invisible_splits(rows, actions, findings);
    let mut back_from_spike = false;
    for i in 1..rows.len() {
        if std::mem::take(&mut back_from_spike) || is_after_gap(rows, i) || invisible.contains(&i) {
            continue;
        }
        match judge(rows, i, actions, limit) {
            Some(Move::Split(what)) => splits.push((rows.line(i), what)),
            Some(Move::Jump(ratio)) => jumps.push((i, ratio)),
            Some(Move::Spike(ratio)) => {
                spikes.push((i, ratio));
                let close = rows.close(i) / rows.close(i - 1);
                back_from_spike = libm::log(close).abs() >= limit;
            }
            None => {}
        }
    }
    for (line, what) in splits.iter().take(SPLITS_NAMED) {
        findings.add(FindingKind::Split, &[*line], |_| what.clone(), CURE_SPLIT);
    }
    if splits.len() > SPLITS_NAMED {
        let lines: Vec<u64> = splits[SPLITS_NAMED..]
            .iter()
            .map(|(line, _)| *line)
            .collect();
        let what = |n| {
            format!(
                "{} more that look like splits no action records",
                counted(n, "jump")
            )
        };
        findings.add(FindingKind::Split, &lines, what, CURE_SPLIT);
    }
    gathered(rows, FindingKind::Jump, &jumps, findings);
    gathered(rows, FindingKind::Spike, &spikes, findings);
}

const CURE_SPLIT: &str = "add the split to actions.csv, or use adjusted prices; if the companies differ, cut the file there";

/// Jumps or spikes as one finding that names the largest.
fn gathered(
    rows: &Rows<'_>,
    kind: FindingKind,
    moved: &[(usize, f64)],
    findings: &mut Findings<'_>,
) {
    let size = |ratio: f64| libm::log(ratio).abs();
    let largest = moved.iter().max_by(|a, b| size(a.1).total_cmp(&size(b.1)));
    let Some((i, ratio)) = largest else {
        return;
    };
    let lines: Vec<u64> = moved.iter().map(|(i, _)| rows.line(*i)).collect();
    let when = show(rows.time(*i));
    let (what, cure) = match kind {
        FindingKind::Spike => (
            format!(
                "{} with a price far from the closes before and after, the farthest at {} on {when}",
                counted(moved.len(), "bar"),
                times(*ratio)
            ),
            "a stray print: stops and limits would fill on it; mend the bar from the source",
        ),
        _ => (
            format!(
                "{} beyond the scale of this tape, the largest to {} on {when}",
                counted(moved.len(), "move"),
                times(*ratio)
            ),
            "news, an action nobody recorded, or another security: look, and record what it was",
        ),
    };
    findings.add(kind, &lines, |_| what, cure);
}

/// A ratio in words: `1.37 times`, or `1/17` when it is small.
fn times(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("1/{:.0}", 1.0 / ratio)
    } else {
        format!("{ratio:.2} times")
    }
}

/// Standard deviation of log returns from bar to bar, from their median absolute value.
fn robust_sigma(rows: &Rows<'_>) -> f64 {
    let mut sizes: Vec<f64> = (1..rows.len())
        .map(|i| libm::log(rows.close(i) / rows.close(i - 1)).abs())
        .filter(|size| size.is_finite())
        .collect();
    if sizes.is_empty() {
        return SIGMA_MIN;
    }
    let middle = sizes.len() / 2;
    let median = *sizes.select_nth_unstable_by(middle, f64::total_cmp).1;
    (median * MAD_TO_SIGMA).max(SIGMA_MIN)
}

/// Whether the row comes after so long a gap that its price says nothing about the one before.
fn is_after_gap(rows: &Rows<'_>, i: usize) -> bool {
    let (from, to) = (date_of(rows.time(i - 1)), date_of(rows.time(i)));
    let calendar = match rows.calendar {
        Calendar::None => Calendar::Weekdays,
        other => other,
    };
    (to - from).num_days() > GAP_SESSIONS as i64
        && calendar.sessions_between(from, to) > GAP_SESSIONS
}

/// What recorded actions say the price before is worth on the new row.
fn explained(actions: &[&Action], from: Micros, to: Micros, close: f64) -> f64 {
    let mut close = close;
    for action in actions.iter().filter(|a| a.time > from && a.time <= to) {
        match action.kind {
            ActionKind::Split => close /= action.value,
            ActionKind::Dividend | ActionKind::SpecialDividend if action.value < close => {
                close -= action.value;
            }
            _ => {}
        }
    }
    close
}

/// What the move into row `i` is, if it is out of scale.
fn judge(rows: &Rows<'_>, i: usize, actions: &[&Action], limit: f64) -> Option<Move> {
    let before = explained(actions, rows.time(i - 1), rows.time(i), rows.close(i - 1));
    let close = rows.close(i) / before;
    let open = rows.open(i) / before;
    let size = |ratio: f64| libm::log(ratio).abs();
    if size(close) >= limit {
        let next = (i + 1 < rows.len()).then(|| rows.close(i + 1) / before);
        if next.is_some_and(|n| size(n) < 0.5 * size(close) && !rows.tape.closes_only)
            || next.is_some_and(|n| size(n) < 0.1 * size(close))
        {
            return Some(Move::Spike(close));
        }
        let stays = next.is_none_or(|n| (n / close - 1.0).abs() < DAY_TOLERANCE);
        let split = split_ratio(open, close, rows.tape.closes_only)
            .filter(|ratio| stays && (*ratio < 1.0 || before >= SPLIT_PRICE_MIN));
        return Some(match split {
            Some(ratio) => Move::Split(describe(rows, i, ratio, open, close, limit)),
            None => Move::Jump(close),
        });
    }
    // The close stayed: a range that went far away and came back is a stray print.
    let (top, bottom) = (before.max(rows.close(i)), before.min(rows.close(i)));
    let (high, low) = (rows.high(i) / top, rows.low(i) / bottom);
    [open, high, low]
        .into_iter()
        .find(|ratio| size(*ratio) >= limit)
        .map(Move::Spike)
}

/// The split that a move looks like: how many new shares for one old (below 1 for a reverse one).
fn split_ratio(open: f64, close: f64, closes_only: bool) -> Option<f64> {
    let by_open = nearest_ratio(open, None);
    if let Some(ratio) = by_open
        && !closes_only
        && (close / open - 1.0).abs() < DAY_TOLERANCE
    {
        return Some(ratio);
    }
    // With an open that says otherwise only large ratios are believed, a stock can halve in a day;
    // without opens not those of a bad day either.
    nearest_ratio(close, Some(CLOSE_TOLERANCE)).filter(|ratio| {
        let n = ratio.max(1.0 / ratio);
        if closes_only {
            n == n.round()
        } else {
            n >= 3.0
        }
    })
}

/// The nearest usual split to a price ratio (price after / price before), if it is near enough.
/// Reverse splits are by whole numbers.
pub(super) fn nearest_ratio(price: f64, tolerance: Option<f64>) -> Option<f64> {
    let is_reverse = price > 1.0;
    let n = if is_reverse { price } else { 1.0 / price };
    let (usual, near) = match n {
        ..1.75 if !is_reverse => (1.5, RARE_TOLERANCE),
        2.25..2.75 if !is_reverse => (2.5, RARE_TOLERANCE),
        ..2.5 => (2.0, OPEN_TOLERANCE),
        2.5..3.5 => (3.0, OPEN_TOLERANCE),
        _ => (n.round(), LARGE_TOLERANCE),
    };
    let fits = (n / usual - 1.0).abs() <= tolerance.unwrap_or(near).min(near);
    fits.then_some(if is_reverse { 1.0 / usual } else { usual })
}

/// A split in words, from new shares for one old.
pub(super) fn split_name(ratio: f64) -> String {
    match ratio {
        1.5 => "3-for-2 split".to_owned(),
        2.5 => "5-for-2 split".to_owned(),
        r if r > 1.0 => format!("{r:.0}-for-1 split"),
        r => format!("1-for-{:.0} reverse split", 1.0 / r),
    }
}

/// The finding of a split that no action records.
fn describe(rows: &Rows<'_>, i: usize, ratio: f64, open: f64, close: f64, limit: f64) -> String {
    let name = split_name(ratio);
    let mut what = format!(
        "the close goes from {} to {} on {}, as by a {name} that no action records",
        rows.close(i - 1),
        rows.close(i),
        show(rows.time(i))
    );
    if libm::log(open / close).abs() >= limit {
        what.push_str(&format!(
            "; the bar mixes two prices, its open is {}",
            rows.open(i)
        ));
    }
    what
}

/// Recorded splits at which the price does not move: the prices are adjusted already. Gives their
/// rows.
fn invisible_splits(
    rows: &Rows<'_>,
    actions: &[&Action],
    findings: &mut Findings<'_>,
) -> Vec<usize> {
    let mut invisible = Vec::new();
    for split in actions.iter().filter(|a| a.kind == ActionKind::Split) {
        let expected = libm::log(split.value).abs();
        let Some(i) = (1..rows.len()).find(|&i| rows.time(i) >= split.time) else {
            continue;
        };
        if rows.time(i - 1) >= split.time || expected < MOVE_LOG_MIN {
            continue;
        }
        let moved = libm::log(rows.close(i) / rows.close(i - 1));
        let unexplained = moved + libm::log(split.value);
        if moved.abs() < INVISIBLE_SHARE * expected
            && unexplained.abs() > (1.0 - INVISIBLE_SHARE) * expected
        {
            let what = format!(
                "the actions record a split of {} on {}, and the price goes from {} to {}",
                split.value,
                show(split.time),
                rows.close(i - 1),
                rows.close(i)
            );
            let cure =
                "the prices are adjusted already: take the split out, or use prices as traded";
            findings.add(
                FindingKind::SplitNotInPrices,
                &[rows.line(i)],
                |_| what,
                cure,
            );
            invisible.push(i);
        }
    }
    invisible
}
