//! What a name in an expression means: a param, a series, a column, a word; or what was meant.

use super::check::{Compiler, Scope, is_reserved, is_word};
use super::functions::{self, Builds, ELSEWHERE};
use super::plan::{Base, ExprId, Op, Source};
use crate::error::{Problem, nearest};
use crate::indicators;
use crate::market::MODEL;
use std::ops::Range;

/// Longer words are not compared with the known ones.
const WORD_MAX: usize = 40;

/// The name of a series: its key without the table.
pub(super) fn of_series(key: &str) -> &str {
    key.strip_prefix("series.").unwrap_or(key)
}

/// Reports params and series whose names cannot be used or take another's meaning.
pub(super) fn check_declared(compiler: &mut Compiler<'_>) {
    let params = compiler.params.iter();
    let params = params.map(|(name, _)| (name.as_str(), "params", "param"));
    let series = compiler.series.iter();
    let series = series.map(|s| (of_series(s.key), "series", "series"));
    let declared: Vec<_> = params.chain(series).collect();
    for (place, (name, table, what)) in declared.iter().enumerate() {
        let problem = if !is_name(name) {
            Problem::new(format!("`{name}` cannot be a name in expressions"))
                .help("a name is letters, digits and `_`, and begins with a letter")
        } else if is_reserved(name) {
            Problem::new(format!(
                "the {what} `{name}` has the name of a function or word"
            ))
            .help("give it another name")
        } else if *what == "series" && column_source(compiler, name).is_some() {
            Problem::new(format!("the series `{name}` has the name of a column"))
                .help("give it another name")
        } else if declared[..place].iter().any(|(before, ..)| before == name) {
            Problem::new(format!("`{name}` is both a param and a series"))
                .help("give one of them another name")
        } else {
            continue;
        };
        compiler
            .problems
            .push(problem.at_column(format!("{table}.{name}")));
    }
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The source of a column by its name, without looking at whether there is volume.
fn column_source(compiler: &Compiler<'_>, name: &str) -> Option<Source> {
    let of = |name: &str| Base::ALL.into_iter().find(|b| b.name() == name);
    if let Some(base) = of(name) {
        return Some(Source::Seen(base));
    }
    if let Some(place) = compiler.vocabulary.columns.iter().position(|c| c == name) {
        return Some(Source::Extra(place as u32));
    }
    name.strip_prefix("raw_").and_then(of).map(Source::Traded)
}

/// The same as a node's source: extra columns by their place in the plan.
pub(super) fn column(compiler: &mut Compiler<'_>, name: &str) -> Option<Source> {
    let source = column_source(compiler, name)?;
    if !matches!(source, Source::Extra(_)) {
        return Some(source);
    }
    let extras = &mut compiler.plan.extras;
    let place = extras.iter().position(|e| e == name).unwrap_or_else(|| {
        extras.push(name.to_string());
        extras.len() - 1
    });
    Some(Source::Extra(place as u32))
}

fn is_volume(source: Source) -> bool {
    matches!(
        source,
        Source::Seen(Base::Volume) | Source::Traded(Base::Volume)
    )
}

/// The node of a name, and the record of the series that it is.
pub(super) fn resolve<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    span: &Range<usize>,
) -> (Option<ExprId>, Option<usize>) {
    let name = scope.at(span);
    if let Some((_, value)) = compiler.params.iter().find(|(param, _)| param == name) {
        return (Some(compiler.plan.number(*value)), None);
    }
    let series = compiler
        .series
        .iter()
        .position(|s| of_series(s.key) == name);
    if let Some(place) = series {
        return match compiler.series(place, scope.frame) {
            Some((id, trace)) => (Some(id), Some(trace)),
            None => (None, None),
        };
    }
    (word(compiler, scope, span), None)
}

/// The node of a calendar word, a position word, a constant or a column.
fn word<'a>(compiler: &mut Compiler<'a>, scope: Scope<'a>, span: &Range<usize>) -> Option<ExprId> {
    let name = scope.at(span);
    if name == "true" || name == "false" {
        return Some(compiler.plan.truth(Some(name == "true")));
    }
    if let Some(row) = functions::find(name).filter(|row| is_word(row.builds)) {
        return reading(compiler, scope, row.builds, span);
    }
    if let Some(source) = column(compiler, name) {
        if is_volume(source) && !compiler.vocabulary.has_volume {
            let problem = Problem::new("the data has no volume");
            compiler.report(&scope.request, problem.at(span.clone()));
            return None;
        }
        return Some(compiler.plan.add(Op::Column(source), scope.frame));
    }
    unknown_name(compiler, scope, span);
    None
}

/// The node of a calendar or position word.
pub(super) fn reading<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    builds: Builds,
    span: &Range<usize>,
) -> Option<ExprId> {
    match builds {
        Builds::Clock(clock) => Some(compiler.plan.add(Op::Clock(clock), scope.frame)),
        Builds::Position(position) if scope.request.position => {
            Some(compiler.plan.add(Op::Position(position), 0))
        }
        _ => {
            let name = scope.at(span);
            let problem = Problem::new(format!(
                "`{name}` has a value only while a position is open"
            ))
            .at(span.clone())
            .help("it may stand in exit, cover and stops; there write it out, not in [series]");
            compiler.report(&scope.request, problem);
            None
        }
    }
}

