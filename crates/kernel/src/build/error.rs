//! Why there is no kernel.

use std::io;
use std::path::{Path, PathBuf};

use mote_process::ProcessError;

use crate::{ArtefactError, ConfigError, ToolsError};

/// Why a kernel could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no configuration to build.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration needs a tool that is not there.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The kernel's own build failed.
    #[error("the build of Linux {version} failed{}\n  command: {command}\n  the whole log: {}", lines(errors), log.display())]
    Failed {
        /// The kernel's version.
        version: String,
        /// The first lines of its output that tell of an error.
        errors: Vec<String>,
        /// Pasteable.
        command: String,
        /// Where all of the output is.
        log: PathBuf,
    },
    /// `make` could not be run or followed, or the user interrupted.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// What was built is no kernel, or could not be put into its folder.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The file system refused something in the build's directory.
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

const FULL_DISK: &str = "free some space on that file system";

/// What the output of a failed build may say, and what to do then.
const HINTS: [(&str, &str); 2] = [
    ("No space left on device", FULL_DISK),
    ("Killed signal terminated program", "there was too little memory: build with fewer jobs"),
];

/// What to do about a build that failed for want of something that the machine gives.
pub(super) fn hint(errors: &[String]) -> Option<&'static str> {
    let said = |said| errors.iter().any(|line| line.contains(said));
    HINTS.iter().find(|&&(what, _)| said(what)).map(|&(_, hint)| hint)
}

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Tools(error) => error.hint(),
            Self::Failed { errors, .. } => hint(errors).map(str::to_owned),
            Self::Process(error) => error.hint(),
            Self::Artefact(error) => error.hint(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some(FULL_DISK.to_owned())
            }
            Self::Io { .. } => None,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn lines(errors: &[String]) -> String {
    errors.iter().map(|line| format!("\n  {line}")).collect()
}
