//! `options.png`: the price of each underlying with every option that was written or bought on it, a
//! segment at its strike from the day it was opened to its end, coloured by what became of it; what a
//! share of the holding cost, premiums taken off; and what the structure pays at expiration.

use crate::error::{Error, Result};
use crate::report::chart::Picture;
use crate::report::chart::axis::{Clock, ValueAxis};
use crate::report::chart::backend::Align;
use crate::report::chart::line::{Point, extent, last_value};
use crate::report::chart::number::{Words, amount};
use crate::report::chart::page::{
    AXIS, BLUE, END_ROOM, INK, MARGIN, NOTE, PALETTE, PLOT_LEFT, PLOT_WIDTH, Page, RED, TEAL, TEXT,
    TEXT_SOFT,
};
use crate::report::chart::panel::{EndLabel, Panel};
use crate::units::Micros;
use plotters::prelude::RGBColor;
use std::borrow::Cow;

/// Most underlyings on one picture.
const PANELS_MAX: usize = 6;
/// Colour of the price.
const PRICE: RGBColor = RGBColor(0x4B, 0x55, 0x63);
/// Colour of what the shares cost.
const BASIS: RGBColor = RGBColor(0x7C, 0x3A, 0xED);
/// Colour of options that were bought.
const BOUGHT: RGBColor = RGBColor(0x9C, 0xA3, 0xAF);

/// What became of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptionFate {
    /// It ended worthless: a writer kept all of it.
    Expired,
    /// It was traded back.
    Closed,
    /// It was traded back for another in one order.
    Rolled,
    /// Shares or their value changed hands at the strike.
    Assigned,
    /// It is still there.
    Open,
}

impl OptionFate {
    const ALL: [OptionFate; 5] = [
        OptionFate::Expired,
        OptionFate::Closed,
        OptionFate::Rolled,
        OptionFate::Assigned,
        OptionFate::Open,
    ];

    fn color(self) -> RGBColor {
        match self {
            OptionFate::Expired => TEAL,
            OptionFate::Closed => BLUE,
            OptionFate::Rolled => PALETTE[1],
            OptionFate::Assigned => RED,
            OptionFate::Open => INK,
        }
    }

    fn words(self) -> &'static str {
        match self {
            OptionFate::Expired => "expired worthless",
            OptionFate::Closed => "bought back",
            OptionFate::Rolled => "rolled",
            OptionFate::Assigned => "assigned, called or settled",
            OptionFate::Open => "open",
        }
    }
}

/// One option from the day it was opened to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionSegment {
    /// When it was written or bought.
    pub from: Micros,
    /// When it ended; the last bar while it is open.
    pub to: Micros,
    /// Strike, on the scale of the panel's `price`.
    pub strike: f64,
    /// A call.
    pub call: bool,
    /// It was bought, not written.
    pub bought: bool,
    /// What became of it.
    pub fate: OptionFate,
}

/// One underlying with its options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionsPanel {
    /// The underlying.
    pub symbol: String,
    /// Moments of the bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Closes, scaled so that splits leave no jump.
    pub price: Vec<f64>,
    /// Draw the price on a log scale (used only where all prices and strikes are positive).
    pub log: bool,
    /// Options, in any order.
    pub segments: Vec<OptionSegment>,
    /// What a share held cost less the premiums since, on the scale of `price`; NaN without shares,
    /// empty where it means nothing.
    pub basis: Vec<f64>,
}

/// What a structure pays at expiration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PayoffChart {
    /// Which one, and its figures, in one line.
    pub words: String,
    /// Prices of the underlying at expiration, rising.
    pub price: Vec<f64>,
    /// Profit at each of them, money.
    pub profit: Vec<f64>,
    /// Profit of the shares alone; empty without shares.
    pub shares_alone: Vec<f64>,
    /// Price of the underlying when it was entered.
    pub spot: f64,
    /// Prices at which nothing is gained or lost.
    pub break_even: Vec<f64>,
    /// Unit of money.
    pub unit: String,
}

