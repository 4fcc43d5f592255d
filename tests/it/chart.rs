//! The pictures: every edge case is drawn, no label touches another, the same input gives the
//! same bytes. The PNGs are left in the target folder to be looked at.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

use chrono::{DateTime, Datelike, NaiveDate};
use papertape::report::chart::{
    Amount, Area, CompareChart, Curve, Figure, IncomeChart, MonthReturn, NamedLine, Part, Picture,
    Role, Series, StopLevel, Stream, SubPanel, SymbolPanel, TearSheet, TradeMark, TradesChart,
    digits_are_tabular,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY: i64 = 86_400_000_000;

/// A reproducible random walk (xorshift), one step a call, about standard normal.
pub(crate) struct Walk(pub(crate) u64);

impl Walk {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    pub(crate) fn prices(&mut self, bars: usize, drift: f64, volatility: f64) -> Vec<f64> {
        let mut price = 100.0;
        (0..bars)
            .map(|_| {
                price *= 1.0 + drift + volatility * self.normal();
                price
            })
            .collect()
    }
}

pub(crate) fn micros(year: i32, month: u32, day: u32) -> i64 {
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
pub(crate) fn weekdays(from: i64, bars: usize) -> Vec<i64> {
    (0..)
        .map(|d| from + d * DAY)
        .filter(|t| date(*t).weekday().number_from_monday() <= 5)
        .take(bars)
        .collect()
}

pub(crate) fn drawdown(equity: &[f64]) -> Vec<f64> {
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

pub(crate) fn figure(label: &str, value: &str, note: &str) -> Figure {
    Figure {
        label: label.into(),
        value: value.into(),
        note: note.into(),
    }
}

pub(crate) fn figures() -> Vec<Figure> {
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

pub(crate) fn series(name: &str, role: Role, value: Vec<f64>) -> Series {
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
        allocation: Vec::new(),
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
        stress: None,
        learning: None,
        overfitting: None,
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

pub(crate) fn walked(bars: usize, drift: f64, volatility: f64, seed: u64) -> TearSheet {
    let mut walk = Walk(seed);
    let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
    let strategy = money(walk.prices(bars, drift, volatility));
    let benchmark = money(walk.prices(bars, 0.0002, 0.011));
    sheet(weekdays(micros(2013, 1, 2), bars), strategy, benchmark)
}

/// Keeps the picture where it can be looked at, and checks what every picture must hold.
pub(crate) fn keep(name: &str, picture: &Picture) {
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

pub(crate) fn no_overlap(name: &str, picture: &Picture) {
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

pub(crate) fn draw_sheet(name: &str, sheet: &TearSheet) -> Picture {
    let picture = sheet.draw().unwrap();
    keep(&format!("tearsheet_{name}"), &picture);
    picture
}

#[test]
fn a_tear_sheet_of_twelve_years() {
    draw_sheet("12y", &walked(3_130, 0.0006, 0.006, 7));
}

#[test]
fn allocations_of_few_and_of_many_longs_shorts_and_a_loan() {
    let bars = 2_600;
    let with = |name: &str, allocation: Vec<Area>| {
        let sheet = TearSheet {
            allocation,
            ..walked(bars, 0.0004, 0.01, 9)
        };
        draw_sheet(name, &sheet)
    };
    let area = |name: &str, part, share: Vec<f64>| Area {
        average: share.iter().sum::<f64>() / share.len() as f64,
        name: name.into(),
        part,
        share,
    };
    let wave = |k: usize, i: usize| ((i + 211 * k) as f64 / 180.0).sin().max(0.0);
    // Fourteen parts of long names, which come and go and add up to one.
    let total = |i: usize| (0..14).map(|k| wave(k, i)).sum::<f64>().max(1e-9);
    let many = (0..14).map(|k| {
        let part = match k {
            12 => Part::Others,
            13 => Part::Cash,
            _ => Part::Named,
        };
        let share = (0..bars).map(|i| wave(k, i) / total(i)).collect();
        area(&format!("International Machines {k}"), part, share)
    });
    let picture = with("allocation_many", many.collect());
    let named = |words: &str| picture.labels.iter().any(|l| l.text.starts_with(words));
    assert!(named("Allocation") && named("100%"));
    let long = (0..bars).map(|i| 1.3 + 0.2 * wave(0, i)).collect();
    let short = (0..bars).map(|i| -0.4 - 0.1 * wave(3, i)).collect();
    let cash = (0..bars)
        .map(|i| 0.1 - 0.2 * wave(0, i) + 0.1 * wave(3, i))
        .collect();
    let picture = with(
        "allocation_short",
        vec![
            area("LONG", Part::Named, long),
            area("SHORT", Part::Named, short),
            area("cash", Part::Cash, cash),
        ],
    );
    assert!(picture.labels.iter().any(|l| l.text == "\u{2212}50%"));
    let is_cash = |l: &papertape::report::chart::Label| l.text.starts_with("cash ");
    assert!(!picture.labels.iter().any(is_cash), "cash is left out");
    let mut gone = vec![1.0; bars];
    gone[900..].fill(f64::NAN);
    with("allocation_gone", vec![area("A", Part::Named, gone)]);
    let odd = TearSheet {
        allocation: vec![area("A", Part::Named, vec![1.0; 3])],
        ..walked(30, 0.0, 0.01, 3)
    };
    assert!(odd.draw().unwrap_err().to_string().contains("30 bars"));
}

#[test]
fn tear_sheets_of_any_length() {
    draw_sheet("50y", &{
        let mut walk = Walk(11);
        let bars = 13_050;
        let strategy: Vec<f64> = walk.prices(bars, 0.0005, 0.011);
        let benchmark = walk.prices(bars, 0.0003, 0.011);
        let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
        sheet(
            weekdays(micros(1974, 6, 3), bars),
            money(strategy),
            money(benchmark),
        )
    });
    draw_sheet("120y", &{
        let mut walk = Walk(5);
        let time: Vec<i64> = (0..1440)
            .map(|m| micros(1900 + m / 12, m as u32 % 12 + 1, 28))
            .collect();
        let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
        let strategy = money(walk.prices(1440, 0.006, 0.04));
        let benchmark = money(walk.prices(1440, 0.004, 0.04));
        sheet(time, strategy, benchmark)
    });
    draw_sheet("1y", &walked(252, 0.0006, 0.01, 3));
    draw_sheet("26y", &walked(252 * 26, 0.0002, 0.01, 3));
    draw_sheet("3bars", &walked(3, 0.0006, 0.01, 3));
    draw_sheet("1bar", &walked(1, 0.0006, 0.01, 3));
    let none = TearSheet {
        title: "Nothing".into(),
        ..TearSheet::default()
    };
    draw_sheet("empty", &none);
    let mut absent = walked(30, 0.0, 0.01, 3);
    for series in absent.equity.iter_mut().chain(&mut absent.drawdown) {
        series.value.fill(f64::NAN);
    }
    draw_sheet("absent", &absent);
}

#[test]
fn tear_sheets_of_any_money() {
    let time = weekdays(micros(2019, 3, 18), 700);
    let of = |f: &dyn Fn(f64) -> f64| (0..700).map(|i| f(f64::from(i))).collect::<Vec<f64>>();
    let walk = |seed, scale: f64| {
        let prices = Walk(seed).prices(700, 0.0003, 0.012);
        prices.iter().map(|p| p * scale).collect::<Vec<f64>>()
    };
    let hold = walk(2, 1000.0);
    let draw = |name: &str, strategy: Vec<f64>, benchmark: Vec<f64>| {
        draw_sheet(name, &sheet(time.clone(), strategy, benchmark));
    };
    draw("flat", of(&|_| 100_000.0), of(&|_| 100_000.0));
    draw(
        "losing",
        of(&|i| 100_000.0 * 0.987f64.powf(i)),
        hold.clone(),
    );
    draw("ruined", of(&|i| 100_000.0 * 0.93f64.powf(i)), hold.clone());
    draw("negative", of(&|i| 100_000.0 - 400.0 * i), hold.clone());
    draw("tiny", walk(4, 1e-5), walk(5, 1e-5));
    draw("huge", walk(6, 1e10), walk(7, 1e9));
    draw(
        "wild",
        of(&|i| 1e-3 * 1.05f64.powf(i)),
        of(&|i| 1e12 * 0.99f64.powf(i)),
    );
    draw("absurd", of(&|i| 1e280 * (i - 300.0)), of(&|i| 1e-280 * i));
    draw("equal", hold.clone(), hold);
}

#[test]
fn tear_sheets_of_any_words() {
    let mut long = walked(600, 0.0004, 0.008, 9);
    let name = "a strategy whose author believed that a name should explain everything at once";
    long.title = name.repeat(3);
    long.subtitle = name.repeat(8);
    for series in &mut long.equity {
        series.name = format!("{name} {:?}", series.role);
    }
    for name in ["universe", "60% SPY + 40% TLT", "EW"] {
        let value = Walk(name.len() as u64 + 40).prices(600, 0.0002, 0.004);
        let value = value.iter().map(|v| v * 1000.0).collect();
        long.equity.push(series(name, Role::Benchmark, value));
    }
    for figure in &mut long.figures {
        figure.label = name.into();
        figure.value = "123,456,789,012.34".into();
        figure.note = name.into();
    }
    long.income[0].name = name.into();
    long.assumptions = name.repeat(40);
    long.caveats = (0..20).map(|_| name.repeat(8)).collect();
    long.equity_note = Some(name.repeat(9));
    draw_sheet("long_words", &long);

    let mut foreign = walked(600, 0.0004, 0.008, 9);
    foreign.title = "均值回归 · средний · μέσος · متوسط\n\t\u{0}\u{1F600}".into();
    foreign.equity[0].name = "日経225".into();
    foreign.equity[1].name = "ΔΕΗ Æß ñ".into();
    foreign.figures[0].value = "٪١٤".into();
    foreign.income[0].name = "\u{301}\u{200d}配当".into();
    foreign.caveats = vec!["x".repeat(3000), String::new(), "  ".into()];
    draw_sheet("foreign", &foreign);
}

#[test]
fn pictures_are_the_same_bytes_twice() {
    let sheet = walked(800, 0.0005, 0.01, 21);
    assert_eq!(sheet.draw().unwrap(), sheet.draw().unwrap());
    let trades = trades_chart(60, 1500, 2);
    assert_eq!(trades.draw().unwrap().png, trades.draw().unwrap().png);
}

#[test]
fn columns_of_figures_line_up() {
    assert!(digits_are_tabular().unwrap());
}

#[test]
fn columns_of_different_lengths_are_refused() {
    let mut sheet = walked(50, 0.0, 0.01, 2);
    sheet.equity[1].value.pop();
    let error = sheet.draw().unwrap_err().to_string();
    assert!(
        error.contains("Buy and hold") && error.contains("49"),
        "{error}"
    );
}

/// Symbols with `trades` trades spread over `bars` bars each.
fn trades_chart(trades: usize, bars: usize, symbols: usize) -> TradesChart {
    let time = weekdays(micros(2014, 3, 20), bars);
    let panels = (0..symbols).map(|s| {
        let mut walk = Walk(100 + s as u64);
        let price = walk.prices(bars, 0.0003, 0.013);
        let mean: Vec<f64> = (0..bars)
            .map(|i| {
                let from = i.saturating_sub(49);
                if i < 49 {
                    f64::NAN
                } else {
                    price[from..=i].iter().sum::<f64>() / 50.0
                }
            })
            .collect();
        let rsi: Vec<f64> = (0..bars)
            .map(|i| {
                if i < 14 {
                    return f64::NAN;
                }
                let (mut up, mut down) = (0.0, 1e-9);
                for k in i - 13..=i {
                    let change = price[k] - price[k - 1];
                    if change > 0.0 {
                        up += change
                    } else {
                        down -= change
                    }
                }
                100.0 * up / (up + down)
            })
            .collect();
        let step = (bars / trades.max(1)).max(2);
        let (mut marks, mut stops) = (Vec::new(), Vec::new());
        for k in 0..trades.saturating_sub(s) {
            let (a, b) = (k * step, k * step + step * 2 / 3);
            if b >= bars {
                break;
            }
            let short = k % 7 == 3;
            let last = k + 1 == trades;
            marks.push(TradeMark {
                entry: time[a],
                entry_price: price[a],
                exit: (!last).then_some((time[b], price[b])),
                won: (price[b] > price[a]) != short,
                short,
            });
            stops.push(StopLevel {
                from: time[a],
                to: time[b],
                price: price[a] * if short { 1.06 } else { 0.94 },
            });
        }
        SymbolPanel {
            symbol: format!("SYM{s}"),
            time: time.clone(),
            overlays: vec![NamedLine {
                name: "sma(close, 50)".into(),
                value: mean,
            }],
            below: vec![SubPanel {
                lines: vec![NamedLine {
                    name: "rsi(close, 14)".into(),
                    value: rsi,
                }],
                levels: vec![30.0, 70.0],
            }],
            price,
            log: s % 2 == 1,
            trades: marks,
            stops,
        }
    });
    TradesChart {
        title: "RSI 30/70".into(),
        subtitle: "20 Mar 2014 to 31 Dec 2019, closes adjusted for splits".into(),
        panels: panels.collect(),
        notes: vec![
            "Marks stand at the fill price; a fill at the open is not on the close line.".into(),
        ],
    }
}

fn draw_trades(name: &str, chart: &TradesChart) {
    keep(&format!("trades_{name}"), &chart.draw().unwrap());
}

#[test]
fn trades_few_and_many() {
    draw_trades("1", &trades_chart(1, 500, 1));
    draw_trades("30", &trades_chart(30, 1000, 1));
    draw_trades("100", &trades_chart(100, 1500, 1));
    draw_trades("500", &trades_chart(500, 3000, 1));
    draw_trades("9symbols", &trades_chart(24, 1500, 9));
    draw_trades("1bar", &trades_chart(0, 1, 1));
    draw_trades("none", &TradesChart::default());
    let mut odd = trades_chart(10, 300, 1);
    let panel = &mut odd.panels[0];
    panel.symbol = "株式会社 with a name that goes on and on and on and on and on and on".into();
    panel.price[7] = f64::NAN;
    panel.price[9] = f64::INFINITY;
    panel.trades[0].entry -= 400 * DAY;
    panel.trades[1].entry_price = 0.01;
    for i in 0..9 {
        let mut line = panel.overlays[0].clone();
        line.name = format!("overlay number {i} of nine");
        line.value
            .iter_mut()
            .for_each(|v| *v *= 1.0 + 0.01 * f64::from(i));
        panel.overlays.push(line.clone());
        panel.below.push(SubPanel {
            lines: vec![line; 9],
            levels: vec![100.0, 100.1, 100.2, f64::NAN],
        });
    }
    draw_trades("odd", &odd);
}

#[test]
fn trades_of_minutes() {
    let mut chart = trades_chart(12, 78 * 5, 1);
    let panel = &mut chart.panels[0];
    let days = weekdays(micros(2024, 5, 6), 5);
    let minutes = |d: &i64| {
        let day = *d;
        (0..78).map(move |k| day + (570 + 5 * k) * 60_000_000)
    };
    let time: Vec<i64> = days.iter().flat_map(minutes).collect();
    let old = panel.time.clone();
    let moved = |t: i64| time[old.partition_point(|o| *o < t)];
    for trade in &mut panel.trades {
        trade.entry = moved(trade.entry);
        trade.exit = trade.exit.map(|(t, p)| (moved(t), p));
    }
    for stop in &mut panel.stops {
        (stop.from, stop.to) = (moved(stop.from), moved(stop.to));
    }
    panel.time = time;
    draw_trades("minutes", &chart);
}

fn income_chart(periods: usize, scale: f64) -> IncomeChart {
    let mut walk = Walk(77);
    let names = [
        "Price gain",
        "Dividends",
        "Interest",
        "Option premium",
        "Fees",
        "Slippage",
    ];
    let sizes = [9000.0, 1200.0, 400.0, 900.0, -260.0, -410.0];
    let streams: Vec<Stream> = names
        .iter()
        .zip(sizes)
        .map(|(name, size)| Stream {
            name: (*name).into(),
            amounts: (0..periods)
                .map(|_| {
                    let spread = if *name == "Price gain" {
                        walk.normal()
                    } else {
                        walk.uniform()
                    };
                    scale * size * (0.4 + spread)
                })
                .collect(),
        })
        .collect();
    let mut sum = 0.0;
    let cumulative = (0..periods)
        .map(|p| {
            sum += streams.iter().map(|s| s.amounts[p]).sum::<f64>();
            sum
        })
        .collect();
    let totals: Vec<Amount> = streams
        .iter()
        .map(|s| Amount {
            name: s.name.clone(),
            value: s.amounts.iter().sum(),
        })
        .collect();
    let symbols = (0..periods.min(20)).map(|i| Amount {
        name: format!("SYM{i}"),
        value: scale * 4000.0 * (0.3 + walk.normal()),
    });
    IncomeChart {
        layers: Vec::new(),
        premium: None,
        title: "Dividend growers".into(),
        subtitle: "2013 to 2024, $100,000 at the start".into(),
        unit: "$".into(),
        period: "year".into(),
        periods: (0..periods).map(|p| (1974 + p).to_string()).collect(),
        total: totals.iter().map(|t| t.value).sum(),
        totals,
        symbols: symbols.collect(),
        streams,
        cumulative,
        notes: vec!["The streams add up to the change of equity.".into()],
    }
}

#[test]
fn income_short_and_long() {
    let draw = |name: &str, chart: &IncomeChart| {
        keep(&format!("income_{name}"), &chart.draw().unwrap());
    };
    draw("12", &income_chart(12, 1.0));
    draw("50", &income_chart(50, 1.0));
    draw("1", &income_chart(1, 1.0));
    draw("huge", &income_chart(5, 1e8));
    draw("tiny", &income_chart(5, 1e-7));
    draw("zero", &income_chart(4, 0.0));
    draw("none", &IncomeChart::default());
    let mut months = income_chart(30, 0.1);
    months.period = "month".into();
    for (i, period) in months.periods.iter_mut().enumerate() {
        *period = ["Jan 2024", "Sep 2025", "Dec 2026"][i % 3].into();
    }
    months.streams[0].name =
        "a stream with quite a long name, longer than there is room for".into();
    draw("months", &months);
}

fn compare_chart(curves: usize, bars: usize) -> CompareChart {
    let names = ["RSI 30/70", "Golden cross", "Turtle", "Buy and hold"];
    let curves = (0..curves).map(|c| {
        let index = Walk(300 + c as u64).prices(bars, 0.0004, 0.009);
        Curve {
            name: format!("{} {c}", names[c % 4]),
            time: weekdays(micros(2015, 1, 2 + c as u32), bars),
            drawdown: drawdown(&index),
            index,
            cells: ["12.3%", "0.94", "18.2%", "−33.1%", "143", "56%", "1.8"]
                .map(String::from)
                .into(),
        }
    });
    CompareChart {
        title: "Comparison".into(),
        subtitle: "2 Jan 2015 to 31 Dec 2020".into(),
        curves: curves.collect(),
        metrics: [
            "CAGR",
            "Sharpe",
            "Volatility",
            "Max drawdown",
            "Trades",
            "Win rate",
            "Profit factor",
        ]
        .map(String::from)
        .into(),
        notes: vec!["Each strategy trades its own account.".into()],
    }
}

#[test]
fn comparisons_few_and_many() {
    let draw = |name: &str, chart: &CompareChart| {
        keep(&format!("compare_{name}"), &chart.draw().unwrap());
    };
    draw("3", &compare_chart(3, 1500));
    draw("12", &compare_chart(12, 1500));
    draw("20", &compare_chart(20, 400));
    draw("1", &compare_chart(1, 3));
    draw("1bar", &compare_chart(2, 1));
    draw("none", &CompareChart::default());
    let mut same = compare_chart(5, 700);
    for curve in &mut same.curves {
        curve.index.fill(100.0);
        curve.drawdown.fill(0.0);
        curve.name = "the very same strategy under another and much longer name".into();
    }
    draw("same", &same);
}

/// Buy and hold of the shipped GOOG file, as an example on real prices.
#[test]
fn a_tear_sheet_of_real_prices() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/stocks/GOOG.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut time = Vec::new();
    let mut close = Vec::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let day = NaiveDate::parse_from_str(cells[0], "%Y-%m-%d").unwrap();
        time.push(micros(day.year(), day.month(), day.day()));
        close.push(cells[6].parse::<f64>().unwrap());
    }
    let equity: Vec<f64> = close.iter().map(|c| 100_000.0 * c / close[0]).collect();
    let half: Vec<f64> = equity.iter().map(|e| 50_000.0 + e / 2.0).collect();
    let mut sheet = sheet(time, half, equity);
    sheet.title = "Half in GOOG".into();
    draw_sheet("goog", &sheet);
}

/// A value of any size and sign, or none.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-6.0..12.0f64, any::<bool>()).prop_map(|(power, down)| {
            let size = 10f64.powf(power);
            if down { -size } else { size }
        }),
        2 => 0.9..1.1f64,
        1 => Just(0.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the numbers, the spacing of the bars and the names: a picture, and no label on
    /// another.
    #[test]
    fn any_curves_make_a_picture(
        steps in prop::collection::vec(
            prop_oneof![1i64..500_000_000, Just(DAY), DAY..40 * DAY], 1..120),
        values in prop::collection::vec(any_value(), 360),
        start in -2_000_000_000_000_000i64..4_000_000_000_000_000,
        name in "\\PC{0,40}",
        positive in any::<bool>(),
    ) {
        let mut now = start;
        let time: Vec<i64> = steps.iter().map(|s| { now += s; now }).collect();
        let bars = time.len();
        let column = |k: usize| -> Vec<f64> {
            values[k * 120..k * 120 + bars]
                .iter()
                .map(|v| if positive { v.abs() } else { *v })
                .collect()
        };
        let of = |k: usize| NamedLine { name: name.clone(), value: column(k) };
        let sheet = TearSheet {
            title: name.clone(),
            subtitle: name.clone(),
            time: time.clone(),
            figures: vec![figure(&name, &name, &name); bars % 14],
            equity: vec![
                series(&name, Role::Strategy, column(0)),
                series(&name, Role::Benchmark, column(1)),
            ],
            drawdown: vec![series(&name, Role::Strategy, column(2).iter().map(|v| -v.abs()).collect())],
            rolling_sharpe: column(1),
            income: column(2).into_iter().take(9).map(|value| Amount { name: name.clone(), value }).collect(),
            income_total: values[0],
            years: vec![(date(time[0]).year(), values[1])],
            assumptions: name.clone(),
            ..TearSheet::default()
        };
        no_overlap("any sheet", &sheet.draw().unwrap());
        let trades = TradesChart {
            title: name.clone(),
            panels: vec![SymbolPanel {
                symbol: name.clone(),
                price: column(0),
                overlays: vec![of(1), of(2)],
                below: vec![SubPanel { lines: vec![of(1), of(2)], levels: column(2) }],
                log: true,
                trades: (0..bars).map(|i| TradeMark {
                    entry: time[i],
                    entry_price: values[i],
                    exit: (i % 3 > 0).then(|| (time[bars - 1], values[i + 1])),
                    won: i % 2 == 0,
                    short: i % 5 == 0,
                }).collect(),
                time,
                ..SymbolPanel::default()
            }],
            ..TradesChart::default()
        };
        no_overlap("any trades", &trades.draw().unwrap());
    }
}
