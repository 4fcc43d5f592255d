//! `walk-forward.png`: the stitched out-of-sample curve with the borders of its folds, what each
//! fold kept of its in-sample figure, and the params that each fold chose.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::backend::{Align, Canvas, Type};
use crate::report::chart::equity;
use crate::report::chart::heatmap::column_names;
use crate::report::chart::page::{
    AXIS, BLUE, END_ROOM, GRID, INK, MARGIN, NOTE, PALETTE, PLOT_LEFT, Page, TEXT_SOFT,
};
use crate::report::chart::panel::{Frame, Panel};
use crate::report::chart::trials::{Objective, Varied, named_slots};
use crate::report::chart::{Figure, Picture, Series};
use crate::units::Micros;
use plotters::prelude::RGBColor;
use std::borrow::Cow;

/// Most params drawn.
const PARAMS_MAX: usize = 8;
/// Ground of every other fold.
const BAND: RGBColor = RGBColor(0xF3, 0xF5, 0xF8);
/// In-sample bars.
const IN_SAMPLE: RGBColor = RGBColor(0xC9, 0xCE, 0xD6);
/// Numbers of folds.
const SMALL: Type = Type { size: 9.0, ..AXIS };

/// One fold: a training window and the test window after it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fold {
    /// Name of its test window: `2015`, `2015-01 to 2015-06`.
    pub name: String,
    /// First moment of its test window.
    pub start: Micros,
    /// Objective of the chosen params in the training window.
    pub in_sample: Option<f64>,
    /// Objective of the same params in the test window.
    pub out_of_sample: Option<f64>,
}

/// The value of one param that each fold chose.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chosen {
    /// The param and all values that it could have taken.
    pub param: Varied,
    /// Index of the chosen value, one a fold; `None` where a fold chose nothing.
    pub values: Vec<Option<usize>>,
}

/// What `walk-forward.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WalkForwardChart {
    /// Name of the strategy.
    pub title: String,
    /// Period, symbols and windows, in one line.
    pub subtitle: String,
    /// Headline figures, out of sample, at most twelve.
    pub figures: Vec<Figure>,
    /// Unit of money, for example `$`.
    pub unit: String,
    /// Moments of the bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Over `time`, NaN where a curve has no value: the stitched out-of-sample equity
    /// (`Role::Strategy`) first, then the in-sample best (`Role::InSample`), benchmark, cash.
    pub equity: Vec<Series>,
    /// A line under the equity chart, for example what the in-sample curve is.
    pub equity_note: Option<String>,
    /// What the folds optimised.
    pub objective: Objective,
    /// Folds in order of time.
    pub folds: Vec<Fold>,
    /// Out-of-sample over in-sample in words: `efficiency 0.43 over all folds`; may be empty.
    pub efficiency: String,
    /// Params; eight are drawn and the rest counted.
    pub chosen: Vec<Chosen>,
    /// Small print.
    pub notes: Vec<String>,
}

impl WalkForwardChart {
    /// Draws the walk forward, with the boxes of the labels.
    ///
    /// # Errors
    /// When columns have different lengths, or a param has not one value for each fold.
    pub fn draw(&self) -> Result<Picture> {
        draw(self)
    }
}

