//! Option quotes: chains of vendors in one columnar store, sorted, with an index by moment.
//!
//! A chain is all quotes of a moment. [`Chains`] holds many, each column once, and [`Quotes`] is a
//! view of some rows that lie together: a moment, an underlying, or a series (one expiration, root and
//! right, strikes ascending), in which strikes are found. What a quote should have been is in
//! `audit/chain`, what an option is worth in `pricing`, which one is sold in `strategy`.

mod coverage;
mod layout;
mod lean;
mod read;

pub use coverage::ChainCoverage;
pub use layout::is_chain;
pub(crate) use read::{Field, RawQuotes, read_raw};

use crate::error::{Error, Problem, Result};
use crate::instrument::{Convention, Milli, OptionContract, Right, Symbol, strike_milli};
use crate::market::calendar::{Calendar, date_of, midnight};
use crate::units::{DAY_MICROS, Micros};
use chrono::NaiveDate;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How chains are read.
#[derive(Debug, Clone, Default)]
pub struct ChainOptions {
    /// Underlying of files that name none (OptionsDX); their stem when `None`.
    pub underlying: Option<Symbol>,
    /// Underlyings wanted, all when empty.
    pub symbols: Vec<Symbol>,
}

/// Problems of a file that an error names.
const PROBLEMS_SHOWN: usize = 20;

/// Option quotes of many moments, sorted by moment, underlying, expiration, root, right (calls first)
/// and strike. All columns have one element a quote; a column that no file had is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chains {
    /// Names of underlyings and roots, sorted; the codes of the columns point here.
    names: Vec<Symbol>,
    /// Sorted, unique moments.
    moments: Vec<Micros>,
    /// Where the quotes of each moment begin, and at the end the number of quotes.
    starts: Vec<usize>,
    underlying: Vec<u16>,
    root: Vec<u16>,
    /// Days since 1970-01-01.
    expiration: Vec<i32>,
    right: Vec<Right>,
    strike: Vec<Milli>,
    /// NaN where a file has no value.
    numbers: [Vec<f64>; FIELDS],
    /// The files, each with the layout that was recognised.
    files: Vec<(String, &'static str)>,
    /// What the reader did that the user may want to know.
    notes: Vec<String>,
}

/// Columns of numbers that the store keeps: those of [`Field`] but the opening price.
const FIELDS: usize = 8;

/// One quote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quote<'a> {
    /// When it was made; midnight for the quotes of a day's end.
    pub moment: Micros,
    /// The underlying.
    pub underlying: &'a str,
    /// The root of the contract's symbol.
    pub root: &'a str,
    /// Last day of the contract, never a Saturday.
    pub expiration: NaiveDate,
    /// Call or put.
    pub right: Right,
    /// Strike in thousandths.
    pub strike: Milli,
    /// Best bid; 0 when nobody bids.
    pub bid: Option<f64>,
    /// Best ask; 0 when nobody offers.
    pub ask: Option<f64>,
    /// Price of the last trade.
    pub last: Option<f64>,
    /// Contracts traded.
    pub volume: Option<f64>,
    /// Contracts open.
    pub open_interest: Option<f64>,
    /// Implied volatility of the vendor, a fraction a year.
    pub implied_volatility: Option<f64>,
    /// Delta of the vendor, negative for puts.
    pub delta: Option<f64>,
    /// Price of the underlying at the same moment.
    pub underlying_price: Option<f64>,
}

