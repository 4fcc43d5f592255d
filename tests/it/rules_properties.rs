//! Random expressions on random tapes: the columns equal a recursion that asks bar by bar, the
//! future changes nothing, and a split changes nothing.

#![allow(clippy::unwrap_used, clippy::too_many_lines)]

use crate::rules_grammar::{Draw, Grammar, Tree, Unit};
use papertape::indicators::{self, Inputs};
use papertape::market::{
    Action, ActionKind, Bars, Calendar, Column, Interval, Market, date_of, seen_splits,
};
use papertape::rules::{EvalOptions, Kind, Program, Request, Vocabulary};
use papertape::units::{DAY_MICROS, Micros};
use std::cell::Cell;

const OPTIONS: EvalOptions = EvalOptions {
    periods_a_year: 252.0,
    total_return: true,
};

/// A tape of `days` with gaps: a walk in quarters, volume, and a column `z` with missing cells.
fn tape(draw: &mut Draw, days: i64) -> Bars {
    let time: Vec<Micros> = (0..days)
        .filter(|_| !draw.chance(12))
        .map(|d| (4 + d) * DAY_MICROS)
        .collect();
    let mut price = 100.0_f64;
    let (mut open, mut high, mut low, mut close) = (vec![], vec![], vec![], vec![]);
    let (mut volume, mut z) = (vec![], vec![]);
    for _ in &time {
        let step = |draw: &mut Draw| draw.below(17) as f64 / 4.0 - 2.0;
        let (o, c) = (price + step(draw), price + step(draw));
        open.push(o);
        close.push(c);
        high.push(o.max(c) + draw.below(5) as f64 / 4.0);
        low.push(o.min(c) - draw.below(5) as f64 / 4.0);
        volume.push((draw.below(50) * 100) as f64);
        z.push(if draw.chance(15) {
            f64::NAN
        } else {
            draw.below(7) as f64
        });
        price = c.max(50.0);
    }
    let bars = Bars::new(time, open, high, low, close, Some(volume)).unwrap();
    bars.with_extra("z", z).unwrap()
}

fn market_of(tapes: Vec<(String, Bars)>) -> Market {
    let mut market = Market::from_tapes(tapes).unwrap();
    market.calendar = Calendar::AllDays;
    market.interval = Interval::Day;
    market
}

fn action(symbol: &str, kind: ActionKind, day: usize, value: f64) -> Action {
    Action {
        time: (4 + day as i64) * DAY_MICROS,
        symbol: symbol.into(),
        kind,
        value,
        pay: None,
        declared: None,
    }
}

/// Three symbols with splits and dividends.
fn random_market(draw: &mut Draw, days: i64) -> Market {
    let tapes = ["A", "B", "C"]
        .map(|s| (s.to_string(), tape(draw, days)))
        .to_vec();
    let mut actions = Vec::new();
    for symbol in ["A", "B"] {
        for _ in 0..draw.below(3) {
            let day = draw.below(days as usize);
            let ratio = draw.pick(&[2.0, 3.0, 0.5]);
            actions.push(action(symbol, ActionKind::Split, day, ratio));
        }
        if draw.chance(50) {
            let day = draw.below(days as usize);
            actions.push(action(symbol, ActionKind::Dividend, day, 1.5));
        }
    }
    market_of(tapes).with_actions(actions)
}

fn compile(market: &Market, text: &str) -> Program {
    let request = Request {
        key: "rules.enter",
        text,
        offset: None,
        expects: Kind::Any,
        position: false,
    };
    Program::compile(&[], &[], &[request], &Vocabulary::of(market))
        .unwrap_or_else(|problems| panic!("{text}: {problems:#?}"))
}

/// Answers as numbers: 1, 0 and NaN.
fn evaluated(market: &Market, text: &str) -> Vec<Vec<f64>> {
    let program = compile(market, text);
    let id = program.wanted(0);
    let columns = program.evaluate(market, &OPTIONS).unwrap();
    let answer = |answer: Option<bool>| answer.map_or(f64::NAN, |yes| f64::from(u8::from(yes)));
    let column = |columns: &papertape::rules::Columns| match program.kind(id) {
        Kind::Condition => {
            let mask = columns.condition(id);
            (0..mask.len()).map(|i| answer(mask.get(i))).collect()
        }
        _ => columns.number(id).to_vec(),
    };
    columns.iter().map(column).collect()
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() || a == 0.0 && b == 0.0
}

