//! A directory of the host as a tree.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::tree::{
    Content, Device, Inode, Metadata, Node, PathError, Tree, TreeError, TreePath, Xattrs,
};

/// Flags for everything that is opened: no link is followed, nothing waits for a pipe's other end.
const OPEN: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Whose the files of the tree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Theirs to whom they belong on the host.
    Host,
    /// All of them root's, as in a system that an ordinary user put together.
    Root,
}

/// Why a directory of the host does not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Something cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A path is longer than a tree's may be.
    #[error("{} has no place in a tree", path.display())]
    Name {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        source: PathError,
    },
    /// Something cannot be put into a tree.
    #[error("{} has no place in a tree", path.display())]
    Tree {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: TreeError,
    },
}

/// Reads a directory of the host, with all below it; other file systems too.
///
/// Modes, times (whole seconds), hard links, and the extended attributes `user.*` and
/// `security.capability` are those of the host. Symbolic links are never followed, but for `dir`
/// itself. Contents stay where they are: see [`Content::HostFile`].
///
/// # Errors
///
/// When something cannot be read; files that the user may not read are found here and not later.
pub fn read_directory(dir: &Path, owners: Owners) -> Result<Tree, DirectoryError> {
    let mut reader = Reader { dir, owners, tree: Tree::new(), seen: HashMap::new() };
    reader.read().map(|()| reader.tree)
}

struct Reader<'a> {
    dir: &'a Path,
    owners: Owners,
    tree: Tree,
    /// First names of the inodes that have several.
    seen: HashMap<(u64, u64), TreePath>,
}

/// A directory whose entries are being read.
struct Open {
    path: TreePath,
    fd: OwnedFd,
    names: Vec<OsString>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), DirectoryError> {
        let root = TreePath::root();
        let flags = OPEN.difference(OFlags::NOFOLLOW) | OFlags::DIRECTORY;
        let fd = rustix::fs::openat(CWD, self.dir, flags, Mode::empty());
        let fd = fd.map_err(|error| self.failed(&root, error))?;
        let stat = rustix::fs::fstat(&fd).map_err(|error| self.failed(&root, error))?;
        // One open directory for each level: what is nested deeper than a process may have files
        // open is an error.
        let mut open = vec![self.enter(root, fd, &stat)?];
        while let Some(directory) = open.last_mut() {
            match directory.names.pop() {
                Some(name) => {
                    let entered = self.entry(directory, &name)?;
                    open.extend(entered);
                }
                None => {
                    open.pop();
                }
            }
        }
        Ok(())
    }

    /// Puts a directory into the tree and lists it.
    fn enter(&mut self, path: TreePath, fd: OwnedFd, stat: &Stat) -> Result<Open, DirectoryError> {
        let xattrs = read_xattrs(&fd).map_err(|error| self.failed(&path, error))?;
        self.insert(&path, Node::Directory, stat, xattrs)?;
        let names = list(&fd).map_err(|error| self.failed(&path, error))?;
        Ok(Open { path, fd, names })
    }

    /// Puts an entry into the tree; gives it back open if it is a directory.
    fn entry(&mut self, parent: &Open, name: &OsStr) -> Result<Option<Open>, DirectoryError> {
        let path = parent.path.join(name.as_bytes()).map_err(|source| DirectoryError::Name {
            path: self.host_path(&parent.path).join(name),
            source,
        })?;
        let failed = |error| self.failed(&path, error);
        let stat =
            rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.seen.get(&inode) {
                let linked = self.tree.link(&path, first);
                return linked.map(|()| None).map_err(|source| self.misplaced(&path, source));
            }
            self.seen.insert(inode, path.clone());
        }
        let failed = |error| self.failed(&path, error);
        let open = |flags| rustix::fs::openat(&parent.fd, name, OPEN | flags, Mode::empty());
        let device = Device {
            major: rustix::fs::major(stat.st_rdev),
            minor: rustix::fs::minor(stat.st_rdev),
        };
        let mut xattrs = Xattrs::new();
        let node = match kind {
            FileType::Directory => {
                let fd = open(OFlags::DIRECTORY).map_err(failed)?;
                return self.enter(path, fd, &stat).map(Some);
            }
            FileType::RegularFile => {
                let fd = open(OFlags::empty()).map_err(failed)?;
                xattrs = read_xattrs(fd).map_err(failed)?;
                let host_path = Arc::new(self.host_path(&path));
                Node::File(Content::HostFile {
                    path: host_path,
                    offset: 0,
                    len: stat.st_size as u64,
                })
            }
            FileType::Symlink => {
                let target =
                    rustix::fs::readlinkat(&parent.fd, name, Vec::new()).map_err(failed)?;
                Node::Symlink(target.into_bytes().into())
            }
            FileType::CharacterDevice => Node::CharDevice(device),
            FileType::BlockDevice => Node::BlockDevice(device),
            FileType::Fifo => Node::Fifo,
            FileType::Socket => Node::Socket,
            FileType::Unknown => return Err(failed(Errno::INVAL)),
        };
        self.insert(&path, node, &stat, xattrs).map(|()| None)
    }

    fn insert(
        &mut self,
        path: &TreePath,
        node: Node,
        stat: &Stat,
        xattrs: Xattrs,
    ) -> Result<(), DirectoryError> {
        let (uid, gid) = match self.owners {
            Owners::Host => (stat.st_uid, stat.st_gid),
            Owners::Root => (0, 0),
        };
        let mode = (stat.st_mode & 0o7777) as u16;
        let (mtime_s, mtime_ns) = (stat.st_mtime, stat.st_mtime_nsec as u32);
        let metadata = Metadata { mode, uid, gid, mtime_s, mtime_ns, xattrs };
        let inserted = self.tree.insert(path, Inode { node, metadata });
        inserted.map_err(|source| self.misplaced(path, source))
    }

    fn host_path(&self, path: &TreePath) -> PathBuf {
        if path.is_root() {
            return self.dir.to_owned();
        }
        self.dir.join(OsStr::from_bytes(path.as_bytes()))
    }

    fn failed(&self, path: &TreePath, error: Errno) -> DirectoryError {
        DirectoryError::Read { path: self.host_path(path), source: error.into() }
    }

    fn misplaced(&self, path: &TreePath, source: TreeError) -> DirectoryError {
        DirectoryError::Tree { path: self.host_path(path), source }
    }
}

