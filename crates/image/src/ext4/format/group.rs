//! Group descriptors (`group_descr.rst`), and which groups have a copy of the superblock.

use super::{get32, put16, put32};

/// Bytes of a descriptor without the feature `64bit`.
pub(in crate::ext4) const DESCRIPTOR_LEN: usize = 32;

/// Flags of a group: nothing in its inode table and bitmap counts; its inode table is zeros where
/// it is not used.
const INODE_UNINIT: u16 = 1;
const INODE_ZEROED: u16 = 4;

/// One group of blocks and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ext4) struct Descriptor {
    pub(in crate::ext4) block_bitmap: u32,
    pub(in crate::ext4) inode_bitmap: u32,
    pub(in crate::ext4) inode_table: u32,
    pub(in crate::ext4) free_blocks: u16,
    pub(in crate::ext4) free_inodes: u16,
    pub(in crate::ext4) directories: u16,
    /// Whether any inode is in use; without, there is no bitmap.
    pub(in crate::ext4) has_inodes: bool,
    /// Free inodes at the end of the table, which nobody has to look at.
    pub(in crate::ext4) unused_inodes: u16,
}

impl Descriptor {
    /// The descriptor of group `group`, with its checksum (the feature `uninit_bg`).
    pub(in crate::ext4) fn encode(&self, group: u32, uuid: &[u8; 16]) -> [u8; DESCRIPTOR_LEN] {
        const CHECKSUM_AT: usize = 0x1e;
        let mut bytes = [0; DESCRIPTOR_LEN];
        put32(&mut bytes, 0x0, self.block_bitmap);
        put32(&mut bytes, 0x4, self.inode_bitmap);
        put32(&mut bytes, 0x8, self.inode_table);
        put16(&mut bytes, 0xc, self.free_blocks);
        put16(&mut bytes, 0xe, self.free_inodes);
        put16(&mut bytes, 0x10, self.directories);
        put16(&mut bytes, 0x12, INODE_ZEROED | if self.has_inodes { 0 } else { INODE_UNINIT });
        put16(&mut bytes, 0x1c, self.unused_inodes);
        let known = [&uuid[..], &group.to_le_bytes(), &bytes[..CHECKSUM_AT]].concat();
        put16(&mut bytes, CHECKSUM_AT, crc16(&known));
        bytes
    }
}

/// The CRC with the polynomial 0x8005, lowest bit first (`lib/crc16.c`), from all ones.
fn crc16(bytes: &[u8]) -> u16 {
    let shift = |crc: u16, _| crc >> 1 ^ if crc & 1 == 1 { 0xa001 } else { 0 };
    bytes.iter().fold(u16::MAX, |crc, &byte| (0..8).fold(crc ^ u16::from(byte), shift))
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

    /// The check value of CRC-16/MODBUS, which is this one.
    #[test]
    fn crc_is_the_known_one() {
        assert_eq!(crc16(b"123456789"), 0x4b37);
    }

    #[test]
    fn few_groups_have_a_superblock() {
        let groups: Vec<u32> = (0..130).filter(|&group| has_superblock(group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
