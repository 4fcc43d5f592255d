//! One account of any number of symbols, from event to event: the same meaning as the engine's loop.
//!
//! [`Account::run`] jumps to the next bar on which anything may happen (`ahead`), goes through the
//! phases of that bar in the order of the simulated day, and has the stretch in between valued at once
//! (`carry`). Filling and deciding are in `fills` and `decide`. Fills, fees, levels and sizes are
//! computed by the engine's own functions; what a bar means is said by the engine, and changes there
//! have to be made here, too.

mod ahead;
mod carry;
mod decide;
mod fills;

use crate::engine::kernel::Signals;
use crate::engine::kernel::ahead::Ahead;
use crate::engine::kernel::ground::{Event, Ground, Happening, Place, Track};
use crate::engine::kernel::stream::Stream;
use crate::engine::kernel::tally::Counted;
use crate::engine::kernel::walk::Distance;
use crate::engine::pending::Ask;
use crate::execution::OrderType;
use crate::execution::fill::{BarPrices, Levels, Touch, gapped, touched};
use crate::portfolio::Protection;
use crate::rules::Values;
use crate::strategy::{AccountKind, ClosedTrades, Distance as Written, FillAt, Strategy};
use crate::units::{BarIndex, Micros};
use std::borrow::Cow;
use std::ops::Range;

/// What the expressions of a trial say about one symbol, on its own bars.
struct Says<'a> {
    /// Entries that nothing contradicts, and exits, on the bars on which rules decide.
    enter: Cow<'a, [u64]>,
    exit: Cow<'a, [u64]>,
    short: Cow<'a, [u64]>,
    cover: Cow<'a, [u64]>,
    stop: Option<Distance<'a>>,
    target: Option<Distance<'a>>,
    trail: Option<Distance<'a>>,
    volatility: Option<&'a Values<'a>>,
    priority: Option<&'a Values<'a>>,
    price: Option<&'a Values<'a>>,
}

impl<'a> Says<'a> {
    fn of(strategy: &Strategy, signals: Signals<'a>, track: &Track<'_>) -> Self {
        let bars = track.bars.len();
        let find = |key: &str| signals.find(key);
        let yes = |key: &str| match find(key) {
            None => Cow::Borrowed(&[][..]),
            values => super::yes(values, bars),
        };
        let (exit, cover) = (yes("rules.exit"), yes("rules.cover"));
        let (enter, short) = (yes("rules.enter"), yes("rules.short"));
        let at = |words: &[u64], k: usize| words.get(k).copied().unwrap_or(0);
        let decides = |k: usize| match track.decides.as_slice() {
            [] => u64::MAX,
            decides => decides[k],
        };
        let unless = |a: &[u64], b: &[u64], c: &[u64]| -> Vec<u64> {
            let words = a.iter().enumerate();
            words
                .map(|(k, word)| word & !at(b, k) & !at(c, k) & decides(k))
                .collect()
        };
        let scheduled = |words: Cow<'a, [u64]>| match track.decides.is_empty() {
            true => words,
            false => Cow::Owned(
                words
                    .iter()
                    .enumerate()
                    .map(|(k, w)| w & decides(k))
                    .collect(),
            ),
        };
        let distance = |written: &Option<Written>, key: &str| match written {
            None => None,
            Some(Written::Fraction(fraction)) => Some(Distance::Fraction(*fraction)),
            Some(Written::Expr(_)) => find(key).map(Distance::Money),
        };
        let stops = &strategy.stops;
        Says {
            enter: Cow::Owned(unless(&enter, &exit, &short)),
            short: Cow::Owned(unless(&short, &cover, &enter)),
            exit: scheduled(exit),
            cover: scheduled(cover),
            stop: distance(&stops.stop, "stops.stop"),
            target: distance(&stops.target, "stops.target"),
            trail: distance(&stops.trail, "stops.trail"),
            volatility: find("size.method"),
            priority: find("rules.priority"),
            price: find("fill.price"),
        }
    }
}

