//! Where the bytes of a regular file lie.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::copy::{copy_stretch, ends_early};

/// The bytes of a regular file: held in memory, or stretches of a file of the host.
///
/// Cloning is cheap, and a tree of gigabytes costs no memory for its contents. Equality compares
/// the bytes, not where they lie: it reads them where it must, and what cannot be read is unequal.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Arc<[u8]>),
    /// `len` bytes from `offset` on of the host's file `path`, which must not change while the
    /// tree is in use.
    HostFile {
        /// The file of the host.
        path: Arc<PathBuf>,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Bytes of a file that is open.
    Stretch(Stretch),
    /// Two stretches, one behind the other.
    Split {
        /// The first bytes.
        head: Stretch,
        /// The last bytes.
        tail: Stretch,
    },
    /// `len` bytes of which some lie in a file that is open; the rest is holes, which read as
    /// zeros.
    Sparse {
        /// The file, which many contents may share.
        file: Arc<File>,
        /// Number of bytes, holes included.
        len: u64,
        /// What is not a hole: ascending, apart, not empty, and within `len`.
        data: Arc<[DataRun]>,
    },
}

/// `len` bytes from `offset` on of a file that is open.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// The file, which many contents may share.
    pub file: Arc<File>,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

/// A stretch of a sparse file that holds data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRun {
    /// First byte, in the content.
    pub at: u64,
    /// First byte, in the file where the data lies.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

impl Content {
    /// Number of bytes, holes included.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::HostFile { len, .. } | Self::Sparse { len, .. } => *len,
            Self::Stretch(stretch) => stretch.len,
            Self::Split { head, tail } => head.len + tail.len,
        }
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Opens the bytes for reading; holes read as zeros.
    ///
    /// The reader ends after [`len`](Self::len) bytes; a file of the host that has become shorter
    /// is an [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), never a silently short read.
    ///
    /// # Errors
    ///
    /// When the host's file cannot be opened.
    pub fn open(&self) -> io::Result<ContentReader> {
        let run = |at, offset, len| DataRun { at, offset, len };
        let (file, tail, data) = match self {
            Self::Bytes(bytes) => {
                let source = Source::Memory(bytes.clone());
                return Ok(ContentReader { source, at: 0, len: self.len() });
            }
            Self::HostFile { path, offset, len } => {
                let file = Arc::new(File::open(path.as_path())?);
                (file, None, Arc::from([run(0, *offset, *len)]))
            }
            Self::Stretch(Stretch { file, offset, len }) => {
                (file.clone(), None, Arc::from([run(0, *offset, *len)]))
            }
            Self::Split { head, tail } => {
                let data = [run(0, head.offset, head.len), run(head.len, tail.offset, tail.len)];
                (head.file.clone(), Some(tail.file.clone()), Arc::from(data))
            }
            Self::Sparse { file, data, .. } => (file.clone(), None, data.clone()),
        };
        let source = Source::Files { file, tail, data, next: 0 };
        Ok(ContentReader { source, at: 0, len: self.len() })
    }

    /// Fills `buf` with the bytes from `offset` on; holes read as zeros.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open) and its reader; when the content ends before the buffer.
    pub fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut reader = self.open()?;
        reader.at = offset.min(reader.len);
        reader.read_exact(buf)
    }

    /// Where the content, or the head of a [split](Self::Split) one, lies in that very file.
    pub fn place_in(&self, file: &File) -> Option<Range<u64>> {
        match self {
            Self::Stretch(stretch) | Self::Split { head: stretch, .. } => {
                let begin = stretch.offset;
                std::ptr::eq(&*stretch.file, file).then(|| begin..begin + stretch.len)
            }
            _ => None,
        }
    }

    /// The stretches that hold data, ascending and not empty; the rest is holes.
    pub fn data(&self) -> impl Iterator<Item = Range<u64>> {
        let (whole, runs): (_, &[DataRun]) = match self {
            Self::Sparse { data, .. } => (None, data),
            _ => (Some(0..self.len()).filter(|whole| !whole.is_empty()), &[]),
        };
        whole.into_iter().chain(runs.iter().map(|run| run.at..run.at + run.len))
    }

    /// Copies the data into `out`, where the content is to begin at byte `at`; holes are left as
    /// they are there. The kernel copies (`copy_file_range`) where it can. No file's own position
    /// is used or moved.
    ///
    /// # Errors
    ///
    /// When either file cannot be read or written; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof)
    /// when the data ends too early.
    pub fn copy_to(&self, out: &File, at: u64) -> io::Result<()> {
        self.copy_range_to(0..self.len(), out, at)
    }

    /// Copies a part as [`copy_to`](Self::copy_to) does the whole: the byte at `range.start` is to
    /// be at `at`.
    ///
    /// # Errors
    ///
    /// As for [`copy_to`](Self::copy_to).
    ///
    /// # Panics
    ///
    /// When the range ends behind the content.
    pub fn copy_range_to(&self, range: Range<u64>, out: &File, at: u64) -> io::Result<()> {
        assert!(range.end <= self.len(), "{range:?} of {} bytes", self.len());
        let mut reader = self.open()?;
        reader.at = range.start.min(range.end);
        reader.copy_to(out, at, range.end - reader.at)
    }

    /// Whether both are the same bytes of the same file, so that nothing has to be read.
    fn lies_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::HostFile { path, offset, .. }, Self::HostFile { path: p, offset: o, .. }) => {
                path == p && offset == o
            }
            (Self::Stretch(one), Self::Stretch(other)) => one.lies_with(other),
            (Self::Split { head, tail }, Self::Split { head: h, tail: t }) => {
                head.len == h.len && head.lies_with(h) && tail.lies_with(t)
            }
            (Self::Sparse { file, data, .. }, Self::Sparse { file: f, data: d, .. }) => {
                Arc::ptr_eq(file, f) && data == d
            }
            _ => false,
        }
    }
}

