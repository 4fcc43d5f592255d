//! Plays the ledger's fills again, symbol by symbol, and holds every trade against its money.
//!
//! A fill against a position closes it first and opens the other way with what is left; fees go
//! with the shares. Trades of one symbol follow one another, so the next one that opens is the next
//! row of that symbol.

use crate::report::cell;
use crate::report::verify::books::{Books, LedgerRow, TradeRow};
use crate::report::verify::{Check, is_contract, moves_options, moves_shares};
use std::collections::BTreeMap;

/// Shares below this part of a trade are rounding.
const SHARES_TOLERANCE: f64 = 1e-9;

/// Money and shares that the ledger booked for one trade.
#[derive(Debug, Clone, Copy, Default)]
struct Booked {
    money: f64,
    shares: f64,
    /// Some of the shares were sold (bought back, when short).
    was_reduced: bool,
}

/// Where one symbol stands in the replay.
#[derive(Debug, Default)]
struct Replay {
    /// Rows of `trades` of this symbol, in order.
    rows: Vec<usize>,
    /// How many of them have begun.
    begun: usize,
    shares: f64,
    /// Trade of the last fill's closing part, of its opening part, and the share of the first.
    last: (Option<usize>, Option<usize>, f64),
}

impl Replay {
    fn current(&self) -> Option<usize> {
        self.begun.checked_sub(1).map(|i| self.rows[i])
    }

    /// Plays a fill; `None` when it opens a trade that the table does not have.
    fn fill(&mut self, quantity: f64) -> Option<()> {
        let against = self.shares * quantity < 0.0;
        let mut closing = 0.0;
        if against {
            closing = quantity.abs().min(self.shares.abs());
        }
        let left = self.shares + quantity;
        let rounding = SHARES_TOLERANCE * quantity.abs().max(self.shares.abs());
        let was_flat = self.shares == 0.0;
        let crosses = against && left.abs() > rounding && left * self.shares < 0.0;
        let closed = against.then(|| self.current()).flatten();
        self.shares = if left.abs() <= rounding { 0.0 } else { left };
        let mut opened = None;
        if was_flat || crosses {
            self.begun += 1;
            if self.begun > self.rows.len() {
                self.begun = self.rows.len();
                return None;
            }
            opened = self.current();
        } else if !against {
            opened = self.current();
        }
        let share = if crosses {
            closing / quantity.abs()
        } else {
            f64::from(u8::from(against))
        };
        self.last = (closed, opened, share);
        Some(())
    }

    /// The parts of an amount that belong to the trades of the last fill.
    fn parts(&self, amount: f64) -> [(Option<usize>, f64); 2] {
        let (closed, opened, share) = self.last;
        [(closed, amount * share), (opened, amount * (1.0 - share))]
    }
}

/// Every trade's gain is the money of its ledger entries, at the last close while it is open.
pub(super) fn follow_from_the_ledger(books: &Books) -> Check {
    let mut check = Check::new("the gain of every trade is the money of its ledger entries");
    let booked = replay(books, &mut check);
    let mut open_value = 0.0;
    for (trade, booked) in books.trades.iter().zip(booked) {
        check.rows += 1;
        let at = ("trades.csv", trade.line);
        let cost = trade.shares * trade.entry_price + trade.entry_fee;
        let scale = cost.abs().max(books.equity_at_end());
        if trade.is_open {
            open_value += trade.pnl - booked.money;
            at_the_last_close(&mut check, trade, booked, scale);
        } else {
            check.amount(at, "pnl", trade.pnl, booked.money, scale);
            if booked.shares.abs() > 1e-6 * trade.shares {
                let left = cell::number(booked.shares);
                check.add(
                    at.0,
                    Some(at.1),
                    format!("is closed with {left} shares left"),
                );
            }
        }
        check.amount(at, "pnl_pct", trade.pnl_pct, trade.pnl / cost, 1.0);
    }
    if let Some(last) = books.equity.last() {
        let at = ("equity.csv", last.line);
        let what = "holdings on the last bar";
        check.amount(at, what, last.holdings, open_value, last.equity);
    }
    check
}

