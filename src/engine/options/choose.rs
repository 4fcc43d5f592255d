//! Which expiration, which strike: the leg's rules on the day's chain.

use crate::engine::options::NotDone;
use crate::engine::options::input::Desk;
use crate::engine::options::quote::{Listed, Moment, Quote};
use crate::instrument::Right;
use crate::strategy::{Cycle, Leg, StrikeRule};
use chrono::{Datelike, NaiveDate};

/// Days to expiration without `dte` and without `cycle`.
const DTE: (u32, u32) = (30, 45);
/// Days that a cycle looks ahead.
const CYCLE_DAYS: u32 = 400;

/// A contract that was chosen, and its quote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen {
    pub(super) listed: Listed,
    pub(super) quote: Quote,
}

/// What limits the choice beyond the leg's own rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Lowest and highest strike.
    pub(super) strikes: (f64, f64),
    /// The option is bought, not written.
    pub(super) is_bought: bool,
}

impl Limits {
    /// None.
    pub(super) const FREE: Limits = Limits {
        strikes: (0.0, f64::INFINITY),
        is_bought: false,
    };
}

impl Leg {
    /// Least, most and best days to expiration.
    fn days(&self) -> (u32, u32, u32) {
        let (least, most) = self.dte.unwrap_or(match self.cycle {
            Some(_) => (1, CYCLE_DAYS),
            None => DTE,
        });
        let best = self.dte_target.unwrap_or(match (self.dte, self.cycle) {
            // The next one of its cycle.
            (None, Some(_)) => 0,
            _ => least.midpoint(most),
        });
        (least, most, best)
    }

    /// Longest expiration that the leg itself asks for.
    pub(super) fn days_max(&self) -> u32 {
        self.days().1
    }
}

impl Desk {
    /// Expirations that the leg allows, the best first: nearest to its target, the shorter in a tie.
    pub(super) fn expirations_for(&self, at: &Moment, leg: &Leg) -> Vec<NaiveDate> {
        let (least, most, best) = leg.days();
        let mut found = self.expirations(at.bar, most);
        found.retain(|day| {
            let days = self.days(at.bar, *day);
            let in_cycle = match leg.cycle {
                Some(Cycle::Month) => self.is_monthly(*day),
                Some(Cycle::Quarter) => self.is_monthly(*day) && day.month() % 3 == 0,
                Some(Cycle::Week) | None => true,
            };
            let fits = days >= i64::from(least) && days <= i64::from(most);
            fits && in_cycle && (!leg.monthly_only || self.is_monthly(*day))
        });
        let distance = |day: &NaiveDate| (self.days(at.bar, *day) - i64::from(best)).abs();
        found.sort_by_key(|day| (distance(day), *day));
        found
    }

    /// The contract of a leg on the day's chain.
    pub(super) fn choose(
        &self,
        at: &Moment,
        (slot, right): (usize, Right),
        leg: &Leg,
        limits: &Limits,
    ) -> Result<Chosen, NotDone> {
        let expirations = self.expirations_for(at, leg);
        let expiration = *expirations.first().ok_or(NotDone::NoExpiration)?;
        let strike = self
            .strike_for(at, (slot, right), leg, expiration, limits)
            .ok_or(NotDone::NoStrike)?;
        let listed = Listed {
            slot,
            right,
            strike,
            expiration,
        };
        self.passes(at, leg, &listed, limits.is_bought)
    }

