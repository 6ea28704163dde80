//! Disks made from a small directory.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

const BUSYBOX: &str = "/usr/bin/busybox";
const APPLETS: [&str; 30] = [
    "cat",
    "cmp",
    "dd",
    "df",
    "echo",
    "env",
    "grep",
    "head",
    "hostname",
    "id",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "nc",
    "readlink",
    "sh",
    "sha256sum",
    "sleep",
    "stat",
    "tail",
    "touch",
    "tr",
    "true",
    "wc",
    "kill",
    "ps",
    "sync",
    "yes",
    "seq",
];
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n";
const GROUP: &str = "root:x:0:\nwww:x:34:\nlog:x:50:web\n";

/// A directory that becomes a disk: BusyBox and what its programs look at.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for name in ["bin", "etc", "tmp", "run"] {
            fs::create_dir(tree.path(name)).unwrap();
        }
        fs::set_permissions(tree.path("tmp"), Permissions::from_mode(0o1777)).unwrap();
        fs::copy(BUSYBOX, tree.path("bin/busybox")).expect("apt-get install busybox-static");
        for name in APPLETS {
            symlink("busybox", tree.path("bin").join(name)).unwrap();
        }
        // As `docker build` leaves it.
        tree.with("etc/passwd", PASSWD, 0o644)
            .with("etc/group", GROUP, 0o644)
            .with("etc/hosts", "", 0o644)
            .with("tmp/kept", "tmp\n", 0o644)
            .with("run/kept", "run\n", 0o644)
    }

    pub(crate) fn with(self, name: &str, text: &str, mode: u32) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn with_bytes(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A disk's file, removed with the last clone.
#[derive(Clone)]
pub(crate) struct Disk {
    dir: Arc<TempDir>,
}

impl Disk {
    pub(crate) fn erofs(tree: &Tree) -> Self {
        Self::made_by("mkfs.erofs", "erofs-utils", |command, image| {
            command.args(["--all-root", "-T0"]).arg(image).arg(tree.0.path());
        })
    }

    pub(crate) fn ext4(tree: &Tree) -> Self {
        Self::made_by("/sbin/mke2fs", "e2fsprogs", |command, image| {
            command.args(["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d"]).arg(tree.0.path());
            command.arg(image).arg("32M");
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn made_by(program: &str, package: &str, arguments: impl FnOnce(&mut Command, &Path)) -> Self {
        let disk = Self { dir: Arc::new(tempfile::tempdir().unwrap()) };
        let mut command = Command::new(program);
        arguments(&mut command, &disk.path());
        let made = command.output();
        let made =
            made.unwrap_or_else(|error| panic!("{program}: {error}: apt-get install {package}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        disk
    }
}
