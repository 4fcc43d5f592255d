//! Findings about the rows of one symbol: order, cells, bars that cannot be, bars that repeat.
//!
//! Gaps are in `gaps.rs`, jumps in `moves.rs`; both get the rows that this file found usable.

use super::{Finding, FindingKind, Findings, counted, gaps, moves, show, unreadable};
use crate::market::actions::Action;
use crate::market::calendar::{Calendar, Interval, date_of};
use crate::market::load::RawTape;
use crate::units::Micros;
use chrono::{Datelike, Weekday};

/// Beyond this share of the price an open or close outside its bar is more than rounding.
const OUTSIDE_SHARE: f64 = 0.0001;
/// A file of four prices has too many bars of one price from this share on; illiquid symbols and
/// minute bars aside, an opening price equals all others about never.
const FLAT_SHARE: f64 = 0.02;
/// And from this number on, so that a short file with one quiet day is not accused.
const FLAT_ROWS: usize = 5;
/// A year whose opens equal the close before on so many days has opens that were made up.
const OPEN_IS_CLOSE_SHARE: f64 = 0.9;
/// Days in a year below which that share says nothing.
const OPEN_IS_CLOSE_DAYS: usize = 20;
/// A run of equal closes as long as this is no market that moves (bars of a day or more).
const STALE_RUN: usize = 8;
/// Money that changes hands on a day below which a fill of any size is imagined.
const THIN_MONEY: f64 = 50_000.0;
/// A column is taken for one that has values if so much of it before its zeros is not zero.
const COLUMN_FILLED_SHARE: f64 = 0.9;
/// Rows of zeros at the end of a column from which on it is reported.
const COLUMN_ZEROS: usize = 3;

/// The usable rows of a tape: in the order of time, one a moment, all four prices above 0.
pub(super) struct Rows<'a> {
    pub(super) tape: &'a RawTape,
    pub(super) calendar: Calendar,
    pub(super) interval: Interval,
    /// Indices of the usable rows.
    pub(super) order: Vec<usize>,
    /// Times of the rows that are there without being usable, sorted.
    pub(super) unusable: Vec<Micros>,
}

impl Rows<'_> {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }
    pub(super) fn time(&self, i: usize) -> Micros {
        self.tape.time[self.order[i]]
    }
    pub(super) fn line(&self, i: usize) -> u64 {
        self.tape.line[self.order[i]]
    }
    pub(super) fn open(&self, i: usize) -> f64 {
        self.tape.open[self.order[i]]
    }
    pub(super) fn high(&self, i: usize) -> f64 {
        self.tape.high[self.order[i]]
    }
    pub(super) fn low(&self, i: usize) -> f64 {
        self.tape.low[self.order[i]]
    }
    pub(super) fn close(&self, i: usize) -> f64 {
        self.tape.close[self.order[i]]
    }
    pub(super) fn volume(&self, i: usize) -> f64 {
        self.tape.volume[self.order[i]]
    }
    /// How many unusable rows stand between usable row `i` and the one before: they are faults of
    /// their own, not gaps.
    pub(super) fn unusable_between(&self, i: usize) -> usize {
        let (from, to) = (self.time(i - 1), self.time(i));
        self.unusable.partition_point(|t| *t < to) - self.unusable.partition_point(|t| *t <= from)
    }
    /// Lines of the rows that a test picks.
    pub(super) fn lines_where(&self, test: impl Fn(usize) -> bool) -> Vec<u64> {
        (0..self.len())
            .filter(|&i| test(i))
            .map(|i| self.line(i))
            .collect()
    }
}

/// The calendar that the dates of all symbols of a file show.
pub(super) fn calendar_of_file(tapes: &[RawTape], file: &str) -> Calendar {
    let mut times: Vec<Micros> = tapes
        .iter()
        .filter(|t| t.file == file)
        .flat_map(|t| t.time.iter().copied())
        .collect();
    times.sort_unstable();
    times.dedup();
    Calendar::infer(&times)
}

