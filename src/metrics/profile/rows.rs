//! The tables of `profile`: what each program's source says, figure by figure.
//!
//! What several programs share is in `mod.rs`. Rates that a program would take as an argument have its default, 0;
//! figures that need what our inputs do not hold (its own benchmark, the bars of a trade) are left out.

use super::{
    A_YEAR, Definition, FLAT, NO_DRAWDOWN, NO_LOSS, Profile, active, adjusted_shape,
    alpha_compounded, alpha_of_session, annual, annual_return, beta, both_sides, capture, downside,
    drawdown, drawdown_without_start, information_of_session, mean_of_worst, normal_quantile_of,
    omega, over, returns, sharpe, sortino, tail, volatility,
};
use crate::metrics::prepared::{Prepared, Value};
use crate::metrics::{Absent, Unit, moments, normal_cdf, normal_quantile};

/// Every profile. The vocabulary of the strategy file has the same names.
pub(super) static PROFILES: [Profile; 6] = [
    Profile {
        name: "empyrical",
        version: "empyrical-reloaded 0.7.1",
        source: "https://github.com/quantopian/empyrical/blob/40f61b4f229d/empyrical/stats.py",
        rows: &[&EMPYRICAL, &EMPYRICAL_TAILS],
    },
    Profile {
        name: "pyfolio",
        version: "pyfolio-reloaded, on empyrical-reloaded 0.7.1",
        source: "https://github.com/stefan-jansen/pyfolio-reloaded/blob/main/src/pyfolio/timeseries.py, perf_stats",
        rows: &[&EMPYRICAL, &PYFOLIO],
    },
    Profile {
        name: "quantstats",
        version: "quantstats 0.0.86",
        source: "https://github.com/ranaroussi/quantstats/blob/fbd10daed022/quantstats/stats.py",
        rows: &[&QUANTSTATS],
    },
    Profile {
        name: "vectorbt",
        version: "vectorbt 1.2.0, freq 1D and year_freq 365 days",
        source: "https://github.com/polakowo/vectorbt/blob/f9897528f675/vectorbt/returns/nb.py",
        rows: &[&VECTORBT],
    },
    Profile {
        name: "backtesting.py",
        version: "backtesting.py 0.6.6",
        source: "https://github.com/kernc/backtesting.py/blob/9c2b8e1c99f3/backtesting/_stats.py",
        rows: &[&BACKTESTING, &BACKTESTING_TRADES],
    },
    Profile {
        name: "lean",
        version: "Lean 24863901deff",
        source: "https://github.com/QuantConnect/Lean/blob/24863901deff/Common/Statistics/PortfolioStatistics.cs",
        rows: &[&LEAN],
    },
];

const fn row(
    (key, name): (&'static str, &'static str),
    unit: Unit,
    formula: &'static str,
    compute: fn(&Prepared) -> Value<f64>,
) -> Definition {
    Definition {
        key,
        name,
        unit,
        formula,
        compute,
    }
}

use Unit::{Count, Fraction, Ratio};

