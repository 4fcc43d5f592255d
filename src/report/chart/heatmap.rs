//! `heatmap.png`: the objective over the values of each pair of params as colours, or over the
//! values of a single param as a line.
//!
//! Which pairs there are, and the best over all other params, come from the caller. A cell without
//! a result (left out by a constraint, or with an absent figure) is hatched, not coloured.

use crate::error::{Error, Result};
use crate::report::chart::Picture;
use crate::report::chart::axis::ValueAxis;
use crate::report::chart::backend::{Align, Canvas, Type};
use crate::report::chart::line::extent;
use crate::report::chart::page::{
    AXIS, BLUE, CONTENT, INK, MARGIN, NOTE, PALETTE, PLOT_LEFT, Page, TEXT, TEXT_SOFT,
};
use crate::report::chart::panel::{Frame, Panel};
use crate::report::chart::ramp::{Ramp, words_on};
use crate::report::chart::trials::{Objective, Varied, named_slots, widest};
use plotters::prelude::RGBColor;

/// Most pairs on one picture.
const PANELS_MAX: usize = 6;
/// Space between two panels side by side.
const BETWEEN: f64 = 34.0;
/// Height of the cells of a panel: alone, and among others.
const HEIGHT: (f64, f64) = (430.0, 230.0);
/// Largest cell: alone, and among others; and its height.
const CELL_MAX: ((f64, f64), f64) = ((116.0, 92.0), 46.0);
/// Longest name of a value beside a panel: alone, and among others.
const NAME_MAX: (f64, f64) = (76.0, 58.0);
/// Size of the figures inside cells.
const FIGURE: f64 = 9.0;
/// Ground of a cell without a result, and the strokes on it.
const HATCH: (RGBColor, RGBColor) = (RGBColor(0xF0, 0xF1, 0xF3), RGBColor(0xD5, 0xD9, 0xDF));

/// The objective over the values of two params, or of one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatPanel {
    /// The param whose values go from left to right.
    pub x: Varied,
    /// The param whose values go upwards; `None` makes the panel a line over `x`.
    pub y: Option<Varied>,
    /// The objective, row by row: that of values `i` of x and `j` of y stands at
    /// `j * x.values.len() + i`; `None` where there is no result.
    pub cells: Vec<Option<f64>>,
    /// Values of x and y (0 without y) of the best trial.
    pub best: Option<(usize, usize)>,
    /// What a cell stands for when more params were varied: `best over high, stop`; else empty.
    pub folded: String,
}

/// What `heatmap.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatMapChart {
    /// Name of the strategy.
    pub title: String,
    /// Number of trials, period and symbols, in one line.
    pub subtitle: String,
    /// What cells show.
    pub objective: Objective,
    /// Pairs of params, the most telling first; six are drawn and the rest counted.
    pub panels: Vec<HeatPanel>,
    /// Small print.
    pub notes: Vec<String>,
}

impl HeatMapChart {
    /// Draws the maps, with the boxes of the labels.
    ///
    /// # Errors
    /// When a panel has not one cell for each pair of values.
    pub fn draw(&self) -> Result<Picture> {
        draw(self)
    }
}

