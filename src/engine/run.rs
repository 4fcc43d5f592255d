//! What a simulation leaves behind: columns a bar, orders, trades, ledger, income.

use crate::engine::flows::Unpaid;
use crate::engine::options::OptionRecord;
use crate::engine::prepare::Prepared;
use crate::engine::simulate::{Detail, Record};
use crate::error::Result;
use crate::execution::Order;
use crate::instrument::Symbol;
use crate::portfolio::{
    Entry, EntryKind, IncomeRow, Liquidation, Lot, Realized, Trade, TradeStatus, YearTax,
};
use crate::units::{BarIndex, Micros};

/// The ambiguity band: trades whose bar reached both stop and target, and the equity at the end
/// under each way of settling it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ambiguous {
    /// Number of ambiguous trades of this run.
    pub trades: u32,
    /// Equity at the end with `ambiguity = "worst"`.
    pub worst: f64,
    /// … `"path"`.
    pub path: f64,
    /// … `"best"`.
    pub best: f64,
}

/// One symbol's own account, with `[account] each`.
#[derive(Debug, Clone, PartialEq)]
pub struct SymbolRun {
    /// Index of the symbol in the market.
    pub symbol: usize,
    /// Equity at each bar of the run.
    pub equity: Vec<f64>,
    /// Cash before the first bar.
    pub start_equity: f64,
    /// Closed trades.
    pub trades: u32,
    /// Trades, open ones too.
    pub entries: u32,
    /// External flows of each bar; empty without any.
    pub flows: Vec<f64>,
}

/// What harvesting losses did, in money.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HarvestReport {
    /// Lots that were sold for their loss.
    pub swaps: usize,
    /// Losses that these sales realised and that count.
    pub harvested: f64,
    /// Losses that wash sales disallowed.
    pub disallowed: f64,
    /// Tax that fell due without harvesting, less what fell due with it: put off, not saved.
    pub deferred: f64,
    /// Equity after selling everything and paying all tax at the end, less that of the same run
    /// without harvesting. Nothing else is a gain.
    pub gained: f64,
}

impl HarvestReport {
    /// The sales of it; what they were worth is told by [`TaxReport::compare`].
    pub(crate) fn of(realized: &[Realized]) -> Self {
        let sales = || realized.iter().filter(|r| r.is_harvest);
        let disallowed = sales().map(|r| r.disallowed).sum();
        HarvestReport {
            swaps: sales().count(),
            harvested: sales().map(|r| -r.gain).sum::<f64>() - disallowed,
            disallowed,
            deferred: 0.0,
            gained: 0.0,
        }
    }
}

impl TaxReport {
    /// Tax that fell due, paid or not.
    pub fn due(&self) -> f64 {
        self.years.iter().map(|year| year.paid).sum()
    }

    /// Notes what harvesting was worth beside the same run without it.
    pub(crate) fn compare(&mut self, without: Option<&TaxReport>) {
        let due = self.due();
        let after = self.equity_after;
        if let (Some(harvest), Some(without)) = (&mut self.harvest, without) {
            harvest.deferred = without.due() - due;
            harvest.gained = after - without.equity_after;
        }
    }
}

/// What the tax book of a run says at its end. Slots in it are indices of symbols in the market.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaxReport {
    /// Every year from the first to the last.
    pub years: Vec<YearTax>,
    /// Everything that was closed, in order.
    pub realized: Vec<Realized>,
    /// Lots that are open at the end, each with the price that it is marked at.
    pub open: Vec<(Lot, f64)>,
    /// Tax that fell due and waits for cash; equity is net of it already.
    pub owed: f64,
    /// What would be owed beyond it if everything were sold at the last close.
    pub liquidation: Liquidation,
    /// Equity at the end less all of that.
    pub equity_after: f64,
    /// What harvesting did; `None` where no losses are harvested.
    pub harvest: Option<HarvestReport>,
}

/// One layer of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRun {
    /// Its name.
    pub name: String,
    /// Its share of the account, of 1.
    pub weight: f64,
    /// Its cash before the first bar.
    pub start_equity: f64,
    /// Its equity at each bar of the run.
    pub equity: Vec<f64>,
    /// What came to it from outside and from other layers, before each bar's open.
    pub flows: Vec<f64>,
    /// Of that, what came from other layers.
    pub transfers: Vec<f64>,
}

