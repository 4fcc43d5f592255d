//! The same meaning, lean, for sweeps: a trial leaves sums behind and no curve.
//!
//! [`crate::engine::Outline::not_carried`] says why the kernel does not carry a strategy, which the
//! engine's loop then runs. There are two ways from event to event: `walk` for the narrow case that
//! sweeps are mostly made of (cash alone and one symbol, bought and sold at the market, to which nothing
//! happens from outside), `account` for all others; `ground` is what its trials share. `table` and
//! `ahead` sum columns up once for all trials, `sums` and `stream` add what an account made of them,
//! [`Tally`] is what is left. What the sums mean as figures is left to `metrics`, which points are
//! tried to `study`.

mod account;
mod accounts;
mod ahead;
mod ground;
mod stream;
mod sums;
mod table;
mod tally;
mod walk;

pub use tally::{BLOCKS, BlockSums, Counted, Moments, Tally};

use crate::engine::kernel::accounts::{Accounts, Over};
use crate::engine::kernel::stream::Kept;
use crate::engine::kernel::sums::{Marks, Running};
use crate::engine::kernel::table::Table;
use crate::engine::kernel::walk::{Distance, Lane, Reach, Says, Stretch, Walk};
use crate::engine::prepare::Prepared;
use crate::error::Result;
use crate::market::{Bars, Market};
use crate::rules::{Cursor, Values};
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
    /// What `account` walks, in stead of the tapes; `None` where `walk` does.
    accounts: Option<Accounts<'m>>,
}

/// One symbol.
struct Tape<'m> {
    bars: &'m Bars,
    marks: Cow<'m, [f64]>,
    table: Option<Table>,
    reach: Option<Reach>,
}

/// The expressions of a trial by key (`rules.enter`), on the bars of one symbol.
#[derive(Debug, Clone, Copy)]
pub struct Signals<'a> {
    /// Their keys.
    pub keys: &'a [&'a str],
    /// As many values.
    pub values: &'a [Values<'a>],
}

impl<'a> Signals<'a> {
    /// The expression of a key.
    #[inline]
    pub fn find(&self, key: &str) -> Option<&'a Values<'a>> {
        let at = self.keys.iter().position(|k| *k == key)?;
        self.values.get(at)
    }
}

