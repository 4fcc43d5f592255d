//! The cone of an account: where bootstrap paths of its own backtest go, as a band that a given
//! share of them never leaves within the horizon.
//!
//! The band is simultaneous: with m and s the mean and the standard deviation of a path's log growth
//! after each bar, a path is as far out as the largest |log growth - m| / s over the whole horizon,
//! and the band of share p reaches as far as the p-quantile of that over all paths (the sup-t band;
//! Montiel Olea & Plagborg-Møller 2019, Journal of Applied Econometrics 34). Paths are drawn by the
//! stationary bootstrap from the backtest's bar returns. After the horizon a new cone starts from
//! the equity of then.

use crate::engine::Run;
use crate::market::{Interval, date_of, midnight};
use crate::metrics::bootstrap::{BLOCK_MIN, Draws, REPLICATES, block_length};
use crate::metrics::returns_of_run;
use crate::paper::tape::Facts;
use crate::units::Micros;

/// Bars from the tip of a cone to its end.
pub const HORIZON: usize = 252;
/// Fewest returns of a backtest that a cone is drawn from.
pub const RETURNS_MIN: usize = 60;

/// A cone.
#[derive(Debug, Clone, PartialEq)]
pub struct Cone {
    /// Mean log growth after each bar of the horizon.
    pub mean: Vec<f64>,
    /// Its standard deviation.
    pub deviation: Vec<f64>,
    /// How far out each path goes, ascending.
    pub reach: Vec<f64>,
    /// Mean length of a block, in bars.
    pub block: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Returns of the backtest.
    pub returns: usize,
}

impl Cone {
    /// The cone of a backtest's bar `returns`.
    ///
    /// # Errors
    /// Why there is none, in a few words.
    pub fn of(returns: &[f64], seed: u64) -> Result<Cone, String> {
        let n = returns.len();
        if n < RETURNS_MIN {
            return Err(format!(
                "the backtest before the account has {n} bars, a cone needs {RETURNS_MIN}"
            ));
        }
        if !returns.iter().all(|r| *r > -1.0 && r.is_finite()) {
            return Err("the backtest before the account has a bar without a return".to_owned());
        }
        if returns.iter().all(|r| *r == returns[0]) {
            return Err("the returns of the backtest before the account do not vary".to_owned());
        }
        let block = block_length(returns).max(BLOCK_MIN);
        let logs: Vec<f64> = returns.iter().map(|r| libm::log1p(*r)).collect();
        let draws = Draws::new(n, block, seed);
        let paths: Vec<Vec<f64>> = (0..REPLICATES as u64)
            .map(|replicate| path(&logs, &draws, replicate))
            .collect();
        let count = REPLICATES as f64;
        let mean: Vec<f64> = (0..HORIZON)
            .map(|t| paths.iter().map(|p| p[t]).sum::<f64>() / count)
            .collect();
        let spread = |t: usize| {
            let squares = paths.iter().map(|p| (p[t] - mean[t]) * (p[t] - mean[t]));
            (squares.sum::<f64>() / (count - 1.0)).sqrt()
        };
        let deviation: Vec<f64> = (0..HORIZON).map(spread).collect();
        if deviation.iter().any(|s| *s <= 0.0) {
            return Err("too few returns of the backtest before the account vary".to_owned());
        }
        let mut reach: Vec<f64> = paths
            .iter()
            .map(|p| {
                let far = (0..HORIZON).map(|t| (p[t] - mean[t]).abs() / deviation[t]);
                far.fold(0.0, f64::max)
            })
            .collect();
        reach.sort_by(f64::total_cmp);
        Ok(Cone {
            mean,
            deviation,
            reach,
            block,
            seed,
            returns: n,
        })
    }

    /// How many standard deviations the band of a share `p` of the paths reaches: the smallest
    /// reach that at least that share does not exceed.
    pub fn width(&self, p: f64) -> f64 {
        let rank = (p * self.reach.len() as f64).ceil() as usize;
        let at = rank.clamp(1, self.reach.len().max(1)) - 1;
        self.reach.get(at).copied().unwrap_or(f64::INFINITY)
    }

    /// Lowest and highest growth (1 is none) inside the band after `bars` bars, 1 to [`HORIZON`].
    pub fn band(&self, bars: usize, p: f64) -> (f64, f64) {
        let t = bars.clamp(1, HORIZON) - 1;
        let half = self.width(p) * self.deviation[t];
        (
            libm::exp(self.mean[t] - half),
            libm::exp(self.mean[t] + half),
        )
    }

