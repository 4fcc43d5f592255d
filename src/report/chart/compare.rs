//! `compare.png`: equity curves from the same start, their drawdowns, and a small table.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis, asks_for_log};
use crate::report::chart::line::{extent, last_value, lines};
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{END_ROOM, PALETTE, Page};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::report::chart::table;
use crate::report::chart::{CompareChart, Curve, Picture};
use crate::units::Micros;
use plotters::prelude::RGBColor;
use std::borrow::Cow;

/// Most curves on one picture.
const CURVES_MAX: usize = 12;

/// Draws the picture.
pub(super) fn draw(chart: &CompareChart) -> Result<Picture> {
    for curve in &chart.curves {
        check(curve)?;
    }
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.divider();
    let curves = &chart.curves[..chart.curves.len().min(CURVES_MAX)];
    let mut moments: Vec<Micros> = curves.iter().flat_map(|c| c.time.iter().copied()).collect();
    moments.sort_unstable();
    moments.dedup();
    let clock = Clock::new(Cow::Owned(moments));
    equity(&mut page, curves, &clock)?;
    drawdowns(&mut page, curves, &clock)?;
    let rows: Vec<table::Row<'_>> = curves
        .iter()
        .enumerate()
        .map(|(nth, curve)| table::Row {
            color: color(nth),
            name: &curve.name,
            cells: &curve.cells,
        })
        .collect();
    table::draw(&mut page, "Figures", &rows, &chart.metrics);
    let left_out = chart.curves.len() - curves.len();
    if left_out > 0 {
        page.y += 4.0;
        page.note(&format!(
            "The first {CURVES_MAX} of {}; {left_out} more not shown.",
            chart.curves.len()
        ));
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(curve: &Curve) -> Result<()> {
    let bars = curve.time.len();
    for (name, length) in [
        ("index", curve.index.len()),
        ("drawdown", curve.drawdown.len()),
    ] {
        if length != bars {
            return Err(Error::msg(format!(
                "the curve `{}` has {bars} bars but {length} values of {name}",
                curve.name
            )));
        }
    }
    Ok(())
}

fn color(nth: usize) -> RGBColor {
    PALETTE[nth % PALETTE.len()]
}

/// The lines of one curve's column on a clock that all curves share.
fn trace(panel: &Panel, clock: &Clock, curve: &Curve, value: &[f64]) -> Vec<Vec<(f64, f64)>> {
    panel.placed(lines(
        value,
        |i| clock.place_of(curve.time[i]),
        clock.range(),
        panel.frame.width,
    ))
}

fn equity(page: &mut Page, curves: &[Curve], clock: &Clock) -> Result<()> {
    let Some(range) = extent(curves.iter().map(|c| &c.index[..])) else {
        page.section("Equity", "nothing to compare");
        return Ok(());
    };
    let log = asks_for_log(range);
    let hint = if log {
        "start = 100, log scale"
    } else {
        "start = 100"
    };
    page.section("Equity", hint);
    let height = 280.0;
    let frame = page.plot(height);
    let axis = ValueAxis::new(range, log, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    panel.time_labels(clock);
    let mut ends = Vec::new();
    for (nth, curve) in curves.iter().enumerate().rev() {
        let lines = trace(&panel, clock, curve, &curve.index);
        panel.line(&lines, color(nth), if nth == 0 { 1.6 } else { 1.2 })?;
        if let Some((i, value)) = last_value(&curve.index) {
            let place = clock.place_of(curve.time[i]);
            panel.dot(place, value, 2.6, color(nth))?;
            ends.push(EndLabel {
                y: panel.at(place, value).1,
                name: curve.name.clone(),
                value: amount(value),
                color: color(nth),
            });
        }
    }
    panel.end_labels(ends, END_ROOM);
    Ok(())
}

fn drawdowns(page: &mut Page, curves: &[Curve], clock: &Clock) -> Result<()> {
    let Some((low, _)) = extent(curves.iter().map(|c| &c.drawdown[..])) else {
        return Ok(());
    };
    page.section("Drawdown", "from the running peak");
    let height = 130.0;
    let frame = page.plot(height);
    let low = if low < 0.0 { low * 1.06 } else { -0.01 };
    let axis = ValueAxis::exact((low, 0.0), height, Words::Percent);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    panel.time_labels(clock);
    for (nth, curve) in curves.iter().enumerate().rev() {
        let lines = trace(&panel, clock, curve, &curve.drawdown);
        panel.line(&lines, color(nth), 1.0)?;
    }
    Ok(())
}
