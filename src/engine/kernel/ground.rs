//! What all trials of an account share: its symbols on one clock, what happens to them from outside,
//! and what idle cash earns.

use crate::engine::input::{EventKind, NO_BAR, SymbolInput};
use crate::engine::kernel::walk::Reach;
use crate::engine::placed::growth_by_days;
use crate::engine::prepare::Prepared;
use crate::error::Result;
use crate::market::{Bars, Market};
use crate::strategy::AccountKind;
use crate::units::{BarIndex, Micros};
use std::borrow::Cow;
use std::sync::Arc;

/// What happens to a symbol on a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Happening {
    /// New shares for one old.
    Split(f64),
    /// Money a share, in cash from bar `pay` on.
    Dividend { amount: f64, pay: BarIndex },
    /// It stops trading.
    Delist,
}

/// A happening of one slot of an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) bar: BarIndex,
    pub(crate) slot: usize,
    pub(crate) what: Happening,
}

/// A symbol whose bars are not those of the clock.
struct Gaps {
    /// Own bar at each clock bar, [`NO_BAR`] where there is none.
    own: Arc<Vec<u32>>,
    /// Clock bar of each own bar.
    on_clock: Vec<u32>,
}

/// One symbol.
pub(crate) struct Track<'m> {
    pub(crate) bars: &'m Bars,
    gaps: Option<Gaps>,
    /// Last close at each clock bar, 0 before the first.
    pub(crate) close: Cow<'m, [f64]>,
    /// What a share was paid from an index yield up to each clock bar, in money of the first (that
    /// is, over [`Ground::growth`]); empty without one.
    pub(crate) paid: Vec<f64>,
    /// The two at the ends of sessions; empty when a bar is a session.
    session_close: Vec<f64>,
    session_paid: Vec<f64>,
    pub(crate) reach: Option<Reach>,
    /// Bit set of the own bars on which rules decide; empty when at every bar.
    pub(crate) decides: Vec<u64>,
}

impl Track<'_> {
    /// The own bar at a clock bar.
    #[inline]
    pub(crate) fn own(&self, bar: BarIndex) -> Option<usize> {
        match &self.gaps {
            None => Some(bar),
            Some(gaps) => Some(gaps.own[bar] as usize).filter(|own| *own != NO_BAR as usize),
        }
    }

    /// The first own bar at or after a clock bar.
    #[inline]
    pub(crate) fn own_from(&self, bar: BarIndex) -> usize {
        match &self.gaps {
            None => bar,
            Some(gaps) => gaps.on_clock.partition_point(|&at| (at as usize) < bar),
        }
    }

    /// The clock bar of an own bar; beyond the last there is none.
    #[inline]
    pub(crate) fn on_clock(&self, own: usize) -> BarIndex {
        match &self.gaps {
            None => own,
            Some(gaps) => gaps.on_clock.get(own).map_or(usize::MAX, |at| *at as usize),
        }
    }

    /// Close and index income a share, by bar or by session.
    pub(crate) fn columns(&self, by_session: bool) -> (&[f64], &[f64]) {
        match by_session && !self.session_close.is_empty() {
            true => (&self.session_close, &self.session_paid),
            false => (&self.close, &self.paid),
        }
    }
}

/// One account's symbols and their events.
pub(crate) struct Place<'m> {
    pub(crate) tracks: Vec<Track<'m>>,
    /// By bar, splits before dividends before the end of trading, then by slot.
    pub(crate) events: Vec<Event>,
}

/// What all trials share.
pub(crate) struct Ground<'m> {
    pub(crate) accounts: Vec<Place<'m>>,
    pub(crate) clock: Arc<Vec<Micros>>,
    pub(crate) is_intraday: bool,
    /// What cash earns from the bar before; empty for nothing.
    pub(crate) interest: Vec<f64>,
    /// What holdings are paid from the bar before; empty for nothing.
    pub(crate) index_yield: Vec<f64>,
    /// What borrowed cash and shares sold short cost from the bar before; empty for nothing.
    pub(crate) margin: Vec<f64>,
    pub(crate) borrow: Vec<f64>,
    /// What a unit of cash has become by each bar, and by each session's end; empty without
    /// interest. `None` when it may fall, so that bars have to be gone through one by one.
    pub(crate) growth: Option<Vec<f64>>,
    session_growth: Vec<f64>,
    /// Risk-free return of each session; empty for none.
    pub(crate) rate: Vec<f64>,
}

