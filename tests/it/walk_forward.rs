//! Walking forward: windows by hand, the stitched account against uninterrupted runs, the future cut
//! off, the sealed holdout, and the mistakes of users.

use papertape::engine::{Stage, read_market, simulate, simulate_scheduled};
use papertape::market::{Bars, Market, date_of, midnight};
use papertape::strategy::{Overrides, Strategy, Stretch};
use papertape::study::walk_forward::{
    Candidates, Objective, Walk, WalkOptions, Window, Windows, walk_forward,
};
use papertape::study::{ParamAxis, Trials};
use papertape::units::{DAY_MICROS, Micros};
use papertape::{Error, Run};
use std::path::Path;

/// Every calendar day from 2000-01-01 on.
fn days(n: i64) -> Vec<Micros> {
    (0..n).map(|i| (10_957 + i) * DAY_MICROS).collect()
}

fn windows(train: Stretch, test: Stretch) -> Windows {
    Windows {
        train,
        test,
        step: test,
        anchored: false,
        purge_bars: 0,
    }
}

/// (train from, train to, test from, test to, cut short), one past the end.
fn table(found: &[Window]) -> Vec<(usize, usize, usize, usize, bool)> {
    let row = |w: &Window| {
        (
            w.train.start,
            w.train.end,
            w.test.start,
            w.test.end,
            w.is_cut,
        )
    };
    found.iter().map(row).collect()
}

#[test]
fn windows_in_bars_are_those_of_the_table() {
    use Stretch::Bars;
    let clock = days(30);
    let rolling = windows(Bars(10), Bars(5));
    assert_eq!(
        table(&rolling.over(&clock, 0..28).unwrap()),
        [
            (0, 10, 10, 15, false),
            (5, 15, 15, 20, false),
            (10, 20, 20, 25, false),
            (15, 25, 25, 28, true),
        ]
    );
    let anchored = Windows {
        anchored: true,
        ..rolling
    };
    assert_eq!(
        table(&anchored.over(&clock, 2..27).unwrap()),
        [
            (2, 12, 12, 17, false),
            (2, 17, 17, 22, false),
            (2, 22, 22, 27, false),
        ]
    );
    // Purged bars are the last before the test window, and are in neither.
    let purged = Windows {
        purge_bars: 3,
        ..rolling
    };
    assert_eq!(
        table(&purged.over(&clock, 0..20).unwrap()),
        [(0, 7, 10, 15, false), (5, 12, 15, 20, false)]
    );
    // A step shorter than the test window chooses anew before it is over.
    let stepped = Windows {
        step: Bars(4),
        test: Bars(8),
        ..rolling
    };
    assert_eq!(
        table(&stepped.over(&clock, 0..20).unwrap()),
        [
            (0, 10, 10, 14, false),
            (4, 14, 14, 18, false),
            (8, 18, 18, 20, true),
        ]
    );
}

#[test]
fn windows_on_the_calendar_do_not_drift() {
    use Stretch::{Days, Months};
    // 31 days of January 2000, 29 of February, 31 of March, 30 of April.
    let clock = days(31 + 29 + 31 + 30);
    assert_eq!(
        table(&windows(Months(1), Months(1)).over(&clock, 0..121).unwrap()),
        [
            (0, 31, 31, 60, false),
            (31, 60, 60, 91, false),
            (60, 91, 91, 121, false),
        ]
    );
    // From the 31st a month on is the last day of shorter months, and the 31st again after them.
    assert_eq!(
        table(&windows(Months(1), Months(1)).over(&clock, 30..121).unwrap()),
        [
            (30, 59, 59, 90, false),
            (59, 90, 90, 120, false),
            (90, 120, 120, 121, true),
        ]
    );
    assert_eq!(
        table(&windows(Days(70), Days(28)).over(&clock, 0..98).unwrap()),
        [(0, 70, 70, 98, false)]
    );
    // Days without a bar: the window begins on the first bar of its days.
    let gaps: Vec<Micros> = clock
        .iter()
        .copied()
        .filter(|t| t / DAY_MICROS % 7 < 2)
        .collect();
    for window in windows(Days(14), Days(3))
        .over(&gaps, 0..gaps.len())
        .unwrap()
    {
        assert!(!window.test.is_empty() && !window.train.is_empty());
        assert_eq!(window.train.end, window.test.start);
    }
}

