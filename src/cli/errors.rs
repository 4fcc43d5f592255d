//! Errors as people read them: the line with a caret where there is one, else the place in words.
//! What went wrong and its cure were written by the library.

use crate::cli::Context;
use miette::{Diagnostic, LabeledSpan, MietteHandlerOpts, NamedSource, ReportHandler, SourceCode};
use papertape::error::{Error, Problem};
use std::fmt;

/// A problem with the text its span points into, as miette wants it.
struct Pointed<'a> {
    problem: &'a Problem,
    source: &'a NamedSource<String>,
}

/// All problems of an error, one after another.
pub(crate) fn render(error: &Error, io: &Context) -> String {
    let source = error
        .source_text()
        .map(|s| NamedSource::new(&s.name, s.text.clone()));
    let handler = MietteHandlerOpts::new()
        .color(io.color_err)
        .terminal_links(false)
        .force_graphical(true)
        .context_lines(1)
        .build();
    let mut text = String::new();
    for problem in error.problems() {
        match &source {
            Some(source) if problem.file.is_none() && problem.span.is_some() => {
                text.push_str(&Shown(&handler, &Pointed { problem, source }).to_string());
            }
            _ => text.push_str(&plain(problem, error)),
        }
        text.push('\n');
    }
    text
}

/// `file:line: column: message` and a line of help.
fn plain(problem: &Problem, error: &Error) -> String {
    let mut place = String::new();
    let file = problem
        .file
        .as_deref()
        .or(error.source_text().map(|s| s.name.as_str()));
    if let Some(file) = file {
        place.push_str(file);
        if let Some(line) = problem.line {
            place.push_str(&format!(":{line}"));
        }
        place.push_str(": ");
    }
    if let Some(column) = &problem.column {
        place.push_str(&format!("{column}: "));
    }
    let mut text = format!("error: {place}{}\n", problem.message);
    // Without a line to point at, what is expected there would go unsaid.
    if let Some(help) = problem.help.as_ref().or(problem.label.as_ref()) {
        text.push_str(&format!("  help: {help}\n"));
    }
    text
}

struct Shown<'a>(&'a dyn ReportHandler, &'a Pointed<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug(self.1, f)
    }
}

impl fmt::Debug for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl fmt::Display for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Pointed<'_> {}

impl Diagnostic for Pointed<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let help = self.problem.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone()?;
        let label = LabeledSpan::new(self.problem.label.clone(), span.start, span.len().max(1));
        Some(Box::new(std::iter::once(label)))
    }
}
