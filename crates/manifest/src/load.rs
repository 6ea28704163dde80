//! From a file or a text to a recipe.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use crate::error::{Problem, RecipeError};
use crate::raw;
use crate::recipe::Recipe;
use crate::resolve;

/// What is read of a file: no recipe is near as long, and a device has no end.
const LIMIT: u64 = 4 << 20;

/// The version of the schema.
const VERSION: i64 = 1;

impl Recipe {
    /// Reads a recipe from a file. Its relative paths start from the file's folder.
    ///
    /// # Errors
    /// When the file cannot be read or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, RecipeError> {
        let text = read(path, Kind::Recipe)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base)
    }

    /// Reads a recipe from its text. Relative paths start from `base`; `origin` names the text in
    /// errors.
    ///
    /// # Errors
    /// When something in it is wrong.
    pub fn parse(text: &str, origin: &str, base: &Path) -> Result<Self, RecipeError> {
        let document = Document { origin, text };
        let raw = document.parse_raw()?;
        resolve::recipe(&document, raw, base)
    }
}

/// What a file is, in the words of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `mote.toml`.
    Recipe,
    /// A `config.toml`.
    Configuration,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recipe => "recipe",
            Self::Configuration => "configuration",
        })
    }
}

/// The text of a file.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<String, RecipeError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => RecipeError::Missing { path: path.to_owned() },
        io::ErrorKind::IsADirectory => RecipeError::Directory { path: path.to_owned(), kind },
        _ => RecipeError::Read { path: path.to_owned(), kind, source },
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(RecipeError::TooLarge { path: path.to_owned(), kind, limit: LIMIT });
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        RecipeError::NotUtf8 { path: path.to_owned(), kind, line: line_of(error.as_bytes(), valid) }
    })
}

/// The line that the byte at `offset` stands on, counted from 1.
fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes.iter().take(offset).filter(|byte| **byte == b'\n').count()
}

/// A recipe's text and what to call it.
pub(crate) struct Document<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
}

impl Document<'_> {
    /// The line on which a span begins, counted from 1.
    pub(crate) fn line(&self, span: Range<usize>) -> usize {
        line_of(self.text.as_bytes(), span.start)
    }

    /// The error that `problem` is at `span`.
    pub(crate) fn wrong(&self, span: Range<usize>, problem: impl Into<Problem>) -> RecipeError {
        RecipeError::Wrong {
            origin: self.origin.to_owned(),
            line: self.line(span),
            problem: problem.into(),
        }
    }

    fn parse_raw(&self) -> Result<raw::Recipe, RecipeError> {
        let versioned: raw::Versioned = self.deserialize()?;
        let version = versioned.version.ok_or_else(|| self.wrong(0..0, Problem::NoVersion))?;
        if *version.get_ref() != VERSION {
            let problem = Problem::UnknownVersion { version: *version.get_ref() };
            return Err(self.wrong(version.span(), problem));
        }
        self.deserialize()
    }

    pub(crate) fn deserialize<'de, T: serde::Deserialize<'de>>(
        &'de self,
    ) -> Result<T, RecipeError> {
        toml::from_str(self.text).map_err(|error| {
            let problem = unknown_key(error.message())
                .unwrap_or_else(|| Problem::Toml(error.message().replace('\n', ", ")));
            self.wrong(error.span().unwrap_or(0..0), problem)
        })
    }
}

/// Reads serde's words for a key that `deny_unknown_fields` refuses, which are all that is left of
/// it in a [`toml::de::Error`]: ``unknown field `a`, expected one of `b`, `c` ``.
fn unknown_key(message: &str) -> Option<Problem> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once("`, expected ")?;
    let known = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some(Problem::UnknownKey { key: key.to_owned(), known })
}
