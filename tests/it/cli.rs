//! The binary itself: exit codes, streams, closed pipes, errors with carets, completions, man.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn papertape(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_papertape"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    papertape(args).output().unwrap()
}

fn stdout(args: &[&str]) -> String {
    let out = output(args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {errors}");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn help_is_success_and_a_wrong_word_is_not() {
    let help = stdout(&["--help"]);
    for word in [
        "schema",
        "completions",
        "man",
        "--format",
        "--quiet",
        "--seed",
        "Exit status",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(stdout(&["--version"]).starts_with("papertape "));
    for args in [
        &["shcema"][..],
        &["schema", "--formt", "json"],
        &["schema", "--format", "xml"],
        &[],
        &["-j", "0", "schema"],
    ] {
        let out = output(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty(), "{args:?}");
        assert!(!out.stderr.is_empty(), "{args:?}");
    }
    let near = output(&["shcema"]);
    assert!(String::from_utf8_lossy(&near.stderr).contains("'schema'"));
}

#[test]
fn color_is_for_terminals_or_for_those_who_ask() {
    let plain = output(&["shcema"]);
    assert!(!plain.stderr.contains(&0x1b), "no terminal, no colour");
    let asked = output(&["--color", "always", "shcema"]);
    assert!(asked.stderr.contains(&0x1b));
    let refused = output(&["--color=never", "shcema"]);
    assert!(!refused.stderr.contains(&0x1b));
}

#[test]
fn a_closed_pipe_is_success() {
    let mut child = papertape(&["schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    assert!(
        out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let out = papertape(&["schema"]).stdout(full).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("could not be written"));
}

#[test]
fn completions_and_the_manual_name_every_verb() {
    let help = stdout(&["--help"]);
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|l| !l.starts_with("Commands"))
        .skip(1)
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert!(verbs.len() >= 4);
    let man = stdout(&["man"]);
    assert!(man.contains(".TH papertape 1"));
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&["completions", shell]);
        for verb in &verbs {
            assert!(script.contains(verb), "{shell}: {verb}");
            assert!(*verb == "help" || man.contains(verb), "man: {verb}");
        }
    }
    assert_eq!(output(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn the_schema_says_everything_in_every_format() {
    use papertape::strategy::vocabulary::{COST_PRESETS, TABLES};
    let text = stdout(&["schema"]);
    let csv = stdout(&["schema", "--format", "csv"]);
    assert!(
        text.lines().all(|l| l.chars().count() <= 80),
        "fits 80 columns"
    );
    for table in TABLES {
        for row in table.rows() {
            assert!(text.contains(&format!("\n  {} ", row.name)), "{}", row.name);
            assert!(
                csv.contains(&format!("\n{},{},", table.name, row.name)),
                "{}",
                row.name
            );
        }
    }
    for preset in COST_PRESETS {
        assert!(text.contains(preset.name));
    }
    assert!(text.contains("walk_forward"));
}

#[test]
fn lists_have_every_row_in_every_format() {
    for (what, names) in [
        (
            "indicators",
            papertape::indicators::all()
                .map(|r| r.name)
                .collect::<Vec<_>>(),
        ),
        (
            "metrics",
            papertape::metrics::all().map(|r| r.key).collect(),
        ),
    ] {
        let text = stdout(&["list", what]);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "fits 80 columns: {line}");
        }
        let csv = stdout(&["list", what, "--format", "csv"]);
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let json: serde_json::Value =
            serde_json::from_str(&stdout(&["list", what, "--format", "json"])).unwrap();
        assert_eq!(json["schema"], 1);
        let list = json[what].as_array().unwrap();
        assert_eq!(list.len(), rows.len());
        for name in names {
            assert!(text.contains(&format!("\n  {name}")), "{name}");
            assert!(rows.iter().any(|r| &r[0] == name), "{name}");
            let is_row = |r: &serde_json::Value| r["name"] == name || r["key"] == name;
            assert!(list.iter().any(is_row), "{name}");
        }
    }
    let rsi = stdout(&["list", "indicators"]);
    assert!(rsi.contains("rsi(x, n)") && rsi.contains("warm-up 14 bars with n = 14"));
    assert_eq!(output(&["list", "prices"]).status.code(), Some(2));
}

/// The part of JSON Schema that ours uses.
fn violations(
    schema: &serde_json::Value,
    value: &serde_json::Value,
    at: &str,
    found: &mut Vec<String>,
) {
    use serde_json::Value;
    let mut fail = |what: String| found.push(format!("{at}: {what}"));
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = options.iter().any(|option| {
            let mut inner = Vec::new();
            violations(option, value, at, &mut inner);
            inner.is_empty()
        });
        if !fits {
            fail("fits no option".to_owned());
        }
        return;
    }
    if let Some(words) = schema["enum"].as_array() {
        if !words.contains(value) {
            fail(format!("{value} is none of {words:?}"));
        }
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    let fits = match value {
        Value::String(_) => kind == "string",
        Value::Bool(_) => kind == "boolean",
        Value::Number(n) => kind == "number" || (kind == "integer" && n.is_i64()),
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
        Value::Null => false,
    };
    if !fits {
        return fail(format!("{value} is no {kind}"));
    }
    if let Some(x) = value.as_f64() {
        let below = schema["minimum"].as_f64().is_some_and(|min| x < min)
            || schema["exclusiveMinimum"]
                .as_f64()
                .is_some_and(|min| x <= min);
        if below || schema["maximum"].as_f64().is_some_and(|max| x > max) {
            fail(format!("{x} is out of range"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        violations(&schema["items"], item, at, found);
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        let extra = &schema["additionalProperties"];
        match schema["properties"].get(key) {
            Some(schema) => violations(schema, inner, &at, found),
            None if extra.is_object() => violations(extra, inner, &at, found),
            None => found.push(format!("{at}: unknown")),
        }
    }
}

/// TOML as an editor's JSON: dates are strings.
fn as_json(value: &toml::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        toml::Value::String(s) => Value::from(s.as_str()),
        toml::Value::Integer(n) => Value::from(*n),
        toml::Value::Float(x) => Value::from(*x),
        toml::Value::Boolean(b) => Value::from(*b),
        toml::Value::Datetime(d) => Value::from(d.to_string()),
        toml::Value::Array(a) => a.iter().map(as_json).collect(),
        toml::Value::Table(t) => t.iter().map(|(k, v)| (k.clone(), as_json(v))).collect(),
    }
}

#[test]
fn the_shipped_strategies_fit_the_json_schema() {
    let schema: serde_json::Value =
        serde_json::from_str(&stdout(&["schema", "--format", "json"])).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["schema"], 1);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("strategies");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let value: toml::Value = toml::from_str(&text).unwrap();
        let mut found = Vec::new();
        violations(&schema, &as_json(&value), "", &mut found);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 9);
    let wrong: toml::Value = toml::from_str(
        "[stops]\nstop = 5\nstpo = 1\n[fill]\nat = \"never\"\n[data]\nsymbols = \"A\"",
    )
    .unwrap();
    let mut found = Vec::new();
    violations(&schema, &as_json(&wrong), "", &mut found);
    assert_eq!(found.len(), 4, "{found:?}");
}

/// A folder of its own for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("papertape-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn errors_show_the_line_with_a_caret_and_all_at_once() {
    let folder = Folder::new("carets");
    let file = folder.write(
        "bad.toml",
        "[data]\nsorce = \"x\"\n[rules]\nenter = \"rsi(14) <\"\n[stops]\nstop = 5\n",
    );
    let out = output(&["check", &file]);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stdout.is_empty());
    let text = String::from_utf8(out.stderr).unwrap();
    for line in [
        "there is no key `sorce` in [data]",
        "bad.toml:2:1]",
        "sorce = \"x\"",
        "help: did you mean `source`?",
        "stops.stop: 5 is 500%",
        "bad.toml:6:8]",
        "help: fractions are fractions: 0.05 is 5%",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // The caret stands under the key.
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|l| l.ends_with("sorce = \"x\""))
        .unwrap();
    let column = |line: &str, what: char| line.chars().position(|c| c == what).unwrap();
    assert_eq!(column(lines[at], 's'), column(lines[at + 1], '─'), "{text}");
    let flag = output(&["check", "strategies/macd.toml", "--set", "stops.stop=5"]);
    let text = String::from_utf8(flag.stderr).unwrap();
    assert!(
        text.starts_with("error: --set stops.stop=5: stops.stop: 5 is 500%"),
        "{text}"
    );
}

