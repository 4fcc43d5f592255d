//! The rows of `[options]` and of the tables in it.

use crate::strategy::vocabulary::Fallback::{Flag, Number, Unset, Word};
use crate::strategy::vocabulary::Kind::{
    Choice, Expression, Fraction, Mixed, Pair, Path, Rate, Whole, Words,
};
use crate::strategy::vocabulary::{Key, Kind, above, from_to, key};

/// `[options]`.
pub(super) const OPTIONS: &[Key] = &[
    key(
        "structure",
        Choice(&[
            "covered_call",
            "cash_secured_put",
            "wheel",
            "collar",
            "protective_put",
            "put_spread",
            "call_spread",
            "iron_condor",
        ]),
        Unset("must be given"),
        "What is written and held",
    )
    .also(&["type", "kind"]),
    key(
        "width",
        Kind::Number(above(0.0, 1e9)),
        Unset("must be given for spreads"),
        "Distance between the strikes of a spread, in price units",
    ),
    key(
        "strike_step",
        Kind::Number(above(0.0, 1e6)),
        Unset("by price: 0.5 below 25, 1 to 200, 5 above"),
        "Distance between the strikes that a model lists",
    ),
    key(
        "dividends",
        Choice(&["actions", "yield"]),
        Unset("yield if data.dividend_yield is given, else actions"),
        "What option prices know of dividends",
    ),
    key(
        "units",
        Choice(&["account", "index"]),
        Word("account"),
        "Trade contracts in an account, or hold pro-rata units as an index does",
    ),
    key(
        "collateral",
        Choice(&["full", "discounted_net"]),
        Word("full"),
        "Cash kept for a short put: the strike, or its present value less the premium",
    ),
    key(
        "tranches",
        Whole { min: 1, max: 60 },
        Number(1.0),
        "Write in parts, one on each of so many schedule days",
    ),
    key(
        "blackout",
        Path,
        Unset("none"),
        "Dated file of days on which nothing is written",
    ),
];

/// `[options] pricing`.
pub(super) const PRICING: &[Key] = &[
    key(
        "source",
        Choice(&["chain", "model"]),
        Unset("chain if a chain is given, else model"),
        "Quotes of a file, or prices of a model",
    ),
    key(
        "chain",
        Path,
        Unset("none"),
        "File or folder of option quotes",
    ),
    key(
        "iv",
        Mixed {
            words: &["realized"],
            fraction: Some(above(0.0, 5.0)),
            path: true,
        },
        Word("realized"),
        "Implied volatility of the model: a dated file, a fraction a year, or what was realised",
    )
    .also(&["vol", "volatility", "sigma"]),
    key(
        "surface",
        Choice(&["skew", "flat"]),
        Word("skew"),
        "How volatility differs by strike",
    ),
    key(
        "rv_to_iv",
        Fraction(above(0.0, 3.0)),
        Number(1.15),
        "Implied over realised volatility, with iv = \"realized\"",
    ),
    key(
        "rate",
        Rate(from_to(-0.05, 0.5)),
        Unset("cash.yield"),
        "Interest rate a year in option prices",
    ),
];

/// `[options] contract`.
pub(super) const CONTRACT: &[Key] = &[
    key(
        "style",
        Choice(&["american", "european"]),
        Word("american"),
        "When an option may be exercised",
    ),
    key(
        "settlement",
        Choice(&["physical", "cash"]),
        Word("physical"),
        "Whether exercise moves shares or money",
    ),
    key(
        "multiplier",
        Kind::Number(above(0.0, 1e6)),
        Number(100.0),
        "Shares of a contract",
    ),
    key(
        "scale",
        Kind::Number(above(0.0, 1e6)),
        Number(1.0),
        "Prices are multiplied by this: 0.1 trades a tenth of an index, as its ETF",
    ),
];

