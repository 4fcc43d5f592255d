//! Mistakes that only the files beside a strategy can tell: a path that leads nowhere, a symbol that
//! the data does not have, a name in an expression that is no column of it.
//!
//! They are looked for when something is wrong already, so that all mistakes of a file are shown at
//! once and not one reading after another.

use crate::error::{Error, Problem, nearest};
use crate::market::load::existing;
use crate::market::{MODEL, Market, ReadOptions};
use crate::rules::Vocabulary;
use crate::strategy::{Rate, Strategy, vocabulary};
use std::ops::Range;
use std::path::Path;
use toml::de::{DeTable, DeValue};

impl Strategy {
    /// A path of the file that leads nowhere.
    pub(crate) fn lacks_a_file(&self) -> bool {
        self.paths().iter().any(|(_, path)| !path.exists())
    }

    /// Everything that is wrong with the strategy when its data could not be read because of
    /// `error`, which is given back when nothing else explains it.
    pub(crate) fn unread(&self, error: Error) -> Error {
        let problems = self.mistakes_with_data();
        if problems.is_empty() {
            return error;
        }
        Error::all(in_order(problems)).with_source(&self.source.name, &self.source.text)
    }

    /// All mistakes of paths, symbols and expressions, as far as the data can be read.
    pub(super) fn mistakes_with_data(&self) -> Vec<Problem> {
        let (document, _) = DeTable::parse_recoverable(&self.source.text);
        let document = document.get_ref();
        let mut problems = self.missing_files(document);
        let source = self.data.source.as_deref().filter(|path| path.exists());
        let actions = self.data.actions.clone().filter(|path| path.exists());
        let read = |source: &Path, symbols: Vec<String>| {
            let options = ReadOptions {
                symbols,
                columns: self.data.columns.clone(),
                actions: actions.clone(),
                hash: false,
            };
            Market::read(source, &options)
        };
        let meant = self.with_params_of(document);
        let names = match source.map(|source| (source, read(source, Vec::new()))) {
            None => Vocabulary::open(),
            Some((_, Ok(market))) => {
                problems.extend(self.missing_symbols(document, &market));
                meant.names(document, &market)
            }
            // Another file of the folder may be the broken one.
            Some((source, Err(_))) => {
                if let Err(error) = read(source, self.data.symbols.clone()) {
                    problems.extend(error.problems().iter().cloned());
                }
                Vocabulary::open()
            }
        };
        let placed = meant.mistakes(&names).into_iter();
        problems.extend(placed.filter(|problem| problem.span.is_some()));
        problems
    }

