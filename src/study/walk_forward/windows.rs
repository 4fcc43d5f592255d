//! Training and test windows: which bars parameters are chosen on, and which they are judged on.
//!
//! Windows on the calendar are counted from the first day of the run, so that a month of 30 days
//! does not make the borders drift. What happens in them is left to the walk.

use crate::error::{Error, Problem, Result};
use crate::market::{date_of, midnight, show_time};
use crate::strategy::{Strategy, Stretch};
use crate::units::{BarIndex, Micros};
use chrono::{Days, Months, NaiveDate};
use std::ops::Range;

/// A last window with less than one in so many of the bars of the one before is none of its own.
const SCRAP: usize = 4;

/// The windows of `[walk_forward]`, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Length of a training window.
    pub train: Stretch,
    /// Length of a test window, in the unit (calendar or bars) of `train`.
    pub test: Stretch,
    /// How far the windows move; at most as far as `test`.
    pub step: Stretch,
    /// Every training window begins on the first bar.
    pub anchored: bool,
    /// Bars left out between a training window and its test window.
    pub purge_bars: usize,
}

/// One training window and the bars that are traded with what it chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Clock bars that parameters are chosen on, without the purged ones.
    pub train: Range<BarIndex>,
    /// Clock bars after it, up to the next test window, or to the end of the data.
    pub test: Range<BarIndex>,
    /// The data ends before the test window does.
    pub is_cut: bool,
}

impl Windows {
    /// The windows that a strategy file asks for.
    ///
    /// # Errors
    /// The file has no `train` and `test`.
    pub fn of(strategy: &Strategy) -> Result<Windows> {
        let walk = &strategy.walk_forward;
        let (Some(train), Some(test)) = (walk.train, walk.test) else {
            return Err(Error::new(
                Problem::new("the strategy has no windows to walk forward through")
                    .in_file(&strategy.source.name)
                    .at_column("walk_forward")
                    .help("add [walk_forward] train = \"5y\", test = \"1y\", or --set walk_forward.train=5y --set walk_forward.test=1y"),
            ));
        };
        Ok(Windows {
            train,
            test,
            step: walk.step.unwrap_or(test),
            anchored: walk.anchored,
            purge_bars: walk.purge_bars as usize,
        })
    }

    /// All windows over the bars `span` of a clock. The test windows follow one another without a gap
    /// up to the end of the span. When the data ends before a quarter of the last one is over, so
    /// few bars say nothing of a choice: the window before it goes on to the end instead.
    ///
    /// # Errors
    /// Windows longer than the span, training windows without a bar.
    pub fn over(&self, clock: &[Micros], span: Range<BarIndex>) -> Result<Vec<Window>> {
        let border = |moves: u32| self.border(clock, &span, Some(self.train), moves);
        let (mut windows, mut pushed) = (Vec::new(), Vec::new());
        let mut moves = 0;
        let mut begins = border(0);
        if begins >= span.end {
            return Err(self.too_long(clock, &span));
        }
        while begins < span.end {
            let next = border(moves + 1).min(span.end);
            if next > begins {
                let from = if self.anchored {
                    span.start
                } else {
                    self.border(clock, &span, None, moves)
                };
                let train = from..begins.saturating_sub(self.purge_bars).max(from);
                if train.is_empty() {
                    return Err(self.nothing_to_train(clock, from, begins));
                }
                windows.push(Window {
                    train,
                    test: begins..next,
                    is_cut: next == span.end && self.is_cut(clock, &span, (moves, self.test)),
                });
                pushed.push(moves);
            }
            (begins, moves) = (next, moves + 1);
        }
        if let [.., before, last] = pushed[..]
            && self.is_cut(clock, &span, (last, self.step))
            && let Some(scrap) = scrap(&mut windows)
            && let Some(window) = windows.last_mut()
        {
            window.test.end = scrap.test.end;
            window.is_cut = self.is_cut(clock, &span, (before, self.test));
        }
        Ok(windows)
    }

    /// First clock bar at or after the start of the span plus `first` and so many steps.
    fn border(
        &self,
        clock: &[Micros],
        span: &Range<BarIndex>,
        first: Option<Stretch>,
        steps: u32,
    ) -> BarIndex {
        let start = self.start(clock, span);
        let from = first.map_or(start, |first| start.plus(first, 1));
        from.plus(self.step, steps).bar(clock).max(span.start)
    }

