//! YES OR NO -> WHAT TO HOLD: the strategy file as a value, its selectors and sizing.
//!
//! [`Strategy`] is what a TOML file says after defaults were filled in and everything was checked
//! (`file.rs` reads and checks values, `resolve.rs` checks them against each other, `vocabulary.rs`
//! says what there is). It holds expressions as text with their place in the file; they are typed and
//! compiled against a market by [`crate::rules`].

mod against_data;
mod allocation;
mod axis;
mod layers;
mod file;
mod model;
mod options;
mod monitor;
mod program;
mod resolve;
mod review;
mod rows;
mod selector;
mod sizing;
mod tax;
pub mod vocabulary;

pub use allocation::{covariance, min_variance, risk_parity};
pub use axis::{SweepAxis, SweepValue};
pub use model::{CompiledModel, Model, Refit};
pub use monitor::{MONITOR_COLUMNS, Monitor, Watch, watched};
pub use options::{
    Assignment, ContractTerms, Cycle, ImpliedVol, Leg, OptionFill, Options, Pricing, Roll, RollTo,
    StrikeFloor, StrikeRule, Structure, Unable,
};
pub use program::Compiled;
pub use review::{Coverage, Finding, Review, RoundTrip, Severity, review};
pub use selector::{Hold, Mix, Rank, RankWeight, Refuge, WeightMethod, Weights};
pub use sizing::{Amount, ClosedTrades, Situation, amount};
pub use tax::{Harvest, HarvestCheck, LotRule, PayTax, Tax};

use crate::error::SourceText;
use std::ops::Range;
use std::path::PathBuf;

/// An expression as written, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprText {
    /// The text of the expression.
    pub text: String,
    /// Bytes of the text in the strategy file, `None` when it came from `--set` or a default or
    /// when escapes make text and file differ.
    pub span: Option<Range<usize>>,
    /// The key it is the value of, for example `rules.enter`.
    pub key: String,
}

/// A number, or a dated file of numbers (forward-filled from its dates).
#[derive(Debug, Clone, PartialEq)]
pub enum Rate {
    /// A fraction a year.
    Constant(f64),
    /// A file, resolved against the folder of the strategy file.
    File(PathBuf),
}

/// A distance: a fraction of the entry price, or an expression in price units.
#[derive(Debug, Clone, PartialEq)]
pub enum Distance {
    /// Fraction of the fill price.
    Fraction(f64),
    /// Money a share, evaluated at the decision.
    Expr(ExprText),
}

/// `[data] bar`: size of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarSize {
    /// n minutes.
    Minutes(u32),
    /// n hours.
    Hours(u32),
    /// A session.
    Day,
    /// A week.
    Week,
    /// A month.
    Month,
}

/// `[data] prices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prices {
    /// As traded; splits and dividends are events.
    Raw,
    /// Adjusted for splits and dividends; no dividend is paid.
    Adjusted,
}

/// `[data] signals`: what expressions see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signals {
    /// History scaled by splits.
    Split,
    /// History scaled by splits and dividends.
    TotalReturn,
}

/// `[data] calendar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarName {
    /// New York Stock Exchange with its historical holidays and closures.
    Nyse,
    /// Monday to Friday.
    Weekdays,
    /// Every day.
    AllDays,
    /// No calendar: periods end when the next one begins.
    None,
}

