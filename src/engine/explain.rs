//! Why did it (not) trade on that day: the value of every part of every rule at one close, the
//! account as the decision found it, and what followed. The same loop is run up to that close;
//! nothing here decides.

use crate::engine::decide::Decider;
use crate::engine::layers::{self, Parts, Together, Under};
use crate::engine::options::{self, OptionRecord};
use crate::engine::prepare::Prepared;
use crate::engine::simulate::{Detail, Sim};
use crate::error::{Error, Problem, Result, nearest};
use crate::execution::{Order, Outcome};
use crate::market::{Market, date_of, midnight, show_time};
use crate::portfolio::PositionSide;
use crate::rules::{Held, Step, Value, Vocabulary};
use crate::strategy::{Every, Strategy};
use crate::units::{BarIndex, DAY_MICROS, Micros};
use chrono::NaiveDate;

/// An expression and all its parts on the bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The key that it is the value of, for example `rules.enter`.
    pub key: String,
    /// The expression and its parts in reading order, outer before inner.
    pub steps: Vec<Step>,
}

/// The open position as the decision found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenPosition {
    /// Long or short.
    pub side: PositionSide,
    /// Shares, always positive.
    pub shares: f64,
    /// Moment of the entry bar.
    pub entry: Micros,
    /// What expressions see of it.
    pub held: Held,
    /// The stop that is in force, if any.
    pub stop: Option<f64>,
    /// The target that is in force, if any.
    pub target: Option<f64>,
}

/// An order with the moments of its bars.
#[derive(Debug, Clone, PartialEq)]
pub struct DatedOrder {
    /// The order.
    pub order: Order,
    /// When it was decided.
    pub decided: Micros,
    /// When it was (last) filled.
    pub filled: Option<Micros>,
}

/// One symbol at one close.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The layer that decided; `None` in a strategy without layers.
    pub layer: Option<String>,
    /// The symbol.
    pub symbol: String,
    /// Moment of the bar.
    pub time: Micros,
    /// Its close.
    pub close: f64,
    /// Equity at this close, before its decisions.
    pub equity: f64,
    /// Cash at this close, before its decisions.
    pub cash: f64,
    /// Every expression with its parts.
    pub expressions: Vec<Explained>,
    /// The open position; `None` when flat.
    pub position: Option<OpenPosition>,
    /// Orders decided at this close.
    pub decided: Vec<DatedOrder>,
    /// Orders filled on this bar, decided earlier.
    pub filled: Vec<DatedOrder>,
    /// The answer in words, one sentence each.
    pub because: Vec<String>,
}

/// Explains the last bar of `day` for one symbol, or for all that trade; layer by layer, where the
/// strategy has layers.
///
/// # Errors
/// As [`crate::engine::backtest`]; a symbol that does not trade; a day outside the simulation or
/// without a bar of the symbol that was asked for.
pub fn explain(
    market: &Market,
    strategy: &Strategy,
    day: NaiveDate,
    symbol: Option<&str>,
) -> Result<Vec<Explanation>> {
    let prepared = Prepared::new(market, strategy)?;
    let tapes = wanted(&prepared, symbol)?;
    let at = bar_of(&prepared, &tapes, day)?;
    if !strategy.layers.is_empty() {
        return of_layers(&prepared, &tapes, at);
    }
    let accounts: Vec<Vec<usize>> = match strategy.account.each {
        true => tapes.iter().map(|tape| vec![*tape]).collect(),
        false => vec![prepared.universe.clone()],
    };
    let mut explained = Vec::new();
    for account in &accounts {
        let input = prepared.rules_input(account)?;
        let sim = Sim::new(&input, Decider::Rules, Detail::Full).at_close(at);
        let record = Sim::new(&input, Decider::Rules, Detail::Full).run();
        for (slot, tape) in account.iter().enumerate() {
            if tapes.contains(tape) && input.symbols[slot].own_bar(at).is_some() {
                let kept = (&record.orders[..], &record.options);
                let mut explanation = one(&prepared, &sim, kept, (slot, *tape), at)?;
                let of_options = options::sentences(&sim, &record.options, slot, at);
                explanation.because.extend(of_options);
                explained.push(explanation);
            }
        }
    }
    Ok(explained)
}

