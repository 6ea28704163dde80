//! The inodes of an image that may be hostile: each access is checked against its length.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::error::{Cause, FormatError, ReadError};
use super::format::{
    BLOCK_BITS_READ, Form, Header, INCOMPAT_KNOWN, Layout, SLOT_BYTES, SUPERBLOCK_AT,
    SUPERBLOCK_LEN, Superblock, XATTR_HEADER_LEN, checksum, u32_at,
};
use super::xattr::{ENTRY_LEN, EntryHeader, Xattrs};

/// Longest target of a symbolic link, in bytes.
const TARGET_MAX: u64 = 4095;

/// An image with a sane superblock.
pub(super) struct Image<'a> {
    file: &'a File,
    /// Bytes of the file.
    pub(super) len: u64,
    pub(super) superblock: Superblock,
}

/// An inode of the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) nid: u64,
    pub(super) header: Header,
    /// Where its extended attributes start in the file.
    xattrs_at: u64,
}

/// Where contents lie in the file: in blocks, and then, where it is not empty, behind the inode.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) blocks: Range<u64>,
    pub(super) tail: Range<u64>,
}

impl<'a> Image<'a> {
    pub(super) fn open(file: &'a File) -> Result<Self, ReadError> {
        let len = file.metadata().map_err(ReadError::Input)?.len();
        let mut bytes = [0; SUPERBLOCK_LEN];
        let found = if len < SUPERBLOCK_AT + SUPERBLOCK_LEN as u64 {
            None
        } else {
            file.read_exact_at(&mut bytes, SUPERBLOCK_AT).map_err(ReadError::Input)?;
            Superblock::decode(&bytes)
        };
        let superblock = found.ok_or(ReadError::Superblock(FormatError::NoMagic))?;
        let image = Self { file, len, superblock };
        image.check().map_err(|cause| match cause {
            Cause::Format(source) => ReadError::Superblock(source),
            Cause::Input(source) => ReadError::Input(source),
        })?;
        Ok(image)
    }

    fn check(&self) -> Result<(), Cause> {
        let superblock = &self.superblock;
        if !BLOCK_BITS_READ.contains(&superblock.block_bits) {
            return Err(FormatError::BlockBytes { bits: superblock.block_bits }.into());
        }
        let features = superblock.incompat & !INCOMPAT_KNOWN;
        if features != 0 {
            return Err(FormatError::Features { features }.into());
        }
        let wanted = u64::from(superblock.blocks) * self.block_bytes();
        if wanted > self.len {
            return Err(FormatError::Truncated { wanted, got: self.len }.into());
        }
        let Some(wanted) = superblock.checksum else { return Ok(()) };
        // Small blocks have it over the whole one after the superblock's start.
        let end = (SUPERBLOCK_AT + 1).next_multiple_of(self.block_bytes());
        let block = self.read(SUPERBLOCK_AT, (end - SUPERBLOCK_AT) as usize)?;
        let got = checksum(&block);
        if got != wanted {
            return Err(FormatError::Checksum { wanted, got }.into());
        }
        Ok(())
    }

    pub(super) fn block_bytes(&self) -> u64 {
        1 << self.superblock.block_bits
    }

