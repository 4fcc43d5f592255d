//! What expressions can name beside columns, params, series and indicators: one row each.
//!
//! A row says how a function is written, what it means and from which bar on it has a value;
//! `list indicators` prints it beside the rows of [`crate::indicators`]. How a row becomes a plan
//! is [`super::check`]'s business, how the plan becomes columns [`super::eval`]'s.

/// A row: a function, a calendar word or a position word of the expression language.
pub struct Function {
    /// Name in expressions.
    pub name: &'static str,
    /// How it is written, with its arguments.
    pub signature: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// The formula.
    pub formula: &'static str,
    /// From which bar on there is a value, in words.
    pub warmup: &'static str,
    /// Heading that it stands under in lists.
    pub family: &'static str,
    pub(super) takes: &'static [Takes],
    pub(super) builds: Builds,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A leading series, the close when it is left out.
    Series,
    /// A number.
    Number,
    /// Two numbers or more.
    Numbers,
    /// A condition.
    Condition,
    /// A number or a condition.
    Either,
    /// A constant whole number of bars, at least one.
    Bars,
    /// Any constant.
    Constant,
}

/// What a row becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Builds {
    Abs,
    Min,
    Max,
    Log,
    Exp,
    Sqrt,
    If,
    CrossesAbove,
    CrossesBelow,
    Rising,
    Falling,
    BarsSince,
    Count,
    Rank,
    ZRank,
    IvRank,
    Random,
    ForwardReturn,
    Clock(Clock),
    Position(Position),
}

/// A reading of the bar's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Clock {
    Year,
    Month,
    Day,
    Weekday,
    Hour,
    Minute,
    MonthEnd,
    MonthStart,
}

/// A reading of the open position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Position {
    BarsHeld,
    EntryPrice,
    Pnl,
    PnlPct,
    Mae,
    Mfe,
}

/// A function of numbers, the commonest row.
const ARITHMETIC: Function = Function {
    name: "",
    signature: "",
    title: "",
    formula: "",
    warmup: "where its arguments have values",
    family: "arithmetic",
    takes: &[Takes::Number],
    builds: Builds::Abs,
};

const EVENT: Function = Function {
    family: "events",
    takes: &[Takes::Number, Takes::Number],
    ..ARITHMETIC
};

const CALENDAR: Function = Function {
    family: "calendar",
    warmup: "every bar",
    takes: &[],
    ..ARITHMETIC
};

const POSITION: Function = Function {
    family: "position (exits, covers, stops)",
    warmup: "while a position is open",
    takes: &[],
    ..ARITHMETIC
};

/// Every row, in reading order.
pub fn functions() -> &'static [Function] {
    ROWS
}

/// Whether a word reads the open position.
pub(super) fn is_position(name: &str) -> bool {
    find(name).is_some_and(|row| matches!(row.builds, Builds::Position(_)))
}

/// The row of that name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    ROWS.iter().find(|row| row.name == name)
}

