//! Findings about option chains: quotes on closed days, of expired contracts, copied from another
//! date, empty, or cut through by a split.

use super::table::{EXPIRATIONS, QUOTE_TIMES, STRIKES, Table};
use super::{Finding, FindingKind, Findings, counted, moves};
use crate::market::calendar::{Calendar, date_of};
use crate::market::load::parquet_cells;
use crate::market::moment;
use crate::units::{DAY_MICROS, Micros};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Contracts that two dates must share before one can be called a copy of the other.
const SHARED_MIN: usize = 5;
/// Share of them with the same quotes from which on it is one: quotes move every day, except of
/// contracts far out of the money.
const COPY_SHARE: f64 = 0.9;
/// Jumps of the underlying below this are no split (natural log of 1.4).
const SPLIT_LOG_MIN: f64 = 0.336_472_236_621_212_9;

/// A contract: underlying and root (as numbers), expiration, strike (bits), call or put.
type Contract = (u32, Micros, u64, u8);

/// One row of a chain.
struct Quote {
    line: u64,
    time: Micros,
    contract: Contract,
    /// Bid and ask, or open and close where the chain has bars of mid prices.
    bid: f64,
    ask: f64,
    volatility: f64,
    underlying: f64,
}

impl Quote {
    fn day(&self) -> i64 {
        self.time.div_euclid(DAY_MICROS)
    }
    fn is_zero(&self) -> bool {
        self.bid == 0.0 && self.ask == 0.0
    }
    fn is_same(&self, other: &Quote) -> bool {
        self.bid.to_bits() == other.bid.to_bits() && self.ask.to_bits() == other.ask.to_bits()
    }
}

/// Where the columns of a chain stand.
struct Columns {
    time: usize,
    expiration: usize,
    strike: usize,
    kind: Option<usize>,
    name: Option<usize>,
    root: Option<usize>,
    bid: Option<usize>,
    ask: Option<usize>,
    volatility: Option<usize>,
    underlying: Option<usize>,
    has_quotes: bool,
}

impl Columns {
    fn of(table: &Table) -> Option<Columns> {
        let (bid, ask) = (
            table.find(&["bid", "bid_price"]),
            table.find(&["ask", "ask_price"]),
        );
        let has_quotes = bid.is_some() && ask.is_some();
        Some(Columns {
            time: table.find(QUOTE_TIMES)?,
            expiration: table.find(EXPIRATIONS)?,
            strike: table.find(STRIKES)?,
            kind: table.find(&[
                "type",
                "option_type",
                "right",
                "call_put",
                "put_call",
                "cp_flag",
            ]),
            name: table.find(&[
                "underlying",
                "underlying_symbol",
                "symbol",
                "ticker",
                "act_symbol",
            ]),
            root: table.find(&["root"]),
            bid: if has_quotes {
                bid
            } else {
                table.find(&["open", "close", "last"])
            },
            ask: if has_quotes {
                ask
            } else {
                table.find(&["close", "last", "open"])
            },
            volatility: table.find(&["implied_vol", "implied_volatility", "iv", "vol"]),
            underlying: table.find(&["underlying_price", "underlying_last", "stock_price", "spot"]),
            has_quotes,
        })
    }

    /// The columns of numbers beside the strike.
    fn numbers(&self) -> [Option<usize>; 4] {
        [self.bid, self.ask, self.volatility, self.underlying]
    }
}

/// Findings about a chain, and how many rows it has.
pub(super) fn audit_chain(path: &Path, file: &str, table: &Table) -> (Vec<Finding>, usize) {
    let mut found = Vec::new();
    let mut findings = Findings {
        file,
        symbol: "",
        found: &mut found,
    };
    let Some(columns) = Columns::of(table) else {
        let what = format!(
            "an option chain without a quote date (columns {})",
            table.names.join(", ")
        );
        findings.add_counted(
            FindingKind::ChainUnreadable,
            &[1],
            1,
            what,
            "name the column quote_date",
        );
        return (found, 0);
    };
    let quotes = match read(path, table, &columns, &mut findings) {
        Ok(quotes) => quotes,
        Err(message) => {
            findings.add_counted(
                FindingKind::ChainUnreadable,
                &[],
                1,
                message,
                "check the file",
            );
            return (found, 0);
        }
    };
    if quotes.is_empty() {
        return (found, 0);
    }
    summary(&quotes, &mut findings);
    order(&quotes, &mut findings);
    dates(&quotes, &mut findings);
    let zero_days = zeros(&quotes, &columns, &mut findings);
    copies(&quotes, &zero_days, &mut findings);
    (found, quotes.len())
}

