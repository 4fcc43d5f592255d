//! Columns of one symbol, checked when made: sorted time, finite and positive prices.
//!
//! Whether the bars are *plausible* (high below low, jumps, gaps) is the audit's question, because
//! real files have such rows and a run on them must stay possible.

use crate::error::{Error, Problem, Result};
use crate::units::{DAY_MICROS, Micros};
use std::ops::Range;
use std::sync::Arc;

/// A column of numbers, shared when several columns are the same (closes-only files).
pub type Column = Arc<Vec<f64>>;

/// The bars of one symbol, one element a bar in every column.
///
/// Invariants, checked by [`Bars::new`]: all columns have the length of `time`; `time` is strictly
/// increasing; open, high, low and close are finite and positive.
#[derive(Debug, Clone)]
pub struct Bars {
    /// Moments at which the bars stand (their start for intraday bars, midnight for daily ones).
    pub time: Arc<Vec<Micros>>,
    /// First price.
    pub open: Column,
    /// Highest price.
    pub high: Column,
    /// Lowest price.
    pub low: Column,
    /// Last price.
    pub close: Column,
    /// Shares traded, `None` when the file has no such column. A missing cell is NaN.
    pub volume: Option<Column>,
    /// Further numeric columns by lower-case name; a missing cell is NaN.
    pub extra: Vec<(String, Column)>,
    /// The file had closes only, so open, high and low are the close.
    pub closes_only: bool,
}

impl Bars {
    /// Bars of five columns of one length: `time` strictly increasing, prices finite and positive.
    ///
    /// # Errors
    /// Names the first bar (counted from 1, and its time) that breaks an invariant.
    ///
    /// ```
    /// use papertape::market::Bars;
    /// let day = papertape::units::DAY_MICROS;
    /// let bars = Bars::new(vec![0, day], vec![1.0, 2.0], vec![2.0; 2], vec![1.0; 2], vec![1.5; 2], None)?;
    /// assert_eq!(bars.len(), 2);
    /// assert!(Bars::of_closes(vec![day, 0], vec![1.0, 2.0]).is_err());
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn new(
        time: Vec<Micros>,
        open: Vec<f64>,
        high: Vec<f64>,
        low: Vec<f64>,
        close: Vec<f64>,
        volume: Option<Vec<f64>>,
    ) -> Result<Bars> {
        Bars {
            time: Arc::new(time),
            open: Arc::new(open),
            high: Arc::new(high),
            low: Arc::new(low),
            close: Arc::new(close),
            volume: volume.map(Arc::new),
            extra: Vec::new(),
            closes_only: false,
        }
        .checked()
    }

    /// Bars that are known by their close alone: open, high and low share its column.
    ///
    /// # Errors
    /// As [`Bars::new`].
    pub fn of_closes(time: Vec<Micros>, close: Vec<f64>) -> Result<Bars> {
        Bars::of_shared_closes(Arc::new(time), Arc::new(close)).checked()
    }

    /// Unchecked: closes on a clock that other symbols share.
    pub(crate) fn of_shared_closes(time: Arc<Vec<Micros>>, close: Column) -> Bars {
        Bars {
            time,
            open: close.clone(),
            high: close.clone(),
            low: close.clone(),
            close,
            volume: None,
            extra: Vec::new(),
            closes_only: true,
        }
    }

    /// Adds a further column under a lower-case name; a column of that name is replaced.
    ///
    /// # Errors
    /// If its length is not that of `time`.
    pub fn with_extra(mut self, name: &str, column: Vec<f64>) -> Result<Bars> {
        let name = name.to_lowercase();
        self.extra.retain(|(known, _)| *known != name);
        self.extra.push((name, Arc::new(column)));
        self.check_lengths()?;
        Ok(self)
    }

