//! A tree as an image.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use mote_process::Cancelled;
use mote_rootfs::tree::{Content, Node, Tree, TreePath};

use super::directory;
use super::format::{BLOCK_BITS, BLOCK_BYTES, SUPERBLOCK_AT, Superblock, file_type, seal};
use super::layout::{Item, Plan};
use super::xattr;
use crate::OnProgress;
use crate::contents::{Contents, CopyError};

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The format has 32 bits for the number of a block.
    #[error("{path} with its {len} bytes does not fit: an EROFS image ends at 16 TiB")]
    TooLarge {
        /// The file.
        path: TreePath,
        /// Its length in bytes.
        len: u64,
    },
    /// The same, before any contents.
    #[error("the tree has too many inodes: an EROFS image ends at 16 TiB")]
    TooManyInodes,
    /// An extended attribute with a name or value that the format cannot say.
    #[error(
        "{path} has the extended attribute \"{name}\" of {value_len} bytes: EROFS takes 65535, \
         and names of 255 bytes after their prefix"
    )]
    Xattr {
        /// The file.
        path: TreePath,
        /// Full name, made printable.
        name: String,
        /// Length of the value in bytes.
        value_len: usize,
    },
    /// More extended attributes than the format can say.
    #[error("{path} has {bytes} bytes of extended attributes: EROFS takes 262148")]
    Xattrs {
        /// The file.
        path: TreePath,
        /// Their length in the image.
        bytes: u64,
    },
    /// The bytes of a file of the tree could not be copied into the image.
    #[error("{path} could not be copied into the image")]
    Content {
        /// The file, in the tree.
        path: TreePath,
        /// Why: what was read may be at fault, or what was written.
        source: io::Error,
    },
    /// The image could not be written to.
    #[error("the image could not be written")]
    Output(#[source] io::Error),
    /// Whoever was told of the progress wanted no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Writes a tree as an uncompressed EROFS image into `out`, an empty file, and gives its size in
/// bytes, a multiple of 4096.
///
/// Contents may lie in `out` already, as stretches of it: from multiples of 4096 bytes on, not in
/// the first block, and zeros in what they leave of their last block. They stay where they are, and
/// everything else in `out` is lost. The same holds for the heads of contents that are split behind
/// their last whole block, if their tails have at most [`TAIL_MAX`] bytes and their inodes no
/// extended attributes. [`reserved`] are bytes that are better left free of them.
///
/// Blocks have 4 KiB, and the image uses no feature that a kernel with EROFS may lack; Linux 6.1
/// and 6.12 are tried. The same tree gives the same bytes: inodes in the order of the tree's walk,
/// no UUID, and as the time of the image the most frequent one of the tree. Inodes of that time take
/// 32 bytes and the others 64 (also those with an owner above 65,535, or 4 GiB), so that each keeps
/// its own seconds.
///
/// Other contents are copied once, the large ones by the kernel where it can; holes stay holes of
/// `out`. Memory is taken for names, their length and about 250 bytes for each, and for buffers of
/// 1 MiB.
///
/// # Errors
///
/// See [`WriteError`].
///
/// # Panics
///
/// When contents lie in `out` otherwise.
pub fn write_erofs(
    tree: &Tree,
    out: &File,
    on_progress: OnProgress<'_>,
) -> Result<u64, WriteError> {
    let plan = Plan::new(tree, out)?;
    let bytes = u64::from(plan.blocks) * BLOCK_BYTES;
    plan.in_place.clear_others(out, bytes).map_err(WriteError::Output)?;
    let mut writer = Writer {
        out,
        tree,
        plan: &plan,
        inodes: Stream::new(out, plan.inodes_at()),
        directories: Stream::new(out, plan.directories_at * BLOCK_BYTES),
        contents: Contents::new(out, on_progress),
    };
    writer.superblock()?;
    for item in &plan.items {
        writer.item(item)?;
    }
    writer.inodes.finish()?;
    writer.directories.finish()?;
    writer.contents.flush().map_err(WriteError::Output)?;
    Ok(bytes)
}

struct Writer<'a> {
    out: &'a File,
    tree: &'a Tree,
    plan: &'a Plan<'a>,
    /// All inodes with what follows them, and the superblock if they lie in the first block.
    inodes: Stream<'a>,
    /// The blocks of large directories.
    directories: Stream<'a>,
    contents: Contents<'a>,
}

