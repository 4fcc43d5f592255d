//! What an account has, what it waits for, what it made and from which stream, and what is wrong.

use crate::engine::{Run, savings_of};
use crate::error::Result;
use crate::market::show_time;
use crate::metrics::{drawdown_series, returns_of_run};
use crate::paper::account::Account;
use crate::paper::arrival::Remark;
use crate::paper::booked::{is_waiting, moment};
use crate::paper::cone::HORIZON;
use crate::paper::journal::Journal;
use crate::paper::monitor::{self, Alarm, CONE_SHARE, sessions_without_bar};
use crate::paper::step::{IN_SAMPLE, is_in_sample};
use crate::portfolio::{EntryKind, Stream, TradeStatus};
use crate::strategy::Strategy;
use crate::units::Micros;
use std::collections::BTreeMap;
use std::path::Path;

/// Something that is held.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// Its layer; empty without layers.
    pub layer: String,
    /// The symbol.
    pub symbol: String,
    /// Shares, negative when short.
    pub shares: f64,
    /// Last close.
    pub price: f64,
    /// Shares times price.
    pub value: f64,
    /// Gain of the open trade, net of fees.
    pub pnl: f64,
    /// Where its stop stands for the next bar.
    pub stop: Option<f64>,
    /// Where its target stands.
    pub target: Option<f64>,
}

/// An order that waits: what a person would have to place by hand before the next open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOrder {
    /// Its number in the books.
    pub id: u32,
    /// The bar that it was decided on.
    pub decided: Micros,
    /// Its layer; empty without layers.
    pub layer: String,
    /// The symbol.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// `market`, `limit` or `stop`.
    pub kind: &'static str,
    /// Shares that are still to be filled; of an order for money at the last close.
    pub shares: f64,
    /// Limit or stop price.
    pub price: Option<f64>,
    /// About what it is worth, at the last close.
    pub value: f64,
    /// Why: `signal`, `stop` …, or empty.
    pub reason: &'static str,
}

/// The last bar of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Freshness {
    /// The symbol.
    pub symbol: String,
    /// Its last bar; `None` before the first.
    pub last: Option<Micros>,
    /// Sessions that have ended since.
    pub sessions: usize,
}

/// A monitor and whether its alarm is up.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Its condition.
    pub condition: String,
    /// It does not come from the file.
    pub built_in: bool,
    /// The condition holds now.
    pub is_up: bool,
    /// Since which bar, when that is booked.
    pub since: Option<Micros>,
}

/// Figures of an account that has traded a bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// First and last bar of the run, and their number.
    pub span: (Micros, Micros),
    /// Bars of the run.
    pub bars: usize,
    /// Equity before the first bar.
    pub start_equity: f64,
    /// Equity at the last close.
    pub equity: f64,
    /// Cash at the last close.
    pub cash: f64,
    /// Deposits less withdrawals since the first bar.
    pub flows: f64,
    /// Time-weighted return since the first bar.
    pub total_return: f64,
    /// What is lost from the peak of the time-weighted curve, at most 0.
    pub drawdown: f64,
    /// Gross exposure over equity.
    pub exposure: f64,
    /// What savings at the hurdle would have come to.
    pub savings: f64,
    /// Sum of each stream of income, without flows; they add up to equity less start less flows.
    pub income: Vec<(Stream, f64)>,
    /// Where equity may be today inside the cone of [`CONE_SHARE`], and the bar of its horizon.
    pub cone: Option<(f64, f64, usize)>,
}

/// The state of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Name of its strategy.
    pub strategy: String,
    /// The strategy file.
    pub file: String,
    /// Currency of its money.
    pub currency: String,
    /// When it was opened, in UTC.
    pub opened: Micros,
    /// When it was closed.
    pub closed: Option<Micros>,
    /// Texts of its strategy so far.
    pub epochs: usize,
    /// Bars recorded, over all symbols.
    pub recorded: usize,
    /// Last recorded moment.
    pub last: Option<Micros>,
    /// Figures; `None` before the first bar on which it trades.
    pub figures: Option<Figures>,
    /// What is held, by layer and symbol.
    pub holdings: Vec<Holding>,
    /// Orders that wait, in order of decision.
    pub orders: Vec<OpenOrder>,
    /// What is watched.
    pub monitors: Vec<Watched>,
    /// What came otherwise than it should with the last bar.
    pub remarks: Vec<Remark>,
    /// Each symbol's last bar.
    pub freshness: Vec<Freshness>,
    /// The tape ends long before the account was opened, so that no bar is waited for.
    pub is_replay: bool,
    /// Why there is no cone.
    pub no_cone: Option<String>,
    /// What to beware of.
    pub caveats: Vec<String>,
}