/// The rows of a chain; those without a date, expiration or strike are a finding.
fn read(
    path: &Path,
    table: &Table,
    columns: &Columns,
    findings: &mut Findings<'_>,
) -> Result<Vec<Quote>, String> {
    let mut rows = Rows::default();
    match table.delimiter {
        Some(_) => read_text(path, table, columns, &mut rows)?,
        None => read_parquet(path, columns, &mut rows)?,
    }
    findings.add(
        FindingKind::ChainUnreadable,
        &rows.bad,
        |n| {
            format!(
                "{} without a date, expiration or strike that can be read",
                counted(n, "row")
            )
        },
        "mend the cells or take the rows out",
    );
    Ok(rows.quotes)
}

/// Rows as they are read, from text or from Parquet.
#[derive(Default)]
struct Rows {
    quotes: Vec<Quote>,
    /// Lines that are no quote.
    bad: Vec<u64>,
    /// Numbers of the underlyings and roots.
    names: BTreeMap<(Vec<u8>, Vec<u8>), u32>,
}

/// One row: what tells the contract, then bid, ask, volatility, underlying price.
struct Cells<'a> {
    line: u64,
    time: Option<Micros>,
    expiration: Option<Micros>,
    strike: f64,
    name: &'a [u8],
    root: &'a [u8],
    kind: &'a [u8],
    numbers: [f64; 4],
}

impl Rows {
    fn push(&mut self, cells: &Cells<'_>) {
        let (Some(time), Some(expiration), true) =
            (cells.time, cells.expiration, cells.strike > 0.0)
        else {
            self.bad.push(cells.line);
            return;
        };
        let known = self.names.len() as u32;
        let name = (cells.name.to_vec(), cells.root.to_vec());
        let name = *self.names.entry(name).or_insert(known);
        let kind = cells
            .kind
            .first()
            .copied()
            .unwrap_or(b'?')
            .to_ascii_lowercase();
        let [bid, ask, volatility, underlying] = cells.numbers;
        self.quotes.push(Quote {
            line: cells.line,
            time,
            contract: (name, expiration, cells.strike.to_bits(), kind),
            bid,
            ask,
            volatility,
            underlying,
        });
    }
}

fn read_text(path: &Path, table: &Table, columns: &Columns, rows: &mut Rows) -> Result<(), String> {
    let mut reader = table
        .rows(path)
        .map_err(|e| format!("can't be read: {e}"))?;
    for record in reader.byte_records() {
        let row = record.map_err(|e| format!("can't be read: {e}"))?;
        let cell = |i: Option<usize>| i.and_then(|i| row.get(i)).unwrap_or_default();
        let number = |i: Option<usize>| fast_float2::parse(cell(i)).unwrap_or(f64::NAN);
        rows.push(&Cells {
            line: row.position().map_or(0, csv::Position::line),
            time: moment::parse(cell(Some(columns.time))),
            expiration: moment::parse(cell(Some(columns.expiration))),
            strike: number(Some(columns.strike)),
            name: cell(columns.name),
            root: cell(columns.root),
            kind: cell(columns.kind),
            numbers: columns.numbers().map(number),
        });
    }
    Ok(())
}

