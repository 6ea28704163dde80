//! kernel.org's layout: where a release lies and which digest it has.

use std::path::{Path, PathBuf};

use mote_process::Cancel;

use super::{Digest, Progress, SourceError, VersionWanted};

/// A server with kernel.org's layout.
#[derive(Debug, Clone)]
pub struct Mirror {
    /// What stands before `/pub/linux/kernel`, see [`Mirror::KERNEL_ORG`].
    pub base_url: String,
    /// The proxy to use, such as `http://proxy:3128`. The environment is not looked at.
    pub proxy: Option<String>,
}

/// A tarball that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Such as `linux-6.12.95.tar.xz`.
    pub file_name: String,
    /// Where it is.
    pub url: String,
    /// What it must be.
    pub sha256: Digest,
}

impl Mirror {
    /// The address of the Linux Kernel Archives.
    pub const KERNEL_ORG: &'static str = "https://cdn.kernel.org";

    /// Looks the release up in the published list of digests.
    ///
    /// # Errors
    /// When the server cannot be reached or does not have it, or the user interrupts.
    pub fn find(&self, wanted: &VersionWanted, cancel: &Cancel) -> Result<Release, SourceError> {
        todo!("{wanted} {:?}", cancel.check().is_ok())
    }

    /// Downloads a release into `dir` and gives the file's path. An interrupted download goes on
    /// where it was; the file appears under its name when its digest was right.
    ///
    /// # Errors
    /// When the server cannot be reached, sends something else, or the user interrupts.
    pub fn download(
        &self,
        release: &Release,
        dir: &Path,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<PathBuf, SourceError> {
        todo!(
            "{release:?} {dir:?} {:?}",
            (cancel.check().is_ok(), progress(0, None))
        )
    }
}
