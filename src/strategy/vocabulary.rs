//! The vocabulary of the strategy file: one row a table, one row a key, with type, default and
//! range. The reader of files, `papertape schema`, its JSON Schema and `docs/strategy-file.md` all
//! come from here, so a key is added in this table and in the struct it fills.

mod options;

use Fallback::{Flag, Number, Unset, Word};
use Kind::{
    Axis, BarSize, BasisPoints, Choice, Day, DayOfPeriod, Distance, Expression, Feeds, Fraction,
    Groups, Path, Rate, Stretch, Symbols, Targets, Text, Weights, Whole,
};

/// What a key may be set to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text in the language of rules.
    Expression,
    /// A number.
    Number(Range),
    /// A number where 0.05 means 5%: a value that reads like per cent is refused with a hint.
    Fraction(Range),
    /// A number in basis points: a value that reads like a fraction is refused with a hint.
    BasisPoints(Range),
    /// A whole number.
    Whole { min: u32, max: u32 },
    /// `true` or `false`.
    Flag,
    /// A day, `2004-08-19`.
    Day,
    /// A file or folder.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A fraction a year, or a dated file of them.
    Rate(Range),
    /// A fraction of the fill price, or an expression in price units.
    Distance(Range),
    /// A list of symbols.
    Symbols,
    /// Symbols with weights that add up to 1.
    Weights,
    /// Symbols with shares of equity; what they leave stays cash.
    Targets,
    /// The size of a bar: a number and `m`, `h`, `d`, `w` or `mo`.
    BarSize,
    /// A stretch of time: a number and `d`, `w`, `mo` or `y`, or a number of bars.
    Stretch,
    /// A day of a period: `"first"`, `"last"`, or its number from 1.
    DayOfPeriod,
    /// A list of expressions.
    Expressions,
    /// A period of the calendar, or a stretch of time.
    Schedule,
    /// Streams of income with the layer that receives each.
    Feeds,
    /// The values of an axis of a sweep: a list, or a table of `from`, `to` and `step` or `count`.
    Axis,
    /// Lists of two symbols or more, at most so many each.
    Groups {
        /// Most symbols of one list.
        most: usize,
    },
    /// Two whole numbers in ascending order, between `min` and `max`.
    Pair { min: u32, max: u32 },
    /// A list of some of these words, in order.
    Words(&'static [&'static str]),
    /// One of these words, a fraction, or a path: whichever of them are allowed.
    Mixed {
        words: &'static [&'static str],
        fraction: Option<Range>,
        path: bool,
    },
}

/// Numbers between `min` and `max`, both included unless `above` says that `min` is not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// `min` itself is not allowed.
    pub above: bool,
}

/// What holds when a key is not given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fallback {
    /// Nothing is set; the words say what that means.
    Unset(&'static str),
    /// A number.
    Number(f64),
    /// One of the words of a [`Kind::Choice`], or other text.
    Word(&'static str),
    /// Yes or no.
    Flag(bool),
}

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it may be set to.
    pub kind: Kind,
    /// What holds without it.
    pub default: Fallback,
    /// What it does, one sentence without a full stop.
    pub about: &'static str,
    /// Names that people write instead.
    pub aliases: &'static [&'static str],
}

