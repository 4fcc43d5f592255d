//! Options held and written: what each is, what it brought in, and what it is worth at the close.
//!
//! A written option is a negative holding. What it brought in is cash at once; what it may still
//! cost is its value, so that equity is cash, holdings and options at any moment. Which options, at
//! which prices, and what becomes of them is settled in `engine/options` before it reaches this file.

use crate::execution::Reason;
use crate::instrument::OptionContract;
use crate::portfolio::{Account, Entry, EntryKind, PositionSide, Stream, Trade, TradeStatus};
use crate::units::BarIndex;

/// A rest below this part of a position is rounding.
const PART_LEAST: f64 = 1e-12;

/// Where the mark of an option came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkedBy {
    /// The middle of a quote of two sides.
    #[default]
    Mid,
    /// A model: of a model's chain, or from the last good volatility of a quoted one.
    Model,
    /// What exercise would give, for want of anything better.
    Intrinsic,
}

/// The day of the sale or purchase of an option, as its figures need it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SaleDay {
    /// Price a share that was received or paid, before any later change of the number.
    pub premium: f64,
    /// Strike, before any split since.
    pub strike: f64,
    /// Price of the underlying.
    pub spot: f64,
    /// Calendar days to expiration.
    pub days: f64,
    /// Delta, with its sign; NaN when unknown.
    pub delta: f64,
    /// Implied volatility, a fraction a year; NaN when unknown.
    pub volatility: f64,
    /// What a share of the holding had cost.
    pub basis: f64,
}

/// One contract in an account.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenOption {
    /// Index into the account's contracts.
    pub contract: usize,
    /// Slot of the underlying.
    pub slot: usize,
    /// Contracts, negative when written; fractions are allowed.
    pub count: f64,
    /// Those that were closed before, where only a part was.
    pub closed: ClosedPart,
    /// Strike in the money of the current bar.
    pub strike: f64,
    /// Shares a contract.
    pub multiplier: f64,
    /// Price a share at which it was opened.
    pub entry_price: f64,
    /// Fees of opening.
    pub entry_fee: f64,
    /// Clock bar of opening.
    pub entry_bar: BarIndex,
    /// The underlying's own bar of opening.
    pub entry_own: u32,
    /// Number of its trade.
    pub number: usize,
    /// Number of its campaign.
    pub campaign: usize,
    /// Value a share at the last close.
    pub mark: f64,
    /// Where the value came from.
    pub marked_by: MarkedBy,
    /// Last implied volatility that was seen for it.
    pub last_volatility: f64,
    /// Worst loss so far, money, at closes (0 or below).
    pub worst: f64,
    /// The day it was opened.
    pub sale: SaleDay,
    /// It was bought to limit what another may lose.
    pub is_wing: bool,
}

/// The contracts of an option that were closed while others stayed open.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClosedPart {
    /// Contracts, positive.
    pub count: f64,
    /// Their exit prices a share, each times its contracts.
    pub price_sum: f64,
    /// Fees of closing them.
    pub fees: f64,
}

impl OpenOption {
    /// It was written.
    pub fn is_short(&self) -> bool {
        self.count < 0.0
    }

    /// Shares that it is for, positive.
    pub fn shares(&self) -> f64 {
        self.count.abs() * self.multiplier
    }

    /// Contracts that were ever opened, positive.
    pub fn opened(&self) -> f64 {
        self.count.abs() + self.closed.count
    }

    /// Average price a share at which it ends when the rest ends at `price`, and the fees of it all.
    fn exit(&self, price: f64, fee: f64) -> (f64, f64) {
        let sum = self.closed.price_sum + price * self.count.abs();
        (sum / self.opened(), self.closed.fees + fee)
    }

    /// Market value, negative when written.
    pub fn value(&self) -> f64 {
        self.count * self.multiplier * self.mark
    }
}