    /// The quote of a contract, if it passes the leg's filters.
    pub(super) fn passes(
        &self,
        at: &Moment,
        leg: &Leg,
        listed: &Listed,
        is_bought: bool,
    ) -> Result<Chosen, NotDone> {
        let quote = self.quote(at, listed).ok_or(NotDone::NoQuote)?;
        let side = if is_bought { quote.ask } else { quote.bid };
        let is_wide = leg
            .max_spread_pct
            .is_some_and(|most| quote.ask - quote.bid > most * quote.mid());
        let unsold = side <= 0.0 && !self.terms.index_units;
        if unsold || quote.ask < quote.bid || is_wide {
            return Err(NotDone::NoQuote);
        }
        if is_bought {
            return Ok(Chosen {
                listed: *listed,
                quote,
            });
        }
        let fill = quote.sold_at(self.terms.fill.give_up);
        if leg.min_premium.is_some_and(|least| fill < least) {
            return Err(NotDone::Premium);
        }
        let collateral = match listed.right {
            Right::Call => at.spot,
            Right::Put => listed.strike,
        };
        let days = self.days(at.bar, listed.expiration).max(1) as f64;
        let yield_annual = fill / collateral * 365.0 / days;
        if leg
            .min_annual_yield
            .is_some_and(|least| yield_annual < least)
        {
            return Err(NotDone::AnnualYield);
        }
        Ok(Chosen {
            listed: *listed,
            quote,
        })
    }

    /// The strike of the leg's rule, moved up to the floor where there is one.
    pub(super) fn strike_for(
        &self,
        at: &Moment,
        (slot, right): (usize, Right),
        leg: &Leg,
        expiration: NaiveDate,
        limits: &Limits,
    ) -> Option<f64> {
        let strikes = self.strikes(at.spot);
        let listed = |strike: f64| Listed {
            slot,
            right,
            strike,
            expiration,
        };
        let outward = right.sign();
        let ruled = match leg.strike {
            StrikeRule::AtmAbove => first_at_or_above(&strikes, at.spot),
            StrikeRule::AtmBelow => last_at_or_below(&strikes, at.spot),
            StrikeRule::Moneyness(p) => match right {
                Right::Call => first_at_or_above(&strikes, at.spot * (1.0 + p)),
                Right::Put => last_at_or_below(&strikes, at.spot * (1.0 - p)),
            },
            StrikeRule::Delta(wanted) => nearest(&strikes, outward, |k| {
                Some((self.delta(at, &listed(k))?.abs() - wanted).abs())
            }),
            StrikeRule::Premium(wanted) => nearest(&strikes, outward, |k| {
                Some((self.quote(at, &listed(k))?.mid() - wanted).abs())
            }),
            StrikeRule::Std(z) => {
                let (inputs, volatility) = self.inputs(at, &listed(at.spot))?;
                let away = outward * z * volatility * inputs.years.sqrt();
                let level = inputs.forward() * libm::exp(away);
                nearest(&strikes, outward, |k| Some((k - level).abs()))
            }
        }?;
        if ruled < limits.strikes.0 {
            return first_at_or_above(&strikes, limits.strikes.0)
                .filter(|strike| *strike <= limits.strikes.1);
        }
        if ruled > limits.strikes.1 {
            return last_at_or_below(&strikes, limits.strikes.1)
                .filter(|strike| *strike >= limits.strikes.0);
        }
        Some(ruled)
    }
}

/// A price within rounding of a strike is that strike.
const ROUNDING: f64 = 1e-9;

fn first_at_or_above(strikes: &[f64], level: f64) -> Option<f64> {
    let at = strikes.partition_point(|k| *k < level * (1.0 - ROUNDING));
    strikes.get(at).copied()
}

fn last_at_or_below(strikes: &[f64], level: f64) -> Option<f64> {
    let after = strikes.partition_point(|k| *k <= level * (1.0 + ROUNDING));
    after.checked_sub(1).map(|at| strikes[at])
}

/// The strike with the least distance; in a tie the one further out of the money.
fn nearest(strikes: &[f64], outward: f64, distance: impl Fn(f64) -> Option<f64>) -> Option<f64> {
    let mut best: Option<(f64, f64)> = None;
    for &strike in strikes {
        let Some(d) = distance(strike).filter(|d| !d.is_nan()) else {
            continue;
        };
        let better = best
            .is_none_or(|(least, at)| d < least || (d == least && (strike - at) * outward > 0.0));
        if better {
            best = Some((d, strike));
        }
    }
    best.map(|(_, strike)| strike)
}