/// `[options.call]` and `[options.put]`.
pub(super) const LEG: &[Key] = &[
    key(
        "when",
        Expression,
        Unset("always"),
        "Condition that must hold for a sale (a purchase, where the structure buys)",
    )
    .also(&["enter", "if"]),
    key(
        "cycle",
        Choice(&["month", "quarter", "week"]),
        Unset("any listed expiration"),
        "Which expirations are written: monthly, of the March cycle, weekly",
    ),
    key(
        "dte",
        Pair { min: 0, max: 1100 },
        Unset("30 to 45 days without a cycle, else the next expiration"),
        "Days to expiration, least and most",
    )
    .also(&["days", "days_to_expiration"]),
    key(
        "dte_target",
        Whole { min: 0, max: 1100 },
        Unset("the middle of dte"),
        "The days to expiration that are best",
    ),
    key(
        "monthly_only",
        Kind::Flag,
        Flag(false),
        "Third Fridays only",
    ),
    key(
        "delta",
        Fraction(above(0.0, 0.99)),
        Unset("none"),
        "Strike rule: the strike whose delta is nearest, without its sign",
    ),
    key(
        "moneyness",
        Fraction(from_to(-0.9, 2.0)),
        Unset("none"),
        "Strike rule: at least this far out of the money",
    )
    .also(&["otm", "otm_pct"]),
    key(
        "strike",
        Choice(&["atm_above", "atm_below"]),
        Unset("none"),
        "Strike rule: the first strike above or below the price",
    ),
    key(
        "premium",
        Kind::Number(above(0.0, 1e9)),
        Unset("none"),
        "Strike rule: the strike whose price is nearest, in money a share",
    ),
    key(
        "std",
        Kind::Number(from_to(0.0, 10.0)),
        Unset("none"),
        "Strike rule: so many standard deviations out of the money",
    ),
    key(
        "min_open_interest",
        Kind::Number(from_to(0.0, 1e12)),
        Unset("none"),
        "Least open interest",
    ),
    key(
        "min_volume",
        Kind::Number(from_to(0.0, 1e12)),
        Unset("none"),
        "Least volume",
    ),
    key(
        "max_spread_pct",
        Fraction(above(0.0, 2.0)),
        Unset("none"),
        "Widest spread, as a fraction of the mid price",
    ),
    key(
        "min_premium",
        Kind::Number(above(0.0, 1e9)),
        Unset("none"),
        "Least premium a share, at the fill",
    ),
    key(
        "min_annual_yield",
        Fraction(above(0.0, 10.0)),
        Unset("none"),
        "Least premium a year as a fraction of the collateral",
    ),
    key(
        "strike_at_least",
        Choice(&["basis", "net_basis"]),
        Unset("none"),
        "Lowest strike of a call: what the shares cost, or that less premiums",
    ),
    key(
        "cover",
        Fraction(above(0.0, 1.0)),
        Number(1.0),
        "Share of the holding, or of the cash, that is written against",
    ),
    key(
        "contracts",
        Choice(&["whole", "fractional"]),
        Word("whole"),
        "Whole contracts, or fractions of them",
    ),
];

/// `[options.roll]`.
pub(super) const ROLL: &[Key] = &[
    key(
        "profit",
        Fraction(above(0.0, 1.0)),
        Unset("never"),
        "Roll when this share of the premium is earned",
    ),
    key(
        "dte",
        Whole { min: 0, max: 1100 },
        Unset("never"),
        "Roll at so many days to expiration, or fewer",
    ),
    key(
        "delta",
        Fraction(above(0.0, 1.0)),
        Unset("never"),
        "Roll when delta, without its sign, reaches this",
    ),
    key(
        "itm",
        Fraction(from_to(0.0, 2.0)),
        Unset("never"),
        "Roll when the option is so far in the money",
    ),
    key(
        "loss",
        Kind::Number(above(0.0, 1000.0)),
        Unset("never"),
        "Roll when the loss reaches so many times the premium",
    ),
    key(
        "ex_dividend",
        Kind::Flag,
        Flag(false),
        "Roll a call before a dividend that would have it exercised",
    ),
    key(
        "to",
        Choice(&["out", "out_up", "out_down", "same_strike"]),
        Word("out"),
        "Where to: a strike by the leg's rule, only higher, only lower, or the same strike",
    ),
    key(
        "credit_only",
        Kind::Flag,
        Flag(false),
        "A roll must not cost money",
    ),
    key(
        "min_credit",
        Kind::Number(from_to(0.0, 1e9)),
        Number(0.0),
        "Least credit of a roll, in money a share",
    ),
    key(
        "max_dte",
        Whole { min: 1, max: 1100 },
        Unset("the most of the leg's dte, at least 60"),
        "Longest expiration that a roll may go to",
    ),
    key(
        "never_down",
        Kind::Flag,
        Flag(false),
        "A call is never rolled to a lower strike",
    ),
    key(
        "if_unable",
        Words(&["hold", "close", "assign"]),
        Unset("[\"hold\"]"),
        "What happens when no roll is possible, in order",
    ),
];

/// `[options.fill]`.
pub(super) const FILL: &[Key] = &[
    key(
        "price",
        Mixed {
            words: &["mid", "natural"],
            fraction: Some(from_to(0.0, 1.0)),
            path: false,
        },
        Number(0.5),
        "What a fill pays: the mid, the other side of the quote, or a fraction of the half-spread",
    ),
    key(
        "half_spread_pct",
        Fraction(from_to(0.0, 0.5)),
        Unset("0.01 for an index or ETF, 0.03 for a stock"),
        "Half of a model's spread, as a fraction of the mid, at least 0.01 of money",
    ),
    key(
        "when",
        Choice(&["next_day", "same_close"]),
        Word("next_day"),
        "On which quotes a decision fills: the next day's, or those that decided it",
    ),
    key(
        "assignment",
        Choice(&["optimal", "never_early", "probability"]),
        Word("optimal"),
        "Whether the holder exercises before expiration",
    ),
];