/// The layers of a run, and whose each record is. Empty for a strategy without layers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layers {
    /// In file order.
    pub runs: Vec<LayerRun>,
    /// Number of the layer of each order.
    pub orders: Vec<usize>,
    /// … of each trade.
    pub trades: Vec<usize>,
    /// … of each entry of the ledger.
    pub ledger: Vec<usize>,
    /// … of each row of the income.
    pub income: Vec<usize>,
}

impl Layers {
    /// The one layer whose record `part` is.
    pub(crate) fn of(
        name: &str,
        weight: f64,
        part: &Run,
        (first, transfers): (BarIndex, &[(BarIndex, f64)]),
    ) -> Layers {
        let mut moved = vec![0.0; part.equity.len()];
        for (bar, amount) in transfers {
            moved[bar - first] += amount;
        }
        let flows = part.flows.iter().chain(std::iter::repeat(&0.0));
        let flows = moved.iter().zip(flows).map(|(a, b)| a + b).collect();
        Layers {
            runs: vec![LayerRun {
                name: name.to_string(),
                weight,
                start_equity: part.start_equity,
                equity: part.equity.clone(),
                flows,
                transfers: moved,
            }],
            orders: vec![0; part.orders.len()],
            trades: vec![0; part.trades.len()],
            ledger: vec![0; part.ledger.len()],
            income: vec![0; part.income.len()],
        }
    }

    fn append(&mut self, other: Layers) {
        let shift = self.runs.len();
        self.runs.extend(other.runs);
        for (all, one) in [
            (&mut self.orders, other.orders),
            (&mut self.trades, other.trades),
            (&mut self.ledger, other.ledger),
            (&mut self.income, other.income),
        ] {
            all.extend(one.into_iter().map(|layer| layer + shift));
        }
    }

    /// The name of the layer of a record, empty without layers.
    pub fn name(&self, of: &[usize], record: usize) -> &str {
        let layer = of.get(record).and_then(|layer| self.runs.get(*layer));
        layer.map_or("", |layer| layer.name.as_str())
    }
}

/// The record of one simulation. Columns have one element a bar of the run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Run {
    /// Name of the strategy or benchmark.
    pub name: String,
    /// Names of the market's symbols, which indices in orders, trades and entries point into.
    pub symbols: Vec<Symbol>,
    /// Clock index in the market of the run's first bar. Bar indices in orders, trades and
    /// entries are clock indices: subtract this to index the columns below.
    pub first_bar: usize,
    /// Bars before the first bar that warm-up could read.
    pub warmup_bars: usize,
    /// Moments of the bars; of the first and the last in bare runs.
    pub time: Vec<Micros>,
    /// Bars a year and how it came about.
    pub periods_a_year: f64,
    /// Bars a session (1 for daily and coarser bars).
    pub bars_a_session: f64,
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at each close, net of everything booked on that bar.
    pub equity: Vec<f64>,
    /// Cash at each close.
    pub cash: Vec<f64>,
    /// Market value of holdings at each close, options among them (shorts negative).
    pub holdings: Vec<f64>,
    /// External flows of each bar, before its open: deposits positive. Empty in bare runs without
    /// flows.
    pub flows: Vec<f64>,
    /// The layers; empty for a strategy without.
    pub layers: Layers,
    /// Withdrawals that were not paid, or not all of them.
    pub unpaid: Vec<Unpaid>,
    /// Gross value of positions over equity at each close.
    pub exposure: Vec<f64>,
    /// Value traded on each bar, both sides.
    pub traded: Vec<f64>,
    /// Risk-free return of each bar (for the metrics that name a rate).
    pub rate: Vec<f64>,
    /// Return of savings at `[cash] hurdle` on each bar.
    pub hurdle: Vec<f64>,
    /// Every order decided.
    pub orders: Vec<Order>,
    /// Every round trip and open position.
    pub trades: Vec<Trade>,
    /// The ledger, in order of booking.
    pub ledger: Vec<Entry>,
    /// Income by month, symbol and stream; sums to the change of equity.
    pub income: Vec<IncomeRow>,
    /// The ambiguity band; `None` when no trade was ambiguous, and in bare runs.
    pub ambiguous: Option<Ambiguous>,
    /// With `[account] each`: every symbol's own account.
    pub each: Vec<SymbolRun>,
    /// Symbols whose last bar is before the run's last bar and that are still held.
    pub stale: Vec<usize>,
    /// Largest difference at any bar between equity and the sum of the income streams.
    pub books_error: f64,
    /// Lots and taxes; `None` without `[tax]`.
    pub tax: Option<TaxReport>,
    /// What options left behind; empty for strategies without them.
    pub options: OptionRecord,
}

