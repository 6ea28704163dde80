//! Why there is no kernel.

use std::path::PathBuf;

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
}

/// What the output of a failed build may say, and what to do then.
const HINTS: [(&str, &str); 2] = [
    ("No space left on device", "free some space on that file system"),
    ("Killed signal terminated program", "there was too little memory: build with fewer jobs"),
];

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Tools(error) => error.hint(),
            Self::Failed { errors, .. } => HINTS
                .iter()
                .find(|(said, _)| errors.iter().any(|line| line.contains(said)))
                .map(|&(_, hint)| hint.to_owned()),
            Self::Process(error) => error.hint(),
            Self::Artefact(error) => error.hint(),
        }
    }
}

fn lines(errors: &[String]) -> String {
    errors.iter().map(|line| format!("\n  {line}")).collect()
}
