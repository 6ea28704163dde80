//! How many groups, descriptors and inodes a file system of some size has.

use std::ops::Range;

use crate::ext4::format::group::{DESCRIPTOR_LEN, has_superblock};
use crate::ext4::format::inode::INODE_LEN;

/// Bytes of a block.
pub(super) const BLOCK_LEN: usize = 4096;

/// Blocks of a group: as many as the bits of its bitmap.
pub(super) const GROUP_BLOCKS: u32 = 8 * BLOCK_LEN as u32;

/// Groups whose bitmaps and inode tables lie together, as a power of two.
pub(super) const LOG_GROUPS_PER_FLEX: u8 = 4;

/// Inodes in one block of an inode table.
const INODES_PER_BLOCK: u32 = (BLOCK_LEN / INODE_LEN) as u32;

/// Most inodes of a group: as many as the bits of its bitmap.
const GROUP_INODES_MAX: u32 = 8 * BLOCK_LEN as u32;

/// Bytes of the file system for each inode (`inode_ratio` of `mke2fs.conf`), where the tree does
/// not need more.
const BYTES_PER_INODE: u64 = 16 * 1024;

/// What is left behind the last whole group is a group only with this many blocks for data.
const LAST_GROUP_BLOCKS_MIN: u64 = 64;

/// Blocks for more descriptors: one block of pointers names them.
const RESERVED_GDT_BLOCKS_MAX: u32 = (BLOCK_LEN / 4) as u32;

/// How far `resize2fs` can grow the file system without moving anything.
const GROWTH: u64 = 1024;

/// Numbers that follow from a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) blocks: u32,
    pub(super) groups: u32,
    /// Blocks of the table of descriptors.
    pub(super) gdt_blocks: u32,
    /// Blocks behind it that are kept for more descriptors.
    pub(super) reserved_gdt_blocks: u32,
    pub(super) inodes_per_group: u32,
}

/// Where contents must not lie before the size is known: there are superblocks and descriptors, in
/// file systems of whatever size.
pub fn reserved() -> Vec<Range<u64>> {
    const GROUPS_MAX: u32 = u32::MAX / GROUP_BLOCKS;
    let blocks = 1 + gdt_blocks(GROUPS_MAX) + RESERVED_GDT_BLOCKS_MAX;
    let range = |group: u32| {
        let first = u64::from(group) * u64::from(GROUP_BLOCKS);
        first * BLOCK_LEN as u64..(first + u64::from(blocks)) * BLOCK_LEN as u64
    };
    (0..=GROUPS_MAX).filter(|&group| has_superblock(group)).map(range).collect()
}

impl Geometry {
    /// The geometry of at most `blocks` blocks for a tree of `tree_inodes` inodes, reserved ones
    /// counted. The `Err` is the number of blocks from which on it is possible.
    pub(super) fn new(blocks: u32, tree_inodes: u64) -> Result<Self, u64> {
        let (groups, blocks) = whole_groups(blocks);
        // An eighth more, so that files can be made in the guest.
        let wanted = tree_inodes + tree_inodes / 8;
        let wanted = wanted.max(u64::from(blocks) * BLOCK_LEN as u64 / BYTES_PER_INODE);
        let groups_needed = wanted.div_ceil(GROUP_INODES_MAX.into()).max(1);
        if u64::from(groups) < groups_needed {
            return Err((groups_needed - 1) * u64::from(GROUP_BLOCKS) + u64::from(GROUP_BLOCKS) / 2);
        }
        let per_group = wanted.div_ceil(groups.into()) as u32;
        Ok(Self {
            blocks,
            groups,
            gdt_blocks: gdt_blocks(groups),
            reserved_gdt_blocks: reserved_gdt_blocks(blocks, groups),
            inodes_per_group: per_group.next_multiple_of(INODES_PER_BLOCK),
        })
    }

    /// Blocks of each group's inode table.
    pub(super) fn table_blocks(&self) -> u32 {
        self.inodes_per_group / INODES_PER_BLOCK
    }

