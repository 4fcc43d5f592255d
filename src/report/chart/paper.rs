//! `account.png`: the equity of a paper account with its backtest before it and its cone after it, and the
//! account alone, as near as it can be seen.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis, asks_for_log};
use crate::report::chart::equity::check;
use crate::report::chart::line::{extent, last_value};
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{BLUE, END_ROOM, Page, TEXT_SOFT, role_colors};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::report::chart::{Figure, Picture, Series};
use crate::units::Micros;
use std::borrow::Cow;

/// Where equity may lie over one horizon.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConeBand {
    /// Moments, strictly increasing.
    pub time: Vec<Micros>,
    /// Lowest equity, an element a moment.
    pub low: Vec<f64>,
    /// Highest equity.
    pub high: Vec<f64>,
}

/// What `account.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PaperChart {
    /// Name of the account.
    pub title: String,
    /// Strategy and period, in one line.
    pub subtitle: String,
    /// Headline figures.
    pub figures: Vec<Figure>,
    /// A warning over everything, when an alarm is up.
    pub banner: String,
    /// Unit of money.
    pub unit: String,
    /// Moments of the backtest and of the account, strictly increasing.
    pub time: Vec<Micros>,
    /// Equity over `time`, NaN where a curve has none: the account first.
    pub equity: Vec<Series>,
    /// First moment of the account.
    pub begins: Micros,
    /// Cones, in order of time.
    pub cones: Vec<ConeBand>,
    /// What the cone is, in words; may be empty.
    pub cone_note: String,
    /// Small print.
    pub notes: Vec<String>,
}

impl PaperChart {
    /// Draws the account, with the boxes of the labels.
    ///
    /// # Errors
    /// When columns have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        draw(self)
    }
}

/// The bytes of `account.png`.
///
/// # Errors
/// As [`PaperChart::draw`].
pub fn paper(chart: &PaperChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

fn draw(chart: &PaperChart) -> Result<Picture> {
    check("chart of the account", chart.time.len(), &chart.equity)?;
    let odd = |c: &&ConeBand| c.low.len() != c.time.len() || c.high.len() != c.time.len();
    if chart.cones.iter().any(|c| odd(&c)) {
        return Err(Error::msg(
            "a cone of the chart has columns of different lengths",
        ));
    }
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.banner(&chart.banner);
    page.figures(&chart.figures);
    let begins = chart.time.partition_point(|t| *t < chart.begins);
    if begins > 0 {
        section(&mut page, chart, "Backtest, account and cone", 0)?;
    }
    section(&mut page, chart, "The account", begins)?;
    if !chart.cone_note.is_empty() {
        page.y += 3.0;
        page.note(&chart.cone_note);
    }
    page.notes(&chart.notes);
    page.finish()
}

/// One panel, from element `from` of the moments on.
fn section(page: &mut Page, chart: &PaperChart, title: &str, from: usize) -> Result<()> {
    let mut moments = chart.time[from..].to_vec();
    moments.extend(chart.cones.iter().flat_map(|c| c.time.iter().copied()));
    moments.sort_unstable();
    moments.dedup();
    let clock = Clock::new(Cow::Owned(moments));
    let curves = chart.equity.iter().map(|s| &s.value[from..]);
    let edges = chart.cones.iter().flat_map(|c| [&c.low[..], &c.high[..]]);
    let Some(range) = extent(curves.chain(edges)) else {
        page.section(title, "no bars");
        return Ok(());
    };
    let log = asks_for_log(range);
    let scale = if log { "log scale" } else { "" };
    let hint: Vec<&str> = [&*chart.unit, scale]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect();
    page.section(title, &hint.join(", "));
    let height = 240.0;
    let frame = page.plot(height);
    let axis = ValueAxis::new(range, log, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    for cone in &chart.cones {
        let place: Vec<f64> = cone.time.iter().map(|t| clock.place_of(*t)).collect();
        panel.ribbon(&place, (&cone.low, &cone.high), BLUE, 0.10)?;
    }
    panel.grid()?;
    panel.time_labels(&clock);
    if from == 0 {
        let x = panel.at(clock.place_of(chart.begins), range.0).0;
        let ends = ((x, frame.top), (x, frame.bottom()));
        page.canvas.rule(ends.0, ends.1, 0.75, TEXT_SOFT);
    }
    let mut ends = Vec::new();
    let mut nth = 0;
    for series in chart.equity.iter().rev() {
        let value = &series.value[from..];
        let time = &chart.time[from..];
        let Some((last, amount_last)) = last_value(value) else {
            continue;
        };
        let (line, words) = role_colors(series.role, nth);
        nth += usize::from(series.role == crate::report::chart::Role::Benchmark);
        let place = |i: usize| clock.place_of(time[i]);
        let lines = crate::report::chart::line::lines(value, place, clock.range(), frame.width);
        let width = if series.role == crate::report::chart::Role::Strategy {
            1.6
        } else {
            1.1
        };
        panel.line(&panel.placed(lines), line, width)?;
        panel.dot(place(last), amount_last, 2.6, line)?;
        ends.push(EndLabel {
            y: panel.at(place(last), amount_last).1,
            name: series.name.clone(),
            value: amount(amount_last),
            color: words,
        });
    }
    panel.end_labels(ends, END_ROOM);
    Ok(())
}
