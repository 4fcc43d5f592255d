//! TOML -> checked values: every table and key of a strategy file against the vocabulary, with its
//! place, so that all mistakes of a file are shown at once. What keys mean together (a short needs
//! a margin account) and what holds without them is left to `resolve.rs`; expressions stay text.

use crate::error::{Error, Problem, Result, nearest};
use crate::strategy::against_data::in_order;
use crate::strategy::axis::{self, SweepValue};
use crate::strategy::rows::Rows;
use crate::strategy::vocabulary::{self, Key, Keys, Kind, Range as Bounds, TABLES, Table};
use crate::strategy::{
    BarSize, Distance, ExprText, Overrides, Rate, ScheduleDay, Strategy, Stretch, layers, resolve,
};
use chrono::NaiveDate;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Bytes of the strategy file.
    File(Range<usize>),
    /// A flag, as the user wrote it.
    Flag(String),
}

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(f64),
    Flag(bool),
    Day(NaiveDate),
    Path(PathBuf),
    Rate(Rate),
    Distance(Distance),
    Expression(ExprText),
    Expressions(Vec<ExprText>),
    Symbols(Vec<String>),
    Weights(Vec<(String, f64)>),
    Bar(BarSize),
    Stretch(Stretch),
    DayOfPeriod(ScheduleDay),
    Feeds(Vec<(String, String)>),
    Axis(Vec<SweepValue>),
    Groups(Vec<Vec<String>>),
    Pair(u32, u32),
    Words(Vec<String>),
}

/// One key that the file or a flag gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// `table.key`, or the key alone at the top of the file.
    pub(super) key: String,
    /// What it was set to.
    pub(super) value: Value,
    /// The value as TOML.
    pub(super) text: String,
    /// Where.
    pub(super) place: Place,
}

/// A table that the file has, with the place of its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heading {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// A key before it was checked.
struct Raw<'a> {
    table: String,
    key: String,
    value: DeValue<'a>,
    key_place: Place,
    place: Place,
    /// What the user typed after `--set key=`, so that text needs no quotes there.
    typed: Option<&'a str>,
}

impl Raw<'_> {
    fn full(&self) -> String {
        match self.table.as_str() {
            "" => self.key.clone(),
            table => format!("{table}.{}", self.key),
        }
    }
}

impl Place {
    /// A problem at this place.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        let problem = Problem::new(message);
        match self {
            Place::File(span) => problem.at(span.clone()),
            Place::Flag(flag) => problem.in_file(flag.as_str()),
        }
    }
}

impl Strategy {
    /// Reads a strategy file. Relative paths in it start from its folder.
    ///
    /// # Errors
    /// If the file cannot be read, and everything that is wrong with what it says: syntax, unknown
    /// tables and keys, types, ranges, keys that do not go together; each with its place.
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Strategy> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|cause| unreadable(path, &cause))?;
        let text = String::from_utf8(bytes).map_err(|bad| {
            let good = &bad.as_bytes()[..bad.utf8_error().valid_up_to()];
            let line = good.iter().filter(|b| **b == b'\n').count() as u64 + 1;
            Problem::new("this is not text in UTF-8")
                .in_file(&name)
                .at_line(line)
                .help("a strategy is a text file in TOML; save it as UTF-8")
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Strategy::parse(&text, &name, folder, overrides)
    }

    /// Reads a strategy from text. `name` is shown in messages and its stem names the strategy's
    /// reports; relative paths start from `folder`.
    ///
    /// # Errors
    /// As [`Strategy::read`].
    ///
    /// ```
    /// use papertape::strategy::{Overrides, Strategy};
    /// # use std::path::Path;
    /// let text = "[rules]\nenter = \"rsi(14) < 30\"\nexit = \"rsi(14) > 70\"";
    /// let strategy = Strategy::parse(text, "dip.toml", Path::new(""), &Overrides::default())?;
    /// assert_eq!(strategy.name, "dip");
    /// assert_eq!(strategy.account.cash, 100_000.0);
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn parse(text: &str, name: &str, folder: &Path, overrides: &Overrides) -> Result<Strategy> {
        let (document, syntax) = DeTable::parse_recoverable(text);
        if !syntax.is_empty() {
            let problems = syntax.iter().map(|e| syntax_problem(e, text)).collect();
            return Err(Error::all(problems).with_source(name, text));
        }
        let mut problems = Vec::new();
        let mut headings = Vec::new();
        let mut raws = walk(document.get_ref(), &mut headings, &mut problems);
        override_with(&mut raws, overrides, &mut problems);
        let mut givens = Vec::new();
        for raw in &raws {
            match check(raw, text, folder) {
                Ok(given) => givens.push(given),
                Err(problem) => problems.push(problem),
            }
        }
        let tried: Vec<String> = raws.iter().map(Raw::full).collect();
        let strategy = resolve::resolve(
            resolve::Parts {
                name,
                text,
                folder,
                givens: &givens,
                tried: &tried,
                headings: &headings,
                overrides,
            },
            &mut problems,
        );
        if problems.is_empty() {
            return Ok(strategy);
        }
        problems.extend(strategy.mistakes_with_data());
        Err(Error::all(in_order(problems)).with_source(name, text))
    }
}

/// Why a file could not be opened, and the file that was meant.
fn unreadable(path: &Path, cause: &std::io::Error) -> Problem {
    let name = path.display().to_string();
    let problem = Problem::new(format!("the strategy file cannot be read: {cause}")).in_file(name);
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .filter(|n| n.ends_with(".toml"))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    let wanted = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    match nearest(wanted, names.iter().map(String::as_str)) {
        Some(near) if near != wanted => problem.help(format!("did you mean {near}?")),
        _ => problem,
    }
}

