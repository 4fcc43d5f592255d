//! What several metrics need, computed once: session returns, wealth, excess returns, months,
//! drawdown episodes, the bootstrap interval.
//!
//! Each piece is made at its first use, so that a single metric costs no more than it needs.
//! Definitions of metrics are left to the files of rows.

use crate::metrics::bootstrap::{self, GrowthIntervals, Interval};
use crate::metrics::drawdown::{self, Episode};
use crate::metrics::{Absent, ClosedTrade, Inputs, Money, moments, periods};
use std::borrow::Cow;
use std::cell::OnceCell;

/// A value or why there is none.
pub type Value<T> = std::result::Result<T, Absent>;

/// Fewest session returns that a spread, a mean over a spread or a regression is computed from.
pub(crate) const OBSERVATIONS_MIN: usize = 10;
/// Fewest session returns for tails and for third and fourth moments: of fewer than 20, the 5th
/// percentile lies beyond the second smallest.
pub(crate) const OBSERVATIONS_TAIL_MIN: usize = 20;
/// Fewest session returns that are resampled: a dozen blocks of the shortest mean length.
pub(crate) const OBSERVATIONS_BOOTSTRAP_MIN: usize = 60;
/// Fewest calendar days that a growth rate a year is computed from.
pub(crate) const DAYS_ANNUAL_MIN: i64 = 28;

/// Returns a session, and when each was earned.
struct Sessions<'a> {
    /// Day number of each session.
    day: Vec<i64>,
    /// Index after the last bar of each session; `None` when a bar is a session.
    ends: Option<Vec<usize>>,
    /// Net return of each session.
    returns: Cow<'a, [f64]>,
    /// Product of `1 + r` up to each session.
    wealth: Vec<f64>,
    /// Sessions a year (bars a year where a bar is a session or longer).
    a_year: f64,
}

/// The inputs of the metrics with what they share. Made by [`Prepared::new`] for one call of
/// [`crate::metrics::compute`].
pub struct Prepared<'a> {
    inputs: &'a Inputs<'a>,
    sessions: Value<Sessions<'a>>,
    excess: OnceCell<Vec<f64>>,
    sorted: OnceCell<Vec<f64>>,
    months: OnceCell<Vec<(i32, u32, f64)>>,
    episodes: OnceCell<Vec<Episode>>,
    drawdowns: OnceCell<Vec<f64>>,
    benchmark: OnceCell<Value<Vec<f64>>>,
    interval: OnceCell<Value<Interval>>,
}

impl<'a> Prepared<'a> {
    /// Compounds bars to sessions and checks that every return is defined.
    ///
    /// # Panics
    /// If a column of the inputs has neither one element a bar nor none: a bug of the caller.
    pub fn new(inputs: &'a Inputs<'a>) -> Self {
        let bars = inputs.time.len();
        assert_eq!(inputs.returns.len(), bars, "one return a bar");
        for column in [
            inputs.rate,
            inputs.hurdle,
            inputs.flows,
            inputs.weight,
            inputs.turnover,
            inputs.benchmark.unwrap_or_default(),
        ] {
            assert!(column.is_empty() || column.len() == bars, "one a bar");
        }
        Prepared {
            inputs,
            sessions: sessions(inputs),
            excess: OnceCell::new(),
            sorted: OnceCell::new(),
            months: OnceCell::new(),
            episodes: OnceCell::new(),
            drawdowns: OnceCell::new(),
            benchmark: OnceCell::new(),
            interval: OnceCell::new(),
        }
    }

    /// What was given.
    pub(crate) fn inputs(&self) -> &'a Inputs<'a> {
        self.inputs
    }

