//! Walking forward: windows by hand, the stitched account against uninterrupted runs, the future cut
//! off, the sealed holdout, and the mistakes of users.

use crate::readme::clone;
use papertape::engine::{Stage, read_market, simulate, simulate_scheduled};
use papertape::market::{Bars, Market, date_of, midnight};
use papertape::strategy::{Overrides, Strategy, Stretch};
use papertape::study::sweep::{Choice, Field, Watch};
use papertape::study::walk_forward::{
    Candidates, Crossed, Crossing, Objective, Walk, WalkOptions, WalkPart, Window, Windows,
    crossed, walk_forward,
};
use papertape::units::{DAY_MICROS, Micros};
use papertape::{Error, Run};
use std::cell::RefCell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
fn a_last_window_of_less_than_a_quarter_is_traded_by_the_one_before() {
    use Stretch::{Bars, Months};
    let clock = days(200);
    let rolling = windows(Bars(10), Bars(8));
    let ends = |windows: Windows, end: usize| {
        let found = windows.over(&clock, 0..end).unwrap();
        let row = |w: &Window| (w.test.start, w.test.end, w.is_cut);
        found.iter().map(row).collect::<Vec<_>>()
    };
    // Two of eight bars are a quarter, one is less.
    assert_eq!(
        ends(rolling, 28),
        [(10, 18, false), (18, 26, false), (26, 28, true)]
    );
    assert_eq!(ends(rolling, 27), [(10, 18, false), (18, 27, false)]);
    assert_eq!(ends(rolling, 26), [(10, 18, false), (18, 26, false)]);
    // The only window stays, however short.
    assert_eq!(ends(rolling, 11), [(10, 11, true)]);
    // With steps of five bars it is a quarter of a step; the window that goes on is cut when the data
    // ends before its own eight bars do.
    let stepped = Windows {
        step: Bars(5),
        ..rolling
    };
    assert_eq!(ends(stepped, 17), [(10, 15, false), (15, 17, true)]);
    assert_eq!(ends(stepped, 16), [(10, 16, true)]);
    // What trained the window before is as it was.
    let merged = rolling.over(&clock, 0..27).unwrap();
    assert_eq!(merged[1].train, 8..18);
    // Months: February has 29 days, and 7 of March are less than a quarter of it.
    let monthly = windows(Months(1), Months(1));
    assert_eq!(ends(monthly, 67), [(31, 67, false)]);
    assert_eq!(ends(monthly, 68), [(31, 60, false), (60, 68, true)]);
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
            // One bar of May is no window of its own.
            (59, 90, 90, 121, false),
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
         [costs]\ncommission = 0.001\nslippage_bps = 2\n[sweep]\nwhere = \"fast < slow\"\n{more}"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Strategy::parse(&text, "cross.toml", root, &Overrides::default()).unwrap()
}

/// `--vary` of these axes, and all points of it.
fn field(strategy: &Strategy, vary: &[(&str, &str)]) -> (Field, Choice) {
    let mut strategy = strategy.clone();
    for (key, values) in vary {
        strategy.vary(key, values).unwrap();
    }
    let method = strategy.sweep.method;
    let field = Field::new(strategy, Overrides::default(), Some(1), false).unwrap();
    let choice = Choice::of(&field.space, method, None, 1).unwrap();
    (field, choice)
}

