//! What went wrong, where, and the cure.
//!
//! One error type for the crate: a list of [`Problem`]s, because a user wants all mistakes of a
//! file at once. The library only describes; the binary draws carets and colours.

use std::fmt;
use std::ops::Range;

/// The text that byte spans of problems point into, usually a strategy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// File name as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// One mistake: what, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problem {
    /// What went wrong, one sentence without a full stop.
    pub message: String,
    /// The file it happened in, when it is not the source text of the error.
    pub file: Option<String>,
    /// 1-based line of a text file (the header of a CSV is line 1).
    pub line: Option<u64>,
    /// Column of a table by name, or key of a strategy file.
    pub column: Option<String>,
    /// Bytes of the source text that a caret should underline.
    pub span: Option<Range<usize>>,
    /// A few words to stand at the caret.
    pub label: Option<String>,
    /// The cure: what was expected, or the nearest known word.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that has only a message so far.
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            ..Problem::default()
        }
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Gives the 1-based line.
    #[must_use]
    pub fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// Names the column or key.
    #[must_use]
    pub fn at_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Points at bytes of the source text.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds the few words at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds the cure.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            write!(f, ": ")?;
        } else if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "{column}: ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Everything that was wrong with one request. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    problems: Vec<Problem>,
    source: Option<SourceText>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of one problem.
    pub fn new(problem: Problem) -> Self {
        Error::all(vec![problem])
    }

    /// An error of one problem that is only a sentence.
    pub fn msg(message: impl Into<String>) -> Self {
        Error::new(Problem::new(message))
    }

    /// An error of many problems.
    ///
    /// # Panics
    /// If `problems` is empty: an error without a problem is a bug of the caller.
    pub fn all(problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "an error needs a problem");
        Error(Box::new(Inner {
            problems,
            source: None,
        }))
    }

    /// Attaches the text that the spans point into.
    #[must_use]
    pub fn with_source(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.0.source = Some(SourceText {
            name: name.into(),
            text: text.into(),
        });
        self
    }

    /// The problems, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// The text that spans point into, if any.
    pub fn source_text(&self) -> Option<&SourceText> {
        self.0.source.as_ref()
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::new(problem)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            if problem.file.is_none()
                && let (Some(source), Some(span)) = (&self.0.source, &problem.span)
            {
                let (line, column) = line_column(&source.text, span.start);
                write!(f, "{}:{line}:{column}: ", source.name)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// 1-based line and column (in characters) of a byte offset.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |p| p + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    (line, column)
}

/// The nearest of `known` to `word` by Damerau-Levenshtein distance, if it is near enough to be
/// what the user meant (distance at most a third of the length, at least one).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
