//! The README's first command is run, and what it prints is what the README says. The example run is
//! made again and must come out byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first block of the README whose fence names `language`.
fn block(language: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let start = readme.find(&fence).unwrap() + fence.len();
    let length = readme[start..].find("```").unwrap();
    readme[start..start + length].to_string()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A folder with the strategies and the prices that ship, and nothing else.
pub(crate) fn clone(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    for part in ["strategies", "data"] {
        copy(&root().join(part), &dir.join(part));
    }
    dir
}

pub(crate) fn papertape(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_papertape"))
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_first_command_prints_what_the_readme_says() {
    let command = block("sh");
    let line = command.lines().next().unwrap();
    let args = line.strip_prefix("cargo run --release -- ").unwrap();
    let printed = papertape(&clone("readme"), &args.split(' ').collect::<Vec<_>>());
    assert_eq!(
        printed,
        block("text"),
        "\nThe README shows another output than `{line}` prints."
    );
}

#[test]
fn the_strategy_in_the_readme_is_the_file() {
    let file = fs::read_to_string(root().join("strategies/rsi-30-70.toml")).unwrap();
    assert_eq!(block("toml"), file);
}

#[test]
fn the_example_comes_out_again_byte_for_byte() {
    let dir = clone("example");
    papertape(
        &dir,
        &[
            "run",
            "strategies/rsi-30-70.toml",
            "--out",
            "reports/example",
        ],
    );
    let example = root().join("reports/example");
    let mut names: Vec<_> = fs::read_dir(dir.join("reports/example"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names.len(), 10);
    for name in names {
        // The manifest holds the hash of Cargo.lock, which may change without changing a result.
        if name == "manifest.json" {
            continue;
        }
        let read = |dir: &Path| fs::read(dir.join(&name)).unwrap_or_default();
        assert!(
            read(&example) == read(&dir.join("reports/example")),
            "{} has changed: make the example again with\n  \
             cargo run --release -- run strategies/rsi-30-70.toml --out reports/example",
            name.display()
        );
    }
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            assert!(root().join(target).exists(), "{document} links to {target}");
        }
    }
}
