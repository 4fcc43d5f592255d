//! Options, rolls and campaigns row by row: files with everything, short tables for the terminal.

use crate::engine::Run;
use crate::execution::Reason;
use crate::instrument::Right;
use crate::metrics::options::{OptionFigures, contract_of, result_of};
use crate::portfolio::{Campaign, OptionTrade};
use crate::pricing::income::{Sale, income};
use crate::report::cell;
use crate::report::csv::Table;
use crate::report::figure;

/// Rows that the terminal shows of a table.
const SHOWN: usize = 8;

/// The columns of `options.csv`.
const OPTION_COLUMNS: [&str; 27] = [
    "trade",
    "contract",
    "underlying",
    "right",
    "strike",
    "expiration",
    "opened",
    "contracts",
    "multiplier",
    "spot",
    "premium",
    "delta",
    "implied_vol",
    "days",
    "premium_yield",
    "static_return_annual",
    "if_called_return",
    "breakeven",
    "ended",
    "outcome",
    "exit_price",
    "given_up",
    "fees",
    "result",
    "captured",
    "worst",
    "campaign",
];
/// The columns of `rolls.csv`.
const ROLL_COLUMNS: [&str; 12] = [
    "date",
    "underlying",
    "right",
    "from_trade",
    "from_strike",
    "from_expiration",
    "bought_back_at",
    "to_trade",
    "to_strike",
    "to_expiration",
    "written_at",
    "credit",
];
/// The columns of `campaigns.csv`.
const CAMPAIGN_COLUMNS: [&str; 11] = [
    "campaign",
    "underlying",
    "opened",
    "ended",
    "credits",
    "debits",
    "given_up",
    "fees",
    "net",
    "rolls",
    "assignments",
];

fn date(run: &Run, bar: usize) -> String {
    let time = run.time.get(bar.saturating_sub(run.first_bar));
    time.map_or_else(String::new, |t| cell::moment(*t, false))
}

fn underlying(run: &Run, trade: &OptionTrade) -> String {
    let at = run.options.underlyings.get(trade.contract);
    let name = at.and_then(|at| run.symbols.get(*at));
    name.cloned().unwrap_or_default()
}

fn outcome(trade: &OptionTrade) -> &'static str {
    trade.outcome.map_or("open", Reason::name)
}

/// `options.csv`: one row an option, in the order of opening. Prices are a share, `result` is money
/// with what the strike gave up, `captured` the share of the premium that was earned.
pub fn options_csv(run: &Run) -> Vec<u8> {
    let mut table = Table::new(OPTION_COLUMNS);
    for trade in &run.options.trades {
        let Some(contract) = contract_of(&run.options, trade) else {
            continue;
        };
        let written = trade.count < 0.0;
        let sale = sale(trade, contract.right).filter(|_| written);
        let figures = sale.as_ref().map(income);
        table.whole(trade.number + 1);
        table.text(&run.options.contracts[trade.contract]);
        table.text(&underlying(run, trade));
        table.text(contract.right.name());
        table.number(trade.strike);
        table.text(&contract.expiration.to_string());
        table.text(&date(run, trade.bars.0));
        table.number(trade.count);
        table.number(trade.multiplier);
        table.number(trade.sale.spot);
        table.number(trade.sale.premium);
        table.number(trade.sale.delta);
        table.number(trade.sale.volatility);
        table.number(trade.sale.days);
        table.number_or_empty(figures.map(|f| f.premium_yield));
        table.number_or_empty(figures.map(|f| f.static_return_annual));
        table.number_or_empty(figures.and_then(|f| f.if_called_return));
        table.number_or_empty(figures.map(|f| f.breakeven));
        let is_open = trade.outcome.is_none();
        table.text(&if is_open {
            String::new()
        } else {
            date(run, trade.bars.1)
        });
        table.text(outcome(trade));
        table.number(trade.prices.1);
        table.number(trade.given_up);
        table.number(trade.fees.0 + trade.fees.1);
        table.number(result_of(trade));
        let captured = 1.0 - trade.prices.1 / trade.prices.0;
        table.number_or_empty((written && captured.is_finite()).then_some(captured));
        table.number(trade.worst);
        table.whole(trade.campaign + 1);
        table.end();
    }
    table.into_bytes()
}

/// The sale as the usual words read it; `None` where a number is missing.
fn sale(trade: &OptionTrade, right: Right) -> Option<Sale> {
    let contracts = trade.count.abs();
    let sale = Sale {
        right,
        spot: trade.sale.spot,
        strike: trade.sale.strike,
        days: trade.sale.days,
        premium: trade.sale.premium,
        contracts,
        multiplier: trade.multiplier,
        fee: trade.fees.0 / contracts,
        stock_basis: trade.sale.basis,
        dividend: 0.0,
    };
    let positive = [
        sale.spot,
        sale.strike,
        sale.days,
        contracts,
        sale.multiplier,
    ];
    positive.iter().all(|v| *v > 0.0).then_some(sale)
}

