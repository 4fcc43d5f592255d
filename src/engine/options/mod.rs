//! Options within the simulated day: what is written and held, on which quotes, and what becomes of it.
//!
//! | file | part |
//! | --- | --- |
//! | `input` | what is known before time begins: volatilities, rates, dividends, days without entries |
//! | `quote` | the chain of a day, by a model; the loop cannot tell where a quote came from |
//! | `choose` | which expiration and which strike |
//! | `close` | the close before decisions: marks, fills of yesterday's wishes, expiry, early exercise |
//! | `decide` | rolls and entries: what is wished, and why something is not |
//! | `trade` | carrying a wish out on the day's quotes |
//! | `explain` | what happened at one close, and why something did not |
//! | `units` | pro-rata units, as the published indices hold them |
//!
//! A wish that depends on a price of the day fills on the next day's quotes, unless the file says
//! otherwise. What the calendar knew beforehand (an expiry, days to expiration, a first sale without
//! a condition) fills at the close on which it falls due. No option is ever written without its cover.

mod choose;
mod close;
mod decide;
mod explain;
mod input;
mod quote;
mod trade;
mod units;

pub(crate) use explain::sentences;
pub(crate) use input::Desk;

use crate::engine::simulate::Sim;
use crate::instrument::{Right, SymbolStyle};
use crate::portfolio::{Campaign, OptionTrade, Trade};
use crate::units::BarIndex;

/// Why something that could have been done was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotDone {
    /// The leg's condition was not true.
    Condition,
    /// A day on which nothing is written.
    Blackout,
    /// No expiration within the days that the leg asks for.
    NoExpiration,
    /// No strike that meets the leg's rule.
    NoStrike,
    /// No quote of the contract, or none that passes the filters.
    NoQuote,
    /// The premium is below the least.
    Premium,
    /// The premium a year is below the least.
    AnnualYield,
    /// Too few shares for one contract.
    Shares,
    /// Too little cash for one contract.
    Cash,
    /// Too little cash to roll all contracts; the rest was bought back.
    CashForAll,
    /// No roll gives the credit that is asked for.
    NoCredit,
    /// No later contract fits the roll.
    NoRoll,
    /// It was left to be assigned.
    LeftToAssign,
    /// Money is owed, which shares or cash have to pay first.
    Owed,
}

impl NotDone {
    /// The reason as a person reads it.
    pub fn text(self) -> &'static str {
        match self {
            NotDone::Condition => "the leg's condition was not true",
            NotDone::Blackout => "a blackout day",
            NotDone::NoExpiration => "no expiration within the leg's days",
            NotDone::NoStrike => "no strike meets the leg's rule",
            NotDone::NoQuote => "no quote passes the leg's filters",
            NotDone::Premium => "the premium is below min_premium",
            NotDone::AnnualYield => "the premium a year is below min_annual_yield",
            NotDone::Shares => "too few shares for one contract",
            NotDone::Cash => "too little cash for one contract",
            NotDone::CashForAll => "too little cash to roll all contracts",
            NotDone::NoCredit => "no strike gives a net credit",
            NotDone::NoRoll => "no later contract fits the roll",
            NotDone::LeftToAssign => "left to be assigned",
            NotDone::Owed => "a withdrawal or a tax waits for the money",
        }
    }
}

/// What was not done on a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDoneAt {
    /// Clock bar.
    pub bar: BarIndex,
    /// Market index of the underlying.
    pub symbol: usize,
    /// Call or put.
    pub right: Right,
    /// It was a roll, not an entry.
    pub roll: bool,
    /// Why.
    pub why: NotDone,
}

/// What an account's options leave behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptionRecord {
    /// Symbols of the contracts in the style of the clearing house; in orders, trades and entries they
    /// stand after the market's symbols.
    pub contracts: Vec<String>,
    /// Index of the first of them behind the market's symbols.
    pub first: usize,
    /// Market index of the underlying of each.
    pub underlyings: Vec<usize>,
    /// Trades, ended and open, in the order of opening.
    pub trades: Vec<OptionTrade>,
    /// Campaigns in the order of their first sale.
    pub campaigns: Vec<Campaign>,
    /// What was not done, in the order of time.
    pub not_done: Vec<NotDoneAt>,
    /// Closes at which an option was marked by the middle of a quote, a model, or intrinsic value.
    pub marks: [u32; 3],
    /// Fills on the quotes that decided them.
    pub same_close_fills: u32,
    /// Dividends that went to holders who exercised early, money.
    pub dividends_lost: f64,
    /// Early assignments.
    pub early_assignments: u32,
    /// What the reader must be told of the prices.
    pub warnings: Vec<String>,
}

