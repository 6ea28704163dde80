//! What is to be written, before it has a place: inodes with their numbers, the bytes of
//! directories, and which blocks of a file hold data.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;

use mote_rootfs::tree::{Content, Entry, Inode, InodeId, Node, SOURCE_DATE_EPOCH, Tree, TreePath};

use super::directory::{Directory, Name, render_lost_and_found};
use super::geometry::BLOCK_LEN;
use super::options::WriteError;
use crate::ext4::format::dirent::Kind;
use crate::ext4::format::inode::{
    BLOCK_LEN as INODE_BLOCK_LEN, INODE_LEN, MTIME_MAX, MTIME_MIN, XATTRS_AT, encode_device, flags,
};
use crate::ext4::format::xattr::{self, Unfit, Xattr};
use crate::ext4::format::{FIRST_INODE, LOST_AND_FOUND, ROOT_INODE};
use crate::in_place::{InPlace, Present};

/// Most names of a file (`EXT4_LINK_MAX` of `fs/ext4/ext4.h`). A directory with more
/// subdirectories says that it has one, with the feature `dir_nlink`.
const LINKS_MAX: u32 = 65_000;

/// An inode without its place.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// Which one it is in the tree, if it is there.
    pub(super) id: Option<InodeId>,
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime_s: i64,
    pub(super) mtime_ns: u32,
    pub(super) links: u16,
    pub(super) flags: u32,
    /// Bytes.
    pub(super) size: u64,
    pub(super) body: Body<'a>,
    /// Contents that stay where they are.
    pub(super) in_place: Option<Present>,
    /// Bytes behind the inode's fields.
    pub(super) inode_xattrs: Option<Box<[u8; INODE_LEN - XATTRS_AT]>>,
    pub(super) xattr_block: Option<Box<[u8; BLOCK_LEN]>>,
}

/// What an inode holds.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// What fits into the inode: a short link target, a device number, nothing.
    Inode([u8; INODE_BLOCK_LEN]),
    /// Blocks whose first bytes are these.
    Bytes(Vec<u8>),
    /// Blocks of a file of the tree.
    Content(&'a Content),
}

/// All inodes of a file system but those that its size decides upon.
#[derive(Debug)]
pub(super) struct Drafts<'a> {
    /// By ascending number.
    pub(super) inodes: Vec<Draft<'a>>,
    pub(super) in_place: InPlace,
    /// The first number that is free.
    pub(super) next_number: u32,
}

impl<'a> Drafts<'a> {
    /// Numbers the inodes of a tree in the order of its walk: the root has 2, the others 12 and
    /// more. 11 is `lost+found`, unless the tree has one of its own.
    ///
    /// Contents may lie in `out` already.
    pub(super) fn new(tree: &'a Tree, seed: &[u8; 16], out: &File) -> Result<Self, WriteError> {
        let mut drafts = Self {
            inodes: Vec::new(),
            in_place: InPlace::new(std::iter::empty()),
            next_number: FIRST_INODE + 1,
        };
        let mut directories = drafts.number(tree, out)?;
        drafts.in_place = InPlace::new(drafts.inodes.iter().filter_map(|draft| draft.in_place));
        drafts.add_lost_and_found(&mut directories);
        drafts.fill_directories(tree, &directories, seed)?;
        drafts.inodes.sort_by_key(|draft| draft.number);
        Ok(drafts)
    }

    /// Drafts all inodes; the directories among them are still empty, and returned.
    fn number(&mut self, tree: &'a Tree, out: &File) -> Result<Vec<Directory>, WriteError> {
        let mut directories: Vec<Directory> = Vec::new();
        // The directories above the current name, as indices.
        let mut above: Vec<usize> = Vec::new();
        let mut shared = HashMap::new();
        for entry in tree.walk() {
            above.truncate(entry.path.components().count());
            let is_first = entry.links == 1 || !shared.contains_key(&entry.id);
            let number = match shared.get(&entry.id) {
                Some(&number) => number,
                None if entry.path.is_root() => ROOT_INODE,
                None => self.take_number(),
            };
            if entry.links > 1 {
                shared.insert(entry.id, number);
            }
            let parent = above.last().map_or(ROOT_INODE, |&index| directories[index].inode);
            if let (Some(&index), Some((_, name))) = (above.last(), entry.path.split_last()) {
                let kind = kind_of(&entry.inode.node);
                directories[index].names.push(Name { name: name.into(), inode: number, kind });
            }
            if entry.inode.is_directory() {
                above.push(directories.len());
                directories.push(Directory { inode: number, parent, names: Vec::new() });
            }
            if is_first {
                self.inodes.push(draft(entry, number, out)?);
            }
        }
        Ok(directories)
    }

