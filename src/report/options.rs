//! What options earned, in words, tables, files and pictures. Every number comes from
//! `metrics/options.rs`, the run's record or `pricing`; here it is put in its place.

mod charts;
mod tables;

use crate::engine::Run;
use crate::execution::Reason;
use crate::metrics::Metrics;
use crate::metrics::options::{OptionFigures, of_run};
use crate::report::figure;
use crate::study::Stress;

pub use charts::{options_chart, premium_chart};
pub use tables::{campaigns_csv, options_csv, rolls_csv};

/// What the summary says of a run's options.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionPage {
    /// The figures.
    pub figures: OptionFigures,
    /// Questions and answers.
    pub answers: Vec<(&'static str, String)>,
    /// Tables with their titles: lines of equal columns, the header first.
    pub tables: Vec<(String, Vec<Vec<String>>)>,
}

impl OptionPage {
    /// Of a judged run; `None` for one without options.
    pub fn of(run: &Run, metrics: &Metrics, stress: &Stress) -> Option<OptionPage> {
        let figures = of_run(run)?;
        let answers = [
            ("Written", written(&figures)),
            ("Average", average(&figures)),
            ("Premium", premium(&figures, metrics)),
            ("It cost", cost(&figures)),
            ("Won", won(&figures)),
            ("Rolls", rolls(run, &figures)),
            ("Early", early(run)),
            ("Not done", not_done(&figures)),
            ("Marks", marks(run)),
            ("Varied", assumed(stress)),
        ];
        let answers = answers.into_iter().filter(|(_, words)| !words.is_empty());
        Some(OptionPage {
            answers: answers.collect(),
            tables: tables::in_words(run, &figures),
            figures,
        })
    }
}

/// How an option ended, in a word or two.
fn ended(reason: Option<Reason>) -> &'static str {
    match reason {
        None => "open",
        Some(Reason::Expired) => "expired worthless",
        Some(Reason::Rolled) => "rolled",
        Some(Reason::Assigned) => "assigned",
        Some(Reason::Called) => "called away",
        Some(Reason::Settled) => "settled in cash",
        Some(_) => "bought back",
    }
}

fn written(of: &OptionFigures) -> String {
    let (calls, puts) = of.written;
    let kinds = [(calls, "call", "calls"), (puts, "put", "puts")];
    let kinds = kinds.into_iter().filter(|(n, _, _)| *n > 0);
    let kinds: Vec<String> = kinds.map(|(n, a, b)| figure::plural(n, a, b)).collect();
    let ends = of.outcomes.iter();
    let ends: Vec<String> = ends.map(|(r, n)| format!("{n} {}", ended(*r))).collect();
    let bought = match of.bought {
        0 => String::new(),
        n => format!("; {n} bought"),
    };
    if kinds.is_empty() {
        return figure::plural(of.bought, "option bought", "options bought");
    }
    format!("{}: {}{bought}", kinds.join(", "), ends.join(", "))
}

fn average(of: &OptionFigures) -> String {
    if !of.premium.is_finite() {
        return String::new();
    }
    let delta = match of.delta.is_finite() {
        true => format!(", {:.2} delta", of.delta),
        false => String::new(),
    };
    format!(
        "{} days to expiration{delta}, {} of the price",
        figure::grouped(of.days, 0),
        figure::percent(of.premium)
    )
}

/// Never without what the whole run returned beside it.
fn premium(of: &OptionFigures, metrics: &Metrics) -> String {
    let a_year = |amount: f64| match of.equity * of.years {
        base if base > 0.0 => format!(" ({} of equity a year)", figure::percent(amount / base)),
        _ => String::new(),
    };
    let kept = of.money.kept();
    format!(
        "{} received{}, {} kept{}; the run returned {} a year in all",
        figure::money(of.money.received),
        a_year(of.money.received),
        figure::money(kept),
        a_year(kept),
        figure::of_key(metrics, "cagr"),
    )
}

fn cost(of: &OptionFigures) -> String {
    let money = &of.money;
    let parts = [
        (-money.bought_back, "bought back"),
        (-money.given_up, "given up at strikes"),
        (-money.protection, "for options bought, net"),
        (-money.fees, "in fees"),
    ];
    let parts = parts.into_iter().filter(|(amount, _)| *amount != 0.0);
    let parts: Vec<String> = parts
        .map(|(amount, words)| format!("{} {words}", figure::money(amount)))
        .collect();
    parts.join(", ")
}

fn won(of: &OptionFigures) -> String {
    if !of.win_rate.is_finite() {
        return String::new();
    }
    let ratio = match of.payoff_ratio.is_finite() {
        true => format!(
            ", the average gain {:.2} of the average loss",
            of.payoff_ratio
        ),
        false => String::new(),
    };
    format!(
        "{} of those written that ended{ratio}",
        figure::percent(of.win_rate)
    )
}

fn rolls(run: &Run, of: &OptionFigures) -> String {
    let campaigns = run.options.campaigns.len();
    let mut words = figure::plural(campaigns, "campaign", "campaigns");
    if of.worst_campaign.is_finite() {
        words += &format!(", the worst {}", figure::money(of.worst_campaign));
    }
    if of.rolls.is_empty() {
        return format!("none; {words}");
    }
    let credit = of.rolls.iter().map(|r| r.credit).sum::<f64>() / of.rolls.len() as f64;
    format!(
        "{} for {} a share on average, net; {words}",
        of.rolls.len(),
        figure::grouped(credit, 2)
    )
}

fn early(run: &Run) -> String {
    match run.options.early_assignments {
        0 => String::new(),
        n => format!(
            "{}; dividends of {} went to the holders",
            figure::plural(n as usize, "early assignment", "early assignments"),
            figure::money(run.options.dividends_lost)
        ),
    }
}

fn not_done(of: &OptionFigures) -> String {
    const SHOWN: usize = 5;
    let one = |(roll, why, n): &(bool, &str, usize)| {
        let what = if *roll { "roll" } else { "entry" };
        format!("{n} x {what}: {why}")
    };
    let shown: Vec<String> = of.not_done.iter().take(SHOWN).map(one).collect();
    let more = of.not_done.len().saturating_sub(SHOWN);
    match more {
        0 => shown.join("; "),
        n => format!("{}; {n} more kinds", shown.join("; ")),
    }
}

fn marks(run: &Run) -> String {
    let [mid, model, intrinsic] = run.options.marks.map(f64::from);
    let all = mid + model + intrinsic;
    if all == 0.0 {
        return String::new();
    }
    format!(
        "{} by quotes, {} by the model, {} by intrinsic value",
        figure::percent(mid / all),
        figure::percent(model / all),
        figure::percent(intrinsic / all)
    )
}

/// The same run where options are priced otherwise.
fn assumed(stress: &Stress) -> String {
    let lines = [
        ("option_premium", "a year with the surface at -0.05"),
        ("option_premium_higher", "at +0.05"),
        ("option_premium_none", "without any (realised volatility)"),
    ];
    let told = lines.into_iter().filter_map(|(key, words)| {
        let cagr = stress.line(key)?.figure("cagr")?;
        Some(format!("{} {words}", figure::percent(cagr)))
    });
    let told: Vec<String> = told.collect();
    match told.is_empty() {
        true => String::new(),
        false => format!("the premium is an assumption: {}", told.join(", ")),
    }
}
