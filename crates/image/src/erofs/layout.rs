//! Where everything is to lie in an image.
//!
//! Inodes come first, from behind the superblock on and in the order of the tree, each followed by
//! its extended attributes and, where it is short, by what does not fill a block of its contents.
//! Then the blocks of large directories, then those of files: what a guest looks up lies close
//! together, and large contents start at blocks of their own.
//!
//! Contents that lie in the image already stay there, but for the ends of those that are split, which
//! follow their inodes like the ends of others. What comes first without them lies before
//! them where there is room, and otherwise behind them; only the superblock has its fixed place. The
//! contents of other files fill the gaps.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;

use mote_rootfs::tree::{Inode, InodeId, Node, Tree, TreePath};

use super::WriteError;
use super::directory::{self, Child};
use super::format::{
    BLOCK_BYTES, Form, Header, Layout, SLOT_BYTES, SUPERBLOCK_AT, SUPERBLOCK_LEN, XATTR_BYTES_MAX,
    encode_device,
};
use super::xattr;
use crate::in_place::{BLOCKS_MAX, InPlace, Present};
use crate::space::Space;

/// An inode follows the one before it unless it would cross into the next block. Half a block at
/// most with what is inline: that leaves at most half of a block unused. Twice as much would need
/// 2.5 times the blocks for inodes and save nothing (/usr of a Debian 12 with 113,000 files of
/// 6.2 GB: 98 MB against 248 MB, of 6.25 GB in all both times).
const INLINE_MAX: u64 = BLOCK_BYTES / 2;

/// The longest contents to fill gaps with: longer ones would leave as much of them unused.
const GAP_BLOCKS_MAX: u32 = 16;

/// A whole image.
pub(super) struct Plan<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// Time of the compact inodes.
    pub(super) build_time_s: i64,
    pub(super) in_place: InPlace,
    /// First block of the inodes; the superblock is in it if it is the first of all.
    pub(super) meta_block: u32,
    /// First block of large directories.
    pub(super) directories_at: u64,
    /// Number of blocks.
    pub(super) blocks: u32,
}

/// An inode of the image.
pub(super) struct Item<'a> {
    /// Which one it is in the tree.
    pub(super) id: InodeId,
    pub(super) inode: &'a Inode,
    pub(super) header: Header,
    /// Where the inode lies, in bytes from the first block of the inodes on.
    pub(super) at: u64,
    /// Contents that stay where they are: all that belongs into blocks.
    pub(super) in_place: Option<Present>,
    /// Names, of a directory, in their order.
    pub(super) children: Vec<Child>,
}

impl Item<'_> {
    /// Number of the inode.
    pub(super) fn nid(&self) -> u64 {
        self.at / SLOT_BYTES
    }

    /// Where the blocks of the contents start.
    pub(super) fn contents_at(&self) -> u64 {
        u64::from(self.header.place) * BLOCK_BYTES
    }

    /// Bytes of the contents that lie in blocks.
    pub(super) fn in_blocks(&self) -> u64 {
        match self.header.layout {
            Layout::Inline => self.header.size - self.tail(),
            _ => self.header.size,
        }
    }

    /// Blocks of the contents.
    fn blocks(&self) -> u64 {
        self.in_blocks().div_ceil(BLOCK_BYTES)
    }

    /// Bytes that do not fill a block.
    pub(super) fn tail(&self) -> u64 {
        self.header.size % BLOCK_BYTES
    }
}

/// The longest end of contents that always fits behind its inode, if there are no extended
/// attributes.
pub const TAIL_MAX: u64 = INLINE_MAX - Form::Extended.bytes();

/// Where contents should not lie before the rest is known: there is the superblock, and room for the
/// inodes of some thousand files beside it.
pub fn reserved() -> Vec<Range<u64>> {
    std::iter::once(0..1 << 20).collect()
}

