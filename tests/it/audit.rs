//! The audit: each fault found once where it was put, and the faults of real files by name.

use papertape::market::audit::{FindingKind, Severity, audit, audit_tapes};
use papertape::market::{Action, ActionKind, Calendar, RawTape, ReadOptions, date_of, midnight};
use papertape::units::{DAY_MICROS, Micros};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use FindingKind::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn day(text: &str) -> Micros {
    midnight(text.parse().unwrap())
}

/// A stock of 600 sessions without a fault: it walks by up to 2% a day, opens near the close
/// before, and trades a million shares and some.
fn clean() -> RawTape {
    let mut tape = RawTape {
        symbol: "A".into(),
        file: "A.csv".into(),
        has_volume: true,
        ..RawTape::default()
    };
    let (mut t, mut close, mut state) = (day("2010-01-04"), 100.0, 1_u64);
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    while tape.time.len() < 600 {
        if Calendar::Nyse.is_session(date_of(t)) {
            let open = close * (1.0 + 0.01 * random());
            close *= 1.0 + 0.04 * random();
            tape.line.push(tape.time.len() as u64 + 2);
            tape.time.push(t);
            tape.open.push(open);
            tape.high.push(open.max(close) * 1.005);
            tape.low.push(open.min(close) * 0.995);
            tape.close.push(close);
            tape.volume.push(1e6 + 1e5 * random());
        }
        t += DAY_MICROS;
    }
    tape
}

fn scale(tape: &mut RawTape, rows: std::ops::Range<usize>, factor: f64) {
    for column in [
        &mut tape.open,
        &mut tape.high,
        &mut tape.low,
        &mut tape.close,
    ] {
        column[rows.clone()].iter_mut().for_each(|x| *x *= factor);
    }
}

fn remove(tape: &mut RawTape, rows: std::ops::Range<usize>) {
    tape.line.drain(rows.clone());
    tape.time.drain(rows.clone());
    for column in [
        &mut tape.open,
        &mut tape.high,
        &mut tape.low,
        &mut tape.close,
        &mut tape.volume,
    ] {
        column.drain(rows.clone());
    }
}

fn insert(tape: &mut RawTape, time: Micros, from: usize) {
    let row = tape.time.partition_point(|t| *t <= time);
    tape.line.insert(row, 9_999);
    tape.time.insert(row, time);
    for column in [
        &mut tape.open,
        &mut tape.high,
        &mut tape.low,
        &mut tape.close,
        &mut tape.volume,
    ] {
        let value = column[from];
        column.insert(row, value);
    }
}

fn kinds(tape: RawTape, actions: &[Action]) -> Vec<(FindingKind, Vec<u64>)> {
    audit_tapes(&[tape], actions, None)
        .into_iter()
        .map(|f| (f.kind, f.rows))
        .collect()
}

type Fault = (FindingKind, u64, fn(&mut RawTape));

#[test]
fn a_clean_tape_has_no_finding() {
    assert_eq!(kinds(clean(), &[]), []);
}

