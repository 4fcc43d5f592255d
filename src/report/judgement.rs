//! What is to be thought of the best of many trials, in words, as a table, as JSON and as CSV.
//!
//! The figures are `study::overfitting`'s; here they are only said.

use crate::market::show_time;
use crate::metrics::bootstrap::Interval;
use crate::metrics::table::TrialTable;
use crate::metrics::{Unit, Value};
use crate::report::text::paragraph;
use crate::report::{cell, figure, manifest};
use crate::study::AmongTrials;
use crate::study::overfitting::{BLOCKS, Judgement};
use serde_json::{Map, Value as Json, json};

/// Width of a name and of a figure in the table.
const NAME: usize = 22;
const FIGURE: usize = 8;

/// The verdict in a sentence or two: "Best of 9,604 trials. A Sharpe this high comes up by luck 38%
/// of the time."
pub fn sentence(judgement: &Judgement) -> String {
    let trials = judgement.trials as usize;
    let best = match trials {
        1 => "One trial.".to_owned(),
        _ => format!("Best of {}.", figure::plural(trials, "trial", "trials")),
    };
    let verdict = match &judgement.deflated_sharpe {
        Ok(deflated) => format!(
            "A Sharpe this high comes up by luck {} of the time.",
            luck(*deflated)
        ),
        Err(reason) => format!("Whether it is luck cannot be said: {reason}."),
    };
    let all = match (judgement.trials_all, &judgement.deflated_sharpe_all) {
        (Some(all), Ok(deflated)) if all > judgement.trials => format!(
            " Of the best of all {} ever made on these data: {}.",
            figure::plural(all as usize, "trial", "trials"),
            luck(*deflated)
        ),
        _ => String::new(),
    };
    format!("{best} {verdict}{all}")
}

/// How a run stands among all trials ever made on its data, in a sentence or two; `None` for the first
/// trial, which was not chosen among others.
pub fn among_trials(among: &AmongTrials) -> Option<String> {
    if among.trials < 2 {
        return None;
    }
    let trials = figure::plural(among.trials as usize, "trial", "trials");
    let verdict = match &among.deflated_sharpe {
        Ok(deflated) => format!(
            "The best of so many shows a Sharpe this high by luck {} of the time (deflated Sharpe {}).",
            luck(*deflated),
            figure::of_unit(*deflated, Unit::Fraction)
        ),
        Err(reason) => format!("Whether it is luck cannot be said: {reason}."),
    };
    Some(format!("One of {trials} made on these data. {verdict}"))
}

/// How often luck does it, when it does not with this probability.
fn luck(deflated: f64) -> String {
    match 1.0 - deflated {
        rare if rare < 0.01 => "less than 1%".to_owned(),
        common if common > 0.99 => "more than 99%".to_owned(),
        share => format!("{:.0}%", share * 100.0),
    }
}

/// Key, and number or reason, of every figure of a judgement that is a probability, a p value or a
/// number of trials, for JSON and CSV.
pub fn values(judgement: &Judgement) -> Vec<(&'static str, std::result::Result<f64, String>)> {
    let said = |value: Value<f64>| value.map_err(|reason| reason.to_string());
    vec![
        ("trials_effective", said(judgement.trials_effective.clone())),
        ("deflated_sharpe", said(judgement.deflated_sharpe.clone())),
        (
            "deflated_sharpe_all",
            said(judgement.deflated_sharpe_all.clone()),
        ),
        ("pbo", said(judgement.pbo.clone())),
        ("spa_p", said(judgement.spa_p())),
        ("reality_check_p", said(judgement.reality_check_p())),
        ("min_track_record", said(judgement.min_track_record.clone())),
    ]
}

/// One line of the table.
struct Line {
    label: &'static str,
    figure: String,
    /// What it means, in words.
    remark: String,
}