/// What `options.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionsChart {
    /// Name of the strategy.
    pub title: String,
    /// Period, in one line.
    pub subtitle: String,
    /// Underlyings; the six with the most options are drawn and the rest counted.
    pub panels: Vec<OptionsPanel>,
    /// The structure at its first entry.
    pub payoff: Option<PayoffChart>,
    /// Small print.
    pub notes: Vec<String>,
}

impl OptionsChart {
    /// Draws the options, with the boxes of the labels.
    ///
    /// # Errors
    /// When the columns of a panel have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        self.check()?;
        let mut page = Page::new(&self.title, &self.subtitle)?;
        page.divider();
        let mut order: Vec<&OptionsPanel> = self.panels.iter().collect();
        order.sort_by(|a, b| {
            let most = b.segments.len().cmp(&a.segments.len());
            most.then_with(|| a.symbol.cmp(&b.symbol))
        });
        let left_out = order.len().saturating_sub(PANELS_MAX);
        order.truncate(PANELS_MAX);
        legend(&mut page, &order);
        if order.is_empty() {
            page.section("Options", "none was written");
        }
        for shown in &order {
            underlying(&mut page, shown, order.len() > 2)?;
        }
        if left_out > 0 {
            page.y += 12.0;
            page.note(&format!(
                "The {PANELS_MAX} underlyings with the most options; {left_out} more not shown."
            ));
        }
        if let Some(payoff) = &self.payoff {
            at_expiration(&mut page, payoff)?;
        }
        page.notes(&self.notes);
        page.finish()
    }

    fn check(&self) -> Result<()> {
        for panel in &self.panels {
            let bars = panel.time.len();
            for (name, length) in [("price", panel.price.len()), ("basis", panel.basis.len())] {
                if length != bars && !(name == "basis" && length == 0) {
                    return Err(Error::msg(format!(
                        "the chart of {} has {bars} bars but `{name}` has {length} values",
                        panel.symbol
                    )));
                }
            }
        }
        let payoff = self.payoff.iter();
        for payoff in payoff {
            let alone = payoff.shares_alone.len();
            let columns = [payoff.profit.len(), alone];
            if columns[0] != payoff.price.len() || (alone != 0 && alone != payoff.price.len()) {
                return Err(Error::msg(format!(
                    "the payoff has {} prices but {} profits and {alone} of the shares alone",
                    payoff.price.len(),
                    columns[0]
                )));
            }
        }
        Ok(())
    }
}

/// What the colours mean, with how many of each there are, in as many lines as it takes.
fn legend(page: &mut Page, panels: &[&OptionsPanel]) {
    let segments = || panels.iter().flat_map(|panel| &panel.segments);
    let mut entries: Vec<(String, RGBColor, f64)> = Vec::new();
    for fate in OptionFate::ALL {
        let count = segments().filter(|s| !s.bought && s.fate == fate).count();
        if count > 0 {
            entries.push((format!("{} {count}", fate.words()), fate.color(), 2.0));
        }
    }
    let bought = segments().filter(|s| s.bought).count();
    if bought > 0 {
        entries.push((format!("bought {bought}"), BOUGHT, 2.0));
    }
    if panels.iter().any(|p| p.basis.iter().any(|v| v.is_finite())) {
        entries.push(("cost of a share less premiums".to_owned(), BASIS, 1.2));
    }
    if entries.is_empty() {
        return;
    }
    let (mut x, mut y) = (MARGIN, page.y + 20.0);
    for (words, color, width) in entries {
        let room = page.canvas.width(&words, NOTE) + 40.0;
        if x + room > PLOT_LEFT + PLOT_WIDTH + END_ROOM && x > MARGIN {
            x = MARGIN;
            y += 15.0;
        }
        let middle = y - 3.6;
        let ends = ((x, middle), (x + 16.0, middle));
        page.canvas.rule(ends.0, ends.1, width, color);
        page.canvas.text(&words, (x + 22.0, y), Align::Left, NOTE);
        x += room;
    }
    page.y = y + 2.0;
}