impl Status {
    /// The state of an account file at the moment `now`, in UTC.
    ///
    /// # Errors
    /// No such account, a damaged one, a strategy whose files are gone.
    pub fn read(path: &Path, now: Micros) -> Result<(Status, Account, Option<Run>)> {
        let mut journal = Journal::open_to_read(path)?;
        let reading = journal.reading()?;
        let account = reading.account()?;
        let (alarms, remarks) = (reading.alarms()?, reading.remarks()?);
        let strategy = account.strategy()?;
        let run = account.run()?;
        let said = (&alarms[..], &remarks[..]);
        let status = Status::of(&account, &strategy, run.as_ref(), said, now)?;
        Ok((status, account, run))
    }

    /// The state of an account whose run is known.
    ///
    /// # Errors
    /// Monitors that do not compile.
    pub(crate) fn of(
        account: &Account,
        strategy: &Strategy,
        run: Option<&Run>,
        (alarms, remarks): (&[Alarm], &[Remark]),
        now: Micros,
    ) -> Result<Status> {
        let last = Some(account.last()).filter(|last| *last > Micros::MIN);
        let monitors = match run {
            Some(run) => monitor::watch(account, strategy, run, Some(now))?,
            None => Vec::new(),
        };
        let since = |name: &str| {
            let up = alarms
                .iter()
                .find(|a| a.name == name && a.cleared.is_none());
            up.map(|alarm| alarm.raised)
        };
        let is_latest = |remark: &&Remark| Some(remark.arrived) == last;
        let caveat = account.cone.is_ok() && is_in_sample(strategy);
        Ok(Status {
            name: account.name.clone(),
            strategy: strategy.name.clone(),
            file: strategy.source.name.clone(),
            currency: strategy.account.currency.clone(),
            opened: account.opened,
            closed: account.closed,
            epochs: account.epochs.len(),
            recorded: account.bars(),
            last,
            figures: run.map(|run| figures(account, run)),
            holdings: run.map(|run| holdings(account, run)).unwrap_or_default(),
            orders: run.map(|run| orders(account, run)).unwrap_or_default(),
            monitors: monitors
                .into_iter()
                .map(|m| Watched {
                    is_up: account.closed.is_none() && m.holds.last() == Some(&true),
                    since: since(&m.name),
                    name: m.name,
                    condition: m.condition,
                    built_in: m.built_in,
                })
                .collect(),
            remarks: remarks.iter().filter(is_latest).cloned().collect(),
            freshness: freshness(account, now),
            is_replay: monitor::is_replay(account),
            no_cone: account.cone.as_ref().err().cloned(),
            caveats: caveat.then(|| IN_SAMPLE.to_owned()).into_iter().collect(),
        })
    }

    /// Alarms that are up, a sentence each: conditions that hold, and what came otherwise than it
    /// should with the last bar.
    pub fn alarms(&self) -> Vec<String> {
        let up = self.monitors.iter().filter(|m| m.is_up).map(|m| {
            let since = m
                .since
                .map_or(String::new(), |at| format!(", since {}", show_time(at)));
            format!("{}: {}{since}", m.name, m.condition)
        });
        let remarks = self.remarks.iter();
        let said = remarks.map(|r| format!("{}: {}", r.kind.name(), r.words()));
        match self.closed {
            Some(_) => Vec::new(),
            None => up.chain(said).collect(),
        }
    }
}

