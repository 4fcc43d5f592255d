//! Checked values -> [`Strategy`]: defaults filled in, named costs expanded, and what keys mean
//! together checked. Every default comes from the vocabulary; the list of assumptions that reports
//! print is made here.

use crate::error::{Problem, SourceText};
use crate::learning::Learner;
use crate::market::MODEL;
use crate::rules::Constraint;
use crate::strategy::file::{Given, Heading, Place, Value, short};
use crate::strategy::rows::Rows;
use crate::strategy::tax::{check_tax, tax};
use crate::strategy::vocabulary::{self, COST_PRESETS, CostPreset, Fallback, Keys, TABLES};
use crate::strategy::{
    Account, AccountKind, Ambiguity, BarSize, Benchmark, CalendarName, CashTable, Cashflow,
    ChartScale, Costs, Data, Distance, Every, ExprText, Fill, FillAt, Invest, Model, OrderKind,
    Overrides, Prices, RaiseCash, Rank, Rate, Refit, Report, Rules, ScheduleDay, Signals, Size,
    SizeMethod, Stops, Strategy, Stretch, SweepAxis, SweepMethod, SweepTable, WalkForward, axis,
    layers, options, selector,
};
use std::path::{Path, PathBuf};

/// What the reader found.
pub(super) struct Parts<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    pub(super) folder: &'a Path,
    pub(super) givens: &'a [Given],
    /// All keys of the file and the flags, good or not.
    pub(super) tried: &'a [String],
    pub(super) headings: &'a [Heading],
    pub(super) overrides: &'a Overrides,
}

/// Fills in defaults and checks keys against each other; mistakes are added to `problems`.
pub(super) fn resolve(parts: Parts<'_>, problems: &mut Vec<Problem>) -> Strategy {
    let values = Values(parts.givens, parts.headings, parts.tried);
    let stem = Path::new(parts.name).file_stem().map_or_else(
        || "strategy".to_owned(),
        |s| s.to_string_lossy().into_owned(),
    );
    let costs = costs(&values);
    let mut strategy = Strategy {
        name: values.text("name").unwrap_or_else(|| stem.clone()),
        about: values.text("about").unwrap_or_default(),
        stem,
        folder: parts.folder.to_path_buf(),
        source: SourceText {
            name: parts.name.to_owned(),
            text: parts.text.to_owned(),
        },
        data: data(&values, &parts.overrides.columns),
        params: values.params(),
        series: values.series(),
        model: model(&values),
        rules: rules(&values),
        rank: selector::rank(&values),
        weights: selector::weights(&values),
        size: size(&values),
        stops: stops(&values),
        fill: fill(&values),
        costs,
        account: account(&values),
        cash: CashTable {
            yield_: values.rate("cash.yield").unwrap_or(Rate::Constant(0.0)),
            hurdle: values.rate("cash.hurdle"),
        },
        cashflows: cashflows(&values, rows_of(&parts, "cashflow")),
        layers: Vec::new(),
        rebalance_layers: None,
        benchmark: benchmark(&values),
        report: report(&values),
        tax: tax(&values, parts.headings),
        walk_forward: walk_forward(&values, parts.overrides.open_holdout),
        sweep: sweep(&values, problems),
        options: options::options(&values, problems),
        assumptions: Vec::new(),
    };
    layers::resolve(&values, &parts, &mut strategy, problems);
    check_names(&values, problems);
    check_model(&parts, &values, problems);
    check_selector(&parts, &strategy, problems);
    selector::check(&values, parts.tried, &strategy, problems);
    check_shorts_and_margin(&values, &strategy, problems);
    check_size_and_stops(&values, &strategy, problems);
    check_fill_and_days(&values, &strategy, problems);
    check_cashflows(&values, &parts, problems);
    options::check(&values, &strategy, problems);
    check_tax(&values, parts.tried, parts.headings, &strategy, problems);
    check_walk_forward(&values, parts.tried, &strategy.walk_forward, problems);
    strategy.assumptions = assumptions(&values, &strategy);
    strategy
}

/// The given values, read by `table.key`; defaults from the vocabulary.
pub(super) struct Values<'a>(
    pub(super) &'a [Given],
    pub(super) &'a [Heading],
    /// All keys of the file and the flags, good or not.
    pub(super) &'a [String],
);