/// Evaluates a tree by asking for one bar at a time.
struct Naive<'a> {
    market: &'a Market,
    /// Questions left; an expression that asks too many is passed over.
    left: Cell<u64>,
}

/// A bar of a tape, looked at from another one.
#[derive(Clone, Copy)]
struct Moment {
    tape: usize,
    /// Bar of the tape from whose close it is seen.
    seen_from: usize,
    /// The bar, of the tape or of its weeks.
    bar: usize,
    weekly: bool,
}

impl Naive<'_> {
    /// What a price of `bar` is divided by when seen at `time`.
    fn factor(&self, tape: usize, bar: usize, time: Micros, total_return: bool) -> f64 {
        let bars = &self.market.tapes[tape].bars;
        let mut events = seen_splits(self.market, tape, total_return);
        events.retain(|(first, _)| *first > bar && bars.time[*first] <= time);
        events
            .iter()
            .rev()
            .fold(1.0, |product, (_, factor)| product * factor)
    }

    /// A column of a tape at one of its own bars, seen at `time`.
    fn daily(&self, tape: usize, name: &str, bar: usize, time: Micros) -> f64 {
        let bars = &self.market.tapes[tape].bars;
        let raw = |name: &str| bars.column(name).map_or(f64::NAN, |c| c[bar]);
        match name {
            "open" | "high" | "low" | "close" => raw(name) / self.factor(tape, bar, time, true),
            "volume" => raw(name) * self.factor(tape, bar, time, false),
            "raw_close" => raw("close"),
            "raw_volume" => raw("volume"),
            name => raw(name),
        }
    }

    /// The complete weeks of a tape up to a bar: the bars that each is made of.
    fn weeks(&self, tape: usize, upto: usize) -> Vec<Vec<usize>> {
        let time = &self.market.tapes[tape].bars.time;
        let week = |bar: usize| (time[bar] / DAY_MICROS + 3) / 7;
        let mut weeks: Vec<Vec<usize>> = Vec::new();
        for bar in 0..=upto {
            match weeks.last_mut().filter(|w| week(w[0]) == week(bar)) {
                Some(last) => last.push(bar),
                None => weeks.push(vec![bar]),
            }
        }
        let is_sunday = (time[upto] / DAY_MICROS + 3) % 7 == 6;
        if !is_sunday {
            weeks.pop();
        }
        weeks
    }

    /// A column of `of` on the bars of the moment.
    fn column(&self, of: usize, name: &str, at: Moment) -> f64 {
        let own = &self.market.tapes[at.tape].bars.time;
        let time = own[at.seen_from];
        let on = |bar: usize| {
            let theirs = &self.market.tapes[of].bars.time;
            let bar = theirs.binary_search(&own[bar]);
            bar.map_or(f64::NAN, |bar| self.daily(of, name, bar, time))
        };
        if !at.weekly {
            return on(at.bar);
        }
        let days = &self.weeks(at.tape, at.seen_from)[at.bar];
        let all: Vec<f64> = days.iter().map(|bar| on(*bar)).collect();
        let present = || all.iter().copied().filter(|x| !x.is_nan());
        let gathered = match name {
            "open" => present().next(),
            "high" => present().reduce(f64::max),
            "low" => present().reduce(f64::min),
            "close" | "raw_close" => present().next_back(),
            "volume" | "raw_volume" => present().reduce(|a, b| a + b),
            _ => all.last().copied(),
        };
        gathered.unwrap_or(f64::NAN)
    }

    fn before(at: Moment, n: usize) -> Option<Moment> {
        let bar = at.bar.checked_sub(n)?;
        Some(Moment { bar, ..at })
    }

    fn time(&self, at: Moment) -> Micros {
        let time = &self.market.tapes[at.tape].bars.time;
        match at.weekly {
            true => time[self.weeks(at.tape, at.seen_from)[at.bar][0]],
            false => time[at.bar],
        }
    }

    fn word(&self, name: &str, at: Moment) -> f64 {
        use chrono::Datelike;
        let date = date_of(self.time(at));
        let last = date.succ_opt().unwrap().day() == 1;
        let days_left = |n: i64| (date + chrono::TimeDelta::days(n)).month() != date.month();
        let new_month = || match Self::before(at, 1) {
            Some(before) => date_of(self.time(before)).month() != date.month(),
            None => date.day() == 1,
        };
        match name {
            "weekday" => f64::from(date.weekday().number_from_monday()),
            "day" => f64::from(date.day()),
            "month" => f64::from(date.month()),
            "is_month_start" => f64::from(u8::from(new_month())),
            // By the rule on its own day (a week: when it reaches into the next month), else on
            // the first bar after.
            "is_month_end" => {
                let ends = if at.weekly { days_left(7) } else { last };
                let missed = Self::before(at, 1).is_some_and(|before| {
                    let before = date_of(self.time(before));
                    let reach = chrono::TimeDelta::days(if at.weekly { 7 } else { 1 });
                    before.month() != date.month() && (before + reach).month() == before.month()
                });
                f64::from(u8::from(ends || missed))
            }
            name => self.column(at.tape, name, at),
        }
    }

    fn both(a: f64, b: f64, value: f64) -> f64 {
        if a.is_nan() || b.is_nan() || !value.is_finite() {
            f64::NAN
        } else {
            value
        }
    }

    fn compared(sign: &str, a: f64, b: f64) -> f64 {
        let holds = match sign {
            "<" => a < b,
            "<=" => a <= b,
            ">" => a > b,
            ">=" => a >= b,
            "==" => a == b,
            _ => a != b,
        };
        Self::both(a, b, f64::from(u8::from(holds)))
    }

    /// Conditions as 1, 0 and NaN: `and` is no when one is, else absent when one is.
    fn and(a: f64, b: f64) -> f64 {
        if a == 0.0 || b == 0.0 {
            0.0
        } else {
            a + b - 1.0
        }
    }

    fn at(&self, tree: &Tree, at: Option<Moment>) -> f64 {
        let Some(at) = at else {
            return f64::NAN;
        };
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            return f64::NAN;
        }
        let ask = |tree: &Tree| self.at(tree, Some(at));
        match tree {
            Tree::Number(value) => *value,
            Tree::Column(name) => self.word(name, at),
            Tree::Foreign(symbol, name) => {
                self.column(self.market.index_of(symbol).unwrap(), name, at)
            }
            Tree::Negate(a) => -ask(a),
            Tree::Unary(name, a) => {
                let a = ask(a);
                let value = match *name {
                    "abs" => a.abs(),
                    "log" => libm::log(a),
                    "exp" => libm::exp(a),
                    _ => a.sqrt(),
                };
                Self::both(a, a, value)
            }
            Tree::Arithmetic(sign, a, b) => {
                let (a, b) = (ask(a), ask(b));
                let value = match sign {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    _ => a / b,
                };
                Self::both(a, b, value)
            }
            Tree::Extreme(name, a, b) => {
                let (a, b) = (ask(a), ask(b));
                Self::both(a, b, if *name == "min" { a.min(b) } else { a.max(b) })
            }
            Tree::Compare(sign, a, b) => Self::compared(sign, ask(a), ask(b)),
            Tree::Not(a) => 1.0 - ask(a),
            Tree::And(a, b) => Self::and(ask(a), ask(b)),
            Tree::Or(a, b) => 1.0 - Self::and(1.0 - ask(a), 1.0 - ask(b)),
            Tree::If(c, a, b) => match ask(c) {
                1.0 => ask(a),
                0.0 => ask(b),
                _ => f64::NAN,
            },
            Tree::Lag(a, n) => self.at(a, Self::before(at, *n)),
            Tree::Crosses(name, a, b) => {
                let (then, now) = match *name {
                    "crosses_above" => ("<=", ">"),
                    _ => (">=", "<"),
                };
                let before = Self::before(at, 1);
                let then = Self::compared(then, self.at(a, before), self.at(b, before));
                Self::and(then, Self::compared(now, ask(a), ask(b)))
            }
            Tree::Runs(name, a, n) => {
                let sign = if *name == "rising" { ">" } else { "<" };
                let step = |back: usize| {
                    let (now, then) = (Self::before(at, back), Self::before(at, back + 1));
                    Self::compared(sign, self.at(a, now), self.at(a, then))
                };
                (0..*n).map(step).fold(1.0, Self::and)
            }
            Tree::Count(c, n) => (0..*n).map(|back| self.at(c, Self::before(at, back))).sum(),
            Tree::BarsSince(c) => {
                let since = (0..=at.bar).find(|n| self.at(c, Self::before(at, *n)) == 1.0);
                since.map_or(f64::NAN, |n| n as f64)
            }
            Tree::OfSeries(name, x, n) => self.indicator(name, Some(x), *n, at),
            Tree::OfBars(name, n) => self.indicator(name, None, *n, at),
            Tree::Coarse(a) => {
                let weeks = self.weeks(at.tape, at.bar);
                let last = weeks.len().checked_sub(1);
                let week = |bar| Moment {
                    bar,
                    weekly: true,
                    ..at
                };
                self.at(a, last.map(week))
            }
            Tree::Rank(name, a) => self.placed(name, a, at),
        }
    }

    /// An indicator on the history up to the bar.
    fn indicator(&self, name: &str, x: Option<&Tree>, n: usize, at: Moment) -> f64 {
        let history = |ask: &dyn Fn(Moment) -> f64| -> Column {
            let bars = (0..=at.bar).map(|bar| Moment { bar, ..at });
            std::sync::Arc::new(bars.map(ask).collect())
        };
        let [open, high, low, close, volume] = ["open", "high", "low", "close", "volume"]
            .map(|column| history(&|at| self.column(at.tape, column, at)));
        let x = x.map_or_else(|| close.clone(), |x| history(&|at| self.at(x, Some(at))));
        let inputs = Inputs {
            x: &x,
            open: &open,
            high: &high,
            low: &low,
            close: &close,
            volume: &volume,
            periods_a_year: 252.0,
        };
        let column = indicators::find(name).unwrap().run(&inputs, &[n as f64]);
        column[at.bar]
    }

    /// A rank: every symbol's number at the moment, in its own money of that moment.
    fn placed(&self, name: &str, a: &Tree, at: Moment) -> f64 {
        let moment = self.market.tapes[at.tape].bars.time[at.bar];
        let mut all = Vec::new();
        let mut own = f64::NAN;
        for (tape, other) in self.market.tapes.iter().enumerate() {
            let Ok(bar) = other.bars.time.binary_search(&moment) else {
                continue;
            };
            let here = Moment {
                tape,
                seen_from: bar,
                bar,
                weekly: false,
            };
            let value = self.at(a, Some(here));
            if tape == at.tape {
                own = value;
            }
            if !value.is_nan() {
                all.push(value);
            }
        }
        if own.is_nan() {
            return own;
        }
        let n = all.len() as f64;
        if name == "rank" {
            let better = all.iter().filter(|x| **x > own).count() as f64;
            let equal = all.iter().filter(|x| **x == own).count() as f64;
            return better + (equal + 1.0) / 2.0;
        }
        let mean = all.iter().sum::<f64>() / n;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
        Self::both(own, own, (own - mean) / variance.sqrt())
    }
}

