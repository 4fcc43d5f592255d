//! A small table of figures under curves: a swatch, a name and a row of cells each.

use crate::report::chart::backend::{Align, Type};
use crate::report::chart::page::{AXIS, CONTENT, GRID, INK, MARGIN, Page, TEXT_SOFT};
use crate::report::chart::trials::widest;
use plotters::prelude::RGBColor;

/// Most columns.
const METRICS_MAX: usize = 9;
/// Least room for names.
const NAMES: f64 = 166.0;
/// Headings of columns.
const HEAD: Type = Type { size: 9.5, ..AXIS };
/// Height of a row.
const ROW: f64 = 20.0;

/// One row.
pub(super) struct Row<'a> {
    /// Colour of its curve.
    pub(super) color: RGBColor,
    /// Name of its curve.
    pub(super) name: &'a str,
    /// A cell a metric.
    pub(super) cells: &'a [String],
}

/// Draws the table at the page's place: at most nine columns, headed by `metrics`.
pub(super) fn draw(page: &mut Page, title: &str, rows: &[Row<'_>], metrics: &[String]) {
    let metrics = &metrics[..metrics.len().min(METRICS_MAX)];
    if metrics.is_empty() || rows.is_empty() {
        return;
    }
    page.section(title, "");
    let canvas = page.canvas.clone();
    let fonts = canvas.fonts();
    // Columns as narrow as their words allow: what is left belongs to the names.
    let cells = rows
        .iter()
        .flat_map(|row| row.cells.iter().take(metrics.len()));
    let cells: Vec<String> = cells.cloned().collect();
    let needed = widest(&canvas, metrics, 110.0, HEAD).max(widest(&canvas, &cells, 110.0, AXIS));
    let room = ((CONTENT - NAMES) / metrics.len() as f64).min(110.0);
    let width = (needed + 20.0).min(room);
    let left = MARGIN + CONTENT - width * metrics.len() as f64;
    let right_of = |column: usize| left + (column as f64 + 1.0) * width;
    // Names that are too long for their column stand above their figures.
    let words: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
    let bold = Type {
        bold: true,
        color: INK,
        ..AXIS
    };
    let above = widest(&canvas, &words, CONTENT, bold) > left - MARGIN - 18.0;
    let (height, room) = if above {
        (ROW * 1.8, CONTENT - 18.0)
    } else {
        (ROW, left - MARGIN - 18.0)
    };
    let mut y = page.y + 2.0;
    for (i, metric) in metrics.iter().enumerate() {
        let text = fonts.shorten(metric, width - 6.0, HEAD.size, false);
        canvas.text(&text, (right_of(i), y), Align::Right, HEAD);
    }
    y += 7.0;
    let ends = |y: f64| ((MARGIN, y), (MARGIN + CONTENT, y));
    canvas.rule(ends(y).0, ends(y).1, 0.5, TEXT_SOFT);
    for row in rows {
        let first = y + ROW / 2.0 + 3.7;
        let baseline = first + height - ROW;
        let swatch = (MARGIN, y + ROW / 2.0 - 1.5, 12.0, 3.0);
        canvas.fill_box(swatch, row.color);
        let text = fonts.shorten(row.name, room, bold.size, true);
        canvas.text(&text, (MARGIN + 18.0, first), Align::Left, bold);
        let figure = Type {
            bold: false,
            ..bold
        };
        for (i, cell) in row.cells.iter().take(metrics.len()).enumerate() {
            let text = fonts.shorten(cell, width - 8.0, figure.size, false);
            canvas.text(&text, (right_of(i), baseline), Align::Right, figure);
        }
        y += height;
        canvas.rule(ends(y).0, ends(y).1, 0.5, GRID);
    }
    page.y = y;
}