impl Values<'_> {
    pub(super) fn given(&self, key: &str) -> Option<&Given> {
        self.0.iter().find(|g| g.key == key)
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.given(key).map(|g| &g.value)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    /// A word out of a choice, given or default.
    pub(super) fn word(&self, key: &str) -> String {
        self.text(key).unwrap_or_else(|| match default_of(key) {
            Fallback::Word(word) => word.to_owned(),
            _ => String::new(),
        })
    }

    /// A number, given or default; `None` when neither is there.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        match (self.value(key), default_of(key)) {
            (Some(Value::Number(x)), _) => Some(*x),
            (_, Fallback::Number(x)) => Some(x),
            _ => None,
        }
    }

    pub(super) fn number_or(&self, key: &str, otherwise: f64) -> f64 {
        self.number(key).unwrap_or(otherwise)
    }

    /// A whole number; the reader has checked its range.
    pub(super) fn whole(&self, key: &str) -> Option<u32> {
        self.number(key).map(|x| x as u32)
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        match (self.value(key), default_of(key)) {
            (Some(Value::Flag(yes)), _) => *yes,
            (_, Fallback::Flag(yes)) => yes,
            _ => false,
        }
    }

    pub(super) fn rate(&self, key: &str) -> Option<Rate> {
        match (self.value(key), default_of(key)) {
            (Some(Value::Rate(rate)), _) => Some(rate.clone()),
            (_, Fallback::Number(x)) => Some(Rate::Constant(x)),
            _ => None,
        }
    }

    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        match self.value(key) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    fn day(&self, key: &str) -> Option<chrono::NaiveDate> {
        match self.value(key) {
            Some(Value::Day(day)) => Some(*day),
            _ => None,
        }
    }

    fn bar(&self, key: &str) -> Option<BarSize> {
        match self.value(key) {
            Some(Value::Bar(bar)) => Some(*bar),
            _ => None,
        }
    }

    fn stretch(&self, key: &str) -> Option<Stretch> {
        match self.value(key) {
            Some(Value::Stretch(stretch)) => Some(*stretch),
            _ => None,
        }
    }

    pub(super) fn expression(&self, key: &str) -> Option<ExprText> {
        match self.value(key) {
            Some(Value::Expression(expression)) => Some(expression.clone()),
            _ => None,
        }
    }

    fn expressions(&self, key: &str) -> Vec<ExprText> {
        match self.value(key) {
            Some(Value::Expressions(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    fn distance(&self, key: &str) -> Option<Distance> {
        match self.value(key) {
            Some(Value::Distance(distance)) => Some(distance.clone()),
            _ => None,
        }
    }

    /// Some key that begins so was given, good or not.
    pub(super) fn any(&self, prefix: &str) -> bool {
        self.2.iter().any(|key| key.starts_with(prefix))
    }

    /// The first given key that begins so.
    pub(super) fn first(&self, prefix: &str) -> String {
        let found = self.0.iter().find(|g| g.key.starts_with(prefix));
        found.map_or_else(|| prefix.to_owned(), |g| g.key.clone())
    }

    /// The key was given, good or not.
    pub(super) fn tried(&self, key: &str) -> bool {
        self.2.iter().any(|tried| tried == key)
    }

    pub(super) fn pair(&self, key: &str) -> Option<(u32, u32)> {
        match self.value(key) {
            Some(Value::Pair(least, most)) => Some((*least, *most)),
            _ => None,
        }
    }

    pub(super) fn words(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::Words(words)) => words.clone(),
            _ => Vec::new(),
        }
    }

    fn symbols(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::Symbols(symbols)) => symbols.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn schedule_day(&self, key: &str) -> ScheduleDay {
        match (self.value(key), default_of(key)) {
            (Some(Value::DayOfPeriod(day)), _) => *day,
            (_, Fallback::Word("last")) => ScheduleDay::Last,
            _ => ScheduleDay::First,
        }
    }

    /// The rows of repeated tables that the keys belong to.
    fn rows(&self) -> Rows {
        Rows::of(self.0.iter().map(|given| {
            let name = match &given.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            };
            (given.key.clone(), name)
        }))
    }

    pub(super) fn groups(&self, key: &str) -> Vec<Vec<String>> {
        match self.value(key) {
            Some(Value::Groups(groups)) => groups.clone(),
            _ => Vec::new(),
        }
    }

    fn params(&self) -> Vec<(String, f64)> {
        let named = |g: &Given| match (g.key.strip_prefix("params."), &g.value) {
            (Some(name), Value::Number(x)) => Some((name.to_owned(), *x)),
            _ => None,
        };
        self.0.iter().filter_map(named).collect()
    }

    fn series(&self) -> Vec<(String, ExprText)> {
        let named = |g: &Given| match (g.key.strip_prefix("series."), &g.value) {
            (Some(name), Value::Expression(text)) => Some((name.to_owned(), text.clone())),
            _ => None,
        };
        self.0.iter().filter_map(named).collect()
    }

    /// A problem where a key was given, or without a place.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        match self.given(key) {
            Some(given) => given.place.problem(message),
            None => Problem::new(message),
        }
    }

    /// Whether the file or a flag has this table.
    pub(super) fn has_table(&self, name: &str) -> bool {
        let prefix = format!("{name}.");
        self.1.iter().any(|h| h.name == name) || self.0.iter().any(|g| g.key.starts_with(&prefix))
    }

    /// A problem of a whole table.
    pub(super) fn heading(&self, name: &str, message: impl Into<String>) -> Problem {
        let heading = self.1.iter().find(|h| h.name == name);
        Problem {
            span: heading.map(|h| h.span.clone()),
            ..Problem::new(message)
        }
    }
}

fn default_of(key: &str) -> Fallback {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    vocabulary::find_table(table)
        .and_then(|t| t.find(name))
        .map_or(Fallback::Unset("none"), |row| row.default)
}