fn unknown_name(compiler: &mut Compiler<'_>, scope: Scope<'_>, span: &Range<usize>) {
    if compiler.is_full(&scope.request) {
        return;
    }
    let name = scope.at(span);
    let is_function = functions::find(name).is_some() || indicators::find(name).is_some();
    if compiler.vocabulary.is_open && !is_function {
        return;
    }
    let signature = functions::find(name)
        .map(|row| row.signature.to_string())
        .or_else(|| indicators::find(name).map(super::calls::signature));
    let problem = match signature {
        Some(signature) => Problem::new(format!("`{name}` is a function"))
            .label("no arguments")
            .help(format!("write `{signature}`")),
        None => {
            let problem = Problem::new(format!("unknown name `{name}`")).label("no such name");
            match suggestion(compiler, name, scope.request.position) {
                _ if name == MODEL => {
                    problem.help("a forecast needs a table [model] with features and a target")
                }
                Some(meant) => problem.help(format!("did you mean `{meant}`?")),
                None => problem.help(format!("columns are {}", columns_in_words(compiler))),
            }
        }
    };
    compiler.report(&scope.request, problem.at(span.clone()));
}

fn columns_in_words(compiler: &Compiler<'_>) -> String {
    let known = compiler.vocabulary.columns.iter();
    let shown: Vec<&str> = known.map(String::as_str).take(12).collect();
    let more = if compiler.vocabulary.columns.len() > shown.len() {
        " …"
    } else {
        ""
    };
    format!(
        "{}{more}; names of your own go into [params] or [series]",
        shown.join(" ")
    )
}

/// What an unknown name probably meant.
fn suggestion(compiler: &Compiler<'_>, name: &str, position: bool) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some((_, here)) = ELSEWHERE.iter().find(|(word, _)| *word == lower) {
        return Some((*here).to_string());
    }
    if name.len() > WORD_MAX {
        return None;
    }
    let params = compiler.params.iter().map(|(name, _)| name.as_str());
    let series = compiler.series.iter().map(|s| of_series(s.key));
    let columns = compiler.vocabulary.columns.iter().map(String::as_str);
    let allowed = |builds| match builds {
        Builds::Clock(_) => true,
        Builds::Position(_) => position,
        _ => false,
    };
    let words = functions::functions()
        .iter()
        .filter(|row| allowed(row.builds));
    let own = params
        .chain(series)
        .chain(columns)
        .chain(words.map(|row| row.name));
    if let Some(near) = nearest(name, own) {
        return Some(near.to_string());
    }
    nearest(name, indicators::all().map(|row| row.name))
        .and_then(indicators::find)
        .map(super::calls::signature)
}

/// Reports a call of something that is no function.
pub(super) fn unknown_function(compiler: &mut Compiler<'_>, scope: Scope<'_>, span: &Range<usize>) {
    if compiler.is_full(&scope.request) {
        return;
    }
    let name = scope.at(span);
    let own = compiler.params.iter().any(|(param, _)| param == name)
        || compiler.series.iter().any(|s| of_series(s.key) == name);
    let problem = if own || column_source(compiler, name).is_some() {
        Problem::new(format!("`{name}` is not a function")).help(format!(
            "`{name}[1]` is its value one bar ago; a product needs `*`"
        ))
    } else {
        let problem = Problem::new(format!("unknown function `{name}`")).label("no such function");
        let lower = name.to_lowercase();
        let elsewhere = ELSEWHERE.iter().find(|(word, _)| *word == lower);
        let known = indicators::all().map(|row| row.name);
        let known = known.chain(functions::functions().iter().map(|row| row.name));
        match elsewhere {
            Some((_, here)) => problem.help(format!("did you mean `{here}`?")),
            None if name.len() > WORD_MAX => problem,
            None => match nearest(name, known) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("`papertape list indicators` shows what there is"),
            },
        }
    };
    compiler.report(&scope.request, problem.at(span.clone()));
}

/// Refuses a param that hides a column where only the column makes sense.
pub(super) fn refuse_hiding<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    span: &Range<usize>,
    who: &str,
) -> Option<()> {
    let name = scope.at(span);
    let param = compiler.params.iter().find(|(param, _)| param == name);
    let Some((_, value)) = param.filter(|_| column_source(compiler, name).is_some()) else {
        return Some(());
    };
    let problem = Problem::new(format!(
        "{who} needs the column `{name}`, but a param hides it"
    ))
    .at(span.clone())
    .label(format!("this is the param, {value}"))
    .help("give the param another name");
    compiler.report(&scope.request, problem);
    None
}

/// The node of `symbol:column`.
pub(super) fn foreign<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    symbol: &Range<usize>,
    name: &Range<usize>,
) -> Option<ExprId> {
    if compiler.vocabulary.is_open {
        return None;
    }
    let written = scope.at(symbol);
    let known = compiler.vocabulary.symbols.iter().any(|s| s == written);
    if !known {
        let problem = Problem::new(format!("the data has no symbol `{written}`"))
            .at(symbol.clone())
            .label("no such symbol");
        let symbols = compiler.vocabulary.symbols.iter().map(String::as_str);
        let near = (written.len() <= WORD_MAX)
            .then(|| nearest(written, symbols))
            .flatten();
        let problem = match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("`papertape data show` lists the symbols"),
        };
        compiler.report(&scope.request, problem);
    }
    let Some(source) = column(compiler, scope.at(name)) else {
        let word = scope.at(name);
        let problem = Problem::new(format!("unknown column `{word}`"))
            .at(name.clone())
            .label("no such column");
        let columns = compiler.vocabulary.columns.iter().map(String::as_str);
        let near = (word.len() <= WORD_MAX)
            .then(|| nearest(word, columns))
            .flatten();
        let problem = match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("columns are {}", columns_in_words(compiler))),
        };
        compiler.report(&scope.request, problem);
        return None;
    };
    if !known {
        return None;
    }
    let symbols = &mut compiler.plan.symbols;
    let place = symbols
        .iter()
        .position(|s| s == written)
        .unwrap_or_else(|| {
            symbols.push(written.to_string());
            symbols.len() - 1
        });
    Some(
        compiler
            .plan
            .add(Op::Foreign(place as u32, source), scope.frame),
    )
}
