//! The page of a sweep in the terminal: how many trials, whether the best is luck, the best of them
//! in a table of 80 columns, and where the rest is.

use crate::metrics::trial::Trial;
use crate::metrics::{Unit, find};
use crate::report::sweep::record;
use crate::report::text::paragraph;
use crate::report::{figure, judgement};
use crate::strategy::SweepMethod;
use crate::study::sweep::{Field, Goal, Ranking, Row, Swept};

/// Width of the page.
const WIDTH: usize = 80;
/// Widest column of a value.
const VALUE_MAX: usize = 14;

/// The whole page. `top` rows are shown, in the order of `sort` where that is given.
pub fn page(field: &Field, swept: &Swept, top: usize, sort: Option<&Goal>) -> String {
    let mut page = format!("{}\n\n", field.strategy.name);
    let mut answer = |question: &str, words: &str| {
        page.push_str(&paragraph(&format!("  {question:<10}"), words));
    };
    answer("Varied", &varied(field));
    answer("Trials", &trials(swept));
    if let Some(run) = swept.runs.first() {
        answer("Best", &field.words(run.index));
        answer("Plateau", &plateau(swept));
    }
    if let Some(why) = swept.fallback {
        let words = format!("bar by bar instead of event by event, which is slower: {why}");
        answer("Engine", &words);
    }
    page.push_str("\nIs it luck?\n");
    match &swept.judgement {
        Ok(judgement) => {
            page.push_str(&paragraph("  ", &judgement::sentence(judgement)));
            page.push_str(&judgement::table(judgement));
        }
        Err(reason) => {
            page.push_str(&paragraph("  ", &format!("That cannot be said: {reason}.")));
        }
    }
    page.push_str(&table(field, &swept.ranking, top, sort));
    page
}

/// The axes with how many values each has.
fn varied(field: &Field) -> String {
    let axis = |axis: &crate::strategy::SweepAxis| {
        let values = &axis.values;
        let (first, last) = (&values[0].text, &values[values.len() - 1].text);
        match values.len() {
            1 => format!("{} = {first}", axis.name()),
            2 => format!("{} {first}, {last}", axis.name()),
            n => format!("{} {first} to {last} ({n})", axis.name()),
        }
    };
    let axes: Vec<String> = field.space.axes.iter().map(axis).collect();
    let constraint = field.strategy.sweep.constraint.as_ref();
    let constraint = constraint.map(|text| format!(", where {}", text.text));
    axes.join(", ") + &constraint.unwrap_or_default()
}

/// How many trials of how many combinations, and what ranks them.
pub fn trials(swept: &Swept) -> String {
    let count = figure::plural(swept.ranking.count as usize, "trial", "trials");
    let of = match swept.ranking.count == swept.total {
        true => "every combination".to_owned(),
        false => format!("of {} combinations", figure::grouped(swept.total as f64, 0)),
    };
    let how = match swept.method {
        SweepMethod::Grid => String::new(),
        method => format!(", {}", record::method(method)),
    };
    let goal = &swept.goal;
    let rank = match goal.least {
        true => format!("ranked by least {}", goal.key),
        false => format!("ranked by {}", goal.key),
    };
    let mut words = format!("{count}, {of}{how}, {rank}");
    let is_measured = swept.ranking.count == swept.planned;
    if !swept.is_complete && is_measured {
        words.push_str("; the judgement was interrupted");
    } else if !swept.is_complete {
        let planned = figure::grouped(swept.planned as f64, 0);
        words.push_str(&format!("; unfinished, {planned} were planned"));
    }
    if swept.ranking.absent > 0 {
        let absent = figure::grouped(swept.ranking.absent as f64, 0);
        words.push_str(&format!("; {absent} have no {} and come last", goal.key));
    }
    if swept.rounds.len() > 1 {
        let rounds = swept.rounds.iter();
        let rounds: Vec<String> = rounds
            .map(|(n, part, parts)| format!("{} on {part}/{parts}", figure::grouped(*n as f64, 0)))
            .collect();
        words.push_str(&format!("; rounds: {} of the bars", rounds.join(", ")));
    }
    words
}

fn plateau(swept: &Swept) -> String {
    match swept.plateau {
        Some(plateau) => format!(
            "{:.2}: on average, its {} {} of its {}",
            plateau.score,
            figure::plural(plateau.neighbours, "neighbour has", "neighbours have"),
            figure::given_percent((plateau.score * 100.0).round() / 100.0),
            swept.goal.key
        ),
        None => format!(
            "{}: no neighbour to compare with, or no {} above 0",
            figure::ABSENT,
            swept.goal.key
        ),
    }
}

/// Headings of the figures, in the order in which they are given up where the page is too narrow,
/// the last ones first.
const HEADINGS: [(&str, &str); 10] = [
    ("sharpe", "sharpe"),
    ("cagr", "cagr"),
    ("max_drawdown", "max dd"),
    ("trades", "trades"),
    ("total_return", "return"),
    ("calmar", "calmar"),
    ("win_rate", "win"),
    ("sortino", "sortino"),
    ("exposure", "exposure"),
    ("volatility", "vol"),
];

