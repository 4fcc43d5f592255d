//! A walk part by part, in a fixed order: each fold's choice, then what is seen of the whole. A part that an
//! earlier attempt kept is taken as it was, so that an interrupted walk ends with the same bytes. Where
//! parts are kept is the caller's business.

use crate::error::Result;
use crate::study::overfitting::Sharpes;
use crate::study::walk_forward::crossed::{Crossed, crossed};
use crate::study::walk_forward::windows::Window;
use crate::study::walk_forward::{Candidates, RANKED_MAX, WalkOptions};
use crate::units::BarIndex;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// What is kept of a walk as it is done. Every part is a pure function of the walk and of the parts before.
#[derive(Debug, Clone, PartialEq)]
pub enum WalkPart {
    /// A fold.
    Fold {
        /// The best combination on its training window; `None` when none has the figure.
        best: Option<usize>,
        /// Share of the others that the chosen one beat on the test window; `None` when it cannot be told.
        rank: Option<f64>,
    },
    /// All combinations over all test windows.
    Tested {
        /// The best of them.
        best: Option<usize>,
        /// Their Sharpe ratios a session: number, mean, sum of squared deviations.
        sharpes: (u64, f64, f64),
    },
    /// Sharpe ratio a year of each combination over the whole run.
    Whole(Vec<f64>),
}

/// What a fold chose.
pub(super) struct Chosen {
    pub(super) at: usize,
    pub(super) is_decided: bool,
    pub(super) rank: Option<f64>,
}

/// What is seen of the whole when all folds are walked.
#[derive(Default)]
pub(super) struct After {
    pub(super) best: Option<usize>,
    pub(super) of_tested: Sharpes,
    pub(super) overall: Vec<f64>,
    pub(super) crossed: Option<Crossed>,
}

/// The parts of a walk, one after the other.
pub(super) struct Parts<'a, 'm> {
    candidates: &'a Candidates<'m>,
    options: &'a WalkOptions<'a>,
    kept: std::slice::Iter<'a, WalkPart>,
}

impl<'a, 'm> Parts<'a, 'm> {
    pub(super) fn new(candidates: &'a Candidates<'m>, options: &'a WalkOptions<'a>) -> Self {
        Parts {
            candidates,
            options,
            kept: options.kept.iter(),
        }
    }

    /// The next part: the kept one, else the one that is made now and kept. `None` when it was cancelled.
    fn next(
        &mut self,
        make: impl FnOnce(&Self) -> Result<Option<WalkPart>>,
    ) -> Result<Option<WalkPart>> {
        if let Some(part) = self.kept.next() {
            return Ok(Some(part.clone()));
        }
        let made = make(self)?;
        if let Some(part) = &made {
            (self.options.keep)(part)?;
        }
        Ok(made)
    }

    /// What the folds chose; fewer than there are when it was cancelled.
    pub(super) fn chosen(&mut self, windows: &[Window]) -> Result<Vec<Chosen>> {
        let most = self.options.folds_max.unwrap_or(usize::MAX);
        let mut before = 0;
        let mut chosen = Vec::with_capacity(windows.len());
        for window in windows.iter().take(most) {
            let part = self.next(|parts| parts.fold(window, before))?;
            let Some(WalkPart::Fold { best, rank }) = part else {
                break;
            };
            before = best.unwrap_or(before);
            chosen.push(Chosen {
                at: before,
                is_decided: best.is_some(),
                rank,
            });
        }
        Ok(chosen)
    }

    fn fold(&self, window: &Window, before: usize) -> Result<Option<WalkPart>> {
        let (objective, threads) = (&self.options.objective, self.options.threads);
        let (all, watch) = (self.candidates, self.options.watch);
        let Some((best, _)) = all.best(&window.train, objective, threads, watch)? else {
            return Ok(None);
        };
        if all.len() > RANKED_MAX {
            return Ok(Some(WalkPart::Fold { best, rank: None }));
        }
        let asked = (&window.test, best.unwrap_or(before));
        let rank = all.rank(asked, objective, threads, watch)?;
        Ok(rank.map(|rank| WalkPart::Fold {
            best,
            rank: Some(rank).filter(|rank| rank.is_finite()),
        }))
    }

    /// What is seen of the whole; `None` when it was cancelled.
    pub(super) fn after(&mut self, tested: &Range<BarIndex>) -> Result<Option<After>> {
        if self.options.folds_max.is_some() {
            return Ok(None);
        }
        let (objective, threads) = (&self.options.objective, self.options.threads);
        let watch = self.options.watch;
        let found = self.next(|parts| {
            let found = parts.candidates.best(tested, objective, threads, watch)?;
            Ok(found.map(|(best, all)| WalkPart::Tested {
                best,
                sharpes: (all.count(), all.mean(), all.squares()),
            }))
        })?;
        let Some(WalkPart::Tested { best, sharpes }) = found else {
            return Ok(None);
        };
        let whole = self.next(|parts| {
            let sharpes = parts.candidates.sharpes(threads, watch)?;
            Ok(sharpes.map(WalkPart::Whole))
        })?;
        let Some(WalkPart::Whole(overall)) = whole else {
            return Ok(None);
        };
        let crossing = self.options.crossing;
        let crossed = crossing.map(|c| crossed(self.candidates, c, objective, threads, watch));
        let crossed = match crossed.transpose() {
            Err(_) if watch.cancel.load(Ordering::Relaxed) => return Ok(None),
            found => found?,
        };
        Ok(Some(After {
            best,
            of_tested: Sharpes::of_sums(sharpes.0, sharpes.1, sharpes.2),
            overall,
            crossed,
        }))
    }
}