/// A holding; flat when `shares` is 0. Prices are in the money of the current bar.
#[derive(Clone, Default)]
struct Position {
    shares: f64,
    entry_price: f64,
    entry_value: f64,
    entry_fee: f64,
    exit_value: f64,
    exit_fee: f64,
    protection: Protection,
    /// Best price of the own bars before `seen`.
    best: f64,
    /// First own bar that no level was looked for on yet.
    seen: usize,
    live_from: BarIndex,
    entry_bar: BarIndex,
    entry_own: usize,
}

impl Position {
    fn is_flat(&self) -> bool {
        self.shares == 0.0
    }

    fn is_long(&self) -> bool {
        self.shares > 0.0
    }

    fn levels(&self) -> Levels {
        self.protection
            .levels(self.entry_price, self.best, self.is_long())
    }
}

/// One symbol of the account.
#[derive(Clone, Default)]
struct Slot {
    position: Position,
    /// Own bar through which no entry is decided.
    blocked_through: Option<usize>,
    /// Price in the money of the current bar, as far as the bar went.
    mark: f64,
    /// The next bar on which a rule or the time held speaks; 0 when it has to be looked up.
    next: BarIndex,
}

/// An order between its decision and its fill.
#[derive(Clone, Copy)]
struct Pending {
    slot: usize,
    is_buy: bool,
    kind: OrderType,
    price: f64,
    closes: Option<f64>,
    opens: Option<Ask>,
    protection: Protection,
    day_only: bool,
    /// Its session, once it saw a bar.
    day: Option<Micros>,
    is_done: bool,
}

/// A dividend between ex-date and pay-date.
#[derive(Clone, Copy)]
struct Receivable {
    pay: BarIndex,
    slot: usize,
    amount: f64,
}

/// What all trials of an account share.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) strategy: &'a Strategy,
    pub(crate) ground: &'a Ground<'a>,
    pub(crate) place: &'a Place<'a>,
    /// Returns of cash, and the risk-free rate beside it, summed up ahead; `None` when cash earns
    /// nothing and there is no rate.
    pub(crate) idle: Option<&'a Ahead>,
}

/// An account on its way.
pub(crate) struct Account<'a> {
    all: Shared<'a>,
    says: Vec<Says<'a>>,
    span: Range<BarIndex>,
    /// Slots that positions may take.
    most: f64,
    slots: Vec<Slot>,
    /// Slots that are held, ascending.
    held: Vec<usize>,
    pending: Vec<Pending>,
    receivables: Vec<Receivable>,
    reinvest: Vec<(usize, f64)>,
    cash: f64,
    receivable: f64,
    closed: ClosedTrades,
    counts: Counted,
    next_event: usize,
    /// Proceeds of exits inside this bar, which serve only from its close on.
    freed_inside: f64,
    /// Slots entered inside this bar, whose high and low came partly before the entry.
    entered_inside: Vec<usize>,
    wants: Vec<decide::Want>,
    /// Room for a block of equity and of cash.
    blocks: (Vec<f64>, Vec<f64>),
}

