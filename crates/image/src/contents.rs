//! Contents of files on their way onto a disk.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use mote_process::Cancelled;
use mote_rootfs::tree::Content;

use crate::{OnProgress, Progress};

/// From this length on, the kernel copies by itself. Below it, what a call costs outweighs a second
/// copy in memory: 100 MB in files of 8 KiB take less than half of the time, of 40 KiB two thirds.
const LARGE_BYTES: u64 = 256 << 10;

/// Small contents are written when there are so many bytes of them.
const BATCH_BYTES: usize = 256 << 10;

/// The largest gap between two contents that is filled with zeros: what a block leaves.
const GAP_MAX: u64 = 4096;

/// Writes contents to their places: those of small files, which lie one behind the other, many at
/// once.
pub(crate) struct Contents<'a> {
    out: &'a File,
    progress: Progress<'a>,
    /// Where the batch is to lie.
    at: u64,
    batch: Vec<u8>,
}

/// Why contents are not in their place.
pub(crate) enum CopyError {
    /// They could not be read, or not be copied.
    Content(io::Error),
    /// What was read before could not be written.
    Output(io::Error),
    /// Whoever was told of the progress wanted no more.
    Cancelled(Cancelled),
}

impl<'a> Contents<'a> {
    pub(crate) fn new(out: &'a File, on_progress: OnProgress<'a>) -> Self {
        let batch = Vec::with_capacity(BATCH_BYTES + LARGE_BYTES as usize);
        Self { out, progress: Progress::new(on_progress), at: 0, batch }
    }

    /// Puts a part of a content to `at`; holes are left as they are there.
    pub(crate) fn copy(
        &mut self,
        content: &Content,
        range: Range<u64>,
        at: u64,
    ) -> Result<(), CopyError> {
        let len = range.end - range.start;
        let may_have_holes = matches!(content, Content::Sparse { .. });
        if len < LARGE_BYTES && range.start == 0 && !may_have_holes {
            self.append(content, len, at)?;
            return self.advance(len);
        }
        let mut done = 0;
        while done < len {
            let step = (len - done).min(Progress::STEP_BYTES);
            let from = range.start + done;
            content
                .copy_range_to(from..from + step, self.out, at + done)
                .map_err(CopyError::Content)?;
            done += step;
            self.advance(step)?;
        }
        Ok(())
    }

    /// Notes bytes that went elsewhere.
    pub(crate) fn advance(&mut self, bytes: u64) -> Result<(), CopyError> {
        self.progress.add(bytes).map_err(CopyError::Cancelled)
    }

    /// Puts the beginning of a content into the batch, which may go before it.
    fn append(&mut self, content: &Content, len: u64, at: u64) -> Result<(), CopyError> {
        let gap = at.checked_sub(self.at + self.batch.len() as u64);
        match gap.filter(|gap| *gap < GAP_MAX && self.batch.len() < BATCH_BYTES) {
            Some(gap) => self.batch.resize(self.batch.len() + gap as usize, 0),
            None => {
                self.flush().map_err(CopyError::Output)?;
                self.at = at;
            }
        }
        let begin = self.batch.len();
        self.batch.resize(begin + len as usize, 0);
        content.read_exact_at(&mut self.batch[begin..], 0).map_err(CopyError::Content)
    }

    /// Writes what is in the batch.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.write_all_at(&self.batch, self.at)?;
        self.batch.clear();
        Ok(())
    }
}
