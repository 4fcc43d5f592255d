//! Which points of a space are tried: all that meet the constraint, or a sample of them without
//! repetition, or one part of several. What is done with them is left to the driver.

use crate::error::{Error, Problem, Result};
use crate::strategy::SweepMethod;
use crate::study::sweep::space::Space;
use std::collections::BTreeSet;
use std::ops::Range;

/// Largest space that is walked through to count or to pick.
const WALKED_MAX: u64 = 1_000_000_000;
/// Draws for each wanted sample before a constraint counts as one that nobody meets.
const DRAWS_MAX: u64 = 10_000;

/// The points of a sweep, in the order of their numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// All points in a range of numbers that meet the constraint; how many that are.
    All(Range<u64>, u64),
    /// These.
    These(Vec<u64>),
}

impl Choice {
    /// How many points there are.
    pub fn len(&self) -> u64 {
        match self {
            Choice::All(_, count) => *count,
            Choice::These(list) => list.len() as u64,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points of a space by a method: `samples` of them, or all.
    ///
    /// # Errors
    /// A constraint that no point meets, more points than are walked through, random without
    /// `samples`.
    pub fn of(space: &Space, method: SweepMethod, samples: Option<u64>, seed: u64) -> Result<Self> {
        let is_sample = method != SweepMethod::Grid && samples.is_some_and(|n| n < space.total);
        if method == SweepMethod::Random && samples.is_none() {
            return Err(Error::new(
                Problem::new("method \"random\" needs the number of samples")
                    .help("[sweep] samples = 1000, or --samples 1000"),
            ));
        }
        if !is_sample {
            return Choice::all(space);
        }
        let wanted = samples.unwrap_or(space.total);
        if space.total > WALKED_MAX {
            return drawn(space, wanted, seed).map(Choice::These);
        }
        let Choice::All(range, count) = Choice::all(space)? else {
            return Choice::all(space);
        };
        if wanted >= count {
            return Ok(Choice::All(range, count));
        }
        let ranks = floyd(count, wanted, seed);
        Ok(Choice::These(of_ranks(space, &ranks)))
    }

    fn all(space: &Space) -> Result<Choice> {
        let cure = "try a sample of them: --method random --samples 10000";
        if space.total > WALKED_MAX {
            let problem = Problem::new(format!("a grid of {} combinations", space.total));
            return Err(Error::new(problem.help(cure)));
        }
        let count = admitted(space, 0..space.total);
        if count == 0 {
            return Err(Error::new(
                Problem::new(format!(
                    "none of {} combinations meets the constraint",
                    space.total
                ))
                .at_column("sweep.where")
                .help("loosen `where`, or widen the axes that it compares"),
            ));
        }
        Ok(Choice::All(0..space.total, count))
    }

    /// Part `part` of `parts`, counted from 0: neighbours in the order of the points.
    pub fn part(&self, space: &Space, part: u64, parts: u64) -> Choice {
        let cut = |n: u64, k: u64| (u128::from(n) * u128::from(k) / u128::from(parts)) as u64;
        match self {
            Choice::All(range, _) => {
                let length = range.end - range.start;
                let from = range.start + cut(length, part);
                let to = range.start + cut(length, part + 1);
                Choice::All(from..to, admitted(space, from..to))
            }
            Choice::These(list) => {
                let n = list.len() as u64;
                let part = &list[cut(n, part) as usize..cut(n, part + 1) as usize];
                Choice::These(part.to_vec())
            }
        }
    }

    /// The points after the first `done`, of which the last was `last`.
    pub fn after(&self, done: u64, last: Option<u64>) -> Choice {
        match (self, last) {
            (_, None) => self.clone(),
            (Choice::All(range, count), Some(last)) => {
                Choice::All(last + 1..range.end, count.saturating_sub(done))
            }
            (Choice::These(list), Some(_)) => Choice::These(list[done as usize..].to_vec()),
        }
    }
}

/// Takes points off a choice, in order.
pub struct Points<'a> {
    space: &'a Space,
    choice: &'a Choice,
    at: u64,
    point: Vec<usize>,
}

impl<'a> Points<'a> {
    /// From the first point on.
    pub fn new(space: &'a Space, choice: &'a Choice) -> Self {
        let at = match choice {
            Choice::All(range, _) => range.start,
            Choice::These(_) => 0,
        };
        Points {
            space,
            choice,
            at,
            point: vec![0; space.axes.len()],
        }
    }
}

impl Iterator for Points<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match self.choice {
            Choice::These(list) => {
                let index = list.get(self.at as usize).copied();
                self.at += 1;
                index
            }
            Choice::All(range, _) => {
                while self.at < range.end {
                    let index = self.at;
                    self.at += 1;
                    if !self.space.is_constrained() {
                        return Some(index);
                    }
                    self.space.point(index, &mut self.point);
                    if self.space.admits(&self.point) {
                        return Some(index);
                    }
                }
                None
            }
        }
    }
}

fn admitted(space: &Space, range: Range<u64>) -> u64 {
    if !space.is_constrained() {
        return range.end - range.start;
    }
    let choice = Choice::All(range, 0);
    Points::new(space, &choice).count() as u64
}

