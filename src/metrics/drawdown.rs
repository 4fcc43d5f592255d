//! Rows and functions of what was lost from a peak.
//!
//! Wealth before the first return is 1 and counts as a peak, so that a loss on the first day is a
//! drawdown. Returns and growth are left to `returns.rs`.

use crate::metrics::prepared::{Prepared, Value};
use crate::metrics::{Absent, Better, Metric, Unit};

/// One drawdown: from a peak until wealth is back at it. Indices are those of the returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// The last return at the peak; `None` is the moment before the first return.
    pub peak: Option<usize>,
    /// The return at the lowest wealth (the first, when there are several).
    pub trough: usize,
    /// The first return at which wealth is at least that of the peak; `None` while it lasts.
    pub recovery: Option<usize>,
    /// Wealth at the trough over that of the peak, less 1: negative.
    pub depth: f64,
}

/// The rows of this family.
pub(crate) static ROWS: [Metric; 4] = [
    Metric {
        key: "max_drawdown",
        label: "Max drawdown",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "min of W / peak - 1, the peak being the highest W so far and at least 1",
        source: "Magdon-Ismail & Atiya (2004), Maximum Drawdown",
        compute: max_drawdown,
    },
    Metric {
        key: "max_drawdown_days",
        label: "Max drawdown days",
        unit: Unit::Days,
        better: Better::Lower,
        formula: "calendar days from the peak of the deepest drawdown to its recovery, or to the end",
        source: "as max_drawdown",
        compute: max_drawdown_days,
    },
    Metric {
        key: "avg_drawdown",
        label: "Average drawdown",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "mean depth of all drawdowns, each from its peak to its recovery",
        source: "Bacon (2008), Practical Portfolio Performance Measurement and Attribution, ch. 4",
        compute: avg_drawdown,
    },
    Metric {
        key: "ulcer_index",
        label: "Ulcer index",
        unit: Unit::Fraction,
        better: Better::Lower,
        formula: "sqrt(mean of the squared drawdown of every session)",
        source: "Martin & McCann (1989), The Investor's Guide to Fidelity Funds",
        compute: ulcer_index,
    },
];

/// Wealth over its highest so far, less 1, at each return: zero or negative.
///
/// `returns` are simple returns, one a bar; wealth before the first is 1 and counts as a peak.
pub fn drawdown_series(returns: &[f64]) -> Vec<f64> {
    series_of_wealth(&wealth_of(returns))
}

/// Every drawdown of a series of returns, in order of time; see [`Episode`].
pub fn drawdown_episodes(returns: &[f64]) -> Vec<Episode> {
    episodes_of_wealth(&wealth_of(returns))
}

fn wealth_of(returns: &[f64]) -> Vec<f64> {
    returns
        .iter()
        .scan(1.0, |w, r| {
            *w *= 1.0 + r;
            Some(*w)
        })
        .collect()
}

pub(crate) fn series_of_wealth(wealth: &[f64]) -> Vec<f64> {
    let mut peak = 1.0_f64;
    wealth
        .iter()
        .map(|w| {
            peak = peak.max(*w);
            w / peak - 1.0
        })
        .collect()
}

pub(crate) fn episodes_of_wealth(wealth: &[f64]) -> Vec<Episode> {
    let mut found = Vec::new();
    let mut top = 1.0;
    let mut top_at = None;
    let mut low: Option<usize> = None;
    let episode = |peak, trough: usize, recovery, top: f64| Episode {
        peak,
        trough,
        recovery,
        depth: wealth[trough] / top - 1.0,
    };
    for (i, w) in wealth.iter().enumerate() {
        if *w >= top {
            if let Some(trough) = low.take() {
                found.push(episode(top_at, trough, Some(i), top));
            }
            top = *w;
            top_at = Some(i);
        } else if low.is_none_or(|trough| *w < wealth[trough]) {
            low = Some(i);
        }
    }
    if let Some(trough) = low {
        found.push(episode(top_at, trough, None, top));
    }
    found
}

/// The deepest drawdown, the first of equals.
fn deepest(episodes: &[Episode]) -> Option<&Episode> {
    episodes.iter().reduce(|worst, next| {
        if next.depth < worst.depth {
            next
        } else {
            worst
        }
    })
}

pub(crate) fn max_drawdown(p: &Prepared) -> Value<f64> {
    Ok(deepest(p.episodes()?).map_or(0.0, |e| e.depth))
}

fn max_drawdown_days(p: &Prepared) -> Value<f64> {
    let days = p.days()?;
    let Some(worst) = deepest(p.episodes()?) else {
        return Ok(0.0);
    };
    let start = days[worst.peak.unwrap_or(0)];
    let end = days[worst.recovery.unwrap_or(days.len() - 1)];
    Ok((end - start) as f64)
}

fn avg_drawdown(p: &Prepared) -> Value<f64> {
    let episodes = p.episodes()?;
    if episodes.is_empty() {
        return Err(Absent::new("no drawdown"));
    }
    let total: f64 = episodes.iter().map(|e| e.depth).sum();
    Ok(total / episodes.len() as f64)
}

fn ulcer_index(p: &Prepared) -> Value<f64> {
    let drawdowns = p.drawdowns()?;
    let squares: f64 = drawdowns.iter().map(|d| d * d).sum();
    Ok((squares / drawdowns.len() as f64).sqrt())
}
