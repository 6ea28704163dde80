//! The superblock of a journal, big-endian (`journal.rst`).

/// Bytes of the superblock's fields, the first block's rest being zero.
const LEN: usize = 1024;

/// The superblock of an empty journal of so many blocks. The first transaction to come is 1, and
/// no log begins anywhere.
pub(in crate::ext4) fn superblock(block_len: u32, blocks: u32) -> Vec<u8> {
    const MAGIC: u32 = 0xc03b_3998;
    const VERSION_2: u32 = 4;
    const FIRST_BLOCK: u32 = 1;
    const FIRST_TRANSACTION: u32 = 1;
    let fields = [
        (0x00, MAGIC),
        (0x04, VERSION_2),
        (0x0c, block_len),
        (0x10, blocks),
        (0x14, FIRST_BLOCK),
        (0x18, FIRST_TRANSACTION),
        (0x40, 1), // file systems that use the journal
    ];
    let mut bytes = vec![0; LEN];
    for (at, value) in fields {
        bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(value));
    }
    bytes
}
