//! What other programs write, against the directory that they wrote it from.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, XattrFlags};

use super::{layer, read};
use crate::directory::{Owners, read_directory};
use crate::tree::{Content, Node, Tree, TreePath};

/// Runs a program in a directory.
pub(super) fn run(program: &str, package: &str, args: &[&str], dir: &Path) {
    let output = Command::new(program).args(args).current_dir(dir).env("LC_ALL", "C").output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}: apt-get install {package}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
}

/// A directory with what archives find hard.
fn fill(dir: &Path) {
    let at = |name: &str| dir.join(name);
    let long = "directory-of-a-long-name/".repeat(5);
    fs::create_dir_all(at(&long)).unwrap();
    fs::write(at(&long).join("n".repeat(255)), "long").unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("large"), "0123456789abcdef".repeat(50_000)).unwrap();
    fs::write(dir.join(OsStr::from_bytes(b"\xfe\xff\n%\\")), "bytes").unwrap();
    fs::write(at("suid"), "x").unwrap();
    fs::set_permissions(at("suid"), Permissions::from_mode(0o4711)).unwrap();
    fs::hard_link(at("large"), at(&long).join("hard")).unwrap();
    symlink("large", at("soft")).unwrap();
    symlink("t".repeat(300), at("soft-long")).unwrap();
    symlink("no/such", at("z")).unwrap();
    fs::hard_link(at("z"), at("hard-to-soft")).unwrap();
    rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, 0o600.into(), 0).unwrap();
    let sparse = File::create(at("sparse")).unwrap();
    for (offset, bytes) in [(0, "start"), (1 << 20, "middle"), (3 << 20, "x")] {
        sparse.write_all_at(bytes.as_bytes(), offset).unwrap();
    }
    sparse.set_len(5 << 20).unwrap();
    let fragments = File::create(at("fragments")).unwrap();
    for index in 0..100 {
        fragments.write_all_at(b"x", index * (128 << 10)).unwrap();
    }
    for (name, seconds) in [("empty", 1), ("large", 0xffff_ffff)] {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(at(name)).unwrap().set_modified(time).unwrap();
    }
}

/// Takes the fractions off all times: older formats have none, and Python's are rounded.
fn to_whole_seconds(dir: &Path) {
    let odd = ["!", "-name", "empty", "!", "-name", "large", "!", "-name", "hard"];
    let touch = ["-exec", "touch", "-h", "-d", "@1500000000", "{}", "+"];
    run("find", "findutils", &[&["."], &odd[..], &touch[..]].concat(), dir);
}

fn add_xattrs(dir: &Path) {
    for (name, attribute, value) in [
        ("empty", "user.binary", &b"\0\n17 user.x=\xff\n"[..]),
        ("empty", "user.empty", b""),
        ("large", "user.long", &[7; 3000]),
        ("directory-of-a-long-name", "user.d", b"d"),
    ] {
        let flags = XattrFlags::empty();
        rustix::fs::setxattr(dir.join(name), attribute, value, flags).unwrap();
    }
}

fn read_archive(path: &Path) -> Tree {
    let len = fs::metadata(path).unwrap().len();
    let blob = Content::HostFile { path: path.to_owned().into(), offset: 0, len };
    read(&[super::LayerSource { blob, ..layer("archive", Vec::new()) }]).unwrap()
}

fn assert_same(got: &Tree, want: &Tree, what: &str) {
    // Better to read than two trees side by side.
    assert_eq!(got.render_dump(), want.render_dump(), "{what}");
    assert!(got == want, "{what}: contents differ");
}

fn is_sparse(tree: &Tree, path: &str) -> bool {
    let inode = tree.get(&TreePath::parse(path).unwrap()).unwrap();
    matches!(&inode.node, Node::File(content) if content.data().count() > 1)
}

#[test]
fn gnu_tar() {
    let dir = tempfile::tempdir().unwrap();
    let (host, archive) = (dir.path().join("host"), dir.path().join("archive"));
    fs::create_dir(&host).unwrap();
    fill(&host);
    let tar = |args: &[&str]| {
        let args = [args, &["--create", "--file=../archive", "."]].concat();
        run("tar", "tar", &args, &host);
        read_archive(&archive)
    };
    to_whole_seconds(&host);
    let want = read_directory(&host, Owners::Host).unwrap();
    for args in [
        &["--format=gnu"][..],
        &["--format=gnu", "--sparse"],
        &["--format=gnu", "--sparse", "--gzip"],
        &["--format=gnu", "--blocking-factor=1"],
        &["--format=pax"],
        &["--format=pax", "--sparse", "--sparse-version=0.0"],
        &["--format=pax", "--sparse", "--sparse-version=0.1"],
        &["--format=pax", "--sparse", "--sparse-version=1.0"],
    ] {
        let got = tar(args);
        assert_same(&got, &want, &args.join(" "));
        let asked = args.contains(&"--sparse");
        assert_eq!((is_sparse(&got, "sparse"), is_sparse(&got, "fragments")), (asked, asked));
    }
    add_xattrs(&host);
    let want = read_directory(&host, Owners::Host).unwrap();
    assert_same(&tar(&["--format=pax", "--xattrs", "--xattrs-include=user.*"]), &want, "xattrs");

    // Names of more than 255 bytes, and targets of more than 100, do not fit ustar.
    fs::remove_dir_all(host.join("directory-of-a-long-name")).unwrap();
    fs::remove_file(host.join("soft-long")).unwrap();
    let all = ["d".repeat(80), "e".repeat(70), "f".repeat(95)].join("/");
    fs::create_dir_all(host.join(&all).parent().unwrap()).unwrap();
    fs::write(host.join(all), "prefix").unwrap();
    fs::remove_file(host.join("empty")).unwrap();
    rustix::fs::removexattr(host.join("large"), "user.long").unwrap();
    to_whole_seconds(&host);
    let want = read_directory(&host, Owners::Host).unwrap();
    assert_same(&tar(&["--format=ustar"]), &want, "ustar");
}

#[test]
fn python_tarfile() {
    let dir = tempfile::tempdir().unwrap();
    let (host, archive) = (dir.path().join("host"), dir.path().join("archive"));
    fs::create_dir(&host).unwrap();
    fill(&host);
    // It does not see that two names are one link.
    fs::remove_file(host.join("hard-to-soft")).unwrap();
    to_whole_seconds(&host);
    let want = read_directory(&host, Owners::Host).unwrap();
    for format in ["GNU_FORMAT", "PAX_FORMAT"] {
        let script = format!(
            "import tarfile; archive = tarfile.open('../archive', 'w', format=tarfile.{format}, \
             encoding='utf-8', errors='surrogateescape'); archive.add('.'); archive.close()"
        );
        run("python3", "python3", &["-c", &script], &host);
        assert_same(&read_archive(&archive), &want, format);
    }
}

#[test]
fn bsdtar() {
    let dir = tempfile::tempdir().unwrap();
    let (host, archive) = (dir.path().join("host"), dir.path().join("archive"));
    fs::create_dir(&host).unwrap();
    fill(&host);
    add_xattrs(&host);
    let want = read_directory(&host, Owners::Host).unwrap();
    // In its own locale, it refuses what is not UTF-8.
    for args in [&["--zstd"][..], &["--xz"]] {
        let options =
            ["--format=pax", "--options=hdrcharset=BINARY", "-c", "-f", "../archive", "."];
        run("bsdtar", "libarchive-tools", &[args, &options[..]].concat(), &host);
        let got = read_archive(&archive);
        assert_same(&got, &want, &args.join(" "));
        assert!(is_sparse(&got, "sparse"));
    }
}
