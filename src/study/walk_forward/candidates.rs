//! The combinations of parameters that every window chooses from, and the best of them on a window.
//!
//! How a combination is measured is left to the trials, what windows there are to the walk. The best
//! is the first of those with the best figure, so that the number of threads changes nothing.

use crate::engine::{Run, Stage, backtest_over};
use crate::error::Result;
use crate::market::Market;
use crate::metrics::trial::Trial;
use crate::strategy::Strategy;
use crate::study::batch::each;
use crate::study::trials::{Ask, Trials};
use crate::units::{BarIndex, Micros};
use std::ops::Range;

/// Combinations that one thread measures before it asks for more.
const CHUNK: usize = 32;

/// What a window can choose from, in a fixed order.
pub struct Candidates<'m> {
    market: &'m Market,
    trials: Trials<'m>,
    points: Vec<Vec<usize>>,
}

/// A parameter and the values that it can take.
#[derive(Debug, Clone, PartialEq)]
pub struct Varied {
    /// Its name.
    pub name: String,
    /// Its values, in the order of the sweep.
    pub values: Vec<f64>,
}

/// The figure that is to be best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// Its key, one of [`Trial::KEYS`].
    pub key: String,
}

impl Objective {
    /// Larger is better of the number that comes back; `None` where a trial has no such figure.
    pub fn score(&self, trial: &Trial) -> Option<f64> {
        let value = trial.get(&self.key)?;
        Some(if self.is_least() { -value } else { value })
    }

    /// The smallest figure is the best one.
    pub fn is_least(&self) -> bool {
        self.key == "volatility"
    }
}

/// The combination with the best score on a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub(super) at: usize,
    score: f64,
}

impl<'m> Candidates<'m> {
    /// Every combination of the values of the trials' axes, the last axis turning fastest.
    pub fn grid(market: &'m Market, trials: Trials<'m>) -> Self {
        let mut points = vec![Vec::new()];
        for axis in trials.axes() {
            let longer = |point: Vec<usize>| {
                let with = move |at: usize| [point.as_slice(), &[at]].concat();
                (0..axis.values.len()).map(with)
            };
            points = points.into_iter().flat_map(longer).collect();
        }
        Candidates {
            market,
            trials,
            points,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// What varies.
    pub fn varied(&self) -> Vec<Varied> {
        let axes = self.trials.axes().iter();
        axes.map(|axis| Varied {
            name: axis.name.clone(),
            values: axis.values.clone(),
        })
        .collect()
    }

    /// Index of each varied value of a combination.
    pub fn point(&self, at: usize) -> &[usize] {
        &self.points[at]
    }

    /// Moments of the clock's bars.
    pub fn clock(&self) -> &[Micros] {
        self.trials.clock()
    }

    /// Clock bars of the run.
    pub fn span(&self) -> Range<BarIndex> {
        self.trials.span()
    }

    /// Figures of a combination over a span, flat at its first bar.
    ///
    /// # Errors
    /// Values that an expression refuses.
    pub fn measure(&self, at: usize, span: &Range<BarIndex>) -> Result<Trial> {
        let point = &self.points[at];
        self.trials.measure(point, Some(span.clone()), Ask::Figures)
    }

    /// Session returns of a combination over a span.
    ///
    /// # Errors
    /// As [`Candidates::measure`].
    pub fn returns(&self, at: usize, span: &Range<BarIndex>) -> Result<Vec<f64>> {
        self.trials.returns(&self.points[at], Some(span.clone()))
    }

    /// The strategy of a combination.
    pub fn strategy(&self, at: usize) -> Strategy {
        self.trials.strategy(&self.points[at])
    }

    /// A combination's turn in a schedule.
    pub(super) fn stage(&self, at: usize, bars: Range<BarIndex>) -> Stage {
        Stage {
            bars,
            strategy: self.strategy(at),
        }
    }

    /// Equity, orders and trades of a combination over a span.
    pub(super) fn run(&self, at: usize, span: &Range<BarIndex>) -> Result<Run> {
        backtest_over(self.market, &self.strategy(at), Some(span.clone()))
    }

    /// The market that all of them trade.
    pub(super) fn market(&self) -> &'m Market {
        self.market
    }

    /// The best combination on each span; `None` where none has the figure. `progress` is told how
    /// many more simulations are done.
    ///
    /// # Errors
    /// The first combination that cannot be measured.
    pub(super) fn best(
        &self,
        spans: &[Range<BarIndex>],
        objective: &Objective,
        threads: Option<usize>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Option<Best>>> {
        let of_chunk = |chunk: &Range<usize>| -> Result<Vec<Option<Best>>> {
            let mut best = vec![None; spans.len()];
            for at in chunk.clone() {
                for (best, span) in best.iter_mut().zip(spans) {
                    if let Some(score) = objective.score(&self.measure(at, span)?) {
                        *best = better(*best, Some(Best { at, score }));
                    }
                }
            }
            progress((chunk.len() * spans.len()) as u64);
            Ok(best)
        };
        let mut best = vec![None; spans.len()];
        for found in each(&self.chunks(), threads, of_chunk) {
            for (best, found) in best.iter_mut().zip(found?) {
                *best = better(*best, found);
            }
        }
        Ok(best)
    }

    /// For each (span, combination) the share of the other combinations that it beats on the span,
    /// one that is as good counting half; `None` without a figure or without others.
    ///
    /// # Errors
    /// The first combination that cannot be measured.
    pub(super) fn ranks(
        &self,
        asked: &[(Range<BarIndex>, usize)],
        objective: &Objective,
        threads: Option<usize>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Option<f64>>> {
        let score = |(span, at): &(Range<BarIndex>, usize)| -> Result<Option<f64>> {
            Ok(objective.score(&self.measure(*at, span)?))
        };
        let own = asked.iter().map(score).collect::<Result<Vec<_>>>()?;
        let of_chunk = |chunk: &Range<usize>| -> Result<Vec<(f64, f64)>> {
            let mut counts = vec![(0.0, 0.0); asked.len()];
            for at in chunk.clone() {
                for ((counts, (span, of)), own) in counts.iter_mut().zip(asked).zip(&own) {
                    let theirs = objective.score(&self.measure(at, span)?);
                    if let (Some(own), Some(theirs)) = (own, theirs)
                        && at != *of
                    {
                        counts.0 += f64::from(u8::from(theirs < *own));
                        counts.0 += 0.5 * f64::from(u8::from(theirs == *own));
                        counts.1 += 1.0;
                    }
                }
            }
            progress((chunk.len() * asked.len()) as u64);
            Ok(counts)
        };
        let mut sums = vec![(0.0, 0.0); asked.len()];
        for counts in each(&self.chunks(), threads, of_chunk) {
            for (sum, count) in sums.iter_mut().zip(counts?) {
                *sum = (sum.0 + count.0, sum.1 + count.1);
            }
        }
        let share = |(beaten, others): (f64, f64)| (others > 0.0).then(|| beaten / others);
        Ok(sums.into_iter().map(share).collect())
    }

    fn chunks(&self) -> Vec<Range<usize>> {
        let starts = (0..self.len()).step_by(CHUNK);
        starts.map(|s| s..(s + CHUNK).min(self.len())).collect()
    }
}

/// The better of two, the first when they are as good.
fn better(a: Option<Best>, b: Option<Best>) -> Option<Best> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.score > a.score { b } else { a }),
        (a, b) => a.or(b),
    }
}
