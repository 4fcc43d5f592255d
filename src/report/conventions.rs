//! The assumptions of a strategy in plain words, a line a question, for the terminal and the tear
//! sheet. The full list with every default is in the manifest.

mod model;
mod options;
mod selector;

use crate::report::{figure, taxes};
use crate::strategy::{
    AccountKind, Ambiguity, Cashflow, Costs, Distance, Every, ExprText, FillAt, Invest, Layer,
    OrderKind, Prices, RaiseCash, Rate, Rules, ScheduleDay, SizeMethod, Strategy,
};

/// What was assumed by a strategy of so many symbols: the question (`Costs`), and the answer.
pub fn in_words(strategy: &Strategy, symbols: usize) -> Vec<(&'static str, String)> {
    let rules = &strategy.rules;
    let rule = |rule: &Option<ExprText>| rule.as_ref().map_or(String::new(), |r| r.text.clone());
    let mut lines = vec![("Layers", layers(strategy)), ("Members", members(strategy))];
    lines.extend(selector::in_words(strategy));
    lines.extend(options::in_words(strategy));
    lines.extend(vec![
        ("Enter", rule(&rules.enter)),
        ("Exit", rule(&rules.exit)),
        ("Short", rule(&rules.short)),
        ("Cover", rule(&rules.cover)),
        ("With", named(strategy)),
        (
            "Model",
            strategy
                .model
                .as_ref()
                .map_or_else(String::new, model::in_words),
        ),
        ("Orders", orders(strategy)),
        ("Size", size(strategy, symbols)),
        ("Stops", stops(strategy)),
        ("Costs", costs_of(strategy)),
        ("Account", account(strategy)),
        ("Flows", flows(strategy)),
        (
            "Taxes",
            strategy
                .tax
                .as_ref()
                .map_or_else(String::new, taxes::in_words),
        ),
        ("Prices", prices(strategy)),
    ]);
    // What the rules, orders and sizes of layers are stands in their own files; options that stand
    // alone have lines of their own.
    let is_theirs = |name: &str| ["Orders", "Size", "Stops"].contains(&name);
    let has_own = strategy.layers.is_empty() && !strategy.decides_by_options_alone();
    lines.retain(|(name, words)| !words.is_empty() && (has_own || !is_theirs(name)));
    lines
}

/// Whose membership is dated, and what that means.
fn members(strategy: &Strategy) -> String {
    let Some(file) = &strategy.data.members else {
        return String::new();
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "as dated in {name}: a symbol takes part while it is a member, and is sold when it leaves"
    )
}

/// The parts of the account, and what they give one another.
fn layers(strategy: &Strategy) -> String {
    let names: Vec<&str> = strategy.layers.iter().map(|l| l.name.as_str()).collect();
    let of_layer = |layer: &Layer| {
        let feeds = [
            ("dividends", layer.feeds.dividends),
            ("premium", layer.feeds.premium),
            ("interest", layer.feeds.interest),
            ("gains", layer.feeds.gains),
        ];
        let feeds = feeds
            .iter()
            .filter_map(|(stream, to)| Some(format!(", {stream} to {}", names.get((*to)?)?)));
        let feeds: String = feeds.collect();
        let part = figure::given_percent(layer.weight);
        format!("{} {part} by {}{feeds}", layer.name, layer.strategy.name)
    };
    let mut words: Vec<String> = strategy.layers.iter().map(of_layer).collect();
    words.extend(strategy.rebalance_layers.map(|every| {
        let period = match every {
            Every::Bar | Every::Day => "day",
            Every::Week => "week",
            Every::Month => "month",
            Every::Quarter => "quarter",
            Every::Year => "year",
        };
        format!("set back to these weights every {period}")
    }));
    words.join("; ")
}

/// What the names in the rules stand for.
fn named(strategy: &Strategy) -> String {
    let params = strategy.params.iter();
    let params = params.map(|(name, value)| format!("{name} = {value}"));
    let series = strategy.series.iter();
    let series = series.map(|(name, text)| format!("{name} = {}", text.text));
    params.chain(series).collect::<Vec<_>>().join(", ")
}