    /// Itself if every invariant holds; for bars put together field by field.
    ///
    /// # Errors
    /// As [`Bars::new`].
    pub fn checked(self) -> Result<Bars> {
        self.check_lengths()?;
        if let Some(i) = first_not_increasing(&self.time) {
            return Err(Error::new(
                Problem::new(format!(
                    "bar {} at {} does not come after the bar before it at {}",
                    i + 1,
                    show_time(self.time[i]),
                    show_time(self.time[i - 1])
                ))
                .help("sort the bars by time and keep one of each moment"),
            ));
        }
        for (name, column) in self.prices() {
            if let Some(i) = column.iter().position(|&x| !is_price(x)) {
                return Err(Error::new(
                    Problem::new(format!(
                        "bar {} at {}: {} is not a price",
                        i + 1,
                        show_time(self.time[i]),
                        column[i]
                    ))
                    .at_column(name)
                    .help("prices are finite and above 0"),
                ));
            }
        }
        Ok(self)
    }

    fn check_lengths(&self) -> Result<()> {
        let n = self.time.len();
        let volume = self.volume.iter().map(|column| ("volume", column));
        let extra = self
            .extra
            .iter()
            .map(|(name, column)| (name.as_str(), column));
        for (name, column) in self.prices().into_iter().chain(volume).chain(extra) {
            if column.len() != n {
                return Err(Error::new(
                    Problem::new(format!("{} values for {n} bars", column.len())).at_column(name),
                ));
            }
        }
        Ok(())
    }

    /// The four price columns; one when open, high and low are the close.
    fn prices(&self) -> Vec<(&'static str, &Column)> {
        let all = [
            ("close", &self.close),
            ("open", &self.open),
            ("high", &self.high),
            ("low", &self.low),
        ];
        let shared = |column: &Column| Arc::ptr_eq(column, &self.close);
        all.into_iter()
            .enumerate()
            .filter(|(i, (_, column))| *i == 0 || !shared(column))
            .map(|(_, named)| named)
            .collect()
    }

    /// How many bars.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// No bar at all.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// A column by its lower-case name: `open high low close volume` or a further one.
    pub fn column(&self, name: &str) -> Option<&Column> {
        match name {
            "open" => Some(&self.open),
            "high" => Some(&self.high),
            "low" => Some(&self.low),
            "close" => Some(&self.close),
            "volume" => self.volume.as_ref(),
            _ => self
                .extra
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, column)| column),
        }
    }

    /// The bars of an index range, copied; the range is cut to what there is.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Bars {
        let end = range.end.min(self.len());
        let range = range.start.min(end)..end;
        let cut = |column: &Column| Arc::new(column[range.clone()].to_vec());
        let time = Arc::new(self.time[range.clone()].to_vec());
        let close = cut(&self.close);
        let price = |column: &Column| {
            if Arc::ptr_eq(column, &self.close) {
                close.clone()
            } else {
                cut(column)
            }
        };
        Bars {
            time,
            open: price(&self.open),
            high: price(&self.high),
            low: price(&self.low),
            volume: self.volume.as_ref().map(cut),
            extra: self
                .extra
                .iter()
                .map(|(name, column)| (name.clone(), cut(column)))
                .collect(),
            closes_only: self.closes_only,
            close,
        }
    }
}

/// Finite and above zero. Both tests are always made, so that a loop of them runs in vectors.
pub(crate) fn is_price(x: f64) -> bool {
    (x > 0.0) & (x < f64::INFINITY)
}

/// Index of the first moment that does not come after the one before it.
pub(crate) fn first_not_increasing(time: &[Micros]) -> Option<usize> {
    time.windows(2).position(|w| w[1] <= w[0]).map(|i| i + 1)
}

/// `2020-01-02` at midnight, else `2020-01-02 09:30:00`, with a fraction of a second only when
/// there is one.
pub fn show_time(time: Micros) -> String {
    let days = time.div_euclid(DAY_MICROS);
    let rest = time.rem_euclid(DAY_MICROS);
    // Days since 0001-01-01, which chrono counts from 1; 1970-01-01 is day 719,163.
    let date = i32::try_from(days + 719_163)
        .ok()
        .and_then(chrono::NaiveDate::from_num_days_from_ce_opt);
    let Some(date) = date else {
        return format!("{time} microseconds since 1970");
    };
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (seconds, micros) {
        (0, 0) => date.to_string(),
        (_, 0) => format!("{date} {h:02}:{m:02}:{s:02}"),
        _ => format!("{date} {h:02}:{m:02}:{s:02}.{micros:06}"),
    }
}