/// What the keys of a table are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keys {
    /// These.
    Fixed(&'static [Key]),
    /// Names that the user chooses, all of one kind.
    Named(Kind),
    /// These, and names that the user chooses.
    Both(&'static [Key], Kind),
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// Its name; empty for the top of the file.
    pub name: &'static str,
    /// The question it answers, one sentence without a full stop.
    pub about: &'static str,
    /// Its keys.
    pub keys: Keys,
    /// It may stand in a file several times, `[[cashflow]]`: the key that gives each its name.
    pub repeated: Option<&'static str>,
}

impl Range {
    /// Whether a number lies inside.
    pub fn holds(&self, x: f64) -> bool {
        x.is_finite() && x <= self.max && (x > self.min || (x == self.min && !self.above))
    }
}

impl Fallback {
    /// As `papertape schema` shows it: TOML, or words in parentheses.
    pub fn text(&self) -> String {
        match self {
            Fallback::Unset(words) => format!("({words})"),
            Fallback::Number(x) => format!("{x}"),
            Fallback::Word(word) => format!("\"{word}\""),
            Fallback::Flag(yes) => format!("{yes}"),
        }
    }
}

impl Kind {
    /// What is expected, in a few words: "a number above 0, at most 0.99".
    pub fn text(&self) -> String {
        match self {
            Kind::Text => "text".to_owned(),
            Kind::Expression => "expression".to_owned(),
            Kind::Number(range) => format!("number {}", range.text()),
            Kind::Fraction(range) => format!("fraction {}", range.text()),
            Kind::BasisPoints(range) => format!("basis points {}", range.text()),
            Kind::Whole { min, max } => format!("whole number {min} to {max}"),
            Kind::Flag => "true or false".to_owned(),
            Kind::Day => "day".to_owned(),
            Kind::Path => "path".to_owned(),
            Kind::Choice(words) => quoted(words),
            Kind::Rate(range) => format!("fraction a year {}, or a dated file", range.text()),
            Kind::Distance(range) => {
                format!("fraction {}, or an expression in price units", range.text())
            }
            Kind::Symbols => "list of symbols".to_owned(),
            Kind::Weights => "table of symbol = weight, adding up to 1".to_owned(),
            Kind::Targets => "table of symbol = share of equity".to_owned(),
            Kind::BarSize => "\"1m\" \"5m\" \"1h\" \"1d\" \"1w\" \"1mo\" and the like".to_owned(),
            Kind::Stretch => {
                "\"5y\" \"6mo\" \"13w\" \"90d\" and the like, or a number of bars".to_owned()
            }
            Kind::Feeds => {
                "table of dividends, premium, interest or gains = name of a layer".to_owned()
            }
            Kind::DayOfPeriod => "\"first\" \"last\" or a whole number 1 to 366".to_owned(),
            Kind::Groups { most: 2 } => "list of pairs of symbols".to_owned(),
            Kind::Groups { .. } => "list of lists of symbols".to_owned(),
            Kind::Expressions => "list of expressions".to_owned(),
            Kind::Schedule => {
                "\"day\" \"week\" \"month\" \"quarter\" \"year\", or a stretch such as \"6mo\", or a number of bars".to_owned()
            }
            Kind::Axis => {
                "list, or { from, to, step }, or { from, to, count, log = true }".to_owned()
            }
            Kind::Pair { min, max } => {
                format!("[least, most], whole numbers {min} to {max}")
            }
            Kind::Words(words) => format!("list of {}", quoted(words)),
            Kind::Mixed {
                words,
                fraction,
                path,
            } => {
                let mut ways = vec![quoted(words)];
                ways.extend(fraction.map(|range| format!("fraction {}", range.text())));
                ways.extend(path.then(|| "a dated file".to_owned()));
                ways.join(", or ")
            }
        }
    }
}

/// Words in quotes, one after the other.
fn quoted(words: &[&str]) -> String {
    let each = words.iter().map(|w| format!("\"{w}\""));
    each.collect::<Vec<_>>().join(" ")
}

impl Range {
    /// "above 0, at most 0.99".
    pub fn text(&self) -> String {
        let low = match (self.min.is_finite(), self.above) {
            (false, _) => String::new(),
            (true, true) => format!("above {}", self.min),
            (true, false) => format!("from {}", self.min),
        };
        match (low.is_empty(), self.max < LARGE) {
            (true, true) => format!("at most {}", self.max),
            (true, false) => "of any size".to_owned(),
            (false, true) if self.above => format!("{low}, at most {}", self.max),
            (false, true) => format!("{low} to {}", self.max),
            (false, false) => low,
        }
    }
}

/// Money and shares beyond this are mistakes, not accounts.
const LARGE: f64 = 1e15;

const fn from_to(min: f64, max: f64) -> Range {
    Range {
        min,
        max,
        above: false,
    }
}

const fn above(min: f64, max: f64) -> Range {
    Range {
        min,
        max,
        above: true,
    }
}

const fn key(name: &'static str, kind: Kind, default: Fallback, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        about,
        aliases: &[],
    }
}

impl Key {
    const fn also(mut self, aliases: &'static [&'static str]) -> Key {
        self.aliases = aliases;
        self
    }
}

const fn table(name: &'static str, about: &'static str, keys: &'static [Key]) -> Table {
    Table {
        name,
        about,
        keys: Keys::Fixed(keys),
        repeated: None,
    }
}

/// A table of which a file may have several, each called by its key `named`.
const fn tables(
    name: &'static str,
    named: &'static str,
    about: &'static str,
    keys: &'static [Key],
) -> Table {
    Table {
        repeated: Some(named),
        ..table(name, about, keys)
    }
}

/// Every table, in the order in which a strategy file is usually written.
pub static TABLES: &[Table] = &[
    table("", "What the strategy is called", TOP),
    table(
        "data",
        "What trades: the prices, the symbols and the days",
        DATA,
    ),
    Table {
        name: "params",
        about: "Numbers with a name, for use in expressions",
        keys: Keys::Named(Kind::Number(from_to(f64::NEG_INFINITY, f64::INFINITY))),
        repeated: None,
    },
    Table {
        name: "series",
        about: "Expressions with a name, for use in rules; drawn on the chart",
        keys: Keys::Named(Kind::Expression),
        repeated: None,
    },
    table("model", "A forecast learned from the past", MODEL),
    table("rules", "When to buy and sell", RULES),
    table("rank", "Which of many symbols to hold: the best", RANK),
    table("weights", "How much of each symbol to hold", WEIGHTS),
    table("size", "How big a position is", SIZE),
    table("stops", "How a position is protected", STOPS),
    table("fill", "At what price orders are filled", FILL),
    table("costs", "What trading costs", COSTS),
    table("account", "In which account", ACCOUNT),
    table("cash", "What idle cash earns", CASH),
    tables(
        "cashflow",
        "stream",
        "Deposits and withdrawals, one table each",
        CASHFLOW,
    ),
    table(
        "benchmark",
        "Against what the strategy is measured",
        BENCHMARK,
    ),
    table("report", "What the report shows", REPORT),
    Table {
        name: "sweep",
        about: "Which params and keys a sweep varies, and how it searches",
        keys: Keys::Both(SWEEP, Axis),
        repeated: None,
    },
    table("tax", "Which taxes gains and income owe", TAX),
    table(
        "tax.harvest",
        "Which losses are sold for their tax, and what is bought instead",
        TAX_HARVEST,
    ),
    tables(
        "layer",
        "name",
        "A strategy on a part of the account, one table each",
        LAYER,
    ),
    table(
        "options",
        "Which options are written and held",
        options::OPTIONS,
    ),
    table(
        "options.pricing",
        "Where option prices come from",
        options::PRICING,
    ),
    table("options.contract", "What a contract is", options::CONTRACT),
    table("options.call", "Which calls", options::LEG),
    table("options.put", "Which puts", options::LEG),
    table(
        "options.roll",
        "When an option is replaced by a later one",
        options::ROLL,
    ),
    table("options.fill", "At what price options trade", options::FILL),
    table(
        "walk_forward",
        "Parameters chosen on the past, judged on the future",
        WALK_FORWARD,
    ),
    Table {
        name: "monitor",
        about: "When a paper account raises an alarm",
        keys: Keys::Named(Kind::Expression),
        repeated: None,
    },
];

