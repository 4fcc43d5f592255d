//! What a reader must know before believing a result, each with advice.
//!
//! The facts are gathered by whoever knows strategy, market and run; here is only the judgement:
//! which facts deserve a caveat, and in which words. Warnings about data quality itself are left
//! to the market's audit.

use std::fmt;

/// Closed trades below which trade figures are chance.
pub const TRADES_MIN: usize = 30;
/// Years below which a sample is short.
pub const YEARS_MIN: f64 = 3.0;
/// Returns below which a sample is short, whatever its years: three years of months.
pub const OBSERVATIONS_MIN: usize = 36;
/// Symbols from which on it matters that none of them ended.
pub const SURVIVORS_MIN: usize = 3;

/// The facts that caveats are judged from. The default is a run that deserves none but those of
/// a missing sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaveatInputs {
    /// Calendar years from the first bar of the run to the last.
    pub years: f64,
    /// Session returns of the run.
    pub observations: usize,
    /// Closed trades.
    pub closed_trades: usize,
    /// Every cost of the strategy is zero.
    pub costs_are_zero: bool,
    /// The `[costs]` table had no key; the preset that was taken then, for example `retail`.
    pub costs_defaulted: Option<String>,
    /// Orders fill on the close that decided them, and some did.
    pub fills_at_deciding_close: bool,
    /// Symbols that the strategy could trade.
    pub symbols: usize,
    /// Symbols among them whose bars end before the tape's end, or that were delisted.
    pub symbols_ended: usize,
    /// Membership of the universe is dated.
    pub members_dated: bool,
    /// Traded symbols whose file has closes only.
    pub closes_only: Vec<String>,
    /// Symbols were held over a year of 252 sessions on raw prices, and neither the data has a
    /// dividend of any symbol nor is there a `dividend_yield`.
    pub without_dividends: Vec<String>,
    /// The yield of idle cash, when it is one number other than 0.
    pub cash_yield: Option<f64>,
    /// The hurdle of savings, when it is one number other than 0.
    pub hurdle: Option<f64>,
    /// Held symbols whose bars end before the run does, with the date of their last bar.
    pub stale: Vec<(String, String)>,
    /// Trades whose bar reached both stop and target.
    pub ambiguous_trades: usize,
    /// Equity at the end under `worst`, `path` and `best`, when trades were ambiguous.
    pub ambiguous_equity: Option<(f64, f64, f64)>,
    /// Combinations of parameters that these were chosen from on the same data.
    pub in_sample_trials: Option<usize>,
    /// What the reader must be told of option prices.
    pub option_prices: Vec<String>,
    /// Fills of options on the quotes that decided them.
    pub option_fills_at_deciding_close: u32,
    /// Columns of adjusted prices that expressions name.
    pub adjusted_columns: Vec<String>,
    /// Symbols left out of a benchmark for want of a first bar.
    pub benchmark_left_out: Vec<String>,
    /// Withdrawals that were not paid in full, and the money that is missing.
    pub unpaid: Option<(usize, f64)>,
    /// The strategy has `[tax]`.
    pub taxed: bool,
    /// First day of the stretch that the strategy holds out, and whether it was opened.
    pub holdout: Option<(String, bool)>,
}

