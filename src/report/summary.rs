//! One run as everything that is said about it: the terminal, JSON and the charts read this and
//! nothing else, so that they cannot disagree.
//!
//! [`Summary::of`] is the one place that gathers it. Numbers come from `metrics` and from the run's
//! books; here they are only put beside one another and added up by name.

use crate::engine::{Ambiguous, LayerRun, Run, TaxReport, savings_of};
use crate::execution::{Outcome, Reason};
use crate::metrics::Metrics;
use crate::metrics::caveats::Caveat;
use crate::metrics::profile::Profiled;
use crate::portfolio::Stream;
use crate::report::cell;
use crate::report::conventions;
use crate::report::figure;
use crate::report::options::OptionPage;
use crate::strategy::{Rate, Strategy};
use crate::study::{AmongTrials, Judged, Learning, Stress};
use crate::units::Micros;
use std::collections::BTreeMap;

/// The days that a run simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    /// Moment of the first bar.
    pub start: Micros,
    /// Moment of the last bar.
    pub end: Micros,
    /// Bars stand inside days.
    pub is_intraday: bool,
    /// Number of bars.
    pub bars: usize,
    /// Bars before the first that warm-up could read.
    pub warmup_bars: usize,
    /// Bars a year, which annual figures are scaled with.
    pub periods_a_year: f64,
}

impl Period {
    /// The first bar as files write it.
    pub fn start_text(&self) -> String {
        cell::moment(self.start, self.is_intraday)
    }

    /// The last bar as files write it.
    pub fn end_text(&self) -> String {
        cell::moment(self.end, self.is_intraday)
    }

    /// First to last day for people, with the time when they are one day.
    pub fn words(&self) -> String {
        let day = |time| cell::moment(time, false);
        let is_one_day = day(self.start) == day(self.end);
        let moment = |time| cell::moment(time, self.is_intraday && is_one_day);
        format!("{} to {}", moment(self.start), moment(self.end))
    }
}

/// A name and the figures under it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Name of a strategy, benchmark or symbol.
    pub name: String,
    /// Its figures.
    pub metrics: Metrics,
}

/// How many orders ended in one way for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderCount {
    /// How they ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: usize,
}

/// Something to beware of, with advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Stable name in JSON, for example `few_trades`.
    pub code: String,
    /// What it is and what to do, two sentences.
    pub text: String,
}

/// Money by stream, for the whole run or a part of it.
pub type Income = Vec<(Stream, f64)>;

/// A run beside savings at the hurdle.
#[derive(Debug, Clone, PartialEq)]
pub struct Savings {
    /// The hurdle in words: `4.5%`, `a dated rate`.
    pub hurdle: String,
    /// Equity at the end less what savings, with the same flows, came to.
    pub excess: f64,
}

impl Savings {
    /// What the excess is called.
    pub fn label(&self) -> String {
        format!("excess over cash at {}", self.hurdle)
    }
}

/// Everything that is said about one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the strategy.
    pub name: String,
    /// What it does, often empty.
    pub about: String,
    /// Code of the account's currency.
    pub currency: String,
    /// The days simulated.
    pub period: Period,
    /// Symbols that could be traded.
    pub symbols: Vec<String>,
    /// The assumptions in words: a question and its answer.
    pub conventions: Vec<(&'static str, String)>,
    /// Every assumption: key, value as TOML text, and whether it was given.
    pub assumptions: Vec<(String, String, bool)>,
    /// The strategy's figures.
    pub metrics: Metrics,
    /// Those of each benchmark.
    pub benchmarks: Vec<Figures>,
    /// With `[account] each`: those of every symbol's own account.
    pub each: Vec<Figures>,
    /// Those of each layer; empty for a strategy without.
    pub layers: Vec<Figures>,
    /// Where the money came from; sums to the change of equity.
    pub income: Income,
    /// The same by layer, transfers between them among its flows; empty without layers.
    pub income_by_layer: Vec<(String, Income)>,
    /// The same by symbol; the empty name is cash.
    pub income_by_symbol: Vec<(String, Income)>,
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at the last close.
    pub end_equity: f64,
    /// What savings at the hurdle would have made of the same flows; `None` where they pay nothing.
    pub savings: Option<Savings>,
    /// Money put in, less what was taken out, up to each bar, the cash at the start included; empty
    /// without flows.
    pub put_in: Vec<f64>,
    /// Orders by outcome and reason.
    pub orders: Vec<OrderCount>,
    /// The ambiguity band, when a trade was ambiguous.
    pub ambiguous: Option<Ambiguous>,
    /// What to beware of.
    pub caveats: Vec<Warning>,
    /// Lots and taxes; `None` without `[tax]`.
    pub tax: Option<TaxReport>,
    /// What its options earned and cost; `None` without any.
    pub options: Option<OptionPage>,
    /// The same strategy under each assumption that flatters it.
    pub stress: Stress,
    /// The run among all trials ever made on its data; `None` where nobody counted them.
    pub among: Option<AmongTrials>,
    /// What its model learned, beside its rivals.
    pub learning: Option<Learning>,
    /// Its figures by another program's definitions.
    pub profiled: Option<Profiled>,
}

