//! Columns as they look from a deciding close: earlier bars in the money of that bar.
//!
//! Between two splits (or dividends, for total-return signals) all bars look back the same way, so
//! such a stretch is one segment: [`History::segments`] cuts a tape into them, and a [`View`] gives
//! the columns as seen from one segment's end, on the tape's own bars, on coarser ones, and of
//! other symbols. What is computed from the columns is [`super::eval`]'s business.

use super::EvalOptions;
use super::plan::{Base, Op, Plan, Source};
use super::random;
use crate::market::{
    Bars, Column, Interval, Market, Period, Tape, period_ends_of, period_starts, resample,
    seen_splits,
};
use crate::units::Micros;
use std::ops::Range;
use std::sync::Arc;

/// First bar at a new price, and what earlier prices are divided by to compare with it.
type Events = Vec<(usize, f64)>;

/// A tape's scale changes: of prices and of volume.
struct Scales {
    price: Events,
    volume: Events,
}

impl Scales {
    fn of(market: &Market, tape: usize, total_return: bool) -> Self {
        let last = market.tapes[tape].bars.len();
        let inside = |events: Events| -> Events {
            let inside = |(bar, _): &(usize, f64)| *bar > 0 && *bar < last;
            events.into_iter().filter(inside).collect()
        };
        Scales {
            price: inside(seen_splits(market, tape, total_return)),
            volume: inside(seen_splits(market, tape, false)),
        }
    }
}

/// Coarse bars of a tape: which fine bars each is made of, and when it is known.
struct Coarse {
    interval: Interval,
    time: Vec<Micros>,
    ranges: Vec<Range<usize>>,
    /// Fine bar at whose close the coarse one is complete, never falling.
    completed_at: Vec<u32>,
}

impl Coarse {
    fn of(market: &Market, bars: &Bars, interval: Interval) -> Self {
        // The places of the bars take the stead of prices: the open of a coarse bar is then its
        // first fine bar and the close its last.
        let places: Column = Arc::new((0..bars.len()).map(|i| i as f64).collect());
        let places = Bars {
            time: Arc::clone(&bars.time),
            open: Arc::clone(&places),
            high: Arc::clone(&places),
            low: Arc::clone(&places),
            close: places,
            volume: None,
            extra: Vec::new(),
            closes_only: false,
        };
        // A size that these bars cannot make has no bar; compiling refuses it.
        let Ok(made) = resample(&places, market.interval, interval, market.calendar) else {
            return Coarse {
                interval,
                time: Vec::new(),
                ranges: Vec::new(),
                completed_at: Vec::new(),
            };
        };
        let ends = made.bars.open.iter().zip(made.bars.close.iter());
        Coarse {
            interval,
            time: made.bars.time.to_vec(),
            ranges: ends.map(|(a, b)| *a as usize..*b as usize + 1).collect(),
            completed_at: made.completed_at,
        }
    }

    /// How many are complete before fine bar `end`.
    fn known(&self, end: usize) -> usize {
        self.completed_at.partition_point(|at| (*at as usize) < end)
    }
}

/// Another symbol beside a tape.
struct Foreign {
    tape: usize,
    scales: Scales,
    /// For each bar of the tape the other's bar at the same moment.
    bars: Vec<Option<u32>>,
}

/// A tape and what a program reads beside it: all that its segments share.
pub(super) struct History<'a> {
    pub(super) market: &'a Market,
    pub(super) tape: &'a Tape,
    plan: &'a Plan,
    options: EvalOptions,
    scales: Scales,
    coarse: Vec<Option<Coarse>>,
    foreign: Vec<Option<Foreign>>,
}

impl<'a> History<'a> {
    /// What `ops` read of a tape.
    pub(super) fn new(
        plan: &'a Plan,
        market: &'a Market,
        tape: usize,
        options: &EvalOptions,
        order: &[super::ExprId],
    ) -> Self {
        let own = &market.tapes[tape];
        let mut history = History {
            market,
            tape: own,
            plan,
            options: *options,
            scales: Scales::of(market, tape, options.total_return),
            coarse: plan.intervals.iter().map(|_| None).collect(),
            foreign: plan.symbols.iter().map(|_| None).collect(),
        };
        for id in order {
            let node = plan.node(*id);
            let frame = match node.op {
                Op::Coarse(_, frame) => frame,
                _ => node.frame,
            };
            if let Some(place) = usize::from(frame).checked_sub(1)
                && history.coarse[place].is_none()
            {
                let coarse = Coarse::of(market, &own.bars, plan.intervals[place]);
                history.coarse[place] = Some(coarse);
            }
            if let Op::Foreign(symbol, _) = node.op
                && history.foreign[symbol as usize].is_none()
            {
                history.foreign[symbol as usize] = history.beside(symbol as usize);
            }
        }
        history
    }