#[test]
fn each_fault_is_found_once_and_where_it_is() {
    let faults: &[Fault] = &[
        (Unsorted, 301, |t| {
            // Rows 299 and 300 change places.
            t.time.swap(298, 299);
            for c in [
                &mut t.open,
                &mut t.high,
                &mut t.low,
                &mut t.close,
                &mut t.volume,
            ] {
                c.swap(298, 299);
            }
        }),
        (Duplicate, 9_999, |t| {
            let time = t.time[300];
            insert(t, time, 300)
        }),
        (ConflictingDuplicate, 9_999, |t| {
            let time = t.time[300];
            insert(t, time, 299)
        }),
        (EmptyRow, 302, |t| {
            for c in [&mut t.open, &mut t.high, &mut t.low, &mut t.close] {
                c[300] = f64::NAN;
            }
        }),
        (MissingPrice, 302, |t| t.high[300] = f64::NAN),
        (ZeroPrice, 302, |t| t.low[300] = 0.0),
        (NegativePrice, 302, |t| t.open[300] = -5.0),
        (HighBelowLow, 302, |t| {
            let (high, low) = (t.high[300], t.low[300]);
            t.high[300] = low;
            t.low[300] = high;
        }),
        (OpenOutside, 302, |t| t.open[300] = t.high[300] * 1.01),
        (CloseOutside, 302, |t| t.close[300] = t.high[300] * 1.001),
        (Gap, 303, |t| remove(t, 290..301)),
        (MissingSessions, 303, |t| remove(t, 298..301)),
        (ClosedDay, 9_999, |t| insert(t, day("2010-02-15"), 33)),
        (Weekend, 9_999, |t| {
            let friday = t.time[4];
            insert(t, friday + DAY_MICROS, 3)
        }),
        (Split, 302, |t| scale(t, 300..600, 0.5)),
        (Split, 302, |t| scale(t, 300..600, 1.0 / 7.0)),
        (Split, 302, |t| scale(t, 300..600, 2.0 / 3.0)),
        (Split, 302, |t| scale(t, 300..600, 10.0)),
        (Jump, 302, |t| scale(t, 300..600, 0.43)),
        (Spike, 302, |t| t.low[300] *= 0.3),
        (Spike, 302, |t| scale(t, 300..301, 3.0)),
        (Stale, 302, |t| {
            for c in [
                &mut t.open,
                &mut t.high,
                &mut t.low,
                &mut t.close,
                &mut t.volume,
            ] {
                c[300] = c[299];
            }
        }),
        (ZeroVolume, 302, |t| t.volume[300] = 0.0),
        (MissingVolume, 302, |t| t.volume[300] = f64::NAN),
        (NegativeVolume, 302, |t| t.volume[300] = -1.0),
        (ThinTrading, 302, |t| t.volume[300] = 3.0),
        (Flat, 302, |t| {
            for i in 300..330 {
                (t.open[i], t.high[i], t.low[i]) = (t.close[i], t.close[i], t.close[i]);
            }
        }),
        (OpenIsPreviousClose, 3, |t| {
            for i in 1..260 {
                t.open[i] = t.close[i - 1];
                t.high[i] = t.high[i].max(t.open[i]);
                t.low[i] = t.low[i].min(t.open[i]);
            }
        }),
        (ZeroColumn, 562, |t| {
            let column = (0..600).map(|i| if i < 560 { 2.5 } else { 0.0 }).collect();
            t.extra = vec![("cpi".into(), column)];
        }),
    ];
    for (kind, row, fault) in faults {
        let mut tape = clean();
        fault(&mut tape);
        let found = kinds(tape, &[]);
        assert_eq!(found.len(), 1, "{}: {found:?}", kind.name());
        assert_eq!(
            (found[0].0, found[0].1[0]),
            (*kind, *row),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn another_security_after_a_long_gap_is_seen_by_price_or_volume() {
    let gap = |price: f64, volume: f64| {
        let mut tape = clean();
        for t in &mut tape.time[300..] {
            *t += 728 * DAY_MICROS;
        }
        scale(&mut tape, 300..600, price);
        tape.volume[300..].iter_mut().for_each(|v| *v *= volume);
        let found = audit_tapes(&[tape], &[], Some(Calendar::Weekdays));
        found.into_iter().map(|f| f.kind).collect::<Vec<_>>()
    };
    assert!(gap(1.1, 1.0).contains(&Gap));
    assert!(gap(1.1, 300.0).contains(&TickerReuse));
    assert!(gap(1000.0, 1.0).contains(&TickerReuse));
}

#[test]
fn recorded_actions_explain_what_they_explain() {
    let action = |row: usize, kind, value| Action {
        time: clean().time[row],
        symbol: "A".into(),
        kind,
        value,
        pay: None,
        declared: None,
    };
    let mut split = clean();
    scale(&mut split, 300..600, 0.5);
    assert_eq!(
        kinds(split.clone(), &[action(300, ActionKind::Split, 2.0)]),
        []
    );
    let other = Action {
        symbol: "B".into(),
        ..action(300, ActionKind::Split, 2.0)
    };
    assert_eq!(
        kinds(split, &[other])[0].0,
        Split,
        "another symbol's split explains nothing"
    );
    let mut special = clean();
    scale(&mut special, 300..600, 0.6);
    let paid = 0.4 * clean().close[299];
    assert_eq!(
        kinds(special, &[action(300, ActionKind::SpecialDividend, paid)]),
        []
    );
    // Prices that were adjusted, and actions that would adjust them again.
    assert_eq!(
        kinds(clean(), &[action(300, ActionKind::Split, 2.0)])[0].0,
        SplitNotInPrices
    );
}

#[test]
fn symbols_are_compared_with_each_other() {
    let tape = |symbol: &str, without: Option<usize>| {
        let mut tape = clean();
        tape.symbol = symbol.into();
        tape.file = format!("{symbol}.csv");
        if let Some(row) = without {
            remove(&mut tape, row..row + 1);
        }
        tape
    };
    let tapes = [
        tape("A", None),
        tape("B", None),
        tape("C", Some(300)),
        tape("D", None),
        tape("E", None),
    ];
    let found = audit_tapes(&tapes, &[], Some(Calendar::None));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].kind, found[0].symbol.as_str()),
        (BehindOthers, "C")
    );
    assert_eq!(found[0].rows, [303]);
    let nyse = audit_tapes(&tapes, &[], None);
    assert_eq!(
        nyse.iter().map(|f| f.kind).collect::<Vec<_>>(),
        [MissingSessions]
    );
}

