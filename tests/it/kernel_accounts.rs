//! The kernel's accounts mean what the engine's mean: several symbols on one account, symbols without a
//! bar at some moments, splits, dividends and delistings, interest and index yields, a risk-free rate,
//! shorts on margin, limits and stop entries, partial targets, on random tapes, strategies and points.

use crate::kernel::{steps, tape};
use crate::trials::{assert_figures, assert_near};
use papertape::engine::{BlockSums, backtest, backtest_over};
use papertape::market::{Action, ActionKind, Bars, Market};
use papertape::metrics::trial::block_sums;
use papertape::metrics::{bare_of_run, of_run};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Ask, ParamAxis, Trials};
use papertape::units::DAY_MICROS;
use proptest::prelude::*;
use proptest::strategy::Strategy as Generate;
use std::path::Path;

/// Leaves out the bars whose flag is set, and all before `late`.
fn with_gaps(bars: &Bars, missing: &[bool], late: usize) -> Bars {
    let stays = |i: &usize| *i >= late && !missing.get(*i).copied().unwrap_or(false);
    let kept: Vec<usize> = (0..bars.len()).filter(stays).collect();
    let column = |c: &[f64]| kept.iter().map(|&i| c[i]).collect();
    Bars::new(
        kept.iter().map(|&i| bars.time[i]).collect(),
        column(&bars.open),
        column(&bars.high),
        column(&bars.low),
        column(&bars.close),
        None,
    )
    .unwrap()
}

/// What happens to symbols: day, symbol, kind, value, days until a dividend is paid.
type Happens = (usize, usize, u8, f64, usize);

fn market(tapes: Vec<Bars>, happens: &[Happens], intraday: bool) -> Market {
    let count = tapes.len();
    let days = if intraday { 5 } else { 1 };
    let clock = tapes[0].time.clone();
    let named = tapes.into_iter().zip(["A", "B", "C"]);
    let mut market =
        Market::from_tapes(named.map(|(bars, name)| (name.into(), bars)).collect()).unwrap();
    let midnight = |bar: usize| clock[bar.min(clock.len() - 1)].div_euclid(DAY_MICROS) * DAY_MICROS;
    let mut actions: Vec<Action> = happens
        .iter()
        .map(|&(bar, symbol, kind, value, later)| Action {
            time: midnight(bar),
            symbol: ["A", "B", "C"][symbol % count].into(),
            kind: match kind {
                0 | 1 => ActionKind::Split,
                2..=8 => ActionKind::Dividend,
                _ => ActionKind::Delist,
            },
            value: match kind {
                0 => 2.0,
                1 => 1.0 / 3.0,
                2..=8 => value,
                _ => 0.0,
            },
            pay: (later > 0).then(|| midnight(bar + later * days)),
            declared: None,
        })
        .collect();
    actions.sort_by_key(|a| (a.time, a.symbol.clone(), a.value.to_bits()));
    actions.dedup_by_key(|a| (a.time, a.symbol.clone()));
    market.actions = actions;
    market
}

fn happens() -> impl Generate<Value = Vec<Happens>> {
    let one = (1..150usize, 0..3usize, 0..10u8, 0.01..2.0f64, 0..12usize);
    prop::collection::vec(one, 0..8)
}

fn one_of(pieces: &'static [&'static str]) -> impl Generate<Value = &'static str> {
    prop::sample::select(pieces.to_vec())
}