#[test]
fn windows_that_do_not_fit_say_so() {
    use Stretch::{Bars, Months};
    let clock = days(100);
    let why = |windows: Windows| {
        let error: Error = windows.over(&clock, 0..100).unwrap_err();
        (
            error.to_string(),
            error.problems()[0].column.clone().unwrap_or_default(),
        )
    };
    let (text, key) = why(windows(Months(12), Months(1)));
    assert!(text.contains("1 year leaves no bar to test on"), "{text}");
    assert!(text.contains("100 bars, from 2000-01-01"), "{text}");
    assert_eq!(key, "walk_forward.train");
    assert!(why(windows(Bars(100), Bars(1))).0.contains("100 bars"));
    assert!(
        why(windows(Bars(u32::MAX), Bars(u32::MAX)))
            .0
            .contains("leaves no bar")
    );
    assert!(
        why(windows(Months(u32::MAX), Months(u32::MAX)))
            .0
            .contains("leaves no bar")
    );
    let (text, key) = why(Windows {
        purge_bars: 31,
        ..windows(Months(1), Months(1))
    });
    assert!(text.contains("has no bar left"), "{text}");
    assert_eq!(key, "walk_forward.purge_bars");
}

fn golden_cross(more: &str) -> Strategy {
    let text = format!(
        "name = \"cross\"\n[data]\nsource = \"data/stocks\"\nsymbols = [\"AAPL\", \"IBM\", \"MSFT\"]\n\
         start = 2000-01-03\n[params]\nfast = 20\nslow = 50\n\
         [rules]\nenter = \"sma(fast) > sma(slow)\"\nexit = \"sma(fast) < sma(slow)\"\n\
         [stops]\nstop = 0.1\n[size]\nmethod = \"risk\"\nvalue = 0.02\n\
         [costs]\ncommission = 0.001\nslippage_bps = 2\n{more}"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Strategy::parse(&text, "cross.toml", root, &Overrides::default()).unwrap()
}

fn axis(name: &str, values: &[f64]) -> ParamAxis {
    ParamAxis {
        name: name.to_owned(),
        values: values.to_vec(),
    }
}

fn walk(
    market: &Market,
    strategy: &Strategy,
    axes: Vec<ParamAxis>,
    windows: Windows,
    threads: usize,
) -> (Walk, Run) {
    let trials = Trials::new(market, strategy, axes).unwrap();
    let candidates = Candidates::grid(market, trials);
    let options = WalkOptions {
        windows,
        objective: Objective {
            key: "sharpe".to_owned(),
        },
        threads: Some(threads),
        progress: &|_| {},
    };
    let (walk, outcome) = walk_forward(&candidates, &options).unwrap();
    (walk, outcome.run)
}

/// The run of a strategy from a clock bar to the last, by its own dates.
fn plain(market: &Market, strategy: &Strategy, from: usize) -> Run {
    let mut strategy = strategy.clone();
    strategy.data.start = Some(date_of(market.clock[from]));
    simulate(market, &strategy).unwrap().run
}

/// Everything that a run did, to the last bit.
fn same(a: &Run, b: &Run) {
    assert_eq!(a.time, b.time);
    assert_eq!(a.equity, b.equity);
    assert_eq!(a.orders, b.orders);
    assert_eq!(a.trades, b.trades);
    assert_eq!(a.ledger, b.ledger);
    assert_eq!(a.income, b.income);
    assert_eq!(a, b);
}

#[test]
fn one_fold_and_one_combination_are_the_plain_run() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let windows = windows(Stretch::Months(60), Stretch::Months(12 * 100));
    let (walk, stitched) = walk(&market, &strategy, vec![axis("fast", &[20.0])], windows, 1);
    assert_eq!((walk.folds.len(), walk.trials), (1, 1));
    assert!(walk.folds[0].window.is_cut);
    same(
        &stitched,
        &plain(&market, &strategy, walk.folds[0].window.test.start),
    );
    assert!(stitched.trades.len() > 20);
}

#[test]
fn holdings_cross_the_borders_of_folds() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    for windows in [
        windows(Stretch::Months(24), Stretch::Months(3)),
        windows(Stretch::Bars(500), Stretch::Bars(7)),
    ] {
        let (walk, stitched) = walk(&market, &strategy, vec![axis("fast", &[20.0])], windows, 2);
        assert!(walk.folds.len() > 20);
        let from = walk.folds[0].window.test.start;
        same(&stitched, &plain(&market, &strategy, from));
        let held = walk.folds.iter().filter(|fold| {
            let at = fold.window.test.start;
            stitched
                .trades
                .iter()
                .any(|t| t.entry_bar < at && t.exit_bar > at)
        });
        assert!(held.count() > 10, "positions were open at borders");
    }
}

