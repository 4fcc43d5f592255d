//! The trials of a sweep in the ledgers of their data.

use crate::error::Result;
use crate::study::overfitting::Sharpes;
use crate::study::sweep::course::{Course, Rows};
use crate::study::sweep::field::{Field, Row};
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
    let mut counter = Counter {
        field,
        folder,
        ledgers: BTreeMap::new(),
        markets: BTreeMap::new(),
        group: None,
        params: field.strategy.params.clone(),
    };
    let longest = course.longest(rows)?;
    course.each(rows, &mut |row| counter.add(row, longest))?;
    let mut sharpes = Sharpes::default();
    let mut hash = Sha256::new();
    for (key, ledger) in &mut counter.ledgers {
        ledger.write(&trial_ledger::path(folder, key))?;
        sharpes.merge(&ledger.sharpes());
        hash.update(ledger.sha256());
    }
    let sha256 = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(AllTrials { sharpes, sha256 })
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

impl Counter<'_> {
    fn add(&mut self, row: &Row, longest: u32) -> Result<()> {
        let space = &self.field.space;
        let market = row.index / space.points_a_market();
        if !self.markets.contains_key(&market) {
            let data = trial_ledger::data_key(&self.field.market_of(row.index)?.files);
            if !self.ledgers.contains_key(&data) {
                let ledger = Ledger::read(&trial_ledger::path(self.folder, &data))?;
                self.ledgers.insert(data.clone(), ledger);
            }
            self.markets.insert(market, data);
        }
        let group = row.index / space.points_a_group();
        let group_key = match self.group {
            Some((known, key)) if known == group => key,
            _ => trial_ledger::group_key(&self.field.strategy_of(row.index)?),
        };
        self.group = Some((group, group_key));
        let point = space.point_of(row.index);
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
            ledger.add(key, row.sharpe(longest));
        }
        Ok(())
    }
}
