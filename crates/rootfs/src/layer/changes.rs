//! What a layer changes.

use super::Limit;
use super::limits::Budget;
use super::place::Places;
use super::stream::Outlet;
use crate::tar::{Archive, ArchiveError, Data, Entry, Kind};
use crate::tree::{Content, Inode, Metadata, Node, PathError, TreePath};

/// Prefix of names that hide another one (`layer.md`, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";

/// Name that hides everything in its directory (`layer.md`, "Opaque Whiteout").
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Prefix of AUFS' own files, which are in layers by accident.
const AUFS: &[u8] = b".wh..wh.";

/// Directory of AUFS' for files with several names. Hard links of a layer may name what lies there,
/// which is there until the layer is applied.
pub(super) const AUFS_LINKS: &[u8] = b".wh..wh.plnk/";

/// Prefix of extended attributes that are overlayfs' own (Documentation/filesystems/overlayfs.rst):
/// of the machine that packed the layer, and words to an overlayfs that this image lies below.
const OVERLAY: &[u8] = b"trusted.overlay.";

/// The last second since 1970 that fits 64 bits of nanoseconds, in 2262. What is later, or as long before
/// 1970, becomes 1970, as in docker and containerd (`boundTime`), which do so with all times before.
const TIME_MAX_S: i64 = i64::MAX / 1_000_000_000;

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
    /// A whiteout and why it hides nothing.
    Whiteout(String, PathError),
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

impl Changes {
    /// Reads an archive to its end.
    pub(super) fn read(
        archive: &mut Archive<Outlet<'_>>,
        budget: &Budget,
    ) -> Result<Self, Failure> {
        let mut changes = Self::default();
        while let Some(entry) = archive.next()? {
            budget.take(Limit::Entries, 1)?;
            budget.take(Limit::MetadataBytes, metadata_bytes(&entry))?;
            if let Kind::File(data) = &entry.kind {
                budget.take(Limit::Bytes, data.holes())?;
            }
            changes.add(entry, &mut archive.reader_mut().places)?;
        }
        Ok(changes)
    }

    fn add(&mut self, entry: Entry, places: &mut Places<'_>) -> Result<(), Failure> {
        // As bytes: with the prefix, the name of a whiteout may be too long for a file.
        let (directory, name) = split_last(&entry.name);
        if name.starts_with(WHITEOUT) && (name == OPAQUE || !name.starts_with(AUFS)) {
            let whiteout = whiteout(directory, name);
            let name = || entry.name.escape_ascii().to_string();
            self.whiteouts.push(whiteout.map_err(|source| Failure::Whiteout(name(), source))?);
            return Ok(());
        }
        let path = entry.path()?;
        let is_linked =
            matches!(entry.kind, Kind::File(_)) && path.as_bytes().starts_with(AUFS_LINKS);
        if is_linked || !path.components().any(|name| name.starts_with(AUFS)) {
            self.entries.push(change(path, entry, |data, metadata| places.content(data, metadata)));
        }
        Ok(())
    }
}

/// What is before the last name, and that name.
fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let start = path[..end].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    (&path[..start], &path[start..end])
}

fn whiteout(directory: &[u8], name: &[u8]) -> Result<Whiteout, PathError> {
    let directory = [b"/", directory].concat();
    if name == OPAQUE {
        return TreePath::parse(directory).map(Whiteout::Below);
    }
    // Checked by itself: nothing, or a dot, would be the directory.
    let hidden = TreePath::parse(&name[WHITEOUT.len()..])?;
    if hidden.is_root() {
        return Err(PathError::Empty);
    }
    TreePath::parse([&*directory, b"/", hidden.as_bytes()].concat()).map(Whiteout::Name)
}

fn change(
    path: TreePath,
    entry: Entry,
    content: impl FnOnce(Data, &Metadata) -> Content,
) -> Change {
    let Entry { mut metadata, kind, .. } = entry;
    metadata.xattrs.retain(|name, _| !name.starts_with(OVERLAY));
    if !(-TIME_MAX_S..=TIME_MAX_S).contains(&metadata.mtime_s) {
        (metadata.mtime_s, metadata.mtime_ns) = (0, 0);
    }
    let node = match kind {
        Kind::Directory => Node::Directory,
        Kind::File(data) => Node::File(content(data, &metadata)),
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

/// What of an entry is held in memory and as long as the archive wants.
fn metadata_bytes(entry: &Entry) -> u64 {
    let kind = match &entry.kind {
        Kind::File(data) => size_of_val(data.data_runs.as_deref().unwrap_or_default()),
        Kind::Symlink(target) => target.len(),
        Kind::HardLink(target) => target.as_bytes().len(),
        _ => 0,
    };
    let xattrs = entry.metadata.xattrs.iter().map(|(name, value)| name.len() + value.len());
    (entry.name.len() + kind + xattrs.sum::<usize>()) as u64
}
