//! Calls: how many arguments, of which kind and range, and the nodes that a function becomes.

use super::check::{Compiler, Scope, is_word};
use super::functions::{self, Builds, Function, Takes};
use super::future;
use super::names;
use super::parse::{Syntax, Tree};
use super::plan::{Arithmetic, Call, ExprId, Kind, Op, Unary};
use crate::error::Problem;
use crate::indicators::{self, Arg, ArgKind, Indicator};
use std::ops::Range;

/// Most arguments of a call; further ones are an error before they are read.
const ARGS_MAX: usize = 64;

/// How an indicator is written, with its arguments.
///
/// ```
/// let rsi = papertape::indicators::find("rsi").map(papertape::rules::signature);
/// assert_eq!(rsi.as_deref(), Some("rsi(x, n)"));
/// ```
pub fn signature(row: &Indicator) -> String {
    let series = row.takes_series.then_some("x");
    let args = series
        .into_iter()
        .chain(row.args.iter().map(|arg| arg.name));
    format!("{}({})", row.name, args.collect::<Vec<_>>().join(", "))
}

/// The node of a call.
pub(super) fn call<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    name: &Range<usize>,
    args: &[Tree],
    span: &Range<usize>,
) -> Option<ExprId> {
    if args.len() > ARGS_MAX {
        let problem = Problem::new(format!("a call has at most {ARGS_MAX} arguments"));
        compiler.report(&scope.request, problem.at(span.clone()));
        return None;
    }
    let written = scope.at(name);
    if let Some(row) = functions::find(written) {
        return function(compiler, scope, row, args, span);
    }
    if let Some(row) = indicators::find(written) {
        return indicator(compiler, scope, row, args, span);
    }
    names::unknown_function(compiler, scope, name);
    // Mistakes inside the arguments are worth showing too.
    for arg in args {
        compiler.lower(scope, arg);
    }
    None
}

/// Reports a wrong number of arguments.
fn report_count<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    signature: &str,
    takes_series: bool,
    args: &[Tree],
    span: &Range<usize>,
) {
    let given = match args.len() {
        0 => "no arguments".to_string(),
        1 => "1 argument".to_string(),
        n => format!("{n} arguments"),
    };
    let problem = Problem::new(format!("expected `{signature}`, found {given}")).at(span.clone());
    let problem = if takes_series {
        problem.help("`x` may be left out and is then the close")
    } else {
        problem
    };
    compiler.report(&scope.request, problem);
    for arg in args {
        compiler.lower(scope, arg);
    }
}

/// The leading series of a call: as given, or the close.
fn series<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    given: Option<&Tree>,
    who: &str,
) -> Option<ExprId> {
    let Some(tree) = given else {
        return Some(compiler.close(scope.frame));
    };
    let id = compiler.number(scope, tree, &format!("`x` of {who} needs a number"))?;
    if let Syntax::Name(name) = &tree.syntax {
        names::refuse_hiding(compiler, scope, name, who)?;
    }
    compiler.column(scope, id, &tree.span, who)
}

/// The node of an indicator's call.
fn indicator<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    row: &'static Indicator,
    args: &[Tree],
    span: &Range<usize>,
) -> Option<ExprId> {
    let who = format!("`{}`", row.name);
    let leading = usize::from(row.takes_series && args.len() > row.args.len());
    if args.len() != row.args.len() + leading {
        let written = signature(row);
        report_count(compiler, scope, &written, row.takes_series, args, span);
        return None;
    }
    let x = match row.takes_series {
        true => series(compiler, scope, args.first().filter(|_| leading == 1), &who).map(Some),
        false => Some(None),
    };
    let mut values = Vec::with_capacity(row.args.len());
    for (arg, tree) in row.args.iter().zip(&args[leading..]) {
        values.push(argument(compiler, scope, row, arg, tree));
    }
    let values: Vec<f64> = values.into_iter().collect::<Option<_>>()?;
    let x = x?;
    if let Some(why) = (row.check)(&values) {
        let problem = Problem::new(format!("{who}: {why}")).at(span.clone());
        compiler.report(&scope.request, problem);
        return None;
    }
    if row.needs_volume && !compiler.vocabulary.has_volume {
        let problem = Problem::new(format!("{who} needs volume, which the data does not have"));
        compiler.report(&scope.request, problem.at(span.clone()));
        return None;
    }
    Some(add_indicator(compiler, scope.frame, row, x, values))
}

