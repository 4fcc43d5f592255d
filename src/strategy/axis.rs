//! The axes of a sweep: which key varies, over which values. Values come from `[sweep]` of the
//! strategy file (a list, or a table of `from`, `to` and `step` or `count`) or from a flag
//! (`period=5..30:5`, `low=20,25,30`). What is tried in which order is left to sweeps.

use crate::error::{Error, Problem, Result, nearest};
use crate::strategy::Strategy;
use crate::strategy::file::number;
use crate::strategy::layers;
use crate::strategy::rows::Rows;
use crate::strategy::vocabulary::{self, Keys, TABLES};
use chrono::{Days, Months, NaiveDate};
use std::collections::HashSet;
use toml::de::DeValue;

/// Most values of one axis.
const VALUES_MAX: usize = 1_000_000;

/// One axis of a sweep: a key of the strategy file and the values that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepAxis {
    /// The full key: `params.period`, `stops.stop`, `data.symbols`.
    pub key: String,
    /// Its values, at least one, none twice.
    pub values: Vec<SweepValue>,
    /// Where it was given, for messages: `[sweep] period` or `--vary period`.
    pub origin: String,
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepValue {
    /// As `--set` takes it: text without quotes.
    pub text: String,
    /// The number, when it is one.
    pub number: Option<f64>,
}

impl SweepAxis {
    /// The name of the axis in tables and files: a param's own name, else the full key.
    pub fn name(&self) -> &str {
        self.key.strip_prefix("params.").unwrap_or(&self.key)
    }

    /// The key in the file that it stands in: that of a layer for a key of a layer, else the full key.
    pub fn key_inside(&self) -> &str {
        layers::inner(&self.key).map_or(&self.key, |(_, key)| key)
    }

    /// Whether the axis varies a param.
    pub fn is_param(&self) -> bool {
        self.key.starts_with("params.")
    }
}

impl SweepValue {
    fn of_number(x: f64) -> Self {
        SweepValue {
            text: (x + 0.0).to_string(),
            number: Some(x + 0.0),
        }
    }

    fn of_text(text: &str) -> Self {
        SweepValue {
            text: text.to_owned(),
            number: None,
        }
    }
}

