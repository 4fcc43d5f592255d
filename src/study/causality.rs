//! The look-ahead audit: the future is cut off, and the orders must stay as they are.
//!
//! What it can see: anything between the tape and an order, so indicators, series, other symbols,
//! coarser bars, further columns of the data, corporate actions, and whatever is computed from the
//! tape anew after a cut. What it cannot see: a file of prices that was written with knowledge of
//! its future, since a cut file is the same file, only shorter. The commonest of these, a column
//! that is the price of a later bar or the return to it, is looked for by comparison, and so is a
//! feature of a model that is its target in disguise; a model is fitted anew from each cut tape. Adjusted
//! prices, and a universe of survivors, are other findings of `check`. Prices that were adjusted or
//! resampled when they were read are cut as they stand.

use crate::engine::{Run, backtest_bare, learned, outline, rows_of_model};
use crate::error::Result;
use crate::execution::{Order, OrderType, Side};
use crate::learning::correlation;
use crate::market::{Bars, Market, show_time};
use crate::rules::Vocabulary;
use crate::strategy::{Finding, Severity, Strategy};
use crate::study::each;
use crate::study::stream::Stream;
use crate::units::Micros;
use std::ops::RangeInclusive;

/// Moments at which the future is cut off: one half where an order was decided, where a rule that
/// peeks must show it, the other half anywhere. Of large data fewer, so that a check stays quick.
const CUTS: RangeInclusive<usize> = 16..=64;
/// Bars of all symbols that are simulated at most, if that leaves enough cuts.
const BARS_MAX: usize = 20_000_000;
/// Bars ahead over which columns are compared with prices.
const AHEAD_MAX: usize = 21;
/// Bars on which a column must have a value, and the price must differ from the current one, for a
/// comparison to mean something.
const COMPARED_MIN: usize = 30;
/// Share of them on which both must agree.
const AGREE_MIN: f64 = 0.99;
/// Correlation with a model's target from which on a feature is the target, and from which on it
/// deserves a look: honest features stay below a tenth.
const LEAK: f64 = 0.8;
const LEAK_MAYBE: f64 = 0.4;
/// Relative difference below which two numbers of files are one.
const SAME: f64 = 1e-6;

/// What the audit did, and what it found.
#[derive(Debug, Clone, PartialEq)]
pub struct Causality {
    /// Moments at which the future was cut off.
    pub cuts: Vec<Micros>,
    /// Failures: rules that see the future, columns of the strategy that hold it. Warnings: other
    /// columns that hold it.
    pub findings: Vec<Finding>,
}

/// The decision of an order, without what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Clock index of the close that decided it.
    pub bar: usize,
    /// The symbol.
    pub symbol: String,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderType,
    /// Shares.
    pub quantity: f64,
    /// Limit or stop price.
    pub price: Option<f64>,
}

/// The first order on which two runs disagree; `None` where a run has no such order.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// With the future in the data.
    pub whole: Option<Decision>,
    /// Without it.
    pub part: Option<Decision>,
}

/// Audits a strategy against the market that it would run on. `threads` at most (`None`: all cores)
/// work at once and change nothing else.
///
/// # Errors
/// As [`crate::engine::backtest`].
pub fn causality(
    market: &Market,
    strategy: &Strategy,
    seed: u64,
    threads: Option<usize>,
) -> Result<Causality> {
    let market = &*learned(market, strategy)?;
    let mut audit = causality_of(market, strategy, seed, threads, |cut| market.until(cut))?;
    audit.findings.extend(future_columns(market, strategy)?);
    audit.findings.extend(leaked_targets(market, strategy)?);
    Ok(audit)
}