static EMPYRICAL: [Definition; 12] = [
    row(
        ("total_return", "cum_returns_final"),
        Fraction,
        "W - 1",
        |p| Ok(p.growth()? - 1.0),
    ),
    row(("cagr", "annual_return"), Fraction, "W^(252/n) - 1", |p| {
        annual_return(p, A_YEAR)
    }),
    row(
        ("volatility", "annual_volatility"),
        Fraction,
        "sd(r) * sqrt(252)",
        |p| volatility(p, A_YEAR),
    ),
    row(
        ("sharpe", "sharpe_ratio"),
        Ratio,
        "mean(r) / sd(r) * sqrt(252)",
        |p| sharpe(p, A_YEAR),
    ),
    row(
        ("sortino", "sortino_ratio"),
        Ratio,
        "mean(r) / sqrt(sum of min(r, 0)^2 / n) * sqrt(252)",
        |p| sortino(p, A_YEAR),
    ),
    row(
        ("calmar", "calmar_ratio"),
        Ratio,
        "annual_return / |max_drawdown|",
        |p| over(annual_return(p, A_YEAR)?, -drawdown(p)?, NO_DRAWDOWN),
    ),
    row(
        ("omega", "omega_ratio"),
        Ratio,
        "sum of max(r, 0) / sum of max(-r, 0)",
        omega,
    ),
    row(
        ("max_drawdown", "max_drawdown"),
        Fraction,
        "min of W / peak - 1, from 1 on",
        drawdown,
    ),
    row(
        ("tail_ratio", "tail_ratio"),
        Ratio,
        "|95th percentile of r| / |5th percentile of r|",
        |p| {
            let sorted = p.sorted()?;
            let low = moments::percentile(sorted, 0.05).abs();
            over(
                moments::percentile(sorted, 0.95).abs(),
                low,
                "the 5th percentile of returns is zero",
            )
        },
    ),
    row(("beta", "beta"), Ratio, "cov(r, b) / var(b)", beta),
    row(
        ("alpha", "alpha"),
        Fraction,
        "(1 + mean(r) - beta * mean(b))^252 - 1",
        |p| alpha_compounded(p, A_YEAR),
    ),
    row(
        ("information_ratio", "excess_sharpe"),
        Ratio,
        "mean(r - b) / sd(r - b), of a day",
        information_of_session,
    ),
];

static EMPYRICAL_TAILS: [Definition; 4] = [
    row(
        ("var_95", "value_at_risk"),
        Fraction,
        "5th percentile of r (linear interpolation)",
        |p| Ok(moments::percentile(p.sorted()?, 0.05)),
    ),
    row(
        ("cvar_95", "conditional_value_at_risk"),
        Fraction,
        "mean of the floor(5% of (n - 1)) + 1 worst r",
        mean_of_worst,
    ),
    row(
        ("up_capture", "up_capture"),
        Ratio,
        "over days with b > 0: annual geometric return of r / that of b",
        |p| capture(p, |b| b > 0.0),
    ),
    row(
        ("down_capture", "down_capture"),
        Ratio,
        "over days with b < 0: annual geometric return of r / that of b",
        |p| capture(p, |b| b < 0.0),
    ),
];

static PYFOLIO: [Definition; 3] = [
    row(
        ("skew", "Skew"),
        Ratio,
        "m3 / m2^1.5, moments with divisor n",
        |p| Ok(moments::shape(tail(p)?).ok_or_else(|| Absent::new(FLAT))?.0),
    ),
    row(
        ("kurtosis", "Kurtosis"),
        Ratio,
        "m4 / m2^2 - 3, moments with divisor n",
        |p| Ok(moments::shape(tail(p)?).ok_or_else(|| Absent::new(FLAT))?.1 - 3.0),
    ),
    row(
        ("var_95", "Daily value at risk"),
        Fraction,
        "mean(r) - 2 * sd(r)",
        |p| Ok(normal_quantile_of(tail(p)?, -2.0)),
    ),
];

