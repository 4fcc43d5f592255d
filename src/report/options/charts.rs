//! What `options.png` and the premium part of `income.png` show, from the run's record and books.

use crate::engine::Run;
use crate::execution::Reason;
use crate::instrument::Right;
use crate::market::Market;
use crate::metrics::options::{OptionFigures, contract_of};
use crate::portfolio::{EntryKind, OptionTrade};
use crate::pricing::payoff::{Payoff, PayoffLeg};
use crate::report::chart::{
    OptionFate, OptionSegment, OptionsChart, OptionsPanel, PayoffChart, PremiumChart, Stream,
};
use crate::report::figure;
use crate::report::options::tables::named;
use crate::report::pictures::{self, period_label};
use crate::report::summary::Summary;
use crate::strategy::Strategy;
use crate::units::Micros;

/// Prices are logarithmic when the highest is this many times the lowest.
const LOG_RATIO: f64 = 2.5;
/// Prices of the payoff.
const PAYOFF_POINTS: usize = 160;
/// How far beyond the strikes it is drawn.
const PAYOFF_BEYOND: f64 = 0.12;

/// `options.png`; `None` for a run without options.
pub fn options_chart(
    strategy: &Strategy,
    summary: &Summary,
    run: &Run,
    market: &Market,
) -> Option<OptionsChart> {
    let options = strategy.options.as_ref()?;
    if run.options.trades.is_empty() {
        return None;
    }
    let mut underlyings = run.options.underlyings.clone();
    underlyings.sort_unstable();
    underlyings.dedup();
    let panel = |tape: usize| {
        let mut panel = panel(run, market, tape);
        if !options.index_units {
            let scale = pictures::scale(market, tape, market.tapes[tape].bars.len());
            panel.basis = basis(run, market, tape, options.structure.buys_puts(), &scale);
        }
        panel
    };
    let scaled = "Prices before a split are divided by it, strikes too.".to_string();
    let cost = "The cost of a share is its price, or the strike at which it was assigned less the premium \
                of that put, less the premiums of calls since; fees are left out.";
    let has_basis = !options.index_units;
    Some(OptionsChart {
        title: format!("{}: options", summary.name),
        subtitle: pictures::subtitle(summary),
        panels: underlyings.into_iter().map(panel).collect(),
        payoff: payoff(run, pictures::unit(summary)),
        notes: [Some(scaled), has_basis.then(|| cost.to_owned())]
            .into_iter()
            .flatten()
            .collect(),
    })
}

/// The first and the last bar of a tape within the run, the last left out.
fn own_bars(run: &Run, market: &Market, tape: usize) -> (usize, usize) {
    let bars = &market.tapes[tape].bars;
    let start = run.time.first().copied().unwrap_or_default();
    let end = run.time.last().copied().unwrap_or_default();
    let from = bars.time.partition_point(|t| *t < start);
    (from, bars.time.partition_point(|t| *t <= end))
}

/// The moment of a clock bar.
fn moment(run: &Run, bar: usize) -> Micros {
    let at = bar.saturating_sub(run.first_bar);
    let last = run.time.last().copied().unwrap_or_default();
    run.time.get(at).copied().unwrap_or(last)
}

/// One underlying over the bars of the run, in the money of the last one.
fn panel(run: &Run, market: &Market, tape: usize) -> OptionsPanel {
    let symbol = &market.tapes[tape];
    let (from, to) = own_bars(run, market, tape);
    let scale = pictures::scale(market, tape, to);
    let price: Vec<f64> = (from..to)
        .map(|i| symbol.bars.close[i] / scale[i])
        .collect();
    let low = price.iter().copied().fold(f64::INFINITY, f64::min);
    let high = price.iter().copied().fold(0.0, f64::max);
    let record = &run.options;
    let of_tape = |t: &&OptionTrade| record.underlyings.get(t.contract) == Some(&tape);
    let segment = |trade: &OptionTrade| {
        let opened = moment(run, trade.bars.0);
        let own = symbol.bars.time.partition_point(|t| *t <= opened).max(1) - 1;
        let is_open = trade.outcome.is_none();
        OptionSegment {
            from: opened,
            to: if is_open {
                moment(run, usize::MAX)
            } else {
                moment(run, trade.bars.1)
            },
            strike: trade.sale.strike / scale.get(own).copied().unwrap_or(1.0),
            call: contract_of(record, trade).is_some_and(|c| c.right == Right::Call),
            bought: trade.count > 0.0,
            fate: fate(trade),
        }
    };
    OptionsPanel {
        symbol: symbol.symbol.clone(),
        time: symbol.bars.time[from..to].to_vec(),
        log: high > LOG_RATIO * low,
        price,
        segments: record.trades.iter().filter(of_tape).map(segment).collect(),
        basis: Vec::new(),
    }
}

