//! Reading prices: every vendor layout, what is refused and how it is told, folders, Parquet.

use papertape::market::{Bars, Market, RawTape, ReadOptions, import, read_raw};
use papertape::units::{DAY_MICROS, Micros};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SECOND: Micros = 1_000_000;
/// 2020-01-02 in days since 1970.
const DAY: Micros = 18_263 * DAY_MICROS;

fn layouts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/layouts")
}

fn read(path: &Path) -> papertape::error::Result<Market> {
    Market::read(path, &ReadOptions::default())
}

fn parse(name: &str, text: &str) -> papertape::error::Result<Market> {
    Market::from_bytes(name, text.as_bytes(), &ReadOptions::default())
}

fn wanting(symbols: &[&str]) -> ReadOptions {
    ReadOptions {
        symbols: symbols.iter().map(ToString::to_string).collect(),
        ..ReadOptions::default()
    }
}

/// The text of the error that this input must give.
fn refusal(text: &str) -> String {
    parse("X.csv", text)
        .expect_err("must be refused")
        .to_string()
}

/// A folder of this test's own.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// When the three bars of the layout files stand.
#[derive(Clone, Copy)]
enum When {
    /// 2, 3 and 6 January 2020.
    Days,
    /// 2 January 2020, 09:30, 09:31 and 09:32.
    Minutes,
}

/// (file, layout, symbol, when, further columns with their first value)
type LayoutFile = (
    &'static str,
    &'static str,
    &'static str,
    When,
    &'static [(&'static str, f64)],
);

const LAYOUT_FILES: &[LayoutFile] = &[
    (
        "plain.csv",
        "native",
        "plain",
        When::Days,
        &[("adj_close", 98.4)],
    ),
    (
        "yahoo.csv",
        "Yahoo",
        "yahoo",
        When::Days,
        &[("adj_close", 98.4)],
    ),
    (
        "yahoo_actions.csv",
        "Yahoo (with actions)",
        "yahoo_actions",
        When::Days,
        &[("dividends", 0.0), ("stock_splits", 0.0)],
    ),
    ("stooq.txt", "Stooq", "X", When::Days, &[]),
    ("stooq_plain.csv", "plain", "stooq_plain", When::Days, &[]),
    (
        "stooq_polish.csv",
        "Stooq (Polish)",
        "stooq_polish",
        When::Days,
        &[],
    ),
    (
        "alpha_vantage.csv",
        "native",
        "alpha_vantage",
        When::Days,
        &[],
    ),
    (
        "alpha_vantage_adjusted.csv",
        "Alpha Vantage (adjusted)",
        "alpha_vantage_adjusted",
        When::Days,
        &[
            ("adj_close", 98.4),
            ("dividend_amount", 0.0),
            ("split_coefficient", 1.0),
        ],
    ),
    (
        "alpha_vantage_numbered.csv",
        "Alpha Vantage (numbered)",
        "alpha_vantage_numbered",
        When::Days,
        &[],
    ),
    (
        "tiingo.csv",
        "Tiingo",
        "tiingo",
        When::Days,
        &[
            ("adj_close", 98.4),
            ("adj_high", 99.1),
            ("adj_low", 96.7),
            ("adj_open", 97.9),
            ("adj_volume", 1e6),
            ("div_cash", 0.0),
            ("split_factor", 1.0),
        ],
    ),
    (
        "polygon.csv",
        "Polygon",
        "polygon",
        When::Days,
        &[("vwap", 100.9), ("trades", 5321.0)],
    ),
    (
        "polygon_flat_file.csv",
        "Polygon (flat file)",
        "X",
        When::Days,
        &[("trades", 5321.0)],
    ),
    ("nasdaq.csv", "Nasdaq", "nasdaq", When::Days, &[]),
    (
        "nasdaq_quoted.csv",
        "Nasdaq",
        "nasdaq_quoted",
        When::Days,
        &[],
    ),
    (
        "interactive_brokers.csv",
        "Interactive Brokers",
        "interactive_brokers",
        When::Days,
        &[("vwap", 100.875), ("trades", 5321.0)],
    ),
    (
        "interactive_brokers_wap.csv",
        "Interactive Brokers (WAP)",
        "interactive_brokers_wap",
        When::Minutes,
        &[("vwap", 100.875), ("trades", 5321.0)],
    ),
    ("binance.csv", "Binance", "binance", When::Days, BINANCE),
    (
        "binance_microseconds.csv",
        "Binance",
        "binance_microseconds",
        When::Days,
        BINANCE,
    ),
    (
        "binance_header.csv",
        "Binance (with header)",
        "binance_header",
        When::Days,
        BINANCE,
    ),
    (
        "metatrader4.csv",
        "MetaTrader 4",
        "metatrader4",
        When::Minutes,
        &[],
    ),
    (
        "metatrader5.csv",
        "MetaTrader 5",
        "metatrader5",
        When::Minutes,
        &[("real_volume", 0.0), ("spread", 2.0)],
    ),
    (
        "metatrader5_daily_utf16.csv",
        "MetaTrader 5",
        "metatrader5_daily_utf16",
        When::Days,
        &[("real_volume", 0.0), ("spread", 2.0)],
    ),
    (
        "quandl_wiki.csv",
        "Quandl WIKI",
        "quandl_wiki",
        When::Days,
        QUANDL,
    ),
    (
        "quandl_wiki_table.csv",
        "Quandl WIKI",
        "X",
        When::Days,
        QUANDL,
    ),
    (
        "investing.csv",
        "Investing.com",
        "investing",
        When::Days,
        &[],
    ),
    (
        "semicolon_decimal_comma.csv",
        "plain",
        "semicolon_decimal_comma",
        When::Days,
        &[],
    ),
    (
        "bom_upper_case.csv",
        "plain",
        "bom_upper_case",
        When::Days,
        &[],
    ),
    ("gzip.csv.gz", "native", "gzip", When::Days, &[]),
];
const BINANCE: &[(&str, f64)] = &[
    ("quote_volume", 100_900_000.5),
    ("trades", 5321.0),
    ("taker_buy_volume", 500_000.0),
    ("taker_buy_quote_volume", 50_450_000.25),
];
const QUANDL: &[(&str, f64)] = &[
    ("ex_dividend", 0.0),
    ("split_ratio", 1.0),
    ("adj_open", 97.9),
    ("adj_high", 99.1),
    ("adj_low", 96.7),
    ("adj_close", 98.4),
    ("adj_volume", 1e6),
];

