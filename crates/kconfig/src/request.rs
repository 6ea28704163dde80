//! What is wanted of one symbol, and who wants it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Symbol, Value};

/// Who asks for a symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asker {
    /// The feature of this name.
    Feature(String),
    /// The user, in a fragment. Wins over features.
    User,
}

/// Where a request was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Who asks.
    pub asker: Asker,
    /// The file, as it is to be shown.
    pub file: String,
    /// The line in it, from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    /// `feature net (net.toml:4)`, or `mine.cfg:7` for a line of the user's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asker, file, line } = self;
        match asker {
            Asker::Feature(name) => write!(f, "feature {name} ({file}:{line})"),
            Asker::User => write!(f, "{file}:{line}"),
        }
    }
}

/// Whether a build may go on when Kconfig drops the symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Necessity {
    /// It fails.
    #[default]
    Required,
    /// It goes on.
    Optional,
}

/// One symbol with the value that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The symbol.
    pub symbol: Symbol,
    /// The value wanted.
    pub value: Value,
    /// Who asks, and where.
    pub origin: Origin,
    /// What it means if it is dropped.
    #[serde(default)]
    pub necessity: Necessity,
    /// The reason given by the asker, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Request {
    /// The request as a line of a fragment, without a line end.
    #[must_use]
    pub fn render(&self) -> String {
        crate::line::render(&self.symbol, &self.value)
    }
}
