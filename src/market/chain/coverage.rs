//! What a store of chains holds, per underlying, and its rows as a table in the native layout.

use super::{Chains, Field, Quotes};
use crate::instrument::Symbol;
use crate::market::save::Cells;
use crate::units::{DAY_MICROS, Micros};
use std::collections::BTreeSet;

/// The names of the columns of numbers in the native layout.
const NAMES: [(Field, &str); 8] = [
    (Field::Bid, "bid"),
    (Field::Ask, "ask"),
    (Field::Last, "last"),
    (Field::Volume, "volume"),
    (Field::OpenInterest, "open_interest"),
    (Field::Volatility, "implied_vol"),
    (Field::Delta, "delta"),
    (Field::UnderlyingPrice, "underlying_price"),
];

/// What there is of one underlying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainCoverage {
    /// The underlying.
    pub underlying: Symbol,
    /// Roots of its contracts, sorted.
    pub roots: Vec<Symbol>,
    /// First moment.
    pub first: Micros,
    /// Last moment.
    pub last: Micros,
    /// Moments with quotes.
    pub moments: usize,
    /// Quotes.
    pub quotes: usize,
    /// Contracts.
    pub contracts: usize,
    /// Expirations.
    pub expirations: usize,
    /// Columns that have a value, by their native names.
    pub columns: Vec<&'static str>,
}

impl Chains {
    /// What there is of each underlying, sorted.
    pub fn coverage(&self) -> Vec<ChainCoverage> {
        let names = self.underlyings();
        names.into_iter().map(|name| self.covered(name)).collect()
    }

    fn covered(&self, underlying: &str) -> ChainCoverage {
        let of = self.rows_of(underlying);
        let mut moments = BTreeSet::new();
        let mut expirations = BTreeSet::new();
        let mut roots = BTreeSet::new();
        let mut contracts = BTreeSet::new();
        for part in &of {
            moments.extend(part.moment());
            for row in part.rows.clone() {
                expirations.insert(self.expiration[row]);
                roots.insert(self.root[row]);
                contracts.insert((
                    self.root[row],
                    self.expiration[row],
                    self.right[row],
                    self.strike[row],
                ));
            }
        }
        let has = |field: Field| {
            of.iter()
                .any(|part| part.column(field).iter().any(|v| !v.is_nan()))
        };
        ChainCoverage {
            underlying: underlying.to_owned(),
            roots: roots
                .iter()
                .map(|code| self.name(*code).to_owned())
                .collect(),
            first: moments.first().copied().unwrap_or(0),
            last: moments.last().copied().unwrap_or(0),
            moments: moments.len(),
            quotes: of.iter().map(Quotes::len).sum(),
            contracts: contracts.len(),
            expirations: expirations.len(),
            columns: NAMES
                .iter()
                .filter(|(f, _)| has(*f))
                .map(|(_, name)| *name)
                .collect(),
        }
    }

    /// The quotes of an underlying, a view a moment.
    fn rows_of(&self, underlying: &str) -> Vec<Quotes<'_>> {
        let chain = |at: usize| self.of_moment(at).of_underlying(underlying);
        let all = (0..self.moments.len()).map(chain);
        all.filter(|part| !part.is_empty()).collect()
    }

    /// The quotes of an underlying in the native layout: `quote_date` (`timestamp` when days have
    /// several moments), `underlying`, `root`, `expiration`, `strike`, `type`, and the columns of numbers
    /// that are there.
    pub fn table(&self, underlying: &str) -> Vec<(String, Cells)> {
        let of = self.rows_of(underlying);
        let rows: Vec<usize> = of.iter().flat_map(|part| part.rows.clone()).collect();
        let time: Vec<Micros> = of
            .iter()
            .flat_map(|part| std::iter::repeat_n(part.moment().unwrap_or(0), part.len()))
            .collect();
        let is_daily = time.iter().all(|t| t.rem_euclid(DAY_MICROS) == 0);
        let texts =
            |of: &dyn Fn(usize) -> String| Cells::Texts(rows.iter().map(|&row| of(row)).collect());
        let expiration = |row: &usize| Micros::from(self.expiration[*row]) * DAY_MICROS;
        let strike = |row: &usize| f64::from(self.strike[*row]) / 1000.0;
        let mut columns = vec![
            (
                if is_daily { "quote_date" } else { "timestamp" },
                Cells::Moments(time),
            ),
            (
                "underlying",
                texts(&|row| self.name(self.underlying[row]).to_owned()),
            ),
            ("root", texts(&|row| self.name(self.root[row]).to_owned())),
            (
                "expiration",
                Cells::Moments(rows.iter().map(expiration).collect()),
            ),
            ("strike", Cells::Numbers(rows.iter().map(strike).collect())),
            ("type", texts(&|row| self.right[row].name().to_owned())),
        ];
        for (field, name) in NAMES {
            let column = &self.numbers[field as usize];
            if !column.is_empty() {
                columns.push((
                    name,
                    Cells::Numbers(rows.iter().map(|&row| column[row]).collect()),
                ));
            }
        }
        let owned = columns
            .into_iter()
            .map(|(name, cells)| (name.to_owned(), cells));
        owned.collect()
    }
}
