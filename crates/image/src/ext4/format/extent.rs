//! Extents and the nodes of their trees (`ifork.rst`).

use super::{get16, get32, put16, put32};

const MAGIC: u16 = 0xf30a;

/// Bytes of a node's header, and of each of its entries.
const ENTRY_LEN: usize = 12;

/// Entries of the root node, in the inode.
pub(in crate::ext4) const ROOT_ENTRIES: usize = 4;

/// Nodes below the root, one below the other: enough for any file.
pub(in crate::ext4) const DEPTH_MAX: u16 = 5;

/// Blocks of the longest extent; longer ones are unwritten, and have this many blocks less.
pub(in crate::ext4) const EXTENT_BLOCKS_MAX: u32 = 32_768;

/// Blocks of a file that lie one after the other on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Extent {
    /// The first block, in the file.
    pub(in crate::ext4) logical: u32,
    /// The first block, on the disk.
    pub(in crate::ext4) physical: u64,
    /// Number of blocks.
    pub(in crate::ext4) len: u32,
    /// Whether the blocks hold data: unwritten ones read as zeros.
    pub(in crate::ext4) is_written: bool,
}

/// An entry of a node that is not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ext4) struct Child {
    /// The first block of the file below the child.
    pub(in crate::ext4) logical: u32,
    /// The block where the child lies.
    pub(in crate::ext4) block: u64,
}

/// Entries that fit into a node of `len` bytes.
pub(in crate::ext4) const fn capacity(len: usize) -> usize {
    len / ENTRY_LEN - 1
}

/// Writes a leaf node over all of `node`; the extents hold data.
pub(in crate::ext4) fn put_leaf(node: &mut [u8], extents: &[Extent]) {
    put_header(node, extents.len(), 0);
    for (entry, extent) in node[ENTRY_LEN..].chunks_exact_mut(ENTRY_LEN).zip(extents) {
        put32(entry, 0, extent.logical);
        put16(entry, 4, extent.len as u16);
        put16(entry, 6, (extent.physical >> 32) as u16);
        put32(entry, 8, extent.physical as u32);
    }
}

/// Writes a node over all of `node` whose children have `depth - 1` nodes below them.
pub(in crate::ext4) fn put_index(node: &mut [u8], children: &[Child], depth: u16) {
    put_header(node, children.len(), depth);
    for (entry, child) in node[ENTRY_LEN..].chunks_exact_mut(ENTRY_LEN).zip(children) {
        put32(entry, 0, child.logical);
        put32(entry, 4, child.block as u32);
        put16(entry, 8, (child.block >> 32) as u16);
    }
}

fn put_header(node: &mut [u8], entries: usize, depth: u16) {
    put16(node, 0, MAGIC);
    put16(node, 2, entries as u16);
    put16(node, 4, capacity(node.len()) as u16);
    put16(node, 6, depth);
}

/// A node as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ext4) enum Node {
    Leaf(Vec<Extent>),
    Index { depth: u16, children: Vec<Child> },
}

/// Reads a node; `None` when it is not one.
pub(in crate::ext4) fn decode(node: &[u8]) -> Option<Node> {
    let entries = usize::from(get16(node, 2));
    if get16(node, 0) != MAGIC || entries > capacity(node.len()) {
        return None;
    }
    let entries = node[ENTRY_LEN..].chunks_exact(ENTRY_LEN).take(entries);
    Some(match get16(node, 6) {
        0 => Node::Leaf(entries.map(decode_extent).collect()),
        depth => Node::Index { depth, children: entries.map(decode_child).collect() },
    })
}

fn decode_extent(entry: &[u8]) -> Extent {
    let len = u32::from(get16(entry, 4));
    let is_written = len <= EXTENT_BLOCKS_MAX;
    Extent {
        logical: get32(entry, 0),
        physical: u64::from(get16(entry, 6)) << 32 | u64::from(get32(entry, 8)),
        len: if is_written { len } else { len - EXTENT_BLOCKS_MAX },
        is_written,
    }
}

fn decode_child(entry: &[u8]) -> Child {
    Child {
        logical: get32(entry, 0),
        block: u64::from(get16(entry, 8)) << 32 | u64::from(get32(entry, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_back() {
        let mut node = [0; 60];
        let extent = Extent { logical: 7, physical: 0x1_2345_6789, len: 32_768, is_written: true };
        put_leaf(&mut node, &[extent; ROOT_ENTRIES]);
        assert_eq!(decode(&node), Some(Node::Leaf(vec![extent; ROOT_ENTRIES])));
        node[2] += 1;
        assert_eq!(decode(&node), None);

        let mut node = [0; 4096];
        let child = Child { logical: 9, block: 0x2_0000_0001 };
        put_index(&mut node, &[child], 3);
        assert_eq!(decode(&node), Some(Node::Index { depth: 3, children: vec![child] }));
        assert_eq!(capacity(node.len()), 340);
    }
}
