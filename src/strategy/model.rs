//! `[model]`: what is learned from what, when and over which window; and the expressions of it, typed
//! and compiled. Fitting is left to the engine.

use crate::error::{Error, Problem, Result};
use crate::learning::Learner;
use crate::market::MODEL;
use crate::rules::{ExprId, Kind, Program, Request, TARGET, Vocabulary};
use crate::strategy::{Every, ExprText, Strategy, Stretch};
use std::fmt::Write as _;

/// When a model is fitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// At the last close of each period.
    Period(Every),
    /// So long after the fit before.
    After(Stretch),
}

/// `[model]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What the forecast is made of.
    pub features: Vec<ExprText>,
    /// What is forecast.
    pub target: ExprText,
    /// By what.
    pub learner: Learner,
    /// How far back a fit looks.
    pub fit_window: Stretch,
    /// When it is fitted again.
    pub refit: Refit,
    /// Bars before a refit that are no rows; `None` is the target's horizon.
    pub purge: Option<u32>,
    /// Further bars left out.
    pub embargo: u32,
    /// Seed of draws.
    pub seed: u32,
}

/// The expressions of a model in one program.
pub struct CompiledModel {
    /// The program.
    pub program: Program,
    /// The features, in file order.
    pub features: Vec<ExprId>,
    /// The target.
    pub target: ExprId,
    /// Bars that the target looks ahead.
    pub horizon: u32,
    /// Bars before a refit that are no rows: purge and embargo.
    pub left_out: u32,
}

impl Model {
    /// The learner's word in the strategy file.
    pub fn learner_name(&self) -> &'static str {
        match self.learner {
            Learner::Ridge => "ridge",
            Learner::Logistic => "logistic",
            Learner::BoostedTrees => "boosted_trees",
        }
    }

    /// Texts of features and target.
    fn texts(&self) -> impl Iterator<Item = &ExprText> {
        self.features.iter().chain([&self.target])
    }

    fn requests(&self) -> Vec<Request<'_>> {
        let features = self.features.iter();
        let features = features.map(|text| requested(text, "model.features", Kind::Number));
        features
            .chain([requested(&self.target, TARGET, Kind::Any)])
            .collect()
    }
}

fn requested<'a>(text: &'a ExprText, key: &'static str, expects: Kind) -> Request<'a> {
    Request {
        key,
        text: &text.text,
        offset: text.span.as_ref().map(|span| span.start),
        expects,
        position: false,
    }
}

/// The words of an expression that could be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

impl Strategy {
    /// The series that the model's expressions name, directly or through others, in file order.
    fn model_series(&self, model: &Model) -> Vec<&(String, ExprText)> {
        let mut texts: Vec<&str> = model.texts().map(|text| text.text.as_str()).collect();
        let mut wanted = vec![false; self.series.len()];
        while let Some(text) = texts.pop() {
            for word in words(text) {
                let place = self.series.iter().position(|(name, _)| name == word);
                if let Some(place) = place.filter(|place| !wanted[*place]) {
                    wanted[place] = true;
                    texts.push(&self.series[place].1.text);
                }
            }
        }
        let named = self.series.iter().zip(wanted);
        named
            .filter_map(|(series, is)| is.then_some(series))
            .collect()
    }

    /// Everything but the data that the model's column depends on, as text: the same text, the same
    /// column. `None` without a `[model]`.
    pub fn model_key(&self) -> Option<String> {
        let model = self.model.as_ref()?;
        let mut key = format!(
            "{} {:?} {:?} {:?} {} {}",
            model.learner_name(),
            model.fit_window,
            model.refit,
            model.purge,
            model.embargo,
            model.seed
        );
        let data = &self.data;
        let _ = write!(key, " {:?} {:?}", data.signals, data.symbols);
        let series = self.model_series(model);
        let texts = model.texts().map(|text| &text.text);
        for text in texts.chain(series.iter().map(|(_, text)| &text.text)) {
            let _ = write!(key, "; {text}");
        }
        for name in self.model_params() {
            let value = self.params.iter().find(|(param, _)| *param == name);
            let _ = write!(key, "; {name} = {}", value.map_or(f64::NAN, |(_, v)| *v));
        }
        Some(key)
    }