/// `[data]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// File or folder, resolved; `None` until `--data` gives one.
    pub source: Option<PathBuf>,
    /// Symbols wanted; empty means all found.
    pub symbols: Vec<String>,
    /// Dated membership; `None` when every symbol always takes part.
    pub members: Option<PathBuf>,
    /// First day of the simulation (midnight).
    pub start: Option<chrono::NaiveDate>,
    /// Last day of the simulation, inclusive.
    pub end: Option<chrono::NaiveDate>,
    /// Bar size; `None` is the file's own.
    pub bar: Option<BarSize>,
    /// Dividends and splits; `None` is `actions.csv` beside the data if there is one.
    pub actions: Option<PathBuf>,
    /// Raw or adjusted.
    pub prices: Prices,
    /// What expressions see.
    pub signals: Signals,
    /// Dividend yield of an index without dividends.
    pub dividend_yield: Option<Rate>,
    /// `missing = "error"`: a symbol without a bar on a session of the calendar is an error.
    pub missing_is_error: bool,
    /// Sessions without a bar after which a symbol is delisted.
    pub delist_after: u32,
    /// Share of the last close lost at a delisting.
    pub delist_haircut: f64,
    /// Calendar; `None` is inferred from the dates.
    pub calendar: Option<CalendarName>,
    /// Header overrides of `--columns close=Last`: (ours, theirs).
    pub columns: Vec<(String, String)>,
}

/// A stretch of time, on the calendar or in bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// So many bars.
    Bars(u32),
    /// So many calendar days; a week is seven.
    Days(u32),
    /// So many calendar months; a year is twelve.
    Months(u32),
}

impl std::fmt::Display for Stretch {
    /// As people say it: `5 years`, `6 months`, `13 weeks`, `250 bars`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (n, unit) = match *self {
            Stretch::Bars(n) => (n, "bar"),
            Stretch::Days(n) if n % 7 == 0 => (n / 7, "week"),
            Stretch::Days(n) => (n, "day"),
            Stretch::Months(n) if n % 12 == 0 => (n / 12, "year"),
            Stretch::Months(n) => (n, "month"),
        };
        write!(f, "{n} {unit}{}", if n == 1 { "" } else { "s" })
    }
}

/// A schedule's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At every bar.
    Bar,
    /// On the last bar of a day.
    Day,
    /// On the last bar of a week.
    Week,
    /// On the last bar of a month.
    Month,
    /// On the last bar of a quarter.
    Quarter,
    /// On the last bar of a year.
    Year,
}

/// On which day of its period a schedule falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleDay {
    /// The first session.
    First,
    /// The last session.
    Last,
    /// The calendar day of this number, from 1 (Monday is 1 of a week); the last day of a shorter
    /// period.
    Nth(u32),
}

/// `[rules]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Condition that buys.
    pub enter: Option<ExprText>,
    /// Condition that sells what is held.
    pub exit: Option<ExprText>,
    /// Condition that sells short.
    pub short: Option<ExprText>,
    /// Condition that buys back.
    pub cover: Option<ExprText>,
    /// Number; larger goes first when cash or slots are short.
    pub priority: Option<ExprText>,
    /// Closes after an exit bar on which no entry is decided.
    pub cooldown_bars: u32,
    /// Bars after which a position is sold; `None` never.
    pub hold_bars_max: Option<u32>,
    /// When rules decide.
    pub every: Every,
}

/// `[size] method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeMethod {
    /// Equity over `max_positions`.
    Equal,
    /// `value` x equity.
    Fraction,
    /// `value` of money.
    Cash,
    /// `value` shares.
    Shares,
    /// `value` x equity is lost at the stop.
    Risk,
    /// Equity x value / realized_vol(close, 20).
    TargetVol,
    /// Kelly fraction of closed trades.
    Kelly,
}

/// `[size]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Size {
    /// How.
    pub method: SizeMethod,
    /// How much, in the method's unit.
    pub value: f64,
    /// Slots; `None` is the number of symbols.
    pub max_positions: Option<u32>,
    /// Largest share of equity in one position.
    pub max_weight: Option<f64>,
    /// Shares are rounded down to multiples of this; 0 is fractional.
    pub lot: f64,
    /// Smallest order in money.
    pub min_order: f64,
    /// A further entry adds to a position.
    pub pyramid: bool,
}

/// `[stops] ambiguity`: who wins when one bar reaches both stop and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// The stop.
    Worst,
    /// The extreme nearer to the open.
    Path,
    /// The target.
    Best,
}

