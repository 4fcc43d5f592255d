//! What a strategy is measured against: ordinary runs of the same loop that only hold.

use crate::engine::decide::{Decider, Plan};
use crate::engine::flows::Flow;
use crate::engine::prepare::Prepared;
use crate::engine::progress::Progress;
use crate::engine::simulate::{Detail, Sim};
use crate::engine::{Run, plain, run_rules};
use crate::error::{Error, Problem, Result};
use crate::market::{Market, Period, period_ends_of};
use crate::strategy::{
    AccountKind, Ambiguity, Every, OrderKind, RaiseCash, Rules, Size, SizeMethod, Stops, Strategy,
};

/// A strategy's run and the runs it is measured against.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The strategy.
    pub run: Run,
    /// Benchmarks by name: `universe`, a symbol, a blend's text, `cash`.
    pub benchmarks: Vec<(String, Run)>,
    /// Symbols that a benchmark left out because they had no bar on the first bar of the run.
    pub left_out: Vec<String>,
}

impl Outcome {
    /// The benchmark that beta, alpha and captures are against: the first that is not `cash`.
    pub fn reference(&self) -> Option<&Run> {
        self.benchmarks
            .iter()
            .find(|(name, _)| name != "cash")
            .map(|(_, run)| run)
    }
}

/// Simulates a strategy and its benchmarks.
///
/// A benchmark spends the same cash and the same flows under the same fill and costs, without tax:
/// bought by orders decided on the first bar, never rebalanced (a blend: monthly), deposits buying
/// more by the weights and dividends more of the payer at the next open. `cash` compounds the
/// hurdle, with the flows of the run.
///
/// # Errors
/// As [`crate::engine::backtest`], and when a benchmark names a symbol that the market lacks.
pub fn simulate(market: &Market, strategy: &Strategy) -> Result<Outcome> {
    simulate_watched(market, strategy, Progress::default())
}

/// The same, and `progress` is told how many more bars were simulated, benchmarks included. Being watched changes
/// no bit of it.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_watched(
    market: &Market,
    strategy: &Strategy,
    progress: Progress<'_>,
) -> Result<Outcome> {
    let mut prepared = Prepared::new(market, strategy)?;
    prepared.progress = progress;
    let run = run_rules(&prepared, Detail::Full)?;
    beside_benchmarks(&prepared, run)
}

/// A run of the prepared strategy and the benchmarks over the same bars.
pub(crate) fn beside_benchmarks(prepared: &Prepared<'_>, run: Run) -> Result<Outcome> {
    let (market, strategy) = (&*prepared.market, prepared.strategy);
    let mut left_out = Vec::new();
    let mut benchmarks = Vec::new();
    let wanted = &strategy.benchmark;
    let holder = holder(strategy, run.start_equity);
    let mut hold = |name: &str, weights: Vec<(usize, f64)>, monthly: bool| -> Result<()> {
        let run = held(prepared, &holder, name, &weights, monthly, &mut left_out)?;
        benchmarks.push((name.to_string(), run));
        Ok(())
    };
    if wanted.universe {
        // Of a dated universe, those who are in it when the run begins.
        let is_in = |tape: &&usize| {
            prepared
                .members
                .get(**tape)
                .is_none_or(|m| m[prepared.first])
        };
        let universe: Vec<usize> = prepared.universe.iter().filter(is_in).copied().collect();
        let equal = 1.0 / universe.len() as f64;
        let weights = universe.iter().map(|&tape| (tape, equal)).collect();
        hold("universe", weights, false)?;
    }
    for symbol in &wanted.symbols {
        hold(symbol, vec![(find(market, symbol)?, 1.0)], false)?;
    }
    if !wanted.blend.is_empty() {
        let weights = wanted
            .blend
            .iter()
            .map(|(symbol, weight)| Ok((find(market, symbol)?, *weight)))
            .collect::<Result<Vec<_>>>()?;
        let text = wanted
            .blend
            .iter()
            .map(|(symbol, weight)| format!("{symbol} = {weight}"))
            .collect::<Vec<_>>();
        hold(&text.join(", "), weights, true)?;
    }
    if wanted.cash {
        benchmarks.push(("cash".to_string(), savings(&run)));
    }
    left_out.sort_unstable();
    left_out.dedup();
    Ok(Outcome {
        run,
        benchmarks,
        left_out,
    })
}

fn find(market: &Market, symbol: &str) -> Result<usize> {
    market.index_of(symbol).ok_or_else(|| {
        let known = market.tapes.iter().map(|t| t.symbol.as_str());
        let near = crate::error::nearest(symbol, known);
        let problem = Problem::new(format!("no bars of the benchmark `{symbol}` in the data"));
        Error::new(match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("name a symbol of `data.source`"),
        })
    })
}