    /// The paths of the strategy with the tables and keys that they stand under.
    fn paths(&self) -> Vec<([&'static str; 2], &Path)> {
        let data = &self.data;
        let single = [
            (["data", "source"], data.source.as_deref()),
            (["data", "members"], data.members.as_deref()),
            (["data", "actions"], data.actions.as_deref()),
            (
                ["data", "dividend_yield"],
                rate_path(data.dividend_yield.as_ref()),
            ),
            (["cash", "yield"], rate_path(Some(&self.cash.yield_))),
            (["cash", "hurdle"], rate_path(self.cash.hurdle.as_ref())),
            (
                ["benchmark", "rate"],
                rate_path(self.benchmark.rate.as_ref()),
            ),
        ];
        let flows = self.cashflows.iter();
        let flows = flows.map(|flow| (["cashflow", "file"], flow.file.as_deref()));
        single
            .into_iter()
            .chain(flows)
            .filter_map(|(key, path)| Some((key, path?)))
            .collect()
    }

    fn missing_files(&self, document: &DeTable<'_>) -> Vec<Problem> {
        let missing = |(key, path): ([&str; 2], &Path)| {
            let error = existing(path).err()?;
            let problem = error.problems().first()?.clone();
            let is_meant = |text: &str| self.folder.join(text) == path;
            Some(match place(document, key, &is_meant) {
                Some(span) => Problem {
                    message: format!("{}: {}", path.display(), problem.message),
                    file: None,
                    ..problem
                }
                .at(span)
                .label("leads nowhere"),
                None => problem,
            })
        };
        self.paths().into_iter().filter_map(missing).collect()
    }

    /// Symbols that stand in the file and not in the data; those of expressions are told where
    /// expressions are.
    fn missing_symbols(&self, document: &DeTable<'_>, market: &Market) -> Vec<Problem> {
        let of = |key: [&'static str; 2], symbols: &[String]| {
            let named = symbols.iter().cloned();
            named.map(move |symbol| (key, symbol)).collect::<Vec<_>>()
        };
        let firsts = |pairs: &[(String, f64)]| -> Vec<String> {
            pairs.iter().map(|(symbol, _)| symbol.clone()).collect()
        };
        let targets = self.weights.as_ref().map_or(&[][..], |w| w.targets());
        let refuge = self.rank.as_ref().and_then(|rank| rank.refuge_symbol());
        let refuge: Vec<String> = refuge.map(str::to_owned).into_iter().collect();
        let wanted = [
            of(["data", "symbols"], &self.data.symbols),
            of(["rank", "refuge"], &refuge),
            of(["weights", "targets"], &firsts(targets)),
            of(["benchmark", "symbols"], &self.benchmark.symbols),
            of(["benchmark", "blend"], &firsts(&self.benchmark.blend)),
        ];
        let known = || market.tapes.iter().map(|tape| tape.symbol.as_str());
        let missing = |(key, symbol): ([&str; 2], String)| {
            if market.index_of(&symbol).is_some() {
                return None;
            }
            let help = match nearest(&symbol, known()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("it has {}", some_of(known())),
            };
            let problem = Problem::new(format!("no prices of {symbol}")).help(help);
            let source = self.data.source.as_ref().map(|s| s.display().to_string());
            let source = source.unwrap_or_default();
            Some(match place(document, key, &|text| text == symbol) {
                Some(span) => problem.at(span).label(format!("not in {source}")),
                None => problem.in_file(source),
            })
        };
        wanted.into_iter().flatten().filter_map(missing).collect()
    }

    /// The strategy with the params that a mistake elsewhere keeps from being some, which one message
    /// is enough for: they stand under a name that is no table, or are no numbers.
    fn with_params_of(&self, document: &DeTable<'_>) -> Strategy {
        // Any number that is a length: what the mistake hides is not known.
        const STAND_IN: f64 = 5.0;
        let mut strategy = self.clone();
        for (name, value) in document {
            let name = name.get_ref().as_ref();
            let DeValue::Table(table) = value.get_ref() else {
                continue;
            };
            if name != "params" && vocabulary::find_table(name).is_some() {
                continue;
            }
            for key in table.keys().map(|key| key.get_ref().to_string()) {
                let has = |(name, _): &(String, f64)| *name == key;
                if !strategy.params.iter().any(has) {
                    strategy.params.push((key, STAND_IN));
                }
            }
        }
        strategy
    }

    /// The names that expressions may use: the data's, the forecast's, and those of series that are
    /// none because of another mistake.
    fn names(&self, document: &DeTable<'_>, market: &Market) -> Vocabulary {
        let mut names = Vocabulary {
            interval: Vocabulary::open().interval,
            ..Vocabulary::of(market)
        };
        names
            .columns
            .extend(self.model.iter().map(|_| MODEL.to_owned()));
        let series = document.iter().find(|(name, _)| name.get_ref() == "series");
        if let Some(DeValue::Table(table)) = series.map(|(_, value)| value.get_ref()) {
            let keys = table.keys().map(|key| key.get_ref().to_lowercase());
            names.columns.extend(keys);
        }
        names
    }
}

fn rate_path(rate: Option<&Rate>) -> Option<&Path> {
    match rate {
        Some(Rate::File(path)) => Some(path),
        _ => None,
    }
}

/// The first few of many words.
fn some_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let words: Vec<&str> = words.collect();
    let shown = words[..words.len().min(SHOWN)].join(", ");
    match words.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Bytes of the text or key under a table's key that is the one meant.
fn place(
    document: &DeTable<'_>,
    [table, key]: [&str; 2],
    is_meant: &dyn Fn(&str) -> bool,
) -> Option<Range<usize>> {
    let (_, value) = document.iter().find(|(name, _)| name.get_ref() == table)?;
    let rows: Vec<&DeTable<'_>> = match value.get_ref() {
        DeValue::Table(table) => vec![table],
        DeValue::Array(rows) => rows
            .iter()
            .filter_map(|row| match row.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            })
            .collect(),
        _ => return None,
    };
    let mut values = rows
        .into_iter()
        .flat_map(|row| row.iter())
        .filter(|(name, _)| name.get_ref() == key);
    values.find_map(|(_, value)| match value.get_ref() {
        DeValue::String(text) => is_meant(text).then(|| value.span()),
        DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
            DeValue::String(text) if is_meant(text) => Some(item.span()),
            _ => None,
        }),
        DeValue::Table(inner) => inner
            .keys()
            .find(|name| is_meant(name.get_ref()))
            .map(|name| name.span()),
        _ => None,
    })
}

/// In the order of the file; what has no place in it comes last.
pub(super) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|p| p.span.as_ref().map_or(usize::MAX, |span| span.start));
    problems
}