/// `[stops]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stops {
    /// Fixed stop.
    pub stop: Option<Distance>,
    /// Target.
    pub target: Option<Distance>,
    /// Trailing stop.
    pub trail: Option<Distance>,
    /// Part of the position sold at the target.
    pub target_share: f64,
    /// Gain (fraction) after which the stop moves to the entry price.
    pub breakeven: Option<f64>,
    /// Stops are live on the bar of an entry at its open.
    pub entry_bar: bool,
    /// Who wins in an ambiguous bar.
    pub ambiguity: Ambiguity,
}

/// `[fill] at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillAt {
    /// The open of the next bar.
    NextOpen,
    /// The close that decided.
    Close,
    /// The close of the next bar.
    NextClose,
}

/// `[fill] order`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// At the market.
    Market,
    /// At `price` or better.
    Limit,
    /// At the market once `price` was reached.
    Stop,
}

/// `[fill]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fill {
    /// When market orders fill.
    pub at: FillAt,
    /// Kind of entry orders.
    pub order: OrderKind,
    /// Limit or stop price of entries.
    pub price: Option<ExprText>,
    /// A limit needs the price to trade through it (`true`) or only to touch it.
    pub limit_through: bool,
    /// Share of a bar's volume that one order may take.
    pub volume_cap: Option<f64>,
    /// Limit and stop orders stay until cancelled (`gtc`) or end with the day.
    pub good_till_cancelled: bool,
    /// Sell what is held at the last close.
    pub close_at_end: bool,
}

/// `[costs]`, resolved: presets are expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    /// Name of the preset that the numbers started from, if any.
    pub preset: Option<String>,
    /// Nobody chose the costs: the table had no key.
    pub defaulted: bool,
    /// Fraction of traded value.
    pub commission: f64,
    /// Money a share.
    pub per_share: f64,
    /// Money an order.
    pub per_order: f64,
    /// Money an option contract.
    pub per_contract: f64,
    /// Smallest commission of an order.
    pub min: f64,
    /// Largest commission of an order as a fraction of its value; `None` without a cap.
    pub max: Option<f64>,
    /// Slippage in basis points of price, each side.
    pub slippage_bps: f64,
    /// Quoted spread in basis points; half of it is paid on each side.
    pub spread_bps: f64,
    /// Fraction a year paid on shares sold short.
    pub borrow_rate: Option<f64>,
}

/// `[account] kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// No short, no negative cash.
    Cash,
    /// Margin with interest, maintenance and forced liquidation.
    Margin,
}

/// `[account] raise_cash`: what is sold for a withdrawal that cash does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaiseCash {
    /// A part of every holding, by value.
    ProRata,
    /// The largest holding first.
    Largest,
    /// Nothing: the withdrawal is refused.
    Refuse,
}

/// `[account]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Starting cash.
    pub cash: f64,
    /// Cash or margin.
    pub kind: AccountKind,
    /// Equity needed to open, as a fraction of position value.
    pub initial_margin: f64,
    /// Equity needed to keep, as a fraction of position value.
    pub maintenance_margin: f64,
    /// Fraction a year paid on borrowed cash.
    pub margin_rate: Option<f64>,
    /// Sessions until sale proceeds can be spent.
    pub settlement_days: u32,
    /// Every symbol has its own `cash`.
    pub each: bool,
    /// Dividends buy more of the payer at that day's close.
    pub reinvest_dividends: bool,
    /// What is sold for a withdrawal.
    pub raise_cash: RaiseCash,
    /// Currency code for labels.
    pub currency: String,
}

/// `[cash]`.
#[derive(Debug, Clone, PartialEq)]
pub struct CashTable {
    /// What the broker pays on idle cash.
    pub yield_: Rate,
    /// What savings would have paid; `None` is `yield_`.
    pub hurdle: Option<Rate>,
}

/// `[[cashflow]] invest`: what becomes of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invest {
    /// It stays cash until the strategy decides.
    NextDecision,
    /// It buys more of everything that is held, at the open of its bar.
    Now,
    /// It buys what is held least of against its target, at the open of its bar.
    MostUnderweight,
}

