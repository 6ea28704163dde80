//! Unpacking a tarball.

use std::path::Path;

use mote_process::Cancel;

use super::{Progress, SourceError};

/// Unpacks the Linux source of a tarball into `into`, an empty directory, without the archive's one
/// top directory. Progress is in compressed bytes. When it fails, `into` is gone.
///
/// # Errors
/// When the tarball cannot be read, is damaged, holds something else than a Linux source or
/// something that reaches outside, when the disk is full, or the user interrupts.
pub fn unpack(
    tarball: &Path,
    into: &Path,
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<(), SourceError> {
    todo!(
        "{tarball:?} {into:?} {:?}",
        (cancel.check().is_ok(), progress(0, None))
    )
}