fn moments(when: When) -> Vec<Micros> {
    match when {
        When::Days => [0, 1, 4].map(|d| DAY + d * DAY_MICROS).to_vec(),
        When::Minutes => [0, 1, 2]
            .map(|m| DAY + (9 * 3600 + (30 + m) * 60) * SECOND)
            .to_vec(),
    }
}

#[test]
fn every_layout_reads_as_the_same_three_bars() {
    for (file, layout, symbol, when, extra) in LAYOUT_FILES {
        let path = layouts().join(file);
        let market = read(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(market.tapes.len(), 1, "{file}");
        let tape = &market.tapes[0];
        let bars = &tape.bars;
        assert_eq!(tape.symbol, *symbol, "{file}");
        assert_eq!(*bars.time, moments(*when), "{file}");
        assert_eq!(*bars.open, [100.5, 101.25, 100.0], "{file}");
        assert_eq!(*bars.high, [101.75, 102.0, 101.5], "{file}");
        assert_eq!(*bars.low, [99.25, 100.5, 99.5], "{file}");
        assert_eq!(*bars.close, [101.0, 100.75, 101.25], "{file}");
        assert_eq!(
            bars.volume.as_deref(),
            Some(&vec![1e6, 1.2e6, 9e5]),
            "{file}"
        );
        let first: Vec<(&str, f64)> = bars
            .extra
            .iter()
            .map(|(name, column)| (name.as_str(), column[0]))
            .collect();
        let mut expected = extra.to_vec();
        expected.sort_by_key(|(name, _)| *name);
        let mut found = first;
        found.sort_by_key(|(name, _)| *name);
        assert_eq!(found, expected, "{file}");
        let raw = read_raw(&path, &[]).unwrap();
        assert_eq!(raw[0].layout, *layout, "{file}");
        assert_eq!(raw[0].time, *bars.time, "{file}");
        assert_eq!(raw[0].close, *bars.close, "{file}");
        assert!(raw[0].problems.is_empty(), "{file}");
    }
}

#[test]
fn every_golden_layout_file_is_tested() {
    let mut tested: Vec<&str> = LAYOUT_FILES.iter().map(|row| row.0).collect();
    tested.extend(["closes.csv", "long.csv", "wide.csv", "parquet"]);
    for entry in std::fs::read_dir(layouts()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(tested.contains(&name.as_str()), "{name} is in no table");
    }
}

#[test]
fn newest_first_is_turned_round_and_told() {
    let market = read(&layouts().join("nasdaq.csv")).unwrap();
    assert!(
        market
            .notes
            .iter()
            .any(|note| note.contains("newest first")),
        "{:?}",
        market.notes
    );
    let raw = read_raw(&layouts().join("nasdaq.csv"), &[]).unwrap();
    assert_eq!(raw[0].line, [4, 3, 2]);
}

#[test]
fn a_wide_file_is_a_tape_a_symbol_on_shared_columns() {
    let market = read(&layouts().join("wide.csv")).unwrap();
    let symbols: Vec<&str> = market
        .tapes
        .iter()
        .map(|tape| tape.symbol.as_str())
        .collect();
    assert_eq!(symbols, ["BRK.B", "LOW", "X"], "T has no close at all");
    assert_eq!(market.clock.len(), 3);
    let brk = &market.tapes[0];
    assert_eq!(*brk.bars.close, [200.0, 201.0]);
    assert_eq!(brk.on_clock.as_deref(), Some(&vec![1, 2]));
    let (low, x) = (&market.tapes[1].bars, &market.tapes[2].bars);
    assert!(Arc::ptr_eq(&low.time, &x.time) && Arc::ptr_eq(&low.open, &low.close));
    assert!(low.closes_only && low.volume.is_none());
    let one = Market::read(&layouts().join("wide.csv"), &wanting(&["X"])).unwrap();
    assert_eq!(one.tapes.len(), 1);
    let error = Market::read(&layouts().join("wide.csv"), &wanting(&["BRKB"])).unwrap_err();
    assert!(error.to_string().contains("did you mean BRK.B"), "{error}");
}

#[test]
fn a_long_file_is_a_tape_a_symbol() {
    let market = read(&layouts().join("long.csv")).unwrap();
    assert_eq!(market.tapes.len(), 2);
    assert_eq!(*market.tapes[1].bars.close, [202.0, 201.5, 202.5]);
    assert!(Arc::ptr_eq(
        &market.tapes[0].bars.time,
        &market.tapes[1].bars.time
    ));
    assert!(market.tapes.iter().all(|tape| tape.on_clock.is_none()));
    let raw = read_raw(&layouts().join("long.csv"), &[]).unwrap();
    assert_eq!(raw[1].line, [3, 5, 7]);
    let one = Market::read(&layouts().join("long.csv"), &wanting(&["Y"])).unwrap();
    assert_eq!(one.tapes.len(), 1);
}

#[test]
fn closes_only_files_are_told_apart() {
    let market = read(&layouts().join("closes.csv")).unwrap();
    let bars = &market.tapes[0].bars;
    assert!(bars.closes_only && Arc::ptr_eq(&bars.high, &bars.close));
    assert!(read_raw(&layouts().join("closes.csv"), &[]).unwrap()[0].closes_only);
}

#[test]
fn an_override_takes_the_name_from_the_column_that_had_it() {
    // Before and after the column that the file itself calls close.
    for header in ["date,close,settled", "date,settled,close"] {
        let text = match header.ends_with("close") {
            false => "2020-01-02,5,50\n2020-01-03,6,60\n",
            true => "2020-01-02,50,5\n2020-01-03,60,6\n",
        };
        let options = ReadOptions {
            columns: vec![("close".into(), "settled".into())],
            ..ReadOptions::default()
        };
        let text = format!("{header}\n{text}");
        let market = Market::from_bytes("X.csv", text.as_bytes(), &options).unwrap();
        let bars = &market.tapes[0].bars;
        assert_eq!(*bars.close, [50.0, 60.0], "{header}");
        assert!(bars.extra.is_empty(), "{header}");
    }
}

#[test]
fn overrides_name_columns() {
    let options = ReadOptions {
        columns: vec![
            ("close".into(), "Settled".into()),
            ("IV".into(), "implied".into()),
        ],
        ..ReadOptions::default()
    };
    let text = b"date,Settled,Implied,note\n2020-01-02,10,0.2,x\n2020-01-03,11,,y\n";
    let market = Market::from_bytes("X.csv", text, &options).unwrap();
    let bars = &market.tapes[0].bars;
    assert_eq!(*bars.close, [10.0, 11.0]);
    assert_eq!(bars.extra[0].0, "iv");
    assert!(bars.extra[0].1[1].is_nan());
    let wrong = ReadOptions {
        columns: vec![("close".into(), "Setled".into())],
        ..ReadOptions::default()
    };
    let error = Market::from_bytes("X.csv", text, &wrong)
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean Settled"), "{error}");
}

#[test]
fn mistakes_are_told_with_line_column_and_cell() {
    let good = "date,open,high,low,close\n2020-01-02,1,2,1,1.5\n";
    let cases = [
        (
            "2020-01-03,1,2,1,abc\n",
            "X.csv:3: close: `abc` is not a number",
        ),
        (
            "2020-13-03,1,2,1,1\n",
            "X.csv:3: date: `2020-13-03` is not a date",
        ),
        (
            "2020-01-03,1,2,1\n",
            "X.csv:3: 4 cells where there are 5 columns: `2020-01-03,1,2,1`",
        ),
        (
            "2020-01-03,1,2,1,1,9\n",
            "X.csv:3: 6 cells where there are 5 columns",
        ),
        (
            "2020-01-03,\"1,2,1,1\n",
            "X.csv:3: a quote is not closed on its line",
        ),
        (
            "\n2020-01-03,1,,1,1\n",
            "X.csv:4: high: the price is missing while the bar has others",
        ),
        ("2020-01-03,1,2,0,1\n", "X.csv:3: low: 0 is not a price"),
        ("2020-01-03,-1,2,1,1\n", "X.csv:3: open: -1 is not a price"),
        (
            "2020-01-03,1e999,2,1,1\n",
            "X.csv:3: open: `1e999` is not a number",
        ),
        (
            "2020-01-03,\x001,2,1,1\n",
            "X.csv:3: open: `\\u{0}1` is not a number",
        ),
        (
            "2020-01-03,1,2,1,1\n2020-01-01,1,2,1,1\n",
            "X.csv:4: X: 2020-01-01 stands after 2020-01-03 in line 3",
        ),
        ("2020-01-02,1,2,1,1\n", "2020-01-02 is in line 2 already"),
    ];
    for (row, expected) in cases {
        let error = refusal(&format!("{good}{row}"));
        assert!(error.contains(expected), "{row:?} gave {error}");
    }
    let many: String = (0..50).map(|i| format!("x{i},1,2,1,1\n")).collect();
    let error = parse("X.csv", &format!("{good}{many}")).unwrap_err();
    assert_eq!(error.problems().len(), 21);
    assert!(
        error
            .to_string()
            .ends_with("lists every such row with its cure)"),
        "{error}"
    );
}

#[test]
fn headers_that_name_no_prices_are_told() {
    assert!(refusal("").contains("the file is empty"));
    assert!(refusal("\n\n").contains("the file is empty"));
    assert!(refusal("date,open,high,low,close\n").contains("no rows of prices"));
    assert!(refusal("day_of_trade,close\n1,2\n").contains("no column for the date"));
    assert!(refusal("date,rate\n2020-01-02,1.5\n").contains("--columns close=NAME"));
    assert!(refusal("2020-01-02,1,2,3,4\n").contains("add a header line"));
    let chain = "quote_date,expiration,strike,bid,ask\n2020-01-02,2020-02-21,100,1,2\n";
    assert!(refusal(chain).contains("option quotes"));
}

#[test]
fn rows_without_any_price_are_no_bars() {
    let market = parse("X.csv", "date,open,high,low,close\n2020-01-02,1,2,1,1\n2020-01-03,null,null,null,null\n,,,,\n2020-01-06,1,2,1,1\n").unwrap();
    assert_eq!(market.tapes[0].bars.len(), 2);
    assert!(
        market.notes[0].contains("1 rows without any price are no bars, the first in line 3"),
        "{:?}",
        market.notes
    );
    let raw = papertape::market::load::read_raw_bytes(
        "X.csv",
        b"date,close\n2020-01-02,1\n2020-01-03,\n",
        &[],
    )
    .unwrap();
    assert!(raw[0].close[1].is_nan(), "the audit sees it");
}

#[test]
fn the_audit_sees_what_reading_refuses() {
    let text = "date,open,high,low,close,volume\n2020-01-03,1,2,1,1,5\n2020-01-02,0,2,1,1,\nx,1,2,1,1,5\n2020-01-02,1,2,1,q,5\n";
    let raw = papertape::market::load::read_raw_bytes("X.csv", text.as_bytes(), &[]).unwrap();
    let RawTape {
        line,
        time,
        open,
        close,
        problems,
        ..
    } = &raw[0];
    assert_eq!(*line, [2, 3, 5]);
    assert_eq!(*time, [DAY + DAY_MICROS, DAY, DAY]);
    assert_eq!(open[1], 0.0);
    assert!(close[2].is_nan());
    let lines: Vec<Option<u64>> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(4), Some(5)]);
    assert!(
        problems
            .iter()
            .all(|problem| problem.file.as_deref() == Some("X.csv"))
    );
}

