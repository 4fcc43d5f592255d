//! The keys of `[rank]` and `[weights]` into values, and against each other and other tables.

use super::{Hold, Mix, Rank, RankWeight, Refuge, WeightMethod, Weights};
use crate::error::Problem;
use crate::strategy::file::{Value, short};
use crate::strategy::resolve::Values;
use crate::strategy::{AccountKind, Every, ExprText, OrderKind, ScheduleDay, SizeMethod, Strategy};

/// `[rank]`, when the file has it. What is missing is told by [`check`].
pub(in crate::strategy) fn rank(values: &Values<'_>) -> Option<Rank> {
    if !values.has_table("rank") {
        return None;
    }
    let window = values.whole("rank.vol_window").unwrap_or(1);
    let quantile = values.number("rank.quantile").map(Hold::Quantile);
    let count = values.whole("rank.hold").map(Hold::Count);
    Some(Rank {
        score: values
            .expression("rank.score")
            .unwrap_or_else(|| internal("rank.score", "0")),
        condition: values.expression("rank.where"),
        hold: quantile.or(count).unwrap_or(Hold::Count(1)),
        short_hold: values.whole("rank.short_hold").unwrap_or(0),
        weight: match values.word("rank.weight").as_str() {
            "score" => RankWeight::Score,
            "inverse_vol" => RankWeight::InverseVol,
            "rank" => RankWeight::Rank,
            _ => RankWeight::Equal,
        },
        volatility: internal("rank.weight", &format!("realized_vol(close, {window})")),
        every: every(&values.word("rank.every")).unwrap_or(Every::Month),
        day: values.schedule_day("rank.day"),
        buffer: values.whole("rank.buffer").unwrap_or(0),
        absolute: values.expression("rank.absolute"),
        refuge: match values.word("rank.refuge").as_str() {
            "cash" => Refuge::Cash,
            symbol => Refuge::Symbol(symbol.to_owned()),
        },
        reweight: values.flag("rank.reweight"),
    })
}

/// `[weights]`, when the file has it.
pub(in crate::strategy) fn weights(values: &Values<'_>) -> Option<Weights> {
    if !values.has_table("weights") {
        return None;
    }
    let window = values.whole("weights.window").unwrap_or(2);
    let method = values
        .text("weights.method")
        .map(|word| match word.as_str() {
            "inverse_vol" => WeightMethod::InverseVol,
            "risk_parity" => WeightMethod::RiskParity,
            "min_variance" => WeightMethod::MinVariance,
            _ => WeightMethod::Equal,
        });
    let measure = match method {
        Some(WeightMethod::InverseVol) => Some(format!("realized_vol(close, {window})")),
        Some(WeightMethod::RiskParity | WeightMethod::MinVariance) => {
            Some("close / close[1] - 1".to_owned())
        }
        Some(WeightMethod::Equal) | None => None,
    };
    let targets = match values.value("weights.targets") {
        Some(Value::Weights(targets)) => targets.clone(),
        _ => Vec::new(),
    };
    Some(Weights {
        mix: method.map_or(Mix::Targets(targets), Mix::Method),
        window,
        measure: measure.map(|text| internal("weights.method", &text)),
        every: values.text("weights.every").and_then(|word| every(&word)),
        day: values.schedule_day("weights.day"),
        drift_abs: values.number("weights.drift_abs"),
        drift_rel: values.number("weights.drift_rel"),
        toward_band: values.word("weights.toward") == "band",
        min_trade: values.number("weights.min_trade").unwrap_or(0.0),
        tax_aware: values.flag("weights.tax_aware"),
    })
}

/// An expression that a key stands for.
fn internal(key: &str, text: &str) -> ExprText {
    ExprText {
        text: text.to_owned(),
        span: None,
        key: key.to_owned(),
    }
}

fn every(word: &str) -> Option<Every> {
    Some(match word {
        "day" => Every::Day,
        "week" => Every::Week,
        "month" => Every::Month,
        "quarter" => Every::Quarter,
        "year" => Every::Year,
        _ => return None,
    })
}

/// Checks both tables; `tried` are all keys of the file, good or not, whose own mistakes were told.
pub(in crate::strategy) fn check(
    values: &Values<'_>,
    tried: &[String],
    s: &Strategy,
    problems: &mut Vec<Problem>,
) {
    // A key that was given and is wrong, or is misspelt, has its own problem.
    let absent = |key: &str| {
        let table = key.split_once('.').map_or(key, |(table, _)| table);
        let is_bad = |k: &String| k.starts_with(table) && values.given(k).is_none();
        !tried.iter().any(|k| k == key || is_bad(k))
    };
    if let Some(rank) = &s.rank {
        check_rank(values, &absent, rank, problems);
        check_shorts(values, s, rank, problems);
    }
    if let Some(weights) = &s.weights {
        check_weights(values, &absent, s, weights, problems);
    }
    if let Some(table) = s.portfolio_table() {
        check_beside(values, table, s, problems);
    }
}

fn check_rank(
    values: &Values<'_>,
    absent: &impl Fn(&str) -> bool,
    rank: &Rank,
    problems: &mut Vec<Problem>,
) {
    if absent("rank.score") {
        problems.push(
            values
                .heading(
                    "rank",
                    "[rank] has no score: nothing says which symbols are best",
                )
                .help("add, for example, score = \"close / close[252] - 1\""),
        );
    }
    if absent("rank.hold") && absent("rank.quantile") {
        problems.push(
            values
                .heading("rank", "[rank] does not say how many to hold")
                .help("add hold = 3, or quantile = 0.1 for the best tenth"),
        );
    }
    if values.given("rank.hold").is_some() && values.given("rank.quantile").is_some() {
        problems.push(
            values
                .problem(
                    "rank.quantile",
                    "`hold` and `quantile` both say how many to hold",
                )
                .help("leave one of them out"),
        );
    }
    if values.given("rank.vol_window").is_some() && rank.weight != RankWeight::InverseVol {
        problems.push(
            values
                .problem(
                    "rank.vol_window",
                    "vol_window without weight = \"inverse_vol\"",
                )
                .help("add weight = \"inverse_vol\", or leave it out"),
        );
    }
    if let Some(day) = too_late(rank.every, rank.day) {
        problems.push(values.problem("rank.day", day));
    }
}

