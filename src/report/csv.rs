//! The CSV files of a run's folder: equity, trades, orders, ledger, income. Formatting only.
//!
//! Every file has a header, ISO dates and shortest decimals (`cell.rs`); a value that does not exist
//! is an empty cell. A trade's number in the ledger is its row in `trades.csv`, counted from 1.
//! The files are checked against one another by `verify.rs`.

use crate::engine::Run;
use crate::portfolio::TradeStatus;
use crate::report::cell;
use crate::units::BarIndex;
use std::borrow::Cow;

/// The columns of `equity.csv` before those of the benchmarks.
pub const EQUITY_COLUMNS: [&str; 5] = ["date", "equity", "cash", "exposure", "drawdown"];
/// The columns of `equity.csv` after those of the benchmarks, so that the file explains its own
/// equity: market value of what is held, dividends between ex-date and pay-date, and the external
/// flow before the open.
pub const EQUITY_COLUMNS_LAST: [&str; 3] = ["holdings", "receivable", "flow"];
/// The columns of `trades.csv`; a run of layers has [`LAYER_COLUMN`] behind them.
pub const TRADE_COLUMNS: [&str; 14] = [
    "symbol",
    "side",
    "entry_date",
    "entry_price",
    "shares",
    "entry_fee",
    "exit_date",
    "exit_price",
    "exit_fee",
    "pnl",
    "pnl_pct",
    "bars_held",
    "reason",
    "status",
];
/// The columns of `orders.csv`; a run of layers has [`LAYER_COLUMN`] behind them.
pub const ORDER_COLUMNS: [&str; 12] = [
    "id",
    "decided",
    "symbol",
    "side",
    "kind",
    "quantity",
    "price",
    "outcome",
    "reason",
    "filled",
    "fill_date",
    "fill_price",
];
/// The last column of `trades.csv` and `orders.csv` in a run of layers: whose the row is.
pub const LAYER_COLUMN: &str = "layer";
/// The columns of `ledger.csv`.
pub const LEDGER_COLUMNS: [&str; 10] = [
    "date", "layer", "symbol", "kind", "quantity", "price", "amount", "cash", "trade", "note",
];
/// The columns of `income.csv`.
pub const INCOME_COLUMNS: [&str; 5] = ["month", "layer", "symbol", "stream", "amount"];

/// Rows of cells, quoted where a cell needs it.
pub(crate) struct Table {
    writer: ::csv::Writer<Vec<u8>>,
    cell: String,
}

/// Writing to memory cannot fail, and rows of unequal length are a bug of this file.
const IN_MEMORY: &str = "a table in memory takes rows of one length";

impl Table {
    pub(crate) fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Table {
            writer: ::csv::Writer::from_writer(Vec::new()),
            cell: String::new(),
        };
        for name in header {
            table.text(name);
        }
        table.end();
        table
    }

    pub(crate) fn text(&mut self, text: &str) {
        let written = self.writer.write_field(text);
        debug_assert!(written.is_ok(), "{IN_MEMORY}");
    }

    pub(crate) fn number(&mut self, value: f64) {
        let mut cell = std::mem::take(&mut self.cell);
        cell.clear();
        cell::push_number(&mut cell, value);
        self.text(&cell);
        self.cell = cell;
    }

    pub(crate) fn number_or_empty(&mut self, value: Option<f64>) {
        self.number(value.unwrap_or(f64::NAN));
    }

    pub(crate) fn whole(&mut self, value: usize) {
        self.text(&value.to_string());
    }

    pub(crate) fn end(&mut self) {
        let written = self.writer.write_record(None::<&[u8]>);
        debug_assert!(written.is_ok(), "{IN_MEMORY}");
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner().unwrap_or_default()
    }
}

/// The dates of a run, ready to be written.
struct Dates<'a> {
    run: &'a Run,
    intraday: bool,
}

impl<'a> Dates<'a> {
    fn of(run: &'a Run) -> Self {
        Dates {
            run,
            intraday: cell::is_intraday(&run.time),
        }
    }

    /// The moment of a bar, given by its index on the market's clock.
    fn at(&self, bar: BarIndex) -> String {
        cell::moment(self.run.time[bar - self.run.first_bar], self.intraday)
    }
}

pub(crate) fn symbol_name(run: &Run, symbol: Option<usize>) -> &str {
    symbol.map_or("", |s| run.symbols[s].as_str())
}

/// `equity.csv`: one row a bar. `drawdown` has one element a bar; each benchmark is its name (with
/// `_benchmark` behind it where the name is a column already) and its equity at each bar of the run.
pub fn equity(run: &Run, drawdown: &[f64], benchmarks: &[(&str, &[f64])]) -> Vec<u8> {
    let ours = || EQUITY_COLUMNS.into_iter().chain(EQUITY_COLUMNS_LAST);
    // A header names every column once: the benchmark `cash` stands beside the account's cash.
    let names = benchmarks.iter().map(|(name, _)| match *name {
        name if ours().any(|known| known == name) => Cow::from(format!("{name}_benchmark")),
        name => Cow::from(name),
    });
    let names = names.collect::<Vec<_>>();
    let mut table = Table::new(
        EQUITY_COLUMNS
            .into_iter()
            .chain(names.iter().map(Cow::as_ref))
            .chain(EQUITY_COLUMNS_LAST),
    );
    let dates = Dates::of(run);
    for bar in 0..run.time.len() {
        table.text(&dates.at(run.first_bar + bar));
        table.number(run.equity[bar]);
        table.number(run.cash[bar]);
        table.number(run.exposure[bar]);
        table.number_or_empty(drawdown.get(bar).copied());
        for (_, equity) in benchmarks {
            table.number_or_empty(equity.get(bar).copied());
        }
        table.number(run.holdings[bar]);
        table.number(receivable(run, bar));
        table.number(run.flows.get(bar).copied().unwrap_or(0.0));
        table.end();
    }
    table.into_bytes()
}

