//! `[options]`: which options are written and held, on which prices, and what happens to them.
//!
//! Values only; what they mean from close to close is in `engine/options`.

use crate::error::Problem;
use crate::strategy::resolve::Values;
use crate::strategy::{AccountKind, ExprText, Prices, Rate, Strategy};
use std::path::PathBuf;

/// `[options] structure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Shares, and a call written on them.
    CoveredCall,
    /// A put written against its strike in cash.
    CashSecuredPut,
    /// Puts until shares are assigned, then calls until they are called away.
    Wheel,
    /// Shares, a put held, a call written.
    Collar,
    /// Shares and a put held.
    ProtectivePut,
    /// A put written, one further down held.
    PutSpread,
    /// A call written, one further up held.
    CallSpread,
    /// A put spread and a call spread.
    IronCondor,
}

impl Structure {
    /// Its word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Structure::CoveredCall => "covered_call",
            Structure::CashSecuredPut => "cash_secured_put",
            Structure::Wheel => "wheel",
            Structure::Collar => "collar",
            Structure::ProtectivePut => "protective_put",
            Structure::PutSpread => "put_spread",
            Structure::CallSpread => "call_spread",
            Structure::IronCondor => "iron_condor",
        }
    }

    /// It holds shares from the start.
    pub fn holds_shares(self) -> bool {
        matches!(
            self,
            Structure::CoveredCall | Structure::Collar | Structure::ProtectivePut
        )
    }

    /// It writes or buys calls.
    pub fn has_call(self) -> bool {
        !matches!(
            self,
            Structure::CashSecuredPut | Structure::ProtectivePut | Structure::PutSpread
        )
    }

    /// It writes or buys puts.
    pub fn has_put(self) -> bool {
        !matches!(self, Structure::CoveredCall | Structure::CallSpread)
    }

    /// It buys puts instead of writing them.
    pub fn buys_puts(self) -> bool {
        matches!(self, Structure::Collar | Structure::ProtectivePut)
    }

    /// Each option written has one further out beside it.
    pub fn is_spread(self) -> bool {
        matches!(
            self,
            Structure::PutSpread | Structure::CallSpread | Structure::IronCondor
        )
    }
}

/// Where implied volatility comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ImpliedVol {
    /// A dated file, in points or as a fraction.
    File(PathBuf),
    /// The same fraction a year throughout.
    Constant(f64),
    /// What was realised over 21 bars, times `rv_to_iv`.
    Realized,
}

/// Where option prices come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Pricing {
    /// File or folder of quotes; `None` prices by model.
    pub chain: Option<PathBuf>,
    /// Volatility of the model.
    pub iv: ImpliedVol,
    /// Volatility differs by strike.
    pub skew: bool,
    /// Implied over realised volatility.
    pub rv_to_iv: f64,
    /// Moves the level of the surface: what a volatility premium that is assumed is varied by.
    pub level_shift: f64,
    /// Interest rate; `None` is `[cash] yield`.
    pub rate: Option<Rate>,
}

/// `[options] contract`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContractTerms {
    /// It may be exercised before it expires.
    pub american: bool,
    /// Exercise moves shares, not money.
    pub physical: bool,
    /// Shares of a contract.
    pub multiplier: f64,
    /// What prices of the underlying are multiplied by.
    pub scale: f64,
}

/// `cycle` of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycle {
    /// Third Fridays.
    Month,
    /// Third Fridays of March, June, September, December.
    Quarter,
    /// Every Friday.
    Week,
}

/// How a leg chooses its strike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StrikeRule {
    /// Nearest delta, without its sign; in a tie the strike further out.
    Delta(f64),
    /// At least so far out of the money.
    Moneyness(f64),
    /// First strike at or above the price.
    AtmAbove,
    /// First strike at or below it.
    AtmBelow,
    /// Nearest price of the option.
    Premium(f64),
    /// So many standard deviations out.
    Std(f64),
}

/// Floor under the strike of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrikeFloor {
    /// The strike at which the shares were assigned, or what they cost.
    Basis,
    /// That less the premiums since.
    NetBasis,
}

