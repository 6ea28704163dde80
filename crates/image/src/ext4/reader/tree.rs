//! What is read: a tree, or a list.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::sync::Arc;

use mote_rootfs::tree::{
    Content, DataRun, Device, Inode, Metadata, Node, PATH_MAX, Stretch, Tree, TreePath,
};

use super::error::{Cause, FormatError, ReadError};
use super::image::{Found, Image};
use super::walk::{Step, Walk};
use crate::Entry;
use crate::ext4::format::inode::{BLOCK_LEN, OLD_INODE_LEN, decode_device, extra_len, flags, kind};
use crate::ext4::format::superblock::compat;
use crate::ext4::format::xattr::{self, Named};
use crate::ext4::format::{FIRST_INODE, LOST_AND_FOUND};

/// Bytes of extended attributes that an image may have in all. Inodes can share a block of them,
/// and attributes their value: what they take in memory has no other bound.
const XATTR_BYTES_MAX: usize = 256 << 20;

/// What a whole image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks of the file system.
    pub blocks: u64,
    /// Blocks that are free, as the superblock says.
    pub free_blocks: u64,
    /// Inodes, used and free.
    pub inodes: u32,
    /// Inodes that are free, as the superblock says.
    pub free_inodes: u32,
    /// Names, the root included.
    pub entries: u64,
    /// Whether it has a journal.
    pub has_journal: bool,
    /// Volume label, without the zeros at its end.
    pub label: Vec<u8>,
    /// UUID.
    pub uuid: [u8; 16],
}

/// Looks whether an ext4 image is one, as far as one block tells: its superblock with its checksum,
/// and the length.
///
/// # Errors
///
/// See [`ReadError`].
pub fn check_ext4(file: &File) -> Result<(), ReadError> {
    Image::open(file).map(drop)
}

/// Lists the names of an ext4 image: directories before what is in them, which is sorted.
///
/// # Errors
///
/// See [`ReadError`].
pub fn list_ext4(file: &File, visit: &mut dyn FnMut(&Entry)) -> Result<Summary, ReadError> {
    let mut walk = Walk::new(Image::open(file)?);
    let mut targets = HashMap::new();
    let mut entries = 0;
    while let Some((step, image)) = walk.next()? {
        let entry = entry(image, &step, &mut targets).map_err(|cause| cause.at(step.path))?;
        visit(&entry);
        entries += 1;
    }
    let superblock = &walk.image.superblock;
    let label_len = superblock.label.iter().position(|&byte| byte == 0).unwrap_or(16);
    Ok(Summary {
        bytes: walk.image.len,
        block_bytes: walk.image.block_bytes(),
        blocks: superblock.blocks,
        free_blocks: superblock.free_blocks,
        inodes: superblock.inodes,
        free_inodes: superblock.free_inodes,
        entries,
        has_journal: superblock.compat & compat::HAS_JOURNAL != 0,
        label: superblock.label[..label_len].to_vec(),
        uuid: superblock.uuid,
    })
}

/// `targets` are those of symbolic links with several names.
fn entry(
    image: &mut Image<'_>,
    step: &Step<'_>,
    targets: &mut HashMap<u32, Vec<u8>>,
) -> Result<Entry, Cause> {
    let record = &step.found.record;
    let target = match (record.mode & kind::MASK, targets.get(&step.found.number)) {
        (kind::SYMLINK, Some(target)) => Some(target.clone()),
        (kind::SYMLINK, None) => Some(target(image, &step.found)?),
        _ => None,
    };
    if let (Some(target), true) = (&target, record.links > 1) {
        targets.insert(step.found.number, target.clone());
    }
    let is_device = matches!(record.mode & kind::MASK, kind::CHAR_DEVICE | kind::BLOCK_DEVICE);
    Ok(Entry {
        name: if step.path.is_empty() { b".".to_vec() } else { step.path.to_vec() },
        ino: step.found.number.into(),
        mode: record.mode.into(),
        uid: record.uid,
        gid: record.gid,
        nlink: record.links.into(),
        mtime_s: record.mtime_s,
        size: record.size,
        rdevice: match is_device {
            true => decode_device(&record.block),
            false => Device { major: 0, minor: 0 },
        },
        target,
    })
}

/// Reads an ext4 image as a tree, whose contents are stretches of `file`.
///
/// Images of others are read as well, also ext2 and ext3, but not what has inline data, encryption,
/// clusters, or a journal with something in it. An empty `lost+found` with the number 11 is the
/// file system's own, and left out.
///
/// The image may be hostile: memory is taken for what it really holds, not for what it says.
///
/// # Errors
///
/// See [`ReadError`].
pub fn read_ext4(file: &Arc<File>) -> Result<Tree, ReadError> {
    let mut reader = Reader { file, xattr_bytes: 0, shared: HashMap::new(), tree: Tree::new() };
    let mut walk = Walk::new(Image::open(file)?);
    while let Some((step, image)) = walk.next()? {
        let is_own = step.found.number == FIRST_INODE
            && step.path == LOST_AND_FOUND
            && step.found.record.mode & kind::MASK == kind::DIRECTORY
            && step.names == 0;
        if !is_own {
            reader.add(image, &step).map_err(|cause| cause.at(step.path))?;
        }
    }
    Ok(reader.tree)
}

type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

struct Reader<'a> {
    file: &'a Arc<File>,
    xattr_bytes: usize,
    /// The first names of inodes with several.
    shared: HashMap<u32, TreePath>,
    tree: Tree,
}

