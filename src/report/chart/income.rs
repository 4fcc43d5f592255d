//! `income.png`: where each dollar came from, by period, by stream and by symbol; and the
//! waterfall of streams that the tear sheet shows too.

use crate::error::{Error, Result};
use crate::report::chart::axis::ValueAxis;
use crate::report::chart::backend::{Align, Type};
use crate::report::chart::line::extent;
use crate::report::chart::number::{Words, amount, grouped};
use crate::report::chart::page::{
    AXIS, BLUE, CONTENT, END_ROOM, GRID, INK, MARGIN, NOTE, PALETTE, Page, RED, TEAL, TEXT_SOFT,
};
use crate::report::chart::panel::{EndLabel, Frame, Panel};
use crate::report::chart::premium;
use crate::report::chart::{Amount, IncomeChart, Picture, Stream};
use plotters::prelude::RGBColor;

/// Room for names of streams and symbols at the left.
const NAMES: f64 = 150.0;
/// Room for amounts at the right.
const AMOUNTS: f64 = 96.0;
/// Height of a row.
const ROW: f64 = 18.0;
/// Most symbols drawn.
const SYMBOLS_MAX: usize = 12;

/// Money as a column of figures: whole from a thousand up, cents below.
fn money(value: f64, largest: f64) -> String {
    if (largest >= 1e11 && value.abs() >= 1e7) || (value != 0.0 && largest < 0.1) {
        amount(value)
    } else if largest >= 1000.0 {
        grouped(value, 0)
    } else {
        grouped(value, 2)
    }
}

/// Horizontal bars with names to the left and figures to the right.
struct Bars<'a> {
    page: &'a Page,
    low: f64,
    high: f64,
    largest: f64,
}

impl Bars<'_> {
    /// Bars on a scale that holds zero and all of `values`.
    fn new<'a>(page: &'a Page, values: impl Iterator<Item = f64>, largest: f64) -> Bars<'a> {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .fold((0.0_f64, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
        let high = if low < high { high } else { low + 1.0 };
        Bars {
            page,
            low,
            high,
            largest,
        }
    }

    fn x(&self, value: f64) -> f64 {
        let left = MARGIN + NAMES;
        let width = CONTENT - NAMES - AMOUNTS;
        let value = if value.is_finite() { value } else { 0.0 };
        left + (value - self.low) / (self.high - self.low) * width
    }

    fn row(&self, y: f64, name: &str, (from, to): (f64, f64), value: f64, bold: bool) {
        let canvas = &self.page.canvas;
        let color = match (bold, value < 0.0) {
            (true, _) => BLUE,
            (false, true) => RED,
            (false, false) => TEAL,
        };
        let (a, b) = (self.x(from.min(to)), self.x(from.max(to)));
        if value != 0.0 {
            canvas.fill_box((a, y + 3.0, (b - a).max(1.0), ROW - 6.0), color);
        }
        let style = Type {
            color: if bold { INK } else { AXIS.color },
            bold,
            ..AXIS
        };
        let name = canvas.fonts().shorten(name, NAMES - 12.0, style.size, bold);
        let baseline = y + ROW / 2.0 + 0.357 * style.size;
        canvas.text(&name, (MARGIN, baseline), Align::Left, style);
        let figure = Type {
            color: INK,
            ..style
        };
        let at = (MARGIN + CONTENT, baseline);
        canvas.text(&money(value, self.largest), at, Align::Right, figure);
    }

    fn zero_line(&self, top: f64, bottom: f64) {
        let x = self.x(0.0);
        self.page.canvas.rule((x, top), (x, bottom), 0.5, TEXT_SOFT);
    }
}

fn largest(amounts: &[Amount], total: f64) -> f64 {
    let sizes = amounts.iter().map(|a| a.value.abs());
    sizes.fold(total.abs(), f64::max)
}