/// The symbols asked for in each layer that trades them. Orders have the numbers of the whole run.
fn of_layers(prepared: &Prepared<'_>, tapes: &[usize], at: BarIndex) -> Result<Vec<Explanation>> {
    let layers = layers::prepared(prepared)?;
    let parts = Parts::of(prepared, &layers)?;
    let fresh = || Together::new(&parts, Under::files(Detail::Full));
    let run = fresh().run(&[], &[]).finished();
    let mut explained = Vec::new();
    fresh().at_close(at).in_turn(|sim, of| {
        let own = run.orders.iter().zip(&run.layers.orders);
        let own = own.filter(|(_, layer)| **layer == of);
        let orders: Vec<Order> = own.map(|(order, _)| order.clone()).collect();
        for (slot, tape) in layers[of].universe.iter().enumerate() {
            if tapes.contains(tape) && sim.input.symbols[slot].own_bar(at).is_some() {
                let kept = (&orders[..], &run.options);
                let one = one(&layers[of], sim, kept, (slot, *tape), at);
                let layer = Some(prepared.strategy.layers[of].name.clone());
                explained.push(one.map(|mut one| {
                    one.because
                        .extend(options::sentences(sim, &run.options, slot, at));
                    Explanation { layer, ..one }
                }));
            }
        }
    });
    explained.into_iter().collect()
}

/// The symbols asked for, as market indices.
fn wanted(prepared: &Prepared<'_>, symbol: Option<&str>) -> Result<Vec<usize>> {
    let Some(symbol) = symbol else {
        return Ok(prepared.universe.clone());
    };
    let name = |tape: &usize| prepared.market.tapes[*tape].symbol.as_str();
    if let Some(tape) = prepared.universe.iter().find(|t| name(t) == symbol) {
        return Ok(vec![*tape]);
    }
    let names: Vec<&str> = prepared.universe.iter().map(name).collect();
    let problem = Problem::new(format!("the strategy does not trade {symbol}"));
    Err(Error::new(match nearest(symbol, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean {near}?")),
        None => problem.help(format!("it trades {}", names.join(" "))),
    }))
}

/// The clock bar of the last bar of `day` on which one of the tapes trades.
fn bar_of(prepared: &Prepared<'_>, tapes: &[usize], day: NaiveDate) -> Result<BarIndex> {
    let (start, end) = (midnight(day), midnight(day) + DAY_MICROS);
    let (clock, range) = (&prepared.clock, prepared.first..prepared.end);
    let times = |tape: &usize| &prepared.market.tapes[*tape].bars.time;
    let last_of_day = tapes.iter().filter_map(|tape| {
        let time = times(tape);
        let after = time.partition_point(|t| *t < end);
        time[..after].last().copied().filter(|t| *t >= start)
    });
    if let Some(moment) = last_of_day.max() {
        let bar = clock.partition_point(|t| *t < moment);
        if range.contains(&bar) {
            return Ok(bar);
        }
        let (first, last) = (clock[range.start], clock[range.end - 1]);
        return Err(Error::new(
            Problem::new(format!("{day} lies outside the simulation")).help(format!(
                "it runs from {} to {}",
                show_time(first),
                show_time(last)
            )),
        ));
    }
    let before = tapes.iter().filter_map(|tape| {
        let time = times(tape);
        time[..time.partition_point(|t| *t < start)].last().copied()
    });
    let after = tapes.iter().filter_map(|tape| {
        let time = times(tape);
        time.get(time.partition_point(|t| *t < end)).copied()
    });
    let near: Vec<String> = before
        .max()
        .into_iter()
        .chain(after.min())
        .map(|t| date_of(t).to_string())
        .collect();
    let problem = Problem::new(format!("there is no bar on {day}"));
    Err(Error::new(match near.is_empty() {
        true => problem,
        false => problem.help(format!("the bars around it are of {}", near.join(" and "))),
    }))
}

