//! Checks the books of a run's folder from its files alone: what one file says must follow from the
//! others. It trusts no total: cash is replayed entry by entry, holdings fill by fill.
//!
//! Amounts are held equal to 1e-9 of the equity of that moment. Prices between fills are not in the
//! folder, so the value of what is held is checked where the files give it: it is zero when nothing
//! is held, and the closing prices of open trades on the last bar.

mod books;
mod taxes;
mod trades;

use crate::error::Result;
use crate::portfolio::{EntryKind, Stream};
use crate::report::cell;
use crate::report::manifest::{Manifest, sha256_of_file};
use crate::report::verify::books::{Books, IncomeLine, LedgerRow};
use crate::units::Micros;
use std::collections::BTreeMap;
use std::path::Path;

/// Share of the equity to which amounts must agree.
const TOLERANCE: f64 = 1e-9;

/// Letters of a contract's symbol after its root: date, right and strike.
const CONTRACT_TAIL: usize = 15;

/// Findings shown of one check; the rest is only counted, since one fault moves all later rows.
const SHOWN_A_CHECK: usize = 5;

/// Something in the folder that does not follow from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// File in the folder.
    pub file: String,
    /// Line of the file; the header is line 1. `None` when it is about the file as a whole.
    pub line: Option<usize>,
    /// What is wrong, with both numbers.
    pub message: String,
}

/// One check: what it held against what, over how many rows, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked, a short sentence.
    pub what: &'static str,
    /// Rows that it looked at.
    pub rows: usize,
    /// The first findings.
    pub findings: Vec<Finding>,
    /// How many findings there were in all.
    pub found: usize,
}

impl Check {
    fn new(what: &'static str) -> Self {
        Check {
            what,
            rows: 0,
            findings: Vec::new(),
            found: 0,
        }
    }

    fn add(&mut self, file: &str, line: Option<usize>, message: String) {
        self.found += 1;
        if self.findings.len() < SHOWN_A_CHECK {
            self.findings.push(Finding {
                file: file.to_string(),
                line,
                message,
            });
        }
    }

    /// Adds a finding when `got` is not `expected` to the tolerance of `equity`.
    fn amount(&mut self, at: (&str, usize), what: &str, got: f64, expected: f64, equity: f64) {
        if !agree(got, expected, equity) {
            let message = format!(
                "{what} is {}, but {} follows from the rest",
                cell::number(got),
                cell::number(expected)
            );
            self.add(at.0, Some(at.1), message);
        }
    }
}

fn agree(a: f64, b: f64, equity: f64) -> bool {
    (a - b).abs() <= TOLERANCE * equity.abs().max(1.0)
}

/// Checks the folder of a finished run.
///
/// # Errors
/// The folder has no manifest that can be read; everything else is a finding.
pub fn verify(dir: &Path) -> Result<Vec<Check>> {
    let manifest = Manifest::read(dir)?;
    let mut unread = Check::new("the files can be read");
    let books = Books::read(dir, &mut unread);
    let mut checks = vec![files_are_as_written(dir, &manifest), unread];
    if let Some(books) = books {
        checks.extend([
            cash_replays(&books),
            equity_is_cash_and_holdings(&books),
            what_is_owed_is_paid(&books),
            holdings_follow_from_fills(&books),
            income_is_the_change_of_equity(&books),
            income_follows_from_the_ledger(&books),
            premiums_follow_from_the_ledger(&books),
            orders_have_one_outcome(&books),
            trades::follow_from_the_ledger(&books),
        ]);
        checks.extend(taxes::follow_from_lots(&books, &manifest));
    }
    Ok(checks)
}

fn files_are_as_written(dir: &Path, manifest: &Manifest) -> Check {
    let mut check = Check::new("every file is the one that the run wrote");
    for file in &manifest.files {
        check.rows += 1;
        match sha256_of_file(&dir.join(&file.file)) {
            Ok(hash) if hash == file.sha256 => {}
            Ok(_) => check.add(&file.file, None, "was changed since the run".to_string()),
            Err(_) => check.add(&file.file, None, "is missing".to_string()),
        }
    }
    check
}