#[test]
fn daily_bars_with_a_time_of_day_stand_at_midnight() {
    for text in [
        "timestamp,close\n2020-01-02T05:00:00Z,1\n2020-07-01T04:00:00Z,2\n",
        "timestamp,close\n1577941200,1\n1593576000000,2\n",
        "date,time,close\n2020-01-02,16:00,1\n2020-07-01,16:00,2\n",
    ] {
        let market = parse("X.csv", text).unwrap();
        assert_eq!(*market.clock, [DAY, DAY + 181 * DAY_MICROS], "{text}");
    }
    // Hours apart, or at different times of day: not daily.
    let market = parse(
        "X.csv",
        "timestamp,close\n2020-01-02 09:30,1\n2020-01-03 10:30,2\n",
    )
    .unwrap();
    assert_eq!(market.clock[0], DAY + (9 * 60 + 30) * 60 * SECOND);
}

#[test]
fn exact_numbers_in_every_spelling() {
    // The fast path and the general one give the nearest double to what is written.
    let cells = [
        "1",
        "0.1",
        "123456.789012",
        "9007199254740993",
        "0.30000000000000004",
        "1e-3",
        "1.7976931348623157e308",
        "00012.50",
        "12345678901234567890.5",
        "0.000000000000000000001",
        "2.2250738585072014e-308",
        "+5",
        "5.",
    ];
    for cell in cells {
        let market = parse("X.csv", &format!("date,close\n2020-01-02,{cell}\n"))
            .unwrap_or_else(|e| panic!("{cell}: {e}"));
        let expected: f64 = cell
            .trim_start_matches('+')
            .trim_end_matches('.')
            .parse()
            .unwrap();
        assert_eq!(market.tapes[0].bars.close[0], expected, "{cell}");
    }
}