/// What equity is beyond cash and holdings. The last bits of a sum of many holdings are no dividend.
fn receivable(run: &Run, bar: usize) -> f64 {
    let rest = run.equity[bar] - run.cash[bar] - run.holdings[bar];
    if rest.abs() <= 1e-9 * run.equity[bar].abs() {
        0.0
    } else {
        rest
    }
}

/// `equity_by_symbol.csv`, only with `[account] each`: one row a bar, one column a symbol's own
/// account.
pub fn equity_by_symbol(run: &Run) -> Vec<u8> {
    let names = run
        .each
        .iter()
        .map(|own| symbol_name(run, Some(own.symbol)));
    let mut table = Table::new(std::iter::once("date").chain(names));
    let dates = Dates::of(run);
    for bar in 0..run.time.len() {
        table.text(&dates.at(run.first_bar + bar));
        for own in &run.each {
            table.number_or_empty(own.equity.get(bar).copied());
        }
        table.end();
    }
    table.into_bytes()
}

/// `equity_by_layer.csv`, only in a run of layers: one row a bar, one column a layer.
pub fn equity_by_layer(run: &Run) -> Vec<u8> {
    let layers = &run.layers.runs;
    let names = layers.iter().map(|layer| layer.name.as_str());
    let mut table = Table::new(std::iter::once("date").chain(names));
    let dates = Dates::of(run);
    for bar in 0..run.time.len() {
        table.text(&dates.at(run.first_bar + bar));
        for layer in layers {
            table.number_or_empty(layer.equity.get(bar).copied());
        }
        table.end();
    }
    table.into_bytes()
}

fn layer_column(run: &Run) -> Option<&'static str> {
    (!run.layers.runs.is_empty()).then_some(LAYER_COLUMN)
}

/// The layer of a record, where there are layers.
fn layer_cell(table: &mut Table, run: &Run, of: &[usize], record: usize) {
    if layer_column(run).is_some() {
        table.text(run.layers.name(of, record));
    }
}

/// `trades.csv`: one row a round trip, open ones too. While a trade is open its exit is the last bar
/// at its close, and its reason is empty.
pub fn trades(run: &Run) -> Vec<u8> {
    let mut table = Table::new(TRADE_COLUMNS.into_iter().chain(layer_column(run)));
    let dates = Dates::of(run);
    for (place, trade) in run.trades.iter().enumerate() {
        table.text(symbol_name(run, Some(trade.symbol)));
        table.text(trade.side.name());
        table.text(&dates.at(trade.entry_bar));
        table.number(trade.entry_price);
        table.number(trade.shares);
        table.number(trade.entry_fee);
        table.text(&dates.at(trade.exit_bar));
        table.number(trade.exit_price);
        table.number(trade.exit_fee);
        table.number(trade.pnl);
        table.number(trade.pnl_pct);
        table.whole(trade.bars_held as usize);
        table.text(match trade.status {
            TradeStatus::Open => "",
            TradeStatus::Closed => trade.reason.name(),
        });
        table.text(trade.status.name());
        layer_cell(&mut table, run, &run.layers.trades, place);
        table.end();
    }
    table.into_bytes()
}

/// `orders.csv`: one row an order, in the order of decision.
pub fn orders(run: &Run) -> Vec<u8> {
    let mut table = Table::new(ORDER_COLUMNS.into_iter().chain(layer_column(run)));
    let dates = Dates::of(run);
    for (place, order) in run.orders.iter().enumerate() {
        table.whole(order.id as usize);
        table.text(&dates.at(order.decided));
        table.text(symbol_name(run, Some(order.symbol)));
        table.text(order.side.name());
        table.text(order.kind.name());
        table.number(order.quantity);
        table.number_or_empty(order.price);
        table.text(order.outcome.name());
        table.text(order.reason.name());
        table.number(order.filled);
        table.text(&order.fill_bar.map_or(String::new(), |bar| dates.at(bar)));
        table.number_or_empty(order.fill_price);
        layer_cell(&mut table, run, &run.layers.orders, place);
        table.end();
    }
    table.into_bytes()
}

/// `ledger.csv`: one row an entry, in the order of booking. The layer is empty in a strategy
/// without layers.
pub fn ledger(run: &Run) -> Vec<u8> {
    let mut table = Table::new(LEDGER_COLUMNS);
    let dates = Dates::of(run);
    for (place, entry) in run.ledger.iter().enumerate() {
        table.text(&dates.at(entry.bar));
        table.text(run.layers.name(&run.layers.ledger, place));
        table.text(symbol_name(run, entry.symbol));
        table.text(entry.kind.name());
        table.number(entry.quantity);
        table.number(entry.price);
        table.number(entry.amount);
        table.number(entry.cash);
        match entry.trade {
            Some(trade) => table.whole(trade + 1),
            None => table.text(""),
        }
        table.text(&entry.note);
        table.end();
    }
    table.into_bytes()
}

/// `income.csv`: one row a month, symbol and stream; the amounts sum to the change of equity.
pub fn income(run: &Run) -> Vec<u8> {
    let mut table = Table::new(INCOME_COLUMNS);
    for (place, row) in run.income.iter().enumerate() {
        table.text(&row.month);
        table.text(run.layers.name(&run.layers.income, place));
        table.text(symbol_name(run, row.symbol));
        table.text(row.stream.name());
        table.number(row.amount);
        table.end();
    }
    table.into_bytes()
}
