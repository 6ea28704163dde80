//! Entries of directories, and the nodes of their index (`directory.rst`).

use super::{get16, get32, put16, put32};

/// Bytes of an entry without its name.
const HEADER_LEN: usize = 8;

/// Bytes of the index's root before its entries: `.`, `..` and what the tree is like.
const ROOT_HEADER_LEN: usize = 0x20;

/// Bytes of another node of the index before its entries: an entry that is not in use.
const NODE_HEADER_LEN: usize = 8;

/// Bytes of an entry of the index: a hash and a block of the directory.
const INDEX_ENTRY_LEN: usize = 8;

/// What an entry says that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) enum Kind {
    File = 1,
    Directory = 2,
    CharDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    Symlink = 7,
}

/// Bytes that an entry takes.
pub(in crate::ext4) fn entry_len(name: &[u8]) -> usize {
    (HEADER_LEN + name.len()).next_multiple_of(4)
}

/// Writes an entry that takes all of `entry`.
pub(in crate::ext4) fn put_entry(entry: &mut [u8], inode: u32, kind: Kind, name: &[u8]) {
    let len = entry.len();
    put32(entry, 0, inode);
    put16(entry, 4, len as u16);
    entry[6] = name.len() as u8;
    entry[7] = kind as u8;
    entry[HEADER_LEN..HEADER_LEN + name.len()].copy_from_slice(name);
}

/// Writes an entry that is not in use and takes all of `entry`.
pub(in crate::ext4) fn put_unused(entry: &mut [u8]) {
    let len = entry.len();
    put16(entry, 4, len as u16);
}

/// Makes the entry at the start of `entry` take all of it.
pub(in crate::ext4) fn stretch(entry: &mut [u8]) {
    let len = entry.len();
    put16(entry, 4, len as u16);
}

/// Entries of the index that fit into its root, a block.
pub(in crate::ext4) const fn root_capacity(block_len: usize) -> usize {
    (block_len - ROOT_HEADER_LEN) / INDEX_ENTRY_LEN
}

/// Entries of the index that fit into another node, a block.
pub(in crate::ext4) const fn node_capacity(block_len: usize) -> usize {
    (block_len - NODE_HEADER_LEN) / INDEX_ENTRY_LEN
}

/// The lowest hash of what lies in, or below, a block of the directory.
pub(in crate::ext4) type Start = (u32, u32);

/// Writes the root of an index, into a block that has `.` and `..` already.
pub(in crate::ext4) fn put_index_root(block: &mut [u8], starts: &[Start], levels: u8) {
    const HALF_MD4: u8 = 1;
    const INFO_LEN: u8 = 8;
    stretch(&mut block[entry_len(b".")..]);
    block[0x1c] = HALF_MD4;
    block[0x1d] = INFO_LEN;
    block[0x1e] = levels;
    put_starts(&mut block[ROOT_HEADER_LEN..], starts);
}

/// Writes another node of an index over a block.
pub(in crate::ext4) fn put_index_node(block: &mut [u8], starts: &[Start]) {
    put_unused(block);
    put_starts(&mut block[NODE_HEADER_LEN..], starts);
}

/// The first entry has the counts in the place of its hash, which is that of the parent.
fn put_starts(entries: &mut [u8], starts: &[Start]) {
    let capacity = entries.len() / INDEX_ENTRY_LEN;
    for (entry, &(hash, block)) in entries.chunks_exact_mut(INDEX_ENTRY_LEN).zip(starts) {
        put32(entry, 0, hash);
        put32(entry, 4, block);
    }
    put16(entries, 0, capacity as u16);
    put16(entries, 2, starts.len() as u16);
}

/// One entry in use, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Entry<'a> {
    pub(in crate::ext4) inode: u32,
    pub(in crate::ext4) name: &'a [u8],
}

/// The entries in use of one block of a directory; an `Err` when it is no such block.
pub(in crate::ext4) fn entries(block: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Broken>> {
    let mut rest = block;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let Some((entry, next)) = split(rest) else {
                rest = &[];
                return Some(Err(Broken));
            };
            rest = next;
            if get32(entry, 0) != 0 {
                let name = &entry[HEADER_LEN..HEADER_LEN + usize::from(entry[6])];
                return Some(Ok(Entry { inode: get32(entry, 0), name }));
            }
        }
        None
    })
}

/// Entries do not follow each other as they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Broken;

fn split(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = rest.get(..HEADER_LEN)?;
    let len = usize::from(get16(header, 4));
    let needed = HEADER_LEN + usize::from(header[6]);
    (len.is_multiple_of(4) && len >= needed && len <= rest.len()).then(|| rest.split_at(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_unused_ones_do_not() {
        let mut block = [0; 64];
        put_entry(&mut block[..12], 12, Kind::File, b"abcd");
        put_unused(&mut block[12..24]);
        put_entry(&mut block[24..], 13, Kind::Socket, b"e");
        let read: Vec<_> = entries(&block).map(|entry| entry.unwrap()).collect();
        let wanted = [Entry { inode: 12, name: b"abcd" }, Entry { inode: 13, name: b"e" }];
        assert_eq!(read, wanted);
    }

    #[test]
    fn lengths_that_lead_out_end_the_block() {
        for (at, value) in [(4, 0), (4, 8), (4, 13), (4, 68), (6, 5)] {
            let mut block = [0; 64];
            put_entry(&mut block[..12], 12, Kind::File, b"abcd");
            put_entry(&mut block[12..], 13, Kind::File, b"e");
            block[at] = value;
            assert_eq!(entries(&block).collect::<Vec<_>>(), [Err(Broken)], "{at} {value}");
        }
    }
}
