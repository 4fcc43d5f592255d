//! The records that the books are made of: ledger entries, round trips, income by month.

use crate::execution::Reason;
use crate::units::BarIndex;

/// Kind of a ledger entry: everything that changes cash or a holding is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Money put in (the opening cash too).
    Deposit,
    /// Money taken out.
    Withdrawal,
    /// Money from another layer, or to it.
    Transfer,
    /// Shares bought, at the fill price; amount is the cash paid without commission.
    Buy,
    /// Shares sold.
    Sell,
    /// Fee of a fill.
    Commission,
    /// Memo: what the fill price lost against the price without slippage; changes no cash.
    Slippage,
    /// Dividend received (owed by shorts).
    Dividend,
    /// Interest on cash.
    Interest,
    /// Interest on borrowed cash.
    MarginInterest,
    /// Fee on shares sold short.
    Borrow,
    /// Shares multiplied by a split; changes no cash.
    Split,
    /// Position closed because its symbol stopped trading.
    Delisted,
    /// Tax paid (positive: paid back); the note says for which year.
    Tax,
    /// Option written, or sold.
    PremiumReceived,
    /// Option bought, or bought back.
    PremiumPaid,
    /// A held option was exercised.
    Exercise,
    /// A written option was exercised by its holder.
    Assignment,
    /// An option ended worthless.
    Expiry,
}

/// Note of the deposit that an account begins with, which is no flow and no income.
pub const OPENING_CASH: &str = "opening cash";

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Clock index of the bar.
    pub bar: BarIndex,
    /// Index of the symbol in the market, `None` for cash.
    pub symbol: Option<usize>,
    /// What happened.
    pub kind: EntryKind,
    /// Shares, signed: positive adds to the holding.
    pub quantity: f64,
    /// Price a share, 0 where none applies.
    pub price: f64,
    /// Change of cash (for [`EntryKind::Slippage`] the memo amount, which changes none).
    pub amount: f64,
    /// Cash after this entry.
    pub cash: f64,
    /// Index into the run's trades, if the entry belongs to one.
    pub trade: Option<usize>,
    /// A few words, often empty.
    pub note: String,
}

/// Long or short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionSide {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

/// Open or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TradeStatus {
    /// Still held; the exit columns show the last close.
    Open,
    /// A round trip.
    Closed,
}

/// One round trip (or the open position at the end).
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// Index of the symbol in the market.
    pub symbol: usize,
    /// Long or short.
    pub side: PositionSide,
    /// Clock index of the first fill.
    pub entry_bar: BarIndex,
    /// Average fill price, slippage included, in the money of the entry bar.
    pub entry_price: f64,
    /// Shares entered, in shares of the entry bar.
    pub shares: f64,
    /// Fees of the entry.
    pub entry_fee: f64,
    /// Clock index of the last fill, or the last bar while open.
    pub exit_bar: BarIndex,
    /// Average fill price of the exit, or the last close while open.
    pub exit_price: f64,
    /// Fees of the exit, 0 while open.
    pub exit_fee: f64,
    /// Money gained net of both fees (dividends are not part of it).
    pub pnl: f64,
    /// `pnl / (shares * entry_price + entry_fee)`.
    pub pnl_pct: f64,
    /// Bars of the symbol from entry to exit.
    pub bars_held: u32,
    /// Why it ended; [`Reason::Signal`] while open.
    pub reason: Reason,
    /// Open or closed.
    pub status: TradeStatus,
    /// Level of the fixed stop at the entry, for charts.
    pub stop: Option<f64>,
    /// Level of the target at the entry, for charts.
    pub target: Option<f64>,
    /// A bar reached both stop and target.
    pub ambiguous: bool,
}

/// A stream of income: the change of equity is the sum of all streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Price gain of what was sold, at prices before slippage.
    Realized,
    /// Change of the price gain of what is held.
    Unrealized,
    /// Dividends.
    Dividends,
    /// Interest on cash.
    Interest,
    /// Interest on borrowed cash (negative).
    MarginInterest,
    /// Fee on shares sold short (negative).
    Borrow,
    /// Commissions (negative).
    Fees,
    /// Slippage and spread (negative).
    Slippage,
    /// Taxes that fell due (negative).
    Tax,
    /// Deposits less withdrawals.
    Flows,
    /// Premium received for options written, gross.
    Premium,
    /// Paid to buy written options back (negative).
    BoughtBack,
    /// Lost to the strike when written options were exercised (negative).
    GivenUp,
    /// Options bought, and what they brought.
    Protection,
    /// Change of the value of open options.
    OptionValue,
}

/// One cell of the income table.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomeRow {
    /// `YYYY-MM`.
    pub month: String,
    /// Index of the symbol in the market, `None` for cash.
    pub symbol: Option<usize>,
    /// The stream.
    pub stream: Stream,
    /// Money.
    pub amount: f64,
}

impl EntryKind {
    /// `true` for entries that a fill makes, which belong to a trade even when it ends with them.
    pub fn is_of_trade(self) -> bool {
        matches!(
            self,
            EntryKind::Buy
                | EntryKind::Sell
                | EntryKind::Commission
                | EntryKind::Slippage
                | EntryKind::Delisted
        )
    }

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            EntryKind::Deposit => "deposit",
            EntryKind::Withdrawal => "withdrawal",
            EntryKind::Transfer => "transfer",
            EntryKind::Buy => "buy",
            EntryKind::Sell => "sell",
            EntryKind::Commission => "commission",
            EntryKind::Slippage => "slippage",
            EntryKind::Dividend => "dividend",
            EntryKind::Interest => "interest",
            EntryKind::MarginInterest => "margin_interest",
            EntryKind::Borrow => "borrow",
            EntryKind::Split => "split",
            EntryKind::Delisted => "delisted",
            EntryKind::Tax => "tax",
            EntryKind::PremiumReceived => "premium_received",
            EntryKind::PremiumPaid => "premium_paid",
            EntryKind::Exercise => "exercise",
            EntryKind::Assignment => "assignment",
            EntryKind::Expiry => "expiry",
        }
    }
}

impl Stream {
    /// Every stream, in the order of the income table.
    pub const ALL: [Stream; 15] = [
        Stream::Realized,
        Stream::Unrealized,
        Stream::Dividends,
        Stream::Interest,
        Stream::MarginInterest,
        Stream::Borrow,
        Stream::Fees,
        Stream::Slippage,
        Stream::Tax,
        Stream::Flows,
        Stream::Premium,
        Stream::BoughtBack,
        Stream::GivenUp,
        Stream::Protection,
        Stream::OptionValue,
    ];

    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Realized => "realized",
            Stream::Unrealized => "unrealized",
            Stream::Dividends => "dividends",
            Stream::Interest => "interest",
            Stream::MarginInterest => "margin_interest",
            Stream::Borrow => "borrow",
            Stream::Fees => "fees",
            Stream::Slippage => "slippage",
            Stream::Tax => "tax",
            Stream::Flows => "flows",
            Stream::Premium => "premium",
            Stream::BoughtBack => "premium_bought_back",
            Stream::GivenUp => "premium_given_up",
            Stream::Protection => "protection",
            Stream::OptionValue => "option_value",
        }
    }
}

impl PositionSide {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            PositionSide::Long => "long",
            PositionSide::Short => "short",
        }
    }
}

impl TradeStatus {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            TradeStatus::Open => "open",
            TradeStatus::Closed => "closed",
        }
    }
}