const TOP: &[Key] = &[
    key(
        "name",
        Text,
        Unset("the name of the file"),
        "What reports call the strategy",
    ),
    key(
        "about",
        Text,
        Unset("empty"),
        "What the strategy does, for people",
    ),
];

const DATA: &[Key] = &[
    key(
        "source",
        Path,
        Unset("must be given here or by --data"),
        "File or folder of prices; relative to the strategy file",
    )
    .also(&["path", "file", "folder", "prices_from"]),
    key(
        "symbols",
        Symbols,
        Unset("all found"),
        "Which symbols of the source trade",
    )
    .also(&["symbol", "tickers", "ticker", "universe"]),
    key(
        "members",
        Path,
        Unset("all symbols always"),
        "Dated membership of an index: a file of symbol, from, to",
    ),
    key(
        "start",
        Day,
        Unset("the first bar"),
        "First day of the simulation; earlier bars serve the warm-up",
    )
    .also(&["from", "start_date"]),
    key(
        "end",
        Day,
        Unset("the last bar"),
        "Last day of the simulation",
    )
    .also(&["to", "end_date"]),
    key(
        "bar",
        BarSize,
        Unset("as in the file"),
        "Size of a bar; coarser than the file means resampled",
    )
    .also(&["timeframe", "interval", "freq", "resolution"]),
    key(
        "actions",
        Path,
        Unset("actions.csv beside the data, if there"),
        "Dividends and splits",
    ),
    key(
        "prices",
        Choice(&["raw", "adjusted"]),
        Word("raw"),
        "Trade at prices as they were, with dividends and splits as events, or at adjusted ones",
    ),
    key(
        "signals",
        Choice(&["split", "total_return"]),
        Word("split"),
        "What expressions see: history scaled by splits, or by dividends too",
    ),
    key(
        "dividend_yield",
        Rate(from_to(0.0, 0.3)),
        Unset("none"),
        "Dividends of an index that has none in its data; paid daily",
    ),
    key(
        "missing",
        Choice(&["skip", "error"]),
        Word("skip"),
        "What a symbol without a bar on a session means",
    ),
    key(
        "delist_after",
        Whole {
            min: 1,
            max: 10_000,
        },
        Number(10.0),
        "Sessions without a bar after which a symbol counts as delisted",
    ),
    key(
        "delist_haircut",
        Fraction(from_to(0.0, 1.0)),
        Number(0.0),
        "Share of the last close that is lost at a delisting",
    ),
    key(
        "calendar",
        Choice(&["nyse", "weekdays", "24/7", "none"]),
        Unset("inferred from the dates"),
        "Which days are sessions",
    ),
];

const PERIODS: &[&str] = &["bar", "day", "week", "month", "quarter", "year"];

const RULES: &[Key] = &[
    key("enter", Expression, Unset("never"), "Condition that buys").also(&["entry", "buy", "long"]),
    key(
        "exit",
        Expression,
        Unset("never"),
        "Condition that sells what is held",
    )
    .also(&["sell", "close"]),
    key(
        "short",
        Expression,
        Unset("never"),
        "Condition that sells short; needs a margin account",
    )
    .also(&["short_enter", "enter_short", "short_entry"]),
    key(
        "cover",
        Expression,
        Unset("never"),
        "Condition that buys a short back",
    )
    .also(&["short_exit", "exit_short"]),
    key(
        "priority",
        Expression,
        Unset("symbol order"),
        "Number; larger buys first when cash or slots are short",
    ),
    key(
        "cooldown_bars",
        Whole {
            min: 0,
            max: 1_000_000,
        },
        Number(0.0),
        "Closes after an exit on which nothing is bought",
    )
    .also(&["cooldown"]),
    key(
        "hold_bars_max",
        Whole {
            min: 1,
            max: 10_000_000,
        },
        Unset("no limit"),
        "Bars after which a position is sold",
    )
    .also(&["max_hold", "hold_max", "max_bars", "time_stop"]),
    key(
        "every",
        Choice(PERIODS),
        Word("bar"),
        "When rules decide: at every bar, or on the last bar of a period",
    ),
];

