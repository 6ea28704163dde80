//! From what the user named to a Linux source in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use mote_kernel::KernelVersion;
use mote_kernel::source::{self, Digest, Found, Source, SourceError, SourceSpec, VersionWanted};

use crate::EngineError;
use crate::cache::Shelf;
use crate::event::{self, Step};
use crate::host::{Host, shown};

/// A source as it was asked for.
#[derive(Debug, Clone)]
pub struct SourceWanted {
    /// Which one.
    pub spec: SourceSpec,
    /// Its digest, if no other will do; a download is then not compared with what is published.
    pub pinned: Option<Digest>,
}

impl Default for SourceWanted {
    fn default() -> Self {
        Self { spec: SourceSpec::Auto, pinned: None }
    }
}

/// A source of which we know which one it is; its files may still lie in a tarball.
#[derive(Debug, Clone)]
pub(crate) struct Identified {
    pub digest: Digest,
    pub version: KernelVersion,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory(Source),
    Tarball(PathBuf),
}

/// Finds out which source is meant, downloading it if need be. A tarball is unpacked only if
/// nobody has looked into it before.
pub(crate) fn identify(host: &Host, wanted: &SourceWanted) -> Result<Identified, EngineError> {
    let found = locate(host, wanted)?;
    match &wanted.pinned {
        Some(pinned) if *pinned != found.digest => Err(EngineError::WrongSource {
            source_name: wanted.spec.to_string(),
            pinned: pinned.to_string(),
            found: found.digest.to_string(),
        }),
        _ => Ok(found),
    }
}

fn locate(host: &Host, wanted: &SourceWanted) -> Result<Identified, EngineError> {
    match &wanted.spec {
        SourceSpec::Directory(path) => directory(host, path),
        SourceSpec::Tarball(path) => tarball(host, path),
        SourceSpec::Version(version) => {
            let path = download(host, version, wanted.pinned.as_ref())?;
            tarball(host, &path)
        }
        SourceSpec::Auto => {
            let sources = host.cache.shelf(Shelf::Sources);
            match source::find_on_machine(&host.debian_sources, &sources)? {
                Found::Tarball(path) => tarball(host, &path),
                Found::Unpacked(source) => Ok(Identified::unpacked(source)),
            }
        }
    }
}

impl Identified {
    fn unpacked(source: Source) -> Self {
        Self {
            digest: source.digest.clone(),
            version: source.version.clone(),
            place: Place::Directory(source),
        }
    }

    /// The source with its files in a directory.
    pub(crate) fn open(&self, host: &Host) -> Result<Source, EngineError> {
        match &self.place {
            Place::Directory(source) => Ok(source.clone()),
            Place::Tarball(path) => unpack(host, path, &self.digest),
        }
    }
}

/// The source with this digest again: unpacked in the cache, or the one that `auto` finds.
pub(crate) fn find_again(host: &Host, digest: &Digest) -> Result<Source, EngineError> {
    if let Some(dir) = host.cache.get(Shelf::Sources, &digest.to_string()) {
        return Ok(Source::open_unpacked(&dir, digest.clone())?);
    }
    match identify(host, &SourceWanted::default()) {
        Ok(found) if found.digest == *digest => found.open(host),
        _ => Err(EngineError::SourceGone { digest: digest.to_string() }),
    }
}

fn directory(host: &Host, path: &Path) -> Result<Identified, EngineError> {
    let memo = host.cache.memo()?;
    let step = Step::Digest { path: path.to_owned() };
    let source = event::step(&*host.sink, step, |progress| {
        Source::open_directory(path, &memo, &host.cancel, progress)
    })?;
    Ok(Identified::unpacked(source))
}

fn tarball(host: &Host, path: &Path) -> Result<Identified, EngineError> {
    let memo = host.cache.memo()?;
    let digest = source::digest_tarball(path, &memo, &host.cancel, &|_, _| ())?;
    let note = memo.join(format!("version-{digest}"));
    let version = match fs::read_to_string(&note).ok().and_then(|text| text.parse().ok()) {
        Some(version) => version,
        None => {
            let version = unpack(host, path, &digest)?.version;
            // Only a note: without it the next run looks again.
            let _ = fs::write(&note, version.to_string());
            version
        }
    };
    Ok(Identified { digest, version, place: Place::Tarball(path.to_owned()) })
}

fn unpack(host: &Host, path: &Path, digest: &Digest) -> Result<Source, EngineError> {
    let key = digest.to_string();
    let what = shown(path);
    let (dir, _) =
        host.cache.ensure(Shelf::Sources, &key, &what, &host.cancel, &*host.sink, |partial| {
            let step = Step::Unpack { what: what.clone() };
            event::step(&*host.sink, step, |progress| {
                source::unpack(path, partial, &host.cancel, progress)
            })?;
            Source::open_unpacked(partial, digest.clone())?;
            Ok::<_, EngineError>(())
        })?;
    Ok(Source::open_unpacked(&dir, digest.clone())?)
}

fn download(
    host: &Host,
    wanted: &VersionWanted,
    pinned: Option<&Digest>,
) -> Result<PathBuf, EngineError> {
    let dir = host.cache.shelf(Shelf::Sources);
    if let Some(path) = source::downloaded(wanted, &dir) {
        return Ok(path);
    }
    let release = match pinned {
        Some(digest) => host.mirror.pinned(wanted, digest.clone())?,
        None => host.mirror.find(wanted, &host.cancel)?,
    };
    let lock = format!("download-{}", release.sha256);
    host.cache.with_lock(
        Shelf::Sources,
        &lock,
        &release.file_name,
        &host.cancel,
        &*host.sink,
        || {
            if let Some(path) = source::downloaded(wanted, &dir) {
                return Ok(path);
            }
            let step = Step::Download { what: release.file_name.clone() };
            event::step(&*host.sink, step, |progress| {
                host.mirror.download(&release, &dir, &host.cancel, progress)
            })
            .map_err(|error: SourceError| error.into())
        },
    )
}
