//! Option chains: every vendor's layout of one synthetic chain, views, and damaged files.

use papertape::instrument::{OccSymbol, Right, SettlementTime};
use papertape::market::audit::{FindingKind, Severity, audit, audit_all};
use papertape::market::chain::{ChainOptions, Chains, DaysToExpiry, Quote, holds_chains};
use papertape::market::{ReadOptions, date_of, import_chains, midnight};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/options/chains")
}

fn read(name: &str) -> Chains {
    let options = ChainOptions {
        underlying: (name == "optionsdx.txt").then(|| "XYZ".to_owned()),
        ..ChainOptions::default()
    };
    Chains::read(&folder().join(name), &options).unwrap()
}

/// A number of the expected file by the name of its column.
fn number(quote: &Quote<'_>, column: &str) -> Option<f64> {
    match column {
        "bid" => quote.bid,
        "ask" => quote.ask,
        "last" => quote.last,
        "volume" => quote.volume,
        "open_interest" => quote.open_interest,
        "iv" => quote.implied_volatility,
        "delta" => quote.delta,
        "underlying_price" => quote.underlying_price,
        other => panic!("{other}"),
    }
}

const NUMBERS: [&str; 8] = [
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
    "iv",
    "delta",
    "underlying_price",
];

#[test]
fn every_layout_gives_the_same_chain() {
    let layouts: [(&str, &str, &[&str]); 9] = [
        ("optionsdx.txt", "OptionsDX", &["open_interest"]),
        // Its callValue is a theoretical value, not a trade.
        ("orats_strikes.csv", "ORATS", &["last"]),
        ("cboe_eod_calcs.csv", "Cboe DataShop", &[]),
        ("historicaloptiondata_l2.csv", "HistoricalOptionData", &[]),
        ("historicaloptiondata_l3.csv", "HistoricalOptionData", &[]),
        (
            "polygon_day_aggs.csv",
            "Polygon",
            &[
                "bid",
                "ask",
                "open_interest",
                "iv",
                "delta",
                "underlying_price",
            ],
        ),
        (
            "thetadata_eod.csv",
            "ThetaData",
            &["open_interest", "iv", "delta", "underlying_price"],
        ),
        (
            "optopsy.csv",
            "long",
            &["last", "volume", "open_interest", "iv"],
        ),
        (
            "xyz_2021_quote_american.zip",
            "Lean",
            &[
                "last",
                "volume",
                "open_interest",
                "iv",
                "delta",
                "underlying_price",
            ],
        ),
    ];
    let mut reader = csv::Reader::from_path(folder().join("expected.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let expected: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
    assert_eq!(expected.len(), 90);
    for (name, layout, missing) in layouts {
        let chains = read(name);
        assert_eq!(chains.files()[0].1, layout, "{name}");
        assert_eq!(chains.len(), 90, "{name}");
        assert_eq!(chains.moments().len(), 3, "{name}");
        for row in &expected {
            let cell = |column: &str| &row[header.iter().position(|h| h == column).unwrap()];
            let quotes = chains.on(cell("date").parse().unwrap()).unwrap();
            let right = Right::parse(cell("type")).unwrap();
            let series = quotes
                .of_underlying(cell("underlying"))
                .series(cell("expiration").parse().unwrap(), right, None)
                .unwrap_or_else(|| panic!("{name}: {row:?}"));
            let quote = series.at_strike(cell("strike").parse().unwrap()).unwrap();
            assert_eq!(quote.days_to_expiry().to_string(), cell("dte"), "{name}");
            assert_eq!(quote.root, "XYZ", "{name}");
            for column in NUMBERS {
                let wanted =
                    (!missing.contains(&column)).then(|| cell(column).parse::<f64>().unwrap());
                assert_eq!(number(&quote, column), wanted, "{name} {column}: {row:?}");
            }
        }
    }
}

#[test]
fn stocks_under_the_same_header_are_no_chain() {
    let text = std::fs::read_to_string(folder().join("polygon_day_aggs.csv")).unwrap();
    let path = std::env::temp_dir().join(format!("papertape-stocks-{}.csv", std::process::id()));
    std::fs::write(&path, text.replace("O:XYZ210319C00090000", "XYZ")).unwrap();
    assert!(holds_chains(&folder().join("polygon_day_aggs.csv")));
    assert!(!holds_chains(&path));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn rows_are_sorted_and_views_are_parts() {
    let chains = read("cboe_eod_calcs.csv");
    assert_eq!(chains.underlyings(), ["XYZ"]);
    let mut seen = 0;
    for moment in chains.moments() {
        let quotes = chains.at(*moment).unwrap();
        assert_eq!(quotes.moment(), Some(*moment));
        for series in quotes.each_series() {
            assert!(series.strikes().is_sorted());
            assert_eq!(series.bids().len(), series.len());
            seen += series.len();
        }
    }
    assert_eq!(seen, chains.len());
    let first = chains.moments()[0];
    assert!(chains.at(first + 1).is_none());
    assert_eq!(chains.up_to(first + 1).unwrap().moment(), Some(first));
    assert!(chains.up_to(first - 1).is_none());
    assert!(chains.on(date_of(first).pred_opt().unwrap()).is_none());
    assert!(chains.at(first).unwrap().of_underlying("ABC").is_empty());
}

#[test]
fn contracts_are_found_by_days_delta_and_strike() {
    let chains = read("cboe_eod_calcs.csv");
    let day = "2021-03-15".parse().unwrap();
    let quotes = chains.on(day).unwrap();
    let expirations: Vec<String> = quotes.expirations().iter().map(|d| d.to_string()).collect();
    assert_eq!(expirations, ["2021-03-19", "2021-04-16", "2021-06-18"]);
    let wanted = DaysToExpiry {
        min: 20,
        max: 60,
        target: 45,
        monthly_only: true,
    };
    let expiration = quotes.nearest_expiration(&wanted).unwrap();
    assert_eq!(expiration.to_string(), "2021-04-16");
    assert_eq!(
        quotes.nearest_expiration(&DaysToExpiry {
            min: 40,
            max: 60,
            ..wanted
        }),
        None
    );
    let calls = quotes.series(expiration, Right::Call, Some("XYZ")).unwrap();
    let puts = quotes.series(expiration, Right::Put, None).unwrap();
    assert!(
        quotes
            .series(expiration, Right::Put, Some("XYZ7"))
            .is_none()
    );
    assert_eq!(calls.underlying_price(), Some(101.17));
    assert_eq!(calls.at_or_above(100.5).unwrap().strike_price(), 105.0);
    assert_eq!(calls.at_or_above(105.0).unwrap().strike_price(), 105.0);
    assert_eq!(puts.at_or_below(104.9).unwrap().strike_price(), 100.0);
    assert!(puts.at_or_below(50.0).is_none());
    assert!(calls.at_or_above(500.0).is_none());
    assert_eq!(calls.nearest_strike(102.0).unwrap().strike_price(), 100.0);
    let sold = calls.nearest_delta(0.3, |quote| quote.delta).unwrap();
    assert_eq!(sold.strike_price(), 105.0, "{sold:?}");
    assert!(calls.nearest_delta(0.3, |_| None).is_none());
    // Of two that are as near the one farther out of the money.
    let tie = |quote: &Quote<'_>| Some(if quote.strike == 100_000 { 0.4 } else { 0.6 });
    assert_eq!(puts.nearest_delta(0.5, tie).unwrap().strike_price(), 90.0);
    assert_eq!(calls.nearest_delta(0.5, tie).unwrap().strike_price(), 110.0);
    let mid = sold.mid().unwrap();
    assert_eq!(
        calls.nearest_premium(mid + 0.001).unwrap().strike,
        sold.strike
    );
}

fn of_text(text: &str) -> papertape::error::Result<Chains> {
    Chains::from_bytes("x.csv", text.as_bytes(), &ChainOptions::default())
}

#[test]
fn saturdays_are_the_friday_before_and_roots_settle_by_their_rule() {
    let text = "quote_date,underlying,root,expiration,strike,type,bid,ask\n\
        2014-01-02,^SPX,SPX,2014-01-18,1800,C,10,11\n\
        2014-01-02,^SPX,SPXW,2014-01-17,1800,C,10.5,11.5\n\
        2014-01-02,IBM,IBM,2014-01-18,182.5,P,3,3.1\n";
    let chains = of_text(text).unwrap();
    let quotes = chains.on("2014-01-02".parse().unwrap()).unwrap();
    assert_eq!(chains.underlyings(), ["IBM", "SPX"]);
    let friday = "2014-01-17".parse().unwrap();
    let spx = quotes.of_underlying("SPX");
    assert_eq!(spx.expirations(), [friday]);
    let settled = |root: &str| {
        let quote = spx
            .series(friday, Right::Call, Some(root))
            .unwrap()
            .get(0)
            .unwrap();
        quote.contract().convention.time
    };
    assert_eq!(settled("SPX"), SettlementTime::Am);
    assert_eq!(settled("SPXW"), SettlementTime::Pm);
    let ibm = quotes.of_underlying("IBM").get(0).unwrap().contract();
    assert_eq!(ibm.symbol().to_string(), "IBM   140117P00182500");
}

#[test]
fn rows_that_are_no_quotes_are_named_all_at_once() {
    let text = "quote_date,expiration,strike,type,bid,ask\n\
        soon,2021-01-15,100,call,1,2\n\
        2021-01-04,later,100,call,1,2\n\
        2021-01-04,2021-01-15,-5,call,1,2\n\
        2021-01-04,2021-01-15,100,both,1,2\n";
    let error = of_text(text).unwrap_err();
    let lines: Vec<Option<u64>> = error.problems().iter().map(|p| p.line).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(4), Some(5)]);
    assert!(of_text("date,close\n2021-01-04,5\n").is_err());
    assert!(of_text("").is_err());
}

#[test]
fn one_quote_of_a_contract_and_moment_stays() {
    let text = "quote_date,expiration,strike,type,bid,ask\n\
        2021-01-04,2021-01-15,100,call,1,2\n\
        2021-01-04,2021-01-15,100,call,1.5,2.5\n";
    let chains = of_text(text).unwrap();
    assert_eq!(chains.len(), 1);
    assert_eq!(chains.all().get(0).unwrap().bid, Some(1.5));
    assert_eq!(chains.notes().len(), 1);
}

#[test]
fn moments_keep_their_time_when_a_day_has_several() {
    let text = "timestamp,underlying,expiration,strike,type,bid,ask\n\
        2023-08-03T09:31:00-04:00,SPY,2023-09-01,430,call,21.8,22.9\n\
        2023-08-03T09:30:00-04:00,SPY,2023-09-01,430,call,22.1,23.2\n";
    let chains = of_text(text).unwrap();
    let day = midnight("2023-08-03".parse().unwrap());
    let minute = 60_000_000;
    assert_eq!(chains.moments(), [day + 570 * minute, day + 571 * minute]);
    let last = chains.on("2023-08-03".parse().unwrap()).unwrap();
    assert_eq!(last.get(0).unwrap().bid, Some(21.8));
}

/// SplitMix64.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

#[test]
fn damaged_files_end_in_quotes_or_an_error() {
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        seeds.push((
            path.file_name().unwrap().to_string_lossy().into_owned(),
            std::fs::read(&path).unwrap(),
        ));
    }
    seeds.sort();
    assert_eq!(seeds.len(), 10);
    let (mut read, mut refused) = (0, 0);
    for round in 0..1_500_u64 {
        let mut stream = Stream(round);
        let (name, seed) = &seeds[stream.below(seeds.len())];
        let mut bytes = seed.clone();
        if stream.below(2) == 0 {
            bytes.truncate(stream.below(3_000) + 1);
        }
        for _ in 0..=stream.below(6) {
            let at = stream.below(bytes.len());
            match stream.below(4) {
                0 => bytes[at] = stream.next() as u8,
                1 => bytes.truncate(at + 1),
                2 => {
                    bytes.splice(
                        at..at,
                        [b",", b"\n", b"\"", b"9"][stream.below(4)].iter().copied(),
                    );
                }
                _ => {
                    let end = (at + stream.below(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        match Chains::from_bytes(name, &bytes, &ChainOptions::default()) {
            Ok(chains) => {
                read += 1;
                assert_eq!(
                    chains
                        .all()
                        .each_series()
                        .iter()
                        .map(|s| s.len())
                        .sum::<usize>(),
                    chains.len()
                );
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 50 && refused > 50, "{read} {refused}");
}

#[test]
fn damaged_symbols_are_none() {
    let seeds = [
        "SPY   221018C00004500",
        "O:GOOGL280608P05970000",
        "XSP_052623P138.317",
        "F080625P00112500",
    ];
    for round in 0..20_000_u64 {
        let mut stream = Stream(round);
        let mut text: Vec<char> = seeds[stream.below(4)].chars().collect();
        for _ in 0..=stream.below(3) {
            let at = stream.below(text.len());
            match stream.below(3) {
                0 => text[at] = char::from_u32(stream.below(0x2000) as u32).unwrap_or('x'),
                1 => {
                    text.remove(at);
                }
                _ => text.insert(at, ['0', '9', 'C', '_', ':', ' ', 'é'][stream.below(7)]),
            }
        }
        let text: String = text.into_iter().collect();
        if let Some((symbol, style)) = OccSymbol::parse(&text) {
            let (again, _) = OccSymbol::parse(&symbol.write(style)).unwrap();
            assert_eq!(again, symbol, "{text}");
        }
    }
}

/// Findings about a text that stands for a chain: kind and count.
fn found(name: &str, text: &str) -> Vec<(FindingKind, usize)> {
    let folder =
        std::env::temp_dir().join(format!("papertape-chain-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("chain.csv");
    std::fs::write(&path, text).unwrap();
    let audit = audit(&path, &ReadOptions::default(), None).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(audit.files[0].holds, "option chain");
    let findings = audit.findings.iter().map(|f| (f.kind, f.count));
    findings
        .filter(|(kind, _)| *kind != FindingKind::Chain)
        .collect()
}

const HEADER: &str = "quote_date,underlying,expiration,strike,type,bid,ask,underlying_price\n";

/// Calls and puts of a month at strikes 90 to 110 around a price of 100.
fn fair() -> Vec<(u32, &'static str, f64, f64)> {
    vec![
        (90, "call", 10.4, 10.6),
        (95, "call", 6.3, 6.5),
        (100, "call", 3.1, 3.3),
        (105, "call", 1.2, 1.3),
        (110, "call", 0.4, 0.5),
        (90, "put", 0.4, 0.5),
        (95, "put", 1.2, 1.3),
        (100, "put", 3.0, 3.2),
        (105, "put", 6.1, 6.3),
        (110, "put", 10.3, 10.5),
    ]
}

fn text_of(quotes: &[(u32, &str, f64, f64)], spot: f64) -> String {
    let rows = quotes.iter().map(|(strike, right, bid, ask)| {
        format!("2021-03-15,XYZ,2021-04-16,{strike},{right},{bid},{ask},{spot}\n")
    });
    HEADER.to_owned() + &rows.collect::<String>()
}

#[test]
fn quotes_that_contradict_each_other_are_found() {
    assert_eq!(found("fair", &text_of(&fair(), 100.0)), []);
    // A call of a higher strike that costs more.
    let mut quotes = fair();
    (quotes[4].2, quotes[4].3) = (1.4, 1.5);
    assert_eq!(
        found("order", &text_of(&quotes, 100.0)),
        [(FindingKind::ChainArbitrage, 1)]
    );
    // A middle strike dearer than its neighbours together.
    let mut quotes = fair();
    (quotes[2].2, quotes[2].3) = (4.2, 4.3);
    assert_eq!(
        found("curve", &text_of(&quotes, 100.0)),
        [(FindingKind::ChainArbitrage, 1)]
    );
    // A put below what exercise gives.
    let mut quotes = fair();
    quotes.truncate(5);
    quotes.push((105, "put", 2.0, 2.5));
    let kinds = found("bounds", &text_of(&quotes, 100.0));
    assert!(
        kinds.contains(&(FindingKind::ChainArbitrage, 1)),
        "{kinds:?}"
    );
    // A spread that is crossed says nothing about the others.
    let mut quotes = fair();
    (quotes[2].2, quotes[2].3) = (4.2, 3.3);
    assert_eq!(
        found("crossed", &text_of(&quotes, 100.0)),
        [(FindingKind::ChainCrossed, 1)]
    );
}

#[test]
fn an_underlying_price_that_puts_and_calls_deny_is_found() {
    assert_eq!(found("near", &text_of(&fair(), 100.8)), []);
    let kinds = found("split", &text_of(&fair(), 700.0));
    assert!(
        kinds.contains(&(FindingKind::ChainSpotMismatch, 1)),
        "{kinds:?}"
    );
    let kinds = found("off", &text_of(&fair(), 103.0));
    assert!(
        kinds.contains(&(FindingKind::ChainSpotMismatch, 1)),
        "{kinds:?}"
    );
}

#[test]
fn chains_of_all_layouts_are_checked() {
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let audit = audit(&path, &ReadOptions::default(), None).unwrap();
        assert_eq!(audit.files[0].holds, "option chain", "{}", path.display());
        assert_eq!(audit.files[0].rows, 90, "{}", path.display());
        // It was made by halves: its quotes are sound, its sessions few.
        let severe = audit
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Severe);
        assert_eq!(
            severe.count(),
            0,
            "{}: {:?}",
            path.display(),
            audit.findings
        );
    }
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    let other = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    let there = [path, other].into_iter().find(|path| path.exists());
    if there.is_none() {
        println!("skipped: ../shared/data/{name} is absent");
    }
    there
}

#[test]
fn the_real_chain_of_an_index_holds_what_its_page_says() {
    let Some(path) = shared("options/SPX_chain_20190425_20190722.parquet") else {
        return;
    };
    let start = std::time::Instant::now();
    let chains = Chains::read(&path, &ChainOptions::default()).unwrap();
    println!(
        "{} quotes in {:?}, {} bytes of columns",
        chains.len(),
        start.elapsed(),
        chains.bytes()
    );
    assert_eq!(chains.len(), 450_906);
    assert!(chains.notes().is_empty());
    assert_eq!(chains.moments().len(), 58);
    let count = |test: &dyn Fn(&Quote<'_>) -> bool| chains.all().iter().filter(|q| test(q)).count();
    assert_eq!(count(&|q| q.bid == Some(0.0)), 24_692);
    assert_eq!(count(&|q| q.ask == Some(0.0)), 712);
    assert_eq!(count(&|q| q.implied_volatility == Some(0.0)), 21_772);
    assert_eq!(count(&|q| q.days_to_expiry() < 0), 282);
    let coverage = chains.coverage();
    assert_eq!(coverage.len(), 1);
    assert_eq!(coverage[0].roots, ["SPX", "SPXW"]);
    let quotes = chains.on("2019-05-20".parse().unwrap()).unwrap();
    let monthly = DaysToExpiry {
        min: 20,
        max: 40,
        target: 30,
        monthly_only: true,
    };
    let expiration = quotes.nearest_expiration(&monthly).unwrap();
    assert_eq!(expiration.to_string(), "2019-06-21");
    let calls = quotes.series(expiration, Right::Call, Some("SPX")).unwrap();
    let sold = calls.nearest_delta(0.3, |quote| quote.delta).unwrap();
    assert!((sold.delta.unwrap() - 0.3).abs() < 0.03, "{sold:?}");
    assert!(sold.strike_price() > quotes.underlying_price().unwrap());
}

#[test]
fn an_imported_chain_is_the_same_chain() {
    let out = std::env::temp_dir().join(format!("papertape-import-{}", std::process::id()));
    let done = import_chains(
        &folder().join("cboe_eod_calcs.csv"),
        &out,
        &ChainOptions::default(),
    )
    .unwrap();
    assert_eq!((done.symbols, done.bars), (1, 90));
    assert_eq!(done.files[0].file_name().unwrap(), "XYZ_chain.parquet");
    let again = Chains::read(&done.files[0], &ChainOptions::default()).unwrap();
    let first = read("cboe_eod_calcs.csv");
    assert_eq!(again.files()[0].1, "native");
    assert!(again.all().iter().eq(first.all().iter()));
    let shown = std::process::Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(["data", "show", "--format", "json"])
        .arg(&out)
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["chains"][0]["underlying"], "XYZ");
    assert_eq!(shown["chains"][0]["quotes"], 90);
    std::fs::remove_dir_all(&out).unwrap();
}

/// Bars of `XYZ` beside the golden chain, closes times `factor`; what is found of the chain.
fn beside_bars(name: &str, factor: f64) -> Vec<(FindingKind, String)> {
    let folder =
        std::env::temp_dir().join(format!("papertape-beside-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let chain = folder.join("quotes.csv");
    std::fs::copy(self::folder().join("optopsy.csv"), &chain).unwrap();
    let chains = read("optopsy.csv");
    let mut bars = String::from("date,open,high,low,close,volume\n");
    for moment in chains.moments() {
        let quotes = chains.at(*moment).unwrap();
        let spot = quotes.iter().find_map(|q| q.underlying_price).unwrap() * factor;
        bars += &format!("{},{spot},{spot},{spot},{spot},1000\n", date_of(*moment));
    }
    std::fs::write(folder.join("XYZ.csv"), bars).unwrap();
    let found = audit(&chain, &ReadOptions::default(), None)
        .unwrap()
        .findings;
    std::fs::remove_dir_all(&folder).unwrap();
    let found = found.into_iter().map(|f| (f.kind, f.what));
    found
        .filter(|(kind, _)| *kind == FindingKind::ChainTapeMismatch)
        .collect()
}

#[test]
fn the_underlying_price_is_held_against_its_own_bars_beside_the_chain() {
    assert_eq!(beside_bars("same", 1.0), []);
    assert_eq!(beside_bars("near", 1.008), []);
    let dividends = beside_bars("dividends", 0.97);
    assert_eq!(dividends.len(), 1, "{dividends:?}");
    assert!(!dividends[0].1.contains("split"), "{dividends:?}");
    let split = beside_bars("split", 0.25);
    assert!(split[0].1.contains("4-for-1 split"), "{split:?}");
}

/// A chain that was mapped across a split one session before the exchange's, and its bars.
#[test]
fn the_split_trap_is_found_when_the_bars_are_given() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let sources = [
        shared.join("defects/AAPL_chain_through_split_201406.csv"),
        shared.join("equities/ohlcv/AAPL.csv"),
    ];
    if !sources[0].exists() {
        println!("skipped: {} is absent", shared.display());
        return;
    }
    let found = audit_all(&sources, &ReadOptions::default(), None).unwrap();
    let of = |f: &&papertape::market::audit::Finding| f.kind == FindingKind::ChainTapeMismatch;
    let found: Vec<_> = found.findings.iter().filter(of).collect();
    assert_eq!(found.len(), 1);
    assert!(found[0].what.contains("2014-06-06"), "{}", found[0].what);
    assert_eq!(found[0].severity, Severity::Severe);
    let adjusted = [
        shared.join("options/SPY_top20_by_volume_2021.csv"),
        shared.join("options/SPY_underlying_2021.csv"),
    ];
    let found = audit_all(&adjusted, &ReadOptions::default(), None).unwrap();
    assert!(
        !found.findings.iter().any(|f| of(&f)),
        "{:?}",
        found.findings
    );
}
