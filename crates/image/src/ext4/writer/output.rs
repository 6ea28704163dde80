//! Writing what has a place.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use mote_rootfs::tree::{SOURCE_DATE_EPOCH, Tree};

use super::draft::{Body, Draft, Drafts};
use super::geometry::{BLOCK_LEN, GROUP_BLOCKS, Geometry, LOG_GROUPS_PER_FLEX};
use super::layout::{GroupPlaces, Layout, Nodes, Placed};
use super::options::{Ext4Options, WriteError};
use super::{resize, size};
use crate::OnProgress;
use crate::contents::{Contents, CopyError};
use crate::ext4::format::extent::Extent;
use crate::ext4::format::group::{Descriptor, has_superblock};
use crate::ext4::format::inode::{INODE_LEN, Record, XATTRS_AT};
use crate::ext4::format::superblock::{SUPERBLOCK_OFFSET, Superblock, compat, incompat, ro_compat};
use crate::ext4::format::{FIRST_INODE, RESIZE_INODE};

/// The UUID of images that were not given one.
const UUID: [u8; 16] = 0x6d6f_7465_6578_4400_8000_6d6f_7465_0004_u128.to_be_bytes();

/// Writes a tree as an ext4 file system over all of a file, and returns its length in bytes.
///
/// The same tree and options give the same bytes. The file is sparse wherever nothing is. What it
/// has: 4 KiB blocks, inodes of 256 bytes, extents, indexed directories, an empty `lost+found` if
/// the tree has none, no reserved blocks, and room in the tables to grow by a factor of 1,024. All
/// times of an inode are its time of modification, and at most what the format knows: from 1901 to
/// 2446. Extended attributes outside the namespaces of
/// Linux are left out: they could neither be stored nor be seen.
///
/// Contents may lie in the file already, as stretches of it: from multiples of 4096 bytes on, not
/// where [`reserved`](super::reserved) says, and with zeros in what they leave of their last block.
/// They stay where they are. Everything else in the file is lost.
///
/// # Errors
///
/// See [`WriteError`]; the file is then not a file system.
///
/// # Panics
///
/// When contents lie in `out` otherwise.
pub fn write_ext4(
    tree: &Tree,
    out: &File,
    options: &Ext4Options,
    on_progress: OnProgress<'_>,
) -> Result<u64, WriteError> {
    let label = label(&options.label)?;
    let uuid = options.uuid.unwrap_or(UUID);
    let drafts = Drafts::new(tree, &uuid, out)?;
    let (layout, size_bytes) = size::fit(&drafts, options)?;
    drafts.in_place.clear_others(out, size_bytes).map_err(WriteError::Output)?;

    let output = Output { out, tree, drafts: &drafts, layout: &layout };
    let mut contents = Contents::new(out, on_progress);
    for (draft, placed) in output.inodes() {
        output.body(draft, placed, &mut contents)?;
    }
    contents.flush().map_err(WriteError::Output)?;
    output.metadata(uuid, label).map_err(WriteError::Output)?;
    Ok(size_bytes)
}

fn label(label: &str) -> Result<[u8; 16], WriteError> {
    let mut bytes = [0; 16];
    match bytes.get_mut(..label.len()) {
        Some(room) if !label.contains('\0') => room.copy_from_slice(label.as_bytes()),
        _ => return Err(WriteError::Label { label: label.to_owned() }),
    }
    Ok(bytes)
}

fn not_copied(tree: &Tree, draft: &Draft<'_>, error: CopyError) -> WriteError {
    match error {
        CopyError::Content(source) => WriteError::Content { path: draft.path(tree), source },
        CopyError::Output(error) => WriteError::Output(error),
        CopyError::Cancelled(cancelled) => WriteError::Cancelled(cancelled),
    }
}

fn byte(block: impl Into<u64>) -> u64 {
    block.into() * BLOCK_LEN as u64
}

struct Output<'a> {
    out: &'a File,
    tree: &'a Tree,
    drafts: &'a Drafts<'a>,
    layout: &'a Layout,
}