impl<'a> Plan<'a> {
    /// Of a tree, some of whose contents may lie in `out`.
    pub(super) fn new(tree: &'a Tree, out: &File) -> Result<Self, WriteError> {
        let mut items = collect(tree, out)?;
        let build_time_s = most_frequent_time(&items);
        let mut at = SUPERBLOCK_AT + SUPERBLOCK_LEN as u64;
        for item in &mut items {
            item.header.form = form(&item.header, build_time_s);
            place_inode(item, &mut at);
        }
        let inode_blocks = at.div_ceil(BLOCK_BYTES);
        let is_directory = |item: &&mut Item<'_>| item.inode.is_directory();
        let directories = items.iter().filter(|item| item.inode.is_directory());
        let meta_blocks = inode_blocks + directories.map(Item::blocks).sum::<u64>();
        let meta_blocks = u32::try_from(meta_blocks).map_err(|_| WriteError::TooManyInodes)?;

        let in_place = InPlace::new(items.iter().filter_map(|item| item.in_place));
        let is_superblock_free = in_place.blocks().all(|blocks| blocks.start > 0);
        assert!(is_superblock_free, "a content lies in the first block of the image");
        let mut space = Space::between(in_place.blocks(), BLOCKS_MAX);
        let meta_block = place_metadata(&mut space, meta_blocks);
        let meta_block = meta_block.ok_or(WriteError::TooManyInodes)?;
        let directories_at = u64::from(meta_block) + inode_blocks;
        let mut next_directory = directories_at;
        for item in items.iter_mut().filter(is_directory).filter(|item| item.blocks() > 0) {
            item.header.place = next_directory as u32;
            next_directory += item.blocks();
        }
        let mut end = in_place.end().max(meta_block + meta_blocks);
        let others = items.iter_mut().filter(|item| !is_directory(item));
        for item in others.filter(|item| item.blocks() > 0) {
            place_contents(tree, item, &mut space)?;
            end = end.max(item.header.place + item.blocks() as u32);
        }
        Ok(Self { items, build_time_s, in_place, meta_block, directories_at, blocks: end })
    }

    /// The first byte of the inodes' blocks.
    pub(super) fn inodes_at(&self) -> u64 {
        u64::from(self.meta_block) * BLOCK_BYTES
    }
}

/// All inodes in the order in which the tree names them, with their children but without places.
fn collect<'a>(tree: &'a Tree, out: &File) -> Result<Vec<Item<'a>>, WriteError> {
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut shared: HashMap<InodeId, usize> = HashMap::new();
    // The directories from the root down to where the walk is.
    let mut open: Vec<usize> = Vec::new();
    for entry in tree.walk() {
        open.truncate(entry.path.components().count());
        let parent = open.last().copied().unwrap_or(0);
        let name = entry.path.components().last().map(Box::from);
        let next = items.len();
        let item = match entry.links {
            1 => next,
            _ => *shared.entry(entry.id).or_insert(next),
        };
        if item == next {
            items.push(Item {
                header: header(&entry.path, entry.inode, entry.links, next)?,
                id: entry.id,
                inode: entry.inode,
                at: 0,
                in_place: match &entry.inode.node {
                    Node::File(content) => Present::of(content, out),
                    _ => None,
                },
                children: Vec::new(),
            });
        }
        if entry.inode.is_directory() {
            open.push(item);
            let dots = [(&b"."[..], item), (b"..", parent)];
            items[item].children =
                dots.map(|(name, item)| Child { name: name.into(), item }).into();
        }
        if let Some(name) = name {
            items[parent].children.push(Child { name, item });
            items[parent].header.links += u32::from(entry.inode.is_directory());
        }
    }
    for item in items.iter_mut().filter(|item| item.inode.is_directory()) {
        // Sorted but for the dots.
        item.children.sort_by(|a, b| a.name.cmp(&b.name));
        item.header.size = directory::encoded_len(&item.children);
    }
    Ok(items)
}

/// What is known of an inode before it has a place. A directory is named by itself, by the entry
/// that [`Entry::links`](mote_rootfs::tree::Entry) counts, and by each directory in it.
fn header(path: &TreePath, inode: &Inode, links: u32, index: usize) -> Result<Header, WriteError> {
    let meta = &inode.metadata;
    Ok(Header {
        form: Form::Extended,
        layout: Layout::Plain,
        xattr_bytes: xattr_bytes(path, inode)?,
        mode: inode.node.type_bits() as u16 | meta.mode,
        size: match &inode.node {
            Node::File(content) => content.len(),
            Node::Symlink(target) => target.len() as u64,
            _ => 0,
        },
        place: match &inode.node {
            Node::CharDevice(device) | Node::BlockDevice(device) => encode_device(*device),
            _ => 0,
        },
        ino: index as u32 + 1,
        uid: meta.uid,
        gid: meta.gid,
        mtime_s: meta.mtime_s,
        mtime_ns: meta.mtime_ns,
        links: links + u32::from(inode.is_directory()),
    })
}

