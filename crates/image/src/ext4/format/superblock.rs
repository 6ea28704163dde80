//! The superblock (`super.rst`).

use super::{FIRST_INODE, JOURNAL_INODE, get16, get32, put16, put32};

/// Where the superblock starts, in bytes; its copies start with their group.
pub(in crate::ext4) const SUPERBLOCK_OFFSET: u64 = 1024;

/// Bytes of a superblock.
pub(in crate::ext4) const SUPERBLOCK_LEN: usize = 1024;

const MAGIC: u16 = 0xef53;

pub(in crate::ext4) mod compat {
    pub(in crate::ext4) const HAS_JOURNAL: u32 = 0x4;
    pub(in crate::ext4) const EXT_ATTR: u32 = 0x8;
    pub(in crate::ext4) const RESIZE_INODE: u32 = 0x10;
    pub(in crate::ext4) const DIR_INDEX: u32 = 0x20;
}

pub(in crate::ext4) mod incompat {
    pub(in crate::ext4) const FILETYPE: u32 = 0x2;
    pub(in crate::ext4) const RECOVER: u32 = 0x4;
    pub(in crate::ext4) const EXTENTS: u32 = 0x40;
    pub(in crate::ext4) const SIXTY_FOUR_BIT: u32 = 0x80;
    pub(in crate::ext4) const MMP: u32 = 0x100;
    pub(in crate::ext4) const FLEX_BG: u32 = 0x200;
    pub(in crate::ext4) const CSUM_SEED: u32 = 0x2000;
    pub(in crate::ext4) const LARGEDIR: u32 = 0x4000;
}

pub(in crate::ext4) mod ro_compat {
    pub(in crate::ext4) const SPARSE_SUPER: u32 = 0x1;
    pub(in crate::ext4) const LARGE_FILE: u32 = 0x2;
    pub(in crate::ext4) const HUGE_FILE: u32 = 0x8;
    pub(in crate::ext4) const GDT_CSUM: u32 = 0x10;
    pub(in crate::ext4) const DIR_NLINK: u32 = 0x20;
    pub(in crate::ext4) const EXTRA_ISIZE: u32 = 0x40;
    pub(in crate::ext4) const BIGALLOC: u32 = 0x200;
}

/// The fields that differ between our images, or that a reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ext4) struct Superblock {
    pub(in crate::ext4) inodes: u32,
    pub(in crate::ext4) blocks: u64,
    pub(in crate::ext4) free_blocks: u64,
    pub(in crate::ext4) free_inodes: u32,
    pub(in crate::ext4) first_data_block: u32,
    /// Blocks have `1024 << log_block_size` bytes.
    pub(in crate::ext4) log_block_size: u32,
    pub(in crate::ext4) blocks_per_group: u32,
    pub(in crate::ext4) inodes_per_group: u32,
    /// Bytes of an inode.
    pub(in crate::ext4) inode_size: u16,
    /// Which group this copy lies in.
    pub(in crate::ext4) group: u16,
    pub(in crate::ext4) compat: u32,
    pub(in crate::ext4) incompat: u32,
    pub(in crate::ext4) ro_compat: u32,
    pub(in crate::ext4) uuid: [u8; 16],
    pub(in crate::ext4) label: [u8; 16],
    pub(in crate::ext4) reserved_gdt_blocks: u16,
    /// Bytes of a group descriptor; 0 stands for 32.
    pub(in crate::ext4) desc_size: u16,
    /// A copy of the journal inode's `i_block`, and its size in bytes.
    pub(in crate::ext4) journal: Option<([u8; 60], u64)>,
    pub(in crate::ext4) log_groups_per_flex: u8,
    /// Blocks that no file can have, the journal's included: without it, the kernel counts them
    /// when it mounts.
    pub(in crate::ext4) overhead_blocks: u32,
    /// The time of everything, in seconds since 1970.
    pub(in crate::ext4) made_s: u32,
}

