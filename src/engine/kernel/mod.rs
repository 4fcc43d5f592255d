//! The same meaning, lean, for sweeps: a trial leaves sums behind and no curve.
//!
//! The kernel carries cash accounts of one symbol (or one account a symbol) that buy and sell at
//! the market by rules, stops, targets and trailing stops; [`crate::engine::Outline::not_carried`] says why it does not
//! carry a strategy, which the engine's loop then runs. `walk` goes from event to event, `table` sums
//! prices up once for all trials, `sums` adds what an account made of them, [`Tally`] is what is left.
//! What the sums mean as figures is left to `metrics`, which points are tried to `study`.

mod sums;
mod table;
mod tally;
mod walk;

pub use tally::{BLOCKS, BlockSums, Counted, Moments, Tally};

use crate::engine::input::EventKind;
use crate::engine::kernel::sums::{Marks, Running};
use crate::engine::kernel::table::Table;
use crate::engine::kernel::walk::{Distance, Lane, Reach, Says, Stretch, Walk};
use crate::engine::prepare::Prepared;
use crate::error::Result;
use crate::market::{Bars, Market};
use crate::rules::Values;
use crate::strategy::{AccountKind, Distance as Written, OrderKind, Strategy};
use crate::units::BarIndex;
use std::borrow::Cow;
use std::ops::Range;

/// Trials that share one tape before its prices are summed up ahead: fewer are valued bar by bar,
/// which costs about as much as the sums.
const TRIALS_SHARED: usize = 8;

/// Bars of a piece of a long tape: its sums stay in the second cache.
const PIECE: usize = 4_096;

/// What all trials of a strategy over one market share.
pub struct Kernel<'m> {
    strategy: Strategy,
    tapes: Vec<Tape<'m>>,
    /// Sessions that end before each bar; empty when a bar is a session.
    ends_before: Vec<u32>,
    /// Bit set of the bars on which rules decide; empty when at every bar.
    decides: Vec<u64>,
}

/// One symbol.
struct Tape<'m> {
    bars: &'m Bars,
    marks: Cow<'m, [f64]>,
    table: Option<Table>,
    reach: Option<Reach>,
}

/// The expressions of a trial by key (`rules.enter`), on the bars of one symbol.
pub type Signals<'a> = [(&'a str, Values<'a>)];

