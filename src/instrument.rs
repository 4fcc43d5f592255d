//! What is traded: a symbol's name, option contracts, and the symbols that name a contract.
//!
//! What a contract is worth is in `pricing/`, when it expires in `market/calendar`, what it was
//! quoted at in `market/chain`.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use std::fmt;

/// A symbol as the data names it, for example `AAPL`.
pub type Symbol = String;

/// The right that an option gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// To buy at the strike.
    Call,
    /// To sell at the strike.
    Put,
}

impl Right {
    /// `call` or `put`.
    pub fn name(self) -> &'static str {
        match self {
            Right::Call => "call",
            Right::Put => "put",
        }
    }

    /// Reads `call`, `put`, `c`, `p` in any case.
    ///
    /// ```
    /// use papertape::instrument::Right;
    /// assert_eq!(Right::parse("C"), Some(Right::Call));
    /// assert_eq!(Right::parse("straddle"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Right> {
        let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(["c", "call", "calls", "ce"]) {
            Some(Right::Call)
        } else if is(["p", "put", "puts", "pe"]) {
            Some(Right::Put)
        } else {
            None
        }
    }

    /// 1 for a call, -1 for a put: the sign of its delta.
    pub fn sign(self) -> f64 {
        match self {
            Right::Call => 1.0,
            Right::Put => -1.0,
        }
    }

    /// What exercise gives at a price of the underlying, never below 0.
    pub fn intrinsic(self, spot: f64, strike: f64) -> f64 {
        (self.sign() * (spot - strike)).max(0.0)
    }
}

/// When an option may be exercised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Style {
    /// Only at expiry: index options.
    European,
    /// On any day: options on stocks and ETFs.
    American,
}

impl Style {
    /// `european` or `american`.
    pub fn name(self) -> &'static str {
        match self {
            Style::European => "european",
            Style::American => "american",
        }
    }

    /// Reads `european`, `american`, `e`, `a` in any case.
    pub fn parse(text: &str) -> Option<Style> {
        let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(["european", "e"]) {
            Some(Style::European)
        } else if is(["american", "a"]) {
            Some(Style::American)
        } else {
            None
        }
    }
}

/// What changes hands on exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Settlement {
    /// Shares at the strike.
    Physical,
    /// The difference in cash.
    Cash,
}

/// Which price of the expiration day settles a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SettlementTime {
    /// The opening prices; the last trade is on the session before.
    Am,
    /// The close.
    Pm,
}

/// A price in thousandths, the grid of option strikes (5.25 is 5250).
pub type Milli = u32;

/// A strike in thousandths; `None` when it is no price of that grid up to 4,294,967.295.
pub fn strike_milli(strike: f64) -> Option<Milli> {
    let milli = (strike * 1000.0).round();
    let is_on_grid = (strike * 1000.0 - milli).abs() < 1e-3;
    (milli > 0.0 && milli <= f64::from(Milli::MAX) && is_on_grid).then_some(milli as Milli)
}

/// What a root's contracts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convention {
    /// When it may be exercised.
    pub style: Style,
    /// What changes hands.
    pub settlement: Settlement,
    /// Which price settles it.
    pub time: SettlementTime,
}

/// Roots of cash-settled European options on indices, with what settles them.
/// Source: Cboe's product specifications.
const INDEX_ROOTS: &[(&str, SettlementTime)] = &[
    ("SPX", SettlementTime::Am),
    ("SPXW", SettlementTime::Pm),
    ("SPXPM", SettlementTime::Pm),
    ("XSP", SettlementTime::Pm),
    ("XSPW", SettlementTime::Pm),
    ("NDX", SettlementTime::Am),
    ("NDXP", SettlementTime::Pm),
    ("XND", SettlementTime::Pm),
    ("RUT", SettlementTime::Am),
    ("RUTW", SettlementTime::Pm),
    ("MRUT", SettlementTime::Pm),
    ("DJX", SettlementTime::Am),
    ("VIX", SettlementTime::Am),
    ("VIXW", SettlementTime::Am),
];

impl Convention {
    /// Options on stocks and ETFs.
    pub const EQUITY: Convention = Convention {
        style: Style::American,
        settlement: Settlement::Physical,
        time: SettlementTime::Pm,
    };

