//! SERIES -> YES, NO OR A NUMBER: the expression language of strategy files.
//!
//! Text becomes tokens (`lex`), tokens a syntax tree (`parse`), and the tree a typed plan in which
//! every distinct sub-expression is one node (`check`, `names`, `calls`, `plan`). A [`Program`] is
//! such a plan for all expressions of a strategy. Evaluated against a market it gives [`Columns`]
//! a symbol: numbers a bar (NaN is "no value") and conditions as a [`Mask`] in three-valued logic
//! (`eval`), on columns as they look from the deciding close (`seen`), across symbols (`cross`) and
//! with the open position (`position`). What rules decide with them is left to the strategy.
//!
//! ```
//! use papertape::market::{Bars, Market};
//! use papertape::rules::{EvalOptions, Kind, Program, Request, Vocabulary};
//!
//! let day = papertape::units::DAY_MICROS;
//! let bars = Bars::of_closes((0..4).map(|d| d * day).collect(), vec![1.0, 2.0, 3.0, 2.0])?;
//! let market = Market::from_tapes(vec![("ABC".into(), bars)])?;
//! let enter = Request {
//!     key: "rules.enter",
//!     text: "close > sma(n)",
//!     offset: None,
//!     expects: Kind::Condition,
//!     position: false,
//! };
//! let params = [("n".to_string(), 2.0)];
//! let program = Program::compile(&params, &[], &[enter], &Vocabulary::of(&market))
//!     .map_err(papertape::Error::all)?;
//! let options = EvalOptions { periods_a_year: 252.0, total_return: false };
//! let columns = program.evaluate(&market, &options)?;
//! let enter = columns[0].condition(program.wanted(0));
//! assert_eq!((0..4).map(|bar| enter.get(bar)).collect::<Vec<_>>(),
//!     [None, Some(true), Some(true), Some(false)]);
//! # Ok::<(), papertape::Error>(())
//! ```

mod bits;
mod calls;
mod check;
mod constraint;
mod cross;
mod eval;
mod family;
mod functions;
mod future;
mod lex;
mod mask;
mod names;
mod packed;
mod parse;
mod plan;
mod position;
mod random;
mod seen;
mod stream;
mod spot;
mod trace;
mod written;

pub use calls::signature;
pub use constraint::Constraint;
pub use family::{Decided, Family, Parts, Values};
pub use functions::{Function, functions};
pub use future::TARGET;
pub use mask::Mask;
pub(crate) use packed::next_bar;
pub use packed::{BarSet, Cursor, Packed, Room};
pub use plan::{ExprId, Kind};
pub use position::Held;
pub(crate) use random::{draw, stream};
pub use trace::{Step, Value};

use crate::error::{Problem, Result};
use crate::market::{Interval, Market};
use check::{Compiler, Trace};
use eval::{Data, Given};
use plan::{Op, Plan, Source};
use position::Decision;

/// An expression that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The key it is the value of (`rules.enter`, `series.momentum`): names it in messages, and
    /// for a series the part after `series.` is its name in expressions.
    pub key: &'a str,
    /// The expression.
    pub text: &'a str,
    /// Byte offset of the text in the strategy file, for spans; `None` when it has none.
    pub offset: Option<usize>,
    /// What it must give.
    pub expects: Kind,
    /// Whether words of the open position (`pnl_pct`, `bars_held`) may stand in it.
    pub position: bool,
}

/// The names that the data has.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// Columns by lower-case name: `open high low close`, `volume` if there is any, and the
    /// further ones of any symbol.
    pub columns: Vec<String>,
    /// Whether any symbol has volume.
    pub has_volume: bool,
    /// Symbols, as the data writes them.
    pub symbols: Vec<String>,
    /// Size of the data's bars, which `@` must exceed.
    pub interval: Interval,
    /// Bars of the data in a session, for estimates of warm-up on coarser bars.
    pub bars_a_session: f64,
    /// The data has not been read: a name that is not known may be a column or a symbol of it, and
    /// is passed over without a word.
    pub is_open: bool,
}

impl Vocabulary {
    /// For mistakes that can be told without data: syntax, functions, arguments, kinds.
    pub fn open() -> Self {
        let columns = ["open", "high", "low", "close", "volume", "iv"];
        Vocabulary {
            columns: columns.map(str::to_string).to_vec(),
            has_volume: true,
            symbols: Vec::new(),
            interval: Interval::Minutes(1),
            bars_a_session: 1.0,
            is_open: true,
        }
    }

    /// The names of a market's data.
    pub fn of(market: &Market) -> Self {
        let tapes = &market.tapes;
        let has_volume = tapes.iter().any(|tape| tape.bars.volume.is_some());
        let base = ["open", "high", "low", "close"].into_iter();
        let base = base.chain(has_volume.then_some("volume"));
        let mut columns: Vec<String> = base.map(str::to_string).collect();
        let mut extra: Vec<&String> = tapes
            .iter()
            .flat_map(|tape| tape.bars.extra.iter().map(|(name, _)| name))
            .collect();
        extra.sort_unstable();
        extra.dedup();
        columns.extend(extra.into_iter().cloned());
        Vocabulary {
            columns,
            has_volume,
            symbols: tapes.iter().map(|tape| tape.symbol.clone()).collect(),
            interval: market.interval,
            bars_a_session: market.periods.bars_a_session,
            is_open: false,
        }
    }
}

