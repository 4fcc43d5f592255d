//! Where each dollar came from: streams by month and symbol that add up to the change of equity.

use crate::portfolio::{IncomeRow, Position, Stream};

const STREAMS: usize = Stream::ALL.len();

/// Running sums of every stream, this month's by symbol and the whole run's.
#[derive(Debug, Clone)]
pub struct Income {
    /// Market index of each slot.
    symbols: Vec<usize>,
    /// This month's sums; row 0 is cash, row `s + 1` is slot `s`.
    month: Vec<[f64; STREAMS]>,
    /// Unrealized gain of each slot at the end of last month.
    unrealized_before: Vec<f64>,
    /// Sum of all streams since the start, unrealized left out.
    total: f64,
    start_equity: f64,
    /// Largest difference at any bar between equity and the sum of the streams.
    pub worst_error: f64,
    /// Finished months.
    pub rows: Vec<IncomeRow>,
}

impl Income {
    /// Sums for slots of `symbols`, starting from `start_equity`.
    pub fn new(symbols: Vec<usize>, start_equity: f64) -> Self {
        let slots = symbols.len();
        Income {
            symbols,
            month: vec![[0.0; STREAMS]; slots + 1],
            unrealized_before: vec![0.0; slots],
            total: 0.0,
            start_equity,
            worst_error: 0.0,
            rows: Vec::new(),
        }
    }

    /// Adds `amount` to a stream of a slot (`None`: of cash).
    pub fn add(&mut self, slot: Option<usize>, stream: Stream, amount: f64) {
        self.month[slot.map_or(0, |s| s + 1)][stream as usize] += amount;
        self.total += amount;
    }

    /// Compares the streams with the equity of a bar.
    pub fn check(
        &mut self,
        equity: f64,
        positions: &[Position],
        held: &[usize],
        marks: &[f64],
        options: f64,
    ) {
        let unrealized: f64 = held
            .iter()
            .map(|&s| positions[s].shares * marks[s] - positions[s].reference_cost)
            .sum();
        let error = equity - self.start_equity - self.total - unrealized - options;
        self.worst_error = self.worst_error.max(error.abs());
    }

    /// Ends a month: its sums become rows. `options` is what the value of each slot's options
    /// changed by in it.
    pub fn end_month(
        &mut self,
        month: &str,
        positions: &[Position],
        marks: &[f64],
        options: &[(usize, f64)],
    ) {
        for &(slot, change) in options {
            self.month[slot + 1][Stream::OptionValue as usize] += change;
        }
        for (slot, before) in self.unrealized_before.iter_mut().enumerate() {
            let position = &positions[slot];
            let now = position.shares * marks[slot] - position.reference_cost;
            self.month[slot + 1][Stream::Unrealized as usize] = now - *before;
            *before = now;
        }
        for (row, sums) in self.month.iter_mut().enumerate() {
            let symbol = row.checked_sub(1).map(|slot| self.symbols[slot]);
            for stream in Stream::ALL {
                let amount = sums[stream as usize];
                if amount != 0.0 {
                    self.rows.push(IncomeRow {
                        month: month.to_string(),
                        symbol,
                        stream,
                        amount,
                    });
                }
            }
            *sums = [0.0; STREAMS];
        }
    }
}
