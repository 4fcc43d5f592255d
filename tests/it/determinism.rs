//! Same inputs, same bytes: twice, and on one thread or eight.

use crate::readme::{clone, papertape};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file under a folder by its path from there.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(dir)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn eight_threads_write_what_one_writes_and_again() {
    let dir = clone("threads");
    let strategies = ["rsi-30-70", "macd", "rsi-trend-atr-stop", "faber-ten-month"]
        .map(|name| format!("strategies/{name}.toml"));
    let run = |threads: &str, out: &str| {
        let mut args = vec!["run", "-j", threads, "--out", out];
        args.extend(strategies.iter().map(String::as_str));
        (papertape(&dir, &args), files(&dir.join(out)))
    };
    let (_, one) = run("1", "one");
    let (_, eight) = run("8", "eight");
    assert_eq!(one.len(), 40);
    for (name, bytes) in &one {
        assert!(
            eight[name] == *bytes,
            "{name} depends on the number of threads"
        );
    }
    let (printed, again) = run("8", "eight");
    let (printed_again, _) = run("1", "eight");
    assert_eq!(printed, printed_again);
    assert!(again == eight, "a second run wrote something else");
}
