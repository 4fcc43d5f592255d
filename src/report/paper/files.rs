//! The files of an account: its books as `run` writes them, and the tape that they follow from.

use crate::engine::Run;
use crate::error::Result;
use crate::market::{Market, show_time};
use crate::paper::{Account, Status};
use crate::report::csv::{self, Table};
use crate::report::folder::NewFile;
use crate::report::paper::picture;

/// The files of `paper report NAME`, by name: `account.png`, the books, the strategy, and in `tape/` a
/// file a symbol and `actions.csv`. In `orders.csv` an order that waits has expired with the last bar,
/// as `run` says it of the same tape; `paper status` names those that wait.
///
/// # Errors
/// As [`picture::account`].
pub fn files(
    account: &Account,
    run: &Run,
    status: &Status,
    market: &Market,
) -> Result<Vec<NewFile>> {
    let named = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    let drawdown = crate::metrics::drawdown_series(&crate::metrics::returns_of_run(run));
    let mut files = vec![
        named("account.png", picture::account(account, run, status)?),
        named("equity.csv", csv::equity(run, &drawdown, &[])),
        named("ledger.csv", csv::ledger(run)),
        named("orders.csv", csv::orders(run)),
        named("trades.csv", csv::trades(run)),
        named("income.csv", csv::income(run)),
    ];
    for (number, epoch) in account.epochs.iter().enumerate() {
        let name = format!("strategy-{}.toml", number + 1);
        files.push((name, epoch.text.clone().into_bytes()));
    }
    for tape in &market.tapes {
        let bars = &tape.bars;
        let columns = ["date", "open", "high", "low", "close", "volume"];
        let extra = bars.extra.iter().map(|(name, _)| name.as_str());
        let mut table = Table::new(columns.into_iter().chain(extra));
        for i in 0..bars.len() {
            table.text(&show_time(bars.time[i]));
            for price in [&bars.open, &bars.high, &bars.low, &bars.close] {
                table.number(price[i]);
            }
            table.number_or_empty(bars.volume.as_ref().map(|v| v[i]));
            for (_, column) in &bars.extra {
                table.number(column[i]);
            }
            table.end();
        }
        if !bars.is_empty() {
            let name = file_name(&tape.symbol);
            files.push((format!("tape/{name}.csv"), table.into_bytes()));
        }
    }
    files.push(named("tape/actions.csv", actions(market)));
    Ok(files)
}

/// A symbol as the name of a file.
fn file_name(symbol: &str) -> String {
    let mut name = symbol.to_owned();
    for (escape, c) in crate::market::load::ESCAPES.iter().rev() {
        name = name.replace(*c, escape);
    }
    name
}

fn actions(market: &Market) -> Vec<u8> {
    let columns = ["date", "symbol", "kind", "value", "pay_date", "declared"];
    let mut table = Table::new(columns);
    for action in market.actions.iter().filter(|a| a.value > 0.0) {
        table.text(&show_time(action.time));
        table.text(&action.symbol);
        table.text(action.kind.name());
        table.number(action.value);
        table.text(&action.pay.map_or(String::new(), show_time));
        table.text(&action.declared.map_or(String::new(), show_time));
        table.end();
    }
    table.into_bytes()
}
