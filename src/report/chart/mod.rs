//! CHARTS: a run's record as PNG pictures, drawn with plotters on a rasteriser of our own choice.
//!
//! Each picture is one struct of plain columns and words that the caller prepared (nothing is
//! computed here but where ink goes) and one function that turns it into the bytes of a PNG. The
//! same struct gives the same bytes. Pictures are 800 points wide at two pixels a point (1,600
//! pixels, 144 dpi) and as tall as their content.
//!
//! Times are [`Micros`], money is in the account's currency, returns and drawdowns are fractions
//! (drawdowns negative); NaN means "no value here" in every column and leaves a gap in a line.
//! Files, folders and which pictures a run gets are left to the rest of `report`.

mod allocation;
mod axis;
mod backend;
mod compare;
mod equity;
mod heat;
mod heatmap;
mod income;
mod line;
mod number;
mod options;
mod page;
mod panel;
mod paper;
mod parallel;
mod premium;
mod ramp;
mod ranked;
mod stress;
mod table;
mod tearsheet;
mod text;
mod trades;
mod trials;
mod walk_forward;

use crate::error::Result;
use crate::units::Micros;

pub use crate::report::chart::allocation::{Area, Part};
pub use crate::report::chart::heatmap::{HeatMapChart, HeatPanel, heatmap};
pub use crate::report::chart::options::{
    OptionFate, OptionSegment, OptionsChart, OptionsPanel, PayoffChart,
};
pub use crate::report::chart::paper::{ConeBand, PaperChart, paper};
pub use crate::report::chart::parallel::{ParallelChart, ParallelTrial, parallel};
pub use crate::report::chart::premium::PremiumChart;
pub use crate::report::chart::ranked::{RankedChart, RankedTrial, ranked};
pub use crate::report::chart::stress::{StressBox, StressRow};
pub use crate::report::chart::text::digits_are_tabular;
pub use crate::report::chart::trials::{Objective, Varied};
pub use crate::report::chart::walk_forward::{Chosen, Fold, WalkForwardChart, walk_forward};

/// A piece of text in a picture and the box that it fills, in points from the top left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The text as drawn, after any shortening.
    pub text: String,
    /// Left edge.
    pub left: f64,
    /// Top of the capitals.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom of the descenders.
    pub bottom: f64,
}

/// A finished picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The bytes of the PNG file: RGB, 144 dpi.
    pub png: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Every text of the picture in the order of drawing.
    pub labels: Vec<Label>,
}

/// Whose curve a line is; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The strategy: blue, on top.
    Strategy,
    /// One of several trials: a colour each.
    Trial,
    /// Chosen with hindsight, beside what was not: orange.
    InSample,
    /// A benchmark: grey.
    Benchmark,
    /// Savings: sand.
    Cash,
    /// What was put in and not taken out: green, thin.
    PutIn,
}

impl Role {
    /// The role of a run's benchmark by its name.
    pub fn of_benchmark(name: &str) -> Role {
        match name {
            "cash" => Role::Cash,
            _ => Role::Benchmark,
        }
    }
}

/// A named column over the picture's `time`.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name at the end of the line.
    pub name: String,
    /// Whose curve it is.
    pub role: Role,
    /// One value an element of `time`.
    pub value: Vec<f64>,
}

/// One headline figure, ready as words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What it is: `CAGR`.
    pub label: String,
    /// The figure: `14.1%`.
    pub value: String,
    /// What it is to be read against: `vs 6.0% benchmark`.
    pub note: String,
}

/// The return of one calendar month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthReturn {
    /// Calendar year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Return as a fraction.
    pub value: f64,
}

/// A named amount of money.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount {
    /// Stream or symbol.
    pub name: String,
    /// Money, negative when it was paid.
    pub value: f64,
}

/// What `tearsheet.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TearSheet {
    /// Name of the strategy.
    pub title: String,
    /// Period, data and starting cash in one line.
    pub subtitle: String,
    /// Headline figures, best six to eight, at most twelve.
    pub figures: Vec<Figure>,
    /// Moments of the bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Equity of the strategy (first), its benchmarks and cash, over `time`.
    pub equity: Vec<Series>,
    /// Unit of money as it is to be shown beside the heading, for example `$`.
    pub unit: String,
    /// A line under the equity chart, for example the ambiguity band.
    pub equity_note: Option<String>,
    /// Drawdown of the strategy (first) and at most one benchmark, fractions <= 0, over `time`.
    pub drawdown: Vec<Series>,
    /// What the account consisted of, the lowest area first; empty for none.
    pub allocation: Vec<Area>,
    /// Returns of calendar months, any order.
    pub months: Vec<MonthReturn>,
    /// Returns of calendar years.
    pub years: Vec<(i32, f64)>,
    /// Sharpe ratio over a trailing window, over `time`; NaN before the first window.
    pub rolling_sharpe: Vec<f64>,
    /// The window in words: `one year`.
    pub rolling_window: String,
    /// Where the money came from; its sum is `income_total`.
    pub income: Vec<Amount>,
    /// Change of equity over the run, flows excluded or included as `income` has them.
    pub income_total: f64,
    /// The strategy under each assumption that flatters it.
    pub stress: Option<StressBox>,
    /// The strategy with its model and with what is simpler, as a box of the same kind.
    pub learning: Option<StressBox>,
    /// How much of it may be luck: one sentence.
    pub overfitting: Option<String>,
    /// The conventions of the run in one paragraph.
    pub assumptions: String,
    /// What to beware of, a sentence each.
    pub caveats: Vec<String>,
}

