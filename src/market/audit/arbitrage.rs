//! Findings about quotes that contradict each other or the underlying: prices outside their bounds,
//! strikes out of order, and an underlying price that puts and calls deny.

use super::chain::{Quote, some};
use super::{FindingKind, Findings, counted};
use crate::instrument::Right;
use crate::market::calendar::date_of;
use crate::units::{DAY_MICROS, Micros};
use std::collections::BTreeMap;

/// An ask may lie so far below the intrinsic value, as a share of the underlying's price: carry over
/// the life of an option and a price of the underlying that is a little older.
const BOUND_SLACK: f64 = 0.02;
/// The underlying's price may differ so far from what puts and calls say.
const SPOT_SLACK: f64 = 0.01;
/// And so much more a year until expiry, for interest and dividends.
const CARRY_A_YEAR: f64 = 0.06;
/// Expirations within so many days say what the underlying is worth.
const DAYS_MAX: i64 = 60;
/// Quotes wider than this share of the underlying's price say nothing.
const WIDTH_MAX: f64 = 0.05;

/// Looks at every moment by itself.
pub(super) fn judge(quotes: &[Quote], has_quotes: bool, findings: &mut Findings<'_>) {
    let mut sorted: Vec<&Quote> = quotes.iter().filter(|q| is_live(q, has_quotes)).collect();
    let series_of = |q: &Quote| (q.time, q.contract.0, q.contract.1, q.contract.3);
    sorted.sort_by_key(|q| (series_of(q), q.contract.2));
    if has_quotes {
        let mut faults = Faults::default();
        for series in sorted.chunk_by(|a, b| series_of(a) == series_of(b)) {
            faults.look_at(series);
        }
        faults.tell(findings);
    }
    spot(&sorted, has_quotes, findings);
}

/// Quotes that somebody could trade on.
fn is_live(quote: &Quote, has_quotes: bool) -> bool {
    let is_quoted =
        quote.ask > 0.0 && (!has_quotes || (quote.bid >= 0.0 && quote.bid <= quote.ask));
    is_quoted && quote.contract.1 >= quote.day() * DAY_MICROS
}

fn strike(quote: &Quote) -> f64 {
    f64::from_bits(quote.contract.2)
}

/// Lines of quotes that break a bound.
#[derive(Default)]
struct Faults {
    order: Vec<u64>,
    curve: Vec<u64>,
    bounds: Vec<u64>,
}

impl Faults {
    /// One series, strikes ascending. Only what could be traded counts: what is bought costs the
    /// ask, what is sold brings the bid.
    fn look_at(&mut self, series: &[&Quote]) {
        const ROUNDING: f64 = 1e-9;
        for quote in series {
            let (spot, strike) = (quote.underlying, strike(quote));
            let highest = match quote.contract.3 {
                Right::Call => spot,
                Right::Put => strike,
            };
            let least = quote.contract.3.intrinsic(spot, strike) - BOUND_SLACK * spot;
            // Comparisons with a price that is not there are false.
            if quote.bid > highest + ROUNDING || (spot > 0.0 && quote.ask < least) {
                self.bounds.push(quote.line);
            }
        }
        for pair in series.windows(2) {
            // The dearer one by its right, and the other.
            let (dear, cheap) = match pair[0].contract.3 {
                Right::Call => (pair[0], pair[1]),
                Right::Put => (pair[1], pair[0]),
            };
            if cheap.bid > dear.ask + ROUNDING {
                self.order.push(cheap.line);
            }
        }
        for three in series.windows(3) {
            let [low, middle, high] = [three[0], three[1], three[2]];
            let width = strike(high) - strike(low);
            if width > 0.0 {
                let share = (strike(high) - strike(middle)) / width;
                let wings = share * low.ask + (1.0 - share) * high.ask;
                if middle.bid > wings + ROUNDING {
                    self.curve.push(middle.line);
                }
            }
        }
    }

