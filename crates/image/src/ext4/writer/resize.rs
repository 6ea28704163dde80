//! The blocks that are kept for more group descriptors, and the inode that owns them.
//!
//! The inode maps its blocks as ext2 did. Its one doubly indirect block names the blocks behind
//! the descriptors in group 0, each at the place that it would have in the table of descriptors.
//! Each of those, as an indirect block, names its copies behind the copies of the descriptors.

use super::draft::{Body, Draft};
use super::geometry::{BLOCK_LEN, Geometry};
use crate::ext4::format::group::has_superblock;
use crate::ext4::format::inode::{BLOCK_LEN as INODE_BLOCK_LEN, kind};
use crate::ext4::format::{RESIZE_INODE, put32};

/// Pointers to blocks in a block.
const POINTERS: u64 = (BLOCK_LEN / 4) as u64;

/// The inode, and how many blocks it has, when `block` is its doubly indirect one.
pub(super) fn draft(geometry: &Geometry, block: u32) -> (Draft<'static>, u64) {
    const DIRECT: u64 = 12;
    const DOUBLY_INDIRECT_AT: usize = 13 * 4;
    let mut pointers = [0; INODE_BLOCK_LEN];
    put32(&mut pointers, DOUBLY_INDIRECT_AT, block);
    let copies = 1 + copies(geometry).count() as u64;
    let draft = Draft {
        flags: 0,
        size: (DIRECT + POINTERS + POINTERS * POINTERS) * BLOCK_LEN as u64,
        body: Body::Inode(pointers),
        ..Draft::of_system(RESIZE_INODE, kind::FILE | 0o600)
    };
    (draft, 1 + u64::from(geometry.reserved_gdt_blocks) * copies)
}

/// The doubly indirect block, and the start of each indirect one with its number.
pub(super) fn blocks(geometry: &Geometry) -> (Vec<u8>, Vec<(u32, Vec<u8>)>) {
    let mut doubly = vec![0; BLOCK_LEN];
    let indirect = (0..geometry.reserved_gdt_blocks).map(|index| {
        let place = geometry.gdt_blocks + index;
        let block = 1 + place;
        put32(&mut doubly, (u64::from(place) % POINTERS) as usize * 4, block);
        let pointers = copies(geometry).flat_map(|first| (first + block).to_le_bytes()).collect();
        (block, pointers)
    });
    let indirect = indirect.collect();
    (doubly, indirect)
}

/// The first blocks of the groups that have a copy of the descriptors.
fn copies(geometry: &Geometry) -> impl Iterator<Item = u32> {
    let groups = (1..geometry.groups).filter(|&group| has_superblock(group));
    groups.map(|group| geometry.first_block(group))
}