/// One fill of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionFill {
    /// Clock bar.
    pub bar: BarIndex,
    /// The underlying's own bar.
    pub own: u32,
    /// Price a share.
    pub price: f64,
    /// The middle of the quote.
    pub mid: f64,
    /// Fee.
    pub fee: f64,
    /// Why.
    pub reason: Reason,
}

/// A finished option trade with everything its figures need.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionTrade {
    /// Index into the account's contracts.
    pub contract: usize,
    /// Number of the trade.
    pub number: usize,
    /// Number of the campaign.
    pub campaign: usize,
    /// Contracts, negative when written.
    pub count: f64,
    /// Shares a contract.
    pub multiplier: f64,
    /// Strike, in the money of the entry.
    pub strike: f64,
    /// Clock bars of entry and exit.
    pub bars: (BarIndex, BarIndex),
    /// Prices a share of entry and exit.
    pub prices: (f64, f64),
    /// Fees of entry and exit.
    pub fees: (f64, f64),
    /// Money given up by a writer (gained by a holder) when shares changed hands at the strike.
    pub given_up: f64,
    /// The day it was opened.
    pub sale: SaleDay,
    /// Worst loss at a close, money (0 or below).
    pub worst: f64,
    /// What became of it; `None` while open.
    pub outcome: Option<Reason>,
    /// It was bought to limit what another may lose.
    pub is_wing: bool,
}

/// Sales that belong together: an option and those that it was rolled into, or a turn of the wheel.
#[derive(Debug, Clone, PartialEq)]
pub struct Campaign {
    /// Market index of the underlying.
    pub symbol: usize,
    /// Clock bars of its first sale and its end (the last bar while open).
    pub bars: (BarIndex, BarIndex),
    /// Premium received.
    pub credits: f64,
    /// Premium paid.
    pub debits: f64,
    /// Money given up at assignments and cash settlements.
    pub given_up: f64,
    /// Fees of options.
    pub fees: f64,
    /// Times it was rolled.
    pub rolls: u32,
    /// Times shares were assigned or called away.
    pub assignments: u32,
    /// It goes on.
    pub open: bool,
}

/// The options of an account, and what became of those before.
#[derive(Debug, Clone, Default)]
pub struct OptionBook {
    /// Contracts that were ever traded.
    pub contracts: Vec<OptionContract>,
    /// Those held or written now, in the order of opening.
    pub open: Vec<OpenOption>,
    /// Those before, in the order of their ends.
    pub trades: Vec<OptionTrade>,
    /// Campaigns in the order of their first sale.
    pub campaigns: Vec<Campaign>,
    /// Value of `open` at the last marks.
    pub value: f64,
    /// Value at the end of last month, by slot, for the income table.
    value_before: Vec<f64>,
}

impl OptionBook {
    /// The number of a contract, which is added when it is new.
    pub fn contract(&mut self, contract: OptionContract) -> usize {
        let known = self.contracts.iter().position(|c| *c == contract);
        known.unwrap_or_else(|| {
            self.contracts.push(contract);
            self.contracts.len() - 1
        })
    }

    /// All trades, those still open at their marks, in the order of opening.
    pub fn finished_trades(&self) -> Vec<OptionTrade> {
        let open = self.open.iter().map(|option| OptionTrade {
            contract: option.contract,
            number: option.number,
            campaign: option.campaign,
            count: option.count.signum() * option.opened(),
            multiplier: option.multiplier,
            strike: option.strike,
            bars: (option.entry_bar, option.entry_bar),
            prices: (option.entry_price, option.exit(option.mark, 0.0).0),
            fees: (option.entry_fee, option.closed.fees),
            given_up: 0.0,
            sale: option.sale,
            worst: option.worst,
            outcome: None,
            is_wing: option.is_wing,
        });
        let mut all: Vec<OptionTrade> = self.trades.iter().cloned().chain(open).collect();
        all.sort_by_key(|trade| trade.number);
        all
    }