/// One reason to believe a result less, with what to do about it. [`fmt::Display`] is one
/// sentence of each.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Caveat {
    /// Fewer than [`TRADES_MIN`] closed trades.
    FewTrades {
        /// How many.
        closed: usize,
    },
    /// Every cost is zero.
    NoCosts,
    /// The costs are a default.
    CostsNotChosen {
        /// Name of the preset.
        preset: String,
    },
    /// Orders filled on the close that decided them.
    FilledAtDecidingClose,
    /// Every symbol survived to the end of the tape.
    Survivors {
        /// How many symbols.
        symbols: usize,
    },
    /// Fewer than [`YEARS_MIN`] years or [`OBSERVATIONS_MIN`] returns.
    ShortSample {
        /// Years.
        years: f64,
        /// Returns.
        observations: usize,
    },
    /// The data has closes only.
    ClosesOnly {
        /// Of these symbols.
        symbols: Vec<String>,
    },
    /// Prices without dividends.
    NoDividends {
        /// Of these symbols.
        symbols: Vec<String>,
    },
    /// Cash paid one rate for more than a year.
    ConstantYield {
        /// The rate a year.
        rate: f64,
        /// The years.
        years: f64,
    },
    /// Holdings are marked at old prices.
    StaleEnd {
        /// Symbols with the date of their last bar.
        symbols: Vec<(String, String)>,
    },
    /// Bars reached both stop and target.
    AmbiguousStops {
        /// Such trades.
        trades: usize,
        /// Equity at the end: worst, path, best.
        equity: Option<(f64, f64, f64)>,
    },
    /// Parameters were chosen on the data they are shown on.
    InSample {
        /// Combinations tried.
        trials: usize,
    },
    /// Expressions read adjusted prices.
    AdjustedColumn {
        /// The columns.
        columns: Vec<String>,
    },
    /// The last stretch of the data is sealed.
    HoldoutSealed {
        /// Its first day.
        from: String,
    },
    /// The sealed stretch was read.
    HoldoutOpened {
        /// Its first day.
        from: String,
    },
    /// A walk forward that was interrupted.
    Interrupted {
        /// Folds that were walked.
        folds: usize,
        /// Folds that there are.
        planned: usize,
    },
    /// A walk forward of few folds.
    FewFolds {
        /// How many.
        folds: usize,
    },
    /// A model was not fitted at some of its refits.
    ModelFitsMissing {
        /// How many of them.
        missing: usize,
        /// Refits in all.
        refits: usize,
        /// Rows that were there, at most.
        rows: usize,
        /// Rows that a fit needs.
        rows_min: usize,
    },
    /// Forecasts that are better than forecasts are.
    ModelTooGood {
        /// Correlation with the outcome, out of sample.
        ic: f64,
    },
    /// Forecasts that did not go with the outcomes.
    ModelSaysNothing {
        /// Correlation with the outcome, out of sample, if there is one.
        ic: Option<f64>,
    },
    /// Simpler forecasts did as well.
    ModelBeaten {
        /// The feature that did so alone, if it did.
        by_feature: Option<String>,
        /// Coins that ended below the model.
        coins_beaten: usize,
        /// All of them.
        coins: usize,
    },
    /// Money could not be taken out.
    Unpaid {
        /// Withdrawals not paid in full.
        withdrawals: usize,
        /// Money that is missing.
        amount: f64,
    },
    /// Taxes are a model.
    TaxModel,
    /// Option prices are not what was traded.
    OptionPrices {
        /// Why.
        why: String,
    },
    /// Options traded on the quotes that decided them.
    OptionsAtDecidingClose {
        /// Such fills.
        fills: u32,
    },
    /// A benchmark holds less than its name says.
    BenchmarkIncomplete {
        /// Symbols left out.
        symbols: Vec<String>,
    },
}

/// The caveats that the facts deserve, in a fixed order.
pub fn caveats(facts: &CaveatInputs) -> Vec<Caveat> {
    [
        of_sample(facts),
        of_costs(facts),
        of_fills(facts),
        of_data(facts),
    ]
    .concat()
}

fn of_sample(facts: &CaveatInputs) -> Vec<Caveat> {
    let mut found = Vec::new();
    if let Some((from, is_open)) = &facts.holdout {
        let from = from.clone();
        found.push(match is_open {
            true => Caveat::HoldoutOpened { from },
            false => Caveat::HoldoutSealed { from },
        });
    }
    if let Some(trials) = facts.in_sample_trials {
        found.push(Caveat::InSample { trials });
    }
    if facts.years < YEARS_MIN || facts.observations < OBSERVATIONS_MIN {
        found.push(Caveat::ShortSample {
            years: facts.years,
            observations: facts.observations,
        });
    }
    if facts.closed_trades < TRADES_MIN {
        found.push(Caveat::FewTrades {
            closed: facts.closed_trades,
        });
    }
    found
}

fn of_costs(facts: &CaveatInputs) -> Vec<Caveat> {
    let mut found = Vec::new();
    match &facts.costs_defaulted {
        _ if facts.costs_are_zero => found.push(Caveat::NoCosts),
        Some(preset) => found.push(Caveat::CostsNotChosen {
            preset: preset.clone(),
        }),
        None => {}
    }
    let rate = facts.cash_yield.or(facts.hurdle).filter(|r| *r != 0.0);
    if let Some(rate) = rate.filter(|_| facts.years > 1.0) {
        found.push(Caveat::ConstantYield {
            rate,
            years: facts.years,
        });
    }
    found
}