#[test]
fn further_columns_keep_numbers_and_leave_out_text() {
    let text = "date,close,Implied Vol,sector,late\n2020-01-02,1,0.5,tech,\n2020-01-03,1,,tech,7\n";
    let market = parse("X.csv", text).unwrap();
    let names: Vec<&str> = market.tapes[0]
        .bars
        .extra
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["implied_vol", "late"]);
    assert!(market.tapes[0].bars.column("late").unwrap()[0].is_nan());
}

#[test]
fn folders_are_read_by_symbol() {
    let stocks = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks");
    let market = read(&stocks).unwrap();
    let symbols: Vec<&str> = market
        .tapes
        .iter()
        .map(|tape| tape.symbol.as_str())
        .collect();
    assert_eq!(symbols, ["AAPL", "GOOG", "IBM", "MSFT"]);
    assert_eq!(market.clock.len(), 3270);
    assert!(!market.actions.is_empty());
    assert!(market.tapes[1].on_clock.is_some() && market.tapes[0].on_clock.is_none());
    let some = Market::read(&stocks, &wanting(&["IBM", "MSFT"])).unwrap();
    assert_eq!(some.files.len(), 3, "two files of prices and the actions");
    assert!(
        some.actions
            .iter()
            .all(|action| action.symbol == "IBM" || action.symbol == "MSFT")
    );
    let error = Market::read(&stocks, &wanting(&["APPL", "IBM"]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no prices of APPL") && error.contains("did you mean AAPL"),
        "{error}"
    );
    let wide = Market::read(&stocks.with_file_name("stocks20"), &wanting(&["KO"])).unwrap();
    assert_eq!(wide.tapes[0].bars.len(), 8313);
    let error = read(&stocks.with_file_name("stokcs"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("did you mean stocks"), "{error}");
}

#[test]
fn folders_say_what_they_skip() {
    let folder = scratch("load-folder");
    std::fs::write(folder.join("A.csv"), "date,close\n2020-01-02,1\n").unwrap();
    std::fs::write(folder.join("README.md"), "prices").unwrap();
    std::fs::write(folder.join("rates.csv"), "date,rate\n2020-01-02,1\n").unwrap();
    std::fs::create_dir(folder.join("old")).unwrap();
    let market = read(&folder).unwrap();
    assert_eq!(market.tapes.len(), 1);
    assert_eq!(market.notes.len(), 3, "{:?}", market.notes);
    std::fs::write(folder.join("B.csv"), "date,close\n2020-01-02,x\n").unwrap();
    let error = read(&folder).unwrap_err().to_string();
    assert!(error.contains("B.csv:2: close: `x`"), "{error}");
    std::fs::write(folder.join("B.csv"), "symbol,date,close\nA,2020-01-02,1\n").unwrap();
    let error = read(&folder).unwrap_err().to_string();
    assert!(error.contains("the symbol A is in"), "{error}");
}

#[test]
fn hashes_are_made_when_asked_for() {
    let options = ReadOptions {
        hash: true,
        ..ReadOptions::default()
    };
    let market = Market::from_bytes("X.csv", b"date,close\n2020-01-02,1\n", &options).unwrap();
    assert_eq!(market.files[0].1.len(), 64);
    assert_eq!(
        parse("X.csv", "date,close\n2020-01-02,1\n").unwrap().files[0].1,
        ""
    );
}

fn same(a: &Bars, b: &Bars) {
    let bits = |column: &[f64]| column.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(a.time, b.time);
    assert_eq!(bits(&a.open), bits(&b.open));
    assert_eq!(bits(&a.high), bits(&b.high));
    assert_eq!(bits(&a.low), bits(&b.low));
    assert_eq!(bits(&a.close), bits(&b.close));
    assert_eq!(
        a.volume.as_ref().map(|v| bits(v)),
        b.volume.as_ref().map(|v| bits(v))
    );
    assert_eq!(a.closes_only, b.closes_only);
    assert_eq!(a.extra.len(), b.extra.len());
    for ((name, column), (other, values)) in a.extra.iter().zip(&b.extra) {
        assert_eq!((name, bits(column)), (other, bits(values)));
    }
}

#[test]
fn imported_parquet_reads_back_as_the_same_bars() {
    let out = scratch("load-import");
    let text = "symbol,timestamp,open,high,low,close,volume,iv\nEUR/USD,2020-01-02 09:30:00.5,1,2,0.5,1.5,10,\nEUR/USD,2020-01-02 09:31,1,2,0.5,1.5,,0.25\n";
    std::fs::write(out.join("in.csv"), text).unwrap();
    let sources = [
        out.join("in.csv"),
        layouts().join("tiingo.csv"),
        layouts().join("wide.csv"),
        layouts().join("metatrader5.csv"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks"),
    ];
    for (i, source) in sources.iter().enumerate() {
        let target = out.join(i.to_string());
        let done = import(source, &target, &ReadOptions::default()).unwrap();
        let (before, after) = (read(source).unwrap(), read(&target).unwrap());
        assert_eq!(done.symbols, after.tapes.len());
        assert_eq!(
            done.bars,
            after
                .tapes
                .iter()
                .map(|tape| tape.bars.len())
                .sum::<usize>()
        );
        assert_eq!(before.actions, after.actions);
        for (a, b) in before.tapes.iter().zip(&after.tapes) {
            assert_eq!(a.symbol, b.symbol);
            same(&a.bars, &b.bars);
        }
        let left = std::fs::read_dir(&target).unwrap().filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with('.')
        });
        assert_eq!(left.count(), 0, "no temporary file stays");
    }
    assert!(out.join("0/EUR%2FUSD.parquet").exists());
}

#[test]
fn damaged_parquet_is_an_error() {
    let out = scratch("load-damaged");
    import(&layouts().join("plain.csv"), &out, &ReadOptions::default()).unwrap();
    let bytes = std::fs::read(out.join("plain.parquet")).unwrap();
    for cut in [4, 20, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        assert!(
            Market::from_bytes("X.parquet", &bytes[..cut], &ReadOptions::default()).is_err(),
            "{cut}"
        );
    }
}

/// Every file of prices among the developer's data loads, or says where it fails.
#[test]
fn real_files_load_or_say_where_they_fail() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if !shared.exists() {
        println!("skipped: no ../shared/data");
        return;
    }
    let mut folders = vec![shared];
    let (mut loaded, mut refused) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !(name.ends_with(".csv") || name.ends_with(".parquet")) || name == "actions.csv" {
                continue;
            }
            match read(&path) {
                Ok(market) => {
                    loaded += 1;
                    println!(
                        "{}: {} symbols, {} moments {:?}",
                        path.display(),
                        market.tapes.len(),
                        market.clock.len(),
                        market.notes
                    );
                }
                Err(error) => {
                    refused += 1;
                    assert!(
                        error
                            .problems()
                            .iter()
                            .any(|problem| problem.file.is_some()),
                        "{error}"
                    );
                    println!("{error}");
                }
            }
        }
    }
    println!("{loaded} loaded, {refused} refused");
    assert!(loaded >= 25, "{loaded}");
}