/// All findings about one symbol's rows.
pub(super) fn audit_tape(
    tape: &RawTape,
    actions: &[&Action],
    calendar: Calendar,
    found: &mut Vec<Finding>,
) {
    found.extend(unreadable(&tape.file, &tape.symbol, &tape.problems));
    let mut findings = Findings {
        file: &tape.file,
        symbol: &tape.symbol,
        found,
    };
    if tape.time.is_empty() {
        if tape.problems.is_empty() {
            findings.add_counted(
                FindingKind::Unreadable,
                &[],
                0,
                "there is no row".to_owned(),
                "take the file out",
            );
        }
        return;
    }
    cells(tape, &mut findings);
    let sorted = sorted_rows(tape, &mut findings);
    let is_price = |x: f64| x > 0.0 && x.is_finite();
    let (order, unusable): (Vec<usize>, Vec<usize>) = sorted.into_iter().partition(|&i| {
        let prices = [tape.open[i], tape.high[i], tape.low[i], tape.close[i]];
        prices.into_iter().all(is_price)
    });
    let times: Vec<Micros> = order.iter().map(|&i| tape.time[i]).collect();
    let rows = Rows {
        tape,
        calendar,
        interval: Interval::infer(&times),
        order,
        unusable: unusable.into_iter().map(|i| tape.time[i]).collect(),
    };
    if rows.len() == 0 {
        return;
    }
    shapes(&rows, &mut findings);
    repeats(&rows, &mut findings);
    opens(&rows, &mut findings);
    volumes(&rows, &mut findings);
    further_columns(tape, &mut findings);
    days(&rows, &mut findings);
    gaps::gaps(&rows, &mut findings);
    moves::moves(&rows, actions, &mut findings);
}

/// Cells that are no price.
fn cells(tape: &RawTape, findings: &mut Findings<'_>) {
    let prices = |i: usize| [tape.open[i], tape.high[i], tape.low[i], tape.close[i]];
    let lines = |test: &dyn Fn([f64; 4]) -> bool| -> Vec<u64> {
        (0..tape.time.len())
            .filter(|&i| test(prices(i)))
            .map(|i| tape.line[i])
            .collect()
    };
    let is_gone = |x: &f64| x.is_nan();
    let empty = lines(&|p| p.iter().all(is_gone));
    findings.add(
        FindingKind::EmptyRow,
        &empty,
        |n| format!("{} without any price", counted(n, "row")),
        "such rows are no bars; take them out, or fill them from the source",
    );
    let missing = lines(&|p| p.iter().any(is_gone) && !p.iter().all(is_gone));
    findings.add(
        FindingKind::MissingPrice,
        &missing,
        |n| format!("{} with some of their prices missing", counted(n, "row")),
        "fill the cells from the source, or take the rows out",
    );
    findings.add(
        FindingKind::ZeroPrice,
        &lines(&|p| p.contains(&0.0)),
        |n| format!("{} with a price of 0", counted(n, "row")),
        "a missing price was written as 0: fill it, or take the rows out",
    );
    findings.add(
        FindingKind::NegativePrice,
        &lines(&|p| p.iter().any(|x| *x < 0.0 || x.is_infinite())),
        |n| format!("{} with a price below 0 or without bound", counted(n, "row")),
        "returns and positions in percent need prices above 0: use another contract or shift the series",
    );
}

/// Rows in the order of time, one a moment; what had to be done for that is a finding.
fn sorted_rows(tape: &RawTape, findings: &mut Findings<'_>) -> Vec<usize> {
    let back: Vec<u64> = (1..tape.time.len())
        .filter(|&i| tape.time[i] < tape.time[i - 1])
        .map(|i| tape.line[i])
        .collect();
    findings.add(
        FindingKind::Unsorted,
        &back,
        |n| format!("time goes back {}", counted(n, "time")),
        "sort the rows by time",
    );
    let mut order: Vec<usize> = (0..tape.time.len()).collect();
    order.sort_by_key(|&i| tape.time[i]);
    let row = |i: usize| {
        [
            tape.open[i],
            tape.high[i],
            tape.low[i],
            tape.close[i],
            tape.volume[i],
        ]
        .map(f64::to_bits)
    };
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for pair in order.windows(2) {
        if tape.time[pair[0]] == tape.time[pair[1]] {
            let list = if row(pair[0]) == row(pair[1]) {
                &mut same
            } else {
                &mut other
            };
            list.push(tape.line[pair[1]]);
        }
    }
    findings.add(
        FindingKind::Duplicate,
        &same,
        |n| {
            format!(
                "{} with the moment and the cells of another",
                counted(n, "row")
            )
        },
        "keep one of each",
    );
    findings.add(
        FindingKind::ConflictingDuplicate,
        &other,
        |n| format!("{} with the moment of another row and other prices", counted(n, "row")),
        "find out which row is right, or whether several symbols share the file (then name the symbol column)",
    );
    order.dedup_by_key(|i| tape.time[*i]);
    order
}