#[test]
fn columns_equal_a_recursion_bar_by_bar() {
    let mut compared = 0;
    for seed in 0..1_500 {
        let mut draw = Draw::new(seed);
        let market = random_market(&mut draw, 24);
        let mut grammar = Grammar::new(seed ^ 0xABCD);
        let tree = match seed % 2 {
            0 => grammar.number(Unit::Any, 3),
            _ => grammar.condition(Unit::Any, 3),
        };
        let columns = evaluated(&market, &tree.to_string());
        let naive = Naive {
            market: &market,
            left: Cell::new(300_000),
        };
        for (tape, column) in columns.iter().enumerate() {
            for (bar, value) in column.iter().enumerate() {
                let at = Moment {
                    tape,
                    seen_from: bar,
                    bar,
                    weekly: false,
                };
                let wanted = naive.at(&tree, Some(at));
                if naive.left.get() == 0 {
                    break;
                }
                compared += 1;
                assert!(
                    same(*value, wanted),
                    "seed {seed}, tape {tape}, bar {bar}: {value} but bar by bar {wanted}\n{tree}"
                );
            }
        }
    }
    assert!(compared > 50_000, "only {compared} values were compared");
}

/// The market as it was known at a moment.
fn cut(market: &Market, until: Micros) -> Market {
    let kept = |bars: &Bars| bars.slice(0..bars.time.partition_point(|t| *t <= until));
    let tapes = market.tapes.iter();
    let tapes = tapes.map(|tape| (tape.symbol.clone(), kept(&tape.bars)));
    let actions = market.actions.iter().filter(|a| a.time <= until);
    market_of(tapes.filter(|(_, bars)| !bars.is_empty()).collect())
        .with_actions(actions.cloned().collect())
}

