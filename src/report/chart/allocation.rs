//! The panel of the tear sheet that shows what the account consisted of: shares of equity through
//! time, one area on the other, with what is short or owed below zero.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::income::legend;
use crate::report::chart::line::Point;
use crate::report::chart::number::{Words, percent};
use crate::report::chart::page::{PALETTE, PLOT_WIDTH, Page, TEXT_SOFT};
use crate::report::chart::panel::Panel;
use plotters::prelude::RGBColor;

/// Height of the panel.
const HEIGHT: f64 = 150.0;
/// Width of a column over which shares are averaged, in points.
const COLUMN: f64 = 0.5;
/// Places of the palette whose colours cannot be taken for that of the others.
const UNLIKE_GREY: [usize; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 10];
const OTHERS: RGBColor = RGBColor(0xB6, 0xBD, 0xC8);
const CASH: RGBColor = RGBColor(0xE9, 0xDD, 0xC0);

/// What a part of the account is; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A symbol or a layer: a colour each.
    Named,
    /// All symbols beyond those that are named: grey.
    Others,
    /// Cash: sand, on top.
    Cash,
}

/// A part of the account through time.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its name.
    pub name: String,
    /// What it is.
    pub part: Part,
    /// Its share of equity at each bar, negative for what is short or owed; NaN where there is none.
    pub share: Vec<f64>,
    /// The average of its share over the run.
    pub average: f64,
}

/// Draws the section; nothing without an area. Beside shorts cash is left out: it is what they were
/// sold for, and would make all else small.
pub(super) fn draw(page: &mut Page, areas: &[Area], clock: &Clock) -> Result<()> {
    let bars = areas.first().map_or(0, |area| area.share.len());
    if bars == 0 {
        return Ok(());
    }
    let is_short = |area: &Area| area.part != Part::Cash && area.share.iter().any(|s| *s < 0.0);
    let hint = match areas.iter().any(is_short) {
        true => {
            "share of equity, shorts below zero, cash left out; beside the names the average over the run"
        }
        false => "share of equity; beside the names the average over the run",
    };
    let is_drawn = |area: &&Area| area.part != Part::Cash || !areas.iter().any(is_short);
    let areas: Vec<&Area> = areas.iter().filter(is_drawn).collect();
    let areas = areas.as_slice();
    let columns = columns(areas, clock, PLOT_WIDTH / COLUMN);
    let (low, high) = columns
        .iter()
        .fold((0.0_f64, 0.0_f64), |(low, high), column| {
            let sum =
                |keep: fn(&f64) -> bool| column.shares.iter().filter(|v| keep(v)).sum::<f64>();
            (low.min(sum(|v| *v < 0.0)), high.max(sum(|v| *v > 0.0)))
        });
    page.section("Allocation", hint);
    let colors = colors(areas);
    let words: Vec<String> = areas
        .iter()
        .map(|area| format!("{} {}", area.name, percent(area.average, 0)))
        .collect();
    let names: Vec<(&str, RGBColor)> = words
        .iter()
        .map(String::as_str)
        .zip(colors.clone())
        .collect();
    legend(page, &names);
    let frame = page.plot(HEIGHT);
    // A full account ends at 100% though its last digits do not, and all else at a whole twentieth.
    let tidy = |edge: f64| (edge.abs() * 20.0 - 1e-6).ceil().copysign(edge) / 20.0;
    let axis = ValueAxis::exact((tidy(low), tidy(high).max(0.05)), HEIGHT, Words::Percent);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    // From the outermost edge inwards, each over the one before, so that no seam shows.
    for (at, color) in colors.iter().enumerate().rev() {
        for side in [1.0, -1.0] {
            for line in edges(&columns, at, side, clock.range()) {
                panel.fill(&[line], 0.0, *color, 1.0)?;
            }
        }
    }
    panel.grid()?;
    panel.level(0.0, TEXT_SOFT, false);
    panel.time_labels(clock);
    Ok(())
}

/// Columns of shares as long as their clock, or an error that names the odd one.
pub(super) fn check(bars: usize, areas: &[Area]) -> Result<()> {
    match areas.iter().find(|area| area.share.len() != bars) {
        None => Ok(()),
        Some(odd) => Err(Error::msg(format!(
            "the tear sheet has {bars} bars but the share of `{}` has {} values",
            odd.name,
            odd.share.len()
        ))),
    }
}

fn colors(areas: &[&Area]) -> Vec<RGBColor> {
    let mut named = 0;
    let color = |area: &&Area| match area.part {
        Part::Named => {
            named += 1;
            soft(PALETTE[UNLIKE_GREY[(named - 1) % UNLIKE_GREY.len()]])
        }
        Part::Others => OTHERS,
        Part::Cash => CASH,
    };
    areas.iter().map(color).collect()
}

/// The colour of a line as that of an area, which has more ink.
fn soft(color: RGBColor) -> RGBColor {
    let mixed = |c: u8| (0.72 * f64::from(c) + 0.28 * 255.0) as u8;
    RGBColor(mixed(color.0), mixed(color.1), mixed(color.2))
}

/// Shares of all areas, averaged over a stretch of bars as wide as the pen.
struct Column {
    place: f64,
    shares: Vec<f64>,
}

/// The columns of all bars on which every share is known.
fn columns(areas: &[&Area], clock: &Clock, wide: f64) -> Vec<Column> {
    let bars = areas.first().map_or(0, |area| area.share.len());
    let range = clock.range();
    let scale = wide / (range.1 - range.0);
    let of = |bar: usize| ((clock.place(bar) - range.0) * scale) as i64;
    let mut columns: Vec<Column> = Vec::new();
    let mut from = 0;
    while from < bars {
        let to = (from..bars).take_while(|bar| of(*bar) == of(from)).count() + from;
        let is_known = |bar: &usize| areas.iter().all(|area| area.share[*bar].is_finite());
        let known: Vec<usize> = (from..to).filter(is_known).collect();
        let mean = |area: &&Area| {
            let sum: f64 = known.iter().map(|bar| area.share[*bar]).sum();
            sum / known.len() as f64
        };
        columns.push(Column {
            place: clock.place((from + to - 1) / 2),
            shares: areas.iter().map(mean).collect(),
        });
        from = to;
    }
    columns.retain(|column| column.shares.iter().all(|share| share.is_finite()));
    columns
}

/// The outer edge of an area on one side of zero: its share and those of the areas under it. Lines of
/// stretches in which it is there.
fn edges(columns: &[Column], at: usize, side: f64, range: (f64, f64)) -> Vec<Vec<Point>> {
    let mut lines: Vec<Vec<Point>> = Vec::new();
    let mut line: Vec<Point> = Vec::new();
    for (nth, column) in columns.iter().enumerate() {
        let on_side = column.shares[..=at]
            .iter()
            .filter(|share| **share * side > 0.0);
        let edge: f64 = on_side.sum();
        let place = match nth {
            0 => range.0,
            n if n + 1 == columns.len() => range.1,
            _ => column.place,
        };
        if edge == 0.0 {
            // It ends between two columns.
            if !line.is_empty() {
                line.push((place, 0.0));
                lines.push(std::mem::take(&mut line));
            }
            continue;
        }
        if line.is_empty() && nth > 0 {
            line.push((columns[nth - 1].place.max(range.0), 0.0));
        }
        line.push((place, edge));
        if columns.len() == 1 {
            line.push((range.1, edge));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