fn walk(
    market: &Market,
    strategy: &Strategy,
    vary: &[(&str, &str)],
    windows: Windows,
    threads: usize,
) -> (Walk, Run) {
    let (field, choice) = field(strategy, vary);
    let candidates = Candidates::new(&field, market, &choice).unwrap();
    let options = WalkOptions {
        windows,
        objective: Objective {
            key: "sharpe".to_owned(),
        },
        crossing: None,
        threads: Some(threads),
        watch: Watch {
            cancel: &AtomicBool::new(false),
            progress: &|_| {},
        },
        kept: &[],
        keep: &|_| Ok(()),
        folds_max: None,
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
    let (walk, stitched) = walk(&market, &strategy, &[("fast", "20")], windows, 1);
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
        let (walk, stitched) = walk(&market, &strategy, &[("fast", "20")], windows, 2);
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
    let stage = |bars: std::ops::Range<usize>, strategy: Strategy| Stage {
        bars,
        strategy,
        held: Vec::new(),
    };
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

/// Parameters, and a key that is none.
const AXES: &[(&str, &str)] = &[
    ("fast", "5,10,20"),
    ("slow", "15,80"),
    ("stops.stop", "0.05,0.2"),
];

#[test]
fn the_best_of_the_past_trades_the_future() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let windows = windows(Stretch::Months(36), Stretch::Months(12));
    let (one, stitched) = walk(&market, &strategy, AXES, windows, 1);
    let (two, again) = walk(&market, &strategy, AXES, windows, 2);
    assert_eq!(
        (&one, &stitched),
        (&two, &again),
        "for any number of threads"
    );
    assert_eq!(one.trials, 10, "twelve, less two with fast above slow");
    let (field, choice) = field(&strategy, AXES);
    let candidates = Candidates::new(&field, &market, &choice).unwrap();
    // The keys of the file come before the parameters, the last of which turns fastest.
    let values = |at: usize| candidates.values(at).into_iter().map(|(_, v)| v);
    assert_eq!(values(0).collect::<Vec<_>>(), ["0.05", "5", "15"]);
    assert_eq!(values(9).collect::<Vec<_>>(), ["0.2", "20", "80"]);
    for fold in &one.folds {
        let sharpe = |at: usize| candidates.measure(at, &fold.window.train).unwrap().sharpe;
        let best = (0..10).fold(
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
    let (all, stitched) = walk(&whole, &strategy, AXES, windows, 2);
    // In September the last window is cut short; in May it is a scrap, which the one before trades.
    for (month, is_scrap) in [(9, false), (5, true)] {
        let cut = midnight(chrono::NaiveDate::from_ymd_opt(2006, month, 10).unwrap());
        let (part, until) = walk(&whole.before(cut).unwrap(), &strategy, AXES, windows, 2);
        assert!(part.folds.len() >= 2 && part.folds.len() < all.folds.len());
        let mut same_until = until.equity.len();
        for (a, b) in part.folds.iter().zip(&all.folds) {
            assert_eq!((&a.window.train, a.chosen), (&b.window.train, b.chosen));
            assert_eq!(a.in_sample, b.in_sample);
            if a.window == b.window {
                assert_eq!(a, b);
            } else {
                assert_eq!(a.window.is_cut, !is_scrap);
                assert_eq!(a.window.test.end > b.window.test.end, is_scrap);
                let ends = a.window.test.end.min(b.window.test.end);
                same_until = ends - all.folds[0].window.test.start;
            }
        }
        assert!(same_until > 252);
        assert_eq!(until.equity[..same_until], stitched.equity[..same_until]);
    }
}

#[test]
fn a_market_before_a_moment_has_nothing_after_it() {
    let a = Bars::of_closes(days(10), vec![1.0; 10]).unwrap();
    let b = Bars::of_closes(days(10)[6..].to_vec(), vec![2.0; 4]).unwrap();
    let market = Market::from_tapes(vec![("A".into(), a), ("B".into(), b)]).unwrap();
    let cut = market.before(days(6)[5]).unwrap();
    assert_eq!((cut.clock.len(), cut.tapes.len()), (5, 1));
    let both = market.before(days(8)[7]).unwrap();
    assert_eq!((both.clock.len(), both.tapes.len()), (7, 2));
    assert_eq!(both.tapes[1].on_clock.as_deref(), Some(&vec![6]));
    assert_eq!(both.interval, market.interval);
    let error = market.before(days(1)[0]).unwrap_err().to_string();
    assert!(error.contains("no bar before 2000-01-01"), "{error}");
}

/// Last day that a strategy sees, and its holdout as (first sealed day, opened).
fn seen(more: &str, open_holdout: bool) -> (String, Option<(String, bool)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = format!(
        "[data]\nsource = \"data/indices\"\nsymbols = [\"SPX\"]\n{more}\n[rules]\nenter = \"close > 0\"\n"
    );
    let flags = Overrides {
        open_holdout,
        ..Overrides::default()
    };
    let strategy = Strategy::parse(&text, "x.toml", root, &flags).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let day = |t: Micros| date_of(t).to_string();
    let run = simulate(&market, &strategy).unwrap().run;
    assert!(*run.time.last().unwrap() <= *market.clock.last().unwrap());
    let held = market.holdout.map(|h| (day(h.from), h.is_open));
    (day(*market.clock.last().unwrap()), held)
}

#[test]
fn a_holdout_is_sealed_where_the_data_is_read() {
    let held = |day: &str, is_open| Some((day.to_owned(), is_open));
    let text = |holdout: &str| format!("[walk_forward]\nholdout = {holdout}");
    assert_eq!(seen("", false), ("2018-12-31".to_owned(), None));
    // Two years before the last bar, 2018-12-31.
    let two = text("\"2y\"");
    assert_eq!(
        seen(&two, false),
        ("2016-12-30".to_owned(), held("2017-01-01", false))
    );
    assert_eq!(
        seen(&two, true),
        ("2018-12-31".to_owned(), held("2017-01-01", true))
    );
    assert_eq!(
        seen(&text("5"), false),
        ("2018-12-21".to_owned(), held("2018-12-24", false))
    );
    // Before the end of the strategy where that is earlier: what follows is gone as well.
    let ended = format!("end = 2010-06-30\n{}", text("\"6mo\""));
    assert_eq!(
        seen(&ended, false),
        ("2009-12-30".to_owned(), held("2009-12-31", false))
    );
    let long = format!(
        "[data]\nsource = \"{}/data/indices\"\n[rules]\nenter = \"close > 0\"\n{}",
        env!("CARGO_MANIFEST_DIR"),
        text("\"100y\"")
    );
    let strategy = Strategy::parse(&long, "x.toml", Path::new(""), &Overrides::default()).unwrap();
    let error = read_market(&strategy, false).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a holdout of 100 years leaves no bar"),
        "{error}"
    );
    let place = &error.problems()[0];
    assert_eq!(place.column.as_deref(), Some("walk_forward.holdout"));
}

/// The paths of one crossing.
fn cross(
    market: &Market,
    strategy: &Strategy,
    vary: &[(&str, &str)],
    crossing: Crossing,
    threads: usize,
) -> Crossed {
    let (field, choice) = field(strategy, vary);
    let candidates = Candidates::new(&field, market, &choice).unwrap();
    let objective = Objective {
        key: "sharpe".to_owned(),
    };
    let watch = Watch {
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    };
    crossed(&candidates, crossing, &objective, Some(threads), watch).unwrap()
}

#[test]
fn every_path_covers_all_bars_with_choices_that_did_not_see_them() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let crossing = Crossing {
        groups: 6,
        tested: 2,
        purge_bars: 5,
        embargo_bars: 10,
    };
    let found = cross(&market, &strategy, AXES, crossing, 2);
    // By their text, since figures of trades are NaN here.
    let alone = cross(&market, &strategy, AXES, crossing, 1);
    assert_eq!(format!("{found:?}"), format!("{alone:?}"));
    assert_eq!((found.splits.len(), found.paths.len()), (15, 5));
    let bars: usize = found.groups.iter().map(std::ops::Range::len).sum();
    let span = found.groups[0].start..found.groups[5].end;
    assert_eq!(bars, span.len());
    for (group, _) in found.groups.iter().enumerate() {
        let of_group = found.splits.iter().filter(|s| s.tested.contains(&group));
        let chosen: Vec<usize> = of_group.map(|s| s.chosen.unwrap()).collect();
        let traded: Vec<usize> = found.paths.iter().map(|p| p.chosen[group]).collect();
        assert_eq!(chosen, traded);
    }
    let (low, median, high) = found.sharpe.unwrap();
    assert!(low <= median && median <= high);
}

#[test]
fn a_path_of_one_choice_is_the_plain_run_and_a_split_the_best_of_its_rest() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let crossing = Crossing {
        groups: 4,
        tested: 1,
        purge_bars: 0,
        embargo_bars: 0,
    };
    let one = cross(&market, &strategy, &[("fast", "20")], crossing, 1);
    let (field, choice) = field(&strategy, AXES);
    let candidates = Candidates::new(&field, &market, &choice).unwrap();
    let plain = candidates.span();
    let run = plain_figures(&market, &strategy);
    assert_eq!((one.splits.len(), one.paths.len()), (4, 1));
    for key in ["total_return", "sharpe", "max_drawdown", "cagr"] {
        let (path, run) = (
            one.paths[0].figures.get(key).unwrap(),
            run.get(key).unwrap(),
        );
        assert!((path - run).abs() < 1e-12, "{key}: {path} {run}");
    }
    // The mean over the deviation of the returns outside the group, by hand.
    let many = cross(&market, &strategy, AXES, crossing, 2);
    for split in &many.splits {
        let group = &many.groups[split.tested[0]];
        let (from, to) = (group.start - plain.start, group.end - plain.start);
        let score = |at: usize| {
            let mut returns = candidates.returns(at, &plain).unwrap();
            returns.drain(from..to);
            let n = returns.len() as f64;
            let mean = returns.iter().sum::<f64>() / n;
            let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
            mean / (squares / (n - 1.0)).sqrt()
        };
        let best = (0..candidates.len())
            .map(score)
            .fold(f64::NEG_INFINITY, f64::max);
        let chosen = score(split.chosen.unwrap());
        assert!((chosen - best).abs() < 1e-12, "{chosen} {best}");
    }
}

