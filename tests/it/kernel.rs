//! The kernel means what the engine means: on random tapes, strategies and points, and on spans, every
//! figure is that of the engine's run.

use crate::trials::{assert_figures, shipped};
use papertape::engine::{BlockSums, backtest, backtest_bare, backtest_over};
use papertape::market::{Bars, Market};
use papertape::metrics::trial::Trial;
use papertape::metrics::{bare_of_run, of_run};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Ask, ParamAxis, Trials, bare_figures};
use papertape::units::{DAY_MICROS, Micros};
use proptest::prelude::*;
use proptest::strategy::Strategy as Generate;
use std::path::Path;

const MINUTE: Micros = 60_000_000;

/// Random bars of one symbol: returns, reaches up and down, gaps.
pub(crate) fn steps(bars: std::ops::Range<usize>) -> impl Generate<Value = Vec<[f64; 4]>> {
    let step = prop_oneof![
        8 => -0.05..0.05f64,
        1 => Just(0.0),
        1 => prop_oneof![Just(-0.5), Just(0.9)],
    ];
    let bar = (step, 0.0..0.03f64, 0.0..0.03f64, -0.02..0.02f64);
    let bar = bar.prop_map(|(step, up, down, gap)| [step, up, down, gap]);
    prop::collection::vec(bar, bars)
}

/// Daily bars, or (`intraday`) sessions of five bars.
pub(crate) fn tape(steps: &[[f64; 4]], intraday: bool) -> Bars {
    let day = |i: usize| (11_323 + (i / 5 * 7 + i % 5) as i64) * DAY_MICROS;
    let moment = |i: usize| match intraday {
        false => day(i),
        true => day(i / 5) + (570 + 78 * (i % 5) as i64) * MINUTE,
    };
    let mut close = 50.0;
    let mut columns = [(); 4].map(|()| Vec::with_capacity(steps.len()));
    for [step, up, down, gap] in steps {
        let open = close * (1.0 + gap);
        close *= 1.0 + step;
        let (high, low) = (open.max(close) * (1.0 + up), open.min(close) * (1.0 - down));
        for (column, price) in columns.iter_mut().zip([open, high, low, close]) {
            column.push(price);
        }
    }
    let [open, high, low, close] = columns;
    let time = (0..steps.len()).map(moment).collect();
    Bars::new(time, open, high, low, close, None).expect("sound bars")
}

/// Figures that may be NaN, to the last bit.
fn bits(trial: &Trial) -> (Vec<u64>, u32, Vec<BlockSums>) {
    let figures = trial.figures().map(f64::to_bits).to_vec();
    (figures, trial.entries, trial.blocks.clone())
}

/// A strategy file of random pieces that the kernel carries, with params `a` and `b`.
fn file() -> impl Generate<Value = String> {
    let rules = prop::sample::select(vec![
        ("rsi(a) < 40", "rsi(a) > 60"),
        (
            "crosses_above(sma(a), sma(b))",
            "crosses_below(sma(a), sma(b))",
        ),
        ("close > highest(high, b)[1]", "close < lowest(low, a)[1]"),
        ("random(7) < 0.4", "random(9) < b / 50"),
        (
            "signal > 0 and not (rsi(3) > 80)",
            "signal < 0 or rsi(a) > 90",
        ),
        ("close > bb_upper(b, a / 3)", "close < sma(a)[1]"),
        ("sma(a) / sma(b) > 1", "sma(a)[2] < sma(b)"),
        ("rising(close, 2)", "false"),
    ]);
    let size = prop::sample::select(vec![
        "method = \"equal\"",
        "method = \"fraction\"\nvalue = 0.7",
        "method = \"fraction\"\nvalue = 1.0\nlot = 1",
        "method = \"cash\"\nvalue = 3000\nmin_order = 50",
        "method = \"shares\"\nvalue = 7",
        "method = \"equal\"\nmax_positions = 2",
        "method = \"kelly\"",
        "method = \"risk\"\nvalue = 0.02",
    ]);
    let stops = prop::sample::select(vec![
        "",
        "stop = 0.05",
        "stop = 0.05\ntarget = 0.08\nambiguity = \"path\"",
        "trail = 0.1\nstop = 0.07\ntarget = 0.1",
        "stop = \"1.5 * atr(a)\"\nbreakeven = 0.04",
        "trail = 0.06\nentry_bar = false\nambiguity = \"best\"\ntarget = 0.05",
        "target = 0.04",
        "trail = \"a * 0.3\"",
    ]);
    let fill = prop::sample::select(vec![
        "",
        "at = \"close\"",
        "at = \"next_close\"",
        "close_at_end = true",
        "at = \"close\"\nclose_at_end = true",
    ]);
    let costs = prop::sample::select(vec![
        "preset = \"none\"",
        "commission = 0.001\nslippage_bps = 5",
        "per_share = 0.01\nmin = 1\nmax = 0.02",
        "per_order = 2\nspread_bps = 10",
    ]);
    let every = prop::sample::select(vec!["", "every = \"week\"\n", "every = \"month\"\n"]);
    let hold = prop::option::weighted(0.3, 1..6u32);
    (rules, size, stops, fill, costs, every, 0..3u32, hold).prop_map(
        |((enter, exit), size, stops, fill, costs, every, cooldown, hold)| {
            let hold = hold.map_or(String::new(), |n| format!("hold_bars_max = {n}\n"));
            let needs_stop = size.contains("risk") && !stops.contains("stop =");
            let stop = if needs_stop { "stop = 0.09\n" } else { "" };
            format!(
                "[data]\nsource = \"unused\"\n[params]\na = 3\nb = 5\n[series]\nsignal = \"sma(a) - sma(b)\"\n\
                 [rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n{every}{hold}cooldown_bars = {cooldown}\n\
                 [size]\n{size}\n[stops]\n{stop}{stops}\n[fill]\n{fill}\n[costs]\n{costs}\n[account]\ncash = 10000\n"
            )
        },
    )
}

