//! The rules of the house that a program can check: who may use whom, which crate may be named
//! where, how long a function may be, and what the library must not do.
//!
//! The order of the modules is read from `src/lib.rs`, so that the list there is the only plan.

use std::fs;
use std::path::{Path, PathBuf};

/// Crates that are only named in one place. A path is a file or a folder under `src`.
const PLACES: &[(&[&str], &[&str])] = &[
    (&["polars"], &["market/load", "market/save"]),
    (
        &["polars_parquet", "polars_parquet_format", "zstd"],
        &["market/load/"],
    ),
    (&["ta"], &["indicators/"]),
    (&["implied_vol"], &["pricing/"]),
    (
        &[
            "plotters",
            "plotters_backend",
            "tiny_skia",
            "ab_glyph",
            "png",
            "notosans",
        ],
        &["report/chart"],
    ),
    (&["rayon"], &["study/"]),
    (&["rusqlite"], &["paper/journal"]),
    (
        &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "indicatif",
            "miette",
            "signal_hook",
        ],
        &["main.rs", "cli/"],
    ),
];

/// Crates that are vocabulary and may be named anywhere.
const VOCABULARY: &[&str] = &[
    "chrono",
    "csv",
    "fast_float2",
    "flate2",
    "libm",
    "serde",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "toml",
];

/// What the library must not say outside tests, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("println!", "the library prints nothing"),
    ("print!", "the library prints nothing"),
    ("eprintln!", "the library prints nothing"),
    ("eprint!", "the library prints nothing"),
    ("dbg!", "the library prints nothing"),
    ("std::env::", "the library reads no environment"),
    ("SystemTime", "the library reads no clock"),
    ("Instant::now", "the library reads no clock"),
    ("Utc::now", "the library reads no clock"),
    ("thread_rng", "randomness comes from a seed"),
    (".unwrap()", "absent is None, a user's mistake is an Error"),
    (".expect(", "absent is None, a user's mistake is an Error"),
    ("panic!(", "a user's mistake is an Error"),
    ("todo!", "nothing is left for later in the code"),
    ("unimplemented!", "nothing is left for later in the code"),
    (".exp()", "use libm::exp: same bits on every machine"),
    (".ln()", "use libm::log: same bits on every machine"),
    (".log2()", "use libm::log2: same bits on every machine"),
    (".log10()", "use libm::log10: same bits on every machine"),
    (".powf(", "use libm::pow: same bits on every machine"),
    (".sin()", "use libm::sin: same bits on every machine"),
    (".cos()", "use libm::cos: same bits on every machine"),
    ("use crate::{", "one `use crate::module::Item` a module"),
    ("use super::*", "names come from where they live"),
    ("super::super::", "names come from where they live"),
];

const LINES_A_FUNCTION: usize = 70;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file under `src`: path from there with `/`, and text. In order of path.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(src()).unwrap();
                let name = name.to_string_lossy().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn library() -> Vec<(String, String)> {
    let binary = |name: &str| name == "main.rs" || name.starts_with("cli/");
    let mut files = sources();
    files.retain(|(name, _)| !binary(name));
    files
}

/// The modules in the order of `src/lib.rs`.
fn modules(lib: &str) -> Vec<String> {
    lib.lines()
        .map(|line| line.trim().trim_start_matches("pub "))
        .filter_map(|line| line.strip_prefix("mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .map(String::from)
        .collect()
}

/// The text without its comments and without its module of tests.
fn code(text: &str) -> String {
    let body = text
        .find("#[cfg(test)]\nmod ")
        .map_or(text, |tests| &text[..tests]);
    let mut code = String::new();
    for line in body.lines() {
        let is_comment = line.trim_start().starts_with("//");
        let line = line.split(" // ").next().unwrap_or_default();
        code.push_str(if is_comment { "" } else { line });
        code.push('\n');
    }
    code
}

/// The text without comments, tests and all.
fn uncommented(text: &str) -> String {
    let lines = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    lines.fold(String::new(), |code, line| code + line + "\n")
}

/// Where the word `name` stands followed by `::` and not as the end of another name or path.
fn names_crate(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| {
        let before = code[..at].trim_end_matches("::");
        let continues_a_path = before.len() < at && before.ends_with(is_of_a_name);
        !continues_a_path && !before.ends_with(is_of_a_name)
    }) || code.contains(&format!("use {name};"))
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Modules that `code` reaches through `crate::`.
fn used_modules(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with(is_of_a_name))
        .map(|(at, word)| {
            let rest = &code[at + word.len()..];
            rest.chars().take_while(|c| is_of_a_name(*c)).collect()
        })
        .collect()
}

/// The module that a file belongs to: its folder, or its own name at the top.
fn module_of(file: &str) -> &str {
    let top = file.split('/').next().unwrap_or_default();
    top.strip_suffix(".rs").unwrap_or(top)
}

fn upward_uses(order: &[String], file: &str, text: &str) -> Vec<String> {
    let place = |module: &str| order.iter().position(|m| m == module);
    let own = place(module_of(file));
    used_modules(&uncommented(text))
        .into_iter()
        .filter(|used| own.is_none() || place(used).is_none() || place(used) > own)
        .map(|used| format!("{file} uses crate::{used}, which is not above it in src/lib.rs"))
        .collect()
}

fn forbidden_words(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let said = FORBIDDEN.iter().filter(|(word, _)| {
        code.match_indices(word)
            .any(|(at, _)| word.starts_with('.') || !code[..at].ends_with(is_of_a_name))
    });
    said.map(|(word, why)| format!("{file} says `{word}`: {why}"))
        .collect()
}

/// Functions longer than the limit, as rustfmt lays them out: from the line of `fn` to the closing
/// brace of the same indent.
fn long_functions(file: &str, text: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let opens = |line: &str| {
        let words = line.trim_start();
        let rest = words
            .strip_prefix("pub")
            .map_or(words, |r| r.split_once(' ').map_or("", |(_, after)| after));
        rest.strip_prefix("const ")
            .unwrap_or(rest)
            .starts_with("fn ")
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, l)| opens(l)) {
        let end = lines[start..]
            .iter()
            .position(|l| l.trim() == "}" && indent(l) == indent(line));
        let one_line = line.trim_end().ends_with(['}', ';']);
        if let (Some(length), false) = (end, one_line)
            && length + 1 > LINES_A_FUNCTION
        {
            long.push(format!(
                "{file}:{}: {} lines: {}",
                start + 1,
                length + 1,
                line.trim()
            ));
        }
    }
    long
}