fn plain_figures(market: &Market, strategy: &Strategy) -> papertape::metrics::Metrics {
    let run = simulate(market, strategy).unwrap().run;
    papertape::metrics::of_run(&run, None, 1)
}

#[test]
fn what_an_account_cannot_change_is_refused() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let refused = [
        ("data.start", "2000-01-03,2001-01-02", "the windows say"),
        ("data.delist_after", "5,10", "one set of prices"),
        ("account.cash", "1000,2000", "when it is opened"),
        ("account.settlement_days", "0,2", "when it is opened"),
        ("cash.yield", "0.0,0.02", "no choice"),
    ];
    for (key, values, why) in refused {
        let (field, choice) = field(&strategy, &[(key, values)]);
        let Err(error) = Candidates::new(&field, &market, &choice) else {
            panic!("{key} varies");
        };
        let said = error.to_string();
        assert!(said.contains("cannot change in the middle"), "{said}");
        assert!(said.contains(key) && said.contains(why), "{said}");
    }
}

const SHIPPED: &str = "strategies/golden-cross-walk-forward.toml";

#[test]
fn the_verb_writes_a_folder_that_can_be_verified_and_made_again() {
    let dir = clone("walk-forward-folder");
    let page = stdout(&dir, &["walk-forward", SHIPPED, "--cpcv", "6/2"]);
    assert!(
        page.starts_with("Golden cross, walked forward: out of sample "),
        "{page}"
    );
    for words in [
        "Efficiency",
        "Folds by Sharpe ratio",
        "What the folds chose",
        "5 paths",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "wider than the page: {line}");
    }
    let folder = "reports/golden-cross-walk-forward-walk-forward";
    for file in [
        "folds.csv",
        "walk-forward.png",
        "equity.csv",
        "tearsheet.png",
    ] {
        assert!(dir.join(folder).join(file).exists(), "{file}");
    }
    assert!(stdout(&dir, &["verify", folder]).contains("hold"));
    assert!(stdout(&dir, &["rerun", folder]).contains("byte for byte"));
    let args = [
        "walk-forward",
        SHIPPED,
        "--cpcv",
        "6/2",
        "--format",
        "json",
        "-j",
    ];
    let one = stdout(&dir, &[&args[..], &["1", "--out", "one"]].concat());
    let two = stdout(&dir, &[&args[..], &["2", "--out", "two"]].concat());
    assert_eq!(
        one.replace("one/", "two/"),
        two,
        "for any number of threads"
    );
    let object: serde_json::Value = serde_json::from_str(&two).unwrap();
    let walk = &object["walk_forward"];
    assert_eq!(object["schema"], 1);
    assert_eq!(walk["folds"].as_array().unwrap().len(), 15);
    assert_eq!(walk["trials"], 80);
    // The box under the curve: every assumption, on the stitched account itself.
    let lines = object["stress"]["lines"].as_array().unwrap();
    assert_eq!(lines[0]["key"], "as_run");
    assert_eq!(lines[0]["cagr"], object["metrics"]["cagr"]);
    assert!(
        lines
            .iter()
            .any(|line| line["key"] == "costs_doubled" && line["cagr"].is_number())
    );
    assert!(page.contains("Under stress"), "{page}");
    assert_eq!(walk["cpcv"]["paths"].as_array().unwrap().len(), 5);
    for fold in walk["folds"].as_array().unwrap() {
        assert!(fold["params"]["fast"].as_f64() < fold["params"]["slow"].as_f64());
        assert!(fold["train"]["end"].as_str() < fold["test"]["start"].as_str());
    }
    let rows = stdout(
        &dir,
        &["walk-forward", SHIPPED, "--format", "csv", "--out", "two"],
    );
    assert_eq!(rows.lines().count(), 16);
    assert!(rows.starts_with("fold,train_start,train_end,test_start,test_end,decided,fast,slow,"));
    // A plain run does not take the walk's folder, nor the other way round.
    assert!(
        refused(&dir, &["run", "strategies/rsi-30-70.toml", "--out", "two"]).contains("another")
    );
}

