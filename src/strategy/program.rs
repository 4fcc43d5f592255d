//! The expressions of a strategy, compiled together: which key each belongs to, what it must give,
//! and whether it may read the open position. What is done with their columns is left to the
//! engine and to `check` and `explain`.

use crate::error::{Error, Problem, Result};
use crate::market::Market;
use crate::rules::{Columns, EvalOptions, ExprId, Family, Kind, Program, Request, Vocabulary};
use crate::strategy::{Distance, ExprText, Leg, RankWeight, SizeMethod, Strategy};

/// What `[size] method = "target_vol"` divides by.
const VOLATILITY: Request<'static> = Request {
    key: "size.method",
    text: "realized_vol(close, 20)",
    offset: None,
    expects: Kind::Number,
    position: false,
};

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
    /// The columns of one tape.
    ///
    /// # Errors
    /// As [`Program::evaluate`].
    pub fn columns(&self, market: &Market, tape: usize, options: &EvalOptions) -> Result<Columns> {
        if self.program.crosses_symbols() {
            let mut all = self.program.evaluate(market, options)?;
            return Ok(all.swap_remove(tape));
        }
        Ok(self.program.evaluate_one(market, tape, options))
    }

    /// The expression of a key, for example `rules.enter`.
    pub fn find(&self, key: &str) -> Option<ExprId> {
        self.wanted
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, id)| *id)
    }
}

impl Strategy {
    /// The expressions of rules, fills, stops and sizes with what each must give; keys are those
    /// of the file.
    pub fn requests<'a>(&'a self) -> Vec<Request<'a>> {
        let (rules, stops) = (&self.rules, &self.stops);
        let plain = [
            ("rules.enter", &rules.enter, Kind::Condition, false),
            ("rules.exit", &rules.exit, Kind::Condition, true),
            ("rules.short", &rules.short, Kind::Condition, false),
            ("rules.cover", &rules.cover, Kind::Condition, true),
            ("rules.priority", &rules.priority, Kind::Number, false),
            ("fill.price", &self.fill.price, Kind::Number, false),
        ];
        let plain = plain
            .into_iter()
            .filter_map(|(key, text, expects, position)| {
                Some(request(key, text.as_ref()?, expects, position))
            });
        let distances = [
            ("stops.stop", &stops.stop),
            ("stops.target", &stops.target),
            ("stops.trail", &stops.trail),
        ];
        let distances = distances
            .into_iter()
            .filter_map(|(key, distance)| match distance {
                Some(Distance::Expr(text)) => Some(request(key, text, Kind::Number, true)),
                _ => None,
            });
        let options = self.options.iter().flat_map(|options| {
            let when = |leg: &'a Option<Leg>| leg.as_ref().and_then(|leg| leg.when.as_ref());
            [when(&options.call), when(&options.put)]
                .into_iter()
                .flatten()
        });
        let options = options.map(|text| request(&text.key, text, Kind::Condition, false));
        let volatility = (self.size.method == SizeMethod::TargetVol).then_some(VOLATILITY);
        let selector = self.selector_requests();
        plain
            .chain(distances)
            .chain(options)
            .chain(volatility)
            .chain(selector)
            .collect()
    }

    /// The expressions of `[rank]`, and what its weights or those of `[weights]` read.
    fn selector_requests(&self) -> Vec<Request<'_>> {
        let mut requests = Vec::new();
        if let Some(rank) = &self.rank {
            requests.push(request("rank.score", &rank.score, Kind::Number, false));
            let conditions = [
                ("rank.where", &rank.condition),
                ("rank.absolute", &rank.absolute),
            ];
            for (key, text) in conditions {
                if let Some(text) = text {
                    requests.push(request(key, text, Kind::Condition, false));
                }
            }
            if rank.weight == RankWeight::InverseVol {
                requests.push(request(
                    "rank.weight",
                    &rank.volatility,
                    Kind::Number,
                    false,
                ));
            }
        }
        if let Some(measure) = self.weights.as_ref().and_then(|w| w.measure.as_ref()) {
            requests.push(request("weights.method", measure, Kind::Number, false));
        }
        requests
    }

    /// The expressions of `[series]`.
    fn series_requests(&self) -> Vec<Request<'_>> {
        let series = self.series.iter();
        series
            .map(|(name, text)| match text.key.strip_prefix("series.") {
                Some(of_key) if of_key == name => request(&text.key, text, Kind::Any, false),
                _ => request(name, text, Kind::Any, false),
            })
            .collect()
    }

    /// Mistakes of expressions that can be told with the names in `vocabulary`: syntax, functions,
    /// arguments, kinds, names. They have their places in the strategy file, or name a flag's key.
    pub(super) fn mistakes(&self, vocabulary: &Vocabulary) -> Vec<Problem> {
        let (series, requests) = (self.series_requests(), self.requests());
        let mut mistakes = Program::compile(&self.params, &series, &requests, vocabulary)
            .err()
            .unwrap_or_default();
        for problem in self.model_mistakes(vocabulary) {
            if !mistakes.contains(&problem) {
                mistakes.push(problem);
            }
        }
        mistakes
    }

    /// Compiles every expression for all values of the params that vary along `axes`, for tapes of
    /// `bars` bars in all; the order is that of [`Strategy::requests`].
    ///
    /// # Errors
    /// Why the expressions are no family, in a few words.
    pub fn family(
        &self,
        axes: &[(String, Vec<f64>)],
        vocabulary: &Vocabulary,
        bars: usize,
    ) -> std::result::Result<Family, String> {
        let (series, requests) = (self.series_requests(), self.requests());
        Family::compile(&self.params, axes, &series, &requests, (vocabulary, bars))
    }

    /// Compiles every expression against the names that the data has.
    ///
    /// # Errors
    /// All mistakes of all expressions at once, with their places in the strategy file.
    pub fn compile(&self, vocabulary: &Vocabulary) -> Result<Compiled> {
        let (series, requests) = (self.series_requests(), self.requests());
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

fn request<'a>(key: &'a str, text: &'a ExprText, expects: Kind, position: bool) -> Request<'a> {
    Request {
        key,
        text: &text.text,
        offset: text.span.as_ref().map(|span| span.start),
        expects,
        position,
    }
}
