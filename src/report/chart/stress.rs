//! The box on the tear sheet that shows the strategy under each assumption that flatters it: one
//! row each, the worst in red, and what is known of overfitting below.

use crate::report::chart::backend::{Align, Type};
use crate::report::chart::page::{AXIS, CONTENT, GRID, INK, MARGIN, NOTE, Page, RED, TEXT};

/// Most rows.
const ROWS_MAX: usize = 16;
/// Most columns of figures.
const COLUMNS_MAX: usize = 3;
/// Room for what was assumed, and for a column of figures.
const WIDTHS: (f64, f64) = (226.0, 74.0);
/// Height of a row.
const ROW: f64 = 17.0;

/// The strategy under one assumption.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StressRow {
    /// What was assumed: `costs doubled`.
    pub label: String,
    /// Figures in the order of [`StressBox::heads`], ready as words.
    pub cells: Vec<String>,
    /// What else there is to say: `of 36 starts, 58% beat cash`; may be empty.
    pub note: String,
    /// The worst row of the box.
    pub worst: bool,
}

/// What the box shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StressBox {
    /// Its worst line as a headline: `decided one bar later: −0.3% a year`.
    pub headline: String,
    /// Headings of the figures, at most three: `CAGR`, `Sharpe`.
    pub heads: Vec<String>,
    /// Rows, at most sixteen are drawn and the rest counted.
    pub rows: Vec<StressRow>,
}

/// Draws the box, and the line about overfitting where there is one.
pub(super) fn draw(page: &mut Page, stress: Option<&StressBox>, overfitting: Option<&str>) {
    if let Some(stress) = stress.filter(|s| !s.rows.is_empty()) {
        rows(page, "Under stress", stress);
    } else if overfitting.is_some() {
        page.section("Overfitting", "");
        page.y -= 16.0;
    }
    if let Some(words) = overfitting {
        page.y += 3.0;
        page.note(words);
    }
}

/// Draws a box of rows under a heading.
pub(super) fn rows(page: &mut Page, heading: &str, stress: &StressBox) {
    page.section(heading, &stress.headline);
    let canvas = page.canvas.clone();
    let fonts = canvas.fonts();
    let heads = &stress.heads[..stress.heads.len().min(COLUMNS_MAX)];
    let right_of = |column: usize| MARGIN + WIDTHS.0 + (column as f64 + 1.0) * WIDTHS.1;
    let note_left = right_of(heads.len().max(1) - 1) + 22.0;
    let small = Type { size: 9.5, ..AXIS };
    for (i, head) in heads.iter().enumerate() {
        let head = fonts.shorten(head, WIDTHS.1 - 10.0, small.size, false);
        canvas.text(&head, (right_of(i), page.y), Align::Right, small);
    }
    let mut y = page.y + 6.0;
    let ends = |y: f64| ((MARGIN, y), (MARGIN + CONTENT, y));
    for row in stress.rows.iter().take(ROWS_MAX) {
        canvas.rule(ends(y).0, ends(y).1, 0.5, GRID);
        let base = y + ROW / 2.0 + 3.7;
        let words = Type {
            color: if row.worst { RED } else { TEXT },
            bold: row.worst,
            ..AXIS
        };
        let label = fonts.shorten(&row.label, WIDTHS.0 - 4.0, words.size, row.worst);
        canvas.text(&label, (MARGIN, base), Align::Left, words);
        let figure = Type {
            color: if row.worst { RED } else { INK },
            ..words
        };
        for (i, cell) in row.cells.iter().take(heads.len()).enumerate() {
            let cell = fonts.shorten(cell, WIDTHS.1 - 10.0, figure.size, row.worst);
            canvas.text(&cell, (right_of(i), base), Align::Right, figure);
        }
        // What is no run has no figures: its note takes their place.
        let is_run = row.cells.iter().any(|cell| !cell.trim().is_empty());
        let (note, note_left) = match is_run {
            true => (Type { size: 9.5, ..NOTE }, note_left),
            false => (
                Type {
                    bold: false,
                    ..figure
                },
                MARGIN + WIDTHS.0 + 28.0,
            ),
        };
        let room = MARGIN + CONTENT - note_left;
        let text = fonts.shorten(&row.note, room, note.size, false);
        canvas.text(&text, (note_left, base), Align::Left, note);
        y += ROW;
    }
    page.y = y;
    let left_out = stress.rows.len().saturating_sub(ROWS_MAX);
    if left_out > 0 {
        page.note(&format!("{left_out} more not shown."));
    }
}
