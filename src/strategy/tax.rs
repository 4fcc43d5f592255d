//! `[tax]` and `[tax.harvest]`: the rates and rules of the user's taxes as values, and what their
//! keys mean together. Lots, wash sales and what is due are left to `portfolio`; no rate has a
//! default, since none would be law everywhere.

use crate::error::Problem;
use crate::strategy::file::{Heading, Value};
use crate::strategy::resolve::Values;
use crate::strategy::{Account, Rate, Strategy};

/// `[tax] lots`: which lot a sale takes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LotRule {
    /// The oldest purchase.
    Fifo,
    /// The newest purchase.
    Lifo,
    /// The highest basis a share.
    Hifo,
    /// The least tax a share, at the rate of its holding period.
    MinTax,
}

/// `[tax] pay`: when a year's tax is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayTax {
    /// On the last bar of the year.
    YearEnd,
    /// On the first bar from the fifteenth of April of the next year on.
    April,
}

/// `[tax.harvest] check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HarvestCheck {
    /// At every day's last close.
    Day,
    /// At the week's last close.
    Week,
    /// At the month's last close.
    Month,
}

/// `[tax.harvest]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Harvest {
    /// Loss of a lot as a fraction of its basis above which it is sold.
    pub loss_over: f64,
    /// Symbols that stand in for each other.
    pub pairs: Vec<(String, String)>,
    /// When lots are looked at.
    pub check: HarvestCheck,
    /// Days after a swap in which the pair is left alone, beside the wash window.
    pub cooldown_days: u32,
    /// Tax that a swap must save after its costs, in money.
    pub min_benefit: f64,
}

/// `[tax]`. Rates are fractions of the gain or income.
#[derive(Debug, Clone, PartialEq)]
pub struct Tax {
    /// Which lot a sale takes first.
    pub lots: LotRule,
    /// On gains of shares that were not held long, and on ordinary income.
    pub short_rate: f64,
    /// On gains of shares that were held long.
    pub long_rate: f64,
    /// On dividends; `None` when it was not given.
    pub dividend_rate: Option<f64>,
    /// On interest; `None` when it was not given.
    pub interest_rate: Option<f64>,
    /// Long means sold after the same date so many years later.
    pub long_after_years: u32,
    /// Net capital loss that may be deducted from ordinary income in a year, in money.
    pub loss_cap_ordinary: f64,
    /// When a year's tax is paid.
    pub pay: PayTax,
    /// Calendar days before and after a sale at a loss in which a purchase makes it a wash sale.
    pub wash_window_days: u32,
    /// Symbols that are one security for wash sales.
    pub identical: Vec<Vec<String>>,
    /// Index options are taxed 60/40 and marked at the end of the year.
    pub index_options_1256: bool,
    /// Losses are harvested.
    pub harvest: Option<Harvest>,
}

/// The table, when the file has it or a flag gives one of its keys.
pub(super) fn tax(values: &Values<'_>, headings: &[Heading]) -> Option<Tax> {
    let has = |name: &str| {
        let prefix = format!("{name}.");
        headings.iter().any(|h| h.name == name)
            || values.0.iter().any(|g| g.key.starts_with(&prefix))
    };
    if !has("tax") && !has("tax.harvest") {
        return None;
    }
    Some(Tax {
        lots: match values.word("tax.lots").as_str() {
            "lifo" => LotRule::Lifo,
            "hifo" => LotRule::Hifo,
            "min_tax" => LotRule::MinTax,
            _ => LotRule::Fifo,
        },
        short_rate: values.number_or("tax.short_rate", 0.0),
        long_rate: values.number_or("tax.long_rate", 0.0),
        dividend_rate: values.number("tax.dividend_rate"),
        interest_rate: values.number("tax.interest_rate"),
        long_after_years: values.whole("tax.long_after_years").unwrap_or(1),
        loss_cap_ordinary: values.number_or("tax.loss_cap_ordinary", 0.0),
        pay: match values.word("tax.pay").as_str() {
            "april" => PayTax::April,
            _ => PayTax::YearEnd,
        },
        wash_window_days: values.whole("tax.wash_window_days").unwrap_or(0),
        identical: values.groups("tax.identical"),
        index_options_1256: values.text("tax.index_options").is_some(),
        harvest: has("tax.harvest").then(|| harvest(values)),
    })
}