/// A mistake in the TOML itself.
fn syntax_problem(error: &toml::de::Error, text: &str) -> Problem {
    let end = text.len();
    let span = error.span().unwrap_or(end..end);
    let message = error.message();
    let message = message
        .strip_suffix(", expected literal string")
        .unwrap_or(message);
    let problem = Problem::new(format!("not TOML: {message}")).at(span);
    if error.message().contains("quote") || error.message().contains("string") {
        problem.help("text and expressions stand in quotes: enter = \"rsi(14) < 30\"")
    } else {
        problem
    }
}

/// All keys of the document, in file order, without those of unknown tables.
fn walk<'a>(
    document: &DeTable<'a>,
    headings: &mut Vec<Heading>,
    problems: &mut Vec<Problem>,
) -> Vec<Raw<'a>> {
    let mut raws = Vec::new();
    for (name, value) in document {
        let (key, span) = (name.get_ref().as_ref(), name.span());
        match vocabulary::find_table(key).filter(|t| !t.name.is_empty()) {
            Some(table) => {
                headings.push(Heading {
                    name: key.to_owned(),
                    span: span.clone(),
                });
                if table.repeated.is_some() {
                    raws.extend(rows_of(table, &span, value, headings, problems));
                } else if let DeValue::Table(inner) = value.get_ref() {
                    for (k, v) in inner {
                        match below(key, k, v, headings) {
                            Some(nested) => raws.extend(nested),
                            None => raws.extend(keys_of(key, k, v)),
                        }
                    }
                } else {
                    problems.push(
                        Problem::new(format!(
                            "`{key}` is a table, found {}",
                            word(value.get_ref())
                        ))
                        .at(span)
                        .help(format!(
                            "write [{key}] on a line of its own, its keys below it"
                        )),
                    );
                }
            }
            None => match value.get_ref() {
                DeValue::Table(_) => problems.push(unknown_table(key, span)),
                _ => raws.push(raw("", name, value)),
            },
        }
    }
    let start = |place: &Place| match place {
        Place::File(span) => span.start,
        Place::Flag(_) => usize::MAX,
    };
    raws.sort_by_key(|r| start(&r.key_place));
    headings.sort_by_key(|h| h.span.start);
    raws
}

/// The keys of a table that may stand in the file several times: the second is `cashflow.1`.
fn rows_of<'a>(
    table: &Table,
    heading: &Range<usize>,
    value: &toml::Spanned<DeValue<'a>>,
    headings: &mut Vec<Heading>,
    problems: &mut Vec<Problem>,
) -> Vec<Raw<'a>> {
    let name = table.name;
    let help = format!("write [[{name}]] on a line of its own, its keys below it");
    let DeValue::Array(items) = value.get_ref() else {
        let found = match value.get_ref() {
            DeValue::Table(_) => format!("[{name}]"),
            other => word(other).to_owned(),
        };
        let what = format!("`{name}` may stand in a file several times, found {found}");
        problems.push(Problem::new(what).at(heading.clone()).help(help));
        return Vec::new();
    };
    let mut raws = Vec::new();
    for (row, item) in items.iter().enumerate() {
        let DeValue::Table(inner) = item.get_ref() else {
            let what = format!(
                "`{name}` is a list of tables, found {}",
                word(item.get_ref())
            );
            problems.push(Problem::new(what).at(item.span()).help(help.as_str()));
            continue;
        };
        let numbered = format!("{name}.{row}");
        raws.extend(inner.iter().map(|(k, v)| raw(&numbered, k, v)));
        headings.push(Heading {
            name: numbered,
            span: item.span(),
        });
    }
    raws
}

fn raw<'a>(
    table: &str,
    key: &toml::Spanned<toml::de::DeString<'a>>,
    value: &toml::Spanned<DeValue<'a>>,
) -> Raw<'a> {
    Raw {
        table: table.to_owned(),
        key: key.get_ref().to_string(),
        value: value.get_ref().clone(),
        key_place: Place::File(key.span()),
        place: Place::File(value.span()),
        typed: None,
    }
}

/// A key of a table. In `[sweep]`, `stops.stop = [0.02, 0.05]` without quotes is a table of tables
/// to TOML, and means the same as with them.
fn keys_of<'a>(
    table: &str,
    key: &toml::Spanned<toml::de::DeString<'a>>,
    value: &toml::Spanned<DeValue<'a>>,
) -> Vec<Raw<'a>> {
    let below = format!("{table}.{}", key.get_ref());
    if let (Some(_), DeValue::Table(inner)) = (vocabulary::find_table(&below), value.get_ref()) {
        return inner.iter().map(|(k, v)| raw(&below, k, v)).collect();
    }
    let nested = match (table, value.get_ref()) {
        ("sweep", DeValue::Table(inner)) if !inner.contains_key("from") => inner,
        _ => return vec![raw(table, key, value)],
    };
    let Some(meant) = vocabulary::find_table(key.get_ref()) else {
        return vec![raw(table, key, value)];
    };
    let below = nested.iter().flat_map(|(name, value)| {
        // Below a table that may stand several times comes the number or the name of one.
        let rows = match (meant.repeated, value.get_ref()) {
            (Some(_), DeValue::Table(inner)) if !inner.contains_key("from") => {
                inner.iter().map(|(k, v)| (Some(name), k, v)).collect()
            }
            _ => vec![(None, name, value)],
        };
        rows.into_iter().map(|(row, name, value)| {
            let mut raw = raw(table, name, value);
            let path = [Some(key), row, Some(name)].into_iter().flatten();
            let path: Vec<&str> = path.map(|part| part.get_ref().as_ref()).collect();
            raw.key = path.join(".");
            raw
        })
    });
    below.collect()
}

