//! The best of many rows, as they stream by: a bounded list of the best, how many have no objective,
//! the best of each cell of a pair of axes, and how good the neighbours of the best are.

use crate::metrics::trial::Trial;
use crate::study::sweep::field::Row;
use crate::study::sweep::space::Space;

/// What trials are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// Key of the figure.
    pub key: &'static str,
    /// Its place in a row.
    pub place: usize,
    /// The least is best.
    pub least: bool,
}

impl Goal {
    /// The goal of a key; `None` when rows have no such figure.
    pub fn of(key: &str) -> Option<Goal> {
        let place = Trial::KEYS.iter().position(|known| *known == key)?;
        let key = Trial::KEYS[place];
        Some(Goal {
            key,
            place,
            least: key == "volatility",
        })
    }

    /// The figure is never above 0.
    pub fn is_negative(&self) -> bool {
        self.key == "max_drawdown"
    }

    /// The figure of a row; NaN where there is none.
    pub fn value(&self, row: &Row) -> f64 {
        row.figures[self.place]
    }

    /// Whether `a` ranks before `b`: the better figure, of equals the lower number; a figure that
    /// does not exist comes last.
    pub fn is_before(&self, a: &Row, b: &Row) -> bool {
        let (x, y) = (self.score(a), self.score(b));
        x > y || (x == y && a.index < b.index)
    }

    /// Larger is better; the lowest number of all where there is no figure.
    pub fn score(&self, row: &Row) -> f64 {
        match (self.value(row), self.least) {
            (x, _) if x.is_nan() => f64::NEG_INFINITY,
            (x, true) => -x,
            (x, false) => x,
        }
    }
}

/// The best rows of a stream.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// What ranks.
    pub goal: Goal,
    /// The best rows, best first; at most as many as were asked for.
    pub best: Vec<Row>,
    /// Rows seen.
    pub count: u64,
    /// Rows without the figure that ranks.
    pub absent: u64,
    most: usize,
}

impl Ranking {
    /// Keeps the best `most` rows.
    pub fn new(goal: Goal, most: usize) -> Self {
        Ranking {
            goal,
            best: Vec::new(),
            count: 0,
            absent: 0,
            most,
        }
    }

    /// Counts a row that does not compete.
    pub fn pass(&mut self, row: &Row) {
        self.count += 1;
        self.absent += u64::from(self.goal.value(row).is_nan());
    }

    /// Takes one more row.
    pub fn push(&mut self, row: &Row) {
        self.count += 1;
        self.absent += u64::from(self.goal.value(row).is_nan());
        let goal = self.goal;
        if self.best.len() == self.most
            && self
                .best
                .last()
                .is_none_or(|last| !goal.is_before(row, last))
        {
            return;
        }
        let at = self
            .best
            .partition_point(|better| goal.is_before(better, row));
        self.best.insert(at, row.clone());
        self.best.truncate(self.most);
    }
}

/// The numbers of the points one step away from a point on each axis.
pub fn neighbours(space: &Space, index: u64) -> Vec<u64> {
    let mut point = space.point_of(index);
    let mut near = Vec::new();
    for axis in 0..point.len() {
        let at = point[axis];
        let last = space.axes[axis].values.len() - 1;
        for next in [at.checked_sub(1), (at < last).then_some(at + 1)] {
            let Some(next) = next else { continue };
            point[axis] = next;
            if space.admits(&point) {
                near.push(space.index(&point));
            }
        }
        point[axis] = at;
    }
    near
}

/// The best figure of each pair of values of two axes, over all values of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Place of the axis that runs to the right.
    pub right: usize,
    /// Place of the axis that runs upward; `None` when there is only one.
    pub up: Option<usize>,
    /// The figure of values `i` to the right and `j` upward at `j * width + i`; `None` where there
    /// is none.
    pub cells: Vec<Option<f64>>,
    width: usize,
}

/// Cells of one map.
const CELLS_MAX: usize = 250_000;
/// Maps of one sweep.
const MAPS_MAX: usize = 10;

impl Heat {
    /// Empty maps of every pair of axes with two values or more, as far as they can be drawn; of a
    /// single such axis its line.
    pub fn of_pairs(space: &Space) -> Vec<Heat> {
        let length = |axis: usize| space.axes[axis].values.len();
        let varied: Vec<usize> = (0..space.axes.len()).filter(|a| length(*a) > 1).collect();
        let map = |right: usize, up: Option<usize>| Heat {
            right,
            up,
            cells: vec![None; length(right) * up.map_or(1, length)],
            width: length(right),
        };
        if let [only] = varied.as_slice()
            && length(*only) <= CELLS_MAX
        {
            return vec![map(*only, None)];
        }
        let pairs = varied
            .iter()
            .enumerate()
            .flat_map(|(i, right)| varied[i + 1..].iter().map(move |up| (*right, *up)));
        let fits = |(right, up): &(usize, usize)| length(*up) * length(*right) <= CELLS_MAX;
        let maps = pairs.filter(fits).take(MAPS_MAX);
        maps.map(|(right, up)| map(right, Some(up))).collect()
    }

    /// The cell of a point.
    pub fn cell(&self, point: &[usize]) -> (usize, usize) {
        (point[self.right], self.up.map_or(0, |up| point[up]))
    }

    /// Takes one more trial, whose point is `point`.
    pub fn push(&mut self, goal: &Goal, point: &[usize], row: &Row) {
        let value = goal.value(row);
        let (i, j) = self.cell(point);
        let cell = &mut self.cells[j * self.width + i];
        let is_better = |old: f64| if goal.least { value < old } else { value > old };
        if !value.is_nan() && cell.is_none_or(is_better) {
            *cell = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64, sharpe: f64) -> Row {
        let mut figures = [0.0; 10];
        figures[3] = sharpe;
        Row {
            index,
            bars: 1,
            figures,
        }
    }

    #[test]
    fn the_best_come_first_equals_by_number_and_absent_ones_last() {
        let Some(goal) = Goal::of("sharpe") else {
            unreachable!("a row has a Sharpe ratio")
        };
        let mut ranking = Ranking::new(goal, 4);
        for (index, sharpe) in [0.1, f64::NAN, 0.5, 0.5, -1.0, f64::NAN].iter().enumerate() {
            ranking.push(&row(index as u64, *sharpe));
        }
        let order: Vec<u64> = ranking.best.iter().map(|row| row.index).collect();
        assert_eq!(order, [2, 3, 0, 4]);
        assert_eq!((ranking.count, ranking.absent), (6, 2));
        assert!(Goal::of("volatility").is_some_and(|goal| goal.least));
        assert_eq!(Goal::of("beta"), None);
    }
}