/// A trade that waits for the next day's quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Wish {
    order: usize,
    slot: usize,
    kind: WishKind,
}

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq)]
enum WishKind {
    /// A new option of a leg.
    Open(Right),
    /// The option with this trade number is replaced by a later one.
    Roll(usize),
    /// The option with this trade number is traded back.
    Close(usize),
}

/// What is remembered of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct SlotState {
    /// Strike at which the shares were assigned.
    assigned_at: Option<f64>,
    /// Premium a share since then, less fees.
    premium_since: f64,
    /// The campaign that goes on.
    campaign: Option<usize>,
    /// Days of the last call and the last put written, by clock bar.
    last_sale: [Option<BarIndex>; 2],
}

/// The state of an account's options beyond its book.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeskState {
    wishes: Vec<Wish>,
    slots: Vec<SlotState>,
    /// Trade numbers that are not rolled any more.
    left: Vec<usize>,
    pub(crate) record: OptionRecord,
}

impl OptionRecord {
    /// Market index of the underlying of a contract's symbol; `None` for other symbols.
    pub fn underlying_of(&self, symbol: usize) -> Option<usize> {
        self.underlyings
            .get(symbol.checked_sub(self.first)?)
            .copied()
    }

    /// The index of a symbol of another account, once its contracts stand behind these.
    pub(crate) fn renumbered(&self, other: &OptionRecord, symbol: usize) -> usize {
        match other.underlying_of(symbol) {
            Some(_) => symbol + self.contracts.len(),
            None => symbol,
        }
    }

    /// Appends the record of another account, whose trades stand behind `trades` others.
    pub(crate) fn append(&mut self, other: OptionRecord, trades: usize) {
        let (contracts, campaigns) = (self.contracts.len(), self.campaigns.len());
        self.first = self.first.max(other.first);
        self.contracts.extend(other.contracts);
        self.underlyings.extend(other.underlyings);
        self.trades
            .extend(other.trades.into_iter().map(|trade| OptionTrade {
                contract: trade.contract + contracts,
                number: trade.number + trades,
                campaign: trade.campaign + campaigns,
                ..trade
            }));
        self.campaigns.extend(other.campaigns);
        self.not_done.extend(other.not_done);
        for (sum, marks) in self.marks.iter_mut().zip(other.marks) {
            *sum += marks;
        }
        self.same_close_fills += other.same_close_fills;
        self.dividends_lost += other.dividends_lost;
        self.early_assignments += other.early_assignments;
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}

impl DeskState {
    pub(crate) fn new(slots: usize) -> Self {
        DeskState {
            slots: vec![SlotState::default(); slots],
            ..DeskState::default()
        }
    }
}

impl Sim<'_, '_> {
    /// Options that are still open, as rows of the table of trades.
    pub(crate) fn open_options(&self, last: BarIndex) -> Vec<(usize, Trade)> {
        if self.input.desk.is_none() {
            return Vec::new();
        }
        let own = |slot: usize| {
            let symbol = &self.input.symbols[slot];
            let own = (0..=last).rev().find_map(|b| symbol.own_bar(b));
            own.unwrap_or(0) as u32
        };
        self.account.open_option_trades(last, own)
    }

    /// What options left behind.
    pub(crate) fn option_record(&mut self) -> OptionRecord {
        let mut record = std::mem::take(&mut self.options.record);
        let Some(desk) = self.desk() else {
            return record;
        };
        let book = std::mem::take(&mut self.account.options);
        record.trades = book.finished_trades();
        let index_of = |name: &str| {
            let mut symbols = self.input.symbols.iter();
            symbols.find(|s| s.name == name).map_or(0, |s| s.tape)
        };
        let underlyings = book.contracts.iter().map(|c| index_of(&c.underlying));
        record.underlyings = underlyings.collect();
        record.first = self.account.first_contract;
        record.campaigns = book.campaigns;
        record.warnings.clone_from(&desk.warnings);
        let symbols = book.contracts.iter().map(|c| c.symbol());
        record.contracts = symbols.map(|s| s.write(SymbolStyle::Compact)).collect();
        record
    }
}
