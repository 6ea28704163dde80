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
    #[error("there is no EROFS superblock")]
    NoMagic,
    /// The first block was altered.
    #[error(
        "the checksum of the first block is {got:#010x}, and the superblock says {wanted:#010x}"
    )]
    Checksum {
        /// Checksum in the superblock.
        wanted: u32,
        /// Checksum of the block.
        got: u32,
    },
    /// Blocks that Linux takes on no machine with pages of 4 KiB.
    #[error("a block is said to have 2^{bits} bytes; it can have 2^9 to 2^12")]
    BlockBytes {
        /// Binary logarithm of the size.
        bits: u8,
    },
    /// Parts of the format that came after Linux 6.12.
    #[error("the image has features that mote does not know: {features:#x}")]
    Features {
        /// Bits of `feature_incompat`.
        features: u32,
    },
    /// The file is shorter than the file system.
    #[error("the file system has {wanted} bytes, and the file only {got}")]
    Truncated {
        /// Bytes by the superblock.
        wanted: u64,
        /// Bytes of the file.
        got: u64,
    },
    /// A place beyond the end of the file.
    #[error("it lies outside of the image")]
    Outside,
    /// An inode of no known form or type.
    #[error("inode {nid} has no known format")]
    Inode {
        /// Number of the inode.
        nid: u64,
    },
    /// Something else as the root.
    #[error("the root is not a directory")]
    Root,
    /// The end of the contents crosses into another block than the inode's.
    #[error("the end of its contents does not lie in one block")]
    Tail,
    /// Compressed contents, and directories or links in chunks.
    #[error("its contents are compressed or in chunks, which mote does not read")]
    Compressed,
    /// A block of a directory that cannot be read.
    #[error("block {block} of the directory is damaged")]
    Directory {
        /// Which block of the directory, from 0.
        block: u64,
    },
    /// A name that no file can have.
    #[error("the directory has the impossible name \"{name}\"")]
    Name {
        /// The name, made printable.
        name: String,
    },
    /// Names that lookups would miss.
    #[error("the directory has its names in a wrong order at \"{name}\"")]
    Order {
        /// The first name that is not greater than the one before it, made printable.
        name: String,
    },
    /// `.` or `..` that leads elsewhere.
    #[error("the directory has a \"{name}\" that leads elsewhere")]
    Dots {
        /// Which of both.
        name: &'static str,
    },
    /// A path longer than the kernel takes.
    #[error("the path of one of its entries has more than 4095 bytes")]
    PathLength,
    /// A link target of an impossible length.
    #[error("the link target is said to have {len} bytes; it needs 1 to 4095 without NUL")]
    Target {
        /// Length as the inode has it.
        len: u64,
    },
    /// A device with a number that Linux does not have, or a mode that no file has.
    #[error("no file can be like this")]
    Impossible,
    /// Extended attributes that end too early, come twice or have an unknown prefix.
    #[error("its extended attributes are damaged")]
    Xattrs,
    /// The same bytes are used again and again.
    #[error("the image names more than it can hold")]
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
