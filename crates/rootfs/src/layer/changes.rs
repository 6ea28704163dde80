//! What a layer changes.

use std::fs::File;
use std::io::BufRead;
use std::sync::Arc;

use super::Limit;
use super::limits::Budget;
use crate::tar::{Archive, ArchiveError, Data, Entry, Kind};
use crate::tree::{Content, DataRun, Inode, Metadata, Node, TreePath};

/// Prefix of names that hide another one (`layer.md`, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";

/// Name that hides everything in its directory (`layer.md`, "Opaque Whiteout").
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Prefix of AUFS' own files, which are in layers by accident.
const AUFS: &[u8] = b".wh..wh.";

/// What a layer changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What it hides of the layers below.
    pub(super) whiteouts: Vec<Whiteout>,
    /// What it has, in the order of the archive.
    pub(super) entries: Vec<Change>,
}

#[derive(Debug)]
pub(super) enum Whiteout {
    /// This name, with all below it.
    Name(TreePath),
    /// All below this directory.
    Below(TreePath),
}

#[derive(Debug)]
pub(super) enum Change {
    Put(TreePath, Inode),
    /// A hard link, and what it links to.
    Link(TreePath, TreePath),
}

/// Why there are none.
pub(super) enum Failure {
    Archive(ArchiveError),
    Whiteout(TreePath),
    Limit(Limit),
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl From<Limit> for Failure {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

/// Where the archive's bytes can be found again: in a file, from an offset on.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) file: Arc<File>,
    pub(super) offset: u64,
}

impl Changes {
    /// Reads an archive to its end.
    pub(super) fn read<R: BufRead>(
        archive: &mut Archive<R>,
        place: &Place,
        budget: &Budget,
    ) -> Result<Self, Failure> {
        let mut changes = Self::default();
        while let Some(entry) = archive.next()? {
            budget.take(Limit::Entries, 1)?;
            budget.take(Limit::MetadataBytes, metadata_bytes(&entry))?;
            if let Kind::File(data) = &entry.kind {
                budget.check(Limit::Bytes, data.len)?;
            }
            changes.add(entry, place)?;
        }
        Ok(changes)
    }

    fn add(&mut self, entry: Entry, place: &Place) -> Result<(), Failure> {
        if let Some((directory, name)) = entry.path.split_last()
            && let Some(hidden) = name.strip_prefix(WHITEOUT)
        {
            if name == OPAQUE {
                self.whiteouts.push(Whiteout::Below(directory));
                return Ok(());
            }
            if !name.starts_with(AUFS) {
                let hidden = directory.join(hidden).ok().filter(|_| is_name(hidden));
                let hidden = hidden.ok_or(Failure::Whiteout(entry.path))?;
                self.whiteouts.push(Whiteout::Name(hidden));
                return Ok(());
            }
        }
        if !entry.path.components().any(|name| name.starts_with(AUFS)) {
            self.entries.push(change(entry, place));
        }
        Ok(())
    }
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
}

fn change(entry: Entry, place: &Place) -> Change {
    let Entry { path, metadata, kind } = entry;
    let node = match kind {
        Kind::Directory => Node::Directory,
        Kind::File(data) => Node::File(content(data, place)),
        Kind::Symlink(target) => {
            // What Linux shows for all of them; archives have anything.
            let metadata = Metadata { mode: 0o777, ..metadata };
            return Change::Put(path, Inode { node: Node::Symlink(target), metadata });
        }
        Kind::HardLink(target) => return Change::Link(path, target),
        Kind::CharDevice(device) => Node::CharDevice(device),
        Kind::BlockDevice(device) => Node::BlockDevice(device),
        Kind::Fifo => Node::Fifo,
    };
    Change::Put(path, Inode { node, metadata })
}

fn content(data: Data, place: &Place) -> Content {
    let Place { file, offset } = place.clone();
    match data.data_runs {
        None if data.len == 0 => Content::Bytes(Arc::default()),
        None => Content::Stretch { file, offset: offset + data.offset, len: data.len },
        Some(runs) => {
            let moved = |run: DataRun| DataRun { offset: offset + run.offset, ..run };
            Content::Sparse { file, len: data.len, data: runs.into_iter().map(moved).collect() }
        }
    }
}

/// What of an entry is held in memory and as long as the archive wants.
fn metadata_bytes(entry: &Entry) -> u64 {
    let kind = match &entry.kind {
        Kind::File(data) => size_of_val(data.data_runs.as_deref().unwrap_or_default()),
        Kind::Symlink(target) => target.len(),
        Kind::HardLink(target) => target.as_bytes().len(),
        _ => 0,
    };
    let xattrs = entry.metadata.xattrs.iter().map(|(name, value)| name.len() + value.len());
    (entry.path.as_bytes().len() + kind + xattrs.sum::<usize>()) as u64
}