fn harvest(values: &Values<'_>) -> Harvest {
    let pairs = values.groups("tax.harvest.pairs").into_iter();
    let pair = |group: Vec<String>| match group.as_slice() {
        [a, b] => Some((a.clone(), b.clone())),
        _ => None,
    };
    Harvest {
        loss_over: values.number_or("tax.harvest.loss_over", 0.0),
        pairs: pairs.filter_map(pair).collect(),
        check: match values.word("tax.harvest.check").as_str() {
            "week" => HarvestCheck::Week,
            "month" => HarvestCheck::Month,
            _ => HarvestCheck::Day,
        },
        cooldown_days: values.whole("tax.harvest.cooldown_days").unwrap_or(0),
        min_benefit: values.number_or("tax.harvest.min_benefit", 0.0),
    }
}

/// Rates that are needed and missing, groups that overlap, pairs that could not be swapped.
pub(super) fn check_tax(
    values: &Values<'_>,
    tried: &[String],
    headings: &[Heading],
    s: &Strategy,
    problems: &mut Vec<Problem>,
) {
    let Some(tax) = &s.tax else { return };
    let heading = headings.iter().find(|h| h.name.starts_with("tax"));
    let mut lacks = |key: &str, what: &str| {
        // A rate that was given and is wrong has its own problem.
        if values.value(key).is_none() && !tried.iter().any(|t| t == key) {
            let name = key.trim_start_matches("tax.");
            let problem = Problem {
                span: heading.map(|h| h.span.clone()),
                ..Problem::new(format!("[tax] needs {name}, the rate on {what}"))
            };
            problems.push(problem.help(format!(
                "rates are yours to give, none is law everywhere: {name} = 0.2 taxes them at 20%"
            )));
        }
    };
    lacks("tax.short_rate", "gains of shares that were not held long");
    lacks("tax.long_rate", "gains of shares that were held long");
    if s.cash.yield_ != Rate::Constant(0.0) {
        lacks("tax.interest_rate", "interest, which [cash] yield pays");
    }
    if s.data.dividend_yield.is_some() {
        lacks(
            "tax.dividend_rate",
            "dividends, which [data] dividend_yield pays",
        );
    }
    check_account(values, &s.account, heading, problems);
    check_groups(values, tax, problems);
    if tax.harvest.is_some() {
        check_harvest(values, tried, tax, headings, problems);
    }
}

/// One taxpayer has one set of lots and one netting.
fn check_account(
    values: &Values<'_>,
    account: &Account,
    heading: Option<&Heading>,
    problems: &mut Vec<Problem>,
) {
    if account.each {
        let message = "[tax] and account.each: accounts apart have no common year to be taxed";
        let mut problem = values.problem("account.each", message);
        if problem.span.is_none() {
            problem.span = heading.map(|h| h.span.clone());
        }
        problems.push(problem.help("leave account.each out, or tax one symbol at a time"));
    }
}

fn check_groups(values: &Values<'_>, tax: &Tax, problems: &mut Vec<Problem>) {
    let mut seen: Vec<&String> = Vec::new();
    for symbol in tax.identical.iter().flatten() {
        if seen.contains(&symbol) {
            let message = format!("tax.identical: {symbol} is in two groups");
            let problem = values.problem("tax.identical", message);
            problems.push(problem.help("what is one security belongs into one group"));
            return;
        }
        seen.push(symbol);
    }
}

fn check_harvest(
    values: &Values<'_>,
    tried: &[String],
    tax: &Tax,
    headings: &[Heading],
    problems: &mut Vec<Problem>,
) {
    let key = "tax.harvest.pairs";
    let Some(Value::Groups(pairs)) = values.value(key) else {
        if !tried.iter().any(|t| t == key) {
            let heading = headings.iter().find(|h| h.name == "tax.harvest");
            let problem = Problem {
                span: heading.map(|h| h.span.clone()),
                ..Problem::new("[tax.harvest] needs pairs: what is bought for what is sold")
            };
            problems.push(problem.help("pairs = [[\"VTI\", \"SCHB\"]]"));
        }
        return;
    };
    let group_of = |symbol: &String| tax.identical.iter().position(|g| g.contains(symbol));
    let mut seen: Vec<&String> = Vec::new();
    for pair in pairs {
        let [a, b] = pair.as_slice() else { continue };
        if let Some(group) = group_of(a).filter(|g| group_of(b) == Some(*g)) {
            let message = format!(
                "{key}: {a} and {b} are one security by tax.identical ({}), so the swap would be a wash sale",
                tax.identical[group].join(", ")
            );
            let problem = values.problem(key, message);
            problems.push(problem.help("pair securities that are alike, not identical"));
        }
        for symbol in [a, b] {
            if seen.contains(&symbol) {
                let message = format!("{key}: {symbol} is in two pairs");
                problems.push(
                    values
                        .problem(key, message)
                        .help("a symbol has one partner"),
                );
            }
            seen.push(symbol);
        }
    }
}
