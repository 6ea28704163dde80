//! Why something cannot be read as a tar archive.

use std::io;

use crate::tree::PathError;

/// Why something cannot be read as a tar archive. Offsets count the archive's bytes, after
/// inflating.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The very first header is none.
    #[error("it is not a tar archive")]
    NotTar,
    /// A header whose checksum is wrong.
    #[error("the header at byte {offset} has a wrong checksum")]
    Checksum {
        /// First byte of the header.
        offset: u64,
    },
    /// A field that is not a number, or not one that the field can have.
    #[error("the header at byte {offset} has no valid {field}")]
    Field {
        /// First byte of the header.
        offset: u64,
        /// Name of the field.
        field: &'static str,
    },
    /// An extended header whose records cannot be told apart.
    #[error("the extended header at byte {offset} is malformed")]
    Records {
        /// First byte of the header.
        offset: u64,
    },
    /// More bytes of extended headers for one entry than are held in memory.
    #[error("the extended headers at byte {offset} have {len} bytes; the most is {most}")]
    ExtensionTooLong {
        /// First byte of the header.
        offset: u64,
        /// Length of all of them that belong to the entry, as far as they were seen.
        len: u64,
        /// Most that is taken.
        most: u64,
    },
    /// A zero block that is neither followed by another one nor by the end.
    #[error("the zero block at byte {offset} is followed by more")]
    LoneZeroBlock {
        /// First byte of the block.
        offset: u64,
    },
    /// The archive ends within a header, a content or before an announced entry.
    #[error("it is cut off after {len} bytes")]
    Truncated {
        /// Number of bytes that are there.
        len: u64,
    },
    /// A name that no file can have, or that climbs.
    #[error("the entry at byte {offset} has a name that cannot be")]
    Name {
        /// First byte of the header.
        offset: u64,
        /// What is wrong with it.
        source: PathError,
    },
    /// A hard link to a name that no file can have, or that climbs.
    #[error("the hard link {name} has a target that cannot be")]
    LinkTarget {
        /// The link.
        name: String,
        /// What is wrong with its target.
        source: PathError,
    },
    /// An entry of a kind that has no meaning in a file system.
    #[error("{name} is of the unknown type {:?}", char::from(*typeflag))]
    Type {
        /// The entry.
        name: String,
        /// The byte of the header.
        typeflag: u8,
    },
    /// An extended attribute that Linux cannot have.
    #[error("{name} has an extended attribute that cannot be: {reason}")]
    Xattr {
        /// The entry.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A map of a sparse file that contradicts itself or the sizes.
    #[error("the sparse file at byte {offset} has a map that cannot be: {reason}")]
    Sparse {
        /// First byte of the header.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Reading failed.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
}
