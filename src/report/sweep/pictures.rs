//! Pictures of a sweep: maps of pairs of axes, parallel coordinates, the curves of the best trials;
//! and those curves as a table. It only lays out what the sweep says.

use crate::engine::Run;
use crate::error::Result;
use crate::metrics::{Unit, find};
use crate::report::chart::{
    Figure, HeatMapChart, HeatPanel, Objective, ParallelChart, ParallelTrial, RankedChart,
    RankedTrial, Role, Series, Varied, heatmap, parallel, ranked,
};
use crate::report::folder::NewFile;
use crate::report::pictures::typeset;
use crate::report::sweep::text::{params, trials};
use crate::report::{cell, figure, judgement};
use crate::study::sweep::{Field, Heat, Row, Swept, TopRun};

/// The curves of the best trials and of the benchmarks.
pub const CURVES: &str = "equity.csv";

/// Figures beside the curves.
const FIGURES: [&str; 6] = [
    "sharpe",
    "cagr",
    "volatility",
    "max_drawdown",
    "trades",
    "exposure",
];

/// The table of curves, and the pictures unless the strategy wants none.
///
/// # Errors
/// A picture that cannot be drawn.
pub fn files(field: &Field, swept: &Swept) -> Result<Vec<NewFile>> {
    let Some(best) = swept.runs.first() else {
        return Ok(Vec::new());
    };
    let mut files = vec![(CURVES.to_owned(), curves(swept).into_bytes())];
    if !field.strategy.report.charts {
        return Ok(files);
    }
    let words = trials(swept);
    if !swept.heat.is_empty() {
        let chart = map(field, swept, best, &words);
        files.push(("heatmap.png".to_owned(), heatmap(&chart)?));
    }
    let chart = lines(field, swept, best, &words);
    files.push(("parallel.png".to_owned(), parallel(&chart)?));
    files.push((
        "equity.png".to_owned(),
        ranked(&equity(field, swept, best))?,
    ));
    Ok(files)
}

/// The runs of the same bars as the best, with their ranks.
fn alike(swept: &Swept) -> Vec<(usize, &TopRun)> {
    let time = swept.runs.first().map(|best| &best.outcome.run.time);
    let ranked = (1..).zip(&swept.runs);
    ranked
        .filter(|(_, run)| Some(&run.outcome.run.time) == time)
        .collect()
}

fn curves(swept: &Swept) -> String {
    let Some(best) = swept.runs.first() else {
        return String::new();
    };
    let runs = alike(swept);
    let benchmarks = &best.outcome.benchmarks;
    let mut text = String::from("date");
    for (rank, _) in &runs {
        text.push_str(&format!(",trial_{rank}"));
    }
    for (name, _) in benchmarks {
        match name.contains([',', '"']) {
            true => text.push_str(&format!(",\"{}\"", name.replace('"', "\"\""))),
            false => text.push_str(&format!(",{name}")),
        }
    }
    text.push('\n');
    let time = &best.outcome.run.time;
    let intraday = cell::is_intraday(time);
    let curves = runs.iter().map(|(_, run)| &run.outcome.run);
    let curves: Vec<&Run> = curves
        .chain(benchmarks.iter().map(|(_, run)| run))
        .collect();
    for (bar, moment) in time.iter().enumerate() {
        cell::push_moment(&mut text, *moment, intraday);
        for run in &curves {
            text.push(',');
            if let Some(equity) = run.equity.get(bar) {
                cell::push_number(&mut text, *equity);
            }
        }
        text.push('\n');
    }
    text
}

fn objective(swept: &Swept) -> Objective {
    let row = find(swept.goal.key);
    Objective {
        name: row.map_or(swept.goal.key, |row| row.label).to_owned(),
        percent: row.is_some_and(|row| row.unit == Unit::Fraction),
        diverging: ["total_return", "cagr", "sharpe", "sortino", "calmar"]
            .contains(&swept.goal.key),
    }
}

fn varied(field: &Field, axis: usize) -> Varied {
    let axis = &field.space.axes[axis];
    Varied {
        name: axis.name().to_owned(),
        values: axis.values.iter().map(|value| value.text.clone()).collect(),
    }
}

/// Axes with two values or more.
fn axes(field: &Field) -> Vec<usize> {
    let axes = &field.space.axes;
    (0..axes.len())
        .filter(|a| axes[*a].values.len() > 1)
        .collect()
}

fn map(field: &Field, swept: &Swept, best: &TopRun, words: &str) -> HeatMapChart {
    let point = field.space.point_of(best.index);
    let all = axes(field);
    let panel = |heat: &Heat| {
        let others = all
            .iter()
            .filter(|a| **a != heat.right && Some(**a) != heat.up);
        let others: Vec<&str> = others.map(|a| field.space.axes[*a].name()).collect();
        HeatPanel {
            x: varied(field, heat.right),
            y: heat.up.map(|up| varied(field, up)),
            cells: heat.cells.clone(),
            best: Some(heat.cell(&point)),
            folded: match others.is_empty() {
                true => String::new(),
                false => format!("best over {}", others.join(", ")),
            },
        }
    };
    HeatMapChart {
        title: field.strategy.name.clone(),
        subtitle: words.to_owned(),
        objective: objective(swept),
        panels: swept.heat.iter().map(panel).collect(),
        notes: notes(swept),
    }
}