#[test]
fn every_combination_of_a_walk_is_counted_once_as_a_sweep_counts_it() {
    let ledger = |dir: &Path| {
        let mut found = std::fs::read_dir(dir.join("reports/trials")).unwrap();
        let one = found.next().unwrap().unwrap().path();
        assert!(found.next().is_none());
        std::fs::read(one).unwrap()
    };
    let object = |dir: &Path, args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(dir, &[args, &["--format", "json"]].concat())).unwrap()
    };
    let walked = clone("walk-forward-counted");
    let first = object(&walked, &["walk-forward", SHIPPED, "--out", "walk"]);
    let walk = &first["walk_forward"];
    assert_eq!(
        (&walk["trials"], &walk["trials_all"]),
        (&80.into(), &80.into())
    );
    let alone = walk["hindsight"]["deflated_sharpe"].as_f64().unwrap();
    assert!(walk["hindsight"]["deflated_sharpe_all"].is_f64());
    // A sweep of the same combinations, which never heard of the walk, counts the same.
    let swept = clone("walk-forward-swept");
    assert_eq!(object(&swept, &["sweep", SHIPPED])["trials_all"], 80);
    assert_eq!(ledger(&walked), ledger(&swept));
    // Again nothing is new; others on the same data are, and deflate more.
    let again = object(&walked, &["walk-forward", SHIPPED, "--out", "walk"]);
    assert_eq!(again["walk_forward"]["trials_all"], 80);
    stdout(
        &walked,
        &[
            "sweep",
            SHIPPED,
            "--vary",
            "slow=310..345:5",
            "--out",
            "more",
        ],
    );
    let out = ["walk-forward", SHIPPED, "--out", "after"];
    let after = object(&walked, &out);
    let all = after["walk_forward"]["trials_all"].as_u64().unwrap();
    assert!(all > 80, "{all}");
    let hindsight = &after["walk_forward"]["hindsight"];
    assert_eq!(hindsight["deflated_sharpe"].as_f64().unwrap(), alone);
    assert_ne!(hindsight["deflated_sharpe_all"].as_f64().unwrap(), alone);
    // The manifest has a copy, and a walk is made again with it and adds nothing.
    let manifest = std::fs::read_to_string(walked.join("walk/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(
        (&manifest["trials"], &manifest["ledger"]["trials"]),
        (&80.into(), &80.into())
    );
    assert_eq!(manifest["ledger"]["sha256"].as_str().unwrap().len(), 64);
    let before = ledger(&walked);
    assert!(stdout(&walked, &["rerun", "walk"]).contains("byte for byte"));
    assert_eq!(ledger(&walked), before);
}

