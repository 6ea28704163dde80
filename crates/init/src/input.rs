//! The session's standard input: what the host sent and the program has yet to take.

use alloc::vec::Vec;

use mote_contract::{INITIAL_STDIN_WINDOW, TerminalSize};

use crate::error::{InitError, Result};
use crate::sys::{self, Errno, Fd};

/// What the program reads its standard input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe: its end is the closed writing end.
    Pipe,
    /// A terminal: its end is Ctrl-D on an empty line.
    Terminal,
}

/// Ctrl-D, the terminal's `VEOF`.
const END_OF_FILE: u8 = 4;

/// Standard input on its way to the program.
#[derive(Debug)]
pub struct Input {
    kind: Kind,
    to: Option<Fd>,
    queue: Vec<u8>,
    /// How much of the queue the program has.
    taken: usize,
    /// Bytes that the host may send.
    credit: u32,
    /// Bytes taken for which the host was not given new credit.
    owed: u32,
    end: End,
    /// The last byte of all that was accepted.
    last: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Reached,
}

impl Input {
    /// Input for a descriptor which does not block. The host has no credit yet; it is owed the whole window.
    #[must_use]
    pub fn new(kind: Kind, to: Fd) -> Self {
        Self {
            kind,
            to: Some(to),
            queue: Vec::new(),
            taken: 0,
            credit: 0,
            owed: INITIAL_STDIN_WINDOW,
            end: End::Open,
            last: b'\n',
        }
    }

    /// What the program reads from.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Takes what the host sent; nothing is the end of file.
    ///
    /// # Errors
    ///
    /// [`InitError::NoCredit`].
    pub fn accept(&mut self, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| InitError::NoCredit)?;
        self.credit = self.credit.checked_sub(len).ok_or(InitError::NoCredit)?;
        if self.to.is_none() || self.end == End::Reached {
            return Ok(());
        }
        self.queue.drain(..self.taken);
        self.taken = 0;
        match bytes {
            [] => self.finish(),
            [.., last] => {
                self.last = *last;
                self.queue.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.end = End::Reached;
        if let Kind::Terminal = self.kind {
            // In the middle of a line, the first one only hands the line over.
            let times = if self.last == b'\n' { 1 } else { 2 };
            self.queue.extend_from_slice(&[END_OF_FILE; 2][..times]);
        }
        self.close_at_end();
    }

    /// The descriptor to wait for, while there is something to write.
    #[must_use]
    pub fn waiting(&self) -> Option<&Fd> {
        self.to.as_ref().filter(|_| self.taken < self.queue.len())
    }

    /// Gives the program as much as it takes.
    pub fn flush(&mut self) {
        let Some(to) = self.waiting() else { return };
        match to.write(&self.queue[self.taken..]) {
            Ok(len) => {
                self.taken += len;
                self.owed += len as u32;
                self.close_at_end();
            }
            Err(Errno::EAGAIN) => {}
            // Nobody reads any more: the rest is for nobody, and no credit calls for more.
            Err(_) => self.to = None,
        }
    }

    fn close_at_end(&mut self) {
        let (kind, end) = (self.kind, self.end);
        if kind == Kind::Pipe && end == End::Reached && self.taken == self.queue.len() {
            self.to = None;
        }
    }

    /// New credit for the host, when there is enough of it to be worth a frame.
    pub fn take_credit(&mut self) -> Option<u32> {
        let due = self.owed >= INITIAL_STDIN_WINDOW / 2 || self.taken == self.queue.len();
        if self.owed == 0 || !due || self.end == End::Reached {
            return None;
        }
        self.credit += self.owed;
        Some(core::mem::take(&mut self.owed))
    }

    /// Sets the terminal's size; a pipe has none.
    pub fn resize(&self, size: TerminalSize) {
        if let (Kind::Terminal, Some(terminal)) = (self.kind, &self.to) {
            // A terminal can be given any size.
            let _ = sys::set_window_size(terminal, size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn input(kind: Kind) -> (Input, Fd) {
        let (reader, writer) = sys::pipe().unwrap();
        writer.set_nonblocking().unwrap();
        reader.set_nonblocking().unwrap();
        let mut input = Input::new(kind, writer);
        assert_eq!(input.take_credit(), Some(INITIAL_STDIN_WINDOW));
        (input, reader)
    }

    fn read(reader: &Fd) -> Vec<u8> {
        let mut bytes = Vec::new();
        reader.read_append(&mut bytes, 100_000).unwrap();
        bytes
    }

    #[test]
    fn bytes_then_end_of_file() {
        let (mut input, reader) = input(Kind::Pipe);
        input.accept(b"abc").unwrap();
        input.accept(b"").unwrap();
        assert!(input.waiting().is_some(), "closed only when all is taken");
        input.flush();
        assert!(input.waiting().is_none());
        assert_eq!(reader.read_to_end(), Ok(b"abc".to_vec()));
    }

    #[test]
    fn the_end_of_a_terminal() {
        let cases: [(&[u8], &[u8]); 3] =
            [(b"", b"\x04"), (b"line\n", b"line\n\x04"), (b"part", b"part\x04\x04")];
        for (bytes, expected) in cases {
            let (mut input, reader) = input(Kind::Terminal);
            if !bytes.is_empty() {
                input.accept(bytes).unwrap();
            }
            input.accept(b"").unwrap();
            input.flush();
            assert_eq!(read(&reader), expected);
            let mut bytes = Vec::new();
            assert_eq!(reader.read_append(&mut bytes, 1), Err(Errno::EAGAIN), "still open");
        }
    }

    #[test]
    fn credit_is_what_the_program_took() {
        let (mut input, reader) = input(Kind::Pipe);
        let half = INITIAL_STDIN_WINDOW as usize / 2;
        input.accept(&vec![1; half]).unwrap();
        input.flush();
        assert_eq!(input.take_credit(), Some(half as u32));
        assert_eq!(input.take_credit(), None);
        // The pipe holds 64 KiB; what does not fit stays in the queue and is owed.
        input.accept(&vec![2; 2 * half]).unwrap();
        input.flush();
        assert_eq!(input.take_credit(), Some(half as u32));
        assert!(input.waiting().is_some());
        assert_eq!(read(&reader).len(), 2 * half);
        input.flush();
        assert_eq!(input.take_credit(), Some(half as u32));
        assert_eq!(read(&reader), vec![2; half]);
    }

    #[test]
    fn more_than_the_credit_is_refused() {
        let (mut input, _reader) = input(Kind::Pipe);
        input.accept(&vec![0; INITIAL_STDIN_WINDOW as usize]).unwrap();
        assert!(matches!(*input.accept(b"x").unwrap_err(), InitError::NoCredit));
    }

    #[test]
    fn a_program_that_reads_no_more() {
        let (mut input, reader) = input(Kind::Pipe);
        drop(reader);
        input.accept(b"abc").unwrap();
        input.flush();
        assert!(input.waiting().is_none());
        assert_eq!(input.take_credit(), None);
    }
}