fn read_parquet(path: &Path, columns: &Columns, rows: &mut Rows) -> Result<(), String> {
    let numbers: Vec<usize> = columns.numbers().into_iter().flatten().collect();
    let texts: Vec<usize> = [columns.name, columns.root, columns.kind]
        .into_iter()
        .flatten()
        .collect();
    let strikes = [&[columns.strike][..], &numbers].concat();
    let read = parquet_cells(path, &[columns.time, columns.expiration], &strikes, &texts);
    let cells = read.map_err(|e| e.to_string())?;
    let number = |i: Option<usize>, row: usize| {
        let at = numbers.iter().position(|n| Some(*n) == i);
        at.map_or(f64::NAN, |at| cells.numbers[at + 1][row])
    };
    let text = |i: Option<usize>, row: usize| {
        let at = texts.iter().position(|n| Some(*n) == i);
        at.and_then(|at| cells.texts[at][row].as_deref())
            .unwrap_or_default()
            .as_bytes()
    };
    for row in 0..cells.moments[0].len() {
        rows.push(&Cells {
            line: row as u64 + 1,
            time: cells.moments[0][row],
            expiration: cells.moments[1][row],
            strike: cells.numbers[0][row],
            name: text(columns.name, row),
            root: text(columns.root, row),
            kind: text(columns.kind, row),
            numbers: columns.numbers().map(|i| number(i, row)),
        });
    }
    Ok(())
}

/// Lines of the quotes that a test picks.
fn lines(quotes: &[Quote], test: impl Fn(&Quote) -> bool) -> Vec<u64> {
    quotes.iter().filter(|q| test(q)).map(|q| q.line).collect()
}

/// What the chain holds.
fn summary(quotes: &[Quote], findings: &mut Findings<'_>) {
    let days: BTreeSet<i64> = quotes.iter().map(Quote::day).collect();
    let contracts: BTreeSet<Contract> = quotes.iter().map(|q| q.contract).collect();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return;
    };
    let what = format!(
        "an option chain: {} of {} on {} from {} to {}",
        counted(quotes.len(), "quote"),
        counted(contracts.len(), "contract"),
        counted(days.len(), "date"),
        date_of(first * DAY_MICROS),
        date_of(last * DAY_MICROS)
    );
    findings.add_counted(
        FindingKind::Chain,
        &[],
        quotes.len(),
        what,
        "name it as options.pricing.chain; it is no source of prices",
    );
}

/// Rows out of order, and rows twice.
fn order(quotes: &[Quote], findings: &mut Findings<'_>) {
    let back: Vec<u64> = quotes
        .windows(2)
        .filter(|w| w[1].time < w[0].time)
        .map(|w| w[1].line)
        .collect();
    findings.add(
        FindingKind::ChainUnsorted,
        &back,
        |n| {
            format!(
                "time goes back {}: the rows are not in the order of time",
                counted(n, "time")
            )
        },
        "sort them before anything reads the file line by line",
    );
    let mut sorted: Vec<&Quote> = quotes.iter().collect();
    sorted.sort_by_key(|q| (q.time, q.contract));
    let twice: Vec<u64> = sorted
        .windows(2)
        .filter(|w| w[0].time == w[1].time && w[0].contract == w[1].contract)
        .map(|w| w[1].line)
        .collect();
    findings.add(
        FindingKind::ChainDuplicate,
        &twice,
        |n| {
            format!(
                "{} of a contract that has a quote at that moment already",
                counted(n, "quote")
            )
        },
        "keep one of each",
    );
}

