//! A tree as one newc archive.

use std::collections::HashMap;
use std::io::{self, Write};

use mote_process::Cancelled;
use mote_rootfs::tree::{Content, Device, Entry, InodeId, Node, Tree, TreePath};

use super::format::{Header, TRAILER, padding};
use crate::{OnProgress, Progress};

/// Why an archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The format has 32 bits for the size of a file.
    #[error("{path} has {len} bytes: cpio takes files of less than 4 GiB")]
    TooLarge {
        /// The file.
        path: TreePath,
        /// Its length in bytes.
        len: u64,
    },
    /// The bytes of a file of the tree could not be read.
    #[error("{path} could not be read")]
    Content {
        /// The file, in the tree.
        path: TreePath,
        /// Why.
        source: io::Error,
    },
    /// The archive could not be written to.
    #[error("the archive could not be written")]
    Output(#[source] io::Error),
    /// Whoever was told of the progress wanted no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Names, with the root's `.`, without the trailer.
    pub entries: u64,
    /// Bytes of the archive before compression: a multiple of 4, so that another may follow.
    pub bytes: u64,
    /// Inodes with extended attributes, for which cpio has no place.
    pub without_xattrs: u64,
}

/// Writes a tree as one archive with its trailer.
///
/// The same tree gives the same bytes: names in the order of the tree's walk, inodes numbered
/// from 1 in the order in which they are met. Of a file with several names the last one has the
/// bytes, as GNU cpio writes it; the kernel takes the first or the last. Times before 1970 become
/// 1970, and those after 2106 become 2106, where the format ends.
///
/// # Errors
///
/// See [`WriteError`].
pub fn write_archive(
    tree: &Tree,
    out: &mut dyn Write,
    on_progress: OnProgress<'_>,
) -> Result<Written, WriteError> {
    let mut writer = Writer {
        out,
        written: Written::default(),
        next_ino: 1,
        shared: HashMap::new(),
        progress: Progress::new(on_progress),
    };
    for entry in tree.walk() {
        writer.entry(&entry)?;
    }
    writer.trailer()?;
    Ok(writer.written)
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    written: Written,
    next_ino: u32,
    /// Inodes with names still to come.
    shared: HashMap<InodeId, Shared>,
    progress: Progress<'a>,
}

struct Shared {
    ino: u32,
    names_left: u32,
}

/// Whether a name carries the bytes of its file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    Bytes,
    Nothing,
}

impl Writer<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), WriteError> {
        let (ino, carries) = self.number(entry);
        let meta = &entry.inode.metadata;
        let node = &entry.inode.node;
        let device = match node {
            Node::CharDevice(device) | Node::BlockDevice(device) => *device,
            _ => Device { major: 0, minor: 0 },
        };
        let mut header = Header {
            ino,
            mode: node.type_bits() | u32::from(meta.mode),
            uid: meta.uid,
            gid: meta.gid,
            nlink: entry.links,
            mtime: meta.mtime_s.clamp(0, u32::MAX.into()) as u32,
            rdevmajor: device.major,
            rdevminor: device.minor,
            ..Header::default()
        };
        self.written.entries += 1;
        self.written.without_xattrs += u64::from(!meta.xattrs.is_empty());
        match node {
            Node::Symlink(target) => {
                header.filesize = target.len() as u32;
                self.head(header, &archive_name(&entry.path))?;
                self.bytes(target)?;
                self.pad()
            }
            Node::File(content) if carries == Carries::Bytes => {
                header.filesize = u32::try_from(content.len()).map_err(|_| {
                    WriteError::TooLarge { path: entry.path.clone(), len: content.len() }
                })?;
                self.head(header, &archive_name(&entry.path))?;
                self.content(content, &entry.path)?;
                self.pad()
            }
            _ => self.head(header, &archive_name(&entry.path)),
        }
    }

    /// The number of the entry's inode, and whether this is the last of its names.
    fn number(&mut self, entry: &Entry<'_>) -> (u32, Carries) {
        let next_ino = self.next_ino;
        let mut fresh = || {
            self.next_ino = next_ino.checked_add(1).expect("a tree in memory has < 2^32 inodes");
            next_ino
        };
        if entry.links == 1 {
            return (fresh(), Carries::Bytes);
        }
        let shared = self
            .shared
            .entry(entry.id)
            .or_insert_with(|| Shared { ino: fresh(), names_left: entry.links });
        shared.names_left -= 1;
        let carries = if shared.names_left == 0 { Carries::Bytes } else { Carries::Nothing };
        (shared.ino, carries)
    }

    fn head(&mut self, mut header: Header, name: &[u8]) -> Result<(), WriteError> {
        header.namesize = name.len() as u32 + 1;
        self.bytes(&header.encode())?;
        self.bytes(name)?;
        self.bytes(&[0])?;
        self.pad()
    }

    fn content(&mut self, content: &Content, path: &TreePath) -> Result<(), WriteError> {
        let failed = |source| WriteError::Content { path: path.clone(), source };
        if let Content::Bytes(bytes) = content {
            self.bytes(bytes)?;
            return Ok(self.progress.add(content.len())?);
        }
        let mut reader = content.open().map_err(failed)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match io::Read::read(&mut reader, &mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.bytes(&buffer[..count])?;
                    self.progress.add(count as u64)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn trailer(&mut self) -> Result<(), WriteError> {
        self.head(Header { nlink: 1, ..Header::default() }, TRAILER)
    }

    fn pad(&mut self) -> Result<(), WriteError> {
        self.bytes(&[0; 3][..padding(self.written.bytes)])
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes).map_err(WriteError::Output)?;
        self.written.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// The path as the archive has it. A file called like the trailer would end the archive: the
/// detour over `.` is the same file to the kernel.
fn archive_name(path: &TreePath) -> Vec<u8> {
    match path.as_bytes() {
        b"" => b".".to_vec(),
        TRAILER => [b"./", TRAILER].concat(),
        name => name.to_vec(),
    }
}
