//! Why an image cannot be read.

use std::io;

/// Why an image could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The superblock is not what it should be.
    #[error("the superblock is not one that mote can read")]
    Superblock(#[source] FormatError),
    /// Something in the tree is not what it should be.
    #[error("cannot read {path} of the image")]
    Format {
        /// Where in the tree, made printable.
        path: String,
        /// What is wrong.
        source: FormatError,
    },
    /// The file could not be read.
    #[error("the file could not be read")]
    Input(#[source] io::Error),
}

/// What is wrong with the bytes of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Something else where the superblock should be.
    #[error("there is no ext4 superblock")]
    NoMagic,
    /// Features without which an image cannot be understood.
    #[error("the image has features that mote does not know: {features:#x}")]
    Features {
        /// Bits of `s_feature_incompat`, or of `s_feature_ro_compat` where those are known.
        features: u32,
    },
    /// The file system was not unmounted: what counts is in its journal.
    #[error("the journal has to be replayed first")]
    Recovery,
    /// Numbers of the superblock that no file system has.
    #[error("the numbers in the superblock do not fit together")]
    Geometry,
    /// The file is shorter than the file system.
    #[error("the file system has {wanted} bytes, and the file only {got}")]
    Truncated {
        /// Bytes by the superblock.
        wanted: u128,
        /// Bytes of the file.
        got: u64,
    },
    /// A place beyond the end of the file system.
    #[error("it lies outside of the image")]
    Outside,
    /// An inode that is not there.
    #[error("there is no inode {number}")]
    Inode {
        /// Number of the inode.
        number: u32,
    },
    /// An inode of no known type.
    #[error("inode {number} has the unknown mode {mode:#o}")]
    Mode {
        /// Number of the inode.
        number: u32,
        /// Its mode.
        mode: u16,
    },
    /// Data that does not lie in blocks, or is encrypted.
    #[error("its data is encrypted or lies within the inode, which mote does not read")]
    Flags,
    /// More bytes than a file can have.
    #[error("it is said to have {len} bytes")]
    Size {
        /// Bytes by the inode.
        len: u64,
    },
    /// Extents that are damaged, or in a wrong order.
    #[error("its extents are damaged")]
    Extents,
    /// A block that two files have, or one twice.
    #[error("one of its blocks belongs to something else as well")]
    Shared,
    /// A block of a directory that cannot be read.
    #[error("block {block} of the directory is damaged")]
    Directory {
        /// Which block of the directory, from 0.
        block: u32,
    },
    /// A name that no file can have, or that the directory has twice.
    #[error("the directory has the impossible name \"{name}\"")]
    Name {
        /// The name, made printable.
        name: String,
    },
    /// A directory with several names, perhaps within itself.
    #[error("the directory has another name as well")]
    DirectoryTwice,
    /// A path longer than the kernel takes.
    #[error("its path has more than 4095 bytes")]
    PathLength,
    /// A link target of an impossible length, or with a NUL byte.
    #[error("the link target is said to have {len} bytes; it needs 1 to 4095 without NUL")]
    Target {
        /// Length as the inode has it.
        len: u64,
    },
    /// Extended attributes that end too early, or are of no known kind.
    #[error("its extended attributes are damaged")]
    Xattrs,
    /// The same attributes are used again and again.
    #[error("the image has more extended attributes than mote reads")]
    TooMuch,
}

/// Why reading stopped, before it is known where.
#[derive(Debug)]
pub(super) enum Cause {
    Format(FormatError),
    Input(io::Error),
}

impl Cause {
    /// The error, with what was read.
    pub(super) fn at(self, path: &[u8]) -> ReadError {
        match self {
            Self::Format(source) => {
                ReadError::Format { path: format!("/{}", path.escape_ascii()), source }
            }
            Self::Input(source) => ReadError::Input(source),
        }
    }
}

impl From<FormatError> for Cause {
    fn from(error: FormatError) -> Self {
        Self::Format(error)
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::Input(error)
    }
}
