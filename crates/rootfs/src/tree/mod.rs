//! A root file system in memory: names, metadata, and where the bytes of each file lie.

mod arena;
mod content;
mod copy;
mod dump;
mod inode;
mod overlay;
mod path;
mod resolve;
mod walk;

pub use arena::{Tree, TreeError};
pub use content::{Content, ContentReader, DataRun, Stretch};
pub use inode::{Device, Inode, Metadata, Node, SOURCE_DATE_EPOCH, Xattrs};
pub use path::{NAME_MAX, PATH_MAX, PathError, TreePath};
pub use resolve::ResolveError;
pub use walk::{Entry, InodeId, Walk};