/// `[options.call]` or `[options.put]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// Condition of an entry.
    pub when: Option<ExprText>,
    /// Which expirations.
    pub cycle: Option<Cycle>,
    /// Days to expiration, least and most.
    pub dte: Option<(u32, u32)>,
    /// Best days to expiration.
    pub dte_target: Option<u32>,
    /// Third Fridays only.
    pub monthly_only: bool,
    /// Strike rule.
    pub strike: StrikeRule,
    /// Least open interest.
    pub min_open_interest: Option<f64>,
    /// Least volume.
    pub min_volume: Option<f64>,
    /// Widest spread over mid.
    pub max_spread_pct: Option<f64>,
    /// Least premium a share.
    pub min_premium: Option<f64>,
    /// Least premium a year over collateral.
    pub min_annual_yield: Option<f64>,
    /// Floor under the strike.
    pub floor: Option<StrikeFloor>,
    /// Share of the holding or cash.
    pub cover: f64,
    /// Fractions of contracts are allowed.
    pub fractional: bool,
}

/// `to` of `[options.roll]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollTo {
    /// A strike by the leg's rule.
    Out,
    /// Only higher.
    OutUp,
    /// Only lower.
    OutDown,
    /// The same strike.
    SameStrike,
}

/// What happens when no roll is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unable {
    /// The option stays.
    Hold,
    /// It is bought back.
    Close,
    /// It stays until it is assigned or expires, and is not tried again.
    Assign,
}

/// `[options.roll]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Roll {
    /// Share of the premium earned.
    pub profit: Option<f64>,
    /// Days to expiration, at or below.
    pub dte: Option<u32>,
    /// Delta without its sign.
    pub delta: Option<f64>,
    /// Fraction in the money.
    pub itm: Option<f64>,
    /// Loss over premium.
    pub loss: Option<f64>,
    /// Before a dividend that would have the call exercised.
    pub ex_dividend: bool,
    /// Where to.
    pub to: RollTo,
    /// Must not cost money.
    pub credit_only: bool,
    /// Least credit a share.
    pub min_credit: f64,
    /// Longest expiration, in days.
    pub max_dte: Option<u32>,
    /// A call goes to no lower strike.
    pub never_down: bool,
    /// What else, in order.
    pub if_unable: Vec<Unable>,
}

/// `assignment` of `[options.fill]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// Whenever it is worth more to the holder.
    Optimal,
    /// At expiration only.
    NeverEarly,
    /// In half of the nights in which it is worth more, drawn by seed.
    Probability,
}

/// `[options.fill]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionFill {
    /// Fraction of the half-spread that a fill gives up: 0 is the mid, 1 the other side.
    pub give_up: f64,
    /// Half of a model's spread over the mid; `None` by kind of underlying.
    pub half_spread_pct: Option<f64>,
    /// Decisions fill on the quotes that decided them.
    pub same_close: bool,
    /// Early exercise.
    pub assignment: Assignment,
}

/// `[options]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is written and held.
    pub structure: Structure,
    /// Distance between the strikes of a spread.
    pub width: Option<f64>,
    /// Where prices come from.
    pub pricing: Pricing,
    /// The contract.
    pub contract: ContractTerms,
    /// Strikes that a model lists.
    pub strike_step: Option<f64>,
    /// Prices know a continuous yield instead of dated dividends.
    pub by_yield: bool,
    /// Pro-rata units instead of contracts.
    pub index_units: bool,
    /// Collateral of a put is the present value of the strike less the premium.
    pub discounted_net: bool,
    /// Parts, one a schedule day.
    pub tranches: u32,
    /// Days without entries.
    pub blackout: Option<PathBuf>,
    /// Calls.
    pub call: Option<Leg>,
    /// Puts.
    pub put: Option<Leg>,
    /// Rolling.
    pub roll: Option<Roll>,
    /// Fills.
    pub fill: OptionFill,
}