fn figures(account: &Account, run: &Run) -> Figures {
    let returns = returns_of_run(run);
    let growth = returns.iter().fold(1.0, |wealth, r| wealth * (1.0 + r));
    let bars = run.time.len();
    let last = |column: &[f64]| column.last().copied().unwrap_or(0.0);
    let sum = |stream: Stream| {
        let rows = run.income.iter().filter(|row| row.stream == stream);
        (stream, rows.map(|row| row.amount).sum::<f64>())
    };
    let streams = Stream::ALL.into_iter().filter(|s| *s != Stream::Flows);
    let cone = account.cone.as_ref().ok().and_then(|cone| {
        let into = bars.checked_sub(1)? % HORIZON + 1;
        // The tip is the wealth before the horizon began; flows since then scale with it.
        let since: f64 = returns[bars - into..]
            .iter()
            .fold(1.0, |w, r| w * (1.0 + r));
        let tip = last(&run.equity) / since;
        let (low, high) = cone.band(into, CONE_SHARE);
        Some((tip * low, tip * high, into))
    });
    Figures {
        span: (run.time[0], run.time[bars - 1]),
        bars,
        start_equity: run.start_equity,
        equity: last(&run.equity),
        cash: last(&run.cash),
        flows: run.flows.iter().sum(),
        total_return: growth - 1.0,
        drawdown: last(&drawdown_series(&returns)),
        exposure: last(&run.exposure),
        savings: last(&savings_of(run)),
        income: streams
            .map(sum)
            .filter(|(_, amount)| *amount != 0.0)
            .collect(),
        cone,
    }
}

/// Shares by layer and symbol: the sum of what the ledger moved.
fn holdings(account: &Account, run: &Run) -> Vec<Holding> {
    let mut shares: BTreeMap<(&str, usize), f64> = BTreeMap::new();
    for (place, entry) in run.ledger.iter().enumerate() {
        if let Some(symbol) = entry.symbol.filter(|_| entry.kind != EntryKind::Slippage) {
            let layer = run.layers.name(&run.layers.ledger, place);
            *shares.entry((layer, symbol)).or_default() += entry.quantity;
        }
    }
    let held = shares.into_iter().filter_map(|((layer, symbol), shares)| {
        Some(((layer, symbol), shares, open_gain(run, layer, symbol)?))
    });
    held.map(|((layer, symbol), shares, pnl)| {
        let name = &run.symbols[symbol];
        let price = last_close(account, name);
        let level = run
            .levels
            .iter()
            .find(|level| level.symbol == symbol && level.layer == layer);
        Holding {
            layer: layer.to_owned(),
            symbol: name.clone(),
            shares,
            price,
            value: shares * price,
            pnl,
            stop: level.and_then(|l| l.stop),
            target: level.and_then(|l| l.target),
        }
    })
    .collect()
}

/// Gain of what is held of a symbol in a layer; `None` where nothing is.
fn open_gain(run: &Run, layer: &str, symbol: usize) -> Option<f64> {
    let trades = run.trades.iter().enumerate().filter(|(place, trade)| {
        trade.status == TradeStatus::Open
            && trade.symbol == symbol
            && run.layers.name(&run.layers.trades, *place) == layer
    });
    trades.map(|(_, trade)| trade.pnl).reduce(|a, b| a + b)
}

fn last_close(account: &Account, symbol: &str) -> f64 {
    let recorded = account.tape.iter().find(|r| r.symbol == symbol);
    recorded
        .and_then(|r| r.close_before(Micros::MAX))
        .unwrap_or(f64::NAN)
}

fn orders(account: &Account, run: &Run) -> Vec<OpenOrder> {
    let waiting = run.orders.iter().enumerate().filter(|(_, o)| is_waiting(o));
    waiting
        .map(|(place, order)| {
            let symbol = &run.symbols[order.symbol];
            let shares = order.quantity - order.filled;
            OpenOrder {
                id: order.id,
                decided: moment(run, order.decided),
                layer: run.layers.name(&run.layers.orders, place).to_owned(),
                symbol: symbol.clone(),
                side: order.side.name(),
                kind: order.kind.name(),
                shares,
                price: order.price,
                value: shares * last_close(account, symbol),
                reason: "",
            }
        })
        .collect()
}

fn freshness(account: &Account, now: Micros) -> Vec<Freshness> {
    let now = monitor::due(account, now);
    let of = account.facts.as_ref().map(|f| (f.calendar, f.interval));
    let each = account.tape.iter().map(|recorded| {
        let last = recorded.time.last().copied();
        let sessions = match (of, last) {
            (Some(of), Some(last)) => sessions_without_bar(of, last, now),
            _ => 0,
        };
        Freshness {
            symbol: recorded.symbol.clone(),
            last,
            sessions,
        }
    });
    each.collect()
}