/// An open trade is marked at its exit price, which is an average after a partial exit.
fn at_the_last_close(check: &mut Check, trade: &TradeRow, booked: Booked, scale: f64) {
    if !booked.was_reduced {
        // Prices of options are a share, their entries count contracts.
        let value = match is_contract(&trade.symbol) {
            true => booked.shares.signum() * trade.shares * trade.exit_price,
            false => booked.shares * trade.exit_price,
        };
        let at = ("trades.csv", trade.line);
        check.amount(at, "pnl", trade.pnl, booked.money + value, scale);
    }
}

fn replay(books: &Books, check: &mut Check) -> Vec<Booked> {
    // A symbol that two layers hold is two holdings: the ledger says whose a trade is.
    let mut layer_of: Vec<&str> = vec![""; books.trades.len()];
    for row in &books.ledger {
        let trade = row.trade.and_then(|number| number.checked_sub(1));
        if let Some(layer) = trade.and_then(|trade| layer_of.get_mut(trade)) {
            *layer = &row.layer;
        }
    }
    let mut symbols: BTreeMap<(&str, &str), Replay> = BTreeMap::new();
    for (index, trade) in books.trades.iter().enumerate() {
        let key = (layer_of[index], trade.symbol.as_str());
        symbols.entry(key).or_default().rows.push(index);
    }
    let mut booked = vec![Booked::default(); books.trades.len()];
    for row in &books.ledger {
        if is_contract(&row.symbol) {
            play_option(row, books, &mut booked, check);
            continue;
        }
        let key = (row.layer.as_str(), row.symbol.as_str());
        let state = symbols.entry(key).or_default();
        if row.kind == "split" {
            state.shares += row.quantity;
            if let Some(trade) = state.current() {
                booked[trade].shares += row.quantity;
            }
        } else if moves_shares(&row.kind) {
            play_fill(row, state, &mut booked, check);
        } else if row.kind == "commission" {
            for (trade, amount) in state.parts(row.amount) {
                if let Some(trade) = trade {
                    booked[trade].money += amount;
                }
            }
        }
    }
    booked
}

/// Several trades of one contract may be open at once: an entry belongs to the one that it names.
fn play_option(row: &LedgerRow, books: &Books, booked: &mut [Booked], check: &mut Check) {
    let named = row.trade.and_then(|number| number.checked_sub(1));
    let of_it = |trade: &usize| {
        books
            .trades
            .get(*trade)
            .is_some_and(|t| t.symbol == row.symbol)
    };
    let Some(trade) = named.filter(of_it) else {
        let message = "names no trade of its contract".to_string();
        check.add("ledger.csv", Some(row.line), message);
        return;
    };
    let booked = &mut booked[trade];
    booked.money += row.cash_change();
    if row.kind == "split" || moves_options(&row.kind) {
        booked.was_reduced |= booked.shares * row.quantity < 0.0;
        booked.shares += row.quantity;
    }
}

fn play_fill(row: &LedgerRow, state: &mut Replay, booked: &mut [Booked], check: &mut Check) {
    if state.fill(row.quantity).is_none() {
        let message = "opens a trade that trades.csv does not have".to_string();
        check.add("ledger.csv", Some(row.line), message);
        return;
    }
    let (closed, opened, _) = state.last;
    let named = row.trade.and_then(|number| number.checked_sub(1));
    if named != closed.or(opened) {
        let message = match row.trade {
            Some(number) => format!("names trade {number}, but belongs to another"),
            None => "names no trade".to_string(),
        };
        check.add("ledger.csv", Some(row.line), message);
    }
    for (trade, amount) in state.parts(row.amount) {
        if let Some(trade) = trade {
            booked[trade].money += amount;
        }
    }
    if let Some(trade) = closed {
        booked[trade].was_reduced = true;
    }
    for (trade, quantity) in state.parts(row.quantity) {
        if let Some(trade) = trade {
            booked[trade].shares += quantity;
        }
    }
}