    /// Adds up the values of what is open.
    pub fn revalue(&mut self) {
        self.value = self.open.iter().map(OpenOption::value).sum();
    }

    /// What the values of each slot's options changed by since this was last asked.
    pub fn month_changes(&mut self, slots: usize) -> Vec<(usize, f64)> {
        self.value_before.resize(slots, 0.0);
        let mut now = vec![0.0; slots];
        for option in &self.open {
            now[option.slot] += option.value();
        }
        let changes = (0..slots).map(|slot| (slot, now[slot] - self.value_before[slot]));
        let changes = changes.filter(|(_, change)| *change != 0.0).collect();
        self.value_before = now;
        changes
    }
}

impl Account {
    /// Opens an option: cash and fee are booked, the position stands at the end of the book.
    /// `option.count` says how many and on which side; its entry fields are filled in here.
    pub fn open_option(&mut self, mut option: OpenOption, fill: &OptionFill) {
        let money = -option.count * option.multiplier * fill.price;
        option.number = self.next_trade();
        option.entry_price = fill.price;
        option.entry_fee = fill.fee;
        option.entry_bar = fill.bar;
        option.entry_own = fill.own;
        self.note_premium(option.campaign, money, fill.fee);
        let stream = match option.is_short() {
            true => Stream::Premium,
            false => Stream::Protection,
        };
        self.book_premium(&option, fill, option.count, money, stream);
        self.options.open.push(option);
        self.options.revalue();
    }

    /// Closes `count` contracts (positive) of the option at `at` by trading them back. While others
    /// stay open, it is one trade with them.
    pub fn close_option(&mut self, at: usize, count: f64, fill: &OptionFill) {
        let option = self.options.open[at].clone();
        let signed = if option.is_short() { count } else { -count };
        let money = -signed * option.multiplier * fill.price;
        self.note_premium(option.campaign, money, fill.fee);
        let stream = match option.is_short() {
            true => Stream::BoughtBack,
            false => Stream::Protection,
        };
        self.book_premium(&option, fill, signed, money, stream);
        let rest = option.count.abs() - count;
        if rest <= PART_LEAST * option.count.abs() {
            self.end_option(
                at,
                (fill.bar, fill.own),
                (fill.price, fill.fee),
                0.0,
                fill.reason,
            );
            return;
        }
        let held = &mut self.options.open[at];
        held.count = option.count.signum() * rest;
        held.closed.count += count;
        held.closed.price_sum += count * fill.price;
        held.closed.fees += fill.fee;
        self.options.revalue();
    }

    /// Brings the option at `at` to `count` contracts at one price; its entry price becomes the average
    /// where it grows, and stays where it shrinks.
    pub fn resize_option(&mut self, at: usize, count: f64, fill: &OptionFill) {
        let option = self.options.open[at].clone();
        let change = count - option.count;
        if change.abs() <= 1e-12 * count.abs() {
            return;
        }
        let grows = count.abs() > option.count.abs();
        if !grows {
            self.close_option(at, change.abs(), fill);
            return;
        }
        let money = -change * option.multiplier * fill.price;
        self.note_premium(option.campaign, money, fill.fee);
        let stream = match option.is_short() {
            true => Stream::Premium,
            false => Stream::Protection,
        };
        self.book_premium(&option, fill, change, money, stream);
        let held = &mut self.options.open[at];
        let opened = held.opened();
        held.entry_price =
            (held.entry_price * opened + fill.price * change.abs()) / (opened + change.abs());
        held.entry_fee += fill.fee;
        held.count = count;
        self.options.revalue();
    }

