//! `[options]` in plain words.

use crate::report::figure;
use crate::strategy::{
    Assignment, Cycle, ImpliedVol, Leg, Options, Roll, RollTo, Strategy, StrikeFloor, StrikeRule,
    Unable,
};

/// What is written and held, at which prices, and what becomes of it.
pub(super) fn in_words(strategy: &Strategy) -> Vec<(&'static str, String)> {
    let Some(options) = &strategy.options else {
        return Vec::new();
    };
    let leg = |leg: &Option<Leg>| leg.as_ref().map_or_else(String::new, leg_in_words);
    vec![
        ("Options", structure(options)),
        ("Calls", leg(&options.call)),
        ("Puts", leg(&options.put)),
        (
            "Rolls",
            options.roll.as_ref().map_or_else(String::new, roll),
        ),
        ("Quotes", quotes(options)),
        ("Fills", fills(options)),
    ]
}

fn structure(options: &Options) -> String {
    let mut words = vec![options.structure.name().replace('_', " ")];
    if let Some(width) = options.width {
        words.push(format!("{width} wide"));
    }
    if options.index_units {
        words.push("in pro-rata units".to_string());
    } else if options.contract.multiplier != 100.0 {
        words.push(format!("{} shares a contract", options.contract.multiplier));
    }
    if options.contract.scale != 1.0 {
        words.push(format!("on {} of the price", options.contract.scale));
    }
    let contract = &options.contract;
    let style = if contract.american {
        "american"
    } else {
        "european"
    };
    let settled = if contract.physical { "shares" } else { "cash" };
    words.push(format!("{style}, settled in {settled}"));
    if options.discounted_net {
        words.push("puts backed by their discounted strike less the premium".to_string());
    }
    if options.tranches > 1 {
        words.push(format!("written in {} parts", options.tranches));
    }
    words.join(", ")
}

fn leg_in_words(leg: &Leg) -> String {
    let mut words = vec![match leg.strike {
        StrikeRule::Delta(delta) => format!("{delta} delta"),
        StrikeRule::Moneyness(far) => format!("{} out of the money", figure::given_percent(far)),
        StrikeRule::AtmAbove => "first strike above".to_string(),
        StrikeRule::AtmBelow => "first strike below".to_string(),
        StrikeRule::Premium(price) => format!("price near {price}"),
        StrikeRule::Std(z) => format!("{z} standard deviations out"),
    }];
    words.extend(leg.cycle.map(|cycle| {
        let every = match cycle {
            Cycle::Month => "month",
            Cycle::Quarter => "quarter",
            Cycle::Week => "week",
        };
        format!("every {every}")
    }));
    words.extend(
        leg.dte
            .map(|(least, most)| format!("{least} to {most} days")),
    );
    words.extend(leg.floor.map(|floor| match floor {
        StrikeFloor::Basis => "not below what the shares cost".to_string(),
        StrikeFloor::NetBasis => "not below what the shares cost less premiums".to_string(),
    }));
    words.extend(leg.when.as_ref().map(|when| format!("when {}", when.text)));
    if leg.cover != 1.0 {
        words.push(format!("on {}", figure::given_percent(leg.cover)));
    }
    if leg.fractional {
        words.push("fractional contracts".to_string());
    }
    words.join(", ")
}

fn roll(roll: &Roll) -> String {
    let triggers = [
        roll.profit
            .map(|x| format!("at {} of the premium", figure::given_percent(x))),
        roll.dte.map(|days| format!("at {days} days left")),
        roll.delta.map(|x| format!("at {x} delta")),
        roll.itm
            .map(|x| format!("{} in the money", figure::given_percent(x))),
        roll.loss.map(|x| format!("at a loss of {x} premiums")),
        roll.ex_dividend.then(|| "before a dividend".to_string()),
    ];
    let triggers: Vec<String> = triggers.into_iter().flatten().collect();
    let mut words = vec![triggers.join(" or ")];
    words.push(match roll.to {
        RollTo::Out => "later".to_string(),
        RollTo::OutUp => "later and up".to_string(),
        RollTo::OutDown => "later and down".to_string(),
        RollTo::SameStrike => "later at the same strike".to_string(),
    });
    if roll.credit_only {
        words.push("for a credit only".to_string());
    }
    let ways = roll.if_unable.iter().map(|way| match way {
        Unable::Hold => "hold",
        Unable::Close => "close",
        Unable::Assign => "leave to assignment",
    });
    words.push(format!("else {}", ways.collect::<Vec<_>>().join(", then ")));
    words.join(", ")
}

fn quotes(options: &Options) -> String {
    let pricing = &options.pricing;
    if let Some(chain) = &pricing.chain {
        let name = chain
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into());
        return format!("of {name}");
    }
    let level = match &pricing.iv {
        ImpliedVol::File(path) => path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        ImpliedVol::Constant(x) => figure::given_percent(*x),
        ImpliedVol::Realized => format!("realised volatility times {}", pricing.rv_to_iv),
    };
    let surface = if pricing.skew { "skewed" } else { "flat" };
    let dividends = if options.by_yield {
        "a yield"
    } else {
        "dated dividends"
    };
    format!("by a model from {level}, {surface} surface, {dividends}")
}

fn fills(options: &Options) -> String {
    let fill = &options.fill;
    let price = match fill.give_up {
        0.0 => "at the mid".to_string(),
        1.0 => "at the other side".to_string(),
        part => format!("{part} of the half-spread given up"),
    };
    let when = match fill.same_close {
        true => "on the quotes that decided them",
        false => "on the next day's quotes, by the calendar at once",
    };
    let early = match fill.assignment {
        Assignment::Optimal => "early assignment when it pays the holder",
        Assignment::NeverEarly => "no early assignment",
        Assignment::Probability => "early assignment in half of the nights that pay the holder",
    };
    let early = if options.contract.american { early } else { "" };
    let words = [price.as_str(), when, early];
    let words = words.into_iter().filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join(", ")
}
