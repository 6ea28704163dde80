//! The superblock, blocks and inodes of an image.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::claims::Claims;
use super::error::{Cause, FormatError, ReadError};
use crate::ext4::format::group::{self, DESCRIPTOR_LEN};
use crate::ext4::format::inode::{OLD_INODE_LEN, Record};
use crate::ext4::format::superblock::{
    SUPERBLOCK_LEN, SUPERBLOCK_OFFSET, Superblock, incompat, ro_compat,
};

/// What this reader understands. What guards against several mounts, and where checksums start
/// from, does not matter to it.
const INCOMPAT_KNOWN: u32 = incompat::FILETYPE
    | incompat::EXTENTS
    | incompat::SIXTY_FOUR_BIT
    | incompat::MMP
    | incompat::FLEX_BG
    | incompat::CSUM_SEED
    | incompat::LARGEDIR;

/// An image whose superblock fits together.
pub(super) struct Image<'a> {
    file: &'a File,
    pub(super) superblock: Superblock,
    /// Bytes of the file.
    pub(super) len: u64,
    pub(super) claims: Claims,
    /// Where inode tables start, as far as they were needed.
    tables: HashMap<u32, u64>,
}

/// An inode as it was read.
pub(super) struct Found {
    pub(super) number: u32,
    pub(super) record: Record,
    /// All its bytes.
    pub(super) bytes: Vec<u8>,
}

impl<'a> Image<'a> {
    pub(super) fn open(file: &'a File) -> Result<Self, ReadError> {
        let len = file.metadata().map_err(ReadError::Input)?.len();
        let mut bytes = [0; SUPERBLOCK_LEN];
        match file.read_exact_at(&mut bytes, SUPERBLOCK_OFFSET) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ReadError::Superblock(FormatError::NoMagic));
            }
            Err(error) => return Err(ReadError::Input(error)),
        }
        let superblock = Superblock::decode(&bytes).ok_or(FormatError::NoMagic);
        let superblock = superblock.and_then(|superblock| {
            check(&superblock, len)?;
            Ok(superblock)
        });
        Ok(Self {
            file,
            superblock: superblock.map_err(ReadError::Superblock)?,
            len,
            claims: Claims::default(),
            tables: HashMap::new(),
        })
    }

    pub(super) fn block_bytes(&self) -> u64 {
        1024 << self.superblock.log_block_size
    }

    /// Claims blocks that must lie in the file system.
    pub(super) fn claim(&mut self, blocks: Range<u64>) -> Result<(), FormatError> {
        self.check_inside(&blocks)?;
        self.claims.claim(blocks)
    }

    /// Reads a block without claiming it.
    pub(super) fn block(&self, block: u64) -> Result<Vec<u8>, Cause> {
        self.check_inside(&(block..block.saturating_add(1)))?;
        let mut bytes = vec![0; self.block_bytes() as usize];
        self.file.read_exact_at(&mut bytes, block * self.block_bytes())?;
        Ok(bytes)
    }

    fn check_inside(&self, blocks: &Range<u64>) -> Result<(), FormatError> {
        let inside = u64::from(self.superblock.first_data_block)..self.superblock.blocks;
        match inside.contains(&blocks.start) && blocks.end <= inside.end {
            true => Ok(()),
            false => Err(FormatError::Outside),
        }
    }

    pub(super) fn inode(&mut self, number: u32) -> Result<Found, Cause> {
        if !(1..=self.superblock.inodes).contains(&number) {
            return Err(FormatError::Inode { number }.into());
        }
        let index = number - 1;
        let size = u64::from(self.superblock.inode_size);
        let in_table = u64::from(index % self.superblock.inodes_per_group) * size;
        let table = self.table(index / self.superblock.inodes_per_group)?;
        let block = table.saturating_add(in_table / self.block_bytes());
        self.check_inside(&(block..block.saturating_add(1)))?;
        let mut bytes = vec![0; size as usize];
        self.file.read_exact_at(&mut bytes, table * self.block_bytes() + in_table)?;
        Ok(Found { number, record: Record::decode(&bytes), bytes })
    }

    /// The first block of a group's inode table.
    fn table(&mut self, group: u32) -> Result<u64, Cause> {
        if let Some(&table) = self.tables.get(&group) {
            return Ok(table);
        }
        let len = descriptor_len(&self.superblock);
        let first = (u64::from(self.superblock.first_data_block) + 1) * self.block_bytes();
        let offset = first + u64::from(group) * len as u64;
        let block = offset / self.block_bytes();
        self.check_inside(&(block..block + 1))?;
        let mut descriptor = vec![0; len];
        self.file.read_exact_at(&mut descriptor, offset)?;
        let table = group::inode_table(&descriptor);
        self.tables.insert(group, table);
        Ok(table)
    }
}

fn descriptor_len(superblock: &Superblock) -> usize {
    match superblock.desc_size {
        0 => DESCRIPTOR_LEN,
        len => len.into(),
    }
}

/// Refuses a superblock whose numbers would lead astray.
fn check(superblock: &Superblock, file_len: u64) -> Result<(), FormatError> {
    const LOG_BLOCK_SIZE_MAX: u32 = 2; // a page of x86
    let unknown = superblock.incompat & !(INCOMPAT_KNOWN | incompat::RECOVER);
    if unknown != 0 {
        return Err(FormatError::Features { features: unknown });
    }
    if superblock.ro_compat & ro_compat::BIGALLOC != 0 {
        return Err(FormatError::Features { features: ro_compat::BIGALLOC });
    }
    if superblock.incompat & incompat::RECOVER != 0 {
        return Err(FormatError::Recovery);
    }
    if superblock.log_block_size > LOG_BLOCK_SIZE_MAX {
        return Err(FormatError::Geometry);
    }
    let block_bytes = 1024u32 << superblock.log_block_size;
    let bits = 1..=8 * block_bytes;
    let inode_size = u32::from(superblock.inode_size);
    let descriptor_len = descriptor_len(superblock);
    let fits = superblock.first_data_block <= 1
        && superblock.blocks > u64::from(superblock.first_data_block)
        && bits.contains(&superblock.blocks_per_group)
        && bits.contains(&superblock.inodes_per_group)
        && inode_size.is_power_of_two()
        && (OLD_INODE_LEN as u32..=block_bytes).contains(&inode_size)
        && descriptor_len.is_power_of_two()
        && (DESCRIPTOR_LEN..=1024).contains(&descriptor_len);
    if !fits {
        return Err(FormatError::Geometry);
    }
    let wanted = u128::from(superblock.blocks) * u128::from(block_bytes);
    match wanted <= file_len.into() {
        true => Ok(()),
        false => Err(FormatError::Truncated { wanted, got: file_len }),
    }
}
