//! Frames on their way to the host. The channel takes them as fast as the host reads; until it has taken them all,
//! nothing more is read from the session.

use alloc::vec::Vec;

use mote_contract::{GuestFrame, HEADER_LEN, PAYLOAD_LIMIT, Stream, stream_header};

use crate::sys::{Errno, Fd};

/// What reading from the session's output gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// A frame with this many bytes.
    Frame(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

/// The bytes that the channel has yet to take.
#[derive(Debug)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// An empty one, with room for the largest frame.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(HEADER_LEN + PAYLOAD_LIMIT), sent: 0 }
    }

    /// Whether the channel has taken everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    /// Adds a frame.
    pub fn push(&mut self, frame: &GuestFrame<'_>) {
        frame.encode(&mut self.bytes);
    }

    /// Reads what the session wrote straight behind a frame's header. Only for an empty outbox.
    pub fn fill(&mut self, stream: Stream, from: &Fd) -> Fill {
        debug_assert!(self.is_empty());
        self.clear();
        self.bytes.extend_from_slice(&[0; HEADER_LEN]);
        match from.read_append(&mut self.bytes, PAYLOAD_LIMIT) {
            Ok(len @ 1..) => {
                self.bytes[..HEADER_LEN].copy_from_slice(&stream_header(stream, len));
                Fill::Frame(len)
            }
            Err(Errno::EAGAIN) => {
                self.clear();
                Fill::Nothing
            }
            // The end of a pipe is 0, that of a terminal EIO.
            Ok(_) | Err(_) => {
                self.clear();
                Fill::End
            }
        }
    }

    /// Gives the channel, which does not block, as much as it takes.
    ///
    /// # Errors
    ///
    /// As write(2).
    pub fn flush(&mut self, to: &Fd) -> Result<(), Errno> {
        while !self.is_empty() {
            let bytes = &self.bytes[self.sent..];
            let written = match to.write(bytes) {
                // The driver copies a piece of up to 32 KiB at once; a small guest may have only pages.
                Err(Errno::ENOMEM) => to.write(&bytes[..bytes.len().min(2048)]),
                result => result,
            };
            match written {
                Ok(0) | Err(Errno::EAGAIN | Errno::ENOMEM) => return Ok(()),
                Ok(len) => self.sent += len,
                Err(errno) => return Err(errno),
            }
        }
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;
    use alloc::vec;

    /// What a program wrote reaches the other end of a channel that takes a little at a time.
    #[test]
    fn output_becomes_frames() {
        let (from, program) = sys::pipe().unwrap();
        let (host, to) = sys::pipe().unwrap();
        for fd in [&from, &to, &host] {
            fd.set_nonblocking().unwrap();
        }
        let bytes = vec![0xa5; PAYLOAD_LIMIT];
        program.write_all(&bytes).unwrap();
        drop(program);

        let mut outbox = Outbox::new();
        assert_eq!(outbox.fill(Stream::Stderr, &from), Fill::Frame(bytes.len()));
        outbox.flush(&to).unwrap();
        assert!(!outbox.is_empty(), "a pipe holds less than the largest frame");
        let mut wire = Vec::new();
        while let Ok(1..) = host.read_append(&mut wire, 5000) {
            outbox.flush(&to).unwrap();
        }
        assert!(outbox.is_empty());
        assert_eq!(outbox.fill(Stream::Stderr, &from), Fill::End);

        let mut expected = Vec::new();
        GuestFrame::Stderr(&bytes).encode(&mut expected);
        assert!(wire == expected);
    }

    #[test]
    fn nothing_now_is_not_the_end() {
        let (from, _program) = sys::pipe().unwrap();
        from.set_nonblocking().unwrap();
        let mut outbox = Outbox::new();
        assert_eq!(outbox.fill(Stream::Stdout, &from), Fill::Nothing);
        assert!(outbox.is_empty());
    }
}
