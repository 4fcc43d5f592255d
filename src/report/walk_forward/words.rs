//! A walk forward in the terminal: the out-of-sample line first, then the folds, then what they chose.

use crate::metrics::find;
use crate::report::cell;
use crate::report::figure;
use crate::report::summary::Summary;
use crate::report::text::{left, paragraph, right};
use crate::report::walk_forward::{chosen, label};
use crate::study::walk_forward::{Crossed, Fold, Stability, Walk};

/// Widths of a fold's columns: number, test window, chosen values, in sample, out of sample, rank.
const WIDTHS: [usize; 6] = [4, 25, 22, 9, 9, 9];

/// The page of a walk, without the summary of its stitched run.
pub fn text(walk: &Walk, summary: &Summary) -> String {
    let mut text = paragraph(
        "",
        &format!("{}: {}", summary.name, headline(walk, summary)),
    );
    text.push_str(&paragraph("  ", &in_sample(walk)));
    text.push_str(&paragraph("  ", &windows(walk)));
    if let Some(words) = hindsight(walk) {
        text.push_str(&paragraph("  ", &words));
    }
    text.push('\n');
    text.push_str(&folds(walk, summary.period.is_intraday));
    if !walk.stability.is_empty() {
        text.push_str("\nWhat the folds chose\n");
        for stability in &walk.stability {
            text.push_str(&paragraph("  ", &in_words(stability)));
        }
    }
    if let Some(crossed) = &walk.crossed {
        text.push_str("\nCombinatorial purged cross-validation\n");
        text.push_str(&paragraph("  ", &paths(crossed)));
    }
    text
}

fn paths(crossed: &Crossed) -> String {
    let crossing = &crossed.crossing;
    let spread = crossed.sharpe.map_or_else(
        || "No path has a Sharpe ratio".to_owned(),
        |(low, median, high)| format!("Sharpe {low:.2} to {high:.2}, median {median:.2}"),
    );
    format!(
        "{} groups, {} tested at a time, {} purged before and {} embargoed after each: {} ways of \
         testing, {} out of sample. {spread}; {:.0}% of them above 0. A choice may have seen the \
         years after its test: this says how much of the walk is the luck of one order of time.",
        crossing.groups,
        crossing.tested,
        figure::plural(crossing.purge_bars, "bar", "bars"),
        figure::plural(crossing.embargo_bars, "bar", "bars"),
        crossed.splits.len(),
        figure::plural(crossed.paths.len(), "path", "paths"),
        100.0 * crossed.above_zero,
    )
}

/// The line above all others.
pub(super) fn headline(walk: &Walk, summary: &Summary) -> String {
    let of = |key: &str| figure::of_key(&summary.metrics, key);
    format!(
        "out of sample {} a year, Sharpe {}, worst drawdown {}, over {}",
        of("cagr"),
        of("sharpe"),
        of("max_drawdown"),
        figure::plural(walk.folds.len(), "fold", "folds"),
    )
}

fn in_sample(walk: &Walk) -> String {
    let of = &walk.efficiency;
    let finite = |x: f64| Some(x).filter(|x| x.is_finite());
    let ratio = |x: f64| format!("{x:.2}");
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| figure::ABSENT.to_owned());
    let kept = |of: &Result<f64, String>| match of {
        Ok(share) => format!("{:.0}%", 100.0 * share),
        Err(why) => format!("{} ({why})", figure::ABSENT),
    };
    format!(
        "In sample the same choices showed {} a year and Sharpe {}. Efficiency: {} of the return \
         and {} of the Sharpe ratio came to pass.",
        or_absent(finite(of.in_sample_cagr).map(figure::percent)),
        or_absent(finite(of.in_sample_sharpe).map(ratio)),
        kept(&of.annual_return),
        kept(&of.sharpe),
    )
}

fn windows(walk: &Walk) -> String {
    let windows = &walk.windows;
    let from = if windows.anchored {
        "all bars before, at least"
    } else {
        "the"
    };
    let purge = match windows.purge_bars {
        0 => String::new(),
        bars => format!(", {} left out", figure::plural(bars, "bar", "bars")),
    };
    let step = match windows.step == windows.test {
        true => String::new(),
        false => format!(", chosen anew after {}", windows.step),
    };
    let slow = walk.fallback.as_ref();
    let slow = slow.map_or_else(String::new, |why| format!(", bar by bar ({why})"));
    format!(
        "Each test window of {}{step} is traded with the best of {} by {} on {from} {} before \
         it{purge}. {} simulations{slow}.",
        windows.test,
        figure::plural(walk.trials, "combination", "combinations"),
        label(&walk.objective),
        windows.train,
        figure::grouped(walk.simulations as f64, 0),
    )
}