/// Periods of a schedule.
const SCHEDULE: &[&str] = &["day", "week", "month", "quarter", "year"];

const RANK: &[Key] = &[
    key(
        "score",
        Expression,
        Unset("must be given"),
        "Number that symbols are ranked by, the highest first",
    )
    .also(&["by", "rank_by", "signal"]),
    key(
        "where",
        Expression,
        Unset("every symbol"),
        "Condition that a symbol must meet to be ranked",
    )
    .also(&["filter", "if", "eligible"]),
    key(
        "hold",
        Whole {
            min: 1,
            max: 1_000_000,
        },
        Unset("must be given, or quantile"),
        "How many are held",
    )
    .also(&["top", "n", "count", "long"]),
    key(
        "quantile",
        Fraction(above(0.0, 1.0)),
        Unset("hold"),
        "Share of the ranked symbols that is held, at least one",
    ),
    key(
        "short_hold",
        Whole {
            min: 0,
            max: 1_000_000,
        },
        Number(0.0),
        "How many of the lowest are sold short; needs a margin account",
    )
    .also(&["short", "bottom"]),
    key(
        "weight",
        Choice(&["equal", "score", "inverse_vol", "rank"]),
        Word("equal"),
        "How the slots weigh: 1 / hold each, by score, by 1 / volatility, by rank",
    )
    .also(&["weights", "weighting"]),
    key(
        "vol_window",
        Whole {
            min: 2,
            max: 100_000,
        },
        Number(63.0),
        "Bars of the volatility in weight = \"inverse_vol\"",
    ),
    key(
        "every",
        Choice(SCHEDULE),
        Word("month"),
        "How often it decides",
    )
    .also(&["rebalance", "schedule", "freq"]),
    key(
        "day",
        DayOfPeriod,
        Word("last"),
        "On which day of the period: its first or last session, or a number; Monday is 1 of a week",
    ),
    key(
        "buffer",
        Whole {
            min: 0,
            max: 1_000_000,
        },
        Number(0.0),
        "A holding stays while it ranks within hold + buffer",
    ),
    key(
        "absolute",
        Expression,
        Unset("always"),
        "Condition that a chosen symbol must meet, else its slot goes to the refuge",
    ),
    key(
        "refuge",
        Text,
        Word("cash"),
        "Where empty slots go: cash, or a symbol, which is not ranked itself",
    ),
    key(
        "reweight",
        Kind::Flag,
        Flag(true),
        "Every decision resets all holdings to their targets; else only leavers and newcomers trade",
    ),
];

const WEIGHTS: &[Key] = &[
    key(
        "targets",
        Targets,
        Unset("must be given, or method"),
        "Share of equity of each symbol; what is left stays cash",
    )
    .also(&["target", "weights", "symbols"]),
    key(
        "method",
        Choice(&["equal", "inverse_vol", "risk_parity", "min_variance"]),
        Unset("targets"),
        "How weights are computed: the same for all, by 1 / volatility, equal contributions to risk, least variance",
    ),
    key(
        "window",
        Whole {
            min: 2,
            max: 100_000,
        },
        Number(252.0),
        "Returns that a method looks back on",
    )
    .also(&["lookback", "vol_window"]),
    key(
        "every",
        Choice(SCHEDULE),
        Unset("never: bought once"),
        "How often the weights are restored",
    )
    .also(&["rebalance", "schedule", "freq"]),
    key(
        "day",
        DayOfPeriod,
        Word("last"),
        "On which day of the period: its first or last session, or a number; Monday is 1 of a week",
    ),
    key(
        "drift_abs",
        Fraction(above(0.0, 1.0)),
        Unset("not watched"),
        "Restore when a weight is further than this from its target, judged at each close",
    )
    .also(&["drift", "threshold", "band"]),
    key(
        "drift_rel",
        Fraction(above(0.0, 1.0)),
        Unset("not watched"),
        "The same as a fraction of the target",
    ),
    key(
        "toward",
        Choice(&["target", "band"]),
        Word("target"),
        "Trade every holding to its target, or only those outside their band to its nearer edge",
    ),
    key(
        "min_trade",
        Kind::Number(from_to(0.0, LARGE)),
        Number(0.0),
        "Smaller trades are left out, in money",
    ),
    key(
        "tax_aware",
        Kind::Flag,
        Flag(false),
        "Leave out trades whose tax exceeds their benefit; needs [tax]",
    ),
];

const SIZE: &[Key] = &[
    key("method", Choice(&["equal", "fraction", "cash", "shares", "risk", "target_vol", "kelly"]), Word("equal"), "How the size of a buy is found")
        .also(&["type", "mode"]),
    key("value", Kind::Number(above(0.0, LARGE)), Unset("1 for fraction; else must be given"), "How much: of equity for fraction and risk, money for cash, a number for shares, volatility a year for target_vol; equal and kelly take none")
        .also(&["amount", "size", "percent", "pct"]),
    key("max_positions", Whole { min: 1, max: 1_000_000 }, Unset("the number of symbols"), "Positions held at once")
        .also(&["slots", "max_open"]),
    key("max_weight", Fraction(above(0.0, 4.0)), Unset("no limit"), "Largest share of equity in one position at its entry"),
    key("lot", Kind::Number(from_to(0.0, 1e9)), Number(0.0), "Shares are rounded down to multiples of this; 0 allows fractions"),
    key("min_order", Kind::Number(from_to(0.0, LARGE)), Number(0.0), "Smallest order, in money"),
    key("pyramid", Kind::Flag, Flag(false), "A further entry signal adds to a position"),
];

