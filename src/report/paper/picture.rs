//! The pictures of accounts: one account with its backtest and its cone, and all of them together.

use crate::engine::{Run, savings_of};
use crate::error::Result;
use crate::market::show_time;
use crate::metrics::{drawdown_series, returns_of_run};
use crate::paper::cone::{HORIZON, bands};
use crate::paper::monitor::CONE_SHARE;
use crate::paper::{Account, Status};
use crate::portfolio::Stream;
use crate::report::chart::{self, CompareChart, ConeBand, Curve, Figure, PaperChart, Role, Series};
use crate::report::figure;
use crate::report::pictures::typeset;

/// Headings of the table of all accounts.
const STREAMS: [&str; 8] = [
    "Return",
    "Price gain",
    "Dividends",
    "Interest",
    "Costs",
    "Taxes",
    "Gain",
    "Ahead of cash",
];

/// The bytes of `account.png`.
///
/// # Errors
/// As [`PaperChart::draw`].
pub fn account(account: &Account, run: &Run, status: &Status) -> Result<Vec<u8>> {
    let begins = run.time.first().copied().unwrap_or(0);
    let before: Vec<_> = account.before.iter().filter(|(t, _)| *t < begins).collect();
    let mut time: Vec<_> = before.iter().map(|(t, _)| *t).collect();
    time.extend(&run.time);
    // The backtest ends where the account begins.
    let last = before.last().map_or(1.0, |(_, equity)| *equity);
    let scale = run.start_equity / last;
    let nothing = |bars: usize| vec![f64::NAN; bars];
    let of_account = |value: &[f64]| [&nothing(before.len())[..], value].concat();
    let mut equity = vec![
        series(&status.name, Role::Strategy, of_account(&run.equity)),
        series("cash", Role::Cash, of_account(&savings_of(run))),
    ];
    if !before.is_empty() {
        let mut value: Vec<f64> = before.iter().map(|(_, equity)| equity * scale).collect();
        value.extend(nothing(run.time.len()));
        equity.push(series("backtest", Role::Benchmark, value));
    }
    let cones = match (&account.cone, &account.facts) {
        (Ok(cone), Some(facts)) => bands(cone, run, facts, CONE_SHARE),
        _ => Vec::new(),
    };
    let cone_note = match &account.cone {
        Ok(cone) => format!(
            "The cone holds {} of bootstrap paths of the backtest from end to end over {HORIZON} bars, then starts anew (mean block {:.1} bars, seed {}).",
            figure::given_percent(CONE_SHARE),
            cone.block,
            cone.seed
        ),
        Err(why) => format!("There is no cone: {why}."),
    };
    let alarms = status.alarms();
    let mut notes = status.caveats.clone();
    if !before.is_empty() {
        notes.push("The backtest is scaled to end where the account begins.".to_owned());
    }
    notes.extend(
        alarms
            .iter()
            .skip(1)
            .map(|alarm| format!("Alarm: {alarm}.")),
    );
    let chart = PaperChart {
        title: status.name.clone(),
        subtitle: typeset(&subtitle(status)),
        figures: figures(status),
        banner: alarms
            .first()
            .map_or(String::new(), |alarm| format!("Alarm: {alarm}")),
        unit: status.currency.clone(),
        time,
        equity,
        begins,
        cones: cones
            .into_iter()
            .map(|band| ConeBand {
                time: band.time,
                low: band.low,
                high: band.high,
            })
            .collect(),
        cone_note,
        notes,
    };
    chart::paper(&chart)
}

fn series(name: &str, role: Role, value: Vec<f64>) -> Series {
    Series {
        name: name.to_owned(),
        role,
        value,
    }
}

fn subtitle(status: &Status) -> String {
    let span = status.figures.as_ref().map_or(String::new(), |f| {
        format!("{} to {}", show_time(f.span.0), show_time(f.span.1))
    });
    format!("{}  ·  {span}", status.strategy)
}