fn hindsight(walk: &Walk) -> Option<String> {
    let seen = walk.hindsight.as_ref()?;
    let values = seen
        .values
        .iter()
        .map(|(name, value)| format!("{name} {value}"));
    let values: Vec<String> = values.collect();
    let of = |key: &str| shown(key, seen.figures.get(key));
    let by_luck = |p: &f64| 100.0 * (1.0 - p);
    let trials_all = walk.trials_all.filter(|all| *all > walk.trials as u64);
    let of_all = match (trials_all, &seen.deflated_sharpe_all) {
        (Some(all), Ok(p)) => format!(
            ", of all {} tried on these data {:.0}%",
            figure::grouped(all as f64, 0),
            by_luck(p)
        ),
        _ => String::new(),
    };
    let luck = match &seen.deflated_sharpe {
        Ok(p) => format!(
            "the best of {} shows a Sharpe that high by luck {:.0}% of the time{of_all}.",
            walk.trials,
            by_luck(p)
        ),
        Err(_) => "nobody could have known.".to_owned(),
    };
    Some(format!(
        "With hindsight {} was the best over the same days, {} a year, Sharpe {}: {luck}",
        values.join(", "),
        of("cagr"),
        of("sharpe"),
    ))
}

/// A figure in its unit.
fn shown(key: &str, value: Option<f64>) -> String {
    match (value, find(key)) {
        (Some(value), Some(metric)) => figure::of_unit(value, metric.unit),
        _ => figure::ABSENT.to_owned(),
    }
}

fn folds(walk: &Walk, is_intraday: bool) -> String {
    let [number, window, values, inside, outside, rank] = WIDTHS;
    let heading = format!("{}: in and out of sample", label(&walk.objective));
    let mut text = format!("Folds by {heading}\n");
    let mut line = |cells: [&str; 6]| {
        let line = right(cells[0], number)
            + "  "
            + &left(cells[1], window)
            + &left(cells[2], values)
            + &right(cells[3], inside)
            + &right(cells[4], outside)
            + &right(cells[5], rank);
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(["", "test window", "chosen", "in", "out", "beat"]);
    for (at, fold) in walk.folds.iter().enumerate() {
        let key = &walk.objective.key;
        line([
            &(at + 1).to_string(),
            &days(fold, is_intraday),
            &combination(walk, at, fold),
            &shown(key, fold.in_sample.get(key)),
            &shown(key, fold.out_of_sample.get(key)),
            &fold.rank.map_or_else(
                || figure::ABSENT.to_owned(),
                |r| format!("{:.0}%", 100.0 * r),
            ),
        ]);
    }
    let beat = "beat: share of the other combinations that the chosen one was better than on the \
                test window, each measured alone.";
    text.push_str(&paragraph("  ", beat));
    if walk.folds.iter().any(|fold| !fold.is_decided) {
        let words = "*: no combination had the figure on the training window; the choice before it was kept.";
        text.push_str(&paragraph("  ", words));
    }
    text
}

fn days(fold: &Fold, is_intraday: bool) -> String {
    let day = |time| cell::moment(time, false);
    let (from, to) = fold.tested;
    match day(from) == day(to) && is_intraday {
        true => cell::moment(from, true),
        false => format!("{} {}", day(from), day(to)),
    }
}

fn combination(walk: &Walk, at: usize, fold: &Fold) -> String {
    let values: Vec<&str> = walk.stability.iter().map(|s| chosen(s, at)).collect();
    let names: Vec<&str> = walk
        .stability
        .iter()
        .map(|s| s.varied.name.as_str())
        .collect();
    let mark = if fold.is_decided { "" } else { "*" };
    let long: Vec<String> = names
        .iter()
        .zip(&values)
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let long = long.join(", ") + mark;
    if long.chars().count() < WIDTHS[2] {
        return long;
    }
    values.join(", ") + mark
}

fn in_words(stability: &Stability) -> String {
    let folds = stability.chosen.len();
    let (at, times) = stability.most_often;
    let often = stability
        .varied
        .values
        .get(at)
        .map_or_else(String::new, |value| {
            format!(", most often {value} ({times} of {folds})")
        });
    format!(
        "{}: {} of {} values{often}, changed at {} of {} borders",
        stability.varied.name,
        stability.distinct,
        stability.varied.values.len(),
        stability.changes,
        folds.saturating_sub(1)
    )
}
