//! Findings about option chains: quotes on closed days, of expired contracts, copied from another
//! date, empty, or cut through by a split.

use super::table::Table;
use super::underlying::Spots;
use super::{Finding, FindingKind, Findings, arbitrage, counted, moves};
use crate::instrument::Right;
use crate::market::calendar::{Calendar, date_of};
use crate::market::chain::{Field, RawQuotes, read_raw};
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
pub(super) type Contract = (u32, Micros, u64, Right);

/// One row of a chain.
pub(super) struct Quote {
    pub(super) line: u64,
    pub(super) time: Micros,
    pub(super) contract: Contract,
    /// Bid and ask, or open and close where the chain has bars of mid prices.
    pub(super) bid: f64,
    pub(super) ask: f64,
    volatility: f64,
    pub(super) underlying: f64,
}

impl Quote {
    pub(super) fn day(&self) -> i64 {
        self.time.div_euclid(DAY_MICROS)
    }
    fn is_zero(&self) -> bool {
        self.bid == 0.0 && self.ask == 0.0
    }
    fn is_same(&self, other: &Quote) -> bool {
        self.bid.to_bits() == other.bid.to_bits() && self.ask.to_bits() == other.ask.to_bits()
    }
}

/// Findings about a chain, how many rows it has, and what it says of its underlyings.
pub(super) fn audit_chain(path: &Path, file: &str) -> (Vec<Finding>, usize, Vec<Spots>) {
    let mut found = Vec::new();
    let mut findings = Findings {
        file,
        symbol: "",
        found: &mut found,
    };
    let raw = match read_raw(path, None) {
        Ok(raw) => raw,
        Err(error) => {
            let message = error.problems().first().map(|p| p.message.clone());
            findings.add_counted(
                FindingKind::ChainUnreadable,
                &[],
                1,
                message.unwrap_or_default(),
                "check the file",
            );
            return (found, 0, Vec::new());
        }
    };
    let bad: Vec<u64> = raw.bad.iter().map(|(line, _)| *line).collect();
    let what = raw.bad.first().map_or("", |(_, what)| *what);
    findings.add(
        FindingKind::ChainUnreadable,
        &bad,
        |n| {
            format!(
                "{} that are no quotes; the first has {what}",
                counted(n, "row")
            )
        },
        "mend the cells or take the rows out",
    );
    let has_quotes = raw.has(Field::Bid) && raw.has(Field::Ask);
    let quotes = quotes_of(&raw, has_quotes);
    let spots = spots(&raw);
    drop(raw);
    if quotes.is_empty() {
        return (found, 0, spots);
    }
    summary(&quotes, &mut findings);
    order(&quotes, &mut findings);
    dates(&quotes, &mut findings);
    let zero_days = zeros(&quotes, has_quotes, &mut findings);
    copies(&quotes, &zero_days, &mut findings);
    arbitrage::judge(&quotes, has_quotes, &mut findings);
    (found, quotes.len(), spots)
}

/// A table with strikes and expirations that is no chain.
pub(super) fn no_chain(file: &str, table: &Table) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut findings = Findings {
        file,
        symbol: "",
        found: &mut found,
    };
    let what = format!(
        "an option chain without a quote date or a type (columns {})",
        table.names.join(", ")
    );
    let cure = "name the columns quote_date and type";
    findings.add_counted(FindingKind::ChainUnreadable, &[1], 1, what, cure);
    found
}

/// Of each underlying its first price of each moment.
fn spots(raw: &RawQuotes) -> Vec<Spots> {
    let prices = &raw.numbers[Field::UnderlyingPrice as usize];
    let mut first: BTreeMap<(u16, Micros), (u64, f64)> = BTreeMap::new();
    for (row, price) in prices.iter().enumerate() {
        if *price > 0.0 {
            let key = (raw.underlying[row], raw.time[row]);
            let row = (u64::from(raw.line[row]), *price);
            first.entry(key).or_insert(row);
        }
    }
    let mut all: Vec<Spots> = Vec::new();
    let mut last = None;
    for ((name, time), (line, price)) in first {
        if last != Some(name) {
            last = Some(name);
            all.push(Spots {
                symbol: raw.names[usize::from(name)].clone(),
                rows: Vec::new(),
            });
        }
        if let Some(of) = all.last_mut() {
            of.rows.push((line, time, price));
        }
    }
    all
}

fn quotes_of(raw: &RawQuotes, has_quotes: bool) -> Vec<Quote> {
    let number = |field: Field, row: usize| {
        let column = &raw.numbers[field as usize];
        column.get(row).copied().unwrap_or(f64::NAN)
    };
    let last = if raw.has(Field::Last) {
        Field::Last
    } else {
        Field::Open
    };
    let (bid, ask) = match (has_quotes, raw.has(Field::Open)) {
        (true, _) => (Field::Bid, Field::Ask),
        (false, true) => (Field::Open, last),
        (false, false) => (last, last),
    };
    let quote = |row: usize| Quote {
        line: u64::from(raw.line[row]),
        time: raw.time[row],
        contract: (
            u32::from(raw.underlying[row]) << 16 | u32::from(raw.root[row]),
            Micros::from(raw.expiration[row]) * DAY_MICROS,
            raw.strike[row].to_bits(),
            raw.right[row],
        ),
        bid: number(bid, row),
        ask: number(ask, row),
        volatility: number(Field::Volatility, row),
        underlying: number(Field::UnderlyingPrice, row),
    };
    (0..raw.len()).map(quote).collect()
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
pub(super) fn some(list: &[String]) -> String {
    const NAMED: usize = 5;
    let mut text = list[..list.len().min(NAMED)].join(", ");
    if list.len() > NAMED {
        text.push_str(&format!(" and {} more", list.len() - NAMED));
    }
    text
}

/// Prices and volatilities of 0, crossed quotes; gives the dates on which all is 0.
fn zeros(quotes: &[Quote], has_quotes: bool, findings: &mut Findings<'_>) -> BTreeSet<i64> {
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
    if has_quotes {
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