fn cash_replays(books: &Books) -> Check {
    let mut check = Check::new("cash is the sum of the ledger's amounts, entry by entry");
    let mut before = (0.0, Micros::MIN);
    for row in &books.ledger {
        check.rows += 1;
        let at = ("ledger.csv", row.line);
        let equity = books.equity_at(row.time);
        let expected = before.0 + row.cash_change();
        check.amount(at, "cash", row.cash, expected, equity);
        if ["buy", "sell"].contains(&row.kind.as_str()) {
            let paid = -row.quantity * row.price;
            check.amount(at, "amount", row.amount, paid, equity);
        }
        if row.time < before.1 {
            check.add(
                at.0,
                Some(at.1),
                "is dated before the entry above it".into(),
            );
        }
        before = (row.cash, row.time);
    }
    check
}

fn equity_is_cash_and_holdings(books: &Books) -> Check {
    let mut check = Check::new("equity is cash, holdings and receivables on every bar");
    let mut booked = 0;
    for (bar, row) in books.equity.iter().enumerate() {
        check.rows += 1;
        let at = ("equity.csv", row.line);
        booked += books.ledger[booked..]
            .iter()
            .take_while(|entry| entry.time <= row.time)
            .count();
        let cash = booked.checked_sub(1).map_or(0.0, |i| books.ledger[i].cash);
        check.amount(at, "cash", row.cash, cash, row.equity);
        let sum = row.cash + row.holdings + row.receivable;
        check.amount(at, "equity", row.equity, sum, row.equity);
        if bar > 0 && books.equity[bar - 1].time >= row.time {
            check.add(
                at.0,
                Some(at.1),
                "is not dated after the row above it".into(),
            );
        }
    }
    if booked < books.ledger.len() {
        let line = books.ledger[booked].line;
        check.add(
            "ledger.csv",
            Some(line),
            "is dated after the last bar".into(),
        );
    }
    check
}

/// Dividends count from the ex-date (income) and are cash from the pay-date (ledger), taxes count from
/// the day they fall due and are cash when they are paid: at the end of every month the difference is
/// what is receivable.
fn what_is_owed_is_paid(books: &Books) -> Check {
    let mut check = Check::new("dividends and taxes are either owed or paid");
    let mut owed = 0.0;
    let is_owed = |row: &&IncomeLine| ["dividends", "tax"].contains(&row.stream.as_str());
    let mut income = books.income.iter().filter(is_owed);
    let mut next = income.next();
    let paid = |row: &&LedgerRow| ["dividend", "tax"].contains(&row.kind.as_str());
    let mut payments = books.ledger.iter().filter(paid).peekable();
    for (bar, row) in books.equity.iter().enumerate() {
        let month = row.month();
        let after = books.equity.get(bar + 1);
        if after.is_some_and(|after| after.month() == month) {
            continue;
        }
        check.rows += 1;
        while let Some(line) = next.filter(|line| line.month <= month) {
            owed += line.amount;
            next = income.next();
        }
        while let Some(entry) = payments.next_if(|entry| entry.time <= row.time) {
            owed -= entry.amount;
        }
        let at = ("equity.csv", row.line);
        check.amount(at, "receivable", row.receivable, owed, row.equity);
    }
    check
}

fn holdings_follow_from_fills(books: &Books) -> Check {
    let mut check = Check::new("holdings are what the ledger bought and has not sold");
    let mut held: BTreeMap<&str, f64> = BTreeMap::new();
    let mut entries = books.ledger.iter().peekable();
    for row in &books.equity {
        check.rows += 1;
        while let Some(entry) = entries.next_if(|entry| entry.time <= row.time) {
            if moves_shares(&entry.kind) {
                *held.entry(&entry.symbol).or_insert(0.0) += entry.quantity;
            }
        }
        let is_flat = held.values().all(|shares| shares.abs() < 1e-9);
        if is_flat {
            let at = ("equity.csv", row.line);
            check.amount(at, "holdings", row.holdings, 0.0, row.equity);
        }
    }
    check
}

