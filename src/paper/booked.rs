//! What a run books, as rows that a journal keeps, and the proof that a longer run says the same of
//! the past as the shorter one before it.
//!
//! The proof is a hash over the bits of everything that is final: ledger entries, orders that have
//! ended, equity and cash of each bar. What still moves (waiting orders, open trades, the income of
//! the running month) is left out and replaced.

use crate::engine::Run;
use crate::error::{Error, Problem, Result};
use crate::execution::{Order, Reason};
use crate::market::show_time;
use crate::paper::account::hexadecimal;
use crate::portfolio::TradeStatus;
use crate::units::{BarIndex, Micros};
use sha2::{Digest, Sha256};

/// How far the books have come, and a hash of all that is final in them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Progress {
    /// Bars of the run.
    pub(crate) bars: usize,
    /// Entries of the ledger.
    pub(crate) entries: usize,
    /// Orders decided.
    pub(crate) orders: usize,
    /// Numbers of the orders that wait.
    pub(crate) waiting: Vec<u32>,
    /// Hashes in hexadecimal: equity, ledger, ended orders.
    pub(crate) hashes: [String; 3],
}

/// An order that waits for a price after the last bar.
pub(crate) fn is_waiting(order: &Order) -> bool {
    order.reason == Reason::LastBar
}

/// Moments of a run's bars by their index on the market's clock.
pub(crate) fn moment(run: &Run, bar: BarIndex) -> Micros {
    run.time[bar - run.first_bar]
}

impl Progress {
    /// That of a run.
    pub(crate) fn of(run: &Run) -> Self {
        let waiting = run.orders.iter().filter(|o| is_waiting(o));
        let mut progress = Progress {
            bars: run.time.len(),
            entries: run.ledger.len(),
            orders: run.orders.len(),
            waiting: waiting.map(|o| o.id).collect(),
            hashes: Default::default(),
        };
        progress.hashes = hashes(run, &progress);
        progress
    }

    /// Holds what a longer run says of the past against what was booked.
    ///
    /// # Errors
    /// The past would change; `files` are those that are not what they were.
    pub(crate) fn check(&self, run: &Run, files: &[&str]) -> Result<()> {
        if self.bars == 0 {
            return Ok(());
        }
        let shrunk = run.time.len() < self.bars
            || run.ledger.len() < self.entries
            || run.orders.len() < self.orders;
        let names = ["equity", "ledger", "orders"];
        let differs = match shrunk {
            true => Some("bars"),
            false => {
                let now = hashes(run, self);
                let pairs = now.iter().zip(&self.hashes);
                let at = pairs.into_iter().position(|(a, b)| a != b);
                at.map(|k| names[k])
            }
        };
        let Some(what) = differs else {
            return Ok(());
        };
        let problem = Problem::new(format!(
            "the past would change: the {what} booked before are not what the strategy gives now"
        ));
        Err(Error::new(match files {
            [] => problem.help("nothing was written; was the program replaced by another version?"),
            files => problem.help(format!(
                "nothing was written; rows about the past changed in {}: restore them, and append only",
                files.join(", ")
            )),
        }))
    }
}

/// Hashes of what was final when the books had come as far as `upto`.
fn hashes(run: &Run, upto: &Progress) -> [String; 3] {
    let mut equity = Sha256::new();
    for bar in 0..upto.bars {
        equity.update(run.time[bar].to_le_bytes());
        equity.update(run.equity[bar].to_bits().to_le_bytes());
        equity.update(run.cash[bar].to_bits().to_le_bytes());
    }
    let mut ledger = Sha256::new();
    for (place, entry) in run.ledger.iter().take(upto.entries).enumerate() {
        ledger.update(moment(run, entry.bar).to_le_bytes());
        text(&mut ledger, run.layers.name(&run.layers.ledger, place));
        text(&mut ledger, entry.symbol.map_or("", |s| &run.symbols[s]));
        text(&mut ledger, entry.kind.name());
        for number in [entry.quantity, entry.price, entry.amount, entry.cash] {
            ledger.update(number.to_bits().to_le_bytes());
        }
        ledger.update(entry.trade.map_or(0, |t| t as u64 + 1).to_le_bytes());
        text(&mut ledger, &entry.note);
    }
    let mut orders = Sha256::new();
    for order in run.orders.iter().take(upto.orders) {
        if upto.waiting.binary_search(&order.id).is_ok() {
            continue;
        }
        orders.update(order.id.to_le_bytes());
        orders.update(moment(run, order.decided).to_le_bytes());
        text(&mut orders, &run.symbols[order.symbol]);
        for word in [
            order.side.name(),
            order.kind.name(),
            order.outcome.name(),
            order.reason.name(),
        ] {
            text(&mut orders, word);
        }
        let fill = order.fill_bar.map_or(0, |bar| moment(run, bar));
        orders.update(fill.to_le_bytes());
        let price = order.price.unwrap_or(f64::NAN);
        let filled = order.fill_price.unwrap_or(f64::NAN);
        for number in [order.quantity, price, order.filled, filled] {
            orders.update(number.to_bits().to_le_bytes());
        }
    }
    [equity, ledger, orders].map(|hash| hexadecimal(&hash.finalize()))
}

/// Adds a word with its length, so that no two rows run into each other.
fn text(hash: &mut Sha256, word: &str) {
    hash.update((word.len() as u32).to_le_bytes());
    hash.update(word.as_bytes());
}

/// A cell of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Whole(i64),
    Number(f64),
    Text(String),
    Nothing,
}

impl Cell {
    fn optional(number: Option<f64>) -> Cell {
        number.map_or(Cell::Nothing, Cell::Number)
    }
}

/// A table of what was booked: its name, its columns with their kinds, the first one the key.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static str,
}

