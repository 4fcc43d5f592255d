//! What a single strategy can do, a strategy of layers can: be explained, stressed, swept, walked
//! forward, checked, verified and made again, with a model in a layer too.

use crate::layers::{adds_up, day, market, near, read};
use papertape::engine::{
    Variation, Variations, backtest, backtest_bare, explain, read_market, simulate,
};
use papertape::market::date_of;
use papertape::strategy::{Overrides, Strategy, SweepMethod};
use papertape::study::sweep::{Choice, Field, Watch};
use papertape::study::{Ask, causality, first_difference, judge, trial_ledger};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

fn plan() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies/layered/plan.toml")
}

/// Two layers over the shipped prices, with params, taxes, a walk and feeds.
fn files(dir: &Path) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks");
    let data = data.display();
    let core = format!(
        "[data]\nsource = \"{data}\"\nsymbols = [\"IBM\", \"MSFT\"]\n[params]\nlow = 30\n\
         [rules]\nenter = \"rsi(14) < low\"\nexit = \"rsi(14) > 70\"\n[costs]\ncommission = 0.001\n"
    );
    let rest = format!(
        "[data]\nsource = \"{data}\"\nsymbols = [\"AAPL\", \"GOOG\", \"IBM\"]\n\
         [rank]\nscore = \"roc(close, 60)\"\nhold = 2\nevery = \"month\"\n[costs]\nslippage_bps = 5\n"
    );
    let outer = "[[layer]]\nname = \"core\"\nstrategy = \"core.toml\"\nweight = 2\nrebalance = \"year\"\n\
                 feeds = { dividends = \"rest\" }\n[[layer]]\nname = \"rest\"\nstrategy = \"rest.toml\"\n\
                 [cash]\nyield = 0.02\n[tax]\nshort_rate = 0.3\nlong_rate = 0.15\ndividend_rate = 0.15\ninterest_rate = 0.3\n\
                 [sweep]\n\"layer.core.params.low\" = [20, 30, 40]\n\
                 [walk_forward]\ntrain = \"3y\"\ntest = \"2y\"\n";
    for (name, text) in [
        ("core", core.as_str()),
        ("rest", rest.as_str()),
        ("two", outer),
    ] {
        std::fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    }
}

fn output(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
    command.args(args).current_dir(dir).output().unwrap()
}