/// The keys of a table inside a table, `[tax.harvest]`, if the vocabulary has one of that name.
fn below<'a>(
    table: &str,
    key: &toml::Spanned<toml::de::DeString<'a>>,
    value: &toml::Spanned<DeValue<'a>>,
    headings: &mut Vec<Heading>,
) -> Option<Vec<Raw<'a>>> {
    let name = format!("{table}.{}", key.get_ref());
    let (Some(_), DeValue::Table(inner)) = (vocabulary::find_table(&name), value.get_ref()) else {
        return None;
    };
    let raws = inner.iter().map(|(k, v)| raw(&name, k, v)).collect();
    headings.push(Heading {
        name,
        span: key.span(),
    });
    Some(raws)
}

fn unknown_table(name: &str, span: Range<usize>) -> Problem {
    let names = TABLES.iter().map(|t| t.name).filter(|n| !n.is_empty());
    let problem = Problem::new(format!("there is no table [{name}]")).at(span);
    match nearest(name, names) {
        Some(near) => problem
            .label("unknown table")
            .help(format!("did you mean [{near}]?")),
        None => {
            let known: Vec<String> = TABLES
                .iter()
                .filter(|t| !t.name.is_empty())
                .map(Table::heading)
                .collect();
            problem
                .label("unknown table")
                .help(format!("there are {}", known.join(" ")))
        }
    }
}

/// Lays the flags over the file's keys.
fn override_with<'a>(raws: &mut Vec<Raw<'a>>, flags: &'a Overrides, problems: &mut Vec<Problem>) {
    for (name, typed) in &flags.set {
        let place = Place::Flag(format!("--set {name}={typed}"));
        let full = match rows(raws).full_or_new(name) {
            Ok(full) => full,
            Err(problem) => {
                problems.push(Problem {
                    help: problem.help,
                    ..place.problem(problem.message)
                });
                continue;
            }
        };
        if let Some((row, inner)) = layers::inner(&full) {
            // A key of a layer's file is laid over that file when it is read.
            if row >= rows(raws).count("layer") {
                let what = format!("there is no [[layer]] number {row} to set {inner} of");
                problems.push(
                    place
                        .problem(what)
                        .help("a layer is named: layer.core.params.x"),
                );
            }
            continue;
        }
        let (table, key) = full.rsplit_once('.').unwrap_or(("", full.as_str()));
        match vocabulary::find_table(table) {
            None => problems.push(no_table(&place, table, key)),
            Some(t) if t.name == "params" && !is_meant(raws, flags, key) => {
                problems.push(no_param(&place, raws, key));
            }
            Some(_) => {
                let value = DeValue::parse(typed).map_or_else(
                    |_| DeValue::String(typed.as_str().into()),
                    |v| v.into_inner(),
                );
                put(raws, table, key, value, place, Some(typed));
            }
        }
    }
    if let Some(path) = &flags.data {
        let text = path.display().to_string();
        let place = Place::Flag(format!("--data {text}"));
        put(
            raws,
            "data",
            "source",
            DeValue::String(text.into()),
            place,
            None,
        );
    }
    for (key, day) in [("start", flags.start), ("end", flags.end)] {
        if let Some(day) = day {
            let place = Place::Flag(format!("--{key} {day}"));
            let value = DeValue::String(day.to_string().into());
            put(raws, "data", key, value, place, None);
        }
    }
}

/// A flag for a key of a table that there is not.
fn no_table(place: &Place, table: &str, key: &str) -> Problem {
    let names = TABLES.iter().map(|t| t.name).filter(|n| !n.is_empty());
    let problem = place.problem(format!("there is no table [{table}]"));
    match nearest(table, names) {
        Some(near) => problem.help(format!("did you mean {near}.{key}?")),
        None => problem.help("a key is written table.key, for example stops.stop"),
    }
}