/// One `[[cashflow]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cashflow {
    /// Money, negative for withdrawals; `None` with a file.
    pub amount: Option<f64>,
    /// How often; `None` is once, on `start`.
    pub every: Option<Every>,
    /// On which day of the period.
    pub day: ScheduleDay,
    /// No flow before.
    pub start: Option<chrono::NaiveDate>,
    /// No flow after.
    pub end: Option<chrono::NaiveDate>,
    /// Growth of the amount from year to year.
    pub grow: f64,
    /// Dated amounts.
    pub file: Option<PathBuf>,
    /// The layer that it goes to or comes from; `None` for all of them.
    pub into: Option<usize>,
    /// What becomes of a deposit.
    pub invest: Invest,
    /// Its name in reports.
    pub stream: String,
}

/// What a layer's income of each stream goes to: numbers of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feeds {
    /// Dividends received.
    pub dividends: Option<usize>,
    /// Option premium.
    pub premium: Option<usize>,
    /// Interest on cash.
    pub interest: Option<usize>,
    /// Gains of closed trades.
    pub gains: Option<usize>,
}

/// One `[[layer]]`: a strategy on a part of the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its name in reports.
    pub name: String,
    /// The file of its strategy.
    pub file: PathBuf,
    /// Its share of the account, of 1.
    pub weight: f64,
    /// Who receives its income.
    pub feeds: Feeds,
    /// The strategy, with the account, the cash and the days of the outer file.
    pub strategy: Strategy,
}

/// `[benchmark]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    /// Single symbols, each held alone.
    pub symbols: Vec<String>,
    /// A monthly rebalanced blend of (symbol, weight).
    pub blend: Vec<(String, f64)>,
    /// Savings at the hurdle.
    pub cash: bool,
    /// The universe held equally.
    pub universe: bool,
    /// Risk-free rate of the metrics that name one; `None` is `[cash] yield`.
    pub rate: Option<Rate>,
}

/// `[report] scale`: the equity axis of the tear sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartScale {
    /// Logarithmic where the range asks for it.
    Auto,
    /// Linear.
    Linear,
    /// Logarithmic.
    Log,
}

/// `[report]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Draw the charts.
    pub charts: bool,
    /// Equity axis.
    pub scale: ChartScale,
    /// Whose metric definitions are printed beside ours.
    pub profile: Option<String>,
}

/// `[walk_forward]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WalkForward {
    /// Length of a training window; given together with `test`.
    pub train: Option<Stretch>,
    /// Length of a test window.
    pub test: Option<Stretch>,
    /// How far the windows move; `None` is `test`.
    pub step: Option<Stretch>,
    /// Every training window begins on the first bar.
    pub anchored: bool,
    /// The last stretch of the data, which reading the market takes away.
    pub holdout: Option<Stretch>,
    /// `--open-holdout`: the stretch is read after all.
    pub holdout_open: bool,
    /// Bars left out between a training window and its test window.
    pub purge_bars: u32,
    /// Key of the figure that the best parameters have the best of, if one was given.
    pub objective: Option<String>,
}

/// `[sweep] method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepMethod {
    /// Every combination.
    Grid,
    /// A sample of the combinations, none twice.
    Random,
    /// Rounds on ever longer spans of the data, each among the better half of the last.
    Halving,
}

/// `[sweep]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepTable {
    /// What varies, in file order.
    pub axes: Vec<SweepAxis>,
    /// Condition on params that a combination must meet.
    pub constraint: Option<ExprText>,
    /// Figure that trials are ranked by.
    pub objective: String,
    /// How combinations are chosen.
    pub method: SweepMethod,
    /// How many combinations; `None` is all.
    pub samples: Option<u32>,
    /// Seed of the random sample; `None` is the command's.
    pub seed: Option<u32>,
}

