//! The five figures that speed is measured with, in one pass over the bars.
//!
//! Why this shortcut is allowed: total return, CAGR, maximum drawdown and trades are those of the
//! table by the same formulas, the Sharpe ratio differs from the table's only on intraday tapes,
//! where it is that of bars and not of sessions (mean over deviation of a bar, times the root of
//! bars a year), and drawdown there is that of bars. A test holds both equal on daily returns.

use crate::engine::Run;
use crate::lanes::Loop;
use crate::lanes::wide;
use crate::metrics::moments;
use crate::metrics::prepared::{DAYS_ANNUAL_MIN, OBSERVATIONS_MIN, Value};
use crate::metrics::{Absent, Inputs, Metrics, finite, periods, returns};
use crate::portfolio::TradeStatus;
use crate::units::Micros;

/// Returns of a block: small enough to stay in the first cache between the sums and the walk.
const BLOCK: usize = 1024;

/// What one pass finds.
struct Pass {
    bars: usize,
    growth: f64,
    drawdown: f64,
    mean: f64,
    deviation: f64,
}

/// `total_return cagr sharpe max_drawdown trades`, in this order, of a run's columns.
///
/// # Panics
/// If `rate` is neither empty nor as long as `returns`.
pub fn bare(inputs: &Inputs) -> Metrics {
    let pass = one_pass(inputs.returns.len(), inputs.rate, |start, block| {
        block.copy_from_slice(&inputs.returns[start..start + block.len()]);
    });
    let trades = inputs.trades.map(<[_]>::len);
    figures(&pass, inputs.time, inputs.periods_a_year, trades)
}

/// The same straight from a run, without a column of returns.
pub fn bare_of_run(run: &Run) -> Metrics {
    let closed = run
        .trades
        .iter()
        .filter(|t| t.status == TradeStatus::Closed);
    let curve = Curve {
        start: run.start_equity,
        equity: &run.equity,
        flows: &run.flows,
    };
    bare_of_curve(run, &curve, closed.count())
}

/// The same of every symbol's own account, with `[account] each`.
pub fn bare_of_each(run: &Run) -> impl Iterator<Item = Metrics> {
    run.each.iter().map(|account| {
        let curve = Curve {
            start: account.start_equity,
            equity: &account.equity,
            flows: &account.flows,
        };
        bare_of_curve(run, &curve, account.trades as usize)
    })
}

fn bare_of_curve(run: &Run, curve: &Curve<'_>, trades: usize) -> Metrics {
    let pass = curve.pass(&run.rate);
    figures(&pass, &run.time, run.periods_a_year, Some(trades))
}

/// An equity curve and what flowed into it from outside.
pub(crate) struct Curve<'a> {
    /// Equity before the first bar.
    pub(crate) start: f64,
    /// Equity at each bar.
    pub(crate) equity: &'a [f64],
    /// External flows before each bar; empty when there are none.
    pub(crate) flows: &'a [f64],
}