/// Streams one after the other, each beginning where the one before ended, and their sum.
pub(super) fn waterfall(page: &mut Page, streams: &[Amount], total: f64) {
    let top = page.y - 5.0;
    let mut running = 0.0;
    let mut steps = Vec::with_capacity(streams.len());
    for stream in streams {
        let from = running;
        running += stream.value;
        steps.push((from, running));
    }
    let ends = steps.iter().map(|s| s.1).chain([total]);
    let bars = Bars::new(page, ends, largest(streams, total));
    let mut y = top;
    for (stream, step) in streams.iter().zip(&steps) {
        bars.row(y, &stream.name, *step, stream.value, false);
        y += ROW;
        let x = bars.x(step.1);
        if stream.value == 0.0 {
            let row = (y - ROW + 3.0, y - 3.0);
            page.canvas.rule((x, row.0), (x, row.1), 0.5, TEXT_SOFT);
        }
        page.canvas.rule((x, y - 3.0), (x, y + 3.0), 0.5, TEXT_SOFT);
    }
    page.canvas
        .rule((MARGIN, y + 1.0), (MARGIN + CONTENT, y + 1.0), 0.5, GRID);
    y += 2.0;
    bars.row(y, "Change of equity", (0.0, total), total, true);
    y += ROW;
    bars.zero_line(top, y);
    page.y = y;
}