/// A strategy file of random pieces, with params `a` and `b`.
fn file() -> impl Generate<Value = String> {
    let rules = one_of(&[
        "enter = \"rsi(a) < 40\"\nexit = \"rsi(a) > 60\"",
        "enter = \"crosses_above(sma(a), sma(b))\"\nexit = \"crosses_below(sma(a), sma(b))\"",
        "enter = \"random(7) < 0.4\"\nexit = \"random(9) < b / 50\"\npriority = \"random(3)\"",
        "enter = \"close > sma(b)[1]\"\nexit = \"close < sma(a)\"\npriority = \"-rsi(a)\"",
        "enter = \"close > bb_upper(b, a / 3)\"",
        "enter = \"random(7) < 0.1\"\nexit = \"random(9) < 0.2\"\ncooldown_bars = 3",
        "enter = \"rising(close, 2)\"\nexit = \"false\"\nhold_bars_max = 4",
        "enter = \"sma(a) > sma(b)\"\nexit = \"sma(a) < sma(b)\"\nevery = \"week\"",
    ]);
    let shorts = one_of(&[
        "short = \"random(11) < 0.2\"\ncover = \"random(12) < 0.3\"",
        "short = \"rsi(a) > 65\"\ncover = \"rsi(a) < 50\"",
        "short = \"sma(a) < sma(b)\"",
    ]);
    let size = one_of(&[
        "method = \"equal\"",
        "method = \"equal\"\nmax_positions = 2",
        "method = \"equal\"\nmax_positions = 1\nlot = 1",
        "method = \"fraction\"\nvalue = 0.7",
        "method = \"fraction\"\nvalue = 1.0",
        "method = \"cash\"\nvalue = 3000\nmin_order = 50",
        "method = \"shares\"\nvalue = 7",
        "method = \"kelly\"",
        "method = \"risk\"\nvalue = 0.02\nmax_weight = 0.5",
        "method = \"target_vol\"\nvalue = 0.2",
    ]);
    let stops = one_of(&[
        "",
        "",
        "stop = 0.05",
        "stop = 0.05\ntarget = 0.08\nambiguity = \"path\"",
        "target = 0.04\ntarget_share = 0.5\nstop = \"atr(a)\"",
        "trail = 0.1\nstop = 0.07\ntarget = 0.1\ntarget_share = 0.3",
        "stop = \"1.5 * atr(a)\"\nbreakeven = 0.04",
        "trail = 0.06\nentry_bar = false\nambiguity = \"best\"\ntarget = 0.05",
        "trail = \"a * 0.3\"",
    ]);
    let fill = one_of(&[
        "",
        "",
        "at = \"close\"",
        "at = \"next_close\"",
        "close_at_end = true",
        "at = \"close\"\nclose_at_end = true",
        "order = \"limit\"\nprice = \"0.99 * close\"",
        "order = \"limit\"\nprice = \"close\"\ntif = \"gtc\"\nlimit_touch = \"touch\"",
        "order = \"stop\"\nprice = \"1.01 * close\"\ntif = \"gtc\"",
    ]);
    let costs = one_of(&[
        "preset = \"none\"",
        "commission = 0.001\nslippage_bps = 5",
        "per_share = 0.01\nmin = 1\nmax = 0.02",
        "per_order = 2\nspread_bps = 10",
    ]);
    let account = one_of(&[
        "",
        "",
        "dividends = \"reinvest\"",
        "each = true",
        "kind = \"margin\"\nmargin_rate = 0.06",
        "kind = \"margin\"\nmargin_rate = 0.1\ninitial_margin = 0.5\nmaintenance_margin = 0.4",
        "kind = \"margin\"\nmargin_rate = 0.05\neach = true",
    ]);
    let rates = one_of(&[
        "",
        "",
        "[cash]\nyield = 0.04\n",
        "[cash]\nyield = -0.01\n",
        "[benchmark]\nrate = 0.02\n",
        "[cash]\nyield = 0.03\n[benchmark]\nrate = 0.01\n",
    ]);
    let index = one_of(&["", "", "dividend_yield = 0.02\n", "delist_after = 3\n"]);
    (
        (rules, shorts, size, stops),
        (fill, costs, account, rates, index),
    )
        .prop_map(
            |((rules, shorts, size, stops), (fill, costs, account, rates, index))| {
                let shorts = if account.contains("margin") { shorts } else { "" };
                let borrow = if account.contains("margin") { "borrow_rate = 0.05\n" } else { "" };
                let needs_stop = size.contains("risk") && !stops.contains("stop =");
                let stop = if needs_stop { "stop = 0.09\n" } else { "" };
                format!(
                    "[data]\nsource = \"unused\"\n{index}[params]\na = 3\nb = 5\n[rules]\n{rules}\n{shorts}\n\
                     [size]\n{size}\n[stops]\n{stop}{stops}\n[fill]\n{fill}\n[costs]\n{costs}\n{borrow}\
                     [account]\ncash = 10000\n{account}\n{rates}"
                )
            },
        )
}