static QUANTSTATS: [Definition; 24] = [
    row(("total_return", "comp"), Fraction, "W - 1", |p| {
        Ok(p.growth()? - 1.0)
    }),
    row(("cagr", "cagr"), Fraction, "W^(252/n) - 1", |p| {
        annual_return(p, A_YEAR)
    }),
    row(
        ("volatility", "volatility"),
        Fraction,
        "sd(r) * sqrt(252)",
        |p| volatility(p, A_YEAR),
    ),
    row(
        ("sharpe", "sharpe"),
        Ratio,
        "mean(r) / sd(r) * sqrt(252)",
        |p| sharpe(p, A_YEAR),
    ),
    row(
        ("psr", "probabilistic_sharpe_ratio"),
        Fraction,
        "as ours, with adjusted skewness and kurtosis",
        quantstats_psr,
    ),
    row(
        ("sortino", "sortino"),
        Ratio,
        "mean(r) / sqrt(sum of min(r, 0)^2 / n) * sqrt(252)",
        |p| sortino(p, A_YEAR),
    ),
    row(("calmar", "calmar"), Ratio, "cagr / |max_drawdown|", |p| {
        over(annual_return(p, A_YEAR)?, -drawdown(p)?, NO_DRAWDOWN)
    }),
    row(
        ("omega", "omega"),
        Ratio,
        "sum of max(r, 0) / sum of max(-r, 0)",
        omega,
    ),
    row(
        ("max_drawdown", "max_drawdown"),
        Fraction,
        "min of W / peak - 1, from 1 on",
        drawdown,
    ),
    row(
        ("ulcer_index", "ulcer_index"),
        Fraction,
        "sqrt(sum of squared drawdowns / (n - 1))",
        |p| {
            let drawdowns = p.drawdowns()?;
            let squares: f64 = drawdowns.iter().map(|d| d * d).sum();
            Ok((squares / (drawdowns.len() as f64 - 1.0)).sqrt())
        },
    ),
    row(
        ("var_95", "value_at_risk"),
        Fraction,
        "mean(r) + z(0.05) * sd(r)",
        |p| Ok(normal_quantile_of(tail(p)?, normal_quantile(0.05))),
    ),
    row(
        ("cvar_95", "conditional_value_at_risk"),
        Fraction,
        "mean(r) - sd(r) * normal density at z(0.05) / 0.05",
        |p| {
            let z = normal_quantile(0.05);
            let density = libm::exp(-z * z / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
            Ok(normal_quantile_of(tail(p)?, -density / 0.05))
        },
    ),
    row(
        ("skew", "skew"),
        Ratio,
        "adjusted for small samples (pandas)",
        |p| Ok(adjusted_shape(tail(p)?)?.0),
    ),
    row(
        ("kurtosis", "kurtosis"),
        Ratio,
        "excess, adjusted for small samples (pandas)",
        |p| Ok(adjusted_shape(tail(p)?)?.1),
    ),
    row(
        ("tail_ratio", "tail_ratio"),
        Ratio,
        "|95th percentile of r / 5th percentile of r|",
        |p| {
            let sorted = p.sorted()?;
            let (high, low) = (
                moments::percentile(sorted, 0.95),
                moments::percentile(sorted, 0.05),
            );
            Ok(over(high, low, "the 5th percentile of returns is zero")?.abs())
        },
    ),
    row(("best_day", "best"), Fraction, "max r", |p| {
        Ok(returns(p)?
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max))
    }),
    row(("worst_day", "worst"), Fraction, "min r", |p| {
        Ok(returns(p)?.iter().copied().fold(f64::INFINITY, f64::min))
    }),
    row(
        ("exposure", "exposure"),
        Fraction,
        "share of days with r != 0, up to the next whole per cent",
        |p| {
            let r = returns(p)?;
            let days = r.iter().filter(|r| **r != 0.0).count() as f64;
            Ok((days / r.len() as f64 * 100.0).ceil() / 100.0)
        },
    ),
    row(("beta", "greeks: beta"), Ratio, "cov(r, b) / var(b)", beta),
    row(
        ("alpha", "greeks: alpha"),
        Fraction,
        "(mean(r) - beta * mean(b)) * 252",
        |p| Ok(alpha_of_session(p)? * A_YEAR),
    ),
    row(
        ("information_ratio", "information_ratio"),
        Ratio,
        "mean(r - b) / sd(r - b), of a day",
        information_of_session,
    ),
    row(
        ("win_rate", "win_rate"),
        Fraction,
        "days with r > 0 / days with r != 0",
        days_won,
    ),
    row(
        ("profit_factor", "profit_factor"),
        Ratio,
        "sum of the r above 0 / |sum of those below|",
        |p| {
            let (up, down) = both_sides(returns(p)?.iter().copied());
            over(up, -down, NO_LOSS)
        },
    ),
    row(
        ("payoff_ratio", "payoff_ratio"),
        Ratio,
        "mean of the r above 0 / |mean of those below|",
        days_payoff,
    ),
];