fn fate(trade: &OptionTrade) -> OptionFate {
    match trade.outcome {
        None => OptionFate::Open,
        Some(Reason::Expired) => OptionFate::Expired,
        Some(Reason::Rolled) => OptionFate::Rolled,
        Some(Reason::Assigned | Reason::Called | Reason::Settled | Reason::Exercised) => {
            OptionFate::Assigned
        }
        Some(_) => OptionFate::Closed,
    }
}

/// Shares of one underlying and what they cost, from the ledger.
#[derive(Default)]
struct Cost {
    shares: f64,
    cost: f64,
}

/// What a share cost at each own bar, less premiums; NaN without shares. With `puts` those that were
/// bought to protect the shares belong to their cost.
fn basis(run: &Run, market: &Market, tape: usize, puts: bool, scale: &[f64]) -> Vec<f64> {
    let (from, to) = own_bars(run, market, tape);
    let own_time = &market.tapes[tape].bars.time;
    let contracts = run.symbols.len() - run.options.contracts.len();
    let mut entries = run.ledger.iter().peekable();
    let mut held = Cost::default();
    let mut column = Vec::with_capacity(to - from);
    for own in from..to {
        while let Some(entry) = entries.next_if(|e| moment(run, e.bar) <= own_time[own]) {
            let Some(symbol) = entry.symbol else { continue };
            if symbol == tape {
                held.of_shares(entry.kind, entry.quantity.abs(), entry.price);
                continue;
            }
            let place = symbol.checked_sub(contracts);
            let of_it = place.and_then(|at| run.options.underlyings.get(at)) == Some(&tape);
            let trade = entry.trade.and_then(|number| trade_of(run, number));
            if let (true, Some(trade)) = (of_it, trade) {
                let contract = contract_of(&run.options, trade);
                let is_call = contract.is_some_and(|c| c.right == Right::Call);
                held.of_option(trade, entry.kind, entry.amount, (is_call, puts));
            }
        }
        column.push(if held.shares > 1e-9 {
            held.cost / held.shares / scale.get(own).copied().unwrap_or(1.0)
        } else {
            held = Cost::default();
            f64::NAN
        });
    }
    column
}

/// The option trade of a number.
fn trade_of(run: &Run, number: usize) -> Option<&OptionTrade> {
    run.options.trades.iter().find(|t| t.number == number)
}

impl Cost {
    fn of_shares(&mut self, kind: EntryKind, quantity: f64, price: f64) {
        match kind {
            EntryKind::Buy => {
                self.shares += quantity;
                self.cost += quantity * price;
            }
            EntryKind::Sell if self.shares > 0.0 => {
                let rest = (1.0 - quantity / self.shares).max(0.0);
                self.cost *= rest;
                self.shares *= rest;
            }
            EntryKind::Split => self.shares += quantity,
            _ => {}
        }
    }

    fn of_option(
        &mut self,
        trade: &OptionTrade,
        kind: EntryKind,
        amount: f64,
        (is_call, puts): (bool, bool),
    ) {
        match kind {
            // The put that brought the shares brought its premium, too.
            EntryKind::Assignment if !is_call => {
                self.cost -= trade.sale.premium * trade.count.abs() * trade.multiplier;
            }
            EntryKind::PremiumReceived | EntryKind::PremiumPaid
                if (is_call || puts) && self.shares > 0.0 =>
            {
                self.cost -= amount;
            }
            _ => {}
        }
    }
}