impl<'m> Kernel<'m> {
    /// Prepares the trials of `strategy` over the sessions that end after bars `ends` (empty: every
    /// bar is one); `trials` is about how many there will be.
    ///
    /// # Errors
    /// As [`crate::backtest`].
    pub fn new(
        market: &'m Market,
        strategy: &Strategy,
        ends: &[usize],
        trials: usize,
    ) -> Result<Self> {
        let prepared = Prepared::new(market, strategy)?;
        let watches = strategy.stops.stop.is_some()
            || strategy.stops.target.is_some()
            || strategy.stops.trail.is_some()
            || strategy.stops.breakeven.is_some();
        let tapes = prepared.universe.iter().map(|&index| {
            let bars = &market.tapes[index].bars;
            let marks: Cow<'m, [f64]> = match ends {
                [] => Cow::Borrowed(bars.close.as_slice()),
                ends => Cow::Owned(ends.iter().map(|end| bars.close[end - 1]).collect()),
            };
            Tape {
                bars,
                table: (trials >= TRIALS_SHARED).then(|| Table::new(&marks)),
                marks,
                reach: watches.then(|| Reach::of(bars)),
            }
        });
        Ok(Kernel {
            tapes: tapes.collect(),
            ends_before: ends_before(ends, prepared.clock.len()),
            decides: words(prepared.decides()),
            strategy: strategy.clone(),
        })
    }

    /// Whether a span begins and ends with sessions, so that its sessions are those of the clock.
    pub fn fits(&self, span: &Range<BarIndex>) -> bool {
        match self.ends_before.as_slice() {
            [] => true,
            ends => {
                let starts = |bar: usize| bar == 0 || ends[bar] > ends[bar - 1];
                starts(span.start) && starts(span.end)
            }
        }
    }

    /// The sums of one account over a span of bars for each of several trials; `None` for one whose
    /// equity fell to nothing, which the engine tells the meaning of.
    ///
    /// The trials go through a long tape together, a piece at a time, so that a piece of the sums is
    /// read from memory once for all of them.
    pub fn tally(
        &self,
        account: usize,
        trials: &[Vec<(&str, Values<'_>)>],
        span: &Range<BarIndex>,
        blocks: bool,
    ) -> Vec<Option<Tally>> {
        let lane = self.lane(account, span);
        let sessions = (lane.session(span.start), lane.session(span.end));
        let count = sessions.1 - sessions.0;
        let piece = if trials.len() == 1 { span.len() } else { PIECE };
        let start = || Running::new(self.strategy.account.cash, sessions.0, count, blocks);
        if span.len() <= piece {
            // What fits into the cache is done trial by trial.
            let alone = |signals: &Vec<(&str, Values<'_>)>| {
                let mut trial = Trial::new(self, signals, &lane, start());
                trial.advance(&lane, None);
                trial.ended(count)
            };
            return trials.iter().map(alone).collect();
        }
        let trials = trials.iter();
        let mut all: Vec<Trial<'_>> = trials
            .map(|signals| Trial::new(self, signals, &lane, start()))
            .collect();
        let pieces = (span.start..span.end).step_by(piece).skip(1);
        for until in pieces.map(Some).chain([None]) {
            for trial in &mut all {
                trial.advance(&lane, until);
            }
        }
        all.into_iter().map(|trial| trial.ended(count)).collect()
    }

    /// Adds the equity of one account at each bar of a span to `equity`, and marks the bars on which
    /// something is held; the sums of that account, `None` as in [`Kernel::tally`].
    pub fn equity(
        &self,
        account: usize,
        signals: &Signals<'_>,
        span: &Range<BarIndex>,
        (equity, is_held): (&mut [f64], &mut [bool]),
    ) -> (Counted, Option<Tally>) {
        let lane = self.lane(account, span);
        let sessions = (lane.session(span.start), lane.session(span.end));
        let count = sessions.1 - sessions.0;
        let running = Running::new(self.strategy.account.cash, sessions.0, count, false);
        let mut trial = Trial::new(self, signals, &lane, running);
        let (running, held) = (&mut trial.running, &mut trial.held);
        trial.walk.finish(|stretch| {
            walk::add(running, &lane, stretch);
            held.add(&lane, stretch);
            let bars = stretch.from - span.start..stretch.to - span.start;
            let close = &lane.bars.close[stretch.from..stretch.to];
            if stretch.shares == 0.0 {
                for e in &mut equity[bars] {
                    *e += stretch.cash + 0.0;
                }
                return;
            }
            for (e, close) in equity[bars.clone()].iter_mut().zip(close) {
                *e += stretch.cash + stretch.shares * close;
            }
            is_held[bars].fill(true);
        });
        (trial.walk.counts, trial.ended(count))
    }

    fn lane(&self, account: usize, span: &Range<BarIndex>) -> Lane<'_> {
        let tape = &self.tapes[account];
        Lane {
            bars: tape.bars,
            marks: Marks {
                price: &tape.marks,
                table: tape.table.as_ref(),
            },
            reach: tape.reach.as_ref(),
            ends_before: &self.ends_before,
            first: span.start,
            end: span.end,
        }
    }

    /// What the expressions say, entries that an exit forbids left out.
    fn says<'a>(&self, signals: &'a Signals<'_>, bars: usize) -> Says<'a> {
        let find = |key: &str| signals.iter().find(|(k, _)| *k == key).map(|(_, v)| v);
        let mut exit = yes(find("rules.exit"), bars);
        let enter = yes(find("rules.enter"), bars);
        let pairs = enter.iter().zip(exit.iter());
        let mut enter: Vec<u64> = pairs.map(|(enter, exit)| enter & !exit).collect();
        if !self.decides.is_empty() {
            let pairs = enter.iter_mut().zip(exit.to_mut()).zip(&self.decides);
            for ((enter, exit), decides) in pairs {
                *enter &= decides;
                *exit &= decides;
            }
        }
        let distance = |written: &Option<Written>, key: &str| match written {
            None => None,
            Some(Written::Fraction(fraction)) => Some(Distance::Fraction(*fraction)),
            Some(Written::Expr(_)) => find(key).map(|v| Distance::Money(v.clone())),
        };
        let stops = &self.strategy.stops;
        Says {
            enter,
            exit,
            stop: distance(&stops.stop, "stops.stop"),
            target: distance(&stops.target, "stops.target"),
            trail: distance(&stops.trail, "stops.trail"),
            volatility: find("size.method").cloned(),
        }
    }
}

/// A trial on its way.
struct Trial<'a> {
    walk: Walk<'a>,
    running: Running,
    held: HeldSessions,
}

impl<'a> Trial<'a> {
    fn new(
        kernel: &'a Kernel<'_>,
        signals: &'a Signals<'_>,
        lane: &'a Lane<'a>,
        running: Running,
    ) -> Self {
        Trial {
            walk: Walk::new(&kernel.strategy, kernel.says(signals, lane.end), lane),
            running,
            held: HeldSessions::default(),
        }
    }