impl Quote<'_> {
    /// The strike as a price.
    pub fn strike_price(&self) -> f64 {
        f64::from(self.strike) / 1000.0
    }

    /// The middle of bid and ask; `None` unless both are there, the ask is above 0 and not below
    /// the bid.
    pub fn mid(&self) -> Option<f64> {
        let (bid, ask) = (self.bid?, self.ask?);
        (ask > 0.0 && ask >= bid).then_some(0.5 * (bid + ask))
    }

    /// Calendar days to expiration; negative after it.
    pub fn days_to_expiry(&self) -> i64 {
        (self.expiration - date_of(self.moment)).num_days()
    }

    /// The contract, with the convention of its root and a multiplier of 100.
    pub fn contract(&self) -> OptionContract {
        OptionContract {
            underlying: self.underlying.to_owned(),
            root: self.root.to_owned(),
            expiration: self.expiration,
            right: self.right,
            strike: self.strike,
            convention: Convention::of_root(self.root),
            multiplier: 100,
        }
    }
}

impl Chains {
    /// Reads a file of quotes, or all such files of a folder, in the layouts of the usual vendors:
    /// OptionsDX, ORATS, Cboe DataShop, HistoricalOptionData, Polygon, ThetaData, optopsy, Lean's zip
    /// files, and the native one; text (also `.gz`) or Parquet.
    ///
    /// # Errors
    /// No such file, no chain in it, or rows without a date, an expiration, a strike or a right, all
    /// with their lines (at most twenty).
    ///
    /// ```
    /// use papertape::instrument::Right;
    /// use papertape::market::chain::{ChainOptions, Chains};
    /// let text = b"underlying,quote_date,expiration,strike,type,bid,ask\n\
    ///     XYZ,2021-03-15,2021-03-19,100,call,1.7,1.8\n\
    ///     XYZ,2021-03-15,2021-03-19,105,call,0.06,0.1\n";
    /// let chains = Chains::from_bytes("xyz.csv", text, &ChainOptions::default())?;
    /// let quotes = chains.at(chains.moments()[0]).unwrap();
    /// let expiration = quotes.expirations()[0];
    /// let calls = quotes.series(expiration, Right::Call, None).unwrap();
    /// assert_eq!(calls.at_or_above(101.0).unwrap().mid(), Some(0.08));
    /// # Ok::<(), papertape::Error>(())
    /// ```
    pub fn read(source: &Path, options: &ChainOptions) -> Result<Chains> {
        let source = crate::market::load::existing(source)?;
        let files = if source.is_dir() {
            chain_files(&source)
        } else {
            vec![source.clone()]
        };
        if files.is_empty() {
            return Err(Problem::new("no option chain in this folder")
                .in_file(source.display().to_string())
                .help("`papertape data check` says what its files are")
                .into());
        }
        let mut raw: Option<RawQuotes> = None;
        let mut found = Vec::new();
        for path in &files {
            let file = read_raw(path, options.underlying.as_deref())?;
            check(&file, &path.display().to_string())?;
            found.push((path.display().to_string(), file.layout));
            match &mut raw {
                None => raw = Some(file),
                Some(all) => all.append(file),
            }
        }
        Ok(Chains::build(raw.unwrap_or_default(), found, options))
    }

    /// Reads a chain from bytes that stand for a file of this name, as [`Chains::read`] does; not
    /// Parquet.
    ///
    /// # Errors
    /// As [`Chains::read`].
    pub fn from_bytes(name: &str, bytes: &[u8], options: &ChainOptions) -> Result<Chains> {
        let raw = read::read_bytes(name, bytes, options.underlying.as_deref())?;
        check(&raw, name)?;
        let found = vec![(name.to_owned(), raw.layout)];
        Ok(Chains::build(raw, found, options))
    }