/// Bars that cannot be.
fn shapes(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    if rows.tape.closes_only {
        let what = "the file has closes only: open, high and low are taken to be the close";
        let cure = "stops inside a bar and fills at the open mean nothing on it; decide and fill at closes";
        findings.add_counted(
            FindingKind::ClosesOnly,
            &[],
            rows.len(),
            what.to_owned(),
            cure,
        );
        return;
    }
    findings.add(
        FindingKind::HighBelowLow,
        &rows.lines_where(|i| rows.high(i) < rows.low(i)),
        |n| format!("{} with the high below the low", counted(n, "row")),
        "the two are exchanged or one is wrong: mend them from the source",
    );
    let outside = |price: f64, i: usize| {
        let slack = OUTSIDE_SHARE * price;
        rows.high(i) >= rows.low(i) && (price > rows.high(i) + slack || price < rows.low(i) - slack)
    };
    findings.add(
        FindingKind::OpenOutside,
        &rows.lines_where(|i| outside(rows.open(i), i)),
        |n| {
            format!(
                "{} with the open above the high or below the low",
                counted(n, "bar")
            )
        },
        "orders at the open fill at prices nobody traded: mend them, or fill at the close",
    );
    findings.add(
        FindingKind::CloseOutside,
        &rows.lines_where(|i| outside(rows.close(i), i)),
        |n| {
            format!(
                "{} with the close above the high or below the low",
                counted(n, "bar")
            )
        },
        "close and range come from different sources: mend them",
    );
    let is_flat = |i: usize| {
        rows.high(i) == rows.low(i) && rows.open(i) == rows.close(i) && rows.open(i) == rows.high(i)
    };
    let flat: Vec<usize> = (0..rows.len()).filter(|&i| is_flat(i)).collect();
    let many = flat.len() >= FLAT_ROWS && flat.len() as f64 >= FLAT_SHARE * rows.len() as f64;
    if let (Some(&first), Some(&last)) = (flat.first(), flat.last())
        && many
        && !rows.interval.is_intraday()
    {
        let lines: Vec<u64> = flat.iter().map(|&i| rows.line(i)).collect();
        let (from, to) = (show(rows.time(first)), show(rows.time(last)));
        findings.add(
            FindingKind::Flat,
            &lines,
            |n| {
                format!(
                    "{} of one price (open = high = low = close) from {from} to {to}",
                    counted(n, "bar")
                )
            },
            "no range was recorded there: start after them, or use closes only",
        );
    }
}

/// Bars that repeat the one before.
fn repeats(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    let copies = |i: usize| {
        let (a, b) = (rows.order[i - 1], rows.order[i]);
        let t = rows.tape;
        let same = |column: &[f64]| column[a].to_bits() == column[b].to_bits();
        let has_range = rows.high(i) > rows.low(i);
        let traded = !rows.tape.has_volume || (same(&t.volume) && t.volume[b] > 0.0);
        has_range && traded && same(&t.open) && same(&t.high) && same(&t.low) && same(&t.close)
    };
    findings.add(
        FindingKind::Stale,
        &rows.lines_where(|i| i > 0 && copies(i)),
        |n| {
            format!(
                "{} equal to the bar before in every digit",
                counted(n, "bar")
            )
        },
        "a day was filled with the one before: take the copies out",
    );
    if rows.interval.is_intraday() {
        return;
    }
    let mut lines = Vec::new();
    let (mut start, mut longest) = (0, 0);
    for i in 1..=rows.len() {
        if i < rows.len() && rows.close(i) == rows.close(start) {
            continue;
        }
        if i - start >= STALE_RUN {
            lines.push(rows.line(start));
            longest = longest.max(i - start);
        }
        start = i;
    }
    findings.add(
        FindingKind::Stale,
        &lines,
        |n| {
            format!(
                "{} of {STALE_RUN} and more bars with one close, the longest {longest} bars",
                counted(n, "run")
            )
        },
        "prices stand still: not traded, or filled forward; take the copies out",
    );
}

/// Opens that are the close before, year after year.
fn opens(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    // Around the clock one bar opens where the last one closed.
    let is_rested = matches!(rows.calendar, Calendar::Nyse | Calendar::Weekdays);
    if rows.tape.closes_only || rows.interval != Interval::Day || !is_rested {
        return;
    }
    let (mut years, mut lines, mut count): (Vec<i32>, Vec<u64>, usize) =
        (Vec::new(), Vec::new(), 0);
    let indices: Vec<usize> = (1..rows.len()).collect();
    let year = |i: usize| date_of(rows.time(i)).year();
    for days in indices.chunk_by(|a, b| year(*a) == year(*b)) {
        let same = days
            .iter()
            .filter(|&&i| rows.open(i) == rows.close(i - 1))
            .count();
        if days.len() >= OPEN_IS_CLOSE_DAYS
            && same as f64 >= OPEN_IS_CLOSE_SHARE * days.len() as f64
        {
            years.push(year(days[0]));
            lines.push(rows.line(days[0]));
            count += same;
        }
    }
    if let (Some(first), Some(last)) = (years.first(), years.last()) {
        let span = if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        };
        let what = format!(
            "nearly all opens of {} ({span}) equal the close of the day before",
            counted(years.len(), "year")
        );
        let cure = "the opens were made up, so a fill at the next open is one at the deciding close: say so, or start later";
        findings.add_counted(FindingKind::OpenIsPreviousClose, &lines, count, what, cure);
    }
}

