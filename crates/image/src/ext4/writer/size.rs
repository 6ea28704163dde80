//! The size of the file system.

use super::draft::Drafts;
use super::geometry::BLOCK_LEN;
use super::layout::{Layout, Short};
use super::options::{Ext4Options, Journal, WriteError};

/// Free space of a file system whose size was not given: this part of it, and at least 16 MiB.
const SLACK_PART: u64 = 8;
const SLACK_BLOCKS_MIN: u64 = (16 << 20) / BLOCK_LEN as u64;

/// A size that was not given is a multiple of 1 MiB.
const ROUND_BLOCKS: u64 = (1 << 20) / BLOCK_LEN as u64;

/// A layout in the size given, or in one that fits; and the length of the image in bytes.
pub(super) fn fit(drafts: &Drafts<'_>, options: &Ext4Options) -> Result<(Layout, u64), WriteError> {
    let journal = options.journal;
    let Some(size_bytes) = options.size_bytes else {
        let (smallest, _) = grow(drafts, journal, 1, 1)?;
        let slack = (smallest / SLACK_PART).max(SLACK_BLOCKS_MIN);
        let (blocks, layout) = grow(drafts, journal, smallest + slack, ROUND_BLOCKS)?;
        return Ok((layout, to_bytes(blocks)));
    };
    let given = size_bytes / BLOCK_LEN as u64;
    let given_blocks = u32::try_from(given).map_err(|_| WriteError::TooLarge { size_bytes })?;
    if let Ok(layout) = Layout::new(drafts, journal, given_blocks) {
        return Ok((layout, to_bytes(given)));
    }
    match grow(drafts, journal, 1, 1)? {
        // The metadata of one more group took what the tree needs: do without that group.
        (blocks, layout) if blocks <= given => Ok((layout, to_bytes(given))),
        (blocks, _) => Err(WriteError::TooSmall { size_bytes, needed_bytes: to_bytes(blocks) }),
    }
}

/// The first layout that works out, from a number of blocks on, and its number of blocks.
fn grow(
    drafts: &Drafts<'_>,
    journal: Journal,
    from: u64,
    multiple_of: u64,
) -> Result<(u64, Layout), WriteError> {
    let mut blocks = from;
    loop {
        blocks = blocks.next_multiple_of(multiple_of);
        let too_large = |_| WriteError::TooLarge { size_bytes: to_bytes(blocks) };
        match Layout::new(drafts, journal, u32::try_from(blocks).map_err(too_large)?) {
            Ok(layout) => return Ok((blocks, layout)),
            Err(Short { try_blocks }) => blocks = try_blocks,
        }
    }
}

fn to_bytes(blocks: u64) -> u64 {
    blocks * BLOCK_LEN as u64
}