impl<'a> Account<'a> {
    /// A fresh account over a span of bars, `signals` one for each of its symbols.
    pub(crate) fn new(all: Shared<'a>, signals: &'a [Signals<'a>], span: Range<BarIndex>) -> Self {
        let strategy = all.strategy;
        let tracks = &all.place.tracks;
        let says = tracks
            .iter()
            .zip(signals)
            .map(|(track, signals)| Says::of(strategy, *signals, track));
        let events = &all.place.events;
        Account {
            says: says.collect(),
            most: strategy
                .size
                .max_positions
                .map_or(tracks.len() as f64, f64::from),
            slots: vec![Slot::default(); tracks.len()],
            held: Vec::with_capacity(tracks.len()),
            pending: Vec::with_capacity(tracks.len()),
            receivables: Vec::new(),
            reinvest: Vec::new(),
            cash: strategy.account.cash,
            receivable: 0.0,
            closed: ClosedTrades::default(),
            counts: Counted::default(),
            next_event: events.partition_point(|event| event.bar < span.start),
            freed_inside: 0.0,
            entered_inside: Vec::new(),
            wants: Vec::with_capacity(tracks.len()),
            blocks: (Vec::new(), Vec::new()),
            span,
            all,
        }
    }

    /// Lets time pass from the first bar to the last.
    pub(crate) fn run(mut self, stream: &mut Stream<'_>) -> Counted {
        // The first bar at whose close what is held now is not valued yet.
        let mut from = self.span.start;
        let mut at = from;
        while from < self.span.end {
            let next = self.next_bar(at);
            let next = self.carry(from, next.min(self.span.end), stream);
            if next >= self.span.end {
                break;
            }
            self.step(next);
            (from, at) = (next, next + 1);
        }
        self.counts
    }

    /// One bar, in the order of the simulated day.
    fn step(&mut self, bar: BarIndex) {
        self.freed_inside = 0.0;
        self.entered_inside.clear();
        if bar > self.span.start {
            for &slot in &self.held {
                self.slots[slot].mark = self.track(slot).close[bar - 1];
            }
        }
        self.happen(bar);
        self.open(bar);
        self.inside(bar);
        self.close(bar);
        self.decide(bar);
        if bar + 1 == self.span.end && self.all.strategy.fill.close_at_end {
            for slot in self.held.clone() {
                if self.track(slot).own(bar).is_some() {
                    self.close_now(bar, slot, self.slots[slot].mark, true);
                }
            }
        }
    }

    fn track(&self, slot: usize) -> &'a Track<'a> {
        &self.all.place.tracks[slot]
    }

    fn holdings(&self) -> f64 {
        let held = self.held.iter().map(|&s| &self.slots[s]);
        held.map(|slot| slot.position.shares * slot.mark).sum()
    }

    fn equity(&self) -> f64 {
        self.cash + self.receivable + self.holdings()
    }

    fn gross(&self) -> f64 {
        let held = self.held.iter().map(|&s| &self.slots[s]);
        held.map(|slot| (slot.position.shares * slot.mark).abs())
            .sum()
    }

    /// Splits, interest, dividends and the end of trading, before the open.
    fn happen(&mut self, bar: BarIndex) {
        let all: &'a [Event] = &self.all.place.events;
        let from = self.next_event;
        while all.get(self.next_event).is_some_and(|e| e.bar <= bar) {
            self.next_event += 1;
        }
        let today = all[from..self.next_event].iter().filter(|e| e.bar == bar);
        for event in today.clone() {
            if let Happening::Split(ratio) = event.what {
                self.split(event.slot, ratio);
            }
        }
        if bar > self.span.start {
            self.accrue(bar);
        }
        for event in today.clone() {
            if let Happening::Dividend { amount, pay } = event.what {
                let due = self.slots[event.slot].position.shares * amount;
                if due != 0.0 {
                    self.receivable += due;
                    self.receivables.push(Receivable {
                        pay,
                        slot: event.slot,
                        amount: due,
                    });
                }
            }
        }
        if !self.receivables.is_empty() {
            self.receive(bar);
        }
        for event in today {
            if event.what == Happening::Delist {
                self.delist(bar, event.slot);
            }
        }
    }

    fn split(&mut self, slot: usize, ratio: f64) {
        let at = &mut self.slots[slot];
        at.mark /= ratio;
        let position = &mut at.position;
        if !position.is_flat() {
            position.shares *= ratio;
            position.entry_price /= ratio;
            position.best /= ratio;
            position.protection = position.protection.after_split(ratio);
        }
        for p in self.pending.iter_mut().filter(|p| p.slot == slot) {
            p.price /= ratio;
            p.closes = p.closes.map(|n| n * ratio);
            p.opens = p.opens.map(|ask| match ask {
                Ask::Money(money) => Ask::Money(money),
                Ask::Shares(shares) => Ask::Shares(shares * ratio),
            });
            p.protection = p.protection.after_split(ratio);
        }
    }

    /// Dividends whose day has come turn into cash.
    fn receive(&mut self, bar: BarIndex) {
        let mut waiting = std::mem::take(&mut self.receivables);
        waiting.retain(|r| {
            if r.pay <= bar {
                self.receivable -= r.amount;
                self.cash += r.amount;
                if r.amount > 0.0 && self.all.strategy.account.reinvest_dividends {
                    self.reinvest.push((r.slot, r.amount));
                }
            }
            r.pay > bar
        });
        self.receivables = waiting;
    }

    /// Prices of a slot's bar, or `None` when it has none.
    #[inline]
    fn prices(&self, slot: usize, bar: BarIndex) -> Option<(usize, BarPrices)> {
        let track = self.track(slot);
        let own = track.own(bar)?;
        Some((own, prices(track, own)))
    }

    /// Decided exits, gapped stops and targets, decided entries, gapped limits.
    fn open(&mut self, bar: BarIndex) {
        let at_open = self.all.strategy.fill.at == FillAt::NextOpen;
        if !self.pending.is_empty() {
            self.expire_day_orders(bar);
            if at_open {
                self.fill_market(bar, true, |p| p.open);
            }
        }
        self.protect(bar, |position, prices, _| {
            (position.entry_bar < bar)
                .then(|| gapped(prices, &position.levels(), position.is_long()))
                .flatten()
        });
        if !self.pending.is_empty() {
            if at_open {
                self.fill_market(bar, false, |p| p.open);
            }
            self.fill_resting(bar, false);
            self.pending.retain(|p| !p.is_done);
        }
    }

    /// Stops, targets and trailing stops, then limits and stop entries.
    fn inside(&mut self, bar: BarIndex) {
        let cash = self.cash;
        self.protect(bar, |position, prices, ambiguity| {
            touched(prices, &position.levels(), position.is_long(), ambiguity)
        });
        if !self.pending.is_empty() {
            self.freed_inside = (self.cash - cash).max(0.0);
            self.fill_resting(bar, true);
            self.freed_inside = 0.0;
            self.pending.retain(|p| !p.is_done);
        }
        for k in 0..self.held.len() {
            let slot = self.held[k];
            let track = self.track(slot);
            let position = &mut self.slots[slot].position;
            let Some(own) = track.own(bar).filter(|own| position.seen <= *own) else {
                continue;
            };
            position.seen = own + 1;
            if !self.entered_inside.contains(&slot) {
                position.best = better(position, track, own);
            }
        }
    }

    /// Fills every protective exit that `reached` finds, until none is left for the bar.
    fn protect(
        &mut self,
        bar: BarIndex,
        reached: impl Fn(&Position, &BarPrices, crate::strategy::Ambiguity) -> Option<Touch>,
    ) {
        let mut k = 0;
        while k < self.held.len() {
            let slot = self.held[k];
            let position = &self.slots[slot].position;
            if position.protection.is_none() || bar < position.live_from {
                k += 1;
                continue;
            }
            let ambiguity = self.all.strategy.stops.ambiguity;
            let touch = self
                .prices(slot, bar)
                .filter(|(own, _)| position.seen <= *own)
                .and_then(|(own, prices)| Some((own, reached(position, &prices, ambiguity)?)));
            match touch {
                // A partial target leaves the rest under its stop: look at the slot again.
                Some((own, touch)) => self.fill_protective(bar, slot, own, &touch),
                None => k += 1,
            }
        }
    }

    /// Marks, fills of `next_close`, and dividends that are reinvested.
    fn close(&mut self, bar: BarIndex) {
        for &slot in &self.held {
            self.slots[slot].mark = self.track(slot).close[bar];
        }
        if self.all.strategy.fill.at != FillAt::NextOpen && !self.pending.is_empty() {
            self.fill_market(bar, true, |p| p.close);
            self.fill_market(bar, false, |p| p.close);
            self.pending.retain(|p| !p.is_done);
        }
        if !self.reinvest.is_empty() {
            self.reinvest_at_close(bar);
        }
    }

    fn is_on_margin(&self) -> bool {
        self.all.strategy.account.kind == AccountKind::Margin
    }
}

/// The prices of an own bar.
#[inline]
fn prices(track: &Track<'_>, own: usize) -> BarPrices {
    let bars = track.bars;
    BarPrices {
        open: bars.open[own],
        high: bars.high[own],
        low: bars.low[own],
        close: bars.close[own],
    }
}

/// The best price known after an own bar.
#[inline]
fn better(position: &Position, track: &Track<'_>, own: usize) -> f64 {
    if position.is_long() {
        position.best.max(track.bars.high[own])
    } else {
        position.best.min(track.bars.low[own])
    }
}
