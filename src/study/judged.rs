//! A run beside its benchmarks: the figures of each, the curves that charts draw, and what to beware
//! of. Words and pictures are left to `report`.

use crate::engine::{Outcome, Progress, Run, SymbolRun, flows_before};
use crate::execution::Reason;
use crate::market::{ActionKind, Market, date_of};
use crate::metrics::bootstrap;
use crate::metrics::caveats::{Caveat, CaveatInputs, caveats};
use crate::metrics::profile::{Profiled, find_profile};
use crate::metrics::trial::{by_session, sessions_of};
use crate::metrics::{
    ClosedTrade, Inputs, Metrics, OwnedInputs, Value, all, compute_only, drawdown_series,
    monthly_returns, of_run, returns_of_account, returns_of_layer, returns_of_run, rolling_sharpe,
    yearly_returns,
};
use crate::portfolio::TradeStatus;
use crate::strategy::{Costs, FillAt, Prices, Rate, Strategy};
use crate::study::allocation::{Allocated, allocation};
use crate::study::learning::{Learning, learning};
use crate::study::overfitting::{Sharpes, deflated_sharpe};
use crate::study::stress::{Stress, stress_watched};
use crate::units::Micros;

/// Calendar days in a year, on average.
const DAYS_A_YEAR: f64 = 365.25;

/// A finished run with everything that is said about it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The run and its benchmarks.
    pub outcome: Outcome,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// The run's figures; beta, alpha and captures are against the first benchmark but `cash`.
    pub metrics: Metrics,
    /// Figures of each benchmark by name.
    pub benchmarks: Vec<(String, Metrics)>,
    /// With `[account] each`: figures of every symbol's own account, without the bootstrap.
    pub each: Vec<(String, Metrics)>,
    /// Figures of each layer.
    pub layers: Vec<(String, Metrics)>,
    /// What the charts draw.
    pub curves: Curves,
    /// What to beware of.
    pub caveats: Vec<Caveat>,
    /// The same strategy under each assumption that flatters it.
    pub stress: Stress,
    /// The run among all trials ever made on its data; `None` where nobody counted them.
    pub among: Option<AmongTrials>,
    /// What its model learned, and what that was worth; `None` without a `[model]`.
    pub learning: Option<Learning>,
    /// The run measured by another program's definitions; `None` without `[report] profile`.
    pub profiled: Option<Profiled>,
}

/// A run among all trials ever made on its data.
#[derive(Debug, Clone, PartialEq)]
pub struct AmongTrials {
    /// Distinct trials, the run's own included.
    pub trials: u64,
    /// Probability that the run's Sharpe ratio is above what luck gives the best of so many trials that
    /// are worth nothing.
    pub deflated_sharpe: Value<f64>,
}

impl Judged {
    /// Judges the run by all trials that were ever made on its data; `all` are their Sharpe ratios a
    /// year.
    pub fn count_among(&mut self, all: &Sharpes) {
        let (excess, sessions_a_year) = excess_by_session(&self.outcome.run);
        let all = all.scaled(1.0 / sessions_a_year.sqrt());
        self.among = Some(AmongTrials {
            trials: all.count(),
            deflated_sharpe: deflated_sharpe(&excess, &all),
        });
    }
}

/// Session returns of a run in excess of the rate, and the sessions of a year.
pub(crate) fn excess_by_session(run: &Run) -> (Vec<f64>, f64) {
    let sessions = sessions_of(&run.time, run.periods_a_year, run.bars_a_session);
    let mut excess = by_session(returns_of_run(run), &sessions);
    if !run.rate.is_empty() {
        let rate = by_session(run.rate.clone(), &sessions);
        excess.iter_mut().zip(&rate).for_each(|(r, f)| *r -= f);
    }
    (excess, sessions.scale.sessions_a_year)
}

/// Columns and tables derived from a run's returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Drawdown of the run at each bar, a fraction <= 0.
    pub drawdown: Vec<f64>,
    /// The same of each benchmark, in their order.
    pub benchmark_drawdown: Vec<Vec<f64>>,
    /// Returns of calendar months: year, month, return.
    pub months: Vec<(i32, u32, f64)>,
    /// Returns of calendar years.
    pub years: Vec<(i32, f64)>,
    /// Sharpe ratio over a trailing window.
    pub rolling: Rolling,
    /// What the account consisted of; empty for a strategy of `[rules]`.
    pub allocation: Vec<Allocated>,
}

/// The Sharpe ratio over a trailing window.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolling {
    /// The window in words.
    pub window: &'static str,
    /// One value a bar, NaN before the first full window.
    pub sharpe: Vec<f64>,
}

/// Measures a run and its benchmarks, puts it under stress, and says what to beware of; `seed` is
/// the bootstrap's.
pub fn judge(market: &Market, strategy: &Strategy, outcome: Outcome, seed: u64) -> Judged {
    judge_watched(market, strategy, outcome, (seed, Progress::default()))
}

