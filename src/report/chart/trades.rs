//! `trades.png`: each symbol's price with what was bought and sold on it, and the strategy's own
//! series under it.

use crate::error::{Error, Result};
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::backend::Align;
use crate::report::chart::line::{extent, last_value};
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{
    BLUE, END_ROOM, INK, MARGIN, NOTE, PALETTE, Page, RED, TEAL, TEXT,
};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::report::chart::{NamedLine, Picture, SubPanel, SymbolPanel, TradeMark, TradesChart};
use crate::units::Micros;
use plotters::prelude::RGBColor;
use std::borrow::Cow;

/// Most symbols on one picture.
const SYMBOLS_MAX: usize = 6;
/// Most panels under a price.
const BELOW_MAX: usize = 4;
/// Most lines of one panel.
const LINES_MAX: usize = 6;
/// Colour of the price.
const PRICE: RGBColor = RGBColor(0x4B, 0x55, 0x63);
/// Colour of a stop that rests.
const STOP: RGBColor = RGBColor(0xE0, 0x7A, 0x7A);

/// Draws the picture.
pub(super) fn draw(chart: &TradesChart) -> Result<Picture> {
    for panel in &chart.panels {
        check(panel)?;
    }
    let mut page = Page::new(&chart.title, &chart.subtitle)?;
    page.divider();
    legend(&mut page, chart);
    let mut order: Vec<&SymbolPanel> = chart.panels.iter().collect();
    order.sort_by(|a, b| {
        let trades = b.trades.len().cmp(&a.trades.len());
        trades.then_with(|| a.symbol.cmp(&b.symbol))
    });
    let left_out = order.len().saturating_sub(SYMBOLS_MAX);
    order.truncate(SYMBOLS_MAX);
    if order.is_empty() {
        page.section("Trades", "no symbols");
    }
    for panel in &order {
        symbol(&mut page, panel, order.len() > 2)?;
    }
    if left_out > 0 {
        page.y += 12.0;
        page.note(&format!(
            "The {SYMBOLS_MAX} symbols with the most trades; {left_out} more not shown."
        ));
    }
    page.notes(&chart.notes);
    page.finish()
}

fn check(panel: &SymbolPanel) -> Result<()> {
    let bars = panel.time.len();
    let below = panel.below.iter().flat_map(|b| &b.lines);
    let named = panel.overlays.iter().chain(below);
    let named = named.map(|l| (l.name.as_str(), l.value.len()));
    for (name, length) in named.chain([("price", panel.price.len())]) {
        if length != bars {
            return Err(Error::msg(format!(
                "the chart of {} has {bars} bars but `{name}` has {length} values",
                panel.symbol
            )));
        }
    }
    Ok(())
}

/// What the marks mean, under the heading.
fn legend(page: &mut Page, chart: &TradesChart) {
    if chart.panels.iter().all(|p| p.trades.is_empty()) {
        return;
    }
    let canvas = page.canvas.clone();
    let y = page.y + 20.0;
    let middle = y - 3.6;
    let mut x = MARGIN + 5.0;
    let mut say = |text: &str| {
        let mark = x;
        canvas.text(text, (mark + 10.0, y), Align::Left, NOTE);
        x += canvas.width(text, NOTE) + 30.0;
        mark
    };
    let mut trades = chart.panels.iter().flat_map(|p| &p.trades);
    let shorts = trades.any(|t| t.short);
    let entry = say(if shorts { "long entry" } else { "entry" });
    canvas.triangle((entry, middle - 4.0), 4.5, true, BLUE);
    if shorts {
        let entry = say("short entry");
        canvas.triangle((entry, middle + 4.0), 4.5, false, BLUE);
    }
    let gain = say("exit with a gain");
    canvas.triangle((gain, middle + 4.0), 4.5, false, TEAL);
    let loss = say("exit with a loss");
    canvas.triangle((loss, middle + 4.0), 4.5, false, RED);
    if chart.panels.iter().any(|p| !p.stops.is_empty()) {
        let stop = say("stop");
        canvas.rule((stop - 5.0, middle), (stop + 5.0, middle), 1.0, STOP);
    }
    page.y += 22.0;
}

/// One symbol: its price and the panels under it.
fn symbol(page: &mut Page, shown: &SymbolPanel, small: bool) -> Result<()> {
    let won = shown.trades.iter().filter(|t| t.exit.is_some() && t.won);
    let open = shown.trades.iter().filter(|t| t.exit.is_none()).count();
    let mut hint = match shown.trades.len() {
        0 => "no trades".to_string(),
        1 => "1 trade".to_string(),
        n => format!("{n} trades, {} with a gain", won.count()),
    };
    if open > 0 {
        hint.push_str(&format!(", {open} open"));
    }
    let columns = shown.overlays.iter().map(|l| &l.value[..]);
    let columns = columns.chain([&shown.price[..]]);
    let prices: Vec<f64> = shown
        .trades
        .iter()
        .flat_map(|t| [Some(t.entry_price), t.exit.map(|e| e.1)])
        .flatten()
        .chain(shown.stops.iter().map(|s| s.price))
        .collect();
    let Some(range) = extent(columns.chain([&prices[..]])) else {
        page.section(&shown.symbol, "no bars");
        return Ok(());
    };
    let log = shown.log && range.0 > 0.0;
    if log {
        hint.push_str("; log scale");
    }
    page.section(&shown.symbol, &hint);
    let clock = Clock::new(Cow::Borrowed(&shown.time[..]));
    let height = if small { 170.0 } else { 250.0 };
    let frame = page.plot(height);
    let axis = ValueAxis::new(range, log, height, Words::Plain);
    let mut panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    price(&panel, shown, &clock)?;
    for below in shown.below.iter().take(BELOW_MAX) {
        page.y -= 4.0;
        panel = beneath(page, below, &clock)?;
    }
    panel.time_labels(&clock);
    Ok(())
}

