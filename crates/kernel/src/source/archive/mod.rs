//! Unpacking a tarball.

mod compression;
mod entries;
mod extract;
mod pipe;

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mote_process::Cancel;

use self::extract::Extraction;
use super::tree::read_version;
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
    let result = extract(tarball, into, cancel, progress).and_then(|()| check(tarball, into));
    if result.is_err() {
        // What cannot be removed is in the way of the next one, who will say so.
        let _ = fs::remove_dir_all(into);
    }
    result
}

/// Decompresses on one thread and writes on another: the two cost about the same.
fn extract(
    tarball: &Path,
    into: &Path,
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<(), SourceError> {
    let file = File::open(tarball).map_err(|error| SourceError::open(tarball, error))?;
    let total = file.metadata().map_err(SourceError::io("examine", tarball))?.len();
    let done = AtomicU64::new(0);
    let decoder = compression::decode(Counted { inner: file, done: &done })
        .map_err(|error| compression::error(tarball, error))?;
    thread::scope(|scope| {
        let (sender, reader) = pipe::new();
        scope.spawn(move || pipe::feed(decoder, &sender));
        let report = || progress(done.load(Ordering::Relaxed), Some(total));
        Extraction::new(tarball, into, cancel).run(reader, &report)
    })
}

/// The tarball is to blame for what is missing.
fn check(tarball: &Path, into: &Path) -> Result<(), SourceError> {
    match read_version(into) {
        Err(SourceError::NotLinux { missing, .. }) => {
            Err(SourceError::NotLinux { path: tarball.to_owned(), missing })
        }
        other => other.map(|_| ()),
    }
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: R,
    done: &'a AtomicU64,
}

impl<R: io::Read> io::Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.done.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests;
