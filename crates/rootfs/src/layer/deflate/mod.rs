//! Inflating, as RFC 1951 says.
//!
//! That takes most of the time in which an image becomes a disk. What is here takes four fifths of
//! the time of zlib-rs for it, which is the fastest library for streams: bits are looked up in wide
//! tables, the next entry before what the last one means is copied, and copies go a little too far
//! rather than to ask where they end. There is no unsafe code: the bounds of each step are checked
//! together.

mod table;

use std::io;

use self::table::{
    DISTANCE_BITS, DISTANCE_ENTRIES, Entry, LENGTH_BITS, LENGTH_ENTRIES, SYMBOL_BITS,
    SYMBOL_ENTRIES,
};
use super::input::Input;

/// How far back matches reach.
pub(super) const WINDOW: usize = 32 << 10;

/// How much room there must be before a step: for two literals, the longest match, and what is
/// copied too much of it.
pub(super) const ROOM: usize = 320;

/// Bytes of the input that a step looks at.
const STEP_BYTES: usize = 16;

/// How many bits are there after [`Bits::fill`].
const FILLED: u32 = 56;

/// Most bits of a distance with what is added to it: with a second look-up, and without.
const DISTANCE_MOST: usize = 15 + 13;
const DISTANCE_FIRST_MOST: usize = DISTANCE_BITS + 13;

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeflateError {
    #[error("a block of the deflate stream has no known type")]
    Block,
    #[error("the length of a block of the deflate stream contradicts itself")]
    Stored,
    #[error("the codes of a block of the deflate stream are none")]
    Code,
    #[error("a code of the deflate stream has no meaning")]
    Symbol,
    #[error("the deflate stream refers to bytes before its beginning")]
    Distance,
}

