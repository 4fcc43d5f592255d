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
fn verbs_of_later_releases_are_unknown() {
    for verb in [
        "sweep",
        "walk-forward",
        "stress",
        "paper",
        "price",
        "overfit",
    ] {
        assert_eq!(output(&[verb]).status.code(), Some(2), "{verb}");
        assert!(!stdout(&["--help"]).contains(&format!("\n  {verb} ")));
    }
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
    for table in TABLES.iter().filter(|t| !t.later) {
        for row in table.rows().iter().filter(|r| !r.later) {
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
    assert!(text.contains("Not yet part of papertape") && text.contains("walk_forward"));
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
