//! The deflated Sharpe ratio: is the best of many trials better than luck makes the best of so many
//! that are worth nothing?
//!
//! Only the number of trials and the spread of their Sharpe ratios enter, so that they are counted
//! one by one and nothing is kept of them. Returns of the trials are left to `second_pass.rs`.

use crate::metrics::{Absent, Value, normal_quantile, probabilistic_sharpe};

/// Euler's constant, the mean of the standard Gumbel law.
const EULER: f64 = 0.577_215_664_901_532_9;

/// Fewest returns that are judged: third and fourth moments of fewer say nothing.
const RETURNS_MIN: usize = 20;

/// Sharpe ratios of trials, counted one by one: their number, mean and spread.
///
/// A ratio is that of one period (a session), not of a year: an annual one over sqrt(P). A trial
/// without trades, or whose ratio is no number, counts with 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sharpes {
    count: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Sharpes {
    /// Counts one trial. The order matters to the last bits only.
    ///
    /// Source: Welford (1962), Note on a Method for Calculating Corrected Sums of Squares and
    /// Products, Technometrics 4(3).
    pub fn push(&mut self, sharpe_per_period: f64) {
        let sharpe = match sharpe_per_period.is_finite() {
            true => sharpe_per_period,
            false => 0.0,
        };
        self.count += 1;
        let away = sharpe - self.mean;
        self.mean += away / self.count as f64;
        self.squares += away * (sharpe - self.mean);
    }

    /// Counts the trials of another sweep too.
    ///
    /// Source: Chan, Golub & LeVeque (1983), Algorithms for Computing the Sample Variance, The
    /// American Statistician 37(3).
    pub fn merge(&mut self, other: &Sharpes) {
        let (a, b) = (self.count as f64, other.count as f64);
        if other.count == 0 {
            return;
        }
        let away = other.mean - self.mean;
        self.count += other.count;
        self.mean += away * b / (a + b);
        self.squares += other.squares + away * away * a * b / (a + b);
    }

    /// The same trials with every ratio times `scale`: of a session from those of a year.
    #[must_use]
    pub fn scaled(&self, scale: f64) -> Sharpes {
        Sharpes {
            count: self.count,
            mean: self.mean * scale,
            squares: self.squares * scale * scale,
        }
    }

    /// Trials of which only number, mean and sum of squared deviations are known.
    pub fn of_sums(count: u64, mean: f64, squares: f64) -> Sharpes {
        Sharpes {
            count,
            mean,
            squares,
        }
    }

    /// Sum of squared deviations from the mean.
    pub fn squares(&self) -> f64 {
        self.squares
    }

    /// Number of trials.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean of the ratios; 0 of none.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation of the ratios, divisor n - 1; 0 of fewer than two.
    pub fn deviation(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        (self.squares / (self.count as f64 - 1.0)).sqrt()
    }

    /// What the best of so many trials is expected to show when none is worth anything:
    /// s ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), s the standard deviation of the ratios, z the
    /// normal quantile, g Euler's constant. 0 for fewer than two trials.
    ///
    /// Source: Bailey & Lopez de Prado (2014), The Deflated Sharpe Ratio, Journal of Portfolio
    /// Management 40(5).
    pub fn expected_maximum(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let n = self.count as f64;
        let upper = |tail: f64| -normal_quantile(tail);
        let e = std::f64::consts::E;
        self.deviation() * ((1.0 - EULER) * upper(1.0 / n) + EULER * upper(1.0 / (n * e)))
    }
}

impl FromIterator<f64> for Sharpes {
    fn from_iter<I: IntoIterator<Item = f64>>(ratios: I) -> Self {
        let mut sharpes = Sharpes::default();
        ratios.into_iter().for_each(|ratio| sharpes.push(ratio));
        sharpes
    }
}

/// Probability that the true Sharpe ratio of the best trial, with these `excess` returns, is above
/// what luck alone gives the best of all `trials`: the probabilistic Sharpe ratio against
/// [`Sharpes::expected_maximum`]. 1 less it is how often a ratio this high comes up by luck.
///
/// Trials are taken as independent, which they are not: many that resemble each other are fewer
/// tries, and the figure errs to the careful side. So it does where some trials have an edge and
/// others have none, since their spread counts as luck. Source: Bailey & Lopez de Prado
/// (2014).
///
/// # Errors
/// The reason why there is none: fewer than 20 returns, or returns that do not vary.
pub fn deflated_sharpe(excess: &[f64], trials: &Sharpes) -> Value<f64> {
    if excess.len() < RETURNS_MIN {
        return Err(Absent::new(format!(
            "{} returns, at least {RETURNS_MIN} needed",
            excess.len()
        )));
    }
    probabilistic_sharpe(excess, trials.expected_maximum())
}
