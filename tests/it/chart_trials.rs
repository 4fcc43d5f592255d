//! The pictures of many trials: heat maps, parallel coordinates, the best trials, walk-forward and
//! the stress box, from the usual to the absurd. No label touches another; what is absent is seen
//! to be absent. The PNGs are left in the target folder to be looked at.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

use crate::chart::{Walk, draw_sheet, figure, keep, micros, no_overlap, series, walked, weekdays};
use papertape::report::chart::{
    Chosen, Fold, HeatMapChart, HeatPanel, Objective, ParallelChart, ParallelTrial, RankedChart,
    RankedTrial, Role, StressBox, StressRow, Varied, WalkForwardChart,
};
use proptest::prelude::*;

fn sharpe() -> Objective {
    Objective {
        name: "Sharpe ratio".into(),
        percent: false,
        diverging: true,
    }
}

fn cagr() -> Objective {
    Objective {
        name: "CAGR".into(),
        percent: true,
        diverging: true,
    }
}

fn varied(name: &str, values: impl Iterator<Item = String>) -> Varied {
    Varied {
        name: name.into(),
        values: values.collect(),
    }
}

/// Whole numbers from, to, in steps.
fn range(name: &str, from: usize, to: usize, step: usize) -> Varied {
    varied(name, (from..=to).step_by(step).map(|v| v.to_string()))
}

fn words(name: &str, values: &[&str]) -> Varied {
    varied(name, values.iter().map(|v| (*v).to_string()))
}