#[test]
fn mistakes_in_expressions_point_into_the_file() {
    let folder = Folder::new("expressions");
    let data = env!("CARGO_MANIFEST_DIR");
    let file = folder.write(
        "bad.toml",
        &format!(
            "[data]\nsource = \"{data}/data/indices\"\nsymbols = [\"SPX\"]\n[rules]\nenter = \"rsy(14) < 30 and clse > 5\"\nexit = \"close\"\n"
        ),
    );
    let out = output(&["check", &file]);
    assert_eq!(out.status.code(), Some(2));
    let text = String::from_utf8(out.stderr).unwrap();
    for line in [
        "bad.toml:5:10]",
        "`rsi`",
        "bad.toml:5:27]",
        "`close`",
        "bad.toml:6:9]",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn check_passes_the_shipped_strategies_and_shows_no_result() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("strategies");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "toml") {
            continue;
        }
        let path = path.display().to_string();
        let text = stdout(&["check", &path]);
        assert!(text.contains("  sound"), "{text}");
        for word in ["sharpe", "cagr", "return", "equity"] {
            assert!(!text.to_lowercase().contains(word), "{word}: {text}");
        }
        assert!(
            text.lines()
                .all(|l| l.chars().count() <= 80 || l.starts_with('/')),
            "{text}"
        );
    }
}