/// The table, `None` when the file has none of its keys.
pub(super) fn options(values: &Values<'_>, problems: &mut Vec<Problem>) -> Option<Options> {
    if !values.any("options.") {
        return None;
    }
    let structure = structure(values, problems)?;
    for (has, leg) in [(structure.has_call(), "call"), (structure.has_put(), "put")] {
        if !has && values.any(&format!("options.{leg}.")) {
            let key = values.first(&format!("options.{leg}."));
            problems.push(
                values
                    .problem(&key, format!("a {} has no {leg}", structure.name()))
                    .help(format!("leave [options.{leg}] out")),
            );
        }
    }
    let chain = values.path("options.pricing.chain");
    let by_model = values.text("options.pricing.source").as_deref() == Some("model");
    if values.text("options.pricing.source").as_deref() == Some("chain") && chain.is_none() {
        problems.push(
            values
                .problem("options.pricing.source", "prices of a chain need its file")
                .help("pricing = { source = \"chain\", chain = \"chain.parquet\" }"),
        );
    }
    let width = values.number("options.width");
    if structure.is_spread() && width.is_none() {
        problems.push(
            values
                .problem(
                    "options.structure",
                    format!("a {} needs options.width", structure.name()),
                )
                .help("width = 5 puts the option that is held 5 further out than the one written"),
        );
    }
    let yielding = values.rate("data.dividend_yield").is_some();
    Some(Options {
        structure,
        width,
        pricing: Pricing {
            chain: chain.filter(|_| !by_model),
            ..pricing(values)
        },
        contract: ContractTerms {
            american: values.word("options.contract.style") != "european",
            physical: values.word("options.contract.settlement") != "cash",
            multiplier: values.number_or("options.contract.multiplier", 100.0),
            scale: values.number_or("options.contract.scale", 1.0),
        },
        strike_step: values.number("options.strike_step"),
        by_yield: match values.text("options.dividends").as_deref() {
            Some(word) => word == "yield",
            None => yielding,
        },
        index_units: values.word("options.units") == "index",
        discounted_net: values.word("options.collateral") == "discounted_net",
        tranches: values.whole("options.tranches").unwrap_or(1),
        blackout: values.path("options.blackout"),
        call: structure
            .has_call()
            .then(|| leg(values, "call", structure, problems)),
        put: structure
            .has_put()
            .then(|| leg(values, "put", structure, problems)),
        roll: values.any("options.roll.").then(|| roll(values)),
        fill: fill(values),
    })
}

fn structure(values: &Values<'_>, problems: &mut Vec<Problem>) -> Option<Structure> {
    let word = values.text("options.structure");
    let all = [
        Structure::CoveredCall,
        Structure::CashSecuredPut,
        Structure::Wheel,
        Structure::Collar,
        Structure::ProtectivePut,
        Structure::PutSpread,
        Structure::CallSpread,
        Structure::IronCondor,
    ];
    let found = word.and_then(|word| all.into_iter().find(|s| s.name() == word));
    if found.is_none() && !values.tried("options.structure") {
        let key = values.first("options.");
        problems.push(
            values
                .problem(&key, "[options] does not say which structure")
                .help("add structure = \"covered_call\", \"cash_secured_put\" or \"wheel\", for example"),
        );
    }
    found
}

fn pricing(values: &Values<'_>) -> Pricing {
    let iv = match (
        values.path("options.pricing.iv"),
        values.number("options.pricing.iv"),
    ) {
        (Some(path), _) => ImpliedVol::File(path),
        (None, Some(x)) => ImpliedVol::Constant(x),
        (None, None) => ImpliedVol::Realized,
    };
    Pricing {
        chain: None,
        iv,
        skew: values.word("options.pricing.surface") != "flat",
        rv_to_iv: values.number_or("options.pricing.rv_to_iv", 1.15),
        level_shift: 0.0,
        rate: values.rate("options.pricing.rate"),
    }
}

