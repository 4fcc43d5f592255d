//! What written options earned, and what they cost: the figures of a run that a premium yield alone
//! would flatter.
//!
//! Money is of the whole run; yields are a year, on the average equity; a trade's result is economic:
//! what the strike cost against the price of the shares is counted with the option that gave it up.

use crate::engine::{OptionRecord, Run};
use crate::execution::Reason;
use crate::instrument::{OccSymbol, Right};
use crate::portfolio::{EntryKind, OptionTrade, Stream};
use std::collections::BTreeMap;

/// Microseconds of a year of 365.25 days.
const YEAR_MICROS: f64 = 365.25 * 86_400e6;

/// Money of the option streams.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PremiumMoney {
    /// Premium received.
    pub received: f64,
    /// Paid to buy written options back (0 or below).
    pub bought_back: f64,
    /// Lost to strikes when written options were exercised (0 or below).
    pub given_up: f64,
    /// Options bought and what they brought.
    pub protection: f64,
    /// Fees of options (0 or below).
    pub fees: f64,
}

impl PremiumMoney {
    /// What is left.
    pub fn kept(&self) -> f64 {
        self.received + self.bought_back + self.given_up + self.protection + self.fees
    }
}

/// An option that was traded back for a later one.
#[derive(Debug, Clone, PartialEq)]
pub struct Rolled {
    /// Clock bar.
    pub bar: usize,
    /// Places of both among the record's trades.
    pub trades: (usize, usize),
    /// New premium less what the old one cost and both fees, a share.
    pub credit: f64,
}

/// What a run's options came to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionFigures {
    /// Calls and puts written, those inside spreads among them.
    pub written: (usize, usize),
    /// Options bought.
    pub bought: usize,
    /// How those written ended: reason and number, in a fixed order; `None` is open.
    pub outcomes: Vec<(Option<Reason>, usize)>,
    /// Money of the whole run.
    pub money: PremiumMoney,
    /// The same by month (`2014-03`), every month of the run.
    pub months: Vec<(String, PremiumMoney)>,
    /// Average equity.
    pub equity: f64,
    /// Years of the run.
    pub years: f64,
    /// Days to expiration, size of the delta, and premium over the price when written, on average.
    pub days: f64,
    /// See `days`; NaN where no delta was known.
    pub delta: f64,
    /// See `days`.
    pub premium: f64,
    /// Of written options that ended: the share that gained.
    pub win_rate: f64,
    /// Of the same: the average gain over the size of the average loss; NaN without either.
    pub payoff_ratio: f64,
    /// Rolls in order of time.
    pub rolls: Vec<Rolled>,
    /// Result of the worst campaign that ended, money; NaN without any.
    pub worst_campaign: f64,
    /// What was not done: whether a roll, why, how often; the commonest first.
    pub not_done: Vec<(bool, &'static str, usize)>,
}

/// A contract's expiration, side and strike from its symbol.
pub fn contract_of(record: &OptionRecord, trade: &OptionTrade) -> Option<OccSymbol> {
    let symbol = record.contracts.get(trade.contract)?;
    OccSymbol::parse(symbol).map(|(symbol, _)| symbol)
}

/// The economic result of a trade, money: its prices, fees, and what the strike gave up.
pub fn result_of(trade: &OptionTrade) -> f64 {
    let shares = trade.count * trade.multiplier;
    let gain = shares * (trade.prices.1 - trade.prices.0);
    let given = match trade.count < 0.0 {
        true => -trade.given_up,
        false => trade.given_up,
    };
    gain + given - trade.fees.0 - trade.fees.1
}

/// The figures of a run's options; `None` for a run that traded none.
pub fn of_run(run: &Run) -> Option<OptionFigures> {
    let record = &run.options;
    if record.trades.is_empty() {
        return None;
    }
    let written: Vec<&OptionTrade> = record.trades.iter().filter(|t| t.count < 0.0).collect();
    let calls = written.iter().filter(|t| is_call(record, t)).count();
    let months = by_month(run);
    let mut money = PremiumMoney::default();
    for (_, month) in &months {
        money.received += month.received;
        money.bought_back += month.bought_back;
        money.given_up += month.given_up;
        money.protection += month.protection;
        money.fees += month.fees;
    }
    let mean = |of: &dyn Fn(&OptionTrade) -> f64| {
        let known = written.iter().map(|t| of(t)).filter(|v| v.is_finite());
        let (n, sum) = known.fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v));
        if n > 0.0 { sum / n } else { f64::NAN }
    };
    let (win_rate, payoff_ratio) = won(&written);
    let ended = record.campaigns.iter().filter(|c| !c.open);
    let nets = ended.map(|c| c.credits - c.debits - c.given_up - c.fees);
    let span = run.time.last().zip(run.time.first());
    Some(OptionFigures {
        written: (calls, written.len() - calls),
        bought: record.trades.len() - written.len(),
        outcomes: outcomes(&written),
        money,
        months,
        equity: run.equity.iter().sum::<f64>() / run.equity.len().max(1) as f64,
        years: span.map_or(0.0, |(last, first)| (last - first) as f64 / YEAR_MICROS),
        days: mean(&|t| t.sale.days),
        delta: mean(&|t| t.sale.delta.abs()),
        premium: mean(&|t| t.sale.premium / t.sale.spot),
        win_rate,
        payoff_ratio,
        rolls: rolls(record),
        worst_campaign: nets.fold(f64::NAN, f64::min),
        not_done: not_done(record),
    })
}