impl Summary {
    /// Gathers what is said about a judged run.
    pub fn of(strategy: &Strategy, judged: &Judged) -> Self {
        let run = &judged.outcome.run;
        let wanted = &strategy.data.symbols;
        let trades = |symbol: &&String| wanted.is_empty() || wanted.contains(symbol);
        let symbols: Vec<String> = run.symbols.iter().filter(trades).cloned().collect();
        Summary {
            name: strategy.name.clone(),
            about: strategy.about.clone(),
            currency: strategy.account.currency.clone(),
            period: period(run),
            conventions: conventions::in_words(strategy, symbols.len()),
            symbols,
            assumptions: strategy.assumptions.clone(),
            metrics: judged.metrics.clone(),
            benchmarks: figures(&judged.benchmarks),
            each: figures(&judged.each),
            layers: figures(&judged.layers),
            income: income(run),
            income_by_layer: income_by_layer(run),
            income_by_symbol: income_by_symbol(run),
            start_equity: run.start_equity,
            end_equity: run.equity.last().copied().unwrap_or(run.start_equity),
            savings: savings(strategy, run),
            put_in: put_in(run),
            orders: orders(run),
            ambiguous: run.ambiguous,
            caveats: judged.caveats.iter().map(warning).collect(),
            tax: run.tax.clone(),
            options: OptionPage::of(run, &judged.metrics, &judged.stress),
            stress: judged.stress.clone(),
            among: judged.among.clone(),
            learning: judged.learning.clone(),
            profiled: judged.profiled.clone(),
        }
    }

    /// Change of equity over the run, flows included: what the income adds up to.
    pub fn change_of_equity(&self) -> f64 {
        self.end_equity - self.start_equity
    }

    /// Orders of each outcome, in the order of [`Outcome`].
    pub fn orders_by_outcome(&self) -> Vec<(Outcome, usize)> {
        let mut counts: Vec<(Outcome, usize)> = Vec::new();
        for order in &self.orders {
            match counts.last_mut() {
                Some((outcome, count)) if *outcome == order.outcome => *count += order.count,
                _ => counts.push((order.outcome, order.count)),
            }
        }
        counts
    }
}

fn figures(named: &[(String, Metrics)]) -> Vec<Figures> {
    let figures = |(name, metrics): &(String, Metrics)| Figures {
        name: name.clone(),
        metrics: metrics.clone(),
    };
    named.iter().map(figures).collect()
}

fn warning(caveat: &Caveat) -> Warning {
    Warning {
        code: caveat.code().to_string(),
        text: caveat.to_string(),
    }
}

fn period(run: &Run) -> Period {
    Period {
        start: run.time.first().copied().unwrap_or_default(),
        end: run.time.last().copied().unwrap_or_default(),
        is_intraday: cell::is_intraday(&run.time),
        bars: run.time.len(),
        warmup_bars: run.warmup_bars,
        periods_a_year: run.periods_a_year,
    }
}

fn savings(strategy: &Strategy, run: &Run) -> Option<Savings> {
    let cash = &strategy.cash;
    let hurdle = match cash.hurdle.as_ref().unwrap_or(&cash.yield_) {
        Rate::Constant(0.0) => return None,
        Rate::Constant(rate) => figure::given_percent(*rate),
        Rate::File(_) => "a dated rate".to_string(),
    };
    let end = |curve: &[f64]| curve.last().copied().unwrap_or(run.start_equity);
    Some(Savings {
        hurdle,
        excess: end(&run.equity) - end(&savings_of(run)),
    })
}

fn put_in(run: &Run) -> Vec<f64> {
    if run.flows.iter().all(|flow| *flow == 0.0) {
        return Vec::new();
    }
    let mut sum = run.start_equity;
    let flows = run.flows.iter();
    flows
        .map(|flow| {
            sum += flow;
            sum
        })
        .collect()
}

fn income(run: &Run) -> Income {
    sum_by_stream(run.income.iter().map(|row| (row.stream, row.amount)))
}

fn sum_by_stream(amounts: impl Iterator<Item = (Stream, f64)>) -> Income {
    let mut sums = Stream::ALL.map(|stream| (stream, 0.0));
    for (stream, amount) in amounts {
        sums[stream as usize].1 += amount;
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0.0).collect()
}

fn income_by_layer(run: &Run) -> Vec<(String, Income)> {
    let layers = run.layers.runs.iter().enumerate();
    let of_layer = |(of, layer): (usize, &LayerRun)| {
        let rows = run.income.iter().zip(&run.layers.income);
        let rows = rows.filter(|(_, layer)| **layer == of);
        let income = sum_by_stream(rows.map(|(row, _)| (row.stream, row.amount)));
        (layer.name.clone(), income)
    };
    layers.map(of_layer).collect()
}

fn income_by_symbol(run: &Run) -> Vec<(String, Income)> {
    let mut symbols: BTreeMap<Option<usize>, Vec<(Stream, f64)>> = BTreeMap::new();
    for row in &run.income {
        let amounts = symbols.entry(row.symbol).or_default();
        amounts.push((row.stream, row.amount));
    }
    let name = |symbol: Option<usize>| symbol.map_or(String::new(), |s| run.symbols[s].clone());
    symbols
        .into_iter()
        .map(|(symbol, amounts)| (name(symbol), sum_by_stream(amounts.into_iter())))
        .collect()
}

fn orders(run: &Run) -> Vec<OrderCount> {
    let mut counts: BTreeMap<(u8, Reason), OrderCount> = BTreeMap::new();
    for order in &run.orders {
        let key = (order.outcome as u8, order.reason);
        let entry = counts.entry(key).or_insert(OrderCount {
            outcome: order.outcome,
            reason: order.reason,
            count: 0,
        });
        entry.count += 1;
    }
    counts.into_values().collect()
}
