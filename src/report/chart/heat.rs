//! The heat map of monthly returns with a column for the year.
//!
//! Colours run from red over near-white to teal and are full at the 95th percentile of the sizes,
//! so that one wild month does not bleach the rest; years have a scale of their own.

use crate::report::chart::backend::{Align, Canvas, Type};
use crate::report::chart::number::grouped;
use crate::report::chart::page::{AXIS, CONTENT, INK, MARGIN, RED, TEAL};
use crate::report::chart::ramp::{blend, words_on};
use crate::report::chart::{MonthReturn, TearSheet};
use plotters::prelude::RGBColor;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Colour of no return at all.
const MIDDLE: RGBColor = RGBColor(0xF5, 0xF7, 0xF8);
/// Width of the column of years.
const YEARS: f64 = 48.0;
/// Width of a year's return, and the gap before it.
const TOTAL: (f64, f64) = (62.0, 10.0);

/// Height of a row and size of its figures (`None`: colours only) for a number of years.
fn row_form(years: usize) -> (f64, Option<f64>) {
    match years {
        0..=16 => (21.0, Some(10.0)),
        17..=30 => (17.5, Some(9.5)),
        31..=70 => (13.5, Some(8.5)),
        _ => (9.0, None),
    }
}

/// The size at which colours are full: the 95th percentile of the sizes of `values`.
fn full_scale(values: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = values.map(f64::abs).filter(|v| v.is_finite()).collect();
    sizes.sort_by(f64::total_cmp);
    let Some(last) = sizes.len().checked_sub(1) else {
        return 1.0;
    };
    let size = sizes[(last as f64 * 0.95).round() as usize];
    if size > 0.0 { size } else { 1.0 }
}

fn ground(value: f64, full: f64) -> RGBColor {
    let depth = (value.abs() / full).clamp(0.0, 1.0) * 0.92;
    let end = if value < 0.0 { RED } else { TEAL };
    blend(MIDDLE, end, depth)
}

/// A return in per cent as a cell shows it: one decimal while it fits.
fn cell_text(value: f64) -> String {
    let percent = value * 100.0;
    if percent.abs() < 999.95 {
        grouped(percent, 1)
    } else if percent.abs() < 99_999.5 {
        grouped(percent, 0)
    } else {
        // A hundred thousand per cent and more: a multiple says it shorter.
        format!("×{:.0e}", value + 1.0)
    }
}

struct Map<'a> {
    canvas: &'a Canvas,
    row: f64,
    size: Option<f64>,
}

impl Map<'_> {
    fn cell(&self, (x, y, width): (f64, f64, f64), value: f64, full: f64, bold: bool) {
        if !value.is_finite() {
            return;
        }
        let color = ground(value, full);
        let gap = if self.size.is_some() { 1.5 } else { 0.5 };
        self.canvas
            .fill_box((x, y, width - gap, self.row - gap), color);
        let Some(size) = self.size else {
            return;
        };
        let style = Type {
            size,
            bold,
            color: words_on(color),
        };
        let room = width - gap - 2.0;
        let text = self
            .canvas
            .fonts()
            .shorten(&cell_text(value), room, size, bold);
        let at = (
            x + (width - gap) / 2.0,
            y + (self.row - gap) / 2.0 + 0.357 * size,
        );
        self.canvas.text(&text, at, Align::Center, style);
    }
}

/// All years from the first to the last that has a return.
fn years_of(sheet: &TearSheet) -> Vec<i32> {
    let named = sheet.months.iter().map(|m| m.year);
    let all = named.chain(sheet.years.iter().map(|y| y.0));
    let (first, last) = all.fold((i32::MAX, i32::MIN), |(a, b), y| (a.min(y), b.max(y)));
    // Two centuries at most: what is before them would not fit on the page.
    let first = first.max(last.saturating_sub(199));
    if first > last {
        Vec::new()
    } else {
        (first..=last).collect()
    }
}

/// Draws the map with its top at `y` and gives where it ends.
pub(super) fn draw(canvas: &Canvas, sheet: &TearSheet, top: f64) -> f64 {
    let years = years_of(sheet);
    let (row, size) = row_form(years.len());
    let map = Map { canvas, row, size };
    let column = (CONTENT - YEARS - TOTAL.0 - TOTAL.1) / 12.0;
    let total_left = MARGIN + CONTENT - TOTAL.0;
    let heading = |text: &str, middle: f64, bold: bool| {
        let color = if bold { INK } else { AXIS.color };
        let style = Type {
            size: 10.0,
            bold,
            color,
        };
        canvas.text(text, (middle, top + 8.0), Align::Center, style);
    };
    for (i, month) in MONTHS.iter().enumerate() {
        let middle = MARGIN + YEARS + (i as f64 + 0.5) * column - 0.75;
        heading(month, middle, false);
    }
    heading("Year", total_left + TOTAL.0 / 2.0 - 0.75, true);
    let first_row = top + 15.0;
    let top_of = |year: i32| {
        years
            .first()
            .map_or(first_row, |f| first_row + f64::from(year - f) * row)
    };
    let shown = |year: i32| years.first().is_some_and(|f| year >= *f);
    for &year in &years {
        if size.is_some() || year % 5 == 0 {
            let size = size.unwrap_or(9.0);
            let style = Type { size, ..AXIS };
            let at = (MARGIN, top_of(year) + (row - 1.5) / 2.0 + 0.357 * size);
            canvas.text(&year.to_string(), at, Align::Left, style);
        }
    }
    let full = full_scale(sheet.months.iter().map(|m| m.value));
    for &MonthReturn { year, month, value } in &sheet.months {
        if (1..=12).contains(&month) && shown(year) {
            let x = MARGIN + YEARS + f64::from(month - 1) * column;
            map.cell((x, top_of(year), column), value, full, false);
        }
    }
    let full = full_scale(sheet.years.iter().map(|y| y.1));
    for &(year, value) in sheet.years.iter().filter(|y| shown(y.0)) {
        map.cell((total_left, top_of(year), TOTAL.0), value, full, true);
    }
    first_row + years.len() as f64 * row
}