fn is_call(record: &OptionRecord, trade: &OptionTrade) -> bool {
    contract_of(record, trade).is_some_and(|c| c.right == Right::Call)
}

/// Numbers of each way to end, in the order of the list.
fn outcomes(written: &[&OptionTrade]) -> Vec<(Option<Reason>, usize)> {
    let known = [
        Some(Reason::Expired),
        Some(Reason::Closed),
        Some(Reason::Rolled),
        Some(Reason::Assigned),
        Some(Reason::Called),
        Some(Reason::Settled),
    ];
    let count =
        |of: &dyn Fn(Option<Reason>) -> bool| written.iter().filter(|t| of(t.outcome)).count();
    let mut all: Vec<(Option<Reason>, usize)> = known
        .into_iter()
        .map(|reason| (reason, count(&|o| o == reason)))
        .collect();
    // Anything else was traded back, too: at a stop, at the end, for want of shares.
    all[1].1 += count(&|o| o.is_some() && !known.contains(&o));
    all.push((None, count(&|o| o.is_none())));
    all.retain(|(_, n)| *n > 0);
    all
}

/// Share of winners, and average gain over average loss, of the options that ended.
fn won(written: &[&OptionTrade]) -> (f64, f64) {
    let ended = written.iter().filter(|t| t.outcome.is_some());
    let results: Vec<f64> = ended.map(|t| result_of(t)).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let gains: Vec<f64> = results.iter().copied().filter(|r| *r > 0.0).collect();
    let losses: Vec<f64> = results.iter().copied().filter(|r| *r <= 0.0).collect();
    let ratio = match mean(&losses) {
        loss if loss < 0.0 => mean(&gains) / -loss,
        _ => f64::NAN,
    };
    (gains.len() as f64 / results.len() as f64, ratio)
}

/// Each option that was rolled with the one that took its place.
fn rolls(record: &OptionRecord) -> Vec<Rolled> {
    let trades = &record.trades;
    let side = |t: &OptionTrade| contract_of(record, t).map(|c| c.right);
    let mut taken = vec![false; trades.len()];
    let mut found = Vec::new();
    let mut rolled: Vec<usize> = (0..trades.len())
        .filter(|&i| trades[i].outcome == Some(Reason::Rolled) && trades[i].count < 0.0)
        .collect();
    rolled.sort_by_key(|&i| (trades[i].bars.1, trades[i].number));
    for old in rolled {
        let from = &trades[old];
        let is_next = |to: &OptionTrade| {
            to.bars.0 == from.bars.1
                && to.campaign == from.campaign
                && to.number > from.number
                && to.count < 0.0
                && side(to) == side(from)
        };
        let next = (0..trades.len()).find(|&i| !taken[i] && is_next(&trades[i]));
        if let Some(new) = next {
            taken[new] = true;
            let to = &trades[new];
            let fees = from.fees.1 / (from.count.abs() * from.multiplier)
                + to.fees.0 / (to.count.abs() * to.multiplier);
            found.push(Rolled {
                bar: from.bars.1,
                trades: (old, new),
                credit: to.sale.premium - from.prices.1 - fees,
            });
        }
    }
    found
}

/// Reasons with their numbers, the commonest first.
fn not_done(record: &OptionRecord) -> Vec<(bool, &'static str, usize)> {
    let mut counts: BTreeMap<(bool, &'static str), usize> = BTreeMap::new();
    for one in &record.not_done {
        *counts.entry((one.roll, one.why.text())).or_default() += 1;
    }
    let mut all: Vec<_> = counts
        .into_iter()
        .map(|((r, why), n)| (r, why, n))
        .collect();
    all.sort_by(|a, b| b.2.cmp(&a.2).then(a.1.cmp(b.1)));
    all
}

/// The option streams of every month; fees are those of contracts in the ledger.
fn by_month(run: &Run) -> Vec<(String, PremiumMoney)> {
    let mut months: BTreeMap<String, PremiumMoney> = BTreeMap::new();
    for row in &run.income {
        let month = months.entry(row.month.clone()).or_default();
        match row.stream {
            Stream::Premium => month.received += row.amount,
            Stream::BoughtBack => month.bought_back += row.amount,
            Stream::GivenUp => month.given_up += row.amount,
            Stream::Protection => month.protection += row.amount,
            _ => {}
        }
    }
    let contracts = run.symbols.len() - run.options.contracts.len();
    for entry in &run.ledger {
        let is_fee = entry.kind == EntryKind::Commission;
        if is_fee && entry.symbol.is_some_and(|s| s >= contracts) {
            let time = run.time.get(entry.bar.saturating_sub(run.first_bar));
            let month = time.map(|t| crate::market::date_of(*t).format("%Y-%m").to_string());
            months.entry(month.unwrap_or_default()).or_default().fees += entry.amount;
        }
    }
    months.into_iter().collect()
}