/// The bytes of `walk-forward.png`.
///
/// # Errors
/// As [`WalkForwardChart::draw`].
pub fn walk_forward(chart: &WalkForwardChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

fn draw(chart: &WalkForwardChart) -> Result<Picture> {
    check(chart)?;
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.figures(&chart.figures);
    let clock = Clock::new(Cow::Borrowed(&chart.time[..]));
    let canvas = page.canvas.clone();
    let under = |panel: &Panel| bands(&canvas, panel, chart, &clock);
    let heading = equity::Heading {
        title: "Out-of-sample equity",
        unit: &chart.unit,
        // The numbers of the folds stand between the title and the panel.
        room: 7.0,
    };
    equity::draw(&mut page, &heading, &chart.equity, &clock, under)?;
    if let Some(note) = &chart.equity_note {
        page.y += 3.0;
        page.note(note);
    }
    if !chart.folds.is_empty() {
        efficiency(&mut page, chart)?;
        stability(&mut page, chart);
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(chart: &WalkForwardChart) -> Result<()> {
    equity::check("walk-forward chart", chart.time.len(), &chart.equity)?;
    let folds = chart.folds.len();
    for chosen in &chart.chosen {
        let known = chosen.values.iter().flatten();
        let outside = known.copied().any(|at| at >= chosen.param.values.len());
        if chosen.values.len() != folds || outside {
            return Err(Error::msg(format!(
                "`{}` has {} chosen values of {} for {folds} folds",
                chosen.param.name,
                chosen.values.len(),
                chosen.param.values.len()
            )));
        }
    }
    Ok(())
}

/// Every other fold shaded, its border a thin line, its number above.
fn bands(canvas: &Canvas, panel: &Panel, chart: &WalkForwardChart, clock: &Clock) {
    let frame = panel.frame;
    let place = |t: Micros| panel.at(clock.place_of(t), 0.0).0;
    let inside = |x: f64| x.clamp(frame.left, frame.right());
    let starts: Vec<f64> = chart.folds.iter().map(|f| inside(place(f.start))).collect();
    let right_of = |nth: usize| starts.get(nth + 1).copied().unwrap_or(frame.right());
    // The last fold may end with the data after a bar, so that the usual width is that in the middle.
    let mut widths: Vec<f64> = (0..starts.len())
        .map(|nth| right_of(nth) - starts[nth])
        .collect();
    widths.sort_by(f64::total_cmp);
    let usual = widths.get(widths.len() / 2).copied().unwrap_or(frame.width);
    for (nth, &left) in starts.iter().enumerate() {
        let width = right_of(nth) - left;
        if nth % 2 == 0 && width > 0.0 {
            canvas.fill_box((left, frame.top, width, frame.height), BAND);
        }
        if usual >= 5.0 || nth == 0 {
            canvas.rule((left, frame.top), (left, frame.bottom()), 0.5, TEXT_SOFT);
        }
    }
    let numbers: Vec<String> = (1..=starts.len()).map(|n| n.to_string()).collect();
    let length = |number: &str| canvas.width(number, SMALL);
    let mut free = f64::NEG_INFINITY;
    for nth in named_slots(&numbers, usual, 5.0, length) {
        let (Some(number), Some(left)) = (numbers.get(nth), starts.get(nth)) else {
            continue;
        };
        let (middle, half) = ((left + right_of(nth)) / 2.0, length(number) / 2.0);
        if middle - half >= free {
            let at = (middle, frame.top - 4.0);
            canvas.text(number, at, Align::Center, SMALL);
            free = middle + half + 3.0;
        }
    }
}

/// Names of the folds under a frame whose slots they are.
fn fold_names(page: &Page, chart: &WalkForwardChart, frame: Frame) {
    let names: Vec<String> = chart.folds.iter().map(|f| f.name.clone()).collect();
    let slot = frame.width / names.len() as f64;
    column_names(&page.canvas, &names, (frame, slot), AXIS, 78.0);
}

fn swatches(page: &mut Page, names: &[(&str, RGBColor)]) {
    let mut x = MARGIN;
    for (name, color) in names {
        page.canvas.fill_box((x, page.y - 5.0, 9.0, 9.0), *color);
        page.canvas
            .text(name, (x + 14.0, page.y + 3.0), Align::Left, NOTE);
        x += 14.0 + page.canvas.width(name, NOTE) + 24.0;
    }
    page.y += 18.0;
}

/// In-sample and out-of-sample objective of each fold, side by side.
fn efficiency(page: &mut Page, chart: &WalkForwardChart) -> Result<()> {
    let known = chart.folds.iter();
    let known = known.flat_map(|f| [f.in_sample, f.out_of_sample]).flatten();
    let (low, high) = known
        .filter(|v| v.is_finite())
        .fold((0.0_f64, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
    let title = format!("{} by fold", chart.objective.name);
    page.section(&title, &chart.efficiency);
    swatches(
        page,
        &[("in-sample, as chosen", IN_SAMPLE), ("out-of-sample", BLUE)],
    );
    let height = 150.0;
    let frame = page.plot(height);
    let words = chart.objective.axis_words();
    let axis = ValueAxis::new((low, high), false, height, words);
    let slots = chart.folds.len() as f64;
    let panel = Panel::new(&page.canvas, frame, (-0.5, slots - 0.5), axis);
    panel.grid()?;
    let half = (22.0 * slots / frame.width).min(0.38);
    for (nth, fold) in chart.folds.iter().enumerate() {
        let place = nth as f64;
        for (value, from, to, color) in [
            (fold.in_sample, place - half, place, IN_SAMPLE),
            (fold.out_of_sample, place, place + half, BLUE),
        ] {
            match value.filter(|v| v.is_finite()) {
                Some(value) => panel.bar((from, to), (0.0, value), color)?,
                None => absent(page, &panel, (from + to) / 2.0, slots),
            }
        }
    }
    panel.level(0.0, TEXT_SOFT, false);
    fold_names(page, chart, frame);
    Ok(())
}

/// A small cross on zero where a fold has no figure.
fn absent(page: &Page, panel: &Panel, place: f64, slots: f64) {
    let (x, y) = panel.at(place, 0.0);
    let size = (panel.frame.width / slots / 8.0).min(3.0);
    for sign in [-1.0, 1.0] {
        let from = (x - size, y - sign * size - 6.0);
        let to = (x + size, y + sign * size - 6.0);
        page.canvas.rule(from, to, 1.0, TEXT_SOFT);
    }
}

/// The chosen value of each param by fold, within all that it could have been.
fn stability(page: &mut Page, chart: &WalkForwardChart) {
    let shown = &chart.chosen[..chart.chosen.len().min(PARAMS_MAX)];
    if shown.is_empty() {
        return;
    }
    page.section("Chosen params", "the height is the range that was searched");
    let edge = shown
        .iter()
        .any(|one| one.values.iter().flatten().any(|at| at_edge(one, *at)));
    if edge {
        swatches(
            page,
            &[
                ("chosen", BLUE),
                ("chosen at the edge of the range", PALETTE[1]),
            ],
        );
    }
    for (nth, one) in shown.iter().enumerate() {
        // Numbers between two that are named can be told; a word cannot.
        let (each, most) = match one.param.is_numeric() {
            true => (12.0, 92.0),
            false => (15.0, 150.0),
        };
        let height = (one.param.values.len() as f64 * each).clamp(40.0, most);
        page.y += if nth > 0 { 6.0 } else { 0.0 };
        let frame = page.plot(height);
        path(page, one, frame);
        page.y = frame.bottom() + 10.0;
        if nth + 1 == shown.len() {
            fold_names(page, chart, frame);
            page.y += 12.0;
        }
    }
    let left_out = chart.chosen.len() - shown.len();
    if left_out > 0 {
        page.note(&format!(
            "{PARAMS_MAX} of {} params; {left_out} more not shown.",
            chart.chosen.len()
        ));
    }
}

/// A better value might lie beyond: the first or last of three and more numbers.
fn at_edge(one: &Chosen, at: usize) -> bool {
    let count = one.param.values.len();
    count > 2 && one.param.is_numeric() && (at == 0 || at + 1 == count)
}

/// Steps from fold to fold.
fn path(page: &Page, one: &Chosen, frame: Frame) {
    let canvas = &page.canvas;
    let count = one.param.values.len();
    canvas.fill_box((frame.left, frame.top, frame.width, frame.height), BAND);
    let upwards = one.param.is_numeric();
    let slot = frame.height / count.max(1) as f64;
    let y = |at: usize| {
        let share = (at as f64 + 0.5) * slot;
        if upwards {
            frame.bottom() - share
        } else {
            frame.top + share
        }
    };
    for at in named_slots(&one.param.values, slot, 0.0, |_| 12.5) {
        let Some(value) = one.param.values.get(at) else {
            continue;
        };
        canvas.rule((frame.left, y(at)), (frame.right(), y(at)), 0.5, GRID);
        let room = PLOT_LEFT - MARGIN + 20.0;
        let value = canvas.fonts().shorten(value, room, SMALL.size, false);
        let at = (frame.left - 8.0, y(at) + 0.357 * SMALL.size);
        canvas.text(&value, at, Align::Right, SMALL);
    }
    let width = frame.width / one.values.len() as f64;
    let x = |fold: usize| frame.left + fold as f64 * width;
    let mut before: Option<usize> = None;
    let mut fold = 0;
    for same in one.values.chunk_by(|a, b| a == b) {
        let (left, right) = (x(fold), x(fold + same.len()));
        let here = same.first().copied().flatten();
        if let (Some(before), Some(here)) = (before, here) {
            canvas.rule((left, y(before)), (left, y(here)), 1.0, BLUE);
        }
        if let Some(here) = here {
            let color = if at_edge(one, here) { PALETTE[1] } else { BLUE };
            canvas.rule((left, y(here)), (right, y(here)), 2.4, color);
        }
        before = here;
        fold += same.len();
    }
    let style = Type {
        size: 10.5,
        bold: true,
        color: INK,
    };
    let name = canvas
        .fonts()
        .shorten(&one.param.name, END_ROOM, style.size, true);
    let at = (frame.right() + 10.0, frame.top + frame.height / 2.0 + 3.7);
    canvas.text(&name, at, Align::Left, style);
}