const STOPS: &[Key] = &[
    key(
        "stop",
        Distance(above(0.0, 0.99)),
        Unset("none"),
        "Sell when the price falls this far below the entry",
    )
    .also(&["stop_loss", "stoploss", "sl", "loss"]),
    key(
        "target",
        Distance(above(0.0, 2.0)),
        Unset("none"),
        "Sell when the price rises this far above the entry",
    )
    .also(&["take_profit", "takeprofit", "tp", "profit"]),
    key(
        "trail",
        Distance(above(0.0, 0.99)),
        Unset("none"),
        "Sell when the price falls this far below its best since the entry",
    )
    .also(&["trailing", "trailing_stop", "trail_stop"]),
    key(
        "target_share",
        Fraction(above(0.0, 1.0)),
        Number(1.0),
        "Part of the position that is sold at the target",
    ),
    key(
        "breakeven",
        Fraction(above(0.0, 2.0)),
        Unset("never"),
        "Gain after which the stop moves to the entry price",
    )
    .also(&["break_even"]),
    key(
        "entry_bar",
        Kind::Flag,
        Flag(true),
        "Stops are live on the bar of the entry",
    ),
    key(
        "ambiguity",
        Choice(&["worst", "path", "best"]),
        Word("worst"),
        "Which comes first when one bar reaches stop and target: the stop, the extreme nearer to the open, the target",
    ),
];

const FILL: &[Key] = &[
    key(
        "at",
        Choice(&["next_open", "close", "next_close"]),
        Word("next_open"),
        "When a market order fills; \"close\" is the price that decided it",
    ),
    key(
        "order",
        Choice(&["market", "limit", "stop"]),
        Word("market"),
        "Kind of entry orders",
    )
    .also(&["type", "kind"]),
    key(
        "price",
        Expression,
        Unset("needed by limit and stop"),
        "Limit or stop price of an entry",
    ),
    key(
        "limit_touch",
        Choice(&["through", "touch"]),
        Word("through"),
        "Whether a limit fills only when the price trades through it, or when it is touched",
    ),
    key(
        "volume_cap",
        Fraction(above(0.0, 1.0)),
        Unset("no cap"),
        "Largest share of a bar's volume that one order takes",
    ),
    key(
        "tif",
        Choice(&["day", "gtc"]),
        Word("day"),
        "How long a limit or stop order waits: the session, or until it is cancelled",
    )
    .also(&["time_in_force"]),
    key(
        "close_at_end",
        Kind::Flag,
        Flag(false),
        "Sell what is held at the last close",
    ),
];

const COSTS: &[Key] = &[
    key(
        "preset",
        Choice(&["none", "retail", "ibkr_fixed", "ibkr_tiered"]),
        Unset("retail if the table has no key, else none"),
        "Named costs to start from; keys beside it override them",
    )
    .also(&["broker", "model"]),
    key(
        "commission",
        Fraction(from_to(0.0, 0.2)),
        Number(0.0),
        "Commission as a fraction of the value traded",
    )
    .also(&["fee", "fees", "commission_pct"]),
    key(
        "per_share",
        Kind::Number(from_to(0.0, 100.0)),
        Number(0.0),
        "Commission in money a share",
    ),
    key(
        "per_order",
        Kind::Number(from_to(0.0, LARGE)),
        Number(0.0),
        "Commission in money an order",
    )
    .also(&["per_trade", "fixed"]),
    key(
        "per_contract",
        Kind::Number(from_to(0.0, 1000.0)),
        Number(0.0),
        "Commission in money an option contract",
    ),
    key(
        "min",
        Kind::Number(from_to(0.0, LARGE)),
        Number(0.0),
        "Smallest commission of an order, in money",
    )
    .also(&["minimum"]),
    key(
        "max",
        Fraction(above(0.0, 0.5)),
        Unset("no cap"),
        "Largest commission of an order as a fraction of its value",
    )
    .also(&["maximum"]),
    key(
        "slippage_bps",
        BasisPoints(from_to(0.0, 1000.0)),
        Number(0.0),
        "What a market or stop order loses against its price, in basis points (2 is 0.02%)",
    )
    .also(&["slippage"]),
    key(
        "spread_bps",
        BasisPoints(from_to(0.0, 2000.0)),
        Number(0.0),
        "Quoted spread in basis points; half of it is paid on each side",
    )
    .also(&["spread"]),
    key(
        "borrow_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given for shorts"),
        "What shares sold short cost a year",
    ),
];