fn add_indicator(
    compiler: &mut Compiler<'_>,
    frame: u8,
    row: &'static Indicator,
    x: Option<ExprId>,
    args: Vec<f64>,
) -> ExprId {
    let calls = &mut compiler.plan.calls;
    let same = |c: &Call| c.row.name == row.name && c.args == args;
    let place = calls.iter().position(same).unwrap_or_else(|| {
        calls.push(Call { row, args });
        calls.len() - 1
    });
    compiler.plan.add(Op::Indicator(place as u32, x), frame)
}

/// One constant of an indicator, in its range.
fn argument<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    row: &Indicator,
    arg: &Arg,
    tree: &Tree,
) -> Option<f64> {
    let who = format!("`{}` of `{}`", arg.name, row.name);
    let value = constant(compiler, scope, tree, &who, &signature(row))?;
    let fits = match arg.kind {
        ArgKind::Whole { min, max } => {
            value.fract() == 0.0 && (f64::from(min)..=f64::from(max)).contains(&value)
        }
        ArgKind::Real { min, max } => (min..=max).contains(&value),
    };
    if fits {
        return Some(value);
    }
    let needs = match arg.kind {
        ArgKind::Whole { min, max } => format!("a whole number from {min} to {max}"),
        ArgKind::Real { min, max } if max >= f64::MAX => format!("a number of at least {min}"),
        ArgKind::Real { min, max } => format!("a number from {min} to {max}"),
    };
    report_range(
        compiler,
        scope,
        tree,
        &format!("{who} must be {needs}"),
        value,
    );
    None
}

fn report_range(
    compiler: &mut Compiler<'_>,
    scope: Scope<'_>,
    tree: &Tree,
    must: &str,
    value: f64,
) {
    let problem = Problem::new(must)
        .at(tree.span.clone())
        .label(format!("this is {value}"));
    compiler.report(&scope.request, problem);
}

/// A constant argument. A column in its place is most often the series of a call whose constant
/// was forgotten.
fn constant<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    tree: &Tree,
    who: &str,
    signature: &str,
) -> Option<f64> {
    let value = compiler.constant(scope, tree, who);
    let last = compiler.problems.last_mut().filter(|_| value.is_none());
    if let Some(problem) = last.filter(|p| p.message.ends_with("must be a constant")) {
        problem.help = Some(format!(
            "it is written `{signature}`; a constant is a number or made of names from [params]"
        ));
    }
    value
}

/// An argument of a function, read.
enum Read {
    Node(ExprId),
    Whole(u32),
    Real(f64),
}

/// The node of a function's call.
fn function<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    row: &'static Function,
    args: &[Tree],
    span: &Range<usize>,
) -> Option<ExprId> {
    if is_word(row.builds) && args.is_empty() {
        let name = span.start..span.start + row.name.len();
        return names::reading(compiler, scope, row.builds, &name);
    }
    let leaves_out = row.takes.first() == Some(&Takes::Series);
    let many = row.takes == [Takes::Numbers];
    let implied = leaves_out && args.len() + 1 == row.takes.len();
    if many && args.len() < 2 || !many && !implied && args.len() != row.takes.len() {
        report_count(compiler, scope, row.signature, leaves_out, args, span);
        return None;
    }
    let mut read = Vec::with_capacity(args.len() + 1);
    if implied {
        read.push(Some(Read::Node(compiler.close(scope.frame))));
    }
    for (place, tree) in args.iter().enumerate() {
        let takes = if many {
            Takes::Number
        } else {
            row.takes[place + usize::from(implied)]
        };
        read.push(read_argument(compiler, scope, row, takes, tree));
    }
    let read: Vec<Read> = read.into_iter().collect::<Option<_>>()?;
    if has_history(row.builds) {
        for (place, tree) in args.iter().enumerate() {
            if let Some(Read::Node(id)) = read.get(place + usize::from(implied)) {
                compiler.column(scope, *id, &tree.span, &format!("`{}`", row.name))?;
            }
        }
    }
    build(compiler, scope, row, &read, args, span)
}

