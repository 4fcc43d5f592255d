//! The sums of a trial while it runs: what each stretch of holding or waiting adds.

use crate::engine::kernel::table::{Extremes, Sums, Table};
use crate::engine::kernel::tally::{BLOCKS, BlockSums, Moments, Tally};

/// Marks of a stretch that are valued at once: they stay in the first cache.
const CHUNK: usize = 256;
/// Running sums side by side, in a fixed order.
const LANES: usize = 8;

/// Prices of one symbol at the ends of the sessions.
#[derive(Clone, Copy)]
pub(crate) struct Marks<'a> {
    /// One price a session of the whole clock.
    pub(crate) price: &'a [f64],
    /// Their sums, when enough trials share them.
    pub(crate) table: Option<&'a Table>,
}

/// The sums of one account so far.
pub(crate) struct Running {
    /// Equity at the last session end.
    before: f64,
    start: f64,
    sum: f64,
    squares: f64,
    downside: f64,
    peak: f64,
    worst: f64,
    /// Nothing at or below zero so far.
    pub(crate) is_sound: bool,
    first: usize,
    /// Apart, since most trials have none and are moved often.
    blocks: Option<Box<Blocks>>,
}

/// Sums by block of sessions.
struct Blocks {
    length: usize,
    sums: [BlockSums; BLOCKS],
}

impl Running {
    /// An account with `cash`, whose first session is `first` of `sessions`.
    pub(crate) fn new(cash: f64, first: usize, sessions: usize, blocks: bool) -> Self {
        let length = sessions / BLOCKS;
        let empty = BlockSums {
            count: length as u32,
            ..BlockSums::default()
        };
        Running {
            before: cash,
            start: cash,
            sum: 0.0,
            squares: 0.0,
            downside: 0.0,
            peak: cash,
            worst: 1.0,
            is_sound: true,
            first,
            blocks: (blocks && length > 0).then(|| {
                Box::new(Blocks {
                    length,
                    sums: [empty; BLOCKS],
                })
            }),
        }
    }

    /// The sessions `from..to`, at whose ends `shares` are held beside `cash`.
    #[inline(always)]
    pub(crate) fn stretch(
        &mut self,
        marks: Marks<'_>,
        (from, to): (usize, usize),
        cash: f64,
        shares: f64,
    ) {
        if from >= to {
            return;
        }
        if shares == 0.0 {
            self.step(from, cash);
            return;
        }
        self.step(from, cash + shares * marks.price[from]);
        match marks.table {
            Some(table) if cash == 0.0 => {
                let all = table.extremes(marks.price, from, to);
                self.fall(&marks.price[from..to], shares, all);
                self.before = shares * marks.price[to - 1];
                self.add_between(table, from, to - 1);
            }
            _ => self.value(&marks.price[from + 1..to], from + 1, cash, shares),
        }
    }

    /// One session that ends with `equity`.
    #[inline(always)]
    fn step(&mut self, session: usize, equity: f64) {
        let r = equity / self.before - 1.0;
        self.before = equity;
        let fall = if r < 0.0 { r } else { 0.0 };
        self.add(
            session,
            Sums {
                sum: r,
                squares: r * r,
                downside: fall * fall,
            },
        );
        self.peak = if equity > self.peak {
            equity
        } else {
            self.peak
        };
        if equity < self.peak * self.worst {
            self.worst = equity / self.peak;
        }
        self.is_sound &= equity > 0.0;
    }

    #[inline]
    fn add(&mut self, session: usize, sums: Sums) {
        self.add_all(sums);
        if let Some(blocks) = &mut self.blocks {
            blocks.add(session - self.first, sums.sum, sums.squares);
        }
    }

    #[inline]
    fn add_all(&mut self, sums: Sums) {
        self.sum += sums.sum;
        self.squares += sums.squares;
        self.downside += sums.downside;
    }

    /// The returns from session `from` to session `to`, block by block.
    #[inline]
    fn add_between(&mut self, table: &Table, from: usize, to: usize) {
        let all = table.between(from, to);
        self.sum += all.sum;
        self.squares += all.squares;
        self.downside += all.downside;
        let Some(blocks) = &mut self.blocks else {
            return;
        };
        // The return of session i leads from i - 1 to i, so a block that starts at i starts there.
        let mut at = from;
        while at < to {
            let block = (at + 1 - self.first) / blocks.length;
            let end = to.min(self.first + (block + 1) * blocks.length - 1);
            let part = table.between(at, end);
            blocks.add(at + 1 - self.first, part.sum, part.squares);
            at = end;
        }
    }