const ACCOUNT: &[Key] = &[
    key(
        "cash",
        Kind::Number(above(0.0, LARGE)),
        Number(100_000.0),
        "Money at the start",
    )
    .also(&["capital", "initial_cash", "starting_cash", "equity"]),
    key(
        "kind",
        Choice(&["cash", "margin"]),
        Word("cash"),
        "Cash: no shorts, no borrowing. Margin: both, at a price",
    )
    .also(&["type"]),
    key(
        "initial_margin",
        Fraction(above(0.0, 1.0)),
        Number(0.5),
        "Equity needed to open a position, as a fraction of its value",
    ),
    key(
        "maintenance_margin",
        Fraction(above(0.0, 1.0)),
        Number(0.25),
        "Equity below this fraction of the positions' value forces a sale",
    ),
    key(
        "margin_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given for margin"),
        "What borrowed cash costs a year",
    ),
    key(
        "settlement_days",
        Whole { min: 0, max: 10 },
        Number(0.0),
        "Sessions until the proceeds of a sale can be spent",
    ),
    key(
        "each",
        Kind::Flag,
        Flag(false),
        "Every symbol has an account of its own with this cash",
    ),
    key(
        "dividends",
        Choice(&["cash", "reinvest"]),
        Word("cash"),
        "What happens to dividends",
    ),
    key(
        "raise_cash",
        Choice(&["pro_rata", "largest", "refuse"]),
        Word("pro_rata"),
        "What is sold for a withdrawal or a tax that cash does not cover: a part of every holding, the largest first, or nothing",
    ),
    key(
        "currency",
        Text,
        Word("USD"),
        "Name of the money, for labels",
    ),
];

const CASH: &[Key] = &[
    key(
        "yield",
        Rate(from_to(-0.05, 0.5)),
        Number(0.0),
        "What the broker pays on idle cash a year (APY)",
    )
    .also(&["rate", "interest"]),
    key(
        "hurdle",
        Rate(from_to(-0.05, 0.5)),
        Unset("yield"),
        "What savings would have paid a year, for the benchmark cash",
    ),
];

/// Periods of a schedule that is no longer than a bar can be.
const SCHEDULES: &[&str] = &["day", "week", "month", "quarter", "year"];

const CASHFLOW: &[Key] = &[
    key(
        "amount",
        Kind::Number(from_to(-LARGE, LARGE)),
        Unset("must be given here or by file"),
        "Money put in; below 0 it is taken out",
    )
    .also(&["value", "cash", "money"]),
    key(
        "every",
        Choice(SCHEDULES),
        Unset("once, on start"),
        "How often",
    )
    .also(&["period", "frequency", "schedule"]),
    key(
        "day",
        DayOfPeriod,
        Word("first"),
        "On which day of the period: its first or last session, or a number; Monday is 1 of a week",
    )
    .also(&["on"]),
    key("start", Day, Unset("the first bar"), "No flow before").also(&["from", "date"]),
    key("end", Day, Unset("the last bar"), "No flow after").also(&["to", "until"]),
    key(
        "grow",
        Fraction(from_to(-0.5, 1.0)),
        Number(0.0),
        "How much the amount grows from year to year",
    )
    .also(&["growth", "raise"]),
    key(
        "file",
        Path,
        Unset("none"),
        "Dated amounts: a file of date, amount",
    ),
    key(
        "into",
        Text,
        Unset("all layers by their share"),
        "The layer that receives or pays it",
    ),
    key(
        "invest",
        Choice(&["next_decision", "now", "most_underweight"]),
        Word("next_decision"),
        "When a deposit is spent, and on what: as the strategy next decides, at the open on what is held, or on the smallest holding against its target",
    ),
    key(
        "stream",
        Text,
        Unset("deposits or withdrawals"),
        "What reports call it",
    )
    .also(&["name"]),
];

const LAYER: &[Key] = &[
    key(
        "name",
        Text,
        Unset("must be given"),
        "What reports call the layer",
    )
    .also(&["title"]),
    key(
        "strategy",
        Path,
        Unset("must be given"),
        "The file of its strategy; relative to this file",
    )
    .also(&["file", "path", "source"]),
    key(
        "weight",
        Kind::Number(above(0.0, LARGE)),
        Number(1.0),
        "Its part of the account, beside the weights of the others",
    )
    .also(&["share", "part"]),
    key(
        "feeds",
        Feeds,
        Unset("it keeps what it earns"),
        "Which layer receives its dividends, premium, interest or gains",
    )
    .also(&["feed"]),
    key(
        "rebalance",
        Choice(SCHEDULES),
        Unset("never"),
        "How often the layers are set back to their weights",
    )
    .also(&["every"]),
];

const BENCHMARK: &[Key] = &[
    key(
        "symbols",
        Symbols,
        Unset("the universe held equally"),
        "Symbols, each bought at the start and held",
    )
    .also(&["symbol"]),
    key(
        "blend",
        Weights,
        Unset("none"),
        "A mix of symbols, reset to its weights every month",
    ),
    key("cash", Kind::Flag, Flag(true), "Savings at the hurdle"),
    key(
        "rate",
        Rate(from_to(-0.05, 0.5)),
        Unset("cash.yield"),
        "Risk-free rate a year of the metrics that name one",
    )
    .also(&["risk_free", "rf"]),
];

const REPORT: &[Key] = &[
    key("charts", Kind::Flag, Flag(true), "Draw the charts"),
    key(
        "scale",
        Choice(&["auto", "linear", "log"]),
        Word("auto"),
        "Scale of the equity chart; auto takes log where the range asks for it",
    ),
    key(
        "profile",
        Choice(PROFILES),
        Unset("ours alone"),
        "Whose metric definitions are printed beside ours",
    ),
];

