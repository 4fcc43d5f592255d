//! Coarser bars: what they hold, when they are known, and what becomes of actions inside them.

use papertape::market::{
    Action, ActionKind, Bars, Calendar, Interval, Market, date_of, midnight, resample, show_time,
};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;

const MINUTE: Micros = 60_000_000;

fn day(text: &str) -> Micros {
    midnight(text.parse().unwrap())
}

fn nyse(from: &str, to: &str) -> Vec<Micros> {
    let (mut t, end) = (day(from), day(to));
    let mut days = Vec::new();
    while t <= end {
        if Calendar::Nyse.is_session(date_of(t)) {
            days.push(t);
        }
        t += DAY_MICROS;
    }
    days
}

/// Bars whose prices count up: bar i opens at 100 + i, ranges one up and down, closes half above.
fn counting(time: Vec<Micros>) -> Bars {
    let n = time.len();
    let at = |offset: f64| {
        (0..n)
            .map(|i| 100.0 + i as f64 + offset)
            .collect::<Vec<f64>>()
    };
    let volume = (0..n).map(|i| i as f64).collect();
    Bars::new(time, at(0.0), at(1.0), at(-1.0), at(0.5), Some(volume)).unwrap()
}

#[test]
fn a_week_is_its_days() {
    let bars = counting(nyse("2013-05-20", "2013-06-04"))
        .with_extra("iv", (0..11).map(f64::from).collect())
        .unwrap();
    assert_eq!(bars.len(), 11);
    let weekly = resample(&bars, Interval::Day, Interval::Week, Calendar::Nyse).unwrap();
    // Memorial Day was Monday 2013-05-27; the week of June 3 is not over and does not exist.
    let labels: Vec<String> = weekly.bars.time.iter().map(|t| show_time(*t)).collect();
    assert_eq!(labels, ["2013-05-20", "2013-05-28"]);
    assert_eq!(*weekly.bars.open, vec![100.0, 105.0]);
    assert_eq!(*weekly.bars.high, vec![105.0, 109.0]);
    assert_eq!(*weekly.bars.low, vec![99.0, 104.0]);
    assert_eq!(*weekly.bars.close, vec![104.5, 108.5]);
    assert_eq!(**weekly.bars.volume.as_ref().unwrap(), vec![10.0, 26.0]);
    assert_eq!(**weekly.bars.column("iv").unwrap(), vec![4.0, 8.0]);
    assert_eq!(weekly.completed_at, vec![4, 8]);
}

#[test]
fn without_a_calendar_a_week_is_known_a_bar_later() {
    let bars = counting(nyse("2013-05-20", "2013-06-04"));
    let weekly = resample(&bars, Interval::Day, Interval::Week, Calendar::None).unwrap();
    assert_eq!(weekly.completed_at, vec![5, 9]);
    assert_eq!(
        *weekly.bars.close,
        vec![104.5, 108.5],
        "the bar that tells is not part of it"
    );
}

#[test]
fn an_unplanned_closure_delays_the_week() {
    let bars = counting(nyse("2001-09-04", "2001-09-18"));
    let weekly = resample(&bars, Interval::Day, Interval::Week, Calendar::Nyse).unwrap();
    let labels: Vec<String> = weekly.bars.time.iter().map(|t| show_time(*t)).collect();
    assert_eq!(labels, ["2001-09-04", "2001-09-10"]);
    assert_eq!(weekly.completed_at, vec![3, 5], "known on Monday the 17th");
}