/// A flag for a param that nothing has and nothing reads.
fn no_param(place: &Place, raws: &[Raw<'_>], param: &str) -> Problem {
    let params = raws.iter().filter(|raw| raw.table == "params");
    let problem = place.problem(format!("there is no param `{param}`"));
    match nearest(param, params.map(|raw| raw.key.as_str())) {
        Some(near) => problem.help(format!("did you mean params.{near}?")),
        None => problem.help("[params] does not have it, and no expression reads it"),
    }
}

/// Whether the file has the param, or an expression of the file or of a flag reads it. One that
/// nothing has and nothing reads is a slip that would change nothing and say nothing.
fn is_meant(raws: &[Raw<'_>], flags: &Overrides, param: &str) -> bool {
    fn names(text: &str, param: &str) -> bool {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == param)
    }
    fn reads(value: &DeValue<'_>, param: &str) -> bool {
        match value {
            DeValue::String(text) => names(text, param),
            DeValue::Array(items) => items.iter().any(|item| reads(item.get_ref(), param)),
            _ => false,
        }
    }
    let is_it = |raw: &Raw<'_>| raw.table == "params" && raw.key == param;
    raws.iter()
        .any(|raw| is_it(raw) || reads(&raw.value, param))
        || flags.set.iter().any(|(_, typed)| names(typed, param))
}

/// The rows of repeated tables that the keys belong to.
fn rows(raws: &[Raw<'_>]) -> Rows {
    let keys = raws.iter().map(|raw| {
        let name = match &raw.value {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        (raw.full(), name)
    });
    Rows::of(keys)
}

/// Replaces a key where it stands, so that the order of names is kept, or adds it.
fn put<'a>(
    raws: &mut Vec<Raw<'a>>,
    table: &str,
    key: &str,
    value: DeValue<'a>,
    place: Place,
    typed: Option<&'a str>,
) {
    let raw = Raw {
        table: table.to_owned(),
        key: key.to_owned(),
        value,
        key_place: place.clone(),
        place,
        typed,
    };
    match raws.iter_mut().find(|r| r.table == table && r.key == key) {
        Some(old) => *old = raw,
        None => raws.push(raw),
    }
}

/// A key against its row.
fn check(raw: &Raw<'_>, source: &str, folder: &Path) -> std::result::Result<Given, Problem> {
    let Some(table) = vocabulary::find_table(&raw.table) else {
        return Err(raw
            .key_place
            .problem(format!("there is no table [{}]", raw.table)));
    };
    let full = raw.full();
    let kind = match table.keys {
        Keys::Named(kind) => {
            check_name(raw, &full)?;
            kind
        }
        Keys::Both(_, kind) if table.find(&raw.key).is_none() => kind,
        Keys::Fixed(_) | Keys::Both(..) => match table.find(&raw.key) {
            Some(row) => row.kind,
            None => return Err(unknown_key(raw, table)),
        },
    };
    let reader = Reader {
        raw,
        full: &full,
        source,
        folder,
    };
    let value = reader.value(kind)?;
    let text = match &raw.place {
        Place::File(span) => source[span.clone()].to_owned(),
        Place::Flag(_) => shown(&value, raw),
    };
    Ok(Given {
        key: full,
        value,
        text,
        place: raw.place.clone(),
    })
}

/// A value of a flag as TOML.
fn shown(value: &Value, raw: &Raw<'_>) -> String {
    match (value, &raw.value) {
        (Value::Symbols(names), _) => {
            let quoted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
            format!("[{}]", quoted.join(", "))
        }
        (Value::Day(day), _) => day.to_string(),
        (_, DeValue::String(text)) => format!("{text:?}"),
        (Value::Text(text), _) => format!("{text:?}"),
        (Value::Expression(expr), _) => format!("{:?}", expr.text),
        (Value::Number(x), _) => x.to_string(),
        _ => raw.typed.unwrap_or("").to_owned(),
    }
}

/// Words of the language of rules that no parameter or series may be called. Other names may be
/// taken: a parameter `low` is meant where `low` stands, not the column.
const RESERVED: &[&str] = &["and", "or", "not", "if", "true", "false"];

/// A name that the user chose for a parameter or a series.
fn check_name(raw: &Raw<'_>, full: &str) -> std::result::Result<(), Problem> {
    let mut letters = raw.key.chars();
    let starts = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(raw
            .key_place
            .problem(format!("`{}` cannot be a name in expressions", raw.key))
            .help("a name has letters, digits and _, and starts with a letter"));
    }
    if RESERVED.contains(&raw.key.as_str()) {
        return Err(raw
            .key_place
            .problem(format!(
                "`{full}`: `{}` has a meaning of its own in expressions",
                raw.key
            ))
            .help(format!("choose another name, for example my_{}", raw.key)));
    }
    Ok(())
}

fn unknown_key(raw: &Raw<'_>, table: &Table) -> Problem {
    let key = raw.key.as_str();
    let place = match table.name {
        "" => "at the top of the file".to_owned(),
        _ => format!("in {}", table.heading()),
    };
    let problem = raw
        .key_place
        .problem(format!("there is no key `{key}` {place}"))
        .label("unknown key");
    let meant = |row: &&Key| row.aliases.iter().any(|a| a.eq_ignore_ascii_case(key));
    let elsewhere = TABLES
        .iter()
        .find(|t| t.name != table.name && t.find(key).is_some());
    let near = nearest(key, table.rows().iter().map(|row| row.name));
    if let Some(row) = table.rows().iter().find(meant) {
        problem.help(format!("did you mean `{}`? ({})", row.name, row.about))
    } else if let (Some(near), None) = (near, elsewhere) {
        problem.help(format!("did you mean `{near}`?"))
    } else if let Some(other) = elsewhere {
        match other.name {
            "" => problem.help(format!(
                "`{key}` stands at the top of the file, before any table"
            )),
            _ => problem.help(format!("`{key}` is a key of {}", other.heading())),
        }
    } else if let Some(other) = TABLES
        .iter()
        .find(|t| table.name.is_empty() && t.rows().iter().any(|row| meant(&row)))
    {
        problem.help(format!("it is a key of {}", other.heading()))
    } else {
        let names: Vec<&str> = table.rows().iter().map(|row| row.name).collect();
        problem.help(format!("its keys are {}", names.join(" ")))
    }
}

/// What a value is, for messages.
fn word(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A TOML number, whole or not.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix())
            .map(|n| n as f64)
            .or_else(|_| n.as_str().parse())
            .ok(),
        DeValue::Float(x) => x.as_str().parse().ok(),
        _ => None,
    }
}

/// Streams of income that a layer may give away.
const FEEDS: [&str; 4] = ["dividends", "premium", "interest", "gains"];

type Checked<T> = std::result::Result<T, Problem>;

/// Reads one value as the kind that its key asks for.
struct Reader<'a> {
    raw: &'a Raw<'a>,
    full: &'a str,
    source: &'a str,
    folder: &'a Path,
}

