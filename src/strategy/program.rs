//! The expressions of a strategy, compiled together: which key each belongs to, what it must give,
//! and whether it may read the open position. What is done with their columns is left to the
//! engine and to `check` and `explain`.

use crate::error::{Error, Result};
use crate::rules::{ExprId, Kind, Program, Request, Vocabulary};
use crate::strategy::{Distance, ExprText, Strategy};

/// A strategy's expressions in one program.
pub struct Compiled {
    /// The program.
    pub program: Program,
    /// The expressions of rules, stops and fills as (key, expression), in the order of the file's
    /// tables.
    pub wanted: Vec<(String, ExprId)>,
    /// The expressions of `[series]` as (name, expression), in file order.
    pub series: Vec<(String, ExprId)>,
}

impl Compiled {
    /// The expression of a key, for example `rules.enter`.
    pub fn find(&self, key: &str) -> Option<ExprId> {
        self.wanted
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, id)| *id)
    }
}

impl Strategy {
    /// The expressions of rules, stops and fills with what each must give.
    pub fn requests(&self) -> Vec<Request<'_>> {
        let (rules, stops) = (&self.rules, &self.stops);
        let plain = [
            (&rules.enter, Kind::Condition, false),
            (&rules.exit, Kind::Condition, true),
            (&rules.short, Kind::Condition, false),
            (&rules.cover, Kind::Condition, true),
            (&rules.priority, Kind::Number, false),
            (&self.fill.price, Kind::Number, false),
        ];
        let plain = plain.into_iter().filter_map(|(text, expects, position)| {
            Some(request(text.as_ref()?, expects, position))
        });
        let distances = [&stops.stop, &stops.target, &stops.trail];
        let distances = distances.into_iter().filter_map(|distance| match distance {
            Some(Distance::Expr(text)) => Some(request(text, Kind::Number, true)),
            _ => None,
        });
        plain.chain(distances).collect()
    }

    /// Compiles every expression against the names that the data has.
    ///
    /// # Errors
    /// All mistakes of all expressions at once, with their places in the strategy file.
    pub fn compile(&self, vocabulary: &Vocabulary) -> Result<Compiled> {
        let requests = self.requests();
        let series: Vec<Request<'_>> = self
            .series
            .iter()
            .map(|(_, text)| request(text, Kind::Any, false))
            .collect();
        let program = Program::compile(&self.params, &series, &requests, vocabulary)
            .map_err(|p| Error::all(p).with_source(&self.source.name, &self.source.text))?;
        let key = |(at, r): (usize, &Request<'_>)| (r.key.to_owned(), program.wanted(at));
        let wanted = requests.iter().enumerate().map(key).collect();
        let name =
            |(at, (name, _)): (usize, &(String, ExprText))| (name.clone(), program.series(at));
        let series = self.series.iter().enumerate().map(name).collect();
        Ok(Compiled {
            program,
            wanted,
            series,
        })
    }
}

fn request(text: &ExprText, expects: Kind, position: bool) -> Request<'_> {
    Request {
        key: &text.key,
        text: &text.text,
        offset: text.span.as_ref().map(|span| span.start),
        expects,
        position,
    }
}