#[test]
fn minutes_become_hours_and_days() {
    let time: Vec<Micros> = nyse("2013-11-26", "2013-12-02")
        .iter()
        .flat_map(|d| (570..960).map(move |m| d + m * MINUTE))
        .collect();
    let bars = counting(time);
    let hourly = resample(
        &bars,
        Interval::Minutes(1),
        Interval::Minutes(60),
        Calendar::Nyse,
    )
    .unwrap();
    assert_eq!(show_time(hourly.bars.time[0]), "2013-11-26 09:30:00");
    assert_eq!(show_time(hourly.bars.time[1]), "2013-11-26 10:00:00");
    assert_eq!(hourly.completed_at[0], 29, "the bar of 9:59 ends the hour");
    assert_eq!(hourly.bars.len(), 7 * 4);
    let daily = resample(&bars, Interval::Minutes(1), Interval::Day, Calendar::Nyse).unwrap();
    assert_eq!(show_time(daily.bars.time[0]), "2013-11-26");
    // The first day shows the hours and is known with the second; from then on by 15:59.
    assert_eq!(daily.completed_at[..2], [390, 779]);
    assert_eq!(daily.bars.open[1], 490.0);
}

#[test]
fn finer_than_the_data_is_an_error() {
    let bars = counting(nyse("2013-05-20", "2013-06-04"));
    let error = resample(&bars, Interval::Day, Interval::Minutes(5), Calendar::Nyse).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("bars of 5m can't be made from bars of 1d"),
        "{error}"
    );
    let same = resample(&bars, Interval::Day, Interval::Day, Calendar::Nyse).unwrap();
    assert_eq!(same.completed_at, (0..11).collect::<Vec<u32>>());
}

fn action(date: &str, kind: ActionKind, value: f64) -> Action {
    Action {
        time: day(date),
        symbol: "A".into(),
        kind,
        value,
        pay: None,
        declared: None,
    }
}

#[test]
fn a_market_is_cut_at_the_same_moments_for_all() {
    let a = nyse("2013-05-20", "2013-06-07");
    let mut b = a.clone();
    b.retain(|t| *t != day("2013-05-20") && *t < day("2013-06-03"));
    let market =
        Market::from_tapes(vec![("A".into(), counting(a)), ("B".into(), counting(b))]).unwrap();
    assert_eq!(
        (market.calendar, market.interval),
        (Calendar::Nyse, Interval::Day)
    );
    let weekly = market.resampled(Interval::Week).unwrap();
    assert_eq!(weekly.interval, Interval::Week);
    assert_eq!(
        weekly.clock.len(),
        3,
        "the week of 20 May is one moment though B began on the 21st"
    );
    assert_eq!(weekly.tapes[1].bars.time[..], weekly.clock[..2]);
    assert!(market.resampled(Interval::Minutes(5)).is_err());
    let short = Market::from_tapes(vec![(
        "A".into(),
        counting(nyse("2013-05-21", "2013-05-22")),
    )])
    .unwrap();
    assert!(short.resampled(Interval::Month).is_err());
}