/// Kinds and severities found in a source.
fn found(source: &Path) -> Vec<(FindingKind, Severity)> {
    let audit = audit(source, &ReadOptions::default(), None).unwrap();
    audit
        .findings
        .iter()
        .map(|f| (f.kind, f.severity))
        .collect()
}

#[test]
fn the_shipped_data_is_fit_for_runs() {
    for (source, severe) in [
        ("indices", 0),
        ("stocks", 0),
        // One real fault: RRC stands still for 69 days in 1990, then falls to a third.
        ("stocks20", 1),
        ("tbill_1m_monthly.csv", 0),
    ] {
        let path = root().join("data").join(source);
        let audit = audit(&path, &ReadOptions::default(), None).unwrap();
        let list: Vec<_> = audit
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Severe)
            .collect();
        assert_eq!(list.len(), severe, "{source}: {list:?}");
        let most = audit
            .files
            .iter()
            .map(|file| {
                audit
                    .findings
                    .iter()
                    .filter(|f| f.file == file.file)
                    .count()
            })
            .max();
        assert!(most <= Some(5), "{source}: {most:?} lines for one file");
    }
}

#[test]
fn what_is_known_to_be_wrong_with_real_files_is_found() {
    let shared = root().join("../shared/data");
    if !shared.exists() {
        println!("skipped: {} is absent", shared.display());
        return;
    }
    let expected: &[(&str, &[FindingKind])] = &[
        ("defects/QQQ_daily_missing_2004_2011.csv", &[Gap, Split]),
        ("defects/USO_daily_ticker_reuse.csv", &[TickerReuse, Split]),
        ("defects/FB_daily_ticker_reuse.csv", &[TickerReuse]),
        (
            "defects/AAA_daily_sparse_ticker_reuse.csv",
            &[TickerReuse, ThinTrading, Jump],
        ),
        ("defects/AAPL_minute_20140605_20140609_split.csv", &[Split]),
        (
            "defects/AAPL_chain_through_split_201406.csv",
            &[ChainSplit, ChainAllZero, ChainUnderlyingStale],
        ),
        (
            "defects/SPX_chain_market_holidays.csv",
            &[ChainClosedDay, ChainExpired],
        ),
        (
            "defects/SPX_chain_stale_repeated.csv",
            &[ChainStale, ChainExpired],
        ),
        ("defects/SPY_returns_price_then_total.csv", &[Returns]),
        ("vix/vix_daily_1990_2026.csv", &[OpenOutside, Flat]),
        ("index/sp500_monthly_1871_2026.csv", &[ZeroColumn]),
        ("index/sp500_ohlcv_1999_2018.csv", &[OpenIsPreviousClose]),
        ("crypto/BTCUSD_daily_2014_2018.csv", &[Gap, MissingSessions]),
        ("equities/ohlcv/EEM.csv", &[MissingSessions, Split]),
        ("equities/ohlcv/SPY.csv", &[]),
        ("fx/EURUSD_hour_2017_2018.csv", &[ZeroVolume]),
        (
            "gpl/dow30_adjclose_1980_2015.csv",
            &[EmptyRow, ClosedDay, ClosesOnly],
        ),
        (
            "rates/us_tbill_3m_DTB3_2000_2026.csv",
            &[NoPrices, EmptyCells],
        ),
        (
            "options/SPY_minute_quotes_20230803.csv",
            &[Chain, ChainUnsorted],
        ),
        (
            "options/SPX_monthly_chain_20190425_20190722.csv",
            &[
                ChainClosedDay,
                ChainMissingDates,
                ChainNoQuote,
                ChainZeroBid,
                ChainNoVolatility,
            ],
        ),
        ("options/SPY_top20_by_volume_2021.csv", &[Chain]),
        ("options/SPY_underlying_2021.csv", &[]),
        ("intraday/SPY_minute_20230803.csv", &[]),
        ("equities/multi/etfs_11_201701_201705.csv", &[]),
    ];
    for (file, wanted) in expected {
        let found = found(&shared.join(file));
        let kinds: BTreeSet<FindingKind> = found.iter().map(|(kind, _)| *kind).collect();
        for kind in *wanted {
            assert!(
                kinds.contains(kind),
                "{file}: no {} in {found:?}",
                kind.name()
            );
        }
        assert!(found.len() <= 9, "{file}: {found:?}");
        if wanted.is_empty() {
            assert!(found.is_empty(), "{file}: {found:?}");
        }
    }
}