    /// How far the equity fell over a stretch of prices, of which `all` are the extremes.
    #[inline]
    fn fall(&mut self, prices: &[f64], shares: f64, all: Extremes) {
        let (most, least) = (shares * all.most, shares * all.least);
        if most <= self.peak {
            if least < self.peak * self.worst {
                self.worst = least / self.peak;
            }
        } else if least >= most * self.worst {
            // No two prices of the stretch are as far apart as the worst fall so far.
            self.peak = most;
        } else {
            for &price in prices {
                let equity = shares * price;
                self.peak = if equity > self.peak {
                    equity
                } else {
                    self.peak
                };
                if equity < self.peak * self.worst {
                    self.worst = equity / self.peak;
                }
            }
        }
    }

    /// Sessions valued one by one.
    fn value(&mut self, prices: &[f64], first: usize, cash: f64, shares: f64) {
        let mut equity = [0.0; CHUNK];
        let mut returns = [0.0; CHUNK];
        for (k, prices) in prices.chunks(CHUNK).enumerate() {
            let n = prices.len();
            for (e, price) in equity[..n].iter_mut().zip(prices) {
                *e = cash + shares * price;
            }
            returns[0] = equity[0] / self.before - 1.0;
            let pairs = equity[..n].iter().zip(&equity[1..n]);
            for (r, (before, after)) in returns[1..n].iter_mut().zip(pairs) {
                *r = after / before - 1.0;
            }
            self.before = equity[n - 1];
            self.look(&equity[..n]);
            self.add_each(first + k * CHUNK, &returns[..n]);
        }
    }

    fn add_each(&mut self, first: usize, returns: &[f64]) {
        // The figures are the same bits whether or not blocks are asked for.
        self.add_all(sums_of(returns));
        let Some(blocks) = &mut self.blocks else {
            return;
        };
        let (mut at, length) = (0, blocks.length);
        while at < returns.len() {
            let session = first + at - self.first;
            let end = returns.len().min(at + length - session % length);
            let part = sums_of(&returns[at..end]);
            blocks.add(session, part.sum, part.squares);
            at = end;
        }
    }

    /// Carries peak and worst ratio through a chunk; most chunks change neither.
    fn look(&mut self, equity: &[f64]) {
        for part in equity.chunks(4 * LANES) {
            let most = part
                .iter()
                .fold(f64::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            let least = part
                .iter()
                .fold(f64::INFINITY, |a, &b| if b < a { b } else { a });
            self.is_sound &= least > 0.0;
            if most > self.peak || least < self.peak * self.worst {
                for &e in part {
                    self.peak = if e > self.peak { e } else { self.peak };
                    if e < self.peak * self.worst {
                        self.worst = e / self.peak;
                    }
                }
            }
        }
    }

    /// The sums of `sessions` sessions.
    pub(crate) fn finish(&self, sessions: usize) -> Tally {
        let n = sessions as f64;
        let mean = self.sum / n;
        let moments = Moments {
            mean,
            squares: (self.squares - n * mean * mean).max(0.0),
        };
        Tally {
            start_equity: self.start,
            end_equity: self.before,
            sessions,
            returns: moments,
            excess: moments,
            downside: self.downside,
            drawdown: self.worst - 1.0,
            blocks: match &self.blocks {
                Some(blocks) => blocks.sums.to_vec(),
                None => Vec::new(),
            },
            ..Tally::default()
        }
    }
}

impl Blocks {
    #[inline]
    fn add(&mut self, session: usize, sum: f64, squares: f64) {
        if let Some(block) = self.sums.get_mut(session / self.length) {
            block.sum += sum;
            block.squares += squares;
        }
    }
}

/// Sums of returns, lane by lane.
fn sums_of(returns: &[f64]) -> Sums {
    let mut lanes = [[0.0; LANES]; 3];
    let (chunks, rest) = returns.as_chunks::<LANES>();
    let mut add = |values: &[f64]| {
        for (i, &r) in values.iter().enumerate() {
            let fall = if r < 0.0 { r } else { 0.0 };
            lanes[0][i] += r;
            lanes[1][i] += r * r;
            lanes[2][i] += fall * fall;
        }
    };
    chunks.iter().for_each(|chunk| add(chunk));
    add(rest);
    let [sum, squares, downside] = lanes.map(|lane| lane.iter().sum());
    Sums {
        sum,
        squares,
        downside,
    }
}
