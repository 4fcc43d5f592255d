//! Corporate actions: dividends, splits and delistings, read from a file, and the two views of
//! prices that follow from them.
//!
//! What an action does to cash, lots and orders is the portfolio's business; here is only what was
//! announced and how earlier prices compare with later ones.

use crate::error::{Error, Problem, Result, nearest};
use crate::instrument::Symbol;
use crate::market::bars::{is_price, show_time};
use crate::market::calendar::{Calendar, date_of, midnight};
use crate::market::{Bars, Column, Market, Tape, moment};
use crate::units::{DAY_MICROS, Micros};
use std::path::Path;
use std::sync::Arc;

/// Sessions before its ex-date on which an action without a `declared` date is taken to be known.
pub const DECLARED_SESSIONS: usize = 10;

/// What kind of event an action is. Within one day splits come first: a dividend is paid on the
/// shares after the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    /// `value` new shares for one old share.
    Split,
    /// `value` in money a share, on shares after the splits of that day.
    Dividend,
    /// A dividend out of the ordinary: option strikes are lowered by it.
    SpecialDividend,
    /// The symbol ends; `value` is not used.
    Delist,
}

impl ActionKind {
    /// All kinds, in the order in which they happen within a day.
    pub const ALL: [ActionKind; 4] = [
        ActionKind::Split,
        ActionKind::Dividend,
        ActionKind::SpecialDividend,
        ActionKind::Delist,
    ];

    /// The word in an actions file: `split dividend special_dividend delist`.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Split => "split",
            ActionKind::Dividend => "dividend",
            ActionKind::SpecialDividend => "special_dividend",
            ActionKind::Delist => "delist",
        }
    }

    /// The kind of a word, in any case.
    pub fn parse(word: &str) -> Option<ActionKind> {
        let word = word.to_lowercase();
        ActionKind::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// Pays money to holders.
    pub fn is_dividend(self) -> bool {
        matches!(self, ActionKind::Dividend | ActionKind::SpecialDividend)
    }
}

/// One corporate action.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Midnight of the ex-date: the first session at the new price.
    pub time: Micros,
    /// The symbol.
    pub symbol: Symbol,
    /// What happens.
    pub kind: ActionKind,
    /// New shares for one old (split), money a share (dividends), 0 (delisting).
    pub value: f64,
    /// Midnight of the day on which a dividend is paid; `None` is the ex-date.
    pub pay: Option<Micros>,
    /// Midnight of the day from which the action was known; see [`Action::known_from`].
    pub declared: Option<Micros>,
}

impl Action {
    /// The first moment at which a rule may know of the action: its `declared` date, else
    /// [`DECLARED_SESSIONS`] sessions before the ex-date (weekdays when there is no calendar).
    pub fn known_from(&self, calendar: Calendar) -> Micros {
        let calendar = match calendar {
            Calendar::None => Calendar::Weekdays,
            other => other,
        };
        self.declared.unwrap_or_else(|| {
            midnight(calendar.sessions_before(date_of(self.time), DECLARED_SESSIONS))
        })
    }
}

/// Reads an actions file: CSV with the columns `date,symbol,kind,value` and optionally `pay_date`
/// and `declared`, in any case and order, separated by commas, semicolons or tabs. Sorted by date,
/// symbol and kind.
///
/// # Errors
/// Every faulty row at once, with its line and the text of the cell: an unknown kind (with the
/// nearest known one), a date that is none, a ratio or amount that is not above 0, a payment
/// before the ex-date, a declaration after it, one split twice.
pub fn read_actions(path: &Path) -> Result<Vec<Action>> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| {
        Problem::new(format!("the actions can't be read: {e}")).in_file(file.as_str())
    })?;
    parse_actions(&bytes).map_err(|e| {
        let place = |p: &Problem| p.clone().in_file(file.as_str());
        Error::all(e.problems().iter().map(place).collect())
    })
}

