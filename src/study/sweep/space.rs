//! The points of a sweep: every combination of the axes' values under one number, and the
//! constraint that some of them do not meet. Points are counted and read off their number, never
//! listed, so that ten million of them take no memory.
//!
//! Axes stand in an order of their own: first those that may ask for other data (`data.symbols`,
//! expressions), then other keys (`stops.stop`), then params. The last axis counts fastest. So
//! neighbours share as much of the work as they can, and rows come in this order.

use crate::error::{Error, Problem, Result};
use crate::rules::Constraint;
use crate::strategy::vocabulary::{self, Kind};
use crate::strategy::{Strategy, SweepAxis};

/// Most points that are told apart by number.
const POINTS_MAX: u128 = 1 << 62;

/// All combinations of some axes.
#[derive(Debug, Clone)]
pub struct Space {
    /// The axes, slowest first.
    pub axes: Vec<SweepAxis>,
    /// Axes at the front that may ask for other data or other expressions.
    pub market_axes: usize,
    /// Axes from there on that are keys but no params.
    pub key_axes: usize,
    /// Combinations, whether they meet the constraint or not.
    pub total: u64,
    constraint: Option<Constraint>,
    /// Values of all params as the file has them, and which axis varies each.
    params: Vec<(f64, Option<usize>)>,
}

impl Space {
    /// The space of a strategy's `[sweep]`.
    ///
    /// # Errors
    /// No axis at all, more combinations than can be numbered, a constraint that cannot be read.
    pub fn of(strategy: &Strategy) -> Result<Space> {
        let mut axes = strategy.sweep.axes.clone();
        if axes.is_empty() {
            return Err(Error::new(
                Problem::new("nothing varies, so there is nothing to sweep")
                    .in_file(&strategy.source.name)
                    .help("add [sweep] with a line such as period = [10, 14, 20], or --vary period=5..30:5"),
            ));
        }
        axes.sort_by_key(rank);
        let count = |rank_of: u8| axes.iter().filter(|axis| rank(axis) == rank_of).count();
        let lengths = axes.iter().map(|axis| axis.values.len() as u128);
        let total = lengths.fold(1u128, |product, n| product.saturating_mul(n));
        if total > POINTS_MAX {
            return Err(Error::new(
                Problem::new(format!("the axes have {total} combinations"))
                    .help("more than can be numbered: vary fewer keys, or in larger steps"),
            ));
        }
        let param = |(name, value): &(String, f64)| {
            let varied = |axis: &SweepAxis| axis.key.strip_prefix("params.") == Some(name);
            (*value, axes.iter().position(varied))
        };
        Ok(Space {
            market_axes: count(0),
            key_axes: count(1),
            total: total as u64,
            constraint: constraint(strategy)?,
            params: strategy.params.iter().map(param).collect(),
            axes,
        })
    }

    /// Writes the point of a number: one index into each axis' values.
    pub fn point(&self, index: u64, point: &mut [usize]) {
        let mut rest = index;
        for (axis, at) in self.axes.iter().zip(point).rev() {
            let length = axis.values.len() as u64;
            *at = (rest % length) as usize;
            rest /= length;
        }
    }

    /// The point of a number, on its own.
    pub fn point_of(&self, index: u64) -> Vec<usize> {
        let mut point = vec![0; self.axes.len()];
        self.point(index, &mut point);
        point
    }

    /// The number of a point.
    pub fn index(&self, point: &[usize]) -> u64 {
        let pairs = self.axes.iter().zip(point);
        pairs.fold(0, |index, (axis, at)| {
            index * axis.values.len() as u64 + *at as u64
        })
    }

    /// Combinations of the axes from `first` on.
    fn combinations(&self, first: usize) -> u64 {
        let lengths = self.axes[first..].iter();
        lengths.map(|axis| axis.values.len() as u64).product()
    }

    /// Points that share one choice of data and expressions.
    pub fn points_a_market(&self) -> u64 {
        self.combinations(self.market_axes)
    }

    /// Points that share everything but params.
    pub fn points_a_group(&self) -> u64 {
        self.combinations(self.market_axes + self.key_axes)
    }

