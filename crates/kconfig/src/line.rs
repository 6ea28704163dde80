//! One line of a `.config` or a fragment.

use std::fmt::Write as _;

use crate::{InvalidSymbol, InvalidValue, Symbol, Value};

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct SyntaxError {
    /// The file, as the caller named it.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub problem: SyntaxProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxProblem {
    /// Neither a comment nor an assignment.
    #[error("`{text}` is neither a comment nor SYMBOL=VALUE")]
    NoAssignment {
        /// The line, cut.
        text: String,
    },
    /// What stands before the `=` is no name.
    #[error(transparent)]
    Symbol(#[from] InvalidSymbol),
    /// What stands after the `=` is no value.
    #[error("{symbol}: {invalid}")]
    Value {
        /// The symbol that was to have it.
        symbol: Symbol,
        /// What was written.
        invalid: InvalidValue,
    },
    /// Nothing stands after the `=`.
    #[error("{symbol} has no value")]
    NoValue {
        /// The symbol that was to have one.
        symbol: Symbol,
    },
}

impl SyntaxError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            SyntaxProblem::NoAssignment { .. } => {
                Some("write `CONFIG_X=y`, `X=y` or `# CONFIG_X is not set`".to_owned())
            }
            SyntaxProblem::Symbol(_) => None,
            SyntaxProblem::Value { symbol, invalid } => Some(format!(
                "if it is text, write `CONFIG_{symbol}=\"{}\"`",
                invalid.text.trim_matches('"')
            )),
            SyntaxProblem::NoValue { symbol } => {
                Some(format!("to unset it, write `# CONFIG_{symbol} is not set`"))
            }
        }
    }
}

/// Longest piece of a bad line that an error repeats, in characters.
const SHOWN_CHARS: usize = 60;

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assignment<'a> {
    pub symbol: Symbol,
    pub value: Value,
    /// The text after a `#` that follows the value.
    pub comment: Option<&'a str>,
}

/// Reads every assignment in `text` with its line number; comments and blank lines say nothing.
pub(crate) fn parse_lines<'a>(
    file: &str,
    text: &'a str,
) -> impl Iterator<Item = Result<(u32, Assignment<'a>), SyntaxError>> {
    // Editors of other systems begin a file with a byte-order mark, which nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().zip(1u32..).filter_map(move |(written, line)| {
        let error = |problem| SyntaxError { file: file.to_owned(), line, problem };
        match parse_line(written) {
            Ok(said) => said.map(|assignment| Ok((line, assignment))),
            Err(problem) => Some(Err(error(problem))),
        }
    })
}

fn parse_line(line: &str) -> Result<Option<Assignment<'_>>, SyntaxProblem> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    if let Some(comment) = line.strip_prefix('#') {
        return Ok(parse_not_set(comment));
    }
    let Some((name, rest)) = line.split_once('=') else {
        return Err(SyntaxProblem::NoAssignment { text: line.chars().take(SHOWN_CHARS).collect() });
    };
    let symbol: Symbol = name.trim_end().parse()?;
    let (value, comment) = split_comment(rest);
    match value.parse() {
        Ok(value) => Ok(Some(Assignment { symbol, value, comment })),
        Err(invalid) => Err(SyntaxProblem::Value { symbol, invalid }),
    }
}

/// The one kind of comment that says something: ` CONFIG_X is not set`.
fn parse_not_set(comment: &str) -> Option<Assignment<'_>> {
    let (said, comment) = split_comment(comment);
    let name = said.strip_suffix(" is not set")?;
    if !name.starts_with("CONFIG_") {
        return None;
    }
    Some(Assignment { symbol: name.parse().ok()?, value: Value::No, comment })
}

/// Cuts a trailing `# comment`, but not within quotes.
fn split_comment(text: &str) -> (&str, Option<&str>) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            '#' if !quoted => return (text[..at].trim(), Some(text[at + 1..].trim())),
            _ => {}
        }
    }
    (text.trim(), None)
}

/// A symbol and its value as the kernel writes them, without a line end.
pub(crate) fn render(symbol: &Symbol, value: &Value) -> String {
    let mut line = String::new();
    let written = match value {
        Value::No => write!(line, "# CONFIG_{symbol} is not set"),
        _ => write!(line, "CONFIG_{symbol}={value}"),
    };
    written.expect("writing to a String cannot fail");
    line
}