/// Draws the picture.
pub(super) fn draw(chart: &IncomeChart) -> Result<Picture> {
    check(chart)?;
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.divider();
    if chart.periods.is_empty() {
        page.section("Income", "nothing was booked");
    } else {
        by_period(&mut page, chart)?;
    }
    if let Some(premium) = &chart.premium {
        premium::draw(&mut page, premium, &chart.unit)?;
    }
    if !chart.totals.is_empty() {
        let hint = format!("{} over the whole run", chart.unit);
        page.section("By stream", hint.trim());
        waterfall(&mut page, &chart.totals, chart.total);
    }
    if !chart.layers.is_empty() {
        let hint = format!("{}, deposits and transfers among it", chart.unit);
        page.section("By layer", hint.trim_start_matches(", "));
        rows(&mut page, &chart.layers);
    }
    if !chart.symbols.is_empty() {
        by_symbol(&mut page, chart);
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(chart: &IncomeChart) -> Result<()> {
    let periods = chart.periods.len();
    let streams = chart
        .streams
        .iter()
        .map(|s| (s.name.as_str(), s.amounts.len()));
    for (name, length) in streams.chain([("cumulative", chart.cumulative.len())]) {
        if length != periods {
            return Err(Error::msg(format!(
                "the income chart has {periods} periods but `{name}` has {length} amounts"
            )));
        }
    }
    chart.premium.as_ref().map_or(Ok(()), |p| p.check())
}

/// Colours of streams: one each, in order.
fn stream_color(nth: usize) -> RGBColor {
    PALETTE[nth % PALETTE.len()]
}

/// Names with their colours, in lines under the section's title.
pub(super) fn legend(page: &mut Page, names: &[(&str, RGBColor)]) {
    let mut x = MARGIN;
    for (name, color) in names {
        let name = page.canvas.fonts().shorten(name, 150.0, NOTE.size, false);
        let width = page.canvas.width(&name, NOTE) + 30.0;
        if x + width > MARGIN + CONTENT && x > MARGIN {
            x = MARGIN;
            page.y += 15.0;
        }
        page.canvas.fill_box((x, page.y - 5.0, 9.0, 9.0), *color);
        page.canvas
            .text(&name, (x + 14.0, page.y + 3.0), Align::Left, NOTE);
        x += width;
    }
    page.y += 18.0;
}

/// Lowest and highest that stacks reach, zero among them.
fn stack_extent(chart: &IncomeChart) -> (f64, f64) {
    let mut range = (0.0_f64, 0.0_f64);
    for period in 0..chart.periods.len() {
        let (mut up, mut down) = (0.0, 0.0);
        for stream in &chart.streams {
            let value = stream.amounts[period];
            if value > 0.0 {
                up += value;
            } else if value < 0.0 {
                down += value;
            }
        }
        range = (range.0.min(down), range.1.max(up));
    }
    range
}

fn by_period(page: &mut Page, chart: &IncomeChart) -> Result<()> {
    let hint = format!("{} a {}", chart.unit, chart.period);
    page.section("Income", hint.trim().trim_end_matches(" a"));
    let mut names: Vec<(&str, RGBColor)> = Vec::new();
    for (i, stream) in chart.streams.iter().enumerate() {
        if stream.amounts.iter().any(|v| *v != 0.0) {
            names.push((&stream.name, stream_color(i)));
        }
    }
    legend(page, &names);
    let height = 190.0;
    let frame = page.plot(height);
    let places = (-0.5, chart.periods.len() as f64 - 0.5);
    let axis = ValueAxis::new(stack_extent(chart), false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, places, axis);
    panel.grid()?;
    stacks(&panel, &chart.streams, chart.periods.len(), &PALETTE)?;
    panel.level(0.0, TEXT_SOFT, false);
    period_labels(page, frame, &chart.periods);
    if chart.periods.len() > 1 {
        page.section("Sum so far", &chart.unit);
        cumulative(page, chart, places)?;
    }
    Ok(())
}

/// The sum of all streams up to each period, on a scale of its own: over many years it dwarfs
/// what one of them brings.
fn cumulative(page: &mut Page, chart: &IncomeChart, places: (f64, f64)) -> Result<()> {
    let height = 120.0;
    let frame = page.plot(height);
    let range = extent([&chart.cumulative[..], &[0.0]]).unwrap_or((0.0, 0.0));
    let axis = ValueAxis::new(range, false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, places, axis);
    panel.grid()?;
    panel.level(0.0, TEXT_SOFT, false);
    let value = chart.cumulative.iter().copied().enumerate();
    let line: Vec<(f64, f64)> = value
        .filter(|(_, v)| v.is_finite())
        .map(|(i, v)| (i as f64, v))
        .collect();
    if let Some(&(place, value)) = line.last() {
        let lines = [line];
        panel.fill(&lines, 0.0, BLUE, 0.12)?;
        panel.line(&lines, BLUE, 1.4)?;
        panel.dot(place, value, 2.6, BLUE)?;
        let label = EndLabel {
            y: panel.at(place, value).1,
            name: "Sum".to_string(),
            value: amount(value),
            color: BLUE,
        };
        panel.end_labels(vec![label], END_ROOM);
    }
    period_labels(page, frame, &chart.periods);
    Ok(())
}

/// Each period's streams on top of each other, costs below zero, in `colors` in turn.
pub(super) fn stacks(
    panel: &Panel,
    streams: &[Stream],
    periods: usize,
    colors: &[RGBColor],
) -> Result<()> {
    let half = (30.0 * periods as f64 / panel.frame.width).min(0.36);
    for period in 0..periods {
        let places = (period as f64 - half, period as f64 + half);
        let (mut up, mut down) = (0.0, 0.0);
        for (stream, color) in streams.iter().zip(colors.iter().cycle()) {
            let value = stream.amounts[period];
            let base = if value < 0.0 { &mut down } else { &mut up };
            if value.is_finite() && value != 0.0 {
                panel.bar(places, (*base, *base + value), *color)?;
                *base += value;
            }
        }
    }
    Ok(())
}

/// Names of the periods, as many as fit.
pub(super) fn period_labels(page: &Page, frame: Frame, periods: &[String]) {
    let canvas = &page.canvas;
    let slot = frame.width / periods.len() as f64;
    let shown: Vec<String> = periods
        .iter()
        .map(|p| canvas.fonts().shorten(p, 90.0, AXIS.size, false))
        .collect();
    let widest = shown.iter().map(|p| canvas.width(p, AXIS));
    let widest = widest.fold(0.0, f64::max) + 10.0;
    let every = (widest / slot).ceil().max(1.0) as usize;
    for (i, label) in shown.iter().enumerate().step_by(every) {
        let x = frame.left + (i as f64 + 0.5) * slot;
        canvas.text(label, (x, frame.bottom() + 15.0), Align::Center, AXIS);
    }
}

fn by_symbol(page: &mut Page, chart: &IncomeChart) {
    let mut symbols: Vec<&Amount> = chart.symbols.iter().collect();
    symbols.sort_by(|a, b| {
        b.value
            .abs()
            .total_cmp(&a.value.abs())
            .then(a.name.cmp(&b.name))
    });
    let left_out = symbols.len().saturating_sub(SYMBOLS_MAX);
    symbols.truncate(SYMBOLS_MAX);
    symbols.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.name.cmp(&b.name)));
    let hint = match left_out {
        0 => chart.unit.clone(),
        n => format!(
            "{}, the {SYMBOLS_MAX} largest; {n} more not shown",
            chart.unit
        ),
    };
    page.section("By symbol", hint.trim_start_matches(", "));
    let symbols: Vec<Amount> = symbols.into_iter().cloned().collect();
    rows(page, &symbols);
}

/// One bar an amount.
fn rows(page: &mut Page, amounts: &[Amount]) {
    let mut y = page.y - 5.0;
    let largest = largest(amounts, 0.0);
    let bars = Bars::new(page, amounts.iter().map(|a| a.value), largest);
    let top = y;
    for amount in amounts {
        bars.row(y, &amount.name, (0.0, amount.value), amount.value, false);
        y += ROW;
    }
    bars.zero_line(top, y);
    page.y = y;
}
