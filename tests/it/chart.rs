//! The pictures: every edge case is drawn, no label touches another, the same input gives the
//! same bytes. The PNGs are left in the target folder to be looked at.

use chrono::{DateTime, Datelike, NaiveDate};
use papertape::report::chart::{
    Amount, CompareChart, Curve, Figure, IncomeChart, MonthReturn, NamedLine, Picture, Role,
    Series, StopLevel, Stream, SubPanel, SymbolPanel, TearSheet, TradeMark, TradesChart,
    digits_are_tabular,
};
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000_000;

/// A reproducible random walk (xorshift), one step a call, about standard normal.
struct Walk(u64);

impl Walk {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    fn prices(&mut self, bars: usize, drift: f64, volatility: f64) -> Vec<f64> {
        let mut price = 100.0;
        (0..bars)
            .map(|_| {
                price *= 1.0 + drift + volatility * self.normal();
                price
            })
            .collect()
    }
}

fn micros(year: i32, month: u32, day: u32) -> i64 {
    let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
    date.and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

fn date(t: i64) -> NaiveDate {
    DateTime::from_timestamp_micros(t).unwrap().date_naive()
}

/// Weekdays from a date on.
fn weekdays(from: i64, bars: usize) -> Vec<i64> {
    (0..)
        .map(|d| from + d * DAY)
        .filter(|t| date(*t).weekday().number_from_monday() <= 5)
        .take(bars)
        .collect()
}

fn drawdown(equity: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    equity
        .iter()
        .map(|&e| {
            peak = peak.max(e);
            if peak > 0.0 { e / peak - 1.0 } else { 0.0 }
        })
        .collect()
}

fn rolling_sharpe(equity: &[f64]) -> Vec<f64> {
    let returns: Vec<f64> = equity.windows(2).map(|w| w[1] / w[0] - 1.0).collect();
    (0..equity.len())
        .map(|i| {
            if i < 252 {
                return f64::NAN;
            }
            let window = &returns[i - 252..i];
            let mean = window.iter().sum::<f64>() / 252.0;
            let var = window.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 251.0;
            if var > 0.0 {
                mean / var.sqrt() * 252f64.sqrt()
            } else {
                f64::NAN
            }
        })
        .collect()
}

fn calendar_returns(time: &[i64], equity: &[f64]) -> (Vec<MonthReturn>, Vec<(i32, f64)>) {
    let mut last: BTreeMap<(i32, u32), f64> = BTreeMap::new();
    let mut last_year: BTreeMap<i32, f64> = BTreeMap::new();
    for (&t, &e) in time.iter().zip(equity) {
        last.insert((date(t).year(), date(t).month()), e);
        last_year.insert(date(t).year(), e);
    }
    let mut before = equity[0];
    let months = last.iter().map(|(&(year, month), &e)| {
        let value = e / before - 1.0;
        before = e;
        MonthReturn { year, month, value }
    });
    let months = months.collect();
    let mut before = equity[0];
    let years = last_year.iter().map(|(&year, &e)| {
        let value = e / before - 1.0;
        before = e;
        (year, value)
    });
    (months, years.collect())
}

fn figure(label: &str, value: &str, note: &str) -> Figure {
    Figure {
        label: label.into(),
        value: value.into(),
        note: note.into(),
    }
}

fn figures() -> Vec<Figure> {
    vec![
        figure("CAGR", "14.1%", "vs 6.0% benchmark"),
        figure("Sharpe", "1.49", "90% interval 0.92 to 2.03"),
        figure("Volatility", "9.2%", "a year, of daily returns"),
        figure("Max drawdown", "−12.5%", "vs −34.6% benchmark"),
        figure("Trades", "143", "56% won, 6.2 bars held"),
        figure("Exposure", "48%", "share of days"),
        figure("Excess over cash", "$312,400", "what the risk earned"),
        figure("Costs", "$4,120", "fees and slippage"),
    ]
}

fn series(name: &str, role: Role, value: Vec<f64>) -> Series {
    Series {
        name: name.into(),
        role,
        value,
    }
}

fn amounts(list: &[(&str, f64)]) -> Vec<Amount> {
    list.iter()
        .map(|(name, value)| Amount {
            name: (*name).into(),
            value: *value,
        })
        .collect()
}

/// A sheet about these curves.
fn sheet(time: Vec<i64>, strategy: Vec<f64>, benchmark: Vec<f64>) -> TearSheet {
    let start = 100_000.0;
    let (months, years) = calendar_returns(&time, &strategy);
    let cash = (0..time.len())
        .map(|i| start * (1.0 + 0.00008 * i as f64))
        .collect();
    let total = strategy[strategy.len() - 1] - start;
    TearSheet {
        title: "RSI 30/70 on GOOG".into(),
        subtitle: format!("{} bars, $100,000 at the start, synthetic random walk", time.len()),
        figures: figures(),
        equity_note: Some(
            "3 trades reached stop and target on one bar: settled the worst way the end would be \
             $498,120, the best way $531,877."
                .into(),
        ),
        drawdown: vec![
            series("RSI 30/70", Role::Strategy, drawdown(&strategy)),
            series("buy and hold", Role::Benchmark, drawdown(&benchmark)),
        ],
        rolling_sharpe: rolling_sharpe(&strategy),
        rolling_window: "one year".into(),
        equity: vec![
            series("RSI 30/70", Role::Strategy, strategy),
            series("Buy and hold", Role::Benchmark, benchmark),
            series("Cash", Role::Cash, cash),
        ],
        time,
        unit: "$".into(),
        months,
        years,
        income: amounts(&[
            ("Price gain, realised", total + 5_320.0 - 2_800.0),
            ("Price gain, open", 0.0),
            ("Dividends", 2_100.0),
            ("Interest", 700.0),
            ("Fees", -1_200.0),
            ("Slippage", -4_120.0),
        ]),
        income_total: total,
        assumptions: "Signals at the close, filled at the next open; slippage 5 basis points and \
                      $1 an order; cash earns 3-month bills; no tax; whole shares; 252 sessions a \
                      year, one bar a session."
            .into(),
        caveats: vec![
            "Few trades: 12 closed trades say little; a win rate of 56% could be 30% or 80%.".into(),
            "Survivors: the symbols were chosen today, those that failed are not among them; expect \
             less of the next ten years than of the last ten."
                .into(),
        ],
    }
}

fn walked(bars: usize, drift: f64, volatility: f64, seed: u64) -> TearSheet {
    let mut walk = Walk(seed);
    let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
    let strategy = money(walk.prices(bars, drift, volatility));
    let benchmark = money(walk.prices(bars, 0.0002, 0.011));
    sheet(weekdays(micros(2013, 1, 2), bars), strategy, benchmark)
}

/// Keeps the picture where it can be looked at, and checks what every picture must hold.
fn keep(name: &str, picture: &Picture) {
    let path = format!("{}/{name}.png", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(path, &picture.png).unwrap();
    let decoder = png::Decoder::new(std::io::Cursor::new(&picture.png));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(
        (info.width, info.height),
        (picture.width, picture.height),
        "{name}"
    );
    assert_eq!(info.color_type, png::ColorType::Rgb);
    assert_eq!(picture.width, 1600);
    assert!(pixels.iter().any(|p| *p < 128), "{name} is blank");
    let dims = reader.info().pixel_dims.unwrap();
    assert_eq!((dims.xppu, dims.yppu), (5669, 5669));
    no_overlap(name, picture);
}

fn no_overlap(name: &str, picture: &Picture) {
    let height = f64::from(picture.height) / 2.0;
    for (i, a) in picture.labels.iter().enumerate() {
        assert!(
            a.left >= 0.0 && a.right <= 800.0 && a.top >= 0.0 && a.bottom <= height,
            "{name}: `{}` leaves the page: {a:?}",
            a.text
        );
        for b in &picture.labels[..i] {
            let apart =
                a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;
            assert!(
                apart,
                "{name}: `{}` {a:?} touches `{}` {b:?}",
                a.text, b.text
            );
        }
    }
}

fn draw_sheet(name: &str, sheet: &TearSheet) -> Picture {
    let picture = sheet.draw().unwrap();
    keep(&format!("tearsheet_{name}"), &picture);
    picture
}

#[test]
fn a_tear_sheet_of_twelve_years() {
    draw_sheet("12y", &walked(3_130, 0.0006, 0.006, 7));
}