/// A whole strategy, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Strategy {
    /// `name`, else the file's stem.
    pub name: String,
    /// `about`.
    pub about: String,
    /// The file's stem: names the report folder.
    pub stem: String,
    /// The file's folder, which relative paths start from.
    pub folder: PathBuf,
    /// File name and text, for carets.
    pub source: SourceText,
    /// `[data]`.
    pub data: Data,
    /// `[params]` in file order.
    pub params: Vec<(String, f64)>,
    /// `[series]` in file order.
    pub series: Vec<(String, ExprText)>,
    /// `[model]`, if there is one.
    pub model: Option<Model>,
    /// `[rules]`.
    pub rules: Rules,
    /// `[rank]`, when it is the selector.
    pub rank: Option<Rank>,
    /// `[weights]`, when it is the selector.
    pub weights: Option<Weights>,
    /// `[size]`.
    pub size: Size,
    /// `[stops]`.
    pub stops: Stops,
    /// `[fill]`.
    pub fill: Fill,
    /// `[costs]`.
    pub costs: Costs,
    /// `[account]`.
    pub account: Account,
    /// `[cash]`.
    pub cash: CashTable,
    /// `[[cashflow]]` in file order.
    pub cashflows: Vec<Cashflow>,
    /// `[[layer]]` in file order; empty for a strategy of its own.
    pub layers: Vec<Layer>,
    /// How often the layers are set back to their weights; `None` never.
    pub rebalance_layers: Option<Every>,
    /// `[benchmark]`.
    pub benchmark: Benchmark,
    /// `[report]`.
    pub report: Report,
    /// `[tax]`; `None` without the table.
    pub tax: Option<Tax>,
    /// `[walk_forward]`.
    pub walk_forward: WalkForward,
    /// `[sweep]`: what a sweep of this file varies. A single run has no use for it.
    pub sweep: SweepTable,
    /// `[options]`, if the file has it.
    pub options: Option<Options>,
    /// `[monitor]` in file order: alarms of a paper account. A run has no use for them.
    pub monitors: Vec<Monitor>,
    /// Every key of every table as `table.key`, its value as TOML text, and whether the file or a
    /// flag gave it (`true`) or it is the default. This is what reports print as assumptions.
    pub assumptions: Vec<(String, String, bool)>,
}

impl Strategy {
    /// `rank` or `weights`, when that table says how much of each symbol to hold.
    pub fn portfolio_table(&self) -> Option<&'static str> {
        match (&self.rank, &self.weights) {
            (Some(_), _) => Some("rank"),
            (_, Some(_)) => Some("weights"),
            (None, None) => None,
        }
    }

    /// `[options]` stands alone: no rule, rank or weight says what shares to hold.
    pub fn decides_by_options_alone(&self) -> bool {
        self.options.is_some()
            && self.portfolio_table().is_none()
            && self.rules.enter.is_none()
            && self.rules.short.is_none()
            && self.layers.is_empty()
    }

    /// The expressions of `[rank]`.
    pub fn expressions_of_selector(&self) -> impl Iterator<Item = &ExprText> {
        let rank = self.rank.iter();
        rank.flat_map(|r| [Some(&r.score), r.condition.as_ref(), r.absolute.as_ref()])
            .flatten()
    }

    /// Symbols that the selector trades whatever `data.symbols` says: fixed targets, the refuge.
    pub fn symbols_of_selector(&self) -> Vec<&str> {
        let refuge = self.rank.iter().filter_map(Rank::refuge_symbol);
        let targets = self.weights.iter().flat_map(Weights::targets);
        refuge
            .chain(targets.map(|(symbol, _)| symbol.as_str()))
            .collect()
    }
}

/// What the command line says over a strategy file: a flag wins over the file, the file over the
/// default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overrides {
    /// `--set table.key=value`, in order; the value is TOML, or a bare word that is a string.
    pub set: Vec<(String, String)>,
    /// `--data`, relative to the current folder.
    pub data: Option<PathBuf>,
    /// `--start`.
    pub start: Option<chrono::NaiveDate>,
    /// `--end`, inclusive.
    pub end: Option<chrono::NaiveDate>,
    /// `--columns close=Last` as (ours, theirs).
    pub columns: Vec<(String, String)>,
    /// `--open-holdout`.
    pub open_holdout: bool,
}
