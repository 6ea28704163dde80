//! What a reader says of one name of an image, in whichever format.

use mote_rootfs::tree::Device;

use crate::cpio;

/// One name of an image, as the image says it: nothing is resolved or trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path without a leading slash, `.` for the root.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u64,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// How many names the inode has.
    pub nlink: u32,
    /// Time of last modification in seconds since 1970.
    pub mtime_s: i64,
    /// Bytes of contents; of directories what the format needs for them.
    pub size: u64,
    /// The device that the name stands for, where it is one.
    pub rdevice: Device,
    /// The target, of a symbolic link.
    pub target: Option<Vec<u8>>,
}

impl From<&cpio::Entry> for Entry {
    fn from(entry: &cpio::Entry) -> Self {
        Self {
            name: entry.name.clone(),
            ino: entry.ino.into(),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            nlink: entry.nlink,
            mtime_s: entry.mtime_s.into(),
            size: entry.size.into(),
            rdevice: entry.rdevice,
            target: entry.target.clone(),
        }
    }
}