/// The same, and `progress` is told of the bars that are simulated, see [`bars_to_simulate`].
///
/// [`bars_to_simulate`]: crate::study::bars_to_simulate
pub fn judge_watched(
    market: &Market,
    strategy: &Strategy,
    outcome: Outcome,
    (seed, progress): (u64, Progress<'_>),
) -> Judged {
    let mut judged = judge_as_it_is(market, strategy, outcome, seed);
    // The run has learned from the same market, so there is nothing to report here.
    let learning = learning(market, strategy, &judged.outcome.run).unwrap_or_default();
    judged
        .caveats
        .extend(learning.iter().flat_map(Learning::caveats));
    Judged {
        learning,
        stress: stress_watched(
            market,
            strategy,
            (&judged.outcome, &judged.metrics),
            (seed, progress),
        ),
        ..judged
    }
}

/// The same without the stress, which simulates a strategy again: for runs that are not the run of
/// one strategy.
pub fn judge_as_it_is(market: &Market, strategy: &Strategy, outcome: Outcome, seed: u64) -> Judged {
    let run = &outcome.run;
    let reference = outcome.reference().map(returns_of_run);
    let metrics = of_run(run, reference.as_deref(), seed);
    let of_benchmark = |(name, run): &(String, Run)| (name.clone(), of_run(run, None, seed));
    let profile = strategy.report.profile.as_deref().and_then(find_profile);
    let profiled = profile.map(|profile| {
        let owned = OwnedInputs::of(run);
        Profiled::of(profile, &owned.borrow(run, reference.as_deref(), seed))
    });
    let benchmarks = outcome.benchmarks.iter().map(of_benchmark).collect();
    let facts = facts(market, strategy, &outcome, &metrics);
    Judged {
        each: run.each.iter().map(|own| of_symbol(run, own)).collect(),
        layers: (0..run.layers.runs.len())
            .map(|of| of_layer(run, of))
            .collect(),
        curves: curves(market, strategy, &outcome),
        caveats: caveats(&facts),
        stress: Stress::default(),
        among: None,
        learning: None,
        profiled,
        metrics,
        benchmarks,
        outcome,
        seed,
    }
}

/// Figures of one layer: its own returns, with transfers as its flows.
fn of_layer(run: &Run, of: usize) -> (String, Metrics) {
    let layer = &run.layers.runs[of];
    let returns = returns_of_layer(layer);
    let trades = run.trades.iter().zip(&run.layers.trades);
    let trades =
        trades.filter(|(trade, layer)| **layer == of && trade.status == TradeStatus::Closed);
    let trades: Vec<ClosedTrade> = trades.map(|(trade, _)| ClosedTrade::from(trade)).collect();
    let part = (
        layer.start_equity,
        layer.equity.as_slice(),
        layer.flows.as_slice(),
    );
    (layer.name.clone(), of_part(run, &returns, part, &trades))
}

/// Figures of a part of a run from its returns, its cash at the start, equity and flows, and trades.
fn of_part(
    run: &Run,
    returns: &[f64],
    (start, equity, flows): (f64, &[f64], &[f64]),
    trades: &[ClosedTrade],
) -> Metrics {
    let inputs = Inputs {
        time: &run.time,
        returns,
        rate: &run.rate,
        hurdle: &run.hurdle,
        benchmark: None,
        periods_a_year: run.periods_a_year,
        bars_a_session: run.bars_a_session,
        start_equity: Some(start),
        end_equity: equity.last().copied().or(Some(start)),
        flows,
        weight: &[],
        turnover: &[],
        trades: Some(trades),
        money: None,
        ambiguous_trades: None,
        seed: bootstrap::SEED,
    };
    // A bootstrap for every symbol of a large universe would take longer than all the rest.
    let is_resampled = |key: &str| ["sharpe_low", "sharpe_high"].contains(&key);
    let keys = all().map(|row| row.key).filter(|key| !is_resampled(key));
    compute_only(&inputs, &keys.collect::<Vec<_>>())
}

/// Figures of one symbol's own account.
fn of_symbol(run: &Run, own: &SymbolRun) -> (String, Metrics) {
    let returns = returns_of_account(own);
    let closed = run.trades.iter().filter(|trade| trade.symbol == own.symbol);
    let closed = closed.filter(|trade| trade.status == TradeStatus::Closed);
    let trades: Vec<ClosedTrade> = closed.map(ClosedTrade::from).collect();
    let part = (
        own.start_equity,
        own.equity.as_slice(),
        own.flows.as_slice(),
    );
    let metrics = of_part(run, &returns, part, &trades);
    (run.symbols[own.symbol].clone(), metrics)
}

fn curves(market: &Market, strategy: &Strategy, outcome: &Outcome) -> Curves {
    let run = &outcome.run;
    let returns = returns_of_run(run);
    let benchmarks = outcome.benchmarks.iter();
    let drawdown = |(_, run): &(String, Run)| drawdown_series(&returns_of_run(run));
    Curves {
        drawdown: drawdown_series(&returns),
        benchmark_drawdown: benchmarks.map(drawdown).collect(),
        months: monthly_returns(&run.time, &returns),
        years: yearly_returns(&run.time, &returns),
        rolling: rolling(run, &returns),
        allocation: allocation(market, strategy, run),
    }
}

/// One year, or three months of a run shorter than two years. Bars inside a day are compounded to
/// days first, and a day's value stands on its last bar and until the next.
fn rolling(run: &Run, returns: &[f64]) -> Rolling {
    let mut days: Vec<(Micros, f64, f64)> = Vec::new();
    let mut bars_of_day = Vec::with_capacity(returns.len());
    for (bar, time) in run.time.iter().enumerate() {
        let rate = run.rate.get(bar).copied().unwrap_or(0.0);
        match days.last_mut() {
            Some((day, r, f)) if date_of(*day) == date_of(*time) => {
                *r = (1.0 + *r) * (1.0 + returns[bar]) - 1.0;
                *f = (1.0 + *f) * (1.0 + rate) - 1.0;
            }
            _ => days.push((*time, returns[bar], rate)),
        }
        bars_of_day.push(days.len() - 1);
    }
    let a_year = run.periods_a_year / run.bars_a_session.max(1.0);
    let is_long = days.len() as f64 >= 2.0 * a_year;
    let (window, words) = if is_long {
        (a_year, "one year")
    } else {
        (a_year / 4.0, "three months")
    };
    let of_days: Vec<f64> = days.iter().map(|(_, r, _)| *r).collect();
    let rates: Vec<f64> = days.iter().map(|(.., f)| *f).collect();
    let window = (window.round() as usize).max(2);
    let ratios = rolling_sharpe(&of_days, &rates, window, a_year);
    let is_last = |bar: usize| bars_of_day.get(bar + 1) != Some(&bars_of_day[bar]);
    let mut known = f64::NAN;
    let sharpe = (0..returns.len()).map(|bar| {
        if is_last(bar) {
            known = ratios[bars_of_day[bar]];
        }
        known
    });
    Rolling {
        window: words,
        sharpe: sharpe.collect(),
    }
}

/// The facts that caveats are judged from.
fn facts(
    market: &Market,
    strategy: &Strategy,
    outcome: &Outcome,
    metrics: &Metrics,
) -> CaveatInputs {
    let run = &outcome.run;
    let universe = universe(market, strategy);
    let years = years(run);
    let closed = run
        .trades
        .iter()
        .filter(|t| t.status == TradeStatus::Closed);
    let closes_only = |&&tape: &&usize| market.tapes[tape].bars.closes_only;
    let name = |&tape: &usize| market.tapes[tape].symbol.clone();
    // Costs and fills of layers are those of their own files.
    let decide: Vec<&Strategy> = match strategy.layers.is_empty() {
        true => vec![strategy],
        false => strategy
            .layers
            .iter()
            .map(|layer| &layer.strategy)
            .collect(),
    };
    let fills_at_close = decide.iter().any(|s| s.fill.at == FillAt::Close);
    let defaulted = decide.iter().find(|s| s.costs.defaulted);
    CaveatInputs {
        years,
        observations: metrics.observations,
        closed_trades: closed.count(),
        costs_are_zero: decide.iter().all(|s| {
            are_zero(&s.costs) && !(s.decides_by_options_alone() && s.costs.per_contract > 0.0)
        }),
        costs_defaulted: defaulted.and_then(|s| s.costs.preset.clone()),
        fills_at_deciding_close: fills_at_close && run.orders.iter().any(|o| o.filled > 0.0),
        symbols: universe.len(),
        symbols_ended: ended(market, run, &universe),
        members_dated: strategy.data.members.is_some(),
        closes_only: universe.iter().filter(closes_only).map(name).collect(),
        without_dividends: without_dividends(market, strategy, run),
        cash_yield: constant(&strategy.cash.yield_),
        hurdle: strategy.cash.hurdle.as_ref().and_then(constant),
        stale: stale(market, run),
        ambiguous_trades: run.ambiguous.map_or(0, |band| band.trades as usize),
        // The band stands beside the caveats, with its own words.
        ambiguous_equity: None,
        in_sample_trials: None,
        option_prices: run.options.warnings.clone(),
        option_fills_at_deciding_close: run.options.same_close_fills,
        adjusted_columns: adjusted_columns(market, strategy),
        benchmark_left_out: outcome.left_out.clone(),
        unpaid: unpaid(run),
        flows_before: run
            .time
            .first()
            .and_then(|first| flows_before(strategy, *first).ok())
            .unwrap_or_default(),
        taxed: strategy.tax.is_some(),
        holdout: market
            .holdout
            .map(|held| (date_of(held.from).to_string(), held.is_open)),
    }
}

/// Withdrawals that were not paid in full: how many, and the money that is missing.
fn unpaid(run: &Run) -> Option<(usize, f64)> {
    let missing = run.unpaid.iter().map(|one| one.amount).sum();
    (!run.unpaid.is_empty()).then_some((run.unpaid.len(), missing))
}

fn years(run: &Run) -> f64 {
    match run.time.as_slice() {
        [first, .., last] => (date_of(*last) - date_of(*first)).num_days() as f64 / DAYS_A_YEAR,
        _ => 0.0,
    }
}

/// Market indices of the symbols that could trade.
fn universe(market: &Market, strategy: &Strategy) -> Vec<usize> {
    let wanted = &strategy.data.symbols;
    (0..market.tapes.len())
        .filter(|&tape| wanted.is_empty() || wanted.contains(&market.tapes[tape].symbol))
        .collect()
}

fn are_zero(costs: &Costs) -> bool {
    let all = [
        costs.commission,
        costs.per_share,
        costs.per_order,
        costs.min,
        costs.slippage_bps,
        costs.spread_bps,
    ];
    all.iter().all(|cost| *cost == 0.0)
}

/// Symbols whose bars end before the run, or that were delisted.
fn ended(market: &Market, run: &Run, universe: &[usize]) -> usize {
    let end = run.time.last().copied().unwrap_or_default();
    let delisted = |tape: usize| {
        let mut trades = run.trades.iter().filter(|trade| trade.symbol == tape);
        trades.any(|trade| trade.reason == Reason::Delisted)
    };
    let is_over = |&&tape: &&usize| {
        let last = market.tapes[tape].bars.time.last();
        last.is_none_or(|last| *last < end) || delisted(tape)
    };
    universe.iter().filter(is_over).count()
}

/// Symbols held for more than a year of sessions at raw prices, when nothing in the data pays
/// dividends.
fn without_dividends(market: &Market, strategy: &Strategy, run: &Run) -> Vec<String> {
    let pays =
        |kind: ActionKind| matches!(kind, ActionKind::Dividend | ActionKind::SpecialDividend);
    let knows = market.actions.iter().any(|action| pays(action.kind));
    let is_raw = strategy.data.prices == Prices::Raw;
    if knows || !is_raw || strategy.data.dividend_yield.is_some() {
        return Vec::new();
    }
    let mut held = vec![0.0; market.tapes.len()];
    for trade in &run.trades {
        if let Some(bars) = held.get_mut(trade.symbol) {
            *bars += f64::from(trade.bars_held);
        }
    }
    let a_year = 252.0 * run.bars_a_session.max(1.0) * run.periods_a_year.min(252.0) / 252.0;
    let long = |(_, bars): &(usize, &f64)| **bars > a_year;
    let held = held.iter().enumerate().filter(long);
    held.map(|(tape, _)| market.tapes[tape].symbol.clone())
        .collect()
}

fn constant(rate: &Rate) -> Option<f64> {
    match rate {
        Rate::Constant(rate) => Some(*rate).filter(|r| *r != 0.0),
        Rate::File(_) => None,
    }
}

/// Held symbols whose bars have ended, with the date of the last one.
fn stale(market: &Market, run: &Run) -> Vec<(String, String)> {
    let of_tape = |&tape: &usize| {
        let tape = &market.tapes[tape];
        let last = tape.bars.time.last().map(|last| date_of(*last).to_string());
        (tape.symbol.clone(), last.unwrap_or_default())
    };
    run.stale.iter().map(of_tape).collect()
}

/// Columns of adjusted prices that the strategy's expressions name.
fn adjusted_columns(market: &Market, strategy: &Strategy) -> Vec<String> {
    let rules = &strategy.rules;
    let mut texts: Vec<&str> = Vec::new();
    let of_rules = [
        &rules.enter,
        &rules.exit,
        &rules.short,
        &rules.cover,
        &rules.priority,
    ];
    texts.extend(of_rules.into_iter().flatten().map(|e| e.text.as_str()));
    texts.extend(strategy.series.iter().map(|(_, e)| e.text.as_str()));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let extra = market.tapes.iter().flat_map(|tape| &tape.bars.extra);
    let mut columns: Vec<String> = extra
        .map(|(name, _)| name.clone())
        .filter(|name| name.starts_with("adj"))
        .filter(|name| {
            let mut words = texts.iter().flat_map(|text| text.split(|c| !is_word(c)));
            words.any(|word| word == name)
        })
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}