fn parse(text: &str) -> Strategy {
    Strategy::parse(text, "random", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn axes(count: usize) -> Vec<ParamAxis> {
    let values = |from: usize| (from..from + count).map(|v| v as f64).collect();
    vec![
        ParamAxis {
            name: "a".into(),
            values: values(2),
        },
        ParamAxis {
            name: "b".into(),
            values: values(4),
        },
    ]
}

/// Every figure of a trial against the engine's run of the same strategy.
fn holds(market: &Market, text: &str, count: usize) {
    let strategy = parse(text);
    let trials = Trials::new(market, &strategy, axes(count)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(trials.fallback(), None, "{text}");
    for point in [vec![0, 0], vec![count - 1, 0], vec![count / 2, count - 1]] {
        let of_point = trials.strategy(&point);
        let run = backtest(market, &of_point).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let trial = trials.measure(&point, None, Ask::Blocks).unwrap();
        assert_figures(text, &trial, &of_run(&run, None, 42));
        assert_eq!(trial.entries as usize, run.trades.len(), "{text}");
        // A row says the same, to the last bit, whether or not it is judged.
        let row = trials.measure(&point, None, Ask::Figures).unwrap();
        assert_eq!(bits(&row).0, bits(&trial).0, "{text}");
        let bare = trials.measure(&point, None, Ask::Bare).unwrap();
        let figures = bare_of_run(&run);
        for key in ["total_return", "cagr", "sharpe", "max_drawdown", "trades"] {
            // A ratio to a small deviation carries the rounding of returns, as in `assert_figures`;
            // bars of a session deviate less than sessions.
            let rounding = match key {
                "sharpe" if trial.volatility > 0.0 => 16.0 * 3e-14 / trial.volatility,
                _ => 0.0,
            };
            let (ours, theirs) = (bare.get(key), figures.get(key));
            crate::trials::assert_near(text, ours, theirs, 1e-12 + rounding);
        }
        let points: Vec<&[usize]> = vec![&point, &[0, 0], &point];
        let each = trials.measure_each(&points, None, Ask::Blocks);
        assert_eq!(bits(each[0].as_ref().unwrap()), bits(&trial), "{text}");
        assert_eq!(bits(each[2].as_ref().unwrap()), bits(&trial), "{text}");
        let returns = trials.returns(&point, None).unwrap();
        let length = returns.len() / 16;
        for (block, sums) in returns.chunks(length.max(1)).zip(&trial.blocks) {
            let sum: f64 = block.iter().sum();
            let squares: f64 = block.iter().map(|r| r * r).sum();
            assert!((sum - sums.sum).abs() < 1e-11, "{text}");
            assert!((squares - sums.squares).abs() < 1e-11, "{text}");
            assert_eq!(sums.count as usize, length);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_trial_is_the_engines_run(steps in steps(30..260), text in file(), intraday: bool, count in 2..5usize) {
        let market = Market::from_tapes(vec![("X".into(), tape(&steps, intraday))]).unwrap();
        holds(&market, &text, count);
    }

    #[test]
    fn accounts_of_their_own_are_the_engines(a in steps(60..61), b in steps(60..61), text in file()) {
        let tapes = vec![("A".into(), tape(&a, false)), ("B".into(), tape(&b, false))];
        let market = Market::from_tapes(tapes).unwrap();
        holds(&market, &text.replace("[account]\n", "[account]\neach = true\n"), 3);
    }

    #[test]
    fn a_span_is_the_engines_span(steps in steps(120..200), text in file(), from in 0..60usize, len in 40..60usize) {
        let market = Market::from_tapes(vec![("X".into(), tape(&steps, false))]).unwrap();
        let trials = Trials::new(&market, &parse(&text), axes(3)).unwrap();
        let span = Some(from..from + len);
        let run = backtest_over(&market, &trials.strategy(&[1, 2]), span.clone()).unwrap();
        let trial = trials.measure(&[1, 2], span.clone(), Ask::Figures).unwrap();
        prop_assert_eq!(trial.entries as usize, run.trades.len());
        let end = run.equity.last().unwrap() / run.start_equity - 1.0;
        prop_assert!((trial.total_return - end).abs() <= 1e-12 * (1.0 + end.abs()));
        let returns = trials.returns(&[1, 2], span).unwrap();
        prop_assert_eq!(returns.len(), len);
    }
}

#[test]
fn bare_runs_of_accounts_of_their_own_have_the_engines_figures() {
    let steps = |k: usize| -> Vec<[f64; 4]> {
        let step = |i: usize| ((i * i * (k + 3)) % 41) as f64 / 500.0 - 0.04;
        (0..300).map(|i| [step(i), 0.01, 0.01, 0.0]).collect()
    };
    let tapes = (0..3).map(|k| (format!("S{k}"), tape(&steps(k), false)));
    let market = Market::from_tapes(tapes.collect()).unwrap();
    for costs in ["commission = 0.001", "preset = \"none\""] {
        let text = format!(
            "[data]\nsource = \"unused\"\n[rules]\nenter = \"rsi(5) < 40\"\nexit = \"rsi(5) > 60\"\n[costs]\n{costs}\n[account]\neach = true\n"
        );
        let strategy = parse(&text);
        let run = papertape::engine::backtest_bare(&market, &strategy).unwrap();
        let (ours, theirs) = (bare_figures(&market, &strategy).unwrap(), bare_of_run(&run));
        assert_eq!(ours.observations, theirs.observations);
        for (key, value) in &theirs.values {
            assert!(value.is_ok(), "{key}");
            crate::trials::assert_close(key, ours.get(key), theirs.get(key));
        }
    }
}

#[test]
fn long_tapes_are_summed_up_by_blocks() {
    let steps: Vec<[f64; 4]> = (0..20_000)
        .map(|i| {
            let wave = ((i * i) % 97) as f64 / 970.0 - 0.049;
            [wave, 0.01, 0.01, 0.0]
        })
        .collect();
    let market = Market::from_tapes(vec![("X".into(), tape(&steps, false))]).unwrap();
    let text = "[data]\nsource = \"unused\"\n[params]\na = 3\nb = 5\n[rules]\nenter = \"crosses_above(sma(a), sma(10 * b))\"\nexit = \"crosses_below(sma(a), sma(10 * b))\"\n[costs]\ncommission = 0.001\n";
    holds(&market, text, 4);
}

/// On tapes so long averages are computed a piece at a time, with the bars that each remembers.
#[test]
fn columns_of_long_tapes_are_computed_piece_by_piece() {
    let mut state = 11_u64;
    let steps: Vec<[f64; 4]> = (0..40_007)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let step = (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5;
            [0.02 * step, 0.001, 0.001, 0.0]
        })
        .collect();
    let market = Market::from_tapes(vec![("X".into(), tape(&steps, false))]).unwrap();
    for (enter, exit) in [
        (
            "crosses_above(sma(a), sma(90 * b))",
            "crosses_below(sma(a), sma(90 * b))",
        ),
        (
            "sma(high, 70 * a) < close[3] and rsi(a) < 60",
            "(sma(open, 37 * b) > close)[500]",
        ),
        // Remembers too much to be computed in pieces, and more bars than there are.
        (
            "close > sma(700 * a) and not (sma(20000 * a) > close)",
            "close < sma(a)",
        ),
    ] {
        let text = format!(
            "[data]\nsource = \"unused\"\n[params]\na = 3\nb = 5\n[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n[costs]\ncommission = 0.00001\n"
        );
        let strategy = parse(&text);
        let trials = Trials::new(&market, &strategy, axes(4)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(trials.fallback(), None, "{text}");
        let points: Vec<&[usize]> = vec![&[0, 0], &[3, 0], &[2, 3]];
        let each = trials.measure_each(&points, None, Ask::Bare);
        for (point, trial) in points.iter().zip(each) {
            let trial = trial.unwrap();
            let alone = trials.measure(point, None, Ask::Bare).unwrap();
            assert_eq!(bits(&trial), bits(&alone), "{text}");
            let run = backtest_bare(&market, &trials.strategy(point)).unwrap();
            let figures = bare_of_run(&run);
            assert_eq!(trial.entries as usize, run.trades.len(), "{text}");
            for key in ["total_return", "cagr", "sharpe", "max_drawdown", "trades"] {
                crate::trials::assert_near(&text, trial.get(key), figures.get(key), 1e-11);
            }
        }
    }
}

#[test]
fn what_the_kernel_does_not_carry_is_said_and_run_by_the_engine() {
    let steps: Vec<[f64; 4]> = (0..80)
        .map(|i| [((i % 7) as f64 - 3.0) / 100.0, 0.0, 0.0, 0.0])
        .collect();
    let one = || Market::from_tapes(vec![("X".into(), tape(&steps, false))]).unwrap();
    let base =
        "[data]\nsource = \"unused\"\n[params]\na = 3\nb = 5\n[rules]\nenter = \"rsi(a) < 40\"\n";
    let exit = "exit = \"rsi(a) > 60\"\n";
    for (more, why) in [
        (
            "exit = \"rsi(a) > 60 or bars_held > 5\"\n".to_string(),
            "an exit or a stop that reads the open position",
        ),
        (
            format!("{exit}[size]\nmethod = \"fraction\"\nvalue = 0.3\npyramid = true\n"),
            "adding to positions",
        ),
        (
            format!("{exit}[account]\nsettlement_days = 2\n"),
            "settlement days",
        ),
    ] {
        let market = one();
        let trials = Trials::new(&market, &parse(&format!("{base}{more}")), axes(2)).unwrap();
        assert_eq!(trials.fallback(), Some(why));
        let trial = trials.measure(&[0, 1], None, Ask::Figures).unwrap();
        let run = backtest(&market, &trials.strategy(&[0, 1])).unwrap();
        assert_figures(&more, &trial, &of_run(&run, None, 42));
    }
}

#[test]
fn a_point_that_an_expression_refuses_is_an_error_and_the_others_are_not() {
    let market = Market::from_tapes(vec![(
        "X".into(),
        tape(&[[0.01, 0.0, 0.0, 0.0]; 60], false),
    )])
    .unwrap();
    let text = "[data]\nsource = \"unused\"\n[params]\na = 3\n[rules]\nenter = \"close > sma(a)\"\nexit = \"close < sma(a)\"\n";
    let axes = vec![ParamAxis {
        name: "a".into(),
        values: vec![3.0, 0.0, 2.5],
    }];
    let trials = Trials::new(&market, &parse(text), axes).unwrap();
    assert!(trials.measure(&[0], None, Ask::Figures).is_ok());
    let error = trials
        .measure(&[1], None, Ask::Figures)
        .unwrap_err()
        .to_string();
    assert!(error.contains("whole number"), "{error}");
    assert!(trials.measure(&[2], None, Ask::Bare).is_err());
}

#[test]
fn every_shipped_strategy_of_rules_is_carried() {
    let mut carried = 0;
    for file in shipped() {
        let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
        // Selectors, flows, taxes and options go through the loop, which `docs/sweep.md` says.
        let has_more = strategy.rank.is_some()
            || strategy.weights.is_some()
            || strategy.tax.is_some()
            || strategy.options.is_some()
            || !strategy.cashflows.is_empty();
        if has_more {
            continue;
        }
        carried += 1;
        let market = papertape::engine::read_market(&strategy, false).unwrap();
        let trials = Trials::new(&market, &strategy, vec![]).unwrap();
        assert_eq!(trials.fallback(), None, "{}", file.display());
    }
    assert!(carried >= 11);
}
