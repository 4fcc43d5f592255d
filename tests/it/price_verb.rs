//! The verb `price`: one option by flags, and files of options row by row.

use std::path::PathBuf;
use std::process::{Command, Output};

fn output(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn stdout(args: &[&str]) -> String {
    let out = output(args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

fn refused(args: &[&str]) -> String {
    let out = output(args);
    assert_eq!(out.status.code(), Some(2), "{args:?}");
    assert!(out.stdout.is_empty());
    String::from_utf8(out.stderr).unwrap()
}

fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("papertape-price-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn json(args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

const CALL: &[&str] = &[
    "price", "call", "--spot", "42", "--strike", "40", "--years", "0.5", "--rate", "0.1",
];

#[test]
fn a_published_example_comes_out() {
    // Hull, Options, Futures, and Other Derivatives, example 15.6: the call is worth 4.76, the put 0.81.
    let mut args = CALL.to_vec();
    args.extend(["--vol", "0.2", "--format", "json"]);
    let call = json(&args);
    assert_eq!(call["schema"], 1);
    assert!((call["price"].as_f64().unwrap() - 4.76).abs() < 0.005);
    args[1] = "put";
    let put = json(&args);
    assert!((put["price"].as_f64().unwrap() - 0.81).abs() < 0.005);
    let difference = call["price"].as_f64().unwrap() - put["price"].as_f64().unwrap();
    assert!((difference - (42.0 - 40.0 * (-0.05_f64).exp())).abs() < 1e-12);
    for greek in ["delta", "gamma", "vega", "theta", "rho", "epsilon"] {
        assert!(call[greek].is_number(), "{greek}");
    }
}

#[test]
fn a_price_gives_the_volatility_back() {
    let mut args = CALL.to_vec();
    args.extend(["--vol", "0.2", "--format", "json"]);
    for style in ["european", "american"] {
        let mut asked = args.clone();
        asked.extend(["--style", style, "--dividend", "30:0.8"]);
        let price = json(&asked)["price"].as_f64().unwrap().to_string();
        let at = asked.iter().position(|a| *a == "--vol").unwrap();
        asked[at] = "--price";
        asked[at + 1] = &price;
        let implied = json(&asked);
        assert!(
            (implied["iv"].as_f64().unwrap() - 0.2).abs() < 1e-8,
            "{style}"
        );
        assert_eq!(implied["style"], style);
    }
    let mut asked = CALL.to_vec();
    asked.extend(["--price", "2"]);
    let error = refused(&asked);
    assert!(
        error.contains("no volatility") && error.contains("3.95"),
        "{error}"
    );
    asked[11] = "50";
    assert!(refused(&asked).contains("below that of the underlying"));
}

#[test]
fn the_table_says_units() {
    let mut args = CALL.to_vec();
    args.extend(["--vol", "0.2"]);
    let text = stdout(&args);
    assert!(
        text.contains("european call, strike 40, 182.5 days to expiry, spot 42"),
        "{text}"
    );
    assert!(
        text.contains("per point of volatility") && text.contains("a calendar day"),
        "{text}"
    );
    let csv = stdout(&[&args[..], &["--format", "csv"]].concat());
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "type,style,s,k,t,r,q,sigma,price,delta,gamma,vega,theta,rho,epsilon,status"
    );
    assert!(
        lines[1].starts_with("call,european,42,40,0.5,0.1,0,0.2,4.759"),
        "{}",
        lines[1]
    );
}

#[test]
fn flags_that_describe_no_option_are_refused() {
    let with = |more: &[&'static str]| [CALL, more].concat();
    assert!(refused(&with(&["--vol", "-0.2"])).contains("volatility must be"));
    assert!(refused(&with(&["--vol", "0.2", "--price", "3"])).contains("cannot be used with"));
    assert!(refused(&with(&[])).contains("--vol"));
    assert!(refused(&with(&["--vol", "0.2", "--dividend", "x"])).contains("20:0.5"));
    assert!(refused(&with(&["--vol", "0.2", "--dividend", "10:50"])).contains("dividends"));
    assert!(refused(&["price", "straddle"]).contains("expected call or put"));
    let negative = [
        "price", "put", "--spot", "42", "--strike", "40", "--days", "-1", "--vol", "0.2",
    ];
    assert!(refused(&negative).contains("time to expiry"));
}

#[test]
fn a_file_is_answered_row_by_row() {
    let path = file(
        "rows.csv",
        "note,type,style,s,k,t,r,q,sigma\n\
         a,call,european,42,40,0.5,0.1,0,0.2\n\
         b,put,american,42,50,0.5,0.1,0,0.2\n\
         c,call,european,42,40,-1,0.1,0,0.2\n\
         d,straddle,european,42,40,1,0.1,0,0.2\n\
         e,call,european,forty,40,1,0.1,0,0.2\n\
         f,call\n\
         g,put,european,42,40,0,0.1,0,0.2\n",
    );
    let path = path.to_str().unwrap();
    let csv = stdout(&["price", "--from", path, "--format", "csv"]);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(
        lines[0].join(","),
        "type,style,s,k,t,r,q,sigma,price,delta,gamma,vega,theta,rho,epsilon,status"
    );
    let status: Vec<&str> = lines[1..].iter().map(|line| line[15]).collect();
    assert_eq!(
        status,
        ["ok", "ok", "invalid", "invalid", "invalid", "invalid", "ok"]
    );
    assert!((lines[1][8].parse::<f64>().unwrap() - 4.7594).abs() < 1e-4);
    assert_eq!(lines[2][8], "8");
    for line in [3, 4, 5, 6] {
        assert!(
            lines[line][8..15].iter().all(|cell| cell.is_empty()),
            "{:?}",
            lines[line]
        );
    }
    assert_eq!(lines[7][8], "0");
    assert_eq!(lines[5][2], "forty");
    let object = json(&["price", "--from", path, "--format", "json"]);
    let rows = object["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[2]["status"], "invalid");
    assert!(rows[2]["price"].is_null());
    assert_eq!(rows[4]["s"], "forty");
    let table = stdout(&["price", "--from", path]);
    assert_eq!(table.lines().count(), 8);
}

#[test]
fn a_file_of_prices_is_answered_with_volatilities() {
    let root = env!("CARGO_MANIFEST_DIR");
    let golden = format!("{root}/tests/golden/options/implied_vol.csv");
    let csv = stdout(&["price", "--from", &golden, "--format", "csv"]);
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("type,style,s,k,t,r,q,price,iv,status"));
    let wanted = std::fs::read_to_string(&golden).unwrap();
    let mut rows = 0;
    for (got, wanted) in lines.zip(wanted.lines().skip(1)) {
        let got: Vec<&str> = got.split(',').collect();
        let wanted: Vec<&str> = wanted.split(',').collect();
        assert_eq!((got[0], got[2], got[7]), (wanted[1], wanted[2], wanted[7]));
        match wanted[10] {
            "ill_conditioned" => {}
            status => {
                assert_eq!(got[9], status, "{wanted:?}");
                assert_eq!(got[8].is_empty(), status != "ok", "{wanted:?}");
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 268);
}

#[test]
fn a_file_without_its_columns_says_which() {
    let path = file("columns.csv", "type,s\ncall,42\n");
    let error = refused(&["price", "--from", path.to_str().unwrap()]);
    for name in ["column k", "column t", "column sigma or price"] {
        assert!(error.contains(name), "{error}");
    }
    assert!(refused(&["price", "--from", "no/such/file.csv"]).contains("no/such/file.csv"));
    let days = file(
        "days.csv",
        "type,s,k,days,sigma\r\nCALL,42,40,182.5,0.2\r\n",
    );
    let csv = stdout(&["price", "--from", days.to_str().unwrap(), "--format", "csv"]);
    assert!(csv.lines().nth(1).unwrap().ends_with(",ok"), "{csv}");
}
