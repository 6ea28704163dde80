//! One file over HTTP.

use std::path::{Path, PathBuf};

use super::VersionWanted;

/// The tarball of exactly that version, if it was downloaded into `dir` before.
pub fn downloaded(wanted: &VersionWanted, dir: &Path) -> Option<PathBuf> {
    todo!("{wanted} {dir:?}")
}
