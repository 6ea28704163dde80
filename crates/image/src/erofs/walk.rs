//! All names of an image that may be hostile, in the order of its directories.

use mote_rootfs::tree::{NAME_MAX, PATH_MAX};

use super::directory;
use super::error::{Cause, FormatError, ReadError};
use super::image::{Found, Image, Place};

/// More names than any image has; who lists them has to hold them.
const NAMES_MAX: u64 = 1 << 22;

/// Goes through the names, holding a block of each directory from the root to where it is.
///
/// It ends for every image: the directories that it enters may have no more bytes in all than the
/// file, however often they are named and whether or not they lie in one another.
pub(super) struct Walk<'a> {
    image: &'a Image<'a>,
    root: Option<u64>,
    open: Vec<Directory>,
    path: Vec<u8>,
    /// Bytes of directories that may still be entered.
    left: u64,
    pub(super) names: u64,
}

struct Directory {
    nid: u64,
    parent: u64,
    place: Place,
    /// Length of its path.
    path_len: usize,
    blocks: u64,
    next_block: u64,
    block: Vec<u8>,
    count: usize,
    next: usize,
    /// The name read last.
    name: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(image: &'a Image<'a>) -> Self {
        let root = Some(image.superblock.root.into());
        Self { image, root, open: Vec::new(), path: Vec::new(), left: image.len, names: 0 }
    }

    /// The next name: its path without a leading slash, and its inode.
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], Found)>, ReadError> {
        let next = self.step();
        match next {
            Ok(found) => Ok(found.map(|inode| (self.path.as_slice(), inode))),
            Err(cause) => Err(cause.at(&self.path)),
        }
    }

    fn step(&mut self) -> Result<Option<Found>, Cause> {
        if let Some(root) = self.root.take() {
            let inode = self.image.inode(root)?;
            if !inode.is_directory() {
                return Err(FormatError::Root.into());
            }
            self.enter(&inode, root)?;
            return Ok(Some(inode));
        }
        while let Some(directory) = self.open.last_mut() {
            self.path.truncate(directory.path_len);
            let Some(nid) = directory.next_name(self.image)? else {
                self.open.pop();
                continue;
            };
            let parent = directory.nid;
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&directory.name);
            if self.path.len() > PATH_MAX {
                self.path.truncate(directory.path_len);
                return Err(FormatError::PathLength.into());
            }
            self.names += 1;
            if self.names > NAMES_MAX {
                return Err(FormatError::TooMuch.into());
            }
            let inode = self.image.inode(nid)?;
            if inode.is_directory() {
                self.enter(&inode, parent)?;
            }
            return Ok(Some(inode));
        }
        Ok(None)
    }

    fn enter(&mut self, inode: &Found, parent: u64) -> Result<(), Cause> {
        let left = self.left.checked_sub(inode.header.size);
        self.left = left.ok_or(FormatError::TooMuch)?;
        self.open.push(Directory {
            nid: inode.nid,
            parent,
            place: self.image.place(inode)?,
            path_len: self.path.len(),
            blocks: inode.header.size.div_ceil(self.image.block_bytes()),
            next_block: 0,
            block: Vec::new(),
            count: 0,
            next: 0,
            name: Vec::new(),
        });
        Ok(())
    }
}

impl Directory {
    /// Reads the next name that is not one of the dots, and gives the number of its inode.
    fn next_name(&mut self, image: &Image<'_>) -> Result<Option<u64>, Cause> {
        loop {
            while self.next == self.count {
                if self.next_block == self.blocks {
                    return Ok(None);
                }
                self.block = image.directory_block(&self.place, self.next_block)?;
                self.next_block += 1;
                self.count = directory::count(&self.block).ok_or_else(|| self.damaged())?;
                self.next = 0;
            }
            let found = directory::entry(&self.block, self.count, self.next);
            let (nid, name) = found.ok_or_else(|| self.damaged())?;
            let printable = || name.escape_ascii().to_string();
            if name.len() > NAME_MAX || name.iter().any(|byte| matches!(byte, 0 | b'/')) {
                return Err(FormatError::Name { name: printable() }.into());
            }
            if name <= self.name.as_slice() {
                return Err(FormatError::Order { name: printable() }.into());
            }
            self.name = name.to_vec();
            self.next += 1;
            match self.name.as_slice() {
                b"." if nid != self.nid => return Err(FormatError::Dots { name: "." }.into()),
                b".." if nid != self.parent => return Err(FormatError::Dots { name: ".." }.into()),
                b"." | b".." => {}
                _ => return Ok(Some(nid)),
            }
        }
    }

    fn damaged(&self) -> FormatError {
        FormatError::Directory { block: self.next_block.saturating_sub(1) }
    }
}
