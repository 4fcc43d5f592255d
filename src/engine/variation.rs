//! One strategy, or several one after the other, under other assumptions: prepared once, simulated bare
//! again and again.
//!
//! A variation changes what is decided when and what it costs, never what the rules see: their
//! columns are computed once and shared. Which variations are worth a look is left to `study`.

use crate::engine::Run;
use crate::engine::decide::Decider;
use crate::engine::input::{Event, Input, Signals, SymbolInput};
use crate::engine::layers::{self, Parts, Together, Under};
use crate::engine::options::Desk;
use crate::engine::prepare::Prepared;
use crate::engine::progress::Progress;
use crate::engine::run::of_record;
use crate::engine::scheduled::{Schedule, Stage};
use crate::engine::simulate::{Detail, Sim};
use crate::error::{Error, Result};
use crate::market::{Market, Period, period_ends_of};
use crate::strategy::{Ambiguity, Costs, Strategy};
use crate::units::BarIndex;
use std::sync::Arc;

/// Costs in place of those of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CostChange {
    /// Every cost of `[costs]` twice as high, floors and caps too.
    Twice,
    /// A commission of a fraction of the value traded in place of all costs but those of borrowing.
    Flat(f64),
}

impl CostChange {
    /// What becomes of costs.
    pub fn of(self, costs: &Costs) -> Costs {
        match self {
            CostChange::Twice => twice(costs),
            CostChange::Flat(commission) => flat(costs, commission),
        }
    }
}

fn twice(costs: &Costs) -> Costs {
    Costs {
        preset: costs.preset.clone(),
        defaulted: costs.defaulted,
        commission: 2.0 * costs.commission,
        per_share: 2.0 * costs.per_share,
        per_order: 2.0 * costs.per_order,
        per_contract: 2.0 * costs.per_contract,
        min: 2.0 * costs.min,
        max: costs.max.map(|max| 2.0 * max),
        slippage_bps: 2.0 * costs.slippage_bps,
        spread_bps: 2.0 * costs.spread_bps,
        borrow_rate: costs.borrow_rate.map(|rate| 2.0 * rate),
    }
}

fn flat(costs: &Costs, commission: f64) -> Costs {
    Costs {
        preset: None,
        defaulted: false,
        commission,
        per_share: 0.0,
        per_order: 0.0,
        per_contract: 0.0,
        min: 0.0,
        max: None,
        slippage_bps: 0.0,
        spread_bps: 0.0,
        borrow_rate: costs.borrow_rate,
    }
}

/// What differs from the strategy file; the default is nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Variation {
    /// Other costs, in every layer.
    pub costs: Option<CostChange>,
    /// Another way to settle bars that reach both stop and target.
    pub ambiguity: Option<Ambiguity>,
    /// What the rules say at a close is decided at the symbol's next close. Stops and targets are
    /// orders that stand already and stay where they are.
    pub one_bar_later: bool,
    /// Sessions by which `[rules] every` decides after the last one of its period; bars when a bar
    /// is no shorter than a session.
    pub schedule_later: usize,
}

/// One account's symbols and corporate actions.
pub(crate) struct Account<'m> {
    pub(crate) symbols: Vec<SymbolInput<'m>>,
    pub(crate) events: Vec<Event>,
    /// See [`Input`].
    fixed: Vec<f64>,
    refuge: Option<usize>,
    desk: Option<Arc<Desk>>,
}

/// A strategy and a market, ready to be run under variations.
pub struct Variations<'m> {
    pub(crate) prepared: Prepared<'m>,
    pub(crate) accounts: Vec<Account<'m>>,
    /// The same of each layer; empty without layers. The account of a strategy of layers is theirs.
    layers: Vec<Variations<'m>>,
    /// Last clock bar of each session; empty when nothing is scheduled.
    session_ends: Vec<BarIndex>,
    /// The further strategies of a schedule, on the same clock and the same accounts.
    others: Vec<Variations<'m>>,
    /// From which bar on which strategy decides: 0 is this one, n the one before number n of `others`.
    changes: Vec<(BarIndex, usize)>,
}

