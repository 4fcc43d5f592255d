//! Tokens to a syntax tree, by operator precedence.
//!
//! From loose to tight: `or`, `and`, `not`, comparisons (which do not chain), `+ -`, `* /`, unary
//! minus, then `[n]` and `@ "1w"`. A mistake is reported and the reader goes on behind it, at the
//! next comma, bracket or operator, so that one look shows all mistakes. What names mean and
//! whether kinds fit is [`super::check`]'s business.

use super::lex::{Lexeme, Token, lex};
use crate::error::Problem;
use std::ops::Range;

/// Longest expression, in bytes.
pub(super) const LENGTH_MAX: usize = 16_384;
/// Deepest nesting of an expression, in operators and brackets.
pub(super) const DEPTH_MAX: usize = 200;

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

impl Binary {
    /// As it is written.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Less => "<",
            Binary::LessEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterEqual => ">=",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::And => "and",
            Binary::Or => "or",
        }
    }

    fn of(token: Token) -> Option<Self> {
        Some(match token {
            Token::Plus => Binary::Add,
            Token::Minus => Binary::Subtract,
            Token::Star => Binary::Multiply,
            Token::Slash => Binary::Divide,
            Token::Less => Binary::Less,
            Token::LessEqual => Binary::LessEqual,
            Token::Greater => Binary::Greater,
            Token::GreaterEqual => Binary::GreaterEqual,
            Token::Equal => Binary::Equal,
            Token::NotEqual => Binary::NotEqual,
            Token::And => Binary::And,
            Token::Or => Binary::Or,
            _ => return None,
        })
    }

    fn power(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Add | Binary::Subtract => 5,
            Binary::Multiply | Binary::Divide => 6,
            _ => COMPARISON,
        }
    }
}

const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const MINUS: u8 = 7;

/// A piece of syntax and its bytes.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) syntax: Syntax,
    pub(super) span: Range<usize>,
    depth: usize,
}

/// What a piece of syntax is.
#[derive(Debug, Clone)]
pub(super) enum Syntax {
    Number(f64),
    /// A name; the tree may have brackets around it.
    Name(Range<usize>),
    /// `symbol:column`.
    Foreign {
        symbol: Range<usize>,
        column: Range<usize>,
    },
    Minus(Box<Tree>),
    Not(Box<Tree>),
    Binary(Binary, Box<Tree>, Box<Tree>),
    Call {
        name: Range<usize>,
        args: Vec<Tree>,
    },
    /// `base[by]`.
    Lag {
        base: Box<Tree>,
        by: Box<Tree>,
    },
    /// `base @ "interval"`.
    Coarse {
        base: Box<Tree>,
        interval: Range<usize>,
    },
    /// Reported already.
    Broken,
}

/// Reads `text`. Spans of the tree and of the problems are bytes of `text`.
pub(super) fn parse(text: &str, symbols: &[String], problems: &mut Vec<Problem>) -> Tree {
    if text.len() > LENGTH_MAX {
        problems.push(
            Problem::new(format!(
                "an expression has at most {LENGTH_MAX} bytes, this one has {}",
                text.len()
            ))
            .help("split it into [series]"),
        );
        return broken(0..text.len());
    }
    let lexemes = lex(text, symbols, problems);
    let mut parser = Parser {
        text,
        lexemes,
        at: 0,
        depth: 0,
        too_deep: false,
        problems,
    };
    parser.whole()
}

fn broken(span: Range<usize>) -> Tree {
    Tree {
        syntax: Syntax::Broken,
        span,
        depth: 0,
    }
}

struct Parser<'a> {
    text: &'a str,
    lexemes: Vec<Lexeme>,
    at: usize,
    depth: usize,
    too_deep: bool,
    problems: &'a mut Vec<Problem>,
}