/// Whether a function reads other bars or symbols than the one it stands on.
fn has_history(builds: Builds) -> bool {
    matches!(
        builds,
        Builds::CrossesAbove
            | Builds::CrossesBelow
            | Builds::Rising
            | Builds::Falling
            | Builds::BarsSince
            | Builds::Count
            | Builds::Rank
            | Builds::ZRank
    )
}

fn read_argument<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    row: &Function,
    takes: Takes,
    tree: &Tree,
) -> Option<Read> {
    let name = row.name;
    match takes {
        Takes::Series => series(compiler, scope, Some(tree), &format!("`{name}`")).map(Read::Node),
        Takes::Number | Takes::Numbers => {
            let needs = format!("`{name}` needs numbers");
            compiler.number(scope, tree, &needs).map(Read::Node)
        }
        Takes::Condition => {
            let needs = format!("`{name}` needs a condition first: `{}`", row.signature);
            compiler.condition(scope, tree, &needs).map(Read::Node)
        }
        Takes::Either => compiler.lower(scope, tree).map(Read::Node),
        Takes::Constant => {
            let who = format!("the argument of `{name}`");
            constant(compiler, scope, tree, &who, row.signature).map(Read::Real)
        }
        Takes::Bars => {
            let who = format!("`n` of `{name}`");
            let value = constant(compiler, scope, tree, &who, row.signature)?;
            let max = f64::from(BARS_MAX);
            if value.fract() == 0.0 && (1.0..=max).contains(&value) {
                return Some(Read::Whole(value as u32));
            }
            let must = format!("{who} must be a whole number from 1 to {BARS_MAX}");
            report_range(compiler, scope, tree, &must, value);
            None
        }
    }
}

/// The longest window, as for indicators.
const BARS_MAX: u32 = 100_000;

/// The nodes that a function stands for.
fn build<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    row: &Function,
    read: &[Read],
    args: &[Tree],
    span: &Range<usize>,
) -> Option<ExprId> {
    let frame = scope.frame;
    let op = match (row.builds, read) {
        (Builds::Abs, [Read::Node(a)]) => Op::Unary(Unary::Abs, *a),
        (Builds::Log, [Read::Node(a)]) => Op::Unary(Unary::Log, *a),
        (Builds::Exp, [Read::Node(a)]) => Op::Unary(Unary::Exp, *a),
        (Builds::Sqrt, [Read::Node(a)]) => Op::Unary(Unary::Sqrt, *a),
        (Builds::Min, [Read::Node(first), rest @ ..]) => {
            return Some(fold(compiler, frame, Arithmetic::Min, *first, rest));
        }
        (Builds::Max, [Read::Node(first), rest @ ..]) => {
            return Some(fold(compiler, frame, Arithmetic::Max, *first, rest));
        }
        (Builds::If, [Read::Node(c), Read::Node(a), Read::Node(b)]) => {
            return choose(compiler, scope, [*c, *a, *b], args);
        }
        (Builds::CrossesAbove, [Read::Node(a), Read::Node(b)]) => {
            return Some(crossing(compiler, frame, Op::Greater(*a, *b)));
        }
        (Builds::CrossesBelow, [Read::Node(a), Read::Node(b)]) => {
            return Some(crossing(compiler, frame, Op::Greater(*b, *a)));
        }
        (Builds::Rising, [Read::Node(x), Read::Whole(n)]) => {
            let before = compiler.plan.add(Op::Lag(*x, 1), frame);
            let up = compiler.plan.add(Op::Greater(*x, before), frame);
            Op::AllOfLast(up, *n)
        }
        (Builds::Falling, [Read::Node(x), Read::Whole(n)]) => {
            let before = compiler.plan.add(Op::Lag(*x, 1), frame);
            let down = compiler.plan.add(Op::Greater(before, *x), frame);
            Op::AllOfLast(down, *n)
        }
        (Builds::BarsSince, [Read::Node(c)]) => Op::BarsSince(*c),
        (Builds::Count, [Read::Node(c), Read::Whole(n)]) => Op::CountOfLast(*c, *n),
        (Builds::Rank | Builds::ZRank, _) if frame != 0 => {
            let name = row.name;
            let problem = Problem::new(format!("`{name}` compares symbols at a bar of the data"))
                .at(span.clone())
                .help(format!("put the coarser bar inside: `{name}(x @ \"1w\")`"));
            compiler.report(&scope.request, problem);
            return None;
        }
        (Builds::Rank, [Read::Node(x)]) => Op::Rank(*x),
        (Builds::ZRank, [Read::Node(x)]) => Op::ZRank(*x),
        (Builds::IvRank, [Read::Whole(n)]) => return iv_rank(compiler, scope, *n, span),
        (Builds::Random, [Read::Real(seed)]) => Op::Random((seed + 0.0).to_bits()),
        (Builds::ForwardReturn, [Read::Whole(n)]) => {
            future::may_stand(compiler, scope, span)?;
            Op::Forward(*n)
        }
        // Every row's arguments were read as it says; nothing else is left.
        _ => return None,
    };
    Some(compiler.plan.add(op, frame))
}