fn xattr_bytes(path: &TreePath, inode: &Inode) -> Result<u32, WriteError> {
    let xattrs = &inode.metadata.xattrs;
    for (name, value) in xattrs {
        if xattr::split_name(name).1.len() > usize::from(u8::MAX)
            || value.len() > usize::from(u16::MAX)
        {
            let (path, name) = (path.clone(), name.escape_ascii().to_string());
            return Err(WriteError::Xattr { path, name, value_len: value.len() });
        }
    }
    match xattr::encoded_len(xattrs) {
        bytes @ 0..=XATTR_BYTES_MAX => Ok(bytes as u32),
        bytes => Err(WriteError::Xattrs { path: path.clone(), bytes }),
    }
}

/// The time that spares most inodes their own; the earliest of equally frequent ones.
fn most_frequent_time(items: &[Item<'_>]) -> i64 {
    let mut counts: HashMap<i64, u32> = HashMap::new();
    let whole = items.iter().map(|item| &item.header).filter(|header| header.mtime_ns == 0);
    whole.for_each(|header| *counts.entry(header.mtime_s).or_default() += 1);
    let most = counts.into_iter().max_by_key(|&(time, count)| (count, std::cmp::Reverse(time)));
    most.map_or(0, |(time, _)| time)
}

fn form(header: &Header, build_time_s: i64) -> Form {
    let fits = (header.mtime_s, header.mtime_ns) == (build_time_s, 0)
        && u32::try_from(header.size).is_ok()
        && [header.links, header.uid, header.gid].iter().all(|&id| u16::try_from(id).is_ok());
    if fits { Form::Compact } else { Form::Extended }
}

/// A place for inodes and directories, of an image of which the first block is free: before all
/// contents, or else behind them, the first block then being the superblock's alone.
fn place_metadata(space: &mut Space, blocks: u32) -> Option<u32> {
    let first = space.free().next();
    match first {
        Some(first) if first.end >= blocks => space.take_next_whole(blocks),
        _ => space.take_whole(0, 1).and(space.take_last(blocks)),
    }
}

/// Gives an inode a place from `at` on, and decides whether the end of its contents follows it.
fn place_inode(item: &mut Item<'_>, at: &mut u64) {
    let header = item.header.form.bytes() + u64::from(item.header.xattr_bytes);
    let mut len = header;
    let is_whole = item.in_place.is_some_and(|present| present.len == item.header.size);
    if !is_whole && item.tail() > 0 && header + item.tail() <= INLINE_MAX {
        item.header.layout = Layout::Inline;
        len += item.tail();
    }
    let stays = item.in_place.is_none_or(|present| present.len == item.in_blocks());
    assert!(stays, "a content lies in the image without an end that it has no room for elsewhere");
    if len > BLOCK_BYTES - *at % BLOCK_BYTES {
        *at = at.next_multiple_of(BLOCK_BYTES);
    }
    item.at = *at;
    *at = (*at + len).next_multiple_of(SLOT_BYTES);
}

/// Gives the contents of an inode blocks, unless they have some.
fn place_contents(tree: &Tree, item: &mut Item<'_>, space: &mut Space) -> Result<(), WriteError> {
    let place = match (item.in_place, u32::try_from(item.blocks())) {
        (Some(present), _) => Some(present.block),
        (None, Ok(blocks @ 0..=GAP_BLOCKS_MAX)) => space.take_next_whole(blocks),
        (None, Ok(blocks)) => space.take_last(blocks),
        (None, Err(_)) => None,
    };
    let too_large = || WriteError::TooLarge { path: tree.path_of(item.id), len: item.header.size };
    item.header.place = place.ok_or_else(too_large)?;
    Ok(())
}
