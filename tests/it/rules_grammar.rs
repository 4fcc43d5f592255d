//! Random expressions: a tree that knows its text, so that tests can evaluate it a second way.
//!
//! Also read by `benches/fuzz_rules.rs`.

use std::fmt;

/// A small counter-based generator; its stream depends on the seed alone.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Draw(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x1234_5678_9ABC_DEF1)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.word() % n.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Number(f64),
    Column(&'static str),
    Foreign(&'static str, &'static str),
    Negate(Box<Tree>),
    /// `abs log exp sqrt`.
    Unary(&'static str, Box<Tree>),
    /// `+ - * /`.
    Arithmetic(char, Box<Tree>, Box<Tree>),
    /// `min max`.
    Extreme(&'static str, Box<Tree>, Box<Tree>),
    Compare(&'static str, Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    If(Box<Tree>, Box<Tree>, Box<Tree>),
    Lag(Box<Tree>, usize),
    /// `crosses_above crosses_below`.
    Crosses(&'static str, Box<Tree>, Box<Tree>),
    /// `rising falling`.
    Runs(&'static str, Box<Tree>, usize),
    Count(Box<Tree>, usize),
    BarsSince(Box<Tree>),
    /// An indicator of a series and its window.
    OfSeries(&'static str, Box<Tree>, usize),
    /// An indicator of whole bars and its window.
    OfBars(&'static str, usize),
    Coarse(Box<Tree>),
    Rank(&'static str, Box<Tree>),
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tree::Number(value) => write!(f, "{value}"),
            Tree::Column(name) => write!(f, "{name}"),
            Tree::Foreign(symbol, name) => write!(f, "{symbol}:{name}"),
            Tree::Negate(a) => write!(f, "-({a})"),
            Tree::Unary(name, a) => write!(f, "{name}({a})"),
            Tree::Arithmetic(sign, a, b) => write!(f, "({a} {sign} {b})"),
            Tree::Extreme(name, a, b) | Tree::Crosses(name, a, b) => write!(f, "{name}({a}, {b})"),
            Tree::Compare(sign, a, b) => write!(f, "({a} {sign} {b})"),
            Tree::Not(a) => write!(f, "(not {a})"),
            Tree::And(a, b) => write!(f, "({a} and {b})"),
            Tree::Or(a, b) => write!(f, "({a} or {b})"),
            Tree::If(c, a, b) => write!(f, "if({c}, {a}, {b})"),
            Tree::Lag(a, n) => write!(f, "({a})[{n}]"),
            Tree::Runs(name, a, n) | Tree::OfSeries(name, a, n) => write!(f, "{name}({a}, {n})"),
            Tree::Count(c, n) => write!(f, "count({c}, {n})"),
            Tree::BarsSince(c) => write!(f, "bars_since({c})"),
            Tree::OfBars(name, n) => write!(f, "{name}({n})"),
            Tree::Coarse(a) => write!(f, "({a}) @ \"1w\""),
            Tree::Rank(name, a) => write!(f, "{name}({a})"),
        }
    }
}

/// What a random number may be made of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    /// Anything.
    Any,
    /// Money a share: doubles when prices do.
    Price,
    /// No unit: the same when prices double.
    Pure,
}

/// Makes random expressions.
pub(crate) struct Grammar {
    pub(crate) draw: Draw,
    /// Other symbols may be read and ranked.
    pub(crate) cross: bool,
    /// Coarser bars may be read.
    pub(crate) coarse: bool,
    /// Extra columns may be read.
    pub(crate) extra: bool,
    /// A coarse bar or a rank is being made, which hold no other.
    inside: bool,
}

const PRICES: &[&str] = &["open", "high", "low", "close"];
const OF_PRICE: &[&str] = &[
    "sma", "ema", "highest", "lowest", "stdev", "wma", "rma", "mom", "kama",
];
const TO_PURE: &[&str] = &["roc", "zscore", "percentile", "rsi"];
const BARS_PRICE: &[&str] = &["atr", "donchian_upper", "donchian_mid", "vwap"];
const BARS_PURE: &[&str] = &["natr", "cci", "adx", "willr", "aroon_up"];

impl Grammar {
    pub(crate) fn new(seed: u64) -> Self {
        Grammar {
            draw: Draw::new(seed),
            cross: true,
            coarse: true,
            extra: true,
            inside: false,
        }
    }

    fn some(&mut self, unit: Unit, depth: usize) -> Box<Tree> {
        Box::new(self.number(unit, depth))
    }

    fn window(&mut self) -> usize {
        self.draw.pick(&[1, 2, 3, 5])
    }

    /// Windows of indicators that need two bars or more.
    fn wide(&mut self) -> usize {
        self.draw.pick(&[2, 3, 5])
    }

    fn leaf(&mut self, unit: Unit) -> Tree {
        match unit {
            Unit::Price if self.cross && self.draw.chance(15) => {
                Tree::Foreign(self.draw.pick(&["B", "C"]), self.draw.pick(PRICES))
            }
            Unit::Price => Tree::Column(self.draw.pick(PRICES)),
            Unit::Pure => match self.draw.below(3) {
                0 => Tree::Column(self.draw.pick(&["weekday", "day", "month"])),
                1 if self.extra => Tree::Column("z"),
                _ => Tree::Number(self.draw.pick(&[0.0, 0.5, 1.0, 2.0, 3.0, 50.0])),
            },
            Unit::Any => {
                let unit = self.draw.pick(&[Unit::Price, Unit::Pure]);
                if self.draw.chance(15) {
                    return Tree::Column(self.draw.pick(&["volume", "raw_close", "raw_volume"]));
                }
                self.leaf(unit)
            }
        }
    }

    /// A number of a unit.
    pub(crate) fn number(&mut self, unit: Unit, depth: usize) -> Tree {
        if depth == 0 {
            return self.leaf(unit);
        }
        let below = depth - 1;
        match self.draw.below(12) {
            0 => self.leaf(unit),
            1 => Tree::Negate(self.some(unit, below)),
            2 => Tree::Unary("abs", self.some(unit, below)),
            3 => {
                let sign = self.draw.pick(&['+', '-']);
                Tree::Arithmetic(sign, self.some(unit, below), self.some(unit, below))
            }
            4 => {
                let name = self.draw.pick(&["min", "max"]);
                Tree::Extreme(name, self.some(unit, below), self.some(unit, below))
            }
            5 => {
                let condition = Box::new(self.condition(unit, below));
                Tree::If(condition, self.some(unit, below), self.some(unit, below))
            }
            6 => Tree::Lag(self.some(unit, below), self.draw.pick(&[0, 1, 2, 7])),
            7 => self.scaled(unit, below),
            8 if self.coarse && !self.inside => {
                self.inside = true;
                let inner = self.some(unit, below);
                self.inside = false;
                Tree::Coarse(inner)
            }
            _ => self.indicator(unit, below),
        }
    }

    /// A product or ratio, or what only a pure number can be.
    fn scaled(&mut self, unit: Unit, depth: usize) -> Tree {
        match (unit, self.draw.below(4)) {
            (Unit::Price, _) => {
                let sign = self.draw.pick(&['*', '/']);
                Tree::Arithmetic(
                    sign,
                    self.some(Unit::Price, depth),
                    self.some(Unit::Pure, depth),
                )
            }
            (Unit::Pure, 0) => Tree::BarsSince(Box::new(self.condition(unit, depth))),
            (Unit::Pure, 1) => {
                let n = self.window();
                Tree::Count(Box::new(self.condition(unit, depth)), n)
            }
            (Unit::Pure, _) => {
                let (a, b) = (self.some(Unit::Price, depth), self.some(Unit::Price, depth));
                Tree::Arithmetic('/', a, b)
            }
            (Unit::Any, 0) => {
                let name = self.draw.pick(&["log", "sqrt", "exp"]);
                Tree::Unary(name, self.some(unit, depth))
            }
            (Unit::Any, _) => {
                let sign = self.draw.pick(&['*', '/']);
                Tree::Arithmetic(sign, self.some(unit, depth), self.some(unit, depth))
            }
        }
    }

    fn indicator(&mut self, unit: Unit, depth: usize) -> Tree {
        if self.cross && !self.inside && unit != Unit::Price && self.draw.chance(15) {
            self.inside = true;
            let inner = self.some(unit, depth);
            self.inside = false;
            return Tree::Rank(self.draw.pick(&["rank", "zrank"]), inner);
        }
        let n = self.wide();
        let of_series = self.draw.chance(60);
        match unit {
            Unit::Price if of_series => {
                Tree::OfSeries(self.draw.pick(OF_PRICE), self.some(unit, depth), n)
            }
            Unit::Price => Tree::OfBars(self.draw.pick(BARS_PRICE), n),
            Unit::Pure if of_series => {
                let name = self.draw.pick(TO_PURE);
                Tree::OfSeries(name, self.some(Unit::Price, depth), n)
            }
            Unit::Pure => Tree::OfBars(self.draw.pick(BARS_PURE), n),
            Unit::Any if of_series => {
                let name = if self.draw.chance(60) {
                    self.draw.pick(OF_PRICE)
                } else {
                    self.draw.pick(TO_PURE)
                };
                Tree::OfSeries(name, self.some(unit, depth), n)
            }
            Unit::Any => {
                let unit = self.draw.pick(&[Unit::Price, Unit::Pure]);
                self.indicator(unit, depth)
            }
        }
    }

    /// A condition whose numbers meet their like, or anything.
    pub(crate) fn condition(&mut self, unit: Unit, depth: usize) -> Tree {
        let below = depth.saturating_sub(1);
        let also = |grammar: &mut Self| Box::new(grammar.condition(unit, below));
        if depth > 0 {
            match self.draw.below(9) {
                0 => return Tree::Not(also(self)),
                1 => return Tree::And(also(self), also(self)),
                2 => return Tree::Or(also(self), also(self)),
                3 => return Tree::Lag(also(self), self.draw.pick(&[0, 1, 3])),
                4 => return Tree::If(also(self), also(self), also(self)),
                _ => {}
            }
        }
        let unit = match unit {
            Unit::Any => Unit::Any,
            _ => self.draw.pick(&[Unit::Price, Unit::Pure]),
        };
        let a = self.some(unit, below);
        match self.draw.below(8) {
            0 => {
                let name = self.draw.pick(&["crosses_above", "crosses_below"]);
                Tree::Crosses(name, a, self.some(unit, below))
            }
            1 => Tree::Runs(self.draw.pick(&["rising", "falling"]), a, self.window()),
            2 => Tree::Column(self.draw.pick(&["is_month_end", "is_month_start"])),
            _ => {
                let sign = self.draw.pick(&["<", "<=", ">", ">=", "==", "!="]);
                Tree::Compare(sign, a, self.some(unit, below))
            }
        }
    }
}