impl Superblock {
    pub(in crate::ext4) fn encode(&self) -> [u8; SUPERBLOCK_LEN] {
        const CLEAN: u16 = 1;
        const CONTINUE_ON_ERRORS: u16 = 1;
        const DYNAMIC_REVISION: u32 = 1;
        const HALF_MD4: u8 = 1;
        const JOURNAL_BACKUP_BLOCKS: u8 = 1;
        const MOUNT_WITH_XATTRS_AND_ACLS: u32 = 0xc;
        const UNSIGNED_HASH: u32 = 2;

        let mut bytes = [0; SUPERBLOCK_LEN];
        let b = &mut bytes;
        put32(b, 0x00, self.inodes);
        put32(b, 0x04, self.blocks as u32);
        put32(b, 0x0c, self.free_blocks as u32);
        put32(b, 0x10, self.free_inodes);
        put32(b, 0x14, self.first_data_block);
        put32(b, 0x18, self.log_block_size);
        put32(b, 0x1c, self.log_block_size);
        put32(b, 0x20, self.blocks_per_group);
        put32(b, 0x24, self.blocks_per_group);
        put32(b, 0x28, self.inodes_per_group);
        put32(b, 0x30, self.made_s);
        put16(b, 0x36, u16::MAX); // no check after so many mounts
        put16(b, 0x38, MAGIC);
        put16(b, 0x3a, CLEAN);
        put16(b, 0x3c, CONTINUE_ON_ERRORS);
        put32(b, 0x40, self.made_s);
        put32(b, 0x4c, DYNAMIC_REVISION);
        put32(b, 0x54, FIRST_INODE);
        put16(b, 0x58, self.inode_size);
        put16(b, 0x5a, self.group);
        put32(b, 0x5c, self.compat);
        put32(b, 0x60, self.incompat);
        put32(b, 0x64, self.ro_compat);
        b[0x68..0x78].copy_from_slice(&self.uuid);
        b[0x78..0x88].copy_from_slice(&self.label);
        put16(b, 0xce, self.reserved_gdt_blocks);
        b[0xec..0xfc].copy_from_slice(&self.uuid); // the seed of directory hashes
        b[0xfc] = HALF_MD4;
        put16(b, 0xfe, self.desc_size);
        put32(b, 0x100, MOUNT_WITH_XATTRS_AND_ACLS);
        put32(b, 0x108, self.made_s);
        if let Some((block, size)) = &self.journal {
            put32(b, 0xe0, JOURNAL_INODE);
            b[0xfd] = JOURNAL_BACKUP_BLOCKS;
            b[0x10c..0x148].copy_from_slice(block);
            put32(b, 0x148, (size >> 32) as u32);
            put32(b, 0x14c, *size as u32);
        }
        put16(b, 0x15c, super::inode::EXTRA_LEN);
        put16(b, 0x15e, super::inode::EXTRA_LEN);
        put32(b, 0x160, UNSIGNED_HASH);
        b[0x174] = self.log_groups_per_flex;
        put32(b, 0x248, self.overhead_blocks);
        bytes
    }

    /// What a reader needs; `None` without the magic number.
    pub(in crate::ext4) fn decode(b: &[u8; SUPERBLOCK_LEN]) -> Option<Self> {
        if get16(b, 0x38) != MAGIC {
            return None;
        }
        let incompat = get32(b, 0x60);
        let is_64bit = incompat & incompat::SIXTY_FOUR_BIT != 0;
        let wide = |high: usize, low: usize| {
            let high = if is_64bit { get32(b, high) } else { 0 };
            u64::from(high) << 32 | u64::from(get32(b, low))
        };
        Some(Self {
            inodes: get32(b, 0x00),
            blocks: wide(0x150, 0x04),
            free_blocks: wide(0x158, 0x0c),
            free_inodes: get32(b, 0x10),
            first_data_block: get32(b, 0x14),
            log_block_size: get32(b, 0x18),
            blocks_per_group: get32(b, 0x20),
            inodes_per_group: get32(b, 0x28),
            // Before revision 1, inodes had 128 bytes and the field did not exist.
            inode_size: if get32(b, 0x4c) == 0 { 128 } else { get16(b, 0x58) },
            compat: get32(b, 0x5c),
            incompat,
            ro_compat: get32(b, 0x64),
            uuid: b[0x68..0x78].try_into().expect("16 bytes"),
            label: b[0x78..0x88].try_into().expect("16 bytes"),
            desc_size: if is_64bit { get16(b, 0xfe) } else { 0 },
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_what_a_writer_put() {
        let written = Superblock {
            inodes: 1,
            blocks: 2,
            free_blocks: 6,
            free_inodes: 7,
            uuid: [8; 16],
            label: [9; 16],
            log_block_size: 2,
            blocks_per_group: 32768,
            inodes_per_group: 16,
            inode_size: 256,
            compat: 3,
            incompat: 4,
            ro_compat: 5,
            ..Superblock::default()
        };
        assert_eq!(Superblock::decode(&written.encode()), Some(written));
        assert_eq!(Superblock::decode(&[0; SUPERBLOCK_LEN]), None);
    }
}