#[test]
fn an_opened_holdout_is_written_down() {
    let dir = clone("walk-forward-holdout");
    let held = ["--set", "walk_forward.holdout=2y"];
    let run = |more: &[&str]| stdout(&dir, &[&["run", SHIPPED][..], &held, more].concat());
    assert!(run(&[]).contains("from 2017-01-01 on are held out and were not read"));
    assert!(!dir.join("reports/holdout.csv").exists());
    let walk = [&["walk-forward", SHIPPED][..], &held].concat();
    let page = stdout(&dir, &walk);
    assert!(
        page.contains("to 2016-12-30") && page.contains("held out"),
        "{page}"
    );
    let at = ["explain", SHIPPED, "--at", "2018-03-01"];
    assert!(refused(&dir, &[&at[..], &held].concat()).contains("no bar on 2018-03-01"));
    assert!(run(&["--open-holdout"]).contains("were read"));
    run(&["--open-holdout"]);
    let record = std::fs::read_to_string(dir.join("reports/holdout.csv")).unwrap();
    assert_eq!(record.lines().count(), 2, "{record}");
    assert!(record.contains("\"Golden cross\"") && record.contains(",run,\"2 years\","));
    stdout(&dir, &[&at[..], &held, &["--open-holdout"]].concat());
    let record = std::fs::read_to_string(dir.join("reports/holdout.csv")).unwrap();
    assert_eq!(record.lines().count(), 3, "{record}");
    let manifest = dir.join("reports/golden-cross-walk-forward/manifest.json");
    assert!(
        std::fs::read_to_string(manifest)
            .unwrap()
            .contains("\"open_holdout\": true")
    );
    assert!(
        stdout(&dir, &["rerun", "reports/golden-cross-walk-forward"]).contains("byte for byte")
    );
}

