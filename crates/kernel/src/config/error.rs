//! Why there is no configuration.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use mote_kconfig::tree::{Reason, render_dropped};
use mote_kconfig::{Conflict, Dropped, Request, SyntaxError, Value};
use mote_process::ProcessError;

use crate::FeatureError;

/// Why a configuration could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A feature that cannot be had.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// A line of a fragment or a configuration that cannot be read.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// Two features that want different values of a symbol.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Symbols that this kernel does not have.
    #[error("symbols unknown to Linux {version}{}", lines(unknown))]
    Unknown {
        /// The kernel's version.
        version: String,
        /// The symbols.
        unknown: Vec<UnknownSymbol>,
    },
    /// Symbols that were asked for as modules.
    #[error("mote builds no modules{}", as_modules(requests))]
    Modules {
        /// Who asked.
        requests: Vec<Request>,
    },
    /// Symbols that Kconfig did not give.
    #[error("Kconfig dropped {} asked of Linux {version}{}", symbols_that_were(dropped.len()), lines(dropped))]
    Dropped {
        /// The kernel's version.
        version: String,
        /// The symbols.
        dropped: Vec<Unfulfilled>,
    },
    /// A symbol that makes the build take in files of this machine.
    #[error("{symbol} would build in files of this machine: {value}")]
    HostFiles {
        /// The symbol.
        symbol: &'static str,
        /// Its value.
        value: Value,
    },
    /// A path that the kernel's makefiles cannot work with.
    #[error("the kernel's makefiles cannot work in {}", path.display())]
    UnusablePath {
        /// The directory of the source, or of the output.
        path: PathBuf,
    },
    /// The kernel's own `conf` could not be built or run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Feature(error) => error.hint(),
            Self::Syntax(error) => error.hint(),
            Self::Conflict(error) => error.hint(),
            Self::Process(error) => error.hint(),
            Self::Modules { requests } => Some(modules_hint(requests)),
            Self::Dropped { dropped, .. } => Some(dropped_hint(dropped)),
            Self::HostFiles { symbol, .. } => Some(format!(
                "a kernel is known by its source and configuration alone: write CONFIG_{symbol}=\"\" into a fragment, and put files into an image"
            )),
            Self::UnusablePath { .. } => {
                Some("use a path of letters, digits and / . _ - +, without spaces".to_owned())
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space on that file system".to_owned())
            }
            Self::Unknown { .. } | Self::Io { .. } => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// A symbol asked for that the kernel does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSymbol {
    /// Who asked.
    pub request: Request,
    /// The other architectures that have it.
    pub elsewhere: Vec<String>,
    /// The most similar name that it has.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, asked for by {}", self.request.symbol, self.request.origin)?;
        match &self.nearest {
            _ if !self.elsewhere.is_empty() => {
                write!(f, ": not of x86-64, but of {}", self.elsewhere.join(", "))
            }
            Some(nearest) => write!(f, ": did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// A request that Kconfig did not fulfil, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfulfilled {
    /// What was asked, by whom, and what it is instead.
    pub dropped: Dropped,
    /// Why, as the Kconfig files tell.
    pub reasons: Vec<Reason>,
}

impl fmt::Display for Unfulfilled {
    /// Several lines: those after the first are further in by four spaces or more.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_dropped(&self.dropped, &self.reasons).join("\n  "))
    }
}

fn as_modules(requests: &[Request]) -> String {
    let line = |request: &Request| {
        let Request { symbol, value, origin, .. } = request;
        format!("\n  {symbol}: {origin} asks for {value}")
    };
    requests.iter().map(line).collect()
}

/// The lines that ask for the same, built in.
fn modules_hint(requests: &[Request]) -> String {
    let line = |request: &Request| format!("\n  CONFIG_{}=y", request.symbol);
    let lines: String = requests.iter().map(line).collect();
    format!("ask for it to be built in:{lines}")
}

/// The lines that ask for what is missing, to be pasted into a fragment.
fn dropped_hint(dropped: &[Unfulfilled]) -> String {
    const OPTIONAL: &str = "mark a line of a fragment as optional: CONFIG_X=y # optional";
    let mut missing = Vec::new();
    for symbol in dropped.iter().flat_map(|unfulfilled| Reason::missing(&unfulfilled.reasons)) {
        if !missing.contains(&symbol) {
            missing.push(symbol);
        }
    }
    if missing.is_empty() {
        return format!("ask for what they depend on, or {OPTIONAL}");
    }
    let lines: String = missing.iter().map(|symbol| format!("  CONFIG_{symbol}=y\n")).collect();
    format!("ask for what they depend on, in a fragment:\n{lines}or {OPTIONAL}")
}

/// `1 symbol that was`, `2 symbols that were`.
fn symbols_that_were(count: usize) -> String {
    match count {
        1 => "1 symbol that was".to_owned(),
        _ => format!("{count} symbols that were"),
    }
}

/// Each on a line of its own, below the first.
fn lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(|item| format!("\n  {item}")).collect()
}