impl From<DeflateError> for io::Error {
    fn from(error: DeflateError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

fn cut_off() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// One stream.
pub(super) struct Inflate {
    bits: Bits,
    state: State,
    is_last: bool,
    tables: Box<Tables>,
    /// Whether the tables are those of the fixed code (RFC 1951, 3.2.6).
    are_fixed: bool,
}

enum State {
    /// Before a block.
    Block,
    /// In a block that is not compressed, of which so many bytes are left.
    Stored(usize),
    Compressed,
    End,
}

struct Tables {
    symbols: [Entry; SYMBOL_ENTRIES],
    distances: [Entry; DISTANCE_ENTRIES],
}

/// The next bits of the input.
#[derive(Clone, Copy, Default)]
struct Bits {
    /// The next one is the lowest. What lies above those that count may be bits that come later.
    held: u64,
    /// How many count. Only the lowest byte is meant.
    count: u32,
}

impl Bits {
    /// Adds whole bytes until there are 56 or more; says how many.
    #[inline(always)]
    fn fill(&mut self, bytes: [u8; 8]) -> usize {
        self.held |= u64::from_le_bytes(bytes) << (self.count & 63);
        let used = (63 - (self.count & 63)) >> 3;
        self.count |= FILLED;
        used as usize
    }

    #[inline(always)]
    fn take(&mut self, entry: Entry) {
        self.held >>= entry.bits() & 63;
        self.count = self.count.wrapping_sub(entry.bits());
    }

    /// How many of its bytes were not begun.
    fn bytes(self) -> usize {
        usize::from(self.count as u8) / 8
    }

    #[inline(always)]
    fn has(self, bits: usize) -> bool {
        self.count as u8 >= bits as u8
    }

    fn skip(&mut self, bits: usize) {
        self.held >>= bits;
        self.count = self.count.wrapping_sub(bits as u32);
    }

    /// The next bits of a header.
    fn next(&mut self, bits: usize, input: &mut Input<'_, '_>) -> usize {
        if !self.has(bits) {
            input.skip(self.fill(*input.ahead()));
        }
        let value = self.held & !(u64::MAX << bits);
        self.skip(bits);
        value as usize
    }
}

impl Inflate {
    pub(super) fn new() -> Self {
        let tables = Tables {
            symbols: [Entry::default(); SYMBOL_ENTRIES],
            distances: [Entry::default(); DISTANCE_ENTRIES],
        };
        Self {
            bits: Bits::default(),
            state: State::Block,
            is_last: false,
            tables: tables.into(),
            are_fixed: false,
        }
    }

    /// Starts over with the next stream.
    pub(super) fn reset(&mut self) {
        (self.bits, self.state, self.is_last) = (Bits::default(), State::Block, false);
    }

    /// Whether the stream has ended; the input then goes on behind it.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Inflates to `out[at..]` until the stream ends or less than [`ROOM`] is left, and says where it
    /// stopped. Matches reach back to `begin`.
    pub(super) fn inflate(
        &mut self,
        input: &mut Input<'_, '_>,
        out: &mut [u8],
        begin: usize,
        mut at: usize,
    ) -> io::Result<usize> {
        while out.len() - at >= ROOM && !self.has_ended() {
            input.fill()?;
            let stopped = match self.state {
                State::Block => self.header(input).map(|()| at),
                State::Stored(_) if input.ready().is_empty() => return Err(cut_off()),
                State::Stored(left) => Ok(self.stored(input, out, at, left)),
                State::Compressed => self.compressed(input, out, begin, at),
                State::End => Ok(at),
            };
            // First, rather than what zeros behind the end mean.
            if !input.has_read(self.bits.bytes()) {
                return Err(cut_off());
            }
            at = stopped?;
        }
        Ok(at)
    }

    /// Goes on with a block that is not compressed, of which `left` bytes are to come.
    fn stored(
        &mut self,
        input: &mut Input<'_, '_>,
        out: &mut [u8],
        at: usize,
        left: usize,
    ) -> usize {
        let ready = input.ready();
        let count = left.min(ready.len()).min(out.len() - at);
        out[at..at + count].copy_from_slice(&ready[..count]);
        input.skip(count);
        match left - count {
            0 => self.end_block(input),
            left => self.state = State::Stored(left),
        }
        at + count
    }

    /// Behind the last block, the bytes that were not needed go back.
    fn end_block(&mut self, input: &mut Input<'_, '_>) {
        self.state = State::Block;
        if self.is_last {
            self.return_bytes(input);
            self.state = State::End;
        }
    }

    /// Passes over the rest of a byte and returns whole ones.
    fn return_bytes(&mut self, input: &mut Input<'_, '_>) {
        input.put_back(self.bits.bytes());
        self.bits = Bits::default();
    }

    /// Reads the header of a block (RFC 1951, 3.2.3).
    fn header(&mut self, input: &mut Input<'_, '_>) -> Result<(), DeflateError> {
        self.is_last = self.bits.next(1, input) == 1;
        match self.bits.next(2, input) {
            0 => {
                self.return_bytes(input);
                let len = self.bits.next(16, input);
                if self.bits.next(16, input) != len ^ 0xffff {
                    return Err(DeflateError::Stored);
                }
                self.return_bytes(input);
                self.state = State::Stored(len);
                if len == 0 {
                    self.end_block(input);
                }
            }
            1 => {
                // Many small members may follow one another.
                if !self.are_fixed {
                    let mut lens = [8; 288];
                    lens[144..256].fill(9);
                    lens[256..280].fill(7);
                    self.make_tables(&lens, &[5; 32])?;
                    self.are_fixed = true;
                }
                self.state = State::Compressed;
            }
            2 => {
                let (lens, symbols) = self.codes(input)?;
                let (symbols, distances) = lens.split_at(symbols);
                self.are_fixed = false;
                self.make_tables(symbols, distances)?;
                self.state = State::Compressed;
            }
            _ => return Err(DeflateError::Block),
        }
        Ok(())
    }

    fn make_tables(&mut self, symbols: &[u8], distances: &[u8]) -> Result<(), DeflateError> {
        let tables = &mut *self.tables;
        table::make(&mut tables.symbols, SYMBOL_BITS, symbols, Entry::symbol)?;
        table::make(&mut tables.distances, DISTANCE_BITS, distances, Entry::distance)
    }

    /// Reads the lengths of the codes of a block (RFC 1951, 3.2.7), and how many of them are those
    /// of literals and lengths; the others are distances'.
    fn codes(&mut self, input: &mut Input<'_, '_>) -> Result<(Vec<u8>, usize), DeflateError> {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        const END: usize = 256;
        let bits = &mut self.bits;
        let symbols = bits.next(5, input) + 257;
        let distances = bits.next(5, input) + 1;
        let count = bits.next(4, input) + 4;
        if symbols > 286 || distances > 30 {
            return Err(DeflateError::Code);
        }
        let mut lens = [0; 19];
        for &at in &ORDER[..count] {
            lens[at] = bits.next(3, input) as u8;
        }
        let mut table = [Entry::default(); LENGTH_ENTRIES];
        table::make(&mut table, LENGTH_BITS, &lens, Entry::length)?;
        let mut lens = Vec::with_capacity(symbols + distances + 138);
        while lens.len() < symbols + distances {
            if !bits.has(LENGTH_BITS) {
                input.skip(bits.fill(*input.ahead()));
            }
            let entry = table[bits.held as usize % LENGTH_ENTRIES];
            if entry.is_invalid() {
                return Err(DeflateError::Code);
            }
            bits.take(entry);
            let (len, count) = match entry.byte() {
                len @ 0..16 => (len, 1),
                16 => (*lens.last().ok_or(DeflateError::Code)?, 3 + bits.next(2, input)),
                17 => (0, 3 + bits.next(3, input)),
                _ => (0, 11 + bits.next(7, input)),
            };
            lens.extend(std::iter::repeat_n(len, count));
        }
        match lens.len() == symbols + distances && lens[END] > 0 {
            true => Ok((lens, symbols)),
            false => Err(DeflateError::Code),
        }
    }

    /// Goes on with a compressed block until it ends, or too little of the input or of `out` is
    /// left.
    #[inline(never)]
    fn compressed(
        &mut self,
        input: &mut Input<'_, '_>,
        out: &mut [u8],
        begin: usize,
        mut at: usize,
    ) -> Result<usize, DeflateError> {
        let ready = input.padded();
        let Tables { symbols, distances } = &*self.tables;
        let first = |bits: Bits| symbols[bits.held as usize % (1 << SYMBOL_BITS)];
        let mut bits = self.bits;
        let mut used = bits.fill(*input.ahead());
        let mut entry = first(bits);
        let is_at_end = loop {
            let Some(ahead) = ready[used..].first_chunk::<STEP_BYTES>() else { break Ok(false) };
            let Some(room) = out[at..].first_chunk_mut::<ROOM>() else { break Ok(false) };
            let mut step = 0;
            let mut fill = |bits: &mut Bits| {
                let bytes = ahead[step..].first_chunk().expect("twice: 7 and 8 bytes");
                step += bits.fill(*bytes);
            };
            let mut literals = 0;
            let mut before = bits;
            bits.take(entry);
            if entry.is_literal() {
                room[0] = entry.byte();
                (entry, before, literals) = (first(bits), bits, 1);
                bits.take(entry);
                if entry.is_literal() {
                    room[1] = entry.byte();
                    (entry, before, literals) = (first(bits), bits, 2);
                    bits.take(entry);
                    if entry.is_literal() {
                        room[2] = entry.byte();
                        at += 3;
                        entry = first(bits);
                        fill(&mut bits);
                        used += step;
                        continue;
                    }
                }
            }
            if entry.is_other() {
                if entry.is_long() {
                    entry = symbols[entry.second(bits.held) % SYMBOL_ENTRIES];
                    before = bits;
                    bits.take(entry);
                }
                if entry.is_literal() {
                    room[literals] = entry.byte();
                    at += literals + 1;
                    fill(&mut bits);
                    used += step;
                    entry = first(bits);
                    continue;
                }
                if entry.is_invalid() {
                    break Err(DeflateError::Symbol);
                }
                if entry.is_other() {
                    at += literals;
                    break Ok(true);
                }
            }
            at += literals;
            let len = entry.value(before.held);

            entry = distances[bits.held as usize % (1 << DISTANCE_BITS)];
            if entry.is_other() {
                if !bits.has(DISTANCE_MOST + SYMBOL_BITS) {
                    fill(&mut bits);
                }
                if entry.is_long() {
                    bits.skip(DISTANCE_BITS);
                    entry = distances[entry.second(bits.held) % DISTANCE_ENTRIES];
                }
                if entry.is_invalid() {
                    used += step;
                    break Err(DeflateError::Symbol);
                }
            } else if !bits.has(DISTANCE_FIRST_MOST + SYMBOL_BITS) {
                fill(&mut bits);
            }
            before = bits;
            bits.take(entry);
            let distance = entry.value(before.held);
            entry = first(bits);
            fill(&mut bits);
            used += step;
            if distance > at - begin {
                // Without a look at where the input ends: that took 4 % of all.
                return Err(DeflateError::Distance);
            }
            copy(out, at, distance, len);
            at += len;
        };
        self.bits = bits;
        input.skip(used);
        if is_at_end? {
            self.end_block(input);
        }
        Ok(at)
    }
}

/// Repeats what lies `distance` bytes before `at`, for `len` bytes or some more.
#[inline(always)]
fn copy(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let from = at - distance;
    match distance {
        16.. => {
            // Nearly all are not longer.
            copy_part::<16>(out, from, at);
            copy_part::<16>(out, from + 16, at + 16);
            let mut done = 32;
            while done < len {
                copy_part::<16>(out, from + done, at + done);
                done += 16;
            }
        }
        8.. => {
            let mut done = 0;
            while done < len {
                copy_part::<8>(out, from + done, at + done);
                done += 8;
            }
        }
        1 => {
            let byte = out[from];
            out[at..at + len].fill(byte);
        }
        // Of each part, so many bytes are right; the next part begins behind them.
        _ => {
            let mut done = 0;
            while done < len {
                copy_part::<8>(out, from + done, at + done);
                done += distance;
            }
        }
    }
}

#[inline(always)]
fn copy_part<const N: usize>(out: &mut [u8], from: usize, to: usize) {
    out.copy_within(from..from + N, to);
}
