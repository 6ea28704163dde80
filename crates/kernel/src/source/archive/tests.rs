//! Tarballs as they should be, as they come over a bad line, and as an attacker writes them.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tar_core::EntryType;
use tar_core::builder::EntryBuilder;

use super::extract::{IN_NO_DIRECTORY, LEADS_OUT, NO_FILE, NO_TARGET, OUTSIDE, TWICE};
use super::*;
use crate::source::tree::fixture;

/// A tar archive in the making.
struct Tar(Vec<u8>);

impl Tar {
    /// One that holds a Linux source in `linux/`.
    fn linux() -> Self {
        let mut tar = Self(Vec::new());
        tar.add(EntryType::Directory, "linux/", "", b"");
        for (path, content) in fixture::FILES {
            tar.file(&format!("linux/{path}"), content.as_bytes());
        }
        tar
    }

    fn file(&mut self, path: &str, content: &[u8]) {
        self.add(EntryType::Regular, path, "", content);
    }

    fn add(&mut self, kind: EntryType, path: &str, target: &str, content: &[u8]) {
        let mut entry = EntryBuilder::new_ustar();
        entry.path(path).entry_type(kind).link_name(target);
        entry.mode(0o755).unwrap().size(content.len() as u64).unwrap();
        self.0.extend(entry.finish_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A directory with a tarball in it, and one to unpack into.
struct Place {
    dir: tempfile::TempDir,
    tarball: PathBuf,
    into: PathBuf,
}

impl Place {
    fn new(tarball: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tarball_path, into) = (dir.path().join("l.tar"), dir.path().join("into"));
        fs::write(&tarball_path, tarball).unwrap();
        fs::create_dir(&into).unwrap();
        Self { dir, tarball: tarball_path, into }
    }

    fn unpack(&self) -> Result<(), SourceError> {
        unpack(&self.tarball, &self.into, &Cancel::default(), &|_, _| ())
    }

    /// The message of an error that leaves nothing behind.
    fn refused(&self) -> String {
        let error = self.unpack().unwrap_err();
        assert!(!self.into.exists(), "something was left behind: {error}");
        error.to_string()
    }
}

fn xz(tar: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(tar, 1).read_to_end(&mut packed).unwrap();
    packed
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(tar, flate2::Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    packed
}

fn zstd(tar: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(tar).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(tar: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    ::bzip2::read::BzEncoder::new(tar, ::bzip2::Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    packed
}

type Pack = fn(&[u8]) -> Vec<u8>;

const COMPRESSIONS: [(&str, Pack); 5] =
    [("none", <[u8]>::to_vec), ("xz", xz), ("gzip", gzip), ("zstd", zstd), ("bzip2", bzip2)];

#[test]
fn every_compression_is_unpacked() {
    let tar = Tar::linux().finish();
    for (name, pack) in COMPRESSIONS {
        let place = Place::new(&pack(&tar));
        let last = std::cell::Cell::new((0, None));
        let progress = |done, total| last.set((done, total));
        unpack(&place.tarball, &place.into, &Cancel::default(), &progress).unwrap();
        for (path, content) in fixture::FILES {
            assert_eq!(fs::read_to_string(place.into.join(path)).unwrap(), content, "{name}");
        }
        let size = fs::metadata(&place.tarball).unwrap().len();
        assert_eq!(last.get(), (size, Some(size)), "{name}");
    }
}

#[test]
fn a_damaged_tarball_leaves_nothing() {
    let mut tar = Tar::linux();
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    tar.file("linux/noise", &noise);
    let tar = tar.finish();
    for (name, pack) in COMPRESSIONS {
        let whole = pack(&tar);
        let ends = [600, 1024, whole.len() / 2, whole.len() - 1200, whole.len() - 1];
        for end in ends {
            let place = Place::new(&whole[..end]);
            let message = place.refused();
            let wanted = format!("the tarball is damaged: {}", place.tarball.display());
            assert_eq!(message, wanted, "{name} cut at {end} of {}", whole.len());
        }
        if name == "none" {
            continue;
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        assert!(Place::new(&flipped).refused().starts_with("the tarball is damaged"), "{name}");
    }
}

#[test]
fn what_is_no_tarball() {
    for bytes in [&b""[..], b"BZ", b"<html>", &[0; 2048]] {
        let place = Place::new(bytes);
        let shown = place.tarball.display();
        let wanted = format!("not an .xz, .gz, .zst or .bz2 tarball: {shown}");
        assert_eq!(place.refused(), wanted);
    }
    let place = Place::new(b"");
    let missing = Place { tarball: place.dir.path().join("missing"), ..place };
    assert!(missing.refused().starts_with("no such source: "));
    let place = Place::new(b"");
    let directory = Place { tarball: place.dir.path().to_owned(), ..place };
    assert!(directory.refused().starts_with("not a file: "));
}

#[test]
fn what_is_no_linux() {
    let mut tar = Tar(Vec::new());
    tar.file("busybox/Makefile", b"VERSION = 1\n");
    let place = Place::new(&xz(&tar.finish()));
    let shown = place.tarball.display();
    assert_eq!(place.refused(), format!("not a Linux source, Kconfig is missing: {shown}"));
    let nothing = Place::new(&xz(&[0; 1024]));
    assert!(nothing.refused().starts_with("not a Linux source, Makefile is missing: "));
}

#[test]
fn what_leads_out_is_refused() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    type Entries = &'static [(EntryType, &'static str, &'static str)];
    let table: [(Entries, &str); 17] = [
        (&[(Regular, "linux/../../x", "")], LEADS_OUT),
        (&[(Regular, "/etc/x", "")], LEADS_OUT),
        (&[(Regular, "other/x", "")], OUTSIDE),
        (&[(Regular, "linux", "")], OUTSIDE),
        (&[(Directory, "linux/../x", "")], LEADS_OUT),
        (&[(Symlink, "linux/l", "/etc/passwd")], LEADS_OUT),
        (&[(Symlink, "linux/l", "..")], LEADS_OUT),
        (&[(Symlink, "linux/a/l", "../../x")], LEADS_OUT),
        (&[(Symlink, "linux/a/b/up", "../.."), (Symlink, "linux/l", "a/b/up/../x")], LEADS_OUT),
        (&[(Symlink, "linux/l", "scripts"), (Regular, "linux/l/x", "")], IN_NO_DIRECTORY),
        (&[(Regular, "linux/Makefile/x", "")], IN_NO_DIRECTORY),
        (&[(Link, "linux/l", "/etc/passwd")], LEADS_OUT),
        (&[(Link, "linux/l", "linux/missing")], NO_TARGET),
        (&[(Symlink, "linux/a/s", "../x"), (Link, "linux/l", "linux/a/s")], NO_TARGET),
        (&[(Char, "linux/null", "")], NO_FILE),
        (&[(Fifo, "linux/f", ""), (Block, "linux/b", "")], NO_FILE),
        (&[(Regular, "linux/x", ""), (Regular, "linux/x", "")], TWICE),
    ];
    for (entries, why) in table {
        let mut tar = Tar::linux();
        for (kind, path, target) in entries {
            tar.add(*kind, path, target, b"");
        }
        let place = Place::new(&tar.finish());
        let message = place.refused();
        let wanted = format!("the tarball holds an entry that is not accepted, {why}: ");
        assert!(message.starts_with(&wanted), "{entries:?}: {message}");
        let left: Vec<_> = fs::read_dir(place.dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

#[test]
fn links_and_modes_are_kept() {
    let mut tar = Tar::linux();
    tar.add(EntryType::Symlink, "linux/a/l", "../Makefile", b"");
    tar.add(EntryType::Link, "linux/h", "linux/Makefile", b"");
    let place = Place::new(&tar.finish());
    place.unpack().unwrap();
    assert_eq!(fs::read_link(place.into.join("a/l")).unwrap(), Path::new("../Makefile"));
    let makefile = fs::read(place.into.join("Makefile")).unwrap();
    assert_eq!(fs::read(place.into.join("h")).unwrap(), makefile);
    let mode = fs::metadata(place.into.join("Makefile")).unwrap().permissions().mode();
    assert_eq!(mode & 0o100, 0o100);
}

/// Real archives: GNU tar's two formats with names that do not fit into a header, and `./` in front.
#[test]
fn what_gnu_tar_writes() {
    for (format, member) in [("gnu", "linux"), ("pax", "linux"), ("pax", "./linux")] {
        let place = Place::new(b"");
        let linux = place.dir.path().join("linux");
        fixture::write(&linux);
        let long = "n".repeat(90);
        let deep = format!("{long}/{long}/{long}");
        fs::create_dir_all(linux.join(&deep)).unwrap();
        fs::write(linux.join(&deep).join("file"), "1").unwrap();
        let tar = Command::new("tar")
            .arg(format!("--format={format}"))
            .args(["-cf", "l.tar", member])
            .current_dir(place.dir.path())
            .status();
        assert!(tar.expect("install tar").success());
        place.unpack().unwrap();
        assert_eq!(fs::read(place.into.join(deep).join("file")).unwrap(), b"1", "{format}");
    }
}

/// kernel.org's archives are written by `git archive`, which begins with a global pax header.
#[test]
fn what_git_archive_writes() {
    let place = Place::new(b"");
    let linux = place.dir.path().join("linux");
    fixture::write(&linux);
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=x", "-c", "user.email=x", "-c", "commit.gpgsign=false"];
        let mut git = Command::new("git");
        git.args(identity).args(arguments).current_dir(&linux);
        assert!(git.status().expect("install git").success());
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "x"]);
    git(&["archive", "--prefix=linux/", "--output=../l.tar", "HEAD"]);
    place.unpack().unwrap();
    assert!(place.into.join("Makefile").exists());
}

#[test]
fn an_interruption_leaves_nothing() {
    let place = Place::new(&xz(&Tar::linux().finish()));
    let cancel = Cancel::default();
    cancel.cancel(15);
    let error = unpack(&place.tarball, &place.into, &cancel, &|_, _| ()).unwrap_err();
    assert!(matches!(error, SourceError::Cancelled(_)), "{error}");
    assert!(!place.into.exists());
}

#[test]
fn a_size_beyond_all_bounds_is_damage() {
    for size in ["18446744073709551615", "18446744073709551104", "9223372036854775807"] {
        let mut tar = Tar::linux();
        let mut entry = EntryBuilder::new_ustar();
        entry.path("linux/x").entry_type(EntryType::Regular).add_pax("size", size);
        tar.0.extend(entry.finish_bytes());
        let message = Place::new(&tar.finish()).refused();
        assert!(message.starts_with("the tarball is damaged: "), "{message}");
    }
}

/// Every change of a byte in the headers is refused or harmless: nothing gets out, nothing panics.
#[test]
fn changed_headers_do_no_harm() {
    let mut tar = Tar::linux();
    tar.add(EntryType::Symlink, "linux/l", "Makefile", b"");
    let tar = tar.finish();
    for position in 0..512 {
        let place = Place::new(b"");
        let mut changed = tar.clone();
        let start = changed.len() - 1536;
        changed[start + position] = changed[start + position].wrapping_add(1);
        fs::write(&place.tarball, with_checksum(changed, start)).unwrap();
        let _ = place.unpack();
        let left = fs::read_dir(place.dir.path()).unwrap().count();
        assert!(left <= 2, "byte {position}");
    }
}

/// The checksum of the header at `start` made right again (POSIX.1-2017, pax: `chksum`).
fn with_checksum(mut tar: Vec<u8>, start: usize) -> Vec<u8> {
    tar[start + 148..start + 156].fill(b' ');
    let sum: u32 = tar[start..start + 512].iter().map(|byte| u32::from(*byte)).sum();
    tar[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}