/// The table of a judgement, at most 80 columns: a figure a line with what it means, then why figures
/// are absent. The best trial is named by the caller.
pub fn table(judgement: &Judgement) -> String {
    let mut page = String::new();
    for line in lines(judgement) {
        let Line {
            label,
            figure,
            remark,
        } = line;
        let first = format!("  {label:NAME$}{figure:>FIGURE$}   ");
        page.push_str(&paragraph(&first, &remark));
    }
    page + &absent(judgement)
}

fn lines(judgement: &Judgement) -> Vec<Line> {
    let mut lines = of_the_best(judgement);
    lines.push(line(
        "Deflated Sharpe",
        shown(&judgement.deflated_sharpe, Unit::Fraction),
        "probability that it is more than luck",
    ));
    if let Some(all) = judgement.trials_all {
        let all = figure::plural(all as usize, "trial", "trials");
        lines.push(line(
            "  over all trials",
            shown(&judgement.deflated_sharpe_all, Unit::Fraction),
            format!("the same over {all} made on these data"),
        ));
    }
    lines.push(line(
        "Overfitting (PBO)",
        shown(&judgement.pbo, Unit::Fraction),
        "of all splits of history: the best of one half is no better than the median in the other",
    ));
    lines.extend(tests(judgement));
    let trials = figure::grouped(judgement.trials as f64, 0);
    lines.push(line(
        "Trials, effective",
        shown(&judgement.trials_effective, effective_unit(judgement)),
        format!("independent ones among {trials}"),
    ));
    let sessions = figure::grouped(judgement.sessions as f64, 0);
    lines.push(line(
        "Track record needed",
        shown(&judgement.min_track_record, Unit::Count),
        format!("returns, for a Sharpe above 0 with 95% confidence; there are {sessions}"),
    ));
    lines
}

fn line(label: &'static str, figure: String, remark: impl Into<String>) -> Line {
    Line {
        label,
        figure,
        remark: remark.into(),
    }
}

/// The figures of the best trial with their intervals, and what luck would have made of it.
fn of_the_best(judgement: &Judgement) -> Vec<Line> {
    let interval = |found: Option<Interval>, unit| {
        let Some(found) = found else {
            return String::new();
        };
        let bound = |x| figure::of_unit(x, unit);
        format!("90% interval {}..{}", bound(found.low), bound(found.high))
    };
    let growth = judgement.growth_intervals.as_ref().ok();
    let of_sharpe = judgement.sharpe_interval.as_ref().ok().copied();
    vec![
        line(
            "CAGR",
            shown(&judgement.cagr, Unit::Fraction),
            interval(growth.map(|g| g.cagr), Unit::Fraction),
        ),
        line(
            "Max drawdown",
            figure::of_unit(judgement.max_drawdown, Unit::Fraction),
            interval(growth.map(|g| g.max_drawdown), Unit::Fraction),
        ),
        line(
            "Sharpe ratio",
            shown(&judgement.sharpe, Unit::Ratio),
            interval(of_sharpe, Unit::Ratio),
        ),
        line(
            "  of luck alone",
            figure::of_unit(judgement.sharpe_of_luck, Unit::Ratio),
            "expected of the best of so many worthless trials",
        ),
    ]
}

fn tests(judgement: &Judgement) -> [Line; 2] {
    let band = judgement.ability.as_ref().map(|found| {
        let (low, high) = (found.spa_p_lower, found.spa_p_upper);
        format!(" (bounds {low:.3} and {high:.3})")
    });
    [
        line(
            "SPA p",
            p_value(&judgement.spa_p()),
            format!(
                "chance of so good a best when no trial beats cash, by mean over spread{}",
                band.unwrap_or_default()
            ),
        ),
        line(
            "Reality check p",
            p_value(&judgement.reality_check_p()),
            "the same by mean return",
        ),
    ]
}

fn p_value(value: &Value<f64>) -> String {
    value
        .as_ref()
        .map_or_else(|_| figure::ABSENT.to_owned(), |p| format!("{p:.3}"))
}

/// A few independent trials are told to a tenth, thousands are not known so well.
fn effective_unit(judgement: &Judgement) -> Unit {
    match judgement.trials_effective {
        Ok(trials) if trials >= 1000.0 => Unit::Count,
        _ => Unit::Bars,
    }
}

