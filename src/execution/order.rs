//! An order: what was wished, when it was decided, and the one outcome it ended in.

use crate::units::BarIndex;

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Adds to a long, or buys a short back.
    Buy,
    /// Reduces a long, or opens a short.
    Sell,
}

/// Kind of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderType {
    /// At the next price.
    Market,
    /// At a price or better.
    Limit,
    /// At the market once a price was reached.
    Stop,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it.
    Filled,
    /// A part of it; the rest was cancelled or expired.
    PartlyFilled,
    /// Withdrawn, see the reason.
    Cancelled,
    /// Refused, see the reason.
    Rejected,
    /// Its time ran out.
    Expired,
}

/// Why a position was closed, or an order ended as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A rule.
    Signal,
    /// Fixed stop, inside the bar.
    Stop,
    /// Fixed stop, the bar opened beyond it.
    StopGap,
    /// Target, inside the bar.
    Target,
    /// Target, the bar opened beyond it.
    TargetGap,
    /// Trailing stop, inside the bar.
    Trail,
    /// Trailing stop, the bar opened beyond it.
    TrailGap,
    /// `hold_bars_max`.
    Time,
    /// `close_at_end`.
    End,
    /// The symbol stopped trading.
    Delisted,
    /// Forced by the margin rules.
    MarginCall,
    /// Money for a withdrawal or a tax.
    RaiseCash,
    /// A loss sold for its tax, and what is bought instead.
    Harvest,
    /// Not enough cash.
    Cash,
    /// No slot free.
    Slots,
    /// The size could not be computed (a value it needs does not exist yet).
    Size,
    /// Below `min_order` or less than one lot.
    MinOrder,
    /// The volume cap left nothing.
    Volume,
    /// The run ended first.
    LastBar,
    /// The exit fired while the entry was waiting.
    ExitFirst,
    /// A later decision set another target while the order was waiting.
    NewTarget,
    /// A price was never reached in time.
    NotReached,
    /// Nothing left to sell.
    Flat,
    /// A written put was exercised: shares were bought at its strike.
    Assigned,
    /// A written call was exercised: shares were sold at its strike.
    Called,
    /// A held option was exercised.
    Exercised,
    /// An option ended worthless.
    Expired,
    /// An option was settled in cash.
    Settled,
    /// An option was replaced by a later one.
    Rolled,
    /// An option was bought back, or sold, before it ended.
    Closed,
    /// No contract, strike or expiration was found that the leg asks for.
    NoContract,
    /// The quote was not good enough: a filter, a price, or no quote at all.
    NoQuote,
}

/// One order, from the close it was decided on to its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// 1, 2, 3 … in the order of decision.
    pub id: u32,
    /// Clock index of the close it was decided on.
    pub decided: BarIndex,
    /// Index of its symbol in the market.
    pub symbol: usize,
    /// Buy or sell.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderType,
    /// Shares asked for (at the decision's price when money was fixed).
    pub quantity: f64,
    /// Limit or stop price, or `None` for market orders.
    pub price: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was decided, or why it ended other than filled.
    pub reason: Reason,
    /// Shares filled.
    pub filled: f64,
    /// Clock index of the (last) fill.
    pub fill_bar: Option<BarIndex>,
    /// Average price of the fills, slippage included.
    pub fill_price: Option<f64>,
}

impl Side {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

impl OrderType {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            OrderType::Market => "market",
            OrderType::Limit => "limit",
            OrderType::Stop => "stop",
        }
    }
}

impl Outcome {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Filled => "filled",
            Outcome::PartlyFilled => "partly_filled",
            Outcome::Cancelled => "cancelled",
            Outcome::Rejected => "rejected",
            Outcome::Expired => "expired",
        }
    }
}

impl Reason {
    /// Name in files.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Signal => "signal",
            Reason::Stop => "stop",
            Reason::StopGap => "stop_gap",
            Reason::Target => "target",
            Reason::TargetGap => "target_gap",
            Reason::Trail => "trail",
            Reason::TrailGap => "trail_gap",
            Reason::Time => "time",
            Reason::End => "end",
            Reason::Delisted => "delisted",
            Reason::MarginCall => "margin_call",
            Reason::RaiseCash => "raise_cash",
            Reason::Harvest => "harvest",
            Reason::Cash => "cash",
            Reason::Slots => "slots",
            Reason::Size => "size",
            Reason::MinOrder => "min_order",
            Reason::Volume => "volume",
            Reason::LastBar => "last_bar",
            Reason::ExitFirst => "exit_first",
            Reason::NewTarget => "new_target",
            Reason::NotReached => "not_reached",
            Reason::Flat => "flat",
            Reason::Assigned => "assigned",
            Reason::Called => "called",
            Reason::Exercised => "exercised",
            Reason::Expired => "expired",
            Reason::Settled => "settled",
            Reason::Rolled => "rolled",
            Reason::Closed => "closed",
            Reason::NoContract => "no_contract",
            Reason::NoQuote => "no_quote",
        }
    }
}