    /// The convention of a root: European, in cash, by the open or the close for the index roots
    /// that are known (SPX settles by the opening prices, SPXW by the close), else
    /// [`Convention::EQUITY`]. A leading `^` or `$` is no part of a root.
    ///
    /// ```
    /// use papertape::instrument::{Convention, SettlementTime, Style};
    /// assert_eq!(Convention::of_root("SPX").time, SettlementTime::Am);
    /// assert_eq!(Convention::of_root("SPXW").time, SettlementTime::Pm);
    /// assert_eq!(Convention::of_root("IBM").style, Style::American);
    /// ```
    pub fn of_root(root: &str) -> Convention {
        let root = root.trim_start_matches(['^', '$']);
        let known = INDEX_ROOTS.iter().find(|(name, _)| *name == root);
        known.map_or(Convention::EQUITY, |(_, time)| Convention {
            style: Style::European,
            settlement: Settlement::Cash,
            time: *time,
        })
    }
}

/// The day on which a contract of that expiration date last lives: files before February 2015 date
/// it on the Saturday after (2014-01-18), and it is the Friday before.
pub fn expiration_day(written: NaiveDate) -> NaiveDate {
    match written.weekday() {
        Weekday::Sat => written.checked_sub_days(Days::new(1)).unwrap_or(written),
        _ => written,
    }
}

/// One contract, told from all others by the whole of it and not by a ticker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionContract {
    /// The underlying, as the data names it.
    pub underlying: Symbol,
    /// The root of its symbol: the underlying's, or `SPXW`, or `AAPL7` after an odd split.
    pub root: Symbol,
    /// The last day of its life; never a Saturday ([`expiration_day`]).
    pub expiration: NaiveDate,
    /// Call or put.
    pub right: Right,
    /// The strike in thousandths.
    pub strike: Milli,
    /// Style, settlement, and which price settles it.
    pub convention: Convention,
    /// Shares, or units of the index, that one contract is for.
    pub multiplier: u32,
}

impl OptionContract {
    /// The strike as a price.
    pub fn strike_price(&self) -> f64 {
        f64::from(self.strike) / 1000.0
    }

    /// Its symbol in the style of the Options Clearing Corporation.
    pub fn symbol(&self) -> OccSymbol {
        OccSymbol {
            root: self.root.clone(),
            expiration: self.expiration,
            right: self.right,
            strike: self.strike,
        }
    }
}

/// How a contract's symbol is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolStyle {
    /// 21 characters, the root padded with blanks to six: `F     080625P00112500`.
    Padded,
    /// The same without blanks: `F080625P00112500`.
    Compact,
    /// With the prefix of Polygon: `O:F080625P00112500`.
    Polygon,
    /// `F_062508P112.5`: month first, the strike as a decimal number.
    Tdameritrade,
}

impl SymbolStyle {
    /// All of them.
    pub const ALL: [SymbolStyle; 4] = [
        SymbolStyle::Padded,
        SymbolStyle::Compact,
        SymbolStyle::Polygon,
        SymbolStyle::Tdameritrade,
    ];

    /// `osi_padded`, `osi_compact`, `polygon`, `tdameritrade`.
    pub fn name(self) -> &'static str {
        match self {
            SymbolStyle::Padded => "osi_padded",
            SymbolStyle::Compact => "osi_compact",
            SymbolStyle::Polygon => "polygon",
            SymbolStyle::Tdameritrade => "tdameritrade",
        }
    }
}

/// The symbol of a contract: root, expiration, right and strike.
///
/// Source: the Options Symbology Initiative of the Options Clearing Corporation (2010).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OccSymbol {
    /// One to six letters and digits; a digit at the end marks an adjusted contract.
    pub root: Symbol,
    /// The date as written, which may be a Saturday.
    pub expiration: NaiveDate,
    /// Call or put.
    pub right: Right,
    /// The strike in thousandths.
    pub strike: Milli,
}

/// Letters and digits of the longest root.
const ROOT_MAX: usize = 6;

