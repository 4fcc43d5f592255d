//! `[model]` in words: every key, given or not.

use crate::report::figure;
use crate::strategy::{Every, Model, Refit};

/// What is learned from what, how often, and what a fit leaves out.
pub(super) fn in_words(model: &Model) -> String {
    let learner = model.learner_name().replace('_', " ");
    let features = figure::plural(model.features.len(), "feature", "features");
    let refit = match model.refit {
        Refit::Period(every) => format!("every {}", period(every)),
        Refit::After(stretch) => format!("every {stretch}"),
    };
    let purge = match model.purge {
        Some(bars) => format!("the last {}", figure::plural(bars as usize, "bar", "bars")),
        None => "the bars that the target looks ahead".to_owned(),
    };
    let embargo = match model.embargo {
        0 => "no embargo".to_owned(),
        bars => format!(
            "an embargo of {} more",
            figure::plural(bars as usize, "bar", "bars")
        ),
    };
    format!(
        "{} by {learner} of {features}, fitted {refit} on the {} before, less {purge}, {embargo}; seed {}",
        model.target.text, model.fit_window, model.seed
    )
}

fn period(every: Every) -> &'static str {
    match every {
        Every::Bar => "bar",
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
        Every::Quarter => "quarter",
        Every::Year => "year",
    }
}
