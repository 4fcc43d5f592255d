//! A strategy's own `[series]`, and the indicators that stand in its rules, as columns for the
//! charts; nothing here decides.

use crate::engine::Run;
use crate::indicators::{self, Scale};
use crate::market::Market;
use crate::rules::{EvalOptions, ExprId, Kind, Program, Request, Vocabulary};
use crate::strategy::{ExprText, Signals, Strategy};

/// Share of the bars on which a series must be near the close to be drawn over the price.
const NEAR_SHARE: f64 = 0.95;
/// Near is between a third of the close and three times it.
const NEAR_RATIO: f64 = 3.0;

/// One series of a strategy on one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnSeries {
    /// Its name in the strategy file, or the call with its params filled in: `rsi(14)`.
    pub name: String,
    /// Index of the symbol in the market.
    pub tape: usize,
    /// It is a price and belongs over the price.
    pub is_price: bool,
    /// Series that the rules compare with each other share a panel.
    pub panel: usize,
    /// What the rules compare it with, where that is the same on every bar: 30 and 70.
    pub levels: Vec<f64>,
    /// One value a bar of the symbol, NaN where there is none, in the money of that bar.
    pub values: Vec<f64>,
}

/// What is drawn of a strategy, before any symbol.
struct Shown {
    name: String,
    /// As written.
    text: String,
    id: ExprId,
    panel: usize,
    levels: Vec<f64>,
}

/// The numbers of `[series]`, and the indicator calls of the rules that are no series, on every
/// symbol that the run traded. Conditions are left out.
pub fn series(market: &Market, strategy: &Strategy, run: &Run) -> Vec<DrawnSeries> {
    // The run has compiled the same expressions, so there is nothing to report here.
    let Some((program, shown)) = shown(market, strategy) else {
        return Vec::new();
    };
    let options = EvalOptions {
        periods_a_year: run.periods_a_year,
        total_return: strategy.data.signals == Signals::TotalReturn,
    };
    let Ok(columns) = program.evaluate(market, &options) else {
        return Vec::new();
    };
    let mut traded: Vec<usize> = run.trades.iter().map(|trade| trade.symbol).collect();
    traded.sort_unstable();
    traded.dedup();
    let mut drawn = Vec::new();
    for tape in traded {
        for one in &shown {
            let values = columns[tape].number(one.id);
            if values.iter().any(|v| v.is_finite()) {
                drawn.push(DrawnSeries {
                    name: one.name.clone(),
                    tape,
                    is_price: is_price(&one.text, values, &market.tapes[tape].bars.close),
                    panel: one.panel,
                    levels: one.levels.clone(),
                    values: values.to_vec(),
                });
            }
        }
    }
    drawn
}

/// The strategy's expressions compiled, and which of them are drawn; `None` when there is nothing
/// to draw.
fn shown(market: &Market, strategy: &Strategy) -> Option<(Program, Vec<Shown>)> {
    let vocabulary = Vocabulary::of(market);
    let keys: Vec<String> = strategy
        .series
        .iter()
        .map(|(name, _)| format!("series.{name}"))
        .collect();
    let series: Vec<Request<'_>> = strategy
        .series
        .iter()
        .zip(&keys)
        .map(|((_, text), key)| request(key, &text.text, Kind::Any))
        .collect();
    let rules = &strategy.rules;
    let rules: Vec<Request<'_>> = [&rules.enter, &rules.exit, &rules.short, &rules.cover]
        .into_iter()
        .flatten()
        .map(|rule: &ExprText| request("rules", &rule.text, Kind::Condition))
        .collect();
    let params = &strategy.params;
    let written = Program::compile(params, &series, &rules, &vocabulary).ok()?;
    let calls: Vec<String> = (0..rules.len())
        .flat_map(|at| written.calls(at))
        .map(str::to_string)
        .collect();
    // The calls once more as expressions of their own, so that they have columns.
    let own = calls.iter().map(|call| request("rules", call, Kind::Any));
    let wanted: Vec<Request<'_>> = rules.iter().copied().chain(own).collect();
    let program = Program::compile(params, &series, &wanted, &vocabulary).ok()?;
    let mut shown: Vec<Shown> = Vec::new();
    let mut add = |name: String, text: &str, id: ExprId| {
        let is_new = shown.iter().all(|one| one.id != id);
        if is_new && program.kind(id) == Kind::Number && program.constant(id).is_none() {
            shown.push(Shown {
                name,
                text: text.to_string(),
                id,
                panel: shown.len(),
                levels: Vec::new(),
            });
        }
    };
    for (at, (name, text)) in strategy.series.iter().enumerate() {
        add(name.clone(), &text.text, program.series(at));
    }
    for (at, call) in calls.iter().enumerate() {
        let id = program.wanted(rules.len() + at);
        add(filled_in(call, params), call, id);
    }
    for at in 0..rules.len() {
        for pair in program.comparisons(program.wanted(at)) {
            compare(&mut shown, &program, pair);
        }
    }
    (!shown.is_empty()).then_some((program, shown))
}

