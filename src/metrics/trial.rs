//! The figures of a trial: those of a sweep's rows, from the sums that a trial leaves behind.
//!
//! The definitions are those of the table ([`crate::metrics::all`]), as functions of sums instead
//! of columns; a test holds both equal. A figure that does not exist is NaN here, since a row has
//! no room for reasons.

use crate::engine::{BLOCKS, BlockSums, Moments, Tally};
use crate::metrics::bare::Curve;
use crate::metrics::moments::FLAT;
use crate::metrics::prepared::{DAYS_ANNUAL_MIN, OBSERVATIONS_MIN};
use crate::metrics::{Metrics, moments, periods, returns};
use crate::strategy::vocabulary::TRIAL_FIGURES;
use crate::units::Micros;

/// The figures of one trial; NaN where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// `total_return`.
    pub total_return: f64,
    /// `cagr`.
    pub cagr: f64,
    /// `volatility`.
    pub volatility: f64,
    /// `sharpe`.
    pub sharpe: f64,
    /// `sortino`.
    pub sortino: f64,
    /// `max_drawdown`.
    pub max_drawdown: f64,
    /// `calmar`.
    pub calmar: f64,
    /// Closed trades.
    pub trades: u32,
    /// Trades, open ones too.
    pub entries: u32,
    /// `win_rate`.
    pub win_rate: f64,
    /// `exposure`.
    pub exposure: f64,
    /// Sums in blocks, when they were asked for.
    pub blocks: Vec<BlockSums>,
}

impl Trial {
    /// The trial of a span without a bar: no figures, no trades.
    pub fn none() -> Trial {
        const ABSENT: f64 = f64::NAN;
        Trial {
            total_return: ABSENT,
            cagr: ABSENT,
            volatility: ABSENT,
            sharpe: ABSENT,
            sortino: ABSENT,
            max_drawdown: ABSENT,
            calmar: ABSENT,
            trades: 0,
            entries: 0,
            win_rate: ABSENT,
            exposure: ABSENT,
            blocks: Vec::new(),
        }
    }

    /// Keys of a row's figures, in its order.
    pub const KEYS: [&'static str; 10] = TRIAL_FIGURES;

    /// The figures in the order of [`Trial::KEYS`].
    pub fn figures(&self) -> [f64; 10] {
        [
            self.total_return,
            self.cagr,
            self.volatility,
            self.sharpe,
            self.sortino,
            self.max_drawdown,
            self.calmar,
            f64::from(self.trades),
            self.win_rate,
            self.exposure,
        ]
    }

    /// A figure by its key; `None` for other keys and for absent figures.
    pub fn get(&self, key: &str) -> Option<f64> {
        let at = Trial::KEYS.iter().position(|k| *k == key)?;
        Some(self.figures()[at]).filter(|v| v.is_finite())
    }
}

/// The bare figures of a trial as metrics of `observations` returns; `None` when one of them does
/// not exist, since a trial has no room for the reason.
pub fn bare_metrics(trial: &Trial, observations: usize) -> Option<Metrics> {
    let keys = ["total_return", "cagr", "sharpe", "max_drawdown", "trades"];
    let values = keys.map(|key| trial.get(key).map(|value| (key, Ok(value))));
    Some(Metrics {
        values: values.into_iter().collect::<Option<_>>()?,
        observations,
        ..Metrics::default()
    })
}

/// The time that a trial's figures refer to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Calendar days from the first session to the last.
    pub days: i64,
    /// Sessions a year.
    pub sessions_a_year: f64,
}