impl Reader<'_> {
    fn add(&mut self, image: &mut Image<'_>, step: &Step<'_>) -> Result<(), Cause> {
        let name = || FormatError::Name { name: step.path.escape_ascii().to_string() };
        let path = match step.path {
            b"" => TreePath::root(),
            path => TreePath::parse(path).map_err(|_| name())?,
        };
        let number = step.found.number;
        if let Some(first) = self.shared.get(&number) {
            return self.tree.link(&path, first).map_err(|_| name().into());
        }
        let inode = self.inode(image, &step.found)?;
        if !inode.is_directory() && step.found.record.links > 1 {
            self.shared.insert(number, path.clone());
        }
        self.tree.insert(&path, inode).map_err(|_| name().into())
    }

    fn inode(&mut self, image: &mut Image<'_>, found: &Found) -> Result<Inode, Cause> {
        let record = &found.record;
        let node = match record.mode & kind::MASK {
            kind::FIFO => Node::Fifo,
            kind::CHAR_DEVICE => Node::CharDevice(decode_device(&record.block)),
            kind::DIRECTORY => Node::Directory,
            kind::BLOCK_DEVICE => Node::BlockDevice(decode_device(&record.block)),
            kind::FILE => Node::File(self.content(image, found)?),
            kind::SYMLINK => Node::Symlink(target(image, found)?.into()),
            kind::SOCKET => Node::Socket,
            _ => {
                return Err(FormatError::Mode { number: found.number, mode: record.mode }.into());
            }
        };
        let metadata = Metadata {
            mode: record.mode & !kind::MASK,
            uid: record.uid,
            gid: record.gid,
            mtime_s: record.mtime_s,
            mtime_ns: record.mtime_ns,
            xattrs: self.xattrs(image, found)?,
        };
        Ok(Inode { node, metadata })
    }

    fn content(&self, image: &mut Image<'_>, found: &Found) -> Result<Content, Cause> {
        let data = data(image, found)?;
        let len = found.record.size;
        let file = self.file.clone();
        Ok(match data[..] {
            _ if len == 0 => Content::from(""),
            [DataRun { at: 0, offset, len: run }] if run == len => {
                Content::Stretch(Stretch { file, offset, len })
            }
            _ => Content::Sparse { file, len, data: data.into() },
        })
    }

    fn xattrs(&mut self, image: &mut Image<'_>, found: &Found) -> Result<Xattrs, Cause> {
        let mut xattrs = Xattrs::new();
        let mut add = |named: Result<Named, xattr::Broken>| {
            let (name, value) = named.map_err(|_| FormatError::Xattrs)?;
            self.xattr_bytes += name.len() + value.len();
            if self.xattr_bytes > XATTR_BYTES_MAX {
                return Err(FormatError::TooMuch);
            }
            match xattrs.insert(name.into(), value.into()) {
                None => Ok(()),
                Some(_) => Err(FormatError::Xattrs),
            }
        };
        let room = &found.bytes[OLD_INODE_LEN + extra_len(&found.bytes)..];
        xattr::in_inode(room).try_for_each(&mut add)?;
        if found.record.xattr_block != 0 {
            let block = image.block(found.record.xattr_block)?;
            xattr::in_block(&block).map_err(|_| FormatError::Xattrs)?.try_for_each(&mut add)?;
        }
        Ok(xattrs)
    }
}

/// Where the bytes of an inode lie, clipped to its size.
fn data(image: &mut Image<'_>, found: &Found) -> Result<Vec<DataRun>, Cause> {
    let len = found.record.size;
    let block_bytes = image.block_bytes();
    if len > (1 << 32) * block_bytes {
        return Err(FormatError::Size { len }.into());
    }
    let mut runs: Vec<DataRun> = Vec::new();
    for extent in image.extents(found)? {
        let at = u64::from(extent.logical) * block_bytes;
        let offset = extent.physical * block_bytes;
        let run_len = (u64::from(extent.len) * block_bytes).min(len.saturating_sub(at));
        match runs.last_mut() {
            _ if run_len == 0 => {}
            Some(last) if last.at + last.len == at && last.offset + last.len == offset => {
                last.len += run_len;
            }
            _ => runs.push(DataRun { at, offset, len: run_len }),
        }
    }
    Ok(runs)
}

/// The target of a symbolic link: in the inode if it is short, else in a block.
fn target(image: &mut Image<'_>, found: &Found) -> Result<Vec<u8>, Cause> {
    let len = found.record.size;
    let bad = FormatError::Target { len };
    if !(1..=PATH_MAX as u64).contains(&len) {
        return Err(bad.into());
    }
    let target = if len < BLOCK_LEN as u64 && found.record.flags & flags::EXTENTS == 0 {
        found.record.block[..len as usize].to_vec()
    } else {
        let mut target = Vec::new();
        for run in data(image, found)? {
            if run.at != target.len() as u64 {
                return Err(bad.into());
            }
            let block_bytes = image.block_bytes();
            for block in run.offset / block_bytes..(run.offset + run.len).div_ceil(block_bytes) {
                target.extend_from_slice(&image.block(block)?);
            }
            target.truncate(len as usize);
        }
        target
    };
    match target.len() as u64 == len && !target.contains(&0) {
        true => Ok(target),
        false => Err(bad.into()),
    }
}
