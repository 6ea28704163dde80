//! gzip, as RFC 1952 says: deflate streams, with a header and a check each.

use std::io;
use std::ops::Range;

use flate2::Crc;

use super::deflate::{Inflate, ROOM, WINDOW};
use super::inflate::Decoder;
use super::input::{Blob, Input};

/// The bytes of members, one behind the other.
pub(super) struct Gzip<'b, 'a> {
    input: Input<'b, 'a>,
    inflate: Inflate,
    state: State,
    /// Checks the header.
    header: Crc,
    /// Checks the member, if somebody wants that.
    check: Option<Crc>,
    /// Number of bytes of the member, modulo 2^32.
    len: u32,
    /// What matches reach back to.
    window: Vec<u8>,
}

enum State {
    /// Before the first member.
    Begin,
    Member,
    End,
}

impl<'b, 'a> Gzip<'b, 'a> {
    /// `is_checked`: whether the members' CRC-32 are compared.
    pub(super) fn new(blob: &'b mut Blob<'a>, is_checked: bool) -> Self {
        Self {
            input: Input::new(blob),
            inflate: Inflate::new(),
            state: State::Begin,
            header: Crc::new(),
            check: is_checked.then(Crc::new),
            len: 0,
            window: Vec::with_capacity(WINDOW),
        }
    }

    /// Reads a header (RFC 1952, 2.3), if there is one, as there has to be at the beginning.
    fn header(&mut self) -> io::Result<()> {
        const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
        const CRC: u8 = 1 << 1;
        const EXTRA: u8 = 1 << 2;
        const NAME: u8 = 1 << 3;
        const COMMENT: u8 = 1 << 4;
        const RESERVED: u8 = 7 << 5;
        self.header.reset();
        self.input.fill()?;
        if self.input.ready().is_empty() && matches!(self.state, State::Member) {
            self.state = State::End;
            return Ok(());
        }
        let [magic @ .., flags] = self.bytes::<4>()?;
        if magic != MAGIC || flags & RESERVED != 0 {
            return Err(invalid("no gzip header"));
        }
        // The time, what the compressor thought of it, and the system.
        self.bytes::<6>()?;
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.bytes()?) {
                self.bytes::<1>()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.bytes()? != [0] {}
        }
        if flags & CRC != 0 {
            let crc = (self.header.sum() as u16).to_le_bytes();
            if self.bytes()? != crc {
                return Err(invalid("wrong CRC of a gzip header"));
            }
        }
        self.inflate.reset();
        self.state = State::Member;
        self.len = 0;
        if let Some(check) = &mut self.check {
            check.reset();
        }
        Ok(())
    }

    /// Compares what stands behind a member with what it was.
    fn trailer(&mut self) -> io::Result<()> {
        let (crc, len) = (u32::from_le_bytes(self.bytes()?), u32::from_le_bytes(self.bytes()?));
        match &self.check {
            Some(check) if check.sum() != crc => Err(invalid("wrong CRC of a gzip member")),
            _ if len != self.len => Err(invalid("wrong length of a gzip member")),
            _ => Ok(()),
        }
    }

    /// The next bytes, which the check of a header counts.
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.input.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        self.header.update(&bytes);
        Ok(bytes)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Decoder for Gzip<'_, '_> {
    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<Range<usize>> {
        let begin = self.window.len();
        buffer[..begin].copy_from_slice(&self.window);
        // Where the member begins, as far back as matches reach.
        let mut member = 0;
        let mut at = begin;
        if matches!(self.state, State::Begin) {
            self.header()?;
        }
        while buffer.len() - at >= ROOM && !matches!(self.state, State::End) {
            let end = self.inflate.inflate(&mut self.input, buffer, member, at)?;
            if let Some(check) = &mut self.check {
                check.update(&buffer[at..end]);
            }
            self.len = self.len.wrapping_add((end - at) as u32);
            at = end;
            if self.inflate.has_ended() {
                self.trailer()?;
                self.header()?;
                member = at;
            }
        }
        self.window.clear();
        self.window.extend_from_slice(&buffer[member.max(at.saturating_sub(WINDOW))..at]);
        Ok(begin..at)
    }
}
