//! Syntax to a typed plan: what names mean, which kinds fit, how many arguments of what range.
//!
//! Every mistake is reported at its bytes and the check goes on beside it. Nothing here reads a
//! bar; [`super::eval`] does.

use super::calls;
use super::family::{self, Cutter};
use super::functions::{self, Builds};
use super::names;
use super::parse::{Binary, Syntax, Tree, parse};
use super::plan::{Arithmetic, Base, ExprId, Kind, Op, Plan, Source, Unary};
use super::{Request, Vocabulary};
use crate::error::Problem;
use crate::market::Interval;
use std::ops::Range;

/// Problems of one expression that are worth reading at once.
const PROBLEMS_MAX: usize = 10;
/// Deepest nesting of expressions through the series they name.
const DEPTH_MAX: usize = 500;
/// Different bar sizes after `@` in one program.
const INTERVALS_MAX: usize = 100;

/// The text that is read, and what may stand in it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) request: Request<'a>,
    /// Bars that the expression runs on; 0 is the tape's own.
    pub(super) frame: u8,
    /// Place in [`Compiler::traces`] of the record of this text.
    trace: usize,
    /// Nesting within this text, for the record.
    depth: usize,
}

impl<'a> Scope<'a> {
    /// The text at these bytes.
    pub(super) fn at(&self, span: &Range<usize>) -> &'a str {
        &self.request.text[span.clone()]
    }
}

/// The record of a text: its sub-expressions in reading order.
pub(super) struct Trace {
    pub(super) text: String,
    pub(super) steps: Vec<TraceStep>,
}

/// A sub-expression as written.
pub(super) struct TraceStep {
    pub(super) span: Range<usize>,
    pub(super) id: Option<ExprId>,
    pub(super) depth: usize,
    /// The record of the series that it names.
    pub(super) expands: Option<usize>,
}

/// How far a series is, on the bars of one frame.
#[derive(Clone, Copy)]
enum Progress {
    Unseen,
    Busy,
    Done(Option<ExprId>, usize),
}