    fn tell(self, findings: &mut Findings<'_>) {
        let (order, curve, bounds) = (self.order.len(), self.curve.len(), self.bounds.len());
        let mut lines = [self.order, self.curve, self.bounds].concat();
        lines.sort_unstable();
        lines.dedup();
        findings.add(
            FindingKind::ChainArbitrage,
            &lines,
            |n| {
                format!(
                    "{} that nobody would leave standing: {order} out of the order of strikes, {curve} above the line between their neighbours, {bounds} outside what the option can be worth",
                    counted(n, "quote")
                )
            },
            "quotes of different moments, or wrong: a fill on one is a gift; filter by spread, volume and open interest",
        );
    }
}

/// An underlying price far from strike + call - put, the price at which puts and calls of one strike
/// agree: another underlying, another moment, or another side of a split.
fn spot(sorted: &[&Quote], has_quotes: bool, findings: &mut Findings<'_>) {
    let of_expiration = |q: &Quote| (q.time, q.contract.0, q.contract.1);
    // Of each day and name: how far the price is off, at each expiration.
    let mut ratios: BTreeMap<(i64, u32), (u64, Vec<f64>)> = BTreeMap::new();
    for quotes in sorted.chunk_by(|a, b| of_expiration(a) == of_expiration(b)) {
        let first = quotes[0];
        let days = (first.contract.1 - first.time).div_euclid(DAY_MICROS);
        if first.underlying > 0.0
            && (1..=DAYS_MAX).contains(&days)
            && let Some(forward) = parity(quotes, first.underlying, has_quotes)
        {
            let slack = CARRY_A_YEAR * days as f64 / 365.0;
            let off = (libm::log(forward / first.underlying).abs() - slack).max(0.0);
            let of_day = ratios.entry((first.day(), first.contract.0));
            let of_day = of_day.or_insert_with(|| (first.line, Vec::new()));
            of_day.1.push(off);
        }
    }
    let mut lines = Vec::new();
    let mut shown: Vec<String> = Vec::new();
    for ((day, _), (line, mut off)) in ratios {
        off.sort_by(f64::total_cmp);
        if off[off.len() / 2] > SPOT_SLACK {
            lines.push(line);
            let date = date_of(day as Micros * DAY_MICROS).to_string();
            if shown.last() != Some(&date) {
                shown.push(date);
            }
        }
    }
    findings.add(
        FindingKind::ChainSpotMismatch,
        &lines,
        |_| {
            format!(
                "the underlying price is more than 1% from what puts and calls say on {}: {}",
                counted(shown.len(), "date"),
                some(&shown)
            )
        },
        "take the underlying's price from its own tape, unadjusted; look for a split",
    );
}

/// Strike + call - put where the two are nearest to each other; `None` without such a pair, or when
/// its quotes are wide.
fn parity(quotes: &[&Quote], spot: f64, has_quotes: bool) -> Option<f64> {
    let mid = |q: &Quote| {
        if has_quotes {
            0.5 * (q.bid + q.ask)
        } else {
            q.ask
        }
    };
    let (calls, puts): (Vec<&Quote>, Vec<&Quote>) =
        quotes.iter().partition(|q| q.contract.3 == Right::Call);
    let mut best: Option<(f64, f64)> = None;
    let mut puts = puts.iter().peekable();
    for call in calls {
        while puts.next_if(|put| strike(put) < strike(call)).is_some() {}
        let Some(put) = puts.peek().filter(|put| strike(put) == strike(call)) else {
            continue;
        };
        let width = if has_quotes {
            call.ask - call.bid + put.ask - put.bid
        } else {
            0.0
        };
        let forward = strike(call) + mid(call) - mid(put);
        let apart = (mid(call) - mid(put)).abs();
        if width <= WIDTH_MAX * spot && forward > 0.0 && best.is_none_or(|(least, _)| apart < least)
        {
            best = Some((apart, forward));
        }
    }
    best.map(|(_, forward)| forward)
}