/// What evaluation needs to know beside the market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvalOptions {
    /// Bars of the data in a year, for what is annualised.
    pub periods_a_year: f64,
    /// History is scaled by dividends too, not by splits alone.
    pub total_return: bool,
}

/// All expressions of a strategy, compiled: typed, params folded in, equal parts shared.
pub struct Program {
    plan: Plan,
    wanted: Vec<(ExprId, usize)>,
    series: Vec<(ExprId, usize)>,
    traces: Vec<Trace>,
}

impl Program {
    /// Compiles `wanted` with the names of `params` and `series` and of the data.
    ///
    /// Params become constants, so that a sweep compiles anew for each combination; that costs
    /// microseconds. Series may name each other in any order.
    ///
    /// # Errors
    /// All mistakes of all expressions at once. Spans count from the start of the strategy file
    /// for requests that have an offset; `column` is the key.
    pub fn compile(
        params: &[(String, f64)],
        series: &[Request<'_>],
        wanted: &[Request<'_>],
        vocabulary: &Vocabulary,
    ) -> std::result::Result<Program, Vec<Problem>> {
        let mut compiler = Compiler::new(params, series, vocabulary);
        let series: Vec<_> = (0..series.len()).map(|at| compiler.series(at, 0)).collect();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|request| compiler.wanted(request))
            .collect();
        let series: Option<Vec<_>> = series.into_iter().collect();
        let wanted: Option<Vec<_>> = wanted.into_iter().collect();
        match (series, wanted) {
            (Some(series), Some(wanted)) if compiler.problems.is_empty() => Ok(Program {
                plan: compiler.plan,
                wanted,
                series,
                traces: compiler.traces,
            }),
            _ => Err(compiler.problems),
        }
    }

    /// The expression of `wanted[at]`.
    pub fn wanted(&self, at: usize) -> ExprId {
        self.wanted[at].0
    }

    /// The expression of `series[at]`.
    pub fn series(&self, at: usize) -> ExprId {
        self.series[at].0
    }

    /// What an expression gives.
    pub fn kind(&self, id: ExprId) -> Kind {
        self.plan.node(id).kind
    }

    /// Whether an expression reads the open position, so that it must be asked bar by bar with
    /// [`Program::condition_at`] or [`Program::number_at`].
    pub fn needs_position(&self, id: ExprId) -> bool {
        self.plan.node(id).position
    }

    /// Whether anything reads other symbols, so that one tape alone is not enough.
    pub fn crosses_symbols(&self) -> bool {
        let all = self.wanted.iter().chain(&self.series);
        all.into_iter().any(|(id, _)| self.plan.node(*id).crosses)
    }

    /// Bars before the first value on a column without gaps: the longest chain of warm-ups and
    /// `[n]` below the expression. Coarser bars are counted as 5 sessions a week, 21 a month.
    pub fn warmup(&self, id: ExprId) -> usize {
        self.plan.node(id).warmup
    }

    /// Bars that an expression looks ahead: the longest `forward_return` in it; `None` for one that
    /// is known at its own close. Only a model's target looks ahead.
    pub fn horizon(&self, id: ExprId) -> Option<u32> {
        let ahead = |id: ExprId| match self.plan.op(id) {
            Op::Forward(n) => Some(n),
            _ => None,
        };
        self.plan
            .needed([id], |_| false)
            .into_iter()
            .filter_map(ahead)
            .max()
    }

    /// Whether an expression reads a column of the data, by its lower-case name, of its own or of
    /// another symbol. Indicators of whole bars (`atr(14)`) count as reading open, high, low and
    /// close, those of volume as reading `volume`.
    pub fn reads_column(&self, id: ExprId, name: &str) -> bool {
        let names = |source: Source| match source {
            Source::Seen(base) | Source::Traded(base) => base.name() == name,
            Source::Extra(place) => self.plan.extras[place as usize] == name,
        };
        let needed = self.plan.needed([id], |_| false);
        needed.into_iter().any(|id| match self.plan.op(id) {
            Op::Column(source) | Op::Foreign(_, source) => names(source),
            Op::Indicator(call, _) => {
                let row = self.plan.calls[call as usize].row;
                let whole_bars = matches!(name, "open" | "high" | "low" | "close");
                whole_bars && !row.takes_series || name == "volume" && row.needs_volume
            }
            _ => false,
        })
    }

    /// Whether an expression reads a column of adjusted prices (`adj_close` and the like), which
    /// knows later splits and dividends.
    pub fn uses_adj_close(&self, id: ExprId) -> bool {
        let adjusted = |name: &&String| name.starts_with("adj");
        let mut names = self.plan.extras.iter().filter(adjusted);
        names.any(|name| self.reads_column(id, name))
    }

    /// Everything that must be there as a column: the expressions, and what stands beside the
    /// spine of those that read the position.
    fn kept(&self) -> Vec<ExprId> {
        let mut kept = Vec::new();
        for (id, _) in self.wanted.iter().chain(&self.series) {
            position::beside(&self.plan, *id, &mut kept);
        }
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// The columns of every tape, each on the tape's own bars.
    ///
    /// # Errors
    /// None today; evaluation of a compiled program cannot fail.
    pub fn evaluate(&self, market: &Market, options: &EvalOptions) -> Result<Vec<Columns>> {
        let kept = self.kept();
        let given = cross::ranks(&self.plan, market, options, &kept);
        let columns = |(tape, given): (usize, Given)| {
            eval::columns(&self.plan, market, tape, options, &kept, &given)
        };
        Ok(given.into_iter().enumerate().map(columns).collect())
    }

    /// The columns of one tape. Ranks are absent here: use [`Program::evaluate`] when
    /// [`Program::crosses_symbols`].
    pub fn evaluate_one(&self, market: &Market, tape: usize, options: &EvalOptions) -> Columns {
        let given = Given::new();
        eval::columns(&self.plan, market, tape, options, &self.kept(), &given)
    }

    /// The answer of a condition at the close of `bar` of the tape that `columns` are of, with
    /// the open position; `None` when it is absent.
    pub fn condition_at(
        &self,
        columns: &Columns,
        id: ExprId,
        bar: usize,
        held: &Held,
    ) -> Option<bool> {
        self.decision(columns, bar, held).condition(id)
    }

    /// The number at the close of `bar`, with the open position; `None` when it is absent.
    pub fn number_at(&self, columns: &Columns, id: ExprId, bar: usize, held: &Held) -> Option<f64> {
        let value = self.decision(columns, bar, held).number(id);
        value.is_finite().then_some(value)
    }

    fn decision<'a>(&'a self, columns: &'a Columns, bar: usize, held: &'a Held) -> Decision<'a> {
        Decision {
            plan: &self.plan,
            columns,
            bar,
            held,
        }
    }

