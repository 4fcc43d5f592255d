//! Option prices are assumptions where a model makes them: the same run with a wider spread, with a
//! lower and a higher premium, and with none at all.

use super::{Found, StressLine, StressResult, Subject, line, measured};
use crate::engine::{Variation, Variations};
use crate::market::Market;
use crate::pricing::Surface;
use crate::strategy::{ImpliedVol, Options};

/// By how much the level of the surface is moved.
const LEVEL: f64 = 0.05;

/// `option_spread` and `option_premium` of every run; those of a model with the other premiums.
pub(super) fn lines(subject: &Subject<'_>, market: &Market) -> Vec<StressLine> {
    let Some(options) = &subject.strategy.options else {
        let absent = [
            ("option_spread", "option spread doubled"),
            ("option_premium", "option premium lower"),
        ];
        let absent = absent.into_iter();
        return absent
            .map(|(key, label)| line(key, label, Err("no options".to_owned())))
            .collect();
    };
    let run = |change: &dyn Fn(&mut Options)| subject.with_options(market, change);
    let mut lines = vec![line(
        "option_spread",
        "option spread doubled",
        run(&|o| o.fill.give_up *= 2.0),
    )];
    if options.pricing.chain.is_some() {
        let why = "premiums are those of the chain".to_owned();
        lines.push(line("option_premium", "option premium lower", Err(why)));
        return lines;
    }
    lines.push(line(
        "option_premium",
        "option premium lower: surface at -0.05",
        run(&|o| o.pricing.level_shift = -LEVEL),
    ));
    lines.push(line(
        "option_premium_higher",
        "option premium higher: surface at +0.05",
        run(&|o| o.pricing.level_shift = LEVEL),
    ));
    lines.push(line(
        "option_premium_none",
        "no volatility premium: realised alone",
        run(&|o| {
            o.pricing.iv = ImpliedVol::Realized;
            o.pricing.rv_to_iv = 1.0;
            // At the money the surface gives the level of an index a discount: none here.
            let at_the_money = Surface::INDEX.volatility(1.0, 1.0, 1.0, 1.0);
            o.pricing.level_shift = if o.pricing.skew {
                1.0 - at_the_money
            } else {
                0.0
            };
        }),
    ));
    lines
}

impl Subject<'_> {
    /// The run with other option terms.
    fn with_options(&self, market: &Market, change: &dyn Fn(&mut Options)) -> Found {
        self.traded()?;
        let mut strategy = self.strategy.clone();
        if let Some(options) = &mut strategy.options {
            change(options);
        }
        let variations = Variations::new(market, &strategy).map_err(|e| e.to_string())?;
        let mut run = variations.run(&Variation::default());
        run.rate.clone_from(&self.run().rate);
        Ok(StressResult::Figures(measured(&run)))
    }
}
