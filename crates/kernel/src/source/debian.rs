//! Sources that are on the machine already.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Source, SourceError};
use crate::version::KernelVersion;

/// What `auto` came to.
#[derive(Debug)]
pub enum Found {
    /// A tarball of Debian's.
    Tarball(PathBuf),
    /// A source that was unpacked before.
    Unpacked(Source),
}

/// The newest `linux-source-VERSION.tar.*` in `debian_dir` (Debian's packages: `/usr/src`), or else
/// the newest source that was unpacked into `sources_dir/<digest>`.
///
/// # Errors
/// When there is none, or a directory cannot be read.
pub fn find_on_machine(debian_dir: &Path, sources_dir: &Path) -> Result<Found, SourceError> {
    if let Some(tarball) = newest_tarball(debian_dir)? {
        return Ok(Found::Tarball(tarball));
    }
    match newest_unpacked(sources_dir)? {
        Some(source) => Ok(Found::Unpacked(source)),
        None => Err(SourceError::NoneOnMachine { debian_dir: debian_dir.to_owned() }),
    }
}

fn newest_tarball(dir: &Path) -> Result<Option<PathBuf>, SourceError> {
    let tarballs = names(dir)?.into_iter().filter_map(|name| Some((debian_version(&name)?, name)));
    Ok(tarballs.max().map(|(_, name)| dir.join(name)))
}

/// The version in the name of one of Debian's tarballs.
fn debian_version(name: &str) -> Option<KernelVersion> {
    let (version, compression) = name.strip_prefix("linux-source-")?.split_once(".tar.")?;
    ["xz", "gz", "zst", "bz2"].contains(&compression).then(|| version.parse().ok())?
}

fn newest_unpacked(dir: &Path) -> Result<Option<Source>, SourceError> {
    let open = |name: String| Source::open_unpacked(&dir.join(&name), name.parse().ok()?).ok();
    let sources = names(dir)?.into_iter().filter_map(open);
    Ok(sources.max_by(|a, b| (&a.version, &a.digest).cmp(&(&b.version, &b.digest))))
}

/// The names in a directory as far as they are text; none if there is no such directory.
fn names(dir: &Path) -> Result<Vec<String>, SourceError> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(SourceError::io("list", dir))?,
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().into_string().ok());
    let names: io::Result<Vec<Option<String>>> = listing.map(name).collect();
    Ok(names.map_err(SourceError::io("list", dir))?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tree::fixture;

    /// A directory with empty files of these names.
    fn files(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        dir
    }

    #[test]
    fn the_newest_of_debians_is_taken() {
        let debian = files(&[
            "linux-source-6.1.tar.xz",
            "linux-source-6.12.tar.xz",
            "linux-source-6.2.tar.xz",
            "linux-source-6.99.patch.xz",
            "linux-source-6.99.tar.lzo",
            "linux-config-6.99.tar.xz",
            "linux-source-new.tar.xz",
        ]);
        let cache = tempfile::tempdir().unwrap();
        let Found::Tarball(path) = find_on_machine(debian.path(), cache.path()).unwrap() else {
            panic!("not a tarball");
        };
        assert_eq!(path, debian.path().join("linux-source-6.12.tar.xz"));
    }

    #[test]
    fn then_what_was_unpacked() {
        let cache = tempfile::tempdir().unwrap();
        let digest = "ab".repeat(32);
        fixture::write(&cache.path().join(&digest));
        fixture::write(&cache.path().join(format!("{digest}.partial")));
        fs::create_dir(cache.path().join("cd".repeat(32))).unwrap();
        let debian = cache.path().join("missing");
        let Found::Unpacked(source) = find_on_machine(&debian, cache.path()).unwrap() else {
            panic!("not unpacked");
        };
        assert_eq!(source.digest.to_string(), digest);
        assert_eq!(source.version.to_string(), "6.12.95");
    }

    #[test]
    fn or_it_is_said_what_to_do() {
        let debian = files(&["README"]);
        let error = find_on_machine(debian.path(), &debian.path().join("missing")).unwrap_err();
        let shown = debian.path().display();
        let wanted = format!(
            "no Linux source on this machine: looked for linux-source-*.tar.* in {shown} and in the cache"
        );
        assert_eq!(error.to_string(), wanted);
        assert!(error.hint().unwrap().contains("install Debian's linux-source"));
    }
}
