//! Returns of one column summed up ahead, and what they are in excess of the risk-free rate, so that a
//! stretch in which the equity is a multiple of the column costs the same however long it is.

/// What a stretch of session returns adds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Added {
    pub(crate) sum: f64,
    pub(crate) squares: f64,
    /// Of the returns less the risk-free return.
    pub(crate) excess: f64,
    pub(crate) excess_squares: f64,
    /// Sum of min(x, 0)^2 over the excess returns x.
    pub(crate) downside: f64,
}

impl Added {
    /// One return.
    #[inline(always)]
    pub(crate) fn one(r: f64, rate: f64) -> Self {
        let excess = r - rate;
        let fall = if excess < 0.0 { excess } else { 0.0 };
        Added {
            sum: r,
            squares: r * r,
            excess,
            excess_squares: excess * excess,
            downside: fall * fall,
        }
    }

    /// With what another stretch adds.
    #[inline(always)]
    pub(crate) fn and(self, other: Added) -> Self {
        Added {
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            excess: self.excess + other.excess,
            excess_squares: self.excess_squares + other.excess_squares,
            downside: self.downside + other.downside,
        }
    }

    fn less(self, other: Added) -> Self {
        Added {
            sum: self.sum - other.sum,
            squares: self.squares - other.squares,
            excess: self.excess - other.excess,
            excess_squares: self.excess_squares - other.excess_squares,
            downside: self.downside - other.downside,
        }
    }

    fn terms(self) -> [f64; 5] {
        [
            self.sum,
            self.squares,
            self.excess,
            self.excess_squares,
            self.downside,
        ]
    }
}

/// Running sums of the returns of one column.
pub(crate) struct Ahead {
    sums: Vec<Added>,
}

impl Ahead {
    /// Of a column with a positive value a session, and the risk-free return of each (empty: none).
    /// What rounding loses is carried along, as in the kernel's tables of prices.
    pub(crate) fn new(column: &[f64], rate: &[f64]) -> Self {
        let mut exact = [(0.0_f64, 0.0_f64); 5];
        let mut before = column.first().copied().unwrap_or(1.0);
        let sums = column.iter().enumerate().map(|(session, &value)| {
            let rate = rate.get(session).copied().unwrap_or(0.0);
            let added = Added::one(value / before - 1.0, rate);
            before = value;
            for ((sum, lost), term) in exact.iter_mut().zip(added.terms()) {
                let next = *sum + term;
                *lost += if sum.abs() >= term.abs() {
                    (*sum - next) + term
                } else {
                    (term - next) + *sum
                };
                *sum = next;
            }
            let [sum, squares, excess, excess_squares, downside] =
                exact.map(|(sum, lost)| sum + lost);
            Added {
                sum,
                squares,
                excess,
                excess_squares,
                downside,
            }
        });
        Ahead {
            sums: sums.collect(),
        }
    }

    /// The returns that lead from session `from` to session `to`.
    #[inline]
    pub(crate) fn between(&self, from: usize, to: usize) -> Added {
        self.sums[to].less(self.sums[from])
    }
}