impl Output<'_> {
    /// All inodes that have blocks as extents, by ascending number: the root's, the journal's, and
    /// the others.
    fn inodes(&self) -> impl Iterator<Item = (&Draft<'_>, &Placed)> {
        let mut tree = self.drafts.inodes.iter().zip(&self.layout.placed);
        let root = tree.next();
        let journal = self.layout.journal.as_ref().map(|(draft, placed)| (draft, placed));
        root.into_iter().chain(journal).chain(tree)
    }

    fn body(
        &self,
        draft: &Draft<'_>,
        placed: &Placed,
        contents: &mut Contents<'_>,
    ) -> Result<(), WriteError> {
        match &draft.body {
            Body::Inode(_) => {}
            Body::Bytes(bytes) => {
                self.bytes(bytes, &placed.extents).map_err(WriteError::Output)?;
            }
            Body::Content(_) if draft.in_place.is_some() => {
                contents
                    .advance(draft.size)
                    .map_err(|error| not_copied(self.tree, draft, error))?;
            }
            Body::Content(content) => {
                for extent in &placed.extents {
                    let range = bytes_of(extent, content.len());
                    let copied = contents.copy(content, range, byte(extent.physical));
                    copied.map_err(|error| not_copied(self.tree, draft, error))?;
                }
            }
        }
        self.blocks_of(draft, placed).map_err(WriteError::Output)
    }

    fn bytes(&self, bytes: &[u8], extents: &[Extent]) -> io::Result<()> {
        for extent in extents {
            let range = bytes_of(extent, bytes.len() as u64);
            let bytes = &bytes[range.start as usize..range.end as usize];
            self.out.write_all_at(bytes, byte(extent.physical))?;
        }
        Ok(())
    }

    /// The nodes of the extent tree, and the extended attributes.
    fn blocks_of(&self, draft: &Draft<'_>, placed: &Placed) -> io::Result<()> {
        for (block, node) in &placed.nodes.others {
            self.out.write_all_at(&**node, byte(*block))?;
        }
        if let (Some(block), Some(xattrs)) = (placed.xattr_block, &draft.xattr_block) {
            self.out.write_all_at(&**xattrs, byte(block))?;
        }
        Ok(())
    }

    fn metadata(&self, uuid: [u8; 16], label: [u8; 16]) -> io::Result<()> {
        let geometry = &self.layout.geometry;
        let mut descriptors = self.bitmaps()?;
        self.inode_tables(&mut descriptors)?;
        if let Some(block) = self.layout.resize_block {
            self.resize_blocks(block)?;
        }
        let numbered = descriptors.iter().zip(0..);
        let table: Vec<u8> =
            numbered.flat_map(|(descriptor, group)| descriptor.encode(group, &uuid)).collect();
        let superblock = self.superblock(&descriptors, uuid, label);
        // The first group's come last: without them, this is no file system.
        for group in (0..geometry.groups).rev().filter(|&group| has_superblock(group)) {
            let first = geometry.first_block(group);
            let offset = if group == 0 { SUPERBLOCK_OFFSET } else { byte(first) };
            let copy = Superblock { group: group as u16, ..superblock.clone() };
            self.out.write_all_at(&table, byte(first + 1))?;
            self.out.write_all_at(&copy.encode(), offset)?;
        }
        Ok(())
    }

    /// Writes the bitmaps, and returns the descriptors without their directories.
    fn bitmaps(&self) -> io::Result<Vec<Descriptor>> {
        let geometry = &self.layout.geometry;
        let free_blocks = self.free_blocks();
        let mut descriptors = Vec::with_capacity(free_blocks.len());
        let groups = (0..geometry.groups).zip(&self.layout.groups).zip(&free_blocks);
        for ((group, places), free) in groups {
            let unused_inodes = self.unused_inodes(group);
            let free_inodes: Vec<_> =
                self.free_inode(group).into_iter().chain([unused_inodes.clone()]).collect();
            self.bitmap(places.block_bitmap, free)?;
            let has_inodes = unused_inodes.start > 0;
            if has_inodes {
                self.bitmap(places.inode_bitmap, &free_inodes)?;
            }
            let count = |ranges: &[Range<u32>]| {
                ranges.iter().map(|range| range.end - range.start).sum::<u32>() as u16
            };
            let &GroupPlaces { block_bitmap, inode_bitmap, inode_table } = places;
            descriptors.push(Descriptor {
                block_bitmap,
                inode_bitmap,
                inode_table,
                free_blocks: count(free),
                free_inodes: count(&free_inodes),
                directories: 0,
                has_inodes,
                unused_inodes: count(&[unused_inodes]),
            });
        }
        Ok(descriptors)
    }

    /// The free blocks of each group, counted from its start.
    fn free_blocks(&self) -> Vec<Vec<Range<u32>>> {
        let mut groups = vec![Vec::new(); self.layout.groups.len()];
        for mut range in self.layout.space.free() {
            while !range.is_empty() {
                let group = range.start / GROUP_BLOCKS;
                let first = group * GROUP_BLOCKS;
                let len = (range.end - range.start).min(GROUP_BLOCKS - (range.start - first));
                groups[group as usize].push(range.start - first..range.start - first + len);
                range.start += len;
            }
        }
        groups
    }

    /// The inodes of a group that come after all that are in use, counted from its first one.
    fn unused_inodes(&self, group: u32) -> Range<u32> {
        let per_group = self.layout.geometry.inodes_per_group;
        let used = self.drafts.next_number - 1;
        used.saturating_sub(group * per_group).min(per_group)..per_group
    }

    /// The only free inode before others in use: that of `lost+found`, if the tree has its own.
    fn free_inode(&self, group: u32) -> Option<Range<u32>> {
        let has_own = self.drafts.inodes.get(1).is_none_or(|draft| draft.number != FIRST_INODE);
        (group == 0 && has_own).then_some(FIRST_INODE - 1..FIRST_INODE)
    }

    /// Writes a bitmap where all that is not free is in use, also beyond the end of the group.
    fn bitmap(&self, block: u32, free: &[Range<u32>]) -> io::Result<()> {
        let mut bits = [0xff; BLOCK_LEN];
        for range in free {
            clear(&mut bits, range.clone());
        }
        match bits.iter().all(|&byte| byte == 0) {
            true => Ok(()),
            false => self.out.write_all_at(&bits, byte(block)),
        }
    }

    /// Writes all inodes, and counts the directories of each group.
    fn inode_tables(&self, descriptors: &mut [Descriptor]) -> io::Result<()> {
        let resize = self.layout.resize_block.map(|block| {
            let (draft, blocks) = resize::draft(&self.layout.geometry, block);
            let nodes = match draft.body {
                Body::Inode(root) => Nodes { root, others: Vec::new() },
                _ => Nodes::default(),
            };
            (draft, Placed { nodes, ..Placed::default() }, blocks)
        });
        let resize = resize.as_ref().map(|(draft, placed, blocks)| (draft, placed, *blocks));
        let counted = || self.inodes().map(|(draft, placed)| (draft, placed, placed.blocks()));
        let before = counted().take_while(|(draft, ..)| draft.number < RESIZE_INODE);
        let after = counted().skip_while(|(draft, ..)| draft.number < RESIZE_INODE);
        let inodes = before.chain(resize).chain(after);

        let per_group = self.layout.geometry.inodes_per_group;
        let mut table = Vec::new();
        let mut group = 0;
        for (draft, placed, blocks) in inodes {
            let index = draft.number - 1;
            if index / per_group != group {
                self.inode_table(group, &table)?;
                table.clear();
                group = index / per_group;
            }
            descriptors[group as usize].directories += u16::from(draft.is_directory());
            table.resize((index % per_group) as usize * INODE_LEN, 0);
            table.extend_from_slice(&record(draft, placed, blocks));
        }
        self.inode_table(group, &table)
    }

    fn inode_table(&self, group: u32, table: &[u8]) -> io::Result<()> {
        self.out.write_all_at(table, byte(self.layout.groups[group as usize].inode_table))
    }

    fn resize_blocks(&self, block: u32) -> io::Result<()> {
        let (doubly, indirect) = resize::blocks(&self.layout.geometry);
        self.out.write_all_at(&doubly, byte(block))?;
        for (block, pointers) in indirect {
            self.out.write_all_at(&pointers, byte(block))?;
        }
        Ok(())
    }

    fn superblock(
        &self,
        descriptors: &[Descriptor],
        uuid: [u8; 16],
        label: [u8; 16],
    ) -> Superblock {
        let geometry: &Geometry = &self.layout.geometry;
        let journal = self.layout.journal.as_ref();
        let journal_blocks = journal.map_or(0, |(_, placed)| placed.blocks() as u32);
        let if_some = |is_some: bool, feature: u32| if is_some { feature } else { 0 };
        Superblock {
            inodes: geometry.groups * geometry.inodes_per_group,
            blocks: geometry.blocks.into(),
            free_blocks: self.layout.space.blocks().into(),
            free_inodes: descriptors.iter().map(|group| u32::from(group.free_inodes)).sum(),
            first_data_block: 0,
            log_block_size: (BLOCK_LEN / 1024).ilog2(),
            blocks_per_group: GROUP_BLOCKS,
            inodes_per_group: geometry.inodes_per_group,
            inode_size: INODE_LEN as u16,
            group: 0,
            compat: compat::EXT_ATTR
                | compat::DIR_INDEX
                | if_some(self.layout.resize_block.is_some(), compat::RESIZE_INODE)
                | if_some(journal.is_some(), compat::HAS_JOURNAL),
            incompat: incompat::FILETYPE | incompat::EXTENTS | incompat::FLEX_BG,
            ro_compat: ro_compat::SPARSE_SUPER
                | ro_compat::LARGE_FILE
                | ro_compat::HUGE_FILE
                | ro_compat::GDT_CSUM
                | ro_compat::DIR_NLINK
                | ro_compat::EXTRA_ISIZE,
            uuid,
            label,
            reserved_gdt_blocks: geometry.reserved_gdt_blocks as u16,
            desc_size: 0,
            journal: journal.map(|(draft, placed)| (placed.nodes.root, draft.size)),
            log_groups_per_flex: LOG_GROUPS_PER_FLEX,
            overhead_blocks: geometry.overhead_blocks() + journal_blocks,
            made_s: SOURCE_DATE_EPOCH as u32,
        }
    }
}