impl<'m> Kernel<'m> {
    /// Prepares the trials of `strategy` over the sessions that end after bars `ends` (empty: every
    /// bar is one); `trials` is about how many there will be. `bare`: only the five figures of bare
    /// runs are asked for, so that the sums of falls are not kept.
    ///
    /// # Errors
    /// As [`crate::backtest`].
    pub fn new(
        market: &'m Market,
        strategy: &Strategy,
        ends: &[usize],
        (trials, bare): (usize, bool),
    ) -> Result<Self> {
        let mut prepared = Prepared::new(market, strategy)?;
        let accounts = match is_narrow(&prepared) {
            true => None,
            false => Some(Accounts::new(market, &mut prepared, ends)?),
        };
        let universe: &[usize] = match accounts {
            None => &prepared.universe,
            Some(_) => &[],
        };
        let watches = strategy.stops.stop.is_some()
            || strategy.stops.target.is_some()
            || strategy.stops.trail.is_some()
            || strategy.stops.breakeven.is_some();
        let tapes = universe.iter().map(|&index| {
            let bars = &market.tapes[index].bars;
            let marks: Cow<'m, [f64]> = match ends {
                [] => Cow::Borrowed(bars.close.as_slice()),
                ends => Cow::Owned(ends.iter().map(|end| bars.close[end - 1]).collect()),
            };
            Tape {
                bars,
                table: (trials >= TRIALS_SHARED).then(|| Table::new(&marks, bare)),
                marks,
                reach: watches.then(|| Reach::of(bars)),
            }
        });
        Ok(Kernel {
            tapes: tapes.collect(),
            ends_before: ends_before(ends, prepared.clock.len()),
            decides: words(prepared.decides()),
            accounts,
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

    /// Risk-free return of each session of a span that [`Kernel::fits`]; empty for none.
    pub fn rate(&self, span: &Range<BarIndex>) -> &[f64] {
        let rate = self.accounts.as_ref().map_or(&[][..], Accounts::rate);
        let session = |bar: BarIndex| match self.ends_before.as_slice() {
            [] => bar,
            ends => ends[bar] as usize,
        };
        rate.get(session(span.start)..session(span.end))
            .unwrap_or_default()
    }

    /// The sums of one account over a span of bars for each of several trials; `None` for one whose
    /// equity fell to nothing, which the engine tells the meaning of.
    ///
    /// The trials go through a long tape together, a piece at a time, so that a piece of the sums is
    /// read from memory once for all of them.
    pub fn tally(
        &self,
        account: usize,
        trials: &[Signals<'_>],
        span: &Range<BarIndex>,
        blocks: bool,
    ) -> Vec<Option<Tally>> {
        if let Some(accounts) = &self.accounts {
            let over = self.over(span, blocks);
            let trials = trials.iter().map(std::slice::from_ref);
            return trials
                .map(|signals| accounts.tally(account, signals, over))
                .collect();
        }
        let lane = self.lane(account, span);
        let sessions = (lane.session(span.start), lane.session(span.end));
        let count = sessions.1 - sessions.0;
        let piece = if trials.len() == 1 { span.len() } else { PIECE };
        let start = || Running::new(self.strategy.account.cash, sessions.0, count, blocks);
        if span.len() <= piece {
            // What fits into the cache is done trial by trial.
            let alone = |signals: &Signals<'_>| {
                let mut trial = Trial::new(self, *signals, &lane, start());
                trial.advance(&lane, None);
                trial.ended(count)
            };
            return trials.iter().map(alone).collect();
        }
        let trials = trials.iter();
        let mut all: Vec<Trial<'_>> = trials
            .map(|signals| Trial::new(self, *signals, &lane, start()))
            .collect();
        let pieces = (span.start..span.end).step_by(piece).skip(1);
        for until in pieces.map(Some).chain([None]) {
            for trial in &mut all {
                trial.advance(&lane, until);
            }
        }
        all.iter_mut().map(|trial| trial.ended(count)).collect()
    }

    /// The sums of an account that several symbols share, `signals` one for each of them in the order
    /// of the universe; `None` as in [`Kernel::tally`].
    pub fn tally_shared(
        &self,
        signals: &[Signals<'_>],
        span: &Range<BarIndex>,
        blocks: bool,
    ) -> Option<Tally> {
        let accounts = self.accounts.as_ref()?;
        accounts.tally(0, signals, self.over(span, blocks))
    }

    /// Adds the equity of one account at each bar of a span to `equity`, and marks the bars on which
    /// something is held; the sums of that account, `None` as in [`Kernel::tally`]. `signals` are
    /// those of each of its symbols.
    pub fn equity(
        &self,
        account: usize,
        signals: &[Signals<'_>],
        span: &Range<BarIndex>,
        (equity, is_held): (&mut [f64], &mut [bool]),
    ) -> (Counted, Option<Tally>) {
        if let Some(accounts) = &self.accounts {
            let kept = Kept {
                first: span.start,
                equity,
                is_held,
            };
            return accounts.run(account, signals, self.over(span, false), Some(kept));
        }
        let nothing = Signals {
            keys: &[],
            values: &[],
        };
        let signals = signals.first().copied().unwrap_or(nothing);
        let lane = self.lane(account, span);
        let sessions = (lane.session(span.start), lane.session(span.end));
        let count = sessions.1 - sessions.0;
        let running = Running::new(self.strategy.account.cash, sessions.0, count, false);
        let mut trial = Trial::new(self, signals, &lane, running);
        let (running, held) = (&mut trial.running, &mut trial.held);
        trial.walk.advance(None, |stretch| {
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

    fn over<'a>(&'a self, span: &'a Range<BarIndex>, blocks: bool) -> Over<'a> {
        Over {
            strategy: &self.strategy,
            ends_before: &self.ends_before,
            span,
            blocks,
        }
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

    /// What the expressions say.
    #[inline]
    fn says<'a>(&self, signals: Signals<'a>, bars: usize) -> Says<'a> {
        let find = |key: &str| signals.find(key);
        let days = |key: &str| match (find(key), self.decides.as_slice()) {
            (Some(Values::Yes(set)), []) => set.cursor(),
            (Some(Values::Condition(mask)), []) => Cursor::Plain(mask.yes_words()),
            (None, _) => Cursor::Plain(&[]),
            (values, []) => Cursor::Own(yes(values, bars).into_owned()),
            (values, decides) => {
                let words = yes(values, bars);
                let pairs = words.iter().zip(decides);
                Cursor::Own(pairs.map(|(a, b)| a & b).collect())
            }
        };
        let distance = |written: &Option<Written>, key: &str| match written {
            None => None,
            Some(Written::Fraction(fraction)) => Some(Distance::Fraction(*fraction)),
            Some(Written::Expr(_)) => find(key).map(Distance::Money),
        };
        let stops = &self.strategy.stops;
        Says {
            enter: days("rules.enter"),
            exit: days("rules.exit"),
            stop: distance(&stops.stop, "stops.stop"),
            target: distance(&stops.target, "stops.target"),
            trail: distance(&stops.trail, "stops.trail"),
            volatility: find("size.method"),
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
    #[inline(always)]
    fn new(
        kernel: &'a Kernel<'_>,
        signals: Signals<'a>,
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
        self.walk.advance(until, sink);
    }

    /// The sums over `count` sessions; `None` when the equity fell to nothing.
    fn ended(&mut self, count: usize) -> Option<Tally> {
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
        Some(Values::Yes(set)) => Cow::Owned(set.words(bars.div_ceil(64))),
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

/// Whether nothing is asked for but what `walk` does: one symbol, cash alone, orders at the market, and
/// nothing that happens from outside.
fn is_narrow(prepared: &Prepared<'_>) -> bool {
    let strategy = prepared.strategy;
    let (rules, account) = (&strategy.rules, &strategy.account);
    let alone = prepared.universe.len() == 1 || account.each;
    let has_gaps = || {
        let mut tapes = prepared.universe.iter();
        tapes.any(|&tape| {
            let time = &prepared.market.tapes[tape].bars.time;
            time.as_slice() != prepared.clock.as_slice()
        })
    };
    alone
        && rules.short.is_none()
        && rules.cover.is_none()
        && strategy.fill.order == OrderKind::Market
        && strategy.size.max_positions != Some(0)
        && strategy.stops.target_share >= 1.0
        && account.kind == AccountKind::Cash
        && prepared.interest.is_empty()
        && prepared.index_yield.is_empty()
        && !prepared.has_rate()
        && !has_gaps()
        && prepared.bare_input(&prepared.universe).events.is_empty()
}

/// What the kernel does not carry, in a few words.
pub(crate) fn not_carried(prepared: &Prepared<'_>) -> Option<&'static str> {
    let strategy = prepared.strategy;
    let (rules, account) = (&strategy.rules, &strategy.account);
    let has_index = strategy.data.dividend_yield.is_some();
    [
        // What reads the open position has to be asked bar by bar.
        (
            prepared.wants_position(),
            "an exit or a stop that reads the open position",
        ),
        (!strategy.layers.is_empty(), "layers"),
        (prepared.market.members.is_some(), "dated membership"),
        (strategy.rank.is_some(), "[rank]"),
        (strategy.weights.is_some(), "[weights]"),
        (
            rules.enter.is_none() && rules.short.is_none(),
            "no entry rule",
        ),
        (strategy.fill.volume_cap.is_some(), "a volume cap"),
        (strategy.size.pyramid, "adding to positions"),
        (account.settlement_days > 0, "settlement days"),
        (strategy.tax.is_some(), "taxes"),
        (strategy.options.is_some(), "[options]"),
        (!prepared.flows.is_empty(), "deposits and withdrawals"),
        (
            account.reinvest_dividends && has_index,
            "a dividend yield that is reinvested",
        ),
    ]
    .into_iter()
    .find(|(is_so, _)| *is_so)
    .map(|(_, why)| why)
}