#[test]
fn mistakes_of_a_walk_are_explained() {
    let dir = clone("walk-forward-mistakes");
    let said = |args: &[&str]| refused(&dir, args);
    let none = said(&["walk-forward", "strategies/buy-and-hold.toml"]);
    assert!(none.contains("nothing varies"), "{none}");
    let windows = said(&[
        "walk-forward",
        "strategies/golden-cross.toml",
        "--vary",
        "fast=10,20",
    ]);
    assert!(
        windows.contains("no windows to walk forward through"),
        "{windows}"
    );
    for (flags, words) in [
        (
            &["--set", "walk_forward.train=50y"][..],
            "leaves no bar to test on",
        ),
        (
            &["--set", "walk_forward.train=-5"][..],
            "-5 bars are impossible",
        ),
        (
            &["--set", "walk_forward.purge_bars=5000"][..],
            "has no bar left",
        ),
        (&["--cpcv", "6/6"][..], "some groups are tested"),
        (&["--cpcv", "3000/1"][..], "too few for 3000 groups"),
        (&["--embargo", "5"][..], "--cpcv"),
        (&["--vary", "quick=1,2"][..], "quick"),
        (
            &["--vary", "data.delist_after=5,10"][..],
            "cannot change in the middle",
        ),
        (
            &["--set", "sweep.where=fast > 1000"][..],
            "none of 90 combinations",
        ),
        (
            &["--set", "walk_forward.objective=win_rate", "--cpcv", "6/2"][..],
            "not a figure of returns",
        ),
    ] {
        let text = said(&[&["walk-forward", SHIPPED][..], flags].concat());
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(plain.contains(words), "{flags:?}: {text}");
    }
    assert!(!dir.join("reports").exists(), "nothing is written");
}

