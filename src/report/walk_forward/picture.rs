//! From a walk forward to what `walk-forward.png` draws. How it is drawn is left to `chart`.

use crate::error::Result;
use crate::metrics::{Better, Unit, find};
use crate::report::cell;
use crate::report::chart::{
    self, Chosen, Figure, Objective, Role, Series, Varied, WalkForwardChart, walk_forward,
};
use crate::report::figure;
use crate::report::pictures::{subtitle, typeset, unit};
use crate::report::summary::Summary;
use crate::report::walk_forward::label;
use crate::study::Judged;
use crate::study::walk_forward::{Fold, Walk};

/// Curves beside the stitched one and the one of hindsight.
const BENCHMARKS_MAX: usize = 3;

/// The bytes of `walk-forward.png`.
///
/// # Errors
/// When columns of the run differ in length.
pub fn picture(walk: &Walk, summary: &Summary, judged: &Judged) -> Result<Vec<u8>> {
    let run = &judged.outcome.run;
    let mut equity = vec![Series {
        name: "out of sample".to_owned(),
        role: Role::Strategy,
        value: run.equity.clone(),
    }];
    equity.extend(walk.hindsight.as_ref().map(|seen| Series {
        name: "best with hindsight".to_owned(),
        role: Role::InSample,
        value: seen.equity.clone(),
    }));
    let shown = judged.outcome.benchmarks.iter().take(BENCHMARKS_MAX);
    equity.extend(shown.map(|(name, run)| Series {
        name: name.clone(),
        role: Role::of_benchmark(name),
        value: run.equity.clone(),
    }));
    walk_forward(&WalkForwardChart {
        title: summary.name.clone(),
        subtitle: format!("{}  ·  {}", subtitle(summary), windows(walk)),
        figures: figures(walk, summary),
        unit: unit(summary),
        time: run.time.clone(),
        equity,
        equity_note: walk.hindsight.as_ref().map(|_| {
            "Best with hindsight: the one combination with the best figure over these very days, which nobody could have known.".to_owned()
        }),
        objective: Objective {
            name: label(&walk.objective).to_owned(),
            percent: find(&walk.objective.key).is_some_and(|m| m.unit == Unit::Fraction),
            diverging: find(&walk.objective.key).is_some_and(|m| m.better == Better::Higher),
        },
        folds: walk.folds.iter().map(|fold| of_fold(walk, fold)).collect(),
        efficiency: efficiency(walk),
        chosen: walk.stability.iter().map(|stability| Chosen {
            param: Varied {
                name: stability.varied.name.clone(),
                values: stability.varied.values.clone(),
            },
            values: stability.chosen.iter().copied().map(Some).collect(),
        }).collect(),
        notes: summary.caveats.iter().map(|c| c.text.clone()).collect(),
    })
}

fn windows(walk: &Walk) -> String {
    let kind = if walk.windows.anchored {
        "anchored"
    } else {
        "rolling"
    };
    format!(
        "{} of {kind} training, {} of test",
        walk.windows.train, walk.windows.test
    )
}

fn of_fold(walk: &Walk, fold: &Fold) -> chart::Fold {
    let key = &walk.objective.key;
    let day = |time| cell::moment(time, false);
    chart::Fold {
        name: day(fold.tested.0),
        start: fold.tested.0,
        in_sample: fold.in_sample.get(key),
        out_of_sample: fold.out_of_sample.get(key),
    }
}

fn efficiency(walk: &Walk) -> String {
    let of = &walk.efficiency;
    let words = |of: &std::result::Result<f64, String>, what: &str| {
        let share = of.as_ref().ok()?;
        Some(format!("{:.0}% of {what}", 100.0 * share))
    };
    let kept: Vec<String> = [
        words(&of.annual_return, "the annual return"),
        words(&of.sharpe, "the Sharpe ratio"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match kept.is_empty() {
        true => String::new(),
        false => format!("efficiency: {} came to pass", kept.join(" and ")),
    }
}

fn figures(walk: &Walk, summary: &Summary) -> Vec<Figure> {
    let of = |label: &str, key: &str, note: String| Figure {
        label: label.to_owned(),
        value: typeset(&figure::of_key(&summary.metrics, key)),
        note: typeset(&note),
    };
    let finite = |x: f64| Some(x).filter(|x| x.is_finite());
    let inside = &walk.efficiency;
    let promised =
        finite(inside.in_sample_cagr).map(|x| format!("{} in sample", figure::percent(x)));
    let sharpe = finite(inside.in_sample_sharpe).map(|x| format!("{x:.2} in sample"));
    vec![
        of("CAGR", "cagr", promised.unwrap_or_default()),
        of("Sharpe ratio", "sharpe", sharpe.unwrap_or_default()),
        of("Total return", "total_return", "out of sample".to_owned()),
        of("Max drawdown", "max_drawdown", "out of sample".to_owned()),
        of("Trades", "trades", "closed".to_owned()),
        Figure {
            label: "Folds".to_owned(),
            value: walk.folds.len().to_string(),
            note: format!("{} each", figure::plural(walk.trials, "trial", "trials")),
        },
    ]
}