    fn take_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = number.checked_add(1).expect("a tree in memory has < 2^32 inodes");
        number
    }

    fn add_lost_and_found(&mut self, directories: &mut [Directory]) {
        let root = &mut directories[0];
        if root.names.iter().any(|name| *name.name == *LOST_AND_FOUND) {
            return;
        }
        let name = LOST_AND_FOUND.into();
        root.names.push(Name { name, inode: FIRST_INODE, kind: Kind::Directory });
        root.names.sort_by(|a, b| a.name.cmp(&b.name));
        let directory = Directory { inode: FIRST_INODE, parent: ROOT_INODE, names: Vec::new() };
        let blocks = render_lost_and_found(&directory);
        self.inodes.push(Draft {
            links: 2,
            size: blocks.len() as u64,
            body: Body::Bytes(blocks),
            ..Draft::of_system(FIRST_INODE, crate::ext4::format::inode::kind::DIRECTORY | 0o700)
        });
    }

    fn fill_directories(
        &mut self,
        tree: &Tree,
        directories: &[Directory],
        seed: &[u8; 16],
    ) -> Result<(), WriteError> {
        // In the order of the walk, as the directories are.
        let tree_directories = self.inodes.iter_mut().filter(|draft| draft.is_unfilled());
        for (draft, directory) in tree_directories.zip(directories) {
            let Some(rendered) = directory.render(seed) else {
                return Err(WriteError::Directory { path: draft.path(tree) });
            };
            let is_directory = |name: &&Name| name.kind == Kind::Directory;
            let links = 2 + directory.names.iter().filter(is_directory).count();
            draft.links = if links > LINKS_MAX as usize { 1 } else { links as u16 };
            draft.flags |= if rendered.is_indexed { flags::INDEX } else { 0 };
            draft.size = rendered.blocks.len() as u64;
            draft.body = Body::Bytes(rendered.blocks);
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// An inode of the file system itself, root's, with extents.
    pub(super) fn of_system(number: u32, mode: u16) -> Self {
        Self {
            id: None,
            number,
            mode,
            uid: 0,
            gid: 0,
            mtime_s: SOURCE_DATE_EPOCH,
            mtime_ns: 0,
            links: 1,
            flags: flags::EXTENTS,
            size: 0,
            body: Body::Bytes(Vec::new()),
            in_place: None,
            inode_xattrs: None,
            xattr_block: None,
        }
    }

    /// The first of its names in the tree.
    pub(super) fn path(&self, tree: &Tree) -> TreePath {
        self.id.map_or_else(TreePath::root, |id| tree.path_of(id))
    }

    /// Whether this is a directory.
    pub(super) fn is_directory(&self) -> bool {
        use crate::ext4::format::inode::kind;
        self.mode & kind::MASK == kind::DIRECTORY
    }

    fn is_unfilled(&self) -> bool {
        self.is_directory() && matches!(&self.body, Body::Bytes(bytes) if bytes.is_empty())
    }

    /// The blocks of the file that need a place: ascending and apart.
    pub(super) fn runs(&self) -> Vec<Range<u32>> {
        match &self.body {
            Body::Inode(_) => Vec::new(),
            Body::Bytes(_) => {
                let blocks = self.size.div_ceil(BLOCK_LEN as u64) as u32;
                Some(0..blocks).filter(|run| !run.is_empty()).into_iter().collect()
            }
            Body::Content(content) => block_runs(content.data()),
        }
    }
}

/// Stretches of bytes as the blocks that they touch.
fn block_runs(data: impl Iterator<Item = Range<u64>>) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    for range in data {
        let first = (range.start / BLOCK_LEN as u64) as u32;
        let end = range.end.div_ceil(BLOCK_LEN as u64) as u32;
        match runs.last_mut() {
            Some(last) if last.end >= first => last.end = last.end.max(end),
            _ => runs.push(first..end),
        }
    }
    runs
}

fn kind_of(node: &Node) -> Kind {
    match node {
        Node::Directory => Kind::Directory,
        Node::File(_) => Kind::File,
        Node::Symlink(_) => Kind::Symlink,
        Node::CharDevice(_) => Kind::CharDevice,
        Node::BlockDevice(_) => Kind::BlockDevice,
        Node::Fifo => Kind::Fifo,
        Node::Socket => Kind::Socket,
    }
}

fn draft<'a>(entry: Entry<'a>, number: u32, out: &File) -> Result<Draft<'a>, WriteError> {
    let Entry { path, id, inode, links } = entry;
    let metadata = &inode.metadata;
    if links > LINKS_MAX {
        return Err(WriteError::Links { path, links });
    }
    let (size, body) = body(inode, &path)?;
    let (inode_xattrs, xattr_block) = place_xattrs(inode, &path)?;
    Ok(Draft {
        number,
        mode: inode.node.type_bits() as u16 | metadata.mode,
        uid: metadata.uid,
        gid: metadata.gid,
        mtime_s: metadata.mtime_s.clamp(MTIME_MIN, MTIME_MAX),
        mtime_ns: metadata.mtime_ns,
        links: links as u16,
        flags: if matches!(body, Body::Inode(_)) { 0 } else { flags::EXTENTS },
        size,
        in_place: match body {
            Body::Content(content) => Present::of(content, out).inspect(|present| {
                assert_eq!(present.len, size, "the image has not all of a content");
            }),
            _ => None,
        },
        body,
        inode_xattrs,
        xattr_block,
        id: Some(id),
    })
}