fn data(values: &Values<'_>, columns: &[(String, String)]) -> Data {
    Data {
        source: values.path("data.source"),
        symbols: values.symbols("data.symbols"),
        members: values.path("data.members"),
        start: values.day("data.start"),
        end: values.day("data.end"),
        bar: values.bar("data.bar"),
        actions: values.path("data.actions"),
        prices: match values.word("data.prices").as_str() {
            "adjusted" => Prices::Adjusted,
            _ => Prices::Raw,
        },
        signals: match values.word("data.signals").as_str() {
            "total_return" => Signals::TotalReturn,
            _ => Signals::Split,
        },
        dividend_yield: values.rate("data.dividend_yield"),
        missing_is_error: values.word("data.missing") == "error",
        delist_after: values.whole("data.delist_after").unwrap_or(0),
        delist_haircut: values.number_or("data.delist_haircut", 0.0),
        calendar: match values.word("data.calendar").as_str() {
            "nyse" => Some(CalendarName::Nyse),
            "weekdays" => Some(CalendarName::Weekdays),
            "24/7" => Some(CalendarName::AllDays),
            "none" => Some(CalendarName::None),
            _ => None,
        },
        columns: columns.to_vec(),
    }
}

/// `None` without the table, and when what it must say was not said.
fn model(values: &Values<'_>) -> Option<Model> {
    let features = values.expressions("model.features");
    let target = values.expression("model.target")?;
    if features.is_empty() {
        return None;
    }
    Some(Model {
        features,
        target,
        learner: match values.word("model.learner").as_str() {
            "logistic" => Learner::Logistic,
            "boosted_trees" => Learner::BoostedTrees,
            _ => Learner::Ridge,
        },
        fit_window: values
            .stretch("model.fit_window")
            .unwrap_or(Stretch::Months(60)),
        refit: match values.stretch("model.refit") {
            Some(stretch) => Refit::After(stretch),
            None => Refit::Period(match values.word("model.refit").as_str() {
                "day" => Every::Day,
                "week" => Every::Week,
                "quarter" => Every::Quarter,
                "year" => Every::Year,
                _ => Every::Month,
            }),
        },
        purge: values.whole("model.purge"),
        embargo: values.whole("model.embargo").unwrap_or(0),
        seed: values.whole("model.seed").unwrap_or(0),
    })
}

/// A model has features and a target, and its forecast is the only `model`.
fn check_model(parts: &Parts<'_>, values: &Values<'_>, problems: &mut Vec<Problem>) {
    // An empty table is the same as none.
    if !parts.tried.iter().any(|key| key.starts_with("model.")) {
        return;
    }
    let wanted = [
        (
            "features",
            "features = [\"roc(close, 63)\", \"roc(close, 252)\"]",
        ),
        ("target", "target = \"forward_return(21)\""),
    ];
    let lacks = |(key, _): &&(&str, &str)| !parts.tried.contains(&format!("model.{key}"));
    if let Some((key, example)) = wanted.iter().find(lacks) {
        let heading = parts.headings.iter().find(|h| h.name == "model");
        problems.push(Problem {
            span: heading.map(|heading| heading.span.clone()),
            ..Problem::new(format!("[model] has no `{key}`"))
                .help(format!("add, for example: {example}"))
        });
    }
    for table in ["params", "series"] {
        let key = format!("{table}.{MODEL}");
        if values.given(&key).is_some() {
            problems.push(
                values
                    .problem(&key, format!("`{MODEL}` is the forecast of [model]"))
                    .help("give it another name"),
            );
        }
    }
}

fn rules(values: &Values<'_>) -> Rules {
    Rules {
        enter: values.expression("rules.enter"),
        exit: values.expression("rules.exit"),
        short: values.expression("rules.short"),
        cover: values.expression("rules.cover"),
        priority: values.expression("rules.priority"),
        cooldown_bars: values.whole("rules.cooldown_bars").unwrap_or(0),
        hold_bars_max: values.whole("rules.hold_bars_max"),
        every: every(&values.word("rules.every")).unwrap_or(Every::Bar),
    }
}

fn size(values: &Values<'_>) -> Size {
    Size {
        method: match values.word("size.method").as_str() {
            "fraction" => SizeMethod::Fraction,
            "cash" => SizeMethod::Cash,
            "shares" => SizeMethod::Shares,
            "risk" => SizeMethod::Risk,
            "target_vol" => SizeMethod::TargetVol,
            "kelly" => SizeMethod::Kelly,
            _ => SizeMethod::Equal,
        },
        value: values.number_or("size.value", 1.0),
        max_positions: values.whole("size.max_positions"),
        max_weight: values.number("size.max_weight"),
        lot: values.number_or("size.lot", 0.0),
        min_order: values.number_or("size.min_order", 0.0),
        pyramid: values.flag("size.pyramid"),
    }
}

fn stops(values: &Values<'_>) -> Stops {
    Stops {
        stop: values.distance("stops.stop"),
        target: values.distance("stops.target"),
        trail: values.distance("stops.trail"),
        target_share: values.number_or("stops.target_share", 1.0),
        breakeven: values.number("stops.breakeven"),
        entry_bar: values.flag("stops.entry_bar"),
        ambiguity: match values.word("stops.ambiguity").as_str() {
            "path" => Ambiguity::Path,
            "best" => Ambiguity::Best,
            _ => Ambiguity::Worst,
        },
    }
}