/// An order of a symbol, or of an option on it.
fn is_of(options: &OptionRecord, order: &Order, tape: usize) -> bool {
    let underlying = options.underlying_of(order.symbol);
    underlying.unwrap_or(order.symbol) == tape
}

fn one(
    prepared: &Prepared<'_>,
    sim: &Sim<'_, '_>,
    (orders, contracts): (&[Order], &OptionRecord),
    (slot, tape): (usize, usize),
    at: BarIndex,
) -> Result<Explanation> {
    let (market, strategy) = (&*prepared.market, prepared.strategy);
    let bars = &market.tapes[tape].bars;
    let own = sim.input.symbols[slot].own_bar(at).unwrap_or(0);
    let position = &sim.account.positions[slot];
    let held = (!position.is_flat()).then(|| sim.held(slot, own));
    let compiled = strategy.compile(&Vocabulary::of(market))?;
    let options = prepared.eval_options();
    let trace = |id| {
        compiled
            .program
            .trace(market, id, (tape, own), &options, held.as_ref())
    };
    let expressions: Vec<Explained> = compiled
        .wanted
        .iter()
        .map(|(key, id)| Explained {
            key: key.clone(),
            steps: trace(*id),
        })
        .collect();
    let dated = |order: &Order| DatedOrder {
        order: order.clone(),
        decided: prepared.clock[order.decided],
        filled: order.fill_bar.map(|bar| prepared.clock[bar]),
    };
    let of_symbol = || orders.iter().filter(|o| is_of(contracts, o, tape));
    let levels = position.levels();
    let mut explanation = Explanation {
        layer: None,
        symbol: market.tapes[tape].symbol.clone(),
        time: prepared.clock[at],
        close: bars.close[own],
        equity: sim.account.equity(),
        cash: sim.account.cash,
        position: held.map(|held| OpenPosition {
            side: match position.is_long() {
                true => PositionSide::Long,
                false => PositionSide::Short,
            },
            shares: position.shares.abs(),
            entry: prepared.clock[position.entry_bar],
            held,
            stop: levels.stop,
            target: levels.target,
        }),
        decided: of_symbol().filter(|o| o.decided == at).map(dated).collect(),
        filled: of_symbol()
            .filter(|o| o.fill_bar == Some(at) && o.decided < at)
            .map(dated)
            .collect(),
        expressions,
        because: Vec::new(),
    };
    explanation.because = match sim.selects() {
        true => {
            let decided = explanation.decided.iter().map(ended);
            crate::engine::select::because(sim, slot, at, decided.collect())
        }
        false => because(&explanation, sim, slot, own, at),
    };
    Ok(explanation)
}

/// The answer in words.
fn because(
    e: &Explanation,
    sim: &Sim<'_, '_>,
    slot: usize,
    own: usize,
    at: BarIndex,
) -> Vec<String> {
    let mut words = Vec::new();
    let strategy = sim.input.strategy;
    let decides = sim.input.decides.get(at).copied().unwrap_or(true);
    if !decides {
        words.push(format!(
            "rules decide on the last bar of a {} only, and this is not one",
            period(strategy.rules.every)
        ));
    }
    for order in &e.decided {
        words.push(ended(order));
    }
    if e.decided.is_empty() && decides {
        let rules = [
            ("rules.enter", PositionSide::Long, true),
            ("rules.exit", PositionSide::Long, false),
            ("rules.short", PositionSide::Short, true),
            ("rules.cover", PositionSide::Short, false),
        ];
        for (key, side, opens) in rules {
            let held = e.position.map(|p| p.side) == Some(side);
            // What would end a position is of interest while there is one.
            let said = e
                .says(key)
                .filter(|said| opens || held || *said == Value::Condition(true));
            if let Some(said) = said {
                words.push(silent(e, sim, (slot, own), (key, side, opens), said));
            }
        }
    }
    words
}

fn period(every: Every) -> &'static str {
    match every {
        Every::Bar => "bar",
        Every::Day => "day",
        Every::Week => "week",
        Every::Month => "month",
        Every::Quarter => "quarter",
        Every::Year => "year",
    }
}