    fn sessions(&self) -> Value<&Sessions<'a>> {
        self.sessions.as_ref().map_err(Clone::clone)
    }

    /// Session returns, at least one.
    pub(crate) fn returns(&self) -> Value<&[f64]> {
        Ok(&self.sessions()?.returns)
    }

    /// Session returns, at least `least`.
    pub(crate) fn returns_of(&self, least: usize) -> Value<&[f64]> {
        let returns = self.returns()?;
        if returns.len() < least {
            return Err(too_few(returns.len(), least));
        }
        Ok(returns)
    }

    /// Wealth at the end of 1 at the start.
    pub(crate) fn growth(&self) -> Value<f64> {
        Ok(self.wealth()?.last().copied().unwrap_or(1.0))
    }

    /// Wealth at each session of 1 at the start.
    pub(crate) fn wealth(&self) -> Value<&[f64]> {
        Ok(&self.sessions()?.wealth)
    }

    /// Day number of each session.
    pub(crate) fn days(&self) -> Value<&[i64]> {
        Ok(&self.sessions()?.day)
    }

    /// Sessions a year.
    pub(crate) fn a_year(&self) -> Value<f64> {
        Ok(self.sessions()?.a_year)
    }

    /// Calendar days from the first session to the last, at least [`DAYS_ANNUAL_MIN`].
    pub(crate) fn span_days(&self) -> Value<f64> {
        let days = self.days()?;
        let span = match days {
            [first, .., last] => last - first,
            _ => 0,
        };
        if span < DAYS_ANNUAL_MIN {
            return Err(Absent::new(format!(
                "{span} days are too few for a rate a year (at least {DAYS_ANNUAL_MIN})"
            )));
        }
        Ok(span as f64)
    }

    /// A column a bar compounded to sessions; zeros when it is empty.
    pub(crate) fn by_session(&self, column: &'a [f64]) -> Value<Cow<'a, [f64]>> {
        let sessions = self.sessions()?;
        Ok(match &sessions.ends {
            _ if column.is_empty() => Cow::Owned(vec![0.0; sessions.day.len()]),
            None => Cow::Borrowed(column),
            Some(ends) => Cow::Owned(periods::compounded(column, ends.iter().copied())),
        })
    }

    /// Share of sessions on which a column a bar is not zero on some bar.
    pub(crate) fn share_of_sessions(&self, column: &[f64]) -> Value<f64> {
        let sessions = self.sessions()?;
        let days = sessions.day.len() as f64;
        let held = match &sessions.ends {
            None => column.iter().filter(|w| **w != 0.0).count(),
            Some(ends) => {
                let mut start = 0;
                ends.iter()
                    .filter(|end| {
                        let any = column[start..**end].iter().any(|w| *w != 0.0);
                        start = **end;
                        any
                    })
                    .count()
            }
        };
        Ok(held as f64 / days)
    }

    /// Session returns less the risk-free return, at least [`OBSERVATIONS_MIN`].
    pub(crate) fn excess(&self) -> Value<&[f64]> {
        let returns = self.returns_of(OBSERVATIONS_MIN)?;
        let rate = self.by_session(self.inputs.rate)?;
        Ok(self.excess.get_or_init(|| difference(returns, &rate)))
    }

    /// The same of an account whose returns vary: what is left of flat equity is the rate's own
    /// changes, and a ratio to them would judge the rate.
    pub(crate) fn excess_that_varies(&self) -> Value<&[f64]> {
        let excess = self.excess()?;
        match moments::spread(self.returns()?) {
            Some(_) => Ok(excess),
            None => Err(Absent::new("the returns do not vary")),
        }
    }

    /// Session returns in ascending order, at least [`OBSERVATIONS_TAIL_MIN`].
    pub(crate) fn sorted(&self) -> Value<&[f64]> {
        let returns = self.returns_of(OBSERVATIONS_TAIL_MIN)?;
        Ok(self.sorted.get_or_init(|| {
            let mut sorted = returns.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        }))
    }

    /// Returns by calendar month.
    pub(crate) fn months(&self) -> Value<&[(i32, u32, f64)]> {
        let sessions = self.sessions()?;
        Ok(self
            .months
            .get_or_init(|| periods::months(&sessions.day, &sessions.returns)))
    }

    /// Every drawdown from peak to recovery.
    pub(crate) fn episodes(&self) -> Value<&[Episode]> {
        let wealth = self.wealth()?;
        Ok(self
            .episodes
            .get_or_init(|| drawdown::episodes_of_wealth(wealth)))
    }

    /// Drawdown at each session.
    pub(crate) fn drawdowns(&self) -> Value<&[f64]> {
        let wealth = self.wealth()?;
        Ok(self
            .drawdowns
            .get_or_init(|| drawdown::series_of_wealth(wealth)))
    }

    /// Session returns of the benchmark, at least [`OBSERVATIONS_MIN`].
    pub(crate) fn benchmark(&self) -> Value<&[f64]> {
        let Some(column) = self.inputs.benchmark else {
            return Err(Absent::new("no benchmark"));
        };
        self.returns_of(OBSERVATIONS_MIN)?;
        let made = self.benchmark.get_or_init(|| {
            let returns = self.by_session(column)?.into_owned();
            if let Some(i) = returns.iter().position(|r| !r.is_finite()) {
                let date = periods::date_of_day(self.days()?[i]);
                return Err(Absent::new(format!(
                    "the benchmark has no return on {date}"
                )));
            }
            Ok(returns)
        });
        made.as_deref().map_err(Clone::clone)
    }

    /// Session returns of the benchmark less the risk-free return.
    pub(crate) fn benchmark_excess(&self) -> Value<Vec<f64>> {
        let benchmark = self.benchmark()?;
        let rate = self.by_session(self.inputs.rate)?;
        Ok(difference(benchmark, &rate))
    }

    /// The bootstrap interval of the Sharpe ratio.
    pub(crate) fn interval(&self) -> Value<Interval> {
        self.returns_of(OBSERVATIONS_BOOTSTRAP_MIN)?;
        let (excess, a_year) = (self.excess_that_varies()?, self.a_year()?);
        self.interval
            .get_or_init(|| bootstrap::sharpe_interval(excess, a_year, self.inputs.seed))
            .clone()
    }

    /// The bootstrap intervals of growth and drawdown.
    pub(crate) fn growth_intervals(&self) -> Value<GrowthIntervals> {
        let returns = self.returns_of(OBSERVATIONS_BOOTSTRAP_MIN)?;
        bootstrap::growth_intervals(returns, self.span_days()?, self.inputs.seed)
    }

    /// Mean block of the bootstrap, if one was made.
    pub(crate) fn block_used(&self) -> Option<f64> {
        let made = self.interval.get()?.as_ref().ok()?;
        Some(made.block)
    }

    /// Number of session returns, 0 when they are not defined.
    pub(crate) fn observations(&self) -> usize {
        self.returns().map_or(0, <[f64]>::len)
    }

    /// Closed trades, maybe none.
    pub(crate) fn all_trades(&self) -> Value<&'a [ClosedTrade]> {
        self.inputs
            .trades
            .ok_or_else(|| Absent::new("no trades given"))
    }

    /// Closed trades, at least one.
    pub(crate) fn trades(&self) -> Value<&'a [ClosedTrade]> {
        match self.all_trades()? {
            [] => Err(Absent::new("no closed trade")),
            trades => Ok(trades),
        }
    }

    /// Money totals.
    pub(crate) fn money(&self) -> Value<Money> {
        self.inputs
            .money
            .ok_or_else(|| Absent::new("no ledger given"))
    }
}

