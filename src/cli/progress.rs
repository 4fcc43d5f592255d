//! A bar with the rate and the time left, on a terminal, of whatever takes longer than a second.

use crate::cli::Context;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What is done sooner shows no bar.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// What there is to do, and how much of it is done. Any thread may tell it.
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Instant,
    /// It is drawn, or never will be.
    is_settled: AtomicBool,
}

impl Bar {
    /// A bar of so many `units` (trials, bars), drawn from the second second on; never with `--quiet` and
    /// where standard error is no terminal.
    pub(crate) fn new(total: u64, units: &str, io: &Context) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let style =
            format!("{{wide_bar}} {{human_pos}} of {{human_len}} {units}, {{rate}}, {{eta}} left");
        // The template is a constant: if it were wrong, the usual bar would do.
        if let Ok(style) = ProgressStyle::with_template(&style) {
            bar.set_style(style.with_key("rate", rate));
        }
        Bar {
            bar,
            started: Instant::now(),
            is_settled: AtomicBool::new(io.quiet),
        }
    }

    /// There is more to do than was known.
    pub(crate) fn lengthen(&self, more: u64) {
        self.bar.inc_length(more);
    }

    /// So many more are done.
    pub(crate) fn done(&self, more: u64) {
        self.bar.inc(more);
        let is_due = || self.started.elapsed() >= SHOWN_AFTER;
        if !self.is_settled.load(Ordering::Relaxed)
            && is_due()
            && !self.is_settled.swap(true, Ordering::Relaxed)
        {
            // A target that is no terminal stays hidden.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// So many a second, a tenth of one told only of a few.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    let rate = state.per_sec();
    // A bar that cannot be written shows no rate.
    let _ = match rate {
        few if few < 10.0 => write!(out, "{few:.1}/s"),
        many => write!(out, "{}/s", HumanCount(many as u64)),
    };
}
