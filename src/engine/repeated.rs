//! One strategy prepared once and run many times, under conditions that were evaluated elsewhere.
//!
//! The loop is the engine's own; what is saved is compiling the same expressions and computing the
//! same columns for each of many runs. Who evaluates the conditions is left to `study`.

use crate::engine::prepare::Prepared;
use crate::engine::simulate::Detail;
use crate::engine::{Run, run_inputs};
use crate::error::Result;
use crate::market::Market;
use crate::rules::Mask;
use crate::strategy::Strategy;
use crate::units::BarIndex;
use std::ops::Range;

/// Conditions of one symbol by key (`rules.enter`), on its own bars.
pub type Conditions = Vec<(String, Mask)>;

/// A strategy that is ready to run.
pub struct Repeated<'m> {
    prepared: Prepared<'m>,
}

impl<'m> Repeated<'m> {
    /// Whether all that a strategy asks of its expressions are conditions, which can be given.
    pub fn can_run(strategy: &Strategy) -> bool {
        let is_rule = |key: &str| {
            matches!(
                key,
                "rules.enter" | "rules.exit" | "rules.short" | "rules.cover"
            )
        };
        strategy.portfolio_table().is_none()
            && strategy.options.is_none()
            && strategy.layers.is_empty()
            && strategy.requests().iter().all(|r| is_rule(r.key))
    }

    /// Prepares the bare runs of a strategy over a span of clock bars (`None`: all of the run).
    ///
    /// # Errors
    /// As [`crate::engine::backtest_over`].
    pub fn new(
        market: &'m Market,
        strategy: &'m Strategy,
        span: Option<Range<BarIndex>>,
    ) -> Result<Self> {
        let mut prepared = Prepared::new(market, strategy)?;
        if let Some(span) = span {
            prepared.restrict(span)?;
        }
        Ok(Repeated { prepared })
    }

    /// The bare run under the conditions of each symbol of the universe, in its order.
    ///
    /// # Errors
    /// As [`crate::engine::backtest_over`].
    pub fn run(&self, conditions: &[Conditions]) -> Result<Run> {
        let place = |tape: &usize| self.prepared.universe.iter().position(|t| t == tape);
        run_inputs(&self.prepared, &[], Detail::Bare, |tapes| {
            let given: Vec<&[(String, Mask)]> = tapes
                .iter()
                .map(|tape| place(tape).map_or(&[][..], |k| &conditions[k]))
                .collect();
            Ok(vec![self.prepared.given_input(tapes, &given)])
        })
    }
}
