//! What an image holds: as a list of names, and as a tree.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use mote_rootfs::tree::{Content, Device, Inode, Metadata, Node, Stretch, Tree, TreePath};

use super::error::{Cause, FormatError, ReadError};
use super::format::decode_device;
use super::image::{Found, Image};
use super::walk::Walk;
use crate::Entry;

const TYPE: u16 = 0o170_000;
const DIRECTORY: u16 = 0o040_000;
const SYMLINK: u16 = 0o120_000;

/// What a whole image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks of the file system.
    pub blocks: u32,
    /// Inodes, as the superblock says.
    pub inodes: u64,
    /// Names, the root included.
    pub entries: u64,
    /// Time of the image in seconds since 1970.
    pub build_time_s: i64,
}

/// Looks whether an EROFS image is one, as far as one block tells: its superblock with its checksum,
/// and the length.
///
/// # Errors
///
/// See [`ReadError`].
pub fn check_erofs(file: &File) -> Result<(), ReadError> {
    Image::open(file).map(drop)
}

/// Shows every name of an EROFS image to `visit`: each directory before its entries, these in the
/// order of their bytes.
///
/// The image may be hostile, and may be of `mkfs.erofs`, compressed or not. Memory is taken for
/// one block of each directory of a path.
///
/// # Errors
///
/// See [`ReadError`].
pub fn list_erofs(file: &File, visit: &mut dyn FnMut(&Entry)) -> Result<Summary, ReadError> {
    let image = Image::open(file)?;
    let mut walk = Walk::new(&image);
    while let Some((path, inode)) = walk.next()? {
        let entry = entry(&image, path, &inode).map_err(|cause| cause.at(path))?;
        visit(&entry);
    }
    Ok(Summary {
        bytes: image.len,
        block_bytes: image.block_bytes(),
        blocks: image.superblock.blocks,
        inodes: image.superblock.inodes,
        entries: walk.names + 1,
        build_time_s: image.superblock.build_time_s,
    })
}

fn entry(image: &Image<'_>, path: &[u8], inode: &Found) -> Result<Entry, Cause> {
    let header = &inode.header;
    Ok(Entry {
        name: if path.is_empty() { b".".to_vec() } else { path.to_vec() },
        ino: inode.nid,
        mode: header.mode.into(),
        uid: header.uid,
        gid: header.gid,
        nlink: header.links,
        mtime_s: header.mtime_s,
        size: header.size,
        rdevice: inode.device().unwrap_or(Device { major: 0, minor: 0 }),
        target: match header.mode & TYPE {
            SYMLINK => Some(image.target(inode)?),
            _ => None,
        },
    })
}

/// Reads an uncompressed EROFS image as a tree, whose contents are stretches of `file`.
///
/// The image may be hostile: what is held in memory besides names is limited to four times the
/// length of the file.
///
/// # Errors
///
/// See [`ReadError`].
pub fn read_erofs(file: &Arc<File>) -> Result<Tree, ReadError> {
    let image = Image::open(file)?;
    let mut walk = Walk::new(&image);
    let mut reader =
        Reader { file, image: &image, left: image.len.saturating_mul(4), shared: HashMap::new() };
    let mut tree = Tree::new();
    while let Some((path, inode)) = walk.next()? {
        reader.add(&mut tree, path, &inode).map_err(|cause| cause.at(path))?;
    }
    Ok(tree)
}

struct Reader<'a> {
    file: &'a Arc<File>,
    image: &'a Image<'a>,
    /// Bytes of link targets and extended attributes that may still be held.
    left: u64,
    /// The first names of inodes with several.
    shared: HashMap<u64, TreePath>,
}

impl Reader<'_> {
    fn add(&mut self, tree: &mut Tree, path: &[u8], found: &Found) -> Result<(), Cause> {
        let path = match path {
            b"" => TreePath::root(),
            _ => TreePath::parse(path).map_err(|_| FormatError::Impossible)?,
        };
        if let Some(first) = self.shared.get(&found.nid) {
            return tree.link(&path, first).map_err(|_| FormatError::Impossible.into());
        }
        let inode = self.inode(found)?;
        if found.header.links > 1 && !inode.is_directory() {
            self.shared.insert(found.nid, path.clone());
        }
        tree.insert(&path, inode).map_err(|_| FormatError::Impossible.into())
    }

    fn inode(&mut self, found: &Found) -> Result<Inode, Cause> {
        let header = &found.header;
        let metadata = Metadata {
            mode: header.mode & !TYPE,
            uid: header.uid,
            gid: header.gid,
            mtime_s: header.mtime_s,
            mtime_ns: header.mtime_ns,
            xattrs: self.image.xattrs(found, &mut |bytes| charge(&mut self.left, bytes))?,
        };
        let device = || found.device().ok_or(FormatError::Impossible);
        let node = match header.mode & TYPE {
            0o010_000 => Node::Fifo,
            0o020_000 => Node::CharDevice(device()?),
            DIRECTORY => Node::Directory,
            0o060_000 => Node::BlockDevice(device()?),
            0o100_000 => Node::File(self.content(found)?),
            SYMLINK => {
                charge(&mut self.left, header.size)?;
                Node::Symlink(self.image.target(found)?.into())
            }
            0o140_000 => Node::Socket,
            _ => return Err(FormatError::Inode { nid: found.nid }.into()),
        };
        Ok(Inode { node, metadata })
    }

    fn content(&self, found: &Found) -> Result<Content, FormatError> {
        let place = self.image.place(found)?;
        let file = self.file.clone();
        let in_blocks = place.blocks.end - place.blocks.start;
        let in_tail = place.tail.end - place.tail.start;
        let head = Stretch { file: file.clone(), offset: place.blocks.start, len: in_blocks };
        let tail = Stretch { file, offset: place.tail.start, len: in_tail };
        Ok(match (in_blocks, in_tail) {
            (_, 0) => Content::Stretch(head),
            (0, _) => Content::Stretch(tail),
            _ => Content::Split { head, tail },
        })
    }
}

fn charge(left: &mut u64, bytes: u64) -> Result<(), FormatError> {
    *left = left.checked_sub(bytes).ok_or(FormatError::TooMuch)?;
    Ok(())
}

impl Found {
    pub(super) fn is_directory(&self) -> bool {
        self.header.mode & TYPE == DIRECTORY
    }

    /// The device that the inode stands for, if it does for one.
    fn device(&self) -> Option<Device> {
        let is_device = matches!(self.header.mode & TYPE, 0o020_000 | 0o060_000);
        is_device.then(|| decode_device(self.header.place))
    }
}
