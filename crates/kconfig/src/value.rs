//! Values of configuration symbols, as a `.config` writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The value of a symbol. [`fmt::Display`] is what stands after `CONFIG_X=` in a `.config`.
///
/// `PartialEq` compares the notation too; [`Value::same_as`] compares the meaning.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Value {
    /// `n`; a `.config` says `# CONFIG_X is not set`.
    No,
    /// `m`: a loadable module.
    Module,
    /// `y`: built in.
    Yes,
    /// An `int` or `hex` in the notation it was written in. Empty where Kconfig has neither a
    /// default nor a request: the kernel then writes `CONFIG_X=`.
    Number(String),
    /// A `string`, without its quotes and escapes.
    Text(String),
}

/// Text that is no value in the notation of a `.config`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no value: y, m, n, a number, or text in double quotes")]
pub struct InvalidValue {
    /// What was written.
    pub text: String,
}

impl Value {
    /// Whether both mean the same to Kconfig: `0x0A` is `0xa`, `007` is `7`.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => match (parse_number(a), parse_number(b)) {
                (Some(a), Some(b)) => a == b,
                _ => a.eq_ignore_ascii_case(b),
            },
            _ => self == other,
        }
    }
}

/// The integer that a number stands for: decimal, or hexadecimal with `0x`.
///
/// Kconfig's `hex` symbols may omit the `0x`; such a value is `None` if it has a letter.
pub(crate) fn parse_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let magnitude = match hex {
        Some(hex) => i128::from(u64::from_str_radix(hex, 16).ok()?),
        None => i128::from(digits.parse::<u64>().ok()?),
    };
    Some(if negative { -magnitude } else { magnitude })
}

impl FromStr for Value {
    type Err = InvalidValue;

    /// Reads what stands after `CONFIG_X=`.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let invalid = || InvalidValue { text: text.to_owned() };
        match text {
            "y" => Ok(Self::Yes),
            "m" => Ok(Self::Module),
            "n" => Ok(Self::No),
            _ if text.starts_with('"') => unquote(text).map(Self::Text).ok_or_else(invalid),
            _ if is_number(text) => Ok(Self::Number(text.to_owned())),
            _ => Err(invalid()),
        }
    }
}

/// Digits as `sym_string_valid` of scripts/kconfig/symbol.c takes them for `int` and `hex`.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    match hex {
        Some(hex) => !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => {
            digits.bytes().all(|b| b.is_ascii_hexdigit()) && (!digits.is_empty() || text.is_empty())
        }
    }
}

/// The content of a quoted string: a backslash takes the next character as it is
/// (`conf_set_sym_val` of scripts/kconfig/confdata.c). Control characters would break the line.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut content = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => content.push(chars.next()?),
            '"' => return None,
            '\n' | '\r' | '\0' => return None,
            _ => content.push(c),
        }
    }
    Some(content)
}

impl TryFrom<String> for Value {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<Value> for String {
    fn from(value: Value) -> Self {
        value.to_string()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("n"),
            Self::Module => f.write_str("m"),
            Self::Yes => f.write_str("y"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
                f.write_str("\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notation_is_read_and_rendered_as_written() {
        for (text, value) in [
            ("y", Value::Yes),
            ("m", Value::Module),
            ("n", Value::No),
            ("0", Value::Number("0".into())),
            ("-1", Value::Number("-1".into())),
            ("0xDEAD0000", Value::Number("0xDEAD0000".into())),
            ("fee0", Value::Number("fee0".into())),
            ("", Value::Number(String::new())),
            (r#""""#, Value::Text(String::new())),
            (r#""a # b""#, Value::Text("a # b".into())),
            (r#""say \"hi\" \\ there""#, Value::Text(r#"say "hi" \ there"#.into())),
        ] {
            assert_eq!(text.parse(), Ok(value.clone()), "{text}");
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn other_notations_are_refused() {
        for text in [
            "Y", "yes", "-", "0x", "0xg", "1.5", "word", "\"open", "\"", "\"a\"b\"", "\"a\\\"",
            "\"a\nb\"", "y ",
        ] {
            assert!(text.parse::<Value>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn meaning_ignores_notation_of_numbers_only() {
        let value = |text: &str| text.parse::<Value>().unwrap();
        for (a, b, same) in [
            ("0x0A", "0xa", true),
            ("007", "7", true),
            ("0x1000000", "0x200000", false),
            ("FEE0", "fee0", true),
            ("y", "m", false),
            ("7", "\"7\"", false),
            ("\"a\"", "\"A\"", false),
            ("0xffffffffffffffff", "0xFFFFFFFFFFFFFFFF", true),
        ] {
            assert_eq!(value(a).same_as(&value(b)), same, "{a} {b}");
        }
    }
}
