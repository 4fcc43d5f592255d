//! Text to tokens with byte spans.
//!
//! Slips that other languages teach (`=`, `&&`, `||`, `!`, `<>`, `^`, typographic signs) are
//! reported with what was meant and then read as that, so that one slip gives one message.
//! What tokens mean together is [`super::parse`]'s business.

use crate::error::Problem;
use std::ops::Range;

/// One token of an expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token {
    /// A number.
    Number(f64),
    /// A column, param, series or function.
    Name,
    /// A symbol before a colon, which belongs to the token but not to its span.
    Symbol,
    /// A quoted text; the span leaves the quotes out.
    Quoted,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `and`
    And,
    /// `or`
    Or,
    /// `not`
    Not,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `,`
    Comma,
    /// `@`
    At,
    /// Something that was reported and stands for an unknown value.
    Broken,
    /// The end of the text.
    End,
}

/// A token and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// Slips and what was meant, longest first. Also signs that only word processors write.
const SLIPS: &[(&str, Token, &str)] = &[
    ("&&", Token::And, "`and`"),
    ("||", Token::Or, "`or`"),
    ("<>", Token::NotEqual, "`!=`"),
    ("=<", Token::LessEqual, "`<=`"),
    ("=>", Token::GreaterEqual, "`>=`"),
    ("<<", Token::Less, "`<`"),
    (">>", Token::Greater, "`>`"),
    ("**", Token::Star, "`x * x` (there is no power operator)"),
    ("&", Token::And, "`and`"),
    ("|", Token::Or, "`or`"),
    ("!", Token::Not, "`not`"),
    ("=", Token::Equal, "`==`"),
    ("^", Token::Star, "`x * x` (there is no power operator)"),
    ("≤", Token::LessEqual, "`<=`"),
    ("≥", Token::GreaterEqual, "`>=`"),
    ("≠", Token::NotEqual, "`!=`"),
    ("−", Token::Minus, "`-`"),
    ("–", Token::Minus, "`-`"),
    ("×", Token::Star, "`*`"),
    ("·", Token::Star, "`*`"),
    ("÷", Token::Slash, "`/`"),
    ("{", Token::Open, "`(`"),
    ("}", Token::Close, "`)`"),
];

/// Operators and brackets, longest first.
const SIGNS: &[(&str, Token)] = &[
    ("<=", Token::LessEqual),
    (">=", Token::GreaterEqual),
    ("==", Token::Equal),
    ("!=", Token::NotEqual),
    ("+", Token::Plus),
    ("-", Token::Minus),
    ("*", Token::Star),
    ("/", Token::Slash),
    ("<", Token::Less),
    (">", Token::Greater),
    ("(", Token::Open),
    (")", Token::Close),
    ("[", Token::OpenBracket),
    ("]", Token::CloseBracket),
    (",", Token::Comma),
    ("@", Token::At),
];

/// Splits `text` into lexemes, the last of which is [`Token::End`]. `symbols` are the names that
/// may stand before a colon even when they are no plain word (`BRK.B:close`, `^VIX:close`).
pub(super) fn lex(text: &str, symbols: &[String], problems: &mut Vec<Problem>) -> Vec<Lexeme> {
    let mut lexer = Lexer {
        text,
        symbols: if text.contains(':') { symbols } else { &[] },
        at: 0,
        lexemes: Vec::new(),
        problems,
    };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.push(Token::End, text.len()..text.len());
    lexer.lexemes
}

struct Lexer<'a> {
    text: &'a str,
    symbols: &'a [String],
    at: usize,
    lexemes: Vec<Lexeme>,
    problems: &'a mut Vec<Problem>,
}

