//! Pictures of options: segments at strikes, the cost of the shares, the payoff, premium by month.
//! The PNGs are left in the target folder to be looked at.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

use crate::chart::{Walk, keep, micros, no_overlap, weekdays};
use papertape::report::chart::{
    IncomeChart, OptionFate, OptionSegment, OptionsChart, OptionsPanel, PayoffChart, PremiumChart,
    Stream,
};
use proptest::prelude::*;

const DAY: i64 = 86_400_000_000;

/// A wheel on a walk: an option every `step` bars, a put below the price or a call above it.
fn panel(bars: usize, step: usize, seed: u64) -> OptionsPanel {
    let mut walk = Walk(seed);
    let time = weekdays(micros(2010, 1, 4), bars);
    let price = walk.prices(bars, 0.0003, 0.011);
    let mut segments = Vec::new();
    let mut basis = vec![f64::NAN; bars];
    let mut held: Option<f64> = None;
    let mut at = 0;
    while at + step < bars {
        let end = at + step;
        let call = held.is_some();
        let strike = (price[at] * if call { 1.03 } else { 0.97 } / 2.5).round() * 2.5;
        let in_money = (price[end] > strike) == call;
        let fate = match (in_money, segments.len() % 5) {
            (true, 0) => OptionFate::Rolled,
            (true, _) => OptionFate::Assigned,
            (false, 3) => OptionFate::Closed,
            (false, _) => OptionFate::Expired,
        };
        if let Some(cost) = &mut held {
            *cost -= 0.01 * price[at];
            basis[at..end].fill(*cost);
        }
        if fate == OptionFate::Assigned {
            held = (!call).then_some(strike - 0.01 * price[at]);
        }
        segments.push(OptionSegment {
            from: time[at],
            to: time[end],
            strike,
            call,
            bought: false,
            fate,
        });
        at = end;
    }
    if bars > 1 {
        segments.push(OptionSegment {
            from: time[at],
            to: time[bars - 1],
            strike: price[at],
            call: false,
            bought: false,
            fate: OptionFate::Open,
        });
    }
    OptionsPanel {
        symbol: "SPX".into(),
        time,
        price,
        log: false,
        segments,
        basis,
    }
}

fn payoff() -> PayoffChart {
    let price: Vec<f64> = (80..=120).map(f64::from).collect();
    let shares_alone: Vec<f64> = price.iter().map(|p| 100.0 * (p - 100.0)).collect();
    let profit = price.iter().map(|p| 100.0 * (p.min(105.0) - 100.0) + 180.0);
    PayoffChart {
        words: "The first covered call, 4 Jan 2010: 1 contract at 105 for 1.80; at most 680, \
                break-even at 98.20"
            .into(),
        profit: profit.collect(),
        shares_alone,
        price,
        spot: 100.0,
        break_even: vec![98.2],
        unit: "$".into(),
    }
}

fn chart(panels: Vec<OptionsPanel>, payoff: Option<PayoffChart>) -> OptionsChart {
    OptionsChart {
        title: "Wheel on the index: options".into(),
        subtitle: "2010-01-04 to 2014-11-30  ·  SPX".into(),
        panels,
        payoff,
        notes: vec!["Prices before a split are divided by it, strikes too.".into()],
    }
}

fn draw(name: &str, chart: &OptionsChart) {
    keep(&format!("options_{name}"), &chart.draw().unwrap());
}

#[test]
fn options_few_and_many() {
    draw("5y", &chart(vec![panel(1250, 21, 3)], Some(payoff())));
    draw("20y", &chart(vec![panel(5040, 21, 5)], Some(payoff())));
    draw("20y_weekly", &chart(vec![panel(5040, 5, 6)], None));
    draw("3", &chart(vec![panel(70, 21, 7)], Some(payoff())));
    draw("1bar", &chart(vec![panel(1, 21, 7)], None));
    draw("none", &OptionsChart::default());
    let many: Vec<OptionsPanel> = (0..9)
        .map(|i| OptionsPanel {
            symbol: format!("SYM{i}"),
            ..panel(800, 15 + i, 20 + i as u64)
        })
        .collect();
    draw("9symbols", &chart(many, None));
    let mut collar = panel(1250, 21, 11);
    collar.basis.clear();
    let puts: Vec<OptionSegment> = collar
        .segments
        .chunks(3)
        .map(|three| OptionSegment {
            to: three[three.len() - 1].to,
            strike: 0.93 * three[0].strike,
            call: false,
            bought: true,
            ..three[0]
        })
        .collect();
    collar.segments.extend(puts);
    collar.log = true;
    draw("collar", &chart(vec![collar], Some(payoff())));
    let mut odd = panel(300, 10, 13);
    odd.symbol = "a name that goes on and on and on and on and on and on and on".into();
    odd.price[7] = f64::NAN;
    odd.segments[0].strike = f64::NAN;
    odd.segments[1].from -= 900 * DAY;
    odd.segments[2].strike = 0.0;
    odd.log = true;
    let mut nothing = payoff();
    nothing.profit.fill(f64::NAN);
    nothing.spot = f64::NAN;
    nothing.words = "words without an end ".repeat(40);
    draw("odd", &chart(vec![odd], Some(nothing)));
}

