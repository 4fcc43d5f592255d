//! Equity curves over one clock: scale, lines, dots and names at their ends. What else stands in
//! the panel or under it is left to the pictures.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis, asks_for_log};
use crate::report::chart::line::{extent, last_value};
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{END_ROOM, Page, role_colors};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::report::chart::{Role, Series};
use plotters::prelude::RGBColor;

/// Height of the panel.
const HEIGHT: f64 = 256.0;

/// Line and word colours of each series, those of one role told apart.
fn colors(series: &[Series]) -> Vec<(RGBColor, RGBColor)> {
    let nth = |at: usize| {
        let same = |s: &&Series| s.role == series[at].role;
        series[..at].iter().filter(same).count()
    };
    (0..series.len())
        .map(|at| role_colors(series[at].role, nth(at)))
        .collect()
}

fn width(role: Role) -> f64 {
    match role {
        Role::Strategy => 1.6,
        Role::Trial => 1.2,
        Role::InSample | Role::Benchmark | Role::Cash | Role::PutIn => 1.1,
    }
}

/// Columns as long as their clock, or an error that names the odd one.
pub(super) fn check(picture: &str, bars: usize, series: &[Series]) -> Result<()> {
    match series.iter().find(|s| s.value.len() != bars) {
        None => Ok(()),
        Some(odd) => Err(Error::msg(format!(
            "the {picture} has {bars} bars but `{}` has {} values",
            odd.name,
            odd.value.len()
        ))),
    }
}

/// What stands over the panel.
pub(super) struct Heading<'a> {
    /// Title of the section.
    pub(super) title: &'a str,
    /// Unit of money, may be empty.
    pub(super) unit: &'a str,
    /// Room between the title and the panel, beyond the usual.
    pub(super) room: f64,
}

/// Draws the section: the first series lies on top. `under` draws what lies under the
/// lines.
pub(super) fn draw(
    page: &mut Page,
    heading: &Heading<'_>,
    series: &[Series],
    clock: &Clock,
    under: impl FnOnce(&Panel),
) -> Result<()> {
    let Some(range) = extent(series.iter().map(|s| &s.value[..])) else {
        page.section(heading.title, "no bars");
        return Ok(());
    };
    let log = asks_for_log(range);
    let scale = if log { "log scale" } else { "" };
    let parts: Vec<&str> = [heading.unit, scale]
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect();
    page.section(heading.title, &parts.join(", "));
    page.y += heading.room;
    let frame = page.plot(HEIGHT);
    let axis = ValueAxis::new(range, log, HEIGHT, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    under(&panel);
    panel.grid()?;
    panel.time_labels(clock);
    let colors = colors(series);
    let mut ends = Vec::new();
    for (series, &(line, words)) in series.iter().zip(&colors).rev() {
        panel.line(&panel.trace(&series.value, clock), line, width(series.role))?;
        if let Some((i, value)) = last_value(&series.value) {
            panel.dot(clock.place(i), value, 2.6, line)?;
            ends.push(EndLabel {
                y: panel.at(clock.place(i), value).1,
                name: series.name.clone(),
                value: amount(value),
                color: words,
            });
        }
    }
    // Of lines that end together the first is named first.
    ends.reverse();
    panel.end_labels(ends, END_ROOM);
    Ok(())
}