impl<'m> Variations<'m> {
    /// Computes every column once.
    ///
    /// # Errors
    /// As [`crate::engine::backtest`].
    pub fn new(market: &'m Market, strategy: &'m Strategy) -> Result<Self> {
        Self::with_layers(market, Prepared::new(market, strategy)?)
    }

    /// The strategies of a schedule, one after the other, on one account.
    ///
    /// # Errors
    /// As [`crate::engine::simulate_scheduled`].
    pub fn through(market: &'m Market, stages: &'m [Stage]) -> Result<Self> {
        let schedule = Schedule::new(market, stages)?;
        let mut all = schedule.all.into_iter();
        let first = all.next().ok_or_else(|| Error::msg("no stage"))?;
        let others = all.map(|prepared| Self::with_layers(market, prepared));
        Ok(Variations {
            others: others.collect::<Result<_>>()?,
            changes: schedule.changes,
            ..Self::with_layers(market, first)?
        })
    }

    fn with_layers(market: &'m Market, prepared: Prepared<'m>) -> Result<Self> {
        let layers = layers::prepared(&prepared)?.into_iter();
        let layers = layers.map(|layer| Self::of(market, layer, Vec::new()));
        let layers = layers.collect::<Result<_>>()?;
        Self::of(market, prepared, layers)
    }

    /// The same, every simulation of which is reported.
    pub fn watched(mut self, progress: Progress<'m>) -> Self {
        self.prepared.progress = progress;
        let watch = |all: Vec<Self>| all.into_iter().map(|one| one.watched(progress)).collect();
        self.others = watch(std::mem::take(&mut self.others));
        self.layers = watch(std::mem::take(&mut self.layers));
        self
    }

    fn of(market: &'m Market, prepared: Prepared<'m>, layers: Vec<Self>) -> Result<Self> {
        let groups = if !layers.is_empty() {
            Vec::new()
        } else if prepared.strategy.account.each {
            prepared.universe.iter().map(|&tape| vec![tape]).collect()
        } else {
            vec![prepared.universe.clone()]
        };
        let mut accounts = Vec::with_capacity(groups.len());
        for tapes in &groups {
            let Input {
                symbols,
                events,
                fixed,
                refuge,
                desk,
                ..
            } = prepared.rules_input(tapes)?;
            let symbols = symbols.into_iter().map(|s| SymbolInput {
                tape: s.tape,
                name: &market.tapes[s.tape].symbol,
                bars: &market.tapes[s.tape].bars,
                own: s.own,
                member: s.member,
                signals: s.signals,
            });
            accounts.push(Account {
                symbols: symbols.collect(),
                events,
                fixed,
                refuge,
                desk,
            });
        }
        let session_ends = if prepared.decides.is_empty() {
            Vec::new()
        } else {
            session_ends(&prepared)
        };
        Ok(Variations {
            prepared,
            accounts,
            layers,
            session_ends,
            others: Vec::new(),
            changes: Vec::new(),
        })
    }

    /// The bare run of a variation: equity, orders, trades, all moments, no rates.
    pub fn run(&self, variation: &Variation) -> Run {
        let run = match self.layers.is_empty() {
            true => self.run_accounts(variation),
            false => self.run_layers(variation),
        };
        let mut run = run.finished();
        let prepared = &self.prepared;
        run.name.clone_from(&prepared.strategy.name);
        run.first_bar = prepared.first;
        run.warmup_bars = prepared.first;
        run.time = prepared.clock[prepared.first..prepared.end].to_vec();
        run.periods_a_year = prepared.periods.bars_a_year;
        run.bars_a_session = prepared.periods.bars_a_session;
        run
    }

    fn stages(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }

