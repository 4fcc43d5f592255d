//! Indicators against TA-Lib's numbers, against plain formulas, and against their own promises:
//! warm-up, gaps, no look into the future.

mod golden;

use papertape::indicators::{Indicator, Inputs, find};

/// Columns of one symbol.
#[derive(Debug, Clone, Default)]
struct Tape {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

impl Tape {
    fn inputs(&self) -> Inputs<'_> {
        self.inputs_of(&self.close)
    }

    fn inputs_of<'a>(&'a self, x: &'a [f64]) -> Inputs<'a> {
        Inputs {
            x,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
            periods_a_year: 252.0,
        }
    }
}

fn row(name: &str) -> &'static Indicator {
    find(name).unwrap_or_else(|| panic!("no indicator {name}"))
}

fn run(name: &str, tape: &Tape, args: &[f64]) -> Vec<f64> {
    row(name).run(&tape.inputs(), args)
}

fn run_on(name: &str, x: &[f64], args: &[f64]) -> Vec<f64> {
    let tape = Tape {
        close: x.to_vec(),
        ..Tape::default()
    };
    row(name).run(&tape.inputs_of(x), args)
}