impl Parser<'_> {
    fn peek(&self) -> Token {
        self.lexemes[self.at].token
    }

    fn span(&self) -> Range<usize> {
        self.lexemes[self.at].span.clone()
    }

    /// Takes the current lexeme; the end stays.
    fn take(&mut self) -> Lexeme {
        let lexeme = self.lexemes[self.at].clone();
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
        lexeme
    }

    /// The current lexeme in words, for messages.
    fn found(&self) -> String {
        match self.peek() {
            Token::End => "the end".to_string(),
            _ => format!("`{}`", &self.text[self.span()]),
        }
    }

    /// Bytes to underline for the current lexeme: the last byte of the text at the end.
    fn caret(&self) -> Range<usize> {
        let span = self.span();
        if span.is_empty() && span.start > 0 {
            let last = self.text[..span.start].char_indices().next_back();
            return last.map_or(0, |(at, _)| at)..span.start;
        }
        span
    }

    /// A node above `children`, unless that nests too deep.
    fn node(&mut self, syntax: Syntax, span: Range<usize>, depth: usize) -> Tree {
        let depth = depth + 1;
        if depth > DEPTH_MAX {
            self.report_depth(span.clone());
            return broken(span);
        }
        Tree {
            syntax,
            span,
            depth,
        }
    }

    fn report_depth(&mut self, span: Range<usize>) {
        if !self.too_deep {
            self.too_deep = true;
            self.problems.push(
                Problem::new(format!("nested more than {DEPTH_MAX} levels deep"))
                    .at(span)
                    .help("split the expression into [series]"),
            );
        }
    }

    /// The whole text.
    fn whole(&mut self) -> Tree {
        let mut tree = self.full();
        while self.peek() != Token::End {
            let span = self.span();
            let found = self.found();
            let problem = match self.peek() {
                Token::Comma => Problem::new("a `,` stands only between the arguments of a call"),
                _ => Problem::new(format!("{found} closes nothing that was opened")),
            };
            self.problems.push(problem.at(span));
            self.take();
            if self.peek() != Token::End {
                self.full();
            }
            tree = broken(0..self.text.len());
        }
        tree
    }

    /// An expression up to a comma, a closing bracket or the end.
    fn full(&mut self) -> Tree {
        let mut tree = self.expression(0);
        while starts_value(self.peek()) {
            let found = self.found();
            self.problems.push(
                Problem::new(format!("expected an operator before {found}"))
                    .at(self.span())
                    .help("conditions are joined by `and` or `or`, products by `*`"),
            );
            let more = self.expression(0);
            tree = broken(tree.span.start..more.span.end.max(tree.span.start));
        }
        tree
    }

    /// Operators that bind at least as tightly as `power`.
    fn expression(&mut self, power: u8) -> Tree {
        if self.depth >= DEPTH_MAX {
            let span = self.span();
            self.report_depth(span.clone());
            self.at = self.lexemes.len() - 1;
            return broken(span);
        }
        self.depth += 1;
        let mut left = self.prefix();
        while let Some(operator) = Binary::of(self.peek()).filter(|b| b.power() >= power) {
            self.take();
            let right = self.expression(operator.power() + 1);
            let span = left.span.start..right.span.end.max(left.span.end);
            let depth = left.depth.max(right.depth);
            let chained = operator.power() == COMPARISON
                && Binary::of(self.peek()).is_some_and(|b| b.power() == COMPARISON);
            if chained {
                left = self.chain(&left, operator, &right);
            } else {
                let syntax = Syntax::Binary(operator, Box::new(left), Box::new(right));
                left = self.node(syntax, span, depth);
            }
        }
        self.depth -= 1;
        left
    }

    /// `a < b < c`: reported, read to its end.
    fn chain(&mut self, left: &Tree, operator: Binary, middle: &Tree) -> Tree {
        let (a, b) = (
            &self.text[left.span.clone()],
            &self.text[middle.span.clone()],
        );
        let first = operator.sign();
        let next = Binary::of(self.peek()).unwrap_or(operator).sign();
        let help = format!("write `{a} {first} {b} and {b} {next} …`");
        let mut end = middle.span.end;
        while Binary::of(self.peek()).is_some_and(|b| b.power() == COMPARISON) {
            self.take();
            end = end.max(self.expression(COMPARISON + 1).span.end);
        }
        let span = left.span.start..end;
        self.problems.push(
            Problem::new("comparisons cannot be chained")
                .at(span.clone())
                .help(help),
        );
        broken(span)
    }

    /// A value with what stands before and behind it.
    fn prefix(&mut self) -> Tree {
        let start = self.span().start;
        match self.peek() {
            Token::Minus => {
                self.take();
                let inner = self.expression(MINUS);
                let (span, depth) = (start..inner.span.end, inner.depth);
                self.node(Syntax::Minus(Box::new(inner)), span, depth)
            }
            Token::Plus => {
                self.take();
                self.expression(MINUS)
            }
            Token::Not => {
                self.take();
                let inner = self.expression(NOT);
                let (span, depth) = (start..inner.span.end, inner.depth);
                self.node(Syntax::Not(Box::new(inner)), span, depth)
            }
            _ => {
                let tree = self.primary();
                self.postfix(tree)
            }
        }
    }

    fn primary(&mut self) -> Tree {
        let span = self.span();
        match self.peek() {
            Token::Number(value) => {
                self.take();
                self.node(Syntax::Number(value), span, 0)
            }
            Token::Name => {
                self.take();
                if self.peek() == Token::Open {
                    return self.call(span);
                }
                self.node(Syntax::Name(span.clone()), span, 0)
            }
            Token::Symbol => self.foreign(),
            Token::Open => {
                self.take();
                let mut inner = self.full();
                let end = self.close(Token::Close, ")", span.clone());
                inner.span = span.start..end;
                inner
            }
            Token::Broken => {
                self.take();
                broken(span)
            }
            Token::Quoted => {
                self.take();
                self.problems.push(
                    Problem::new("a quoted text stands only after `@`")
                        .at(span.clone())
                        .help("the names of columns and params are written without quotes"),
                );
                broken(span)
            }
            _ => self.missing(),
        }
    }

    /// No value where one is needed.
    fn missing(&mut self) -> Tree {
        let span = self.caret();
        let found = self.found();
        let message = match self.at.checked_sub(1).map(|at| self.lexemes[at].clone()) {
            Some(before) => {
                let before = &self.text[before.span];
                format!("expected a value after `{before}`, found {found}")
            }
            None if self.peek() == Token::End => "the expression is empty".to_string(),
            None => format!("expected a value, found {found}"),
        };
        self.problems.push(Problem::new(message).at(span.clone()));
        broken(span)
    }

    /// `SPY:close`.
    fn foreign(&mut self) -> Tree {
        let symbol = self.take().span;
        if self.peek() != Token::Name {
            let span = symbol.start..symbol.end + 1;
            let found = self.found();
            let written = &self.text[symbol];
            self.problems.push(
                Problem::new(format!(
                    "expected a column after `{written}:`, found {found}"
                ))
                .at(span.clone())
                .help(format!("write `{written}:close`")),
            );
            return broken(span);
        }
        let column = self.take().span;
        let span = symbol.start..column.end;
        if self.peek() == Token::Open {
            let name = &self.text[column.clone()];
            let written = &self.text[symbol];
            let help = format!("give the column to the function: `{name}({written}:close, …)`");
            self.problems.push(
                Problem::new("only a column can be taken from another symbol")
                    .at(span.clone())
                    .help(help),
            );
            return self.call(column);
        }
        self.node(Syntax::Foreign { symbol, column }, span, 0)
    }

    /// The arguments of a call; the current token is its `(`.
    fn call(&mut self, name: Range<usize>) -> Tree {
        let open = self.take().span;
        let mut args = Vec::new();
        let mut depth = 0;
        if self.peek() != Token::Close {
            loop {
                let arg = self.full();
                depth = depth.max(arg.depth);
                args.push(arg);
                if self.peek() != Token::Comma {
                    break;
                }
                self.take();
            }
        }
        let end = self.close(Token::Close, ")", open);
        let span = name.start..end;
        self.node(Syntax::Call { name, args }, span, depth)
    }

    /// `[n]` and `@ "1w"`, any number of them.
    fn postfix(&mut self, mut tree: Tree) -> Tree {
        loop {
            let start = tree.span.start;
            match self.peek() {
                Token::OpenBracket => {
                    let open = self.take().span;
                    let by = self.full();
                    let end = self.close(Token::CloseBracket, "]", open);
                    let depth = tree.depth.max(by.depth);
                    let (base, by) = (Box::new(tree), Box::new(by));
                    tree = self.node(Syntax::Lag { base, by }, start..end, depth);
                }
                Token::At => {
                    let at = self.take().span;
                    if self.peek() != Token::Quoted {
                        let found = self.found();
                        self.problems.push(
                            Problem::new(format!("expected a bar size after `@`, found {found}"))
                                .at(at.clone())
                                .help("write `@ \"1w\"`, in quotes"),
                        );
                        if matches!(self.peek(), Token::Name | Token::Number(_)) {
                            self.take();
                        }
                        tree = broken(start..at.end);
                        continue;
                    }
                    let interval = self.take().span;
                    let closed = self.text[interval.end..].starts_with(['"', '\'']);
                    let (depth, end) = (tree.depth, interval.end + usize::from(closed));
                    let base = Box::new(tree);
                    tree = self.node(Syntax::Coarse { base, interval }, start..end, depth);
                }
                _ => return tree,
            }
        }
    }

    /// Takes a closing bracket and gives its end. When it is missing: reports it and skips to
    /// the one that would match.
    fn close(&mut self, wanted: Token, sign: &str, open: Range<usize>) -> usize {
        if self.peek() == wanted {
            return self.take().span.end;
        }
        let found = self.found();
        let column = self.text[..open.start].chars().count() + 1;
        if !self.too_deep {
            self.problems.push(
                Problem::new(format!("expected `{sign}`, found {found}"))
                    .at(self.caret())
                    .label(format!("`{sign}` is missing"))
                    .help(format!(
                        "it closes the bracket opened at column {column} of the expression"
                    )),
            );
        }
        let mut nested = 0_usize;
        while self.peek() != Token::End {
            let token = self.peek();
            if nested == 0 && token == wanted {
                return self.take().span.end;
            }
            match token {
                Token::Open | Token::OpenBracket => nested += 1,
                Token::Close | Token::CloseBracket => nested = nested.saturating_sub(1),
                _ => {}
            }
            self.take();
        }
        self.text.len()
    }
}

/// Whether a token can only begin a value.
fn starts_value(token: Token) -> bool {
    matches!(
        token,
        Token::Number(_)
            | Token::Name
            | Token::Symbol
            | Token::Quoted
            | Token::Open
            | Token::Not
            | Token::Broken
    )
}