/// The best rows, one a line.
pub fn table(field: &Field, ranking: &Ranking, top: usize, sort: Option<&Goal>) -> String {
    let mut rows: Vec<(usize, &Row)> = ranking.best.iter().take(top).enumerate().collect();
    if let Some(sort) = sort {
        rows.sort_by(|a, b| {
            sort.score(b.1)
                .total_cmp(&sort.score(a.1))
                .then(a.0.cmp(&b.0))
        });
    }
    let axes = &field.space.axes;
    let shown: Vec<usize> = (0..axes.len())
        .filter(|a| axes[*a].values.len() > 1)
        .collect();
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    let ranks = rows.iter().map(|(rank, _)| (rank + 1).to_string());
    columns.push(("#".to_owned(), ranks.collect()));
    for axis in shown {
        let value = |(_, row): &(usize, &Row)| {
            let at = field.space.point_of(row.index)[axis];
            shortened(&axes[axis].values[at].text)
        };
        columns.push((
            shortened(axes[axis].name()),
            rows.iter().map(value).collect(),
        ));
    }
    let goal = ranking.goal;
    let figures = HEADINGS.iter().filter(|(key, _)| *key == goal.key);
    let figures = figures.chain(HEADINGS.iter().filter(|(key, _)| *key != goal.key));
    let mut used: usize = columns.iter().map(width).sum();
    for (key, heading) in figures {
        let Some(place) = Trial::KEYS.iter().position(|known| known == key) else {
            continue;
        };
        let cells = rows
            .iter()
            .map(|(_, row)| shown_figure(key, row.figures[place]));
        let column = ((*heading).to_owned(), cells.collect());
        if used + width(&column) > WIDTH && key != &goal.key {
            continue;
        }
        used += width(&column);
        columns.push(column);
    }
    let mut text = String::from("\nBest trials\n");
    for line in 0..=rows.len() {
        let cell = |column: &(String, Vec<String>)| {
            let cell = if line == 0 {
                &column.0
            } else {
                &column.1[line - 1]
            };
            format!("{cell:>width$}", width = width(column))
        };
        let cells: String = columns.iter().map(cell).collect();
        text.push_str(cells.trim_end());
        text.push('\n');
    }
    text
}

/// Width of a column with two spaces before it.
fn width(column: &(String, Vec<String>)) -> usize {
    let cells = column.1.iter().chain([&column.0]);
    2 + cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn shortened(text: &str) -> String {
    match text.chars().count() > VALUE_MAX {
        true => text.chars().take(VALUE_MAX - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn shown_figure(key: &str, value: f64) -> String {
    match value.is_nan() {
        true => figure::ABSENT.to_owned(),
        false => figure::of_unit(value, find(key).map_or(Unit::Ratio, |row| row.unit)),
    }
}

/// Rows as CSV, best first: axes, then figures.
pub fn csv(field: &Field, ranking: &Ranking, top: usize) -> String {
    let mut text = crate::report::sweep::folder::columns(field, false).join(",");
    text.push('\n');
    let mut point = vec![0; field.space.axes.len()];
    for row in ranking.best.iter().take(top) {
        crate::report::sweep::folder::push_row(&mut text, field, row, &mut point, false);
        text.push('\n');
    }
    text
}

/// The page of a bare sweep: the best trials and how many there were.
pub fn bare(field: &Field, ranking: &Ranking, top: usize, sort: Option<&Goal>) -> String {
    let count = figure::plural(ranking.count as usize, "trial", "trials");
    let absent = match ranking.absent {
        0 => String::new(),
        n => format!(
            ", {} without {}",
            figure::grouped(n as f64, 0),
            ranking.goal.key
        ),
    };
    let table = table(field, ranking, top, sort);
    format!("{}\n  {count}{absent}\n{table}", field.strategy.name)
}

/// A figure as files have it; `null` where there is none.
pub(super) fn number(value: f64) -> serde_json::Value {
    match value.is_finite() {
        true => serde_json::Value::from(value + 0.0),
        false => serde_json::Value::Null,
    }
}

/// The number or text of an axis' value.
pub(super) fn value(value: &crate::strategy::SweepValue) -> serde_json::Value {
    match value.number {
        // Whole numbers without a fraction, as the file has them.
        Some(x) if x.fract() == 0.0 && x.abs() < 9e15 => serde_json::Value::from(x as i64),
        Some(x) => serde_json::Value::from(x),
        None => serde_json::Value::from(value.text.as_str()),
    }
}

/// The trial in a few words for a chart: `period 14, low 30`.
pub(super) fn params(field: &Field, index: u64) -> String {
    let point = field.space.point_of(index);
    let axes = field.space.axes.iter().zip(point);
    let varied = axes.filter(|(axis, _)| axis.values.len() > 1);
    let words = varied.map(|(axis, at)| format!("{} {}", axis.name(), axis.values[at].text));
    words.collect::<Vec<_>>().join(", ")
}