fn of_fills(facts: &CaveatInputs) -> Vec<Caveat> {
    let mut found = Vec::new();
    if facts.taxed {
        found.push(Caveat::TaxModel);
    }
    if facts.fills_at_deciding_close {
        found.push(Caveat::FilledAtDecidingClose);
    }
    let prices = facts.option_prices.iter();
    found.extend(prices.map(|why| Caveat::OptionPrices { why: why.clone() }));
    if facts.option_fills_at_deciding_close > 0 {
        found.push(Caveat::OptionsAtDecidingClose {
            fills: facts.option_fills_at_deciding_close,
        });
    }
    if let Some((withdrawals, amount)) = facts.unpaid {
        found.push(Caveat::Unpaid {
            withdrawals,
            amount,
        });
    }
    if facts.ambiguous_trades > 0 {
        found.push(Caveat::AmbiguousStops {
            trades: facts.ambiguous_trades,
            equity: facts.ambiguous_equity,
        });
    }
    if !facts.closes_only.is_empty() {
        found.push(Caveat::ClosesOnly {
            symbols: facts.closes_only.clone(),
        });
    }
    found
}

fn of_data(facts: &CaveatInputs) -> Vec<Caveat> {
    let mut found = Vec::new();
    let alive = facts.symbols >= SURVIVORS_MIN && facts.symbols_ended == 0;
    if alive && !facts.members_dated && facts.years > 1.0 {
        found.push(Caveat::Survivors {
            symbols: facts.symbols,
        });
    }
    if !facts.without_dividends.is_empty() {
        found.push(Caveat::NoDividends {
            symbols: facts.without_dividends.clone(),
        });
    }
    if !facts.adjusted_columns.is_empty() {
        found.push(Caveat::AdjustedColumn {
            columns: facts.adjusted_columns.clone(),
        });
    }
    if !facts.stale.is_empty() {
        found.push(Caveat::StaleEnd {
            symbols: facts.stale.clone(),
        });
    }
    if !facts.benchmark_left_out.is_empty() {
        found.push(Caveat::BenchmarkIncomplete {
            symbols: facts.benchmark_left_out.clone(),
        });
    }
    found
}

