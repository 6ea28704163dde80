//! Where the contents of an archive go while it is read.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use rustix::io::{Errno, pwritev};

use super::disk::{BLOCK_BYTES, Region};
use crate::tar::Data;
use crate::tree::{Content, DataRun, Metadata, Stretch};

/// Where the contents of one archive go: onto the disk those that fill blocks of it, and elsewhere
/// what is left.
pub(super) struct Places<'a> {
    region: Option<Region<'a>>,
    rest: Rest,
    /// What is to be written and was not yet: ascending and apart.
    wanted: VecDeque<Wanted>,
    /// How much of the archive was seen.
    position: u64,
    /// Set when it was the disk that could not be written.
    pub(super) disk_failed: bool,
}

/// Where contents are that do not lie on the disk.
pub(super) enum Rest {
    /// In the archive, which begins at `offset` of this file.
    Archive { file: Arc<File>, offset: u64 },
    /// Here, one behind the other.
    Spool { file: Arc<File>, len: u64 },
}

/// Bytes of the archive that go to `at` of a file.
struct Wanted {
    range: Range<u64>,
    target: Target,
    at: u64,
}

#[derive(Clone, Copy)]
enum Target {
    Disk,
    Spool,
}

impl<'a> Places<'a> {
    pub(super) fn new(region: Option<Region<'a>>, rest: Rest) -> Self {
        Self { region, rest, wanted: VecDeque::new(), position: 0, disk_failed: false }
    }

    /// A place for the next content, which was not [written](Self::write) yet.
    pub(super) fn content(&mut self, data: Data, metadata: &Metadata) -> Content {
        let Data { offset, len, data_runs } = data;
        match data_runs {
            None if len == 0 => Content::Bytes(Arc::default()),
            None => self.whole(offset..offset + len, metadata),
            // One behind the other.
            Some(runs) => {
                let kept = self.keep(offset..offset + runs.iter().map(|run| run.len).sum::<u64>());
                let moved =
                    |run: DataRun| DataRun { offset: run.offset - offset + kept.offset, ..run };
                let data = runs.into_iter().map(moved).collect();
                Content::Sparse { file: kept.file, len, data }
            }
        }
    }

    /// Puts a content that fills a block onto the disk, but for an end that the format keeps with
    /// the inode, if there are no extended attributes.
    fn whole(&mut self, range: Range<u64>, metadata: &Metadata) -> Content {
        let len = range.end - range.start;
        let Some(region) = self.region.as_mut().filter(|_| len >= BLOCK_BYTES) else {
            return Content::Stretch(self.keep(range));
        };
        let disk = region.disk();
        let tail_max = if metadata.xattrs.is_empty() { disk.tail_max } else { 0 };
        let tail = Some(len % BLOCK_BYTES).filter(|&tail| tail <= tail_max).unwrap_or(0);
        let Some(at) = region.take(len - tail) else {
            return Content::Stretch(self.keep(range));
        };
        let middle = range.end - tail;
        let head = Stretch { file: disk.file.clone(), offset: at, len: len - tail };
        self.wanted.push_back(Wanted { range: range.start..middle, target: Target::Disk, at });
        match tail {
            0 => Content::Stretch(head),
            _ => Content::Split { head, tail: self.keep(middle..range.end) },
        }
    }

    fn keep(&mut self, range: Range<u64>) -> Stretch {
        let len = range.end - range.start;
        match &mut self.rest {
            Rest::Archive { file, offset } => {
                Stretch { file: file.clone(), offset: *offset + range.start, len }
            }
            Rest::Spool { file, len: spool_len } => {
                let at = *spool_len;
                *spool_len += len;
                if !range.is_empty() {
                    self.wanted.push_back(Wanted { range, target: Target::Spool, at });
                }
                Stretch { file: file.clone(), offset: at, len }
            }
        }
    }

    /// Writes what is wanted of the next bytes of the archive.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let begin = self.position;
        self.position += bytes.len() as u64;
        let mut disk = self.region.map(|region| Gather::new(&region.disk().file));
        let mut spool = match &self.rest {
            Rest::Spool { file, .. } => Some(Gather::new(file)),
            Rest::Archive { .. } => None,
        };
        while let Some(next) = self.wanted.front_mut() {
            let end = next.range.end.min(self.position);
            if next.range.start >= end {
                break;
            }
            let part = &bytes[(next.range.start - begin) as usize..(end - begin) as usize];
            let gather = match next.target {
                Target::Disk => disk.as_mut(),
                Target::Spool => spool.as_mut(),
            };
            let pushed = gather.expect("is wanted there").push(next.at, part);
            self.disk_failed = pushed.is_err() && matches!(next.target, Target::Disk);
            pushed?;
            next.range.start = end;
            next.at += part.len() as u64;
            if next.range.is_empty() {
                self.wanted.pop_front();
            }
        }
        if let Some(disk) = &mut disk {
            disk.flush().inspect_err(|_| self.disk_failed = true)?;
        }
        spool.as_mut().map_or(Ok(()), Gather::flush)
    }
}

/// Writes what lies apart in memory and together in a file with one call.
struct Gather<'a> {
    file: &'a File,
    /// Where the parts begin and end in the file.
    at: u64,
    end: u64,
    parts: Vec<IoSlice<'a>>,
}

impl<'a> Gather<'a> {
    /// What one call takes (`UIO_MAXIOV` of `include/uapi/linux/uio.h`).
    const PARTS_MAX: usize = 1024;

    fn new(file: &'a File) -> Self {
        Self { file, at: 0, end: 0, parts: Vec::new() }
    }

    /// Adds bytes; what is between them and those before, less than a block, becomes zeros.
    fn push(&mut self, at: u64, bytes: &'a [u8]) -> io::Result<()> {
        static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];
        let gap = at.checked_sub(self.end).filter(|&gap| gap < BLOCK_BYTES);
        match gap.filter(|_| (1..Self::PARTS_MAX - 1).contains(&self.parts.len())) {
            Some(0) => {}
            Some(gap) => self.parts.push(IoSlice::new(&ZEROS[..gap as usize])),
            None => {
                self.flush()?;
                self.at = at;
            }
        }
        self.parts.push(IoSlice::new(bytes));
        self.end = at + bytes.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut left = &mut self.parts[..];
        while !left.is_empty() {
            match pwritev(self.file, left, self.at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.at += count as u64;
                    IoSlice::advance_slices(&mut left, count);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.parts.clear();
        Ok(())
    }
}