fn moves_shares(kind: &str) -> bool {
    ["buy", "sell", "split", "delisted"].contains(&kind) || moves_options(kind)
}

fn moves_options(kind: &str) -> bool {
    const KINDS: [EntryKind; 5] = [
        EntryKind::PremiumReceived,
        EntryKind::PremiumPaid,
        EntryKind::Exercise,
        EntryKind::Assignment,
        EntryKind::Expiry,
    ];
    KINDS.iter().any(|known| known.name() == kind)
}

/// The symbol under which the income table has a contract: its underlying.
fn underlying(symbol: &str) -> &str {
    let is_contract = |tail: &str| {
        let bytes = tail.as_bytes();
        let digits = |range: std::ops::Range<usize>| bytes[range].iter().all(u8::is_ascii_digit);
        digits(0..6) && [b'C', b'P'].contains(&bytes[6]) && digits(7..15)
    };
    let at = symbol.len().checked_sub(CONTRACT_TAIL);
    match at.and_then(|at| symbol.split_at_checked(at)) {
        Some((root, tail)) if !root.is_empty() && is_contract(tail) => root,
        _ => symbol,
    }
}

fn is_contract(symbol: &str) -> bool {
    underlying(symbol) != symbol
}

/// Premiums, month by month and underlying by underlying, gross and bought back.
fn premiums_follow_from_the_ledger(books: &Books) -> Check {
    let mut check = Check::new("option premiums are those of the ledger");
    let end = books.equity_at_end();
    let streams = [Stream::Premium.name(), Stream::BoughtBack.name()];
    let mut held: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    let mut sums: BTreeMap<(&str, String, &str), (usize, f64, f64)> = BTreeMap::new();
    for row in &books.income {
        if let Some(stream) = streams.iter().find(|s| **s == row.stream) {
            check.rows += 1;
            let key = (*stream, row.month.clone(), row.symbol.as_str());
            let sum = sums.entry(key).or_insert((row.line, 0.0, 0.0));
            sum.1 += row.amount;
        }
    }
    for row in &books.ledger {
        let key = (row.layer.as_str(), row.symbol.as_str());
        let before = held.get(&key).copied().unwrap_or(0.0);
        let is_split = row.kind == EntryKind::Split.name() && is_contract(&row.symbol);
        if moves_options(&row.kind) || is_split {
            *held.entry(key).or_insert(0.0) += row.quantity;
        }
        // What was held and is sold is no premium, and what is bought to hold no buying back.
        let stream = match row.kind.as_str() {
            kind if kind == EntryKind::PremiumReceived.name() && before <= 1e-9 => streams[0],
            kind if kind == EntryKind::PremiumPaid.name() && before < -1e-9 => streams[1],
            _ => continue,
        };
        let key = (stream, row.month(), underlying(&row.symbol));
        sums.entry(key).or_insert((1, 0.0, 0.0)).2 += row.amount;
    }
    for ((stream, month, symbol), (line, income, booked)) in sums {
        let what = format!("{stream} of {month} {symbol}");
        check.amount(("income.csv", line), &what, income, booked, end);
    }
    check
}