fn leg(values: &Values<'_>, name: &str, structure: Structure, problems: &mut Vec<Problem>) -> Leg {
    let at = |key: &str| format!("options.{name}.{key}");
    let number = |key: &str| values.number(&at(key));
    let dte = values.pair(&at("dte"));
    let dte_target = values.whole(&at("dte_target"));
    if let (Some((least, most)), Some(target)) = (dte, dte_target)
        && !(least..=most).contains(&target)
    {
        problems.push(values.problem(
            &at("dte_target"),
            format!("{target} days lie outside dte = [{least}, {most}]"),
        ));
    }
    let floor = match values.text(&at("strike_at_least")).as_deref() {
        Some("net_basis") => Some(StrikeFloor::NetBasis),
        Some(_) => Some(StrikeFloor::Basis),
        None => None,
    };
    if floor.is_some() && name == "put" {
        problems.push(
            values
                .problem(&at("strike_at_least"), "strike_at_least is for calls")
                .help("it keeps shares from being called away below what they cost"),
        );
    }
    Leg {
        when: values.expression(&at("when")),
        cycle: match values.text(&at("cycle")).as_deref() {
            Some("quarter") => Some(Cycle::Quarter),
            Some("week") => Some(Cycle::Week),
            Some(_) => Some(Cycle::Month),
            None => None,
        },
        dte,
        dte_target,
        monthly_only: values.flag(&at("monthly_only")),
        strike: strike_rule(values, name, structure, problems),
        min_open_interest: number("min_open_interest"),
        min_volume: number("min_volume"),
        max_spread_pct: number("max_spread_pct"),
        min_premium: number("min_premium"),
        min_annual_yield: number("min_annual_yield"),
        floor,
        cover: values.number_or(&at("cover"), 1.0),
        fractional: values.word(&at("contracts")) == "fractional",
    }
}

/// One strike rule; 0.30 delta where none is given (0.25 for what is bought).
fn strike_rule(
    values: &Values<'_>,
    name: &str,
    structure: Structure,
    problems: &mut Vec<Problem>,
) -> StrikeRule {
    const RULES: [&str; 5] = ["delta", "moneyness", "strike", "premium", "std"];
    let at = |key: &str| format!("options.{name}.{key}");
    let given: Vec<&str> = RULES
        .into_iter()
        .filter(|key| values.given(&at(key)).is_some())
        .collect();
    if let [first, second, ..] = given.as_slice() {
        problems.push(
            values
                .problem(
                    &at(second),
                    format!("`{first}` and `{second}` both choose the strike"),
                )
                .help("a leg has one strike rule"),
        );
    }
    let number = |key: &str| values.number(&at(key)).unwrap_or(0.0);
    match given.first().copied() {
        Some("delta") => StrikeRule::Delta(number("delta")),
        Some("moneyness") => StrikeRule::Moneyness(number("moneyness")),
        Some("strike") if values.word(&at("strike")) == "atm_below" => StrikeRule::AtmBelow,
        Some("strike") => StrikeRule::AtmAbove,
        Some("premium") => StrikeRule::Premium(number("premium")),
        Some("std") => StrikeRule::Std(number("std")),
        _ if name == "put" && structure.buys_puts() => StrikeRule::Moneyness(0.05),
        _ => StrikeRule::Delta(0.30),
    }
}

fn roll(values: &Values<'_>) -> Roll {
    let number = |key: &str| values.number(&format!("options.roll.{key}"));
    let unable = |word: &String| match word.as_str() {
        "close" => Unable::Close,
        "assign" => Unable::Assign,
        _ => Unable::Hold,
    };
    let if_unable = values.words("options.roll.if_unable");
    Roll {
        profit: number("profit"),
        dte: values.whole("options.roll.dte"),
        delta: number("delta"),
        itm: number("itm"),
        loss: number("loss"),
        ex_dividend: values.flag("options.roll.ex_dividend"),
        to: match values.word("options.roll.to").as_str() {
            "out_up" => RollTo::OutUp,
            "out_down" => RollTo::OutDown,
            "same_strike" => RollTo::SameStrike,
            _ => RollTo::Out,
        },
        credit_only: values.flag("options.roll.credit_only"),
        min_credit: values.number_or("options.roll.min_credit", 0.0),
        max_dte: values.whole("options.roll.max_dte"),
        never_down: values.flag("options.roll.never_down"),
        if_unable: match if_unable.is_empty() {
            true => vec![Unable::Hold],
            false => if_unable.iter().map(unable).collect(),
        },
    }
}

