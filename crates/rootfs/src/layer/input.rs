//! The bytes of a blob.

use std::io::{self, Read};

use super::stream::{Inlet, Part};
use crate::tree::{Content, ContentReader};

/// Is told how much of a blob was read, and may end that.
type OnRead<'a> = dyn Fn(u64) -> io::Result<()> + 'a;

/// Reads a blob, has it digested on the way, and tells how far it has come.
pub(super) struct Blob<'a> {
    reader: ContentReader,
    digest: Option<&'a Inlet>,
    read: u64,
    on_read: &'a OnRead<'a>,
    /// Set when the blob itself could not be read, to tell that from damaged contents.
    pub(super) failed: bool,
}

impl<'a> Blob<'a> {
    pub(super) fn open(
        content: &Content,
        digest: Option<&'a Inlet>,
        on_read: &'a OnRead<'a>,
    ) -> io::Result<Self> {
        Ok(Self { reader: content.open()?, digest, read: 0, on_read, failed: false })
    }

    /// Reads what no decoder wanted.
    pub(super) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink()).map(drop)
    }

    /// Reads without having it digested.
    fn read_undigested(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buf).inspect_err(|error| {
            self.failed = error.kind() != io::ErrorKind::Interrupted;
        })?;
        self.read += count as u64;
        (self.on_read)(self.read)?;
        Ok(count)
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.read_undigested(buf)?;
        if let Some(inlet) = self.digest {
            inlet.digest_copy(&buf[..count]);
        }
        Ok(count)
    }
}

/// The bytes of a blob for a decoder that looks ahead: the next ones always lie together.
///
/// They are read into the stream's own buffers, which go to the digest from here.
pub(super) struct Input<'b, 'a> {
    blob: &'b mut Blob<'a>,
    /// What was read last. Before it there may be the end of what was read before.
    part: Part,
    /// The next byte in its buffer.
    at: usize,
    /// Nothing comes behind the part but zeros, of which the buffer has some.
    is_last: bool,
}

impl<'b, 'a> Input<'b, 'a> {
    /// What is ahead at least, the zeros behind the end counted: more than the header of a block
    /// takes, which is 290 bytes of code lengths.
    const AHEAD: usize = 512;

    /// What can be put back.
    const BEHIND: usize = 8;

    pub(super) fn new(blob: &'b mut Blob<'a>) -> Self {
        let part = Part::empty(blob.digest);
        Self { blob, part, at: 0, is_last: false }
    }

    /// Reads on if less is ahead than a decoder may ask for.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if self.is_last || self.ready().len() >= Self::AHEAD {
            return Ok(());
        }
        let mut next = Part::empty(self.blob.digest);
        let kept = self.at.saturating_sub(Self::BEHIND)..self.part.range.end;
        let begin = kept.len();
        next.buffer[..begin].copy_from_slice(&self.part.buffer[kept.clone()]);
        next.range = begin..begin;
        self.at -= kept.start;
        self.hand_over(next);
        let Part { buffer, range } = &mut self.part;
        let most = buffer.len() - Self::AHEAD;
        while range.end < most && !self.is_last {
            match self.blob.read_undigested(&mut buffer[range.end..most]) {
                Ok(0) => self.is_last = true,
                Ok(count) => range.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer[range.end..range.end + Self::AHEAD].fill(0);
        Ok(())
    }

    /// Goes on with another buffer, and has the one before digested.
    fn hand_over(&mut self, next: Part) {
        let before = std::mem::replace(&mut self.part, next);
        if let Some(inlet) = self.blob.digest {
            inlet.digest(before);
        }
    }

    /// The bytes that were read and come next.
    pub(super) fn ready(&self) -> &[u8] {
        let end = self.part.range.end;
        &self.part.buffer[self.at.min(end)..end]
    }

    /// The same, with the zeros behind the end.
    pub(super) fn padded(&self) -> &[u8] {
        let padding = if self.is_last { Self::AHEAD } else { 0 };
        &self.part.buffer[self.at..self.part.range.end + padding]
    }

    /// The next bytes of a header.
    ///
    /// # Panics
    ///
    /// When there are none: after 512 bytes without [`fill`](Self::fill).
    pub(super) fn ahead(&self) -> &[u8; 8] {
        self.padded().first_chunk().expect("headers are not so long")
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    pub(super) fn put_back(&mut self, count: usize) {
        self.at -= count;
    }

    /// Whether all bytes before the next one were read, but for the last `count`.
    pub(super) fn has_read(&self, count: usize) -> bool {
        self.at - count <= self.part.range.end
    }

    /// The next byte, unless the blob is at its end.
    pub(super) fn next(&mut self) -> io::Result<Option<u8>> {
        self.fill()?;
        let next = self.ready().first().copied();
        self.at += usize::from(next.is_some());
        Ok(next)
    }
}

impl Drop for Input<'_, '_> {
    fn drop(&mut self) {
        self.hand_over(Part::default());
    }
}