impl Lexer<'_> {
    fn push(&mut self, token: Token, span: Range<usize>) {
        self.lexemes.push(Lexeme { token, span });
    }

    /// Reads one token, or skips one blank.
    fn step(&mut self) {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            self.at = self.text.len();
            return;
        };
        if first.is_whitespace() {
            self.at += first.len_utf8();
        } else if let Some(len) = self.known_symbol(rest) {
            self.push(Token::Symbol, self.at..self.at + len);
            self.at += len + 1;
        } else if first.is_ascii_digit() || first == '.' && starts_with_digit(&rest[1..]) {
            self.number(rest);
        } else if first.is_alphabetic() || first == '_' {
            self.word(rest);
        } else if first == '"' || first == '\'' {
            self.quoted(rest, first);
        } else {
            self.sign(rest, first);
        }
    }

    /// Length of the longest known symbol at the start of `rest` that a colon follows.
    fn known_symbol(&self, rest: &str) -> Option<usize> {
        let follows =
            |s: &&String| rest.starts_with(s.as_str()) && rest[s.len()..].starts_with(':');
        let fits = self.symbols.iter().filter(|s| !s.is_empty());
        fits.filter(follows).map(String::len).max()
    }

    /// A number: digits with `_` between them, a fraction, an exponent.
    fn number(&mut self, rest: &str) {
        let bytes = rest.as_bytes();
        let digits = |from: usize| {
            let run = bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit() || **b == b'_');
            from + run.count()
        };
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                end = digits(end + 1 + sign);
            }
        }
        let letters = rest[end..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_');
        let tail: usize = letters.map(char::len_utf8).sum();
        let span = self.at..self.at + end + tail;
        self.at = span.end;
        if tail > 0 {
            let written = &self.text[span.clone()];
            if self.lexemes.last().is_some_and(|l| l.token == Token::At) {
                self.problems.push(
                    Problem::new("the bar size after `@` is written in quotes")
                        .at(span.clone())
                        .help(format!("write `@ \"{written}\"`")),
                );
                self.push(Token::Quoted, span);
                return;
            }
            self.problems.push(
                Problem::new(format!("`{written}` is neither a number nor a name"))
                    .at(span.clone())
                    .label("letters right after a number")
                    .help("names begin with a letter; a product needs `*`"),
            );
            self.push(Token::Broken, span);
            return;
        }
        let plain: String = rest[..end].chars().filter(|c| *c != '_').collect();
        match plain.parse::<f64>() {
            Ok(value) if value.is_finite() => self.push(Token::Number(value), span.clone()),
            _ => {
                let message = format!("`{}` is too large a number", &self.text[span.clone()]);
                self.problems.push(Problem::new(message).at(span.clone()));
                self.push(Token::Broken, span.clone());
            }
        }
        if self.text[self.at..].starts_with('%') {
            self.percent(span);
        }
    }

    /// `5%`, which is 0.05 here.
    fn percent(&mut self, number: Range<usize>) {
        let span = number.start..number.end + 1;
        self.at = span.end;
        self.problems.push(
            Problem::new("`%` has no place in an expression")
                .at(span)
                .help("fractions are fractions: 5% is 0.05"),
        );
    }

    /// A name, a keyword, or a symbol with its colon.
    fn word(&mut self, rest: &str) {
        let letters = rest
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_');
        let len: usize = letters.map(char::len_utf8).sum();
        let span = self.at..self.at + len;
        let word = &rest[..len];
        self.at = span.end;
        if rest[len..].starts_with(':') {
            self.at += 1;
            self.push(Token::Symbol, span);
            return;
        }
        let keyword = match word.to_ascii_lowercase().as_str() {
            "and" => Token::And,
            "or" => Token::Or,
            "not" => Token::Not,
            _ => Token::Name,
        };
        if keyword != Token::Name && word.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = word.to_ascii_lowercase();
            self.problems.push(
                Problem::new(format!("`{word}` is written in lower case"))
                    .at(span.clone())
                    .help(format!("did you mean `{lower}`?")),
            );
        }
        self.push(keyword, span);
    }

    /// A quoted text, which only `@` takes.
    fn quoted(&mut self, rest: &str, quote: char) {
        let inner = &rest[1..];
        let len = inner.find(quote).unwrap_or(inner.len());
        let span = self.at + 1..self.at + 1 + len;
        if len == inner.len() {
            self.problems.push(
                Problem::new(format!(
                    "the text that starts here never ends: a {quote} is missing"
                ))
                .at(self.at..span.end),
            );
        }
        self.at = (span.end + 1).min(self.text.len());
        self.push(Token::Quoted, span);
    }

    /// An operator, a bracket, a slip, or a character that means nothing here.
    fn sign(&mut self, rest: &str, first: char) {
        let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
        let slip = SLIPS.iter().find(|(slip, ..)| rest.starts_with(slip));
        // `<<` and `=>` are slips although `<` is a sign; `<=` and `!=` are signs first.
        let slip = slip.filter(|(slip, ..)| sign.is_none_or(|(sign, _)| slip.len() > sign.len()));
        if let Some((written, token, meant)) = slip {
            let span = self.at..self.at + written.len();
            self.at = span.end;
            self.problems.push(
                Problem::new(format!("unknown operator `{written}`"))
                    .at(span.clone())
                    .help(format!("did you mean {meant}?")),
            );
            self.push(*token, span);
        } else if let Some((written, token)) = sign {
            let span = self.at..self.at + written.len();
            self.at = span.end;
            self.push(*token, span);
        } else {
            let span = self.at..self.at + first.len_utf8();
            // What follows `#` was meant as a comment.
            self.at = if first == '#' {
                self.text.len()
            } else {
                span.end
            };
            let shown = first.escape_debug();
            let problem = Problem::new(format!("unexpected character `{shown}`")).at(span);
            self.problems.push(match first {
                ';' => problem.help("one expression a key; arguments are separated by commas"),
                '#' => problem.help("comments belong outside the quotes"),
                ':' => problem.help("another symbol's column is written `SPY:close`"),
                '?' => problem.help("a choice is written `if(condition, a, b)`"),
                _ => problem,
            });
        }
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_digit())
}