/// Quotes on closed days, after expiry, and dates without quotes.
fn dates(quotes: &[Quote], findings: &mut Findings<'_>) {
    let closed = |q: &Quote| !Calendar::Nyse.is_session(date_of(q.time));
    let days: BTreeSet<i64> = quotes.iter().map(Quote::day).collect();
    let shown: Vec<String> = days
        .iter()
        .map(|day| date_of(day * DAY_MICROS))
        .filter(|date| !Calendar::Nyse.is_session(*date))
        .map(|date| date.to_string())
        .collect();
    findings.add(
        FindingKind::ChainClosedDay,
        &lines(quotes, closed),
        |n| {
            format!(
                "{} dated when the exchange was closed: {}",
                counted(n, "quote"),
                some(&shown)
            )
        },
        "they are copies of an earlier day: take the rows of these dates out",
    );
    findings.add(
        FindingKind::ChainExpired,
        &lines(quotes, |q| q.contract.1 < q.day() * DAY_MICROS),
        |n| format!("{} of contracts that had expired", counted(n, "quote")),
        "take them out; a rule that picks by days to expiry would pick a dead contract",
    );
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return;
    };
    let missing: Vec<String> = (*first..*last)
        .filter(|day| !days.contains(day))
        .map(|day| date_of(day * DAY_MICROS))
        .filter(|date| Calendar::Nyse.is_session(*date))
        .map(|date| date.to_string())
        .collect();
    // Fewer dates with quotes than without: a sample, not a chain with holes.
    if !missing.is_empty() && missing.len() < days.len() {
        let what = format!(
            "{} without a quote: {}",
            counted(missing.len(), "session"),
            some(&missing)
        );
        let cure = "positions can't be marked or rolled on these dates; get the rows";
        findings.add_counted(
            FindingKind::ChainMissingDates,
            &[],
            missing.len(),
            what,
            cure,
        );
    }
}

/// The first few of a list.
fn some(list: &[String]) -> String {
    const NAMED: usize = 5;
    let mut text = list[..list.len().min(NAMED)].join(", ");
    if list.len() > NAMED {
        text.push_str(&format!(" and {} more", list.len() - NAMED));
    }
    text
}

/// Prices and volatilities of 0, crossed quotes; gives the dates on which all is 0.
fn zeros(quotes: &[Quote], columns: &Columns, findings: &mut Findings<'_>) -> BTreeSet<i64> {
    let mut zero: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for quote in quotes {
        let of_day = zero.entry(quote.day()).or_default();
        of_day.0 += usize::from(quote.is_zero());
        of_day.1 += 1;
    }
    let days: BTreeSet<i64> = zero
        .iter()
        .filter(|(_, (zeros, all))| zeros == all)
        .map(|(day, _)| *day)
        .collect();
    let shown: Vec<String> = days
        .iter()
        .map(|day| date_of(day * DAY_MICROS).to_string())
        .collect();
    findings.add(
        FindingKind::ChainAllZero,
        &lines(quotes, |q| days.contains(&q.day())),
        |n| {
            format!(
                "every quote is 0 on {} ({})",
                some(&shown),
                counted(n, "row")
            )
        },
        "the date was not recorded: take its rows out",
    );
    let empty = lines(quotes, |q| q.is_zero() && !days.contains(&q.day()));
    let expiring = quotes
        .iter()
        .filter(|q| {
            q.is_zero()
                && !days.contains(&q.day())
                && q.day() == q.contract.1.div_euclid(DAY_MICROS)
        })
        .count();
    findings.add(
        FindingKind::ChainNoQuote,
        &empty,
        |n| {
            format!(
                "{} of 0 on both sides, {expiring} of them on their day of expiry",
                counted(n, "quote")
            )
        },
        "no market was recorded: such contracts can't be traded or marked there",
    );
    if columns.has_quotes {
        one_sided(quotes, findings);
    }
    findings.add(
        FindingKind::ChainNoVolatility,
        &lines(quotes, |q| q.volatility == 0.0 && !days.contains(&q.day())),
        |n| format!("{} with an implied volatility of 0", counted(n, "quote")),
        "it was not computed: choose strikes by a delta of your own pricing",
    );
    days
}

/// Quotes with one side at 0 or with the sides exchanged.
fn one_sided(quotes: &[Quote], findings: &mut Findings<'_>) {
    findings.add(
        FindingKind::ChainZeroBid,
        &lines(quotes, |q| q.bid == 0.0 && q.ask > 0.0),
        |n| format!("{} with a bid of 0 and an ask", counted(n, "quote")),
        "nobody would have bought: such contracts can't be sold",
    );
    findings.add(
        FindingKind::ChainZeroAsk,
        &lines(quotes, |q| q.ask == 0.0 && q.bid > 0.0),
        |n| format!("{} with a bid and an ask of 0", counted(n, "quote")),
        "the ask is missing: such contracts can't be bought",
    );
    findings.add(
        FindingKind::ChainCrossed,
        &lines(quotes, |q| q.bid > q.ask && q.ask > 0.0),
        |n| format!("{} with the bid above the ask", counted(n, "quote")),
        "take them out: a fill between the two would be a gift",
    );
}

