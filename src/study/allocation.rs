//! What an account consisted of at each close: shares of equity by symbol and in cash, or by layer.
//!
//! Nothing of it is simulated: holdings are the shares of the ledger at the closes of the market, and
//! what they leave of the equity is cash. Drawing it is left to `report`.

use crate::engine::Run;
use crate::market::Market;
use crate::strategy::Strategy;
use std::collections::BTreeMap;

/// Symbols that are told apart; one more only where it is the last.
const NAMED_MAX: usize = 10;

/// A part of an account through time.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocated {
    /// Whose share it is.
    pub of: Holder,
    /// Share of equity at each bar of the run, negative for what is short or owed; NaN where equity is
    /// not positive.
    pub share: Vec<f64>,
    /// The average of `share`.
    pub average: f64,
}

/// Whose share of an account it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A symbol or a layer.
    Named(String),
    /// So many further symbols, those with the least on average: what is long of them.
    Others(usize),
    /// What is short of them.
    OthersShort(usize),
    /// Cash, with dividends that are on their way and less what is owed.
    Cash,
}

/// The parts of a run's account, the largest on average first, then others and cash; empty for a
/// strategy of `[rules]`, whose positions the chart of trades shows, and for a run without a ledger.
pub(super) fn allocation(market: &Market, strategy: &Strategy, run: &Run) -> Vec<Allocated> {
    if !run.layers.runs.is_empty() {
        return by_layer(run);
    }
    match strategy.portfolio_table() {
        Some(_) if !run.ledger.is_empty() => by_symbol(market, run),
        _ => Vec::new(),
    }
}

fn by_layer(run: &Run) -> Vec<Allocated> {
    let of_layer = |layer: &crate::engine::LayerRun| {
        let pairs = layer.equity.iter().zip(&run.equity);
        let share = pairs.map(|(own, all)| share_of(*own, *all)).collect();
        Allocated::new(Holder::Named(layer.name.clone()), share)
    };
    run.layers.runs.iter().map(of_layer).collect()
}

fn by_symbol(market: &Market, run: &Run) -> Vec<Allocated> {
    // By symbol the sum of the sizes of its shares.
    let mut sizes: BTreeMap<usize, f64> = BTreeMap::new();
    walk(market, run, |bar, symbol, value| {
        let share = share_of(value, run.equity[bar]);
        if share.is_finite() {
            *sizes.entry(symbol).or_insert(0.0) += share.abs();
        }
    });
    let mut ranked: Vec<(usize, f64)> = sizes.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let named = match ranked.len() {
        n if n <= NAMED_MAX + 1 => n,
        _ => NAMED_MAX,
    };
    let bars = run.equity.len();
    let place: BTreeMap<usize, usize> = ranked[..named]
        .iter()
        .enumerate()
        .map(|(place, (symbol, _))| (*symbol, place))
        .collect();
    let mut shares = vec![vec![0.0; bars]; named];
    let (mut others, mut others_short) = (vec![0.0; bars], vec![0.0; bars]);
    let mut cash = vec![1.0; bars];
    walk(market, run, |bar, symbol, value| {
        let share = share_of(value, run.equity[bar]);
        cash[bar] -= share;
        match place.get(&symbol) {
            Some(place) => shares[*place][bar] = share,
            None if share < 0.0 => others_short[bar] += share,
            None => others[bar] += share,
        }
    });
    for (cash, equity) in cash.iter_mut().zip(&run.equity) {
        *cash *= share_of(*equity, *equity);
        // What rounding leaves of a full account is nothing.
        if cash.abs() < 1e-9 {
            *cash = 0.0;
        }
    }
    let name = |symbol: usize| Holder::Named(run.symbols[symbol].to_string());
    let symbols = ranked[..named].iter().zip(shares);
    let mut parts: Vec<Allocated> = symbols
        .map(|((symbol, _), share)| Allocated::new(name(*symbol), share))
        .collect();
    let left_out = ranked.len() - named;
    for (of, share) in [
        (Holder::Others(left_out), others),
        (Holder::OthersShort(left_out), others_short),
    ] {
        if share.iter().any(|share| *share != 0.0) {
            parts.push(Allocated::new(of, share));
        }
    }
    parts.push(Allocated::new(Holder::Cash, cash));
    parts
}

impl Allocated {
    fn new(of: Holder, share: Vec<f64>) -> Allocated {
        let known = share.iter().filter(|s| s.is_finite());
        let average = known.clone().sum::<f64>() / known.count() as f64;
        Allocated { of, share, average }
    }
}

fn share_of(value: f64, equity: f64) -> f64 {
    match equity > 0.0 {
        true => value / equity,
        false => f64::NAN,
    }
}

/// What an account has of a symbol.
struct Holding {
    shares: f64,
    /// Its last price, in today's shares.
    mark: f64,
    /// The symbol's own bars that have been.
    seen: usize,
}

/// Calls `see` with the number of each bar, each symbol held at its close, and the value of that.
fn walk(market: &Market, run: &Run, mut see: impl FnMut(usize, usize, f64)) {
    let mut held: BTreeMap<usize, Holding> = BTreeMap::new();
    let mut entries = run.ledger.iter().peekable();
    for (bar, now) in run.time.iter().enumerate() {
        while let Some(entry) = entries.next_if(|entry| entry.bar <= run.first_bar + bar) {
            let Some(symbol) = entry.symbol.filter(|_| entry.quantity != 0.0) else {
                continue;
            };
            let holding = held.entry(symbol).or_insert_with(|| Holding {
                shares: 0.0,
                mark: entry.price,
                seen: market.tapes[symbol].bars.time.partition_point(|t| t < now),
            });
            let before = holding.shares;
            holding.shares += entry.quantity;
            if entry.kind == crate::portfolio::EntryKind::Split && holding.shares != 0.0 {
                holding.mark *= before / holding.shares;
            }
        }
        // A position that was closed leaves rounding at most.
        held.retain(|symbol, holding| {
            let bars = &market.tapes[*symbol].bars;
            while bars.time.get(holding.seen).is_some_and(|t| t <= now) {
                holding.mark = bars.close[holding.seen];
                holding.seen += 1;
            }
            let value = holding.shares * holding.mark;
            let is_held = value.abs() > 1e-9 * run.equity[bar].abs();
            if is_held {
                see(bar, *symbol, value);
            }
            is_held
        });
    }
}