/// A hill with noise over two params; cells under the diagonal are absent where `cut` says so.
fn hill(x: Varied, y: Varied, seed: u64, (level, height): (f64, f64), cut: bool) -> HeatPanel {
    let (columns, rows) = (x.values.len(), y.values.len());
    let mut walk = Walk(seed);
    let mut cells = Vec::new();
    for j in 0..rows {
        for i in 0..columns {
            let (u, v) = (
                (i as f64 + 0.5) / columns as f64,
                (j as f64 + 0.5) / rows as f64,
            );
            let d = (u - 0.62).powi(2) * 5.0 + (v - 0.4).powi(2) * 7.0;
            let value = level + height * (-d).exp() + 0.08 * height * walk.normal();
            cells.push((!cut || u > v - 0.02).then_some(value));
        }
    }
    let best = cells
        .iter()
        .enumerate()
        .filter_map(|(at, cell)| Some((at, (*cell)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(at, _)| (at % columns, at / columns));
    HeatPanel {
        x,
        y: Some(y),
        cells,
        best,
        folded: String::new(),
    }
}

fn map(objective: Objective, panels: Vec<HeatPanel>) -> HeatMapChart {
    HeatMapChart {
        title: "Golden cross: sweep".into(),
        subtitle: "9,604 trials  ·  2000-03-01 to 2013-03-01  ·  GOOG".into(),
        objective,
        panels,
        notes: vec!["Cells left out by `fast < slow` are hatched.".into()],
    }
}

fn draw_map(name: &str, chart: &HeatMapChart) {
    keep(&format!("heatmap_{name}"), &chart.draw().unwrap());
}

#[test]
fn heat_maps_of_one_pair() {
    let rsi = hill(
        range("period", 5, 30, 5),
        range("low", 20, 35, 5),
        3,
        (-0.2, 0.9),
        false,
    );
    draw_map("small", &map(sharpe(), vec![rsi]));
    let cross = hill(
        range("fast", 5, 100, 1),
        range("slow", 20, 250, 2),
        4,
        (-0.4, 1.4),
        true,
    );
    draw_map("cross", &map(sharpe(), vec![cross]));
    let gains = hill(
        range("fast", 2, 21, 1),
        range("slow", 25, 200, 5),
        5,
        (0.05, 0.1),
        false,
    );
    draw_map("gains", &map(cagr(), vec![gains]));
    let losses = hill(
        range("fast", 2, 12, 1),
        range("slow", 25, 75, 5),
        6,
        (-0.3, 0.2),
        false,
    );
    draw_map("losses", &map(cagr(), vec![losses]));
    let huge = hill(
        range("a", 0, 399, 1),
        range("b", 0, 399, 1),
        7,
        (-0.5, 1.0),
        false,
    );
    draw_map("400x400", &map(sharpe(), vec![huge]));
    let hundred = hill(
        range("a", 1, 100, 1),
        range("b", 1, 100, 1),
        8,
        (20.0, 30.0),
        false,
    );
    let trades = Objective {
        name: "trades".into(),
        ..Objective::default()
    };
    draw_map("100x100", &map(trades, vec![hundred]));
}

#[test]
fn heat_maps_of_words_and_log_ranges() {
    let symbols = [
        "AAPL", "AMZN", "BRK.B", "GOOG", "IBM", "JNJ", "JPM", "KO", "MSFT", "NVDA", "PG", "XOM",
    ];
    let log = || {
        varied(
            "window",
            (0..12).map(|k| format!("{}", (5.0 * 1.5f64.powi(k)).round())),
        )
    };
    let by_symbol = hill(log(), words("symbol", &symbols), 9, (-0.2, 1.0), false);
    draw_map("symbols_up", &map(sharpe(), vec![by_symbol]));
    let across = hill(words("symbol", &symbols), log(), 10, (-0.2, 1.0), false);
    draw_map("symbols_across", &map(sharpe(), vec![across]));
    let long = [
        "a value with a rather long name",
        "another of the kind",
        "short",
        "x",
    ];
    let both = hill(
        words("fill.at and more than that", &long),
        words("method", &long),
        11,
        (0.0, 1.0),
        true,
    );
    draw_map(
        "long_words",
        &map(sharpe(), vec![both.clone(), both.clone(), both]),
    );
}

#[test]
fn heat_maps_of_many_pairs() {
    let axes = [
        range("period", 5, 30, 1),
        range("low", 20, 40, 5),
        range("high", 60, 80, 2),
        words("symbol", &["AAPL", "IBM", "MSFT"]),
        range("stops.stop", 1, 40, 1),
    ];
    let mut panels = Vec::new();
    for i in 0..axes.len() {
        for j in 0..i {
            let mut panel = hill(
                axes[j].clone(),
                axes[i].clone(),
                20 + (i * j) as u64,
                (-0.3, 1.1),
                false,
            );
            panel.folded = "best over the other 3".into();
            panels.push(panel);
        }
    }
    draw_map("3pairs", &map(sharpe(), panels[..3].to_vec()));
    draw_map("10pairs", &map(sharpe(), panels));
}

#[test]
fn one_param_is_a_line() {
    let line = |x: Varied, cells: Vec<Option<f64>>| HeatPanel {
        best: (0..cells.len())
            .max_by(|a, b| {
                cells[*a]
                    .unwrap_or(-9.0)
                    .total_cmp(&cells[*b].unwrap_or(-9.0))
            })
            .map(|i| (i, 0)),
        x,
        cells,
        ..HeatPanel::default()
    };
    let hump = |n: usize| {
        let mut walk = Walk(5);
        (0..n)
            .map(|i| {
                let u = i as f64 / n as f64;
                (i % 17 != 5).then(|| 0.9 * (3.1 * u).sin() - 0.3 + 0.05 * walk.normal())
            })
            .collect::<Vec<_>>()
    };
    draw_map(
        "line",
        &map(sharpe(), vec![line(range("period", 5, 30, 1), hump(26))]),
    );
    draw_map(
        "line_300",
        &map(sharpe(), vec![line(range("period", 1, 300, 1), hump(300))]),
    );
    draw_map(
        "line_1",
        &map(
            cagr(),
            vec![line(range("period", 14, 14, 1), vec![Some(0.031)])],
        ),
    );
    draw_map(
        "line_absent",
        &map(cagr(), vec![line(range("period", 1, 3, 1), vec![None; 3])]),
    );
    let symbols = words(
        "symbol",
        &["AAPL", "IBM", "株式会社", "MSFT with a long name"],
    );
    draw_map(
        "line_symbols",
        &map(
            cagr(),
            vec![line(symbols, vec![Some(0.1), Some(-0.2), None, Some(0.05)])],
        ),
    );
}

#[test]
fn degenerate_heat_maps() {
    draw_map("none", &HeatMapChart::default());
    let one = |value| HeatPanel {
        x: range("a", 1, 1, 1),
        y: Some(range("b", 1, 1, 1)),
        cells: vec![value],
        best: Some((0, 0)),
        folded: "best over everything else that there is".into(),
    };
    draw_map("1x1", &map(sharpe(), vec![one(Some(0.5))]));
    draw_map(
        "1x1_absent",
        &map(sharpe(), vec![one(None), one(Some(f64::NAN))]),
    );
    let row = hill(
        range("a", 1, 40, 1),
        range("b", 3, 3, 1),
        5,
        (0.0, 1.0),
        false,
    );
    let column = hill(
        range("a", 1, 1, 1),
        range("b", 1, 40, 1),
        5,
        (0.0, 1.0),
        false,
    );
    draw_map("1_row", &map(sharpe(), vec![row.clone()]));
    draw_map("row_and_column", &map(sharpe(), vec![row, column]));
    let mut absent = hill(
        range("a", 1, 20, 1),
        range("b", 1, 20, 1),
        5,
        (0.0, 1.0),
        false,
    );
    absent.cells.fill(None);
    absent.best = None;
    draw_map("absent", &map(sharpe(), vec![absent.clone()]));
    absent.cells[7] = Some(1e300);
    absent.cells[8] = Some(-1e300);
    absent.best = Some((900, 900));
    draw_map("absurd", &map(sharpe(), vec![absent.clone()]));
    absent.cells.pop();
    let error = map(sharpe(), vec![absent]).draw().unwrap_err().to_string();
    assert!(error.contains("399") && error.contains("400"), "{error}");
}

/// Counts of colours tell whether a cell without a result can be taken for one with.
#[test]
fn an_absent_cell_has_no_colour_of_the_scale() {
    let mut panel = hill(
        range("a", 1, 4, 1),
        range("b", 1, 4, 1),
        5,
        (0.2, 0.01),
        false,
    );
    let full = map(sharpe(), vec![panel.clone()]).draw().unwrap();
    panel.cells[15] = None;
    let holed = map(sharpe(), vec![panel]).draw().unwrap();
    let says = |picture: &papertape::report::chart::Picture| {
        picture.labels.iter().any(|l| l.text == "no result")
    };
    assert!(says(&holed) && !says(&full));
}

fn parallel(axes: Vec<Varied>, trials: usize) -> ParallelChart {
    let mut walk = Walk(91);
    let mut all: Vec<ParallelTrial> = (0..trials)
        .map(|_| {
            let point: Vec<u32> = axes
                .iter()
                .map(|a| (walk.uniform() * a.values.len() as f64) as u32)
                .collect();
            let share = |k: usize| {
                f64::from(point[k % point.len()]) / axes[k % axes.len()].values.len() as f64
            };
            let value = 1.2 - 3.0 * (share(0) - 0.6).powi(2) - (share(1) - 0.3).powi(2)
                + 0.15 * walk.normal();
            ParallelTrial {
                objective: (walk.uniform() > 0.02).then_some(value),
                point,
                top: false,
            }
        })
        .collect();
    let mut order: Vec<usize> = (0..trials).collect();
    order.sort_by(|a, b| {
        all[*b]
            .objective
            .unwrap_or(-9.0)
            .total_cmp(&all[*a].objective.unwrap_or(-9.0))
    });
    for at in order.iter().take(trials.div_ceil(10)) {
        all[*at].top = true;
    }
    ParallelChart {
        title: "RSI 30/70: sweep".into(),
        subtitle: format!("{trials} trials  ·  2000-03-01 to 2013-03-01  ·  AAPL, IBM, MSFT"),
        axes,
        objective: sharpe(),
        trials: all,
        best: order.first().copied(),
        notes: vec![
            "Every 4th trial by a hash of its number; the best tenth is that of all.".into(),
        ],
    }
}

fn draw_parallel(name: &str, chart: &ParallelChart) {
    keep(&format!("parallel_{name}"), &chart.draw().unwrap());
}

#[test]
fn parallel_coordinates_few_and_many() {
    let three = || {
        vec![
            range("period", 5, 30, 5),
            range("low", 20, 35, 5),
            range("high", 60, 80, 1),
        ]
    };
    draw_parallel("96", &parallel(three(), 96));
    draw_parallel("3000", &parallel(three(), 3000));
    let mut many = three();
    many.push(words(
        "symbol",
        &["AAPL", "IBM", "MSFT", "a rather long symbol"],
    ));
    many.extend((0..6).map(|k| range(&format!("stops.some_key_{k}"), 1, 10 + 30 * k, 1)));
    draw_parallel("10params", &parallel(many.clone(), 800));
    many.extend(three());
    draw_parallel("13params", &parallel(many, 200));
    draw_parallel("1param", &parallel(vec![range("period", 1, 300, 1)], 300));
    draw_parallel("1trial", &parallel(three(), 1));
    draw_parallel("none", &ParallelChart::default());
    let mut absent = parallel(three(), 20);
    for trial in &mut absent.trials {
        (trial.objective, trial.top) = (None, false);
    }
    absent.best = None;
    draw_parallel("absent", &absent);
    absent.trials[3].point[1] = 99;
    assert!(absent.draw().unwrap_err().to_string().contains("trial 3"));
}

fn ranked(trials: usize, bars: usize) -> RankedChart {
    let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
    let trials = (0..trials).map(|k| RankedTrial {
        rank: k + 1,
        params: format!("period {}, low {}, high {}", 5 + k, 20 + k, 60 + 2 * k),
        equity: money(Walk(50 + k as u64 / 2).prices(bars, 0.0005, 0.009)),
        cells: ["12.3%", "0.94", "18.2%", "−33.1%", "143"]
            .map(String::from)
            .into(),
    });
    RankedChart {
        title: "RSI 30/70: the best of the sweep".into(),
        subtitle: "2000-03-01 to 2013-03-01  ·  AAPL, IBM, MSFT".into(),
        banner: "In-sample: chosen among 9,604 trials. A Sharpe this high comes up by luck 38% of the time.".into(),
        figures: vec![
            figure("Best Sharpe", "0.94", "of 9,604 trials"),
            figure("Deflated Sharpe", "0.62", "should be above 0.95"),
            figure("Overfitting", "48%", "probability, CSCV in 16 blocks"),
            figure("Plateau", "0.71", "the neighbours' share of the best"),
        ],
        unit: "$".into(),
        trials: trials.collect(),
        against: vec![
            series("buy and hold", Role::Benchmark, money(Walk(2).prices(bars, 0.0002, 0.011))),
            series("cash", Role::Cash, (0..bars).map(|i| 100_000.0 + 5.0 * i as f64).collect()),
        ],
        metrics: ["CAGR", "Sharpe", "Volatility", "Max drawdown", "Trades"].map(String::from).into(),
        time: weekdays(micros(2000, 3, 1), bars),
        notes: vec!["Costs as in the file.".into()],
    }
}

#[test]
fn the_best_trials() {
    let draw = |name: &str, chart: &RankedChart| {
        keep(&format!("ranked_{name}"), &chart.draw().unwrap());
    };
    draw("5", &ranked(5, 3000));
    draw("12", &ranked(12, 700));
    draw("20", &ranked(20, 100));
    draw("1", &ranked(1, 2));
    draw("none", &RankedChart::default());
    let mut long = ranked(3, 400);
    long.banner = long.banner.repeat(5);
    long.trials[0].params = "a param with quite a long name 0.123456789, ".repeat(5);
    draw("long", &long);
    long.trials[1].equity.pop();
    let error = long.draw().unwrap_err().to_string();
    assert!(error.contains("#2") && error.contains("399"), "{error}");
}

fn walk_forward(folds: usize, params: usize) -> WalkForwardChart {
    let (train, test) = (500, (2600 / folds).max(3));
    let bars = train + test * folds;
    let time = weekdays(micros(2002, 1, 2), bars);
    let money = |p: Vec<f64>| p.iter().map(|v| v * 1000.0).collect::<Vec<f64>>();
    let stitched = money(Walk(7).prices(bars - train, 0.0002, 0.008));
    let lead = vec![f64::NAN; train];
    let mut walk = Walk(33);
    let list: Vec<Fold> = (0..folds)
        .map(|k| {
            let start = time[train + k * test];
            let day = chrono::DateTime::from_timestamp_micros(start).unwrap();
            let kept = 0.9 + 0.3 * walk.normal();
            Fold {
                name: day.format("%Y-%m").to_string(),
                start,
                in_sample: Some(kept),
                out_of_sample: (k % 9 != 4).then_some(kept - 0.6 + 0.5 * walk.normal()),
            }
        })
        .collect();
    let chosen = (0..params).map(|p| {
        let param = match p % 3 {
            0 => range("period", 5, 30, 5),
            1 => words("symbol", &["AAPL", "IBM", "MSFT"]),
            _ => range("a.key_with_a_long_name", 1, 200, 1),
        };
        let count = param.values.len();
        let mut at = count / 2;
        let values = (0..folds).map(|k| {
            let step = (walk.normal() * count as f64 / 6.0) as i64;
            at = (at as i64 + step).clamp(0, count as i64 - 1) as usize;
            (k % 11 != 6).then_some(at)
        });
        Chosen {
            values: values.collect(),
            param,
        }
    });
    WalkForwardChart {
        title: "RSI 30/70: walk-forward".into(),
        subtitle: format!("{folds} folds, trained on 2 years, rolling  ·  AAPL, IBM, MSFT"),
        figures: vec![
            figure("CAGR", "3.1%", "in-sample 9.8%"),
            figure("Sharpe ratio", "0.31", "90%: −0.21 to 0.80"),
            figure("Max drawdown", "−28.2%", "universe −64.4%"),
            figure("Efficiency", "0.34", "out-of-sample over in-sample"),
        ],
        unit: "$".into(),
        equity: vec![
            series(
                "out-of-sample",
                Role::Strategy,
                lead.iter().copied().chain(stitched).collect(),
            ),
            series(
                "in-sample best",
                Role::InSample,
                money(Walk(8).prices(bars, 0.0006, 0.008)),
            ),
            series(
                "universe",
                Role::Benchmark,
                money(Walk(9).prices(bars, 0.0003, 0.011)),
            ),
            series("cash", Role::Cash, vec![100_000.0; bars]),
        ],
        equity_note: Some(
            "The in-sample best was chosen on all of the data: nobody could have traded it.".into(),
        ),
        objective: sharpe(),
        folds: list,
        efficiency: "efficiency 0.34 over all folds".into(),
        chosen: chosen.collect(),
        notes: vec!["Each test window starts from the previous one's holdings.".into()],
        time,
    }
}

#[test]
fn walks_forward_short_and_long() {
    let draw = |name: &str, chart: &WalkForwardChart| {
        keep(&format!("walk_forward_{name}"), &chart.draw().unwrap());
    };
    draw("8", &walk_forward(8, 3));
    draw("1", &walk_forward(1, 2));
    draw("40", &walk_forward(40, 10));
    draw("300", &walk_forward(300, 1));
    draw("none", &WalkForwardChart::default());
    let mut odd = walk_forward(4, 3);
    for fold in &mut odd.folds {
        (fold.in_sample, fold.out_of_sample) = (None, Some(f64::NAN));
        fold.name = "a fold whose name says all that there is to say".into();
    }
    for chosen in &mut odd.chosen {
        chosen.values.fill(None);
    }
    draw("absent", &odd);
    odd.chosen[1].values[2] = Some(3);
    assert!(odd.draw().unwrap_err().to_string().contains("symbol"));
}

fn stress() -> StressBox {
    let row = |label: &str, cells: [&str; 2], note: &str, worst: bool| StressRow {
        label: label.into(),
        cells: cells.map(String::from).into(),
        note: note.into(),
        worst,
    };
    StressBox {
        headline: "worst: decided one bar later, −0.3% a year".into(),
        heads: vec!["CAGR".into(), "Sharpe".into()],
        rows: vec![
            row("as it is", ["2.10%", "0.20"], "", false),
            row("decided one bar later", ["−0.31%", "0.08"], "", true),
            row(
                "costs doubled",
                ["1.63%", "0.17"],
                "breaks even with cash at 4.1 times",
                false,
            ),
            row(
                "stop before target",
                ["2.10%", "0.20"],
                "no bar reached both",
                false,
            ),
            row("without its best 5 trades", ["0.20%", "0.10"], "", false),
            row("without its best 10 days", ["−0.10%", "0.09"], "", false),
            row(
                "every 3-year start",
                ["1.90%", "n/a"],
                "58% of 36 starts beat cash",
                false,
            ),
            row(
                "1,000 random entries",
                ["1.20%", "0.14"],
                "better than 71% of them",
                false,
            ),
        ],
    }
}

#[test]
fn the_stress_box_on_a_tear_sheet() {
    let mut sheet = walked(3_130, 0.0003, 0.006, 7);
    sheet.stress = Some(stress());
    sheet.overfitting = Some("Best of 9,604 trials. A Sharpe this high comes up by luck 38% of the time (deflated Sharpe 0.62, probability of overfitting 0.48).".into());
    draw_sheet("stress", &sheet);
    let mut long = stress();
    for row in &mut long.rows {
        row.label = row.label.repeat(6);
        row.note = "says more than there is room for, by far and by far and by far".repeat(3);
        row.cells = vec!["123,456,789,012.34%".into(); 5];
    }
    long.rows = [long.rows.clone(), long.rows.clone(), long.rows.clone()].concat();
    long.heads = vec!["a heading of some length".into(); 5];
    long.headline = long.headline.repeat(8);
    sheet.stress = Some(long);
    draw_sheet("stress_long", &sheet);
    sheet.stress = None;
    draw_sheet("overfitting_only", &sheet);
    sheet.stress = Some(StressBox::default());
    sheet.overfitting = None;
    draw_sheet("stress_empty", &sheet);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the values, the names and the shape: a picture, and no label on another.
    #[test]
    fn any_trials_make_a_picture(
        columns in 1usize..60,
        rows in 1usize..60,
        name in "\\PC{0,30}",
        values in prop::collection::vec(prop_oneof![
            4 => (-3.0..3.0f64).prop_map(Some),
            1 => Just(None),
            1 => any::<f64>().prop_map(Some),
        ], 64),
        pairs in 0usize..5,
        percent in any::<bool>(),
        diverging in any::<bool>(),
    ) {
        let objective = Objective { name: name.clone(), percent, diverging };
        let axis = |n: usize, k: usize| varied(&name, (0..n).map(|i| if k.is_multiple_of(2) {
            format!("{}", i * k + 1)
        } else {
            format!("{name}{i}")
        }));
        let cells: Vec<Option<f64>> = (0..columns * rows).map(|i| values[i % values.len()]).collect();
        let panels = (0..pairs).map(|k| HeatPanel {
            x: axis(columns, k),
            y: Some(axis(rows, k / 2)),
            cells: cells.clone(),
            best: Some((columns / 2, rows / 3)),
            folded: name.clone(),
        });
        let mut panels: Vec<HeatPanel> = panels.collect();
        panels.push(HeatPanel {
            x: axis(rows, 1),
            y: None,
            cells: cells[..rows].to_vec(),
            best: Some((0, 0)),
            folded: name.clone(),
        });
        no_overlap("any map", &map(objective.clone(), panels).draw().unwrap());
        let chart = ParallelChart {
            axes: (0..pairs).map(|k| axis(columns, k)).collect(),
            objective,
            trials: (0..rows).map(|i| ParallelTrial {
                point: vec![(i % columns) as u32; pairs],
                objective: values[i],
                top: i % 10 == 0,
            }).collect(),
            best: Some(0),
            title: name.clone(),
            ..ParallelChart::default()
        };
        no_overlap("any parallel", &chart.draw().unwrap());
    }
}
