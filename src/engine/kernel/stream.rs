//! The sums of one account whose equity comes by the block: returns, what they exceed the risk-free
//! rate by, peak and fall, sessions in the market. Where somebody wants the equity itself, it is added
//! to what they keep.

use crate::engine::kernel::ahead::{Added, Ahead};
use crate::engine::kernel::tally::{BLOCKS, BlockSums, Moments, Tally};
use crate::lanes::{Loop, wide};
use crate::units::BarIndex;

/// Equity that is looked at together: it stays in the first cache.
pub(crate) const CHUNK: usize = 256;
/// Running sums side by side, in a fixed order.
const LANES: usize = 8;

/// Equity of all accounts at each bar of a span, and where something is held.
pub(crate) struct Kept<'a> {
    pub(crate) first: BarIndex,
    pub(crate) equity: &'a mut [f64],
    pub(crate) is_held: &'a mut [bool],
}

/// The sessions of a clock.
#[derive(Clone, Copy)]
pub(crate) struct Sessions<'a> {
    /// Sessions that end before each bar, one more than there are bars; empty when a bar is one.
    pub(crate) ends_before: &'a [u32],
    /// Risk-free return of each; empty for none.
    pub(crate) rate: &'a [f64],
}

impl Sessions<'_> {
    /// Sessions that end before a bar.
    #[inline]
    pub(crate) fn before(&self, bar: BarIndex) -> usize {
        match self.ends_before {
            [] => bar,
            ends => ends[bar] as usize,
        }
    }
}

/// The sums so far.
pub(crate) struct Stream<'a> {
    pub(crate) sessions: Sessions<'a>,
    pub(crate) kept: Option<Kept<'a>>,
    /// Equity at the last session end.
    before: f64,
    start: f64,
    added: Added,
    peak: f64,
    worst: f64,
    is_sound: bool,
    first: usize,
    held: usize,
    /// First session that is not counted in `held` yet.
    held_from: usize,
    blocks: Vec<BlockSums>,
    block: usize,
    /// Room for the returns of a chunk.
    returns: Vec<f64>,
}

impl<'a> Stream<'a> {
    /// An account with `cash` over the sessions of a span.
    pub(crate) fn new(
        cash: f64,
        sessions: Sessions<'a>,
        span: &std::ops::Range<BarIndex>,
        blocks: bool,
    ) -> Self {
        let first = sessions.before(span.start);
        let block = (sessions.before(span.end) - first) / BLOCKS;
        let empty = BlockSums {
            count: block as u32,
            ..BlockSums::default()
        };
        let wants = blocks && block > 0;
        Stream {
            sessions,
            kept: None,
            before: cash,
            start: cash,
            added: Added::default(),
            peak: cash,
            worst: 1.0,
            is_sound: true,
            first,
            held: 0,
            held_from: 0,
            blocks: if wants {
                vec![empty; BLOCKS]
            } else {
                Vec::new()
            },
            block,
            returns: Vec::new(),
        }
    }

    /// Notes that something is held at the closes of some bars.
    pub(crate) fn hold(&mut self, from: BarIndex, to: BarIndex) {
        if from >= to {
            return;
        }
        let first = self.sessions.before(from).max(self.held_from);
        let last = self.sessions.before(to - 1) + 1;
        self.held += last.saturating_sub(first);
        self.held_from = self.held_from.max(last);
        if let Some(kept) = &mut self.kept {
            kept.is_held[from - kept.first..to - kept.first].fill(true);
        }
    }

    /// Adds equity, bar by bar, to what is kept.
    pub(crate) fn keep(&mut self, from: BarIndex, equity: &[f64]) {
        if let Some(kept) = &mut self.kept {
            let at = from - kept.first;
            let into = &mut kept.equity[at..at + equity.len()];
            into.iter_mut().zip(equity).for_each(|(e, own)| *e += own);
        }
    }