fn fill(values: &Values<'_>) -> Fill {
    Fill {
        at: match values.word("fill.at").as_str() {
            "close" => FillAt::Close,
            "next_close" => FillAt::NextClose,
            _ => FillAt::NextOpen,
        },
        order: match values.word("fill.order").as_str() {
            "limit" => OrderKind::Limit,
            "stop" => OrderKind::Stop,
            _ => OrderKind::Market,
        },
        price: values.expression("fill.price"),
        limit_through: values.word("fill.limit_touch") != "touch",
        volume_cap: values.number("fill.volume_cap"),
        good_till_cancelled: values.word("fill.tif") == "gtc",
        close_at_end: values.flag("fill.close_at_end"),
    }
}

/// `retail` holds only when the table has no key; a key without `preset` leaves every other cost
/// at 0; a key beside `preset` overrides that one.
fn costs(values: &Values<'_>) -> Costs {
    let any = values.0.iter().any(|g| g.key.starts_with("costs."));
    let preset = match values.text("costs.preset") {
        Some(name) => Some(name),
        None if !any => Some("retail".to_owned()),
        None => None,
    };
    let row = preset
        .as_deref()
        .and_then(|name| COST_PRESETS.iter().find(|p| p.name == name));
    let cost = |key: &str| match values.value(&format!("costs.{key}")) {
        Some(Value::Number(x)) => Some(*x),
        _ => row.and_then(|r| r.value(key)),
    };
    Costs {
        defaulted: !any,
        commission: cost("commission").unwrap_or(0.0),
        per_share: cost("per_share").unwrap_or(0.0),
        per_order: cost("per_order").unwrap_or(0.0),
        per_contract: cost("per_contract").unwrap_or(0.0),
        min: cost("min").unwrap_or(0.0),
        max: cost("max"),
        slippage_bps: cost("slippage_bps").unwrap_or(0.0),
        spread_bps: cost("spread_bps").unwrap_or(0.0),
        borrow_rate: cost("borrow_rate"),
        preset,
    }
}

impl CostPreset {
    pub(super) fn value(&self, key: &str) -> Option<f64> {
        self.values.iter().find(|(k, _)| *k == key).map(|(_, x)| *x)
    }
}

fn account(values: &Values<'_>) -> Account {
    Account {
        cash: values.number_or("account.cash", 100_000.0),
        kind: match values.word("account.kind").as_str() {
            "margin" => AccountKind::Margin,
            _ => AccountKind::Cash,
        },
        initial_margin: values.number_or("account.initial_margin", 0.5),
        maintenance_margin: values.number_or("account.maintenance_margin", 0.25),
        margin_rate: values.number("account.margin_rate"),
        settlement_days: values.whole("account.settlement_days").unwrap_or(0),
        each: values.flag("account.each"),
        reinvest_dividends: values.word("account.dividends") == "reinvest",
        raise_cash: match values.word("account.raise_cash").as_str() {
            "largest" => RaiseCash::Largest,
            "refuse" => RaiseCash::Refuse,
            _ => RaiseCash::ProRata,
        },
        currency: values.word("account.currency"),
    }
}

/// How often a repeated table stands in the file, or is begun by flags.
pub(super) fn rows_of(parts: &Parts<'_>, table: &str) -> usize {
    let headings = parts.headings.iter().map(|h| h.name.as_str());
    let keys = parts
        .tried
        .iter()
        .filter_map(|key| Some(key.rsplit_once('.')?.0));
    let rows = headings.chain(keys).filter_map(|name| {
        let row = name.strip_prefix(table)?.strip_prefix('.')?;
        row.parse::<usize>().ok()
    });
    rows.map(|row| row + 1).max().unwrap_or(0)
}

pub(super) fn every(word: &str) -> Option<Every> {
    Some(match word {
        "bar" => Every::Bar,
        "day" => Every::Day,
        "week" => Every::Week,
        "month" => Every::Month,
        "quarter" => Every::Quarter,
        "year" => Every::Year,
        _ => return None,
    })
}

fn cashflows(values: &Values<'_>, rows: usize) -> Vec<Cashflow> {
    let cashflow = |row: usize| {
        let key = |name: &str| format!("cashflow.{row}.{name}");
        let amount = values.number(&key("amount"));
        let unnamed = match amount {
            Some(amount) if amount < 0.0 => "withdrawals",
            _ => "deposits",
        };
        Cashflow {
            amount,
            every: every(&values.word(&key("every"))),
            day: values.schedule_day(&key("day")),
            start: values.day(&key("start")),
            end: values.day(&key("end")),
            grow: values.number_or(&key("grow"), 0.0),
            file: values.path(&key("file")),
            into: None,
            invest: match values.word(&key("invest")).as_str() {
                "now" => Invest::Now,
                "most_underweight" => Invest::MostUnderweight,
                _ => Invest::NextDecision,
            },
            stream: values.text(&key("stream")).unwrap_or(unnamed.to_owned()),
        }
    };
    (0..rows).map(cashflow).collect()
}