/// Volume: absent, below 0, next to nothing.
fn volumes(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    if !rows.tape.has_volume {
        return;
    }
    let zero = rows.lines_where(|i| rows.volume(i) == 0.0);
    let all = zero.len() == rows.len();
    findings.add(
        FindingKind::ZeroVolume,
        &zero,
        |n| {
            if all {
                "the volume is always 0".to_owned()
            } else {
                format!("{} with a volume of 0", counted(n, "bar"))
            }
        },
        "the volume was not recorded: volume_cap and indicators of volume mean nothing there",
    );
    findings.add(
        FindingKind::MissingVolume,
        &rows.lines_where(|i| rows.volume(i).is_nan()),
        |n| format!("{} without a volume", counted(n, "bar")),
        "fill the cells, or leave volume out of the rules",
    );
    findings.add(
        FindingKind::NegativeVolume,
        &rows.lines_where(|i| rows.volume(i) < 0.0),
        |n| format!("{} with a volume below 0", counted(n, "bar")),
        "a counter overflowed or a sign is wrong: mend them",
    );
    if rows.interval == Interval::Day && rows.calendar == Calendar::Nyse {
        let money = |i: usize| rows.volume(i) * rows.close(i);
        findings.add(
            FindingKind::ThinTrading,
            &rows.lines_where(|i| rows.volume(i) > 0.0 && money(i) < THIN_MONEY),
            |n| {
                format!(
                    "{} on which less than {THIN_MONEY:.0} in money changed hands",
                    counted(n, "day")
                )
            },
            "fills there are imagined: set volume_cap, or leave the symbol out until it trades",
        );
    }
}

/// Further columns that turn to 0 and stay there: zeros written for "not known yet".
fn further_columns(tape: &RawTape, findings: &mut Findings<'_>) {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for (name, column) in &tape.extra {
        let start = column.iter().rposition(|x| *x != 0.0).map_or(0, |i| i + 1);
        let filled = column[..start].iter().filter(|x| **x != 0.0).count();
        let zeros = column.len() - start;
        if zeros >= COLUMN_ZEROS && start > 0 && filled as f64 >= COLUMN_FILLED_SHARE * start as f64
        {
            names.push((name, start));
        }
    }
    names.sort_by_key(|(_, start)| *start);
    for group in names.chunk_by(|a, b| a.1 == b.1) {
        let start = group[0].1;
        let list: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
        let what = format!(
            "{} is 0 from {} on, and never before",
            list.join(", "),
            show(tape.time[start])
        );
        let lines = &tape.line[start..];
        findings.add(
            FindingKind::ZeroColumn,
            lines,
            |_| what,
            "0 stands for not known: empty the cells, or end the data before",
        );
    }
}

/// Bars on days without a session.
fn days(rows: &Rows<'_>, findings: &mut Findings<'_>) {
    if !matches!(rows.calendar, Calendar::Nyse | Calendar::Weekdays)
        || rows.interval > Interval::Day
    {
        return;
    }
    let weekday = |i: usize| date_of(rows.time(i)).weekday();
    let session = |i: usize| rows.calendar.is_session(date_of(rows.time(i)));
    let is_weekend = |i: usize| match weekday(i) {
        Weekday::Sat => true,
        // Currencies open on Sunday evening.
        Weekday::Sun => !rows.interval.is_intraday() || rows.calendar == Calendar::Nyse,
        _ => false,
    };
    findings.add(
        FindingKind::Weekend,
        &rows.lines_where(|i| is_weekend(i) && !session(i)),
        |n| format!("{} on a Saturday or Sunday", counted(n, "bar")),
        "take them out, or set calendar = \"24/7\" if the market trades then",
    );
    let closed: Vec<usize> = (0..rows.len())
        .filter(|&i| !session(i) && !matches!(weekday(i), Weekday::Sat | Weekday::Sun))
        .collect();
    if let Some(&first) = closed.first() {
        let lines: Vec<u64> = closed.iter().map(|&i| rows.line(i)).collect();
        let date = date_of(rows.time(first));
        findings.add(
            FindingKind::ClosedDay,
            &lines,
            |n| {
                format!(
                    "{} on days when the exchange was closed, the first on {date}",
                    counted(n, "bar")
                )
            },
            "a holiday was filled with old or foreign prices: take the rows out",
        );
    }
}