    /// Sorts the rows and cuts them into columns; one row of each contract and moment stays, the
    /// last of the file.
    fn build(
        mut raw: RawQuotes,
        files: Vec<(String, &'static str)>,
        options: &ChainOptions,
    ) -> Chains {
        raw.sort_names();
        let mut order: Vec<u32> = (0..raw.len() as u32).collect();
        if !options.symbols.is_empty() {
            order.retain(|&i| {
                let name = &raw.names[usize::from(raw.underlying[i as usize])];
                options.symbols.contains(name)
            });
        }
        let key = |i: u32| raw.key(i as usize);
        if !order.is_sorted_by_key(|&i| key(i)) {
            order.sort_by_key(|&i| key(i));
        }
        let before = order.len();
        // Of equal keys the later row of the file stands later, and stays.
        let is_last: Vec<bool> = (0..order.len())
            .map(|at| {
                order
                    .get(at + 1)
                    .is_none_or(|&next| key(next) != key(order[at]))
            })
            .collect();
        let mut kept = is_last.iter();
        order.retain(|_| kept.next().copied().unwrap_or(true));
        let mut notes = Vec::new();
        if order.len() < before {
            notes.push(format!(
                "{} quotes of contracts that have a later one at the same moment were left out",
                before - order.len()
            ));
        }
        let mut chains = Chains {
            names: std::mem::take(&mut raw.names),
            files,
            notes,
            ..Chains::default()
        };
        for (at, &i) in order.iter().enumerate() {
            let moment = raw.time[i as usize];
            if chains.moments.last() != Some(&moment) {
                chains.moments.push(moment);
                chains.starts.push(at);
            }
        }
        chains.starts.push(order.len());
        // One column after the other, so that no more than one is there twice.
        chains.underlying = picked(&order, std::mem::take(&mut raw.underlying));
        chains.root = picked(&order, std::mem::take(&mut raw.root));
        chains.expiration = picked(&order, std::mem::take(&mut raw.expiration));
        chains.right = picked(&order, std::mem::take(&mut raw.right));
        let strikes = picked(&order, std::mem::take(&mut raw.strike));
        chains.strike = strikes.iter().filter_map(|k| strike_milli(*k)).collect();
        for (into, from) in chains.numbers.iter_mut().zip(&mut raw.numbers) {
            *into = picked(&order, std::mem::take(from));
        }
        chains
    }

    /// Number of quotes.
    pub fn len(&self) -> usize {
        self.strike.len()
    }

    /// Whether there is no quote.
    pub fn is_empty(&self) -> bool {
        self.strike.is_empty()
    }

    /// The moments that have quotes, ascending; midnights for quotes of the day's end.
    pub fn moments(&self) -> &[Micros] {
        &self.moments
    }

    /// The files that were read, each with its layout.
    pub fn files(&self) -> &[(String, &'static str)] {
        &self.files
    }

    /// What the reader left out.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The underlyings, sorted.
    pub fn underlyings(&self) -> Vec<&str> {
        let mut codes = self.underlying.clone();
        codes.sort_unstable();
        codes.dedup();
        codes.iter().map(|&code| self.name(code)).collect()
    }

    /// Bytes that the columns take.
    pub fn bytes(&self) -> usize {
        let row = size_of::<u16>() * 2 + size_of::<i32>() + size_of::<Right>() + size_of::<Milli>();
        let numbers: usize = self.numbers.iter().map(Vec::len).sum();
        self.len() * row + numbers * size_of::<f64>()
    }

    /// All quotes.
    pub fn all(&self) -> Quotes<'_> {
        Quotes {
            chains: self,
            rows: 0..self.len(),
        }
    }

    /// The chain of a moment; `None` when nothing was quoted then.
    pub fn at(&self, moment: Micros) -> Option<Quotes<'_>> {
        let at = self.moments.binary_search(&moment).ok()?;
        Some(self.of_moment(at))
    }

