//! All names of an image, the names of each directory sorted.

use std::collections::HashSet;

use mote_rootfs::tree::{NAME_MAX, PATH_MAX};

use super::error::{Cause, FormatError, ReadError};
use super::image::{Found, Image};
use crate::ext4::format::ROOT_INODE;
use crate::ext4::format::dirent;
use crate::ext4::format::inode::kind;

/// Goes through the names, the root first and each directory before its entries.
///
/// It ends for every image: a directory has one name only, and no block is read twice.
pub(super) struct Walk<'a> {
    pub(super) image: Image<'a>,
    root: Option<u32>,
    entered: HashSet<u32>,
    open: Vec<Directory>,
    path: Vec<u8>,
}

struct Directory {
    /// Length of its path.
    path_len: usize,
    /// What is still to come, in descending order.
    names: Vec<Name>,
}

type Name = (Box<[u8]>, u32);

/// A name's inode, and how many names it has below it.
pub(super) struct Step<'a> {
    /// The path without a leading slash.
    pub(super) path: &'a [u8],
    pub(super) found: Found,
    pub(super) names: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(image: Image<'a>) -> Self {
        let root = Some(ROOT_INODE);
        Self { image, root, entered: HashSet::new(), open: Vec::new(), path: Vec::new() }
    }

    /// The image, to read more of an inode.
    pub(super) fn next(&mut self) -> Result<Option<(Step<'_>, &mut Image<'a>)>, ReadError> {
        match self.step() {
            Ok(Some((found, names))) => {
                Ok(Some((Step { path: &self.path, found, names }, &mut self.image)))
            }
            Ok(None) => Ok(None),
            Err(cause) => Err(cause.at(&self.path)),
        }
    }

    fn step(&mut self) -> Result<Option<(Found, usize)>, Cause> {
        if let Some(root) = self.root.take() {
            let found = self.image.inode(root)?;
            if found.record.mode & kind::MASK != kind::DIRECTORY {
                return Err(FormatError::Mode { number: root, mode: found.record.mode }.into());
            }
            return self.enter(found).map(Some);
        }
        while let Some(directory) = self.open.last_mut() {
            self.path.truncate(directory.path_len);
            let Some((name, number)) = directory.names.pop() else {
                self.open.pop();
                continue;
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            if self.path.len() > PATH_MAX {
                self.path.truncate(PATH_MAX);
                return Err(FormatError::PathLength.into());
            }
            let found = self.image.inode(number)?;
            return match found.record.mode & kind::MASK {
                kind::DIRECTORY => self.enter(found).map(Some),
                _ => Ok(Some((found, 0))),
            };
        }
        Ok(None)
    }

    fn enter(&mut self, found: Found) -> Result<(Found, usize), Cause> {
        if !self.entered.insert(found.number) {
            return Err(FormatError::DirectoryTwice.into());
        }
        let mut names = names(&mut self.image, &found)?;
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(impossible(&twice[0].0).into());
        }
        names.reverse();
        let count = names.len();
        self.open.push(Directory { path_len: self.path.len(), names });
        Ok((found, count))
    }
}

fn names(image: &mut Image<'_>, found: &Found) -> Result<Vec<Name>, Cause> {
    let mut names = Vec::new();
    for extent in image.extents(found)? {
        for index in 0..extent.len {
            let logical = extent.logical.saturating_add(index);
            let block = image.block(extent.physical + u64::from(index))?;
            for entry in dirent::entries(&block) {
                let entry = entry.map_err(|_| FormatError::Directory { block: logical })?;
                match entry.name {
                    b"." | b".." => {}
                    name if is_possible(name) => names.push((name.into(), entry.inode)),
                    name => return Err(impossible(name).into()),
                }
            }
        }
    }
    Ok(names)
}

fn is_possible(name: &[u8]) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.contains(&b'/') && !name.contains(&0)
}

fn impossible(name: &[u8]) -> FormatError {
    FormatError::Name { name: name.escape_ascii().to_string() }
}
