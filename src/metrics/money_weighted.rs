//! The money-weighted return: the rate at which dated cash flows balance.
//!
//! Time-weighted growth, which says nothing about when money came, is left to `returns.rs`.

use crate::metrics::Absent;
use crate::metrics::periods::day_of;
use crate::metrics::prepared::Value;
use crate::units::Micros;

/// Days of a year in the day count of XIRR.
const DAYS_A_YEAR: f64 = 365.0;

/// XIRR of an account: opening cash and deposits are paid in, withdrawals and the closing equity
/// are paid out.
pub(crate) fn of_account(
    start_equity: f64,
    end_equity: f64,
    time: &[Micros],
    flows: &[f64],
) -> Value<f64> {
    let (Some(first), Some(last)) = (time.first(), time.last()) else {
        return Err(Absent::new("no bars"));
    };
    let mut dated = vec![(day_of(*first), -start_equity)];
    let moved = time.iter().zip(flows).filter(|(_, f)| **f != 0.0);
    dated.extend(moved.map(|(t, f)| (day_of(*t), -f)));
    dated.push((day_of(*last), end_equity));
    xirr(&dated)
}

/// The annual rate `r` at which `sum of amount / (1 + r)^(days / 365)` is zero, days being counted
/// from the first flow.
///
/// `dated` holds (day number, amount), amounts paid out to the investor positive. Flows whose
/// sign changes more than once may balance at several rates: the one nearest to 0 is returned,
/// in terms of ln(1 + r). Source: definition of XIRR as documented for spreadsheets; the
/// root is bracketed outward from 0 and bisected, which cannot diverge.
///
/// # Errors
/// The reason why there is none: all flows have one sign, lie on one day, or balance at no rate.
pub fn xirr(dated: &[(i64, f64)]) -> Value<f64> {
    let gains = dated.iter().any(|(_, v)| *v > 0.0);
    let pays = dated.iter().any(|(_, v)| *v < 0.0);
    if !gains || !pays {
        return Err(Absent::new("the flows have one sign"));
    }
    let first = dated.iter().map(|(day, _)| *day).min().unwrap_or(0);
    let scale = dated.iter().fold(0.0_f64, |m, (_, v)| m.max(v.abs()));
    let flows: Vec<(f64, f64)> = dated
        .iter()
        .map(|(day, v)| ((day - first) as f64 / DAYS_A_YEAR, v / scale))
        .collect();
    let longest = flows.iter().fold(0.0_f64, |m, (t, _)| m.max(*t));
    if longest == 0.0 {
        return Err(Absent::new("the flows lie on one day"));
    }
    let value = |g: f64| -> f64 { flows.iter().map(|(t, v)| v * libm::exp(-g * t)).sum() };
    let (low, high) =
        bracket(&value, longest).ok_or_else(|| Absent::new("the flows balance at no rate"))?;
    let g = bisect(&value, low, high);
    Ok(libm::expm1(g))
}

/// The pair of neighbouring points nearest to 0 between which `value` changes its sign.
fn bracket(value: &impl Fn(f64) -> f64, longest: f64) -> Option<(f64, f64)> {
    // exp() of more than 700 is no number.
    let limit = 700.0_f64.min(700.0 / longest);
    let origin = value(0.0);
    if origin == 0.0 {
        return Some((0.0, 0.0));
    }
    let mut step = 0.01;
    let (mut up, mut down) = (0.0_f64, 0.0_f64);
    while up < limit {
        let (next_up, next_down) = ((up + step).min(limit), (down - step).max(-limit));
        if (value(next_up) > 0.0) != (value(up) > 0.0) {
            return Some((up, next_up));
        }
        if (value(next_down) > 0.0) != (value(down) > 0.0) {
            return Some((next_down, down));
        }
        (up, down) = (next_up, next_down);
        step *= 1.3;
    }
    None
}

/// Halves an interval whose ends have values of different sign until its ends are neighbours.
fn bisect(value: &impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let rises = value(low) <= 0.0;
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return middle;
        }
        if (value(middle) <= 0.0) == rises {
            low = middle;
        } else {
            high = middle;
        }
    }
}
