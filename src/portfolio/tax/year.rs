//! A year's gains and income -> its tax: netting, carry-forwards, the deduction from ordinary income.

use crate::strategy::Tax;
use std::collections::BTreeMap;

/// What a year realised and received, in money. Losses that wash sales disallowed are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct YearSums {
    /// Gains less losses of shares that were not held long.
    pub short: f64,
    /// Gains less losses of shares that were held long.
    pub long: f64,
    /// Dividends received in cash.
    pub dividends: f64,
    /// Interest received.
    pub interest: f64,
}

/// One year's tax and how it came about, in money.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct YearTax {
    /// The calendar year.
    pub year: i32,
    /// What was realised and received.
    pub sums: YearSums,
    /// Short-term loss carried into the year, a positive number.
    pub carried_short: f64,
    /// Long-term loss carried into the year, a positive number.
    pub carried_long: f64,
    /// Net loss deducted from ordinary income.
    pub deducted: f64,
    /// Short-term loss carried out of the year, a positive number.
    pub carry_short: f64,
    /// Long-term loss carried out of the year, a positive number.
    pub carry_long: f64,
    /// Tax owed; negative where the deduction saves more than the year owes.
    pub tax: f64,
    /// Tax paid for the year so far.
    pub paid: f64,
}

/// Taxes one year. `carried` are the short-term and long-term losses of the years before.
///
/// Short nets with short and long with long, then what is left of a loss nets across; up to
/// `loss_cap_ordinary` of a net loss is deducted from ordinary income, short-term losses first, and
/// saves tax at `short_rate`; the rest is carried forward and keeps its character. This is the
/// order of Schedule D and of the capital loss carryover worksheet of the US forms.
pub fn assess(tax: &Tax, year: i32, sums: YearSums, carried: (f64, f64)) -> YearTax {
    let mut short = sums.short - carried.0;
    let mut long = sums.long - carried.1;
    if short < 0.0 && long > 0.0 {
        let used = long.min(-short);
        (short, long) = (short + used, long - used);
    } else if long < 0.0 && short > 0.0 {
        let used = short.min(-long);
        (short, long) = (short - used, long + used);
    }
    let (loss_short, loss_long) = ((-short).max(0.0), (-long).max(0.0));
    let deducted = tax.loss_cap_ordinary.min(loss_short + loss_long);
    let from_short = deducted.min(loss_short);
    let rate = |rate: Option<f64>| rate.unwrap_or(0.0);
    YearTax {
        year,
        sums,
        carried_short: carried.0,
        carried_long: carried.1,
        deducted,
        carry_short: loss_short - from_short,
        carry_long: loss_long - (deducted - from_short),
        tax: short.max(0.0) * tax.short_rate
            + long.max(0.0) * tax.long_rate
            + sums.dividends.max(0.0) * rate(tax.dividend_rate)
            + sums.interest.max(0.0) * rate(tax.interest_rate)
            - deducted * tax.short_rate,
        paid: 0.0,
    }
}

/// Taxes every year from the first to `through`, carrying losses forward; years without an event
/// are in it, too.
pub(super) fn assess_all(tax: &Tax, sums: &BTreeMap<i32, YearSums>, through: i32) -> Vec<YearTax> {
    let Some((&first, _)) = sums.first_key_value() else {
        return Vec::new();
    };
    let mut carried = (0.0, 0.0);
    let one = |year: i32| {
        let year = assess(
            tax,
            year,
            sums.get(&year).copied().unwrap_or_default(),
            carried,
        );
        carried = (year.carry_short, year.carry_long);
        year
    };
    (first..=through).map(one).collect()
}
