//! What options need to know before time begins, by slot and by clock bar. Every value at a bar was
//! known at its close.

use crate::engine::input::Input;
use crate::engine::prepare::{Prepared, rate};
use crate::error::{Error, Problem, Result};
use crate::instrument::{Convention, Settlement, SettlementTime, Style, Symbol};
use crate::market::rates::{DatedRate, read_rate};
use crate::market::{ActionKind, Calendar, date_of, midnight};
use crate::pricing::{Surface, surface};
use crate::strategy::{ImpliedVol, Options, Rate};
use crate::units::{BarIndex, Micros};
use chrono::{Days, NaiveDate};

/// Bars of realised volatility that stand in for implied volatility.
const REALISED_BARS: usize = 21;
/// An implied volatility above this median is in points, not a fraction.
const POINTS_FROM: f64 = 3.0;
/// A value of a dated file of volatilities is not carried further than this.
const STALE_DAYS: i64 = 10;

/// A dividend as option prices know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dividend {
    pub(crate) ex: NaiveDate,
    /// First moment at which it was known.
    pub(crate) known: Micros,
    pub(crate) amount: f64,
    pub(crate) special: bool,
}

/// The numbers of one underlying.
#[derive(Debug, Clone)]
pub(crate) struct Underlying {
    pub(crate) name: Symbol,
    /// Level of implied volatility at each clock bar, a fraction a year; NaN where there is none.
    pub(crate) volatility: Vec<f64>,
    /// Median of its square up to each bar.
    pub(crate) median_variance: Vec<f64>,
    pub(crate) dividends: Vec<Dividend>,
    pub(crate) surface: Surface,
    pub(crate) half_spread: f64,
    pub(crate) convention: Convention,
}

/// What one account's options read.
pub(crate) struct Desk {
    pub(crate) terms: Options,
    pub(crate) calendar: Calendar,
    /// Day of each clock bar.
    pub(crate) dates: Vec<NaiveDate>,
    /// By slot.
    pub(crate) underlyings: Vec<Underlying>,
    /// Continuously compounded rates and yields at each clock bar.
    pub(crate) rate: Vec<f64>,
    pub(crate) dividend_yield: Vec<f64>,
    /// Days without entries; empty for none.
    pub(crate) blackout: Vec<bool>,
    pub(crate) warnings: Vec<String>,
}

impl Desk {
    /// The numbers of the account's slots; `None` without `[options]`.
    ///
    /// # Errors
    /// Files that cannot be read, bars shorter than a day, data without any volatility.
    pub(crate) fn new(prepared: &Prepared<'_>, input: &Input<'_>) -> Result<Option<Desk>> {
        let Some(terms) = &prepared.strategy.options else {
            return Ok(None);
        };
        if input.intraday {
            return Err(Error::new(
                Problem::new("[options] needs daily bars: chains are of one close a day")
                    .at_column("data.bar")
                    .help("bar = \"1d\" makes days of shorter bars"),
            ));
        }
        let clock = input.clock;
        let cash = &prepared.strategy.cash.yield_;
        let continuous = |source: &Rate| -> Result<Vec<f64>> {
            let rates = rate(source)?;
            Ok(by_bar(clock, &rates))
        };
        // Paid as a share of the price that day, it is a continuous yield as it stands.
        let of_price = |source: &Rate| -> Result<Vec<f64>> {
            let yields = rate(source)?;
            Ok(clock.iter().map(|time| yields.at(*time)).collect())
        };
        let by_yield = prepared.strategy.data.dividend_yield.as_ref();
        let mut warnings = Vec::new();
        let mut underlyings = Vec::with_capacity(input.symbols.len());
        for slot in 0..input.symbols.len() {
            underlyings.push(underlying(prepared, input, terms, slot)?);
        }
        if !terms.pricing.skew {
            warnings.extend(Surface::Flat.warning().map(str::to_owned));
        }
        if terms.pricing.iv == ImpliedVol::Realized {
            warnings.push(surface::REALISED_WARNING.to_owned());
        }
        Ok(Some(Desk {
            terms: terms.clone(),
            calendar: match prepared.market.calendar {
                Calendar::None => Calendar::Weekdays,
                other => other,
            },
            dates: clock.iter().map(|t| date_of(*t)).collect(),
            underlyings,
            rate: continuous(terms.pricing.rate.as_ref().unwrap_or(cash))?,
            dividend_yield: match by_yield.filter(|_| terms.by_yield) {
                Some(source) => of_price(source)?,
                None => vec![0.0; clock.len()],
            },
            blackout: blackout(terms, clock)?,
            warnings,
        }))
    }