/// The verdict, for under a picture.
fn notes(swept: &Swept) -> Vec<String> {
    swept.judgement.iter().map(judgement::sentence).collect()
}

fn lines(field: &Field, swept: &Swept, best: &TopRun, words: &str) -> ParallelChart {
    let axes = axes(field);
    let mut rows: Vec<&Row> = swept.sample.iter().collect();
    if let Some(first) = swept.ranking.best.first()
        && !rows.iter().any(|row| row.index == first.index)
    {
        rows.push(first);
    }
    let mut scores: Vec<f64> = rows.iter().map(|row| swept.goal.score(row)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    let tenth = scores
        .get(scores.len() / 10)
        .copied()
        .unwrap_or(f64::INFINITY);
    let trial = |row: &&Row| {
        let point = field.space.point_of(row.index);
        let value = swept.goal.value(row);
        ParallelTrial {
            point: axes.iter().map(|a| point[*a] as u32).collect(),
            objective: Some(value).filter(|x| x.is_finite()),
            top: swept.goal.score(row) > tenth || row.index == best.index,
        }
    };
    let shown = figure::grouped(rows.len() as f64, 0);
    let mut notes = notes(swept);
    if (rows.len() as u64) < swept.ranking.count {
        notes.push(format!(
            "{shown} trials are shown: drawn at random from all, and the best."
        ));
    }
    ParallelChart {
        title: field.strategy.name.clone(),
        subtitle: words.to_owned(),
        axes: axes.iter().map(|axis| varied(field, *axis)).collect(),
        objective: objective(swept),
        best: rows.iter().position(|row| row.index == best.index),
        trials: rows.iter().map(trial).collect(),
        notes,
    }
}

fn equity(field: &Field, swept: &Swept, best: &TopRun) -> RankedChart {
    let run = &best.outcome.run;
    let trial = |(rank, run): (usize, &TopRun)| RankedTrial {
        rank,
        params: params(field, run.index),
        equity: run.outcome.run.equity.clone(),
        cells: FIGURES
            .iter()
            .map(|key| typeset(&figure::of_key(&run.metrics, key)))
            .collect(),
    };
    let against = |(name, run): &(String, Run)| Series {
        name: name.clone(),
        role: Role::of_benchmark(name),
        value: run.equity.clone(),
    };
    let count = figure::plural(swept.ranking.count as usize, "trial", "trials");
    let label = |key: &&str| find(key).map_or(*key, |row| row.label).to_owned();
    let symbols = run.symbols.len();
    RankedChart {
        title: field.strategy.name.clone(),
        subtitle: format!(
            "{} to {}, {}",
            cell::moment(run.time.first().copied().unwrap_or_default(), false),
            cell::moment(run.time.last().copied().unwrap_or_default(), false),
            match &run.symbols[..] {
                [one] => one.clone(),
                _ => format!("{symbols} symbols"),
            }
        ),
        banner: format!("In-sample: chosen among {count}"),
        figures: figures(swept),
        unit: match best.strategy.account.currency.as_str() {
            "USD" => "$".to_owned(),
            other => format!("{other} "),
        },
        time: run.time.clone(),
        trials: alike(swept).into_iter().map(trial).collect(),
        against: best.outcome.benchmarks.iter().map(against).collect(),
        metrics: FIGURES.iter().map(label).collect(),
        notes: notes(swept),
    }
}

/// What is to be believed of the best.
fn figures(swept: &Swept) -> Vec<Figure> {
    let Ok(judged) = &swept.judgement else {
        return Vec::new();
    };
    let shown = |value: &crate::metrics::Value<f64>, unit| match value {
        Ok(value) => figure::of_unit(*value, unit),
        Err(_) => figure::ABSENT.to_owned(),
    };
    let one = |label: &str, value: String, note: String| Figure {
        label: label.to_owned(),
        value,
        note,
    };
    let luck = figure::of_unit(judged.sharpe_of_luck, Unit::Ratio);
    vec![
        one(
            "Sharpe",
            shown(&judged.sharpe, Unit::Ratio),
            format!("luck alone {luck}"),
        ),
        one(
            "Deflated Sharpe",
            shown(&judged.deflated_sharpe, Unit::Fraction),
            "probability of no luck".to_owned(),
        ),
        one(
            "Overfitting",
            shown(&judged.pbo, Unit::Fraction),
            "PBO, 50% is luck".to_owned(),
        ),
        one(
            "Effective trials",
            shown(&judged.trials_effective, Unit::Count),
            format!("of {}", figure::grouped(judged.trials as f64, 0)),
        ),
    ]
}