    /// Lets time pass up to bar `until`, or to the end.
    fn advance(&mut self, lane: &Lane<'_>, until: Option<BarIndex>) {
        let (running, held) = (&mut self.running, &mut self.held);
        let sink = |stretch| {
            walk::add(running, lane, stretch);
            held.add(lane, stretch);
        };
        match until {
            Some(bar) => self.walk.advance(bar, sink),
            None => self.walk.finish(sink),
        }
    }

    /// The sums over `count` sessions; `None` when the equity fell to nothing.
    fn ended(self, count: usize) -> Option<Tally> {
        let counts = self.walk.counts;
        self.running.is_sound.then(|| Tally {
            trades: counts.trades,
            wins: counts.wins,
            entries: counts.entries,
            held: self.held.count,
            ..self.running.finish(count)
        })
    }
}

/// Sessions with a position at one of their closes.
#[derive(Default)]
struct HeldSessions {
    count: usize,
    /// First session that is not counted yet.
    from: usize,
}

impl HeldSessions {
    fn add(&mut self, lane: &Lane<'_>, stretch: Stretch) {
        if stretch.shares == 0.0 || stretch.from >= stretch.to {
            return;
        }
        let from = lane.session(stretch.from).max(self.from);
        let to = lane.session(stretch.to - 1) + 1;
        self.count += to.saturating_sub(from);
        self.from = self.from.max(to);
    }
}

/// The bars on which a condition holds, as words.
fn yes<'a>(values: Option<&'a Values<'_>>, bars: usize) -> Cow<'a, [u64]> {
    match values {
        Some(Values::Condition(mask)) => Cow::Borrowed(mask.yes_words()),
        Some(Values::Yes(words)) => Cow::Borrowed(words),
        Some(Values::Truth(Some(true))) => Cow::Owned(vec![u64::MAX; bars.div_ceil(64)]),
        _ => Cow::Owned(vec![0; bars.div_ceil(64)]),
    }
}

/// Sessions that end before each bar, and before the end.
fn ends_before(ends: &[usize], bars: usize) -> Vec<u32> {
    if ends.is_empty() {
        return Vec::new();
    }
    let mut before = Vec::with_capacity(bars + 1);
    for (session, &end) in ends.iter().enumerate() {
        before.resize(end, session as u32);
    }
    before.push(ends.len() as u32);
    before
}

fn words(bits: &[bool]) -> Vec<u64> {
    let word = |bits: &[bool]| {
        let set = bits.iter().enumerate().filter(|(_, bit)| **bit);
        set.fold(0, |word, (k, _)| word | 1 << k)
    };
    bits.chunks(64).map(word).collect()
}

/// What the kernel does not carry, in a few words.
pub(crate) fn not_carried(prepared: &Prepared<'_>) -> Option<&'static str> {
    let strategy = prepared.strategy;
    let (rules, fill, account) = (&strategy.rules, &strategy.fill, &strategy.account);
    let several = prepared.universe.len() > 1 && !account.each;
    let tapes = || prepared.universe.iter();
    let has_gaps = tapes().any(|&tape| {
        let time = &prepared.market.tapes[tape].bars.time;
        time.as_slice() != prepared.clock.as_slice()
    });
    let input = prepared.bare_input(&prepared.universe);
    // What reads the open position has to be asked bar by bar.
    let reads_position = prepared.wants_position();
    let has_actions = input.events.iter().any(|event| match event.kind {
        EventKind::Split(_) | EventKind::Dividend { .. } | EventKind::Delist => true,
    });
    [
        (
            reads_position,
            "an exit or a stop that reads the open position",
        ),
        (!strategy.layers.is_empty(), "layers"),
        (several, "several symbols share one account"),
        (has_actions, "splits, dividends or delistings"),
        (has_gaps, "a symbol has no bar at some moments"),
        (rules.enter.is_none(), "no entry rule"),
        (
            rules.short.is_some() || rules.cover.is_some(),
            "short sales",
        ),
        (fill.order != OrderKind::Market, "limit or stop entries"),
        (fill.volume_cap.is_some(), "a volume cap"),
        (strategy.size.pyramid, "adding to positions"),
        (strategy.size.max_positions == Some(0), "no positions"),
        (strategy.stops.target_share < 1.0, "partial targets"),
        (account.kind != AccountKind::Cash, "a margin account"),
        (account.settlement_days > 0, "settlement days"),
        (strategy.tax.is_some(), "taxes"),
        (!input.interest.is_empty(), "interest on cash"),
        (!input.index_yield.is_empty(), "a dividend yield"),
        (!input.flows.is_empty(), "deposits and withdrawals"),
        (prepared.has_rate(), "a risk-free rate"),
    ]
    .into_iter()
    .find(|(is_so, _)| *is_so)
    .map(|(_, why)| why)
}