fn done(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

fn refused(dir: &Path, args: &[&str]) -> String {
    let out = output(dir, args);
    assert_eq!(out.status.code(), Some(2), "{args:?}");
    String::from_utf8(out.stderr).unwrap()
}

#[test]
fn orders_of_a_close_are_explained_in_their_layer() {
    let strategy = Strategy::read(&plan(), &Overrides::default()).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let run = backtest(&market, &strategy).unwrap();
    for (place, order) in run.orders.iter().enumerate().step_by(9) {
        let time = run.time[order.decided - run.first_bar];
        let symbol = &run.symbols[order.symbol];
        let layer = run.layers.name(&run.layers.orders, place);
        let explained = explain(&market, &strategy, date_of(time), Some(symbol)).unwrap();
        let mut own = explained
            .iter()
            .filter(|one| one.layer.as_deref() == Some(layer));
        let one = own.next().expect("its layer");
        assert!(own.next().is_none());
        let told: Vec<_> = one.decided.iter().map(|d| &d.order).collect();
        assert!(told.contains(&order), "{layer} {symbol} {}", date_of(time));
        // Whoever has another strategy for the symbol says so himself.
        let all = explained.iter().flat_map(|one| &one.decided).count();
        let here = run.orders.iter();
        let here = here.filter(|o| o.decided == order.decided && o.symbol == order.symbol);
        assert_eq!(all, here.count());
    }
    let all = explain(&market, &strategy, date_of(run.time[900]), None).unwrap();
    let equity: f64 = ["core", "momentum", "reserve"]
        .iter()
        .map(|name| {
            let one = all.iter().find(|one| one.layer.as_deref() == Some(name));
            one.expect("a layer").equity
        })
        .sum();
    near(equity, run.equity[900]);
}

#[test]
fn a_layered_run_is_put_under_stress() {
    let strategy = Strategy::read(&plan(), &Overrides::default()).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let outcome = simulate(&market, &strategy).unwrap();
    let own = Variations::new(&market, &strategy).unwrap();
    assert_eq!(own.run(&Variation::default()).equity, outcome.run.equity);
    // The momentum layer decides once a month.
    assert_eq!(own.schedule_days(), Some(21));
    let stress = judge(&market, &strategy, outcome, 42).stress;
    let total = |key: &str| {
        let line = stress.line(key).unwrap();
        line.figure("total_return")
            .unwrap_or_else(|| panic!("{key}: {:?}", line.result))
    };
    assert!(total("costs_doubled") < total("as_run"));
    assert!(total("one_bar_later") != total("as_run"));
    assert!(total("rebalance_day_min") <= total("as_run"));
    assert!(total("rebalance_day_max") >= total("as_run"));
    let random = stress.line("random_entries").unwrap();
    assert!(random.result.as_ref().unwrap_err().contains("layers"));
}

#[test]
fn layers_one_bar_later_are_layers_whose_rules_look_a_bar_back() {
    let wave = |k: f64| -> Vec<f64> {
        (0..200)
            .map(|i| 20.0 + 4.0 * libm::sin(f64::from(i) * k))
            .collect()
    };
    let market = market(&[("A", &wave(0.31)), ("B", &wave(0.17))]);
    let outer = "[[layer]]\nname = \"a\"\nstrategy = \"a.toml\"\nrebalance = \"week\"\n[[layer]]\nname = \"b\"\nstrategy = \"b.toml\"\n\
                 [tax]\nshort_rate = 0.3\nlong_rate = 0.1\n";
    let rules = |symbol: &str, enter: &str, exit: &str| {
        format!(
            "[data]\nsource = \"data\"\nsymbols = [\"{symbol}\"]\n[rules]\nenter = \"{enter}\"\nexit = \"{exit}\"\n[costs]\ncommission = 0.001\n"
        )
    };
    let now = [
        ("a", rules("A", "rsi(4) < 40", "rsi(4) > 60")),
        ("b", rules("B", "close > sma(5)", "close < sma(5)")),
    ];
    let back = [
        ("a", rules("A", "(rsi(4) < 40)[1]", "(rsi(4) > 60)[1]")),
        (
            "b",
            rules("B", "(close > sma(5))[1]", "(close < sma(5))[1]"),
        ),
    ];
    let of = |files: &[(&str, String); 2]| {
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        read(outer, &files).unwrap()
    };
    let (now, back) = (of(&now), of(&back));
    let later = Variations::new(&market, &now).unwrap().run(&Variation {
        one_bar_later: true,
        ..Variation::default()
    });
    let spelled = backtest_bare(&market, &back).unwrap();
    assert!(spelled.trades.len() > 9, "{}", spelled.trades.len());
    assert_eq!(later.orders, spelled.orders);
    assert_eq!(later.equity, spelled.equity);
}

#[test]
fn a_drift_that_is_watched_is_acted_on_one_bar_later() {
    let mut a = vec![10.0; 10];
    a.extend([15.0; 10]);
    let market = market(&[("A", &a), ("B", &[10.0; 20])]);
    let text = "[data]\nsource = \"data\"\n[weights]\ntargets = { A = 0.5, B = 0.5 }\ndrift_abs = 0.05\n[costs]\npreset = \"none\"\n";
    let strategy = read(text, &[]).unwrap();
    let variations = Variations::new(&market, &strategy).unwrap();
    let decided = |one_bar_later: bool| {
        let run = variations.run(&Variation {
            one_bar_later,
            ..Variation::default()
        });
        run.orders.iter().map(|o| o.decided).collect::<Vec<_>>()
    };
    assert_eq!(decided(false), [0, 0, 10, 10]);
    assert_eq!(decided(true), [1, 1, 11, 11]);
}

#[test]
fn a_deposit_buys_what_lacks_most_of_its_target() {
    // 70% of A and 30% of B: after A fell A lacks, though B is worth less.
    let mut a = vec![10.0; 5];
    a.extend([8.0; 5]);
    let market = market(&[("A", &a), ("B", &[10.0; 10])]);
    let bought = |selector: &str| {
        let text = format!(
            "[data]\nsource = \"data\"\n{selector}[costs]\npreset = \"none\"\n[account]\ncash = 1000\n\
             [[cashflow]]\namount = 50\nstart = 2001-01-10\ninvest = \"most_underweight\"\n"
        );
        let run = backtest(&market, &read(&text, &[]).unwrap()).unwrap();
        let last = run.orders.last().unwrap();
        (last.decided, last.symbol)
    };
    let weights = "[weights]\ntargets = { A = 0.7, B = 0.3 }\n";
    assert_eq!(bought(weights), (7, 0));
    // Rules want the same of both, and A is worth less.
    assert_eq!(bought("[rules]\nenter = \"close > 0\"\n"), (7, 0));
    let weights = "[weights]\ntargets = { A = 0.3, B = 0.7 }\n";
    assert_eq!(bought(weights), (7, 0));
    let mut risen = vec![10.0; 5];
    risen.extend([11.0; 5]);
    let market = crate::layers::market(&[("A", &risen), ("B", &[10.0; 10])]);
    let text = format!(
        "[data]\nsource = \"data\"\n{weights}[costs]\npreset = \"none\"\n[account]\ncash = 1000\n\
         [[cashflow]]\namount = 50\nstart = 2001-01-10\ninvest = \"most_underweight\"\n"
    );
    let run = backtest(&market, &read(&text, &[]).unwrap()).unwrap();
    assert_eq!(run.orders.last().unwrap().symbol, 1);
}

#[test]
fn a_flow_before_the_first_bar_is_a_caveat() {
    let market = market(&[("A", &[10.0; 30])]);
    let text = "[data]\nsource = \"data\"\n[rules]\nenter = \"close > 0\"\n[[cashflow]]\namount = 700\nstart = 2000-12-29\n\
                [[cashflow]]\namount = 5\nevery = \"week\"\nstart = 2000-01-01\n";
    let strategy = read(text, &[]).unwrap();
    let outcome = simulate(&market, &strategy).unwrap();
    assert_eq!(outcome.run.flows.iter().filter(|f| **f > 100.0).count(), 0);
    let caveats = judge(&market, &strategy, outcome, 42).caveats;
    let words: Vec<String> = caveats.iter().map(ToString::to_string).collect();
    let found = words.iter().find(|w| w.contains("before the first bar"));
    assert!(
        found.is_some_and(|w| w.starts_with("1 flow") && w.contains("700.00")),
        "{words:?}"
    );
}

/// A layer with a forecast beside one without.
fn learning() -> Strategy {
    let outer = "[[layer]]\nname = \"learned\"\nstrategy = \"learned.toml\"\n[[layer]]\nname = \"other\"\nstrategy = \"other.toml\"\n";
    let learned = "[data]\nsource = \"data\"\nsymbols = [\"A\", \"B\"]\n[model]\nfeatures = [\"roc(close, 1)\", \"roc(close, 5)\"]\n\
                   target = \"forward_return(2)\"\nfit_window = 120\nrefit = 20\n[rules]\nenter = \"model > 0\"\nexit = \"model < 0\"\n";
    let other = "[data]\nsource = \"data\"\nsymbols = [\"B\"]\n[model]\nfeatures = [\"roc(close, 3)\"]\n\
                 target = \"forward_return(1)\"\nfit_window = 100\nrefit = 30\n[rules]\nenter = \"model > 0.001\"\nexit = \"model < 0\"\n";
    read(outer, &[("learned", learned), ("other", other)]).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_model_in_a_layer_is_its_own() {
    let wave = |k: f64| -> Vec<f64> {
        let price =
            |i: i32| 20.0 + 4.0 * libm::sin(f64::from(i) * k) + 0.3 * libm::sin(f64::from(i * i));
        (0..400).map(price).collect()
    };
    let market = market(&[("A", &wave(0.31)), ("B", &wave(0.17))]);
    let strategy = learning();
    let run = backtest(&market, &strategy).unwrap();
    adds_up(&run);
    for (of, layer) in run.layers.runs.iter().enumerate() {
        let trades = run.layers.trades.iter().filter(|l| **l == of).count();
        assert!(trades > 5, "{}: {trades}", layer.name);
        // Alone with its part of the cash it does the same.
        let mut alone = strategy.layers[of].strategy.clone();
        alone
            .data
            .symbols
            .clone_from(&strategy.layers[of].strategy.data.symbols);
        let alone = backtest(&market, &alone).unwrap();
        assert_eq!(alone.equity, layer.equity);
    }
    // Fitted anew without the future, it decides the same.
    for cut in [150, 222, 301, 380] {
        let part = backtest(&market.until(day(cut)), &strategy).unwrap();
        assert_eq!(first_difference(&run, &part), None);
    }
}

#[test]
fn the_look_ahead_audit_sees_every_layer() {
    let strategy = Strategy::read(&plan(), &Overrides::default()).unwrap();
    let market = read_market(&strategy, false).unwrap();
    let audit = causality(&market, &strategy, 42, None).unwrap();
    assert!(audit.findings.is_empty(), "{:?}", audit.findings);
    assert!(audit.cuts.len() > 10);
}

#[test]
fn params_of_a_layer_are_set_swept_and_walked() {
    let dir = std::env::temp_dir().join(format!("papertape-layered-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    files(&dir);
    let file = dir.join("two.toml");
    // A setting is that of the layer's file.
    let set = |low: &str| Overrides {
        set: vec![("layer.core.params.low".to_owned(), low.to_owned())],
        ..Overrides::default()
    };
    let strategy = Strategy::read(&file, &set("25")).unwrap();
    assert_eq!(
        strategy.layers[0].strategy.params,
        [("low".to_owned(), 25.0)]
    );
    let said = |key: &str| strategy.assumptions.iter().find(|(k, ..)| k == key);
    assert_eq!(said("layer.core.params.low").unwrap().1, "25");
    let other = Strategy::read(&file, &set("30")).unwrap();
    assert_ne!(
        trial_ledger::group_key(&strategy),
        trial_ledger::group_key(&other)
    );
    // Each row of the sweep is the run with that setting.
    let strategy = Strategy::read(&file, &Overrides::default()).unwrap();
    let field = Field::new(strategy, Overrides::default(), Some(2), false).unwrap();
    let mut rows = Vec::new();
    let never = AtomicBool::new(false);
    let watch = Watch {
        cancel: &never,
        progress: &|_| (),
    };
    let ask = Ask::Figures;
    field
        .measure(
            &Choice::of(&field.space, SweepMethod::Grid, None, 42).unwrap(),
            (1, 1),
            ask,
            watch,
            &mut |found| {
                rows.extend(found);
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(rows.len(), 3);
    let mut totals = Vec::new();
    for (row, low) in rows.iter().zip(["20", "30", "40"]) {
        let strategy = Strategy::read(&file, &set(low)).unwrap();
        let market = read_market(&strategy, false).unwrap();
        let run = backtest_bare(&market, &strategy).unwrap();
        let total = run.equity.last().unwrap() / run.start_equity - 1.0;
        near(row.row.figures[0], total);
        totals.push(total);
    }
    assert!(totals[0] != totals[1] && totals[1] != totals[2]);
    let walked = done(
        &dir,
        &[
            "walk-forward",
            "two.toml",
            "--format",
            "json",
            "--out",
            "walk",
        ],
    );
    assert!(walked.contains("\"layer.0.params.low\""), "{walked}");
    let said = refused(
        &dir,
        &["sweep", "two.toml", "--vary", "layer.core.params.lo=1,2"],
    );
    assert!(
        said.contains("did you mean `layer.core.params.low`?"),
        "{said}"
    );
    let set = |setting: &str| refused(&dir, &["run", "two.toml", "--set", setting]);
    let said = set("layer.core.stops.stp=0.1");
    assert!(said.contains("stp") && said.contains("stops"), "{said}");
    let said = set("layer.cor.params.low=1");
    assert!(said.contains("did you mean `core`?"), "{said}");
    let said = set("layer.2.params.low=1");
    assert!(said.contains("number 2"), "{said}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_layered_folder_says_whose_each_row_is_and_is_verified() {
    let dir = std::env::temp_dir().join(format!("papertape-layers-out-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    files(&dir);
    done(&dir, &["check", "two.toml"]);
    done(&dir, &["run", "two.toml", "--out", "out"]);
    done(&dir, &["verify", "out"]);
    done(&dir, &["rerun", "out"]);
    let table = |name: &str| std::fs::read_to_string(dir.join("out").join(name)).unwrap();
    for name in ["trades.csv", "orders.csv"] {
        let text = table(name);
        assert!(text.lines().next().unwrap().ends_with(",layer"), "{name}");
        let of = |layer: &str| {
            text.lines()
                .filter(|l| l.ends_with(&format!(",{layer}")))
                .count()
        };
        assert_eq!(of("core") + of("rest") + 1, text.lines().count(), "{name}");
        assert!(of("core") > 0 && of("rest") > 0);
    }
    assert!(table("lots.csv").lines().any(|l| l.starts_with("core,")));
    assert_eq!(
        table("equity_by_layer.csv").lines().next(),
        Some("date,core,rest")
    );
    let said = done(
        &dir,
        &[
            "explain",
            "two.toml",
            "--at",
            "2010-06-30",
            "--layer",
            "rest",
        ],
    );
    assert!(
        said.contains("rest: AAPL on 2010-06-30") && !said.contains("core:"),
        "{said}"
    );
    let said = refused(
        &dir,
        &[
            "explain",
            "two.toml",
            "--at",
            "2010-06-30",
            "--layer",
            "rst",
        ],
    );
    assert!(said.contains("did you mean `rest`?"), "{said}");
    let said = done(
        &dir,
        &[
            "explain",
            "two.toml",
            "--at",
            "2010-06-30",
            "--format",
            "csv",
        ],
    );
    assert!(said.lines().nth(1).unwrap().ends_with("\"core\""), "{said}");
    std::fs::remove_dir_all(&dir).unwrap();
}
