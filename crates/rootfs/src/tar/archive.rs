//! The entries of an archive, one after the other.

use std::io::{self, BufRead};

use super::extensions::Extensions;
use super::header::{BLOCK, Header};
use super::{ArchiveError, sparse};
use crate::tree::{DataRun, Device, Metadata, TreePath};

/// Most bytes of extended headers for one entry. Linux takes 64 KiB of names and 64 KiB for each
/// value of extended attributes; maps of sparse files can be long too.
const EXTENSIONS_MAX: u64 = 4 << 20;

/// One more than the longest name of an extended attribute (`XATTR_NAME_MAX` of
/// `include/uapi/linux/limits.h`).
const NAME_TOO_LONG: usize = 256;

/// One more than the longest value of one (`XATTR_SIZE_MAX` of the same header).
const VALUE_TOO_LONG: usize = 65_537;

/// One entry of an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As it is written.
    pub(crate) name: Vec<u8>,
    /// First byte of its header.
    pub(crate) offset: u64,
    pub(crate) metadata: Metadata,
    pub(crate) kind: Kind,
}

/// What an entry is.
#[derive(Debug)]
pub(crate) enum Kind {
    Directory,
    File(Data),
    Symlink(Box<[u8]>),
    HardLink(TreePath),
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
}

/// Where in the archive a file's content lies.
#[derive(Debug)]
pub(crate) struct Data {
    /// First byte.
    pub(crate) offset: u64,
    /// Length of the file.
    pub(crate) len: u64,
    /// What is not a hole, if there are holes.
    pub(crate) data_runs: Option<Vec<DataRun>>,
}

/// Reads an archive.
pub(crate) struct Archive<R> {
    input: Input<R>,
    /// Of the content that was given last, and the zeros behind it.
    content_left: u64,
    padding_left: u64,
}