/// [`read_actions`] on the bytes of a file; problems carry lines but no file.
fn parse_actions(bytes: &[u8]) -> Result<Vec<Action>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let header_end = bytes
        .iter()
        .position(|&b| b == b'\n')
        .unwrap_or(bytes.len());
    let count = |d: &u8| bytes[..header_end].iter().filter(|b| *b == d).count();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(count)
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let columns = Columns::of(
        reader
            .byte_headers()
            .map_err(|e| Error::msg(e.to_string()))?,
    )?;
    let mut actions: Vec<(Action, u64)> = Vec::new();
    let mut problems = Vec::new();
    for row in reader.byte_records() {
        match row {
            Ok(row) if row.iter().all(<[u8]>::is_empty) => {}
            Ok(row) => {
                let line = row.position().map_or(0, csv::Position::line);
                match columns.action(&row) {
                    Ok(action) => actions.push((action, line)),
                    Err(error) => {
                        let placed = error.problems().iter().map(|p| p.clone().at_line(line));
                        problems.extend(placed);
                    }
                }
            }
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                problems.push(Problem::new(format!("not a row of a CSV file: {e}")).at_line(line));
            }
        }
    }
    actions.sort_by(|(a, _), (b, _)| order(a).cmp(&order(b)));
    for pair in actions.windows(2) {
        let ((before, first), (after, second)) = (&pair[0], &pair[1]);
        let once = matches!(after.kind, ActionKind::Split | ActionKind::Delist);
        if once && order(before) == order(after) {
            let what = format!(
                "{} has a second {} on {}",
                after.symbol,
                after.kind.name(),
                show_time(after.time)
            );
            let help = format!("the first is on line {first}; keep one");
            problems.push(Problem::new(what).at_line(*second).help(help));
        }
    }
    if problems.is_empty() {
        Ok(actions.into_iter().map(|(action, _)| action).collect())
    } else {
        problems.sort_by_key(|p| p.line);
        Err(Error::all(problems))
    }
}

/// The order of actions in a market: by time, then symbol, then kind.
fn order(action: &Action) -> (Micros, &str, ActionKind) {
    (action.time, action.symbol.as_str(), action.kind)
}

/// Where the columns of an actions file stand.
struct Columns {
    date: usize,
    symbol: usize,
    kind: usize,
    value: usize,
    pay: Option<usize>,
    declared: Option<usize>,
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Result<Columns> {
        let names: Vec<String> = header
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).trim().to_lowercase())
            .collect();
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        let mut problems = Vec::new();
        let mut need = |known: &[&str]| {
            find(known).unwrap_or_else(|| {
                let found = names.join(",");
                problems.push(
                    Problem::new("the column is missing")
                        .at_line(1)
                        .at_column(known[0])
                        .help(format!(
                            "expected date,symbol,kind,value[,pay_date][,declared], found {found}"
                        )),
                );
                0
            })
        };
        let columns = Columns {
            date: need(&["date", "ex_date"]),
            symbol: need(&["symbol", "ticker"]),
            kind: need(&["kind", "type", "action"]),
            value: need(&["value", "amount", "ratio"]),
            pay: find(&["pay_date", "payment_date"]),
            declared: find(&["declared", "declaration_date"]),
        };
        if problems.is_empty() {
            Ok(columns)
        } else {
            Err(Error::all(problems))
        }
    }

    /// The action of one row.
    fn action(&self, row: &csv::ByteRecord) -> Result<Action> {
        let cell = |i: usize| String::from_utf8_lossy(row.get(i).unwrap_or_default()).into_owned();
        let date = |i: usize, name: &str| {
            let text = cell(i);
            read_date(&text).ok_or_else(|| {
                let problem = Problem::new(format!("\"{text}\" is not a date")).at_column(name);
                Error::new(problem.help("expected YYYY-MM-DD"))
            })
        };
        let optional = |i: Option<usize>, name: &str| match i {
            Some(i) if !cell(i).is_empty() => date(i, name).map(Some),
            _ => Ok(None),
        };
        let word = cell(self.kind);
        let kind = ActionKind::parse(&word).ok_or_else(|| unknown_kind(&word))?;
        let symbol = cell(self.symbol);
        if symbol.is_empty() {
            return Err(Problem::new("the symbol is missing")
                .at_column("symbol")
                .into());
        }
        let action = Action {
            time: date(self.date, "date")?,
            symbol,
            kind,
            value: read_value(kind, &cell(self.value))?,
            pay: optional(self.pay, "pay_date")?,
            declared: optional(self.declared, "declared")?,
        };
        check_dates(&action)?;
        Ok(action)
    }
}

fn unknown_kind(word: &str) -> Problem {
    let names = ActionKind::ALL.map(ActionKind::name);
    let help = match nearest(word, names) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("expected one of {}", names.join(", ")),
    };
    Problem::new(format!("\"{word}\" is not a kind of action"))
        .at_column("kind")
        .help(help)
}