/// One account's record as a run, without what all accounts of a run share: [`Run::sharing`].
pub(crate) fn of_record(
    prepared: &Prepared<'_>,
    record: Record,
    band: Option<Ambiguous>,
    detail: Detail,
) -> Run {
    Run {
        start_equity: prepared.strategy.account.cash,
        flows: if detail == Detail::Full || !prepared.flows.is_empty() || !record.flows.is_empty() {
            let mut flows = vec![0.0; record.equity.len()];
            for (bar, amount) in &record.flows {
                flows[bar - prepared.first] = *amount;
            }
            flows
        } else {
            Vec::new()
        },
        unpaid: record.unpaid,
        equity: record.equity,
        cash: record.cash,
        holdings: record.holdings,
        exposure: record.exposure,
        traded: record.traded,
        orders: record.orders,
        trades: record.trades,
        ledger: record.ledger,
        income: record.income,
        ambiguous: band,
        stale: record.stale,
        books_error: record.books_error,
        tax: record.tax,
        options: record.options,
        ..Run::default()
    }
}

impl Run {
    /// The run with its name and what all accounts share: symbols, clock, rates.
    pub(crate) fn sharing(
        mut self,
        prepared: &Prepared<'_>,
        name: &str,
        detail: Detail,
    ) -> Result<Run> {
        if detail == Detail::Full || prepared.has_rate() {
            self.rate = prepared.rate_column()?;
            self.hurdle = prepared.hurdle_column()?;
        }
        self.name = name.to_string();
        self.symbols = prepared
            .market
            .tapes
            .iter()
            .map(|t| t.symbol.clone())
            .collect();
        self.symbols.extend(self.options.contracts.iter().cloned());
        self.first_bar = prepared.first;
        self.warmup_bars = prepared.first;
        let time = &prepared.clock[prepared.first..prepared.end];
        self.time = match (detail, time) {
            (Detail::Bare, [first, .., last]) => vec![*first, *last],
            _ => time.to_vec(),
        };
        self.periods_a_year = prepared.periods.bars_a_year;
        self.bars_a_session = prepared.periods.bars_a_session;
        Ok(self)
    }

    /// This run as the account of one symbol.
    fn account(&self, symbol: usize, equity: Vec<f64>, flows: &[f64]) -> SymbolRun {
        let closed = self
            .trades
            .iter()
            .filter(|t| t.status == TradeStatus::Closed);
        SymbolRun {
            symbol,
            equity,
            start_equity: self.start_equity,
            trades: closed.count() as u32,
            entries: self.trades.len() as u32,
            flows: match flows.iter().any(|flow| *flow != 0.0) {
                true => flows.to_vec(),
                false => Vec::new(),
            },
        }
    }

    /// Notes that this run is the account of one symbol, the first of several.
    pub(crate) fn first_of_each(mut self, symbol: usize) -> Run {
        self.each = vec![self.account(symbol, self.equity.clone(), &self.flows)];
        self
    }

    /// The sum of the accounts so far and that of one more symbol, over the same bars.
    pub(crate) fn joined(self, symbol: usize, other: Run) -> Run {
        let curve = other.equity.clone();
        let own = other.account(symbol, curve, &other.flows);
        let mut all = self.added(other);
        all.each.push(own);
        all
    }

    /// The sum of the layers so far and one more, over the same bars.
    pub(crate) fn beside_layer(self, other: Run, layer: Layers) -> Run {
        let mut all = self.added(other);
        all.layers.append(layer);
        all
    }

    /// The symbols of trades, orders and entries.
    fn symbols_of_records(&mut self) -> impl Iterator<Item = &mut usize> {
        let trades = self.trades.iter_mut().map(|trade| &mut trade.symbol);
        let orders = self.orders.iter_mut().map(|order| &mut order.symbol);
        let entries = self.ledger.iter_mut();
        let entries = entries.filter_map(|entry| entry.symbol.as_mut());
        trades.chain(orders).chain(entries)
    }