/// The same for a market that is made, not read: `known_at` gives it as it was made at a moment,
/// from what was there up to then.
///
/// # Errors
/// As [`crate::engine::backtest`].
pub fn causality_of(
    market: &Market,
    strategy: &Strategy,
    seed: u64,
    threads: Option<usize>,
    known_at: impl Fn(Micros) -> Market + Sync,
) -> Result<Causality> {
    let mut strategy = strategy.clone();
    // Selling at the last close is an act of the run, not of the strategy.
    strategy.fill.close_at_end = false;
    let whole = backtest_bare(market, &strategy)?;
    let cuts = cuts(market, &strategy, &whole, seed)?;
    let strategy = &strategy;
    let differs = each(&cuts, threads, |&cut| {
        backtest_bare(&known_at(cut), strategy).map(|part| first_difference(&whole, &part))
    });
    let mut findings = Vec::new();
    for (cut, difference) in cuts.iter().zip(differs) {
        if let Some(difference) = difference?
            && findings.is_empty()
        {
            findings.push(look_ahead(*cut, &difference));
        }
    }
    Ok(Causality { cuts, findings })
}

/// Compares the orders that two runs of one strategy decided up to the last bar of `part`, the run
/// without the future.
pub fn first_difference(whole: &Run, part: &Run) -> Option<Difference> {
    let end = part.first_bar + part.equity.len();
    let mut ours = whole.orders.iter().filter(|order| order.decided < end);
    let mut theirs = part.orders.iter();
    loop {
        let pair = (ours.next(), theirs.next());
        if let (None, None) = pair {
            return None;
        }
        let whole = pair.0.map(|order| decision(whole, order));
        let part = pair.1.map(|order| decision(part, order));
        if whole != part {
            return Some(Difference { whole, part });
        }
    }
}

fn decision(run: &Run, order: &Order) -> Decision {
    // Which contract, and how many, is chosen on the quotes of the fill.
    let later = order.fill_bar != Some(order.decided);
    let of_option = run.options.underlying_of(order.symbol);
    let (symbol, quantity) = match of_option.filter(|_| later) {
        Some(underlying) => (underlying, 0.0),
        None => (order.symbol, order.quantity),
    };
    Decision {
        bar: order.decided,
        symbol: run.symbols[symbol].clone(),
        side: order.side,
        kind: order.kind,
        quantity,
        price: order.price,
    }
}

/// Moments of cuts, in order of time and each only once.
fn cuts(market: &Market, strategy: &Strategy, whole: &Run, seed: u64) -> Result<Vec<Micros>> {
    let bars = whole.equity.len();
    let clock = outline(market, strategy)?.clock;
    let mut stream = Stream::new(seed, 0);
    let mut cuts = Vec::new();
    // The last bar has no future to be cut off.
    if bars < 2 {
        return Ok(cuts);
    }
    let last = whole.first_bar + bars - 1;
    let decided: Vec<usize> = whole.orders.iter().map(|order| order.decided).collect();
    let decided: Vec<usize> = decided.into_iter().filter(|bar| *bar < last).collect();
    let cells = bars * whole.symbols.len().max(1);
    // A model is fitted anew at every cut, which takes longer than the run.
    let most = if strategy.model.is_some() {
        *CUTS.start()
    } else {
        *CUTS.end()
    };
    for number in 0..(BARS_MAX / cells).clamp(*CUTS.start(), most) {
        let bar = if number % 2 == 0 && !decided.is_empty() {
            decided[stream.below(decided.len())]
        } else {
            whole.first_bar + stream.below(bars - 1)
        };
        cuts.push(clock[bar]);
    }
    cuts.sort_unstable();
    cuts.dedup();
    Ok(cuts)
}

fn look_ahead(cut: Micros, difference: &Difference) -> Finding {
    let words = |decision: &Option<Decision>| match decision {
        None => "nothing".to_owned(),
        Some(d) => {
            let level = d
                .price
                .map_or(String::new(), |price| format!(" at {price}"));
            let (side, kind) = (d.side.name(), d.kind.name());
            format!("{side} {} {} {kind}{level}", d.quantity, d.symbol)
        }
    };
    Finding {
        severity: Severity::Failure,
        code: "look_ahead",
        message: format!(
            "with the bars after {} cut off the strategy decides otherwise: {} becomes {}",
            show_time(cut),
            words(&difference.whole),
            words(&difference.part)
        ),
        help: "what its rules read on a bar was not known at the close of that bar".to_owned(),
    }
}