/// The bytes of `heatmap.png`.
///
/// # Errors
/// As [`HeatMapChart::draw`].
pub fn heatmap(chart: &HeatMapChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

fn draw(chart: &HeatMapChart) -> Result<Picture> {
    chart.panels.iter().try_for_each(check)?;
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.divider();
    let shown = &chart.panels[..chart.panels.len().min(PANELS_MAX)];
    let cells = || shown.iter().flat_map(|p| &p.cells).copied().flatten();
    if !cells().any(f64::is_finite) {
        page.section("Map", "no trial has a result");
    }
    let ramp = Ramp::new(cells(), chart.objective.diverging);
    let (maps, lines): (Vec<&HeatPanel>, Vec<&HeatPanel>) =
        shown.iter().partition(|panel| panel.y.is_some());
    for panel in lines {
        curve(&mut page, panel, &chart.objective)?;
    }
    if !maps.is_empty() {
        legend(&mut page, chart, &ramp, &maps);
        let sheet = Sheet {
            canvas: page.canvas.clone(),
            objective: &chart.objective,
            ramp,
            alone: maps.len() == 1,
        };
        for row in maps.chunks(if sheet.alone { 1 } else { 2 }) {
            let width = if sheet.alone {
                CONTENT
            } else {
                (CONTENT - BETWEEN) / 2.0
            };
            let ends = row.iter().enumerate().map(|(i, panel)| {
                let left = MARGIN + i as f64 * (width + BETWEEN);
                sheet.map(panel, (left, page.y + 26.0), width)
            });
            page.y = ends.fold(page.y, f64::max);
        }
    }
    let left_out = chart.panels.len() - shown.len();
    if left_out > 0 {
        page.y += 8.0;
        let all = chart.panels.len();
        page.note(&format!(
            "{PANELS_MAX} of {all} pairs; {left_out} more not shown."
        ));
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(panel: &HeatPanel) -> Result<()> {
    let rows = panel.y.as_ref().map_or(1, |y| y.values.len());
    let wanted = rows * panel.x.values.len();
    if panel.cells.len() != wanted {
        return Err(Error::msg(format!(
            "the map of `{}` has {} cells instead of {wanted}",
            panel.x.name,
            panel.cells.len()
        )));
    }
    Ok(())
}

/// The scale of colours, and what a mark and a hatched cell mean.
fn legend(page: &mut Page, chart: &HeatMapChart, ramp: &Ramp, maps: &[&HeatPanel]) {
    page.y += 24.0;
    let canvas = &page.canvas;
    let y = page.y;
    let mut x = MARGIN;
    if maps.iter().any(|p| p.cells.iter().any(has_value)) {
        x = ramp.legend(canvas, (x, y), &chart.objective) + 30.0;
    }
    if maps.iter().any(|p| best(p).is_some()) {
        ring(canvas, (x, y - 5.0, 10.0, 10.0));
        canvas.text("best trial", (x + 16.0, y + 3.6), Align::Left, NOTE);
        x += 16.0 + canvas.width("best trial", NOTE) + 24.0;
    }
    if maps.iter().any(|p| p.cells.iter().any(|c| !has_value(c))) {
        hatch(canvas, (x, y - 5.5, 11.0, 11.0));
        canvas.text("no result", (x + 16.0, y + 3.6), Align::Left, NOTE);
    }
    page.y += 14.0;
}

/// Column, row and objective of the best trial where it has one.
fn best(panel: &HeatPanel) -> Option<(usize, usize, f64)> {
    let (i, j) = panel.best?;
    let columns = panel.x.values.len();
    let cell = panel.cells.get(j * columns + i).copied().flatten()?;
    (i < columns && cell.is_finite()).then_some((i, j, cell))
}

fn has_value(cell: &Option<f64>) -> bool {
    cell.is_some_and(f64::is_finite)
}

/// A frame that stands out on any colour; never so small that it is overlooked.
fn ring(canvas: &Canvas, (x, y, w, h): (f64, f64, f64, f64)) {
    let (grow_x, grow_y) = (((9.0 - w) / 2.0).max(0.0), ((9.0 - h) / 2.0).max(0.0));
    let (left, top) = (x - grow_x, y - grow_y);
    let (right, bottom) = (x + w + grow_x, y + h + grow_y);
    for (width, color) in [(4.0, RGBColor(255, 255, 255)), (2.0, INK)] {
        let over = width / 2.0;
        canvas.rule((left - over, top), (right + over, top), width, color);
        canvas.rule((left - over, bottom), (right + over, bottom), width, color);
        canvas.rule((left, top - over), (left, bottom + over), width, color);
        canvas.rule((right, top - over), (right, bottom + over), width, color);
    }
}

/// A box with strokes from its lower left to its upper right.
fn hatch(canvas: &Canvas, (x, y, w, h): (f64, f64, f64, f64)) {
    canvas.fill_box((x, y, w, h), HATCH.0);
    let mut offset = 4.0;
    while offset < w + h {
        let from = (x + (offset - h).max(0.0), y + offset.min(h));
        let to = (x + offset.min(w), y + (offset - w).max(0.0));
        canvas.rule(from, to, 0.75, HATCH.1);
        offset += 5.0;
    }
}

/// What the maps of a picture share.
struct Sheet<'a> {
    canvas: Canvas,
    objective: &'a Objective,
    ramp: Ramp,
    alone: bool,
}

/// Where the cells of a map are.
struct Cells {
    frame: Frame,
    columns: usize,
    rows: usize,
    /// The first row is at the bottom.
    upwards: bool,
}

impl Cells {
    fn size(&self) -> (f64, f64) {
        (
            self.frame.width / self.columns as f64,
            self.frame.height / self.rows as f64,
        )
    }

    /// Left, top, width and height of a cell.
    fn place(&self, (i, j): (usize, usize)) -> (f64, f64, f64, f64) {
        let (w, h) = self.size();
        let row = if self.upwards { self.rows - 1 - j } else { j };
        (
            self.frame.left + i as f64 * w,
            self.frame.top + row as f64 * h,
            w,
            h,
        )
    }
}

impl Sheet<'_> {
    /// One map with its heading at a place and at most so wide; gives where it ends.
    fn map(&self, panel: &HeatPanel, (left, top): (f64, f64), width: f64) -> f64 {
        let none = Varied::default();
        let y = panel.y.as_ref().unwrap_or(&none);
        let top = self.heading(panel, y, (left, top), width);
        let (columns, rows) = (panel.x.values.len(), y.values.len());
        let pick = |pair: (f64, f64)| if self.alone { pair.0 } else { pair.1 };
        let small = Type { size: 9.5, ..AXIS };
        let names = widest(&self.canvas, &y.values, pick(NAME_MAX), small).max(22.0) + 8.0;
        let room = width - names;
        let cells = Cells {
            frame: Frame {
                left: left + names,
                top,
                width: room.min(columns as f64 * pick(CELL_MAX.0)),
                height: pick(HEIGHT).min(rows as f64 * CELL_MAX.1).max(14.0),
            },
            columns,
            rows,
            upwards: y.is_numeric(),
        };
        if columns == 0 || rows == 0 {
            return top;
        }
        self.fill(panel, &cells);
        self.names_of_rows(y, &cells, small);
        self.names_of_columns(&panel.x, &cells, small, pick(NAME_MAX));
        cells.frame.bottom() + 40.0
    }

    fn heading(&self, panel: &HeatPanel, y: &Varied, at: (f64, f64), width: f64) -> f64 {
        let fonts = self.canvas.fonts();
        let bold = Type {
            size: if self.alone { 13.0 } else { 11.5 },
            bold: true,
            color: INK,
        };
        let title = format!("{} and {}", y.name, panel.x.name);
        let title = fonts.shorten(&title, width, bold.size, true);
        self.canvas.text(&title, at, Align::Left, bold);
        let value = |names: &[String], i: usize| names.get(i).cloned().unwrap_or_default();
        let best = best(panel).map(|(i, j, cell)| {
            format!(
                "best {} at {} = {}, {} = {}",
                self.objective.words(cell),
                y.name,
                value(&y.values, j),
                panel.x.name,
                value(&panel.x.values, i)
            )
        });
        let parts: Vec<String> = [Some(panel.folded.clone()), best]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        let hint = fonts.shorten(&parts.join("; "), width, 9.5, false);
        let style = Type { size: 9.5, ..NOTE };
        self.canvas
            .text(&hint, (at.0, at.1 + 15.0), Align::Left, style);
        // The name of the rows stands over their values.
        let name = Type {
            size: 9.5,
            bold: true,
            color: TEXT,
        };
        let word = fonts.shorten(&y.name, width, name.size, true);
        self.canvas
            .text(&word, (at.0, at.1 + 34.0), Align::Left, name);
        at.1 + 41.0
    }

    fn fill(&self, panel: &HeatPanel, cells: &Cells) {
        let (w, h) = cells.size();
        let gap = match w.min(h) {
            size if size >= 14.0 => 1.0,
            size if size >= 9.0 => 0.5,
            _ => 0.0,
        };
        let holed = panel.cells.iter().any(|c| !has_value(c));
        if holed {
            let frame = cells.frame;
            hatch(
                &self.canvas,
                (frame.left, frame.top, frame.width, frame.height),
            );
        }
        let figures = self.figure_size(panel, (w - gap - 5.0, h - gap));
        for (at, cell) in panel.cells.iter().enumerate() {
            let Some(value) = cell.filter(|v| v.is_finite()) else {
                continue;
            };
            let (x, y, w, h) = cells.place((at % cells.columns, at / cells.columns));
            let color = self.ramp.color(value);
            if holed && gap > 0.0 {
                // The hatching of what is absent ends at a cell, not between two.
                self.canvas.fill_box((x, y, w, h), RGBColor(255, 255, 255));
            }
            self.canvas.fill_box((x, y, w - gap, h - gap), color);
            if let Some(size) = figures {
                let style = Type {
                    size,
                    bold: false,
                    color: words_on(color),
                };
                let at = (x + (w - gap) / 2.0, y + (h - gap) / 2.0 + 0.357 * size);
                self.canvas
                    .text(&self.objective.words(value), at, Align::Center, style);
            }
        }
        if let Some((i, j, _)) = best(panel) {
            let (x, y, w, h) = cells.place((i, j));
            ring(&self.canvas, (x, y, w - gap, h - gap));
        }
    }

    /// Size of the figures inside cells, where every one fits.
    fn figure_size(&self, panel: &HeatPanel, room: (f64, f64)) -> Option<f64> {
        if room.1 < 13.0 || room.0 < 14.0 {
            return None;
        }
        let words = panel.cells.iter().copied().flatten();
        let words: Vec<String> = words.map(|v| self.objective.words(v)).collect();
        let style = Type {
            size: FIGURE,
            bold: false,
            color: INK,
        };
        let fits = widest(&self.canvas, &words, f64::INFINITY, style) <= room.0;
        fits.then_some(FIGURE)
    }

    fn names_of_rows(&self, y: &Varied, cells: &Cells, style: Type) {
        let room = cells.frame.left - MARGIN;
        let (_, h) = cells.size();
        for j in named_slots(&y.values, h, 0.0, |_| 12.5) {
            let (x, top, _, h) = cells.place((0, j));
            let room = room.min(if self.alone { NAME_MAX.0 } else { NAME_MAX.1 });
            let word = self
                .canvas
                .fonts()
                .shorten(&y.values[j], room, style.size, false);
            let at = (x - 7.0, top + h / 2.0 + 0.357 * style.size);
            self.canvas.text(&word, at, Align::Right, style);
        }
    }

    fn names_of_columns(&self, x: &Varied, cells: &Cells, style: Type, most: f64) {
        let (w, _) = cells.size();
        column_names(&self.canvas, &x.values, (cells.frame, w), style, most);
        let name = Type {
            size: 9.5,
            bold: true,
            color: TEXT,
        };
        let word =
            self.canvas
                .fonts()
                .shorten(&x.name, cells.frame.width.max(most), name.size, true);
        let half = self.canvas.width(&word, name) / 2.0;
        let middle = (cells.frame.left + cells.frame.width / 2.0).max(cells.frame.left + half);
        let at = (middle, cells.frame.bottom() + 30.0);
        self.canvas.text(&word, at, Align::Center, name);
    }
}

/// Names of slots `slot` points wide under a frame, as many as fit.
pub(super) fn column_names(
    canvas: &Canvas,
    values: &[String],
    (frame, slot): (Frame, f64),
    style: Type,
    most: f64,
) {
    let fonts = canvas.fonts();
    let short = |word: &str| fonts.shorten(word, most, style.size, false);
    let length = |word: &str| canvas.width(&short(word), style);
    for i in named_slots(values, slot, 9.0, length) {
        let x = frame.left + (i as f64 + 0.5) * slot;
        let at = (x, frame.bottom() + 14.0);
        if let Some(word) = values.get(i) {
            canvas.text(&short(word), at, Align::Center, style);
        }
    }
}

/// The objective over the values of one param.
fn curve(page: &mut Page, panel: &HeatPanel, objective: &Objective) -> Result<()> {
    let title = format!("{} by {}", objective.name, panel.x.name);
    let values: Vec<f64> = panel.cells.iter().map(|c| c.unwrap_or(f64::NAN)).collect();
    page.section(&title, &panel.folded);
    let Some((low, high)) = extent([&values[..]]) else {
        return Ok(());
    };
    let (low, high) = if objective.diverging {
        (low.min(0.0), high.max(0.0))
    } else {
        (low, high)
    };
    let height = 260.0;
    let mut frame = page.plot(height);
    frame.width = MARGIN + CONTENT - PLOT_LEFT - 10.0;
    let slots = values.len() as f64;
    let axis = ValueAxis::new((low, high), false, height, objective.axis_words());
    let plot = Panel::new(&page.canvas, frame, (-0.5, slots - 0.5), axis);
    plot.grid()?;
    if objective.diverging {
        plot.level(0.0, TEXT_SOFT, false);
    }
    points(&plot, &panel.x, &values)?;
    best_point(page, &plot, panel, objective)?;
    column_names(
        &page.canvas,
        &panel.x.values,
        (frame, frame.width / slots),
        AXIS,
        76.0,
    );
    let name = Type { bold: true, ..NOTE };
    let word = page
        .canvas
        .fonts()
        .shorten(&panel.x.name, CONTENT * 0.8, name.size, true);
    let at = (frame.left + frame.width / 2.0, frame.bottom() + 31.0);
    page.canvas.text(&word, at, Align::Center, name);
    page.y += 16.0;
    Ok(())
}

/// A line with its points over numbers; over words, which nothing joins, only their points.
fn points(plot: &Panel, x: &Varied, values: &[f64]) -> Result<()> {
    let points: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(i, v)| (i as f64, *v))
        .collect();
    let runs = points.split(|point| !point.1.is_finite());
    let is_wide = plot.frame.width / values.len() as f64 > 7.0;
    if x.is_numeric() {
        let runs = runs.map(<[(f64, f64)]>::to_vec).collect();
        plot.line(&plot.placed(runs), BLUE, 1.4)?;
    }
    let radius = if x.is_numeric() { 2.2 } else { 3.2 };
    if is_wide || !x.is_numeric() {
        for point in points.iter().filter(|point| point.1.is_finite()) {
            plot.dot(point.0, point.1, radius, BLUE)?;
        }
    }
    Ok(())
}

/// Marks the best value of a line and names it.
fn best_point(page: &Page, plot: &Panel, panel: &HeatPanel, objective: &Objective) -> Result<()> {
    let Some((i, _, value)) = best(panel) else {
        return Ok(());
    };
    let color = PALETTE[1];
    plot.dot(i as f64, value, 4.0, color)?;
    let style = Type {
        size: 10.5,
        bold: true,
        color,
    };
    let at = panel.x.values.get(i).map_or("", String::as_str);
    let text = format!("best {} at {at}", objective.words(value));
    let text = page.canvas.fonts().shorten(&text, 300.0, style.size, true);
    let half = page.canvas.width(&text, style) / 2.0;
    let (x, y) = plot.at(i as f64, value);
    let middle = x.clamp(plot.frame.left + half, plot.frame.right() - half);
    // Above its point, but never in the title.
    let at = (middle, (y - 9.0).max(plot.frame.top - 2.0));
    page.canvas.text_over_lines(&text, at, Align::Center, style);
    Ok(())
}
