//! What lies on the disk: structures with fixed offsets, little-endian but for the journal's.

pub(super) mod acl;
pub(super) mod dirent;
pub(super) mod extent;
pub(super) mod group;
pub(super) mod hash;
pub(super) mod inode;
pub(super) mod journal;
pub(super) mod superblock;
pub(super) mod xattr;

/// The inode of the root directory.
pub(super) const ROOT_INODE: u32 = 2;

/// The inode that owns the blocks kept for further group descriptors.
pub(super) const RESIZE_INODE: u32 = 7;

/// The inode of the journal.
pub(super) const JOURNAL_INODE: u32 = 8;

/// The first inode that is not reserved, by custom that of `lost+found`.
pub(super) const FIRST_INODE: u32 = 11;

/// The directory that `e2fsck` puts what it finds into.
pub(super) const LOST_AND_FOUND: &[u8] = b"lost+found";

pub(super) fn get16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn get32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}