fn read_value(kind: ActionKind, text: &str) -> Result<f64> {
    if kind == ActionKind::Delist && text.is_empty() {
        return Ok(0.0);
    }
    let value: Option<f64> = text.parse().ok().filter(|v: &f64| v.is_finite());
    let (expected, is_fine): (_, fn(f64) -> bool) = match kind {
        ActionKind::Split => ("new shares for one old, above 0, such as 2.0", |v| v > 0.0),
        ActionKind::Dividend | ActionKind::SpecialDividend => {
            ("money a share, above 0, such as 0.25", |v| v > 0.0)
        }
        ActionKind::Delist => ("0 or nothing", |_| true),
    };
    value.filter(|v| is_fine(*v)).ok_or_else(|| {
        let what = format!("\"{text}\" is not the value of a {}", kind.name());
        let problem = Problem::new(what).at_column("value");
        Error::new(problem.help(format!("expected {expected}")))
    })
}

fn check_dates(action: &Action) -> Result<()> {
    if let Some(pay) = action.pay
        && pay < action.time
    {
        let what = format!(
            "paid on {}, before its ex-date {}",
            show_time(pay),
            show_time(action.time)
        );
        return Err(Problem::new(what).at_column("pay_date").into());
    }
    if let Some(declared) = action.declared
        && declared > action.time
    {
        let what = format!(
            "declared on {}, after its ex-date {}",
            show_time(declared),
            show_time(action.time)
        );
        return Err(Problem::new(what).at_column("declared").into());
    }
    Ok(())
}

/// Midnight of a date in any of the forms that price files use, a time of day behind it left out.
fn read_date(text: &str) -> Option<Micros> {
    moment::parse(text.as_bytes()).map(|time| time.div_euclid(DAY_MICROS) * DAY_MICROS)
}

impl Market {
    /// The same market with these actions, in the order in which they happen.
    #[must_use]
    pub fn with_actions(mut self, mut actions: Vec<Action>) -> Market {
        actions.sort_by(|a, b| order(a).cmp(&order(b)));
        self.actions = actions;
        self
    }

    /// The actions of one symbol, by time.
    pub fn actions_of<'a>(&'a self, symbol: &'a str) -> impl Iterator<Item = &'a Action> {
        self.actions
            .iter()
            .filter(move |action| action.symbol == symbol)
    }

    /// The market at adjusted prices (`prices = "adjusted"`): every tape as [`adjusted`] makes it.
    /// Splits and dividends are in the prices then, so only delistings remain as actions.
    ///
    /// # Errors
    /// As [`adjusted`], for all symbols at once.
    pub fn adjusted(&self) -> Result<Market> {
        let mut market = self.clone();
        let mut problems = Vec::new();
        for tape in &mut market.tapes {
            let actions: Vec<Action> = self.actions_of(&tape.symbol).cloned().collect();
            match adjusted(&tape.bars, &tape.symbol, &actions) {
                Ok(bars) => tape.bars = bars,
                Err(e) => problems.extend(e.problems().iter().cloned()),
            }
        }
        market
            .actions
            .retain(|action| action.kind == ActionKind::Delist);
        if problems.is_empty() {
            Ok(market)
        } else {
            Err(Error::all(problems))
        }
    }
}

impl Market {
    /// The market with prices and dividends of all symbols, or of those given, times `by`: a tenth of
    /// an index stands for the fund on it.
    #[must_use]
    pub fn times(mut self, symbols: &[Symbol], by: f64) -> Market {
        let wanted = |symbol: &Symbol| symbols.is_empty() || symbols.contains(symbol);
        for tape in self.tapes.iter_mut().filter(|tape| wanted(&tape.symbol)) {
            let bars = tape.bars.len();
            tape.bars = scaled(&tape.bars, &vec![by; bars], &vec![1.0; bars]);
        }
        let paid = |a: &&mut Action| a.kind.is_dividend() && wanted(&a.symbol);
        for action in self.actions.iter_mut().filter(paid) {
            action.value *= by;
        }
        self
    }
}

/// Where prices of a tape change their scale: the first bar at the new price, and the factor that
/// all earlier prices are divided by to compare with it. In the order of the bars; several events
/// on one bar are one factor.
///
/// A split of ratio r gives r. With `total_return` a dividend d gives 1 / (1 - d / c), c the close
/// before it in the money of the ex-date (after the day's splits) and d the sum of that bar; one
/// that is not below c gives nothing. Actions before the second bar or after the last change no scale.
pub fn seen_splits(market: &Market, tape: usize, total_return: bool) -> Vec<(usize, f64)> {
    let Tape { symbol, bars, .. } = &market.tapes[tape];
    scale_changes(bars, market.actions_of(symbol), total_return)
        .into_iter()
        .map(|change| (change.bar, change.price))
        .collect()
}