    fn run_layers(&self, variation: &Variation) -> Run {
        let of_layer = |layer: &Self| {
            // A layer that decides more often has fewer days to decide on.
            let days = layer.schedule_days().unwrap_or(1);
            let schedule_later = variation.schedule_later % days;
            let variation = Variation {
                schedule_later,
                ..variation.clone()
            };
            (layer.strategy(&variation), layer.decides(&variation))
        };
        let later = variation.one_bar_later;
        let varied = self.stages().map(|stage| stage.layers.iter().map(of_layer));
        let varied: Vec<Vec<_>> = varied.map(Iterator::collect).collect();
        let parts = self.stages().zip(&varied).map(|(stage, varied)| {
            let inputs = stage.layers.iter().zip(varied);
            let inputs = inputs.filter_map(|(layer, (strategy, decides))| {
                let account = layer.accounts.first()?;
                Some(layer.input(account, strategy, decides, later))
            });
            Parts {
                outer: &stage.prepared,
                inputs: inputs.collect(),
            }
        });
        let parts: Vec<Parts<'_>> = parts.collect();
        let under = Under::files(Detail::Bare);
        Together::new(&parts[0], under).run(&parts, &self.turns(later))
    }

    fn run_accounts(&self, variation: &Variation) -> Run {
        let varied = self.stages();
        let varied = varied.map(|stage| (stage.strategy(variation), stage.decides(variation)));
        let varied: Vec<(Strategy, Vec<bool>)> = varied.collect();
        let strategy = &varied[0].0;
        let later = variation.one_bar_later;
        let mut all: Option<Run> = None;
        for (at, account) in self.accounts.iter().enumerate() {
            let inputs = self
                .stages()
                .zip(&varied)
                .map(|(stage, (strategy, decides))| {
                    stage.input(&stage.accounts[at], strategy, decides, later)
                });
            let inputs: Vec<Input<'_>> = inputs.collect();
            let mut sim = Sim::new(&inputs[0], Decider::Rules, Detail::Bare);
            sim.ambiguity = strategy.stops.ambiguity;
            let record = sim.run_through(&self.changes(&inputs, later));
            let part = of_record(&self.prepared, record, None, Detail::Bare);
            let symbol = account.symbols.first().map(|s| s.tape);
            let symbol = symbol.filter(|_| strategy.account.each);
            all = Some(match (all, symbol) {
                (Some(all), Some(symbol)) => all.joined(symbol, part),
                (None, Some(symbol)) => part.first_of_each(symbol),
                (_, None) => part,
            });
        }
        all.unwrap_or_default()
    }

