//! A place for everything, in a file system of a given size.

use std::ops::Range;

use super::draft::{Body, Draft, Drafts};
use super::geometry::{BLOCK_LEN, Geometry, LOG_GROUPS_PER_FLEX};
use super::options::Journal;
use crate::ext4::format::JOURNAL_INODE;
use crate::ext4::format::extent::{
    Child, EXTENT_BLOCKS_MAX, Extent, ROOT_ENTRIES, capacity, put_index, put_leaf,
};
use crate::ext4::format::inode::{BLOCK_LEN as INODE_BLOCK_LEN, kind};
use crate::in_place::{InPlace, Present};
use crate::space::Space;

/// Where everything lies.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) geometry: Geometry,
    pub(super) groups: Vec<GroupPlaces>,
    /// The block that names the blocks kept for more descriptors, if there are such.
    pub(super) resize_block: Option<u32>,
    pub(super) journal: Option<(Draft<'static>, Placed)>,
    /// In the order of the drafts.
    pub(super) placed: Vec<Placed>,
    pub(super) space: Space,
}

/// Where the metadata of a group lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupPlaces {
    pub(super) block_bitmap: u32,
    pub(super) inode_bitmap: u32,
    pub(super) inode_table: u32,
}

/// Where an inode's blocks lie.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) extents: Vec<Extent>,
    pub(super) nodes: Nodes,
    pub(super) xattr_block: Option<u32>,
}

/// The extent tree: its root in the inode, and its other nodes with their blocks.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) root: [u8; INODE_BLOCK_LEN],
    pub(super) others: Vec<(u32, Box<[u8; BLOCK_LEN]>)>,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { root: [0; INODE_BLOCK_LEN], others: Vec::new() }
    }
}

/// Not everything has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    /// A number of blocks with which it is worth to try again.
    pub(super) try_blocks: u64,
}

impl Layout {
    /// Lays everything out in at most so many blocks. Directories, links and attributes lie before
    /// the contents of files, but for those that have their place.
    pub(super) fn new(drafts: &Drafts<'_>, journal: Journal, blocks: u32) -> Result<Self, Short> {
        let geometry = Geometry::new(blocks, drafts.next_number.into())
            .map_err(|try_blocks| Short { try_blocks })?;
        let missing = drafts.in_place.end().saturating_sub(geometry.blocks);
        if missing > 0 {
            return Err(Short { try_blocks: u64::from(blocks) + u64::from(missing) });
        }
        let Some(journal_blocks) = journal.blocks(geometry.blocks.into()) else {
            return Err(Short { try_blocks: Journal::FILE_SYSTEM_BLOCKS_MIN });
        };
        let mut placer = Placer { space: free_space(&geometry, &drafts.in_place), short: 0 };
        let groups = placer.groups(&geometry);
        let resize_block = (geometry.reserved_gdt_blocks > 0).then(|| placer.block());
        let journal = (journal_blocks > 0).then(|| {
            let draft = journal_draft(journal_blocks);
            let placed = placer.inode(&draft);
            (draft, placed)
        });
        let mut placed: Vec<Placed> = Vec::new();
        placed.resize_with(drafts.inodes.len(), Placed::default);
        for are_files in [false, true] {
            for (draft, placed) in drafts.inodes.iter().zip(&mut placed) {
                if matches!(draft.body, Body::Content(_)) == are_files {
                    *placed = placer.inode(draft);
                }
            }
        }
        match placer.short {
            0 => Ok(Self { geometry, groups, resize_block, journal, placed, space: placer.space }),
            short => Err(Short { try_blocks: u64::from(blocks) + short }),
        }
    }
}

/// All that neither superblocks and descriptors have, nor contents.
fn free_space(geometry: &Geometry, in_place: &InPlace) -> Space {
    let supers = (0..geometry.groups).map(|group| {
        let first = geometry.first_block(group);
        first..first + geometry.super_blocks(group)
    });
    let mut used: Vec<_> =
        supers.filter(|range| !range.is_empty()).chain(in_place.blocks()).collect();
    used.sort_by_key(|range| range.start);
    let is_apart = |pair: &[Range<u32>]| pair[0].end <= pair[1].start;
    assert!(used.windows(2).all(is_apart), "contents lie in reserved blocks of the image");
    Space::between(used.into_iter(), geometry.blocks)
}

/// Consecutive blocks as extents.
fn extents_at(first: u32, blocks: u32) -> Vec<Extent> {
    let extent = |logical: u32| Extent {
        logical,
        physical: u64::from(first) + u64::from(logical),
        len: (blocks - logical).min(EXTENT_BLOCKS_MAX),
        is_written: true,
    };
    (0..blocks).step_by(EXTENT_BLOCKS_MAX as usize).map(extent).collect()
}