/// One underlying: its price, the options over it, and what its shares cost.
fn underlying(page: &mut Page, shown: &OptionsPanel, small: bool) -> Result<()> {
    let calls = shown.segments.iter().filter(|s| s.call).count();
    let puts = shown.segments.len() - calls;
    let counted = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let mut hint = match (calls, puts) {
        (0, 0) => "no options".to_owned(),
        (calls, 0) => counted(calls, "call"),
        (0, puts) => counted(puts, "put"),
        (calls, puts) => format!("{}, {}", counted(calls, "call"), counted(puts, "put")),
    };
    let strikes: Vec<f64> = shown.segments.iter().map(|s| s.strike).collect();
    let Some(range) = extent([&shown.price[..], &shown.basis[..], &strikes[..]]) else {
        page.section(&shown.symbol, "no bars");
        return Ok(());
    };
    let log = shown.log && range.0 > 0.0;
    if !shown.segments.is_empty() {
        hint.push_str(", each at its strike from its opening to its end");
    }
    if log {
        hint.push_str("; log scale");
    }
    page.section(&shown.symbol, &hint);
    let clock = Clock::new(Cow::Borrowed(&shown.time[..]));
    let height = match (small, shown.segments.len()) {
        (true, _) => 180.0,
        (false, ..=120) => 290.0,
        (false, _) => 400.0,
    };
    let frame = page.plot(height);
    let axis = ValueAxis::new(range, log, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, clock.range(), axis);
    panel.grid()?;
    // Thin where its wiggles would hide what lies on it.
    let width = if shown.segments.len() > 120 { 0.6 } else { 1.0 };
    panel.line(&panel.trace(&shown.price, &clock), PRICE, width)?;
    segments(&panel, &shown.segments, &clock)?;
    let mut ends = Vec::new();
    ends.extend(end_label(
        &panel,
        &clock,
        (&shown.symbol, &shown.price),
        PRICE,
    ));
    if !shown.basis.is_empty() {
        panel.line(&panel.placed(steps(&shown.basis, &clock)), BASIS, 1.2)?;
    }
    if shown.basis.last().is_some_and(|v| v.is_finite()) {
        ends.extend(end_label(&panel, &clock, ("Cost", &shown.basis), BASIS));
    }
    panel.end_labels(ends, END_ROOM);
    panel.time_labels(&clock);
    Ok(())
}

/// Those bought first and those assigned last, so that what mattered most is on top.
fn segments(panel: &Panel, segments: &[OptionSegment], clock: &Clock) -> Result<()> {
    let width = match segments.len() {
        0..=80 => 2.2,
        81..=250 => 1.6,
        _ => 1.1,
    };
    let rank = |s: &OptionSegment| match (s.bought, s.fate) {
        (true, _) => 0,
        (_, OptionFate::Assigned) => 3,
        (_, OptionFate::Open) => 2,
        _ => 1,
    };
    let mut order: Vec<&OptionSegment> = segments.iter().collect();
    order.sort_by_key(|s| (rank(s), s.from));
    for one in order.into_iter().filter(|s| s.strike.is_finite()) {
        let places = (clock.place_of(one.from), clock.place_of(one.to));
        let color = match one.bought {
            true => BOUGHT,
            false => one.fate.color(),
        };
        panel.stroke(places, one.strike, color, width)?;
    }
    Ok(())
}

/// A column as level steps: it keeps its value until it changes.
fn steps(column: &[f64], clock: &Clock) -> Vec<Vec<Point>> {
    let mut all: Vec<Vec<Point>> = Vec::new();
    let mut line: Vec<Point> = Vec::new();
    for (i, &value) in column.iter().enumerate() {
        let place = clock.place(i);
        if !value.is_finite() {
            if let Some(last) = line.last().copied() {
                line.push((place, last.1));
                all.push(std::mem::take(&mut line));
            }
            continue;
        }
        match line.last().copied() {
            Some((_, before)) if before == value => {}
            Some((_, before)) => line.extend([(place, before), (place, value)]),
            None => line.push((place, value)),
        }
    }
    if let Some(last) = line.last().copied() {
        line.push((clock.place(column.len().saturating_sub(1)), last.1));
        all.push(line);
    }
    all
}

fn end_label(
    panel: &Panel,
    clock: &Clock,
    (name, column): (&str, &[f64]),
    color: RGBColor,
) -> Option<EndLabel> {
    let (i, value) = last_value(column)?;
    Some(EndLabel {
        y: panel.at(clock.place(i), value).1,
        name: name.to_owned(),
        value: amount(value),
        color,
    })
}

