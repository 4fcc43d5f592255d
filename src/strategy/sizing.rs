//! How big: a wish, the account's equity and a price become money or shares.

use crate::strategy::{Size, SizeMethod};

/// What sizing reads at the decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// Equity of the account at the deciding close.
    pub equity: f64,
    /// Close of the symbol.
    pub close: f64,
    /// Slots of the account.
    pub slots: f64,
    /// Money a share lost when the stop is hit; `None` without a stop.
    pub risk_a_share: Option<f64>,
    /// `realized_vol(close, 20)`, when it exists.
    pub volatility: Option<f64>,
    /// Closed trades up to the decision.
    pub closed: ClosedTrades,
}

/// Running figures of closed trades, for the Kelly fraction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClosedTrades {
    /// Trades that gained.
    pub wins: u32,
    /// Trades that did not.
    pub losses: u32,
    /// Sum of gains.
    pub won: f64,
    /// Sum of losses, positive.
    pub lost: f64,
}

impl ClosedTrades {
    /// Adds a closed trade.
    #[inline]
    pub fn add(&mut self, pnl: f64) {
        if pnl > 0.0 {
            self.wins += 1;
            self.won += pnl;
        } else {
            self.losses += 1;
            self.lost -= pnl;
        }
    }

    /// Kelly fraction `w - (1 - w) / payoff` (Kelly 1956), held to 0..0.5; `None` before 20 trades
    /// or while the payoff is undefined.
    fn kelly(&self) -> Option<f64> {
        let n = self.wins + self.losses;
        if n < 20 || self.wins == 0 || self.losses == 0 || self.lost <= 0.0 {
            return None;
        }
        let w = f64::from(self.wins) / f64::from(n);
        let payoff = (self.won / f64::from(self.wins)) / (self.lost / f64::from(self.losses));
        Some((w - (1.0 - w) / payoff).clamp(0.0, 0.5))
    }
}

/// An amount fixed at the decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Money.
    Money(f64),
    /// Shares.
    Shares(f64),
}

/// The amount of an entry, or `None` when a value that it needs does not exist.
#[inline]
pub fn amount(size: &Size, at: &Situation) -> Option<Amount> {
    let money = |m: f64| Some(Amount::Money(m));
    let wanted = match size.method {
        SizeMethod::Equal => money(at.equity / at.slots),
        SizeMethod::Fraction => money(size.value * at.equity),
        SizeMethod::Cash => money(size.value),
        SizeMethod::Shares => Some(Amount::Shares(size.value)),
        SizeMethod::Risk => at
            .risk_a_share
            .filter(|&risk| risk > 0.0)
            .map(|risk| Amount::Shares(size.value * at.equity / risk)),
        SizeMethod::TargetVol => at
            .volatility
            .filter(|&v| v > 0.0)
            .and_then(|v| money(at.equity * size.value / v)),
        SizeMethod::Kelly => match at.closed.kelly() {
            Some(fraction) => money(fraction * at.equity),
            None => money(at.equity / at.slots),
        },
    }?;
    let Some(weight) = size.max_weight else {
        return Some(wanted);
    };
    let most = weight * at.equity;
    Some(match wanted {
        Amount::Money(m) => Amount::Money(m.min(most)),
        Amount::Shares(n) => Amount::Shares(n.min(most / at.close)),
    })
}
