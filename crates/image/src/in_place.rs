//! Contents that lie in the image before it is written.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use mote_rootfs::tree::Content;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// Blocks of all formats have this length.
const BLOCK_BYTES: u64 = 4096;

/// The most blocks that a disk has: numbers have 32 bits, and the last one stands for none.
pub(crate) const BLOCKS_MAX: u32 = u32::MAX;

/// What of a content lies in the image already: its first bytes, in blocks of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// The first block.
    pub(crate) block: u32,
    /// Number of bytes.
    pub(crate) len: u64,
}

impl Present {
    /// Where a content lies in `out`.
    ///
    /// # Panics
    ///
    /// When it does not begin with a block, or lies behind all blocks.
    pub(crate) fn of(content: &Content, out: &File) -> Option<Self> {
        let place = content.place_in(out)?;
        let (at, len) = (place.start, place.end - place.start);
        assert!(at.is_multiple_of(BLOCK_BYTES), "a content lies at byte {at} of the image");
        let block = u32::try_from(at / BLOCK_BYTES).expect("images have fewer blocks");
        Some(Self { block, len })
    }
}

/// The blocks of an image that hold contents from the beginning.
#[derive(Debug)]
pub(crate) struct InPlace {
    /// Ascending and apart.
    blocks: Vec<Range<u32>>,
}

impl InPlace {
    /// Of all contents that lie there.
    ///
    /// # Panics
    ///
    /// When two share a block.
    pub(crate) fn new(contents: impl Iterator<Item = Present>) -> Self {
        let blocks = |Present { block, len }| block..block + len.div_ceil(BLOCK_BYTES) as u32;
        let mut blocks: Vec<_> = contents.map(blocks).collect();
        blocks.sort_by_key(|blocks| blocks.start);
        let is_apart = |pair: &[Range<u32>]| pair[0].end <= pair[1].start;
        assert!(blocks.windows(2).all(is_apart), "two contents lie in one block of the image");
        Self { blocks }
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<u32>> {
        self.blocks.iter().cloned()
    }

    /// The block behind the last one.
    pub(crate) fn end(&self) -> u32 {
        self.blocks.last().map_or(0, |blocks| blocks.end)
    }

    /// Makes everything else a hole, also what other contents have left, in an image of `len`
    /// bytes.
    pub(crate) fn clear_others(&self, out: &File, len: u64) -> io::Result<()> {
        let mut at = 0;
        for blocks in &self.blocks {
            punch(out, at..u64::from(blocks.start) * BLOCK_BYTES)?;
            at = u64::from(blocks.end) * BLOCK_BYTES;
        }
        out.set_len(at)?;
        out.set_len(len)
    }
}

fn punch(out: &File, range: Range<u64>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match fallocate(out, flags, range.start, range.end - range.start) {
        // Not on this file system (fallocate(2), ERRORS).
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => zero(out, range),
        other => Ok(other?),
    }
}

fn zero(out: &File, range: Range<u64>) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut at = range.start;
    while at < range.end {
        let count = (range.end - at).min(ZEROS.len() as u64);
        out.write_all_at(&ZEROS[..count as usize], at)?;
        at += count;
    }
    Ok(())
}
