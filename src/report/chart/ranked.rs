//! A sweep's `equity.png`: the curves of its best trials beside the benchmark and cash, under a
//! banner that says that they were chosen with hindsight, and a table of their figures.

use crate::error::Result;
use crate::report::chart::axis::Clock;
use crate::report::chart::equity;
use crate::report::chart::page::{PALETTE, Page};
use crate::report::chart::table;
use crate::report::chart::{Figure, Picture, Role, Series};
use crate::units::Micros;
use std::borrow::Cow;

/// Most trials drawn: as many as there are colours.
const TRIALS_MAX: usize = PALETTE.len();

/// One of the best trials.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankedTrial {
    /// Its place among all trials, from 1.
    pub rank: usize,
    /// Its params: `period 14, low 30`.
    pub params: String,
    /// Its equity, one value an element of the chart's `time`.
    pub equity: Vec<f64>,
    /// Its figures, one cell a metric of [`RankedChart::metrics`].
    pub cells: Vec<String>,
}

/// What a sweep's `equity.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RankedChart {
    /// Name of the strategy.
    pub title: String,
    /// Period and symbols, in one line.
    pub subtitle: String,
    /// How the trials came to be chosen: `in-sample: chosen among 9,604 trials`.
    pub banner: String,
    /// What is to be believed of them: deflated Sharpe, probability of overfitting, at most
    /// twelve.
    pub figures: Vec<Figure>,
    /// Unit of money, for example `$`.
    pub unit: String,
    /// Moments of the bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Best trials that have these bars, the best first; twelve are drawn and the rest counted.
    pub trials: Vec<RankedTrial>,
    /// Benchmark and cash over `time`.
    pub against: Vec<Series>,
    /// Headings of the table's columns, at most nine are drawn.
    pub metrics: Vec<String>,
    /// Small print.
    pub notes: Vec<String>,
}

impl RankedChart {
    /// Draws the curves, with the boxes of the labels.
    ///
    /// # Errors
    /// When the columns have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        draw(self)
    }
}

/// The bytes of a sweep's `equity.png`.
///
/// # Errors
/// As [`RankedChart::draw`].
pub fn ranked(chart: &RankedChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

fn draw(chart: &RankedChart) -> Result<Picture> {
    let shown = &chart.trials[..chart.trials.len().min(TRIALS_MAX)];
    let mut series: Vec<Series> = shown
        .iter()
        .map(|trial| Series {
            name: format!("#{}", trial.rank),
            role: Role::Trial,
            value: trial.equity.clone(),
        })
        .collect();
    series.extend(chart.against.iter().cloned());
    equity::check("sweep's equity chart", chart.time.len(), &series)?;
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.figures(&chart.figures);
    page.banner(&chart.banner);
    let clock = Clock::new(Cow::Borrowed(&chart.time[..]));
    let heading = equity::Heading {
        title: "Equity of the best trials",
        unit: &chart.unit,
        room: 0.0,
    };
    equity::draw(&mut page, &heading, &series, &clock, |_| ())?;
    let names: Vec<String> = shown
        .iter()
        .map(|trial| format!("#{}  {}", trial.rank, trial.params))
        .collect();
    let rows: Vec<table::Row<'_>> = shown
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(nth, (trial, name))| table::Row {
            color: PALETTE[nth % PALETTE.len()],
            name,
            cells: &trial.cells,
        })
        .collect();
    table::draw(&mut page, "Their figures", &rows, &chart.metrics);
    let left_out = chart.trials.len() - shown.len();
    if left_out > 0 {
        page.y += 4.0;
        page.note(&format!(
            "The first {TRIALS_MAX}; {left_out} more not shown."
        ));
    }
    page.notes(&chart.notes);
    page.finish()
}