/// Numbers of the points at these ranks among those that meet the constraint; ranks ascend.
fn of_ranks(space: &Space, ranks: &BTreeSet<u64>) -> Vec<u64> {
    if !space.is_constrained() {
        return ranks.iter().copied().collect();
    }
    let all = Choice::All(0..space.total, 0);
    let mut wanted = ranks.iter().copied().peekable();
    let mut list = Vec::with_capacity(ranks.len());
    for (rank, index) in Points::new(space, &all).enumerate() {
        if wanted.peek() == Some(&(rank as u64)) {
            wanted.next();
            list.push(index);
        }
    }
    list
}

/// `wanted` different numbers below `count`, each set equally likely: Floyd's algorithm (Bentley &
/// Floyd 1987, A sample of brilliance, Communications of the ACM 30(9)).
fn floyd(count: u64, wanted: u64, seed: u64) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for j in count - wanted..count {
        let drawn = below(j + 1, seed, j);
        if !chosen.insert(drawn) {
            chosen.insert(j);
        }
    }
    chosen
}

/// Points of a space too large to walk through, drawn one by one.
fn drawn(space: &Space, wanted: u64, seed: u64) -> Result<Vec<u64>> {
    let mut chosen = BTreeSet::new();
    let mut point = vec![0; space.axes.len()];
    let mut idle = 0;
    for counter in 0.. {
        if chosen.len() as u64 == wanted {
            break;
        }
        let index = below(space.total, seed, counter);
        space.point(index, &mut point);
        idle += 1;
        if space.admits(&point) && chosen.insert(index) {
            idle = 0;
        }
        if idle > DRAWS_MAX * 100 {
            let found = chosen.len();
            let problem = Problem::new(format!(
                "only {found} of {wanted} samples meet the constraint, after {counter} draws"
            ));
            let problem = problem.at_column("sweep.where");
            return Err(Error::new(
                problem.help("loosen `where`, or ask for fewer samples"),
            ));
        }
    }
    Ok(chosen.into_iter().collect())
}

/// A number below `bound` from a counter-based stream.
fn below(bound: u64, seed: u64, counter: u64) -> u64 {
    let word = mixed(mixed(seed ^ 0x5377_6565_7073_2121).wrapping_add(counter));
    ((u128::from(word) * u128::from(bound)) >> 64) as u64
}

/// Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators: the finaliser of
/// SplitMix64.
pub(crate) fn mixed(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{Overrides, Strategy};
    use std::path::Path;

    fn space(sweep: &str) -> Space {
        let text = format!(
            "[params]\na = 2\nb = 3\n[rules]\nenter = \"sma(a) > sma(b)\"\n[sweep]\n{sweep}"
        );
        let strategy = Strategy::parse(&text, "x.toml", Path::new(""), &Overrides::default());
        Space::of(&strategy.unwrap()).unwrap()
    }

    fn list(space: &Space, choice: &Choice) -> Vec<u64> {
        Points::new(space, choice).collect()
    }

    #[test]
    fn a_sample_has_no_point_twice_and_meets_the_constraint() {
        let space =
            space("a = { from = 1, to = 40 }\nb = { from = 1, to = 40 }\nwhere = \"a < b\"");
        let grid = Choice::of(&space, SweepMethod::Grid, None, 1).unwrap();
        assert_eq!(grid.len(), 780);
        let sample = Choice::of(&space, SweepMethod::Random, Some(100), 1).unwrap();
        let points = list(&space, &sample);
        assert_eq!(points.len(), 100);
        assert!(points.windows(2).all(|w| w[0] < w[1]));
        assert!(points.iter().all(|i| space.admits(&space.point_of(*i))));
        assert_ne!(
            sample,
            Choice::of(&space, SweepMethod::Random, Some(100), 2).unwrap()
        );
        let all = Choice::of(&space, SweepMethod::Random, Some(780), 1).unwrap();
        assert_eq!(all, grid);
    }

    #[test]
    fn parts_are_the_whole_and_what_is_done_is_not_done_again() {
        let space =
            space("a = { from = 1, to = 13 }\nb = { from = 1, to = 11 }\nwhere = \"a < b\"");
        for choice in [
            Choice::of(&space, SweepMethod::Grid, None, 1).unwrap(),
            Choice::of(&space, SweepMethod::Random, Some(31), 1).unwrap(),
        ] {
            let whole = list(&space, &choice);
            assert_eq!(whole.len() as u64, choice.len());
            let parts: Vec<u64> = (0..3)
                .flat_map(|k| list(&space, &choice.part(&space, k, 3)))
                .collect();
            assert_eq!(parts, whole);
            let rest = choice.after(7, Some(whole[6]));
            assert_eq!(list(&space, &rest), whole[7..]);
            assert_eq!(rest.len() as usize, whole.len() - 7);
        }
    }

    #[test]
    fn nobody_and_too_many_are_told() {
        let none = space("a = [1, 2]\nwhere = \"a > 5\"");
        let error = Choice::of(&none, SweepMethod::Grid, None, 1).unwrap_err();
        assert!(error.to_string().contains("none of 2 combinations"));
        let many = space("a = { from = 1, to = 100000 }\nb = { from = 1, to = 100000 }");
        assert!(Choice::of(&many, SweepMethod::Grid, None, 1).is_err());
        let sample = Choice::of(&many, SweepMethod::Random, Some(50), 1).unwrap();
        assert_eq!(sample.len(), 50);
    }
}