/// The source's spread is that of Bailey & Lopez de Prado (2012), its moments are pandas'.
fn quantstats_psr(p: &Prepared) -> Value<f64> {
    let r = tail(p)?;
    let s = over(moments::mean(r), moments::deviation(r), FLAT)?;
    let (skew, excess) = adjusted_shape(r)?;
    let variance = 1.0 + 0.5 * s * s - skew * s + excess / 4.0 * s * s;
    if variance <= moments::FLAT {
        return Err(Absent::new("the Sharpe ratio has no spread"));
    }
    Ok(normal_cdf(
        s * (r.len() as f64 - 1.0).sqrt() / variance.sqrt(),
    ))
}

fn days_won(p: &Prepared) -> Value<f64> {
    let r = returns(p)?;
    let won = r.iter().filter(|r| **r > 0.0).count() as f64;
    let moved = r.iter().filter(|r| **r != 0.0).count() as f64;
    over(won, moved, "every return is 0")
}

fn days_payoff(p: &Prepared) -> Value<f64> {
    let r = returns(p)?;
    let (up, down) = both_sides(r.iter().copied());
    let count = |counts: fn(f64) -> bool| r.iter().filter(|r| counts(**r)).count() as f64;
    let average_win = over(up, count(|r| r > 0.0), "no winning session")?;
    let average_loss = over(-down, count(|r| r < 0.0), NO_LOSS)?;
    over(average_win, average_loss, NO_LOSS)
}

/// vectorbt's year has 365 days of one bar each, unless it is told otherwise.
const DAYS_OF_VECTORBT: f64 = 365.0;

static VECTORBT: [Definition; 13] = [
    row(("total_return", "total_return"), Fraction, "W - 1", |p| {
        Ok(p.growth()? - 1.0)
    }),
    row(
        ("cagr", "annualized_return"),
        Fraction,
        "W^(365/n) - 1",
        |p| annual_return(p, DAYS_OF_VECTORBT),
    ),
    row(
        ("volatility", "annualized_volatility"),
        Fraction,
        "sd(r) * sqrt(365)",
        |p| volatility(p, DAYS_OF_VECTORBT),
    ),
    row(
        ("sharpe", "sharpe_ratio"),
        Ratio,
        "mean(r) / sd(r) * sqrt(365)",
        |p| sharpe(p, DAYS_OF_VECTORBT),
    ),
    row(
        ("sortino", "sortino_ratio"),
        Ratio,
        "mean(r) / sqrt(sum of min(r, 0)^2 / n) * sqrt(365)",
        |p| sortino(p, DAYS_OF_VECTORBT),
    ),
    row(
        ("calmar", "calmar_ratio"),
        Ratio,
        "annualized_return / |max_drawdown|",
        |p| {
            over(
                annual_return(p, DAYS_OF_VECTORBT)?,
                -drawdown_without_start(p)?,
                NO_DRAWDOWN,
            )
        },
    ),
    row(
        ("omega", "omega_ratio"),
        Ratio,
        "sum of max(r, 0) / sum of max(-r, 0)",
        omega,
    ),
    row(
        ("max_drawdown", "max_drawdown"),
        Fraction,
        "min of W / peak - 1, from the first day's W on",
        drawdown_without_start,
    ),
    row(
        ("var_95", "value_at_risk"),
        Fraction,
        "5th percentile of r (linear interpolation)",
        |p| Ok(moments::percentile(p.sorted()?, 0.05)),
    ),
    row(
        ("cvar_95", "cond_value_at_risk"),
        Fraction,
        "mean of the floor(5% of (n - 1)) + 1 worst r",
        mean_of_worst,
    ),
    row(("beta", "beta"), Ratio, "cov(r, b) / var(b)", beta),
    row(
        ("alpha", "alpha"),
        Fraction,
        "(1 + mean(r) - beta * mean(b))^365 - 1",
        |p| alpha_compounded(p, DAYS_OF_VECTORBT),
    ),
    row(
        ("information_ratio", "information_ratio"),
        Ratio,
        "mean(r - b) / sd(r - b), of a day",
        information_of_session,
    ),
];