fn price(panel: &Panel, shown: &SymbolPanel, clock: &Clock) -> Result<()> {
    let mut ends = Vec::new();
    for (i, overlay) in shown.overlays.iter().take(LINES_MAX).enumerate() {
        let color = PALETTE[1 + i % (PALETTE.len() - 1)];
        panel.line(&panel.trace(&overlay.value, clock), color, 1.0)?;
        ends.extend(end_label(panel, overlay, clock, color));
    }
    panel.line(&panel.trace(&shown.price, clock), PRICE, 1.0)?;
    if let Some((i, value)) = last_value(&shown.price) {
        ends.push(EndLabel {
            y: panel.at(clock.place(i), value).1,
            name: shown.symbol.clone(),
            value: amount(value),
            color: PRICE,
        });
    }
    for stop in &shown.stops {
        let (from, to) = (clock.place_of(stop.from), clock.place_of(stop.to));
        panel.dash((from, to), stop.price, STOP)?;
    }
    marks(panel, &shown.trades, clock)?;
    panel.end_labels(ends, END_ROOM);
    Ok(())
}

/// Entries and exits; thin where they are many.
fn marks(panel: &Panel, trades: &[TradeMark], clock: &Clock) -> Result<()> {
    let size = match trades.len() {
        0..=30 => 5.0,
        31..=80 => 4.0,
        81..=200 => 3.2,
        _ => 2.4,
    };
    let outcome = |t: &TradeMark| if t.won { TEAL } else { RED };
    if trades.len() <= 150 {
        for trade in trades {
            if let Some((exit, price)) = trade.exit {
                let ends = vec![
                    (clock.place_of(trade.entry), trade.entry_price),
                    (clock.place_of(exit), price),
                ];
                panel.thread(ends, outcome(trade))?;
            }
        }
    }
    let mut exits: Vec<(Micros, f64, bool)> = Vec::with_capacity(trades.len());
    for trade in trades {
        if let Some((exit, price)) = trade.exit {
            let at = (clock.place_of(exit), price);
            panel.mark(at, size, trade.short, outcome(trade));
            exits.push((exit, price, trade.short));
        }
    }
    exits.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for trade in trades {
        // From long to short in one fill: the entry stands inside the exit that it would hide.
        let same_moment = exits.partition_point(|exit| exit.0 < trade.entry);
        let mut same_moment = exits[same_moment..]
            .iter()
            .take_while(|e| e.0 == trade.entry);
        let close_by = |price: f64| (price / trade.entry_price - 1.0).abs() < 0.003;
        let turns = same_moment.any(|exit| close_by(exit.1) && exit.2 != trade.short);
        let at = (clock.place_of(trade.entry), trade.entry_price);
        let size = if turns { size * 0.5 } else { size };
        panel.mark(at, size, !trade.short, BLUE);
    }
    Ok(())
}

/// A panel for series that are not prices; its thresholds are its grid.
fn beneath(page: &mut Page, below: &SubPanel, clock: &Clock) -> Result<Panel> {
    let height = 62.0;
    let frame = page.plot(height);
    let lines = &below.lines[..below.lines.len().min(LINES_MAX)];
    let columns = lines.iter().map(|l| &l.value[..]);
    let range = extent(columns.chain([&below.levels[..]])).unwrap_or((0.0, 1.0));
    let mut axis = ValueAxis::new(range, false, height, Words::Plain);
    if !below.levels.is_empty() {
        axis.name_only(&below.levels, height);
    }
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    // Bars that stand closer than the pen is wide would run into one surface.
    let crowded = lines
        .iter()
        .any(|line| line.value.len() as f64 > 2.0 * frame.width);
    let width = if crowded { 0.5 } else { 1.0 };
    let mut ends = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let color = match i.checked_sub(1) {
            None => TEXT,
            Some(other) => PALETTE[1 + other % (PALETTE.len() - 1)],
        };
        panel.line(&panel.trace(&line.value, clock), color, width)?;
        ends.extend(end_label(&panel, line, clock, color));
    }
    // Over the lines: a restless one would hide them.
    for level in below.levels.iter().filter(|v| v.is_finite()) {
        panel.level(*level, INK, true);
    }
    panel.end_labels(ends, END_ROOM);
    Ok(panel)
}

fn end_label(panel: &Panel, line: &NamedLine, clock: &Clock, color: RGBColor) -> Option<EndLabel> {
    let (i, value) = last_value(&line.value)?;
    Some(EndLabel {
        y: panel.at(clock.place(i), value).1,
        name: line.name.clone(),
        value: amount(value),
        color,
    })
}