/// Without a symbol or a blend of its own, the benchmark is the universe held equally.
fn benchmark(values: &Values<'_>) -> Benchmark {
    let symbols = values.symbols("benchmark.symbols");
    let blend = match values.value("benchmark.blend") {
        Some(Value::Weights(weights)) => weights.clone(),
        _ => Vec::new(),
    };
    Benchmark {
        universe: symbols.is_empty() && blend.is_empty(),
        symbols,
        blend,
        cash: values.flag("benchmark.cash"),
        rate: values.rate("benchmark.rate"),
    }
}

fn report(values: &Values<'_>) -> Report {
    Report {
        charts: values.flag("report.charts"),
        scale: match values.word("report.scale").as_str() {
            "linear" => ChartScale::Linear,
            "log" => ChartScale::Log,
            _ => ChartScale::Auto,
        },
    }
}

fn walk_forward(values: &Values<'_>, holdout_open: bool) -> WalkForward {
    WalkForward {
        train: values.stretch("walk_forward.train"),
        test: values.stretch("walk_forward.test"),
        step: values.stretch("walk_forward.step"),
        anchored: values.flag("walk_forward.anchored"),
        holdout: values.stretch("walk_forward.holdout"),
        holdout_open,
        purge_bars: values.whole("walk_forward.purge_bars").unwrap_or(0),
        objective: values.text("walk_forward.objective"),
    }
}

/// The axes in file order; a key that cannot vary and a constraint that cannot be read are problems.
fn sweep(values: &Values<'_>, problems: &mut Vec<Problem>) -> SweepTable {
    let params = values.params();
    let mut axes: Vec<SweepAxis> = Vec::new();
    for given in values.0 {
        let (Some(name), Value::Axis(found)) = (given.key.strip_prefix("sweep."), &given.value)
        else {
            continue;
        };
        let key = values.rows().full(name);
        let checked = key
            .and_then(|key| axis::axis_key(&key, &params))
            .and_then(|key| {
                let axis = SweepAxis {
                    key,
                    values: found.clone(),
                    origin: format!("[sweep] {name}"),
                };
                axis::check_kind(&axis).map(|()| axis)
            });
        match checked {
            Ok(axis) if axes.iter().any(|other| other.key == axis.key) => {
                problems.push(given.place.problem(format!("{} varies twice", axis.name())));
            }
            Ok(axis) => axes.push(axis),
            Err(problem) => problems.push(Problem {
                help: problem.help,
                ..given.place.problem(problem.message)
            }),
        }
    }
    let constraint = values.expression("sweep.where");
    if let Some(text) = &constraint {
        problems.extend(constraint_problems(text, &params));
    }
    SweepTable {
        axes,
        constraint,
        objective: values.word("sweep.objective"),
        method: match values.word("sweep.method").as_str() {
            "random" => SweepMethod::Random,
            "halving" => SweepMethod::Halving,
            _ => SweepMethod::Grid,
        },
        samples: values.whole("sweep.samples"),
        seed: values.whole("sweep.seed"),
    }
}

/// Mistakes of a constraint, at their place in the file or by their key.
fn constraint_problems(text: &ExprText, params: &[(String, f64)]) -> Vec<Problem> {
    let names: Vec<String> = params.iter().map(|(name, _)| name.clone()).collect();
    let Err(found) = Constraint::parse(&text.text, &names) else {
        return Vec::new();
    };
    let placed = |problem: Problem| {
        let offset = text.span.as_ref().map(|span| span.start);
        let span = problem.span.clone().zip(offset);
        let span = span.map(|(span, offset)| span.start + offset..span.end + offset);
        Problem { span, ..problem }.at_column(text.key.clone())
    };
    found.into_iter().map(placed).collect()
}

/// A name is a parameter or a series, not both.
fn check_names(values: &Values<'_>, problems: &mut Vec<Problem>) {
    for (name, _) in values.series() {
        if values.given(&format!("params.{name}")).is_some() {
            let key = format!("series.{name}");
            problems.push(
                values
                    .problem(&key, format!("`{name}` is a parameter and a series"))
                    .help("give one of them another name"),
            );
        }
    }
}

/// Exactly one table says when to hold what.
fn check_selector(parts: &Parts<'_>, strategy: &Strategy, problems: &mut Vec<Problem>) {
    const SELECTORS: [&str; 4] = ["rules", "rank", "weights", "layer"];
    let found: Vec<&Heading> = parts
        .headings
        .iter()
        .filter(|h| SELECTORS.contains(&h.name.as_str()))
        .collect();
    if let [first, .., last] = found.as_slice() {
        problems.push(
            Problem::new(format!(
                "[{}] and [{}] both say what to hold",
                first.name, last.name
            ))
            .at(last.span.clone())
            .label("a second selector")
            .help("a strategy has exactly one of [rules] [rank] [weights] [[layer]]"),
        );
    }
    let example = "add, for example:\n[rules]\nenter = \"rsi(14) < 30\"\nexit = \"rsi(14) > 70\"";
    let has = |name: &str| parts.headings.iter().any(|h| h.name == name);
    let flagged = |key: &str| parts.givens.iter().any(|g| g.key.starts_with(key));
    let rules = &strategy.rules;
    let chosen = strategy.portfolio_table().is_some() || flagged("rules.");
    if found.is_empty() && !chosen && !has("options") {
        problems.push(Problem::new("nothing says when to buy").help(example));
    }
    let broken = parts
        .tried
        .iter()
        .any(|key| key.starts_with("rules.") && !flagged(key));
    if has("rules") && rules.enter.is_none() && rules.short.is_none() && !broken {
        let span = parts
            .headings
            .iter()
            .find(|h| h.name == "rules")
            .map(|h| h.span.clone());
        problems.push(Problem {
            span,
            ..Problem::new("[rules] never buys: it has neither `enter` nor `short`").help(example)
        });
    }
    for (without, with, given) in [
        (
            "cover",
            "short",
            rules.cover.is_some() && rules.short.is_none(),
        ),
        (
            "exit",
            "enter",
            rules.exit.is_some() && rules.enter.is_none() && rules.short.is_some(),
        ),
    ] {
        if given {
            let values = Values(parts.givens, parts.headings, parts.tried);
            problems.push(
                values
                    .problem(
                        &format!("rules.{without}"),
                        format!("`{without}` without `{with}`: there is nothing to end"),
                    )
                    .help(format!("add rules.{with}, or leave `{without}` out")),
            );
        }
    }
}

