//! The trials of a sweep, or of a walk forward, in the ledgers of their data.

use crate::error::Result;
use crate::market::Market;
use crate::study::overfitting::Sharpes;
use crate::study::sweep::course::{Course, Rows};
use crate::study::sweep::field::Field;
use crate::study::trial_ledger::{self, Ledger};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// All trials ever made on the data of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct AllTrials {
    /// Their Sharpe ratios a year.
    pub sharpes: Sharpes,
    /// SHA-256 of the ledgers.
    pub sha256: String,
}

/// Adds the trials of a sweep to the ledgers in `folder` and says what they then hold.
///
/// # Errors
/// Ledgers that cannot be read or written, data that cannot be read again.
pub fn count(
    field: &Field,
    course: &Course,
    rows: &mut dyn Rows,
    folder: &Path,
) -> Result<AllTrials> {
    let mut counter = Counter::new(field, folder);
    let longest = course.longest(rows)?;
    course.each(rows, &mut |row| counter.add(row.index, row.sharpe(longest)))?;
    counter.finished()
}

/// Adds points, each with its Sharpe ratio a year (0 where it has none), to the ledgers in `folder` and says
/// what these then hold: points of `market`, else each of its own, which is read again.
///
/// # Errors
/// As [`count`].
pub fn count_points(
    field: &Field,
    market: Option<&Market>,
    points: impl Iterator<Item = (u64, f64)>,
    folder: &Path,
) -> Result<AllTrials> {
    let mut counter = Counter::new(field, folder);
    for (index, sharpe) in points {
        let id = index / field.space.points_a_market();
        if let Some(market) = market.filter(|_| !counter.markets.contains_key(&id)) {
            counter.open(id, market)?;
        }
        counter.add(index, sharpe)?;
    }
    counter.finished()
}

struct Counter<'a> {
    field: &'a Field,
    folder: &'a Path,
    /// By the key of their data.
    ledgers: BTreeMap<String, Ledger>,
    /// Key of the data of each market.
    markets: BTreeMap<u64, String>,
    /// The last group and its key.
    group: Option<(u64, u64)>,
    params: Vec<(String, f64)>,
}

impl<'a> Counter<'a> {
    fn new(field: &'a Field, folder: &'a Path) -> Self {
        Counter {
            field,
            folder,
            ledgers: BTreeMap::new(),
            markets: BTreeMap::new(),
            group: None,
            params: field.strategy.params.clone(),
        }
    }

    /// Reads the ledger of a market.
    fn open(&mut self, id: u64, market: &Market) -> Result<()> {
        let data = trial_ledger::data_key(&market.files);
        if !self.ledgers.contains_key(&data) {
            let ledger = Ledger::read(&trial_ledger::path(self.folder, &data))?;
            self.ledgers.insert(data.clone(), ledger);
        }
        self.markets.insert(id, data);
        Ok(())
    }

    /// Writes the ledgers and sums them up.
    fn finished(mut self) -> Result<AllTrials> {
        let mut sharpes = Sharpes::default();
        let mut hash = Sha256::new();
        for (key, ledger) in &mut self.ledgers {
            ledger.write(&trial_ledger::path(self.folder, key))?;
            sharpes.merge(&ledger.sharpes());
            hash.update(ledger.sha256());
        }
        let hash = hash.finalize();
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(AllTrials { sharpes, sha256 })
    }

    fn add(&mut self, index: u64, sharpe: f64) -> Result<()> {
        let space = &self.field.space;
        let market = index / space.points_a_market();
        if !self.markets.contains_key(&market) {
            self.open(market, &*self.field.market_of(index)?)?;
        }
        let group = index / space.points_a_group();
        let group_key = match self.group {
            Some((known, key)) if known == group => key,
            _ => trial_ledger::group_key(&self.field.strategy_of(index)?),
        };
        self.group = Some((group, group_key));
        let point = space.point_of(index);
        for (axis, at) in space.axes.iter().zip(point) {
            let value = axis.values[at].number;
            let param = self
                .params
                .iter_mut()
                .find(|(name, _)| axis.is_param() && name == axis.name());
            if let (Some((_, old)), Some(value)) = (param, value) {
                *old = value;
            }
        }
        let key = trial_ledger::trial_key(group_key, &self.params);
        if let Some(ledger) = self
            .markets
            .get(&market)
            .and_then(|d| self.ledgers.get_mut(d))
        {
            ledger.add(key, sharpe);
        }
        Ok(())
    }
}