    /// The equity at the closes of bars from `from` on: those that end a session count.
    pub(crate) fn bars(&mut self, from: BarIndex, equity: &[f64]) {
        self.keep(from, equity);
        if self.sessions.ends_before.is_empty() {
            self.push(from, equity);
            return;
        }
        // Returns have no meaning after a bar without equity, in the middle of a session, too.
        self.is_sound &= equity.iter().all(|e| *e > 0.0);
        for (bar, equity) in (from..).zip(equity) {
            let session = self.sessions.before(bar);
            if self.sessions.before(bar + 1) > session {
                self.push(session, std::slice::from_ref(equity));
            }
        }
    }

    /// Sessions at whose ends the equity is `scale` times a column that never falls, whose sums are
    /// known.
    pub(crate) fn rising(
        &mut self,
        (from, to): (usize, usize),
        value: impl Fn(usize) -> f64,
        ahead: Option<&Ahead>,
    ) {
        if from >= to {
            return;
        }
        self.push(from, &[value(from)]);
        let last = value(to - 1);
        self.before = last;
        self.peak = if last > self.peak { last } else { self.peak };
        if let Some(ahead) = ahead {
            self.between(ahead, from, to - 1);
        }
    }

    /// The returns from session `from` to session `to`, block by block.
    fn between(&mut self, ahead: &Ahead, from: usize, to: usize) {
        self.added = self.added.and(ahead.between(from, to));
        if self.blocks.is_empty() {
            return;
        }
        // The return of session i leads from i - 1 to i, so a block that starts at i starts there.
        let mut at = from;
        while at < to {
            let block = (at + 1 - self.first) / self.block;
            let end = to.min(self.first + (block + 1) * self.block - 1);
            self.block(at + 1, ahead.between(at, end));
            at = end;
        }
    }

    #[inline]
    fn block(&mut self, session: usize, added: Added) {
        if let Some(block) = self.blocks.get_mut((session - self.first) / self.block) {
            block.sum += added.excess;
            block.squares += added.excess_squares;
        }
    }

    /// The equity at the ends of sessions from `session` on.
    #[inline]
    pub(crate) fn push(&mut self, session: usize, equity: &[f64]) {
        if let [equity] = equity {
            self.step(session, *equity);
            return;
        }
        for (k, equity) in equity.chunks(CHUNK).enumerate() {
            self.chunk(session + k * CHUNK, equity);
        }
    }

    /// One session.
    #[inline]
    fn step(&mut self, session: usize, equity: f64) {
        let rate = self.sessions.rate.get(session).copied().unwrap_or(0.0);
        let added = Added::one(equity / self.before - 1.0, rate);
        self.before = equity;
        self.added = self.added.and(added);
        if !self.blocks.is_empty() {
            self.block(session, added);
        }
        self.look(equity);
        self.is_sound &= equity > 0.0;
    }

    #[inline]
    fn look(&mut self, equity: f64) {
        self.peak = if equity > self.peak {
            equity
        } else {
            self.peak
        };
        if equity < self.peak * self.worst {
            self.worst = equity / self.peak;
        }
    }

    /// At most [`CHUNK`] sessions.
    fn chunk(&mut self, first: usize, equity: &[f64]) {
        let mut room = std::mem::take(&mut self.returns);
        room.resize(CHUNK, 0.0);
        let returns = &mut room[..equity.len()];
        wide(Returns {
            before: self.before,
            equity,
            returns,
        });
        self.before = equity[equity.len() - 1];
        for part in equity.chunks(4 * LANES) {
            let Extremes { most, least } = wide(Look(part));
            self.is_sound &= least > 0.0;
            if most > self.peak || least < self.peak * self.worst {
                part.iter().for_each(|e| self.look(*e));
            }
        }
        let rate = match self.sessions.rate {
            [] => &[][..],
            rate => &rate[first..first + equity.len()],
        };
        // The figures are the same bits whether or not blocks are asked for.
        self.added = self.added.and(wide(Sum(returns, rate)));
        if self.blocks.is_empty() {
            self.returns = room;
            return;
        }
        let mut at = 0;
        while at < returns.len() {
            let block = (first + at - self.first) / self.block;
            let end = returns
                .len()
                .min(self.first + (block + 1) * self.block - first);
            let rate = if rate.is_empty() {
                rate
            } else {
                &rate[at..end]
            };
            let part = wide(Sum(&returns[at..end], rate));
            self.block(first + at, part);
            at = end;
        }
        self.returns = room;
    }