impl Curve<'_> {
    /// The pass over the curve itself when nothing flows in or out and it stays above zero: then
    /// its growth and drawdown are those of its returns. Else the pass over the returns.
    fn pass(&self, rate: &[f64]) -> Pass {
        struct Whole<'a>(&'a Curve<'a>, &'a [f64]);
        impl Loop for Whole<'_> {
            type Out = Pass;

            #[inline(always)]
            fn run(self) -> Pass {
                self.0.look(self.1)
            }
        }
        wide(Whole(self, rate))
    }

    #[inline(always)]
    fn look(&self, rate: &[f64]) -> Pass {
        let bars = self.equity.len();
        let careful = |start: usize, block: &mut [f64]| self.returns_into(start, block);
        let Some(last) = self.equity.last().filter(|_| self.flows.is_empty()) else {
            return one_pass(bars, rate, careful);
        };
        // No test of the denominator: a curve that touches zero is done again, carefully.
        let fill = |start: usize, block: &mut [f64]| {
            let before = if start == 0 {
                self.start
            } else {
                self.equity[start - 1]
            };
            let equity = &self.equity[start..start + block.len()];
            block[0] = equity[0] / before - 1.0;
            for ((r, before), after) in block[1..].iter_mut().zip(equity).zip(&equity[1..]) {
                *r = after / before - 1.0;
            }
        };
        let mut extremes = Extremes {
            peak: self.start,
            worst: 1.0,
            lowest: self.start,
        };
        let (mean, deviation) = sums(bars, rate, fill, |start, block| {
            extremes.walk(&self.equity[start..start + block.len()]);
        });
        // Negated, so that NaN takes the careful way too.
        if !(extremes.lowest > 0.0 && last.is_finite()) {
            return one_pass(bars, rate, careful);
        }
        Pass {
            bars,
            growth: last / self.start,
            drawdown: extremes.worst - 1.0,
            mean,
            deviation,
        }
    }

    /// Time-weighted returns of the bars from `start` on: E_t / (E_{t-1} + F_t) - 1, NaN where the
    /// denominator is not positive.
    #[inline(always)]
    pub(crate) fn returns_into(&self, start: usize, block: &mut [f64]) {
        let end = start + block.len();
        let equity = &self.equity[start..end];
        let of = |after: f64, before: f64| {
            if before > 0.0 {
                after / before - 1.0
            } else {
                f64::NAN
            }
        };
        let Some((first, rest)) = block.split_first_mut() else {
            return;
        };
        let before = match start {
            0 => self.start,
            _ => self.equity[start - 1],
        };
        *first = of(equity[0], before + self.flows.get(start).unwrap_or(&0.0));
        let pairs = equity.iter().zip(&equity[1..]);
        if self.flows.is_empty() {
            for (r, (before, after)) in rest.iter_mut().zip(pairs) {
                *r = of(*after, *before);
            }
        } else {
            for ((r, (before, after)), flow) in
                rest.iter_mut().zip(pairs).zip(&self.flows[start + 1..])
            {
                *r = of(*after, before + flow);
            }
        }
    }
}

#[inline(always)]
fn one_pass(bars: usize, rate: &[f64], fill: impl Fn(usize, &mut [f64])) -> Pass {
    let (mut wealth, mut peak, mut worst) = (1.0_f64, 1.0_f64, 1.0_f64);
    let sums = sums(bars, rate, fill, |_, block| {
        (wealth, peak, worst) = walk(block, wealth, peak, worst);
    });
    Pass {
        bars,
        growth: wealth,
        drawdown: worst - 1.0,
        mean: sums.0,
        deviation: sums.1,
    }
}

/// Mean and deviation (ddof 1) of the returns in excess of `rate`, block by block; `look` sees
/// each block of returns and where it starts before the rate is taken off.
#[inline(always)]
fn sums(
    bars: usize,
    rate: &[f64],
    fill: impl Fn(usize, &mut [f64]),
    mut look: impl FnMut(usize, &[f64]),
) -> (f64, f64) {
    assert!(rate.is_empty() || rate.len() == bars, "one rate a bar");
    let mut buffer = [0.0; BLOCK];
    let (mut sums, mut squares) = ([0.0; WIDE], [0.0; WIDE]);
    let mut centre = 0.0;
    for start in (0..bars).step_by(BLOCK) {
        let block = &mut buffer[..BLOCK.min(bars - start)];
        fill(start, block);
        look(start, block);
        if !rate.is_empty() {
            for (r, risk_free) in block.iter_mut().zip(&rate[start..]) {
                *r -= risk_free;
            }
        }
        if start == 0 {
            centre = moments::mean(block);
        }
        add_both(&mut sums, &mut squares, block, centre);
    }
    // Squares were summed about the mean of the first block, which is near the mean of all: what
    // is taken off here is small beside what stays, so the second pass is saved at no loss.
    let n = bars as f64;
    let shift = sums.iter().sum::<f64>() / n;
    let variance = (squares.iter().sum::<f64>() - n * shift * shift) / (n - 1.0);
    (centre + shift, variance.max(0.0).sqrt())
}

/// Lanes of the two sums: both fit into the registers that every x86-64 has.
const WIDE: usize = 8;

/// Adds a block's deviations from `centre` and their squares, lane by lane in a fixed order.
#[inline(always)]
fn add_both(sums: &mut [f64; WIDE], squares: &mut [f64; WIDE], block: &[f64], centre: f64) {
    let (chunks, rest) = block.as_chunks::<WIDE>();
    let mut add = |values: &[f64]| {
        for ((sum, square), x) in sums.iter_mut().zip(squares.iter_mut()).zip(values) {
            let deviation = x - centre;
            *sum += deviation;
            *square += deviation * deviation;
        }
    };
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
}

