//! Reading the data that a strategy names: the files, the symbols it needs, the bars it asks for.

use crate::engine::learned::learned;
use crate::error::{Error, Problem, Result};
use crate::market::{Calendar, Holdout, Interval, Learned, Market, ReadOptions, date_of, midnight};
use crate::strategy::{BarSize, CalendarName, Prices, Strategy, Stretch};
use crate::units::{DAY_MICROS, Micros};
use chrono::{Days, Months, NaiveDate};
use std::borrow::Cow;

/// Reads the market of a strategy: its symbols and those that its benchmark and its expressions
/// name, at its bar size, under its calendar, raw or adjusted. `hash` asks for the files' SHA-256.
///
/// A `[model]` is fitted here, so that whatever reads the market reads its forecast.
///
/// This is the one place where `[walk_forward] holdout` is sealed: its bars are not in the market
/// unless the strategy was read with `open_holdout`, so nothing that is done with it can see them.
///
/// # Errors
/// No `data.source`, files that cannot be read or hold bad rows, symbols that are not there,
/// `missing = "error"` and a missing bar, a model that cannot be fitted once.
pub fn read_market(strategy: &Strategy, hash: bool) -> Result<Market> {
    let market = sealed(observe(strategy, hash, None)?, strategy)?;
    // A layer learns when it is run: the forecast of each is called by the same name.
    for layer in &strategy.layers {
        taught(&market, &layer.strategy)?;
    }
    let taught = match taught(&market, strategy)? {
        Cow::Owned(market) => Some(market),
        Cow::Borrowed(_) => None,
    };
    Ok(taught.unwrap_or(market))
}

/// The market as it stands in the files: nothing held out, nothing learned. With `now`, bars whose
/// session is not over by then are left out.
///
/// # Errors
/// As [`read_market`], without the model's.
pub fn observe(strategy: &Strategy, hash: bool, now: Option<Micros>) -> Result<Market> {
    let data = &strategy.data;
    let source = data.source.as_ref().ok_or_else(|| {
        Error::new(
            Problem::new("the strategy names no data")
                .in_file(&strategy.source.name)
                .at_column("data.source")
                .help("add `source = \"…\"` to [data], or give --data"),
        )
    })?;
    let options = ReadOptions {
        symbols: symbols(strategy),
        columns: data.columns.clone(),
        actions: data.actions.clone(),
        hash,
    };
    if strategy.lacks_a_file() {
        return Err(strategy.unread(Error::msg("a file of the strategy went away")));
    }
    let mut market = Market::read(source, &options).map_err(|error| strategy.unread(error))?;
    if let Some(path) = &data.members {
        market = market.with_members(path, hash)?;
    }
    if let Some(name) = data.calendar {
        market.calendar = match name {
            CalendarName::Nyse => Calendar::Nyse,
            CalendarName::Weekdays => Calendar::Weekdays,
            CalendarName::AllDays => Calendar::AllDays,
            CalendarName::None => Calendar::None,
        };
    }
    if let Some(now) = now {
        market = market.completed(now)?;
    }
    if data.prices == Prices::Adjusted {
        market = market.adjusted()?;
    }
    if let Some(options) = &strategy.options
        && options.contract.scale != 1.0
    {
        market = market.times(&data.symbols, options.contract.scale);
    }
    if let Some(size) = data.bar {
        let interval = match size {
            BarSize::Minutes(n) => Interval::Minutes(n),
            BarSize::Hours(n) => Interval::Minutes(60 * n),
            BarSize::Day => Interval::Day,
            BarSize::Week => Interval::Week,
            BarSize::Month => Interval::Month,
        };
        if interval != market.interval {
            market = market.resampled(interval)?;
        }
    }
    Ok(market)
}

/// The market with the forecast of the strategy's model, if it has one.
///
/// # Errors
/// As [`learned`], and a model that cannot be fitted once.
fn taught<'m>(market: &'m Market, strategy: &Strategy) -> Result<Cow<'m, Market>> {
    let taught = learned(market, strategy)?;
    let record = taught.learned.as_ref().filter(|_| strategy.model.is_some());
    match record {
        Some(learned) if learned.fits.is_empty() => Err(never_fitted(strategy, learned)),
        _ => Ok(taught),
    }
}

