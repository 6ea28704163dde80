//! EROFS, the read-only file system of Linux, after `fs/erofs` of Linux 6.12.

mod compress;
mod directory;
mod error;
mod format;
mod image;
mod layout;
mod reader;
mod walk;
mod writer;
mod xattr;

/// Counted up when other bytes are written for the same tree, so that a cache forgets the older ones.
pub const REVISION: u32 = 1;

pub use compress::{CompressError, Compressor, check_mkfs, write_compressed_erofs};
pub use error::{FormatError, ReadError};
pub use layout::{TAIL_MAX, reserved};
pub use reader::{Summary, check_erofs, list_erofs, read_erofs};
pub use writer::{WriteError, write_erofs};
