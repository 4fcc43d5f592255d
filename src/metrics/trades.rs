//! Rows and functions of closed trades and of what the ledger adds up to.
//!
//! N closed trades; a win has pnl > 0, a loss pnl < 0, w is the share of wins. Open positions
//! count nowhere here.

use crate::metrics::moments;
use crate::metrics::prepared::{Prepared, Value};
use crate::metrics::{Absent, Better, ClosedTrade, Metric, Unit, returns};

/// The rows of closed trades.
pub(crate) static ROWS: [Metric; 13] = [
    Metric {
        key: "trades",
        label: "Trades",
        unit: Unit::Count,
        better: Better::Neither,
        formula: "number of closed trades, N",
        source: "count",
        compute: trades,
    },
    Metric {
        key: "win_rate",
        label: "Win rate",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "trades with pnl > 0 / N",
        source: "share",
        compute: win_rate,
    },
    Metric {
        key: "profit_factor",
        label: "Profit factor",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "sum of winning pnl / |sum of losing pnl|",
        source: "Pardo (2008), The Evaluation and Optimization of Trading Strategies",
        compute: profit_factor,
    },
    Metric {
        key: "expectancy",
        label: "Expectancy",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "mean pnl of a trade",
        source: "Tharp (2008), Definitive Guide to Position Sizing, in money",
        compute: mean_pnl,
    },
    Metric {
        key: "payoff_ratio",
        label: "Payoff ratio",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "avg_win / |avg_loss|",
        source: "Pardo (2008)",
        compute: payoff_ratio,
    },
    Metric {
        key: "avg_trade",
        label: "Average trade",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "mean pnl of a trade",
        source: "mean",
        compute: mean_pnl,
    },
    Metric {
        key: "avg_win",
        label: "Average win",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "mean pnl of trades with pnl > 0",
        source: "mean",
        compute: avg_win,
    },
    Metric {
        key: "avg_loss",
        label: "Average loss",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "mean pnl of trades with pnl < 0, negative",
        source: "mean",
        compute: avg_loss,
    },
    Metric {
        key: "best_trade",
        label: "Best trade",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "max pnl_pct: pnl / money put in",
        source: "order statistic",
        compute: best_trade,
    },
    Metric {
        key: "worst_trade",
        label: "Worst trade",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "min pnl_pct: pnl / money put in",
        source: "order statistic",
        compute: worst_trade,
    },
    Metric {
        key: "avg_bars_held",
        label: "Average bars held",
        unit: Unit::Bars,
        better: Better::Neither,
        formula: "mean of exit bar - entry bar",
        source: "mean",
        compute: avg_bars_held,
    },
    Metric {
        key: "sqn",
        label: "System quality",
        unit: Unit::Ratio,
        better: Better::Higher,
        formula: "sqrt(N) * mean(pnl) / sd(pnl)",
        source: "Tharp (2008), system quality number, in money",
        compute: sqn,
    },
    Metric {
        key: "kelly",
        label: "Kelly fraction",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "w - (1 - w) / payoff_ratio",
        source: "Kelly (1956), A New Interpretation of Information Rate, for two outcomes",
        compute: kelly,
    },
];

/// The rows of money totals.
pub(crate) static MONEY: [Metric; 8] = [
    Metric {
        key: "fees",
        label: "Fees",
        unit: Unit::Money,
        better: Better::Lower,
        formula: "commissions paid",
        source: "the ledger",
        compute: fees,
    },
    Metric {
        key: "slippage",
        label: "Slippage",
        unit: Unit::Money,
        better: Better::Lower,
        formula: "slippage and half spreads paid, as part of fill prices",
        source: "the ledger",
        compute: slippage,
    },
    Metric {
        key: "dividends",
        label: "Dividends",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "dividends received, less those owed on shorts",
        source: "the ledger",
        compute: dividends,
    },
    Metric {
        key: "interest",
        label: "Interest",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "interest on cash, less margin interest and borrow fees",
        source: "the ledger",
        compute: interest,
    },
    Metric {
        key: "premium",
        label: "Premium",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "option premium received",
        source: "the ledger",
        compute: premium,
    },
    Metric {
        key: "premium_net",
        label: "Premium, net",
        unit: Unit::Money,
        better: Better::Higher,
        formula: "option premium received, less what was bought back and given up",
        source: "the ledger",
        compute: premium_net,
    },
    Metric {
        key: "taxes",
        label: "Taxes",
        unit: Unit::Money,
        better: Better::Lower,
        formula: "taxes paid",
        source: "the ledger",
        compute: taxes,
    },
    Metric {
        key: "after_tax_cagr",
        label: "CAGR after tax",
        unit: Unit::Fraction,
        better: Better::Higher,
        formula: "cagr of W * (equity at the end - tax owed if everything were sold there) / equity at the end, W net of the taxes paid",
        source: "CFA Institute, USIPC After-Tax Performance Standards (2011)",
        compute: after_tax_cagr,
    },
];

/// The row of trades that the bar's prices left open to interpretation.
pub(crate) static AMBIGUOUS: [Metric; 1] = [Metric {
    key: "ambiguous_trades",
    label: "Ambiguous trades",
    unit: Unit::Count,
    better: Better::Lower,
    formula: "trades whose bar reached both stop and target without opening beyond either",
    source: "count",
    compute: ambiguous_trades,
}];