#[test]
fn columns_of_different_lengths_are_refused() {
    let mut short = panel(50, 10, 1);
    short.basis.pop();
    let error = chart(vec![short], None).draw().unwrap_err().to_string();
    assert!(error.contains("basis") && error.contains("49"), "{error}");
    let mut short = payoff();
    short.profit.pop();
    let error = chart(vec![], Some(short)).draw().unwrap_err().to_string();
    assert!(error.contains("40 profits"), "{error}");
}

/// Premium of so many months, with what it cost.
fn premium(months: usize, scale: f64) -> PremiumChart {
    let mut walk = Walk(19);
    let mut column = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        let one = |_| scale * f(walk.uniform(), walk.normal());
        (0..months).map(one).collect()
    };
    let received = column(&|u, _| 900.0 + 900.0 * u);
    let names = [
        "bought back",
        "given up at assignment",
        "protection",
        "fees",
    ];
    let columns = [
        column(&|u, _| if u < 0.6 { -900.0 * u } else { 0.0 }),
        column(&|u, n| if u < 0.15 { -2500.0 * n.abs() } else { 0.0 }),
        column(&|_, _| 0.0),
        column(&|_, _| -6.5),
    ];
    let costs: Vec<Stream> = names
        .iter()
        .zip(columns)
        .map(|(name, amounts)| Stream {
            name: (*name).into(),
            amounts,
        })
        .collect();
    let kept = (0..months).map(|m| received[m] + costs.iter().map(|c| c.amounts[m]).sum::<f64>());
    let kept = kept.collect();
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    PremiumChart {
        months: (0..months)
            .map(|m| format!("{} {}", names[m % 12], 1999 + m / 12))
            .collect(),
        received,
        costs,
        kept,
    }
}

#[test]
fn premium_of_one_month_and_of_twenty_years() {
    let draw = |name: &str, premium: PremiumChart| {
        let chart = IncomeChart {
            title: "Wheel on the index: where the money came from".into(),
            unit: "$".into(),
            premium: Some(premium),
            ..IncomeChart::default()
        };
        keep(&format!("premium_{name}"), &chart.draw().unwrap());
    };
    draw("20y", premium(240, 1.0));
    draw("5y", premium(59, 1.0));
    draw("12", premium(12, 1.0));
    draw("1", premium(1, 1.0));
    draw("tiny", premium(24, 1e-6));
    draw("huge", premium(24, 1e9));
    draw("zero", premium(24, 0.0));
    draw("none", PremiumChart::default());
    let mut short = premium(5, 1.0);
    short.kept.pop();
    let chart = IncomeChart {
        premium: Some(short),
        ..IncomeChart::default()
    };
    let error = chart.draw().unwrap_err().to_string();
    assert!(error.contains("kept") && error.contains('4'), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the numbers and names: a picture, and no label on another.
    #[test]
    fn any_options_make_a_picture(
        bars in 1_usize..400,
        step in 1_usize..40,
        scale in prop_oneof![Just(1.0), -1e6..1e6f64, Just(1e12), Just(1e-9), Just(f64::NAN)],
        name in "\\PC{0,40}",
    ) {
        let mut shown = panel(bars, step, 1 + bars as u64);
        shown.symbol = name.clone();
        shown.price.iter_mut().chain(&mut shown.basis).for_each(|v| *v *= scale);
        shown.segments.iter_mut().for_each(|s| s.strike *= scale);
        let mut paid = payoff();
        paid.words = name.clone();
        paid.unit = name;
        paid.profit.iter_mut().for_each(|v| *v *= scale);
        no_overlap("any options", &chart(vec![shown], Some(paid)).draw().unwrap());
        let income = IncomeChart { premium: Some(premium(step, scale)), ..IncomeChart::default() };
        no_overlap("any premium", &income.draw().unwrap());
    }
}