/// Shorts need a margin account and a price for borrowing; margin needs a rate.
fn check_shorts_and_margin(values: &Values<'_>, s: &Strategy, problems: &mut Vec<Problem>) {
    let margin = s.account.kind == AccountKind::Margin;
    if s.rules.short.is_some() {
        if !margin {
            problems.push(
                values
                    .problem("rules.short", "a cash account cannot sell short")
                    .label("needs margin")
                    .help(
                        "[account] kind = \"margin\" and margin_rate = …, [costs] borrow_rate = …",
                    ),
            );
        } else if s.costs.borrow_rate.is_none() {
            problems.push(
                values
                    .problem(
                        "rules.short",
                        "shorts need costs.borrow_rate, what borrowed shares cost a year",
                    )
                    .help("[costs] borrow_rate = 0.003 is 0.3% a year, usual for large companies"),
            );
        }
    }
    if margin && s.account.margin_rate.is_none() {
        problems.push(
            values
                .problem(
                    "account.kind",
                    "a margin account needs account.margin_rate, what borrowed cash costs a year",
                )
                .help("[account] margin_rate = 0.06 is 6% a year"),
        );
    }
    if s.account.maintenance_margin > s.account.initial_margin {
        let key = match values.given("account.maintenance_margin") {
            Some(_) => "account.maintenance_margin",
            None => "account.initial_margin",
        };
        problems.push(values.problem(
            key,
            format!(
                "maintenance_margin {} is larger than initial_margin {}: every position would be called at once",
                s.account.maintenance_margin, s.account.initial_margin
            ),
        ));
    }
}

/// The unit of `size.value` depends on the method.
fn check_size_and_stops(values: &Values<'_>, s: &Strategy, problems: &mut Vec<Problem>) {
    let given = values.given("size.value").is_some();
    let x = s.size.value;
    let method = values.word("size.method");
    let asks = match s.size.method {
        SizeMethod::Cash => Some("money, for example value = 5000"),
        SizeMethod::Shares => Some("a number of shares, for example value = 100"),
        SizeMethod::Risk => Some("the part of equity lost at the stop, for example value = 0.01"),
        SizeMethod::TargetVol => Some("a volatility a year, for example value = 0.15"),
        SizeMethod::Equal | SizeMethod::Fraction | SizeMethod::Kelly => None,
    };
    if let (Some(example), false) = (asks, given) {
        problems.push(
            values
                .problem(
                    "size.method",
                    format!("method \"{method}\" needs size.value"),
                )
                .help(example),
        );
    }
    if matches!(s.size.method, SizeMethod::Equal | SizeMethod::Kelly) && given {
        problems.push(
            values
                .problem("size.value", format!("method \"{method}\" takes no value"))
                .help("method = \"fraction\" takes value x equity"),
        );
    }
    let largest = match (s.size.method, s.account.kind) {
        (SizeMethod::Fraction, AccountKind::Cash) => 1.0,
        (SizeMethod::Fraction, AccountKind::Margin) => 10.0,
        (SizeMethod::Risk, _) => 0.5,
        (SizeMethod::TargetVol, _) => 2.0,
        _ => f64::INFINITY,
    };
    if given && x > largest {
        let meant = short(x / 100.0);
        problems.push(
            values
                .problem(
                    "size.value",
                    format!("size.value: {x} is {}%", short(x * 100.0)),
                )
                .label(format!("at most {largest} for method \"{method}\""))
                .help(format!("fractions are fractions: {meant} is {x}%")),
        );
    }
    if s.size.method == SizeMethod::Risk && s.stops.stop.is_none() && s.stops.trail.is_none() {
        problems.push(
            values
                .problem(
                    "size.method",
                    "method \"risk\" needs a stop: the size is what may be lost at it",
                )
                .help("[stops] stop = 0.05, or stop = \"2 * atr(14)\""),
        );
    }
    if values.given("stops.target_share").is_some() && s.stops.target.is_none() {
        problems.push(
            values
                .problem("stops.target_share", "target_share without a target")
                .help("add stops.target, for example target = 0.1"),
        );
    }
}