fn too_few(have: usize, least: usize) -> Absent {
    let s = if have == 1 { "" } else { "s" };
    Absent::new(format!("{have} return{s}, at least {least} needed"))
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

fn sessions<'a>(inputs: &'a Inputs<'a>) -> Value<Sessions<'a>> {
    if inputs.time.is_empty() {
        return Err(Absent::new("no bars"));
    }
    let intraday = inputs.bars_a_session > 1.0;
    let (day, ends, returns, a_year) = if intraday {
        let a_year = inputs.periods_a_year / inputs.bars_a_session;
        let found = periods::sessions(inputs.time, a_year);
        let returns = periods::compounded(inputs.returns, found.iter().map(|(_, end)| *end));
        let (day, ends): (Vec<i64>, Vec<usize>) = found.into_iter().unzip();
        (day, Some(ends), Cow::Owned(returns), a_year)
    } else {
        let day = inputs.time.iter().map(|t| periods::day_of(*t)).collect();
        let returns = Cow::Borrowed(inputs.returns);
        (day, None, returns, inputs.periods_a_year)
    };
    let wealth = defined_wealth(&day, &returns)?;
    Ok(Sessions {
        day,
        ends,
        returns,
        wealth,
        a_year,
    })
}

/// Wealth of 1 at the start, or the date from which returns have no meaning: equity was not
/// positive before it.
fn defined_wealth(day: &[i64], returns: &[f64]) -> Value<Vec<f64>> {
    let mut w = 1.0;
    let mut wealth = Vec::with_capacity(returns.len());
    for (i, r) in returns.iter().enumerate() {
        if !r.is_finite() || w < 0.0 {
            let date = periods::date_of_day(day[i]);
            return Err(Absent::new(format!(
                "no return on {date}: the equity before it was not positive"
            )));
        }
        w *= 1.0 + r;
        if !w.is_finite() {
            return Err(Absent::new("the returns compound beyond any number"));
        }
        wealth.push(w);
    }
    Ok(wealth)
}