    /// Ends the option at `at` without a trade of it: it expires, is settled in cash at `intrinsic`
    /// a share, or turns into shares (`given_up` is then what the strike costs its writer against
    /// the price of the shares, and is booked with them).
    pub fn settle_option(
        &mut self,
        at: usize,
        (bar, own): (BarIndex, u32),
        intrinsic: f64,
        given_up: f64,
        kind: EntryKind,
        reason: Reason,
    ) {
        let option = self.options.open[at].clone();
        let money = option.count * option.multiplier * intrinsic;
        self.cash += money;
        if self.keeps_books() {
            let entry = self.option_entry(&option, kind, (bar, -option.count, intrinsic), money);
            self.ledger.push(entry);
            let stream = match option.is_short() {
                true => Stream::GivenUp,
                false => Stream::Protection,
            };
            if money != 0.0 {
                self.income.add(Some(option.slot), stream, money);
            }
        }
        if let Some(campaign) = self.options.campaigns.get_mut(option.campaign) {
            campaign.given_up += given_up - money.min(0.0);
        }
        self.end_option(at, (bar, own), (intrinsic, 0.0), given_up, reason);
    }

    /// `ratio` new shares for one old: contracts are multiplied and strikes divided when that gives
    /// whole contracts of the same size, else a contract is for more shares.
    pub fn split_options(&mut self, bar: BarIndex, slot: usize, ratio: f64) {
        for at in 0..self.options.open.len() {
            if self.options.open[at].slot != slot {
                continue;
            }
            let is_whole = ratio >= 1.0 && ratio.fract() == 0.0;
            let option = &mut self.options.open[at];
            let before = option.count;
            if is_whole {
                option.count *= ratio;
                option.closed.count *= ratio;
            } else {
                option.multiplier *= ratio;
            }
            option.strike = if is_whole {
                (option.strike / ratio * 1000.0).round() / 1000.0
            } else {
                option.strike / ratio
            };
            option.mark /= ratio;
            option.entry_price /= ratio;
            if !is_whole {
                option.closed.price_sum /= ratio;
            }
            let option = option.clone();
            if self.keeps_books() {
                let added = option.count - before;
                let mut entry =
                    self.option_entry(&option, EntryKind::Split, (bar, added, 0.0), 0.0);
                entry.note = format!("{ratio} for 1, strike {}", option.strike);
                self.ledger.push(entry);
            }
        }
        self.options.revalue();
    }

    /// A special dividend lowers the strikes of open contracts by its amount.
    pub fn lower_strikes(&mut self, bar: BarIndex, slot: usize, amount: f64) {
        for at in 0..self.options.open.len() {
            let option = &mut self.options.open[at];
            if option.slot != slot || option.strike <= amount {
                continue;
            }
            option.strike -= amount;
            let option = option.clone();
            if self.keeps_books() {
                let mut entry = self.option_entry(&option, EntryKind::Split, (bar, 0.0, 0.0), 0.0);
                entry.note = format!("special dividend, strike {}", option.strike);
                self.ledger.push(entry);
            }
        }
    }

    /// Option trades that are open, marked at the last close.
    pub fn open_option_trades(
        &self,
        bar: BarIndex,
        own_of: impl Fn(usize) -> u32,
    ) -> Vec<(usize, Trade)> {
        let trades = self.options.open.iter().map(|option| {
            let end = (bar, own_of(option.slot));
            let trade = self.option_trade(option, end, option.exit(option.mark, 0.0));
            (
                option.number,
                Trade {
                    status: TradeStatus::Open,
                    reason: Reason::Signal,
                    ..trade
                },
            )
        });
        trades.collect()
    }