impl Strategy {
    /// Adds an axis of a flag, or replaces the values of one that the file has.
    ///
    /// `values` is a list `20,25,30`, a range `5..30:5` (both ends included; the step is 1 when it
    /// is left out, days take `1d` `1w` `1mo` `1y`), `0..1/5` for five evenly spaced values, or
    /// `1..100/5:log` for five with equal ratios.
    ///
    /// # Errors
    /// A key that there is not or that cannot vary, values that are no list and no range.
    pub fn vary(&mut self, key: &str, values: &str) -> Result<()> {
        let fail = |problem: Problem| {
            let flag = format!("--vary {key}={}", shortened(values));
            Error::new(problem.in_file(flag))
        };
        let keys = self.assumptions.iter().map(|(key, text, _)| {
            let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
            (key.clone(), text.map(str::to_owned))
        });
        let full = Rows::of(keys).full(key).map_err(fail)?;
        let full = axis_key(&full, &self.params).map_err(fail)?;
        let values = of_flag(values).map_err(fail)?;
        let axis = SweepAxis {
            key: full,
            values,
            origin: format!("--vary {key}"),
        };
        check_kind(&axis).map_err(fail)?;
        if let Some(problem) = layers::unknown_param(&self.layers, &axis) {
            return Err(fail(problem));
        }
        match self.sweep.axes.iter_mut().find(|a| a.key == axis.key) {
            Some(old) => *old = axis,
            None => self.sweep.axes.push(axis),
        }
        Ok(())
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.chars().count() > SHOWN {
        true => text.chars().take(SHOWN).chain("…".chars()).collect(),
        false => text.to_owned(),
    }
}

/// Tables whose keys change no trial.
const FIXED_TABLES: [&str; 5] = ["", "report", "sweep", "walk_forward", "monitor"];

/// The full key that an axis names: a param by its own name, or a key of the file.
pub(super) fn axis_key(
    name: &str,
    params: &[(String, f64)],
) -> std::result::Result<String, Problem> {
    let is_param = |word: &str| params.iter().any(|(known, _)| known == word);
    let bare = name.strip_prefix("params.").unwrap_or(name);
    if is_param(bare) {
        return Ok(format!("params.{bare}"));
    }
    if let Some((row, key)) = layers::inner(name) {
        // Whether the layer has the param is known once its file is read.
        let params: Vec<(String, f64)> = key
            .strip_prefix("params.")
            .into_iter()
            .map(|name| (name.to_owned(), 0.0))
            .collect();
        return Ok(format!("layer.{row}.{}", axis_key(key, &params)?));
    }
    if let Some((table, key)) = name.rsplit_once('.')
        && let Some(row) = vocabulary::find_table(table)
        && !FIXED_TABLES.contains(&table)
    {
        let known = match row.keys {
            Keys::Named(_) => table == "series",
            Keys::Fixed(_) | Keys::Both(..) => row.find(key).is_some(),
        };
        if known {
            return Ok(name.to_owned());
        }
    }
    let full = TABLES
        .iter()
        .filter(|t| !FIXED_TABLES.contains(&t.name))
        .flat_map(|t| {
            t.rows()
                .iter()
                .map(|row| format!("{}.{}", t.name, row.name))
        });
    let full: Vec<String> = full.collect();
    let problem = Problem::new(format!("`{name}` is no param and no key that can vary"));
    let ends = full.iter().filter(|key| key.ends_with(&format!(".{name}")));
    let near_param = nearest(bare, params.iter().map(|(known, _)| known.as_str()));
    let near_key = nearest(name, full.iter().map(String::as_str));
    Err(match (ends.into_iter().next(), near_param, near_key) {
        (Some(key), ..) => problem.help(format!("did you mean \"{key}\"?")),
        (_, Some(near), _) | (_, None, Some(near)) => {
            problem.help(format!("did you mean \"{near}\"?"))
        }
        _ => {
            let names: Vec<&str> = params.iter().map(|(known, _)| known.as_str()).collect();
            problem.help(match names.is_empty() {
                true => "[params] is empty; a key of the file is written \"stops.stop\"".to_owned(),
                false => format!(
                    "the params are {}; a key of the file is written \"stops.stop\"",
                    names.join(" ")
                ),
            })
        }
    })
}

/// Params are numbers.
pub(super) fn check_kind(axis: &SweepAxis) -> std::result::Result<(), Problem> {
    let wrong = axis.values.iter().find(|value| value.number.is_none());
    match wrong {
        Some(value) if axis.is_param() => Err(Problem::new(format!(
            "{}: a param is a number, found \"{}\"",
            axis.name(),
            shortened(&value.text)
        ))
        .help("numbers stand without quotes: [20, 25, 30], or { from = 5, to = 30, step = 5 }")),
        _ => Ok(()),
    }
}

type Values = std::result::Result<Vec<SweepValue>, Problem>;

/// Values as a flag gives them.
pub(super) fn of_flag(text: &str) -> Values {
    if let Some((from, rest)) = text.split_once("..")
        && !text.contains('"')
        && !text.contains('(')
    {
        return range_of_flag(from.trim(), rest.trim());
    }
    let parts: Vec<&str> = match text.contains('(') {
        // An expression has commas of its own; several stand apart by `;`.
        true => text.split(';').collect(),
        false => text.split(',').collect(),
    };
    let value = |part: &&str| {
        let part = part.trim();
        match part.parse::<f64>() {
            Ok(x) if x.is_finite() => SweepValue::of_number(x),
            _ => SweepValue::of_text(part.trim_matches('"')),
        }
    };
    let values: Vec<SweepValue> = parts.iter().map(value).collect();
    distinct(values)
}

fn range_of_flag(from: &str, rest: &str) -> Values {
    let usage = "a range is FROM..TO:STEP, FROM..TO/COUNT or FROM..TO/COUNT:log";
    if let Ok(first) = from.parse::<NaiveDate>() {
        let (to, step) = rest.split_once(':').unwrap_or((rest, "1d"));
        let Ok(last) = to.trim().parse::<NaiveDate>() else {
            return Err(Problem::new(format!("`{to}` is no day")).help(usage));
        };
        return days(first, last, step.trim());
    }
    let float = |text: &str| {
        let text = text.trim();
        let parsed = text.parse::<f64>().ok().filter(|x| x.is_finite());
        parsed.ok_or_else(|| Problem::new(format!("`{text}` is no number")).help(usage))
    };
    let is_whole = |text: &str| text.trim().parse::<i64>().is_ok();
    if let Some((to, count)) = rest.split_once('/') {
        let (count, log) = match count.split_once(':') {
            Some((count, "log")) => (count, true),
            Some((_, word)) => {
                return Err(Problem::new(format!("`{word}` after a count")).help(usage));
            }
            None => (count, false),
        };
        let whole = is_whole(from) && is_whole(to);
        return counted(float(from)?, float(to)?, float(count)?, log, whole);
    }
    let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
    stepped(float(from)?, float(to)?, float(step)?)
}

/// Values as `[sweep]` gives them.
pub(super) fn of_toml(value: &DeValue<'_>) -> Values {
    match value {
        DeValue::Array(items) => {
            let values = items.iter().map(|item| of_item(item.get_ref()));
            distinct(values.collect::<std::result::Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            const KEYS: [&str; 5] = ["from", "to", "step", "count", "log"];
            for key in table.keys() {
                let word = key.get_ref().as_ref();
                if !KEYS.contains(&word) {
                    let problem = Problem::new(format!("a range has no `{word}`"));
                    return Err(problem.help("its keys are from, to, step or count, and log"));
                }
            }
            range_of_toml(|key| table.get(key).map(|v| v.get_ref().clone()))
        }
        single => distinct(vec![of_item(single)?]),
    }
}

fn of_item(value: &DeValue<'_>) -> std::result::Result<SweepValue, Problem> {
    Ok(match value {
        DeValue::String(text) => SweepValue::of_text(text),
        DeValue::Integer(_) | DeValue::Float(_) => match number(value).filter(|x| x.is_finite()) {
            Some(x) => SweepValue::of_number(x),
            None => return Err(Problem::new("expected a finite number")),
        },
        DeValue::Boolean(yes) => SweepValue::of_text(&yes.to_string()),
        DeValue::Datetime(moment) => SweepValue::of_text(&moment.to_string()),
        DeValue::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(|i| i.get_ref().as_str()).collect();
            match words {
                Some(words) if !words.is_empty() => SweepValue::of_text(&words.join(",")),
                _ => {
                    let problem = Problem::new("a list inside the list of values");
                    return Err(problem.help("several symbols are one value: [\"AAPL\", \"IBM\"]"));
                }
            }
        }
        DeValue::Table(_) => {
            let problem = Problem::new("a table inside the list of values");
            return Err(problem.help("a list has numbers or texts: [20, 25, 30]"));
        }
    })
}

fn range_of_toml<'a>(get: impl Fn(&str) -> Option<DeValue<'a>>) -> Values {
    let usage = "a range is { from = 5, to = 30, step = 5 } or { from = 1, to = 100, count = 5, log = true }";
    let wrong = |what: &str| Problem::new(what.to_owned()).help(usage);
    let (Some(from), Some(to)) = (get("from"), get("to")) else {
        return Err(wrong("a range needs `from` and `to`"));
    };
    let log = match get("log") {
        None => false,
        Some(DeValue::Boolean(yes)) => yes,
        Some(_) => return Err(wrong("`log` is true or false")),
    };
    let float = |value: &DeValue<'_>| number(value).filter(|x| x.is_finite());
    match (get("step"), get("count")) {
        (Some(_), Some(_)) => Err(wrong("a range has `step` or `count`, not both")),
        (_, None) if log => Err(wrong("a logarithmic range needs `count`")),
        (step, None) => {
            if let (DeValue::Datetime(first), DeValue::Datetime(last)) = (&from, &to) {
                let (first, last) = (first.to_string().parse(), last.to_string().parse());
                let (Ok(first), Ok(last)) = (first, last) else {
                    return Err(wrong("a range of days has no times"));
                };
                let step = step.as_ref().and_then(|s| s.as_str().map(str::to_owned));
                return days(first, last, step.as_deref().unwrap_or("1d"));
            }
            let step = step.map_or(Some(1.0), |step| float(&step));
            match (float(&from), float(&to), step) {
                (Some(from), Some(to), Some(step)) => stepped(from, to, step),
                _ => Err(wrong("`from`, `to` and `step` are numbers")),
            }
        }
        (None, Some(count)) => {
            let whole = |v: &DeValue<'_>| matches!(v, DeValue::Integer(_));
            let is_whole = whole(&from) && whole(&to);
            match (float(&from), float(&to), float(&count)) {
                (Some(from), Some(to), Some(count)) => counted(from, to, count, log, is_whole),
                _ => Err(wrong("`from`, `to` and `count` are numbers")),
            }
        }
    }
}

