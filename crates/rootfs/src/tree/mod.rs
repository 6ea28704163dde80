//! A root file system in memory: names, metadata, and where the bytes of each file lie.

mod content;
mod dump;
mod inode;
mod path;
mod tree;
mod walk;

pub use content::{Content, ContentReader};
pub use inode::{Device, Inode, Metadata, Node, SOURCE_DATE_EPOCH};
pub use path::{NAME_MAX, PATH_MAX, PathError, TreePath};
pub use tree::{Tree, TreeError};
pub use walk::{Entry, InodeId, Walk};