fn orders(strategy: &Strategy) -> String {
    let fill = &strategy.fill;
    let at = match fill.at {
        FillAt::NextOpen => "filled at the next open",
        FillAt::Close => "filled at that same close",
        FillAt::NextClose => "filled at the next close",
    };
    let mut words = vec![selector::decided(strategy)];
    let price = fill.price.as_ref().map_or("", |p| p.text.as_str());
    match fill.order {
        OrderKind::Market => words.push(at.to_string()),
        OrderKind::Limit if fill.limit_through => {
            words.push(format!("entries by limit at {price}, to be traded through"));
        }
        OrderKind::Limit => words.push(format!("entries by limit at {price}, to be touched")),
        OrderKind::Stop => words.push(format!("entries by stop at {price}")),
    }
    if let Some(cap) = fill.volume_cap {
        words.push(format!(
            "at most {} of a bar's volume",
            figure::given_percent(cap)
        ));
    }
    words.extend(timing(&strategy.rules));
    if fill.close_at_end {
        words.push("all sold at the last close".to_string());
    }
    words.join(", ")
}

fn timing(rules: &Rules) -> impl Iterator<Item = String> {
    let held = rules.hold_bars_max;
    let rest = (rules.cooldown_bars > 0).then_some(rules.cooldown_bars);
    let held = held.map(|bars| format!("held at most {bars} bars"));
    let rest = rest.map(|bars| format!("no entry for {bars} bars after an exit"));
    held.into_iter().chain(rest)
}

fn size(strategy: &Strategy, symbols: usize) -> String {
    let size = &strategy.size;
    let each = match size.method {
        _ if strategy.portfolio_table().is_some() => "by weight".to_string(),
        SizeMethod::Equal => match size.max_positions.map_or(symbols, |n| n as usize) {
            0 | 1 => "all of equity in one position".to_string(),
            slots => format!("equity / {slots} a position, at most {slots} positions"),
        },
        SizeMethod::Fraction => {
            format!("{} of equity a position", figure::given_percent(size.value))
        }
        SizeMethod::Cash => format!("{} a position", figure::money(size.value)),
        SizeMethod::Shares => format!("{} shares a position", figure::grouped(size.value, 0)),
        SizeMethod::Risk => format!(
            "{} of equity lost at the stop",
            figure::given_percent(size.value)
        ),
        SizeMethod::TargetVol => {
            format!(
                "volatility of {} a year a position",
                figure::given_percent(size.value)
            )
        }
        SizeMethod::Kelly => format!("{} of Kelly's fraction", figure::given_percent(size.value)),
    };
    let mut words = vec![each];
    if size.method != SizeMethod::Equal
        && let Some(slots) = size.max_positions
    {
        words.push(format!("at most {slots} positions"));
    }
    if let Some(weight) = size.max_weight {
        words.push(format!("at most {} in one", figure::given_percent(weight)));
    }
    words.push(match size.lot {
        lot if lot <= 0.0 => "fractional shares".to_string(),
        1.0 => "whole shares".to_string(),
        lot => format!("lots of {lot} shares"),
    });
    if size.pyramid {
        words.push("further entries add".to_string());
    }
    words.join(", ")
}

fn stops(strategy: &Strategy) -> String {
    let stops = &strategy.stops;
    let mut words = Vec::new();
    let mut add = |name: &str, distance: &Option<Distance>, from: &str| {
        if let Some(distance) = distance {
            words.push(format!("{name} {} {from}", away(distance)));
        }
    };
    add("stop", &stops.stop, "from the fill");
    add("target", &stops.target, "from the fill");
    add("trail", &stops.trail, "from the best price");
    if words.is_empty() {
        return String::new();
    }
    if stops.stop.is_some() && stops.target.is_some() || stops.trail.is_some() {
        words.push(match stops.ambiguity {
            Ambiguity::Worst => "a bar that reaches both counts as the stop".to_string(),
            Ambiguity::Path => "of both, the one nearer to the open comes first".to_string(),
            Ambiguity::Best => "a bar that reaches both counts as the target".to_string(),
        });
    }
    if !stops.entry_bar {
        words.push("live from the bar after the entry".to_string());
    }
    words.join(", ")
}

fn away(distance: &Distance) -> String {
    match distance {
        Distance::Fraction(fraction) => figure::given_percent(*fraction),
        Distance::Expr(text) => format!("({})", text.text),
    }
}

/// Layers pay what their own files say; what this file says is what the benchmarks pay.
fn costs_of(strategy: &Strategy) -> String {
    let said = costs(&strategy.costs);
    match strategy.layers.is_empty() {
        true => said,
        false => format!("as each layer\u{2019}s file says; benchmarks {said}"),
    }
}

