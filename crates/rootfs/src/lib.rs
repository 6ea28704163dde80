//! File system trees in memory, and what becomes one.
//!
//! [`tree`] is the tree itself. [`layer`] makes one from the layers of a container image or from a
//! tar archive, [`directory`] from a directory of the host, and [`busybox`] from a BusyBox binary
//! and a description of the system. No disk format is known here: writing a tree as bytes is the
//! image crate's part.

pub mod busybox;
pub mod directory;
pub mod layer;
mod tar;
pub mod tree;

pub use tar::ArchiveError;