    /// Another symbol on the moments of this tape; `None` when the market has none of that name.
    fn beside(&self, symbol: usize) -> Option<Foreign> {
        let tape = self.market.index_of(&self.plan.symbols[symbol])?;
        let theirs = &self.market.tapes[tape].bars.time;
        let mut at = 0;
        let bars = self.tape.bars.time.iter().map(|time| {
            while at < theirs.len() && theirs[at] < *time {
                at += 1;
            }
            (theirs.get(at) == Some(time)).then_some(at as u32)
        });
        Some(Foreign {
            tape,
            bars: bars.collect(),
            scales: Scales::of(self.market, tape, self.options.total_return),
        })
    }

    /// Ends of the stretches within which all bars look back at the same scale, ascending; the
    /// last is the number of bars.
    pub(super) fn segments(&self) -> Vec<usize> {
        let own = self.scales.price.iter().chain(&self.scales.volume);
        let mut ends: Vec<usize> = own.map(|(bar, _)| *bar).collect();
        for foreign in self.foreign.iter().flatten() {
            let theirs = &self.market.tapes[foreign.tape].bars.time;
            let events = foreign.scales.price.iter().chain(&foreign.scales.volume);
            for (bar, _) in events {
                let moment = theirs[*bar];
                ends.push(self.tape.bars.time.partition_point(|time| *time < moment));
            }
        }
        let len = self.tape.bars.len();
        ends.retain(|end| *end > 0 && *end < len);
        ends.push(len);
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    /// The columns as seen from bar `end - 1`.
    pub(super) fn view(&self, end: usize) -> View<'_> {
        let frames = 1 + self.coarse.len();
        View {
            history: self,
            end,
            bases: (0..frames).map(|_| Default::default()).collect(),
        }
    }
}

/// Columns of a tape as seen from bar `end - 1`; bars from `end` on mean nothing.
pub(super) struct View<'a> {
    history: &'a History<'a>,
    end: usize,
    /// By frame: open, high, low, close, volume, once asked for.
    bases: Vec<[Option<Column>; 5]>,
}

impl View<'_> {
    fn coarse(&self, frame: u8) -> Option<&Coarse> {
        let place = usize::from(frame).checked_sub(1)?;
        self.history.coarse.get(place)?.as_ref()
    }

    /// Number of bars of a frame.
    pub(super) fn len(&self, frame: u8) -> usize {
        self.coarse(frame).map_or(self.end, |c| c.known(self.end))
    }

    /// Moments of the bars of a frame.
    pub(super) fn time(&self, frame: u8) -> &[Micros] {
        let len = self.len(frame);
        match self.coarse(frame) {
            Some(coarse) => &coarse.time[..len],
            None => &self.history.tape.bars.time[..len],
        }
    }

    /// A draw from [0, 1) for each bar of a frame.
    pub(super) fn random(&self, frame: u8, seed: u64) -> Vec<f64> {
        let stream = random::stream(seed, &self.history.tape.symbol);
        let times = self.time(frame).iter();
        times.map(|time| random::draw(stream, *time)).collect()
    }

    /// For each bar whether it is the last (`ends`) or first of its month.
    pub(super) fn month_edges(&self, frame: u8, ends: bool) -> Vec<bool> {
        let market = self.history.market;
        let interval = self.coarse(frame).map_or(market.interval, |c| c.interval);
        let time = self.time(frame);
        if ends {
            period_ends_of(time, Period::Month, market.calendar, interval)
        } else {
            period_starts(time, Period::Month, market.calendar)
        }
    }

    /// Bars of a frame in a year.
    pub(super) fn periods_a_year(&self, frame: u8) -> f64 {
        let own = self.history.options.periods_a_year;
        let sessions = own / self.history.plan.bars_a_session.max(1.0);
        match (
            self.coarse(frame).map(|c| c.interval),
            self.history.market.interval,
        ) {
            (None, _) => own,
            (Some(Interval::Minutes(coarse)), Interval::Minutes(fine)) => {
                own * f64::from(fine) / f64::from(coarse.max(1))
            }
            (Some(Interval::Minutes(_) | Interval::Day), _) => sessions,
            (Some(Interval::Week), _) => 52.0,
            (Some(Interval::Month), _) => 12.0,
        }
    }

    /// Places of a coarse frame's bars on the tape's own: for each of the `end` bars the last
    /// coarse bar that is complete, if any.
    pub(super) fn completed(&self, frame: u8) -> Vec<Option<u32>> {
        let completed_at = self.coarse(frame).map_or(&[][..], |c| &c.completed_at);
        let mut next = 0;
        (0..self.end)
            .map(|bar| {
                while completed_at.get(next).is_some_and(|at| *at as usize <= bar) {
                    next += 1;
                }
                (next as u32).checked_sub(1)
            })
            .collect()
    }

    /// A scaled column of a frame, at least as long as the frame.
    pub(super) fn base(&mut self, frame: u8, base: Base) -> Column {
        if let Some(known) = &self.bases[usize::from(frame)][base as usize] {
            return Arc::clone(known);
        }
        let column = if frame == 0 {
            let tape = self.history.tape;
            scaled(&tape.bars, &self.history.scales, base, self.end)
        } else {
            let fine = self.base(0, base);
            self.gathered(frame, &fine, Source::Seen(base))
        };
        self.bases[usize::from(frame)][base as usize] = Some(Arc::clone(&column));
        column
    }

    /// A column of a frame, at least as long as the frame.
    pub(super) fn column(&mut self, frame: u8, source: Source) -> Column {
        let bars = &self.history.tape.bars;
        let fine = match source {
            Source::Seen(base) => return self.base(frame, base),
            Source::Traded(base) => plain(bars, base),
            Source::Extra(place) => extra(bars, &self.history.plan.extras[place as usize]),
        };
        if frame == 0 {
            fine
        } else {
            self.gathered(frame, &fine, source)
        }
    }

    /// Another symbol's column on the bars of a frame: no value where it has no bar.
    pub(super) fn foreign(&self, frame: u8, symbol: u32, source: Source) -> Column {
        let Some(foreign) = &self.history.foreign[symbol as usize] else {
            return absent(self.len(frame));
        };
        let bars = &self.history.market.tapes[foreign.tape].bars;
        let column = match source {
            Source::Seen(base) => {
                let now = self.history.tape.bars.time[..self.end].last();
                let until = now.map_or(0, |now| bars.time.partition_point(|t| t <= now));
                scaled(bars, &foreign.scales, base, until)
            }
            Source::Traded(base) => plain(bars, base),
            Source::Extra(place) => extra(bars, &self.history.plan.extras[place as usize]),
        };
        let value = |bar: &Option<u32>| bar.map_or(f64::NAN, |bar| column[bar as usize]);
        let aligned = Arc::new(foreign.bars[..self.end].iter().map(value).collect());
        if frame == 0 {
            aligned
        } else {
            self.gathered(frame, &aligned, source)
        }
    }

    /// Fine values gathered into coarse bars: open of the first, highest high, lowest low, close
    /// of the last, sum of the volumes, last of further columns. Missing values are passed over.
    fn gathered(&self, frame: u8, fine: &[f64], source: Source) -> Column {
        let Some(coarse) = self.coarse(frame) else {
            return absent(0);
        };
        let gather: fn(&[f64]) -> f64 = match source {
            Source::Seen(Base::Open) | Source::Traded(Base::Open) => first,
            Source::Seen(Base::High) | Source::Traded(Base::High) => highest,
            Source::Seen(Base::Low) | Source::Traded(Base::Low) => lowest,
            Source::Seen(Base::Close) | Source::Traded(Base::Close) => last,
            Source::Seen(Base::Volume) | Source::Traded(Base::Volume) => total,
            Source::Extra(_) => |fine| fine.last().copied().unwrap_or(f64::NAN),
        };
        let known = &coarse.ranges[..coarse.known(self.end)];
        Arc::new(
            known
                .iter()
                .map(|range| gather(&fine[range.clone()]))
                .collect(),
        )
    }
}

