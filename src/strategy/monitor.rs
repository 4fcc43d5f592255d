//! `[monitor]`: conditions on a paper account, in the language of rules over the account's own
//! columns. What an alarm leads to is left to the paper account.

use crate::error::Problem;
use crate::market::Interval;
use crate::rules::{Kind, Program, Request, Vocabulary};
use crate::strategy::ExprText;
use crate::strategy::file::Value;
use crate::strategy::resolve::Values;

/// The columns of an account, beside those of `outside_cone`: its equity, its cash, what it has
/// fallen from its peak (a fraction from 0 up, of the time-weighted curve), gross exposure over equity,
/// and the sessions since its last bar.
pub const MONITOR_COLUMNS: [&str; 5] =
    ["equity", "cash", "drawdown", "exposure", "days_without_bar"];

/// Call of the one function that only monitors have.
const CALL: &str = "outside_cone(";

/// An alarm of a paper account.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// Its name.
    pub name: String,
    /// Its condition as written.
    pub expression: ExprText,
}

/// The monitors of a file in its order.
pub(super) fn monitors(values: &Values<'_>) -> Vec<Monitor> {
    let named = |(key, value): (&str, &Value)| match (key.strip_prefix("monitor."), value) {
        (Some(name), Value::Expression(expression)) => Some(Monitor {
            name: name.to_owned(),
            expression: expression.clone(),
        }),
        _ => None,
    };
    let given = values.0.iter().map(|g| (g.key.as_str(), &g.value));
    given.filter_map(named).collect()
}

/// Mistakes of monitors, at their places in the file or by their key.
pub(super) fn monitor_mistakes(monitors: &[Monitor], params: &[(String, f64)]) -> Vec<Problem> {
    let (mut problems, mut shares) = (Vec::new(), Vec::new());
    for monitor in monitors {
        if let Err(problem) = monitor.condition(&mut shares) {
            problems.push(problem);
        }
    }
    match problems.is_empty() {
        true => watched(monitors, params).err().unwrap_or_default(),
        false => problems,
    }
}

/// Monitors, ready to be asked.
pub struct Watch {
    /// Their conditions, in their order, over a tape of the account: `open high low close` are its
    /// equity, the further columns [`MONITOR_COLUMNS`] and one a share of `shares`.
    pub program: Program,
    /// The shares p of `outside_cone(p)`, each with the name of its column, which is 1 where the
    /// account lies outside and 0 where it does not.
    pub shares: Vec<(String, f64)>,
}

/// Compiles monitors.
///
/// # Errors
/// All mistakes, with their places.
pub fn watched(monitors: &[Monitor], params: &[(String, f64)]) -> Result<Watch, Vec<Problem>> {
    let mut shares = Vec::new();
    let conditions = monitors.iter().map(|m| m.condition(&mut shares));
    let texts = conditions.collect::<Result<Vec<_>, _>>();
    let texts = texts.map_err(|problem| vec![problem])?;
    let requests: Vec<Request<'_>> = monitors
        .iter()
        .zip(&texts)
        .map(|(monitor, text)| Request {
            key: &monitor.expression.key,
            text,
            offset: monitor.expression.span.as_ref().map(|span| span.start),
            expects: Kind::Condition,
            position: false,
        })
        .collect();
    let columns = ["open", "high", "low", "close"].into_iter();
    let columns = columns.chain(MONITOR_COLUMNS).map(str::to_owned);
    let vocabulary = Vocabulary {
        columns: columns
            .chain(shares.iter().map(|(n, _)| n.clone()))
            .collect(),
        has_volume: false,
        symbols: Vec::new(),
        interval: Interval::Day,
        bars_a_session: 1.0,
        is_open: false,
    };
    let program = Program::compile(params, &[], &requests, &vocabulary)?;
    Ok(Watch { program, shares })
}

impl Monitor {
    /// The condition with every `outside_cone(p)` as a comparison of a column, as long as it was, so
    /// that places stay what they are.
    fn condition(&self, shares: &mut Vec<(String, f64)>) -> Result<String, Problem> {
        let mut text = self.expression.text.clone();
        while let Some(from) = text.find(CALL) {
            let inside = from + CALL.len();
            let share = text[inside..].find(')').map(|at| inside + at);
            let number = share.and_then(|to| text[inside..to].trim().parse::<f64>().ok());
            let (Some(to), Some(p)) = (share, number.filter(|p| *p > 0.0 && *p < 1.0)) else {
                return Err(self.odd_share(from));
            };
            let known = shares.iter().position(|(_, share)| *share == p);
            let place = known.unwrap_or(shares.len());
            let name = format!("cone{place}");
            if known.is_none() {
                shares.push((name.clone(), p));
            }
            let width = to + 1 - from;
            text.replace_range(from..=to, &format!("{:<width$}", format!("({name}>0)")));
        }
        Ok(text)
    }

    fn odd_share(&self, at: usize) -> Problem {
        let problem = Problem::new("outside_cone takes a share of paths between 0 and 1")
            .help("write the number itself, for example outside_cone(0.95)");
        match &self.expression.span {
            Some(span) => problem.at(span.start + at..span.start + at + CALL.len() - 1),
            None => problem.at_column(self.expression.key.clone()),
        }
    }
}