/// Programs whose definitions `metrics::profile` knows.
pub const PROFILES: &[&str] = &[
    "empyrical",
    "pyfolio",
    "quantstats",
    "vectorbt",
    "backtesting.py",
    "lean",
];

const TAX: &[Key] = &[
    key(
        "lots",
        Choice(&["fifo", "lifo", "hifo", "min_tax"]),
        Word("fifo"),
        "Which lot a sale takes first: the oldest, the newest, the highest basis, the least tax",
    )
    .also(&["method", "matching"]),
    key(
        "short_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given"),
        "Tax on gains of shares that were not held long, and on ordinary income",
    )
    .also(&["short", "short_term", "rate"]),
    key(
        "long_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given"),
        "Tax on gains of shares that were held long",
    )
    .also(&["long", "long_term"]),
    key(
        "dividend_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given when dividends are paid"),
        "Tax on dividends",
    )
    .also(&["dividend", "dividends"]),
    key(
        "interest_rate",
        Fraction(from_to(0.0, 1.0)),
        Unset("must be given when cash earns interest"),
        "Tax on interest",
    )
    .also(&["interest"]),
    key(
        "long_after_years",
        Whole { min: 0, max: 100 },
        Number(1.0),
        "Long means sold after the same date so many years later",
    ),
    key(
        "loss_cap_ordinary",
        Kind::Number(from_to(0.0, LARGE)),
        Number(0.0),
        "Net loss deducted a year from ordinary income, at short_rate, in money",
    )
    .also(&["carry_forward_cap", "loss_cap"]),
    key(
        "pay",
        Choice(&["year_end", "april"]),
        Word("year_end"),
        "When a year's tax is paid: on its last bar, or in April of the next year",
    ),
    key(
        "wash_window_days",
        Whole { min: 0, max: 3650 },
        Number(30.0),
        "Days before and after a sale at a loss in which a purchase makes it a wash sale",
    )
    .also(&["window_days", "wash_window"]),
    key(
        "identical",
        Groups { most: 1000 },
        Unset("every symbol is a security of its own"),
        "Symbols that are one security for wash sales",
    ),
    key(
        "index_options",
        Choice(&["1256"]),
        Unset("taxed like other options"),
        "Index options are taxed 60% long and 40% short, and marked at the end of the year",
    ),
];

const TAX_HARVEST: &[Key] = &[
    key(
        "loss_over",
        Fraction(from_to(0.0, 0.99)),
        Number(0.05),
        "Loss of a lot, as a fraction of its basis, above which it is sold",
    )
    .also(&["threshold", "loss"]),
    key(
        "pairs",
        Groups { most: 2 },
        Unset("must be given"),
        "What is bought for what is sold, either way",
    ),
    key(
        "check",
        Choice(&["day", "week", "month"]),
        Word("day"),
        "When lots are looked at: at the last close of each",
    )
    .also(&["every"]),
    key(
        "cooldown_days",
        Whole { min: 0, max: 3650 },
        Number(0.0),
        "Days after a swap in which its pair is left alone, beside the wash window",
    )
    .also(&["cooldown"]),
    key(
        "min_benefit",
        Kind::Number(from_to(0.0, LARGE)),
        Number(0.0),
        "Tax that a swap must save after its own costs, in money",
    ),
];

/// Figures of a trial, in the order of a sweep's rows, by any of which it can be ranked.
pub const TRIAL_FIGURES: [&str; 10] = [
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "trades",
    "win_rate",
    "exposure",
];

/// Figures that windows can be optimised for; all are better when larger but `volatility`.
pub const OBJECTIVES: &[&str] = &[
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "calmar",
    "win_rate",
];

const MODEL: &[Key] = &[
    key(
        "features",
        Kind::Expressions,
        Unset("must be given"),
        "What the forecast is made of: expressions that give numbers",
    )
    .also(&["inputs", "x", "feature"]),
    key(
        "target",
        Expression,
        Unset("must be given"),
        "What is forecast: an expression of the future that only training sees, such as forward_return(21)",
    )
    .also(&["y", "label", "predict"]),
    key(
        "learner",
        Choice(&["ridge", "logistic", "boosted_trees"]),
        Word("ridge"),
        "Least squares with a penalty, the chance of yes, or boosted regression trees",
    )
    .also(&["method", "algorithm", "estimator"]),
    key(
        "fit_window",
        Stretch,
        Word("5y"),
        "How far back a fit looks; the first is made when the data reach back that far",
    )
    .also(&["window", "train", "lookback"]),
    key(
        "refit",
        Kind::Schedule,
        Word("month"),
        "When it is fitted again: at the last close of each period, or so long after the fit before",
    )
    .also(&["every", "retrain"]),
    key(
        "purge",
        Whole {
            min: 0,
            max: 100_000,
        },
        Unset("the bars that the target looks ahead"),
        "Bars before a refit that are no rows, as their targets were not known; never fewer than the target looks ahead",
    )
    .also(&["purge_bars", "gap"]),
    key(
        "embargo",
        Whole {
            min: 0,
            max: 100_000,
        },
        Number(0.0),
        "Further bars left out after the purge",
    )
    .also(&["embargo_bars"]),
    key(
        "seed",
        Whole {
            min: 0,
            max: 4_294_967_295,
        },
        Number(42.0),
        "Seed of the rows that each tree draws, and of the coins beside the model",
    ),
];

