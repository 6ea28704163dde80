//! The entries of a tar archive, one after the other.

use std::io::{self, Read};

use tar_core::EntryType;
use tar_core::parse::{Limits, ParseEvent, Parser};

/// The longest path that the kernel takes (`PATH_MAX`).
const PATH_MAX: u32 = 4096;

/// What contents are padded to (POSIX.1-2017, pax, "ustar Interchange Format").
const BLOCK: u64 = 512;

/// How much is read ahead.
const CHUNK: usize = 64 << 10;

/// One entry. Its content follows in the [`Entries`] that gave it.
pub(super) struct Entry {
    /// As it is written in the archive.
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryKind,
}

/// What an entry is.
pub(super) enum EntryKind {
    Directory,
    File {
        executable: bool,
    },
    /// A path relative to the link.
    Symlink(Vec<u8>),
    /// A path as it is written in the archive.
    HardLink(Vec<u8>),
    /// A device, a pipe, or something that nobody knows.
    Other,
}

/// Reads a tar archive.
pub(super) struct Entries<R> {
    reader: R,
    parser: Parser,
    buffer: Vec<u8>,
    /// Where in the buffer what was not yet used begins.
    position: usize,
    /// Of the entry's content.
    content_left: u64,
    /// Of the zeros after it.
    padding_left: u64,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(reader: R) -> Self {
        let limits = Limits { max_path_len: Some(PATH_MAX), ..Limits::default() };
        let parser = Parser::new(limits);
        Self { reader, parser, buffer: Vec::new(), position: 0, content_left: 0, padding_left: 0 }
    }

    /// The next entry, or nothing at the archive's end, after which everything was read, so that
    /// what checks the whole has checked it.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        while !self.content()?.is_empty() {}
        self.skip_padding()?;
        loop {
            let event = self.parser.parse(&self.buffer[self.position..]);
            let (consumed, found) = match event.map_err(io::Error::other)? {
                ParseEvent::NeedData { min_bytes } => {
                    self.fill(min_bytes)?;
                    continue;
                }
                ParseEvent::GlobalExtensions { consumed, .. } => (consumed, None),
                ParseEvent::Entry { consumed, entry } => {
                    self.content_left = entry.size;
                    self.padding_left = entry.size.wrapping_neg() % BLOCK;
                    let target = entry.link_target.unwrap_or_default().into_owned();
                    let kind = match entry.entry_type {
                        EntryType::Directory => EntryKind::Directory,
                        EntryType::Regular | EntryType::Continuous => {
                            EntryKind::File { executable: entry.mode & 0o111 != 0 }
                        }
                        EntryType::Symlink => EntryKind::Symlink(target),
                        EntryType::Link => EntryKind::HardLink(target),
                        _ => EntryKind::Other,
                    };
                    (consumed, Some(Entry { path: entry.path.into_owned(), kind }))
                }
                ParseEvent::SparseEntry { consumed, entry, .. } => {
                    let path = entry.path.into_owned();
                    (consumed, Some(Entry { path, kind: EntryKind::Other }))
                }
                ParseEvent::End { .. } => {
                    io::copy(&mut self.reader, &mut io::sink())?;
                    return Ok(None);
                }
            };
            self.position += consumed;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// The next piece of the entry's content; empty at its end.
    pub(super) fn content(&mut self) -> io::Result<&[u8]> {
        if self.content_left == 0 {
            return Ok(&[]);
        }
        if self.position == self.buffer.len() {
            self.fill(1)?;
        }
        let there = self.buffer.len() - self.position;
        let length = there.min(usize::try_from(self.content_left).unwrap_or(there));
        let start = self.position;
        self.position += length;
        self.content_left -= length as u64;
        Ok(&self.buffer[start..start + length])
    }

    /// Padding is less than a block, which `fill` can always provide.
    fn skip_padding(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.padding_left).map_err(io::Error::other)?;
        if self.buffer.len() - self.position < length {
            self.fill(length)?;
        }
        self.position += length;
        self.padding_left = 0;
        Ok(())
    }

    /// Reads until at least `wanted` unused bytes are there.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        self.buffer.drain(..self.position);
        self.position = 0;
        while self.buffer.len() < wanted {
            let room = wanted.max(CHUNK) - self.buffer.len();
            let length = (&mut self.reader).take(room as u64).read_to_end(&mut self.buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}