/// The last quotes of one date.
struct DayOfQuotes<'a> {
    day: i64,
    line: u64,
    last: BTreeMap<Contract, &'a Quote>,
    /// Underlying price by name and root.
    underlying: BTreeMap<u32, f64>,
}

/// Dates that repeat the one before, and underlying prices that stand still or split.
fn copies(quotes: &[Quote], zero_days: &BTreeSet<i64>, findings: &mut Findings<'_>) {
    let mut days: BTreeMap<i64, DayOfQuotes<'_>> = BTreeMap::new();
    for quote in quotes {
        let day = days.entry(quote.day()).or_insert_with(|| DayOfQuotes {
            day: quote.day(),
            line: quote.line,
            last: BTreeMap::new(),
            underlying: BTreeMap::new(),
        });
        day.last.insert(quote.contract, quote);
        if quote.underlying > 0.0 {
            day.underlying.insert(quote.contract.0, quote.underlying);
        }
    }
    let days: Vec<DayOfQuotes<'_>> = days.into_values().collect();
    let (mut stale, mut still): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for i in 1..days.len() {
        let (before, day) = (&days[i - 1], &days[i]);
        let is_copy = is_copy(before, day);
        if is_copy {
            stale.push(i);
        }
        for (name, price) in &day.underlying {
            let Some(earlier) = before.underlying.get(name) else {
                continue;
            };
            if price.to_bits() == earlier.to_bits() && !is_copy {
                still.push(i);
            }
            underlying_split(day, *earlier, *price, findings);
        }
    }
    still.dedup();
    let shown = |list: &[usize]| -> Vec<String> {
        list.iter()
            .map(|&i| date_of(days[i].day * DAY_MICROS).to_string())
            .collect()
    };
    let lines_of = |list: &[usize]| -> Vec<u64> { list.iter().map(|&i| days[i].line).collect() };
    findings.add(
        FindingKind::ChainStale,
        &lines_of(&stale),
        |n| {
            format!(
                "the quotes of {} repeat those of the date before: {}",
                counted(n, "date"),
                some(&shown(&stale))
            )
        },
        "old quotes under new dates: take the rows of these dates out",
    );
    still.retain(|&i| !zero_days.contains(&days[i].day));
    findings.add(
        FindingKind::ChainUnderlyingStale,
        &lines_of(&still),
        |n| {
            format!(
                "the underlying price stands still on {} while the quotes move: {}",
                counted(n, "date"),
                some(&shown(&still))
            )
        },
        "take the underlying's close from its own tape",
    );
}

/// Whether nearly all contracts of two dates have the same quotes, those of 0 aside.
fn is_copy(before: &DayOfQuotes<'_>, day: &DayOfQuotes<'_>) -> bool {
    let (mut shared, mut same) = (0_usize, 0_usize);
    for (contract, quote) in &day.last {
        if let Some(earlier) = before.last.get(contract)
            && !quote.is_zero()
        {
            shared += 1;
            same += usize::from(quote.is_same(earlier));
        }
    }
    shared >= SHARED_MIN && same as f64 >= COPY_SHARE * shared as f64
}

/// An underlying price that jumps as by a split.
fn underlying_split(day: &DayOfQuotes<'_>, before: f64, after: f64, findings: &mut Findings<'_>) {
    let ratio = after / before;
    if libm::log(ratio).abs() < SPLIT_LOG_MIN {
        return;
    }
    let Some(split) = moves::nearest_ratio(ratio, None) else {
        return;
    };
    let what = format!(
        "the underlying goes from {before} to {after} on {}, as by a {}",
        date_of(day.day * DAY_MICROS),
        moves::split_name(split)
    );
    let cure = "strikes and contracts before and after are not the same: end the run before it, or use data that maps them";
    findings.add_counted(FindingKind::ChainSplit, &[day.line], 1, what, cure);
}
