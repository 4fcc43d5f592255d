//! The premium part of `income.png`: what options brought in by month, what they cost, and what was
//! left. Premium taken in is no income until it is known what it cost.

use crate::error::{Error, Result};
use crate::report::chart::Stream;
use crate::report::chart::axis::ValueAxis;
use crate::report::chart::income::{legend, period_labels, stacks};
use crate::report::chart::line::extent;
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{BLUE, END_ROOM, INK, PALETTE, Page, RED, TEAL, TEXT, TEXT_SOFT};
use crate::report::chart::panel::{EndLabel, Panel};
use plotters::prelude::RGBColor;

/// Colour of what was taken in, then of what it cost, in the order of the costs.
const COLORS: [RGBColor; 5] = [TEAL, PALETTE[1], RED, PALETTE[4], TEXT];
/// From so many months on the line of each month's rest would be a scribble.
const LINE_MAX: usize = 120;

/// Premium by month and what it cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PremiumChart {
    /// `Mar 2014`, in order of time.
    pub months: Vec<String>,
    /// Premium received, money a month.
    pub received: Vec<f64>,
    /// What it cost, at most four streams, negative money a month: bought back, given up at
    /// assignments, protection, fees.
    pub costs: Vec<Stream>,
    /// The sum of all of these a month.
    pub kept: Vec<f64>,
}

impl PremiumChart {
    pub(super) fn check(&self) -> Result<()> {
        let months = self.months.len();
        let costs = self
            .costs
            .iter()
            .map(|c| (c.name.as_str(), c.amounts.len()));
        let own = [("received", self.received.len()), ("kept", self.kept.len())];
        for (name, length) in costs.chain(own) {
            if length != months {
                return Err(Error::msg(format!(
                    "the premium chart has {months} months but `{name}` has {length} amounts"
                )));
            }
        }
        Ok(())
    }
}

/// Bars of each month with the line of what was left, and the sums so far under them.
pub(super) fn draw(page: &mut Page, chart: &PremiumChart, unit: &str) -> Result<()> {
    let months = chart.months.len();
    if months == 0 {
        return Ok(());
    }
    let hint = format!("{unit} a month, and what it cost");
    page.section("Option premium", hint.trim());
    let mut streams = vec![Stream {
        name: "premium received".to_owned(),
        amounts: chart.received.clone(),
    }];
    streams.extend(chart.costs.iter().take(COLORS.len() - 1).cloned());
    let names: Vec<(&str, RGBColor)> = streams
        .iter()
        .zip(COLORS)
        .filter(|(stream, _)| stream.amounts.iter().any(|v| *v != 0.0))
        .map(|(stream, color)| (stream.name.as_str(), color))
        .chain([("kept", INK)])
        .collect();
    legend(page, &names);
    let height = 170.0;
    let frame = page.plot(height);
    let places = (-0.5, months as f64 - 0.5);
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for month in 0..months {
        let of = streams.iter().map(|s| s.amounts[month]);
        low = low.min(of.clone().filter(|v| *v < 0.0).sum());
        high = high.max(of.filter(|v| *v > 0.0).sum());
    }
    let axis = ValueAxis::new((low, high), false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, places, axis);
    panel.grid()?;
    stacks(&panel, &streams, months, &COLORS)?;
    panel.level(0.0, TEXT_SOFT, false);
    kept_marks(&panel, &chart.kept)?;
    period_labels(page, frame, &chart.months);
    if months > 1 {
        page.section("Premium so far", "received, and kept after what it cost");
        sums(page, chart, places)?;
    }
    Ok(())
}

/// What was left of each month: a line with dots, dots alone where they are many.
fn kept_marks(panel: &Panel, kept: &[f64]) -> Result<()> {
    let points = kept.iter().copied().enumerate();
    let points: Vec<(f64, f64)> = points
        .filter(|(_, v)| v.is_finite())
        .map(|(i, v)| (i as f64, v))
        .collect();
    if points.len() <= LINE_MAX {
        panel.line(&panel.placed(vec![points.clone()]), INK, 1.0)?;
    }
    let radius = if points.len() <= 60 { 2.2 } else { 1.3 };
    for (place, value) in points {
        panel.dot(place, value, radius, INK)?;
    }
    Ok(())
}

/// The sums of both up to each month.
fn sums(page: &mut Page, chart: &PremiumChart, places: (f64, f64)) -> Result<()> {
    let so_far = |column: &[f64]| -> Vec<f64> {
        let mut sum = 0.0;
        let add = |v: &f64| {
            sum += v;
            sum
        };
        column.iter().map(add).collect()
    };
    let columns = [
        ("Received", so_far(&chart.received), TEAL),
        ("Kept", so_far(&chart.kept), BLUE),
    ];
    let height = 120.0;
    let frame = page.plot(height);
    let range = extent([&columns[0].1[..], &columns[1].1[..], &[0.0]]).unwrap_or((0.0, 0.0));
    let axis = ValueAxis::new(range, false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, places, axis);
    panel.grid()?;
    panel.level(0.0, TEXT_SOFT, false);
    let mut ends = Vec::new();
    for (name, column, color) in &columns {
        let points = column.iter().copied().enumerate();
        let line: Vec<(f64, f64)> = points
            .filter(|(_, v)| v.is_finite())
            .map(|(i, v)| (i as f64, v))
            .collect();
        if let Some(&(place, value)) = line.last() {
            panel.line(&panel.placed(vec![line]), *color, 1.4)?;
            panel.dot(place, value, 2.6, *color)?;
            ends.push(EndLabel {
                y: panel.at(place, value).1,
                name: (*name).to_owned(),
                value: amount(value),
                color: *color,
            });
        }
    }
    panel.end_labels(ends, END_ROOM);
    period_labels(page, frame, &chart.months);
    Ok(())
}
