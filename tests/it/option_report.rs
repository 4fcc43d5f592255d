//! What a run says of its options: the payoff of structures by arithmetic, files and tables that add
//! up to the books, the pictures, and the same run where options are priced otherwise.

// Helpers of tests may fail as loudly as tests.
#![allow(clippy::unwrap_used)]

use crate::chart::keep;
use papertape::engine::{read_market, simulate};
use papertape::instrument::Right;
use papertape::market::Market;
use papertape::metrics::options::{of_run, result_of};
use papertape::portfolio::Stream;
use papertape::pricing::payoff::{Payoff, PayoffLeg};
use papertape::report::chart::IncomeChart;
use papertape::report::options::{
    campaigns_csv, options_chart, options_csv, premium_chart, rolls_csv,
};
use papertape::report::summary::Summary;
use papertape::report::text;
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{self, Judged};
use std::path::Path;

fn leg(right: Right, strike: f64, shares: f64, premium: f64) -> PayoffLeg {
    PayoffLeg {
        right,
        strike,
        shares,
        premium,
    }
}

/// The figures that every textbook has for these structures.
#[test]
fn structures_pay_what_the_textbooks_say() {
    let of = |shares: f64, legs: Vec<PayoffLeg>| Payoff {
        shares,
        spot: 100.0,
        legs,
        fees: 0.0,
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    let put = of(0.0, vec![leg(Right::Put, 95.0, -100.0, 2.0)]);
    near(put.bounds().1, 200.0);
    near(put.bounds().0, -9300.0);
    near(put.break_even()[0], 93.0);
    let spread = of(
        0.0,
        vec![
            leg(Right::Put, 95.0, -100.0, 2.0),
            leg(Right::Put, 90.0, 100.0, 0.5),
        ],
    );
    near(spread.bounds().1, 150.0);
    near(spread.bounds().0, -350.0);
    assert_eq!(spread.break_even().len(), 1);
    near(spread.break_even()[0], 93.5);
    let condor = of(
        0.0,
        vec![
            leg(Right::Put, 95.0, -100.0, 2.0),
            leg(Right::Put, 90.0, 100.0, 1.0),
            leg(Right::Call, 105.0, -100.0, 2.0),
            leg(Right::Call, 110.0, 100.0, 1.0),
        ],
    );
    near(condor.break_even()[0], 93.0);
    near(condor.break_even()[1], 107.0);
    near(condor.bounds().0, -300.0);
    let collar = of(
        100.0,
        vec![
            leg(Right::Call, 110.0, -100.0, 1.0),
            leg(Right::Put, 95.0, 100.0, 1.5),
        ],
    );
    near(collar.bounds().0, -550.0);
    near(collar.bounds().1, 950.0);
    near(collar.break_even()[0], 100.5);
    let protected = of(100.0, vec![leg(Right::Put, 95.0, 100.0, 1.5)]);
    assert_eq!(protected.bounds().1, f64::INFINITY);
    near(protected.break_even()[0], 101.5);
}

/// A shipped strategy, run and judged.
fn judged(name: &str, changes: &[(&str, &str)]) -> (Market, Strategy, Judged) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("strategies")
        .join(name);
    let mut overrides = Overrides::default();
    for (key, value) in changes {
        overrides.set.push(((*key).to_owned(), (*value).to_owned()));
    }
    let strategy = Strategy::read(&path, &overrides).unwrap_or_else(|e| panic!("{e}"));
    let market = read_market(&strategy, false).unwrap();
    let outcome = simulate(&market, &strategy).unwrap();
    let judged = study::judge(&market, &strategy, outcome, 42);
    (market, strategy, judged)
}

/// Rows of a file without its header.
fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(cells).collect()
}

#[test]
fn what_the_wheel_says_of_its_options_adds_up_to_its_books() {
    let (market, strategy, judged) = judged("wheel-on-the-index.toml", &[]);
    let run = &judged.outcome.run;
    let figures = of_run(run).unwrap();
    let stream = |wanted: Stream| -> f64 {
        let rows = run.income.iter().filter(|row| row.stream == wanted);
        rows.map(|row| row.amount).sum()
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} is not {b}");
    near(figures.money.received, stream(Stream::Premium));
    near(figures.money.bought_back, stream(Stream::BoughtBack));
    near(figures.money.given_up, stream(Stream::GivenUp));
    // Trades, campaigns and streams are three ways to the same sum.
    let trades: f64 = run.options.trades.iter().map(result_of).sum();
    near(trades, figures.money.kept() + stream(Stream::OptionValue));
    let campaigns = run.options.campaigns.iter();
    let campaigns: f64 = campaigns
        .map(|c| c.credits - c.debits - c.given_up - c.fees)
        .sum();
    near(campaigns, figures.money.kept());
    let table = rows(&options_csv(run));
    assert_eq!(table.len(), run.options.trades.len());
    assert!(table.iter().all(|row| row.len() == 27));
    assert_eq!(rows(&campaigns_csv(run)).len(), run.options.campaigns.len());
    let rolled = run.options.trades.iter();
    let rolled = rolled.filter(|t| t.outcome.is_some_and(|o| o.name() == "rolled"));
    assert_eq!(rows(&rolls_csv(run, &figures)).len(), rolled.count());
    let ended: usize = figures.outcomes.iter().map(|(_, n)| n).sum();
    assert_eq!(ended, figures.written.0 + figures.written.1);

    let summary = Summary::of(&strategy, &judged);
    let page = text::summary(&summary, None);
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
    for word in [
        "Options",
        "kept",
        "1 campaign",
        "without any (realised volatility)",
    ] {
        assert!(page.contains(word), "{word} is not in\n{page}");
    }
    let chart = options_chart(&strategy, &summary, run, &market).unwrap();
    assert_eq!(chart.panels.len(), 1);
    assert_eq!(chart.panels[0].segments.len(), run.options.trades.len());
    let held = chart.panels[0].basis.iter().filter(|v| v.is_finite());
    assert!(held.clone().count() > 20);
    let level = chart.panels[0].price[0];
    assert!(
        held.into_iter()
            .all(|v| (0.5 * level..2.0 * level).contains(v))
    );
    keep("options_wheel", &chart.draw().unwrap());
    let premium = IncomeChart {
        premium: premium_chart(&figures),
        ..IncomeChart::default()
    };
    keep("premium_wheel", &premium.draw().unwrap());
}

/// A premium is an assumption: less of it is worth less, and a wider spread costs.
#[test]
fn the_premium_is_varied_beside_the_headline() {
    let (_, _, judged) = judged("wheel-on-the-index.toml", &[]);
    let cagr = |key: &str| {
        let line = judged.stress.line(key).unwrap_or_else(|| panic!("{key}"));
        line.figure("cagr").unwrap_or_else(|| panic!("{line:?}"))
    };
    assert!(cagr("option_premium") < cagr("as_run"));
    assert!(cagr("option_premium_higher") > cagr("as_run"));
    assert!(cagr("option_spread") < cagr("as_run"));
    assert!(cagr("option_premium_none").is_finite());
    let (_, _, without) = self::judged("rsi-30-70.toml", &[]);
    let line = without.stress.line("option_premium").unwrap();
    assert_eq!(line.result, Err("no options".to_owned()));
    assert!(without.stress.line("option_premium_none").is_none());
}