impl<'m> Ground<'m> {
    /// Of a strategy over sessions that end after bars `ends` (empty: every bar is one).
    ///
    /// # Errors
    /// Rate files that cannot be read.
    pub(crate) fn new(
        market: &'m Market,
        prepared: &mut Prepared<'_>,
        ends: &[usize],
    ) -> Result<Self> {
        prepared.restrict(0..prepared.clock.len())?;
        let rate = match prepared.has_rate() {
            true => by_session(&prepared.rate_column()?, ends),
            false => Vec::new(),
        };
        let growth = growth_of(&prepared.interest);
        let groups = match prepared.strategy.account.each {
            true => prepared.universe.iter().map(|&tape| vec![tape]).collect(),
            false => vec![prepared.universe.clone()],
        };
        let (account, costs) = (&prepared.strategy.account, &prepared.strategy.costs);
        let on_margin = account.kind == AccountKind::Margin;
        let prepared = &*prepared;
        let cost = |rate: Option<f64>| {
            let rate = rate.filter(|_| on_margin);
            rate.map_or_else(Vec::new, |rate| growth_by_days(prepared, rate))
        };
        Ok(Ground {
            accounts: groups
                .iter()
                .map(|tapes| place(market, prepared, tapes, (growth.as_deref(), ends)))
                .collect(),
            clock: prepared.clock.clone(),
            is_intraday: prepared.market.interval.is_intraday(),
            session_growth: at_ends(growth.as_deref().unwrap_or_default(), ends),
            growth,
            interest: prepared.interest.clone(),
            index_yield: prepared.index_yield.clone(),
            margin: cost(account.margin_rate),
            borrow: cost(costs.borrow_rate),
            rate,
        })
    }

    /// Whether cash changes from bar to bar by itself.
    pub(crate) fn has_carry(&self) -> bool {
        let all = [
            &self.interest,
            &self.index_yield,
            &self.margin,
            &self.borrow,
        ];
        all.iter().any(|column| !column.is_empty())
    }

    /// What a unit of cash has become, by bar or by session; empty without interest.
    pub(crate) fn growth_column(&self, by_session: bool) -> &[f64] {
        match by_session && !self.session_growth.is_empty() {
            true => &self.session_growth,
            false => self.growth.as_deref().unwrap_or_default(),
        }
    }
}

/// The symbols of one account.
fn place<'m>(
    market: &'m Market,
    prepared: &Prepared<'_>,
    tapes: &[usize],
    (growth, ends): (Option<&[f64]>, &[usize]),
) -> Place<'m> {
    let input = prepared.bare_input(tapes);
    let slots = input.symbols.iter().enumerate();
    let tracks = slots.map(|(slot, symbol)| {
        let bars = &market.tapes[symbol.tape].bars;
        let mut track = track(bars, prepared, symbol);
        let splits = input.events.iter().filter_map(|event| match event.kind {
            EventKind::Split(ratio) if event.slot == slot => Some((event.bar, ratio)),
            _ => None,
        });
        track.paid = paid(&track.close, &prepared.index_yield, growth, splits);
        track.session_close = at_ends(&track.close, ends);
        track.session_paid = at_ends(&track.paid, ends);
        track
    });
    let tracks: Vec<Track<'m>> = tracks.collect();
    let pays = |pay: Micros| prepared.clock.partition_point(|&t| t < pay);
    let events = input.events.iter().map(|event| Event {
        bar: event.bar,
        slot: event.slot,
        what: match event.kind {
            EventKind::Split(ratio) => Happening::Split(ratio),
            EventKind::Dividend { amount, pay, .. } => Happening::Dividend {
                amount,
                pay: pays(pay).max(event.bar),
            },
            EventKind::Delist => Happening::Delist,
        },
    });
    let mut events: Vec<Event> = events.collect();
    let after = prepared.strategy.data.delist_after;
    for (slot, track) in tracks.iter().enumerate() {
        events.extend(silences(track, &prepared.sessions, after).map(|bar| Event {
            bar,
            slot,
            what: Happening::Delist,
        }));
    }
    // Stable: on one bar the order of the engine's list stays, and silences come last.
    events.sort_by_key(|event| event.bar);
    Place { tracks, events }
}