    /// Cash dividends within the life of an option, as known at a bar: those declared, and for the
    /// time beyond, those of a year before, of which each stands for its successor until that is
    /// declared.
    pub(crate) fn dividends(
        &self,
        slot: usize,
        bar: BarIndex,
        now: Micros,
        expiration: NaiveDate,
    ) -> Vec<(NaiveDate, f64)> {
        const SAME_DIVIDEND_DAYS: i64 = 45;
        if self.terms.by_yield {
            return Vec::new();
        }
        let today = self.dates[bar];
        let all = &self.underlyings[slot].dividends;
        let within = |ex: NaiveDate| ex > today && ex <= expiration;
        let mut coming: Vec<(NaiveDate, f64)> = all
            .iter()
            .filter(|d| d.known <= now && within(d.ex) && !d.special)
            .map(|d| (d.ex, d.amount))
            .collect();
        let declared: Vec<NaiveDate> = all
            .iter()
            .filter(|d| d.known <= now && d.ex > today)
            .map(|d| d.ex)
            .collect();
        for past in all.iter().filter(|d| d.ex <= today && !d.special) {
            let Some(next) = past.ex.checked_add_days(Days::new(364)) else {
                continue;
            };
            let is_declared = declared
                .iter()
                .any(|ex| (*ex - next).num_days().abs() <= SAME_DIVIDEND_DAYS);
            if within(next) && !is_declared {
                coming.push((next, past.amount));
            }
        }
        coming.sort_by_key(|(ex, _)| *ex);
        coming
    }

    /// The dividend, if any, without which the next session opens.
    pub(crate) fn dividend_tomorrow(&self, slot: usize, bar: BarIndex, now: Micros) -> Option<f64> {
        let today = self.dates[bar];
        let next = self.calendar.next_session(today);
        let due = self.underlyings[slot].dividends.iter();
        let due = due.filter(|d| d.ex > today && d.ex <= next && d.known <= now && !d.special);
        Some(due.map(|d| d.amount).sum()).filter(|sum| *sum > 0.0)
    }
}

/// Continuously compounded rates at each bar, from annual ones.
fn by_bar(clock: &[Micros], rates: &DatedRate) -> Vec<f64> {
    let mut last = (f64::NAN, 0.0);
    let each = clock.iter().map(|time| {
        let annual = rates.at(*time);
        if annual != last.0 {
            last = (annual, libm::log(1.0 + annual));
        }
        last.1
    });
    each.collect()
}

fn underlying(
    prepared: &Prepared<'_>,
    input: &Input<'_>,
    terms: &Options,
    slot: usize,
) -> Result<Underlying> {
    let symbol = &prepared.market.tapes[input.symbols[slot].tape].symbol;
    let style = match terms.contract.american {
        true => Style::American,
        false => Style::European,
    };
    let settlement = match terms.contract.physical {
        true => Settlement::Physical,
        false => Settlement::Cash,
    };
    let is_index = terms.by_yield
        || !terms.contract.physical
        || terms.contract.scale != 1.0
        || Convention::of_root(symbol) != Convention::EQUITY
        || ETFS.contains(&symbol.as_str());
    let actions = prepared.market.actions_of(symbol);
    let dividends = actions.filter(|a| a.kind.is_dividend()).map(|a| Dividend {
        ex: date_of(a.time),
        known: a.known_from(prepared.market.calendar),
        amount: a.value,
        special: a.kind == ActionKind::SpecialDividend,
    });
    let dividends = dividends.collect();
    let volatility = volatility(prepared, input, terms, slot)?;
    Ok(Underlying {
        name: symbol.clone(),
        median_variance: surface::expanding_median_variance(&volatility),
        volatility,
        dividends,
        surface: moved(
            match (terms.pricing.skew, is_index) {
                (false, _) => Surface::Flat,
                (true, true) => Surface::INDEX,
                (true, false) => Surface::STOCK,
            },
            terms.pricing.level_shift,
        ),
        half_spread: terms
            .fill
            .half_spread_pct
            .unwrap_or(if is_index { 0.01 } else { 0.03 }),
        convention: Convention {
            style,
            settlement,
            time: SettlementTime::Pm,
        },
    })
}

