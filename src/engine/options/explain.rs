//! What happened to options at one close, and why something did not, in words.

use crate::engine::options::OptionRecord;
use crate::engine::simulate::Sim;
use crate::units::BarIndex;

/// One sentence for each option that is open at the close, for each that was opened or ended on it,
/// and for each decision that was not taken, in this order.
pub(crate) fn sentences(
    sim: &Sim<'_, '_>,
    record: &OptionRecord,
    slot: usize,
    bar: BarIndex,
) -> Vec<String> {
    let Some(desk) = sim.desk() else {
        return Vec::new();
    };
    let mut words = Vec::new();
    for option in sim.account.options.open.iter().filter(|o| o.slot == slot) {
        let contract = &sim.account.options.contracts[option.contract];
        let side = if option.is_short() { "written" } else { "held" };
        words.push(format!(
            "{side}: {} {} at {:.2}, worth {:.2}, {} days to expiration",
            option.count.abs(),
            name(record, option.contract),
            option.entry_price,
            option.mark,
            desk.days(bar, contract.expiration),
        ));
    }
    let tape = sim.input.symbols[slot].tape;
    let of_it = |contract: usize| record.underlyings.get(contract) == Some(&tape);
    for trade in record.trades.iter().filter(|t| of_it(t.contract)) {
        let (name, count) = (name(record, trade.contract), trade.count.abs());
        if trade.bars.0 == bar {
            let done = if trade.count < 0.0 { "wrote" } else { "bought" };
            words.push(format!("{done} {count} {name} at {:.2}", trade.prices.0));
        }
        if let Some(outcome) = trade.outcome.filter(|_| trade.bars.1 == bar) {
            words.push(format!(
                "{count} {name} ended: {} at {:.2}",
                outcome.name(),
                trade.prices.1
            ));
        }
    }
    let at_bar = |n: &&crate::engine::options::NotDoneAt| n.bar == bar && n.symbol == tape;
    for not_done in record.not_done.iter().filter(at_bar) {
        let done = if not_done.roll { "rolled" } else { "opened" };
        words.push(format!(
            "{} not {done}: {}",
            not_done.right.name(),
            not_done.why.text()
        ));
    }
    words
}

fn name(record: &OptionRecord, contract: usize) -> &str {
    record.contracts.get(contract).map_or("", String::as_str)
}