#[track_caller]
fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let files = library();
    let lib = &files.iter().find(|(name, _)| name == "lib.rs").unwrap().1;
    let order = modules(lib);
    assert!(order.len() > 10, "the list of src/lib.rs was not found");
    let faults = files.iter().filter(|(name, _)| name != "lib.rs");
    assert_none(
        faults
            .flat_map(|(file, text)| upward_uses(&order, file, text))
            .collect(),
    );
}

#[test]
fn a_crate_is_named_only_in_its_place() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        let code = uncommented(&text);
        for (crates, places) in PLACES {
            if places.iter().any(|place| file.starts_with(place)) {
                continue;
            }
            let named = crates.iter().filter(|name| names_crate(&code, name));
            faults.extend(named.map(|name| format!("{file} names {name}")));
        }
    }
    assert_none(faults);
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
    let placed: Vec<&str> = PLACES
        .iter()
        .flat_map(|(crates, _)| *crates)
        .copied()
        .collect();
    for name in manifest["dependencies"].as_table().unwrap().keys() {
        let name = name.replace('-', "_");
        assert!(
            placed.contains(&name.as_str()) || VOCABULARY.contains(&name.as_str()),
            "{name} has no place: add it to the table of this test or to its vocabulary"
        );
    }
}

#[test]
fn the_library_is_quiet_and_deterministic() {
    let files = library();
    assert_none(
        files
            .iter()
            .flat_map(|(file, text)| forbidden_words(file, text))
            .collect(),
    );
}

#[test]
fn functions_are_short() {
    let files = sources();
    assert_none(
        files
            .iter()
            .flat_map(|(file, text)| long_functions(file, text))
            .collect(),
    );
}

#[test]
fn files_say_what_they_are_for_and_are_named_after_it() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        if !text.starts_with("//! ") {
            faults.push(format!("{file} does not open with //!"));
        }
        let nameless = ["util", "utils", "helpers", "common", "misc", "prelude"];
        let parts = file.trim_end_matches(".rs").split('/');
        if parts.into_iter().any(|part| nameless.contains(&part)) {
            faults.push(format!("{file} is named after nothing"));
        }
    }
    assert_none(faults);
}

#[test]
fn the_page_on_architecture_stays_short_and_names_every_module() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.lines().count() <= 120,
        "{} lines",
        page.lines().count()
    );
    let lib = fs::read_to_string(src().join("lib.rs")).unwrap();
    for module in modules(&lib) {
        assert!(
            page.contains(&module),
            "ARCHITECTURE.md does not name {module}"
        );
    }
}

#[test]
fn these_tests_can_fail() {
    let order = ["market", "rules", "engine"].map(String::from);
    assert!(upward_uses(&order, "rules/eval.rs", "use crate::market::Bars;").is_empty());
    assert!(upward_uses(&order, "rules/eval.rs", "// crate::engine loops").is_empty());
    assert_eq!(
        upward_uses(&order, "rules/eval.rs", "let x = crate::engine::run();").len(),
        1
    );
    assert_eq!(
        upward_uses(&order, "market.rs", "use crate::rules;").len(),
        1
    );
    assert_eq!(
        upward_uses(&order, "rules/eval.rs", "use crate::{engine::Run};").len(),
        1
    );

    assert!(names_crate("use ta::Next;", "ta"));
    assert!(names_crate("let x = ::ta::f();", "ta"));
    assert!(!names_crate("data::read()", "ta"));
    assert!(!names_crate("crate::ta::read()", "ta"));

    assert_eq!(forbidden_words("x.rs", "let y = x.unwrap();").len(), 1);
    assert_eq!(forbidden_words("x.rs", "    println!(\"no\");").len(), 1);
    assert!(forbidden_words("x.rs", "// never println!(…)").is_empty());
    assert!(forbidden_words("x.rs", "#[cfg(test)]\nmod tests {\n x.unwrap()\n}").is_empty());

    let body = "    let x = 1;\n".repeat(70);
    assert_eq!(
        long_functions("x.rs", &format!("pub fn f() {{\n{body}}}\n")).len(),
        1
    );
    assert!(long_functions("x.rs", "fn f() {\n}\n").is_empty());
}

#[test]
fn unsafe_code_has_one_home() {
    for (name, text) in sources() {
        let is_home = name == "lanes.rs";
        let has_any = code(&text).contains("unsafe ");
        assert_eq!(has_any, is_home, "{name}");
    }
}
