//! File system trees in memory, and what becomes one.
//!
//! [`tree`] is the tree itself; [`busybox`] makes one from a BusyBox binary and a description of
//! the system. No disk format is known here: writing a tree as bytes is the image crate's part.

pub mod busybox;
pub mod tree;
