//! Names of configuration symbols.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The prefix that `.config` files and C sources put before each name.
const PREFIX: &str = "CONFIG_";

/// The name of a configuration symbol, without `CONFIG_`: letters, digits and underscores.
///
/// Case counts: `CRYPTO_DEV_QAT_DH895xCC` is a symbol of Linux.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

/// A name that no symbol can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no symbol name: letters, digits and underscores only")]
pub struct InvalidSymbol {
    /// The name as written.
    pub name: String,
}

impl Symbol {
    /// The name, without `CONFIG_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = InvalidSymbol;

    /// Reads `NET` or `CONFIG_NET`.
    fn from_str(written: &str) -> Result<Self, InvalidSymbol> {
        let name = written.strip_prefix(PREFIX).unwrap_or(written);
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(valid) {
            return Err(InvalidSymbol { name: written.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for Symbol {
    type Error = InvalidSymbol;

    fn try_from(written: String) -> Result<Self, InvalidSymbol> {
        written.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Symbol {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Symbol {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_dropped_and_case_kept() {
        for (written, name) in [
            ("NET", "NET"),
            ("CONFIG_NET", "NET"),
            ("CONFIG_64BIT", "64BIT"),
            ("CRYPTO_DEV_QAT_DH895xCC", "CRYPTO_DEV_QAT_DH895xCC"),
        ] {
            assert_eq!(written.parse::<Symbol>().unwrap(), name);
        }
    }

    #[test]
    fn other_characters_are_refused() {
        for written in ["", "CONFIG_", "A-B", "A B", "É", "A\n"] {
            assert!(written.parse::<Symbol>().is_err(), "{written:?}");
        }
    }
}