static ROWS: &[Function] = &[
    Function {
        name: "bars_since",
        signature: "bars_since(condition)",
        title: "bars since a condition last held",
        formula: "0 on a bar on which it holds, then 1, 2, …",
        warmup: "none before the condition first holds",
        takes: &[Takes::Condition],
        builds: Builds::BarsSince,
        ..EVENT
    },
    Function {
        name: "count",
        signature: "count(condition, n)",
        title: "how often a condition held",
        formula: "number of the last n bars, this one included, on which it holds",
        warmup: "once the condition is known on n bars in a row",
        takes: &[Takes::Condition, Takes::Bars],
        builds: Builds::Count,
        ..EVENT
    },
    Function {
        name: "crosses_above",
        signature: "crosses_above(a, b)",
        title: "a goes from at or below b to above it",
        formula: "a[1] <= b[1] and a > b",
        warmup: "one bar after both have values",
        builds: Builds::CrossesAbove,
        ..EVENT
    },
    Function {
        name: "crosses_below",
        signature: "crosses_below(a, b)",
        title: "a goes from at or above b to below it",
        formula: "a[1] >= b[1] and a < b",
        warmup: "one bar after both have values",
        builds: Builds::CrossesBelow,
        ..EVENT
    },
    Function {
        name: "rising",
        signature: "rising(x, n)",
        title: "rises n bars in a row",
        formula: "x > x[1] on each of the last n bars",
        warmup: "n bars after x has values; false as soon as one bar did not rise",
        takes: &[Takes::Series, Takes::Bars],
        builds: Builds::Rising,
        ..EVENT
    },
    Function {
        name: "falling",
        signature: "falling(x, n)",
        title: "falls n bars in a row",
        formula: "x < x[1] on each of the last n bars",
        warmup: "n bars after x has values; false as soon as one bar did not fall",
        takes: &[Takes::Series, Takes::Bars],
        builds: Builds::Falling,
        ..EVENT
    },
    Function {
        name: "abs",
        signature: "abs(a)",
        title: "absolute value",
        formula: "a or -a, whichever is not negative",
        builds: Builds::Abs,
        ..ARITHMETIC
    },
    Function {
        name: "min",
        signature: "min(a, b, …)",
        title: "the smallest of its arguments",
        formula: "a < b ? a : b; no value when an argument has none",
        takes: &[Takes::Numbers],
        builds: Builds::Min,
        ..ARITHMETIC
    },
    Function {
        name: "max",
        signature: "max(a, b, …)",
        title: "the largest of its arguments",
        formula: "a > b ? a : b; no value when an argument has none",
        takes: &[Takes::Numbers],
        builds: Builds::Max,
        ..ARITHMETIC
    },
    Function {
        name: "log",
        signature: "log(a)",
        title: "natural logarithm",
        formula: "ln(a); no value for a <= 0",
        builds: Builds::Log,
        ..ARITHMETIC
    },
    Function {
        name: "exp",
        signature: "exp(a)",
        title: "exponential function",
        formula: "e^a; no value when it is too large for a number",
        builds: Builds::Exp,
        ..ARITHMETIC
    },
    Function {
        name: "sqrt",
        signature: "sqrt(a)",
        title: "square root",
        formula: "√a; no value for a < 0",
        builds: Builds::Sqrt,
        ..ARITHMETIC
    },
    Function {
        name: "if",
        signature: "if(condition, a, b)",
        title: "a choice between two numbers or two conditions",
        formula: "a where the condition holds, b where it does not",
        warmup: "where the condition is known and the chosen argument has a value",
        takes: &[Takes::Condition, Takes::Either, Takes::Either],
        builds: Builds::If,
        ..ARITHMETIC
    },
    Function {
        name: "rank",
        signature: "rank(x)",
        title: "place among all symbols at that bar",
        formula: "1 is the largest x; equal values share the mean of their places",
        takes: &[Takes::Series],
        builds: Builds::Rank,
        family: "cross-section",
        ..ARITHMETIC
    },
    Function {
        name: "zrank",
        signature: "zrank(x)",
        title: "z-score among all symbols at that bar",
        formula: "(x - mean) / stdev (ddof 0) over the symbols that have a value; none when stdev is 0",
        takes: &[Takes::Series],
        builds: Builds::ZRank,
        family: "cross-section",
        ..ARITHMETIC
    },
    Function {
        name: "iv_rank",
        signature: "iv_rank(n)",
        title: "where the implied volatility stands in its range, 0 to 1",
        formula: "(iv - lowest(iv, n)) / (highest(iv, n) - lowest(iv, n)) of the column `iv` or `implied_vol`",
        warmup: "n - 1",
        takes: &[Takes::Bars],
        builds: Builds::IvRank,
        family: "volatility",
    },
    Function {
        name: "random",
        signature: "random(seed)",
        title: "a number drawn evenly from [0, 1)",
        formula: "hash of seed, symbol and time of the bar",
        warmup: "every bar",
        takes: &[Takes::Constant],
        builds: Builds::Random,
        ..ARITHMETIC
    },
    Function {
        name: "forward_return",
        signature: "forward_return(n)",
        title: "return over the next n bars, which only [model] target may ask for",
        formula: "close n bars later / close - 1, splits and (with signals = \"total_return\") dividends taken out",
        warmup: "every bar but the last n",
        takes: &[Takes::Bars],
        builds: Builds::ForwardReturn,
        family: "learning",
    },
    Function {
        name: "year",
        signature: "year",
        title: "calendar year of the bar",
        formula: "2024",
        builds: Builds::Clock(Clock::Year),
        ..CALENDAR
    },
    Function {
        name: "month",
        signature: "month",
        title: "month of the bar",
        formula: "1 (January) to 12",
        builds: Builds::Clock(Clock::Month),
        ..CALENDAR
    },
    Function {
        name: "day",
        signature: "day",
        title: "day of the month of the bar",
        formula: "1 to 31",
        builds: Builds::Clock(Clock::Day),
        ..CALENDAR
    },
    Function {
        name: "weekday",
        signature: "weekday",
        title: "day of the week of the bar",
        formula: "1 (Monday) to 7",
        builds: Builds::Clock(Clock::Weekday),
        ..CALENDAR
    },
    Function {
        name: "hour",
        signature: "hour",
        title: "hour at which the bar stands",
        formula: "0 to 23, on the clock of the data",
        builds: Builds::Clock(Clock::Hour),
        ..CALENDAR
    },
    Function {
        name: "minute",
        signature: "minute",
        title: "minute at which the bar stands",
        formula: "0 to 59",
        builds: Builds::Clock(Clock::Minute),
        ..CALENDAR
    },
    Function {
        name: "is_month_end",
        signature: "is_month_end",
        title: "whether the bar is the last of its month",
        formula: "by the rules of the calendar; without one, the first bar of the next month",
        builds: Builds::Clock(Clock::MonthEnd),
        ..CALENDAR
    },
    Function {
        name: "is_month_start",
        signature: "is_month_start",
        title: "whether the bar is the first of its month",
        formula: "the bar before it stands in another month",
        builds: Builds::Clock(Clock::MonthStart),
        ..CALENDAR
    },
    Function {
        name: "bars_held",
        signature: "bars_held",
        title: "bars since the entry",
        formula: "this bar - entry bar",
        builds: Builds::Position(Position::BarsHeld),
        ..POSITION
    },
    Function {
        name: "entry_price",
        signature: "entry_price",
        title: "price of the entry fill, in the money of this bar",
        formula: "average when the position was built in parts",
        builds: Builds::Position(Position::EntryPrice),
        ..POSITION
    },
    Function {
        name: "pnl",
        signature: "pnl",
        title: "open profit in money",
        formula: "at this close",
        builds: Builds::Position(Position::Pnl),
        ..POSITION
    },
    Function {
        name: "pnl_pct",
        signature: "pnl_pct",
        title: "open profit as a fraction of what the entry cost",
        formula: "0.05 is 5%",
        builds: Builds::Position(Position::PnlPct),
        ..POSITION
    },
    Function {
        name: "mae",
        signature: "mae",
        title: "largest loss since the entry",
        formula: "worst price since the entry against the entry price, a fraction <= 0",
        builds: Builds::Position(Position::Mae),
        ..POSITION
    },
    Function {
        name: "mfe",
        signature: "mfe",
        title: "largest gain since the entry",
        formula: "best price since the entry against the entry price, a fraction >= 0",
        builds: Builds::Position(Position::Mfe),
        ..POSITION
    },
];

