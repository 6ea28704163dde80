//! From the entries of an archive to files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use mote_process::Cancel;

use super::entries::{Entries, Entry, EntryKind};
use crate::source::SourceError;

pub(super) const TWICE: &str = "it is there twice";
pub(super) const OUTSIDE: &str = "it is outside of the one top directory";
pub(super) const LEADS_OUT: &str = "it leads out of the source";
pub(super) const IN_NO_DIRECTORY: &str = "what it lies in is no directory";
pub(super) const NO_FILE: &str = "it is no file, directory or link";
pub(super) const NO_TARGET: &str = "what it links to is no file that came before it";

/// Writes the entries of one archive into an empty directory, where nobody else writes.
///
/// Nothing gets out of it: names have no `..`, every parent is a directory that was made here and
/// not a link, no file is opened that was there before, and a link's target goes up only at its
/// beginning and not above the top, so that a chain of links stays inside too.
pub(super) struct Extraction<'a> {
    tarball: &'a Path,
    into: &'a Path,
    cancel: &'a Cancel,
    /// The archive's one top directory.
    top: Option<Vec<u8>>,
    /// What was made, relative to `into`.
    directories: HashSet<PathBuf>,
}

impl<'a> Extraction<'a> {
    pub(super) fn new(tarball: &'a Path, into: &'a Path, cancel: &'a Cancel) -> Self {
        let directories = HashSet::from([PathBuf::new()]);
        Self { tarball, into, cancel, top: None, directories }
    }

    /// Writes all of `archive`, calling `report` after each entry.
    pub(super) fn run(mut self, archive: impl Read, report: &dyn Fn()) -> Result<(), SourceError> {
        let mut entries = Entries::new(archive);
        while let Some(entry) = entries.next().map_err(|error| self.damaged(error))? {
            self.cancel.check()?;
            self.write(&entry, &mut entries)?;
            report();
        }
        Ok(())
    }

    fn write<R: Read>(
        &mut self,
        entry: &Entry,
        entries: &mut Entries<R>,
    ) -> Result<(), SourceError> {
        let path = self.inside(&entry.path, &entry.path)?;
        if let EntryKind::Directory = entry.kind {
            return self.make_directory(&path, entry);
        }
        let Some(parent) = path.parent() else {
            return Err(self.refused(entry, OUTSIDE));
        };
        self.make_directory(parent, entry)?;
        let absolute = self.into.join(&path);
        match &entry.kind {
            EntryKind::File { executable } => {
                self.write_file(&absolute, *executable, entry, entries)
            }
            EntryKind::Symlink(target) => {
                if !stays_inside(parent, target) {
                    return Err(self.refused(entry, LEADS_OUT));
                }
                let linked = symlink(OsStr::from_bytes(target), &absolute);
                linked.map_err(|error| self.not_made(&absolute, entry, error))
            }
            EntryKind::HardLink(target) => {
                let target = self.into.join(self.inside(target, &entry.path)?);
                // One more name of a link would lead elsewhere from there.
                if !fs::symlink_metadata(&target).is_ok_and(|target| target.is_file()) {
                    return Err(self.refused(entry, NO_TARGET));
                }
                let linked = fs::hard_link(target, &absolute);
                linked.map_err(|error| self.not_made(&absolute, entry, error))
            }
            EntryKind::Directory | EntryKind::Other => Err(self.refused(entry, NO_FILE)),
        }
    }

    fn write_file<R: Read>(
        &self,
        path: &Path,
        executable: bool,
        entry: &Entry,
        entries: &mut Entries<R>,
    ) -> Result<(), SourceError> {
        let mode = if executable { 0o755 } else { 0o644 };
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .map_err(|error| self.not_made(path, entry, error))?;
        loop {
            let content = entries.content().map_err(|error| self.damaged(error))?;
            if content.is_empty() {
                return Ok(());
            }
            file.write_all(content).map_err(SourceError::io("write", path))?;
            self.cancel.check()?;
        }
    }

    /// Makes a directory and those above it, as far as they are not there.
    fn make_directory(&mut self, path: &Path, entry: &Entry) -> Result<(), SourceError> {
        if self.directories.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_directory(parent, entry)?;
        }
        let absolute = self.into.join(path);
        fs::create_dir(&absolute).map_err(|error| match error.kind() {
            // Every directory that is there is known: this is a file or a link.
            io::ErrorKind::AlreadyExists => self.refused(entry, IN_NO_DIRECTORY),
            _ => SourceError::io("make", &absolute)(error),
        })?;
        self.directories.insert(path.to_owned());
        Ok(())
    }

    /// A path of the archive's without the top directory, which is learnt from the first entry.
    fn inside(&mut self, path: &[u8], entry: &[u8]) -> Result<PathBuf, SourceError> {
        let refused = |why| SourceError::Refused {
            path: self.tarball.to_owned(),
            entry: String::from_utf8_lossy(entry).into_owned(),
            why,
        };
        let mut names = Vec::new();
        for component in Path::new(OsStr::from_bytes(path)).components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                _ => return Err(refused(LEADS_OUT)),
            }
        }
        // `./` alone, which some archives begin with.
        let Some((top, rest)) = names.split_first() else { return Ok(PathBuf::new()) };
        let known = self.top.get_or_insert_with(|| top.as_bytes().to_owned());
        if known != top.as_bytes() {
            return Err(refused(OUTSIDE));
        }
        Ok(rest.iter().collect())
    }

    /// What an error of making `path` means.
    fn not_made(&self, path: &Path, entry: &Entry, error: io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::AlreadyExists => self.refused(entry, TWICE),
            _ => SourceError::io("make", path)(error),
        }
    }

    fn refused(&self, entry: &Entry, why: &'static str) -> SourceError {
        let entry = String::from_utf8_lossy(&entry.path).into_owned();
        SourceError::Refused { path: self.tarball.to_owned(), entry, why }
    }

    fn damaged(&self, source: io::Error) -> SourceError {
        SourceError::Damaged { path: self.tarball.to_owned(), source }
    }
}

/// Whether a link in the directory `parent` leads to a place inside: it goes up first if at all,
/// and not above the top.
fn stays_inside(parent: &Path, target: &[u8]) -> bool {
    let mut depth = parent.components().count();
    let mut down = false;
    for component in Path::new(OsStr::from_bytes(target)).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => down = true,
            Component::ParentDir if !down && depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    !target.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        for (parent, target, inside) in [
            ("", "Makefile", true),
            ("", "./a/b", true),
            ("a/b", "../../c", true),
            ("a/b", "../..", true),
            ("a/b", "../../../c", false),
            ("", "..", false),
            ("a/b", "c/../..", false),
            ("a", "/etc/passwd", false),
            ("a", "", false),
        ] {
            assert_eq!(
                stays_inside(Path::new(parent), target.as_bytes()),
                inside,
                "{parent} {target}"
            );
        }
    }
}