fn costs(costs: &Costs) -> String {
    let mut words = Vec::new();
    if costs.commission > 0.0 {
        words.push(format!(
            "commission {}",
            figure::given_percent(costs.commission)
        ));
    }
    if costs.per_share > 0.0 {
        words.push(format!("{} a share", costs.per_share));
    }
    if costs.per_order > 0.0 {
        words.push(format!("{} an order", costs.per_order));
    }
    if costs.min > 0.0 {
        words.push(format!("at least {} an order", costs.min));
    }
    if costs.slippage_bps > 0.0 {
        words.push(format!("slippage {} bp a side", costs.slippage_bps));
    }
    if costs.spread_bps > 0.0 {
        words.push(format!("half of a {} bp spread a side", costs.spread_bps));
    }
    if costs.per_contract > 0.0 {
        words.push(format!("{} an option contract", costs.per_contract));
    }
    if let Some(rate) = costs.borrow_rate {
        words.push(format!(
            "shorts cost {} a year",
            figure::given_percent(rate)
        ));
    }
    if words.is_empty() {
        words.push("none".to_string());
    }
    if costs.defaulted {
        words.push("nobody chose them".to_string());
    }
    words.join(", ")
}

fn account(strategy: &Strategy) -> String {
    let account = &strategy.account;
    let mut cash = format!("{} {}", figure::grouped(account.cash, 0), account.currency);
    if account.each {
        cash.push_str(" for each symbol");
    }
    let kind = match account.kind {
        AccountKind::Cash => "cash account".to_string(),
        AccountKind::Margin => format!(
            "margin account at {} a year",
            account
                .margin_rate
                .map_or_else(String::new, figure::given_percent)
        ),
    };
    let mut words = vec![cash.trim().to_string(), kind];
    if account.settlement_days > 0 {
        let days = account.settlement_days as usize;
        words.push(format!(
            "sales settle in {}",
            figure::plural(days, "session", "sessions")
        ));
    }
    words.push(match &strategy.cash.yield_ {
        Rate::Constant(rate) if *rate == 0.0 => "idle cash earns nothing".to_string(),
        Rate::Constant(rate) => format!("idle cash earns {} a year", figure::given_percent(*rate)),
        Rate::File(_) => "idle cash earns a dated rate".to_string(),
    });
    if account.reinvest_dividends {
        words.push("dividends are reinvested".to_string());
    }
    words.join(", ")
}

/// Deposits and withdrawals, and what becomes of them.
fn flows(strategy: &Strategy) -> String {
    let mut words: Vec<String> = strategy.cashflows.iter().map(flow).collect();
    if strategy
        .cashflows
        .iter()
        .any(|c| c.amount.is_none_or(|a| a < 0.0))
    {
        words.push(match strategy.account.raise_cash {
            RaiseCash::ProRata => "what cash lacks is sold from every holding".to_string(),
            RaiseCash::Largest => "what cash lacks is sold from the largest holding".to_string(),
            RaiseCash::Refuse => "what cash lacks is not paid".to_string(),
        });
    }
    words.join(", ")
}

fn flow(flow: &Cashflow) -> String {
    let stream = &flow.stream;
    let Some(amount) = flow.amount else {
        return format!("{stream}: dated amounts of a file");
    };
    let money = figure::money(amount.abs());
    let on = match flow.day {
        ScheduleDay::First => "first session".to_string(),
        ScheduleDay::Last => "last session".to_string(),
        ScheduleDay::Nth(n) => format!("day {n}"),
    };
    let what = if amount < 0.0 { "out" } else { "in" };
    let when = match flow.every {
        None => flow
            .start
            .map_or_else(String::new, |day| format!("on {day}")),
        Some(Every::Day | Every::Bar) => "every session".to_string(),
        Some(Every::Week) => format!("on the {on} of every week"),
        Some(Every::Month) => format!("on the {on} of every month"),
        Some(Every::Quarter) => format!("on the {on} of every quarter"),
        Some(Every::Year) => format!("on the {on} of every year"),
    };
    let grows = if flow.grow == 0.0 {
        String::new()
    } else {
        format!(", {} more a year", figure::given_percent(flow.grow))
    };
    let spent = match flow.invest {
        Invest::NextDecision => "",
        Invest::Now => ", spent at that open on what is held",
        Invest::MostUnderweight => ", spent at that open on the smallest holding",
    };
    format!("{stream}: {money} {what} {when}{grows}{spent}")
}

fn prices(strategy: &Strategy) -> String {
    match strategy.data.prices {
        Prices::Raw => "as traded; splits and dividends are booked where the data has them".into(),
        Prices::Adjusted => "adjusted for splits and dividends, so none is booked".into(),
    }
}
