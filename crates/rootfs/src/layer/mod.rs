//! Layers: what container images are made of, and the archives that are a tree by themselves.
//!
//! Each layer is inflated once, and its contents are written into an unlinked file of its own, the
//! spool; the tree's contents are stretches of that file. Of a layer that is not compressed, they
//! are stretches of the layer. Contents are thus never held in memory, and nothing is unpacked.
//! Where the tree is to become a [`Disk`], what fills blocks is written into that instead, and not
//! copied later.
//!
//! Layers are applied as the OCI image specification 1.1 says (`layer.md`). Where it is silent:
//!
//! - Whiteouts hide what earlier layers have, wherever in their own layer they stand.
//! - A name that lies below a symbolic link goes where the link leads, never out of the root, as
//!   `fs.RootPath` of containerd and `SecureJoin` of umoci do it, through at most 40 links. A
//!   directory of the layer replaces a link of its name, even one that stands further behind.
//! - Directories that no layer has are made, as root's with mode 0755.
//! - Times before 1970, and those that 64 bits of nanoseconds since then do not hold, are 1970, as
//!   docker and containerd have it.
//! - An entry for the root gives it its metadata.
//! - Names with `..` are refused. Entries that AUFS left behind (`.wh..wh.*`) are passed over, but
//!   hard links to the files of its `.wh..wh.plnk` are made.
//!
//! # Memory
//!
//! For each layer at work, [`read_layers`] holds 1.5 MiB of buffers and the window of its
//! compression: 32 KiB for gzip, at most 128 MiB for zstd and xz (8 MiB as they are mostly used).
//! The tree takes about 400 bytes an entry, and names, link targets, extended attributes and maps
//! of sparse files, of which there are two copies until the layers are applied. [`Limits`] bounds
//! both: to 2 GiB in all by default. An image of 1 GB in 32,000 files takes 16 MB.

mod apply;
mod changes;
mod deflate;
mod disk;
mod error;
mod gzip;
mod inflate;
mod input;
mod job;
mod limits;
mod place;
mod read;
mod source;
mod stream;
#[cfg(test)]
mod tests;

/// Counted up when another tree, or another place on the disk, comes of the same layers, so that a cache
/// forgets what the older way made.
pub const REVISION: u32 = 2;

pub use disk::Disk;
pub use error::LayerError;
pub use limits::{Limit, Limits};
pub use read::{Progress, Spool, read_layers};
pub use source::{Compression, LayerSource};