#[test]
fn cutting_the_future_off_changes_no_value() {
    for seed in 0..400 {
        let mut draw = Draw::new(seed ^ 0x5555);
        let market = random_market(&mut draw, 60);
        let mut grammar = Grammar::new(seed ^ 0x1357);
        let tree = match seed % 2 {
            0 => grammar.number(Unit::Any, 4),
            _ => grammar.condition(Unit::Any, 4),
        };
        let text = tree.to_string();
        let whole = evaluated(&market, &text);
        for _ in 0..4 {
            let until = market.clock[30 + draw.below(market.clock.len() - 30)];
            let past = cut(&market, until);
            assert_eq!(past.tapes.len(), 3);
            for (whole, past) in whole.iter().zip(evaluated(&past, &text)) {
                for (bar, value) in past.iter().enumerate() {
                    assert!(same(*value, whole[bar]), "seed {seed}, bar {bar}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_split_changes_nothing_but_the_money_of_a_share() {
    for seed in 0..600 {
        let mut draw = Draw::new(seed ^ 0x7777);
        let bars = tape(&mut draw, 60);
        let day = 10 + draw.below(40);
        let at = bars
            .time
            .partition_point(|t| *t < (4 + day as i64) * DAY_MICROS);
        let halved = |column: &Column, by: f64| -> Column {
            let scaled = column.iter().enumerate();
            std::sync::Arc::new(
                scaled
                    .map(|(i, x)| if i < at { *x } else { x * by })
                    .collect(),
            )
        };
        let split = Bars {
            open: halved(&bars.open, 0.5),
            high: halved(&bars.high, 0.5),
            low: halved(&bars.low, 0.5),
            close: halved(&bars.close, 0.5),
            volume: bars.volume.as_ref().map(|v| halved(v, 2.0)),
            ..bars.clone()
        };
        let plain = market_of(vec![("A".into(), bars)]);
        let split = market_of(vec![("A".into(), split)]);
        let split = split.with_actions(vec![action("A", ActionKind::Split, day, 2.0)]);
        let mut grammar = Grammar::new(seed ^ 0x2468);
        grammar.cross = false;
        let (tree, by) = match seed % 3 {
            0 => (grammar.number(Unit::Price, 4), 0.5),
            1 => (grammar.number(Unit::Pure, 4), 1.0),
            _ => (grammar.condition(Unit::Pure, 4), 1.0),
        };
        let text = tree.to_string();
        let (plain, split) = (evaluated(&plain, &text), evaluated(&split, &text));
        for (bar, (a, b)) in plain[0].iter().zip(&split[0]).enumerate() {
            let wanted = if bar < at { *a } else { a * by };
            assert!(
                same(wanted, *b),
                "seed {seed}, bar {bar} of split at {at}: {a} {b}\n{text}"
            );
        }
    }
}