fn shown(value: &Value<f64>, unit: Unit) -> String {
    value
        .as_ref()
        .map_or_else(|_| figure::ABSENT.to_owned(), |v| figure::of_unit(*v, unit))
}

/// Reasons, each with the keys that it holds for.
fn absent(judgement: &Judgement) -> String {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (key, value) in values(judgement) {
        let Err(reason) = value else { continue };
        // Without a ledger there is no line either.
        if key == "deflated_sharpe_all" && judgement.trials_all.is_none() {
            continue;
        }
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, keys)) => keys.push(key),
            None => reasons.push((reason, vec![key])),
        }
    }
    let first = format!("  {} ", figure::ABSENT);
    let paragraphs = reasons.iter();
    paragraphs
        .map(|(reason, keys)| paragraph(&first, &format!("{}: {reason}", keys.join(", "))))
        .collect()
}

/// The keys that a file of trials is judged by, in JSON and CSV.
const KEYS: [&str; 4] = ["deflated_sharpe", "pbo", "spa_p", "reality_check_p"];

/// Anybody's trials, and what is to be thought of the best of them.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedTable {
    /// What was read.
    pub table: TrialTable,
    /// The judgement.
    pub judgement: Judgement,
}

impl JudgedTable {
    /// Name of the best trial.
    pub fn best(&self) -> &str {
        let best = self.table.names.get(self.judgement.best);
        best.map_or("", String::as_str)
    }

    /// A page of at most 80 columns.
    pub fn text(&self) -> String {
        let time = &self.table.time;
        let shown = |time: Option<&i64>| time.map_or_else(String::new, |t| show_time(*t));
        let returns = figure::plural(time.len(), "return", "returns");
        let (from, to) = (shown(time.first()), shown(time.last()));
        let rule = &self.table.periods.rule;
        let period = paragraph("", &format!("{from} to {to}, {returns} a trial, {rule}"));
        let sentence = paragraph("", &sentence(&self.judgement));
        let best = paragraph("", &format!("Best trial: {}", self.best()));
        format!(
            "{}\n{period}\n{sentence}\n{best}{}",
            self.table.name,
            table(&self.judgement)
        )
    }

    /// One object; with an object of reasons when a figure is absent.
    pub fn json(&self) -> Json {
        let values = values(&self.judgement);
        let number = |key: &str| {
            let found = values.iter().find(|(known, _)| *known == key);
            found.and_then(|(_, value)| value.as_ref().ok().copied())
        };
        let mut object = json!({
            "schema": manifest::SCHEMA,
            "trials": self.judgement.trials,
            "best": self.best(),
            "deflated_sharpe": number("deflated_sharpe"),
            "pbo": number("pbo"),
            "pbo_blocks": BLOCKS,
            "spa_p": number("spa_p"),
            "reality_check_p": number("reality_check_p"),
        });
        let reasons = values.iter().filter(|(key, _)| KEYS.contains(key));
        let reasons = reasons.filter_map(|(key, value)| {
            let reason = value.as_ref().err()?;
            Some(((*key).to_owned(), Json::from(reason.as_str())))
        });
        let reasons: Map<String, Json> = reasons.collect();
        if !reasons.is_empty()
            && let Some(object) = object.as_object_mut()
        {
            object.insert("absent".to_owned(), Json::Object(reasons));
        }
        object
    }

    /// A row a figure: key, number (empty when absent), and why it is absent.
    pub fn csv(&self) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let mut text = format!(
            "figure,value,absent\ntrials,{},\nbest,{},\npbo_blocks,{BLOCKS},\n",
            self.judgement.trials,
            quoted(self.best())
        );
        for (key, value) in values(&self.judgement) {
            let row = match value {
                Ok(value) => format!("{key},{},\n", cell::number(value)),
                Err(reason) => format!("{key},,{}\n", quoted(&reason)),
            };
            text.push_str(&row);
        }
        text
    }
}
