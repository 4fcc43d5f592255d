//! Reads the CSV files of a run's folder back into values. What follows from what is left to
//! `mod.rs`.

use crate::market::date_of;
use crate::portfolio::{EntryKind, OPENING_CASH};
use crate::report::cell;
use crate::report::taxes::TAX_COLUMNS;
use crate::report::verify::Check;
use crate::units::Micros;
use chrono::Datelike;
use std::path::Path;

/// What a cell holds, or why it cannot be read.
type Cell<T> = std::result::Result<T, String>;

pub(super) struct EquityRow {
    pub(super) line: usize,
    pub(super) time: Micros,
    pub(super) equity: f64,
    pub(super) cash: f64,
    pub(super) holdings: f64,
    pub(super) receivable: f64,
    pub(super) flow: f64,
}

impl EquityRow {
    /// `YYYY-MM`.
    pub(super) fn month(&self) -> String {
        cell::month(self.time)
    }
}

pub(super) struct LedgerRow {
    pub(super) line: usize,
    pub(super) time: Micros,
    pub(super) layer: String,
    pub(super) symbol: String,
    pub(super) kind: String,
    pub(super) quantity: f64,
    pub(super) price: f64,
    pub(super) amount: f64,
    pub(super) cash: f64,
    pub(super) trade: Option<usize>,
    /// The cash that an account began with.
    pub(super) is_opening: bool,
}

impl LedgerRow {
    /// Amount that changed cash: a memo does not.
    pub(super) fn cash_change(&self) -> f64 {
        if self.kind == "slippage" {
            0.0
        } else {
            self.amount
        }
    }

    pub(super) fn month(&self) -> String {
        cell::month(self.time)
    }

    pub(super) fn year(&self) -> i32 {
        date_of(self.time).year()
    }
}

pub(super) struct OrderRow {
    pub(super) line: usize,
    pub(super) id: usize,
    pub(super) decided: Micros,
    pub(super) quantity: f64,
    pub(super) outcome: String,
    pub(super) filled: f64,
    pub(super) fill: Option<(Micros, f64)>,
}

pub(super) struct TradeRow {
    pub(super) line: usize,
    pub(super) symbol: String,
    pub(super) shares: f64,
    pub(super) entry_price: f64,
    pub(super) entry_fee: f64,
    pub(super) exit_price: f64,
    pub(super) pnl: f64,
    pub(super) pnl_pct: f64,
    pub(super) is_open: bool,
}

pub(super) struct IncomeLine {
    pub(super) line: usize,
    pub(super) month: String,
    pub(super) symbol: String,
    pub(super) stream: String,
    pub(super) amount: f64,
}

/// A year of `tax.csv`.
pub(super) struct TaxRow {
    pub(super) line: usize,
    pub(super) year: i32,
    /// Money, in the order of the columns after the year.
    pub(super) amounts: Vec<f64>,
}

/// A row of `lots.csv`.
pub(super) struct LotRow {
    pub(super) line: usize,
    /// Year of the sale; `None` while open.
    pub(super) sold: Option<i32>,
    pub(super) proceeds: f64,
    pub(super) basis: f64,
    pub(super) gain: f64,
    pub(super) disallowed: f64,
    pub(super) is_long_term: bool,
}

/// The files of the folder as values.
pub(super) struct Books {
    pub(super) equity: Vec<EquityRow>,
    pub(super) ledger: Vec<LedgerRow>,
    pub(super) orders: Vec<OrderRow>,
    pub(super) trades: Vec<TradeRow>,
    pub(super) income: Vec<IncomeLine>,
    /// Only of a run with taxes.
    pub(super) taxes: Option<(Vec<TaxRow>, Vec<LotRow>)>,
}

/// A CSV file with its header.
struct Sheet {
    file: &'static str,
    columns: Vec<String>,
    rows: Vec<::csv::StringRecord>,
}