impl Reader<'_> {
    fn value(&self, kind: Kind) -> Checked<Value> {
        Ok(match kind {
            Kind::Text => Value::Text(self.text("text")?),
            Kind::Expression => Value::Expression(self.expression()?),
            Kind::Number(range) => Value::Number(self.number_in(range)?),
            Kind::Fraction(range) => Value::Number(self.fraction(range)?),
            Kind::BasisPoints(range) => Value::Number(self.basis_points(range)?),
            Kind::Whole { min, max } => Value::Number(self.whole(min, max)?),
            Kind::Flag => Value::Flag(self.flag()?),
            Kind::Day => Value::Day(self.day()?),
            Kind::Path => Value::Path(self.path(&self.text("a path in quotes")?)),
            Kind::Choice(words) => Value::Text(self.choice(words)?),
            Kind::Rate(range) => Value::Rate(self.rate(range)?),
            Kind::Distance(range) => Value::Distance(self.distance(range)?),
            Kind::Symbols => Value::Symbols(self.symbols()?),
            Kind::Weights => Value::Weights(self.weights(true)?),
            Kind::Targets => Value::Weights(self.weights(false)?),
            Kind::BarSize => Value::Bar(self.bar()?),
            Kind::Stretch => Value::Stretch(self.stretch()?),
            Kind::DayOfPeriod => Value::DayOfPeriod(self.day_of_period()?),
            Kind::Expressions => Value::Expressions(self.expressions()?),
            Kind::Schedule => self.schedule()?,
            Kind::Feeds => Value::Feeds(self.feeds()?),
            Kind::Axis => Value::Axis(self.axis()?),
            Kind::Groups { most } => Value::Groups(self.groups(most)?),
            Kind::Pair { min, max } => self.pair(min, max)?,
            Kind::Words(words) => Value::Words(self.words(words)?),
            Kind::Mixed {
                words,
                fraction,
                path,
            } => self.mixed(words, fraction, path)?,
        })
    }

    fn problem(&self, message: impl std::fmt::Display) -> Problem {
        self.raw.place.problem(format!("{}: {message}", self.full))
    }

    fn wrong_type(&self, expected: &str) -> Problem {
        let found = word(&self.raw.value);
        self.problem(format!("expected {expected}, found {found}"))
            .label(format!("expected {expected}"))
    }

    /// Text; after `--set` whatever was typed.
    fn text(&self, expected: &str) -> Checked<String> {
        match (&self.raw.value, self.raw.typed) {
            (DeValue::String(text), _) => Ok(text.to_string()),
            (_, Some(typed)) => Ok(typed.to_owned()),
            _ => Err(self.wrong_type(expected)),
        }
    }

    fn number(&self, expected: &str) -> Checked<f64> {
        match number(&self.raw.value) {
            Some(x) if x.is_finite() => Ok(x),
            Some(_) => Err(self.problem("expected a finite number")),
            None => {
                let problem = self.wrong_type(expected);
                match &self.raw.value {
                    DeValue::String(text) if text.trim().parse::<f64>().is_ok() => {
                        Err(problem.help(format!("without quotes: {}", text.trim())))
                    }
                    DeValue::String(text) => match per_cent(text) {
                        Some(x) => {
                            Err(problem.help(format!("fractions are fractions: {text} is {x}")))
                        }
                        None => Err(problem),
                    },
                    _ => Err(problem),
                }
            }
        }
    }

    fn out_of(&self, x: f64, range: Bounds) -> Problem {
        self.problem(format!("{x} is impossible"))
            .label(format!("expected a number {}", range.text()))
    }

    fn number_in(&self, range: Bounds) -> Checked<f64> {
        let x = self.number("a number")?;
        if range.holds(x) {
            return Ok(x);
        }
        Err(self.out_of(x, range))
    }

    fn fraction(&self, range: Bounds) -> Checked<f64> {
        let x = self.number("a number")?;
        self.check_fraction(x, range)?;
        Ok(x)
    }

    /// 5 for 5% is the usual slip.
    fn check_fraction(&self, x: f64, range: Bounds) -> Checked<()> {
        if range.holds(x) {
            return Ok(());
        }
        let problem = self.out_of(x, range);
        let meant = per_cent(&format!("{x}%")).filter(|m| x > range.max && range.holds(*m));
        Err(match meant {
            Some(meant) => Problem {
                message: format!("{}: {x} is {}%", self.full, short(x * 100.0)),
                ..problem
            }
            .help(format!("fractions are fractions: {meant} is {x}%")),
            None => problem,
        })
    }

    /// 0.0002 for 2 basis points is the usual slip.
    fn basis_points(&self, range: Bounds) -> Checked<f64> {
        let x = self.number("a number")?;
        if x > 0.0 && x < 0.01 {
            return Err(self
                .problem(format!("{x} is {}%", short(x / 100.0)))
                .label("in basis points")
                .help(format!(
                    "basis points: {} is {}%",
                    short(x * 10_000.0),
                    short(x * 100.0)
                )));
        }
        if range.holds(x) {
            return Ok(x);
        }
        Err(self.out_of(x, range))
    }

    fn whole(&self, min: u32, max: u32) -> Checked<f64> {
        let part = match &self.raw.value {
            DeValue::String(text) => per_cent(text),
            value => number(value),
        };
        if let Some(part) = part.filter(|x| *x > 0.0 && *x < 1.0 && self.full == "rank.hold") {
            return Err(self
                .problem("a part is no number of holdings")
                .label("expected a whole number")
                .help(format!("quantile = {part} holds that part of the ranked")));
        }
        let x = self.number("a whole number")?;
        if x.fract() == 0.0 && x >= f64::from(min) && x <= f64::from(max) {
            return Ok(x);
        }
        Err(self
            .problem(format!("{x} is impossible"))
            .label(format!("expected a whole number {min} to {max}")))
    }

    fn flag(&self) -> Checked<bool> {
        match &self.raw.value {
            DeValue::Boolean(yes) => Ok(*yes),
            DeValue::String(text) if ["true", "false"].contains(&text.as_ref()) => Err(self
                .wrong_type("true or false")
                .help(format!("without quotes: {text}"))),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    fn day(&self) -> Checked<NaiveDate> {
        let day = match &self.raw.value {
            DeValue::Datetime(moment) => match (moment.date, moment.time) {
                (Some(d), None) => {
                    NaiveDate::from_ymd_opt(i32::from(d.year), u32::from(d.month), u32::from(d.day))
                }
                _ => None,
            },
            DeValue::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
            _ => return Err(self.wrong_type("a day").help("a day is written 2004-08-19")),
        };
        day.ok_or_else(|| {
            self.problem("expected a day")
                .label("not a day")
                .help("a day is written 2004-08-19")
        })
    }

    /// Streams with the names of layers.
    fn feeds(&self) -> Checked<Vec<(String, String)>> {
        let example = "for example { dividends = \"growth\", interest = \"growth\" }";
        let DeValue::Table(table) = &self.raw.value else {
            return Err(self.wrong_type("a table of streams").help(example));
        };
        let mut feeds = Vec::new();
        for stream in FEEDS {
            match table.get(stream).map(|value| value.get_ref()) {
                None => {}
                Some(DeValue::String(layer)) => {
                    feeds.push((stream.to_owned(), layer.to_string()));
                }
                Some(other) => {
                    let found = word(other);
                    let what = format!("{stream}: expected the name of a layer, found {found}");
                    return Err(self.problem(what).help(example));
                }
            }
        }
        let odd = table
            .keys()
            .find(|key| !FEEDS.contains(&key.get_ref().as_ref()));
        match odd {
            Some(key) => {
                let what = format!("there is no stream `{}` to feed", key.get_ref());
                Err(self
                    .problem(what)
                    .help(format!("there are {}", FEEDS.join(" "))))
            }
            None => Ok(feeds),
        }
    }

    /// `"first"`, `"last"`, or a number from 1.
    fn day_of_period(&self) -> Checked<ScheduleDay> {
        const DAYS_MAX: u32 = 366;
        if number(&self.raw.value).is_some() {
            return Ok(ScheduleDay::Nth(self.whole(1, DAYS_MAX)? as u32));
        }
        let words = ["first", "last"];
        match self.choice(&words) {
            Ok(word) if word == "last" => Ok(ScheduleDay::Last),
            Ok(_) => Ok(ScheduleDay::First),
            Err(problem) => Err(problem.label("expected \"first\", \"last\" or a number from 1")),
        }
    }

    /// A path of the file starts from its folder, a path of a flag from where the user is.
    fn path(&self, text: &str) -> PathBuf {
        match self.raw.place {
            Place::File(_) => tidy(&self.folder.join(text)),
            Place::Flag(_) => PathBuf::from(text),
        }
    }

    fn choice(&self, words: &[&str]) -> Checked<String> {
        let listed: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
        let expected = format!("one of {}", listed.join(" "));
        let text = self.text(&expected)?;
        if words.contains(&text.as_str()) {
            return Ok(text);
        }
        let problem = self
            .problem(format!("\"{text}\" is unknown"))
            .label(format!("expected {expected}"));
        Err(match nearest(&text, words.iter().copied()) {
            Some(near) => problem.help(format!("did you mean \"{near}\"?")),
            None => problem,
        })
    }

    fn rate(&self, range: Bounds) -> Checked<Rate> {
        match &self.raw.value {
            DeValue::String(text) if looks_like_number(text) => {
                let problem = self.wrong_type("a number, or a file in quotes");
                Err(match per_cent(text) {
                    Some(x) => problem.help(format!("fractions are fractions: {text} is {x}")),
                    None => problem.help(format!("without quotes: {}", text.trim())),
                })
            }
            DeValue::String(text) => Ok(Rate::File(self.path(text))),
            _ => {
                let x = self.number("a number, or a file in quotes")?;
                self.check_fraction(x, range)?;
                Ok(Rate::Constant(x))
            }
        }
    }

    fn distance(&self, range: Bounds) -> Checked<Distance> {
        match &self.raw.value {
            DeValue::String(text) if looks_like_number(text) => {
                let fraction =
                    per_cent(text).map_or_else(|| text.trim().to_owned(), |x| x.to_string());
                Err(self
                    .problem("this text is a number")
                    .label("a fraction or an expression")
                    .help(format!(
                        "a fraction stands without quotes: {fraction}; an expression in price units looks like \"2.5 * atr(14)\""
                    )))
            }
            DeValue::String(_) => Ok(Distance::Expr(self.expression()?)),
            _ => {
                let x = self.number("a fraction, or an expression in quotes")?;
                self.check_fraction(x, range)?;
                Ok(Distance::Fraction(x))
            }
        }
    }

    fn expression(&self) -> Checked<ExprText> {
        let text = self.text("an expression in quotes")?;
        if text.trim().is_empty() {
            return Err(self
                .problem("the expression is empty")
                .help("leave the key out if there is nothing to say"));
        }
        let span = match &self.raw.place {
            Place::File(span) => inside_quotes(self.source, span, &text),
            Place::Flag(_) => None,
        };
        Ok(ExprText {
            text,
            span,
            key: self.full.to_owned(),
        })
    }

    /// A list of expressions, each with its place.
    fn expressions(&self) -> Checked<Vec<ExprText>> {
        let expected = "a list of expressions";
        let DeValue::Array(items) = &self.raw.value else {
            let example = "[\"roc(close, 63)\", \"rsi(14)\"]";
            return Err(self
                .wrong_type(expected)
                .help(format!("a list stands in brackets: {example}")));
        };
        let mut list: Vec<ExprText> = Vec::new();
        for item in items {
            let text = item.get_ref().as_str().map(str::trim);
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                return Err(self
                    .problem(format!("expected {expected}, each in quotes"))
                    .help("for example [\"roc(close, 63)\", \"rsi(14)\"]"));
            };
            if list.iter().any(|known| known.text == text) {
                return Err(self.problem(format!("`{text}` is listed twice")));
            }
            let span = match &self.raw.place {
                Place::File(_) => inside_quotes(self.source, &item.span(), text),
                Place::Flag(_) => None,
            };
            list.push(ExprText {
                text: text.to_owned(),
                span,
                key: self.full.to_owned(),
            });
        }
        match list.is_empty() {
            true => Err(self.problem("a list without an expression")),
            false => Ok(list),
        }
    }

    /// A period's name, or a stretch.
    fn schedule(&self) -> Checked<Value> {
        const PERIODS: [&str; 5] = ["day", "week", "month", "quarter", "year"];
        match &self.raw.value {
            DeValue::String(text) if PERIODS.contains(&text.trim()) => {
                Ok(Value::Text(text.trim().to_owned()))
            }
            DeValue::String(text) if !text.bytes().any(|b| b.is_ascii_digit()) => {
                let problem = self.problem(format!("\"{text}\" is unknown")).label(
                    "expected \"day\" \"week\" \"month\" \"quarter\" \"year\", or a stretch such as \"6mo\"",
                );
                Err(match nearest(text, PERIODS) {
                    Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                    None => problem,
                })
            }
            _ => self.stretch().map(Value::Stretch),
        }
    }

    /// Two whole numbers, the smaller first.
    fn pair(&self, min: u32, max: u32) -> Checked<Value> {
        let expected = format!("two whole numbers {min} to {max}, as [{min}, 45]");
        let whole = |value: &DeValue<'_>| {
            number(value)
                .filter(|x| x.fract() == 0.0 && *x >= f64::from(min) && *x <= f64::from(max))
                .map(|x| x as u32)
        };
        let DeValue::Array(items) = &self.raw.value else {
            return Err(self.wrong_type(&expected));
        };
        let found: Option<Vec<u32>> = items.iter().map(|item| whole(item.get_ref())).collect();
        match found.as_deref() {
            Some([a, b]) if a <= b => Ok(Value::Pair(*a, *b)),
            Some([a, b]) => Err(self
                .problem(format!("{a} is more than {b}"))
                .help(format!("the smaller comes first: [{b}, {a}]"))),
            _ => Err(self
                .problem("impossible")
                .label(format!("expected {expected}"))),
        }
    }

    /// A list of known words.
    fn words(&self, words: &[&str]) -> Checked<Vec<String>> {
        let listed: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
        let expected = format!("a list of {}", listed.join(" "));
        let typed = |text: &str| -> Vec<String> {
            text.split(',').map(|word| word.trim().to_owned()).collect()
        };
        let found = match (&self.raw.value, self.raw.typed) {
            (DeValue::Array(items), _) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect::<Option<Vec<String>>>()
                .ok_or_else(|| self.problem(format!("expected {expected}")))?,
            (DeValue::String(text), Some(_)) => typed(text),
            (DeValue::String(text), None) => {
                return Err(self
                    .wrong_type(&expected)
                    .help(format!("a list stands in brackets: [\"{text}\"]")));
            }
            _ => return Err(self.wrong_type(&expected)),
        };
        match found.iter().find(|word| !words.contains(&word.as_str())) {
            None => Ok(found),
            Some(word) => {
                let problem = self
                    .problem(format!("\"{word}\" is unknown"))
                    .label(format!("expected {expected}"));
                Err(match nearest(word, words.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                    None => problem,
                })
            }
        }
    }

    /// A word, a fraction or a path.
    fn mixed(&self, words: &[&str], fraction: Option<Bounds>, path: bool) -> Checked<Value> {
        match (&self.raw.value, fraction) {
            (DeValue::String(text), _) if words.contains(&text.as_ref()) => {
                Ok(Value::Text(text.to_string()))
            }
            (DeValue::String(text), Some(_)) if looks_like_number(text) => {
                let meant =
                    per_cent(text).map_or_else(|| text.trim().to_owned(), |x| x.to_string());
                Err(self
                    .problem("this text is a number")
                    .help(format!("a fraction stands without quotes: {meant}")))
            }
            (DeValue::String(text), _) if path => Ok(Value::Path(self.path(text))),
            (DeValue::String(_), _) => self.choice(words).map(Value::Text),
            (_, Some(range)) => Ok(Value::Number(self.fraction(range)?)),
            (_, None) => Err(self.wrong_type("text")),
        }
    }

    fn symbols(&self) -> Checked<Vec<String>> {
        let expected = "a list of symbols";
        let names: Vec<String> = match (&self.raw.value, self.raw.typed) {
            (DeValue::Array(items), _) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(|s| s.trim().to_owned()))
                .collect::<Option<_>>()
                .ok_or_else(|| self.problem(format!("expected {expected}, each in quotes")))?,
            (DeValue::String(text), Some(_)) => {
                text.split(',').map(|s| s.trim().to_owned()).collect()
            }
            (DeValue::String(text), None) => {
                return Err(self
                    .wrong_type(expected)
                    .help(format!("a list stands in brackets: [\"{text}\"]")));
            }
            _ => return Err(self.wrong_type(expected)),
        };
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(self
                .problem("a list without a symbol")
                .label(format!("expected {expected}"))
                .help("leave the key out for its default"));
        }
        let twice = names
            .iter()
            .enumerate()
            .find(|(i, name)| names[..*i].contains(name));
        match twice {
            Some((_, name)) => Err(self.problem(format!("{name} is listed twice"))),
            None => Ok(names),
        }
    }

    /// Symbols with weights; `whole` when they must add up to 1.
    fn weights(&self, whole: bool) -> Checked<Vec<(String, f64)>> {
        let example = "a mix looks like { SPY = 0.6, TLT = 0.4 }";
        let DeValue::Table(table) = &self.raw.value else {
            return Err(self.wrong_type("a table of weights").help(example));
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        let mut weights = Vec::new();
        for (name, value) in entries {
            let Some(weight) = number(value.get_ref()).filter(|w| w.is_finite() && *w > 0.0) else {
                let found = word(value.get_ref());
                return Err(self
                    .problem(format!(
                        "{}: expected a weight above 0, found {found}",
                        name.get_ref()
                    ))
                    .help(example));
            };
            weights.push((name.get_ref().to_string(), weight));
        }
        let sum: f64 = weights.iter().map(|(_, w)| w).sum();
        if weights.is_empty() {
            return Err(self.problem("no symbol has a weight").help(example));
        }
        if sum > 10.0 {
            return Err(self
                .problem(format!("the weights add up to {}", short(sum)))
                .help("fractions are fractions: 0.6 is 60%"));
        }
        if whole && (sum - 1.0).abs() > 1e-6 {
            return Err(self
                .problem(format!("the weights add up to {}, not to 1", short(sum)))
                .help(example));
        }
        Ok(weights)
    }

    fn axis(&self) -> Checked<Vec<SweepValue>> {
        let values = match self.raw.typed {
            Some(typed) => axis::of_flag(typed),
            None => axis::of_toml(&self.raw.value),
        };
        values.map_err(|problem| Problem {
            message: format!("{}: {}", self.full, problem.message),
            help: problem.help,
            ..self.raw.place.problem("")
        })
    }

    fn groups(&self, most: usize) -> Checked<Vec<Vec<String>>> {
        let example = match most {
            2 => "a list of pairs looks like [[\"VTI\", \"SCHB\"], [\"VEA\", \"IEFA\"]]",
            _ => "a list of groups looks like [[\"SPY\", \"IVV\", \"VOO\"]]",
        };
        let expected = "a list of lists of symbols";
        let DeValue::Array(items) = &self.raw.value else {
            return Err(self.wrong_type(expected).help(example));
        };
        let mut groups = Vec::new();
        for item in items.iter() {
            let DeValue::Array(names) = item.get_ref() else {
                return Err(self.problem(format!("expected {expected}")).help(example));
            };
            let names = names
                .iter()
                .map(|name| name.get_ref().as_str().map(|n| n.trim().to_owned()));
            let names: Option<Vec<String>> = names.collect();
            let Some(names) = names.filter(|n| n.iter().all(|name| !name.is_empty())) else {
                return Err(self
                    .problem(format!("expected {expected}, each in quotes"))
                    .help(example));
            };
            if names.len() < 2 || names.len() > most {
                let count = if most == 2 { "two" } else { "two or more" };
                return Err(self
                    .problem(format!("[{}] is not {count} symbols", names.join(", ")))
                    .help(example));
            }
            if let Some(name) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
                return Err(self.problem(format!("{} is listed twice", names[name])));
            }
            groups.push(names);
        }
        match groups.is_empty() {
            true => Err(self
                .problem("a list without a group")
                .help("leave the key out for its default")),
            false => Ok(groups),
        }
    }

    fn bar(&self) -> Checked<BarSize> {
        let text = self.text("the size of a bar in quotes")?;
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let bar = match (count.parse::<u32>().unwrap_or(0), unit) {
            (n @ 1..=1439, "m") => Some(BarSize::Minutes(n)),
            (n @ 1..=23, "h") => Some(BarSize::Hours(n)),
            (1, "d") => Some(BarSize::Day),
            (1, "w") => Some(BarSize::Week),
            (1, "mo") => Some(BarSize::Month),
            _ => None,
        };
        bar.ok_or_else(|| {
            self.problem(format!("\"{text}\" is no size of a bar"))
                .help("bars are minutes, hours, days, weeks or months: \"1m\" \"5m\" \"1h\" \"1d\" \"1w\" \"1mo\"")
        })
    }
}