/// `from`, `from + step`, … up to `to`, which is met although 0.1 + 0.2 is not 0.3: multiples of the
/// step are rounded to the decimals that `from` and `step` are written with.
fn stepped(from: f64, to: f64, step: f64) -> Values {
    if step == 0.0 || (to - from) * step < 0.0 {
        return Err(
            Problem::new(format!("steps of {step} never lead from {from} to {to}"))
                .help("a range goes from the first value to the last in steps of that direction"),
        );
    }
    let steps = ((to - from) / step + 1e-9).floor();
    let count = within_limit(steps + 1.0)?;
    let decimals = decimals(from).max(decimals(step));
    let value = |i: usize| rounded(from + i as f64 * step, decimals);
    distinct(
        (0..count)
            .map(|i| SweepValue::of_number(value(i)))
            .collect(),
    )
}

/// `count` values from `from` to `to`, both met, with equal distances or equal ratios. Ratios
/// between whole ends give whole numbers, each once.
fn counted(from: f64, to: f64, count: f64, log: bool, is_whole: bool) -> Values {
    if count.fract() != 0.0 || count < 1.0 || (count < 2.0 && from != to) {
        return Err(Problem::new(format!("a range of {count} values"))
            .help("count is a whole number, 2 or more"));
    }
    if log && (from <= 0.0 || to <= 0.0) {
        return Err(Problem::new(format!("{from} to {to} has no equal ratios"))
            .help("the ends of a logarithmic range are above 0"));
    }
    let count = within_limit(count)?;
    let last = count.saturating_sub(1);
    let value = |i: usize| {
        if i == 0 || last == 0 {
            return from;
        }
        if i == last {
            return to;
        }
        let part = i as f64 / last as f64;
        let x = match log {
            true => libm::exp(libm::log(from) * (1.0 - part) + libm::log(to) * part),
            false => from + (to - from) * part,
        };
        match log && is_whole {
            true => x.round(),
            false => clean(x),
        }
    };
    let mut values: Vec<f64> = (0..count).map(value).collect();
    values.dedup();
    distinct(values.into_iter().map(SweepValue::of_number).collect())
}

