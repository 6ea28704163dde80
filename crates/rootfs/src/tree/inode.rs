//! What a name in the tree stands for.

use std::collections::BTreeMap;

use super::Content;

/// Time stamp of everything that mote makes itself: 2020-01-01T00:00:00Z, in seconds since 1970.
///
/// Fixed, so that the same inputs give the same bytes, and recent enough for programs that take a
/// file of 1970 for damaged.
pub const SOURCE_DATE_EPOCH: i64 = 1_577_836_800;

/// An inode: what it is, and its metadata. Several names (hard links) may share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What the inode is.
    pub node: Node,
    /// Owner, permissions, time, extended attributes.
    pub metadata: Metadata,
}

/// The kinds of inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory; its entries are kept by the tree.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link: its target, 1 to 4,095 bytes without NUL.
    Symlink(Box<[u8]>),
    /// A character device.
    CharDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
    /// A Unix domain socket.
    Socket,
}

/// A device number as Linux has it: 12 bits of major, 20 of minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Major number, at most 4,095.
    pub major: u32,
    /// Minor number, at most 1,048,575.
    pub minor: u32,
}

/// Extended attributes: full name (`security.capability`) to binary value.
pub type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Metadata that every kind of inode has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Permission bits with set-user-ID, set-group-ID and sticky: at most `0o7777`.
    pub mode: u16,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Time of last modification in seconds since 1970; negative before.
    pub mtime_s: i64,
    /// Nanoseconds that have passed since then: less than 1,000,000,000.
    pub mtime_ns: u32,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

impl Metadata {
    /// Owned by root, at [`SOURCE_DATE_EPOCH`], without extended attributes.
    pub fn new(mode: u16) -> Self {
        Self {
            mode,
            uid: 0,
            gid: 0,
            mtime_s: SOURCE_DATE_EPOCH,
            mtime_ns: 0,
            xattrs: Xattrs::new(),
        }
    }
}

impl Inode {
    /// An inode owned by root, with fixed time.
    pub fn new(node: Node, mode: u16) -> Self {
        Self { node, metadata: Metadata::new(mode) }
    }

    /// A directory.
    pub fn directory(mode: u16) -> Self {
        Self::new(Node::Directory, mode)
    }

    /// A regular file.
    pub fn file(content: impl Into<Content>, mode: u16) -> Self {
        Self::new(Node::File(content.into()), mode)
    }

    /// A symbolic link; its mode is `0777`, which Linux shows for all of them.
    pub fn symlink(target: impl AsRef<[u8]>) -> Self {
        Self::new(Node::Symlink(target.as_ref().into()), 0o777)
    }

    /// A character device.
    pub fn char_device(major: u32, minor: u32, mode: u16) -> Self {
        Self::new(Node::CharDevice(Device { major, minor }), mode)
    }

    /// The same inode with another owner.
    pub fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        self.metadata.uid = uid;
        self.metadata.gid = gid;
        self
    }

    /// Whether this is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.node, Node::Directory)
    }
}

impl Node {
    /// The file type bits of `st_mode` (`include/uapi/linux/stat.h`).
    pub fn type_bits(&self) -> u32 {
        match self {
            Self::Fifo => 0o010_000,
            Self::CharDevice(_) => 0o020_000,
            Self::Directory => 0o040_000,
            Self::BlockDevice(_) => 0o060_000,
            Self::File(_) => 0o100_000,
            Self::Symlink(_) => 0o120_000,
            Self::Socket => 0o140_000,
        }
    }
}