    /// Bytes of the file; nothing is allocated for what lies outside.
    fn read(&self, at: u64, len: usize) -> Result<Vec<u8>, Cause> {
        self.within(at, len as u64)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).map_err(|error| match error.kind() {
            // It was cut while it was read.
            io::ErrorKind::UnexpectedEof => FormatError::Outside.into(),
            _ => Cause::Input(error),
        })?;
        Ok(bytes)
    }

    fn within(&self, at: u64, len: u64) -> Result<Range<u64>, FormatError> {
        let end = at.checked_add(len).filter(|end| *end <= self.len);
        end.map(|end| at..end).ok_or(FormatError::Outside)
    }

    pub(super) fn inode(&self, nid: u64) -> Result<Found, Cause> {
        let start = u64::from(self.superblock.meta_block) * self.block_bytes();
        let place = nid.checked_mul(SLOT_BYTES).and_then(|place| place.checked_add(start));
        let at = place.ok_or(FormatError::Outside)?;
        let mut bytes = [0; 64];
        // The last inode of an image may be a compact one.
        let len = self.len.saturating_sub(at).clamp(Form::Compact.bytes(), 64) as usize;
        bytes[..len].copy_from_slice(&self.read(at, len)?);
        let header = Header::decode(&bytes, self.superblock.build_time_s)
            .ok_or(FormatError::Inode { nid })?;
        let xattrs = self.within(at, header.form.bytes())?.end;
        self.within(xattrs, header.xattr_bytes.into())?;
        Ok(Found { nid, header, xattrs_at: xattrs })
    }

    /// Where the contents of an inode lie, if they are neither compressed nor in chunks.
    pub(super) fn place(&self, inode: &Found) -> Result<Place, FormatError> {
        let Header { size, layout, .. } = inode.header;
        let block_bytes = self.block_bytes();
        let tail_at = inode.xattrs_at + u64::from(inode.header.xattr_bytes);
        let tail_len = match layout {
            Layout::Plain => 0,
            // A last block that is full is inline as well.
            Layout::Inline => size - size.saturating_sub(1) / block_bytes * block_bytes,
            Layout::Compressed | Layout::Chunks => return Err(FormatError::Compressed),
        };
        if tail_len > block_bytes - tail_at % block_bytes {
            return Err(FormatError::Tail);
        }
        let blocks = match size - tail_len {
            0 => 0..0,
            len => self.within(u64::from(inode.header.place) * block_bytes, len)?,
        };
        Ok(Place { blocks, tail: self.within(tail_at, tail_len)? })
    }

    /// A block of a directory; the last one may be short.
    pub(super) fn directory_block(&self, place: &Place, index: u64) -> Result<Vec<u8>, Cause> {
        let start = place.blocks.start + index * self.block_bytes();
        let range = if start < place.blocks.end {
            start..place.blocks.end.min(start + self.block_bytes())
        } else {
            place.tail.clone()
        };
        self.read(range.start, (range.end - range.start) as usize)
    }

    /// The target of a symbolic link.
    pub(super) fn target(&self, inode: &Found) -> Result<Vec<u8>, Cause> {
        let len = inode.header.size;
        if !(1..=TARGET_MAX).contains(&len) {
            return Err(FormatError::Target { len }.into());
        }
        let Place { blocks, tail } = self.place(inode)?;
        let mut target = self.read(blocks.start, (blocks.end - blocks.start) as usize)?;
        target.extend(self.read(tail.start, (tail.end - tail.start) as usize)?);
        if target.contains(&0) {
            return Err(FormatError::Target { len }.into());
        }
        Ok(target)
    }

    /// The extended attributes of an inode; `charge` is asked before each value is held.
    pub(super) fn xattrs(
        &self,
        inode: &Found,
        charge: &mut dyn FnMut(u64) -> Result<(), FormatError>,
    ) -> Result<Xattrs, Cause> {
        let mut xattrs = Xattrs::new();
        if inode.header.xattr_bytes == 0 {
            return Ok(xattrs);
        }
        charge(inode.header.xattr_bytes.into())?;
        let bytes = self.read(inode.xattrs_at, inode.header.xattr_bytes as usize)?;
        let (header, rest) = bytes.split_at(XATTR_HEADER_LEN as usize);
        let shared_len = usize::from(header[4]) * 4;
        let (shared, mut own) = rest.split_at_checked(shared_len).ok_or(FormatError::Xattrs)?;
        while let Some((start, _)) = own.split_first_chunk::<ENTRY_LEN>() {
            let header = EntryHeader::decode(*start);
            let (entry, rest) =
                own.split_at_checked(header.entry_len()).ok_or(FormatError::Xattrs)?;
            add_xattr(&mut xattrs, &header, &entry[ENTRY_LEN..])?;
            own = rest;
        }
        for index in 0..shared_len / 4 {
            let start = u64::from(self.superblock.xattr_block) * self.block_bytes();
            let at = start + 4 * u64::from(u32_at(shared, 4 * index));
            let start = self.read(at, ENTRY_LEN)?;
            let header = EntryHeader::decode(start.try_into().expect("of that length"));
            charge(header.entry_len() as u64)?;
            let entry = self.read(at + ENTRY_LEN as u64, header.name_len + header.value_len)?;
            add_xattr(&mut xattrs, &header, &entry)?;
        }
        Ok(xattrs)
    }
}

/// Adds the attribute whose name and value `bytes` starts with.
fn add_xattr(xattrs: &mut Xattrs, header: &EntryHeader, bytes: &[u8]) -> Result<(), FormatError> {
    let prefix = header.prefix.ok_or(FormatError::Xattrs)?;
    let (rest, value) = bytes.split_at(header.name_len);
    let name = [prefix, rest].concat().into();
    match xattrs.insert(name, value[..header.value_len].into()) {
        None => Ok(()),
        Some(_) => Err(FormatError::Xattrs),
    }
}