    /// The params that the model's expressions name, directly or through series: when one of them
    /// changes, the model has to be fitted anew.
    pub fn model_params(&self) -> Vec<String> {
        let Some(model) = &self.model else {
            return Vec::new();
        };
        let series = self.model_series(model);
        let texts: Vec<&str> = model
            .texts()
            .chain(series.iter().map(|(_, text)| text))
            .map(|text| text.text.as_str())
            .collect();
        let named = |name: &str| {
            texts
                .iter()
                .any(|text| words(text).any(|word| word == name))
        };
        let params = self.params.iter().map(|(name, _)| name);
        params.filter(|name| named(name)).cloned().collect()
    }

    /// Mistakes of the model's expressions that can be told with the names in `vocabulary`.
    pub(super) fn model_mistakes(&self, vocabulary: &Vocabulary) -> Vec<Problem> {
        let Some(model) = &self.model else {
            return Vec::new();
        };
        match self.program_of(model, vocabulary) {
            Err(problems) => problems,
            Ok(program) => {
                let target = program.wanted(model.features.len());
                let checked = self.check_target(model, &program, target);
                checked.err().into_iter().collect()
            }
        }
    }

    fn program_of(
        &self,
        model: &Model,
        vocabulary: &Vocabulary,
    ) -> std::result::Result<Program, Vec<Problem>> {
        let series = self.model_series(model);
        let reads_itself = |text: &ExprText| words(&text.text).any(|word| word == MODEL);
        let texts = model.texts().chain(series.iter().map(|(_, text)| text));
        let circles: Vec<Problem> = texts
            .filter(|text| reads_itself(text))
            .map(|text| {
                let problem =
                    Problem::new("a feature or target cannot read the forecast that is made of it")
                        .help("`model` may stand in rules, ranks and series that are no feature");
                let problem = problem.at_column(text.key.clone());
                match &text.span {
                    Some(span) => problem.at(span.clone()),
                    None => problem,
                }
            })
            .collect();
        if !circles.is_empty() {
            return Err(circles);
        }
        let series: Vec<Request<'_>> = series
            .iter()
            .map(|(name, text)| Request {
                key: if text.key.strip_prefix("series.") == Some(name) {
                    &text.key
                } else {
                    name
                },
                text: &text.text,
                offset: text.span.as_ref().map(|span| span.start),
                expects: Kind::Any,
                position: false,
            })
            .collect();
        Program::compile(&self.params, &series, &model.requests(), vocabulary)
    }

    /// Types and plans the model's expressions against the names that the data has, and checks what
    /// they say together. `None` without a `[model]`.
    ///
    /// # Errors
    /// All mistakes of the expressions, a target that does not look ahead or that the learner cannot
    /// take, a purge below the target's horizon; with their places in the strategy file.
    pub fn compile_model(&self, vocabulary: &Vocabulary) -> Result<Option<CompiledModel>> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let placed = |problems: Vec<Problem>| {
            Error::all(problems).with_source(&self.source.name, &self.source.text)
        };
        let program = self.program_of(model, vocabulary).map_err(placed)?;
        let features = (0..model.features.len())
            .map(|at| program.wanted(at))
            .collect();
        let target = program.wanted(model.features.len());
        let horizon = self
            .check_target(model, &program, target)
            .map_err(|problem| placed(vec![problem]))?;
        let purge = model.purge.unwrap_or(horizon);
        Ok(Some(CompiledModel {
            program,
            features,
            target,
            horizon,
            left_out: purge.saturating_add(model.embargo),
        }))
    }

    /// The bars that the target looks ahead.
    fn check_target(
        &self,
        model: &Model,
        program: &Program,
        target: ExprId,
    ) -> std::result::Result<u32, Problem> {
        let place = |problem: Problem| {
            let problem = problem.at_column(TARGET);
            match &model.target.span {
                Some(span) => problem.at(span.clone()),
                None => problem,
            }
        };
        let Some(horizon) = program.horizon(target) else {
            return Err(place(
                Problem::new("the target is known at its own close: there is nothing to forecast")
                    .help("a target looks ahead: forward_return(21), or forward_return(21) > 0"),
            ));
        };
        if program.kind(target) == Kind::Condition && model.learner != Learner::Logistic {
            let name = model.learner_name();
            return Err(place(
                Problem::new(format!(
                    "learner \"{name}\" forecasts a number, and this target is yes or no"
                ))
                .help("learner = \"logistic\" forecasts the chance of yes"),
            ));
        }
        match model.purge {
            Some(purge) if purge < horizon => Err(Problem::new(format!(
                "a purge of {purge} bars is shorter than the {horizon} bars that the target looks ahead: the last rows of a fit would know its future"
            ))
            .at_column("model.purge")
            .help(format!("purge = {horizon} or more, or leave it out"))),
            _ => Ok(horizon),
        }
    }
}
