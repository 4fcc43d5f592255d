//! The taxes of a run as they are shown: a table by year in the terminal, an object in JSON, and two
//! CSV files, `tax.csv` (a year a row) and `lots.csv` (what was closed, then what is open).

use crate::engine::{Run, TaxReport};
use crate::portfolio::{Lot, Realized, YearTax};
use crate::report::csv::{Table, symbol_name};
use crate::report::figure;
use crate::report::text::{left, paragraph, right};
use crate::strategy::{LotRule, PayTax, Tax};
use serde_json::{Value, json};

/// The columns of `tax.csv`; all but the first are money.
pub const TAX_COLUMNS: [&str; 12] = [
    "year",
    "short",
    "long",
    "dividends",
    "interest",
    "carried_short",
    "carried_long",
    "deducted",
    "carry_short",
    "carry_long",
    "tax",
    "paid",
];

/// The columns of `lots.csv`.
pub const LOT_COLUMNS: [&str; 15] = [
    "layer",
    "symbol",
    "side",
    "bought",
    "held_since",
    "sold",
    "shares",
    "proceeds",
    "basis",
    "deferred",
    "gain",
    "term",
    "disallowed",
    "reason",
    "status",
];

/// Money of a year in the order of [`TAX_COLUMNS`].
fn amounts(year: &YearTax) -> [f64; 11] {
    [
        year.sums.short,
        year.sums.long,
        year.sums.dividends,
        year.sums.interest,
        year.carried_short,
        year.carried_long,
        year.deducted,
        year.carry_short,
        year.carry_long,
        year.tax,
        year.paid,
    ]
}

/// `tax.csv`: one row a calendar year.
pub fn tax_csv(tax: &TaxReport) -> Vec<u8> {
    let mut table = Table::new(TAX_COLUMNS);
    for year in &tax.years {
        table.text(&year.year.to_string());
        for amount in amounts(year) {
            table.number(amount + 0.0);
        }
        table.end();
    }
    table.into_bytes()
}

/// `lots.csv`: what was closed in the order of sale, then what is open, which has no day of sale and
/// is worth its last close. A gain is `proceeds - basis`; of a loss, `disallowed` was deferred by a
/// wash sale; `deferred` are such losses of earlier sales that are part of the basis.
pub fn lots_csv(run: &Run, tax: &TaxReport) -> Vec<u8> {
    let mut table = Table::new(LOT_COLUMNS);
    for sale in &tax.realized {
        closed_row(&mut table, run, sale);
    }
    for (lot, price) in &tax.open {
        open_row(&mut table, run, lot, *price);
    }
    table.into_bytes()
}

fn side(is_short: bool) -> &'static str {
    if is_short { "short" } else { "long" }
}

/// The name of a layer, empty without layers.
fn layer(run: &Run, index: usize) -> &str {
    let layer = run.layers.runs.get(index);
    layer.map_or("", |layer| layer.name.as_str())
}

fn closed_row(table: &mut Table, run: &Run, sale: &Realized) {
    table.text(layer(run, sale.layer));
    table.text(symbol_name(run, Some(sale.slot)));
    table.text(side(sale.is_short));
    table.text(&sale.bought.to_string());
    table.text(&sale.held_since.to_string());
    table.text(&sale.sold.to_string());
    table.number(sale.shares);
    table.number(sale.proceeds);
    table.number(sale.basis);
    table.number(sale.deferred);
    table.number(sale.gain);
    table.text(if sale.is_long_term { "long" } else { "short" });
    table.number(sale.disallowed);
    table.text(if sale.is_harvest { "harvest" } else { "" });
    table.text("closed");
    table.end();
}

fn open_row(table: &mut Table, run: &Run, lot: &Lot, price: f64) {
    let value = lot.shares * price;
    let (proceeds, basis) = match lot.is_short {
        true => (lot.basis, value),
        false => (value, lot.basis),
    };
    table.text(layer(run, lot.layer));
    table.text(symbol_name(run, Some(lot.slot)));
    table.text(side(lot.is_short));
    table.text(&lot.bought.to_string());
    table.text(&lot.held_since.to_string());
    table.text("");
    table.number(lot.shares);
    table.number(proceeds);
    table.number(basis);
    table.number(lot.deferred);
    table.number(lot.gain(value));
    table.text("");
    table.number(0.0);
    table.text("");
    table.text("open");
    table.end();
}