fn moved(surface: Surface, shift: f64) -> Surface {
    match shift {
        0.0 => surface,
        shift => surface.shifted(shift),
    }
}

/// Funds whose options trade as narrowly as an index's.
const ETFS: &[&str] = &[
    "SPY", "QQQ", "IWM", "DIA", "EEM", "EFA", "GLD", "TLT", "VTI", "VOO", "IVV", "XLF", "XLE",
];

/// Level of implied volatility at each clock bar.
fn volatility(
    prepared: &Prepared<'_>,
    input: &Input<'_>,
    terms: &Options,
    slot: usize,
) -> Result<Vec<f64>> {
    let clock = input.clock;
    match &terms.pricing.iv {
        ImpliedVol::Constant(x) => Ok(vec![*x; clock.len()]),
        ImpliedVol::File(path) => of_file(path, clock),
        ImpliedVol::Realized => {
            let symbol = &input.symbols[slot];
            let closes = adjusted_closes(input, slot);
            let bars_a_year = prepared.periods.bars_a_year;
            let each = (0..clock.len()).map(|bar| {
                let newest = (0..=bar).rev().find_map(|b| symbol.own_bar(b));
                newest
                    .filter(|own| *own >= REALISED_BARS)
                    .and_then(|own| {
                        surface::realised(&closes[own - REALISED_BARS..=own], bars_a_year)
                    })
                    .map_or(f64::NAN, |v| {
                        surface::from_realised(v, terms.pricing.rv_to_iv)
                    })
            });
            Ok(each.collect())
        }
    }
}

/// Closes in the shares of the first bar.
fn adjusted_closes(input: &Input<'_>, slot: usize) -> Vec<f64> {
    use crate::engine::input::EventKind;
    let symbol = &input.symbols[slot];
    let mut closes = symbol.bars.close.to_vec();
    for event in input.events.iter().filter(|e| e.slot == slot) {
        if let (EventKind::Split(ratio), Some(own)) = (event.kind, symbol.own_bar(event.bar)) {
            closes[own..].iter_mut().for_each(|c| *c *= ratio);
        }
    }
    closes
}

/// A dated file of volatilities, each carried for some days. Points (13.76) and fractions (0.1376)
/// are told apart by their median.
fn of_file(path: &std::path::Path, clock: &[Micros]) -> Result<Vec<f64>> {
    // The reader takes per cent, so that points are fractions already.
    let series: Vec<(Micros, f64)> = read_rate(path)?.steps().collect();
    let mut sorted: Vec<f64> = series.iter().map(|(_, v)| v * 100.0).collect();
    sorted.sort_by(f64::total_cmp);
    let in_points = sorted
        .get(sorted.len() / 2)
        .is_some_and(|m| *m > POINTS_FROM);
    let unit = if in_points { 1.0 } else { 100.0 };
    let each = clock.iter().map(|time| {
        let after = series.partition_point(|(date, _)| *date <= *time);
        let found = after.checked_sub(1).map(|at| series[at]);
        let fresh =
            found.filter(|(date, _)| (date_of(*time) - date_of(*date)).num_days() <= STALE_DAYS);
        fresh.map_or(f64::NAN, |(_, v)| v * unit)
    });
    let each: Vec<f64> = each.collect();
    if each.iter().all(|v| v.is_nan()) {
        return Err(Error::new(
            Problem::new("no implied volatility for any day of the data")
                .in_file(path.display().to_string())
                .at_column("options.pricing.iv")
                .help("the file's dates and those of the prices do not meet"),
        ));
    }
    Ok(each)
}

/// Which bars lie on a day of the blackout file.
fn blackout(terms: &Options, clock: &[Micros]) -> Result<Vec<bool>> {
    let Some(path) = &terms.blackout else {
        return Ok(Vec::new());
    };
    let days = crate::market::rates::read_days(path)?;
    let is_in = |time: &Micros| days.binary_search(&midnight(date_of(*time))).is_ok();
    Ok(clock.iter().map(is_in).collect())
}