/// The strategy with everything that decides taken out: same cash, fill and costs.
fn holder(strategy: &Strategy, cash: f64) -> Strategy {
    let mut holder = strategy.clone();
    holder.rules = Rules {
        enter: None,
        exit: None,
        short: None,
        cover: None,
        priority: None,
        cooldown_bars: 0,
        hold_bars_max: None,
        every: Every::Bar,
    };
    holder.stops = Stops {
        stop: None,
        target: None,
        trail: None,
        target_share: 1.0,
        breakeven: None,
        entry_bar: true,
        ambiguity: Ambiguity::Worst,
    };
    holder.size = Size {
        method: SizeMethod::Fraction,
        value: 1.0,
        max_positions: None,
        max_weight: None,
        lot: strategy.size.lot,
        min_order: 0.0,
        pyramid: false,
    };
    holder.fill.order = OrderKind::Market;
    holder.fill.volume_cap = None;
    holder.fill.close_at_end = false;
    holder.tax = None;
    holder.account.cash = cash;
    holder.account.kind = AccountKind::Cash;
    holder.account.settlement_days = 0;
    holder.account.each = false;
    holder.account.reinvest_dividends = false;
    holder.account.raise_cash = RaiseCash::ProRata;
    holder
}

/// Holds weights by orders decided on the first bar.
fn held(
    prepared: &Prepared<'_>,
    holder: &Strategy,
    name: &str,
    weights: &[(usize, f64)],
    monthly: bool,
    left_out: &mut Vec<String>,
) -> Result<Run> {
    let mut tapes = weights.iter().map(|(tape, _)| *tape).collect::<Vec<_>>();
    tapes.sort_unstable();
    tapes.dedup();
    // One account spends what the strategy's spend together, one a symbol with `[account] each`.
    let accounts = match prepared.strategy.account.each {
        true => prepared.universe.len() as f64,
        false => 1.0,
    };
    let of_all = |flow: &Flow| Flow {
        amount: flow.amount * accounts,
        ..*flow
    };
    let flows: Vec<Flow> = prepared.flows.iter().map(of_all).collect();
    let mut input = prepared.bare_input(&tapes);
    input.flows = &flows;
    input.strategy = holder;
    let weight_of = |tape: usize| -> f64 {
        weights
            .iter()
            .filter(|(t, _)| *t == tape)
            .map(|(_, w)| w)
            .sum()
    };
    let present = |slot: usize| input.symbols[slot].own_bar(input.first).is_some();
    let mut slots = Vec::with_capacity(tapes.len());
    for (slot, &tape) in tapes.iter().enumerate() {
        if present(slot) {
            slots.push(weight_of(tape));
        } else {
            left_out.push(prepared.market.tapes[tape].symbol.clone());
            slots.push(0.0);
        }
    }
    // What is left out leaves its share to the others, so that all cash is invested.
    let asked: f64 = weights.iter().map(|(_, w)| w).sum();
    let sum: f64 = slots.iter().sum();
    if sum > 0.0 && sum < asked {
        slots.iter_mut().for_each(|w| *w *= asked / sum);
    }
    let market = &*prepared.market;
    let rebalance = if monthly {
        period_ends_of(
            &prepared.clock,
            Period::Month,
            market.calendar,
            market.interval,
        )
    } else {
        Vec::new()
    };
    let plan = Plan {
        weights: slots,
        rebalance,
    };
    let mut record = Sim::new(&input, Decider::Hold(&plan), Detail::Full).run();
    record.stale.clear();
    let mut run = plain(prepared, name, record)?;
    run.start_equity = holder.account.cash;
    Ok(run)
}

/// What savings at the hurdle, with the flows of a run, come to at each of its bars. A withdrawal
/// takes at most what is there.
pub fn savings_of(run: &Run) -> Vec<f64> {
    let mut equity = run.start_equity;
    let flows = run.flows.iter().chain(std::iter::repeat(&0.0));
    let bars = run.hurdle.iter().zip(flows);
    bars.map(|(r, flow)| {
        equity = (equity * (1.0 + r) + flow).max(0.0);
        equity
    })
    .collect()
}

/// Savings at the hurdle, over the bars of a run.
fn savings(run: &Run) -> Run {
    let curve = savings_of(run);
    let bars = curve.len();
    let mut before = run.start_equity;
    let saved = curve.iter().zip(&run.hurdle).zip(&run.flows);
    let flows = saved.map(|((equity, r), flow)| {
        let grown = before * (1.0 + r);
        before = *equity;
        flow.max(-grown)
    });
    let flows = flows.collect();
    Run {
        name: "cash".to_string(),
        symbols: run.symbols.clone(),
        first_bar: run.first_bar,
        warmup_bars: run.warmup_bars,
        time: run.time.clone(),
        periods_a_year: run.periods_a_year,
        bars_a_session: run.bars_a_session,
        start_equity: run.start_equity,
        cash: curve.clone(),
        equity: curve,
        holdings: vec![0.0; bars],
        flows,
        exposure: vec![0.0; bars],
        traded: vec![0.0; bars],
        rate: run.rate.clone(),
        hurdle: run.hurdle.clone(),
        ..Run::default()
    }
}