/// `rolls.csv`: one row an option that was traded back for a later one; `credit` is a share, after
/// both fees.
pub fn rolls_csv(run: &Run, figures: &OptionFigures) -> Vec<u8> {
    let mut table = Table::new(ROLL_COLUMNS);
    for roll in &figures.rolls {
        let (from, to) = (
            &run.options.trades[roll.trades.0],
            &run.options.trades[roll.trades.1],
        );
        let contracts = (
            contract_of(&run.options, from),
            contract_of(&run.options, to),
        );
        let (Some(of_from), Some(of_to)) = contracts else {
            continue;
        };
        table.text(&date(run, roll.bar));
        table.text(&underlying(run, from));
        table.text(of_from.right.name());
        table.whole(from.number + 1);
        table.number(from.strike);
        table.text(&of_from.expiration.to_string());
        table.number(from.prices.1);
        table.whole(to.number + 1);
        table.number(to.strike);
        table.text(&of_to.expiration.to_string());
        table.number(to.sale.premium);
        table.number(roll.credit);
        table.end();
    }
    table.into_bytes()
}

fn net(campaign: &Campaign) -> f64 {
    campaign.credits - campaign.debits - campaign.given_up - campaign.fees
}

/// `campaigns.csv`: sales that belong together, with what they took in and what they cost.
pub fn campaigns_csv(run: &Run) -> Vec<u8> {
    let mut table = Table::new(CAMPAIGN_COLUMNS);
    for (number, campaign) in run.options.campaigns.iter().enumerate() {
        table.whole(number + 1);
        table.text(run.symbols.get(campaign.symbol).map_or("", String::as_str));
        table.text(&date(run, campaign.bars.0));
        table.text(&if campaign.open {
            String::new()
        } else {
            date(run, campaign.bars.1)
        });
        table.number(campaign.credits);
        table.number(campaign.debits);
        table.number(campaign.given_up);
        table.number(campaign.fees);
        table.number(net(campaign));
        table.whole(campaign.rolls as usize);
        table.whole(campaign.assignments as usize);
        table.end();
    }
    table.into_bytes()
}

/// Tables for the terminal: the latest rolls, and the campaigns that mattered most.
pub(super) fn in_words(run: &Run, figures: &OptionFigures) -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables = Vec::new();
    if !figures.rolls.is_empty() {
        tables.push(latest_rolls(run, figures));
    }
    if run.options.campaigns.len() > 1 {
        tables.push(largest_campaigns(run));
    }
    tables
}

fn latest_rolls(run: &Run, figures: &OptionFigures) -> (String, Vec<Vec<String>>) {
    let all = figures.rolls.len();
    let title = match all {
        0..=SHOWN => "Rolls".to_owned(),
        n => format!("The last {SHOWN} of {n} rolls"),
    };
    let header = ["date", "from", "to", "bought at", "sold at", "credit"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for roll in &figures.rolls[all.saturating_sub(SHOWN)..] {
        let of = |at: usize| {
            let trade = &run.options.trades[at];
            contract_of(&run.options, trade).map_or_else(String::new, |c| {
                let right = if c.right == Right::Call { 'C' } else { 'P' };
                format!("{} {right} {}", c.expiration.format("%m-%d"), trade.strike)
            })
        };
        let trades = &run.options.trades;
        rows.push(vec![
            date(run, roll.bar),
            of(roll.trades.0),
            of(roll.trades.1),
            figure::grouped(trades[roll.trades.0].prices.1, 2),
            figure::grouped(trades[roll.trades.1].sale.premium, 2),
            figure::grouped(roll.credit, 2),
        ]);
    }
    (title, rows)
}

fn largest_campaigns(run: &Run) -> (String, Vec<Vec<String>>) {
    let campaigns = &run.options.campaigns;
    let title = match campaigns.len() {
        0..=SHOWN => "Campaigns".to_owned(),
        n => format!("The {SHOWN} of {n} campaigns with the largest result"),
    };
    let mut order: Vec<usize> = (0..campaigns.len()).collect();
    let size = |i: usize| net(&campaigns[i]).abs();
    order.sort_by(|a, b| size(*b).total_cmp(&size(*a)).then(a.cmp(b)));
    order.truncate(SHOWN);
    order.sort_unstable();
    let header = [
        "opened", "ended", "credits", "debits", "given up", "net", "rolls",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for one in order.into_iter().map(|i| &campaigns[i]) {
        let end = match one.open {
            true => "open".to_owned(),
            false => date(run, one.bars.1),
        };
        let whole = |amount: f64| figure::grouped(amount, 0);
        rows.push(vec![
            date(run, one.bars.0),
            end,
            whole(one.credits),
            whole(one.debits),
            whole(one.given_up),
            whole(net(one)),
            one.rolls.to_string(),
        ]);
    }
    (title, rows)
}

/// How the payoff's words name an option: `put 185 for 2014-02-21 at 1.20`.
pub(super) fn named(run: &Run, trade: &OptionTrade) -> String {
    let contract = contract_of(&run.options, trade);
    contract.map_or_else(String::new, |c| {
        let verb = if trade.count < 0.0 {
            "written"
        } else {
            "bought"
        };
        format!(
            "{} {} of {} {verb} at {}",
            c.right.name(),
            figure::grouped(trade.sale.strike, 2)
                .trim_end_matches('0')
                .trim_end_matches('.'),
            c.expiration,
            figure::grouped(trade.sale.premium, 2)
        )
    })
}
