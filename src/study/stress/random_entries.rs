//! The strategy beside entries drawn at random: the same trades of the same symbols with the same
//! holding times, sides and shares of equity, at other times.
//!
//! A round lays a symbol's trades out in a random order with random pauses between them, from the
//! first bar on which its rules have an answer to the last bar of the run; what the account makes
//! of them is computed straight from prices, under the same costs. Random numbers are those of a
//! stream a round, from the seed and the round's number alone.

use crate::engine::Placement;
use crate::portfolio::{PositionSide, Trade, TradeStatus};
use crate::strategy::FillAt;
use crate::study::stream::Stream;
use crate::study::stress::{Found, StressLine, StressResult, Subject, line};

/// Rounds drawn.
const ROUNDS: usize = 1000;
/// Of very many trades fewer rounds are drawn, and the line says how many.
const PLACEMENTS_MAX: usize = 20_000_000;
const ROUNDS_MIN: usize = 100;

/// The line.
pub(super) fn line_of(subject: &Subject<'_>) -> StressLine {
    line(
        "random_entries",
        "random entries that did worse",
        beaten(subject),
    )
}

/// Trades of one symbol, and the bars that they may be moved over.
struct Group {
    slot: usize,
    trades: Vec<Placement>,
    /// First own bar of an entry.
    from: usize,
    /// Bars that no trade needs.
    free: usize,
    /// Bars from an exit to the next entry at least.
    pause: usize,
}

fn beaten(subject: &Subject<'_>) -> Found {
    subject.traded()?;
    if subject.strategy.tax.is_some() {
        return Err("entries drawn at random pay no tax, the strategy does".to_owned());
    }
    if subject.strategy.options.is_some() {
        return Err("options are written on their own days, not on entries".to_owned());
    }
    let run = subject.run();
    if run.flows.iter().any(|flow| *flow != 0.0) {
        return Err("deposits and withdrawals come at their own times".to_owned());
    }
    let rounds = (PLACEMENTS_MAX / run.trades.len()).clamp(ROUNDS_MIN, ROUNDS);
    let mut ends = vec![0.0; rounds];
    let mut free = 0;
    for account in 0..subject.variations.accounts() {
        let groups = groups(subject, account);
        free += groups.iter().map(|group| group.free).sum::<usize>();
        let mut draw = Drawer::default();
        let placed = subject
            .variations
            .placed(account, rounds, |round, placements| {
                let counter = (account * rounds + round) as u64;
                let mut stream = Stream::new(subject.seed, counter);
                for group in &groups {
                    draw.lay_out(group, &mut stream, placements);
                }
            });
        ends.iter_mut()
            .zip(placed)
            .for_each(|(sum, end)| *sum += end);
    }
    if free == 0 {
        return Err("its trades leave no other bars to draw".to_owned());
    }
    let ours = run.equity.last().copied().unwrap_or(run.start_equity);
    let worse = ends.iter().filter(|end| **end < ours).count() as f64;
    let same = ends.iter().filter(|end| **end == ours).count() as f64;
    Ok(StressResult::Share {
        share: (worse + same / 2.0) / rounds as f64,
        of: rounds,
    })
}

/// The trades of an account by symbol.
fn groups(subject: &Subject<'_>, account: usize) -> Vec<Group> {
    let tapes = subject.variations.tapes_of(account);
    let groups = tapes.iter().enumerate();
    groups
        .filter_map(|(slot, tape)| group(subject, account, (slot, *tape)))
        .collect()
}

fn group(subject: &Subject<'_>, account: usize, (slot, tape): (usize, usize)) -> Option<Group> {
    let run = subject.run();
    let own_from = |bar: usize| subject.variations.own_bars(account, slot, bar);
    let of_tape = run.trades.iter().filter(|trade| trade.symbol == tape);
    let trades: Vec<Placement> = of_tape
        .clone()
        .map(|trade| Placement {
            slot,
            long: trade.side == PositionSide::Long,
            entry: own_from(trade.entry_bar).0,
            bars: trade.bars_held as usize,
            weight: weight(subject, account, trade),
            sold: trade.status == TradeStatus::Closed,
        })
        .collect();
    let first_entry = trades.iter().map(|trade| trade.entry).min()?;
    let answered = subject.variations.first_answer(tape);
    let (first, end) = own_from(answered.unwrap_or(run.first_bar));
    let decided = if subject.strategy.fill.at == FillAt::Close {
        first
    } else {
        first + 1
    };
    let from = decided.min(first_entry);
    let held: usize = trades.iter().map(|trade| trade.bars).sum();
    let room = end.saturating_sub(from + 1);
    // A rule that was true at the close of the exit enters one bar later; positions that turn
    // round leave no pause at all.
    let pauses = trades.len() - 1;
    let pause = usize::from(held + pauses <= room);
    Some(Group {
        slot,
        trades,
        from,
        free: room.saturating_sub(held + pauses * pause),
        pause,
    })
}

/// Money put into a trade as a fraction of the equity before it.
fn weight(subject: &Subject<'_>, account: usize, trade: &Trade) -> f64 {
    let run = subject.run();
    let (equity, start) = match run.each.get(account) {
        Some(own) => (&own.equity, own.start_equity),
        None => (&run.equity, run.start_equity),
    };
    let before = match trade.entry_bar.checked_sub(run.first_bar + 1) {
        Some(at) => equity[at],
        None => start,
    };
    let weight = trade.shares * trade.entry_price / before;
    if weight.is_finite() { weight } else { 0.0 }
}

/// Lays trades out, without new memory a round.
#[derive(Default)]
struct Drawer {
    order: Vec<usize>,
    moves: Vec<usize>,
}

impl Drawer {
    /// Trades in a random order, moved by sorted draws from the free bars, so that they never
    /// overlap.
    fn lay_out(&mut self, group: &Group, stream: &mut Stream, placements: &mut Vec<Placement>) {
        let count = group.trades.len();
        self.order.clear();
        self.order.extend(0..count);
        for i in (1..count).rev() {
            self.order.swap(i, stream.below(i + 1));
        }
        self.moves.clear();
        self.moves
            .extend((0..count).map(|_| stream.below(group.free + 1)));
        self.moves.sort_unstable();
        let mut taken = group.from;
        for (number, moved) in self.order.iter().zip(&self.moves) {
            let trade = &group.trades[*number];
            placements.push(Placement {
                slot: group.slot,
                entry: taken + moved,
                ..*trade
            });
            taken += trade.bars + group.pause;
        }
    }
}