/// `min` and `max` of many.
fn fold(
    compiler: &mut Compiler<'_>,
    frame: u8,
    f: Arithmetic,
    first: ExprId,
    rest: &[Read],
) -> ExprId {
    rest.iter().fold(first, |so_far, next| match next {
        Read::Node(id) => compiler.plan.add(Op::Arithmetic(f, so_far, *id), frame),
        _ => so_far,
    })
}

/// Holds now, and was known not to hold one bar ago.
fn crossing(compiler: &mut Compiler<'_>, frame: u8, beyond: Op) -> ExprId {
    let now = compiler.plan.add(beyond, frame);
    let not = compiler.plan.add(Op::Not(now), frame);
    let before = compiler.plan.add(Op::Lag(not, 1), frame);
    compiler.plan.add(Op::And(before, now), frame)
}

/// `if(c, a, b)`.
fn choose<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    [c, a, b]: [ExprId; 3],
    args: &[Tree],
) -> Option<ExprId> {
    let (kind, other) = (compiler.plan.node(a).kind, compiler.plan.node(b).kind);
    if kind != other {
        let is = match other {
            Kind::Number => "this is a number, the other a condition",
            _ => "this is a condition, the other a number",
        };
        let problem = Problem::new("both choices of `if` must be numbers or both conditions")
            .at(args[2].span.clone())
            .label(is);
        compiler.report(&scope.request, problem);
        return None;
    }
    Some(compiler.plan.add(Op::Choose(c, a, b), scope.frame))
}

/// Where the implied volatility stands between its lowest and highest of `n` bars.
fn iv_rank<'a>(
    compiler: &mut Compiler<'a>,
    scope: Scope<'a>,
    n: u32,
    span: &Range<usize>,
) -> Option<ExprId> {
    let frame = scope.frame;
    let has = |name: &&str| compiler.vocabulary.columns.iter().any(|c| c == name);
    let Some(name) = ["iv", "implied_vol"].into_iter().find(has) else {
        let problem = Problem::new("`iv_rank` needs a column `iv` or `implied_vol`")
            .at(span.clone())
            .help("the data has neither");
        compiler.report(&scope.request, problem);
        return None;
    };
    let source = names::column(compiler, name)?;
    let iv = compiler.plan.add(Op::Column(source), frame);
    let (lowest, highest) = (indicators::find("lowest")?, indicators::find("highest")?);
    let low = add_indicator(compiler, frame, lowest, Some(iv), vec![f64::from(n)]);
    let high = add_indicator(compiler, frame, highest, Some(iv), vec![f64::from(n)]);
    let mut minus = |a, b| {
        compiler
            .plan
            .add(Op::Arithmetic(Arithmetic::Subtract, a, b), frame)
    };
    let (above, range) = (minus(iv, low), minus(high, low));
    let op = Op::Arithmetic(Arithmetic::Divide, above, range);
    Some(compiler.plan.add(op, frame))
}
