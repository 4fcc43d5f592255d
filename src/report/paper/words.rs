//! Accounts in the terminal, and as rows of CSV.

use crate::market::show_time;
use crate::paper::status::Figures;
use crate::paper::{Holding, OpenOrder, Status, Stepped};
use crate::report::cell;
use crate::report::figure::{self, ABSENT};
use crate::report::text::{left, paragraph, right, stream_label};

/// Columns of the CSV of waiting orders.
const ORDER_COLUMNS: &str = "account,id,decided,layer,symbol,side,kind,shares,price,value";
/// Columns of the CSV of accounts.
const LIST_COLUMNS: &str = "account,strategy,state,first,last,bars,equity,total_return,drawdown,flows,gain,savings,excess,orders,alarms";

/// Shares with as many decimals as they need, at most four.
fn shares(shares: f64) -> String {
    let text = figure::grouped(shares, 4);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn price(price: Option<f64>) -> String {
    match price {
        Some(price) if price.is_finite() => figure::grouped(price, 4),
        _ => ABSENT.to_owned(),
    }
}

/// A heading after an empty line.
fn heading(page: &mut String, words: &str) {
    page.push('\n');
    page.push_str(words);
    page.push('\n');
}

fn row(page: &mut String, cells: &[(&str, usize)], first_left: usize) {
    let mut line = String::from(" ");
    for (at, (cell, width)) in cells.iter().enumerate() {
        line.push(' ');
        line.push_str(&match at < first_left {
            true => left(cell, *width),
            false => right(cell, *width),
        });
    }
    page.push_str(line.trim_end());
    page.push('\n');
}

/// `closed`, `waiting` for its first bar, or `open`.
pub(super) fn state(status: &Status) -> &'static str {
    match (status.closed, &status.figures) {
        (Some(_), _) => "closed",
        (None, None) => "waiting",
        (None, Some(_)) => "open",
    }
}

/// The state of an account as a page.
pub fn status(status: &Status) -> String {
    let mut page = format!("{}: {}\n", status.name, status.strategy);
    let mut say = |name: &str, words: &str| {
        page.push_str(&paragraph(&format!("  {}", left(name, 12)), words));
    };
    say("Strategy", &status.file);
    let opened = format!("opened {}", show_time(day(status.opened)));
    let closed = status
        .closed
        .map(|at| format!(", closed {}", show_time(day(at))));
    let texts = match status.epochs {
        0 | 1 => String::new(),
        n => format!(", {n} texts of the strategy so far"),
    };
    say(
        "Account",
        &format!("{opened}{}{texts}", closed.unwrap_or_default()),
    );
    match &status.figures {
        None => {
            let recorded = figure::plural(status.recorded, "bar", "bars");
            say("Bars", &format!("{recorded} recorded, none traded yet"));
        }
        Some(f) => figures(f, &status.currency, &mut say),
    }
    if let Some(why) = &status.no_cone {
        say("Cone", &format!("none: {why}"));
    }
    holdings(&mut page, &status.holdings);
    orders(&mut page, status);
    income(&mut page, status);
    monitors(&mut page, status);
    freshness(&mut page, status);
    page
}

/// Equity and what goes with it, a line each.
fn figures(f: &Figures, currency: &str, say: &mut impl FnMut(&str, &str)) {
    let (from, to) = (show_time(f.span.0), show_time(f.span.1));
    let bars = figure::plural(f.bars, "bar", "bars");
    say("Bars", &format!("{from} to {to}, {bars}"));
    let (total, fallen) = (figure::percent(f.total_return), figure::percent(f.drawdown));
    let money = figure::money(f.equity);
    let words = format!("{money} {currency}, {total} since the start, {fallen} from its peak");
    say("Equity", &words);
    let (cash, exposed) = (figure::money(f.cash), figure::percent(f.exposure));
    say("Cash", &format!("{cash}, exposure {exposed}"));
    if f.flows != 0.0 {
        say("Put in", &figure::money(f.start_equity + f.flows));
    }
    let excess = f.equity - f.savings;
    let side = if excess < 0.0 { "behind" } else { "ahead" };
    let (savings, excess) = (figure::money(f.savings), figure::money(excess.abs()));
    say(
        "Savings",
        &format!("would be {savings}, the account is {excess} {side}"),
    );
    if let Some((low, high, into)) = f.cone {
        let (low, high) = (figure::money(low), figure::money(high));
        let words =
            format!("{low} to {high} holds 95% of the paths of its backtest, bar {into} of 252");
        say("Cone", &words);
    }
}