    /// For each bar of an account with these time-weighted returns, whether it lies outside the band
    /// of share `p` of its own horizon.
    pub fn outside(&self, returns: &[f64], p: f64) -> Vec<bool> {
        let width = self.width(p);
        let mut growth = 0.0;
        let mut outside = Vec::with_capacity(returns.len());
        for (bar, r) in returns.iter().enumerate() {
            let t = bar % HORIZON;
            if t == 0 {
                growth = 0.0;
            }
            growth += libm::log1p(r.max(-1.0));
            let far = (growth - self.mean[t]).abs() / self.deviation[t];
            outside.push(far > width);
        }
        outside
    }

    /// Its numbers by name, for the account's file.
    pub(crate) fn columns(&self) -> [(&'static str, Vec<f64>); 4] {
        [
            ("mean", self.mean.clone()),
            ("deviation", self.deviation.clone()),
            ("reach", self.reach.clone()),
            (
                "about",
                vec![self.block, self.seed as f64, self.returns as f64],
            ),
        ]
    }

    /// The cone of such numbers.
    pub(crate) fn of_columns(columns: Vec<(String, Vec<f64>)>) -> Option<Cone> {
        let find = |name: &str| {
            let found = columns.iter().find(|(known, _)| known == name);
            found.map(|(_, numbers)| numbers.clone())
        };
        let about = find("about")?;
        let [block, seed, returns] = about[..] else {
            return None;
        };
        Some(Cone {
            mean: find("mean").filter(|c| c.len() == HORIZON)?,
            deviation: find("deviation").filter(|c| c.len() == HORIZON)?,
            reach: find("reach")?,
            block,
            seed: seed as u64,
            returns: returns as usize,
        })
    }
}

/// Log growth after each bar of one replicate. A record shorter than the horizon is drawn from as
/// often as it takes.
fn path(logs: &[f64], draws: &Draws, replicate: u64) -> Vec<f64> {
    let mut path = Vec::with_capacity(HORIZON);
    let mut growth = 0.0;
    let mut round = 0;
    while path.len() < HORIZON {
        draws.blocks(replicate + round * REPLICATES as u64, |start, length| {
            for k in 0..length {
                if path.len() < HORIZON {
                    growth += logs[(start + k) % logs.len()];
                    path.push(growth);
                }
            }
        });
        round += 1;
    }
    path
}

/// Where equity may lie over one horizon: three columns of one length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Band {
    /// The moment before the horizon and those of its bars, those that are still to come at the
    /// sessions of the calendar.
    pub time: Vec<Micros>,
    /// Lowest equity inside the band.
    pub low: Vec<f64>,
    /// Highest.
    pub high: Vec<f64>,
}

/// The bands of share `p` of every horizon of a run, the last one to its end in the future. Money
/// that comes in or goes out moves the band with the equity.
pub fn bands(cone: &Cone, run: &Run, facts: &Facts, p: f64) -> Vec<Band> {
    let returns = returns_of_run(run);
    let mut bands = Vec::new();
    for first in (0..run.time.len()).step_by(HORIZON) {
        let end = (first + HORIZON).min(run.time.len());
        let before = match first.checked_sub(1) {
            Some(bar) => (run.time[bar], run.equity[bar]),
            None => (run.time[0], run.start_equity),
        };
        let mut band = Band {
            time: vec![before.0],
            low: vec![before.1],
            high: vec![before.1],
        };
        let mut growth = 1.0;
        let mut tip = before.1;
        for (into, bar) in (first..end).enumerate() {
            growth *= 1.0 + returns[bar];
            tip = run.equity[bar] / growth;
            band.push(run.time[bar], tip, cone.band(into + 1, p));
        }
        let mut time = run.time[end - 1];
        for bar in end - first..HORIZON {
            time = next(time, facts);
            band.push(time, tip, cone.band(bar + 1, p));
        }
        bands.push(band);
    }
    bands
}

impl Band {
    fn push(&mut self, time: Micros, tip: f64, (low, high): (f64, f64)) {
        self.time.push(time);
        self.low.push(tip * low);
        self.high.push(tip * high);
    }
}

/// About when the bar after that of a moment will be.
fn next(time: Micros, facts: &Facts) -> Micros {
    const MINUTE: Micros = 60_000_000;
    const DAY: Micros = 1_440 * MINUTE;
    match facts.interval {
        Interval::Minutes(n) => time + Micros::from(n) * MINUTE,
        Interval::Day => midnight(facts.calendar.next_session(date_of(time))),
        Interval::Week => time + 7 * DAY,
        Interval::Month => time + 30 * DAY,
    }
}
