//! A condition on numbers with names, without any bars: which points of a sweep are worth a trial
//! (`fast < slow and slow <= 4 * fast`). It has the grammar, the arithmetic and the comparisons of
//! the rules; what the names stand for, and which points there are, is left to the caller.

use super::parse::{Binary, Syntax, Tree, parse};
use crate::error::{Problem, nearest};
use std::ops::Range;

/// A condition on a list of numbers.
///
/// ```
/// use papertape::rules::Constraint;
/// let names = ["fast".to_string(), "slow".to_string()];
/// let constraint = Constraint::parse("fast < slow", &names).unwrap();
/// assert!(constraint.holds(&[10.0, 20.0]));
/// assert!(!constraint.holds(&[20.0, 20.0]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    root: Node,
}

/// Conditions are 1 and 0, so that one evaluator serves both kinds.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Number(f64),
    /// The number at this place of the list.
    Slot(usize),
    Minus(Box<Node>),
    Not(Box<Node>),
    Two(Binary, Box<Node>, Box<Node>),
    Abs(Box<Node>),
    Least(Vec<Node>),
    Largest(Vec<Node>),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Condition,
}

impl Constraint {
    /// Reads a condition in which `names` stand for numbers. Spans are bytes of `text`.
    ///
    /// # Errors
    /// Every mistake: syntax, unknown names, calls other than `abs`, `min` and `max`, bars, and a
    /// number where a condition must stand.
    pub fn parse(text: &str, names: &[String]) -> Result<Constraint, Vec<Problem>> {
        let mut problems = Vec::new();
        let tree = parse(text, &[], &mut problems);
        let mut reader = Reader {
            text,
            names,
            problems,
        };
        let root = reader.of_kind(&tree, Kind::Condition);
        match (root, reader.problems.is_empty()) {
            (Some(root), true) => Ok(Constraint { root }),
            _ => Err(reader.problems),
        }
    }

    /// Whether the condition holds for the numbers in the order of the names. A comparison with a
    /// quotient by 0 does not hold.
    pub fn holds(&self, numbers: &[f64]) -> bool {
        self.root.value(numbers) == 1.0
    }
}

impl Node {
    fn value(&self, numbers: &[f64]) -> f64 {
        match self {
            Node::Number(x) => *x,
            Node::Slot(at) => numbers[*at],
            Node::Minus(a) => -a.value(numbers),
            Node::Not(a) => 1.0 - a.value(numbers),
            Node::Abs(a) => a.value(numbers).abs(),
            Node::Least(all) => {
                let values = all.iter().map(|node| node.value(numbers));
                values.fold(f64::INFINITY, f64::min)
            }
            Node::Largest(all) => {
                let values = all.iter().map(|node| node.value(numbers));
                values.fold(f64::NEG_INFINITY, f64::max)
            }
            Node::Two(binary, a, b) => two(*binary, a.value(numbers), b.value(numbers)),
        }
    }
}

fn two(binary: Binary, a: f64, b: f64) -> f64 {
    let condition = match binary {
        Binary::Add => return a + b,
        Binary::Subtract => return a - b,
        Binary::Multiply => return a * b,
        Binary::Divide => return if b == 0.0 { f64::NAN } else { a / b },
        Binary::And => a == 1.0 && b == 1.0,
        Binary::Or => a == 1.0 || b == 1.0,
        Binary::Less => a < b,
        Binary::LessEqual => a <= b,
        Binary::Greater => a > b,
        Binary::GreaterEqual => a >= b,
        Binary::Equal => a == b,
        Binary::NotEqual => a != b && !a.is_nan() && !b.is_nan(),
    };
    f64::from(u8::from(condition))
}