impl Placed {
    /// Blocks that the inode takes.
    fn blocks(&self) -> u64 {
        let data: u64 = self.extents.iter().map(|extent| u64::from(extent.len)).sum();
        data + self.nodes.others.len() as u64 + u64::from(self.xattr_block.is_some())
    }
}

/// The bytes of an extent in its file of `len` bytes; none where the extent lies behind them.
fn bytes_of(extent: &Extent, len: u64) -> Range<u64> {
    let start = byte(extent.logical).min(len);
    start..byte(extent.logical + extent.len).min(len)
}

fn record(draft: &Draft<'_>, placed: &Placed, blocks: u64) -> [u8; INODE_LEN] {
    const SECTORS_PER_BLOCK: u64 = BLOCK_LEN as u64 / 512;
    let record = Record {
        mode: draft.mode,
        uid: draft.uid,
        gid: draft.gid,
        size: draft.size,
        mtime_s: draft.mtime_s,
        mtime_ns: draft.mtime_ns,
        links: draft.links,
        sectors: blocks * SECTORS_PER_BLOCK,
        flags: draft.flags,
        block: placed.nodes.root,
        xattr_block: placed.xattr_block.map_or(0, u64::from),
    };
    let mut bytes = record.encode();
    if let Some(xattrs) = &draft.inode_xattrs {
        bytes[XATTRS_AT..].copy_from_slice(&**xattrs);
    }
    bytes
}

/// Clears bits, of which the lowest one of each byte is the first.
fn clear(bits: &mut [u8], range: Range<u32>) {
    let (mut bit, end) = (range.start as usize, range.end as usize);
    while bit < end {
        if bit.is_multiple_of(8) && end - bit >= 8 {
            bits[bit / 8..end / 8].fill(0);
            bit = end / 8 * 8;
        } else {
            bits[bit / 8] &= !(1 << (bit % 8));
            bit += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_bits_are_cleared() {
        for range in [0..0, 3..5, 0..8, 7..9, 1..31, 8..24] {
            let mut bits = [0xff; 4];
            clear(&mut bits, range.clone());
            for bit in 0..32 {
                let is_set = bits[bit as usize / 8] >> (bit % 8) & 1 == 1;
                assert_eq!(is_set, !range.contains(&bit), "{range:?} {bit}");
            }
        }
    }
}