#[test]
fn a_change_of_parameters_is_traded_and_paid_for() {
    // One symbol, rising by a step a day: the first stage holds, the second never wants to.
    let strategy = |enter: &str, exit: &str| {
        let text = format!(
            "[data]\nsource = \"unused\"\n[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n\
             [costs]\ncommission = 0.01\n"
        );
        Strategy::parse(&text, "x.toml", Path::new(""), &Overrides::default()).unwrap()
    };
    let closes: Vec<f64> = (0..10).map(|i| 100.0 + f64::from(i)).collect();
    let bars = Bars::of_closes(days(10), closes).unwrap();
    let market = Market::from_tapes(vec![("A".into(), bars)]).unwrap();
    let stage = |bars: std::ops::Range<usize>, strategy: Strategy| Stage { bars, strategy };
    let stages = [
        stage(1..5, strategy("close > 0", "close < 0")),
        stage(5..9, strategy("close < 0", "close > 0")),
    ];
    let run = simulate_scheduled(&market, &stages).unwrap().run;
    assert_eq!((run.first_bar, run.equity.len()), (1, 8));
    let trade = &run.trades[0];
    // Decided on the first close of its stage, filled on the next open: bars 2 and 6.
    assert_eq!(
        (run.trades.len(), trade.entry_bar, trade.exit_bar),
        (1, 2, 6)
    );
    let shares = 100_000.0 / (102.0 * 1.01);
    let end = shares * 106.0 * 0.99;
    assert!(
        (run.equity[7] - end).abs() < 1e-6,
        "{} {end}",
        run.equity[7]
    );
    // Stages that leave a gap, and accounts that change, are refused.
    let gap = [
        stage(1..5, strategy("close > 0", "close < 0")),
        stage(6..9, strategy("close < 0", "close > 0")),
    ];
    assert!(simulate_scheduled(&market, &gap).is_err());
    let mut richer = stages.clone();
    richer[1].strategy.account.cash = 5.0;
    let error = simulate_scheduled(&market, &richer)
        .unwrap_err()
        .to_string();
    assert!(error.contains("[account] changes"), "{error}");
    assert!(simulate_scheduled(&market, &[]).is_err());
}

fn axes() -> Vec<ParamAxis> {
    vec![
        axis("fast", &[5.0, 10.0, 20.0]),
        axis("slow", &[40.0, 80.0]),
    ]
}

#[test]
fn the_best_of_the_past_trades_the_future() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let windows = windows(Stretch::Months(36), Stretch::Months(12));
    let (one, stitched) = walk(&market, &strategy, axes(), windows, 1);
    let (two, again) = walk(&market, &strategy, axes(), windows, 2);
    assert_eq!(
        (&one, &stitched),
        (&two, &again),
        "for any number of threads"
    );
    assert_eq!(one.trials, 6);
    let trials = Trials::new(&market, &strategy, axes()).unwrap();
    let candidates = Candidates::grid(&market, trials);
    for fold in &one.folds {
        let sharpe = |at: usize| candidates.measure(at, &fold.window.train).unwrap().sharpe;
        let best = (0..6).fold(
            0,
            |best, at| if sharpe(at) > sharpe(best) { at } else { best },
        );
        assert_eq!(fold.chosen, best);
        assert_eq!(fold.in_sample.sharpe, sharpe(best));
        assert!(fold.rank.is_none_or(|r| (0.0..=1.0).contains(&r)));
    }
    assert!(one.folds.iter().filter(|f| f.rank.is_some()).count() > 3);
    assert!(
        one.stability.iter().any(|s| s.changes > 0),
        "something changes"
    );
    // The product of the folds' growth is the stitched growth.
    let growth: f64 = one
        .folds
        .iter()
        .map(|f| 1.0 + f.out_of_sample.get("total_return").unwrap())
        .product();
    let whole = stitched.equity.last().unwrap() / stitched.start_equity;
    assert!((growth / whole - 1.0).abs() < 1e-12);
    let trades: f64 = one
        .folds
        .iter()
        .filter_map(|f| f.out_of_sample.get("trades"))
        .sum();
    let closed = stitched
        .trades
        .iter()
        .filter(|t| t.status.name() == "closed");
    assert_eq!(trades as usize, closed.count());
}

#[test]
fn the_future_changes_no_earlier_fold() {
    let strategy = golden_cross("");
    let whole = read_market(&strategy, false).unwrap();
    let windows = windows(Stretch::Months(36), Stretch::Months(12));
    let (all, stitched) = walk(&whole, &strategy, axes(), windows, 2);
    let cut = midnight(chrono::NaiveDate::from_ymd_opt(2006, 5, 10).unwrap());
    let (part, until) = walk(&whole.before(cut).unwrap(), &strategy, axes(), windows, 2);
    assert!(part.folds.len() > 2 && part.folds.len() < all.folds.len());
    for (a, b) in part.folds.iter().zip(&all.folds) {
        assert_eq!((&a.window.train, a.chosen), (&b.window.train, b.chosen));
        assert_eq!(a.in_sample, b.in_sample);
        if !a.window.is_cut {
            assert_eq!(a, b);
        }
    }
    assert_eq!(until.equity, stitched.equity[..until.equity.len()]);
}