/// Further columns of the data that are the price of a later bar, or the return to it.
fn future_columns(market: &Market, strategy: &Strategy) -> Result<Vec<Finding>> {
    let compiled = strategy.compile(&Vocabulary::of(market))?;
    let observed = Vocabulary::of(&market.without_learned());
    let model = strategy.compile_model(&observed)?;
    let mut findings: Vec<(String, Finding)> = Vec::new();
    for tape in &market.tapes {
        for (name, column) in &tape.bars.extra {
            if findings.iter().any(|(known, _)| known == name) {
                continue;
            }
            let Some(what) = future_in(column, &tape.bars) else {
                continue;
            };
            let mut wanted = compiled.wanted.iter();
            let reads = |(_, id): &(String, _)| compiled.program.reads_column(*id, name);
            let feeds = model.as_ref().is_some_and(|model| {
                let mut features = model.features.iter();
                features.any(|id| model.program.reads_column(*id, name))
            });
            let is_read = feeds || wanted.any(reads);
            let severity = match is_read {
                true => Severity::Failure,
                false => Severity::Warning,
            };
            let finding = Finding {
                severity,
                code: "future_column",
                message: format!("the column {name} of {} is {what}", tape.symbol),
                help: "shift it back so that each row holds what was known at its close".to_owned(),
            };
            findings.push((name.clone(), finding));
        }
    }
    Ok(findings.into_iter().map(|(_, finding)| finding).collect())
}

/// Features of a model that go with its target as no forecast does.
fn leaked_targets(market: &Market, strategy: &Strategy) -> Result<Vec<Finding>> {
    let (Some(rows), Some(model)) = (rows_of_model(market, strategy)?, &strategy.model) else {
        return Ok(Vec::new());
    };
    let mut findings = Vec::new();
    for (k, feature) in model.features.iter().enumerate() {
        let values: Vec<f64> = rows.rows().map(|row| row[k]).collect();
        let Some(r) = correlation(&values, &rows.y).filter(|r| r.abs() >= LEAK_MAYBE) else {
            continue;
        };
        let severity = match r.abs() >= LEAK {
            true => Severity::Failure,
            false => Severity::Warning,
        };
        findings.push(Finding {
            severity,
            code: "leaked_target",
            message: format!(
                "the feature `{}` goes with the target of [model] at a correlation of {r:.2} over {} rows",
                feature.text,
                rows.len()
            ),
            help: "nothing that is known at a close forecasts later prices so well: look for later prices in the column that it reads".to_owned(),
        });
    }
    Ok(findings)
}

/// What of the future a column holds, in words.
fn future_in(column: &[f64], bars: &Bars) -> Option<String> {
    let prices = [
        ("close", &bars.close),
        ("open", &bars.open),
        ("high", &bars.high),
        ("low", &bars.low),
    ];
    let later = |n: usize| match n {
        1 => "one bar later".to_owned(),
        n => format!("{n} bars later"),
    };
    for ahead in 1..=AHEAD_MAX {
        for (name, price) in prices {
            if agrees(column, bars, ahead, |bar| price[bar + ahead]) {
                return Some(format!("the {name} {}", later(ahead)));
            }
        }
        let growth = |bar: usize| bars.close[bar + ahead] / bars.close[bar];
        let simple = agrees(column, bars, ahead, |bar| growth(bar) - 1.0);
        if simple || agrees(column, bars, ahead, |bar| libm::log(growth(bar))) {
            return Some(format!("the return to the close {}", later(ahead)));
        }
    }
    None
}

/// Whether a column is `future` on all bars that tell anything, but for a few.
fn agrees(column: &[f64], bars: &Bars, ahead: usize, future: impl Fn(usize) -> f64) -> bool {
    let (mut compared, mut same) = (0_usize, 0_usize);
    let last = bars.len().saturating_sub(ahead);
    for (bar, value) in column.iter().enumerate().take(last) {
        let is_telling = bars.close[bar + ahead] != bars.close[bar];
        if !value.is_finite() || !is_telling {
            continue;
        }
        compared += 1;
        let future = future(bar);
        same += usize::from((value - future).abs() <= SAME * future.abs());
        // A column that is something else says so within a few bars.
        if compared == COMPARED_MIN && 2 * same < compared {
            return false;
        }
    }
    compared >= COMPARED_MIN && same as f64 >= AGREE_MIN * compared as f64
}
