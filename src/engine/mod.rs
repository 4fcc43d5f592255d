//! THE LOOP: `backtest(market, strategy) -> Run`, the only place where time passes.

mod run;

pub use run::{Ambiguous, Run, SymbolRun};
