//! What writing an option yields, by the usual words.
//!
//! All of it is arithmetic on the day of the sale, and none of it is a forecast: a premium yield
//! says what was received, not what was earned. Source of the conventions: Options Industry
//! Council, covered call and cash-secured put calculators.

use super::DAYS_A_YEAR;
use crate::instrument::Right;

/// A sale of options that are covered by shares (calls) or by cash (puts).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sale {
    /// A covered call, or a cash-secured put.
    pub right: Right,
    /// Price of the stock.
    pub spot: f64,
    /// Strike.
    pub strike: f64,
    /// Calendar days to expiry, above 0.
    pub days: f64,
    /// Premium a share.
    pub premium: f64,
    /// Contracts sold.
    pub contracts: f64,
    /// Shares a contract.
    pub multiplier: f64,
    /// Fee a contract, paid once, at the sale.
    pub fee: f64,
    /// What a share of the holding cost; only for calls.
    pub stock_basis: f64,
    /// Cash dividends a share until expiry; only for calls.
    pub dividend: f64,
}

/// The figures of a [`Sale`]; money for all contracts, yields as fractions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Income {
    /// Premium received.
    pub gross_premium: f64,
    /// Fees paid.
    pub fees: f64,
    /// Premium less fees.
    pub net_premium: f64,
    /// Value of the shares (calls) or the strikes (puts).
    pub collateral: f64,
    /// Premium over the spot (calls) or the strike (puts).
    pub premium_yield: f64,
    /// That, times 365 over the days: simple, not compounded.
    pub premium_yield_annual: f64,
    /// Net premium and dividends over what is at risk, if the stock stays where it is.
    pub static_return: f64,
    /// That, times 365 over the days.
    pub static_return_annual: f64,
    /// The same if the shares are called away at the strike; calls only.
    pub if_called_return: Option<f64>,
    /// Stock price at expiry below which money is lost.
    pub breakeven: f64,
    /// What a share costs after the premium: the holding's, or of those that a put may bring.
    pub effective_basis: f64,
    /// How far the stock may fall to the breakeven, as a fraction.
    pub downside_protection: f64,
}

/// The figures of a sale. All of `spot`, `strike`, `days`, `contracts`, `multiplier` must be above 0.
pub fn income(sale: &Sale) -> Income {
    let shares = sale.contracts * sale.multiplier;
    let net = sale.premium - sale.fee / sale.multiplier;
    let annual = DAYS_A_YEAR / sale.days;
    let (secured, breakeven, basis) = match sale.right {
        Right::Call => (sale.spot, sale.spot - net, sale.stock_basis - net),
        Right::Put => (sale.strike, sale.strike - net, sale.strike - net),
    };
    let at_risk = secured - net;
    let dividend = match sale.right {
        Right::Call => sale.dividend,
        Right::Put => 0.0,
    };
    let premium_yield = sale.premium / secured;
    let static_return = (net + dividend) / at_risk;
    let if_called = (sale.strike - sale.spot + net + dividend) / at_risk;
    Income {
        gross_premium: sale.premium * shares,
        fees: sale.fee * sale.contracts,
        net_premium: sale.premium * shares - sale.fee * sale.contracts,
        collateral: secured * shares,
        premium_yield,
        premium_yield_annual: premium_yield * annual,
        static_return,
        static_return_annual: static_return * annual,
        if_called_return: (sale.right == Right::Call).then_some(if_called),
        breakeven,
        effective_basis: basis,
        downside_protection: (sale.spot - breakeven) / sale.spot,
    }
}