/// Sum and number of the pnl that `counts`.
fn tally(trades: &[ClosedTrade], counts: impl Fn(f64) -> bool) -> (f64, f64) {
    trades
        .iter()
        .filter(|t| counts(t.pnl))
        .fold((0.0, 0.0), |(sum, n), t| (sum + t.pnl, n + 1.0))
}

fn wins(p: &Prepared) -> Value<(f64, f64)> {
    match tally(p.trades()?, |pnl| pnl > 0.0) {
        (_, 0.0) => Err(Absent::new("no winning trade")),
        found => Ok(found),
    }
}

fn losses(p: &Prepared) -> Value<(f64, f64)> {
    match tally(p.trades()?, |pnl| pnl < 0.0) {
        (_, 0.0) => Err(Absent::new("no losing trade")),
        found => Ok(found),
    }
}

pub(crate) fn trades(p: &Prepared) -> Value<f64> {
    Ok(p.all_trades()?.len() as f64)
}

fn win_rate(p: &Prepared) -> Value<f64> {
    let trades = p.trades()?;
    Ok(tally(trades, |pnl| pnl > 0.0).1 / trades.len() as f64)
}

fn profit_factor(p: &Prepared) -> Value<f64> {
    let lost = losses(p)?.0.abs();
    Ok(tally(p.trades()?, |pnl| pnl > 0.0).0 / lost)
}

fn mean_of(p: &Prepared, field: impl Fn(&ClosedTrade) -> f64) -> Value<f64> {
    let values: Vec<f64> = p.trades()?.iter().map(field).collect();
    Ok(moments::mean(&values))
}

fn mean_pnl(p: &Prepared) -> Value<f64> {
    mean_of(p, |t| t.pnl)
}

fn payoff_ratio(p: &Prepared) -> Value<f64> {
    Ok(avg_win(p)? / avg_loss(p)?.abs())
}

fn avg_win(p: &Prepared) -> Value<f64> {
    let (sum, n) = wins(p)?;
    Ok(sum / n)
}

fn avg_loss(p: &Prepared) -> Value<f64> {
    let (sum, n) = losses(p)?;
    Ok(sum / n)
}

fn best_trade(p: &Prepared) -> Value<f64> {
    let all = p.trades()?.iter().map(|t| t.pnl_pct);
    Ok(all.fold(f64::NEG_INFINITY, f64::max))
}

fn worst_trade(p: &Prepared) -> Value<f64> {
    let all = p.trades()?.iter().map(|t| t.pnl_pct);
    Ok(all.fold(f64::INFINITY, f64::min))
}

fn avg_bars_held(p: &Prepared) -> Value<f64> {
    mean_of(p, |t| t.bars_held)
}

fn sqn(p: &Prepared) -> Value<f64> {
    let pnl: Vec<f64> = p.trades()?.iter().map(|t| t.pnl).collect();
    if pnl.len() < 2 {
        return Err(Absent::new("one closed trade, at least 2 needed"));
    }
    let (mean, spread) = (moments::mean(&pnl), moments::deviation(&pnl));
    // Equal gains: what is left of their spread is the rounding of their sum.
    if spread <= mean.abs() * moments::FLAT || !spread.is_finite() {
        return Err(Absent::new("the trades do not differ"));
    }
    Ok((pnl.len() as f64).sqrt() * mean / spread)
}

fn kelly(p: &Prepared) -> Value<f64> {
    let (payoff, w) = (payoff_ratio(p)?, win_rate(p)?);
    Ok(w - (1.0 - w) / payoff)
}

fn fees(p: &Prepared) -> Value<f64> {
    Ok(p.money()?.fees)
}

fn slippage(p: &Prepared) -> Value<f64> {
    Ok(p.money()?.slippage)
}

fn dividends(p: &Prepared) -> Value<f64> {
    Ok(p.money()?.dividends)
}

fn interest(p: &Prepared) -> Value<f64> {
    Ok(p.money()?.interest)
}

fn premium(p: &Prepared) -> Value<f64> {
    let premium = p.money()?.premium;
    premium.map_or_else(no_options, |(gross, _)| Ok(gross))
}

fn premium_net(p: &Prepared) -> Value<f64> {
    let premium = p.money()?.premium;
    premium.map_or_else(no_options, |(_, net)| Ok(net))
}

fn no_options() -> Value<f64> {
    Err(Absent::new("no options in this strategy"))
}

fn no_tax() -> Absent {
    Absent::new("no [tax] table")
}

fn taxes(p: &Prepared) -> Value<f64> {
    p.money()?.taxes.ok_or_else(no_tax)
}

fn after_tax_cagr(p: &Prepared) -> Value<f64> {
    let owed = p.money()?.tax_at_end.ok_or_else(no_tax)?;
    let end = p.inputs().end_equity.filter(|end| *end > 0.0);
    let end = end.ok_or_else(|| Absent::new("no equity at the end"))?;
    returns::annual(p.growth()? * (end - owed) / end, p.span_days()?)
}

fn ambiguous_trades(p: &Prepared) -> Value<f64> {
    p.inputs()
        .ambiguous_trades
        .map(f64::from)
        .ok_or_else(|| Absent::new("no bars of the trades given"))
}