impl Writer<'_> {
    fn superblock(&mut self) -> Result<(), WriteError> {
        let root = &self.plan.items[0];
        let superblock = Superblock {
            checksum: None,
            block_bits: BLOCK_BITS,
            root: root.nid() as u16,
            inodes: self.plan.items.len() as u64,
            build_time_s: self.plan.build_time_s,
            blocks: self.plan.blocks,
            meta_block: self.plan.meta_block,
            xattr_block: 0,
            incompat: 0,
        };
        let mut first = Stream::new(self.out, 0);
        first.fill_to(SUPERBLOCK_AT);
        first.buffer.extend_from_slice(&superblock.encode());
        match self.plan.meta_block {
            0 => self.inodes = first,
            _ => first.finish()?,
        }
        Ok(())
    }

    fn item(&mut self, item: &Item<'_>) -> Result<(), WriteError> {
        self.inodes.drain()?;
        self.inodes.fill_to(self.plan.inodes_at() + item.at);
        item.header.encode(&mut self.inodes.buffer);
        xattr::encode(&item.inode.metadata.xattrs, &mut self.inodes.buffer);
        match &item.inode.node {
            Node::Directory => self.directory(item),
            Node::File(content) => self.contents(item, content),
            Node::Symlink(target) => match item.in_blocks() {
                0 => {
                    self.inodes.buffer.extend_from_slice(target);
                    Ok(())
                }
                _ => self.out.write_all_at(target, item.contents_at()).map_err(WriteError::Output),
            },
            Node::CharDevice(_) | Node::BlockDevice(_) | Node::Fifo | Node::Socket => Ok(()),
        }
    }

    fn directory(&mut self, item: &Item<'_>) -> Result<(), WriteError> {
        let items = &self.plan.items;
        let target = |child: &directory::Child| {
            let item = &items[child.item];
            (item.nid(), file_type(&item.inode.node))
        };
        let mut left = item.in_blocks();
        for block in directory::blocks(&item.children) {
            if left == 0 {
                directory::encode_block(block, target, &mut self.inodes.buffer);
                return Ok(());
            }
            directory::encode_block(block, target, &mut self.directories.buffer);
            self.directories.fill_block();
            self.directories.drain()?;
            left = left.saturating_sub(BLOCK_BYTES);
        }
        Ok(())
    }

    fn contents(&mut self, item: &Item<'_>, content: &Content) -> Result<(), WriteError> {
        if content.is_empty() {
            return Ok(());
        }
        let failed = |error| match error {
            CopyError::Content(source) => {
                WriteError::Content { path: self.tree.path_of(item.id), source }
            }
            CopyError::Output(error) => WriteError::Output(error),
            CopyError::Cancelled(cancelled) => WriteError::Cancelled(cancelled),
        };
        let in_blocks = item.in_blocks();
        match item.in_place {
            Some(_) => self.contents.advance(in_blocks),
            None if in_blocks > 0 => self.contents.copy(content, 0..in_blocks, item.contents_at()),
            None => Ok(()),
        }
        .map_err(failed)?;
        let tail = item.header.size - in_blocks;
        if tail == 0 {
            return Ok(());
        }
        let buffer = &mut self.inodes.buffer;
        let tail_at = buffer.len();
        buffer.resize(tail_at + tail as usize, 0);
        let read = content.read_exact_at(&mut buffer[tail_at..], in_blocks);
        read.map_err(|error| failed(CopyError::Content(error)))?;
        self.contents.advance(tail).map_err(failed)
    }
}

/// Bytes to be written one after the other, many at once.
struct Stream<'a> {
    out: &'a File,
    /// Where the buffer is to lie in the image.
    at: u64,
    buffer: Vec<u8>,
}

impl<'a> Stream<'a> {
    const LEN: usize = 256 << 10;

    fn new(out: &'a File, at: u64) -> Self {
        Self { out, at, buffer: Vec::with_capacity(Self::LEN) }
    }

    /// Zeros up to a place in the image.
    fn fill_to(&mut self, at: u64) {
        self.buffer.resize((at - self.at) as usize, 0);
    }

    fn fill_block(&mut self) {
        self.buffer.resize(self.buffer.len().next_multiple_of(BLOCK_BYTES as usize), 0);
    }

    /// Writes the whole blocks of the buffer if it has become long.
    fn drain(&mut self) -> Result<(), WriteError> {
        if self.buffer.len() < Self::LEN { Ok(()) } else { self.write() }
    }

    fn finish(mut self) -> Result<(), WriteError> {
        self.fill_block();
        self.write()
    }

    fn write(&mut self) -> Result<(), WriteError> {
        let whole = self.buffer.len() - self.buffer.len() % BLOCK_BYTES as usize;
        let blocks = &mut self.buffer[..whole];
        if self.at == 0 {
            seal(&mut blocks[..BLOCK_BYTES as usize]);
        }
        self.out.write_all_at(blocks, self.at).map_err(WriteError::Output)?;
        self.buffer.drain(..whole);
        self.at += whole as u64;
        Ok(())
    }
}