fn figures(status: &Status) -> Vec<Figure> {
    let Some(f) = &status.figures else {
        return Vec::new();
    };
    let figure = |label: &str, value: String, note: String| Figure {
        label: label.to_owned(),
        value: typeset(&value),
        note: typeset(&note),
    };
    let put_in = figure::money(f.start_equity + f.flows);
    let up = status.alarms().len();
    vec![
        figure(
            "Equity",
            figure::grouped(f.equity, 0),
            format!("of {put_in} put in"),
        ),
        figure(
            "Return",
            figure::percent(f.total_return),
            figure::plural(f.bars, "bar", "bars"),
        ),
        figure(
            "Ahead of cash",
            figure::grouped(f.equity - f.savings, 0),
            format!("cash {}", figure::grouped(f.savings, 0)),
        ),
        figure(
            "Drawdown",
            figure::percent(f.drawdown),
            "from its peak".to_owned(),
        ),
        figure("Exposure", figure::percent(f.exposure), String::new()),
        figure(
            "Alarms",
            up.to_string(),
            figure::plural(status.orders.len(), "order waits", "orders wait"),
        ),
    ]
}

/// What an account made, by groups of streams, in words: a cell a heading of [`STREAMS`].
pub(super) fn streams(status: &Status) -> Vec<String> {
    let Some(f) = &status.figures else {
        return vec![figure::ABSENT.to_owned(); STREAMS.len()];
    };
    let sum = |of: &[Stream]| -> f64 {
        let wanted = f.income.iter().filter(|(stream, _)| of.contains(stream));
        wanted.map(|(_, amount)| amount).sum()
    };
    let costs = [
        Stream::Fees,
        Stream::Slippage,
        Stream::Borrow,
        Stream::MarginInterest,
    ];
    let money = [
        sum(&[Stream::Realized, Stream::Unrealized]),
        sum(&[Stream::Dividends]),
        sum(&[Stream::Interest]),
        sum(&costs),
        sum(&[Stream::Tax]),
        f.equity - f.start_equity - f.flows,
        f.equity - f.savings,
    ];
    let mut cells = vec![figure::percent(f.total_return)];
    cells.extend(money.map(|amount| figure::grouped(amount, 0)));
    cells
}

/// The table of all accounts: what each made, from which stream, against cash.
pub fn all_text(all: &[Status]) -> String {
    let mut page = String::new();
    let mut row = |name: &str, cells: &[String]| {
        page.push_str(&format!("  {}", crate::report::text::left(name, 18)));
        for cell in cells {
            page.push_str(&crate::report::text::right(cell, 14));
        }
        page.push('\n');
    };
    row("account", &STREAMS.map(str::to_lowercase));
    for status in all {
        row(&status.name, &streams(status));
    }
    page
}

/// The bytes of `accounts.png`: all accounts from the same start, and what each made.
///
/// # Errors
/// As [`CompareChart::draw`].
pub fn all(accounts: &[(Status, Option<Run>)]) -> Result<Vec<u8>> {
    let traded = accounts
        .iter()
        .filter_map(|(s, run)| Some((s, run.as_ref()?)));
    let curve = |(status, run): (&Status, &Run)| {
        let returns = returns_of_run(run);
        let mut wealth = 100.0;
        let grow = |r: &f64| {
            wealth *= 1.0 + r;
            wealth
        };
        Curve {
            name: status.name.clone(),
            time: run.time.clone(),
            index: returns.iter().map(grow).collect(),
            drawdown: drawdown_series(&returns),
            cells: streams(status).iter().map(|cell| typeset(cell)).collect(),
        }
    };
    let alarms = accounts.iter().flat_map(|(status, _)| {
        let alarms = status.alarms().into_iter();
        alarms.map(|alarm| format!("{}: {alarm}.", status.name))
    });
    chart::compare(&CompareChart {
        title: "Paper accounts".to_owned(),
        subtitle: figure::plural(accounts.len(), "account", "accounts"),
        curves: traded.map(curve).collect(),
        metrics: STREAMS.map(str::to_owned).to_vec(),
        notes: alarms.collect(),
    })
}