fn track<'m>(bars: &'m Bars, prepared: &Prepared<'_>, symbol: &SymbolInput<'_>) -> Track<'m> {
    let gaps = symbol.own.as_ref().map(|own| Gaps {
        on_clock: (0..own.len() as u32)
            .filter(|bar| own[*bar as usize] != NO_BAR)
            .collect(),
        own: own.clone(),
    });
    let close: Cow<'m, [f64]> = match &gaps {
        None => Cow::Borrowed(bars.close.as_slice()),
        Some(gaps) => {
            let mut last = 0.0;
            let close = gaps.own.iter().map(|&own| {
                if own != NO_BAR {
                    last = bars.close[own as usize];
                }
                last
            });
            Cow::Owned(close.collect())
        }
    };
    let stops = &prepared.strategy.stops;
    let watches = stops.stop.is_some()
        || stops.target.is_some()
        || stops.trail.is_some()
        || stops.breakeven.is_some();
    let mut track = Track {
        bars,
        gaps,
        close,
        paid: Vec::new(),
        session_close: Vec::new(),
        session_paid: Vec::new(),
        reach: watches.then(|| Reach::of(bars)),
        decides: Vec::new(),
    };
    let decides = prepared.decides();
    if !decides.is_empty() {
        let own: Vec<bool> = (0..bars.len())
            .map(|own| decides.get(track.on_clock(own)) == Some(&true))
            .collect();
        track.decides = super::words(&own);
    }
    track
}

/// The first bar of each silence of a symbol that is long enough for its end to be assumed.
fn silences<'a>(
    track: &'a Track<'_>,
    sessions: &'a [u32],
    after: u32,
) -> impl Iterator<Item = BarIndex> + 'a {
    let mut last = None;
    let mut is_over = false;
    let bars = if track.gaps.is_some() {
        sessions.len()
    } else {
        0
    };
    (0..bars).filter(move |&bar| {
        if track.own(bar).is_some() {
            (last, is_over) = (Some(sessions[bar]), false);
            return false;
        }
        let ends = !is_over && last.is_some_and(|last| sessions[bar] - last >= after);
        is_over |= ends;
        ends
    })
}

/// What a unit of cash has become by each bar, `None` when it may fall on the way.
///
/// What rounding loses is carried along, so that the quotient of two bars far apart is as exact as
/// that of neighbours.
fn growth_of(interest: &[f64]) -> Option<Vec<f64>> {
    if interest.iter().any(|factor| *factor < 0.0) {
        return None;
    }
    let (mut unit, mut lost) = (1.0_f64, 0.0_f64);
    let grown = interest.iter().map(|factor| {
        let gain = unit * factor;
        let next = unit + gain;
        // The gain may be larger than the unit in no sane rate; Dekker's sum wants the larger first.
        let error = if unit >= gain {
            (unit - next) + gain
        } else {
            (gain - next) + unit
        };
        lost += lost * factor + error;
        unit = next;
        unit + lost
    });
    Some(grown.collect())
}

/// What a share was paid from an index yield up to each bar, over the growth of cash.
fn paid(
    close: &[f64],
    index_yield: &[f64],
    growth: Option<&[f64]>,
    splits: impl Iterator<Item = (BarIndex, f64)>,
) -> Vec<f64> {
    let splits: Vec<(BarIndex, f64)> = splits.collect();
    let growth = growth.unwrap_or_default();
    let mut sum = 0.0;
    let bars = index_yield.iter().enumerate();
    let paid = bars.map(|(bar, factor)| {
        if bar > 0 {
            // The last price in the money of this bar.
            let ratios = splits.iter().filter(|(at, _)| *at == bar);
            let price = ratios.fold(close[bar - 1], |price, (_, ratio)| price / ratio);
            sum += price * factor / growth.get(bar).unwrap_or(&1.0);
        }
        sum
    });
    paid.collect()
}

/// A column at the ends of sessions; nothing of a column that there is not.
fn at_ends(column: &[f64], ends: &[usize]) -> Vec<f64> {
    let ends = ends.iter().filter(|_| !column.is_empty());
    ends.map(|end| column[end - 1]).collect()
}

/// A column of returns compounded to sessions.
fn by_session(column: &[f64], ends: &[usize]) -> Vec<f64> {
    if ends.is_empty() {
        return column.to_vec();
    }
    let mut start = 0;
    let compounded = ends.iter().map(|&end| {
        let growth = column[start..end].iter().fold(1.0, |w, r| w * (1.0 + r));
        start = end;
        growth - 1.0
    });
    compounded.collect()
}