/// Days from `first` to `last` in steps such as `1d`, `2w`, `3mo`, `1y`.
fn days(first: NaiveDate, last: NaiveDate, step: &str) -> Values {
    let digits = step.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = step.split_at(digits);
    let count: u32 = count.parse().unwrap_or(0);
    let nth = |i: u32| {
        let n = count.checked_mul(i)?;
        match unit {
            "d" => first.checked_add_days(Days::new(u64::from(n))),
            "w" => first.checked_add_days(Days::new(7 * u64::from(n))),
            "mo" => first.checked_add_months(Months::new(n)),
            "y" => first.checked_add_months(Months::new(n.checked_mul(12)?)),
            _ => None,
        }
    };
    if count == 0 || nth(0).is_none() || last < first {
        return Err(
            Problem::new(format!("no steps of `{step}` from {first} to {last}"))
                .help("a range of days is 2000-01-03..2004-01-02:1y; steps are 1d, 1w, 1mo, 1y"),
        );
    }
    let days = (0..).map_while(nth).take_while(|day| *day <= last);
    let values: Vec<SweepValue> = days
        .take(VALUES_MAX)
        .map(|day| SweepValue::of_text(&day.to_string()))
        .collect();
    distinct(values)
}

fn within_limit(count: f64) -> std::result::Result<usize, Problem> {
    if count > VALUES_MAX as f64 {
        return Err(
            Problem::new(format!("{count} values on one axis")).help(format!(
                "an axis has at most {VALUES_MAX}: take a larger step"
            )),
        );
    }
    Ok(count as usize)
}