/// Why no fit could be made.
fn never_fitted(strategy: &Strategy, learned: &Learned) -> Error {
    let window = strategy.model.as_ref().map(|model| model.fit_window);
    let window = window.map_or(String::new(), |window| window.to_string());
    let problem = match learned.not_made {
        0 => Problem::new(format!(
            "the data never reach back {window}, the first time that the model would be fitted"
        ))
        .help("a shorter model.fit_window, or more data"),
        _ => Problem::new(format!(
            "the model could not be fitted once: {window} hold at most {} rows with all features and an outcome, of {} that it needs",
            learned.rows_most, learned.rows_min
        ))
        .help("a longer model.fit_window, fewer features or such that look back less far, more symbols; for learner = \"logistic\" a target that is not always the same"),
    };
    Error::new(
        problem
            .in_file(&strategy.source.name)
            .at_column("model.fit_window"),
    )
}

/// The market without the stretch that the strategy holds out: the last before the end of the data
/// or `[data] end`, whichever comes first.
fn sealed(market: Market, strategy: &Strategy) -> Result<Market> {
    let walk = &strategy.walk_forward;
    let (Some(stretch), Some(from)) = (walk.holdout, held_out(&market, strategy)) else {
        return Ok(market);
    };
    let holdout = Some(Holdout {
        from,
        is_open: walk.holdout_open,
    });
    let market = Market { holdout, ..market };
    if walk.holdout_open {
        return Ok(market);
    }
    market.before(from).map_err(|_| {
        Error::new(
            Problem::new(format!("a holdout of {stretch} leaves no bar to look at"))
                .in_file(&strategy.source.name)
                .at_column("walk_forward.holdout")
                .help("hold out less, or give more data"),
        )
    })
}

/// The first moment of what `[walk_forward] holdout` keeps for one last look; `None` without it.
pub fn held_out(market: &Market, strategy: &Strategy) -> Option<Micros> {
    let stretch = strategy.walk_forward.holdout?;
    let after = |day: NaiveDate| midnight(day) + DAY_MICROS;
    let known = strategy.data.end.map_or(market.clock.len(), |end| {
        market.clock.partition_point(|t| *t < after(end))
    });
    let from = market.clock[..known]
        .last()
        .and_then(|last| match stretch {
            Stretch::Bars(n) => market.clock.get(known.checked_sub(n as usize)?).copied(),
            Stretch::Days(n) => Some(after(date_of(*last) - Days::new(u64::from(n)))),
            Stretch::Months(n) => Some(after(date_of(*last).checked_sub_months(Months::new(n))?)),
        })
        .unwrap_or(Micros::MIN);
    Some(from)
}

/// Every symbol that has to be read; empty means all, also when an expression names a symbol that
/// only the data can tell.
fn symbols(strategy: &Strategy) -> Vec<String> {
    let fixed = strategy
        .weights
        .as_ref()
        .is_some_and(|w| !w.targets().is_empty());
    if strategy.data.symbols.is_empty() && !fixed {
        return Vec::new();
    }
    let mut symbols = strategy.data.symbols.clone();
    let inner = || strategy.layers.iter().map(|layer| &layer.strategy);
    for strategy in std::iter::once(strategy).chain(inner()) {
        let of_selector = strategy.symbols_of_selector();
        symbols.extend(of_selector.into_iter().map(str::to_owned));
    }
    symbols.extend(strategy.benchmark.symbols.iter().cloned());
    symbols.extend(
        strategy
            .benchmark
            .blend
            .iter()
            .map(|(symbol, _)| symbol.clone()),
    );
    for text in std::iter::once(strategy)
        .chain(inner())
        .flat_map(expressions)
    {
        match crate::rules::symbols_named(text) {
            Some(named) => symbols.extend(named),
            None => return Vec::new(),
        }
    }
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

fn expressions(strategy: &Strategy) -> impl Iterator<Item = &str> {
    let rules = &strategy.rules;
    let stops = &strategy.stops;
    let plain = [
        &rules.enter,
        &rules.exit,
        &rules.short,
        &rules.cover,
        &rules.priority,
        &strategy.fill.price,
    ];
    let distances = [&stops.stop, &stops.target, &stops.trail];
    plain
        .into_iter()
        .flatten()
        .map(|e| e.text.as_str())
        .chain(distances.into_iter().flatten().filter_map(|d| match d {
            crate::strategy::Distance::Expr(e) => Some(e.text.as_str()),
            crate::strategy::Distance::Fraction(_) => None,
        }))
        .chain(strategy.series.iter().map(|(_, e)| e.text.as_str()))
        .chain(strategy.expressions_of_selector().map(|e| e.text.as_str()))
}