fn request<'a>(key: &'a str, text: &'a str, expects: Kind) -> Request<'a> {
    Request {
        key,
        text,
        offset: None,
        expects,
        position: true,
    }
}

/// Notes a constant as a level of what it is compared with, and puts two that are compared into
/// one panel.
fn compare(shown: &mut [Shown], program: &Program, (a, b): (ExprId, ExprId)) {
    let place = |id: ExprId| shown.iter().position(|one| one.id == id);
    match (place(a), place(b), program.constant(a), program.constant(b)) {
        (Some(at), None, _, Some(level)) | (None, Some(at), Some(level), _) => {
            let levels = &mut shown[at].levels;
            if !levels.contains(&level) {
                levels.push(level);
                levels.sort_by(f64::total_cmp);
            }
        }
        (Some(one), Some(other), ..) => {
            let (from, to) = (shown[one].panel, shown[other].panel);
            let joined = shown.iter_mut().filter(|s| s.panel == from.max(to));
            joined.for_each(|s| s.panel = from.min(to));
        }
        _ => {}
    }
}

/// A call with the values of params in place of their names: `rsi(period)` as `rsi(14)`.
fn filled_in(call: &str, params: &[(String, f64)]) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::with_capacity(call.len());
    let mut rest = call;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| is_word(c) != is_word(first);
        let (word, after) = rest.split_at(rest.find(same).unwrap_or(rest.len()));
        match params.iter().find(|(name, _)| name == word) {
            Some((_, value)) => text.push_str(&value.to_string()),
            None => text.push_str(word),
        }
        rest = after;
    }
    text
}

/// Whether a series reads like a price: no call in it gives a pure number or volume, nothing is
/// divided, and it stays near the close.
fn is_price(text: &str, values: &[f64], close: &[f64]) -> bool {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let is_other = |word: &str| {
        let row = indicators::find(word);
        word == "volume" || row.is_some_and(|r| matches!(r.scale, Scale::Pure | Scale::Volume))
    };
    if text.contains('/') || words.into_iter().any(is_other) {
        return false;
    }
    let pairs = values.iter().zip(close).filter(|(v, _)| v.is_finite());
    let near = |(v, c): (&f64, &f64)| (1.0 / NEAR_RATIO..=NEAR_RATIO).contains(&(v / c));
    let (mut known, mut close_by) = (0, 0);
    for pair in pairs {
        known += 1;
        close_by += usize::from(near(pair));
    }
    known > 0 && close_by as f64 >= NEAR_SHARE * known as f64
}

#[cfg(test)]
mod tests {
    use super::filled_in;

    #[test]
    fn params_of_a_call_are_filled_in() {
        let params = [("n".to_string(), 14.0), ("k".to_string(), 2.5)];
        assert_eq!(filled_in("rsi(n)", &params), "rsi(14)");
        assert_eq!(
            filled_in("bb_upper(close, n, k)", &params),
            "bb_upper(close, 14, 2.5)"
        );
        assert_eq!(
            filled_in("sma(nn, 3) @ \"1w\"", &params),
            "sma(nn, 3) @ \"1w\""
        );
    }
}