impl Stretch {
    /// Whether both begin with the same byte of the same file.
    fn lies_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.offset == other.offset
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && (self.lies_with(other) || same_bytes(self, other).unwrap_or(false))
    }
}

impl Eq for Content {}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Reads the bytes of one [`Content`].
#[derive(Debug)]
pub struct ContentReader {
    source: Source,
    /// The next byte's place in the content.
    at: u64,
    len: u64,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<[u8]>),
    Files {
        file: Arc<File>,
        /// Of the last run, if that lies in another file.
        tail: Option<Arc<File>>,
        data: Arc<[DataRun]>,
        /// The run that is being read, or comes next.
        next: usize,
    },
}

impl ContentReader {
    /// Copies the next `len` bytes, of which there are so many, and goes on behind them.
    fn copy_to(&mut self, out: &File, at: u64, len: u64) -> io::Result<()> {
        let left = self.len - self.at;
        assert!(len <= left, "{len} of {left} bytes");
        let range = self.at..self.at + len;
        match &self.source {
            Source::Memory(bytes) => {
                out.write_all_at(&bytes[range.start as usize..range.end as usize], at)?;
            }
            Source::Files { file, tail, data, .. } => {
                let first = data.partition_point(|run| run.at + run.len <= range.start);
                let runs = data.iter().enumerate().skip(first);
                for (index, run) in runs.take_while(|(_, run)| run.at < range.end) {
                    let file = file_of(index, file, tail.as_ref(), data);
                    let start = run.at.max(range.start);
                    let len = (run.at + run.len).min(range.end) - start;
                    let offset = run.offset + (start - run.at);
                    copy_stretch(file, offset, out, at + (start - range.start), len)?;
                }
            }
        }
        self.at = range.end;
        Ok(())
    }
}

impl Read for ContentReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
        let most = buf.len().min(most);
        if most == 0 {
            return Ok(0);
        }
        let count = self.source.read_at(self.at, &mut buf[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Source {
    /// Fills the start of `buf` with what is at `at`; at least one byte of it.
    fn read_at(&mut self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(bytes) => (&bytes[at as usize..]).read(buf),
            Self::Files { file, tail, data, next } => {
                while data.get(*next).is_some_and(|run| run.at + run.len <= at) {
                    *next += 1;
                }
                let run = data.get(*next);
                match run.map_or(u64::MAX, |run| run.at.saturating_sub(at)) {
                    0 => {
                        let file = file_of(*next, file, tail.as_ref(), data);
                        read_run(file, data[*next], at, buf)
                    }
                    hole => {
                        let count = usize::try_from(hole).unwrap_or(usize::MAX).min(buf.len());
                        buf[..count].fill(0);
                        Ok(count)
                    }
                }
            }
        }
    }
}

/// The file of a run.
fn file_of<'a>(
    index: usize,
    file: &'a File,
    tail: Option<&'a Arc<File>>,
    data: &[DataRun],
) -> &'a File {
    tail.filter(|_| index + 1 == data.len()).map_or(file, |tail| tail)
}

fn read_run(file: &File, run: DataRun, at: u64, buf: &mut [u8]) -> io::Result<usize> {
    let passed = at - run.at;
    let left = run.len - passed;
    let most = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
    match file.read_at(&mut buf[..most], run.offset + passed)? {
        0 => Err(ends_early(left)),
        count => Ok(count),
    }
}