    /// The data ends before a stretch does that begins with the test window after so many steps.
    fn is_cut(
        &self,
        clock: &[Micros],
        span: &Range<BarIndex>,
        (steps, length): (u32, Stretch),
    ) -> bool {
        let start = self.start(clock, span).plus(self.train, 1);
        let end = start.plus(self.step, steps).plus(length, 1);
        match (end, end.day()) {
            (Place::Bar(bar), _) => bar > span.end,
            (_, None) => true,
            (_, Some(day)) => {
                let next = date_of(clock[span.end - 1]).succ_opt();
                next.is_some_and(|next| next < day)
            }
        }
    }

    /// Where counting begins: in bars or on the calendar, as `train` is.
    fn start(&self, clock: &[Micros], span: &Range<BarIndex>) -> Place {
        match self.train {
            Stretch::Bars(_) => Place::Bar(span.start),
            Stretch::Days(_) | Stretch::Months(_) => Place::Day {
                after: date_of(clock[span.start]),
                months: 0,
                days: 0,
            },
        }
    }

    fn too_long(&self, clock: &[Micros], span: &Range<BarIndex>) -> Error {
        let (first, last) = (clock[span.start], clock[span.end - 1]);
        Error::new(
            Problem::new(format!(
                "training on {} leaves no bar to test on",
                self.train
            ))
            .at_column("walk_forward.train")
            .help(format!(
                "the run has {} bars, from {} to {}",
                span.len(),
                show_time(first),
                show_time(last)
            )),
        )
    }

    fn nothing_to_train(&self, clock: &[Micros], from: BarIndex, to: BarIndex) -> Error {
        let (key, help) = if from < to {
            ("purge_bars", "purge fewer bars, or train longer")
        } else {
            ("train", "train on a longer window")
        };
        Error::new(
            Problem::new(format!(
                "the training window before {} has no bar left",
                clock.get(to).map_or_else(String::new, |t| show_time(*t))
            ))
            .at_column(format!("walk_forward.{key}"))
            .help(help),
        )
    }
}

/// Takes out the last window when it trades less than one in [`SCRAP`] of the bars of the one before.
fn scrap(windows: &mut Vec<Window>) -> Option<Window> {
    let is_scrap = match &windows[..] {
        [.., before, last] => last.test.len() * SCRAP < before.test.len(),
        _ => false,
    };
    windows.pop_if(|_| is_scrap)
}

/// A place on the clock that windows are counted to.
#[derive(Debug, Clone, Copy)]
enum Place {
    Bar(BarIndex),
    /// So many months and then days after a day. Months are added up first: a month after the 31st
    /// of January and another one is the 31st of March.
    Day {
        after: NaiveDate,
        months: u64,
        days: u64,
    },
}

impl Place {
    /// So many times a stretch later. Bars after a day are not counted: windows have one unit.
    fn plus(self, stretch: Stretch, times: u32) -> Self {
        let so_many = |n: u32| u64::from(n) * u64::from(times);
        match (self, stretch) {
            (Place::Bar(bar), Stretch::Bars(n)) => {
                Place::Bar(bar.saturating_add(usize::try_from(so_many(n)).unwrap_or(usize::MAX)))
            }
            (
                Place::Day {
                    after,
                    months,
                    days,
                },
                Stretch::Days(n),
            ) => Place::Day {
                after,
                months,
                days: days.saturating_add(so_many(n)),
            },
            (
                Place::Day {
                    after,
                    months,
                    days,
                },
                Stretch::Months(n),
            ) => Place::Day {
                after,
                months: months.saturating_add(so_many(n)),
                days,
            },
            (place, _) => place,
        }
    }

    /// The day; `None` for one that no calendar has.
    fn day(self) -> Option<NaiveDate> {
        let Place::Day {
            after,
            months,
            days,
        } = self
        else {
            return None;
        };
        let months = Months::new(u32::try_from(months).ok()?);
        after
            .checked_add_months(months)?
            .checked_add_days(Days::new(days))
    }

    /// First clock bar at or after it.
    fn bar(self, clock: &[Micros]) -> BarIndex {
        match (self, self.day()) {
            (Place::Bar(bar), _) => bar,
            (_, None) => clock.len(),
            (_, Some(day)) => clock.partition_point(|t| *t < midnight(day)),
        }
    }
}