/// Midnight before a moment, to show a day.
fn day(moment: crate::units::Micros) -> crate::units::Micros {
    moment - moment.rem_euclid(crate::units::DAY_MICROS)
}

fn holdings(page: &mut String, holdings: &[Holding]) {
    if holdings.is_empty() {
        heading(page, "Holdings: none");
        return;
    }
    heading(page, "Holdings");
    let names = [
        "symbol", "shares", "price", "value", "gain", "stop", "target",
    ];
    let widths = [12, 12, 11, 14, 12, 10, 10];
    let cells: Vec<(&str, usize)> = names.into_iter().zip(widths).collect();
    row(page, &cells, 1);
    for h in holdings {
        let name = match h.layer.is_empty() {
            true => h.symbol.clone(),
            false => format!("{}/{}", h.layer, h.symbol),
        };
        let words = [
            name,
            shares(h.shares),
            price(Some(h.price)),
            figure::money(h.value),
            figure::money(h.pnl),
            price(h.stop),
            price(h.target),
        ];
        let cells: Vec<(&str, usize)> = words.iter().map(String::as_str).zip(widths).collect();
        row(page, &cells, 1);
    }
}

fn orders(page: &mut String, status: &Status) {
    if status.orders.is_empty() {
        heading(page, "Orders for the next bar: none");
        return;
    }
    heading(page, "Orders for the next bar");
    let names = [
        "symbol", "side", "kind", "decided", "shares", "price", "value",
    ];
    let widths = [12, 5, 7, 11, 14, 11, 16];
    let cells: Vec<(&str, usize)> = names.into_iter().zip(widths).collect();
    row(page, &cells, 4);
    for o in &status.orders {
        let name = match o.layer.is_empty() {
            true => o.symbol.clone(),
            false => format!("{}/{}", o.layer, o.symbol),
        };
        let words = [
            name,
            o.side.to_owned(),
            o.kind.to_owned(),
            show_time(o.decided),
            shares(o.shares),
            price(o.price),
            figure::money(o.value),
        ];
        let cells: Vec<(&str, usize)> = words.iter().map(String::as_str).zip(widths).collect();
        row(page, &cells, 4);
    }
}

fn income(page: &mut String, status: &Status) {
    let Some(f) = &status.figures else {
        return;
    };
    heading(page, "Income so far");
    for (stream, amount) in &f.income {
        let cells = [
            (stream_label(*stream), 30),
            (&*figure::grouped(*amount, 2), 20),
        ];
        row(page, &cells, 1);
    }
    let gain = figure::grouped(f.equity - f.start_equity - f.flows, 2);
    row(
        page,
        &[("change of equity less deposits", 30), (&gain, 20)],
        1,
    );
}

fn monitors(page: &mut String, status: &Status) {
    heading(page, "Monitors");
    for m in &status.monitors {
        let mark = if m.is_up { "  ! " } else { "  ok" };
        let built_in = if m.built_in { " (built in)" } else { "" };
        let words = format!("{}: {}{built_in}", m.name, m.condition);
        page.push_str(&paragraph(&format!("{mark} "), &words));
    }
    for remark in &status.remarks {
        let words = format!("{}: {}", remark.kind.name(), remark.words());
        page.push_str(&paragraph("  !  ", &words));
    }
    for caveat in &status.caveats {
        page.push_str(&paragraph("  !  ", caveat));
    }
}

fn freshness(page: &mut String, status: &Status) {
    heading(page, "Data");
    let Some(last) = status.last else {
        page.push_str("  no bar yet\n");
        return;
    };
    let late = status.freshness.iter().filter(|f| f.last != Some(last));
    let latest = status.freshness.iter().filter(|f| f.last == Some(last));
    let sessions = latest.clone().map(|f| f.sessions).max().unwrap_or(0);
    let since = match status.is_replay {
        true => "long before the account was opened: a replay, no bar is waited for".to_owned(),
        false => {
            let sessions = figure::plural(sessions, "session", "sessions");
            format!("{sessions} without a bar since")
        }
    };
    let words = format!(
        "{} to {}, {since}",
        figure::plural(latest.count(), "symbol", "symbols"),
        show_time(last)
    );
    page.push_str(&paragraph("  ", &words));
    for f in late {
        let words = match f.last {
            Some(last) => format!("{} to {}", f.symbol, show_time(last)),
            None => format!("{} has no bar yet", f.symbol),
        };
        page.push_str(&paragraph("  ", &words));
    }
}