fn income_is_the_change_of_equity(books: &Books) -> Check {
    let mut check = Check::new("income adds up to the change of equity, month by month");
    let mut months: BTreeMap<String, f64> = BTreeMap::new();
    for row in &books.equity {
        months.insert(row.month(), row.equity);
    }
    let mut by_month: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for row in &books.income {
        check.rows += 1;
        if !months.contains_key(&row.month) {
            let message = format!("month {} has no bar", row.month);
            check.add("income.csv", Some(row.line), message);
        }
        let month = by_month.entry(&row.month).or_insert((row.line, 0.0));
        month.1 += row.amount;
    }
    let mut equity = books.start_equity();
    for (month, at_end) in &months {
        let (line, sum) = by_month.get(month.as_str()).copied().unwrap_or((1, 0.0));
        let what = format!("the income of {month}");
        check.amount(("income.csv", line), &what, sum, at_end - equity, *at_end);
        equity = *at_end;
    }
    check
}

/// The income streams that are ledger entries of one kind, month by month and symbol by symbol.
const STREAMS: [(&str, &[&str]); 6] = [
    ("interest", &["interest"]),
    ("margin_interest", &["margin_interest"]),
    ("borrow", &["borrow"]),
    ("fees", &["commission"]),
    ("slippage", &["slippage"]),
    ("flows", &["deposit", "withdrawal", "transfer"]),
];

fn income_follows_from_the_ledger(books: &Books) -> Check {
    let mut check = Check::new("fees, slippage, interest and flows are those of the ledger");
    let end = books.equity_at_end();
    for (stream, kinds) in STREAMS {
        let mut sums: BTreeMap<(String, &str), (usize, f64, f64)> = BTreeMap::new();
        for row in books.income.iter().filter(|row| row.stream == stream) {
            check.rows += 1;
            let key = (row.month.clone(), row.symbol.as_str());
            let sum = sums.entry(key).or_insert((row.line, 0.0, 0.0));
            sum.1 += row.amount;
        }
        for row in books.ledger.iter().filter(|row| !row.is_opening) {
            // The premium of an option is what was paid: its spread is a note beside it.
            let is_note = row.kind == EntryKind::Slippage.name() && is_contract(&row.symbol);
            if kinds.contains(&row.kind.as_str()) && !is_note {
                let key = (row.month(), underlying(&row.symbol));
                sums.entry(key).or_insert((1, 0.0, 0.0)).2 += row.amount;
            }
        }
        for ((month, symbol), (line, income, booked)) in sums {
            let what = format!("{stream} of {month} {symbol}");
            let what = what.trim_end();
            check.amount(("income.csv", line), what, income, booked, end);
        }
    }
    let flows: f64 = books.equity.iter().map(|row| row.flow).sum();
    let booked: f64 = books.ledger.iter().map(flow_of).sum();
    check.amount(("equity.csv", 1), "the sum of flows", flows, booked, end);
    check
}

fn flow_of(row: &LedgerRow) -> f64 {
    if !row.is_opening && ["deposit", "withdrawal"].contains(&row.kind.as_str()) {
        row.amount
    } else {
        0.0
    }
}

fn orders_have_one_outcome(books: &Books) -> Check {
    let mut check = Check::new("every order ended in one outcome that fits its fill");
    for (index, order) in books.orders.iter().enumerate() {
        check.rows += 1;
        let mut fault = |message: String| check.add("orders.csv", Some(order.line), message);
        if order.id != index + 1 {
            fault(format!("id is {}, not {}", order.id, index + 1));
        }
        if order.fill.is_some_and(|(date, _)| date < order.decided) {
            fault("was filled before it was decided".to_string());
        }
        let filled = order.filled > 0.0;
        let fits = match order.outcome.as_str() {
            "filled" | "partly_filled" => filled && order.fill.is_some(),
            "cancelled" | "rejected" | "expired" => !filled && order.fill.is_none(),
            other => {
                fault(format!("outcome is \"{other}\", which is none"));
                continue;
            }
        };
        if !fits {
            let filled = cell::number(order.filled);
            fault(format!("is {} with {filled} shares filled", order.outcome));
        }
        if order.outcome == "partly_filled" && order.filled >= order.quantity {
            fault("is partly filled, but all of it was filled".to_string());
        }
    }
    check
}
