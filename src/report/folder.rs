//! The folder of a run: who may write into it, and how its files get there whole.
//!
//! A run replaces its own earlier files and nothing else, and only when the folder is empty, is a run
//! of the same strategy, or when it was told to (`--force`). Files that no run wrote are never
//! touched unless they have the name of a file to be written.

use crate::error::{Error, Problem, Result};
use crate::report::manifest::{self, Manifest};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file to be written: name in the folder, and content.
pub type NewFile = (String, Vec<u8>);

/// Checks that a run of the strategy `name` from `file` may write into `dir`, before anything is
/// computed.
///
/// # Errors
/// `dir` is a file, or holds something else than a run of that strategy (a sweep of it, too) and
/// `force` is off.
pub fn claim(dir: &Path, name: &str, file: &str, force: bool) -> Result<()> {
    let shown = dir.display();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => {
            return Err(Error::new(
                Problem::new(format!("cannot use {shown} as the run's folder: {cause}"))
                    .help("give another folder with --out"),
            ));
        }
    };
    if force || entries.count() == 0 {
        return Ok(());
    }
    let problem = match Manifest::read(dir) {
        Ok(old) if old.sweep.is_some() => {
            format!("{shown} holds a sweep, all of whose trials would be lost")
        }
        Ok(old) if old.strategy.name == name || old.strategy.file == file => return Ok(()),
        Ok(old) => format!(
            "{shown} holds a run of another strategy, \"{}\"",
            old.strategy.name
        ),
        Err(_) => format!("{shown} is not empty and not the folder of a run"),
    };
    Err(Error::new(Problem::new(problem).help(
        "give another folder with --out, or --force to write into this one",
    )))
}

/// Writes a run's files into `dir`, replacing the files of an earlier run. The new files are written
/// to a folder beside it first and then renamed, so that a run that is cut short leaves the earlier
/// one, and the manifest comes last, so that a folder with a manifest is complete.
///
/// # Errors
/// A folder or file cannot be made, with the cause that the system gives.
pub fn write(dir: &Path, files: &[NewFile]) -> Result<()> {
    let absolute = std::path::absolute(dir).map_err(|cause| failed(dir, &cause))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(failed(dir, &io::Error::from(io::ErrorKind::InvalidInput)));
    };
    fs::create_dir_all(parent).map_err(|cause| failed(parent, &cause))?;
    let fresh = create_beside(parent, name, "new")?;
    let outcome = fill(&fresh, files).and_then(|()| put_in_place(&fresh, &absolute, files));
    if outcome.is_err() {
        // What is left of an attempt is only in the way; the first failure is the one to report.
        let _ = fs::remove_dir_all(&fresh);
    }
    outcome
}

fn failed(path: &Path, cause: &io::Error) -> Error {
    Error::new(
        Problem::new(format!("cannot write {}: {cause}", path.display()))
            .help("check that the folder exists and may be written, or give another with --out"),
    )
}

/// Makes a new hidden folder beside `name` that nobody else uses.
fn create_beside(parent: &Path, name: &std::ffi::OsStr, what: &str) -> Result<PathBuf> {
    for attempt in 0_u32.. {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{what}{attempt}"));
        let path = parent.join(hidden);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && attempt < 1_000 => {}
            Err(cause) => return Err(failed(&path, &cause)),
        }
    }
    Err(failed(
        parent,
        &io::Error::from(io::ErrorKind::AlreadyExists),
    ))
}

fn fill(fresh: &Path, files: &[NewFile]) -> Result<()> {
    for (name, bytes) in files {
        let path = fresh.join(name);
        fs::write(&path, bytes).map_err(|cause| failed(&path, &cause))?;
    }
    Ok(())
}

/// Moves the files of `fresh` to `dir`. A folder that holds nothing but an earlier run is exchanged
/// as a whole; one with other files in it gets the new files one by one, the manifest last.
fn put_in_place(fresh: &Path, dir: &Path, files: &[NewFile]) -> Result<()> {
    let is_link = fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_symlink());
    if !dir.exists() && !is_link {
        return fs::rename(fresh, dir).map_err(|cause| failed(dir, &cause));
    }
    let old = old_files(dir);
    // A folder that cannot be renamed (the root of a mounted disk) is filled like a stranger's.
    if !is_link && holds_only(dir, &old) && exchange(fresh, dir).is_ok() {
        return Ok(());
    }
    // The old manifest goes first: without it the folder is no finished run.
    for name in old.iter().rev() {
        let path = dir.join(name);
        if path.is_file() {
            fs::remove_file(&path).map_err(|cause| failed(&path, &cause))?;
        }
    }
    for (name, _) in files {
        move_file(&fresh.join(name), &dir.join(name))?;
    }
    fs::remove_dir_all(fresh).map_err(|cause| failed(fresh, &cause))
}

/// Renames a file, or copies it to where renaming does not reach.
fn move_file(from: &Path, to: &Path) -> Result<()> {
    let moved = fs::rename(from, to).or_else(|_| fs::copy(from, to).map(|_| ()));
    moved.map_err(|cause| failed(to, &cause))
}

/// The files that an earlier run wrote, by its manifest, which comes last. Names that are no bare
/// names are left alone: a manifest must not point outside its folder.
fn old_files(dir: &Path) -> Vec<String> {
    let Ok(old) = Manifest::read(dir) else {
        return Vec::new();
    };
    let bare = |name: &String| Path::new(name).file_name() == Some(name.as_ref());
    let mut names: Vec<String> = old.files.into_iter().map(|f| f.file).filter(bare).collect();
    names.push(manifest::FILE_NAME.to_string());
    names
}

fn holds_only(dir: &Path, names: &[String]) -> bool {
    let Ok(entries) = fs::read_dir(dir) else {
        return false;
    };
    entries.into_iter().all(|entry| {
        entry.is_ok_and(|e| {
            names
                .iter()
                .any(|name| e.file_name() == OsString::from(name))
        })
    })
}

fn exchange(fresh: &Path, dir: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
        return Err(failed(dir, &io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let aside = create_beside(parent, name, "old")?;
    let kept = aside.join("run");
    if let Err(cause) = fs::rename(dir, &kept) {
        let _ = fs::remove_dir(&aside);
        return Err(failed(dir, &cause));
    }
    if let Err(cause) = fs::rename(fresh, dir) {
        // Put the earlier run back; if that fails too, it is still whole under its hidden name.
        let _ = fs::rename(&kept, dir);
        let _ = fs::remove_dir(&aside);
        return Err(failed(dir, &cause));
    }
    // The new run is in place; an old one that cannot be removed is in nobody's way.
    let _ = fs::remove_dir_all(&aside);
    Ok(())
}