fn parse(text: &str) -> Strategy {
    Strategy::parse(text, "random", Path::new("."), &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn axes(count: usize) -> Vec<ParamAxis> {
    let axis = |name: &str, from: usize| ParamAxis {
        name: name.into(),
        values: (from..from + count).map(|v| v as f64).collect(),
    };
    vec![axis("a", 2), axis("b", 4)]
}

/// Every figure of trials against the engine's runs of the same strategies.
fn holds(market: &Market, text: &str, count: usize) {
    let strategy = parse(text);
    let trials = Trials::new(market, &strategy, axes(count)).unwrap_or_else(|e| panic!("{e}"));
    if text.contains("reinvest") && text.contains("dividend_yield") {
        assert!(trials.fallback().is_some());
    } else {
        assert_eq!(trials.fallback(), None, "{text}");
    }
    for point in [vec![0, 0], vec![count - 1, 0], vec![count / 2, count - 1]] {
        let of_point = trials.strategy(&point);
        let run = backtest(market, &of_point).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let trial = trials.measure(&point, None, Ask::Blocks).unwrap();
        let figures = of_run(&run, None, 42);
        // An account without equity has no exposure in the table, whatever it holds.
        let own = run.each.iter().flat_map(|of| &of.equity);
        let is_ruined = run.equity.iter().chain(own).any(|e| *e <= 0.0);
        let exposure = match is_ruined {
            true => figures.get("exposure").unwrap_or(f64::NAN),
            false => trial.exposure,
        };
        let compared = papertape::metrics::trial::Trial {
            exposure,
            ..trial.clone()
        };
        assert_figures(text, &compared, &figures);
        assert_eq!(trial.entries as usize, run.trades.len(), "{text}");
        // A row says the same, to the last bit, whether or not it is judged.
        let row = trials.measure(&point, None, Ask::Figures).unwrap();
        let of = |t: &papertape::metrics::trial::Trial| t.figures().map(f64::to_bits);
        assert_eq!(of(&row), of(&trial), "{text}");
        let bare = trials.measure(&point, None, Ask::Bare).unwrap();
        let figures = bare_of_run(&run);
        for key in ["total_return", "cagr", "sharpe", "max_drawdown", "trades"] {
            let rounding = match key {
                "sharpe" if trial.volatility > 0.0 => 16.0 * 3e-14 / trial.volatility,
                _ => 0.0,
            };
            assert_near(text, bare.get(key), figures.get(key), 1e-12 + rounding);
        }
        let points: Vec<&[usize]> = vec![&point, &[0, 0], &point];
        let each = trials.measure_each(&points, None, Ask::Blocks);
        for k in [0, 2] {
            let again = each[k].as_ref().unwrap();
            let bits = |t: &papertape::metrics::trial::Trial| t.figures().map(f64::to_bits);
            assert_eq!(bits(again), bits(&trial), "{text}");
            // Of a ruined account they are NaN, which equals nothing.
            let sums = |t: &papertape::metrics::trial::Trial| -> Vec<_> {
                let bits = |b: &BlockSums| (b.count, b.sum.to_bits(), b.squares.to_bits());
                t.blocks.iter().map(bits).collect()
            };
            assert_eq!(sums(again), sums(&trial), "{text}");
        }
        let returns = trials.returns(&point, None).unwrap();
        if run.rate.iter().all(|r| *r == 0.0) && trial.total_return.is_finite() {
            for (ours, theirs) in trial.blocks.iter().zip(block_sums(&returns)) {
                assert_eq!(ours.count, theirs.count);
                assert!((ours.sum - theirs.sum).abs() < 1e-11, "{text}");
                assert!((ours.squares - theirs.squares).abs() < 1e-11, "{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_trial_of_an_account_is_the_engines_run(
        all in prop::collection::vec(steps(90..91), 1..4),
        missing in prop::collection::vec(prop::bool::weighted(0.1), 90..91),
        late in 0..40usize,
        gaps: bool,
        intraday: bool,
        happens in happens(),
        text in file(),
    ) {
        let bars = all.iter().enumerate().map(|(k, steps)| {
            let bars = tape(steps, intraday);
            if k > 0 && gaps { with_gaps(&bars, &missing[k..], late) } else { bars }
        });
        holds(&market(bars.collect(), &happens, intraday), &text, 3);
    }

    #[test]
    fn a_span_of_an_account_is_the_engines(
        all in prop::collection::vec(steps(140..141), 1..3),
        happens in happens(),
        text in file(),
        from in 0..60usize,
        len in 40..60usize,
    ) {
        let bars = all.iter().map(|steps| tape(steps, false));
        let market = market(bars.collect(), &happens, false);
        let trials = Trials::new(&market, &parse(&text), axes(3)).unwrap();
        let span = Some(from..from + len);
        let run = backtest_over(&market, &trials.strategy(&[1, 2]), span.clone()).unwrap();
        let trial = trials.measure(&[1, 2], span.clone(), Ask::Figures).unwrap();
        prop_assert_eq!(trial.entries as usize, run.trades.len());
        let end = run.equity.last().unwrap() / run.start_equity - 1.0;
        // An equity that was not positive has no return, even when it came back.
        let is_ruined = run.equity.iter().any(|e| *e <= 0.0);
        prop_assert!((trial.total_return - end).abs() <= 1e-12 * (1.0 + end.abs()) || is_ruined);
        let returns = trials.returns(&[1, 2], span).unwrap();
        prop_assert_eq!(returns.len(), len);
    }
}

/// Long enough for stretches of several blocks, with interest that is compounded over them.
#[test]
fn long_stretches_keep_their_digits() {
    let wave = |k: usize| -> Vec<[f64; 4]> {
        let step = |i: usize| ((i * i * (k + 2)) % 97) as f64 / 970.0 - 0.049;
        (0..6_000).map(|i| [step(i), 0.01, 0.01, 0.0]).collect()
    };
    let bars = (0..3).map(|k| tape(&wave(k), false)).collect();
    let happens: Vec<Happens> = (0..30)
        .map(|k| (k * 190 + 7, k, 2, 0.1 + k as f64 / 100.0, 15))
        .collect();
    let market = market(bars, &happens, false);
    for more in [
        "",
        "[cash]\nyield = 0.05\n",
        "[cash]\nyield = 0.05\n[benchmark]\nrate = 0.02\n",
    ] {
        let text = format!(
            "[data]\nsource = \"unused\"\ndividend_yield = 0.02\n[params]\na = 30\nb = 5\n[rules]\n\
             enter = \"crosses_above(sma(10 * a), sma(80 * b))\"\nexit = \"crosses_below(sma(10 * a), sma(80 * b))\"\n\
             [costs]\ncommission = 0.001\n{more}"
        );
        holds(&market, &text, 3);
    }
}