/// One row of a sheet; a cell that cannot be read is a finding and the row is left out.
struct Row<'a> {
    sheet: &'a Sheet,
    index: usize,
}

impl Sheet {
    fn read(dir: &Path, file: &'static str, check: &mut Check) -> Option<Sheet> {
        let read = || -> std::result::Result<Sheet, ::csv::Error> {
            let mut reader = ::csv::Reader::from_path(dir.join(file))?;
            let columns = reader.headers()?.iter().map(String::from).collect();
            let rows = reader.records().collect::<std::result::Result<_, _>>()?;
            Ok(Sheet {
                file,
                columns,
                rows,
            })
        };
        read()
            .map_err(|cause| check.add(file, None, cause.to_string()))
            .ok()
    }

    /// Every row through `build`; the rows that cannot be read are findings.
    fn map<T>(&self, check: &mut Check, build: impl Fn(&Row<'_>) -> Cell<T>) -> Vec<T> {
        check.rows += self.rows.len();
        let mut built = Vec::with_capacity(self.rows.len());
        for index in 0..self.rows.len() {
            let row = Row { sheet: self, index };
            match build(&row) {
                Ok(value) => built.push(value),
                Err(message) => check.add(self.file, Some(row.line()), message),
            }
        }
        built
    }
}

impl Row<'_> {
    fn line(&self) -> usize {
        self.index + 2
    }

    fn text(&self, column: &str) -> Cell<&str> {
        let place = self.sheet.columns.iter().position(|c| c == column);
        place
            .and_then(|place| self.sheet.rows[self.index].get(place))
            .ok_or_else(|| format!("has no column {column}"))
    }

    fn number(&self, column: &str) -> Cell<f64> {
        let text = self.text(column)?;
        let value = text.parse().ok().filter(|v: &f64| v.is_finite());
        value.ok_or_else(|| format!("{column} is \"{text}\", not a number"))
    }

    fn whole(&self, column: &str) -> Cell<usize> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| format!("{column} is \"{text}\", not a whole number"))
    }

    fn moment(&self, column: &str) -> Cell<Micros> {
        let text = self.text(column)?;
        cell::parse_moment(text).ok_or_else(|| format!("{column} is \"{text}\", not a date"))
    }

    /// `None` for an empty cell.
    fn given<T>(&self, column: &str, read: impl Fn(&Self, &str) -> Cell<T>) -> Cell<Option<T>> {
        if self.text(column)?.is_empty() {
            return Ok(None);
        }
        read(self, column).map(Some)
    }
}

impl Books {
    /// `None` when a file is missing or empty; that is a finding already.
    pub(super) fn read(dir: &Path, check: &mut Check) -> Option<Books> {
        let equity = Sheet::read(dir, "equity.csv", check);
        let ledger = Sheet::read(dir, "ledger.csv", check);
        let orders = Sheet::read(dir, "orders.csv", check);
        let trades = Sheet::read(dir, "trades.csv", check);
        let income = Sheet::read(dir, "income.csv", check);
        let taxes = if dir.join("tax.csv").exists() {
            let years = Sheet::read(dir, "tax.csv", check)?;
            let lots = Sheet::read(dir, "lots.csv", check)?;
            Some((years.map(check, tax_row), lots.map(check, lot_row)))
        } else {
            None
        };
        let books = Books {
            taxes,
            equity: equity?.map(check, equity_row),
            ledger: ledger?.map(check, ledger_row),
            orders: orders?.map(check, order_row),
            trades: trades?.map(check, trade_row),
            income: income?.map(check, income_line),
        };
        if books.equity.is_empty() {
            check.add("equity.csv", None, "has no row".to_string());
            return None;
        }
        (check.found == 0).then_some(books)
    }

    /// Equity of the last bar at or before `time`; that of the first bar before it.
    pub(super) fn equity_at(&self, time: Micros) -> f64 {
        let after = self.equity.partition_point(|row| row.time <= time);
        self.equity[after.saturating_sub(1)].equity
    }