/// The journal, with its superblock.
fn journal_draft(blocks: u32) -> Draft<'static> {
    Draft {
        size: u64::from(blocks) * BLOCK_LEN as u64,
        body: Body::Bytes(crate::ext4::format::journal::superblock(BLOCK_LEN as u32, blocks)),
        ..Draft::of_system(JOURNAL_INODE, kind::FILE | 0o600)
    }
}

/// Gives out blocks, and counts those that it did not have.
struct Placer {
    space: Space,
    short: u64,
}

impl Placer {
    /// Bitmaps and inode tables: those of a flexible group lie together, from its start on.
    fn groups(&mut self, geometry: &Geometry) -> Vec<GroupPlaces> {
        let none = GroupPlaces { block_bitmap: 0, inode_bitmap: 0, inode_table: 0 };
        let mut groups = vec![none; geometry.groups as usize];
        for (flex, groups) in groups.chunks_mut(1 << LOG_GROUPS_PER_FLEX).enumerate() {
            let from = geometry.first_block((flex as u32) << LOG_GROUPS_PER_FLEX);
            for group in &mut *groups {
                group.block_bitmap = self.whole(from, 1);
            }
            for group in &mut *groups {
                group.inode_bitmap = self.whole(from, 1);
            }
            for group in groups {
                group.inode_table = self.whole(from, geometry.table_blocks());
            }
        }
        groups
    }

    fn inode(&mut self, draft: &Draft<'_>) -> Placed {
        let extents = match draft.in_place {
            Some(Present { block, len }) => {
                extents_at(block, len.div_ceil(BLOCK_LEN as u64) as u32)
            }
            None => self.extents(draft),
        };
        let nodes = match draft.body {
            Body::Inode(block) => Nodes { root: block, others: Vec::new() },
            _ => self.nodes(&extents),
        };
        let xattr_block = draft.xattr_block.as_ref().map(|_| self.block());
        Placed { extents, nodes, xattr_block }
    }

    fn extents(&mut self, draft: &Draft<'_>) -> Vec<Extent> {
        let mut extents = Vec::new();
        for run in draft.runs() {
            let mut logical = run.start;
            while logical < run.end {
                let wanted = (run.end - logical).min(EXTENT_BLOCKS_MAX);
                let Some(taken) = self.space.take_some(wanted) else {
                    self.short += u64::from(run.end - logical);
                    break;
                };
                let len = taken.end - taken.start;
                let physical = taken.start.into();
                extents.push(Extent { logical, physical, len, is_written: true });
                logical += len;
            }
        }
        extents
    }

    /// The extent tree, from its leaves to its root.
    fn nodes(&mut self, extents: &[Extent]) -> Nodes {
        let mut nodes = Nodes::default();
        if extents.len() <= ROOT_ENTRIES {
            put_leaf(&mut nodes.root, extents);
            return nodes;
        }
        let mut children: Vec<Child> = Vec::new();
        for chunk in extents.chunks(capacity(BLOCK_LEN)) {
            let block = self.block();
            children.push(Child { logical: chunk[0].logical, block: block.into() });
            put_leaf(nodes.add(block), chunk);
        }
        let mut depth = 1;
        while children.len() > ROOT_ENTRIES {
            let mut parents = Vec::new();
            for chunk in children.chunks(capacity(BLOCK_LEN)) {
                let block = self.block();
                parents.push(Child { logical: chunk[0].logical, block: block.into() });
                put_index(nodes.add(block), chunk, depth);
            }
            children = parents;
            depth += 1;
        }
        put_index(&mut nodes.root, &children, depth);
        nodes
    }

    fn block(&mut self) -> u32 {
        match self.space.take_some(1) {
            Some(taken) => taken.start,
            None => self.missing(1),
        }
    }

    fn whole(&mut self, from: u32, len: u32) -> u32 {
        match self.space.take_whole(from, len) {
            Some(block) => block,
            None => self.missing(len),
        }
    }

    /// The layout goes on, so that all that is missing is counted at once.
    fn missing(&mut self, len: u32) -> u32 {
        self.short += u64::from(len);
        0
    }
}

impl Nodes {
    fn add(&mut self, block: u32) -> &mut [u8] {
        self.others.push((block, Box::new([0; BLOCK_LEN])));
        &mut **self.others.last_mut().map(|(_, node)| node).expect("just added")
    }
}