/// Reads expressions into one plan.
pub(super) struct Compiler<'a> {
    pub(super) plan: Plan,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) params: &'a [(String, f64)],
    pub(super) series: &'a [Request<'a>],
    pub(super) traces: Vec<Trace>,
    pub(super) problems: Vec<Problem>,
    /// Cuts off the parts that points of a sweep share; `None` compiles everything.
    pub(super) cutter: Option<Cutter<'a>>,
    trees: Vec<Option<Tree>>,
    /// By frame, then by series.
    progress: Vec<Vec<Progress>>,
    /// Series that are being read, outermost first.
    busy: Vec<usize>,
    depth: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        params: &'a [(String, f64)],
        series: &'a [Request<'a>],
        vocabulary: &'a Vocabulary,
    ) -> Self {
        let mut compiler = Compiler {
            plan: Plan::for_sessions_of(vocabulary.bars_a_session),
            vocabulary,
            params,
            series,
            traces: Vec::new(),
            problems: Vec::new(),
            cutter: None,
            trees: Vec::new(),
            progress: Vec::new(),
            busy: Vec::new(),
            depth: 0,
        };
        names::check_declared(&mut compiler);
        for request in series {
            let tree = compiler.parse(request);
            compiler.trees.push(tree);
        }
        compiler
    }

    /// Takes a problem of `scope`'s text, whose span counts from the start of that text.
    pub(super) fn report(&mut self, request: &Request<'_>, mut problem: Problem) {
        problem.span = match (problem.span, request.offset) {
            (Some(span), Some(offset)) => Some(span.start + offset..span.end + offset),
            _ => None,
        };
        problem.column = Some(request.key.to_string());
        let of_key = |p: &&Problem| p.column == problem.column;
        let reported = self.problems.iter().rev().filter(of_key);
        if reported.take(PROBLEMS_MAX).count() < PROBLEMS_MAX && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Whether enough problems of this text were reported.
    pub(super) fn is_full(&self, request: &Request<'_>) -> bool {
        let of_key = |p: &&Problem| p.column.as_deref() == Some(request.key);
        self.problems.iter().rev().filter(of_key).count() >= PROBLEMS_MAX
    }

    /// The syntax of a text; `None` when it has mistakes that make types meaningless.
    fn parse(&mut self, request: &Request<'_>) -> Option<Tree> {
        let mut problems = Vec::new();
        let tree = parse(request.text, &self.vocabulary.symbols, &mut problems);
        for problem in problems.into_iter().take(PROBLEMS_MAX) {
            self.report(request, problem);
        }
        (!matches!(tree.syntax, Syntax::Broken)).then_some(tree)
    }

    /// An expression that is wanted, with its record.
    pub(super) fn wanted(&mut self, request: &Request<'a>) -> Option<(ExprId, usize)> {
        let tree = self.parse(request)?;
        self.read(request, &tree, 0)
    }

    fn read(&mut self, request: &Request<'a>, tree: &Tree, frame: u8) -> Option<(ExprId, usize)> {
        self.traces.push(Trace {
            text: request.text.to_string(),
            steps: Vec::new(),
        });
        let trace = self.traces.len() - 1;
        let scope = Scope {
            request: *request,
            frame,
            trace,
            depth: 0,
        };
        let id = self.lower(scope, tree)?;
        let kind = self.plan.node(id).kind;
        if request.expects != Kind::Any && request.expects != kind {
            let (needs, is) = match kind {
                Kind::Number => ("a condition (yes or no)", "a number"),
                _ => ("a number", "a condition (yes or no)"),
            };
            let problem = Problem::new(format!("`{}` needs {needs}, this is {is}", request.key))
                .at(tree.span.clone())
                .label(format!("this is {is}"));
            let problem = match kind {
                Kind::Number => problem.help("compare it with something: `rsi(14) < 30`"),
                _ => problem.help("a number is for example `2.5 * atr(14)`"),
            };
            self.report(request, problem);
            return None;
        }
        Some((id, trace))
    }

    /// The node of a series on the bars of `frame`, and its record.
    pub(super) fn series(&mut self, place: usize, frame: u8) -> Option<(ExprId, usize)> {
        let frames = usize::from(frame) + 1;
        while self.progress.len() < frames {
            self.progress
                .push(vec![Progress::Unseen; self.series.len()]);
        }
        match self.progress[usize::from(frame)][place] {
            Progress::Done(id, trace) => return id.map(|id| (id, trace)),
            Progress::Busy => {
                self.report_cycle(place);
                return None;
            }
            Progress::Unseen => {}
        }
        self.progress[usize::from(frame)][place] = Progress::Busy;
        self.busy.push(place);
        let request = self.series[place];
        let tree = self.trees[place].take();
        let read = tree
            .as_ref()
            .and_then(|tree| self.read(&request, tree, frame));
        self.trees[place] = tree;
        self.busy.pop();
        let done = Progress::Done(read.map(|r| r.0), read.map_or(0, |r| r.1));
        self.progress[usize::from(frame)][place] = done;
        read
    }

    fn report_cycle(&mut self, place: usize) {
        let from = self.busy.iter().position(|p| *p == place).unwrap_or(0);
        let round = self.busy[from..].iter().chain([&place]);
        let names: Vec<&str> = round
            .map(|p| names::of_series(self.series[*p].key))
            .collect();
        let problem = Problem::new(format!(
            "series go round in a circle: {}",
            names.join(" → ")
        ))
        .at(0..self.series[place].text.len())
        .help("`x[1]` of a series looks back, but no series can be made of itself");
        self.report(&self.series[place], problem);
    }

    /// The syntax of a series, while nobody reads it.
    pub(super) fn tree_of(&self, place: usize) -> Option<&Tree> {
        self.trees[place].as_ref()
    }

    /// The node of a part of a text, on the tape's own bars.
    pub(super) fn part(&mut self, request: &Request<'a>, tree: &Tree) -> Option<ExprId> {
        self.traces.push(Trace {
            text: String::new(),
            steps: Vec::new(),
        });
        let scope = Scope {
            request: *request,
            frame: 0,
            trace: self.traces.len() - 1,
            depth: 0,
        };
        self.lower(scope, tree)
    }

    /// The node of a tree; `None` after a mistake was reported.
    pub(super) fn lower(&mut self, scope: Scope<'a>, tree: &Tree) -> Option<ExprId> {
        if self.depth >= DEPTH_MAX {
            let problem = Problem::new(format!("series nest more than {DEPTH_MAX} levels deep"));
            self.report(&scope.request, problem.at(tree.span.clone()));
            return None;
        }
        if let Syntax::Number(value) = tree.syntax {
            return Some(self.plan.number(value));
        }
        if scope.frame == 0
            && self.cutter.is_some()
            && let Some(id) = family::cut(self, &scope.request, tree)
        {
            return Some(id);
        }
        let steps = &mut self.traces[scope.trace].steps;
        let step = steps.len();
        steps.push(TraceStep {
            span: tree.span.clone(),
            id: None,
            depth: scope.depth,
            expands: None,
        });
        self.depth += 1;
        let below = Scope {
            depth: scope.depth + 1,
            ..scope
        };
        let (id, expands) = self.lower_step(below, tree);
        self.depth -= 1;
        let step = &mut self.traces[scope.trace].steps[step];
        step.id = id;
        step.expands = expands;
        id
    }

    /// The node, and the record of the series that the tree names.
    fn lower_step(&mut self, scope: Scope<'a>, tree: &Tree) -> (Option<ExprId>, Option<usize>) {
        let id = match &tree.syntax {
            Syntax::Number(value) => Some(self.plan.number(*value)),
            Syntax::Name(name) => return names::resolve(self, scope, name),
            Syntax::Foreign { symbol, column } => names::foreign(self, scope, symbol, column),
            Syntax::Minus(inner) => self
                .number(scope, inner, "`-` needs a number")
                .map(|a| self.plan.add(Op::Unary(Unary::Negate, a), scope.frame)),
            Syntax::Not(inner) => self
                .condition(scope, inner, "`not` needs a condition")
                .map(|a| self.plan.add(Op::Not(a), scope.frame)),
            Syntax::Binary(operator, a, b) => self.binary(scope, *operator, a, b),
            Syntax::Call { name, args } => calls::call(self, scope, name, args, &tree.span),
            Syntax::Lag { base, by } => self.lag(scope, base, by),
            Syntax::Coarse { base, interval } => self.coarse(scope, base, interval),
            Syntax::Broken => None,
        };
        (id, None)
    }

    fn binary(&mut self, scope: Scope<'a>, operator: Binary, a: &Tree, b: &Tree) -> Option<ExprId> {
        let frame = scope.frame;
        let sign = operator.sign();
        if matches!(operator, Binary::And | Binary::Or) {
            let needs = format!("`{sign}` needs a condition on each side");
            let (a, b) = (
                self.condition(scope, a, &needs),
                self.condition(scope, b, &needs),
            );
            let op = match operator {
                Binary::And => Op::And(a?, b?),
                _ => Op::Or(a?, b?),
            };
            return Some(self.plan.add(op, frame));
        }
        let needs = format!("`{sign}` needs a number on each side");
        let (a, b) = (self.number(scope, a, &needs), self.number(scope, b, &needs));
        let (a, b) = (a?, b?);
        let arithmetic = |f| Op::Arithmetic(f, a, b);
        // `<=` is "not >", exactly: where a side is absent, neither holds.
        let (op, negated) = match operator {
            Binary::Add => (arithmetic(Arithmetic::Add), false),
            Binary::Subtract => (arithmetic(Arithmetic::Subtract), false),
            Binary::Multiply => (arithmetic(Arithmetic::Multiply), false),
            Binary::Divide => (arithmetic(Arithmetic::Divide), false),
            Binary::Less => (Op::Greater(b, a), false),
            Binary::LessEqual => (Op::Greater(a, b), true),
            Binary::Greater => (Op::Greater(a, b), false),
            Binary::GreaterEqual => (Op::Greater(b, a), true),
            Binary::NotEqual => (Op::Equal(a, b), true),
            _ => (Op::Equal(a, b), false),
        };
        let id = self.plan.add(op, frame);
        Some(if negated {
            self.plan.add(Op::Not(id), frame)
        } else {
            id
        })
    }

    /// A number; `needs` is the message when it is a condition.
    pub(super) fn number(&mut self, scope: Scope<'a>, tree: &Tree, needs: &str) -> Option<ExprId> {
        let id = self.lower(scope, tree)?;
        if self.plan.node(id).kind == Kind::Number {
            return Some(id);
        }
        let problem = Problem::new(needs)
            .at(tree.span.clone())
            .label("this is a condition (yes or no)")
            .help("`if(condition, 1, 0)` makes a number of a condition");
        self.report(&scope.request, problem);
        None
    }

    /// A condition; `needs` is the message when it is a number.
    pub(super) fn condition(
        &mut self,
        scope: Scope<'a>,
        tree: &Tree,
        needs: &str,
    ) -> Option<ExprId> {
        let id = self.lower(scope, tree)?;
        if self.plan.node(id).kind == Kind::Condition {
            return Some(id);
        }
        let problem = Problem::new(needs)
            .at(tree.span.clone())
            .label("this is a number")
            .help(format!(
                "compare it with something: `{} > 0`",
                scope.at(&tree.span)
            ));
        self.report(&scope.request, problem);
        None
    }

    /// `id` if it has a history: not so what reads the open position.
    pub(super) fn column(
        &mut self,
        scope: Scope<'a>,
        id: ExprId,
        span: &Range<usize>,
        who: &str,
    ) -> Option<ExprId> {
        if !self.plan.node(id).position {
            return Some(id);
        }
        let problem = Problem::new(format!(
            "{who} looks at other bars, but the position is known only at the bar that decides"
        ))
        .at(span.clone())
        .label("this reads the open position")
        .help("compare it directly: `bars_held >= 5`");
        self.report(&scope.request, problem);
        None
    }

    /// A constant number: a literal, params, and arithmetic of these.
    pub(super) fn constant(&mut self, scope: Scope<'a>, tree: &Tree, who: &str) -> Option<f64> {
        if let Some(cutter) = &mut self.cutter {
            cutter.in_constant += 1;
        }
        let id = self.number(scope, tree, &format!("{who} must be a number"));
        if let Some(cutter) = &mut self.cutter {
            cutter.in_constant -= 1;
        }
        let id = id?;
        match self.plan.constant(id) {
            Some(value) if value.is_finite() => Some(value),
            Some(_) => {
                let problem = Problem::new(format!("{who} has no value"));
                self.report(&scope.request, problem.at(tree.span.clone()));
                None
            }
            None => {
                let problem = Problem::new(format!("{who} must be a constant"))
                    .at(tree.span.clone())
                    .label("this changes from bar to bar")
                    .help("a constant is a number or made of names from [params]");
                self.report(&scope.request, problem);
                None
            }
        }
    }

    /// `base[by]`.
    fn lag(&mut self, scope: Scope<'a>, base: &Tree, by: &Tree) -> Option<ExprId> {
        let id = self.lower(scope, base);
        let by_value = self.constant(scope, by, "n in `x[n]`");
        if let Syntax::Name(name) = &base.syntax {
            names::refuse_hiding(self, scope, name, "`[n]`")?;
        }
        let (id, lag) = (id?, by_value?);
        let problem = if lag < 0.0 {
            Problem::new("an expression cannot look ahead")
                .help("`x[n]` is x n bars ago, n = 0, 1, 2, …")
        } else if lag.fract() != 0.0 || lag > f64::from(u32::MAX) {
            Problem::new("n in `x[n]` must be a whole number of bars")
                .label(format!("this is {lag}"))
        } else {
            let id = self.column(scope, id, &base.span, "`[n]`")?;
            return Some(self.plan.add(Op::Lag(id, lag as u32), scope.frame));
        };
        self.report(&scope.request, problem.at(by.span.clone()));
        None
    }

    /// `base @ "interval"`.
    fn coarse(&mut self, scope: Scope<'a>, base: &Tree, interval: &Range<usize>) -> Option<ExprId> {
        let frame = self.frame_of(scope, interval);
        let inner = match frame {
            Some(frame) => self.lower(Scope { frame, ..scope }, base),
            None => {
                self.lower(scope, base);
                None
            }
        };
        let (frame, inner) = (frame?, inner?);
        let inner = self.column(scope, inner, &base.span, "`@`")?;
        if frame == scope.frame {
            return Some(inner);
        }
        Some(self.plan.add(Op::Coarse(inner, frame), 0))
    }

    /// The frame of a bar size; the current one when the data has that size.
    fn frame_of(&mut self, scope: Scope<'a>, span: &Range<usize>) -> Option<u8> {
        let written = scope.at(span);
        let own = self.vocabulary.interval;
        let fits = |coarse: Interval| match (coarse, own) {
            (Interval::Minutes(coarse), Interval::Minutes(own)) => coarse % own.max(1) == 0,
            _ => coarse >= own,
        };
        let problem = match Interval::parse(written) {
            None => Problem::new(format!("unknown bar size `{written}`"))
                .help("a bar size is a number with m or h, or 1d, 1w, 1mo"),
            Some(_) if scope.frame != 0 => Problem::new("one `@` stands inside another")
                .help("a coarser bar is made of the bars of the data, not of other coarse bars"),
            Some(coarse) if coarse == own => return Some(0),
            Some(coarse) if !fits(coarse) => Problem::new(format!(
                "bars of {written} cannot be made of the data's bars of {}",
                own.name()
            ))
            .help("`@` takes a coarser bar"),
            Some(coarse) => {
                let intervals = &mut self.plan.intervals;
                let known = intervals.iter().position(|i| *i == coarse);
                let place = known.unwrap_or(intervals.len());
                if place < INTERVALS_MAX {
                    if known.is_none() {
                        intervals.push(coarse);
                    }
                    return Some(place as u8 + 1);
                }
                Problem::new(format!("more than {INTERVALS_MAX} different bar sizes"))
            }
        };
        self.report(&scope.request, problem.at(span.clone()));
        None
    }

    /// The close, which a call that leaves `x` out means.
    pub(super) fn close(&mut self, frame: u8) -> ExprId {
        self.plan.add(Op::Column(Source::Seen(Base::Close)), frame)
    }
}

/// Whether a word has a meaning of its own, so that no param or series may take it.
pub(super) fn is_reserved(word: &str) -> bool {
    matches!(word, "and" | "or" | "not" | "true" | "false")
        || functions::find(word).is_some()
        || crate::indicators::find(word).is_some()
}

/// Whether a row is a word without parentheses.
pub(super) fn is_word(builds: Builds) -> bool {
    matches!(builds, Builds::Clock(_) | Builds::Position(_))
}
