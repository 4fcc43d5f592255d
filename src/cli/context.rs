//! What a verb is given beside its own arguments: where to print, and the flags that all share.
//! Rendering of errors is left to `errors.rs`, rendering of results to the library's reports.

use clap::ColorChoice;
use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON object, with `"schema": 1`.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// How a verb ended without an error; the number is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// What was checked does not hold.
    CheckFailed = 1,
}

/// The surroundings of a verb.
///
/// Writing to it never fails at the spot: the first failure is kept, later output is dropped, and
/// the process ends by it (a closed pipe is success). So a verb whose reader has left still
/// finishes its files. It is an [`io::Write`] for writers of CSV and JSON.
pub(crate) struct Context {
    /// `--format`.
    pub(crate) format: Format,
    /// `--quiet`.
    pub(crate) quiet: bool,
    /// How often `-v` was given.
    pub(crate) verbose: u8,
    /// Results may be coloured.
    pub(crate) color: bool,
    /// Diagnostics may be coloured.
    pub(crate) color_err: bool,
    /// `-j`; `None` is all cores.
    pub(crate) jobs: Option<usize>,
    /// `--seed`.
    pub(crate) seed: u64,
    out: BufWriter<Stdout>,
    failure: Option<io::Error>,
}

impl Context {
    pub(crate) fn new(
        format: Format,
        quiet: bool,
        verbose: u8,
        color: ColorChoice,
        jobs: Option<usize>,
        seed: u64,
    ) -> Self {
        Context {
            format,
            quiet,
            verbose,
            color: super::colored(color, &io::stdout()),
            color_err: super::colored(color, &io::stderr()),
            jobs,
            seed,
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            failure: None,
        }
    }

    /// Results: to stdout, as they are.
    pub(crate) fn print(&mut self, text: impl Display) {
        if self.failure.is_none() {
            self.failure = write!(self.out, "{text}").err();
        }
    }

    /// A remark to stderr, one line; nothing with `--quiet`. Results printed so far come first.
    pub(crate) fn note(&mut self, text: impl Display) {
        if !self.quiet {
            let _ = self.flush();
            super::complain(&text.to_string());
        }
    }

    /// An error beside another one that ends the verb: to stderr, results printed so far first.
    pub(crate) fn report(&mut self, error: &papertape::Error) {
        let _ = self.flush();
        super::complain(super::errors::render(error, self).trim_end());
    }

    /// A remark that is only made with `-v`.
    pub(crate) fn detail(&mut self, text: impl Display) {
        if self.verbose > 0 {
            self.note(text);
        }
    }

    /// Writes what is buffered; the first failure of the whole run, if there was one.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let _ = self.flush();
        self.failure.take().map_or(Ok(()), Err)
    }
}

impl Write for Context {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failure.is_none() {
            self.failure = self.out.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failure.is_none() {
            self.failure = self.out.flush().err();
        }
        Ok(())
    }
}