/// What backtesting.py sees of a run: returns from its first close on, n of them counting the first close as
/// one without a change, the wealth that they compound to, and its days a year.
struct FromFirstClose<'p> {
    r: &'p [f64],
    days: usize,
    wealth: f64,
    a_year: f64,
}

fn from_first_close<'p>(p: &'p Prepared<'_>) -> Value<FromFirstClose<'p>> {
    let all = returns(p)?;
    let wealth = all[1..].iter().fold(1.0, |w, r| w * (1.0 + r));
    // Its test of weekend bars, which our calendar has answered already.
    let is_every_day = p.a_year()? > 300.0;
    Ok(FromFirstClose {
        r: &all[1..],
        days: all.len(),
        wealth,
        a_year: if is_every_day { 365.0 } else { A_YEAR },
    })
}

impl FromFirstClose<'_> {
    fn annual(&self) -> Value<f64> {
        annual(self.wealth, self.days, self.a_year)
    }

    /// Standard deviation of a year's compounded return.
    fn volatility(&self) -> Value<f64> {
        let spread = moments::deviation(self.r);
        let growth = 1.0 + (libm::pow(self.wealth, 1.0 / self.days as f64) - 1.0);
        let squares = libm::pow(spread * spread + growth * growth, self.a_year);
        Ok((squares - libm::pow(growth, 2.0 * self.a_year)).sqrt())
    }
}

static BACKTESTING: [Definition; 7] = [
    row(
        ("total_return", "Return [%]"),
        Fraction,
        "last close's equity / first close's - 1",
        |p| Ok(from_first_close(p)?.wealth - 1.0),
    ),
    row(
        ("cagr", "CAGR [%]"),
        Fraction,
        "(equity at the last close / at the first)^(365.25 / days between) - 1",
        |p| {
            let of = from_first_close(p)?;
            if of.wealth < 0.0 {
                return Err(Absent::new("more than everything was lost"));
            }
            Ok(libm::pow(of.wealth, 365.25 / p.span_days()?) - 1.0)
        },
    ),
    row(
        ("volatility", "Volatility (Ann.) [%]"),
        Fraction,
        "sqrt((var(r) + (1 + g)^2)^252 - (1 + g)^504), g the geometric mean of r",
        |p| from_first_close(p)?.volatility(),
    ),
    row(
        ("sharpe", "Sharpe Ratio"),
        Ratio,
        "((1 + g)^252 - 1) / Volatility (Ann.)",
        |p| {
            let of = from_first_close(p)?;
            over(of.annual()?, of.volatility()?, FLAT)
        },
    ),
    row(
        ("sortino", "Sortino Ratio"),
        Ratio,
        "((1 + g)^252 - 1) / (sqrt(mean of min(r, 0)^2) * sqrt(252))",
        |p| {
            let of = from_first_close(p)?;
            over(of.annual()?, downside(of.r) * of.a_year.sqrt(), NO_LOSS)
        },
    ),
    row(
        ("calmar", "Calmar Ratio"),
        Ratio,
        "((1 + g)^252 - 1) / |Max. Drawdown|",
        |p| {
            over(
                from_first_close(p)?.annual()?,
                -drawdown_without_start(p)?,
                NO_DRAWDOWN,
            )
        },
    ),
    row(
        ("max_drawdown", "Max. Drawdown [%]"),
        Fraction,
        "min of W / peak - 1, from the first close's W on",
        drawdown_without_start,
    ),
];

