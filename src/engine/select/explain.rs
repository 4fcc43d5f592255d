//! Why a symbol is held or not at a close under `[rank]` and `[weights]`, in words.

use super::rank::{Place, Ranked};
use crate::engine::simulate::Sim;
use crate::strategy::{Every, Rank, Refuge, Weights};
use crate::units::BarIndex;

/// The answer, one sentence each; `sim` stands at the close, before its decision, and `decided` are
/// the orders of the symbol that the decision led to, in words.
pub(crate) fn because(
    sim: &Sim<'_, '_>,
    slot: usize,
    at: BarIndex,
    decided: Vec<String>,
) -> Vec<String> {
    let strategy = sim.input.strategy;
    let mut words = Vec::new();
    if !sim.input.is_member(slot, at) {
        words.push("it is no member of the universe on this day".to_owned());
    }
    let silent = decided.is_empty();
    match (&strategy.rank, &strategy.weights) {
        (Some(rank), _) => of_rank(sim, rank, slot, at, &mut words),
        (_, Some(weights)) => of_weights(sim, weights, slot, at, &mut words),
        (None, None) => {}
    }
    words.extend(decided);
    if silent {
        words.push("no order was decided for it".to_owned());
    }
    words
}

fn of_rank(sim: &Sim<'_, '_>, rank: &Rank, slot: usize, at: BarIndex, words: &mut Vec<String>) {
    let scheduled = sim.input.decides.get(at).copied().unwrap_or(true);
    let due = scheduled || !sim.selection.started;
    if !due {
        words.push(format!(
            "[rank] decides once a {}, and not at this close; what follows is how it stands",
            period(rank.every)
        ));
    }
    if sim.input.refuge == Some(slot) {
        words.push("it is the refuge: it gets the empty slots and is not ranked".to_owned());
        return;
    }
    let (ranked, _) = sim.ranked(at, rank, true);
    let Some(place) = ranked.iter().position(|one| one.slot == slot) else {
        words.push(match sim.score(slot, at) {
            None => "it has no score, so it is not ranked".to_owned(),
            Some(score) => format!(
                "its score is {}, but rank.where does not hold",
                round(score)
            ),
        });
        return;
    };
    words.push(placed(sim, rank, &ranked, place));
}

/// Where a ranked symbol stands, and what becomes of it.
fn placed(sim: &Sim<'_, '_>, rank: &Rank, ranked: &[Ranked], place: usize) -> String {
    let one = ranked[place];
    let hold = rank.hold.slots(ranked.len());
    let within = hold + rank.buffer as usize;
    let shares = sim.account.positions[one.slot].shares;
    let stands = format!(
        "its score {} ranks {} of {}",
        round(one.score),
        place + 1,
        ranked.len()
    );
    let refuge = match &rank.refuge {
        Refuge::Cash => "cash",
        Refuge::Symbol(symbol) => symbol,
    };
    let percent = format!("{}% of equity", round(100.0 * one.weight.abs()));
    match one.place {
        Place::Long if place >= hold => {
            format!(
                "{stands}: held still, within the buffer of {}, at {percent}",
                rank.buffer
            )
        }
        Place::Long => format!("{stands}: among the {hold} that are held, at {percent}"),
        Place::Short => format!("{stands}: among the lowest, sold short for {percent}"),
        Place::Refused => format!(
            "{stands}: chosen, but rank.absolute does not hold or it has no volatility, so its slot goes to {refuge}"
        ),
        Place::Out if place < within && shares == 0.0 => format!(
            "{stands}: holdings within the buffer of {} take the {hold} slots",
            rank.buffer
        ),
        Place::Out => format!("{stands}: beyond the {hold} that are held"),
    }
}

fn of_weights(
    sim: &Sim<'_, '_>,
    weights: &Weights,
    slot: usize,
    at: BarIndex,
    words: &mut Vec<String>,
) {
    let equity = sim.account.equity();
    let weight = sim.account.positions[slot].shares * sim.account.marks[slot] / equity;
    let percent = |w: f64| format!("{}%", round(100.0 * w));
    let scheduled = weights.every.is_some() && sim.input.decides.get(at).copied().unwrap_or(false);
    let target = sim.current_targets().get(slot).copied();
    words.push(match target {
        None => "nothing has been bought so far".to_owned(),
        Some(target) => {
            let (low, high) = weights.band(target);
            let band = match weights.watches_drift() && target != 0.0 {
                true if weight < low || weight > high => {
                    format!(
                        ", outside its band of {} to {}",
                        percent(low),
                        percent(high)
                    )
                }
                true => format!(", within its band of {} to {}", percent(low), percent(high)),
                false => String::new(),
            };
            format!(
                "it weighs {}, its target is {}{band}",
                percent(weight),
                percent(target)
            )
        }
    });
    if scheduled || target.is_none() {
        let fresh = sim.fresh_weights(at, weights)[slot];
        words.push(format!(
            "decided at this close: {} of equity",
            percent(fresh)
        ));
    }
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

/// At most four decimals, for people.
fn round(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
