//! An ext4 file system, which may be hostile, as a tree.

mod claims;
mod error;
mod image;
mod map;
mod tree;
mod walk;

pub use error::{FormatError, ReadError};
pub use tree::{Summary, check_ext4, list_ext4, read_ext4};