static BACKTESTING_TRADES: [Definition; 9] = [
    row(("trades", "# Trades"), Count, "closed trades", |p| {
        Ok(p.all_trades()?.len() as f64)
    }),
    row(
        ("win_rate", "Win Rate [%]"),
        Fraction,
        "trades with pnl > 0 / trades",
        |p| {
            let trades = p.trades()?;
            Ok(trades.iter().filter(|t| t.pnl > 0.0).count() as f64 / trades.len() as f64)
        },
    ),
    row(
        ("profit_factor", "Profit Factor"),
        Ratio,
        "sum of the returns of trades above 0 / |sum of those below|: not in money",
        |p| {
            let (up, down) = both_sides(p.trades()?.iter().map(|t| t.pnl_pct));
            over(up, -down, "no losing trade")
        },
    ),
    row(
        ("expectancy", "Expectancy [%]"),
        Fraction,
        "mean return of a trade: not in money",
        |p| {
            let of_trades: Vec<f64> = p.trades()?.iter().map(|t| t.pnl_pct).collect();
            Ok(moments::mean(&of_trades))
        },
    ),
    row(
        ("avg_trade", "Avg. Trade [%]"),
        Fraction,
        "geometric mean return of a trade: not in money",
        |p| {
            let trades = p.trades()?;
            let logs = trades.iter().map(|t| libm::log1p(t.pnl_pct));
            match trades.iter().all(|t| t.pnl_pct > -1.0) {
                true => Ok(libm::expm1(logs.sum::<f64>() / trades.len() as f64)),
                false => Ok(0.0),
            }
        },
    ),
    row(
        ("best_trade", "Best Trade [%]"),
        Fraction,
        "max return of a trade",
        |p| {
            Ok(p.trades()?
                .iter()
                .map(|t| t.pnl_pct)
                .fold(f64::NEG_INFINITY, f64::max))
        },
    ),
    row(
        ("worst_trade", "Worst Trade [%]"),
        Fraction,
        "min return of a trade",
        |p| {
            Ok(p.trades()?
                .iter()
                .map(|t| t.pnl_pct)
                .fold(f64::INFINITY, f64::min))
        },
    ),
    row(
        ("sqn", "SQN"),
        Ratio,
        "sqrt(N) * mean(pnl) / sd(pnl)",
        |p| {
            let pnl: Vec<f64> = p.trades()?.iter().map(|t| t.pnl).collect();
            let spread =
                moments::spread(&pnl).ok_or_else(|| Absent::new("the trades do not differ"))?;
            Ok((pnl.len() as f64).sqrt() * moments::mean(&pnl) / spread)
        },
    ),
    row(
        ("kelly", "Kelly Criterion"),
        Fraction,
        "w - (1 - w) / (mean win / |mean loss|)",
        |p| {
            let pnl: Vec<f64> = p.trades()?.iter().map(|t| t.pnl).collect();
            let side = |counts: fn(f64) -> bool| pnl.iter().copied().filter(move |x| counts(*x));
            let (won, lost) = (side(|x| x > 0.0), side(|x| x < 0.0));
            let (wins, losses) = (won.clone().count() as f64, lost.clone().count() as f64);
            let win = over(won.sum(), wins, "no winning trade")?;
            let loss = over(-lost.sum::<f64>(), losses, "no losing trade")?;
            let w = wins / pnl.len() as f64;
            Ok(w - (1.0 - w) / (win / loss))
        },
    ),
];