/// Figures of a trial's sums, by the formulas of the table.
pub fn of_tally(tally: &Tally, scale: Scale) -> Trial {
    let defined = |value: f64| if tally.is_ruined { f64::NAN } else { value };
    let n = tally.sessions as f64;
    let growth = defined(tally.end_equity / tally.start_equity);
    let spread = |moments: &Moments| (moments.squares / (n - 1.0)).sqrt();
    let enough = |value: f64| {
        if tally.sessions >= OBSERVATIONS_MIN {
            defined(value)
        } else {
            f64::NAN
        }
    };
    let varies = spread(&tally.returns) > FLAT;
    let ratio = |mean: f64, spread: f64| {
        if varies && spread > FLAT {
            enough(mean / spread * scale.sessions_a_year.sqrt())
        } else {
            f64::NAN
        }
    };
    let drawdown = defined(tally.drawdown);
    let cagr = if scale.days < DAYS_ANNUAL_MIN {
        f64::NAN
    } else {
        returns::annual(growth, scale.days as f64).unwrap_or(f64::NAN)
    };
    let trades = f64::from(tally.trades);
    let trial = Trial {
        total_return: growth - 1.0,
        cagr,
        volatility: enough(spread(&tally.returns) * scale.sessions_a_year.sqrt()),
        sharpe: ratio(tally.excess.mean, spread(&tally.excess)),
        sortino: ratio(tally.excess.mean, (tally.downside / n).sqrt()),
        max_drawdown: drawdown,
        calmar: if drawdown > -FLAT {
            f64::NAN
        } else {
            cagr / -drawdown
        },
        trades: tally.trades,
        entries: tally.entries,
        win_rate: if tally.trades == 0 {
            f64::NAN
        } else {
            f64::from(tally.wins) / trades
        },
        exposure: defined(tally.held as f64 / n),
        blocks: tally.blocks.clone(),
    };
    Trial {
        sharpe: finite(trial.sharpe),
        sortino: finite(trial.sortino),
        calmar: finite(trial.calmar),
        ..trial
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() {
        value + 0.0
    } else {
        f64::NAN
    }
}

/// The sums of a curve that was kept, the long way: what the kernel's sums are held to.
///
/// `returns` and `rate` hold one element a session (`rate` may be empty for a rate of 0), `held`
/// says whether a position was held at one of the session's closes.
pub fn tally_of_sessions(session: &[f64], rate: &[f64], held: &[bool], blocks: bool) -> Tally {
    let excess: Vec<f64> = match rate {
        [] => session.to_vec(),
        rate => session.iter().zip(rate).map(|(r, f)| r - f).collect(),
    };
    let about = |x: &[f64]| {
        let mean = moments::mean(x);
        Moments {
            mean,
            squares: moments::sum_of(x, |v| (v - mean) * (v - mean)),
        }
    };
    let (mut wealth, mut peak, mut worst) = (1.0_f64, 1.0_f64, 0.0_f64);
    let mut is_ruined = false;
    for r in session {
        is_ruined |= !r.is_finite() || wealth < 0.0;
        wealth *= 1.0 + r;
        peak = peak.max(wealth);
        worst = worst.min(wealth / peak - 1.0);
    }
    Tally {
        start_equity: 1.0,
        end_equity: wealth,
        sessions: session.len(),
        returns: about(session),
        excess: about(&excess),
        downside: moments::sum_of(&excess, |v| v.min(0.0) * v.min(0.0)),
        drawdown: worst,
        is_ruined: is_ruined || !wealth.is_finite(),
        held: held.iter().filter(|held| **held).count(),
        blocks: if blocks {
            block_sums(&excess)
        } else {
            Vec::new()
        },
        ..Tally::default()
    }
}

/// Sums of `x` in [`BLOCKS`] blocks of equal length; what is left over at the end is not counted.
pub fn block_sums(x: &[f64]) -> Vec<BlockSums> {
    let length = x.len() / BLOCKS;
    if length == 0 {
        return Vec::new();
    }
    x.chunks_exact(length)
        .take(BLOCKS)
        .map(|block| BlockSums {
            count: block.len() as u32,
            sum: moments::sum(block),
            squares: moments::sum_of(block, |v| v * v),
        })
        .collect()
}

/// Sessions of a span of bars, and what the figures of trials over them refer to.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanSessions {
    /// Index after the last bar of each session, counted from the span's first bar; empty when a
    /// bar is a session.
    pub ends: Vec<usize>,
    /// What the figures refer to.
    pub scale: Scale,
}

/// The sessions of bars at `time`, and the scale of figures over them.
pub fn sessions_of(time: &[Micros], periods_a_year: f64, bars_a_session: f64) -> SpanSessions {
    let is_intraday = bars_a_session > 1.0;
    let a_year = if is_intraday {
        periods_a_year / bars_a_session
    } else {
        periods_a_year
    };
    let (first, last, ends) = if is_intraday {
        let found = periods::sessions(time, a_year);
        let day = |s: Option<&(i64, usize)>| s.map_or(0, |(day, _)| *day);
        let (first, last) = (day(found.first()), day(found.last()));
        (first, last, found.into_iter().map(|(_, end)| end).collect())
    } else {
        let day = |t: Option<&Micros>| t.map_or(0, |t| periods::day_of(*t));
        (day(time.first()), day(time.last()), Vec::new())
    };
    SpanSessions {
        ends,
        scale: Scale {
            days: last - first,
            sessions_a_year: a_year,
        },
    }
}

/// Time-weighted returns of an equity curve without flows that starts from `start`; NaN where the
/// equity before was not positive.
pub fn returns_of_equity(start: f64, equity: &[f64]) -> Vec<f64> {
    let mut returns = vec![0.0; equity.len()];
    let curve = Curve {
        start,
        equity,
        flows: &[],
    };
    curve.returns_into(0, &mut returns);
    returns
}

/// Compounds a column of returns a bar to sessions; a column that there is not (no rate) stays empty.
pub fn by_session(column: Vec<f64>, sessions: &SpanSessions) -> Vec<f64> {
    match sessions.ends.as_slice() {
        [] => column,
        _ if column.is_empty() => column,
        ends => periods::compounded(&column, ends.iter().copied()),
    }
}
