//! A tree as an ext4 file system.
//!
//! First everything is drafted: inodes with their numbers, the blocks of directories, how many
//! blocks each file has. Then a layout finds a place for each of them in a file system of a given
//! size. Then all is written.

mod directory;
mod draft;
mod geometry;
mod layout;
mod options;
mod output;
mod resize;
mod size;

pub use geometry::reserved;
pub use options::{Ext4Options, Journal, WriteError};
pub use output::write_ext4;
