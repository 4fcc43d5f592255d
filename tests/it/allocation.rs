//! What an account consisted of: shares of equity that the ledger and the closes lead to, beside
//! what the loop recorded.

use papertape::engine::{read_market, simulate};
use papertape::strategy::{Overrides, Strategy};
use papertape::study::{Allocated, Holder, judge_as_it_is};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The parts of a run, its holdings over equity at each bar, and its cash over equity.
fn parts(text: &str, folder: &Path) -> (Vec<Allocated>, Vec<f64>, Vec<f64>) {
    let strategy = Strategy::parse(text, "allocation", folder, &Overrides::default())
        .unwrap_or_else(|e| panic!("{e}"));
    let market = read_market(&strategy, false).unwrap_or_else(|e| panic!("{e}"));
    let outcome = simulate(&market, &strategy).unwrap_or_else(|e| panic!("{e}"));
    let over = |column: &[f64]| -> Vec<f64> {
        let pairs = column.iter().zip(&outcome.run.equity);
        pairs.map(|(a, equity)| a / equity).collect()
    };
    let (held, cash) = (over(&outcome.run.holdings), over(&outcome.run.cash));
    let judged = judge_as_it_is(&market, &strategy, outcome, 42);
    (judged.curves.allocation, held, cash)
}

fn near(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1e-9, "{what}: {a} {b}");
}

#[test]
fn shares_add_up_to_what_the_loop_holds_on_every_shipped_portfolio() {
    let files = [
        "sixty-forty-bands",
        "momentum-top-three",
        "risk-parity",
        "least-variance",
        "dual-momentum",
    ];
    for file in files {
        let folder = root().join("strategies");
        let text = std::fs::read_to_string(folder.join(format!("{file}.toml"))).unwrap();
        let (parts, held, cash) = parts(&text, &folder);
        let is_cash = |part: &&Allocated| part.of == Holder::Cash;
        assert_eq!(parts.iter().filter(is_cash).count(), 1, "{file}");
        let own = |part: &&Allocated| !is_cash(part);
        for bar in 0..held.len() {
            let sum: f64 = parts.iter().filter(own).map(|p| p.share[bar]).sum();
            near(sum, held[bar], file);
            let left = parts.iter().find(is_cash).unwrap().share[bar];
            near(left, cash[bar], file);
        }
        // The largest first, and no more names than can be told apart.
        let averages = parts.iter().filter(|p| matches!(p.of, Holder::Named(_)));
        let averages: Vec<f64> = averages.map(|p| p.average).collect();
        assert!(averages.is_sorted_by(|a, b| a >= b), "{file}: {averages:?}");
        assert!(averages.len() <= 11, "{file}");
    }
}

#[test]
fn splits_and_shorts_leave_shares_what_they_are() {
    // Apple split 2:1 in 2000 and 2005, and 7:1 in 2014; dividends wait between their days.
    let text = "[data]\nsource = \"data/stocks\"\nsymbols = [\"AAPL\", \"IBM\", \"MSFT\"]\n[rank]\nscore = \"close / close[60]\"\nhold = 1\nshort_hold = 1\nevery = \"month\"\n[account]\nkind = \"margin\"\nmargin_rate = 0.05\n[costs]\nborrow_rate = 0.01\n";
    let (parts, held, _) = parts(text, &root());
    let cash = parts.last().unwrap();
    assert_eq!(cash.of, Holder::Cash);
    let mut shorts = 0;
    for (bar, &held) in held.iter().enumerate() {
        let named = &parts[..parts.len() - 1];
        let sum: f64 = named.iter().map(|p| p.share[bar]).sum();
        near(sum, held, "shorts");
        near(sum + cash.share[bar], 1.0, "all");
        shorts += usize::from(named.iter().any(|p| p.share[bar] < -0.3));
    }
    assert!(shorts > 1000, "{shorts}");
}

#[test]
fn layers_are_told_apart_by_their_equity() {
    let folder = root().join("strategies/layered");
    let text = std::fs::read_to_string(folder.join("plan.toml")).unwrap();
    let (parts, held, _) = parts(&text, &folder);
    let names: Vec<_> = parts.iter().map(|p| p.of.clone()).collect();
    let named = |name: &str| Holder::Named(name.to_owned());
    assert_eq!(names, [named("core"), named("momentum"), named("reserve")]);
    for bar in 0..held.len() {
        near(parts.iter().map(|p| p.share[bar]).sum(), 1.0, "layers");
    }
    assert!(
        (parts[0].share[0] - 0.6).abs() < 0.03,
        "{}",
        parts[0].share[0]
    );
}

#[test]
fn rules_have_no_allocation() {
    let folder = root().join("strategies");
    let text = std::fs::read_to_string(folder.join("golden-cross.toml")).unwrap();
    assert!(parts(&text, &folder).0.is_empty());
}