fn check_fill_and_days(values: &Values<'_>, s: &Strategy, problems: &mut Vec<Problem>) {
    let order = values.word("fill.order");
    match (s.fill.order, &s.fill.price) {
        (OrderKind::Market, Some(_)) => problems.push(
            values
                .problem("fill.price", "a market order has no price")
                .help("add fill.order = \"limit\" or \"stop\", or leave the price out"),
        ),
        (OrderKind::Limit | OrderKind::Stop, None) => problems.push(
            values
                .problem("fill.order", format!("a {order} order needs fill.price"))
                .help("for example price = \"0.99 * close\""),
        ),
        _ => {}
    }
    if let (Some(start), Some(end)) = (s.data.start, s.data.end)
        && end < start
    {
        let key = match values.given("data.end").map(|g| &g.place) {
            Some(Place::File(_))
                if matches!(
                    values.given("data.start"),
                    Some(Given {
                        place: Place::Flag(_),
                        ..
                    })
                ) =>
            {
                "data.start"
            }
            _ => "data.end",
        };
        problems.push(values.problem(key, format!("the end {end} is before the start {start}")));
    }
}

/// A flow has an amount and a day, or a file that has both.
fn check_cashflows(values: &Values<'_>, parts: &Parts<'_>, problems: &mut Vec<Problem>) {
    for row in 0..rows_of(parts, "cashflow") {
        let key = |name: &str| format!("cashflow.{row}.{name}");
        let has = |name: &str| parts.tried.contains(&key(name));
        let heading = parts
            .headings
            .iter()
            .find(|h| h.name == format!("cashflow.{row}"));
        let whole = |message: &str| match heading {
            Some(heading) => Problem::new(message).at(heading.span.clone()),
            None => Problem::new(message),
        };
        if has("file") {
            for name in ["amount", "every", "day", "grow"]
                .into_iter()
                .filter(|n| has(n))
            {
                let what = format!("`{name}` beside `file`: the file has the days and the amounts");
                let problem = values.problem(&key(name), what);
                problems
                    .push(problem.help("leave one of them out, or write a [[cashflow]] for each"));
            }
        } else if !has("amount") {
            let problem = whole("this [[cashflow]] has no amount");
            problems.push(problem.help("add, for example, amount = 50; below 0 it is taken out"));
        } else if !has("every") && !has("start") {
            let problem = whole("this [[cashflow]] has no day");
            let help = "every = \"month\" repeats it, start = 2004-08-19 is once on that day";
            problems.push(problem.help(help));
        }
        if !has("every") && !has("file") {
            for name in ["day", "end", "grow"].into_iter().filter(|n| has(n)) {
                let what = format!("`{name}` without `every`: the flow is once, on `start`");
                problems.push(
                    values
                        .problem(&key(name), what)
                        .help("add every = \"month\""),
                );
            }
        }
        check_cashflow_values(values, row, problems);
    }
}

/// Values of one flow that contradict each other.
fn check_cashflow_values(values: &Values<'_>, row: usize, problems: &mut Vec<Problem>) {
    let key = |name: &str| format!("cashflow.{row}.{name}");
    if let (Some(start), Some(end)) = (values.day(&key("start")), values.day(&key("end")))
        && end < start
    {
        let what = format!("the end {end} is before the start {start}");
        problems.push(values.problem(&key("end"), what));
    }
    let most = match values.word(&key("every")).as_str() {
        "day" => 1,
        "week" => 7,
        "month" => 31,
        "quarter" => 92,
        _ => 366,
    };
    if let ScheduleDay::Nth(day) = values.schedule_day(&key("day"))
        && day > most
    {
        let every = values.word(&key("every"));
        let what = format!("a {every} has no day {day}");
        let problem = values.problem(&key("day"), what);
        problems.push(problem.label(format!("at most {most}")));
    }
    let amount = values.number(&key("amount"));
    if amount == Some(0.0) {
        let problem = values.problem(&key("amount"), "an amount of 0 is no flow");
        problems.push(problem.help("leave the [[cashflow]] out"));
    }
    if amount.is_some_and(|x| x < 0.0) && values.given(&key("invest")).is_some() {
        let problem = values.problem(&key("invest"), "a withdrawal is not invested");
        problems.push(
            problem.help("leave `invest` out; [account] raise_cash says what is sold for it"),
        );
    }
}

