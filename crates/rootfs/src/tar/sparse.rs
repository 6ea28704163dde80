//! Sparse files: where the data of an entry belongs.
//!
//! GNU tar has four ways to say it ("Tar Internals: Storing Sparse Files"): descriptors in and
//! behind the header of an entry of type `S`, and three versions of pax records. In all of them the
//! entry's content is the data without the holes.

use std::io::BufRead;

use super::archive::Input;
use super::header::{BLOCK, Header};
use super::number::{parse_decimal, parse_field};
use super::{ArchiveError, Data};
use crate::tree::DataRun;

/// Most runs of one file; they are held in memory, 24 bytes each.
const RUNS_MAX: usize = 1 << 20;

/// Length of one descriptor: two fields of 12 bytes.
const DESCRIPTOR: usize = 24;

const WRONG_MAP: &str = "sparse map";

/// How the map of a pax entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Versions 0.0 and 0.1: in the records.
    Records,
    /// Version 1.0: as lines of text before the content.
    Content,
}

/// A stretch of data in the file; where it lies follows from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) at: u64,
    pub(super) len: u64,
}

/// What pax records say of a sparse file.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    pub(super) major: Option<u32>,
    pub(super) minor: Option<u32>,
    map: Option<Vec<Stretch>>,
    /// An offset whose length is to follow.
    pending: Option<u64>,
}

impl SparseRecords {
    pub(super) fn format(&self) -> Option<Format> {
        match (self.major, &self.map) {
            (Some(1..), _) => Some(Format::Content),
            (_, Some(_)) => Some(Format::Records),
            _ => None,
        }
    }

    /// Version 0.1: `offset,length,offset,length…`.
    pub(super) fn set_map(&mut self, value: &[u8]) -> Result<(), &'static str> {
        let mut map = Vec::new();
        let mut numbers = value.split(|&byte| byte == b',').filter(|number| !number.is_empty());
        while let Some(at) = numbers.next() {
            let at = parse_decimal(at).ok_or(WRONG_MAP)?;
            let len = numbers.next().and_then(parse_decimal).ok_or(WRONG_MAP)?;
            push(&mut map, Stretch { at, len })?;
        }
        self.map = Some(map);
        Ok(())
    }

    /// Version 0.0: a record for the offset,
    pub(super) fn add_offset(&mut self, at: u64) -> Result<(), &'static str> {
        match self.pending.replace(at) {
            None => Ok(()),
            Some(_) => Err(WRONG_MAP),
        }
    }

    /// and one for the length.
    pub(super) fn add_length(&mut self, len: u64) -> Result<(), &'static str> {
        let at = self.pending.take().ok_or(WRONG_MAP)?;
        push(self.map.get_or_insert_default(), Stretch { at, len })
    }

    pub(super) fn take_map(&mut self) -> Vec<Stretch> {
        self.map.take().unwrap_or_default()
    }
}

fn push(map: &mut Vec<Stretch>, stretch: Stretch) -> Result<(), &'static str> {
    if map.len() == RUNS_MAX {
        return Err("number of sparse runs");
    }
    map.push(stretch);
    Ok(())
}

/// Reads the descriptors of an old GNU header and of the blocks behind it; also the file's size.
pub(super) fn read_descriptors<R: BufRead>(
    header: &Header,
    input: &mut Input<R>,
) -> Result<(Vec<Stretch>, u64), ArchiveError> {
    let mut map = Vec::new();
    let real_size = header.length(483..495, "sparse size")?;
    add_descriptors(&mut map, &header.bytes[386..482], header)?;
    let mut is_extended = header.bytes[482] != 0;
    while is_extended {
        let block = input.read_block()?;
        add_descriptors(&mut map, &block[..504], header)?;
        is_extended = block[504] != 0;
    }
    Ok((map, real_size))
}

fn add_descriptors(
    map: &mut Vec<Stretch>,
    descriptors: &[u8],
    header: &Header,
) -> Result<(), ArchiveError> {
    for descriptor in descriptors.chunks_exact(DESCRIPTOR) {
        // An unused one ends the list.
        if descriptor[0] == 0 {
            break;
        }
        let number = |field| parse_field(field).and_then(|number| u64::try_from(number).ok());
        let stretch = number(&descriptor[..12]).zip(number(&descriptor[12..]));
        let (at, len) = stretch.ok_or_else(|| header.invalid(WRONG_MAP))?;
        push(map, Stretch { at, len }).map_err(|field| header.invalid(field))?;
    }
    Ok(())
}

/// Reads the map that version 1.0 has before the content: the number of stretches, then offset and
/// length of each, one number a line, padded to a block. `size` is that of map and content, and
/// becomes that of the content.
pub(super) fn read_map<R: BufRead>(
    header: &Header,
    input: &mut Input<R>,
    size: &mut u64,
) -> Result<Vec<Stretch>, ArchiveError> {
    let mut lines = Lines { block: [0; BLOCK], used: BLOCK, left: size, input, header };
    let count = lines.next()?;
    let mut map = Vec::new();
    for _ in 0..count {
        let stretch = Stretch { at: lines.next()?, len: lines.next()? };
        push(&mut map, stretch).map_err(|field| header.invalid(field))?;
    }
    Ok(map)
}

/// The numbers of a map, read block by block.
struct Lines<'a, R> {
    block: [u8; BLOCK],
    used: usize,
    left: &'a mut u64,
    input: &'a mut Input<R>,
    header: &'a Header,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<u64, ArchiveError> {
        let mut digits = Vec::new();
        loop {
            match self.next_byte()? {
                b'\n' => break,
                // Longer than any number of 64 bits.
                _ if digits.len() == 20 => return Err(self.header.invalid(WRONG_MAP)),
                digit => digits.push(digit),
            }
        }
        parse_decimal(&digits).ok_or_else(|| self.header.invalid(WRONG_MAP))
    }

    fn next_byte(&mut self) -> Result<u8, ArchiveError> {
        if self.used == BLOCK {
            let left = self.left.checked_sub(BLOCK as u64);
            *self.left = left.ok_or_else(|| self.header.invalid(WRONG_MAP))?;
            self.block = self.input.read_block()?;
            self.used = 0;
        }
        self.used += 1;
        Ok(self.block[self.used - 1])
    }
}

/// The data of a file of `len` bytes whose `stored` bytes of content begin at byte `offset` of the
/// archive, with holes where the map has nothing.
pub(super) fn locate(
    map: &[Stretch],
    len: u64,
    offset: u64,
    stored: u64,
    header: &Header,
) -> Result<Data, ArchiveError> {
    let wrong = |reason| ArchiveError::Sparse { offset: header.offset, reason };
    let mut runs: Vec<DataRun> = Vec::new();
    let mut end = 0;
    let mut used = 0_u64;
    for stretch in map {
        let stretch_end = stretch.at.checked_add(stretch.len);
        let stretch_end = stretch_end.filter(|&end| end <= len);
        let stretch_end = stretch_end.ok_or_else(|| wrong("it goes beyond the file's end"))?;
        if stretch.at < end {
            return Err(wrong("it is not in order"));
        }
        end = stretch_end;
        if stretch.len > 0 {
            runs.push(DataRun { at: stretch.at, offset: offset + used, len: stretch.len });
        }
        used += stretch.len;
        if used > stored {
            break;
        }
    }
    if used != stored {
        return Err(wrong("it does not fit the content"));
    }
    Ok(Data { offset, len, data_runs: Some(runs).filter(|_| stored != len) })
}