fn list(fd: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if !matches!(&*name, b"." | b"..") {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// The extended attributes that mean the same in every system.
fn read_xattrs(fd: impl std::os::fd::AsFd) -> Result<Xattrs, Errno> {
    let mut names = Vec::with_capacity(64 << 10);
    match rustix::fs::flistxattr(&fd, rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(Errno::NOTSUP) => return Ok(Xattrs::new()),
        Err(error) => return Err(error),
    }
    let mut xattrs = Xattrs::new();
    for name in names.split(|&byte| byte == 0) {
        if !name.starts_with(b"user.") && name != b"security.capability" {
            continue;
        }
        let mut value = Vec::with_capacity(64 << 10);
        rustix::fs::fgetxattr(&fd, name, rustix::buffer::spare_capacity(&mut value))?;
        xattrs.insert(name.into(), value.into());
    }
    Ok(xattrs)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn touch(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let file = File::open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_577_836_800)).unwrap();
    }

    #[test]
    fn everything_in_a_directory_is_read_and_no_link_followed() {
        let host = tempfile::tempdir().unwrap();
        let at = |name: &str| host.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/file"), "content").unwrap();
        fs::hard_link(at("d/file"), at("same")).unwrap();
        fs::write(host.path().join(OsStr::from_bytes(b"\xff\n")), "").unwrap();
        touch(&host.path().join(OsStr::from_bytes(b"\xff\n")), 0o600);
        touch(&at("same"), 0o4755);
        symlink("/etc", at("out")).unwrap();
        rustix::fs::mknodat(CWD, at("pipe"), FileType::Fifo, 0o622.into(), 0).unwrap();
        fs::set_permissions(at("pipe"), Permissions::from_mode(0o622)).unwrap();
        UnixListener::bind(at("socket")).unwrap();
        touch(&at("d"), 0o1777);
        touch(host.path(), 0o711);

        let tree = read_directory(host.path(), Owners::Root).unwrap();
        let dump = tree.render_dump();
        let without_times = |line: &str| line.split(" @").next().unwrap().to_owned();
        let lines: Vec<_> = dump.lines().map(without_times).collect();
        assert_eq!(lines[0], "d0711 0:0 - /");
        assert_eq!(lines[1], "d1777 0:0 - /d");
        assert_eq!(dump.lines().nth(2), Some("-4755 0:0 7 /d/file"));
        assert_eq!(lines[3], "l0777 0:0 - /out -> /etc");
        assert_eq!(lines[4], "p0622 0:0 - /pipe");
        assert_eq!(lines[5], "-4755 0:0 7 /same = /d/file");
        assert!(lines[6].starts_with("s") && lines[6].ends_with("/socket"), "{}", lines[6]);
        assert_eq!(lines[7], "-0600 0:0 0 /\\xff\\n");

        let inode = tree.get(&TreePath::parse("d/file").unwrap()).unwrap();
        let Node::File(content) = &inode.node else { panic!() };
        let mut text = String::new();
        content.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn owners_and_attributes_are_those_of_the_host() {
        let host = tempfile::tempdir().unwrap();
        let path = host.path().join("f");
        fs::write(&path, "").unwrap();
        let set = |name, value: &[u8]| {
            rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
        };
        set("user.a", b"\0\n\xff");
        set("user.empty", b"");
        let tree = read_directory(host.path(), Owners::Host).unwrap();
        let inode = tree.get(&TreePath::parse("f").unwrap()).unwrap();
        let xattrs: Vec<_> = inode.metadata.xattrs.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(xattrs, [(&b"user.a"[..], &b"\0\n\xff"[..]), (b"user.empty", b"")]);
        assert_eq!(inode.metadata.uid, fs::metadata(&path).unwrap().uid());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = read_directory(Path::new("/no/such"), Owners::Host).unwrap_err();
        assert_eq!(error.to_string(), "/no/such cannot be read");
        let error = read_directory(Path::new("/proc/version"), Owners::Host).unwrap_err();
        assert_eq!(error.to_string(), "/proc/version cannot be read");
    }
}
