//! Why a rule did or did not fire: every sub-expression's value on one bar.

use super::check::Trace;
use super::eval::{self, Data, Given};
use super::plan::{ExprId, Plan};
use super::position::{Decision, Held};
use super::seen::History;
use super::{Columns, EvalOptions, cross};
use crate::market::Market;

/// What an expression is worth on one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A condition that holds or does not.
    Condition(bool),
    /// No value yet, or none on this bar.
    Absent,
}

impl Value {
    pub(super) fn of_number(value: f64) -> Self {
        if value.is_finite() {
            Value::Number(value)
        } else {
            Value::Absent
        }
    }

    pub(super) fn of_condition(value: Option<bool>) -> Self {
        value.map_or(Value::Absent, Value::Condition)
    }
}

/// A sub-expression and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// As written; a series shows its name, and below it what it is made of.
    pub text: String,
    /// How deep it stands in the whole expression, which is 0.
    pub depth: usize,
    /// Its value on the bar; on a coarser bar (`@`) that of the last completed one.
    pub value: Value,
}

/// A sub-expression of a record, with the records of series unfolded.
struct Line<'a> {
    text: &'a str,
    depth: usize,
    id: ExprId,
}

/// The lines of a record in reading order. A series is unfolded where it is named first.
fn unfold<'a>(
    traces: &'a [Trace],
    trace: usize,
    depth: usize,
    seen: &mut Vec<usize>,
    lines: &mut Vec<Line<'a>>,
) {
    seen.push(trace);
    let record = &traces[trace];
    for step in &record.steps {
        let Some(id) = step.id else {
            continue;
        };
        let depth = depth + step.depth;
        let text = &record.text[step.span.clone()];
        lines.push(Line { text, depth, id });
        if let Some(series) = step.expands.filter(|s| !seen.contains(s)) {
            unfold(traces, series, depth + 1, seen, lines);
        }
    }
}

/// Where and with what a record is evaluated.
pub(super) struct Spot<'a> {
    pub(super) market: &'a Market,
    pub(super) tape: usize,
    pub(super) bar: usize,
    pub(super) options: &'a EvalOptions,
    pub(super) held: Option<&'a Held>,
}

/// Every sub-expression of a record with its value on a bar.
pub(super) fn steps(plan: &Plan, traces: &[Trace], trace: usize, spot: &Spot<'_>) -> Vec<Step> {
    let mut lines = Vec::new();
    unfold(traces, trace, 0, &mut Vec::new(), &mut lines);
    let plain: Vec<ExprId> = lines
        .iter()
        .map(|line| line.id)
        .filter(|id| !plan.node(*id).position)
        .collect();
    let given = match plain.iter().any(|id| plan.node(*id).ranks > 0) {
        true => cross::ranks(plan, spot.market, spot.options, &plain).swap_remove(spot.tape),
        false => Given::new(),
    };
    let order = plan.needed(plain.iter().copied(), |id| {
        given.get(id.index()).is_some_and(Option::is_some)
    });
    let history = History::new(plan, spot.market, spot.tape, spot.options, &order);
    let end = (spot.bar + 1).min(history.tape.bars.len());
    let view = history.view(end);
    let lens: Vec<usize> = (0..=plan.intervals.len())
        .map(|f| view.len(f as u8))
        .collect();
    let slots = eval::run(plan, view, &order, &plain, &given);
    let value = |id: ExprId| {
        let last = lens[usize::from(plan.node(id).frame)].checked_sub(1);
        at_bar(slots[id.index()].as_ref(), last)
    };
    // The spine above position words reads this one bar only, as a column of one element.
    let one_bar = Columns {
        len: 1,
        slots: (0..plan.nodes.len())
            .map(|at| {
                slots[at]
                    .as_ref()
                    .map(|_| value(ExprId(at as u32)).column())
            })
            .collect(),
    };
    let position = |id: ExprId| match spot.held {
        Some(held) => Decision {
            plan,
            columns: &one_bar,
            bar: 0,
            held,
        }
        .value(id),
        None => Value::Absent,
    };
    lines
        .into_iter()
        .map(|line| Step {
            text: line.text.to_string(),
            depth: line.depth,
            value: match plan.node(line.id).position {
                true => position(line.id),
                false => value(line.id),
            },
        })
        .collect()
}

/// The value of the last bar of a frame; absent when the frame has none.
fn at_bar(data: Option<&Data>, last: Option<usize>) -> Value {
    match (data, last) {
        (Some(Data::Level(value)), _) => Value::of_number(*value),
        (Some(Data::Truth(value)), _) => Value::of_condition(*value),
        (Some(Data::Number(column)), Some(at)) => Value::of_number(column[at]),
        (Some(Data::Condition(mask)), Some(at)) => Value::of_condition(mask.get(at)),
        _ => Value::Absent,
    }
}

impl Value {
    /// A column of this one value. What is absent reads as absent whichever kind is asked for.
    fn column(self) -> Data {
        match self {
            Value::Number(value) => Data::Number(std::sync::Arc::new(vec![value])),
            Value::Condition(value) => Data::Condition(super::Mask::constant(1, Some(value))),
            Value::Absent => Data::Level(f64::NAN),
        }
    }
}
