//! Directories: blocks of entries, then their names, in the order of the names' bytes over all
//! blocks, since the kernel searches by halving (`fs/erofs/namei.c`).

use super::format::{BLOCK_BYTES, DIRENT_LEN, encode_dirent, u16_at, u64_at};

/// A name to be written.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: Box<[u8]>,
    /// Which inode of the image it is.
    pub(super) item: usize,
}

/// Bytes of a directory: whole blocks, and what the last one holds.
pub(super) fn encoded_len(children: &[Child]) -> u64 {
    let mut blocks = blocks(children).peekable();
    let mut len = 0;
    while let Some(block) = blocks.next() {
        len += if blocks.peek().is_some() { BLOCK_BYTES } else { block_len(block) as u64 };
    }
    len
}

/// The names of each block: as many as it can hold.
pub(super) fn blocks(mut children: &[Child]) -> impl Iterator<Item = &[Child]> {
    std::iter::from_fn(move || {
        let mut len = 0;
        let fits = children.iter().take_while(|child| {
            len += DIRENT_LEN + child.name.len();
            len <= BLOCK_BYTES as usize
        });
        let (block, rest) = children.split_at(fits.count());
        children = rest;
        (!block.is_empty()).then_some(block)
    })
}

fn block_len(block: &[Child]) -> usize {
    block.iter().map(|child| DIRENT_LEN + child.name.len()).sum()
}

/// Appends a block, not filled up; `target` gives the number and type of a child's inode.
pub(super) fn encode_block(
    block: &[Child],
    target: impl Fn(&Child) -> (u64, u8),
    out: &mut Vec<u8>,
) {
    let mut name_at = DIRENT_LEN * block.len();
    for child in block {
        let (nid, file_type) = target(child);
        out.extend_from_slice(&encode_dirent(nid, name_at as u16, file_type));
        name_at += child.name.len();
    }
    block.iter().for_each(|child| out.extend_from_slice(&child.name));
}

/// How many entries a block that was read has; `None` if it can have none.
pub(super) fn count(block: &[u8]) -> Option<usize> {
    let names_at = usize::from(u16_at(block.get(..DIRENT_LEN)?, 8));
    let possible = names_at > 0 && names_at % DIRENT_LEN == 0 && names_at < block.len();
    possible.then_some(names_at / DIRENT_LEN)
}

/// The number of the inode and the name of one of the `count` entries of a block that was read;
/// `None` if the name lies outside, or is empty.
pub(super) fn entry(block: &[u8], count: usize, index: usize) -> Option<(u64, &[u8])> {
    let name_at = |index: usize| usize::from(u16_at(block, DIRENT_LEN * index + 8));
    let nid = u64_at(block, DIRENT_LEN * index);
    let name = if index + 1 < count {
        block.get(name_at(index)..name_at(index + 1))?
    } else {
        // The last name ends with the block, or with a NUL byte.
        let rest = block.get(name_at(index)..)?;
        rest.split(|byte| *byte == 0).next()?
    };
    (!name.is_empty()).then_some((nid, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(names: &[String]) -> Vec<Child> {
        names
            .iter()
            .enumerate()
            .map(|(item, name)| Child { name: name.as_bytes().into(), item })
            .collect()
    }

    #[test]
    fn a_block_is_filled_to_its_last_byte() {
        // 12 + 244 bytes each: 16 to a block.
        let names: Vec<_> = (0..17).map(|index| format!("{index:0>244}")).collect();
        let children = children(&names);
        let lens: Vec<_> = blocks(&children).map(<[_]>::len).collect();
        assert_eq!((lens, encoded_len(&children)), (vec![16, 1], BLOCK_BYTES + 256));
        assert_eq!(encoded_len(&children[..16]), BLOCK_BYTES);
    }

    #[test]
    fn a_block_reads_as_it_was_written() {
        let names = [".", "..", "a", "bc"].map(String::from);
        let mut bytes = Vec::new();
        encode_block(&children(&names), |child| (child.item as u64 + 7, 1), &mut bytes);
        for filling in [0, 9] {
            bytes.resize(bytes.len() + filling, 0);
            assert_eq!(count(&bytes), Some(4));
            for (index, name) in names.iter().enumerate() {
                assert_eq!(entry(&bytes, 4, index), Some((index as u64 + 7, name.as_bytes())));
            }
        }
    }

    #[test]
    fn what_lies_outside_of_the_block_is_no_entry() {
        let mut bytes = Vec::new();
        encode_block(&children(&["a", "b"].map(String::from)), |_| (0, 1), &mut bytes);
        for names_at in [0u16, 13, 26, 36] {
            bytes[8..10].copy_from_slice(&names_at.to_le_bytes());
            assert_eq!(count(&bytes), None, "{names_at}");
        }
        assert_eq!(count(&bytes[..11]), None);
        bytes[8..10].copy_from_slice(&24u16.to_le_bytes());
        for second_at in [24u16, 23, 27, 26] {
            bytes[20..22].copy_from_slice(&second_at.to_le_bytes());
            let found = [entry(&bytes, 2, 0), entry(&bytes, 2, 1)];
            assert!(found.contains(&None), "{second_at}: {found:?}");
        }
    }
}
