//! Sources that are on the machine already.

use std::path::{Path, PathBuf};

use super::{Source, SourceError};

/// What `auto` came to.
#[derive(Debug)]
pub enum Found {
    /// A tarball of Debian's.
    Tarball(PathBuf),
    /// A source that was unpacked before.
    Unpacked(Source),
}

/// The newest `linux-source-*.tar.*` in `debian_dir` (Debian: `/usr/src`), or else the newest
/// source that was unpacked into `sources_dir/<digest>`.
///
/// # Errors
/// When there is none, or a directory cannot be read.
pub fn find_on_machine(debian_dir: &Path, sources_dir: &Path) -> Result<Found, SourceError> {
    todo!("{debian_dir:?} {sources_dir:?}")
}