/// Words of other platforms and what they are called here.
pub(super) static ELSEWHERE: &[(&str, &str)] = &[
    ("adj", "close"),
    ("avg", "sma(x, n)"),
    ("bollinger_lower", "bb_lower(x, n, k)"),
    ("bollinger_upper", "bb_upper(x, n, k)"),
    ("cross", "crosses_above(a, b)"),
    ("cross_above", "crosses_above(a, b)"),
    ("cross_below", "crosses_below(a, b)"),
    ("crossover", "crosses_above(a, b)"),
    ("crossunder", "crosses_below(a, b)"),
    ("hhv", "highest(x, n)"),
    ("lag", "x[n]"),
    ("llv", "lowest(x, n)"),
    ("ln", "log(a)"),
    ("ma", "sma(x, n)"),
    ("maximum", "highest(x, n)"),
    ("mean", "sma(x, n)"),
    ("minimum", "lowest(x, n)"),
    ("pow", "x * x"),
    ("price", "close"),
    ("prev", "x[1]"),
    ("ref", "x[n]"),
    ("shift", "x[n]"),
    ("stddev", "stdev(x, n)"),
    ("std", "stdev(x, n)"),
    ("stoch", "stoch_k(n, slow_k, slow_d)"),
    ("x", "close"),
    ("volatility", "realized_vol(x, n)"),
];