    /// Who reads what from which bar on.
    fn changes<'i, 'a>(
        &self,
        inputs: &'i [Input<'a>],
        later: bool,
    ) -> Vec<(BarIndex, &'i Input<'a>)> {
        let turns = self.turns(later).into_iter();
        turns.map(|(bar, of)| (bar, &inputs[of])).collect()
    }

    /// Whose turn begins at which bar. What is said one bar later is said by who spoke the bar before.
    fn turns(&self, later: bool) -> Vec<(BarIndex, usize)> {
        let bars = usize::from(later);
        let changes = self.changes.iter().map(|(bar, of)| (bar + bars, *of));
        changes
            .filter(|(bar, _)| *bar < self.prepared.end)
            .collect()
    }

    /// Every strategy that decides, as its file has it, in order of their first turn: of a strategy of
    /// layers these.
    pub fn deciders(&self) -> impl Iterator<Item = &'m Strategy> {
        self.stages().flat_map(|stage| {
            let strategy = stage.prepared.strategy;
            let alone = strategy.layers.is_empty().then_some(strategy);
            let layers = strategy.layers.iter().map(|layer| &layer.strategy);
            alone.into_iter().chain(layers)
        })
    }

    /// Sessions (or bars) from one scheduled decision to the next, the median of the run: so many
    /// days of the period there are to decide on. `None` when nothing is scheduled, or every bar
    /// is a decision anyway. Of layers the most.
    pub fn schedule_days(&self) -> Option<usize> {
        if !self.layers.is_empty() {
            return self.layers.iter().filter_map(Self::schedule_days).max();
        }
        let decides = &self.prepared.decides;
        let mut gaps = Vec::new();
        let mut last = None;
        for (at, &end) in self.session_ends.iter().enumerate() {
            if decides[end] {
                gaps.extend(last.replace(at).map(|before| at - before));
            }
        }
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied().filter(|days| *days > 1)
    }

    /// First clock bar of the run on which an entry rule of a symbol has an answer, by market
    /// index; `None` when none ever has.
    pub fn first_answer(&self, tape: usize) -> Option<BarIndex> {
        let mut symbols = self.accounts.iter().flat_map(|account| &account.symbols);
        let symbol = symbols.find(|symbol| symbol.tape == tape)?;
        let rules = [&symbol.signals.enter, &symbol.signals.short];
        let answers = |bar: &BarIndex| {
            let own = symbol.own_bar(*bar);
            own.is_some_and(|own| rules.into_iter().flatten().any(|m| m.get(own).is_some()))
        };
        (self.prepared.first..self.prepared.end).find(answers)
    }

    fn strategy(&self, variation: &Variation) -> Strategy {
        let mut strategy = self.prepared.strategy.clone();
        if let Some(change) = variation.costs {
            strategy.costs = change.of(&strategy.costs);
        }
        if let Some(ambiguity) = variation.ambiguity {
            strategy.stops.ambiguity = ambiguity;
        }
        if variation.one_bar_later {
            // What is said after n bars is decided after one more.
            strategy.rules.hold_bars_max = strategy.rules.hold_bars_max.map(|n| n + 1);
        }
        strategy
    }

    /// Bars on which the rules decide.
    fn decides(&self, variation: &Variation) -> Vec<bool> {
        let mut decides = self.prepared.decides.clone();
        let sessions = variation.schedule_later;
        if sessions > 0 && !decides.is_empty() {
            let mut moved = vec![false; decides.len()];
            for (at, end) in self.session_ends.iter().enumerate() {
                if decides[*end]
                    && let Some(later) = self.session_ends.get(at + sessions)
                {
                    moved[*later] = true;
                }
            }
            decides = moved;
        }
        if variation.one_bar_later && !decides.is_empty() {
            decides.rotate_right(1);
            decides[0] = false;
        }
        decides
    }

    fn input<'a>(
        &'a self,
        account: &Account<'a>,
        strategy: &'a Strategy,
        decides: &'a [bool],
        later: bool,
    ) -> Input<'a> {
        let mut symbols = account.symbols.clone();
        if later {
            symbols.iter_mut().for_each(|s| delay(&mut s.signals));
        }
        let prepared = &self.prepared;
        Input {
            strategy,
            progress: prepared.progress,
            program: prepared.program.as_ref(),
            clock: &prepared.clock,
            intraday: prepared.market.interval.is_intraday(),
            first: prepared.first,
            end: prepared.end,
            symbols,
            events: account.events.clone(),
            flows: &prepared.flows,
            sessions: &prepared.sessions,
            interest: &prepared.interest,
            index_yield: &prepared.index_yield,
            harvest_checks: &prepared.harvest_checks,
            year_ends: &prepared.year_ends,
            decides,
            fixed: account.fixed.clone(),
            refuge: account.refuge,
            spots: None,
            later,
            tapes: prepared.market.tapes.len(),
            desk: account.desk.clone(),
        }
    }
}

/// What the conditions said on a bar stands on the next.
fn delay(signals: &mut Signals) {
    let rules = [
        &mut signals.enter,
        &mut signals.exit,
        &mut signals.short,
        &mut signals.cover,
    ];
    for mask in rules.into_iter().flatten() {
        *mask = mask.one_bar_later();
    }
}

/// Last clock bar of each session, by the same rule as the schedule itself; bars that are no
/// shorter than a session are their own.
fn session_ends(prepared: &Prepared<'_>) -> Vec<BarIndex> {
    let market = &*prepared.market;
    if !market.interval.is_intraday() {
        return (0..prepared.clock.len()).collect();
    }
    let ends = period_ends_of(
        &prepared.clock,
        Period::Day,
        market.calendar,
        market.interval,
    );
    let ends = ends.iter().enumerate();
    ends.filter_map(|(bar, ends)| ends.then_some(bar)).collect()
}