fn check_shorts(values: &Values<'_>, s: &Strategy, rank: &Rank, problems: &mut Vec<Problem>) {
    if !rank.shorts() {
        return;
    }
    if s.account.kind != AccountKind::Margin {
        problems.push(
            values
                .problem("rank.short_hold", "a cash account cannot sell short")
                .label("needs margin")
                .help("[account] kind = \"margin\" and margin_rate = …, [costs] borrow_rate = …"),
        );
    } else if s.costs.borrow_rate.is_none() {
        problems.push(
            values
                .problem(
                    "rank.short_hold",
                    "shorts need costs.borrow_rate, what borrowed shares cost a year",
                )
                .help("[costs] borrow_rate = 0.003 is 0.3% a year, usual for large companies"),
        );
    }
}

fn check_weights(
    values: &Values<'_>,
    absent: &impl Fn(&str) -> bool,
    s: &Strategy,
    weights: &Weights,
    problems: &mut Vec<Problem>,
) {
    let given = |key: &str| values.given(&format!("weights.{key}")).is_some();
    let mut wrong = |key: &str, message: &str, help: &str| {
        let key = format!("weights.{key}");
        problems.push(values.problem(&key, message).help(help));
    };
    if given("targets") && given("method") {
        wrong(
            "method",
            "`targets` and `method` both say what the weights are",
            "leave one of them out",
        );
    }
    let looks_back = weights.measure.is_some();
    if given("window") && !looks_back && !given("targets") && given("method") {
        wrong(
            "window",
            "method \"equal\" looks at no window",
            "leave it out",
        );
    }
    if given("window") && given("targets") && !given("method") {
        wrong(
            "window",
            "fixed targets look at no window",
            "leave it out, or use a method",
        );
    }
    if given("day") && weights.every.is_none() && absent("weights.every") {
        wrong(
            "day",
            "`day` without `every`",
            "add every = \"month\", or leave it out",
        );
    }
    if weights.toward_band && !weights.watches_drift() {
        wrong(
            "toward",
            "toward = \"band\" needs a band",
            "add drift_abs = 0.05 or drift_rel = 0.25",
        );
    }
    if weights.tax_aware && !values.has_table("tax") {
        wrong(
            "tax_aware",
            "tax_aware needs [tax]: without rates no trade has a tax",
            "add [tax] with your rates, or leave it out",
        );
    }
    check_sum(values, s, weights, problems);
    if absent("weights.targets") && absent("weights.method") {
        problems.push(
            values
                .heading("weights", "[weights] has neither `targets` nor `method`")
                .help("add targets = { SPY = 0.6, TLT = 0.4 }, or method = \"equal\""),
        );
    }
    if let Some(day) = weights.every.and_then(|every| too_late(every, weights.day)) {
        problems.push(values.problem("weights.day", day));
    }
}

/// More than all of equity needs a margin account.
fn check_sum(values: &Values<'_>, s: &Strategy, weights: &Weights, problems: &mut Vec<Problem>) {
    let sum: f64 = weights.targets().iter().map(|(_, w)| w).sum();
    if sum > 1.0 + 1e-9 && s.account.kind == AccountKind::Cash {
        let message = format!("the targets add up to {}: a cash account has 1", short(sum));
        let help = "[account] kind = \"margin\" and margin_rate = … can borrow; what is left below 1 stays cash";
        problems.push(values.problem("weights.targets", message).help(help));
    }
}

/// A day that no such period has.
fn too_late(every: Every, day: ScheduleDay) -> Option<String> {
    let (most, period) = match every {
        Every::Bar | Every::Day => (1, "day"),
        Every::Week => (7, "week"),
        Every::Month => (31, "month"),
        Every::Quarter => (92, "quarter"),
        Every::Year => (366, "year"),
    };
    match day {
        ScheduleDay::Nth(n) if n > most => Some(format!("no {period} has {n} days")),
        _ => None,
    }
}

/// What other tables say that such a selector does not ask.
fn check_beside(values: &Values<'_>, table: &str, s: &Strategy, problems: &mut Vec<Problem>) {
    let mut wrong = |key: &str, message: String, help: &str| {
        problems.push(values.problem(key, message).help(help));
    };
    if s.size.method != SizeMethod::Equal {
        wrong(
            "size.method",
            format!("[{table}] says how much to hold itself: size.method is of [rules]"),
            "leave it out; lot, min_order and max_weight hold for all",
        );
    }
    for key in ["size.max_positions", "size.pyramid"] {
        if values.given(key).is_some() {
            wrong(
                key,
                format!("{key} is of [rules]: [{table}] says how many to hold"),
                "leave it out",
            );
        }
    }
    if s.fill.order != OrderKind::Market {
        wrong(
            "fill.order",
            format!("[{table}] trades at the market"),
            "leave fill.order out",
        );
    }
    if s.account.each {
        wrong(
            "account.each",
            format!("with an account for each symbol [{table}] has nothing to choose from"),
            "leave account.each out",
        );
    }
}
