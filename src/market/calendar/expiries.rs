//! When options expire and when they trade for the last time.
//!
//! Everything follows from the exchange's schedule, so it is known beforehand.

use super::{Calendar, day_before};
use crate::instrument::{Convention, SettlementTime};
use chrono::{NaiveDate, Weekday};

/// The third Friday of a month; `None` for a month that does not exist.
pub fn third_friday(year: i32, month: u32) -> Option<NaiveDate> {
    NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Fri, 3)
}

impl Calendar {
    /// The day on which the month's standard options expire: the third Friday, or the session before
    /// it when the exchange is shut (Good Friday, Juneteenth 2026).
    ///
    /// ```
    /// use papertape::market::Calendar;
    /// let day = Calendar::Nyse.monthly_expiration(2014, 4).unwrap();
    /// assert_eq!(day.to_string(), "2014-04-17");
    /// ```
    pub fn monthly_expiration(self, year: i32, month: u32) -> Option<NaiveDate> {
        Some(self.on_or_before(third_friday(year, month)?))
    }

    /// The day on which the weekly options of a Friday expire: itself or the session before.
    pub fn weekly_expiration(self, friday: NaiveDate) -> NaiveDate {
        self.on_or_before(friday)
    }

    /// Whether the standard options of a month expire on that date.
    pub fn is_monthly_expiration(self, date: NaiveDate) -> bool {
        use chrono::Datelike;
        self.monthly_expiration(date.year(), date.month()) == Some(date)
    }

    /// The last day on which a contract of that expiration trades: the session before when the
    /// opening prices settle it, else the expiration itself.
    pub fn last_trade(self, expiration: NaiveDate, convention: Convention) -> NaiveDate {
        match convention.time {
            SettlementTime::Am => self.prev_scheduled_session(expiration),
            SettlementTime::Pm => self.on_or_before(expiration),
        }
    }

    fn on_or_before(self, date: NaiveDate) -> NaiveDate {
        let mut day = date;
        // Closures last days, not weeks; a calendar without sessions is left after that.
        for _ in 0..14 {
            if self.is_scheduled_session(day) {
                return day;
            }
            day = day_before(day);
        }
        date
    }
}