impl<R: BufRead> Archive<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { input: Input { reader, position: 0 }, content_left: 0, padding_left: 0 }
    }

    /// The next entry; nothing at the end, behind which nothing was read.
    ///
    /// The end is two zero blocks, or one, or none: but the input has to end there.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut extensions = Extensions::default();
        let mut extensions_len = 0;
        let mut is_announced = false;
        loop {
            let Some(header) = self.next_header()? else {
                return if is_announced { Err(self.input.truncated()) } else { Ok(None) };
            };
            match header.typeflag() {
                // Go, libarchive and thus every container engine pass over global headers, and
                // all readers over volume labels.
                b'g' | b'V' => self.content_follows(header.size()?),
                typeflag @ (b'x' | b'L' | b'K') => {
                    let text = self.read_extension(&header, &mut extensions_len)?;
                    match typeflag {
                        b'x' => extensions.add_records(&text, header.offset)?,
                        b'L' => extensions.long_name = Some(until_nul(text)),
                        _ => extensions.long_link = Some(until_nul(text)),
                    }
                    is_announced = true;
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    /// What the entries are read from; the content of the last one comes next.
    pub(crate) fn reader_mut(&mut self) -> &mut R {
        &mut self.input.reader
    }

    /// What the entries were read from.
    pub(crate) fn into_inner(self) -> R {
        self.input.reader
    }

    fn next_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        self.input.skip(std::mem::take(&mut self.content_left))?;
        // Some writers leave the last padding out.
        self.input.skip_if_there(std::mem::take(&mut self.padding_left))?;
        let Some(header) = self.input.read_header()? else {
            return Ok(None);
        };
        if header.is_zero() {
            return match self.input.read_header()? {
                Some(second) if !second.is_zero() => {
                    Err(ArchiveError::LoneZeroBlock { offset: header.offset })
                }
                _ => Ok(None),
            };
        }
        header.check()?;
        Ok(Some(header))
    }

    fn read_extension(
        &mut self,
        header: &Header,
        all_len: &mut u64,
    ) -> Result<Vec<u8>, ArchiveError> {
        let len = header.size()?;
        *all_len = all_len.saturating_add(len);
        if *all_len > EXTENSIONS_MAX {
            let (offset, len) = (header.offset, *all_len);
            return Err(ArchiveError::ExtensionTooLong { offset, len, most: EXTENSIONS_MAX });
        }
        let mut text = vec![0; len as usize];
        self.input.read_exact(&mut text)?;
        self.padding_left = padding(len);
        Ok(text)
    }

    fn content_follows(&mut self, len: u64) {
        self.content_left = len;
        self.padding_left = padding(len);
    }

    fn entry(
        &mut self,
        header: &Header,
        mut extensions: Extensions,
    ) -> Result<Entry, ArchiveError> {
        let name = take_name(header, &mut extensions);
        let kind = match header.typeflag() {
            // Before there was a type for directories.
            b'\0' | b'0' if name.ends_with(b"/") => Kind::Directory,
            // 7 is a file that was to lie in one piece.
            b'\0' | b'0' | b'7' | b'S' => Kind::File(self.data(header, &mut extensions)?),
            b'1' => {
                let target = take_link(header, &mut extensions);
                Kind::HardLink(TreePath::parse(target).map_err(|source| {
                    ArchiveError::LinkTarget { name: printable(&name), source }
                })?)
            }
            b'2' => Kind::Symlink(take_link(header, &mut extensions).into()),
            b'3' => Kind::CharDevice(device(header)?),
            b'4' => Kind::BlockDevice(device(header)?),
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            // A directory with a list of its entries, of an incremental backup of GNU tar's.
            b'D' => {
                self.content_follows(extensions.size.map_or_else(|| header.size(), Ok)?);
                Kind::Directory
            }
            typeflag => return Err(ArchiveError::Type { name: printable(&name), typeflag }),
        };
        let (mtime_s, mtime_ns) = match extensions.mtime {
            Some(time) => time,
            None => (header.mtime_s()?, 0),
        };
        let metadata = Metadata {
            mode: header.mode()?,
            uid: extensions.uid.map_or_else(|| header.uid(), Ok)?,
            gid: extensions.gid.map_or_else(|| header.gid(), Ok)?,
            mtime_s,
            mtime_ns,
            xattrs: extensions.xattrs,
        };
        check_xattrs(&name, &metadata)?;
        Ok(Entry { name, offset: header.offset, metadata, kind })
    }

    /// Where the content is, which follows.
    fn data(&mut self, header: &Header, extensions: &mut Extensions) -> Result<Data, ArchiveError> {
        let mut stored = extensions.size.map_or_else(|| header.size(), Ok)?;
        let padding_left = padding(stored);
        let map = if header.typeflag() == b'S' {
            if !header.is_gnu() {
                return Err(header.invalid("sparse map"));
            }
            Some(sparse::read_descriptors(header, &mut self.input)?)
        } else if let Some(format) = extensions.sparse.format() {
            let len = extensions.sparse.real_size.ok_or_else(|| header.invalid("sparse size"))?;
            let map = match format {
                sparse::Format::Records => extensions.sparse.take_map(),
                sparse::Format::Content => sparse::read_map(header, &mut self.input, &mut stored)?,
            };
            Some((map, len))
        } else {
            None
        };
        let offset = self.input.position;
        // No file of Linux is longer.
        if offset.checked_add(stored).is_none_or(|end| end > i64::MAX as u64) {
            return Err(header.invalid("size"));
        }
        (self.content_left, self.padding_left) = (stored, padding_left);
        match map {
            Some((map, len)) => sparse::locate(&map, len, offset, stored, header),
            None => Ok(Data { offset, len: stored, data_runs: None }),
        }
    }
}

impl Data {
    /// How many bytes the archive does not have.
    pub(crate) fn holes(&self) -> u64 {
        let runs = self.data_runs.as_deref();
        runs.map_or(0, |runs| self.len - runs.iter().map(|run| run.len).sum::<u64>())
    }
}

impl Entry {
    /// The name as a path.
    pub(crate) fn path(&self) -> Result<TreePath, ArchiveError> {
        TreePath::parse(&self.name)
            .map_err(|source| ArchiveError::Name { offset: self.offset, source })
    }
}

/// A name for messages, which may have no other way to be told.
fn printable(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

/// Bytes until the next block.
fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK as u64
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    text.truncate(end);
    text
}

fn take_name(header: &Header, extensions: &mut Extensions) -> Vec<u8> {
    let sparse = extensions.sparse.name.take();
    let pax = extensions.path.take();
    sparse.or(pax).or(extensions.long_name.take()).unwrap_or_else(|| header.name())
}

fn take_link(header: &Header, extensions: &mut Extensions) -> Vec<u8> {
    let pax = extensions.link_path.take();
    pax.or(extensions.long_link.take()).unwrap_or_else(|| header.link_name().to_vec())
}

fn device(header: &Header) -> Result<Device, ArchiveError> {
    let (major, minor) = header.device()?;
    Ok(Device { major, minor })
}

fn check_xattrs(name: &[u8], metadata: &Metadata) -> Result<(), ArchiveError> {
    for (key, value) in &metadata.xattrs {
        let reason = match (key.len(), value.len()) {
            (0, _) => "its name is empty",
            (NAME_TOO_LONG.., _) => "its name has more than 255 bytes",
            (_, VALUE_TOO_LONG..) => "its value has more than 65536 bytes",
            _ if key.contains(&0) => "its name holds a NUL byte",
            _ => continue,
        };
        return Err(ArchiveError::Xattr { name: printable(name), reason });
    }
    Ok(())
}

/// The archive's bytes, counted.
pub(super) struct Input<R> {
    reader: R,
    position: u64,
}

impl<R: BufRead> Input<R> {
    /// The block that has to be there.
    pub(super) fn read_block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.read_exact(&mut block)?;
        Ok(block)
    }

    /// The next block as a header; nothing at the end.
    fn read_header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let offset = self.position;
        if self.fill()?.is_empty() {
            return Ok(None);
        }
        Ok(Some(Header { bytes: self.read_block()?, offset }))
    }

    fn read_exact(&mut self, out: &mut [u8]) -> Result<(), ArchiveError> {
        let mut filled = 0;
        while filled < out.len() {
            let bytes = self.fill()?;
            if bytes.is_empty() {
                return Err(self.truncated());
            }
            let count = bytes.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&bytes[..count]);
            self.consume(count);
            filled += count;
        }
        Ok(())
    }

    fn skip(&mut self, len: u64) -> Result<(), ArchiveError> {
        match self.skip_if_there(len)? {
            0 => Ok(()),
            _ => Err(self.truncated()),
        }
    }

    /// Passes over `len` bytes, and says how many of them are missing.
    fn skip_if_there(&mut self, mut len: u64) -> Result<u64, ArchiveError> {
        while len > 0 {
            let there = self.fill()?.len();
            if there == 0 {
                break;
            }
            let count = usize::try_from(len).unwrap_or(usize::MAX).min(there);
            self.consume(count);
            len -= count as u64;
        }
        Ok(len)
    }

    fn fill(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reader.consume(count);
        self.position += count as u64;
    }

    fn truncated(&self) -> ArchiveError {
        ArchiveError::Truncated { len: self.position }
    }
}
