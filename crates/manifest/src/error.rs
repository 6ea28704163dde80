//! What can be wrong with a recipe.

use std::io;
use std::path::PathBuf;

use crate::load::Kind;
use crate::nearest::nearest;
use crate::value::{MalformedValue, MemoryError, PublishError, UnknownWord};

/// Why a recipe could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// There is nothing at the path.
    #[error("no such recipe: {}", path.display())]
    Missing {
        /// What was given.
        path: PathBuf,
    },
    /// The path is a directory's.
    #[error("the {kind} is a directory: {}", path.display())]
    Directory {
        /// What was given.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
    },
    /// The file system refused.
    #[error("cannot read the {kind} {}", path.display())]
    Read {
        /// What was given.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
        /// Why not.
        source: io::Error,
    },
    /// More than anybody writes: not a recipe.
    #[error("too large for a {kind}, which has at most {limit} bytes: {}", path.display())]
    TooLarge {
        /// What was given.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
        /// How much is read.
        limit: u64,
    },
    /// TOML is UTF-8.
    #[error("the {kind} is not UTF-8 text, on line {line}: {}", path.display())]
    NotUtf8 {
        /// What was given.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
        /// The line with the first byte that is not, counted from 1.
        line: usize,
    },
    /// No recipe of that name comes with mote.
    #[error("no built-in recipe: {name}")]
    NoBuiltin {
        /// What was given.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// Something in the recipe.
    #[error("{origin}:{line}: {problem}")]
    Wrong {
        /// The recipe: its path, or the name of a built-in one.
        origin: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        problem: Problem,
    },
}

/// What is wrong on a line of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not TOML, or a value of the wrong type, in the parser's words.
    #[error("{0}")]
    Toml(String),
    /// No `version`.
    #[error("the recipe does not say which version of the schema it is written in")]
    NoVersion,
    /// Written for another mote.
    #[error("version {version} of the schema is not known")]
    UnknownVersion {
        /// What the recipe says.
        version: i64,
    },
    /// A key that the table does not have.
    #[error("unknown key {key}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What the table has.
        known: Vec<String>,
    },
    /// A value that is not one of a few words.
    #[error(transparent)]
    Word(#[from] UnknownWord),
    /// A value that is not written as it should be.
    #[error(transparent)]
    Malformed(#[from] MalformedValue),
    /// A value that is not an amount of memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A value that is not a published port.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Keys of which one excludes the other.
    #[error("{first} and {second} exclude each other")]
    Conflict {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Keys of which one is needed.
    #[error("one of {keys} is needed")]
    Needed {
        /// Their names.
        keys: &'static str,
    },
    /// A value that its key does not take.
    #[error("not {wanted}: {value}")]
    Value {
        /// What it should be, with its article.
        wanted: &'static str,
        /// What it is.
        value: String,
    },
    /// The second of two things that must differ.
    #[error("{what} {name} is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A user or group that neither the recipe nor every system has.
    #[error("no {what} {name} in this system")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A user without a `gid`, whose number is that of somebody else's group.
    #[error("the group {gid}, which {user} would have, is {group}")]
    GroupTaken {
        /// The user.
        user: String,
        /// The group that has the number.
        group: String,
        /// The number.
        gid: u32,
    },
    /// A login that nobody could pass.
    #[error("login is \"password\", but no user has one")]
    NobodyCanLogIn,
}

impl RecipeError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("print a built-in recipe to begin with: mote recipe busybox".to_owned())
            }
            Self::Directory { path, kind: Kind::Recipe } => {
                Some(format!("name the file in it: {}", path.join("mote.toml").display()))
            }
            Self::NoBuiltin { name, known } => Some(meant(name, known.iter().copied())),
            Self::Wrong { problem, .. } => problem.hint(),
            _ => None,
        }
    }
}

impl Problem {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoVersion => Some("write version = 1 at the top".to_owned()),
            Self::UnknownVersion { .. } => {
                Some("this mote knows version 1: use the mote that it was written for".to_owned())
            }
            Self::UnknownKey { key, known } => Some(meant(key, known.iter().map(String::as_str))),
            Self::Unknown { name, known, .. } => {
                Some(meant(name, known.iter().map(String::as_str)))
            }
            Self::Word(word) => word.hint(),
            Self::Memory(memory) => memory.hint(),
            Self::Publish(publish) => publish.hint(),
            Self::GroupTaken { .. } => Some("give the user a gid".to_owned()),
            Self::NobodyCanLogIn => {
                Some("give a user a password, or write login = \"auto\"".to_owned())
            }
            _ => None,
        }
    }
}

fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => format!("known are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