    /// Equity at the end: the scale of what has no moment of its own.
    pub(super) fn equity_at_end(&self) -> f64 {
        self.equity[self.equity.len() - 1].equity
    }

    /// Cash before the first bar: what the accounts began with.
    pub(super) fn start_equity(&self) -> f64 {
        let opening = self.ledger.iter().filter(|row| row.is_opening);
        opening.map(|row| row.amount).sum()
    }
}

fn equity_row(row: &Row<'_>) -> Cell<EquityRow> {
    Ok(EquityRow {
        line: row.line(),
        time: row.moment("date")?,
        equity: row.number("equity")?,
        cash: row.number("cash")?,
        holdings: row.number("holdings")?,
        receivable: row.number("receivable")?,
        flow: row.number("flow")?,
    })
}

fn ledger_row(row: &Row<'_>) -> Cell<LedgerRow> {
    Ok(LedgerRow {
        line: row.line(),
        time: row.moment("date")?,
        layer: row.text("layer")?.to_string(),
        symbol: row.text("symbol")?.to_string(),
        kind: row.text("kind")?.to_string(),
        quantity: row.number("quantity")?,
        price: row.number("price")?,
        amount: row.number("amount")?,
        cash: row.number("cash")?,
        trade: row.given("trade", Row::whole)?,
        is_opening: row.text("kind")? == EntryKind::Deposit.name()
            && row.text("note")? == OPENING_CASH,
    })
}

fn order_row(row: &Row<'_>) -> Cell<OrderRow> {
    let date = row.given("fill_date", Row::moment)?;
    let price = row.given("fill_price", Row::number)?;
    Ok(OrderRow {
        line: row.line(),
        id: row.whole("id")?,
        decided: row.moment("decided")?,
        quantity: row.number("quantity")?,
        outcome: row.text("outcome")?.to_string(),
        filled: row.number("filled")?,
        fill: date.zip(price),
    })
}

fn tax_row(row: &Row<'_>) -> Cell<TaxRow> {
    let amounts = TAX_COLUMNS[1..].iter().map(|name| row.number(name));
    Ok(TaxRow {
        line: row.line(),
        year: year_of(row, "year")?,
        amounts: amounts.collect::<Cell<_>>()?,
    })
}

fn lot_row(row: &Row<'_>) -> Cell<LotRow> {
    Ok(LotRow {
        line: row.line(),
        sold: row.given("sold", year_of)?,
        proceeds: row.number("proceeds")?,
        basis: row.number("basis")?,
        gain: row.number("gain")?,
        disallowed: row.number("disallowed")?,
        is_long_term: row.text("term")? == "long",
    })
}

/// The year that a cell begins with.
fn year_of(row: &Row<'_>, column: &str) -> Cell<i32> {
    let text = row.text(column)?;
    let year = text.get(..4).and_then(|year| year.parse().ok());
    year.ok_or_else(|| format!("{column} is \"{text}\", which begins with no year"))
}

fn trade_row(row: &Row<'_>) -> Cell<TradeRow> {
    let status = row.text("status")?;
    if !["open", "closed"].contains(&status) {
        return Err(format!("status is \"{status}\", not open or closed"));
    }
    Ok(TradeRow {
        line: row.line(),
        symbol: row.text("symbol")?.to_string(),
        shares: row.number("shares")?,
        entry_price: row.number("entry_price")?,
        entry_fee: row.number("entry_fee")?,
        exit_price: row.number("exit_price")?,
        pnl: row.number("pnl")?,
        pnl_pct: row.number("pnl_pct")?,
        is_open: status == "open",
    })
}

fn income_line(row: &Row<'_>) -> Cell<IncomeLine> {
    Ok(IncomeLine {
        line: row.line(),
        month: row.text("month")?.to_string(),
        symbol: row.text("symbol")?.to_string(),
        stream: row.text("stream")?.to_string(),
        amount: row.number("amount")?,
    })
}
