//! What can be chosen of an image, and what can go wrong.

use std::io;

use mote_process::Cancelled;
use mote_rootfs::tree::TreePath;

use super::geometry::BLOCK_LEN;

/// The journal that guards metadata when the power fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Journal {
    /// No journal: fewer writes, and a check of the file system after a crash.
    #[default]
    None,
    /// A journal inside the file system, as large as `mke2fs` makes it: 4 MiB to 1 GiB by the size
    /// of the file system.
    Internal,
}

/// What can be chosen of an ext4 image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ext4Options {
    /// Size of the image in bytes, rounded down to blocks of 4 KiB. `None` takes the smallest that
    /// holds the tree, an eighth more but at least 16 MiB of free space, rounded up to 1 MiB.
    pub size_bytes: Option<u64>,
    /// The journal.
    pub journal: Journal,
    /// Volume label, at most 16 bytes without NUL.
    pub label: String,
    /// UUID; a fixed one by default. It is also the seed of the directories' hashes.
    pub uuid: Option<[u8; 16]>,
}

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The size given does not hold the tree.
    #[error("{size_bytes} bytes are too few for the tree: it needs {needed_bytes}")]
    TooSmall {
        /// The size given.
        size_bytes: u64,
        /// A size that is enough, without free space.
        needed_bytes: u64,
    },
    /// More blocks than 32-bit numbers count.
    #[error("{size_bytes} bytes are too many: the most is 16 TiB less one block")]
    TooLarge {
        /// The size given, or the one that the tree needs.
        size_bytes: u64,
    },
    /// The label does not fit.
    #[error("the label {label:?} cannot be used: it needs at most 16 bytes without NUL")]
    Label {
        /// The label as given.
        label: String,
    },
    /// A file with more blocks than an extent tree can number.
    #[error("{path} has {len} bytes: ext4 takes files of less than 16 TiB")]
    FileTooLarge {
        /// The file.
        path: TreePath,
        /// Its length in bytes.
        len: u64,
    },
    /// A file with more names than the kernel allows.
    #[error("{path} has {links} names: ext4 takes at most 65000")]
    Links {
        /// The first of the names.
        path: TreePath,
        /// Number of names.
        links: u32,
    },
    /// A directory that needs an index of more levels than two.
    #[error("{path} has too many entries")]
    Directory {
        /// The directory.
        path: TreePath,
    },
    /// An extended attribute whose name cannot be stored.
    #[error("{path} has an attribute whose name is too long or holds NUL: {name:?}")]
    XattrName {
        /// The file.
        path: TreePath,
        /// The name, made printable.
        name: String,
    },
    /// An access control list that is none.
    #[error("{path} has a value of {name} that is no access control list")]
    Acl {
        /// The file.
        path: TreePath,
        /// The attribute.
        name: String,
    },
    /// Extended attributes that fit neither into the inode nor into one block.
    #[error(
        "the extended attributes of {path} do not fit: they take {len} bytes beyond its inode, and a block holds {room}"
    )]
    Xattrs {
        /// The file.
        path: TreePath,
        /// Bytes that they take.
        len: usize,
        /// Bytes that a block has for them.
        room: usize,
    },
    /// The bytes of a file of the tree could not be copied.
    #[error("{path} could not be copied into the image")]
    Content {
        /// The file, in the tree.
        path: TreePath,
        /// Why.
        source: io::Error,
    },
    /// The image could not be written to.
    #[error("the image could not be written")]
    Output(#[source] io::Error),
    /// Whoever was told of the progress wanted no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl WriteError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooSmall { needed_bytes, .. } => {
                let mib = needed_bytes.div_ceil(1 << 20);
                Some(format!("give at least {mib} MiB, or no size for one that fits"))
            }
            _ => None,
        }
    }
}

impl Journal {
    /// The smallest file system that a journal fits into.
    pub(super) const FILE_SYSTEM_BLOCKS_MIN: u64 = (8 << 20) / BLOCK_LEN as u64;

    /// Blocks of the journal of a file system of so many blocks, as `mke2fs` chooses; `None` when
    /// that is too small for one.
    pub(super) fn blocks(self, file_system: u64) -> Option<u32> {
        const MIB: u64 = (1 << 20) / BLOCK_LEN as u64;
        if self == Self::None {
            return Some(0);
        }
        if file_system < Self::FILE_SYSTEM_BLOCKS_MIN {
            return None;
        }
        let journal_mib = match file_system / MIB {
            0..128 => 4,
            128..1024 => 16,
            1024..2048 => 32,
            2048..16_384 => 64,
            16_384..32_768 => 128,
            32_768..65_536 => 256,
            65_536..131_072 => 512,
            _ => 1024,
        };
        Some((journal_mib * MIB) as u32)
    }
}