fn fill(values: &Values<'_>) -> OptionFill {
    OptionFill {
        give_up: match values.text("options.fill.price").as_deref() {
            Some("mid") => 0.0,
            Some("natural") => 1.0,
            _ => values.number_or("options.fill.price", 0.5),
        },
        half_spread_pct: values.number("options.fill.half_spread_pct"),
        same_close: values.word("options.fill.when") == "same_close",
        assignment: match values.word("options.fill.assignment").as_str() {
            "never_early" => Assignment::NeverEarly,
            "probability" => Assignment::Probability,
            _ => Assignment::Optimal,
        },
    }
}

/// What cannot stand beside `[options]`, or not with this structure.
pub(super) fn check(values: &Values<'_>, s: &Strategy, problems: &mut Vec<Problem>) {
    let Some(options) = &s.options else { return };
    let mut refuse = |is_so: bool, key: &str, message: &str, help: &str| {
        if is_so {
            let key = match values.given(key) {
                Some(_) => key.to_owned(),
                None => values.first("options."),
            };
            problems.push(values.problem(&key, message).help(help));
        }
    };
    let structure = options.structure;
    let alone = s.decides_by_options_alone();
    refuse(
        s.account.kind == AccountKind::Margin,
        "account.kind",
        "[options] needs a cash account",
        "written options are covered by shares and cash here, never by credit",
    );
    refuse(
        s.rules.short.is_some(),
        "rules.short",
        "[options] does not go with shorts",
        "a call is covered by shares that are held",
    );
    let protects = s.stops.stop.is_some() || s.stops.target.is_some() || s.stops.trail.is_some();
    refuse(
        protects && structure.has_call() && !structure.is_spread(),
        "stops.stop",
        "[stops] would sell shares from under their calls",
        "let [rules] exit sell them: the calls are bought back first; or roll at a loss with options.roll.loss",
    );
    refuse(
        structure == Structure::Wheel && !alone,
        "options.structure",
        "a wheel chooses its shares itself",
        "beside [rules], [rank] or [weights] use \"covered_call\" or \"cash_secured_put\"",
    );
    refuse(
        s.tax.is_some(),
        "tax.short_rate",
        "[tax] does not know options yet",
        "leave [tax] out, and tax the figures of trades.csv by hand",
    );
    refuse(
        options.pricing.chain.is_some(),
        "options.pricing.chain",
        "an account on quotes of a chain is not yet part of papertape",
        "pricing = { source = \"model\", iv = 0.2 } prices by a model; `data check` and `data show` read chains",
    );
    refuse(
        options.pricing.chain.is_some() && s.data.prices == Prices::Adjusted,
        "data.prices",
        "quotes of a chain belong to prices as traded",
        "prices = \"raw\", or price by a model: strikes then live in adjusted prices",
    );
    check_units(values, options, alone, problems);
}

/// Pro-rata units exist for what published indices hold, and nothing else moves them.
fn check_units(values: &Values<'_>, options: &Options, alone: bool, problems: &mut Vec<Problem>) {
    if !options.index_units {
        return;
    }
    let has_units =
        options.structure.holds_shares() || options.structure == Structure::CashSecuredPut;
    let reason = if !has_units {
        Some(format!(
            "a {} has no pro-rata units",
            options.structure.name()
        ))
    } else if !alone {
        Some("pro-rata units hold their own shares".to_owned())
    } else if options.roll.is_some() {
        Some("pro-rata units are held to expiration".to_owned())
    } else {
        None
    };
    if let Some(reason) = reason {
        problems.push(
            values
                .problem("options.units", reason)
                .help("units = \"account\" trades contracts"),
        );
    }
}
