//! Who is told how far simulations have come. The library has no clock and prints nothing: whoever asks counts
//! bars, and makes of them what it likes.

use crate::units::BarIndex;
use std::fmt;

/// Told, from any thread, how many more bars were simulated; by default nobody is.
#[derive(Clone, Copy, Default)]
pub struct Progress<'a>(Option<&'a (dyn Fn(u64) + Sync)>);

/// Bars from one report to the next: so many that nothing of a bar's time is spent on it.
const BARS: usize = 8192;

impl<'a> Progress<'a> {
    /// Reports to `tell`.
    pub fn to(tell: &'a (dyn Fn(u64) + Sync)) -> Self {
        Progress(Some(tell))
    }

    /// Where a pass from one bar to another stops to report.
    pub(crate) fn next(self, from: BarIndex, to: BarIndex) -> BarIndex {
        match self.0 {
            Some(_) => to.min(from + BARS),
            None => to,
        }
    }

    /// Reports so many more bars.
    pub(crate) fn done(self, bars: u64) {
        if let Some(tell) = self.0 {
            tell(bars);
        }
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Progress(told)",
            None => "Progress(nobody)",
        })
    }
}