    /// The sums over a span's sessions, without counts; `None` when the equity fell to nothing.
    pub(crate) fn finish(self, span: &std::ops::Range<BarIndex>) -> Option<Tally> {
        let count = self.sessions.before(span.end) - self.first;
        let n = count as f64;
        let moments = |sum: f64, squares: f64| {
            let mean = sum / n;
            Moments {
                mean,
                squares: (squares - n * mean * mean).max(0.0),
            }
        };
        let a = self.added;
        self.is_sound.then(|| Tally {
            start_equity: self.start,
            end_equity: self.before,
            sessions: count,
            returns: moments(a.sum, a.squares),
            excess: moments(a.excess, a.excess_squares),
            downside: a.downside,
            drawdown: self.worst - 1.0,
            held: self.held,
            blocks: self.blocks,
            ..Tally::default()
        })
    }
}

/// Returns of an equity that was `before` at first.
struct Returns<'a> {
    before: f64,
    equity: &'a [f64],
    returns: &'a mut [f64],
}

impl Loop for Returns<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let Some((first, rest)) = self.returns.split_first_mut() else {
            return;
        };
        *first = self.equity[0] / self.before - 1.0;
        let pairs = self.equity.iter().zip(&self.equity[1..]);
        for (r, (before, after)) in rest.iter_mut().zip(pairs) {
            *r = after / before - 1.0;
        }
    }
}

struct Extremes {
    most: f64,
    least: f64,
}

struct Look<'a>(&'a [f64]);

impl Loop for Look<'_> {
    type Out = Extremes;

    #[inline(always)]
    fn run(self) -> Extremes {
        let (mut most, mut least) = ([f64::NEG_INFINITY; LANES], [f64::INFINITY; LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut look = |part: &[f64]| {
            for ((most, least), &e) in most.iter_mut().zip(&mut least).zip(part) {
                *most = if e > *most { e } else { *most };
                *least = if e < *least { e } else { *least };
            }
        };
        chunks.iter().for_each(|part| look(part));
        look(rest);
        Extremes {
            most: most.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b)),
            least: least.iter().fold(f64::INFINITY, |a, &b| a.min(b)),
        }
    }
}

/// Sums of returns and of what they exceed a rate by, lane by lane.
struct Sum<'a>(&'a [f64], &'a [f64]);

impl Loop for Sum<'_> {
    type Out = Added;

    #[inline(always)]
    fn run(self) -> Added {
        match self.1 {
            [] => plain(self.0),
            rate => exceeding(self.0, rate),
        }
    }
}

#[inline(always)]
fn plain(returns: &[f64]) -> Added {
    let mut lanes = [[0.0; LANES]; 3];
    let (chunks, rest) = returns.as_chunks::<LANES>();
    let mut add = |values: &[f64]| {
        for (i, &r) in values.iter().enumerate() {
            let fall = if r < 0.0 { r } else { 0.0 };
            lanes[0][i] += r;
            lanes[1][i] += r * r;
            lanes[2][i] += fall * fall;
        }
    };
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
    let [sum, squares, downside] = lanes.map(|lane| lane.iter().sum());
    Added {
        sum,
        squares,
        excess: sum,
        excess_squares: squares,
        downside,
    }
}

#[inline(always)]
fn exceeding(returns: &[f64], rate: &[f64]) -> Added {
    let mut lanes = [[0.0; LANES]; 5];
    for (returns, rate) in returns.chunks(LANES).zip(rate.chunks(LANES)) {
        for (i, (&r, &rate)) in returns.iter().zip(rate).enumerate() {
            let excess = r - rate;
            let fall = if excess < 0.0 { excess } else { 0.0 };
            lanes[0][i] += r;
            lanes[1][i] += r * r;
            lanes[2][i] += excess;
            lanes[3][i] += excess * excess;
            lanes[4][i] += fall * fall;
        }
    }
    let [sum, squares, excess, excess_squares, downside] = lanes.map(|lane| lane.iter().sum());
    Added {
        sum,
        squares,
        excess,
        excess_squares,
        downside,
    }
}
