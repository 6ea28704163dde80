//! A source that lies unpacked in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use mote_process::Cancel;
use serde::{Deserialize, Serialize};

use super::directory::digest_directory;
use super::{Digest, Progress, SourceError};
use crate::version::KernelVersion;

/// A Linux source that is there and was looked at.
#[derive(Debug, Clone)]
pub struct Source {
    /// The top directory, absolute. It is never written to.
    pub dir: PathBuf,
    /// The version that its `Makefile` gives.
    pub version: KernelVersion,
    /// Of the tarball, or of everything in the directory.
    pub digest: Digest,
    /// Whose the directory is.
    pub kind: SourceKind,
}

/// Whose directory a source lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// The user's own: its digest covers everything in it except `.git`.
    Directory,
    /// The cache's: its digest is that of the tarball.
    Unpacked,
}

/// What every Linux source has that can be built for x86-64.
const NEEDED: [&str; 4] = ["Makefile", "Kconfig", "scripts/kconfig", "arch/x86"];

/// What the top `Makefile` (target `outputmakefile`) does not want to find in a source that is built
/// elsewhere.
const LEFT_OVERS: [&str; 3] = [".config", "include/config", "arch/x86/include/generated"];

impl Source {
    /// Opens a directory of the user's and digests it. Progress is in bytes.
    ///
    /// # Errors
    /// When it is not a clean Linux source, cannot be read, or the user interrupts.
    pub fn open_directory(
        dir: &Path,
        memo_dir: &Path,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<Self, SourceError> {
        let dir = canonical(dir)?;
        let version = read_version(&dir)?;
        if let Some(left_over) = LEFT_OVERS.into_iter().find(|path| dir.join(path).exists()) {
            return Err(SourceError::NotClean { path: dir, left_over });
        }
        let digest = digest_directory(&dir, memo_dir, cancel, progress)?;
        Ok(Self { dir, version, digest, kind: SourceKind::Directory })
    }

    /// Opens what [`unpack`](super::unpack) left in the cache.
    ///
    /// # Errors
    /// When it is not a Linux source or cannot be read.
    pub fn open_unpacked(dir: &Path, digest: Digest) -> Result<Self, SourceError> {
        let dir = canonical(dir)?;
        let version = read_version(&dir)?;
        Ok(Self { dir, version, digest, kind: SourceKind::Unpacked })
    }
}

fn canonical(dir: &Path) -> Result<PathBuf, SourceError> {
    let absolute = fs::canonicalize(dir).map_err(|error| SourceError::open(dir, error))?;
    if !absolute.is_dir() {
        return Err(SourceError::WrongKind { wanted: "directory", path: dir.to_owned() });
    }
    Ok(absolute)
}

/// The version of the Linux source in `dir`, if that is what it is.
pub(super) fn read_version(dir: &Path) -> Result<KernelVersion, SourceError> {
    let not_linux = |missing| SourceError::NotLinux { path: dir.to_owned(), missing };
    if let Some(missing) = NEEDED.into_iter().find(|path| !dir.join(path).exists()) {
        return Err(not_linux(missing));
    }
    let makefile = dir.join("Makefile");
    let text = fs::read(&makefile).map_err(SourceError::io("read", &makefile))?;
    parse_makefile(&String::from_utf8_lossy(&text)).map_err(not_linux)
}

/// Reads the version from the head of the top `Makefile`, or says what is missing there.
fn parse_makefile(text: &str) -> Result<KernelVersion, &'static str> {
    let value = |name: &str| {
        text.lines().take(20).find_map(|line| {
            let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
            Some(value.trim())
        })
    };
    let number = |name, missing| value(name).and_then(|value| value.parse().ok()).ok_or(missing);
    let major = number("VERSION", "VERSION in its Makefile")?;
    let minor = number("PATCHLEVEL", "PATCHLEVEL in its Makefile")?;
    let patch = number("SUBLEVEL", "SUBLEVEL in its Makefile")?;
    let extra = value("EXTRAVERSION").unwrap_or_default();
    Ok(KernelVersion::new(major, minor, patch).with_extra(extra))
}

/// The smallest trees that pass for Linux.
#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// The files of one, without its top directory.
    pub(in super::super) const FILES: [(&str, &str); 4] = [
        ("Makefile", MAKEFILE),
        ("Kconfig", "mainmenu \"Linux\"\n"),
        ("scripts/kconfig/Makefile", ""),
        ("arch/x86/Makefile", ""),
    ];

    const MAKEFILE: &str = "# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 95
EXTRAVERSION =
NAME = Baby Opossum Posse
";

    pub(in super::super) fn write(dir: &Path) {
        for (path, content) in FILES {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_makefile_tells_the_version() {
        let makefile = |lines: &[&str]| parse_makefile(&lines.join("\n")).map(|v| v.to_string());
        let table: [(&[&str], Result<&str, &str>); 5] = [
            (&["VERSION = 6", "PATCHLEVEL = 12", "SUBLEVEL = 95", "EXTRAVERSION ="], Ok("6.12.95")),
            (
                &["# x", "VERSION = 6", "PATCHLEVEL=13", "SUBLEVEL = 0", "EXTRAVERSION = -rc2"],
                Ok("6.13-rc2"),
            ),
            (&["all:", "\ttrue"], Err("VERSION in its Makefile")),
            (&["VERSION = six"], Err("VERSION in its Makefile")),
            (&["VERSION = 1", "PATCHLEVEL = 35", "SUBLEVEL ="], Err("SUBLEVEL in its Makefile")),
        ];
        for (lines, wanted) in table {
            assert_eq!(makefile(lines), wanted.map(str::to_owned), "{lines:?}");
        }
    }

    fn open(dir: &Path) -> Result<Source, SourceError> {
        let memo = tempfile::tempdir().unwrap();
        Source::open_directory(dir, memo.path(), &Cancel::default(), &|_, _| ())
    }

    fn refused(dir: &Path) -> (String, String) {
        let error = open(dir).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    }

    #[test]
    fn a_directory_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        fixture::write(dir.path());
        let source = open(dir.path()).unwrap();
        assert_eq!(source.version.to_string(), "6.12.95");
        assert_eq!(source.kind, SourceKind::Directory);
        assert!(source.dir.is_absolute());
    }

    #[test]
    fn what_is_missing_is_named() {
        for missing in NEEDED {
            let dir = tempfile::tempdir().unwrap();
            fixture::write(dir.path());
            let path = dir.path().join(missing);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
            let (message, hint) = refused(dir.path());
            let shown = dir.path().display();
            assert_eq!(message, format!("not a Linux source, {missing} is missing: {shown}"));
            assert_eq!(hint, "give the top directory of a Linux source, or a tarball of it");
        }
    }

    #[test]
    fn a_source_that_was_built_in_is_refused() {
        for left_over in LEFT_OVERS {
            let dir = tempfile::tempdir().unwrap();
            fixture::write(dir.path());
            fs::create_dir_all(dir.path().join(left_over)).unwrap();
            let (message, hint) = refused(dir.path());
            let shown = dir.path().display();
            assert_eq!(message, format!("the source was built in, it holds {left_over}: {shown}"));
            assert!(hint.contains("mrproper"), "{hint}");
        }
    }

    #[test]
    fn no_directory_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linux");
        assert_eq!(refused(&path).0, format!("no such source: {}", path.display()));
        fs::write(&path, "").unwrap();
        let (message, hint) = refused(&path);
        assert_eq!(message, format!("not a directory: {}", path.display()));
        assert!(hint.contains(".tar.xz"), "{hint}");
    }
}