#[test]
fn a_split_inside_a_week_moves_to_its_start_with_the_prices() {
    // As traded at 100, and at 50 from Wednesday on.
    let time = nyse("2013-05-13", "2013-06-07");
    let close: Vec<f64> = time
        .iter()
        .map(|t| if *t < day("2013-05-22") { 100.0 } else { 50.0 })
        .collect();
    let bars = Bars::new(
        time,
        close.clone(),
        close.clone(),
        close.clone(),
        close,
        Some(vec![10.0; 19]),
    )
    .unwrap();
    let market = Market::from_tapes(vec![("A".into(), bars)])
        .unwrap()
        .with_actions(vec![
            action("2013-05-21", ActionKind::Dividend, 1.0),
            action("2013-05-22", ActionKind::Split, 2.0),
            action("2013-05-23", ActionKind::Dividend, 0.5),
            action("2013-05-28", ActionKind::Dividend, 0.25),
            action("2013-06-20", ActionKind::Dividend, 0.125),
        ]);
    let weekly = market.resampled(Interval::Week).unwrap();
    let bars = &weekly.tapes[0].bars;
    assert_eq!(
        *bars.open,
        vec![100.0, 50.0, 50.0, 50.0],
        "no week mixes two prices"
    );
    assert_eq!(*bars.high, vec![100.0, 50.0, 50.0, 50.0]);
    assert_eq!(
        **bars.volume.as_ref().unwrap(),
        vec![50.0, 70.0, 40.0, 50.0]
    );
    let moved: Vec<(String, f64)> = weekly
        .actions
        .iter()
        .map(|a| (show_time(a.time), a.value))
        .collect();
    assert_eq!(
        moved,
        [
            ("2013-05-20".to_owned(), 2.0),
            // Tuesday's dividend on old shares and Thursday's on new ones, both due a week later.
            ("2013-05-28".to_owned(), 0.5),
            ("2013-05-28".to_owned(), 0.5),
            // Ex on the first session of its week: stays.
            ("2013-05-28".to_owned(), 0.25),
            ("2013-06-20".to_owned(), 0.125),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Nothing is lost or invented: volume adds up, the first open and the last close stay.
    #[test]
    fn resampling_keeps_what_there_was(
        steps in prop::collection::vec(prop_oneof![8 => Just(30_i64), 1 => 1_i64..3000], 2..400),
        start in 0_i64..20_000,
        to in prop_oneof![Just(Interval::Minutes(60)), Just(Interval::Minutes(7)), Just(Interval::Day), Just(Interval::Week), Just(Interval::Month)],
    ) {
        let mut at = start * DAY_MICROS;
        let time: Vec<Micros> = steps.iter().map(|s| { at += s * MINUTE; at }).collect();
        let bars = counting(time);
        let from = Interval::Minutes(if to == Interval::Minutes(7) { 1 } else { 30 });
        for calendar in [Calendar::Nyse, Calendar::Weekdays, Calendar::AllDays, Calendar::None] {
            let coarse = resample(&bars, from, to, calendar).unwrap();
            let coarse_bars = coarse.bars.clone().checked().unwrap();
            if coarse_bars.is_empty() {
                continue;
            }
            prop_assert!(coarse.completed_at.windows(2).all(|w| w[0] <= w[1]));
            // Fine bar i has volume i and closes at 100.5 + i.
            let last = (coarse_bars.close[coarse_bars.len() - 1] - 100.5) as usize;
            let sum: f64 = coarse_bars.volume.as_ref().unwrap().iter().sum();
            prop_assert_eq!(sum, (last * (last + 1) / 2) as f64);
            prop_assert_eq!(coarse_bars.open[0], 100.0);
            prop_assert_eq!(coarse_bars.low[0], 99.0);
            prop_assert_eq!(coarse_bars.high[coarse_bars.len() - 1], 101.0 + last as f64);
            prop_assert!(last <= coarse.completed_at[coarse_bars.len() - 1] as usize);
        }
    }

    /// A tape that ends earlier has the same coarse bars, as many as were complete by then.
    #[test]
    fn coarse_bars_see_no_future(
        steps in prop::collection::vec(prop_oneof![8 => Just(30_i64), 1 => 1_i64..3000], 2..200),
        cut in 0.0_f64..1.0,
    ) {
        let mut at = 15_000 * DAY_MICROS;
        let time: Vec<Micros> = steps.iter().map(|s| { at += s * MINUTE; at }).collect();
        let cut = 1 + (cut * (time.len() - 1) as f64) as usize;
        let bars = counting(time);
        for calendar in [Calendar::Nyse, Calendar::Weekdays, Calendar::None] {
            for to in [Interval::Minutes(120), Interval::Day, Interval::Week] {
                let whole = resample(&bars, Interval::Minutes(30), to, calendar).unwrap();
                let part = resample(&bars.slice(0..cut), Interval::Minutes(30), to, calendar).unwrap();
                let known = whole.completed_at.partition_point(|&i| (i as usize) < cut);
                prop_assert_eq!(part.completed_at, whole.completed_at[..known].to_vec());
                prop_assert_eq!(part.bars.close.to_vec(), whole.bars.close[..known].to_vec());
                prop_assert_eq!(part.bars.time.to_vec(), whole.bars.time[..known].to_vec());
            }
        }
    }
}
