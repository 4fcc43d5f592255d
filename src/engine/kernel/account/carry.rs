//! What bars do to an account on which nothing else happens: cash earns and costs, holdings change in
//! value.

use super::Account;
use crate::engine::kernel::stream::{CHUNK, Stream};
use crate::lanes::{Loop, wide};
use crate::units::BarIndex;

impl Account<'_> {
    /// Values the closes of the bars `from..to`. What accrued on `from` is booked already. The bar
    /// reached: earlier than `to` when a margin call comes in between.
    pub(super) fn carry(
        &mut self,
        from: BarIndex,
        to: BarIndex,
        stream: &mut Stream<'_>,
    ) -> BarIndex {
        if from >= to {
            return to;
        }
        let ground = self.all.ground;
        let grows = ground.has_carry() && to - from > 1;
        let is_calm = self.held.is_empty() || !self.is_on_margin();
        let by_table = is_calm && self.cash >= 0.0 && ground.growth.is_some();
        if !is_calm || self.cash < 0.0 || grows && !by_table {
            return self.creep(from, to, stream);
        }
        let sessions = (stream.sessions.before(from), stream.sessions.before(to));
        if self.held.is_empty() && stream.kept.is_none() {
            self.idle(from, sessions, stream);
        } else {
            if !self.held.is_empty() {
                stream.hold(from, to);
            }
            if stream.kept.is_some() {
                self.value(from, (from, to), false, |bar, e| stream.keep(bar, e));
            }
            self.value(from, sessions, true, |session, e| stream.push(session, e));
        }
        self.cash = self.cash_at(from, to - 1);
        to
    }

    /// Cash at the close of a bar, of what it was at the close of `from`.
    fn cash_at(&self, from: BarIndex, bar: BarIndex) -> f64 {
        if bar == from || !self.all.ground.has_carry() {
            return self.cash;
        }
        let growth = self.all.ground.growth_column(false);
        let at = |bar: BarIndex| growth.get(bar).copied().unwrap_or(1.0);
        let mut units = self.cash / at(from);
        for &slot in &self.held {
            let paid = self.track(slot).columns(false).1;
            if let (Some(after), Some(before)) = (paid.get(bar), paid.get(from)) {
                units += self.slots[slot].position.shares * (after - before);
            }
        }
        units * at(bar)
    }

    /// Cash alone.
    fn idle(&mut self, from: BarIndex, (first, end): (usize, usize), stream: &mut Stream<'_>) {
        let (cash, receivable) = (self.cash, self.receivable);
        let growth = self.all.ground.growth_column(true);
        if growth.is_empty() {
            stream.rising((first, end), |_| cash + receivable, self.all.idle);
        } else if cash > 0.0 && receivable == 0.0 {
            let units = cash / self.all.ground.growth_column(false)[from];
            let value = |session: usize| units * growth[session];
            stream.rising((first, end), value, self.all.idle);
        } else {
            self.value(from, (first, end), true, |session, e| {
                stream.push(session, e)
            });
        }
    }

    /// The equity at the closes of bars or the ends of sessions, block by block.
    fn value(
        &mut self,
        from: BarIndex,
        (first, end): (usize, usize),
        by_session: bool,
        mut out: impl FnMut(usize, &[f64]),
    ) {
        let ground = self.all.ground;
        let growth = ground.growth_column(by_session);
        let start = ground
            .growth_column(false)
            .get(from)
            .copied()
            .unwrap_or(1.0);
        // Filled anew by each block; zeros for every stretch would take as long as short ones.
        let (mut equity, mut cash) = std::mem::take(&mut self.blocks);
        equity.resize(CHUNK, 0.0);
        cash.resize(CHUNK, 0.0);
        let mut at = first;
        while at < end {
            let n = CHUNK.min(end - at);
            let (equity, cash) = (&mut equity[..n], &mut cash[..n]);
            for (k, &slot) in self.held.iter().enumerate() {
                let shares = self.slots[slot].position.shares;
                let close = &self.track(slot).columns(by_session).0[at..at + n];
                wide(AddScaled(equity, close, shares, k == 0));
            }
            if self.held.is_empty() {
                equity.fill(0.0);
            }
            if ground.has_carry() {
                self.cash_into(from, at, (growth, start), by_session, cash);
                let receivable = self.receivable;
                let pairs = equity.iter_mut().zip(&*cash);
                pairs.for_each(|(e, cash)| *e += cash + receivable);
            } else {
                let base = self.cash + self.receivable;
                equity.iter_mut().for_each(|e| *e += base);
            }
            out(at, equity);
            at += n;
        }
        self.blocks = (equity, cash);
    }

    /// The cash at the same places.
    fn cash_into(
        &self,
        from: BarIndex,
        at: usize,
        (growth, start): (&[f64], f64),
        by_session: bool,
        cash: &mut [f64],
    ) {
        let n = cash.len();
        let mut units = self.cash / start;
        let paying = || {
            let held = self.held.iter();
            held.filter(|&&slot| !self.track(slot).columns(false).1.is_empty())
        };
        for &slot in paying() {
            units -= self.slots[slot].position.shares * self.track(slot).columns(false).1[from];
        }
        cash.fill(units);
        for &slot in paying() {
            let paid = &self.track(slot).columns(by_session).1[at..at + n];
            wide(AddScaled(
                cash,
                paid,
                self.slots[slot].position.shares,
                false,
            ));
        }
        if !growth.is_empty() {
            let pairs = cash.iter_mut().zip(&growth[at..at + n]);
            pairs.for_each(|(cash, growth)| *cash *= growth);
        }
    }

    /// Bar by bar, as the engine does it, where cash may be owed or levels of margin be crossed.
    fn creep(&mut self, from: BarIndex, to: BarIndex, stream: &mut Stream<'_>) -> BarIndex {
        let mut equity = [0.0; CHUNK];
        let mut filled = 0;
        let mut first = from;
        let mut reached = to;
        for bar in from..to {
            let before = self.cash;
            if bar > from {
                for &slot in &self.held {
                    self.slots[slot].mark = self.track(slot).close[bar - 1];
                }
                self.accrue(bar);
            }
            for &slot in &self.held {
                self.slots[slot].mark = self.track(slot).close[bar];
            }
            if bar > from && self.is_called() {
                // That bar is gone through phase by phase.
                self.cash = before;
                reached = bar;
                break;
            }
            equity[filled] = self.equity();
            filled += 1;
            if filled == CHUNK {
                stream.bars(first, &equity);
                (first, filled) = (bar + 1, 0);
            }
        }
        if filled > 0 {
            stream.bars(first, &equity[..filled]);
        }
        if !self.held.is_empty() {
            stream.hold(from, reached);
        }
        reached
    }

    /// Whether the equity is below the maintenance margin.
    pub(super) fn is_called(&self) -> bool {
        let account = &self.all.strategy.account;
        self.is_on_margin() && self.equity() < account.maintenance_margin * self.gross()
    }

    /// Interest, its cost, borrowed shares and index dividends since the bar before, at the marks of
    /// that bar.
    pub(super) fn accrue(&mut self, bar: BarIndex) {
        let ground = self.all.ground;
        if let Some(&factor) = ground.interest.get(bar)
            && self.cash > 0.0
        {
            self.cash += self.cash * factor;
        }
        if let Some(&factor) = ground.margin.get(bar)
            && self.cash < 0.0
        {
            self.cash += self.cash * factor;
        }
        if let Some(&factor) = ground.borrow.get(bar) {
            for k in 0..self.held.len() {
                let slot = &self.slots[self.held[k]];
                let value = slot.position.shares * slot.mark;
                if value < 0.0 {
                    self.cash += value * factor;
                }
            }
        }
        if let Some(&factor) = ground.index_yield.get(bar)
            && factor != 0.0
        {
            for k in 0..self.held.len() {
                let slot = &self.slots[self.held[k]];
                self.cash += slot.position.shares * slot.mark * factor;
            }
        }
    }
}

/// Adds a column times a number to another, or (at first) puts it there.
struct AddScaled<'a>(&'a mut [f64], &'a [f64], f64, bool);

impl Loop for AddScaled<'_> {
    type Out = ();

    #[inline(always)]
    fn run(self) {
        let AddScaled(into, column, scale, is_first) = self;
        let pairs = into.iter_mut().zip(column);
        match is_first {
            true => pairs.for_each(|(into, value)| *into = scale * value),
            false => pairs.for_each(|(into, value)| *into += scale * value),
        }
    }
}