#[test]
fn what_is_no_table_is_a_finding_and_no_panic() {
    let folder = std::env::temp_dir().join(format!("papertape-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in [
        ("empty.csv", &b""[..]),
        ("header.csv", b"date,open,high,low,close,volume\n"),
        ("noise.csv", b"\xff\xfe\x00\x01,\x02\n\x03,\x04"),
        ("broken.gz", b"\x1f\x8b\x08\x00junk"),
        ("broken.parquet", b"PAR1junkPAR1"),
        (
            "chain.csv",
            b"quote_date,expiration,strike,bid,ask\nx,y,z,1,2\n2020-01-02,2020-02-21,-5,,\n",
        ),
        ("chain2.csv", b"strike,expiration\n1,2\n"),
        (
            "rates.csv",
            b"date,rate\n2020-01-03,1\n2020-01-02,\n2020-01-02,1\nnever,1\n",
        ),
        (
            "cells.csv",
            b"date,close\n2020-01-02,1\n2020-01-03,abc\n2020-01-06,\n2020-01-07",
        ),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        let audit = audit(&path, &ReadOptions::default(), None).unwrap();
        assert!(!audit.findings.is_empty(), "{name}");
        assert!(audit.has_severe(), "{name}: {:?}", audit.findings);
    }
    let whole = audit(&folder, &ReadOptions::default(), None).unwrap();
    assert_eq!(whole.files.len(), 9);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(
        audit(&folder, &ReadOptions::default(), None).is_err(),
        "the folder is gone"
    );
}

/// Runs the binary: exit status and standard output.
fn papertape(args: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_verb_tells_severe_findings_by_its_exit_status() {
    let (status, text) = papertape(&["data", "check", "data/stocks"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(
        text.contains("data/stocks/GOOG.csv: prices, 2148 rows\n  nothing found\n"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    let (status, text) = papertape(&["data", "check", "data/stocks20", "--format", "csv"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("severe,split,data/stocks20/closes.csv,RRC,71,1,"),
        "{text}"
    );
    let (status, json) = papertape(&["data", "check", "data/indices", "--format", "json"]);
    assert_eq!(status, Some(0));
    assert!(
        json.contains("\"schema\": 1") && json.contains("open_is_previous_close"),
        "{json}"
    );
    let (status, _) = papertape(&["data", "check", "data/no-such-folder"]);
    assert_eq!(status, Some(2));
}

#[test]
fn the_verb_shows_what_is_there() {
    let (status, text) = papertape(&[
        "data",
        "show",
        "data/stocks",
        "--symbols",
        "MSFT,AAPL",
        "--format",
        "csv",
    ]);
    assert_eq!(status, Some(0));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(
        lines[1],
        "AAPL,data/stocks/AAPL.csv,2000-03-01,2013-03-01,3270,0,2,3,0,false,false,open high low close volume adj_close"
    );
    assert!(
        lines[2].starts_with("MSFT,data/stocks/MSFT.csv,2000-03-01,2013-03-01,3270,0,1,37,1,"),
        "{text}"
    );
    let (status, text) = papertape(&["data", "show", "data/stocks20"]);
    assert_eq!(status, Some(0));
    assert!(
        text.starts_with("data/stocks20: 20 symbols, bars of 1d, 8313 moments, calendar nyse\n"),
        "{text}"
    );
}