/// (file, a word on what is special)
const PARQUET_FILES: &[&str] = &[
    "date32_zstd",
    "ns_snappy",
    "ms_none",
    "us_new_york_gzip",
    "us_utc_midnight_of_new_york",
    "text_dates",
    "epoch_ms",
    "pandas_index",
    "pandas_unnamed_index",
    "two_row_groups",
    "odd_name",
];

#[test]
fn parquet_of_other_writers_reads_as_the_same_three_bars() {
    for name in PARQUET_FILES {
        let path = layouts().join(format!("parquet/{name}.parquet"));
        let market = read(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let bars = &market.tapes[0].bars;
        assert_eq!(*bars.time, moments(When::Days), "{name}");
        assert_eq!(*bars.open, [100.5, 101.25, 100.0], "{name}");
        assert_eq!(*bars.close, [101.0, 100.75, 101.25], "{name}");
        assert_eq!(
            bars.volume.as_deref(),
            Some(&vec![1e6, 1.2e6, 9e5]),
            "{name}"
        );
        assert_eq!(read_raw(&path, &[]).unwrap()[0].line, [1, 2, 3], "{name}");
    }
}

#[test]
fn parquet_of_many_symbols_and_with_holes() {
    let folder = layouts().join("parquet");
    let long = read(&folder.join("long_categories.parquet")).unwrap();
    assert_eq!(*long.tapes[1].bars.close, [1.0, 3.0, 5.0]);
    let one = Market::read(&folder.join("long_categories.parquet"), &wanting(&["A"])).unwrap();
    assert_eq!((one.tapes.len(), one.tapes[0].symbol.as_str()), (1, "A"));
    let wide = read(&folder.join("wide.parquet")).unwrap();
    assert_eq!(*wide.tapes[1].bars.close, [2.5, 3.5]);
    let holes = read(&folder.join("nulls.parquet")).unwrap();
    let bars = &holes.tapes[0].bars;
    assert!(bars.volume.as_ref().unwrap()[1].is_nan());
    assert_eq!(bars.extra.len(), 1);
    assert_eq!(bars.extra[0].1[0], 0.25);
    let zone = read(&folder.join("mars.parquet")).unwrap_err().to_string();
    assert!(zone.contains("time zone Africa/Cairo"), "{zone}");
    let price = read(&folder.join("bad_price.parquet"))
        .unwrap_err()
        .to_string();
    assert!(
        price.contains("bad_price.parquet:2: close: -1 is not a price"),
        "{price}"
    );
}
