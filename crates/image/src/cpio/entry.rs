//! What a reader says of one name.

use mote_rootfs::tree::Device;

use super::format::Header;

/// One name of an archive, as the archive says it: nothing is resolved or trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which archive of the file it is in, from 0; inode numbers mean something within one only.
    pub archive: u32,
    /// The name as written: mostly without a leading slash, `.` for the root.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u32,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// How many names the inode has; the kernel looks for hard links from 2 on.
    pub nlink: u32,
    /// Time of last modification in seconds since 1970.
    pub mtime_s: u32,
    /// Bytes of data that follow: of a file with several names, only one has them.
    pub size: u32,
    /// The device that the file lay on; with `ino`, what tells hard links.
    pub device: Device,
    /// The device that the name stands for, where it is one.
    pub rdevice: Device,
    /// The target, of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// What is wrong with the bytes of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Something else where a header should start.
    #[error("there is no cpio header")]
    NoMagic,
    /// The old portable form of cpio, which the kernel does not read.
    #[error("this is the odc form of cpio, and the kernel reads only newc")]
    OldCpio,
    /// A field of the header is not a number.
    #[error("a field of the header is not a hexadecimal number")]
    Number,
    /// No name, or one longer than the kernel takes.
    #[error("the name is said to have {len} bytes; it needs 1 to 4096 with its NUL")]
    NameLength {
        /// Length as the header has it.
        len: u32,
    },
    /// The name does not end in its only NUL byte.
    #[error("the name does not end with its only NUL byte")]
    Name,
    /// A link target longer than the kernel takes.
    #[error("the link target is said to have {len} bytes; the most is 4096")]
    TargetLength {
        /// Length as the header has it.
        len: u32,
    },
    /// The sum of the bytes is not the one of the header (070702).
    #[error("the sum of the file's bytes is {got:#x}, and the header says {wanted:#x}")]
    Sum {
        /// Sum in the header.
        wanted: u32,
        /// Sum of the bytes.
        got: u32,
    },
    /// The bytes end within an entry.
    #[error("the archive ends in the middle of an entry")]
    Truncated,
    /// The bytes end where there should be another entry.
    #[error("the archive has no trailer: its end is missing")]
    NoTrailer,
    /// Neither zeros nor a header after an archive.
    #[error("there is junk after the archive")]
    Junk,
}

impl Entry {
    pub(super) fn new(archive: u32, name: Vec<u8>, header: &Header) -> Self {
        Self {
            archive,
            name,
            ino: header.ino,
            mode: header.mode,
            uid: header.uid,
            gid: header.gid,
            nlink: header.nlink,
            mtime_s: header.mtime,
            size: header.filesize,
            device: Device { major: header.devmajor, minor: header.devminor },
            rdevice: Device { major: header.rdevmajor, minor: header.rdevminor },
            target: None,
        }
    }
}
