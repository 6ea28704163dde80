//! A source that lies unpacked in a directory.

use std::path::{Path, PathBuf};

use mote_process::Cancel;

use super::{Digest, Progress, SourceError};
use crate::version::KernelVersion;

/// A Linux source that is there and was looked at.
#[derive(Debug, Clone)]
pub struct Source {
    /// The top directory. It is never written to.
    pub dir: PathBuf,
    /// The version that its `Makefile` gives.
    pub version: KernelVersion,
    /// Of the tarball, or of everything in the directory.
    pub digest: Digest,
    /// Whose the directory is.
    pub kind: SourceKind,
}

/// Whose directory a source lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The user's own: its digest covers everything in it except `.git`.
    Directory,
    /// The cache's: its digest is that of the tarball.
    Unpacked,
}

impl Source {
    /// Opens a directory of the user's and digests it.
    ///
    /// # Errors
    /// When it is not a clean Linux source, cannot be read, or the user interrupts.
    pub fn open_directory(
        dir: &Path,
        memo_dir: &Path,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<Self, SourceError> {
        todo!(
            "{dir:?} {memo_dir:?} {:?}",
            (cancel.check().is_ok(), progress(0, None))
        )
    }

    /// Opens what [`unpack`](super::unpack) left in the cache.
    ///
    /// # Errors
    /// When it is not a Linux source or cannot be read.
    pub fn open_unpacked(dir: &Path, digest: Digest) -> Result<Self, SourceError> {
        todo!("{dir:?} {digest}")
    }
}
