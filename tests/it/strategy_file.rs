//! The strategy file: every default, every kind of mistake with its place and its cure, flags over
//! keys, the shipped files, and the user's document held against the vocabulary.

use chrono::NaiveDate;
use papertape::error::{Error, Problem};
use papertape::strategy::vocabulary::{Fallback, Keys, Kind, TABLES, Table};
use papertape::strategy::{
    AccountKind, Ambiguity, BarSize, ChartScale, Distance, Every, FillAt, OrderKind, Overrides,
    Prices, Rate, ScheduleDay, Signals, SizeMethod, Strategy, Stretch, WalkForward,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const RULE: &str = "[rules]\nenter = \"rsi(14) < 30\"\n";

fn parse(text: &str) -> Result<Strategy, Error> {
    Strategy::parse(text, "s/dip.toml", Path::new("s"), &Overrides::default())
}

fn with(set: &[(&str, &str)]) -> Overrides {
    Overrides {
        set: set
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        ..Overrides::default()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("strategies"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_default_is_the_contract() {
    let s = parse(RULE).unwrap();
    assert_eq!(
        (s.name.as_str(), s.about.as_str(), s.stem.as_str()),
        ("dip", "", "dip")
    );
    assert_eq!(s.folder, Path::new("s"));
    assert_eq!(s.source.name, "s/dip.toml");
    assert_eq!(s.source.text, RULE);

    assert_eq!(s.data.source, None);
    assert!(s.data.symbols.is_empty());
    assert_eq!((s.data.start, s.data.end, s.data.bar), (None, None, None));
    assert_eq!(s.data.actions, None);
    assert_eq!(
        (s.data.prices, s.data.signals),
        (Prices::Raw, Signals::Split)
    );
    assert_eq!(s.data.dividend_yield, None);
    assert!(!s.data.missing_is_error);
    assert_eq!((s.data.delist_after, s.data.delist_haircut), (10, 0.0));
    assert_eq!(s.data.calendar, None);

    let enter = s.rules.enter.as_ref().unwrap();
    assert_eq!(enter.text, "rsi(14) < 30");
    assert_eq!(enter.key, "rules.enter");
    assert_eq!(&RULE[enter.span.clone().unwrap()], "rsi(14) < 30");
    assert_eq!((&s.rules.exit, &s.rules.short), (&None, &None));
    assert_eq!((&s.rules.cover, &s.rules.priority), (&None, &None));
    assert_eq!((s.rules.cooldown_bars, s.rules.hold_bars_max), (0, None));
    assert_eq!(s.rules.every, Every::Bar);

    assert_eq!(s.size.method, SizeMethod::Equal);
    assert_eq!((s.size.max_positions, s.size.max_weight), (None, None));
    assert_eq!(
        (s.size.lot, s.size.min_order, s.size.pyramid),
        (0.0, 0.0, false)
    );

    assert_eq!(
        (&s.stops.stop, &s.stops.target, &s.stops.trail),
        (&None, &None, &None)
    );
    assert_eq!((s.stops.target_share, s.stops.breakeven), (1.0, None));
    assert!(s.stops.entry_bar);
    assert_eq!(s.stops.ambiguity, Ambiguity::Worst);

    assert_eq!(
        (s.fill.at, s.fill.order),
        (FillAt::NextOpen, OrderKind::Market)
    );
    assert_eq!((&s.fill.price, s.fill.volume_cap), (&None, None));
    assert!(s.fill.limit_through && !s.fill.good_till_cancelled && !s.fill.close_at_end);

    assert_eq!(s.costs.preset.as_deref(), Some("retail"));
    assert!(s.costs.defaulted);
    assert_eq!((s.costs.slippage_bps, s.costs.per_contract), (2.0, 0.65));
    assert_eq!((s.costs.commission, s.costs.per_share), (0.0, 0.0));
    assert_eq!((s.costs.per_order, s.costs.min), (0.0, 0.0));
    assert_eq!((s.costs.max, s.costs.spread_bps), (None, 0.0));
    assert_eq!(s.costs.borrow_rate, None);

    assert_eq!(
        (s.account.cash, s.account.kind),
        (100_000.0, AccountKind::Cash)
    );
    assert_eq!(
        (s.account.initial_margin, s.account.maintenance_margin),
        (0.5, 0.25)
    );
    assert_eq!(
        (s.account.margin_rate, s.account.settlement_days),
        (None, 0)
    );
    assert!(!s.account.each && !s.account.reinvest_dividends);
    assert_eq!(s.account.currency, "USD");

    assert_eq!(s.cash.yield_, Rate::Constant(0.0));
    assert_eq!((&s.cash.hurdle, &s.benchmark.rate), (&None, &None));
    assert!(s.benchmark.universe && s.benchmark.cash);
    assert!(s.benchmark.symbols.is_empty() && s.benchmark.blend.is_empty());
    assert!(s.report.charts);
    assert_eq!(s.report.scale, ChartScale::Auto);
}

#[test]
fn windows_are_stretches_of_the_calendar_or_bars() {
    let text = "[walk_forward]\ntrain = \"5y\"\ntest = \"6mo\"\nstep = \"13w\"\nholdout = \"90d\"\nanchored = true\npurge_bars = 5\nobjective = \"calmar\"";
    let walk = parse(&format!("{RULE}{text}")).unwrap().walk_forward;
    assert_eq!(walk.train, Some(Stretch::Months(60)));
    assert_eq!(walk.test, Some(Stretch::Months(6)));
    assert_eq!(walk.step, Some(Stretch::Days(91)));
    assert_eq!(walk.holdout, Some(Stretch::Days(90)));
    assert!(walk.anchored && !walk.holdout_open);
    assert_eq!(
        (walk.purge_bars, walk.objective.as_deref()),
        (5, Some("calmar"))
    );
    let words = [walk.train, walk.test, walk.step, walk.holdout].map(|s| s.unwrap().to_string());
    assert_eq!(words, ["5 years", "6 months", "13 weeks", "90 days"]);
    let bars = parse(&format!("{RULE}[walk_forward]\ntrain = 500\ntest = 1")).unwrap();
    assert_eq!(bars.walk_forward.train, Some(Stretch::Bars(500)));
    assert_eq!(bars.walk_forward.test.unwrap().to_string(), "1 bar");
    let none = parse(RULE).unwrap();
    assert_eq!(none.walk_forward, WalkForward::default());
    let is_said = |s: &Strategy| {
        s.assumptions
            .iter()
            .any(|a| a.0.starts_with("walk_forward."))
    };
    assert!(is_said(&bars) && !is_said(&none));
    let flags = Overrides {
        open_holdout: true,
        ..with(&[("walk_forward.holdout", "2y")])
    };
    let flagged = Strategy::parse(RULE, "x", Path::new(""), &flags).unwrap();
    assert_eq!(flagged.walk_forward.holdout, Some(Stretch::Months(24)));
    assert!(flagged.walk_forward.holdout_open);
}

#[test]
fn an_empty_table_equals_its_defaults() {
    let mut text = String::from(RULE);
    for table in TABLES {
        // A table that may stand several times says something by standing there.
        let is_one = table.repeated.is_none();
        if is_one && !["", "rules", "rank", "weights", "tax", "tax.harvest"].contains(&table.name) {
            text.push_str(&format!("[{}]\n", table.name));
        }
    }
    let (bare, mut full) = (parse(RULE).unwrap(), parse(&text).unwrap());
    full.source = bare.source.clone();
    assert_eq!(bare, full);
}

#[test]
fn costs_are_retail_only_when_nothing_is_said() {
    let costs = |keys: &str| parse(&format!("{RULE}[costs]\n{keys}")).unwrap().costs;
    let retail = costs("");
    assert!(retail.defaulted);
    assert_eq!(retail.slippage_bps, 2.0);
    let one = costs("commission = 0.001");
    assert!(!one.defaulted);
    assert_eq!(one.preset, None);
    assert_eq!(
        (one.commission, one.slippage_bps, one.per_contract),
        (0.001, 0.0, 0.0)
    );
    let beside = costs("preset = \"retail\"\nslippage_bps = 5");
    assert!(!beside.defaulted);
    assert_eq!((beside.slippage_bps, beside.per_contract), (5.0, 0.65));
    let broker = costs("preset = \"ibkr_fixed\"");
    assert_eq!(
        (broker.per_share, broker.min, broker.max),
        (0.005, 1.0, Some(0.01))
    );
    let none = costs("preset = \"none\"");
    assert_eq!((none.defaulted, none.slippage_bps), (false, 0.0));
    let flag = Strategy::parse(RULE, "d", Path::new(""), &with(&[("costs.min", "1")])).unwrap();
    assert!(!flag.costs.defaulted);
    assert_eq!((flag.costs.min, flag.costs.slippage_bps), (1.0, 0.0));
}

#[test]
fn every_key_reaches_its_place() {
    let text = r#"
name = "All"
about = "Everything at once"
[data]
source = "../data/stocks"
symbols = ["A", "B"]
members = "m.csv"
start = 2004-08-19
end = "2013-03-01"
bar = "5m"
actions = "a.csv"
prices = "adjusted"
signals = "total_return"
dividend_yield = "y.csv"
missing = "error"
delist_after = 3
delist_haircut = 0.25
calendar = "24/7"
[params]
zeta = 1
alpha = -2.5
[series]
slow = "sma(200)"
fast = '''sma(20)'''
[rules]
enter = "fast > slow"
exit = "fast < slow"
short = "fast < slow"
cover = "fast > slow"
priority = "-rsi(14)"
cooldown_bars = 2
hold_bars_max = 30
every = "week"
[size]
method = "risk"
value = 0.01
max_positions = 4
max_weight = 0.5
lot = 100
min_order = 50.5
pyramid = true
[stops]
stop = 0.05
target = "3 * atr(14)"
trail = 0.1
target_share = 0.5
breakeven = 0.03
entry_bar = false
ambiguity = "path"
[fill]
at = "next_close"
order = "limit"
price = "0.99 * close"
limit_touch = "touch"
volume_cap = 0.1
tif = "gtc"
close_at_end = true
[costs]
commission = 0.001
per_share = 0.005
per_order = 1
per_contract = 0.65
min = 1
max = 0.01
slippage_bps = 2
spread_bps = 4
borrow_rate = 0.01
[account]
cash = 5e4
kind = "margin"
initial_margin = 0.6
maintenance_margin = 0.3
margin_rate = 0.06
settlement_days = 2
each = true
dividends = "reinvest"
raise_cash = "largest"
currency = "EUR"
[cash]
yield = 0.02
hurdle = "h.csv"
[benchmark]
symbols = ["SPX"]
blend = { B = 0.4, A = 0.6 }
cash = false
rate = 0.01
[report]
charts = false
scale = "log"
profile = "backtesting.py"
"#;
    let s = parse(text).unwrap();
    assert_eq!(
        (s.name.as_str(), s.about.as_str()),
        ("All", "Everything at once")
    );
    assert_eq!(s.data.source, Some(PathBuf::from("data/stocks")));
    assert_eq!(s.data.symbols, ["A", "B"]);
    assert_eq!(s.data.members, Some(PathBuf::from("s/m.csv")));
    assert_eq!(s.data.start, NaiveDate::from_ymd_opt(2004, 8, 19));
    assert_eq!(s.data.end, NaiveDate::from_ymd_opt(2013, 3, 1));
    assert_eq!(s.data.bar, Some(BarSize::Minutes(5)));
    assert_eq!(s.data.actions, Some(PathBuf::from("s/a.csv")));
    assert_eq!(s.data.dividend_yield, Some(Rate::File("s/y.csv".into())));
    assert_eq!((s.data.delist_after, s.data.delist_haircut), (3, 0.25));
    assert!(s.data.missing_is_error);
    assert_eq!(
        s.params,
        [("zeta".to_owned(), 1.0), ("alpha".to_owned(), -2.5)]
    );
    let names: Vec<&str> = s.series.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["slow", "fast"], "in the order of the file");
    let span = s.series[1].1.span.clone().unwrap();
    assert_eq!(&text[span], "sma(20)", "inside three quotes");
    assert_eq!(
        (s.rules.cooldown_bars, s.rules.hold_bars_max),
        (2, Some(30))
    );
    assert_eq!(s.rules.every, Every::Week);
    assert_eq!((s.size.method, s.size.value), (SizeMethod::Risk, 0.01));
    assert_eq!(
        (s.size.max_positions, s.size.max_weight),
        (Some(4), Some(0.5))
    );
    assert_eq!(
        (s.size.lot, s.size.min_order, s.size.pyramid),
        (100.0, 50.5, true)
    );
    assert_eq!(s.stops.stop, Some(Distance::Fraction(0.05)));
    let Some(Distance::Expr(target)) = &s.stops.target else {
        panic!("target is an expression");
    };
    assert_eq!(
        (target.text.as_str(), target.key.as_str()),
        ("3 * atr(14)", "stops.target")
    );
    assert_eq!((s.stops.target_share, s.stops.breakeven), (0.5, Some(0.03)));
    assert_eq!(
        (s.stops.entry_bar, s.stops.ambiguity),
        (false, Ambiguity::Path)
    );
    assert_eq!(
        (s.fill.at, s.fill.order),
        (FillAt::NextClose, OrderKind::Limit)
    );
    assert!(!s.fill.limit_through && s.fill.good_till_cancelled && s.fill.close_at_end);
    assert_eq!(s.fill.volume_cap, Some(0.1));
    assert_eq!(
        (s.costs.preset.as_deref(), s.costs.borrow_rate),
        (None, Some(0.01))
    );
    assert_eq!((s.costs.max, s.costs.spread_bps), (Some(0.01), 4.0));
    assert_eq!(
        (s.account.kind, s.account.margin_rate),
        (AccountKind::Margin, Some(0.06))
    );
    assert_eq!((s.account.settlement_days, s.account.each), (2, true));
    assert_eq!(s.cash.hurdle, Some(Rate::File("s/h.csv".into())));
    assert_eq!(
        s.benchmark.blend,
        [("B".to_owned(), 0.4), ("A".to_owned(), 0.6)]
    );
    assert!(!s.benchmark.universe && !s.benchmark.cash);
    assert_eq!((s.report.charts, s.report.scale), (false, ChartScale::Log));
    assert_eq!(s.report.profile.as_deref(), Some("backtesting.py"));
    // Every key of every table was given above, so the assumptions hold nothing defaulted.
    let missing: Vec<_> = s.assumptions.iter().filter(|a| !a.2).collect();
    assert_eq!(
        missing,
        [&("costs.preset".to_owned(), "\"none\"".to_owned(), false)]
    );
}

#[test]
fn assumptions_name_every_key_given_or_not() {
    let s = parse(&format!("{RULE}[stops]\nstop = 0.05\n")).unwrap();
    let find = |key: &str| {
        let (_, text, given) = s.assumptions.iter().find(|a| a.0 == key).unwrap();
        (text.as_str(), *given)
    };
    assert_eq!(find("stops.stop"), ("0.05", true));
    assert_eq!(find("rules.enter"), ("\"rsi(14) < 30\"", true));
    assert_eq!(find("costs.slippage_bps"), ("2", false));
    assert_eq!(find("costs.preset"), ("\"retail\"", false));
    assert_eq!(find("account.cash"), ("100000", false));
    assert_eq!(find("fill.at"), ("\"next_open\"", false));
    assert_eq!(find("data.symbols"), ("(all found)", false));
    // How a strategy is studied is no assumption of its run unless somebody said so.
    // Nor is a selector that is not the strategy's.
    let studies = [
        "sweep",
        "model",
        "walk_forward",
        "model",
        "tax",
        "tax.harvest",
        "rank",
        "weights",
    ];
    let is_study = |name: &str| studies.contains(&name) || name.starts_with("options");
    let said = |name: &str| !name.is_empty() && !is_study(name);
    let is_one = |table: &Table| table.repeated.is_none();
    for table in TABLES.iter().filter(|t| is_one(t) && said(t.name)) {
        for row in table.rows() {
            find(&format!("{}.{}", table.name, row.name));
        }
    }
}

/// One mistake: the file, words of the message, the text under the caret, words of the cure.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const MISTAKES: &[Mistake] = &[
    // Names.
    (
        "[rule]\nenter = \"1 > 0\"",
        "no table [rule]",
        "rule",
        "[rules]",
    ),
    ("[zzz]\na = 1", "no table [zzz]", "zzz", "[data]"),
    (
        "[rules]\nentr = \"1 > 0\"",
        "no key `entr` in [rules]",
        "entr",
        "`enter`",
    ),
    ("[rules]\nbuy = \"1 > 0\"", "no key `buy`", "buy", "`enter`"),
    (
        "[rules]\nenter = \"1 > 0\"\nstop = 0.05",
        "no key `stop` in [rules]",
        "stop",
        "[stops]",
    ),
    (
        "[stops]\nstop_loss = 0.05",
        "no key `stop_loss`",
        "stop_loss",
        "`stop`",
    ),
    (
        "[data]\nsymbol = [\"A\"]",
        "no key `symbol`",
        "symbol",
        "`symbols`",
    ),
    (
        "commission = 5",
        "no key `commission` at the top",
        "commission",
        "[costs]",
    ),
    (
        "[costs]\nqqqqqq = 1",
        "no key `qqqqqq`",
        "qqqqqq",
        "commission",
    ),
    (
        "[data]\nname = \"x\"",
        "no key `name` in [data]",
        "name",
        "top of the file",
    ),
    // Types.
    (
        "[account]\ncash = \"100000\"",
        "account.cash: expected a number, found text",
        "\"100000\"",
        "without quotes: 100000",
    ),
    (
        "[account]\ncash = true",
        "expected a number, found true or false",
        "true",
        "",
    ),
    (
        "[stops]\nstop = [0.05]",
        "stops.stop: expected a fraction, or an expression in quotes, found a list",
        "[0.05]",
        "",
    ),
    (
        "[stops]\nstop = \"0.05\"",
        "this text is a number",
        "\"0.05\"",
        "without quotes: 0.05",
    ),
    (
        "[stops]\nstop = \"5%\"",
        "this text is a number",
        "\"5%\"",
        "without quotes: 0.05",
    ),
    (
        "[costs]\ncommission = \"0.1%\"",
        "expected a number, found text",
        "\"0.1%\"",
        "0.1% is 0.001",
    ),
    (
        "[cash]\nyield = \"4%\"",
        "found text",
        "\"4%\"",
        "4% is 0.04",
    ),
    (
        "[rules]\nenter = 5",
        "rules.enter: expected an expression in quotes, found a number",
        "5",
        "",
    ),
    (
        "[rules]\nenter = \" \"",
        "the expression is empty",
        "\" \"",
        "leave the key out",
    ),
    (
        "[size]\npyramid = \"true\"",
        "expected true or false, found text",
        "\"true\"",
        "without quotes: true",
    ),
    (
        "[data]\nsymbols = \"AAPL\"",
        "expected a list of symbols, found text",
        "\"AAPL\"",
        "[\"AAPL\"]",
    ),
    (
        "[data]\nsymbols = [\"A\", 5]",
        "expected a list of symbols",
        "[\"A\", 5]",
        "",
    ),
    (
        "[data]\nsymbols = []",
        "a list without a symbol",
        "[]",
        "leave the key out",
    ),
    (
        "[data]\nsymbols = [\"A\", \"B\", \"A\"]",
        "A is listed twice",
        "[\"A\", \"B\", \"A\"]",
        "",
    ),
    (
        "[data]\nstart = 2014",
        "expected a day, found a number",
        "2014",
        "2004-08-19",
    ),
    (
        "[data]\nstart = \"01/02/2014\"",
        "expected a day",
        "\"01/02/2014\"",
        "2004-08-19",
    ),
    (
        "[data]\nstart = 2014-01-02T09:30:00",
        "expected a day",
        "2014-01-02T09:30:00",
        "2004-08-19",
    ),
    (
        "[data]\nsource = 5",
        "data.source: expected a path in quotes",
        "5",
        "",
    ),
    (
        "[data]\nbar = \"2d\"",
        "\"2d\" is no size of a bar",
        "\"2d\"",
        "\"1d\"",
    ),
    (
        "[data]\nbar = \"daily\"",
        "\"daily\" is no size of a bar",
        "\"daily\"",
        "\"1d\"",
    ),
    (
        "[benchmark]\nblend = [\"A\"]",
        "expected a table of weights, found a list",
        "[\"A\"]",
        "{ SPY",
    ),
    (
        "[benchmark]\nblend = { A = 0.6, B = 0.5 }",
        "add up to 1.1, not to 1",
        "{ A = 0.6, B = 0.5 }",
        "",
    ),
    (
        "[benchmark]\nblend = { A = \"x\" }",
        "A: expected a weight above 0, found text",
        "{ A = \"x\" }",
        "",
    ),
    (
        "stops = 5",
        "`stops` is a table, found a number",
        "stops",
        "[stops]",
    ),
    (
        "[[rules]]\nenter = \"1 > 0\"",
        "`rules` is a table, found a list",
        "rules",
        "[rules]",
    ),
    // Values.
    (
        "[stops]\nstop = 5",
        "stops.stop: 5 is 500%",
        "5",
        "0.05 is 5%",
    ),
    ("[stops]\nstop = 0", "stops.stop: 0 is impossible", "0", ""),
    ("[stops]\nstop = -0.05", "-0.05 is impossible", "-0.05", ""),
    ("[stops]\ntarget = 10", "10 is 1000%", "10", "0.1 is 10%"),
    ("[stops]\ntrail = 8", "8 is 800%", "8", "0.08 is 8%"),
    (
        "[costs]\ncommission = 1",
        "costs.commission: 1 is 100%",
        "1",
        "0.01 is 1%",
    ),
    (
        "[costs]\nslippage_bps = 0.0005",
        "0.0005 is 0.000005%",
        "0.0005",
        "5 is 0.05%",
    ),
    ("[cash]\nyield = 4.5", "4.5 is 450%", "4.5", "0.045 is 4.5%"),
    ("[account]\ncash = 0", "0 is impossible", "0", ""),
    (
        "[account]\ncash = nan",
        "expected a finite number",
        "nan",
        "",
    ),
    (
        "[account]\ncash = inf",
        "expected a finite number",
        "inf",
        "",
    ),
    (
        "[account]\nsettlement_days = 1.5",
        "1.5 is impossible",
        "1.5",
        "",
    ),
    (
        "[account]\nsettlement_days = 99",
        "99 is impossible",
        "99",
        "",
    ),
    ("[size]\nmax_positions = 0", "0 is impossible", "0", ""),
    (
        "[size]\nmax_weight = 25",
        "25 is 2500%",
        "25",
        "0.25 is 25%",
    ),
    (
        "[fill]\nat = \"open\"",
        "\"open\" is unknown",
        "\"open\"",
        "",
    ),
    (
        "[fill]\nat = \"next_opn\"",
        "\"next_opn\" is unknown",
        "\"next_opn\"",
        "\"next_open\"",
    ),
    (
        "[costs]\npreset = \"retial\"",
        "\"retial\" is unknown",
        "\"retial\"",
        "\"retail\"",
    ),
    (
        "[params]\nn = \"x\"",
        "params.n: expected a number, found text",
        "\"x\"",
        "",
    ),
    (
        "[params]\n\"my-n\" = 1",
        "`my-n` cannot be a name",
        "\"my-n\"",
        "letters",
    ),
    (
        "[params]\nnot = 1",
        "has a meaning of its own",
        "not",
        "another name",
    ),
    (
        "[params]\nx = 1\n[series]\nx = \"sma(5)\"",
        "`x` is a parameter and a series",
        "\"sma(5)\"",
        "another name",
    ),
    // What does not go together.
    (
        "[rules]\nexit = \"1 > 0\"",
        "[rules] never buys",
        "rules",
        "enter =",
    ),
    (
        "[rules]\nenter = \"1 > 0\"\ncover = \"1 > 0\"",
        "`cover` without `short`",
        "\"1 > 0\"",
        "",
    ),
    (
        "[rules]\nshort = \"1 > 0\"",
        "a cash account cannot sell short",
        "\"1 > 0\"",
        "kind = \"margin\"",
    ),
    (
        "[rules]\nshort = \"1 > 0\"\n[account]\nkind = \"margin\"\nmargin_rate = 0.06",
        "shorts need costs.borrow_rate",
        "\"1 > 0\"",
        "borrow_rate =",
    ),
    (
        "[account]\nkind = \"margin\"",
        "needs account.margin_rate",
        "\"margin\"",
        "margin_rate =",
    ),
    (
        "[account]\nmaintenance_margin = 0.8",
        "maintenance_margin 0.8 is larger",
        "0.8",
        "",
    ),
    (
        "[size]\nmethod = \"cash\"",
        "method \"cash\" needs size.value",
        "\"cash\"",
        "value = 5000",
    ),
    (
        "[size]\nmethod = \"risk\"\nvalue = 0.01",
        "method \"risk\" needs a stop",
        "\"risk\"",
        "[stops]",
    ),
    (
        "[size]\nmethod = \"fraction\"\nvalue = 95",
        "size.value: 95 is 9500%",
        "95",
        "0.95 is 95%",
    ),
    (
        "[size]\nmethod = \"target_vol\"\nvalue = 15",
        "size.value: 15 is 1500%",
        "15",
        "0.15 is 15%",
    ),
    (
        "[size]\nvalue = 0.5",
        "method \"equal\" takes no value",
        "0.5",
        "fraction",
    ),
    (
        "[stops]\ntarget_share = 0.5",
        "target_share without a target",
        "0.5",
        "",
    ),
    (
        "[fill]\norder = \"limit\"",
        "a limit order needs fill.price",
        "\"limit\"",
        "close",
    ),
    (
        "[fill]\nprice = \"close\"",
        "a market order has no price",
        "\"close\"",
        "fill.order",
    ),
    (
        "[data]\nstart = 2014-01-02\nend = 2013-01-02",
        "the end 2013-01-02 is before",
        "2013-01-02",
        "",
    ),
    (
        "[options]\nstructure = \"wheel\"",
        "a wheel chooses its shares itself",
        "\"wheel\"",
        "covered_call",
    ),
    (
        "[options.put]\ndelta = 0.3",
        "[options] does not say which structure",
        "0.3",
        "structure = ",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[options.put]\ndelta = 0.3",
        "a covered_call has no put",
        "0.3",
        "leave [options.put] out",
    ),
    (
        "[options]\nstructure = \"put_spread\"",
        "a put_spread needs options.width",
        "\"put_spread\"",
        "width = 5",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[options.call]\ndelta = 0.3\nmoneyness = 0.02",
        "both choose the strike",
        "0.02",
        "one strike rule",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[options.call]\ndte = [45, 30]",
        "45 is more than 30",
        "[45, 30]",
        "[30, 45]",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[options.call]\ndte = [20, 30]\ndte_target = 40",
        "40 days lie outside",
        "40",
        "",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[stops]\nstop = 0.05",
        "[stops] would sell shares from under their calls",
        "0.05",
        "options.roll.loss",
    ),
    (
        "[options]\nstructure = \"covered_call\"\n[options.roll]\nif_unable = [\"hodl\"]",
        "\"hodl\" is unknown",
        "[\"hodl\"]",
        "did you mean \"hold\"",
    ),
    (
        "[options]\nstructure = \"covered_call\"\nunits = \"index\"",
        "pro-rata units hold their own shares",
        "\"index\"",
        "account",
    ),
    (
        "[model]\nlearner = \"ridge\"",
        "[model] has no `features`",
        "model",
        "roc(close, 63)",
    ),
    (
        "[sweep]\nn = [1, 2]",
        "`n` is no param",
        "[1, 2]",
        "[params]",
    ),
    // Windows.
    (
        "[walk_forward]\ntrain = \"5y\"",
        "`train` without `test`",
        "\"5y\"",
        "both windows",
    ),
    (
        "[walk_forward]\ntest = 252",
        "`test` without `train`",
        "252",
        "both windows",
    ),
    (
        "[walk_forward]\nstep = \"1y\"",
        "`step` without `test`",
        "\"1y\"",
        "both windows",
    ),
    (
        "[walk_forward]\ntrain = -5\ntest = 10",
        "-5 bars are impossible",
        "-5",
        "\"5y\"",
    ),
    (
        "[walk_forward]\ntrain = 2.5\ntest = 10",
        "2.5 bars are impossible",
        "2.5",
        "",
    ),
    (
        "[walk_forward]\ntrain = \"five years\"\ntest = \"1y\"",
        "\"five years\" is no stretch of time",
        "\"five years\"",
        "\"6mo\"",
    ),
    (
        "[walk_forward]\ntrain = \"-5y\"\ntest = \"1y\"",
        "\"-5y\" is no stretch of time",
        "\"-5y\"",
        "",
    ),
    (
        "[walk_forward]\ntrain = \"6m\"\ntest = \"1mo\"",
        "\"6m\" is no stretch of time",
        "\"6m\"",
        "\"6mo\"",
    ),
    (
        "[walk_forward]\nholdout = \"2000y\"",
        "\"2000y\" is no stretch of time",
        "\"2000y\"",
        "",
    ),
    (
        "[walk_forward]\nholdout = true",
        "expected a stretch of time",
        "true",
        "\"5y\"",
    ),
    (
        "[walk_forward]\ntrain = \"5y\"\ntest = 252",
        "`test` and `train` are in different units",
        "252",
        "all in bars",
    ),
    (
        "[walk_forward]\ntrain = \"5y\"\ntest = \"1y\"\nstep = \"2y\"",
        "leaves days between test windows of 1 year",
        "\"2y\"",
        "at most as long",
    ),
    (
        "[walk_forward]\ntrain = 100\ntest = 20\npurge_bars = 100",
        "leaves nothing of 100 bars",
        "100",
        "purge fewer",
    ),
    (
        "[walk_forward]\nobjective = \"sharp\"",
        "\"sharp\" is unknown",
        "\"sharp\"",
        "\"sharpe\"",
    ),
    (
        "[walk_forward]\ntrian = \"5y\"",
        "no key `trian` in [walk_forward]",
        "trian",
        "`train`",
    ),
    (
        "[monitor]\na = \"drawdwn > 0.1\"",
        "unknown name `drawdwn`",
        "drawdwn",
        "`drawdown`",
    ),
    (
        "[[cashflow]]\namount = 5\nevery = \"month\"\ninto = \"core\"",
        "`into` without a [[layer]]",
        "\"core\"",
        "leave it out",
    ),
    // Tables that may stand several times.
    (
        "[cashflow]\namount = 50",
        "may stand in a file several times, found [cashflow]",
        "cashflow",
        "[[cashflow]]",
    ),
    (
        "cashflow = [50]",
        "`cashflow` is a list of tables, found a number",
        "50",
        "[[cashflow]]",
    ),
    (
        "[[cashflow]]\namount = 50\nstart = 2001-01-01\nstraem = \"a\"",
        "no key `straem` in [[cashflow]]",
        "straem",
        "`stream`",
    ),
    (
        "[[cashflow]]\namount = \"50\"\nevery = \"month\"",
        "cashflow.0.amount: expected a number",
        "\"50\"",
        "without quotes: 50",
    ),
    (
        "[[cashflow]]\nevery = \"month\"",
        "this [[cashflow]] has no amount",
        "[[cashflow]]",
        "amount = 50",
    ),
    (
        "[[cashflow]]\namount = 50",
        "this [[cashflow]] has no day",
        "[[cashflow]]",
        "every = \"month\"",
    ),
    (
        "[[cashflow]]\namount = 50\nstart = 2001-01-01\ngrow = 0.02",
        "`grow` without `every`",
        "0.02",
        "every = \"month\"",
    ),
    (
        "[[cashflow]]\namount = 50\nfile = \"a.csv\"",
        "`amount` beside `file`",
        "50",
        "leave one",
    ),
    (
        "[[cashflow]]\namount = 50\nevery = \"week\"\nday = 8",
        "a week has no day 8",
        "8",
        "",
    ),
    (
        "[[cashflow]]\namount = 50\nevery = \"month\"\nday = \"frist\"",
        "cashflow.0.day: \"frist\" is unknown",
        "\"frist\"",
        "\"first\"",
    ),
    (
        "[[cashflow]]\namount = 0\nevery = \"month\"",
        "an amount of 0 is no flow",
        "0",
        "leave",
    ),
    (
        "[[cashflow]]\namount = -5\nevery = \"month\"\ninvest = \"now\"",
        "a withdrawal is not invested",
        "\"now\"",
        "raise_cash",
    ),
    (
        "[[cashflow]]\namount = 5\nevery = \"month\"\nstart = 2002-01-01\nend = 2001-01-01",
        "before the start 2002-01-01",
        "2001-01-01",
        "",
    ),
    (
        "[[cashflow]]\namount = 5\nevery = \"month\"\ngrow = 3",
        "cashflow.0.grow: 3 is 300%",
        "3",
        "0.03 is 3%",
    ),
    (
        "[[cashflow]]\namount = 5\nevery = \"month\"\n[sweep]\n\"cashflow.salry.amount\" = [1, 2]",
        "no [[cashflow]] is called `salry`",
        "[1, 2]",
        "cashflow.0",
    ),
    (
        "[report]\nprofile = \"quantstat\"",
        "report.profile",
        "\"quantstat\"",
        "quantstats",
    ),
    // TOML itself.
    ("[rules]\nenter = rsi(14) < 30", "not TOML", "", "quotes"),
    ("[rules\nenter = 1", "not TOML", "", ""),
    (
        "[costs]\nmin = 1\nmin = 2",
        "not TOML: duplicate key",
        "min",
        "",
    ),
];

#[test]
fn every_mistake_has_its_place_and_its_cure() {
    for (text, message, under, help) in MISTAKES {
        // A file with a mistake elsewhere still needs a rule, but a second [rules] is no TOML.
        let text = match text.contains("rule") {
            true => text.to_string(),
            false => format!("{text}\n{RULE}"),
        };
        let error = parse(&text).expect_err(&text);
        let found = error
            .problems()
            .iter()
            .find(|p| p.message.contains(message))
            .unwrap_or_else(|| panic!("no {message:?} for\n{text}\nbut {error}"));
        if !under.is_empty() {
            let span = found
                .span
                .clone()
                .unwrap_or_else(|| panic!("no place: {found:?}"));
            assert_eq!(&text[span], *under, "{text}");
        }
        let cure = found.help.clone().unwrap_or_default();
        assert!(
            cure.contains(help),
            "{text}\nhelp is {cure:?}, not {help:?}"
        );
        assert!(!found.message.ends_with('.'), "{}", found.message);
        assert_eq!(error.source_text().unwrap().text, text);
    }
}

#[test]
fn a_mistake_is_reported_once() {
    for (text, message, _, _) in MISTAKES {
        let text = match text.contains("rule") {
            true => text.to_string(),
            false => format!("{text}\n{RULE}"),
        };
        let error = parse(&text).unwrap_err();
        // TOML that cannot be read may have several mistakes of syntax.
        if !message.starts_with("not TOML") {
            // A [rules] table that is no table leaves the strategy without rules as well.
            // A selector of a later release is a second selector as well.
            let two = ["[[rules]]", "[rule]", "[rank]", "[weights]", "[[layer]]"];
            let most = 1 + usize::from(two.iter().any(|t| text.contains(t)));
            // The files that these texts name are not there, which is told as well.
            let of_paths = |p: &&Problem| p.message.contains("no such file or folder");
            let of_paths = error.problems().iter().filter(of_paths).count();
            assert!(error.problems().len() - of_paths <= most, "{text}\n{error}");
        }
    }
}

#[test]
fn all_mistakes_are_shown_at_once_in_file_order() {
    let text = "nam = \"x\"\n[rules]\nentr = \"1 > 0\"\n[stops]\nstop = 5\n[fill]\nat = 3\n[monitor]\nlots = 2\n[rank]\nhold = 2\n";
    let error = parse(text).unwrap_err();
    let messages: Vec<&str> = error
        .problems()
        .iter()
        .map(|p| p.message.as_str())
        .collect();
    let expected = [
        "`nam`",
        "`entr`",
        "500%",
        "fill.at",
        "monitor.lots",
        "both say what to hold",
        "[rank] has no score",
    ];
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{message} / {expected}");
    }
}

#[test]
fn mistakes_of_expressions_stand_beside_those_of_keys() {
    let text = "[rules]\nenter = \"rsi(n) < 30 and\"\nexit = \"sma(some_column, 0) > 1\"\npriority = \"rsy(5) + SPY:close\"\n[params]\nn = \"x\"\n[series]\na = \"b + later\"\n";
    let error = parse(text).unwrap_err();
    let shown = error.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    for (line, words) in [(2, ""), (3, ""), (4, "`rsi`"), (6, "params.n")] {
        let at = format!("s/dip.toml:{line}:");
        let found = lines
            .iter()
            .filter(|l| l.starts_with(&at) && l.contains(words));
        assert_eq!(found.count(), 1, "{at} {words}\n{shown}");
    }
    assert_eq!(lines.len(), 4, "names may be columns of the data: {shown}");
}

#[test]
fn without_a_rule_nothing_runs() {
    for text in ["", "name = \"x\"", "[data]\nsource = \"x\""] {
        let error = parse(text).unwrap_err();
        assert!(
            error.to_string().contains("nothing says when to buy"),
            "{error}"
        );
        assert!(error.to_string().contains("enter ="), "{error}");
    }
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let text = format!(
        "{RULE}[stops]\nstop = 0.05\n[data]\nsource = \"../d\"\nstart = 2000-01-01\n[params]\na = 1\nb = 2\n"
    );
    let mut flags = with(&[
        ("stops.stop", "0.1"),
        ("rules.exit", "rsi(14) > 70"),
        ("rules.priority", "c"),
        ("params.a", "7"),
        ("params.c", "9"),
        ("fill.at", "close"),
        ("data.symbols", "A,B"),
        ("data.end", "2010-05-05"),
        ("size.pyramid", "true"),
        ("stops.trail", "2 * atr(14)"),
        ("name", "5"),
    ]);
    flags.data = Some(PathBuf::from("here/d.csv"));
    flags.start = NaiveDate::from_ymd_opt(2001, 2, 3);
    flags.columns = vec![("close".to_owned(), "Last".to_owned())];
    let s = Strategy::parse(&text, "x.toml", Path::new("f"), &flags).unwrap();
    assert_eq!(s.stops.stop, Some(Distance::Fraction(0.1)));
    let exit = s.rules.exit.clone().unwrap();
    assert_eq!((exit.text.as_str(), exit.span), ("rsi(14) > 70", None));
    assert_eq!(s.rules.priority.clone().unwrap().text, "c");
    let params: Vec<(&str, f64)> = s.params.iter().map(|(n, x)| (n.as_str(), *x)).collect();
    assert_eq!(params, [("a", 7.0), ("b", 2.0), ("c", 9.0)]);
    assert_eq!(s.fill.at, FillAt::Close);
    assert_eq!(s.data.symbols, ["A", "B"]);
    assert_eq!(
        s.data.source,
        Some(PathBuf::from("here/d.csv")),
        "from where the user is"
    );
    assert_eq!(s.data.start, NaiveDate::from_ymd_opt(2001, 2, 3));
    assert_eq!(s.data.end, NaiveDate::from_ymd_opt(2010, 5, 5));
    assert!(s.size.pyramid);
    assert!(matches!(s.stops.trail, Some(Distance::Expr(_))));
    assert_eq!(s.name, "5");
    assert_eq!(s.data.columns, [("close".to_owned(), "Last".to_owned())]);
    let given = |key: &str| s.assumptions.iter().find(|a| a.0 == key).unwrap().clone();
    assert_eq!(given("stops.stop").1, "0.1");
    assert_eq!(given("fill.at").1, "\"close\"");
    assert_eq!(given("data.symbols").1, "[\"A\", \"B\"]");
    assert_eq!(given("data.start").1, "2001-02-03");
    assert_eq!(given("rules.priority").1, "\"c\"");
}

#[test]
fn a_mistake_in_a_flag_names_the_flag() {
    let problem = |key: &str, value: &str| -> Problem {
        let error = Strategy::parse(RULE, "x", Path::new(""), &with(&[(key, value)])).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        error.problems()[0].clone()
    };
    let slip = problem("stops.stop", "5");
    assert_eq!(slip.file.as_deref(), Some("--set stops.stop=5"));
    assert!(slip.message.contains("500%") && slip.help.unwrap().contains("0.05"));
    assert!(
        problem("stops.stpo", "0.1")
            .help
            .unwrap()
            .contains("`stop`")
    );
    assert!(
        problem("stop.stop", "0.1")
            .help
            .unwrap()
            .contains("stops.stop")
    );
    assert!(problem("a.b.c", "0.1").message.contains("no table [a.b]"));
    assert!(problem("stop", "0.1").help.unwrap().contains("[stops]"));
    assert!(problem("sweep.n", "[1]").message.contains("no param"));
    assert!(
        problem("data.start", "soon")
            .message
            .contains("expected a day")
    );
    let mut flags = with(&[("data.end", "2000-01-01")]);
    flags.start = NaiveDate::from_ymd_opt(2001, 1, 1);
    let error = Strategy::parse(RULE, "x", Path::new(""), &flags).unwrap_err();
    assert!(error.to_string().contains("before the start"), "{error}");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let read = |path: &Path| {
        Strategy::read(path, &Overrides::default())
            .unwrap_err()
            .to_string()
    };
    let near = read(&root().join("strategies/rsi-30-7.toml"));
    assert!(near.contains("did you mean rsi-30-70.toml?"), "{near}");
    assert!(read(&root().join("strategies")).contains("cannot be read"));
    let folder = std::env::temp_dir().join(format!("papertape-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("latin.toml");
    std::fs::write(&file, b"name = \"a\"\nabout = \"caf\xe9\"\n").unwrap();
    let latin = read(&file);
    assert!(latin.contains(":2: ") && latin.contains("UTF-8"), "{latin}");
    std::fs::write(&file, format!("\u{feff}{}", RULE.replace('\n', "\r\n"))).unwrap();
    let dos = Strategy::read(&file, &Overrides::default()).unwrap();
    let enter = dos.rules.enter.unwrap();
    assert_eq!(&dos.source.text[enter.span.unwrap()], "rsi(14) < 30");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn spans_are_left_out_where_file_and_text_differ() {
    let s = parse("[rules]\nenter = \"rsi(14) \\u003c 30\"\nexit = \"\"\"\nrsi(14) >\n 70\"\"\"\n")
        .unwrap();
    let enter = s.rules.enter.unwrap();
    assert_eq!((enter.text.as_str(), enter.span), ("rsi(14) < 30", None));
    let exit = s.rules.exit.unwrap();
    assert_eq!(&s.source.text[exit.span.unwrap()], exit.text);
}

#[test]
fn the_shipped_strategies_read() {
    let files = shipped();
    assert!(files.len() >= 9);
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        // Presets of option income keep the underscores of the names they are known by.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        assert!(stem.chars().all(plain), "{stem}");
        let s = Strategy::read(&file, &Overrides::default()).unwrap_or_else(|e| panic!("{e}"));
        assert!(!s.about.is_empty() && s.name != stem, "{stem}");
        assert!(!s.costs.defaulted, "{stem} chooses its costs");
        let source = s.data.source.unwrap();
        assert!(source.exists(), "{}", source.display());
        assert!(
            source.starts_with(root().join("data")),
            "{}",
            source.display()
        );
    }
}

#[test]
fn the_vocabulary_agrees_with_itself() {
    for table in TABLES {
        for (i, row) in table.rows().iter().enumerate() {
            assert!(
                table.rows()[..i].iter().all(|r| r.name != row.name),
                "{}",
                row.name
            );
            for other in table.rows() {
                assert!(
                    !row.aliases.contains(&other.name),
                    "{} is a key itself",
                    other.name
                );
            }
            assert!(!row.about.ends_with('.'), "{}", row.about);
            match (row.kind, row.default) {
                (
                    Kind::Number(r) | Kind::Fraction(r) | Kind::BasisPoints(r) | Kind::Rate(r),
                    Fallback::Number(x),
                ) => {
                    assert!(r.holds(x), "{}", row.name);
                }
                (Kind::Whole { min, max }, Fallback::Number(x)) => {
                    assert!(x.fract() == 0.0 && x >= f64::from(min) && x <= f64::from(max));
                }
                (Kind::Choice(words), Fallback::Word(word)) => assert!(words.contains(&word)),
                (Kind::Flag, Fallback::Flag(_)) => {}
                (Kind::Text | Kind::DayOfPeriod, Fallback::Word(_)) => {}
                (Kind::Stretch, Fallback::Word(word)) => {
                    assert!(word.starts_with(|c: char| c.is_ascii_digit()));
                }
                (Kind::Schedule, Fallback::Word(word)) => assert_eq!(word, "month"),
                (Kind::Mixed { words, .. }, Fallback::Word(word)) => assert!(words.contains(&word)),
                (Kind::Mixed { fraction, .. }, Fallback::Number(x)) => {
                    assert!(fraction.unwrap().holds(x));
                }
                (_, Fallback::Unset(words)) => assert!(!words.is_empty()),
                _ => panic!("{}: a default of another kind", row.name),
            }
        }
        assert!(!matches!(table.keys, Keys::Named(_)) || !table.name.is_empty());
    }
}

/// The sections of the user's document: heading and lines.
fn sections(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections = vec![("", Vec::new())];
    for line in page.lines() {
        match line.strip_prefix("## ") {
            Some(heading) => sections.push((heading, Vec::new())),
            None => sections.last_mut().unwrap().1.push(line),
        }
    }
    sections
}

#[test]
fn the_document_has_every_key_with_its_default() {
    let page = std::fs::read_to_string(root().join("docs/strategy-file.md")).unwrap();
    let sections = sections(&page);
    let plain = |text: &str| text.replace(['`', '"'], "");
    let mut documented = 0;
    for table in TABLES {
        let heading = match table.name {
            "" => "The top of the file".to_owned(),
            _ => format!("`{}`", table.heading()),
        };
        let (_, lines) = sections
            .iter()
            .find(|(title, _)| title.starts_with(&heading))
            .unwrap_or_else(|| panic!("no section {heading}"));
        for row in table.rows() {
            let name = format!("`{}`", row.name);
            let cells: Vec<&str> = lines
                .iter()
                .filter(|l| l.starts_with("| "))
                .map(|l| l.trim_matches('|').split(" | ").collect::<Vec<_>>())
                .find(|cells| cells[0].contains(&name))
                .unwrap_or_else(|| panic!("{heading} has no row for {name}"));
            let default = match row.default {
                Fallback::Unset(words) => plain(words),
                other => plain(&other.text()),
            };
            let shown = plain(cells[2]);
            assert!(
                shown.contains(&default),
                "{name}: {shown:?}, not {default:?}"
            );
            if let Kind::Choice(words) = row.kind {
                for word in words {
                    let quoted = format!("\"{word}\"");
                    assert!(lines.iter().any(|l| l.contains(&quoted)), "{name} {word}");
                }
            }
            documented += 1;
        }
        // And the other way round: no row names a key that does not exist.
        let keys = lines.iter().skip_while(|l| !l.starts_with("| key")).skip(2);
        for line in keys.take_while(|l| l.starts_with('|')) {
            let first = line.trim_matches('|').split(" | ").next().unwrap();
            for name in first.split(',') {
                let name = plain(name);
                assert!(table.find(name.trim()).is_some(), "{heading}: {name}");
            }
        }
    }
    assert!(documented > 60);
    for preset in papertape::strategy::vocabulary::COST_PRESETS {
        assert!(page.contains(&format!("| `\"{}\"` |", preset.name)));
    }
}

#[test]
fn the_examples_of_the_document_read() {
    let page = std::fs::read_to_string(root().join("docs/strategy-file.md")).unwrap();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(examples.len() >= 5);
    for example in examples {
        parse(example).unwrap_or_else(|e| panic!("{example}\n{e}"));
    }
}

/// Cuts, doubles, swaps and sprinkles: what typing and merging do to a file.
fn mutate(text: &str, edits: &[(u8, u16, u16, char)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (kind, at, length, letter) in edits {
        let n = chars.len();
        if n == 0 {
            break;
        }
        let at = usize::from(*at) % n;
        let end = (at + 1 + usize::from(*length) % 12).min(n);
        match kind % 5 {
            0 => drop(chars.drain(at..end)),
            1 => {
                let copy = chars[at..end].to_vec();
                chars.splice(at..at, copy);
            }
            2 => chars[at] = *letter,
            3 => chars.insert(at, *letter),
            _ => chars.swap(at, (at * 7 + end) % n),
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_file_panics(
        which in 0usize..64,
        edits in prop::collection::vec(
            (any::<u8>(), any::<u16>(), any::<u16>(), prop::sample::select("[]{}=\"'#.,-+ \n\r\\0159eax\u{e9}\u{1f600}".chars().collect::<Vec<_>>())),
            0..24,
        ),
    ) {
        let files = shipped();
        let text = std::fs::read_to_string(&files[which % files.len()]).unwrap();
        let text = mutate(&text, &edits);
        match parse(&text) {
            Ok(strategy) => {
                let decides = strategy.rules.enter.is_some() || strategy.rules.short.is_some();
                let options = strategy.decides_by_options_alone();
                prop_assert!(decides || options || strategy.portfolio_table().is_some());
            }
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                for problem in error.problems() {
                    if let Some(span) = &problem.span {
                        prop_assert!(span.start <= span.end && span.end <= text.len());
                        prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
                    }
                }
            }
        }
    }

    #[test]
    fn no_flag_panics(key in "[a-z]{0,6}\\.?[a-z_]{0,8}", value in ".{0,24}") {
        let flags = with(&[(&key, &value), ("stops.stop", &value), ("data.start", &value), ("benchmark.blend", &value)]);
        let _ = Strategy::parse(RULE, "x", Path::new(""), &flags);
    }

    #[test]
    fn any_text_is_no_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }
}

#[test]
fn tables_that_stand_several_times_keep_their_order_and_their_names() {
    let text = format!(
        "{RULE}[[cashflow]]\namount = 50\nevery = \"month\"\nstream = \"salary\"\n\
         [[cashflow]]\namount = -20\nevery = \"quarter\"\nday = \"last\"\n\
         [[cashflow]]\namount = 1000\nstart = 2003-05-05\n"
    );
    let strategy = parse(&text).unwrap();
    let flows = &strategy.cashflows;
    assert_eq!(flows.len(), 3);
    assert_eq!(
        (flows[0].amount, flows[0].every),
        (Some(50.0), Some(Every::Month))
    );
    assert_eq!(
        (flows[0].day, flows[1].day),
        (ScheduleDay::First, ScheduleDay::Last)
    );
    let names: Vec<&str> = flows.iter().map(|f| f.stream.as_str()).collect();
    assert_eq!(names, ["salary", "withdrawals", "deposits"]);
    assert_eq!((flows[2].every, flows[2].start.is_some()), (None, true));
    let find = |key: &str| strategy.assumptions.iter().find(|a| a.0 == key).unwrap();
    assert_eq!(find("cashflow.1.amount").1, "-20");
    assert!(!find("cashflow.1.grow").2);
    // A flag names one by number, by name, or begins another.
    let flags = with(&[
        ("cashflow.salary.amount", "60"),
        ("cashflow[1].day", "5"),
        ("cashflow.2.stream", "gift"),
        ("cashflow.3.amount", "7"),
        ("cashflow.3.every", "year"),
    ]);
    let changed = Strategy::parse(&text, "x", Path::new(""), &flags).unwrap();
    assert_eq!(changed.cashflows.len(), 4);
    assert_eq!(changed.cashflows[0].amount, Some(60.0));
    assert_eq!(changed.cashflows[1].day, ScheduleDay::Nth(5));
    assert_eq!(changed.cashflows[2].stream, "gift");
    assert_eq!(changed.cashflows[3].every, Some(Every::Year));
    for (key, words) in [
        (
            "cashflow.5.amount",
            "no [[cashflow]] number 5: the file has 3",
        ),
        ("cashflow.salry.amount", "no [[cashflow]] is called `salry`"),
        ("cashflow.amount", "which [[cashflow]]? There are 3"),
    ] {
        let flags = with(&[(key, "1")]);
        let error = Strategy::parse(&text, "x", Path::new(""), &flags).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn an_axis_names_a_table_that_stands_several_times() {
    let text = format!(
        "{RULE}[[cashflow]]\namount = 50\nevery = \"month\"\nstream = \"salary\"\n[sweep]\n"
    );
    for axis in [
        "\"cashflow.0.amount\" = [10, 20]",
        "cashflow.0.amount = [10, 20]",
        "cashflow.salary.amount = { from = 10, to = 20, step = 10 }",
        "cashflow.amount = [10, 20]",
    ] {
        let strategy = parse(&format!("{text}{axis}")).unwrap_or_else(|e| panic!("{axis}\n{e}"));
        assert_eq!(strategy.sweep.axes[0].key, "cashflow.0.amount", "{axis}");
        assert_eq!(strategy.sweep.axes[0].values.len(), 2);
    }
    let mut strategy = parse(&text).unwrap();
    strategy.vary("cashflow.salary.grow", "0,0.05").unwrap();
    assert_eq!(strategy.sweep.axes[0].key, "cashflow.0.grow");
    let error = strategy.vary("cashflow.rent.grow", "0,0.05").unwrap_err();
    assert!(error.to_string().contains("called `rent`"), "{error}");
}