impl OccSymbol {
    /// Reads a symbol in any of the four styles; two-digit years are of this century.
    ///
    /// ```
    /// use papertape::instrument::{OccSymbol, Right, SymbolStyle};
    /// let (symbol, style) = OccSymbol::parse("SPY   221018C00004500").unwrap();
    /// assert_eq!(style, SymbolStyle::Padded);
    /// assert_eq!((symbol.root.as_str(), symbol.right, symbol.strike), ("SPY", Right::Call, 4500));
    /// assert_eq!(symbol.write(SymbolStyle::Polygon), "O:SPY221018C00004500");
    /// assert_eq!(symbol.write(SymbolStyle::Tdameritrade), "SPY_101822C4.5");
    /// assert_eq!(OccSymbol::parse("SPY221318C00004500"), None); // no such month
    /// ```
    pub fn parse(text: &str) -> Option<(OccSymbol, SymbolStyle)> {
        let text = text.trim();
        if !text.is_ascii() {
            return None;
        }
        if let Some((root, rest)) = text.split_once('_') {
            return Some((parse_decimal(root, rest)?, SymbolStyle::Tdameritrade));
        }
        let (body, prefixed) = match text.strip_prefix("O:") {
            Some(body) => (body, true),
            None => (text, false),
        };
        // Date, right and strike are the last 15 characters.
        let at = body.len().checked_sub(15)?;
        let (root, rest) = body.split_at(at);
        let symbol = parse_osi(root.trim_end(), rest)?;
        let style = match at {
            _ if prefixed => SymbolStyle::Polygon,
            ROOT_MAX => SymbolStyle::Padded,
            _ => SymbolStyle::Compact,
        };
        Some((symbol, style))
    }

    /// Writes the symbol. Strikes of 100,000 and above do not fit the eight digits of the first
    /// three styles and get more.
    pub fn write(&self, style: SymbolStyle) -> String {
        let osi = format!(
            "{}{}{:08}",
            self.expiration.format("%y%m%d"),
            self.letter(),
            self.strike
        );
        match style {
            SymbolStyle::Padded => format!("{:<6}{osi}", self.root),
            SymbolStyle::Compact => format!("{}{osi}", self.root),
            SymbolStyle::Polygon => format!("O:{}{osi}", self.root),
            SymbolStyle::Tdameritrade => format!(
                "{}_{}{}{}",
                self.root,
                self.expiration.format("%m%d%y"),
                self.letter(),
                f64::from(self.strike) / 1000.0
            ),
        }
    }

    fn letter(&self) -> char {
        match self.right {
            Right::Call => 'C',
            Right::Put => 'P',
        }
    }

    /// The strike as a price.
    pub fn strike_price(&self) -> f64 {
        f64::from(self.strike) / 1000.0
    }
}

/// As [`SymbolStyle::Padded`].
impl fmt::Display for OccSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write(SymbolStyle::Padded))
    }
}

fn checked_root(root: &str) -> Option<Symbol> {
    let is_root = !root.is_empty()
        && root.len() <= ROOT_MAX
        && root.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    is_root.then(|| root.to_owned())
}

/// Digits only: no sign, no blank.
fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// `yymmddC00112500`, which is ASCII.
fn parse_osi(root: &str, rest: &str) -> Option<OccSymbol> {
    let root = checked_root(root)?;
    let (date, rest) = rest.split_at_checked(6)?;
    let (right, strike) = rest.split_at_checked(1)?;
    let part = |range: std::ops::Range<usize>| digits(date.get(range)?);
    Some(OccSymbol {
        root,
        expiration: NaiveDate::from_ymd_opt(2000 + part(0..2)? as i32, part(2..4)?, part(4..6)?)?,
        right: Right::parse(right)?,
        strike: digits(strike).filter(|strike| *strike > 0)?,
    })
}

/// `mmddyyC112.5`, which is ASCII.
fn parse_decimal(root: &str, rest: &str) -> Option<OccSymbol> {
    let root = checked_root(root)?;
    let (date, rest) = rest.split_at_checked(6)?;
    let (right, strike) = rest.split_at_checked(1)?;
    let part = |range: std::ops::Range<usize>| digits(date.get(range)?);
    let (whole, decimals) = strike.split_once('.').unwrap_or((strike, ""));
    let decimals = match decimals.len() {
        0 => 0,
        n @ 1..=3 => digits(decimals)? * 10_u32.pow(3 - n as u32),
        _ => return None,
    };
    let strike = digits(whole)?.checked_mul(1000)?.checked_add(decimals)?;
    Some(OccSymbol {
        root,
        expiration: NaiveDate::from_ymd_opt(2000 + part(4..6)? as i32, part(0..2)?, part(2..4)?)?,
        right: Right::parse(right)?,
        strike: (strike > 0).then_some(strike)?,
    })
}