    fn added(mut self, mut other: Run) -> Run {
        let add = |a: &mut Vec<f64>, b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        // Exposure is gross value over equity: back to money, added, and divided again.
        for (gross, equity) in self.exposure.iter_mut().zip(&self.equity) {
            *gross *= equity;
        }
        for ((gross, exposure), equity) in self
            .exposure
            .iter_mut()
            .zip(&other.exposure)
            .zip(&other.equity)
        {
            *gross += exposure * equity;
        }
        add(&mut self.equity, &other.equity);
        add(&mut self.cash, &other.cash);
        add(&mut self.holdings, &other.holdings);
        add(&mut self.traded, &other.traded);
        for (gross, equity) in self.exposure.iter_mut().zip(&self.equity) {
            *gross = if *equity > 0.0 { *gross / equity } else { 0.0 };
        }
        if self.flows.is_empty() {
            self.flows = std::mem::take(&mut other.flows);
        } else {
            add(&mut self.flows, &other.flows);
        }
        self.unpaid.append(&mut other.unpaid);
        self.start_equity += other.start_equity;
        self.books_error += other.books_error;
        let trades = self.trades.len();
        let options = std::mem::take(&mut other.options);
        for symbol in other.symbols_of_records() {
            *symbol = self.options.renumbered(&options, *symbol);
        }
        self.options.append(options, trades);
        self.trades.extend(other.trades);
        self.ledger
            .extend(other.ledger.into_iter().map(|mut entry| {
                entry.trade = entry.trade.map(|t| t + trades);
                entry
            }));
        self.orders.extend(other.orders);
        self.income.extend(other.income);
        self.stale.extend(other.stale);
        self.ambiguous = match (self.ambiguous, other.ambiguous) {
            (Some(a), Some(b)) => Some(Ambiguous {
                trades: a.trades + b.trades,
                worst: a.worst + b.worst,
                path: a.path + b.path,
                best: a.best + b.best,
            }),
            (a, b) => a.or(b),
        };
        self
    }

    /// Puts the records of several accounts into the order of time, and drops an empty band.
    pub(crate) fn finished(mut self) -> Run {
        self.ambiguous = self.ambiguous.filter(|band| band.trades > 0);
        if self.each.len() < 2 && self.layers.runs.len() < 2 {
            return self;
        }
        // Small keys are sorted, each record is moved once.
        let sorted = |bars: &mut dyn Iterator<Item = BarIndex>| {
            let mut keys = bars.zip(0_usize..).collect::<Vec<_>>();
            keys.sort();
            keys.into_iter().map(|(_, old)| old).collect::<Vec<_>>()
        };
        let by_decision = sorted(&mut self.orders.iter().map(|o| o.decided));
        let layers = &mut self.layers;
        let moved = |of: &mut Vec<usize>, order: &[usize]| {
            if !of.is_empty() {
                *of = order.iter().map(|&old| of[old]).collect();
            }
        };
        moved(&mut layers.orders, &by_decision);
        let renumbered = (1..).zip(by_decision).map(|(id, old)| Order {
            id,
            ..self.orders[old].clone()
        });
        self.orders = renumbered.collect();
        let by_entry = sorted(&mut self.trades.iter().map(|t| t.entry_bar));
        let mut place = vec![0; by_entry.len()];
        for (new, &old) in by_entry.iter().enumerate() {
            place[old] = new;
        }
        self.trades = by_entry.iter().map(|&i| self.trades[i].clone()).collect();
        for entry in &mut self.ledger {
            entry.trade = entry.trade.map(|t| place[t]);
        }
        moved(&mut layers.trades, &by_entry);
        let by_bar = sorted(&mut self.ledger.iter().map(|e| e.bar));
        moved(&mut layers.ledger, &by_bar);
        self.ledger.sort_by_key(|e| e.bar);
        // The cash after an entry is that of all accounts, as it is in the run's columns.
        let mut cash = 0.0;
        for entry in &mut self.ledger {
            if entry.kind != EntryKind::Slippage {
                cash += entry.amount;
            }
            entry.cash = cash;
        }
        if !layers.income.is_empty() {
            let income = &self.income;
            let key = |i: usize| (&income[i].month, income[i].symbol, income[i].stream);
            let mut order: Vec<usize> = (0..income.len()).collect();
            order.sort_by(|a, b| key(*a).cmp(&key(*b)));
            moved(&mut layers.income, &order);
        }
        self.income
            .sort_by(|a, b| (&a.month, a.symbol, a.stream).cmp(&(&b.month, b.symbol, b.stream)));
        self
    }
}
