//! The chain of a day: which contracts are listed, and what each is quoted at.

use crate::engine::options::input::Desk;
use crate::instrument::Right;
use crate::market::Calendar;
use crate::pricing::{self, CashDividend, DAYS_A_YEAR, Inputs, black_scholes, surface};
use crate::units::{BarIndex, Micros};
use chrono::{Datelike, Days, NaiveDate, Weekday};

/// A quote of one contract.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quote {
    pub(super) bid: f64,
    pub(super) ask: f64,
    /// Delta, with its sign; NaN when unknown.
    pub(super) delta: f64,
    /// Implied volatility, a fraction a year; NaN when unknown.
    pub(super) volatility: f64,
}

impl Quote {
    pub(super) fn mid(&self) -> f64 {
        0.5 * (self.bid + self.ask)
    }

    /// What a seller gets who gives up that fraction of the half-spread.
    pub(super) fn sold_at(&self, give_up: f64) -> f64 {
        (self.mid() - give_up * 0.5 * (self.ask - self.bid)).max(0.0)
    }

    /// What a buyer pays.
    pub(super) fn bought_at(&self, give_up: f64) -> f64 {
        self.mid() + give_up * 0.5 * (self.ask - self.bid)
    }
}

/// A contract to quote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Listed {
    pub(super) slot: usize,
    pub(super) right: Right,
    pub(super) strike: f64,
    pub(super) expiration: NaiveDate,
}

/// The moment at which a chain is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) bar: BarIndex,
    pub(super) now: Micros,
    pub(super) spot: f64,
}

/// Weekly expirations are listed from this day on.
const WEEKLIES_FROM: (i32, u32, u32) = (2010, 7, 1);
/// Half of a model's spread is at least this much money a share.
const HALF_SPREAD_MIN: f64 = 0.01;
/// Strikes are listed from this share of the price to that.
const STRIKES_WITHIN: (f64, f64) = (0.4, 1.8);

impl Desk {
    /// Years from a bar's day to a date, act/365.
    pub(super) fn years(&self, bar: BarIndex, to: NaiveDate) -> f64 {
        self.days(bar, to) as f64 / DAYS_A_YEAR
    }

    /// Calendar days from a bar's day to a date.
    pub(super) fn days(&self, bar: BarIndex, to: NaiveDate) -> i64 {
        (to - self.dates[bar]).num_days()
    }

    /// Expirations after a bar's day, up to so many days on, ascending: third Fridays, and every
    /// Friday since weeklies are listed; the session before where the exchange is closed.
    pub(super) fn expirations(&self, bar: BarIndex, days_max: u32) -> Vec<NaiveDate> {
        let today = self.dates[bar];
        let (y, m, d) = WEEKLIES_FROM;
        let weeklies = NaiveDate::from_ymd_opt(y, m, d).is_some_and(|from| today >= from);
        let ahead = u64::from((5 + 7 - today.weekday().number_from_monday()) % 7);
        let mut friday = today + Days::new(ahead);
        let mut found = Vec::new();
        while (friday - today).num_days() <= i64::from(days_max) + 3 {
            if weeklies || is_third_friday(friday) {
                let day = self.trading_day(friday);
                if day > today {
                    found.push(day);
                }
            }
            friday = friday + Days::new(7);
        }
        found
    }

    /// The day itself or the session before it.
    fn trading_day(&self, day: NaiveDate) -> NaiveDate {
        match self.calendar {
            Calendar::AllDays => day,
            calendar if calendar.is_scheduled_session(day) => day,
            calendar => calendar.prev_scheduled_session(day),
        }
    }

    /// Whether an expiration is that of a month's standard contracts.
    pub(super) fn is_monthly(&self, expiration: NaiveDate) -> bool {
        (0..4).any(|ahead| {
            let day = expiration + Days::new(ahead);
            is_third_friday(day) && self.trading_day(day) == expiration
        })
    }

    /// Listed strikes around a price, ascending.
    pub(super) fn strikes(&self, spot: f64) -> Vec<f64> {
        let step = self.terms.strike_step.unwrap_or(match spot {
            s if s < 25.0 => 0.5,
            s if s <= 200.0 => 1.0,
            _ => 5.0,
        });
        let first = (STRIKES_WITHIN.0 * spot / step).ceil().max(1.0) as u64;
        let last = (STRIKES_WITHIN.1 * spot / step).floor() as u64;
        (first..=last).map(|n| n as f64 * step).collect()
    }

    /// What the value of a contract depends on; `None` where no volatility is known.
    pub(super) fn inputs(&self, at: &Moment, listed: &Listed) -> Option<(Inputs, f64)> {
        let of = &self.underlyings[listed.slot];
        let level = of.volatility[at.bar];
        if !(level > 0.0 && at.spot > 0.0) {
            return None;
        }
        let years = self.years(at.bar, listed.expiration).max(0.0);
        let inputs = Inputs {
            right: listed.right,
            spot: at.spot,
            strike: listed.strike,
            years,
            rate: self.rate[at.bar],
            dividend_yield: self.dividend_yield[at.bar],
        };
        let level = surface::at_term(level, of.median_variance[at.bar], years);
        let volatility = of
            .surface
            .volatility(level, inputs.forward(), listed.strike, years);
        Some((inputs, volatility))
    }

    /// Cash dividends of a contract's life as the model takes them.
    pub(super) fn cash_dividends(&self, at: &Moment, listed: &Listed) -> Vec<CashDividend> {
        let today = self.dates[at.bar];
        let coming = self.dividends(listed.slot, at.bar, at.now, listed.expiration);
        let coming = coming.into_iter().map(|(ex, amount)| CashDividend {
            years: (ex - today).num_days() as f64 / DAYS_A_YEAR,
            amount,
        });
        coming.collect()
    }

    /// Value a share by the model, and the volatility it took.
    pub(super) fn model(&self, at: &Moment, listed: &Listed) -> Option<(f64, f64)> {
        let (inputs, volatility) = self.inputs(at, listed)?;
        let dividends = self.cash_dividends(at, listed);
        let style = self.underlyings[listed.slot].convention.style;
        let price = pricing::price(style, &inputs, volatility, &dividends).ok()?;
        Some((price, volatility))
    }

    /// Delta by the European formula at the strike's own volatility.
    pub(super) fn delta(&self, at: &Moment, listed: &Listed) -> Option<f64> {
        let (inputs, volatility) = self.inputs(at, listed)?;
        if inputs.years <= 0.0 {
            return None;
        }
        let dividends = self.cash_dividends(at, listed);
        Some(black_scholes::escrowed_value(&inputs, volatility, &dividends).delta)
    }

    /// The day's quote of a contract: around the model's value, or of the chain.
    pub(super) fn quote(&self, at: &Moment, listed: &Listed) -> Option<Quote> {
        let (mid, volatility) = self.model(at, listed)?;
        // Pro-rata units trade without cost, and even an option that is worth next to nothing. A bid
        // is not below zero, and the mid is the model's value all the same.
        let half = match self.terms.index_units {
            true => 0.0,
            false => (self.underlyings[listed.slot].half_spread * mid)
                .max(HALF_SPREAD_MIN)
                .min(mid),
        };
        Some(Quote {
            bid: (mid - half).max(0.0),
            ask: mid + half,
            delta: self.delta(at, listed).unwrap_or(f64::NAN),
            volatility,
        })
    }
}

fn is_third_friday(day: NaiveDate) -> bool {
    day.weekday() == Weekday::Fri && (15..=21).contains(&day.day())
}