fn body<'a>(inode: &'a Inode, path: &TreePath) -> Result<(u64, Body<'a>), WriteError> {
    /// What a file's last block must be below: numbers have 32 bits, and the last stands for none.
    const FILE_BLOCKS_MAX: u64 = u32::MAX as u64;
    Ok(match &inode.node {
        Node::Directory => (0, Body::Bytes(Vec::new())),
        Node::File(content) => {
            let len = content.len();
            if len.div_ceil(BLOCK_LEN as u64) > FILE_BLOCKS_MAX {
                return Err(WriteError::FileTooLarge { path: path.clone(), len });
            }
            (len, Body::Content(content))
        }
        Node::Symlink(target) => (target.len() as u64, symlink_body(target)),
        Node::CharDevice(device) | Node::BlockDevice(device) => {
            (0, Body::Inode(encode_device(*device)))
        }
        Node::Fifo | Node::Socket => (0, Body::Inode([0; INODE_BLOCK_LEN])),
    })
}

/// A target that leaves room for a NUL byte lies in the inode.
fn symlink_body(target: &[u8]) -> Body<'static> {
    let mut block = [0; INODE_BLOCK_LEN];
    match block[..INODE_BLOCK_LEN - 1].get_mut(..target.len()) {
        Some(room) => {
            room.copy_from_slice(target);
            Body::Inode(block)
        }
        None => Body::Bytes(target.to_vec()),
    }
}

type PlacedXattrs = (Option<Box<[u8; INODE_LEN - XATTRS_AT]>>, Option<Box<[u8; BLOCK_LEN]>>);

/// Attributes that still fit go into the inode, in their order; the others into a block.
fn place_xattrs(inode: &Inode, path: &TreePath) -> Result<PlacedXattrs, WriteError> {
    let printable = |name: &[u8]| name.escape_ascii().to_string();
    let mut in_inode = Vec::new();
    let mut in_block = Vec::new();
    let mut inode_room = xattr::inode_room(INODE_LEN - XATTRS_AT);
    for (name, value) in &inode.metadata.xattrs {
        let xattr = match Xattr::new(name, value) {
            Ok(xattr) => xattr,
            Err(Unfit::Namespace) => continue,
            Err(Unfit::Name) => {
                return Err(WriteError::XattrName { path: path.clone(), name: printable(name) });
            }
            Err(Unfit::Acl) => {
                return Err(WriteError::Acl { path: path.clone(), name: printable(name) });
            }
        };
        match inode_room.checked_sub(xattr.len()) {
            Some(room) => {
                inode_room = room;
                in_inode.push(xattr);
            }
            None => in_block.push(xattr),
        }
    }
    let room = xattr::block_room(BLOCK_LEN);
    let len = in_block.iter().map(Xattr::len).sum();
    if len > room {
        return Err(WriteError::Xattrs { path: path.clone(), len, room });
    }
    let inode_bytes = (!in_inode.is_empty()).then(|| {
        let mut bytes = Box::new([0; INODE_LEN - XATTRS_AT]);
        xattr::put_in_inode(&mut *bytes, &in_inode);
        bytes
    });
    let block = (!in_block.is_empty()).then(|| {
        in_block.sort();
        let mut bytes = Box::new([0; BLOCK_LEN]);
        xattr::put_in_block(&mut *bytes, &in_block);
        bytes
    });
    Ok((inode_bytes, block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_out_to_blocks() {
        let runs = |data: &[Range<u64>]| block_runs(data.iter().cloned());
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[0..1, 4095..4096, 4097..4098, 12_288..20_481]), [0..2, 3..6]);
    }

    #[test]
    fn lost_and_found_has_eleven_unless_the_tree_has_one() {
        let mut tree = Tree::new();
        let numbers = |tree: &Tree| {
            let out = tempfile::tempfile().unwrap();
            let drafts = Drafts::new(tree, &[0; 16], &out).unwrap();
            drafts.inodes.iter().map(|draft| draft.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&tree), [2, 11]);
        tree.insert(&TreePath::parse("a/b").unwrap(), Inode::file("", 0)).unwrap();
        assert_eq!(numbers(&tree), [2, 11, 12, 13]);
        tree.insert(&TreePath::parse("lost+found").unwrap(), Inode::directory(0)).unwrap();
        assert_eq!(numbers(&tree), [2, 12, 13, 14]);
    }
}
