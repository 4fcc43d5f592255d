//! What is left without the best trades and the best days, and from how many starts cash was
//! beaten. All of it is read from the run itself.

use crate::market::{Period, date_of};
use crate::metrics::{Inputs, OwnedInputs, compute_only, returns_of_run, session_returns};
use crate::portfolio::{Trade, TradeStatus};
use crate::study::stress::{Found, KEYS, StressLine, StressResult, Subject, line};

/// Trades left out.
const TRADES: usize = 5;
/// Days left out.
const DAYS: usize = 10;
/// Length of a start's window in months.
const MONTHS: i32 = 36;
/// Days that the last window may lack: the run ends on a session, a month on any day.
const MISSING_DAYS_MAX: u64 = 7;

/// The three lines.
pub(super) fn lines(subject: &Subject<'_>) -> [StressLine; 3] {
    [
        line(
            "without_best_trades",
            format!("without its best {TRADES} trades"),
            without_best_trades(subject),
        ),
        line(
            "without_best_days",
            format!("without its best {DAYS} days"),
            without_best_days(subject),
        ),
        line(
            "three_year_starts",
            "3-year starts, one a month, that beat cash",
            three_year_starts(subject),
        ),
    ]
}

/// Growth is divided by what each of the best trades, open ones too, made of the account: 1 + gain /
/// equity at the close before its entry. Exact when one position is held at a time.
fn without_best_trades(subject: &Subject<'_>) -> Found {
    subject.traded()?;
    let run = subject.run();
    if run.trades.len() <= TRADES {
        let only = run.trades.len();
        let s = if only == 1 { "" } else { "s" };
        let open = match run.trades.iter().all(|t| t.status == TradeStatus::Closed) {
            true => "",
            false => ", open ones too",
        };
        return Err(format!("only {only} trade{s}{open}: nothing would be left"));
    }
    let is_closed = |trade: &Trade| trade.status == TradeStatus::Closed;
    let before = |bar: usize| match bar.checked_sub(run.first_bar + 1) {
        Some(at) => run.equity[at],
        None => run.start_equity,
    };
    let mut gains: Vec<(f64, bool)> = run
        .trades
        .iter()
        .map(|trade| (trade.pnl / before(trade.entry_bar), is_closed(trade)))
        .filter(|(gain, _)| *gain > 0.0 && gain.is_finite())
        .collect();
    gains.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    gains.truncate(TRADES);
    let growth: f64 = gains.iter().map(|(gain, _)| 1.0 + gain).product();
    let mut returns = returns_of_run(run);
    // Where in the run the gain is taken away changes no total.
    if let Some(first) = returns.first_mut() {
        *first = (1.0 + *first) / growth - 1.0;
    }
    let owned = OwnedInputs {
        returns,
        ..OwnedInputs::of(run)
    };
    let closed = run.trades.iter().filter(|trade| is_closed(trade)).count();
    let left = closed - gains.iter().filter(|(_, closed)| *closed).count();
    let mut figures = compute_only(
        &owned.borrow(run, None, subject.seed),
        &["total_return", "cagr"],
    );
    figures.values.push(("trades", Ok(left as f64)));
    Ok(StressResult::Figures(figures))
}

/// The account stood in cash without interest on its best days.
fn without_best_days(subject: &Subject<'_>) -> Found {
    subject.traded()?;
    let run = subject.run();
    let (a_year, a_session) = (run.periods_a_year, run.bars_a_session);
    let by_session = |column: &[f64]| session_returns(&run.time, column, a_year, a_session);
    let (time, mut returns) = by_session(&returns_of_run(run));
    if returns.len() <= DAYS {
        return Err(format!("only {} days", returns.len()));
    }
    let rate = match run.rate.is_empty() {
        true => Vec::new(),
        false => by_session(&run.rate).1,
    };
    let mut order: Vec<usize> = (0..returns.len()).collect();
    order.sort_by(|a, b| returns[*b].total_cmp(&returns[*a]));
    for day in order.into_iter().take(DAYS) {
        returns[day] = returns[day].min(0.0);
    }
    let trades = OwnedInputs::of(run).trades;
    let inputs = Inputs {
        time: &time,
        returns: &returns,
        rate: &rate,
        hurdle: &[],
        benchmark: None,
        periods_a_year: a_year / a_session.max(1.0),
        bars_a_session: 1.0,
        start_equity: None,
        end_equity: None,
        flows: &[],
        weight: &[],
        turnover: &[],
        trades: Some(&trades),
        money: None,
        ambiguous_trades: None,
        seed: subject.seed,
    };
    Ok(StressResult::Figures(compute_only(&inputs, &KEYS)))
}

/// Of all windows of 36 months that begin with a month of the run, the share in which the run made
/// more than savings at the hurdle.
fn three_year_starts(subject: &Subject<'_>) -> Found {
    let run = subject.run();
    let month_of = |date| Period::Month.index(date);
    let months: Vec<i32> = run.time.iter().map(|t| month_of(date_of(*t))).collect();
    let short = || "the run is shorter than 3 years".to_owned();
    let last = date_of(*run.time.last().ok_or_else(short)?);
    let reached = month_of(last + chrono::Days::new(MISSING_DAYS_MAX));
    let is_start = |bar: &usize| {
        let begins = *bar == 0 || months[*bar] != months[*bar - 1];
        begins && months[*bar] + MONTHS <= reached
    };
    let starts: Vec<usize> = (0..months.len()).filter(is_start).collect();
    if starts.is_empty() {
        return Err(short());
    }
    let (wealth, savings) = (compounded(&returns_of_run(run)), compounded(&run.hurdle));
    let beats = |start: &&usize| {
        let end = months.partition_point(|month| *month < months[**start] + MONTHS);
        wealth[end] / wealth[**start] > savings[end] / savings[**start]
    };
    let beat = starts.iter().filter(beats).count();
    Ok(StressResult::Share {
        share: beat as f64 / starts.len() as f64,
        of: starts.len(),
    })
}

/// Wealth before each bar, and after the last.
fn compounded(returns: &[f64]) -> Vec<f64> {
    let mut wealth = vec![1.0];
    wealth.extend(returns.iter().scan(1.0, |w, r| {
        *w *= 1.0 + r;
        Some(*w)
    }));
    wealth
}
