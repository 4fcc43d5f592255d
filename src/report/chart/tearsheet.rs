//! `tearsheet.png`: headline figures, equity, drawdown, allocation, rolling Sharpe, months, where the money
//! came from, and the small print.

use crate::error::{Error, Result};
use crate::report::chart::allocation;
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::backend::{Align, Type};
use crate::report::chart::equity;
use crate::report::chart::heat;
use crate::report::chart::income::waterfall;
use crate::report::chart::line::{extent, last_value};
use crate::report::chart::number::{Words, amount, grouped, percent};
use crate::report::chart::page::{BLUE, END_ROOM, Page, RED, TEXT_SOFT};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::report::chart::stress;
use crate::report::chart::{Picture, Series, TearSheet};
use std::borrow::Cow;

/// Draws the picture.
pub(super) fn draw(sheet: &TearSheet) -> Result<Picture> {
    check(sheet)?;
    let mut page = Page::new(&sheet.title, &sheet.subtitle)?;
    let clock = Clock::new(Cow::Borrowed(&sheet.time[..]));
    page.figures(&sheet.figures);
    equity(&mut page, sheet, &clock)?;
    drawdown(&mut page, sheet, &clock)?;
    allocation::draw(&mut page, &sheet.allocation, &clock)?;
    rolling_sharpe(&mut page, sheet, &clock)?;
    if !sheet.months.is_empty() || !sheet.years.is_empty() {
        page.section("Monthly returns", "%");
        page.y = heat::draw(&page.canvas, sheet, page.y - 4.0);
    }
    if !sheet.income.is_empty() {
        let hint = format!("{} over the whole run", sheet.unit);
        page.section("Where the money came from", hint.trim());
        waterfall(&mut page, &sheet.income, sheet.income_total);
    }
    if let Some(learning) = &sheet.learning {
        stress::rows(&mut page, "What the model learned", learning);
    }
    stress::draw(
        &mut page,
        sheet.stress.as_ref(),
        sheet.overfitting.as_deref(),
    );
    let mut print = vec![("Assumptions", sheet.assumptions.as_str())];
    for (i, caveat) in sheet.caveats.iter().enumerate() {
        print.push((if i == 0 { "Caveats" } else { "" }, caveat));
    }
    page.small_print(&print);
    page.finish()
}

/// Columns of one length, or an error that names the odd one.
fn check(sheet: &TearSheet) -> Result<()> {
    let bars = sheet.time.len();
    equity::check("tear sheet", bars, &sheet.equity)?;
    equity::check("tear sheet", bars, &sheet.drawdown)?;
    allocation::check(bars, &sheet.allocation)?;
    let length = sheet.rolling_sharpe.len();
    if length > 0 && length != bars {
        return Err(Error::msg(format!(
            "the tear sheet has {bars} bars but `rolling Sharpe` has {length} values"
        )));
    }
    Ok(())
}

fn equity(page: &mut Page, sheet: &TearSheet, clock: &Clock) -> Result<()> {
    let heading = equity::Heading {
        title: "Equity",
        unit: &sheet.unit,
        room: 0.0,
    };
    equity::draw(page, &heading, &sheet.equity, clock, |_| ())?;
    if let Some(note) = &sheet.equity_note {
        page.y += 3.0;
        page.note(note);
    }
    Ok(())
}

fn drawdown(page: &mut Page, sheet: &TearSheet, clock: &Clock) -> Result<()> {
    let Some((low, _)) = extent(sheet.drawdown.iter().map(|s| &s.value[..])) else {
        return Ok(());
    };
    let other = sheet.drawdown.get(1);
    let hint = match other {
        Some(series) => format!("from the running peak; grey: {}", series.name),
        None => "from the running peak".to_string(),
    };
    page.section("Drawdown", &hint);
    let height = 112.0;
    let frame = page.plot(height);
    // Room for the name of the deepest point under it.
    let own = sheet.drawdown.first().map(|s| &s.value[..]);
    let own = extent(own).map_or(0.0, |e| e.0);
    let low = (low * 1.06).min(own * 1.2);
    let low = if low < 0.0 { low } else { -0.01 };
    let axis = ValueAxis::exact((low, 0.0), height, Words::Percent);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    panel.time_labels(clock);
    if let Some(series) = other {
        panel.line(&panel.trace(&series.value, clock), TEXT_SOFT, 0.9)?;
    }
    if let Some(series) = sheet.drawdown.first() {
        let lines = panel.trace(&series.value, clock);
        panel.fill(&lines, 0.0, RED, 0.16)?;
        panel.line(&lines, RED, 1.1)?;
        deepest(page, &panel, series, clock)?;
    }
    Ok(())
}

/// Names the lowest point, where there is room.
fn deepest(page: &Page, panel: &Panel, series: &Series, clock: &Clock) -> Result<()> {
    let lowest = series.value.iter().enumerate().filter(|v| *v.1 < 0.0);
    let Some((i, &value)) = lowest.min_by(|a, b| a.1.total_cmp(b.1)) else {
        return Ok(());
    };
    let place = clock.place(i);
    panel.dot(place, value, 3.0, RED)?;
    let (x, y) = panel.at(place, value);
    let style = Type {
        size: 10.5,
        bold: true,
        color: RED,
    };
    let text = format!("{}  {}", percent(value, 1), clock.name(i));
    let width = page.canvas.width(&text, style);
    // Under the deepest point there is no other point of this line; beside it only where the
    // panel ends.
    if y + 18.0 < panel.frame.bottom() {
        let half = width / 2.0;
        let middle = x.clamp(panel.frame.left + half, panel.frame.right() - half);
        let at = (middle, y + 15.0);
        page.canvas.text_over_lines(&text, at, Align::Center, style);
    } else if x + 12.0 + width < panel.frame.right() {
        let at = (x + 8.0, y + 3.7);
        page.canvas.text_over_lines(&text, at, Align::Left, style);
    } else {
        let at = (x - 8.0, y + 3.7);
        page.canvas.text_over_lines(&text, at, Align::Right, style);
    }
    Ok(())
}

fn rolling_sharpe(page: &mut Page, sheet: &TearSheet, clock: &Clock) -> Result<()> {
    let window = sheet.rolling_window.trim();
    let Some((low, high)) = extent([&sheet.rolling_sharpe[..]]) else {
        if !window.is_empty() {
            page.section("Rolling Sharpe", &format!("no {window} window in this run"));
        }
        return Ok(());
    };
    page.section(
        "Rolling Sharpe",
        &format!("{window} window").replace("  ", " "),
    );
    let height = 92.0;
    let frame = page.plot(height);
    let axis = ValueAxis::new((low.min(0.0), high.max(0.0)), false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    panel.level(0.0, TEXT_SOFT, false);
    panel.time_labels(clock);
    panel.line(&panel.trace(&sheet.rolling_sharpe, clock), BLUE, 1.1)?;
    if let Some((i, value)) = last_value(&sheet.rolling_sharpe) {
        panel.dot(clock.place(i), value, 2.6, BLUE)?;
        let y = panel.at(clock.place(i), value).1;
        let label = EndLabel {
            y,
            name: "At the end".to_string(),
            value: if value.abs() < 1000.0 {
                grouped(value, 2)
            } else {
                amount(value)
            },
            color: BLUE,
        };
        panel.end_labels(vec![label], END_ROOM);
    }
    Ok(())
}