struct Reader<'a> {
    text: &'a str,
    names: &'a [String],
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn refuse(&mut self, span: &Range<usize>, message: String, help: &str) {
        let problem = Problem::new(message).at(span.clone());
        self.problems.push(problem.help(help));
    }

    /// The node of a tree that must be of this kind; `None` after a mistake was noted.
    fn of_kind(&mut self, tree: &Tree, kind: Kind) -> Option<Node> {
        let (node, found) = self.read(tree)?;
        if found == kind {
            return Some(node);
        }
        let (message, help) = match kind {
            Kind::Condition => (
                "this is a number, and a condition (yes or no) is needed",
                "compare it with something: `fast < slow`",
            ),
            Kind::Number => (
                "this is a condition (yes or no), and a number is needed",
                "join conditions by `and` and `or`",
            ),
        };
        self.refuse(&tree.span, message.to_string(), help);
        None
    }

    fn read(&mut self, tree: &Tree) -> Option<(Node, Kind)> {
        let node = match &tree.syntax {
            Syntax::Number(x) => (Node::Number(*x), Kind::Number),
            Syntax::Name(name) => (Node::Slot(self.slot(name)?), Kind::Number),
            Syntax::Minus(inner) => {
                let inner = self.of_kind(inner, Kind::Number)?;
                (Node::Minus(Box::new(inner)), Kind::Number)
            }
            Syntax::Not(inner) => {
                let inner = self.of_kind(inner, Kind::Condition)?;
                (Node::Not(Box::new(inner)), Kind::Condition)
            }
            Syntax::Binary(binary, a, b) => return self.binary(*binary, a, b),
            Syntax::Call { name, args } => (self.call(name, args)?, Kind::Number),
            Syntax::Foreign { .. } | Syntax::Lag { .. } | Syntax::Coarse { .. } => {
                let message = "a constraint knows no bars".to_string();
                self.refuse(&tree.span, message, "it compares params: `fast < slow`");
                return None;
            }
            Syntax::Broken => return None,
        };
        Some(node)
    }

    fn binary(&mut self, binary: Binary, a: &Tree, b: &Tree) -> Option<(Node, Kind)> {
        let (takes, gives) = match binary {
            Binary::And | Binary::Or => (Kind::Condition, Kind::Condition),
            Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide => {
                (Kind::Number, Kind::Number)
            }
            _ => (Kind::Number, Kind::Condition),
        };
        let (a, b) = (self.of_kind(a, takes), self.of_kind(b, takes));
        Some((Node::Two(binary, Box::new(a?), Box::new(b?)), gives))
    }

    fn call(&mut self, name: &Range<usize>, args: &[Tree]) -> Option<Node> {
        let word = &self.text[name.clone()];
        let nodes: Vec<Option<Node>> = args
            .iter()
            .map(|arg| self.of_kind(arg, Kind::Number))
            .collect();
        let mut nodes: Vec<Node> = nodes.into_iter().collect::<Option<_>>()?;
        match (word, nodes.len()) {
            ("min", 2..) => Some(Node::Least(nodes)),
            ("max", 2..) => Some(Node::Largest(nodes)),
            ("abs", 1) => nodes.pop().map(|node| Node::Abs(Box::new(node))),
            _ => {
                let message = format!("a constraint knows no `{word}` of {} values", nodes.len());
                self.refuse(name, message, "it knows abs(a), min(a, b) and max(a, b)");
                None
            }
        }
    }

    fn slot(&mut self, name: &Range<usize>) -> Option<usize> {
        let word = &self.text[name.clone()];
        let place = self.names.iter().position(|known| known == word);
        if place.is_none() {
            let known = self.names.iter().map(String::as_str);
            let help = match nearest(word, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.names.is_empty() => {
                    "a constraint compares params, and [params] is empty".to_string()
                }
                None => format!("the params are {}", known.collect::<Vec<_>>().join(" ")),
            };
            self.refuse(name, format!("there is no param `{word}`"), &help);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["fast", "slow", "k"].map(str::to_string).to_vec()
    }

    #[test]
    fn arithmetic_and_logic_are_those_of_rules() {
        let cases = [
            ("fast < slow", [1.0, 2.0, 0.0], true),
            ("fast * 2 <= slow and not k > 1", [1.0, 2.0, 1.0], true),
            ("fast * 2 <= slow and not k > 1", [1.0, 2.0, 2.0], false),
            (
                "max(fast, k) == 3 or slow - fast > 10",
                [1.0, 2.0, 3.0],
                true,
            ),
            ("abs(fast - slow) >= 1", [2.0, 1.0, 0.0], true),
            ("fast / k > 0", [1.0, 1.0, 0.0], false),
            ("fast / k != 0", [1.0, 1.0, 0.0], false),
            ("-fast < min(slow, 0)", [1.0, 1.0, 0.0], true),
        ];
        for (text, numbers, expected) in cases {
            let constraint = Constraint::parse(text, &names()).unwrap();
            assert_eq!(
                constraint.holds(&numbers),
                expected,
                "{text} of {numbers:?}"
            );
        }
    }

    #[test]
    fn mistakes_have_their_place_and_cure() {
        let cases = [
            ("fast < slwo", "no param `slwo`"),
            ("fast + slow", "a condition"),
            ("rsi(14) < 30", "no `rsi`"),
            ("close[1] < fast", "knows no bars"),
            ("fast <", "end"),
            ("(fast < slow) + 1 > 0", "a number is needed"),
        ];
        for (text, expected) in cases {
            let problems = Constraint::parse(text, &names()).unwrap_err();
            let all: Vec<String> = problems.iter().map(|p| p.to_string()).collect();
            assert!(all.join("\n").contains(expected), "{text}: {all:?}");
            assert!(problems.iter().all(|p| p.span.is_some()));
        }
    }
}