/// "buy of 12 shares decided (signal): filled on 2008-10-13 at 97.35".
fn ended(dated: &DatedOrder) -> String {
    let order = &dated.order;
    let kind = order.kind.name();
    let wish = format!(
        "{kind} {} of {} shares",
        order.side.name(),
        round(order.quantity)
    );
    let end = match (order.outcome, order.fill_price, dated.filled) {
        (Outcome::Filled, Some(price), Some(time)) => {
            format!("filled on {} at {}", show_time(time), round(price))
        }
        (outcome, Some(price), Some(time)) => format!(
            "{}: {} shares on {} at {} ({})",
            outcome.name(),
            round(order.filled),
            show_time(time),
            round(price),
            order.reason.name()
        ),
        (outcome, ..) => format!("{} ({})", outcome.name(), order.reason.name()),
    };
    format!("{wish}: {end}")
}

/// Why a rule led to no order.
fn silent(
    e: &Explanation,
    sim: &Sim<'_, '_>,
    (slot, own): (usize, usize),
    (key, side, opens): (&str, PositionSide, bool),
    said: Value,
) -> String {
    match said {
        Value::Condition(true) => {}
        Value::Condition(false) => return format!("{key} is false{}", culprit(e, key, said)),
        _ => return format!("{key} has no value{}", culprit(e, key, said)),
    }
    let holds = |key: &str| e.says(key) == Some(Value::Condition(true));
    let held = e.position.map(|p| p.side);
    let (against, other) = match side {
        PositionSide::Long => ("rules.exit", "rules.short"),
        PositionSide::Short => ("rules.cover", "rules.enter"),
    };
    let blocked = sim.blocked_through[slot].filter(|through| own as u32 <= *through);
    let why = if !opens && held != Some(side) {
        format!("but nothing {} is held", side.name())
    } else if !opens {
        "but an order to end the position waits already".to_owned()
    } else if held == Some(side) {
        format!("but it is {} already", side.name())
    } else if holds(against) {
        format!("but {against} holds too, and leaving wins")
    } else if holds(other) {
        format!("but {other} holds too: neither is done")
    } else if let Some(through) = blocked {
        match through - own as u32 {
            0 => "but after the last exit nothing is entered on this close".to_owned(),
            n => {
                format!("but after the last exit nothing is entered on this close and the next {n}")
            }
        }
    } else if sim.waits(slot, false) || sim.waits(slot, true) {
        "but an order decided earlier waits still".to_owned()
    } else {
        "and yet no order was placed".to_owned()
    };
    format!("{key} is true, {why}")
}

impl Explanation {
    /// What an expression says as a whole; `None` when the strategy has none of this key.
    pub fn says(&self, key: &str) -> Option<Value> {
        let found = self.expressions.iter().find(|x| x.key == key)?;
        found.steps.first().map(|step| step.value)
    }
}

/// The innermost part that has the answer of the whole: what it hangs on.
fn culprit(e: &Explanation, key: &str, said: Value) -> String {
    let Some(found) = e.expressions.iter().find(|x| x.key == key) else {
        return String::new();
    };
    let mut inner = 0;
    while let Some(part) = part_of(&found.steps, inner, said) {
        inner = part;
    }
    match (inner, said) {
        (0, _) => String::new(),
        (at, Value::Absent) => format!(": `{}` has none", found.steps[at].text),
        (at, _) => format!(": `{}` is false", found.steps[at].text),
    }
}

/// The first part of a step, one level below it, that has this value.
fn part_of(steps: &[Step], of: usize, said: Value) -> Option<usize> {
    let depth = steps.get(of)?.depth;
    let below = steps.iter().enumerate().skip(of + 1);
    let mut parts = below.take_while(|(_, s)| s.depth > depth);
    parts
        .find(|(_, s)| s.depth == depth + 1 && s.value == said)
        .map(|(at, _)| at)
}

/// At most six decimals, for people.
fn round(x: f64) -> String {
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