/// Carries wealth, its peak and the worst ratio of the two through a block.
///
/// It divides only where wealth falls below the worst ratio so far, which is rare; the test is a
/// multiplication that nothing waits for.
#[inline(always)]
fn walk(block: &[f64], mut wealth: f64, mut peak: f64, mut worst: f64) -> (f64, f64, f64) {
    for r in block {
        wealth *= 1.0 + r;
        peak = if wealth > peak { wealth } else { peak };
        if wealth < peak * worst {
            worst = wealth / peak;
        }
    }
    (wealth, peak, worst)
}

/// Peak, worst ratio to it and lowest value of an equity curve so far.
#[derive(Clone, Copy)]
struct Extremes {
    peak: f64,
    worst: f64,
    lowest: f64,
}

impl Extremes {
    /// Carries the extremes through a stretch of the curve.
    ///
    /// Thirty-two values at a time: when their largest is no new peak, their smallest is all that
    /// can be a new worst ratio.
    #[inline(always)]
    fn walk(&mut self, equity: &[f64]) {
        let (chunks, rest) = equity.as_chunks::<{ 4 * WIDE }>();
        for chunk in chunks {
            let (mut high, mut low) = ([f64::NEG_INFINITY; WIDE], [f64::INFINITY; WIDE]);
            for part in chunk.as_chunks::<WIDE>().0 {
                for ((high, low), e) in high.iter_mut().zip(&mut low).zip(part) {
                    *high = if *e > *high { *e } else { *high };
                    *low = if *e < *low { *e } else { *low };
                }
            }
            let most = high.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            let least = low.iter().fold(f64::INFINITY, |a, b| a.min(*b));
            self.lowest = self.lowest.min(least);
            if most > self.peak {
                self.look_closely(chunk);
            } else if least < self.peak * self.worst {
                self.worst = least / self.peak;
            }
        }
        self.lowest = rest.iter().fold(self.lowest, |a, b| a.min(*b));
        self.look_closely(rest);
    }

    fn look_closely(&mut self, equity: &[f64]) {
        for &e in equity {
            self.peak = if e > self.peak { e } else { self.peak };
            if e < self.peak * self.worst {
                self.worst = e / self.peak;
            }
        }
    }
}

fn figures(pass: &Pass, time: &[Micros], periods_a_year: f64, trades: Option<usize>) -> Metrics {
    let growth = defined(pass);
    let sharpe = growth.clone().and_then(|_| sharpe(pass, periods_a_year));
    let values = vec![
        ("total_return", growth.clone().map(|w| w - 1.0)),
        ("cagr", growth.clone().and_then(|w| cagr(w, time))),
        ("sharpe", sharpe),
        ("max_drawdown", growth.map(|_| pass.drawdown)),
        (
            "trades",
            trades
                .map(|n| n as f64)
                .ok_or_else(|| Absent::new("no trades given")),
        ),
    ];
    Metrics {
        values: values.into_iter().map(|(k, v)| (k, finite(v))).collect(),
        observations: pass.bars,
        ..Metrics::default()
    }
}

fn defined(pass: &Pass) -> Value<f64> {
    if pass.bars == 0 {
        return Err(Absent::new("no bars"));
    }
    // Wealth that was below zero before the end cannot be told from here when it came back, but
    // it then left a drawdown beyond everything.
    let ruined = pass.drawdown < -1.0 && pass.growth >= 0.0;
    if !pass.growth.is_finite() || ruined {
        return Err(Absent::new("the equity was not positive"));
    }
    Ok(pass.growth)
}

fn cagr(growth: f64, time: &[Micros]) -> Value<f64> {
    let days = match time {
        [first, .., last] => periods::day_of(*last) - periods::day_of(*first),
        _ => 0,
    };
    if days < DAYS_ANNUAL_MIN {
        return Err(Absent::new(format!("{days} days are too few")));
    }
    returns::annual(growth, days as f64)
}

fn sharpe(pass: &Pass, periods_a_year: f64) -> Value<f64> {
    if pass.bars < OBSERVATIONS_MIN {
        return Err(Absent::new(format!("{} returns are too few", pass.bars)));
    }
    // Flat equity leaves only the rate's own changes.
    let flat = pass.growth == 1.0 && pass.drawdown == 0.0;
    if flat || pass.deviation <= moments::FLAT || !pass.deviation.is_finite() {
        return Err(Absent::new("the returns do not vary"));
    }
    Ok(pass.mean / pass.deviation * periods_a_year.sqrt())
}