fn same_bytes(one: &Content, other: &Content) -> io::Result<bool> {
    const CHUNK: usize = 64 << 10;
    let (mut one, mut other) = (one.open()?, other.open()?);
    let (mut a, mut b) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut left = one.len;
    while left > 0 {
        let count = left.min(CHUNK as u64) as usize;
        one.read_exact(&mut a[..count])?;
        other.read_exact(&mut b[..count])?;
        if a[..count] != b[..count] {
            return Ok(false);
        }
        left -= count as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_file(offset: u64, len: u64) -> (tempfile::TempDir, Content) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        std::fs::write(&path, b"0123456789").unwrap();
        (dir, Content::HostFile { path: Arc::new(path), offset, len })
    }

    fn digits() -> Arc<File> {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        Arc::new(file)
    }

    fn stretch(offset: u64, len: u64) -> Stretch {
        Stretch { file: digits(), offset, len }
    }

    fn sparse(len: u64, data: &[(u64, u64, u64)]) -> Content {
        let run = |&(at, offset, len): &(u64, u64, u64)| DataRun { at, offset, len };
        Content::Sparse { file: digits(), len, data: data.iter().map(run).collect() }
    }

    fn read(content: &Content) -> Vec<u8> {
        let mut read = Vec::new();
        content.open().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(content.len(), read.len() as u64);
        read
    }

    #[test]
    fn every_kind_is_read_and_copied_alike() {
        let (_dir, host) = host_file(2, 5);
        let split = Content::Split { head: stretch(4, 3), tail: stretch(1, 2) };
        let table: [(Content, &[u8]); 8] = [
            (Content::from("23456"), b"23456"),
            (Content::from(""), b""),
            (host, b"23456"),
            (Content::Stretch(stretch(2, 5)), b"23456"),
            (split, b"45612"),
            (sparse(12, &[(1, 7, 2), (3, 0, 1), (8, 5, 4)]), b"\x00780\0\0\0\x005678"),
            (sparse(4, &[(0, 3, 1)]), b"3\0\0\0"),
            (sparse(3, &[]), b"\0\0\0"),
        ];
        for (content, bytes) in table {
            assert_eq!(read(&content), bytes);
            let out = tempfile::tempfile().unwrap();
            out.set_len(2 + content.len()).unwrap();
            content.copy_to(&out, 2).unwrap();
            let copied =
                Content::Stretch(Stretch { file: Arc::new(out), offset: 2, len: content.len() });
            assert_eq!(read(&copied), bytes);
            assert_eq!(copied, content);
        }
    }

    #[test]
    fn a_range_is_copied_as_it_is_read() {
        let (_dir, host) = host_file(2, 8);
        let holes = sparse(9, &[(1, 7, 2), (3, 0, 1), (6, 5, 2)]);
        let split = Content::Split { head: stretch(3, 5), tail: stretch(0, 4) };
        for content in [Content::from("23456789"), host, split, holes] {
            let whole = read(&content);
            for start in 0..whole.len() {
                for end in start..=whole.len() {
                    let out = tempfile::tempfile().unwrap();
                    let len = (end - start) as u64;
                    out.set_len(2 + len).unwrap();
                    content.copy_range_to(start as u64..end as u64, &out, 2).unwrap();
                    let copied = Content::Stretch(Stretch { file: Arc::new(out), offset: 2, len });
                    assert_eq!(read(&copied), whole[start..end], "{start}..{end}");
                    let mut reader = content.open().unwrap();
                    reader.copy_to(&tempfile::tempfile().unwrap(), 0, end as u64).unwrap();
                    let mut rest = Vec::new();
                    reader.read_to_end(&mut rest).unwrap();
                    assert_eq!(rest, whole[end..], "{end}..");
                    let mut part = vec![7; end - start];
                    content.read_exact_at(&mut part, start as u64).unwrap();
                    assert_eq!(part, whole[start..end], "{start}..{end}");
                }
            }
        }
    }

    #[test]
    fn data_leaves_out_the_holes() {
        let data = |content: &Content| {
            content.data().map(|data| (data.start, data.end)).collect::<Vec<_>>()
        };
        assert_eq!(data(&sparse(9, &[(1, 7, 2), (5, 0, 1)])), [(1, 3), (5, 6)]);
        assert_eq!(data(&Content::from("abc")), [(0, 3)]);
        assert_eq!(data(&Content::from("")), []);
    }

    #[test]
    fn a_copy_leaves_holes_untouched() {
        let out = tempfile::tempfile().unwrap();
        out.write_all_at(b"......", 0).unwrap();
        sparse(5, &[(1, 4, 2)]).copy_to(&out, 1).unwrap();
        let out = Content::Stretch(Stretch { file: Arc::new(out), offset: 0, len: 6 });
        assert_eq!(read(&out), b"..45..");
    }

    #[test]
    fn a_host_file_that_shrank_is_an_error() {
        let (_dir, content) = host_file(8, 5);
        let error = content.open().unwrap().read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "the file ends 3 bytes too early");
        let error = content.copy_to(&tempfile::tempfile().unwrap(), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "the file ends 3 bytes too early");
    }

    #[test]
    fn equality_is_that_of_the_bytes() {
        let (_dir, host) = host_file(0, 3);
        assert_eq!(host, Content::from("012"));
        assert_ne!(host, Content::from("013"));
        assert_ne!(host, Content::from("0123"));
        assert_eq!(sparse(3, &[(1, 1, 1)]), Content::from("\x001\0"));
        let split = Content::Split { head: stretch(4, 1), tail: stretch(0, 2) };
        assert_eq!(split, split.clone());
        assert_eq!(split, Content::from("401"));
        assert_ne!(split, Content::Split { head: stretch(4, 2), tail: stretch(0, 1) });
        let gone = host_file(0, 3).1;
        assert_eq!(gone, gone.clone());
        assert_ne!(gone, Content::from("012"));
    }
}
