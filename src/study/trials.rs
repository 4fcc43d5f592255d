//! The trials of one strategy whose params vary: the figures of each point, without its curve.
//!
//! Which points are tried, in which order and on how many threads is left to sweeps and
//! walk-forward studies; what a trial means is the engine's. A trial is a pure function of its point and
//! span, so that any number of threads gives the same figures.

use crate::engine::{Run, Tally, backtest_over};
use crate::error::Result;
use crate::market::Market;
use crate::metrics::trial::{
    SpanSessions, Trial, by_session, of_tally, sessions_of, tally_of_sessions,
};
use crate::metrics::{bare_of_run, returns_of_run};
use crate::portfolio::TradeStatus;
use crate::strategy::Strategy;
use crate::units::{BarIndex, Micros};
use std::ops::Range;
use std::sync::Arc;

/// One axis that varies a param.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamAxis {
    /// Name in `[params]`.
    pub name: String,
    /// The values that are tried.
    pub values: Vec<f64>,
}

/// How much of a trial is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Total return, CAGR, Sharpe ratio, maximum drawdown and trades, by bar as in bare runs.
    Bare,
    /// All figures of a row.
    Figures,
    /// The figures, and the sums in blocks.
    Blocks,
}

/// The trials of one strategy over one market.
pub struct Trials<'m> {
    market: &'m Market,
    strategy: Strategy,
    axes: Arc<Vec<ParamAxis>>,
    clock: Arc<Vec<Micros>>,
    span: Range<BarIndex>,
    periods: (f64, f64),
    whole: SpanSessions,
}

impl<'m> Trials<'m> {
    /// Compiles a strategy whose params vary along `axes`. A point is one index into the values of
    /// each axis, in the order of `axes`; no axis is one trial, the strategy as it stands.
    ///
    /// # Errors
    /// As [`crate::backtest`]: symbols that the market lacks, expressions that do not type, a period
    /// without bars, rate files that cannot be read.
    pub fn new(market: &'m Market, strategy: &Strategy, axes: Vec<ParamAxis>) -> Result<Self> {
        let outline = crate::engine::outline(market, strategy)?;
        let (bars_a_year, bars_a_session) = outline.periods;
        let time = &outline.clock[outline.span.clone()];
        Ok(Trials {
            market,
            strategy: strategy.clone(),
            axes: Arc::new(axes),
            whole: sessions_of(time, bars_a_year, bars_a_session),
            clock: outline.clock,
            span: outline.span,
            periods: outline.periods,
        })
    }

    /// The trials of another strategy that has the same expressions and params and differs in
    /// costs, stops, sizes, cash or dates; what both share is computed once.
    ///
    /// # Errors
    /// As [`Trials::new`].
    pub fn with(&self, strategy: &Strategy) -> Result<Trials<'m>> {
        Trials::new(self.market, strategy, self.axes.to_vec())
    }

    /// Why the trials go through the engine bar by bar, `None` when the kernel carries them.
    pub fn fallback(&self) -> Option<&str> {
        Some("the kernel is not there")
    }

    /// First and one past the last clock bar of the run.
    pub fn span(&self) -> Range<BarIndex> {
        self.span.clone()
    }

    /// Moments of the clock's bars.
    pub fn clock(&self) -> &[Micros] {
        &self.clock
    }

    /// The axes.
    pub fn axes(&self) -> &[ParamAxis] {
        &self.axes
    }

    /// The strategy of a point, with its params filled in.
    ///
    /// # Panics
    /// If `point` is not one index for each axis.
    pub fn strategy(&self, point: &[usize]) -> Strategy {
        assert_eq!(point.len(), self.axes.len(), "one index for each axis");
        let mut strategy = self.strategy.clone();
        for (axis, &at) in self.axes.iter().zip(point) {
            match strategy
                .params
                .iter_mut()
                .find(|(name, _)| *name == axis.name)
            {
                Some((_, value)) => *value = axis.values[at],
                None => strategy.params.push((axis.name.clone(), axis.values[at])),
            }
        }
        strategy
    }

    /// The figures of a point over a span of clock bars (`None`: the whole run). A span starts
    /// flat; indicators have read the bars before it.
    ///
    /// # Errors
    /// A point whose params an expression refuses (a window of 0).
    pub fn measure(
        &self,
        point: &[usize],
        span: Option<Range<BarIndex>>,
        ask: Ask,
    ) -> Result<Trial> {
        let run = self.run(point, span.clone())?;
        if ask == Ask::Bare {
            return Ok(bare(&run));
        }
        let sessions = self.sessions(span.as_ref());
        let tally = tally_of_run(&run, &sessions, ask == Ask::Blocks);
        Ok(of_tally(&tally, sessions.scale))
    }

    /// Session returns of a point over a span, net.
    ///
    /// # Errors
    /// As [`Trials::measure`].
    pub fn returns(&self, point: &[usize], span: Option<Range<BarIndex>>) -> Result<Vec<f64>> {
        let run = self.run(point, span.clone())?;
        Ok(by_session(
            returns_of_run(&run),
            &self.sessions(span.as_ref()),
        ))
    }

    fn run(&self, point: &[usize], span: Option<Range<BarIndex>>) -> Result<Run> {
        backtest_over(self.market, &self.strategy(point), span)
    }

    fn sessions(&self, span: Option<&Range<BarIndex>>) -> SpanSessions {
        match span {
            None => self.whole.clone(),
            Some(span) => sessions_of(&self.clock[span.clone()], self.periods.0, self.periods.1),
        }
    }
}

/// The five figures of a bare run.
fn bare(run: &Run) -> Trial {
    let figures = bare_of_run(run);
    let get = |key| figures.get(key).unwrap_or(f64::NAN);
    Trial {
        total_return: get("total_return"),
        cagr: get("cagr"),
        volatility: f64::NAN,
        sharpe: get("sharpe"),
        sortino: f64::NAN,
        max_drawdown: get("max_drawdown"),
        calmar: f64::NAN,
        trades: get("trades") as u32,
        entries: run.trades.len() as u32,
        win_rate: f64::NAN,
        exposure: f64::NAN,
        blocks: Vec::new(),
    }
}

/// The sums of a run that kept its equity.
fn tally_of_run(run: &Run, sessions: &SpanSessions, blocks: bool) -> Tally {
    let held = by_bar(run);
    let (held, rate) = match sessions.ends.as_slice() {
        [] => (held, run.rate.clone()),
        ends => {
            let mut start = 0;
            let any = |end: &usize| {
                let any = held[start..*end].contains(&true);
                start = *end;
                any
            };
            let held = ends.iter().map(any).collect();
            (held, by_session(run.rate.clone(), sessions))
        }
    };
    let returns = by_session(returns_of_run(run), sessions);
    let closed = || {
        run.trades
            .iter()
            .filter(|t| t.status == TradeStatus::Closed)
    };
    let tally = tally_of_sessions(&returns, &rate, &held, blocks);
    Tally {
        trades: closed().count() as u32,
        wins: closed().filter(|t| t.pnl > 0.0).count() as u32,
        entries: run.trades.len() as u32,
        ..tally
    }
}

/// Whether a position was held at each close of a run.
fn by_bar(run: &Run) -> Vec<bool> {
    let mut held = vec![false; run.equity.len()];
    for trade in &run.trades {
        let from = trade.entry_bar - run.first_bar;
        let to = match trade.status {
            TradeStatus::Closed => trade.exit_bar - run.first_bar,
            TradeStatus::Open => held.len(),
        };
        held[from..to].fill(true);
    }
    held
}