    /// Whether a combination meets the constraint.
    pub fn admits(&self, point: &[usize]) -> bool {
        let Some(constraint) = &self.constraint else {
            return true;
        };
        let mut numbers = [0.0; 16];
        let value = |(fixed, axis): &(f64, Option<usize>)| {
            axis.and_then(|a| self.axes[a].values[point[a]].number)
                .unwrap_or(*fixed)
        };
        if self.params.len() > numbers.len() {
            let all: Vec<f64> = self.params.iter().map(value).collect();
            return constraint.holds(&all);
        }
        for (number, param) in numbers.iter_mut().zip(&self.params) {
            *number = value(param);
        }
        constraint.holds(&numbers[..self.params.len()])
    }

    /// Whether there is a constraint.
    pub fn is_constrained(&self) -> bool {
        self.constraint.is_some()
    }

    /// The settings of a point as `--set` takes them, params too.
    pub fn settings(&self, point: &[usize]) -> Vec<(String, String)> {
        let pairs = self.axes.iter().zip(point);
        pairs
            .map(|(axis, at)| (axis.key.clone(), axis.values[*at].text.clone()))
            .collect()
    }
}

fn constraint(strategy: &Strategy) -> Result<Option<Constraint>> {
    let Some(text) = &strategy.sweep.constraint else {
        return Ok(None);
    };
    let names: Vec<String> = strategy
        .params
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let constraint = Constraint::parse(&text.text, &names).map_err(|problems| {
        let placed = problems
            .into_iter()
            .map(|p| Problem { span: None, ..p }.at_column("where"));
        Error::all(placed.collect())
    });
    constraint.map(Some)
}

/// 0 for keys that may ask for other data or other expressions, 1 for other keys, 2 for params.
fn rank(axis: &SweepAxis) -> u8 {
    // Keys of [data] that say how the same bars are used, or which of them.
    const OF_THE_SAME_BARS: [&str; 5] = [
        "data.start",
        "data.end",
        "data.delist_after",
        "data.delist_haircut",
        "data.dividend_yield",
    ];
    if axis.is_param() {
        return 2;
    }
    let key = axis.key_inside();
    if key.starts_with("params.") {
        return 1;
    }
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let row = vocabulary::find_table(table).and_then(|table| table.find(name));
    let is_expression = match row.map(|row| row.kind) {
        None | Some(Kind::Expression) => true,
        Some(Kind::Distance(_)) => axis.values.iter().any(|value| value.number.is_none()),
        _ => key == "size.method" || table == "benchmark",
    };
    let is_data = table == "data" && !OF_THE_SAME_BARS.contains(&key);
    u8::from(!(is_expression || is_data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Overrides;
    use std::path::Path;

    fn space(sweep: &str) -> Space {
        let text = format!(
            "[params]\nfast = 2\nslow = 3\n[rules]\nenter = \"sma(fast) > sma(slow)\"\n[sweep]\n{sweep}"
        );
        let strategy = Strategy::parse(&text, "x.toml", Path::new(""), &Overrides::default());
        Space::of(&strategy.unwrap()).unwrap()
    }

    #[test]
    fn every_number_is_one_point_and_back() {
        let space = space(
            "fast = [1, 2, 3]\n\"stops.stop\" = [0.1, 0.2]\n\"data.symbols\" = [\"A\", \"B\"]\nslow = { from = 5, to = 9 }",
        );
        let keys: Vec<&str> = space.axes.iter().map(SweepAxis::name).collect();
        assert_eq!(keys, ["data.symbols", "stops.stop", "fast", "slow"]);
        assert_eq!((space.total, space.market_axes, space.key_axes), (60, 1, 1));
        assert_eq!((space.points_a_market(), space.points_a_group()), (30, 15));
        let mut seen = std::collections::HashSet::new();
        for index in 0..space.total {
            let point = space.point_of(index);
            assert_eq!(space.index(&point), index);
            assert!(seen.insert(point));
        }
        assert_eq!(space.point_of(16), [0, 1, 0, 1]);
    }

    #[test]
    fn a_constraint_sees_varied_and_fixed_params() {
        let space = space("fast = [1, 2, 3, 4]\nwhere = \"fast < slow\"");
        let admitted = (0..4).filter(|i| space.admits(&space.point_of(*i)));
        assert_eq!(admitted.collect::<Vec<_>>(), [0, 1]);
    }
}