/// What a step did, in a few lines.
pub fn step(stepped: &Stepped) -> String {
    let status = &stepped.status;
    let mut page = match stepped.span {
        None => format!("{}: no new bar", status.name),
        Some((from, to)) => format!(
            "{}: {} of {} to {}",
            status.name,
            figure::plural(stepped.bars, "bar", "bars"),
            show_time(from),
            show_time(to)
        ),
    };
    if let Some(f) = &status.figures {
        page.push_str(&format!(
            ", equity {}, {} for the next bar",
            figure::money(f.equity),
            figure::plural(status.orders.len(), "order", "orders")
        ));
    }
    page.push('\n');
    for alarm in status.alarms() {
        page.push_str(&paragraph("  ! ", &alarm));
    }
    page
}

/// Waiting orders of accounts as CSV.
pub fn orders_csv(all: &[Status]) -> String {
    let mut table = format!("{ORDER_COLUMNS}\n");
    for (account, order) in all
        .iter()
        .flat_map(|s| s.orders.iter().map(move |o| (&s.name, o)))
    {
        table.push_str(&order_row(account, order));
    }
    table
}

fn order_row(account: &str, o: &OpenOrder) -> String {
    let cells = [
        quoted(account),
        o.id.to_string(),
        show_time(o.decided),
        quoted(&o.layer),
        quoted(&o.symbol),
        o.side.to_owned(),
        o.kind.to_owned(),
        cell::number(o.shares),
        o.price.map_or(String::new(), cell::number),
        cell::number(o.value),
    ];
    cells.join(",") + "\n"
}

fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// All accounts, a line each.
pub fn list(all: &[Status]) -> String {
    let mut page = String::new();
    let names = [
        "account",
        "state",
        "last bar",
        "equity",
        "return",
        "drawdown",
        "ahead of cash",
        "orders",
    ];
    let widths = [18, 7, 10, 15, 9, 9, 14, 6];
    let cells: Vec<(&str, usize)> = names.into_iter().zip(widths).collect();
    row(&mut page, &cells, 3);
    for status in all {
        let f = status.figures.as_ref();
        let of = |figure: fn(&Figures) -> String| f.map_or_else(|| ABSENT.to_owned(), figure);
        let words = [
            status.name.clone(),
            state(status).to_owned(),
            status.last.map_or(ABSENT.to_owned(), show_time),
            of(|f| figure::money(f.equity)),
            of(|f| figure::percent(f.total_return)),
            of(|f| figure::percent(f.drawdown)),
            of(|f| figure::money(f.equity - f.savings)),
            status.orders.len().to_string(),
        ];
        let cells: Vec<(&str, usize)> = words.iter().map(String::as_str).zip(widths).collect();
        row(&mut page, &cells, 3);
        for alarm in status.alarms() {
            page.push_str(&paragraph("    ! ", &alarm));
        }
    }
    page
}

/// All accounts as CSV.
pub fn list_csv(all: &[Status]) -> String {
    let mut table = format!("{LIST_COLUMNS}\n");
    for s in all {
        let mut cells = vec![quoted(&s.name), quoted(&s.strategy), state(s).to_owned()];
        match &s.figures {
            Some(f) => {
                cells.extend([show_time(f.span.0), show_time(f.span.1), f.bars.to_string()]);
                let gain = f.equity - f.start_equity - f.flows;
                let excess = f.equity - f.savings;
                let numbers = [
                    f.equity,
                    f.total_return,
                    f.drawdown,
                    f.flows,
                    gain,
                    f.savings,
                    excess,
                ];
                cells.extend(numbers.map(cell::number));
            }
            None => cells.extend(std::iter::repeat_n(String::new(), 10)),
        }
        cells.extend([s.orders.len().to_string(), s.alarms().len().to_string()]);
        table.push_str(&(cells.join(",") + "\n"));
    }
    table
}