    /// Cash, fee and entries of a fill of `signed` contracts.
    fn book_premium(
        &mut self,
        option: &OpenOption,
        fill: &OptionFill,
        signed: f64,
        money: f64,
        stream: Stream,
    ) {
        self.cash += money;
        let kind = match money >= 0.0 {
            true => EntryKind::PremiumReceived,
            false => EntryKind::PremiumPaid,
        };
        if self.keeps_books() {
            let mut entry = self.option_entry(option, kind, (fill.bar, signed, fill.price), money);
            entry.note = fill.reason.name().to_string();
            self.ledger.push(entry);
            self.income.add(Some(option.slot), stream, money);
        }
        self.cash -= fill.fee;
        if self.keeps_books() && fill.fee != 0.0 {
            let of_fee = (fill.bar, 0.0, 0.0);
            let entry = self.option_entry(option, EntryKind::Commission, of_fee, -fill.fee);
            self.ledger.push(entry);
            self.income.add(Some(option.slot), Stream::Fees, -fill.fee);
        }
        let drag = (fill.price - fill.mid).abs() * signed.abs() * option.multiplier;
        if self.keeps_books() && drag != 0.0 {
            let of_drag = (fill.bar, 0.0, fill.mid);
            let mut entry = self.option_entry(option, EntryKind::Slippage, of_drag, -drag);
            entry.note = "memo".to_string();
            self.ledger.push(entry);
        }
        self.traded += money.abs();
    }

    fn note_premium(&mut self, campaign: usize, money: f64, fee: f64) {
        if let Some(campaign) = self.options.campaigns.get_mut(campaign) {
            campaign.credits += money.max(0.0);
            campaign.debits += (-money).max(0.0);
            campaign.fees += fee;
        }
    }

    fn option_entry(
        &self,
        option: &OpenOption,
        kind: EntryKind,
        (bar, quantity, price): (BarIndex, f64, f64),
        amount: f64,
    ) -> Entry {
        Entry {
            bar,
            symbol: Some(self.symbol_of_contract(option.contract)),
            kind,
            quantity,
            price,
            amount,
            cash: self.cash,
            trade: Some(option.number),
            note: String::new(),
        }
    }

    /// Contracts stand after the market's symbols.
    fn symbol_of_contract(&self, contract: usize) -> usize {
        self.first_contract + contract
    }

    /// Takes the option off the book and writes its trade down.
    fn end_option(
        &mut self,
        at: usize,
        end: (BarIndex, u32),
        (price, fee): (f64, f64),
        given_up: f64,
        reason: Reason,
    ) {
        let option = self.options.open.remove(at);
        let exit = option.exit(price, fee);
        let trade = self.option_trade(&option, end, exit);
        self.options.trades.push(OptionTrade {
            contract: option.contract,
            number: option.number,
            campaign: option.campaign,
            count: option.count.signum() * option.opened(),
            multiplier: option.multiplier,
            strike: option.strike,
            bars: (option.entry_bar, end.0),
            prices: (option.entry_price, exit.0),
            fees: (option.entry_fee, exit.1),
            given_up,
            sale: option.sale,
            worst: option.worst,
            outcome: Some(reason),
            is_wing: option.is_wing,
        });
        self.trades.push((option.number, Trade { reason, ..trade }));
        self.options.revalue();
    }

    /// A row of the table of trades: prices are a share, `shares` those of all contracts.
    fn option_trade(
        &self,
        option: &OpenOption,
        (bar, own): (BarIndex, u32),
        (exit_price, exit_fee): (f64, f64),
    ) -> Trade {
        let entry_fee = option.entry_fee;
        let shares = option.opened() * option.multiplier;
        let gain = match option.is_short() {
            true => option.entry_price - exit_price,
            false => exit_price - option.entry_price,
        };
        let pnl = gain * shares - entry_fee - exit_fee;
        let money_in = option.entry_price * shares + entry_fee;
        Trade {
            symbol: self.symbol_of_contract(option.contract),
            side: match option.is_short() {
                true => PositionSide::Short,
                false => PositionSide::Long,
            },
            entry_bar: option.entry_bar,
            entry_price: option.entry_price,
            shares,
            entry_fee,
            exit_bar: bar,
            exit_price,
            exit_fee,
            pnl,
            pnl_pct: if money_in > 0.0 { pnl / money_in } else { 0.0 },
            bars_held: own.saturating_sub(option.entry_own),
            reason: Reason::Signal,
            status: TradeStatus::Closed,
            stop: None,
            target: None,
            ambiguous: false,
        }
    }
}