impl Caveat {
    /// A stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Caveat::FewTrades { .. } => "few_trades",
            Caveat::NoCosts => "no_costs",
            Caveat::CostsNotChosen { .. } => "costs_not_chosen",
            Caveat::FilledAtDecidingClose => "filled_at_deciding_close",
            Caveat::Survivors { .. } => "survivors",
            Caveat::ShortSample { .. } => "short_sample",
            Caveat::ClosesOnly { .. } => "closes_only",
            Caveat::NoDividends { .. } => "no_dividends",
            Caveat::ConstantYield { .. } => "constant_yield",
            Caveat::StaleEnd { .. } => "stale_end",
            Caveat::AmbiguousStops { .. } => "ambiguous_stops",
            Caveat::InSample { .. } => "in_sample",
            Caveat::HoldoutSealed { .. } => "holdout_sealed",
            Caveat::HoldoutOpened { .. } => "holdout_opened",
            Caveat::Interrupted { .. } => "interrupted",
            Caveat::FewFolds { .. } => "few_folds",
            Caveat::AdjustedColumn { .. } => "adjusted_column",
            Caveat::Unpaid { .. } => "unpaid_withdrawals",
            Caveat::TaxModel => "tax_model",
            Caveat::OptionPrices { .. } => "option_prices",
            Caveat::OptionsAtDecidingClose { .. } => "options_at_deciding_close",
            Caveat::BenchmarkIncomplete { .. } => "benchmark_incomplete",
            Caveat::ModelFitsMissing { .. } => "model_fits_missing",
            Caveat::ModelTooGood { .. } => "model_too_good",
            Caveat::ModelSaysNothing { .. } => "model_says_nothing",
            Caveat::ModelBeaten { .. } => "model_beaten",
        }
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caveat::FewTrades { closed } => few_trades(f, *closed),
            Caveat::NoCosts => f.write_str(
                "Trading is free here, as nowhere else. Give [costs] a commission or slippage.",
            ),
            Caveat::CostsNotChosen { preset } => costs_not_chosen(f, preset),
            Caveat::FilledAtDecidingClose => f.write_str(
                "Fills on the price that decided them, which cannot be done. Try [fill] at = \"next_open\".",
            ),
            Caveat::Survivors { symbols } => write!(
                f,
                "All {symbols} symbols still trade at the end: they were chosen with hindsight. Add those that failed to the data."
            ),
            Caveat::ShortSample { years, observations } => write!(
                f,
                "Short sample: {observations} returns in {years:.1} years. Use at least {YEARS_MIN:.0} years, with a falling market among them."
            ),
            Caveat::ClosesOnly { symbols } => closes_only(f, symbols),
            Caveat::NoDividends { symbols } => write!(
                f,
                "No dividends in the data of {}: a price index understates holding. Give actions or [data] dividend_yield.",
                listed(symbols)
            ),
            Caveat::ConstantYield { rate, years } => write!(
                f,
                "Cash pays {} for all {years:.1} years. Give [cash] a dated file of rates.",
                percent(*rate)
            ),
            Caveat::StaleEnd { symbols } => stale_end(f, symbols),
            Caveat::AmbiguousStops { trades, equity } => ambiguous(f, *trades, *equity),
            Caveat::InSample { trials } => write!(
                f,
                "In-sample: these parameters are the best of {trials} on this very data. Believe walk-forward instead."
            ),
            Caveat::HoldoutSealed { from } => write!(
                f,
                "The days from {from} on are held out and were not read. Look at them once, at the very end, with --open-holdout."
            ),
            Caveat::HoldoutOpened { from } => write!(
                f,
                "The held-out days from {from} on were read. Whatever is chosen from now on has seen them: they judge nothing again."
            ),
            Caveat::Interrupted { folds, planned } => interrupted(f, *folds, *planned),
            Caveat::FewFolds { folds } => few_folds(f, *folds),
            Caveat::AdjustedColumn { columns } => write!(
                f,
                "Rules read {}: adjusted prices know of later splits and dividends. Use close with [data] actions.",
                listed(columns)
            ),
            Caveat::ModelFitsMissing { .. }
            | Caveat::ModelTooGood { .. }
            | Caveat::ModelSaysNothing { .. }
            | Caveat::ModelBeaten { .. } => of_model(f, self),
            Caveat::Unpaid { .. } => unpaid(f, self),
            Caveat::OptionPrices { .. } | Caveat::OptionsAtDecidingClose { .. } => {
                of_options(f, self)
            }
            Caveat::TaxModel => f.write_str(
                "Taxes are a model with your rates and no advice; benchmarks pay none. Ask whoever files your return.",
            ),
            Caveat::BenchmarkIncomplete { symbols } => write!(
                f,
                "The benchmark leaves out {}, without a bar on the first day. Start later for a fair comparison.",
                listed(symbols)
            ),
        }
    }
}

fn closes_only(f: &mut fmt::Formatter<'_>, symbols: &[String]) -> fmt::Result {
    write!(
        f,
        "Only closes of {}: opens, highs and lows are the close, so stops and next-open fills see no price between. Use full bars.",
        listed(symbols)
    )
}

fn interrupted(f: &mut fmt::Formatter<'_>, folds: usize, planned: usize) -> fmt::Result {
    write!(
        f,
        "Interrupted after {folds} of {planned} folds: the rest is missing. The same command with --resume goes on."
    )
}

fn few_folds(f: &mut fmt::Formatter<'_>, folds: usize) -> fmt::Result {
    let folds = match folds {
        1 => "1 fold".to_owned(),
        _ => format!("{folds} folds"),
    };
    write!(
        f,
        "Only {folds}: one lucky window decides. Shorten the test windows, or give more data."
    )
}

fn costs_not_chosen(f: &mut fmt::Formatter<'_>, preset: &str) -> fmt::Result {
    write!(
        f,
        "Nobody chose the costs: preset \"{preset}\" was taken. Set [costs] to your broker's."
    )
}

