//! Expressions of the Kconfig language.

use std::fmt;
use std::iter::Peekable;
use std::vec;

use serde::{Serialize, Serializer};

use super::token::Token;
use super::variables::is_macro;
use crate::{Symbol, Value};

/// A condition or a value: `A && (B || C = 5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A symbol, a constant or a test.
    Operand(Operand),
    /// `!`.
    Not(Box<Expression>),
    /// `&&` of two or more.
    And(Vec<Expression>),
    /// `||` of two or more.
    Or(Vec<Expression>),
    /// A comparison.
    Compare(Operand, Comparison, Operand),
}

/// What stands between operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A symbol, which the tree may or may not declare.
    Symbol(Symbol),
    /// `y`, `m`, `n`, a number, or quoted text.
    Constant(Value),
    /// A `$(…)` that only a run of the kernel's own `conf` can decide, such as a test of the
    /// compiler.
    Macro(String),
}

/// How two operands are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// The tokens of a statement that are not yet read.
pub(super) type Tokens = Peekable<vec::IntoIter<Token>>;

impl Expression {
    /// Reads an expression, up to the first token that cannot belong to it (`if`).
    pub(super) fn parse(tokens: &mut Tokens) -> Option<Self> {
        let first = Self::parse_and(tokens)?;
        let mut parts = vec![first];
        while tokens.next_if_eq(&Token::Or).is_some() {
            parts.push(Self::parse_and(tokens)?);
        }
        Some(single_or(parts, Self::Or))
    }

    fn parse_and(tokens: &mut Tokens) -> Option<Self> {
        let first = Self::parse_factor(tokens)?;
        let mut parts = vec![first];
        while tokens.next_if_eq(&Token::And).is_some() {
            parts.push(Self::parse_factor(tokens)?);
        }
        Some(single_or(parts, Self::And))
    }

    /// `!A = B` is `!(A = B)`, as in scripts/kconfig/parser.y.
    fn parse_factor(tokens: &mut Tokens) -> Option<Self> {
        if tokens.next_if_eq(&Token::Not).is_some() {
            return Some(Self::Not(Box::new(Self::parse_factor(tokens)?)));
        }
        if tokens.next_if_eq(&Token::Open).is_some() {
            let inner = Self::parse(tokens)?;
            tokens.next_if_eq(&Token::Close)?;
            return Some(inner);
        }
        let left = Operand::parse(tokens)?;
        match tokens.peek().and_then(Comparison::of) {
            Some(comparison) => {
                tokens.next();
                Some(Self::Compare(left, comparison, Operand::parse(tokens)?))
            }
            None => Some(Self::Operand(left)),
        }
    }

    /// `A` on condition of `B`: `A || !B`, what `depends on A if B` means.
    pub(super) fn only_if(self, condition: Self) -> Self {
        Self::Or(vec![self, Self::Not(Box::new(condition))])
    }

    /// Writes a part of an `&&` or `!`, in parentheses if it binds less tightly.
    fn fmt_part(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operand(_) | Self::Not(_) | Self::Compare(..) => write!(f, "{self}"),
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
        }
    }
}

fn single_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

impl Operand {
    pub(super) fn parse(tokens: &mut Tokens) -> Option<Self> {
        match tokens.next()? {
            Token::Word(word) => Self::of_word(word),
            Token::Text(text) if is_macro(&text) => Some(Self::Macro(format!("\"{text}\""))),
            Token::Text(text) => Some(Self::Constant(match text.as_str() {
                "y" => Value::Yes,
                "m" => Value::Module,
                "n" => Value::No,
                _ => Value::Text(text),
            })),
            _ => None,
        }
    }