    /// Blocks at the start of a group that hold the superblock and the descriptors, if it has them.
    pub(super) fn super_blocks(&self, group: u32) -> u32 {
        match has_superblock(group) {
            true => 1 + self.gdt_blocks + self.reserved_gdt_blocks,
            false => 0,
        }
    }

    /// The first block of a group.
    pub(super) fn first_block(&self, group: u32) -> u32 {
        group * GROUP_BLOCKS
    }

    /// Blocks that no file can have.
    pub(super) fn overhead_blocks(&self) -> u32 {
        let supers: u32 = (0..self.groups).map(|group| self.super_blocks(group)).sum();
        supers + self.groups * (2 + self.table_blocks())
    }
}

/// How many groups the blocks make, and the blocks without a rest that is too small for a group.
fn whole_groups(blocks: u32) -> (u32, u32) {
    let groups = blocks.div_ceil(GROUP_BLOCKS).max(1);
    let last = groups - 1;
    let rest = blocks - last * GROUP_BLOCKS;
    let used = match has_superblock(last) {
        true => 1 + gdt_blocks(groups) + reserved_gdt_blocks(blocks, groups),
        false => 0,
    };
    match last > 0 && u64::from(rest) < u64::from(used) + LAST_GROUP_BLOCKS_MIN {
        true => (last, last * GROUP_BLOCKS),
        false => (groups, blocks),
    }
}

fn gdt_blocks(groups: u32) -> u32 {
    groups.div_ceil((BLOCK_LEN / DESCRIPTOR_LEN) as u32)
}

/// As many as one block of pointers to them can name (`mke2fs` has the same bounds).
fn reserved_gdt_blocks(blocks: u32, groups: u32) -> u32 {
    let grown = (u64::from(blocks) * GROWTH).min(u32::MAX.into()) as u32;
    let wanted = gdt_blocks(grown.div_ceil(GROUP_BLOCKS));
    (wanted - gdt_blocks(groups)).min(RESERVED_GDT_BLOCKS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mke2fs -b 4096 -O ^64bit` on files of these sizes: groups, blocks, descriptor blocks,
    /// reserved ones, inodes per group.
    #[test]
    fn numbers_are_those_of_mke2fs() {
        let table = [
            (262_144, (8, 262_144, 1, 63, 8192)),
            (4096, (1, 4096, 1, 0, 1024)),
            (32_768 + 40, (1, 32_768, 1, 7, 8192)),
            (1 << 28, (8192, 1 << 28, 64, 960, 8192)),
        ];
        for (blocks, wanted) in table {
            let got = Geometry::new(blocks, 100).unwrap();
            let numbers = (
                got.groups,
                got.blocks,
                got.gdt_blocks,
                got.reserved_gdt_blocks,
                got.inodes_per_group,
            );
            assert_eq!(numbers, wanted, "{blocks}");
        }
    }

    #[test]
    fn what_any_size_has_is_reserved() {
        let reserved = reserved();
        for blocks in [1, 4096, 262_144, 1 << 28, u32::MAX] {
            let geometry = Geometry::new(blocks, 100).unwrap();
            let byte = |block: u32| u64::from(block) * BLOCK_LEN as u64;
            for group in (0..geometry.groups).filter(|&group| geometry.super_blocks(group) > 0) {
                let first = geometry.first_block(group);
                let last = byte(first + geometry.super_blocks(group)) - 1;
                let range = reserved.iter().find(|range| range.contains(&last)).unwrap();
                assert_eq!(range.start, byte(first));
            }
        }
        assert_eq!(reserved.len(), 25);
    }

    #[test]
    fn many_inodes_need_many_groups() {
        assert_eq!(Geometry::new(1000, 16).unwrap().inodes_per_group, 256);
        assert_eq!(Geometry::new(1000, 800).unwrap().inodes_per_group, 912);
        let blocks = Geometry::new(1000, 60_000).unwrap_err();
        assert!(Geometry::new(blocks as u32, 60_000).is_ok());
    }
}
