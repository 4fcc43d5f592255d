//! All mistakes of a strategy file at once, those included that only its data can tell: paths,
//! symbols, names in expressions.

use papertape::engine::read_market;
use papertape::error::{Error, line_column};
use papertape::strategy::{Overrides, Strategy};
use std::path::Path;

/// What is wrong with a file that stands in `strategies/`, as (line, message).
fn told(text: &str) -> Vec<(usize, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("strategies");
    let read = Strategy::parse(text, "dip.toml", &folder, &Overrides::default())
        .and_then(|strategy| Ok((read_market(&strategy, false)?, strategy)))
        .and_then(|(market, strategy)| papertape::engine::backtest(&market, &strategy));
    let error: Error = match read {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(error) => error,
    };
    let problems = error.problems().iter();
    problems
        .map(|problem| {
            let span = problem.span.as_ref().expect(&problem.message);
            (line_column(text, span.start).0, problem.message.clone())
        })
        .collect()
}

fn lines(text: &str) -> Vec<usize> {
    told(text).into_iter().map(|(line, _)| line).collect()
}

const DATA: &str = "[data]\nsource = \"../data/stocks\"\n";

#[test]
fn names_are_told_beside_every_other_mistake() {
    let text = format!(
        "{DATA}[params]\nperiod = 14\n[rules]\nenter = \"rsi(perod) < lw\"\nexit = \"SPYY:close > 3\"\n[stops]\nstop = 5\n[fil]\n"
    );
    let told = told(&text);
    let said: Vec<&str> = told.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(
        said,
        [
            "unknown name `perod`",
            "unknown name `lw`",
            "the data has no symbol `SPYY`",
            "stops.stop: 5 is 500%",
            "there is no table [fil]",
        ]
    );
    assert_eq!(lines(&text), [6, 6, 7, 9, 10]);
}

#[test]
fn symbols_and_paths_are_told_with_the_names() {
    let text = "[data]\nsource = \"../data/stocks\"\nsymbols = [\"AAPL\", \"IBMM\"]\nmembers = \"none.csv\"\n\
        [rules]\nenter = \"rsi(14) < lw\"\n[cash]\nyield = \"none.csv\"\nhurdle = 0.04\n\
        [benchmark]\nrate = \"none.csv\"\nblend = { MSFTT = 0.5, IBM = 0.5 }\n[[cashflow]]\nfile = \"none.csv\"\n";
    assert_eq!(lines(text), [3, 4, 6, 8, 11, 12, 14]);
    let alone = text.replace("none.csv", "../data/tbill_1m_monthly.csv");
    let told = told(&alone);
    let said: Vec<&str> = told.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(
        said,
        [
            "no prices of IBMM",
            "unknown name `lw`",
            "no prices of MSFTT"
        ]
    );
}

#[test]
fn one_mistake_is_told_once() {
    // A table that is misspelt hides its params, a param that is no number itself, a series its name:
    // the expressions that use them are not wrong as well.
    let misspelt = format!("{DATA}[parms]\nperiod = 14\n[rules]\nenter = \"rsi(period) < 30\"\n");
    assert_eq!(lines(&misspelt), [3]);
    let text = format!("{DATA}[params]\nperiod = \"14\"\n[rules]\nenter = \"rsi(period) < 30\"\n");
    assert_eq!(lines(&text), [4]);
    let series = format!("{DATA}[series]\naverage = 3\n[rules]\nenter = \"close > average\"\n");
    assert_eq!(lines(&series), [4]);
    // A forecast is a name without the data having it.
    let model = format!(
        "{DATA}[model]\nfeatures = [\"rsi(14)\"]\ntarget = \"forward_return(21)\"\n[rules]\nenter = \"model > 0\"\ncooldown_bars = -1\n"
    );
    assert_eq!(lines(&model), [8]);
}

#[test]
fn a_param_that_nothing_reads_is_a_slip() {
    let text = "[params]\nperiod = 14\n[rules]\nenter = \"rsi(period) < low_end\"\n";
    let with = |set: &[(&str, &str)]| {
        let pair = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
        let overrides = Overrides {
            set: set.iter().map(pair).collect(),
            ..Overrides::default()
        };
        Strategy::parse(text, "dip.toml", Path::new(""), &overrides)
    };
    let error = with(&[("params.perod", "5")]).unwrap_err().to_string();
    assert!(error.contains("there is no param `perod`"), "{error}");
    assert!(error.contains("did you mean params.period?"), "{error}");
    // One that the file leaves to the flag, and one that another flag's expression reads.
    assert_eq!(with(&[("params.low_end", "30")]).unwrap().params.len(), 2);
    let both = [("params.top", "70"), ("rules.exit", "rsi(14) > top")];
    assert_eq!(with(&both).unwrap().params.len(), 2);
}