static LEAN: [Definition; 13] = [
    row(("total_return", "TotalNetProfit"), Fraction, "W - 1", |p| {
        Ok(p.growth()? - 1.0)
    }),
    row(
        ("cagr", "CompoundingAnnualReturn"),
        Fraction,
        "W^(365 / calendar days from the first to the last) - 1",
        |p| annual(p.growth()?, 1, 365.0 / p.span_days()?),
    ),
    row(
        ("volatility", "AnnualStandardDeviation"),
        Fraction,
        "sqrt(var(r) * 252)",
        |p| volatility(p, A_YEAR),
    ),
    row(
        ("sharpe", "SharpeRatio"),
        Ratio,
        "((1 + mean(r))^252 - 1) / (sd(r) * sqrt(252))",
        |p| over(performance(returns(p)?), volatility(p, A_YEAR)?, FLAT),
    ),
    row(
        ("sortino", "SortinoRatio"),
        Ratio,
        "((1 + mean(r))^252 - 1) / (sd of the r below 0 * sqrt(252))",
        |p| {
            let r = returns(p)?;
            let below: Vec<f64> = r.iter().copied().filter(|r| *r < 0.0).collect();
            let spread = moments::spread(&below).ok_or_else(|| Absent::new(NO_LOSS))?;
            Ok(performance(r) / (spread * A_YEAR.sqrt()))
        },
    ),
    row(
        ("max_drawdown", "Drawdown"),
        Fraction,
        "min of W / peak - 1 (there rounded and positive)",
        drawdown,
    ),
    row(
        ("var_95", "ValueAtRisk95"),
        Fraction,
        "mean(r) + z(0.05) * sd(r) of the last 252 days",
        |p| {
            let r = tail(p)?;
            let last = &r[r.len().saturating_sub(252)..];
            Ok(normal_quantile_of(last, normal_quantile(0.05)))
        },
    ),
    row(("beta", "Beta"), Ratio, "cov(r, b) / var(b)", beta),
    row(
        ("alpha", "Alpha"),
        Fraction,
        "a(r) - Beta * a(b), a(x) = (1 + mean(x))^252 - 1",
        |p| Ok(performance(p.returns()?) - beta(p)? * performance(p.benchmark()?)),
    ),
    row(
        ("tracking_error", "TrackingError"),
        Fraction,
        "sqrt(var(r - b) * 252)",
        |p| Ok(moments::deviation(&active(p)?) * A_YEAR.sqrt()),
    ),
    row(
        ("information_ratio", "InformationRatio"),
        Ratio,
        "(a(r) - a(b)) / TrackingError",
        |p| {
            let ahead = performance(p.returns()?) - performance(p.benchmark()?);
            let spread = moments::deviation(&active(p)?) * A_YEAR.sqrt();
            over(
                ahead,
                spread,
                "the difference to the benchmark does not vary",
            )
        },
    ),
    row(
        ("payoff_ratio", "ProfitLossRatio"),
        Ratio,
        "mean of wins / |mean of losses|, each over the cash that the trades before left",
        |p| Ok(of_capital(p)?.payoff()),
    ),
    row(
        ("expectancy", "Expectancy"),
        Ratio,
        "w * ProfitLossRatio - share of losses: not in money",
        |p| {
            let of = of_capital(p)?;
            let all = of.wins + of.losses;
            Ok(of.wins / all * of.payoff() - of.losses / all)
        },
    ),
];

/// (1 + mean)^252 - 1.
fn performance(x: &[f64]) -> f64 {
    libm::pow(1.0 + moments::mean(x), A_YEAR) - 1.0
}

/// Closed trades as Lean adds them up: each as a share of the starting cash and the trades before.
struct OfCapital {
    wins: f64,
    losses: f64,
    won: f64,
    lost: f64,
}

fn of_capital(p: &Prepared) -> Value<OfCapital> {
    let start = p.inputs().start_equity;
    let mut capital = start.ok_or_else(|| Absent::new("returns without an account"))?;
    let mut of = OfCapital {
        wins: 0.0,
        losses: 0.0,
        won: 0.0,
        lost: 0.0,
    };
    for trade in p.trades()? {
        // A trade that made nothing counts among the losses.
        if trade.pnl > 0.0 {
            of.won += trade.pnl / capital;
            of.wins += 1.0;
        } else {
            of.lost += trade.pnl / capital;
            of.losses += 1.0;
        }
        capital += trade.pnl;
    }
    Ok(of)
}

impl OfCapital {
    /// 0 where there is no win or no loss, as there.
    fn payoff(&self) -> f64 {
        match self.wins > 0.0 && self.losses > 0.0 && self.lost < 0.0 {
            true => self.won / self.wins / (self.lost / self.losses).abs(),
            false => 0.0,
        }
    }
}