    /// The last chain of a date; `None` when nothing was quoted on it.
    pub fn on(&self, date: NaiveDate) -> Option<Quotes<'_>> {
        let end = midnight(date) + DAY_MICROS;
        let at = self.moments.partition_point(|m| *m < end).checked_sub(1)?;
        (date_of(self.moments[at]) == date).then(|| self.of_moment(at))
    }

    /// The last chain at or before a moment; `None` before the first.
    pub fn up_to(&self, moment: Micros) -> Option<Quotes<'_>> {
        let at = self.moments.partition_point(|m| *m <= moment);
        Some(self.of_moment(at.checked_sub(1)?))
    }

    fn of_moment(&self, at: usize) -> Quotes<'_> {
        Quotes {
            chains: self,
            rows: self.starts[at]..self.starts[at + 1],
        }
    }

    fn name(&self, code: u16) -> &str {
        &self.names[usize::from(code)]
    }

    fn moment_of(&self, row: usize) -> Micros {
        let at = self.starts.partition_point(|start| *start <= row);
        self.moments[at - 1]
    }

    fn quote(&self, row: usize) -> Quote<'_> {
        let number = |field: Field| {
            let value = self.numbers[field as usize].get(row).copied();
            value.filter(|v| !v.is_nan())
        };
        Quote {
            moment: self.moment_of(row),
            underlying: self.name(self.underlying[row]),
            root: self.name(self.root[row]),
            expiration: day(self.expiration[row]),
            right: self.right[row],
            strike: self.strike[row],
            bid: number(Field::Bid),
            ask: number(Field::Ask),
            last: number(Field::Last),
            volume: number(Field::Volume),
            open_interest: number(Field::OpenInterest),
            implied_volatility: number(Field::Volatility),
            delta: number(Field::Delta),
            underlying_price: number(Field::UnderlyingPrice),
        }
    }
}

fn day(days: i32) -> NaiveDate {
    date_of(Micros::from(days) * DAY_MICROS)
}

fn days(date: NaiveDate) -> i32 {
    (midnight(date) / DAY_MICROS) as i32
}

fn picked<T: Copy>(order: &[u32], column: Vec<T>) -> Vec<T> {
    let is_whole =
        order.len() == column.len() && order.iter().enumerate().all(|(i, &o)| i == o as usize);
    if is_whole || column.is_empty() {
        return column;
    }
    order.iter().map(|&i| column[i as usize]).collect()
}

/// Rows that are no quotes make an error.
fn check(raw: &RawQuotes, file: &str) -> Result<()> {
    if raw.bad.is_empty() {
        return Ok(());
    }
    let shown = raw.bad.iter().take(PROBLEMS_SHOWN);
    let mut problems: Vec<Problem> = shown
        .map(|(line, what)| Problem::new(*what).in_file(file).at_line(*line))
        .collect();
    let more = raw.bad.len().saturating_sub(PROBLEMS_SHOWN);
    if more > 0 {
        problems.push(Problem::new(format!("and {more} rows more")).in_file(file));
    }
    Err(Error::all(problems))
}

/// Whether a source is chains and nothing else: a file that is one, or a folder whose data files all are.
pub fn holds_chains(source: &Path) -> bool {
    if !source.is_dir() {
        return is_chain(source);
    }
    const ENDINGS: [&str; 8] = [
        ".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq", ".zip", ".dat",
    ];
    let entries = std::fs::read_dir(source).into_iter().flatten().flatten();
    let is_data = |entry: &std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        !name.starts_with('.') && name != "actions.csv" && ENDINGS.iter().any(|e| name.ends_with(e))
    };
    let data = entries.filter(is_data).count();
    data > 0 && chain_files(source).len() == data
}

/// The files of a folder that hold chains, in the order of names.
fn chain_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_chain(path))
        .collect();
    files.sort();
    files
}

/// Quotes that lie together in a store.
#[derive(Debug, Clone)]
pub struct Quotes<'a> {
    chains: &'a Chains,
    rows: Range<usize>,
}

/// Which expiration is wanted, in calendar days from the moment of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaysToExpiry {
    /// At least so many.
    pub min: i64,
    /// At most so many.
    pub max: i64,
    /// The nearest to this is taken, the shorter of two.
    pub target: i64,
    /// Standard monthly expirations only.
    pub monthly_only: bool,
}