fn output(dir: &Path, args: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn stdout(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

/// What is said on stderr by a command that fails.
fn refused(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{args:?}: {errors}");
    errors
}

#[test]
fn a_walk_that_goes_on_is_the_walk_that_was_not_interrupted() {
    let strategy = golden_cross("");
    let market = read_market(&strategy, false).unwrap();
    let (field, choice) = field(&strategy, &[("fast", "10,20,40"), ("slow", "60,120,200")]);
    let candidates = Candidates::new(&field, &market, &choice).unwrap();
    let cancel = AtomicBool::new(false);
    let parts: RefCell<Vec<WalkPart>> = RefCell::default();
    let walk = |kept: &[WalkPart], stop_after: usize| {
        cancel.store(false, Ordering::Relaxed);
        parts.borrow_mut().clear();
        let keep = |part: &WalkPart| {
            parts.borrow_mut().push(part.clone());
            cancel.store(parts.borrow().len() == stop_after, Ordering::Relaxed);
            Ok(())
        };
        let options = WalkOptions {
            windows: windows(Stretch::Months(60), Stretch::Months(24)),
            objective: Objective {
                key: "sharpe".to_owned(),
            },
            crossing: None,
            threads: Some(2),
            watch: Watch {
                cancel: &cancel,
                progress: &|_| {},
            },
            kept,
            keep: &keep,
            folds_max: None,
        };
        let (walk, outcome) = walk_forward(&candidates, &options).unwrap();
        (walk, outcome.run)
    };
    let (whole, run) = walk(&[], usize::MAX);
    assert!(whole.is_complete && whole.folds.len() == whole.planned);
    let all = parts.borrow().clone();
    assert_eq!(all.len(), whole.planned + 2);
    for done in 1..=all.len() {
        let (part, _) = walk(&[], done);
        let kept = parts.borrow().clone();
        assert_eq!(kept, all[..done]);
        // Folds that were walked are those of the whole walk, choices, windows and figures in sample.
        assert_eq!(part.is_complete, done == all.len());
        assert_eq!(part.folds.len(), done.min(whole.planned));
        for (a, b) in part.folds.iter().zip(&whole.folds) {
            assert_eq!((a.chosen, a.rank, &a.window), (b.chosen, b.rank, &b.window));
            assert_eq!(a.in_sample, b.in_sample);
        }
        let (resumed, same_run) = walk(&kept, usize::MAX);
        assert_eq!(parts.borrow().len(), all.len() - done);
        assert!(resumed == whole, "after {done} parts");
        same(&run, &same_run);
    }
}

/// All files of a folder by name.
fn folder(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = entries.map(file).collect();
    files.sort();
    files
}

#[test]
fn a_walk_killed_at_any_moment_and_resumed_writes_the_same_bytes() {
    let dir = clone("walk-killed");
    let args = |out: &'static str| {
        let vary = ["--vary", "fast=5..60:2", "--vary", "slow=80..240:10"];
        [
            &["walk-forward", SHIPPED, "-j", "2", "--out", out][..],
            &vary,
        ]
        .concat()
    };
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
        command.args(args).current_dir(&dir);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    assert!(run(&args("whole")).status().unwrap().success());
    let mut killed = 0;
    for pause in [40, 90, 140, 200, 300] {
        let again = [args("cut"), vec!["--resume"]].concat();
        let mut child = run(&again).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(pause));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            killed += 1;
        }
        child.wait().unwrap();
    }
    assert!(killed > 0, "no attempt lived long enough to be killed");
    // What is kept is neither overwritten by accident nor taken for another walk.
    let kept = dir.join("cut.unfinished");
    if std::fs::read(kept.join("parts.jsonl")).is_ok_and(|parts| parts.contains(&b'\n')) {
        let said = String::from_utf8(run(&args("cut")).output().unwrap().stderr).unwrap();
        assert!(
            said.contains("--resume goes on from its last fold"),
            "{said}"
        );
        let other = [
            args("cut"),
            vec!["--resume", "--set", "costs.commission=0.002"],
        ]
        .concat();
        let said = String::from_utf8(run(&other).output().unwrap().stderr).unwrap();
        assert!(said.contains("parts of another walk"), "{said}");
    }
    let again = [args("cut"), vec!["--resume"]].concat();
    assert!(run(&again).status().unwrap().success());
    assert!(!kept.exists(), "what was kept is left behind");
    let (whole, cut) = (folder(&dir.join("whole")), folder(&dir.join("cut")));
    let names =
        |files: &[(String, Vec<u8>)]| files.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&cut));
    for ((name, a), (_, b)) in whole.iter().zip(&cut) {
        assert!(a == b, "{name} differs");
    }
}