/// One round trip, or an open position without an exit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradeMark {
    /// Moment of the entry.
    pub entry: Micros,
    /// Price of the entry, on the scale of the panel's `price`.
    pub entry_price: f64,
    /// Moment and price of the exit; `None` while open.
    pub exit: Option<(Micros, f64)>,
    /// The trade gained money.
    pub won: bool,
    /// Sold first.
    pub short: bool,
}

/// A stop that rested at one price for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StopLevel {
    /// First moment that it was live.
    pub from: Micros,
    /// Last moment that it was live.
    pub to: Micros,
    /// Price, on the scale of the panel's `price`.
    pub price: f64,
}

/// A named line of a price panel or of a panel under it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedLine {
    /// Name at the end of the line.
    pub name: String,
    /// One value an element of the panel's `time`.
    pub value: Vec<f64>,
}

/// A panel under the price for series that are not prices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SubPanel {
    /// Lines that share a scale.
    pub lines: Vec<NamedLine>,
    /// Thresholds drawn across, for example 30 and 70.
    pub levels: Vec<f64>,
}

/// One symbol's price with what was done on it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SymbolPanel {
    /// The symbol.
    pub symbol: String,
    /// Moments of the bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Closes, scaled so that splits leave no jump.
    pub price: Vec<f64>,
    /// Draw the price on a log scale (used only where all prices are positive).
    pub log: bool,
    /// Price-like series of the strategy.
    pub overlays: Vec<NamedLine>,
    /// Other series of the strategy, at most four panels are drawn.
    pub below: Vec<SubPanel>,
    /// Trades.
    pub trades: Vec<TradeMark>,
    /// Stop levels.
    pub stops: Vec<StopLevel>,
}

/// What `trades.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TradesChart {
    /// Name of the strategy.
    pub title: String,
    /// Period and what is shown, in one line.
    pub subtitle: String,
    /// Symbols; the six with the most trades are drawn and the rest counted.
    pub panels: Vec<SymbolPanel>,
    /// Small print.
    pub notes: Vec<String>,
}

/// One stream of income over the periods of an [`IncomeChart`].
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// `price gain`, `dividends`, `fees`, …
    pub name: String,
    /// Money a period, negative when it was paid.
    pub amounts: Vec<f64>,
}

/// What `income.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncomeChart {
    /// Name of the strategy.
    pub title: String,
    /// Period, in one line.
    pub subtitle: String,
    /// Unit of money, for example `$`.
    pub unit: String,
    /// Length of a period in words: `year`, `month`.
    pub period: String,
    /// Labels of the periods in order of time: `2014` or `Mar 2014`.
    pub periods: Vec<String>,
    /// Streams, one amount a period each.
    pub streams: Vec<Stream>,
    /// Sum of all streams up to and including each period.
    pub cumulative: Vec<f64>,
    /// Total of each stream and of all of them.
    pub totals: Vec<Amount>,
    /// Change of equity: the sum of `totals`.
    pub total: f64,
    /// Total of each layer in file order; empty without layers.
    pub layers: Vec<Amount>,
    /// Total of each symbol, any order; the twelve largest are drawn and the rest counted.
    pub symbols: Vec<Amount>,
    /// Option premium by month and what it cost; `None` without options.
    pub premium: Option<PremiumChart>,
    /// Small print.
    pub notes: Vec<String>,
}

/// One curve of a [`CompareChart`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Name of the strategy, run or account.
    pub name: String,
    /// Moments of its bars, strictly increasing.
    pub time: Vec<Micros>,
    /// Equity with its start as 100.
    pub index: Vec<f64>,
    /// Drawdown, fractions <= 0.
    pub drawdown: Vec<f64>,
    /// Its row of the table, one cell a metric of [`CompareChart::metrics`].
    pub cells: Vec<String>,
}

/// What `compare.png` shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompareChart {
    /// Heading.
    pub title: String,
    /// Period, in one line.
    pub subtitle: String,
    /// Curves; the first twelve are drawn and the rest counted.
    pub curves: Vec<Curve>,
    /// Headings of the table's columns, at most nine are drawn.
    pub metrics: Vec<String>,
    /// Small print.
    pub notes: Vec<String>,
}

impl TearSheet {
    /// Draws the tear sheet, with the boxes of its labels.
    ///
    /// # Errors
    /// When the columns have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        tearsheet::draw(self)
    }
}

impl TradesChart {
    /// Draws the trades, with the boxes of the labels.
    ///
    /// # Errors
    /// When the columns of a panel have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        trades::draw(self)
    }
}

impl IncomeChart {
    /// Draws the income, with the boxes of the labels.
    ///
    /// # Errors
    /// When the columns have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        income::draw(self)
    }
}

impl CompareChart {
    /// Draws the comparison, with the boxes of the labels.
    ///
    /// # Errors
    /// When the columns of a curve have different lengths.
    pub fn draw(&self) -> Result<Picture> {
        compare::draw(self)
    }
}

/// The bytes of `tearsheet.png`.
///
/// # Errors
/// As [`TearSheet::draw`].
pub fn tearsheet(sheet: &TearSheet) -> Result<Vec<u8>> {
    Ok(sheet.draw()?.png)
}

/// The bytes of `trades.png`.
///
/// # Errors
/// As [`TradesChart::draw`].
pub fn trades(chart: &TradesChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

/// The bytes of `income.png`.
///
/// # Errors
/// As [`IncomeChart::draw`].
pub fn income(chart: &IncomeChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

/// The bytes of `compare.png`.
///
/// # Errors
/// As [`CompareChart::draw`].
pub fn compare(chart: &CompareChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}

/// The bytes of `options.png`.
///
/// # Errors
/// As [`OptionsChart::draw`].
pub fn options(chart: &OptionsChart) -> Result<Vec<u8>> {
    Ok(chart.draw()?.png)
}