const WALK_FORWARD: &[Key] = &[
    key(
        "train",
        Stretch,
        Unset("must be given for walk-forward"),
        "Length of the window that parameters are chosen on",
    )
    .also(&["in_sample", "window", "fit"]),
    key(
        "test",
        Stretch,
        Unset("must be given for walk-forward"),
        "Length of the window after it that they are judged on",
    )
    .also(&["out_of_sample", "validate"]),
    key(
        "step",
        Stretch,
        Unset("test"),
        "How far the windows move each time",
    ),
    key(
        "anchored",
        Kind::Flag,
        Flag(false),
        "Every training window begins on the first bar",
    ),
    key(
        "holdout",
        Stretch,
        Unset("nothing is sealed"),
        "The last stretch of the data, which no verb sees until --open-holdout",
    ),
    key(
        "purge_bars",
        Whole {
            min: 0,
            max: 1_000_000,
        },
        Number(0.0),
        "Bars left out between a training window and its test window",
    )
    .also(&["purge", "gap"]),
    key(
        "objective",
        Choice(OBJECTIVES),
        Unset("that of [sweep]"),
        "The figure that the best parameters have the best of",
    )
    .also(&["metric", "optimize"]),
];

const SWEEP: &[Key] = &[
    key(
        "where",
        Expression,
        Unset("every combination"),
        "Condition on params that a combination must meet to be tried",
    )
    .also(&["constraint", "filter", "if"]),
    key(
        "objective",
        Choice(&TRIAL_FIGURES),
        Word("sharpe"),
        "Figure that trials are ranked by; the least volatility, the most of every other",
    )
    .also(&["metric", "maximize", "target", "goal"]),
    key(
        "method",
        Choice(&["grid", "random", "halving"]),
        Word("grid"),
        "Every combination, a random sample of them, or rounds on ever longer spans of the data that the better half survives",
    )
    .also(&["search", "mode"]),
    key(
        "samples",
        Whole {
            min: 1,
            max: 1_000_000_000,
        },
        Unset("every combination; must be given for random"),
        "How many combinations are tried",
    )
    .also(&["trials", "count", "n"]),
    key(
        "seed",
        Whole {
            min: 0,
            max: u32::MAX,
        },
        Unset("--seed"),
        "Seed of the random sample",
    ),
];

/// Costs under a name. Fractions and money as in [`crate::strategy::Costs`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostPreset {
    /// Its name in `preset`.
    pub name: &'static str,
    /// Whose costs these are.
    pub about: &'static str,
    /// Values of the keys of `[costs]`; those left out are 0, `max` is then no cap.
    pub values: &'static [(&'static str, f64)],
}

/// The named costs. Brokers' schedules change: these are US stocks as published, without
/// regulatory fees, and with the slippage of `retail`.
pub static COST_PRESETS: &[CostPreset] = &[
    CostPreset {
        name: "none",
        about: "No cost of any kind",
        values: &[],
    },
    CostPreset {
        name: "retail",
        about: "No commission, 2 basis points of slippage, 0.65 an option contract",
        values: &[("slippage_bps", 2.0), ("per_contract", 0.65)],
    },
    CostPreset {
        name: "ibkr_fixed",
        about: "Interactive Brokers, fixed pricing: 0.005 a share, at least 1.00 and at most 1% an order",
        values: &[
            ("per_share", 0.005),
            ("min", 1.0),
            ("max", 0.01),
            ("per_contract", 0.65),
            ("slippage_bps", 2.0),
        ],
    },
    CostPreset {
        name: "ibkr_tiered",
        about: "Interactive Brokers, tiered pricing up to 300,000 shares a month: 0.0035 a share, at least 0.35 and at most 1% an order; exchange and clearing fees come on top",
        values: &[
            ("per_share", 0.0035),
            ("min", 0.35),
            ("max", 0.01),
            ("per_contract", 0.65),
            ("slippage_bps", 2.0),
        ],
    },
];

/// The table of this name; `""` is the top of the file, `cashflow.0` the first `[[cashflow]]`.
pub fn find_table(name: &str) -> Option<&'static Table> {
    let is_named = |table: &&Table| {
        table.name == name
            || table.repeated.is_some()
                && name
                    .strip_prefix(table.name)
                    .and_then(|rest| rest.strip_prefix('.'))
                    .is_some_and(|row| row.parse::<u32>().is_ok())
    };
    TABLES.iter().find(is_named)
}

impl Table {
    /// The table as its heading stands in a file: `[costs]`, `[[cashflow]]`.
    pub fn heading(&self) -> String {
        match self.repeated {
            Some(_) => format!("[[{}]]", self.name),
            None => format!("[{}]", self.name),
        }
    }

    /// The rows of a table's fixed keys; none for one whose keys the user names.
    pub fn rows(&self) -> &'static [Key] {
        match self.keys {
            Keys::Fixed(rows) | Keys::Both(rows, _) => rows,
            Keys::Named(_) => &[],
        }
    }

    /// The row of this key.
    pub fn find(&self, name: &str) -> Option<&'static Key> {
        self.rows().iter().find(|key| key.name == name)
    }
}