/// The tables of the books.
pub(crate) const TABLES: [Table; 5] = [
    Table {
        name: "equity",
        columns: "bar INTEGER PRIMARY KEY, date TEXT, equity REAL, cash REAL, holdings REAL, exposure REAL, flow REAL, hurdle REAL",
    },
    Table {
        name: "ledger",
        columns: "entry INTEGER PRIMARY KEY, date TEXT, layer TEXT, symbol TEXT, kind TEXT, quantity REAL, price REAL, amount REAL, cash REAL, trade INTEGER, note TEXT",
    },
    Table {
        name: "orders",
        columns: "id INTEGER PRIMARY KEY, decided TEXT, layer TEXT, symbol TEXT, side TEXT, kind TEXT, quantity REAL, price REAL, outcome TEXT, reason TEXT, filled REAL, fill_date TEXT, fill_price REAL",
    },
    Table {
        name: "trades",
        columns: "trade INTEGER PRIMARY KEY, layer TEXT, symbol TEXT, side TEXT, entry_date TEXT, entry_price REAL, shares REAL, entry_fee REAL, exit_date TEXT, exit_price REAL, exit_fee REAL, pnl REAL, pnl_pct REAL, bars_held INTEGER, reason TEXT, status TEXT",
    },
    Table {
        name: "income",
        columns: "row INTEGER PRIMARY KEY, month TEXT, layer TEXT, symbol TEXT, stream TEXT, amount REAL",
    },
];

/// Every row of a table, from row `from` on (counted from 0), keys first.
pub(crate) fn rows(run: &Run, table: &str, from: usize) -> Vec<Vec<Cell>> {
    let date = |bar: BarIndex| Cell::Text(show_time(moment(run, bar)));
    let word = |word: &str| Cell::Text(word.to_owned());
    let name = |symbol: Option<usize>| word(symbol.map_or("", |s| &run.symbols[s]));
    let layers = &run.layers;
    let key = |place: usize| Cell::Whole(place as i64 + 1);
    match table {
        "equity" => (from..run.time.len())
            .map(|bar| {
                let flow = run.flows.get(bar).copied().unwrap_or(0.0);
                let numbers = [
                    run.equity[bar],
                    run.cash[bar],
                    run.holdings[bar],
                    run.exposure[bar],
                    flow,
                    run.hurdle[bar],
                ];
                let mut row = vec![key(bar), Cell::Text(show_time(run.time[bar]))];
                row.extend(numbers.map(Cell::Number));
                row
            })
            .collect(),
        "ledger" => (from..run.ledger.len())
            .map(|place| {
                let entry = &run.ledger[place];
                let trade = entry
                    .trade
                    .map_or(Cell::Nothing, |t| Cell::Whole(t as i64 + 1));
                let layer = word(layers.name(&layers.ledger, place));
                let mut row = vec![key(place), date(entry.bar), layer, name(entry.symbol)];
                row.push(word(entry.kind.name()));
                let numbers = [entry.quantity, entry.price, entry.amount, entry.cash];
                row.extend(numbers.map(Cell::Number));
                row.extend([trade, word(&entry.note)]);
                row
            })
            .collect(),
        "orders" => (from..run.orders.len())
            .map(|p| order_row(run, p))
            .collect(),
        "trades" => (from..run.trades.len())
            .map(|p| trade_row(run, p))
            .collect(),
        _ => (from..run.income.len())
            .map(|place| {
                let row = &run.income[place];
                let layer = word(layers.name(&layers.income, place));
                let stream = word(row.stream.name());
                vec![
                    key(place),
                    word(&row.month),
                    layer,
                    name(row.symbol),
                    stream,
                    Cell::Number(row.amount),
                ]
            })
            .collect(),
    }
}

/// An order; one that waits is `open`.
fn order_row(run: &Run, place: usize) -> Vec<Cell> {
    let order = &run.orders[place];
    let word = |word: &str| Cell::Text(word.to_owned());
    let date = |bar: BarIndex| Cell::Text(show_time(moment(run, bar)));
    let (outcome, reason) = match is_waiting(order) {
        true => ("open", ""),
        false => (order.outcome.name(), order.reason.name()),
    };
    vec![
        Cell::Whole(i64::from(order.id)),
        date(order.decided),
        word(run.layers.name(&run.layers.orders, place)),
        word(&run.symbols[order.symbol]),
        word(order.side.name()),
        word(order.kind.name()),
        Cell::Number(order.quantity),
        Cell::optional(order.price),
        word(outcome),
        word(reason),
        Cell::Number(order.filled),
        order.fill_bar.map_or(Cell::Nothing, date),
        Cell::optional(order.fill_price),
    ]
}

fn trade_row(run: &Run, place: usize) -> Vec<Cell> {
    let trade = &run.trades[place];
    let word = |word: &str| Cell::Text(word.to_owned());
    let date = |bar: BarIndex| Cell::Text(show_time(moment(run, bar)));
    let reason = match trade.status {
        TradeStatus::Open => "",
        TradeStatus::Closed => trade.reason.name(),
    };
    vec![
        Cell::Whole(place as i64 + 1),
        word(run.layers.name(&run.layers.trades, place)),
        word(&run.symbols[trade.symbol]),
        word(trade.side.name()),
        date(trade.entry_bar),
        Cell::Number(trade.entry_price),
        Cell::Number(trade.shares),
        Cell::Number(trade.entry_fee),
        date(trade.exit_bar),
        Cell::Number(trade.exit_price),
        Cell::Number(trade.exit_fee),
        Cell::Number(trade.pnl),
        Cell::Number(trade.pnl_pct),
        Cell::Whole(i64::from(trade.bars_held)),
        word(reason),
        word(trade.status.name()),
    ]
}
