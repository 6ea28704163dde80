//! File system trees written as bytes, and read back.
//!
//! An initramfs is any number of [`cpio`] archives, each plain or compressed, one after the other:
//! [`write_initramfs`] writes one from a tree, [`read_initramfs`] lists what anyone wrote. [`erofs`]
//! and [`ext4`] are disks. Whoever writes one is told how far it is, and may stop it.

pub mod cpio;
pub mod erofs;
pub mod ext4;

mod compression;
mod contents;
mod entry;
mod in_place;
mod initramfs;
mod lz4_legacy;
mod progress;
mod space;
mod tally;
mod tar;

pub use compression::{Compression, Encoder, UnknownCompression};
pub use entry::Entry;
pub use initramfs::{ReadError, Segment, Summary, join_padding, read_initramfs, write_initramfs};
use progress::Progress;
pub use progress::{OnProgress, contents_bytes};
pub use tar::{TarError, write_tar};
