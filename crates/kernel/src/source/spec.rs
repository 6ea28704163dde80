//! What a user writes to name a source.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::version::KernelVersion;

/// The endings by which a tarball is known.
const TARBALL_ENDINGS: [&str; 8] =
    [".tar", ".tar.xz", ".txz", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tbz2"];

/// A source as it was asked for: `auto`, a directory, a tarball, or a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// The newest source on the machine.
    Auto,
    /// A directory that holds an unpacked source. It is never written to.
    Directory(PathBuf),
    /// A compressed tar archive.
    Tarball(PathBuf),
    /// A release of kernel.org.
    Version(VersionWanted),
}

impl SourceSpec {
    /// The same, with a relative path taken from `base`.
    pub fn relative_to(self, base: &Path) -> Self {
        match self {
            Self::Directory(path) => Self::Directory(base.join(path)),
            Self::Tarball(path) => Self::Tarball(base.join(path)),
            Self::Auto | Self::Version(_) => self,
        }
    }
}

impl FromStr for SourceSpec {
    type Err = Infallible;

    /// Looks at the text only: a directory that is called `auto` or `6.12` is written `./auto`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if let Some(version) = VersionWanted::parse(text) {
            return Ok(Self::Version(version));
        }
        let path = PathBuf::from(text);
        if TARBALL_ENDINGS.iter().any(|ending| text.ends_with(ending)) {
            return Ok(Self::Tarball(path));
        }
        Ok(Self::Directory(path))
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Directory(path) | Self::Tarball(path) => path.display().fmt(f),
            Self::Version(version) => version.fmt(f),
        }
    }
}

/// Which release of kernel.org is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionWanted {
    /// `6.12`: the newest release of that series.
    NewestOf {
        /// The first number.
        major: u32,
        /// The second number.
        minor: u32,
    },
    /// `6.12.95`, `6.12.0`, `6.13-rc2`: that release and no other.
    Exactly(KernelVersion),
}

impl VersionWanted {
    fn parse(text: &str) -> Option<Self> {
        let version: KernelVersion = text.parse().ok()?;
        let mut numbers = text.split(['.', '-']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        match numbers.next() {
            None => Some(Self::NewestOf { major, minor }),
            Some(_) => Some(Self::Exactly(version)),
        }
    }
}

impl fmt::Display for VersionWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewestOf { major, minor } => write!(f, "{major}.{minor}"),
            Self::Exactly(version) => version.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> SourceSpec {
        text.parse().unwrap()
    }

    fn exactly(text: &str) -> SourceSpec {
        SourceSpec::Version(VersionWanted::Exactly(text.parse().unwrap()))
    }

    #[test]
    fn the_text_tells_the_kind() {
        let table = [
            ("auto", SourceSpec::Auto),
            ("6.12", SourceSpec::Version(VersionWanted::NewestOf { major: 6, minor: 12 })),
            ("6.12.95", exactly("6.12.95")),
            ("6.12.0", exactly("6.12.0")),
            ("6.13-rc2", exactly("6.13-rc2")),
            ("./6.12", SourceSpec::Directory("./6.12".into())),
            ("linux", SourceSpec::Directory("linux".into())),
            (
                "/usr/src/linux-source-6.1.tar.xz",
                SourceSpec::Tarball("/usr/src/linux-source-6.1.tar.xz".into()),
            ),
            ("l.tar.gz", SourceSpec::Tarball("l.tar.gz".into())),
            ("l.tar.zst", SourceSpec::Tarball("l.tar.zst".into())),
            ("l.tar.bz2", SourceSpec::Tarball("l.tar.bz2".into())),
            ("", SourceSpec::Directory("".into())),
        ];
        for (text, wanted) in table {
            assert_eq!(spec(text), wanted, "{text}");
        }
    }

    #[test]
    fn relative_paths_start_from_the_base() {
        let base = Path::new("/recipes");
        assert_eq!(
            spec("../linux").relative_to(base),
            SourceSpec::Directory("/recipes/../linux".into())
        );
        assert_eq!(spec("/l.tar.xz").relative_to(base), SourceSpec::Tarball("/l.tar.xz".into()));
        assert_eq!(spec("6.12").relative_to(base), spec("6.12"));
    }
}