/// The sentences about options.
fn of_options(f: &mut fmt::Formatter<'_>, caveat: &Caveat) -> fmt::Result {
    match caveat {
        Caveat::OptionPrices { why } => {
            let mut letters = why.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            write!(f, "{}{}.", first.unwrap_or_default(), letters.as_str())
        }
        Caveat::OptionsAtDecidingClose { fills } => write!(
            f,
            "{fills} option fills on the quotes that decided them, which cannot be done. Try [options.fill] when = \"next_day\"."
        ),
        _ => Ok(()),
    }
}

/// The sentences about a model.
fn of_model(f: &mut fmt::Formatter<'_>, caveat: &Caveat) -> fmt::Result {
    match caveat {
        Caveat::ModelFitsMissing {
            missing,
            refits,
            rows,
            rows_min,
        } => write!(
            f,
            "{missing} of {refits} refits of the model could not be made, with at most {rows} rows of {rows_min} or one outcome only: the fit before went on. Lengthen model.fit_window."
        ),
        Caveat::ModelTooGood { ic } => write!(
            f,
            "Forecasts that go with what came at a correlation of {ic:.2} are too good. Look for later prices in the features: `papertape check`."
        ),
        Caveat::ModelSaysNothing { ic: Some(ic) } => write!(
            f,
            "Out of sample the forecasts did not go with what came: correlation {ic:.3}. What the run earned, the model did not."
        ),
        Caveat::ModelSaysNothing { ic: None } => f.write_str(
            "Out of sample the forecasts never varied: the model learned nothing. What the run earned, it did not.",
        ),
        Caveat::ModelBeaten {
            by_feature,
            coins_beaten,
            coins,
        } => {
            if let Some(feature) = by_feature {
                write!(f, "The single feature `{feature}` ended no lower than the model. ")?;
            }
            write!(
                f,
                "The model ended above {coins_beaten} of {coins} coins. Learning that adds nothing is better left out."
            )
        }
        _ => Ok(()),
    }
}

fn few_trades(f: &mut fmt::Formatter<'_>, closed: usize) -> fmt::Result {
    let trades = if closed == 1 { "trade" } else { "trades" };
    write!(
        f,
        "{closed} closed {trades}: fewer than {TRADES_MIN} say little. Test longer, or on more symbols."
    )
}

fn unpaid(f: &mut fmt::Formatter<'_>, caveat: &Caveat) -> fmt::Result {
    let Caveat::Unpaid {
        withdrawals,
        amount,
    } = caveat
    else {
        return Ok(());
    };
    let were = match withdrawals {
        1 => "withdrawal was",
        _ => "withdrawals were",
    };
    write!(
        f,
        "{withdrawals} {were} not paid in full, {amount:.2} in all: the account had no more. Take out less, or later."
    )
}

fn stale_end(f: &mut fmt::Formatter<'_>, symbols: &[(String, String)]) -> fmt::Result {
    let named: Vec<String> = symbols
        .iter()
        .map(|(symbol, last)| format!("{symbol} (last bar {last})"))
        .collect();
    write!(
        f,
        "Holdings are marked at old prices: {}. Refresh the data, or end the run earlier.",
        listed(&named)
    )
}

fn ambiguous(
    f: &mut fmt::Formatter<'_>,
    trades: usize,
    equity: Option<(f64, f64, f64)>,
) -> fmt::Result {
    let had = if trades == 1 {
        "trade has"
    } else {
        "trades have"
    };
    write!(f, "{trades} {had} a bar that reached both stop and target.")?;
    if let Some((worst, path, best)) = equity {
        write!(
            f,
            " Equity at the end: {worst:.2} worst, {path:.2} by path, {best:.2} best."
        )?;
    }
    f.write_str(" Use finer bars to know.")
}

/// At most five names, and how many more.
fn listed(names: &[String]) -> String {
    let shown = names.len().min(5);
    let mut text = names[..shown].join(", ");
    if names.len() > shown {
        text.push_str(&format!(" and {} more", names.len() - shown));
    }
    text
}

/// A rate with as many decimals as it needs, at most two: `4.5%`, `0.25%`.
fn percent(rate: f64) -> String {
    let text = format!("{:.2}", rate * 100.0);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short}%")
}