#[test]
fn check_fails_what_cannot_work_and_warns_of_what_may_mislead() {
    let folder = Folder::new("check");
    let root = env!("CARGO_MANIFEST_DIR");
    let file = |name: &str, rest: &str| {
        folder.write(
            name,
            &format!("[data]\nsource = \"{root}/data/stocks\"\nsymbols = [\"IBM\"]\n{rest}"),
        )
    };
    let long = file("long.toml", "[rules]\nenter = \"close > sma(5000)\"\n");
    let late = file(
        "late.toml",
        "start = 2020-01-01\n[rules]\nenter = \"close > 1\"\n",
    );
    let soft = file(
        "soft.toml",
        "end = 2015-01-01\n[rules]\nenter = \"adj_close > sma(adj_close, 5)\"\n[costs]\nmin = 2000\n",
    );
    let fails = output(&["check", &long, &late, &soft]);
    assert_eq!(fails.status.code(), Some(1));
    let text = String::from_utf8(fails.stdout).unwrap();
    assert!(
        text.contains("no entry rule has a value on any of 3270 bars"),
        "{text}"
    );
    assert!(
        text.contains("IBM has no bar in the days of the simulation"),
        "{text}"
    );
    let json: Vec<serde_json::Value> =
        String::from_utf8(output(&["check", "--format", "json", &soft, &long]).stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
    assert_eq!(json.len(), 2, "one object a line");
    assert_eq!(
        (&json[0]["schema"], &json[0]["passed"]),
        (&1.into(), &true.into())
    );
    assert_eq!(json[1]["passed"], false);
    let codes: Vec<&str> = json[0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["adjusted_prices", "ends_early", "high_costs"]);
    // An error in one file does not hide what is wrong with the others.
    let mixed = output(&["check", "strategies/none.toml", &long]);
    assert_eq!(mixed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&mixed.stdout).contains("no entry rule"));
}

#[test]
fn explain_answers_why_and_why_not() {
    let file = "strategies/rsi-30-70.toml";
    let held = stdout(&["explain", file, "--at", "2008-10-10", "--symbol", "IBM"]);
    for line in [
        "IBM on 2008-10-10, close 87.75",
        "rsi(period) < low  true",
        "low              30",
        "rules.enter is true, but it is long already",
        "rules.exit is false",
        "position   long",
    ] {
        assert!(held.contains(line), "{line}\n{held}");
    }
    let json: serde_json::Value = serde_json::from_str(&stdout(&[
        "explain",
        file,
        "--at",
        "2008-10-10",
        "--format",
        "json",
    ]))
    .unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["symbols"].as_array().unwrap().len(), 3);
    let enter = &json["symbols"][1]["expressions"]["rules.enter"][0];
    assert_eq!(
        (&enter["expression"], &enter["value"]),
        (&"rsi(period) < low".into(), &true.into())
    );
    let csv = stdout(&["explain", file, "--at", "2008-10-10", "--format", "csv"]);
    assert!(csv.starts_with("symbol,date,key,depth,expression,value\nAAPL,"));
    let early = stdout(&["explain", file, "--at", "2000-03-03", "--symbol", "AAPL"]);
    assert!(
        early.contains("rules.enter has no value: `rsi(period)` has none"),
        "{early}"
    );
    let monthly = stdout(&[
        "explain",
        "strategies/faber-ten-month.toml",
        "--at",
        "2003-05-29",
    ]);
    assert!(
        monthly.contains("rules decide on the last bar of a month only"),
        "{monthly}"
    );
    for (args, words) in [
        (
            ["2008-10-11", "IBM"],
            "the bars around it are of 2008-10-10 and 2008-10-13",
        ),
        (["2008-10-10", "IBN"], "did you mean IBM?"),
        (["1990-01-02", "IBM"], "there is no bar on 1990-01-02"),
    ] {
        let out = output(&["explain", file, "--at", args[0], "--symbol", args[1]]);
        assert_eq!(out.status.code(), Some(2));
        let text = String::from_utf8(out.stderr).unwrap();
        assert!(text.contains(words), "{text}");
    }
}