    /// Every sub-expression of an expression in reading order, outer before inner, with its value
    /// on `bar` of a tape; plain numbers are left out. Without `held` whatever reads the position
    /// is absent. Empty for an expression that is neither wanted nor a series.
    pub fn trace(
        &self,
        market: &Market,
        id: ExprId,
        (tape, bar): (usize, usize),
        options: &EvalOptions,
        held: Option<&Held>,
    ) -> Vec<Step> {
        let mut known = self.wanted.iter().chain(&self.series);
        let Some((_, trace)) = known.find(|(known, _)| *known == id) else {
            return Vec::new();
        };
        let spot = trace::Spot {
            market,
            tape,
            bar,
            options,
            held,
        };
        trace::steps(&self.plan, &self.traces, *trace, &spot)
    }
}

/// A tape's columns for the expressions of a program, on the tape's own bars.
#[derive(Debug, Clone)]
pub struct Columns {
    len: usize,
    slots: Vec<Option<Data>>,
}

impl Columns {
    /// Number of bars.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the tape has no bar.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A number a bar, NaN where it is absent; empty for an expression that is a condition or
    /// that must be asked with the position.
    pub fn number(&self, id: ExprId) -> &[f64] {
        match self.slots.get(id.index()) {
            Some(Some(Data::Number(column))) => &column[..self.len],
            _ => &[],
        }
    }

    /// Yes, no or absent a bar; without bars for an expression that is a number or that must be
    /// asked with the position.
    pub fn condition(&self, id: ExprId) -> &Mask {
        static NONE: Mask = Mask::none();
        match self.slots.get(id.index()) {
            Some(Some(Data::Condition(mask))) => mask,
            _ => &NONE,
        }
    }
}

/// The symbols that an expression names (`SPY` in `SPY:close`), before any data is there to say
/// which symbols exist; `None` when only the data can tell where a name begins (`BRK.B:close`,
/// `a-b:close`).
///
/// ```
/// use papertape::rules::symbols_named;
/// assert_eq!(symbols_named("close > SPY:close"), Some(vec!["SPY".to_string()]));
/// assert_eq!(symbols_named("close > BRK.B:close"), None);
/// ```
pub fn symbols_named(text: &str) -> Option<Vec<String>> {
    let mut symbols = Vec::new();
    for (colon, _) in text.match_indices(':') {
        let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
        let before = &text[..colon];
        let len: usize = before
            .chars()
            .rev()
            .take_while(is_word)
            .map(char::len_utf8)
            .sum();
        let (rest, word) = before.split_at(colon - len);
        let joined = rest.ends_with(|c: char| "-.^=/$#&".contains(c));
        if word.is_empty() || joined {
            return None;
        }
        symbols.push(word.to_string());
    }
    Some(symbols)
}
