//! The ext4 file system, after `Documentation/filesystems/ext4` of Linux 6.12.
//!
//! [`write_ext4`] writes a tree in one pass: every place is planned in memory, then each byte is
//! written once, where it belongs. [`read_ext4`] reads a tree back, also from what others wrote.

mod format;
mod reader;
mod writer;

/// Counted up when other bytes are written for the same tree, so that a cache forgets the older ones.
pub const REVISION: u32 = 1;

pub use reader::{FormatError, ReadError, Summary, check_ext4, list_ext4, read_ext4};
pub use writer::{Ext4Options, Journal, WriteError, reserved, write_ext4};