/// Profit over the price at expiration.
fn at_expiration(page: &mut Page, payoff: &PayoffChart) -> Result<()> {
    let Some(prices) = extent([&payoff.price[..]]) else {
        return Ok(());
    };
    let hint = format!("{} against the price", payoff.unit);
    page.section("Profit at expiration", hint.trim());
    let height = 170.0;
    let frame = page.plot(height);
    let columns = [&payoff.profit[..], &payoff.shares_alone[..], &[0.0]];
    let range = extent(columns).unwrap_or((0.0, 1.0));
    let across = ValueAxis::exact(prices, frame.width, Words::Plain);
    let axis = ValueAxis::new(range, false, height, Words::Plain);
    let panel = Panel::new(&page.canvas, frame, across.range, axis);
    panel.grid()?;
    let column = |value: &[f64]| -> Vec<Vec<Point>> {
        let points = payoff.price.iter().copied().zip(value.iter().copied());
        let points = points.filter(|p| p.0.is_finite() && p.1.is_finite());
        panel.placed(vec![points.collect()])
    };
    let profit = column(&payoff.profit);
    let part =
        |keep: fn(f64) -> f64| -> Vec<f64> { payoff.profit.iter().map(|v| keep(*v)).collect() };
    panel.fill(&column(&part(|v| v.max(0.0))), 0.0, TEAL, 0.16)?;
    panel.fill(&column(&part(|v| v.min(0.0))), 0.0, RED, 0.14)?;
    panel.level(0.0, TEXT_SOFT, false);
    let mut ends = Vec::new();
    let mut named = |name: &str, value: &[f64], color| {
        if let (Some(place), Some((_, value))) = (payoff.price.last(), last_value(value)) {
            let y = panel.at(*place, value).1;
            let (name, value) = (name.to_owned(), amount(value));
            ends.push(EndLabel {
                y,
                name,
                value,
                color,
            });
        }
    };
    if !payoff.shares_alone.is_empty() {
        panel.line(&column(&payoff.shares_alone), TEXT_SOFT, 1.0)?;
        named("Shares alone", &payoff.shares_alone, TEXT);
    }
    panel.line(&profit, BLUE, 1.6)?;
    named("Profit", &payoff.profit, BLUE);
    for price in &payoff.break_even {
        panel.dot(*price, 0.0, 3.0, INK)?;
    }
    if payoff.spot.is_finite() {
        let x = panel.at(payoff.spot, 0.0).0;
        upright(page, x, (frame.top, frame.bottom()));
    }
    panel.end_labels(ends, END_ROOM);
    price_labels(page, &panel, &across);
    let key = "dots: break-even; dashed: price at the entry";
    page.note(&format!("{}; {key}", payoff.words.trim_end_matches('.')));
    Ok(())
}

/// A dashed line from top to bottom.
fn upright(page: &Page, x: f64, (top, bottom): (f64, f64)) {
    let mut y = top;
    while y < bottom {
        let end = (y + 4.0).min(bottom);
        page.canvas.rule((x, y), (x, end), 0.75, TEXT);
        y += 7.0;
    }
}

/// Prices under the panel, as many as fit.
fn price_labels(page: &Page, panel: &Panel, across: &ValueAxis) {
    let (left, bottom) = (panel.frame.left, panel.frame.bottom());
    let canvas = &page.canvas;
    canvas.rule(
        (left, bottom),
        (panel.frame.right(), bottom),
        0.5,
        TEXT_SOFT,
    );
    let mut free = f64::NEG_INFINITY;
    for (value, label) in &across.ticks {
        let x =
            left + (value - across.range.0) / (across.range.1 - across.range.0) * panel.frame.width;
        let half = canvas.width(label, AXIS) / 2.0;
        if x - half < free || x + half > panel.frame.right() + END_ROOM {
            continue;
        }
        canvas.rule((x, bottom), (x, bottom + 3.5), 0.5, TEXT_SOFT);
        canvas.text(label, (x, bottom + 15.0), Align::Center, AXIS);
        free = x + half + 14.0;
    }
}