/// A bar at which the scale of prices changes.
struct ScaleChange {
    bar: usize,
    /// Earlier prices are divided by this.
    price: f64,
    /// Earlier volumes are multiplied by this: splits alone.
    volume: f64,
}

/// The scale changes of bars under the actions of their symbol, sorted by time.
fn scale_changes<'a>(
    bars: &Bars,
    actions: impl Iterator<Item = &'a Action>,
    with_dividends: bool,
) -> Vec<ScaleChange> {
    // Bar, product of its splits, sum of its dividends.
    let mut events: Vec<(usize, f64, f64)> = Vec::new();
    for action in actions {
        let bar = bars.time.partition_point(|&t| t < action.time);
        let (split, dividend) = match action.kind {
            ActionKind::Split => (action.value, 0.0),
            ActionKind::Dividend | ActionKind::SpecialDividend if with_dividends => {
                (1.0, action.value)
            }
            _ => continue,
        };
        if bar == 0 || bar == bars.len() {
            continue;
        }
        match events.last_mut().filter(|event| event.0 == bar) {
            Some(event) => {
                event.1 *= split;
                event.2 += dividend;
            }
            None => events.push((bar, split, dividend)),
        }
    }
    events
        .into_iter()
        .map(|(bar, split, dividend)| {
            let before = bars.close[bar - 1] / split;
            let paid = if dividend < before {
                before / (before - dividend)
            } else {
                1.0
            };
            ScaleChange {
                bar,
                price: split * paid,
                volume: split,
            }
        })
        .filter(|change| change.price != 1.0)
        .collect()
}

/// Bars at adjusted prices, `actions` those of this symbol by time.
///
/// With a column `adj_close` open, high, low and close are multiplied by adj_close / close of their
/// bar; else earlier prices are divided by the factors of [`seen_splits`] with dividends, so that
/// the last bar is as traded. Volume is scaled by the splits of `actions` only. Further columns
/// stay as they are.
///
/// # Errors
/// A bar whose `adj_close` is missing or not a price.
pub fn adjusted(bars: &Bars, symbol: &str, actions: &[Action]) -> Result<Bars> {
    let changes = scale_changes(bars, actions.iter(), true);
    let factors = match bars.column("adj_close") {
        Some(adjusted_close) => {
            if let Some(i) = adjusted_close.iter().position(|&x| !is_price(x)) {
                let what = format!(
                    "{symbol} has no adjusted close on {}",
                    show_time(bars.time[i])
                );
                return Err(Error::new(
                    Problem::new(what)
                        .at_column("adj_close")
                        .help("fill the cell, or use prices = \"raw\" with actions"),
                ));
            }
            let ratio = |(a, c): (&f64, &f64)| a / c;
            adjusted_close
                .iter()
                .zip(bars.close.iter())
                .map(ratio)
                .collect()
        }
        None => factors_before(bars.len(), &changes, |change| 1.0 / change.price),
    };
    let volumes = factors_before(bars.len(), &changes, |change| change.volume);
    Ok(scaled(bars, &factors, &volumes))
}

/// For each bar the product of the factors of all later changes.
fn factors_before(
    len: usize,
    changes: &[ScaleChange],
    factor: fn(&ScaleChange) -> f64,
) -> Vec<f64> {
    let mut factors = vec![1.0; len];
    let mut end = len;
    let mut product = 1.0;
    for change in changes.iter().rev() {
        factors[change.bar..end].fill(product);
        product *= factor(change);
        end = change.bar;
    }
    factors[..end].fill(product);
    factors
}

/// Bars with prices and volumes multiplied bar by bar; columns that were shared stay shared.
pub(crate) fn scaled(bars: &Bars, prices: &[f64], volumes: &[f64]) -> Bars {
    let times = |column: &Column, factors: &[f64]| -> Column {
        Arc::new(column.iter().zip(factors).map(|(x, f)| x * f).collect())
    };
    let close = times(&bars.close, prices);
    let price = |column: &Column| {
        if Arc::ptr_eq(column, &bars.close) {
            close.clone()
        } else {
            times(column, prices)
        }
    };
    Bars {
        time: bars.time.clone(),
        open: price(&bars.open),
        high: price(&bars.high),
        low: price(&bars.low),
        volume: bars.volume.as_ref().map(|column| times(column, volumes)),
        extra: bars.extra.clone(),
        closes_only: bars.closes_only,
        close,
    }
}