/// The longest stretch in each unit: two centuries.
const YEARS_MAX: u32 = 200;

impl Reader<'_> {
    /// `"5y"`, or a number of bars.
    fn stretch(&self) -> Checked<Stretch> {
        const BARS_MAX: f64 = 1e9;
        let help = "a stretch is days, weeks, months or years, \"90d\" \"13w\" \"6mo\" \"5y\", or a number of bars without quotes: 250";
        let text = match &self.raw.value {
            DeValue::String(text) => text.trim().to_owned(),
            DeValue::Integer(_) | DeValue::Float(_) => {
                let bars = self.number("a stretch of time")?;
                let whole = bars.fract() == 0.0 && (1.0..=BARS_MAX).contains(&bars);
                return match whole {
                    true => Ok(Stretch::Bars(bars as u32)),
                    false => Err(self
                        .problem(format!("{bars} bars are impossible"))
                        .label("expected a whole number of bars from 1")
                        .help(help)),
                };
            }
            _ => return Err(self.wrong_type("a stretch of time").help(help)),
        };
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let in_unit = |a_unit: u32, most: u32| {
            let n = count.parse::<u32>().ok()?.checked_mul(a_unit)?;
            (1..=most).contains(&n).then_some(n)
        };
        let stretch = match unit {
            "d" => in_unit(1, YEARS_MAX * 366).map(Stretch::Days),
            "w" => in_unit(7, YEARS_MAX * 366).map(Stretch::Days),
            "mo" => in_unit(1, YEARS_MAX * 12).map(Stretch::Months),
            "y" => in_unit(12, YEARS_MAX * 12).map(Stretch::Months),
            _ => None,
        };
        stretch.ok_or_else(|| {
            self.problem(format!("\"{text}\" is no stretch of time"))
                .label("not a stretch of time")
                .help(match unit {
                    "m" => format!("months are \"{count}mo\""),
                    _ => help.to_owned(),
                })
        })
    }
}

/// `5%` as 0.05, divided in decimal so that it prints as people write it.
fn per_cent(text: &str) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    short(number / 100.0).parse().ok()
}

fn looks_like_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok() || per_cent(text).is_some()
}

/// A number without the noise of binary fractions.
pub(super) fn short(x: f64) -> String {
    let text = format!("{x:.8}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// The bytes of a string's text between its quotes, when the file has it as it is.
fn inside_quotes(source: &str, span: &Range<usize>, text: &str) -> Option<Range<usize>> {
    let raw = source.get(span.clone())?;
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        3
    } else {
        1
    };
    let inner = raw.get(quotes..raw.len().checked_sub(quotes)?)?;
    // A line break right after three quotes is not part of the text.
    let skipped = match quotes {
        3 if inner.starts_with("\r\n") => 2,
        3 if inner.starts_with('\n') => 1,
        _ => 0,
    };
    let start = span.start + quotes + skipped;
    (inner.get(skipped..) == Some(text)).then_some(start..start + text.len())
}

/// A path without `folder/..` pairs, as people would write it.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let steps_back = part == Component::ParentDir
            && matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        if steps_back {
            tidy.pop();
        } else if part != Component::CurDir {
            tidy.push(part);
        }
    }
    tidy
}