    fn of_word(word: String) -> Option<Self> {
        if is_macro(&word) {
            return Some(Self::Macro(word));
        }
        let digits = word.strip_prefix('-').unwrap_or(&word);
        let number = digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with("0x");
        match word.parse() {
            Ok(constant @ (Value::Yes | Value::Module | Value::No)) => {
                Some(Self::Constant(constant))
            }
            Ok(constant @ Value::Number(_)) if number => Some(Self::Constant(constant)),
            _ => word.parse().ok().map(Self::Symbol),
        }
    }
}

impl Comparison {
    fn of(token: &Token) -> Option<Self> {
        match token {
            Token::Equal => Some(Self::Equal),
            Token::Unequal => Some(Self::Unequal),
            Token::Less => Some(Self::Less),
            Token::LessEqual => Some(Self::LessEqual),
            Token::Greater => Some(Self::Greater),
            Token::GreaterEqual => Some(Self::GreaterEqual),
            _ => None,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operand(operand) => write!(f, "{operand}"),
            Self::Not(inner) => match **inner {
                Self::Compare(..) => write!(f, "!({inner})"),
                _ => {
                    f.write_str("!")?;
                    inner.fmt_part(f)
                }
            },
            Self::And(parts) => fmt_joined(f, parts, " && "),
            Self::Or(parts) => fmt_joined(f, parts, " || "),
            Self::Compare(left, comparison, right) => write!(f, "{left} {comparison} {right}"),
        }
    }
}

fn fmt_joined(f: &mut fmt::Formatter<'_>, parts: &[Expression], joint: &str) -> fmt::Result {
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            f.write_str(joint)?;
        }
        part.fmt_part(f)?;
    }
    Ok(())
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => write!(f, "{symbol}"),
            Self::Constant(value) => write!(f, "{value}"),
            Self::Macro(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        })
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::token::{Reader, Statement};
    use super::super::variables::Variables;
    use super::*;

    /// The tokens of an expression; after an `if`, or `A = B` would assign.
    fn tokens(text: &str) -> Tokens {
        let statement = Reader::new(&format!("if {text}")).statement(&Variables::new([]));
        let Some((_, Statement::Tokens(tokens))) = statement else {
            panic!("{text}: {statement:?}")
        };
        let mut tokens = tokens.into_iter().peekable();
        tokens.next();
        tokens
    }

    /// Reads one expression that must be all there is.
    pub(in super::super) fn expression(text: &str) -> Expression {
        let mut tokens = tokens(text);
        let parsed = Expression::parse(&mut tokens).expect(text);
        assert_eq!(tokens.next(), None, "{text}");
        parsed
    }

    #[test]
    fn operators_bind_as_in_the_kernels_grammar() {
        for (text, rendered) in [
            ("(A || B) && C", "(A || B) && C"),
            ("A || B && C", "A || (B && C)"),
            ("!(A || !B)", "!(A || !B)"),
            ("((A))", "A"),
            ("!A = B", "!(A = B)"),
            ("A>=0x10 && B<\"x\"", "A >= 0x10 && B < \"x\""),
            ("64BIT && \"y\"", "64BIT && y"),
            ("$(cc-option,-m(32)) || X", "$(cc-option,-m(32)) || X"),
            ("\"$(CC)\" = \"gcc\"", "\"$(CC)\" = \"gcc\""),
        ] {
            assert_eq!(expression(text).to_string(), rendered, "{text}");
        }
    }

    #[test]
    fn numbers_are_constants_and_names_are_symbols() {
        for (text, constant) in
            [("18", true), ("-1", true), ("0xFEE0", true), ("64BIT", false), ("FEE0", false)]
        {
            let parsed = expression(text);
            let is_constant = matches!(parsed, Expression::Operand(Operand::Constant(_)));
            assert_eq!(is_constant, constant, "{text}");
        }
    }

    #[test]
    fn broken_expressions_are_refused() {
        for text in ["A &&", "(A", "|| B", "A ! B", "!"] {
            let mut tokens = tokens(text);
            let parsed = Expression::parse(&mut tokens);
            assert!(parsed.is_none() || tokens.next().is_some(), "{text}");
        }
    }
}
