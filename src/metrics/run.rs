//! From the record of a simulation to what metrics read.

use crate::engine::{LayerRun, Run, SymbolRun};
use crate::metrics::bare::Curve;
use crate::metrics::{ClosedTrade, Inputs, Metrics, Money, compute};
use crate::portfolio::{EntryKind, Stream, TradeStatus};

/// The columns that metrics read and a run does not hold as such.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedInputs {
    /// Time-weighted return of each bar: E_t / (E_{t-1} + F_t) - 1.
    pub returns: Vec<f64>,
    /// Value traded on each bar over the equity that it was traded from, E_{t-1} + F_t.
    pub turnover: Vec<f64>,
    /// Closed trades.
    pub trades: Vec<ClosedTrade>,
    /// Totals of the ledger.
    pub money: Money,
}

/// Time-weighted return of each bar of a run, net: E_t / (E_{t-1} + F_t) - 1, F_t being the flow
/// before the open; NaN where the denominator is not positive.
pub fn returns_of_run(run: &Run) -> Vec<f64> {
    let mut returns = vec![0.0; run.equity.len()];
    let curve = Curve {
        start: run.start_equity,
        equity: &run.equity,
        flows: &run.flows,
    };
    curve.returns_into(0, &mut returns);
    returns
}

/// The same of one symbol's own account.
pub fn returns_of_account(own: &SymbolRun) -> Vec<f64> {
    let mut returns = vec![0.0; own.equity.len()];
    let curve = Curve {
        start: own.start_equity,
        equity: &own.equity,
        flows: &own.flows,
    };
    curve.returns_into(0, &mut returns);
    returns
}

/// The same of a layer, whose transfers are flows.
pub fn returns_of_layer(layer: &LayerRun) -> Vec<f64> {
    let mut returns = vec![0.0; layer.equity.len()];
    let curve = Curve {
        start: layer.start_equity,
        equity: &layer.equity,
        flows: &layer.flows,
    };
    curve.returns_into(0, &mut returns);
    returns
}

/// Every metric of a run; beta, alpha and captures against `benchmark`, returns of another run's
/// bars on the same clock; `seed` is the bootstrap's.
///
/// # Panics
/// If a column of the run, or the benchmark, has another length than the run's bars.
pub fn of_run(run: &Run, benchmark: Option<&[f64]>, seed: u64) -> Metrics {
    compute(&OwnedInputs::of(run).borrow(run, benchmark, seed))
}

impl OwnedInputs {
    /// Derives what metrics read from a run.
    pub fn of(run: &Run) -> Self {
        OwnedInputs {
            returns: returns_of_run(run),
            turnover: turnover(run),
            trades: closed_trades(run),
            money: money(run),
        }
    }

    /// The inputs of metrics, borrowing from the run and from this.
    pub fn borrow<'a>(
        &'a self,
        run: &'a Run,
        benchmark: Option<&'a [f64]>,
        seed: u64,
    ) -> Inputs<'a> {
        Inputs {
            time: &run.time,
            returns: &self.returns,
            rate: &run.rate,
            hurdle: &run.hurdle,
            benchmark,
            periods_a_year: run.periods_a_year,
            bars_a_session: run.bars_a_session,
            start_equity: Some(run.start_equity),
            end_equity: Some(run.equity.last().copied().unwrap_or(run.start_equity)),
            flows: &run.flows,
            weight: &run.exposure,
            turnover: &self.turnover,
            trades: Some(&self.trades),
            money: Some(self.money),
            ambiguous_trades: Some(run.ambiguous.map_or(0, |a| a.trades)),
            seed,
        }
    }
}

fn turnover(run: &Run) -> Vec<f64> {
    let mut before = run.start_equity;
    let bars = run.traded.iter().zip(&run.equity).zip(&run.flows);
    bars.map(|((traded, equity), flow)| {
        let from = before + flow;
        before = *equity;
        // Nothing is traded from nothing; what is bought on credit alone has no such ratio, and
        // the returns of such a run are absent anyway.
        if from > 0.0 { traded / from } else { 0.0 }
    })
    .collect()
}

fn closed_trades(run: &Run) -> Vec<ClosedTrade> {
    let closed = run
        .trades
        .iter()
        .filter(|t| t.status == TradeStatus::Closed);
    closed.map(ClosedTrade::from).collect()
}

fn money(run: &Run) -> Money {
    let mut money = Money::default();
    let mut taxes = 0.0;
    for entry in &run.ledger {
        match entry.kind {
            EntryKind::Commission => money.fees -= entry.amount,
            EntryKind::Slippage => money.slippage += entry.amount.abs(),
            EntryKind::Dividend => money.dividends += entry.amount,
            EntryKind::Interest | EntryKind::MarginInterest | EntryKind::Borrow => {
                money.interest += entry.amount;
            }
            EntryKind::Tax => taxes -= entry.amount,
            _ => {}
        }
    }
    if let Some(tax) = &run.tax {
        money.taxes = Some(taxes);
        money.tax_at_end = Some(tax.liquidation.unpaid + tax.liquidation.on_sale);
    }
    if !run.options.contracts.is_empty() {
        let sum = |wanted: &[Stream]| -> f64 {
            let rows = run.income.iter().filter(|r| wanted.contains(&r.stream));
            rows.map(|r| r.amount).sum()
        };
        let net = [Stream::Premium, Stream::BoughtBack, Stream::GivenUp];
        money.premium = Some((sum(&net[..1]), sum(&net)));
    }
    money
}