impl<'a> Quotes<'a> {
    /// Number of quotes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The quotes in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Quote<'a>> + ExactSizeIterator + use<'a> {
        let chains = self.chains;
        self.rows.clone().map(move |row| chains.quote(row))
    }

    /// The quote at a place of the view.
    pub fn get(&self, at: usize) -> Option<Quote<'a>> {
        let row = self.rows.start + at;
        (row < self.rows.end).then(|| self.chains.quote(row))
    }

    /// The strikes in thousandths, one a quote.
    pub fn strikes(&self) -> &'a [Milli] {
        &self.chains.strike[self.rows.clone()]
    }

    /// The bids, one a quote, NaN where there is none; empty when no file has any.
    pub fn bids(&self) -> &'a [f64] {
        self.column(Field::Bid)
    }

    /// The asks, as [`Quotes::bids`].
    pub fn asks(&self) -> &'a [f64] {
        self.column(Field::Ask)
    }

    /// The vendor's implied volatilities, as [`Quotes::bids`].
    pub fn implied_volatilities(&self) -> &'a [f64] {
        self.column(Field::Volatility)
    }

    /// The vendor's deltas, as [`Quotes::bids`].
    pub fn deltas(&self) -> &'a [f64] {
        self.column(Field::Delta)
    }

    fn column(&self, field: Field) -> &'a [f64] {
        let column = &self.chains.numbers[field as usize];
        column.get(self.rows.clone()).unwrap_or_default()
    }

    /// Price of the underlying: the first of the view that is above 0.
    pub fn underlying_price(&self) -> Option<f64> {
        let prices = self.column(Field::UnderlyingPrice);
        prices.iter().copied().find(|price| *price > 0.0)
    }

    /// When they were made; `None` of an empty view.
    pub fn moment(&self) -> Option<Micros> {
        (!self.is_empty()).then(|| self.chains.moment_of(self.rows.start))
    }

    /// The quotes of one underlying, of the chain of a moment.
    pub fn of_underlying(&self, symbol: &str) -> Quotes<'a> {
        let Ok(code) = self
            .chains
            .names
            .binary_search_by(|n| n.as_str().cmp(symbol))
        else {
            return self.part(0..0);
        };
        let codes = &self.chains.underlying[self.rows.clone()];
        let start = codes.partition_point(|c| usize::from(*c) < code);
        let end = codes.partition_point(|c| usize::from(*c) <= code);
        self.part(start..end)
    }

    fn part(&self, part: Range<usize>) -> Quotes<'a> {
        Quotes {
            chains: self.chains,
            rows: self.rows.start + part.start..self.rows.start + part.end,
        }
    }

    /// The series of the view, each of one moment, underlying, expiration, root and right, strikes
    /// ascending.
    pub fn each_series(&self) -> Vec<Quotes<'a>> {
        let chains = self.chains;
        let same = |a: usize, b: usize| {
            chains.right[a] == chains.right[b]
                && chains.expiration[a] == chains.expiration[b]
                && chains.root[a] == chains.root[b]
                && chains.underlying[a] == chains.underlying[b]
                && chains.strike[a] < chains.strike[b]
        };
        let mut all = Vec::new();
        let mut start = self.rows.start;
        for row in self.rows.clone() {
            if row + 1 == self.rows.end || !same(row, row + 1) {
                all.push(Quotes {
                    chains,
                    rows: start..row + 1,
                });
                start = row + 1;
            }
        }
        all
    }

    /// Expirations that are not over, ascending.
    pub fn expirations(&self) -> Vec<NaiveDate> {
        let today = self.moment().map_or(i32::MIN, |m| days(date_of(m)));
        let mut all: Vec<i32> = self.chains.expiration[self.rows.clone()].to_vec();
        all.dedup();
        all.sort_unstable();
        all.dedup();
        all.retain(|expiration| *expiration >= today);
        all.into_iter().map(day).collect()
    }

    /// The expiration nearest to the days wanted; `None` when none lies within.
    pub fn nearest_expiration(&self, wanted: &DaysToExpiry) -> Option<NaiveDate> {
        let today = date_of(self.moment()?);
        let days_to = |date: &NaiveDate| (*date - today).num_days();
        let fits = |date: &NaiveDate| {
            (wanted.min..=wanted.max).contains(&days_to(date))
                && (!wanted.monthly_only || Calendar::Nyse.is_monthly_expiration(*date))
        };
        let fitting = self.expirations().into_iter().filter(fits);
        // Expirations ascend, and the first of two that are as near is kept.
        fitting.min_by_key(|date| (days_to(date) - wanted.target).abs())
    }

    /// The series of an expiration and right; of the root named, or the one with most strikes.
    pub fn series(
        &self,
        expiration: NaiveDate,
        right: Right,
        root: Option<&str>,
    ) -> Option<Quotes<'a>> {
        let fits = |series: &Quotes<'a>| {
            let row = series.rows.start;
            let chains = series.chains;
            chains.expiration[row] == days(expiration)
                && chains.right[row] == right
                && root.is_none_or(|root| chains.name(chains.root[row]) == root)
        };
        let fitting = self.each_series().into_iter().filter(fits);
        fitting.rev().max_by_key(Quotes::len)
    }

    /// The quote of this strike of a series.
    pub fn at_strike(&self, strike: f64) -> Option<Quote<'a>> {
        let at = self.strikes().binary_search(&strike_milli(strike)?).ok()?;
        self.get(at)
    }

    /// The lowest strike of a series at or above a price.
    pub fn at_or_above(&self, price: f64) -> Option<Quote<'a>> {
        let below = |strike: &Milli| f64::from(*strike) / 1000.0 < price - 1e-9;
        self.get(self.strikes().partition_point(below))
    }

    /// The highest strike of a series at or below a price.
    pub fn at_or_below(&self, price: f64) -> Option<Quote<'a>> {
        let within = |strike: &Milli| f64::from(*strike) / 1000.0 <= price + 1e-9;
        self.get(self.strikes().partition_point(within).checked_sub(1)?)
    }

    /// The strike of a series nearest to a price, the lower of two.
    pub fn nearest_strike(&self, price: f64) -> Option<Quote<'a>> {
        self.nearest(price, |quote| Some(quote.strike_price()))
    }

    /// The quote of a series whose delta is nearest in size to `size`, the one farther out of the
    /// money of two. `delta` gives the delta of a quote, of the file or of a model; quotes
    /// without one are passed over.
    pub fn nearest_delta(
        &self,
        size: f64,
        delta: impl Fn(&Quote<'a>) -> Option<f64>,
    ) -> Option<Quote<'a>> {
        let of = |quote: &Quote<'a>| delta(quote).map(f64::abs);
        match self.get(0)?.right {
            // The higher strike is farther out of the money.
            Right::Call => self.nearest_of(self.iter().rev(), size, of),
            Right::Put => self.nearest_of(self.iter(), size, of),
        }
    }

    /// The quote of a series whose mid is nearest to a premium, the lower strike of two.
    pub fn nearest_premium(&self, premium: f64) -> Option<Quote<'a>> {
        self.nearest(premium, Quote::mid)
    }

    fn nearest(&self, wanted: f64, of: impl Fn(&Quote<'a>) -> Option<f64>) -> Option<Quote<'a>> {
        self.nearest_of(self.iter(), wanted, of)
    }

    /// The first of the quotes that are nearest.
    fn nearest_of(
        &self,
        quotes: impl Iterator<Item = Quote<'a>>,
        wanted: f64,
        of: impl Fn(&Quote<'a>) -> Option<f64>,
    ) -> Option<Quote<'a>> {
        let distances = quotes.filter_map(|quote| Some(((of(&quote)? - wanted).abs(), quote)));
        let nearest = distances.min_by(|a, b| a.0.total_cmp(&b.0));
        nearest.map(|(_, quote)| quote)
    }
}
