//! The blocks of a directory.

use super::geometry::BLOCK_LEN;
use crate::ext4::format::dirent::{
    Kind, Start, entry_len, node_capacity, put_entry, put_index_node, put_index_root, put_unused,
    root_capacity, stretch,
};
use crate::ext4::format::hash::hash_name;

/// One name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: Box<[u8]>,
    pub(super) inode: u32,
    pub(super) kind: Kind,
}

/// A directory as its parent and its entries see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) inode: u32,
    pub(super) parent: u32,
    pub(super) names: Vec<Name>,
}

/// The blocks of a directory, and whether they are indexed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) blocks: Vec<u8>,
    pub(super) is_indexed: bool,
}

impl Directory {
    /// The directory's blocks: one if all fits, else an index by hash. `None` when that would need
    /// more than two levels (the feature `large_dir`), from about 25 million entries on.
    pub(super) fn render(&self, seed: &[u8; 16]) -> Option<Rendered> {
        let mut first = Packer::default();
        first.push(self.inode, Kind::Directory, b".");
        first.push(self.parent, Kind::Directory, b"..");
        let len: usize = self.names.iter().map(|name| entry_len(&name.name)).sum();
        if first.blocks.len() + len > BLOCK_LEN {
            let blocks = self.render_indexed(first, seed)?;
            return Some(Rendered { blocks, is_indexed: true });
        }
        for name in &self.names {
            first.push(name.inode, name.kind, &name.name);
        }
        Some(Rendered { blocks: first.finish(), is_indexed: false })
    }

    /// The root of the index, its other nodes, and the entries ordered by hash.
    fn render_indexed(&self, root: Packer, seed: &[u8; 16]) -> Option<Vec<u8>> {
        let (mut starts, leaves) = self.leaves(seed);
        let node_capacity = node_capacity(BLOCK_LEN);
        let nodes = match starts.len() <= root_capacity(BLOCK_LEN) {
            true => 0,
            false => starts.len().div_ceil(node_capacity),
        };
        if nodes > root_capacity(BLOCK_LEN) {
            return None;
        }
        starts.iter_mut().for_each(|(_, block)| *block += 1 + nodes as u32);
        let mut blocks = root.finish();
        match nodes {
            0 => put_index_root(&mut blocks, &starts, 0),
            _ => {
                let chunks = || starts.chunks(node_capacity).zip(1..);
                let tops: Vec<Start> = chunks().map(|(chunk, block)| (chunk[0].0, block)).collect();
                put_index_root(&mut blocks, &tops, 1);
                for (chunk, block) in chunks() {
                    let at = block as usize * BLOCK_LEN;
                    blocks.resize(at + BLOCK_LEN, 0);
                    put_index_node(&mut blocks[at..], chunk);
                }
            }
        }
        blocks.extend_from_slice(&leaves);
        Some(blocks)
    }

    /// The entries in blocks, with the hash that each block starts at. Where names of one hash
    /// fill more than a block, the next one's hash has its lowest bit set.
    fn leaves(&self, seed: &[u8; 16]) -> (Vec<Start>, Vec<u8>) {
        let mut sorted: Vec<_> =
            self.names.iter().map(|name| (hash_name(&name.name, seed), name)).collect();
        sorted.sort_by(|(hash, name), (other, other_name)| {
            (hash, &name.name).cmp(&(other, &other_name.name))
        });
        let mut leaves = Packer::default();
        let mut starts: Vec<Start> = Vec::new();
        let mut previous = None;
        for ((hash, _), name) in sorted {
            let block = leaves.push(name.inode, name.kind, &name.name);
            if starts.len() as u32 == block {
                let continues = previous == Some(hash);
                starts.push((hash | u32::from(continues), block));
            }
            previous = Some(hash);
        }
        (starts, leaves.finish())
    }
}

/// The blocks of an empty `lost+found`, with room for entries: `e2fsck` takes no blocks for it.
pub(super) fn render_lost_and_found(directory: &Directory) -> Vec<u8> {
    const BLOCKS: usize = 4;
    let mut packer = Packer::default();
    packer.push(directory.inode, Kind::Directory, b".");
    packer.push(directory.parent, Kind::Directory, b"..");
    let mut blocks = packer.finish();
    blocks.resize(BLOCKS * BLOCK_LEN, 0);
    blocks[BLOCK_LEN..].chunks_exact_mut(BLOCK_LEN).for_each(put_unused);
    blocks
}

/// Entries one after the other; none crosses the end of a block.
#[derive(Debug, Default)]
struct Packer {
    blocks: Vec<u8>,
    /// Where the last entry starts.
    last: usize,
}

impl Packer {
    /// Adds an entry, and returns the block that it is in.
    fn push(&mut self, inode: u32, kind: Kind, name: &[u8]) -> u32 {
        let len = entry_len(name);
        let used = self.blocks.len() % BLOCK_LEN;
        if used + len > BLOCK_LEN {
            self.fill();
        }
        self.last = self.blocks.len();
        self.blocks.resize(self.last + len, 0);
        put_entry(&mut self.blocks[self.last..], inode, kind, name);
        (self.last / BLOCK_LEN) as u32
    }

    /// Makes the last entry reach to the end of its block.
    fn fill(&mut self) {
        self.blocks.resize(self.blocks.len().next_multiple_of(BLOCK_LEN), 0);
        stretch(&mut self.blocks[self.last..]);
    }

    fn finish(mut self) -> Vec<u8> {
        self.fill();
        self.blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext4::format::dirent::entries;
    use crate::ext4::format::{get16, get32};

    fn directory(names: u32, len: usize) -> Directory {
        let name = |number| {
            let name = format!("{number:0len$}").into_bytes().into();
            Name { name, inode: 100 + number, kind: Kind::File }
        };
        Directory { inode: 12, parent: 2, names: (0..names).map(name).collect() }
    }

    fn names(rendered: &Rendered) -> usize {
        rendered.blocks.chunks_exact(BLOCK_LEN).flat_map(entries).filter(Result::is_ok).count()
    }

    #[test]
    fn a_block_is_filled_before_there_is_an_index() {
        // 24 bytes for `.` and `..`, 20 for each entry.
        let full = directory(203, 12).render(&[7; 16]).unwrap();
        assert_eq!((full.blocks.len(), full.is_indexed, names(&full)), (BLOCK_LEN, false, 205));
        let more = directory(204, 12).render(&[7; 16]).unwrap();
        assert_eq!((more.blocks.len(), more.is_indexed, names(&more)), (2 * BLOCK_LEN, true, 206));
    }

    #[test]
    fn an_index_has_a_second_level_when_its_root_is_full() {
        // 15 entries in each block.
        let one = directory(508 * 15, 255).render(&[7; 16]).unwrap();
        assert_eq!(one.blocks.len(), (1 + 508) * BLOCK_LEN);
        assert_eq!((one.blocks[0x1e], get16(&one.blocks, 0x22)), (0, 508));
        let two = directory(508 * 15 + 1, 255).render(&[7; 16]).unwrap();
        assert_eq!(two.blocks.len(), (1 + 1 + 509) * BLOCK_LEN);
        assert_eq!((two.blocks[0x1e], get16(&two.blocks, 0x22)), (1, 1));
        assert_eq!(get16(&two.blocks, BLOCK_LEN + 0xa), 509);
        assert_eq!(get32(&two.blocks, BLOCK_LEN + 0xc), 2, "the first block of entries");
        assert_eq!(names(&two), 508 * 15 + 3);
    }
}