fn present(fine: &[f64]) -> impl DoubleEndedIterator<Item = f64> + '_ {
    fine.iter().copied().filter(|x| !x.is_nan())
}

fn first(fine: &[f64]) -> f64 {
    present(fine).next().unwrap_or(f64::NAN)
}

fn last(fine: &[f64]) -> f64 {
    present(fine).next_back().unwrap_or(f64::NAN)
}

fn highest(fine: &[f64]) -> f64 {
    present(fine).reduce(f64::max).unwrap_or(f64::NAN)
}

fn lowest(fine: &[f64]) -> f64 {
    present(fine).reduce(f64::min).unwrap_or(f64::NAN)
}

fn total(fine: &[f64]) -> f64 {
    present(fine).reduce(|a, b| a + b).unwrap_or(f64::NAN)
}

fn absent(len: usize) -> Column {
    Arc::new(vec![f64::NAN; len])
}

fn plain(bars: &Bars, base: Base) -> Column {
    match base {
        Base::Open => Arc::clone(&bars.open),
        Base::High => Arc::clone(&bars.high),
        Base::Low => Arc::clone(&bars.low),
        Base::Close => Arc::clone(&bars.close),
        Base::Volume => bars
            .volume
            .as_ref()
            .map_or_else(|| absent(bars.len()), Arc::clone),
    }
}

fn extra(bars: &Bars, name: &str) -> Column {
    bars.column(name)
        .map_or_else(|| absent(bars.len()), Arc::clone)
}

/// A column as seen from bar `end - 1`: earlier prices divided by the factors in between, volumes
/// multiplied.
fn scaled(bars: &Bars, scales: &Scales, base: Base, end: usize) -> Column {
    let column = plain(bars, base);
    let is_volume = base == Base::Volume;
    let events = if is_volume {
        &scales.volume
    } else {
        &scales.price
    };
    let before = events.partition_point(|(bar, _)| *bar < end);
    if before == 0 {
        return column;
    }
    let mut seen = column[..end].to_vec();
    let mut factor = 1.0;
    for (place, (bar, step)) in events[..before].iter().enumerate().rev() {
        factor *= step;
        let from = place.checked_sub(1).map_or(0, |p| events[p].0);
        for value in &mut seen[from..*bar] {
            *value = if is_volume {
                *value * factor
            } else {
                *value / factor
            };
        }
    }
    Arc::new(seen)
}
