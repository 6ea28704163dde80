//! Group descriptors (`group_descr.rst`), and which groups have a copy of the superblock.

use super::{get32, put16, put32};

/// Bytes of a descriptor without the feature `64bit`.
pub(in crate::ext4) const DESCRIPTOR_LEN: usize = 32;

/// One group of blocks and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ext4) struct Descriptor {
    pub(in crate::ext4) block_bitmap: u32,
    pub(in crate::ext4) inode_bitmap: u32,
    pub(in crate::ext4) inode_table: u32,
    pub(in crate::ext4) free_blocks: u16,
    pub(in crate::ext4) free_inodes: u16,
    pub(in crate::ext4) directories: u16,
}

impl Descriptor {
    pub(in crate::ext4) fn encode(&self) -> [u8; DESCRIPTOR_LEN] {
        let mut bytes = [0; DESCRIPTOR_LEN];
        put32(&mut bytes, 0x0, self.block_bitmap);
        put32(&mut bytes, 0x4, self.inode_bitmap);
        put32(&mut bytes, 0x8, self.inode_table);
        put16(&mut bytes, 0xc, self.free_blocks);
        put16(&mut bytes, 0xe, self.free_inodes);
        put16(&mut bytes, 0x10, self.directories);
        bytes
    }
}

/// The first block of the inode table, of a descriptor of 32 bytes or, with `64bit`, at least 64.
pub(in crate::ext4) fn inode_table(descriptor: &[u8]) -> u64 {
    let high = if descriptor.len() >= 64 { get32(descriptor, 0x28) } else { 0 };
    u64::from(high) << 32 | u64::from(get32(descriptor, 0x8))
}

/// Whether a group has a copy of the superblock and of all descriptors, with `sparse_super`:
/// groups 0 and 1, and the powers of 3, 5 and 7.
pub(in crate::ext4) fn has_superblock(group: u32) -> bool {
    let is_power = |base: u32| {
        let mut rest = group;
        while rest.is_multiple_of(base) {
            rest /= base;
        }
        rest == 1
    };
    group <= 1 || [3, 5, 7].into_iter().any(is_power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_groups_have_a_superblock() {
        let groups: Vec<u32> = (0..130).filter(|&group| has_superblock(group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
