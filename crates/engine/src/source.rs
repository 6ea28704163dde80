//! From what the user named to a Linux source in a directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
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
        SourceSpec::Auto if host.auto_source != SourceSpec::Auto => {
            let spec = host.auto_source.clone();
            locate(host, &SourceWanted { spec, pinned: wanted.pinned.clone() })
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

/// The source with this digest again: unpacked in the cache, in the directory in which it was seen
/// last, or in the tarball that `auto` finds.
pub(crate) fn find_again(host: &Host, digest: &Digest) -> Result<Source, EngineError> {
    if let Some(dir) = host.cache.get(Shelf::Sources, &digest.to_string()) {
        return Ok(Source::open_unpacked(&dir, digest.clone())?);
    }
    let seen = fs::read(directory_note(host, digest)?).ok();
    let seen = seen.map(|path| PathBuf::from(OsString::from_vec(path)));
    if let Some(path) = seen.as_ref().filter(|path| path.is_dir()) {
        match open_directory(host, path) {
            Ok(source) if source.digest == *digest => return Ok(source),
            // It was changed since, or built in.
            _ => host.cancel.check()?,
        }
    }
    let sources = host.cache.shelf(Shelf::Sources);
    if let Ok(Found::Tarball(path)) = source::find_on_machine(&host.debian_sources, &sources)
        && digest_tarball(host, &path)? == *digest
    {
        return unpack(host, &path, digest);
    }
    Err(EngineError::SourceGone { digest: digest.to_string(), seen })
}

fn directory(host: &Host, path: &Path) -> Result<Identified, EngineError> {
    let source = open_directory(host, path)?;
    // Only a note, which is verified when it is read.
    let _ = fs::write(directory_note(host, &source.digest)?, source.dir.as_os_str().as_bytes());
    Ok(Identified::unpacked(source))
}

/// Where it is noted in which directory a source lies.
fn directory_note(host: &Host, digest: &Digest) -> Result<PathBuf, EngineError> {
    Ok(host.cache.memo()?.join(format!("directory-{digest}")))
}

/// The source in this directory, as it is now.
pub(crate) fn open_directory(host: &Host, path: &Path) -> Result<Source, EngineError> {
    let memo = host.cache.memo()?;
    let step = Step::Digest { path: path.to_owned() };
    Ok(event::step(&*host.sink, step, |progress| {
        Source::open_directory(path, &memo, &host.cancel, progress)
    })?)
}

fn digest_tarball(host: &Host, path: &Path) -> Result<Digest, EngineError> {
    Ok(source::digest_tarball(path, &host.cache.memo()?, &host.cancel, &|_, _| ())?)
}

fn tarball(host: &Host, path: &Path) -> Result<Identified, EngineError> {
    let digest = digest_tarball(host, path)?;
    let note = host.cache.memo()?.join(format!("version-{digest}"));
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
    // Of a series, only now is it known which file would be there.
    let lock = format!("download-{}", release.sha256);
    host.cache.with_lock(
        Shelf::Sources,
        &lock,
        &release.file_name,
        &host.cancel,
        &*host.sink,
        || {
            let path = dir.join(&release.file_name);
            if path.is_file() && digest_tarball(host, &path)? == release.sha256 {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::process::Command;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::testing::host;

    /// The smallest tree that passes for Linux.
    fn write_linux(dir: &Path, version: u32) {
        for path in ["Kconfig", "scripts/kconfig/Makefile", "arch/x86/Makefile"] {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let makefile = format!("VERSION = {version}\nPATCHLEVEL = 12\nSUBLEVEL = 95\n");
        fs::write(dir.join("Makefile"), makefile).unwrap();
    }

    /// A tarball of `dir/linux`.
    fn pack(dir: &Path, tarball: &Path) {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(dir).arg("-cJf").arg(tarball).arg("linux");
        assert!(tar.status().expect("tar is installed").success());
    }

    fn wanted(path: &Path) -> SourceWanted {
        SourceWanted { spec: SourceSpec::Directory(path.to_owned()), pinned: None }
    }

    #[test]
    fn a_directory_is_found_again_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        let linux = dir.path().join("linux");
        write_linux(&linux, 6);
        let digest = identify(&host, &wanted(&linux)).unwrap().digest;
        assert_eq!(find_again(&host, &digest).unwrap().dir, linux.canonicalize().unwrap());

        write_linux(&linux, 7);
        let error = find_again(&host, &digest).unwrap_err();
        assert!(error.to_string().ends_with(&format!("sha256 {digest}")), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(linux.to_str().unwrap()) && hint.contains("--source"), "{hint}");
    }

    /// A tarball of another source is not unpacked to find that out.
    #[test]
    fn a_tarball_is_found_again_by_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        write_linux(&dir.path().join("linux"), 6);
        fs::create_dir(&host.debian_sources).unwrap();
        let tarball = host.debian_sources.join("linux-source-6.12.tar.xz");
        pack(dir.path(), &tarball);

        let other = "ab".repeat(32).parse::<Digest>().unwrap();
        let error = find_again(&host, &other).unwrap_err();
        assert_eq!(error.hint().unwrap(), "give it with --source");
        assert_eq!(host.cache.entries(Shelf::Sources).unwrap(), []);

        let digest = digest_tarball(&host, &tarball).unwrap();
        assert_eq!(find_again(&host, &digest).unwrap().version.to_string(), "6.12.95");
    }
    /// A server of these files until the test ends: its address, and the names that it was asked
    /// for.
    fn serve(files: HashMap<String, Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = request.split(' ').nth(1).unwrap();
                let name = path.strip_prefix("/pub/linux/kernel/v6.x/").unwrap();
                let file = &files[name];
                seen.lock().unwrap().push(name.to_owned());
                let length = file.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                )
                .unwrap();
                stream.write_all(file).unwrap();
            }
        });
        (address, asked)
    }

    /// What the newest of a series is has to be asked each time, but it is downloaded once; what is
    /// there and is not what is published is downloaded again.
    #[test]
    fn the_newest_of_a_series_is_downloaded_once() {
        const TARBALL: &str = "linux-6.12.95.tar.xz";
        const SUMS: &str = "sha256sums.asc";
        let dir = tempfile::tempdir().unwrap();
        let mut host = host(dir.path());
        write_linux(&dir.path().join("linux"), 6);
        let tarball = dir.path().join("tarball");
        pack(dir.path(), &tarball);
        let digest = digest_tarball(&host, &tarball).unwrap();
        let files = [
            (SUMS.to_owned(), format!("{digest}  {TARBALL}\n").into_bytes()),
            (TARBALL.to_owned(), fs::read(&tarball).unwrap()),
        ];
        let (address, asked) = serve(HashMap::from(files));
        host.mirror.base_url = address;
        let wanted = SourceWanted { spec: "6.12".parse().unwrap(), pinned: None };
        for _ in 0..3 {
            assert_eq!(identify(&host, &wanted).unwrap().digest, digest);
        }
        assert_eq!(*asked.lock().unwrap(), [SUMS, TARBALL, SUMS, SUMS]);

        let there = host.cache.shelf(Shelf::Sources).join(TARBALL);
        fs::write(&there, "something else").unwrap();
        assert_eq!(identify(&host, &wanted).unwrap().digest, digest);
        assert_eq!(asked.lock().unwrap()[4..], [SUMS, TARBALL]);
    }
}