/// The structure at its first entry.
fn payoff(run: &Run, unit: String) -> Option<PayoffChart> {
    let record = &run.options;
    let first = record.trades.iter().min_by_key(|t| (t.bars.0, t.number))?;
    let underlying = |t: &OptionTrade| record.underlyings.get(t.contract).copied();
    let together: Vec<&OptionTrade> = record
        .trades
        .iter()
        .filter(|t| t.bars.0 == first.bars.0 && underlying(t) == underlying(first))
        .collect();
    let mut structure = Payoff {
        spot: first.sale.spot,
        ..Payoff::default()
    };
    let is_spread = together.iter().any(|t| t.is_wing);
    for trade in &together {
        let right = contract_of(record, trade)?.right;
        let shares = trade.count * trade.multiplier;
        structure.legs.push(PayoffLeg {
            right,
            strike: trade.sale.strike,
            shares,
            premium: trade.sale.premium,
        });
        structure.fees += trade.fees.0;
        // A call is written on shares, and a put is bought for them.
        let on_shares = (right == Right::Call) == (shares < 0.0);
        if on_shares && !is_spread {
            structure.shares = structure.shares.max(shares.abs());
        }
    }
    let words = words(run, first, &together, &structure);
    Some(drawn(&structure, &pictures::typeset_numbers(&words), unit))
}

fn words(run: &Run, first: &OptionTrade, together: &[&OptionTrade], of: &Payoff) -> String {
    let bound = |value: f64| match value.is_finite() {
        true => figure::money(value),
        false => "without a bound".to_owned(),
    };
    let even: Vec<String> = of
        .break_even()
        .iter()
        .map(|p| figure::grouped(*p, 2))
        .collect();
    let (least, most) = of.bounds();
    let names: Vec<String> = together.iter().map(|t| named(run, t)).collect();
    let shares = match of.shares {
        0.0 => String::new(),
        n => format!(
            "{} shares at {} and ",
            figure::grouped(n, 0),
            figure::grouped(of.spot, 2)
        ),
    };
    format!(
        "The first entry, {}: {shares}{}. At most {}, at worst {}, break-even at {}",
        crate::report::cell::moment(moment(run, first.bars.0), false),
        names.join(", "),
        bound(most),
        bound(least),
        if even.is_empty() {
            "no price".to_owned()
        } else {
            even.join(" and ")
        },
    )
}

fn drawn(of: &Payoff, words: &str, unit: String) -> PayoffChart {
    let strikes = || of.legs.iter().map(|leg| leg.strike).chain([of.spot]);
    let low = strikes().fold(f64::INFINITY, f64::min) * (1.0 - PAYOFF_BEYOND);
    let high = strikes().fold(0.0, f64::max) * (1.0 + PAYOFF_BEYOND);
    let even = of.break_even();
    let step = (high - low) / PAYOFF_POINTS as f64;
    let mut price: Vec<f64> = (0..=PAYOFF_POINTS).map(|i| low + i as f64 * step).collect();
    let bends = strikes().chain(even.iter().copied());
    price.extend(bends.filter(|p| (low..=high).contains(p)));
    price.sort_by(f64::total_cmp);
    price.dedup();
    PayoffChart {
        words: words.to_owned(),
        profit: price.iter().map(|p| of.profit(*p)).collect(),
        shares_alone: match of.shares {
            0.0 => Vec::new(),
            n => price.iter().map(|p| n * (p - of.spot)).collect(),
        },
        break_even: even
            .into_iter()
            .filter(|p| (low..=high).contains(p))
            .collect(),
        spot: of.spot,
        price,
        unit,
    }
}

/// The premium part of `income.png`; `None` without options.
pub fn premium_chart(figures: &OptionFigures) -> Option<PremiumChart> {
    let months = &figures.months;
    let column = |of: &dyn Fn(&crate::metrics::options::PremiumMoney) -> f64| -> Vec<f64> {
        months.iter().map(|(_, money)| of(money)).collect()
    };
    let cost = |name: &str, amounts: Vec<f64>| Stream {
        name: name.to_owned(),
        amounts,
    };
    let any = months
        .iter()
        .any(|(_, m)| m.received != 0.0 || m.protection != 0.0);
    any.then(|| PremiumChart {
        months: months
            .iter()
            .map(|(month, _)| period_label(month))
            .collect(),
        received: column(&|m| m.received),
        costs: vec![
            cost("bought back", column(&|m| m.bought_back)),
            cost("given up at strikes", column(&|m| m.given_up)),
            cost("options bought", column(&|m| m.protection)),
            cost("fees", column(&|m| m.fees)),
        ],
        kept: column(&|m| m.kept()),
    })
}