/// Decimals of the shortest text of a number.
fn decimals(x: f64) -> usize {
    let text = x.to_string();
    text.split_once('.')
        .map_or(0, |(_, fraction)| fraction.len())
}

fn rounded(x: f64, decimals: usize) -> f64 {
    format!("{x:.decimals$}").parse().unwrap_or(x)
}

/// Twelve significant digits: what a division leaves behind them is noise.
fn clean(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

fn distinct(values: Vec<SweepValue>) -> Values {
    if values.is_empty() || values.iter().any(|value| value.text.is_empty()) {
        return Err(Problem::new("an axis without a value")
            .help("list at least one: [20, 25, 30], or 20,25,30 after --vary"));
    }
    let mut seen = HashSet::new();
    match values
        .iter()
        .find(|value| !seen.insert(value.text.as_str()))
    {
        Some(twice) => Err(Problem::new(format!("{} is listed twice", twice.text))
            .help("each value is tried once")),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(flag: &str) -> Vec<String> {
        let values = of_flag(flag).unwrap();
        values.into_iter().map(|value| value.text).collect()
    }

    #[test]
    fn ranges_hit_their_end_in_clean_decimals() {
        assert_eq!(texts("0.1..0.3:0.1"), ["0.1", "0.2", "0.3"]);
        assert_eq!(texts("5..30:5"), ["5", "10", "15", "20", "25", "30"]);
        assert_eq!(texts("5..30:10"), ["5", "15", "25"]);
        assert_eq!(texts("3..5"), ["3", "4", "5"]);
        assert_eq!(texts("1..-1:-1"), ["1", "0", "-1"]);
        assert_eq!(texts("0..1/5"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(texts("0.02..0.1:0.02").last().unwrap(), "0.1");
        assert_eq!(texts("0.7..1.4:0.1").len(), 8);
        assert_eq!(texts("-0.3..0.3:0.1")[3], "0");
    }

    #[test]
    fn log_ranges_have_equal_ratios_and_whole_ends_whole_values() {
        assert_eq!(texts("1..100/5:log"), ["1", "3", "10", "32", "100"]);
        assert_eq!(texts("1..4/8:log"), ["1", "2", "3", "4"]);
        let values = texts("1.0..100.0/3:log");
        assert_eq!(values, ["1", "10", "100"]);
        assert_eq!(texts("0.01..1/3:log"), ["0.01", "0.1", "1"]);
    }

    #[test]
    fn days_lists_and_expressions() {
        assert_eq!(
            texts("2000-01-31..2000-04-30:1mo"),
            ["2000-01-31", "2000-02-29", "2000-03-31", "2000-04-30"]
        );
        assert_eq!(texts("20, 25,30"), ["20", "25", "30"]);
        assert_eq!(texts("AAPL,IBM"), ["AAPL", "IBM"]);
        assert_eq!(texts("rsi(close, 14) < 30; rsi(2) < 5").len(), 2);
    }

    #[test]
    fn senseless_values_are_refused() {
        for flag in [
            "5..1",
            "1..5:0",
            "1..5:-1",
            "a..b",
            "0..1/1",
            "0..1/3:log",
            "",
            "1,,2",
        ] {
            assert!(of_flag(flag).is_err(), "{flag}");
        }
        assert!(of_flag("20,25,20").unwrap_err().message.contains("twice"));
        assert!(
            of_flag("0..1e9")
                .unwrap_err()
                .message
                .contains("values on one axis")
        );
    }
}
