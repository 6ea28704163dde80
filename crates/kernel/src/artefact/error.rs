//! What can be wrong with a kernel's folder.

use std::io;
use std::path::PathBuf;

use mote_kconfig::SyntaxError;
use mote_process::ProcessError;

/// Why a kernel could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// There is no `kernel.json`, so this is none of mote's kernels.
    #[error("not a kernel made by mote, kernel.json is missing: {}", dir.display())]
    NotKernel {
        /// The folder.
        dir: PathBuf,
    },
    /// A file that belongs to the kernel is gone.
    #[error("the kernel is not complete, {file} is missing: {}", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: String,
    },
    /// A file is not the one that was written.
    #[error("the kernel was changed, {file} has another {what} than kernel.json says: {}", dir.display())]
    Changed {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: String,
        /// `size` or `digest`.
        what: &'static str,
    },
    /// Written by another version of mote.
    #[error("kernel.json has schema {found}, this mote reads {}: {}", super::SCHEMA, path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: u64,
    },
    /// `kernel.json` is not what mote writes.
    #[error("cannot understand {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// `config` is no configuration.
    #[error("cannot understand the kernel's configuration in {}", dir.display())]
    Config {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        source: SyntaxError,
    },
    /// The build's `vmlinux` is not what a VMM can load.
    #[error("not an x86-64 kernel, {why}: {}", path.display())]
    NotBootable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `strip` failed.
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

impl ArtefactError {
    /// Whether what is in the folder is at fault: then the kernel has to be built again.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::NotKernel { .. }
            | Self::Missing { .. }
            | Self::Changed { .. }
            | Self::Schema { .. }
            | Self::Json { .. }
            | Self::Config { .. } => true,
            Self::NotBootable { .. } | Self::Process(_) | Self::Io { .. } => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotKernel { .. } => {
                Some("give a folder that `mote kernel build -o` wrote".to_owned())
            }
            Self::Missing { .. }
            | Self::Changed { .. }
            | Self::Schema { .. }
            | Self::Json { .. } => Some("build the kernel again".to_owned()),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space on that file system".to_owned())
            }
            Self::Process(error) => error.hint(),
            Self::Config { .. } | Self::NotBootable { .. } | Self::Io { .. } => None,
        }
    }

    pub(super) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