/// The object of JSON: `years` with the columns of `tax.csv`, what is owed beyond them, and what
/// harvesting was worth.
pub fn object(tax: &TaxReport) -> Value {
    let number = |value: f64| Value::from(value + 0.0);
    let years = tax.years.iter().map(|year| {
        let names = TAX_COLUMNS[1..].iter();
        let cells = names.zip(amounts(year));
        let mut object: serde_json::Map<String, Value> = cells
            .map(|(name, amount)| ((*name).to_string(), number(amount)))
            .collect();
        object.insert("year".to_string(), Value::from(year.year));
        Value::Object(object)
    });
    let harvest = tax.harvest.map_or(Value::Null, |h| {
        json!({
            "swaps": h.swaps,
            "harvested": number(h.harvested),
            "disallowed": number(h.disallowed),
            "deferred": number(h.deferred),
            "gained": number(h.gained),
        })
    });
    json!({
        "years": years.collect::<Vec<_>>(),
        "owed": number(tax.owed),
        "unpaid": number(tax.liquidation.unpaid),
        "on_sale": number(tax.liquidation.on_sale),
        "equity_after_liquidation": number(tax.equity_after),
        "harvest": harvest,
    })
}

/// The table of the terminal: a year a line, then what is still owed and what harvesting was worth.
pub(crate) fn page(tax: &TaxReport) -> String {
    const COLUMN: usize = 12;
    let heads = [
        "short",
        "long",
        "dividends",
        "interest",
        "carried on",
        "tax",
    ];
    let line = |first: &str, cells: &[String]| {
        let cells = cells.iter().map(|cell| right(cell, COLUMN));
        format!("  {}{}\n", left(first, 6), cells.collect::<String>())
    };
    let mut text = String::from("\nTaxes by year\n");
    text.push_str(&line("year", &heads.map(str::to_string)));
    for year in &tax.years {
        let carried = -(year.carry_short + year.carry_long);
        let sums = &year.sums;
        let cells = [
            sums.short,
            sums.long,
            sums.dividends,
            sums.interest,
            carried,
            year.tax,
        ];
        let cells = cells.map(|amount| figure::grouped(amount + 0.0, 0));
        text.push_str(&line(&year.year.to_string(), &cells));
    }
    text.push_str(&paragraph("  ", &after_words(tax)));
    if let Some(words) = harvest_words(tax) {
        text.push_str(&paragraph("  ", &words));
    }
    text
}

fn after_words(tax: &TaxReport) -> String {
    let paid: f64 = tax.years.iter().map(|year| year.paid).sum();
    let liquidation = &tax.liquidation;
    let mut words = format!(
        "{} fell due. Selling everything at the end would owe {} more",
        figure::money(paid),
        figure::money(liquidation.unpaid + liquidation.on_sale),
    );
    if liquidation.unpaid != 0.0 {
        words.push_str(&format!(
            " ({} of it on what was realised and is not due yet)",
            figure::money(liquidation.unpaid)
        ));
    }
    words + &format!(" and leave {}.", figure::money(tax.equity_after))
}

fn harvest_words(tax: &TaxReport) -> Option<String> {
    let harvest = tax.harvest?;
    let swaps = figure::plural(harvest.swaps, "swap", "swaps");
    if harvest.swaps == 0 {
        return Some("No loss was harvested.".to_string());
    }
    let gained = match harvest.gained < 0.0 {
        true => format!("lost {}", figure::money(-harvest.gained)),
        false => format!("gained {}", figure::money(harvest.gained)),
    };
    let deferred = match harvest.deferred < 0.0 {
        true => format!("{} more tax fell due", figure::money(-harvest.deferred)),
        false => format!("{} less tax fell due", figure::money(harvest.deferred)),
    };
    Some(format!(
        "Harvested: {swaps} realised losses of {} that count. Up to the end {deferred} than without \
         them, which is put off, not saved: sold out and taxed at the end, they {gained}, and in \
         that is whatever the prices of the partners did differently.",
        figure::money(harvest.harvested),
    ))
}

/// The assumption in a line of words.
pub(crate) fn in_words(tax: &Tax) -> String {
    let percent = figure::given_percent;
    let mut words = vec![format!(
        "gains {} short, {} long",
        percent(tax.short_rate),
        percent(tax.long_rate)
    )];
    words.extend(
        tax.dividend_rate
            .map(|r| format!("dividends {}", percent(r))),
    );
    words.extend(
        tax.interest_rate
            .map(|r| format!("interest {}", percent(r))),
    );
    words.push(
        match tax.lots {
            LotRule::Fifo => "the oldest lot is sold first",
            LotRule::Lifo => "the newest lot is sold first",
            LotRule::Hifo => "the highest basis is sold first",
            LotRule::MinTax => "the lot of least tax is sold first",
        }
        .to_string(),
    );
    words.push(
        match tax.pay {
            PayTax::YearEnd => "paid at the end of the year",
            PayTax::April => "paid in April",
        }
        .to_string(),
    );
    if let Some(harvest) = &tax.harvest {
        let pairs = harvest.pairs.iter().map(|(a, b)| format!("{a}/{b}"));
        words.push(format!(
            "losses over {} are harvested in {}",
            percent(harvest.loss_over),
            pairs.collect::<Vec<_>>().join(", ")
        ));
    }
    words.join(", ")
}