/// Windows come in pairs, in one unit, and leave no day between them untested.
fn check_walk_forward(
    values: &Values<'_>,
    tried: &[String],
    w: &WalkForward,
    problems: &mut Vec<Problem>,
) {
    let name = |key: &str| format!("walk_forward.{key}");
    for (key, other, lacks) in [
        ("train", "test", w.train.is_some() && w.test.is_none()),
        ("test", "train", w.test.is_some() && w.train.is_none()),
        ("step", "test", w.step.is_some() && w.test.is_none()),
    ] {
        // A key that was given and is wrong has its own problem.
        if lacks && !tried.contains(&name(other)) {
            let what = format!("`{key}` without `{other}`");
            let help = "a walk needs both windows: train = \"5y\", test = \"1y\"";
            problems.push(values.problem(&name(key), what).help(help));
        }
    }
    let in_bars = |stretch: &Stretch| matches!(stretch, Stretch::Bars(_));
    let (Some(train), Some(test)) = (w.train, w.test) else {
        return;
    };
    for (key, stretch) in [("test", Some(test)), ("step", w.step)] {
        if stretch.is_some_and(|s| in_bars(&s) != in_bars(&train)) {
            problems.push(
                values
                    .problem(
                        &name(key),
                        format!("`{key}` and `train` are in different units"),
                    )
                    .help("give all windows on the calendar (\"1y\") or all in bars (252)"),
            );
            return;
        }
    }
    if let Some(step) = w
        .step
        .filter(|step| roughly_days(step) > roughly_days(&test))
    {
        problems.push(
            values
                .problem(
                    &name("step"),
                    format!("a step of {step} leaves days between test windows of {test}"),
                )
                .help("a step is at most as long as `test`"),
        );
    }
    if let Stretch::Bars(bars) = train
        && w.purge_bars >= bars
    {
        problems.push(
            values
                .problem(
                    &name("purge_bars"),
                    format!("purging {} bars leaves nothing of {train}", w.purge_bars),
                )
                .help("purge fewer bars, or train longer"),
        );
    }
}

/// Comparable within one unit, and between days and months but for the length of a month.
fn roughly_days(stretch: &Stretch) -> f64 {
    match *stretch {
        Stretch::Bars(n) | Stretch::Days(n) => f64::from(n),
        Stretch::Months(n) => f64::from(n) * 365.25 / 12.0,
    }
}

/// Tables that say how a strategy is studied, not how it runs, and the model that few have: they are
/// assumptions of those who wrote them only.
const STUDIES: &[&str] = &["walk_forward", "model"];

/// Every key with its value as TOML, and whether it was given.
fn assumptions(values: &Values<'_>, s: &Strategy) -> Vec<(String, String, bool)> {
    let mut list = Vec::new();
    // How a sweep searches changes nothing of what one run does.
    let is_said = |name: &str| {
        let prefix = format!("{name}.");
        let given = values.0.iter().any(|g| g.key.starts_with(&prefix));
        let is_optional = STUDIES.contains(&name) || name.starts_with("tax") && s.tax.is_none();
        match name {
            "rank" => s.rank.is_some(),
            "weights" => s.weights.is_some(),
            "options.call" => s.options.as_ref().is_some_and(|o| o.call.is_some()),
            "options.put" => s.options.as_ref().is_some_and(|o| o.put.is_some()),
            "options.roll" => s.options.as_ref().is_some_and(|o| o.roll.is_some()),
            name if name.starts_with("options") => s.options.is_some(),
            "rules" => s.portfolio_table().is_none() || given,
            "tax.harvest" => given,
            _ => !is_optional || given,
        }
    };
    let rows = values.rows();
    let tables = TABLES.iter().filter(|t| !t.name.is_empty() && !t.later);
    for table in tables.filter(|t| t.name != "sweep" && is_said(t.name)) {
        let names = match table.repeated {
            Some(_) => (0..rows.count(table.name))
                .map(|row| format!("{}.{row}", table.name))
                .collect(),
            None => vec![table.name.to_owned()],
        };
        match table.keys {
            Keys::Named(_) => {
                let prefix = format!("{}.", table.name);
                for given in values.0.iter().filter(|g| g.key.starts_with(&prefix)) {
                    list.push((given.key.clone(), given.text.clone(), true));
                }
            }
            Keys::Fixed(keys) | Keys::Both(keys, _) => {
                let keys = keys.iter().filter(|row| !row.later);
                let all = names
                    .iter()
                    .flat_map(|name| keys.clone().map(move |row| (name, row)));
                for (name, row) in all {
                    let key = format!("{name}.{}", row.name);
                    match values.given(&key) {
                        Some(given) => list.push((key, given.text.clone(), true)),
                        None => {
                            let text = implied(&key, s).unwrap_or_else(|| row.default.text());
                            list.push((key, text, false));
                        }
                    }
                }
            }
        }
    }
    list
}

/// The value of a key that was not given but follows from others.
fn implied(key: &str, s: &Strategy) -> Option<String> {
    let number = |x: f64| Some(x.to_string());
    let shorts = s.rank.as_ref().is_some_and(Rank::shorts);
    match key {
        "costs.preset" => Some(format!(
            "\"{}\"",
            s.costs.preset.as_deref().unwrap_or("none")
        )),
        "costs.per_share" => number(s.costs.per_share),
        "costs.per_contract" => number(s.costs.per_contract),
        "costs.min" => number(s.costs.min),
        "costs.max" => s.costs.max.and_then(number),
        "costs.slippage_bps" => number(s.costs.slippage_bps),
        "size.value" if s.size.method == SizeMethod::Fraction => number(s.size.value),
        "size.value" => Some("(not used)".to_owned()),
        "costs.borrow_rate" if s.rules.short.is_none() && !shorts => Some("(not used)".to_owned()),
        "account.margin_rate" if s.account.kind == AccountKind::Cash => {
            Some("(not used)".to_owned())
        }
        "benchmark.symbols" if !s.benchmark.universe => Some("(none)".to_owned()),
        _ => None,
    }
}
